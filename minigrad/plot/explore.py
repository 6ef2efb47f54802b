"""One picture at several values of a parameter: a grid of panels, and sliders where a notebook can show them."""

import inspect
import io
import operator
import sys
import time
from collections.abc import Mapping

import matplotlib as mpl
import numpy as np

from minigrad.plot.ranges import Range, read
from minigrad.plot.style import styled

PANEL, PICTURE = (3.4, 2.6), (7.5, 4.2)
"""Inches: of a panel of the grid, and of the picture below the sliders."""

WIDEST = 11.4
"""Inches: a wider grid would be shrunk by the page, its letters with it; narrower panels are not."""

DPI = 90
"""As wide as a page of a notebook, three panels are, and half the bytes of a figure for print."""

QUICK = 0.3
"""Seconds: a picture that is drawn faster follows the slider; one that is not waits until the slider is let go."""

COLUMNS = {1: 1, 2: 2, 3: 3, 4: 2, 5: 3, 6: 3, 9: 3}
"""How many panels stand side by side, where one parameter has so many; else four."""


def explore(fn, /, *, panels=None, start=None, sharex=True, sharey=True, figsize=None, title=None, **parameters):
    """Draw one picture at several values of a parameter, or of two: a grid of panels, and sliders in a notebook.

    The grid is always drawn, so that a printed page shows all there is to see.  Where a notebook's kernel runs and
    ipywidgets is installed, a slider for each parameter is displayed as well, and below them one large picture that is
    drawn anew at each move.  An error of ``fn`` is shown there in one line, and the next move goes on.

    Args:
        fn: called as ``fn(gain=value, ax=ax)`` for a parameter ``gain``; draws one picture on ``ax``.  The panel's
            title is the value; what ``fn`` sets as title stands below it, or over all panels if it never changes.
        panels: how many values of a range stand in the grid; default about 6 for one parameter, 3 for each of two.
        start: the value at which a slider starts, or a dict name -> value; default the middle of a range, the first
            of a list.
        sharex, sharey: whether the panels have the same limits, so that they can be compared; also "row" or "col", as
            in Matplotlib.  Limits that all panels share are those of the large picture too, with room for what goes
            beyond them.
        figsize: inches of the grid; default by the number of panels.
        title: over all panels.
        parameters: one or two, by the names that ``fn`` has for them; the first of two goes down the rows, the second
            along the columns.  Each is a range ``(low, high, step)``, of which evenly spaced values are drawn, first
            and last among them; a list of values, which are all drawn; or True or False for a switch (a list of
            strings is chosen from a menu, a list of anything else with a slider).

    Returns:
        an array (rows, columns) of Axes, None for a place that is left over.

    Raises:
        ValueError: for a range whose step is not > 0 or whose low is not below its high, an empty list, no parameter
            or more than two, or a start that a parameter does not take.
        TypeError: for a parameter of another form, or a function that cannot be called so.

    Example:
        >>> import minigrad as mg
        >>> def power(gain, ax):
        ...     ax.semilogy([gain ** t for t in range(20)])
        >>> axes = mg.plot.explore(power, gain=(0.5, 1.5, 0.05), panels=3)
        >>> [ax.get_title() for ax in axes.flat]
        ['gain = 0.5', 'gain = 1', 'gain = 1.5']
    """
    found = check(fn, parameters)
    starts = started(found, start)
    for name, value in {"sharex": sharex, "sharey": sharey}.items():
        if value not in (True, False, "row", "col"):
            raise ValueError(f"{name} = {value!r}: choose True, False, 'row' or 'col'")
    axes = grid(fn, found, chosen(found, panels), (sharex, sharey), figsize, title)
    widgets = widgets_here()
    if widgets:
        some = axes[0, 0]
        limits = {x: (getattr(some, f"get_{x}scale")(), *getattr(some, f"get_{x}lim")())
                  for x, shared in (("x", sharex), ("y", sharey)) if shared is True}
        show(Live(widgets, fn, found, starts, limits).box)
    return axes


def check(fn, parameters):
    """Return a list of what was given for each parameter, having seen that the function takes them."""
    called = getattr(fn, "__name__", type(fn).__name__)
    if not callable(fn):
        raise TypeError(f"fn = {fn!r} is no function: explore calls fn(gain=value, ax=ax)")
    if not parameters:
        raise ValueError("there is no parameter to explore: name one and its range, gain=(0.5, 1.5, 0.05)")
    if len(parameters) > 2:
        names = list(parameters)
        raise ValueError(f"{len(names)} parameters ({', '.join(names)}), and a grid has only rows and columns: keep "
                         f"one or two, and fix the others, functools.partial(fn, {names[-1]}=...)")
    if "ax" in parameters:
        raise ValueError("ax is what explore gives the function to draw on; call the parameter something else")
    try:
        signature = inspect.signature(fn)
    except (TypeError, ValueError):         # some built-in functions keep theirs to themselves
        signature = None
    if signature:
        try:
            signature.bind(ax=None, **parameters)
        except TypeError as error:
            call = ", ".join(f"{name}=..." for name in (*parameters, "ax"))
            raise TypeError(f"{called}{signature} cannot be called as {called}({call}): {error}") from None
    return [read(name, form) for name, form in parameters.items()]


def started(found, start):
    """Return name -> value where the sliders start."""
    if start is not None and not isinstance(start, Mapping):
        if len(found) > 1:
            raise ValueError(f"start = {start!r} for {len(found)} parameters: write "
                             f"start={{{', '.join(f'{p.name!r}: ...' for p in found)}}}")
        start = {found[0].name: start}
    start = dict(start or {})
    unknown = [name for name in start if name not in [p.name for p in found]]
    if unknown:
        raise ValueError(f"start has {unknown[0]!r}, which is not explored: {', '.join(p.name for p in found)}")
    values = {}
    for p in found:
        if p.name in start and not p.takes(start[p.name]):
            takes = (f"from {p.text(p.low)} to {p.text(p.high)}" if isinstance(p, Range)
                     else "one of " + ", ".join(map(p.text, p.values)))
            raise ValueError(f"start: {p.name} = {start[p.name]!r} is not among its values; choose {takes}")
        values[p.name] = p.nearest(start[p.name]) if p.name in start else p.middle()
    return values


def chosen(found, panels):
    """Return for each parameter the values in the grid."""
    if panels is not None:
        try:
            panels = operator.index(panels)
        except TypeError:
            raise TypeError(f"panels = {panels!r}: give a whole number, how many values of a range to draw") from None
        if panels < 2:
            raise ValueError(f"panels = {panels}: the first and the last value of a range are always there, so give "
                             f"at least 2")
        if not any(isinstance(p, Range) for p in found):
            raise ValueError(f"panels = {panels}: all values of a list are drawn, and there is no range; leave it out")
    return [p.spread(panels, 6 if len(found) == 1 else 3) for p in found]


def grid(fn, found, values, shared, figsize, title):
    """Draw the panels; return an array of their axes."""
    import matplotlib.pyplot as plt

    if len(found) == 1:
        every = [{found[0].name: v} for v in values[0]]
        columns = COLUMNS.get(len(every), 4)
    else:
        every = [{found[0].name: v, found[1].name: w} for v in values[0] for w in values[1]]
        columns = len(values[1])
    rows = -(-len(every) // columns)
    axes = np.full((rows, columns), None)
    with styled():
        size = figsize or (min(PANEL[0] * max(columns, 2), WIDEST), PANEL[1] * rows)
        figure = plt.figure(figsize=size, dpi=DPI, layout="constrained")
        own = []
        try:
            for k, one in enumerate(every):
                row, column = divmod(k, columns)
                first = {True: axes[0, 0], "row": axes[row, 0], "col": axes[0, column], False: None}
                ax = figure.add_subplot(rows, columns, k + 1, sharex=first[shared[0]], sharey=first[shared[1]])
                axes[row, column] = ax
                for axis in (ax.xaxis, ax.yaxis):       # of shared ones, every second inversion would undo the first
                    axis.set_inverted(False)
                own.append(draw(fn, found, one, ax))
        except BaseException:
            plt.close(figure)           # or a notebook would show half a grid
            raise
        if len(set(own)) == 1:          # once over all says as much as once in each
            title, own = title or own[0], [""] * len(own)
        for k, ax in enumerate(axes.flat[:len(every)]):
            entitle(ax, described(found, every[k]), own[k])
            tidy(ax, k % columns == 0, k + columns >= len(every), shared)
        one_legend(axes.flat[:len(every)])
        if title:
            figure.suptitle(title, fontsize=15)
    return axes


def described(found, values):
    """Return "gain = 0.5, depth = 3"."""
    return ", ".join(f"{p.name} = {p.text(values[p.name])}" for p in found)


def entitle(ax, values, own):
    """Write the values over a picture, and below them the title that it had."""
    ax.set_title(f"{values}\n{own}" if own else values)


def draw(fn, found, values, ax):
    """Call the function, and return the title that it sets; an error says at which values."""
    before = figures()
    try:
        fn(**values, ax=ax)
        astray = figures() - before
        if astray:
            raise ValueError("the function has opened a figure of its own; let it draw on ax: ax.plot(...), or ax=ax")
    except Exception as error:
        error.add_note(f"while explore drew {described(found, values)}")
        raise
    finally:
        for number in figures() - before:
            sys.modules["matplotlib.pyplot"].close(number)
    return ax.get_title()


def figures():
    """Return the numbers of the figures that pyplot holds."""
    return set(sys.modules["matplotlib.pyplot"].get_fignums()) if "matplotlib.pyplot" in sys.modules else set()


def tidy(ax, left, bottom, shared):
    """Leave labels at the outer panels, tick labels wherever limits are a panel's own, and few of them."""
    from matplotlib.ticker import LogLocator, MaxNLocator

    for axis, outer, same in ((ax.xaxis, bottom, shared[0] in (True, "col")),
                              (ax.yaxis, left, shared[1] in (True, "row"))):
        locator = axis.get_major_locator()
        if isinstance(locator, MaxNLocator):
            locator.set_params(nbins=4)
        elif isinstance(locator, LogLocator):
            locator.set_params(numticks=5)
        axis.label.set_visible(outer)
        if same and not outer:
            axis.set_tick_params(which="both", labelbottom=False, labelleft=False, labeltop=False, labelright=False)
            axis.offsetText.set_visible(False)


def one_legend(axes):
    """Keep the first panel's legend where all have the same; the others would only cover their lines."""
    legends = [ax.get_legend() for ax in axes]
    texts = [legend and [t.get_text() for t in legend.get_texts()] for legend in legends]
    if texts[0] and all(t == texts[0] for t in texts):
        for legend in legends[1:]:
            legend.remove()


def widgets_here():
    """Return ipywidgets where a kernel runs that can show them, else None."""
    if not kernel_runs():
        return None
    try:
        import ipywidgets
    except ImportError:
        return None
    return ipywidgets


def kernel_runs():
    """Whether this program is the kernel of a notebook: of Jupyter, or of a page in the browser."""
    if "IPython" not in sys.modules:
        return False
    return getattr(sys.modules["IPython"].get_ipython(), "kernel", None) is not None


def show(widget):
    """Display a widget below the cell that runs."""
    from IPython.display import display

    display(widget)


class Live:
    """A slider for each parameter, a line for errors, and a picture that follows them.

    The picture is sent as PNG and its figure closed, so that no backend has a say in when it is shown.
    """

    def __init__(self, widgets, fn, found, starts, limits):
        self.fn, self.found, self.limits = fn, found, limits
        self.controls = [p.control(widgets, starts[p.name]) for p in found]
        self.says = widgets.Label()
        self.image = widgets.Image(format="png", layout=widgets.Layout(max_width="100%", align_self="flex-start"))
        self.box = widgets.VBox([*self.controls, self.says, self.image])
        began = time.perf_counter()
        self.redraw()
        follow = time.perf_counter() - began < QUICK
        for control in self.controls:
            control.style.description_width = "initial"
            if hasattr(control, "continuous_update"):
                control.continuous_update = follow
            control.observe(self.redraw, names="value")

    def values(self):
        """Return name -> value, as the sliders are."""
        return {p.name: p.nearest(control.value) for p, control in zip(self.found, self.controls)}

    def redraw(self, change=None):
        """Draw the picture for what the sliders say, or say why there is none."""
        values = self.values()
        try:
            picture = self.draw(values)
        except Exception as error:
            reason = " ".join(str(error).split())
            self.says.value = f"{described(self.found, values)}: {type(error).__name__}: {reason}"
            self.image.layout.display = "none"          # of other values than the sliders'
        else:
            self.says.value, self.image.layout.display, self.image.value = "", None, picture

    def draw(self, values):
        """Return the picture as PNG."""
        import matplotlib.pyplot as plt

        out = io.BytesIO()
        with styled(), mpl.rc_context({"interactive": False}):          # no window, nor a figure below the cell
            figure = plt.figure(figsize=PICTURE, dpi=DPI, layout="constrained")
            try:
                ax = figure.add_subplot()
                entitle(ax, described(self.found, values), draw(self.fn, self.found, values, ax))
                for x, (scale, first, last) in self.limits.items():
                    if getattr(ax, f"get_{x}scale")() == scale:
                        low, *_, high = sorted((*getattr(ax, f"get_{x}lim")(), first, last))
                        getattr(ax, f"set_{x}lim")((low, high) if first < last else (high, low))
                figure.savefig(out, format="png", dpi=DPI, metadata={"Software": "minigrad"})
            finally:
                plt.close(figure)
        return out.getvalue()

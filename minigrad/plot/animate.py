"""Pictures that move: a norm trace that grows, and the helper with which any picture can be made to."""

import operator
import re
import tempfile
from hashlib import sha256
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.animation import FuncAnimation, PillowWriter
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from minigrad.plot.norms import norms
from minigrad.plot.style import BLACK, styled

FRAME = {"savefig.dpi": 80, "savefig.bbox": None, "animation.embed_limit": 2000}
"""How frames are drawn: a hundred of 8 x 4 inches are some megabytes then, and none is dropped from a player."""


class Animation(FuncAnimation):
    """What :func:`animation` returns: a FuncAnimation whose frames and files are the same every time.

    A notebook shows it as a player; ``plot.save`` writes it as .gif or .html.  Where a window plays it, keep it in a
    variable until the window is closed.
    """

    def __init__(self, figure, draw, frames, interval):
        def update(k):
            with styled():
                draw(k)
            return ()

        self.figure, self.draw, self.frames, self.interval = figure, draw, frames, interval
        super().__init__(figure, update, frames=frames, interval=interval, cache_frame_data=False)

    def save(self, *args, **kwargs):
        """Write the frames to a file, as Matplotlib's ``save`` does, in minigrad's style."""
        with styled(), mpl.rc_context(FRAME):
            super().save(*args, **kwargs)

    def to_jshtml(self, *args, **kwargs):
        """Return a player as HTML, frames and all; arguments are Matplotlib's."""
        with mpl.rc_context(FRAME):
            text = super().to_jshtml(*args, **kwargs)
        drawn = re.search("_anim_img([0-9a-f]{32})", text)[1]        # a random name, which all parts of the page share
        frames = text.replace(drawn, "")
        return text.replace(drawn, sha256(frames.encode()).hexdigest()[:32])

    _repr_html_ = to_jshtml

    def as_bytes(self, kind):
        """Return the file of a kind, ".gif" or ".html"."""
        if kind == ".html":
            return self.to_jshtml().encode()
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"animation{kind}"
            self.save(path, writer=PillowWriter(fps=1000 / self.interval))
            return path.read_bytes()

    def __del__(self):
        """Matplotlib would warn of an animation that nobody has looked at; here that is nobody's fault."""


def animation(figure, draw, frames, interval=100):
    """Make a picture move.

    Args:
        figure: a Matplotlib figure with all that will be seen in it, so that its layout, which stays, has room.  It
            should be one that pyplot does not know, ``Figure()``: then there is none to close.
        draw: a function of the frame's number k, 0 to frames - 1, that brings the figure to that frame, whichever it
            showed before.
        frames: how many there are, at least 1.
        interval: milliseconds from one to the next, > 0.  A .gif counts in hundredths of a second.

    Returns:
        an :class:`Animation`, at frame 0: ``to_jshtml()`` for a player, ``plot.save(it, "x.gif")`` for a file.

    Raises:
        ValueError: for a number of frames or an interval out of its range.

    Example:
        >>> from matplotlib.figure import Figure
        >>> figure = Figure(figsize=(2, 1))
        >>> line, = figure.add_subplot(xlim=(0, 3), ylim=(0, 9)).plot([], [])
        >>> moving = animation(figure, lambda k: line.set_data(range(k + 1), [i * i for i in range(k + 1)]), frames=4)
        >>> "animation" in moving.to_jshtml()
        True
        >>> line.get_ydata()
        [0, 1, 4, 9]
    """
    count = whole_number(frames)
    if not 0 < interval < float("inf"):
        raise ValueError(f"interval = {interval!r} milliseconds from frame to frame: it must be > 0")
    with styled():
        figure.draw_without_rendering()
        figure.set_layout_engine("none")            # or the axes would move with every label
        draw(0)
    return Animation(figure, draw, count, interval)


def whole_number(frames):
    """Return how many frames there are, checked."""
    try:
        count = operator.index(frames)
    except TypeError:
        count = 0
    if count < 1:
        raise ValueError(f"frames = {frames!r}: an animation has a whole number of them, at least 1")
    return count


def animate(trace, ax=None, *, frames=60, interval=80, **options):
    """Make a picture of a norm trace that grows, step after step.

    The axes are those of the whole run from the beginning, so that what is coming has its place; a line goes through
    the step that the frame has reached.

    Args:
        trace: a :class:`minigrad.NormTrace`.
        ax: axes of a figure of your own; default new ones, on a figure that pyplot does not know and nobody must close.
        frames: how many; fewer if the trace has fewer steps.  The last one shows the whole run.
        interval: milliseconds from one to the next.
        options: as for :func:`minigrad.plot.norms`.

    Returns:
        an :class:`Animation`; a notebook shows it as a player, and ``plot.save(it, "norms.gif")`` writes a file.

    Raises:
        ValueError: as :func:`minigrad.plot.norms`, and for a number of frames or an interval out of its range.

    Example:
        >>> import minigrad as mg
        >>> trace = mg.NormTrace.from_columns({"norm_in": [1.0, 5.0, 2.0]})
        >>> moving = mg.plot.animate(trace)
        >>> moving.frames
        3
        >>> moving.draw(1)
        >>> moving.figure.axes[0].lines[0].get_ydata().tolist()
        [1.0, 5.0]
    """
    if ax is None:
        with styled():
            ax = Figure(figsize=(8, 4), layout="constrained").add_subplot()
    norms(trace, ax, **options)
    panels = ax.child_axes or [ax]
    with styled():
        curtains = [Curtain(panel) for panel in panels]
    x = np.unique(np.concatenate([c.steps for c in curtains]))
    count = min(whole_number(frames), len(x))
    ends = x[np.ceil(np.linspace(1, len(x), count)).astype(int) - 1] if count > 1 else x[-1:]

    def draw(k):
        for curtain in curtains:
            curtain.draw(ends[k])

    return animation(ax.figure, draw, count, interval)


class Curtain:
    """Hides what lies to the right of a step on axes that are complete."""

    def __init__(self, ax):
        data = ax.transData
        self.lines = [(line, *line.get_data()) for line in ax.lines if line.get_transform() == data and
                      len(line.get_xdata())]
        self.steps = np.unique(np.concatenate([x for _, x, _ in self.lines]))
        self.limits = ax.get_xlim()
        ax.set_xlim(self.limits)
        self.bands, self.place = list(ax.collections), ax.get_xaxis_transform()
        self.now = ax.axvline(self.steps[-1], color=BLACK, lw=0.8, alpha=0.5, zorder=6)

    def draw(self, end):
        """Show what lies up to a step."""
        for line, x, y in self.lines:
            line.set_data(x[x <= end], y[x <= end])
        left = self.limits[0]
        for band in self.bands:                 # a clip path is what the rectangle was when it was set
            band.set_clip_path(Rectangle((left, 0), end - left, 1, transform=self.place))
        self.now.set_xdata([end, end])

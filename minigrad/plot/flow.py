"""Delta and weight gradient side by side: what a bar chart of weight gradients shows, and what it hides."""

import math

import matplotlib as mpl
import numpy as np

from minigrad.plot.lanes import Lanes
from minigrad.plot.lines import legend_above, line
from minigrad.plot.style import BLACK, BLUE, ORANGE, styled

BARS = 80
"""More bars than this are drawn as one outline: narrow ones make a pattern with the pixels."""

DOTS = 60
"""Of more points than this each has no dot of its own."""

ROOM = 3.0
"""A prediction may widen the measured range by so many decades, or by half of it if that is more."""

WHAT = {"gradient": ("||dL/dW||", "weight gradient"), "cell": ("||dL/dc||", "dL/dc"),
        "activation": ("||h||", "activation")}
"""What may stand on the right, the first that is there: column -> its label, and its name in the title."""


def flow(found, axes=None, *, series=None, lanes=None, titles=None):
    """Draw ||dL/dh|| and the norm of the weight gradient per layer, or time step, on one common scale.

    On the left the delta as measured (solid) and as theory expects it (dashed, from the last measured one back); on
    the right a bar per weight gradient.  Both have the same vertical axis, so a profile that looks flat on the right is
    flat.  0, inf and NaN have lanes of their own; a triangle at the edge is a norm beyond it, as one predicted far from
    all that was measured.  Where no weight gradient belongs to a row (gated recurrent layers) the right shows dL/dc of
    an LSTM, or the activation.  Of several series of one kind (the layers of a stack of recurrent ones, the last loss
    alone and all of them) the title names the one that is drawn.

    Args:
        found: what :func:`minigrad.flow` returned.
        axes: two axes to draw on; default those of a new figure.
        series: name or number of the series; default the first.
        lanes: a :class:`minigrad.plot.Lanes`, to share the vertical range with other pictures.
        titles: two titles; default ones say what was measured and found.

    Returns:
        array of the two axes.

    Raises:
        ValueError: for a series that is not there, or other than two axes.

    Example:
        >>> import numpy as np, minigrad as mg
        >>> from minigrad import nn
        >>> rng = np.random.default_rng(0)
        >>> net = nn.Sequential(*[m for _ in range(9) for m in (nn.Linear(16, 16, rng=rng), nn.Tanh())])
        >>> found = mg.flow(net, lambda h: (h * h).mean(), rng.normal(size=(8, 16)))
        >>> left, right = mg.plot.flow(found)
        >>> left.get_title()[:22], right.get_ylabel()
        ('delta dL/dh: vanishing', '||dL/dW||')
    """
    chosen, verdict = choose(found, series)
    left, right = new_pair(axes)
    x = np.array([row.index for row in chosen.rows])
    delta, expected = chosen.column("delta"), chosen.column("predicted")
    told = np.array([row.delta is not None for row in chosen.rows], dtype=bool)
    name = next(name for name in WHAT if name == "activation" or (~np.isnan(chosen.column(name))).any())
    other = chosen.column(name)
    there = np.array([getattr(row, name) is not None for row in chosen.rows], dtype=bool)
    lanes = lanes or Lanes(*shared_range(delta[told], other[there], expected))
    with styled():
        for ax in (left, right):
            lanes.dress(ax)
        within(left, lanes, x[told], delta[told], BLUE, "measured")
        if (expected > 0).any():
            out = beyond(lanes, expected)
            shown = np.where(out, np.nan, lanes.ordinary(expected))
            left.plot(x, shown, "--", color=BLACK, lw=1.3, zorder=4, label=f"predicted ({chosen.prediction.theory})")
            triangles(left, lanes, x, expected, out, BLACK, "predicted ")
        if name == "gradient":
            draw_bars(right, lanes, x[there], other[there])
        else:
            within(right, lanes, x[there], other[there], ORANGE, None)
        for ax in (left, right):
            ax.set_xlabel({"layer": "layer (1 is next to the input)", "step": "time step"}[chosen.kind])
            ax.xaxis.set_major_locator(mpl.ticker.MaxNLocator(nbins="auto", integer=True))
            ax.set_xlim(x[0] - 0.7, x[-1] + 0.7)
        left.set_ylabel("||dL/dh||")
        right.set_ylabel(WHAT[name][0] + (" of each step" if name == "gradient" and chosen.kind == "step" else ""))
        said = titles or (name_of(found, chosen) + title_of(chosen, verdict),
                          title_of_other(WHAT[name][1], other[there]))
        for ax, text in zip((left, right), said):
            ax.set_title(text)
        legend_above(left)
        right.set_ylim(left.get_ylim())
    return np.array([left, right])


def choose(found, series):
    """Return the series asked for, and its verdict."""
    names = [s.name for s in found.series]
    place = 0 if series is None else names.index(series) if series in names else series
    if not isinstance(place, int) or isinstance(place, bool) or not -len(names) <= place < len(names):
        raise ValueError(f"series = {series!r}: there are {', '.join(map(repr, names))}; give a name or a number")
    return found.series[place], found.verdicts[place]


def new_pair(axes):
    """Return two axes: those given, or new ones."""
    if axes is not None:
        pair = np.ravel(np.asarray(axes, dtype=object))
        if len(pair) != 2:
            raise ValueError(f"axes: two are wanted, the delta's and the weight gradient's, not {len(pair)}; make them "
                             f"with fig, axes = plt.subplots(1, 2)")
        return pair
    import matplotlib.pyplot as plt

    with styled():
        return plt.subplots(1, 2, figsize=(11, 4.4), layout="constrained")[1]


def shared_range(delta, other, expected):
    """Return what the vertical axis has to hold: all that was measured, and of what is expected not much more."""
    measured = np.concatenate([delta, other])
    logs = np.log10(measured[np.isfinite(measured) & (measured > 0)])
    expected = expected[np.isfinite(expected) & (expected > 0)]
    if logs.size:
        room = max(ROOM, (logs.max() - logs.min()) / 2)
        low, high = max(logs.min() - room, -300.0), min(logs.max() + room, 300.0)
        expected = np.clip(expected, 10.0 ** low, 10.0 ** high)
    return measured, expected


def name_of(found, series):
    """Return the name of a series as a line of the title where another one of its kind could be meant."""
    alike = [s for s in found.series if s.kind == series.kind]
    return f"{series.name} ({alike.index(series) + 1} of {len(alike)} series)\n" if len(alike) > 1 else ""


def draw_bars(ax, lanes, x, heights):
    """Draw bars from the lower edge of the finite range up, and crosses in the lanes."""
    foot, tops = 10.0 ** lanes.low, lanes.ordinary(heights)
    special = np.isnan(tops)
    if len(x) <= BARS:
        ax.bar(x[~special], tops[~special] - foot, bottom=foot, width=0.8, color=ORANGE, zorder=3)
    else:
        ax.fill_between(x, foot, tops, step="mid", color=ORANGE, lw=0, zorder=3)
    if special.any():
        ax.plot(x[special], lanes.place(heights[special]), "x", color=ORANGE, ms=4.5, zorder=3)


def within(ax, lanes, x, y, colour, label):
    """Draw a line, with dots if there are few, and triangles at the edge for what lies beyond it."""
    out = beyond(lanes, y)
    kept = ~out
    line(ax, lanes, x[kept], y[kept], colour, label, lw=1.6)
    if len(x) <= DOTS:
        ax.plot(x[kept], lanes.ordinary(y[kept]), ".", color=colour, ms=6)
    triangles(ax, lanes, x, y, out, colour)


def triangles(ax, lanes, x, y, out, colour, what=""):
    """Draw triangles at the edge for values that lie beyond it."""
    foot = 10.0 ** lanes.low
    for marker, where, edge in (("v", out & (y < foot), lanes.low), ("^", out & (y > foot), lanes.high)):
        if where.any():
            ax.plot(x[where], np.full(where.sum(), 10.0 ** edge), marker, color=colour, ms=4, zorder=3,
                    label=f"{what}{'below' if marker == 'v' else 'above'} 1e{edge:.0f}")


def beyond(lanes, y):
    """Return which ordinary values lie outside the finite range of the axis."""
    with np.errstate(invalid="ignore"):
        return np.isfinite(y) & (y > 0) & ((y < 10.0 ** lanes.low) | (y > 10.0 ** lanes.high))


def title_of(series, verdict):
    """Return what was measured on the left, and found, in short."""
    if verdict.kind == "too few":
        return f"delta dL/dh: too few {series.kind}s for a slope"
    text = f"delta dL/dh: {verdict.kind}"
    if series.slope is not None and verdict.kind not in ("nan", "cut"):
        slope = abs(series.slope.slope)
        text += f", {slope:.2f} decades a {series.kind}" if slope >= 0.1 else f", {slope:.2g} decades a {series.kind}"
        text += ", but it bends" * (series.bend is not None)
    return text


def title_of_other(what, values):
    """Return what was measured on the right, and how flat it is."""
    ordinary = values[np.isfinite(values) & (values > 0)]
    if len(ordinary) < 2:
        return what
    span = math.log10(ordinary.max()) - math.log10(ordinary.min())
    return f"{what}: largest / smallest = " + (f"{10.0 ** span:.2g}" if span < 300 else f"1e{span:.0f}")

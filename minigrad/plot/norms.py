"""The gradient norm per step, before and after clipping."""

import math
import numbers

import numpy as np

from minigrad.plot.lanes import Lanes
from minigrad.plot.lines import highest, legend_above, line, plain_line, room_below, steps_axis
from minigrad.plot.series import before_after
from minigrad.plot.style import AFTER, BEFORE, GREY, SKY, THRESHOLD, new_axes, styled
from minigrad.trace.series import clipping_groups

PANELS = 6
"""So many groups are shown below each other; more would be too flat to read."""


def norms(trace, ax=None, *, stage=None, group=None, threshold=None, micro=True, lanes=None, title=None):
    """Draw the norm per step before and after a clip, its threshold, the steps it acted on, and what is not finite.

    The norms are those that :meth:`minigrad.NormTrace.summary` and ``advise`` speak of.  Of more than some thousand
    steps the line is the median in each column of the picture and the band around it reaches from the smallest to the
    largest norm, so that no spike is lost.  A limit per unit, per parameter or per
    element is no norm of the whole; it is not drawn, and stands in the legend instead.

    Args:
        trace: a :class:`minigrad.NormTrace`.
        ax: axes to draw on; default new ones.
        stage: number of the stage to show; default the last that clips all parameters together, else those of the
            groups, else the gradient as it left the last hook, unscaled and gathered over its window.
        group: name of the parameter group whose own clip is to be shown.  Where each group has its own and none is
            named, they are drawn below each other on ``ax.child_axes``, at most PANELS of them.
        threshold: a norm > 0 to draw, to see which steps exceed it: for traces of training elsewhere.
        micro: whether to show the norms of the micro-batches, where gradients were accumulated, as light dots.
        lanes: a :class:`Lanes` to share the vertical range with other axes.
        title: default says what was measured.

    Returns:
        the axes.

    Raises:
        ValueError: if the trace is empty, has no such stage or group, or for a threshold that is not > 0.

    Example:
        >>> import minigrad as mg
        >>> trace = mg.NormTrace.from_columns({"norm_in": [0.5, 2.0, 1.0, float("nan")]})
        >>> ax = mg.plot.norms(trace, threshold=1.5)
        >>> [text.get_text() for text in ax.get_legend().get_texts()]
        ['as recorded', '1 of 4 steps above', 'threshold 1.5']
    """
    if threshold is not None and not (isinstance(threshold, numbers.Real) and threshold > 0):
        raise ValueError(f"threshold = {threshold!r}: a norm to draw as a line must be a number > 0")
    groups = clipping_groups(trace) if stage is None and group is None else []
    if len(groups) < 2:
        series = before_after(trace, stage, group or "".join(groups))
        return one(series, new_axes(ax), threshold, micro, lanes, title)
    series = [before_after(trace, None, name) for name in groups[:PANELS]]
    lanes = lanes or Lanes(*(shown for s in series for shown in values(s, threshold, micro)))
    ax = new_axes(ax, (8, 1 + 2 * len(series)))
    with styled():
        left_out = f" ({PANELS} of {len(groups)} groups; group= picks another)" if len(groups) > PANELS else ""
        ax.set(title=(title or "Gradient norm per step, each group by itself") + left_out, xticks=[], yticks=[])
        ax.set_frame_on(False)
        for k, s in enumerate(series):
            height = 1 / len(series)
            panel = ax.inset_axes([0, 1 - (k + 1) * height, 1, 0.8 * height])
            one(s, panel, threshold, micro, lanes, s["whose"].removeprefix(", "), ncols=4)
            if k + 1 < len(series):
                panel.set(xlabel="", xticklabels=[])
    return ax


def values(series, threshold=None, micro=True):
    """Return the arrays that will be seen on the axes of a series."""
    passed = series["passed"]
    return [series["before"], *([series["after"][passed]] if series["clips"] else []),
            *([series["micro"][1]] if micro else []),
            finite(series["threshold"]) if series["comparable"] else [], finite([threshold or math.nan])]


def finite(array):
    """Return the values that are finite."""
    array = np.asarray(array, dtype=float)
    return array[np.isfinite(array)]


def one(series, ax, threshold, micro, lanes, title, ncols=2):
    """Draw one series on its axes."""
    lanes = lanes or Lanes(*values(series, threshold, micro))
    x, before, passed, clipped = series["x"], series["before"], series["passed"], series["clipped"]
    with styled():
        lanes.dress(ax)
        room_below(ax, lanes)
        if micro and len(series["micro"][0]):
            at, there = (np.asarray(a) for a in series["micro"])
            at, there = highest(at, lanes.place(there), x) if len(at) > len(x) > 0 else (at, lanes.place(there))
            ax.plot(at, there, ".", color=SKY, ms=3.5, zorder=2.5, label="micro-batches")
        if series["clips"]:
            line(ax, lanes, x, before, BEFORE, f"before {series['what']}", zorder=3)
            line(ax, lanes, x[passed], series["after"][passed], AFTER, f"after {series['what']}", zorder=4)
            if clipped.any():
                dots(ax, lanes, x, before, clipped, f"clipped steps ({clipped[passed].mean():.0%})")
        else:
            line(ax, lanes, x, before, BEFORE, series["what"], zorder=3)
        own_threshold(ax, series)
        if threshold is not None:
            above = before > threshold
            if above.any() and not series["clips"]:
                dots(ax, lanes, x, before, above, f"{above.sum():,} of {len(x):,} steps above")
            text = f": {above.sum():,} of {len(x):,} steps above" if series["clips"] else ""
            if threshold < math.inf:
                ax.axhline(threshold, ls=":" if not series["clips"] else "-.", color=THRESHOLD, lw=1.6, zorder=5,
                           label=f"threshold {threshold:g}{text}")
        which = {1.0: "L1 ", math.inf: "largest element of the "}.get(series["p"], "")
        ax.set(ylabel=f"{which}gradient norm", title=title or f"Gradient norm per step{series['whose']}")
        steps_axis(ax, x, series["xlabel"])
        legend_above(ax, ncols, rows=4 // ncols)
    return ax


def dots(ax, lanes, x, y, which, label):
    """Mark some steps, the highest of each column where there are many."""
    at, there = highest(x[which], lanes.place(y[which]), x)
    ax.plot(at, there, ".", color=BEFORE, ms=3.5, zorder=3.5, label=label)


def own_threshold(ax, series):
    """Draw the threshold of the trace, or, where it is not one of the norm shown, say in the legend what it is."""
    limits = series["threshold"]
    shown = np.isfinite(limits)
    if series["limit"]:
        ax.plot([], [], " ", label=series["limit"])
    if not shown.any():
        return
    limits = limits[shown]
    same = (limits == limits[0]).all()
    if series["comparable"]:
        plain_line(ax, series["x"][shown], limits, f"threshold {limits[0]:g}" if same else "threshold",
                       ls=":", color=THRESHOLD, lw=1.6, zorder=5)
    else:
        text = f"{limits[0]:g}" if same else f"{limits.min():g} to {limits.max():g}"
        ax.plot([], [], " ", label=f"limit {text}{series['of']}")


def losses(ax, curves, *, references=(), lanes=None, title=None):
    """Draw the loss per update, a thin line per run.

    Args:
        ax: axes.
        curves: list of (values, colour, label); a label that has appeared already is not repeated.
        references: list of (value, text) drawn as dashed horizontal lines.
        lanes: a :class:`Lanes` to share the vertical range with other axes.
        title: of the axes.

    Returns:
        the axes.
    """
    lanes = lanes or Lanes(*[values for values, *_ in curves], [value for value, _ in references])
    seen = set()
    with styled():
        lanes.dress(ax)
        for values, colour, label in curves:
            line(ax, lanes, np.arange(len(values)), values, colour, None if label in seen else label, lw=1.0, zorder=2)
            seen.add(label)
        for value, text in references:
            ax.axhline(value, color=GREY, ls="--", lw=1.1)
            ax.annotate(text, (1.0, value), xycoords=ax.get_yaxis_transform(), xytext=(-2, -2), color=GREY, fontsize=10,
                        textcoords="offset points", ha="right", va="top")
        ax.set(xlabel="update", ylabel="loss (nats)", title=title)
        ax.margins(x=0.01)
    return ax

"""Which layer, and when: the norms of all layers over all steps as a map."""

import math

import numpy as np
from matplotlib.collections import PolyCollection
from matplotlib.patches import Patch
from matplotlib.transforms import ScaledTranslation

from minigrad.plot.lines import steps_axis
from minigrad.plot.style import BLACK, GREY, HATCHES, MARKS, new_axes, styled
from minigrad.plot.time import add_colorbar, finite_limits

COLUMNS = 1200
"""Of more steps than this several share a column."""

HATCHED = 3000
"""More marks than this are too small for patterns; they keep their colours."""

VISIBLE = 150
"""What is inf or NaN is painted at least one part in so many of the width wide."""

ABSENT = -1.0
"""Stands for "no gradient here": below every norm, so that whatever else happened in a column is shown."""


def layer_map(trace, ax=None, *, by="layer", name="norm_in", stage=0, limits=None, title=None, colorbar=True):
    """Draw the norm of each layer (downwards, the first on top) at each step (to the right) as a colour.

    The colour is the logarithm of the norm.  Zero, inf, NaN, and no gradient at all, have marks of their own, colour
    and pattern, which a legend explains where they occur.  Of more than 1200 steps several share a column, which shows
    the largest: NaN where there is one, else inf, else the largest norm; the label of the axis says how many.  A single
    inf or NaN is painted wide enough to be seen.

    Args:
        trace: a :class:`minigrad.NormTrace` recorded with ``per_parameter=True``.
        ax: axes to draw on; default new ones.
        by: "layer", "parameter", a function of a parameter's name, or a dict name -> list of parameters.
        name: "norm_in" or "norm_out" of the stage.
        stage: 0 for the gradient as backward left it, or the number of a hook.
        limits: (smallest, largest) norm of the colour scale, to share it; default those of the trace.
        title: default says what was measured.
        colorbar: whether to draw one.

    Returns:
        the axes; the map is ``ax.collections[0]``.

    Raises:
        ValueError: if the trace is empty or has no rows per parameter in this stage, or for another ``name``.

    Example:
        >>> import numpy as np
        >>> import minigrad as mg
        >>> trace = mg.NormTrace(per_parameter=True)
        >>> for k in range(3):
        ...     trace.record({"0.weight": np.array([10.0 ** -k]), "2.weight": np.array([k - 1.0])})
        >>> ax = mg.plot.layer_map(trace)
        >>> [label.get_text() for label in ax.get_yticklabels()]
        ['0', '2']
        >>> [text.get_text() for text in ax.get_legend().get_texts()]
        ['0']
    """
    if name not in ("norm_in", "norm_out"):
        raise ValueError(f"name = {name!r}: a map of norms is of 'norm_in' or 'norm_out'")
    if not len(trace):
        raise ValueError("the trace is empty: attach NormTrace(per_parameter=True) to an optimizer and take a step")
    steps, names, values, missing = trace.matrix(name, by=by, stage=stage)
    ascending = bool((np.diff(steps) > 0).all())
    at = steps if ascending else np.arange(len(steps))
    cells, edges, width = binned(at, np.where(missing, ABSENT, values))
    low, high = limits or finite_limits(cells)
    kinds = {"missing": cells == ABSENT, "0": cells == 0, "inf": np.isposinf(cells), "NaN": np.isnan(cells)}
    ordinary = ~np.logical_or.reduce(list(kinds.values()))
    ax = new_axes(ax, (8, min(8.0, 2.2 + 0.22 * len(names))))
    with styled():
        logs = np.ma.masked_array(np.zeros(cells.shape), ~ordinary)
        logs[ordinary] = np.log10(cells[ordinary])
        mesh = ax.pcolormesh(edges, np.arange(len(names) + 1) - 0.5, logs, cmap="viridis", vmin=math.log10(low),
                             vmax=math.log10(high), rasterized=True)
        for kind, where in kinds.items():
            marks(ax, where, edges, kind)
        ax.grid(False)
        ax.set(ylim=(len(names) - 0.5, -0.5))
        what = {"parameter": "parameter", "layer": "layer"}.get(by if isinstance(by, str) else "", "group")
        name_rows(ax, names, what)
        when = "step" if ascending else "call of optimizer.step"
        hook = "" if stage == 0 else f", {'before' if name == 'norm_in' else 'after'} stage {stage}"
        steps_axis(ax, edges, when if width == 1 else f"{when}; the largest of each {width}")
        ax.set(xlim=(edges[0], edges[-1]), title=title or f"Gradient norm per {what} and step{hook}")
        if colorbar:
            add_colorbar(mesh, ax, "gradient norm")
        explain(ax, [kind for kind, where in kinds.items() if where.any()])
    return ax


def binned(steps, values):
    """Return the cells of the map, the largest of so many steps each, the edges of its columns, and how many."""
    width = math.ceil(len(steps) / COLUMNS)
    starts = np.arange(0, len(steps), width)
    cells = values if width == 1 else np.maximum.reduceat(values, starts, axis=1)       # NaN is larger than inf here
    first, last = steps[starts].astype(float), steps[np.r_[starts[1:], len(steps)] - 1].astype(float)
    between = (last[:-1] + first[1:]) / 2
    half = (between[0] - last[0] if len(between) else 0.5, first[-1] - between[-1] if len(between) else 0.5)
    return cells, np.r_[first[0] - half[0], between, last[-1] + half[1]], width


def marks(ax, where, edges, kind):
    """Paint cells of one kind, those beside each other as one, with its colour and pattern."""
    if not where.any():
        return
    padded = np.pad(where, ((0, 0), (1, 1))).astype(np.int8)
    row, begin = np.nonzero(np.diff(padded, axis=1) == 1)
    end = np.nonzero(np.diff(padded, axis=1) == -1)[1]
    left, right, top, bottom = edges[begin], edges[end], row - 0.5, row + 0.5
    if kind in ("inf", "NaN"):                              # a single one of many steps must not escape the eye
        width = np.maximum(right - left, (edges[-1] - edges[0]) / VISIBLE)
        left = np.clip((left + right - width) / 2, edges[0], edges[-1] - width)
        right = left + width
    corners = np.stack([[left, right, right, left], [top, top, bottom, bottom]], axis=-1).transpose(1, 0, 2)
    few = len(row) <= HATCHED
    ax.add_collection(PolyCollection(corners, facecolor=MARKS[kind], edgecolor=BLACK if few else "none", linewidth=0,
                                     hatch=HATCHES[kind] or None if few else None, rasterized=not few, label=kind),
                      autolim=False)


def name_rows(ax, names, what):
    """Write names beside rows: all, or every k-th of more than there is room for."""
    room = max(2, int(ax.get_position().height * ax.figure.get_figheight() / 0.19))
    stride = math.ceil(len(names) / room)
    rows = range(0, len(names), stride)
    ax.set_yticks(rows, [brief(names[k]) for k in rows], fontsize=10 if len(names) < room else 9)
    if stride > 1:
        ax.set_ylabel(f"{len(names)} {what}s, one in {stride} named")


def brief(name, most=24):
    """Return a name; of a long one the ends."""
    return name if len(name) <= most else f"{name[:most // 2 - 1]}\N{HORIZONTAL ELLIPSIS}{name[-most // 2:]}"


def explain(ax, kinds):
    """Say below the axes, at the right, what the marks mean."""
    if kinds:
        text = {"missing": "no gradient"}
        patches = [Patch(facecolor=MARKS[kind], edgecolor=GREY, hatch=HATCHES[kind], label=text.get(kind, kind))
                   for kind in kinds]
        below = ax.transAxes + ScaledTranslation(0, -40 / 72, ax.figure.dpi_scale_trans)
        ax.legend(handles=patches, loc="upper right", bbox_to_anchor=(1.0, 0.0), bbox_transform=below,
                  ncols=len(patches), borderaxespad=0, handlelength=1.6, columnspacing=1.2)

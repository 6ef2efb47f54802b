"""The gradient through time, ||dL/dh_t||: lines over t, and a heat map over (time, update)."""

import math
import sys
from collections.abc import Mapping

import matplotlib as mpl
import numpy as np
from matplotlib.patches import Patch
from matplotlib.transforms import ScaledTranslation

from minigrad.plot.lanes import Lanes
from minigrad.plot.lines import MANY, legend_above, line, steps_axis
from minigrad.plot.style import BLACK, BLUE, GREEN, GREY, MARKS, ORANGE, PURPLE, SKY, VERMILLION, new_axes, styled

ZERO, INFINITE, MISSING = MARKS["0"], MARKS["inf"], MARKS["NaN"]
"""Colours for what has no place on a logarithmic scale: exactly 0, inf, and NaN."""

COLOURS = [BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, BLACK]
MOST_CURVES, MOST_CELLS = 60, 1500
"""Of more curves than this some are drawn; in larger maps several norms share a cell."""

VISIBLE = 150
"""A single inf or NaN is painted at least one part in so many of the width wide."""


# ----------------------------------------------------------------------------------------- lines

def time_curve(norms, ax=None, *, labels=None, slope=None, lanes=None, title=None):
    """Draw ||dL/dh_t|| over the time step t, one line per run or update, beside the slope that theory predicts.

    The loss lies at the right; reading from right to left follows the gradient on its way back.  Exact zeros, inf and
    NaN are crosses in lanes of their own.  Up to seven lines have colours of their own; more go from dark (the first)
    to bright (the last), and of more than 60 so many are drawn, evenly spaced.  Lines of
    more than 8000 steps are drawn per column of the picture: the median, in a band from the smallest to the largest.

    Args:
        norms: array (T,); or (updates, T), such as ``time_map`` takes; or a list of arrays, or a mapping label ->
            array, of any lengths.
        ax: axes to draw on; default new ones.
        labels: one text per line; default the keys of the mapping, "update k" for a matrix, "run k" for a list.
        slope: predicted change in decades per step *back* in time (negative: the gradient vanishes towards the past),
            such as log10 of the spectral radius; a number for all lines or one per line.  Drawn dashed from each
            line's last ordinary value.
        lanes: a :class:`Lanes` to share the vertical range with other axes.
        title: default says what is shown.

    Returns:
        the axes.

    Raises:
        ValueError: if there is nothing to draw, something is no curve, or labels or slopes do not fit.

    Example:
        >>> import numpy as np
        >>> from minigrad import plot
        >>> ax = plot.time_curve(0.9 ** np.arange(30)[::-1], slope=np.log10(0.9))
        >>> [line.get_linestyle() for line in ax.lines]
        ['-', '--', '--']
    """
    curves, labels = named_curves(norms, labels)
    slopes = one_each(slope, len(curves))
    chosen = np.unique(np.linspace(0, len(curves) - 1, min(len(curves), MOST_CURVES)).round().astype(int))
    few = len(curves) <= len(COLOURS)
    colours = COLOURS if few else mpl.colormaps["viridis"](np.linspace(0, 0.93, len(curves)))
    in_legend = set((chosen if few else chosen[[0, len(chosen) // 2, -1]]).tolist())
    dashed = set(chosen.tolist() if few else (0, len(curves) - 1))
    shared = len(set(slopes)) == 1
    ax = new_axes(ax)
    lanes = lanes or Lanes(*curves)
    with styled():
        lanes.dress(ax)
        for k in chosen.tolist():
            label = labels[k] if k in in_legend else None
            if label and slopes[k] is not None and not shared:
                label += f" (predicted {slopes[k]:+.3g})"
            line(ax, lanes, np.arange(len(curves[k])), curves[k], colours[k], label, lw=1.6 if few else 1.0)
            if slopes[k] is not None and k in dashed:
                prediction(ax, lanes, curves[k], slopes[k], BLACK if shared else colours[k])
        if any(s is not None for s in slopes):
            text = f"predicted: {slopes[0]:+.3g} decades a step back" if shared else "predicted, in decades a step back"
            ax.plot([], [], "--", color=BLACK, lw=1.3, label=text)
        longest = np.arange(max(map(len, curves)))
        steps_axis(ax, longest, "time step t" + (" (the loss is at the right)" if len(longest) <= MANY else ""))
        ax.set(ylabel="||dL/dh_t||", title=title or "Gradient of the hidden state through time, ||dL/dh_t||")
        if ax.get_legend_handles_labels()[0]:
            legend_above(ax, title=None if len(chosen) == len(curves) else
                         f"{len(chosen)} of {len(curves)} lines are drawn")
    return ax


def prediction(ax, lanes, values, slope, colour):
    """Draw the straight line of a slope from the last ordinary value of a curve to its first step, dashed."""
    ordinary = np.flatnonzero(np.isfinite(values) & (values > 0))
    if not ordinary.size:
        return
    last = int(ordinary[-1])
    height = math.log10(values[last])
    ends = np.array([0.0, last])
    if slope:                               # to the edge of the picture, and not into a lane
        edge = lanes.high if slope > 0 else lanes.low
        ends[0] = max(0.0, last - abs((edge - height) / slope))
    ax.plot(ends, 10.0 ** np.clip(height + slope * (last - ends), lanes.low, lanes.high), "--", color=colour, lw=1.3,
            zorder=4)


def named_curves(norms, labels):
    """Return the curves as float arrays and their labels, checked."""
    if isinstance(norms, Mapping):
        given, default = list(norms.values()), [str(name) for name in norms]
    elif isinstance(norms, (list, tuple)) and norms and np.ndim(norms[0]):
        given, default = list(norms), [f"run {k}" for k in range(len(norms))]
    else:
        array = np.asarray(norms, dtype=float)
        given = [array] if array.ndim < 2 else list(array)
        default = [None] if array.ndim < 2 else [f"update {k}" for k in range(len(array))]
    curves = [np.asarray(g, dtype=float) for g in given]
    if not curves:
        raise ValueError("time_curve has nothing to draw: give norms of shape (T,) or (updates, T)")
    for name, curve in zip(default, curves):
        if curve.ndim != 1 or not curve.size:
            raise ValueError(f"time_curve needs norms of shape (T,) with T >= 1 for each line, not {curve.shape}"
                             + (f" as in {name!r}" if name else ""))
    if labels is None:
        return curves, default
    labels = [labels] if isinstance(labels, str) else [str(label) for label in labels]
    if len(labels) != len(curves):
        raise ValueError(f"{len(labels)} labels for {len(curves)} lines; give one per line")
    return curves, labels


def one_each(slope, count):
    """Return one slope, or None, per curve."""
    slopes = [slope] * count if slope is None or np.ndim(slope) == 0 else list(slope)
    if len(slopes) != count:
        raise ValueError(f"{len(slopes)} slopes for {count} lines; give one number, or one per line")
    slopes = [None if s is None else float(s) for s in slopes]
    if not all(s is None or math.isfinite(s) for s in slopes):
        raise ValueError(f"slope = {slope!r}: a predicted slope is a finite number of decades per step")
    return slopes


# -------------------------------------------------------------------------------------- heat map

def time_map(values, ax=None, *, limits=None, title=None, colorbar=True, legend=True):
    """Draw ||dL/dh_t|| as a heat map, update to the right, time upwards, colour the logarithm of the norm.

    Exact zeros are white, inf is orange and NaN purple, and a legend below says so where there are any; the colour bar
    spans all finite values.  Of more than 1500 updates (or time steps), several share a column (a row), which shows
    the largest of them: NaN where there is one, else inf, else the largest norm; the label of the axis says how many.
    A single inf or NaN is painted wide enough to be seen.

    Args:
        values: array (updates, T) of norms.
        ax: axes to draw on; default new ones.
        limits: (smallest, largest) norm of the colour scale, to share it; default those of ``values``.
        title: default says what is shown.
        colorbar: whether to draw one.
        legend: whether to explain the colours of 0, inf and NaN where they occur.

    Returns:
        the image, of which ``.axes`` are the axes.

    Raises:
        ValueError: if ``values`` is not a matrix, or empty.
    """
    values = np.asarray(values, dtype=float)
    if values.ndim != 2 or values.size == 0:
        raise ValueError(f"time_map needs norms of shape (updates, T), not {values.shape}")
    ax = new_axes(ax)
    low, high = limits or finite_limits(values)
    extent = (-0.5, len(values) - 0.5, -0.5, values.shape[1] - 0.5)
    widths = [math.ceil(n / MOST_CELLS) for n in values.shape]
    cells = largest_of(largest_of(values, widths[0]).T, widths[1]).T
    cells = spread(cells, math.ceil(len(cells) / VISIBLE))
    bottom, top = np.log10(low), np.log10(high)
    with np.errstate(divide="ignore"):
        logs = np.clip(np.log10(cells), bottom, top)        # shared limits may leave some out: to the nearest colour
    logs[cells == 0], logs[np.isposinf(cells)] = bottom - 1, top + 1         # infinities themselves would be masked
    names = [label if width == 1 else f"{label}; largest of each {width}" for label, width in
             zip(("update", "time step t (0 is the first)"), widths)]
    with styled():
        cmap = mpl.colormaps["viridis"].with_extremes(under=ZERO, over=INFINITE, bad=MISSING)
        image = ax.imshow(logs.T, origin="lower", aspect="auto", interpolation="nearest", cmap=cmap, extent=extent,
                          vmin=bottom, vmax=top)
        ax.grid(False)
        ax.set(xlabel=names[0], ylabel=names[1], title=title or "Gradient of the hidden state, ||dL/dh_t||")
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_locator(mpl.ticker.MaxNLocator(nbins="auto", integer=True))
        if colorbar:
            add_colorbar(image, ax)
        if legend:
            mark_legend(ax, cells)
    return image


def largest_of(values, width):
    """Return the largest of each ``width`` rows; NaN where there is one, else inf where there is one."""
    if width == 1:
        return values
    starts = np.arange(0, len(values), width)
    return np.maximum.reduceat(values, starts, axis=0)


def spread(cells, width):
    """Return the cells with each inf, and over it each NaN, painted ``width`` columns wide over what lies beside it."""
    if width < 2:
        return cells
    painted = cells.copy()
    for kind, value in ((np.isposinf(cells), np.inf), (np.isnan(cells), np.nan)):
        update, t = np.nonzero(kind)
        first = np.clip(update - width // 2, 0, len(cells) - width)
        for shift in range(width):
            painted[first + shift, t] = value
    return painted


def mark_legend(ax, values, **more):
    """Explain below the axes, at the right, the colours of 0, inf and NaN, as far as they occur, and of other marks.

    Args:
        ax: axes of a heat map.
        values: what is shown.
        **more: further marks, text -> colour.
    """
    kinds = {"0": (ZERO, (values == 0).any()), "inf": (INFINITE, np.isposinf(values).any()),
             "NaN": (MISSING, np.isnan(values).any()), **{text: (colour, True) for text, colour in more.items()}}
    patches = [Patch(facecolor=colour, edgecolor=GREY, label=text) for text, (colour, there) in kinds.items() if there]
    if patches:
        below = ax.transAxes + ScaledTranslation(0, -22 / 72, ax.figure.dpi_scale_trans)
        ax.legend(handles=patches, loc="upper right", bbox_to_anchor=(1.0, 0.0), bbox_transform=below,
                  ncols=len(patches), borderaxespad=0, handlelength=1.2, columnspacing=1.0)


def add_colorbar(image, axes, label="||dL/dh_t||"):
    """Draw the colour bar of a heat map beside one or several axes, ticks as powers of ten."""
    bar = np.ravel(axes)[0].figure.colorbar(image, ax=axes, pad=0.02)
    bar.set_label(label)
    low, high = image.get_clim()
    if high - low < 2:                                      # few powers of ten in sight: number 2 and 5 as well
        digits = [math.log10(digit) + e for e in range(math.floor(low), math.ceil(high)) for digit in (1, 2, 5)]
        bar.ax.yaxis.set_major_locator(mpl.ticker.FixedLocator(digits))
        bar.ax.yaxis.set_major_formatter(mpl.ticker.FuncFormatter(lambda v, _: f"{10.0 ** v:.3g}"))
    else:
        bar.ax.yaxis.set_major_locator(mpl.ticker.MaxNLocator(nbins=6, integer=True))
        bar.ax.yaxis.set_major_formatter(mpl.ticker.FuncFormatter(lambda v, _: f"$10^{{{v:g}}}$"))
    return bar


def finite_limits(*arrays):
    """Return the smallest and largest finite positive value, at least a decade apart."""
    values = np.concatenate([np.ravel(a) for a in arrays])
    values = values[np.isfinite(values) & (values > 0)]
    if not values.size:
        return 0.1, 1.0
    low, high = float(values.min()), float(values.max())
    if high < 10 * low:
        low, high = max(low / 10 ** 0.5, 5e-324), min(high * 10 ** 0.5, sys.float_info.max)
    return low, high

"""Lines on an axis with lanes, however many points they have: of a million none is lost, and none hides the rest."""

import matplotlib as mpl
import numpy as np
from matplotlib.colors import to_rgba

MANY = 8000
"""A line of more points than this is drawn per column of the picture."""

COLUMNS = 1600
"""So many columns: about the pixels across a wide picture."""


def line(ax, lanes, x, y, colour, label=None, zorder=3, lw=1.1, crosses=True):
    """Draw a series: a line through its ordinary values, a dot where one stands alone, crosses in the lanes.

    A series of more than MANY points is drawn per column: the line is the median there, the band around it reaches
    from the smallest to the largest value, and a cross says that there is at least one such value in the column.

    Args:
        ax: axes that ``lanes`` have dressed.
        lanes: a :class:`minigrad.plot.Lanes`.
        x: where the values are; the line is broken where they go back, as in a run that was resumed.
        y: the values; 0, inf and NaN go into their lanes.
        colour, label, zorder, lw: as Matplotlib takes them; the label is the line's.
        crosses: whether to mark what lies in lanes; else there are gaps alone.
    """
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    look = {"color": colour, "zorder": zorder}
    special = lanes.special(y)
    if len(x) <= MANY:
        ordinary = lanes.ordinary(y)
        back = np.diff(x) < 0
        ax.plot(*(np.insert(values, np.flatnonzero(back) + 1, np.nan) for values in (x, ordinary)), lw=lw, label=label,
                **look)
        alone = ~special & np.r_[True, special[:-1] | back] & np.r_[special[1:] | back, True]
        if alone.any():
            ax.plot(x[alone], ordinary[alone], ".", ms=5, **look)
    else:
        at, low, middle, high = columns(x, lanes.ordinary(y))
        ax.fill_between(at, low, high, color=colour, alpha=0.3 * to_rgba(colour)[3], lw=0, zorder=zorder - 0.5)
        ax.plot(at, high, lw=0.4, **look)
        ax.plot(at, middle, lw=lw, label=label, **look)
    if special.any() and crosses:
        x, places = in_lanes(x[special], lanes.place(y[special]), x)
        ax.plot(x, places, "x", ms=4.5, **look)


def plain_line(ax, x, y, label, **look):
    """Draw what was set, or counted, and is finite: a line; of more than MANY points the extremes of each column."""
    if len(x) > MANY:
        at, low, _, high = columns(x, y)
        x, y = np.repeat(at, 2), np.column_stack([low, high]).ravel()
    elif len(x) == 1:
        x, y = [x[0] - 0.5, x[0] + 0.5], [y[0], y[0]]
    return ax.plot(x, y, label=label, **look)


def columns(x, y, whole=None):
    """Return, per column of the picture, its middle and the smallest, (lower) median and largest value that is no NaN.

    The picture is as wide as the x's ``whole``, or these here.
    Columns without points are left out, for the line may run through them; one with nothing but NaN is a gap.
    """
    column = number_of_column(x, x if whole is None else whole)
    order = np.lexsort((y, column))                                    # NaN comes last in each column
    column, x, y = column[order], np.asarray(x)[order], y[order]
    start = np.flatnonzero(np.r_[True, column[1:] != column[:-1]])
    count = np.add.reduceat(~np.isnan(y), start, dtype=int)
    at = (np.minimum.reduceat(x, start) + np.maximum.reduceat(x, start)) / 2
    last = start + np.maximum(count - 1, 0)
    return at, y[start], y[(start + last) // 2], y[last]


def highest(x, y, whole):
    """Return of points the highest in each column of the x's ``whole``; all of them if they are few."""
    if len(x) <= MANY // 4:
        return x, y
    at, _, _, high = columns(x, y, whole)
    return at, high


def in_lanes(x, places, whole):
    """Return of points in lanes one per lane and column; all of them if they are few."""
    if len(x) <= MANY // 4:
        return x, places
    lanes = np.unique(places)
    number = number_of_column(x, whole) * len(lanes) + np.searchsorted(lanes, places)
    first = np.sort(np.unique(number, return_index=True)[1])
    return x[first], places[first]


def number_of_column(x, whole):
    """Return the column in which each x lies."""
    low, high = np.min(whole), np.max(whole)
    return np.minimum(((x - low) / ((high - low) or 1) * COLUMNS).astype(int), COLUMNS - 1)


def steps_axis(ax, x, label, banded=True):
    """Make the horizontal axis one of whole steps; where :func:`line` draws bands, the label says so."""
    x = np.asarray(x, dtype=float)
    if len(x) > MANY and banded:
        label += "; line: median, band: smallest to largest per pixel column"
    ax.set_xlabel(label)
    ax.xaxis.set_major_locator(mpl.ticker.MaxNLocator(nbins="auto", integer=True, steps=[1, 2, 2.5, 5, 10]))
    if len(x) and x.max() >= 1e5:
        ax.xaxis.set_major_formatter(mpl.ticker.EngFormatter(sep=""))
    if len(x) == 1:
        ax.set(xlim=(x[0] - 0.5, x[0] + 0.5), xticks=x)
    else:
        ax.margins(x=0.01)


def room_below(ax, lanes):
    """Leave room between what is lowest on axes that ``lanes`` have dressed and their edge, unless 0 is below it."""
    if "0" not in lanes.names and not getattr(lanes, "alone", False):
        low, high = np.log10(ax.get_ylim())
        ax.set_ylim(bottom=10.0 ** max(low - 0.04 * (high - low), -307.0))


def legend_above(ax, ncols=2, title=None, rows=1):
    """Put the legend of a logarithmic axis above all that is drawn, making room there.

    Args:
        ax: axes whose vertical limits are set.
        ncols: columns of the legend.
        title: of the legend.
        rows: room for so many rows at least, so that axes that share a range go on sharing it.
    """
    entries = len(ax.get_legend_handles_labels()[0])
    rows = max(rows, -(-entries // ncols) + (title is not None))
    points = 72 * ax.figure.get_figheight() * ax.get_position().height
    room = min(0.6, (17 * rows + 10) / points)
    low, high = np.log10(ax.get_ylim())
    ax.set_ylim(top=10.0 ** min(low + (high - low) / (1 - room), 307.0))
    ax.legend(loc="upper right", ncols=ncols, title=title, frameon=True, framealpha=0.85, edgecolor="none")

"""The cliff: the loss as a function of two parameters, from above and as a surface, and the ways down it."""

import math
from collections.abc import Mapping

import matplotlib as mpl
import numpy as np
from matplotlib.patches import Patch

from minigrad.plot.style import AFTER, BEFORE, BLACK, GREEN, GREY, MARKS, PURPLE, new_axes, styled
from minigrad.plot.time import add_colorbar
from minigrad.recording import no_grad

COLOURS = [BEFORE, AFTER, GREEN, PURPLE]
"""Of trajectories: the first as before clipping, the second as after it."""

LEVELS = 10
MOST_DOTS = 400
"""Of more steps than this inside the picture the dots are left out."""

WIDE, LARGEST = 1e3, 1e300
"""A loss whose largest value is so many times its median is drawn on a logarithmic scale; no colour lies beyond."""

FACETS = 100
"""So many facets at most along each side of the surface."""


def cliff(loss, w, b, ax=None, *, trajectories=None, wall=None, names=("w", "b"), title=None, colorbar=True):
    """Draw a loss of two parameters from above, as contours, with the ways that descents took.

    A trajectory that leaves the picture does so with an arrow that says how far it went; one that comes back is drawn
    on.  Where the loss is inf or NaN the picture has the colours of these marks.

    Args:
        loss: a function of arrays (w, b) of one shape, which returns an array or a Tensor of that shape; or the array
            (len(b), len(w)) itself.
        w, b: ascending vectors of at least two values, the axes of the picture.
        ax: axes to draw on; default new ones.
        trajectories: mapping label -> array (steps + 1, 2) of (w, b), start first; two may be called "plain" and
            "clipped".  The first has the colour of what comes before clipping, the second of what comes after it.
        wall: the predicted place of a wall, dashed: a function b(w), NaN where there is none, or a pair of vectors.
        names: of the two parameters.
        title: default says what is shown.
        colorbar: whether to draw one.

    Returns:
        the axes.

    Raises:
        ValueError: if ``w``, ``b``, the loss or a trajectory have the wrong shape.

    Example:
        >>> import numpy as np
        >>> from minigrad import plot
        >>> way = np.array([[2.0, 0.5], [1.0, 0.3], [-40.0, 0.1]])
        >>> ax = plot.cliff(lambda x, y: x * x + 10 * y * y, np.linspace(-3, 3, 50), np.linspace(-1, 1, 50),
        ...                 names=("x", "y"), trajectories={"plain": way})
        >>> print(ax.texts[-1].get_text())
        plain leaves,
        42 away at most
    """
    w, b, values = on_grid(loss, w, b)
    ways = named_ways(trajectories)
    ax = new_axes(ax, (8, 5.2))
    with styled():
        shown, scale = for_colour(values)
        image = ax.pcolorfast(edges(w), edges(b), shown, cmap=background())
        odd = mark_odd(ax, w, b, values, shown)
        low, high = (shown.min(), shown.max()) if shown.count() else (0.0, 0.0)
        if low < high:
            ax.contour(w, b, shown, np.linspace(low, high, LEVELS + 2)[1:-1], colors=GREY, linewidths=0.6, alpha=0.8,
                       linestyles="solid")
        window = ((w[0], w[-1]), (b[0], b[-1]))
        draw_wall(ax, wall, w)
        for k, (label, way) in enumerate(ways.items()):
            draw_way(ax, way, window, COLOURS[k % len(COLOURS)], label)
        ax.set(xlim=window[0], ylim=window[1], xlabel=names[0], ylabel=names[1],
               title=title or f"Loss as a function of {names[0]} and {names[1]}")
        ax.grid(False)
        if colorbar and shown.count():
            if scale == "log":
                add_colorbar(image, ax, "loss")
            else:
                ax.figure.colorbar(image, ax=ax, pad=0.02).set_label("loss")
        handles = ax.get_legend_handles_labels()[0] + odd
        if handles:
            ax.legend(handles=handles, loc="best", frameon=True, framealpha=0.9, edgecolor="none")
    return ax


def cliff_surface(loss, w, b, ax=None, *, trajectories=None, wall=None, names=("w", "b"), title=None, view=(38, 35)):
    """Draw a loss of two parameters as a surface in space, with the ways that descents took on it.

    Args:
        loss, w, b, trajectories, wall, names, title: as for :func:`cliff`.  Of large grids a part is drawn, at most 100
            facets a side.  Trajectories are drawn as far as they are in the picture.
        ax: axes with ``projection="3d"``; default new ones.
        view: elevation and azimuth of the eye, in degrees.

    Returns:
        the axes.

    Raises:
        ValueError: as :func:`cliff`; or if the axes are flat, or nothing is finite.

    Example:
        >>> import numpy as np
        >>> from minigrad import plot
        >>> ax = plot.cliff_surface(lambda x, y: x * x + y * y, np.linspace(-1, 1, 20), np.linspace(-1, 1, 20))
        >>> ax.get_zlabel()
        'loss'
    """
    if ax is not None and ax.name != "3d":
        raise ValueError('cliff_surface draws in space: make the axes with projection="3d", or draw with cliff')
    w, b, values = on_grid(loss, w, b)
    ways = named_ways(trajectories)
    if not np.isfinite(values).any():
        raise ValueError("the loss is nowhere finite on this grid: there is no surface to draw")
    if ax is None:
        import matplotlib.pyplot as plt

        with styled():
            ax = plt.figure(figsize=(8, 6), layout="constrained").add_subplot(projection="3d", computed_zorder=False)
    ax.computed_zorder = False                              # else the lines vanish behind facets in front of them
    window = ((w[0], w[-1]), (b[0], b[-1]))
    columns, rows = (np.unique(np.linspace(0, len(v) - 1, FACETS + 1).round().astype(int)) for v in (w, b))
    with styled():
        shown = np.where(np.isfinite(values), values, np.nan)[np.ix_(rows, columns)]
        low, high = np.nanmin(values[np.isfinite(values)]), np.nanmax(values[np.isfinite(values)])
        ax.plot_surface(*np.meshgrid(w[columns], b[rows]), shown, cmap="viridis", rstride=1, cstride=1, linewidth=0,
                        antialiased=False, vmin=low, vmax=high if high > low else low + 1, rasterized=True, zorder=1)
        if wall is not None:
            at = np.column_stack(wall_points(wall, w))
            at[~inside(at, window)] = np.nan
            ax.plot(*at.T, low, "--", color=BLACK, lw=1.6, label="wall, predicted (on the floor)", zorder=3)
        for k, (label, way) in enumerate(ways.items()):
            parts, exits = pieces(way, window)
            ends = way[[0, -1]][inside(way[[0, -1]], window)]
            at = np.concatenate([parts, ends])
            height = (loss_at(loss, at) if callable(loss) else heights(w, b, values, at)) + 0.01 * (high - low)
            colour, n = COLOURS[k % len(COLOURS)], len(parts)
            ax.plot(*parts.T, height[:n], "-", color=colour, lw=1.8 if n < 3 * MOST_DOTS else 0.7, zorder=4,
                    label=f"{label} (leaves, {farthest(way)})" if exits else label)
            mark_ends(ax, way, window, colour, height[n:])
        ax.set(xlabel=names[0], ylabel=names[1], zlabel="loss", xlim=window[0], ylim=window[1],
               title=title or f"Loss as a function of {names[0]} and {names[1]}")
        ax.view_init(*view)
        if ax.get_legend_handles_labels()[0]:
            ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.05), ncols=2)
    return ax


# ----------------------------------------------------------------------------- what is to be drawn

def on_grid(loss, w, b):
    """Return the axes of the grid and the loss on it, checked."""
    w, b = (np.asarray(v, dtype=float) for v in (w, b))
    for name, v in (("w", w), ("b", b)):
        if v.ndim != 1 or len(v) < 2 or not (np.diff(v) > 0).all() or not np.isfinite(v).all():
            raise ValueError(f"{name} must be an ascending vector of at least two finite values, such as "
                             f"np.linspace(4, 7, 301), not of shape {v.shape}")
    values = loss_at(loss, np.stack(np.meshgrid(w, b), axis=-1)) if callable(loss) else np.asarray(loss, dtype=float)
    if values.shape != (len(b), len(w)):
        raise ValueError(f"the loss has shape {values.shape}, but the grid (len(b), len(w)) = {(len(b), len(w))}; a "
                         f"function must treat each point by itself")
    return w, b, values


def loss_at(loss, points):
    """Return what a function of (w, b) gives at points (..., 2)."""
    with no_grad(), np.errstate(all="ignore"):              # an overflow is shown, not warned of
        values = loss(points[..., 0], points[..., 1])
    return np.asarray(values.data if hasattr(values, "requires_grad") else values, dtype=float)


def named_ways(trajectories):
    """Return label -> array (n, 2), checked."""
    ways = {}
    given = () if trajectories is None else trajectories
    for label, way in given.items() if isinstance(given, Mapping) else enumerate(given):
        way = np.asarray(way, dtype=float)
        if way.ndim != 2 or way.shape[1] != 2 or not len(way):
            raise ValueError(f"trajectory {label!r} has shape {way.shape}, not (steps + 1, 2): a row (w, b) per step")
        ways[str(label) if isinstance(label, str) else f"run {label}"] = way
    return ways


def wall_points(wall, w):
    """Return the vectors w and b of the predicted wall."""
    if callable(wall):
        at = np.linspace(w[0], w[-1], 200)
        return at, np.asarray(wall(at), dtype=float)
    return tuple(np.asarray(v, dtype=float) for v in wall)


def inside(points, window):
    """Say which points lie in the window."""
    (left, right), (low, high) = window
    return (left <= points[:, 0]) & (points[:, 0] <= right) & (low <= points[:, 1]) & (points[:, 1] <= high)


def heights(w, b, values, points):
    """Return the loss at points inside the grid, between its points linearly."""
    column = np.clip(np.searchsorted(w, points[:, 0]) - 1, 0, len(w) - 2)
    row = np.clip(np.searchsorted(b, points[:, 1]) - 1, 0, len(b) - 2)
    u = (points[:, 0] - w[column]) / (w[column + 1] - w[column])
    v = (points[:, 1] - b[row]) / (b[row + 1] - b[row])
    below = (1 - u) * values[row, column] + u * values[row, column + 1]
    above = (1 - u) * values[row + 1, column] + u * values[row + 1, column + 1]
    return (1 - v) * below + v * above


def pieces(way, window):
    """Return the parts of a way that lie in the window, as a line with gaps, and where it leaves: step -> point.

    Each step is cut at the edges of the window (Liang and Barsky 1984).
    """
    start, step = way[:-1], np.diff(way, axis=0)
    low, high = np.array(window).T
    with np.errstate(all="ignore"):                         # a coordinate may stand still, or not be finite
        cuts = np.sort([(low - start) / step, (high - start) / step], axis=0)
    still = step == 0
    between = (low <= start) & (start <= high)
    enter = np.maximum(np.where(still, np.where(between, 0.0, np.inf), cuts[0]).max(axis=1), 0.0)
    leave = np.minimum(np.where(still, np.where(between, 1.0, -np.inf), cuts[1]).min(axis=1), 1.0)
    seen = np.flatnonzero((enter <= leave) & np.isfinite(step).all(axis=1))
    points = np.full((len(seen), 3, 2), np.nan)
    for k, cut in ((0, enter), (1, leave)):
        points[:, k] = np.clip(start[seen] + cut[seen, None] * step[seen], low, high)
    gone = ~inside(way[seen + 1], window)
    return points.reshape(-1, 2), {int(k): point for k, point in zip(seen[gone], points[gone, 1])}


# ------------------------------------------------------------------------------------ drawing it

def background():
    """Return the colours of the picture from above, light enough for lines to stand out."""
    return mpl.colors.LinearSegmentedColormap.from_list("sand", ["#ffffff", "#e8dfcc", "#c9b48a", "#8c7a55"])


def edges(v):
    """Return the edges of cells around ascending values."""
    between = (v[1:] + v[:-1]) / 2
    return np.r_[2 * v[0] - between[0], between, 2 * v[-1] - between[-1]]


def for_colour(values):
    """Return the losses that have a colour, masked, and their scale: their logarithms where they span too much."""
    seen = np.clip(np.ma.masked_invalid(values), -LARGEST, LARGEST)
    if seen.count() and seen.min() >= 0 and seen.max() > WIDE * np.ma.median(seen):
        return np.ma.log10(np.ma.masked_equal(seen, 0)), "log"
    return seen, "linear"


def mark_odd(ax, w, b, values, shown):
    """Paint where the loss has no colour; return entries for the legend."""
    handles = []
    hidden = np.ma.getmaskarray(shown)
    for kind, where in (("0", (values == 0) & hidden), ("inf", np.isposinf(values)), ("-inf", np.isneginf(values)),
                        ("NaN", np.isnan(values))):
        if where.any():
            ax.pcolorfast(edges(w), edges(b), np.ma.masked_array(np.zeros(values.shape), ~where),
                          cmap=mpl.colors.ListedColormap([MARKS[kind.strip("-")]]))
            handles.append(Patch(facecolor=MARKS[kind.strip("-")], edgecolor=GREY, label=f"the loss is {kind}"))
    return handles


def draw_wall(ax, wall, w):
    """Draw the predicted wall."""
    if wall is not None:
        ax.plot(*wall_points(wall, w), "--", color=BLACK, lw=1.4, label="wall, predicted", zorder=3)


def draw_way(ax, way, window, colour, label):
    """Draw a trajectory as far as it lies in the window, and an arrow where it leaves; return all that was drawn."""
    parts, exits = pieces(way, window)
    dots = way[inside(way, window)]
    drawn = ax.plot(*parts.T, "-", color=colour, lw=1.8, zorder=4, label=label, rasterized=len(way) > 10 * MOST_DOTS)
    if len(dots) <= MOST_DOTS:
        drawn += ax.plot(*dots.T, ".", color=colour, ms=5, zorder=4)
    drawn += mark_ends(ax, way, window, colour)
    if exits:
        drawn += mark_exit(ax, way, *next(iter(exits.items())), window, colour, label)
    return drawn


def mark_ends(ax, way, window, colour, *heights):
    """Mark where a trajectory starts (hollow) and ends (full), as far as that is in the window."""
    ends = way[[0, -1]]
    here = inside(ends, window)
    return [ax.plot(*ends[k:k + 1].T, *(h[:1] if k == 0 else h[-1:] for h in heights), "o", color=colour, ms=8,
                    markeredgewidth=1.8, markerfacecolor=("white", colour)[k], zorder=5)[0]
            for k in (1, 0) if here[k]]             # the start on top: of a way of one point it is all there is


def mark_exit(ax, way, step, at, window, colour, label):
    """Put an arrow where a trajectory first leaves the window, and say how far it went."""
    size = np.array([high - low for low, high in window])
    middle = np.array([(low + high) / 2 for low, high in window])
    inward = (way[step] - at) / size
    length = math.hypot(*inward)
    inward = inward / length if length > 0 else (middle - at) / size
    tail = np.clip(at + inward * 0.09 * size, middle - 0.47 * size, middle + 0.47 * size)
    head = {"arrowstyle": "-|>,head_width=.5,head_length=.8", "shrinkA": 0, "shrinkB": 0}
    return [ax.annotate("", at, tail, arrowprops={**head, "color": colour, "lw": 2.4}, zorder=6),
            ax.annotate(f"{label} leaves,\n{farthest(way)}", tail, xytext=tail + (middle - tail) * 0.12, color=colour,
                        ha="left" if tail[0] < middle[0] else "right", va="center", fontsize=11, zorder=6,
                        weight="bold", bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 2})]


def farthest(way):
    """Say how far from its start a trajectory came."""
    away = np.hypot(*(way - way[0]).T)
    lost = np.flatnonzero(~np.isfinite(away))
    known = away[:lost[0]] if lost.size else away
    text = f"{known.max():.4g} away at most"
    return text if not lost.size else f"{text},\nnot finite from step {lost[0]} on"

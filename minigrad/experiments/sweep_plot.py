"""The picture of a sweep: a number against one setting, with a band over seeds, or against two, as a map."""

import math

import numpy as np

from minigrad import plot
from minigrad.experiments.settings import as_text, unknown
from minigrad.plot import style

MOST_NUMBERS = 12
"""A map of more rows or columns than this has no numbers written into its cells."""


def headline_of(columns, rows, axes, name=None):
    """Return the name of the number to be drawn: the one asked for, or the first that depends on what varies.

    Args:
        columns, rows: as :meth:`minigrad.experiments.sweep.Sweep.table` returns them.
        axes: the settings that vary.
        name: what was asked for.

    Raises:
        KeyError: if there is no number of this name; it says which are near, and which there are.
        ValueError: if there is none at all.
    """
    numbers = [c for c in columns if c not in axes and all(isinstance(v, (int, float)) for v in of(columns, rows, c))]
    if not numbers:
        raise ValueError("no cell has a number yet")
    if name is not None:
        if name not in numbers:
            raise KeyError(unknown("headline", name, numbers))
        return name
    varies = ([c for c in numbers if matters(columns, rows, axes, c)]
              or [c for c in numbers if len(set(map(repr, of(columns, rows, c)))) > 1])
    everywhere = [c for c in varies if not np.isnan(of(columns, rows, c)).any()]
    return (everywhere or varies or numbers)[0]


def matters(columns, rows, axes, name):
    """Return whether a number depends on the settings that vary; beside others, the seed is none of them."""
    seeds = of(columns, rows, "seed") if "seed" in axes and len(axes) > 1 else [None] * len(rows)
    found = {}
    for seed, value in zip(seeds, of(columns, rows, name)):
        found.setdefault(seed, set()).add(repr(value))
    return any(len(values) > 1 for values in found.values())


def of(columns, rows, name):
    """Return one column."""
    index = columns.index(name)
    return [row[index] for row in rows]


def figure(sweep, headline=None):
    """Draw a sweep.

    Args:
        sweep: a :class:`minigrad.experiments.sweep.Sweep`, of which some cells are finished.
        headline: name of the number to draw; default the first that depends on what varies.

    Returns:
        a Matplotlib figure: a line over the one axis beside ``seed``, with a band from the smallest to the largest
        over seeds, or a map over two.  Where all numbers are 0 or 1 the line is the share of
        ones in Wilson's interval, otherwise the median.

    Raises:
        KeyError: for an unknown headline.
        ValueError: if nothing is finished, or more than two axes vary beside ``seed``.
    """
    from matplotlib.figure import Figure

    columns, rows = sweep.table()
    name = headline_of(columns, rows, sweep.axes, headline)
    axes = [a for a in sweep.axes if a != "seed"] or ["seed"]
    if len(axes) > 2:
        raise ValueError(f"a picture has room for two settings beside seed, and {len(axes)} vary: {', '.join(axes)}")
    groups = {}
    for keys, value in zip(zip(*(of(columns, rows, a) for a in axes)), of(columns, rows, name)):
        groups.setdefault(tuple(map(repr, keys)), (keys, []))[1].append(float(value))
    labels = {(a, repr(v)): text_of(cell.texts[a], v) for cell, row in zip(finished(sweep), rows)
              for a, v in zip(sweep.axes, row)}
    with plot.styled():
        fig = Figure(figsize=(9, 5.5), layout="constrained")
        ax = fig.subplots()
        draw = line if len(axes) == 1 else heat_map
        what = draw(ax, groups, axes, name, labels)
        missing = len(sweep.cells) - len(rows)
        title = f"{sweep.experiment}: {name}{what}"
        ax.set_title(title + (f" ({missing} of {len(sweep.cells)} cells missing)" if missing else ""), parse_math=False)
    return fig


def finished(sweep):
    """Return the cells that are rows of the table."""
    return [cell for cell in sweep.cells if "headline" in sweep.record(cell)]


def text_of(text, value):
    """Return how a value is written at an axis: as it was typed where it is no number."""
    numeric = isinstance(value, (int, float)) and math.isfinite(value)
    return as_text(float(f"{value:.6g}")) if numeric and not isinstance(value, bool) else text


def over_seeds(groups):
    """Return what is drawn for the seeds of a cell: (low, middle, high) of their values, and what these are called."""
    values = np.concatenate([values for _, values in groups.values()])
    if np.isin(values, (0, 1)).all():
        return share, ("share of {} seeds", "95 % interval (Wilson 1927)")
    return extremes, ("median of {} seeds", "smallest to largest")


def share(values):
    """Return the share of ones, between the ends of Wilson's interval.

    With share p of n and z = 1.96 they are (p + z^2/2n +- z sqrt(p(1 - p)/n + z^2/4n^2)) / (1 + z^2/n), Wilson 1927.

    Example:
        >>> [round(float(v), 3) for v in share([1, 1, 1, 1, 1, 1])]
        [0.61, 1.0, 1.0]
    """
    n, p, z = len(values), float(np.mean(values)), 1.96
    centre, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + (z / (2 * n)) ** 2)
    return max(0.0, (centre - half) / (1 + z * z / n)), p, min(1.0, (centre + half) / (1 + z * z / n))


def extremes(values):
    """Return the smallest value, the median and the largest; NaN if one is."""
    with np.errstate(invalid="ignore"):
        return np.min(values), np.median(values), np.max(values)


def places(values):
    """Return where the values of an axis are drawn, in the order of the axis: a dict repr -> place, and their scale.

    Numbers stand at their logarithms where they are positive and span more than a factor of 20; inf and none stand
    one step to the right of all others.  Other values stand in a row.
    """
    values = {repr(v): v for v in values}
    if not all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values.values()):
        return {key: float(index) for index, key in enumerate(values)}, ""
    numbers = sorted(v for v in values.values() if math.isfinite(v))
    log = len(numbers) > 2 and numbers[0] > 0 and numbers[-1] / numbers[0] > 20
    found = {repr(v): math.log10(v) if log else float(v) for v in numbers}
    ends = list(found.values())
    step = (ends[-1] - ends[0]) / (len(ends) - 1) if len(ends) > 1 else 1.0
    right = ends[-1] if ends else 0.0
    for key in [key for key, v in values.items() if not math.isfinite(v)]:
        right += step
        found[key] = right
    return found, ", logarithmic" if log else ""


def tick(axis, at, texts):
    """Put ticks at these places, leaving out labels that would run into others."""
    span, width = (max(at) - min(at)) or 1.0, max(map(len, texts))
    order, kept = np.argsort(at), []
    for index in order:
        if not kept or at[index] - at[kept[-1]] >= span * min(0.5, 0.014 * (width + 1)):
            kept.append(index)
    axis.set_ticks([at[i] for i in kept], [texts[i] for i in kept], parse_math=False)
    axis.set_ticks([at[i] for i in order if i not in kept], minor=True)


def line(ax, groups, axes, name, labels):
    """Draw a number against one setting; return what else the title says."""
    at, scale = places([keys[0] for keys, _ in groups.values()])
    order = sorted(range(len(groups)), key=lambda i: at[list(groups)[i][0]])
    keys, values = [list(groups)[i][0] for i in order], [np.array(list(groups.values())[i][1]) for i in order]
    x = np.array([at[key] for key in keys])
    stands_for, words = over_seeds(groups)
    seeds = max(map(len, values))
    low, mid, high = np.array([stands_for(v) for v in values]).T
    everything = np.concatenate(values)
    good = everything[np.isfinite(everything) & (everything != 0)]
    wide = good.size > 0 and good.min() > 0 and good.max() / good.min() > 100
    lanes = (plot.Lanes if wide and not (everything < 0).any() else Plain)(everything)
    lanes.dress(ax)
    ordered = axes[0] != "seed" and all(isinstance(k[0], (int, float)) for k, _ in groups.values())
    ends = lanes.place(low), lanes.place(high)
    if seeds > 1 and ordered:
        ax.fill_between(x, *ends, color=style.SKY, alpha=0.35, lw=0, label=words[1])
    elif seeds > 1:
        ax.vlines(x, *ends, color=style.SKY, alpha=0.6, lw=8, label=words[1])
    if ordered:
        ax.plot(x, lanes.ordinary(mid), color=style.BLUE)
    ax.plot(x, lanes.place(mid), "o", color=style.BLUE, ms=7, label=words[0].format(seeds))
    if stands_for is share:
        ax.set_ylim(-0.05, 1.05)
    elif seeds > 1:
        ax.plot(np.repeat(x, [len(v) for v in values]), lanes.place(everything), ".", color=style.BLACK, ms=4, zorder=3,
                label="one seed")
    if seeds > 1:
        ax.legend(loc="best", frameon=True, framealpha=0.85, edgecolor="none")
    tick(ax.xaxis, x.tolist(), [labels[axes[0], key] for key in keys])
    ax.set_xlabel(axes[0] + scale, parse_math=False)
    ax.set_ylabel(name, parse_math=False)
    return ""


class Plain:
    """A linear axis on which inf and NaN have their places, too; used as :class:`minigrad.plot.Lanes`."""

    def __init__(self, values):
        finite = values[np.isfinite(values)]
        self.low, self.high = (finite.min(), finite.max()) if finite.size else (0.0, 1.0)
        step = 0.09 * ((self.high - self.low) or 1.0)
        there = {"-inf": np.isneginf(values), "inf": np.isposinf(values), "NaN": np.isnan(values)}
        self.edges = {"-inf": self.low - step, "inf": self.high + step, "NaN": self.high + 2 * step}
        self.edges = {name: self.edges[name] for name in there if there[name].any()}
        self.step = step

    def place(self, values):
        """Return positions on the axis."""
        values = np.array(values, dtype=float)
        for name, where in (("-inf", np.isneginf(values)), ("inf", np.isposinf(values)), ("NaN", np.isnan(values))):
            if where.any():
                values[where] = self.edges.get(name, math.nan)
        return values

    def ordinary(self, values):
        """Return the values with NaN where they have a lane, for lines that must not run through it."""
        return np.where(np.isfinite(values), values, np.nan)

    def dress(self, ax):
        """Shade and name the lanes."""
        for name, centre in self.edges.items():
            ax.axhspan(centre - self.step / 2, centre + self.step / 2, color="#f1ece4", zorder=0, lw=0)
            ax.annotate(name, (1.0, centre), xycoords=ax.get_yaxis_transform(), xytext=(4, 0), color=style.GREY,
                        textcoords="offset points", va="center", ha="left", fontsize=10, annotation_clip=False)


def heat_map(ax, groups, axes, name, labels):
    """Draw a number against two settings; return what else the title says."""
    import matplotlib as mpl

    stands_for, (word, _) = over_seeds(groups)
    seeds = max(len(values) for _, values in groups.values())
    sides = []
    for index in range(2):
        at, _ = places([keys[index] for keys, _ in groups.values()])
        sides.append(sorted(at, key=at.get))
    cells = np.full((len(sides[1]), len(sides[0])), np.nan)
    there = np.zeros(cells.shape, dtype=bool)
    for (x, y), (_, values) in groups.items():
        place = sides[1].index(y), sides[0].index(x)
        cells[place], there[place] = stands_for(values)[1], True
    good = cells[np.isfinite(cells)]
    positive = good.size > 0 and good.min() > 0 and good.max() / good.min() > 100
    low, high = (good.min(), good.max()) if good.size else (0.0, 1.0)
    norm = (mpl.colors.LogNorm if positive else mpl.colors.Normalize)(low, high if high > low else low + 1.0)
    colours = mpl.colormaps["viridis"](norm(np.where(np.isfinite(cells), cells, low)))
    for where, mark in ((~there, "missing"), (there & np.isnan(cells), "NaN"), (np.isinf(cells), "inf")):
        colours[where] = mpl.colors.to_rgba(style.MARKS[mark])
    ax.imshow(colours, origin="lower", aspect="auto", interpolation="nearest")
    ax.grid(False)
    if max(cells.shape) <= MOST_NUMBERS:
        for row, column in np.ndindex(cells.shape):
            dark = colours[row, column, :3] @ (0.299, 0.587, 0.114) < 0.5
            text = f"{cells[row, column]:.3g}".replace("nan", "NaN") if there[row, column] else "missing"
            ax.text(column, row, text, ha="center", va="center", color="white" if dark else "black",
                    fontsize=12 if cells.shape[1] <= 8 else 9)
    for axis, setting, side in zip((ax.xaxis, ax.yaxis), axes, sides):
        tick(axis, list(map(float, range(len(side)))), [labels[setting, key] for key in side])
    ax.set_xlabel(axes[0], parse_math=False)
    ax.set_ylabel(axes[1], parse_math=False)
    ax.figure.colorbar(mpl.cm.ScalarMappable(norm, "viridis"), ax=ax).set_label(name, parse_math=False)
    return ", " + word.format(seeds) if seeds > 1 else ""

"""How large the single gradients of each layer are: histograms of log10 |g|, one above the other."""

import math
from collections.abc import Mapping

import matplotlib as mpl
import numpy as np

from minigrad.plot.style import BLACK, GREY, HATCHES, MARKS, new_axes, styled

BINS = 80
LANE = 0.10
"""Width of a lane for 0, inf or NaN, as a part of the finite range."""

MOST_NAMES = 30
"""Of more layers than this not every one is named."""


def gradient_histograms(gradients, ax=None, *, by="layer", bins=BINS, title=None):
    """Draw, layer by layer, how log10 |g| of the single gradients is distributed, the first layer on top.

    Each layer is a ridge, scaled to its own peak, with a stroke at its median.  What has no logarithm is in lanes
    beside the finite range: a bar there is as high as the share of exact zeros, inf and NaN among all gradients of the
    layer (a full row is 100 %), with the share in figures.  A layer that no gradient reached says so.

    Args:
        gradients: a Module whose parameters have their ``.grad``; or a mapping name -> array (or Tensor, or None).
        ax: axes to draw on; default new ones.
        by: "layer", the parameter's name up to the last dot, so that weight and bias are together; or "parameter".
        bins: how many over the whole range.
        title: default says what was measured.

    Returns:
        the axes.

    Raises:
        ValueError: if there is nothing to draw, or for another ``by``.

    Example:
        >>> import numpy as np
        >>> from minigrad import plot
        >>> ax = plot.gradient_histograms({"0.weight": np.array([1e-3, 1e-2, 0.0]), "2.weight": np.ones(5)})
        >>> [label.get_text() for label in ax.get_yticklabels()]
        ['0', '2']
    """
    layers = by_layer(named_gradients(gradients), by)
    sizes = {name: np.abs(g) for name, g in layers.items() if g is not None}
    finite = [g[np.isfinite(g) & (g > 0)] for g in sizes.values()]
    ends = [math.log10(end) for g in finite if g.size for end in (g.min(), g.max())]
    nothing, ends = not ends, ends or [0.0]
    low, high = min(ends), max(ends)
    if high - low < 1:
        low, high = (low + high) / 2 - 0.5, (low + high) / 2 + 0.5
    edges = np.linspace(low, high, bins + 1)
    kinds = {"0": lambda g: g == 0, "inf": np.isposinf, "NaN": np.isnan}
    shares = {name: {kind: float(test(g).mean()) for kind, test in kinds.items()} for name, g in sizes.items()}
    lanes = places(low, high, [kind for kind in kinds if any(s[kind] for s in shares.values())])
    names = list(layers)
    ax = new_axes(ax, (8, float(np.clip(1.6 + 0.5 * len(names), 3, 10))))
    with styled():
        for left, right in lanes.values():
            ax.axvspan(left, right, color="#f1ece4", lw=0, zorder=0)
        for row, name in enumerate(names):
            if layers[name] is None:
                ax.text((low + high) / 2, row - 0.35, "no gradient", color=GREY, ha="center", va="center",
                        fontsize=10)
                continue
            colour = mpl.colormaps["viridis"](0.9 * row / max(1, len(names) - 1))
            ridge(ax, sizes[name], edges, row, colour)
            for kind, (left, right) in lanes.items():
                if shares[name][kind]:
                    lane_bar(ax, shares[name][kind], kind, row, left, right, len(names))
        name_rows(ax, names)
        name_columns(ax, low, high, lanes, powers=not nothing)
        if nothing:
            ax.text((low + high) / 2, 0.5 * len(names) - 0.85, "no gradient is\nfinite and > 0", color=GREY,
                    ha="center", va="center", fontsize=10)
        ax.set(ylim=(len(names) - 0.85, -1.1), xlabel="|gradient|",
               title=title or f"Sizes of the single gradients, per {by}")
    return ax


def ridge(ax, sizes, edges, row, colour):
    """Draw the histogram of one layer, its feet on its row."""
    ordinary = sizes[np.isfinite(sizes) & (sizes > 0)]
    ax.axhline(row, color=GREY, lw=0.6, zorder=2)
    if not ordinary.size:
        return
    logs = np.clip(np.log10(ordinary), edges[0], edges[-1])
    counts = np.histogram(logs, edges)[0]
    ax.stairs(row - 0.85 * counts / counts.max(), edges, baseline=row, fill=True, color=colour, alpha=0.8, zorder=3)
    ax.plot([np.median(logs)] * 2, [row, row - 0.85], color=BLACK, lw=1.4, zorder=4)


def lane_bar(ax, share, kind, row, left, right, rows):
    """Draw a share as a bar in a lane, and write it beside."""
    ax.bar((left + right) / 2, -0.85 * share, 0.8 * (right - left), bottom=row, facecolor=MARKS[kind],
           hatch=HATCHES[kind], edgecolor=BLACK, lw=0.6, zorder=3)
    if rows <= MOST_NAMES:
        ax.text((left + right) / 2, row - 0.42, percent(share), ha="center", va="center", fontsize=9, zorder=5,
                bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1})


def percent(share):
    """Return a share in figures, never rounded to none or all."""
    if share == 1 or 0.095 <= share <= 0.99:
        return f"{share:.0%}"
    return f">{99 if share < 0.9995 else 99.9}%" if share > 0.5 else f"{100 * share:.1g}%"


def places(low, high, kinds):
    """Return where the lanes are: zeros at the left, inf and NaN at the right."""
    width, gap = LANE * (high - low), 0.02 * (high - low)
    lanes, right = {}, high + gap
    for kind in kinds:
        if kind == "0":
            lanes[kind] = (low - gap - width, low - gap)
        else:
            lanes[kind] = (right, right + width)
            right += width + gap
    return lanes


def name_columns(ax, low, high, lanes, powers):
    """Write powers of ten below the finite range, if they are wanted, and their names below the lanes."""
    stride = max(1, math.ceil((high - low) / 8))
    values = [10.0 ** e for e in range(max(-307, math.floor(low)), math.floor(high) + 1) if e % stride == 0]
    if high - low < 2:
        values = [digit * value for value in values for digit in (1, 2, 5)]
    marks = [(math.log10(v), f"{v:g}" if high - low < 2 else f"$10^{{{math.log10(v):.0f}}}$") for v in values
             if powers and low <= math.log10(v) <= high]
    marks += [((left + right) / 2, kind) for kind, (left, right) in lanes.items()]
    ax.set_xticks(*zip(*marks))
    ends = [low, high, *(edge for pair in lanes.values() for edge in pair)]
    margin = 0.02 * (high - low)
    ax.set_xlim(min(ends) - margin, max(ends) + margin)


def name_rows(ax, names):
    """Write names beside rows, all or every k-th."""
    stride = math.ceil(len(names) / MOST_NAMES)
    rows = range(0, len(names), stride)
    ax.set_yticks(rows, [names[k] for k in rows], fontsize=10)
    ax.grid(False, axis="y")
    if stride > 1:
        ax.set_ylabel(f"{len(names)} layers, one in {stride} named")


def named_gradients(gradients):
    """Return name -> array or None, of a Module or a mapping."""
    if hasattr(gradients, "named_parameters"):
        found = {name: p.grad for name, p in gradients.named_parameters()}
    elif isinstance(gradients, Mapping):
        found = {str(name): g for name, g in gradients.items()}
    else:
        raise ValueError(f"gradient_histograms takes a Module or a mapping name -> array, not "
                         f"{type(gradients).__name__}")
    if not found:
        raise ValueError("gradient_histograms has nothing to draw: there are no parameters")
    if all(g is None for g in found.values()):
        raise ValueError(f"none of the {len(found)} parameters has a gradient: call loss.backward() first, and draw "
                         f"before zero_grad()")
    return {name: None if g is None else np.asarray(g.data if hasattr(g, "requires_grad") else g)
            for name, g in found.items()}


def by_layer(gradients, by):
    """Return the gradients of each layer as one vector of floats, or None where there is none."""
    if by not in ("layer", "parameter"):
        raise ValueError(f"by = {by!r}: 'layer' or 'parameter'")
    groups = {}
    for name, g in gradients.items():
        groups.setdefault(name.rpartition(".")[0] or name if by == "layer" else name, []).append(g)
    flat = {name: [np.ravel(g).astype(float) for g in group if g is not None and np.size(g)]
            for name, group in groups.items()}
    return {name: np.concatenate(group) if group else None for name, group in flat.items()}

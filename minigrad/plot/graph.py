"""The computation graph, each node in the colour of its gradient's norm; laid out without graphviz."""

import math

import matplotlib as mpl
import numpy as np
from matplotlib.patches import FancyBboxPatch, Patch, PathPatch, Rectangle
from matplotlib.path import Path
from matplotlib.transforms import ScaledTranslation

from minigrad.plot.boxes import boxes_of
from minigrad.plot.layout import Layout
from minigrad.plot.style import BLACK, GREY, HATCHES, MARKS, styled
from minigrad.plot.time import add_colorbar, finite_limits

LETTERS, LINES = 7.0, 3.6
"""Room around a column, in letters, and for a row, in lines of text."""

WIDE = 0.62
"""Width of a letter, in font sizes."""

LARGEST, SMALLEST, WIDEST = 10.0, 5.0, 20.0
"""Font sizes in points, and the width in inches at which a new figure begins to take a smaller font."""

ABOVE = 40
"""Of a graph of more boxes, what repeats itself is folded."""


def graph(loss, ax=None, *, names=None, gradient=None, fold=None, limit=200, limits=None, data=True, title=None,
          colorbar=True):
    """Draw the computation graph of a loss, from left to right, each node coloured by log10 ||dL/dnode||.

    A box says what made the node, its shape (or value), and the norm of its gradient.  Leaves, such as parameters,
    have square corners and a thick edge; arrays that no gradient was asked for are dashed; a named tensor that the loss
    does not depend on stands at the left, marked "not on the way".  Norms of 0, inf and NaN have their own marks.

    The norms are measured by one backward sweep, in which tensor hooks run as in any other.  It leaves every ``.grad``
    and the graph as they are; the picture keeps nothing of them alive.

    Args:
        loss: a Tensor whose graph has not been freed: draw before ``backward()``, or after
            ``backward(retain_graph=True)``.
        ax: axes to draw on; default a new figure as large as the graph needs.
        names: a Module, for the names of its parameters; or a mapping name -> tensor, for anything on the way, or ->
            array, for data that hold the same.
        gradient: cotangent to start from, if ``loss`` has more than one element.
        fold: whether stretches that repeat themselves at least four times (equal layers, time steps) are drawn as their
            first and last repetition and one box for all others, with a stripe for each (or for 60 of them); default
            for graphs of more than 40 boxes.
        limit: the largest number of boxes to draw.
        limits: (smallest, largest) norm of the colour scale, to share it; default those of the graph.
        data: whether to show arrays that no gradient was asked for.
        title: default says what is shown.
        colorbar: whether to draw one.

    Returns:
        the axes.

    Raises:
        RuntimeError: if ``loss`` has no graph, or it has been freed, or it has more than one element.
        TypeError: if ``loss`` is no Tensor, or ``names`` holds something else than tensors and arrays.
        ValueError: if there are more boxes than ``limit``, even folded.

    Example:
        >>> import minigrad as mg
        >>> a, b, c = (mg.tensor(v, requires_grad=True) for v in (2.0, -3.0, 6.5))
        >>> ax = mg.plot.graph((a * b + c).tanh(), names={"a": a, "b": b, "c": c})
        >>> print(ax.texts[0].get_text())
        a
        = 2
        2.36
    """
    boxes = boxes_of(loss, names, gradient, fold, ABOVE, data, limit)
    layout = Layout([box.parents for box in boxes], [k for k, box in enumerate(boxes) if box.kind == "fold"])
    lines = [[line for line in (box.title, box.detail, norm_text(box)) if line] for box in boxes]
    left, right = column_edges(layout, lines)
    size = right[-1] + 0.5, layout.rows
    ax, font, view = axes_for(ax, size, colorbar)
    norms = np.array([math.nan if n is None else n for box in boxes for n in box.norms])
    low, high = limits or finite_limits(norms)
    scale = mpl.cm.ScalarMappable(mpl.colors.Normalize(math.log10(low), math.log10(high)), "viridis")
    with styled():
        draw_edges(ax, boxes, layout, left, right, font)
        for k, (box, text) in enumerate(zip(boxes, lines)):
            c = layout.column[k]
            draw_box(ax, box, text, (left[c], right[c]), layout.height[k], scale, font)
        beside, above = (max(0.0, has - needs) / 2 for has, needs in zip(view, size))
        ax.set(xlim=(-0.5 - beside, size[0] + beside), ylim=(size[1] - 0.5 + above, -0.55 - above))
        ax.set_axis_off()
        ax.set_title(title or f"Gradient norm at each node of the graph ({count_of(boxes)})")
        if colorbar:
            add_colorbar(scale, ax, "||dL/dnode||")
        explain(ax, boxes)
    return ax


def count_of(boxes):
    """Say how many nodes are shown."""
    shown = sum(box.kind in ("op", "leaf") for box in boxes)
    text = f"{shown} node" if shown == 1 else f"{shown} nodes"
    return f"{text}, repetitions folded" if any(box.kind == "fold" for box in boxes) else text


# -------------------------------------------------------------------------------------- places

def column_edges(layout, lines):
    """Return the left and right edge of the boxes in each column, in letters."""
    widths = np.zeros(max(layout.column) + 1)
    for c, text in zip(layout.column, lines):
        widths[c] = max(widths[c], *(len(line) + 1.5 for line in text), 6.0)
    left = np.cumsum(np.r_[0, widths[:-1] + LETTERS - 2.0])
    return left, left + widths


def axes_for(ax, size, colorbar):
    """Return the axes (new ones in a figure of the graph's size if none are given), a font size, what they hold of it.

    What they hold is so many letters in a row, and so many rows.
    """
    per_letter, per_row = WIDE / 72, LINES * 1.25 / 72      # inches for each point of the font size
    if ax is None:
        import matplotlib.pyplot as plt

        font = max(SMALLEST, min(LARGEST, WIDEST / (per_letter * size[0])))
        beside, above = 0.3 + 1.1 * colorbar, 1.0
        inches = max(6.0 - beside, per_letter * font * (size[0] + 0.5)), max(1.8, per_row * font * size[1])
        with styled():
            ax = plt.subplots(figsize=(inches[0] + beside, inches[1] + above), layout="constrained")[1]
    else:
        box, figure = ax.get_position(), ax.figure
        inches = figure.get_figwidth() * box.width, figure.get_figheight() * box.height
        font = min(LARGEST, inches[0] / (per_letter * (size[0] + 0.5)), inches[1] / (per_row * (size[1] + 0.05)))
    return ax, font, (inches[0] / (per_letter * font) - 0.5, inches[1] / (per_row * font))


# ------------------------------------------------------------------------------------- drawing

def norm_text(box):
    """Return the norm as it is written in a box."""
    if box.kind == "data":
        return ""
    if box.kind == "unused":
        return "not on the way"
    texts = ["no gradient" if n is None else "NaN" if math.isnan(n) else f"{n:.3g}" for n in box.norms]
    return texts[0] if texts[0] == texts[-1] else f"{texts[0]} \N{HORIZONTAL ELLIPSIS} {texts[-1]}"


def look_of(norm, scale):
    """Return the colour and pattern of a norm."""
    kind = ("missing" if norm is None else "NaN" if math.isnan(norm) else "inf" if math.isinf(norm) else
            "0" if norm == 0 else None)
    if kind is not None:
        return MARKS[kind], HATCHES[kind]
    return scale.to_rgba(math.log10(norm)), ""


def draw_box(ax, box, text, sides, y, scale, font):
    """Draw a box and what is written in it."""
    left, right = sides
    outside = box.kind in ("data", "unused")
    colour, hatch = ("white", "") if box.kind == "data" else look_of(None if outside else box.norms[-1], scale)
    style = "square,pad=0" if box.kind in ("leaf", "data", "unused") else "round,pad=0,rounding_size=0.14"
    shape = FancyBboxPatch((left, y - 0.4), right - left, 0.8, boxstyle=style, mutation_aspect=1.0, facecolor=colour,
                           hatch=hatch or None, edgecolor=GREY if outside else BLACK, zorder=3,
                           linestyle="--" if outside else "-", lw=1.8 if box.kind == "leaf" else 0.9)
    ax.add_patch(shape)
    if box.kind == "fold":
        shape.set(facecolor="white", hatch=None)
        stripes(ax, box, left, right, y + 0.4, scale)
    back = {"facecolor": "white", "alpha": 0.85, "edgecolor": "none", "pad": 0.6} if hatch else None
    dark = luminance(shape.get_facecolor()[:3]) < 0.45
    ax.text((left + right) / 2, y, "\n".join(text), ha="center", va="center", fontsize=font, zorder=5, bbox=back,
            linespacing=1.15, color="white" if dark and not hatch else BLACK)


def stripes(ax, box, left, right, top, scale):
    """Draw below the box of a fold a stripe for each repetition, the first at the left."""
    edges = np.linspace(left, right, len(box.norms) + 1)
    for k, norm in enumerate(box.norms):
        colour, hatch = look_of(norm, scale)
        ax.add_patch(Rectangle((edges[k], top), edges[k + 1] - edges[k], 0.2, facecolor=colour, hatch=hatch or None,
                               edgecolor=BLACK if hatch else "none", lw=0, zorder=3))
    ax.add_patch(Rectangle((left, top), right - left, 0.2, facecolor="none", edgecolor=BLACK, lw=0.9, zorder=3.1))


def luminance(colour):
    """Return how bright a colour is, 0 to 1."""
    return float(np.dot(mpl.colors.to_rgb(colour), (0.2126, 0.7152, 0.0722)))


def draw_edges(ax, boxes, layout, left, right, font):
    """Draw the edges as curves, through their waypoints, with a head at each box; edges of one box share their ways."""
    drawn = set()
    for k, box in enumerate(boxes):
        for p in dict.fromkeys(box.parents):
            first, last = layout.column[p], layout.column[k]
            ys = [layout.height[p], *layout.routes[p, k], layout.height[k]]
            verts, codes = [(right[first], ys[0])], [Path.MOVETO]
            for c, y in zip(range(first + 1, last + 1), ys[1:]):
                (x0, y0), x1 = verts[-1], left[c] if c < last else left[c] - 0.9
                middle = (x0 + x1) / 2
                verts += [(middle, y0), (middle, y), (x1, y)]
                codes += [Path.CURVE4] * 3
                if c < last:
                    verts.append((right[c], y))
                    codes.append(Path.LINETO)
            ax.add_patch(PathPatch(Path(verts, codes), fill=False, edgecolor=GREY, lw=1.1, zorder=1))
            tip = (left[last], layout.height[k])
            if tip not in drawn:
                drawn.add(tip)
                ax.add_patch(mpl.patches.Polygon([tip, (tip[0] - 1.1, tip[1] - 0.07), (tip[0] - 1.1, tip[1] + 0.07)],
                                                 facecolor=GREY, lw=0, zorder=2))
            times = box.parents.count(p)
            if times > 1 and boxes[p].kind != "fold":
                ax.text(tip[0] - 1.3, tip[1] - 0.05, f"\N{MULTIPLICATION SIGN}{times}", fontsize=0.9 * font, color=GREY,
                        ha="right", va="bottom", zorder=2)


def explain(ax, boxes):
    """Say below the axes what the marks mean that occur."""
    norms = [n for box in boxes for n in box.norms]
    kinds = {"0": any(n == 0 for n in norms), "inf": any(n is not None and math.isinf(n) for n in norms),
             "NaN": any(n is not None and math.isnan(n) for n in norms),
             "missing": None in norms or any(box.kind == "unused" for box in boxes)}
    text = {"missing": "no gradient arrives", "0": "exactly 0"}
    patches = [Patch(facecolor="white", edgecolor=BLACK, lw=1.8, label="leaf")]
    if any(box.kind == "data" for box in boxes):
        patches.append(Patch(facecolor="white", edgecolor=GREY, linestyle="--", label="needs no gradient"))
    patches += [Patch(facecolor=MARKS[kind], edgecolor=GREY, hatch=HATCHES[kind], label=text.get(kind, kind))
                for kind, there in kinds.items() if there]
    below = ax.transAxes + ScaledTranslation(0, -4 / 72, ax.figure.dpi_scale_trans)
    ax.legend(handles=patches, loc="upper right", bbox_to_anchor=(1.0, 0.0), bbox_transform=below,
              ncols=len(patches), borderaxespad=0, handlelength=1.6, columnspacing=1.2)

"""The look of every figure: colours that colour-blind readers can tell apart, large text, reproducible bytes."""

from pathlib import Path

import matplotlib as mpl

from minigrad.files import whole

# Okabe and Ito's palette
BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, VERMILLION, PURPLE = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
GREY = "#777777"

BEFORE, AFTER, THRESHOLD = VERMILLION, BLUE, BLACK
"""Always the same colours for what comes before a clip, what comes after it, and its threshold."""

RC = {
    "font.size": 12, "axes.titlesize": 13, "axes.labelsize": 12, "legend.fontsize": 10.5,
    "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.color": "#e4e4e4",
    "grid.linewidth": 0.7, "axes.axisbelow": True, "lines.linewidth": 1.4, "figure.dpi": 110,
    "savefig.dpi": 130, "svg.hashsalt": "minigrad", "svg.fonttype": "path", "legend.frameon": False,
    "axes.prop_cycle": mpl.cycler(color=[BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, BLACK]),
    "image.cmap": "viridis",
}


def styled():
    """Return a context manager under which figures are drawn in minigrad's style."""
    return mpl.rc_context(RC)


def new_axes(ax, figsize=(8, 4)):
    """Return ``ax``, or the axes of a new pyplot figure if it is None."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    with styled():
        return plt.subplots(figsize=figsize, layout="constrained")[1]


def save(figure, path):
    """Save a figure (PNG, SVG or PDF by its ending); the file appears whole, and the same figure gives the same bytes.

    Raises:
        ValueError: for another ending.
    """
    path = Path(path)
    kind = path.suffix.lower().lstrip(".")
    metadata = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
    if kind not in metadata:
        raise ValueError(f"{path}: a figure is saved as .png, .svg or .pdf, not as {path.suffix or 'a bare name'}")
    with styled(), whole(path, "wb") as file:
        figure.savefig(file, format=kind, metadata=metadata[kind])

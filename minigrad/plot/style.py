"""The look of every figure: colours that colour-blind readers can tell apart, large text, reproducible bytes."""

from contextlib import contextmanager
from pathlib import Path

import matplotlib as mpl

from minigrad.files import whole

# Okabe and Ito's palette
BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, VERMILLION, PURPLE = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
GREY = "#777777"

BEFORE, AFTER, THRESHOLD = VERMILLION, BLUE, BLACK
"""Always the same colours for what comes before a clip, what comes after it, and its threshold."""

MARKS = {"missing": "#bdbdbd", "0": "#ffffff", "inf": ORANGE, "NaN": PURPLE}
"""Colours, in maps, for what has no place on a logarithmic scale; none of them is a colour of viridis."""

HATCHES = {"missing": "", "0": "....", "inf": "////", "NaN": "xxxx"}
"""And patterns, for those who cannot tell these colours apart."""

RC = {
    "font.size": 12, "axes.titlesize": 13, "axes.labelsize": 12, "legend.fontsize": 10.5,
    "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.color": "#e4e4e4",
    "grid.linewidth": 0.7, "axes.axisbelow": True, "lines.linewidth": 1.4, "figure.dpi": 110,
    "savefig.dpi": 130, "svg.hashsalt": "minigrad", "svg.fonttype": "path", "legend.frameon": False,
    "axes.prop_cycle": mpl.cycler(color=[BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, BLACK]),
    "image.cmap": "viridis",
}


@contextmanager
def styled():
    """Return a context manager under which figures are drawn in minigrad's style.

    Whether figures show themselves is left as it is at the end: the first figure of a notebook loads its backend, which
    turns that on, and were it turned off again, no figure after it would be seen without ``plt.show()``.
    """
    interactive = mpl.is_interactive()
    try:
        with mpl.rc_context(RC):
            try:
                yield
            finally:
                interactive = mpl.is_interactive()
    finally:
        mpl.interactive(interactive)


def new_axes(ax, figsize=(8, 4)):
    """Return ``ax``, or the axes of a new pyplot figure if it is None."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    with styled():
        return plt.subplots(figsize=figsize, layout="constrained")[1]


def save(figure, path):
    """Save a figure or an animation; the file appears whole, and the same picture gives the same bytes.

    Args:
        figure: a Matplotlib figure, or what :func:`minigrad.plot.animation` returns.
        path: its ending says as what: .png, .svg or .pdf for a figure, .gif or .html (a player) for an animation.

    Raises:
        ValueError: for another ending.
    """
    path = Path(path)
    kind = path.suffix.lower()
    moving = hasattr(figure, "to_jshtml")
    metadata = {".png": {"Software": "minigrad"}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
    if kind not in ((".gif", ".html") if moving else metadata):
        what, kinds = ("an animation", ".gif or .html") if moving else ("a figure", ".png, .svg or .pdf")
        raise ValueError(f"{path}: {what} is saved as {kinds}, not as {path.suffix or 'a bare name'}")
    with styled(), whole(path, "wb") as file:
        if moving:
            file.write(figure.as_bytes(kind))
        else:
            figure.savefig(file, format=kind[1:], metadata=metadata[kind])

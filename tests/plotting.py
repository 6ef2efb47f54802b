"""What the tests of pictures share: a trace to draw, and what is on the axes."""

import math

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex

import minigrad as mg
from minigrad import hooks, optim

inf, nan = math.inf, math.nan
ORDINARY, EXTREME, LANES = [0.3, 5.0, 0.9, 20.0], [1e-320, 1e308, 1e-200, 1.0], [0.0, inf, nan, 2.0]
MAP = np.array([[1.0, 10.0, 1e-3], [1e-200, 1e5, 3.0]])


def traced(norms, *, clip=1.0, finite="propagate"):
    """The trace of one weight of two elements whose gradients have these norms."""
    w = mg.tensor([1.0, 1.0], requires_grad=True)
    trace = mg.NormTrace()
    pipeline = [hooks.NonFinite(finite), *([] if clip is None else [hooks.ClipNorm(clip)])]
    opt = optim.SGD([w], lr=1e-300, hooks=pipeline, trace=trace)
    with np.errstate(all="ignore"):
        for norm in norms:
            w.grad = [norm, 0.0]
            opt.step()
    return trace


def lines(ax):
    """The labelled lines of some axes: label -> (x, y)."""
    return {line.get_label(): tuple(np.asarray(d, float) for d in line.get_data()) for line in ax.lines
            if not line.get_label().startswith("_")}


def shown(ax, colour):
    """The x of every finite point drawn in a colour, be it on a line or in a lane."""
    return {float(x) for line in ax.lines if to_hex(line.get_color()) == to_hex(colour)
            for x, y in zip(*line.get_data()) if np.isfinite(y)}


def legend(ax):
    """The texts of the legend."""
    return [text.get_text() for text in ax.get_legend().get_texts()]


def inside(ax):
    """Whether every point that has been drawn lies inside the axes."""
    low, high = ax.get_ylim()
    return all(low <= y <= high for line in ax.lines for y in np.asarray(line.get_ydata(), float) if np.isfinite(y))


def draw(ax):
    """Draw for good, so that what only fails then fails."""
    FigureCanvasAgg(ax.figure).draw()


def recorded(*norms, **columns):
    """The trace of training elsewhere: norms, and whatever other columns."""
    return mg.NormTrace.from_columns({"norm_in": np.asarray(norms, dtype=float), **columns})

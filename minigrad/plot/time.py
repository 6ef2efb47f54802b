"""The gradient through time: ||dL/dh_t|| over (time, update) as a heat map."""

import sys

import matplotlib as mpl
import numpy as np

from minigrad.plot.style import ORANGE, PURPLE, new_axes, styled

ZERO, INFINITE, MISSING = "#ffffff", ORANGE, PURPLE
"""Colours for what has no place on a logarithmic scale: exactly 0, inf, and NaN."""


def time_map(values, ax=None, *, limits=None, title=None, colorbar=True):
    """Draw ||dL/dh_t|| as a heat map, update to the right, time upwards, colour the logarithm of the norm.

    Exact zeros are white, inf is orange and NaN purple; the colour bar spans all finite values.

    Args:
        values: array (updates, T) of norms.
        ax: axes to draw on; default new ones.
        limits: (smallest, largest) norm of the colour scale, to share it; default those of ``values``.
        title: default says what is shown.
        colorbar: whether to draw one.

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
    bottom, top = np.log10(low), np.log10(high)
    with np.errstate(divide="ignore"):
        logs = np.clip(np.log10(values), bottom, top)       # shared limits may leave some out: to the nearest colour
    logs[values == 0], logs[np.isposinf(values)] = bottom - 1, top + 1       # infinities themselves would be masked
    with styled():
        cmap = mpl.colormaps["viridis"].with_extremes(under=ZERO, over=INFINITE, bad=MISSING)
        image = ax.imshow(logs.T, origin="lower", aspect="auto", interpolation="nearest", cmap=cmap,
                          extent=(-0.5, len(values) - 0.5, -0.5, values.shape[1] - 0.5),
                          vmin=bottom, vmax=top)
        ax.grid(False)
        ax.set(xlabel="update", ylabel="time step t (0 is the first)",
               title=title or "Gradient of the hidden state, ||dL/dh_t||")
        if colorbar:
            add_colorbar(image, ax)
    return image


def add_colorbar(image, axes, label="||dL/dh_t||"):
    """Draw the colour bar of a heat map beside one or several axes, ticks as powers of ten."""
    bar = image.axes.figure.colorbar(image, ax=axes, pad=0.02)
    bar.set_label(label)
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

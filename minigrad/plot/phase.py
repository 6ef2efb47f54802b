"""The phase diagram of a wide net at its start: for which weights and biases the gradient vanishes or explodes."""

import contextlib
import math

import matplotlib as mpl
import numpy as np

from minigrad import theory
from minigrad.plot.style import BLACK, BLUE, VERMILLION, new_axes, styled

DEEPEST = 300.0
"""A trainable depth beyond is drawn as this one; on the critical line it is infinite."""

TITLES = {"chi": "Where gradients vanish or explode: deep {} nets", "xi": "How deep a {} net can be trained"}


def phase(activation="tanh", ax=None, *, sigma_w2=(0.25, 4.0), sigma_b2=(0.0, 0.5), colour="chi", points=41,
          title=None, colorbar=True):
    """Draw the phase diagram of a plain net, sigma_w^2 over sigma_b^2, with the critical line where chi_1 = 1.

    Below the line gradients vanish with depth (blue), above it they explode (vermillion).

    Args:
        activation: a name, or a pair of functions (phi, slope); see :func:`minigrad.theory.activation`.
        ax: axes to draw on; default new ones.
        sigma_w2, sigma_b2: ranges (lowest, highest) of the variances of weights and biases.
        colour: "chi" for ln chi_1, the rate of ||delta||^2 per layer; "xi" for the depth that can be trained, 6 xi_c.
        points: of the grid along each axis; the theory is asked points^2 times.
        title: default says what is shown.
        colorbar: whether to draw one.

    Returns:
        the axes.

    Raises:
        ValueError: for an unknown activation or colour, a range that is empty or negative, fewer than two points.

    Example:
        >>> ax = phase("tanh", points=5)
        >>> ax.get_xlabel(), ax.get_ylabel()
        ('variance of the biases, $\\\\sigma_b^2$', 'variance of the weights, $\\\\sigma_w^2$')
    """
    act = theory.activation(activation)
    if colour not in TITLES:
        raise ValueError(f"colour = {colour!r}: choose one of {', '.join(TITLES)}")
    if not isinstance(points, int) or points < 2:
        raise ValueError(f"points = {points!r}: a whole number of at least 2")
    weights, biases = grid(sigma_w2, "sigma_w2", points), grid(sigma_b2, "sigma_b2", points)
    values = np.array([[value_at(act, w, b, colour) for b in biases.tolist()] for w in weights.tolist()])
    ax = new_axes(ax, figsize=(7, 4.6))
    with styled():
        cmap, norm, label = colours_of(colour, values)
        half = 0.5 * (biases[1] - biases[0]), 0.5 * (weights[1] - weights[0])
        extent = biases[0] - half[0], biases[-1] + half[0], weights[0] - half[1], weights[-1] + half[1]
        image = ax.imshow(np.clip(values, norm.vmin, norm.vmax), origin="lower", aspect="auto", cmap=cmap, norm=norm,
                          interpolation="bilinear", extent=extent)
        along = biases[0] + (biases[-1] - biases[0]) * np.linspace(0, 1, 61) ** 2           # it is steep near 0
        line = critical(act, along)
        if line is not None:
            ax.plot(along, line, "--", color=BLACK, lw=1.8, label=r"critical line, $\chi_1 = 1$")
            ax.legend(loc="upper right", frameon=True, framealpha=0.85, edgecolor="none")
        ax.grid(False)
        ax.set(xlim=(biases[0], biases[-1]), ylim=(weights[0], weights[-1]),
               xlabel=r"variance of the biases, $\sigma_b^2$", ylabel=r"variance of the weights, $\sigma_w^2$",
               title=title or TITLES[colour].format(act.name))
        name_sides(ax, along, line)
        if colorbar:
            beyond = "max" if values.max() > norm.vmax else "neither"
            bar = ax.figure.colorbar(image, ax=ax, pad=0.02, extend=beyond)
            bar.set_label(label)
            if colour == "chi":
                bar.ax.yaxis.set_major_locator(mpl.ticker.FixedLocator(ticks_of(norm)))
                bar.ax.yaxis.set_major_formatter(mpl.ticker.FuncFormatter(lambda v, _: f"{v:.2g}"))
            bar.ax.yaxis.set_minor_locator(mpl.ticker.NullLocator())
    return ax


def grid(limits, name, points):
    """Return evenly spaced values between two variances."""
    try:
        low, high = (float(v) for v in limits)
    except (TypeError, ValueError):
        raise ValueError(f"{name} = {limits!r}: a range is wanted, (lowest, highest)") from None
    if not 0 <= low < high < math.inf:
        raise ValueError(f"{name} = {limits!r}: 0 <= lowest < highest, both finite")
    return np.linspace(low, high, points)


def value_at(act, sigma_w2, sigma_b2, colour):
    """Return what is shown in colour at one point."""
    if colour == "xi":
        return theory.mean_field(act, sigma_w2, sigma_b2).trainable_depth
    chi = theory.chi_1(act, sigma_w2, sigma_b2)
    return math.log(chi) if chi else -math.inf


def colours_of(colour, values):
    """Return colour map, norm and label."""
    finite = values[np.isfinite(values)]
    if colour == "xi":
        low = max(0.1, float(finite.min())) if finite.size else 1.0
        high = min(DEEPEST, float(values.max()))
        return "viridis", mpl.colors.LogNorm(low, max(high, 2 * low)), r"depth that can be trained, $6\,\xi_c$ (layers)"
    map_ = mpl.colors.LinearSegmentedColormap.from_list("phase", [BLUE, "#ffffff", VERMILLION])
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (-1.0, 1.0)
    return map_, mpl.colors.TwoSlopeNorm(0.0, min(low, -0.01), max(high, 0.01)), r"$\ln\,\chi_1$, growth per layer"


def ticks_of(norm):
    """Return ticks on both sides of 0, as the two sides have scales of their own."""
    return [norm.vmin, 0.5 * norm.vmin, 0.0, 0.5 * norm.vmax, norm.vmax]


def critical(act, biases):
    """Return the critical line, NaN where the activation has none; None if it has none at all."""
    line = np.full(len(biases), math.nan)
    for k, b in enumerate(biases.tolist()):
        with contextlib.suppress(ValueError):
            line[k] = theory.critical_line(act, b)
    return None if np.isnan(line).all() else line


def name_sides(ax, along, line):
    """Write on each side of the line what gradients do there, if there is room."""
    if line is None:
        return
    low, high = ax.get_ylim()
    middle = 0.5 * (along[0] + along[-1])
    at = float(np.clip(np.interp(middle, along, line), low, high))
    box = {"boxstyle": "round,pad=0.25", "facecolor": "#ffffff", "alpha": 0.8, "edgecolor": "none"}
    for text, edge in (("gradients explode", high), ("gradients vanish", low)):
        if abs(edge - at) > 0.2 * (high - low):
            ax.text(middle, 0.5 * (at + edge), text, ha="center", va="center", color=BLACK, fontsize=12, bbox=box)

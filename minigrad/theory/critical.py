"""The edge between vanishing and exploding: where chi_1 = 1."""

import math

import numpy as np

from minigrad.theory.activations import Homogeneous
from minigrad.theory.activations import activation as find
from minigrad.theory.arguments import variance
from minigrad.theory.lengths import NOISE, chi_of, settle, solve

GRID = np.concatenate([np.logspace(-12, -3, 19), np.logspace(-3, 3, 90)[1:], np.logspace(3, 12, 19)[1:]])
"""The lengths between which a critical one is looked for."""


def critical_line(activation, sigma_b2=0.0):
    """Return the sigma_w2 at which chi_1 = 1, for biases of variance sigma_b2.

    At a length q the weights that make chi = 1 are sigma_w2 = 1 / E phi'^2, and the biases that make q a fixed point
    then sigma_b2 = q - E phi^2 / E phi'^2; that is solved for q.

    Args:
        activation: a name, or a pair of functions (phi, slope); see :func:`minigrad.theory.activation`.
        sigma_b2: variance of the biases; a number or an array.

    Returns:
        a float, or an array of sigma_b2's shape.

    Raises:
        ValueError: for a negative variance, an unknown activation, or one without such a sigma_w2.

    Example:
        >>> round(critical_line("tanh", 0.05), 4), critical_line("relu", 0.05)
        (1.761, 2.0)
    """
    act = find(activation)
    if np.ndim(sigma_b2) == 0:
        return edge(act, variance(sigma_b2, "sigma_b2"))
    sigma_b2 = np.asarray(sigma_b2, dtype=float)
    return np.array([edge(act, variance(one, "sigma_b2")) for one in sigma_b2.ravel()]).reshape(sigma_b2.shape)


def edge(act, sigma_b2):
    """Return the critical sigma_w2 at one sigma_b2."""
    if isinstance(act, Homogeneous):
        return 1 / act.half
    if sigma_b2 == 0 and act.square(0.0) == 0 and act.slope_square(0.0) > 0:
        critical = 1 / act.slope_square(0.0)
        if settle(act, critical, 0.0, 1.0) == 0:
            return critical

    def excess(q):
        slope = act.slope_square(q)
        found = q - sigma_b2 - act.square(q) / slope if slope > 0 else -math.inf
        return found if abs(found) > NOISE * q else 0.0

    last = None
    for q in GRID.tolist():
        if 8 * math.sqrt(q) > act.reach:
            break
        value = excess(q)
        if value == 0:
            continue
        if last is not None and (value > 0) != (last[1] > 0):
            q_edge = solve(excess, lambda x: (excess(x * (1 + 1e-6)) - excess(x)) / (x * 1e-6), last[0], q)
            critical = 1 / act.slope_square(q_edge)
            if abs(chi_of(act, settle(act, critical, sigma_b2, 1.0), critical) - 1) < 1e-6:
                return critical
        last = q, value
    raise ValueError(f"{act.name} has no critical sigma_w2 at sigma_b2 = {sigma_b2:g}: chi_1 is not 1 at any fixed "
                     f"point between 1e-12 and 1e12")

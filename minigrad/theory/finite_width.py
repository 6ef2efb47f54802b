"""What a finite width adds: one net's gradient differs from the next one's, and singular values spread."""

import math
from typing import NamedTuple

import numpy as np

from minigrad.theory.activations import Homogeneous
from minigrad.theory.activations import activation as find
from minigrad.theory.arguments import count, length, variance
from minigrad.theory.spectra import digamma, trigamma


class FiniteWidth(NamedTuple):
    """ln of the squared gain ||J u||^2 / ||u||^2 over nets of these widths.

    Attributes:
        mean, variance: of ln gain^2.
        beta: the sum over layers that both come from.
        alive: probability that no layer is dead; the rest is conditional on it.  1 but for narrow ReLU nets.
    """

    mean: float
    variance: float
    beta: float
    alive: float


def finite_width(activation, widths, sigma_w2=None, exact=False):
    """Return mean and variance of ln ||J u||^2 over random nets, J the Jacobian of all layers, ||u|| = 1.

    At critical weights it is about N(-beta/2, beta) with beta = sum (2 + 3 (mu2/mu1^2 - 1)) / n: 5 sum 1/n for ReLU, 2
    sum 1/n for linear layers (Hanin, Nica 2020).

    Args:
        activation: "relu", "linear", "leaky_relu" or one of :func:`minigrad.theory.leaky_relu`.
        widths: numbers of units of the layers, such as ``[50] * 20``.
        sigma_w2: variance of the weights times the number of inputs; default the critical one (2 for ReLU).
        exact: sum over how many units of a layer are active, instead of the law for large widths; for "relu" and
            "linear".

    Raises:
        ValueError: for another activation, an empty list, widths below 1.

    Example:
        >>> finite_width("relu", [50] * 50)
        FiniteWidth(mean=-2.5, variance=5.0, beta=5.0, alive=1.0)
        >>> found = finite_width("relu", [20] * 20, exact=True)
        >>> round(found.mean, 2), round(found.variance, 2)
        (-2.74, 6.24)
    """
    act = find(activation)
    if not isinstance(act, Homogeneous):
        raise ValueError(f"the law is known for relu, leaky_relu and linear, not for {act.name}")
    sizes = [count(n, "a width", 1) for n in widths]
    if not sizes:
        raise ValueError("widths is empty: give the number of units of each layer, such as [50] * 20")
    sigma_w2 = 1 / act.half if sigma_w2 is None else variance(sigma_w2, "sigma_w2")
    shift = len(sizes) * math.log(sigma_w2 * act.half) if sigma_w2 else -math.inf
    spread = act.slope_fourth(1.0) / act.half ** 2
    beta = (3 * spread - 1) * math.fsum(1 / n for n in sizes)
    if not exact:
        return FiniteWidth(shift - beta / 2, beta, beta, 1.0)
    if act.left not in (0.0, 1.0):
        raise ValueError(f"exact sums are known for relu and linear, not for {act.name}")
    mean = spread = 0.0
    alive = 1.0
    for n in sizes:
        one, two, live = log_of_layer(n, act.left == 0)
        mean, spread, alive = mean + one, spread + two, alive * live
    return FiniteWidth(shift + mean, spread, beta, alive)


def log_of_layer(n, gated):
    """Return mean and variance of ln of one layer's squared gain at critical weights, and the chance that it is not 0.

    The gain is chi^2_n / n if all units pass, and 2 chi^2_k / n with k ~ Binomial(n, 1/2) if each passes by chance.
    """
    if not gated:
        return float(digamma(n) + math.log(2 / n)), float(trigamma(n)), 1.0
    k = np.arange(1, n + 1)
    choose = np.concatenate([[0.0], np.cumsum(np.log((n + 1 - k) / k))])[1:]
    weight = np.exp(choose - n * math.log(2))
    alive = float(weight.sum())
    weight = weight / alive
    means = digamma(k) + math.log(4 / n)
    mean = float(weight @ means)
    return mean, float(weight @ (trigamma(k) + (means - mean) ** 2)), alive


def isometry(activation, depth, q=1.0, orthogonal=False):
    """Return the variance of the squared singular values of a deep net's Jacobian, their mean being 1.

    depth (mu2 / mu1^2 - 1 - s1), with mu_k = E phi'(sqrt(q) z)^(2k), s1 = -1 for Gaussian and 0 for orthogonal weights
    scaled to chi = 1 (Pennington, Schoenholz, Ganguli 2017).  0 is dynamical isometry.

    Args:
        activation: a name, or a pair of functions (phi, slope); see :func:`minigrad.theory.activation`.
        depth: number of layers.
        q: mean square of the pre-activations.
        orthogonal: whether the weights are orthogonal, rather than Gaussian.

    Raises:
        ValueError: for an unknown activation, a negative q or depth.

    Example:
        >>> isometry("relu", 16, orthogonal=True), isometry("linear", 16, orthogonal=True), isometry("linear", 16)
        (16.0, 0.0, 16.0)
    """
    act, q = find(activation), length(q)
    mu1, mu2 = act.slope_square(q), act.slope_fourth(q)
    if mu1 == 0:
        raise ValueError(f"{act.name} has no slope left at q = {q:g}")
    return count(depth, "depth") * (mu2 / mu1 ** 2 - 1 + (0 if orthogonal else 1))

"""Residual nets x' = x + V phi(W x + b): lengths grow layer by layer, and so does the gradient, but gently."""

import math

import numpy as np

from minigrad.theory.activations import Homogeneous
from minigrad.theory.arguments import count, variance
from minigrad.theory.lengths import checked


def residual_trajectory(activation, depth, sigma_w2, sigma_b2=0.0, q0=1.0, sigma_v2=1.0):
    """Return the lengths q_0 ... q_depth of the stream x, and the factor of ||dL/dx||^2 at each block.

    q' = q + sigma_v2 E phi(u)^2 and the factor is 1 + sigma_v2 sigma_w2 E phi'(u)^2, u ~ N(0, sigma_w2 q + sigma_b2)
    (Yang, Schoenholz 2017).

    Args:
        activation: a name, or a pair of functions (phi, slope); see :func:`minigrad.theory.activation`.
        depth: number of blocks.
        sigma_w2, sigma_v2: variances of the weights W and V times their numbers of inputs; sigma_v2 None for blocks
            x' = x + phi(W x + b) without V, for which the law holds if phi is odd.
        sigma_b2: variance of the biases b.
        q0: mean square of x at the first block.

    Returns:
        two arrays of shape (depth + 1,); the last factor is that of a further block.

    Raises:
        ValueError: for negative variances, an unknown activation, or blocks without V and a phi that is not odd.

    Example:
        >>> q, gain = residual_trajectory("relu", 3, 1.0)
        >>> q, gain
        (array([1.   , 1.5  , 2.25 , 3.375]), array([1.5, 1.5, 1.5, 1.5]))
    """
    act, sigma_w2, sigma_b2, q = checked(activation, sigma_w2, sigma_b2, q0)
    if sigma_v2 is None and not act.odd:
        raise ValueError(f"x + phi(W x) with {act.name}, which is not odd, is beyond this theory: its outputs share a "
                         f"mean direction, and the gradient grows faster. Give sigma_v2, for x + V phi(W x)")
    sigma_v2 = 1.0 if sigma_v2 is None else variance(sigma_v2, "sigma_v2")
    lengths, gains = np.empty(count(depth, "depth") + 1), np.empty(depth + 1)
    if isinstance(act, Homogeneous) and sigma_b2 == 0:
        growth = 1 + sigma_v2 * sigma_w2 * act.half
        with np.errstate(over="ignore"):
            return q * growth ** np.arange(depth + 1.0) if q else np.zeros(depth + 1), np.full(depth + 1, growth)
    for k in range(depth + 1):
        inside = sigma_w2 * q + sigma_b2
        lengths[k], gains[k] = q, 1 + sigma_v2 * sigma_w2 * act.slope_square(inside)
        q = q + sigma_v2 * act.square(inside) if math.isfinite(q) else q
    return lengths, gains

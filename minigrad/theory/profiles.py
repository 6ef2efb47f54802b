"""The gradient's norm from layer to layer, as predicted for a deep net at its start."""

import numpy as np

from minigrad.theory.arguments import count
from minigrad.theory.lengths import checked, trajectory
from minigrad.theory.residual import residual_trajectory


def profile(activation, depth, sigma_w2, sigma_b2=0.0, q0=1.0, residual=False, sigma_v2=None, at="h"):
    """Return log10 ||delta_l|| / ||delta_L|| for l = 0 ... L, where delta_l = dL/dh_l.

    ||delta_l||^2 = ||delta_(l+1)||^2 chi(q_l), with the lengths q_l on the way from q0, not only at the fixed point
    (Schoenholz and others 2017).  For wide layers of equal width.

    Args:
        activation: a name, or a pair of functions (phi, slope); see :func:`minigrad.theory.activation`.
        depth: L, the number of layers between the first and the last delta.
        sigma_w2, sigma_b2: variance of the weights times the number of inputs, and of the biases.
        q0: mean square of h_0, of x_0 or of a_0, whichever the deltas belong to.
        residual: the net is x' = x + V phi(W x + b), and delta = dL/dx.
        sigma_v2: of V; None for residual blocks without V (odd activations only).
        at: for a plain net, "h" for pre-activations, h' = W phi(h) + b, or "a" for activations, a' = phi(W a + b).

    Returns:
        an array of shape (depth + 1,) that ends in 0.

    Raises:
        ValueError: for negative variances, an unknown activation, another ``at``.

    Example:
        >>> profile("relu", 4, 1.0).round(3)
        array([-0.602, -0.452, -0.301, -0.151,  0.   ])
        >>> profile("relu", 4, 1.0, residual=True, sigma_v2=1.0).round(3)
        array([0.352, 0.264, 0.176, 0.088, 0.   ])
    """
    if at not in ("h", "a"):
        raise ValueError(f"at = {at!r}: 'h' for pre-activations or 'a' for activations")
    act, sigma_w2, sigma_b2, q0 = checked(activation, sigma_w2, sigma_b2, q0)
    depth = count(depth, "depth")
    if residual:
        factors = residual_trajectory(act, depth, sigma_w2, sigma_b2, q0, sigma_v2)[1]
    else:
        first = sigma_w2 * q0 + sigma_b2 if at == "a" else q0
        factors = trajectory(act, depth, sigma_w2, sigma_b2, first)[1]
    with np.errstate(divide="ignore"):
        logs = 0.5 * np.log10(factors[:-1])
    return np.concatenate([np.cumsum(logs[::-1])[::-1], [0.0]])


def weight_profile(activation, depth, sigma_w2, sigma_b2=0.0, q0=1.0):
    """Return log10 ||dL/dW_l|| / ||dL/dW_L|| for l = 1 ... L in a plain net h_l = W_l phi(h_(l-1)) + b_l.

    For one sample dL/dW_l = delta_l phi(h_(l-1))^T, so that ||dL/dW_l||^2 goes as ||delta_l||^2 E phi(h_(l-1))^2.  In a
    net without biases whose signals die out it is flat, although the delta vanishes (Glorot, Bengio 2010).

    Args:
        activation, depth, sigma_w2, sigma_b2: as for :func:`profile`.
        q0: mean square of h_0, the pre-activations before the first of these weights.

    Returns:
        an array of shape (depth,) that ends in 0; NaN where a layer's input is 0 and so is the last one's.

    Raises:
        ValueError: as :func:`profile`, or if depth is 0.

    Example:
        >>> weight_profile("relu", 4, 1.0).round(3) + 0.0
        array([0., 0., 0., 0.])
        >>> weight_profile("tanh", 4, 1.0, 0.05).round(3)
        array([-0.082, -0.071, -0.041,  0.   ])
    """
    act, sigma_w2, sigma_b2, q0 = checked(activation, sigma_w2, sigma_b2, q0)
    deltas = profile(act, count(depth, "depth", 1), sigma_w2, sigma_b2, q0)[1:]
    lengths = trajectory(act, depth, sigma_w2, sigma_b2, q0)[0][:-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        inputs = 0.5 * np.log10(np.array([act.square(q) for q in lengths]))
        return deltas + inputs - inputs[-1]

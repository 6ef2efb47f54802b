"""A wide plain net in one call: correlation of two inputs, phase, depth scales of length, correlation and gradient."""

import math
from typing import NamedTuple

import numpy as np

from minigrad.theory.activations import EDGES, Homogeneous
from minigrad.theory.arguments import number
from minigrad.theory.lengths import EDGE, checked, chi_of, settle


class MeanField(NamedTuple):
    """What :func:`mean_field` found; a depth scale is a number of layers.

    Attributes:
        q: the fixed point of the length map reached from q = 1; 0 or inf where there is none between.
        chi_1: factor of ||dL/dh||^2 per layer, backwards, at q.
        c: correlation that any two inputs end with; NaN where each pair keeps its own.
        xi_q, xi_c, xi_grad: depth scales of length, correlation and gradient, as :func:`depth_scales` has them.
        phase: "ordered" (chi_1 < 1, gradients vanish), "critical" or "chaotic" (they explode).
    """

    q: float
    chi_1: float
    c: float
    xi_q: float
    xi_c: float
    xi_grad: float
    phase: str

    @property
    def trainable_depth(self):
        """Depth that can be trained, about 6 xi_c layers (Schoenholz and others 2017); 6 |xi_grad| if q is 0 or inf."""
        return 6 * (self.xi_c if 0 < self.q < math.inf else abs(self.xi_grad))

    def __repr__(self):
        numbers = ", ".join(f"{name}={value:.5g}" for name, value in zip(self._fields, self[:-1]))
        return f"MeanField({numbers}, phase={self.phase!r})"


class DepthScales(NamedTuple):
    """Layers in which a distance shrinks to 1/e; negative where it grows, inf where it does neither."""

    xi_q: float
    xi_c: float
    xi_grad: float


def mean_field(activation, sigma_w2, sigma_b2=0.0, q0=1.0):
    """Return fixed point, chi_1, correlation, depth scales and phase of a wide plain net, as a :class:`MeanField`.

    Args:
        activation: a name, or a pair of functions (phi, slope); see :func:`minigrad.theory.activation`.
        sigma_w2: variance of the weights times the number of inputs.
        sigma_b2: variance of the biases.
        q0: mean square of the pre-activations in the first layer.

    Raises:
        ValueError: for a negative variance or an unknown activation.

    Example:
        >>> mean_field("tanh", 1.0, 0.05)
        MeanField(q=0.19359, chi_1=0.75903, c=1, xi_q=1.7476, xi_c=3.627, xi_grad=3.627, phase='ordered')
    """
    act, sigma_w2, sigma_b2, q0 = checked(activation, sigma_w2, sigma_b2, q0)
    q = settle(act, sigma_w2, sigma_b2, q0)
    chi = chi_of(act, q, sigma_w2)
    c, slope = settled_correlation(act, q, sigma_w2, sigma_b2, chi)
    phase = "critical" if abs(chi - 1) < EDGE else "ordered" if chi < 1 else "chaotic"
    return MeanField(q, chi, c, xi(sigma_w2 * act.square_rate(q)), xi(slope), xi(chi), phase)


def depth_scales(activation, sigma_w2, sigma_b2=0.0, q0=1.0):
    """Return the depth scales of a wide plain net (Schoenholz and others 2017), as a :class:`DepthScales`.

    ``xi_q`` is -1 / ln of the slope of the length map at q*, ``xi_c`` that of the correlation map at c*, and
    ``xi_grad = -1 / ln chi_1``, the scale of ||dL/dh||^2: negative in the chaotic phase, where that grows.  In the
    ordered phase c* = 1 and xi_c = xi_grad.  Arguments as for :func:`mean_field`.

    Example:
        >>> depth_scales("relu", 1.0, 0.1)
        DepthScales(xi_q=1.4426950408889634, xi_c=1.4426950408889634, xi_grad=1.4426950408889634)
    """
    return DepthScales(*mean_field(activation, sigma_w2, sigma_b2, q0)[3:6])


def correlation_map(activation, c, sigma_w2, sigma_b2=0.0, q=None):
    """Return the correlation, one layer on, of two inputs whose pre-activations have length q and correlation c.

    (sigma_w2 E phi(u1) phi(u2) + sigma_b2) / (sigma_w2 E phi(u1)^2 + sigma_b2).

    Args:
        activation, sigma_w2, sigma_b2: as for :func:`mean_field`.
        c: in [0, 1].
        q: length of both; default q*.

    Raises:
        ValueError: if c is not in [0, 1], q is not finite and positive, and as for :func:`mean_field`.

    Example:
        >>> correlation_map("relu", 1.0, 2.0, q=1.0)
        1.0
        >>> round(correlation_map("relu", 0.0, 2.0, q=1.0), 6)          # 1 / pi
        0.31831
    """
    act, sigma_w2, sigma_b2, _ = checked(activation, sigma_w2, sigma_b2)
    q = settle(act, sigma_w2, sigma_b2, 1.0) if q is None else number(q, "q")
    if not 0 < q < math.inf:
        raise ValueError(f"q = {q:g}: two signals of this length have no correlation; give q= a positive number")
    c = number(c, "c")
    if not 0 <= c <= 1:
        raise ValueError(f"c = {c:g} is not in [0, 1]")
    whole = sigma_w2 * act.square(q) + sigma_b2
    if whole == 0:
        raise ValueError("sigma_w2 and sigma_b2 are both 0: nothing is left to correlate")
    return 1 - sigma_w2 * act.apart(q)(1 - c)[0] / whole


def xi(rate):
    """Return -1 / ln(rate): 0 for a rate of 0, inf for 1."""
    rate = abs(rate)
    if rate == 0:
        return 0.0
    return math.inf if abs(rate - 1) < 1e-14 else -1 / math.log(rate)


def settled_correlation(act, q, sigma_w2, sigma_b2, chi):
    """Return c* and the slope of the correlation map there.

    The map is a power series in c with coefficients that are not negative, hence convex: c* is 1 where its slope at 1,
    chi_1, is at most 1, and else the one root below.  Newton's steps from c = 0 never pass it.  They are taken in
    d = 1 - c, which keeps its digits where c* is nearly 1.
    """
    if not 0 < q < math.inf:
        # The activation counts near 0 (or at inf) alone, where it is a line left and a line right of 0.
        left, right = np.abs(act.slope(EDGES[q]))
        return (math.nan if left == right else 1.0), 1.0
    if isinstance(act, Homogeneous) and act.left == 1 and sigma_b2 == 0:
        return math.nan, 1.0
    if chi <= 1 + 1e-12 or isinstance(act, Homogeneous):
        return 1.0, chi
    apart, d = act.apart(q), 1.0
    for _ in range(100 if sigma_b2 or not act.odd else 0):
        short, slope = (sigma_w2 / q * x for x in apart(d))
        step = (short - d) / (1 - slope) if slope < 1 else 0.0
        d += step
        if abs(step) <= 1e-10 * d:                          # the step after this one would be its square
            break
    return (1 - d if d < 1 - 1e-15 else 0.0), sigma_w2 / q * apart(d)[1]

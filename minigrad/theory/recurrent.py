"""Recurrent nets: how fast the gradient grows or shrinks per time step."""

import math
from typing import NamedTuple

from minigrad.theory.arguments import number, variance
from minigrad.theory.lengths import EDGE, checked, chi_of, settle


class DrivenRNN(NamedTuple):
    """What :func:`driven_rnn` found.

    Attributes:
        q: mean square of the pre-activations once the net has settled.
        chi: factor of ||dL/dh_t||^2 per step, backwards.
        rate: ln(chi) / 2, of ||dL/dh_t|| per step; the largest Lyapunov exponent.
        phase: "ordered" (gradients vanish through time), "critical" or "chaotic".
    """

    q: float
    chi: float
    rate: float
    phase: str

    def log10_gain(self, lag):
        """Return log10 of ||dL/dh_(t - lag)|| / ||dL/dh_t||."""
        return lag * self.rate / math.log(10)


class Latch(NamedTuple):
    """What :func:`latch` found.

    Attributes:
        h: the state that is kept, 0 if w <= 1.
        factor: dh_t / dh_(t-1) there.
    """

    h: float
    factor: float


def driven_rnn(activation, sigma_w2, sigma_u2=0.0, sigma_b2=0.0, q0=1.0):
    """Return length, chi and rate of a wide recurrent net with noise for input, as a :class:`DrivenRNN`.

    a_t = W phi(a_(t-1)) + u_t + b, with a new u_t every step: q = sigma_w2 E phi(sqrt(q) z)^2 + sigma_u2 + sigma_b2 and
    chi = sigma_w2 E phi'(sqrt(q) z)^2 (Chen, Pennington, Schoenholz 2018).  It holds for orthogonal W times a gain g
    (sigma_w2 = g^2) to about .007 per step at 128 units; for a Gaussian W, whose radius varies, to about .02.

    Args:
        activation: a name, or a pair of functions (phi, slope); see :func:`minigrad.theory.activation`.
        sigma_w2: variance of the recurrent weights times the number of units.
        sigma_u2: variance of what the input adds to a pre-activation; input weights included.
        sigma_b2: variance of the biases.
        q0: where to start.

    Raises:
        ValueError: for a negative variance or an unknown activation.

    Example:
        >>> found = driven_rnn("tanh", 1.5 ** 2, 0.1 ** 2)
        >>> round(found.rate, 4), round(found.log10_gain(200), 2)
        (0.0607, 5.27)
    """
    act, sigma_w2, sigma_b2, q0 = checked(activation, sigma_w2, sigma_b2, q0)
    q = settle(act, sigma_w2, sigma_b2 + variance(sigma_u2, "sigma_u2"), q0)
    chi = chi_of(act, q, sigma_w2)
    phase = "critical" if abs(chi - 1) < EDGE else "ordered" if chi < 1 else "chaotic"
    return DrivenRNN(q, chi, 0.5 * math.log(chi) if chi else -math.inf, phase)


def latch(w):
    """Return the memory of one unit, h_t = tanh(w h_(t-1)), and what it does to the gradient, as a :class:`Latch`.

    To keep a bit it needs an attractor, where |dh_t/dh_(t-1)| = w (1 - h^2) < 1: so the gradient through time vanishes,
    the faster the stronger the memory (Bengio, Simard, Frasconi 1994).

    Args:
        w: the weight, not negative.

    Raises:
        ValueError: if w is negative or not finite.

    Example:
        >>> [round(latch(w).factor, 4) for w in (1.25, 2, 4)]
        [0.6191, 0.1664, 0.0054]
    """
    w = number(w, "w")
    if not 0 <= w < math.inf:
        raise ValueError(f"w = {w:g}: the weight must be finite and not negative")
    if w <= 1:
        return Latch(0.0, w)
    h = min(1.0, math.sqrt(3 * (w - 1)))                # above the root of a concave function: Newton comes down to it
    for _ in range(100):
        slope = w * slope_of_tanh(w * h)
        step = (math.tanh(w * h) - h) / (1 - slope)
        h += step
        if abs(step) <= 1e-16 * h:
            break
    return Latch(h, w * slope_of_tanh(w * h))


def slope_of_tanh(u):
    """Return 1 / cosh(u)^2."""
    return (2 * math.exp(-u) / (1 + math.exp(-2 * u))) ** 2

"""Rules for activations: relu and its kin, sigmoid and its, erf and what is made of it."""

import math

import numpy as np

from minigrad import ops
from minigrad.ops.activations import (
    GELU_CUBIC,
    GELU_FLAT,
    GELU_LINEAR,
    SELU_ALPHA,
    SELU_SCALE,
    gelu_cubic,
    silu_composite,
    silu_keeping,
)
from minigrad.table import defvjp

ROOT_PI, ROOT_HALF = math.sqrt(math.pi), math.sqrt(0.5)
TWO_OVER_ROOT_PI = 2 / ROOT_PI

# Of two branches the slope at 0 is that of the left one, and relu's is 0, as in PyTorch; hardtanh's is 0 at its bounds.
# NaN is neither below nor above: it hides no gradient, also as in PyTorch.
defvjp(ops.relu, lambda g, y, x: g * (y != 0))
defvjp(ops.leaky_relu, lambda g, y, x, slope=0.01: np.where(x > 0, g, slope * g))
defvjp(ops.elu, lambda g, y, x, alpha=1.0: np.where(x <= 0, alpha * g * np.exp(np.where(x < 0, x, 0.0)), g))
defvjp(ops.selu, lambda g, y, x: SELU_SCALE * np.where(x <= 0, SELU_ALPHA * g * np.exp(np.where(x < 0, x, 0.0)), g))
defvjp(ops.hardtanh, lambda g, y, x, low=-1.0, high=1.0: g * ~((x <= low) | (x >= high)))
defvjp(ops.sigmoid, lambda g, y, x: g * (y * (1 - y)))
defvjp(ops.softplus, lambda g, y, x: g * ops.sigmoid(x))
defvjp(ops.log_sigmoid, lambda g, y, x: g * ops.sigmoid(-x))
defvjp(ops.erf, lambda g, y, x: g * (TWO_OVER_ROOT_PI * ops.bell(x)))
defvjp(ops.erfc, lambda g, y, x: -g * (TWO_OVER_ROOT_PI * ops.bell(x)))
defvjp(ops.bell, lambda g, y, x: g * (x * (-2 * y)))


def silu_vjp(g, y, x, *, kept):
    """Return g (s + x s (1 - s)), s the sigmoid of x."""
    slope = 1 - kept
    slope *= x
    slope += 1
    slope *= kept
    return g * slope


def gelu_vjp(g, y, x, approximate="none"):
    """Return g (P(x) + x P'(x)), P the normal distribution function or, for "tanh", the sigmoid of a cubic."""
    if approximate == "none":
        return g * (0.5 * ops.erfc(x * -ROOT_HALF) + x * (ROOT_HALF / ROOT_PI * ops.bell(x * ROOT_HALF)))
    t = ops.clip(x, -GELU_FLAT, GELU_FLAT)
    s = ops.sigmoid(gelu_cubic(t))
    return g * (s * (1 + (1 - s) * (t * (GELU_LINEAR + 3 * GELU_CUBIC * (t * t)))))


defvjp(ops.silu, silu_vjp, composite=silu_composite, keeping=silu_keeping)
defvjp(ops.gelu, gelu_vjp)

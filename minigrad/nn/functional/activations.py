"""Activations: functions of every element, and softmax along an axis.

Where PyTorch's function has an argument ``inplace`` it is accepted and has no effect: an array that a backward pass
may need is never overwritten here.
"""

import numpy as np

from minigrad import ops
from minigrad.nn.functional.common import floats


def tanh(x):
    """Return the hyperbolic tangent; its slope is exactly 0 from |x| of about 19 on (float64)."""
    return np.tanh(x)


def sigmoid(x):
    """Return 1 / (1 + exp(-x))."""
    return ops.sigmoid(x)


def relu(x, inplace=False):
    """Return max(x, 0); the slope at 0 is 0."""
    return ops.relu(x)


def leaky_relu(x, negative_slope=0.01, inplace=False):
    """Return x where x > 0, else negative_slope * x; the slope at 0 is negative_slope."""
    return ops.leaky_relu(x, float(negative_slope))


def elu(x, alpha=1.0, inplace=False):
    """Return x where x > 0, else alpha (exp(x) - 1) (Clevert et al. 2016); the slope at 0 is alpha."""
    return ops.elu(x, float(alpha))


def selu(x, inplace=False):
    """Return 1.0507 times elu with alpha = 1.6733, which keeps mean 0 and variance 1 (Klambauer et al. 2017)."""
    return ops.selu(x)


def gelu(x, approximate="none"):
    """Return x times the standard normal distribution function of x (Hendrycks and Gimpel 2016).

    Args:
        x: any shape.
        approximate: "none"; or "tanh" for x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2.

    Raises:
        ValueError: for another ``approximate``.
    """
    return ops.gelu(x, approximate)


def silu(x, inplace=False):
    """Return x * sigmoid(x), also called swish."""
    return ops.silu(x)


def softplus(x, beta=1.0, threshold=20.0):
    """Return log(1 + exp(beta x)) / beta.

    ``threshold`` is accepted and not used: PyTorch returns x itself where beta x exceeds it, because its formula would
    overflow; this one does not, and is exact everywhere. At the default of 20 they differ by less than 2.1e-9 / beta.

    Raises:
        ValueError: if beta is not above 0.
    """
    if not beta > 0:
        raise ValueError(f"softplus: beta = {beta}, but it must be above 0")
    return ops.softplus(x) if beta == 1 else ops.softplus(x * float(beta)) / float(beta)


def softsign(x):
    """Return x / (1 + |x|)."""
    return x / (1 + np.absolute(x))


def logsigmoid(x):
    """Return log sigmoid(x) = -log(1 + exp(-x)), which is x itself far out on the left."""
    return ops.log_sigmoid(x)


def hardtanh(x, min_val=-1.0, max_val=1.0, inplace=False):
    """Return x held between two bounds; the slope at the bounds is 0.

    Raises:
        ValueError: if max_val is not above min_val.
    """
    if not max_val > min_val:
        raise ValueError(f"hardtanh: max_val = {max_val} must be above min_val = {min_val}")
    return ops.hardtanh(x, float(min_val), float(max_val))


def relu6(x, inplace=False):
    """Return x held between 0 and 6; the slope at both ends is 0."""
    return ops.hardtanh(x, 0.0, 6.0)


def softmax(x, dim=-1):
    """Return exp(x) / sum exp(x) along an axis: positive numbers that sum to 1.

    Args:
        x: floating.
        dim: the axis; PyTorch warns where it is left out or None, here it is the last then.

    Raises:
        TypeError: if x is not floating.

    Example:
        >>> import minigrad as mg
        >>> from minigrad.nn import functional as F
        >>> F.softmax(mg.tensor([1000.0, 1000.0]), dim=0)
        tensor([0.5, 0.5])
    """
    return ops.softmax(floats("softmax", x), axis=-1 if dim is None else dim)


def log_softmax(x, dim=-1):
    """Return the logarithm of softmax along an axis (the last by default), exact where softmax itself would be 0.

    Raises:
        TypeError: if x is not floating.
    """
    return ops.log_softmax(floats("log_softmax", x), axis=-1 if dim is None else dim)

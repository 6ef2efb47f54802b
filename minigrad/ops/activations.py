"""What NumPy lacks among the functions of each element: relu and its kin, sigmoid and its, erf."""

import math

import numpy as np

from minigrad.ops.elementwise import floating
from minigrad.table import primitive

SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805
"""With these an activation of mean 0 and variance 1 keeps both (Klambauer et al. 2017, equation 14)."""


@primitive
def relu(x):
    """Return max(x, 0); the gradient at 0 is 0, as PyTorch's."""
    return np.maximum(x, 0)


@primitive
def leaky_relu(x, slope=0.01):
    """Return x where x > 0, else slope * x; the gradient at 0 is ``slope``, as PyTorch's."""
    x = floating(x)
    return np.where(x > 0, x, slope * x)


@primitive
def elu(x, alpha=1.0):
    """Return x where x > 0, else alpha (exp(x) - 1); the gradient at 0 is ``alpha``, as PyTorch's."""
    x = floating(x)
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


@primitive
def selu(x):
    """Return SELU_SCALE * elu(x, SELU_ALPHA), the self-normalising activation."""
    x = floating(x)
    return SELU_SCALE * np.where(x > 0, x, SELU_ALPHA * np.expm1(np.minimum(x, 0)))


def decay(x):
    """Return exp(-|x|), which never overflows, in one new array."""
    e = np.absolute(x, out=np.empty_like(x))
    return np.exp(np.negative(e, out=e), out=e)


@primitive
def sigmoid(x):
    """Return 1 / (1 + exp(-x)), without overflow at either end, and exact down to 1e-308 for negative x."""
    x = floating(x)
    e = decay(x)
    y = np.maximum(e, x >= 0)                   # exp(x) for x < 0, else 1
    e += 1
    y /= e
    return y


@primitive
def log_sigmoid(x):
    """Return log sigmoid(x) = -softplus(-x), which is x itself far out on the left."""
    x = floating(x)
    e = decay(x)
    return np.subtract(np.minimum(x, 0), np.log1p(e, out=e), out=e)


@primitive
def softplus(x):
    """Return log(1 + exp(x)), the smooth relu: x far out on the right, exp(x) far out on the left."""
    x = floating(x)
    e = decay(x)
    return np.add(np.maximum(x, 0), np.log1p(e, out=e), out=e)


@primitive
def silu(x):
    """Return x * sigmoid(x), also called swish."""
    return silu_keeping(x)[0]


def silu_keeping(x):
    """Return the same, and the sigmoid."""
    x = floating(x)
    s = sigmoid(x)
    return x * s, s


def silu_composite(x):
    """Return the same, built of ordinary operations."""
    return x * sigmoid(x)


@primitive
def gelu(x, approximate="none"):
    """Return x times the standard normal distribution function of x (Hendrycks and Gimpel 2016).

    With ``approximate="tanh"`` their formula x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2.

    Raises:
        ValueError: for another ``approximate``.
    """
    x = floating(x)
    if approximate == "tanh":
        return x * sigmoid(gelu_cubic(np.clip(x, -GELU_FLAT, GELU_FLAT)))
    if approximate != "none":
        raise ValueError(f"gelu: approximate is 'none' or 'tanh', not {approximate!r}")
    return x * (0.5 * erfc(x * -math.sqrt(0.5)))


GELU_LINEAR = 2 * math.sqrt(2 / math.pi)
GELU_CUBIC = 0.044715 * GELU_LINEAR
GELU_FLAT = 25.0
"""From here on the tanh of gelu's approximation is 1 to the last bit, in float64 too; x^3 itself could overflow."""


def gelu_cubic(x):
    """Return 2 sqrt(2/pi) (x + 0.044715 x^3), of which sigmoid is the (1 + tanh) / 2 of the approximate gelu."""
    return x * (GELU_LINEAR + GELU_CUBIC * (x * x))


def each(fn, x):
    """Return a function of Python numbers of each element of an array."""
    x = floating(x)
    return np.array(list(map(fn, x.ravel().tolist())), x.dtype).reshape(x.shape)


@primitive
def erf(x):
    """Return the error function, 2/sqrt(pi) times the integral of exp(-t^2) from 0 to x; the standard library's."""
    return each(math.erf, x)


@primitive
def erfc(x):
    """Return 1 - erf(x), exact where erf is so near 1 that the difference would cancel."""
    return each(math.erfc, x)


@primitive
def bell(x):
    """Return exp(-x^2), without overflow of the square: 0 from |x| of about 27."""
    x = np.clip(floating(x), -40, 40)
    return np.exp(-x * x)


@primitive
def hardtanh(x, low=-1.0, high=1.0):
    """Return x held between low and high; the gradient at both bounds is 0, as PyTorch's (unlike clip's)."""
    return np.clip(floating(x), low, high)

"""Rules for functions that act on each element by itself."""

import math

import numpy as np

from minigrad import ops
from minigrad.rules.shape import arrays_like
from minigrad.table import defconstant, defvjp, respell

LOG_2, LOG_10 = math.log(2), math.log(10)


def less_one(n, x):
    """Return n - 1, or anything harmless where n * x**(n - 1) is 0 * 0**-1, which would be NaN."""
    return (n - 1 if n else 1) if isinstance(n, (int, float)) else np.where((n == 0) & (x == 0), 1, n - 1)


def log_base(x):
    """Return log x of the base of a power, 0 at 0; of a Python number a Python number, which promotes no dtype."""
    if isinstance(x, (int, float)):
        return float(np.log(x)) if x else 0.0
    return np.log(np.where(x == 0, 1, x))


def within(x, low, high):
    """Return where low <= x <= high; None is no bound."""
    if low is None:
        return x == x if high is None else x <= high
    return x >= low if high is None else (x >= low) * (x <= high)


def clip(a, a_min=None, a_max=None, *, min=None, max=None):
    """Take the arguments as np.clip does, under the old names or the new."""
    if (min is not None and a_min is not None) or (max is not None and a_max is not None):
        raise ValueError("np.clip: give the bounds once, as a_min, a_max or as min, max")
    return ops.clip(a, a_min if min is None else min, a_max if max is None else max)


def safe(y):
    """Return y, or 1 where it is 0 and something is to be divided by it."""
    return np.where(y == 0, 1.0, y)


def cosine(a, r):
    """Return a / r, a one side and r the distance from the origin; at the origin 0, and so is every derivative."""
    return np.where(r == 0, 0.0, a) / safe(r)


def curl(a, b):
    """Return a / (a^2 + b^2), 0 at the origin; neither square is formed."""
    r = np.hypot(a, b)
    return cosine(a, r) / safe(r)


def share(a, b, scale):
    """Return the sigmoid of scale * (a - b): what a contributes to a sum of exponentials; 0 where both are -inf."""
    nothing = np.logical_and(a == -math.inf, b == -math.inf)
    return ops.sigmoid(scale * (np.where(nothing, -math.inf, a) - np.where(nothing, 0.0, b)))


def unless(beaten, tied, g):
    """Return g for the larger (or smaller) of two: 0 where it is beaten, half where they tie."""
    return np.where(beaten, 0.0, np.where(tied, 0.5 * g, g))


def first(a_is_better, b):
    """Return where fmax or fmin chose a: where it is better, or b is NaN."""
    return np.logical_or(a_is_better, np.isnan(b))


def selected(condlist, choicelist, default=0):
    """Build np.select of nested np.where: the first condition that holds decides; numbers leave the dtype alone."""
    if len(condlist) != len(choicelist):
        raise ValueError(f"np.select: {len(condlist)} conditions for {len(choicelist)} choices; give one for each")
    *choices, out = arrays_like(*choicelist, default)
    dtype = np.result_type(*(a.dtype for a in (*choices, out)))
    for condition, choice in zip(reversed(condlist), reversed(choices)):
        out = np.where(condition, choice, out)
    return out.astype(dtype)


# arithmetic
defvjp(np.add, lambda g, y, a, b: g,
               lambda g, y, a, b: g)
defvjp(np.subtract, lambda g, y, a, b: g,
                    lambda g, y, a, b: -g)
defvjp(np.multiply, lambda g, y, a, b: g * b,
                    lambda g, y, a, b: g * a)
defvjp(np.true_divide, lambda g, y, a, b: g / b,
                       lambda g, y, a, b: -g * y / b)
for fn in (np.power, np.float_power):
    defvjp(fn, lambda g, y, x, n: g * (n * x ** less_one(n, x)),              # x**0 has slope 0 at x = 0 too
               lambda g, y, x, n: g * y * log_base(x))                         # 0**n has slope 0 in n
defvjp(np.negative, lambda g, y, x: -g)
defvjp(np.positive, lambda g, y, x: g)
defvjp(np.reciprocal, lambda g, y, x: -g * y * y)
defvjp(np.remainder, lambda g, y, a, b: g,
                     lambda g, y, a, b: -g * np.floor_divide(a, b))
defvjp(np.fmod, lambda g, y, a, b: g,
                lambda g, y, a, b: g * np.rint((y - a) / b))
defvjp(np.ldexp, lambda g, y, x, n: np.ldexp(g, n), None)

# exp, log, roots; where an argument may be squared in a slope, hypot does not overflow
defvjp(np.exp, lambda g, y, x: g * y)
defvjp(np.exp2, lambda g, y, x: g * (LOG_2 * y))
defvjp(np.expm1, lambda g, y, x: g * np.exp(x))                 # y + 1 would lose what is left of it at -40
defvjp(np.log, lambda g, y, x: g / x)
defvjp(np.log2, lambda g, y, x: g * (1 / LOG_2 / x))
defvjp(np.log10, lambda g, y, x: g * (1 / LOG_10 / x))
defvjp(np.log1p, lambda g, y, x: g / (1 + x))
defvjp(np.logaddexp, lambda g, y, a, b: g * share(a, b, 1.0),
                     lambda g, y, a, b: g * share(b, a, 1.0))
defvjp(np.logaddexp2, lambda g, y, a, b: g * share(a, b, LOG_2),
                      lambda g, y, a, b: g * share(b, a, LOG_2))
defvjp(np.sqrt, lambda g, y, x: g * (0.5 / y))
defvjp(np.cbrt, lambda g, y, x: g / (3 * y) / y)
defvjp(np.square, lambda g, y, x: g * (2 * x))
defvjp(np.hypot, lambda g, y, a, b: g * cosine(a, y),         # 0 at (0, 0), as the norm's; PyTorch's is NaN
                 lambda g, y, a, b: g * cosine(b, y))

# circles and hyperbolas; 1 - y*y is exactly 0 from |x| of about 19, where g / cosh(x)**2 would overflow at 355
defvjp(np.sin, lambda g, y, x: g * np.cos(x))
defvjp(np.cos, lambda g, y, x: -g * np.sin(x))
defvjp(np.tan, lambda g, y, x: g * (1 + y * y))
defvjp(np.arcsin, lambda g, y, x: g / np.sqrt((1 - x) * (1 + x)))
defvjp(np.arccos, lambda g, y, x: -g / np.sqrt((1 - x) * (1 + x)))
defvjp(np.arctan, lambda g, y, x: g * np.square(1 / np.hypot(1, x)))
defvjp(np.arctan2, lambda g, y, a, b: g * curl(b, a),        # 0 at (0, 0), as PyTorch's
                   lambda g, y, a, b: -g * curl(a, b))
defvjp(np.sinh, lambda g, y, x: g * np.cosh(x))
defvjp(np.cosh, lambda g, y, x: g * np.sinh(x))
defvjp(np.tanh, lambda g, y, x: g * (1 - y * y))
defvjp(np.arcsinh, lambda g, y, x: g / np.hypot(1, x))
defvjp(np.arccosh, lambda g, y, x: g / np.sqrt(x - 1) / np.sqrt(x + 1))
defvjp(np.arctanh, lambda g, y, x: g / ((1 - x) * (1 + x)))
defvjp(np.degrees, lambda g, y, x: np.degrees(g))               # linear: the gradient is scaled as the angle is
defvjp(np.radians, lambda g, y, x: np.radians(g))
defvjp(np.rad2deg, lambda g, y, x: np.degrees(g))
defvjp(np.deg2rad, lambda g, y, x: np.radians(g))


def sinc_vjp(g, y, x):
    """Return g (cos(pi x) - y) / x; near 0, where the difference would cancel, its power series."""
    near = np.absolute(x) < 0.3
    t, away = np.where(near, x, 0.0), np.where(near, 1.0, x)
    u, series = t * t, 0.0
    for k in range(10, 0, -1):
        series = series * u + (-1) ** k * 2 * k * math.pi ** (2 * k) / math.factorial(2 * k + 1)
    return g * np.where(near, t * series, (np.cos(math.pi * x) - y) / away)


defvjp(np.sinc, sinc_vjp)

# kinks: the slope of |x| at 0 is 0, and of max(a, a) half for each, as in PyTorch; beside NaN it is 1 for both
defvjp(np.absolute, lambda g, y, x: g * np.sign(x))
defvjp(np.fabs, lambda g, y, x: g * np.sign(x))
defvjp(np.copysign, lambda g, y, a, b: g * (np.sign(a) * np.copysign(1.0, b)),
                    lambda g, y, a, b: g * 0.0)
defvjp(np.heaviside, lambda g, y, x, middle: g * 0.0,
                     lambda g, y, x, middle: g * np.equal(x, 0))
defvjp(np.nan_to_num, lambda g, y, x, *, nan=0.0, posinf=None, neginf=None: np.where(np.isfinite(x), g, 0.0))
defvjp(np.maximum, lambda g, y, a, b: unless(a < b, a == b, g),
                   lambda g, y, a, b: unless(b < a, a == b, g))
defvjp(np.minimum, lambda g, y, a, b: unless(a > b, a == b, g),
                   lambda g, y, a, b: unless(b > a, a == b, g))
defvjp(np.fmax, lambda g, y, a, b: np.where(first(a >= b, b), g, 0.0),     # a tie, or two NaN: all of it to a
                lambda g, y, a, b: np.where(first(a >= b, b), 0.0, g))
defvjp(np.fmin, lambda g, y, a, b: np.where(first(a <= b, b), g, 0.0),
                lambda g, y, a, b: np.where(first(a <= b, b), 0.0, g))
defvjp(ops.select, None,
                   lambda g, y, c, a, b: np.where(c, g, 0),
                   lambda g, y, c, a, b: np.where(c, 0, g))
respell(np.where, lambda c, *ab: ops.select(c, *ab) if ab else np.nonzero(c))

# clip passes the gradient at its bounds, as in PyTorch
defvjp(ops.clip, lambda g, y, x, low=None, high=None: g * within(x, low, high),
                 lambda g, y, x, low, high=None: g * ((x < low) if high is None else (x < low) * (low < high)),
                 lambda g, y, x, low, high: g * ((x > high) if low is None else (x > high) | (low > high)))
respell(np.clip, clip)
respell(np.select, selected)

# dtype: the engine casts what comes back
defvjp(ops.cast, lambda g, y, x, dtype: g)

# flat wherever they have a slope at all
defconstant(np.sign, np.signbit, np.floor, np.ceil, np.rint, np.trunc, np.round, np.around, np.fix, np.floor_divide)
defconstant(np.less, np.less_equal, np.greater, np.greater_equal, np.equal, np.not_equal)
defconstant(np.isnan, np.isinf, np.isfinite, np.isposinf, np.isneginf)
defconstant(np.logical_and, np.logical_or, np.logical_xor, np.logical_not)
defconstant(np.invert, np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.left_shift, np.right_shift)
defconstant(np.isclose, np.allclose, np.array_equal, np.array_equiv, np.isin, np.zeros_like, np.ones_like)

"""Rules for functions that act on each element by itself."""

import numpy as np

from minigrad import ops
from minigrad.engine import defconstant, defvjp, respell


def less_one(n):
    """Return n - 1, or anything harmless where n is 0: 0 * x**-1 would be NaN at x = 0."""
    return (n - 1 if n else 1) if isinstance(n, (int, float)) else np.where(n == 0, 1, n - 1)


# arithmetic
defvjp(np.add, lambda g, y, a, b: g,
               lambda g, y, a, b: g)
defvjp(np.subtract, lambda g, y, a, b: g,
                    lambda g, y, a, b: -g)
defvjp(np.multiply, lambda g, y, a, b: g * b,
                    lambda g, y, a, b: g * a)
defvjp(np.true_divide, lambda g, y, a, b: g / b,
                       lambda g, y, a, b: -g * y / b)
defvjp(np.power, lambda g, y, x, n: g * (n * x ** less_one(n)),                 # x**0 has slope 0 at x = 0 too
                 lambda g, y, x, n: g * y * np.log(np.where(x == 0, 1, x)))      # 0**n has slope 0 in n
defvjp(np.negative, lambda g, y, x: -g)
defvjp(np.positive, lambda g, y, x: g)
defvjp(np.reciprocal, lambda g, y, x: -g * y * y)

# exp, log, roots
defvjp(np.exp, lambda g, y, x: g * y)
defvjp(np.log, lambda g, y, x: g / x)
defvjp(np.sqrt, lambda g, y, x: g * (0.5 / y))
defvjp(np.square, lambda g, y, x: g * (2 * x))

# circles and hyperbolas; 1 - y*y is exactly 0 from |x| of about 19, where g / cosh(x)**2 would overflow at 355
defvjp(np.sin, lambda g, y, x: g * np.cos(x))
defvjp(np.cos, lambda g, y, x: -g * np.sin(x))
defvjp(np.tanh, lambda g, y, x: g * (1 - y * y))
defvjp(ops.sigmoid, lambda g, y, x: g * (y * (1 - y)))

# kinks: the slope of |x| at 0 is 0, of relu at 0 it is 0, and of max(a, a) half for each, as in PyTorch
defvjp(np.absolute, lambda g, y, x: g * np.sign(x))
defvjp(ops.relu, lambda g, y, x: g * (y > 0))
defvjp(np.maximum, lambda g, y, a, b: g * ((a > b) + 0.5 * (a == b)),
                   lambda g, y, a, b: g * ((b > a) + 0.5 * (a == b)))
defvjp(np.minimum, lambda g, y, a, b: g * ((a < b) + 0.5 * (a == b)),
                   lambda g, y, a, b: g * ((b < a) + 0.5 * (a == b)))
defvjp(ops.select, None,
                   lambda g, y, c, a, b: np.where(c, g, 0),
                   lambda g, y, c, a, b: np.where(c, 0, g))
respell(np.where, lambda c, *ab: ops.select(c, *ab) if ab else np.nonzero(c))

# dtype: the engine casts what comes back
defvjp(ops.cast, lambda g, y, x, dtype: g)

# flat wherever they have a slope at all
defconstant(np.sign, np.floor, np.ceil, np.rint, np.trunc)
defconstant(np.less, np.less_equal, np.greater, np.greater_equal, np.equal, np.not_equal)
defconstant(np.isnan, np.isinf, np.isfinite, np.logical_and, np.logical_or, np.logical_not)
defconstant(np.invert, np.bitwise_and, np.bitwise_or)
defconstant(np.isclose, np.allclose, np.array_equal)

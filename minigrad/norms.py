"""The one place where a norm is computed: exact from 1e-308 to 1e308.

The textbook ``sqrt(sum(g*g))`` is 0 at 1e-200 and inf at 1e200 (in float32 already at 1e-25 and 1e20), and a clip
that believes it silently zeroes a finite gradient.  Here the largest magnitude m is found first and the sum is
formed of g/s, where s = 2**exponent(m): dividing by a power of two is exact, so nothing is lost anywhere.
"""

import math
import numbers

import numpy as np

SAFE_LOW, SAFE_HIGH = 1e-200, 1e200
"""A plain sum of squares in this range has lost nothing: what underflowed is below 1e-100 of it."""


LARGE_P = 100.0
"""From here on a power-of-two scale, which leaves |g|/s up to 2, would let the p-th power grow too large."""


def check_p(p):
    """Return ``p`` as a float, or raise ValueError: a norm needs p >= 1 (inf included)."""
    value = float(p) if isinstance(p, numbers.Real) else math.nan
    if not value >= 1:
        raise ValueError(f"p = {p!r} gives no norm; p must be at least 1 (1, 2, 3, ... or inf)")
    return value


def norm(arrays, p=2):
    """Return the p-norm of all entries of some arrays together, as a Python float.

    ||g||_p = (sum |g_i|^p)^(1/p), formed in float64 as s * (sum (|g_i|/s)^p)^(1/p).

    Args:
        arrays: one array, or an iterable of arrays; None and arrays of size 0 count nothing.
        p: at least 1; ``inf`` is the largest magnitude.

    Returns:
        the norm; 0.0 for nothing; NaN if any entry is NaN, else inf if any is infinite (or if the
        norm itself exceeds the largest float).

    Raises:
        ValueError: if p < 1 or p is NaN.

    Example:
        >>> import numpy as np
        >>> norm([np.array([3.0, 4.0]), None, np.array([[0.0, 12.0]])])
        13.0
        >>> norm(np.array([1e-200, 1e-200]))
        1.414213562373095e-200
    """
    p = check_p(p)
    if isinstance(arrays, np.ndarray):
        arrays = [arrays]
    arrays = [a for a in arrays if a is not None and a.size]
    if not arrays:
        return 0.0
    if p == 2:
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            total = sum(map(sum_of_squares, arrays))
        if SAFE_LOW < total < SAFE_HIGH:
            return math.sqrt(total)
    largest = max_abs(arrays)
    if p == math.inf or largest == 0 or not math.isfinite(largest):
        return largest
    if p > LARGE_P:         # 2**p would overflow: the largest magnitude itself is the scale
        return largest * sum(float(np.sum(np.abs(a.astype(np.float64) / largest) ** p)) for a in arrays) ** (1 / p)
    exponent = math.frexp(largest)[1] - 1
    total = 0.0
    for a in arrays:
        scaled = np.abs(np.ldexp(a.astype(np.float64), -exponent))
        total += float(np.sum(scaled if p == 1 else scaled ** p))
    return scale_back(total ** (1 / p) if p != 2 else math.sqrt(total), exponent)


def sum_of_squares(a):
    """Return the plain sum of squares in float64 (float32 and float16 cannot overflow there)."""
    flat = np.ravel(a, order="K")
    if flat.dtype != np.float64:
        flat = flat.astype(np.float64)
    return float(np.dot(flat, flat))


def max_abs(arrays):
    """Return the largest magnitude, as a float; NaN if there is one."""
    return abs(float(np.max([(np.max(a), -np.min(a)) for a in arrays])))


def scale_back(x, exponent):
    """Return x * 2**exponent, inf where that is too large for a float."""
    try:
        return math.ldexp(x, exponent)
    except OverflowError:
        return math.inf


def cosine(arrays, others):
    """Return the cosine of the angle between two lists of arrays, each taken as one long vector.

    <a, b> / (||a|| ||b||), formed of a/||a|| and b/||b|| so that nothing under- or overflows.  Pairs in which either
    is None count for the norms alone.  NaN where a norm is 0 or not finite.
    """
    length, other_length = norm(arrays), norm(others)
    if not (0 < length < math.inf and 0 < other_length < math.inf):
        return math.nan
    total = 0.0
    for a, b in zip(arrays, others, strict=True):
        if a is not None and b is not None:
            total += float(np.sum((a.astype(np.float64) / length) * (b.astype(np.float64) / other_length)))
    return max(-1.0, min(1.0, total))

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

BLOCK = 4096
"""So many squares are summed at once; a million in one sum can lose four of the sixteen digits."""

AT_ONCE = 8 * BLOCK
"""So many entries are looked at together: enough to make up for the calls, few enough for the processor's cache."""

LARGE_P = 100.0
"""From here on a power-of-two scale, which leaves |g|/s up to 2, would let the p-th power grow too large."""


def check_p(p):
    """Return ``p`` as a float, or raise ValueError: a norm needs p >= 1 (inf included)."""
    value = float(p) if isinstance(p, numbers.Real) else math.nan
    if not value >= 1:
        raise ValueError(f"p = {p!r} gives no norm; p must be at least 1 (1, 2, 3, ... or inf)")
    return value


def norm(arrays, p=2, factor=1.0):
    """Return the p-norm of all entries of some arrays together, as a Python float.

    ||g||_p = (sum |g_i|^p)^(1/p), formed in float64 as s * (sum (|g_i|/s)^p)^(1/p).

    Args:
        arrays: one array, or an iterable of arrays; None and arrays of size 0 count nothing.
        p: at least 1; ``inf`` is the largest magnitude.
        factor: what the arrays are multiplied by, rounded to their own dtype, before they are measured; the products
            are not kept.

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
            total = sum(sum_of_squares(times(vector, factor)) for vector in vectors(arrays))
        if SAFE_LOW < total < SAFE_HIGH:
            return math.sqrt(total)
    with np.errstate(under="ignore", invalid="ignore"):
        arrays = [times(a.reshape(-1), factor) for a in arrays]
    largest = max_abs(arrays)
    if p == math.inf or largest == 0 or not math.isfinite(largest):
        return largest
    scale = float(scale_of(largest, p))
    with np.errstate(under="ignore"):
        total = sum(float(sum_of_powers(a, scale, p)) for a in arrays)
    return float(root(total, p)) * scale


def unit_norms(a, p=2):
    """Return the p-norm of each output unit of an array: of its slices along the first axis.

    Args:
        a: an array (out, in, ...), such as a weight or its gradient; one with fewer than two axes, such as a bias, is
            one unit as a whole.
        p: as in :func:`norm`.

    Returns:
        a float64 array (out, 1, ...), with as many axes as ``a``, so that ``a / unit_norms(a)`` fits; each entry is
        what :func:`norm` gives for the slice, but for the last digits.

    Raises:
        ValueError: if p < 1 or p is NaN.

    Example:
        >>> import numpy as np
        >>> unit_norms(np.array([[3.0, 4.0], [3e-200, 4e-200]]))
        array([[5.e+000],
               [5.e-200]])
        >>> unit_norms(np.array([3.0, 4.0]))
        array([5.])
    """
    p = check_p(p)
    units = len(a) if a.ndim > 1 else 1
    shape = (units, *(1,) * (a.ndim - 1)) if a.ndim else ()
    if not a.size:
        return np.zeros(shape)
    rows = a.reshape(units, -1).astype(np.float64, copy=False)
    lengths, odd = np.zeros(units), np.ones(units, bool)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        if p == 2:
            total = sums_of_squares(rows)
            lengths, odd = np.sqrt(total), ~((SAFE_LOW < total) & (total < SAFE_HIGH))
        if odd.any():
            rows = rows if odd.all() else rows[odd]
            found = np.abs(np.maximum(rows.max(1), -rows.min(1)))
            if p < math.inf:
                usual = (found > 0) & (found < math.inf)                # 0, inf and NaN are their own norms
                scale = scale_of(np.where(usual, found, 1.0), p)
                total = sum_of_powers(rows, scale[:, None], p, axis=1)
                found = np.where(usual, root(total, p) * scale, found)
            lengths[odd] = found
    return lengths.reshape(shape)


def vectors(arrays):
    """Yield all entries of some arrays, in order, as vectors of at most AT_ONCE; small ones are laid end to end."""
    run, size = [], 0
    for a in arrays:
        flat = a.reshape(-1)            # so its order in memory does not matter
        if run and (flat.size >= BLOCK or size + flat.size > AT_ONCE or flat.dtype != run[0].dtype):
            yield np.concatenate(run)
            run, size = [], 0
        if flat.size < BLOCK:
            run.append(flat)
            size += flat.size
        elif flat.size <= AT_ONCE:
            yield flat
        else:
            yield from (flat[start:start + AT_ONCE] for start in range(0, flat.size, AT_ONCE))
    if run:
        yield np.concatenate(run)


def times(a, factor):
    """Return a * factor; the very same array if it is 1."""
    return a if factor == 1 else a * factor


def scale_of(largest, p):
    """Return what magnitudes up to ``largest`` are divided by: a power of two, so that nothing is rounded."""
    # For a large p, 2**p would overflow: there it is the largest magnitude itself.
    return largest if p > LARGE_P else np.ldexp(1.0, np.frexp(largest)[1] - 1)


def sum_of_powers(a, scale, p, axis=None):
    """Return the sum of |a/scale|^p, in float64."""
    scaled = np.abs(a.astype(np.float64, copy=False) / scale)
    return np.sum(scaled if p == 1 else scaled ** p, axis=axis)


def root(total, p):
    """Return the p-th root."""
    return np.sqrt(total) if p == 2 else total ** (1 / p)


def sum_of_squares(flat):
    """Return the plain sum of squares of a vector in float64 (float32 and float16 cannot overflow there)."""
    if flat.dtype != np.float64:
        flat = flat.astype(np.float64)
    return float(np.dot(flat, flat) if flat.size <= BLOCK else sums_of_squares(flat))


def sums_of_squares(rows):
    """Return the plain sum of squares along the last axis, block by block: the error grows with a block, not a row."""
    whole = rows.shape[-1] // BLOCK * BLOCK
    blocks, rest = rows[..., :whole].reshape(*rows.shape[:-1], -1, BLOCK), rows[..., whole:]
    total = np.vecdot(blocks, blocks).sum(-1)
    return total + np.vecdot(rest, rest) if rest.size else total


def max_abs(arrays):
    """Return the largest magnitude, as a float; NaN if there is one."""
    return abs(float(np.max([(np.max(a), -np.min(a)) for a in arrays])))


def cosine(arrays, others, length=None, other_length=None):
    """Return the cosine of the angle between two lists of arrays, each taken as one long vector.

    <a, b> / (||a|| ||b||), formed of a/||a|| and b/||b|| so that nothing under- or overflows.  Pairs in which either
    is None count for the norms alone.  NaN where a norm is 0 or not finite.  The two norms, where they are known
    already, need not be measured again.
    """
    length = norm(arrays) if length is None else length
    other_length = norm(others) if other_length is None else other_length
    if not (0 < length < math.inf and 0 < other_length < math.inf):
        return math.nan
    pairs = [(a.astype(np.float64, copy=False).reshape(-1), b.astype(np.float64, copy=False).reshape(-1))
             for a, b in zip(arrays, others, strict=True) if a is not None and b is not None]
    if 1e-100 < min(length, other_length) and max(length, other_length) < 1e100:        # no product of two is lost
        total = sum(float(np.dot(a, b)) for a, b in pairs) / (length * other_length)
    else:
        total = sum(float(np.dot(a / length, b / other_length)) for a, b in pairs)
    return max(-1.0, min(1.0, total))

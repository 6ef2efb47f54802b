"""What NumPy lacks among the reductions: the exact norm along axes, softmax and its kin."""

import math

import numpy as np

from minigrad.norms import LARGE_P, check_p
from minigrad.norms import norm as norm_of_arrays
from minigrad.ops.elementwise import floating
from minigrad.table import primitive


@primitive
def norm(x, p=2, axis=None, keepdims=False):
    """Return the p-norm of all entries or along axes, exact where sum(x*x) would underflow or overflow.

    The gradient is 0 where the norm is 0, and so is every derivative of it; for p = inf it is shared among the entries
    that tie, as in PyTorch.

    Args:
        x: an array; of whole numbers, the norm is a float64.
        p: at least 1; ``inf`` is the largest magnitude.
        axis: None for all entries, or one axis, or a tuple of axes.
        keepdims: leave the axes in place, with length 1.

    Raises:
        ValueError: if p < 1 or p is NaN.

    Example:
        >>> import numpy as np
        >>> norm(np.array([[3e-200, 4e-200], [0.0, 0.0]]), axis=1)
        array([5.e-200, 0.e+000])
    """
    x = floating(x)
    if axis is None:
        y = x.dtype.type(norm_of_arrays(x, p))
        return np.full((1,) * x.ndim, y) if keepdims else y
    y = norm_along(np.abs(x.astype(np.float64)), check_p(p), axis).astype(x.dtype)
    return y if keepdims else y.squeeze(axis)


def norm_along(sizes, p, axis):
    """Return p-norms along axes, the axes kept: scaled sums as in ``norms.py``, with a scale for each."""
    top = sizes.max(axis=axis, keepdims=True, initial=0)
    if p == math.inf:
        return top
    usual = np.isfinite(top) & (top > 0)                    # 0, inf and NaN are their own norms
    scale = np.where(usual, top, 1)
    if p <= LARGE_P:
        scale = np.ldexp(1.0, np.frexp(scale)[1] - 1)
    with np.errstate(over="ignore"):
        total = ((sizes / scale) ** p).sum(axis=axis, keepdims=True)
        return np.where(usual, scale * (np.sqrt(total) if p == 2 else total ** (1 / p)), top)


@primitive
def middle(x, axis=None):
    """Return the weights with which the elements make up the median: 1/2 for each of the two middle ones, or 1.

    Elements that tie with a middle one share its weight.
    """
    axes = tuple(range(x.ndim)) if axis is None else np.lib.array_utils.normalize_axis_tuple(axis, x.ndim)
    rows = np.moveaxis(x, axes, range(-len(axes), 0))
    rows = rows.reshape((*rows.shape[:x.ndim - len(axes)], math.prod(x.shape[a] for a in axes)))
    weights, n = np.zeros_like(x), rows.shape[-1]
    if n == 0:
        return weights
    rows, nan = np.sort(rows, axis=-1), np.isnan(x)                 # NaN comes last, and makes the median NaN
    for k in ((n - 1) // 2, n // 2):
        value = np.where(np.isnan(rows[..., -1]), math.nan, rows[..., k])
        equal = (x == np.expand_dims(value, axes)) | nan
        weights += (0.5 * equal / equal.sum(axis=axis, keepdims=True)).astype(x.dtype)
    return weights


@primitive
def softmax(x, axis=-1):
    """Return exp(x) / sum exp(x) along an axis, shifted by the largest entry so that nothing overflows.

    Entries of -inf get 0.  Where all entries along the axis are -inf there is no such distribution: NaN, as in
    PyTorch.
    """
    x = floating(x)
    e = np.exp(x - x.max(axis=axis, keepdims=True, initial=-math.inf))
    return e / e.sum(axis=axis, keepdims=True)


@primitive
def log_softmax(x, axis=-1):
    """Return x - log sum exp(x) along an axis, shifted by the largest entry so that nothing overflows."""
    x = floating(x)
    shifted = x - x.max(axis=axis, keepdims=True, initial=-math.inf)
    if not x.size:
        return shifted
    return shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True))


@primitive
def logsumexp(x, axis=None, keepdims=False):
    """Return log sum exp(x) along one axis, some, or all, shifted by the largest entry so that nothing overflows.

    Entries of -inf count nothing; over nothing else the result is -inf, with gradient 0 (PyTorch's is NaN).
    """
    x = floating(x)
    top = x.max(axis=axis, keepdims=True, initial=-math.inf)
    top = np.where(np.isfinite(top), top, 0)
    with np.errstate(divide="ignore"):
        y = np.log(np.exp(x - top).sum(axis=axis, keepdims=True)) + top
    return y if keepdims else y.squeeze(axis)

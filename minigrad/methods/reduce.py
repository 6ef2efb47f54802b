"""Methods that reduce, scan or normalise along axes."""

import numpy as np

from minigrad import ops
from minigrad.methods.common import along, call
from minigrad.table import name_of
from minigrad.tensor import apply


def reduction(fn):
    """Return the method for a NumPy reduction."""
    def method(self, axis=None, keepdims=False, *, dim=None, keepdim=False, dtype=None):
        self = self if dtype is None else self.astype(dtype)
        return call(fn, self, axis=along(axis, dim), keepdims=keepdims or keepdim)
    method.__doc__ = f"Return ``{name_of(fn)}`` of the elements along an axis, or several; of all by default."
    return method


def spread(fn):
    """Return the method for the variance or the standard deviation."""
    def method(self, dim=None, unbiased=None, keepdim=False, *, correction=None, axis=None, ddof=None, keepdims=False):
        in_numpy = axis is not None or ddof is not None or keepdims
        given = [n for n in (ddof, correction, None if unbiased is None else int(unbiased)) if n is not None]
        if len(given) > 1:
            raise TypeError("ddof, correction and unbiased say the same thing; give one of them")
        divisor = given[0] if given else int(not in_numpy)
        return call(fn, self, axis=along(axis, dim), ddof=divisor, keepdims=keepdims or keepdim)
    method.__doc__ = f"""Return ``{name_of(fn)}``, in which the sum of squares is divided by n - ddof.

    PyTorch's ``unbiased=True`` (ddof = 1) by default; asked in NumPy's words (``axis=``, ``ddof=``, ``keepdims=``) it
    is NumPy's ddof = 0, as ``{name_of(fn)}(t)`` always is."""
    return method


def norm(self, p=2, axis=None, keepdims=False, *, dim=None, keepdim=False):
    """Return the p-norm of all elements, or along an axis, exact from 1e-308 to 1e308."""
    axis, keepdims = along(axis, dim), keepdims or keepdim
    if isinstance(p, str) and p != "fro":
        raise ValueError(f"norm: p = {p!r}; give a number, \"fro\" or inf (np.linalg.svdvals(t).sum() is the "
                         f"nuclear norm)")
    p = 2 if p in ("fro", None) else p
    return apply(ops.norm, self, p) if axis is None and not keepdims else apply(ops.norm, self, p, axis=axis,
                                                                               keepdims=keepdims)


def scan(fn):
    """Return the method for a running sum or product."""
    def method(self, axis=None, *, dim=None):
        return call(fn, self, axis=along(axis, dim))
    method.__doc__ = f"Return ``{name_of(fn)}`` along an axis, or of all elements in a row."
    return method


def softmax_like(fn):
    """Return the method for a function that is normalised along one axis."""
    def method(self, axis=None, *, dim=None, dtype=None):
        self, axis = self if dtype is None else self.astype(dtype), along(axis, dim)
        return apply(fn, self, axis=-1 if axis is None else axis)
    method.__doc__ = f"Return ``{name_of(fn)}`` along an axis, the last by default."
    return method


METHODS = {
    "sum": reduction(np.sum), "mean": reduction(np.mean), "prod": reduction(np.prod), "amax": reduction(np.max),
    "amin": reduction(np.min), "all": reduction(np.all), "any": reduction(np.any),
    "count_nonzero": reduction(np.count_nonzero), "var": spread(np.var), "std": spread(np.std), "norm": norm,
    "logsumexp": reduction(ops.logsumexp), "softmax": softmax_like(ops.softmax),
    "log_softmax": softmax_like(ops.log_softmax), "cumsum": scan(np.cumsum), "cumprod": scan(np.cumprod),
}

"""The functions of ``import minigrad as mg``: one for every method, and those that take several tensors.

``mg.f(x, ...)`` is ``x.f(...)``, for arrays as well: these become tensors.  A function of each element that NumPy has
under the same name is NumPy's own: ``mg.tanh is np.tanh``.
"""

import numpy as np

from minigrad import ops
from minigrad.methods import METHODS
from minigrad.methods.common import as_tensor, call
from minigrad.methods.types import only_cpu
from minigrad.tensor import Tensor


def from_method(name):
    """Return the function that calls a method of its first argument."""
    method = METHODS[name]

    def function(x, *args, **kwargs):
        return method(as_tensor(x), *args, **kwargs)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = method.__doc__
    return function


def cat(tensors, dim=0, *, axis=None):
    """Return tensors joined along an axis; ``np.concatenate``."""
    return call(ops.concatenate, *map(as_tensor, tensors), axis=dim if axis is None else axis)


def stack(tensors, dim=0, *, axis=None):
    """Return tensors stacked along a new axis; ``np.stack``."""
    return call(ops.stack, *map(as_tensor, tensors), axis=dim if axis is None else axis)


def where(condition, *choices):
    """Return elements of the first choice where the condition holds, else of the second; alone, where it holds."""
    return np.where(as_tensor(condition), *choices)


def einsum(subscripts, *tensors):
    """Return Einstein's sum of products, e.g. ``einsum("ij,jk->ik", a, b)``."""
    tensors = tensors[0] if len(tensors) == 1 and isinstance(tensors[0], (list, tuple)) else tensors
    return np.einsum(subscripts, *map(as_tensor, tensors))


def tensordot(a, b, dims=2):
    """Return products summed over the last ``dims`` axes of a and the first of b, or over the axes in two lists."""
    return np.tensordot(as_tensor(a), as_tensor(b), dims)


def logaddexp(a, b):
    """Return log(exp(a) + exp(b)) without overflow."""
    return np.logaddexp(as_tensor(a), b)


def atan2(a, b):
    """Return the angle of the point (b, a)."""
    return np.arctan2(as_tensor(a), b)


def hypot(a, b):
    """Return sqrt(a^2 + b^2) without overflow."""
    return np.hypot(as_tensor(a), b)


def diff(x, n=1, dim=-1):
    """Return differences of neighbours along an axis."""
    return np.diff(as_tensor(x), n, dim)


def hstack(tensors):
    """Return tensors side by side."""
    return np.hstack([as_tensor(t) for t in tensors])


def vstack(tensors):
    """Return tensors one below the other."""
    return np.vstack([as_tensor(t) for t in tensors])


def meshgrid(*tensors, indexing="ij"):
    """Return the coordinates of a grid; rows first, as PyTorch's default is."""
    return tuple(np.meshgrid(*map(as_tensor, tensors), indexing=indexing))


def is_tensor(x):
    """Say whether something is a tensor."""
    return isinstance(x, Tensor)


def numel(x):
    """Return the number of elements."""
    return as_tensor(x).numel()


def device(name):
    """Return "cpu", the only device; others are refused."""
    return only_cpu(name)


class cuda:
    """What programs ask of a graphics card before they do without it."""

    @staticmethod
    def is_available():
        """Return False: minigrad runs on the CPU."""
        return False


NOT_FUNCTIONS = frozenset(
    "astype bool contiguous cpu dim double expand expand_as float gather half int item long ndimension nelement numpy "
    "requires_grad_ reshape_as to tolist type view view_as".split())
"""Methods that are no functions of the top level: conversions, whose names there are dtypes, and views."""

FUNCTIONS = {
    **{name: from_method(name) for name, method in METHODS.items()
       if name not in NOT_FUNCTIONS and not name.endswith("_") and not name.startswith("__")},
    # what NumPy has under the same name is NumPy's own function: it hands tensors over by itself
    **{name: getattr(np, name) for name, method in METHODS.items() if isinstance(getattr(np, name, None), np.ufunc)},
    "gather": from_method("gather"), "cat": cat, "concat": cat, "concatenate": cat, "stack": stack, "where": where,
    "einsum": einsum, "tensordot": tensordot, "logaddexp": logaddexp, "atan2": atan2, "arctan2": atan2, "hypot": hypot,
    "diff": diff, "hstack": hstack, "vstack": vstack, "meshgrid": meshgrid, "is_tensor": is_tensor, "numel": numel,
    "device": device, "cuda": cuda,
}

"""The functions of ``import minigrad as mg``: one for every method, and those that take several tensors.

``mg.f(x, ...)`` is ``x.f(...)``, for arrays as well: these become tensors.  Functions of one array, element by element,
that NumPy has under the same name are NumPy's own: ``mg.tanh is np.tanh``.
"""

import numpy as np

from minigrad import ops
from minigrad.methods import METHODS
from minigrad.methods.common import as_tensor, call, operand
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


def of_two(name):
    """Return the function of a method that takes another operand: either of the two may be a number."""
    method = METHODS[name]

    def function(a, b, *args, **kwargs):
        if isinstance(a, (int, float)) and isinstance(b, Tensor):       # a number has no say in the dtype
            a = np.asarray(a, b.dtype if b.dtype.kind == "f" else None)
        return method(as_tensor(a), b, *args, **kwargs)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = method.__doc__
    return function


def cat(tensors, dim=0, *, axis=None):
    """Return tensors joined along an axis; ``np.concatenate``."""
    return call(ops.concatenate, *map(operand, tensors), axis=dim if axis is None else axis)


def stack(tensors, dim=0, *, axis=None):
    """Return tensors stacked along a new axis; ``np.stack``."""
    return call(ops.stack, *map(operand, tensors), axis=dim if axis is None else axis)


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


def diff(x, n=1, dim=-1):
    """Return differences of neighbours along an axis."""
    return np.diff(as_tensor(x), n, dim)


def hstack(tensors):
    """Return tensors side by side."""
    return np.hstack([operand(t) for t in tensors])


def vstack(tensors):
    """Return tensors one below the other."""
    return np.vstack([operand(t) for t in tensors])


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

    @staticmethod
    def device_count():
        """Return 0."""
        return 0

    @staticmethod
    def manual_seed_all(seed):
        """Seed nothing; ``mg.manual_seed`` seeds what there is."""

    manual_seed = manual_seed_all


NOT_FUNCTIONS = frozenset(
    "astype bool contiguous cpu dim double expand expand_as float half int item long ndimension nelement new_empty "
    "new_full new_ones new_tensor new_zeros numpy reshape_as to tolist type view view_as where".split())
"""Methods that are no functions of the top level: conversions, whose names there are dtypes, and views."""

OF_TWO = ("mul", "multiply", "div", "divide", "true_divide", "add", "sub", "subtract", "pow", "maximum", "minimum",
          "remainder", "fmod", "atan2", "arctan2", "hypot", "logaddexp", "floor_divide", "fmax", "fmin", "outer", "eq",
          "ne", "lt", "le", "gt", "ge")

FUNCTIONS = {
    **{name: from_method(name) for name, method in METHODS.items()
       if name not in NOT_FUNCTIONS and not name.endswith("_") and not name.startswith("__")},
    **{name: of_two(name) for name in OF_TWO},
    # a function of each element that NumPy has under the same name is NumPy's own: it hands tensors over by itself
    **{name: getattr(np, name) for name in METHODS
       if isinstance(getattr(np, name, None), np.ufunc) and getattr(np, name).nin == 1 and name != "reciprocal"},
    "cat": cat, "concat": cat, "concatenate": cat, "stack": stack, "where": where, "einsum": einsum,
    "tensordot": tensordot, "diff": diff, "hstack": hstack, "vstack": vstack, "meshgrid": meshgrid,
    "is_tensor": is_tensor, "numel": numel, "device": device, "cuda": cuda,
}

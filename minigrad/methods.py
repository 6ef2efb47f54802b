"""What Tensor offers as methods beyond its operators: reductions, functions of one tensor, shapes.

Attached here, so that ``tensor.py`` stays small enough to read.
"""

import numpy as np

from minigrad import ops
from minigrad.tensor import Tensor, apply, result


def reduction(fn):
    """Return the method for a NumPy reduction."""
    def method(self, axis=None, keepdims=False):
        return apply(fn, self, axis=axis, keepdims=keepdims)
    return method


def unary(fn):
    """Return the method for a function of one tensor."""
    def method(self):
        return apply(fn, self)
    return method


def item(self):
    """Return the one element as a Python number."""
    return self._data.item()


def tolist(self):
    """Return nested lists of Python numbers."""
    return self._data.tolist()


def numpy(self):
    """Return a copy of the array, yours to change; refused for a tensor that requires a gradient."""
    return np.array(self.__array__())


def reshape(self, *shape):
    """Return the same elements in another shape; ``reshape(2, 3)`` or ``reshape((2, 3))``."""
    return apply(np.reshape, self, shape[0] if len(shape) == 1 else shape)


def transpose(self, *axes):
    """Return the axes permuted, reversed by default; ``transpose(1, 0)`` or ``transpose((1, 0))``."""
    axes = axes[0] if len(axes) == 1 else axes
    return apply(np.transpose, self, axes or None)


def swapaxes(self, a, b):
    """Return two axes interchanged."""
    return apply(np.swapaxes, self, a, b)


def astype(self, dtype):
    """Return the tensor in another dtype; the gradient comes back in this one, and through whole numbers none does."""
    if np.dtype(dtype).kind != "f":
        return result(self._data.astype(dtype))
    return self if self.dtype == dtype else apply(ops.cast, self, str(np.dtype(dtype)))


def norm(self, p=2):
    """Return the p-norm of all elements, exact from 1e-308 to 1e308."""
    return apply(ops.norm, self, p)


METHODS = {
    "item": item, "tolist": tolist, "numpy": numpy,
    "sum": reduction(np.sum), "mean": reduction(np.mean), "max": reduction(np.max), "min": reduction(np.min),
    "exp": unary(np.exp), "log": unary(np.log), "sqrt": unary(np.sqrt), "square": unary(np.square),
    "sin": unary(np.sin), "cos": unary(np.cos), "tanh": unary(np.tanh), "abs": unary(np.absolute),
    "sign": unary(np.sign), "relu": unary(ops.relu), "sigmoid": unary(ops.sigmoid),
    "reshape": reshape, "transpose": transpose, "swapaxes": swapaxes, "astype": astype, "norm": norm,
}

for name, method in METHODS.items():
    if method.__name__ == "method":
        method.__name__ = name
    setattr(Tensor, name, method)

Tensor.T = property(transpose, doc="The axes reversed.")

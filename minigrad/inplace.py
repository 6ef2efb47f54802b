"""PyTorch's in-place changes: ``p -= step`` under no_grad, ``p.grad.zero_()``, ``p.grad[:] *= c``.

They are offered in the same places and *rebind* the tensor to a new array, so nothing that a pending backward pass
has saved ever changes.  On the tape, ``h += x`` is another way to write ``h = h + x``.
"""

import numpy as np

from minigrad import ops
from minigrad.arguments import plain, requires_grad
from minigrad.recording import RECORDING
from minigrad.tensor import Tensor, apply


def change(tensor, fn, *others):
    """Rebind a tensor to ``fn(tensor, *others)``, where no gradient can go wrong by it.

    Raises:
        RuntimeError: for a leaf that requires a gradient, while operations are recorded; for a result on the tape.
        ValueError: if the shape would change.
    """
    if RECORDING.get() and requires_grad([tensor, *others]):
        if tensor.is_leaf and tensor.requires_grad:
            raise RuntimeError("a leaf that requires a gradient cannot be changed in place while operations are "
                               "recorded; wrap the update in `with mg.no_grad():`")
        raise RuntimeError("this in-place change would be needed by a gradient; write it out of place: h = h + x for "
                           "h.add_(x), np.where or np.stack for h[i] = x")
    tensor._rebind(fn(tensor._data, *(plain(other) for other in others)))
    return tensor


def operator(fn):
    """Return the method for ``t += x``: in place off the tape, ``t = t + x`` on it."""
    def method(self, other):
        is_parameter = self.is_leaf and self.requires_grad
        if RECORDING.get() and not is_parameter and requires_grad([self, other]):
            return apply(fn, self, other)
        return change(self, fn, other)
    return method


def in_place(fn):
    """Return the method that rebinds a tensor to ``fn(tensor, other)``."""
    def method(self, other):
        return change(self, fn, other)
    return method


def add_(self, other, alpha=1):
    """Rebind the tensor to itself + alpha * other."""
    if alpha != 1:
        other = alpha * (other if isinstance(other, Tensor) else np.asarray(other))
    return change(self, np.add, other)


def zero_(self):
    """Rebind the tensor to zeros."""
    return change(self, np.zeros_like)


def fill_(self, value):
    """Rebind the tensor to one value everywhere."""
    return change(self, lambda x: np.full_like(x, float(value)))


def clamp_(self, min=None, max=None):
    """Rebind the tensor to its elements limited to [min, max]; NaN stays NaN."""
    return change(self, lambda x: np.clip(x, min, max))


def copy_(self, other):
    """Rebind the tensor to the values of another, broadcast to its shape."""
    return change(self, lambda x, o: np.broadcast_to(np.array(o, x.dtype), x.shape).copy(), other)


def setitem(self, index, value):
    """Rebind the tensor to itself with some elements replaced: ``t[index] = value``."""
    def assign(x, value):
        out = x.copy()
        out[ops.plain_index(index)] = value
        return out
    change(self, assign, value)


METHODS = {
    "__iadd__": operator(np.add), "__isub__": operator(np.subtract),
    "__imul__": operator(np.multiply), "__itruediv__": operator(np.true_divide), "__setitem__": setitem,
    "add_": add_, "sub_": in_place(np.subtract), "mul_": in_place(np.multiply), "div_": in_place(np.true_divide),
    "zero_": zero_, "fill_": fill_, "clamp_": clamp_, "copy_": copy_,
}

for name, method in METHODS.items():
    method.__name__ = name
    setattr(Tensor, name, method)

"""PyTorch's in-place changes: ``p -= step`` under no_grad, ``p.grad.zero_()``, ``p.grad[:] *= c``.

They are offered in the same places and *rebind* the tensor to a new array, so nothing that a pending backward pass
has saved ever changes.  On the tape ``out[t] = h`` and ``h.add_(x)`` turn the tensor into the result of an operation on
what it was; a backward pass that comes to a tensor which was used before it was changed in this way is refused.
``h += x`` is another way to write ``h = h + x``.
"""

import numpy as np

from minigrad import ops, seeding
from minigrad.arguments import plain, requires_grad
from minigrad.methods import choosing
from minigrad.methods.common import as_tensor, call
from minigrad.recording import RECORDING
from minigrad.table import FREED, name_of
from minigrad.tensor import Tensor, apply, result
from minigrad.views import write


def change(tensor, fn, *others):
    """Rebind a tensor to ``fn(tensor, *others)``, where no gradient can go wrong by it.

    Raises:
        RuntimeError: for a leaf that requires a gradient, while operations are recorded; for a view off the tape that
            would get a gradient; without recording, for a result on the tape.
        ValueError: if the shape would change.
    """
    if RECORDING.get() and requires_grad([tensor, *others]):
        if tensor.is_leaf and tensor.requires_grad:
            raise RuntimeError("a leaf that requires a gradient cannot be changed in place while operations are "
                               "recorded; wrap the update in `with mg.no_grad():`")
        if is_view(tensor):
            raise RuntimeError("this tensor is a view of another, into which no gradient can be written; write to "
                               "that one, t[i, j] = x for t[i][j] = x, or to t.clone()")
        return change_on_tape(tensor, fn, others)
    others = [plain(other) for other in others]
    if tensor._fn is None and tensor._saved:            # a view: what it looks into changes with it
        write(tensor, lambda array: fn(array, *others))
    else:
        tensor._rebind(fn(tensor._array, *others))
    return tensor


STATE = ("_array", "_fn", "_parents", "_saved", "_kwargs", "_number", "_requires_grad")


def is_view(tensor):
    """Say whether a tensor looks into another one, on the tape or off it."""
    if tensor._fn is None:
        return bool(tensor._saved)
    return any(p is not None and np.may_share_memory(tensor._array, p._array) for p in tensor._parents)


def change_on_tape(tensor, fn, others):
    """Make a tensor the result of ``fn(what it was, *others)``; what it was goes on as a node of its own."""
    before = Tensor.__new__(Tensor)
    for slot in (*STATE, "_hooks", "_grad"):
        setattr(before, slot, getattr(tensor, slot))
    after = as_tensor(fn(before, *others))
    tensor._fitting(after._array)
    after = after.astype(tensor.dtype)
    if after is before:
        return tensor
    if before._requires_grad:                   # nobody can point to a constant
        point_to(before, tensor, [after])
    for slot in STATE:
        setattr(tensor, slot, getattr(after, slot))
    tensor._hooks = before._grad = None         # hooks see what was; a gradient that is kept is that of what is
    return tensor


def point_to(before, tensor, nodes):
    """Let what the new values were made of refer to what the tensor was: ``h[0] += x`` has read it first."""
    nodes, seen = list(nodes), set()
    while nodes:
        node = nodes.pop()
        if node._number > tensor._number and node._number not in seen:
            seen.add(node._number)
            node._parents = tuple(before if p is tensor else p for p in node._parents)
            nodes.extend(p for p in node._parents if p is not None)


def operator(fn):
    """Return the method for ``t += x``: in place off the tape, ``t = t + x`` on it."""
    def method(self, other):
        is_parameter = self.is_leaf and self.requires_grad
        if RECORDING.get() and not is_parameter and requires_grad([self, other]):
            return apply(fn, self, other)
        return change(self, fn, other)
    method.__doc__ = f"Rebind the tensor to ``{name_of(fn)}`` of itself and another; on the tape, return that."
    return method


def in_place(fn):
    """Return the method that rebinds a tensor to ``fn(tensor, other)``."""
    def method(self, other):
        return change(self, fn, other)
    method.__doc__ = f"Rebind the tensor to ``{name_of(fn)}`` of itself and another."
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
    def filled(x, value):
        value = value.astype(x.dtype) if isinstance(value, Tensor) else np.asarray(value, x.dtype)
        filled = np.broadcast_to(value, x.shape)
        return filled.clone() if isinstance(filled, Tensor) else filled
    return change(self, filled, value)


def clamp_(self, min=None, max=None):
    """Rebind the tensor to its elements limited to [min, max]; NaN stays NaN."""
    return change(self, lambda x: np.clip(x, min, max))


def copy_(self, other):
    """Rebind the tensor to the values of another, broadcast to its shape."""
    def copied(x, other):
        if isinstance(other, Tensor):
            return np.broadcast_to(other, x.shape).clone()
        return np.broadcast_to(np.array(other, x.dtype), x.shape).copy()
    return change(self, copied, other)


def setitem(self, index, value):
    """Rebind the tensor to itself with some elements replaced: ``t[index] = value``."""
    change(self, lambda x, value: replaced(x, ops.plain_index(index), value), value)


def replaced(x, index, value):
    """Return an array or tensor with some elements replaced."""
    if not isinstance(x, Tensor):
        out = x.copy()
        out[index] = value
        return out
    times = np.zeros(x.shape, int)
    np.add.at(times, index, 1)
    if times.max(initial=0) > 1:
        raise RuntimeError("t[index] = x on the tape, with an index that names an element twice: which of the values "
                           "counts is not defined; name each once")
    value, shape = as_tensor(value), times[index].shape
    if value.ndim > len(shape) and set(value.shape[:value.ndim - len(shape)]) == {1}:      # t[0] = row of shape (1, n)
        value = value.reshape(value.shape[value.ndim - len(shape):])
    value = np.broadcast_to(value, shape)
    return np.where(times > 0, call(ops.scatter, value.astype(x.dtype), index, x.shape), x)


def unary(fn):
    """Return the method that rebinds a tensor to ``fn`` of its elements."""
    def method(self):
        return change(self, fn)
    method.__doc__ = f"Rebind the tensor to ``{name_of(fn)}`` of every element."
    return method


def addcmul_(self, a, b, value=1):
    """Rebind the tensor to itself + value * a * b."""
    return change(self, lambda x, a, b: x + value * (a * b), a, b)


def addcdiv_(self, a, b, value=1):
    """Rebind the tensor to itself + value * a / b."""
    return change(self, lambda x, a, b: x + value * (a / b), a, b)


def lerp_(self, end, weight):
    """Rebind the tensor to itself + weight * (end - itself)."""
    return change(self, lambda x, end: x + weight * (end - x), end)


def masked_fill_(self, mask, value):
    """Rebind the tensor to one with ``value`` where the mask holds."""
    return change(self, lambda x, mask: np.where(mask, value, x), mask)


def by(method):
    """Return the method that rebinds a tensor to what a method of it returns."""
    def in_place(self, *args, **kwargs):
        tracked = [a for a in (*args, *kwargs.values()) if isinstance(a, Tensor) and a.requires_grad]
        return change(self, lambda x, *_: method(x, *args, **kwargs) if isinstance(x, Tensor)
                      else method(result(x), *args, **kwargs)._array, *tracked)
    in_place.__doc__ = method.__doc__ and "In place: " + method.__doc__        # python -OO leaves docstrings out
    return in_place


def fill_diagonal_(self, value):
    """Rebind the tensor to one with ``value`` on its diagonal."""
    return change(self, lambda x: np.where(np.eye(*x.shape, dtype=bool), np.asarray(value, x.dtype), x))


def random_(self, low=0, high=None, generator=None):
    """Rebind the tensor to whole numbers from low ... high - 1; ``random_(high)`` starts from 0."""
    low, high = (0, low) if high is None else (low, high)
    rng = seeding.generator(generator)
    return change(self, lambda x: rng.integers(low, high, x.shape).astype(x.dtype))


def bernoulli_(self, p=0.5, generator=None):
    """Rebind the tensor to 1 with probability p, else 0."""
    rng = seeding.generator(generator)
    return change(self, lambda x: (rng.random(x.shape) < p).astype(x.dtype))


def normal_(self, mean=0.0, std=1.0, generator=None):
    """Rebind the tensor to normal numbers, from the default generator or the one given."""
    rng = seeding.generator(generator)
    return change(self, lambda x: rng.normal(mean, std, x.shape).astype(x.dtype))


def uniform_(self, low=0.0, high=1.0, generator=None):
    """Rebind the tensor to numbers uniform in [low, high), from the default generator or the one given."""
    rng = seeding.generator(generator)
    return change(self, lambda x: rng.uniform(low, high, x.shape).astype(x.dtype))


def detach_(self):
    """Need no gradient any more, as after ``t = t.detach()``; refused while a backward pass may still come through."""
    if self._fn not in (None, FREED):
        raise RuntimeError("detach_: this result is on the tape, and a backward pass may still come through it; write "
                           "t = t.detach()")
    self._requires_grad = False
    return self


METHODS = {
    "__iadd__": operator(np.add), "__isub__": operator(np.subtract),
    "__imul__": operator(np.multiply), "__itruediv__": operator(np.true_divide), "__setitem__": setitem,
    "__ipow__": operator(np.power), "__ifloordiv__": operator(np.floor_divide), "__imod__": operator(np.remainder),
    "__imatmul__": operator(np.matmul), "__iand__": operator(np.bitwise_and), "__ior__": operator(np.bitwise_or),
    "__ixor__": operator(np.bitwise_xor),
    "add_": add_, "sub_": in_place(np.subtract), "mul_": in_place(np.multiply), "div_": in_place(np.true_divide),
    "pow_": in_place(np.power), "zero_": zero_, "fill_": fill_, "clamp_": clamp_, "clip_": clamp_, "copy_": copy_,
    "addcmul_": addcmul_, "addcdiv_": addcdiv_, "lerp_": lerp_, "masked_fill_": masked_fill_, "normal_": normal_,
    "uniform_": uniform_, "detach_": detach_, "neg_": unary(np.negative), "abs_": unary(np.absolute),
    "sqrt_": unary(np.sqrt), "exp_": unary(np.exp), "tanh_": unary(np.tanh), "relu_": unary(ops.relu),
    "sigmoid_": unary(ops.sigmoid), "log_": unary(np.log), "floor_": unary(np.floor), "ceil_": unary(np.ceil),
    "round_": unary(np.rint), "square_": unary(np.square), "reciprocal_": unary(np.reciprocal), "sin_": unary(np.sin),
    "fill_diagonal_": fill_diagonal_, "random_": random_, "bernoulli_": bernoulli_,
    "scatter_": by(choosing.scatter), "scatter_add_": by(choosing.scatter_add), "index_add_": by(choosing.index_add),
}

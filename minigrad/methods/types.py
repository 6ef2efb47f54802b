"""Methods that convert: to numbers, arrays and other dtypes."""

import numpy as np

from minigrad import ops
from minigrad.tensor import Tensor, apply, result


def item(self):
    """Return the one element as a Python number."""
    if self.size != 1:
        raise ValueError(f"item() of a tensor of shape {self.shape}: only one element is a number; reduce it first, or "
                         f"use tolist()")
    return self._array.item()


def tolist(self):
    """Return nested lists of Python numbers."""
    return self._array.tolist()


def numpy(self):
    """Return a copy of the array, yours to change; refused for a tensor that requires a gradient."""
    return np.array(self.__array__())


def astype(self, dtype):
    """Return the tensor in another dtype; the gradient comes back in this one, and through whole numbers none does."""
    if np.dtype(dtype).kind not in "fiub":
        raise TypeError(f"a tensor holds real numbers, not dtype {np.dtype(dtype)}; convert t.data instead")
    if np.dtype(dtype).kind != "f":
        return result(self._array.astype(dtype))
    return self if self.dtype == dtype else apply(ops.cast, self, str(np.dtype(dtype)))


def to(self, *targets, dtype=None, device=None, non_blocking=False, copy=False):
    """Return the tensor in another dtype, or that of another tensor; "cpu" is the only device there is."""
    for target in (*targets, dtype, device):
        if isinstance(target, Tensor):
            self = self.astype(target.dtype)
        elif isinstance(target, str) and target.split(":")[0] in ("cpu", "cuda", "mps"):
            only_cpu(target)
        elif target is not None and not isinstance(target, bool):
            self = self.astype(target)
    return self


def only_cpu(device):
    """Refuse every device but "cpu"."""
    if str(device).split(":")[0] != "cpu":
        raise ValueError(f"device {str(device)!r}: minigrad runs on the CPU, \"cpu\", only")
    return "cpu"


def as_dtype(dtype):
    """Return the method that converts to a dtype."""
    def method(self):
        return self.astype(dtype)
    method.__doc__ = f"Return the tensor as {dtype}."
    return method


def new(constructor):
    """Return the method that makes a tensor of this one's dtype."""
    def method(self, *size, dtype=None, requires_grad=False, device=None):
        array = constructor(*size).astype(dtype or self.dtype)
        return Tensor(array, requires_grad=requires_grad)
    method.__doc__ = "Return a new tensor of this one's dtype."
    return method


def shaped(value):
    """Return a function of a shape, in one argument or several, to an array of one value."""
    return lambda *size: np.full(size[0] if len(size) == 1 and not isinstance(size[0], int) else size, value)


def clone(self):
    """Return a copy; the gradient passes through it."""
    return apply(np.positive, self) if self.requires_grad else result(self._array.copy())


def same(self):
    """Return the tensor itself: it is on the CPU, and contiguous or not makes no difference here."""
    return self


def numel(self):
    """Return the number of elements."""
    return self._array.size


def dim(self):
    """Return the number of axes."""
    return self._array.ndim


def is_floating_point(self):
    """Say whether the elements are floating-point numbers."""
    return self.dtype.kind == "f"


METHODS = {
    "item": item, "tolist": tolist, "numpy": numpy, "astype": astype, "type": astype, "to": to, "clone": clone,
    "new_zeros": new(shaped(0.0)), "new_ones": new(shaped(1.0)), "new_empty": new(shaped(0.0)),
    "new_full": new(np.full),
    "new_tensor": new(np.array), "contiguous": same, "cpu": same, "numel": numel, "nelement": numel, "dim": dim,
    "ndimension": dim,
    "is_floating_point": is_floating_point, "half": as_dtype("float16"), "float": as_dtype("float32"),
    "double": as_dtype("float64"), "int": as_dtype("int32"), "long": as_dtype("int64"), "bool": as_dtype("bool"),
}

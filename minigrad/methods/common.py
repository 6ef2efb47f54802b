"""What the pages share: two names for one argument, a function turned into a method."""

from minigrad.table import RULES, name_of
from minigrad.tensor import Tensor, apply


def along(axis, dim):
    """Return the axis (or axes) that was asked for, under NumPy's name or PyTorch's."""
    if dim is not None and axis is not None:
        raise TypeError(f"axis={axis!r} and dim={dim!r}: two names for one thing; give one of them")
    chosen = axis if dim is None else dim
    return tuple(chosen) if isinstance(chosen, list) else chosen


def call(fn, *args, **kwargs):
    """Call a function of tensors, by the short way where it stands in the table itself."""
    return apply(fn, *args, **kwargs) if fn in RULES else fn(*args, **kwargs)


def as_tensor(x):
    """Return ``x`` as a tensor; one that is a tensor already as it is."""
    return x if isinstance(x, Tensor) else Tensor(x)


def operand(x):
    """Return ``x`` as a tensor; a Python number as it is, as it has no say in the dtype."""
    return x if isinstance(x, (Tensor, int, float)) else Tensor(x)


def unary(fn):
    """Return the method for a function of one tensor."""
    def method(self):
        return call(fn, self)
    method.__doc__ = f"Return ``{name_of(fn)}`` of every element."
    return method


def binary(fn):
    """Return the method for a function of two."""
    def method(self, other):
        return call(fn, self, other)
    method.__doc__ = f"Return ``{name_of(fn)}`` of this tensor and another."
    return method

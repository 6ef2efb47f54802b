"""Methods that rearrange elements."""

import math

import numpy as np

from minigrad.methods.common import along, unary
from minigrad.table import name_of
from minigrad.tensor import apply


class Size(int):
    """The number of elements; called as PyTorch's ``t.size()`` or ``t.size(0)``, the shape or one side of it.

    Example:
        >>> import minigrad as mg
        >>> t = mg.zeros(2, 3)
        >>> t.size == 6, t.size(), t.size(0)
        (True, (2, 3), 2)
    """

    def __new__(cls, shape):
        self = super().__new__(cls, math.prod(shape))
        self._shape = shape
        return self

    def __call__(self, dim=None):
        return self._shape if dim is None else self._shape[dim]


def sizes(given):
    """Return ``(2, 3)`` for ``f(2, 3)``, ``f((2, 3))`` and ``f([2, 3])``."""
    return tuple(given[0]) if len(given) == 1 and isinstance(given[0], (tuple, list)) else given


def reshape(self, *sides, shape=None):
    """Return the same elements in another shape; ``reshape(2, 3)`` or ``reshape((2, 3))``; one side may be -1."""
    return apply(np.reshape, self, sizes(sides) if shape is None else tuple(shape))


def reshape_as(self, other):
    """Return the same elements in the shape of another tensor."""
    return apply(np.reshape, self, other.shape)


def flatten(self, start_dim=0, end_dim=-1):
    """Return the axes from ``start_dim`` to ``end_dim`` made one."""
    if self.ndim == 0:
        return self.reshape(1)
    first, last = (range(self.ndim)[d] for d in (start_dim, end_dim))
    if first > last:
        raise ValueError(f"flatten: start_dim {start_dim} comes after end_dim {end_dim}")
    shape = self.shape
    return self.reshape(*shape[:first], math.prod(shape[first:last + 1]), *shape[last + 1:])


def transpose(self, *axes, dim0=None, dim1=None):
    """Return the axes permuted, reversed by default; two axes alone are interchanged, as PyTorch does.

    ``t.transpose(2, 0, 1)`` and ``t.transpose((2, 0, 1))`` are NumPy's permutation, ``t.transpose(0, 1)`` is PyTorch's
    exchange.
    """
    axes = (*axes, *(d for d in (dim0, dim1) if d is not None))
    if len(axes) == 2:
        return apply(np.swapaxes, self, *axes)
    axes = sizes(axes)
    return apply(np.transpose, self, None if axes in ((), (None,)) else axes)


def permute(self, *order, dims=None):
    """Return the axes in another order."""
    return apply(np.transpose, self, sizes(order) if dims is None else tuple(dims))


def swapaxes(self, a, b):
    """Return two axes interchanged."""
    return apply(np.swapaxes, self, a, b)


def t(self):
    """Return the transpose of a matrix; a vector as it is."""
    if self.ndim > 2:
        raise ValueError(f"t() is for matrices, not for shape {self.shape}; name the axes: transpose(a, b)")
    return self.T


def squeeze(self, axis=None, *, dim=None):
    """Return the tensor without its axes of length 1; with an axis given, without that one if its length is 1."""
    axis = along(axis, dim)
    if axis is None:
        return np.squeeze(self)
    axes = axis if isinstance(axis, tuple) else (axis,)
    return np.squeeze(self, tuple(a for a in axes if self.shape[a] == 1))


def unsqueeze(self, dim):
    """Return the tensor with a new axis of length 1 at ``dim``."""
    return np.expand_dims(self, dim)


def expand(self, *shape):
    """Return the tensor broadcast to a shape; -1 keeps a side as it is."""
    shape = sizes(shape)
    lead = len(shape) - self.ndim
    return np.broadcast_to(self, tuple(self.shape[i - lead] if n == -1 and i >= lead else n
                                       for i, n in enumerate(shape)))


def expand_as(self, other):
    """Return the tensor broadcast to the shape of another."""
    return np.broadcast_to(self, other.shape)


def flip(self, *axes, dims=None, axis=None):
    """Return the elements in reverse along some axes."""
    return own(np.flip(self, sizes(axes) or along(axis, dims)))


def own(out):
    """Return a result that is a copy, where NumPy's is a view and PyTorch's is none."""
    return out if out.requires_grad else out.clone()


def diag(self, diagonal=0):
    """Return the diagonal of a matrix, or the matrix with a vector on its diagonal."""
    return own(np.diag(self, diagonal))


def roll(self, shifts, dims=None, *, axis=None):
    """Return the elements shifted along some axes, re-entering at the other end."""
    return np.roll(self, shifts, along(axis, dims))


def tile(self, *repeats, dims=None):
    """Return the tensor repeated side by side, so many times along each axis."""
    return np.tile(self, sizes(repeats) if dims is None else tuple(dims))


def repeat(self, *repeats, axis=None):
    """Return the tensor side by side, so many times along each axis (PyTorch's; ``tile``).

    With ``axis=`` it is NumPy's: every element, or slice along the axis, repeated in place.
    """
    if axis is not None:
        return np.repeat(self, *repeats, axis)
    repeats = sizes(repeats)
    if len(repeats) < self.ndim:
        raise ValueError(f"repeat: {repeats} for a tensor of shape {self.shape}; give one number per axis, "
                         f"for the whole to be repeated, or say np.repeat(t, n, axis)")
    return np.tile(self, repeats)


def repeat_interleave(self, repeats, dim=None):
    """Return every element (or slice along ``dim``) repeated in place; ``np.repeat``."""
    return np.repeat(self, repeats, dim)


def split(self, split_size_or_sections, dim=0):
    """Return stretches of one size along an axis, the last may be shorter; or of the sizes in a list."""
    size, length = split_size_or_sections, self.shape[dim]
    if isinstance(size, int) and size < 1:
        raise ValueError(f"split: a stretch of {size} elements; give a size of at least 1, or a list of sizes")
    parts = list(size) if isinstance(size, (list, tuple)) else [size] * -(-length // size)
    if isinstance(size, (list, tuple)) and sum(parts) != length:
        raise ValueError(f"split: the sizes {parts} add up to {sum(parts)}, but axis {dim} is {length} long")
    return pieces(self, parts, dim)


def chunk(self, chunks, dim=0):
    """Return about so many equal stretches along an axis."""
    return split(self, -(-self.shape[dim] // chunks), dim)


def pieces(self, parts, dim):
    """Return consecutive stretches along an axis."""
    lead, out, start = (slice(None),) * (dim % self.ndim), [], 0
    for n in parts:
        out.append(self[(*lead, slice(start, start + n))])
        start += n
    return tuple(out)


def unbind(self, dim=0):
    """Return the slices along an axis, as a tuple."""
    lead = (slice(None),) * (dim % self.ndim)
    return tuple(self[(*lead, i)] for i in range(self.shape[dim]))


def narrow(self, dim, start, length):
    """Return the stretch of ``length`` from ``start`` along an axis."""
    if not 0 <= start <= start + length <= self.shape[dim]:
        raise ValueError(f"narrow: {length} elements from {start} on axis {dim} of shape {self.shape}")
    return self[(*(slice(None),) * (dim % self.ndim), slice(start, start + length))]


def select(self, dim, index):
    """Return the slice at an index along an axis."""
    return self[(*(slice(None),) * (dim % self.ndim), index)]


def moveaxis(self, source, destination):
    """Return the tensor with axes moved to other places."""
    return np.moveaxis(self, source, destination)


def shaped(fn, first=0):
    """Return the method for a NumPy function with one whole number, such as which diagonal."""
    def method(self, diagonal=first):
        return fn(self, diagonal)
    method.__doc__ = f"Return ``{name_of(fn)}`` with this diagonal, the main one by default."
    return method


def diagonal(self, offset=0, dim1=0, dim2=1):
    """Return the diagonal of two axes."""
    return np.diagonal(self, offset, dim1, dim2)


METHODS = {
    "reshape": reshape, "view": reshape, "reshape_as": reshape_as, "view_as": reshape_as, "flatten": flatten,
    "ravel": flatten, "transpose": transpose, "permute": permute, "swapaxes": swapaxes, "t": t, "squeeze": squeeze,
    "unsqueeze": unsqueeze, "expand": expand, "expand_as": expand_as, "flip": flip, "roll": roll, "tile": tile,
    "repeat": repeat,
    "repeat_interleave": repeat_interleave, "split": split, "chunk": chunk, "unbind": unbind, "moveaxis": moveaxis,
    "movedim": moveaxis, "narrow": narrow, "select": select, "broadcast_to": expand, "tril": shaped(np.tril),
    "triu": shaped(np.triu), "diag": diag,
    "diagonal": diagonal, "trace": unary(np.trace),
}

"""Methods that ask which element: largest and smallest, order, picking by index or mask.

``t.max(axis=1)`` is NumPy's maximum.  In PyTorch's words, ``t.max(1)`` or ``t.max(dim=1)``, the answer is PyTorch's:
the values together with where they were found.
"""

from collections import namedtuple

import numpy as np

from minigrad import ops
from minigrad.methods.common import along, as_tensor, call
from minigrad.tensor import Tensor, result

Found = namedtuple("Found", "values indices")
"""What was chosen, and where it was found."""


def pick(self, indices, dim):
    """Return the elements at ``indices`` along an axis, together with these."""
    indices = result(indices)
    return Found(np.take_along_axis(self, indices, dim), indices)


def extreme(fn, where, of_two):
    """Return the method for the largest or the smallest element."""
    def method(self, dim=None, keepdim=False, *, axis=None, keepdims=False):
        if isinstance(dim, (Tensor, np.ndarray)):
            return call(of_two, self, dim)
        if dim is None:
            return call(fn, self, axis=axis, keepdims=keepdims)
        dim = along(axis, dim)
        found = pick(self, np.expand_dims(where(self._array, axis=dim), dim), dim)
        return found if keepdim or keepdims else Found(*(np.squeeze(part, dim) for part in found))
    name = fn.__name__
    method.__doc__ = f"""Return the {name} of all elements, or ``{name}(axis=1)`` along axes: equals share the gradient.

    ``{name}(1)`` and ``{name}(dim=1)`` return (values, indices), as PyTorch does: the gradient goes to the element
    found, the first of equals.  With another tensor: the {name} of the two, element by element."""
    return method


def arg(fn):
    """Return the method for the place of the largest or the smallest element."""
    def method(self, axis=None, keepdims=False, *, dim=None, keepdim=False):
        return call(fn, self, axis=along(axis, dim), keepdims=keepdims or keepdim)
    method.__doc__ = f"Return ``np.{fn.__name__}``: where the first such element is, along an axis or of all in a row."
    return method


def argsort(self, dim=-1, descending=False, stable=True, *, axis=None):
    """Return the indices that sort an axis; equal elements keep their order."""
    values, dim = self._array, dim if axis is None else axis
    if not descending:
        return result(np.argsort(values, axis=dim, kind="stable"))
    backwards = np.argsort(np.flip(values, dim), axis=dim, kind="stable")   # turned twice: equals keep their order
    return result(np.flip(values.shape[dim] - 1 - backwards, dim))


def sort(self, dim=-1, descending=False, stable=True, *, axis=None):
    """Return (values, indices) sorted along an axis, as PyTorch does; ``np.sort(t)`` returns the values alone."""
    dim = dim if axis is None else axis
    return pick(self, argsort(self, dim, descending)._array, dim)


def topk(self, k, dim=-1, largest=True, sorted=True):
    """Return (values, indices) of the k largest (or smallest) elements along an axis, in order."""
    length = self.shape[dim]
    if not 0 <= k <= length:
        raise ValueError(f"topk: k = {k}, but axis {dim} of shape {self.shape} has {length} elements")
    order = argsort(self, dim, descending=largest)._array
    return pick(self, np.take(order, range(k), axis=dim), dim)


def median(self, dim=None, keepdim=False, *, axis=None, keepdims=False):
    """Return the median: PyTorch's, which takes the lower of two in the middle, with indices if a ``dim`` is given.

    ``median(axis=...)`` and ``np.median(t)`` are NumPy's: the mean of the two.
    """
    if axis is not None or keepdims:
        return call(np.median, self, axis=axis, keepdims=keepdims)
    if dim is None:
        flat = self.reshape(-1)
        return flat.sort()[0][(flat.numel() - 1) // 2]
    middle = (self.shape[dim] - 1) // 2
    found = pick(self, np.take(argsort(self, dim)._array, [middle], axis=dim), dim)
    return found if keepdim else Found(*(np.squeeze(part, dim) for part in found))


def gather(self, dim, index):
    """Return the elements at ``index`` along an axis; ``index`` has as many axes, and at most the other sides."""
    index = as_tensor(index)
    if index.ndim != self.ndim:
        raise ValueError(f"gather: index of shape {index.shape} for a tensor of shape {self.shape}; it needs as many "
                         f"axes")
    dim = range(self.ndim)[dim]
    if any(n > m for i, (n, m) in enumerate(zip(index.shape, self.shape)) if i != dim):
        raise ValueError(f"gather: index of shape {index.shape} is larger than the tensor's {self.shape} beside axis "
                         f"{dim}")
    cut = tuple(slice(None) if i == dim else slice(n) for i, n in enumerate(index.shape))
    return np.take_along_axis(self[cut], index, dim)


def places(self, dim, index):
    """Return the index of the elements at ``index`` along an axis, as gather and scatter count them."""
    dim = range(self.ndim)[dim]
    index = as_tensor(index)._array
    return tuple(index if k == dim else np.arange(n).reshape([n if j == k else 1 for j in range(index.ndim)])
                 for k, n in enumerate(index.shape))


def scatter(self, dim, index, src):
    """Return the tensor with elements at ``index`` along an axis replaced, by a number or the elements of ``src``."""
    where = places(self, dim, index)
    mask = np.zeros(self.shape, bool)
    mask[where] = True
    if not isinstance(src, (int, float)):
        src = call(ops.scatter, as_tensor(src)[tuple(map(slice, as_tensor(index).shape))], where,
                   self.shape)
    return np.where(mask, src, self)


def scatter_add(self, dim, index, src):
    """Return the tensor with the elements of ``src`` added at ``index`` along an axis; repeated indices add up."""
    src = as_tensor(src)[tuple(map(slice, as_tensor(index).shape))]
    return self + call(ops.scatter, src, places(self, dim, index), self.shape)


def index_add(self, dim, index, source):
    """Return the tensor with the slices of ``source`` added at ``index`` along an axis."""
    where = (*(slice(None),) * (dim % self.ndim), as_tensor(index)._array)
    return self + call(ops.scatter, as_tensor(source), where, self.shape)


def unique(self, return_inverse=False, return_counts=False):
    """Return the different elements in order; with them, where each element is among them, and how often it stands."""
    found = np.unique(self._array, return_inverse=return_inverse, return_counts=return_counts)
    return tuple(map(result, found)) if isinstance(found, tuple) else result(found)


def bincount(self, minlength=0):
    """Return how often each of 0, 1, 2, ... stands here."""
    return result(np.bincount(self._array, minlength=minlength))


def index_select(self, dim, index):
    """Return the slices at ``index`` along an axis."""
    return np.take(self, as_tensor(index)._array, axis=dim)


def masked_fill(self, mask, value):
    """Return the tensor with ``value`` where the mask holds."""
    return np.where(as_tensor(mask), value, self)


def masked_select(self, mask):
    """Return the elements where the mask holds, in a row."""
    mask = as_tensor(mask)._array
    shape = np.broadcast_shapes(self.shape, mask.shape)
    return np.broadcast_to(self, shape)[np.broadcast_to(mask, shape)]


def nonzero(self):
    """Return the indices of the elements that are not 0, one row each."""
    return result(np.argwhere(self._array))


METHODS = {
    "max": extreme(np.max, np.argmax, np.maximum), "min": extreme(np.min, np.argmin, np.minimum),
    "argmax": arg(np.argmax), "argmin": arg(np.argmin), "argsort": argsort, "sort": sort, "topk": topk,
    "median": median, "gather": gather, "index_select": index_select, "masked_fill": masked_fill,
    "masked_select": masked_select, "nonzero": nonzero, "scatter": scatter, "scatter_add": scatter_add,
    "index_add": index_add, "unique": unique, "bincount": bincount,
}

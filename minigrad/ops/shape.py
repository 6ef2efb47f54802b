"""Picking elements and putting arrays together, as operations that can go on the tape."""

import numpy as np

from minigrad.table import primitive

FEW = 512
"""Below so many elements ``np.add.at`` as it stands is the quickest way to add up."""

PAIRS = {np.dtype(np.float32): np.complex64, np.dtype(np.float64): np.complex128}
"""Two neighbours in memory are the two parts of a complex number, and complex numbers are added part by part."""


def plain_index(index):
    """Return an index without tensors in it, its arrays copied: the caller may reuse them before backward.

    Lists become arrays, and whole numbers of any kind Python's own, so that only an array can name an element twice.
    """
    if isinstance(index, tuple):
        return tuple(plain_index(np.array(i)) if isinstance(i, tuple) else plain_index(i) for i in index)
    if isinstance(index, (slice, int, type(None), type(Ellipsis))):
        return index
    array = np.array(index)
    if array.ndim == 0 and array.dtype.kind in "iu":
        return int(array)
    return array if array.size else array.astype(array.dtype if array.dtype.kind in "iub" else int)     # [] is float


def along_axis(indices, shape, axis):
    """Return the index that picks by ``indices`` along one axis and walks along all the others.

    ``x[along_axis(i, x.shape, axis)]`` is ``np.take_along_axis(x, i, axis)``; handed to :func:`scatter` it adds up what
    that function picks.
    """
    axis = range(len(shape))[axis]
    return tuple(indices if k == axis else np.arange(n).reshape([n if j == k else 1 for j in range(len(shape))])
                 for k, n in enumerate(shape))


@primitive
def take(x, index):
    """Return x[index] for any index NumPy takes."""
    if type(index) is np.ndarray and index.dtype.kind == "i" and x.ndim:
        return x.take(index, axis=0)            # the same, in half the time
    return x[index]


@primitive
def scatter(g, index, shape):
    """Return zeros of ``shape`` with g added at ``index``, repeated indices adding up: take, turned round.

    Example:
        >>> import numpy as np
        >>> from minigrad import ops
        >>> ops.scatter(np.array([1.0, 2.0, 4.0]), np.array([0, 2, 0]), (3,))
        array([5., 0., 2.])
    """
    out = np.zeros(shape, g.dtype)
    if repeats(index):
        add_at(out, index, g)
    else:
        out[index] = g
    return out


def repeats(index):
    """Say whether an index could name one element twice: only arrays of integers can."""
    parts = index if isinstance(index, tuple) else (index,)
    return any(isinstance(i, np.ndarray) and i.dtype != bool for i in parts)


def add_at(out, index, g):
    """Do what ``np.add.at(out, index, g)`` does, to the bit, by the quickest of four ways.

    With one array of positions ``np.add.at`` takes about a tenth of the time that it takes with rows, or with tuples of
    arrays, and half of that where neighbours can be added in pairs.
    """
    if not repeats(index):
        out[index] += g
        return
    if out.ndim > 1 and g.size >= FEW and out.flags.c_contiguous and out.size <= 8 * g.size:
        g = np.ascontiguousarray(g)
        if out.dtype == g.dtype and out.dtype in PAIRS and out.shape[-1] % 2 == 0 and names_no_last_axis(index, out):
            out, g = out.view(PAIRS[out.dtype]), g.view(PAIRS[g.dtype])
        positions = np.arange(out.size).reshape(out.shape)
        out, index, g = out.reshape(-1), take.__wrapped__(positions, index).reshape(-1), g.reshape(-1)
    np.add.at(out, index, g)


def names_no_last_axis(index, x):
    """Say whether an index surely leaves the last axis of x whole and last."""
    parts = index if isinstance(index, tuple) else (index,)
    return len(parts) < x.ndim and all(
        type(i) in (int, slice) or (isinstance(i, np.ndarray) and i.dtype != bool) for i in parts)


@primitive
def concatenate(*arrays, axis=0):
    """Join arrays along an axis; ``np.concatenate([a, b])`` of tensors comes here."""
    return np.concatenate(arrays, axis=axis)


@primitive
def stack(*arrays, axis=0):
    """Stack arrays along a new axis; ``np.stack([a, b])`` of tensors comes here."""
    # Python numbers have no say in the dtype, here as in ufuncs; np.stack alone would make float64 of them.
    return np.stack(arrays, axis=axis, dtype=np.result_type(*arrays), casting="same_kind")

"""Picking elements and putting arrays together, as operations that can go on the tape."""

import numpy as np

from minigrad.engine import primitive


def plain_index(index):
    """Return an index without tensors in it, its arrays copied: the caller may reuse them before backward."""
    if isinstance(index, tuple):
        return tuple(plain_index(i) for i in index)
    if isinstance(index, (slice, int, type(None), type(Ellipsis))):
        return index
    array = np.array(index)
    return array if array.size else array.astype(array.dtype if array.dtype.kind in "iub" else int)     # [] is float


@primitive
def take(x, index):
    """Return x[index] for any index NumPy takes."""
    return x[index]


@primitive
def scatter(g, index, shape):
    """Return zeros of ``shape`` with g added at ``index``, repeated indices adding up: take, turned round."""
    out = np.zeros(shape, g.dtype)
    if repeats(index):
        np.add.at(out, index, g)
    else:
        out[index] = g
    return out


def repeats(index):
    """Say whether an index could name one element twice: only arrays of integers can."""
    parts = index if isinstance(index, tuple) else (index,)
    return any(isinstance(i, np.ndarray) and i.dtype != bool for i in parts)


@primitive
def concatenate(*arrays, axis=0):
    """Join arrays along an axis; ``np.concatenate([a, b])`` of tensors comes here."""
    return np.concatenate(arrays, axis=axis)


@primitive
def stack(*arrays, axis=0):
    """Stack arrays along a new axis; ``np.stack([a, b])`` of tensors comes here."""
    return np.stack(arrays, axis=axis)

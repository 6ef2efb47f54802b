"""Rules for picking elements and putting them in places: all of it is ``take`` and ``scatter``, each other's rules."""

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from minigrad import ops
from minigrad.rules.shape import array_like, arrays_like
from minigrad.table import RULES, Rule, defvjp, respell

defvjp(ops.take, lambda g, y, x, index: ops.scatter(g, index, x.shape), into=lambda held, g, x, index:
       ops.add_at(held, index, g))      # a loop over x[t] would fill and add T arrays of the size of x
defvjp(ops.scatter, lambda g, y, x, index, shape: ops.take(g, index))

# ------------------------------------------------------------------------------------------------ along one axis


def on_axis(a, axis, index):
    """Return a[:, ..., index], the index standing at an axis; axis None means all elements in a row."""
    if axis is None:
        return a.reshape(-1)[index]
    return a[(slice(None),) * normalize_axis_index(axis, a.ndim) + (index,)]


def take(a, indices, axis=None, *, mode="raise"):
    n = a.size if axis is None else a.shape[axis]
    indices = np.asarray(indices)
    if mode not in ("raise", "wrap", "clip"):
        raise ValueError(f"np.take: mode is 'raise', 'wrap' or 'clip', not {mode!r}")
    if indices.size:
        indices = indices.astype(np.intp, casting="same_kind", copy=False)      # True is 1 here, and not a mask
    indices = indices % n if mode == "wrap" else indices.clip(0, n - 1) if mode == "clip" else indices
    return on_axis(a, axis, indices)


def take_along_axis(arr, indices, axis=-1):
    if axis is None:
        arr, axis = arr.reshape(-1), 0
    indices, axis = np.array(indices), normalize_axis_index(axis, arr.ndim)         # copied: it may be used again
    if indices.ndim != arr.ndim or indices.dtype.kind not in "iu":
        raise (IndexError if indices.ndim == arr.ndim else ValueError)(
            f"np.take_along_axis: integers of {arr.ndim} axes are wanted for an array of shape {arr.shape}, not "
            f"{indices.dtype} of shape {indices.shape}")
    return ops.take(arr, ops.along_axis(indices, arr.shape, axis))


def sort(a, axis=-1, kind=None, *, stable=None):
    """Sort by picking: each element's gradient goes back where it came from; among equals, in their order."""
    if axis is None:
        a, axis = a.reshape(-1), 0
    return take_along_axis(a, np.argsort(a, axis, kind="stable"), axis)


def compress(condition, a, axis=None):
    return on_axis(array_like(a), axis, np.flatnonzero(condition))


def delete(arr, obj, axis=None):
    n = arr.size if axis is None else arr.shape[axis]
    return on_axis(arr, axis, np.delete(np.arange(n), obj))


def choose(a, choices, *, mode="raise"):
    a, arrays = np.asarray(a), arrays_like(*choices)
    picks = np.choose(a, np.arange(len(arrays)), mode=mode)           # NumPy checks the range, wraps and clips
    shape = np.broadcast_shapes(a.shape, *(c.shape for c in arrays))
    stacked = ops.stack(*(np.broadcast_to(c, shape) for c in arrays))
    return take_along_axis(stacked, np.broadcast_to(picks, shape)[None], 0)[0]


respell(np.take, take)
respell(np.take_along_axis, take_along_axis)
respell(np.sort, sort)
respell(np.compress, compress)
respell(np.extract, lambda condition, arr: compress(np.ravel(condition), arr))
respell(np.delete, delete)
respell(np.choose, choose)

# --------------------------------------------------------------------------------------- diagonals and triangles


def places_on_diagonal(rows, columns, offset):
    """Return the rows and the columns of the elements on a diagonal."""
    i = np.arange(max(0, min(rows + min(offset, 0), columns - max(offset, 0))))
    return i - min(offset, 0), i + max(offset, 0)


def diagonal(a, offset=0, axis1=0, axis2=1):
    if a.ndim < 2:
        raise ValueError(f"np.diagonal takes arrays of two or more axes, not of shape {a.shape}")
    a = np.moveaxis(a, (axis1, axis2), (-2, -1))
    return a[(Ellipsis, *places_on_diagonal(*a.shape[-2:], offset))]


def diag(v, k=0):
    if v.ndim == 2:
        return diagonal(v, k)
    if v.ndim != 1:
        raise ValueError(f"np.diag takes arrays of one or two axes, not of shape {v.shape}")
    n = v.size + abs(k)
    return ops.scatter(v, places_on_diagonal(n, n, k), (n, n))


def tril(m, k=0):
    return ops.select(np.tri(*m.shape[-2:], k=k, dtype=bool), m, 0)


def triu(m, k=0):
    return ops.select(np.tri(*m.shape[-2:], k=k - 1, dtype=bool), 0, m)


respell(np.diagonal, diagonal)
respell(np.linalg.diagonal, lambda x, /, *, offset=0: diagonal(x, offset, -2, -1))
respell(np.trace, lambda a, offset=0, axis1=0, axis2=1: diagonal(a, offset, axis1, axis2).sum(axis=-1))
respell(np.linalg.trace, lambda x, /, *, offset=0: diagonal(x, offset, -2, -1).sum(axis=-1))
respell(np.diag, diag)
respell(np.diagflat, lambda v, k=0: diag(v.reshape(-1), k))
respell(np.tril, tril)
respell(np.triu, triu)

# -------------------------------------------------------------------------------------------- padding and filling

COPYING = ("edge", "reflect", "symmetric", "wrap")


def pad(array, pad_width, mode="constant", **kwargs):
    """Pad with numbers around a copy, or with copies of elements: the copies are those of an array of positions."""
    if mode in ("constant", "empty"):
        return framed(array, pad_width, **kwargs)
    if mode not in COPYING or kwargs.get("reflect_type", "even") != "even":
        raise TypeError(f"np.pad has no gradient rule with mode={mode!r}{kwargs or ''}, only with 'constant' and "
                        f"{', '.join(map(repr, COPYING))}; use t.detach() or t.data if no gradient is wanted")
    return array.reshape(-1)[np.pad(np.arange(array.size).reshape(array.shape), pad_width, mode, **kwargs)]


def framed(array, pad_width, constant_values=0):
    """Set the array into a larger one; the frame is NumPy's own."""
    frame = np.pad(np.zeros(array.shape, array.dtype), pad_width, constant_values=constant_values)
    if isinstance(pad_width, dict):             # NumPy 2.2: axis -> width
        widths = np.zeros((array.ndim, 2), int)
        for axis, width in pad_width.items():
            widths[axis] = width
    else:
        widths = np.broadcast_to(pad_width, (array.ndim, 2))
    inside = tuple(slice(before, before + n) for n, (before, _) in zip(array.shape, widths.tolist()))
    out = ops.scatter(array, inside, frame.shape)
    return out + frame if frame.any() else out


def full_like(a, fill_value, dtype=None, order="K", subok=True, shape=None):
    zeros = np.zeros_like(a, dtype=dtype, shape=shape)
    return (zeros + fill_value).astype(zeros.dtype)


respell(np.pad, pad)
respell(np.full_like, full_like)
RULES[np.empty_like] = Rule(np.zeros_like, constant=True)      # what lies in memory is no number to compute with

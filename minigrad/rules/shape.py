"""Rules for functions that rearrange elements: what moved there moves back.

Most functions of NumPy's that rearrange are other spellings of a few, given to ``respell``: their stand-ins have
NumPy's names and defaults, and what they do not know is refused by name.
"""

import itertools
import operator

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from minigrad import ops
from minigrad.table import Node, defvjp, respell

# ------------------------------------------------------------------- the same elements in another shape or order


def inverse_order(axes):
    """Return the permutation of axes that undoes another."""
    order = [a % len(axes) for a in axes]
    return tuple(order.index(i) for i in range(len(order)))


def backwards(shift):
    """Return the shift, or shifts, that undo ``np.roll``."""
    return tuple(-s for s in shift) if np.iterable(shift) else -shift


defvjp(np.reshape, lambda g, y, x, shape: g.reshape(x.shape))
defvjp(np.squeeze, lambda g, y, a, axis=None: g.reshape(a.shape))
defvjp(np.expand_dims, lambda g, y, a, axis: g.reshape(a.shape))
defvjp(np.transpose, lambda g, y, a, axes=None: g.transpose(None if axes is None else inverse_order(axes)))
defvjp(np.swapaxes, lambda g, y, a, axis1, axis2: g.swapaxes(axis1, axis2))
defvjp(np.moveaxis, lambda g, y, a, source, destination: np.moveaxis(g, destination, source))
defvjp(np.roll, lambda g, y, a, shift, axis=None: np.roll(g, backwards(shift), axis))
defvjp(np.flip, lambda g, y, m, axis=None: np.flip(g, axis))
defvjp(np.broadcast_to, lambda g, y, array, shape: g)         # the engine sums what was broadcast


def array_like(x):
    """Return a tensor as it is, anything else as an array."""
    return x if isinstance(x, Node) else np.asarray(x)


def arrays_like(*xs):
    """Return tensors as they are, anything else as arrays; numbers have no say in the dtype of what they join."""
    arrays = [array_like(x) for x in xs]
    weak = [not isinstance(a, Node) and a.ndim == 0 and a.dtype.kind in "fiub" for a in arrays]
    if not any(weak) or all(weak):
        return arrays
    dtype = np.result_type(*(a.item() if number else a.dtype for a, number in zip(arrays, weak)))
    return [a.astype(dtype) if number else a for a, number in zip(arrays, weak)]


def reshape(a, /, shape=None, order="C", *, newshape=None, copy=None):
    """Reshape in C or Fortran order; a tensor is never written into, so ``copy`` makes no difference."""
    shape = newshape if shape is None else shape
    shape = tuple(shape) if np.iterable(shape) else (shape,)
    if order not in ("C", "F"):
        raise ValueError(f"np.reshape of a tensor: order={order!r} depends on how the elements lie in memory; give "
                         f"order='C' or 'F'")
    return a.reshape(shape) if order == "C" else a.transpose().reshape(shape[::-1]).transpose()


def rollaxis(a, axis, start=0):
    axis = normalize_axis_index(axis, a.ndim)
    start = normalize_axis_index(start, a.ndim + 1) if start >= 0 else start + a.ndim
    return np.moveaxis(a, axis, start - (axis < start))


def rot90(m, k=1, axes=(0, 1)):
    first, second = (normalize_axis_index(a, m.ndim) for a in axes)
    if first == second:
        raise ValueError(f"np.rot90: axes={axes} name one axis twice, and a plane has two; the shape is {m.shape}")
    if k % 2 == 0:
        return np.flip(m, axes) if k % 4 else +m
    turned = np.flip(m, second) if k % 4 == 1 else np.flip(m, first)
    return turned.swapaxes(first, second)


def raised(arrays, rank):
    """Return arrays with axes of length 1 added, so that each has ``rank`` of them or more."""
    out = []
    for a in arrays_like(*arrays):
        behind = 1 if rank == 3 and a.ndim else 0           # (n,) becomes (1, n, 1), and (m, n) becomes (m, n, 1)
        out.append(a if a.ndim >= rank else a.reshape((1,) * (rank - a.ndim - behind) + a.shape + (1,) * behind))
    return out


def at_least(rank):
    """Return the stand-in for ``np.atleast_1d``, ``2d`` or ``3d``."""
    def atleast(*arys):
        out = raised(arys, rank)
        return out[0] if len(out) == 1 else tuple(out)

    return atleast


respell(np.reshape, reshape)
respell(np.ravel, lambda a, order="C": reshape(a, -1, order))
respell(np.rollaxis, rollaxis)
respell(np.rot90, rot90)
respell(np.fliplr, lambda m: np.flip(m, 1))
respell(np.flipud, lambda m: np.flip(m, 0))
respell(np.matrix_transpose, lambda x, /: x.swapaxes(-1, -2))
respell(np.linalg.matrix_transpose, lambda x, /: x.swapaxes(-1, -2))
respell(np.atleast_1d, at_least(1))
respell(np.atleast_2d, at_least(2))
respell(np.atleast_3d, at_least(3))
respell(np.shape, lambda a: a.shape)
respell(np.ndim, lambda a: a.ndim)
respell(np.size, lambda a, axis=None: a.size if axis is None else a.shape[axis])
respell(np.copy, lambda a, order="K", subok=False: +a)
if hasattr(np, "astype"):                       # NumPy 2.1
    respell(np.astype, lambda x, dtype, /, *, copy=True: x.astype(dtype))

# ------------------------------------------------------------------------------------------- many copies of each


def broadcast_arrays(*args, subok=False):
    arrays = arrays_like(*args)
    shape = np.broadcast_shapes(*(a.shape for a in arrays))
    return tuple(np.broadcast_to(a, shape) for a in arrays)


def repeat(a, repeats, axis=None):
    if axis is None:
        a, axis = a.reshape(-1), 0
    axis = normalize_axis_index(axis, a.ndim)
    lead, trail, repeats = a.shape[:axis + 1], a.shape[axis + 1:], np.asarray(repeats)
    if repeats.size == 1:                       # as a broadcast: no look-up
        n = operator.index(repeats.item())
        return np.broadcast_to(a.reshape((*lead, 1, *trail)), (*lead, n, *trail)).reshape(
            (*lead[:-1], lead[-1] * n, *trail))
    return a[(slice(None),) * axis + (np.repeat(np.arange(lead[-1]), repeats),)]


def tile(A, reps):
    reps = tuple(reps) if np.iterable(reps) else (reps,)
    rank = max(len(reps), A.ndim)
    shape, reps = (1,) * (rank - A.ndim) + A.shape, (1,) * (rank - len(reps)) + reps
    a = A.reshape(tuple(itertools.chain(*((1, n) for n in shape))))
    a = np.broadcast_to(a, tuple(itertools.chain(*zip(reps, shape))))
    return a.reshape(tuple(r * n for r, n in zip(reps, shape)))


def meshgrid(*xi, copy=True, sparse=False, indexing="xy"):
    if indexing not in ("xy", "ij"):
        raise ValueError(f"np.meshgrid: indexing is 'xy' or 'ij', not {indexing!r}")
    places = list(range(len(xi)))
    if indexing == "xy" and len(xi) > 1:
        places[:2] = 1, 0
    grids = tuple(x.reshape(tuple(-1 if i == place else 1 for i in range(len(xi))))
                  for x, place in zip(arrays_like(*xi), places))
    return grids if sparse else broadcast_arrays(*grids)


respell(np.broadcast_arrays, broadcast_arrays)
respell(np.repeat, repeat)
respell(np.tile, tile)
respell(np.meshgrid, meshgrid)

# --------------------------------------------------------------------------------------------- joining and cutting


def slice_for_each(g, y, *arrays, axis=0):
    """Hand each stacked array its own slice."""
    lead = (slice(None),) * (axis % y.ndim)
    return [ops.take(g, (*lead, i)) for i in range(len(arrays))]


def stretch_for_each(g, y, *arrays, axis=0):
    """Hand each joined array its own stretch."""
    lead, pieces, start = (slice(None),) * (axis % y.ndim), [], 0
    for a in arrays:
        stop = start + a.shape[axis]
        pieces.append(ops.take(g, (*lead, slice(start, stop))))
        start = stop
    return pieces


defvjp(ops.stack, joint=slice_for_each)
defvjp(ops.concatenate, joint=stretch_for_each)


def concatenate(arrays, /, axis=0):
    arrays = arrays_like(*arrays)
    if axis is None:
        arrays, axis = [a.reshape(-1) for a in arrays], 0
    return ops.concatenate(*arrays, axis=axis)


def hstack(tup):
    arrays = raised(tup, 1)
    return concatenate(arrays, axis=0 if arrays and arrays[0].ndim == 1 else 1)


def column_stack(tup):
    arrays = arrays_like(*tup)
    return concatenate([a if a.ndim > 1 else a.reshape((-1, 1)) for a in arrays], axis=1)


def append(arr, values, axis=None):
    return concatenate([arr, values], axis=axis)


def block(arrays):
    """Join nested lists: the innermost along the last axis, each list around them along the axis before."""
    def depth(x):
        return 1 + max(map(depth, x)) if isinstance(x, list) else 0

    def leaves(x):
        return [leaf for y in x for leaf in leaves(y)] if isinstance(x, list) else [x]

    levels, ready = depth(arrays), arrays_like(*leaves(arrays))
    rank, ready = max(levels, *(a.ndim for a in ready)), iter(ready)

    def join(x, level):
        if level == 0:
            x = next(ready)
            return x.reshape((1,) * (rank - x.ndim) + x.shape)
        if not isinstance(x, list):
            raise ValueError(f"np.block: a list is wanted {levels - level} levels deep, as elsewhere, not {x!r}")
        return concatenate([join(y, level - 1) for y in x], axis=rank - level)

    return join(arrays, levels)


def array_split(ary, indices_or_sections, axis=0):
    axis = normalize_axis_index(axis, ary.ndim)
    n, lead = ary.shape[axis], (slice(None),) * axis
    if np.iterable(indices_or_sections):
        cuts = [0, *indices_or_sections, n]
    else:
        parts = operator.index(indices_or_sections)
        if parts < 1:
            raise ValueError(f"np.split: into {parts} parts; the number of parts is at least 1")
        sizes = [n // parts + (i < n % parts) for i in range(parts)]
        cuts = [0, *itertools.accumulate(sizes)]
    return [ary[(*lead, slice(start, stop))] for start, stop in itertools.pairwise(cuts)]


def split(ary, indices_or_sections, axis=0):
    if not np.iterable(indices_or_sections) and ary.shape[axis] % indices_or_sections:
        raise ValueError(f"np.split: axis {axis} of shape {ary.shape} is not divided evenly by {indices_or_sections}; "
                         f"np.array_split takes uneven parts")
    return array_split(ary, indices_or_sections, axis)


def splitter(name, axis, at_least):
    """Return the stand-in for ``np.hsplit``, ``vsplit`` or ``dsplit``."""
    def cut(ary, indices_or_sections):
        if ary.ndim < at_least:
            raise ValueError(f"np.{name} takes arrays of {at_least} or more axes, not of shape {ary.shape}")
        return split(ary, indices_or_sections, min(axis, ary.ndim - 1))

    return cut


respell(np.stack, lambda arrays, axis=0: ops.stack(*arrays_like(*arrays), axis=axis))
respell(np.concatenate, concatenate)
respell(np.vstack, lambda tup: concatenate(raised(tup, 2), axis=0))
respell(np.hstack, hstack)
respell(np.dstack, lambda tup: concatenate(raised(tup, 3), axis=2))
respell(np.column_stack, column_stack)
respell(np.append, append)
respell(np.block, block)
respell(np.split, split)
respell(np.array_split, array_split)
respell(np.hsplit, splitter("hsplit", 1, at_least=1))
respell(np.vsplit, splitter("vsplit", 0, at_least=2))
respell(np.dsplit, splitter("dsplit", 2, at_least=3))
if hasattr(np, "unstack"):                      # NumPy 2.1
    respell(np.unstack, lambda x, /, *, axis=0: tuple(np.moveaxis(x, axis, 0)))

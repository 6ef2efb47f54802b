"""Rules for functions that rearrange elements: what moved there moves back."""

import numpy as np

from minigrad import ops
from minigrad.engine import defvjp, respell

defvjp(np.reshape, lambda g, y, x, shape: g.reshape(x.shape))
defvjp(np.transpose, lambda g, y, x, axes=None: g.transpose(None if axes is None else inverse_order(axes)))
defvjp(np.swapaxes, lambda g, y, x, a, b: g.swapaxes(a, b))
defvjp(np.broadcast_to, lambda g, y, x, shape: g)             # the engine sums what was broadcast
defvjp(ops.take, lambda g, y, x, index: ops.scatter(g, index, x.shape))
defvjp(ops.scatter, lambda g, y, x, index, shape: ops.take(g, index))


def inverse_order(axes):
    """Return the permutation of axes that undoes another."""
    order = [a % len(axes) for a in axes]
    return tuple(order.index(i) for i in range(len(order)))


def unstack(g, y, *arrays, axis=0):
    """Hand each stacked array its own slice."""
    lead = (slice(None),) * (axis % y.ndim)
    return [ops.take(g, (*lead, i)) for i in range(len(arrays))]


def split(g, y, *arrays, axis=0):
    """Hand each joined array its own stretch."""
    lead, pieces, start = (slice(None),) * (axis % y.ndim), [], 0
    for a in arrays:
        stop = start + a.shape[axis]
        pieces.append(ops.take(g, (*lead, slice(start, stop))))
        start = stop
    return pieces


defvjp(ops.stack, joint=unstack)
defvjp(ops.concatenate, joint=split)
respell(np.shape, lambda x: x.shape)
respell(np.ndim, lambda x: x.ndim)
respell(np.size, lambda x: x.size)
respell(np.stack, lambda arrays, axis=0: ops.stack(*arrays, axis=axis))
respell(np.concatenate, lambda arrays, axis=0: ops.concatenate(
    *(arrays if axis is not None else [np.reshape(a, (-1,)) for a in arrays]), axis=axis or 0))

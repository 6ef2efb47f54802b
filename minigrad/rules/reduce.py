"""Rules for functions that reduce along axes."""

import math

import numpy as np

from minigrad import ops
from minigrad.engine import defconstant, defvjp


def spread(g, x, axis=None, keepdims=False):
    """Undo a reduction: give each element of x the value of g that it was reduced into."""
    if axis is not None and not keepdims:
        g = g.reshape(kept_shape(x.shape, axis))
    return np.broadcast_to(g, x.shape)


def kept_shape(shape, axis):
    """Return the shape that a reduction over ``axis`` leaves with keepdims."""
    axes = {a % len(shape) for a in (axis if isinstance(axis, tuple) else (axis,))}
    return tuple(1 if i in axes else n for i, n in enumerate(shape))


def count(x, axis):
    """Return over how many elements each result was reduced, as a Python float."""
    axes = range(x.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    return float(math.prod(x.shape[a] for a in axes))


def ties(x, y, axis=None, keepdims=False):
    """Return for each element whether it is the extreme, divided by how many share that honour."""
    best = x == spread(y, x, axis, keepdims)
    return best / best.sum(axis=axis, keepdims=True)


defvjp(np.sum, lambda g, y, x, axis=None, *, keepdims=False: spread(g, x, axis, keepdims))
defvjp(np.mean, lambda g, y, x, axis=None, *, keepdims=False: spread(g / count(x, axis), x, axis, keepdims))
defvjp(np.max, lambda g, y, x, axis=None, *, keepdims=False: spread(g, x, axis, keepdims) * ties(x, y, axis, keepdims))
defvjp(np.min, lambda g, y, x, axis=None, *, keepdims=False: spread(g, x, axis, keepdims) * ties(x, y, axis, keepdims))
defvjp(ops.log_softmax, lambda g, y, x, axis=-1: g - np.exp(y) * g.sum(axis=axis, keepdims=True))


def norm_vjp(g, y, x, p=2):
    """Pull back through a p-norm: the direction of x for p = 2, its signs for p = 1; 0 at x = 0."""
    safe = np.where(y == 0, 1, y)
    if p == 2:
        return g * (x / safe)
    if p == 1:
        return g * np.sign(x)
    if p == math.inf:
        best = np.absolute(x) == y
        return g * (np.sign(x) * best / best.sum())
    return g * (np.sign(x) * (np.absolute(x) / safe) ** (p - 1))


defvjp(ops.norm, norm_vjp)
defconstant(np.argmax, np.argmin, np.all, np.any, np.count_nonzero)

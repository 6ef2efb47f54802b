"""Rules for products of matrices."""

import numpy as np

from minigrad import ops
from minigrad.engine import defvjp


def matmul_left(g, y, a, b):
    """Return dL/da of y = a @ b: g @ b.T, with vectors as rows and columns."""
    if b.ndim == 1:                                     # (..., n, k) @ (k,): an outer product, g b^T
        return g.reshape((*g.shape, 1)) * b if a.ndim > 1 else g * b
    if a.ndim == 1:                                     # (k,) @ (..., k, m)
        return (g.reshape((*g.shape[:-1], 1, g.shape[-1])) @ b.swapaxes(-1, -2)).reshape((*g.shape[:-1], a.shape[0]))
    return g @ b.swapaxes(-1, -2)


def matmul_right(g, y, a, b):
    """Return dL/db of y = a @ b: a.T @ g, with vectors as rows and columns."""
    if a.ndim == 1:                                     # (k,) @ (..., k, m): an outer product, a g^T
        return a.reshape((a.shape[0], 1)) * g.reshape((*g.shape[:-1], 1, g.shape[-1])) if b.ndim > 1 else g * a
    if b.ndim == 1:                                     # (..., n, k) @ (k,)
        return (a.swapaxes(-1, -2) @ g.reshape((*g.shape, 1))).reshape((*g.shape[:-1], b.shape[0]))
    return a.swapaxes(-1, -2) @ g


defvjp(np.matmul, matmul_left, matmul_right)


def rows(x):
    """Return x (..., n) as a matrix of all its rows."""
    return x if x.ndim == 2 else x.reshape((-1, x.shape[-1]))


defvjp(ops.linear, lambda g, y, x, weight, bias=None: g @ weight,
                   lambda g, y, x, weight, bias=None: rows(g).T @ rows(x),
                   lambda g, y, x, weight, bias: rows(g).sum(axis=0))

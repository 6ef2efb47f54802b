"""Operations that NumPy lacks as one function, or that are worth fusing.

Plain functions of arrays, marked as primitives: called with tensors they go on the tape.  Their
gradients stand in ``rules/``.
"""

import numpy as np

from minigrad.engine import primitive
from minigrad.norms import norm as norm_of_arrays

# ------------------------------------------------------------------------------ elementwise

@primitive
def relu(x):
    """Return max(x, 0); the gradient at 0 is 0, as PyTorch's."""
    return np.maximum(x, 0)


@primitive
def sigmoid(x):
    """Return 1 / (1 + exp(-x)), without overflow at either end, and exact down to 1e-308 for negative x."""
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, e) / (1 + e)


@primitive
def select(condition, a, b):
    """Return a where the condition holds, else b; ``np.where(c, a, b)`` of tensors comes here."""
    return np.where(condition, a, b)


@primitive
def cast(x, dtype):
    """Return x in another floating dtype; the gradient comes back in x's own."""
    return x.astype(dtype)


# ------------------------------------------------------------------- picking and assembling

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


# ----------------------------------------------------------------------------------- reduce

@primitive
def norm(x, p=2):
    """Return the p-norm of all entries, exact where sum(x*x) would underflow or overflow; gradient 0 at 0."""
    return x.dtype.type(norm_of_arrays(x, p))


@primitive
def log_softmax(x, axis=-1):
    """Return x - log sum exp(x) along an axis, shifted by the largest entry so that nothing overflows."""
    shifted = x - x.max(axis=axis, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True))


# ---------------------------------------------------------------------------- networks, fused

@primitive
def linear(x, weight, bias=None):
    """Return x @ weight.T + bias for x (..., in), weight (out, in), bias (out,): one node instead of three."""
    y = x @ weight.T
    if bias is not None:
        y += bias
    return y


@primitive
def cross_entropy(logits, target):
    """Return the mean of -log softmax(logits)[target]; logits (N, C), target N integers in 0 ... C-1."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    rows = np.arange(len(target))
    return (np.log(np.exp(shifted).sum(axis=1)) - shifted[rows, target]).mean()


def cross_entropy_composite(logits, target):
    """Return the same, built of ordinary operations: from this, orders above the first are taken."""
    log_p = log_softmax(logits, axis=1)
    return -take(log_p, (np.arange(len(target)), target)).sum() / len(target)

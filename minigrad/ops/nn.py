"""Operations of networks that are worth fusing into one node; each names the same in ordinary operations."""

import numpy as np

from minigrad.ops.elementwise import floating
from minigrad.ops.reduce import log_softmax
from minigrad.ops.shape import take
from minigrad.table import primitive


@primitive
def cross_entropy(logits, target):
    """Return the mean of -log softmax(logits)[target]; logits (N, C), target N integers in 0 ... C-1."""
    logits = floating(logits)
    shifted = logits - logits.max(axis=1, keepdims=True)
    rows = np.arange(len(target))
    return (np.log(np.exp(shifted).sum(axis=1)) - shifted[rows, target]).mean()


def cross_entropy_composite(logits, target):
    """Return the same, built of ordinary operations: from this, orders above the first are taken."""
    log_p = log_softmax(logits, axis=1)
    return -take(log_p, (np.arange(len(target)), target)).sum() / len(target)


@primitive
def binary_cross_entropy(p, t):
    """Return -(t log p + (1 - t) log(1 - p)) of each element, for p in [0, 1], logarithms held above -100."""
    p = floating(p)
    with np.errstate(divide="ignore"):
        return t * -np.maximum(np.log(p), -100) + (1 - t) * -np.maximum(np.log1p(-p), -100)


@primitive
def standardize(x, axis, eps):
    """Return (x - mean) / sqrt(var + eps), mean and variance over some axes (a tuple): the core of the normalisations.

    One node instead of seven, with one sweep back.
    """
    x = floating(x)
    y = x - x.mean(axis=axis, keepdims=True)
    y /= np.sqrt((y * y).mean(axis=axis, keepdims=True) + eps)
    return y

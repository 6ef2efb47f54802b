"""Operations of networks that are worth fusing into one node; each names the same in ordinary operations."""

import math

import numpy as np

from minigrad.ops.elementwise import floating
from minigrad.ops.reduce import log_softmax
from minigrad.ops.shape import take
from minigrad.table import primitive


@primitive
def cross_entropy(logits, target):
    """Return the mean of -log softmax(logits)[target]; logits (N, C), target N integers in 0 ... C-1."""
    return cross_entropy_keeping(logits, target)[0]


def cross_entropy_keeping(logits, target):
    """Return the same; and softmax(logits) as exponentials (N, C) and their sums (N,), with the numbers of the rows."""
    logits, rows = floating(logits), np.arange(len(target))
    largest = logits[rows, logits.argmax(axis=1)]               # in half the time that max takes along rows
    exponentials = logits - largest[:, np.newaxis]
    chosen = exponentials[rows, target]
    np.exp(exponentials, out=exponentials)
    sums = exponentials @ np.ones(logits.shape[1], logits.dtype)
    mean = (np.log(sums) - chosen).sum(dtype=float) / len(rows)
    return np.array(mean, logits.dtype), (exponentials, sums, rows)


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
    return standardize_keeping(x, axis, eps)[0]


def standardize_keeping(x, axis, eps):
    """Return the same, and 1 / sqrt(var + eps)."""
    x = floating(x)
    y = x - x.mean(axis=axis, keepdims=True)
    scale = 1 / np.sqrt((y * y).mean(axis=axis, keepdims=True) + eps)
    y *= scale
    return y, scale


def standardize_composite(x, axis, eps):
    """Return the same, built of ordinary operations."""
    centred = x - x.mean(axis=axis, keepdims=True)
    return centred / np.sqrt((centred * centred).mean(axis=axis, keepdims=True) + eps)


FAR_OUT = 4
"""Where a row's mean is so many times its deviation, the mean's own rounding would be seen in the result."""


@primitive
def layer_norm(x, weight, bias, eps):
    """Return standardize(x) * weight + bias; weight and bias have the shape of the last axes of x, taken together."""
    return layer_norm_keeping(x, weight, bias, eps)[0]


def layer_norm_keeping(x, weight, bias, eps):
    """Return the same; and standardize(x) in rows (N, n), n = weight.size, with 1 / sqrt(var + eps) of each (N, 1)."""
    x, n = floating(x), weight.size
    rows = x.reshape(math.prod(x.shape[:x.ndim - weight.ndim]), n)
    share = np.full(n, 1 / max(n, 1), x.dtype)
    mean = rows @ share
    z = rows - mean[:, np.newaxis]
    squares = np.vecdot(z, z)
    if (math.sqrt(n) * np.abs(mean) > FAR_OUT * np.sqrt(squares)).any():
        z -= (z @ share)[:, np.newaxis]                     # what rounding has left of the mean
        flat = np.flatnonzero(rows[:, 0] == rows[:, -1])
        flat = flat[(rows[flat] == rows[flat, :1]).all(axis=1)]
        z[flat] = 0                                         # equal numbers are their own mean, exactly
        squares = np.vecdot(z, z)
    scale = (math.sqrt(n) / np.sqrt(squares + n * eps))[:, np.newaxis]
    z *= scale
    y = z.reshape(x.shape) * over_examples(weight, x)
    y += over_examples(bias, x)
    return y, (z, scale)


def over_examples(p, x):
    """Return what belongs to the last axes of x laid out for a whole x[0]: NumPy works quicker through long runs."""
    return np.full(x.shape[1:], p) if x.ndim > p.ndim + 1 else p


def layer_norm_composite(x, weight, bias, eps):
    """Return the same, built of ordinary operations."""
    return standardize_composite(x, tuple(range(-weight.ndim, 0)), eps) * weight + bias

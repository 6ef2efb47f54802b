"""Functions of tensors, with PyTorch's names: what layers and losses are made of."""

import numpy as np

from minigrad import ops
from minigrad.tensor import Tensor


def linear(x, weight, bias=None):
    """Return x @ weight.T + bias; x (..., in), weight (out, in), bias (out,).

    Raises:
        ValueError: if the shapes do not fit; both are named.
    """
    shape, (outs, ins) = getattr(x, "shape", ()), weight.shape
    if not shape or shape[-1] != ins:
        raise ValueError(f"linear: x of shape {shape} does not fit weight of shape {(outs, ins)} (out, in): the last "
                         f"axis of x must be {ins}")
    if bias is not None and bias.shape != (outs,):
        raise ValueError(f"linear: bias of shape {bias.shape} does not fit weight of shape {(outs, ins)} (out, in); "
                         f"the result has shape {(*shape[:-1], outs)}")
    return ops.linear(x, weight) if bias is None else ops.linear(x, weight, bias)


def tanh(x):
    """Return the hyperbolic tangent; its slope is exactly 0 from |x| of about 19 on (float64)."""
    return np.tanh(x)


def relu(x):
    """Return max(x, 0)."""
    return ops.relu(x)


def sigmoid(x):
    """Return 1 / (1 + exp(-x))."""
    return ops.sigmoid(x)


def log_softmax(x, dim=-1):
    """Return the logarithm of softmax along an axis."""
    return ops.log_softmax(x, axis=dim)


def mse_loss(x, target):
    """Return the mean of (x - target)^2.

    Raises:
        ValueError: if the shapes differ (broadcasting a target is nearly always a mistake).
    """
    if np.shape(x) != np.shape(target):
        raise ValueError(f"mse_loss: x has shape {np.shape(x)} and target {np.shape(target)}; reshape one of them")
    difference = x - target
    return (difference * difference).mean()


def cross_entropy(logits, target):
    """Return the mean of -log softmax(logits)[target], in nats.

    Args:
        logits: (N, C).
        target: N integers in 0 ... C - 1, an array, list or tensor.

    Raises:
        ValueError: if the shapes do not fit or a label is out of range.
        TypeError: if the labels are no integers.
    """
    labels = target.data if isinstance(target, Tensor) else np.asarray(target)
    if len(logits.shape) != 2 or labels.shape != logits.shape[:1]:
        raise ValueError(f"cross_entropy: logits must have shape (N, C) and labels (N,), not {logits.shape} and "
                         f"{labels.shape}")
    if labels.dtype.kind not in "iu":
        raise TypeError(f"cross_entropy: labels are integers, not {labels.dtype}")
    if labels.size == 0:
        raise ValueError("cross_entropy: no labels; the mean over nothing is not defined")
    if labels.min() < 0 or labels.max() >= logits.shape[1]:
        raise ValueError(f"cross_entropy: labels run from {labels.min()} to {labels.max()}, but there are "
                         f"{logits.shape[1]} classes (0 to {logits.shape[1] - 1})")
    return ops.cross_entropy(logits, labels)

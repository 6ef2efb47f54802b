"""Rules of fused network operations; the ones that use in-place NumPy name a composite for higher orders."""

import numpy as np

from minigrad import ops
from minigrad.table import defvjp


def cross_entropy_vjp(g, y, logits, target):
    """Return g (softmax(logits) - onehot(target)) / N."""
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    p[np.arange(len(target)), target] -= 1
    p *= float(g) / len(target)
    return p


defvjp(ops.cross_entropy, cross_entropy_vjp, None, composite=ops.cross_entropy_composite)

# PyTorch's bound below: the gradient at p = 0 and 1 is finite, 0 where the target agrees; in t the loss is a line
defvjp(ops.binary_cross_entropy,
       lambda g, y, p, t: g * ((p - t) / np.maximum(p * (1 - p), max(1e-12, float(np.finfo(p.dtype).tiny)))),
       lambda g, y, p, t: g * (ops.binary_cross_entropy(p, 1.0) - ops.binary_cross_entropy(p, 0.0)))


def standardize_vjp(g, y, x, axis, eps):
    """Return (g - mean(g) - y mean(g y)) / sqrt(var + eps): g less what would change mean and variance alone."""
    centred = x - np.mean(x, axis=axis, keepdims=True)
    deviation = np.sqrt(np.mean(centred * centred, axis=axis, keepdims=True) + eps)
    return (g - np.mean(g, axis=axis, keepdims=True) - y * np.mean(g * y, axis=axis, keepdims=True)) / deviation


defvjp(ops.standardize, standardize_vjp)

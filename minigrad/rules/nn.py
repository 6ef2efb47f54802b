"""Rules of fused network operations; the ones that use in-place NumPy name a composite for higher orders."""

import numpy as np

from minigrad import ops
from minigrad.ops.nn import (
    cross_entropy_keeping,
    layer_norm_composite,
    layer_norm_keeping,
    over_examples,
    standardize_composite,
    standardize_keeping,
)
from minigrad.table import defvjp


def cross_entropy_vjp(g, y, logits, target, *, kept):
    """Return g (softmax(logits) - onehot(target)) / N."""
    exponentials, sums, rows = kept
    share = float(g) / len(rows)
    back = exponentials * (share / sums)[:, np.newaxis]
    back[rows, target] -= share
    return back


defvjp(ops.cross_entropy, cross_entropy_vjp, None, composite=ops.cross_entropy_composite,
       keeping=cross_entropy_keeping)

# PyTorch's bound below: the gradient at p = 0 and 1 is finite, 0 where the target agrees; in t the loss is a line
defvjp(ops.binary_cross_entropy,
       lambda g, y, p, t: g * ((p - t) / np.maximum(p * (1 - p), max(1e-12, float(np.finfo(p.dtype).tiny)))),
       lambda g, y, p, t: g * (ops.binary_cross_entropy(p, 1.0) - ops.binary_cross_entropy(p, 0.0)))


def standardize_vjp(g, y, x, axis, eps, *, kept):
    """Return (g - mean(g) - y mean(g y)) / sqrt(var + eps): g less what would change mean and variance alone."""
    back = g - g.mean(axis=axis, keepdims=True)
    gy = g * y
    back -= np.multiply(y, gy.mean(axis=axis, keepdims=True), out=gy)
    back *= kept
    return back


def layer_norm_vjp(g, y, x, weight, bias, eps, *, kept, wanted):
    """Return the same for g weight; for weight and bias, the sums over all rows of g z and of g."""
    z, scale = kept
    g, n = np.ascontiguousarray(g), weight.size                # the ones that sum() sends back are one number in memory
    rows = g.reshape(z.shape)
    gz, each_row = rows * z, np.ones(len(z), g.dtype)
    of_weight, of_bias = each_row @ gz, each_row @ rows
    of_weight, of_bias = of_weight.reshape(weight.shape), of_bias.reshape(weight.shape)
    if not wanted[0]:
        return None, of_weight, of_bias, None
    w, of_x = weight.reshape(n), g * over_examples(weight, x)
    back = of_x.reshape(z.shape)
    back -= (rows @ w / n)[:, np.newaxis]
    back -= np.multiply(z, (gz @ w / n)[:, np.newaxis], out=gz)
    back *= scale
    return of_x, of_weight, of_bias, None


defvjp(ops.standardize, standardize_vjp, composite=standardize_composite, keeping=standardize_keeping)
defvjp(ops.layer_norm, joint=layer_norm_vjp, composite=layer_norm_composite, keeping=layer_norm_keeping)

"""Rules of convolutions and pooling: the family of convolutions is closed, so any order follows."""

import numpy as np

from minigrad import ops
from minigrad.ops.conv import avg_pool_composite, inside, places
from minigrad.table import defconstant, defvjp

# y = x * w is bilinear: each of y, dL/dx, dL/dw is a convolution of the other two.  `how` is stride, padding, dilation.
defvjp(ops.conv, lambda g, y, x, w, b=None, **how: ops.conv_input(g, w, shape=x.shape[2:], **how),
                 lambda g, y, x, w, b=None, **how: ops.conv_weight(g, x, kernel=w.shape[2:], **how),
                 lambda g, y, x, w, b, **how: g.sum(axis=(0, *range(2, g.ndim))))
defvjp(ops.conv_input, lambda g, y, a, w, *, shape, **how: ops.conv(g, w, **how),
                       lambda g, y, a, w, *, shape, **how: ops.conv_weight(a, g, kernel=w.shape[2:], **how))
defvjp(ops.conv_weight, lambda g, y, a, x, *, kernel, **how: ops.conv(x, g, **how),
                        lambda g, y, a, x, *, kernel, **how: ops.conv_input(a, g, shape=x.shape[2:], **how))

# taking windows and adding them up where they overlap
defvjp(ops.windows, lambda g, y, x, *, kernel, **how: ops.overlap_add(g, shape=x.shape[2:], **how))
defvjp(ops.overlap_add, lambda g, y, a, *, shape, **how: ops.windows(g, kernel=a.shape[2 + len(shape):], **how))


def avg_pool_vjp(g, y, x, *, kernel, stride, padding, divisor):
    """Give each element of a window the same share."""
    share = np.divide(g, divisor, out=np.empty_like(y))         # in memory as y, and the result as x: neighbours meet
    wide = np.zeros_like(x, shape=(*x.shape[:2], *(n + sum(p) for n, p in zip(x.shape[2:], padding))))
    for _, met in places(kernel, y.shape[2:], stride, (1,) * len(kernel)):
        wide[(..., *met)] += share
    return wide[(..., *inside(x.shape[2:], padding))]


def max_pool_vjp(g, y, x, **how):
    """Give all to the one winner: where it stands is locally constant, so the rest is a scatter."""
    return ops.scatter(g.reshape((-1,)), ops.winners(x, y, **how), (x.size,)).reshape(x.shape)


defvjp(ops.avg_pool, avg_pool_vjp, composite=avg_pool_composite)
defvjp(ops.max_pool, max_pool_vjp)
defconstant(ops.winners)

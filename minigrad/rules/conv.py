"""Rules of convolutions and pooling: each family is closed, so any order follows without a composite."""

import numpy as np

from minigrad import ops
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
    if isinstance(divisor, np.ndarray):
        divisor = divisor.astype(x.dtype)
    share = (g / divisor).reshape((*g.shape, *(1,) * len(kernel)))
    return ops.overlap_add(np.broadcast_to(share, (*g.shape, *kernel)), shape=x.shape[2:], stride=stride,
                           padding=padding, dilation=(1,) * len(kernel))


def max_pool_vjp(g, y, x, **how):
    """Give all to the one winner: where it stands is locally constant, so the rest is a scatter."""
    return ops.scatter(g.reshape((-1,)), ops.winners(x, y, **how), (x.size,)).reshape(x.shape)


defvjp(ops.avg_pool, avg_pool_vjp)
defvjp(ops.max_pool, max_pool_vjp)
defconstant(ops.winners)

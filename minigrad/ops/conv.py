"""Convolutions and pooling, over any number of spatial axes at once.

Arrays have shape (N, C, *spatial): examples, channels, then height and width, or just a length.  Everywhere
``stride`` and ``dilation`` hold one number per spatial axis and ``padding`` one pair (before, after).  They are
taken on trust here; ``nn.functional`` checks what users give.

A convolution is bilinear in its input and its weight, so three functions make a family that is closed under
differentiation: :func:`conv` itself, and the two that pull a cotangent back to its input and to its weight.  The rules
of each are the other two, and derivatives of every order follow.  :func:`windows` and :func:`overlap_add` are such
a pair, too.

Inside a convolution channels come last: then all windows can be laid out as the rows of one matrix, copied in long runs
(``kernel * C`` numbers lie side by side), and the work is a matrix product.  A few examples are taken at a time, whose
windows stay in the cache: all of them together would take ``prod(kernel)`` times the memory of x.  The result is handed
on as it lies in memory, under a transposed view of shape (N, C, *spatial), so that the next layer finds it in order.
"""

import math
from itertools import product

import numpy as np

from minigrad.table import primitive

BLOCK = 2 ** 16
"""So many numbers are laid out at a time: 256 kB of float32."""

# ------------------------------------------------------------------------------ where windows lie


def output_shape(spatial, kernel, stride, padding, dilation):
    """Return how many windows fit along each axis: floor((n + padding - dilation (kernel - 1) - 1) / stride) + 1."""
    return tuple((n + before + after - d * (k - 1) - 1) // s + 1
                 for n, k, s, (before, after), d in zip(spatial, kernel, stride, padding, dilation))


def places(kernel, out, stride, dilation):
    """Yield each place in the kernel, in row-major order, and the slices of the padded input that it meets."""
    for place in product(*map(range, kernel)):
        yield place, tuple(slice(i * d, i * d + (n - 1) * s + 1, s) for i, n, s, d in zip(place, out, stride, dilation))


def inside(spatial, padding):
    """Return the slices of a padded array where the array itself lies."""
    return tuple(slice(before, before + n) for n, (before, _) in zip(spatial, padding))


def pad(x, padding, value):
    """Return x with its spatial axes padded by a value, or x itself if there is nothing to pad."""
    if not any(map(any, padding)):
        return x
    spatial = x.shape[2:]
    wide = np.full_like(x, value, shape=(*x.shape[:2], *(n + sum(p) for n, p in zip(spatial, padding))))
    wide[(..., *inside(spatial, padding))] = x
    return wide


# ---------------------------------------------------------------------------------- convolution

def channels_last(x, padding=()):
    """Return x (N, C, *spatial) as a contiguous array (N, *spatial, C), its spatial axes padded with zeros."""
    x = x.transpose(0, *range(2, x.ndim), 1)
    if not any(map(any, padding)):
        return np.ascontiguousarray(x)
    spatial = x.shape[1:-1]
    wide = np.zeros((len(x), *(n + sum(p) for n, p in zip(spatial, padding)), x.shape[-1]), x.dtype)
    wide[(slice(None), *inside(spatial, padding))] = x
    return wide


def channels_second(x):
    """Undo ``channels_last``: a view, nothing moves in memory."""
    return x.transpose(0, -1, *range(1, x.ndim - 1))


def blocks(examples, size):
    """Yield slices of as many examples, of this size each, as are worked on at a time."""
    step = max(1, BLOCK // max(1, size))
    for start in range(0, examples, step):
        yield slice(start, min(start + step, examples))


def blocks_of_windows(x, kernel, stride, padding, dilation):
    """Yield the windows of some examples at a time: their slice, and a matrix of rows (examples * out, kernel * C)."""
    out = output_shape(x.shape[2:], kernel, stride, padding, dilation)
    x = channels_last(x, padding)
    to_example, *to_next, to_channel = x.strides
    view = np.ndarray((len(x), *out, *kernel, x.shape[-1]), x.dtype, x, strides=(       # x's own memory, looked at anew
        to_example, *(s * step for s, step in zip(stride, to_next)), *(d * step for d, step in zip(dilation, to_next)),
        to_channel))
    places, width = math.prod(out), math.prod(kernel) * x.shape[-1]
    for part in blocks(len(x), places * width):
        yield part, view[part].reshape((part.stop - part.start) * places, width)


@primitive
def conv(x, weight, bias=None, *, stride, padding, dilation):
    """Return y[n, o, i] = sum over c, k of weight[o, c, k] x[n, c, i * stride + k * dilation - padding] (+ bias[o]).

    x (N, C, *spatial), weight (out, C, *kernel), bias (out,); y (N, out, *output_shape).  As in PyTorch the kernel is
    not turned round: strictly, this is a cross-correlation.
    """
    kernel, outs = weight.shape[2:], len(weight)
    columns = channels_last(weight).reshape(outs, math.prod(weight.shape[1:])).T
    y = np.empty((len(x), *output_shape(x.shape[2:], kernel, stride, padding, dilation), outs),
                 np.result_type(x, weight))
    for part, rows in blocks_of_windows(x, kernel, stride, padding, dilation):
        np.matmul(rows, columns, out=y[part].reshape(len(rows), outs))
    if bias is not None:
        y += bias
    return channels_second(y)


@primitive
def conv_input(g, weight, *, shape, stride, padding, dilation):
    """Return dL/dx of ``conv`` for a cotangent g (N, out, *output_shape) and an input of this spatial ``shape``.

    By itself it is the transposed convolution: each element of g lays down a copy of the kernel.
    """
    outs, channels, kernel, out = len(weight), weight.shape[1], weight.shape[2:], g.shape[2:]
    taps = np.ascontiguousarray(weight.transpose(*range(2, weight.ndim), 0, 1))
    g = channels_last(g)
    wide = np.zeros((len(g), *(n + sum(p) for n, p in zip(shape, padding)), channels), np.result_type(g, weight))
    for part in blocks(len(g), math.prod(out) * max(outs, channels)):
        some, rows = wide[part], g[part].reshape((part.stop - part.start) * math.prod(out), outs)
        for place, met in places(kernel, out, stride, dilation):    # a product for each: one for all writes too much
            some[(slice(None), *met)] += (rows @ taps[place]).reshape(len(some), *out, channels)
    return channels_second(wide[(slice(None), *inside(shape, padding))])


@primitive
def conv_weight(g, x, *, kernel, stride, padding, dilation):
    """Return dL/dweight of ``conv`` for a cotangent g (N, out, *output_shape), an input x and sizes ``kernel``."""
    outs, channels, dtype = g.shape[1], x.shape[1], np.result_type(g, x)
    g, weight = channels_last(g), np.zeros((outs, math.prod(kernel) * channels), np.promote_types(dtype, np.float32))
    for part, rows in blocks_of_windows(x, kernel, stride, padding, dilation):
        weight += g[part].reshape(len(rows), outs).T @ rows
    weight = channels_second(weight.reshape(outs, *kernel, channels))
    return np.ascontiguousarray(weight, dtype)


# -------------------------------------------------------------------------------------- pooling

@primitive
def windows(x, *, kernel, stride, padding, dilation):
    """Return every window of x (N, C, *spatial): (N, C, *output_shape, *kernel), a view of x where none is padded."""
    out = output_shape(x.shape[2:], kernel, stride, padding, dilation)
    x = pad(x, padding, 0)
    to_next = x.strides[2:]
    return np.lib.stride_tricks.as_strided(x, (*x.shape[:2], *out, *kernel), (
        *x.strides[:2], *(s * step for s, step in zip(stride, to_next)),
        *(d * step for d, step in zip(dilation, to_next))), writeable=False)


@primitive
def overlap_add(g, *, shape, stride, padding, dilation):
    """Return zeros (N, C, *shape) with every window of g (N, C, *output_shape, *kernel) added where it was taken."""
    axes = len(shape)
    out, kernel = g.shape[2:2 + axes], g.shape[2 + axes:]
    wide = np.zeros((*g.shape[:2], *(n + sum(p) for n, p in zip(shape, padding))), g.dtype)
    for place, met in places(kernel, out, stride, dilation):
        wide[(..., *met)] += g[(..., *place)]
    return wide[(..., *inside(shape, padding))]


@primitive
def avg_pool(x, *, kernel, stride, padding, divisor):
    """Return the sum of every window of x (N, C, *spatial), padded with zeros, over a divisor: (N, C, *output_shape).

    The divisor is a number, or an array of one per window, of shape ``output_shape``.
    """
    flat = (1,) * len(kernel)
    out = output_shape(x.shape[2:], kernel, stride, padding, flat)
    wide, y = pad(x, padding, 0), None
    for _, met in places(kernel, out, stride, flat):
        part = wide[(..., *met)]
        if y is None:       # in float32 at least: the sum of a float16 window may overflow where its mean does not
            y = part.astype(np.promote_types(x.dtype, np.float32), order="K")
        else:
            y += part
    return (y / divisor).astype(x.dtype, copy=False)


def avg_pool_composite(x, *, kernel, stride, padding, divisor):
    """Return the same, built of ordinary operations: from this, orders above the first are taken."""
    every = windows(x, kernel=kernel, stride=stride, padding=padding, dilation=(1,) * len(kernel))
    if isinstance(divisor, np.ndarray):
        divisor = divisor.astype(x.dtype)
    return every.sum(axis=tuple(range(-len(kernel), 0))) / divisor


@primitive
def max_pool(x, *, kernel, stride, padding, dilation):
    """Return the largest element of every window of x (N, C, *spatial), padded with -inf: (N, C, *output_shape).

    NaN wins.  The gradient goes to the one element that :func:`winners` names.
    """
    out = output_shape(x.shape[2:], kernel, stride, padding, dilation)
    wide, y = pad(x, padding, -np.inf), None
    for _, met in places(kernel, out, stride, dilation):
        part = wide[(..., *met)]
        y = part.copy(order="K") if y is None else np.maximum(y, part, out=y)
    return y


@primitive
def winners(x, y, *, kernel, stride, padding, dilation):
    """Return where in the flattened x the maximum y of each window stands, as a flat array of integers.

    Of several the first in row-major order of the window, of several NaNs the last: PyTorch's choices.
    """
    out = y.shape[2:]
    wide = pad(x, padding, np.nan)                  # equal to nothing: the padding never wins
    order, free = np.zeros_like(y, np.intp), np.ones_like(y, bool)
    for _, met in places(kernel, out, stride, dilation):
        free &= wide[(..., *met)] != y
        order += free                               # the place of the first match is the number of misses before it
    if np.isnan(y).any():
        wide = pad(x, padding, 0)
        for index, (_, met) in enumerate(places(kernel, out, stride, dilation)):
            order[np.isnan(wide[(..., *met)])] = index
    step = np.cumprod((1, *x.shape[:0:-1]))[::-1]   # of each axis in the flattened x
    starts = [np.arange(n) * t for n, t in zip(x.shape[:2], step)]
    starts += [(np.arange(n) * s - before) * t for n, s, (before, _), t in zip(out, stride, padding, step[2:])]
    offsets = [np.arange(k) * d * t for k, d, t in zip(kernel, dilation, step[2:])]
    return (grid_sum(starts) + grid_sum(offsets).ravel()[order]).ravel()


def grid_sum(lines):
    """Return the array of all sums of one number from each line, with an axis per line."""
    return sum(line.reshape(-1, *(1,) * (len(lines) - 1 - axis)) for axis, line in enumerate(lines))

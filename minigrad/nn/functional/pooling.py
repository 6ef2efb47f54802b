"""Pooling with PyTorch's names, defaults and shapes; for one spatial axis and for two, in one implementation."""

import functools
import math

import numpy as np

from minigrad import ops
from minigrad.nn.functional.conv import as_batch, numbers, refuse_too_large

# ------------------------------------------------------------------------- settings, and what is refused


def refuse_indices(name, return_indices):
    """Raise ValueError for a pooling that is asked for the places of its maxima."""
    if return_indices:
        raise ValueError(f"{name}: return_indices=True is not supported; they are where the gradient of y.sum() with "
                         f"respect to x is not 0")


def refuse_zero_divisor(name, divisor):
    """Raise ValueError for sums that are to be divided by 0."""
    if divisor is not None and not divisor:
        raise ValueError(f"{name}: divisor_override = {divisor!r} must not be 0")


def pooling_settings(name, axes, kernel, stride, padding, dilation=1):
    """Return kernel, stride (by default the kernel), padding and dilation of a pooling, checked."""
    kernel = numbers(name, "kernel_size", kernel, axes, 1)
    stride = kernel if stride is None else numbers(name, "stride", stride, axes, 1)
    dilation, pads = numbers(name, "dilation", dilation, axes, 1), numbers(name, "padding", padding, axes, 0)
    if any(2 * p > k for p, k in zip(pads, kernel)):
        raise ValueError(f"{name}: padding = {padding!r} must be at most half of the kernel {kernel}")
    return kernel, stride, pads, dilation


def with_last_windows(spatial, kernel, stride, padding, dilation, ceil_mode):
    """Return the padding as pairs; under ``ceil_mode`` with room after the end for a last window that begins inside."""
    pairs = []
    for n, k, s, p, d in zip(spatial, kernel, stride, padding, dilation):
        whole, rest = divmod(n + 2 * p - d * (k - 1) - 1, s)
        another = ceil_mode and rest and (whole + 1) * s < n + p
        pairs.append((p, p + s - rest if another else p))
    return tuple(pairs)


# ------------------------------------------------------------------------------------------ maxima

def max_pooled(name, axes, x, kernel, stride, padding, dilation, ceil_mode, return_indices):
    """Check the arguments of a max pooling over so many spatial axes, and compute it."""
    refuse_indices(name, return_indices)
    kernel, stride, pads, dilation = pooling_settings(name, axes, kernel, stride, padding, dilation)
    batch, alone = as_batch(name, x, axes)
    spatial = batch.shape[2:]
    pairs = with_last_windows(spatial, kernel, stride, pads, dilation, ceil_mode)
    out = refuse_too_large(name, batch, kernel, stride, pairs, dilation)
    for n, m, k, s, p, d in zip(spatial, out, kernel, stride, pads, dilation):
        if p and d > n and any(all(not 0 <= i * s - p + j * d < n for j in range(k)) for i in range(m)):
            raise ValueError(f"{name}: with dilation {dilation} and padding {pads} a window of input of shape "
                             f"{batch.shape} lies wholly in the padding; it has no maximum")
    y = ops.max_pool(batch, kernel=kernel, stride=stride, padding=pairs, dilation=dilation)
    return y.reshape(y.shape[1:]) if alone else y


def max_pool1d(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False):
    """Return the largest element of each window of x (N, C, L) or (C, L); see :func:`max_pool2d`.

    Example:
        >>> import numpy as np
        >>> from minigrad.nn import functional as F
        >>> F.max_pool1d(np.array([[1.0, 5.0, 2.0, 3.0]]), 2)
        array([[5., 3.]])
    """
    return max_pooled("max_pool1d", 1, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def max_pool2d(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False):
    """Return the largest element of each window.

    The gradient goes to one element: of equal ones to the first in row-major order of the window, where ``np.max``
    gives a part to each.  After a ReLU, ties between zeros are the rule.  NaN wins over every number, and of several
    the last.  All this is as in PyTorch.

    Args:
        input: (N, C, H, W), or one image (C, H, W).
        kernel_size: of the window; a number, or one per axis, as are the following.
        stride: how far apart windows stand; default the kernel.
        padding: at either end, with -inf; at most half of the kernel.
        dilation: how far apart the elements of a window stand.
        ceil_mode: whether a last window may reach over the end, if it begins before it.
        return_indices: only False.

    Returns:
        (N, C, H', W') with H' as for :func:`conv2d`, under ``ceil_mode`` rounded up.

    Raises:
        TypeError: for integers in x, or settings that are no integers.
        ValueError: if a setting is out of range, or no window fits.

    Example:
        >>> import minigrad as mg
        >>> from minigrad.nn import functional as F
        >>> x = mg.tensor([[[0.0, 0.0, 3.0, 1.0]]], requires_grad=True)
        >>> y = F.max_pool1d(x, 2)
        >>> y.data
        array([[[0., 3.]]])
        >>> mg.grad(y.sum(), x)
        tensor([[[1., 0., 1., 0.]]])
    """
    return max_pooled("max_pool2d", 2, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


# ------------------------------------------------------------------------------------------- means

def avg_pooled(name, axes, x, kernel, stride, padding, ceil_mode, count_include_pad, divisor_override):
    """Check the arguments of an average pooling over so many spatial axes, and compute it."""
    kernel, stride, pads, flat = pooling_settings(name, axes, kernel, stride, padding)
    refuse_zero_divisor(name, divisor_override)
    batch, alone = as_batch(name, x, axes)
    pairs = with_last_windows(batch.shape[2:], kernel, stride, pads, flat, ceil_mode)
    out = refuse_too_large(name, batch, kernel, stride, pairs, flat)
    divisor = math.prod(kernel) if divisor_override is None else divisor_override
    if divisor_override is None and any(map(any, pairs)):       # not all windows need hold as many elements that count
        counts = []
        for n, m, k, s, p in zip(batch.shape[2:], out, kernel, stride, pads):
            first, low, high = np.arange(m) * s - p, -p if count_include_pad else 0, n + p if count_include_pad else n
            counts.append(np.minimum(first + k, high) - np.maximum(first, low))
        divisor = functools.reduce(np.multiply.outer, counts).astype(batch.dtype)
    y = ops.avg_pool(batch, kernel=kernel, stride=stride, padding=pairs, divisor=divisor)
    return y.reshape(y.shape[1:]) if alone else y


def avg_pool1d(input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True):
    """Return the mean of each window of x (N, C, L) or (C, L); see :func:`avg_pool2d`.

    Example:
        >>> import numpy as np
        >>> from minigrad.nn import functional as F
        >>> F.avg_pool1d(np.array([[1.0, 5.0, 2.0, 3.0]]), 2)
        array([[3. , 2.5]])
    """
    return avg_pooled("avg_pool1d", 1, input, kernel_size, stride, padding, ceil_mode, count_include_pad, None)


def avg_pool2d(input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True,
               divisor_override=None):
    """Return the mean of each window.

    Args:
        input: (N, C, H, W), or one image (C, H, W).
        kernel_size: of the window; a number, or one per axis, as are the following.
        stride: how far apart windows stand; default the kernel.
        padding: at either end, with zeros; at most half of the kernel.
        ceil_mode: whether a last window may reach over the end, if it begins before it.
        count_include_pad: whether the zeros of the padding count in the mean (what lies beyond the padding never does).
        divisor_override: what to divide sums by, in place of the count.

    Raises:
        TypeError, ValueError: as :func:`max_pool2d`.

    Example:
        >>> import numpy as np
        >>> from minigrad.nn import functional as F
        >>> F.avg_pool2d(np.array([[[1.0, 2.0], [3.0, 6.0]]]), 2)
        array([[[3.]]])
    """
    return avg_pooled("avg_pool2d", 2, input, kernel_size, stride, padding, ceil_mode, count_include_pad,
                      divisor_override)


# ------------------------------------------------------------------------ means of adapted windows

def adaptive_sizes(name, axes, output_size):
    """Return the sizes that an adaptive pooling is to give, checked; None keeps the size of an axis."""
    several = isinstance(output_size, (tuple, list))
    sizes = tuple(output_size) if several else (output_size,)
    known = tuple(1 if n is None else n for n in sizes)             # None is checked as if it were 1
    given = numbers(name, "output_size", known if several else known[0], axes, 1)
    return tuple(None if size is None else n for size, n in zip(sizes * (axes // len(sizes)), given))


def adaptive_averaged(name, axes, x, output_size):
    """Check the arguments of an adaptive average pooling, and compute it, one spatial axis after the other."""
    sizes = adaptive_sizes(name, axes, output_size)
    batch, alone = as_batch(name, x, axes)
    if min(batch.shape[2:]) < 1:
        raise ValueError(f"{name}: input of shape {batch.shape} has no elements to average")
    y = batch
    for axis, size in enumerate(sizes, start=2):
        n = y.shape[axis]
        if size == 1:
            y = y.mean(axis=axis, keepdims=True)
        elif size is not None and size != n:
            lead = (slice(None),) * axis
            means = [ops.take(y, (*lead, slice(i * n // size, -(-(i + 1) * n // size)))).mean(axis=axis)
                     for i in range(size)]
            y = np.stack(means, axis=axis)
    return y.reshape(y.shape[1:]) if alone else y


def adaptive_avg_pool1d(input, output_size):
    """Return the means of so many stretches of x (N, C, L) or (C, L); see :func:`adaptive_avg_pool2d`.

    Example:
        >>> import numpy as np
        >>> from minigrad.nn import functional as F
        >>> F.adaptive_avg_pool1d(np.array([[1.0, 5.0, 2.0, 3.0, 4.0]]), 1)
        array([[3.]])
    """
    return adaptive_averaged("adaptive_avg_pool1d", 1, input, output_size)


def adaptive_avg_pool2d(input, output_size):
    """Return the means of so many windows, whatever the size of x.

    Along H, window i of H' goes from floor(i H / H') to ceil((i + 1) H / H'); neighbours may overlap.

    Args:
        input: (N, C, H, W), or one image (C, H, W).
        output_size: H' and W': a number for both, or a pair; None keeps the size.  1 is the mean over all places.

    Raises:
        TypeError, ValueError: as :func:`max_pool2d`.

    Example:
        >>> import numpy as np
        >>> from minigrad.nn import functional as F
        >>> F.adaptive_avg_pool1d(np.array([[1.0, 2.0, 6.0]]), 2)
        array([[1.5, 4. ]])
    """
    return adaptive_averaged("adaptive_avg_pool2d", 2, input, output_size)

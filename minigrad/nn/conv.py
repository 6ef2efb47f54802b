"""Convolutional layers and pooling, with PyTorch's arguments; each for one spatial axis and for two."""

import math

import numpy as np

from minigrad.nn import functional as F
from minigrad.nn import init
from minigrad.nn.functional.conv import convolution_settings, numbers, refuse_groups
from minigrad.nn.functional.pooling import adaptive_sizes, pooling_settings, refuse_indices, refuse_zero_divisor
from minigrad.nn.module import Module, Parameter


class _Conv(Module):
    """What Conv1d and Conv2d share: all but the number of spatial axes."""

    axes, convolve = None, None

    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0, dilation=1, groups=1, bias=True,
                 padding_mode="zeros", dtype=float, rng=None):
        name = type(self).__name__
        if in_channels < 1 or out_channels < 1:
            raise ValueError(f"{name}({in_channels}, {out_channels}): both numbers of channels must be at least 1")
        refuse_groups(name, groups)
        if padding_mode != "zeros":
            raise ValueError(f"{name}: padding_mode = {padding_mode!r} is not supported, only 'zeros'; pad the input "
                             f"before the layer, e.g. with np.pad")
        kernel = numbers(name, "kernel_size", kernel_size, self.axes, 1)
        self.kernel_size = kernel
        self.stride, self.padding, self.dilation = convolution_settings(name, self.axes, stride, padding, dilation)
        bound = 1 / math.sqrt(in_channels * math.prod(kernel))
        shape = (out_channels, in_channels, *kernel)
        self.weight = init.uniform_(Parameter(np.zeros(shape, dtype)), -bound, bound, rng)
        self.bias = init.uniform_(Parameter(np.zeros(out_channels, dtype)), -bound, bound, rng) if bias else None

    def forward(self, x):
        return self.convolve(x, self.weight, self.bias, self.stride, self.padding, self.dilation)

    @property
    def in_channels(self):
        return self.weight.shape[1]

    @property
    def out_channels(self):
        return self.weight.shape[0]

    def extra_repr(self):
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        if self.padding != (0,) * self.axes:
            text += f", padding={self.padding!r}"
        if self.dilation != (1,) * self.axes:
            text += f", dilation={self.dilation}"
        return text + ("" if self.bias is not None else ", bias=False")


class Conv1d(_Conv):
    """The convolution of sequences (N, in, L); all else as :class:`Conv2d`.

    Example:
        >>> import numpy as np
        >>> from minigrad import nn
        >>> nn.Conv1d(3, 5, kernel_size=3, padding="same")(np.ones((2, 3, 8))).shape
        (2, 5, 8)
    """

    axes, convolve = 1, staticmethod(F.conv1d)


class Conv2d(_Conv):
    """The convolution of images (N, in, H, W), or one (in, H, W); see ``F.conv2d``.

    Weight (out, in, *kernel_size) and bias (out,) are drawn from U[-1/sqrt(n), 1/sqrt(n)], n = in * prod(kernel_size):
    PyTorch's default, which it calls Kaiming-uniform with a = sqrt(5).

    Args:
        in_channels, out_channels: numbers of channels before and after.
        kernel_size: a number, or (height, width), as are stride, padding and dilation.
        stride: how far apart windows stand.
        padding: zeros at either end; or "same" (with stride 1) or "valid" (none).
        dilation: how far apart the elements stand that a kernel sees.
        groups: only 1.
        bias: whether to add one.
        padding_mode: only "zeros".
        dtype: a floating dtype.
        rng: a ``numpy.random.Generator``; default the one that ``mg.manual_seed`` seeds.

    Raises:
        TypeError: for settings that are no integers.
        ValueError: for settings out of range.

    Example:
        >>> import numpy as np
        >>> from minigrad import nn
        >>> layer = nn.Conv2d(1, 32, 3, stride=2)
        >>> layer
        Conv2d(1, 32, kernel_size=(3, 3), stride=(2, 2))
        >>> layer(np.ones((10, 1, 9, 9))).shape
        (10, 32, 4, 4)
    """

    axes, convolve = 2, staticmethod(F.conv2d)


class _MaxPool(Module):
    """What MaxPool1d and MaxPool2d share."""

    axes, pool = None, None

    def __init__(self, kernel_size, stride=None, padding=0, dilation=1, return_indices=False, ceil_mode=False):
        name = type(self).__name__
        refuse_indices(name, return_indices)
        pooling_settings(name, self.axes, kernel_size, stride, padding, dilation)
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding, self.dilation, self.ceil_mode = padding, dilation, ceil_mode

    def forward(self, x):
        return self.pool(x, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode)

    def extra_repr(self):
        return (f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
                f"dilation={self.dilation}, ceil_mode={self.ceil_mode}")


class MaxPool1d(_MaxPool):
    """The largest element of each window of (N, C, L); see :class:`MaxPool2d`."""

    axes, pool = 1, staticmethod(F.max_pool1d)


class MaxPool2d(_MaxPool):
    """The largest element of each window of (N, C, H, W); of equal ones the first gets the gradient.

    The arguments are those of ``F.max_pool2d``.

    Example:
        >>> from minigrad import nn
        >>> nn.MaxPool2d(2)
        MaxPool2d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)
    """

    axes, pool = 2, staticmethod(F.max_pool2d)


class AvgPool1d(Module):
    """The mean of each window of (N, C, L); the arguments are those of ``F.avg_pool1d``."""

    axes = 1

    def __init__(self, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True):
        pooling_settings(type(self).__name__, self.axes, kernel_size, stride, padding)
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding, self.ceil_mode, self.count_include_pad = padding, ceil_mode, count_include_pad

    def forward(self, x):
        return F.avg_pool1d(x, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad)

    def extra_repr(self):
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool2d(AvgPool1d):
    """The mean of each window of (N, C, H, W); the arguments are those of ``F.avg_pool2d``."""

    axes = 2

    def __init__(self, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True,
                 divisor_override=None):
        super().__init__(kernel_size, stride, padding, ceil_mode, count_include_pad)
        refuse_zero_divisor(type(self).__name__, divisor_override)
        self.divisor_override = divisor_override

    def forward(self, x):
        return F.avg_pool2d(x, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad,
                            self.divisor_override)


class AdaptiveAvgPool1d(Module):
    """The means of so many stretches of (N, C, L), whatever L is; see ``F.adaptive_avg_pool1d``."""

    axes, pool = 1, staticmethod(F.adaptive_avg_pool1d)

    def __init__(self, output_size):
        adaptive_sizes(type(self).__name__, self.axes, output_size)
        self.output_size = output_size

    def forward(self, x):
        return self.pool(x, self.output_size)

    def extra_repr(self):
        return f"output_size={self.output_size}"


class AdaptiveAvgPool2d(AdaptiveAvgPool1d):
    """The means of so many windows of (N, C, H, W), whatever H and W are; see ``F.adaptive_avg_pool2d``.

    Example:
        >>> import numpy as np
        >>> from minigrad import nn
        >>> nn.AdaptiveAvgPool2d(1)(np.ones((5, 8, 7, 6))).shape
        (5, 8, 1, 1)
    """

    axes, pool = 2, staticmethod(F.adaptive_avg_pool2d)

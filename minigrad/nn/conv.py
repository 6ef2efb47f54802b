"""Convolutional layers, with PyTorch's arguments; each for one spatial axis and for two."""

import math

from minigrad.nn import functional as F
from minigrad.nn import init
from minigrad.nn.functional.common import whole_number
from minigrad.nn.functional.conv import convolution_settings, numbers, refuse_groups, refuse_large_output_padding
from minigrad.nn.module import Module
from minigrad.nn.parameter import blank


class Convolution(Module):
    """What all convolutions share: parameters and settings; they differ in the axes, and in the way round."""

    axes = None

    def set_up(self, in_channels, out_channels, kernel_size, groups, bias, padding_mode, dtype, rng, device):
        """Check the settings, and make weight (first, second, *kernel_size) and bias."""
        name = type(self).__name__
        self.in_channels = whole_number(name, "in_channels", in_channels)
        self.out_channels = whole_number(name, "out_channels", out_channels)
        refuse_groups(name, groups)
        if padding_mode != "zeros":
            raise ValueError(f"{name}: padding_mode = {padding_mode!r} is not supported, only 'zeros'; pad the input "
                             f"before the layer with F.pad(x, amounts, mode)")
        self.kernel_size = numbers(name, "kernel_size", kernel_size, self.axes, 1)
        self.weight = blank((*self.channels(), *self.kernel_size), dtype, device)
        self.bias = blank(self.out_channels, dtype, device) if bias else None
        self.reset_parameters(rng)

    def channels(self):
        """Return the first two axes of the weight."""
        return self.out_channels, self.in_channels

    def reset_parameters(self, rng=None):
        """Draw weight and bias anew from the default distribution."""
        bound = 1 / math.sqrt(math.prod(self.weight.shape[1:]))
        for p in (self.weight,) if self.bias is None else (self.weight, self.bias):
            init.uniform_(p, -bound, bound, rng)

    def extra_repr(self):
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        for what, default in (("padding", 0), ("output_padding", 0), ("dilation", 1)):
            value = getattr(self, what, (default,) * self.axes)
            if value != (default,) * self.axes:
                text += f", {what}={value!r}"
        return text + ("" if self.bias is not None else ", bias=False")


class Conv(Convolution):
    """What Conv1d and Conv2d share: all but the number of spatial axes."""

    convolve = None

    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0, dilation=1, groups=1, bias=True,
                 padding_mode="zeros", dtype=float, rng=None, device=None):
        self.stride, self.padding, self.dilation = convolution_settings(type(self).__name__, self.axes, stride,
                                                                        padding, dilation)
        self.set_up(in_channels, out_channels, kernel_size, groups, bias, padding_mode, dtype, rng, device)

    def forward(self, x):
        """Return (N, out, *spatial) for x (N, in, *spatial), or without N for one example."""
        return self.convolve(x, self.weight, self.bias, self.stride, self.padding, self.dilation)


class Conv1d(Conv):
    """The convolution of sequences (N, in, L); all else as :class:`Conv2d`.

    Example:
        >>> import numpy as np
        >>> from minigrad import nn
        >>> nn.Conv1d(3, 5, kernel_size=3, padding="same")(np.ones((2, 3, 8))).shape
        (2, 5, 8)
    """

    axes, convolve = 1, staticmethod(F.conv1d)


class Conv2d(Conv):
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
        device: only "cpu", or None.

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


class ConvTranspose(Convolution):
    """What ConvTranspose1d and ConvTranspose2d share: all but the number of spatial axes."""

    convolve = None

    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0, output_padding=0, groups=1,
                 bias=True, dilation=1, padding_mode="zeros", dtype=float, rng=None, device=None):
        name = type(self).__name__
        self.stride, self.padding = (numbers(name, what, value, self.axes, least) for what, value, least in (
            ("stride", stride, 1), ("padding", padding, 0)))
        self.output_padding = numbers(name, "output_padding", output_padding, self.axes, 0)
        refuse_large_output_padding(name, self.output_padding, self.stride, output_padding)
        self.dilation = numbers(name, "dilation", dilation, self.axes, 1)
        self.set_up(in_channels, out_channels, kernel_size, groups, bias, padding_mode, dtype, rng, device)

    def channels(self):
        return self.in_channels, self.out_channels

    def forward(self, x):
        """Return (N, out, *spatial) for x (N, in, *spatial), or without N for one example."""
        return self.convolve(x, self.weight, self.bias, self.stride, self.padding, self.output_padding,
                             dilation=self.dilation)


class ConvTranspose1d(ConvTranspose):
    """The transposed convolution of sequences (N, in, L); all else as :class:`ConvTranspose2d`.

    Example:
        >>> import numpy as np
        >>> from minigrad import nn
        >>> nn.ConvTranspose1d(3, 5, kernel_size=2, stride=2)(np.ones((2, 3, 8))).shape
        (2, 5, 16)
    """

    axes, convolve = 1, staticmethod(F.conv_transpose1d)


class ConvTranspose2d(ConvTranspose):
    """The transposed convolution of images (N, in, H, W), or one (in, H, W); see ``F.conv_transpose2d``.

    Weight (in, out, *kernel_size) and bias (out,) are drawn from U[-1/sqrt(n), 1/sqrt(n)], n = out *
    prod(kernel_size), PyTorch's default.

    Args:
        output_padding: rows and columns added at the end, less than the stride.
        others: as for :class:`Conv2d`, in PyTorch's order.

    Raises:
        TypeError, ValueError: as :class:`Conv2d`.

    Example:
        >>> import numpy as np
        >>> from minigrad import nn
        >>> nn.ConvTranspose2d(3, 5, 4, stride=2, padding=1)(np.ones((2, 3, 8, 8))).shape
        (2, 5, 16, 16)
    """

    axes, convolve = 2, staticmethod(F.conv_transpose2d)

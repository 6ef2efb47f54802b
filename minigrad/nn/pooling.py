"""Pooling layers, with PyTorch's arguments; each for one spatial axis and for two."""

from minigrad.nn import functional as F
from minigrad.nn.functional.pooling import adaptive_sizes, pooling_settings, refuse_indices, refuse_zero_divisor
from minigrad.nn.module import Module


class MaxPool(Module):
    """What MaxPool1d and MaxPool2d share."""

    axes, pool = None, None

    def __init__(self, kernel_size, stride=None, padding=0, dilation=1, return_indices=False, ceil_mode=False):
        name = type(self).__name__
        refuse_indices(name, return_indices)
        pooling_settings(name, self.axes, kernel_size, stride, padding, dilation)
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding, self.dilation, self.ceil_mode = padding, dilation, ceil_mode

    def forward(self, x):
        """Return (N, C, *windows) for x (N, C, *spatial), or without N for one example."""
        return self.pool(x, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode)

    def extra_repr(self):
        return (f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
                f"dilation={self.dilation}, ceil_mode={self.ceil_mode}")


class MaxPool1d(MaxPool):
    """The largest element of each window of (N, C, L); see :class:`MaxPool2d`.

    Example:
        >>> import numpy as np
        >>> from minigrad import nn
        >>> nn.MaxPool1d(2)(np.ones((5, 3, 8))).shape
        (5, 3, 4)
    """

    axes, pool = 1, staticmethod(F.max_pool1d)


class MaxPool2d(MaxPool):
    """The largest element of each window of (N, C, H, W); of equal ones the first gets the gradient.

    The arguments are those of ``F.max_pool2d``.

    Example:
        >>> from minigrad import nn
        >>> nn.MaxPool2d(2)
        MaxPool2d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)
    """

    axes, pool = 2, staticmethod(F.max_pool2d)


class AvgPool1d(Module):
    """The mean of each window of (N, C, L); the arguments are those of ``F.avg_pool1d``.

    Example:
        >>> import numpy as np
        >>> from minigrad import nn
        >>> nn.AvgPool1d(3, stride=1, padding=1)(np.ones((5, 3, 8))).shape
        (5, 3, 8)
    """

    axes = 1

    def __init__(self, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True):
        pooling_settings(type(self).__name__, self.axes, kernel_size, stride, padding)
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding, self.ceil_mode, self.count_include_pad = padding, ceil_mode, count_include_pad

    def forward(self, x):
        """Return (N, C, *windows) for x (N, C, *spatial), or without N for one example."""
        return F.avg_pool1d(x, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad)

    def extra_repr(self):
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool2d(AvgPool1d):
    """The mean of each window of (N, C, H, W); the arguments are those of ``F.avg_pool2d``.

    Example:
        >>> import numpy as np
        >>> from minigrad import nn
        >>> nn.AvgPool2d(2)(np.ones((5, 3, 8, 6))).shape
        (5, 3, 4, 3)
    """

    axes = 2

    def __init__(self, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True,
                 divisor_override=None):
        super().__init__(kernel_size, stride, padding, ceil_mode, count_include_pad)
        refuse_zero_divisor(type(self).__name__, divisor_override)
        self.divisor_override = divisor_override

    def forward(self, x):
        """Return (N, C, *windows) for x (N, C, *spatial), or without N for one example."""
        return F.avg_pool2d(x, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad,
                            self.divisor_override)


class AdaptiveAvgPool1d(Module):
    """The means of so many stretches of (N, C, L), whatever L is; see ``F.adaptive_avg_pool1d``.

    Example:
        >>> import numpy as np
        >>> from minigrad import nn
        >>> nn.AdaptiveAvgPool1d(4)(np.ones((5, 3, 9))).shape
        (5, 3, 4)
    """

    axes, pool = 1, staticmethod(F.adaptive_avg_pool1d)

    def __init__(self, output_size):
        adaptive_sizes(type(self).__name__, self.axes, output_size)
        self.output_size = output_size

    def forward(self, x):
        """Return x (N, C, *spatial) with the sizes asked for, or without N for one example."""
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

"""The linear layer."""

import math

from minigrad.nn import functional as F
from minigrad.nn import init
from minigrad.nn.functional.common import whole_number
from minigrad.nn.module import Module
from minigrad.nn.parameter import blank


class Linear(Module):
    """x @ weight.T + bias.

    Weight (out, in) and bias (out,) are drawn from U[-1/sqrt(in), 1/sqrt(in)], PyTorch's default.

    Args:
        in_features, out_features: sizes of the last axis before and after.
        bias: whether to add one.
        dtype: a floating dtype.
        rng: a ``numpy.random.Generator``; default the one that ``mg.manual_seed`` seeds.
        device: only "cpu", or None.

    Raises:
        TypeError: for sizes that are no whole numbers.
        ValueError: for sizes below 1 or another device, and in forward for an x that does not fit.

    Example:
        >>> import numpy as np
        >>> from minigrad import nn
        >>> nn.Linear(3, 2)(np.ones((4, 3))).shape
        (4, 2)
    """

    def __init__(self, in_features, out_features, bias=True, dtype=float, rng=None, device=None):
        self.in_features = whole_number("Linear", "in_features", in_features)
        self.out_features = whole_number("Linear", "out_features", out_features)
        self.weight = blank((self.out_features, self.in_features), dtype, device)
        self.bias = blank(self.out_features, dtype, device) if bias else None
        self.reset_parameters(rng)

    def reset_parameters(self, rng=None):
        """Draw weight and bias anew from the default distribution."""
        bound = 1 / math.sqrt(self.in_features)
        for p in (self.weight,) if self.bias is None else (self.weight, self.bias):
            init.uniform_(p, -bound, bound, rng)

    def forward(self, x):
        """Return (..., out) for x (..., in)."""
        return F.linear(x, self.weight, self.bias)

    def extra_repr(self):
        return f"{self.in_features}, {self.out_features}{'' if self.bias is not None else ', bias=False'}"

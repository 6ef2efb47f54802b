"""The linear layer."""

import math

import numpy as np

from minigrad.nn import functional as F
from minigrad.nn import init
from minigrad.nn.module import Module
from minigrad.nn.parameter import Parameter


class Linear(Module):
    """x @ weight.T + bias.

    Weight (out, in) and bias (out,) are drawn from U[-1/sqrt(in), 1/sqrt(in)], PyTorch's default.

    Args:
        in_features, out_features: sizes of the last axis before and after.
        bias: whether to add one.
        dtype: a floating dtype.
        rng: a ``numpy.random.Generator``; default the one that ``mg.manual_seed`` seeds.

    Raises:
        ValueError: for sizes below 1, and in forward for an x that does not fit.

    Example:
        >>> import numpy as np
        >>> from minigrad import nn
        >>> nn.Linear(3, 2)(np.ones((4, 3))).shape
        (4, 2)
    """

    def __init__(self, in_features, out_features, bias=True, dtype=float, rng=None):
        if in_features < 1 or out_features < 1:
            raise ValueError(f"Linear({in_features}, {out_features}): both sizes must be at least 1")
        self.in_features, self.out_features = in_features, out_features
        bound = 1 / math.sqrt(in_features)
        self.weight = init.uniform_(Parameter(np.zeros((out_features, in_features), dtype)), -bound, bound, rng)
        self.bias = init.uniform_(Parameter(np.zeros(out_features, dtype)), -bound, bound, rng) if bias else None

    def forward(self, x):
        return F.linear(x, self.weight, self.bias)

    def extra_repr(self):
        return f"{self.in_features}, {self.out_features}{'' if self.bias is not None else ', bias=False'}"

"""Layers."""

import math

import numpy as np

from minigrad.nn import functional as F
from minigrad.nn import init
from minigrad.nn.module import Module, Parameter


class Linear(Module):
    """x @ weight.T + bias.

    Weight (out, in) and bias (out,) are drawn from U[-1/sqrt(in), 1/sqrt(in)], PyTorch's default.

    Args:
        in_features, out_features: sizes of the last axis before and after.
        bias: whether to add one.
        dtype: a floating dtype.
        rng: a ``numpy.random.Generator``; default the one that ``mg.manual_seed`` seeds.

    Example:
        >>> import numpy as np
        >>> from minigrad import nn
        >>> nn.Linear(3, 2)(np.ones((4, 3))).shape
        (4, 2)
    """

    def __init__(self, in_features, out_features, bias=True, dtype=float, rng=None):
        if in_features < 1 or out_features < 1:
            raise ValueError(f"Linear({in_features}, {out_features}): both sizes must be at least 1")
        bound = 1 / math.sqrt(in_features)
        self.weight = init.uniform_(Parameter(np.zeros((out_features, in_features), dtype)), -bound, bound, rng)
        self.bias = init.uniform_(Parameter(np.zeros(out_features, dtype)), -bound, bound, rng) if bias else None

    def forward(self, x):
        return F.linear(x, self.weight, self.bias)

    def extra_repr(self):
        out_features, in_features = self.weight.shape
        return f"{in_features}, {out_features}{'' if self.bias is not None else ', bias=False'}"


class RNNCell(Module):
    """One step of a recurrent net: h' = tanh(W_ih x + b_ih + W_hh h + b_hh).

    Parameters have PyTorch's names, shapes and default, U[-1/sqrt(hidden), 1/sqrt(hidden)].

    Args:
        input_size, hidden_size: sizes of x and h.
        bias: whether to add b_ih and b_hh.
        nonlinearity: "tanh" or "relu".
        dtype: a floating dtype.
        rng: a ``numpy.random.Generator``.

    Raises:
        ValueError: for an unknown nonlinearity, sizes below 1, or inputs that do not fit.
    """

    def __init__(self, input_size, hidden_size, bias=True, nonlinearity="tanh", dtype=float, rng=None):
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"nonlinearity = {nonlinearity!r}: 'tanh' or 'relu'")
        if input_size < 1 or hidden_size < 1:
            raise ValueError(f"RNNCell({input_size}, {hidden_size}): both sizes must be at least 1")
        bound = 1 / math.sqrt(hidden_size)

        def draw(*shape):
            return init.uniform_(Parameter(np.zeros(shape, dtype)), -bound, bound, rng)

        self.weight_ih, self.weight_hh = draw(hidden_size, input_size), draw(hidden_size, hidden_size)
        self.bias_ih, self.bias_hh = (draw(hidden_size), draw(hidden_size)) if bias else (None, None)
        self.nonlinearity = nonlinearity

    def forward(self, x, h=None):
        """Return the next state (batch, hidden) for x (batch, input) and the state h, zeros by default."""
        if h is None:
            h = np.zeros((*x.shape[:-1], self.weight_hh.shape[0]), self.weight_hh.dtype)
        from_input, from_state = F.linear(x, self.weight_ih, self.bias_ih), F.linear(h, self.weight_hh, self.bias_hh)
        if from_input.shape != from_state.shape:
            raise ValueError(f"RNNCell: x of shape {x.shape} and state of shape {h.shape} are not of one batch: their "
                             f"images have shapes {from_input.shape} and {from_state.shape}")
        a = from_input + from_state
        return F.tanh(a) if self.nonlinearity == "tanh" else F.relu(a)

    def extra_repr(self):
        hidden, inputs = self.weight_ih.shape
        return f"{inputs}, {hidden}, nonlinearity={self.nonlinearity!r}"


class Sequential(Module):
    """Modules one after the other.

    Example:
        >>> from minigrad import nn
        >>> nn.Sequential(nn.Linear(2, 3), nn.Tanh())
        Sequential(
          (0): Linear(2, 3)
          (1): Tanh()
        )  # 9 parameters
    """

    def __init__(self, *modules):
        for index, module in enumerate(modules):
            if not isinstance(module, Module):
                raise TypeError(f"Sequential: argument {index} is a {type(module).__name__}, not a Module; for a "
                                f"function use nn.Tanh() and the like")
            setattr(self, str(index), module)

    def forward(self, x):
        for _, module in self.named_children():
            x = module(x)
        return x

    def __len__(self):
        return sum(1 for _ in self.named_children())

    def __getitem__(self, index):
        chosen = [module for _, module in self.named_children()][index]
        return Sequential(*chosen) if isinstance(index, slice) else chosen


class Tanh(Module):
    """The hyperbolic tangent."""

    def forward(self, x):
        return F.tanh(x)


class ReLU(Module):
    """max(x, 0)."""

    def forward(self, x):
        return F.relu(x)


class Sigmoid(Module):
    """1 / (1 + exp(-x))."""

    def forward(self, x):
        return F.sigmoid(x)

"""Activations as modules: the functions of the same names, with their arguments kept.

``inplace=`` is accepted where PyTorch has it and has no effect: an array that a backward pass may need is never
overwritten.
"""

from minigrad.nn import functional as F
from minigrad.nn.module import Module
from minigrad.nn.showing import changed


class Tanh(Module):
    """The hyperbolic tangent."""

    def forward(self, x):
        return F.tanh(x)


class Sigmoid(Module):
    """1 / (1 + exp(-x))."""

    def forward(self, x):
        return F.sigmoid(x)


class ReLU(Module):
    """max(x, 0)."""

    def __init__(self, inplace=False):
        pass

    def forward(self, x):
        return F.relu(x)


class LeakyReLU(Module):
    """x where x > 0, else negative_slope * x."""

    def __init__(self, negative_slope=0.01, inplace=False):
        self.negative_slope = negative_slope

    def forward(self, x):
        return F.leaky_relu(x, self.negative_slope)

    def extra_repr(self):
        return f"negative_slope={self.negative_slope}"


class ELU(Module):
    """x where x > 0, else alpha (exp(x) - 1)."""

    def __init__(self, alpha=1.0, inplace=False):
        self.alpha = alpha

    def forward(self, x):
        return F.elu(x, self.alpha)

    def extra_repr(self):
        return f"alpha={self.alpha}"


class SELU(Module):
    """The scaled ELU that keeps mean 0 and variance 1; see :func:`minigrad.nn.functional.selu`."""

    def __init__(self, inplace=False):
        pass

    def forward(self, x):
        return F.selu(x)


class GELU(Module):
    """x times the standard normal distribution function of x; ``approximate`` is "none" or "tanh"."""

    def __init__(self, approximate="none"):
        if approximate not in ("none", "tanh"):
            raise ValueError(f"GELU: approximate = {approximate!r}, but it is 'none' or 'tanh'")
        self.approximate = approximate

    def forward(self, x):
        return F.gelu(x, self.approximate)

    def extra_repr(self):
        return changed(self, approximate="none")


class SiLU(Module):
    """x * sigmoid(x), also called swish."""

    def __init__(self, inplace=False):
        pass

    def forward(self, x):
        return F.silu(x)


class Softplus(Module):
    """log(1 + exp(beta x)) / beta, without PyTorch's switch to x at ``threshold``, which is not needed here."""

    def __init__(self, beta=1.0, threshold=20.0):
        if not beta > 0:
            raise ValueError(f"Softplus: beta = {beta}, but it must be above 0")
        self.beta, self.threshold = beta, threshold

    def forward(self, x):
        return F.softplus(x, self.beta, self.threshold)

    def extra_repr(self):
        return changed(self, beta=1.0)


class Softsign(Module):
    """x / (1 + |x|)."""

    def forward(self, x):
        return F.softsign(x)


class LogSigmoid(Module):
    """log sigmoid(x)."""

    def forward(self, x):
        return F.logsigmoid(x)


class Hardtanh(Module):
    """x held between min_val and max_val."""

    def __init__(self, min_val=-1.0, max_val=1.0, inplace=False):
        if not max_val > min_val:
            raise ValueError(f"Hardtanh: max_val = {max_val} must be above min_val = {min_val}")
        self.min_val, self.max_val = min_val, max_val

    def forward(self, x):
        return F.hardtanh(x, self.min_val, self.max_val)

    def extra_repr(self):
        return f"min_val={self.min_val}, max_val={self.max_val}"


class ReLU6(Module):
    """x held between 0 and 6."""

    def __init__(self, inplace=False):
        pass

    def forward(self, x):
        return F.relu6(x)


class Softmax(Module):
    """exp(x) / sum exp(x) along an axis; None and the default mean the last one."""

    def __init__(self, dim=-1):
        self.dim = -1 if dim is None else dim

    def forward(self, x):
        return F.softmax(x, self.dim)

    def extra_repr(self):
        return f"dim={self.dim}"


class LogSoftmax(Module):
    """The logarithm of softmax along an axis; None and the default mean the last one."""

    def __init__(self, dim=-1):
        self.dim = -1 if dim is None else dim

    def forward(self, x):
        return F.log_softmax(x, self.dim)

    def extra_repr(self):
        return f"dim={self.dim}"

"""Activations as modules: the functions of the same names, with their arguments kept.

``inplace=`` is accepted where PyTorch has it and has no effect: an array that a backward pass may need is never
overwritten.
"""

from minigrad.nn import functional as F
from minigrad.nn.functional.common import whole_number
from minigrad.nn.init import constant_
from minigrad.nn.module import Module
from minigrad.nn.parameter import blank
from minigrad.nn.showing import changed


class Tanh(Module):
    """The hyperbolic tangent.

    Example:
        >>> import numpy as np
        >>> from minigrad import nn
        >>> nn.Tanh()(np.array([-1.0, 0.0, 2.0])).round(4)
        array([-0.7616,  0.    ,  0.964 ])
    """

    def forward(self, x):
        """Return that of every element, in the shape of x."""
        return F.tanh(x)


class Sigmoid(Module):
    """1 / (1 + exp(-x)).

    Example:
        >>> import numpy as np
        >>> from minigrad import nn
        >>> nn.Sigmoid()(np.array([-1.0, 0.0, 2.0])).round(4)
        array([0.2689, 0.5   , 0.8808])
    """

    def forward(self, x):
        """Return that of every element, in the shape of x."""
        return F.sigmoid(x)


class ReLU(Module):
    """max(x, 0).

    Example:
        >>> import numpy as np
        >>> from minigrad import nn
        >>> nn.ReLU()(np.array([-1.0, 0.0, 2.0]))
        array([0., 0., 2.])
    """

    def __init__(self, inplace=False):
        pass

    def forward(self, x):
        """Return that of every element, in the shape of x."""
        return F.relu(x)


class LeakyReLU(Module):
    """x where x > 0, else negative_slope * x.

    Example:
        >>> import numpy as np
        >>> from minigrad import nn
        >>> nn.LeakyReLU(0.1)(np.array([-1.0, 0.0, 2.0]))
        array([-0.1,  0. ,  2. ])
    """

    def __init__(self, negative_slope=0.01, inplace=False):
        self.negative_slope = negative_slope

    def forward(self, x):
        """Return that of every element, in the shape of x."""
        return F.leaky_relu(x, self.negative_slope)

    def extra_repr(self):
        return f"negative_slope={self.negative_slope}"


class PReLU(Module):
    """x where x > 0, else weight * x, with a weight that is learned, for all of x or for each channel.

    Args:
        num_parameters: 1, or the number of channels, C in x of shape (N, C, ...).
        init: the first value of all of them.
        dtype: a floating dtype.
        device: only "cpu", or None.

    Raises:
        TypeError, ValueError: for what is no whole number, or below 1; in forward for an x that does not fit.

    Example:
        >>> import numpy as np
        >>> from minigrad import nn
        >>> nn.PReLU()(np.array([-2.0, 3.0])).tolist()
        [-0.5, 3.0]
    """

    def __init__(self, num_parameters=1, init=0.25, dtype=float, device=None):
        self.num_parameters = whole_number("PReLU", "num_parameters", num_parameters)
        self.init = init
        self.weight = blank(self.num_parameters, dtype, device)
        self.reset_parameters()

    def reset_parameters(self, rng=None):
        """Set all slopes to ``init``; nothing is drawn."""
        constant_(self.weight, self.init)

    def forward(self, x):
        """Return what :func:`minigrad.nn.functional.prelu` does, in the shape of x."""
        return F.prelu(x, self.weight)

    def extra_repr(self):
        return f"{self.num_parameters}"


class ELU(Module):
    """x where x > 0, else alpha (exp(x) - 1).

    Example:
        >>> import numpy as np
        >>> from minigrad import nn
        >>> nn.ELU()(np.array([-1.0, 0.0, 2.0])).round(4)
        array([-0.6321,  0.    ,  2.    ])
    """

    def __init__(self, alpha=1.0, inplace=False):
        self.alpha = alpha

    def forward(self, x):
        """Return that of every element, in the shape of x."""
        return F.elu(x, self.alpha)

    def extra_repr(self):
        return f"alpha={self.alpha}"


class SELU(Module):
    """The scaled ELU that keeps mean 0 and variance 1; see :func:`minigrad.nn.functional.selu`.

    Example:
        >>> import numpy as np
        >>> from minigrad import nn
        >>> nn.SELU()(np.array([-1.0, 0.0, 2.0])).round(4)
        array([-1.1113,  0.    ,  2.1014])
    """

    def __init__(self, inplace=False):
        pass

    def forward(self, x):
        """Return that of every element, in the shape of x."""
        return F.selu(x)


class GELU(Module):
    """x times the standard normal distribution function of x; ``approximate`` is "none" or "tanh".

    Example:
        >>> import numpy as np
        >>> from minigrad import nn
        >>> nn.GELU()(np.array([-1.0, 0.0, 2.0])).round(4)
        array([-0.1587,  0.    ,  1.9545])
    """

    def __init__(self, approximate="none"):
        if approximate not in ("none", "tanh"):
            raise ValueError(f"GELU: approximate = {approximate!r}, but it is 'none' or 'tanh'")
        self.approximate = approximate

    def forward(self, x):
        """Return that of every element, in the shape of x."""
        return F.gelu(x, self.approximate)

    def extra_repr(self):
        return changed(self, approximate="none")


class SiLU(Module):
    """x * sigmoid(x), also called swish.

    Example:
        >>> import numpy as np
        >>> from minigrad import nn
        >>> nn.SiLU()(np.array([-1.0, 0.0, 2.0])).round(4)
        array([-0.2689,  0.    ,  1.7616])
    """

    def __init__(self, inplace=False):
        pass

    def forward(self, x):
        """Return that of every element, in the shape of x."""
        return F.silu(x)


class Softplus(Module):
    """log(1 + exp(beta x)) / beta, without PyTorch's switch to x at ``threshold``, which is not needed here.

    Example:
        >>> import numpy as np
        >>> from minigrad import nn
        >>> nn.Softplus()(np.array([-1.0, 0.0, 2.0])).round(4)
        array([0.3133, 0.6931, 2.1269])
    """

    def __init__(self, beta=1.0, threshold=20.0):
        if not beta > 0:
            raise ValueError(f"Softplus: beta = {beta}, but it must be above 0")
        self.beta, self.threshold = beta, threshold

    def forward(self, x):
        """Return that of every element, in the shape of x."""
        return F.softplus(x, self.beta, self.threshold)

    def extra_repr(self):
        return changed(self, beta=1.0)


class Softsign(Module):
    """x / (1 + |x|).

    Example:
        >>> import numpy as np
        >>> from minigrad import nn
        >>> nn.Softsign()(np.array([-1.0, 0.0, 2.0])).round(4)
        array([-0.5   ,  0.    ,  0.6667])
    """

    def forward(self, x):
        """Return that of every element, in the shape of x."""
        return F.softsign(x)


class LogSigmoid(Module):
    """log sigmoid(x).

    Example:
        >>> import numpy as np
        >>> from minigrad import nn
        >>> nn.LogSigmoid()(np.array([-1.0, 0.0, 2.0])).round(4)
        array([-1.3133, -0.6931, -0.1269])
    """

    def forward(self, x):
        """Return that of every element, in the shape of x."""
        return F.logsigmoid(x)


class Hardtanh(Module):
    """x held between min_val and max_val.

    Example:
        >>> import numpy as np
        >>> from minigrad import nn
        >>> nn.Hardtanh(-0.5, 1.0)(np.array([-1.0, 0.0, 2.0]))
        array([-0.5,  0. ,  1. ])
    """

    def __init__(self, min_val=-1.0, max_val=1.0, inplace=False):
        if not max_val > min_val:
            raise ValueError(f"Hardtanh: max_val = {max_val} must be above min_val = {min_val}")
        self.min_val, self.max_val = min_val, max_val

    def forward(self, x):
        """Return that of every element, in the shape of x."""
        return F.hardtanh(x, self.min_val, self.max_val)

    def extra_repr(self):
        return f"min_val={self.min_val}, max_val={self.max_val}"


class ReLU6(Module):
    """x held between 0 and 6.

    Example:
        >>> import numpy as np
        >>> from minigrad import nn
        >>> nn.ReLU6()(np.array([-1.0, 2.0, 9.0]))
        array([0., 2., 6.])
    """

    def __init__(self, inplace=False):
        pass

    def forward(self, x):
        """Return that of every element, in the shape of x."""
        return F.relu6(x)


class Softmax(Module):
    """exp(x) / sum exp(x) along an axis; left out, the last one of at most two.

    Example:
        >>> import numpy as np
        >>> from minigrad import nn
        >>> nn.Softmax(dim=1)(np.array([[0.0, 0.0], [1000.0, 0.0]]))
        array([[0.5, 0.5],
               [1. , 0. ]])
    """

    def __init__(self, dim=None):
        self.dim = dim

    def forward(self, x):
        """Return that along the axis ``dim``, in the shape of x."""
        return F.softmax(x, self.dim)

    def extra_repr(self):
        return f"dim={self.dim}"


class LogSoftmax(Module):
    """The logarithm of softmax along an axis; left out, the last one of at most two.

    Example:
        >>> import numpy as np
        >>> from minigrad import nn
        >>> nn.LogSoftmax(dim=1)(np.array([[0.0, 0.0], [1000.0, 0.0]])).round(4)
        array([[-6.931e-01, -6.931e-01],
               [ 0.000e+00, -1.000e+03]])
    """

    def __init__(self, dim=None):
        self.dim = dim

    def forward(self, x):
        """Return that along the axis ``dim``, in the shape of x."""
        return F.log_softmax(x, self.dim)

    def extra_repr(self):
        return f"dim={self.dim}"

"""Activations: functions of every element, and softmax along an axis.

Where PyTorch's function has an argument ``inplace`` it is accepted and has no effect: an array that a backward pass
may need is never overwritten here.
"""

import numpy as np

from minigrad import ops
from minigrad.nn.functional.common import floats, given


def tanh(input):
    """Return the hyperbolic tangent; its slope is exactly 0 from |x| of about 19 on (float64).

    Example:
        >>> import numpy as np
        >>> from minigrad.nn import functional as F
        >>> F.tanh(np.array([-1.0, 0.0, 2.0])).round(4)
        array([-0.7616,  0.    ,  0.964 ])
    """
    return np.tanh(input)


def sigmoid(input):
    """Return 1 / (1 + exp(-x)).

    Example:
        >>> import numpy as np
        >>> from minigrad.nn import functional as F
        >>> F.sigmoid(np.array([-1.0, 0.0, 2.0])).round(4)
        array([0.2689, 0.5   , 0.8808])
    """
    return ops.sigmoid(input)


def relu(input, inplace=False):
    """Return max(x, 0); the slope at 0 is 0.

    Example:
        >>> import numpy as np
        >>> from minigrad.nn import functional as F
        >>> F.relu(np.array([-1.0, 0.0, 2.0]))
        array([0., 0., 2.])
    """
    return ops.relu(input)


def leaky_relu(input, negative_slope=0.01, inplace=False):
    """Return x where x > 0, else negative_slope * x; the slope at 0 is negative_slope.

    Example:
        >>> import numpy as np
        >>> from minigrad.nn import functional as F
        >>> F.leaky_relu(np.array([-1.0, 0.0, 2.0]), 0.1)
        array([-0.1,  0. ,  2. ])
    """
    return ops.leaky_relu(input, float(negative_slope))


def prelu(input, weight):
    """Return x where x > 0, else weight * x (He et al. 2015); the slope at 0 is weight.

    Args:
        input: (N, C, ...) for a weight of C numbers, else of any shape; floating.
        weight: (1,), or (C,) for one number per channel, axis 1 of x.

    Raises:
        ValueError: if they do not fit.
        TypeError: if x is not floating.

    Example:
        >>> import numpy as np
        >>> from minigrad.nn import functional as F
        >>> F.prelu(np.array([-2.0, 3.0]), np.array([0.25]))
        array([-0.5,  3. ])
    """
    x, weight = floats("prelu", input), given(weight)
    channels = x.shape[1] if x.ndim > 1 else 1
    if weight.shape not in ((), (1,), (channels,)):
        raise ValueError(f"prelu: weight of shape {weight.shape} does not fit input of shape {x.shape}; it holds one "
                         f"number, or one for each channel, axis 1 of x (N, C, ...)")
    if weight.size > 1:
        weight = weight.reshape((channels,) + (1,) * (x.ndim - 2))
    elif weight.ndim and not x.ndim:
        weight = weight.reshape(())
    return ops.relu(x) + weight * np.where(x > 0, 0.0, x)


def elu(input, alpha=1.0, inplace=False):
    """Return x where x > 0, else alpha (exp(x) - 1) (Clevert et al. 2016); the slope at 0 is alpha.

    Example:
        >>> import numpy as np
        >>> from minigrad.nn import functional as F
        >>> F.elu(np.array([-1.0, 0.0, 2.0])).round(4)
        array([-0.6321,  0.    ,  2.    ])
    """
    return ops.elu(input, float(alpha))


def selu(input, inplace=False):
    """Return 1.0507 times elu with alpha = 1.6733, which keeps mean 0 and variance 1 (Klambauer et al. 2017).

    Example:
        >>> import numpy as np
        >>> from minigrad.nn import functional as F
        >>> F.selu(np.array([-1.0, 0.0, 2.0])).round(4)
        array([-1.1113,  0.    ,  2.1014])
    """
    return ops.selu(input)


def gelu(input, approximate="none"):
    """Return x times the standard normal distribution function of x (Hendrycks and Gimpel 2016).

    Args:
        input: any shape.
        approximate: "none"; or "tanh" for x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2.

    Raises:
        ValueError: for another ``approximate``.

    Example:
        >>> import numpy as np
        >>> from minigrad.nn import functional as F
        >>> F.gelu(np.array([-1.0, 0.0, 2.0])).round(4)
        array([-0.1587,  0.    ,  1.9545])
    """
    return ops.gelu(input, approximate)


def silu(input, inplace=False):
    """Return x * sigmoid(x), also called swish.

    Example:
        >>> import numpy as np
        >>> from minigrad.nn import functional as F
        >>> F.silu(np.array([-1.0, 0.0, 2.0])).round(4)
        array([-0.2689,  0.    ,  1.7616])
    """
    return ops.silu(input)


def softplus(input, beta=1.0, threshold=20.0):
    """Return log(1 + exp(beta x)) / beta.

    ``threshold`` is accepted and not used: PyTorch returns x itself where beta x exceeds it, because its formula would
    overflow; this one does not, and is exact everywhere. At the default of 20 they differ by less than 2.1e-9 / beta.

    Raises:
        ValueError: if beta is not above 0.

    Example:
        >>> import numpy as np
        >>> from minigrad.nn import functional as F
        >>> F.softplus(np.array([-1.0, 0.0, 2.0])).round(4)
        array([0.3133, 0.6931, 2.1269])
    """
    if not beta > 0:
        raise ValueError(f"softplus: beta = {beta}, but it must be above 0")
    return ops.softplus(input) if beta == 1 else ops.softplus(input * float(beta)) / float(beta)


def softsign(input):
    """Return x / (1 + |x|).

    Example:
        >>> import numpy as np
        >>> from minigrad.nn import functional as F
        >>> F.softsign(np.array([-1.0, 0.0, 2.0])).round(4)
        array([-0.5   ,  0.    ,  0.6667])
    """
    return input / (1 + np.absolute(input))


def logsigmoid(input):
    """Return log sigmoid(x) = -log(1 + exp(-x)), which is x itself far out on the left.

    Example:
        >>> import numpy as np
        >>> from minigrad.nn import functional as F
        >>> F.logsigmoid(np.array([-1.0, 0.0, 2.0])).round(4)
        array([-1.3133, -0.6931, -0.1269])
    """
    return ops.log_sigmoid(input)


def hardtanh(input, min_val=-1.0, max_val=1.0, inplace=False):
    """Return x held between two bounds; the slope at the bounds is 0.

    Raises:
        ValueError: if max_val is not above min_val.

    Example:
        >>> import numpy as np
        >>> from minigrad.nn import functional as F
        >>> F.hardtanh(np.array([-1.0, 0.0, 2.0]))
        array([-1.,  0.,  1.])
    """
    if not max_val > min_val:
        raise ValueError(f"hardtanh: max_val = {max_val} must be above min_val = {min_val}")
    return ops.hardtanh(input, float(min_val), float(max_val))


def relu6(input, inplace=False):
    """Return x held between 0 and 6; the slope at both ends is 0.

    Example:
        >>> import numpy as np
        >>> from minigrad.nn import functional as F
        >>> F.relu6(np.array([-1.0, 2.0, 9.0]))
        array([0., 2., 6.])
    """
    return ops.hardtanh(input, 0.0, 6.0)


def softmax(input, dim=None):
    """Return exp(x) / sum exp(x) along an axis: positive numbers that sum to 1.

    Args:
        input: floating.
        dim: the axis; may be left out where there are at most two: the last then.

    Raises:
        TypeError: if the input is not floating.
        ValueError: for three axes and more without a ``dim``.

    Example:
        >>> import minigrad as mg
        >>> from minigrad.nn import functional as F
        >>> F.softmax(mg.tensor([1000.0, 1000.0]), dim=0)
        tensor([0.5, 0.5])
    """
    input = floats("softmax", input)
    return ops.softmax(input, axis=chosen_axis("softmax", input, dim))


def chosen_axis(name, input, dim):
    """Return the axis asked for, else the last one of at most two; of more, PyTorch takes the first or the second."""
    if dim is None and input.ndim > 2:
        raise ValueError(f"{name}: along which axis of input of shape {input.shape}? Give dim, e.g. dim=-1")
    return -1 if dim is None else dim


def log_softmax(input, dim=None):
    """Return the logarithm of softmax along an axis, exact where softmax itself would be 0; ``dim`` as for that.

    Raises:
        TypeError: if x is not floating.

    Example:
        >>> import numpy as np
        >>> from minigrad.nn import functional as F
        >>> F.log_softmax(np.array([[0.0, 0.0], [1000.0, 0.0]])).round(4)
        array([[-6.931e-01, -6.931e-01],
               [ 0.000e+00, -1.000e+03]])
    """
    input = floats("log_softmax", input)
    return ops.log_softmax(input, axis=chosen_axis("log_softmax", input, dim))

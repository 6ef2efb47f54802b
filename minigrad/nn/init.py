"""Initial values, drawn in place; the names are PyTorch's, the generator is passed along.

Every function fills a tensor, keeps its dtype, and returns it.  A weight has shape (out, in, *kernel); its fan-in is
in times the size of the kernel, its fan-out out times that.  PyTorch's name ``generator=`` is taken for ``rng=``.
"""

import math
import numbers
import operator

import numpy as np

from minigrad.nn.filling import assign, check, check_square, filler, matrix, not_negative
from minigrad.seeding import generator

# ------------------------------------------------------------------------------- any shape

@filler
def uniform_(p, a=0.0, b=1.0, rng=None):
    """Fill a parameter with numbers drawn uniformly from [a, b).

    Example:
        >>> from minigrad import nn
        >>> w = nn.init.uniform_(nn.Linear(300, 200).weight, -0.1, 0.3)
        >>> round(float(w.data.mean()), 2)
        0.1
    """
    check(p, "uniform_", a=a, b=b)
    if a > b:
        raise ValueError(f"uniform_: a = {a!r} lies above b = {b!r}")
    return assign(p, generator(rng).uniform(a, b, p.shape))


@filler
def normal_(p, mean=0.0, std=1.0, rng=None):
    """Fill a parameter with normal numbers.

    Example:
        >>> from minigrad import nn
        >>> w = nn.init.normal_(nn.Linear(300, 200).weight, 0.0, 0.02)
        >>> round(float(w.data.std()), 3)
        0.02
    """
    check(p, "normal_", mean=mean, std=std)
    not_negative("normal_", std=std)
    return assign(p, generator(rng).normal(mean, std, p.shape))


@filler
def trunc_normal_(p, mean=0.0, std=1.0, a=-2.0, b=2.0, rng=None):
    """Fill a parameter with normal numbers, those outside [a, b] drawn again; a and b are values, not multiples of std.

    Raises:
        ValueError: if less than one draw in a thousand falls into [a, b].

    Example:
        >>> from minigrad import nn
        >>> w = nn.init.trunc_normal_(nn.Linear(300, 200).weight, std=2.0)
        >>> float(w.data.max()) <= 2.0
        True
    """
    check(p, "trunc_normal_", mean=mean, std=std, a=a, b=b)
    if not (std > 0 and a < b):
        raise ValueError(f"trunc_normal_: std = {std!r} must be > 0, and a = {a!r} below b = {b!r}")
    share = (math.erf((b - mean) / std / math.sqrt(2)) - math.erf((a - mean) / std / math.sqrt(2))) / 2
    if share < 1e-3:
        raise ValueError(f"trunc_normal_: only {share:.1g} of N({mean}, {std}^2) lies in [{a}, {b}]; use uniform_")
    rng, values = generator(rng), np.full(p.shape, math.inf)
    while (outside := (values < a) | (values > b)).any():
        values[outside] = rng.normal(mean, std, np.count_nonzero(outside))
    return assign(p, values)


@filler
def constant_(p, val):
    """Fill a parameter with one value.

    Example:
        >>> from minigrad import nn
        >>> nn.init.constant_(nn.Linear(3, 2).bias, 0.5)
        tensor([0.5, 0.5], requires_grad=True)
    """
    check(p, "constant_", val=val)
    return assign(p, np.full(p.shape, float(val)))


@filler
def zeros_(p):
    """Fill a parameter with 0.

    Example:
        >>> from minigrad import nn
        >>> nn.init.zeros_(nn.Linear(3, 2).bias)
        tensor([0., 0.], requires_grad=True)
    """
    check(p, "zeros_")
    return assign(p, np.zeros(p.shape))


@filler
def ones_(p):
    """Fill a parameter with 1.

    Example:
        >>> from minigrad import nn
        >>> nn.init.ones_(nn.Linear(3, 2).bias)
        tensor([1., 1.], requires_grad=True)
    """
    check(p, "ones_")
    return assign(p, np.ones(p.shape))


# ------------------------------------------------------------------------ scaled by the fans

def calculate_gain(nonlinearity, param=None):
    """Return the gain that is customary for a nonlinearity: PyTorch's table.

    1 for "linear", "conv1d", "conv2d", "conv3d", "sigmoid"; 5/3 for "tanh"; sqrt(2) for "relu"; 3/4 for "selu";
    sqrt(2 / (1 + param^2)) for "leaky_relu", whose slope ``param`` is 0.01 by default.

    Raises:
        ValueError: for another name, or a slope that is no number.

    Example:
        >>> from minigrad import nn
        >>> nn.init.calculate_gain("leaky_relu", 1.0)
        1.0
    """
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        if isinstance(slope, bool) or not isinstance(slope, numbers.Real):
            raise ValueError(f"calculate_gain: the slope of leaky_relu is a number, not {slope!r}")
        return math.sqrt(2 / (1 + float(slope) ** 2))
    if nonlinearity not in GAINS:
        raise ValueError(f"calculate_gain: nonlinearity = {nonlinearity!r} is none of "
                         f"{', '.join(map(repr, (*GAINS, 'leaky_relu')))}; pass a gain of your own as gain=")
    return GAINS[nonlinearity]


GAINS = {"linear": 1.0, "conv1d": 1.0, "conv2d": 1.0, "conv3d": 1.0, "sigmoid": 1.0, "tanh": 5 / 3,
         "relu": math.sqrt(2), "selu": 0.75}


@filler
def xavier_uniform_(p, gain=1.0, rng=None):
    """Fill a weight with U[-b, b], b = gain sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010).

    Example:
        >>> from minigrad import nn
        >>> w = nn.init.xavier_uniform_(nn.Linear(300, 200).weight)
        >>> round(float(w.data.var() * 500), 1)
        2.0
    """
    return spread(p, "xavier_uniform_", gain, sum(fans(p, "xavier_uniform_")) / 2, True, rng)


@filler
def xavier_normal_(p, gain=1.0, rng=None):
    """Fill a weight with N(0, gain^2 2 / (fan_in + fan_out)) (Glorot and Bengio 2010).

    Example:
        >>> from minigrad import nn
        >>> w = nn.init.xavier_normal_(nn.Linear(300, 200).weight)
        >>> round(float(w.data.var() * 500), 1)
        2.0
    """
    return spread(p, "xavier_normal_", gain, sum(fans(p, "xavier_normal_")) / 2, False, rng)


@filler
def kaiming_uniform_(p, a=0.0, mode="fan_in", nonlinearity="leaky_relu", gain=None, rng=None):
    """Fill a weight with U[-b, b], b = gain sqrt(3 / fan) (He et al. 2015).

    Args:
        a: the slope of leaky_relu for negative numbers; 0 makes it relu.
        mode: "fan_in" keeps the variance on the way forward, "fan_out" on the way back.
        nonlinearity: gives the gain, by :func:`calculate_gain`.
        gain: given instead of ``a`` and ``nonlinearity``.

    Example:
        >>> from minigrad import nn
        >>> w = nn.init.kaiming_uniform_(nn.Linear(300, 200).weight, nonlinearity="relu")
        >>> round(float(w.data.var() * 300), 1)
        2.0
    """
    name = "kaiming_uniform_"
    return spread(p, name, kaiming_gain(a, nonlinearity, gain), chosen_fan(p, name, mode), True, rng)


@filler
def kaiming_normal_(p, a=0.0, mode="fan_in", nonlinearity="leaky_relu", gain=None, rng=None):
    """Fill a weight with N(0, gain^2 / fan) (He et al. 2015); arguments as for :func:`kaiming_uniform_`.

    Example:
        >>> from minigrad import nn
        >>> w = nn.init.kaiming_normal_(nn.Linear(300, 200).weight, mode="fan_out")
        >>> round(float(w.data.var() * 200), 1)
        2.0
    """
    name = "kaiming_normal_"
    return spread(p, name, kaiming_gain(a, nonlinearity, gain), chosen_fan(p, name, mode), False, rng)


@filler
def lecun_uniform_(p, gain=1.0, rng=None):
    """Fill a weight with U[-b, b], b = gain sqrt(3 / fan_in) (LeCun et al. 1998).

    Example:
        >>> from minigrad import nn
        >>> w = nn.init.lecun_uniform_(nn.Linear(300, 200).weight)
        >>> round(float(w.data.var() * 300), 1)
        1.0
    """
    return spread(p, "lecun_uniform_", gain, fans(p, "lecun_uniform_")[0], True, rng)


@filler
def lecun_normal_(p, gain=1.0, rng=None):
    """Fill a weight with N(0, gain^2 / fan_in) (LeCun et al. 1998).

    Example:
        >>> from minigrad import nn
        >>> w = nn.init.lecun_normal_(nn.Linear(300, 200).weight)
        >>> round(float(w.data.var() * 300), 1)
        1.0
    """
    return spread(p, "lecun_normal_", gain, fans(p, "lecun_normal_")[0], False, rng)


def spread(p, name, gain, fan, uniform, rng):
    """Fill a weight with numbers of mean 0 and standard deviation gain / sqrt(fan)."""
    not_negative(name, gain=gain)
    if fan == 0:
        raise ValueError(f"{name}: a weight of shape {p.shape} has fan 0; there is nothing to scale by")
    std = float(gain) / math.sqrt(fan)
    return uniform_(p, -math.sqrt(3) * std, math.sqrt(3) * std, rng) if uniform else normal_(p, 0.0, std, rng)


def kaiming_gain(a, nonlinearity, gain):
    """Return the gain that was given, else the one of the nonlinearity."""
    return calculate_gain(nonlinearity, a) if gain is None else gain


def chosen_fan(p, name, mode):
    """Return the fan-in or the fan-out of a weight."""
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"{name}: mode = {mode!r}: 'fan_in' or 'fan_out'")
    return fans(p, name)[mode == "fan_out"]


def fans(p, name):
    """Return (fan_in, fan_out) of a weight (out, in, *kernel), or say that it is none."""
    check(p, name)
    if len(p.shape) < 2:
        raise ValueError(f"{name}: a parameter of shape {p.shape} has no fan-in and fan-out; it must be a weight of "
                         f"shape (out, in) or (out, in, *kernel)")
    size = math.prod(p.shape[2:])
    return p.shape[1] * size, p.shape[0] * size


# --------------------------------------------------------------------------------- matrices

@filler
def eye_(p, gain=1.0):
    """Fill a matrix with gain on its diagonal and 0 elsewhere (Le, Jaitly and Hinton 2015, for recurrent nets).

    Example:
        >>> from minigrad import nn
        >>> nn.init.eye_(nn.RNNCell(5, 2).weight_hh)
        tensor([[1., 0.],
                [0., 1.]], requires_grad=True)
    """
    check(p, "eye_", gain=gain)
    return assign(p, float(gain) * np.eye(*matrix(p, "eye_")))


@filler
def orthogonal_(p, gain=1.0, rng=None):
    """Fill a matrix with gain times rows (or columns) of length 1 at right angles, uniformly (Saxe et al. 2014).

    A weight with a kernel is taken as a matrix (out, in * kernel).

    Example:
        >>> from minigrad import nn
        >>> w = nn.init.orthogonal_(nn.Linear(3, 2).weight).detach().numpy()
        >>> abs(w @ w.T).round(12)
        array([[1., 0.],
               [0., 1.]])
    """
    check(p, "orthogonal_", gain=gain)
    fans(p, "orthogonal_")
    rows, columns = p.shape[0], math.prod(p.shape[1:])
    q, r = np.linalg.qr(generator(rng).normal(size=(max(rows, columns), min(rows, columns))))
    q = q * np.where(np.diag(r) < 0, -1.0, 1.0)             # makes the distribution uniform
    return assign(p, float(gain) * (q if rows >= columns else q.T).reshape(p.shape))


@filler
def spectral_radius_(p, rho, rng=None):
    """Fill a square matrix with normal numbers, scaled so that the largest |eigenvalue| is ``rho``.

    Raises:
        ValueError: if the matrix is not square, or rho is not >= 0 and finite.

    Example:
        >>> import numpy as np
        >>> from minigrad import nn
        >>> w = nn.init.spectral_radius_(nn.RNNCell(5, 4).weight_hh, 0.9).detach().numpy()
        >>> round(float(abs(np.linalg.eigvals(w)).max()), 6)
        0.9
    """
    check_square(p, "spectral_radius_", rho)
    return assign(p, scaled_to(generator(rng).normal(size=p.shape), rho, "spectral_radius_"))


@filler
def sparse_(p, nonzeros, std=0.01, rho=None, rng=None):
    """Fill a matrix with 0, except for some normal numbers N(0, std^2) in each row, at places drawn anew for each.

    With ``rho`` the matrix, which must be square, is then scaled so that its largest |eigenvalue| is rho.
    ``sparse_(w, 15, rho=0.95)`` is the recurrent matrix of Pascanu, Mikolov and Bengio (2013).  (PyTorch's function of
    this name takes the share of zeros in each column instead.)

    Args:
        nonzeros: how many in each row, from 0 to its length.

    Raises:
        TypeError: if nonzeros is no whole number.
        ValueError: if it does not fit the rows; if all eigenvalues are 0, so that no scale gives rho.

    Example:
        >>> from minigrad import nn
        >>> w = nn.init.sparse_(nn.Linear(6, 4).weight, 2).detach().numpy()
        >>> (w != 0).sum(axis=1)
        array([2, 2, 2, 2])
    """
    check(p, "sparse_", std=std)
    not_negative("sparse_", std=std)
    columns = matrix(p, "sparse_")[1]
    try:
        nonzeros = operator.index(nonzeros)
    except TypeError:
        raise TypeError(f"sparse_: nonzeros = {nonzeros!r} is no whole number; it counts the entries of a row that are "
                        f"not 0") from None
    if not 0 <= nonzeros <= columns:
        raise ValueError(f"sparse_: {nonzeros} non-zero entries in a row of {columns} (shape {p.shape})")
    if rho is not None:
        check_square(p, "sparse_", rho)
    rng, w = generator(rng), np.zeros(p.shape)
    for row in w:
        row[rng.permutation(columns)[:nonzeros]] = rng.normal(0.0, std, nonzeros)
    return assign(p, w if rho is None else scaled_to(w, rho, "sparse_"))


def scaled_to(w, rho, name):
    """Return a square matrix scaled so that its largest |eigenvalue| is rho."""
    radius = np.abs(np.linalg.eigvals(w)).max(initial=0.0)
    if not radius > 0 and rho > 0:
        raise ValueError(f"{name}: all eigenvalues of the matrix drawn are 0, so no scale gives it a spectral radius "
                         f"of {rho}; draw again, with more non-zero entries or std > 0")
    return w * (rho / radius if radius else 0.0)

"""Initial values, drawn in place; the names are PyTorch's, the generator is passed along.

Every function fills a tensor, keeps its dtype, and returns it.  A weight has shape (out, in, *kernel); its fan-in is
in times the size of the kernel, its fan-out out times that.
"""

import math
import numbers
import operator

import numpy as np

from minigrad.seeding import generator
from minigrad.tensor import Tensor

# ------------------------------------------------------------------------------- any shape

def uniform_(p, a=0.0, b=1.0, rng=None):
    """Fill a parameter with numbers drawn uniformly from [a, b)."""
    check(p, "uniform_", a=a, b=b)
    if a > b:
        raise ValueError(f"uniform_: a = {a!r} lies above b = {b!r}")
    return assign(p, generator(rng).uniform(a, b, p.shape))


def normal_(p, mean=0.0, std=1.0, rng=None):
    """Fill a parameter with normal numbers."""
    check(p, "normal_", mean=mean, std=std)
    not_negative("normal_", std=std)
    return assign(p, generator(rng).normal(mean, std, p.shape))


def trunc_normal_(p, mean=0.0, std=1.0, a=-2.0, b=2.0, rng=None):
    """Fill a parameter with normal numbers, those outside [a, b] drawn again; a and b are values, not multiples of std.

    Raises:
        ValueError: if less than one draw in a thousand falls into [a, b].
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


def constant_(p, val):
    """Fill a parameter with one value."""
    check(p, "constant_", val=val)
    return assign(p, np.full(p.shape, float(val)))


def zeros_(p):
    """Fill a parameter with 0."""
    return constant_(p, 0.0)


def ones_(p):
    """Fill a parameter with 1."""
    return constant_(p, 1.0)


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


def xavier_uniform_(p, gain=1.0, rng=None):
    """Fill a weight with U[-b, b], b = gain sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010)."""
    return spread(p, "xavier_uniform_", gain, sum(fans(p, "xavier_uniform_")) / 2, True, rng)


def xavier_normal_(p, gain=1.0, rng=None):
    """Fill a weight with N(0, gain^2 2 / (fan_in + fan_out)) (Glorot and Bengio 2010)."""
    return spread(p, "xavier_normal_", gain, sum(fans(p, "xavier_normal_")) / 2, False, rng)


def kaiming_uniform_(p, a=0.0, mode="fan_in", nonlinearity="leaky_relu", gain=None, rng=None):
    """Fill a weight with U[-b, b], b = gain sqrt(3 / fan) (He et al. 2015).

    Args:
        a: the slope of leaky_relu for negative numbers; 0 makes it relu.
        mode: "fan_in" keeps the variance on the way forward, "fan_out" on the way back.
        nonlinearity: gives the gain, by :func:`calculate_gain`.
        gain: given instead of ``a`` and ``nonlinearity``.
    """
    name = "kaiming_uniform_"
    return spread(p, name, kaiming_gain(a, nonlinearity, gain), chosen_fan(p, name, mode), True, rng)


def kaiming_normal_(p, a=0.0, mode="fan_in", nonlinearity="leaky_relu", gain=None, rng=None):
    """Fill a weight with N(0, gain^2 / fan) (He et al. 2015); arguments as for :func:`kaiming_uniform_`."""
    name = "kaiming_normal_"
    return spread(p, name, kaiming_gain(a, nonlinearity, gain), chosen_fan(p, name, mode), False, rng)


def lecun_uniform_(p, gain=1.0, rng=None):
    """Fill a weight with U[-b, b], b = gain sqrt(3 / fan_in) (LeCun et al. 1998)."""
    return spread(p, "lecun_uniform_", gain, fans(p, "lecun_uniform_")[0], True, rng)


def lecun_normal_(p, gain=1.0, rng=None):
    """Fill a weight with N(0, gain^2 / fan_in) (LeCun et al. 1998)."""
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

def eye_(p, gain=1.0):
    """Fill a matrix with gain on its diagonal and 0 elsewhere (Le, Jaitly and Hinton 2015, for recurrent nets)."""
    check(p, "eye_", gain=gain)
    return assign(p, float(gain) * np.eye(*matrix(p, "eye_")))


def orthogonal_(p, gain=1.0, rng=None):
    """Fill a matrix with gain times rows (or columns) of length 1 at right angles, uniformly (Saxe et al. 2014).

    A weight with a kernel is taken as a matrix (out, in * kernel).
    """
    check(p, "orthogonal_", gain=gain)
    fans(p, "orthogonal_")
    rows, columns = p.shape[0], math.prod(p.shape[1:])
    q, r = np.linalg.qr(generator(rng).normal(size=(max(rows, columns), min(rows, columns))))
    q = q * np.where(np.diag(r) < 0, -1.0, 1.0)             # makes the distribution uniform
    return assign(p, float(gain) * (q if rows >= columns else q.T).reshape(p.shape))


def spectral_radius_(p, rho, rng=None):
    """Fill a square matrix with normal numbers, scaled so that the largest |eigenvalue| is ``rho``.

    Raises:
        ValueError: if the matrix is not square, or rho is not >= 0 and finite.
    """
    check_square(p, "spectral_radius_", rho)
    return assign(p, scaled_to(generator(rng).normal(size=p.shape), rho, "spectral_radius_"))


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


# ----------------------------------------------------------------------------------- checks

def check(p, name, **values):
    """Refuse what cannot be filled, and settings that are no finite numbers."""
    if not isinstance(p, Tensor):
        raise TypeError(f"{name} fills a tensor in place, not a {type(p).__name__}")
    if p.dtype.kind != "f":
        raise TypeError(f"{name} fills floating-point tensors, not {p.dtype}")
    for what, value in values.items():
        if isinstance(value, bool) or not isinstance(value, numbers.Real) or not math.isfinite(value):
            raise ValueError(f"{name}: {what} = {value!r} is no finite number")


def not_negative(name, **values):
    """Refuse settings that are not >= 0 and finite."""
    for what, value in values.items():
        if isinstance(value, bool) or not isinstance(value, numbers.Real) or not 0 <= value < math.inf:
            raise ValueError(f"{name}: {what} = {value!r} must be a finite number >= 0")


def matrix(p, name):
    """Return the shape of a matrix, or say that it is none."""
    if len(p.shape) != 2:
        raise ValueError(f"{name}: a parameter of shape {p.shape} is no matrix (out, in)")
    return p.shape


def check_square(p, name, rho):
    """Refuse what has no eigenvalues, and what is no spectral radius."""
    check(p, name)
    if len(p.shape) != 2 or p.shape[0] != p.shape[1]:
        raise ValueError(f"{name}: a matrix of shape {p.shape} has no eigenvalues; it must be square")
    if not (isinstance(rho, numbers.Real) and rho >= 0 and math.isfinite(rho)):
        raise ValueError(f"{name}: rho = {rho!r}: a spectral radius is a finite number >= 0")


def assign(p, values):
    """Give a tensor its new values and return it."""
    p.data = values
    return p

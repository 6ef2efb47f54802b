"""What a weight matrix does to a vector again and again: eigenvalues for the long run, singular values at once."""

import math
from typing import NamedTuple

import numpy as np

from minigrad.theory.arguments import count, square_matrix, variance

EULER = 0.57721566490153286061


class LinearRNN(NamedTuple):
    """What a linear recurrence h' = W h does to the gradient.

    Attributes:
        radius: spectral radius rho.
        rate: ln rho, of ||dL/dh_t|| per step in the long run.
        norm: largest singular value; the first step multiplies by at most this.
    """

    radius: float
    rate: float
    norm: float


class Transient(NamedTuple):
    """The norms of the powers of a matrix.

    Attributes:
        log10_norm: array (lags + 1,), log10 of ||W^k||_2 for k = 0 ... lags.
        peak: the k of the largest.
        log10_peak: its log10.
    """

    log10_norm: np.ndarray
    peak: int
    log10_peak: float


def spectral_radius(W):
    """Return the largest magnitude of an eigenvalue.

    If W is far from normal, rounding moves its eigenvalues a good deal: those of an n x n Jordan block by about
    1e-16^(1/n).  Triangular matrices are exact.

    Args:
        W: square matrix (n, n).

    Raises:
        ValueError: if W is not square, or has entries that are not finite.

    Example:
        >>> import numpy as np
        >>> spectral_radius(np.array([[0.9, 1.0], [0.0, 0.5]]))
        0.9
    """
    return float(np.abs(np.linalg.eigvals(square_matrix(W))).max())


def singular_values(W):
    """Return the singular values, largest first; argument and errors as for :func:`spectral_radius`.

    Example:
        >>> import numpy as np
        >>> singular_values(np.array([[0.0, 2.0], [0.5, 0.0]]))
        array([2. , 0.5])
    """
    return np.linalg.svd(square_matrix(W), compute_uv=False)


def spectral_norm(W):
    """Return the largest singular value; argument and errors as for :func:`spectral_radius`.

    Example:
        >>> import numpy as np
        >>> spectral_norm(np.array([[0.0, 2.0], [0.5, 0.0]]))
        2.0
    """
    return float(singular_values(W)[0])


def linear_rnn(W):
    """Return the rate at which a linear recurrence changes the gradient per step, ln rho(W), as a :class:`LinearRNN`.

    Compare a measured rate with the rho of the very matrix: that of a Gaussian 128 x 128 varies by 4 %.

    Example:
        >>> import numpy as np
        >>> found = linear_rnn(np.array([[0.9, 1.0], [0.0, 0.9]]))
        >>> found.radius, round(found.rate, 4), round(found.norm, 4)
        (0.9, -0.1054, 1.5296)
    """
    radius = spectral_radius(W)
    return LinearRNN(radius, math.log(radius) if radius else -math.inf, spectral_norm(W))


def transient(W, lags=200):
    """Return how large the powers of a matrix get before they decay, as a :class:`Transient`.

    A matrix with rho < 1 that is not normal can amplify for a long time (Trefethen, Embree 2005).  The powers are kept
    at unit size beside their logarithm, so none overflows.

    Args:
        W: square matrix (n, n).
        lags: the highest power.

    Raises:
        ValueError: if W is not square or not finite, or lags is negative.

    Example:
        >>> import numpy as np
        >>> found = transient(0.9 * np.eye(20) + np.eye(20, k=1), lags=400)
        >>> found.peak, round(found.log10_peak, 2)
        (189, 17.99)
    """
    W = square_matrix(W)
    power, shift, logs = np.eye(len(W)), 0.0, np.zeros(count(lags, "lags") + 1)
    for k in range(1, lags + 1):
        power = power @ W
        size = float(np.linalg.norm(power, 2))
        if size == 0:
            logs[k:] = -math.inf
            break
        power, shift = power / size, shift + math.log10(size)
        logs[k] = shift
    peak = int(np.argmax(logs))
    return Transient(logs, peak, float(logs[peak]))


def digamma(twice):
    """Return the digamma function at half whole numbers, psi(m / 2) for m >= 1.

    psi(1/2) = -gamma - 2 ln 2, psi(1) = -gamma, psi(x + 1) = psi(x) + 1/x.

    Args:
        twice: m, a number or an array.

    Example:
        >>> round(float(digamma(3)), 12)             # psi(3/2) = 2 - gamma - 2 ln 2
        0.036489973979
    """
    twice = np.asarray(twice)
    steps = np.arange(1, int(twice.max()) + 1)
    table = np.empty(len(steps) + 1)
    table[0] = np.nan
    for first, start in ((1, -EULER - 2 * math.log(2)), (2, -EULER)):
        places = steps[first - 1::2]
        table[places] = start + np.concatenate([[0.0], np.cumsum(2.0 / places[:-1])]) if len(places) else start
    return table[twice]


def trigamma(twice):
    """Return the trigamma function at half whole numbers, psi'(m / 2) for m >= 1; argument as for :func:`digamma`.

    psi'(1/2) = pi^2 / 2, psi'(1) = pi^2 / 6, psi'(x + 1) = psi'(x) - 1 / x^2.

    Example:
        >>> round(float(trigamma(4)), 12)            # psi'(2) = pi^2 / 6 - 1
        0.644934066848
    """
    twice = np.asarray(twice)
    steps = np.arange(1, int(twice.max()) + 1)
    table = np.empty(len(steps) + 1)
    table[0] = np.nan
    for first, start in ((1, math.pi ** 2 / 2), (2, math.pi ** 2 / 6)):
        places = steps[first - 1::2]
        table[places] = start - np.concatenate([[0.0], np.cumsum(4.0 / places[:-1] ** 2.0)]) if len(places) else start
    return table[twice]


def newman_exponents(n, k=None, sigma_w2=1.0):
    """Return the Lyapunov exponents of a product of independent Gaussian n x n matrices, largest first.

    lambda_i = (ln(2 sigma_w2 / n) + psi((n - i + 1) / 2)) / 2 for entries N(0, sigma_w2 / n) (Newman 1986).

    Args:
        n: width.
        k: how many; default all n.
        sigma_w2: variance of the entries times n.

    Returns:
        an array of shape (k,).

    Raises:
        ValueError: if not 1 <= k <= n, or sigma_w2 is negative.

    Example:
        >>> newman_exponents(50)[[0, 9, 24, 39, 49]].round(3)
        array([-0.01 , -0.112, -0.346, -0.804, -2.591])
    """
    n = count(n, "n", 1)
    k = n if k is None else count(k, "k", 1)
    if k > n:
        raise ValueError(f"k = {k}: a product of {n} x {n} matrices has {n} exponents")
    sigma_w2 = variance(sigma_w2, "sigma_w2")
    scale = math.log(2 * sigma_w2 / n) if sigma_w2 else -math.inf
    return 0.5 * (digamma(n + 1 - np.arange(1, k + 1)) + scale)

"""Initial values, drawn in place; the names are PyTorch's, the generator is passed along."""

import math

import numpy as np

from minigrad.seeding import generator


def uniform_(p, low=0.0, high=1.0, rng=None):
    """Fill a parameter with numbers drawn uniformly from [low, high)."""
    p.data = generator(rng).uniform(low, high, p.shape)
    return p


def normal_(p, mean=0.0, std=1.0, rng=None):
    """Fill a parameter with normal numbers."""
    p.data = generator(rng).normal(mean, std, p.shape)
    return p


def constant_(p, value):
    """Fill a parameter with one value."""
    p.data = np.full(p.shape, float(value))
    return p


def xavier_normal_(p, gain=1.0, rng=None):
    """Fill a weight (out, in) with N(0, gain^2 2 / (in + out)) (Glorot and Bengio 2010)."""
    return normal_(p, 0.0, gain * math.sqrt(2.0 / sum(matrix(p))), rng)


def kaiming_normal_(p, gain=2 ** 0.5, rng=None):
    """Fill a weight (out, in) with N(0, gain^2 / in); the default gain is the one for ReLU (He et al. 2015)."""
    return normal_(p, 0.0, gain / math.sqrt(matrix(p)[1]), rng)


def orthogonal_(p, gain=1.0, rng=None):
    """Fill a matrix with gain times rows (or columns) of length 1 at right angles, uniformly (Saxe et al. 2014)."""
    rows, columns = matrix(p)
    q, r = np.linalg.qr(generator(rng).normal(size=(max(rows, columns), min(rows, columns))))
    q = q * np.where(np.diag(r) < 0, -1.0, 1.0)             # makes the distribution uniform
    p.data = gain * (q if rows >= columns else q.T)
    return p


def matrix(p):
    """Return the shape (out, in) of a weight, or say that it is none."""
    if len(p.shape) != 2:
        raise ValueError(f"a parameter of shape {p.shape} has no fan-in and fan-out; this draws matrices (out, in)")
    return p.shape


def spectral_radius_(p, rho, rng=None):
    """Fill a square matrix with normal numbers, scaled so that the largest |eigenvalue| is ``rho``.

    Raises:
        ValueError: if the matrix is not square, or rho is not >= 0 and finite.
    """
    if len(p.shape) != 2 or p.shape[0] != p.shape[1]:
        raise ValueError(f"spectral_radius_: a matrix of shape {p.shape} has no eigenvalues; it must be square")
    if not (rho >= 0 and math.isfinite(rho)):
        raise ValueError(f"rho = {rho!r}: a spectral radius is a finite number >= 0")
    w = generator(rng).normal(size=p.shape)
    p.data = w * (rho / np.abs(np.linalg.eigvals(w)).max())
    return p

"""Lyapunov exponents of a trajectory: the rates at which its Jacobians stretch space, by repeated QR."""

import math
from typing import NamedTuple

import numpy as np

from minigrad.theory.arguments import count, square_matrix


class Lyapunov(NamedTuple):
    """What :func:`lyapunov_spectrum` found.

    Attributes:
        exponents: array (k,), per step, largest first but for noise; -inf for directions that are lost.
        errors: array (k,), their standard errors.
        steps: number of Jacobians they are averages over.
    """

    exponents: np.ndarray
    errors: np.ndarray
    steps: int


def lyapunov_spectrum(jacobians, k=None, discard=None, rng=None):
    """Return the k largest Lyapunov exponents of a sequence of Jacobians J_t = dh_t / dh_(t-1).

    Q_t R_t = J_t Q_(t-1), and exponent i is the average of ln |R_t[i, i]| (Benettin and others 1980; for recurrent nets
    Vogt and others 2020).  ||dL/dh_(T-t)|| grows as exp(lambda_1 t).

    Args:
        jacobians: iterable of matrices (n, n), first step first; consumed one by one.
        k: how many; default all n.  The cost is that of k columns.
        discard: how many steps to leave out at the start, while Q turns into place; default a tenth of all.
        rng: seed or generator for the first Q, which must favour no direction; default seed 0.

    Returns:
        a :class:`Lyapunov`; its standard errors come from averages over blocks of neighbouring steps.

    Raises:
        ValueError: if a Jacobian is not square, of another shape than the first, or not finite; if k or discard is out
            of range, or there is no Jacobian.

    Example:
        >>> import numpy as np
        >>> lyapunov_spectrum([np.diag([2.0, 0.5])] * 100).exponents.round(6) / np.log(2).round(6)
        array([ 1., -1.])
    """
    logs, Q = [], None
    for t, jacobian in enumerate(jacobians):
        J = square_matrix(jacobian, f"Jacobian {t}")
        if Q is None:
            k = len(J) if k is None else count(k, "k", 1)
            if k > len(J):
                raise ValueError(f"k = {k}: a {len(J)} x {len(J)} Jacobian has {len(J)} exponents")
            Q = np.linalg.qr(np.random.default_rng(0 if rng is None else rng).normal(size=(len(J), k)))[0]
        elif len(J) != len(Q):
            raise ValueError(f"Jacobian {t} has shape {J.shape}, the ones before {(len(Q), len(Q))}")
        Q, stretch = stretched(J, Q)
        logs.append(stretch)
    if Q is None:
        raise ValueError("no Jacobians: Lyapunov exponents need at least one")
    discard = len(logs) // 10 if discard is None else count(discard, "discard")
    if discard >= len(logs):
        raise ValueError(f"discard = {discard} leaves none of the {len(logs)} Jacobians")
    logs = np.array(logs[discard:])
    return Lyapunov(logs.mean(0), standard_errors(logs), len(logs))


def lyapunov(weight, states, phi_prime, k=None, discard=None, rng=None):
    """Return the Lyapunov exponents of a recurrent net along its states, with J_t = diag(phi'(a_t)) W.

    Args:
        weight: recurrent weights W (n, n), a_t = W h_(t-1) + ...
        states: array (T, n), what ``phi_prime`` is a function of: pre-activations a_t, or for tanh the hidden states
            h_t with ``lambda h: 1 - h ** 2``.
        phi_prime: slope of the activation, of an array.
        k, discard, rng: as for :func:`lyapunov_spectrum`, which says what is returned and raised.

    Example:
        >>> import numpy as np
        >>> h = np.full((200, 1), np.tanh(2 * 0.9575040240772687))             # one unit that remembers, w = 2
        >>> lyapunov([[2.0]], h, lambda h: 1 - h ** 2).exponents.round(4)       # ln of the latch's .1664
        array([-1.7935])
    """
    weight, states = square_matrix(weight, "weight"), np.asarray(states, dtype=float)
    if states.ndim != 2 or states.shape[1] != len(weight):
        raise ValueError(f"states of shape {states.shape} do not fit a weight of shape {weight.shape}: (T, "
                         f"{len(weight)}) is wanted")
    slopes = np.asarray(phi_prime(states), dtype=float)
    if slopes.shape != states.shape:
        raise ValueError(f"phi_prime made shape {slopes.shape} of states of shape {states.shape}")
    return lyapunov_spectrum((slope[:, None] * weight for slope in slopes), k, discard, rng)


def stretched(J, Q):
    """Return the new Q and the logarithms of the stretches |R[i, i]|; -inf where only rounding is left."""
    moved = J @ Q
    Q, R = np.linalg.qr(moved)
    size = np.abs(np.diag(R))
    lost = size <= 4 * len(J) * np.finfo(float).eps * np.linalg.norm(moved, axis=0)
    with np.errstate(divide="ignore"):
        return Q, np.where(lost, -np.inf, np.log(size))


def standard_errors(logs):
    """Return the standard error of each column's mean, from the means of about sqrt(T) blocks of neighbouring steps."""
    blocks = max(2, math.isqrt(len(logs)))
    if len(logs) < blocks:
        return np.full(logs.shape[1], np.nan)
    size = len(logs) // blocks
    means = logs[len(logs) - blocks * size:].reshape(blocks, size, -1).mean(1)
    with np.errstate(invalid="ignore"):
        return np.sqrt(((means - means.mean(0)) ** 2).sum(0) / (blocks * (blocks - 1)))

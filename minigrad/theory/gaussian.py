"""Averages over a Gaussian, E f(sqrt(q) z) with z ~ N(0, 1), right for every q from 1e-300 to 1e300.

Gauss-Hermite quadrature spaces its nodes by the weight alone.  A saturating function of sqrt(q) z has all its features
within 1/sqrt(q) of 0, between two nodes once q is large: at q = 20 even 201 nodes give a wrong third digit.  Here the
line is cut into panels fine enough for both, the weight (in z) and the function (in u = sqrt(q) z), and every panel
gets 16 Gauss-Legendre nodes.
"""

import functools
import math

import numpy as np

REACH = 12.0
"""The weight beyond is below 1e-31."""

WIDTH = 0.75
"""Of a panel where nothing asks for less; in z for the weight, in u for the function."""

RATIO = 1.3
"""Away from 0 the panels in u may grow, as a function without kinks has its features near 0: neighbours' edges."""

MANY = 4000
"""A function that asks for more panels is refused."""


@functools.cache
def legendre(order):
    """Return the nodes and weights of Gauss-Legendre quadrature on [-1, 1]."""
    return np.polynomial.legendre.leggauss(order)


@functools.cache
def edges_of_weight():
    """Return the edges of the panels in z."""
    return np.linspace(-REACH, REACH, round(2 * REACH / WIDTH) + 1)


@functools.cache
def edges_of_smooth():
    """Return the edges of panels in u for a function that is analytic but for a kink at 0, and plain far from it."""
    near = np.arange(0.0, 2.5, WIDTH)
    far = near[-1] * RATIO ** np.arange(1, 2600)              # up to 1e296
    return np.concatenate([-far[::-1], -near[:0:-1], near, far])


def nodes(q, edges_u, order=16):
    """Return the nodes u = sqrt(q) z and their weights (which sum to 1) for averages over N(0, q).

    Args:
        q: variance, positive and finite.
        edges_u: sorted edges of the panels that the function needs, in u.
        order: nodes per panel.

    Example:
        >>> u, w = nodes(4.0, edges_of_smooth())
        >>> round(float(w @ u ** 2), 12)
        4.0
    """
    root = math.sqrt(q)
    low, high = np.searchsorted(edges_u, (-REACH * root, REACH * root))
    edges = np.sort(np.concatenate([edges_of_weight(), edges_u[low:high] / root]))
    z, w = on_panels(edges[:-1], edges[1:], order)
    return root * z, w * np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)


def on_panels(left, right, order=16):
    """Return Gauss-Legendre nodes and weights of all panels [left, right] along the last axis, panel after panel."""
    x, w = legendre(order)
    half, shape = 0.5 * (right - left)[..., None], (*left.shape[:-1], -1)
    return (0.5 * (right + left)[..., None] + half * x).reshape(shape), (half * w).reshape(shape)


def edges_for(functions, far=60.0, tolerance=1e-13):
    """Return edges in u that resolve functions of which nothing is known: panels are halved until halves agree.

    Kinks and jumps are closed in on; between them and beyond ``far`` the functions must be smooth.

    Args:
        functions: what is to be averaged, vectorised.
        far: from here on the panels grow, unless the functions turn out not to be plain there.
        tolerance: of the integral over [-far, far], relative.

    Returns:
        the edges, and how far out (in u) the functions are resolved: ``far``, or inf.
    """
    smooth = edges_of_smooth()
    near = np.linspace(-far, far, round(2 * far) + 1)
    edges, fine = halved(functions, np.sort(np.concatenate([near, [0.0]])), tolerance)
    if not fine:
        raise ValueError(f"the activation cannot be integrated to {tolerance:g}: it is not finite, jumps too often or "
                         f"oscillates too fast in [{-far:g}, {far:g}]")
    outer = smooth[(smooth > far) & (smooth < 1e6)]
    plain = all(halved(functions, np.concatenate([[s * far], s * outer])[::int(s)], 1e-10, rounds=1)[1]
                for s in (-1.0, 1.0))
    if not plain:
        return edges, far
    return np.concatenate([smooth[smooth < -far], edges, smooth[smooth > far]]), math.inf


def halved(functions, edges, tolerance, rounds=60):
    """Return the edges with panels halved until both halves together give what the whole gave; and if they do."""
    left, right = edges[:-1], edges[1:]
    keep = (right > left)
    left, right, kept = left[keep], right[keep], [edges]
    count = len(left)
    size = [np.abs(panel_sums(f, left, right)).sum() for f in functions]
    for _ in range(rounds):
        middle = 0.5 * (left + right)
        wrong = np.zeros(len(left), bool)
        for f, total in zip(functions, size):
            parts = panel_sums(f, left, middle) + panel_sums(f, middle, right)
            wrong |= ~(np.abs(parts - panel_sums(f, left, right)) <= tolerance * total + 1e-300)
        if not wrong.any():
            return np.sort(np.concatenate(kept)), True
        kept.append(middle[wrong])
        left, right = (np.concatenate([left[wrong], middle[wrong]]), np.concatenate([middle[wrong], right[wrong]]))
        count += int(wrong.sum())
        if count > MANY:
            break
    return np.sort(np.concatenate(kept)), False


def panel_sums(f, left, right):
    """Return the integral of f over each panel."""
    u, w = on_panels(left, right)
    return (f(u) * w).reshape(len(left), -1).sum(1)


def hermite_squares(values, u, w, q, count):
    """Return a_n^2 for n = 0 ... count, of f(sqrt(q) z) = sum a_n h_n(z), h_n the orthonormal Hermite polynomials.

    They make E f(u1) f(u2) = sum a_n^2 c^n, if u1 and u2 have variance q and correlation c (Mehler 1866).

    Args:
        values: f at the nodes.
        u, w: nodes and weights, as :func:`nodes` gives them.
    """
    z, found = u / math.sqrt(q), np.empty(count + 1)
    weighted = w * values
    before, now = np.zeros_like(z), np.ones_like(z)
    for n in range(count + 1):
        found[n] = weighted @ now
        before, now = now, (z * now - math.sqrt(n) * before) / math.sqrt(n + 1)
    return found * found


def apart(f, slope, q, d, edges_u):
    """Return E (f(u1) - f(u2))^2 / 2 and E f'(u1) f'(u2), for u1 and u2 of variance q and correlation 1 - d.

    In two dimensions: u1 = a + b and u2 = a - b with a and b independent, so that a small d costs no digits.  At each b
    the panels in a are those that f needs around b and around -b.
    """
    spread_a, spread_b = math.sqrt(q * (1 - 0.5 * d)), math.sqrt(0.5 * q * d)
    b, weight_b = nodes(spread_b ** 2, edges_u, order=8)
    b, weight_b = b[b > 0, None], 2 * weight_b[b > 0]
    low, high = np.searchsorted(edges_u, np.array([-REACH, REACH]) * (spread_a + spread_b))
    around, shape = edges_u[low:high], (len(b), -1)
    edges = np.hstack([np.broadcast_to(spread_a * edges_of_weight(), (len(b), len(edges_of_weight()))),
                       (around - b).reshape(shape), (around + b).reshape(shape)])
    edges = np.sort(np.clip(edges, -REACH * spread_a, REACH * spread_a), axis=1)
    a, weight_a = on_panels(edges[:, :-1], edges[:, 1:], order=8)
    weight_a *= np.exp(-0.5 * (a / spread_a) ** 2) / (spread_a * math.sqrt(2 * math.pi))
    squares = (f(a + b) - f(a - b)) ** 2
    products = slope(a + b) * slope(a - b)
    return (0.5 * float(weight_b @ np.vecdot(weight_a, squares)), float(weight_b @ np.vecdot(weight_a, products)))

"""Tutorial 04, from numbers to matrices: the worst growth, a spectral radius by choice, the circular law."""

import math
from functools import partial

import numpy as np

from minigrad.check.exam import Case, examine, near, short


def worst_growth(answer):
    """Check ``answer(W, k)``: the largest factor by which k steps of a linear chain can lengthen the gradient.

    Oracle: the definition.  A gradient is sent back and forth along the chain, step by step, until it has found the
    direction that grows most.

    Args:
        answer: a function of an array (n, n) and an int that returns a number.

    Returns:
        1 if it is right for all inputs, else 0.

    Example:
        >>> worst_growth(lambda W, k: np.linalg.norm(W, 2) ** k)
        worst_growth: not yet right for W = [[1, 2], [0, 3]], k = 2: expected 12.06, received 13.3246. Hint: no \
gradient meets the worst direction at every step: take the norm of the power, not the power of the norm.
        0
    """
    rng = np.random.default_rng(0)
    cases = []
    for W, k in [([[2.0]], 0), ([[2.0]], 1), ([[-2.0]], 3), ([[3.0, 0.0], [0.0, 1.0]], 1),
                 ([[1.0, 2.0], [0.0, 1.0]], 1), ([[1.0, 2.0], [0.0, 3.0]], 2),
                 ([[0.0, 2.0], [0.5, 0.0]], 2), ([[1.0, 1.0], [0.0, 1.0]], 2), ([[0.9, 1.0], [0.0, 0.9]], 10),
                 (rng.normal(size=(4, 4)), 5)]:
        W = np.array(W)
        expected = longest(W, k)
        cases.append(Case(f"W = {short(W)}, k = {k}", (W, k), round(expected, 9),
                          partial(judge_growth, W=W, k=k, expected=expected)))
    return examine("worst_growth", answer, cases)


def longest(W, k, turns=200):
    """Return the largest length that a gradient of length 1 can have k steps back: forth and back until it settles."""
    v = np.ones(len(W)) / math.sqrt(len(W)) + 0.1 * np.arange(len(W))
    for _ in range(turns):
        for _ in range(k):
            v = W.T @ v
        for _ in range(k):
            v = W @ v
        size = np.linalg.norm(v)
        if size == 0:
            return 0.0
        v = v / size
    for _ in range(k):
        v = W.T @ v
    return float(np.linalg.norm(v))


def judge_growth(got, W, k, expected):
    """Return a hint on the worst growth, "" if it is right."""
    power = np.linalg.matrix_power(W, k)
    values = np.abs(np.linalg.eigvals(W))
    known = [] if k else [(0.0, "with no step the gradient is what it was")]
    known += [
        (np.linalg.norm(W, 2) ** k, "no gradient meets the worst direction at every step: take the norm of the power, "
                                    "not the power of the norm"),
        (values.max() ** k, "the spectral radius tells the long run; along the way a gradient can be longer"),
        (np.linalg.norm(power), "np.linalg.norm of a matrix is the root of the sum of squares; the largest factor is "
                                "np.linalg.norm(..., 2)"),
        (np.linalg.norm(W ** k, 2), "W ** k takes the power of each element; np.linalg.matrix_power multiplies "
                                    "matrices"),
        (np.linalg.norm(W, 2) * k, "factors multiply from step to step"),
        (np.linalg.norm(W, 2), "this is for one step; the chain has k of them"),
        (np.abs(power).max(), "this is the largest element; a gradient of several elements can grow more"),
        (-expected, "a length is not negative"),
    ]
    return near(got, expected, known, "send the gradient back k times, and take the largest singular value of all that")


def scaled_radius(answer):
    """Check ``answer(W, rho)``: W times a positive number, such that its spectral radius is rho.

    Oracles: a closed form (matrices made with known eigenvalues), and an invariance (the result is W times one number).

    Args:
        answer: a function of an array (n, n) and a float that returns an array (n, n).

    Returns:
        1 if it is right for all inputs, else 0.

    Example:
        >>> scaled_radius(lambda W, rho: W * rho / np.linalg.eigvals(W).max())
        scaled_radius: not yet right for W = [[-2]], rho = 1: expected [[-1]], received [[1]]. Hint: the number should \
be positive; take the magnitude of the eigenvalues.
        0
    """
    rng = np.random.default_rng(0)
    basis = rng.normal(size=(4, 4))
    cases = []
    for W, radius, rho in [([[2.0]], 2.0, 1.0), ([[-2.0]], 2.0, 1.0), ([[0.5]], 0.5, 0.9),
                           ([[2.0, 0.0], [0.0, -4.0]], 4.0, 1.0), ([[0.0, -2.0], [2.0, 0.0]], 2.0, 0.9),
                           ([[0.5, 3.0], [0.0, 0.5]], 0.5, 1.0),
                           (basis @ np.diag([0.3, -1.7, 0.9, 1.1]) @ np.linalg.inv(basis), 1.7, 1.2)]:
        W = np.array(W)
        expected = W * (rho / radius)
        cases.append(Case(f"W = {short(W)}, rho = {rho:g}", (W, rho), expected,
                          partial(judge_radius, W=W, rho=rho, expected=expected)))
    return examine("scaled_radius", answer, cases)


def judge_radius(got, W, rho, expected):
    """Return a hint on a matrix scaled to a spectral radius, "" if it is right."""
    got = np.asarray(got)
    if got.shape != W.shape:
        return f"return a matrix of the shape of W, {W.shape}; this has {got.shape}"
    if np.allclose(got, expected, rtol=1e-6, atol=1e-9):
        return ""
    if np.iscomplexobj(got):
        return "the eigenvalues may be complex: take their magnitude, np.abs, before the maximum"
    place = np.unravel_index(np.abs(W).argmax(), W.shape)
    factor = got[place] / W[place]
    if not np.allclose(got, factor * W, rtol=1e-6, atol=1e-9):
        return "multiply all of W by one and the same number"
    right = expected[place] / W[place]
    if factor < 0:
        return "the number should be positive; take the magnitude of the eigenvalues"
    for value, hint in [
            (rho, "multiply by rho and divide by the radius that W has"),
            (right / rho, "this has the radius 1; multiply by rho, too"),
            (rho / np.linalg.norm(W, 2), "this sets the norm, the largest singular value; the radius is the largest "
                                         "magnitude of an eigenvalue"),
            (rho / np.linalg.norm(W), "this sets the root of the sum of squares; the radius is the largest magnitude "
                                      "of an eigenvalue"),
            (rho / np.abs(W).max(), "this sets the largest element; the radius is the largest magnitude of an "
                                    "eigenvalue"),
            (rho / np.linalg.eigvals(W).real.max(), "an eigenvalue far on the left counts, too: take magnitudes before "
                                                    "the maximum"),
            (1 / right, "the factor is turned round: rho over the radius that W has")]:
        if math.isclose(factor, value, rel_tol=1e-6):
            return hint
    return f"the radius should be {rho:g} now, and is {np.abs(np.linalg.eigvals(got)).max():.4g}"


def gaussian_std(answer):
    """Check ``answer(H, rho)``: the standard deviation that gives an H x H Gaussian matrix a spectral radius near rho.

    Oracle: a measurement.  Three such matrices are drawn, and the mean of their radii must lie within 15 % of rho.

    Args:
        answer: a function of an int and a float that returns a number.

    Returns:
        1 if it is right for all inputs, else 0.

    Example:
        >>> gaussian_std(lambda H, rho: rho / H)
        gaussian_std: not yet right for H = 25, rho = 0.6: expected 0.12, received 0.024. Hint: three matrices drawn \
with it have a radius of 0.12 on average, not 0.6; this is rho / H, and random terms add up like the root of H.
        0
    """
    cases = []
    for H, rho in [(25, 0.6), (25, 1.0), (100, 1.0), (100, 2.0), (196, 0.9)]:
        rng = np.random.default_rng(0)
        radius = float(np.mean([np.abs(np.linalg.eigvals(rng.normal(size=(H, H)))).max() for _ in range(3)]))
        cases.append(Case(f"H = {H}, rho = {rho:g}", (H, rho), rho / math.sqrt(H),
                          partial(judge_std, H=H, rho=rho, radius=radius)))
    return examine("gaussian_std", answer, cases)


def judge_std(got, H, rho, radius):
    """Return a hint on a standard deviation, given the measured radius for one of 1; "" if it is right."""
    got = float(got)
    if abs(got * radius / rho - 1) < 0.15:
        return ""
    if got < 0:
        return "a standard deviation is not negative"
    root = math.sqrt(H)
    more = next((f"; {hint}" for value, hint in [
        (rho, "with more units a step adds up more terms, so each must be smaller"),
        (rho / H, "this is rho / H, and random terms add up like the root of H"),
        (rho ** 2 / H, "this is the variance; the standard deviation is its root"),
        (1 / root, "rho is missing"),
        (rho / (2 * root), "this makes the norm rho, and the radius is half of that"),
        (rho * root, "divide by the root of H"),
        (math.sqrt(rho) / root, "the radius grows with the standard deviation itself, not with its square"),
    ] if math.isclose(got, value, rel_tol=1e-6)), "")
    return f"three matrices drawn with it have a radius of {got * radius:.2g} on average, not {rho:g}{more}"

"""Tutorial 07, depth and initialisation: weights for ReLU, the critical variance, the scale of residual branches."""

import math
from functools import partial

import numpy as np

from minigrad import theory
from minigrad.check.exam import Case, examine

MEANS_WITHIN, VARIANCE_WITHIN = 0.1, 0.02
"""How far a mean square of at least 2500 random numbers may lie off; how far an average over a Gaussian."""


def he_weights(answer):
    """Check ``answer(n_in, n_out, rng)``: weights with which a ReLU net keeps the mean square of its signal, forward.

    Oracle: a closed form, n_in E w^2 = 2 (He et al. 2015), with a mean near 0; any distribution will do.

    Args:
        answer: a function of two widths and a NumPy generator that returns an array (n_out, n_in).

    Returns:
        1 if it is right for all inputs, else 0.

    Example:
        >>> he_weights(lambda n_in, n_out, rng: rng.normal(size=(n_out, n_in)) / n_in ** 0.5)
        he_weights: not yet right for n_in = 50, n_out = 50: expected n_in * mean(W ** 2) = 2, received 0.97. Hint: \
1 is Xavier's; a ReLU lets only half of the mean square pass.
        0
    """
    cases = [Case(f"n_in = {n_in}, n_out = {n_out}", (n_in, n_out, np.random.default_rng(n_in + n_out)),
                  "n_in * mean(W ** 2) = 2", partial(judge_weights, n_in=n_in, n_out=n_out))
             for n_in, n_out in ((50, 50), (50, 80), (400, 50), (64, 1000))]
    return examine("he_weights", Shown(answer), cases)


class Shown:
    """An answer whose matrices are shown by what is judged of them."""

    def __init__(self, answer):
        self.answer = answer

    def __call__(self, n_in, n_out, rng):
        matrix = self.answer(n_in, n_out, rng)
        return matrix if matrix is None else Matrix(matrix, n_in)


class Matrix:
    """A matrix that was received; as text it is n_in times its mean square, or its shape, or what else it is."""

    def __init__(self, received, n_in):
        self.received, self.n_in = received, n_in
        self.array = np.asarray(received.data if hasattr(received, "requires_grad") else received, dtype=float)

    def __repr__(self):
        if self.array.ndim != 2:
            return repr(self.received)
        return f"{self.n_in * (self.array ** 2).mean():.3g}" if self.array.size > 1 else f"shape {self.array.shape}"


def judge_weights(got, n_in, n_out):
    """Return a hint on what is wrong with weights, "" if nothing is."""
    array = got.array
    if array.shape != (n_out, n_in):
        turned = " (a layer computes W @ h, so outputs come first)" if array.shape == (n_in, n_out) else ""
        return f"the shape should be ({n_out}, {n_in}) and is {array.shape}{turned}"
    square, noise = n_in * (array ** 2).mean(), 6 / math.sqrt(array.size)
    if not math.isfinite(square):
        return "some weights are not finite"
    if abs(array.mean()) > noise * array.std() + 1e-12:
        return (f"the mean of the weights should be 0 and is {array.mean():.3g}; rng.random and rng.uniform(0, 1) have "
                f"no negative numbers")
    if abs(square / 2 - 1) < MEANS_WITHIN:
        return "" if carries(array) else "neighbouring weights are alike; draw each of them from rng, on its own"
    for wrong, words in ((1.0, "1 is Xavier's; a ReLU lets only half of the mean square pass"),
                         (2 * n_in / n_out, "an entry of W @ h is a sum of n_in terms, not of n_out"),
                         (4 / n_in, "2 / n_in is the variance; multiply by its root, the standard deviation"),
                         (2 * n_in, "the variance of a single weight is 2 / n_in"),
                         (4 * n_in / (n_in + n_out), "on the way forward n_in alone counts"),
                         (2 / 3, "numbers drawn uniformly from [-b, b] have the variance b^2 / 3")):
        if abs(square / wrong - 1) < MEANS_WITHIN:
            return words
    return "the variance of an entry of W @ h is n_in Var(w) E h^2, and behind a ReLU E h^2 is half the mean square"


def carries(array):
    """Whether these weights make, of a random signal behind a ReLU, about the mean square that independent ones do."""
    signal = np.random.default_rng(0).normal(size=(array.shape[1], 200))
    return 1 / 3 < ((array @ np.maximum(signal, 0)) ** 2).mean() < 3


# ------------------------------------------------------------------------------------------- the critical variance

def leaky(a):
    """Return the slope of a leaky ReLU with 0.2."""
    return np.where(np.asarray(a) > 0, 1.0, 0.2)


def logistic(a):
    """Return the slope of the logistic sigmoid."""
    s = 1 / (1 + np.exp(-np.asarray(a)))
    return s * (1 - s)


SLOPES = {
    "slope of the identity": (lambda a: np.asarray(a, float), lambda a: np.ones_like(a, dtype=float)),
    "slope of 3 a": (lambda a: 3.0 * np.asarray(a), lambda a: np.full_like(a, 3.0, dtype=float)),
    "slope of ReLU": (lambda a: np.maximum(a, 0), lambda a: (np.asarray(a) > 0).astype(float)),
    "slope of leaky ReLU (0.2)": (lambda a: np.where(np.asarray(a) > 0, a, 0.2 * np.asarray(a)), leaky),
    "slope of tanh": (np.tanh, lambda a: 1 - np.tanh(a) ** 2),
    "slope of sin": (np.sin, np.cos),
    "slope of the logistic sigmoid": (lambda a: 1 / (1 + np.exp(-np.asarray(a))), logistic),
}
"""What is shown of an activation -> (phi, its slope)."""


def critical_variance(answer):
    """Check ``answer(slope)``: the variance sigma_w^2 at which chi_1 = 1, for signals of mean square 1.

    Oracle: :func:`minigrad.theory.chi_at`, by another quadrature.  A sample of random numbers will do in the answer,
    if it is large: 2 % off is right.

    Args:
        answer: a function of phi' (itself a function of an array) that returns a number.

    Returns:
        1 if it is right for all activations, else 0.

    Example:
        >>> critical_variance(lambda slope: 2.0)
        critical_variance: not yet right for slope of the identity: expected 1, received 2. Hint: chi_1 would be 2 \
with it: sigma_w^2 is 1 divided by the mean of the squared slope over a standard Gaussian.
        0
    """
    def judge(got, expected, mean):
        got = float(got)
        if math.isclose(got, expected, rel_tol=VARIANCE_WITHIN):
            return ""
        for wrong, words in ((1 / expected, "that is chi_1 at sigma_w^2 = 1; the variance that makes it 1 is its "
                              "inverse"),
                             (1 / mean ** 2, "the mean of the squares is wanted, not the square of the mean"),
                             (1 / abs(mean), "square the slope before the mean is taken"),
                             (expected ** 0.5, "that is sigma_w; its square is asked for")):
            if mean and math.isclose(got, wrong, rel_tol=VARIANCE_WITHIN):
                return words
        return (f"chi_1 would be {got / expected:.3g} with it: sigma_w^2 is 1 divided by the mean of the squared slope "
                f"over a standard Gaussian")

    z = np.linspace(-12, 12, 4801)
    density = np.exp(-z ** 2 / 2) / np.exp(-z ** 2 / 2).sum()
    cases = []
    for shown, (phi, slope) in SLOPES.items():
        expected = 1 / theory.chi_at((phi, slope), 1.0, 1.0)
        cases.append(Case(shown, (slope,), expected,
                          partial(judge, expected=expected, mean=float((density * slope(z)).sum()))))
    return examine("critical_variance", answer, cases)


# ---------------------------------------------------------------------------------------------- residual branches

def residual_scale(answer):
    """Check ``answer(chi, depth, growth)``: the factor of residual branches for a given growth of ||dL/dh||.

    Oracle: a closed form run backwards; the growth that the factor leads to, (1 + alpha^2 chi)^(depth / 2), is compared
    with the one that was asked for.

    Args:
        answer: a function of chi (float), depth (int) and growth (float >= 1) that returns alpha >= 0.

    Returns:
        1 if it is right for all inputs, else 0.

    Example:
        >>> residual_scale(lambda chi, depth, growth: 1 / depth ** 0.5)
        residual_scale: not yet right for chi = 1, depth = 1, growth = 1: expected 0, received 1. Hint: the gradient \
is 1.414 times as long with it, and should be 1 times.
        0
    """
    def judge(got, chi, depth, growth):
        alpha = float(got)
        if alpha < 0:
            return "alpha should not be negative"
        reached = math.exp(depth / 2 * math.log1p(alpha ** 2 * chi))
        if math.isclose(reached, growth, rel_tol=1e-6):
            return ""
        for wrong, words in (((growth ** (2 / depth) - 1) / chi, "alpha multiplies the gradient, so alpha^2 multiplies "
                              "its square: take the root at the end"),
                             (math.sqrt((growth ** (1 / depth) - 1) / chi), "the law 1 + alpha^2 chi is about the "
                              "square of the gradient's length: growth^2 in depth equal factors"),
                             (math.sqrt(growth ** (2 / depth) - 1), "a branch adds alpha^2 chi, not alpha^2")):
            if math.isclose(alpha, wrong, rel_tol=1e-6):
                return words
        return f"the gradient is {reached:.4g} times as long with it, and should be {growth:g} times"

    cases = []
    for chi, depth, growth in ((1.0, 1, 1.0), (1.0, 1, 2.0), (0.5, 1, 2.0), (1.0, 2, 3.0), (0.5, 40, 10.0),
                               (1.3, 1000, 2.718)):
        expected = math.sqrt((growth ** (2 / depth) - 1) / chi)
        cases.append(Case(f"chi = {chi:g}, depth = {depth}, growth = {growth:g}", (chi, depth, growth), expected,
                          partial(judge, chi=chi, depth=depth, growth=growth)))
    return examine("residual_scale", answer, cases)

"""The checks of tutorial 07: right answers pass, and a wrong one is shown the smallest input on which it fails."""

import math

import numpy as np
import pytest
from checking import fails, one_line, passes

import minigrad as mg
from minigrad import check, nn, theory
from minigrad.check.depth import SLOPES


def orthogonal(n_in, n_out, rng):
    q = np.linalg.qr(rng.normal(size=(max(n_in, n_out),) * 2))[0][:n_out, :n_in]
    return q * np.sqrt(2 / n_in * n_out * n_in / (q * q).sum())


def he_uniform(n_in, n_out, rng):
    bound = math.sqrt(6 / n_in)
    return rng.uniform(-bound, bound, size=(n_out, n_in))


def as_tensor(n_in, n_out, rng):
    return nn.init.kaiming_normal_(mg.zeros(n_out, n_in), nonlinearity="relu", rng=rng)


def signs(n_in, n_out, rng):
    return rng.choice([-1.0, 1.0], size=(n_out, n_in)) * math.sqrt(2 / n_in)


def by_sampling(slope):
    z = np.random.default_rng(0).normal(size=400_000)
    return 1 / (slope(z) ** 2).mean()


def by_hermite(slope):
    z, w = np.polynomial.hermite_e.hermegauss(100)
    return w.sum() / (w * slope(z) ** 2).sum()


def scale(chi, depth, growth):
    return ((growth ** (2 / depth) - 1) / chi) ** 0.5


def scale_by_halving(chi, depth, growth):
    low, high = 0.0, 100.0
    for _ in range(200):
        mid = (low + high) / 2
        low, high = (mid, high) if depth / 2 * math.log1p(mid * mid * chi) < math.log(growth) else (low, mid)
    return low


@pytest.mark.parametrize(("exercise", "answer"), [
    (check.he_weights, lambda i, o, rng: rng.normal(size=(o, i)) * (2 / i) ** 0.5),
    (check.he_weights, he_uniform), (check.he_weights, orthogonal), (check.he_weights, as_tensor),
    (check.he_weights, signs),
    (check.critical_variance, by_sampling), (check.critical_variance, by_hermite),
    (check.critical_variance, lambda slope: np.float64(by_hermite(slope))),
    (check.residual_scale, scale), (check.residual_scale, scale_by_halving),
])
def test_right_answers_pass(exercise, answer, capsys):
    passes(exercise, answer, capsys)


def test_the_law_of_residual_branches_is_that_of_the_theory():
    grown = theory.profile("relu", 40, 1.0, residual=True, sigma_v2=scale(0.5, 40, 10.0) ** 2)
    assert grown[0] == pytest.approx(1.0, rel=1e-9)                         # decades: log10 of the growth of 10


def mean(f):
    z = np.linspace(-12, 12, 4801)
    density = np.exp(-z * z / 2)
    return (density * f(z)).sum() / density.sum()


NORMAL = "n_in = 50, n_out = 50"
WRONG = [
    (check.he_weights, lambda i, o, rng: rng.normal(size=(o, i)) / i ** 0.5, NORMAL, "Xavier"),
    (check.he_weights, lambda i, o, rng: rng.normal(size=(o, i)) * 2 / i, NORMAL, "standard deviation"),
    (check.he_weights, lambda i, o, rng: rng.normal(size=(o, i)), NORMAL, "half the mean square"),
    (check.he_weights, lambda i, o, rng: rng.normal(size=(o, i)) * 2 ** 0.5, NORMAL, "single weight"),
    (check.he_weights, lambda i, o, rng: rng.uniform(-1, 1, (o, i)) * (2 / i) ** 0.5, NORMAL, "b^2 / 3"),
    (check.he_weights, lambda i, o, rng: rng.random((o, i)) * (6 / i) ** 0.5, NORMAL, "mean of the weights"),
    (check.he_weights, lambda i, o, rng: np.full((o, i), np.nan), NORMAL, "finite"),
    (check.he_weights, lambda i, o, rng: rng.normal(size=o) * (2 / i) ** 0.5, NORMAL, "shape should be (50, 50)"),
    (check.he_weights, lambda i, o, rng: 0.2, NORMAL, "shape"),
    (check.he_weights, lambda i, o, rng: np.linspace(-1, 1, o * i).reshape(o, i) * (6 / i) ** 0.5, NORMAL, "alike"),
    (check.he_weights, lambda i, o, rng: rng.normal(size=(i, o)) * (2 / i) ** 0.5, "n_in = 50, n_out = 80",
     "outputs come first"),
    (check.he_weights, lambda i, o, rng: rng.normal(size=(o, i)) * (2 / o) ** 0.5, "n_in = 50, n_out = 80",
     "not of n_out"),
    (check.he_weights, lambda i, o, rng: rng.normal(size=(o, i)) * (4 / (i + o)) ** 0.5, "n_in = 50, n_out = 80",
     "n_in alone"),
    (check.critical_variance, lambda slope: mean(lambda z: slope(z) ** 2), "slope of 3 a", "inverse"),
    (check.critical_variance, lambda slope: 1 / mean(slope), "slope of 3 a", "square the slope"),
    (check.critical_variance, lambda slope: 1 / mean(lambda z: slope(z) ** 2) ** 0.5, "slope of 3 a", "square"),
    (check.critical_variance, lambda slope: 1 / mean(slope) ** 2, "slope of ReLU", "square of the mean"),
    (check.critical_variance, lambda slope: 2.0, "slope of the identity", "chi_1 would be 2"),
    (check.critical_variance, lambda slope: 1 / (slope(np.linspace(-5, 5, 1001)) ** 2).mean(),
     "slope of tanh", "standard Gaussian"),
    (check.residual_scale, lambda chi, depth, growth: (growth ** (2 / depth) - 1) / chi,
     "chi = 1, depth = 1, growth = 2", "take the root"),
    (check.residual_scale, lambda chi, depth, growth: ((growth ** (1 / depth) - 1) / chi) ** 0.5,
     "chi = 1, depth = 1, growth = 2", "square of the gradient's length"),
    (check.residual_scale, lambda chi, depth, growth: (growth ** (2 / depth) - 1) ** 0.5,
     "chi = 0.5, depth = 1, growth = 2", "alpha^2 chi"),
    (check.residual_scale, lambda chi, depth, growth: ((growth ** 2 - 1) / chi) ** 0.5 / depth,
     "chi = 0.5, depth = 40, growth = 10", "times as long"),
    (check.residual_scale, lambda chi, depth, growth: -scale(chi, depth, growth),
     "chi = 1, depth = 1, growth = 2", "negative"),
]


@pytest.mark.parametrize(("exercise", "answer", "shown", "hint"), WRONG)
def test_wrong_answers_fail_on_the_smallest_input(exercise, answer, shown, hint, capsys):
    fails(exercise, answer, capsys, f"for {shown}: expected ", hint)


@pytest.mark.parametrize(("exercise", "answer", "received", "hint"), [
    (check.he_weights, lambda i, o, rng: None, "None", "return"),
    (check.he_weights, lambda i, o, rng: "He", "ValueError: ", "error"),
    (check.he_weights, lambda i, o, rng: rng.normal(size=(3, i)), "3", "shape should be (50, 50) and is (3, 50)"),
    (check.critical_variance, lambda slope: 1 / 0, "ZeroDivisionError", "error"),
    (check.critical_variance, lambda slope: slope, "<function", "kind of value"),
    (check.residual_scale, lambda chi, depth, growth: math.nan, "nan", "nan times"),
    (check.residual_scale, lambda chi, depth: 1.0, "TypeError", "error"),
])
def test_errors_and_odd_values_are_part_of_the_line(exercise, answer, received, hint, capsys):
    assert exercise(answer) == 0
    line = one_line(capsys)
    assert f", received {received}" in line or (exercise is check.he_weights and "shape" in line)
    assert hint in line.split("Hint: ")[1]


@pytest.mark.parametrize("name", SLOPES)
def test_the_slopes_shown_are_those_of_the_activations(name):
    phi, slope = SLOPES[name]
    a = np.linspace(-3.05, 3.0, 57)
    np.testing.assert_allclose(slope(a), (phi(a + 1e-6) - phi(a - 1e-6)) / 2e-6, atol=1e-7)

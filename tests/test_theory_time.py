"""Theory of recurrent nets: against simulated nets, closed forms and published tables."""

import math

import numpy as np
import pytest

from minigrad import theory

# gain of an orthogonal W, standard deviation of the input: rate, and how far 128 units may be from it
DRIVEN = [(0.8, 0.5, -0.4524, 0.002), (0.95, 0.1, -0.0997, 0.002), (1.0, 0.1, -0.0661, 0.002),
          (1.2, 0.1, 0.0014, 0.006), (1.5, 0.1, 0.0607, 0.006), (2.0, 0.1, 0.1532, 0.008), (2.0, 0.5, 0.1204, 0.015)]


def orthogonal(n, rng):
    q, r = np.linalg.qr(rng.normal(size=(n, n)))
    return q * np.sign(np.diag(r))


def simulated(W, steps, input_std, rng, batch=1):
    """Hidden states of h = tanh(W h + noise), after 100 steps to settle: array (steps, batch, n)."""
    h, found = 0.1 * rng.normal(size=(batch, len(W))), []
    for t in range(100 + steps):
        h = np.tanh(h @ W.T + input_std * rng.normal(size=h.shape))
        found += [h] * (t >= 100)
    return np.array(found)


def backpropagated(W, states, rng):
    """ln ||dL/dh_0|| / ||dL/dh_T|| along states (T, n)."""
    g, total = rng.normal(size=len(W)), 0.0
    g /= np.linalg.norm(g)
    for h in states[::-1]:
        g = (g * (1 - h * h)) @ W
        size = np.linalg.norm(g)
        g, total = g / size, total + math.log(size)
    return total


@pytest.mark.parametrize(("gain", "input_std", "rate", "tolerance"), DRIVEN)
def test_a_driven_net(gain, input_std, rate, tolerance):
    found = theory.driven_rnn("tanh", gain ** 2, input_std ** 2)
    assert found.rate == pytest.approx(rate, abs=6e-5)
    assert found.log10_gain(200) == pytest.approx(200 * rate / math.log(10), abs=6e-3)
    assert found.phase == ("chaotic" if rate > 0 else "ordered")
    rng = np.random.default_rng(3)
    W = gain * orthogonal(128, rng)
    states = simulated(W, 200, input_std, rng)[:, 0]
    assert backpropagated(W, states, rng) / 200 == pytest.approx(found.rate, abs=tolerance)
    largest = theory.lyapunov(W, states, lambda h: 1 - h * h, k=1)
    assert largest.exponents[0] == pytest.approx(found.rate, abs=tolerance + 3 * largest.errors[0])
    assert np.mean(np.arctanh(states) ** 2) == pytest.approx(found.q, rel=0.08)


def test_a_driven_net_is_a_deep_net_whose_biases_are_the_input():
    deep = theory.mean_field("erf", 2.0, 0.3)
    found = theory.driven_rnn("erf", 2.0, 0.2, 0.1)
    assert found[:2] == pytest.approx(deep[:2], rel=1e-14)
    assert found.rate == pytest.approx(-0.5 / deep.xi_grad)


def test_a_driven_net_without_weights_keeps_nothing():
    assert theory.driven_rnn("tanh", 0.0, 0.1) == (0.1, 0.0, -math.inf, "ordered")


@pytest.mark.parametrize(("w", "factor"), [(1.25, 0.6191), (2.0, 0.1664), (4.0, 0.0054)])
def test_the_stronger_the_latch_the_faster_the_gradient_vanishes(w, factor):
    h, found = theory.latch(w)
    assert found == pytest.approx(factor, abs=6e-5)
    assert math.tanh(w * h) == pytest.approx(h, rel=1e-14)
    step = 1e-6
    assert found == pytest.approx((math.tanh(w * (h + step)) - math.tanh(w * (h - step))) / (2 * step), rel=1e-6)


@pytest.mark.parametrize(("w", "h", "factor"), [
    (0.0, 0.0, 0.0), (0.5, 0.0, 0.5), (1.0, 0.0, 1.0), (1 + 1e-8, math.sqrt(3e-8), 1 - 2e-8),
    (30.0, 1.0, 120 * math.exp(-60)), (300.0, 1.0, 1200 * math.exp(-600)), (1e4, 1.0, 0.0)])
def test_latches_weak_and_strong(w, h, factor):
    assert theory.latch(w) == (pytest.approx(h, rel=1e-6), pytest.approx(factor, rel=1e-9))


def test_fifty_steps_of_the_weakest_latch():
    assert theory.latch(1.25).factor ** 50 == pytest.approx(3.9e-11, rel=0.01)


# ---------------------------------------------------------------------------------- matrices

@pytest.mark.parametrize("seed", range(3))
def test_a_linear_net_grows_at_the_rate_of_its_own_radius(seed):
    rng = np.random.default_rng(seed)
    W = rng.normal(size=(128, 128)) / math.sqrt(128)
    found = theory.linear_rnn(W)
    states = np.zeros((3000, 128))
    slope = (backpropagated(W, states, np.random.default_rng(9)) - backpropagated(W, states[:1000],
                                                                                 np.random.default_rng(9))) / 2000
    assert slope == pytest.approx(found.rate, abs=5e-3)
    assert (found.radius, found.norm) == (theory.spectral_radius(W), theory.spectral_norm(W))
    assert 0.6 < math.log(found.norm) < 0.75
    assert found.norm == theory.singular_values(W)[0] == pytest.approx(np.linalg.norm(W, 2))
    assert found.radius == pytest.approx(np.abs(np.linalg.eigvals(W)).max())


def test_an_orthogonal_matrix_has_one_rate():
    W = 1.3 * orthogonal(40, np.random.default_rng(0))
    assert theory.linear_rnn(W) == pytest.approx((1.3, math.log(1.3), 1.3), rel=1e-12)
    assert theory.transient(W, 50).log10_norm == pytest.approx(np.arange(51) * math.log10(1.3), abs=1e-10)


def test_a_radius_below_1_and_yet_it_explodes():
    W = 0.9 * np.eye(20) + np.eye(20, k=1)
    assert theory.spectral_radius(W) == 0.9
    assert theory.spectral_norm(W) == pytest.approx(1.894, abs=5e-4)
    found = theory.transient(W, 400)
    assert found.peak == 189
    assert 10 ** found.log10_peak == pytest.approx(9.7e17, rel=0.02)
    corner = math.comb(189, 19) * 0.9 ** 170                                        # the largest entry of W^189
    assert corner < 10 ** found.log10_peak < 1.05 * corner
    assert found.log10_norm[[0, 1]] == pytest.approx([0, math.log10(1.894)], abs=1e-4)
    assert found.log10_norm[400] < found.log10_norm[300] < found.log10_peak


def test_powers_that_would_overflow_or_vanish():
    assert theory.transient(1e200 * np.eye(2), 10).log10_norm == pytest.approx(200 * np.arange(11))
    nilpotent = theory.transient(np.eye(3, k=1), 5).log10_norm
    assert nilpotent.tolist() == [0, 0, 0, -math.inf, -math.inf, -math.inf]
    assert theory.linear_rnn(np.eye(3, k=1))[:2] == (0.0, -math.inf)


# ------------------------------------------------------------------------- Lyapunov exponents

def test_exponents_of_a_constant_jacobian_are_those_of_its_eigenvalues():
    rng = np.random.default_rng(1)
    basis = rng.normal(size=(4, 4))
    J = basis @ np.diag([1.5, 1.0, 0.5, 0.1]) @ np.linalg.inv(basis)
    found = theory.lyapunov_spectrum([J] * 400, discard=100)
    assert found.exponents == pytest.approx(np.log([1.5, 1.0, 0.5, 0.1]), abs=1e-9)
    assert found.errors == pytest.approx(np.zeros(4), abs=1e-9)
    assert found.steps == 300
    assert theory.lyapunov_spectrum([J] * 400, k=2, discard=100).exponents == pytest.approx(found.exponents[:2])


def test_the_sum_of_all_exponents_is_the_mean_log_determinant():
    rng = np.random.default_rng(2)
    jacobians = [rng.normal(size=(6, 6)) for _ in range(60)]
    found = theory.lyapunov_spectrum(iter(jacobians), discard=0)
    assert found.exponents.sum() == pytest.approx(np.mean([np.linalg.slogdet(J)[1] for J in jacobians]), abs=1e-12)


def test_gaussian_products_have_newmans_exponents():
    rng = np.random.default_rng(0)
    found = theory.lyapunov_spectrum(rng.normal(size=(50, 50)) / math.sqrt(50) for _ in range(400))
    exact = theory.newman_exponents(50)
    assert np.abs(found.exponents - exact) == pytest.approx(0, abs=0.12)
    assert (np.abs(found.exponents - exact) < 4.5 * found.errors).mean() > 0.95
    assert exact[[0, 9, 24, 39, 49]] == pytest.approx([-0.010, -0.112, -0.346, -0.804, -2.591], abs=6e-4)


def test_newmans_exponents_add_up_to_the_mean_log_determinant():
    """ln |det G|^2 of an n x n Gaussian is a sum of ln chi^2_k, k = 1 ... n; here n = 3 by sampling."""
    G = np.random.default_rng(5).normal(size=(200_000, 3, 3))
    logs = np.linalg.slogdet(G)[1]
    sum_ = theory.newman_exponents(3, sigma_w2=3.0).sum()
    assert sum_ == pytest.approx(logs.mean(), abs=4 * logs.std() / math.sqrt(len(logs)))
    assert theory.newman_exponents(3, k=2, sigma_w2=4.0) == pytest.approx(theory.newman_exponents(3)[:2] + math.log(2))


def test_digamma_and_trigamma_at_half_whole_numbers():
    x, step = np.array([3, 8, 51, 1000]), 1e-4
    for m in x.tolist():
        lgamma = [math.lgamma(m / 2 + s * step) for s in (-1, 0, 1)]
        assert float(theory.digamma(m)) == pytest.approx((lgamma[2] - lgamma[0]) / (2 * step), rel=1e-6)
    assert theory.digamma(x + 2) == pytest.approx(theory.digamma(x) + 2 / x, rel=1e-13)
    assert theory.digamma(1) == pytest.approx(-1.9635100260214235, rel=1e-15)
    assert theory.trigamma(1000) == pytest.approx(1 / 500 + 1 / (2 * 500 ** 2) + 1 / (6 * 500 ** 3), rel=1e-9)
    assert theory.trigamma(np.array([1, 2])) == pytest.approx([math.pi ** 2 / 2, math.pi ** 2 / 6])


def test_a_direction_that_is_lost_has_minus_infinity():
    found = theory.lyapunov_spectrum([np.array([[2.0, 2.0], [1.0, 1.0]])] * 50)
    assert found.exponents == pytest.approx([math.log(3), -math.inf])
    far = theory.lyapunov_spectrum([np.diag([1.0, 1e-20])] * 50)                     # small is not lost
    assert far.exponents == pytest.approx([0, math.log(1e-20)], abs=1e-12)


def test_errors_shrink_with_time_and_the_same_call_gives_the_same():
    rng = np.random.default_rng(4)
    jacobians = rng.normal(size=(1600, 3, 3))
    short, long = (theory.lyapunov_spectrum(jacobians[:t]) for t in (100, 1600))
    assert (short.errors / long.errors).mean() == pytest.approx(4, rel=0.5)
    assert theory.lyapunov_spectrum(jacobians[:100]).exponents.tolist() == short.exponents.tolist()


def test_lyapunov_multiplies_slopes_and_weights():
    rng = np.random.default_rng(6)
    W, a = rng.normal(size=(4, 4)), rng.normal(size=(30, 4))
    found = theory.lyapunov(W, a, np.cos, k=3, discard=0)
    by_hand = theory.lyapunov_spectrum([np.diag(np.cos(row)) @ W for row in a], k=3, discard=0)
    assert found.exponents == pytest.approx(by_hand.exponents, rel=1e-12)


@pytest.mark.parametrize(("call", "kind", "words"), [
    (lambda: theory.lyapunov_spectrum([]), ValueError, "no Jacobians"),
    (lambda: theory.lyapunov_spectrum([np.eye(2), np.eye(3)]), ValueError, r"Jacobian 1 has shape \(3, 3\)"),
    (lambda: theory.lyapunov_spectrum([np.ones((2, 3))]), ValueError, r"not of shape \(2, 3\)"),
    (lambda: theory.lyapunov_spectrum([np.eye(2)], k=3), ValueError, "k = 3"),
    (lambda: theory.lyapunov_spectrum([np.eye(2)], discard=1), ValueError, "leaves none"),
    (lambda: theory.lyapunov_spectrum([np.full((2, 2), np.nan)]), ValueError, "4 entries that are not finite"),
    (lambda: theory.lyapunov(np.eye(2), np.ones((5, 3)), np.cos), ValueError, r"\(T, 2\) is wanted"),
    (lambda: theory.lyapunov(np.eye(2), np.ones((5, 2)), np.sum), ValueError, "phi_prime made shape"),
    (lambda: theory.newman_exponents(5, 6), ValueError, "5 exponents"),
    (lambda: theory.newman_exponents(0), ValueError, "n = 0"),
    (lambda: theory.spectral_radius(np.zeros((0, 0))), ValueError, "square matrix"),
    (lambda: theory.spectral_norm([["a"]]), ValueError, "square matrix"),
    (lambda: theory.transient(np.eye(2), -1), ValueError, "lags = -1"),
    (lambda: theory.latch(-1.0), ValueError, "w = -1"),
    (lambda: theory.driven_rnn("tanh", 1.0, -0.1), ValueError, "sigma_u2 = -0.1")])
def test_what_is_refused_says_why(call, kind, words):
    with pytest.raises(kind, match=words):
        call()

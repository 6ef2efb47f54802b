"""Theory of residual nets, profiles, finite width, isometry: against simulated nets, exact sums, published tables."""

import math

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, theory

SLOPES = {"tanh": lambda h: 1 - np.tanh(h) ** 2, "relu": lambda h: (h > 0).astype(float)}
PHI = {"tanh": np.tanh, "relu": lambda h: np.maximum(h, 0)}


def gradients(name, depth, sigma_w2, sigma_b2, q0, n, rng):
    """log10 of ||delta_l|| / ||delta_L||, l = 0 ... L, and of ||dW_l|| / ||dW_L||, l = 1 ... L, of one plain net."""
    h = [math.sqrt(q0) * rng.normal(size=n)]
    weights = [rng.normal(size=(n, n)) * math.sqrt(sigma_w2 / n) for _ in range(depth)]
    for W in weights:
        h.append(W @ PHI[name](h[-1]) + math.sqrt(sigma_b2) * rng.normal(size=n))
    delta, deltas, changes = rng.normal(size=n), [], []
    for W, before in zip(weights[::-1], h[-2::-1]):
        deltas.append(np.linalg.norm(delta))
        changes.append(deltas[-1] * np.linalg.norm(PHI[name](before)))
        delta = SLOPES[name](before) * (delta @ W)
    deltas.append(np.linalg.norm(delta))
    return np.log10(deltas[::-1]) - math.log10(deltas[0]), np.log10(changes[::-1]) - math.log10(changes[0])


@pytest.mark.parametrize(("name", "sigma_w2", "sigma_b2", "q0", "tolerance"), [
    ("tanh", 0.5, 0.05, 3.0, 0.2), ("tanh", 1.761, 0.05, 2.0, 0.2), ("tanh", 3.0, 0.05, 0.1, 0.25),
    ("tanh", 0.8, 0.0, 1.0, 0.25), ("relu", 1.0, 0.0, 1.0, 0.3), ("relu", 2.0, 0.1, 1.0, 0.3)])
def test_profiles_of_simulated_nets(name, sigma_w2, sigma_b2, q0, tolerance):
    nets = [gradients(name, 30, sigma_w2, sigma_b2, q0, 256, np.random.default_rng(seed)) for seed in range(4)]
    deltas, changes = (np.mean([net[k] for net in nets], axis=0) for k in (0, 1))
    predicted = theory.profile(name, 30, sigma_w2, sigma_b2, q0)
    assert predicted.shape == (31,)
    assert predicted[-1] == 0
    assert np.abs(deltas - predicted).max() < tolerance
    assert np.abs(changes - theory.weight_profile(name, 30, sigma_w2, sigma_b2, q0)).max() < tolerance


def test_in_a_net_without_biases_the_weight_gradients_hide_what_vanishes():
    assert theory.profile("tanh", 100, 0.5)[10] < -13
    assert np.abs(theory.weight_profile("tanh", 100, 0.5)[10:]).max() < 1e-3


def test_a_plain_profile_falls_by_chi_1_once_the_length_has_settled():
    chi = theory.chi_1("tanh", 1.0, 0.05)
    steps = np.diff(theory.profile("tanh", 200, 1.0, 0.05, q0=5.0))
    assert steps[60:] == pytest.approx(-0.5 * math.log10(chi), rel=1e-9)
    assert theory.profile("tanh", 0, 1.0).tolist() == [0.0]


def test_profile_of_activations_of_a_minigrad_net():
    """Deltas of a_0 = x, a_1 = tanh(W a_0), ... as the engine finds them."""
    rng, n, depth = np.random.default_rng(0), 256, 6
    measured = []
    for _ in range(8):
        a = [mg.tensor(0.1 * rng.normal(size=(1, n)), requires_grad=True)]
        for _ in range(depth):
            layer = nn.Linear(n, n)
            layer.weight.data = rng.normal(size=(n, n)) * math.sqrt(1.5 / n)
            layer.bias.data = rng.normal(size=n) * math.sqrt(2.0)
            a.append(mg.tanh(layer(a[-1])))
        grads = mg.grad((a[-1] * rng.normal(size=(1, n))).sum(), a)
        norms = np.log10([float(np.linalg.norm(g.data)) for g in grads])
        measured.append(norms - norms[-1])
    predicted = theory.profile("tanh", depth, 1.5, 2.0, q0=0.01, at="a")
    assert np.abs(np.mean(measured, axis=0) - predicted).max() < 0.1
    assert np.abs(theory.profile("tanh", depth, 1.5, 2.0, q0=0.01) - predicted).max() > 0.2


# ------------------------------------------------------------------------------- residual

def residual_gain(name, depth, n, rng, with_v=True):
    """ln of ||dL/dx_l||^2 / ||dL/dx_L||^2 for l = 0 ... L, of x' = x + V phi(W x), or x + phi(W x)."""
    x = rng.normal(size=n)
    blocks = []
    for _ in range(depth):
        W, V = (rng.normal(size=(n, n)) / math.sqrt(n) for _ in range(2))
        blocks.append((W, V, W @ x))
        x = x + (V @ PHI[name](W @ x) if with_v else PHI[name](W @ x))
    g, found = rng.normal(size=n), []
    for W, V, h in blocks[::-1]:
        found.append(g @ g)
        g = g + (SLOPES[name](h) * (g @ V if with_v else g)) @ W
    found.append(g @ g)
    return np.log(found[::-1]) - math.log(found[0])


def test_residual_tanh_against_the_published_table():
    gain = np.log(theory.residual_trajectory("tanh", 200, 1.0)[1][:-1])
    assert gain.sum() == pytest.approx(15.17, abs=5e-3)
    assert gain[100:].sum() == pytest.approx(4.62, abs=5e-3)
    line = theory.profile("tanh", 200, 1.0, residual=True, sigma_v2=1.0)
    assert line[0] == pytest.approx(15.17 / (2 * math.log(10)), abs=2e-3)
    # ln of the gradient grows as a root of the depth
    logs = [theory.profile("tanh", depth, 1.0, residual=True, sigma_v2=1.0)[0] for depth in (50, 200)]
    assert math.log(logs[1] / logs[0]) / math.log(4) == pytest.approx(0.548, abs=0.03)


@pytest.mark.parametrize(("name", "with_v"), [("tanh", True), ("tanh", False), ("relu", True)])
def test_simulated_residual_nets(name, with_v):
    measured = np.mean([residual_gain(name, 60, 128, np.random.default_rng(s), with_v) for s in range(8)], axis=0)
    predicted = theory.profile(name, 60, 1.0, residual=True, sigma_v2=1.0 if with_v else None)
    assert measured / (2 * math.log(10)) == pytest.approx(predicted, abs=0.35)


def test_residual_relu_grows_by_half_a_block_and_is_refused_without_v():
    q, gain = theory.residual_trajectory("relu", 50, 1.0)
    assert q == pytest.approx(1.5 ** np.arange(51))
    assert np.log(gain) == pytest.approx(0.4055, abs=5e-5)
    with pytest.raises(ValueError, match="share a mean direction"):
        theory.profile("relu", 50, 1.0, residual=True)
    alone = np.mean([residual_gain("relu", 40, 256, np.random.default_rng(s), False) for s in range(4)], axis=0)
    assert alone[0] / 40 > 0.6                                          # which is why


@pytest.mark.parametrize("name", ["relu", "tanh", "gelu"])
def test_the_residual_law_step_by_step(name):
    q, gain = theory.residual_trajectory(name, 5, 1.3, 0.2, q0=0.7, sigma_v2=0.5)
    act = theory.activation(name)
    for k in range(5):
        inside = 1.3 * q[k] + 0.2
        assert q[k + 1] == pytest.approx(q[k] + 0.5 * act.square(inside), rel=1e-14)
        assert gain[k] == pytest.approx(1 + 0.65 * act.slope_square(inside), rel=1e-14)


# --------------------------------------------------------------------------- finite width

def gains(name, n, depth, nets, rng):
    """ln ||J u||^2 of so many nets at critical weights; those that died are left out."""
    h, u = rng.normal(size=(nets, n)), rng.normal(size=(nets, n))
    u /= np.linalg.norm(u, axis=1, keepdims=True)
    scale = math.sqrt((2 if name == "relu" else 1) / n)
    for _ in range(depth):
        W = scale * rng.normal(size=(nets, n, n))
        h, u = (W @ h[..., None])[..., 0], (W @ u[..., None])[..., 0]
        if name == "relu":
            h, u = np.maximum(h, 0), u * (h > 0)
    squares = (u * u).sum(1)
    return np.log(squares[squares > 0])


@pytest.mark.parametrize(("name", "n", "depth"), [
    ("relu", 20, 20), ("relu", 40, 10), ("linear", 20, 20), ("relu", 4, 5)])
def test_exact_sums_give_mean_and_variance_of_simulated_nets(name, n, depth):
    logs = gains(name, n, depth, 1500, np.random.default_rng(0))
    found = theory.finite_width(name, [n] * depth, exact=True)
    assert logs.mean() == pytest.approx(found.mean, abs=4 * math.sqrt(found.variance / len(logs)))
    assert logs.var() == pytest.approx(found.variance, rel=0.2)
    assert len(logs) / 1500 == pytest.approx(found.alive, abs=0.04)


@pytest.mark.parametrize(("name", "n", "depth", "mean", "variance"), [
    ("relu", 20, 20, -2.745, 6.31), ("relu", 50, 50, -2.482, 4.97), ("relu", 100, 50, -1.354, 2.57),
    ("relu", 100, 20, -0.477, 1.010), ("linear", 50, 50, -1.008, 1.947)])
def test_measured_nets_of_the_table(name, n, depth, mean, variance):
    exact = theory.finite_width(name, [n] * depth, exact=True)
    assert exact.mean == pytest.approx(mean, abs=0.13)
    assert exact.variance == pytest.approx(variance, rel=0.1)


@pytest.mark.parametrize(("name", "per_unit"), [("relu", 5), ("linear", 2), (theory.leaky_relu(-1.0), 2)])
def test_hanin_and_nicas_law(name, per_unit):
    widths = [30, 100, 57, 1000]
    beta = per_unit * sum(1 / n for n in widths)
    found = theory.finite_width(name, widths)
    assert found == pytest.approx((-beta / 2, beta, beta, 1.0))
    elsewhere = theory.finite_width(name, widths, sigma_w2=0.3)
    assert elsewhere.mean - found.mean == pytest.approx(4 * math.log(theory.chi_1(name, 0.3)))
    assert elsewhere.variance == found.variance


@pytest.mark.parametrize("name", ["relu", "linear"])
def test_exact_sums_tend_to_the_law(name):
    law, exact = (theory.finite_width(name, [2000] * 3, exact=e) for e in (False, True))
    assert exact[:2] == pytest.approx(law[:2], rel=3e-3)


def test_narrow_relu_nets_die():
    assert theory.finite_width("relu", [1], exact=True).alive == pytest.approx(0.5)
    assert theory.finite_width("relu", [3, 2], exact=True).alive == pytest.approx(7 / 8 * 3 / 4)


# --------------------------------------------------------------------------------- isometry

@pytest.mark.parametrize(("name", "q", "orthogonal", "four", "sixteen"), [
    ("linear", 1.0, False, 4, 16), ("linear", 1.0, True, 0, 0), ("tanh", 0.05, True, 0.053, 0.213),
    ("tanh", 0.05, False, 4.05, 16.2), ("tanh", 0.57, True, 1.37, 5.48), ("relu", 1.0, True, 4, 16),
    ("relu", 1.0, False, 8, 32)])
def test_isometry_against_the_published_table(name, q, orthogonal, four, sixteen):
    assert theory.isometry(name, 4, q, orthogonal) == pytest.approx(four, rel=6e-3)
    assert theory.isometry(name, 16, q, orthogonal) == pytest.approx(sixteen, rel=5e-3)


def test_isometry_of_one_layer_by_sampling():
    """sigma^2 of D W at one layer: squared singular values of gaussian W times slopes at sqrt(q) z."""
    rng, n, q = np.random.default_rng(0), 400, 0.57
    slopes = SLOPES["tanh"](math.sqrt(q) * rng.normal(size=n))
    J = slopes[:, None] * rng.normal(size=(n, n)) / math.sqrt(n * theory.activation("tanh").slope_square(q))
    squares = np.linalg.svd(J, compute_uv=False) ** 2
    assert squares.mean() == pytest.approx(1, abs=0.06)
    assert squares.var() == pytest.approx(theory.isometry("tanh", 1, q), rel=0.15)


@pytest.mark.parametrize(("call", "kind", "words"), [
    (lambda: theory.finite_width("tanh", [5]), ValueError, "not for tanh"),
    (lambda: theory.finite_width("relu", []), ValueError, "widths is empty"),
    (lambda: theory.finite_width("relu", [5, 0]), ValueError, "a width = 0"),
    (lambda: theory.finite_width("leaky_relu", [5], exact=True), ValueError, "exact sums"),
    (lambda: theory.isometry("tanh", 2, -1.0), ValueError, "q = -1"),
    (lambda: theory.isometry("tanh", 2, math.inf), ValueError, "no slope left"),
    (lambda: theory.profile("tanh", 3, 1.0, at="x"), ValueError, "at = 'x'"),
    (lambda: theory.profile("tanh", 3, 1.0, residual=True, sigma_v2=-1.0), ValueError, "sigma_v2 = -1"),
    (lambda: theory.weight_profile("tanh", 0, 1.0), ValueError, "depth = 0")])
def test_what_is_refused_says_why(call, kind, words):
    with pytest.raises(kind, match=words):
        call()

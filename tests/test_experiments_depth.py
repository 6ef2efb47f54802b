"""Numbers of the experiments on depth: at the start of training, and against closed forms and hand-written passes."""

import numpy as np
import pytest

from minigrad import experiments, theory
from minigrad.experiments import (
    critical_line,
    finite_width,
    hidden_by_bars,
    mean_field,
    normalisation,
    relu_depth,
    residual,
    trainability,
)
from minigrad.experiments.experiment import compared

NAMES = ("mean-field", "critical-line", "relu-depth", "finite-width", "hidden-by-bars", "residual", "trainability",
         "normalisation")


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_what_is_expected_is_measured(name):
    module = experiments.find(name)
    result = module.run(module.Config())
    assert [row for row in compared(module.EXPECTED, result.headline) if not row[-1]] == []


@pytest.mark.parametrize("name", NAMES)
def test_what_is_expected_is_about_numbers_that_are_measured(name):
    module, small = experiments.find(name), {
        "mean-field": {"width": 10, "depth": 20, "seeds": 1}, "critical-line": {"width": 10, "depth": 20, "seeds": 1},
        "relu-depth": {"width": 32, "seeds": 1, "updates": 2, "train_width": 8}, "finite-width": {"nets": 10},
        "hidden-by-bars": {"width": 20, "deep_width": 50, "batch": 10, "seeds": 1},
        "residual": {"width": 40, "depth": 20, "relu_depth": 20, "seeds": 1},
        "trainability": {"width": 8, "updates": 2, "seeds": 1},
        "normalisation": {"width": 10, "depth": 20, "batch": 16, "hidden": 8, "steps": 20, "seeds": 1}}[name]
    result = module.run(module.Config(**small))
    assert {e.name for e in module.EXPECTED} <= set(result.headline)
    assert all(np.isfinite(value) for value in result.headline.values())
    module.figure(result)
    assert any(letter.isdigit() for letter in module.answer(result))


# ------------------------------------------------------------------------------------------------- plain nets

def test_the_profile_is_that_of_a_pass_by_hand():
    config = mean_field.Config(width=30, depth=25, batch=3)
    deltas, weights = mean_field.profiles(config, 2.0, np.random.default_rng(5))
    rng = np.random.default_rng(5)
    layers = mean_field.plain_net(30, 25, 2.0, config.sigma_b2, rng)
    h = theory.q_star("tanh", 2.0, config.sigma_b2) ** 0.5 * rng.normal(size=(3, 30))
    states = [h]
    for layer in layers:
        h = np.tanh(h) @ layer.weight.data.T + layer.bias.data
        states.append(h)
    delta = rng.normal(size=h.shape)
    by_hand, of_weights = [np.log((delta ** 2).sum(axis=1)).mean()], []
    for layer, before in zip(layers[::-1], states[-2::-1]):
        of_weights.append(np.log(((delta.T @ np.tanh(before)) ** 2).sum()))
        delta = delta @ layer.weight.data * (1 - np.tanh(before) ** 2)
        by_hand.append(np.log((delta ** 2).sum(axis=1)).mean())
    np.testing.assert_allclose(deltas, by_hand[::-1], rtol=0, atol=1e-10)
    np.testing.assert_allclose(weights, of_weights[::-1], rtol=0, atol=1e-10)


def test_the_slope_is_that_of_a_line():
    assert mean_field.slope(-0.3 * np.arange(41.0)) == pytest.approx(0.3)
    bent = np.where(abs(np.arange(41) - 20) > 16, 1e3, -0.3 * np.arange(41.0))      # the ends are left out
    assert mean_field.slope(bent) == pytest.approx(0.3)


@pytest.mark.parametrize("sigma_w2", [0.5, 1.0, 1.761, 3.0])
def test_the_gradient_changes_by_chi_1_per_layer(sigma_w2):
    config = mean_field.Config(sigma_w2=(sigma_w2,), width=200, depth=60, seeds=3)
    result = mean_field.run(config)
    assert result.headline[f"slope - ln chi_1 at sigma_w2 = {sigma_w2:g}"] == pytest.approx(-1.7 / 200, abs=0.025)


def test_without_biases_the_weight_gradient_hides_what_delta_shows():
    config = mean_field.Config(sigma_w2=(0.5,), sigma_b2=0.0, width=200, depth=60, seeds=2)
    headline = mean_field.run(config).headline
    assert headline["slope at sigma_w2 = 0.5"] == pytest.approx(np.log(0.5), abs=0.03)
    assert headline["slope of the weight gradient at sigma_w2 = 0.5"] == pytest.approx(0, abs=0.03)


def test_the_edge_is_where_it_was_computed_elsewhere():
    result = critical_line.run(critical_line.Config(width=10, depth=20, seeds=1))
    edges = [e for e in critical_line.EXPECTED if e.name.startswith("edge")]
    assert len(edges) == 7
    assert [row for row in compared(edges, result.headline) if not row[-1]] == []


def test_nets_have_their_edge_near_the_predicted_one():
    result = critical_line.run(critical_line.Config(sigma_b2=(0.05, 0.3), width=150, depth=60, seeds=3))
    np.testing.assert_allclose(result.arrays["measured edge"], result.arrays["edge"] * 1.03, rtol=0.06)


# -------------------------------------------------------------------------------------------------------- ReLU

def test_he_keeps_what_xavier_loses():
    result = relu_depth.run(relu_depth.Config(width=128, seeds=6, updates=0))
    ratios = [e for e in relu_depth.EXPECTED if e.name.startswith("first / last")]
    assert len(ratios) == 4
    assert [row for row in compared(ratios, result.headline) if not row[-1]] == []
    relu_depth.figure(result)


def test_nets_that_diverge_are_shown_and_have_learnt_nothing():
    result = relu_depth.run(relu_depth.Config(width=32, train_width=32, depths=(5,), updates=25, lr=10.0, seeds=1))
    assert np.isnan(result.arrays["loss, He"][:, -1]).all()
    assert result.headline["nets that learnt, He"] == 0
    relu_depth.figure(result)


@pytest.mark.parametrize("activation", ["relu", "linear"])
def test_gradients_of_many_seeds_follow_the_law_of_hanin_and_nica(activation):
    config = finite_width.Config(activation=activation, width=40, depth=20, nets=400)
    h = finite_width.run(config).headline
    beta = {"relu": 5, "linear": 2}[activation] * 20 / 40
    assert (h["predicted mean"], h["predicted variance"]) == (pytest.approx(-beta / 2), pytest.approx(beta))
    assert h["mean of ln gain^2"] == pytest.approx(-beta / 2, abs=4 * (beta / 400) ** 0.5)
    assert h["variance of ln gain^2"] == pytest.approx(beta, rel=0.28)          # four standard errors


def test_a_net_with_a_dead_layer_is_counted_and_left_out():
    result = finite_width.run(finite_width.Config(width=4, depth=60, nets=40))
    dead = result.headline["nets with a dead layer"]
    assert 20 < dead < 40
    assert len(result.arrays["ln gain^2"]) == 40 - dead
    finite_width.figure(result)


def test_where_all_nets_are_dead_there_is_a_clear_error():
    with pytest.raises(ValueError, match=r"width = 4, depth = 500: 1. of 10 nets have a layer in which no unit"):
        finite_width.run(finite_width.Config(width=4, depth=500, nets=10))


# ------------------------------------------------------------------------------------------------ hidden by bars

def test_bars_are_flat_where_the_delta_vanishes():
    config = hidden_by_bars.Config(width=400, batch=100, seeds=2)
    result = hidden_by_bars.run(config)
    assert [row for row in compared(hidden_by_bars.EXPECTED, result.headline) if not row[-1]] == []


# ------------------------------------------------------------------------------------------------------ residual

def test_residual_nets_follow_their_mean_field():
    config = residual.Config(width=128, depth=80, relu_depth=30, seeds=4, plain=(1.0,))
    result = residual.run(config)
    measured = result.arrays["tanh"].mean(axis=0)
    np.testing.assert_allclose(measured, result.arrays["tanh: predicted"], rtol=0, atol=1.5)
    assert result.headline["ReLU: ln gain^2 per block"] == pytest.approx(np.log(1.5), abs=0.04)
    assert result.headline["ReLU without V: ln gain^2 per block"] > np.log(1.5) + 0.1


def test_the_exponent_is_that_of_a_power_law():
    depth = np.arange(101.0)
    assert residual.exponent(2 * (100 ** 0.5 - depth ** 0.5)) == pytest.approx(0.5)
    assert np.isnan(residual.exponent(depth))


# ------------------------------------------------------------------------------------------------- normalisation

@pytest.mark.parametrize("kind", ["LayerNorm", "BatchNorm"])
@pytest.mark.parametrize("act", ["tanh", "relu"])
def test_what_is_normalised_does_not_know_how_large_the_weights_are(kind, act):
    config = normalisation.Config(sigma_b2=0.0, width=50, depth=20, batch=40)
    one, other = (normalisation.deep_profile(config, kind, act, s, np.random.default_rng(1)) for s in (1.0, 9.0))
    np.testing.assert_allclose(one, other, rtol=0, atol=0.02)
    plain = [normalisation.deep_profile(config, "plain", act, scale, np.random.default_rng(1)) for scale in (1.0, 9.0)]
    assert abs(plain[0] - plain[1]).max() > 5


@pytest.mark.parametrize(("kind", "act", "slope"), [
    ("BatchNorm", "relu", np.log(np.pi / (np.pi - 1))), ("BatchNorm", "tanh", 0.1637), ("LayerNorm", "relu", 0.0),
    ("pre-norm", "tanh", 0.047), ("residual", "tanh", 0.125), ("plain", "relu", np.log(0.5))])
def test_slopes_at_the_start(kind, act, slope):
    config = normalisation.Config(sigma_b2=0.0 if act == "relu" else 0.05, width=150, depth=40, batch=100)
    nets = [normalisation.deep_profile(config, kind, act, 1.0, np.random.default_rng(seed)) for seed in range(3)]
    expected = normalisation.predicted(kind, act, 40, 1.0, config.sigma_b2)
    assert mean_field.slope(np.mean(nets, axis=0)) == pytest.approx(mean_field.slope(expected), abs=0.06)
    assert mean_field.slope(expected) == pytest.approx(slope, abs=0.02)


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
@pytest.mark.parametrize("bias", [0.0, 1.0, 4.0])
def test_gates_with_a_bias_alone_keep_sigma_of_it(kind, bias):
    config = normalisation.Config(hidden=16, steps=40)
    logs = normalisation.time_profile(config, kind, bias, np.random.default_rng(0), scale=1e-7)
    assert len(logs) == 41
    assert mean_field.slope(logs) == pytest.approx(-np.log1p(np.exp(-bias)), abs=1e-4)


# -------------------------------------------------------------------------------------------------- trainability

def test_the_trainable_depth_is_six_xi():
    result = trainability.run(trainability.Config(width=8, updates=1, seeds=1, depths=(2,)))
    assert result.headline["6 xi_c at sigma_w2 = 1"] == pytest.approx(6 * 3.627, abs=0.01)
    assert result.headline["6 xi_c at sigma_w2 = 1.761"] > 1e4


def test_a_net_of_few_layers_learns_quickly():
    config = trainability.Config(width=64, updates=100)
    losses, share = trainability.train(config, 1.761, 5, np.random.default_rng(0))
    assert share > 0.9
    assert np.mean(losses[-10:]) < 0.5 * np.mean(losses[:10])

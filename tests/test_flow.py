"""mg.flow: what it measures, against a second backward pass, PyTorch, and the numbers that theory gives."""

import itertools

import numpy as np
import pytest
from flows import batch, mlp, retained
from twins import needs_torch, torch

import minigrad as mg
from minigrad import nn, theory
from minigrad.nn import functional as F

PHIS = {"tanh": nn.Tanh, "relu": nn.ReLU, "sigmoid": nn.Sigmoid, "gelu": nn.GELU}


# -------------------------------------------------------------------------------------- the numbers

@pytest.mark.parametrize("phi", PHIS)
def test_norms_are_those_of_a_second_backward_pass(phi):
    net, (x, y) = mlp(5, 12, PHIS[phi], 1.5, 0.1), batch(12)
    found = mg.flow(net, F.cross_entropy, (x, y))
    hs, grads = retained(net, x, y)
    assert len(found.rows) == 6
    for k, row in enumerate(found.rows):
        at = min(2 * k + 1, 10)                                 # behind the activation; the head has none
        assert row.activation == pytest.approx(np.linalg.norm(hs[at]), rel=1e-13)
        assert row.delta == pytest.approx(np.linalg.norm(grads[at]), rel=1e-13)
    F.cross_entropy(net(x), y).backward()
    for row, layer in zip(found.rows, [m for m in net if isinstance(m, nn.Linear)]):
        assert row.gradient == pytest.approx(np.linalg.norm(layer.weight.grad.data), rel=1e-13)


@needs_torch
def test_norms_are_pytorchs():
    net, (x, y) = mlp(6, 10, nn.Tanh, 1.2, 0.05), batch(10)
    twin = torch.nn.Sequential(*(torch.nn.Linear(m.in_features, m.out_features) if isinstance(m, nn.Linear)
                                 else torch.nn.Tanh() for m in net)).double()
    twin.load_state_dict({name: torch.tensor(np.array(p.data)) for name, p in net.named_parameters()})
    outs, h = [], torch.tensor(x)
    for part in twin:
        h = part(h)
        h.retain_grad()
        outs.append(h)
    torch.nn.functional.cross_entropy(h, torch.tensor(y)).backward()
    found = mg.flow(net, F.cross_entropy, (x, y))
    wanted = [*outs[1:-1:2], outs[-1]]
    np.testing.assert_allclose([r.delta for r in found.rows], [float(h.grad.norm()) for h in wanted], rtol=1e-12)
    np.testing.assert_allclose([r.gradient for r in found.rows],
                               [float(m.weight.grad.norm()) for m in twin if hasattr(m, "weight")], rtol=1e-12)


def test_delta_is_the_derivative_of_the_loss_by_finite_differences():
    net, (x, y) = mlp(3, 5, nn.Tanh, 2.0, 0.1), batch(5, size=3)
    row = mg.flow(net, F.cross_entropy, (x, y)).rows[1]
    h = nn.Sequential(*list(net)[:4])(x).data
    rest, slopes = nn.Sequential(*list(net)[4:]), np.empty(h.shape)
    for place in np.ndindex(h.shape):
        step = np.zeros(h.shape)
        step[place] = 1e-5
        slopes[place] = (F.cross_entropy(rest(h + step), y) - F.cross_entropy(rest(h - step), y)).item() / 2e-5
    assert row.delta == pytest.approx(np.linalg.norm(slopes), rel=1e-8)


def test_ratios_are_those_of_neighbours():
    found = mg.flow(mlp(4, 8), F.cross_entropy, batch(8))
    rows = found.rows
    for before, after in itertools.pairwise(rows):
        assert before.delta_ratio == before.delta / after.delta
        assert before.gradient_ratio == before.gradient / after.gradient
        assert after.activation_ratio == after.activation / before.activation
    assert rows[0].activation_ratio is rows[-1].delta_ratio is rows[-1].gradient_ratio is None


def test_shares_of_saturated_and_dead_units():
    net = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 3), nn.Tanh())
    net[0].weight.data, net[0].bias.data = np.zeros((4, 2)), [-1.0, -1.0, 1.0, 2.0]
    net[2].weight.data, net[2].bias.data = np.zeros((3, 4)), [0.1, 5.0, -1.0]
    relu, tanh = mg.flow(net, lambda h: h.sum(), np.ones((6, 2))).rows
    assert (relu.dead, relu.saturated, tanh.dead) == (0.5, None, None)
    assert tanh.saturated == pytest.approx(1 / 3)              # 1 - tanh(1)^2 = 0.42, 1 - tanh(5)^2 = 2e-4


def test_a_dead_channel_of_a_convolution_counts_as_one_unit():
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 9, 2))
    net[0].weight.data, net[0].bias.data = np.zeros((4, 1, 3, 3)), [-1.0, 1.0, 1.0, 1.0]
    row = mg.flow(net, lambda h: h.sum(), np.ones((2, 1, 5, 5))).rows[0]
    assert row.dead == 0.25
    assert row.width == 36
    assert row.kind == "Conv2d + relu + Flatten"


# ------------------------------------------------------------------------- the figures of the literature

@pytest.mark.parametrize(("sigma_w2", "log_chi"), [(0.5, -0.8394), (1.0, -0.2757), (1.761, 0.0), (3.0, 0.1897)])
def test_the_slope_in_a_deep_tanh_net_is_half_of_log10_chi_1(sigma_w2, log_chi):
    # Schoenholz et al. 2017; the table has n = 300 and five seeds, for a single one the bound is wider
    net, (x, y) = mlp(60, 200, nn.Tanh, sigma_w2, 0.05), batch(200, 4)
    found = mg.flow(net, F.cross_entropy, (x * np.sqrt(theory.q_star("tanh", sigma_w2, 0.05)), y))
    assert 2 * np.log(10) * found.slope == pytest.approx(log_chi, abs=0.03)
    assert found.interval[0] < found.slope < found.interval[1]
    assert found.interval[0] - 0.005 < log_chi / 2 / np.log(10) < found.interval[1] + 0.005
    assert 2 * np.log(10) * found.predicted == pytest.approx(log_chi, abs=0.03)
    assert found.kind == {0.5: "vanishing", 1.0: "vanishing", 1.761: "healthy", 3.0: "exploding"}[sigma_w2]


def test_relu_depth_thirty_xavier_loses_what_he_keeps():
    logs = {}
    for name, sigma_w2 in (("xavier", 1.0), ("he", 2.0)):
        runs = [mg.flow(mlp(30, 128, nn.ReLU, sigma_w2, seed=seed), F.cross_entropy, batch(128)) for seed in range(3)]
        logs[name] = np.mean([run.rows[0].log10_delta - run.rows[29].log10_delta for run in runs])
    assert logs["xavier"] == pytest.approx(np.log10(4.32e-5), abs=0.35)         # 29 steps of 1/sqrt 2
    assert logs["he"] == pytest.approx(0.0, abs=0.35)


def test_bars_hide_what_delta_shows():
    found = mg.flow(mlp(30, 200, nn.ReLU, 0.5), F.cross_entropy, batch(200, 64))
    rows = found.rows[:30]
    lost, bars = rows[0].delta / rows[-1].delta, [row.gradient for row in rows]
    assert 3e-10 < lost < 1e-8
    assert max(bars) / min(bars) < 3
    assert found.kind == "vanishing"
    assert found.slope == pytest.approx(-np.log10(2), abs=0.02)
    assert "weight-gradient bars look flat" in found.verdict
    assert "the activations shrink forward by 0.3" in found.verdict


def test_glorots_five_layers():
    # Glorot and Bengio 2010: with U[+-1/sqrt n] the delta variance tends to 1/3 a layer, that of dW stays the same
    rng = np.random.default_rng(0)
    net = nn.Sequential(*[m for _ in range(5) for m in (nn.Linear(500, 500, rng=rng), nn.Tanh())],
                        nn.Linear(500, 10, rng=rng))
    rows = mg.flow(net, F.cross_entropy, batch(500, 300)).rows
    assert [rows[k].delta_ratio ** 2 for k in (2, 3)] == pytest.approx([1 / 3, 1 / 3], abs=0.03)
    bars = [row.gradient ** 2 for row in rows[1:5]]
    assert max(bars) / min(bars) < 1.3


# ----------------------------------------------------------------------------------------- predictions

@pytest.mark.parametrize("phi", [*PHIS, "linear"])
def test_the_prediction_is_the_profile_of_theory_for_equal_layers(phi):
    net, (x, y) = mlp(8, 64, PHIS.get(phi, nn.Identity), 1.3, 0.1), batch(64)
    for part in net:                                # the very same variances in every layer
        if isinstance(part, nn.Linear):
            w, b = part.weight.data, part.bias.data
            part.weight.data = w * np.sqrt(1.3 / (np.mean(w ** 2) * 64))
            part.bias.data = b * np.sqrt(0.1 / np.mean(b ** 2))
    found = mg.flow(net, F.cross_entropy, (x, y))
    q = 1.3 * theory.length_map(phi, 1.3 * np.mean(x ** 2) + 0.1, 1.0) + 0.1       # of the second layer's arguments
    expected = theory.profile(phi, 7, 1.3, 0.1, q0=q)
    got = np.log10([row.predicted for row in found.rows[:8]])
    np.testing.assert_allclose(got - got[-1], expected, atol=1e-9)
    assert got[-1] == pytest.approx(np.log10(found.rows[7].delta))
    assert found.rows[8].predicted is None
    assert found.series[0].prediction.chi_1 == pytest.approx(theory.chi_1(phi, 1.3, 0.1))


def test_a_residual_net_is_predicted_and_measured_alike():
    # x + V relu(W x): ln 1.5 / 2 a block (Yang and Schoenholz 2017)
    rng = np.random.default_rng(0)

    def linear():
        layer = nn.Linear(200, 200, bias=False, rng=rng)
        nn.init.lecun_normal_(layer.weight, rng=rng)
        return layer

    blocks = [nn.Residual(linear(), nn.ReLU(), linear()) for _ in range(30)]
    c = rng.normal(size=(16, 200))                  # a loss like h^2 would send back a delta that goes along with h
    found = mg.flow(nn.Sequential(*blocks), lambda h: (h * c).sum(), rng.normal(size=(16, 200)))
    half = np.log10(1.5) / 2
    assert len(found.rows) == 30
    assert {row.kind for row in found.rows} == {"Residual"}
    assert found.predicted == pytest.approx(half, abs=0.003)
    assert found.slope == pytest.approx(half, abs=0.015)
    assert found.series[0].prediction.theory == "mean field, residual"
    assert found.kind == "exploding"


@pytest.mark.parametrize("broken", [
    lambda net: nn.Sequential(*list(net)[:4], nn.LayerNorm(8), *list(net)[4:]),
    lambda net: nn.Sequential(*list(net)[:3], nn.ReLU(), *list(net)[4:]),
    lambda net: nn.Sequential(*list(net)[:4], nn.Dropout(0.5), *list(net)[4:]),
])
def test_no_prediction_where_theory_has_none(broken):
    found = mg.flow(broken(mlp(6, 8)), F.cross_entropy, batch(8))
    assert found.predicted is None
    assert found.series[0].why_none
    assert "no prediction" in str(found)
    assert all(row.predicted is None for row in found.rows)

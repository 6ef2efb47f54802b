"""Where floats end: deltas that are exactly 0, inf or NaN, what is said of them, and what they really are."""

import math

import numpy as np
import pytest
from flows import Last, batch, mlp, sequences

import minigrad as mg
from minigrad import nn
from minigrad.nn import functional as F


def scaled(depth, sigma_w2, dtype=float, loss=1.0, phi=nn.Identity, width=8):
    net = mlp(depth, width, phi, sigma_w2, dtype=dtype)
    x, y = batch(width, dtype=dtype)
    c = np.random.default_rng(0).normal(size=(16, 10)).astype(dtype)
    return mg.flow(net, lambda h, y: (h * c).sum() * loss, (x, y))


@pytest.mark.parametrize(("dtype", "sigma_w2"), [("float64", 1e-16), ("float32", 1e-4), ("float16", 0.04)])
def test_underflow_is_found_named_and_seen_through(dtype, sigma_w2):
    found = scaled(60, sigma_w2, dtype)
    rows, step = found.rows, 0.5 * math.log10(sigma_w2)
    zero = [row.index for row in rows if row.delta == 0]
    assert zero == list(range(1, zero[-1] + 1))
    assert 5 < zero[-1] < 56
    assert found.kind == "underflow"
    assert f"exactly 0 from layer {zero[-1]} on" in found.verdict
    logs = [row.log10_delta for row in rows[:60]]
    assert all(log is not None for log in logs)
    assert np.diff(logs).mean() == pytest.approx(-step, rel=0.05)           # the true norms go on as they began
    assert logs[0] < logs[zero[-1] - 1]
    assert f"10^{logs[0]:.0f} at layer 1" in found.verdict
    assert found.slope == pytest.approx(step, rel=0.1)                      # what has lost its digits is not fitted
    assert found.series[0].slope.left_out >= len(zero)
    assert any("LossScaler" in text for text in found.help) == (dtype != "float64")


def test_what_is_carried_apart_is_what_a_larger_loss_shows():
    small, large = scaled(60, 1e-16), scaled(60, 1e-16, loss=1e250)
    known = [(a.log10_delta, b.delta) for a, b in zip(small.rows, large.rows) if a.delta == 0 and b.delta]
    assert len(known) > 3
    for log, delta in known:
        assert log + 250 == pytest.approx(math.log10(delta), abs=1e-9)


def test_overflow_on_the_way_back():
    found = scaled(50, 1e16, phi=Squash)
    rows = found.rows
    assert found.kind == "overflow"
    assert "the activations" not in found.verdict
    assert not math.isfinite(rows[0].delta)
    assert all(math.isfinite(row.activation) for row in rows)
    first = max(row.index for row in rows if math.isinf(row.delta))
    assert f"inf from layer {first} on" in found.verdict
    assert any("inside" in text for text in found.help)
    assert rows[0].log10_delta == pytest.approx(50 * 8, rel=0.05)


class Squash(nn.Module):
    """A function whose value stays small where its slope is 1: what comes forward is divided, and not the gradient."""

    def forward(self, x):
        return x - (1 - 1e-8) * mg.tensor(x.data)


def test_overflow_on_the_way_forward_is_told_apart():
    found = scaled(50, 1e20)
    assert found.kind == "overflow"
    assert found.verdict.startswith("the activations overflow: layer 3")
    assert found.predicted is None
    assert not any("inside" in text for text in found.help)
    json = found.as_dict()
    assert json["series"][0]["rows"][40]["activation"] in ("inf", "NaN")


def test_nan_on_the_way_back_and_in_the_loss():
    def poisoned(h, y):
        h.register_hook(lambda g: g * np.nan)
        return F.cross_entropy(h, y)

    net = mlp(5, 6)
    net[4].register_full_backward_hook(lambda m, g_in, g_out: (g_in[0] * np.nan,))
    found = mg.flow(net, F.cross_entropy, batch(6))
    assert found.kind == "nan"
    assert "NaN from layer 2 on" in found.verdict
    assert mg.flow(mlp(5, 6), poisoned, batch(6)).kind == "nan"
    lost = mg.flow(mlp(5, 6), lambda h, y: h.sum() * np.nan, batch(6))
    assert math.isnan(lost.loss)
    assert "the loss itself is nan" in str(lost)
    assert lost.kind == "nan"


def test_an_exact_zero_by_dead_units_is_no_underflow():
    net = mlp(6, 8, nn.ReLU, 2.0, 0.5)
    net[4].weight.data, net[4].bias.data = np.zeros((8, 8)), -np.ones(8)
    found = mg.flow(net, F.cross_entropy, batch(8))
    assert found.kind == "cut"
    assert found.rows[1].delta == 0 < found.rows[2].delta
    assert "exactly 0 from layer 2 on, and not by underflow: all units of layer 3 are dead" in found.verdict
    assert any("100% of the units of layer 3 are dead" in text for text in found.help)


def test_an_exact_zero_by_saturated_units():
    net = mlp(6, 8, nn.Tanh, 1.0)
    net[4].bias.data = np.full(8, 40.0)                                     # tanh is 1 to the last digit from 19 on
    found = mg.flow(net, F.cross_entropy, batch(8))
    assert found.kind == "cut"
    assert "all units of layer 3 are saturated" in found.verdict


def test_an_exact_zero_by_a_weight_and_one_by_the_loss():
    net = mlp(6, 8, nn.Tanh)
    net[6].weight.data = np.zeros((8, 8))
    assert "a slope or weight of exactly 0" in mg.flow(net, F.cross_entropy, batch(8)).verdict
    found = mg.flow(net, lambda h, y: h.sum() * 0.0, batch(8))
    assert found.kind == "cut"
    assert "the loss does not change with it" in found.verdict


def test_underflow_in_time():
    net = Last(nn.RNN(3, 5, rng=np.random.default_rng(0)))
    net.body.weight_hh_l0.data = 1e-8 * np.eye(5)
    found = mg.flow(net, F.cross_entropy, sequences(60))
    assert found.kind == "underflow"
    assert found.rows[0].delta == 0
    known = [row for row in found.rows if row.delta == 0 and row.log10_delta is not None]
    assert len(known) > 15                                   # a fused layer can be seen through once
    assert known[0].log10_delta == pytest.approx(-8 * (59 - known[0].index), abs=3)
    assert np.diff([row.log10_delta for row in known]) == pytest.approx(8.0, abs=0.3)


def test_underflow_in_a_loop_of_cells():
    class Loop(nn.Module):
        def __init__(self):
            self.cell = nn.RNNCell(3, 5, rng=np.random.default_rng(0))
            self.cell.weight_hh.data = 1e-8 * np.eye(5)

        def forward(self, x):
            h = None
            for x_t in x:
                h = self.cell(x_t, h)
            return h

    found = mg.flow(Loop(), lambda h: h.sum(), sequences(100)[0])
    assert found.kind == "underflow"
    assert found.rows[0].log10_delta == pytest.approx(-8 * 99, abs=5)


def test_a_tiny_delta_is_shown_as_it_is():
    found = scaled(6, 1e-60)
    assert found.rows[0].delta < 1e-140
    assert f"{found.rows[0].delta:.3g}" in str(found)
    assert found.kind == "vanishing"
    assert "30.0" in found.verdict

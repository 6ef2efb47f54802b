"""mg.flow of recurrent layers: a row per time step, against cells in a loop, Lyapunov exponents, spectral radii."""

import numpy as np
import pytest
from flows import Last, bent, sequences
from twins import needs_torch, torch

import minigrad as mg
from minigrad import nn, theory
from minigrad.nn import functional as F

KINDS = {"RNN": (nn.RNN, nn.RNNCell), "LSTM": (nn.LSTM, nn.LSTMCell), "GRU": (nn.GRU, nn.GRUCell)}


class Loop(nn.Module):
    """The same as Last, with a cell in a loop."""

    def __init__(self, cell, head):
        self.body, self.head = cell, head

    def forward(self, x):
        state = None
        for x_t in x:
            state = self.body(x_t, state)
        return self.head(state[0] if isinstance(state, tuple) else state)


def pair(kind, hidden=5, **more):
    layer, cell = (c(3, hidden, rng=np.random.default_rng(4), **more) for c in KINDS[kind])
    net = Last(layer, rng=np.random.default_rng(5))
    cell.load_state_dict({name[:-3]: p for name, p in layer.named_parameters()})
    return net, Loop(cell, net.head)


@pytest.mark.parametrize("kind", KINDS)
def test_a_fused_layer_and_a_cell_in_a_loop_have_the_same_rows(kind):
    net, loop = pair(kind)
    fused, by_hand = (mg.flow(n, F.cross_entropy, sequences(7)) for n in (net, loop))
    assert [s.name for s in fused.series] == ["body", "layers"]
    assert fused.series[0].kind == "step"
    assert [row.index for row in fused.rows] == list(range(7)) == [row.index for row in by_hand.rows]
    for name in ("activation", "delta", "cell", "gradient", "saturated", "delta_ratio"):
        for a, b in zip(fused.rows, by_hand.rows):
            one, other = getattr(a, name), getattr(b, name)
            assert (one is None) == (other is None), name
            assert one is None or one == pytest.approx(other, rel=1e-10), (name, a.index)
    assert (fused.rows[0].cell is None) == (kind != "LSTM")
    assert fused.slope == pytest.approx(by_hand.slope, rel=1e-9)


@needs_torch
def test_dL_dh_and_dL_dc_are_pytorchs():
    net, _ = pair("LSTM")
    x, y = sequences(6)
    found = mg.flow(net, F.cross_entropy, (x, y))
    cell = torch.nn.LSTMCell(3, 5, dtype=torch.float64)
    cell.load_state_dict({name[:-3]: torch.tensor(np.array(p.data)) for name, p in net.body.named_parameters()})
    states, state = [], None
    for x_t in torch.tensor(x):
        state = cell(x_t, state)
        for s in state:
            s.retain_grad()
        states.append(state)
    out = state[0] @ torch.tensor(np.array(net.head.weight.data)).T + torch.tensor(np.array(net.head.bias.data))
    torch.nn.functional.cross_entropy(out, torch.tensor(y)).backward()
    for row, (h, c) in zip(found.rows, states):
        assert row.delta == pytest.approx(float(h.grad.norm()), rel=1e-10)
        assert row.cell == pytest.approx(float(c.grad.norm()), rel=1e-10)


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
def test_the_immediate_gradients_of_the_steps_make_up_the_whole(nonlinearity):
    # with one sequence and one step of loss they need not be orthogonal, so the matrices are summed, not the norms
    net = Last(nn.RNN(3, 4, nonlinearity=nonlinearity, rng=np.random.default_rng(0)))
    x, y = sequences(6, size=3, std=2.0)
    deltas, states = {}, {}
    with net.body.register_step_hook(lambda g, t: deltas.update({t: np.array(g.data)})):
        out, _ = net.body(x)
        F.cross_entropy(net.head(out[-1]), y).backward()
    states = dict(enumerate(out.data))
    slope = {"tanh": lambda h: 1 - h * h, "relu": lambda h: h > 0}[nonlinearity]
    parts = {t: (deltas[t] * slope(states[t])).T @ states[t - 1] for t in range(1, 6)}
    np.testing.assert_allclose(sum(parts.values()), net.body.weight_hh_l0.grad.data, rtol=1e-10, atol=1e-15)
    rows = mg.flow(net, F.cross_entropy, (x, y)).rows
    assert rows[0].gradient is None
    assert [row.gradient for row in rows[1:]] == pytest.approx([np.linalg.norm(parts[t]) for t in range(1, 6)])


@pytest.mark.parametrize(("gain", "std", "rate"), [(0.8, 0.5, -0.4524), (0.95, 0.1, -0.0997), (1.5, 0.1, 0.0607),
                                             (2.0, 0.5, 0.1204)])
def test_the_slope_in_a_tanh_net_is_its_lyapunov_exponent(gain, std, rate):
    # Chen, Pennington and Schoenholz 2018: ln(chi) / 2 of the driven net, W = gain times orthogonal
    rng = np.random.default_rng(0)
    net = nn.RNN(128, 128, bias=False, rng=rng)
    nn.init.orthogonal_(net.weight_hh_l0, gain=gain, rng=rng)
    net.weight_ih_l0.data = np.eye(128)
    x, c = std * rng.normal(size=(160, 4, 128)), rng.normal(size=(4, 128))
    found = mg.flow(net, lambda out: (out[0][-1] * c).sum(), x)
    assert found.predicted * np.log(10) == pytest.approx(rate, abs=0.015)
    assert found.slope * np.log(10) == pytest.approx(rate, abs=0.02)
    assert found.predicted == pytest.approx(found.slope, abs=0.006)
    assert found.series[0].prediction.theory == "Lyapunov exponent"


def test_the_exponent_of_one_sequence_is_that_of_theory():
    rng = np.random.default_rng(1)
    net = nn.RNN(3, 40, rng=rng)
    nn.init.orthogonal_(net.weight_hh_l0, gain=1.6, rng=rng)
    x = rng.normal(size=(400, 1, 3))
    states = net(x)[0].data[1:, 0]
    expected = theory.lyapunov(net.weight_hh_l0.data, states, lambda h: 1 - h * h, k=1).exponents[0]
    found = mg.flow(net, lambda out: out[0][-1].sum(), x)
    assert found.predicted * np.log(10) == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize(("nonlinearity", "std"), [("tanh", 1e-4), ("relu", 1.0)])
def test_where_the_states_are_linear_the_spectral_radius_is_the_prediction(nonlinearity, std):
    rng = np.random.default_rng(2)
    net = nn.RNN(3, 20, nonlinearity=nonlinearity, rng=rng, bias=False)
    w = rng.normal(size=(20, 20))
    symmetric = 0.9 * (w + w.T) / theory.spectral_radius(w + w.T)
    net.weight_hh_l0.data = symmetric if nonlinearity == "tanh" else 0.9 * np.eye(20)
    net.weight_ih_l0.data = np.abs(net.weight_ih_l0.data)
    x = std * np.abs(rng.normal(size=(200, 2, 3)))
    found = mg.flow(net, lambda out: (out[0][-1] * np.arange(1.0, 21.0)).sum(), x)
    radius = theory.spectral_radius(net.weight_hh_l0.data)
    assert found.series[0].prediction.theory == "spectral radius"
    assert found.predicted == pytest.approx(np.log10(radius))
    assert found.slope == pytest.approx(np.log10(radius), abs=0.01)


def test_layers_and_calls_have_a_series_each():
    class Twice(nn.Module):
        def __init__(self):
            self.rnn = nn.RNN(3, 4, num_layers=2, batch_first=True)

        def forward(self, x):
            _, h = self.rnn(x)
            return self.rnn(x * 2, h)[0][:, -1]

    found = mg.flow(Twice(), lambda h: (h * h).sum(), np.random.default_rng(0).normal(size=(5, 6, 3)))
    assert [s.name for s in found.series[:-1]] == ["rnn, layer 0, call 1", "rnn, layer 1, call 1",
                                                   "rnn, layer 0, call 2", "rnn, layer 1, call 2"]
    assert all([row.index for row in s.rows] == list(range(6)) for s in found.series[:-1])
    assert found.series[2].rows[0].delta < found.series[2].rows[5].delta
    assert "rnn, layer 1, call 2: " in found.verdict


def test_a_loss_on_every_step_and_one_on_an_early_step():
    net, x = nn.RNN(3, 4, rng=np.random.default_rng(0)), sequences(8)[0]
    every = mg.flow(net, lambda out: (out[0] ** 2).sum(), x)
    assert "the loss acts on 8 of 8 steps" in str(every)
    assert [s.name for s in every.series] == ["RNN, loss of step 7 alone", "RNN, all losses", "layers"]
    last = mg.flow(net, lambda out: (out[0][-1] ** 2).sum(), x)
    for name in ("delta", "gradient", "activation"):
        np.testing.assert_allclose(every.series[0].column(name), last.series[0].column(name), rtol=1e-12)
    assert every.slope == pytest.approx(last.slope)
    assert every.predicted == pytest.approx(last.predicted)
    assert every.series[1].prediction is None
    assert every.verdicts[1].kind == "level"
    deltas = {}
    with net.register_step_hook(lambda g, t: deltas.update({t: np.linalg.norm(g.data)})):
        (net(x)[0] ** 2).sum().backward()
    assert [row.delta for row in every.series[1].rows] == pytest.approx([deltas[t] for t in range(8)])
    early = mg.flow(net, lambda out: (out[0][4] ** 2).sum(), x)
    assert [row.index for row in early.rows] == [0, 1, 2, 3, 4]
    assert "does not depend on the last 3 of 8 steps" in str(early)
    assert early.kind != "cut"
    turned = nn.RNN(3, 4, batch_first=True, rng=np.random.default_rng(0))
    rows = mg.flow(turned, lambda out: (out[0][:, 4] ** 2).sum(), x.swapaxes(0, 1)).rows
    assert [row.delta for row in rows] == pytest.approx([row.delta for row in early.rows])


def test_one_sequence_without_a_batch_and_a_single_step():
    net = nn.GRU(3, 4)
    found = mg.flow(net, lambda out: out[0][-1].sum(), np.ones((5, 3)))
    assert [row.index for row in found.rows] == [0, 1, 2, 3, 4]
    assert "gates of GRU" in str(found)
    single = mg.flow(nn.RNN(3, 4), lambda out: out[0][-1].sum(), np.ones((1, 2, 3)))
    assert single.kind == "too few"
    assert single.slope is None
    assert len(single.rows) == 1


def test_irnn_keeps_the_gradient_and_theory_agrees():
    rng = np.random.default_rng(0)
    net = Last(nn.RNN(3, 64, nonlinearity="relu", rng=rng))
    nn.init.eye_(net.body.weight_hh_l0)
    for b in (net.body.bias_ih_l0, net.body.bias_hh_l0):
        nn.init.zeros_(b)
    net.body.weight_ih_l0.data = 0.01 * rng.normal(size=(64, 3))
    found = mg.flow(net, F.cross_entropy, sequences(60, size=16))
    assert found.kind in ("healthy", "vanishing")
    assert found.predicted == pytest.approx(found.slope, abs=0.02)


class Tagger(nn.Module):
    """A cell in a loop whose every state is read."""

    def __init__(self):
        self.cell, self.head = nn.GRUCell(3, 5, rng=np.random.default_rng(0)), nn.Linear(5, 2)

    def forward(self, x):
        h, outs = None, []
        for x_t in x:
            h = self.cell(x_t, h)
            outs.append(self.head(h))
        return sum(outs, mg.tensor(0.0))


def test_a_loop_whose_every_state_is_read_says_so():
    found = mg.flow(Tagger(), lambda h: (h * h).sum(), sequences(9)[0])
    assert found.series[0].name == "cell"
    assert "the loss depends on its states by other ways than the last one" in str(found)
    assert found.kind != "healthy"


def test_the_last_loss_alone_in_two_layers_with_the_batch_first():
    def net():
        return nn.LSTM(3, 6, num_layers=2, batch_first=True, rng=np.random.default_rng(0))

    x = sequences(20)[0].swapaxes(0, 1)
    every = mg.flow(net(), lambda out: (out[0] ** 2).mean(), x)
    last = mg.flow(net(), lambda out: (out[0][:, -1] ** 2).sum() / out[0].size, x)
    for k in range(2):
        for name in ("delta", "cell"):
            np.testing.assert_allclose(every.series[2 * k].column(name), last.series[k].column(name), rtol=1e-10)
    assert every.series[1].rows[0].delta > 100 * every.series[0].rows[0].delta


def stacked(below, above, seed=0, size=32):
    rng = np.random.default_rng(seed)
    net = nn.RNN(8, size, num_layers=2, rng=rng)
    nn.init.orthogonal_(net.weight_hh_l0, gain=below, rng=rng)
    nn.init.orthogonal_(net.weight_hh_l1, gain=above, rng=rng)
    return net, 0.1 * rng.normal(size=(80, 4, 8)), rng.normal(size=(4, size))


@pytest.mark.parametrize(("below", "above"), [(0.5, 0.95), (0.95, 0.5)])
@pytest.mark.parametrize("every", [False, True])
def test_in_a_stack_delta_comes_down_from_the_layer_that_keeps_it_best(below, above, every):
    net, x, c = stacked(below, above)
    found = mg.flow(net, lambda out: (out[0] * c).sum() if every else (out[0][-1] * c).sum(), x)
    low, high = (s for s in found.series if s.losses == ("alone" if every else "one") and s.kind == "step")
    own = [theory.spectral_radius(w.data) for w in (net.weight_hh_l0, net.weight_hh_l1)]
    assert low.prediction.slope >= high.prediction.slope
    assert low.slope.slope == pytest.approx(low.prediction.slope, rel=0.15)
    assert high.slope.slope == pytest.approx(high.prediction.slope, rel=0.15)
    assert low.prediction.above == (1 if above > below else None)
    assert low.prediction.radius == pytest.approx(max(own))
    assert "outside of it" not in found.verdict.split("\n")[0]
    blamed = next(text for text in found.help if "orthogonal" in text)
    assert ("in layer 1" in blamed) == (above > below)
    assert f"now it is {max(below, above):.3g}" in blamed


def test_below_a_layer_without_a_prediction_there_is_none():
    net, x, c = stacked(0.5, 0.9)
    net.weight_hh_l1.data = net.weight_hh_l1.data * np.inf
    found = mg.flow(net, lambda out: (out[0][-1] * c).sum(), x)
    assert found.series[0].prediction is None
    assert "delta comes down from layer 1, which has none" in found.series[0].why_none


def test_a_transient_at_the_first_steps_is_said():
    net, data = bent()
    found = mg.flow(net, F.cross_entropy, data)
    place, late, early = found.series[0].bend
    assert place == pytest.approx(20, abs=5)
    assert early.slope == pytest.approx(0.06, abs=0.01)
    assert late.slope == pytest.approx(found.predicted, abs=0.002)
    assert f"from step 199 back to {place} delta grows by 0.007" in found.verdict
    assert found.as_dict()["series"][0]["bend"]["row"] == place

"""RNN, LSTM, GRU and their cells: PyTorch's numbers, recorded and live, every order of gradient, what is refused."""

import math
import re

import numpy as np
import pytest
from twins import needs_torch, properties, torch, waves

import minigrad as mg
from minigrad import nn
from minigrad.nn import functional as F

T, N, D, H = 3, 2, 3, 2
GATES = {"RNN": 1, "LSTM": 4, "GRU": 3}


def weights(kind, layers=1, bias=True, cell=False):
    """Names and values of the parameters, in PyTorch's order."""
    rows, found = GATES[kind] * H, {}
    for layer in range(layers):
        shapes = {"weight_ih": (rows, H if layer else D), "weight_hh": (rows, H),
                  **({"bias_ih": (rows,), "bias_hh": (rows,)} if bias else {})}
        found.update({name + ("" if cell else f"_l{layer}"): waves(*shape, k=layer + 0.1 * len(found))
                      for name, shape in shapes.items()})
    return found


def call_with(layer, names, values, *args):
    """Call a layer, of minigrad or of PyTorch, with these tensors for its parameters."""
    if not isinstance(layer, nn.Module):
        return torch.func.functional_call(layer.double(), dict(zip(names, values)), args)
    assert [name for name, _ in layer.named_parameters()] == names
    for name, value in zip(names, values):
        delattr(layer, name)
        setattr(layer, name, value)
    return layer(*args)


def joined(out):
    """All that a layer returns as one vector."""
    if not isinstance(out, tuple):
        return out.reshape(-1)
    return sum((joined(part).sum() * (k + 1.0) for k, part in enumerate(out)), start=0.0) + joined(out[0])


def case(kind, x, state=None, cell=False, **settings):
    """A call of twins.py: the layer of ``kind`` as a function of x, the initial states and all weights."""
    named = weights(kind, settings.get("num_layers", 1), settings.get("bias", True), cell)
    states = [] if state is None else [waves(*state, k=3.0), waves(*state, k=4.0)][:1 + (kind == "LSTM")]

    def call(s, x, *rest):
        layer = getattr(s.nn, kind + ("Cell" if cell else ""))(D, H, **settings)
        given = rest[:len(states)]
        start = () if not given else (given[0] if len(given) == 1 else tuple(given),)
        return joined(call_with(layer, list(named), rest[len(states):], x, *start))

    return call, [waves(*x, k=2.0), *states, *named.values()]


# name: call and arrays, three numbers that PyTorch 2.13 gave: value, first and second order (see twins.py)
CASES = {
    "rnn": (*case("RNN", (T, N, D)), [0.919549070878, 4.61146978518, 14.0261291013]),
    "rnn relu": (*case("RNN", (T, N, D), (1, N, H), nonlinearity="relu"),
     [29.1525168573, -12.1567100887, -29.90921823]),
    "rnn two layers": (*case("RNN", (T, N, D), (2, N, H), num_layers=2),
     [-2.00996935429, -1.36751890757, 0.356902774835]),
    "rnn batch first": (*case("RNN", (N, T, D), (1, N, H), batch_first=True, bias=False),
     [-1.85985025082, 1.1386283983, 1.89862733764]),
    "rnn single": (*case("RNN", (T, D), (1, H)), [0.348344869487, 1.69057448515, -9.36351492851]),
    "lstm": (*case("LSTM", (T, N, D)), [8.34546184831, -5.00919286352, 25.5404371012]),
    "lstm state": (*case("LSTM", (T, N, D), (1, N, H)), [10.9153556886, -10.888995619, -184.580487731]),
    "lstm two layers": (*case("LSTM", (T, N, D), (2, N, H), num_layers=2, bias=False),
     [-6.20658850894, 27.7615191946, 33.3099310225]),
    "lstm batch first": (*case("LSTM", (N, T, D), (1, N, H), batch_first=True),
     [15.6480022895, -36.5516760148, -109.734385853]),
    "lstm single": (*case("LSTM", (T, D), (1, H), batch_first=True), [1.70437435326, 0.486075095599, -1.95964944033]),
    "gru": (*case("GRU", (T, N, D)), [5.2660308727, 2.07006429371, 14.197473126]),
    "gru two layers": (*case("GRU", (T, N, D), (2, N, H), num_layers=2),
     [-6.24031423084, 0.844067722593, -1.00611891219]),
    "gru batch first": (*case("GRU", (N, T, D), (1, N, H), batch_first=True, bias=False),
     [1.24851804323, -1.67733922874, 22.5252641807]),
    "gru single": (*case("GRU", (T, D)), [1.15321200427, 0.241064387062, -6.2168723771]),
    "rnn cell": (*case("RNN", (N, D), (N, H), cell=True), [-0.894399089665, 3.59273241765, -2.49624360364]),
    "rnn cell relu": (*case("RNN", (N, D), cell=True, nonlinearity="relu", bias=False),
     [-0.689537101012, -1.2712293011, 0.658959587458]),
    "lstm cell": (*case("LSTM", (N, D), (N, H), cell=True), [0.537295698854, 0.129560191698, -1.20679175472]),
    "lstm cell single": (*case("LSTM", (D,), cell=True, bias=False), [0.164835810204, 0.764831648777, 0.739998579036]),
    "gru cell": (*case("GRU", (N, D), (N, H), cell=True), [-0.0645901013115, 1.38238355253, -2.34950860488]),
    "gru cell single": (*case("GRU", (D,), (H,), cell=True, bias=False),
     [0.124420564953, 0.597484150669, -2.04152152193]),
}

(test_every_element_is_pytorchs, test_numbers_recorded_from_pytorch, test_gradcheck_at_order_1_and_2,
 test_dtype_is_kept) = properties(CASES)


# ------------------------------------------------------------------------------ layers, cells and steps

LAYERS = pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])


def as_states(state):
    return state if isinstance(state, tuple) else (state,)


@LAYERS
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_a_layer_is_its_cell_run_over_time(kind, dtype):
    layer, cell = (getattr(nn, name)(D, H, dtype=dtype) for name in (kind, kind + "Cell"))
    cell.load_state_dict({name.removesuffix("_l0"): p for name, p in layer.state_dict().items()})
    x, state, outs = waves(5, N, D).astype(dtype), None, []
    for x_t in x:
        state = cell(x_t, state)
        outs.append(as_states(state)[0].data)
    out, last = layer(x)
    tolerance = 8 * np.finfo(dtype).eps
    np.testing.assert_allclose(out.data, np.stack(outs), rtol=tolerance, atol=tolerance)
    for got, expected in zip(as_states(last), as_states(state), strict=True):
        assert got.shape == (1, N, H)
        assert got.dtype == expected.dtype == out.dtype == dtype
        np.testing.assert_allclose(got.data[0], expected.data, rtol=tolerance, atol=tolerance)


@LAYERS
def test_windows_with_the_state_carried_over_are_one_sequence(kind):
    layer, x = getattr(nn, kind)(D, H, 2), waves(7, N, D)
    whole, last = layer(x)
    first, state = layer(x[:3])
    state = tuple(s.detach() for s in state) if isinstance(state, tuple) else state.detach()
    second, end = layer(x[3:], state)
    np.testing.assert_allclose(np.concatenate([first.data, second.data]), whole.data, rtol=1e-14)
    for got, expected in zip(as_states(end), as_states(last), strict=True):
        np.testing.assert_allclose(got.data, expected.data, rtol=1e-14)


@LAYERS
def test_arrangements_agree(kind):
    layer, first = (getattr(nn, kind)(D, H, 2, batch_first=b) for b in (False, True))
    first.load_state_dict(layer.state_dict())
    x = waves(5, N, D)
    out, last = layer(x)
    turned, last_too = first(x.swapaxes(0, 1))
    np.testing.assert_array_equal(turned.data, out.data.swapaxes(0, 1))
    for n in range(N):
        single, state = first(x[:, n])                              # without a batch, batch_first means nothing
        np.testing.assert_allclose(single.data, out.data[:, n], rtol=1e-13)
        for s, end, end_too in zip(as_states(state), as_states(last), as_states(last_too), strict=True):
            np.testing.assert_allclose(s.data, end.data[:, n], rtol=1e-13)
            np.testing.assert_array_equal(end_too.data, end.data)


def test_the_steps_by_their_formulas():
    x, h, c, w, b = waves(3, 8), waves(3, 2, k=1.0), waves(3, 2, k=2.0), waves(8, 2, k=3.0), waves(8, k=4.0)

    def sigmoid(a):
        return 1 / (1 + np.exp(-a))

    np.testing.assert_allclose(F.rnn_step(x[:, :2], h, w[:2], b[:2]), np.tanh(x[:, :2] + h @ w[:2].T + b[:2]))
    np.testing.assert_allclose(F.rnn_step(x[:, :2], h, w[:2], nonlinearity="relu"),
                               np.maximum(x[:, :2] + h @ w[:2].T, 0))
    i, f, g, o = np.split(x + h @ w.T + b, 4, axis=1)
    c_next = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    for got, expected in zip(F.lstm_step(x, h, c, w, b), (sigmoid(o) * np.tanh(c_next), c_next)):
        np.testing.assert_allclose(got, expected, rtol=1e-14)
    p, s = np.split(x[:, :6], 3, axis=1), np.split(h @ w[:6].T + b[:6], 3, axis=1)
    r, z = sigmoid(p[0] + s[0]), sigmoid(p[1] + s[1])
    np.testing.assert_allclose(F.gru_step(x[:, :6], h, w[:6], b[:6]), (1 - z) * np.tanh(p[2] + r * s[2]) + z * h)


@LAYERS
@pytest.mark.parametrize("size", [1e4, -1e4])
def test_far_out_everything_is_finite(kind, size):
    layer = getattr(nn, kind)(D, H)
    x = mg.tensor(np.full((T, N, D), size), requires_grad=True)
    out, _ = layer(x)
    g = mg.grad(out.sum(), x, create_graph=True)
    h = mg.grad((g * g).sum(), x)
    assert all(np.isfinite(t.data).all() for t in (out, g, h))


@needs_torch
@LAYERS
@pytest.mark.parametrize("batch_first", [False, True])
def test_the_cure_for_bidirectional_gives_pytorchs_numbers(kind, batch_first):
    with pytest.raises(NotImplementedError) as caught:
        getattr(nn, kind)(D, H, batch_first=batch_first, bidirectional=True)
    recipe = str(caught.value).split("out_back, _ = ")[1].split("; out = ")
    there, back = (getattr(nn, kind)(D, H, batch_first=batch_first, rng=np.random.default_rng(k)) for k in (1, 2))
    theirs = getattr(torch.nn, kind)(D, H, batch_first=batch_first, bidirectional=True).double()
    theirs.load_state_dict({name + suffix: torch.tensor(p.data) for layer, suffix in ((there, ""), (back, "_reverse"))
                            for name, p in layer.state_dict().items()})
    x = waves(4, 2, D)
    session = {"np": np, "back": back, "x": x, "out": there(x)[0]}
    session["out_back"] = eval(recipe[0], session)[0]
    np.testing.assert_allclose(eval(recipe[1], session).data, theirs(torch.tensor(x))[0].detach().numpy(), rtol=1e-12)


# --------------------------------------------------------------------------------- dropout, start, reprs

def test_dropout_between_layers_in_training_only():
    settings = {"num_layers": 2, "dropout": 0.5, "rng": np.random.default_rng(2)}
    layer = nn.RNN(D, 200, **settings)
    plain = nn.RNN(D, 200, num_layers=2)
    plain.load_state_dict(layer.state_dict())
    x = waves(1, 1, D)
    dropped = layer(x)[1].data
    np.testing.assert_array_equal(dropped[0], plain(x)[1].data[0])                 # the lower states are whole
    assert not np.allclose(dropped[1], plain(x)[1].data[1])
    layer.eval()
    np.testing.assert_array_equal(layer(x)[0].data, plain(x)[0].data)
    single = nn.RNN(D, H, dropout=1.0)                                             # one layer: nothing in between
    np.testing.assert_array_equal(single(x)[0].data, single.eval()(x)[0].data)
    all_gone = nn.RNN(D, H, 2, dropout=1.0)
    assert all_gone(x)[0].tolist() == all_gone(0.3 * x)[0].tolist()


def test_dropout_draws_from_the_generator_that_was_passed():
    nets = [nn.GRU(D, H, 2, dropout=0.5, rng=np.random.default_rng(4)) for _ in range(2)]
    mg.manual_seed(0)
    ahead = nn.Linear(1, 1).weight.item()
    mg.manual_seed(0)
    a, b = (net(waves(T, N, D))[0].tolist() for net in nets)
    assert a == b != nets[0](waves(T, N, D))[0].tolist()
    assert nn.Linear(1, 1).weight.item() == ahead


@pytest.mark.parametrize("make", [
    lambda rng: nn.RNN(7, 100, 2, rng=rng), lambda rng: nn.LSTM(7, 64, rng=rng), lambda rng: nn.GRU(3, 64, rng=rng),
    lambda rng: nn.RNNCell(7, 256, rng=rng), lambda rng: nn.LSTMCell(7, 64, rng=rng),
    lambda rng: nn.GRUCell(7, 64, rng=rng),
])
def test_the_default_is_uniform_up_to_one_over_the_root_of_hidden(make):
    net = make(np.random.default_rng(3))
    bound = 1 / math.sqrt(net.hidden_size)
    for p in net.parameters():
        assert 0.95 * bound < np.abs(p.data).max() <= bound
        assert abs(p.data.mean()) < 5 * bound / math.sqrt(3 * p.size)
        assert p.data.var() == pytest.approx(bound ** 2 / 3, rel=5 / math.sqrt(p.size))


@LAYERS
def test_names_and_shapes_are_pytorchs(kind):
    layer, rows = getattr(nn, kind)(D, H, num_layers=2), GATES[kind] * H
    assert {name: p.shape for name, p in layer.named_parameters()} == {
        "weight_ih_l0": (rows, D), "weight_hh_l0": (rows, H), "bias_ih_l0": (rows,), "bias_hh_l0": (rows,),
        "weight_ih_l1": (rows, H), "weight_hh_l1": (rows, H), "bias_ih_l1": (rows,), "bias_hh_l1": (rows,)}
    assert getattr(nn, kind)(D, H, bias=False).state_dict().keys() == {"weight_ih_l0", "weight_hh_l0"}
    assert repr(getattr(nn, kind)(D, H)) == f"{kind}(3, 2)"
    assert repr(getattr(nn, kind + "Cell")(D, H, bias=False)) == f"{kind}Cell(3, 2, bias=False)"


# -------------------------------------------------------------------------------------- what is refused

class Packed:
    batch_sizes = (2, 1)


SETTINGS = [
    ({"input_size": 0}, ValueError, "input_size = 0, but it must be at least 1"),
    ({"hidden_size": -2}, ValueError, "hidden_size = -2"), ({"num_layers": 0}, ValueError, "num_layers = 0"),
    ({"input_size": 2.5}, TypeError, "input_size = 2.5 is no whole number"),
    ({"dropout": 1.5}, ValueError, "dropout = 1.5"), ({"dropout": -0.1}, ValueError, "dropout = -0.1"),
    ({"bias": "no"}, TypeError, "bias is True or False, not 'no'"),
    ({"batch_first": 2}, TypeError, "batch_first is True or False"),
    ({"bidirectional": True}, NotImplementedError,
     r"bidirectional=True.* is left out; .*np\.flip\(out_back, 0\)\], axis=-1"),
    ({"dtype": int}, TypeError, "int64"), ({"rng": 0}, TypeError, "default_rng"),
]


@LAYERS
@pytest.mark.parametrize(("settings", "error", "text"), SETTINGS)
def test_settings_that_cannot_be_meant(kind, settings, error, text):
    with pytest.raises(error, match=text):
        getattr(nn, kind)(**{"input_size": D, "hidden_size": H, **settings})


@pytest.mark.parametrize(("make", "error", "text"), [
    (lambda: nn.RNN(D, H, nonlinearity="gelu"), ValueError, "'gelu'.*'tanh' or 'relu'"),
    (lambda: nn.RNNCell(D, H, nonlinearity="gelu"), ValueError, "'gelu'.*'tanh' or 'relu'"),
    (lambda: nn.LSTM(D, H, proj_size=1), NotImplementedError, r"proj_size=1.*nn\.Linear\(2, 1\)"),
    (lambda: nn.RNNCell(D, 0), ValueError, "hidden_size = 0"), (lambda: nn.GRUCell(-1, H), ValueError, "at least 1"),
    (lambda: F.rnn_step(np.ones(2), np.ones(2), np.ones((2, 2)), nonlinearity="elu"), ValueError, "'elu'"),
    (lambda: F.lstm_step(np.ones((1, 8)), np.ones((2, 2)), np.ones((2, 2)), np.ones((8, 2))), ValueError,
     r"lstm_step: the state h of shape \(2, 2\) and the image of the input, of shape \(1, 8\), do not fit"),
    (lambda: F.gru_step(np.ones(6), np.ones(2), np.ones((5, 2))), ValueError, r"weight_hh .* \(5, 2\), not \(3H, H\)"),
    (lambda: F.rnn_step(np.ones(2), np.ones(2), np.ones((2, 2)), np.ones(1)), ValueError, r"bias_hh has shape \(1,\)"),
])
def test_settings_of_one_kind_that_cannot_be_meant(make, error, text):
    with pytest.raises(error, match=text):
        make()


PAIR = (np.zeros((1, N, H)), np.zeros((1, N, H)))
INPUTS = [
    (lambda: nn.RNN(D, H)(np.ones((T, N, 5))), ValueError, r"RNN: x of shape \(3, 2, 5\).*input_size = 3"),
    (lambda: nn.GRU(D, H)(np.ones(D)), ValueError, r"\(3,\) has 1 axes; give \(time, input\) or \(time, batch, input"),
    (lambda: nn.LSTM(D, H, batch_first=True)(np.ones((1, 1, 1, D))), ValueError, r"4 axes.* or \(batch, time, input\)"),
    (lambda: nn.RNN(D, H)(np.ones((0, N, D))), ValueError, r"\(0, 2, 3\) holds no sequence"),
    (lambda: nn.RNN(D, H)(np.ones((T, N, D), int)), TypeError, "dtype int64"),
    (lambda: nn.RNN(D, H)([["a"]]), TypeError, "dtype <U1"),
    (lambda: nn.RNN(D, H)(Packed()), NotImplementedError, "packed sequences are left out; pad"),
    (lambda: nn.RNN(D, H)(np.ones((T, N, D)), np.ones((N, H))), ValueError,
     r"state h0 has shape \(2, 2\), but for this x it must be \(1, 2, 2\) \(layers, batch, hidden\)"),
    (lambda: nn.RNN(D, H, 2)(np.ones((T, N, D)), np.ones((1, N, H))), ValueError, r"\(1, 2, 2\).*\(2, 2, 2\)"),
    (lambda: nn.RNN(D, H)(np.ones((T, N, D)), np.ones((1, 1, H))), ValueError, r"\(1, 1, 2\).*\(1, 2, 2\)"),
    (lambda: nn.GRU(D, H)(np.ones((T, D)), np.ones((1, 1, H))), ValueError, r"\(1, 1, 2\).*\(1, 2\) \(layers, hidden"),
    (lambda: nn.LSTM(D, H)(np.ones((T, N, D)), np.ones((1, N, H))), TypeError, r"a pair \(h0, c0\), not a ndarray"),
    (lambda: nn.LSTM(D, H)(np.ones((T, N, D)), (PAIR[0],)), TypeError, "not a tuple of 1"),
    (lambda: nn.LSTM(D, H)(np.ones((T, N, D)), (PAIR[0], np.ones((1, N, 3)))), ValueError, r"c0 has shape \(1, 2, 3\)"),
    (lambda: nn.RNNCell(D, H)(np.ones((N, 5))), ValueError, r"RNNCell: x of shape \(2, 5\).*input_size = 3"),
    (lambda: nn.GRUCell(D, H)(np.ones((T, N, D))), ValueError, r"3 axes; give \(input,\) or \(batch, input\)"),
    (lambda: nn.RNNCell(D, H)(np.ones((N, D)), np.ones((3, H))), ValueError, r"\(3, 2\).*\(2, 2\) \(batch, hidden\)"),
    (lambda: nn.RNNCell(D, H)(np.ones(D), np.ones((1, H))), ValueError, r"\(1, 2\).*\(2,\) \(hidden,\)"),
    (lambda: nn.LSTMCell(D, H)(np.ones((N, D)), np.ones((N, H))), TypeError, r"a pair \(h, c\), not a ndarray"),
    (lambda: nn.LSTMCell(D, H)(np.ones((N, D)), (np.ones((N, H)), np.ones((N, 9)))), ValueError, r"c has .*\(2, 9\)"),
]


@pytest.mark.parametrize(("call", "error", "text"), INPUTS)
def test_inputs_that_do_not_fit_name_both_shapes(call, error, text):
    with pytest.raises(error, match=text):
        call()


@LAYERS
@pytest.mark.parametrize(("what", "shape"), [("weight_ih_l0", (D,)), ("weight_hh_l1", (5, H)), ("bias_ih_l1", (1,)),
                                             ("bias_hh_l0", (1, H))])
def test_a_new_parameter_of_another_shape_is_named(kind, what, shape):
    layer = getattr(nn, kind)(D, H, num_layers=2)
    right = getattr(layer, what).shape
    setattr(layer, what, nn.Parameter(np.ones(shape)))
    with pytest.raises(ValueError, match=re.escape(f"{kind}: {what} has shape {shape}, but it must be {right}")):
        layer(np.ones((T, N, D)))

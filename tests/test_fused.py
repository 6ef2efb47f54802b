"""The fused recurrences against the unrolled ones: values, gradients of both orders, hooks, dtypes, memory."""

import gc
import tracemalloc

import numpy as np
import pytest
from stepping import KINDS, D, H, N, T, each, gradients, loss_of, make, seeds_of, watch
from twins import waves

import minigrad as mg
from minigrad import nn, ops
from minigrad.engine import visit
from minigrad.ops import recurrent
from minigrad.table import RULES, name_of

FUSED = (ops.rnn, ops.lstm, ops.gru)


def unroll(monkeypatch):
    """Have the recurrent layers go step by step on the tape."""
    for fn in FUSED:
        monkeypatch.setattr(ops, fn.__name__, RULES[fn].composite)


def names_on_the_tape(y):
    return [name_of(node._fn) for node in visit([y]) if node._fn is not None]


def both(monkeypatch, run):
    """Return what ``run`` gives with fused and with unrolled recurrences."""
    fused = run()
    with monkeypatch.context() as patch:
        unroll(patch)
        return fused, run()


def equal(fused, unrolled, rtol=1e-12):
    assert fused.keys() == unrolled.keys()
    for key, value in unrolled.items():
        value = np.asarray(getattr(value, "data", value))
        np.testing.assert_allclose(getattr(fused[key], "data", fused[key]), value, rtol=rtol,
                                   atol=rtol * max(1.0, abs(value).max()), err_msg=str(key))


def test_a_layer_is_one_node(monkeypatch):
    for name, fn in (("tanh", "rnn"), ("LSTM", "lstm"), ("GRU", "gru")):
        net, x = make(name, 2), waves(T, N, D)
        assert names_on_the_tape(net(x)[0]).count(fn) == 2
        with monkeypatch.context() as patch:
            unroll(patch)
            assert fn not in names_on_the_tape(net(x)[0])


CLIP = {"nobody": None, "looking": lambda g, *which: None, "clipping": lambda g, *which: g.clamp(-0.4, 0.4),
        "by step": lambda g, state, layer, t: g * (0.5 + 0.1 * t + (state == "c"))}


@each
@pytest.mark.parametrize("hooked", CLIP)
@pytest.mark.parametrize("settings", [{}, {"bias": False}, {"batch_first": True}], ids=str)
def test_values_gradients_and_hooks(monkeypatch, name, layers, hooked, settings):
    seeds = seeds_of(name, layers)

    def run():
        net, log = make(name, layers, **settings), {}
        x = mg.tensor(waves(T, N, D), requires_grad=True)
        start = [mg.tensor(waves(layers, N, H, k=4.0 + k), requires_grad=True) for k in range(len(net.states))]
        if CLIP[hooked]:
            watch(net, log, do=CLIP[hooked])
        turned = x.swapaxes(0, 1) if net.batch_first else x
        out, last = net(turned, tuple(start) if name == "LSTM" else start[0])
        loss = loss_of((out.swapaxes(0, 1) if net.batch_first else out, last), seeds)
        loss.backward()
        starts = {f"start {k}": s.grad for k, s in enumerate(start)}
        return {"loss": loss, "x": x.grad, **starts, **gradients(net), **log}

    equal(*both(monkeypatch, run))


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("shape", [(1, N, D), (T, 1, D), (1, 1, D), (T, D), (1, D), (70, 3, D)], ids=str)
@pytest.mark.parametrize("block", [1, 1000, 2 ** 20])
def test_any_number_of_steps_in_blocks_of_any_size(monkeypatch, name, shape, block):
    monkeypatch.setattr(recurrent, "BLOCK", block)

    def run():
        net, x, log = make(name), mg.tensor(waves(*shape), requires_grad=True), {}
        watch(net, log)
        out, last = net(x)
        assert out.shape == (*shape[:-1], H)
        loss = (out * waves(*out.shape)).sum() + sum((s * s).sum() for s in (last if name == "LSTM" else [last]))
        loss.backward()
        return {"out": out, "x": x.grad, **gradients(net), **log}

    equal(*both(monkeypatch, run))


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize(("of_x", "of_weights"), [
    ("float16", "float16"), ("float32", "float32"), ("float64", "float64"), ("float32", "float64"),
    ("float64", "float32")])
def test_dtypes(monkeypatch, name, of_x, of_weights):
    def run():
        net, x = make(name, dtype=of_weights), mg.tensor(waves(T, N, D), dtype=of_x, requires_grad=True)
        out, _ = net(x)
        assert out.dtype == np.result_type(of_x, of_weights)
        (out * out).sum().backward()
        assert (x.grad.dtype, net.weight_hh_l0.grad.dtype) == (of_x, of_weights)
        return {"out": out, "x": x.grad, **gradients(net)}

    equal(*both(monkeypatch, run), rtol=20 * float(np.finfo(min(np.dtype(of_x), np.dtype(of_weights))).eps))


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("hooked", ["nobody", "by step"])
def test_second_order(monkeypatch, name, hooked):
    """The gradient of a gradient's length, beside the loss itself."""
    def run():
        net, x = make(name, 2), mg.tensor(waves(T, N, D), requires_grad=True)
        if CLIP[hooked]:
            watch(net, {}, do=CLIP[hooked])
        loss = loss_of(net(x), seeds_of(name, 2))
        gs = mg.grad(loss, [x, *net.parameters()], create_graph=True)
        (loss + sum((g * g).sum() for g in gs)).backward()
        return {"x": x.grad, **gradients(net)}

    equal(*both(monkeypatch, run))


@pytest.mark.parametrize("name", KINDS)
def test_twice_through_one_graph_is_the_same_twice(name):
    """What the forward pass kept is not written to."""
    net, x = make(name, 2), mg.tensor(waves(T, N, D), requires_grad=True)
    out, last = net(x)
    before = out.data.copy()
    first, second = (mg.grad(loss_of((out, last), seeds_of(name, 2)), [x, *net.parameters()], retain_graph=True)
                     for _ in range(2))
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a.data, b.data)
    np.testing.assert_array_equal(out.data, before)


@pytest.mark.parametrize("name", KINDS)
def test_only_what_is_asked_for(monkeypatch, name):
    """A frozen layer passes the gradient of its input on; without any, nothing goes on the tape."""
    def run(frozen):
        net, x = make(name, 2), mg.tensor(waves(T, N, D), requires_grad=True)
        for key, p in net.named_parameters():
            p.requires_grad_(not any(part in key for part in frozen))
        loss_of(net(x), seeds_of(name, 2)).backward()
        return {"x": x.grad, **{key: g for key, g in gradients(net).items() if g is not None}}

    for frozen in (("l0",), ("weight_hh",), ("bias",), ("l0", "l1")):
        fused, unrolled = both(monkeypatch, lambda frozen=frozen: run(frozen))
        equal(fused, unrolled)
    net = make(name).requires_grad_(False)
    assert not net(waves(T, N, D))[0].requires_grad
    (g,) = mg.grad(net(mg.tensor(waves(T, N, D), requires_grad=True))[0].sum(), []) or (None,)
    assert g is None


@pytest.mark.parametrize("name", KINDS)
def test_under_no_grad_the_values_are_the_same(name):
    net, x = make(name, 2), waves(70, N, D)
    out, last = net(x)
    with mg.no_grad():
        plain, end = net(x)
    np.testing.assert_array_equal(plain.data, out.data)
    for a, b in zip((end, last) if name != "LSTM" else (*end, *last), (last, end) if name != "LSTM" else (*last, *end)):
        np.testing.assert_array_equal(a.data, b.data)


def test_gates_far_out_do_not_warn_and_are_exact():
    """Where exp(-a) overflows, the sigmoid is 0; where it does not, it has all its digits."""
    lstm = nn.LSTM(1, 1)
    for key, value in (("weight_ih_l0", np.zeros((4, 1))), ("weight_hh_l0", np.zeros((4, 1))),
                       ("bias_hh_l0", np.zeros(4))):
        getattr(lstm, key).data = value
    for a, expected in ((-1000.0, 0.0), (-40.0, np.exp(-40.0)), (-700.0, np.exp(-700.0))):
        lstm.bias_ih_l0.data = [0.0, a, 0.0, 1000.0]            # c = sigmoid(a) c0, h = tanh(c)
        c0 = mg.tensor([[1.0]], requires_grad=True)
        _, (_, c) = lstm(np.zeros((1, 1)), (np.zeros((1, 1)), c0))
        assert c.item() == pytest.approx(expected, rel=1e-12)
        c.backward()
        assert c0.grad.item() == pytest.approx(expected, rel=1e-12)


GATES = np.linspace(-20, 20, 161, dtype=np.float16)       # a's that float16 holds exactly


def gate_by_gate(kind, a, fused, monkeypatch):
    """Run one step in float16, a in one gate after the other; return name -> value or gradient for each."""
    size, gates = len(a), {"LSTM": 4, "GRU": 3}[kind]
    found = []
    with monkeypatch.context() as patch:
        if not fused:
            unroll(patch)
        for gate in range(gates):
            net = getattr(nn, kind)(1, size, dtype="float16")
            bias = np.full((gates, size), 0.5, np.float16)
            bias[gate] = a
            for name, value in zip(("weight_ih", "weight_hh", "bias_ih", "bias_hh"), (0, 0, bias.ravel(), 0)):
                p = getattr(net, f"{name}_l0")
                p.data = np.broadcast_to(np.float16(value), p.shape)
            x = mg.tensor(np.zeros((1, 1, 1)), "float16", requires_grad=True)
            start = [mg.tensor(np.full((1, 1, size), 300.0), "float16", requires_grad=True) for _ in net.states]
            _, last = net(x, tuple(start) if kind == "LSTM" else start[0])
            last = last if kind == "LSTM" else (last,)
            sum(s.sum() for s in last).backward()
            found.append({**{name: s.data for name, s in zip("hc", last)}, "bias": net.bias_ih_l0.grad.data,
                          **{f"start {name}": s.grad.data for name, s in zip("hc", start)}})
    return found


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_gates_of_float16_are_open_as_far_as_it_has_numbers(monkeypatch, kind):
    """exp(-a) overflows from a < -11.1, the sigmoid does not vanish before -17.

    Values are the unrolled ones to the bit; in gradients, products of the same factors in another order.
    """
    for fused, unrolled in zip(*(gate_by_gate(kind, GATES, way, monkeypatch) for way in (True, False)), strict=True):
        for name, a in fused.items():
            assert a.dtype == np.float16
            rtol, atol = (0, 0) if name in "hc" else (2e-3, 2 ** -24)       # two units; the smallest number there is
            np.testing.assert_allclose(a, unrolled[name], rtol=rtol, atol=atol, err_msg=name)


def test_a_forget_gate_of_float16_lets_through_what_it_should():
    lstm, cell = nn.LSTM(1, 1, dtype="float16"), nn.LSTMCell(1, 1, dtype="float16")
    for net, end in ((lstm, "_l0"), (cell, "")):
        for name, value in (("weight_ih", 0), ("weight_hh", 0), ("bias_ih", [-20, -11.5, 0, 0]), ("bias_hh", 0)):
            p = getattr(net, name + end)
            p.data = np.broadcast_to(np.reshape(np.float16(value), (-1, *(1,) * (p.ndim - 1))), p.shape)
    start = mg.tensor(np.zeros((1, 1, 1)), "float16"), mg.tensor(np.full((1, 1, 1), 1000.0), "float16")
    _, (_, c) = lstm(np.zeros((1, 1, 1), np.float16), start)
    _, of_cell = cell(np.zeros((1, 1), np.float16), tuple(s[0] for s in start))
    assert c.item() == of_cell.item() == pytest.approx(1000 / (1 + np.exp(11.5)), rel=5e-3)


def peak(run):
    """Return the largest number of bytes that were held at a time while ``run`` ran, beyond those before."""
    run()
    gc.collect()
    tracemalloc.start()
    try:
        run()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_of_the_plain_recurrence_is_that_of_its_states():
    """No second array of T states is made but what the loss makes."""
    rnn, x = nn.RNN(8, 32, rng=np.random.default_rng(0)), mg.tensor(waves(500, 16, 8))
    states = 500 * 16 * 32 * 8

    def run():
        rnn.zero_grad()
        rnn(x)[0].backward(ones)

    ones = np.ones((500, 16, 32))
    assert peak(run) < 2.6 * states + 2 ** 21       # the states, the cotangent that is given (copied), blocks

    def forward():
        with mg.no_grad():
            rnn(x)

    assert peak(forward) < 1.2 * states


@pytest.mark.parametrize("name", ["LSTM", "GRU"])
def test_under_no_grad_no_gates_are_kept(name):
    net, x = make(name), mg.tensor(waves(20_000, N, D))
    with mg.no_grad():
        small = peak(lambda: net(x))
    assert small < 1.3 * 20_000 * N * H * 8 + 2 ** 21
    assert peak(lambda: net(x)) > 4 * 20_000 * N * H * 8

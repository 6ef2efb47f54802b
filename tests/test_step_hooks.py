"""Hooks of the time steps: dL/dh_t as backpropagation through time by hand has it, read and replaced."""

import copy
import gc
import pickle

import numpy as np
import pytest
from bptt import bptt
from stepping import KINDS, D, H, N, T, each, gradients, loss_of, make, seeds_of, watch
from twins import dtypes, needs_torch, torch, waves

import minigrad as mg
from minigrad import hooks, nn
from minigrad.nn import functional as F
from minigrad.table import Node


def compare(got, expected, rtol=1e-12):
    assert got.keys() == expected.keys()
    for key, value in expected.items():
        np.testing.assert_allclose(getattr(got[key], "data", got[key]), value, rtol=rtol, atol=rtol, err_msg=str(key))


# ------------------------------------------------------------------------------------------------------ reading

@each
def test_a_hook_sees_dL_dh_t_of_the_closed_recurrence(name, layers):
    net, x, log, seeds = make(name, layers), waves(T, N, D), {}, seeds_of(name, layers)
    loss_of(net(x), seeds).backward()
    plain = {key: np.array(g.data) for key, g in gradients(net).items()}
    net.zero_grad()
    watch(net, log)
    loss_of(net(x), seeds).backward()
    deltas, grads = bptt(name, net, x, seeds)
    compare(log, deltas)
    compare(gradients(net), grads)
    assert list(log) == [(state, k, t) for k in reversed(range(layers)) for t in reversed(range(T))
                         for state in net.states]
    for key, g in gradients(net).items():
        np.testing.assert_array_equal(g.data, plain[key])               # to look changes nothing


@needs_torch
@each
def test_a_hook_sees_what_pytorch_retains(name, layers):
    net, x, log, seeds = make(name, layers), waves(T, N, D), {}, seeds_of(name, layers)
    watch(net, log)
    loss_of(net(x), seeds).backward()
    kind, own = KINDS[name]
    held, sequence, ends = {}, list(torch.tensor(x)), []
    for layer in range(layers):
        cell = getattr(torch.nn, kind + "Cell")(H if layer else D, H, dtype=torch.float64, **own)
        cell.load_state_dict({key.removesuffix(f"_l{layer}"): torch.tensor(p.data) for key, p in net.named_parameters()
                              if key.endswith(f"_l{layer}")})
        state, outs = None, []
        for t, x_t in enumerate(sequence):
            state = cell(x_t, state)
            for which, s in zip(net.states, state if kind == "LSTM" else (state,)):
                s.retain_grad()
                held[which, layer, t] = s
            outs.append(held["h", layer, t])
        sequence = outs
        ends.append(state if kind == "LSTM" else (state,))
    total = (torch.stack(sequence) * torch.tensor(seeds[0])).sum()
    for last, seed in zip(zip(*ends), seeds[1:]):
        total = total + (torch.stack(last) * torch.tensor(seed)).sum()
    total.backward()
    compare(log, {key: s.grad.numpy() for key, s in held.items()})


@pytest.mark.parametrize("name", KINDS)
def test_with_an_initial_state(name):
    net, x, log, seeds = make(name, 2), waves(T, N, D), {}, seeds_of(name, 2)
    start = [mg.tensor(waves(2, N, H, k=4.0 + k), requires_grad=True) for k in range(len(net.states))]
    watch(net, log)
    net.requires_grad_(False)                       # nothing but the state asks for a gradient
    loss_of(net(x, tuple(start) if name == "LSTM" else start[0]), seeds).backward()
    compare(log, bptt(name, net, x, seeds, [s.data for s in start])[0])
    assert all(s.grad is not None for s in start)


@pytest.mark.parametrize("name", KINDS)
def test_the_layout_of_x_is_not_that_of_the_steps(name):
    """g is (N, H) also where the batch comes first, and (H,) where there is none."""
    net, first, seeds = make(name, 2), make(name, 2, batch_first=True), seeds_of(name, 2)
    x, log, turned = waves(T, N, D), {}, {}
    watch(net, log)
    watch(first, turned)
    loss_of(net(x), seeds).backward()
    out, last = first(x.swapaxes(0, 1))
    loss_of((out.swapaxes(0, 1), last), seeds).backward()
    compare(turned, log)
    log = dict(log)
    for n in range(N):
        for layer in (net, first):                  # without a batch, batch_first means nothing
            single = {}
            watch(layer, single)
            loss_of(layer(x[:, n]), [s[:, n] for s in seeds]).backward()
            compare(single, {key: g[n] for key, g in log.items()})


def test_dropout_between_layers_is_on_the_way():
    net, x, log, seeds = make("tanh", 2, dropout=0.5), waves(T, N, D), {}, seeds_of("tanh", 2)
    watch(net, log)
    net.rng = np.random.default_rng(5)
    mask = F.dropout(np.ones((T, N, H)), 0.5, rng=np.random.default_rng(5))
    loss_of(net(x), seeds).backward()
    assert 0 < np.count_nonzero(mask) < mask.size
    compare(log, bptt("tanh", net, x, seeds, masks=[mask])[0])


@pytest.mark.parametrize(("layer", "seen"), [(0, [0]), (1, [1]), (-1, [1]), (-2, [0]), (np.int64(1), [1]),
                                             (None, [1, 0])])
def test_a_hook_belongs_to_one_layer_or_to_all(layer, seen):
    net, found, all_of_them = nn.RNN(D, H, 2), [], {}
    watch(net, all_of_them)
    net.register_step_hook(lambda g, t: found.append((t, g.tolist())), layer)
    net(waves(T, N, D))[0].sum().backward()
    assert found == [(t, all_of_them["h", k, t].tolist()) for k in seen for t in reversed(range(T))]


@pytest.mark.parametrize("name", KINDS)
@dtypes
def test_the_dtype_is_that_of_the_layer(name, dtype):
    net, seen = make(name, dtype=dtype), []
    net.register_step_hook(lambda g, t: g.data.astype(float) * 2)            # a wider answer is cast back
    net.register_step_hook(lambda g, t: seen.append((type(g), g.dtype)))
    net(waves(T, N, D).astype(dtype))[0].sum().backward()
    assert seen == [(mg.Tensor, dtype)] * T
    assert {p.grad.dtype for p in net.parameters()} == {np.dtype(dtype)}


# ---------------------------------------------------------------------------------------------------- replacing

def in_place(g):
    g.clamp_(-0.5, 0.5)


ANSWERS = {"array": lambda g: np.clip(g.data, -0.5, 0.5), "tensor": lambda g: g.clamp(-0.5, 0.5), "in place": in_place,
           "hooks": hooks.inside(hooks.ClipValue(0.5))}


@each
@pytest.mark.parametrize("answer", ANSWERS)
def test_what_a_hook_answers_is_what_goes_on(name, layers, answer):
    net, x, log, seeds = make(name, layers), waves(T, N, D), {}, seeds_of(name, layers)
    given = {}

    def alter(state, layer, t, g):
        given[state, layer, t] = g
        return np.clip(g, -0.5, 0.5)

    watch(net, log, do=lambda g, *which: ANSWERS[answer](g))
    loss_of(net(x), seeds).backward()
    _, grads = bptt(name, net, x, seeds, alter=alter)
    compare(log, given)
    compare(gradients(net), grads)
    assert any((np.abs(g) > 0.5).any() for g in given.values())


@pytest.mark.parametrize("name", KINDS)
def test_second_order_goes_through_what_a_hook_does(name):
    """The gradient that the hook bends is a function of the weights; its derivative against central differences."""
    net, x, seeds = make(name), waves(T, N, D), seeds_of(name, 1)
    u = waves(*net.weight_hh_l0.shape, k=6.0)

    def bent(differentiable):
        with net.register_step_hook(lambda g, t: g * g * (0.3 + 0.1 * t)):
            return mg.grad(loss_of(net(x), seeds), net.weight_hh_l0, create_graph=differentiable)

    found = mg.grad((bent(True) * u).sum(), net.weight_hh_l0).data
    middle, eps = np.array(net.weight_hh_l0.data), 1e-5
    for index in np.ndindex(middle.shape):
        sides = []
        for sign in (1, -1):
            moved = middle.copy()
            moved[index] += sign * eps
            net.weight_hh_l0.data = moved
            sides.append(float((bent(False).data * u).sum()))
        assert found[index] == pytest.approx((sides[0] - sides[1]) / (2 * eps), rel=1e-6, abs=1e-8)


def test_hooks_follow_each_other_in_the_order_of_registration():
    net, seen = nn.RNN(D, H, 2), []
    for k, layer in enumerate((None, 1, None, 0)):
        net.register_step_hook(lambda g, t, k=k: seen.append((k, t, g.data[0, 0])) or g * 0 + k, layer)
    net(waves(2, N, D))[0].sum().backward()
    assert [call[:2] for call in seen] == [(k, t) for kept in ((0, 1, 2), (0, 2, 3)) for t in (1, 0) for k in kept]
    assert [value for k, _, value in seen if k] == [0, 1, 0, 1, 0, 2, 0, 2]      # each is given what the last one left


# ------------------------------------------------------------------------------------------- when hooks are called

def counted(net):
    calls = []
    return calls, net.register_step_hook(lambda g, t: calls.append(t))


def test_a_forward_pass_takes_the_hooks_of_its_time_and_a_removed_one_acts_no_more():
    net, x = nn.GRU(D, H), waves(2, N, D)
    before = net(x)[0].sum()
    calls, handle = counted(net)
    first, second = net(x)[0].sum(), net(x)[0].sum()
    before.backward()
    assert calls == []
    first.backward(retain_graph=True)
    assert calls == [1, 0]
    first.backward()
    assert calls == [1, 0] * 2
    handle.remove()
    handle.remove()
    second.backward()
    net(x)[0].sum().backward()
    assert calls == [1, 0] * 2


def test_a_hook_may_remove_itself_on_the_way():
    net, calls = nn.RNN(D, H), []
    handle = net.register_step_hook(lambda g, t: calls.append(t) if t > 1 else handle.remove())
    net(waves(4, N, D))[0].sum().backward()
    assert calls == [3, 2]


def test_two_passes_of_one_layer_are_two_sequences():
    net, x = nn.LSTM(D, H), waves(3, N, D)
    calls, _ = counted(net)
    _, state = net(x[:2])
    net(x, state)[0].sum().backward()
    assert calls == [2, 1, 0, 1, 0]


def test_grad_of_chosen_tensors_calls_the_hooks_on_the_way():
    net, x = nn.RNN(D, H, 2), mg.tensor(waves(2, N, D), requires_grad=True)
    calls, sizes = [], []
    net.register_step_hook(lambda g, t: calls.append(t), 0)
    net.register_step_hook(lambda g, t: sizes.append(t) or g * 0, 1)
    assert not mg.grad(net(x)[0].sum(), x).data.any()
    assert calls == sizes == [1, 0]
    mg.grad(net(x)[0].sum(), net.weight_hh_l1)                                  # does not lead through layer 0
    assert calls == [1, 0]
    assert sizes == [1, 0] * 2


def test_nothing_happens_where_no_gradient_comes():
    net, x = nn.LSTM(D, H), waves(T, N, D)
    calls, _ = counted(net)
    with mg.no_grad():
        assert net(x)[0].is_leaf
    net.requires_grad_(False)
    assert not net(x)[0].requires_grad
    assert calls == []


def test_nothing_outlives_a_step():
    net, counts = nn.LSTM(D, H, 2), []
    for state in ("h", "c"):
        net.register_step_hook(lambda g, t: g * 0.5, state=state)
    gc.collect()
    gc.disable()
    try:
        for _ in range(4):
            net(waves(T, N, D))[0].sum().backward()
            net.zero_grad()
            counts.append(sum(issubclass(type(o), Node) for o in gc.get_objects()))
    finally:
        gc.enable()
    assert counts == [counts[0]] * 4


# --------------------------------------------------------------------------------------- copies, states, what is wrong

@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
def test_a_copy_has_the_hooks_and_loses_them_by_itself(duplicate):
    net, x = nn.RNN(D, H), waves(T, N, D)
    names, text = list(net.state_dict()), repr(net)
    handle = net.register_step_hook(hooks.inside(hooks.ClipValue(0.125)))
    assert (list(net.state_dict()), repr(net)) == (names, text)
    twin = duplicate(net)
    handle.remove()
    for layer in (net, twin):
        layer(x)[0].sum().backward()
    other = nn.RNN(D, H)
    other.load_state_dict(net.state_dict())
    other.register_step_hook(lambda g, t: g.clamp(-0.125, 0.125))
    other(x)[0].sum().backward()
    np.testing.assert_array_equal(twin.weight_hh_l0.grad.data, other.weight_hh_l0.grad.data)
    assert not np.allclose(twin.weight_hh_l0.grad.data, net.weight_hh_l0.grad.data)


@pytest.mark.parametrize(("kind", "arguments", "error", "text"), [
    ("RNN", {"fn": "clip"}, TypeError, r"RNN\.register_step_hook takes a function fn\(g, t\), not 'clip'"),
    ("RNN", {"fn": hooks.ClipNorm(1.0)}, TypeError, r"give hooks\.inside\(ClipNorm\(1\.0\)\)"),
    ("GRU", {"layer": 2}, ValueError, r"GRU.*layer = 2, but num_layers = 2: from -2 to 1, or None"),
    ("GRU", {"layer": -3}, ValueError, r"layer = -3"), ("GRU", {"layer": 1.0}, TypeError, r"layer = 1\.0 is no whole"),
    ("GRU", {"layer": True}, TypeError, "layer = True"), ("GRU", {"layer": "1"}, TypeError, "layer = '1'"),
    ("RNN", {"state": "c"}, ValueError, r"state = 'c', but RNN has 'h'"),
    ("LSTM", {"state": "x"}, ValueError, r"state = 'x', but LSTM has 'h' and 'c'"),
])
def test_what_cannot_be_registered(kind, arguments, error, text):
    net = getattr(nn, kind)(D, H, 2)
    with pytest.raises(error, match=text):
        net.register_step_hook(**{"fn": print, **arguments})
    assert not net._step_hooks


def broken(g, t):
    return 1 / (t - 3)


@pytest.mark.parametrize(("hook", "error", "text"), [
    (lambda g, t: g.sum(), ValueError, r"the hook <lambda> at dL/dh_4 of layer 1 returned a gradient of shape \(\)"),
    (lambda g, t: g if t else "no", TypeError, r"dL/dh_0 of layer 1 returned 'no', which is no gradient; return a"),
    (lambda g, t: g > 0, TypeError, r"which is no gradient"), (lambda g, t: [[1], [1, 2]], TypeError, "no gradient"),
    (lambda g, t: broken(g, t) and None, ZeroDivisionError, "division"), (lambda g: g, TypeError, "argument"),
])
def test_an_answer_that_is_no_gradient_names_the_hook_and_the_step(hook, error, text):
    net = nn.RNN(D, H, 2)
    net.register_step_hook(hook)
    with pytest.raises(error, match=text):
        net(waves(T, N, D))[0].sum().backward()
    assert all(p.grad is None for p in net.parameters())

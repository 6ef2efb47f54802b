"""Hooks of modules: what they see, what they may change, and that they cost and leave nothing."""

import gc

import numpy as np
import pytest
from twins import needs_torch, torch, waves

import minigrad as mg
from minigrad import nn
from minigrad.table import Node


class Mix(nn.Module):
    """Two tensors and a pair in, a tensor and a list out; an argument is used at several places."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter([1.0, 2.0])

    def forward(self, a, b, pair=(0.0, None), scale=1.0):
        return scale * a * b * self.weight + a, [a + pair[0], b * b]


def leaves(count=3):
    return [mg.tensor([1.0 + k, 2.0 - k], requires_grad=True) for k in range(count)]


def seen_by(module):
    """Register a backward hook that notes down what it is given."""
    seen = []
    module.register_full_backward_hook(lambda m, grad_input, grad_output: seen.append((m, grad_input, grad_output)))
    return seen


# ------------------------------------------------------------------------------------- forward

def test_forward_hooks_see_and_replace():
    layer, calls = nn.Linear(2, 2), []
    plain = layer(np.ones((1, 2)))
    layer.register_forward_pre_hook(lambda m, args: calls.append(("pre", m, args)))
    double = layer.register_forward_pre_hook(lambda m, args: 2 * args[0])
    layer.register_forward_hook(lambda m, args, out: calls.append(("post", m, args[0].tolist(), out.shape)))
    half = layer.register_forward_hook(lambda m, args, out: out * 0.0)
    last = layer.register_forward_hook(lambda m, args, out: calls.append(out.tolist()))
    x = np.ones((1, 2))
    assert layer(x).tolist() == [[0.0, 0.0]]
    assert calls == [("pre", layer, (x,)), ("post", layer, [[2.0, 2.0]], (1, 2)), [[0.0, 0.0]]]
    for handle in (double, half, last, last):
        handle.remove()
    np.testing.assert_array_equal(layer(x).data, plain.data)


def test_a_pre_hook_may_return_several_arguments():
    net = Mix()
    net.register_forward_pre_hook(lambda m, args: (args[1], args[0]))
    a, b = np.array([1.0, 2.0]), np.array([5.0, 7.0])
    assert net(a, b)[0].tolist() == [10.0, 35.0]                    # a b w + b


def test_hooks_run_inside_a_sequence_in_order():
    net, order = nn.Sequential(nn.Tanh(), nn.ReLU()), []
    for name, module in net.named_modules():
        module.register_forward_pre_hook(lambda m, args, name=name: order.append(f"to {name}"))
        module.register_forward_hook(lambda m, args, out, name=name: order.append(f"from {name}"))
    net(np.ones(2))
    assert order == ["to ", "to 0", "from 0", "to 1", "from 1", "from "]


def test_a_forward_hook_may_register_tensor_hooks():
    """The usual way to collect the gradients of activations."""
    net, gradients = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1)), {}
    for name, module in net.named_children():
        module.register_forward_hook(lambda m, args, out, name=name: out.register_hook(
            lambda g: gradients.__setitem__(name, g.data)) and None)
    net(np.ones((4, 2))).sum().backward()
    assert list(gradients) == ["2", "1", "0"]
    np.testing.assert_allclose(gradients["0"].T @ np.ones((4, 2)), net[0].weight.grad.data, rtol=1e-14)


# ------------------------------------------------------------------------------------ backward

def test_a_backward_hook_sees_the_gradients_of_input_and_output():
    layer = nn.Linear(2, 3)
    seen = seen_by(layer)
    x = mg.tensor(waves(4, 2), requires_grad=True)
    y = layer(x)
    ((y * y).sum()).backward()
    (module, grad_input, grad_output), = seen
    assert module is layer
    np.testing.assert_array_equal(grad_output[0].data, 2 * y.data)
    np.testing.assert_allclose(grad_input[0].data, 2 * y.data @ layer.weight.data, rtol=1e-14)
    np.testing.assert_array_equal(grad_input[0].data, x.grad.data)
    assert isinstance(grad_input, tuple) and isinstance(grad_output, tuple)     # noqa: PT018


def test_a_first_layer_on_data_is_seen_too():
    net = nn.Sequential(nn.Linear(2, 3), nn.Tanh())
    seen, whole = seen_by(net[0]), seen_by(net)
    (net(waves(4, 2)) ** 2).sum().backward()
    assert seen[0][1] == (None,)
    assert seen[0][2][0].shape == (4, 3)
    assert whole[0][1] == (None,)
    assert (len(seen), len(whole)) == (1, 1)


def test_gradients_are_complete_and_come_once():
    """Each argument and output is used at several places; the hook waits for all of them."""
    net = Mix()
    seen = seen_by(net)
    a, b, c = leaves()
    y, (z, w) = net(a, b, (c, None))
    loss = (y * y).sum() + (y * z).sum() + (w * z * w).sum() + y.sum()
    loss.backward()
    (_, grad_input, grad_output), = seen
    for got, leaf in ((grad_input[0], a), (grad_input[1], b), (grad_input[2][0], c)):
        np.testing.assert_array_equal(got.data, leaf.grad.data)
    assert grad_input[2][1] is None
    np.testing.assert_allclose(grad_output[0].data, 2 * y.data + z.data + 1, rtol=1e-14)
    np.testing.assert_allclose(grad_output[1][0].data, y.data + w.data ** 2, rtol=1e-14)
    np.testing.assert_allclose(grad_output[1][1].data, 2 * w.data * z.data, rtol=1e-14)


def test_what_is_not_reached_is_none():
    net = Mix()
    seen = seen_by(net)
    a, b, c = leaves()
    net(a, b, (c, None))[1][1].sum().backward()                     # b * b alone
    (_, grad_input, grad_output), = seen
    assert grad_input[0] is None
    assert grad_input[2] == (None, None)
    assert grad_output[0] is None
    assert grad_output[1][0] is None
    assert grad_input[1].tolist() == b.grad.tolist() == [4.0, 2.0]
    assert a.grad is c.grad is net.weight.grad is None              # looking on makes no zeros


def test_a_hook_does_not_change_the_numbers():
    def gradients(net, watched):
        xs = leaves()
        if watched:
            seen_by(net)
        y, (z, w) = net(*xs[:2], (xs[2], 3))
        (y * z * w).sum().backward()
        return [x.grad.data for x in (*xs, net.weight)]

    for plain, watched in zip(gradients(Mix(), False), gradients(Mix(), True), strict=True):
        np.testing.assert_array_equal(plain, watched)


def replaced(*entries):
    return lambda m, grad_input, grad_output: entries


@pytest.mark.parametrize("hook", [
    lambda m, gi, go: (10 * gi[0], gi[1], (gi[2][0] * 0, None)),
    lambda m, gi, go: [gi[0].data * 10, gi[1], [np.zeros(2), None]],
])
def test_what_a_hook_returns_is_passed_on(hook):
    net = Mix()
    a, b, c = leaves()

    def loss():
        y, (z, w) = net(a, b, (c, 3))
        return (y * z * w).sum()

    ga, gb, _ = mg.grad(loss(), [a, b, c])
    gw = mg.grad(loss(), net.weight)
    net.register_full_backward_hook(hook)
    loss().backward()
    np.testing.assert_allclose(a.grad.data, 10 * ga.data, rtol=1e-14)
    np.testing.assert_array_equal(b.grad.data, gb.data)
    assert c.grad.tolist() == [0.0, 0.0]
    np.testing.assert_array_equal(net.weight.grad.data, gw.data)    # inside, all is as it was


def test_hooks_follow_each_other_and_can_be_removed():
    layer, seen = nn.Tanh(), []
    first = layer.register_full_backward_hook(lambda m, gi, go: 2 * gi[0])
    layer.register_full_backward_hook(lambda m, gi, go: seen.append(gi[0].item()))
    x = mg.tensor([0.0], requires_grad=True)
    layer(x).backward()
    y = layer(x)
    first.remove()                                                  # before the backward pass: it is gone
    y.backward()
    assert seen == [2.0, 1.0]
    assert x.grad.tolist() == [3.0]


def test_a_hook_may_change_a_gradient_in_place():
    layer = nn.Tanh()
    layer.register_full_backward_hook(lambda m, gi, go: gi[0].mul_(5.0) and None)
    x = mg.tensor(0.0, requires_grad=True)
    layer(x).backward()
    assert x.grad.item() == 5.0


WRONG = [
    (replaced(), r"0 in the place of 2 gradients"),
    (replaced(np.ones(2)), r"1 in the place of 2 gradients"),
    (replaced(np.ones(2), np.ones(2)), "needs none"),
    (replaced(None, None), "None for a gradient"),
    (replaced(np.ones(3), None), r"shape \(3,\) for an argument of shape \(2,\)"),
    (lambda m, gi, go: np.ones((2, 2)), "1 in the place of 2"),
]


@pytest.mark.parametrize(("hook", "text"), WRONG)
def test_what_a_hook_cannot_return(hook, text):
    net, (a,) = Mix(), leaves(1)
    net.register_full_backward_hook(hook)
    y = net(a, np.ones(2))[0].sum()
    with pytest.raises(ValueError, match="a backward hook of Mix returned .*" + text):
        y.backward(retain_graph=True)
    assert a.grad is None
    assert net.weight.grad is None


def test_after_a_hook_that_raised_the_next_pass_is_whole():
    net, fail, seen = Mix(), [True], []
    a, b = leaves(2)

    def hook(m, grad_input, grad_output):
        if fail.pop() if fail else False:
            raise KeyError("once")
        seen.append([g.tolist() for g in grad_input])

    net.register_full_backward_hook(hook)
    y = net(a, b)[0].sum()
    with pytest.raises(KeyError):
        y.backward(retain_graph=True)
    y.backward()
    assert seen == [[a.grad.tolist(), b.grad.tolist()]]


def test_twice_through_one_graph():
    net, (a, b) = Mix(), leaves(2)
    seen = seen_by(net)
    y = net(a, b)[0].sum()
    y.backward(retain_graph=True)
    y.backward()
    assert len(seen) == 2
    assert seen[0][1][0].tolist() == seen[1][1][0].tolist()


def test_a_module_used_twice_is_seen_twice():
    layer = nn.Tanh()
    seen = seen_by(layer)
    x = mg.tensor(0.3, requires_grad=True)
    layer(layer(x)).backward()
    assert len(seen) == 2
    assert seen[1][2][0].item() == seen[0][1][0].item()             # what left the second entered the first
    assert seen[1][1][0].item() == x.grad.item()


def test_the_states_of_an_lstm_are_seen():
    net = nn.LSTM(2, 3)
    seen = seen_by(net)
    h0, c0 = (mg.tensor(waves(1, 4, 3, k=k), requires_grad=True) for k in (0.0, 1.0))
    out, (h, c) = net(waves(5, 4, 2), (h0, c0))
    (out.sum() + (h * c).sum()).backward()
    (_, (gx, (gh, gc)), (go, (gh_n, gc_n))), = seen
    assert gx is None
    np.testing.assert_array_equal(gh.data, h0.grad.data)
    np.testing.assert_array_equal(gc.data, c0.grad.data)
    assert go.data.tolist() == np.ones((5, 4, 3)).tolist()
    np.testing.assert_array_equal(gh_n.data, c.data)
    np.testing.assert_array_equal(gc_n.data, h.data)


def test_create_graph_hands_tensors_with_a_tape():
    net, (a, b) = Mix(), leaves(2)
    got = []
    handle = net.register_full_backward_hook(lambda m, gi, go: got.append(gi) or tuple(3 * g for g in gi))
    gs = mg.grad((net(a, b)[0] ** 3).sum(), [a, b], create_graph=True)
    assert all(g.requires_grad for g in got[0])
    handle.remove()                                                 # else it would act on the second sweep as well
    slope = (gs[0] ** 2).sum() + gs[1].sum()
    assert [t.shape for t in mg.grad(slope, [a, b, net.weight])] == [(2,), (2,), (2,)]

    def tripled(a, b):
        gs = mg.grad((net(a, b)[0] ** 3).sum(), [a, b], create_graph=True)
        return sum((3 * g * g).sum() for g in gs)

    watched = nn.Module()
    watched.forward = lambda a, b: (net(a, b)[0] ** 3).sum()
    watched.register_full_backward_hook(lambda m, gi, go: None)
    u, v = leaves(2)
    expected = mg.grad(tripled(u, v), [u, v])
    gs = mg.grad(watched(a, b), [a, b], create_graph=True)
    for g, e in zip(mg.grad(sum((3 * g * g).sum() for g in gs), [a, b]), expected, strict=True):
        np.testing.assert_allclose(g.data, e.data, rtol=1e-13)


@pytest.mark.parametrize("wanted", ["weight", "input"])
def test_gradients_asked_for_by_name(wanted):
    """grad() follows only the ways to what was asked for; on the way to the weight the input is not passed."""
    net, (a, b) = Mix(), leaves(2)
    seen = seen_by(net)
    mg.grad(net(a, b)[0].sum(), net.weight if wanted == "weight" else a)
    assert len(seen) == (wanted == "input")
    if seen:
        assert seen[0][1][1] is None
    first = nn.Linear(2, 2)
    seen = seen_by(first)
    mg.grad(first(np.ones((1, 2))).sum(), first.weight)
    assert len(seen) == 1


def test_nothing_to_see_under_no_grad():
    layer = nn.Tanh()
    seen = seen_by(layer)
    with mg.no_grad():
        y = layer(mg.tensor(1.0, requires_grad=True))
    assert y.is_leaf
    assert nn.Tanh()(np.ones(2)).tolist() == layer(np.ones(2)).tolist()
    assert seen == []


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_hooks_keep_the_dtype(dtype):
    layer = nn.Linear(2, 2, dtype=dtype)
    layer.register_full_backward_hook(lambda m, gi, go: (gi[0].data.astype(float) * 2,))
    seen = seen_by(layer)
    x = mg.tensor(np.ones((1, 2)), dtype, requires_grad=True)
    layer(x).sum().backward()
    assert (seen[0][2][0].dtype, x.grad.dtype) == (dtype, dtype)


def test_nothing_outlives_a_watched_step():
    """Rule 3 holds for modules with hooks: with the collector off, no place on the tape stays alive."""
    net = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.LSTM(3, 2))
    for module in net.modules():
        module.register_full_backward_hook(lambda m, gi, go: tuple(gi))
        module.register_forward_hook(lambda m, args, out: None)
    gc.collect()
    gc.disable()
    try:
        counts = []
        for _ in range(4):
            out, (h, c) = net(waves(4, 5, 2))
            (out.sum() + (h * c).sum()).backward()
            net.zero_grad()
            del out, h, c
            counts.append(sum(issubclass(type(o), Node) for o in gc.get_objects()))
    finally:
        gc.enable()
    assert counts == [counts[0]] * 4


@needs_torch
@pytest.mark.filterwarnings("ignore:Full backward hook is firing")
@pytest.mark.parametrize("on_data", [False, True])
def test_hooks_see_what_pytorchs_see(on_data):
    def run(library, make):
        layers = [make(waves(3, 2), waves(3, k=1.0)), make(waves(2, 3, k=2.0), waves(2, k=3.0))]
        net, seen = library.nn.Sequential(layers[0], library.nn.Tanh(), layers[1]), []
        for name, module in net.named_modules():
            module.register_full_backward_hook(lambda m, gi, go, name=name: seen.append((name, gi, go)))
        net[1].register_full_backward_hook(lambda m, gi, go: (gi[0] * 0.5,))
        x = library.tensor(waves(4, 2), requires_grad=not on_data)
        (net(x) ** 2).sum().backward()
        return [(name, [None if g is None else np.asarray(g) for g in (*gi, *go)]) for name, gi, go in seen]

    def ours(weight, bias):
        layer = nn.Linear(*weight.shape[::-1])
        layer.weight.data, layer.bias.data = weight, bias
        return layer

    def theirs(weight, bias):
        layer = torch.nn.Linear(*weight.shape[::-1], dtype=torch.float64)
        layer.load_state_dict({"weight": torch.tensor(weight), "bias": torch.tensor(bias)})
        return layer

    for (name, got), (their_name, expected) in zip(run(mg, ours), run(torch, theirs), strict=True):
        assert name == their_name
        for g, e in zip(got, expected, strict=True):
            assert (g is None) == (e is None), name
            if g is not None:
                np.testing.assert_allclose(g, e, rtol=1e-12, atol=1e-14)

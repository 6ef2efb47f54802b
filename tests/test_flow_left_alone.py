"""mg.flow changes nothing, whatever it is given, and refuses what it cannot look into, by name and with the cure."""

import copy
import gc
import weakref

import numpy as np
import pytest
from flows import Last, batch, mlp, sequences

import minigrad as mg
from minigrad import nn, optim, penalty
from minigrad.nn import functional as F


class Counting(nn.Module):
    """A module that keeps things: a count, a state, an array, a tensor of its own pass."""

    def __init__(self):
        self.linear, self.calls, self.mean, self.last = nn.Linear(6, 6), 0, np.zeros(6), None
        self.register_buffer("running", np.zeros(6))

    def forward(self, x):
        self.calls += 1
        self.last = h = self.linear(x)
        self.mean[...] = h.data.mean(0)
        self.running = 0.9 * self.running + 0.1 * h.data.mean(0)
        return h


def full_net():
    rng = np.random.default_rng(3)
    return nn.Sequential(nn.Linear(6, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Dropout(0.5, rng=rng), Counting(),
                         nn.Dropout(0.5), nn.Residual(nn.Linear(6, 6), nn.Tanh()), nn.Linear(6, 3))


def snapshot(net):
    held = {}
    for name, module in net.named_modules():
        for key, value in vars(module).items():
            value = value.bit_generator.state if isinstance(value, np.random.Generator) else value
            value = np.array(value.data) if isinstance(value, mg.Tensor) else value
            held[name, key] = id(value) if isinstance(value, nn.Module) else copy.deepcopy(value)
    held["grads"] = [None if p.grad is None else np.array(p.grad.data) for p in net.parameters()]
    held["rng"] = mg.get_rng_state()
    return held


def check_same(got, expected):
    assert got.keys() == expected.keys()
    for key, value in expected.items():
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(got[key], value)
        elif key == "grads":
            for a, b in zip(got[key], value):
                assert (a is None) == (b is None)
                assert (a is None or (a == b).all())
        else:
            assert str(got[key]) == str(value), key


@pytest.mark.parametrize("graded", [False, True])
@pytest.mark.parametrize("mode", [True, False])
@pytest.mark.parametrize("fails", [False, True])
def test_the_model_is_as_it_was(graded, mode, fails):
    net, (x, y) = full_net().train(mode), batch(6, classes=3)
    if graded:
        F.cross_entropy(net(x), y).backward()
    expected = snapshot(net)

    def broken(out, y):
        raise ArithmeticError("no loss today")

    if fails:
        with pytest.raises(ArithmeticError, match="no loss today"):
            mg.flow(net, broken, (x, y))
    else:
        mg.flow(net, F.cross_entropy, (x, y), lr=0.1)
    check_same(snapshot(net), expected)
    assert all(not any(m._hooks.values()) for m in net.modules() if m._hooks is not None)


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
@pytest.mark.parametrize("fails", [False, True])
def test_step_hooks_are_gone_afterwards(kind, fails):
    net, (x, y) = Last(kind(3, 5)), sequences(4)

    def loss(out, y):
        return F.cross_entropy(out, y) if not fails else 1 / 0

    try:
        mg.flow(net, loss, (x, y))
    except ZeroDivisionError:
        assert fails
    assert not net.body._step_hooks
    assert not net.body._step_observers
    assert net._hooks is None


def test_the_same_call_gives_the_same_numbers_and_training_goes_on_as_without():
    torn, whole = full_net(), full_net()
    whole.load_state_dict(torn.state_dict())
    x, y = batch(6, classes=3)
    mg.manual_seed(5)
    first, again = (mg.flow(torn, F.cross_entropy, (x, y)).as_dict() for _ in range(2))
    assert first == again
    losses = []
    for net in (torn, whole):
        mg.manual_seed(5)
        losses.append(F.cross_entropy(net(x), y).item())
    assert losses[0] == losses[1] == first["loss"]


def test_the_hooks_of_the_user_still_run_and_what_they_do_is_measured():
    net, (x, y), seen = mlp(3, 6), batch(6), []
    plain = mg.flow(net, F.cross_entropy, (x, y)).rows[1]
    net[0].weight.register_hook(lambda g: seen.append("weight"))
    net[2].register_forward_hook(lambda m, args, out: seen.append("forward"))
    net[3].register_full_backward_hook(lambda m, g_in, g_out: (g_in[0] * 2,))
    found = mg.flow(net, F.cross_entropy, (x, y)).rows
    assert sorted(seen) == ["forward", "weight"]
    assert found[1].delta == pytest.approx(plain.delta)
    assert found[1].kind == plain.kind
    assert len(net[2]._hooks["after"]) == 1
    assert len(net[3]._hooks["backward"]) == 1
    assert found[0].delta == pytest.approx(2 * mg.flow(mlp(3, 6), F.cross_entropy, (x, y)).rows[0].delta)


def test_a_hook_of_the_time_steps_is_measured():
    net, (x, y) = Last(nn.RNN(3, 5)), sequences(6)
    before = mg.flow(net, F.cross_entropy, (x, y)).rows
    net.body.register_step_hook(lambda g, t: g * 0.5 if t == 3 else None)
    after = mg.flow(net, F.cross_entropy, (x, y)).rows
    ratios = [a.delta / b.delta for a, b in zip(after, before)]
    np.testing.assert_allclose(ratios, [0.5, 0.5, 0.5, 0.5, 1, 1], rtol=1e-12)


def test_omega_does_not_count_the_pass():
    net, (x, y) = Last(nn.RNN(3, 5)), sequences(6)
    omega = penalty.Omega(net.body, lam=1.0)
    mg.flow(net, F.cross_entropy, (x, y))
    with pytest.raises(RuntimeError, match="no backward pass"):
        omega.add_gradient()
    F.cross_entropy(net(x), y).backward()
    assert omega.add_gradient() > 0


def test_an_input_with_a_gradient_keeps_it_and_no_grad_does_not_matter():
    net, (x, y) = mlp(3, 6), batch(6)
    tensor = mg.tensor(x, requires_grad=True)
    with mg.no_grad():
        found = mg.flow(net, F.cross_entropy, (tensor, y))
    assert tensor.grad is None
    assert found.as_dict()["series"] == mg.flow(net, F.cross_entropy, (x, y)).as_dict()["series"]


@pytest.mark.parametrize(("net", "x"), [(mlp(3, 6), batch(6)[0]), (Last(nn.LSTM(3, 5)), sequences(5, size=16)[0])])
def test_nothing_of_the_graph_outlives_the_report(net, x):
    held = []

    def loss(h):
        held.append(weakref.ref(h))
        return (h * h).sum()

    gc.collect()
    gc.disable()
    try:
        found = mg.flow(net, loss, x)
        assert held[0]() is None
        assert found.loss > 0
    finally:
        gc.enable()


# ------------------------------------------------------------------------------------------- batches

class Two(nn.Module):
    def __init__(self):
        self.a, self.b = nn.Linear(2, 3), nn.Linear(4, 3)

    def forward(self, u, v):
        return {"sum": self.a(u) + self.b(v), "other": 1}


def test_what_a_batch_may_be():
    u, v = np.ones((5, 2)), np.ones((5, 4))

    def loss(out, y=0.0):
        return ((out["sum"] - y) ** 2).mean()

    net = Two()
    by_place, by_name = mg.flow(net, loss, ((u, v), 1.0)), mg.flow(net, loss, ({"v": v, "u": u}, 1.0))
    assert by_place.as_dict() == by_name.as_dict()
    assert mg.flow(net, loss, ((u, v),)).loss == mg.flow(net, loss, {"u": u, "v": v}).loss != by_place.loss
    linear = nn.Linear(2, 3)
    expected = mg.flow(linear, lambda h: h.sum(), u).loss
    assert mg.flow(linear, lambda h, y: h.sum() + y, [mg.tensor(u), np.float64(1)]).loss == expected + 1


def test_a_loss_that_is_a_module_and_one_of_shape_1():
    found = mg.flow(mlp(2, 4), nn.CrossEntropyLoss(), batch(4))
    assert found.loss == mg.flow(mlp(2, 4), lambda h, y: F.cross_entropy(h, y).reshape(1), batch(4)).loss


@pytest.mark.parametrize(("arguments", "kind", "words"), [
    ((np.tanh, F.mse_loss, np.ones(3)), TypeError, "a plain function has no layers"),
    ((3, F.mse_loss, np.ones(3)), TypeError, "no nn.Module"),
    ((nn.Linear(2, 2), np.ones((1, 2)), F.mse_loss), TypeError, "the batch comes last"),
    ((nn.Linear(2, 2), F.mse_loss, (1, 2, 3)), TypeError, r"a batch of 3 parts; give \(x, y\)"),
    ((nn.Linear(2, 2), lambda h: h.sum().item(), np.ones((1, 2))), TypeError, "without .item()"),
    ((nn.Linear(2, 2), lambda h: h, np.ones((1, 2))), ValueError, r"shape \(1, 2\).*\.mean\(\)"),
    ((nn.Linear(2, 2), lambda h: h.detach().sum(), np.ones((1, 2))), ValueError, "does not require a gradient"),
    ((nn.Linear(2, 2).requires_grad_(False), lambda h: h.sum(), np.ones((1, 2))), ValueError, "frozen"),
    ((nn.Linear(2, 2), lambda h: mg.tensor(1.0, requires_grad=True) * 2, np.ones((1, 2))), ValueError,
     "no layer of the model is on the way"),
])
def test_what_is_refused(arguments, kind, words):
    with pytest.raises(kind, match=words):
        mg.flow(*arguments)


@pytest.mark.parametrize(("more", "kind", "words"), [
    ({"lr": -1.0}, ValueError, "lr = -1.0"), ({"lr": float("nan")}, ValueError, "lr = nan"),
    ({"lr": True}, ValueError, "lr = True"), ({"optimizer": 0.1}, TypeError, "lr=0.1"),
])
def test_what_is_refused_as_an_optimizer(more, kind, words):
    def never(*_):
        raise AssertionError("refused before anything is computed")

    with pytest.raises(kind, match=words):
        mg.flow(mlp(2, 4), never, batch(4), **more)
    net = mlp(2, 4)
    with pytest.raises(ValueError, match="not both"):
        mg.flow(net, never, batch(4), lr=1.0, optimizer=optim.SGD(net.parameters(), lr=1.0))


SEQUENCE, TARGET = np.ones((5, 4, 3)), np.ones((5, 4, 8))


@pytest.mark.parametrize(("kind", "loss_fn", "words"), [
    (nn.RNN, F.mse_loss, r"returned a tuple \(tensor of shape \(5, 4, 8\), tensor of shape \(1, 4, 8\)\), and mse_loss "
                         r"takes a tensor; write lambda out, target: mse_loss\(out\[0\], target\) in its place"),
    (nn.LSTM, F.mse_loss, r"\(tensor of shape \(5, 4, 8\), tuple\).*mse_loss\(out\[0\], target\)"),
    (nn.RNN, nn.MSELoss(), r"write lambda out, target: MSELoss\(\)\(out\[0\], target\)"),
    (nn.GRU, lambda out, y: ((out - y) ** 2).mean(), r"write lambda out, target: loss_fn\(out\[0\], target\)"),
])
def test_a_loss_of_a_model_that_returns_a_tuple(kind, loss_fn, words):
    with pytest.raises(TypeError, match=words):
        mg.flow(kind(3, 8), loss_fn, (SEQUENCE, TARGET))
    mg.flow(kind(3, 8), lambda out, target: loss_fn(out[0], target), (SEQUENCE, TARGET))        # the cure is one


def test_a_loss_of_a_model_that_returns_a_dict_and_one_without_targets():
    with pytest.raises(TypeError, match=r"a dict \('sum': tensor of shape \(5, 3\), .*out\['sum'\], target\)"):
        mg.flow(Two(), F.mse_loss, ((np.ones((5, 2)), np.ones((5, 4))), np.zeros((5, 3))))
    with pytest.raises(TypeError, match=r"write lambda out: loss_fn\(out\[0\]\) in"):
        mg.flow(nn.RNN(3, 8), lambda out: out.sum(), SEQUENCE)


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyError, ValueError])
def test_an_error_in_a_loss_that_has_nothing_to_do_with_tuples_is_that_error(error):
    def fails(out, y):
        raise error("mine")

    with pytest.raises(error, match="mine"):
        mg.flow(nn.RNN(3, 8), fails, (SEQUENCE, TARGET))

"""Networks as a whole: linear layers and losses, seeds, and training that gives PyTorch's numbers."""

import math

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim
from minigrad.nn import functional as F


def filled(shape, k):
    """An array given by a formula, so that it is the same wherever it is computed."""
    return 0.5 * np.sin(0.7 * np.arange(math.prod(shape)) + k).reshape(shape)


def fill(net):
    """Give the parameters of a net values from the formula, in order."""
    for k, p in enumerate(net.parameters()):
        p.data = filled(p.shape, k)
    return net


def perceptron():
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))


# ------------------------------------------------------------------------------------- layers

DTYPES = [np.float16, np.float32, np.float64]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("lead", [(), (4,), (2, 4)])
@pytest.mark.parametrize("bias", [True, False])
def test_linear_is_x_times_weight_transposed_plus_bias(lead, bias, dtype):
    layer = nn.Linear(3, 2, bias=bias, dtype=dtype)
    x = filled((*lead, 3), 1).astype(dtype)
    y = layer(x)
    assert (y.shape, y.dtype) == ((*lead, 2), dtype)
    assert layer.weight.shape == (2, 3)
    expected = x @ layer.weight.data.T + (layer.bias.data if bias else 0)
    np.testing.assert_allclose(y.data, expected, rtol=4 * np.finfo(dtype).eps, atol=4 * np.finfo(dtype).eps)
    y.sum().backward()
    assert all(p.grad.dtype == dtype for p in layer.parameters())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("nonlinearity", "f"), [("tanh", np.tanh), ("relu", lambda a: np.maximum(a, 0))])
def test_rnn_cell_is_one_step_of_its_formula(nonlinearity, f, bias, dtype):
    cell = nn.RNNCell(3, 4, bias=bias, nonlinearity=nonlinearity, dtype=dtype)
    x, h = filled((2, 3), 1).astype(dtype), filled((2, 4), 2).astype(dtype)
    shapes = {"weight_ih": (4, 3), "weight_hh": (4, 4), **({"bias_ih": (4,), "bias_hh": (4,)} if bias else {})}
    assert {name: p.shape for name, p in cell.named_parameters()} == shapes
    w = {name: p.data for name, p in cell.named_parameters()}
    expected = f(x @ w["weight_ih"].T + w.get("bias_ih", 0) + h @ w["weight_hh"].T + w.get("bias_hh", 0))
    assert cell(x, h).dtype == dtype
    np.testing.assert_allclose(cell(x, h).data, expected, rtol=0, atol=8 * np.finfo(dtype).eps)
    assert np.array_equal(cell(x).data, cell(x, np.zeros((2, 4), dtype)).data)       # h is 0 by default


@pytest.mark.parametrize("bias", [True, False])
def test_linear_has_gradients_of_order_1_and_2(bias):
    def f(x, weight, *bias):
        return F.linear(x, weight, *bias) ** 2

    assert mg.gradcheck(f, filled((2, 4, 3), 1), filled((2, 3), 2), *([filled((2,), 3)] if bias else []), order=2)


BOUNDED = [
    (lambda rng: nn.Linear(400, 300, rng=rng), 1 / math.sqrt(400)),
    (lambda rng: nn.Linear(1, 3000, rng=rng), 1.0),
]


@pytest.mark.parametrize(("make", "bound"), BOUNDED)
def test_the_default_is_uniform_up_to_its_bound(make, bound):
    net = make(np.random.default_rng(3))
    for p in net.parameters():
        assert np.abs(p.data).max() <= bound
        assert np.abs(p.data).max() > 0.95 * bound
        assert abs(p.data.mean()) < 5 * bound / math.sqrt(3 * p.size)
        assert p.data.var() == pytest.approx(bound ** 2 / 3, rel=5 / math.sqrt(p.size))


REFUSED = [
    (lambda: nn.Linear(0, 3), ValueError, "at least 1"),
    (lambda: nn.Linear(3, 0), ValueError, "at least 1"),
    (lambda: nn.Linear(2, 2, dtype=int), TypeError, "int64"),
    (lambda: nn.Linear(2, 2, rng=0), TypeError, "default_rng"),
]


@pytest.mark.parametrize(("call", "error", "text"), REFUSED)
def test_what_cannot_be_meant_is_refused_by_name(call, error, text):
    with pytest.raises(error, match=text):
        call()


W = nn.Parameter(np.ones((2, 3)))
MISFITS = [
    (lambda: F.linear(np.ones((4, 5)), W), "(4, 5)", "(2, 3)"),
    (lambda: F.linear(mg.tensor(np.ones(2)), W), "(2,)", "(2, 3)"),
    (lambda: F.linear(1.0, W), "()", "(2, 3)"),
    (lambda: F.linear(np.ones((4, 3)), W, nn.Parameter(np.ones(3))), "(4, 2)", "(3,)"),
    (lambda: F.mse_loss(mg.tensor(np.ones((4, 1))), np.ones(4)), "(4, 1)", "(4,)"),
    (lambda: nn.MSELoss()(mg.tensor(np.ones(3)), 1.0), "(3,)", "()"),
    (lambda: F.cross_entropy(mg.tensor(np.ones((4, 3))), np.zeros(3, int)), "(4, 3)", "(3,)"),
    (lambda: F.cross_entropy(mg.tensor(np.ones(3)), np.zeros(3, int)), "(3,)", "(3,)"),
    (lambda: F.cross_entropy(mg.tensor(np.ones((2, 3))), np.zeros((2, 3), int)), "(2, 3)", "(2, 3)"),
    (lambda: F.cross_entropy(mg.tensor(np.ones((2, 3))), [0, 3]), "3", "0 to 2"),
    (lambda: F.cross_entropy(mg.tensor(np.ones((2, 3))), [-1, 0]), "-1", "0 to 2"),
]


@pytest.mark.parametrize(("call", "one", "other"), MISFITS)
def test_a_misfit_names_both_shapes(call, one, other):
    with pytest.raises(ValueError) as caught:
        call()
    message = str(caught.value).replace(" ", "")
    assert one.replace(" ", "") in message
    assert other.replace(" ", "") in message


def test_labels_that_are_no_integers_are_refused():
    with pytest.raises(TypeError, match="float64"):
        F.cross_entropy(mg.tensor(np.ones((2, 3))), [0.0, 1.0])


@pytest.mark.parametrize("labels", [[2, 0], (2, 0), np.array([2, 0], np.uint8), mg.tensor([2, 0])])
def test_cross_entropy_is_the_mean_negative_log_probability(labels):
    logits = filled((2, 3), 4)
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    expected = -(np.log(p[0, 2]) + np.log(p[1, 0])) / 2
    assert F.cross_entropy(mg.tensor(logits), labels).item() == pytest.approx(expected, rel=1e-14)
    assert nn.CrossEntropyLoss()(mg.tensor(logits), labels).item() == pytest.approx(expected, rel=1e-14)


def test_cross_entropy_of_huge_logits_is_exact():
    assert F.cross_entropy(mg.tensor([[1e4, 0.0], [0.0, 1e4]]), [0, 0]).item() == 5e3


# --------------------------------------------------------------------------------- randomness

MAKERS = [
    lambda rng=None: nn.Linear(3, 4, rng=rng),
    lambda rng=None: nn.RNNCell(3, 4, rng=rng),
    lambda rng=None: nn.Sequential(nn.Linear(2, 2, rng=rng), nn.Linear(2, 2, rng=rng)),
    lambda rng=None: nn.LSTM(3, 4, 2, rng=rng), lambda rng=None: nn.GRUCell(3, 4, rng=rng),
]


def values(net):
    return np.concatenate([p.data.ravel() for p in net.parameters()])


@pytest.mark.parametrize("make", MAKERS)
def test_the_same_seed_gives_the_same_net(make):
    nets = []
    for seed in (5, 5, 6):
        mg.manual_seed(seed)
        nets.append(values(make()))
    assert np.array_equal(nets[0], nets[1])
    assert not np.array_equal(nets[0], nets[2])


@pytest.mark.parametrize("make", MAKERS)
def test_a_generator_passed_along_is_the_only_one_used(make):
    mg.manual_seed(0)
    ahead = values(make())
    mg.manual_seed(0)
    ours = values(make(np.random.default_rng(9)))
    assert np.array_equal(ours, values(make(np.random.default_rng(9))))
    assert not np.array_equal(ours, ahead)
    assert np.array_equal(values(make()), ahead)                # the default one was left untouched
    assert len(set(ours)) == len(ours)                          # and the other one moved on between draws


# ----------------------------------------------------------- reference values and live PyTorch

def regression():
    """Net, and a function giving its loss."""
    net, x, y = fill(perceptron()), filled((5, 3), 10), filled((5, 2), 11)
    return net, lambda: F.mse_loss(net(x), y)


class Recurrent(nn.Module):
    def __init__(self):
        self.cell, self.out = nn.RNNCell(3, 4), nn.Linear(4, 3, bias=False)

    def forward(self, x):
        h, states = None, []
        for x_t in x:
            h = self.cell(x_t, h)
            states.append(h)
        return self.out(np.stack(states).reshape(-1, 4))


def recurrence():
    """Net, and a function giving its loss."""
    net, x, y = Recurrent(), filled((6, 2, 3), 10), np.arange(12) % 3
    for p, k in zip(net.parameters(), (0, 1, 2, 3, 7)):
        p.data = filled(p.shape, k)
    return net, lambda: F.cross_entropy(net(x), y)


def train(net, loss_of, steps):
    """The losses of some steps of SGD with learning rate 0.5."""
    opt, losses = optim.SGD(net.parameters(), lr=0.5), []
    for _ in range(steps):
        loss = loss_of()
        opt.zero_grad()
        loss.backward()
        opt.step()
        losses.append(loss.item())
    return losses


# Recorded from PyTorch 2.13 (float64, CPU).
RECORDED = [
    (regression, [0.3419303762587573, 0.1358005941261467, 0.12765008400375502, 0.12206216539059185,
                  0.11761758315391116, 0.11389343935144525]),
    (recurrence, [1.138247493561021, 1.058180263785518, 0.9918435211141703, 0.9308272422684328,
                  0.8705033196830622, 0.8078489167323002]),
]


@pytest.mark.parametrize(("case", "expected"), RECORDED)
def test_losses_are_those_recorded_from_pytorch(case, expected):
    np.testing.assert_allclose(train(*case(), len(expected)), expected, rtol=1e-12)


def torch_twin(torch, case):
    """The same net and loss in PyTorch, from the same numbers: its parameters, and a function giving the loss."""
    source, _ = case()
    parameters = [torch.tensor(np.array(p.data), requires_grad=True) for p in source.parameters()]
    if case is regression:
        x, y = torch.tensor(filled((5, 3), 10)), torch.tensor(filled((5, 2), 11))
        w0, b0, w1, b1 = parameters
        f = torch.nn.functional
        return parameters, lambda: f.mse_loss(f.linear(torch.tanh(f.linear(x, w0, b0)), w1, b1), y)
    x, y = torch.tensor(filled((6, 2, 3), 10)), torch.tensor(np.arange(12) % 3)
    cell = torch.nn.RNNCell(3, 4, dtype=torch.float64)
    assert [name for name, _ in cell.named_parameters()] == [name for name, _ in source.cell.named_parameters()]

    def loss():
        h, states = torch.zeros(2, 4, dtype=torch.float64), []
        for x_t in x:
            weights = dict(zip(("weight_ih", "weight_hh", "bias_ih", "bias_hh"), parameters))
            h = torch.func.functional_call(cell, weights, (x_t, h))
            states.append(h)
        return torch.nn.functional.cross_entropy(torch.stack(states).reshape(-1, 4) @ parameters[4].T, y)

    return parameters, loss


@pytest.mark.parametrize("case", [regression, recurrence])
def test_loss_and_gradients_are_pytorchs(case):
    torch = pytest.importorskip("torch")
    net, loss_of = case()
    theirs, their_loss = torch_twin(torch, case)
    ours, their = loss_of(), their_loss()
    ours.backward()
    their.backward()
    assert ours.item() == pytest.approx(their.item(), rel=1e-12)
    for p, q in zip(net.parameters(), theirs, strict=True):
        np.testing.assert_allclose(p.grad.data, q.grad.numpy(), rtol=1e-12, atol=1e-14, err_msg=p.name)


@pytest.mark.parametrize("case", [regression, recurrence])
def test_fifty_steps_of_sgd_are_pytorchs(case):
    torch = pytest.importorskip("torch")
    parameters, loss_of = torch_twin(torch, case)
    opt, expected = torch.optim.SGD(parameters, lr=0.5), []
    for _ in range(50):
        loss = loss_of()
        opt.zero_grad()
        loss.backward()
        opt.step()
        expected.append(loss.item())
    assert expected[-1] < 0.9 * expected[0]                    # it did learn
    np.testing.assert_allclose(train(*case(), 50), expected, rtol=1e-9)

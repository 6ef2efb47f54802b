"""The penalty on gradients of the input: closed forms, central differences, PyTorch, and what is refused."""

import math

import numpy as np
import pytest
from optimizing import near
from penalties import NETS, every_norm, filled, leaf
from twins import needs_torch, torch, waves

import minigrad as mg
from minigrad.penalty import grad_norm_penalty, input_grad_penalty

INF, NAN = math.inf, math.nan


@pytest.mark.parametrize("items", [1, 2, 7])
@pytest.mark.parametrize("reduction", ["mean", "sum", "unreduced", "column"])
@pytest.mark.parametrize(("options", "value"), [
    ({}, 84.5), ({"squared": False}, 13.0), ({"p": 1}, 180.5), ({"p": INF, "squared": False}, 12.0),
    ({"target": 1.0}, 72.0), ({"target": 15.0, "squared": False}, 2.0), ({"p": 1, "target": 20.0}, 0.5),
    ({"p": 3, "squared": False}, 12.207054953820638)])
def test_of_a_linear_model_the_penalty_is_that_of_its_weight(items, reduction, options, value):
    """de_i/dx_i = w = [3, 4, 0, 12], whatever the size of the batch and the reduction."""
    w, x = leaf([3.0, 4.0, 0.0, 12.0]), leaf(waves(items, 2, 2))
    losses = (x.reshape((items, 4)) * w).sum(axis=1)
    loss = {"mean": losses.mean(), "sum": losses.sum(), "unreduced": losses, "column": losses.reshape((items, 1))}
    kind = {"reduction": reduction} if reduction in ("mean", "sum") else {}
    if items == 1:
        kind = {"reduction": "sum"}                              # one item: the same loss
    penalty = input_grad_penalty(loss[reduction], x, 1.0, **options, **kind)
    assert (penalty.shape, penalty.item()) == ((), near(value, rel=1e-14))
    assert input_grad_penalty(loss[reduction], x, 0.25, **options, **kind).item() == near(value / 4, rel=1e-14)


def test_double_backpropagation_of_one_pattern():
    """J = E + lam/2 ||dE/dx||^2 with E = 1/2 (w x - t)^2: dE/dx = (w x - t) w, by hand to the gradient in w."""
    w, x, t, lam = leaf([0.5, -2.0]), leaf([[1.0, 3.0]]), 0.25, 0.7
    r = w.data @ x.data[0] - t
    loss = 0.5 * ((x @ w - t) ** 2).sum()
    total = loss + input_grad_penalty(loss, x, lam)
    total.backward()
    square = w.data @ w.data
    assert total.item() == near(0.5 * r * r + lam / 2 * r * r * square, rel=1e-15)
    by_hand = r * x.data[0] + lam * (r * square * x.data[0] + r * r * w.data)
    assert w.grad.tolist() == near(by_hand.tolist(), rel=1e-14)


@every_norm
def test_the_penalty_of_a_batch_is_the_mean_over_its_items(p, squared):
    net, run = filled(NETS["layer norm"][0])
    x = waves(4, 3, k=0.2)

    def penalty(rows, **kind):
        rows = leaf(rows)
        return input_grad_penalty(((run(net, rows) - 0.3) ** 2).mean(), rows, 0.4, p, squared, **kind).item()

    assert penalty(x) == near(np.mean([penalty(x[i:i + 1]) for i in range(4)]), rel=1e-13)
    assert penalty(x, reduction="sum") == near(penalty(x) / (16 if squared else 4), rel=1e-13)


def test_over_the_whole_of_the_gradient_it_is_the_other_penalty():
    w, x = leaf(waves(3)), leaf(waves(5, 3, k=1.0))
    loss = (np.tanh(x @ w) ** 2).sum()
    one = input_grad_penalty(loss, x, 0.6, reduction="sum")
    assert grad_norm_penalty(loss, x, 0.3 / 5, squared=True).item() == near(one.item(), rel=1e-14)


@pytest.mark.parametrize("options", [{}, {"squared": False}, {"p": 3}, {"p": 1, "squared": False}, {"target": 1.0},
                                     {"target": 0.4, "squared": False}, {"p": INF}])
def test_of_the_input_against_central_differences(options):
    def penalised(w, v, x):
        w, v, x = (t if t.requires_grad else t.detach().requires_grad_() for t in (w, v, x))
        losses = (np.tanh(x @ w) @ v + 0.2) ** 2
        return losses.mean() + input_grad_penalty(losses.mean(), x, 0.3, **options)

    assert mg.gradcheck(penalised, waves(3, 4), waves(4, k=0.5), waves(5, 3, k=0.1), order=2)


@needs_torch
@pytest.mark.parametrize("name", ["tanh", "softplus", "conv", "layer norm"])
@pytest.mark.parametrize("target", [0.0, 1.0])
def test_the_wasserstein_penalty_against_pytorch(name, target):
    """Gulrajani et al. 2017: 10 mean (||d critic/dx||_2 - 1)^2 at points between real and made ones."""
    make, shape = NETS[name]
    net, run = filled(make)
    twin = make(torch.nn).double()
    twin.load_state_dict({key: torch.tensor(np.array(v.data)) for key, v in net.state_dict().items()})
    between = 0.3 * waves(*shape, k=0.1) + 0.7 * waves(*shape, k=2.0)
    x, z = leaf(between), torch.tensor(between, requires_grad=True)
    penalty = input_grad_penalty(run(net, x).sum(axis=1), x, 20.0, target=target)
    g, = torch.autograd.grad(twin(z).sum(), z, create_graph=True)
    theirs = 10 * ((g.flatten(1).norm(2, dim=1) - target) ** 2).mean()
    theirs.backward()
    penalty.backward()
    assert penalty.item() == near(theirs.item(), rel=1e-12)
    for w, v in zip(net.parameters(), twin.parameters(), strict=True):
        got = np.zeros(w.shape) if w.grad is None else w.grad.data
        expected = np.zeros(w.shape) if v.grad is None else v.grad.numpy()
        np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-12)


def test_a_gradient_of_0_with_a_target_has_no_slope():
    """Where PyTorch's square root gives NaN."""
    w, x = leaf([[0.0], [0.0]]), leaf([[1.0, 2.0], [0.0, 1.0]])
    penalty = input_grad_penalty((x @ w).sum(axis=1), x, 2.0, target=1.0)
    penalty.backward()
    assert (penalty.item(), w.grad.tolist()) == (1.0, [[0.0], [0.0]])


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("options", [{}, {"squared": False}, {"target": 1.0}])
def test_dtypes_of_the_input_penalty(dtype, options):
    w, x = mg.tensor([3.0, 4.0], dtype, requires_grad=True), mg.tensor(np.ones((4, 2)), dtype, requires_grad=True)
    penalty = input_grad_penalty((x @ w).mean(), x, 0.5, **options)
    penalty.backward()
    assert (penalty.dtype, w.grad.dtype) == (dtype, dtype)


def test_one_number_as_input():
    x = leaf(2.0)
    assert input_grad_penalty(x ** 3, x, 1.0).item() == 72.0


@pytest.mark.parametrize(("call", "error", "text"), [
    (lambda w, x: input_grad_penalty((x.data @ w).mean(), x.data, 1.0), RuntimeError, r"requires_grad=True\) before"),
    (lambda w, x: input_grad_penalty((x @ w).mean(), x.detach(), 1.0), RuntimeError, r"requires_grad=True\) before"),
    (lambda w, x: input_grad_penalty((x.data @ w).mean(), x, 1.0), RuntimeError, "does not depend on x.*before"),
    (lambda w, x: input_grad_penalty((x @ w)[:3], x, 1.0), ValueError, r"\(3,\) for x of shape \(4, 2\)"),
    (lambda w, x: input_grad_penalty((x @ w).mean(), x, 1.0, target=-1.0), ValueError, "target = -1.0"),
    (lambda w, x: input_grad_penalty((x @ w).mean(), x, 1.0, target=NAN), ValueError, "target = nan"),
    (lambda w, x: input_grad_penalty((x @ w).mean(), x, 1.0, reduction="none"), ValueError, "reduction = 'none'"),
    (lambda w, x: input_grad_penalty(1.0, x, 1.0), TypeError, "the loss is a float"),
    (lambda w, x: input_grad_penalty((x[:0] @ w).sum(), x[:0], 1.0), ValueError, r"\(0, 2\)")])
def test_what_the_input_penalty_refuses(call, error, text):
    with pytest.raises(error, match=text):
        call(leaf([3.0, 4.0]), leaf(np.ones((4, 2))))

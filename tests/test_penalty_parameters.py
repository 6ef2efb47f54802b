"""Penalties on gradients: which parameters count, what lam and p may be, what is refused and what is left alone."""

import gc
import math

import numpy as np
import pytest
from optimizing import near
from penalties import NETS, bowl, filled, leaf, mean_square
from twins import waves

import minigrad as mg
from minigrad import nn
from minigrad.penalty import grad_norm_penalty, input_grad_penalty

INF, NAN = math.inf, math.nan


def test_missing_frozen_and_repeated_parameters():
    w, other, frozen = leaf([1.0, 1.0]), leaf([5.0]), mg.tensor([2.0])
    loss = bowl(w)
    expected = grad_norm_penalty(loss, [w], 0.1)
    for params in ([w, w], [other, w], (w, frozen), iter([w]), w, {"a": w, "b": w}.values()):
        penalty = grad_norm_penalty(loss, params, 0.1)
        assert penalty.item() == expected.item()
        w.grad = other.grad = None
        penalty.backward(retain_graph=True)
        assert w.grad.tolist() == mg.grad(expected, w, retain_graph=True).tolist()
        assert (other.grad, frozen.grad) == (None, None)


def test_tied_parameters_count_once_with_the_sum_of_their_gradients():
    w = leaf([2.0])
    loss = (w * 3.0).sum() + (w * 4.0).sum()
    assert grad_norm_penalty(loss, [w, w], 1.0).item() == 7.0


def test_results_may_be_penalised_too():
    w = leaf([3.0, 4.0])
    h = w * 2.0
    penalty = grad_norm_penalty((h * h * 0.5).sum(), h, 1.0)
    penalty.backward()
    assert (penalty.item(), w.grad.tolist()) == (10.0, near([1.2, 1.6], rel=1e-15))


def test_a_loss_without_curvature_has_a_penalty_without_a_gradient():
    w = leaf([1.0, 1.0])
    loss = (w * [3.0, 4.0]).sum()
    penalty = grad_norm_penalty(loss, w, 0.5)
    (loss + penalty).backward()
    assert (penalty.item(), penalty.requires_grad, w.grad.tolist()) == (2.5, False, [3.0, 4.0])


@pytest.mark.parametrize("penalty", [grad_norm_penalty, input_grad_penalty])
def test_for_lam_0_there_is_no_second_pass(penalty):
    """Where the norm is inf, 0 times it would be NaN."""
    w, calls = leaf([[1.0, 1.0]]), []
    w.register_hook(calls.append)
    loss = (w * [1.5e308, -1.5e308]).sum()
    assert (penalty(loss, w, 0).item(), calls) == (0.0, [])
    assert math.isinf(penalty(loss, w, 1.0, squared=False).item())
    assert len(calls) == 1


@pytest.mark.parametrize("lam", [0, 0.0, np.float32(0)])
def test_lam_may_be_0(lam):
    w = leaf([1.0, 1.0])
    loss = bowl(w)
    total = loss + grad_norm_penalty(loss, w, lam)
    total.backward()
    assert (total.item(), w.grad.tolist()) == (5.5, [1.0, 10.0])
    x = leaf([[1.0, 1.0]])
    assert input_grad_penalty(bowl(x), x, lam).item() == 0.0


@pytest.mark.parametrize("bad", [-1, -1e-300, NAN, INF, -INF, "1", True, None, [1.0]])
def test_lam_is_a_number_from_0(bad):
    w = leaf([[1.0, 1.0]])
    for penalty in (grad_norm_penalty, input_grad_penalty):
        with pytest.raises(ValueError, match=rf"{penalty.__name__}: lam = .*>= 0"):
            penalty(bowl(w), w, bad)


@pytest.mark.parametrize("p", [0.5, 0, -1, NAN, "two", None])
def test_p_is_at_least_1(p):
    w = leaf([[1.0, 1.0]])
    for penalty in (grad_norm_penalty, input_grad_penalty):
        with pytest.raises(ValueError, match="p must be at least 1"):
            penalty(bowl(w), w, 0.1, p)


@pytest.mark.parametrize(("loss", "params", "error", "text"), [
    (lambda w: bowl(w), lambda w: [leaf([1.0])], RuntimeError, "depends on none"),
    (lambda w: bowl(w), lambda w: [mg.tensor([1.0])], RuntimeError, "depends on none"),
    (lambda w: bowl(w), lambda w: [], RuntimeError, "depends on none"),
    (lambda w: bowl(w).detach(), lambda w: [w], RuntimeError, "does not require a gradient"),
    (lambda w: w * 2, lambda w: [w], RuntimeError, "only a single number"),
    (lambda w: bowl(w).item(), lambda w: [w], TypeError, "the loss is a float"),
    (lambda w: bowl(w), lambda w: [w.data], TypeError, "parameter 0 is a Window"),
    (lambda w: bowl(w), lambda w: nn.Linear(2, 2), TypeError, r"linear\.parameters\(\)")])
def test_what_is_refused(loss, params, error, text):
    w = leaf([1.0, 1.0])
    with pytest.raises(error, match=text):
        grad_norm_penalty(loss(w), params(w), 0.1)
    assert w.grad is None


def test_a_freed_graph_is_refused_with_its_cure():
    w = leaf([1.0, 1.0])
    loss = bowl(w)
    loss.backward()
    with pytest.raises(RuntimeError, match="retain_graph=True"):
        grad_norm_penalty(loss, w, 0.1)


def test_gradients_stay_where_they_were_and_the_graph_is_kept():
    w = leaf([1.0, 1.0])
    w.grad = [7.0, 7.0]
    loss = bowl(w)
    grad_norm_penalty(loss, w, 0.1)
    assert w.grad.tolist() == [7.0, 7.0]
    loss.backward()
    assert w.grad.tolist() == [8.0, 17.0]


def test_under_no_grad_it_is_a_number():
    w = leaf([1.0, 1.0])
    loss = bowl(w)
    with mg.no_grad():
        penalty = grad_norm_penalty(loss, w, 0.1)
    assert (penalty.requires_grad, penalty.item()) == (False, 0.1 * math.sqrt(101))


def test_nothing_outlives_the_loss():
    net, run = filled(NETS["tanh"][0])
    gc.collect()
    gc.disable()
    try:
        loss = mean_square(run, net, waves(4, 3))
        (loss + grad_norm_penalty(loss, net.parameters(), 0.1)).backward()
        del loss
        assert gc.collect() == 0
    finally:
        gc.enable()


@pytest.mark.parametrize("p", [1, 2, 3, INF])
def test_a_gradient_that_is_not_finite_shows(p):
    w = leaf([1.0, 1.0])
    assert math.isnan(grad_norm_penalty((w * w * [1.0, NAN]).sum(), w, 0.1, p).item())
    with np.errstate(invalid="ignore"):
        loss = (w * w * [1.0, INF]).sum()
        penalty = grad_norm_penalty(loss, w, 0.1, p)
        penalty.backward()
    assert penalty.item() == INF
    assert not np.isfinite(w.grad.data).all()

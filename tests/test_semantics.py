"""What clipping and accumulation mean together, where no test elsewhere shows it, and what others do there.

The rest is in test_norms, test_clip, test_accumulate, test_hooks, test_optim and test_accumulation_limits.
"""

import math

import numpy as np
import pytest
from elsewhere import by_optax
from optimizing import GRADIENTS, OPTIMIZERS, every_optimizer, param, train

import minigrad as mg
from minigrad import nn, optim
from minigrad.hooks import Accumulate, ClipNorm, ClipValue, NonFinite, OrderError, Pipeline, apply_hooks
from minigrad.norms import norm

INF, NAN = math.inf, math.nan


# -------------------------------------------------------------------------------------------- rules, one by one

@pytest.mark.parametrize(("name", "expected"), [
    ("SGD", [[.940000012, .920000016], [.880000013, 1.000000014], [.850000013, .960000014]]),
    ("momentum", [[.940000012, .920000016], [.826000024, .928000029], [.693400035, .89520004]]),
    ("Adam", [[.900000002, .900000001], [.800000003, .905263168], [.705818679, .887790619]])])
def test_the_exact_coefficient_differs_from_pytorchs_by_less_than_1e_7(name, expected):
    """Three steps at limit 1 and lr 0.1; the clipped gradient is exactly 1 long, where PyTorch's is 1 - 2e-7."""
    w = param([1.0, 1.0])
    apart = np.abs(train(w, GRADIENTS, OPTIMIZERS[name]([w], hooks=[ClipNorm(1.0)])) - expected).max()
    assert 1e-9 < apart < 1e-7


def test_ten_skips_in_a_row_are_borne_and_the_eleventh_raises():
    w = param([1.0])
    opt = optim.SGD([w], lr=1.0, hooks=[NonFinite("skip")])
    w.grad = [NAN]
    assert [opt.step().status for _ in range(10)] == ["skip"] * 10
    with pytest.raises(FloatingPointError, match="10 gradients in a row"):
        opt.step()
    assert (w.item(), opt.updates, opt.skipped) == (1.0, 0, 10)


def test_optax_accepts_the_bad_update_then():
    assert by_optax("""
opt = optax.apply_if_finite(optax.sgd(1.0), max_consecutive_errors=2)
w, bad, answer = jax.numpy.ones(1), jax.numpy.array([float("nan")]), []
state = opt.init(w)
for _ in range(4):
    updates, state = opt.update(bad, state)
    w = optax.apply_updates(w, updates)
    answer.append(bool(jax.numpy.isfinite(w).all()))
""") == [True, True, False, False]


@pytest.mark.parametrize("policy", ["raise", "skip"])
def test_inf_is_caught_left_of_a_value_clip_and_hidden_right_of_it(policy):
    """In PyTorch's customary order, clip_grad_value_ and then a check, the step is made."""
    w = param([1.0])
    opt = optim.SGD([w], lr=1.0, hooks=[NonFinite(policy), ClipValue(1.0)])
    w.grad = [INF]
    if policy == "raise":
        with pytest.raises(FloatingPointError, match="param0"):
            opt.step()
    else:
        assert opt.step().status == "skip"
    assert w.item() == 1.0
    assert apply_hooks([ClipValue(1.0)], {"w": np.array([INF])})["w"].tolist() == [1.0]
    with pytest.raises(OrderError, match="turns inf into its threshold"):
        Pipeline([ClipValue(1.0), NonFinite(policy)])


@pytest.mark.parametrize("scope", ["global", "param"])
@pytest.mark.parametrize(("bad", "length", "a", "b"), [
    (NAN, NAN, [NAN, NAN], [NAN, NAN]), (INF, INF, [0, NAN], [0, 0])])
def test_propagate_and_a_clip_do_what_frameworks_do(bad, length, a, b, scope):
    """a=[3, bad], b=[1, 2] at limit 1; per parameter, b is clipped by itself, to [1, 2] / sqrt(5)."""
    params = {"a": param([0.0, 0.0]), "b": param([0.0, 0.0])}
    opt = optim.SGD(params, lr=1.0, hooks=[NonFinite("propagate"), ClipNorm(1.0, scope=scope)])
    params["a"].grad, params["b"].grad = [3.0, bad], [1.0, 2.0]
    report = opt.step()
    np.testing.assert_equal(report.stages[2].norm_in, length)
    b = b if scope == "global" else [1 / math.sqrt(5), 2 / math.sqrt(5)]
    np.testing.assert_allclose(-params["a"].data, a, rtol=1e-15)
    np.testing.assert_allclose(-params["b"].data, b, rtol=1e-15)
    assert (report.status, opt.updates) == ("step", 1)


@pytest.mark.parametrize("name", ["SGD", "momentum"])
def test_coupled_decay_comes_after_the_clip_and_is_not_clipped(name):
    """g -> clip -> + wd p -> moments: a limit of 1 bounds the gradient's share of the step, not the decay's."""
    w = param([3.0, 4.0])
    opt = OPTIMIZERS[name]([w], weight_decay=10.0, hooks=[ClipNorm(1.0)])
    w.grad = [30.0, -40.0]
    opt.step()
    np.testing.assert_allclose(w.data, [3 - 0.1 * (0.6 + 30), 4 - 0.1 * (-0.8 + 40)], rtol=1e-15)


@every_optimizer
def test_accumulate_then_clip_then_the_optimizer(make):
    """A window of two is one step with the clipped mean, whatever the optimizer does with it."""
    w, other = param([1.0, 1.0]), param([1.0, 1.0])
    opt = make([w], weight_decay=0.1, hooks=[NonFinite(), Accumulate(2), ClipNorm(1.0)])
    twin = make([other], weight_decay=0.1)
    for first, second, items in (([3.0, 4.0], [30.0, -40.0], (1, 3)), ([0.3, 0.4], [0.1, 0.0], (2, 2))):
        for g, n in zip((first, second), items):
            w.grad = g
            opt.step(weight=n)
        mean = (items[0] * np.array(first) + items[1] * np.array(second)) / sum(items)
        other.grad = mean / max(1.0, math.hypot(*mean))
        twin.step()
        np.testing.assert_allclose(w.data, other.data, rtol=1e-14)


# ------------------------------------------------------------------------------- the norm: what the textbook gives

NORMS = pytest.mark.parametrize(("values", "dtype", "length", "textbook"), [
    ([1e-25] * 2, np.float32, 1.41421359e-25, 0.0), ([1e20] * 2, np.float32, 1.41421359e20, INF),
    ([1e-200] * 2, np.float64, 1.414213562373095e-200, 0.0), ([1e200] * 2, np.float64, 1.414213562373095e200, INF),
    ([3000] * 1000, np.float16, 94868.32980505138, INF), ([1e308] * 2, np.float64, 1.4142135623730951e308, INF)])


@NORMS
def test_the_norm_where_numpys_is_0_or_inf(values, dtype, length, textbook):
    """The two rows in float32 are those of the nearest float32, to the nine digits given."""
    array = np.array(values, dtype)
    assert norm(array) == pytest.approx(length, rel=2e-8 if dtype is np.float32 else 1e-15, abs=0)
    with np.errstate(all="ignore"):
        assert np.sqrt(np.sum(array * array)) == textbook


@NORMS
def test_what_pytorchs_clip_makes_of_it(values, dtype, length, textbook):
    """Where its norm is inf it zeroes a finite gradient; where it is 0 nothing can be told from it."""
    torch = pytest.importorskip("torch")
    p = torch.zeros(len(values), dtype=getattr(torch, np.dtype(dtype).name))
    p.grad = torch.tensor(np.array(values, dtype))
    assert torch.nn.utils.clip_grad_norm_([p], 1.0).item() == textbook
    assert bool((p.grad == 0).all()) == (textbook == INF)
    out = apply_hooks([ClipNorm(length / 1000)], {"w": np.array(values, dtype)})["w"]
    assert out.astype(float) == pytest.approx(np.array(values, dtype).astype(float) / 1000, rel=2e-3, abs=0)


def test_the_inf_norm_of_nothing_is_an_error_in_pytorch_and_0_here():
    torch = pytest.importorskip("torch")
    p = torch.zeros(0)
    p.grad = torch.zeros(0)
    with pytest.raises(RuntimeError):
        torch.nn.utils.clip_grad_norm_([p], 1.0, norm_type=INF)
    empty = np.zeros(0)
    assert norm(empty, INF) == 0.0
    assert apply_hooks([ClipNorm(1.0, p=INF)], {"w": empty})["w"] is empty


# -------------------------------------------------------------------------------- accumulation: what others give

def clipped(g, limit=1.0):
    return g * min(1.0, limit / math.hypot(*g))


@pytest.mark.parametrize(("first", "second", "right", "per_micro_batch", "running"), [
    ([2.0, 0.0], [0.0, 2.0], [.7071, .7071], [.5, .5], [.447, .894]), ([10.0], [-9.0], [.5], [0.0], [-1.0])])
def test_clipping_the_running_sum_again_and_again_is_neither(first, second, right, per_micro_batch, running):
    """In many loops clip_grad_norm_ stands behind each backward(), and so clips what has been gathered: the later
    micro-batches count most, and the sign may turn."""
    again = clipped(clipped(np.array(first)) + np.array(second))
    np.testing.assert_allclose(again, running, atol=5e-4)
    for hooks, expected in (([Accumulate(2), ClipNorm(1.0)], right), ([ClipNorm(1.0), Accumulate(2)], per_micro_batch)):
        w = param(np.zeros(len(first)))
        train(w, [first, second], optim.SGD([w], lr=1.0, hooks=hooks))
        np.testing.assert_allclose(-w.data, expected, atol=5e-5)


def test_dividing_the_last_window_by_its_full_length_halves_it():
    """Of g = 1, 2, 3, 4, 5 in windows of 2, g / 2 summed gives 1.5, 3.5 and 2.5; with the true divisor it is 5."""
    loops, w = [], param([0.0])
    opt = optim.SGD([w], lr=1.0, hooks=[Accumulate(2)])
    for pair in ([1.0, 2.0], [3.0, 4.0], [5.0]):
        before = w.item()
        train(w, [[g] for g in pair], opt)
        opt.flush()
        loops.append((sum(g / 2 for g in pair), before - w.item()))
    assert loops == [(1.5, 1.5), (3.5, 3.5), (2.5, 5.0)]


# ------------------------------------------------------------------------------- optimizers under clipping: numbers

def test_a_spike_costs_adam_thousands_of_steps_unless_it_is_clipped():
    """3000 steps of 1e-3 under a gradient of 1, at step 100 of 1000: from there on .19, and 2.90 with a clip."""
    travel = []
    for hooks in ([], [ClipNorm(1.0)]):
        w = param([0.0])
        path = train(w, [[1000.0 if i == 100 else 1.0] for i in range(3000)], optim.Adam([w], lr=1e-3, hooks=hooks))
        travel.append(abs(path[-1, 0] - path[99, 0]))
    assert travel == pytest.approx([0.19, 2.90], abs=0.006)


def test_adam_ignores_a_factor_on_all_gradients_to_6e_9():
    gradients = np.random.default_rng(0).normal(size=(200, 4))
    ends = []
    for factor in (1.0, 1000.0):
        w = param(np.zeros(4))
        ends.append(train(w, gradients * factor, optim.Adam([w], lr=0.01))[-1])
    assert 0 < np.abs(ends[0] - ends[1]).max() < 6e-9
    assert np.abs(ends[0]).max() > 0.1


def test_so_under_a_clip_that_always_acts_the_threshold_means_nothing_to_adam():
    """The length of SGD's steps it decides alone."""
    gradients, ends = np.random.default_rng(0).normal(size=(200, 4)) * 1000, {}
    for kind, lr in ((optim.Adam, 0.01), (optim.SGD, 0.01)):
        for limit in (1.0, 10.0):
            w = param(np.zeros(4))
            opt = kind([w], lr=lr, hooks=[ClipNorm(limit)])
            ends[kind, limit] = train(w, gradients, opt)[-1]
    # lr eps / sqrt(v^) per step, with sqrt(v^) of about 1/2 at limit 1: 200 * .01 * 1e-8 / .5
    assert np.abs(ends[optim.Adam, 1.0] - ends[optim.Adam, 10.0]).max() < 4e-8
    np.testing.assert_allclose(ends[optim.SGD, 10.0], 10 * ends[optim.SGD, 1.0], rtol=1e-12)


# ---------------------------------------------------------------------------------------- claims that circulate

def deep_net(gain, seed=0):
    """Gradients of the weights of 50 sigmoid layers, first to last."""
    rng = np.random.default_rng(seed)
    net = nn.Sequential(*[m for _ in range(50) for m in (nn.Linear(8, 8, rng=rng), nn.Sigmoid())])
    for p in net.parameters():
        p.data = p.data * gain
    net(mg.tensor(rng.normal(size=(16, 8)))).pow(2).sum().backward()
    return {name: p.grad.data for name, p in net.named_parameters() if name.endswith("weight")}


@pytest.mark.parametrize("gain", [1.0, 12.0])
@pytest.mark.parametrize("p", [1, 2, 3, INF])
@pytest.mark.parametrize("limit", [1e-6, 1e-3, 1.0])
def test_a_norm_clip_leaves_the_profile_over_depth_as_it_is(gain, p, limit):
    """So it cures no vanishing gradient: the ratio of first to last layer stays, and nothing is lengthened."""
    grads = deep_net(gain)
    ratio = [norm(g) / norm(grads["98.weight"]) for g in grads.values()]
    out = apply_hooks([ClipNorm(limit, p=p)], grads)
    after = [norm(g) / norm(out["98.weight"]) for g in out.values()]
    np.testing.assert_allclose(after, ratio, rtol=1e-15)
    assert all(norm(a) <= norm(g) for a, g in zip(out.values(), grads.values()))
    if gain == 1.0:
        assert ratio[0] < 1e-30                 # it does vanish


@pytest.mark.parametrize(("reduction", "factor"), [("mean", 1), ("sum", 4)])
def test_accumulation_leaves_it_too(reduction, factor):
    """The mean of equal micro-batches is one of them; the sum is k times as long on every layer alike."""
    grads, hook = deep_net(1.0), Accumulate(4, reduction=reduction)
    for _ in range(4):
        out = apply_hooks([hook], grads)
    for name, g in grads.items():
        assert np.array_equal(out[name], factor * g)

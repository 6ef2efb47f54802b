"""Hooks in an optimizer: all or nothing, whose they are, and what is on record of them."""

import math

import numpy as np
import pytest
from optimizing import near, param, train

import minigrad as mg
from minigrad import optim
from minigrad.hooks import HOLD, Accumulate, ClipNorm, NonFinite


def poison(grads, ctx):
    return {name: g * math.nan for name, g in grads.items()}


def raise_once():
    calls = []

    def hook(grads, ctx):
        calls.append(1)
        if len(calls) == 1:
            raise RuntimeError("once")
        return grads
    return hook


@pytest.mark.parametrize(("hooks", "warns"), [
    ([NonFinite("raise"), poison], True), ([NonFinite("zero"), poison], True), ([poison], True),
    ([NonFinite("propagate"), poison], False)])
def test_nan_made_by_a_hook_is_not_silent(hooks, warns, recwarn):
    w = param([1.0])
    train(w, [[1.0]], optim.SGD([w], lr=0.1, hooks=hooks))
    assert [r.category for r in recwarn] == [RuntimeWarning] * warns
    recwarn.clear()


def test_a_weighted_sum_beyond_float32_is_still_a_mean():
    w = param([0.0, 0.0], np.float32)
    opt = optim.SGD([w], lr=1.0, hooks=[NonFinite(), Accumulate(2), ClipNorm(1.0)])
    for _ in range(2):
        w.grad = np.array([3e37, 4e37], np.float32)
        report = opt.step(weight=64)
    assert report.stages[2].norm_out == near(5e37, rel=1e-6)
    assert w.data == pytest.approx([-0.6, -0.8], rel=1e-6)


def test_a_step_that_overflows_half_way_moves_no_parameter():
    """The second parameter's sum overflows, here an error; the first has not moved then."""
    params = {"a": param([1.0]), "b": param([1.7e308])}
    opt = optim.SGD(params, lr=1e308, momentum=0.9)
    params["a"].grad, params["b"].grad = [1.0], [-1.0]
    with np.errstate(over="raise"), pytest.raises(FloatingPointError):
        opt.step()
    assert (params["a"].tolist(), params["b"].tolist(), opt.state, opt.updates) == ([1.0], [1.7e308], {}, 0)


def test_a_window_survives_what_raises_to_its_right():
    """The micro-batch that raised is not counted; the one before it still is."""
    w = param([0.0])
    opt = optim.SGD([w], lr=1.0, hooks=[Accumulate(2), NonFinite()])
    statuses = []
    for g in (1.0, math.nan, 3.0):
        w.grad = [g]
        try:
            statuses.append(opt.step().status)
        except FloatingPointError:
            statuses.append("raise")
    assert (statuses, w.tolist()) == (["hold", "raise", "step"], [-2.0])


def test_a_flush_that_raises_can_be_repeated():
    w = param([0.0])
    opt = optim.SGD([w], lr=1.0, hooks=[Accumulate(2), raise_once()])
    w.grad = [5.0]
    opt.step(weight=3)
    with pytest.raises(RuntimeError, match="once"):
        opt.flush()
    assert (opt.flush().weight, w.tolist()) == (3.0, [-5.0])


def test_hold_is_refused_where_the_window_has_been_let_go():
    w = param([0.0])
    opt = optim.SGD([w], lr=1.0, hooks=[Accumulate(1), lambda grads, ctx: HOLD])
    w.grad = [1.0]
    with pytest.raises(TypeError, match="left of it can hold"):
        opt.step()


def test_a_hook_with_a_state_serves_one_optimizer():
    a, b, shared = param([0.0]), param([0.0]), [Accumulate(2)]
    first = optim.SGD([a], lr=1.0, hooks=shared)
    with pytest.raises(ValueError, match=r"Accumulate\(2\) already belongs to another"):
        optim.SGD([b], lr=1.0, hooks=shared)
    first.hooks = shared                                        # its own it may be given again
    optim.SGD([a], lr=1.0, hooks=[clip := ClipNorm(1.0)])
    optim.SGD([b], lr=1.0, hooks=[clip])                        # one without a state is free
    del first
    optim.SGD([b], lr=1.0, hooks=shared)


@pytest.mark.parametrize("name", ["SGD", "Adam"])
def test_none_freezes_a_parameter(name):
    kind = {"SGD": optim.SGD, "Adam": optim.Adam}[name]
    params = {"a": param([1.0]), "b": param([1.0])}
    opt = kind(params, lr=0.1, weight_decay=0.1, trace=mg.NormTrace(per_parameter=True),
               hooks=[lambda grads, ctx: {**grads, "a": None if ctx.step else grads["a"]}])
    places = []
    for _ in range(3):
        params["a"].grad, params["b"].grad = [2.0], [2.0]
        opt.step()
        places.append((params["a"].item(), params["b"].item()))
    assert places[0][0] == places[1][0] == places[2][0] < 1.0
    assert places[2][1] < places[1][1] < places[0][1]


def test_a_wider_gradient_passes_to_the_next_hook_as_it_is():
    """A float16 gradient, unscaled in float32, must not vanish again before the update."""
    seen, w = [], param([1.0], np.float16)

    def unscale(grads, ctx):
        return {name: g.astype(np.float32) / 65536 for name, g in grads.items()}

    opt = optim.Adam([w], lr=0.5, hooks=[unscale, lambda grads, ctx: seen.append(grads["param0"].item()) or grads])
    w.grad = [np.float16(1e-8 * 65536)]
    opt.step()
    assert seen == [near(1e-8, rel=1e-3)]
    assert (w.dtype, w.item()) == (np.float16, pytest.approx(0.75, abs=1e-3))       # g / (g + eps) = 1/2


def test_a_hook_may_note_what_it_likes():
    w, trace = param([1.0]), mg.NormTrace()

    def hook(grads, ctx):
        ctx.note(zscore=2.5, threshold=3.0)
        return grads

    w.grad = [1.0]
    stage = optim.SGD([w], lr=0.1, hooks=[hook], trace=trace).step().stages[1]
    assert (stage.extra, stage.threshold) == ({"zscore": 2.5}, 3.0)
    assert trace.column("extra", hook="hook").tolist() == ['{"zscore": 2.5}']


def test_what_a_clip_did_beyond_the_floats_is_on_record():
    w = param([0.0, 0.0])
    w.grad = [1.7e308, 1.7e308]
    stage = optim.SGD([w], lr=1.0, hooks=[ClipNorm(1.0)]).step().stages[1]
    assert (stage.norm_in, stage.norm_out, stage.cosine, stage.clipped) == (math.inf, near(1.0), 1.0, True)
    assert stage.coefficient == near(1 / 1.7e308 / math.sqrt(2), rel=1e-6)

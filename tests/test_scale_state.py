"""Loss scaling: what is saved, what is given back, and what is refused."""

import math

import numpy as np
import pytest
from optimizing import param

import minigrad as mg
from minigrad import optim
from minigrad.hooks import Accumulate, ClipNorm, ClipValue, LossScaler, NonFinite, OrderError, Unscale, apply_hooks

INF, NAN = math.inf, math.nan


def sgd(scaler, *hooks, **kwargs):
    w = param([0.0])
    return w, optim.SGD([w], lr=1.0, hooks=[Unscale(scaler), *hooks], **kwargs)


def train(w, scaler, opt, gradients):
    """Give one gradient after another, scaled; return status, scale and weight after each."""
    path = []
    for g in gradients:
        w.grad = [scaler.scale(g)]
        path.append((opt.step().status, scaler.value, w.item()))
    return path


# -------------------------------------------------------------------------------------------------- its state

def run(gradients, stop, path):
    """A run with Adam, a window and a NaN, saved and made anew after ``stop`` gradients; where each step led."""
    def make(start):
        w, scaler = param(start), LossScaler(2.0 ** 10, interval=3)
        return w, scaler, optim.Adam([w], lr=0.1, hooks=[Unscale(scaler), NonFinite(), Accumulate(4), ClipNorm(1.0)])

    (w, scaler, opt), places = make([1.0, 2.0]), []
    for number, g in enumerate(gradients):
        if number == stop:
            mg.save({"w": w, "opt": opt.state_dict()}, path)
            saved = mg.load(path)
            w, scaler, opt = make(saved["w"].data)
            opt.load_state_dict(saved["opt"])
        w.grad = scaler.scale(g)
        opt.step()
        places.append((w.data.tobytes(), scaler.value, scaler.count))
    return places


def test_saved_and_loaded_anywhere_the_run_goes_on_to_the_bit(tmp_path):
    gradients = list(np.random.default_rng(1).normal(size=(14, 2)))
    gradients[5][1] = NAN
    whole = run(gradients, None, None)
    assert [scale for _, scale, _ in whole][2:6] == [2048.0, 2048.0, 2048.0, 1024.0]
    for stop in range(len(gradients)):
        assert run(gradients, stop, tmp_path / "run.pt") == whole


def test_a_step_that_raises_further_right_gives_the_scale_back():
    def fails_at_once(grads, ctx):
        if ctx.micro_step in fails:
            fails.remove(ctx.micro_step)
            raise RuntimeError("once")
        return grads

    fails, scaler, trace, path = [1, 3], LossScaler(8.0, interval=2), mg.NormTrace(), []
    w, opt = sgd(scaler, NonFinite(), fails_at_once, trace=trace)
    for g in (1.0, 1.0, 1.0, 1.0, 1.0, 1.0):
        try:
            path += train(w, scaler, opt, [g])
        except RuntimeError:
            path.append(("raise", scaler.value, scaler.count))
    assert path == [("step", 8, -1), ("raise", 8, 1), ("step", 16, -2), ("step", 16, -3), ("raise", 16, 1),
                    ("step", 32, -4)]
    raised = trace.select(outcome="raise", hook="Unscale")
    assert [(row.status, row.extra) for row in raised] == [("pass", '{"scale": 8.0}'), ("pass", '{"scale": 16.0}')]


def test_a_raise_for_what_is_not_finite_gives_the_count_back():
    scaler = LossScaler(8.0, dynamic=False)
    w, opt = sgd(scaler, NonFinite())
    train(w, scaler, opt, [1.0, 1.0])
    with pytest.raises(FloatingPointError):
        train(w, scaler, opt, [NAN])
    assert (scaler.value, scaler.count) == (8.0, 2)


@pytest.mark.parametrize(("state", "text"), [
    (None, "a dict is wanted, not None"), ({}, "lacks 'value', 'count'"), ({"value": 8.0}, "lacks 'count'"),
    ({"value": 8.0, "count": 0, "scale": 1}, "has 'scale'"), ({"value": 0.0, "count": 0}, r"value = 0\.0"),
    ({"value": -8.0, "count": 0}, r"value = -8\.0"), ({"value": NAN, "count": 0}, "value = nan"),
    ({"value": INF, "count": 0}, "value = inf"), ({"value": "8", "count": 0}, "value must be a number > 0, not '8'"),
    ({"value": 1e200, "count": 0}, r"value = 1e\+200.* float32"), ({"value": 8.0, "count": -1}, "count = -1"),
    ({"value": 8.0, "count": 1.5}, r"count = 1\.5"), ({"value": 8.0, "count": None}, "count = None")])
def test_a_state_that_is_none(state, text):
    hook = Unscale(LossScaler(4.0, interval=9))
    apply_hooks([hook], {"w": np.ones(1)})
    with pytest.raises(ValueError, match=f"LossScaler.*{text}"):
        hook.load_state_dict(state)
    assert hook.state_dict() == {"value": 4.0, "count": 1}


def test_a_static_scaler_takes_up_no_other_scale():
    hook = Unscale(LossScaler(128, dynamic=False))
    with pytest.raises(ValueError, match=r"has the scale 64\.0.* keeps 128\.0"):
        hook.load_state_dict({"value": 64.0, "count": 0})
    hook.load_state_dict({"value": 128.0, "count": 5})
    assert hook.state_dict() == {"value": 128.0, "count": 5}


def test_a_scale_that_was_grown_with_a_longer_interval_grows_at_the_next_one():
    scaler = LossScaler(4.0, interval=2)
    Unscale(scaler).load_state_dict({"value": 32.0, "count": 100})
    apply_hooks([Unscale(scaler)], {"w": np.ones(1)})
    assert scaler.value == 64.0


def test_what_is_loaded_is_the_scale_of_the_gradients_that_follow():
    scaler = LossScaler(8.0, interval=2)
    w, opt = sgd(scaler, NonFinite())
    train(w, scaler, opt, [1.0])
    state = opt.state_dict()
    train(w, scaler, opt, [1.0, 1.0])
    assert (scaler.value, scaler.given) == (16.0, 16.0)
    opt.load_state_dict(state)
    w.grad = [8.0]
    assert (opt.step().status, w.tolist(), scaler.value) == ("step", [-4.0], 16.0)


def test_a_new_optimizer_begins_with_the_first_scale():
    scaler = LossScaler(8.0, interval=1)
    hooks = [Unscale(scaler)]
    w = param([0.0])
    opt = optim.SGD([w], lr=1.0, hooks=hooks)
    train(w, scaler, opt, [1.0])
    assert (scaler.value, scaler.given) == (16.0, 8.0)
    del opt
    optim.SGD([w], lr=1.0, hooks=hooks)
    assert (scaler.value, scaler.count, scaler.given) == (8.0, 0, None)


# ------------------------------------------------------------------------------------------- what cannot be meant

def test_a_scaler_of_two_optimizers_is_refused_when_their_scales_part():
    """The second one's gradient was formed with scale 8; divided by 16, it would be half of what it is."""
    scaler = LossScaler(8.0, interval=1)
    (a, first), (b, second) = (sgd(scaler, NonFinite()) for _ in range(2))
    a.grad, b.grad = [scaler.scale(1.0)], [scaler.scale(1.0)]
    assert first.step().status == "step"
    with pytest.raises(RuntimeError, match=r"scaled by 8, .* the scale to 16.* one LossScaler per optimizer"):
        second.step()
    assert (b.tolist(), scaler.value, scaler.count) == ([0.0], 16.0, 0)


def test_a_gradient_is_not_used_again_with_another_scale():
    scaler = LossScaler(8.0, interval=2)
    w, opt = sgd(scaler, NonFinite())
    w.grad = [scaler.scale(1.0)]
    assert [opt.step().status for _ in range(2)] == ["step", "step"]        # with the same it may
    with pytest.raises(RuntimeError, match="before each step"):
        opt.step()
    assert w.tolist() == [-2.0]


def of_role(role):
    def hook(grads, ctx):
        return grads
    hook.role = role
    return hook


@pytest.mark.parametrize(("left", "text"), [
    (ClipNorm(1.0), "ClipNorm stands left of Unscale: a clip would see"),
    (ClipValue(1.0), "ClipValue stands left of Unscale: a value clip would see"),
    (Accumulate(2), "Accumulate stands left of Unscale: a window would see"),
    (of_role("normalize"), "a normalisation would see"), (of_role("noise"), "noise would see"),
    (NonFinite("skip"), "NonFinite stands left of Unscale: .* the scaler never hears of"),
    (Unscale(LossScaler()), "Unscale stands left of Unscale: a gradient is multiplied by one scale")])
def test_orders_that_no_run_can_mean(left, text):
    for hooks in ([left, Unscale(LossScaler())], [left, of_role(None), Unscale(LossScaler())]):
        with pytest.raises(OrderError, match=text):
            optim.SGD([param([0.0])], lr=1.0, hooks=hooks)


@pytest.mark.parametrize(("make", "text"), [
    (lambda w, hook: optim.SGD([w], lr=1.0, update_hooks=[hook]), "an update is not scaled"),
    (lambda w, hook: optim.SGD([{"params": [w], "hooks": [hook]}], lr=1.0), "the loss was scaled as a whole")])
def test_places_that_no_run_can_mean(make, text):
    with pytest.raises(OrderError, match=text):
        make(param([0.0]), Unscale(LossScaler()))


@pytest.mark.parametrize(("make", "text"), [
    (lambda w, hook: optim.SGD([w], lr=1.0, update_hooks=[hook]), "an update is not held"),
    (lambda w, hook: optim.SGD([{"params": [w], "hooks": [hook]}], lr=1.0), "a window belongs to the whole step")])
def test_places_that_no_window_can_have(make, text):
    with pytest.raises(OrderError, match=f"Accumulate .*{text}"):
        make(param([0.0]), Accumulate(2))


def test_the_order_of_rule_8_is_taken():
    opt = optim.SGD([param([0.0])], lr=1.0, hooks=[
        Unscale(LossScaler(8.0)), NonFinite("skip"), Accumulate(4), ClipNorm(1.0)])
    assert repr(opt.hooks).split("\n") == [
        "Unscale(LossScaler(8.0))  [per micro-batch]", " -> NonFinite('skip')  [per micro-batch]", " -> Accumulate(4)",
        " -> ClipNorm(1.0)  [per window]"]

"""Loss scaling: the scale, what it is divided by again, and who judges what is not finite."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optimizing import every_optimizer, near, param

import minigrad as mg
from minigrad import optim
from minigrad.hooks import Accumulate, ClipNorm, ClipValue, LossScaler, NonFinite, Unscale, apply_hooks

QUICK = settings(max_examples=100, deadline=None, derandomize=True, database=None)
INF, NAN = math.inf, math.nan
FLOATS = pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])


def sgd(scaler, *hooks, lr=1.0, **kwargs):
    w = param([0.0])
    return w, optim.SGD([w], lr=lr, hooks=[Unscale(scaler), *hooks], **kwargs)


def train(w, scaler, opt, gradients):
    """Give one gradient after another, scaled; return status, scale and weight after each."""
    path = []
    for g in gradients:
        w.grad = [scaler.scale(g)]
        path.append((opt.step().status, scaler.value, w.item()))
    return path


# ------------------------------------------------------------------------------------------------ the facts

def test_what_float16_does_to_small_and_large_numbers():
    assert np.float16(1e-8) == 0
    with np.errstate(over="ignore"):
        assert np.float16(131072) == INF
    scaled = np.array([1e-8 * 65536]).astype(np.float16)
    assert (scaled / np.float16(2.0 ** 15) / np.float16(2)).tolist() == [0.0]            # in float16 it is lost again
    out = apply_hooks([Unscale(LossScaler(65536.0))], {"w": scaled})["w"]
    assert (out.dtype, out[0]) == (np.float32, near(9.997e-9, rel=1e-4))


def test_the_scale_that_is_found_and_where_the_weights_go():
    scaler = LossScaler(8.0, interval=2)
    w, opt = sgd(scaler, NonFinite())
    path = train(w, scaler, opt, [1.0, 1.0, 1.0, INF, 1.0, 1.0, 1.0])
    assert [scale for _, scale, _ in path] == [8, 16, 16, 8, 8, 16, 16]
    assert [place for *_, place in path] == [-1, -2, -3, -3, -4, -5, -6]
    assert [status for status, *_ in path] == ["step"] * 3 + ["skip"] + ["step"] * 3
    assert (opt.updates, opt.skipped, scaler.count) == (6, 1, 1)


def test_the_scale_changes_within_a_window_which_holds_unscaled_gradients():
    scaler = LossScaler(4.0)
    w, opt = sgd(scaler, NonFinite(), Accumulate(2))
    seen = []
    for scaled in (4.0, INF, 4.0):
        w.grad = [scaled]
        seen.append((opt.step().status, scaler.value))
    assert seen == [("hold", 4.0), ("skip", 2.0), ("step", 2.0)]
    assert w.item() == -1.5
    w.grad = [4.0]
    opt.step()
    assert (opt.flush().status, w.item()) == ("step", -3.5)


def test_inf_is_skipped_before_a_value_clip_makes_it_finite():
    scaler = LossScaler(4.0)
    w, opt = sgd(scaler, NonFinite(), ClipValue(1.0))
    assert train(w, scaler, opt, [INF, 0.25]) == [("skip", 2.0, 0.0), ("step", 2.0, -0.25)]


def test_the_naive_order_steps_on_the_clipped_inf():
    """What the validator refuses: a clip of the scaled gradient.  inf is 1 then, 1/4 unscaled, and a step."""
    def clip(grads, ctx):
        return {name: np.clip(g, -1, 1) for name, g in grads.items()}

    w, scaler = param([0.0]), LossScaler(4.0)
    opt = optim.SGD([w], lr=1.0, hooks=[clip, Unscale(scaler), NonFinite()])
    assert train(w, scaler, opt, [INF]) == [("step", 4.0, -0.25)]


# --------------------------------------------------------------------------------------- how it goes up and down

def scales(scaler, pattern):
    """The scale after each gradient of a pattern of finite (True) and other ones."""
    hook, out = Unscale(scaler), []
    for fine in pattern:
        apply_hooks([hook], {"w": np.array([scaler.scale(1.0 if fine else INF)])})
        out.append(scaler.value)
    return out


@pytest.mark.parametrize(("settings", "pattern", "expected"), [
    ({"init": 8, "interval": 1}, [1, 1, 0, 1], [16, 32, 16, 32]),
    ({"init": 8, "interval": 3, "growth": 4}, [1, 1, 0, 1, 1, 1], [8, 8, 4, 4, 4, 16]),
    ({"init": 100, "interval": 2, "growth": 1.5, "backoff": 0.1}, [1, 1, 0, 0], [100, 150, 15, 1.5]),
    ({"init": 8, "smallest": 3}, [0, 0, 0, 0], [4, 3, 3, 3]),                           # not below the smallest
    ({"init": 1, "smallest": 1, "interval": 1}, [0, 1, 0, 0], [1, 2, 1, 1]),
    ({"init": 2.0 ** 126, "interval": 1}, [1, 1, 1, 0], [2.0 ** 127, 2.0 ** 127, 2.0 ** 127, 2.0 ** 126]),
    ({"init": 2.0 ** 127, "interval": 1, "growth": 1e308}, [1, 1], [2.0 ** 127] * 2),
    ({"init": 8, "interval": 1, "dynamic": False}, [1, 1, 0, 0, 1], [8] * 5),
    ({"init": 2.0 ** -20, "dynamic": False}, [1, 0], [2.0 ** -20] * 2)])
def test_the_scale_after_each_gradient(settings, pattern, expected):
    assert scales(LossScaler(**settings), pattern) == near(expected, rel=1e-15)


def test_the_defaults():
    scaler = LossScaler()
    assert scales(scaler, [1] * 2000) == [65536.0] * 1999 + [131072.0]
    assert scales(scaler, [0] * 40)[-1] == 2.0 ** -14


@given(st.lists(st.booleans(), max_size=60), st.integers(1, 5), st.sampled_from([2.0, 4.0]),
       st.sampled_from([0.5, 0.25]), st.integers(-14, 16), st.integers(-14, 127))
@QUICK
def test_the_scale_stays_within_its_bounds(pattern, interval, growth, backoff, low, init):
    smallest, init = 2.0 ** min(low, init), 2.0 ** max(low, init)
    found = scales(LossScaler(init, growth, backoff, interval, smallest), pattern)
    assert all(smallest <= value <= 2.0 ** 127 for value in found)
    for fine, before, after in zip(pattern, [init, *found], found, strict=False):
        assert after >= before if fine else (after < before or after == smallest)


# ----------------------------------------------------------------------------------- where the scale is not to blame

BLAMELESS = pytest.mark.parametrize(("scaler", "text"), [
    (lambda: LossScaler(4.0, dynamic=False), "the static scale, 4"),
    (lambda: LossScaler(4.0, smallest=4.0), "the smallest scale, 4")])


@BLAMELESS
def test_what_overflows_there_goes_on_to_the_finite_check(scaler, text):
    scaler, params, trace = scaler(), {"1.weight": param([1.0, 2.0]), "1.bias": param([3.0])}, mg.NormTrace()
    opt = optim.SGD(params, lr=0.1, hooks=[Unscale(scaler), NonFinite()], trace=trace)
    params["1.weight"].grad, params["1.bias"].grad = [INF, 8.0], [4.0]
    with pytest.raises(FloatingPointError, match=r"1\.weight \(1 inf of 2\)") as caught:
        opt.step()
    assert "1.bias" not in str(caught.value)
    assert [p.tolist() for p in params.values()] == [[1.0, 2.0], [3.0]]
    _, unscale, finite = trace.select(outcome="raise")
    assert (unscale.status, unscale.reason) == ("pass", f"not finite at {text}: 1.weight (1 inf of 2)")
    assert (unscale.coefficient, finite.status) == (0.25, "raise")
    assert math.isnan(unscale.cosine)


@BLAMELESS
def test_what_the_finite_check_lets_through_is_unscaled(scaler, text):
    for policy, expected in (("zero", [0.0, -2.0]), ("propagate", [-INF, -2.0])):
        w = param([0.0, 0.0])
        opt = optim.SGD([w], lr=1.0, hooks=[Unscale(scaler()), NonFinite(policy)])
        w.grad = [INF, 8.0]
        assert (opt.step().status, w.tolist()) == ("step", expected)


@BLAMELESS
def test_skips_of_the_finite_check_are_counted_and_too_many_raise(scaler, text):
    scaler = scaler()
    w, opt = sgd(scaler, NonFinite("skip", max_consecutive=3))
    assert train(w, scaler, opt, [NAN] * 3) == [("skip", 4.0, 0.0)] * 3
    with pytest.raises(FloatingPointError, match="3 gradients in a row"):
        train(w, scaler, opt, [NAN])
    assert (opt.skipped, opt.micro_steps) == (3, 3)


@BLAMELESS
def test_without_a_finite_check_the_optimizer_warns(scaler, text):
    scaler = scaler()
    w, opt = sgd(scaler)
    with pytest.warns(RuntimeWarning, match="not finite at update 0, in param0"):
        train(w, scaler, opt, [NAN])


def test_a_nan_that_is_always_there_ends_the_run():
    """It looks like an overflow 30 times, down to the smallest scale, and 10 times more it is skipped."""
    scaler = LossScaler()
    w, opt = sgd(scaler, NonFinite("skip"))
    with pytest.raises(FloatingPointError, match="10 gradients in a row"):
        train(w, scaler, opt, [NAN] * 100)
    assert (opt.skipped, scaler.value, w.item()) == (40, 2.0 ** -14, 0.0)


def test_one_skip_says_which_parameter_and_both_scales():
    scaler = LossScaler(16.0)
    w, opt = sgd(scaler, NonFinite())
    w.grad = [scaler.scale(INF)]
    report = opt.step()
    assert report.reason == "not finite at scale 16: param0 (1 inf of 1); the scale is 8 now"
    assert (report.stages[-1].hook, report.stages[-1].status, report.stages[-1].extra) == ("Unscale", "skip",
                                                                                           {"scale": 16.0})


# ------------------------------------------------------------------------------------------ a skip is as if nothing was

@every_optimizer
def test_what_overflowed_leaves_no_trace_but_in_the_scale(make):
    """Neither in windows, nor moments, nor Adam's t, nor a schedule: the same as without, to the bit."""
    rng = np.random.default_rng(0)
    good, ends = list(rng.normal(size=(12, 3))), []
    bad = [g for pair in zip(good, [np.array([1.0, INF, 1.0])] * 12, strict=True) for g in pair]
    for gradients in (good, bad):
        w, scaler = param([1.0, 2.0, 3.0]), LossScaler(2.0 ** 10, interval=3)
        opt = make([w], lr=lambda step: 0.1 / (1 + step),
                   hooks=[Unscale(scaler), NonFinite(), Accumulate(2), ClipNorm(lambda step: 1.0 + step)])
        for g in gradients:
            w.grad = scaler.scale(g)
            opt.step()
        ends.append(w.data.tobytes())
    assert ends[0] == ends[1]
    assert (opt.updates, opt.held, opt.skipped, opt.micro_steps) == (6, 6, 12, 24)
    assert scaler.value == 2.0 ** -2


@given(st.lists(st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=3), min_size=1, max_size=12), st.integers(1, 4),
       st.integers(-14, 60))
@QUICK
def test_a_run_with_a_growing_scale_is_the_run_without(gradients, interval, init):
    """Powers of two round nothing, so that no bit differs, in any step; numbers near 0 aside."""
    gradients = [[0.0 if abs(x) < 1e-200 else x for x in g] for g in gradients]
    scaler, plain, scaled = LossScaler(2.0 ** init, interval=interval), param([1.0] * 3), param([1.0] * 3)
    one = optim.Adam([plain], lr=0.1, hooks=[NonFinite(), ClipNorm(1.0)])
    two = optim.Adam([scaled], lr=0.1, hooks=[Unscale(scaler), NonFinite(), ClipNorm(1.0)])
    for g in gradients:
        plain.grad, scaled.grad = g, scaler.scale(np.array(g))
        one.step()
        two.step()
        assert plain.data.tobytes() == scaled.data.tobytes()


# ----------------------------------------------------------------------------------------------- the loss

@FLOATS
@pytest.mark.parametrize("kind", [param, np.array], ids=["tensor", "array"])
def test_a_loss_is_scaled_in_at_least_float32(kind, dtype):
    scaled = LossScaler().scale(kind([3.0], dtype=dtype))
    assert (scaled.dtype, scaled.tolist()) == (np.promote_types(dtype, np.float32), [196608.0])


@pytest.mark.parametrize(("loss", "expected"), [
    (3, 24.0), (0.5, 4.0), (np.float16(60000), 480000.0), (np.float64(2), 16.0), (np.array(3), 24.0), (INF, INF)])
def test_numbers_are_losses_too(loss, expected):
    assert LossScaler(8.0).scale(loss) == expected


@pytest.mark.parametrize("loss", [None, "1.0", [1.0], True, 1j, np.array(1j), np.array(True)])
def test_what_is_no_loss(loss):
    scaler = LossScaler(8.0)
    with pytest.raises(TypeError, match=r"a tensor or a number"):
        scaler.scale(loss)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_gradient_is_right_where_the_scaled_loss_is_inf(dtype):
    """A float32 loss of 100 times 2**126 is inf; its gradient is 2**126 times the other all the same."""
    w, scaler = param([100.0], dtype), LossScaler(2.0 ** 126)
    loss = scaler.scale((w.astype(np.float32) ** 2).sum() * 1e-2)
    loss.backward()
    assert loss.item() == INF
    assert apply_hooks([Unscale(scaler)], {"w": w.grad.data})["w"] == pytest.approx([2.0], rel=1e-6)


def test_several_losses_share_the_scale_of_a_step():
    w, scaler = param([0.0]), LossScaler(8.0, interval=1)
    opt = optim.SGD([w], lr=1.0, hooks=[Unscale(scaler), NonFinite()])
    for factor in (1.0, 2.0):
        scaler.scale((w * factor).sum()).backward()
    assert (w.grad.tolist(), opt.step().status, w.tolist()) == ([24.0], "step", [-3.0])


# ----------------------------------------------------------------------------------------------- the division

@FLOATS
@given(st.lists(st.floats(width=16, allow_nan=False, allow_infinity=False), min_size=1), st.integers(-14, 100))
@QUICK
def test_powers_of_two_are_divided_by_exactly(dtype, numbers, exponent):
    """Of float16 with its subnormal numbers, too: in float32 these are normal."""
    grads = {"w": np.array(numbers, dtype), "none": None}
    out = apply_hooks([Unscale(LossScaler(2.0 ** exponent, smallest=2.0 ** -20))], grads)
    assert out["w"].dtype == np.promote_types(dtype, np.float32)
    assert out["w"].tolist() == [math.ldexp(x, -exponent) for x in numbers]
    assert out["none"] is None


@pytest.mark.parametrize(("g", "dtype", "scale", "expected"), [
    (2.0 ** -24, np.float16, 65536.0, 2.0 ** -40),              # the smallest float16
    (65504.0, np.float16, 2.0 ** -14, 65504.0 * 2 ** 14),        # would be inf in float16
    (1e30, np.float32, 2.0 ** 126, 1e30 / 2.0 ** 126),
    (1e-5, np.float32, 2.0 ** 127, 42 * 2.0 ** -149),           # below the normal numbers: to the nearest
    (1e-10, np.float32, 2.0 ** 127, 0.0),                       # what vanishes in float32 is not to be saved
    (3e38, np.float32, 2.0 ** -14, INF), (1e308, np.float64, 2.0 ** -14, INF),       # nor what does not fit
    (1e308, np.float64, 2.0 ** 127, 1e308 / 2.0 ** 127), (1e-300, np.float64, 2.0 ** -126, 1e-300 * 2.0 ** 126),
    (3.0, np.float32, 3.0, 1.0), (1.0, np.float64, 3.0, 1 / 3)])
def test_the_ends_of_the_floats(g, dtype, scale, expected):
    out = apply_hooks([Unscale(LossScaler(scale, dynamic=False))], {"w": np.array([g], dtype)})["w"]
    assert out[0] == pytest.approx(expected, rel=1e-6 if out.dtype == np.float32 else 1e-15, abs=0)


def test_finite_numbers_with_a_norm_of_inf_are_no_overflow():
    scaler = LossScaler(4.0)
    out = apply_hooks([Unscale(scaler)], {"w": np.array([1.7e308, 1.7e308])})
    assert (out["w"].tolist(), scaler.value, scaler.count) == ([1.7e308 / 4] * 2, 4.0, 1)


def test_a_gradient_of_zero_is_finite_and_not_turned():
    scaler = LossScaler(8.0, interval=1)
    w, opt = sgd(scaler, NonFinite())
    w.grad = [0.0]
    stage = opt.step().stages[1]
    assert (stage.norm_out, stage.coefficient, stage.cosine, scaler.value) == (0.0, 1 / 8, 1.0, 16.0)


def test_at_scale_1_there_is_nothing_to_do():
    grads = {"w": np.ones(2), "b": np.ones(2, np.float16), "none": None}
    out = Unscale(LossScaler(1.0))(grads, Noted(grads))
    assert out["w"] is grads["w"]
    assert (out["b"].dtype, out["b"].tolist(), out["none"]) == (np.float32, [1.0, 1.0], None)


class Noted:
    """As much of a context as the hook looks at."""

    def __init__(self, grads):
        self.norm = 1.0

    def note(self, **measured):
        pass


def test_the_gradient_of_backward_is_not_written_into():
    scaler = LossScaler(4.0)
    w, opt = sgd(scaler, NonFinite())
    w.grad = array = np.array([4.0])
    opt.step()
    assert (array.tolist(), w.grad.tolist(), w.tolist()) == ([4.0], [4.0], [-1.0])


def test_the_trace_has_the_scale_and_what_it_did():
    scaler, trace = LossScaler(8.0, interval=1), mg.NormTrace(per_parameter=True)
    w, opt = sgd(scaler, NonFinite(), trace=trace)
    train(w, scaler, opt, [3.0, 3.0, INF, 3.0])
    assert trace.column("norm_in", stage=0).tolist() == [24.0, 48.0, INF, 48.0]
    assert trace.column("coefficient", hook="Unscale")[[0, 1, 3]].tolist() == [1 / 8, 1 / 16, 1 / 16]
    assert trace.column("cosine", hook="Unscale")[[0, 1, 3]].tolist() == [1.0] * 3
    assert trace.column("norm_out", hook="Unscale")[[0, 1, 3]].tolist() == [3.0] * 3
    assert trace.column("extra", hook="Unscale").tolist() == [f'{{"scale": {s}}}' for s in (8.0, 16.0, 32.0, 16.0)]
    assert trace.column("status", hook="Unscale").tolist() == ["pass", "pass", "skip", "pass"]


# ----------------------------------------------------------------------------------------------- bad arguments

@pytest.mark.parametrize("arguments", [(None,), (65536.0,), (LossScaler,), ("dynamic",)])
def test_unscale_wants_a_scaler(arguments):
    with pytest.raises(TypeError, match=r"scaler = hooks\.LossScaler\(\)"):
        Unscale(*arguments)


@pytest.mark.parametrize(("arguments", "text"), [
    *(({"init": bad}, "init") for bad in (0, -1.0, NAN, INF, "8", None, True, 1e-300, 2.0 ** 128)),
    *(({"growth": bad}, "growth") for bad in (1, 0.5, -2, NAN, INF, "2", None)),
    *(({"backoff": bad}, "backoff") for bad in (0, 1, 2, -0.5, NAN, "0.5", None)),
    *(({"interval": bad}, "interval") for bad in (0, -1, 1.5, NAN, INF, np.float64(INF), "2", None, True)),
    *(({"smallest": bad}, "smallest") for bad in (0, -1, NAN, INF, 1e-300, None, 65537.0)),
    *(({"dynamic": bad}, "dynamic") for bad in ("no", None, 2))])
def test_bad_arguments(arguments, text):
    with pytest.raises(ValueError, match=rf"^{text}\b"):
        LossScaler(**arguments)


def test_how_they_are_shown():
    assert repr(LossScaler()) == "LossScaler(65536.0)"
    assert repr(LossScaler(128, dynamic=False)) == "LossScaler(128.0, dynamic=False)"
    assert repr(LossScaler(np.float32(8), 4, 0.25, np.int64(10), 1)) == ("LossScaler(8.0, growth=4.0, backoff=0.25, "
                                                                         "interval=10, smallest=1.0)")

"""Adaptive clips: thresholds that follow from the norms seen so far, and what must leave no trace in them."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minigrad as mg
from minigrad import optim
from minigrad.hooks import AutoClip, ClipAverage, ClipNorm, Context, NonFinite, Pipeline, ZClip, apply_hooks
from minigrad.norms import norm

QUICK = settings(max_examples=60, deadline=None, derandomize=True, database=None)
INF, NAN = math.inf, math.nan

KINDS = {
    "AutoClip": lambda: AutoClip(30, history=40), "ClipAverage": lambda: ClipAverage(0.9, history=40, warmup=5),
    "ZClip": lambda: ZClip(alpha=0.9, z=0.5, warmup=5)}
each = pytest.mark.parametrize("make", KINDS.values(), ids=KINDS)


def run(hook, grads, step=0):
    ctx = Context(step=step, micro_step=step, weight=1.0, lr=1.0, params={}, norm=norm(grads.values()))
    out, (stage,) = Pipeline([hook]).run(grads, ctx, counts=True)
    return out, stage


def lengths(hook, norms):
    """The norms that gradients of one element have afterwards, and the thresholds."""
    stages = [run(hook, {"w": np.array([float(x)])}, step)[1] for step, x in enumerate(norms)]
    return [s.norm_out for s in stages], [s.threshold for s in stages]


def drawn(n, seed=0):
    return np.random.default_rng(seed).lognormal(size=n)


# ------------------------------------------------------------------------------------ what they have in common

@each
@pytest.mark.parametrize("bad", [NAN, INF, -INF])
@pytest.mark.parametrize("at", [0, 2, 100, 199])
def test_one_that_is_not_finite_among_200_changes_nothing_for_the_others(make, bad, at):
    """To the bit; itself it passes as it is, which is NonFinite's business."""
    norms = drawn(200)
    clean, thresholds = lengths(make(), norms)
    hook, grads = make(), {"w": np.array([bad]), "b": np.array([1.0])}
    got = [lengths(hook, norms[:at])]
    out, stage = run(hook, grads)
    assert all(out[name] is g for name, g in grads.items())
    assert "not finite" in stage.reason
    assert stage.threshold is None
    got.append(lengths(hook, norms[at:]))
    assert [got[0][0] + got[1][0], got[0][1] + got[1][1]] == [clean, thresholds]
    assert any(c < x for c, x in zip(clean, norms, strict=True))


@each
@pytest.mark.parametrize("at", [0, 2, 100])
def test_a_gradient_of_zero_changes_nothing_for_the_others(make, at):
    norms = drawn(120)
    hook = make()
    first = lengths(hook, norms[:at])[0]
    zero = {"w": np.zeros(3), "none": None}
    assert all(run(hook, zero)[0][name] is g for name, g in zero.items())
    assert first + lengths(hook, norms[at:])[0] == lengths(make(), norms)[0]


@each
def test_zeros_alone_give_no_threshold_and_a_later_gradient_is_not_zeroed(make):
    out, thresholds = lengths(make(), [0.0] * 50 + [1.0, 1.0, 1.0])
    assert out == [0.0] * 50 + [1.0, 1.0, 1.0]
    assert all(t is None or t > 0 for t in thresholds)


@each
@pytest.mark.parametrize("length", [1.0, 0.1, 1 / 3, 1e-300, 1e300, 5e-324])
def test_equal_norms_are_never_clipped(make, length):
    hook = ClipAverage(1.0, warmup=3) if isinstance(make(), ClipAverage) else make()
    g = np.array([length])
    assert all(run(hook, {"w": g})[0]["w"] is g for _ in range(200))


@each
@given(seed=st.integers(0, 1000), k=st.integers(-200, 200))
@QUICK
def test_gradients_and_thresholds_scale_together(make, seed, k):
    norms = drawn(60, seed)
    out, thresholds = lengths(make(), norms)
    scaled, at = lengths(make(), np.ldexp(norms, k))
    assert np.allclose(scaled, np.ldexp(out, k), rtol=1e-12, atol=0)
    assert np.allclose(at, np.ldexp(thresholds, k), rtol=1e-12, atol=0)


@each
@pytest.mark.parametrize(("low", "high"), [(-300, 300), (-320, -290), (290, 308), (-8, 8)])
def test_extreme_magnitudes(make, low, high):
    """Finite norms give finite thresholds above 0, and no gradient is zeroed or made longer."""
    hook, rng = make(), np.random.default_rng(4)
    for step in range(150):
        g = rng.normal(size=5)
        g *= 10.0 ** rng.uniform(low, high) / norm(g)
        out, stage = run(hook, {"w": g}, step)
        assert not math.isnan(stage.threshold)
        assert 0 < stage.norm_out <= stage.norm_in < INF
        assert stage.norm_out <= stage.threshold + 1e-322         # the least floats have few digits
        assert (out["w"] is g) == (stage.norm_in <= stage.threshold)


@each
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_dtype_direction_missing_gradients_and_read_only_inputs(make, dtype):
    hook, clipped = make(), 0
    for step, length in enumerate(drawn(60)):
        grads = {"a": np.array([0.6, 0.0], dtype) * dtype(length), "none": None, "b": np.array(0.8 * length, dtype)}
        for g in (grads["a"], grads["b"]):
            g.flags.writeable = False
        out, stage = run(hook, grads, step)
        assert (out["a"].dtype, out["b"].dtype, out["b"].shape, out["none"]) == (dtype, dtype, (), None)
        assert stage.norm_out <= stage.threshold * (1 + 4 * float(np.finfo(dtype).eps))
        assert stage.cosine == pytest.approx(1.0, abs=1e-6)
        clipped += stage.clipped
    assert 5 < clipped < 60


@each
def test_a_finite_gradient_beyond_the_floats_is_clipped_and_not_remembered(make):
    norms = drawn(100)
    hook = make()
    first = lengths(hook, norms[:50])[0]
    out, stage = run(hook, {"w": np.array([1.7e308, 1.7e308])})
    assert stage.norm_in == INF
    assert norm(out["w"]) == pytest.approx(stage.threshold, rel=1e-14)
    assert stage.threshold < 10
    assert first + lengths(hook, norms[50:])[0] == lengths(make(), norms)[0]
    fresh = {"w": np.array([1.7e308, 1.7e308])}
    assert run(make(), fresh)[0]["w"] is fresh["w"]                 # nothing is known yet


@each
@pytest.mark.parametrize("through_a_file", [False, True])
def test_a_saved_run_goes_on_to_the_bit(make, through_a_file, tmp_path):
    norms = drawn(60)
    whole = lengths(make(), norms)
    for cut in range(0, 60, 1 if not through_a_file else 7):
        first, second = make(), make()
        begun = lengths(first, norms[:cut])
        state = first.state_dict()
        if through_a_file:
            mg.save(state, tmp_path / "state")
            state = mg.load(tmp_path / "state")
        lengths(first, drawn(9, 5))                                  # the copy is nobody else's
        second.load_state_dict(state)
        rest = lengths(second, norms[cut:])
        assert (begun[0] + rest[0], begun[1] + rest[1]) == whole
    second.reset()
    assert lengths(second, norms) == whole


@each
def test_a_state_of_another_hook_is_refused(make):
    with pytest.raises(ValueError, match=r"lacks .*has 'seen'; it is of another kind"):
        make().load_state_dict({"seen": 0})


@each
def test_a_step_that_raises_leaves_no_norm_behind(make):
    norms, raised = drawn(40), []

    def fail_once(grads, ctx):
        if ctx.step == 20 and not raised:
            raised.append(1)
            raise RuntimeError("once")
        return grads

    def train(*more):
        w = mg.tensor([0.0], requires_grad=True)
        opt = optim.SGD([w], lr=1.0, hooks=[make(), *more])
        for x in norms:
            w.grad = [float(x)]
            try:
                opt.step()
            except RuntimeError:
                opt.step()
        return w.item()

    assert train(fail_once) == train()
    assert raised


@each
def test_a_skipped_micro_batch_is_not_seen_to_the_right_of_the_check(make):
    def train(gradients):
        w = mg.tensor([0.0], requires_grad=True)
        opt = optim.SGD([w], lr=1.0, hooks=[NonFinite("skip"), make()])
        for g in gradients:
            w.grad = [g]
            opt.step()
        return w.item()

    norms = drawn(40).tolist()
    assert train([*norms[:17], NAN, *norms[17:]]) == train(norms)


# ---------------------------------------------------------------------------------------------------- AutoClip

@pytest.mark.parametrize("percentile", [10, 25, 50, 90, 100])
@pytest.mark.parametrize("history", [1, 7, 1000])
def test_autoclip_is_the_percentile_of_what_came_with_the_present_one(percentile, history):
    norms = drawn(100)
    out, thresholds = lengths(AutoClip(percentile, history), norms)
    for t in range(100):
        expected = np.percentile(norms[max(0, t + 1 - history):t + 1], percentile)
        assert thresholds[t] == expected
        assert out[t] == pytest.approx(min(norms[t], expected), rel=1e-15)


def test_autoclip_at_10_clips_about_nine_steps_in_ten():
    norms = drawn(3000)
    for history in (1000, 10 ** 9):
        out, _ = lengths(AutoClip(10, history), norms)
        assert 0.87 < np.mean(np.array(out) < norms * (1 - 1e-12)) < 0.93


def test_autoclip_never_clips_at_100_nor_with_a_history_of_one():
    norms = drawn(50)
    for hook in (AutoClip(100), AutoClip(10, history=1)):
        assert lengths(hook, norms)[0] == norms.tolist()


def test_autoclip_is_bounded():
    hook = AutoClip(history=5)
    lengths(hook, range(1, 20))
    assert hook.norms.tolist() == [15.0, 16.0, 17.0, 18.0, 19.0]
    assert hook.norms.dtype == np.float64


def test_autoclip_takes_a_percentile_that_is_a_function_of_the_step():
    norms = drawn(10)
    _, thresholds = lengths(AutoClip(lambda step: 10 * (step + 1)), norms)
    assert thresholds == [np.percentile(norms[:t + 1], 10 * (t + 1)) for t in range(10)]


# ------------------------------------------------------------------------------------------------------- ZClip

def zclip_by_hand(norms, alpha, z, warmup):
    """The definition, with a variance where ZClip keeps its root."""
    out, mean, variance = list(norms[:warmup]), np.mean(norms[:warmup]), np.var(norms[:warmup])
    for x in norms[warmup:]:
        score = (x - mean) / math.sqrt(variance)
        x = mean + z * z / score * math.sqrt(variance) if score > z else x
        mean = alpha * mean + (1 - alpha) * x
        variance = alpha * variance + (1 - alpha) * (x - mean) ** 2
        out.append(x)
    return out


@pytest.mark.parametrize(("alpha", "z", "warmup"), [(0.97, 2.5, 25), (0.9, 0.5, 2), (0.9, 2.0, 10), (0.99, 1.0, 100)])
def test_zclip_is_its_definition(alpha, z, warmup):
    norms = 1 + 0.2 * np.random.default_rng(8).normal(size=300)
    norms[[30, 120, 121, 250]] *= 50
    out, _ = lengths(ZClip(alpha, z, warmup), norms)
    assert np.allclose(out, zclip_by_hand(norms, alpha, z, warmup), rtol=1e-9, atol=0)
    assert max(out[warmup:]) < 5


def test_zclip_by_numbers():
    """Mean 3 and deviation 1; 5 is z deviations above, no more; 11 is 8 above: 3 + 2 (2 / 8) 1 = 3.5."""
    hook = ZClip(alpha=0.5, z=2.0, warmup=2)
    assert lengths(hook, [2.0, 4.0])[1] == [INF, INF]
    state = hook.state_dict()
    assert (state["mean"], state["deviation"], state["norms"].size) == (3.0, 1.0, 0)
    for length, out, threshold, score in ((5.0, 5.0, 5.0, 2.0), (11.0, 3.5, 3.5, 8.0), (1.0, 1.0, 5.0, -2.0)):
        hook.load_state_dict(state)
        _, stage = run(hook, {"w": np.array([length])})
        assert (stage.norm_out, stage.threshold, stage.extra) == (out, threshold, {"zscore": score})
        mean = (3 + out) / 2                              # what was clipped is taken up as it went on
        assert hook.mean == pytest.approx(mean, rel=1e-15)
        assert hook.deviation == pytest.approx(math.sqrt((1 + (out - mean) ** 2) / 2), rel=1e-15)


def test_zclip_clips_spikes_and_little_else():
    norms = 1 + 0.1 * np.random.default_rng(9).normal(size=2000)
    spikes = np.arange(100, 2000, 100)
    norms[spikes] = 40.0
    clipped = np.array(lengths(ZClip(), norms)[0]) < norms * (1 - 1e-12)
    assert clipped[spikes].all()
    assert np.delete(clipped, spikes).mean() < 0.03


@pytest.mark.parametrize("length", [1.0, 0.1, 1e-200, 1e200])
def test_zclip_after_equal_norms_takes_up_the_first_other_one(length):
    """There is no spread to measure by: it is not clipped, and before long none of its like is."""
    norms = length * np.array([1.0] * 30 + [1.5, 0.9, 1.3, 1.0, 1.6] * 20)
    out = lengths(ZClip(), norms)[0]
    assert out[30] == norms[30]
    assert out[-40:] == norms[-40:].tolist()


def test_zclip_holds_the_old_level_for_hundreds_of_steps_and_then_lets_go():
    norms = 1 + 0.1 * np.random.default_rng(0).normal(size=2000)
    norms[100:] *= 10
    clipped = np.array(lengths(ZClip(), norms)[0]) < norms * (1 - 1e-12)
    assert clipped[100:600].all()
    assert clipped[-500:].mean() < 0.05


def test_zclip_s_threshold_may_be_a_function_of_the_step():
    norms = [2.0, 4.0, 11.0]
    assert lengths(ZClip(z=lambda step: 1.0 + step / 2, warmup=2), norms)[0] == [2.0, 4.0, 3.5]
    assert lengths(ZClip(z=INF, warmup=2), norms)[0] == norms


# ------------------------------------------------------------------------------------------------- ClipAverage

@pytest.mark.parametrize(("factor", "history", "warmup"), [(2.0, 1000, 25), (0.5, 10, 10), (1.0, 5, 1), (10.0, 30, 3)])
def test_the_average_is_of_what_came_before(factor, history, warmup):
    norms = drawn(100)
    out, thresholds = lengths(ClipAverage(factor, history, warmup), norms)
    for t in range(100):
        expected = INF if t < warmup else factor * np.mean(norms[max(0, t - history):t])
        assert thresholds[t] == pytest.approx(expected, rel=1e-14)
        assert out[t] == pytest.approx(min(norms[t], expected), rel=1e-14)


def test_a_spike_raises_the_average_by_its_share():
    hook = ClipAverage(2.0, history=10)
    out, thresholds = lengths(hook, [1.0] * 10 + [101.0] + [1.0] * 11)
    assert out[10] == 2.0
    assert thresholds[10:] == [2.0] + [pytest.approx(22.0)] * 10 + [2.0]


def test_the_factor_may_be_a_function_of_the_step():
    assert lengths(ClipAverage(lambda step: 1.0 / step if step else 1.0, warmup=1), [4.0] * 3)[0] == [4.0, 4.0, 2.0]
    assert lengths(ClipAverage(INF, warmup=1), [1.0, 9.0])[0] == [1.0, 9.0]


def test_a_threshold_that_underflows_is_not_zero():
    out, thresholds = lengths(ClipAverage(0.01, warmup=1), [5e-324, 1.0])
    assert (thresholds[1], out[1]) == (5e-324, 5e-324)


def test_the_warmup_is_no_longer_than_the_history_by_default():
    assert (ClipAverage().warmup, ClipAverage(history=7).warmup) == (25, 7)


# --------------------------------------------------------------------------------------------- clipped as a norm

@each
def test_what_is_scaled_is_scaled_as_clipnorm_does(make):
    hook, rng = make(), np.random.default_rng(3)
    for step in range(50):
        grads = {"a": rng.normal(size=3), "b": rng.normal(size=(2, 2)).astype(np.float32)}
        out, stage = run(hook, grads, step)
        same = apply_hooks([ClipNorm(stage.threshold)], grads)
        assert all(out[name].tobytes() == g.tobytes() for name, g in same.items())


# --------------------------------------------------------------------------------------------------- bad input

BAD = [0, -1, NAN, "1", b"1", True, None, [1.0], 1j]


@pytest.mark.parametrize("bad", BAD)
def test_numbers_above_zero(bad):
    for make in (AutoClip, ClipAverage, lambda z: ZClip(z=z)):
        with pytest.raises(ValueError, match="> 0"):
            make(bad)
        hook = make(lambda step: bad)
        with pytest.raises(ValueError, match="> 0"):
            apply_hooks([hook], {"w": np.ones(1)})
        assert all(v is None or not len(v) for v in hook.state_dict().values())         # nothing is remembered
    for make in (lambda n: AutoClip(history=n), lambda n: ClipAverage(history=n), lambda n: ZClip(warmup=n)):
        with pytest.raises(ValueError, match="whole number"):
            make(bad)


@pytest.mark.parametrize(("make", "text"), [
    (lambda: AutoClip(100.5), "percentile = 100.5"), (lambda: AutoClip(INF), "percentile = inf"),
    (lambda: AutoClip(history=2.5), "history = 2.5"), (lambda: AutoClip(history=INF), "history = inf"),
    (lambda: ClipAverage(history=5, warmup=6), "warmup = 6"), (lambda: ClipAverage(warmup=0), "warmup = 0"),
    (lambda: ZClip(alpha=1.0), "alpha = 1.0"), (lambda: ZClip(alpha=0), "alpha = 0"),
    (lambda: ZClip(alpha=NAN), "alpha = nan"), (lambda: ZClip(alpha=True), "alpha = True"),
    (lambda: ZClip(alpha="1"), "alpha = '1'"), (lambda: ZClip(warmup=1), "warmup = 1")])
def test_bad_arguments(make, text):
    with pytest.raises(ValueError, match=text):
        make()


@pytest.mark.parametrize("text", [
    "AutoClip(10.0, history=1000)", "AutoClip(50.0, history=3)", "ClipAverage(2.0, history=1000, warmup=25)",
    "ZClip(alpha=0.97, z=2.5, warmup=25)"])
def test_the_representation_is_the_call(text):
    assert repr(eval(text)) == text

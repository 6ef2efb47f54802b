"""Adaptive clips: states and thresholds that cannot be are refused, and what is loaded is a copy."""

import numpy as np
import pytest
from test_adaptive_clip import INF, NAN, drawn, each, lengths, run

from minigrad.hooks import AutoClip, ClipAverage, ClipNorm, LossScaler, OrderError, Pipeline, Unscale, ZClip

NORMS = [([1.0, 2.0], "norms = .1.0, 2.0."), (np.array([1, 2]), "floats"), (np.ones((2, 2)), "one axis"),
         (np.array(1.0), "one axis"), (np.array([1.0, 0.0]), "norms holds 0.0"), (np.array([NAN]), "norms holds nan"),
         (np.array([2.0, INF]), "norms holds inf"), (np.array([-1.0]), "norms holds -1.0"), (None, "norms = None")]


@each
@pytest.mark.parametrize(("norms", "text"), NORMS)
def test_norms_that_cannot_have_been_seen_are_refused(make, norms, text):
    hook = make()
    lengths(hook, drawn(3))
    before = hook.state_dict()
    with pytest.raises(ValueError, match=f"{type(hook).__name__}: .*{text}"):
        hook.load_state_dict({**before, "norms": norms})
    assert hook.norms.tolist() == before["norms"].tolist()


@each
def test_what_is_loaded_is_a_copy(make):
    hook, given = make(), np.array([1.0, 2.0])
    hook.load_state_dict({**hook.state_dict(), "norms": given})
    given[:] = 100.0
    assert hook.norms.tolist() == [1.0, 2.0]
    hook.state_dict()["norms"][:] = 100.0
    assert hook.norms.tolist() == [1.0, 2.0]


@each
def test_they_stand_right_of_unscale(make):
    clip, scaler = make(), Unscale(LossScaler())
    with pytest.raises(OrderError, match=f"{type(clip).__name__} stands left of Unscale: a clip would see"):
        Pipeline([clip, scaler])
    assert list(Pipeline([scaler, clip])) == [scaler, clip]


@each
@pytest.mark.parametrize("norms", [[1.7e308, 1e308] * 20, [1e308, 1e300] * 20, [5e-324, 1.7e308] * 20])
def test_what_they_remember_themselves_they_take_up_again(make, norms):
    """Also where a sum of squares would be beyond the floats."""
    hook = make()
    for x in norms:
        lengths(hook, [x])
        hook.load_state_dict(hook.state_dict())


@pytest.mark.parametrize(("mean", "deviation", "text"), [
    (None, 1.0, "mean = None and deviation = 1.0"), (1.0, None, "mean = 1.0 and deviation = None"),
    (0.0, 1.0, "mean = 0.0: must be a finite number > 0"), (NAN, 1.0, "mean = nan"), (INF, 1.0, "mean = inf"),
    (1.0, -1.0, "deviation = -1.0: must be a finite number >= 0"), (1.0, INF, "deviation = inf"),
    ("1", 1.0, "mean = '1'"), (True, 1.0, "mean = True"), (1.0, np.ones(2), "deviation = array")])
def test_zclip_refuses_statistics_that_cannot_be(mean, deviation, text):
    hook = ZClip(warmup=2)
    lengths(hook, [1.0, 2.0, 3.0])
    before = hook.state_dict()
    with pytest.raises(ValueError, match=f"ZClip: {text}"):
        hook.load_state_dict({"norms": np.zeros(0), "mean": mean, "deviation": deviation})
    assert (hook.mean, hook.deviation) == (before["mean"], before["deviation"])


@pytest.mark.parametrize(("make", "text"), [
    (lambda f: AutoClip(f), "AutoClip at update 30: percentile = 0.0"),
    (lambda f: ClipAverage(f), "ClipAverage at update 30: threshold = 0.0"),
    (lambda f: ZClip(z=f), "ZClip at update 30: threshold = 0.0"),
    (lambda f: ClipNorm(f), "ClipNorm at update 30: threshold = 0.0: must be > 0")])
def test_a_function_that_reaches_zero_is_named_with_the_step(make, text):
    hook = make(lambda step: 1 - step / 30)
    lengths(hook, [1.0] * 30)
    with pytest.raises(ValueError, match=text):
        run(hook, {"w": np.ones(1)}, 30)

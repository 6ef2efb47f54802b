"""What a summary says of runs that were resumed, or begin high, or lose their loss; and of logs with thresholds."""

import math

import numpy as np
import pytest

from minigrad.trace import NormTrace

INF, NAN = math.inf, math.nan


def of(values, **others):
    """A trace of norms from elsewhere."""
    return NormTrace.from_columns({"norm_in": np.asarray(values, float), **others})


def resumed(pieces):
    """The trace of a run that was resumed: pieces (first step, list of gradients of a and b)."""
    trace = NormTrace(per_parameter=True)
    for first, gradients in pieces:
        for k, (a, b) in enumerate(gradients):
            trace.record({"a": np.array([a]), "b": np.array([b])}, step=first + k)
    return trace


def test_of_a_run_that_was_resumed_the_first_call_that_was_not_finite_is_meant():
    usual = [(1.0, 1.0)] * 60
    trace = resumed([(0, [*usual[:25], (INF, 1.0)]), (20, [*usual[:5], (1.0, NAN), *usual[:9]])])
    s = trace.summary()
    assert s.not_finite == (25, ["a"])
    assert (s.calls.first, s.calls.last) == (0, 34)


def test_of_a_run_that_was_resumed_each_spike_has_its_own_riser():
    usual = [(1.0, 1.0)] * 60
    trace = resumed([(0, [*usual[:40], (100.0, 1.0), *usual]), (20, [*usual[:20], (1.0, 300.0), *usual[:9]])])
    found = trace.summary().spikes
    assert [(s.step, s.parameter) for s in found] == [(40, "b"), (40, "a")]
    assert trace.summary().title == "Gradient norm of 131 steps, 0 to 100"


@pytest.mark.parametrize("noise", [0.0, 0.2])
@pytest.mark.parametrize("lead", [[], [NAN, 0.0]])
def test_a_high_start_is_no_spike(noise, lead):
    values = (0.5 + 20 * np.exp(-np.arange(2000) / 12)) * np.exp(noise * np.random.default_rng(0).normal(size=2000))
    values[1000] = 200.0
    s = of([*lead, *values]).summary()
    assert (s.spike_count, s.spikes[0].step) == (1, 1000 + len(lead))
    lasted, times = s.start
    assert 18 <= lasted <= 40
    assert times > 20
    assert f"Start the first {lasted} calls" in " ".join(str(s).split())
    assert s.as_dict()["start"] == [lasted, times]


def test_a_run_that_begins_as_it_goes_on_has_no_start():
    assert of(np.exp(0.3 * np.random.default_rng(0).normal(size=500))).summary().start is None


def test_a_loss_that_is_not_finite_in_mid_run_is_said():
    s = of([1.0] * 6, loss=[2.0, 2.0, NAN, INF, 2.0, 2.0]).summary()
    assert s.loss_not_finite == (2, 2)
    assert "Loss 2; 2 not finite, first at step 2" in " ".join(str(s).split())
    assert of([1.0] * 2, loss=[2.0, 1.0]).summary().loss_not_finite is None


def test_a_log_with_thresholds_has_a_clip():
    s = NormTrace.from_columns({"norm_in": [4.0, 0.5], "norm_out": [1.0, 0.5], "coefficient": [0.25, 1.0],
                                "threshold": 1.0}).summary()
    assert (s.clipped.hook, s.clipped.share, s.clipped.of_norm) == ("the clip", 0.5, True)
    assert [d.place for d in s.norms] == ["before the clip", "after the clip"]

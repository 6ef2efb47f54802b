"""Traces that keep a part of the steps: every k-th, a sample; whole steps, in order, with totals that count all."""

import math
import pickle
from itertools import pairwise

import numpy as np
import pytest
from tracing import bits, sgd

import minigrad as mg
from minigrad.hooks import AGC, Accumulate, ClipNorm, ClipValue, NonFinite
from minigrad.trace import Totals

NAN = math.nan


def lengths(values):
    return [np.array([value, 0.0]) for value in values]


def recorded(steps, **options):
    trace = mg.NormTrace(**options)
    for step in range(steps):
        trace.record({"w": np.full(2, step + 1.0), "b": None}, step=step)
    return trace


@pytest.mark.parametrize(("steps", "every", "kept"), [
    (7, 1, [0, 1, 2, 3, 4, 5, 6]), (7, 3, [0, 3, 6]), (1, 5, [0]), (0, 2, []), (6, 3, [0, 3])])
def test_every_kth_step(steps, every, kept):
    trace = recorded(steps, every=every, per_parameter=True)
    assert trace.column("step", stage=0).tolist() == kept
    assert len(trace) == 3 * len(kept)
    assert trace.totals == Totals(steps, steps, 0, 0, 0)


def units_of(trace):
    """Return the rows of each step, as bits: of a call that is not held, and of the held ones before it."""
    units, ended = [], True
    for row in trace.rows:
        if row.stage == 0 and not row.parameter:
            if ended:
                units.append([])
            ended = row.outcome != "hold"
        units[-1] += bits([row])
    return units


@pytest.mark.parametrize("options", [{"every": 3}, {"reservoir": 4}, {"every": 2, "reservoir": 3}])
def test_a_step_is_kept_whole(options):
    """With the held micro-batches before it, its parameters, and its norms over time."""
    gradients = lengths([1.0, 2.0, NAN, 3.0, 4.0, 5.0] * 10)
    hooks = NonFinite("skip"), Accumulate(2), ClipNorm(2.0)
    everything = sgd(gradients, *hooks, trace=mg.NormTrace(per_parameter=True))
    trace = sgd(gradients, *hooks, trace=mg.NormTrace(per_parameter=True, **options))
    left = bits(trace)
    for unit in units_of(everything):
        if left[:len(unit)] == unit:
            del left[:len(unit)]
    assert not left
    assert 0 < len(trace) < len(everything)
    assert trace.totals == everything.totals
    assert trace.share_clipped() == everything.share_clipped()


def test_a_sample_has_its_size_and_its_order_and_is_that_of_its_seed():
    trace = recorded(1000, reservoir=20, rng=np.random.default_rng(3))
    steps = trace.column("step").tolist()
    assert len(steps) == 20
    assert all(a < b for a, b in pairwise(steps))
    assert recorded(1000, reservoir=20, rng=3) == trace
    assert recorded(1000, reservoir=20, rng=4) != trace
    assert recorded(1000, reservoir=20) == recorded(1000, reservoir=20, rng=0)
    assert recorded(15, reservoir=20) == recorded(15)


def test_a_sample_is_uniform():
    """Of 12 steps 4 are kept, each with probability 1/3: of 1500 samples 500, give or take 4 standard deviations."""
    counts = np.zeros(12)
    rng = np.random.default_rng(0)
    for _ in range(1500):
        counts[recorded(12, reservoir=4, rng=rng).column("step").astype(int)] += 1
    assert np.abs(counts - 500).max() < 4 * math.sqrt(1500 / 3 * 2 / 3)


def test_memory_is_bounded():
    trace = recorded(3000, reservoir=5, per_parameter=True)
    assert len(pickle.dumps(trace)) < 2 * len(pickle.dumps(recorded(5, reservoir=5, per_parameter=True)))
    assert pickle.loads(pickle.dumps(trace)) == trace


def test_a_thinned_trace_goes_on_after_a_pickle():
    whole, trace = (recorded(30, reservoir=4, rng=1) for _ in range(2))
    trace = pickle.loads(pickle.dumps(trace))
    for t in (whole, trace):
        for step in range(30, 90):
            t.record({"w": np.ones(1)}, step=step)
    assert trace == whole
    assert trace.totals.calls == 90


def test_rows_of_others_have_no_place_in_a_thinned_trace():
    trace = recorded(3, every=2)
    with pytest.raises(ValueError, match="keeps what it records itself"):
        trace.extend(recorded(1).rows)
    assert len(trace) == 2


@pytest.mark.parametrize("wrong", [0, -1, 1.5, True, "2", NAN, math.inf])
@pytest.mark.parametrize("what", ["every", "reservoir"])
def test_what_is_no_number_of_steps_is_refused(what, wrong):
    with pytest.raises(ValueError, match=f"{what} = .*whole number, at least 1"):
        mg.NormTrace(**{what: wrong})


def test_totals_tell_how_calls_ended():
    trace = sgd(lengths([1.0, NAN, 2.0, 3.0]), NonFinite("skip"), Accumulate(2))
    assert trace.totals == Totals(calls=4, steps=1, held=2, skipped=1, raised=0)
    trace = mg.NormTrace()
    with pytest.raises(FloatingPointError):
        sgd(lengths([1.0, NAN]), NonFinite("raise"), trace=trace)
    assert trace.totals == Totals(2, 1, 0, 0, 1)
    assert mg.NormTrace().totals == Totals(0, 0, 0, 0, 0)


# ------------------------------------------------------------------------------------------ share clipped

CLIPS = [ClipNorm(1.0), ClipNorm(1.0, scope="param"), ClipNorm(1.0, scope="unit"), ClipValue(1.0), AGC(1.0)]


@pytest.mark.parametrize("clip", CLIPS, ids=repr)
@pytest.mark.parametrize("options", [{}, {"every": 2}, {"reservoir": 3}])
def test_every_clip_has_a_share(clip, options):
    """The weight begins with norm sqrt(2), and has it or more in the steps that count: AGC clips beyond about that."""
    values = [50.0, 0.01, 0.02, 60.0, 0.01, 0.02, 0.01, 0.01]
    trace = sgd(lengths(values), clip, trace=mg.NormTrace(**options))
    assert trace.clip_stage() == 1
    assert trace.share_clipped() == 2 / 8


@pytest.mark.parametrize("per_unit", [AGC(1.0), ClipNorm(1.0, scope="unit")], ids=repr)
def test_how_many_units_were_clipped(per_unit):
    w = [np.array([[0.0, 0.1], [0.0, 9.0], [0.0, 9.0]]), np.full((3, 2), 1e-3)]
    trace = sgd(w, per_unit)
    assert trace.noted("units_clipped", hook=type(per_unit).__name__).tolist() == [2, 0]
    assert trace.noted("units", stage=1).tolist() == [3, 3]
    assert np.isnan(trace.noted("units", stage=0)).all()
    assert trace.share_clipped() == 0.5


def test_the_share_over_a_window():
    trace = sgd(lengths([5.0, 0.5, 0.5, 5.0, 5.0, 5.0]), ClipNorm(1.0))
    assert trace.share_clipped(window=1).tolist() == [1, 0, 0, 1, 1, 1]
    assert trace.share_clipped(window=3).tolist() == pytest.approx([1, 1 / 2, 1 / 3, 1 / 3, 2 / 3, 1])
    assert trace.share_clipped(window=100)[-1] == trace.share_clipped() == pytest.approx(4 / 6)
    assert mg.NormTrace().share_clipped(window=3).shape == (0,)
    with pytest.raises(ValueError, match="window = 0"):
        trace.share_clipped(window=0)


def test_the_share_of_one_parameter_and_of_one_hook():
    trace = sgd([([5.0], [0.5]), ([0.5], [0.5])], ClipNorm(1.0, scope="param"), ClipNorm(99.0), names=("a", "b"),
                trace=mg.NormTrace(per_parameter=True))
    assert trace.share_clipped() == 0.0
    assert trace.share_clipped(stage=1) == 0.5
    assert [trace.share_clipped(stage=1, parameter=name) for name in "ab"] == [0.5, 0.0]
    assert trace.share_clipped(hook="ClipNorm") == 0.25
    assert math.isnan(trace.share_clipped(stage=9))

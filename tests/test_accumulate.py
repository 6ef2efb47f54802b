"""Accumulation: the weighted mean of several micro-batches makes one update."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minigrad as mg
from minigrad import optim
from minigrad.hooks import HOLD, Accumulate, ClipNorm, NonFinite, apply_hooks

QUICK = settings(max_examples=100, deadline=None, derandomize=True, database=None)
NAN = math.nan


def train(w, gradients, opt, weights=None):
    """Give the optimizer one gradient after another; return the reports."""
    reports = []
    for g, weight in zip(gradients, weights or [1.0] * len(gradients), strict=True):
        w.grad = g
        reports.append(opt.step(weight=weight))
    return reports


def frozen(state):
    """The state of an optimizer to the bit."""
    return {name: {key: v.tobytes() if isinstance(v, np.ndarray) else v for key, v in held.items()}
            for name, held in state.items()}


def sgd(values, *hooks, lr=1.0, **kwargs):
    w = mg.tensor(values, requires_grad=True)
    return w, optim.SGD([w], lr=lr, hooks=list(hooks), **kwargs)


def statuses(reports):
    return [r.status for r in reports]


# --------------------------------------------------------------------------------------- the mean it forms

@pytest.mark.parametrize(("weights", "expected"), [([4, 1], 5.2), ([1, 1], 10.0), ([8, 2], 5.2), ([0.4, 0.1], 5.2)])
def test_micro_batches_count_by_their_size(weights, expected):
    """L = mean (w x)^2 at w = 1 over x = 1, 1, 1, 1 and x = 3: 5.2 with the sizes as weights, else a mean of means."""
    w, opt = sgd([1.0], Accumulate(2))
    for x, weight in zip(([1.0, 1.0, 1.0, 1.0], [3.0]), weights, strict=True):
        opt.zero_grad()
        ((w * np.array(x)) ** 2).mean().backward()
        opt.step(weight=weight)
    assert 1.0 - w.item() == pytest.approx(expected, rel=1e-15)


def test_the_last_window_is_divided_by_what_it_holds():
    w, opt = sgd([0.0], Accumulate(2))
    moves, before = [], 0.0
    for g in (1.0, 2.0, 3.0, 4.0, 5.0):
        w.grad = [g]
        if opt.step().status == "step":
            moves.append(before - w.item())
            before = w.item()
    report = opt.flush()
    moves.append(before - w.item())
    assert moves == [1.5, 3.5, 5.0]
    assert (report.status, report.norm, opt.updates, opt.held, opt.micro_steps) == ("step", 5.0, 3, 3, 5)
    assert opt.flush() is None


@pytest.mark.parametrize(("gradients", "accumulate_first", "expected"), [
    ([[2.0, 0.0], [0.0, 2.0]], True, [math.sqrt(0.5), math.sqrt(0.5)]),
    ([[2.0, 0.0], [0.0, 2.0]], False, [0.5, 0.5]),
    ([[10.0], [-9.0]], True, [0.5]),
    ([[10.0], [-9.0]], False, [0.0])])
def test_clip_before_or_after_is_the_order_of_the_list(gradients, accumulate_first, expected):
    hooks = [Accumulate(2), ClipNorm(1.0)]
    w, opt = sgd(np.zeros(len(expected)), *(hooks if accumulate_first else hooks[::-1]))
    train(w, gradients, opt)
    assert (-w.data).tolist() == pytest.approx(expected, rel=1e-15, abs=1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(data=st.lists(st.tuples(st.integers(-10**6, 10**6), st.integers(1, 1000)), min_size=1, max_size=12))
@QUICK
def test_mean_and_sum_by_definition(data, dtype):
    """sum(w g) / sum(w) and sum(w g), compared with fractions."""
    tolerance = 1e-5 if dtype == np.float32 else 1e-14
    for reduction in ("mean", "sum"):
        hook = Accumulate(len(data), reduction=reduction)
        for g, weight in data:
            out = apply_hooks([hook], {"w": np.array([g], dtype)}, weight=weight)
        expected = Fraction(sum(g * weight for g, weight in data))
        size = Fraction(sum(abs(g) * weight for g, weight in data))
        if reduction == "mean":
            expected, size = (x / sum(weight for _, weight in data) for x in (expected, size))
        assert out["w"].dtype == dtype
        assert abs(float(out["w"][0]) - float(expected)) <= tolerance * float(size)


@pytest.mark.parametrize("sizes", [[5, 4, 2, 1], [3, 3, 3, 3], [12], [1] * 12])
def test_a_real_net_gets_the_gradient_of_the_large_batch(sizes):
    """Unequal micro-batches, weighted by their sizes, equal one batch of all items, for a loss that is a mean."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(12, 3)), rng.normal(size=(12, 2))
    start = {"w1": rng.normal(size=(3, 8)), "b1": rng.normal(size=8), "w2": rng.normal(size=(8, 2))}

    def run(batches, hooks):
        params = {name: mg.tensor(value, requires_grad=True) for name, value in start.items()}
        opt = optim.SGD(params, lr=0.1, momentum=0.9, hooks=hooks)
        for _ in range(3):
            first = 0
            for size in batches:
                part = slice(first, first + size)
                opt.zero_grad()
                out = np.tanh(x[part] @ params["w1"] + params["b1"]) @ params["w2"]
                ((out - y[part]) ** 2).mean().backward()
                opt.step(weight=size)
                first += size
        assert opt.updates == 3
        return params

    large, small = run([12], []), run(sizes, [Accumulate(len(sizes))])
    for name in start:
        assert np.abs(large[name].data - small[name].data).max() < 1e-12
        assert np.abs(large[name].data - start[name]).max() > 1e-3


def test_float16_is_gathered_in_more():
    """In float16, 2048 + 1 = 2048, and a sum of ones never gets further."""
    hook, one = Accumulate(4096, reduction="sum"), np.ones(3, np.float16)
    for _ in range(4096):
        out = apply_hooks([hook], {"w": one})
    assert out["w"].dtype == np.float32            # a sum of float16 need not fit into float16
    assert out["w"].tolist() == [4096.0] * 3
    assert np.float16(2048) + np.float16(1) == 2048


def test_a_large_weight_does_not_overflow_float16():
    hook = Accumulate(2)
    assert apply_hooks([hook], {"w": np.array([60000], np.float16)}, weight=512) is not None
    assert apply_hooks([hook], {"w": np.array([20000], np.float16)}, weight=512)["w"] == [40000]


def test_weights_that_add_up_to_inf_are_refused_and_leave_the_window_as_it_was():
    w, opt = sgd([0.0], Accumulate(3))
    train(w, [[1e-9]], opt, weights=[1e308])
    with pytest.raises(ValueError, match=r"Accumulate at update 0: weight = 1e\+308 .* no finite number"):
        train(w, [[1e-9]], opt, weights=[1e308])
    hook, = opt.hooks
    assert (hook.count, hook.weights, hook.sums["param0"].tolist()) == (1, 1e308, [1e-9 * 1e308])


def test_what_is_held_is_a_copy():
    hook, g = Accumulate(2), np.array([1.0, 2.0])
    apply_hooks([hook], {"w": g})
    g[:] = 100.0
    assert apply_hooks([hook], {"w": np.array([3.0, 4.0])})["w"].tolist() == [2.0, 3.0]


# ------------------------------------------------------------------------------------------ mean and sum

def run_reduction(kind, reduction, gradients, *hooks, lr=0.1):
    w = mg.tensor(np.zeros(gradients.shape[1]), requires_grad=True)
    opt = kind([w], lr=lr, hooks=[Accumulate(8, reduction=reduction), *hooks])
    train(w, gradients, opt)
    return w.data


def test_sum_is_eight_times_the_mean_for_sgd_and_the_same_for_adam():
    gradients = np.random.default_rng(1).normal(1.0, 1.0, size=(64, 5))
    mean, total = (run_reduction(optim.SGD, r, gradients) for r in ("mean", "sum"))
    assert np.allclose(total, 8 * mean, rtol=1e-13, atol=0)
    mean, total = (run_reduction(optim.Adam, r, gradients, lr=0.01) for r in ("mean", "sum"))
    assert 0 < np.abs(total - mean).max() < 3e-9
    assert np.abs(mean).min() > 0.01


def test_sum_differs_from_the_mean_for_adam_with_a_clip_as_the_threshold_is_not_scaled():
    gradients = np.random.default_rng(1).normal(1.0, 1.0, size=(64, 5)) * np.repeat([0.1, 10.0] * 4, 8)[:, None]
    mean, total = (run_reduction(optim.Adam, r, gradients, ClipNorm(1.0)) for r in ("mean", "sum"))
    assert np.abs(total - mean).max() > 1e-2


# ------------------------------------------------------------------------------------- holding and skipping

def test_a_bad_micro_batch_is_left_out_and_the_window_goes_on():
    w, opt = sgd([0.0], NonFinite("skip"), Accumulate(2))
    reports = train(w, [[1.0], [NAN], [1.0], [1.0], [1.0], [1.0]], opt)
    assert statuses(reports) == ["hold", "skip", "step", "hold", "step", "hold"]
    assert w.item() == -2.0
    assert (opt.updates, opt.held, opt.skipped, opt.micro_steps) == (2, 3, 1, 6)
    assert opt.flush().status == "step"                                     # one was pending
    assert w.item() == -3.0


def test_a_bad_micro_batch_leaves_no_trace_in_the_weights():
    """The weight of what was skipped does not count either."""
    w, opt = sgd([0.0], NonFinite("skip"), Accumulate(2))
    train(w, [[1.0], [NAN], [4.0]], opt, weights=[1.0, 100.0, 2.0])
    assert w.item() == -3.0


@pytest.mark.parametrize("kind", [optim.SGD, optim.Adam])
def test_skipping_is_as_if_the_gradient_had_never_come(kind):
    rng = np.random.default_rng(2)
    good = list(rng.normal(size=(8, 3)))
    bad = [g for pair in zip(good, [np.full(3, NAN)] * 8, strict=True) for g in pair]
    ends = []
    for gradients in (good, bad):
        w = mg.tensor([1.0, 2.0, 3.0], requires_grad=True)
        opt = kind([w], lr=0.1, hooks=[NonFinite("skip"), Accumulate(2), ClipNorm(lambda step: 1.0 / (1 + step))])
        train(w, gradients, opt)
        ends.append(w.data.tobytes())
    assert ends[0] == ends[1]


@pytest.mark.parametrize("make", [
    lambda w, hooks: optim.SGD([w], lr=0.1, momentum=0.9, weight_decay=0.1, hooks=hooks),
    lambda w, hooks: optim.Adam([w], lr=0.1, weight_decay=0.1, hooks=hooks)])
def test_a_held_step_changes_neither_parameters_nor_state(make):
    w = mg.tensor([1.0, 2.0], requires_grad=True)
    opt = make(w, [Accumulate(3)])
    train(w, [[1.0, -1.0]] * 3, opt)
    array, state = w.data, frozen(opt.state)
    for done in (1, 2):
        w.grad = [5.0, 6.0]
        report = opt.step()
        assert (report.status, report.reason) == ("hold", f"{done} of 3 micro-batches")
        assert np.shares_memory(w.data, array)
        assert frozen(opt.state) == state
        assert opt.updates == 1
    w.grad = [5.0, 6.0]
    assert opt.step().status == "step"
    assert frozen(opt.state) != state


def test_the_hook_answers_hold_until_the_window_is_full():
    hook, answers = Accumulate(3), []
    for _ in range(7):
        answers.append(apply_hooks([hook], {"w": np.ones(2)}))
    assert [isinstance(a, dict) for a in answers] == [False, False, True, False, False, True, False]
    assert {a.status for a in answers if not isinstance(a, dict)} == {HOLD.status}


def test_a_window_of_one_lets_everything_through():
    w, opt = sgd([0.0], Accumulate(1))
    assert statuses(train(w, [[1.0], [2.0]], opt, weights=[3.0, 5.0])) == ["step", "step"]
    assert w.item() == -3.0


def test_the_window_may_be_a_function_of_the_updates_made():
    w, opt = sgd([0.0], Accumulate(lambda step: step + 1))
    reports = train(w, [[float(g)] for g in range(1, 7)], opt)
    assert statuses(reports) == ["step", "hold", "step", "hold", "hold", "step"]
    assert w.item() == -(1.0 + 2.5 + 5.0)
    with pytest.raises(ValueError, match="Accumulate at update 0: every = 0"):
        apply_hooks([Accumulate(lambda step: 0)], {"w": np.ones(2)})


# -------------------------------------------------------------------------------------- the end of an epoch

@pytest.mark.parametrize(("last", "after_flush", "after_next"), [
    ("step", -1.5 - 5.0, ["hold", "step"]), ("drop", -1.5, ["hold", "step"]), ("carry", -1.5, ["step", "hold"])])
def test_what_a_flush_does_with_a_partial_window(last, after_flush, after_next):
    w, opt = sgd([0.0], Accumulate(2, last=last))
    train(w, [[1.0], [2.0], [5.0]], opt)
    report = opt.flush()
    assert (report is not None) == (last == "step")
    assert w.item() == after_flush
    assert opt.flush() is None
    assert statuses(train(w, [[7.0], [9.0]], opt)) == after_next
    assert w.item() == after_flush - (8.0 if after_next[-1] == "step" else 6.0)


def test_a_flush_divides_by_the_weights_that_arrived_and_goes_on_through_the_list():
    w, opt = sgd([0.0], NonFinite(), Accumulate(4), ClipNorm(3.0))
    train(w, [[1.0], [7.0]], opt, weights=[1.0, 3.0])
    report = opt.flush()
    assert [s.hook for s in report.stages] == ["flush", "ClipNorm"]
    assert (report.norm, report.stages[1].coefficient) == (5.5, 3.0 / 5.5)
    assert w.item() == pytest.approx(-3.0, rel=1e-15)


@pytest.mark.parametrize("hooks", [[], [ClipNorm(1.0)], [Accumulate(2)]])
def test_nothing_to_flush(hooks):
    w, opt = sgd([1.0], *hooks)
    assert opt.flush() is None
    assert (w.item(), opt.updates) == (1.0, 0)


# --------------------------------------------------------------------------------- missing gradients, scalars

def two_parameters(gradients, every=2):
    """Run pairs of gradients (None for none) of two parameters of one element; return where these end."""
    a, b = mg.tensor([0.0], requires_grad=True), mg.tensor([0.0], requires_grad=True)
    opt = optim.SGD([a, b], lr=1.0, momentum=0.5, hooks=[Accumulate(every)])
    for ga, gb in gradients:
        a.grad, b.grad = ga, gb
        opt.step()
    return a.item(), b.item()


def test_a_parameter_without_a_gradient_all_through_is_left_alone():
    assert two_parameters([([1.0], [1.0])] * 2 + [([1.0], None)] * 2) == (-1.0 - 1.5, -1.0)


def test_a_gradient_may_come_late():
    """No path in one micro-batch counts as zero in the mean over the window."""
    assert two_parameters([([1.0], None), ([1.0], [4.0])]) == (-1.0, -2.0)


def test_a_gradient_may_stay_away_at_the_end_of_a_window():
    assert two_parameters([([1.0], [4.0]), ([1.0], None)]) == (-1.0, -2.0)


def test_a_parameter_without_axes_is_accumulated():
    w, opt = sgd(0.0, Accumulate(3))
    train(w, [1.0, 10.0, 100.0], opt)
    assert w.item() == -37.0


# --------------------------------------------------------------------------------------- bad arguments

@pytest.mark.parametrize(("arguments", "text"), [
    ({"every": 0}, "every = 0"), ({"every": -1}, "every = -1"), ({"every": 1.5}, "every = 1.5"),
    ({"every": True}, "every = True"), ({"every": "4"}, "every = '4'"), ({"every": NAN}, "every = nan"),
    ({"every": 2, "reduction": "avg"}, "mean, sum"), ({"every": 2, "last": "keep"}, "step, drop, carry")])
def test_bad_arguments(arguments, text):
    with pytest.raises(ValueError, match=text):
        Accumulate(**arguments)


def test_a_whole_number_in_any_form_is_a_window():
    assert repr(Accumulate(np.int64(4))) == repr(Accumulate(4.0)) == "Accumulate(4)"
    assert repr(Accumulate(4, reduction="sum", last="drop")) == "Accumulate(4, reduction='sum', last='drop')"

"""What a trace says in one page: each number against its definition, and traces that have hardly any."""

import itertools
import json
import math
import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minigrad as mg
from minigrad import hooks, optim
from minigrad.trace import NormTrace
from minigrad.trace.report import Facts, Report, Table
from minigrad.trace.robust import find_spikes, fit_trend, mean, running_median

INF, NAN = math.inf, math.nan
QUICK = settings(max_examples=60, deadline=None, derandomize=True, database=None)
norms = st.floats(0, 1e308, allow_subnormal=True)


def of(values, **others):
    """A trace of norms from elsewhere."""
    return NormTrace.from_columns({"norm_in": np.asarray(values, float), **others})


def trained(gradients, pipeline, per_parameter=True, **options):
    """The trace of two parameters, a (2,) and b (1,), that get these gradients (None: none)."""
    a, b = mg.tensor([1.0, 1.0], requires_grad=True), mg.tensor([1.0], requires_grad=True)
    trace = NormTrace(per_parameter=per_parameter, **options)
    opt = optim.SGD([("a", a), ("b", b)], lr=1e-3, hooks=pipeline, trace=trace)
    with np.errstate(all="ignore"):
        for k, (ga, gb) in enumerate(gradients):
            a.grad, b.grad = ga, gb
            try:
                opt.step(loss=float(len(gradients) - k))
            except FloatingPointError:
                break
    return trace


# ------------------------------------------------------------------------------------ statistics

@given(values=st.lists(norms, min_size=1, max_size=30))
@QUICK
def test_the_mean_is_the_mean_whatever_the_size(values):
    exact = math.fsum(v / 2.0 ** 10 for v in values) / len(values) * 2.0 ** 10
    assert mean(values) == pytest.approx(exact, rel=1e-12, abs=1e-300)


def test_the_mean_of_nothing():
    assert math.isnan(mean([]))


@pytest.mark.parametrize("n", [1, 2, 5, 6, 7, 50, 131])
@pytest.mark.parametrize("window", [1, 3, 7, 101])
def test_the_running_median_is_that_of_the_values_around(n, window):
    values = np.random.default_rng(n).normal(size=n)
    width = min(window, n)
    starts = [min(max(i - width // 2, 0), n - width) for i in range(n)]
    assert running_median(values, window).tolist() == [statistics.median(values[s:s + width]) for s in starts]


def test_of_a_long_series_a_median_stands_for_its_neighbours():
    values = np.random.default_rng(0).normal(size=1003) + np.linspace(0, 50, 1003)
    exact, rough = running_median(values, 101), running_median(values, 101, points=100)
    assert len(rough) == 1003
    assert rough[5:1000:11].tolist() == exact[5:1000:11].tolist()       # the middles of stretches of eleven
    assert np.abs(rough - exact).max() < 1


def test_trend_reproduces_the_example_of_sen_1968():
    found = fit_trend([1, 2, 3, 4, 10, 12, 18], 10.0 ** np.array([9, 15, 19, 20, 45, 55, 78]), sds=1.81,
                      fewest=7)
    assert (found.slope, found.low, found.high) == pytest.approx((4000, 1000 * 26 / 7, 1000 * 35 / 8), rel=1e-12)


@pytest.mark.parametrize("slope", [-3.0, -0.01, 0.0, 2e-7, 0.5, 20.0])
@pytest.mark.parametrize("n", [20, 100, 7001])
def test_the_trend_of_a_straight_line_is_its_slope(slope, n):
    steps = np.arange(n) * 3 + 11
    found = fit_trend(steps, 10.0 ** (slope * (steps - steps.mean()) / 1000 + 2))
    assert found.slope == pytest.approx(slope, rel=1e-9, abs=1e-9)
    assert found.decades == pytest.approx(slope * (steps[-1] - steps[0]) / 1000, rel=1e-9, abs=1e-9)


def test_the_trend_is_the_median_of_all_slopes():
    rng = np.random.default_rng(3)
    steps, logs = np.sort(rng.choice(1000, 40, replace=False)), rng.normal(size=40)
    slopes = [(y - v) / (x - u) for (u, v), (x, y) in itertools.combinations(zip(steps, logs), 2)]
    assert fit_trend(steps, 10.0 ** logs).slope == pytest.approx(1000 * statistics.median(slopes), rel=1e-9)


def test_a_fifth_of_wild_values_does_not_move_the_trend():
    rng, steps = np.random.default_rng(0), np.arange(3000)
    values = 10.0 ** (-0.4 * steps / 1000 + 0.1 * rng.normal(size=3000))
    values[rng.choice(3000, 600, replace=False)] = 10.0 ** rng.uniform(5, 300, size=600)
    assert fit_trend(steps, values).slope == pytest.approx(-0.4, abs=0.05)


def test_the_interval_holds_the_true_slope_in_nineteen_of_twenty_runs():
    steps, held = np.arange(400), 0
    for seed in range(200):
        noise = np.random.default_rng(seed).normal(size=400)
        found = fit_trend(steps, 10.0 ** (0.7 * steps / 1000 + 0.3 * noise))
        held += found.low <= 0.7 <= found.high
    assert 180 <= held <= 199


@pytest.mark.parametrize(("phi", "least"), [(0.0, 0.9), (0.5, 0.9), (0.9, 0.9), (0.99, 0.85)])
def test_the_interval_of_a_norm_that_wanders_holds_zero(phi, least):
    rng, runs, steps = np.random.default_rng(1), 200, 2000
    x, walks = rng.normal(size=runs), np.empty((runs, steps))
    for k in range(steps):                      # AR(1) of variance 1
        x = phi * x + math.sqrt(1 - phi ** 2) * rng.normal(size=runs)
        walks[:, k] = x
    trends = [fit_trend(np.arange(steps), np.exp(walk)) for walk in walks]
    assert least <= np.mean([t.low <= 0 <= t.high for t in trends]) <= 0.995


@pytest.mark.parametrize("values", [[], [1.0], [1.0, 2.0], [NAN] * 50, [0.0] * 50, [1.0, NAN, INF, 0.0, 2.0] * 9,
                                    np.arange(1.0, 20.0)])
def test_too_few_values_have_no_trend(values):
    assert fit_trend(range(len(values)), np.array(values)) is None


def test_of_three_points_there_is_a_slope_and_no_interval():
    found = fit_trend([0, 1, 2], np.array([1.0, 10.0, 100.0]), fewest=3)
    assert (found.slope, found.low, found.high) == (1000.0, -INF, INF)


@pytest.mark.parametrize("n", [3, 19])
def test_of_few_norms_there_is_no_rate_and_no_percentile_but_the_median(n):
    text = str(of(np.linspace(12.1, 8.0, n)).summary())
    assert "decades" not in text
    assert "too few norms for one; 20 are needed" in text
    table = text.split("\n\n")[1].splitlines()
    assert [line.split("  ")[0] for line in table] == ["norm", "-" * len(table[0]), "min", "median", "max"]


# ---------------------------------------------------------------------------------------- spikes

@pytest.mark.parametrize("scatter", [0.05, 0.5, 2.0])
@pytest.mark.parametrize("level", [1e-150, 1.0, 1e150])
def test_scatter_alone_makes_no_spikes_and_what_stands_out_of_it_is_found(scatter, level):
    values = level * np.exp(scatter * np.random.default_rng(1).normal(size=20_000))
    assert len(find_spikes(values).start) <= 2
    size = max(1e3, np.exp(8 * scatter))
    values[[500, 501, 502, 9000]] = size * level * np.array([1.0, 3.0, 2.0, 1.0])
    found = find_spikes(values)
    for start, stop, peak in ((500, 503, 501), (9000, 9001, 9000)):
        k = found.start.tolist().index(start)
        assert (found.stop[k], found.peak[k]) == (stop, peak)
        assert found.times[k] == pytest.approx(values[peak] / level, rel=0.6 if scatter > 1 else 0.2)
    assert found.inside.sum() == (found.stop - found.start).sum()


def test_a_lasting_rise_is_no_spike():
    values = np.exp(0.1 * np.random.default_rng(0).normal(size=1000))
    values[400:] *= 1000
    assert not len(find_spikes(values).start)


@pytest.mark.parametrize("values", [[], [1.0], [1.0] * 8 + [1e9], [NAN] * 50, [0.0] * 50])
def test_among_few_values_nothing_is_called_a_spike(values):
    found = find_spikes(np.array(values))
    assert math.isnan(found.factor)
    assert not found.inside.any()
    if values:
        assert of(values).summary().spike_factor is None


def test_what_has_no_logarithm_is_no_spike_and_splits_none():
    values = np.ones(60)
    values[[20, 21, 23]], values[22], values[40], values[41] = 100.0, NAN, INF, 0.0
    found = find_spikes(values)
    assert list(zip(found.start.tolist(), found.stop.tolist())) == [(20, 22), (23, 24)]


@pytest.mark.parametrize(("early", "parameter", "step", "times"), [
    (1.0, "a", 30, 100.0),          # a rises most in the step of the spike
    (1.5, "a", 30, 100.0),          # what scatters before is no rise
    (50.0, "b", 29, 50.0)])         # b stood out a step before the norm of all did
def test_the_parameter_that_rose_first_is_named(early, parameter, step, times):
    trace = NormTrace(per_parameter=True)
    for k in range(60):
        a, b = (1000.0, 0.4) if k == 30 else (10.0, 0.01 * (early if k == 29 else 1))
        trace.record({"a": np.array([a]), "b": np.array([b]), "c": None}, step=k)
    spike, = trace.summary().spikes
    assert (spike.step, spike.first_step, spike.calls) == (30, 30, 1)
    assert (spike.parameter, spike.parameter_step) == (parameter, step)
    assert (spike.norm, spike.times, spike.parameter_times) == pytest.approx((1000, 100, times), rel=1e-3)


def test_under_accumulation_the_micro_batch_that_did_it_names_the_parameter():
    rng = np.random.default_rng(0)
    gradients = [(rng.normal(size=2) * (1e4 if k == 61 else 1), rng.normal(size=1)) for k in range(120)]
    spike, = trained(gradients, [hooks.Accumulate(2), hooks.ClipNorm(1.0)]).summary().spikes
    assert (spike.step, spike.parameter, spike.parameter_step) == (30, "a", 30)


def test_all_spikes_are_counted_and_the_largest_described():
    values = np.ones(5000)
    values[50:5000:100] = np.arange(100, 150)
    found = of(values).summary()
    assert found.spike_count == 50
    assert [s.norm for s in found.spikes] == list(range(149, 129, -1))
    assert "the largest 5 are below" in " ".join(str(found).split())
    assert str(found).splitlines()[-1].split() == ["4550", "145", "145", "1"]


# --------------------------------------------------------------------------------------- summary

@given(values=st.lists(st.one_of(norms, st.sampled_from([NAN, INF, 0.0])), min_size=1, max_size=130))
@QUICK
def test_percentiles_and_counts_are_those_of_the_values(values):
    d, = of(values).summary().norms
    finite = np.array([v for v in values if math.isfinite(v)])
    assert (d.finite, d.nan, d.inf) == (len(finite), sum(v != v for v in values), values.count(INF))
    assert d.zero == values.count(0.0)
    for name, q in (("min", 0), ("5 %", 5), ("25 %", 25), ("median", 50), ("75 %", 75), ("95 %", 95), ("99 %", 99),
                    ("max", 100)):
        enough = len(finite) >= (1 if name in ("min", "median", "max") else 100 if name == "99 %" else 20)
        assert d.percentiles[name] == (np.percentile(finite, q) if enough else None)


def test_before_and_after_the_clip_and_how_calls_ended():
    gradients = [([3.0, 0.0], [4.0]), ([0.3, 0.0], [0.4]), ([NAN, 1.0], [1.0]), ([6.0, 8.0], None), ([0.0, 0.0], [INF])]
    trace = trained(gradients, [hooks.NonFinite("skip"), hooks.ClipNorm(2.0)])
    s = trace.summary()
    assert (s.calls.total, s.calls.taken, s.calls.skipped, s.calls.held, s.calls.raised) == (5, 3, 2, 0, 0)
    assert [d.place for d in s.norms] == ["before ClipNorm", "after ClipNorm"]
    assert [(d.percentiles["min"], d.percentiles["max"]) for d in s.norms] == [(0.5, 10.0), (0.5, 2.0)]
    assert (s.clipped.hook, s.clipped.share, s.clipped.low, s.clipped.high) == ("ClipNorm", 2 / 3, 2.0, 2.0)
    assert s.not_finite == (2, ["a"])
    assert (s.nan_elements, s.inf_elements, s.zero_elements, s.missing) == (1, 1, 4, 1)
    assert (s.loss, s.lr) == ((5.0, 1.0), (1e-3, 1e-3))
    assert s.update_to_data == pytest.approx(np.median(trace.ratios()))
    assert "3 taken, 2 skipped" in str(s)


def test_a_window_is_one_gradient_and_a_raise_is_counted():
    gradients = [([1.0, 0.0], [0.0]), ([3.0, 0.0], [0.0]), ([5.0, 0.0], [0.0]), ([NAN, 0.0], [0.0])]
    s = trained(gradients, [hooks.NonFinite("raise"), hooks.Accumulate(2), hooks.ClipNorm(1.5)]).summary()
    assert (s.calls.taken, s.calls.held, s.calls.raised) == (1, 2, 1)
    assert s.norms[0].finite == 1
    assert s.norms[0].percentiles["median"] == 2.0


def test_without_a_clip_there_is_the_norm_as_it_came_and_as_it_left_the_hooks():
    s = trained([([3.0, 0.0], [4.0])] * 3, [hooks.Normalize()]).summary()
    assert [d.place for d in s.norms] == ["as backward left it", "after Normalize"]
    assert [d.percentiles["max"] for d in s.norms] == pytest.approx([5.0, 1.0])
    assert s.clipped is None


def test_a_threshold_that_is_none_of_the_whole_norm_says_so():
    s = trained([([3.0, 0.0], [4.0])] * 3, [hooks.ClipValue(2.0)]).summary()
    assert (s.clipped.share, s.clipped.of_norm) == (1.0, False)
    assert "none of the whole norm" in str(s)


def test_a_trace_that_keeps_every_tenth_step_counts_all_of_them():
    s = trained([([3.0, 0.0], [4.0])] * 100, [hooks.ClipNorm(1.0)], every=10).summary()
    assert (s.calls.total, s.calls.kept, s.calls.last) == (100, 10, 90)
    assert "10 of them are kept" in str(s)


def test_training_elsewhere():
    trace = NormTrace()
    for k in range(24):
        grads, data = {"w": np.array([2.0 ** -k])}, {"w": np.array([10.0])}
        trace.record(grads, step=5 * k, loss=1.0 - 0.01 * k, data=data, updates={"w": 0.01 * grads["w"]})
    s = trace.summary()
    assert s.title == "Gradient norm of 24 steps, 0 to 115"
    assert s.norms[0].place == "as backward left it"
    assert s.update_to_data == pytest.approx(0.001 * np.median(0.5 ** np.arange(24)))
    assert s.trend.slope == pytest.approx(-1000 / 5 * math.log10(2))


def test_what_is_not_there_is_no_nan():
    trace = NormTrace.from_columns({"norm_in": [1.0, None, 3.0, NAN], "loss": [None, 2.0, NAN, None]})
    s = trace.summary()
    assert (s.norms[0].finite, s.norms[0].nan) == (2, 1)
    assert s.loss[0] == 2.0
    assert math.isnan(s.loss[1])
    assert s.not_finite.step == 3


@pytest.mark.parametrize("values", [[1.0], [0.0], [NAN], [INF], [NAN] * 500, [0.0] * 500, [INF, NAN, 0.0],
                                    [5e-324] * 20, [1.7e308] * 20, [1e-320, 1e308] * 300])
def test_hardly_any_numbers_still_make_a_page(values):
    s = of(values).summary()
    text, page, plain = str(s), s._repr_html_(), s.as_dict()
    assert "Traceback" not in text
    assert page.count("<table>") == page.count("</table>") >= 2
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert max(map(len, text.splitlines())) <= 80


def test_an_empty_trace_has_no_summary():
    with pytest.raises(ValueError, match="empty"):
        NormTrace().summary()


def test_a_million_steps_give_the_numbers_of_a_million_steps():
    values = np.exp(np.random.default_rng(0).normal(size=1_000_000))
    values[123_456] = 1e9
    s = of(values).summary()
    assert s.norms[0].finite == 1_000_000
    assert [(k.step, k.norm) for k in s.spikes] == [(123_456, 1e9)]
    assert abs(s.trend.slope) < 1e-4
    assert s.norms[0].percentiles["median"] == pytest.approx(1.0, abs=0.01)


# ---------------------------------------------------------------------------------------- report

class Odd(Report):
    title = "a < b & c"

    def parts(self):
        return [Table(("x", "n"), [("<b>", "1"), ("long name", "1000")]), Facts([("k", "v " * 60)]), "text"]


def test_a_report_is_aligned_text_and_escaped_html():
    lines = str(Odd()).splitlines()
    assert lines[:6] == ["a < b & c", "", "x             n", "---------------", "<b>           1", "long name  1000"]
    assert max(map(len, lines)) <= 79
    page = Odd()._repr_html_()
    assert "<b>a &lt; b &amp; c</b>" in page
    assert "&lt;b&gt;" in page


def test_as_dict_holds_what_is_printed():
    values = np.ones(300)
    values[100], values[200] = 1e6, NAN
    s = of(values, loss=np.linspace(2, 1, 300)).summary()
    d = s.as_dict()
    assert d["spikes"][0]["step"] == 100
    assert d["norms"][0]["nan"] == 1
    assert d["trend"]["slope"] == s.trend.slope
    assert d["loss"] == [2.0, 1.0]
    assert d["not_finite"] == {"step": 200, "parameters": []}
    assert d["clipped"] is None

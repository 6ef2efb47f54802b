"""The norms before and after a clip: what is drawn is what was measured, and nothing is dropped."""

import copy
import math

import numpy as np
import pytest
from matplotlib.figure import Figure
from plotting import EXTREME, LANES, ORDINARY, draw, inside, legend, lines, recorded, shown, traced

import minigrad as mg
from minigrad import hooks, optim, plot
from minigrad.plot.lanes import Lanes
from minigrad.plot.series import before_after

inf, nan = math.inf, math.nan


@pytest.fixture
def ax():
    """Axes on a figure that pyplot knows nothing of."""
    return Figure().add_subplot()


def test_norms_draws_the_columns_of_the_trace(ax):
    trace = traced(ORDINARY, clip=2.0)
    assert plot.norms(trace, ax) is ax
    before, after = (trace.column(name, hook="ClipNorm") for name in ("norm_in", "norm_out"))
    assert before.tolist() == ORDINARY
    drawn = lines(ax)
    for label, y in (("before clipping", before), ("after clipping", after), ("threshold 2", [2.0] * 4)):
        assert drawn[label][0].tolist() == [0, 1, 2, 3]
        assert drawn[label][1].tolist() == list(y)
    assert drawn["clipped steps (50%)"][0].tolist() == [1, 3]              # marked where they come in
    assert drawn["clipped steps (50%)"][1].tolist() == [5.0, 20.0]
    assert legend(ax) == ["before clipping", "after clipping", "clipped steps (50%)", "threshold 2"]
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_yscale()) == ("update", "gradient norm", "log")
    assert ax.get_title() == "Gradient norm per step"
    draw(ax)


def test_without_a_clip_there_is_one_line_that_says_so(ax):
    plot.norms(traced(ORDINARY, clip=None), ax, title="mine")
    assert legend(ax) == ["as backward left it"]
    assert lines(ax)["as backward left it"][1].tolist() == ORDINARY
    assert ax.get_title() == "mine"


def test_a_clip_that_never_acts_marks_nothing(ax):
    plot.norms(traced(ORDINARY, clip=100.0), ax)
    assert legend(ax) == ["before clipping", "after clipping", "threshold 100"]
    drawn = lines(ax)
    assert np.array_equal(drawn["before clipping"], drawn["after clipping"])


def test_an_infinite_threshold_is_not_drawn(ax):
    plot.norms(traced(ORDINARY, clip=inf), ax)
    assert legend(ax) == ["before clipping", "after clipping"]


def test_an_infinite_threshold_opens_no_lane(ax):
    plot.norms(traced(ORDINARY, clip=inf), ax)
    assert [text.get_text() for text in ax.texts] == []


@pytest.mark.parametrize("schedule", [lambda step: 4.0 / (step + 1), lambda step: 10.0 ** (3 * step)])
def test_a_scheduled_threshold_is_drawn_as_a_curve_inside_the_axes(schedule, ax):
    plot.norms(traced(ORDINARY, clip=schedule), ax)
    assert lines(ax)["threshold"][1].tolist() == [schedule(k) for k in range(4)]
    assert inside(ax)


@pytest.mark.parametrize(("p", "label"), [(1, "L1 gradient norm"), (2, "gradient norm"),
                                          (inf, "largest element of the gradient norm")])
def test_the_axis_names_another_p(p, label, ax):
    trace, w = mg.NormTrace(), mg.tensor([1.0, 1.0], requires_grad=True)
    w.grad = [3.0, 4.0]
    optim.SGD([w], lr=0.1, hooks=[hooks.ClipNorm(1.0, p=p)], trace=trace).step()
    plot.norms(trace, ax)
    assert ax.get_ylabel() == label
    assert lines(ax)["before clipping"][1].item() == {1: 7.0, 2: 5.0, inf: 4.0}[p]


def test_a_stage_can_be_chosen(ax):
    trace, w = mg.NormTrace(), mg.tensor([1.0], requires_grad=True)
    w.grad = [8.0]
    optim.SGD([w], lr=0.1, hooks=[hooks.ClipNorm(4.0), hooks.ClipNorm(2.0)], trace=trace).step()
    for stage, before, after in ((None, 4.0, 2.0), (1, 8.0, 4.0), (2, 4.0, 2.0)):
        axes = Figure().add_subplot()
        plot.norms(trace, axes, stage=stage)
        assert [lines(axes)[f"{k} clipping"][1].item() for k in ("before", "after")] == [before, after]



NORMS = [ORDINARY, LANES, EXTREME, [3.0], [0.0], [nan], [inf], [nan] * 5, [0.0] * 5, [5e-324], [1.7e308],
         [inf, 1e-320, nan]]


@pytest.mark.parametrize("clip", [1.0, None])
@pytest.mark.parametrize("norms", NORMS)
def test_every_step_is_on_a_line_or_in_a_lane(norms, clip, ax):
    every_step_is_shown(traced(norms, clip=clip), len(norms), ax)


@pytest.mark.parametrize("norms", [EXTREME + LANES, [*EXTREME, inf], [*EXTREME, nan]])
def test_every_step_is_shown_beside_the_widest_range(norms, ax):
    every_step_is_shown(traced(norms, clip=None), len(norms), ax)


def every_step_is_shown(trace, count, ax):
    plot.norms(trace, ax)
    draw(ax)
    for colour in [plot.style.BEFORE] if trace.clip_stage() is None else [plot.style.BEFORE, plot.style.AFTER]:
        assert shown(ax, colour) == set(map(float, range(count)))
    assert inside(ax)
    low, high = ax.get_ylim()
    assert 0 < low < high < inf


def test_a_step_that_was_dropped_before_the_clip_is_in_its_lane(ax):
    """NonFinite skips it, so the clip never saw it; what backward produced is drawn all the same."""
    w, trace = mg.tensor([0.0], requires_grad=True), mg.NormTrace()
    opt = optim.SGD([w], lr=0.1, trace=trace, hooks=[hooks.NonFinite("skip"), hooks.ClipNorm(2.0)])
    for g in (1.0, inf, 2.0, nan, 3.0):
        w.grad = [g]
        opt.step()
    plot.norms(trace, ax)
    assert shown(ax, plot.style.BEFORE) == {0.0, 1.0, 2.0, 3.0, 4.0}
    assert shown(ax, plot.style.AFTER) == {0.0, 2.0, 4.0}
    assert [text.get_text() for text in ax.texts] == ["inf", "NaN"]
    assert ax.get_xlabel() == "call of optimizer.step"            # the skipped ones made no update
    assert "clipped steps (33%)" in legend(ax)


def test_a_step_that_ended_the_run_is_shown_too(ax):
    w, trace = mg.tensor([0.0], requires_grad=True), mg.NormTrace()
    opt = optim.SGD([w], lr=0.1, trace=trace, hooks=[hooks.NonFinite(), hooks.ClipNorm(2.0)])
    w.grad = [1.0]
    opt.step()
    w.grad = [inf]
    with pytest.raises(FloatingPointError):
        opt.step()
    plot.norms(trace, ax)
    assert shown(ax, plot.style.BEFORE) == {0.0, 1.0}
    assert [text.get_text() for text in ax.texts] == ["inf"]


def test_two_axes_with_the_same_lanes_have_the_same_range():
    axes = Figure().subplots(1, 2)
    first, second = traced(ORDINARY), traced([1e6, inf])
    lanes = Lanes(first.column("norm_in"), second.column("norm_in"), second.column("norm_out"))
    plot.norms(first, axes[0], lanes=lanes)
    plot.norms(second, axes[1], lanes=lanes)
    assert axes[0].get_ylim() == axes[1].get_ylim()


# ------------------------------------------------------------------------------ groups, units, micro-batches

def grouped(*own, steps=2, common=()):
    """A trace of groups "g0", "g1", ... with hooks of their own; the gradients are [3, 4] each, then half of that."""
    weights = [mg.tensor([1.0, 1.0], requires_grad=True) for _ in own]
    trace = mg.NormTrace()
    opt = optim.SGD([{"params": {f"w{k}": w}, "name": f"g{k}", "hooks": list(h)}
                     for k, (w, h) in enumerate(zip(weights, own))], lr=0.1, hooks=list(common), trace=trace)
    for k in range(steps):
        for w in weights:
            w.grad = np.array([3.0, 4.0]) / 2 ** k
        opt.step()
    return trace


def test_each_groups_own_clip_has_a_panel_and_all_share_a_range(ax):
    assert plot.norms(grouped([hooks.ClipNorm(1.0)], [hooks.ClipNorm(4.0)], []), ax) is ax
    draw(ax)
    panels = ax.child_axes
    assert [panel.get_title() for panel in panels] == ["g0", "g1"]
    assert [lines(panel)["after clipping"][1].tolist() for panel in panels] == [[1.0, 1.0], [4.0, 2.5]]
    assert ["threshold 1" in legend(panels[0]), "threshold 4" in legend(panels[1])] == [True, True]
    assert panels[0].get_ylim() == panels[1].get_ylim()
    assert [panel.get_xlabel() for panel in panels] == ["", "update"]
    assert ax.get_title() == "Gradient norm per step, each group by itself"


def test_a_group_can_be_named(ax):
    plot.norms(grouped([hooks.ClipNorm(1.0)], [hooks.ClipNorm(4.0)]), ax, group="g1")
    assert lines(ax)["after clipping"][1].tolist() == [4.0, 2.5]
    assert ax.get_title() == "Gradient norm per step, g1"
    assert ax.child_axes == []


def test_a_clip_of_all_comes_before_those_of_groups(ax):
    trace = grouped([hooks.ClipNorm(1.0)], [], common=[hooks.ClipNorm(2.0)])
    plot.norms(trace, ax)
    assert lines(ax)["after clipping"][1].tolist() == pytest.approx([2.0, 2.0], rel=1e-14)
    assert ax.child_axes == []


def test_of_many_groups_the_first_are_shown_and_the_title_says_so(ax):
    plot.norms(grouped(*[[hooks.ClipNorm(1.0)]] * 8), ax)
    assert len(ax.child_axes) == 6
    assert ax.get_title().endswith("(6 of 8 groups; group= picks another)")


@pytest.mark.parametrize(("options", "text"), [
    ({"group": "head"}, "'head'; those with hooks of their own: g0, g1"), ({"stage": 9}, "no stage 9"),
    ({"group": "g0", "stage": 2}, "stage 2 is none of group 'g0'"), ({"threshold": 0}, "must be a number > 0"),
    ({"threshold": nan}, "must be a number > 0"), ({"threshold": "1"}, "must be a number > 0")])
def test_what_is_not_there_is_refused(options, text, ax):
    with pytest.raises(ValueError, match=text):
        plot.norms(grouped([hooks.ClipNorm(1.0)], [hooks.ClipNorm(4.0)]), ax, **options)


@pytest.mark.parametrize(("hook", "text"), [
    (hooks.ClipValue(0.5), "limit 0.5 per element"),
    (hooks.ClipNorm(0.5, scope="unit"), "limit 0.5 per unit"),
    (hooks.ClipNorm(0.5, scope="param"), "limit 0.5 per parameter"),
    (hooks.AGC(0.5), "limit 0.5 of a unit's weights")])
def test_a_limit_of_parts_is_not_drawn_on_the_axis_of_the_whole(hook, text, ax):
    weights = {name: mg.tensor([[1.0], [1.0]], requires_grad=True) for name in "ab"}
    trace = mg.NormTrace()
    opt = optim.SGD(weights, lr=0.1, hooks=[hook], trace=trace)
    for w in weights.values():
        w.grad = [[3.0], [4.0]]
    opt.step()
    plot.norms(trace, ax)
    assert legend(ax)[-1] == text
    assert not any(line.get_linestyle() == ":" and len(line.get_xdata()) for line in ax.lines)


def accumulated(norms, every=2, clip=1.0):
    w, trace = mg.tensor([1.0, 1.0], requires_grad=True), mg.NormTrace()
    pipeline = [hooks.Accumulate(every), *([] if clip is None else [hooks.ClipNorm(clip)])]
    opt = optim.SGD([w], lr=0.1, hooks=pipeline, trace=trace)
    for v in norms:
        w.grad = [v, 0.0]
        opt.step()
    return trace


def test_micro_batches_are_dots_at_the_update_they_went_into(ax):
    trace = accumulated([1.0, 3.0, 0.5, 8.0, 6.0])
    plot.norms(trace, ax)
    x, y = lines(ax)["micro-batches"]
    assert (x.tolist(), y.tolist()) == ([0, 0, 1, 1, 2], [1.0, 3.0, 0.5, 8.0, 6.0])
    assert lines(ax)["before clipping"][1].tolist() == [2.0, 4.25]                      # the means of the windows
    other = Figure().add_subplot()
    plot.norms(trace, other, micro=False)
    assert "micro-batches" not in legend(other)


# ----------------------------------------------------------------------------------- training elsewhere

def test_micro_batches_of_a_window_without_a_clip_are_drawn_once(ax):
    trace = accumulated([1.0, 3.0, 0.5, 8.0, 6.0], clip=None)
    plot.norms(trace, ax)
    assert legend(ax) == ["micro-batches", "as it left Accumulate"]
    assert lines(ax)["as it left Accumulate"][1].tolist() == [2.0, 4.25]
    assert lines(ax)["micro-batches"][1].tolist() == [1.0, 3.0, 0.5, 8.0, 6.0]
    other = Figure().add_subplot()
    plot.norms(trace, other, stage=0)                   # the micro-batches are asked for: no dots beside
    assert legend(other) == ["as backward left it"]
    assert lines(other)["as backward left it"][1].tolist() == [1.0, 3.0, 0.5, 8.0, 6.0]


PIPELINES = [[], [hooks.Accumulate(4)], [hooks.Accumulate(3), hooks.ClipNorm(1.0)], [hooks.ClipNorm(2.0)],
             [hooks.NonFinite("skip")], [hooks.NonFinite("skip"), hooks.ClipNorm(1.0)], [hooks.Normalize()],
             [hooks.Unscale(hooks.LossScaler(init=1024.0))]]


@pytest.mark.parametrize("pipeline", PIPELINES, ids=lambda p: "+".join(type(h).__name__ for h in p) or "none")
def test_pictures_and_words_are_of_the_same_norms(pipeline):
    drops = any(isinstance(hook, (hooks.NonFinite, hooks.Unscale)) for hook in pipeline)
    w, trace = mg.tensor([1.0, 1.0], requires_grad=True), mg.NormTrace()
    opt = optim.SGD([w], lr=1e-3, hooks=copy.deepcopy(pipeline), trace=trace)
    with np.errstate(all="ignore"):
        for k in range(121):
            w.grad = [1.5 + math.sin(k), inf if k == 60 and drops else 0.0]
            opt.step()
    drawn = before_after(trace)
    came = np.isfinite(drawn["before"])
    advice, summary = trace.advise(), trace.summary()
    assert advice.average.mean == pytest.approx(drawn["before"][came].mean(), rel=1e-12)
    assert advice.basis.used == came.sum()
    shown = summary.norms[0 if summary.clipped else -1]
    assert (shown.percentiles["max"], shown.percentiles["median"]) == (
        drawn["before"][came].max(), np.percentile(drawn["before"][came], 50))


def test_what_lies_lowest_has_room_below(ax):
    plot.norms(traced([4.0, 9.0, 30.0], clip=1.0), ax)
    low, high = np.log10(ax.get_ylim())
    assert lines(ax)["threshold 1"][1].tolist() == [1.0] * 3
    assert 0.03 < (0 - low) / (high - low) < 0.15


def test_a_threshold_of_ones_own_marks_what_is_above(ax):
    plot.norms(recorded(0.5, 3.0, inf, nan, 1.0), ax, threshold=2.0)
    assert legend(ax) == ["as recorded", "2 of 5 steps above", "threshold 2"]
    assert lines(ax)["2 of 5 steps above"][0].tolist() == [1, 2]
    assert lines(ax)["threshold 2"][1].tolist() == [2.0, 2.0]
    assert ax.get_xlabel() == "step"


def test_beside_a_clip_it_is_counted_in_the_legend(ax):
    plot.norms(traced(ORDINARY, clip=2.0), ax, threshold=10.0)
    assert "threshold 10: 1 of 4 steps above" in legend(ax)
    assert "threshold 2" in legend(ax)


def test_norms_after_that_a_log_has_are_drawn(ax):
    plot.norms(recorded(4.0, 0.5, norm_out=[1.0, 0.5], coefficient=[0.25, 1.0], threshold=1.0), ax)
    assert legend(ax) == ["before clipping", "after clipping", "clipped steps (50%)", "threshold 1"]
    assert lines(ax)["after clipping"][1].tolist() == [1.0, 0.5]


@pytest.mark.parametrize(("steps", "x", "label"), [
    ([10, 20, 40], [10, 20, 40], "step"), ([10, 20, 15], [0, 1, 2], "record"), ([5, 5, 6], [0, 1, 2], "record")])
def test_steps_that_do_not_ascend_are_counted(steps, x, label, ax):
    plot.norms(recorded(1.0, 2.0, 3.0, step=steps), ax)
    assert lines(ax)["as recorded"][0].tolist() == x
    assert ax.get_xlabel() == label


def test_of_a_million_steps_no_spike_is_lost(ax):
    norms = np.random.default_rng(0).lognormal(size=1_000_000)
    norms[123_456], norms[500_000], norms[700_000], norms[900_000] = 1e9, 1e-9, nan, inf
    plot.norms(mg.NormTrace.from_columns({"norm_in": norms}), ax, threshold=1e6)
    draw(ax)
    assert max(np.nanmax(line.get_ydata()) for line in ax.lines if len(line.get_xdata()) > 1000) == 1e9
    band, = ax.collections
    corners = band.get_paths()[0].vertices
    assert (corners[:, 1].min(), corners[:, 1].max()) == (1e-9, 1e9)
    assert {700_000.0, 900_000.0} <= shown(ax, plot.style.BEFORE)
    middle = lines(ax)["as recorded"][1]
    assert np.abs(np.log(middle[5:-5])).max() < 0.5                        # the median of the distribution is 1
    assert "2 of 1,000,000 steps above" in legend(ax)
    assert ax.get_xlabel() == "step; line: median, band: smallest to largest per pixel column"
    assert sum(len(line.get_xdata()) for line in ax.lines) < 10_000
    assert inside(ax)


def test_a_point_between_gaps_is_seen(ax):
    plot.norms(recorded(nan, 3.0, nan, 2.0, 1.0), ax)
    dots = [line.get_xdata().tolist() for line in ax.lines if line.get_marker() == "."]
    assert dots == [[1.0]]


def test_only_nan_is_a_lane_alone(ax):
    plot.norms(recorded(nan, nan), ax)
    draw(ax)
    assert [text.get_text() for text in ax.texts] == ["NaN"]
    assert len(ax.get_yticks()) == 0

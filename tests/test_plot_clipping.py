"""How a clip acted, and the training beside it: histograms, the moving share, loss and learning rate, the dashboard."""

import math

import numpy as np
import pytest
from matplotlib.figure import Figure
from plotting import draw, inside, legend, lines, recorded, traced

import minigrad as mg
from minigrad import hooks, optim, plot
from minigrad.plot import series

inf, nan = math.inf, math.nan


@pytest.fixture
def ax():
    return Figure().add_subplot()


def bars(ax):
    """The bars of a histogram: heights, and left and right ends."""
    found = [p for p in ax.patches if p.get_height() > 0]
    return [p.get_height() for p in found], [(p.get_x(), p.get_x() + p.get_width()) for p in found]


def notes(ax):
    return "\n".join(text.get_text() for text in ax.texts).replace(":\n", ": ").splitlines()


# ------------------------------------------------------------------------------- histograms

def test_the_steps_that_were_shortened_are_bars_and_the_others_a_number(ax):
    assert plot.coefficients(traced([0.5, 2.0, 4.0, 4.0, 1.0], clip=1.0), ax, bins=5) is ax
    heights, ends = bars(ax)
    assert sum(heights) == 3
    for coefficient, count in ((0.5, 1), (0.25, 2)):
        assert [h for h, (a, b) in zip(heights, ends) if a <= coefficient <= b] == [count]
    assert notes(ax) == ["2 of 5 steps (40%) unchanged: coefficient 1"]
    assert (ax.get_xlabel(), ax.get_xscale()) == ("coefficient = norm after / norm before", "linear")
    assert ax.get_title() == "Clip coefficient of the 3 steps that were changed"


def test_coefficients_over_decades_are_on_a_logarithmic_axis_and_none_is_lost(ax):
    norms = 10.0 ** np.arange(1, 9)
    plot.coefficients(traced(norms, clip=1.0), ax)
    assert ax.get_xscale() == "log"
    assert sum(bars(ax)[0]) == 8
    draw(ax)


@pytest.mark.parametrize("norms", [[3.0], [3.0] * 4, [1e300, 2.0], [1e-300, 1.1]])
def test_every_coefficient_is_in_a_bar(norms, ax):
    plot.coefficients(traced(norms, clip=1.0), ax)
    assert sum(bars(ax)[0]) == sum(v > 1 for v in norms)
    draw(ax)


def test_what_is_not_finite_is_counted_in_words(ax):
    plot.coefficients(recorded(1.0, inf, nan, 2.0, norm_out=[1.0, 0.0, nan, 1.0], coefficient=[1.0, 0.0, nan, 0.5],
                               threshold=1.0), ax)
    assert notes(ax) == ["1 of 4 steps (25%) unchanged: coefficient 1", "1 of 4 steps (25%): coefficient 0",
                         "1 of 4 steps (25%) not finite"]


def test_a_clip_that_never_acts_says_so(ax):
    trace = traced([0.5, 0.7], clip=1.0)
    plot.coefficients(trace, ax)
    assert notes(ax) == ["2 of 2 steps (100%) unchanged: coefficient 1", "none was changed"]
    other = Figure().add_subplot()
    plot.angles(trace, other)
    assert notes(other) == ["2 of 2 steps (100%) not turned: angle 0", "none was turned"]


def test_angles_in_degrees(ax):
    w, trace = mg.tensor([1.0, 1.0], requires_grad=True), mg.NormTrace()
    opt = optim.SGD([w], lr=0.1, hooks=[hooks.ClipValue(1.0)], trace=trace)
    for g in ([math.sqrt(3.0), 1.0], [0.5, 0.5], [0.0, 7.0], [0.0, 0.0]):      # turned by 45 - 30 degrees, and not
        w.grad = g
        opt.step()
    plot.angles(trace, ax, bins=3)
    (height,), ((left, right),) = bars(ax)
    assert (height, left, right) == (1, pytest.approx(10.0, rel=1e-9), pytest.approx(15.0, rel=1e-9))
    assert notes(ax)[0].startswith(("2 of 4 steps (50%) not turned", "3 of 4 steps (75%) not turned"))
    assert ax.get_xlabel() == "angle between before and after (degrees)"
    assert ax.get_title() == "Angle of the 1 steps that were turned"


def test_a_step_without_an_angle_is_counted(ax):
    plot.angles(recorded(2.0, nan, norm_out=[1.0, nan], cosine=[0.5, nan], threshold=1.0), ax)
    assert notes(ax) == ["0 of 2 steps (0%) not turned: angle 0",
                         "1 of 2 steps (50%): no angle (zero or not finite)"]


def test_clips_of_groups_are_counted_together():
    weights = [mg.tensor([1.0], requires_grad=True) for _ in range(2)]
    trace = mg.NormTrace()
    opt = optim.SGD([{"params": {f"w{k}": w}, "name": f"g{k}", "hooks": [hooks.ClipNorm(c)]}
                     for k, (w, c) in enumerate(zip(weights, (1.0, 3.0)))], lr=0.1, trace=trace)
    for w in weights:
        w.grad = [2.0]
    opt.step()
    together, one = Figure().subplots(1, 2)
    plot.coefficients(trace, together)
    plot.coefficients(trace, one, group="g1")
    assert notes(together) == ["1 of 2 steps of groups (50%) unchanged: coefficient 1"]
    assert notes(one)[0] == "1 of 1 steps (100%) unchanged: coefficient 1"
    shares = Figure().add_subplot()
    plot.clipped_share(trace, shares)
    assert legend(shares) == ["g0: last 10 steps", "g0: all: 100%", "g1: last 10 steps", "g1: all: 0%"]


@pytest.mark.parametrize("picture", [plot.coefficients, plot.angles, plot.clipped_share])
def test_where_nothing_clips_the_cure_is_named(picture, ax):
    with pytest.raises(ValueError, match=r"nothing in the trace clips: .*ClipNorm.* stages are backward, NonFinite"):
        picture(traced([1.0], clip=None), ax)


# ------------------------------------------------------------------------------- share and training

@pytest.mark.parametrize(("window", "expected"), [(1, [0, 1, 1, 0]), (2, [0, 0.5, 1, 0.5]), (9, [0, 0.5, 2 / 3, 0.5])])
def test_the_share_over_a_moving_window(window, expected, ax):
    trace = traced([0.5, 2.0, 4.0, 0.5], clip=1.0)
    assert plot.clipped_share(trace, ax, window=window) is ax
    drawn = lines(ax)
    assert drawn[f"last {window} steps"][1].tolist() == pytest.approx(expected)
    assert drawn[f"last {window} steps"][1].tolist() == trace.share_clipped(window).tolist()
    assert drawn["all: 50%"][1].tolist() == [0.5, 0.5]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("update", "share clipped")


@pytest.mark.parametrize("window", [0, -1, 1.5, nan, "5"])
def test_a_window_is_a_whole_number(window, ax):
    with pytest.raises(ValueError, match="at least 1"):
        plot.clipped_share(traced([2.0]), ax, window=window)


@pytest.mark.parametrize(("loss", "scale", "lanes"), [
    ([3.0, 2.0], "log", []), ([3.0, nan], "log", ["NaN"]), ([0.0, inf], "log", ["0", "inf"]),
    ([-1.0, 2.0], "linear", []), ([-1.0, nan], "linear", []), ([nan, nan], "log", ["NaN"])])
def test_the_loss_has_the_left_axis(loss, scale, lanes, ax):
    plot.training(recorded(1.0, 1.0, loss=loss), ax)
    draw(ax)
    assert (ax.get_yscale(), ax.get_ylabel(), ax.get_title()) == (scale, "loss", "Loss per step")
    assert [text.get_text() for text in ax.texts] == lanes
    seen = {float(x) for line in ax.lines for x, y in zip(*line.get_data()) if np.isfinite(y)}
    assert seen == {0.0, 1.0}
    assert len(ax.figure.axes) == 1


def test_the_learning_rate_has_the_right_axis_dashed(ax):
    plot.training(recorded(1.0, 1.0, 1.0, loss=[3.0, 2.0, 1.0], lr=[0.1, 0.01, 0.001]), ax)
    right = ax.figure.axes[-1]
    assert right.get_ylabel() == "learning rate"
    assert right.get_yscale() == "log"
    assert lines(right)["learning rate"][1].tolist() == [0.1, 0.01, 0.001]
    assert right.lines[0].get_linestyle() == "--"
    assert ax.get_title() == "Loss and learning rate per step"


def test_a_learning_rate_alone_has_the_axis(ax):
    plot.training(recorded(1.0, 1.0, lr=[0.1, 0.2]), ax)
    assert (ax.get_ylabel(), ax.get_title(), ax.get_yscale()) == ("learning rate", "Learning rate per step", "linear")
    assert len(ax.figure.axes) == 1


def test_neither_loss_nor_rate_is_refused(ax):
    with pytest.raises(ValueError, match=r"opt\.step\(loss=loss\.item\(\)\)"):
        plot.training(recorded(1.0), ax)


# ------------------------------------------------------------------------------- dashboard

def run(hook, per_parameter=True):
    w, trace = mg.tensor([1.0, 1.0], requires_grad=True), mg.NormTrace(per_parameter=per_parameter)
    opt = optim.SGD({"layer.w": w}, lr=0.1, hooks=[hook], trace=trace)
    for k in range(4):
        w.grad = [3.0 / 4 ** k, 4.0]
        opt.step(loss=4.0 - k)
    return trace


@pytest.mark.parametrize(("hook", "title"), [
    (hooks.ClipNorm(1.0), "Clip coefficient of the 4 steps that were changed"),
    (hooks.ClipValue(1.0), "Angle of the 4 steps that were turned")])
def test_six_pictures_in_one_figure(hook, title):
    axes = plot.dashboard(run(hook), Figure(figsize=(13, 11)), title="a run")
    assert [a.get_title() for a in axes.flat] == [
        "Gradient norm per step", "Loss and learning rate per step", "Gradient norm per layer and step", title,
        "Update-to-data ratio per layer", "Share of the steps that were clipped"]
    assert axes[0, 0].figure.get_suptitle() == "a run"
    draw(axes[0, 0])
    assert inside(axes[0, 0])


def test_what_is_not_there_takes_no_room_and_a_line_says_what_to_pass():
    figure = Figure(figsize=(13, 11))
    axes = plot.dashboard(recorded(1.0, 2.0), figure, threshold=1.5)
    assert figure.axes == [axes[0, 0]]
    assert [a for a in axes.flat if a is not None] == [axes[0, 0]]
    assert "1 of 2 steps above" in legend(axes[0, 0])
    said = figure.get_supxlabel()
    for cure in ("loss=", "per_parameter=True", "data="):
        assert cure in said
    assert "threshold=" not in said                     # there is one
    plot.dashboard(recorded(1.0, 2.0), other := Figure())
    assert "threshold=" in other.get_supxlabel()
    assert "optimizer" not in said                      # who logs elsewhere has none of ours


def test_the_norms_are_as_wide_as_the_pictures_below_them():
    figure = Figure(figsize=(13, 11))
    axes = plot.dashboard(recorded(1.0, 2.0, loss=[2.0, 1.0], lr=0.1, norm_out=[1.0, 1.0], coefficient=[1.0, 0.5],
                                   threshold=1.0), figure)
    assert [[a is not None for a in row] for row in axes] == [[True, True], [False, True], [False, True]]
    widths = [a.get_position().width for a in (axes[0, 0], axes[0, 1], axes[1, 1], axes[2, 1])]
    assert widths[0] == pytest.approx(widths[3])
    assert widths[1] == pytest.approx(widths[2])
    assert widths[0] > 2 * widths[1]


def test_a_rate_without_a_loss_is_drawn_and_the_loss_asked_for():
    figure = Figure(figsize=(13, 11))
    axes = plot.dashboard(traced([1.0, 2.0]), figure)
    assert lines(axes[0, 1])["learning rate"][1].tolist() == [1e-300, 1e-300]
    assert "opt.step(loss=" in figure.get_supxlabel()
    assert lines(axes[2, 0])["all parameters"][0].tolist() == [0.0, 1.0]


@pytest.mark.parametrize(("loss", "there"), [([None, None], False), ([None, nan], True), ([1.0, None], True)])
def test_a_loss_measured_as_nan_is_one(loss, there):
    assert series.recorded(recorded(1.0, 2.0, loss=loss), "loss") is there


def test_a_window_that_is_none_is_refused_not_swallowed():
    with pytest.raises(ValueError, match="window = 0"):
        plot.dashboard(run(hooks.ClipNorm(1.0)), Figure(), window=0)


def test_a_long_run_has_a_short_line(ax):
    norms = np.random.default_rng(0).uniform(0.5, 1.5, 20_000)
    trace = recorded(*norms, norm_out=np.minimum(norms, 1.0), coefficient=np.minimum(1.0, 1.0 / norms), threshold=1.0)
    plot.clipped_share(trace, ax, window=500)
    drawn = lines(ax)["last 500 steps"][1]
    share = [np.mean(norms[max(0, k - 499):k + 1] > 1) for k in range(len(norms))]
    assert len(drawn) < 4000
    assert (drawn.min(), drawn.max()) == pytest.approx((min(share), max(share)), rel=1e-12)
    assert ax.get_xlabel() == "step"

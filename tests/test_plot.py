"""Pictures: what is drawn is what was measured, nothing is dropped, and the same figure is the same file."""

import itertools
import math
import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

import minigrad as mg
from minigrad import hooks, optim, plot
from minigrad.plot.lanes import Lanes
from minigrad.plot.time import INFINITE, MISSING, ZERO, finite_limits

inf, nan = math.inf, math.nan
ORDINARY, EXTREME, LANES = [0.3, 5.0, 0.9, 20.0], [1e-320, 1e308, 1e-200, 1.0], [0.0, inf, nan, 2.0]


@pytest.fixture
def ax():
    """Axes on a figure that pyplot knows nothing of."""
    return Figure().add_subplot()


@pytest.fixture(autouse=True)
def never_shown(monkeypatch):
    """No function of the package calls show, and none leaves a figure open that it was not asked for."""
    def show(*args, **kwargs):
        raise AssertionError("show was called")
    monkeypatch.setattr(plt, "show", show)
    monkeypatch.setattr(Figure, "show", show)
    yield
    plt.close("all")


def traced(norms, *, clip=1.0, finite="propagate"):
    """The trace of one weight of two elements whose gradients have these norms."""
    w = mg.tensor([1.0, 1.0], requires_grad=True)
    trace = mg.NormTrace()
    pipeline = [hooks.NonFinite(finite), *([] if clip is None else [hooks.ClipNorm(clip)])]
    opt = optim.SGD([w], lr=1e-300, hooks=pipeline, trace=trace)
    with np.errstate(all="ignore"):
        for norm in norms:
            w.grad = [norm, 0.0]
            opt.step()
    return trace


def lines(ax):
    """The labelled lines of some axes: label -> (x, y)."""
    return {line.get_label(): tuple(np.asarray(d, float) for d in line.get_data()) for line in ax.lines
            if not line.get_label().startswith("_")}


def shown(ax, colour):
    """The x of every finite point drawn in a colour, be it on a line or in a lane."""
    return {float(x) for line in ax.lines if to_hex(line.get_color()) == to_hex(colour)
            for x, y in zip(*line.get_data()) if np.isfinite(y)}


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def inside(ax):
    """Whether every point that has been drawn lies inside the axes."""
    low, high = ax.get_ylim()
    return all(low <= y <= high for line in ax.lines for y in np.asarray(line.get_ydata(), float) if np.isfinite(y))


def draw(ax):
    FigureCanvasAgg(ax.figure).draw()


# --------------------------------------------------------------------------------------- norms

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


@pytest.mark.parametrize("given", [mg.NormTrace(), traced([])])
def test_an_empty_trace_is_refused_with_the_cure(given):
    with pytest.raises(ValueError, match=r"trace is empty.*trace=trace"):
        plot.norms(given)
    assert plt.get_fignums() == []


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


# --------------------------------------------------------------------------------------- lanes

@pytest.mark.parametrize("extra", [c for n in range(4) for c in itertools.combinations((0.0, inf, nan), n)])
@pytest.mark.parametrize("finite", [[1.0, 10.0], [3.0], [], [1e-200, 1e200]])
def test_each_kind_has_a_lane_of_its_own_outside_the_finite_range(finite, extra):
    values = [*finite, *extra]
    lanes = Lanes(np.array(values))
    assert lanes.names == [{0.0: "0", inf: "inf"}.get(v, "NaN") for v in extra]
    assert lanes.place(finite).tolist() == finite
    assert lanes.ordinary(finite).tolist() == finite
    assert lanes.special(values).tolist() == [False] * len(finite) + [True] * len(extra)
    assert np.isnan(lanes.ordinary(extra)).all()
    places = dict(zip(lanes.names, lanes.place(extra)))
    assert len(set(places.values())) == len(extra)
    low, high = 10.0 ** lanes.low, 10.0 ** lanes.high
    assert all(low <= v <= high for v in finite)
    for name, place in places.items():
        assert place < low if name == "0" else place > high
    if {"inf", "NaN"} <= places.keys():
        assert places["NaN"] > places["inf"]


def test_the_lanes_are_named_and_shaded_on_the_axes(ax):
    lanes = Lanes(np.array([*LANES, 1.0]))
    lanes.dress(ax)
    assert [text.get_text() for text in ax.texts] == ["0", "inf", "NaN"]
    assert len(ax.patches) == 3
    low, high = ax.get_ylim()
    assert all(low < place < high for place in lanes.place([0.0, inf, nan]))
    draw(ax)


def test_lanes_take_several_arrays_and_leave_them_as_they_were():
    first, second = np.array([1.0, nan]), np.array([[0.0], [1e5]])
    lanes = Lanes(first, second)
    lanes.place(second), lanes.ordinary(first)
    assert lanes.names == ["0", "NaN"]
    assert 10.0 ** lanes.low <= 1.0 < 1e5 <= 10.0 ** lanes.high
    assert np.array_equal(first, [1.0, nan], equal_nan=True)
    assert second.ravel().tolist() == [0.0, 1e5]


def test_two_axes_with_the_same_lanes_have_the_same_range():
    axes = Figure().subplots(1, 2)
    first, second = traced(ORDINARY), traced([1e6, inf])
    lanes = Lanes(first.column("norm_in"), second.column("norm_in"), second.column("norm_out"))
    plot.norms(first, axes[0], lanes=lanes)
    plot.norms(second, axes[1], lanes=lanes)
    assert axes[0].get_ylim() == axes[1].get_ylim()


# -------------------------------------------------------------------------------------- losses

@pytest.mark.parametrize("values", [
    ORDINARY, LANES, [2.0], [nan], [nan, nan], [0.0, 1.0], EXTREME, [inf, 1e308], [1e300, 1e-300, 0.0]])
def test_losses_shows_every_update_of_every_curve(values, ax):
    other = [v / 2 for v in values]
    curves = [(values, "#0072B2", "one seed"), (np.array(other), "#D55E00", "one seed")]
    assert plot.losses(ax, curves, title="t") is ax
    draw(ax)
    assert inside(ax)
    assert shown(ax, "#0072B2") == shown(ax, "#D55E00") == set(map(float, range(len(values))))
    first = lines(ax)["one seed"][1]
    ordinary = [1e-230 < v < 1e230 for v in values]
    assert first[ordinary].tolist() == np.array(values)[ordinary].tolist()
    assert list(lines(ax)) == ["one seed"]                     # the label stands once
    assert (ax.get_yscale(), ax.get_xlabel(), ax.get_ylabel(), ax.get_title()) == ("log", "update", "loss (nats)", "t")


@pytest.mark.parametrize("level", [2.5, 500.0, 1e-5])
def test_references_are_dashed_named_and_inside_the_axes(level, ax):
    plot.losses(ax, [([3.0, 2.0], "#0072B2", "one seed")], references=[(level, "counting letters")])
    dashed = [line for line in ax.lines if line.get_linestyle() == "--"]
    assert [line.get_ydata()[0] for line in dashed] == [level]
    assert [text.get_text() for text in ax.texts] == ["counting letters"]
    assert inside(ax)


# ------------------------------------------------------------------------------------ time map

MAP = np.array([[1.0, 10.0, 1e-3], [1e-200, 1e5, 3.0]])


def colours(values, ax, **options):
    """The colours in which the cells of a heat map come out on the canvas, cell by cell."""
    canvas = FigureCanvasAgg(ax.figure)
    image = plot.time_map(values, ax, **options)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba()) / 255
    places = [ax.transData.transform((i, j)) for i in range(len(values)) for j in range(len(values[0]))]
    return image, [to_hex(pixels[len(pixels) - 1 - int(y), int(x)]) for x, y in places]


def test_time_map_shows_the_logarithm_update_to_the_right_and_time_upwards(ax):
    image = plot.time_map(MAP, ax)
    assert image.axes is ax
    np.testing.assert_allclose(image.get_array(), np.log10(MAP).T, rtol=1e-15)
    assert image.origin == "lower"
    assert image.get_extent() == [-0.5, 1.5, -0.5, 2.5]
    assert image.get_clim() == (-200.0, 5.0)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("update", "time step t (0 is the first)")
    assert "||dL/dh_t||" in ax.get_title()
    bar = image.colorbar
    assert bar.ax.get_ylabel() == "||dL/dh_t||"
    draw(ax)
    assert all(text.get_text().startswith("$10^{") for text in bar.ax.get_yticklabels())


def test_time_map_shares_limits_and_can_leave_the_bar_out(ax):
    image = plot.time_map(MAP, ax, limits=(1e-3, 1e2), title="mine", colorbar=False)
    assert image.get_clim() == (-3.0, 2.0)
    assert image.colorbar is None
    assert ax.get_title() == "mine"


@pytest.mark.parametrize(("value", "colour"), [(0.0, ZERO), (inf, INFINITE), (nan, MISSING)])
@pytest.mark.parametrize("others", [
    [1.0, 1e3], [2.0, 2.0], [1e-300, 1e308], [1.7e308], [1e-307],
    [5e-324]])
def test_zero_inf_and_nan_have_colours_of_their_own(value, colour, others, ax):
    _, cells = colours([[value], *([v] for v in others)], ax, colorbar=False)
    assert cells[0] == colour.lower()
    assert not {ZERO, INFINITE.lower(), MISSING.lower()} & set(cells[1:])


@pytest.mark.parametrize("value", [1e-9, 1e9])
def test_a_value_beyond_the_limits_is_not_drawn_as_zero_or_inf(value, ax):
    _, cells = colours([[value], [2.0]], ax, limits=(1.0, 100.0), colorbar=False)
    assert cells[0] not in (ZERO.lower(), INFINITE.lower())


@pytest.mark.parametrize("values", [
    [[1.0]], [[0.0]], [[nan]], [[inf]], [[0.0, nan, inf, 1.0]], [[1e-320, 1e308, inf, 0.0, nan]], [[1e300] * 3] * 2])
def test_time_map_draws_whatever_comes(values, ax):
    image, _ = colours(values, ax)
    low, high = image.get_clim()
    assert high - low >= 1 - 1e-12


@pytest.mark.parametrize("value", [1.0, 1e308, 1e-307, 5e-324])
def test_a_colour_scale_holds_its_value_at_the_ends_of_the_floats_too(value):
    low, high = finite_limits(np.array([value]))
    assert 0 < low <= value <= high < inf


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (3,), (2, 2, 2), ()])
def test_time_map_refuses_what_is_no_matrix(shape):
    with pytest.raises(ValueError) as caught:
        plot.time_map(np.ones(shape))
    assert str(shape) in str(caught.value)
    assert plt.get_fignums() == []


# ------------------------------------------------------------------------------ axes and files

CALLS = {
    "norms": lambda ax=None: plot.norms(traced([1e-200, *LANES]), ax),
    "time_map": lambda ax=None: plot.time_map(MAP, ax).axes,
    "losses": lambda ax=None: plot.losses(ax or Figure().add_subplot(), [(ORDINARY, "k", "one seed")]),
}


@pytest.mark.parametrize("name", CALLS)
def test_axes_given_are_drawn_on_and_no_figure_is_made(name):
    axes = Figure().subplots(1, 2)
    assert CALLS[name](axes[1]) is axes[1]
    assert not axes[0].lines + axes[0].images
    assert plt.get_fignums() == []


@pytest.mark.parametrize("name", ["norms", "time_map"])
def test_without_axes_one_pyplot_figure_is_made_and_the_style_does_not_leak(name):
    before = dict(plt.rcParams)
    axes = CALLS[name]()
    assert plt.get_fignums() == [axes.figure.number]
    assert dict(plt.rcParams) == before


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
@pytest.mark.parametrize("name", CALLS)
def test_the_same_call_writes_the_same_bytes_twice(name, ending, tmp_path):
    for k in range(2):
        plot.save(CALLS[name](Figure().add_subplot()).figure, tmp_path / f"{k}.{ending}")
    first, second = ((tmp_path / f"{k}.{ending}").read_bytes() for k in range(2))
    assert first == second
    assert first[:5] in (b"\x89PNG\r", b"<?xml", b"%PDF-")


@pytest.mark.parametrize("name", ["figure.txt", "figure.jpg", "figure", "figure.png.bak"])
def test_save_refuses_other_endings_and_names_the_ones_it_knows(name, tmp_path):
    with pytest.raises(ValueError, match=r"\.png, \.svg or \.pdf"):
        plot.save(Figure(), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_existing_file_survives_a_failing_save(error, tmp_path, monkeypatch):
    def fail(self, file, **options):
        file.write(b"half")
        raise error
    (tmp_path / "figure.png").write_bytes(b"old")
    monkeypatch.setattr(Figure, "savefig", fail)
    with pytest.raises(error):
        plot.save(Figure(), tmp_path / "figure.png")
    assert [p.name for p in tmp_path.iterdir()] == ["figure.png"]
    assert (tmp_path / "figure.png").read_bytes() == b"old"


@pytest.mark.parametrize("code", ["import minigrad", "import minigrad.cli", "from minigrad import nn, optim, hooks"])
def test_importing_minigrad_imports_neither_matplotlib_nor_tqdm(code):
    check = f"{code}; import sys; print([m for m in ('matplotlib', 'tqdm') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_plot_is_reached_from_the_package():
    code = "import minigrad as mg, sys; mg.plot.norms; print('matplotlib.pyplot' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


# ------------------------------------------------------------------------------- steps that were dropped

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

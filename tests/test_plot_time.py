"""The gradient through time: lines over t, and the heat map over (time, update)."""

import math

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from plotting import EXTREME, LANES, MAP, ORDINARY, draw, inside, legend, lines, shown

from minigrad import plot
from minigrad.plot.time import COLOURS, INFINITE, MISSING, MOST_CELLS, ZERO, finite_limits, largest_of

inf, nan = math.inf, math.nan


@pytest.fixture
def ax():
    """Axes on a figure that pyplot knows nothing of."""
    return Figure().add_subplot()


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


@pytest.mark.parametrize(("values", "texts"), [
    ([[0.0, 1.0]], ["0"]), ([[inf, nan, 1.0]], ["inf", "NaN"]), ([[0.0, inf, nan]], ["0", "inf", "NaN"])])
def test_the_marks_of_a_map_are_explained_where_they_occur(values, texts, ax):
    plot.time_map(values, ax)
    draw(ax)
    assert legend(ax) == texts
    assert [to_hex(p.get_facecolor()) for p in ax.get_legend().get_patches()] == [
        {"0": ZERO, "inf": INFINITE, "NaN": MISSING}[text].lower() for text in texts]


def test_a_map_without_marks_has_no_legend_and_one_with_them_can_leave_it_out(ax):
    plot.time_map(MAP, ax)
    assert ax.get_legend() is None
    plot.time_map([[nan, 1.0]], ax, legend=False)
    assert ax.get_legend() is None


def test_a_colour_bar_of_less_than_two_decades_has_plain_numbers(ax):
    image = plot.time_map([[0.5, 20.0]], ax)
    draw(ax)
    seen = [text.get_text() for text in image.colorbar.ax.get_yticklabels()]
    assert {"0.5", "1", "2", "5", "10", "20"} <= set(seen)


@pytest.mark.parametrize("shape", [(100_000, 3), (3, 100_000), (4000, 4000)])
def test_a_large_map_shows_the_largest_of_each_cell_and_says_how_many(shape, ax):
    values = np.ones(shape)
    values[-1, -1] = 7.0
    image = plot.time_map(values, ax)
    cells = image.get_array()
    assert max(cells.shape) <= MOST_CELLS
    assert cells[-1, -1] == np.log10(7.0)
    assert image.get_extent() == [-0.5, shape[0] - 0.5, -0.5, shape[1] - 0.5]
    for n, label in zip(shape, (ax.get_xlabel(), ax.get_ylabel())):
        width = -(-n // MOST_CELLS)
        assert label.endswith(f"; largest of each {width}") == (width > 1)
    draw(ax)


@pytest.mark.parametrize("update", [0, 70_000, 99_999])
@pytest.mark.parametrize("value", [inf, nan])
def test_a_single_inf_or_nan_of_many_updates_is_wide_enough_to_be_seen(value, update, ax):
    values = np.ones((100_000, 2))
    values[update, 1] = value
    cells = plot.time_map(values, ax).get_array().filled(nan)
    odd = np.isnan(cells) if np.isnan(value) else cells > 0.5
    assert not odd[0].any()
    assert 1 / 150 <= odd[1].mean() < 1 / 130


def test_largest_of_puts_nan_before_inf_before_numbers():
    values = np.array([[1.0, 1.0, 0.0], [2.0, inf, 0.0], [nan, 3.0, 0.0], [inf, 0.0, 0.0], [5.0, 0.5, 0.0]])
    assert np.array_equal(largest_of(values, 2), [[2, inf, 0], [nan, 3, 0], [5, 0.5, 0]], equal_nan=True)
    assert largest_of(values, 1) is values


# ----------------------------------------------------------------------------------------- lines

def test_time_curve_draws_one_line_per_run(ax):
    runs = {"first": np.array([1e-3, 1e-2, 1.0]), "second": np.array([4.0, 2.0], np.float32)}
    assert plot.time_curve(runs, ax) is ax
    drawn = lines(ax)
    for label, values in runs.items():
        assert drawn[label][0].tolist() == list(range(len(values)))
        assert drawn[label][1].tolist() == values.tolist()
    assert legend(ax) == ["first", "second"]
    assert (ax.get_yscale(), ax.get_ylabel()) == ("log", "||dL/dh_t||")
    assert ax.get_xlabel() == "time step t (the loss is at the right)"
    assert "||dL/dh_t||" in ax.get_title()
    draw(ax)


@pytest.mark.parametrize(("norms", "labels", "texts"), [
    (MAP, None, ["update 0", "update 1"]),
    (MAP, ["before", "after"], ["before", "after"]),
    ([MAP[0], MAP[1][:2]], None, ["run 0", "run 1"]),
    (MAP[0], "alone", ["alone"])])
def test_lines_have_the_names_that_fit_what_is_given(norms, labels, texts, ax):
    plot.time_curve(norms, ax, labels=labels)
    assert legend(ax) == texts


def test_a_single_line_needs_no_legend(ax):
    plot.time_curve(MAP[0], ax)
    assert ax.get_legend() is None


@pytest.mark.parametrize("rate", [0.8, 1.0, 1.25])
def test_the_prediction_lies_on_a_run_that_follows_it(rate, ax):
    values = rate ** np.arange(30.0)[::-1]
    plot.time_curve(values, ax, slope=math.log10(rate))
    dashed, = (line for line in ax.lines if line.get_linestyle() == "--" and len(line.get_xdata()))
    x, y = dashed.get_data()
    assert list(x) == [0, 29]
    np.testing.assert_allclose(y, values[[0, -1]], rtol=1e-12)
    assert legend(ax) == [f"predicted: {math.log10(rate):+.3g} decades a step back"]


def test_each_run_has_its_own_prediction_and_those_beyond_the_picture_end_at_its_edge(ax):
    plot.time_curve({"a": np.ones(20), "b": np.ones(20)}, ax, slope=[-0.01, 5.0])
    dashed = [line for line in ax.lines if line.get_linestyle() == "--" and len(line.get_xdata())]
    assert [to_hex(line.get_color()) for line in dashed] == [colour.lower() for colour in COLOURS[:2]]
    np.testing.assert_allclose(dashed[0].get_ydata(), [10 ** (-0.01 * 19), 1.0], rtol=1e-12)
    x, y = dashed[1].get_data()
    assert 18.8 < x[0] < x[1] == 19
    assert math.log10(y[0] / y[1]) == pytest.approx(5 * (x[1] - x[0]))
    assert legend(ax) == ["a (predicted -0.01)", "b (predicted +5)", "predicted, in decades a step back"]
    assert inside(ax)


def test_of_many_updates_some_are_drawn_from_dark_to_bright_and_the_legend_says_how_many(ax):
    plot.time_curve(np.arange(1.0, 201.0)[:, None] * np.ones(5), ax)
    assert len([line for line in ax.lines if len(line.get_xdata()) == 5]) == 60
    assert legend(ax)[0] == "update 0"
    assert legend(ax)[-1] == "update 199"
    assert ax.get_legend().get_title().get_text() == "60 of 200 lines are drawn"


@pytest.mark.parametrize("values", [ORDINARY, LANES, EXTREME, [3.0], [0.0], [nan] * 4, [inf, 0.0, nan]])
def test_every_step_is_on_the_line_or_in_a_lane(values, ax):
    plot.time_curve(values, ax, slope=-1.0)
    draw(ax)
    assert shown(ax, COLOURS[0]) == set(map(float, range(len(values))))
    assert inside(ax)


def test_a_million_steps_keep_their_extremes(ax):
    values = np.ones(1_000_000)
    values[[1234, 765_432]] = 1e-5, 1e5
    plot.time_curve(values, ax)
    drawn = np.concatenate([line.get_ydata() for line in ax.lines])
    assert len(drawn) < 20_000
    assert ax.get_xlabel().startswith("time step t; line: median, band:")
    low, high = ax.get_ylim()
    assert low <= 1e-5 < 1e5 <= high
    draw(ax)


@pytest.mark.parametrize(("norms", "options", "says"), [
    ([], {}, r"\(T,\)"), ({}, {}, "nothing to draw"), (np.ones((0, 4)), {}, "nothing to draw"),
    (np.ones((4, 0)), {}, r"\(0,\)"), (np.ones((2, 2, 2)), {}, r"\(2, 2\)"), ({"a": [1.0], "b": []}, {}, "'b'"),
    (MAP, {"labels": ["one"]}, "1 labels for 2 lines"), (MAP, {"slope": [1.0]}, "1 slopes for 2 lines"),
    (MAP, {"slope": nan}, "finite")])
def test_time_curve_says_what_does_not_fit(norms, options, says):
    with pytest.raises(ValueError, match=says):
        plot.time_curve(norms, **options)
    assert plt.get_fignums() == []


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_the_same_lines_are_the_same_bytes(ending, tmp_path):
    for k in range(2):
        ax = plot.time_curve({"a": LANES, "b": EXTREME}, Figure().add_subplot(), slope=[0.1, None])
        plot.save(ax.figure, tmp_path / f"{k}.{ending}")
    assert (tmp_path / f"0.{ending}").read_bytes() == (tmp_path / f"1.{ending}").read_bytes()

"""Several runs in one picture: bands are over what is finite, and the lanes say how many runs are not."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from plotting import draw, inside, legend, lines, recorded, traced

from minigrad import plot
from minigrad.plot.runs import spread

inf, nan = math.inf, math.nan
NORM = st.one_of(st.floats(1e-3, 1e3), st.sampled_from([0.0, inf, nan]))


@pytest.fixture
def ax():
    return Figure().add_subplot()


@pytest.mark.parametrize(("band", "edges"), [("10-90", (10, 90)), ("min-max", (0, 100))])
@given(runs=st.lists(st.lists(NORM, min_size=1, max_size=6), min_size=1, max_size=7))
def test_a_band_is_numpys_percentiles_of_the_finite_runs(band, edges, runs):
    x, low, middle, high, counts = spread([(np.arange(len(r)), np.array(r)) for r in runs], band)
    for k, step in enumerate(x):
        there = [r[k] for r in runs if len(r) > k]
        finite = [v for v in there if math.isfinite(v)]
        wanted = np.percentile(finite, (edges[0], 50, edges[1])) if finite else [nan] * 3
        np.testing.assert_allclose([low[k], middle[k], high[k]], wanted, rtol=1e-12)
        assert step == k
        assert counts["runs"][k] == len(there)
        assert counts["NaN"][k] * len(there) == pytest.approx(sum(v != v for v in there))
        assert counts["inf"][k] * len(there) == pytest.approx(there.count(inf))
        assert counts["0"][k] * len(there) == pytest.approx(there.count(0.0))


def test_runs_at_different_steps_are_put_together_by_step():
    x, low, _, high, counts = spread([(np.array([0, 10]), np.array([1.0, 2.0])), (np.array([10]), np.array([4.0]))],
                                     "min-max")
    assert (x.tolist(), low.tolist(), high.tolist()) == ([0, 10], [1.0, 2.0], [1.0, 4.0])
    assert counts["runs"].tolist() == [1, 2]


def test_each_of_a_list_has_a_line_and_a_label(ax):
    assert plot.runs([recorded(1.0, 2.0), recorded(3.0, 4.0, 5.0)], ax) is ax
    drawn = lines(ax)
    assert {label: y.tolist() for label, (_, y) in drawn.items()} == {"run 0": [1.0, 2.0], "run 1": [3.0, 4.0, 5.0]}
    assert legend(ax) == ["run 0", "run 1"]
    assert (ax.get_yscale(), ax.get_xlabel(), ax.get_ylabel()) == ("log", "step", "gradient norm")
    assert len({line.get_color() for line in ax.lines}) == 2


def test_all_runs_share_one_axis_and_a_run_that_was_resumed_is_broken(ax):
    straight = recorded(*np.ones(2000), step=np.arange(2000))
    resumed = recorded(*np.full(2200, 2.0), step=np.r_[:1200, 1000:2000])
    plot.runs({"straight": straight, "resumed": resumed}, ax)
    assert ax.get_xlabel() == "step"
    x, y = lines(ax)["resumed"]
    gap, = np.flatnonzero(np.isnan(x))
    assert (x[gap - 1], x[gap + 1], x[-1]) == (1199, 1000, 1999)
    assert np.isnan(y[gap])
    assert ax.get_xlim()[1] < 2100


@pytest.mark.parametrize("order", [1, -1])
def test_where_one_run_has_several_calls_in_a_step_all_count_calls(order, ax):
    runs = {"a": recorded(1.0, 2.0, 3.0, step=[10, 20, 30]), "b": recorded(1.0, 2.0, 3.0, 4.0, step=[7, 7, 7, 8],
                                                                         micro_step=np.arange(4))}
    plot.runs(dict(list(runs.items())[::order]), ax)
    assert ax.get_xlabel() == "record"
    assert {label: x.tolist() for label, (x, _) in lines(ax).items()} == {"a": [0, 1, 2], "b": [0, 1, 2, 3]}


def test_a_run_resumed_at_its_very_step_has_steps(ax):
    plot.runs([recorded(1.0, 2.0, 3.0, 4.0, step=[0, 1, 1, 2]), recorded(5.0, step=[1])], ax)
    assert ax.get_xlabel() == "step"


def test_a_long_run_that_was_resumed_has_a_band(ax):
    plot.runs([recorded(*np.r_[np.ones(20_000), np.full(20_000, 3.0)], step=np.r_[:20_000, 10_000:30_000])], ax)
    draw(ax)
    band, = ax.collections
    corners = band.get_paths()[0].vertices
    assert (corners[:, 1].min(), corners[:, 1].max()) == (1.0, 3.0)
    assert ax.get_xlabel() == "step; line: median, band: smallest to largest per pixel column"
    assert ax.get_xlim()[1] < 31_000


def test_in_a_band_the_last_norm_of_a_step_counts(ax):
    plot.runs({"a": [recorded(1.0, 9.0, 3.0, step=[0, 1, 1]), recorded(1.0, 3.0, step=[0, 1])]}, ax)
    assert lines(ax)["a: median and 10-90 % of 2 runs"][1].tolist() == [1.0, 3.0]


def test_a_band_has_a_median_and_says_how_many_are_not_finite(ax):
    plot.runs({"lr 1": [recorded(1.0, 1.0), recorded(2.0, inf), recorded(3.0, nan)], "lr 2": recorded(5.0, 5.0)}, ax,
              band="min-max")
    assert legend(ax) == ["lr 1: median and range of 3 runs; up to 2 not finite", "lr 2"]
    assert lines(ax)[legend(ax)[0]][1].tolist() == [2.0, 1.0]
    corners = ax.collections[0].get_paths()[0].vertices
    assert (corners[:, 1].min(), corners[:, 1].max()) == (1.0, 3.0)
    assert [text.get_text() for text in ax.texts] == ["inf", "NaN"]
    bars = [(bar.get_x(), bar.get_height()) for bar in ax.patches
            if isinstance(bar, Rectangle) and bar.get_width() == 1.0 and bar.get_x() == 0.5]
    assert len(bars) == 2                                       # a third of the runs in either lane, at step 1
    draw(ax)
    assert inside(ax)


def test_where_no_run_is_finite_the_line_has_a_gap(ax):
    plot.runs({"a": [recorded(1.0, nan, 1.0), recorded(1.0, inf, 3.0)]}, ax)
    (_, y), = lines(ax).values()
    assert np.array_equal(y, [1.0, nan, 2.0], equal_nan=True)


def test_runs_without_a_band_are_thin_lines_of_one_colour(ax):
    plot.runs({"a": [recorded(1.0, 2.0), recorded(3.0, 4.0)]}, ax, band=None)
    assert legend(ax) == ["a (2 runs)"]
    assert len({line.get_color() for line in ax.lines}) == 1


@pytest.mark.parametrize(("clips", "expected"), [((1.0, 1.0), ["threshold 1"]), ((1.0, 2.0), []), ((1.0, None), [])])
def test_a_threshold_that_all_share_is_drawn(clips, expected, ax):
    plot.runs([traced([0.5, 4.0], clip=c) for c in clips], ax)
    assert [text for text in legend(ax) if "threshold" in text] == expected
    assert ax.get_title() == "Gradient norm per step, before clipping"


def test_after_clipping_and_a_threshold_of_ones_own(ax):
    plot.runs({"clipped": traced([0.5, 4.0], clip=1.0)}, ax, which="after", threshold=3.0)
    assert lines(ax)["clipped"][1].tolist() == [0.5, 1.0]
    assert lines(ax)["threshold 3"][1].tolist() == [3.0, 3.0]
    assert ax.get_title().endswith("after clipping")


def test_many_kinds_have_colours_of_their_own(ax):
    plot.runs([recorded(float(k + 1), 1.0) for k in range(12)], ax)
    assert len({tuple(np.atleast_1d(line.get_color())) for line in ax.lines}) == 12


@pytest.mark.parametrize(("options", "text"), [
    ({"band": "5-95"}, r"'10-90', 'min-max', or None"), ({"which": "during"}, "'before'"),
    ({"threshold": 0.0}, "must be a number > 0"), ({"threshold": nan}, "must be a number > 0"),
    ({"labels": ["a"]}, r"1 labels .* for 2 traces"), ({"labels": ["a", "a"]}, "1 different")])
def test_bad_options_are_refused(options, text):
    with pytest.raises(ValueError, match=text):
        plot.runs([recorded(1.0), recorded(2.0)], **options)


@pytest.mark.parametrize(("given", "text"), [([], "no traces"), ({}, "no traces"), ({"a": []}, "no trace under 'a'")])
def test_nothing_is_refused(given, text):
    with pytest.raises(ValueError, match=text):
        plot.runs(given)


def test_of_many_steps_the_bars_in_the_lanes_stay(ax):
    norms = np.ones(20_000)
    norms[777] = nan
    plot.runs({"a": [recorded(*norms), recorded(*np.ones(20_000))]}, ax)
    bars = [bar for bar in ax.patches if isinstance(bar, Rectangle) and bar.get_x() > 0]
    assert len(bars) == 1
    assert bars[0].get_x() <= 777 <= bars[0].get_x() + 1.5 * bars[0].get_width()
    assert "line: median" in ax.get_xlabel()

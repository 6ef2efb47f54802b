"""Axes with lanes, and lines on them, few points or a million."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from plotting import EXTREME, LANES, ORDINARY, draw, inside, lines, shown

from minigrad import plot
from minigrad.plot.lanes import Lanes
from minigrad.plot.lines import MANY, columns, line, number_of_column

inf, nan = math.inf, math.nan


@pytest.fixture
def ax():
    """Axes on a figure that pyplot knows nothing of."""
    return Figure().add_subplot()


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


# --------------------------------------------------------------------------------------- lines

VALUE = st.one_of(st.floats(1e-3, 1e3), st.just(nan))


@given(points=st.lists(st.tuples(st.integers(0, 10 ** 6), VALUE), min_size=1, max_size=60, unique_by=lambda p: p[0]))
def test_columns_have_the_smallest_median_and_largest_of_each(points):
    x, y = (np.array(c, dtype=float) for c in zip(*sorted(points)))
    number = number_of_column(x, x)
    got = columns(x, y)
    assert [len(a) for a in got] == [len(set(number))] * 4
    for k, at, low, middle, high in zip(np.unique(number), *got):
        here = np.sort(y[(number == k) & ~np.isnan(y)])
        assert x[number == k].min() <= at <= x[number == k].max()
        wanted = [here[0], here[(len(here) - 1) // 2], here[-1]] if len(here) else [nan] * 3
        assert np.array_equal([low, middle, high], wanted, equal_nan=True)


@pytest.mark.parametrize("count", [MANY, MANY + 1])
def test_every_kind_of_value_of_a_long_line_is_in_its_lane(count, ax):
    y = np.ones(count)
    y[5:4000:7], y[4000:6000:9], y[-3] = nan, inf, 0.0
    lanes = Lanes(y)
    lanes.dress(ax)
    line(ax, lanes, np.arange(count), y, "#0072B2", "line")
    marks = ax.lines[-1]
    assert marks.get_marker() == "x"
    for value in (nan, inf, 0.0):
        there = marks.get_xdata()[marks.get_ydata() == lanes.place([value])[0]]
        wanted = np.flatnonzero(np.isnan(y) if value != value else y == value)
        assert set(number_of_column(there, np.arange(count))) == set(number_of_column(wanted, np.arange(count)))
    assert inside(ax)


def test_a_tick_is_never_among_the_lanes(ax):
    lanes = Lanes(np.array([3.0, 20.0, inf, nan, 0.0]))
    lanes.dress(ax)
    ax.set_ylim(top=1e6)
    for ticks in (ax.get_yticks(), ax.get_yticks(minor=True)):
        assert len(ticks)
        assert all(10.0 ** lanes.low <= t <= 10.0 ** lanes.high for t in ticks)


@pytest.mark.parametrize("low", [1e-310, 1e-303, 1e-200, 1.0, 1e300])
def test_the_limits_hold_at_the_ends_of_the_floats(low, ax):
    lanes = Lanes(np.array([low, 3 * low]))
    lanes.dress(ax)
    assert ax.get_ylim() == (10.0 ** lanes.low, 10.0 ** lanes.high)


@pytest.mark.parametrize("count", [3, MANY + 1])
def test_a_pale_colour_stays_pale(count, ax):
    y = np.ones(count)
    y[1] = nan
    plot.losses(ax, [(y, (0.0, 0.4, 0.7, 0.4), "one seed")])
    assert {line.get_color()[3] for line in ax.lines} == {0.4}
    assert {line.get_alpha() for line in ax.lines} == {None}
    assert all(band.get_facecolor()[0, 3] == pytest.approx(0.12) for band in ax.collections)

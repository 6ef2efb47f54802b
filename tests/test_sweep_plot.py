"""The picture of a sweep: what is on its axes, which number it draws, and that nothing measured is dropped."""

import itertools
import math

import mortal
import numpy as np
import pytest

from minigrad import plot
from minigrad.experiments import sweep_plot
from minigrad.experiments.experiment import as_json
from minigrad.experiments.sweep import Sweep
from minigrad.experiments.sweep_plot import headline_of, places, share


@pytest.fixture(autouse=True)
def _enlisted(monkeypatch):
    mortal.enlist(monkeypatch)


def made(folder, axes, value, leave_out=0):
    """A sweep whose cells hold ``value(config)`` as the number x."""
    sweep = Sweep("mortal", axes, folder / "sweep")
    sweep.prepare()
    for cell in sweep.cells[leave_out:]:
        sweep.path(cell).write_text(as_json({"headline": {"same": 1, "x": value(cell.config)}}))
    return sweep


def ticks(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


def line_of(ax):
    """The points of the line of medians or shares."""
    return next(line.get_data() for line in ax.lines if line.get_marker() == "o")


# -------------------------------------------------------------------------------------------- which number

COLUMNS, ROWS = ["seed", "same", "word", "gap", "x"], [[0, 1, "a", math.nan, 2.0], [1, 1, "b", 3.0, 4.0]]


def test_the_number_drawn_is_the_first_that_varies_and_is_everywhere():
    assert headline_of(COLUMNS, ROWS, ["seed"]) == "x"
    assert headline_of(COLUMNS[:4], ROWS, ["seed"]) == "gap"
    assert headline_of(COLUMNS[:3], ROWS, ["seed"]) == "same"
    assert headline_of(COLUMNS, ROWS, ["seed"], "same") == "same"


def test_a_number_that_depends_on_the_seed_alone_is_not_the_first_to_be_drawn():
    columns = ["scale", "seed", "by seed", "by scale"]
    rows = [[scale, seed, seed, scale] for scale in (1.0, 2.0) for seed in (0, 1)]
    assert headline_of(columns, rows, ["scale", "seed"]) == "by scale"
    assert headline_of(columns[1:], [row[1:] for row in rows], ["seed"]) == "by seed"


@pytest.mark.parametrize("name", ["y", "word", "seed", "xx"])
def test_a_number_that_is_not_there_is_refused_with_those_that_are(name):
    with pytest.raises(KeyError, match=f"no headline '{name}'; .*There are: same, gap, x"):
        headline_of(COLUMNS, ROWS, ["seed"], name)


def test_where_nothing_is_finished_there_is_no_picture(tmp_path):
    with pytest.raises(ValueError, match="no cell has a number yet"):
        sweep_plot.figure(made(tmp_path, {"seed": "0:3"}, float, leave_out=3))


def test_three_settings_are_more_than_a_picture_has_room_for(tmp_path):
    axes = {"seed": "0:2", "scale": "1,2", "size": "3,4", "kind": "sin,tanh"}
    with pytest.raises(ValueError, match="room for two settings beside seed, and 3 vary: scale, size, kind"):
        sweep_plot.figure(made(tmp_path, axes, lambda c: c.scale))


# ------------------------------------------------------------------------------------------------- places

@pytest.mark.parametrize(("values", "wanted", "scale"), [
    ([1, 2, 3], [1, 2, 3], ""),
    ([0.1, 1.0, 10.0], [-1, 0, 1], ", logarithmic"),
    ([0.1, 1.0, math.inf, 10.0], [-1, 0, 2, 1], ", logarithmic"),
    ([0.0, 10.0, 100.0], [0, 10, 100], ""),
    ([0.1, 10.0], [0.1, 10], ""),
    ([2.0, math.nan, math.inf], [2, 3, 4], ""),
    ([math.inf], [1], ""),
    (["sin", "tanh"], [0, 1], ""),
    ([True, False], [0, 1], ""),
])
def test_where_the_values_of_an_axis_stand(values, wanted, scale):
    at, said = places(values)
    assert [at[repr(v)] for v in values] == pytest.approx(wanted)
    assert said == scale


@pytest.mark.parametrize(("ones", "n", "low", "high"), [
    (81, 263, 0.2553, 0.3662),                                          # Newcombe 1998
    (0, 10, 0.0, 1.96 ** 2 / (10 + 1.96 ** 2)), (10, 10, 10 / (10 + 1.96 ** 2), 1.0),      # where the roots are simple
    (5, 10, 0.5 - 0.98 / math.sqrt(10 + 1.96 ** 2), 0.5 + 0.98 / math.sqrt(10 + 1.96 ** 2)),
])
def test_the_interval_of_a_share_is_wilsons(ones, n, low, high):
    found = share([1] * ones + [0] * (n - ones))
    assert found == pytest.approx((low, ones / n, high), abs=6e-5)


# ---------------------------------------------------------------------------------------------------- a line

def test_a_line_has_the_median_and_a_band_over_seeds(tmp_path):
    sweep = made(tmp_path, {"scale": "3,.03,none,30,.3", "seed": "0:3"}, lambda c: min(c.scale, 100.0) + c.seed ** 2)
    ax = sweep_plot.figure(sweep).axes[0]
    x, y = line_of(ax)
    np.testing.assert_allclose(x, np.log10([0.03, 0.3, 3, 30, 300]))
    np.testing.assert_allclose(y, np.array([0.03, 0.3, 3, 30, 100]) + 1)
    assert ticks(ax.xaxis) == ["0.03", "0.3", "3", "30", "none"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("scale, logarithmic", "x")
    assert ax.get_title() == "mortal: x"
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["smallest to largest", "median of 3 seeds",
                                                                   "one seed"]
    band = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == pytest.approx((0.03, 104))
    assert ax.get_yscale() == "log"


def test_what_was_solved_or_not_is_a_share_with_its_interval(tmp_path):
    sweep = made(tmp_path, {"scale": "1,2,3", "seed": "0:4"}, lambda c: int(c.seed < c.scale))
    ax = sweep_plot.figure(sweep).axes[0]
    np.testing.assert_allclose(line_of(ax), [[1, 2, 3], [0.25, 0.5, 0.75]])
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["95 % interval (Wilson 1927)", "share of 4 seeds"]
    assert ax.get_ylim() == (-0.05, 1.05)


def test_words_have_no_line_between_them(tmp_path):
    ax = sweep_plot.figure(made(tmp_path, {"kind": "tanh,sin", "seed": "0:2"}, lambda c: c.seed)).axes[0]
    assert ticks(ax.xaxis) == ["tanh", "sin"]
    assert [line.get_marker() for line in ax.lines if line.get_linestyle() == "-"] == []


def test_seeds_alone_are_points(tmp_path):
    ax = sweep_plot.figure(made(tmp_path, {"seed": "0:5"}, lambda c: c.seed + 0.5)).axes[0]
    np.testing.assert_allclose(line_of(ax), [range(5), np.arange(5) + 0.5])
    assert ax.get_legend() is None


@pytest.mark.parametrize(("values", "log"), [
    ([1.0, 1e5, math.inf, math.nan], True), ([0.0, 1.0, 1e9, math.inf], True), ([1.0, 2.0, math.inf, math.nan], False),
    ([-1.0, 1e9, -math.inf, math.nan], False), ([math.nan] * 4, False)])
def test_what_is_not_finite_has_its_place_on_the_axis(values, log, tmp_path):
    sweep = made(tmp_path, {"scale": "1,2,3,4"}, lambda c: values[int(c.scale) - 1])
    ax = sweep_plot.figure(sweep, "x").axes[0]
    y = line_of(ax)[1]
    assert np.isfinite(y).all()
    bottom, top = ax.get_ylim()
    assert ((bottom <= y) & (y <= top)).all()
    assert (ax.get_yscale() == "log") == log
    shown = [text.get_text() for text in ax.texts]
    for name, there in (("NaN", np.isnan(values)), ("inf", np.isposinf(values)), ("-inf", np.isneginf(values))):
        assert (name in shown) == there.any()
    assert len(set(y)) == len({repr(v) for v in values})


def test_the_title_says_how_many_cells_are_missing(tmp_path):
    sweep = made(tmp_path, {"scale": "1,2", "seed": "0:3"}, lambda c: c.seed, leave_out=4)
    assert sweep_plot.figure(sweep).axes[0].get_title() == "mortal: x (4 of 6 cells missing)"


def test_many_values_leave_room_between_their_labels(tmp_path):
    fig = sweep_plot.figure(made(tmp_path, {"size": "1:200"}, lambda c: c.size))
    fig.canvas.draw()
    boxes = [label.get_window_extent() for label in fig.axes[0].xaxis.get_ticklabels()]
    assert 5 < len(boxes) < 40
    assert all(left.x1 < right.x0 for left, right in itertools.pairwise(boxes))


# ----------------------------------------------------------------------------------------------------- a map

def test_two_settings_are_a_map(tmp_path):
    values = {(1.0, 3): 0.5, (2.0, 3): math.inf, (1.0, 4): math.nan, (2.0, 4): 700.0}
    sweep = made(tmp_path, {"scale": "1,2,7", "size": "3,4", "seed": "0:3"},
                 lambda c: values.get((c.scale, c.size), 2.0) + 0 * c.seed)
    for cell in sweep.cells[-3:]:
        sweep.path(cell).unlink()
    fig = sweep_plot.figure(sweep)
    ax, bar = fig.axes
    assert [text.get_text() for text in ax.texts] == ["0.5", "inf", "2", "NaN", "700", "missing"]
    assert [text.get_position() for text in ax.texts] == [(x, y) for y in (0, 1) for x in (0, 1, 2)]
    assert (ticks(ax.xaxis), ticks(ax.yaxis)) == (["1", "2", "7"], ["3", "4"])
    assert (ax.get_xlabel(), ax.get_ylabel(), bar.get_ylabel()) == ("scale", "size", "x")
    assert ax.get_title() == "mortal: x, median of 3 seeds (3 of 18 cells missing)"
    colours = ax.images[0].get_array()[..., :3]
    assert len(np.unique(colours.reshape(-1, 3), axis=0)) == 6


def test_the_same_sweep_gives_the_same_bytes(tmp_path):
    sweep = made(tmp_path, {"scale": "1,2,7", "size": "3,4"}, lambda c: c.scale * c.size)
    for k in range(2):
        plot.save(sweep_plot.figure(sweep), tmp_path / f"{k}.png")
    assert (tmp_path / "0.png").read_bytes() == (tmp_path / "1.png").read_bytes()

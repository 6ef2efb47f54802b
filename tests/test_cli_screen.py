"""The picture in characters: everything is on it, where it belongs, and it fits the terminal."""

import re

import numpy as np
import pytest
from commanding import INF, NAN

from minigrad.commands.screen import MARGIN, Axis, Look, Shown, dots, frame, positions

ASCII = Look(unicode=False)
USUAL = Look()


def seen(before, look=USUAL, foot="", **others):
    """The picture of some norms."""
    n = len(before)
    empty = {name: np.full(n, NAN) for name in ("after", "threshold", "clipped", "loss")}
    given = {name: np.broadcast_to(np.asarray(values, float), n) for name, values in others.items()}
    shown = {"steps": np.arange(n), "before": np.asarray(before, float), "facts": ["x"], **empty, **given}
    return frame(Shown(**shown), look, foot)


def rows(lines):
    """The rows of the norms' axis of a picture: label -> drawn part; unlabelled rows count from the top."""
    return [(line[:MARGIN].strip(), line[MARGIN + 1:]) for line in lines
            if line[MARGIN:MARGIN + 1] in tuple("│┤|") and line[:MARGIN].strip() not in (
                "NaN", "inf", "0", "loss", "clipped", "above")]


def line_of(lines, name):
    """The drawn part of the line with this label, None if there is none."""
    return next((line[MARGIN + 1:] for line in lines if line[:MARGIN].strip() == name), None)


# -------------------------------------------------------------------------------------- the picture

@pytest.mark.parametrize("look", [Look(), ASCII, Look(50, 12), Look(200, 60), Look(80, 24, colour=True)])
@pytest.mark.parametrize("n", [1, 2, 71, 1000, 100_000])
def test_a_picture_fits_the_terminal(look, n):
    values = np.exp(np.random.default_rng(0).normal(size=n))
    values[::7], values[::11], values[::13] = NAN, INF, 0.0
    lines = seen(values, look, foot="Ctrl-C leaves", threshold=1.0, clipped=values > 1, loss=1.0, after=values)
    bare = [re.sub(r"\x1b\[[\d;]*m", "", line) for line in lines]
    assert max(map(len, bare)) <= look.width
    assert len(lines) <= look.height
    assert ("\x1b" in "".join(lines)) == look.colour


@pytest.mark.parametrize("look", [Look(1, 1), Look(20, 3)])
def test_in_a_tiny_terminal_there_is_still_a_picture(look):
    assert len(rows(seen([1.0, 2.0, 3.0], look))) == 4


def test_ascii_pictures_are_ascii():
    values = [1.0, 2.0, NAN, INF, 0.0, 5.0]
    assert "".join(seen(values, ASCII, threshold=1.5, clipped=1.0, loss=[1, 2, 3, INF, 5, 6])).isascii()


def test_a_falling_norm_falls():
    """The topmost ink of each column goes down from left to right, from the first row to the last."""
    for look in (Look(), ASCII):
        grid = [f"{text:<71}" for _, text in rows(seen(10.0 ** np.linspace(3, -3, 300), look))]
        tops = [next(k for k, line in enumerate(grid) if line[column] != " ") for column in range(71)]
        assert tops == sorted(tops)
        assert (tops[0], tops[-1]) == (0, len(grid) - 1)


def test_labels_stand_where_their_values_are():
    """A line at a power of ten is drawn in the row with its label."""
    for exponent in range(-3, 4):
        values = np.full(100, 10.0 ** exponent)
        values[0], values[-1] = 1e-3, 1e3
        at = {label: text for label, text in rows(seen(values, ASCII)) if label}
        assert set(at) == {"0.001", "0.01", "0.1", "1", "10", "100", "1000"}
        assert len(at[f"{10.0 ** exponent:g}"].replace(" ", "")) >= 65


def test_one_spike_among_a_hundred_thousand_is_seen():
    values = np.ones(100_000)
    values[54_321] = 1e6
    top = rows(seen(values))[0][1]
    assert top.count(" ") == len(top) - 1
    assert len(top) - 1 == int(54_321 / 99_999 * 142) // 2


def test_neighbours_are_joined_and_what_is_not_finite_breaks_the_line():
    axis = Axis(Shown(*(np.array([1.0, 1000.0]),) * 6, []), 30)
    ink = dots(axis.place([1.0, 1000.0]), np.array([0, 9]), 30, 10)
    assert ink.any(axis=0).all()
    assert ink.any(axis=1).all()
    ink = dots(axis.place([1.0, NAN, 1000.0]), np.array([0, 4, 9]), 30, 10)
    assert ink.any(axis=0).nonzero()[0].tolist() == [0, 9]
    assert axis.place([0.0, INF, NAN]).tolist() == [-1, -1, -1]


def test_what_has_no_place_on_the_axis_has_lanes():
    values = np.ones(71)
    values[10], values[20], values[[30, 40]] = NAN, INF, 0.0
    lines = seen(values)
    for name, at in (("NaN", [10]), ("inf", [20]), ("0", [30, 40])):
        assert [k for k, c in enumerate(line_of(lines, name)) if c == "×"] == at
    assert line_of(seen(np.ones(71)), "NaN") is None


def test_nothing_but_nan_is_a_picture():
    lines = seen([NAN] * 50)
    assert line_of(lines, "NaN").count("×") == 50
    assert all(not text.strip() for _, text in rows(lines))


def test_the_threshold_is_a_line_at_its_height_behind_the_norms():
    values = np.ones(200)
    values[150:] = 100.0
    at = dict(rows(seen(values, ASCII, threshold=10.0)))["10"]
    assert at.count("-") >= 65
    grid = rows(seen(values, ASCII, threshold=np.where(np.arange(200) < 100, 100.0, 1.0)))
    assert dict(grid)["100"].count("-") == pytest.approx(35, abs=2)


def test_the_share_clipped_and_the_loss_have_lines_of_their_own():
    n = 710
    clipped = np.where(np.arange(n) < 355, 0.0, 1.0)
    loss = np.linspace(10, 1, n)
    loss[-5:] = INF
    lines = seen(np.ones(n), clipped=clipped, loss=loss)
    assert line_of(lines, "clipped") == " " * 35 + "▅" + "█" * 35
    spark = line_of(lines, "loss")
    assert (spark[0], spark[-1]) == ("█", "×")
    assert list(spark[:-1]) == sorted(spark[:-1], reverse=True)


def test_after_clipping_is_drawn_where_there_are_colours():
    values, after = np.full(100, 100.0), np.ones(100)
    coloured = [line for line in seen(values, Look(colour=True), after=after) if "\x1b[38;5;25m" in line]
    assert len(coloured) == 1
    assert coloured == [line for line in coloured if "       1" in line]
    assert "\x1b" not in "\n".join(seen(values, after=after))


@pytest.mark.parametrize(("steps", "expected"), [
    ([0, 10, 90, 100], [0, 1, 9, 9]), ([0, 1, 2, 3], [0, 3, 6, 9]), ([5, 5, 5], [0, 5, 9]), ([3], [0]),
    ([0, 1, 0, 1, 2], [0, 2, 5, 7, 9])])
def test_steps_stand_where_they_are_and_are_counted_where_they_repeat(steps, expected):
    assert positions(steps, 10).tolist() == expected


def test_of_many_calls_in_a_column_the_middle_half_is_filled_and_the_ends_are_dots():
    values = 10.0 ** np.tile(np.linspace(-4, 4, 100), 10)
    places = np.repeat(np.arange(10), 100)
    axis = Axis(Shown(*(values,) * 6, []), 80)
    for column in dots(axis.place(values), places, 80, 10).T:
        inked = np.flatnonzero(column)
        assert (inked[0], inked[-1]) == (axis.place([1e-4])[0], axis.place([1e4])[0])
        assert inked[1:-1].tolist() == list(range(inked[1], inked[-2] + 1))
        assert (inked[1], inked[-2]) == pytest.approx((axis.place([1e-2])[0], axis.place([1e2])[0]), abs=1)

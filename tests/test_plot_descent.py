"""Descents that move."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from minigrad import plot
from minigrad.plot.style import AFTER, BEFORE

X, Y = np.linspace(-3, 3, 16), np.linspace(-1, 1, 11)
WAYS = {"plain": np.array([[2.0, 0.5], [1.0, -0.5], [9.0, 0.0], [30.0, 0.0]]),
        "clipped": np.column_stack([np.linspace(2, 0, 41), np.linspace(0.5, 0, 41)])}


def bowl(x, y):
    return x * x + 10 * y * y


def content(ax):
    """What moves: title, the drawn line, texts at the exit."""
    return (ax.get_title(), [line.get_xydata()[~np.isnan(line.get_xydata()).any(axis=1)].tolist() for line in ax.lines],
            [text.get_text() for text in ax.texts])


def test_each_way_has_a_panel_and_grows_to_its_end():
    moving = plot.descent(bowl, X, Y, WAYS, names=("x", "y"), title="Two descents")
    plain, clipped, *_ = moving.figure.axes
    assert (plain.get_title(), clipped.get_title()) == ("plain: step 0, loss 6.5", "clipped: step 0, loss 6.5")
    assert moving.figure.get_suptitle() == "Two descents"
    assert (plain.get_xlabel(), plain.get_ylabel(), clipped.get_ylabel()) == ("x", "y", "")
    moving.draw(moving.frames - 1)
    assert (plain.get_title(), clipped.get_title()) == ("plain: step 3, loss 900", "clipped: step 40, loss 0")
    assert plain.lines[0].get_color() == BEFORE
    assert clipped.lines[0].get_color() == AFTER
    np.testing.assert_allclose(clipped.lines[0].get_xydata()[::3][:40], WAYS["clipped"][:40], atol=1e-12)
    assert [text.get_text() for text in plain.texts] == ["", "plain leaves,\n28 away at most"]
    assert not clipped.texts


def test_a_frame_is_the_same_whichever_came_before():
    moving = plot.descent(bowl, X, Y, WAYS)
    seen = {}
    for k in (0, 5, moving.frames - 1, 5, 0, moving.frames - 1):
        moving.draw(k)
        now = [content(ax) for ax in moving.figure.axes[:2]]
        assert seen.setdefault(k, now) == now
    assert len({str(v) for v in seen.values()}) == 3


@pytest.mark.parametrize(("frames", "count"), [(1, 1), (2, 2), (5, 5), (1000, 41)])
def test_the_frames_end_with_the_last_step_and_begin_slowly(frames, count):
    moving = plot.descent(bowl, X, Y, {"clipped": WAYS["clipped"]}, frames=frames)
    assert moving.frames == count
    steps = []
    for k in range(count):
        moving.draw(k)
        steps.append(int(moving.figure.axes[0].get_title().split("step ")[1].split(",")[0]))
    assert steps[-1] == 40
    assert steps == sorted(set(steps))
    assert count == 1 or (steps[0] == 0 and (np.diff(steps, 2) >= -1).all())


def test_a_loss_given_as_an_array_is_read_off_the_grid():
    moving = plot.descent(bowl(*np.meshgrid(X, Y)), X, Y, {"plain": [[3.0, 1.0], [7.0, 7.0]]})
    assert moving.figure.axes[0].get_title() == "plain: step 0, loss 19"
    moving.draw(1)
    assert moving.figure.axes[0].get_title() == "plain: step 1"


def test_the_wall_is_drawn_and_named():
    moving = plot.descent(bowl, X, Y, WAYS, wall=lambda x: x / 3)
    for ax in moving.figure.axes[:2]:
        assert [text.get_text() for text in ax.get_legend().get_texts()] == ["wall, predicted"]


@pytest.mark.parametrize(("ways", "options", "says"), [
    ({}, {}, "nothing to draw"), (None, {}, "nothing to draw"), ({"a": [1.0, 2.0]}, {}, r"'a' has shape \(2,\)"),
    (WAYS, {"frames": 0}, "frames = 0"), (WAYS, {"frames": 2.5}, "frames = 2.5"),
    (WAYS, {"interval": 0}, "interval = 0")])
def test_what_cannot_move_is_refused(ways, options, says):
    with pytest.raises(ValueError, match=says):
        plot.descent(bowl, X, Y, ways, **options)


@pytest.mark.parametrize(("ending", "start"), [("gif", b"GIF89a"), ("html", b"\n<link")])
def test_the_same_call_writes_the_same_bytes_twice_and_leaves_no_figure(ending, start, tmp_path):
    for k in range(2):
        plot.save(plot.descent(bowl, X, Y, WAYS, frames=3), tmp_path / f"{k}.{ending}")
    data = (tmp_path / f"0.{ending}").read_bytes()
    assert data == (tmp_path / f"1.{ending}").read_bytes()
    assert data.startswith(start)
    assert plt.get_fignums() == []


def test_a_notebook_shows_a_player():
    assert "anim" in plot.descent(bowl, X, Y, WAYS, frames=2).to_jshtml()

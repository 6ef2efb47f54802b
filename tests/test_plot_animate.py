"""Pictures that move: frames, players and files are the same every time, and nothing stays open."""

import io
import math

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image
from plotting import lines, recorded, traced

from minigrad import plot

inf, nan = math.inf, math.nan


def dot(frames=3, interval=100):
    """A dot that moves to the right, a step a frame."""
    figure = Figure(figsize=(2, 1), layout="constrained")
    ax = figure.add_subplot(xlim=(0, 10), ylim=(-1, 1))
    point, = ax.plot([0], [0], "ko")
    return plot.animation(figure, lambda k: point.set_data([k], [0]), frames, interval)


def picture(figure):
    out = io.BytesIO()
    figure.savefig(out, format="png")
    return out.getvalue()


@pytest.mark.parametrize("ending", ["gif", "html"])
@pytest.mark.parametrize("make", [dot, lambda: plot.animate(traced([0.5, 3.0, nan, 2.0]), frames=3)])
def test_the_same_animation_is_the_same_file(make, ending, tmp_path):
    for k in range(2):
        plot.save(make(), tmp_path / f"{k}.{ending}")
    first, second = ((tmp_path / f"{k}.{ending}").read_bytes() for k in range(2))
    assert first == second
    assert {"gif": b"GIF89a", "html": b"<"}[ending] == first.lstrip()[:len({"gif": "GIF89a", "html": "<"}[ending])]
    assert plt.get_fignums() == []


@pytest.mark.parametrize("frames", [1, 2, 5])
def test_a_gif_has_all_frames_and_their_time(frames, tmp_path):
    plot.save(dot(frames, interval=200), tmp_path / "dot.gif")
    with Image.open(tmp_path / "dot.gif") as image:
        assert image.n_frames == frames
        assert image.size == (160, 80)
        assert frames == 1 or image.info["duration"] == 200


def test_the_player_holds_every_frame_and_a_notebook_shows_it():
    moving = dot(4)
    text = moving.to_jshtml()
    assert text.count("data:image/png;base64") == 4
    assert moving._repr_html_() == text == moving.to_jshtml()


def test_a_frame_does_not_depend_on_the_one_before():
    moving = plot.animate(traced([0.5, 3.0, nan, 2.0]))
    moving.draw(3)
    moving.draw(1)
    again = plot.animate(traced([0.5, 3.0, nan, 2.0]))
    again.draw(1)
    assert picture(moving.figure) == picture(again.figure)


def test_frames_after_the_player_was_made_are_the_same():
    moving = dot()
    first = moving.to_jshtml()
    moving.draw(2)
    assert moving.to_jshtml() == first


def test_a_trace_grows_and_the_last_frame_has_all_of_it():
    trace = traced([0.5, 3.0, nan, 2.0], clip=1.0)
    moving = plot.animate(trace)
    ax = moving.figure.axes[0]
    for k in range(4):
        moving.draw(k)
        assert lines(ax)["before clipping"][0].tolist() == list(range(k + 1))
        assert ax.lines[-1].get_xdata() == [k, k]
    whole = Figure().add_subplot()
    plot.norms(trace, whole)
    for label, (x, y) in lines(whole).items():
        assert np.array_equal(lines(ax)[label], (x, y), equal_nan=True)


@pytest.mark.parametrize(("steps", "frames", "count"), [(5, 60, 5), (100, 60, 60), (100, 3, 3), (1, 60, 1), (9, 1, 1)])
def test_there_are_as_many_frames_as_wanted_or_as_steps(steps, frames, count):
    moving = plot.animate(recorded(*np.arange(1.0, steps + 1)), frames=frames)
    assert moving.frames == count
    moving.draw(count - 1)
    assert lines(moving.figure.axes[0])["as recorded"][0].tolist() == list(range(steps))


def test_a_long_trace_is_uncovered():
    moving = plot.animate(recorded(*np.ones(10_000)), frames=4)
    band, = moving.figure.axes[0].collections
    ends = []
    for k in range(4):
        moving.draw(k)
        ends.append(band.get_clip_box().x1)
    assert np.all(np.diff(ends) > 0)


def test_axes_of_ones_own_are_used():
    figure = Figure()
    axes = figure.subplots(1, 2)
    moving = plot.animate(recorded(1.0, 2.0), axes[1], title="mine")
    assert moving.figure is figure
    assert axes[1].get_title() == "mine"
    assert not axes[0].lines


@pytest.mark.parametrize(("options", "text"), [
    ({"frames": 0}, "at least 1"), ({"frames": -3}, "at least 1"), ({"frames": 2.5}, "whole number"),
    ({"frames": None}, "whole number"), ({"interval": 0}, "must be > 0"), ({"interval": nan}, "must be > 0"),
    ({"interval": inf}, "must be > 0")])
def test_bad_frames_and_intervals_are_refused(options, text):
    with pytest.raises(ValueError, match=text):
        plot.animate(recorded(1.0, 2.0), **options)

"""``minigrad plot``: what is on the picture, where it goes, and what is left alone."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from commanding import INF, NAN, call, files, refusal

from minigrad.commands import plot as command
from minigrad.commands.plot import LinearLanes
from minigrad.trace import NormTrace, read


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """Work in a folder with a file of each kind, without a display."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "agg")
    files(tmp_path)
    yield tmp_path
    plt.close("all")


@pytest.fixture
def figures(monkeypatch):
    """The figures that were drawn."""
    drawn, draw = [], command.draw

    def kept(traces, args):
        drawn.append(draw(traces, args))
        return drawn[-1]
    monkeypatch.setattr(command, "draw", kept)
    return drawn


def legend(figure, k=0):
    return [text.get_text() for text in figure.axes[k].get_legend().get_texts()]


# ------------------------------------------------------------------------------------- what is drawn

def test_one_trace_before_and_after_clipping(figures, capsys):
    assert call("plot", "own.csv", "-o", "new.svg") == 0
    assert capsys.readouterr().out == "Figure: new.svg\n"
    ax, = figures[0].axes
    lines = {line.get_label(): line.get_ydata() for line in ax.lines}
    before = read("own.csv").column("norm_in", hook="ClipNorm")
    finite = np.isfinite(before)
    assert np.asarray(lines["before clipping"])[finite].tolist() == before[finite].tolist()
    assert "threshold 3" in legend(figures[0])
    assert ax.get_yscale() == "log"
    assert {"inf", "NaN"} <= {text.get_text() for text in ax.texts}


def test_a_threshold_over_a_log_of_elsewhere(figures):
    assert call("plot", "train.log", "--threshold", 2, "-o", "new.png", "--log-y") == 0
    above = (read("train.log").column("norm_in") > 2).sum()
    assert f"{above} of 150 steps above" in legend(figures[0])
    assert "threshold 2" in legend(figures[0])


@pytest.mark.parametrize(("argv", "names"), [
    (["own.csv", "train.log"], ["own", "train"]), (["chart.csv"], ["red", "blue"]),
    (["train.log", "chart.csv"], ["train", "red", "blue"]),
    (["own.csv", "train.log", "--label", "a $x_1", "b"], ["a $x_1", "b"]),
    (["own.csv", "train.log", "--label", "a", "--label", "_b"], ["a", " _b"])])
def test_several_runs_are_overlaid_each_with_its_name(argv, names, figures):
    assert call("plot", *argv, "-o", "new.png") == 0
    assert legend(figures[0])[:len(names)] == names


def test_files_of_one_name_are_told_apart_by_their_folders(here, figures):
    (here / "folder" / "train.log").write_text((here / "train.log").read_text())
    assert call("plot", "train.log", "folder/train.log", "-o", "new.png") == 0
    assert legend(figures[0]) == ["train.log", "folder/train.log"]


def test_the_label_of_one_run_stands_in_the_title(figures):
    assert call("plot", "own.csv", "--label", "costs $5 $", "-o", "new.png") == 0
    assert figures[0].axes[0].get_title() == "Gradient norm per step, costs $5 $"


def test_a_name_that_the_fonts_have_not_is_no_trouble(here, figures, capsys):
    (here / "训练.log").write_text((here / "train.log").read_text())
    assert call("plot", "训练.log", "own.csv", "-o", "图.png") == 0
    assert legend(figures[0])[0] == "训练"
    assert capsys.readouterr().err == ""
    assert (here / "图.png").exists()


def test_by_layer_draws_the_map(figures):
    assert call("plot", "own.csv", "--by-layer", "-o", "new.png") == 0
    ax = figures[0].axes[0]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["one", "two"]
    values = ax.collections[0].get_array()
    matrix = read("own.csv").matrix(by="layer").values
    usual = np.isfinite(matrix)
    assert np.asarray(values)[usual] == pytest.approx(np.log10(matrix[usual]))


def test_by_layer_of_two_files_has_a_map_for_each(here, figures):
    (here / "second.csv").write_bytes((here / "own.csv").read_bytes())
    assert call("plot", "own.csv", "second.csv", "--by-layer", "-o", "new.png") == 0
    titles = [ax.get_title() for ax in figures[0].axes if ax.get_title()]
    assert titles == [f"Gradient norm per layer and step, {name}" for name in ("own", "second")]


def test_the_same_call_writes_the_same_bytes(here):
    for kind in ("png", "svg", "pdf"):
        for name in ("a", "b"):
            assert call("plot", "own.csv", "train.log", "-o", f"{name}.{kind}") == 0
        assert (here / f"a.{kind}").read_bytes() == (here / f"b.{kind}").read_bytes()


# ---------------------------------------------------------------------------------------- linear axis

@pytest.mark.parametrize("files", [["own.csv"], ["own.csv", "train.log"], ["train.log", "--threshold", "30"]])
def test_a_linear_axis_begins_at_zero_and_drops_nothing(files, figures):
    assert call("plot", *files, "--linear-y", "-o", "new.png") == 0
    ax, = figures[0].axes
    low, high = ax.get_ylim()
    assert (ax.get_yscale(), low) == ("linear", pytest.approx(0, abs=1e-9 * high))
    drawn = np.concatenate([np.asarray(line.get_ydata(), float) for line in ax.lines])
    assert np.nanmax(drawn) < high
    top = {"own.csv": 1e4, "train.log": 30}[files[0]]
    assert all(tick <= 3 * top for tick in ax.get_yticks())
    marks = [line.get_ydata().tolist() for line in ax.lines if line.get_marker() == "x"]
    assert bool(marks) == ("own.csv" in files)


def test_lanes_of_a_linear_axis():
    lanes = LinearLanes([[0.0, 4.0, NAN], [INF]])
    assert lanes.names == ["inf", "NaN"]
    assert lanes.place([0.0, 4.0]).tolist() == [0.0, 4.0]
    assert lanes.high < lanes.place([INF])[0] < lanes.place([NAN])[0]
    assert lanes.special([0.0, 1.0, INF, NAN]).tolist() == [False, False, True, True]
    assert LinearLanes([[0.0]]).high == 1.0
    assert LinearLanes([[1.0]], [[10.0, INF]]).high == pytest.approx(10.5)


# ------------------------------------------------------------------------------------- where it goes

@pytest.mark.parametrize(("argv", "name"), [
    (["own.csv"], "own-norms.png"), (["own.csv", "--by-layer"], "own-layers.png"),
    (["train.log", "own.csv"], "train-norms.png")])
def test_without_a_display_the_picture_is_written_beside_the_input(argv, name, here, monkeypatch, capsys):
    folder = here / "folder"
    folder.mkdir(exist_ok=True)
    for file in ("own.csv", "train.log"):
        (folder / file).write_bytes((here / file).read_bytes())
    argv = [f"folder/{a}" if a in ("own.csv", "train.log") else a for a in argv]
    assert call("plot", *argv) == 0
    assert (folder / name).read_bytes().startswith(b"\x89PNG")
    assert capsys.readouterr().out == f"Figure: folder/{name}\n"
    assert call("plot", *argv) == 0                                     # one of its own making is written anew
    assert "replaced" in capsys.readouterr().out


@pytest.mark.parametrize("content", [b"", b"some text", b"\x89PNG\r\n\x1a\n of somebody else"])
def test_a_picture_of_another_making_beside_the_input_is_left_alone(content, here, capsys):
    (here / "own-norms.png").write_bytes(content)
    assert "-o" in refusal(capsys, "plot", "own.csv")
    assert (here / "own-norms.png").read_bytes() == content


def test_a_file_that_was_named_is_written_over_and_that_is_said(here, capsys):
    (here / "new.png").write_bytes(b"old")
    assert call("plot", "own.csv", "-o", "new.png") == 0
    assert capsys.readouterr().out == "Figure: new.png (the one that was there is replaced)\n"
    assert (here / "new.png").read_bytes().startswith(b"\x89PNG")


@pytest.fixture
def display(monkeypatch):
    """A display, and what was shown on it."""
    shown = []
    monkeypatch.setattr(command, "window", lambda plt: True)
    monkeypatch.setattr(plt, "show", lambda: shown.append(plt.get_fignums()))
    return shown


def test_with_a_display_a_window_opens_and_nothing_is_written(display, here, capsys):
    before = sorted(here.iterdir())
    assert call("plot", "own.csv", "train.log") == 0
    assert len(display) == 1
    assert len(display[0]) == 1
    assert sorted(here.iterdir()) == before
    assert capsys.readouterr().out == ""


def test_with_a_display_and_a_name_the_file_is_written(display, here):
    assert call("plot", "own.csv", "-o", "new.png") == 0
    assert display == []
    assert (here / "new.png").exists()


def test_a_window_needs_a_backend_that_can_open_one(monkeypatch):
    assert command.window(plt) is False                                 # agg
    assert plt.get_fignums() == []

    class Canvas:
        required_interactive_framework = "tk"

    class Probe:
        canvas = Canvas()
    monkeypatch.setattr(plt, "figure", Probe)
    monkeypatch.setattr(plt, "close", lambda figure: None)
    assert command.window(plt) is True

    def no_display():
        raise RuntimeError("no display name and no $DISPLAY environment variable")
    monkeypatch.setattr(plt, "figure", no_display)
    assert command.window(plt) is False


def test_ctrl_c_at_the_window_leaves_without_a_traceback(display, monkeypatch, capsys):
    def interrupted():
        raise KeyboardInterrupt
    monkeypatch.setattr(plt, "show", interrupted)
    assert call("plot", "own.csv") == 130
    assert capsys.readouterr().err == "Interrupted.\n"


# ---------------------------------------------------------------------------------------- bad input

BAD = [
    (["own.csv", "-o", "new.gif"], ".png, .svg, .pdf"), (["own.csv", "-o", "new"], ".png, .svg, .pdf"),
    (["own.csv", "-o", "own.csv"], "own.csv"), (["picture.png", "-o", "picture.png"], "to be read"),
    (["own.csv", "-o", "nowhere/new.png"], "nowhere"), (["own.csv", "-o", "folder/../folder"], "folder"),
    (["train.log", "--by-layer", "-o", "new.png"], "per parameter"),
    (["own.csv", "--by-layer", "--linear-y"], "--linear-y"),
    (["own.csv", "--by-layer", "--threshold", "1"], "--threshold"),
    (["own.csv", "--log-y", "--linear-y"], "--linear-y"),
    (["own.csv", "train.log", "--label", "a", "-o", "new.png"], "1 for 2 runs"),
    (["own.csv", "train.log", "--label", "a", "a", "-o", "new.png"], "same label"),
    (["own.csv", "own.csv", "-o", "new.png"], "twice"), (["own.csv", "missing.csv", "-o", "new.png"], "missing.csv"),
    *[(["own.csv", f"--threshold={bad}"], "--threshold") for bad in ("0", "-1", "nan", "x")],
]


@pytest.mark.parametrize(("argv", "says"), BAD)
def test_bad_input_costs_one_line_and_leaves_nothing_behind(argv, says, here, capsys):
    before = sorted(here.rglob("*"))
    assert says in refusal(capsys, "plot", *argv)
    assert sorted(here.rglob("*")) == before


@pytest.mark.parametrize("values", [[1.0], [NAN, NAN], [0.0], [INF, 0.0, NAN], [5e-324, 1.7e308]])
@pytest.mark.parametrize("scale", ["--log-y", "--linear-y"])
def test_hardly_any_numbers_still_make_a_picture(values, scale, here):
    NormTrace.from_columns({"norm_in": values}).save("few.csv")
    assert call("plot", "few.csv", scale, "-o", "few.png") == 0
    assert (here / "few.png").stat().st_size > 1000


"""minigrad list, run and figures: what they say and leave behind, and that bad input costs one line."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import mortal
import numpy as np
import pytest
from commanding import call, refusal

from minigrad import experiments
from minigrad.experiments import gallery

SMALL = ["--set", "points=11"]                          # of the cliff's surface
NORM = mortal.run(mortal.Config()).headline["norm"]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mortal.enlist(monkeypatch, "cliff", "latch")


def files(folder="."):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in Path(folder).rglob("*")
            if path.is_file()}


def raising(error):
    """A function that raises."""
    def function(*_, **__):
        raise error
    return function


# --------------------------------------------------------------------------------------------------- list

def test_list_has_the_question_and_the_time_of_each(capsys):
    assert call("list") == 0
    out, err = capsys.readouterr()
    for name in ("mortal", "cliff", "latch"):
        module = mortal.find(name)
        assert re.search(rf"^{name} +{module.SECONDS:g} s  {re.escape(module.QUESTION)}$", out, re.M)
    assert err == ""


@pytest.mark.parametrize(("argv", "words"), [
    (["list", "mortal"], ["mortal: Does it live?", "of the numbers", "a number > 0, or inf", "--full is size=40.",
                          "at most", "the default", "20", "one of tanh, sin"]),
    (["list", "cliff"], ["Pascanu, Mikolov and Bengio 2013", "4.5,5,5.5,6,7", "a whole number >= 1 and <= 1000"]),
    (["run", "cliff", "--help-settings"], ["What does a loss cliff look like?", "steps through time", "201",
                                           "several with commas"]),
])
def test_the_settings_are_shown_with_defaults_ranges_and_docs(argv, words, capsys):
    assert call(*argv) == 0
    out = capsys.readouterr().out
    assert [word for word in words if word not in out] == []
    assert files() == {}


# ---------------------------------------------------------------------------------------------------- run

def test_run_prints_the_numbers_the_answer_and_what_was_expected_and_writes_them(capsys):
    assert call("run", "cliff", *SMALL, "--set", "steps=20", "--out", "new/folder") == 0
    assert set(files()) == {f"new/folder/cliff.{kind}" for kind in ("json", "npz", "png")}
    module = mortal.find("cliff")
    result = module.run(module.Config(points=11, steps=20))
    record = json.loads(Path("new/folder/cliff.json").read_text())
    assert record["headline"] == result.headline
    assert record["config"] == {"steps": 20, "weights": [4.5, 5.0, 5.5, 6.0, 7.0], "points": 11}
    with np.load("new/folder/cliff.npz") as arrays:
        assert {name: arrays[name].tobytes() for name in arrays} == {k: v.tobytes() for k, v in result.arrays.items()}
    out, err = capsys.readouterr()
    for name, value in result.headline.items():
        assert re.search(rf"^{re.escape(name)} +{re.escape(f'{value:.6g}')}$", out, re.M)
    assert module.answer(result) in out
    assert "Expected for the default settings (here another steps, another points):" in out
    assert re.search(r"^dx_T/dx_0 at w = 5 +3178\.6 +25\.\d+ +1e-05 of it +OFF  a separate", out, re.M)
    assert re.search(r"^dE/db at w = 6, measured / predicted - 1 +0 +\S+ +\+- 1e-06 +ok +closed form", out, re.M)
    assert "new/folder/cliff.png" in out.splitlines()[-1]
    assert err == ""


def test_the_same_settings_write_the_same_bytes():
    for folder in ("a", "b"):
        assert call("run", "mortal", "--seeds", 3, "--out", folder) == 0
    assert files("a") == files("b")
    assert json.loads(Path("a/mortal.json").read_text())["config"]["seeds"] == 3


@pytest.mark.parametrize(("argv", "size"), [([], 20), (["--full"], 40), (["--full", "--set", "size=7"], 7)])
def test_full_is_the_full_size_unless_a_setting_says_otherwise(argv, size):
    assert call("run", "mortal", *argv) == 0
    assert json.loads(Path("minigrad-mortal/mortal.json").read_text())["config"]["size"] == size


def test_what_an_experiment_does_not_have_is_said_and_changes_nothing(capsys):
    assert call("run", "cliff", *SMALL, "--seeds", 6, "--full") == 0
    err = capsys.readouterr().err
    assert "cliff has no setting 'seeds'; --seeds changes nothing" in err
    assert "the default of cliff is its full size" in err


def test_a_folder_with_something_in_it_is_written_into_only_by_force(capsys):
    Path("out").mkdir()
    assert call("run", "mortal", "--out", "out") == 0                  # an empty one will do
    Path("out/mine.txt").write_text("keep")
    before = files()
    capsys.readouterr()
    said = refusal(capsys, "run", "mortal", "--seeds", 5, "--out", "out")
    assert said.startswith("--out out is there already; --force ")
    assert files() == before
    assert call("run", "mortal", "--seeds", 5, "--out", "out", "--force") == 0
    assert files()["out/mine.txt"] == b"keep"
    assert json.loads(Path("out/mortal.json").read_text())["config"]["seeds"] == 5


BAD = [
    (["run", "clif"], "no experiment 'clif'; did you mean cliff? There are: mortal, cliff, latch"),
    (["list", "clif"], "no experiment 'clif'; did you mean cliff?"),
    (["figures", "clif"], "no experiment 'clif'; did you mean cliff? There are: mortal, cliff, latch"),
    (["sweep", "clif", "--grid", "seed=0:2"], "no experiment 'clif'; did you mean cliff?"),
    (["run", "cliff", "--set", "step=3"], "no setting 'step'; did you mean steps? There are: steps, weights, points"),
    (["run", "cliff", "--set", "steps=0"], "steps = 0 is out of range: it is a whole number >= 1 and <= 1000"),
    (["run", "cliff", "--set", "weights=5,1"], "weights = 1.0 is out of range: it is a number > 4.25525"),
    (["run", "cliff", "--set", "steps=many"], "steps = 'many': it is a whole number"),
    (["run", "cliff", "--set", "steps"], "--set steps: write --set name=value"),
    (["run", "cliff", "--set", "=3"], "write --set name=value"),
    (["run", "cliff", "--set", "steps=1", "--set", "steps=2"], "--set steps is there twice"),
    (["run", "mortal", "--seeds", "3", "--set", "seeds=4"], "--seeds and --set seeds say the same"),
    (["run", "cliff", "--out", "a file"], "--out a file is a file, not a directory"),
    (["run", "cliff", "--out", "a file/below"], "--out a file/below cannot be written"),
    (["figures", "--out", "a folder"], "--out a folder holds files that are not of minigrad figures; --force "),
    (["figures", "--out", "damaged"], "figures.json is damaged; delete it"),
    (["sweep", "mortal", "--grid", "scale=1", "--out", "a folder"], "a folder is not empty, and holds no sweep"),
    (["sweep", "mortal", "--grid", "scale=1,0"], "scale = 0.0 is out of range"),
    (["sweep", "mortal", "--grid", "scal=1"], "no setting 'scal'; did you mean scale?"),
    (["sweep", "mortal", "--grid", "scale"], "--grid scale: write --grid name=value"),
    (["sweep", "mortal", "--grid", "scale=1", "--grid", "scale=2"], "--grid scale is there twice"),
    (["sweep", "mortal", "--grid", "scale=1", "--set", "scale=2"], "scale is fixed and varied at once"),
    (["sweep", "mortal", "--grid", "scale=1,2", "--out", "damaged"], "damaged is not empty"),
    (["sweep", "cliff", "--grid", "seed=0:2"], "no setting 'seed'"),
]


@pytest.mark.parametrize(("argv", "said"), BAD, ids=[" ".join(argv) for argv, _ in BAD])
def test_bad_input_costs_one_line_and_leaves_nothing_behind(argv, said, tmp_path, capsys):
    Path("a file").write_text("mine")
    Path("a folder").mkdir()
    Path("a folder/mine.txt").write_text("mine")
    Path("damaged").mkdir()
    Path("damaged/figures.json").write_text('{"cliff": 3}')
    before = sorted(tmp_path.rglob("*"))
    assert said in refusal(capsys, *argv)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("argv", [["run"], ["run", "cliff", "--seeds", "0"], ["run", "cliff", "--threads", "none"],
                                  ["sweep", "mortal"], ["sweep", "mortal", "--grid", "seed=0:2", "--jobs", "0"],
                                  ["sweep", "mortal", "--grid", "seed=0:2", "--jobs", "2", "--dask", "tcp://a:1"]])
def test_what_cannot_be_parsed_costs_one_line(argv, capsys):
    assert call(*argv) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_ctrl_c_in_a_run_leaves_nothing_half_done(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(mortal, "live", raising(KeyboardInterrupt))
    assert call("run", "mortal", "--out", "new/folder") == 130
    assert capsys.readouterr().err.splitlines()[-1] == "Interrupted; nothing was finished."
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_while_the_figure_is_drawn_leaves_the_numbers(monkeypatch, capsys):
    monkeypatch.setattr(mortal, "figure", raising(KeyboardInterrupt))
    assert call("run", "mortal") == 130
    assert "Interrupted; mortal.npz, mortal.json in minigrad-mortal." in capsys.readouterr().err
    assert set(files()) == {"minigrad-mortal/mortal.npz", "minigrad-mortal/mortal.json"}


def test_a_run_that_needs_too_much_memory_is_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(mortal, "live", raising(MemoryError))
    assert "does not fit into memory" in refusal(capsys, "run", "mortal")
    assert list(tmp_path.iterdir()) == []


# ------------------------------------------------------------------------------------------------ figures

def page():
    return Path("figures/README.md").read_text(encoding="utf-8")


def test_figures_are_made_with_a_page_that_shows_them(capsys):
    assert call("figures", "latch", "mortal") == 0
    assert set(files()) == {"figures/README.md", "figures/figures.json", "figures/latch.svg", "figures/mortal.svg"}
    latch = mortal.find("latch")
    result = latch.run(latch.Config())
    text = page()
    for words in (f"**{latch.QUESTION}** {latch.answer(result)}", f"![{latch.QUESTION}](latch.svg)",
                  "`minigrad figures latch`", "`minigrad run latch --set ...`",
                  "| factor per step, w = 2 | 0.16637 | 0.1664 (+-",
                  f"| norm | {NORM:.5g} **(off)** | at most 1 | not true |"):
        assert words in text, words
    assert text.index("## mortal") < text.index("## latch")            # in the order of the list
    assert re.search(r"^2 figures in figures, made in \d+ s\.$", capsys.readouterr().out, re.M)


def test_the_same_bytes_come_out_each_time_also_one_by_one():
    assert call("figures", "latch", "cliff", "--out", "a") == 0
    assert call("figures", "cliff", "--out", "b") == 0
    assert call("figures", "latch", "--out", "b") == 0
    assert call("figures", "latch", "--out", "b") == 0
    assert files("a") == files("b")


def test_check_compares_what_was_measured_with_what_is_expected(capsys):
    assert call("figures", "latch", "--check") == 0
    out = capsys.readouterr().out
    assert re.search(r"^number +expected +measured +tolerance +ok +where from$", out, re.M)
    assert re.search(r"^factor per step, w = 4 +0\.0054 +0\.0053928 +\+- 0\.0001 +ok ", out, re.M)
    assert out.endswith("6 of 6 numbers are as expected.\n")


def test_check_says_what_is_off_and_fails(capsys):
    assert call("figures", "latch", "mortal") == 0                     # without being asked to check
    capsys.readouterr()
    assert call("figures", "latch", "mortal", "--check") == 1
    out = capsys.readouterr().out
    assert re.search(rf"^norm +1 +{NORM:.6g} +at most +OFF +not true$", out, re.M)
    assert "7 of 8 numbers are as expected.\nmortal is off: norm\n" in out


def test_a_number_that_is_expected_and_missing_is_off(monkeypatch, capsys):
    monkeypatch.setattr(mortal, "EXPECTED", (mortal.Expected("no such number", 1.0, "nowhere"),))
    assert call("figures", "mortal", "--check") == 1
    assert re.search(r"^no such number +1 +nan .* OFF", capsys.readouterr().out, re.M)
    assert "| no such number | nan **(off)** |" in page()


@pytest.mark.parametrize(("limit", "kind"), [(300_000, "svg"), (12_000, "png")])
def test_a_picture_is_svg_where_that_is_small_else_png_and_the_other_goes(limit, kind, monkeypatch):
    Path("figures").mkdir()
    for ending in ("svg", "png"):
        Path(f"figures/mortal.{ending}").write_text("old")
    monkeypatch.setattr(gallery, "LIMIT", limit)
    assert call("figures", "mortal", "--force") == 0
    there = {name: len(data) for name, data in files("figures").items() if name.startswith("mortal")}
    assert list(there) == [f"mortal.{kind}"]
    assert 3 < there[f"mortal.{kind}"] < limit


def test_one_that_fails_is_said_and_the_others_are_made(monkeypatch, capsys):
    monkeypatch.setattr(mortal, "answer", raising(ArithmeticError("no answer")))
    monkeypatch.setattr(mortal.find("cliff"), "figure", raising(KeyError("x")))
    assert call("figures", "mortal", "cliff", "latch") == 1
    out, err = capsys.readouterr()
    assert "mortal: ArithmeticError: no answer" in err
    assert "1 figures in figures, made in" in out
    assert "Failed: mortal, cliff." in out
    assert "## latch" in page()
    assert "## mortal" not in page()


def test_ctrl_c_leaves_the_figures_that_are_finished(monkeypatch, capsys):
    monkeypatch.setattr(mortal.find("latch"), "run", raising(KeyboardInterrupt))
    assert call("figures", "mortal", "latch") == 130
    assert capsys.readouterr().err.endswith("Interrupted; finished and in figures: mortal.\n")
    assert "## mortal" in page()


def test_the_benchmarks_are_shown_too_and_left_alone():
    Path("figures").mkdir()
    Path("figures/benchmarks.svg").write_text("there already")
    assert call("figures", "mortal", "--force") == 0
    assert "[benchmarks.svg](benchmarks.svg): timings, made by `python -m benchmarks --write`." in page()
    assert Path("figures/benchmarks.svg").read_text() == "there already"


@pytest.mark.parametrize(("text", "shown"), [("a|b", r"a\|b"), ("2 * 3 < 7", r"2 \* 3 \< 7"),
                                             ("[x]`y`", r"\[x\]\`y\`")])
def test_what_means_something_in_markdown_is_shown_as_it_is(text, shown):
    assert gallery.escaped(text) == shown


# ------------------------------------------------------------------------------------------------ the shell

def test_a_run_has_one_thread_of_blas_by_default_and_a_bar_of_progress(tmp_path):
    bare = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
    root = Path(experiments.__file__).parents[2]
    path = os.pathsep.join([str(root), str(root / "tests")])
    code = "import atexit, os, mortal; atexit.register(lambda: print(os.environ['OMP_NUM_THREADS'])); mortal.main()"
    for extra, threads in (([], "1"), (["--threads", "2"], "2")):
        done = subprocess.run([sys.executable, "-c", code, "run", "mortal", "--out", threads, *extra], text=True,
                              capture_output=True, timeout=60, env={**bare, "PYTHONPATH": path}, cwd=tmp_path)
        assert (done.returncode, done.stderr, done.stdout.split()[-1]) == (0, "", threads)


def test_bars_of_progress_have_the_time_left_and_are_gone_in_the_end(capsys, monkeypatch):
    from minigrad.commands import running

    monkeypatch.setattr(running.sys.stderr, "isatty", lambda: True, raising=False)
    with running.Bars("cliff") as bars:
        bar = bars(range(10), "rows")
        bar.start_t, bar.n, bar.delay = bar.start_t - 10, 5, 0
        bar.refresh()
    err = capsys.readouterr().err
    assert re.search(r"cliff: rows: +50%.*\| 5/10 \[00:1\d<00:1\d", err)
    assert err.rstrip(" ").endswith("\r")
    assert bar.disable


def test_help_loads_nothing_heavy():
    code = ("import sys; from minigrad import cli; cli.parser(); "
            "print([m for m in ('matplotlib', 'tqdm', 'joblib', 'distributed', 'minigrad.experiments') "
            "if m in sys.modules])")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60,
                          env={**os.environ, "PYTHONPATH": str(Path(experiments.__file__).parents[2])})
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr

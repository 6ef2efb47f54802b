"""The command line: what it says, what it leaves behind, and that bad input costs one line."""

import csv
import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import minigrad as mg
from minigrad import cli
from minigrad.experiments import char_rnn
from minigrad.tasks import zen

TINY = ["--steps", "6", "--seq-len", "5", "--hidden", "4", "--batch", "2", "--seeds", "2"]
RUNS = ["seed0-plain", "seed0-clip", "seed1-plain", "seed1-clip"]
FILES = ["config.json", "demo.png", *(f"{kind}-{run}.csv" for kind in ("time", "trace") for run in sorted(RUNS))]


def call(*argv):
    """Run the command line in this process; return its exit status."""
    try:
        return cli.main([str(a) for a in argv])
    except SystemExit as leaving:
        return leaving.code


def shell(*argv, code=None, **options):
    """Run ``python -m minigrad``, or a program of one line, in a process of its own."""
    command = [sys.executable, *(["-m", "minigrad"] if code is None else ["-c", code]), *map(str, argv)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, **options)


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def files_of(runs):
    """The names of all files but the figure."""
    tables = [f"{kind}-{run}.csv" for kind in ("time", "trace") for run in runs]
    return sorted(["config.json", *tables] if runs else [])


# ------------------------------------------------------------------------------------ greeting

@pytest.mark.parametrize("argv", [[], ["--version"], ["--help"], ["demo", "--help"]])
def test_saying_what_there_is_costs_nothing_and_succeeds(argv, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert call(*argv) == 0
    out, err = capsys.readouterr()
    assert out
    assert err == ""
    assert names(tmp_path) == []


def test_minigrad_alone_says_in_a_few_lines_what_one_can_do(capsys):
    call()
    out = capsys.readouterr().out
    assert out.startswith(f"minigrad {mg.__version__}: ")
    assert "minigrad demo --text" in out
    assert len(out.splitlines()) <= 12
    assert max(map(len, out.splitlines())) <= 110


def test_version_is_the_packages(capsys):
    call("--version")
    assert capsys.readouterr().out == f"minigrad {mg.__version__}\n"


@pytest.mark.parametrize("argv", [[], ["--version"], ["demo", "--help"]])
def test_python_m_minigrad_is_the_same(argv, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    call(*argv)
    done = shell(*argv)
    assert (done.stdout, done.stderr, done.returncode) == (capsys.readouterr().out, "", 0)


def test_help_names_every_option(capsys):
    call("demo", "--help")
    out = capsys.readouterr().out
    for option in ("rho", "steps", "seq-len", "hidden", "batch", "lr", "clip", "seeds", "optimizer", "text", "out",
                   "threads"):
        assert f"--{option} " in out


# ------------------------------------------------------------------------------------ the demo

@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """What the demo prints and writes with tiny settings, run once."""
    out = tmp_path_factory.mktemp("demo") / "new" / "folder"
    done = shell("demo", *TINY, "--out", out, "--clip", "0.7")
    assert done.returncode == 0, done.stderr
    return out, done.stdout


def test_every_file_is_there_and_nothing_else(tiny):
    assert names(tiny[0]) == FILES


def test_traces_can_be_loaded_and_have_a_row_per_step_and_stage(tiny):
    for run in RUNS:
        trace = mg.NormTrace.load(tiny[0] / f"trace-{run}.csv")
        stages = ["backward", "NonFinite", *(["ClipNorm"] if "clip" in run else []), "update"]
        assert [(r.step, r.hook) for r in trace.rows] == [(k, hook) for k in range(6) for hook in stages]
        assert trace.clip_stage() == (2 if "clip" in run else None)
        assert np.isfinite(trace.column("loss")).all()


def test_the_gradient_through_time_has_a_row_per_update(tiny):
    for run in RUNS:
        with open(tiny[0] / f"time-{run}.csv", newline="") as file:
            head, *rows = csv.reader(file)
        assert head == ["step", "t0", "t1", "t2", "t3", "t4"]
        assert [row[0] for row in rows] == list("012345")
        assert all(float(cell) > 0 for row in rows for cell in row[1:])


def test_the_config_holds_every_number(tiny):
    config = json.loads((tiny[0] / "config.json").read_text())
    assert config == {"rho": 1.5, "steps": 6, "seq_len": 5, "hidden": 4, "batch": 2, "lr": 1.5, "clip": 0.7, "seeds": 2,
                      "optimizer": "sgd", "source": "the Zen of Python", "characters": 856, "alphabet": 45,
                      "corpus": "zen", "seed": 0, "threads": 1}


def test_the_table_has_a_row_per_run_and_ends_in_a_verdict(tiny):
    out, printed = tiny
    lines = printed.splitlines()
    headings = ["seed", "clipping", "final loss", "best loss", "largest norm", "clipped", "diverged"]
    assert re.split(r"  +", lines[0].strip()) == headings
    for line, run in zip(lines[2:6], RUNS):
        trace = mg.NormTrace.load(out / f"trace-{run}.csv")
        seed, kind = line.split()[0], "at 0.7" if "clip" in run else "none"
        assert seed == run[4]
        assert kind in line
        assert f"{trace.column('loss', stage=0).mean():.4g}" in line
        assert f"{trace.column('norm_in', stage=0).max():.4g}" in line
        assert line.split()[-1] in ("yes", "no")
    assert sum(line.startswith("Verdict: ") for line in lines) == 1
    assert str(out / "demo.png") in lines[-1]


def test_the_same_arguments_write_the_same_bytes(tiny, tmp_path):
    assert call("demo", *TINY, "--out", tmp_path, "--clip", 0.7) == 0
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (tiny[0] / name).read_bytes(), name


def test_other_arguments_write_other_numbers(tiny, tmp_path):
    assert call("demo", *TINY, "--out", tmp_path, "--clip", 0.7, "--rho", 1.2) == 0
    for run in RUNS:
        assert (tmp_path / f"trace-{run}.csv").read_bytes() != (tiny[0] / f"trace-{run}.csv").read_bytes()


@pytest.mark.parametrize("name", [
    "my text.txt",
    "costs $^$.txt",
    "文.txt"])
def test_a_text_of_ones_own_is_learnt_whatever_its_name(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path(name).write_text("Grüße, 世界\n" * 5, encoding="utf-8")
    assert call("demo", *TINY, "--text", name) == 0
    config = json.loads((tmp_path / "minigrad-demo" / "config.json").read_text())
    assert (config["source"], config["characters"], config["alphabet"]) == (name, 50, 10)
    assert names(tmp_path / "minigrad-demo") == FILES
    assert "guessing 2.303" in capsys.readouterr().out


def test_adam_has_a_learning_rate_of_its_own(tmp_path):
    assert call("demo", *TINY, "--optimizer", "adam", "--out", tmp_path) == 0
    assert json.loads((tmp_path / "config.json").read_text())["lr"] == 0.01
    assert names(tmp_path) == FILES


OVERFLOWS = [["--lr", "1e308"], ["--lr", "1e300", "--rho", "1e5"], ["--rho", "1e308"],
             ["--clip", "1e308", "--lr", "1e200"], ["--clip", "1e-320"], ["--optimizer", "adam", "--lr", "1e308"]]


@pytest.mark.parametrize("extra", OVERFLOWS)
def test_a_run_that_overflows_still_ends_with_its_picture(extra, tmp_path, capsys):
    assert call("demo", *TINY, *extra, "--out", tmp_path) == 0
    assert names(tmp_path) == FILES
    out, err = capsys.readouterr()
    assert "Verdict: " in out
    assert "Warning" not in err


def test_the_smallest_demo_runs(tmp_path, capsys):
    ones = [word for name in ("steps", "seq-len", "hidden", "batch", "seeds") for word in (f"--{name}", "1")]
    assert call("demo", *ones, "--out", tmp_path) == 0
    assert len(mg.NormTrace.load(tmp_path / "trace-seed0-clip.csv").select(stage=0)) == 1


# ------------------------------------------------------------------------------------ bad input

TEXTS = {"empty": b"", "blank": b" \n \n", "binary": b"\x89PNG\r\n\0\0", "nul": b"some text \0 of no use",
         "short": b"abcde", "one": b"a" * 50, "latin": "Grüße und mehr".encode("latin-1")}
BAD = [
    *[(["--text", f"{name}.txt"], f"{name}.txt") for name in ("missing", "empty", "binary", "nul", "latin")],
    (["--text", "short.txt"], "5 characters"), (["--text", "one.txt"], "one character only"),
    (["--text", "."], "directory"), (["--text", "empty.txt/below"], "empty.txt/below"),
    (["--text", "blank.txt"], "blank.txt"), (["--seq-len", "856"], "856"),
    *[([f"--{name}", value], f"--{name}") for name in ("steps", "seq-len", "hidden", "batch", "seeds", "threads")
      for value in ("0", "-3", "2.5", "1e3", "nan", "inf", "many", "")],
    *[([f"--{name}", value], f"--{name}") for name in ("clip", "lr")
      for value in ("0", "-1", "nan", "inf", "1e999", "1e-999", "some", "")],
    *[([f"--rho={value}"], "--rho") for value in ("-1", "nan", "inf", "x", "")], (["--clip=-1"], "--clip"),
    (["--optimizer", "adagrad"], "--optimizer"), (["--bogus"], "--bogus"), (["--steps"], "--steps"), (["more"], "more"),
    (["--out", "empty.txt"], "--out empty.txt"), (["--out", "empty.txt/below"], "--out empty.txt/below"),
    (["--steps", "9" * 20], "--steps"),
    (["--hidden", "9" * 9], "--hidden"),
]


@pytest.mark.parametrize(("extra", "says"), BAD)
def test_bad_input_costs_one_line_and_leaves_nothing_behind(extra, says, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name, content in TEXTS.items():
        Path(f"{name}.txt").write_bytes(content)
    before = sorted(tmp_path.rglob("*"))
    assert call("demo", *TINY, *extra) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("minigrad")
    assert err.endswith("\n")
    assert len(err.splitlines()) == 1
    assert says in err
    assert "Traceback" not in err
    assert sorted(tmp_path.rglob("*")) == before


def test_an_unknown_command_is_refused_in_one_line(capsys):
    assert call("dance") == 2
    err = capsys.readouterr().err
    assert "'dance'" in err
    assert len(err.splitlines()) == 1


def test_an_output_that_cannot_be_written_later_is_one_line_too(tmp_path):
    (tmp_path / "demo.png").mkdir()
    assert call("demo", *TINY, "--out", tmp_path) == 2


# --------------------------------------------------------------------------------------- Ctrl-C

def interrupt_at(monkeypatch, count):
    """Raise KeyboardInterrupt at the given update, counted over all runs."""
    train, made = char_rnn.train, []

    def interrupted(config, seed, clipped, progress=None):
        def step(n):
            made.append(n)
            if len(made) == count:
                raise KeyboardInterrupt
            progress(n)
        return train(config, seed, clipped, step)
    monkeypatch.setattr(char_rnn, "train", interrupted)


@pytest.mark.parametrize(("update", "kept"), [(1, []), (6, []), (7, RUNS[:1]), (15, RUNS[:2]), (24, RUNS[:3])])
def test_ctrl_c_keeps_the_finished_runs_and_says_where(update, kept, tiny, tmp_path, monkeypatch, capsys):
    interrupt_at(monkeypatch, update)
    assert call("demo", *TINY, "--clip", 0.7, "--out", tmp_path) == 130
    assert names(tmp_path) == files_of(kept)
    for name in names(tmp_path):
        assert (tmp_path / name).read_bytes() == (tiny[0] / name).read_bytes()
    last = capsys.readouterr().err.splitlines()[-1]
    assert re.findall(r"seed\d-\w+", last) == kept
    assert (str(tmp_path) in last) == bool(kept)
    assert ("no run was finished" in last) == (not kept)


@pytest.mark.parametrize("number", [1, 2])
def test_ctrl_c_while_a_run_is_written_does_not_claim_it(number, tmp_path, monkeypatch, capsys):
    saved, save = [], mg.NormTrace.save

    def interrupted(self, path):
        saved.append(path)
        if len(saved) == number:
            raise KeyboardInterrupt
        save(self, path)
    monkeypatch.setattr(mg.NormTrace, "save", interrupted)
    assert call("demo", *TINY, "--out", tmp_path) == 130
    assert re.findall(r"seed\d-\w+", capsys.readouterr().err.splitlines()[-1]) == RUNS[:number - 1]


def test_ctrl_c_while_the_figure_is_drawn_says_where_the_runs_are(tmp_path, monkeypatch, capsys):
    def interrupted(result):
        raise KeyboardInterrupt
    monkeypatch.setattr(char_rnn, "figure", interrupted)
    assert call("demo", *TINY, "--out", tmp_path) == 130
    assert str(tmp_path) in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.skipif(os.name != "posix", reason="sends SIGINT")
def test_a_real_ctrl_c(tmp_path):
    argv = [sys.executable, "-m", "minigrad", "demo", "--out", tmp_path, "--seeds", "500", "--hidden", "16"]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))     # as in a terminal
    try:
        first, limit = tmp_path / "time-seed0-plain.csv", time.monotonic() + 60       # the second file of the first run
        while not first.exists() and process.poll() is None and time.monotonic() < limit:
            time.sleep(0.01)
        assert first.exists()
        time.sleep(0.1)                         # it has its name a moment before the program knows that it is written
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "Traceback" not in err
    kept = re.findall(r"seed\d+-\w+", err.splitlines()[-1])
    assert "seed0-plain" in kept
    assert names(tmp_path) == files_of(kept)
    for run in kept:
        assert len(mg.NormTrace.load(tmp_path / f"trace-{run}.csv").select(stage=0)) == 400


# -------------------------------------------------------------------------------------- threads

class Restarted(Exception):
    """Stands for the process being replaced."""


@pytest.fixture
def restarts(monkeypatch):
    """A record of the restarts that would have happened."""
    made = []

    def execve(path, argv, env):
        made.append((path, argv, env))
        raise Restarted
    monkeypatch.setattr(cli.os, "execve", execve)
    monkeypatch.setattr(cli.sys, "orig_argv", ["python3", "-X", "utf8", "-m", "minigrad", "demo"])
    return made


@pytest.mark.skipif(os.name != "posix", reason="elsewhere a child is started")
@pytest.mark.parametrize("present", [{}, {"OMP_NUM_THREADS": "3"}, dict.fromkeys(cli.THREAD_VARIABLES, "8")])
def test_a_restart_asks_every_blas_for_the_threads_and_keeps_the_arguments(present, restarts, monkeypatch):
    for name in cli.THREAD_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in present.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("SOMETHING", "else")
    with pytest.raises(Restarted):
        cli.restart_with_threads(3)
    (path, argv, env), = restarts
    assert path == argv[0] == sys.executable
    assert argv[1:] == ["-X", "utf8", "-m", "minigrad", "demo"]
    assert {env[name] for name in cli.THREAD_VARIABLES} == {"3"}
    assert env["SOMETHING"] == "else"


def test_there_is_no_restart_where_the_environment_is_right_already(restarts, monkeypatch):
    for name in cli.THREAD_VARIABLES:
        monkeypatch.setenv(name, "3")
    assert cli.restart_with_threads(3) is None
    assert restarts == []


@pytest.mark.parametrize(("extra", "threads"), [([], "1"), (["--threads", "2"], "2")])
def test_the_demo_runs_with_the_threads_asked_for(extra, threads):
    code = ("import atexit, os; from minigrad import cli; "
            "atexit.register(lambda: print(*[os.environ.get(n) for n in cli.THREAD_VARIABLES])); cli.entry()")
    bare = {k: v for k, v in os.environ.items() if k not in cli.THREAD_VARIABLES}
    done = shell("demo", *extra, "--text", "no such file", code=code, env=bare)
    assert done.returncode == 2
    assert done.stdout.split() == [threads] * len(cli.THREAD_VARIABLES)         # once: by the second process
    assert len(done.stderr.splitlines()) == 1


def test_the_zen_is_the_default_text_and_the_experiments_are_not_imported_to_say_hello():
    assert char_rnn.Config().text == zen()
    code = "import sys; from minigrad import cli; cli.main([]); sys.exit('minigrad.experiments' in sys.modules)"
    assert importlib.util.find_spec("minigrad.experiments")
    assert shell(code=code).returncode == 0

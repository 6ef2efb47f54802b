"""``minigrad watch``: what it shows of a file, how it follows one that grows, and how it treats the terminal."""

import io
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from commanding import call, files, log_lines, refusal

from minigrad.commands import watch
from minigrad.commands.screen import MARGIN
from minigrad.trace import NormTrace

HERE = Path(__file__).resolve().parent


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """Work in a folder with a file of each kind, in a terminal of the usual size."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "24")
    files(tmp_path)
    return tmp_path


def line_of(lines, name):
    """The drawn part of the line with this label, None if there is none."""
    return next((line[MARGIN + 1:] for line in lines if line[:MARGIN].strip() == name), None)


# ---------------------------------------------------------------------------------------- one frame

def test_once_draws_a_file_of_minigrad_s_own(capsys):
    assert call("watch", "own.csv", "--once") == 0
    out, err = capsys.readouterr()
    assert err == ""
    head = " ".join(out.splitlines()[:2])
    trace = NormTrace.load("own.csv")
    assert out.startswith("own.csv   step 149   norm ")
    assert f"clipped {100 * np.nanmean(trace.column('coefficient', stage=2) < 1):.1f} %" in head
    assert "threshold 3" in head
    assert "not finite 2" in head
    assert line_of(out.splitlines(), "NaN").count("×") == line_of(out.splitlines(), "inf").count("×") == 1


def test_once_draws_a_log_of_elsewhere_with_a_threshold(capsys):
    assert call("watch", "train.log", "--once", "--threshold", 2, "--last", 50) == 0
    out = capsys.readouterr().out
    values = [float(line.split()[-1]) for line in log_lines().splitlines()][-50:]
    assert f"above {100 * np.mean(np.array(values) > 2):.1f} %" in out
    assert "step 100 " in out
    assert "threshold 2" in out


@pytest.mark.parametrize("ending", [".npz", ".jsonl"])
def test_once_draws_other_layouts_too(ending, capsys):
    NormTrace.from_columns({"norm_in": [1.0, 2.0, 4.0]}).save(f"few{ending}")
    assert call("watch", f"few{ending}", "--once") == 0
    assert "step 2   norm 4" in capsys.readouterr().out


@pytest.mark.parametrize(("encoding", "unicode"), [("utf-8", True), ("latin-1", False), ("ascii", False)])
def test_a_terminal_without_the_characters_gets_ascii(encoding, unicode, monkeypatch):
    out = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", out)
    assert call("watch", "own.csv", "--once") == 0
    out.flush()
    assert out.buffer.getvalue().isascii() != unicode
    text = io.StringIO()
    assert watch.Screen(text, ascii=True).unicode is False


def test_into_a_pipe_there_are_no_codes_and_no_waiting_lines(capsys):
    assert call("watch", "own.csv", "--once") == 0
    assert "\x1b" not in capsys.readouterr().out


# ----------------------------------------------------------------------------------- a file that grows

@pytest.fixture
def sleeps(monkeypatch):
    """What happens while the command sleeps: one function after the other, then Ctrl-C."""
    waiting = []

    def sleep(seconds):
        if not waiting:
            raise KeyboardInterrupt
        waiting.pop(0)()
    monkeypatch.setattr(watch.time, "sleep", sleep)
    return waiting


def append(name, text):
    with open(name, "a") as file:
        file.write(text)


def steps_seen(out):
    """The last step of each picture."""
    return [int(step) for step in re.findall(r"^\S+\s+step (\d+)", out, re.MULTILINE)]


@pytest.mark.parametrize("ending", [".csv", ".jsonl"])
def test_a_stream_of_minigrad_s_own_is_followed_step_by_step(ending, sleeps, capsys):
    trace = NormTrace(stream=f"run{ending}", per_parameter=True)

    def train():
        trace.record({"a": np.array([3.0]), "b": np.array([4.0])}, loss=1.0)
    train()
    sleeps += [train, lambda: None, train]
    assert call("watch", f"run{ending}") == 0
    assert steps_seen(capsys.readouterr().out) == [0, 1, 2]             # and nothing where nothing has come


def test_a_line_that_is_half_written_waits_for_its_end(sleeps, capsys):
    append("run.csv", "step,grad_norm\n0,1.5\n1,2")
    sleeps += [lambda: append("run.csv", ".25\n")]
    assert call("watch", "run.csv") == 0
    out = capsys.readouterr().out
    assert steps_seen(out) == [0, 1]
    assert "norm 2.25" in out


def test_a_file_that_begins_anew_is_shown_anew(sleeps, capsys):
    append("run.csv", "step,grad_norm\n" + "".join(f"{k},1\n" for k in range(50)))

    def anew():
        Path("run.csv").write_text("step,grad_norm\n0,7\n1,8\n")
    sleeps += [anew]
    assert call("watch", "run.csv") == 0
    out = capsys.readouterr().out
    assert steps_seen(out) == [49, 1]
    assert "norm 8" in out


def test_wait_waits_for_the_file_and_for_its_first_norm(sleeps, capsys):
    sleeps += [lambda: append("late.csv", ""), lambda: append("late.csv", "step,grad_norm\n"),
               lambda: append("late.csv", "0,3.5\n")]
    assert call("watch", "late.csv", "--wait") == 0
    assert steps_seen(capsys.readouterr().out) == [0]


def test_wait_and_once_draw_the_first_picture_and_leave(sleeps, capsys):
    sleeps += [lambda: append("late.csv", "step,grad_norm\n0,3.5\n"), lambda: pytest.fail("it is still waiting")]
    assert call("watch", "late.csv", "--wait", "--once") == 0
    assert steps_seen(capsys.readouterr().out) == [0]


def test_ctrl_c_while_waiting_leaves_cleanly(sleeps, capsys):
    assert call("watch", "late.csv", "--wait") == 0
    assert capsys.readouterr() == ("", "")


def test_a_document_that_is_written_anew_each_time_is_read_anew(sleeps, capsys):
    def write(n):
        history = ", ".join(f'{{"step": {k}, "grad_norm": {k + 1}.5, "loss": 1.0}}' for k in range(n))
        Path("trainer_state.json").write_text(f'{{"global_step": {n}, "log_history": [{history}]}}')
        os.utime("trainer_state.json", ns=(n * 10**9, n * 10**9))
    write(3)
    sleeps += [lambda: write(5), lambda: Path("trainer_state.json").write_text('{"global_st'), lambda: write(6)]
    assert call("watch", "trainer_state.json") == 0
    assert steps_seen(capsys.readouterr().out) == [2, 4, 5]


def test_a_header_alone_is_no_norm_yet(capsys):
    said = refusal(capsys, "watch", "header.csv")
    assert "header.csv" in said
    append("half.csv", "step,grad_norm\n0,1.5")
    assert "--wait" in refusal(capsys, "watch", "half.csv")


@pytest.mark.parametrize(("option", "bad"), [
    ("--interval", "0"), ("--interval", "x"), ("--last", "0"), ("--last", "1.5"), ("--threshold", "-1")])
def test_bad_options(option, bad, capsys):
    assert option in refusal(capsys, "watch", "own.csv", f"{option}={bad}")


# ------------------------------------------------------------------------------------- in a terminal

class Terminal(io.StringIO):
    """A terminal that remembers what was written to it."""

    encoding = "utf-8"

    def isatty(self):
        return True


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    made, screen = Terminal(), watch.Screen
    monkeypatch.setattr(watch, "Screen", lambda out, ascii: screen(made, ascii))
    return made


def test_in_a_terminal_pictures_are_drawn_over_each_other(sleeps, terminal):
    append("run.csv", "step,grad_norm\n0,1.5\n")
    sleeps += [lambda: append("run.csv", "1,2.5\n")]
    assert call("watch", "run.csv") == 0
    said = terminal.getvalue()
    assert said.startswith(watch.HIDE)
    assert said.endswith(watch.SHOW)
    first, second = re.split(r"\x1b\[\d+A", said)
    assert re.search(r"\x1b\[(\d+)A", said)[1] == str(first.count("\n"))
    assert "step 1" in second
    assert "Ctrl-C leaves" in second


def test_ctrl_c_in_the_middle_of_the_first_picture_gives_the_cursor_back(terminal, monkeypatch):
    flushed = []

    def flush():
        flushed.append(len(terminal.getvalue()))
        if len(flushed) == 1:
            raise KeyboardInterrupt
    monkeypatch.setattr(terminal, "flush", flush)
    assert call("watch", "own.csv") == 0
    assert terminal.getvalue().endswith(watch.SHOW)


def test_in_a_terminal_waiting_is_said_once(sleeps, terminal):
    sleeps += [lambda: None, lambda: None]
    assert call("watch", "late.csv", "--wait") == 0
    assert terminal.getvalue().count("waiting for late.csv") == 1


def test_another_size_of_the_terminal_is_another_picture(sleeps, terminal, monkeypatch):
    sleeps += [lambda: monkeypatch.setenv("COLUMNS", "60")]
    assert call("watch", "own.csv") == 0
    assert terminal.getvalue().count("Ctrl-C leaves") == 2


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_who_wants_no_colours_gets_none(name, value, terminal, monkeypatch):
    monkeypatch.setenv(name, value)
    assert call("watch", "own.csv", "--once") == 0
    assert "step 149" in terminal.getvalue()
    assert "\x1b[38" not in terminal.getvalue()


def test_who_says_nothing_gets_colours(terminal):
    assert call("watch", "own.csv", "--once") == 0
    assert "\x1b[38;5;166m" in terminal.getvalue()


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
def test_a_real_ctrl_c_in_a_real_terminal(here):
    pty = pytest.importorskip("pty")
    master, slave = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "PYTHONPATH": str(HERE.parent), "PYTHONIOENCODING": "utf-8"}
    process = subprocess.Popen([sys.executable, "-m", "minigrad", "watch", "own.csv", "--interval", "0.05"],
                               stdin=slave, stdout=slave, stderr=slave, env=environment,
                               preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    os.close(slave)
    said, limit = b"", time.monotonic() + 60
    try:
        while b"Ctrl-C leaves" not in said and time.monotonic() < limit:
            said += os.read(master, 65536)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 0
        while not said.endswith(watch.SHOW.encode()):
            said += os.read(master, 65536)                              # raises when nothing is left
    finally:
        process.kill()
        os.close(master)
    assert b"Traceback" not in said

"""``minigrad check``: what it prints, its exit status, and what it refuses."""

import errno
import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from commanding import call, refusal
from coursework import EMPTY, NAMES, RIGHT, exercise, one_kernel, shared, small, tutorial, write  # noqa: F401

from minigrad.check import EXERCISES
from minigrad.commands import check
from minigrad.course import kernel, marking, places

HERE = Path(__file__).resolve().parent


@pytest.mark.usefixtures("shared")
def test_a_right_notebook(tmp_path, capsys):
    path = write(tmp_path / "mine.ipynb", tutorial())
    before = path.read_bytes(), os.stat(path).st_mtime_ns
    assert call("check", path) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out == (f"{path}: tutorial 00\n1/1  chain_factor: passed, 30 inputs tried.\n"
                   "1/1  clip_norm: passed, 9 inputs tried.\n1/1  unit_norm: passed, 8 inputs tried.\n3 of 3 points\n")
    assert (path.read_bytes(), os.stat(path).st_mtime_ns) == before
    assert os.listdir(tmp_path) == ["mine.ipynb"]


@pytest.mark.usefixtures("shared")
def test_one_that_is_not(tmp_path, capsys):
    path = write(tmp_path / "mine.ipynb", tutorial(["1 / 0"], clip_norm=EMPTY)[:-2])
    assert call("check", path) == 1
    out, err = capsys.readouterr()
    assert err == ""
    assert out.splitlines() == [
        f"{path}: tutorial 00", "1/1  chain_factor: passed, 30 inputs tried.",
        "0/1  clip_norm: not written yet. Put your code where `raise NotImplementedError` stands.",
        "0/1  unit_norm: missing. The notebook has no cell check.unit_norm(answer).", "1 of 3 points",
        "note: cell 2 (1 / 0): it raises ZeroDivisionError: division by zero."]


@pytest.mark.usefixtures("shared")
def test_json(tmp_path, capsys):
    path = write(tmp_path / "mine.ipynb", tutorial(["梯度"], unit_norm="def answer(grads, ctx): return grads"))
    assert call("check", "--json", path) == 1
    out, err = capsys.readouterr()
    assert err == ""
    found = json.loads(out)
    line = found["exercises"][2]["line"]
    assert line.startswith("unit_norm: not yet right for grads = {'w': [2]}: expected {'w': [1]}, received {'w': [2]}")
    assert found == {
        "notebook": str(path), "tutorial": "00", "points": 2, "max_points": 3,
        "exercises": [{"name": "chain_factor", "points": 1, "max_points": 1, "status": "passed",
                       "line": "chain_factor: passed, 30 inputs tried."},
                      {"name": "clip_norm", "points": 1, "max_points": 1, "status": "passed",
                       "line": "clip_norm: passed, 9 inputs tried."},
                      {"name": "unit_norm", "points": 0, "max_points": 1, "status": "wrong", "line": line}],
        "notes": ["cell 2 (梯度): it raises NameError: name '梯度' is not defined."]}


@pytest.mark.usefixtures("shared")
def test_json_is_the_same_bytes_whatever_the_encoding_of_the_terminal(tmp_path, capsys):
    path = write(tmp_path / "我的.ipynb", tutorial(["梯度"]))
    call("check", "--json", path)
    out = capsys.readouterr().out
    assert out.isascii()
    assert json.loads(out)["notebook"] == str(path)


@pytest.mark.usefixtures("shared")
def test_twice_gives_the_same_text(tmp_path, capsys):
    path = write(tmp_path / "mine.ipynb", tutorial(["1 / 0"], clip_norm="def answer(grads, max_norm): return grads"))
    texts = [(call("check", "--json", path), capsys.readouterr().out) for _ in range(2)]
    assert texts[0] == texts[1]


@pytest.mark.usefixtures("shared")
def test_many_notes_are_cut_short_in_text_and_whole_in_json(tmp_path, capsys):
    path = write(tmp_path / "mine.ipynb", tutorial([f"missing_{k}" for k in range(8)]))
    assert call("check", path) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len([line for line in lines if line.startswith("note: cell")]) == check.SHOWN
    assert lines[-1] == "note: and 3 more such cells; --json names them all"
    call("check", path, "--json")
    assert len(json.loads(capsys.readouterr().out)["notes"]) == 8


@pytest.mark.usefixtures("shared")
def test_the_help_documents_what_an_autograder_needs(tmp_path, capsys):
    assert call("check", "--help") == 0
    text = capsys.readouterr().out
    call("check", "--json", write(tmp_path / "mine.ipynb", tutorial()))
    found = json.loads(capsys.readouterr().out)
    for word in (*found, *found["exercises"][0], *marking.STATUSES):
        assert f" {word} " in text, word
    assert "lines that install packages (%pip, !pip) are passed over" in text
    assert "exit status:\n  0  all exercises passed\n  1  some did not\n  2  the notebook cannot be read" in text


# ------------------------------------------------------------------------------- the limits

@pytest.mark.parametrize("option", ["--timeout", "--total", "--memory"])
@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "soon"])
def test_limits_are_positive_numbers(option, value, capsys):
    assert f"{value!r} is not a finite number > 0" in refusal(capsys, "check", "a.ipynb", f"{option}={value}")


def test_limits_are_passed_on(monkeypatch, capsys):
    seen = []
    monkeypatch.setattr(marking, "mark", lambda *args: seen.append(args) or marking.Marks("00", []))
    call("check", "a.ipynb", "--timeout", "2", "--total", "30", "--memory", "0.5")
    call("check", "a.ipynb")
    assert seen == [("a.ipynb", 2, 30, 0.5), ("a.ipynb", 60, 600, 4)]


# ------------------------------------------------------------------------------ what is refused

@pytest.mark.parametrize(("name", "content", "why"), [
    ("none.ipynb", None, "No such file or directory"), (".", None, "Is a directory"),
    ("a.ipynb", "", "is no notebook: it does not hold JSON"), ("a.ipynb", "{}", "is no notebook: it has no cells"),
    ("a.ipynb", '{"cells": [{"cell_type": "code", "source": "x = 1"}]}', "has no exercise of the course"),
    ("a.py", "check.chain_factor(answer)", "is no notebook"),
])
def test_what_cannot_be_marked_is_one_line_and_status_2(name, content, why, tmp_path, capsys):
    path = tmp_path / name
    if content is not None:
        path.write_text(content)
    line = refusal(capsys, "check", path, "--json")
    assert line.startswith(str(path))
    assert why in line


def test_without_jupyter_it_says_what_to_install(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(kernel, "PACKAGES", ("jupyter_client_that_is_not_there",))
    line = refusal(capsys, "check", write(tmp_path / "a.ipynb", tutorial()))
    assert "jupyter_client_that_is_not_there cannot be imported" in line
    assert line.endswith('python -m pip install "minigrad-lab[notebook]"')


@pytest.mark.usefixtures("small")
def test_a_kernel_that_does_not_start_is_one_line(tmp_path, capsys):
    assert "is --memory too small?" in refusal(capsys, "check", "--memory", "0.01",
                                               write(tmp_path / "a.ipynb", tutorial()))


@pytest.mark.usefixtures("small")
def test_where_no_process_can_be_started_it_is_one_line(tmp_path, monkeypatch, capsys):
    def start(*args, **kwargs):
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(subprocess.Popen, "__init__", start)
    assert refusal(capsys, "check", write(tmp_path / "a.ipynb", tutorial())) == (
        "no Jupyter kernel: it cannot be started (Resource temporarily unavailable)")


# ------------------------------------------------------------------------------ in its own process

@pytest.mark.usefixtures("small")
def test_as_a_program_in_the_notebooks_folder_with_nothing_on_stderr(tmp_path):
    """The working directory is the notebook's; what lies there does not stand in for minigrad or its imports."""
    (tmp_path / "data.txt").write_text("2")
    for module in ("minigrad", "traitlets", "numpy"):
        (tmp_path / f"{module}.py").write_text("raise ImportError('from the folder of the notebook')")
    sums = "power = int(open('data.txt').read()) / 2\n" + RIGHT["chain_factor"].replace("w **", "power * w **")
    cells = ["from minigrad import check", *exercise("chain_factor", sums)]
    path = write(tmp_path / "mine.ipynb", cells)
    done = subprocess.run([sys.executable, "-W", "error", "-m", "minigrad", "check", path, "--json"],
                          capture_output=True, text=True, timeout=120, cwd=HERE.parent)
    assert done.stderr == ""
    assert done.returncode == 1
    assert [e["status"] for e in json.loads(done.stdout)["exercises"]] == ["passed", "missing", "missing"]


@pytest.mark.usefixtures("small")
@pytest.mark.skipif(sys.platform != "linux", reason="needs signals, and /proc")
@pytest.mark.parametrize(("request_", "status"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGKILL", -9)])
def test_however_it_is_ended_its_processes_end_with_it(request_, status, tmp_path):
    """Even where the learner's cell never lets go of the interpreter, so that nothing else in its process can run."""
    hog = "open('pid', 'w').write(str(os.getpid()))\nimport re\nre.match('(a+)+$', 60 * 'a' + 'b')"
    (tmp_path / "temporary").mkdir()
    os.mkfifo(tmp_path / "pid")
    path = write(tmp_path / "mine.ipynb", tutorial(chain_factor="import os\n" + hog))
    pipe = os.open(tmp_path / "pid", os.O_RDONLY | os.O_NONBLOCK)
    with subprocess.Popen([sys.executable, "-m", "minigrad", "check", path], cwd=HERE.parent, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True,
                          env={**os.environ, "TMPDIR": str(tmp_path / "temporary")}) as process:
        assert select.select([pipe], [], [], 60)[0], "the cell does not run"
        pid = int(os.read(pipe, 100))
        os.close(pipe)
        process.send_signal(getattr(signal, request_))
        out, err = process.communicate(timeout=60)
    assert process.returncode == status
    assert out == ""
    assert err == ("Interrupted.\n" if request_ == "SIGINT" else "")
    for _ in range(600):
        if not Path(f"/proc/{pid}").exists():
            break
        time.sleep(0.1)
    assert not Path(f"/proc/{pid}").exists()
    assert request_ == "SIGKILL" or os.listdir(tmp_path / "temporary") == []


def test_a_request_to_end_that_is_ignored_stays_ignored():
    before = signal.getsignal(signal.SIGTERM)
    try:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        with check.orderly():
            assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        with pytest.raises(SystemExit) as leaving, check.orderly():
            signal.raise_signal(signal.SIGTERM)
        assert leaving.value.code == 128 + signal.SIGTERM
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.mark.slow
@pytest.mark.parametrize("number", sorted(EXERCISES))
def test_the_solutions_of_the_course_pass_and_the_notebooks_given_out_do_not(number, capsys):
    paths = [places.notebooks(lang, solutions)[number] for lang in places.LANGUAGES for solutions in (False, True)]
    for path in paths:
        solved = path.parent.name == "solutions"
        assert call("check", path, "--json") == (0 if solved else 1)
        found = json.loads(capsys.readouterr().out)
        assert {e["status"] for e in found["exercises"]} == {"passed" if solved else "not written"}
        assert len(found["exercises"]) == len(EXERCISES[number][1])
        assert found["notes"] == []

"""What Python in a browser (Pyodide) lacks is taken away from an ordinary one: minigrad goes on, and says so."""

import hashlib
import io
import os
import shutil
import signal
import subprocess
import sys
import threading
import types
import warnings
from pathlib import Path

import numpy as np
import pytest

from minigrad import cli, experiments
from minigrad.commands import bars
from minigrad.commands.running import Folder
from minigrad.experiments import char_rnn, workers
from minigrad.experiments.sweep import Sweep
from minigrad.files import whole
from minigrad.tasks import CharTask, TextError, text, topics

WITHOUT = """
import _thread, importlib.abc, os, subprocess, sys, threading, warnings
warnings.simplefilter("error")

def none(*_, **__):
    raise RuntimeError("can't start new thread")

def no_process(*_, **__):
    raise OSError(138, "emscripten does not support processes.")

threading.Thread.start = threading._start_new_thread = _thread.start_new_thread = none
os.fork = os.execve = os.posix_spawn = subprocess.Popen.__init__ = no_process

class Missing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] in {"pydoc_data", "joblib", "distributed", "multiprocessing", "torch", "IPython"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
"""
"""Runs first in a fresh Python: no thread, no process, and none of the modules that a browser has not."""


def without(code, cwd=None):
    """Run code in such a Python, and return what it printed; a warning is an error there."""
    environment = {**os.environ, "MPLBACKEND": "agg", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", WITHOUT + code], capture_output=True, text=True, cwd=cwd,
                          env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_such_a_python_starts_neither_thread_nor_process():
    """Else the tests below would show nothing."""
    code = """
for start in (threading.Thread(target=print).start, lambda: subprocess.run([sys.executable, "-V"]),
              lambda: __import__("pydoc_data.topics")):
    try:
        start()
    except (RuntimeError, OSError, ImportError) as error:
        print(type(error).__name__)
"""
    assert without(code).split() == ["RuntimeError", "OSError", "ModuleNotFoundError"]


def test_every_module_can_be_imported():
    code = """
import importlib, pkgutil, minigrad
names = [m.name for m in pkgutil.walk_packages(minigrad.__path__, "minigrad.") if not m.name.endswith("__main__")]
for name in names:
    importlib.import_module(name)
print(len(names) > 150)
"""
    assert without(code) == "True\n"


def test_a_net_is_trained_measured_drawn_and_saved(tmp_path):
    code = """
import numpy as np
import minigrad as mg
from minigrad import check, hooks, nn, optim

net = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 8))
trace = mg.NormTrace()
opt = optim.SGD(net.parameters(), lr=0.1, hooks=[hooks.ClipNorm(1.0)], trace=trace)
x = np.random.default_rng(0).normal(size=(32, 8))
for _ in range(5):
    opt.zero_grad()
    loss = nn.functional.mse_loss(net(x), 0.1 * x)
    loss.backward()
    opt.step(loss=loss)
trace.save("trace.csv")
mg.save(net.state_dict(), "net.pt")
net.load_state_dict(mg.load("net.pt"))
mg.plot.save(mg.plot.norms(mg.NormTrace.load("trace.csv")).figure, "norms.png")
print(len(trace))
"""
    assert int(without(code, tmp_path)) >= 5
    assert {path.name for path in tmp_path.iterdir()} == {"trace.csv", "net.pt", "norms.png"}


def test_the_commands_run_in_one_process_without_a_warning(tmp_path):
    code = """
from minigrad.cli import main
lines = ("run cliff --out cliff", "claims --list",
         "demo --steps 3 --seeds 1 --seq-len 5 --hidden 4 --batch 2 --out demo",
         "sweep latch --grid steps=5,10 --set weights=2 --out sweep")
print(*(main(line.split()) for line in lines))
"""
    assert without(code, tmp_path).splitlines()[-1] == "0 0 0 0"
    assert (tmp_path / "cliff" / "cliff.png").stat().st_size > 10_000
    assert (tmp_path / "demo" / "demo.png").stat().st_size > 10_000


# ------------------------------------------------------------------------------------------- a text

@pytest.fixture
def no_reference(monkeypatch):
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)         # as if it were not installed


@pytest.mark.parametrize("held", [None, types.SimpleNamespace()])
def test_without_the_reference_the_docstrings_of_the_library_stand_in(held, monkeypatch):
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", held)
    with pytest.warns(UserWarning, match=r"no pydoc_data\.topics.*docstrings instead, \d+ characters"):
        found = topics()
    assert 300_000 < len(found) < 600_000
    assert 90 < len(set(found)) < 130
    assert found.count(" the ") > 3000
    assert "command-line parsing library" in found.lower()
    assert topics.__doc__ not in found


def test_the_docstrings_are_those_of_what_a_module_defines_each_once_in_order():
    found = text.docstrings(("textwrap", "no_such_module", "heapq", "textwrap"))
    import heapq
    import textwrap

    assert found.startswith(textwrap.__doc__)
    assert found.index(textwrap.TextWrapper.wrap.__doc__[:30]) < found.index("Heap queue algorithm")
    assert found.count("Wrap a single paragraph of text, returning a list of wrapped lines.") == 1
    assert "Return an iterator" not in text.docstrings(("heapq",)).replace(heapq.merge.__doc__, "")
    assert text.docstrings(()) == ""


def test_the_docstrings_are_the_same_in_every_process():
    code = ("import hashlib; from minigrad.tasks.text import docstrings; "
            "print(hashlib.sha256(docstrings().encode()).hexdigest())")
    seen = {subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                           env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)}).stdout
            for seed in ("1", "2")}
    assert seen == {hashlib.sha256(text.docstrings().encode()).hexdigest() + "\n"}


def test_without_reference_and_docstrings_a_text_is_asked_for(no_reference, monkeypatch):
    monkeypatch.setattr(text, "docstrings", lambda: "")
    with pytest.raises(TextError, match=r"no docstrings; give a text of your own: read_text"):
        topics()


def test_a_char_rnn_reads_the_docstrings_too(no_reference):
    with pytest.warns(UserWarning, match="docstrings instead"):
        config = char_rnn.Config(steps=2, seq_len=5, hidden=4, batch=2, seeds=1).changed({"corpus": "topics"})
    assert config.text == text.docstrings()
    result = char_rnn.run(config)
    assert all(np.isfinite(run.losses).all() for run in result.runs)
    assert CharTask(config.text, 5).inputs == len(set(config.text))


# ---------------------------------------------------------------------------------------- no thread

@pytest.fixture
def no_thread(monkeypatch):
    def start(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)


def test_bars_of_progress_need_no_thread(no_thread, monkeypatch):
    from tqdm import tqdm

    monkeypatch.setattr(tqdm, "monitor", None)
    said = io.StringIO()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert list(bars.bar(range(3), file=said, desc="counting")) == [0, 1, 2]
        with pytest.raises(Warning, match="can't start new thread"):       # what it would be without
            list(tqdm(range(3), file=io.StringIO()))
    assert "counting: 100%" in said.getvalue()


def test_a_line_is_written_above_a_bar(capsys):
    with bars.bar(total=2, file=sys.stderr, mininterval=0) as shown:
        shown.update()
        bars.write("above")
    said = capsys.readouterr()
    assert said.out == "above\n"
    assert "1/2" in said.err


def test_a_worker_without_threads_computes_its_cell(no_thread, monkeypatch):
    monkeypatch.setattr(os, "getpid", lambda: -1)               # as in another process than the one that sends
    before = signal.getsignal(signal.SIGINT)
    workers.end_with.cache_clear()
    try:
        cell, record = workers.in_worker(os.getppid(), "a", "minigrad.experiments.cliff",
                                         experiments.find("cliff").Config())
    finally:
        signal.signal(signal.SIGINT, before)
        workers.end_with.cache_clear()
    assert cell == "a"
    assert "headline" in record


# --------------------------------------------------------------------------------------- no process

def test_where_joblib_has_no_processes_the_sender_computes_and_stays_as_it_was():
    """It would end itself, watching for the end of a parent that it has not."""
    before, running = signal.getsignal(signal.SIGINT), set(threading.enumerate())
    _, record = workers.in_worker(os.getpid(), "a", "minigrad.experiments.cliff", experiments.find("cliff").Config())
    assert "headline" in record
    assert signal.getsignal(signal.SIGINT) is before
    assert set(threading.enumerate()) <= running


def test_a_sweep_without_processes_is_computed_in_this_one(tmp_path, monkeypatch):
    pytest.importorskip("joblib")
    monkeypatch.setitem(sys.modules, "joblib.externals.loky.process_executor", None)
    sweep = Sweep("latch", {"steps": "5,10"}, tmp_path / "sweep", {"weights": "2"})
    with pytest.warns(UserWarning, match="starts no processes; the cells are computed one after another"):
        assert sweep.run(jobs=2) == []
    assert len(sweep.table()[1]) == 2


def test_a_sweep_without_joblib_needs_one_process(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "joblib", None)
    sweep = Sweep("latch", {"steps": "5,10"}, tmp_path / "sweep", {"weights": "2"})
    with pytest.raises(ImportError, match=r"needs joblib: python -m pip install"):
        sweep.run(jobs=2)
    assert sweep.run() == []


@pytest.mark.skipif(os.name != "posix", reason="where programs replace themselves")
def test_a_program_that_cannot_be_started_anew_goes_on_and_says_so(monkeypatch, capsys):
    def execve(*_):
        raise OSError(138, "emscripten does not support processes.")

    monkeypatch.setattr(os, "execve", execve)
    monkeypatch.setattr(sys, "argv", ["minigrad", "claims", "--list"])
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    cli.restart_with_threads(2)
    assert "cannot start anew with --threads 2 (emscripten does not support processes.)" in capsys.readouterr().err


# -------------------------------------------------------------------------------------------- files

def test_a_file_can_be_read_by_its_owner_whatever_the_mask(tmp_path):
    """Python in a browser starts with the mask 0o777."""
    before = os.umask(0o777)
    try:
        with whole(tmp_path / "a.txt") as file:
            file.write("kept")
    finally:
        os.umask(before)
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "a.txt").read_text() == "kept"


def test_what_was_written_stays_where_rmdir_takes_all_along(tmp_path, monkeypatch):
    """As the file system of a notebook in the browser does."""
    monkeypatch.setattr(Path, "rmdir", lambda path: shutil.rmtree(path))
    with Folder(tmp_path / "a" / "b", force=False) as folder:
        (folder / "result.txt").write_text("kept")
    assert (tmp_path / "a" / "b" / "result.txt").read_text() == "kept"
    with Folder(tmp_path / "empty", force=False):
        pass
    assert not (tmp_path / "empty").exists()

"""Sweeps on several processes: the same bytes whatever their number, and a worker that dies costs a retry alone."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import mortal
import pytest

from minigrad.experiments.sweep import Sweep

ROOT = Path(__file__).resolve().parent.parent
WHERE = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}


@pytest.fixture(autouse=True)
def _enlisted(monkeypatch):
    mortal.enlist(monkeypatch, "cliff")


@pytest.fixture
def notes(tmp_path):
    (tmp_path / "notes").mkdir()
    return tmp_path / "notes"


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def waited_for(condition, seconds=60):
    """Wait until something is so, but not for ever."""
    limit = time.monotonic() + seconds
    while not condition() and time.monotonic() < limit:
        time.sleep(0.02)
    return condition()


def test_the_bytes_are_the_same_whatever_the_number_of_workers(tmp_path):
    pytest.importorskip("joblib")
    found = []
    for jobs in (1, 2, 3):
        sweep = Sweep("mortal", {"scale": "1,none", "seed": "0:3"}, tmp_path / str(jobs), {"size": "60"})
        assert sweep.run(jobs=jobs) == []
        sweep.save()
        found.append(files(sweep.folder))
    assert len(found[0]) == 6 + 3
    assert found[0] == found[1] == found[2]


def test_a_worker_that_dies_costs_its_cell_a_retry_and_no_other_anything(tmp_path, notes):
    """Seed 2 ends its process the first time, seed 4 always, and seed 5 raises."""
    pytest.importorskip("joblib")
    sweep = Sweep("mortal", {"seed": "0:7"}, tmp_path / "sweep",
                  {"stumbles": "2", "dies": "4", "fails": "5", "notes": str(notes)})
    failed = sweep.run(jobs=2)
    assert [str(cell) for cell in failed] == ["seed=4", "seed=5"]
    assert sweep.record(failed[0])["error"].startswith("its worker died, also when it had no other cell to compute")
    assert sweep.record(failed[1])["error"] == "ArithmeticError: as it was told"
    assert [row[0] for row in sweep.table()[1]] == [0, 1, 2, 3, 6]
    tries = mortal.counted(notes)
    assert tries[2] == 2
    assert tries[4] == 3
    assert tries[5] in (1, 2)                   # it, or a neighbour, may have been under way when the worker died
    assert sum(tries[seed] for seed in (0, 1, 3, 6)) <= 4 + 2


# ------------------------------------------------------------------------------------------ a real Ctrl-C

def started(folder, notes, *extra):
    """Start a sweep of four cells on two workers, as a program of its own, of which the cell of seed 2 hangs."""
    (notes).mkdir(exist_ok=True)
    argv = ["sweep", "mortal", "--grid", "seed=0:4", "--set", "hangs=2", "--set", f"notes={notes}", "--jobs", "2",
            "--out", folder, *extra]
    return subprocess.Popen([sys.executable, "-c", "import mortal; mortal.main()", *map(str, argv)], env=WHERE,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
                            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="sends signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_sweep_that_is_interrupted_or_killed_leaves_what_is_finished_and_no_process(number, tmp_path):
    pytest.importorskip("joblib")
    process = started(tmp_path / "sweep", tmp_path / "notes")
    cells = tmp_path / "sweep" / "cells"
    try:
        assert waited_for(lambda: len([*cells.glob("*.json")]) == 3 or process.poll() is not None)
        if number == signal.SIGINT:                                     # as a terminal does, to all of them
            os.killpg(process.pid, number)
            _, err = process.communicate(timeout=60)
            assert process.returncode == 130
            assert "Traceback" not in err
            assert f"Interrupted; 3 of 4 cells are finished and in {tmp_path / 'sweep'}" in err
        else:
            process.kill()
            process.wait()
        assert waited_for(lambda: not alive(process.pid))
    finally:
        for stream in (process.stdout, process.stderr):
            stream.close()
    sweep = Sweep("mortal", {"seed": "0:4"}, tmp_path / "sweep", {"hangs": "2", "notes": str(tmp_path / "notes")})
    assert [str(cell) for cell in sweep.missing()] == ["seed=2"]


def alive(group):
    """Whether a process of this group is there that has not ended."""
    listed = subprocess.run(["ps", "-eo", "pgid=,stat="], capture_output=True, text=True, check=True).stdout
    return any(line.split()[0] == str(group) and "Z" not in line.split()[1] for line in listed.splitlines())


# ----------------------------------------------------------------------------------------------------- Dask

@pytest.fixture
def cluster(tmp_path):
    """The address of a scheduler with two worker processes on loopback."""
    pytest.importorskip("distributed", reason="distributed is not installed")
    card, processes = tmp_path / "scheduler.json", []
    with open(tmp_path / "dask.log", "w") as log:
        def start(what, *argv):
            processes.append(subprocess.Popen([sys.executable, "-m", f"distributed.cli.dask_{what}", *argv], env=WHERE,
                                              stdout=log, stderr=log, cwd=tmp_path, start_new_session=True))
        start("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(card))
        try:
            assert waited_for(lambda: card.exists() and "}" in card.read_text()), (tmp_path / "dask.log").read_text()
            address = json.loads(card.read_text())["address"]
            start("worker", address, "--host", "127.0.0.1", "--nworkers", "2", "--nthreads", "1", "--no-dashboard",
                  "--local-directory", str(tmp_path))
            yield address
        finally:
            for process in processes:           # at once: a worker that is just starting would not hear of it
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="sends signals")
def test_a_dask_cluster_gives_the_same_bytes(cluster, tmp_path, notes, capsys):
    from commanding import call

    settings = {"fails": "5", "stumbles": "3", "notes": str(notes)}
    axes = {"seed": "0:6"}
    argv = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    assert call("sweep", "mortal", "--grid", "seed=0:6", *argv, "--dask", cluster, "--out", tmp_path / "dask") == 1
    assert "seed=5: ArithmeticError: as it was told" in capsys.readouterr().err
    tries = mortal.counted(notes)
    assert tries[3] == 2
    assert tries[5] == 1
    here = Sweep("mortal", axes, tmp_path / "here", settings)
    assert [str(cell) for cell in here.run()] == ["seed=5"]
    here.save()
    found = files(tmp_path / "dask")
    assert "sweep.png" in found
    assert {name: data for name, data in found.items() if name != "sweep.png"} == files(here.folder)


def test_a_scheduler_that_is_not_there_is_said_at_once(tmp_path):
    pytest.importorskip("distributed", reason="distributed is not installed")
    for address, why in (("tcp://127.0.0.1:1", "refused"), ("tcp://127.0.0.1", "no port"), ("nowhere", "no port")):
        with pytest.raises(ConnectionError, match=rf"no Dask scheduler at {address} \(.*{why}"):
            Sweep("mortal", {"seed": "0:2"}, tmp_path / "sweep").run(dask=address)

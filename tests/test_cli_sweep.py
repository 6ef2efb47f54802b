"""minigrad sweep: what it prints is what it has written; it goes on where it was; the number drawn can be chosen."""

import csv
import re
from pathlib import Path

import mortal
import pytest
from commanding import call, refusal


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mortal.enlist(monkeypatch)


def files(folder="."):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in Path(folder).rglob("*")
            if path.is_file()}


def interrupted(*_):
    raise KeyboardInterrupt


def test_a_sweep_prints_its_numbers_and_writes_table_and_picture(capsys):
    assert call("sweep", "mortal", "--grid", "scale=1,2.5,none", "--grid", "seed=0:2", "--set", "size=10") == 0
    out = capsys.readouterr().out
    folder = "minigrad-sweep-mortal"
    assert {f"{folder}/sweep.{kind}" for kind in ("json", "csv", "npz", "png")} < set(files())
    assert len([name for name in files() if "cells" in name]) == 6
    assert re.split(" +", out.splitlines()[0].strip()) == ["scale", "seed", "norm"]
    assert re.search(r"^ +inf +1 +\d", out, re.M)
    assert f"6 of 6 cells in {folder}: sweep.csv, sweep.npz, sweep.png" in out


@pytest.mark.parametrize(("jobs", "seeds"), [(1, 3), (1, 12), (2, 3)])
def test_what_a_sweep_prints_is_what_stands_in_its_table(jobs, seeds, capsys):
    if jobs > 1:
        pytest.importorskip("joblib")
    axes = ["--grid", "scale=1,2.5,none", "--grid", f"seed=0:{seeds}"]
    for name in ("large", "norm"):
        assert call("sweep", "mortal", *axes, "--jobs", jobs, "--out", "out", "--headline", name) == 0
        head, *lines = capsys.readouterr().out.splitlines()[:-1]
        assert head.split() == ["scale", "seed", name]
        with open("out/sweep.csv", newline="") as file:
            rows = [[float(row[column]) for column in ("scale", "seed", name)] for row in csv.DictReader(file)]
        assert len(rows) == 3 * seeds
        if len(rows) > 20:
            assert lines.pop() == f"and {len(rows) - 20} more rows, in sweep.csv"
        printed = [[float(word) for word in line.split()] for line in lines]
        assert printed == [[float(f"{value:.6g}") for value in row] for row in rows[:20]]


def test_a_sweep_that_was_interrupted_goes_on(monkeypatch, capsys):
    argv = ["sweep", "mortal", "--grid", "seed=0:4", "--out", "out"]
    live = mortal.live
    monkeypatch.setattr(mortal, "live", lambda c, seed: interrupted() if seed == 2 else live(c, seed))
    assert call(*argv) == 130
    assert "Interrupted; 2 of 4 cells are finished and in out; the same command" in capsys.readouterr().err
    monkeypatch.setattr(mortal, "live", live)
    assert call(*argv) == 0
    assert "2 of 4 cells are there already." in capsys.readouterr().err
    assert call(*argv[:3], "seed=0:4", "--out", "whole") == 0
    assert files("out") == files("whole")


def test_cells_that_fail_are_said_and_the_status_shows_it(capsys):
    assert call("sweep", "mortal", "--grid", "seed=0:3", "--set", "fails=1", "--out", "out") == 1
    out, err = capsys.readouterr()
    assert "seed=1: ArithmeticError: as it was told" in err
    assert "1 of 3 cells failed; the same command tries them again." in err
    assert "2 of 3 cells in out" in out
    assert call("sweep", "mortal", "--grid", "seed=0:1", "--set", "fails=0", "--out", "all") == 1
    assert "sweep.csv" not in files("all")


def test_the_number_that_is_drawn_can_be_chosen_and_an_error_lists_those_there_are(capsys):
    argv = ["sweep", "mortal", "--grid", "seed=0:3", "--out", "out"]
    assert call(*argv, "--headline", "runs") == 0
    assert capsys.readouterr().out.split()[:2] == ["seed", "runs"]
    first = files()["out/sweep.png"]
    assert call(*argv, "--headline", "norm") == 0
    assert files()["out/sweep.png"] != first
    capsys.readouterr()
    wanted = "no headline 'nrm'; did you mean norm? There are: runs, norm, nothing, weight, large, norm of seed 0"
    assert wanted in refusal(capsys, *argv, "--headline", "nrm")
    assert call(*argv[:-1], "new", "--headline", "nrm") == 2            # known after the first cell alone
    assert wanted in capsys.readouterr().err
    assert "new/sweep.csv" in files()


def test_another_sweep_in_the_folder_is_deleted_only_by_force(capsys):
    argv = ["sweep", "mortal", "--grid", "seed=0:2", "--out", "out"]
    assert call(*argv) == 0
    capsys.readouterr()
    before = files()
    assert "out holds another sweep, of mortal with seeds = 1" in refusal(capsys, *argv, "--set", "size=5")
    assert files() == before
    assert call(*argv, "--set", "size=5", "--force") == 0


def test_more_settings_than_a_picture_shows_are_in_the_table(capsys):
    argv = [word for axis in ("scale=1,2", "size=5,6", "kind=sin,tanh") for word in ("--grid", axis)]
    assert call("sweep", "mortal", *argv, "--out", "out") == 0
    assert "no picture: a picture has room for two settings" in capsys.readouterr().err
    assert "out/sweep.csv" in files()
    assert "out/sweep.png" not in files()

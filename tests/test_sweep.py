"""Sweeps: a grid of settings, a file per finished cell, only what is missing, the same table in any order."""

import csv
import json
import math
from dataclasses import replace

import mortal
import numpy as np
import pytest

from minigrad.experiments import sweep as sweeps
from minigrad.experiments.sweep import Sweep, grid

AXES = {"scale": "1,2.5,none", "seed": "0:2"}


@pytest.fixture(autouse=True)
def _enlisted(monkeypatch):
    mortal.enlist(monkeypatch, "cliff", "latch")


@pytest.fixture
def notes(tmp_path):
    """A folder in which the experiment notes what was computed."""
    (tmp_path / "notes").mkdir()
    return tmp_path / "notes"


def made(tmp_path, axes=AXES, **settings):
    """A sweep in a folder that is not there yet."""
    return Sweep("mortal", axes, tmp_path / "sweep", settings)


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# --------------------------------------------------------------------------------------------------- grid

@pytest.mark.parametrize(("axes", "points"), [
    ({"a": "1,2"}, [{"a": "1"}, {"a": "2"}]),
    ({"a": " .1 , none "}, [{"a": ".1"}, {"a": "none"}]),
    ({"a": "0:3"}, [{"a": "0"}, {"a": "1"}, {"a": "2"}]),
    ({"a": "4:5", "b": "x"}, [{"a": "4", "b": "x"}]),
    ({"a": "1,2", "b": "5,6"}, [{"a": a, "b": b} for a in "12" for b in "56"]),
])
def test_a_grid_has_every_point_the_last_axis_fastest(axes, points):
    assert grid(axes) == points


@pytest.mark.parametrize(("axes", "message"), [
    ({"a": ""}, "a=: no value; write a=a,b,c or a=0:6"), ({"a": ", ,"}, "no value"), ({"a": "3:3"}, "no value"),
    ({"a": "5:2"}, "no value"), ({"a": "-1:3"}, "of whole numbers, such as 0:6"), ({"a": "0:1.5"}, "whole numbers"),
    ({"a": ":"}, "whole numbers"), ({"a": "0:6:2"}, "whole numbers"), ({"a": "0:100001"}, "more than 100000"),
    ({"a": "0:1000", "b": "0:1000"}, "the grid has 1000000 cells, more than 100000"),
])
def test_a_grid_that_cannot_be_is_refused(axes, message):
    with pytest.raises(ValueError, match=message):
        grid(axes)


@pytest.mark.parametrize(("experiment", "axes", "settings", "error", "message"), [
    ("mortl", {"seed": "0:2"}, {}, KeyError, "no experiment 'mortl'; did you mean mortal"),
    ("mortal", {"skale": "1"}, {}, KeyError, "no setting 'skale'; did you mean scale.*There are: scale, size"),
    ("mortal", {"seed": "0:2"}, {"skale": "1"}, KeyError, "no setting 'skale'"),
    ("mortal", {"scale": "1,0,2"}, {}, ValueError, "scale = 0.0 is out of range: it is a number > 0"),
    ("mortal", {"kind": "sin,cos"}, {}, ValueError, "one of tanh, sin"),
    ("mortal", {"scale": "1"}, {"scale": "2"}, ValueError, "scale is fixed and varied at once"),
    ("mortal", {"scale": "1,1.0"}, {}, ValueError, "scale=1.0 is there twice"),
    ("mortal", {}, {}, ValueError, "at least one axis"),
    ("cliff", {"seed": "0:6"}, {}, KeyError, "no setting 'seed'; .*There are: steps"),
])
def test_what_the_experiment_does_not_take_is_refused_before_anything_is_written(experiment, axes, settings, error,
                                                                                 message, tmp_path):
    with pytest.raises(error, match=message):
        Sweep(experiment, axes, tmp_path / "sweep", settings)
    assert list(tmp_path.iterdir()) == []


# ------------------------------------------------------------------------------------------------ results

def test_every_cell_holds_what_the_experiment_says_for_it(tmp_path):
    sweep = made(tmp_path)
    assert sweep.run() == []
    columns, rows = sweep.table()
    assert columns == ["scale", "seed", "runs", "norm", "nothing", "weight", "large", "norm of seed 0",
                       "norm of seed 1"]
    assert [row[:2] for row in rows] == [[s, k] for s in (1.0, 2.5, math.inf) for k in (0, 1)]
    for scale, seed, runs, norm, nothing, *_, zero, one in rows:
        result = mortal.run(mortal.Config(scale=scale, seed=seed, seeds=1))
        assert (runs, norm) == (1, result.headline["norm"])             # with seed=..., a cell is one seed
        assert math.isnan(nothing)
        assert (norm, True) == ((zero, math.isnan(one)) if seed == 0 else (one, math.isnan(zero)))


def test_the_default_generator_is_the_same_for_every_cell_and_given_back(tmp_path):
    import minigrad as mg

    sweep, before = made(tmp_path), mg.get_rng_state()
    mg.manual_seed(123)
    state = mg.get_rng_state()
    sweep.run()
    assert mg.get_rng_state() == state
    mg.set_rng_state(before)
    columns, rows = sweep.table()
    assert len({row[columns.index("weight")] for row in rows}) == 1


def test_csv_and_npz_hold_the_table_exactly(tmp_path):
    sweep = made(tmp_path)
    sweep.run()
    columns, rows = sweep.table()
    words, arrays = sweep.save()
    with open(words, newline="") as file:
        head, *lines = csv.reader(file)
    assert head == columns
    np.testing.assert_array_equal([[float(text) for text in line] for line in lines], np.array(rows, dtype=float))
    with np.load(arrays) as found:
        assert list(found) == columns
        for index, name in enumerate(columns):
            np.testing.assert_array_equal(found[name], [row[index] for row in rows])
        assert found["seed"].dtype.kind == "i"


def test_axes_of_words_are_words_in_the_table(tmp_path):
    sweep = made(tmp_path, {"kind": "sin,tanh"})
    sweep.run()
    assert [row[0] for row in sweep.table()[1]] == ["sin", "tanh"]
    with np.load(sweep.save()[1]) as found:
        assert found["kind"].tolist() == ["sin", "tanh"]


def test_a_table_without_rows_is_written_too(tmp_path):
    sweep = made(tmp_path)
    sweep.prepare()
    assert [path.name for path in sweep.save()] == ["sweep.csv", "sweep.npz"]
    assert (sweep.folder / "sweep.csv").read_text() == "scale,seed\n"


# --------------------------------------------------------------------------------------------- what is missing

def test_a_sweep_that_is_finished_computes_nothing(tmp_path, notes):
    made(tmp_path, notes=str(notes)).run()
    before = files(tmp_path)
    assert mortal.counted(notes) == {0: 3, 1: 3}
    assert made(tmp_path, notes=str(notes)).run() == []
    assert files(tmp_path) == before


def test_a_failed_cell_loses_no_other_and_is_tried_again(tmp_path, notes, monkeypatch):
    axes = {"seed": "0:4"}
    sweep = made(tmp_path, axes, fails="2", notes=str(notes))
    failed, = sweep.run()
    assert str(failed) == "seed=2"
    assert sweep.record(failed)["error"] == "ArithmeticError: as it was told"
    assert sweep.record(failed)["config"]["seed"] == 2
    assert [row[0] for row in sweep.table()[1]] == [0, 1, 3]
    live = mortal.live
    monkeypatch.setattr(mortal, "live", lambda config, seed: live(replace(config, fails=mortal.NOBODY), seed))
    assert made(tmp_path, axes, fails="2", notes=str(notes)).run() == []
    assert mortal.counted(notes) == {0: 1, 1: 1, 2: 2, 3: 1}


@pytest.mark.parametrize("count", [0, 1, 5])
def test_an_interrupted_sweep_goes_on_where_it_was_and_ends_with_the_same_bytes(count, tmp_path, notes):
    def interrupting(things, *_):
        for number, thing in enumerate(things):
            if number == count:
                raise KeyboardInterrupt
            yield thing
    sweep = made(tmp_path, notes=str(notes))
    with pytest.raises(KeyboardInterrupt):
        sweep.run(progress=interrupting)
    assert len(sweep.missing()) == 6 - count
    assert made(tmp_path, notes=str(notes)).run() == []
    assert sum(mortal.counted(notes).values()) == 6 + 1             # the one that was computed when it happened
    sweep.save()
    whole = Sweep("mortal", AXES, tmp_path / "whole", {"notes": str(notes)})
    whole.run()
    whole.save()
    assert files(sweep.folder) == files(whole.folder)


@pytest.mark.parametrize("content", ["", "{", '{"config": {}}', '{"error": "once"}'])
def test_a_cell_whose_file_is_damaged_or_not_finished_is_missing(content, tmp_path):
    sweep = made(tmp_path)
    sweep.run()
    sweep.path(sweep.cells[3]).write_text(content)
    assert sweep.missing() == [sweep.cells[3]]
    assert sweep.run() == []


def test_a_grid_that_has_grown_or_is_written_in_another_way_finds_its_cells(tmp_path, notes):
    made(tmp_path, {"scale": "1,2.5", "seed": "0:2"}, notes=str(notes)).run()
    made(tmp_path, {"seed": "2,1,0", "scale": "4,2.50,1e0"}, notes=str(notes)).run()
    assert mortal.counted(notes) == {0: 3, 1: 3, 2: 3}
    assert len(list((tmp_path / "sweep" / "cells").iterdir())) == 9


# ------------------------------------------------------------------------------------------------- the folder

def test_a_folder_of_another_sweep_is_refused_unless_forced(tmp_path):
    made(tmp_path, size="10").run()
    before = files(tmp_path)
    other = made(tmp_path, size="11")
    with pytest.raises(FileExistsError, match="holds another sweep, of mortal with size = 10, seeds = 1"):
        other.run()
    assert files(tmp_path) == before
    (tmp_path / "sweep" / "mine.txt").write_text("keep")
    assert other.run(force=True) == []
    assert len(list((tmp_path / "sweep" / "cells").iterdir())) == 6
    assert (tmp_path / "sweep" / "mine.txt").exists()
    assert json.loads(other.card.read_text())["settings"]["size"] == 11


def test_a_folder_of_something_else_is_refused_unless_forced(tmp_path):
    (tmp_path / "sweep").mkdir()
    sweep = made(tmp_path)
    sweep.check()                                                       # an empty one will do
    (tmp_path / "sweep" / "mine.txt").write_text("keep")
    with pytest.raises(FileExistsError, match="is not empty, and holds no sweep"):
        sweep.run()
    assert sweep.run(force=True) == []
    assert (tmp_path / "sweep" / "mine.txt").read_text() == "keep"


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "sweep").write_text("mine")
    with pytest.raises(FileExistsError, match="is no folder"):
        made(tmp_path).run(force=True)


@pytest.mark.parametrize(("options", "package", "extra"), [({"jobs": 2}, "joblib", "sweep"),
                                                           ({"dask": "tcp://127.0.0.1:1"}, "distributed", "cluster")])
def test_a_package_that_is_missing_is_named_with_its_extra(options, package, extra, tmp_path, monkeypatch):
    def missing(name):
        raise ImportError(name)
    monkeypatch.setattr(sweeps.workers.importlib, "import_module", missing)
    with pytest.raises(ImportError, match=rf"this needs {package}: python -m pip install 'minigrad-lab\[{extra}\]'"):
        made(tmp_path).run(**options)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["null", "[1]", "3", "{"])
def test_a_cell_file_that_is_no_record_is_computed_again(tmp_path, text):
    sweep = Sweep("latch", {"steps": "5,10"}, tmp_path, {"weights": "2"})
    sweep.run()
    sweep.path(sweep.cells[0]).write_text(text)
    assert sweep.missing() == sweep.cells[:1]
    assert sweep.run() == []


def test_cells_of_another_version_are_not_mixed_with_new_ones(tmp_path):
    Sweep("latch", {"steps": "5,10"}, tmp_path, {"weights": "2"}).run()
    card = tmp_path / "sweep.json"
    card.write_text(card.read_text().replace('"source": "', '"source": "0'))
    with pytest.raises(FileExistsError, match="another version of latch"):
        Sweep("latch", {"steps": "5,20"}, tmp_path, {"weights": "2"}).run()


def test_nothing_is_deleted_for_a_cluster_that_is_not_there(tmp_path):
    pytest.importorskip("distributed")
    sweep = Sweep("latch", {"steps": "5,10"}, tmp_path, {"weights": "2"})
    sweep.run()
    with pytest.raises(ConnectionError, match="no Dask scheduler"):
        Sweep("latch", {"steps": "5"}, tmp_path, {"weights": "4"}).run(dask="tcp://127.0.0.1:1", force=True)
    assert sweep.missing() == []

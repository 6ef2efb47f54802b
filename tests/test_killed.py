"""Saving is atomic: whenever a program is killed, the file is the old one or the new one, and never a torn one."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from killing import Training, same

import minigrad as mg
from minigrad import files
from minigrad.saving import LoadError

forking = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no os.fork to make children with")
HERE = Path(__file__).resolve().parent


def watched(what, folder, count, seed=0):
    """Run ``killing.py`` and return what it observed."""
    path = os.pathsep.join([str(HERE), str(HERE.parent), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run([sys.executable, str(HERE / "killing.py"), what, str(folder), str(seed), str(count)],
                          capture_output=True, text=True, timeout=300, env={**os.environ, "PYTHONPATH": path})
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def unfinished(names):
    return [name for name in names if name.startswith(".") and name.endswith(".part")]


# ------------------------------------------------------------------------------------------------- killed

@forking
def test_killed_at_a_random_moment(tmp_path):
    """120 times, by its own name and by a link: what is there is of one version, the last one told of or the next.

    The next child goes on from there, so all of them together make the run that nobody interrupted, to the bit.
    """
    found = watched("random", tmp_path, 120)
    for one in found["seen"]:
        told = one["start"] if one["last"] is None else one["last"]
        assert one["killed"], one
        assert one["version"] in (told, told + 1), one
        assert one["whole"], one
        assert one["as uninterrupted"], one
    versions = [one["version"] for one in found["seen"]]
    assert versions == sorted(versions)
    assert versions[-1] >= 40
    assert found["skipped"] >= 5
    assert len(found["scales"]) >= 3
    assert found["link"]
    assert found["beside"] == ["last.pt", "runs"]
    assert [name for name in found["files"] if name not in unfinished(found["files"])] == ["real.pt"]
    # Each that was killed while it wrote has left what it wrote: these moments are among the random ones.
    assert 10 <= len(unfinished(found["files"])) <= 120


@forking
def test_killed_at_each_call_about_the_end_and_some_before(tmp_path):
    """Up to the moment when the file takes its name it is the old one, from then on the new one."""
    found = watched("points", tmp_path, 40)
    assert found["total"] > 200
    for one in found["seen"]:
        assert one["killed"], one
        assert (one["version"], one["whole"]) == (2 if one["replaced"] else 1, True), one
    replaced = [one["replaced"] for one in found["seen"]]
    assert replaced == sorted(replaced)
    assert {True, False} == set(replaced)
    # What was not finished lies beside it, under a name of its own.
    assert [name for name in found["files"] if name not in unfinished(found["files"])] == ["last.pt"]
    assert 40 <= len(unfinished(found["files"])) <= replaced.count(False)


@forking
def test_two_that_write_one_path_at_once(tmp_path):
    """One of them wins, whole; and it is the last that this one has written."""
    found = watched("two", tmp_path, 25)
    for one in found["seen"]:
        assert one["killed"], one
        assert one["whole"], one
        last = one["last"][one["who"]]
        assert one["version"] in (last, last + 1), one
    assert {one["who"] for one in found["seen"]} == {"a", "b"}


# ------------------------------------------------------------------------------------------------ errors

@pytest.mark.parametrize("step", ["fsync", "chmod", "replace"])
def test_an_error_at_the_end_leaves_the_old_one_and_nothing_else(step, tmp_path, monkeypatch):
    mg.save("old", tmp_path / "file")

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, step, full)
        with pytest.raises(OSError, match="No space"):
            mg.save("new", tmp_path / "file")
    assert (mg.load(tmp_path / "file"), os.listdir(tmp_path)) == ("old", ["file"])


def test_a_folder_that_cannot_be_flushed_is_no_error(tmp_path, monkeypatch):
    """The file is there by then; and some systems don't open folders."""
    opened = os.open

    def refuse(path, *args, **kwargs):
        if os.path.isdir(path):
            raise PermissionError(13, "Permission denied")
        return opened(path, *args, **kwargs)

    monkeypatch.setattr(os, "open", refuse)
    mg.save("new", tmp_path / "file")
    assert mg.load(tmp_path / "file") == "new"


def test_the_file_and_then_its_folder_are_flushed(tmp_path, monkeypatch):
    flushed, fsync = [], os.fsync

    def watch(handle):
        flushed.append((stat.S_ISDIR(os.fstat(handle).st_mode), (tmp_path / "file").exists()))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", watch)
    mg.save("new", tmp_path / "file")
    assert flushed == [(False, False), (True, True)]


# ----------------------------------------------------------------------------------------- what is in its place

@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX's")
def test_permissions_are_those_of_an_ordinary_file_and_stay(tmp_path):
    (tmp_path / "ordinary").write_text("")
    path = tmp_path / "file"
    mg.save("first", path)
    assert path.stat().st_mode == (tmp_path / "ordinary").stat().st_mode
    path.chmod(0o600)
    mg.save("second", path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert mg.load(path) == "second"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_what_is_no_ordinary_file_is_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "folder"):
        with pytest.raises(OSError, match=f"no ordinary file.*{name}"):
            mg.save("new", tmp_path / name)
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    assert sorted(os.listdir(tmp_path)) == ["folder", "pipe"]


@pytest.mark.parametrize("name", ["x" * 255, "é" * 127])
def test_a_name_as_long_as_names_may_be(name, tmp_path):
    mg.save("new", tmp_path / name)
    assert (mg.load(tmp_path / name), os.listdir(tmp_path)) == ("new", [name])


def test_an_unfinished_file_of_somebody_else_is_left_alone(tmp_path):
    """It may be one that is being written."""
    (tmp_path / ".file.abcdefgh.part").write_text("some")
    mg.save("new", tmp_path / "file")
    with files.whole(tmp_path / "file", "wb") as file:
        file.write(b"newer")
        assert len(unfinished(os.listdir(tmp_path))) == 2
    assert sorted(os.listdir(tmp_path)) == [".file.abcdefgh.part", "file"]


# -------------------------------------------------------------------------------------- torn, or of another make

def test_a_checkpoint_of_an_optimizer_that_is_cut_short_is_refused_by_name(tmp_path):
    training, path = Training(), tmp_path / "checkpoint.pt"
    for _ in range(3):
        training.advance()
    mg.save(training.checkpoint(), path)
    content = path.read_bytes()
    rng = np.random.default_rng(0)
    for length in {0, *range(1, 3000, 97), *rng.integers(len(content), size=60), *range(len(content) - 60,
                                                                                      len(content))}:
        path.write_bytes(content[:length])
        with pytest.raises(LoadError, match=r"checkpoint\.pt"):
            mg.load(path)
    path.write_bytes(content)
    assert same(mg.load(path), training.checkpoint())


def test_a_checkpoint_in_which_a_byte_is_another_is_refused_or_the_same(tmp_path):
    training, path = Training(), tmp_path / "checkpoint.pt"
    training.advance()
    mg.save(training.checkpoint(), path)
    content, noticed = path.read_bytes(), 0
    places = np.random.default_rng(0).integers(len(content), size=80)
    for place in places:
        path.write_bytes(content[:place] + bytes([content[place] ^ 0x10]) + content[place + 1:])
        try:
            assert same(mg.load(path), training.checkpoint())
        except LoadError:
            noticed += 1
    assert noticed > len(places) // 2

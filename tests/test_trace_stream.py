"""Streamed traces: whatever ends the run, each step that was finished can be read, and the next run goes on."""

import copy
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tracing import make_row, sgd, trace_of

import minigrad as mg
from minigrad.hooks import AGC, Accumulate, ClipNorm, NonFinite

HERE = Path(__file__).resolve().parent
STREAMS = [".csv", ".jsonl"]
GRADIENTS = [np.array([3.0, 4.0]), np.array([np.nan, 1.0]), np.array([0.3, 0.0]), np.array([0.0, 0.0])] * 3


def run(trace, gradients=GRADIENTS):
    return sgd(gradients, NonFinite("skip"), Accumulate(2), AGC(0.1), ClipNorm(1.0), trace=trace, flush=True)


@pytest.mark.parametrize("ending", STREAMS)
def test_a_stream_is_what_would_be_saved(ending, tmp_path):
    stream, saved = tmp_path / f"stream{ending}", tmp_path / f"saved{ending}"
    trace = run(mg.NormTrace(per_parameter=True, stream=stream))
    trace.save(saved)
    assert stream.read_bytes() == saved.read_bytes()
    assert mg.NormTrace.load(stream) == trace == run(mg.NormTrace(per_parameter=True))


@pytest.mark.parametrize("ending", STREAMS)
def test_each_step_is_there_when_it_is_finished(ending, tmp_path):
    trace = mg.NormTrace(stream=tmp_path / f"t{ending}")
    assert len(mg.NormTrace.load(tmp_path / f"t{ending}")) == 0
    for step in range(3):
        trace.record({"w": np.ones(2)})
        assert mg.NormTrace.load(tmp_path / f"t{ending}") == trace
        assert len(trace) == step + 1


def watched(what, folder, ending):
    """Run ``streaming.py`` and return what it observed."""
    path = os.pathsep.join([str(HERE), str(HERE.parent), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run([sys.executable, str(HERE / "streaming.py"), what, str(folder), ending],
                          capture_output=True, text=True, timeout=300, env={**os.environ, "PYTHONPATH": path})
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


forking = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no os.fork to make children with")


@forking
@pytest.mark.parametrize("ending", STREAMS)
def test_killed_at_any_point(ending, tmp_path):
    found = watched("points", tmp_path, ending)
    assert all(one["killed"] and one["same"] for one in found)
    assert len({one["steps"] for one in found}) >= 5
    assert all(one["then"] == {"steps": 6, "same": True, "cut": None} for one in found)


@forking
@pytest.mark.parametrize("ending", STREAMS)
def test_killed_while_it_trains(ending, tmp_path):
    """Each step that the child has told of is there, and the last child has gone on to where all together came."""
    found = watched("random", tmp_path, ending)
    assert all(one["killed"] and one["same"] and one["steps"] >= one["told"] for one in found)
    assert found[-1]["steps"] > 40


@pytest.mark.parametrize("ending", STREAMS)
def test_cut_anywhere_all_finished_rows_are_read_and_the_next_run_goes_on(ending, tmp_path):
    path, whole = tmp_path / f"t{ending}", tmp_path / f"whole{ending}"
    trace = mg.NormTrace(per_parameter=True, stream=whole)
    for step in range(2):
        trace.record({'a\n"b",\n': np.full(2, 1.5 + step), "Ω": None}, loss=1.0)
    content = whole.read_bytes()
    begin = len(content) // 2
    for end in range(begin, len(content)):
        path.write_bytes(content[:end])
        loaded = mg.NormTrace.load(path, whole=False)
        assert loaded.rows == trace.rows[:len(loaded)]
        clean = loaded.cut is None
        assert clean == (content[:end] in (content[:k + 1] for k in ends(content, ending)))
        if not clean:
            with pytest.raises(ValueError, match=rf"line {loaded.cut}: the file is cut short here.*whole=False"):
                mg.NormTrace.load(path)
        again = mg.NormTrace(per_parameter=True, stream=path, append=True)
        assert again == loaded
        again.record({"b": np.ones(1)})
        assert mg.NormTrace.load(path) == again
        assert len(again) == len(loaded) + 2


def ends(content, ending):
    """Return where the line breaks are that end a row."""
    quotes, found = 0, []
    for k, byte in enumerate(content):
        quotes += byte == ord('"')
        if byte == ord("\n") and (ending == ".jsonl" or quotes % 2 == 0):
            found.append(k)
    return found


def test_steps_are_counted_on_where_a_stream_goes_on(tmp_path):
    for _ in range(2):
        trace = mg.NormTrace(stream=tmp_path / "t.csv", append=True)
        for _ in range(3):
            trace.record({"w": np.ones(2)})
    assert mg.NormTrace.load(tmp_path / "t.csv").column("step").tolist() == [0, 1, 2, 3, 4, 5]
    assert trace.column("micro_step").tolist() == [0, 1, 2, 3, 4, 5]


def test_a_file_that_is_there_is_not_touched(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("mine", encoding="utf-8")
    with pytest.raises(FileExistsError, match=r"t\.csv is there already.*append=True"):
        mg.NormTrace(stream=path)
    with pytest.raises(ValueError, match="no trace"):
        mg.NormTrace(stream=path, append=True)
    assert path.read_text(encoding="utf-8") == "mine"


def test_a_stream_without_the_newest_column_is_not_appended_to(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(",".join(make_row()._fields[:-1]) + "\n", encoding="utf-8")
    before = path.read_bytes()
    with pytest.raises(ValueError, match="without the column data"):
        mg.NormTrace(stream=path, append=True)
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", ["t.npz", "t", "t.txt"])
def test_no_stream_of_that_kind(name, tmp_path):
    with pytest.raises(ValueError, match=r"\.csv or \.jsonl"):
        mg.NormTrace(stream=tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_no_such_folder(tmp_path):
    with pytest.raises(FileNotFoundError):
        mg.NormTrace(stream=tmp_path / "no folder" / "t.csv")


def test_a_copy_writes_into_no_file(tmp_path):
    trace = mg.NormTrace(stream=tmp_path / "t.csv")
    trace.record({"w": np.ones(2)})
    for other in (copy.deepcopy(trace), pickle.loads(pickle.dumps(trace))):
        assert other == trace
        other.record({"w": np.ones(2)})
        assert len(other) == 2
    assert len(mg.NormTrace.load(tmp_path / "t.csv")) == 1


def test_a_file_that_was_removed_begins_anew(tmp_path):
    path = tmp_path / "t.csv"
    trace = mg.NormTrace(stream=path)
    trace.record({"w": np.ones(2)})
    path.unlink()
    trace.record({"w": np.ones(2)})
    assert mg.NormTrace.load(path) == trace_of(trace.rows[1])


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no device that is always full")
def test_a_full_disk_is_told_of_and_the_step_is_undone(tmp_path):
    trace = mg.NormTrace(stream=tmp_path / "t.csv")
    trace._stream.path = "/dev/full"
    w = mg.tensor([1.0, 2.0], requires_grad=True)
    opt = mg.optim.SGD([w], lr=0.5, trace=trace)
    w.grad = [1.0, 1.0]
    with pytest.raises(OSError, match="No space left"):
        opt.step()
    assert (w.tolist(), opt.updates, len(trace)) == ([1.0, 2.0], 0, 0)


def test_every_kth_step_is_streamed_and_memory_may_keep_fewer(tmp_path):
    trace = mg.NormTrace(every=2, reservoir=3, stream=tmp_path / "t.csv")
    for _ in range(20):
        trace.record({"w": np.ones(2)})
    streamed = mg.NormTrace.load(tmp_path / "t.csv")
    assert streamed.column("step").tolist() == list(range(0, 20, 2))
    assert len(trace) == 3
    again = mg.NormTrace(every=2, stream=tmp_path / "t.csv", append=True)
    assert again == streamed

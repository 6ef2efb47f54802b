"""Traces in files of every kind: lossless to the bit, whole or refused by name."""

import csv
import io
import json
import math
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tracing import ENDINGS, INF, NAMES, NAN, NUMBERS, any_row, bits, make_row, sgd, trace_of

import minigrad as mg
from minigrad.hooks import AGC, Accumulate, ClipNorm, NonFinite
from minigrad.trace import Row, formats
from minigrad.trace.columns import Columns

QUICK = settings(max_examples=40, deadline=None, derandomize=True, database=None)


def run(per_parameter=True):
    gradients = [([3.0, 4.0], [[0.0, 12.0]]), (None, [[NAN, 1.0]]), ([0.3, 0.0], [[INF, 1.0]]), ([3.0, 4.0], None)]
    trace = mg.NormTrace(per_parameter=per_parameter)
    return sgd(gradients * 2, NonFinite("skip"), Accumulate(2), AGC(0.1), ClipNorm(1.0), trace=trace, names=("a", "b"))


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("name", NAMES)
def test_texts_survive(name, ending, tmp_path):
    trace = trace_of(make_row(hook=name, parameter=name, reason=name, extra=name), make_row(), make_row(group=name))
    trace.save(tmp_path / f"t{ending}")
    loaded = mg.NormTrace.load(tmp_path / f"t{ending}")
    assert loaded == trace
    assert bits(loaded) == bits(trace)


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("value", NUMBERS)
def test_numbers_survive_to_the_bit(value, ending, tmp_path):
    trace = trace_of(make_row(norm_in=value, cosine=value, loss=value, lr=value, data=value, p=INF, nan=2 ** 53 + 1))
    trace.save(tmp_path / f"t{ending}")
    assert bits(mg.NormTrace.load(tmp_path / f"t{ending}")) == bits(trace)


@given(rows=st.lists(any_row, max_size=4), ending=st.sampled_from(ENDINGS))
@QUICK
def test_any_trace_survives(rows, ending, tmp_path_factory):
    folder = tmp_path_factory.mktemp("round")
    trace = trace_of(*rows)
    trace.save(folder / f"a{ending}")
    loaded = mg.NormTrace.load(folder / f"a{ending}")
    loaded.save(folder / f"b{ending}")
    assert loaded == trace
    assert bits(loaded) == bits(rows)
    assert (folder / f"a{ending}").read_bytes() == (folder / f"b{ending}").read_bytes()


@given(rows=st.lists(any_row, max_size=3))
@QUICK
def test_a_few_rows_are_spelt_as_a_table_is(rows):
    """A stream writes row by row what a saved file has by columns."""
    assert formats.csv_rows(rows) == formats.csv_lines(Columns(rows))
    assert formats.json_rows(rows) == formats.json_lines(Columns(rows))


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_run_survives_in_more_than_one_chunk(ending, tmp_path, monkeypatch):
    monkeypatch.setattr(formats, "CHUNK", 300)
    monkeypatch.setattr(formats, "BLOCK", 7)
    trace = run()
    trace.save(tmp_path / f"t{ending}")
    loaded = mg.NormTrace.load(tmp_path / f"t{ending}")
    assert loaded == trace
    assert loaded.per_parameter
    assert loaded.cut is None


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_same_run_gives_the_same_bytes(ending, tmp_path):
    for name in "ab":
        run().save(tmp_path / f"{name}{ending}")
    assert (tmp_path / f"a{ending}").read_bytes() == (tmp_path / f"b{ending}").read_bytes()


def test_json_lines_are_strict_json(tmp_path):
    """NaN and inf, which JSON has not, are strings; what is not applicable is left out."""
    run().save(tmp_path / "t.jsonl")

    def refuse(constant):
        raise AssertionError(constant)

    lines = [json.loads(line, parse_constant=refuse) for line in (tmp_path / "t.jsonl").read_text().splitlines()]
    assert [line["norm_in"] for line in lines if line["stage"] == 0 and "parameter" not in line][:3] == [
        13.0, "nan", "inf"]
    assert "threshold" not in lines[0]
    assert {"extra", "data", "threshold", "parameter", "reason"} <= set().union(*lines) <= set(Row._fields)


def test_arrays_are_read_by_numpy_alone(tmp_path):
    trace = run()
    trace.save(tmp_path / "t.npz")
    with np.load(tmp_path / "t.npz") as file:
        names = json.loads(file["texts"].tobytes())
        assert [names["hook"][code] for code in file["hook"]] == [r.hook for r in trace]
        np.testing.assert_array_equal(file["norm_in"], [math.nan if r.norm_in is None else r.norm_in for r in trace])


def older(trace):
    """Return a trace as CSV was written before there was the column data."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(Row._fields[:-1])
    for row in trace:
        writer.writerow(["" if v is None else repr(v) if isinstance(v, float) else v for v in row[:-1]])
    return file.getvalue()


def test_a_file_without_the_newest_column_is_read(tmp_path):
    (tmp_path / "old.csv").write_text(older(run()), encoding="utf-8")
    loaded = mg.NormTrace.load(tmp_path / "old.csv")
    assert bits(loaded) == bits([row._replace(data=None) for row in run()])
    assert np.isnan(loaded.ratios()).all()


def test_line_ends_of_windows_and_files_of_the_csv_module_are_read(tmp_path):
    text = older(run(per_parameter=False)).replace("\n", "\r\n")
    (tmp_path / "crlf.csv").write_bytes(text.encode())
    assert len(mg.NormTrace.load(tmp_path / "crlf.csv")) == len(run(per_parameter=False))


def test_a_long_note_survives(tmp_path):
    trace = trace_of(make_row(extra="x" * 300_000 + ","), make_row())
    trace.save(tmp_path / "t.csv")
    limit = csv.field_size_limit()
    assert mg.NormTrace.load(tmp_path / "t.csv") == trace
    assert csv.field_size_limit() == limit


def test_a_name_that_is_no_unicode_is_written_readably(tmp_path):
    trace_of(make_row(hook="\ud800")).save(tmp_path / "t.csv")
    assert mg.NormTrace.load(tmp_path / "t.csv").hooks() == ["\\ud800"]


# ------------------------------------------------------------------------------- files that are something else

FIRST = '{"step": 0, "stage": 0, "hook": "backward", "norm_in": 1.0}\n'


@pytest.mark.parametrize(("content", "text"), [
    ("hello\n", "no trace"), ("[1]\n", "no trace"), (FIRST + "\n", "line 2"), (FIRST + "[1]\n", "line 2"),
    (FIRST + '{"step": 1} {"step": 2}\n', "line 2"), (FIRST + '{"step": 1}, {"step": 2}\n', "line 2"),
    (FIRST + '{"stage": 1}\n', "line 2.*step"), (FIRST + '{"step": 1.5}\n', "line 2.*step"),
    (FIRST + '{"step": 1, "norm": 2}\n', "line 2.*'norm'.*norm_in"),
    (FIRST + '{"step": 1, "hook": 3}\n', "line 2.*hook"),
    (FIRST + '{"step": 1, "loss": "many"}\n', "line 2.*loss"), (FIRST + '{"step": true}\n', "line 2.*step"),
    (FIRST + f'{{"step": {10 ** 30}}}\n', "line 2"), (FIRST + FIRST[:20], "line 2.*whole=False"),
    (FIRST + "[" * 100_000 + "\n", "line 2"), (b"{\xff\n", "no trace")])
def test_json_lines_that_are_no_trace_are_refused(content, text, tmp_path):
    path = tmp_path / "strange.jsonl"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=rf"(?s)strange\.jsonl.*{text}"):
        mg.NormTrace.load(path)


def other_member(path, name, array):
    """Put another array into a saved trace."""
    with np.load(path) as file:
        members = {**file, name: array}
    if array is None:
        del members[name]
    np.savez(path, **members)


@pytest.mark.parametrize(("name", "array"), [
    ("norm_in", None), ("texts", None), ("step", np.zeros(3)), ("step", np.zeros(1, np.int64)),
    ("loss", np.zeros(2, np.float32)), ("hook", np.full(2, 7, np.int32)), ("texts", np.frombuffer(b"{}", np.uint8)),
    ("texts", np.frombuffer(b'{"hook": 3}', np.uint8)), ("hook", np.full(2, -1, np.int32))])
def test_arrays_that_are_no_trace_are_refused(name, array, tmp_path):
    path = tmp_path / "strange.npz"
    trace_of(make_row(), make_row()).save(path)
    other_member(path, name, array)
    with pytest.raises(ValueError, match=r"strange\.npz is no trace"):
        mg.NormTrace.load(path)


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04 and no more"])
def test_no_archive(content, tmp_path):
    (tmp_path / "strange.npz").write_bytes(content)
    with pytest.raises(ValueError, match=r"strange\.npz is no trace"):
        mg.NormTrace.load(tmp_path / "strange.npz")


def test_an_archive_with_objects_is_not_unpickled(tmp_path):
    with zipfile.ZipFile(tmp_path / "t.npz", "w") as archive, archive.open("step.npy", "w") as member:
        np.lib.format.write_array(member, np.array([{}], object))
    with pytest.raises(ValueError, match="no trace"):
        mg.NormTrace.load(tmp_path / "t.npz")


def test_a_damaged_npz_is_refused_by_name_or_read_the_same(tmp_path):
    trace = mg.NormTrace.from_columns({"norm_in": np.linspace(1, 2, 9), "loss": [None] * 9, "reason": "caf\u00e9"})
    trace.save(tmp_path / "t.npz")
    good, path = (tmp_path / "t.npz").read_bytes(), tmp_path / "damaged.npz"
    damages = [good[:cut] for cut in range(0, len(good), 97)]
    damages += [good[:k] + bytes([good[k] ^ flip]) + good[k + 1:] for k in range(0, len(good), 7) for flip in (255,)]
    refused = 0
    for damaged in damages:
        path.write_bytes(damaged)
        try:
            assert mg.NormTrace.load(path) == trace
        except ValueError as error:
            refused += 1
            assert str(error).startswith(f"{path} is no trace")         # noqa: PT017 - one message of many
    assert refused > 0.5 * len(damages)


def test_a_file_that_is_not_there_is_no_damaged_one(tmp_path):
    with pytest.raises(FileNotFoundError):
        mg.NormTrace.load(tmp_path / "none.npz")


@pytest.mark.parametrize("name", ["trace", "trace.txt", "trace.pt"])
def test_an_unknown_ending_is_refused(name, tmp_path):
    for call in (mg.NormTrace().save, mg.NormTrace.load):
        with pytest.raises(ValueError, match=r"\.csv, \.jsonl or \.npz"):
            call(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_an_empty_trace_survives(tmp_path):
    for ending in ENDINGS:
        mg.NormTrace().save(tmp_path / f"t{ending}")
        assert mg.NormTrace.load(tmp_path / f"t{ending}") == mg.NormTrace()


def test_recording_needs_no_csv_and_no_json():
    code = ("import sys, numpy as np, minigrad as mg; t = mg.NormTrace(); t.record({'w': np.ones(2)}); "
            "print(sorted({'csv', 'json', 'zipfile'} & set(sys.modules)), len(t))")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["[]", "1"]

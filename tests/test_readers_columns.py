"""Which column is the norm; what is no number; what cannot be read."""

import csv
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minigrad.trace import read
from minigrad.trace.readers import LAYOUTS, read_all
from minigrad.trace.readers.cells import BAD, number

QUICK = settings(max_examples=100, deadline=None, derandomize=True, database=None)
NAN, INF = math.nan, math.inf


def file(tmp_path, content, name="log.csv"):
    path = tmp_path / name
    path.write_bytes(content) if isinstance(content, bytes) else path.write_text(content, encoding="utf-8")
    return path


# ------------------------------------------------------------------------------------------------ by name

@pytest.mark.parametrize("name", [
    "grad_norm", "grad-norm", "Grad Norm", "gradNorm", "gnorm", "g_norm", "train/grad_norm", "gradients/norm",
    "gradient_norm", "train.grad_norm", "optim/total_grad_norm", "grad_norm_before_clip", "grad_norm/total",
    "l2_norm/grad/global",
    "total_norm", "global_norm", "norm", "grad_norm_step", "grad_2.0_norm_total", "grad_inf_norm_total",
    "loss_metrics/grad_norm", "debug/grads_norm",
])
def test_names_of_a_norm(tmp_path, name):
    path = file(tmp_path, f"step,loss,{name},weight_norm,grad_norm_max,max_grad_norm\n3,1.5,2.25,7,8,9\n")
    trace = read(path)
    assert trace.source.taken == {"norm": name, "step": "step", "loss": "loss"}
    assert trace.rows[0].norm_in == 2.25
    assert trace.rows[0].p == (INF if "inf" in name else 2.0)


@pytest.mark.parametrize(("names", "chosen"), [
    ("step,grad_norm,aux/grad_norm", "grad_norm"),
    ("step,grad_norm_epoch,grad_norm_step", "grad_norm_step"),
    ("step,train/grad_norm,val/grad_norm", "train/grad_norm"),
    ("step,norm,gnorm", "gnorm"),
])
def test_the_surest_name_wins(tmp_path, names, chosen):
    path = file(tmp_path, f"{names}\n0,1.5,2.5\n")
    assert read(path).source.taken["norm"] == chosen


@pytest.mark.parametrize("column", ["critic/grad_norm", "Critic Grad-Norm", 3, "3"])
def test_an_ambiguous_norm_is_chosen(tmp_path, column):
    path = file(tmp_path, "step,actor/grad_norm,critic/grad_norm\n0,1.5,2.5\n")
    with pytest.raises(ValueError, match=r"2 columns look like the norm: actor/grad_norm, critic/grad_norm; .*column="):
        read(path)
    assert read(path, column=column).rows[0].norm_in == 2.5


@pytest.mark.parametrize(("wanted", "message"), [
    ({"column": "gn"}, "no column 'gn'; the columns are step, loss, other"),
    ({"column": 4}, "no column 4; they are counted from 1 to 3"),
    ({"column": "other", "step": "x"}, "no column 'x'; the columns are"),
    ({"column": "other", "loss": "y"}, "no column 'y'"),
    ({"parameter_prefix": "g/"}, "no column begins with parameter_prefix='g/'"),
    ({}, "no column looks like a gradient norm; .*column=.* The columns are step, loss, other"),
    ({"layout": "lightning"}, "metrics.csv.*it has step, loss, other"),
    ({"layout": "tensorboard"}, "Wall time,Step,Value; it has step, loss, other"),
    ({"layout": "lightening"}, "no layout 'lightening'; did you mean 'lightning'"),
])
def test_what_is_not_there_is_refused_with_what_is(tmp_path, wanted, message):
    path = file(tmp_path, "step,loss,other\n0,1.5,2.5\n")
    with pytest.raises(ValueError, match=message) as caught:
        read(path, **wanted)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("prefix", "names"), [
    (None, ["grad_norm/a.weight", "grad_norm/a.bias"]), (None, ["l2_norm/grad/a.weight", "l2_norm/grad/a.bias"]),
    (None, ["grad_1.0_norm/a.weight", "grad_1.0_norm/a.bias"]),
    ("gradients/", ["gradients/a.weight", "gradients/a.bias"]),
])
def test_norms_of_parameters_alone_give_that_of_all(tmp_path, prefix, names):
    path = file(tmp_path, f"step,{','.join(names)}\n0,3e200,4e200\n1,5e-200,12e-200\n2,,2\n3,nan,1\n")
    trace = read(path, parameter_prefix=prefix)
    total = [7e200, 1.7e-199, 2.0, NAN] if "1.0" in names[0] else [5e200, 1.3e-199, 2.0, NAN]
    np.testing.assert_allclose(trace.column("norm_in"), total, rtol=1e-15)
    assert trace.parameters() == ["a.weight", "a.bias"]
    assert trace.layers() == ["a"]
    assert "formed of those of 2 parameters" in " ".join(trace.source.notes)


def test_no_parameters_on_request(tmp_path):
    path = file(tmp_path, "step,grad_norm,grad_norm/a\n0,1.5,1.25\n")
    assert read(path).parameters() == ["a"]
    assert read(path, parameter_prefix="").parameters() == []


@pytest.mark.parametrize(("content", "steps", "note"), [
    ("grad_norm\n1.5\n2.5\n", [0, 1], "no steps"),
    ("1.5\n2.5\n", [0, 1], "no steps"),
    ("step,grad_norm\n0.5,1.5\n1.25,2.5\n", [0, 1], "no whole number"),
    ("step,grad_norm\n10,1.5\n20,2.5\n", [10, 20], ""),
    ("step,grad_norm\n1e2,1.5\n2.0e2,2.5\n", [100, 200], ""),
    ("step,grad_norm\n500,1.5\n400,2.5\n", [500, 400], "backwards once in line 3: from 500 to 400"),
])
def test_steps(tmp_path, content, steps, note):
    trace = read(file(tmp_path, content))
    assert trace.column("step").tolist() == steps
    assert trace.column("norm_in").tolist() == [1.5, 2.5]
    assert note in " ".join(trace.source.notes) if note else not trace.source.notes


# ------------------------------------------------------------------------------------------------ cells

@pytest.mark.parametrize(("cell", "value"), [
    ("1.5", 1.5), (" 2 ", 2.0), ("1e-320", 1e-320), ("-0.0", -0.0), ("nan", NAN), ("NaN", NAN), ("-inf", -INF),
    ("Infinity", INF), ("1.#INF", INF), ("-1.#IND", NAN), ("-nan(ind)", NAN),
    ("tensor(3.5, device='cuda:0')", 3.5), ("array([2.5], dtype=float32)", 2.5),
    ("np.float32(0.25)", 0.25), ("1,234.5", 1234.5), (7, 7.0), (10 ** 400, INF), ([1.5], 1.5),
    ("", None), (None, None), ("None", None), ("null", None), ("N/A", None), ("-", None),
    ("abc", BAD), ("1.5.2", BAD), ("0x10", BAD), ("3 4", BAD), ("1,5", BAD), (True, BAD), ({"a": 1}, BAD),
    ([1, 2], BAD),
])
def test_cells(cell, value):
    found = number(cell)
    assert found is value or found == value or (math.isnan(found) and math.isnan(value))
    if value == 0:
        assert math.copysign(1, found) == math.copysign(1, value)


def test_a_decimal_comma_where_commas_separate_nothing():
    assert number("1,5", comma=True) == 1.5


MALFORMED = """step,grad_norm,loss
0,1.5,1
1,abc,1
2,2.5
3,3.5,1,9
"4,4.5,1
# a comment

x,5.5,1
,6.5,1
5,,1
6,7.5,oops
"""


def test_malformed_lines_are_counted_and_told(tmp_path):
    trace = read(file(tmp_path, MALFORMED))
    source = trace.source
    assert trace.column("step").tolist() == [0, 6]
    assert trace.column("norm_in").tolist() == [1.5, 7.5]
    assert trace.rows[1].loss is None
    assert (source.rows, source.malformed, source.skipped) == (2, 6, 2)
    assert source.reasons == [(3, "'abc' is no number"), (4, "2 cells where the header has 3"),
                              (5, "4 cells where the header has 3"), (6, "a quote is not closed"),
                              (9, "step 'x' is no whole number")]
    assert "1 cell of loss cannot be read" in " ".join(source.notes)
    assert "6 lines left out: line 3: 'abc' is no number; line 4" in str(source)
    assert str(source).count("; ...") == 1


def test_a_header_that_comes_again(tmp_path):
    trace = read(file(tmp_path, "step,gnorm\n0,1\n1,2\nstep,gnorm\n1,3\n"))
    assert trace.column("norm_in").tolist() == [1, 2, 3]
    assert trace.source.malformed == 0
    assert "repeated in line 4" in " ".join(trace.source.notes)


@pytest.mark.parametrize("text", [
    "step,gnorm\n0,1.5\n1,2.5\n", "step\tgnorm\n0\t1.5\n1\t2.5\n", "step;gnorm\n0;1.5\n1;2.5\n",
    "step | gnorm\n0 | 1.5\n1 | 2.5\n", "  step    gnorm\n     0      1.5\n     1      2.5\n",
    '"step","gnorm"\n"0","1.5"\n"1","2.5"\n', "step,gnorm,\n0,1.5,\n1,2.5,\n",
    "# run 7\n#\nstep,gnorm\n0,1.5\n1,2.5\n", "step,gnorm\r\n0,1.5\r\n1,2.5\r\n", "step,gnorm\r0,1.5\r1,2.5\r",
    "\n\nstep,gnorm\n\n0,1.5\n\n1,2.5", "% step gnorm\n0 1.5\n1 2.5\n",
    "step,note,gnorm\n0,\"a, b\",1.5\n1,,2.5\n",
    "step;gnorm\n0;1,5\n1;2,5\n",
    '{"step": 0, "gnorm": 1.5}\n{"step": 1, "gnorm": "2.5"}\n',
    '[{"step": 0, "gnorm": 1.5}, {"step": 1, "gnorm": 2.5}]',
    '{"run": "a", "history": [{"step": 0, "gnorm": 1.5}, {"step": 1, "gnorm": 2.5}]}',
    '{"gnorm": [1.5, 2.5], "step": [0, 1], "name": "a"}', "[0] step: 0 gnorm: 1.5\n[1] step: 1 gnorm: 2.5\n",
])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_ways_to_write_a_table(tmp_path, text, encoding):
    trace = read(file(tmp_path, text.encode(encoding)))
    assert (trace.column("step").tolist(), trace.column("norm_in").tolist()) == ([0, 1], [1.5, 2.5])
    assert trace.source.malformed == 0


def test_columns_of_the_same_name(tmp_path):
    path = file(tmp_path, "step,loss,loss,gnorm\n0,1,2,3\n")
    assert read(path).source.columns == ("step", "loss", "loss.2", "gnorm")
    assert read(path, loss="loss.2").rows[0].loss == 2


# ------------------------------------------------------------------------------------------------ refused

@pytest.mark.parametrize(("content", "message"), [
    (b"", "is empty"), (b" \n\r\n\t", "is empty"), (b"\xef\xbb\xbf\n", "is empty"),
    (b"PK\x03\x04....", "binary, a zip archive"), (b"\x1f\x8b\x08....", "compressed by gzip"),
    (b"\x89PNG\r\n", "a picture"),
    (b"\x80\x04\x95.", "a pickle"), (b"abc\0def\n", "binary, no text"),
    (b"hello\nworld\n", "unknown layout"), (b"world foo: 3\n", "the columns seen are world foo"),
    (b"step,grad_norm\n", "no line below the header step, grad_norm"),
    (b"step,grad_norm\n1,\n2,\n", "grad_norm is empty throughout"),
    (b"step,grad_norm\n1,a\n2,3,4\n3,b\n4,0\n,5\n", ""),
    (b'{"log_history": []}', "it has no records"), (b'{"log_history": [1, 2]}', "it has no records .2 entries"),
    (b'{"log_history": [{"grad_norm": 1.0, "st', "no JSON.*cut short"), (b'{\n"a": 1,\n}', "no JSON: .* in line 3"),
    (b'[1, 2, 3]', "it has no records"), (b'{"a": 1}\n{"a": 2}\n', "no key looks like a gradient norm.*The keys are a"),
])
def test_files_that_hold_no_trace(tmp_path, content, message):
    path = file(tmp_path, content, "it.csv")
    if not message:
        assert read(path).source.malformed == 4
        return
    with pytest.raises(ValueError, match=message) as caught:
        read(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_an_unknown_layout_names_those_that_are_known(tmp_path):
    with pytest.raises(ValueError, match="unknown layout") as caught:
        read(file(tmp_path, "nothing to be seen here\n"))
    assert all(name in str(caught.value) for name in LAYOUTS)


def test_no_file_and_a_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=re.escape(str(tmp_path / "x.csv")) + ": there is no such file"):
        read(tmp_path / "x.csv")
    with pytest.raises(ValueError, match="is a folder"):
        read(tmp_path)


@pytest.mark.parametrize(("name", "message"), [("events.out.tfevents.17.host.1", "event file of TensorBoard.*CSV"),
                                               ("run-ab12.wandb", "Weights & Biases.*CSV")])
def test_binary_logs_say_how_to_export_them(tmp_path, name, message):
    with pytest.raises(ValueError, match=message):
        read(file(tmp_path, b"\x18\0\0\0\0\0\0\0\xa3\x7f", name))


def test_a_damaged_text_is_read_and_noted(tmp_path):
    trace = read(file(tmp_path, b"step,gnorm\n0,1.5\n\xff\xfe1,2.5\n2,3.5\n"))
    assert trace.column("norm_in").tolist() == [1.5, 3.5]
    assert trace.source.malformed == 1
    assert "not all UTF-8" in " ".join(trace.source.notes)


def test_a_last_line_without_its_end_is_noted(tmp_path):
    assert "no line end" in " ".join(read(file(tmp_path, "step,gnorm\n0,1.5")).source.notes)


def test_a_long_file_with_a_few_bad_lines(tmp_path):
    lines = [f"{i},{i / 8},{i / 4}" for i in range(5000)]
    for i in (17, 2500, 4999):
        lines[i] = "!"
    trace = read(file(tmp_path, "step,gnorm,loss\n" + "\n".join(lines) + "\n"))
    good = np.delete(np.arange(5000), [17, 2500, 4999])
    np.testing.assert_array_equal(trace.column("norm_in"), good / 8)
    assert [number for number, _ in trace.source.reasons] == [19, 2502, 5001]


def test_keys_that_come_later(tmp_path):
    records = [{"step": 0, "grad_norm": 1.5}, {"step": 1, "grad_norm": 2.5, "loss": 0.5}]
    trace = read(file(tmp_path, "".join(json.dumps(r) + "\n" for r in records), "a.jsonl"))
    assert [(r.norm_in, r.loss) for r in trace.rows] == [(1.5, None), (2.5, 0.5)]


def test_one_run_has_the_name_of_its_file(tmp_path):
    assert list(read_all(file(tmp_path, "step,gnorm\n0,1.5\n", "first.run.csv"))) == ["first.run"]


# ------------------------------------------------------------------------------------------------ anything

LOGS = sorted((Path(__file__).resolve().parent / "logs").iterdir())
BITS = [b"\n", b",", b'"', b"{", b"]", b"nan", b"grad_norm", b"\0", b"\xff", b"1e999", b"\r", b"#", b" - ", b"[[[[",
        b"9" * 400]


@QUICK
@given(st.sampled_from(LOGS),
       st.lists(st.tuples(st.floats(0, 1), st.integers(0, 30), st.sampled_from([b"", *BITS])), max_size=6))
def test_a_damaged_file_is_read_or_refused_in_one_line(tmp_path_factory, log, damages):
    data = log.read_bytes()
    for place, length, new in damages:
        start = int(place * len(data))
        data = data[:start] + new + data[start + length:]
    path = tmp_path_factory.getbasetemp() / log.name
    path.write_bytes(data)
    message = ""
    try:
        assert all(0 < trace.source.rows <= len(trace) for trace in read_all(path).values())
    except ValueError as error:
        message = str(error)
    assert message == "" or message.startswith(str(path))
    assert "\n" not in message


CELLS = st.one_of(st.floats().map(repr), st.sampled_from(["", "abc", "None", "1,5", "-"]))


@QUICK
@given(st.lists(st.lists(CELLS, min_size=1, max_size=4), max_size=30), st.sampled_from([",", "\t", ";"]))
def test_no_line_is_lost(tmp_path_factory, rows, delimiter):
    path = tmp_path_factory.getbasetemp() / "table.csv"
    with open(path, "w", newline="") as out:
        writer = csv.writer(out, delimiter=delimiter)
        writer.writerows([("step", "grad_norm", "loss"), (0, 1.5, 0.25), (1, 1.25, 0.125), *rows])
    source = read(path, layout="table").source
    blank = sum(1 for line in path.read_text().splitlines() if not line.strip())
    assert source.rows + source.malformed + source.skipped == 2 + len(rows) - blank

"""Text logs: what the default patterns find, the user's own pattern, and files that grow."""

import csv
import io
import math
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minigrad as mg
from minigrad.trace import read
from minigrad.trace.readers import Follower
from minigrad.trace.readers.names import Wanted
from minigrad.trace.readers.text import LogReader

QUICK = settings(max_examples=60, deadline=None, derandomize=True, database=None)
NAN, INF = math.nan, math.inf


def file(tmp_path, content, name="train.log"):
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    return path


LINES = [       # a line; step, norm, loss, lr
    ("step 12 loss 2.5 grad_norm: 3.4", 12, 3.4, 2.5, None),
    ("Step 12/1000 - train_loss=2.5 - grad norm 3.4 - lr=1e-3", 12, 3.4, 2.5, 1e-3),
    ("iter: 7, gnorm=3.4, learning_rate: 5.0E-05", 7, 3.4, None, 5e-5),
    ("iteration     10/    1000 | learning rate: 1.5E-06 | lm loss: 1.0E+01 | grad norm: 1.234 |", 10, 1.234, 10.0,
     1.5e-6),
    ("global_step=1,200 loss: 0.5 gradient norm = 1,234.5", 1200, 1234.5, 0.5, None),
    ("train/step: 3 train/grad_norm: 1.5 train/loss: 2.5 train/lr: 0.1", 3, 1.5, 2.5, 0.1),
    ('{"step": 5, "grad_norm": "nan", "loss": NaN} trailing', 5, NAN, NAN, None),
    ("update 5 gradient-norm inf loss -inf", 5, INF, -INF, None),
    ("epoch 2 step 40 total_grad_norm=.5", 40, 0.5, None, None),
    ("epoch 2: [40/100] grad_norm 0.5", 240, 0.5, None, None),
    ("Epoch(train)  [3][ 40/100]  lr: 2.0e-04  loss: 1.25  grad_norm: 5.5", 340, 5.5, 1.25, 2e-4),
    ("Iter(train) [  400/160000]  base_lr: 1.0e-04 lr: 1.0e-05  loss: 1.25  grad_norm: 5.5", 400, 5.5, 1.25, 1e-5),
    (" 40%|####  | 40/100 [00:10<00:15, 4.0it/s, loss=1.25, grad_norm=0.75]", 40, 0.75, 1.25, None),
    ("epoch 4 grad_norm 0.5", 4, 0.5, None, None),
    ("step 4 | loss: 6.5 | lr 8.5e-07 | norm: 26.5 | dt: 338.5ms", 4, 26.5, 6.5, 8.5e-7),
    ("step 4 grad norm (before clipping): 26.5 grad norm (after clipping): 1.0", 4, 26.5, None, None),
    ("step 4 grad_norm=tensor(26.5, device='cuda:0', grad_fn=<X>) loss=tensor([1.5])", 4, 26.5, 1.5, None),
    ("step=4 max_grad_norm=1.0 clip_grad_norm=1.0 grad_norm=2.5", 4, 2.5, None, None),
    ("step=4 nll_loss=9.5 loss_scale=64 val_loss=8 grad_norm=2.5", 4, 2.5, None, None),
    ("step_time: 0.5 steps/s: 3 step: 4 grad_norm: 2.5", 4, 2.5, None, None),
    ("grad_norm: -1.#IND step 9", 9, NAN, None, None),
    ("|g| = 1e-200 at step 3", 3, 1e-200, None, None),
]


@pytest.mark.parametrize(("line", "step", "norm", "loss", "lr"), LINES)
@pytest.mark.parametrize("dress", ["{}", "2024-05-21 09:00:01,123 | INFO | {}", "[rank0]: {}", "\x1b[32m{}\x1b[0m"])
def test_the_default_patterns(tmp_path, line, step, norm, loss, lr, dress):
    text = "Namespace(max_grad_norm=1.0, lr=[0.5], step=7)\n" + (dress.format(line) + "\n") * 2 + "saved in 3 steps\n"
    trace = read(file(tmp_path, text), layout="text")
    row = trace.rows[0]
    assert (len(trace), trace.source.skipped, trace.source.malformed) == (2, 2, 0)
    for got, expected in ((row.step, step), (row.norm_in, norm), (row.loss, loss), (row.lr, lr)):
        assert got == expected or (got != got and expected != expected)


@QUICK
@given(st.lists(st.tuples(st.integers(0, 10 ** 9), st.floats(), st.floats(allow_nan=False)), min_size=1, max_size=20),
       st.sampled_from(["step {} loss {} grad_norm {}", "it={};loss={};gnorm={};",
                        "{{'step': {}, 'loss': {}, 'grad_norm': {}}}"]),
       st.sampled_from(["r", "e"]))
def test_any_number_is_found_to_the_last_bit(rows, form, way):
    def show(value):
        return repr(value) if way == "r" else format(value, ".17e")

    lines = [form.format(step, show(loss), show(norm)) for step, norm, loss in rows]
    reader = LogReader("x", Wanted(), lines)
    reader.feed(lines, 1)
    trace = reader.runs[0].trace()
    kept = [row for row in rows if not row[1] < 0]              # a norm below 0 is none
    for k, name in enumerate(("step", "norm_in", "loss")):
        np.testing.assert_array_equal(trace.column(name), np.array([row[k] for row in kept], float))
    assert ("below 0" in reader.runs[0].source.negative) == (len(kept) < len(rows))


def test_a_norm_that_is_named_and_not_there(tmp_path):
    lines = ["step 0 grad_norm: 1.5", "step 1 grad_norm: oops", "step 2 grad_norm: None", "grad_norm: 3", "bye", ""]
    trace = read(file(tmp_path, "\n".join(lines)))
    assert trace.column("norm_in").tolist() == [1.5]
    assert trace.source.reasons == [(2, "a norm is named, and no number follows"), (4, "it has a norm and no step")]
    assert (trace.source.rows, trace.source.malformed, trace.source.skipped) == (1, 2, 2)


def test_names_in_a_log_are_chosen(tmp_path):
    path = file(tmp_path, "k=3 obj=2.5 gn_actor=1.5 gn_critic=9 eta=0.1\n"
                          "k=4 obj=2.0 gn_actor=1.0 gn_critic=8 eta=0.2\n")
    with pytest.raises(ValueError, match=r"unknown layout.*k, obj, gn_actor, gn_critic, eta"):
        read(path)
    trace = read(path, layout="text", column="gn_critic", step="k", loss="obj", lr="eta")
    assert [(r.step, r.norm_in, r.loss, r.lr) for r in trace.rows] == [(3, 9, 2.5, 0.1), (4, 8, 2.0, 0.2)]
    with pytest.raises(ValueError, match="no line has a number after 'gn'"):
        read(path, layout="text", column="gn")
    with pytest.raises(ValueError, match="no line with a norm has a number after step='kk'"):
        read(path, layout="text", column="gn_actor", step="kk")


@pytest.mark.parametrize(("pattern", "rows"), [
    (r"^(?P<step>\d+): L(?P<loss>\S+) G(?P<norm>\S+)", [(5, 1.5, 2.5), (6, NAN, 2.0)]),
    (r"G(\S+)", [(0, 1.5, None), (1, NAN, None)]),
    (r"(?P<step>\d+):(?: X(?P<loss>\S+))?.*G(?P<norm>\S+)", [(5, 1.5, None), (6, NAN, None)]),
])
def test_a_pattern_of_the_user(tmp_path, pattern, rows):
    trace = read(file(tmp_path, "hello\n5: L2.5 G1.5\n6: L2.0 Gnan\n"), pattern=pattern)
    np.testing.assert_equal([(r.step, r.norm_in, r.loss) for r in trace.rows], rows)
    assert (trace.source.layout, trace.source.skipped) == ("text", 1)


@pytest.mark.parametrize(("pattern", "message"), [
    ("(", "no regular expression"), ("step", "no group named norm"), (r"(?P<step>\d+)", "no group named norm"),
    (r"(?P<norm>\S+) (?P<p>\d+)", "a group 'p'; groups are named norm, step, loss, lr"),
    (r"zzz(?P<norm>\S+)", "has no norm in it"),
])
def test_patterns_that_cannot_be_meant(tmp_path, pattern, message):
    with pytest.raises(ValueError, match=message):
        read(file(tmp_path, "hello\n"), pattern=pattern)


# ------------------------------------------------------------------------------------------------ following

def table(rows):
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerows([("step", "grad_norm", "loss"), *rows])
    return out.getvalue()


ROWS = [(i, repr(1.5 * i), repr(i / 8)) for i in range(12)]
CONTENTS = {
    "table.csv": table(ROWS),
    "lines.jsonl": '{"config": 1}\n' + "".join(f'{{"step": {i}, "grad_norm": {g}, "loss": {x}}}\n' for i, g, x in ROWS),
    "text.log": "starting\nlr 0.5\n" + "".join(f"step {i} loss {x} grad_norm: {g}\r\nsaved\n" for i, g, x in ROWS),
    "bar.log": "".join(f"\r {i}/12 [00:01<00:02, loss={x}, grad_norm={g}]" for i, g, x in ROWS) + "\n",
}


def own():
    return mg.NormTrace.from_columns({"norm_in": [1.5, NAN, 1e-320], "loss": [None, NAN, INF],
                                      "reason": ['a "b"', "c,\nd\n", "e\rf"]})


def contents(tmp_path):
    for name, text in CONTENTS.items():
        yield name, text.encode()
    for ending in ("csv", "jsonl"):
        own().save(tmp_path / f"own.{ending}")
        yield f"own.{ending}", (tmp_path / f"own.{ending}").read_bytes()


@pytest.mark.parametrize("size", [1, 7, 64, 10 ** 6])
def test_following_gives_what_reading_gives(tmp_path, size):
    for name, data in contents(tmp_path):
        path = tmp_path / f"growing.{name}"
        path.write_bytes(b"")
        follower, rows = Follower(path), []
        for start in range(0, len(data), size):
            with open(path, "ab") as out:
                out.write(data[start:start + size])
            rows.extend(follower.poll())
        whole = read(path)
        got = mg.NormTrace()
        got.extend(rows)
        assert len(whole) > 2
        for column in ("step", "norm_in", "loss", "reason"):
            np.testing.assert_array_equal(got.column(column), whole.column(column), err_msg=name)
        source = follower.source
        assert (source.rows, source.malformed, follower.restarts) == (whole.source.rows, 0, 0)


def test_a_partial_line_waits(tmp_path):
    path = file(tmp_path, "step,gnorm\n0,1.5\n1,0.0")
    follower = Follower(path)
    assert [r.norm_in for r in follower.poll()] == [1.5]
    assert len(follower.poll()) == 0
    with open(path, "a") as out:
        out.write("625\n")
    assert [(r.step, r.norm_in, r.micro_step) for r in follower.poll()] == [(1, 0.0625, 1)]


@pytest.mark.parametrize("new", ["step,gnorm\n7,9.5\n", "step,gnorm\n8,1.25\n9,9.5\n10,1.5\n",
                                 "grad_norm,step\n9.5,7\n"])
def test_a_file_that_is_written_anew_is_read_anew(tmp_path, new):
    path = file(tmp_path, "step,gnorm\n0,1.5\n1,2.5\n")
    follower = Follower(path)
    assert len(follower.poll()) == 2
    path.write_text(new)
    assert 9.5 in [r.norm_in for r in follower.poll()]
    assert (follower.restarts, follower.source.rows) == (1, new.count("\n") - 1)


def test_a_file_that_is_replaced_by_a_longer_one_is_read_on(tmp_path):
    path = file(tmp_path, "step,gnorm\n0,1.5\n")
    follower = Follower(path)
    follower.poll()
    other = file(tmp_path, "step,gnorm\n0,1.5\n1,2.5\n", "other")
    os.replace(other, path)
    assert [r.step for r in follower.poll()] == [1]
    assert follower.restarts == 0


def test_a_file_that_goes_and_comes(tmp_path):
    path = tmp_path / "a.csv"
    with pytest.raises(FileNotFoundError, match="there is no such file"):
        Follower(path).poll()
    file(tmp_path, "step,gnorm\n0,1.5\n", "a.csv")
    follower = Follower(path)
    assert len(follower.poll()) == 1
    path.unlink()
    assert len(follower.poll()) == 0
    file(tmp_path, "step,gnorm\n0,2.5\n", "a.csv")
    assert [r.norm_in for r in follower.poll()] == [2.5]
    assert follower.restarts == 1


def test_a_text_waits_for_its_first_norm(tmp_path):
    path = file(tmp_path, "building, please wait\n" * 3)
    follower = Follower(path)
    assert len(follower.poll()) == 0
    assert follower.source is None
    with open(path, "a") as out:
        out.write("step 3 grad_norm 2.5\n")
    assert [(r.step, r.norm_in) for r in follower.poll()] == [(3, 2.5)]
    assert follower.source.skipped == 3


def test_malformed_lines_have_their_numbers_in_the_file(tmp_path):
    path = file(tmp_path, "step,gnorm\n0,1.5\n")
    follower = Follower(path)
    follower.poll()
    with open(path, "a") as out:
        out.write("1,x\n0,2.5\n")
    follower.poll()
    assert follower.source.reasons == [(3, "'x' is no number")]


@pytest.mark.parametrize(("content", "name", "message"), [
    (b"step,loss\n0,1\n1,2\n", "a.csv", "no column looks like a gradient norm"),
    (b"\x80\x04\x95", "a.pkl", "binary, a pickle"), ("step,gnorm\n0,1\n".encode("utf-16"), "a.csv", "UTF-16"),
    (b'[\n{"step": 0, "grad_norm": 1.5}\n]\n', "a.json", "JSON document"),
    (b'"Step","a - gnorm","a - gnorm__MIN","b - gnorm"\n0,1,1,2\n', "w.csv", "2 runs: a, b"),
])
def test_what_cannot_be_followed(tmp_path, content, name, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        Follower(path).poll()

"""What is reported of a step, and what a trace keeps of it: nothing lost, in memory or in a file."""

import csv
import itertools
import math
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minigrad as mg
from minigrad import optim
from minigrad.hooks import Accumulate, ClipNorm, ClipValue, NonFinite, Pipeline
from minigrad.trace import Row

QUICK = settings(max_examples=60, deadline=None, derandomize=True, database=None)
INF, NAN = math.inf, math.nan
COLUMNS = ("step micro_step stage hook place group parameter status outcome reason p norm_in norm_out coefficient "
           "cosine threshold nan inf zero missing weight lr loss extra data").split()
G = ([3.0, 4.0], [[0.0, 12.0]])


def double(grads, ctx):
    return {name: g if g is None else g * 2 for name, g in grads.items()}


def run(gradients, *hooks, per_parameter=False, names=("a", "b"), flush=False, **kwargs):
    """Give SGD with lr 0.5 one pair of gradients after another; return the trace and the reports."""
    trace = mg.NormTrace(per_parameter=per_parameter)
    a, b = mg.tensor([0.0, 0.0], requires_grad=True), mg.tensor([[0.0, 0.0]], requires_grad=True)
    opt = optim.SGD(dict(zip(names, (a, b), strict=True)), lr=0.5, hooks=list(hooks), trace=trace, **kwargs)
    reports = []
    for a.grad, b.grad in gradients:
        reports.append(opt.step(weight=2, loss=0.25))
    if flush:
        reports.append(opt.flush())
    return trace, reports


def close(got, expected):
    """Compare tuples: floats to a few units in the last place, all else exactly."""
    return len(got) == len(expected) and all(
        math.isclose(a, b, rel_tol=1e-14) if isinstance(b, float) else a is b or a == b
        for a, b in zip(got, expected, strict=True))


def make_row(**values):
    row = dict.fromkeys(COLUMNS)
    row.update(step=0, micro_step=0, stage=0, hook="h", place="gradient", group="", parameter="", status="pass",
               outcome="step", reason="", p=2.0, weight=1.0, lr=0.1, extra="")
    return Row(**{**row, **values})


def trace_of(*rows):
    trace = mg.NormTrace()
    trace.rows.extend(rows)
    return trace


# --------------------------------------------------------------------------------------------- the report

def test_the_report_has_every_stage_in_order():
    _, (report,) = run([G], NonFinite(), double, ClipNorm(1.0, p=1), ClipNorm(0.25), update_hooks=[double])
    assert (report.status, report.reason, report.step, report.micro_step, report.norm) == ("step", "", 0, 0, 13.0)
    assert (report.weight, report.lr, report.loss) == (2.0, 0.5, 0.25)
    got = [(s.hook, s.place, s.p, s.norm_in, s.norm_out, s.coefficient, s.threshold, s.clipped) for s in report.stages]
    expected = [
        ("backward", "gradient", 2.0, 13.0, 13.0, 1.0, None, False),
        ("NonFinite", "gradient", 2.0, 13.0, 13.0, 1.0, None, False),
        ("double", "gradient", 2.0, 13.0, 26.0, 2.0, None, False),
        ("ClipNorm", "gradient", 1.0, 38.0, 1.0, 1 / 38, 1.0, True),
        ("ClipNorm", "gradient", 2.0, 13 / 19, 0.25, 0.25 * 19 / 13, 0.25, True),
        ("double", "update", 2.0, 0.125, 0.25, 2.0, None, False),
        ("update", "update", 2.0, 0.25, 0.25, None, None, False)]
    assert all(close(mine, wanted) for mine, wanted in zip(got, expected, strict=True))
    assert [s.cosine for s in report.stages[:-1]] == pytest.approx([1.0] * 6, abs=1e-15)


@pytest.mark.parametrize(("hooks", "text"), [
    ([ClipNorm(1.0)], "step (update 0)\n  backward: norm 13\n"
                      "  ClipNorm: norm 13 -> 1, coefficient 0.0769231, cosine 1"),
    ([Accumulate(2), ClipNorm(1.0)], "hold: 1 of 2 micro-batches (update 0)\n  backward: norm 13\n"
                                     "  Accumulate: norm 13, hold 1 of 2 micro-batches"),
    ([lambda grads, ctx: mg.hooks.SKIP], "skip (update 0)\n  backward: norm 13\n  <lambda>: norm 13, skip")])
def test_a_report_reads_as_lines(hooks, text):
    a, b = mg.tensor([0.0, 0.0], requires_grad=True), mg.tensor([[0.0, 0.0]], requires_grad=True)
    a.grad, b.grad = G
    assert str(optim.SGD([a, b], lr=1.0, hooks=hooks).step()) == text


def test_the_list_of_hooks_says_what_is_per_micro_batch():
    assert repr(Pipeline([ClipNorm(1), double])) == "ClipNorm(1.0)\n -> double"
    assert repr(Pipeline([NonFinite("skip"), ClipValue(1), Accumulate(4), ClipNorm(2)])) == (
        "NonFinite('skip')  [per micro-batch]\n -> ClipValue(1.0)  [per micro-batch]\n -> Accumulate(4)\n"
        " -> ClipNorm(2.0)  [per window]")
    assert repr(Pipeline()) == "no hooks"


# ---------------------------------------------------------------------------------------------- the rows

def test_a_row_per_step_and_stage():
    trace, reports = run([G, ([0.3, 0.4], None)], NonFinite(), ClipNorm(1.0))
    assert list(Row._fields) == COLUMNS
    assert [(r.step, r.micro_step, r.stage, r.hook) for r in trace.rows] == [
        (step, step, stage, hook) for step in (0, 1)
        for stage, hook in enumerate(("backward", "NonFinite", "ClipNorm", "update"))]
    assert len(trace) == 8
    assert trace.hooks() == ["backward", "NonFinite", "ClipNorm", "update"]
    assert trace.parameters() == []
    assert all((r.weight, r.lr, r.loss, r.parameter, r.outcome) == (2.0, 0.5, 0.25, "", "step") for r in trace.rows)
    for report, name in itertools.product(reports, ("norm_in", "norm_out", "coefficient", "cosine", "threshold", "p")):
        kept = [getattr(r, name) for r in trace.rows if r.step == report.step]
        assert kept == [getattr(s, name) for s in report.stages]
    assert trace.column("norm_in", hook="ClipNorm").tolist() == [13.0, 0.5]
    assert trace.column("norm_out", hook="ClipNorm").tolist() == [1.0, 0.5]
    assert trace.column("missing", stage=0).tolist() == [0, 1]
    assert "2 steps, 8 rows" in repr(trace)


@pytest.mark.parametrize(("a", "b", "counts"), [
    ([3.0, 4.0], [[0.0, 12.0]], (0, 0, 1, 0)), ([0.0, -0.0], [[0.0, 0.0]], (0, 0, 4, 0)),
    ([NAN, 4.0], [[NAN, INF]], (2, 1, 0, 0)), ([INF, -INF], None, (0, 2, 0, 1)),
    (None, [[0.0, 1.0]], (0, 0, 1, 1)), ([NAN, 0.0], None, (1, 0, 1, 1))])
def test_counts_of_what_came_in(a, b, counts):
    trace, _ = run([(a, b)], NonFinite("zero"), per_parameter=True)
    for stage in (0, 1):
        (row,) = trace.select(stage=stage)
        assert (row.nan, row.inf, row.zero, row.missing) == counts
        parts = [r for r in trace.rows if r.stage == stage and r.parameter]
        assert tuple(sum(getattr(r, n) for r in parts) for n in ("nan", "inf", "zero", "missing")) == counts
    assert trace.select(stage=2)[0].hook == "update"


def test_a_row_per_parameter_on_request():
    trace, _ = run([G], ClipNorm(1.0, scope="param"), double, per_parameter=True)
    assert trace.parameters() == ["a", "b"]
    got = [(r.stage, r.parameter, r.norm_in, r.norm_out, r.coefficient) for r in trace.rows if r.parameter]
    expected = [(0, "a", 5.0, 5.0, 1.0), (0, "b", 12.0, 12.0, 1.0), (1, "a", 5.0, 1.0, 0.2),
                (1, "b", 12.0, 1.0, 1 / 12), (2, "a", 1.0, 2.0, 2.0), (2, "b", 1.0, 2.0, 2.0),
                (3, "a", 1.0, 1.0, None), (3, "b", 1.0, 1.0, None)]
    assert all(close(mine, wanted) for mine, wanted in zip(got, expected, strict=True))
    assert trace.column("norm_in", parameter="b", stage=0).tolist() == [12.0]
    assert math.degrees(math.acos(trace.column("cosine", stage=1)[0])) == pytest.approx(22.380, abs=5e-4)
    assert trace.column("cosine", parameter="a", stage=1) == pytest.approx(1.0, abs=1e-15)


def test_held_and_skipped_steps_are_kept_with_their_reason():
    one, bad = ([1.0, 0.0], None), ([NAN, 0.0], None)
    trace, _ = run([one, bad, one, one], NonFinite("skip"), Accumulate(2), ClipNorm(0.5))
    assert trace.column("outcome", stage=0).tolist() == ["hold", "skip", "step", "hold"]
    assert trace.column("step", stage=0).tolist() == [0, 0, 0, 1]
    assert trace.column("micro_step", stage=0).tolist() == [0, 1, 2, 3]
    assert trace.column("status", hook="Accumulate").tolist() == ["hold", "window", "hold"]
    assert trace.column("reason", hook="Accumulate").tolist() == ["1 of 2 micro-batches", "", "1 of 2 micro-batches"]
    (skipped,) = trace.select(status="skip")
    assert (skipped.hook, skipped.reason) == ("NonFinite", "not finite: a (1 NaN of 2)")
    assert math.isnan(skipped.norm_in)
    assert skipped.norm_out is skipped.coefficient is skipped.cosine is None
    assert [r.micro_step for r in trace.select(hook="update")] == [2]


def test_a_flush_is_kept():
    trace, _ = run([G], Accumulate(4), ClipNorm(1.0), flush=True)
    assert trace.column("hook", stage=0).tolist() == ["backward", "flush"]
    assert trace.column("outcome", stage=0).tolist() == ["hold", "step"]
    assert trace.column("norm_in", hook="ClipNorm").tolist() == [13.0]


def test_a_hook_has_one_number_also_in_a_flush():
    """Else a selection by stage mixes two hooks, and the share of clipped steps leaves the flush out."""
    trace, _ = run([G, G, ([0.3, 0.4], None)], NonFinite(), Accumulate(2), ClipNorm(1.0), flush=True)
    assert {r.stage for r in trace.select(hook="ClipNorm")} == {3}
    assert trace.share_clipped() == 0.5


@pytest.mark.parametrize(("lengths", "hooks", "expected"), [
    ([5.0, 0.5, 2.0, 1.0], [ClipNorm(1.0)], 0.5), ([5.0, 2.0], [ClipNorm(INF)], 0.0), ([5.0], [double], NAN),
    ([], [ClipNorm(1.0)], NAN),
    ([5.0, 0.5], [ClipNorm(1.0), ClipNorm(10.0)], 0.0), ([1.0, 1.0, 4.0, 4.0], [Accumulate(2), ClipNorm(2.0)], 0.5),
    ([5.0, NAN, 0.5], [NonFinite("skip"), ClipNorm(1.0)], 0.5), ([3.0, 0.1], [ClipValue(1.0)], 0.5)])
def test_the_share_of_clipped_gradients(lengths, hooks, expected):
    """Of those that reached the last clip: held and skipped micro-batches do not count."""
    trace, _ = run([([length, 0.0], None) for length in lengths], *hooks)
    assert trace.share_clipped() == pytest.approx(expected, nan_ok=True)


def test_selecting():
    trace, _ = run([G, ([0.3, 0.4], None)], ClipNorm(1.0), per_parameter=True)
    assert [r.step for r in trace.select(hook="ClipNorm", coefficient=1.0)] == [1]
    assert [r.parameter for r in trace.select(stage=1, step=0, parameter="a")] == ["a"]
    assert np.isnan(trace.column("threshold", stage=0)).all()
    assert trace.column("hook", step=1).dtype.kind == "U"
    for wrong in (lambda: trace.column("norms"), lambda: trace.select(norm=1.0), lambda: trace.column("step", steps=1)):
        with pytest.raises(KeyError, match="there are step, micro_step"):
            wrong()


# ---------------------------------------------------------------------------------------------- to a file

def saved(trace, path):
    trace.save(path)
    return path.read_bytes()


def bits(value):
    return value.hex() if isinstance(value, float) else value


NAMES = ["plain", "a,b", 'say "so"', "two\nlines", "\ttab ", "Ω-权重", "'", '"', ",", "#"]


@pytest.mark.parametrize("name", NAMES)
def test_names_survive_the_file(name, tmp_path):
    trace, _ = run([G, (None, [[NAN, 1.0]])], NonFinite("skip"), per_parameter=True, names=(name, "other"))
    trace.save(tmp_path / "trace.csv")
    loaded = mg.NormTrace.load(tmp_path / "trace.csv")
    assert loaded == trace
    assert loaded.parameters() == [name, "other"]
    assert loaded.per_parameter


@pytest.mark.parametrize("value", [NAN, INF, -INF, -0.0, 0.0, 1e-310, 5e-324, 1.7976931348623157e308, 0.1, 1 / 3, None])
def test_numbers_survive_the_file_to_the_bit(value, tmp_path):
    trace = trace_of(make_row(norm_in=value, norm_out=value, coefficient=value, cosine=value, loss=value, p=INF))
    trace.save(tmp_path / "trace.csv")
    (row,) = mg.NormTrace.load(tmp_path / "trace.csv").rows
    assert [bits(v) for v in row] == [bits(v) for v in trace.rows[0]]
    assert [type(v) for v in row] == [type(v) for v in trace.rows[0]]


text = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\r"), max_size=8)
number = st.none() | st.floats()
rows = st.builds(make_row, step=st.integers(0, 10**12), stage=st.integers(0, 9), hook=text, parameter=text, reason=text,
                 norm_in=number, norm_out=number, coefficient=number, cosine=number, threshold=number, loss=number,
                 nan=st.none() | st.integers(0, 10**12), missing=st.none() | st.integers(0, 5))


@given(rows=st.lists(rows, max_size=4))
@QUICK
def test_any_trace_survives_the_file(rows, tmp_path_factory):
    folder = tmp_path_factory.mktemp("round")
    trace = trace_of(*rows)
    first = saved(trace, folder / "trace.csv")
    loaded = mg.NormTrace.load(folder / "trace.csv")
    assert loaded == trace
    assert saved(loaded, folder / "again.csv") == first


def test_the_file_is_plain_csv(tmp_path):
    trace, _ = run([G], ClipNorm(1.0))
    trace.save(tmp_path / "trace.csv")
    with open(tmp_path / "trace.csv", encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    assert list(table[0]) == COLUMNS
    assert [(r["hook"], r["norm_in"], r["threshold"]) for r in table[:2]] == [
        ("backward", "13.0", ""), ("ClipNorm", "13.0", "1.0")]


def test_identical_runs_give_identical_bytes(tmp_path):
    def once(path):
        rng = np.random.default_rng(4)
        pairs = [(rng.normal(size=2) * 10, rng.normal(size=(1, 2))) for _ in range(30)]
        return saved(run(pairs, NonFinite(), Accumulate(2), ClipNorm(1.0), per_parameter=True, momentum=0.9)[0], path)

    assert once(tmp_path / "a.csv") == once(tmp_path / "b.csv")


def test_equality_is_of_the_content():
    first, second = (run([(g, None)], ClipNorm(1.0))[0] for g in ([3.0, 4.0], [3.0, 4.000000000000001]))
    assert first == run([([3.0, 4.0], None)], ClipNorm(1.0))[0]
    assert first != second
    assert first != trace_of()
    assert first != 3
    assert trace_of(make_row(norm_in=NAN)) == trace_of(make_row(norm_in=NAN))


# ------------------------------------------------------------------------------ files that are something else

HEADER = ",".join(COLUMNS)
GOOD = "0,0,0,backward,gradient,,,pass,step,,2.0,13.0,13.0,1.0,1.0,,0,0,1,0,1.0,0.5,0.25,,"


@pytest.mark.parametrize(("content", "text"), [
    ("", "no trace"), ("step,loss\n1,2\n", "no trace"), ("hello", "no trace"), (f"{GOOD}\n", "no trace"),
    (f"{HEADER},more\n{GOOD},1\n", "no trace"), (HEADER.replace("norm_in,norm_out", "norm_out,norm_in"), "no trace"),
    (f"{HEADER}\n{GOOD}\n{GOOD[:-9]}\n", "line 3"), (f"{HEADER}\n{GOOD}\n{GOOD[:40]}", "line 3"),
    (f"{HEADER}\n{GOOD},7\n", "line 2"), (f"{HEADER}\n\n{GOOD}\n", "line 2"),
    (f"{HEADER}\n{GOOD}\n{GOOD.replace('13.0', 'many', 1)}\n", "line 3"), (f"{HEADER}\nx{GOOD}\n", "line 2"),
    (f"{HEADER}\n{GOOD}\n0.5{GOOD[1:]}\n", "line 3"), (f'{HEADER}\n{GOOD}\n0,0,0,"{GOOD}\n{GOOD}\n', "line"),
    (b"\x89PNG\r\n\x1a\n\x00\x00\xff\xd8", "no trace"), (f"{HEADER}\n{GOOD}\n".encode() + b"\xff\n", "no trace"),
    (f"{HEADER}\n{GOOD}\n{GOOD}{GOOD}\n{GOOD[:10]}\n", "line 3"), (f"{HEADER}", "line 1")])
def test_a_file_that_is_no_trace_is_refused_by_name(content, text, tmp_path):
    path = tmp_path / "strange.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=rf"strange\.csv.*{text}"):
        mg.NormTrace.load(path)


def cuts():
    """A saved trace cut at every place within its last row, with the number of characters that remain of that row."""
    return [(f"{HEADER}\n{GOOD}\n{GOOD[:n]}", n) for n in range(1, len(GOOD))]


def test_a_file_cut_short_is_refused(tmp_path):
    path = tmp_path / "cut.csv"
    for content, n in cuts():
        if GOOD[:n].count(",") < len(COLUMNS) - 1:
            path.write_text(content, encoding="utf-8")
            with pytest.raises(ValueError, match=r"cut\.csv, line 3"):
                mg.NormTrace.load(path)


@pytest.mark.parametrize("left", ["0.2", "0.", ""])
def test_a_file_cut_within_its_last_number_is_refused(left, tmp_path):
    path = tmp_path / "cut.csv"
    path.write_text(f"{HEADER}\n{GOOD}\n{GOOD[:-5]}{left}", encoding="utf-8")
    with pytest.raises(ValueError, match=r"cut\.csv"):
        mg.NormTrace.load(path)


def test_a_missing_file_is_said_to_be_missing(tmp_path):
    with pytest.raises(FileNotFoundError):
        mg.NormTrace.load(tmp_path / "none.csv")
    with pytest.raises(FileNotFoundError):
        mg.NormTrace().save(tmp_path / "no folder" / "trace.csv")


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_file_appears_whole_or_not_at_all(error, there, tmp_path):
    class Bomb:
        def __str__(self):
            raise error("while writing")

    path = tmp_path / "trace.csv"
    good = trace_of(make_row(norm_in=1.0))
    before = saved(good, path) if there else None
    with pytest.raises(error, match="while writing"):
        trace_of(*[make_row()] * 5000, make_row(hook=Bomb())).save(path)
    assert [p.name for p in tmp_path.iterdir()] == (["trace.csv"] if there else [])
    if there:
        assert path.read_bytes() == before
        assert mg.NormTrace.load(path) == good


def test_saving_replaces_the_file_with_an_ordinary_one(tmp_path):
    path, other = tmp_path / "trace.csv", tmp_path / "other.csv"
    saved(trace_of(make_row(), make_row()), path)
    assert len(saved(trace_of(make_row()), path).splitlines()) == 2
    other.write_text("x", encoding="utf-8")
    assert os.stat(path).st_mode == os.stat(other).st_mode
    assert sorted(p.name for p in tmp_path.iterdir()) == ["other.csv", "trace.csv"]

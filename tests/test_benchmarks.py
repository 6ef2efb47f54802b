"""The benchmarks: contenders agree, ratios and limits are what they say, and the README shows what was measured.

Nothing is timed here.
"""

import dataclasses
import gc
import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import __main__ as program
from benchmarks import beside_jax, figure, memory, table, timing, work
from benchmarks.timing import agree, alternate, ratios
from benchmarks.work import (
    BY_STEP,
    DEFAULT,
    FUSED,
    HAND,
    JAX,
    MINIGRAD,
    PACKAGES,
    PLAIN,
    TORCH,
    UNDER,
    Work,
    in_column,
    installed,
    record,
)
from benchmarks.works import WORKS, chosen

ROOT = Path(__file__).parent.parent
RESULTS = json.loads((ROOT / "benchmarks" / "results.json").read_text(encoding="utf-8"))
COMPARED = [w for w in WORKS.values() if len(w.contenders) > 1]


# ---------------------------------------------------------------------------------------------------- contenders agree

@pytest.mark.parametrize("piece", COMPARED, ids=lambda w: w.name)
def test_minigrad_agrees_with_what_is_written_by_hand(piece):
    found = piece.build([], small=True)
    by_hand, *_ = found
    assert in_column(by_hand) == HAND
    agree(found, piece.rtol)
    agree(found, piece.rtol)                        # buffers are used again, nothing adds up
    assert {a.dtype for a in map(np.asarray, found[MINIGRAD]())} == {np.dtype(piece.dtype)}


@pytest.mark.skipif(not installed(), reason="no other library is here")
def test_the_other_libraries_agree_too():
    """In processes of their own: JAX and PyTorch cannot share one."""
    done = subprocess.run([sys.executable, "-m", "benchmarks", "--check"], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    said = {line.split()[0]: line for line in done.stdout.splitlines()}
    for piece in COMPARED:
        for name in piece.contenders:
            if in_column(name) in installed() and (piece.dtype == "float64" or name not in work.DOUBLES_ONLY):
                assert name in said[piece.name]


def test_a_wrong_answer_is_found():
    """The tolerance is no blank cheque: one element off by a hundred times as much is found."""
    for piece in COMPARED:
        found = piece.build([], small=True)

        by_hand, *_ = found

        def wrong(right=found[by_hand], step=100 * piece.rtol):
            *others, last = [np.array(a) for a in right()]
            last.flat[0] += step * np.abs(last).max()
            return [*others, last]

        with pytest.raises(AssertionError, match="wrong differs"):
            agree({by_hand: found[by_hand], "wrong": wrong}, piece.rtol)


@pytest.mark.parametrize(("other", "message"), [
    ([np.ones(2)], "returns 1 arrays, first 2"),
    ([np.ones(2), np.ones((1, 3))], "array 1 of other is float64"),
    ([np.ones(2), np.ones(3, np.float32)], "array 1 of other is float32"),
    ([np.ones(2), np.array([1, 1, 1 + 1e-6])], "array 1 of other differs from that of first by up to 1e-06"),
    ([np.array([1, np.nan]), np.ones(3)], "array 0 of other differs"),
])
def test_what_differs_is_named(other, message):
    with pytest.raises(AssertionError, match=re.escape(message)):
        agree({"first": lambda: [np.ones(2), np.ones(3)], "other": lambda: other})


def test_a_contender_may_use_its_arrays_again():
    shared = np.empty(2)

    def run(value):
        shared.fill(value)
        return [shared]

    with pytest.raises(AssertionError):
        agree({"one": lambda: run(1), "two": lambda: run(2)})


# ------------------------------------------------------------------------------------------------------------- timing

def test_contenders_take_turns():
    turns = []
    seconds = alternate({name: lambda name=name: turns.append(name) for name in "ABC"}, 4, least=0)
    assert "".join(turns) == "ABC" * (2 + 4)
    assert {name: len(values) for name, values in seconds.items()} == {"A": 4, "B": 4, "C": 4}


@pytest.fixture
def clock(monkeypatch):
    """A clock that only the contenders move on."""
    now = SimpleNamespace(time=0.0)
    monkeypatch.setattr(timing.time, "perf_counter", lambda: now.time)
    return now


def test_quick_contenders_run_several_times_in_a_row_as_often_as_slow_ones(clock):
    runs = []

    def lasting(name, seconds):
        def fn():
            runs.append(name)
            clock.time += seconds
        return fn

    seconds = alternate({"quick": lasting("quick", 1.0), "slow": lasting("slow", 3.0)}, 2, least=3.5)
    assert "".join(name[0] for name in runs) == "qsqs" + 2 * ("qqqq" + "ssss")
    assert seconds == {"quick": [1.0, 1.0], "slow": [3.0, 3.0]}


@pytest.mark.parametrize("collecting", [False, True])
def test_the_garbage_collector_is_as_it_was_whatever_happens(collecting):
    seen = []
    alternate({"a": lambda: seen.append((gc.isenabled(), gc.get_freeze_count() > 0))}, 1, 0, collecting)
    assert seen == 3 * [(collecting, True)]
    with pytest.raises(ZeroDivisionError):
        alternate({"a": lambda: 1 / 0}, 1, 0, collecting)
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0


def test_a_ratio_is_the_median_of_ratios_of_the_same_round():
    rounds = {"a": [1, 10, 100], "b": [1, 20, 50]}
    assert ratios(rounds, "a", "b") == 1.0           # of 1, 1/2, 2; the ratio of the medians would be 1/2


# ------------------------------------------------------------------------------------------------- records and limits

def piece_of(limits, dtype="float64"):
    return Work("name", "title", dtype, None, {}, limits=limits)


@pytest.mark.parametrize(("limit", "ok"), [(2.0, True), (2.5, True), (1.99, False), (None, None)])
def test_a_limit_is_kept_up_to_the_limit_itself(limit, ok):
    found = record(piece_of({} if limit is None else {HAND: limit}), {HAND: [1e-3, 2e-3, 4e-3],
                                                                      MINIGRAD: [2e-3, 4e-3, 8e-3]})
    assert found["against"] == {HAND: {"value": 2.0, "ratio": 2.0, "limit": limit, "ok": ok}}
    assert (found["minigrad"], found["unit"]) == (4.0, "ms")


def test_limits_are_set_against_contenders_that_are_there():
    for piece in WORKS.values():
        possible = set(piece.contenders) | {"depth 10,000", "allowed"}
        assert set(piece.limits) <= possible, piece.name
        assert all(0 < limit <= 2 for limit in piece.limits.values())


def test_memory_counts_what_is_alive_at_once():
    def build(size):
        def run():
            for _ in range(3):
                np.ones(size)
            return [np.ones(size), np.ones(size)]
        return run
    assert 16e6 <= memory.peak(build, 1_000_000) < 16.1e6


def test_depth_is_measured_in_seconds_and_in_bytes():
    for piece in (w for w in WORKS.values() if w.name.startswith("depth-memory")):
        shallow = record(piece, type(piece).rounds(dataclasses.replace(piece, sizes={"operations": 1000}), [], 1))
        assert 100 < shallow["minigrad"] < 5000
        assert (shallow["unit"], list(shallow["against"])) == ("bytes per operation", ["depth 10,000"])
    assert {(w.quantity, w.unit.split()[0], w.scale) for w in WORKS.values() if w.name.startswith("depth")} == {
        ("time", "us", 1e6), ("memory", "bytes", 1)}


# ----------------------------------------------------------------------------------------------------- what is missing

@pytest.fixture
def nothing_installed(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec",
                        lambda name, *more: None if name in PACKAGES.values() else find(name, *more))


@pytest.fixture
def untimed(monkeypatch):
    """Every run takes a second."""
    monkeypatch.setattr(work, "alternate", lambda found, repeats, collecting: {name: [1.0] * repeats for name in found})


@pytest.mark.usefixtures("nothing_installed", "untimed")
def test_what_is_missing_is_left_out_and_named(capsys, tmp_path):
    assert installed() == ()
    program.main(["--only", "embedding", "rnn-long-float64", "--repeats", "2", "--json", str(tmp_path / "found.json")])
    printed = capsys.readouterr()
    for name, package in PACKAGES.items():
        assert f"{name} is left out: there is no package {package} here" in printed.err
    found = json.loads((tmp_path / "found.json").read_text())
    assert [r["name"] for r in found["works"]] == ["rnn-long-float64", "embedding-float64", "embedding-float32"]
    assert [list(r["against"]) for r in found["works"]] == [[BY_STEP], [HAND], [HAND]]
    assert "0 of 0 limits are kept" in printed.out


@pytest.mark.usefixtures("nothing_installed", "untimed")
def test_nothing_is_written_unless_asked_for(capsys):
    files = (program.RESULTS, program.README, program.FIGURE)
    before = [path.read_bytes() for path in files]
    program.main(["--only", "embedding-float64", "--repeats", "1"])
    assert [path.read_bytes() for path in files] == before


@pytest.mark.parametrize(("arguments", "message"), [
    (["--only", "rnn", "nonsense"], "no work's name begins with 'nonsense'"),
    (["--repeats", "0"], "--repeats 0: at least 1"),
])
def test_what_cannot_be_meant_is_refused(arguments, message, capsys):
    with pytest.raises(SystemExit):
        program.main(arguments)
    assert message in capsys.readouterr().err


def test_the_list_names_all_works(capsys):
    program.main(["--list"])
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(WORKS)
    assert [w.name for w in chosen(["gru", "mlp-50"])] == ["mlp-50-float32", "gru-float64", "gru-float32"]


def test_a_failure_beside_jax_says_what_happened(monkeypatch):
    monkeypatch.setattr(beside_jax.subprocess, "run",
                        lambda *_, **__: SimpleNamespace(returncode=1, stderr="KeyError: 'nonsense'", stdout=""))
    with pytest.raises(RuntimeError, match="KeyError: 'nonsense'"):
        beside_jax.measured(["nonsense"], 0)


# ------------------------------------------------------------------------------------------------ the README and JSON

def results(*records, numpy="2.4"):
    return {"versions": {"python": "3.11", "numpy": numpy, "torch": "2.13.0"},
            "machine": {"processor": "CPU", "system": "Linux", "blas": "openblas"}, "works": list(records)}


def a_record(name="rnn-float64", dtype="float64", title="a title", **against):
    found = {HAND: (2.0, 1.0, 1.1), TORCH: (4.0, 0.5, 0.4), JAX: (8.0, 0.25, None)} | against
    return {"name": name, "title": title, "dtype": dtype, "unit": "ms", "minigrad": 2.0, "against": {
        other: {"value": value, "ratio": ratio, "limit": limit, "ok": None if limit is None else ratio <= limit}
        for other, (value, ratio, limit) in found.items()}}


def test_lines_show_limit_and_verdict():
    by_hand, torch, jax = table.lines(a_record())
    assert by_hand.split()[-4:] == ["2", "1", "1.1", "ok"]
    assert torch.split()[-4:] == ["4", "0.5", "0.4", "over"]
    assert jax.split()[-3:] == ["jax.jit", "8", "0.25"]
    assert table.summary(results(a_record())) == f"1 of 2 limits are kept; over: rnn-float64 / {TORCH}"


def test_the_table_has_a_row_a_work_and_shows_what_is_over_in_bold():
    text = table.markdown(results(a_record(), a_record("rnn-float32", "float32"), a_record("x", title="another")))
    head, _, first, second = text.splitlines()[:4]
    assert "/ PyTorch 2.13 |" in head
    assert first == "| a title | 2 · 2 ms | 1.00 · 1.00 (≤ 1.1) | **0.50** · **0.50** (≤ 0.4) | 0.25 · 0.25 |  |  |"
    assert second == "| another, float64 | 2 ms | 1.00 (≤ 1.1) | **0.50** (≤ 0.4) | 0.25 |  |  |"
    assert "CPU, Linux, Python 3.11, NumPy 2.4, openblas." in text


def test_a_contender_of_another_kind_stands_in_its_column_with_a_word_on_what_it_is():
    records = [a_record(dtype=dtype, **{PLAIN: (1.0, 49.5, None), DEFAULT: (4.0, 0.75, 0.6), FUSED: (2.0, 1.5, None)})
               for dtype in ("float64", "float32")]
    for kept in records:
        del kept["against"][HAND], kept["against"][TORCH]
    assert table.markdown(results(*records)).splitlines()[2] == (
        "| a title | 2 · 2 ms | 49.5 · 49.5 plain Python | **0.75** · **0.75** (≤ 0.6) default, 1.50 · 1.50 fused "
        "| 0.25 · 0.25 |  |  |")
    assert table.cell([a_record(**{BY_STEP: (1.0, 2.0, 1.4)})], HAND) == "1.00 (≤ 1.1), **2.00** (≤ 1.4) by step"
    assert set(UNDER.values()) <= set(table.COLUMNS)
    assert figure.by_column(records[0]["against"]) == {TORCH: records[0]["against"][DEFAULT],
                                                       JAX: records[0]["against"][JAX]}


def test_what_is_in_the_table_is_in_a_column():
    other = {MINIGRAD, "minigrad untraced", "depth 10,000", "allowed"}
    for piece in WORKS.values():
        assert set(map(in_column, piece.contenders)) <= set(table.COLUMNS) | other


@pytest.mark.parametrize(("share", "fine"), [(0.82, False), (0.9, True), (1.0, True), (1.1, True), (1.3, False)])
def test_jax_beside_others_or_on_several_threads_is_marked_and_said(monkeypatch, capsys, share, fine):
    piece = dataclasses.replace(WORKS["rnn-float64"], sizes=WORKS["rnn-float64"].small)
    seconds = {HAND: [1.0], MINIGRAD: [1.0], JAX: [1.0]}
    monkeypatch.setattr(Work, "rounds", lambda self, present, repeats: seconds)
    monkeypatch.setattr(Work, "build", lambda self, present: {JAX: None})
    monkeypatch.setattr(beside_jax, "cores", lambda fn: share)
    found = beside_jax.timed(piece, 1)
    assert (found["cores"], found["one_core"]) == (share, fine)
    monkeypatch.setattr(beside_jax, "measured", lambda names, repeats: {piece.name: found})
    kept = program.measured(piece, [JAX], 1)
    assert kept["against"][JAX]["one_core"] is fine
    said = f"{piece.name}: jax.jit had {share:.2g} cores, not one: its ratio is doubtful"
    assert capsys.readouterr().err.splitlines() == ([] if fine else [said])


def test_works_that_were_not_run_again_keep_their_figures():
    old = results(a_record("a"), a_record("b", title="old"), a_record("gone"))
    new = results(a_record("b", title="new"), a_record("c"))
    assert [(r["name"], r["title"]) for r in table.merged(old, new, ["c", "a", "b"])["works"]] == [
        ("c", "a title"), ("a", "a title"), ("b", "new")]
    assert table.merged(None, new, ["b", "c"]) == new
    with pytest.raises(ValueError, match="run all works"):
        table.merged(old, results(a_record("b"), numpy="2.0"), ["a", "b"])
    newer = results(a_record("b"), numpy="2.9")
    assert table.merged(results(a_record("b")), newer, ["b"]) == newer          # nothing is left of the old ones


def test_the_readme_is_rewritten_between_its_marks_alone():
    readme = f"before\n{table.BEGIN}\nold\n{table.END}\nafter\n"
    once = table.rewritten(readme, "new")
    assert once == f"before\n{table.BEGIN}\n\nnew\n\n{table.END}\nafter\n"
    assert table.rewritten(once, "new") == once
    for broken in ("none", readme + readme, f"{table.END}{table.BEGIN}"):
        with pytest.raises(ValueError, match="once each, in this order"):
            table.rewritten(broken, "new")


@pytest.mark.usefixtures("nothing_installed", "untimed")
def test_writing_writes_all_three(monkeypatch, tmp_path, capsys):
    for what in ("RESULTS", "FIGURE", "README"):
        monkeypatch.setattr(program, what, tmp_path / what)
    monkeypatch.setattr(figure, "save", lambda results, path: path.write_text("drawn"))
    program.README.write_text(f"{table.BEGIN}{table.END}")
    program.main(["--only", "embedding", "--repeats", "1", "--write"])
    written = json.loads(program.RESULTS.read_text())
    assert [r["name"] for r in written["works"]] == ["embedding-float64", "embedding-float32"]
    assert table.markdown(written) in program.README.read_text()
    assert program.FIGURE.read_text() == "drawn"


def test_the_readme_shows_the_results_that_are_kept():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert table.rewritten(readme, table.markdown(RESULTS)) == readme
    assert [r["name"] for r in RESULTS["works"]] == list(WORKS)
    for kept in RESULTS["works"]:
        piece = WORKS[kept["name"]]
        assert (kept["title"], kept["dtype"]) == (piece.title, piece.dtype)
        assert {name: o["limit"] for name, o in kept["against"].items() if o["limit"]} == piece.limits
        assert all(o["ok"] is (None if o["limit"] is None else o["ratio"] <= o["limit"])
                   for o in kept["against"].values())


def test_the_figure_has_the_same_bytes_twice_and_no_date(tmp_path):
    drawn = []
    for name in ("a.svg", "b.svg"):
        figure.save(RESULTS, tmp_path / name)
        drawn.append((tmp_path / name).read_bytes())
    assert drawn[0] == drawn[1]
    assert b"dc:date" not in drawn[0]
    assert len((ROOT / "figures" / "benchmarks.svg").read_bytes()) < 300_000
    assert set(figure.SHORT) <= set(WORKS)

"""The checks of tutorial 08: right answers pass, wrong ones are shown where they fail; and the sealed runs."""

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
from checking import fails, one_line, passes

from minigrad import check
from minigrad.check import sealed


def norm_of(arrays):
    return np.linalg.norm(np.concatenate([np.ravel(a) for a in arrays]))


def ratio(before, after):
    return norm_of([b - a for a, b in zip(before, after)]) / norm_of(before)


def ratio_in_loops(before, after):
    up = sum(float(d) ** 2 for a, b in zip(before, after) for d in (b - a).flat)
    return math.sqrt(up / sum(float(v) ** 2 for a in before for v in a.flat))


def dead_in_loops(h):
    count = 0
    for unit in range(h.shape[1]):
        count += not any(h[:, unit])
    return count / h.shape[1]


@pytest.mark.parametrize(("exercise", "answer"), [
    (check.update_to_data, ratio), (check.update_to_data, ratio_in_loops),
    (check.dead_share, lambda h: (h == 0).all(axis=0).mean()), (check.dead_share, dead_in_loops),
    (check.dead_share, lambda h: 1 - np.any(h > 0, axis=0).mean()),
    (check.dead_share, lambda h: (h.max(0) == 0).mean()),
])
def test_right_answers_pass(exercise, answer, capsys):
    passes(exercise, answer, capsys)


TWO = "before = [[2]], after = [[5]]"
WRONG = [
    (check.update_to_data, lambda b, a: norm_of([y - x for x, y in zip(b, a)]), TWO, "divide by the norm"),
    (check.update_to_data, lambda b, a: norm_of([y - x for x, y in zip(b, a)]) / norm_of(a), TWO, "not after it"),
    (check.update_to_data, lambda b, a: ratio(b, a) ** 2, TWO, "take the root"),
    (check.update_to_data, lambda b, a: 1 / ratio(b, a) if ratio(b, a) else 0.0, TWO, "stands above"),
    (check.update_to_data, lambda b, a: np.mean([ratio([x], [y]) for x, y in zip(b, a)]),
     "before = [[3], [4]], after = [[3], [3.5]]", "not a mean"),
    (check.update_to_data, lambda b, a: abs(norm_of(a) - norm_of(b)) / norm_of(b),
     "before = [[3, 4]], after = [[3, 3.9]]", "(after - before)"),
    (check.dead_share, lambda h: (h == 0).mean(), "h = [[0, 1, 3], [0, 0, 2]]", "share of zeros"),
    (check.dead_share, lambda h: (h == 0).any(axis=0).mean(), "h = [[0, 1, 3], [0, 0, 2]]", "is not dead"),
    (check.dead_share, lambda h: (h == 0).all(axis=0).sum(), "h = [[0, 1, 3], [0, 0, 2]]", "not a count"),
    (check.dead_share, lambda h: (h == 0).all(axis=1).mean(), "h = [[0, 1, 3], [0, 0, 2]]", "columns"),
    (check.dead_share, lambda h: (h > 0).any(axis=0).mean(), "h = [[1]]", "living"),
    (check.dead_share, lambda h: (h.mean(axis=0) < 1e-6).mean(), "h = [[0, 0, 0, 0], [0, 1, 1e-12, 0]]", "zeros"),
]


@pytest.mark.parametrize(("exercise", "answer", "shown", "hint"), WRONG)
def test_wrong_answers_fail_on_the_smallest_input(exercise, answer, shown, hint, capsys):
    fails(exercise, answer, capsys, f"for {shown}: expected ", hint)


@pytest.mark.parametrize(("exercise", "answer", "received", "hint"), [
    (check.update_to_data, lambda b, a: None, "None", "return"),
    (check.update_to_data, lambda b, a: b - a, "TypeError", "error"),
    (check.update_to_data, lambda b, a: [0.5], "[0.5]", "kind of value"),
    (check.dead_share, lambda h: (h == 0).all(axis=0).tolist(), "[False]", "kind of value"),
    (check.dead_share, lambda h: "few", "few", "kind of value"),
    (check.sealed_diagnosis, lambda run: None, "None", "return"),
    (check.sealed_diagnosis, lambda run: 3, "3", "the diagnoses are"),
    (check.sealed_diagnosis, lambda run: run.rows, "AttributeError", "error"),
    (check.sealed_diagnosis, lambda run: "Healthy", "Healthy", "'healthy'"),
])
def test_errors_and_odd_values_are_part_of_the_line(exercise, answer, received, hint, capsys):
    exercise(answer)
    line = one_line(capsys)
    assert f", received {received}" in line
    assert hint in line.partition("Hint: ")[2]


# ----------------------------------------------------------------------------------------------- the sealed runs

def by_settings(relu, gain, bias, scale, clip, lr, **_):
    """Return what is wrong with a run, by what was done to it."""
    times = gain / (2 ** 0.5 if relu else 1.33)
    found = [name for name, wrong in (
        ("vanishing: gain too small", times < 0.8), ("exploding: gain too large", times > 1.5),
        ("dead units", bias < -0.3), ("saturated: inputs too large", scale > 10),
        ("clip threshold too low", clip < 0.1), ("rate too low", lr < 1e-3), ("rate too high", lr > 1)) if wrong]
    assert len(found) <= 1
    return found[0] if found else "healthy"


def by_instruments(run):
    """Return what is wrong with a run, by what it looks like: as in the tutorial, with wider gaps."""
    rows, ratios = run.start.series[0].rows[:-1], run.trace.ratios()
    behind = rows[0].delta / rows[-1].delta if rows[-1].delta else 0.0
    coefficient = np.median(run.trace.column("coefficient", hook="ClipNorm"))
    signs = {
        "dead units": max(row.dead or 0 for row in rows) == 1 and behind == 0,
        "vanishing: gain too small": 0 < behind < 0.02,
        "exploding: gain too large": behind > 15,
        "saturated: inputs too large": (rows[0].saturated or 0) > 0.95 and 0.2 < behind < 5,
        "clip threshold too low": coefficient < 0.005 and 0.2 < behind < 5,
        "rate too low": np.median(ratios) < 5e-5 and coefficient > 0.5,
        "rate too high": ratios.max() > 0.2,
        "healthy": run.right > 0.6 and 1e-3 < np.median(ratios) < 3e-2 and (rows[0].saturated or 0) < 0.5
        and 0.2 < behind < 5,
    }
    found = [name for name, seen in signs.items() if seen]
    assert len(found) == 1, (run, found)
    return found[0]


def test_the_seals_are_those_of_what_was_done_and_of_what_is_seen(capsys):
    runs = check.sealed_runs()
    for name, run in runs.items():
        truth = by_settings(**sealed.settings_of(name))
        assert by_instruments(run) == truth
        assert sealed.seal(name, truth) == sealed.SEALS[name]
        assert sum(sealed.seal(name, word) == sealed.SEALS[name] for word in sealed.DIAGNOSES) == 1
    assert check.sealed_diagnosis(by_instruments) == 1
    assert one_line(capsys) == "sealed_diagnosis: passed, 6 inputs tried."


def test_a_wrong_diagnosis_is_told_the_first_run_and_an_instrument_but_not_the_answer(capsys):
    truth = {name: by_settings(**sealed.settings_of(name)) for name in sealed.SEALS}
    for name, word in itertools.product(truth, sealed.DIAGNOSES):
        told = {**truth, name: word}
        assert check.sealed_diagnosis(lambda run, told=told: told[run.name]) == (word == truth[name])
        line = one_line(capsys)
        if word != truth[name]:
            assert line.startswith(f"sealed_diagnosis: not yet right for run {name}: expected what its seal says, "
                                   f"received {word}. Hint: ")
            assert truth[name] not in line.replace(f"received {word}", "")
            assert "run.trace" in line or "run.start" in line


def test_no_diagnosis_stands_beside_a_run_and_copies_are_the_run_itself():
    run = check.sealed_runs()["A"]
    assert check.sealed_runs()["A"] is run
    assert not any(word in repr(run) for word in sealed.DIAGNOSES)
    assert set(vars(run)) == {"name", "trace", "start", "end", "right"}
    text = Path(sealed.__file__).read_text(encoding="utf-8")
    assert all(text.count(f'"{word}"') == 1 for word in sealed.DIAGNOSES)


def test_every_sickness_can_be_drawn_and_is_told_by_its_instruments():
    """Another salt gives other runs: each of the eight, told from its settings, is told from its instruments too."""
    seen = {}
    for number, name in itertools.product(range(20), sealed.SEALS):
        settings = sealed.settings_of(name, f"another {number}")
        seen.setdefault(by_settings(**settings), (name, settings))
    assert set(seen) == set(sealed.DIAGNOSES)
    for word, (name, settings) in seen.items():
        assert by_instruments(sealed.train(name, **settings)) == word

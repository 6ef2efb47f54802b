"""How an exercise is examined, whatever the exercise: one line, no harm done, the points as a number."""

import importlib

import numpy as np
import pytest
from checking import one_line

from minigrad import check
from minigrad.check.exam import frozen, short

NAMES = [name for _, names in check.EXERCISES.values() for name in names]


def test_there_are_three_exercises_to_a_tutorial_and_no_name_twice():
    assert all(len(names) == 3 for _, names in check.EXERCISES.values())
    assert len(set(NAMES)) == len(NAMES)
    assert list(check.EXERCISES) == sorted(check.EXERCISES)


@pytest.mark.parametrize("name", NAMES)
def test_every_check_is_where_the_table_says_and_documented(name):
    found = getattr(check, name)
    assert found is getattr(importlib.import_module(f"minigrad.check.{check.PAGES[name]}"), name)
    assert "``answer(" in found.__doc__
    assert "Oracle" in found.__doc__
    assert ">>> " + name in found.__doc__


def test_a_name_that_is_no_check_is_refused_with_those_there_are():
    with pytest.raises(AttributeError, match=r"has no 'clip_nrom'; the checks are .*clip_norm"):
        check.clip_nrom     # noqa: B018


def test_points_are_a_number_to_an_autograder_and_words_in_a_notebook():
    assert float(repr(check.Points(True))) == 1.0
    assert float(repr(check.Points(False))) == 0.0
    assert check.Points(True)._repr_html_() == "<small>1 of 1 point</small>"


@pytest.mark.parametrize("name", NAMES)
def test_what_is_not_written_yet_is_no_error(name, capsys):
    def answer(*args):
        raise NotImplementedError

    points = getattr(check, name)(answer)
    assert isinstance(points, check.Points)
    assert points == 0
    assert one_line(capsys).startswith(f"{name}: not written yet. ")


def test_a_long_value_or_message_stays_one_short_line(capsys):
    def answer(w, T):
        raise ValueError("first line\nsecond line " + 500 * "x")

    check.chain_factor(answer)
    assert len(one_line(capsys)) < 400


def test_no_address_is_shown_so_that_a_line_is_the_same_in_each_run(capsys):
    def answer(w, T):
        return lambda: w

    check.chain_factor(answer)
    assert "received <function test_no_address_is_shown_so_that_a_line_is_the_same_in_each_run." in (
        line := one_line(capsys))
    assert "0x" not in line


def test_ctrl_c_is_not_swallowed():
    def answer(w, T):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check.chain_factor(answer)


def test_examine_stops_at_the_first_failure_and_counts(capsys):
    seen = []
    cases = [check.Case(f"x = {x}", (x,), x, lambda got, x=x: "" if got == x else "no") for x in range(5)]
    assert check.examine("identity", lambda x: seen.append(x) or min(x, 2), cases) == 0
    assert seen == [0, 1, 2, 3]
    assert one_line(capsys) == "identity: not yet right for x = 3: expected 3, received 2. Hint: no."
    assert check.examine("identity", lambda x: x, cases) == 1
    assert one_line(capsys) == "identity: passed, 5 inputs tried."


def test_an_answer_gets_copies_that_it_cannot_write():
    array = np.ones(2)
    given = frozen(([array], {"w": array}))
    assert not given[0][0].flags.writeable
    assert not given[1]["w"].flags.writeable
    assert array.flags.writeable


@pytest.mark.parametrize(("value", "text"), [
    (np.int64(1), "1"), (np.bool_(True), "True"), (np.float64(0.1234567), "0.123457"), (np.float32(2), "2"),
    (np.longdouble(0.5), "0.5"), (np.array([1.0, 2.5]), "[1, 2.5]"), ({"w": (1, np.int8(2))}, "{'w': [1, 2]}"),
    (np.array(3), "3"),
])
def test_numpys_values_are_shown_as_plain_pythons(value, text):
    assert short(value) == text

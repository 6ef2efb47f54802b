"""The checks of tutorial 03: right answers pass, and a wrong one is shown the smallest input on which it fails."""

import math

import numpy as np
import pytest
from checking import fails, one_line, passes

import minigrad as mg
from minigrad import check


def by_loop(w, largest):
    T, power = 0, 1.0
    while power <= largest:
        power *= w
        T += 1
    return T


def by_logs(w, largest):
    return math.floor(math.log(largest) / math.log(w)) + 1


def by_search(w, largest):
    return np.argmax(w ** np.arange(2000.0) > largest)


def weight(w, h0, T):
    return T * w ** (T - 1) * h0


def weight_on_the_tape(w, h0, T):
    w = mg.tensor(w, requires_grad=True)
    h = w * 0 + h0
    for _ in range(T):
        h = w * h
    return mg.grad(h, w)


def weight_by_sum(w, h0, T):
    return sum(w ** (T - 1 - t) * w ** t * h0 for t in range(T))


def tanh_forward(w, h0, T):
    h, slope = h0, 1.0
    for _ in range(T):
        h = np.tanh(w * h)
        slope *= w * (1 - h ** 2)
    return slope


def tanh_on_the_tape(w, h0, T):
    x = h = mg.tensor(h0, requires_grad=True)
    for _ in range(T):
        h = np.tanh(w * h)
    return mg.grad(h, x).item()


@pytest.mark.parametrize(("exercise", "answer"), [
    (check.first_overflow, by_loop), (check.first_overflow, by_logs), (check.first_overflow, by_search),
    (check.shared_weight, weight), (check.shared_weight, weight_on_the_tape), (check.shared_weight, weight_by_sum),
    (check.tanh_chain, tanh_forward), (check.tanh_chain, tanh_on_the_tape),
])
def test_right_answers_pass(exercise, answer, capsys):
    passes(exercise, answer, capsys)


def tanh_like(factor, last=False):
    """A loop for exercise 3 whose factor is computed from w, the old and the new state."""
    def answer(w, h0, T):
        h, slope = h0, 1.0
        for _ in range(T):
            new = np.tanh(w * h)
            slope = (1.0 if last else slope) * factor(w, h, new)
            h = new
        return slope
    return answer


def last_for_all(w, h0, T):
    h = h0
    for _ in range(T):
        h = np.tanh(w * h)
    return (w * (1 - h ** 2)) ** T


def end(w, h0, T):
    for _ in range(T):
        h0 = np.tanh(w * h0)
    return h0


WRONG = [
    # the exercise, a wrong answer, the smallest input that shows it, what is expected there, and part of the hint
    (check.first_overflow, lambda w, m: math.ceil(math.log(m) / math.log(w)), "w = 2, largest = 1", "1",
     "2**0 = 1 is not larger than 1 yet; one step more"),
    (check.first_overflow, lambda w, m: by_loop(w, m) - 1, "w = 2, largest = 1", "1", "one step more"),
    (check.first_overflow, lambda w, m: by_loop(w, m) + 1, "w = 2, largest = 1", "1", "larger than 1 already"),
    (check.first_overflow, lambda w, m: round(math.log(m) / math.log(w)) + 1, "w = 2, largest = 15", "4",
     "larger than 15 already"),
    (check.first_overflow, lambda w, m: math.log(m) / math.log(w) + 1, "w = 2, largest = 15", "4", "whole number"),
    (check.first_overflow, lambda w, m: math.floor(math.log10(m)) + 1, "w = 2, largest = 8", "4", "2**1 = 2 is not"),
    (check.first_overflow, lambda w, m: -by_loop(w, m), "w = 2, largest = 1", "1", "not negative"),
    (check.shared_weight, lambda w, h0, T: w ** T, "w = 1.5, h0 = 1, T = 0", "0", "not used at all"),
    (check.shared_weight, lambda w, h0, T: T * w ** T * h0, "w = 1.5, h0 = 1, T = 1", "1", "T - 1 factors"),
    (check.shared_weight, lambda w, h0, T: T * w ** (T - 1), "w = 0.5, h0 = 2, T = 1", "2", "h0 is a factor"),
    (check.shared_weight, lambda w, h0, T: w ** (T - 1) * h0 * (T > 0), "w = 1.5, h0 = 1, T = 2", "3",
     "it is used 2 times"),
    (check.shared_weight, lambda w, h0, T: w ** T * T ** 0.5, "w = 1.5, h0 = 1, T = 1", "1", "T - 1 factors"),
    (check.shared_weight, lambda w, h0, T: w ** T if T > 1 else h0 * T, "w = 1.5, h0 = 1, T = 2", "3", "dh_T/dh_0"),
    (check.shared_weight, lambda w, h0, T: w ** T * h0 if T > 1 else h0 * T, "w = 1.5, h0 = 1, T = 2", "3", "dh_T/dh"),
    (check.shared_weight, lambda w, h0, T: 2 * w ** T * h0 * (T > 0), "w = 1.5, h0 = 1, T = 1", "1", "differentiate"),
    (check.tanh_chain, lambda w, h0, T: w ** T, "w = 2, h0 = 0.5, T = 1", "0.839949", "slope of the tanh is missing"),
    (check.tanh_chain, lambda w, h0, T: tanh_forward(w, h0, T) * (T > 0), "w = 2, h0 = 0, T = 0", "1", "no step"),
    (check.tanh_chain, tanh_like(lambda w, h, new: w * (1 - h ** 2)), "w = 2, h0 = 0.5, T = 1", "0.839949",
     "new state"),
    (check.tanh_chain, tanh_like(lambda w, h, new: 1 - new ** 2), "w = 2, h0 = 0, T = 1", "2", "inner derivative"),
    (check.tanh_chain, tanh_like(lambda w, h, new: w * (1 - np.tanh(new) ** 2)), "w = 2, h0 = 0.5, T = 1", "0.839949",
     "without another tanh"),
    (check.tanh_chain, tanh_like(lambda w, h, new: w * (1 - new ** 2), last=True), "w = 2, h0 = 0, T = 2", "4",
     "last factor alone"),
    (check.tanh_chain, last_for_all, "w = 2, h0 = 0.5, T = 2", None, "do not take the last one for all"),
    (check.tanh_chain, end, "w = 2, h0 = 0, T = 0", "1", "no step"),
    (check.tanh_chain, lambda w, h0, T: end(w, h0, T) if T else 1.0, "w = 2, h0 = 0, T = 1", "2", "this is h_T"),
    (check.tanh_chain, lambda w, h0, T: -tanh_forward(w, h0, T) if T else 1.0, "w = 2, h0 = 0, T = 1", "2",
     "each step"),
]


@pytest.mark.parametrize(("exercise", "answer", "shown", "expected", "hint"), WRONG)
def test_wrong_answers_fail_on_the_smallest_input(exercise, answer, shown, expected, hint, capsys):
    assert exercise(answer) == 0
    line = one_line(capsys)
    where = f"{exercise.__name__}: not yet right for {shown}: expected "
    assert line.startswith(where if expected is None else f"{where}{expected}, received ")
    assert hint in line.split("Hint: ")[1]


@pytest.mark.parametrize(("exercise", "answer", "received", "hint"), [
    (check.first_overflow, lambda w, m: None, "None", "return"),
    (check.first_overflow, lambda w, m: "soon", "soon", "kind of value"),
    (check.first_overflow, lambda w, m: math.inf, "inf", "kind of value"),
    (check.first_overflow, lambda w: 1, "TypeError: ", "error"),
    (check.shared_weight, lambda w, h0, T: 1 / T, "ZeroDivisionError: ", "error"),
    (check.shared_weight, lambda w, h0, T: math.nan, "nan", "not used at all"),
    (check.tanh_chain, lambda w, h0, T: [1.0, 2.0], "[1, 2]", "kind of value"),
    (check.tanh_chain, lambda w, h0, T: math.nan, "nan", "no step"),
])
def test_errors_and_odd_values_are_part_of_the_line(exercise, answer, received, hint, capsys):
    fails(exercise, answer, capsys, f", received {received}", hint)


@pytest.mark.parametrize("exercise", [check.first_overflow, check.shared_weight, check.tanh_chain])
def test_what_is_not_written_yet_is_no_error(exercise, capsys):
    def answer(*args):
        raise NotImplementedError

    assert exercise(answer) == 0
    assert one_line(capsys).startswith(f"{exercise.__name__}: not written yet. ")


@pytest.mark.parametrize(("dtype", "w"), [(np.float32, 1.5), (np.float32, 1.1), (np.float16, 2.0)])
def test_the_first_overflow_is_where_the_engine_says_inf(dtype, w):
    h = x = mg.tensor(np.zeros((), dtype), requires_grad=True)
    T = by_loop(w, float(np.finfo(dtype).max))
    for _ in range(T - 1):
        h = dtype(w) * h
    with np.errstate(over="ignore"):
        assert np.isfinite(mg.grad(h, x, retain_graph=True).data)
        assert np.isinf(mg.grad(dtype(w) * h, x).data)

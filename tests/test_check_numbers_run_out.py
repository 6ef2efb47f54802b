"""The checks of tutorial 12: right answers pass, and a wrong one is shown the smallest input on which it fails."""

import math

import numpy as np
import pytest
from checking import fails, passes

from minigrad import check


def by_doubling(grad):
    scale = 2.0 ** -40
    while np.isfinite((2 * scale * grad).astype(np.float16)).all():
        scale *= 2
    return scale


def by_logarithm(grad):
    m = float(np.abs(grad).max())
    k = math.floor(math.log2(65520 / m))
    return 2.0 ** (k if 2.0 ** k * m < 65520 else k - 1)


def rule(scale, count, finite, interval):
    if not finite:
        return scale / 2, 0
    return (scale * 2, 0) if count + 1 == interval else (scale, count + 1)


def rule_by_modulo(scale, count, finite, interval):
    count = (count + 1) % interval if finite else 0
    return np.array([scale * (2 if finite and count == 0 else 1 if finite else 0.5), count])


def shifted(a):
    m = a.max()
    return m + np.log(np.exp(a - m).sum())


def pairwise(a):
    return np.logaddexp.reduce(a)


@pytest.mark.parametrize(("exercise", "answer"), [
    (check.largest_scale, by_doubling), (check.largest_scale, by_logarithm),
    (check.largest_scale, lambda grad: np.float64(by_doubling(grad))),
    (check.scaler_rule, rule), (check.scaler_rule, lambda *args: list(rule(*args))),
    (check.scaler_rule, rule_by_modulo),
    (check.log_sum_exp, shifted), (check.log_sum_exp, pairwise), (check.log_sum_exp, lambda a: shifted(a).item()),
])
def test_right_answers_pass(exercise, answer, capsys):
    passes(exercise, answer, capsys)


def of_positive(grad):
    return by_doubling(np.maximum(grad, 0) + 1e-12)


WRONG = [
    (check.largest_scale, lambda grad: 1.0, "grad = [1]", "twice as much"),
    (check.largest_scale, lambda grad: 2.0 ** 16, "grad = [1]", "which is inf"),
    (check.largest_scale, lambda grad: 65504.0, "grad = [1]", "power of two"),
    (check.largest_scale, lambda grad: 15, "grad = [1]", "power of two"),
    (check.largest_scale, lambda grad: -2.0, "grad = [1]", "above 0"),
    (check.largest_scale, lambda grad: math.inf, "grad = [1]", "above 0"),
    (check.largest_scale, lambda grad: 2.0 ** 15, "grad = [2, 1]", "which is inf"),
    (check.largest_scale, lambda grad: 2.0 ** round(math.log2(65504 / abs(grad).max())), "grad = [1]", "which is inf"),
    (check.largest_scale, of_positive, "grad = [1, -4]", "negative entries"),
    (check.largest_scale, lambda grad: max(1.0, by_doubling(grad)), "grad = [1e+06]", "which is inf"),
    (check.scaler_rule, lambda scale, count, finite, interval: (scale, count),
     "scale = 8, count = 0, finite = True, interval = 3", "one more"),
    (check.scaler_rule, lambda scale, count, finite, interval: (scale, count + 1),
     "scale = 8, count = 0, finite = False, interval = 3", "halved"),
    (check.scaler_rule, lambda scale, count, finite, interval:
     rule(scale, count, finite, interval) if finite else (scale / 2, count),
     "scale = 8, count = 1, finite = False, interval = 3", "begins at 0"),
    (check.scaler_rule, lambda scale, count, finite, interval:
     ((scale * 2, 0) if count == interval else (scale, count + 1)) if finite else (scale / 2, 0),
     "scale = 8, count = 2, finite = True, interval = 3", "third finite"),
    (check.scaler_rule, lambda scale, count, finite, interval:
     ((scale * 2, count + 1) if count + 1 == interval else (scale, count + 1)) if finite else (scale / 2, 0),
     "scale = 8, count = 2, finite = True, interval = 3", "begins at 0"),
    (check.scaler_rule, lambda scale, count, finite, interval: (scale * 2, 0) if finite else (scale / 2, 0),
     "scale = 8, count = 0, finite = True, interval = 3", "the scale stays"),
    (check.log_sum_exp, lambda a: np.log(np.exp(a).sum()), "a = [12, 11] in float16", "exp(12) is inf"),
    (check.log_sum_exp, lambda a: np.log(np.exp(a.astype(float)).sum()), "a = [1000, 999] in float64", "is inf"),
    (check.log_sum_exp, lambda a: np.log(np.exp(a - a.max()).sum()), "a = [1, 2, 3] in float64", "added again"),
    (check.log_sum_exp, lambda a: a.max(), "a = [0, 0] in float64", "largest entry alone"),
    (check.log_sum_exp, lambda a: np.exp(a).sum(), "a = [0] in float64", "m + ln"),
    (check.log_sum_exp, lambda a: a.mean() + np.log(np.exp(a - a.mean()).sum()), "a = [1000, -1000] in float64",
     "is inf"),
    (check.log_sum_exp, lambda a: a.min() + np.log(np.exp(a - a.min()).sum()), "a = [1000, -1000] in float64",
     "is inf"),
    (check.log_sum_exp, lambda a: np.log(np.exp(a - 500).sum()) + 500, "a = [12, 11] in float16", "is inf"),
]


@pytest.mark.parametrize(("exercise", "answer", "shown", "hint"), WRONG)
def test_wrong_answers_fail_on_the_smallest_input(exercise, answer, shown, hint, capsys):
    fails(exercise, answer, capsys, f"for {shown}: expected ", hint)


def in_place(a):
    a -= a.max()
    return a


@pytest.mark.parametrize(("exercise", "answer", "received", "hint"), [
    (check.largest_scale, lambda grad: None, "None", "return"),
    (check.largest_scale, lambda grad: 2 ** 15 / 0, "ZeroDivisionError", "error"),
    (check.largest_scale, lambda grad: math.nan, "nan", "above 0"),
    (check.scaler_rule, lambda scale, count, finite, interval: None, "None", "return"),
    (check.scaler_rule, lambda scale, count, finite, interval: scale, "8", "kind of value"),
    (check.scaler_rule, lambda scale, count, finite, interval: (scale, "one"), "[8, 'one']", "kind of value"),
    (check.scaler_rule, lambda scale, count, finite, interval: (math.nan, 1), "[nan, 1]", "the scale stays"),
    (check.log_sum_exp, in_place, "ValueError: ", "do not change the arrays"),
    (check.log_sum_exp, lambda a: [[], []], "[[], []]", "kind of value"),
])
def test_errors_and_odd_values_are_part_of_the_line(exercise, answer, received, hint, capsys):
    fails(exercise, answer, capsys, f", received {received}", hint)

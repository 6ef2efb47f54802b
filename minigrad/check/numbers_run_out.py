"""Tutorial 12, numbers run out: the largest loss scale, the rule of a dynamic one, a safe log-sum-exp."""

import math
from functools import partial

import numpy as np

from minigrad.check.exam import Case, examine, short
from minigrad.hooks import LossScaler


def fits(scale, grad):
    """Return whether a scaled gradient is finite in float16."""
    with np.errstate(over="ignore", under="ignore"):
        return bool(np.isfinite((scale * grad).astype(np.float16)).all())


def largest_scale(answer):
    """Check ``answer(grad)``: the largest power of two by which a gradient can be multiplied in float16.

    Oracle: two trials; the scale fits, and twice the scale does not.

    Args:
        answer: a function of a float64 array, not all 0, that returns a number.

    Returns:
        1 if it is right for all inputs, else 0.

    Example:
        >>> largest_scale(lambda grad: 65504 / abs(grad).max())
        largest_scale: not yet right for grad = [1]: expected 32768, received 65504. Hint: this is no power of two.
        0
    """
    def judge(got, grad):
        scale = float(got)
        if not 0 < scale < math.inf:
            return "the scale is a number above 0"
        if math.frexp(scale)[0] != 0.5:
            return "this is no power of two"
        if not fits(scale, grad):
            largest = np.abs(grad).max() * scale
            return (f"with it the largest entry is {largest:.6g}, which is inf in float16"
                    + (": look at negative entries, too" if fits(scale, grad[grad > 0]) else ""))
        return "" if not fits(2 * scale, grad) else "twice as much fits as well"

    cases = []
    for values in ([1.0], [2.0, 1.0], [1e-3], [1.0, -4.0], [65504.0], [65519.0, 3.0], [1e6], [1e-9, -7e-8, 0.0],
                   np.random.default_rng(0).normal(size=(4, 8)) * 1e-5):
        grad = np.array(values)
        expected = 2.0 ** -60
        while fits(2 * expected, grad):
            expected *= 2
        cases.append(Case(f"grad = {short(grad)}", (grad,), expected, partial(judge, grad=grad)))
    return examine("largest_scale", answer, cases)


def scaler_rule(answer):
    """Check ``answer(scale, count, finite, interval)``: what a dynamic loss scale does after one gradient.

    Oracle: :class:`minigrad.hooks.LossScaler`.

    Args:
        answer: a function of the scale, the count of finite gradients, whether this one is finite, and the interval;
            returns the pair (scale, count) after it.

    Returns:
        1 if it is right for all inputs, else 0.

    Example:
        >>> scaler_rule(lambda scale, count, finite, interval: (scale, count + 1) if finite else (scale / 2, 0))
        scaler_rule: not yet right for scale = 8, count = 2, finite = True, interval = 3: expected [16, 0], received \
[8, 3]. Hint: the third finite gradient in a row doubles the scale.
        0
    """
    def judge(got, scale, count, finite, interval, expected):
        new, counted = (float(v) for v in got)
        if (new, counted) == expected:
            return ""
        if new == expected[0]:
            return ("the count begins at 0 again when the scale has changed" if expected[1] == 0 else
                    "a finite gradient counts as one more")
        if not finite:
            return "after a gradient that is not finite the scale is halved"
        if expected[0] == scale:
            return f"this is finite gradient {count + 1} of {interval}: the scale stays"
        number = {1: "first", 2: "second", 3: "third"}.get(interval, f"{interval}th")
        return f"the {number} finite gradient in a row doubles the scale"

    cases = []
    for scale, count, finite, interval in ((8.0, 0, True, 3), (8.0, 0, False, 3), (8.0, 1, False, 3), (8.0, 1, True, 3),
                                           (8.0, 2, True, 3), (8.0, 2, False, 3), (65536.0, 1999, True, 2000),
                                           (1.0, 0, False, 2000), (4.0, 0, True, 1)):
        scaler = LossScaler(scale, interval=interval)
        scaler.count = count
        scaler.good() if finite else scaler.bad()
        expected = (scaler.value, scaler.count)
        cases.append(Case(f"scale = {scale:g}, count = {count}, finite = {finite}, interval = {interval}",
                          (scale, count, finite, interval), (round(expected[0]), expected[1]),
                          partial(judge, scale=scale, count=count, finite=finite, interval=interval,
                                  expected=expected)))
    return examine("scaler_rule", lambda *args: plain(answer(*args)), cases)


def plain(pair):
    """Return a pair of numbers with whole floats as they are printed: 8 for 8.0."""
    if isinstance(pair, (tuple, list, np.ndarray)) and len(pair) == 2:
        return tuple(int(v) if not isinstance(v, str) and float(v).is_integer() else v for v in pair)
    return pair


def log_sum_exp(answer):
    """Check ``answer(a)``: ln sum exp(a), in the dtype of a, without overflow or underflow.

    Oracles: exact sums of Python (:func:`math.fsum`) after a shift; and the invariance under one.

    Args:
        answer: a function of a vector, float16 or float64, that returns a number.

    Returns:
        1 if it is right for all inputs, else 0.

    Example:
        >>> log_sum_exp(lambda a: np.log(np.exp(a).sum()))
        log_sum_exp: not yet right for a = [12, 11] in float16: expected 12.3133, received inf. Hint: exp(12) is inf \
in float16; subtract something first.
        0
    """
    def judge(got, a, expected):
        found, top = float(got), float(a.max())
        near = 4e-3 if a.dtype == np.float16 else 1e-9
        if math.isclose(found, expected, rel_tol=near, abs_tol=near):
            return ""
        if not math.isfinite(found):
            return (f"exp({top:g}) is inf in {a.dtype}; subtract something first" if top > 0 else
                    f"the exponents are all so small that every exp is 0 in {a.dtype}, and the logarithm of 0 is -inf")
        if math.isclose(found, expected - top, rel_tol=near, abs_tol=near):
            return "what was subtracted has to be added again"
        if math.isclose(found, top, rel_tol=near, abs_tol=near):
            return "this is the largest entry alone"
        return "m + ln of the sum of exp(a - m), the sum over all entries"

    cases = []
    for dtype, values in ((float, [0.0]), (float, [0.0, 0.0]), (float, [1.0, 2.0, 3.0]), (np.float16, [12.0, 11.0]),
                          (np.float16, [-20.0, -21.0]), (float, [1000.0, 999.0]), (float, [-1000.0, -1001.0]),
                          (float, [1000.0, -1000.0]), (np.float16, [60.0, -60.0, 59.0])):
        a = np.array(values, dtype)
        expected = max(values) + math.log(math.fsum(math.exp(v - max(values)) for v in values))
        cases.append(Case(f"a = {short(a)} in {a.dtype}", (a,), expected, partial(judge, a=a, expected=expected)))
    return examine("log_sum_exp", answer, cases)

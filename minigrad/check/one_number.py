"""Tutorial 03, one number many times: the first overflow, the gradient of a shared weight, a tanh in the chain."""

import math
from functools import partial

import numpy as np

from minigrad.check.exam import Case, examine, near


def first_overflow(answer):
    """Check ``answer(w, largest)``: the smallest T >= 0 with w**T > largest, for w > 1.

    Oracle: the chain itself.  It is multiplied out until it is too large.

    Args:
        answer: a function of two numbers that returns a whole number.

    Returns:
        1 if it is right for all inputs, else 0.

    Example:
        >>> first_overflow(lambda w, largest: math.ceil(math.log(largest) / math.log(w)))
        first_overflow: not yet right for w = 2, largest = 1: expected 1, received 0. Hint: 2**0 = 1 is not larger \
than 1 yet; one step more.
        0
    """
    cases = []
    for w, largest in [(2.0, 1.0), (2.0, 8.0), (2.0, 15.0), (1.5, 100.0), (1.1, 100.0), (10.0, 12345.0),
                       (1.5, float(np.finfo(np.float32).max)), (1.01, float(np.finfo(np.float16).max))]:
        T = next(T for T in range(10 ** 6) if chain(w, T) > largest)
        cases.append(Case(f"w = {w:g}, largest = {largest:g}", (w, largest), T,
                          partial(judge_overflow, w=w, largest=largest, T=T)))
    return examine("first_overflow", answer, cases)


def chain(w, T):
    """Return w**T, multiplied out: inf where a float can hold no more."""
    power = 1.0
    for _ in range(T):
        power *= w
    return power


def judge_overflow(got, w, largest, T):
    """Return a hint on the first T whose power is too large, "" if it is right."""
    got = float(got)
    if got == T:
        return ""
    if got != round(got):
        return "T counts steps, so it is a whole number: round down, then add 1"
    if got < 0:
        return "T is not negative: with T = 0 the power is 1 already"
    if got > T:
        return f"{w:g}**{T} = {chain(w, T):.6g} is larger than {largest:g} already"
    return (f"{w:g}**{int(got)} = {chain(w, int(got)):.6g} is not larger than {largest:g} yet"
            + ("; one step more" if got == T - 1 else ""))


def shared_weight(answer):
    """Check ``answer(w, h0, T)``: dh_T/dw for the chain h_(t+1) = w h_t.

    Oracle: the chain rule step by step, dh_(t+1)/dw = h_t + w dh_t/dw, beside the chain.

    Args:
        answer: a function of two floats and an int that returns a number.

    Returns:
        1 if it is right for all inputs, else 0.

    Example:
        >>> shared_weight(lambda w, h0, T: w ** T * h0)
        shared_weight: not yet right for w = 1.5, h0 = 1, T = 0: expected 0, received 1. Hint: without a step w is \
not used at all.
        0
    """
    cases = []
    for T in (0, 1, 2, 3, 10, 50):
        for w, h0 in ((1.5, 1.0), (0.5, 2.0), (-2.0, 3.0)):
            h, slope = h0, 0.0
            for _ in range(T):
                h, slope = w * h, h + w * slope
            cases.append(Case(f"w = {w:g}, h0 = {h0:g}, T = {T}", (w, h0, T), slope,
                              partial(judge_weight, w=w, h0=h0, T=T, expected=slope)))
    return examine("shared_weight", answer, cases)


def judge_weight(got, w, h0, T, expected):
    """Return a hint on the gradient of a shared weight, "" if it is right."""
    known = [] if T == 0 else [
        (T * w ** (T - 1), "how much w matters depends on where the chain starts: h0 is a factor"),
        (T * w ** T * h0, "at each use the other T - 1 factors are left, not T"),
        (w ** (T - 1) * h0, f"this is what one use of w gives; it is used {T} times"),
        (w ** T, "this is dh_T/dh_0; asked is the derivative with respect to w"),
        (w ** T * h0, "this is h_T itself; differentiate it with respect to w"),
    ]
    otherwise = "without a step w is not used at all" if T == 0 else "h_T = w**T * h0; differentiate that by w"
    return near(got, expected, known, otherwise, 1e-7)


def tanh_chain(answer):
    """Check ``answer(w, h0, T)``: dh_T/dh_0 for h_(t+1) = tanh(w h_t).

    Oracle: a finite difference that rounding does not hurt: the chain is run with the complex number h0 + 1e-20 i, and
    the derivative is the imaginary part of its end over 1e-20 (Squire and Trapp 1998).

    Args:
        answer: a function of two floats and an int that returns a number.

    Returns:
        1 if it is right for all inputs, else 0.

    Example:
        >>> tanh_chain(lambda w, h0, T: w ** T)
        tanh_chain: not yet right for w = 2, h0 = 0.5, T = 1: expected 0.839949, received 2. Hint: the slope of the \
tanh is missing: each step has the factor w * (1 - h**2).
        0
    """
    cases = []
    for T in (0, 1, 2, 3, 20):
        for w, h0 in ((2.0, 0.0), (2.0, 0.5), (-1.5, 0.8), (0.5, -1.0)):
            expected = float(passed(w, complex(h0, 1e-20), T).imag / 1e-20)
            cases.append(Case(f"w = {w:g}, h0 = {h0:g}, T = {T}", (w, h0, T), expected,
                              partial(judge_tanh, w=w, h0=h0, T=T, expected=expected)))
    return examine("tanh_chain", answer, cases)


def passed(w, h, T):
    """Return h_T of the chain with a tanh."""
    for _ in range(T):
        h = np.tanh(w * h)
    return h


def judge_tanh(got, w, h0, T, expected):
    """Return a hint on the derivative of the chain with a tanh, "" if it is right."""
    if T == 0:
        return near(got, expected, [], "with no step the end is the beginning, and its derivative is 1", 1e-7)
    states = [passed(w, h0, t) for t in range(T + 1)]
    products = {
        "the slope of the tanh is missing: each step has the factor w * (1 - h**2)": [w] * T,
        "the slope belongs to the new state: take h after the tanh, not before":
            [w * (1 - h ** 2) for h in states[:-1]],
        "the inner derivative is missing: tanh(w * h) has the slope w * (1 - tanh**2)":
            [1 - h ** 2 for h in states[1:]],
        "h is the tanh already: its slope is 1 - h**2, without another tanh":
            [w * (1 - np.tanh(h) ** 2) for h in states[1:]],
        "each step has a slope of its own; do not take the last one for all": [w * (1 - states[-1] ** 2)] * T,
        "this is the last factor alone; multiply those of all steps": [w * (1 - states[-1] ** 2)],
    }
    known = [(math.prod(factors), hint) for hint, factors in products.items()]
    return near(got, expected, [*known, (states[-1], "this is h_T; asked is its derivative by h_0")],
                "each step multiplies the derivative by w * (1 - h**2), with the new h", 1e-7)

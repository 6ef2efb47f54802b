"""How an exercise is examined: an answer is tried on cases, smallest first, and one line says what came of it."""

import copy
import math
import re
from typing import Any, NamedTuple

import numpy as np

LONGEST = 110
"""Characters of a value that are shown; a line stays a line."""

KIND = "this is not the kind of value that was asked for"
ERROR = "the call ended in an error instead of a value"
ON_TAPE = f"{ERROR}: on the tape is what has requires_grad=True, or was taken with create_graph=True"
ERRORS = {"read-only": "do not change the arrays you are given; return new ones",
          "'NoneType'": f"{ERROR}: something is None here; ask whether it is before you use it",
          "division by zero": f"{ERROR}: for this input you divide by 0",
          "require a gradient": ON_TAPE, "requires a gradient": ON_TAPE}
"""What to say if these words are in the error that an answer raised."""


class Points(int):
    """What a check returns: 1 if the answer is right, else 0.

    As text it is a bare number, which is what autograders read (nbgrader takes a number as the points of its cell); a
    notebook shows it in words.

    Example:
        >>> Points(True), bool(Points(False))
        (1, False)
    """

    def _repr_html_(self):
        return f"<small>{int(self)} of 1 point</small>"


class Case(NamedTuple):
    """One input of an exercise.

    Attributes:
        shown: the input as the reader is to see it.
        args: what the answer is called with; each call gets a copy of its own, arrays read-only.
        expected: what is right, to be shown.
        judge: takes what was received and returns "" if it is right, else a hint.
    """

    shown: str
    args: tuple
    expected: Any
    judge: Any


def examine(name, answer, cases):
    """Try an answer on cases, smallest first; print one line.

    Args:
        name: of the exercise, for the line.
        answer: the learner's function.
        cases: an iterable of :class:`Case`.

    Returns:
        1 if every case was right, else 0, as :class:`Points`.

    Example:
        >>> cases = [Case(f"x = {x}", (x,), x * x, lambda got, x=x: "" if got == x * x else "multiply") for x in (0, 3)]
        >>> examine("square", lambda x: x * x, cases)
        square: passed, 2 inputs tried.
        1
        >>> examine("square", lambda x: x + x, cases)
        square: not yet right for x = 3: expected 9, received 6. Hint: multiply.
        0
    """
    tried = 0
    for case in cases:
        tried += 1
        try:
            with np.errstate(all="ignore"):
                received = answer(*frozen(case.args))
        except NotImplementedError:
            print(f"{name}: not written yet. Put your code where `raise NotImplementedError` stands.")
            return Points(0)
        except Exception as error:          # whatever a learner's function raises is part of the answer
            received = f"{type(error).__name__}: {error}"
            hint = next((hint for words, hint in ERRORS.items() if words in received), ERROR)
        else:
            hint = verdict(case, received)
        if hint:
            print(f"{name}: not yet right for {case.shown}: expected {short(case.expected)}, received "
                  f"{short(received)}. Hint: {hint}.")
            return Points(0)
    print(f"{name}: passed, {tried} inputs tried.")
    return Points(1)


def verdict(case, received):
    """Return the judge's hint; a value that it cannot even look at is of the wrong kind."""
    if received is None:
        return "the function returns nothing; end it with return"
    try:
        with np.errstate(all="ignore"):
            hint = case.judge(received)
        if not hint and isinstance(received, str) and not isinstance(case.expected, str):
            return f"{KIND}: it is text"                        # float("1.5") is a number, "1.5" is none
        return hint
    except Exception:
        if isinstance(case.expected, (int, float)) and not isinstance(received, str) and np.ndim(received):
            return f"{KIND}: return one number, without brackets or axes"
        return KIND


def frozen(value):
    """Return a deep copy in which no array can be written."""
    if isinstance(value, dict):
        return {name: frozen(v) for name, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(frozen(v) for v in value)
    value = copy.deepcopy(value)
    if isinstance(value, np.ndarray):
        value.flags.writeable = False
    return value


def short(value):
    """Return a value as text on one line, not too long: arrays as lists, numbers to six digits, no addresses.

    Example:
        >>> short([np.ones(2), 1 / 3, short])
        '[[1, 1], 0.333333, <function short>]'
    """
    text = " ".join((value if isinstance(value, str) else spell(value)).split())
    text = re.sub(r" at 0x[0-9a-fA-F]+", "", text)          # another one in each run
    return text if len(text) <= LONGEST else text[:LONGEST - 4] + " ..."


def spell(value):
    """Return a value as text, NumPy's as plain Python's."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k!r}: {spell(v)}" for k, v in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(spell(v) for v in value) + "]"
    if isinstance(value, (np.ndarray, np.integer, np.bool_)):
        return spell(value.tolist())
    return f"{value:.6g}" if isinstance(value, (float, np.floating)) else repr(value)


def near(got, expected, known, otherwise, rtol=1e-6):
    """Judge a number: return "" if it is the expected one, else the hint of the mistake that gives just this number.

    Args:
        got: what was received.
        expected: what is right.
        known: pairs of the number that a mistake gives, and the hint.
        otherwise: the hint for any other number.
        rtol: relative difference that is still the same number; none is so small that it passes for 0.

    Raises:
        TypeError, ValueError: if what was received is no number.

    Example:
        >>> near(6, 9, [(6, "squared, not doubled")], "multiply"), near(9.0, 9, [], "multiply")
        ('squared, not doubled', '')
    """
    got = float(got)
    if math.isclose(got, expected, rel_tol=rtol, abs_tol=1e-300):
        return ""
    return next((hint for value, hint in known if math.isclose(got, value, rel_tol=rtol)), otherwise)

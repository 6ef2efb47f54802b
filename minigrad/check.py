"""Oracles for the exercises in the tutorials: ``check.<name>(answer)`` prints one line and returns a bool.

There is no hidden key.  An answer is tried on small inputs first and judged by what must be true of it: a
finite difference, a closed form, an invariance.  The line says that it passed, or names the smallest input on which
it fails, with what was expected, what was received, and a hint.
"""

import copy
import math
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from minigrad.hooks import Context, Pipeline
from minigrad.norms import cosine, norm

LONGEST = 110
"""Characters of a value that are shown; a line stays a line."""


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
        whether every case was right.

    Example:
        >>> cases = [Case(f"x = {x}", (x,), x * x, lambda got, x=x: "" if got == x * x else "multiply") for x in (0, 3)]
        >>> examine("square", lambda x: x * x, cases)
        square: passed, 2 inputs tried.
        True
        >>> examine("square", lambda x: x + x, cases)
        square: not yet right for x = 3: expected 9, received 6. Hint: multiply.
        False
    """
    tried = 0
    for case in cases:
        tried += 1
        try:
            with np.errstate(all="ignore"):
                received = answer(*frozen(case.args))
        except NotImplementedError:
            print(f"{name}: not written yet. Put your code where `raise NotImplementedError` stands.")
            return False
        except Exception as error:          # whatever a learner's function raises is part of the answer
            received = f"{type(error).__name__}: {error}"
            hint = ("do not change the arrays you are given; return new ones" if "read-only" in received else
                    "the call ended in an error instead of a value")
        else:
            hint = verdict(case.judge, received)
        if hint:
            print(f"{name}: not yet right for {case.shown}: expected {short(case.expected)}, received "
                  f"{short(received)}. Hint: {hint}.")
            return False
    print(f"{name}: passed, {tried} inputs tried.")
    return True


def verdict(judge, received):
    """Return the judge's hint; a value that it cannot even look at is of the wrong kind."""
    if received is None:
        return "the function returns nothing; end it with return"
    try:
        with np.errstate(all="ignore"):
            return judge(received)
    except Exception:
        return "this is not the kind of value that was asked for"


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
    """Return a value as text on one line, not too long: arrays as lists, numbers to six digits."""
    text = " ".join((value if isinstance(value, str) else spell(value)).split())
    return text if len(text) <= LONGEST else text[:LONGEST - 4] + " ..."


def spell(value):
    """Return a value as text, NumPy's as plain Python's."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k!r}: {spell(v)}" for k, v in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(spell(v) for v in value) + "]"
    if isinstance(value, np.ndarray):
        return spell(value.tolist())
    return f"{value:.6g}" if isinstance(value, (float, np.floating)) else repr(value)


# ---------------------------------------------------------------------- tutorial 00: start here

def chain_factor(answer):
    """Check ``answer(w, T)``: the factor between dL/dh_0 and dL/dh_T in a chain of T multiplications by w.

    Oracle: a finite difference.  The chain is run forward from 0 and from 1; it is linear, so the difference of
    the two ends is the derivative, whatever the step.

    Args:
        answer: a function of w (float) and T (int) that returns a number.

    Returns:
        whether it is right for all inputs.

    Example:
        >>> chain_factor(lambda w, T: w * T)
        chain_factor: not yet right for w = 1.5, T = 0: expected 1, received 0. Hint: with no step nothing is changed.
        False
    """
    def judge(got, expected, T):
        hint = "with no step nothing is changed" if T == 0 else "each step multiplies the gradient by w once more"
        return "" if math.isclose(float(got), expected, rel_tol=1e-9) else hint

    cases = []
    for T in (0, 1, 2, 3, 10, 50):
        for w in (1.5, 1.0, 0.5, -2.0, 0.0):
            low, high = 0.0, 1.0
            for _ in range(T):
                low, high = w * low, w * high
            cases.append(Case(f"w = {w:g}, T = {T}", (w, T), high - low, partial(judge, expected=high - low, T=T)))
    return examine("chain_factor", answer, cases)


def clip_norm(answer):
    """Check ``answer(grads, max_norm)``: clip a list of arrays by the norm of all of them together.

    Oracles: invariances (a short gradient stays as it is; the direction is kept), and a closed form (the norm
    afterwards is the smaller of norm and threshold).

    Args:
        answer: a function of a list of arrays and a threshold that returns a list of arrays.

    Returns:
        whether it is right for all inputs.

    Example:
        >>> clip_norm(lambda grads, max_norm: [g / max_norm for g in grads])
        clip_norm: not yet right for grads = [[3, 4]], max_norm = 1: expected [[0.6, 0.8]], received [[3, 4]]. \
Hint: the norm of all arrays together should be 1 now, and is 5.
        False
    """
    rng = np.random.default_rng(0)
    cases = []
    for lists, max_norm in [([[0.5]], 1.0), ([[0.0, 0.0]], 1.0), ([[3.0, 4.0]], 1.0), ([[3.0, 4.0]], 5.0),
                            ([[0.3], [0.4]], 1.0), ([[3.0], [4.0]], 2.5), ([[0.8], [0.8]], 1.0),
                            ([[3.0, 4.0], [[0.0, 12.0]]], 6.5), ([rng.normal(size=(8, 4)), rng.normal(size=4)], 0.1)]:
        grads = [np.array(a) for a in lists]
        length = norm(grads)
        expected = grads if length <= max_norm else [g / length * max_norm for g in grads]
        cases.append(Case(f"grads = {short(grads)}, max_norm = {max_norm:g}", (grads, max_norm), expected,
                          partial(rescaled, grads=grads, expected=expected)))
    return examine("clip_norm", answer, cases)


def unit_norm(answer):
    """Check ``answer(grads, ctx)``: a hook that gives every gradient the norm 1 and keeps its direction.

    Oracles: a closed form (norm 1) and invariances (the direction is kept, the length of what came in does not
    matter, zeros stay zeros).  The hook is run as an optimizer runs it.

    Args:
        answer: a hook; takes a dict name -> array and a Context, returns such a dict.

    Returns:
        whether it is right for all inputs.

    Example:
        >>> unit_norm(lambda grads, ctx: {name: g / max(ctx.norm, 1.0) for name, g in grads.items()})
        unit_norm: not yet right for grads = {'w': [0.5]}: expected {'w': [1]}, received {'w': [0.5]}. Hint: the norm \
of all arrays together should be 1 now, and is 0.5.
        False
    """
    def as_hook(grads):
        ctx = Context(step=0, micro_step=0, weight=1.0, lr=0.1, params={}, norm=norm(grads.values()))
        return Pipeline([answer]).run(grads, ctx, counts=False)[0]

    def judge(got, grads, expected):
        return rescaled([got[name] for name in grads], list(grads.values()), list(expected.values()))

    cases = []
    for lists in [{"w": [2.0]}, {"w": [0.5]}, {"w": [3.0, 4.0]}, {"w": [0.0, 0.0]}, {"a": [3.0], "b": [4.0]},
                  {"a": [3e-3, 4e-3], "b": [[0.0, 12e-3]]}, {"w": [3e6, -4e6]}, {"w": [3e-200, 4e-200]}]:
        grads = {name: np.array(a) for name, a in lists.items()}
        length = norm(grads.values())
        expected = {name: g / length if length else g for name, g in grads.items()}
        cases.append(Case(f"grads = {short(grads)}", (grads,), expected,
                          partial(judge, grads=grads, expected=expected)))
    return examine("unit_norm", as_hook, cases)


def rescaled(got, grads, expected):
    """Return a hint on what is wrong with a list of rescaled gradients, "" if nothing is."""
    got = [np.asarray(g, dtype=float) for g in got]
    if [g.shape for g in got] != [g.shape for g in grads]:
        return "return one array for each array given, of the same shape"
    if all(np.allclose(a, b, rtol=1e-6, atol=0) for a, b in zip(got, expected)):
        return ""
    length, target = norm(grads), norm(expected)
    if length == 0:
        return "a gradient of zeros has no direction, and 0 / 0 is nan: leave it alone"
    if length == target:
        return f"the norm of all arrays together, {length:.4g}, needs no change here: leave the gradient alone"
    if length < 1e-150:
        return "the square of 1e-200 is 0 in floating point; ctx.norm knows the norm all the same"
    if not cosine(got, grads) > 1 - 1e-9:
        return "the direction is lost: multiply every element of every array by one and the same number"
    return f"the norm of all arrays together should be {target:.4g} now, and is {norm(got):.4g}"

"""Oracles for the exercises in the tutorials: ``check.<name>(answer)`` prints one line and returns a bool.

There is no hidden key.  An answer is tried on small inputs first and judged by what must be true of it: a
finite difference, a closed form, an invariance.  The line says that it passed, or names the smallest input on which
it fails, with what was expected, what was received, and a hint.
"""

import copy
import math
from typing import Any, NamedTuple

import numpy as np

from minigrad.hooks import Context, Pipeline
from minigrad.norms import cosine, norm

LONGEST = 90
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
            complaint, hint = short(f"{type(error).__name__}: {error}"), "the function raised this error itself"
            if "read-only" in str(error):
                hint = "do not change the arrays you are given; return new ones"
        else:
            complaint, hint = short(received), verdict(case.judge, received)
        if hint:
            print(f"{name}: not yet right for {case.shown}: expected {short(case.expected)}, received {complaint}. "
                  f"Hint: {hint}.")
            return False
    print(f"{name}: passed, {tried} inputs tried.")
    return True


def verdict(judge, received):
    """Return the judge's hint; a value that it cannot even look at is of the wrong kind."""
    try:
        with np.errstate(all="ignore"):
            return judge(received)
    except Exception:
        return "this is not the kind of value that was asked for" if received is not None else "did you forget return?"


def frozen(args):
    """Return a deep copy of some arguments in which no array can be written."""
    args = copy.deepcopy(args)
    stack = list(args)
    while stack:
        item = stack.pop()
        if isinstance(item, np.ndarray):
            item.flags.writeable = False
        elif isinstance(item, (list, tuple)):
            stack.extend(item)
        elif isinstance(item, dict):
            stack.extend(item.values())
    return args


def short(value):
    """Return a value as text on one line: arrays as lists, six digits."""
    text = value if isinstance(value, str) else spell(value)
    text = " ".join(text.split())
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
    return examine("chain_factor", answer, chain_cases())


def chain_cases():
    """Yield the cases of :func:`chain_factor`: short chains first."""
    for T in (0, 1, 2, 3, 10, 50):
        for w in (1.5, 1.0, 0.5, -2.0, 0.0):
            ends = []
            for h in (0.0, 1.0):
                for _ in range(T):
                    h = w * h
                ends.append(h)
            expected = ends[1] - ends[0]
            hint = "with no step nothing is changed" if T == 0 else "each step multiplies the gradient by w once more"
            yield Case(f"w = {w:g}, T = {T}", (w, T), expected,
                       lambda got, e=expected, hint=hint: "" if math.isclose(float(got), e, rel_tol=1e-9) else hint)


def clip_norm(answer):
    """Check ``answer(grads, max_norm)``: clip a list of arrays by their global norm.

    Oracles: invariances (a short gradient stays as it is; the direction is kept), and a closed form (the norm
    afterwards is min(norm, max_norm)).

    Args:
        answer: a function of a list of arrays and a threshold that returns a list of arrays.

    Returns:
        whether it is right for all inputs.

    Example:
        >>> clip_norm(lambda grads, max_norm: [np.clip(g, -max_norm, max_norm) for g in grads])
        clip_norm: not yet right for grads = [[3, 4]], max_norm = 1: expected [[0.6, 0.8]], received [[1, 1]]. Hint: \
the direction has changed: multiply every element of every array by one and the same number.
        False
    """
    rng = np.random.default_rng(0)
    inputs = [([[0.5]], 1.0), ([[0.0, 0.0]], 1.0), ([[3.0, 4.0]], 1.0), ([[3.0, 4.0]], 5.0), ([[3.0], [4.0]], 2.5),
              ([[0.3], [0.4]], 1.0), ([[0.8], [0.8]], 1.0), ([[3.0, 4.0], [[0.0, 12.0]]], 6.5),
              ([rng.normal(size=(8, 4)), rng.normal(size=4)], 0.1)]
    cases = []
    for lists, max_norm in inputs:
        grads = [np.array(a) for a in lists]
        length = norm(grads)
        expected = grads if length <= max_norm else [g / length * max_norm for g in grads]
        cases.append(Case(f"grads = {short(grads)}, max_norm = {max_norm:g}", (grads, max_norm), expected,
                          lambda got, g=grads, e=expected, limit=max_norm: compare(got, g, e, limit)))
    return examine("clip_norm", answer, cases)


def compare(got, grads, expected, limit):
    """Return a hint on what is wrong with clipped gradients, "" if nothing is."""
    got = [np.asarray(g, dtype=float) for g in got]
    if [g.shape for g in got] != [g.shape for g in grads]:
        return "return one array for each array given, of the same shape"
    if all(np.allclose(a, b, rtol=1e-6, atol=0) for a, b in zip(got, expected)):
        return ""
    length = norm(grads)
    if not all(np.isfinite(g).all() for g in got):
        return "this divides by a norm of 0" if length == 0 else "the result is not finite"
    if length <= limit:
        return f"the norm of all arrays together, {length:.4g}, is not above the threshold: leave the gradient alone"
    if cosine(got, grads) < 1 - 1e-9:
        return "the direction has changed: multiply every element of every array by one and the same number"
    return f"the norm of all arrays together should be {limit:g} now, and is {norm(got):.4g}"


def unit_norm(answer):
    """Check ``answer(grads, ctx)``: a hook that gives every gradient the norm 1 and keeps its direction.

    Oracles: the closed form (norm 1), invariances (the direction is kept; the length of what came in does not matter; a
    gradient of zeros stays zeros).  The hook is run as an optimizer runs it.

    Args:
        answer: a hook: takes a dict name -> array and a Context, returns such a dict.

    Returns:
        whether it is right for all inputs.

    Example:
        >>> unit_norm(lambda grads, ctx: {k: g / max(ctx.norm, 1.0) for k, g in grads.items()})
        unit_norm: not yet right for grads = {'w': [0.5]}: expected {'w': [1]}, received {'w': [0.5]}. Hint: the norm \
of all parameters together should be 1 now, and is 0.5.
        False
    """
    def applied(grads):
        ctx = Context(step=0, micro_step=0, weight=1.0, lr=0.1, params={}, norm=norm(grads.values()))
        return Pipeline([answer]).run(grads, ctx, counts=False)[0]

    direction = np.array([3.0, 4.0])
    inputs = [{"w": np.array([2.0])}, {"w": np.array([0.5])}, {"w": direction}, {"w": np.zeros(2)},
              {"a": direction[:1], "b": direction[1:]}, {"a": 1e-3 * direction, "b": np.array([[0.0, 12e-3]])},
              {"w": 1e6 * direction}, {"w": 1e-200 * direction}]
    cases = []
    for grads in inputs:
        length = norm(grads.values())
        expected = {k: g / length if length else g for k, g in grads.items()}
        cases.append(Case(f"grads = {short(grads)}", (grads,), expected,
                          lambda got, g=grads, e=expected: judge_unit(got, g, e)))
    return examine("unit_norm", applied, cases)


def judge_unit(got, grads, expected):
    """Return a hint on what is wrong with gradients of norm 1, "" if nothing is."""
    if not isinstance(got, dict):
        return "return a dict name -> array"
    if norm(grads.values()) < 1e-150 and 0 < norm(expected.values()) and norm(got.values()) != 1:
        if not all(np.allclose(got[k], e, rtol=1e-6, atol=0) for k, e in expected.items()):
            return "the square of 1e-200 is 0 in floating point; ctx.norm knows the norm all the same"
    return compare([got[k] for k in grads], list(grads.values()), list(expected.values()), 1.0) and (
        "a gradient of zeros has no direction: return zeros" if not norm(grads.values()) else
        "the direction has changed: divide all parameters by one and the same number"
        if norm(got.values()) and cosine(list(got.values()), list(grads.values())) < 1 - 1e-9 else
        f"the norm of all parameters together should be 1 now, and is {norm(got.values()):.4g}")

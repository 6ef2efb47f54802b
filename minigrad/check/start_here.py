"""Tutorial 00, start here: the factor of a chain, the clip of a norm, a hook of one's own."""

import math
from functools import partial

import numpy as np

from minigrad.check.exam import Case, examine, short
from minigrad.hooks import Context, Pipeline
from minigrad.norms import cosine, norm


def chain_factor(answer):
    """Check ``answer(w, T)``: the factor between dL/dh_0 and dL/dh_T in a chain of T multiplications by w.

    Oracle: a finite difference.  The chain is run forward from 0 and from 1; it is linear, so the difference of
    the two ends is the derivative, whatever the step.

    Args:
        answer: a function of w (float) and T (int) that returns a number.

    Returns:
        1 if it is right for all inputs, else 0.

    Example:
        >>> chain_factor(lambda w, T: w * T)
        chain_factor: not yet right for w = 1.5, T = 0: expected 1, received 0. Hint: with no step nothing is changed.
        0
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
        1 if it is right for all inputs, else 0.

    Example:
        >>> clip_norm(lambda grads, max_norm: [g / max_norm for g in grads])
        clip_norm: not yet right for grads = [[3, 4]], max_norm = 1: expected [[0.6, 0.8]], received [[3, 4]]. \
Hint: the norm of all arrays together should be 1 now, and is 5.
        0
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
        1 if it is right for all inputs, else 0.

    Example:
        >>> unit_norm(lambda grads, ctx: {name: g / max(ctx.norm, 1.0) for name, g in grads.items()})
        unit_norm: not yet right for grads = {'w': [0.5]}: expected {'w': [1]}, received {'w': [0.5]}. Hint: the norm \
of all arrays together should be 1 now, and is 0.5.
        0
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

"""Tutorial 08, reading the instruments: the ratio of update to data, dead units, and the sealed runs."""

import hmac
import math
from functools import partial

import numpy as np

from minigrad.check import sealed
from minigrad.check.exam import Case, examine, short
from minigrad.norms import norm


def update_to_data(answer):
    """Check ``answer(before, after)``: the ratio of update to data of all parameters together.

    Oracle: a closed form, ||after - before|| / ||before||, each norm over all arrays.

    Args:
        answer: a function of two lists of arrays, the parameters before the update and after it; returns a number.

    Returns:
        1 if it is right for all inputs, else 0.

    Example:
        >>> update_to_data(lambda before, after: sum(abs(b - a).sum() for a, b in zip(before, after)))
        update_to_data: not yet right for before = [[2]], after = [[5]]: expected 1.5, received 3. Hint: divide by the \
norm of the parameters before the update.
        0
    """
    def judge(got, before, after, expected):
        got, steps = float(got), [b - a for a, b in zip(before, after)]
        if math.isclose(got, expected, rel_tol=1e-6, abs_tol=1e-15):
            return ""
        length = norm(steps)
        mean = np.mean([norm([d]) / norm([a]) for d, a in zip(steps, before)])
        for wrong, words in ((length, "divide by the norm of the parameters before the update"),
                             (length / norm(after), "divide by the parameters before the update, not after it"),
                             (expected ** 2, "take the root: a norm is the root of the sum of squares"),
                             (1 / expected if expected else math.nan, "the update stands above the parameters"),
                             (mean, "one norm over all arrays together, not a mean of one ratio per array")):
            if math.isclose(got, wrong, rel_tol=1e-6):
                return words
        return "the norm of (after - before) over all arrays, divided by the norm of before over all arrays"

    rng = np.random.default_rng(0)
    many = [rng.normal(size=(4, 3)), rng.normal(size=4)]
    cases = []
    for lists in [([[2.0]], [[5.0]]), ([[2.0]], [[2.0]]), ([[3.0, 4.0]], [[3.0, 3.9]]),
                  ([[3.0], [4.0]], [[3.0], [3.5]]), ([[1.0, 0.0], [[0.0, 10.0]]], [[1.1, 0.0], [[0.0, 10.1]]]),
                  (many, [a - 1e-3 * rng.normal(size=a.shape) for a in many])]:
        before, after = ([np.array(a) for a in side] for side in lists)
        expected = norm([b - a for a, b in zip(before, after)]) / norm(before)
        cases.append(Case(f"before = {short(before)}, after = {short(after)}", (before, after), expected,
                          partial(judge, before=before, after=after, expected=expected)))
    return examine("update_to_data", answer, cases)


def dead_share(answer):
    """Check ``answer(h)``: the share of the units of a ReLU layer that are 0 for every input of a batch.

    Oracle: a count by plain loops; and an invariance, as inputs that are there twice change nothing.

    Args:
        answer: a function of the outputs (batch, units) that returns a number from 0 to 1.

    Returns:
        1 if it is right for all inputs, else 0.

    Example:
        >>> dead_share(lambda h: (h == 0).mean())
        dead_share: not yet right for h = [[0, 1, 3], [0, 0, 2]]: expected 0.333333, received 0.5. Hint: that is the \
share of zeros; a unit is dead only if it is 0 for all inputs.
        0
    """
    def judge(got, h, expected):
        got, zero = float(got), h == 0
        if math.isclose(got, expected, rel_tol=1e-9, abs_tol=1e-12):
            return ""
        for wrong, words in ((zero.mean(), "that is the share of zeros; a unit is dead only if it is 0 for all inputs"),
                             (expected * h.shape[1], "a share is wanted, not a count"),
                             (zero.any(axis=0).mean(), "a unit that is 0 for some inputs only is not dead"),
                             (zero.all(axis=1).mean(), "inputs go down the rows, units along the columns"),
                             (1 - expected, "that is the share of the living")):
            if math.isclose(got, float(wrong), rel_tol=1e-9, abs_tol=1e-12):
                return words
        return "go through the columns, and count those that hold nothing but zeros"

    rng = np.random.default_rng(1)
    large = np.maximum(rng.normal(size=(16, 12)) - 1.0, 0)
    large[:, [2, 3, 7]] = 0
    cases = []
    for rows in ([[1.0]], [[0.0]], [[0.0, 1.0, 3.0], [0.0, 0.0, 2.0]], [[0.0, 2.0, 0.0], [3.0, 0.0, 0.0]],
                 [[0.0, 0.0, 0.0, 0.0], [0.0, 1.0, 1e-12, 0.0]], large):
        h = np.array(rows)
        expected = sum(all(v == 0 for v in column) for column in h.T) / h.shape[1]
        cases.append(Case(f"h = {short(h)}", (h,), expected, partial(judge, h=h, expected=expected)))
    return examine("dead_share", answer, cases)


# ----------------------------------------------------------------------------------------------- the sealed runs

LOOK = {
    "healthy": "a good loss is not enough: go through every instrument of run.start",
    "rate too high": "updates would be a large share of the weights: look at run.trace.ratios()",
    "rate too low": "updates would be tiny, and not because of a clip: look at run.trace.ratios() and at the "
                    "coefficient of ClipNorm",
    "clip threshold too low": "every step would be much shorter than the gradient: look at the coefficient of "
                              "ClipNorm in run.trace, and at whether the gradient needed it",
    "vanishing: gain too small": "delta would shrink from layer to layer on its way back, and nowhere be exactly 0: "
                                 "look at the rows of run.start",
    "exploding: gain too large": "delta would grow from layer to layer on its way back: look at the rows of run.start",
    "dead units": "whole layers would be 0 for all inputs: look at `dead` in the rows of run.start",
    "saturated: inputs too large": "the first layer alone would be nearly all saturated: look at `saturated` in the "
                                   "rows of run.start",
}
"""What is asked of somebody who gave this diagnosis where it is wrong."""


def sealed_diagnosis(answer):
    """Check ``answer(run)``: what is wrong with each of the sealed runs, if anything.

    Oracle: the settings that each run was made with; they are drawn, and a test finds the diagnoses again from what the
    runs show.  The diagnoses are kept as salted hashes, see :mod:`minigrad.check.sealed`: a seal, not a vault.  The
    line says of a wrong diagnosis where it would have shown itself, and not what is right.

    Args:
        answer: a function of a :class:`minigrad.check.sealed.SealedRun` that returns one of
            :data:`minigrad.check.sealed.DIAGNOSES`.

    Returns:
        1 if it is right for all runs, else 0.

    Example:
        >>> sealed_diagnosis(lambda run: "tired")
        sealed_diagnosis: not yet right for run A: expected what its seal says, received tired. Hint: the diagnoses \
are 'clip threshold too low', 'dead units', 'exploding: gain too large', 'healthy', 'rate too high', 'rate too low', \
'saturated: inputs too large', 'vanishing: gain too small'.
        0
    """
    def judge(got, name):
        if got not in sealed.DIAGNOSES:
            return "the diagnoses are " + ", ".join(map(repr, sealed.DIAGNOSES))
        right = hmac.compare_digest(sealed.seal(name, got), sealed.SEALS[name])
        return "" if right else LOOK[got]

    return examine("sealed_diagnosis", answer, (
        Case(f"run {name}", (run,), "what its seal says", partial(judge, name=name))
        for name, run in sealed.sealed_runs().items()))

"""Tutorial 14, myths: a measurement that decides, a counterexample, how much luck explains."""

import itertools
import math
from functools import partial

import numpy as np

from minigrad.check.exam import Case, examine
from minigrad.hooks import ClipNorm, ClipValue, apply_hooks
from minigrad.norms import cosine, norm


def smallest_cosine(answer):
    """Check ``answer(clip)``: the smallest cosine found between a vector and what a function makes of it.

    Oracle: clips that are made for the purpose.  What each does is known: some keep every direction, some turn, some
    reverse what is long.  A measurement that does not notice is not yet right.

    Args:
        answer: a function of a clip, array -> array, that returns a number.

    Returns:
        1 if it is right for all clips, else 0.

    Example:
        >>> smallest_cosine(lambda clip: 1.0)
        smallest_cosine: not yet right for a clip that reverses every vector: expected -1, received 1. Hint: this \
clip turns vectors round, and your measurement did not notice: call clip(g), and compare with g.
        0
    """
    def through(hook):
        return lambda g: apply_hooks([hook], {"g": np.asarray(g, float)})["g"]

    def reverses(low, high):
        return lambda g: -np.asarray(g) if low <= np.linalg.norm(g) <= high else np.asarray(g)

    unnoticed = "this clip turns vectors round, and your measurement did not notice: "
    return examine("smallest_cosine", answer, [
        Case("a clip that changes nothing", (lambda g: g,), 1.0, partial(judge_cosine, low=1.0, high=1.0)),
        Case("a clip that reverses every vector", (reverses(0, math.inf),), -1.0,
             partial(judge_cosine, low=-1.0, high=-1.0, missed=unnoticed + "call clip(g), and compare with g")),
        Case("a clip by norm at 1", (through(ClipNorm(1.0)),), 1.0, partial(judge_cosine, low=1.0, high=1.0)),
        Case("a clip that reverses what is longer than 1", (reverses(1, math.inf),), -1.0,
             partial(judge_cosine, low=-1.0, high=-1.0, missed=unnoticed + "return the smallest cosine, not the first "
                     "or the mean")),
        Case("a clip that reverses what is longer than 100", (reverses(100, math.inf),), -1.0,
             partial(judge_cosine, low=-1.0, high=-1.0, missed=unnoticed + "try longer vectors, up to 1000")),
        Case("a clip that reverses what is shorter than 0.1", (reverses(0, 0.1),), -1.0,
             partial(judge_cosine, low=-1.0, high=-1.0, missed=unnoticed + "try shorter vectors, down to 0.01")),
        Case("a clip that reverses lengths from 4 to 8", (reverses(4, 8),), -1.0,
             partial(judge_cosine, low=-1.0, high=-1.0, missed=unnoticed + "try more lengths between the ends")),
        Case("a clip by value at 1", (through(ClipValue(1.0)),), "a number from 0.3 to 0.8",
             partial(judge_cosine, low=0.3, high=0.8, missed="this clip turns vectors, and your measurement hardly "
                     "noticed: try more directions of each length"))])


def judge_cosine(got, low, high, missed=""):
    """Return a hint on a number that should be a smallest cosine from low to high, "" for one."""
    got = float(got)
    if math.isnan(got):
        return "divide by the lengths of both vectors, and try no vector of length 0"
    if low - 1e-6 <= got <= high + 1e-6:
        return ""
    if abs(got) > 1 + 1e-6:
        return "a cosine is between -1 and 1: divide the scalar product by the lengths of both vectors"
    return missed if got > high and missed else "divide the scalar product by the lengths of both vectors"


def against_the_mean(answer):
    """Check ``answer(c)``: micro-batch gradients whose mean, after each is clipped at c, points against the true mean.

    Oracle: the example is run through :class:`minigrad.hooks.ClipNorm`.

    Args:
        answer: a function of a threshold > 0 that returns a list of arrays of one shape.

    Returns:
        1 if it is right for all thresholds, else 0.

    Example:
        >>> against_the_mean(lambda c: [np.array([10.0]), np.array([-9.0])])
        against_the_mean: not yet right for c = 1: expected a scalar product below 0, received [[10], [-9]]. Hint: \
with two gradients it cannot be done: the longer one is never the shorter one after a clip.
        0
    """
    def judge(got, c):
        grads = [np.asarray(g, float) for g in got]
        if len({g.shape for g in grads}) > 1:
            return "all gradients must have one shape"
        if not all(np.isfinite(g).all() for g in grads):
            return "use finite numbers"
        if len(grads) < 3:
            return ("with two gradients it cannot be done: the longer one is never the shorter one after a clip"
                    if len(grads) == 2 else "one gradient keeps its direction; it takes several")
        clipped = [apply_hooks([ClipNorm(c)], {"g": g})["g"] for g in grads]
        true, mean = sum(grads) / len(grads), sum(clipped) / len(grads)
        if all(norm([g]) <= c for g in grads):
            return f"no gradient is longer than c = {c:g}, so nothing is clipped"
        if norm([true]) == 0 or norm([mean]) == 0:
            return "one of the two means is 0, and has no direction"
        found = cosine([true], [mean])
        if found < -1e-9:
            return ""
        return f"the two means have a cosine of {found:.3g}; let several short gradients outvote one long one"

    wanted = "a scalar product below 0"
    return examine("against_the_mean", answer,
                   [Case(f"c = {c:g}", (c,), wanted, partial(judge, c=c)) for c in (1.0, 0.1, 25.0)])


def by_chance(answer):
    """Check ``answer(ups, seeds)``: the probability of at least so many heads among so many throws of a fair coin.

    Oracle: all ways in which the coins can fall are counted.

    Args:
        answer: a function of two whole numbers, 0 <= ups <= seeds, that returns a number.

    Returns:
        1 if it is right for all inputs, else 0.

    Example:
        >>> by_chance(lambda ups, seeds: 0.5 ** seeds)
        by_chance: not yet right for ups = 0, seeds = 1: expected 1, received 0.5. Hint: none or more is certain.
        0
    """
    def judge(got, ups, seeds, expected):
        got = float(got)
        falls = [sum(heads) for heads in itertools.product((0, 1), repeat=seeds)]
        share = lambda count: count / len(falls)
        if math.isclose(got, expected, rel_tol=1e-9):
            return ""
        if ups == 0:
            return "none or more is certain"
        if math.isclose(got, share(sum(h == ups for h in falls)), rel_tol=1e-9):
            return f"this is the probability of exactly {ups}; more of them count, too"
        if math.isclose(got, share(sum(h > ups for h in falls)), rel_tol=1e-9, abs_tol=1e-15):
            return f"{ups} itself counts, too"
        if math.isclose(got, share(sum(h <= ups for h in falls)), rel_tol=1e-9):
            return f"this is {ups} or fewer; wanted is {ups} or more"
        return "which of the seeds come up heads is open: count all the ways"

    cases = []
    for ups, seeds in [(0, 1), (1, 1), (1, 2), (2, 2), (2, 3), (3, 6), (5, 6), (6, 6), (0, 5), (7, 10)]:
        falls = [sum(heads) for heads in itertools.product((0, 1), repeat=seeds)]
        expected = sum(h >= ups for h in falls) / len(falls)
        cases.append(Case(f"ups = {ups}, seeds = {seeds}", (ups, seeds), expected,
                          partial(judge, ups=ups, seeds=seeds, expected=expected)))
    return examine("by_chance", answer, cases)

"""Tutorial 10, a character RNN: what a table of contexts knows, a temperature, how many seeds have learned."""

import math
from functools import partial

import numpy as np

import minigrad as mg
from minigrad import nn
from minigrad.check.exam import Case, examine, short
from minigrad.tasks import zen

TAIL = 20
"""Updates over which the final loss is taken, as in the tutorial."""


def context_loss(answer):
    """Check ``answer(text, k)``: the loss of the best guess that knows the k characters before, in nats.

    At each of the places k, k + 1, ..., n - 1 the next character is guessed with the shares that it has after these k
    characters in the whole text; the loss is the mean of -ln(share).

    Oracle: the formula, run place by place without a table, and what must be so: a text that its context
    determines costs nothing.

    Args:
        answer: a function of a text (str) and k (int, at least 0 and less than the text's length) that returns a
            number.

    Returns:
        1 if it is right for all inputs, else 0.

    Example:
        >>> context_loss(lambda text, k: math.log(len(set(text))))
        context_loss: not yet right for text = 'aab', k = 0: expected 0.636514, received 0.693147. Hint: characters \
that occur more often are guessed with a larger share: count them.
        0
    """
    cases = []
    for text, k in [("ab", 0), ("aab", 0), ("abababab", 1), ("aabb", 1), ("abcb", 1), ("abcabd", 2), ("the then", 3),
                    (zen()[:120], 0), (zen()[:120], 1), (zen()[:120], 2)]:
        expected = place_by_place(text, k)
        cases.append(Case(f"text = {short(repr(text))}, k = {k}", (text, k), expected,
                          partial(judge_context, text=text, k=k, expected=expected)))
    return examine("context_loss", answer, cases)


def place_by_place(text, k):
    """Return the loss of the best guess that knows k characters: slow, without any table."""
    places = range(k, len(text))
    losses = []
    for i in places:
        alike = [j for j in places if text[j - k:j] == text[i - k:i]]
        losses.append(math.log(len(alike) / sum(text[j] == text[i] for j in alike)))
    return sum(losses) / len(losses)


def judge_context(got, text, k, expected):
    """Return a hint on a wrong loss, "" for the right one."""
    near = lambda value: math.isclose(float(got), value, rel_tol=1e-9, abs_tol=1e-12)
    if near(expected):
        return ""
    if near(expected / math.log(2)):
        return "this is in bits; the loss of a net is in nats, with the natural logarithm"
    if near(-expected):
        return "a loss is not negative: it is the mean of minus the logarithm"
    if near(expected * (len(text) - k)):
        return "this is the sum over the places; divide by their number"
    if k and near(expected * (len(text) - k) / len(text)):
        return f"only {len(text) - k} places have {k} characters before them; divide by that"
    if k and near(place_by_place(text, 0)):
        return "this knows nothing of the characters before; count each context by itself"
    if k:
        return f"the share of a character among those that follow the same {k} characters, not among all"
    return "characters that occur more often are guessed with a larger share: count them"


def with_temperature(answer):
    """Check ``answer(logits, temperature)``: the shares softmax(logits / temperature).

    Oracles: invariances (a constant added to all logits changes nothing; the shares sum to 1, however large the
    logits), and the engine's own softmax.

    Args:
        answer: a function of an array (V,) and a number > 0 that returns an array (V,).

    Returns:
        1 if it is right for all inputs, else 0.

    Example:
        >>> with_temperature(lambda logits, temperature: np.exp(logits) / np.exp(logits).sum())
        with_temperature: not yet right for logits = [0, 1], temperature = 0.5: expected [0.119203, 0.880797], \
received [0.268941, 0.731059]. Hint: divide the logits by the temperature before anything else.
        0
    """
    rng = np.random.default_rng(0)
    cases = []
    for logits, temperature in [([0.0, 0.0], 1.0), ([0.0, 1.0], 1.0), ([0.0, 1.0], 0.5), ([0.0, 1.0], 2.0),
                                ([5.0, 6.0, 4.0], 0.5), ([1000.0, 1001.0], 1.0), ([-1000.0, -1001.0], 1.0),
                                ([1.0, 2.0, 3.0], 1e-3), (rng.normal(size=12), 0.7)]:
        z = np.array(logits)
        expected = nn.functional.softmax(mg.tensor(z / temperature), dim=0).data
        cases.append(Case(f"logits = {short(z)}, temperature = {temperature:g}", (z, temperature), expected,
                          partial(judge_shares, z=z, temperature=temperature, expected=expected)))
    return examine("with_temperature", answer, cases)


def judge_shares(got, z, temperature, expected):
    """Return a hint on wrong shares, "" for the right ones."""
    got = np.asarray(got, dtype=float)
    if got.shape != z.shape:
        return "return one share for each logit"
    if np.allclose(got, expected, rtol=1e-9, atol=1e-12):
        return ""
    if not np.isfinite(got).all():
        return "exp(1000) overflows; subtract the largest logit first, which changes no share"
    if not math.isclose(got.sum(), 1.0, rel_tol=1e-9):
        return f"shares sum to 1, and these to {got.sum():.4g}; divide the exponentials by their sum"
    softmax = lambda a: np.exp(a - a.max()) / np.exp(a - a.max()).sum()
    if temperature != 1 and np.allclose(got, softmax(z * temperature), rtol=1e-9, atol=1e-12):
        return "divide by the temperature: a low one makes the likely more likely"
    return "divide the logits by the temperature before anything else"


def count_learned(answer):
    """Check ``answer(losses, bar)``: how many runs have learned.

    A run has learned if the mean of its last 20 losses (of all, if there are fewer) is below the bar.  One whose losses
    are not finite there has not.

    Oracle: the runs are made, each with an end that is known; and an invariance: their order does not matter.

    Args:
        answer: a function of an array (runs, steps) and a number that returns a whole number.

    Returns:
        1 if it is right for all inputs, else 0.

    Example:
        >>> count_learned(lambda losses, bar: int(sum(losses[:, -1] < bar)))
        count_learned: not yet right for a run that ends at 3 but for its last loss, 0.5; bar = 2: expected 0, \
received 1. Hint: one lucky step is no success: take the mean of the last 20 losses.
        0
    """
    flat = lambda value, steps=30: np.full(steps, value)
    ends = lambda start, end: np.concatenate([flat(start, 60), flat(end, TAIL)])
    good, bad = ends(3.5, 0.8), ends(0.8, 12.0)
    lucky = flat(3.0)
    lucky[-1] = 0.5
    dead = ends(1.0, math.nan)
    torn = ends(3.5, 0.5)
    torn[-3] = math.nan
    jumping = ends(3.5, 1.0)
    jumping[-5:] = 8.0
    calming = ends(5.0, 5.0)
    calming[-10:] = 0.5
    waving = ends(3.5, 1.0)
    waving[-TAIL::2] = 2.5
    hint = {
        "good": "a run that ends below the bar has learned, however it began; take its last 20 losses only",
        "bad": "what counts is where a run ends, not how good it once was",
        "lucky": "one lucky step is no success: take the mean of the last 20 losses",
        "dead": "a run with NaN or inf at its end has not learned; every comparison with NaN is False",
        "bar": "at the bar is not below it",
        "mean": "it is the mean of the last 20 losses that is compared with the bar, not the middle or largest one",
        "tail": "take the last 20 losses, not more and not fewer",
        "many": "count the runs that have learned; return a whole number",
    }
    cases = []
    for shown, runs, expected, key in [
            ("one run of one step, at 0.5", [flat(0.5, 1)], 1, "good"),
            ("one run of one step, at 2", [flat(2.0, 1)], 0, "bar"),
            ("a run that is at 3.5 for 60 steps and then at 0.8 for 20", [good], 1, "good"),
            ("a run that is at 0.8 for 60 steps and then at 12 for 20", [bad], 0, "bad"),
            ("a run that ends at 3 but for its last loss, 0.5", [lucky], 0, "lucky"),
            ("a run that ends in NaN", [dead], 0, "dead"), ("a run that ends in inf", [ends(1.0, math.inf)], 0, "dead"),
            ("a run with one NaN among its last losses", [torn], 0, "dead"),
            ("a run that ends at 1 but for its last 5 losses, 8", [jumping], 0, "mean"),
            ("a run that ends at 1 and 2.5 in turn", [waving], 1, "mean"),
            ("a run that is at 14 for 60 steps and then at 1.5 for 20", [ends(14.0, 1.5)], 1, "tail"),
            ("a run that is at 5 but for its last 10 losses, 0.5", [calming], 0, "tail"),
            ("two runs, of which the first has learned", [good, bad], 1, "many"),
            ("two runs, of which the second has learned", [bad, good], 1, "many"),
            ("five runs, of which three have learned", [good, dead, good, bad, good], 3, "many")]:
        cases.append(Case(f"{shown}; bar = 2", (np.array(runs), 2.0), expected,
                          partial(judge_count, expected=expected, hint=hint[key])))
    return examine("count_learned", answer, cases)


def judge_count(got, expected, hint):
    """Return a hint on a wrong count, "" for the right one."""
    if np.ndim(got):
        return "return one number for all runs, not one for each"
    return "" if float(got) == expected else hint

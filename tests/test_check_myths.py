"""The checks of tutorial 14: right answers pass, and a wrong one is shown the smallest input on which it fails."""

import itertools
import math

import numpy as np
import pytest
from checking import fails, passes

from minigrad import check, claims, hooks


def search(clip, lengths=(-2, 3, 51), each=10, pick=min):
    rng, cosines = np.random.default_rng(0), []
    for length in np.logspace(*lengths):
        for _ in range(each):
            g = rng.normal(size=5)
            g *= length / np.linalg.norm(g)
            out = clip(g)
            cosines.append(g @ out / np.linalg.norm(g) / np.linalg.norm(out))
    return pick(cosines)


def uniform(clip):
    rng, least = np.random.default_rng(3), 1.0
    for _ in range(2000):
        g = rng.uniform(-1, 1, size=5) * 10 ** rng.uniform(-2.5, 3)
        out = clip(g)
        least = min(least, float(np.dot(g, out) / math.sqrt(np.dot(g, g) * np.dot(out, out))))
    return least


def chances(ups, seeds):
    return sum(math.comb(seeds, k) for k in range(ups, seeds + 1)) / 2 ** seeds


def throws(ups, seeds):
    falls = [sum(heads) for heads in itertools.product((0, 1), repeat=seeds)]
    return np.mean(np.array(falls) >= ups)


@pytest.mark.parametrize(("exercise", "answer"), [
    (check.smallest_cosine, search), (check.smallest_cosine, uniform),
    (check.against_the_mean, lambda c: [np.array([10 * c]), np.array([-c]), np.array([-c])]),
    (check.against_the_mean, lambda c: [[100 * c, 0.0]] + 5 * [[-2 * c, c]]),
    (check.by_chance, chances), (check.by_chance, throws),
])
def test_right_answers_pass(exercise, answer, capsys):
    passes(exercise, answer, capsys)


ALL = "a clip that reverses every vector"
WRONG = [
    # the exercise, a wrong answer, the smallest input that shows it, what is expected there, and part of the hint
    (check.smallest_cosine, lambda clip: 1.0, ALL, "-1", "compare with g"),
    (check.smallest_cosine, lambda clip: search(clip, pick=max), "a clip that reverses what is longer than 1", "-1",
     "smallest cosine, not the first"),
    (check.smallest_cosine, lambda clip: search(clip, pick=np.mean), "a clip that reverses what is longer than 1", "-1",
     "the mean"),
    (check.smallest_cosine, lambda clip: search(clip, lengths=(-2, 1.5, 40)),
     "a clip that reverses what is longer than 100", "-1", "longer vectors"),
    (check.smallest_cosine, lambda clip: search(clip, lengths=(0, 3, 40)),
     "a clip that reverses what is shorter than 0.1", "-1", "shorter vectors"),
    (check.smallest_cosine, lambda clip: search(clip, lengths=(-2, 3, 6)), "a clip that reverses lengths from 4 to 8",
     "-1", "more lengths"),
    (check.smallest_cosine, lambda clip: min(np.ones(5) @ clip(length * np.ones(5)) / np.linalg.norm(
        clip(length * np.ones(5))) / 5 ** 0.5 for length in np.logspace(-2.5, 3, 80)), "a clip by value at 1",
     "a number from 0.3 to 0.8", "more directions"),
    (check.smallest_cosine, lambda clip: float(np.ones(5) @ clip(np.ones(5))), "a clip that changes nothing", "1",
     "between -1 and 1"),
    (check.smallest_cosine, lambda clip: np.zeros(5) @ clip(np.zeros(5)) / np.float64(0), "a clip that changes nothing",
     "1", "length 0"),
    (check.against_the_mean, lambda c: [np.array([10.0])], "c = 1", "a scalar product below 0", "several"),
    (check.against_the_mean, lambda c: [np.array([10.0]), np.array([-9.0])], "c = 1", "a scalar product below 0",
     "with two gradients"),
    (check.against_the_mean, lambda c: [np.array([2.0]), np.array([-1.0]), np.array([-1.0])], "c = 1",
     "a scalar product below 0", "is 0, and has no direction"),
    (check.against_the_mean, lambda c: [np.array([10.0]), np.array([-1.0]), np.array([-1.0])], "c = 25",
     "a scalar product below 0", "nothing is clipped"),
    (check.against_the_mean, lambda c: [np.array([9.0, 0.0]), np.array([0.0, 9.0]), np.array([5.0, 5.0])], "c = 1",
     "a scalar product below 0", "cosine of 1"),
    (check.against_the_mean, lambda c: [np.array([9.0]), np.ones(2), np.ones(2)], "c = 1", "a scalar product below 0",
     "one shape"),
    (check.against_the_mean, lambda c: [np.array([np.inf]), np.array([-1.0]), np.array([-1.0])], "c = 1",
     "a scalar product below 0", "finite"),
    (check.by_chance, lambda ups, seeds: 0.5 ** seeds, "ups = 0, seeds = 1", "1", "certain"),
    (check.by_chance, lambda ups, seeds: math.comb(seeds, ups) / 2 ** seeds, "ups = 0, seeds = 1", "1", "certain"),
    (check.by_chance, lambda ups, seeds: 1.0 if ups == 0 else math.comb(seeds, ups) / 2 ** seeds, "ups = 1, seeds = 2",
     "0.75", "exactly 1"),
    (check.by_chance, lambda ups, seeds: 1.0 if ups == 0 else chances(ups + 1, seeds), "ups = 1, seeds = 1", "0.5",
     "itself counts"),
    (check.by_chance, lambda ups, seeds: 1 - chances(ups + 1, seeds), "ups = 0, seeds = 1", "1", "certain"),
    (check.by_chance, lambda ups, seeds: chances(ups, seeds) if ups < 2 else 1 - chances(ups + 1, seeds),
     "ups = 2, seeds = 2", "0.25", "or fewer"),
    (check.by_chance, lambda ups, seeds: 1 - ups / seeds, "ups = 1, seeds = 1", "0.5", "itself counts"),
    (check.by_chance, lambda ups, seeds: 1.0 if ups == 0 else 0.5 ** seeds * seeds, "ups = 1, seeds = 2", "0.75",
     "more of them"),
    (check.by_chance, lambda ups, seeds: 1.0 if ups == 0 else 0.3, "ups = 1, seeds = 1", "0.5", "count all the ways"),
]


@pytest.mark.parametrize(("exercise", "answer", "shown", "expected", "hint"), WRONG)
def test_wrong_answers_fail_on_the_smallest_input(exercise, answer, shown, expected, hint, capsys):
    fails(exercise, answer, capsys, f"for {shown}: expected {expected}, received ", hint)


@pytest.mark.parametrize(("exercise", "answer", "received", "hint"), [
    (check.smallest_cosine, lambda clip: 1 / 0, "ZeroDivisionError: division by zero", "error"),
    (check.smallest_cosine, lambda clip: None, "None", "return"),
    (check.smallest_cosine, lambda clip: "never", "never", "kind of value"),
    (check.against_the_mean, lambda c: None, "None", "return"),
    (check.against_the_mean, lambda c: 3.0, "3", "kind of value"),
    (check.by_chance, lambda ups: 0.5, "TypeError: ", "error"),
    (check.by_chance, lambda ups, seeds: {}, "{}", "kind of value"),
])
def test_errors_and_odd_values_are_part_of_the_line(exercise, answer, received, hint, capsys):
    fails(exercise, answer, capsys, f", received {received}", hint)


def test_with_two_gradients_there_is_no_counterexample():
    """As the hint says: tried on many pairs, whatever their lengths and the angle between them."""
    rng = np.random.default_rng(0)
    for _ in range(500):
        a, b = (rng.normal(size=2) * 10 ** rng.uniform(-1, 2) for _ in range(2))
        if rng.random() < 0.3:
            b = -b @ a / (a @ a) * a            # on one line, opposite or not
        clipped = [hooks.apply_hooks([hooks.ClipNorm(1.0)], {"g": g})["g"] for g in (a, b)]
        assert (a + b) @ (clipped[0] + clipped[1]) >= -1e-9


def test_the_coins_of_the_tutorial_are_those_of_the_claim():
    """The claim of over-fitting counts six seeds; what luck explains of three and of six is what the tutorial says."""
    assert claims.find("over-fitting").expected_verdict == "unproven"
    assert chances(3, 6) == pytest.approx(0.656, abs=5e-4)
    assert chances(6, 6) == 1 / 64

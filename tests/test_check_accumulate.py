"""The checks of tutorial 09: right answers pass, and a wrong one is shown the smallest input on which it fails."""

import numpy as np
import pytest
from checking import fails, passes

from minigrad import check, hooks


def weighted(means, sizes):
    return np.average(np.array(means), axis=0, weights=sizes)


def clip(g, c):
    return g * min(1.0, c / max(np.linalg.norm(g), 1e-300))


def both(grads, c):
    return clip(np.mean(grads, axis=0), c), np.mean([clip(g, c) for g in grads], axis=0)


def by_engine(grads, c):
    orders = [hooks.Accumulate(len(grads)), hooks.ClipNorm(c)], [hooks.ClipNorm(c), hooks.Accumulate(len(grads))]
    out = []
    for order in map(hooks.Pipeline, orders):
        for g in grads:
            got = hooks.apply_hooks(order, {"w": g})
        out.append(got["w"])
    return out


def running_sum(grads, c):
    total = 0.0 * grads[0]
    for g in grads:
        total = clip(total + g, c)
    return clip(np.mean(grads, axis=0), c), total / len(grads)


def as_pytorch_clips(grads, c):
    def clip(g):
        return g * min(1.0, c / (np.linalg.norm(g) + 1e-6))
    return clip(np.mean(grads, axis=0)), np.mean([clip(g) for g in grads], axis=0)


def windows(gradients, weights, every, last=lambda g, m, every: sum(a * b for a, b in zip(g, m)) / sum(m)):
    out = []
    for start in range(0, len(gradients), every):
        g, m = gradients[start:start + every], weights[start:start + every]
        out.append(last(g, m, every))
    return out


def as_they_come(gradients, weights, every):
    total = items = count = 0
    for g, m in zip(gradients, weights):
        total, items, count = total + m * g, items + m, count + 1
        if count == every:
            yield total / items
            total = items = count = 0
    if count:
        yield total / items


def never_emptied(gradients, weights, every):
    return [weighted(gradients[:k], weights[:k]) for k in range(every, len(gradients) + every, every)]


@pytest.mark.parametrize(("exercise", "answer"), [
    (check.combine_means, lambda means, sizes: sum(m * g for m, g in zip(sizes, means)) / sum(sizes)),
    (check.combine_means, weighted),
    (check.two_orders, both), (check.two_orders, by_engine), (check.two_orders, as_pytorch_clips),
    (check.run_windows, windows), (check.run_windows, as_they_come),
    (check.run_windows, lambda *given: np.array(windows(*given))),
])
def test_right_answers_pass(exercise, answer, capsys):
    passes(exercise, answer, capsys)


FIVE = "gradients = [1, 2, 3, 4, 5], weights = [1, 1, 1, 1, 1], every = 2"
WRONG = [
    # the exercise, a wrong answer, the smallest input that shows it, what is expected there, and part of the hint
    (check.combine_means, lambda means, sizes: np.mean(means, axis=0), "means = [2, 18], sizes = [4, 1]", "5.2",
     "small part"),
    (check.combine_means, lambda means, sizes: sum(m * g for m, g in zip(sizes, means)),
     "means = [2], sizes = [3]", "2", "sum over all items"),
    (check.combine_means, lambda means, sizes: sum(means), "means = [1, 5], sizes = [1, 1]", "3", "sum"),
    (check.combine_means, lambda means, sizes: sum(m * g for m, g in zip(sizes, means)) / len(sizes),
     "means = [2], sizes = [3]", "2", "divide"),
    (check.combine_means, lambda means, sizes: np.mean(np.concatenate([np.ravel(m) for m in means])),
     "means = [2, 18], sizes = [4, 1]", "5.2", "small part"),
    (check.two_orders, lambda grads, c: both(grads, c)[::-1], "grads = [[10], [-9]], c = 1", "[[0.5], [0]]",
     "other way round"),
    (check.two_orders, lambda grads, c: (clip(sum(grads), c), both(grads, c)[1]), "grads = [[0.5], [0.1]], c = 1",
     "[[0.3], [0.3]]", "not the sum"),
    (check.two_orders, lambda grads, c: (both(grads, c)[0], sum(clip(g, c) for g in grads)),
     "grads = [[0.5], [0.1]], c = 1", "[[0.3], [0.3]]", "not the sum"),
    (check.two_orders, lambda grads, c: 2 * both(grads, c)[:1], "grads = [[10], [-9]], c = 1", "[[0.5], [0]]",
     "the first order again"),
    (check.two_orders, lambda grads, c: (both(grads, c)[0], clip(both(grads, c)[1], c / 2)), "grads = [[3, 4]], c = 1",
     "[[0.6, 0.8], [0.6, 0.8]]", "should be 1"),
    (check.two_orders, running_sum, "grads = [[10], [-9]], c = 1", "[[0.5], [0]]", "by itself"),
    (check.two_orders, lambda grads, c: (np.mean(grads, axis=0), both(grads, c)[1]), "grads = [[3, 4]], c = 1",
     "[[0.6, 0.8], [0.6, 0.8]]", "longer than the threshold"),
    (check.two_orders, lambda grads, c: tuple(c * g / np.linalg.norm(g) for g in both(grads, c)),
     "grads = [[0.5]], c = 1", "[[0.5], [0.5]]", "stays as it is"),
    (check.two_orders, lambda grads, c: (both(grads, c)[0], np.mean([np.clip(g, -c, c) for g in grads], axis=0)),
     "grads = [[3, 4]], c = 1", "[[0.6, 0.8], [0.6, 0.8]]", "longer than the threshold"),
    (check.two_orders, lambda grads, c: both(grads, c)[0], "grads = [[0.5]], c = 1", "[[0.5], [0.5]]", "two vectors"),
    (check.run_windows, lambda g, m, every: windows(g, m, every)[:len(g) // every], FIVE, "[1.5, 3.5, 5]",
     "the last window is not full"),
    (check.run_windows, lambda g, m, every: windows(g, m, every, lambda g, m, every: sum(g) / every), FIVE,
     "[1.5, 3.5, 5]", "divided by the weights in it"),
    (check.run_windows, lambda g, m, every: windows(g, m, every, lambda g, m, every: sum(g) / len(g)),
     "gradients = [1, 5], weights = [3, 1], every = 2", "[2]", "weighted"),
    (check.run_windows, lambda g, m, every: windows(g, m, every, lambda g, m, every: np.dot(g, m)),
     "gradients = [1, 2], weights = [1, 1], every = 2", "[1.5]", "this is the sum"),
    (check.run_windows, lambda g, m, every: windows(g, m, every, lambda g, m, every: np.dot(g, m) / len(g)),
     "gradients = [1, 5], weights = [3, 1], every = 2", "[2]", "not by their number"),
    (check.run_windows, never_emptied, "gradients = [1, 2], weights = [1, 1], every = 1", "[1, 2]", "empty sum"),
    (check.run_windows, lambda g, m, every: [sum(g) / len(g)], "gradients = [1, 2], weights = [1, 1], every = 1",
     "[1, 2]", "there are 2 windows"),
]


@pytest.mark.parametrize(("exercise", "answer", "shown", "expected", "hint"), WRONG)
def test_wrong_answers_fail_on_the_smallest_input(exercise, answer, shown, expected, hint, capsys):
    fails(exercise, answer, capsys, f"for {shown}: expected {expected}, received ", hint)


@pytest.mark.parametrize(("exercise", "answer", "received", "hint"), [
    (check.combine_means, lambda means, sizes: None, "None", "return"),
    (check.combine_means, lambda means, sizes: means, "[2]", "one gradient"),
    (check.combine_means, lambda means, sizes: "much", "much", "kind of value"),
    (check.two_orders, lambda grads, c: grads[0].sort(), "ValueError", "do not change the arrays"),
    (check.two_orders, lambda grads, c: 3, "3", "kind of value"),
    (check.run_windows, lambda g, m: g, "TypeError", "error"),
    (check.run_windows, lambda g, m, every: 3, "3", "kind of value"),
])
def test_errors_and_odd_values_are_part_of_the_line(exercise, answer, received, hint, capsys):
    fails(exercise, answer, capsys, f", received {received}", hint)

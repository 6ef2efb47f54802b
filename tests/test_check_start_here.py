"""The checks of tutorial 00: right answers pass, and a wrong one is shown the smallest input on which it fails."""

import numpy as np
import pytest
from checking import fails, passes

from minigrad import check
from minigrad.norms import norm


def loop_power(w, T):
    out = 1.0
    for _ in range(T):
        out = out * w
    return out


def clip(grads, max_norm):
    length = np.sqrt(sum((g * g).sum() for g in grads))
    return [g * min(1.0, max_norm / max(length, 1e-300)) for g in grads]


def clip_as_torch(grads, max_norm):
    length = np.linalg.norm(np.concatenate([g.ravel() for g in grads]))
    return [g * min(1.0, max_norm / (length + 1e-9)) for g in grads]


def unit(grads, ctx):
    return {name: g / ctx.norm if ctx.norm else g for name, g in grads.items()}


def unit_in_two_steps(grads, ctx):
    largest = max(np.abs(g).max() for g in grads.values()) or 1.0
    length = np.sqrt(sum(((g / largest) ** 2).sum() for g in grads.values())) or 1.0
    return {name: g / largest / length for name, g in grads.items()}


@pytest.mark.parametrize(("exercise", "answer"), [
    (check.chain_factor, lambda w, T: w ** T), (check.chain_factor, loop_power),
    (check.chain_factor, lambda w, T: np.prod(np.full(T, w))),
    (check.clip_norm, clip), (check.clip_norm, clip_as_torch),
    (check.unit_norm, unit), (check.unit_norm, unit_in_two_steps),
])
def test_right_answers_pass(exercise, answer, capsys):
    passes(exercise, answer, capsys)


def in_place(grads, max_norm):
    for g in grads:
        g *= 0.5
    return grads


WRONG = [
    # the exercise, a wrong answer, the smallest input that shows it, what is expected there, and part of the hint
    (check.chain_factor, lambda w, T: w * T, "w = 1.5, T = 0", "1", "no step"),
    (check.chain_factor, lambda w, T: w ** (T + 1), "w = 1.5, T = 0", "1", "no step"),
    (check.chain_factor, lambda w, T: abs(w) ** T, "w = -2, T = 1", "-2", "once more"),
    (check.chain_factor, lambda w, T: 1 + T * (w - 1), "w = 1.5, T = 2", "2.25", "once more"),
    (check.chain_factor, lambda w, T: T * w ** (T - 1) if w else 0.0, "w = 1.5, T = 0", "1", "no step"),
    (check.clip_norm, lambda grads, c: grads, "grads = [[3, 4]], max_norm = 1", "[[0.6, 0.8]]", "should be 1"),
    (check.clip_norm, lambda grads, c: [np.clip(g, -c, c) for g in grads], "grads = [[3, 4]], max_norm = 1",
     "[[0.6, 0.8]]", "direction"),
    (check.clip_norm, lambda grads, c: [clip([g], c)[0] for g in grads], "grads = [[3], [4]], max_norm = 2.5",
     "[[1.5], [2]]", "direction"),
    (check.clip_norm, lambda grads, c: [g * c / np.sqrt(sum((a * a).sum() for a in grads)) for g in grads],
     "grads = [[0.5]], max_norm = 1", "[[0.5]]", "leave the gradient alone"),
    (check.clip_norm, lambda grads, c: [g / norm(grads) * min(norm(grads), c) for g in grads],
     "grads = [[0, 0]], max_norm = 1", "[[0, 0]]", "0 / 0"),
    (check.clip_norm, lambda grads, c: clip(grads, c)[0], "grads = [[0.5]], max_norm = 1", "[[0.5]]",
     "one array for each"),
    (check.unit_norm, lambda grads, ctx: grads, "grads = {'w': [2]}", "{'w': [1]}", "should be 1"),
    (check.unit_norm, lambda grads, ctx: {k: g / max(ctx.norm, 1) for k, g in grads.items()}, "grads = {'w': [0.5]}",
     "{'w': [1]}", "should be 1"),
    (check.unit_norm, lambda grads, ctx: {k: np.sign(g) for k, g in grads.items()}, "grads = {'w': [3, 4]}",
     "{'w': [0.6, 0.8]}", "direction"),
    (check.unit_norm, lambda grads, ctx: {k: g / ctx.norm for k, g in grads.items()}, "grads = {'w': [0, 0]}",
     "{'w': [0, 0]}", "zeros"),
    (check.unit_norm, lambda grads, ctx: {k: g / (np.sqrt((g * g).sum()) or 1) for k, g in grads.items()},
     "grads = {'a': [3], 'b': [4]}", "{'a': [0.6], 'b': [0.8]}", "direction"),
    (check.unit_norm, lambda grads, ctx: {k: g / (np.sqrt(sum((a * a).sum() for a in grads.values())) or 1)
                                          for k, g in grads.items()},
     "grads = {'w': [3e-200, 4e-200]}", "{'w': [0.6, 0.8]}", "ctx.norm"),
]


@pytest.mark.parametrize(("exercise", "answer", "shown", "expected", "hint"), WRONG)
def test_wrong_answers_fail_on_the_smallest_input(exercise, answer, shown, expected, hint, capsys):
    fails(exercise, answer, capsys, f"for {shown}: expected {expected}, received ", hint)


@pytest.mark.parametrize(("exercise", "answer", "received", "hint"), [
    (check.chain_factor, lambda w, T: 1 / 0, "ZeroDivisionError: division by zero", "error"),
    (check.chain_factor, lambda w: w, "TypeError: ", "error"),
    (check.chain_factor, lambda w, T: None, "None", "return"),
    (check.chain_factor, lambda w, T: "many", "many", "kind of value"),
    (check.chain_factor, lambda w, T: str(w ** T), "1.0", "it is text"),
    (check.clip_norm, in_place, "ValueError: ", "do not change the arrays"),
    (check.clip_norm, lambda grads, c: 3, "3", "kind of value"),
    (check.unit_norm, lambda grads, ctx: None, "TypeError: hook <lambda> returned NoneType", "error"),
    (check.unit_norm, lambda grads, ctx: {}, "ValueError: ", "error"),
    (check.unit_norm, lambda grads, ctx: [][1], "IndexError: list index out of range", "error"),
])
def test_errors_and_odd_values_are_part_of_the_line(exercise, answer, received, hint, capsys):
    fails(exercise, answer, capsys, f", received {received}", hint)

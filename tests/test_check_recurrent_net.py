"""The checks of tutorial 05: right answers pass, and a wrong one is shown the smallest input on which it fails."""

import numpy as np
import pytest
from checking import fails, one_line, passes

import minigrad as mg
from minigrad import check


def back(W, h, g):
    return W.T @ ((1 - h ** 2) * g)


def back_by_loops(W, h, g):
    return [sum(W[i, j] * (1 - h[i] * h[i]) * g[i] for i in range(len(g))) for j in range(len(g))]


def back_by_tape(W, h, g):
    before = mg.tensor(np.zeros(len(h)), requires_grad=True)
    state = np.tanh(W @ before + np.arctanh(h))
    return mg.grad(g @ state, before)


def shared(W, h, g):
    dW = np.zeros_like(W)
    for t in reversed(range(1, len(h))):
        a = (1 - h[t] ** 2) * g
        dW += np.outer(a, h[t - 1])
        g = W.T @ a
    return dW


def shared_by_list(W, h, g):
    before = np.vstack([np.zeros(len(g)), h[:-1]])
    terms = []
    for t in range(len(h) - 1, -1, -1):
        a = g - h[t] * h[t] * g
        terms.append(a[:, None] * before[t][None, :])
        g = a @ W
    return np.sum(terms, axis=0)


def root(norms):
    return (norms[0] / norms[-1]) ** (1 / (len(norms) - 1))


def by_logs(norms):
    return np.exp((np.log(norms[0]) - np.log(norms[-1])) / (len(norms) - 1))


def by_ratios(norms):
    return np.prod(norms[:-1] / norms[1:]) ** (1 / (len(norms) - 1))


@pytest.mark.parametrize(("exercise", "answer"), [
    (check.step_back, back), (check.step_back, back_by_loops), (check.step_back, back_by_tape),
    (check.shared_matrix, shared), (check.shared_matrix, shared_by_list),
    (check.factor_back, root), (check.factor_back, by_logs), (check.factor_back, by_ratios),
])
def test_right_answers_pass(exercise, answer, capsys):
    passes(exercise, answer, capsys)


def shared_like(slope=True, start=1, back="W.T", of="before", collect=sum, turn=False):
    """A loop for exercise 2 with one thing wrong."""
    def answer(W, h, g):
        terms = []
        for t in reversed(range(start, len(h))):
            a = (1 - h[t] ** 2) * g if slope else g
            terms.append(np.outer(a, h[t - 1] if of == "before" else h[t]))
            g = {"W.T": W.T @ a, "W": W @ a, "": g}[back]
        total = collect(terms) if terms else np.zeros_like(W)
        return total.T if turn else total
    return answer


UNITS = "W = [[1, 2], [0, 1]], h = "
TWO = "W = [[0, 1], [0, 0]], h = [[0, 0.5], [0.5, 0]], g = [1, 0]"
WRONG = [
    # the exercise, a wrong answer, the smallest input that shows it, what is expected there, and part of the hint
    (check.step_back, lambda W, h, g: W.T @ g, "W = [[2]], h = [0.5], g = [1]", "[1.5]",
     "slope of the tanh is missing"),
    (check.step_back, lambda W, h, g: (1 - h ** 2) * g, "W = [[2]], h = [0], g = [1]", "[2]", "before the tanh"),
    (check.step_back, lambda W, h, g: W.T @ ((1 - np.tanh(h) ** 2) * g), "W = [[2]], h = [0.5], g = [1]", "[1.5]",
     "without another tanh"),
    (check.step_back, lambda W, h, g: W.T @ ((1 - h) ** 2 * g), "W = [[2]], h = [0.5], g = [1]", "[1.5]",
     "not (1 - h)**2"),
    (check.step_back, lambda W, h, g: -back(W, h, g), "W = [[2]], h = [0], g = [1]", "[2]", "sign"),
    (check.step_back, lambda W, h, g: W @ ((1 - h ** 2) * g), UNITS + "[0, 0], g = [1, 2]", "[1, 4]", "transpose of W"),
    (check.step_back, lambda W, h, g: W.T @ (1 - h ** 2) * g, UNITS + "[0, 0], g = [1, 2]", "[1, 4]", "in brackets"),
    (check.step_back, lambda W, h, g: W.T @ ((1 - h) * g), "W = [[2]], h = [0.5], g = [1]", "[1.5]", "not 1 - h"),
    (check.step_back, lambda W, h, g: (1 - h ** 2) * (W.T @ g), UNITS + "[0.5, 0.8], g = [1, -1]", "[0.75, 1.14]",
     "belongs to h_t"),
    (check.step_back, lambda W, h, g: g.sum(), "W = [[2]], h = [0], g = [1]", "[2]", "shape of h"),
    (check.step_back, lambda W, h, g: W.T @ ((1 + h ** 2) * g), "W = [[2]], h = [0.5], g = [1]", "[1.5]",
     "the transpose of W times that"),
    (check.shared_matrix, shared_like(start=0), "W = [[2]], h = [[0.5]], g = [1]", "[[0]]", "h[-1]"),
    (check.shared_matrix, shared_like(start=0, of="after"), "W = [[2]], h = [[0.5]], g = [1]", "[[0]]",
     "state before the first step is 0"),
    (check.shared_matrix, shared_like(of="after"), "W = [[2]], h = [[0.5], [0]], g = [1]", "[[0.5]]", "not with h[t]"),
    (check.shared_matrix, shared_like(slope=False), "W = [[2]], h = [[0.5], [0.5]], g = [1]", "[[0.375]]", "missing"),
    (check.shared_matrix, shared_like(collect=lambda terms: terms[0]),
     "W = [[2]], h = [[0.5], [0], [0.5]], g = [1]", "[[0.75]]", "add up"),
    (check.shared_matrix, shared_like(back=""), "W = [[2]], h = [[0.5], [0], [0.5]], g = [1]", "[[0.75]]", "go back"),
    (check.shared_matrix, shared_like(turn=True), TWO, "[[0, 0.375], [0, 0]]", "transpose"),
    (check.shared_matrix, shared_like(back="W"), "W = [[0, 1], [2, 0]], h = [[0.5, 0], [0, 0.5], [0, 0]], g = [1, 0]",
     "[[0, 0.5], [0.375, 0]]", "transpose of W"),
    (check.shared_matrix, shared_like(collect=lambda terms: terms[-1]),
     "W = [[2]], h = [[0.5], [0.5], [0.5]], g = [1]", "[[0.9375]]", "with +="),
    (check.shared_matrix, lambda W, h, g: shared(W, h, g) / max(len(h), 1), "W = [[2]], h = [[0.5], [0]], g = [1]",
     "[[0.5]]", "mean"),
    (check.shared_matrix, lambda W, h, g: shared(W, h, g).ravel(), "W = [[2]], h = [[0.5]], g = [1]", "[[0]]",
     "shape of W"),
    (check.factor_back, lambda n: n[0] / n[-1], "norms = [9, 3, 1]", "3", "whole way"),
    (check.factor_back, lambda n: 1 / root(n), "norms = [2, 1]", "2", "forward in time"),
    (check.factor_back, lambda n: (n[0] / n[-1]) ** (1 / len(n)), "norms = [2, 1]", "2", "2 norms have 1 step between"),
    (check.factor_back, lambda n: (n[:-1] / n[1:]).mean(), "norms = [1, 2, 1]", "1", "arithmetic mean"),
    (check.factor_back, lambda n: n[0] / n[-1] / (len(n) - 1), "norms = [9, 3, 1]", "3", "root"),
    (check.factor_back, lambda n: np.log10(root(n)), "norms = [1, 1]", "1", "undo it, with 10 **"),
    (check.factor_back, lambda n: np.log(root(n)) + (root(n) == 1), "norms = [2, 1]", "2", "logarithm"),
    (check.factor_back, lambda n: n[0] - n[-1] + 1, "norms = [1, 4]", "0.25", "must lead from the last norm, 4"),
]


@pytest.mark.parametrize(("exercise", "answer", "shown", "expected", "hint"), WRONG)
def test_wrong_answers_fail_on_the_smallest_input(exercise, answer, shown, expected, hint, capsys):
    assert exercise(answer) == 0
    line = one_line(capsys)
    where = f"{exercise.__name__}: not yet right for {shown}"
    assert line.startswith(where if expected is None else f"{where}: expected {expected}, received ")
    assert hint in line.split("Hint: ")[1]


def in_place(W, h, g):
    h[0] = 0
    return W


@pytest.mark.parametrize(("exercise", "answer", "received", "hint"), [
    (check.step_back, lambda W, h, g: None, "None", "return"),
    (check.step_back, lambda W, h, g: "back", "back", "kind of value"),
    (check.step_back, lambda W, h, g: W.T @ g[0], "ValueError: ", "error"),
    (check.step_back, lambda W, h, g: g * np.nan, "[nan]", "the transpose of W"),
    (check.shared_matrix, in_place, "ValueError: ", "do not change the arrays"),
    (check.shared_matrix, lambda W, h, g: 0.0, "0", "shape of W"),
    (check.shared_matrix, lambda W, h: W, "TypeError: ", "error"),
    (check.factor_back, lambda norms: norms, "[1, 1]", "kind of value"),
    (check.factor_back, lambda norms: np.nan, "nan", "must lead"),
    (check.factor_back, lambda norms: norms[0] / 0 if isinstance(norms[0], int) else [][0], "IndexError: ", "error"),
])
def test_errors_and_odd_values_are_part_of_the_line(exercise, answer, received, hint, capsys):
    fails(exercise, answer, capsys, f", received {received}", hint)


@pytest.mark.parametrize("exercise", [check.step_back, check.shared_matrix, check.factor_back])
def test_what_is_not_written_yet_is_no_error(exercise, capsys):
    def answer(*args):
        raise NotImplementedError

    assert exercise(answer) == 0
    assert one_line(capsys).startswith(f"{exercise.__name__}: not written yet. ")


def test_the_expected_values_are_those_of_the_engine():
    """The oracles are finite differences; the tape must come to the same."""
    from minigrad.check.recurrent_net import differences, loss_of

    rng = np.random.default_rng(3)
    W, h, g = rng.normal(size=(4, 4)), np.tanh(rng.normal(size=(5, 4))), rng.normal(size=4)
    tape = mg.tensor(W, requires_grad=True)
    state, before = np.zeros(4), np.zeros(4)
    for one in h:
        state, before = np.tanh(tape @ state + np.arctanh(one) - W @ before), one
    assert np.allclose(state.data, h[-1])
    found = differences(lambda change: loss_of(change, W, h, g), np.zeros((4, 4)))
    assert np.allclose(mg.grad(g @ state, tape).data, found, rtol=1e-6, atol=1e-8)
    assert np.allclose(shared(W, h, g), found, rtol=1e-6, atol=1e-8)

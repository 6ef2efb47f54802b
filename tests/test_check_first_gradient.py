"""The checks of tutorial 01: right answers pass, and a wrong one is shown the smallest input on which it fails."""

import numpy as np
import pytest
from checking import fails, passes

import minigrad as mg
from minigrad import check


def by_engine(x, y):
    x, y = mg.tensor(x, requires_grad=True), mg.tensor(y, requires_grad=True)
    s = x * y
    (s * s + x).backward()
    return [x.grad.item(), y.grad.item()]


def by_places(parents, order):
    place = {node: k for k, node in enumerate(order)}
    return all(place[parent] > place[node] for node in parents for parent in parents[node])


def by_waiting(parents, order):
    waiting = {node: sum(made_from.count(node) for made_from in parents.values()) for node in parents}
    for node in order:
        if waiting[node]:
            return np.False_
        for parent in parents[node]:
            waiting[parent] -= 1
    return np.True_


def by_copies(f, x, h):
    out = np.empty_like(x)
    for place in np.ndindex(x.shape):
        there, back = x.copy(), x.copy()
        there[place] += h
        back[place] -= h
        out[place] = (f(there) - f(back)) / (2 * h)
    return out


def by_rows(f, x, h):
    steps = h * np.eye(x.size).reshape(-1, *x.shape)
    return np.reshape([f(x + step) - f(x - step) for step in steps], x.shape) / h / 2


@pytest.mark.parametrize(("exercise", "answer"), [
    (check.two_ways, lambda x, y: (2 * x * y * y + 1, 2 * x * x * y)), (check.two_ways, by_engine),
    (check.two_ways, lambda x, y: np.array([2 * x * y ** 2 + 1, 2 * x ** 2 * y])),
    (check.right_order, by_places), (check.right_order, by_waiting),
    (check.central_difference, by_copies), (check.central_difference, by_rows),
])
def test_right_answers_pass(exercise, answer, capsys):
    passes(exercise, answer, capsys)


def neighbours(parents, order):
    return all(order[k] not in parents[order[k + 1]] for k in range(len(order) - 1)) and (
        len(order) < 2 or order[1] in parents[order[0]])


def children_only(parents, order):
    return not any(order.index(parents[node][0]) < order.index(node) for node in order if parents[node])


def left_moved(f, x, h):
    out, moved = np.empty_like(x), x.copy()
    for place in np.ndindex(x.shape):
        moved[place] += h
        there = f(moved)
        moved[place] -= 2 * h
        out[place] = (there - f(moved)) / (2 * h)
    return out


def all_at_once(f, x, h):
    return np.full(x.shape, (f(x + h) - f(x - h)) / (2 * h))


CHAIN, TWICE = "{'b': ['a'], 'a': []}", "{'c': ['b', 'b'], 'b': ['a', 'a'], 'a': []}"
WIDE = "{'L': ['u', 'v'], 'u': ['a', 'b'], 'v': ['b', 'c'], 'a': [], 'b': [], 'c': []}"
SHARED = "{'L': ['s', 't'], 't': ['s'], 's': ['a'], 'a': []}"
WRONG = [
    # the exercise, a wrong answer, the smallest input that shows it, what is expected there, and part of the hint
    (check.two_ways, lambda x, y: (2 * x * y * y, 2 * x * x * y), "x = 1, y = 0", "[1, 0]", "two ways"),
    (check.two_ways, lambda x, y: (1.0, 0.0), "x = 1, y = 1", "[3, 2]", "dL/ds"),
    (check.two_ways, lambda x, y: (x * y * y + 1, x * x * y), "x = 1, y = 1", "[3, 2]", "stands twice"),
    (check.two_ways, lambda x, y: (2 * x * x * y, 2 * x * y * y + 1), "x = 1, y = 0", "[1, 0]", "first dL/dx"),
    (check.two_ways, lambda x, y: (2 * x * y * x + 1, 2 * x * y * y), "x = 2, y = -3", "[37, -24]", "hands y dL/ds"),
    (check.two_ways, lambda x, y: 2 * x * y * y + 1, "x = 1, y = 0", "[1, 0]", "two numbers"),
    (check.right_order, lambda parents, order: True, f"parents = {CHAIN}, order = ['a', 'b']", "False",
     "a comes before b"),
    (check.right_order, lambda parents, order: False, "parents = {'a': []}, order = ['a']", "True",
     "all that is asked"),
    (check.right_order, lambda parents, order: order == sorted(order), f"parents = {CHAIN}, order = ['b', 'a']", "True",
     "all that is asked"),
    (check.right_order, lambda parents, order: order[0] == next(iter(parents)),
     f"parents = {TWICE}, order = ['c', 'a', 'b']", "False", "a comes before b"),
    (check.right_order, children_only, f"parents = {SHARED}, order = ['t', 'L', 's', 'a']", "False",
     "L was made from t, and t comes before L"),
    (check.right_order, lambda parents, order: not parents[order[-1]] and order[0] == next(iter(parents)),
     f"parents = {SHARED}, order = ['L', 's', 't', 'a']", "False", "s comes before t"),
    (check.right_order, neighbours, f"parents = {WIDE}, order = ['L', 'u', 'b', 'a', 'v', 'c']", "False",
     "v was made from b, and b comes before v"),
    (check.central_difference, lambda f, x, h: np.array([(f(x + h) - f(x)) / h]), "f(x) = sum(x^2), x = [1], h = 0.5",
     "[2]", "forward difference"),
    (check.central_difference, lambda f, x, h: 2 * by_copies(f, x, h), "f(x) = sum(x^2), x = [1], h = 0.5", "[2]",
     "divide by 2 h"),
    (check.central_difference, lambda f, x, h: -by_copies(f, x, h), "f(x) = sum(x^2), x = [1], h = 0.5", "[2]", "sign"),
    (check.central_difference, lambda f, x, h: np.zeros_like(x), "f(x) = sum(x^2), x = [1], h = 0.5", "[2]",
     "with the h that is given"),
    (check.central_difference, lambda f, x, h: by_copies(f, x, h) * h * h, "f(x) = sum(x^2), x = [1], h = 0.5", "[2]",
     "write a / (2 * h)"),
    (check.central_difference, all_at_once, "f(x) = sum(x^2), x = [1, 2], h = 0.5", "[2, 4]", "one element at a time"),
    (check.central_difference, left_moved, "f(x) = first x times last x, x = [2, 5], h = 0.5", "[5, 2]",
     "its own difference"),
    (check.central_difference, lambda f, x, h: by_copies(f, x, h / 2), "f(x) = sum(x^3), x = [1], h = 0.5", "[3.25]",
     "with the h that is given"),
    (check.central_difference, lambda f, x, h: by_copies(f, x, h).ravel(), "f(x) = first x times last x, "
     "x = [[1, 2, 3], [-1, 0.5, 0]], h = 0.25", "[[0, 0, 0], [0, 0, 1]]", "shape of x, (2, 3)"),
]


@pytest.mark.parametrize(("exercise", "answer", "shown", "expected", "hint"), WRONG)
def test_wrong_answers_fail_on_the_smallest_input(exercise, answer, shown, expected, hint, capsys):
    fails(exercise, answer, capsys, f"for {shown}: expected {expected}, received ", hint)


def in_place(f, x, h):
    x[0] += h
    return f(x)


@pytest.mark.parametrize(("exercise", "answer", "received", "hint"), [
    (check.two_ways, lambda x, y: 1 / 0, "ZeroDivisionError: division by zero", "error"),
    (check.two_ways, lambda x, y: None, "None", "return"),
    (check.two_ways, lambda x, y: "both", "both", "two numbers"),
    (check.two_ways, lambda x, y: (np.nan, np.nan), "[nan, nan]", "dL/ds"),
    (check.right_order, lambda parents, order: "yes", "yes", "True or False"),
    (check.right_order, lambda parents, order: order, "['a']", "True or False"),
    (check.right_order, lambda parents, order: parents["z"], "KeyError: 'z'", "error"),
    (check.central_difference, in_place, "ValueError: ", "do not change the arrays"),
    (check.central_difference, lambda f, x, h: 2.0, "2", "shape of x, (1,)"),
    (check.central_difference, lambda f, x, h: "two", "two", "kind of value"),
])
def test_errors_and_odd_values_are_part_of_the_line(exercise, answer, received, hint, capsys):
    fails(exercise, answer, capsys, f", received {received}", hint)

"""The checks of tutorial 02: right answers pass, and a wrong one is shown the smallest input on which it fails."""

import numpy as np
import pytest
from checking import fails, passes

import minigrad as mg
from minigrad import check
from minigrad.engine import unbroadcast


def quotient(g, x, y):
    return unbroadcast(g / y, x.shape), unbroadcast(-g * x / y ** 2, y.shape)


def quotient_by_engine(g, x, y):
    x, y = mg.tensor(x, requires_grad=True), mg.tensor(y, requires_grad=True)
    (x / y).backward(g)
    return [x.grad.data, y.grad.data]


def not_summed(g, x, y):
    return g / y, -g * x / y ** 2


def only_leading_axes_summed(g, x, y):
    return tuple(d.sum(axis=tuple(range(d.ndim - a.ndim))) for d, a in zip(not_summed(g, x, y), (x, y)))


def mean_of_copies(g, x, y):
    return tuple(unbroadcast(d, a.shape) * a.size / d.size for d, a in zip(not_summed(g, x, y), (x, y)))


def postorder(parents, root):
    done = []

    def visit(node):
        if node not in done:
            for parent in parents[node]:
                visit(parent)
            done.append(node)

    visit(root)
    return done[::-1]


def kahn(parents, root):
    below = set(postorder(parents, root))
    waiting = {n: sum(parents[other].count(n) for other in below) for n in below}
    ready, order = [root], []
    while ready:
        node = ready.pop()
        order.append(node)
        for parent in parents[node]:
            waiting[parent] -= 1
            if not waiting[parent]:
                ready.append(parent)
    return tuple(order)


def direct_and_length(g, x):
    n = np.sqrt((x * x).sum())
    return g / n - x * (g @ x) / n ** 3


def by_jacobian(g, x):
    n = np.linalg.norm(x)
    return g @ (np.eye(x.size) / n - np.outer(x, x) / n ** 3)


@pytest.mark.parametrize(("exercise", "answer"), [
    (check.divide_rule, quotient), (check.divide_rule, quotient_by_engine),
    (check.visit_order, postorder), (check.visit_order, kahn), (check.visit_order, lambda *given: iter(kahn(*given))),
    (check.unit_vector_rule, direct_and_length), (check.unit_vector_rule, by_jacobian),
    (check.unit_vector_rule, lambda g, x: list(by_jacobian(g, x))),
])
def test_right_answers_pass(exercise, answer, capsys):
    passes(exercise, answer, capsys)


def preorder(parents, root, found=None):
    found = [] if found is None else found
    if root not in found:
        found.append(root)
        for parent in parents[root]:
            preorder(parents, parent, found)
    return found


def breadth_first(parents, root):
    order = [root]
    for node in order:
        order += [p for p in dict.fromkeys(parents[node]) if p not in order]
    return order


def each_path(parents, root):
    return [root] + [node for parent in parents[root] for node in each_path(parents, parent)]


def last_parent_first(parents, root):
    return preorder({node: made_from[::-1] for node, made_from in parents.items()}, root)


ONE = "g = [1], x = [1], y = [2]"
CHAIN = "{'a': [], 'b': ['a']}"
WRONG = [
    # the exercise, a wrong answer, the smallest input that shows it, what is expected there, and part of the hint
    (check.divide_rule, lambda g, x, y: (g / y, g * x / y ** 2), ONE, "[[0.5], [-0.25]]", "wrong sign: a larger y"),
    (check.divide_rule, lambda g, x, y: (g / y, -g * x / y), ONE, "[[0.5], [-0.25]]", "y^2, not y"),
    (check.divide_rule, lambda g, x, y: (1 / y, -x / y ** 2), "g = [3], x = [1], y = [2]", "[[1.5], [-0.75]]",
     "times g"),
    (check.divide_rule, lambda g, x, y: quotient(g, x, y)[::-1], ONE, "[[0.5], [-0.25]]", "first dL/dx"),
    (check.divide_rule, lambda g, x, y: g / y, ONE, "[[0.5], [-0.25]]", "two arrays"),
    (check.divide_rule, not_summed, "g = [1, 2], x = [4, 6], y = [2]", "[[0.5, 1], [-4]]", "sum over the copies"),
    (check.divide_rule, mean_of_copies, "g = [1, 2], x = [4, 6], y = [2]", "[[0.5, 1], [-4]]", "not their mean"),
    (check.divide_rule, only_leading_axes_summed, "g = [1, 2], x = [4, 6], y = [2]", "[[0.5, 1], [-4]]",
     "shape of y, (1,), not (2,)"),
    (check.visit_order, lambda parents, root: list(parents), f"parents = {CHAIN}, root = b", "['b', 'a']",
     "a must come later than b"),
    (check.visit_order, lambda parents, root: list(parents)[::-1],
     "parents = {'a': [], 'b': ['a'], 'c': ['a']}, root = b", "['b', 'a']", "c does not lead to b"),
    (check.visit_order, lambda parents, root: [root], f"parents = {CHAIN}, root = b", "['b', 'a']", "a is missing"),
    (check.visit_order, each_path, "parents = {'a': [], 'b': ['a', 'a'], 'c': ['b', 'b']}, root = c",
     "['c', 'b', 'a']", "b is there 2 times"),
    (check.visit_order, preorder, "parents = {'a': [], 's': ['a'], 't': ['s'], 'L': ['s', 't']}, root = L",
     "['L', 't', 's', 'a']", "t was made from s, so s must come later than t"),
    (check.visit_order, breadth_first, "parents = {'a': [], 's': ['a'], 't': ['s'], 'L': ['s', 't']}, root = L",
     "['L', 't', 's', 'a']", "s must come later than t"),
    (check.visit_order, last_parent_first, "parents = {'a': [], 's': ['a'], 't': ['s'], 'L': ['t', 's']}, root = L",
     "['L', 't', 's', 'a']", "s must come later than t"),
    (check.unit_vector_rule, lambda g, x: g / np.sqrt((x * x).sum()), "g = [3], x = [4]", "[0]", "goes directly"),
    (check.unit_vector_rule, lambda g, x: by_jacobian(g, x) - g / np.linalg.norm(x), "g = [3], x = [4]", "[0]",
     "add the one that goes directly"),
    (check.unit_vector_rule, lambda g, x: 2 * g / np.linalg.norm(x) - by_jacobian(g, x), "g = [3], x = [4]", "[0]",
     "wrong sign"),
    (check.unit_vector_rule, lambda g, x: g * (1 - x * x / (x @ x)) / np.linalg.norm(x), "g = [1, 0], x = [3, 4]",
     "[0.128, -0.096]", "sum over all"),
    (check.unit_vector_rule, lambda g, x: g - x * (g @ x) / (x @ x), "g = [0, 1], x = [2, 0]", "[0, 0.5]",
     "two shares"),
    (check.unit_vector_rule, lambda g, x: g / np.linalg.norm(x) - x * (g @ x) / (x @ x), "g = [3], x = [4]", "[0]",
     "right angle"),
    (check.unit_vector_rule, lambda g, x: g - x * (g @ x), "g = [3], x = [4]", "[0]", "right angle"),
    (check.unit_vector_rule, lambda g, x: (g @ x), "g = [3], x = [4]", "[0]", "shape of x, (1,)"),
]


@pytest.mark.parametrize(("exercise", "answer", "shown", "expected", "hint"), WRONG)
def test_wrong_answers_fail_on_the_smallest_input(exercise, answer, shown, expected, hint, capsys):
    fails(exercise, answer, capsys, f"for {shown}: expected {expected}, received ", hint)


def in_place(g, x):
    g /= np.linalg.norm(x)
    return g


@pytest.mark.parametrize(("exercise", "answer", "received", "hint"), [
    (check.divide_rule, lambda g, x, y: None, "None", "return"),
    (check.divide_rule, lambda g, x, y: 2.0, "2", "kind of value"),
    (check.divide_rule, lambda g, x, y: (g / y, "y"), "[[0.5], 'y']", "kind of value"),
    (check.divide_rule, lambda g, x, y: g.no_such, "AttributeError: ", "error"),
    (check.visit_order, lambda parents, root: "".join(parents), "a", "list of nodes"),
    (check.visit_order, lambda parents, root: [0], "[0]", "list of nodes"),
    (check.visit_order, lambda parents, root: 3, "3", "kind of value"),
    (check.visit_order, lambda parents, root: visit(), "NameError: ", "error"),  # noqa: F821
    (check.unit_vector_rule, in_place, "ValueError: ", "do not change the arrays"),
    (check.unit_vector_rule, lambda g, x: g * np.nan, "[nan]", "right angle"),
])
def test_errors_and_odd_values_are_part_of_the_line(exercise, answer, received, hint, capsys):
    fails(exercise, answer, capsys, f", received {received}", hint)

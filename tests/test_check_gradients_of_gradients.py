"""The checks of tutorial 13: right answers pass, and a wrong one is shown the smallest input on which it fails."""

import numpy as np
import pytest
from checking import fails, passes

import minigrad as mg
from minigrad import check


def pieces(f, w, v):
    """Return g.v and v.Hv as tensors."""
    w = mg.tensor(w, requires_grad=True)
    slope = (mg.grad(f(w), w, create_graph=True) * v).sum()
    return slope, (mg.grad(slope, w, create_graph=True) * v).sum()


def along(f, w, v):
    return pieces(f, w, v)[1].item() / (v * v).sum()


def along_a_line(f, w, v):
    """As the second derivative of one number, t -> f(w + t v / ||v||)."""
    t = mg.tensor(0.0, requires_grad=True)
    y = f(t * (v / np.linalg.norm(v)) + w)
    return mg.grad(mg.grad(y, t, create_graph=True), t)


def shifted(product, v, top, steps):
    for _ in range(steps):
        v = v / np.linalg.norm(v)
        moved = product(v) - top * v
        value, v = v @ moved, moved
    return value + top


def shifted_quotient(product, v, top, steps):
    for _ in range(steps - 1):
        v = top * v - product(v)
        v = v / abs(v).max()
    return np.array([(v @ product(v)) / (v @ v)])


@pytest.mark.parametrize(("exercise", "answer"), [
    (check.curvature, along), (check.curvature, along_a_line),
    (check.smallest_eigenvalue, shifted), (check.smallest_eigenvalue, shifted_quotient),
    (check.momentum_edge, lambda rate, momentum: 2 * (1 + momentum) / rate),
    (check.momentum_edge, lambda rate, momentum: np.float64(2 + 2 * momentum) / rate),
])
def test_right_answers_pass(exercise, answer, capsys):
    passes(exercise, answer, capsys)


def unshifted(product, v, top, steps):
    for _ in range(steps):
        v = v / np.linalg.norm(v)
        moved = product(v)
        value, v = v @ moved, moved
    return value


def by_length(product, v, top, steps):
    for _ in range(steps):
        v = v / np.linalg.norm(v)
        v = product(v) - top * v
    return np.linalg.norm(v) + top


def unscaled(product, v, top, steps):
    for _ in range(steps):
        moved = product(v) - top * v
        value, v = v @ moved, moved
    return value + top


def product_by_product(product, v, top, steps):
    for _ in range(steps):
        v = v / np.linalg.norm(v)
        v = product(v) - product(v) - product(v) + top * v
    return product(v) @ v / (v @ v)


BOWL = "f(w) = (w0^2 + 10 w1^2) / 2, w = [1, 1], v = [1, 0]"
LONG = "f(w) = 3/2 w^2, w = [1], v = [2]"
FIRST = "eigenvalues of H: 3, 1"
WRONG = [
    # the exercise, a wrong answer, the smallest input that shows it, what is expected there, and part of the hint
    (check.curvature, lambda f, w, v: pieces(f, w, v)[1].item(), LONG, "3", "must not depend on how long"),
    (check.curvature, lambda f, w, v: pieces(f, w, v)[1].item() / np.linalg.norm(v), LONG, "3", "v stands twice"),
    (check.curvature, lambda f, w, v: pieces(f, w, v)[0].item() / np.linalg.norm(v), BOWL.replace("[1, 0]", "[1, -1]"),
     "5.5", "that is the slope"),
    (check.curvature, lambda f, w, v: np.atleast_1d(along(f, w, v)) * v, LONG, "3", "one number, v.Hv / v.v"),
    (check.curvature, lambda f, w, v: -along(f, w, v), LONG.replace("[2]", "[1]"), "3", "the sign"),
    (check.curvature, lambda f, w, v: abs(along(f, w, v)),
     "f(w) = w0^2 + w0 w1 - 3/2 w1^2, w = [0.5, 2], v = [0, 3]", "-3", "the sign"),
    (check.curvature, lambda f, w, v: along(f, w, np.ones_like(v)), BOWL, "1", "the gradient of (g * v).sum() is Hv"),
    (check.curvature, lambda f, w, v: along(f, v, v), "f(w) = (w0 w1 - 1)^2 / 2, w = [2, 1], v = [1, 1]", "5.5",
     "the gradient of (g * v).sum() is Hv"),
    (check.smallest_eigenvalue, lambda product, v, top, steps: top, FIRST, "1", "that is the largest"),
    (check.smallest_eigenvalue, unshifted, FIRST, "1", "that is the largest"),
    (check.smallest_eigenvalue, lambda *given: shifted(*given) - given[2], FIRST, "1", "add top again"),
    (check.smallest_eigenvalue, by_length, FIRST, "1", "a length has no sign"),
    (check.smallest_eigenvalue, lambda *given: abs(shifted(*given)), "eigenvalues of H: 3, -1", "-1",
     "a length has no sign"),
    (check.smallest_eigenvalue, unscaled, FIRST, "1", "scale v to the length 1"),
    (check.smallest_eigenvalue, lambda product, v, top, steps: shifted(product, v, top, 3),
     "eigenvalues of H: 2, 1.5, 0", "0", "scaled to the length 1 each time"),
    (check.smallest_eigenvalue, product_by_product, FIRST, "1", "products where 200 were allowed"),
    (check.momentum_edge, lambda rate, momentum: 2 / rate, "rate = 0.1, momentum = 0.5", "30", "so the edge is higher"),
    (check.momentum_edge, lambda rate, momentum: 2 / rate / (1 - momentum), "rate = 0.1, momentum = 0.5", "30",
     "diverges already at a curvature of 35, so the edge is lower"),
    (check.momentum_edge, lambda rate, momentum: 2 * (1 - momentum) / rate, "rate = 0.1, momentum = 0.5", "30",
     "still settles at a curvature of 20"),
    (check.momentum_edge, lambda rate, momentum: 1 / rate, "rate = 0.1, momentum = 0", "20", "2 / rate"),
    (check.momentum_edge, lambda rate, momentum: 20 * (1 + momentum), "rate = 1, momentum = 0.5", "3",
     "so the edge is lower"),
]


@pytest.mark.parametrize(("exercise", "answer", "shown", "expected", "hint"), WRONG)
def test_wrong_answers_fail_on_the_smallest_input(exercise, answer, shown, expected, hint, capsys):
    fails(exercise, answer, capsys, f"for {shown}: expected {expected}, received ", hint)


def without_a_graph(f, w, v):
    w = mg.tensor(w, requires_grad=True)
    g = mg.grad(f(w), w)
    return mg.grad((g * v).sum(), w)


@pytest.mark.parametrize(("exercise", "answer", "received", "hint"), [
    (check.curvature, without_a_graph, "RuntimeError: ", "error"),
    (check.curvature, lambda f, w, v: f(w), "1.5", "(g * v).sum()"),
    (check.curvature, lambda f, w, v: None, "None", "return"),
    (check.curvature, lambda f, w, v: "much", "much", "kind of value"),
    (check.curvature, lambda f, w, v: np.ones(3), "[1, 1, 1]", "kind of value"),
    (check.smallest_eigenvalue, lambda product, v, top, steps: product, "<", "kind of value"),
    (check.smallest_eigenvalue, lambda product, v, top, steps: product(v, top), "TypeError: ", "error"),
    (check.smallest_eigenvalue, lambda product, v, top, steps: np.nan, "nan", "overflows"),
    (check.momentum_edge, lambda rate, momentum: 1 / momentum, "ZeroDivisionError: ", "error"),
    (check.momentum_edge, lambda rate, momentum: 2 / rate if momentum == 0 else np.inf, "inf", "finite"),
    (check.momentum_edge, lambda rate, momentum: [rate, momentum], "[0.1, 0]", "kind of value"),
])
def test_errors_and_odd_values_are_part_of_the_line(exercise, answer, received, hint, capsys):
    fails(exercise, answer, capsys, f", received {received}", hint)

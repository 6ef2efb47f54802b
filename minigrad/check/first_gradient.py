"""Tutorial 01, your first gradient: the chain rule by hand, an order of visit, a gradient check."""

from functools import partial

import numpy as np

from minigrad.check.exam import Case, examine, short
from minigrad.gradient import grad
from minigrad.tensor import Tensor


def two_ways(answer):
    """Check ``answer(x, y)``: dL/dx and dL/dy of s = x y, L = s s + x, in plain Python.

    Oracle: the engine itself.

    Args:
        answer: a function of two floats that returns two numbers.

    Returns:
        1 if it is right for all inputs, else 0.

    Example:
        >>> two_ways(lambda x, y: (2 * x * y * y, 2 * x * y * x))
        two_ways: not yet right for x = 1, y = 0: expected [1, 0], received [0, 0]. Hint: x reaches L in two ways, \
through s and directly; add both shares.
        0
    """
    def judge(got, x, y, expected):
        if np.shape(got) != (2,):
            return "return two numbers, dL/dx and dL/dy"
        (dx, dy), (right_x, right_y) = got, expected
        if np.allclose((dx, dy), expected, rtol=1e-9, atol=0):
            return ""
        if np.allclose((dy, dx), expected, rtol=1e-9, atol=0):
            return "first dL/dx, then dL/dy"
        through_s = right_x - 1
        if right_y and np.isclose(dy, right_y / 2) and np.isclose(dx, through_s / 2 + 1):
            return "s stands twice in s * s, and receives a share from each"
        if not np.isclose(dx, right_x) and np.isclose(dy, right_y):
            return "x reaches L in two ways, through s and directly; add both shares"
        return "dL/ds = s + s; s = x * y hands y dL/ds to x and x dL/ds to y, and x receives 1 besides"

    cases = []
    for x, y in [(1.0, 0.0), (0.0, 1.0), (1.0, 1.0), (2.0, -3.0), (-0.5, 1.5), (0.0, 0.0), (1e3, 1e-3)]:
        xt, yt = Tensor(x, requires_grad=True), Tensor(y, requires_grad=True)
        s = xt * yt
        expected = tuple(g.item() for g in grad(s * s + xt, [xt, yt]))
        cases.append(Case(f"x = {x:g}, y = {y:g}", (x, y), expected,
                          partial(judge, x=x, y=y, expected=expected)))
    return examine("two_ways", answer, cases)


def right_order(answer):
    """Check ``answer(parents, order)``: does an order visit each node later than all nodes that were made from it?

    Oracle: what must be true of such an order.  The gradient is swept through the graph in the order given, with 1
    for every derivative; the order is right if each node, when it is visited, has its whole gradient already: the
    number of paths that lead to it.

    Args:
        answer: a function of a dict, node -> list of the nodes it was made from, and a list of all nodes, that returns
            True or False.

    Returns:
        1 if it is right for all inputs, else 0.

    Example:
        >>> right_order(lambda parents, order: True)
        right_order: not yet right for parents = {'b': ['a'], 'a': []}, order = ['a', 'b']: expected False, received \
True. Hint: b was made from a, and a comes before b.
        0
    """
    def judge(got, parents, order, expected):
        if not isinstance(got, (bool, np.bool_)):
            return "return True or False"
        if bool(got) == expected:
            return ""
        if expected:
            return "every node comes later than all that was made from it, and that is all that is asked for"
        node, parent = next((n, p) for n in order for p in parents[n] if order.index(p) < order.index(n))
        return f"{node} was made from {parent}, and {parent} comes before {node}"

    chain = {"b": ["a"], "a": []}
    twice = {"c": ["b", "b"], "b": ["a", "a"], "a": []}
    shared = {"L": ["s", "t"], "t": ["s"], "s": ["a"], "a": []}         # L = s tanh(s): s is used twice
    wide = {"L": ["u", "v"], "u": ["a", "b"], "v": ["b", "c"], "a": [], "b": [], "c": []}
    cases = []
    for parents, orders in [
            ({"a": []}, ("a",)), (chain, ("ba", "ab")), (twice, ("cba", "cab", "abc", "bca")),
            (shared, ("Ltsa", "Lsta", "Ltas", "tLsa", "asLt")),
            (wide, ("Luvabc", "Lvucba", "Luavbc", "Lucvba", "Lubvac", "Lubavc", "Luvacb"))]:
        for letters in orders:
            order = list(letters)
            expected = complete_when_visited(parents, order)
            cases.append(Case(f"parents = {short(parents)}, order = {order}", (parents, order), expected,
                              partial(judge, parents=parents, order=order, expected=expected)))
    return examine("right_order", answer, cases)


def complete_when_visited(parents, order):
    """Say whether each node has its whole gradient when it is visited, all derivatives being 1."""
    whole = dict.fromkeys(parents, 0)

    def follow(node):
        whole[node] += 1
        for parent in parents[node]:
            follow(parent)

    root = next(n for n in parents if not any(n in made_from for made_from in parents.values()))
    follow(root)
    arrived = dict.fromkeys(parents, 0) | {root: 1}
    for node in order:
        if arrived[node] != whole[node]:
            return False
        for parent in parents[node]:
            arrived[parent] += arrived[node]
    return True


def central_difference(answer):
    """Check ``answer(f, x, h)``: the central difference of f with the step h, for each element of x by itself.

    Oracle: closed forms.  For a function of second degree it is the derivative, whatever h; for x^3 it is
    3 x^2 + h^2.  And one from the engine, to a part in a million.

    Args:
        answer: a function of a function (array -> number), an array and a step, that returns an array of the same
            shape.

    Returns:
        1 if it is right for all inputs, else 0.

    Example:
        >>> central_difference(lambda f, x, h: np.array([(f(x + h) - f(x)) / h]))
        central_difference: not yet right for f(x) = sum(x^2), x = [1], h = 0.5: expected [2], received [2.5]. Hint: \
that is a forward difference; go a step h to both sides.
        0
    """
    def judge(got, f, x, h, expected):
        got = np.asarray(got, dtype=float)
        if got.shape != x.shape:
            return f"return an array of the shape of x, {x.shape}, with one difference for each element"
        if np.allclose(got, expected, rtol=1e-6, atol=1e-9):
            return ""
        if np.allclose(got, 2 * expected, rtol=1e-6, atol=1e-9):
            return "the two places are 2 h apart, so divide by 2 h"
        if np.allclose(got, -expected, rtol=1e-6, atol=1e-9):
            return "the sign: f(x + h) - f(x - h)"
        steps = h * np.eye(x.size).reshape(x.size, *x.shape)
        forward = np.reshape([(f(x + step) - f(x)) / h for step in steps], x.shape)
        if np.allclose(got, forward, rtol=1e-6, atol=1e-9):
            return "that is a forward difference; go a step h to both sides"
        if x.size > 1 and np.allclose(got, (f(x + h) - f(x - h)) / (2 * h), rtol=1e-6, atol=1e-9):
            return "move one element at a time, and leave all others where they are"
        if np.allclose(got, expected * h * h, rtol=1e-6, atol=1e-9):
            return "in Python a / 2 * h is (a / 2) * h; write a / (2 * h)"
        if x.size == 1:
            return "(f(x + h) - f(x - h)) / (2 * h), with the h that is given"
        return "each element has its own difference: all other elements stand where x has them"

    def product(x):
        return float(x.ravel()[0] * x.ravel()[-1])

    matrix = np.array([[1.0, 2.0, 3.0], [-1.0, 0.5, 0.0]])
    bent = Tensor(matrix, requires_grad=True)
    slope = grad(np.tanh(bent).sum(), bent).data
    cases = []
    for text, f, x, h, expected in [
            ("sum(x^2)", lambda x: float((x ** 2).sum()), [1.0], 0.5, [2.0]),
            ("sum(x^2)", lambda x: float((x ** 2).sum()), [1.0, 2.0], 0.5, [2.0, 4.0]),
            ("first x times last x", product, [2.0, 5.0], 0.5, [5.0, 2.0]),
            ("sum(x^3)", lambda x: float((x ** 3).sum()), [1.0], 0.5, [3.25]),
            ("first x times last x", product, matrix, 0.25, [[0.0, 0, 0], [0, 0, 1.0]]),
            ("sum(x^2)", lambda x: float((x ** 2).sum()), matrix, 0.25, 2 * matrix),
            ("sum(tanh(x))", lambda x: float(np.tanh(x).sum()), matrix, 1e-5, slope)]:
        x, expected = np.array(x), np.array(expected)
        cases.append(Case(f"f(x) = {text}, x = {short(x)}, h = {h:g}", (f, x, h), expected,
                          partial(judge, f=f, x=x, h=h, expected=expected)))
    return examine("central_difference", answer, cases)

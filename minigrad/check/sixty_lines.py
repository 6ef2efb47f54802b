"""Tutorial 02, build it in 60 lines: the rule of a division, an order of visit, the rule of a unit vector."""

from functools import partial

import numpy as np

from minigrad.check.exam import Case, examine, short
from minigrad.gradient import grad
from minigrad.tensor import Tensor


def divide_rule(answer):
    """Check ``answer(g, x, y)``: dL/dx and dL/dy of z = x / y from g = dL/dz, broadcasting undone.

    Oracle: the engine itself.

    Args:
        answer: a function of three arrays, g of the shape of x / y, that returns two arrays, of the shapes of x and y.

    Returns:
        1 if it is right for all inputs, else 0.

    Example:
        >>> divide_rule(lambda g, x, y: (g / y, g * x / y ** 2))
        divide_rule: not yet right for g = [1], x = [1], y = [2]: expected [[0.5], [-0.25]], received \
[[0.5], [0.25]]. Hint: dL/dy has the wrong sign: a larger y makes z smaller.
        0
    """
    def judge(got, g, x, y, expected):
        if len(got) != 2:
            return "return two arrays, dL/dx and dL/dy"
        got = [np.asarray(a, dtype=float) for a in got]
        for a, right, of, name in zip(got, expected, (x, y), "xy"):
            if a.shape != of.shape:
                return (f"dL/d{name} must have the shape of {name}, {of.shape}, not {a.shape}"
                        + (": sum over the copies, at the end" if a.shape == g.shape else ""))
            if np.allclose(a, right, rtol=1e-9, atol=1e-12):
                continue
            if np.allclose(a, -right):
                return f"dL/d{name} has the wrong sign" + (": a larger y makes z smaller" if name == "y" else "")
            if np.shape(x) == np.shape(y) and np.allclose(got, expected[::-1]):
                return "first dL/dx, then dL/dy"
            return ("dz/dx = 1 / y, times g" if name == "x" else "dz/dy = -x / y^2, times g; y^2, not y") + (
                ", summed over the copies (not their mean)" if a.shape != g.shape else "")
        return ""

    rng = np.random.default_rng(0)
    cases = []
    for g, x, y in [([1.0], [1.0], [2.0]), ([3.0], [1.0], [2.0]), ([1.0, 2.0], [4.0, -1.0], [2.0, 0.5]),
                    ([1.0, 2.0], [4.0, 6.0], [2.0]), ([1.0, 2.0], [4.0], [2.0, 0.5]),
                    ([[1.0, 2.0], [3.0, 4.0]], [[1.0, -1.0], [2.0, 0.5]], [2.0, 4.0]),
                    ([[1.0, 2.0], [3.0, 4.0]], [[1.0], [2.0]], [2.0, 4.0]), ([1.0, 2.0], [4.0, 6.0], 2.0),
                    (rng.normal(size=(2, 3, 4)), rng.normal(size=(3, 1)), rng.uniform(1, 2, size=(2, 1, 4)))]:
        g, x, y = np.array(g), np.array(x), np.array(y)
        tensors = [Tensor(x, requires_grad=True), Tensor(y, requires_grad=True)]
        expected = [d.data for d in grad(tensors[0] / tensors[1], tensors, g)]
        cases.append(Case(f"g = {short(g)}, x = {short(x)}, y = {short(y)}", (g, x, y), expected,
                          partial(judge, g=g, x=x, y=y, expected=expected)))
    return examine("divide_rule", answer, cases)


def visit_order(answer):
    """Check ``answer(parents, root)``: an order that visits each node later than all nodes that were made from it.

    Oracle: what must be true of such an order: it holds what leads to the root, all of it and each once, and no node
    stands before one that was made from it.  There may be several; any will do.

    Args:
        answer: a function of a dict, node -> list of the nodes it was made from, and one of its nodes, that returns a
            list of nodes.

    Returns:
        1 if it is right for all inputs, else 0.

    Example:
        >>> visit_order(lambda parents, root: list(parents))
        visit_order: not yet right for parents = {'a': [], 'b': ['a']}, root = b: expected ['b', 'a'], received \
['a', 'b']. Hint: b was made from a, so a must come later than b.
        0
    """
    def judge(got, parents, root, expected):
        got = None if isinstance(got, (str, dict)) else list(got)
        if got is None or not all(isinstance(node, str) for node in got):
            return "return a list of nodes"
        for node in got:
            if got.count(node) > 1:
                return f"{node} is there {got.count(node)} times; visit each node once"
            if node not in expected:
                return f"{node} does not lead to {root}, and is not to be visited"
        for node in expected:
            if node not in got:
                return f"{node} is missing"
        for node in got:
            for parent in parents[node]:
                if got.index(parent) < got.index(node):
                    return f"{node} was made from {parent}, so {parent} must come later than {node}"
        return ""

    long = {f"n{k}": [f"n{k - 1}", f"n{k - 1}"] if k else [] for k in range(10)}
    beside = {"a": [], "b": ["a"], "c": ["b"], "d": ["b", "c"], "e": ["d", "a"]}
    cases = []
    for parents, root in [
            ({"a": []}, "a"), ({"a": [], "b": ["a"]}, "b"), ({"a": [], "b": ["a"], "c": ["a"]}, "b"),
            ({"a": [], "b": ["a", "a"], "c": ["b", "b"]}, "c"),
            ({"a": [], "s": ["a"], "t": ["s"], "L": ["s", "t"]}, "L"),
            ({"a": [], "s": ["a"], "t": ["s"], "L": ["t", "s"]}, "L"),
            ({"L": ["u", "v"], "u": ["a"], "v": ["u"], "a": []}, "L"), (beside, "e"), (beside, "d"), (long, "n9")]:
        expected = an_order(parents, root)
        cases.append(Case(f"parents = {short(parents)}, root = {root}", (parents, root), expected,
                          partial(judge, parents=parents, root=root, expected=expected)))
    return examine("visit_order", answer, cases)


def an_order(parents, root):
    """Return a right order: visit what nothing waits for, as long as there is any."""
    below, stack = {root}, [root]
    while stack:
        fresh = [p for p in parents[stack.pop()] if p not in below]
        below.update(fresh)
        stack += fresh
    order = []
    while below:
        node = next(n for n in sorted(below) if not any(n in parents[other] for other in below))
        below.remove(node)
        order.append(node)
    return order


def unit_vector_rule(answer):
    """Check ``answer(g, x)``: dL/dx of y = x / ||x|| from g = dL/dy.

    Oracle: the engine itself.

    Args:
        answer: a function of two vectors of one length that returns a third.

    Returns:
        1 if it is right for all inputs, else 0.

    Example:
        >>> unit_vector_rule(lambda g, x: g / np.sqrt((x * x).sum()))
        unit_vector_rule: not yet right for g = [3], x = [4]: expected [0], received [0.75]. Hint: that is the share \
that goes directly; the other goes through the length, which changes with x.
        0
    """
    def judge(got, g, x, expected):
        got = np.asarray(got, dtype=float)
        if got.shape != x.shape:
            return f"return an array of the shape of x, {x.shape}"
        if np.allclose(got, expected, rtol=1e-9, atol=1e-12):
            return ""
        length = np.sqrt((x * x).sum())
        direct = g / length
        if np.allclose(got, direct):
            return "that is the share that goes directly; the other goes through the length, which changes with x"
        if np.allclose(got, expected - direct):
            return "that is the share that goes through the length; add the one that goes directly, g / n"
        if np.allclose(got, 2 * direct - expected):
            return "the share through the length has the wrong sign: a longer x makes y = x / n smaller"
        if np.allclose(got, direct * (1 - x * x / length ** 2)):
            return "n is one number, used by every element of y: its share is a sum over all of them"
        if not np.isclose((got * x).sum(), 0.0, atol=1e-9):
            return "a longer x does not change y, so dL/dx must be at a right angle to x, and is not"
        return "two shares: g / n directly, and through n, where dL/dn = -sum(g x) / n^2 and dn/dx = x / n"

    rng = np.random.default_rng(0)
    cases = []
    for g, x in [([3.0], [4.0]), ([1.0, 0.0], [1.0, 0.0]), ([0.0, 1.0], [2.0, 0.0]), ([1.0, 0.0], [3.0, 4.0]),
                 ([1.0, 1.0], [3.0, 4.0]), (rng.normal(size=5), rng.normal(size=5)), ([1.0, 0.0], [3e3, -4e3])]:
        g, x = np.array(g), np.array(x)
        leaf = Tensor(x, requires_grad=True)
        expected = grad(leaf / np.sqrt((leaf * leaf).sum()), leaf, g).data
        cases.append(Case(f"g = {short(g)}, x = {short(x)}", (g, x), expected,
                          partial(judge, g=g, x=x, expected=expected)))
    return examine("unit_vector_rule", answer, cases)

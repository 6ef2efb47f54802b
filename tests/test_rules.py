"""Every line of the table of rules, crossed with the properties that every rule must have.

A line of ``CASES`` is one call: the function as it stands in the table, its arguments, what NumPy says the value is and
what PyTorch calls it.  Floating arrays among the arguments are differentiated; everything else is handed over as it is.
A new rule needs a line here, and gets all the properties for it.
"""

import functools
import itertools
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import ops
from minigrad.engine import RULES, name_of

try:
    import torch
except ImportError:
    torch = None

needs_torch = pytest.mark.skipif(torch is None, reason="PyTorch is not installed")


def sample(*shape, low=-2.0, high=2.3):
    """Return distinct numbers between ``low`` and ``high`` in a scattered order, none near a multiple of 1/2."""
    n = max(1, math.prod(shape))
    order = np.argsort(np.sin(1 + 2.7 * np.arange(n)))
    points = low + (high - low) * (order + 0.5) / n
    nearest = np.round(2 * points) / 2
    return np.where(abs(points - nearest) < 0.04, nearest + 0.07, points)[: math.prod(shape)].reshape(shape)


A, B, ROW, COLUMN = sample(3, 4), sample(3, 4, high=1.9)[::-1].copy(), sample(4, high=1.7), sample(3, 1, high=1.8)
POSITIVE, EXPONENT = sample(3, 4, low=0.5, high=2.5), sample(4, low=-1.5, high=2.5)
CUBE, MASK = sample(2, 3, 4, high=2.2), np.sin(np.arange(12.0)).reshape(3, 4) > 0
LABELS = np.array([2, 0, 2])
REPEATED = (np.array([2, 0, 2]), np.array([[1], [3]]))
NEW_SHAPE = (2, 6)


@dataclass
class Case:
    """One call of a function of the table."""

    name: str
    fn: Any
    args: tuple
    twin: Any = None            # the same in PyTorch, called with the same arguments
    value: Any = None           # the same in NumPy; needed for functions that are not NumPy's own
    kwargs: dict = field(default_factory=dict)
    elementwise: bool = False

    @property
    def floats(self):
        """The arrays that are differentiated."""
        return [a for a in self.args if self.is_differentiated(a)]

    @staticmethod
    def is_differentiated(arg):
        return isinstance(arg, np.ndarray) and arg.dtype.kind == "f"

    def __call__(self, *floats, fn=None, **kwargs):
        """Call the function with these in place of the differentiated arguments."""
        replacements = iter(floats)
        args = [next(replacements) if self.is_differentiated(a) else a for a in self.args]
        return (fn or self.fn)(*args, **self.kwargs, **kwargs)


def case(name, fn, *args, twin=None, value=None, **kwargs):
    return Case(name, fn, args, twin, value, kwargs)


def elementwise(name, fn, *args, twin=None, value=None):
    return Case(name, fn, args, twin, value, elementwise=True)


def softmax_log(x, axis):
    e = np.exp(x - x.max(axis, keepdims=True))
    return np.log(e / e.sum(axis, keepdims=True))


def added_at(g, index, shape):
    out = np.zeros(shape)
    np.add.at(out, index, g)
    return out


CASES = [
    elementwise("add", np.add, A, B, twin=lambda a, b: a + b),
    elementwise("add broadcast", np.add, COLUMN, ROW, twin=lambda a, b: a + b),
    elementwise("subtract", np.subtract, A, ROW, twin=lambda a, b: a - b),
    elementwise("multiply", np.multiply, A, B, twin=lambda a, b: a * b),
    elementwise("multiply broadcast", np.multiply, COLUMN, CUBE, twin=lambda a, b: a * b),
    elementwise("multiply by itself", np.multiply, A, A, twin=lambda a, b: a * b),
    elementwise("divide", np.true_divide, A, POSITIVE, twin=lambda a, b: a / b),
    elementwise("divide broadcast", np.true_divide, COLUMN, POSITIVE, twin=lambda a, b: a / b),
    elementwise("power", np.power, POSITIVE, EXPONENT, twin=lambda a, b: a ** b),
    elementwise("cube", np.power, A, 3, twin=lambda x, n: x ** n),
    elementwise("power -1.5", np.power, POSITIVE, -1.5, twin=lambda x, n: x ** n),
    elementwise("2 to the power", np.power, 2.0, A, twin=lambda x, n: x ** n),
    elementwise("negative", np.negative, A, twin=lambda x: -x),
    elementwise("positive", np.positive, A, twin=lambda x: +x),
    elementwise("reciprocal", np.reciprocal, POSITIVE, twin=lambda x: 1 / x),
    elementwise("exp", np.exp, A, twin=lambda x: x.exp()),
    elementwise("log", np.log, POSITIVE, twin=lambda x: x.log()),
    elementwise("sqrt", np.sqrt, POSITIVE, twin=lambda x: x.sqrt()),
    elementwise("square", np.square, A, twin=lambda x: x.square()),
    elementwise("sin", np.sin, A, twin=lambda x: x.sin()),
    elementwise("cos", np.cos, A, twin=lambda x: x.cos()),
    elementwise("tanh", np.tanh, A, twin=lambda x: x.tanh()),
    elementwise("sigmoid", ops.sigmoid, A, twin=lambda x: x.sigmoid(), value=lambda x: 1 / (1 + np.exp(-x))),
    elementwise("absolute", np.absolute, A, twin=lambda x: x.abs()),
    elementwise("relu", ops.relu, A, twin=lambda x: x.relu(), value=lambda x: np.where(x > 0, x, 0)),
    elementwise("maximum", np.maximum, A, ROW, twin=lambda a, b: torch.maximum(a, b)),
    elementwise("minimum", np.minimum, COLUMN, B, twin=lambda a, b: torch.minimum(a, b)),
    elementwise("cast", ops.cast, A, "float64", twin=lambda x, _: x.double(), value=lambda x, dtype: x.astype(dtype)),
    *(case(f"select {what}", ops.select, MASK, a, b, value=np.where,
           twin=lambda c, a, b: torch.where(torch.as_tensor(c), a, b))
      for what, a, b in (("", A, B), ("broadcast", COLUMN, ROW), ("or 0", A, 0.0))),
    case("matrix @ matrix", np.matmul, A, sample(4, 2), twin=lambda a, b: a @ b),
    case("matrix @ vector", np.matmul, A, ROW, twin=lambda a, b: a @ b),
    case("vector @ matrix", np.matmul, ROW, sample(4, 2), twin=lambda a, b: a @ b),
    case("vector @ vector", np.matmul, ROW, EXPONENT, twin=lambda a, b: a @ b),
    case("batch @ matrix", np.matmul, CUBE, sample(4, 2), twin=lambda a, b: a @ b),
    case("matrix @ batch", np.matmul, A, CUBE.swapaxes(1, 2).copy(), twin=lambda a, b: a @ b),
    case("batch @ batch, broadcast", np.matmul, CUBE[:, None], sample(5, 4, 2), twin=lambda a, b: a @ b),
    case("batch @ vector", np.matmul, CUBE, ROW, twin=lambda a, b: a @ b),
    case("vector @ batch", np.matmul, sample(3), CUBE, twin=lambda a, b: a @ b),
    case("linear", ops.linear, A, sample(2, 4), sample(2), value=lambda x, w, b: x @ w.T + b,
         twin=lambda x, w, b: torch.nn.functional.linear(x, w, b)),
    case("linear without bias", ops.linear, A, sample(2, 4), value=lambda x, w: x @ w.T, twin=lambda x, w: x @ w.T),
    case("linear of a batch", ops.linear, CUBE, sample(2, 4), sample(2), value=lambda x, w, b: x @ w.T + b,
         twin=lambda x, w, b: torch.nn.functional.linear(x, w, b)),
    case("linear of a vector", ops.linear, ROW, sample(2, 4), sample(2), value=lambda x, w, b: w @ x + b,
         twin=lambda x, w, b: torch.nn.functional.linear(x, w, b)),
    case("cross_entropy", ops.cross_entropy, A, LABELS,
         value=lambda x, target: -softmax_log(x, 1)[np.arange(3), target].mean(),
         twin=lambda x, target: torch.nn.functional.cross_entropy(x, torch.as_tensor(target))),
    case("sum", np.sum, A, twin=lambda x: x.sum()),
    case("sum of an axis", np.sum, CUBE, axis=1, twin=lambda x, axis: x.sum(axis)),
    case("sum of two axes, kept", np.sum, CUBE, axis=(0, -1), keepdims=True,
         twin=lambda x, axis, keepdims: x.sum(axis, keepdims)),
    case("mean", np.mean, A, twin=lambda x: x.mean()),
    case("mean of an axis, kept", np.mean, CUBE, axis=-2, keepdims=True,
         twin=lambda x, axis, keepdims: x.mean(axis, keepdims)),
    case("max", np.max, A, twin=lambda x: x.max()),
    case("max of an axis", np.max, CUBE, axis=1, twin=lambda x, axis: x.amax(axis)),
    case("min", np.min, A, twin=lambda x: x.min()),
    case("min of two axes, kept", np.min, CUBE, axis=(0, 2), keepdims=True,
         twin=lambda x, axis, keepdims: x.amin(axis, keepdims)),
    case("log_softmax", ops.log_softmax, A, twin=lambda x: x.log_softmax(-1), value=lambda x: softmax_log(x, -1)),
    case("log_softmax of axis 0", ops.log_softmax, CUBE, axis=0, value=lambda x, axis: softmax_log(x, 0),
         twin=lambda x, axis: x.log_softmax(0)),
    *(case(f"norm, p = {p:g}", ops.norm, A, p, value=lambda x, p: np.linalg.norm(x.ravel(), p),
           twin=lambda x, p: torch.linalg.vector_norm(x, p)) for p in (1, 2, 3.5, math.inf)),
    case("reshape", np.reshape, A, NEW_SHAPE, twin=lambda x, shape: x.reshape(shape)),
    case("transpose", np.transpose, CUBE, twin=lambda x: x.permute(2, 1, 0)),
    case("transpose by axes", np.transpose, CUBE, (1, -1, 0), twin=lambda x, axes: x.permute(axes)),
    case("swapaxes", np.swapaxes, CUBE, 0, -1, twin=lambda x, a, b: x.swapaxes(a, b)),
    case("broadcast_to", np.broadcast_to, COLUMN, (2, 3, 4), twin=lambda x, shape: x.broadcast_to(shape)),
    *(case(f"take {what}", ops.take, A, index, value=lambda x, i: x[i], twin=lambda x, i: x[i]) for what, index in (
        ("a slice", (slice(None, None, 2), slice(1, 3))), ("a row", -1), ("repeated", REPEATED),
        ("with new axes", (Ellipsis, None, 1)), ("by mask", MASK), ("by rows and mask", (slice(1, 3), MASK[0])))),
    case("scatter", ops.scatter, sample(2, 3), REPEATED, (3, 4), value=added_at,
         twin=lambda g, i, shape: torch.zeros(shape, dtype=g.dtype).index_put(
             tuple(torch.as_tensor(j) for j in i), g, accumulate=True)),
    case("concatenate", ops.concatenate, A, sample(2, 4), A[:1].copy(), value=lambda *a: np.concatenate(a),
         twin=lambda *a: torch.cat(a)),
    case("concatenate along the last", ops.concatenate, A, COLUMN, axis=-1,
         value=lambda *a, axis: np.concatenate(a, axis), twin=lambda *a, axis: torch.cat(a, axis)),
    case("stack", ops.stack, A, B, value=lambda *a: np.stack(a), twin=lambda *a: torch.stack(a)),
    case("stack along the last", ops.stack, A, B, axis=-1, value=lambda *a, axis: np.stack(a, axis),
         twin=lambda *a, axis: torch.stack(a, axis)),
]

every_case = pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
elementwise_case = pytest.mark.parametrize("case", [c for c in CASES if c.elementwise], ids=lambda c: c.name)
dtypes = pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])


def leaves(arrays, dtype=None):
    return [mg.tensor(a, dtype, requires_grad=True) for a in arrays]


def weights(shape, seed=5):
    """Return a random cotangent."""
    return np.random.default_rng(seed).normal(size=shape)


@functools.cache
def reference(name):
    """Return value, cotangent and gradients of a case, in float64 from contiguous arrays."""
    case = next(c for c in CASES if c.name == name)
    xs = leaves(case.floats)
    y = case(*xs)
    v = weights(y.shape)
    return y.data, v, [g.data for g in mg.grad(y, xs, v)]


# ------------------------------------------------------------------------------------- all rules

def test_every_rule_of_the_library_has_a_case():
    """A rule without a line in CASES fails here."""
    def is_ours(rule):
        fn = rule.joint or next(v for v in rule.vjps if v is not None)
        return fn.__module__.startswith("minigrad.rules")

    ours = {fn for fn, rule in RULES.items() if not rule.constant and is_ours(rule)}
    covered = {case.fn for case in CASES}
    assert len(ours) > 30
    assert not {name_of(fn) for fn in ours - covered}
    assert len({c.name for c in CASES}) == len(CASES)


@every_case
def test_value_is_numpys_own(case):
    expected = case(*case.floats, fn=case.value or case.fn)
    got = case(*leaves(case.floats))
    assert isinstance(got, mg.Tensor)
    assert got.requires_grad
    np.testing.assert_allclose(got.data, expected, rtol=1e-14, atol=1e-14)
    np.testing.assert_array_equal(case(*case.floats), got.data, err_msg="arrays and tensors disagree")


@every_case
@pytest.mark.parametrize("order", [1, 2])
def test_gradcheck(case, order):
    assert mg.gradcheck(case, *case.floats, order=order)


@needs_torch
@every_case
def test_value_first_and_second_order_are_pytorchs(case):
    xs, ts = leaves(case.floats), [torch.tensor(a, requires_grad=True) for a in case.floats]
    y, z = case(*xs), case(*ts, fn=case.twin)
    np.testing.assert_allclose(y.data, z.detach().numpy(), rtol=1e-10, atol=1e-10)
    v = weights(y.shape)
    gs = mg.grad(y, xs, v, create_graph=True)
    hs = torch.autograd.grad(z, ts, torch.as_tensor(v), create_graph=True)
    for g, h in zip(gs, hs, strict=True):
        np.testing.assert_allclose(g.data, h.detach().numpy(), rtol=1e-10, atol=1e-10)
    us = [weights(a.shape, seed) for seed, a in enumerate(case.floats)]
    slopes = sum((g * u).sum() for g, u in zip(gs, us)), sum((h * torch.as_tensor(u)).sum() for h, u in zip(hs, us))
    assert slopes[0].item() == pytest.approx(slopes[1].item(), rel=1e-10, abs=1e-10)
    second, twin_second = ([None] * len(inputs) if not slope.requires_grad else grad(slope, inputs, allow_unused=True)
                           for slope, inputs, grad in zip(slopes, (xs, ts), (mg.grad, torch.autograd.grad)))
    for x, g, h in zip(xs, second, twin_second, strict=True):
        got = np.zeros(x.shape) if g is None else g.data
        expected = np.zeros(x.shape) if h is None else h.numpy(force=True)
        np.testing.assert_allclose(got, expected, rtol=1e-10, atol=1e-10)


@every_case
def test_gradient_is_differentiable_in_the_cotangent_too(case):
    """A vjp is linear in v: the derivative of <vjp(v), u> with respect to v, applied to v, is <vjp(v), u>."""
    xs = leaves(case.floats)
    y = case(*xs)
    v = mg.tensor(weights(y.shape), requires_grad=True)
    gs = mg.grad(y, xs, v, create_graph=True)
    slope = sum((g * weights(g.shape, seed)).sum() for seed, g in enumerate(gs))
    assert (mg.grad(slope, v).data * v.data).sum() == pytest.approx(slope.item(), rel=1e-11, abs=1e-11)


@every_case
@dtypes
@pytest.mark.parametrize("create_graph", [False, True])
def test_dtype_is_kept_in_value_and_gradient(case, dtype, create_graph):
    xs = leaves(case.floats, dtype)
    y = case(*xs)
    value, v, gradients = reference(case.name)
    assert y.dtype == (np.dtype("float64") if case.fn is ops.cast else dtype)
    gs = mg.grad(y, xs, v, create_graph=create_graph)
    assert {g.dtype for g in gs} == {np.dtype(dtype)}
    tolerance = 50 * float(np.finfo(dtype).eps)
    np.testing.assert_allclose(y.data, value, rtol=tolerance, atol=tolerance)
    for g, expected in zip(gs, gradients, strict=True):
        np.testing.assert_allclose(g.data, expected, rtol=tolerance, atol=tolerance * max(1, abs(expected).max()))


@every_case
@pytest.mark.parametrize("create_graph", [False, True])
def test_inputs_are_untouched(case, create_graph):
    constants = [np.copy(a) if isinstance(a, np.ndarray) else repr(a) for a in case.args]
    xs = leaves(case.floats)
    y = case(*xs)
    value, v = y.data.copy(), weights(y.shape)
    seed = v.copy()
    mg.grad(y, xs, seed, create_graph=create_graph)
    for x, a in zip(xs, case.floats, strict=True):
        np.testing.assert_array_equal(x.data, a)
    for now, before in zip(case.args, constants, strict=True):
        np.testing.assert_array_equal(now if isinstance(now, np.ndarray) else repr(now), before)
    np.testing.assert_array_equal(y.data, value)
    np.testing.assert_array_equal(seed, v)


@every_case
def test_gradients_alias_neither_each_other_nor_anything_else(case):
    xs, seen = leaves(case.floats), []
    y = case(*xs)
    y.register_hook(lambda g: seen.append(g.data))
    v = weights(y.shape)
    y.backward(v)
    arrays = [x.grad.data for x in xs] + [x.data for x in xs] + [y.data, v, *seen]
    for grad, other in itertools.product(arrays[:len(xs)], arrays):
        assert grad is other or not np.shares_memory(grad, other)


@every_case
def test_strided_arguments(case):
    """Every other row of a larger leaf, and the transpose of a leaf, give what contiguous leaves give."""
    value, v, gradients = reference(case.name)
    views = {"x[::2]": (lambda a: a.repeat(2, axis=0), lambda x: x[::2]),
             "x.T": (lambda a: np.ascontiguousarray(a.T), lambda x: x.T)}
    for text, (store, look) in views.items():
        xs = leaves([store(a) for a in case.floats])
        y = case(*(look(x) for x in xs))
        np.testing.assert_allclose(y.data, value, rtol=1e-13, atol=1e-14, err_msg=text)
        for x, g, expected in zip(xs, mg.grad(y, xs, v), gradients, strict=True):
            np.testing.assert_allclose(look(g.data), expected, rtol=1e-13, atol=1e-14, err_msg=text)
            assert g.shape == x.shape
            assert text == "x.T" or not g.data[1::2].any()


@every_case
def test_read_only_and_strided_arrays_beside_one_tensor(case):
    """Any one argument may be the tensor; plain arrays beside it may be read-only and strided."""
    value, v, gradients = reference(case.name)
    for k, expected in enumerate(gradients):
        args = [np.repeat(a, 2, axis=0)[::2] for a in case.floats]
        for a in args:
            a.flags.writeable = False
        args[k] = mg.tensor(args[k], requires_grad=True)
        y = case(*args)
        np.testing.assert_allclose(y.data, value, rtol=1e-13, atol=1e-14)
        np.testing.assert_allclose(mg.grad(y, args[k], v).data, expected, rtol=1e-13, atol=1e-14)


@every_case
def test_cotangent_may_be_a_read_only_view(case):
    """sum() sends a broadcast view back, a transpose a strided one; both equal a contiguous array of ones."""
    for down in (lambda y: y.sum(), lambda y: y.T.sum(axis=0).sum() if y.ndim else y):
        xs = leaves(case.floats)
        got = mg.grad(down(case(*xs)), xs)
        xs = leaves(case.floats)
        y = case(*xs)
        for g, expected in zip(got, mg.grad(y, xs, np.ones(y.shape)), strict=True):
            np.testing.assert_allclose(g.data, expected.data, rtol=1e-12, atol=1e-13)


@elementwise_case
@pytest.mark.parametrize("create_graph", [False, True])
def test_numbers_without_axes(case, create_graph):
    numbers = [a.ravel()[0] for a in case.floats]
    xs, ys = leaves(numbers), leaves([[n] for n in numbers])
    y = case(*xs)
    gs = mg.grad(y, xs, create_graph=create_graph)
    assert y.shape == ()
    for g, expected in zip(gs, mg.grad(case(*ys), ys), strict=True):
        assert g.shape == ()
        np.testing.assert_allclose(g.data, expected.data[0], rtol=1e-14)


EMPTY = [
    *(Case(c.name, c.fn, tuple(np.zeros((0, 3)) if c.is_differentiated(a) else a for a in c.args))
      for c in CASES if c.elementwise),
    case("sum", np.sum, np.zeros((0, 3))), case("sum of axis 0", np.sum, np.zeros((0, 3)), axis=0),
    case("max of axis 1", np.max, np.zeros((0, 3)), axis=1), case("norm", ops.norm, np.zeros(0)),
    case("no rows @", np.matmul, np.zeros((0, 3)), np.ones((3, 2))),
    case("no columns @", np.matmul, np.ones((2, 0)), np.ones((0, 3))),
    case("linear", ops.linear, np.zeros((0, 3)), np.ones((2, 3)), np.ones(2)),
    case("log_softmax", ops.log_softmax, np.zeros((0, 3))), case("take", ops.take, np.ones(3), slice(0, 0)),
    case("take by an empty mask", ops.take, np.ones(3), np.zeros(3, bool)),
    case("concatenate", ops.concatenate, np.zeros((0, 3)), np.ones((1, 3))),
    case("stack", ops.stack, np.zeros(0), np.zeros(0)),
    case("reshape", np.reshape, np.zeros((0, 3)), (3, 0)), case("transpose", np.transpose, np.zeros((0, 3))),
]


@pytest.mark.parametrize("case", EMPTY, ids=lambda c: c.name)
def test_empty_arrays(case):
    """Nothing in, nothing (or a sum of nothing) out, and a gradient of the argument's shape either way."""
    for create_graph in (False, True):
        xs = leaves(case.floats)
        y = case(*xs)
        np.testing.assert_array_equal(y.data, case(*case.floats))
        gs = mg.grad(y, xs, np.ones(y.shape), create_graph=create_graph)
        assert [g.shape for g in gs] == [x.shape for x in xs]
        assert all(np.isfinite(g.data).all() for g in gs)


# ------------------------------------------------------------------ points where something is to be decided

POINTS = [      # name, function, arguments, value, gradient of the sum for each argument
    ("relu at 0", ops.relu, [[-1, 0, 2]], [0, 0, 2], [[0, 0, 1]]),
    ("absolute at 0", np.absolute, [[-2, 0, 3]], [2, 0, 3], [[-1, 0, 1]]),
    ("maximum, a tie", np.maximum, [[1, 2, 3], [1, 3, 2]], [1, 3, 3], [[0.5, 0, 1], [0.5, 1, 0]]),
    ("minimum, a tie", np.minimum, [[1, 2, 3], [1, 3, 2]], [1, 2, 2], [[0.5, 1, 0], [0.5, 0, 1]]),
    ("max, two share", np.max, [[1, 3, 3, 0]], 3, [[0, 0.5, 0.5, 0]]),
    ("max of rows, two share", lambda x: np.max(x, axis=1), [[[1, 1], [0, 2]]], [1, 2], [[[0.5, 0.5], [0, 1]]]),
    ("min, four share", np.min, [[5, 5, 5, 5]], 5, [[0.25, 0.25, 0.25, 0.25]]),
    ("x**2 at 0", lambda x: x ** 2, [[0, 3]], [0, 9], [[0, 6]]),
    ("x**1 at 0", lambda x: x ** 1, [[0, 3]], [0, 3], [[1, 1]]),
    ("x**0 at 0", lambda x: x ** 0, [[0, 3]], [1, 1], [[0, 0]]),
    ("(-x)**3", lambda x: (-x) ** 3, [[0, 2]], [0, -8], [[0, -12]]),
    ("x**n at 0", np.power, [[0, 0, 0], [0, 1, 2]], [1, 0, 0], [[0, 1, 0], [0, 0, 0]]),
    ("tanh far out", np.tanh, [[-1e3, 0, 20, 1e3]], [-1, 0, 1, 1], [[0, 1, 0, 0]]),
    ("sigmoid far out", ops.sigmoid, [[-1e3, 0, 1e3]], [0, 0.5, 1], [[0, 0.25, 0]]),
    ("log_softmax far out", ops.log_softmax, [[1e4, 0, -1e4]], [0, -1e4, -2e4], [[-2, 1, 1]]),
    ("log_softmax, even", ops.log_softmax, [[1e4, 1e4]], [-math.log(2)] * 2, [[0, 0]]),
    ("cross_entropy far out", lambda x: ops.cross_entropy(x, np.array([1])), [[[1e4, 0]]], 1e4, [[[1, -1]]]),
    *((f"norm at 0, p = {p:g}", lambda x, p=p: ops.norm(x, p), [[0, 0]], 0, [[0, 0]]) for p in (1, 2, 3, math.inf)),
    ("norm, p = inf, two share", lambda x: ops.norm(x, math.inf), [[3, -3, 1]], 3, [[0.5, -0.5, 0]]),
    ("norm of 1e-200", ops.norm, [[3e-200, 4e-200]], 5e-200, [[0.6, 0.8]]),
    ("norm of 1e150", ops.norm, [[3e150, 4e150]], 5e150, [[0.6, 0.8]]),
]


@pytest.mark.parametrize(("f", "args", "value", "gradients"), [p[1:] for p in POINTS], ids=[p[0] for p in POINTS])
def test_kinks_ties_and_far_points(f, args, value, gradients):
    """The choices that are documented, and no warning on the way (warnings are errors)."""
    xs = leaves([np.array(a, float) for a in args])
    for create_graph in (False, True):
        y = f(*xs)
        np.testing.assert_allclose(y.data, value, rtol=1e-12)
        for g, expected in zip(mg.grad(y.sum(), xs, create_graph=create_graph), gradients, strict=True):
            np.testing.assert_allclose(g.data, expected, rtol=1e-12, atol=1e-300)


def test_sigmoid_is_as_small_as_it_should_be():
    """Far out on the left sigmoid(x) and its slope are exp(x), not 0."""
    x = mg.tensor([-30.0, -40.0, -200.0], requires_grad=True)
    np.testing.assert_allclose(ops.sigmoid(x).data, np.exp(x.data), rtol=1e-12)
    np.testing.assert_allclose(mg.grad(ops.sigmoid(x).sum(), x).data, np.exp(x.data), rtol=1e-12)


@pytest.mark.parametrize("n", [0, 1, 2, 3, 4])
def test_powers_at_0_have_every_derivative(n):
    """The k-th derivative of x**n at 0 is n! for k = n, else 0."""
    x = mg.tensor(0.0, requires_grad=True)
    y = x ** n
    for k in range(5):
        assert y.item() == (math.factorial(n) if k == n else 0)
        y = mg.grad(y, x, create_graph=True)


FLAT = [fn for fn, rule in RULES.items() if rule.constant]


@pytest.mark.parametrize("fn", FLAT, ids=name_of)
def test_flat_functions_give_tensors_without_a_gradient(fn):
    two = getattr(fn, "nin", 1) == 2 or fn in (np.isclose, np.allclose, np.array_equal)
    real = fn not in (np.invert, np.bitwise_and, np.bitwise_or)
    args = [mg.tensor([1.0, -2.5], requires_grad=True) if real else mg.tensor([True, False])] * (2 if two else 1)
    y = fn(*args)
    assert not y.requires_grad
    np.testing.assert_array_equal(y.data, fn(*(a.data for a in args)))


@pytest.mark.parametrize(("name", "call"), [
    ("(np.where|select)", lambda t: np.where(t, 1.0, 2.0)), ("np.clip", lambda t: np.clip(t, 0, 1)),
    ("np.sort", np.sort), ("np.arctan", np.arctan), ("np.linalg.norm", np.linalg.norm), ("np.fft.fft", np.fft.fft),
    ("np.einsum", lambda t: np.einsum("i->", t)), ("np.logaddexp", lambda t: np.logaddexp(1.0, t)),
    ("np.vstack", lambda t: np.vstack([t])),
])
def test_what_has_no_gradient_is_refused_by_name(name, call):
    """The error names the function and a way out; without a gradient the same call is NumPy's."""
    t = mg.tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(TypeError, match=rf"^{name.replace('.', '[.]')} .*t\.detach\(\)"):
        call(t)
    np.testing.assert_array_equal(np.asarray(call(t.detach())), call(t.data))

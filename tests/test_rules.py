"""Every line of the table of rules, crossed with the properties that every rule must have.

The lines stand in ``tests/cases/``; a new rule needs one there, and gets all the properties for it.
"""

import functools
import itertools
import math

import numpy as np
import pytest
from cases import CASES, EMPTY, FLAT, POINTS

import minigrad as mg
from minigrad import engine, ops
from minigrad.table import RULES, name_of

try:
    import torch
except ImportError:
    torch = None

needs_torch = pytest.mark.skipif(torch is None, reason="PyTorch is not installed")

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
    assert y.dtype == (case.dtype or dtype)
    gs = mg.grad(y, xs, v, create_graph=create_graph)
    assert {g.dtype for g in gs} == {np.dtype(dtype)}
    tolerance = 50 * float(np.finfo(dtype).eps)
    np.testing.assert_allclose(y.data, value, rtol=tolerance, atol=tolerance)
    for g, expected in zip(gs, gradients, strict=True):
        np.testing.assert_allclose(g.data, expected, rtol=tolerance, atol=tolerance * max(1, abs(expected).max()))


@every_case
@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_no_rule_computes_in_a_longer_dtype(case, dtype, monkeypatch):
    """The engine would cast what comes back, but the work would have been done twice as slowly."""
    def fit(pulled, like, fn, index, fit=engine.fit):
        assert pulled.dtype == like.dtype, f"{name_of(fn)}, argument {index}: {pulled.dtype}"
        return fit(pulled, like, fn, index)

    xs = leaves(case.floats, dtype)
    y = case(*xs)
    if y.dtype == dtype:
        monkeypatch.setattr(engine, "fit", fit)
        mg.grad(y, xs, np.ones(y.shape, dtype))


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


@pytest.mark.parametrize("f", [
    *(lambda x, p=p, how=how: ops.norm(x, p, **how).sum() for p in (1, 1.5, 2, 3, math.inf)
      for how in ({}, {"axis": 0}, {"axis": (0, 1), "keepdims": True})),
    lambda x: np.hypot(x[0], x[1]).sum(), lambda x: np.arctan2(x[0], x[1]).sum(), lambda x: np.std(x, axis=0).sum(),
])
def test_at_the_tip_of_a_cone_every_derivative_is_0(f):
    """A norm at 0 has no slope; the one chosen is 0, and its derivatives belong to it."""
    x = mg.tensor(np.zeros((2, 2)), requires_grad=True)
    y = f(x)
    for _ in range(4):
        assert y.item() == 0
        g = mg.grad(y, x, create_graph=True, allow_unused=True) if y.requires_grad else None
        if g is None:
            break
        np.testing.assert_array_equal(g.data, np.zeros((2, 2)))
        y = (g * [[1.0, -2.0], [0.5, 3.0]]).sum()


@pytest.mark.parametrize("fn", [
    ops.sigmoid, ops.log_sigmoid, ops.softplus, ops.silu, ops.gelu, ops.erf, ops.erfc, ops.bell, ops.elu, ops.selu,
    ops.leaky_relu, ops.hardtanh, ops.softmax, ops.log_softmax, ops.logsumexp, ops.norm,
    lambda x: ops.norm(x, axis=0), lambda x: ops.norm(x, 3), lambda x: ops.gelu(x, "tanh"),
    lambda x: ops.standardize(x, (0,), 1.0), lambda x: ops.cross_entropy(x.reshape(1, -1), np.array([1])),
])
@pytest.mark.parametrize("dtype", [np.bool_, np.int8, np.uint8, np.int64])
def test_whole_numbers_are_computed_with_in_float64(fn, dtype):
    x = np.array([1, 0, 1], dtype)
    expected = fn(x.astype(float))
    for got in (fn(x), fn(mg.tensor(x)).data):
        assert got.dtype == np.float64
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("fn", [np.median, lambda x: np.median(x, axis=0)[0], np.max, np.min,
                                lambda x: ops.norm(x, math.inf), lambda x: ops.norm(x, math.inf, axis=0)[0]])
def test_nan_among_the_elements_gets_the_gradient_or_hands_it_on(fn):
    """Without a warning; the other elements get none of it, as from torch.max."""
    x = mg.tensor([[1.0], [math.nan], [3.0], [math.nan]], requires_grad=True)
    y = fn(x)
    assert math.isnan(y.item())
    g = mg.grad(y, x).data.ravel()
    assert g[[0, 2]].tolist() == [0, 0]
    assert not (g[[1, 3]] == 0).any()


@pytest.mark.parametrize("n", [0, 1, 2, 3, 4])
def test_powers_at_0_have_every_derivative(n):
    """The k-th derivative of x**n at 0 is n! for k = n, else 0."""
    x = mg.tensor(0.0, requires_grad=True)
    y = x ** n
    for k in range(5):
        assert y.item() == (math.factorial(n) if k == n else 0)
        y = mg.grad(y, x, create_graph=True)


@pytest.mark.parametrize("fn", [
    fn for fn, rule in RULES.items()
    if rule.constant and not hasattr(fn, "is_primitive") and fn is not np.empty_like], ids=name_of)
def test_flat_functions_give_tensors_without_a_gradient(fn):
    real = not isinstance(fn, np.ufunc) or any(types[0] == "d" for types in fn.types)
    arg = mg.tensor([1.0, -2.5], requires_grad=True) if real else mg.tensor([True, False])
    args = [arg] * FLAT.get(fn, getattr(fn, "nin", 1))
    y = fn(*args)
    assert not y.requires_grad
    np.testing.assert_array_equal(y.data, fn(*(a.data for a in args)))


@pytest.mark.parametrize(("name", "call"), [
    ("(np.where|select)", lambda t: np.where(t, 1.0, 2.0)), ("np.modf", np.modf), ("np.i0", np.i0),
    ("np.nanmax", np.nanmax), ("np.fft.fft", np.fft.fft), ("np.gradient", np.gradient), ("np.unwrap", np.unwrap),
    ("np.linalg.norm", lambda t: np.linalg.norm(t.reshape(1, 2), ord=2)), ("np.divmod", lambda t: np.divmod(t, 2)),
    ("np.nextafter", lambda t: np.nextafter(1.0, t)), ("np.interp", lambda t: np.interp([1.5], t, [0.0, 1.0])),
])
def test_what_has_no_gradient_is_refused_by_name(name, call):
    """The error names the function and a way out; without a gradient the same call is NumPy's."""
    t = mg.tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(TypeError, match=rf"^{name.replace('.', '[.]')} .*t\.detach\(\)"):
        call(t)
    np.testing.assert_array_equal(np.asarray(call(t.detach())), call(t.data))

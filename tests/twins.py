"""The same call in minigrad and in PyTorch: value, first and second order, live and recorded.

A call is written once, ``lambda s, x, w: s.F.layer_norm(x, (4,), w)``, and run on two sides: ``s.F`` is the module of
functions, ``s.nn`` that of modules, ``s.of(data)`` makes a tensor that is not differentiated.
"""

import math

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn

try:
    import torch
except ImportError:
    torch = None

needs_torch = pytest.mark.skipif(torch is None, reason="PyTorch is not installed")
dtypes = pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])


def waves(*shape, k=0.0, size=0.9):
    """Return numbers of both signs by a formula, the same wherever they are computed."""
    return size * np.sin(1.7 * np.arange(1, math.prod(shape) + 1) + k).reshape(shape)


class Ours:
    F, nn = nn.functional, nn

    def __init__(self, dtype="float64"):
        self.dtype = dtype

    def of(self, data):
        array = np.asarray(data)
        return mg.tensor(array, self.dtype if array.dtype.kind == "f" else None)

    def leaf(self, array):
        return mg.tensor(array, self.dtype, requires_grad=True)

    def grad(self, y, xs, v=None, create_graph=False):
        gs = mg.grad(y, xs, v, create_graph=create_graph, allow_unused=True)
        return [mg.tensor(np.zeros(x.shape, x.dtype)) if g is None else g for g, x in zip(gs, xs)]

    def array(self, x):
        return x.data


class Theirs:
    if torch is not None:
        F, nn = torch.nn.functional, torch.nn

    def of(self, data):
        return torch.as_tensor(np.asarray(data))

    def leaf(self, array):
        return torch.tensor(array, requires_grad=True)

    def grad(self, y, xs, v=None, create_graph=False):
        v = None if v is None else torch.as_tensor(v)
        gs = torch.autograd.grad(y, xs, v, create_graph=create_graph, allow_unused=True)
        return [torch.zeros_like(x) if g is None else g for g, x in zip(gs, xs)]

    def array(self, x):
        return x.numpy(force=True)


def results(side, call, arrays):
    """Return the value, the gradients of <value, v>, and the gradients of <these, u>, as arrays."""
    xs = [side.leaf(a) for a in arrays]
    y = call(side, *xs)
    gs = side.grad(y, xs, waves(*y.shape, k=0.3), create_graph=True)
    slope = sum((g * side.of(waves(*g.shape, k=0.5 + i))).sum() for i, g in enumerate(gs))
    hs = side.grad(slope, xs) if slope.requires_grad else [side.of(np.zeros(a.shape)) for a in arrays]
    return [side.array(t) for t in (y, *gs, *hs)]


def fingerprint(side, call, arrays):
    """Return value, first and second order, each brought to one number."""
    y, *slopes = results(side, call, arrays)
    n = len(arrays)
    return [float(sum((a * waves(*a.shape, k=0.2 + i)).sum() for i, a in enumerate(group)))
            for group in ([y], slopes[:n], slopes[n:])]


def check_live(call, arrays):
    """Compare every element with PyTorch's."""
    for got, expected in zip(results(Ours(), call, arrays), results(Theirs(), call, arrays), strict=True):
        assert got.shape == expected.shape
        np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-10)


def check_recorded(call, arrays, recorded):
    """Compare with the numbers that PyTorch 2.13 gave, and these, where it is installed, with PyTorch."""
    np.testing.assert_allclose(fingerprint(Ours(), call, arrays), recorded, rtol=1e-8, atol=1e-10)
    if torch is not None:
        np.testing.assert_allclose(fingerprint(Theirs(), call, arrays), recorded, rtol=1e-8, atol=1e-10)


def check_gradients(call, arrays):
    """Compare with central differences, at order 1 and 2; PyTorch is not asked."""
    assert mg.gradcheck(lambda *xs: call(Ours(), *xs), *arrays, order=2)


def check_dtype(call, arrays, dtype):
    """Value and gradients of the first and second order have the dtype of what they came from, and are near."""
    exact = results(Ours(), call, arrays)
    side = Ours(dtype)
    xs = [side.leaf(a) for a in arrays]
    y = call(side, *xs)
    assert y.dtype == dtype
    first = mg.grad(y, xs, waves(*y.shape, k=0.3).astype(dtype), create_graph=True, allow_unused=True)
    assert {g.dtype for g in first if g is not None} == {np.dtype(dtype)}
    plain = mg.grad(call(side, *xs), xs, waves(*y.shape, k=0.3), allow_unused=True)
    for got, expected in zip((y, *plain), exact):
        if got is not None:
            assert got.dtype == dtype
            tolerance = 100 * float(np.finfo(dtype).eps) * max(1.0, float(np.abs(expected).max(initial=0)))
            np.testing.assert_allclose(got.data, expected, rtol=tolerance, atol=tolerance)


def properties(cases):
    """Return the four tests of a table: name -> (call, differentiated arrays, PyTorch's three numbers).

    Every element is PyTorch's, live; the numbers recorded from PyTorch come out; gradients agree with central
    differences at order 1 and 2; dtypes are kept.
    """
    every_case = pytest.mark.parametrize(("call", "arrays", "recorded"), cases.values(), ids=cases)

    @needs_torch
    @every_case
    def live(call, arrays, recorded):
        check_live(call, arrays)

    @every_case
    def known(call, arrays, recorded):
        check_recorded(call, arrays, recorded)

    @every_case
    def gradients(call, arrays, recorded):
        check_gradients(call, arrays)

    @every_case
    @dtypes
    def kept(call, arrays, recorded, dtype):
        check_dtype(call, arrays, dtype)

    return live, known, gradients, kept

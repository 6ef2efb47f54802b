"""Tensors made from nothing: the constructors of the top level, against NumPy and PyTorch."""

import math

import numpy as np
import pytest

import minigrad as mg

try:
    import torch
except ImportError:
    torch = None

X = np.array([[0.3, -1.2, 2.1], [0.8, 0.5, -0.7]])

MADE = [
    (lambda lib: lib.zeros(2, 3), np.zeros((2, 3))), (lambda lib: lib.zeros((2, 3)), np.zeros((2, 3))),
    (lambda lib: lib.ones([2]), np.ones(2)), (lambda lib: lib.full((2, 2), 3.5), np.full((2, 2), 3.5)),
    (lambda lib: lib.full((2,), 3), np.full(2, 3)), (lambda lib: lib.arange(5), np.arange(5)),
    (lambda lib: lib.arange(1, 2, 0.25), np.arange(1, 2, 0.25)),
    (lambda lib: lib.linspace(0, 1, 5), np.linspace(0, 1, 5)),
    (lambda lib: lib.linspace(0, 1, steps=3), np.linspace(0, 1, 3)), (lambda lib: lib.eye(2), np.eye(2)),
    (lambda lib: lib.eye(2, 3), np.eye(2, 3)), (lambda lib: lib.logspace(0, 2, 3), np.logspace(0, 2, 3)),
    (lambda lib: lib.zeros_like(lib.tensor([[1, 2]])), np.zeros((1, 2), int)),
    (lambda lib: lib.ones_like(lib.tensor([1.0]), dtype=lib.float32), np.ones(1, np.float32)),
    (lambda lib: lib.full_like(lib.tensor([1.0, 2.0]), 7), np.full(2, 7.0)),
    (lambda lib: lib.tensor([[1, 2], [3, 4]]), np.array([[1, 2], [3, 4]])),
    (lambda lib: lib.tensor([True, False]), np.array([True, False])),
    (lambda lib: lib.tensor(3.0, dtype=lib.half), np.float16(3)),
    (lambda lib: lib.as_tensor([1.0, 2.0], dtype=lib.float32), np.array([1, 2], np.float32)),
    (lambda lib: lib.zeros(size=(2, 1)), np.zeros((2, 1))), (lambda lib: lib.arange(end=3), np.arange(3)),
    (lambda lib: lib.zeros(2, dtype=None), np.zeros(2)),
    (lambda lib: lib.tensor([1.0]).new_zeros(2, 3), np.zeros((2, 3))),
    (lambda lib: lib.tensor([1.0]).new_full((2,), 7.0), np.full(2, 7.0)), (lambda lib: lib.tensor([1.0]).new_ones((2,)),
                                                                       np.ones(2)),
    (lambda lib: lib.from_numpy(X), X), (lambda lib: lib.tensor(X).to(lib.float32), X.astype(np.float32)),
]


@pytest.mark.parametrize(("f", "expected"), MADE)
def test_constructors(f, expected):
    got = f(mg)
    assert got.dtype == np.asarray(expected).dtype
    np.testing.assert_array_equal(got.data, expected)
    if torch is not None:
        twin = f(torch).numpy()
        np.testing.assert_allclose(got.data, twin, rtol=1e-6)
        assert twin.dtype in (got.dtype, np.float32)          # float64 is the default here, float32 there


RANDOM = [
    (lambda **kw: mg.rand(400, 5, **kw), (400, 5), 0.5, 12 ** -0.5), (lambda **kw: mg.randn((2000,), **kw),
    (2000,), 0, 1),
    (lambda **kw: mg.randint(0, 10, (2000,), **kw), (2000,), 4.5, 8.25 ** 0.5),
    (lambda **kw: mg.randint(10, (2000,), **kw), (2000,), 4.5, 8.25 ** 0.5),
    (lambda **kw: mg.normal(2.0, 3.0, (2000,), **kw), (2000,), 2, 3),
    (lambda **kw: mg.bernoulli(mg.full((2000,), 0.25), **kw), (2000,), 0.25, 0.1875 ** 0.5),
    (lambda **kw: mg.randperm(2000, **kw), (2000,), 999.5, (2000 ** 2 / 12) ** 0.5),
    (lambda **kw: mg.multinomial(mg.tensor([0.25, 0.75]), 2000, replacement=True, **kw), (2000,), 0.75, 0.1875 ** 0.5),
    (lambda **kw: mg.randn_like(mg.zeros(2000), **kw) if not kw else mg.randn(2000, **kw), (2000,), 0, 1),
]


@pytest.mark.parametrize(("f", "shape", "mean", "std"), RANDOM)
def test_random_constructors(f, shape, mean, std):
    """Seeded, of the shape, mean and spread asked for (within 5 standard errors)."""
    mg.manual_seed(11)
    a = f()
    mg.manual_seed(11)
    assert a.equal(f())
    b = f(generator=np.random.default_rng(3))
    assert b.equal(f(rng=np.random.default_rng(3)))
    assert not a.equal(b)
    assert a.shape == shape
    values = a.data.astype(float)
    assert abs(values.mean() - mean) < 5 * std / math.sqrt(a.size)
    assert values.std() == pytest.approx(std, rel=0.1)


def test_constructors_that_require_a_gradient():
    for t in (mg.zeros(2, requires_grad=True), mg.randn(2, requires_grad=True), mg.tensor([1.0], requires_grad=True),
              mg.eye(2, requires_grad=True), mg.full((2,), 1.0, requires_grad=True)):
        assert t.requires_grad
        assert t.is_leaf
        t.sum().backward()
        assert t.grad.data.all()
    with pytest.raises(TypeError, match="int64"):
        mg.arange(3, requires_grad=True)
    source = X.copy()
    t = mg.from_numpy(source)
    source[:] = 0
    assert t.equal(mg.tensor(X))

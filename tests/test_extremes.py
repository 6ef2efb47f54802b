"""Far from 0 and close to it: no overflow, no NaN and no warning where the true gradient is a number.

Every function of each element in the table of cases is taken at points far out (warnings are errors in these tests).
Where PyTorch is installed, its value, gradient and second derivative are the reference wherever they are finite.
Beside that, float16 and float32 must give what float64 gives, wherever that fits into them.  What is decided otherwise
than in PyTorch, or better, is pinned in ``POINTS`` and below; then what is refused.
"""

import itertools
import math

import numpy as np
import pytest
from cases import elementwise

import minigrad as mg
from minigrad import ops

try:
    import torch
except ImportError:
    torch = None

needs_torch = pytest.mark.skipif(torch is None, reason="PyTorch is not installed")

FAR = [0.0, 1e-300, -1e-300, 1e-5, -1e-5, 0.5, -0.5, 30.0, -40.0, 700.0, -700.0, 1e3, -1e3, 1e4, -1e4, 1e150, -1e300]

# Quotients near whole numbers jump; the series that stands in for PyTorch's sinc is for small arguments only.
PLACES = [c for c in elementwise.CASES if c.elementwise and not {"fmod", "remainder", "near"} & set(c.name.split())]
every_function = pytest.mark.parametrize("case", PLACES, ids=lambda c: c.name)

OURS_IS_BETTER = {
    # name: where PyTorch's derivatives, though finite, are not the true ones
    "sinc": lambda x: abs(x) < 0.1,                                         # it cancels there
    "arctan2": lambda a, b: np.hypot(a, b) < 1e-150,                        # the square of the radius underflows
    "power": lambda x, n: n == 0, "float_power": lambda x, n: n == 0,       # no d/dn of n x^(n-1)
}


def points(case, numbers):
    """Return all combinations of the numbers: a row per differentiated argument, a column per point."""
    return np.array(list(itertools.product(numbers, repeat=len(case.floats)))).T


def derivative(case, numbers, order, leaf, ones, grad, **twin):
    """Return the value (order 0), or the gradient (1), or that of a weighted sum of the gradients (2), as a list."""
    xs = [leaf(row) for row in numbers]
    y = case(*xs, **twin)
    if order == 0:
        return [y]
    gs = grad(y, xs, ones(y), create_graph=order == 2)
    if order == 1:
        return gs
    total = sum(g * weight for g, weight in zip(gs, (1.0, 0.6, 0.7)))
    found = grad(total, xs, ones(y), allow_unused=True) if total.requires_grad else [None]
    return [0 * x if g is None else g for g, x in zip(found, xs)]


def ours(case, numbers, order):
    found = derivative(case, numbers, order, lambda a: mg.tensor(a, requires_grad=True),
                       lambda y: np.ones(y.shape, y.dtype), mg.grad)
    return [np.asarray(t.data) for t in found]


def pytorchs(case, numbers, order):
    found = derivative(case, numbers, order, lambda a: torch.tensor(a, requires_grad=True), torch.ones_like,
                       torch.autograd.grad, fn=case.twin)
    return [t.numpy(force=True) for t in found]


def where_finite(case, numbers, order, find, dtype=float):
    """Return the points at which all derivatives up to this order are finite."""
    for k in range(order + 1):
        good = np.all([np.isfinite(row.astype(dtype)) for row in find(case, numbers, k)], axis=0)
        numbers = numbers[:, good]
    return numbers


@needs_torch
@every_function
@pytest.mark.parametrize("order", [0, 1, 2])
def test_far_out_it_is_what_pytorch_says(case, order):
    numbers = where_finite(case, points(case, FAR), order, pytorchs)
    if case.name in OURS_IS_BETTER and order:
        numbers = numbers[:, ~OURS_IS_BETTER[case.name](*numbers)]
    assert numbers.shape[1] > 1
    got, expected = np.stack(ours(case, numbers, order)), np.stack(pytorchs(case, numbers, order))
    size = np.maximum(1, np.abs(expected).max(axis=0))                  # of the largest derivative at each point
    wrong = ~(np.abs(got - expected) <= 1e-9 * np.abs(expected) + 1e-15 * size)
    assert not wrong.any(), (numbers[:, wrong.any(axis=0)].T, got[wrong], expected[wrong])


@pytest.mark.parametrize("case", [c for c in PLACES if "power" not in c.name], ids=lambda c: c.name)
@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("order", [1, 2])
def test_short_floats_far_out_are_what_float64_says(case, dtype, order):
    """Nothing on the way to a gradient that fits into a shorter float overflows it; but x^(n-1) in n x^(n-1) may."""
    numbers = points(case, [x for x in FAR if x == 0 or 1e-4 < abs(x) < 1e5]).astype(dtype)
    with np.errstate(all="ignore"):
        numbers = numbers[:, np.isfinite(case(*numbers))]           # NumPy 2.0's sinc of a float16 0 is NaN
        long = where_finite(case, numbers.astype(float), order, ours, dtype)
        expected = ours(case, long, order)
    assert long.shape[1] > 1
    for got, right in zip(ours(case, long.astype(dtype), order), expected, strict=True):
        assert got.dtype == dtype
        assert np.isfinite(got).all()
        if dtype == "float32":
            np.testing.assert_allclose(got, right, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("x", [0.0, 1e-300, 1e-9, 1e-4])
def test_sinc_has_every_derivative_at_0(x):
    """sinc(x) = 1 - (pi x)^2 / 3! + (pi x)^4 / 5! - ...: the even derivatives at 0 are pi^2k (-1)^k / (2k + 1)."""
    x = mg.tensor(x, requires_grad=True)
    y = np.sinc(x)
    for k in range(5):
        expected = (-1) ** (k // 2) * math.pi ** k / (k + 1) if k % 2 == 0 else 0
        if k % 2 == 0:
            assert y.item() == pytest.approx(expected, rel=1e-6)
        else:
            slope = (-1) ** (k // 2 + 1) * math.pi ** (k + 1) / (k + 2)
            assert y.item() == pytest.approx(slope * x.item(), rel=1e-6)
        y = mg.grad(y, x, create_graph=True)


@pytest.mark.parametrize("x", [1e-3, 0.5, 2.0])
def test_mixed_derivative_of_a_power_at_exponent_0(x):
    """d/dn of n x^(n-1) at n = 0 is 1/x, as is d/dx of x^n log x."""
    x, n = mg.tensor(x, requires_grad=True), mg.tensor(0.0, requires_grad=True)
    in_x, in_n = mg.grad(x ** n, (x, n), create_graph=True)
    assert mg.grad(in_x, n).item() == pytest.approx(1 / x.item(), rel=1e-12)
    assert mg.grad(in_n, x).item() == pytest.approx(1 / x.item(), rel=1e-12)


REFUSED = [
    ("gelu", lambda x: ops.gelu(x, "sigmoid"), ValueError, "approximate is 'none' or 'tanh', not 'sigmoid'"),
    ("np.select", lambda x: np.select([x.data > 0], [x, x]), ValueError, "1 conditions for 2 choices"),
    ("np.diff", lambda x: np.diff(x, -1), ValueError, "n = -1"),
    ("np.diff(append=)", lambda x: np.diff(x, append=1.0), TypeError, r"np\.diff.*'append'.*t\.detach\(\)"),
    ("np.average", lambda x: np.average(x, weights=[1, 2]), ValueError, r"shape \(2,\) .* a of shape \(2, 3\)"),
    ("np.average(axis)", lambda x: np.average(x, axis=0, weights=[1, 2, 3]), ValueError, r"shape \(3,\) .* axis 0"),
    ("p = 0.5", lambda x: ops.norm(x, 0.5), ValueError, "p must be at least 1"),
    ("p = 0.5 of rows", lambda x: np.linalg.norm(x, 0.5, axis=1), ValueError, "p must be at least 1"),
    ("p = NaN of rows", lambda x: ops.norm(x, math.nan, axis=1), ValueError, "p must be at least 1"),
    ("a matrix norm", lambda x: np.linalg.norm(x, 2), TypeError, r"ord=2 of a matrix.*ord='fro'.*t\.detach\(\)"),
    ("the nuclear norm", lambda x: np.linalg.norm(x, "nuc"), TypeError, "ord='nuc' of a matrix"),
    ("matrix_norm", lambda x: np.linalg.matrix_norm(x, ord=1), TypeError, r"np\.linalg\.matrix_norm with ord=1"),
    ("fro of a vector", lambda x: np.linalg.norm(x[0], "fro"), ValueError, "ord='fro' is for matrices"),
    ("1 of a cube", lambda x: np.linalg.norm(x.reshape(1, 2, 3), 1), ValueError, r"shape \(1, 2, 3\); give axis="),
    ("np.nan_to_num in place", lambda x: np.nan_to_num(x, copy=False), TypeError, "keyword 'copy'"),
    ("np.sum(where=)", lambda x: np.sum(x, where=np.array([True, False, True])), TypeError, "keyword 'where'"),
    ("np.var(mean=)", lambda x: np.var(x, mean=1.0), TypeError, "keyword 'mean'"),
]


@pytest.mark.parametrize(("call", "error", "text"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED])
def test_bad_arguments_are_refused_by_name(call, error, text):
    x = mg.tensor(np.arange(6.0).reshape(2, 3), requires_grad=True)
    with pytest.raises(error, match=text):
        call(x)


def test_without_a_degree_of_freedom_the_slope_is_nan():
    """As in PyTorch; NumPy warns of it when it computes the value."""
    x = mg.tensor([2.0], requires_grad=True)
    for fn in (np.var, np.std):
        with pytest.warns(RuntimeWarning):
            y = fn(x, ddof=1)
        assert np.isnan(mg.grad(y, x).data).all()


def test_orders_and_places_are_constants():
    x = mg.tensor([[0.0, 3.0], [2.0, 0.0]], requires_grad=True)
    rows, columns = np.nonzero(x)
    np.testing.assert_array_equal(rows.data, [0, 1])
    np.testing.assert_array_equal(columns.data, [1, 0])
    np.testing.assert_array_equal(x[rows, columns].data, [3, 2])
    assert mg.grad(x[np.nonzero(x)].sum(), x).tolist() == [[0, 1], [1, 0]]
    assert not np.argsort(x, axis=0).requires_grad
    assert np.searchsorted([0.0, 1.0], x[0], side="right").tolist() == [1, 2]

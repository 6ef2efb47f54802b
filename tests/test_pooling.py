"""Pooling: against PyTorch, and against loops that visit every window by itself."""

import itertools
import math

import numpy as np
import pytest
from cases.common import sample
from cases.conv import all_windows, how, largest
from hypothesis import given, settings
from hypothesis import strategies as st

import minigrad as mg
from minigrad import nn, ops
from minigrad.nn import functional as F
from minigrad.seeding import generator

try:
    import torch
except ImportError:
    torch = None

needs_torch = pytest.mark.skipif(torch is None, reason="PyTorch is not installed")


def numbers(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


@st.composite
def poolings(draw):
    """Draw an array of few different values (ties everywhere) and settings that PyTorch takes as well."""
    axes = draw(st.sampled_from([1, 2]))
    kernel, stride = draw(st.tuples(*[st.integers(1, 4)] * axes)), draw(st.tuples(*[st.integers(1, 4)] * axes))
    padding = tuple(draw(st.integers(0, k // 2)) for k in kernel)
    spatial = tuple(k + draw(st.integers(0, 4)) for k in kernel)
    values = draw(st.sampled_from([[0.0, 0.0, 1.0], [-np.inf, -1.0], [0.0, np.nan, np.inf], [*np.linspace(-3, 3, 40)]]))
    x = np.random.default_rng(draw(st.integers(0, 99))).choice(values, size=(draw(st.integers(1, 2)), 2, *spatial))
    return x, kernel, stride, padding, draw(st.booleans())


MAX_POOLS, AVG_POOLS = {1: F.max_pool1d, 2: F.max_pool2d}, {1: F.avg_pool1d, 2: F.avg_pool2d}


def windows_one_by_one(x, kernel, stride, padding, ceil_mode):
    """Yield the index of each window and the ranges it spans along each axis, from ``-padding`` on."""
    lines = []
    for n, k, s, p in zip(x.shape[2:], kernel, stride, padding):
        lines.append([range(a, a + k) for a in range(-p, n + p, s)
                      if a + k <= n + p or (ceil_mode and a < n and a - s + k < n + p)])    # the last begins inside
    for i in itertools.product(*(range(len(line)) for line in lines)):
        yield i, [line[a] for line, a in zip(lines, i)]


@given(poolings())
@settings(max_examples=80)
def test_max_pooling_picks_the_first_maximum_of_each_window(drawn):
    x, kernel, stride, padding, ceil_mode = drawn
    t = mg.tensor(x, requires_grad=True)
    y = MAX_POOLS[len(kernel)](t, kernel, stride, padding, 1, ceil_mode)
    v = numbers(y.shape, 1)
    g, expected, seen = mg.grad(y, t, v).data, np.zeros_like(x), 0
    for n, c in np.ndindex(*x.shape[:2]):
        for i, spans in windows_one_by_one(x, kernel, stride, padding, ceil_mode):
            best = None
            for at in itertools.product(*spans):
                if all(0 <= a < m for a, m in zip(at, x.shape[2:])):
                    here = x[(n, c, *at)]
                    if best is None or here > x[(n, c, *best)] or np.isnan(here):
                        best = at
            np.testing.assert_array_equal(y.data[(n, c, *i)], x[(n, c, *best)])
            expected[(n, c, *best)] += v[(n, c, *i)]
            seen += 1
    assert seen == y.size
    np.testing.assert_allclose(g, expected, rtol=1e-13, atol=1e-14)


@given(poolings(), st.booleans())
@settings(max_examples=60)
def test_average_pooling_divides_by_the_elements_that_count(drawn, count_include_pad):
    x, kernel, stride, padding, ceil_mode = drawn
    x = np.where(np.isfinite(x), x, 2.5)
    y = AVG_POOLS[len(kernel)](x, kernel, stride, padding, ceil_mode, count_include_pad)
    seen = 0
    for n, c in np.ndindex(*x.shape[:2]):
        for i, spans in windows_one_by_one(x, kernel, stride, padding, ceil_mode):
            real = [at for at in itertools.product(*spans) if all(0 <= a < m for a, m in zip(at, x.shape[2:]))]
            whole = math.prod(sum(-p <= a < m + p for a in span) for span, m, p in zip(spans, x.shape[2:], padding))
            mean = sum(x[(n, c, *at)] for at in real) / (whole if count_include_pad else len(real))
            assert y[(n, c, *i)] == pytest.approx(mean, rel=1e-12, abs=1e-14)
            seen += 1
    assert seen == y.size


@needs_torch
@given(poolings())
@settings(max_examples=60)
def test_pooling_of_any_settings_is_pytorchs(drawn):
    """With ties, infinities and NaN, in value and gradient, for all gradients at the ties."""
    x, kernel, stride, padding, ceil_mode = drawn
    t, z = mg.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    for functions, extra in ((MAX_POOLS, (1, ceil_mode)), (AVG_POOLS, (ceil_mode, False)), (AVG_POOLS, (ceil_mode,))):
        f = functions[len(kernel)]
        y = f(t, kernel, stride, padding, *extra)
        w = getattr(torch.nn.functional, f.__name__)(z, kernel, stride, padding, *extra)
        np.testing.assert_allclose(y.data, w.detach().numpy(), rtol=1e-12, atol=1e-13)
        v = numbers(y.shape, 1)
        np.testing.assert_allclose(mg.grad(y, t, v).data, torch.autograd.grad(w, z, torch.tensor(v))[0].numpy(),
                                   rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("dilation", [2, 3])
def test_dilated_max_pooling(dilation):
    x = sample(2, 2, 9, 8, low=-9.0, high=8.0)
    for padding in (0, 1):
        expected = largest(x, kernel=(3, 2), **how((2, 1), ((padding, padding),) * 2, (dilation, dilation)))
        np.testing.assert_array_equal(F.max_pool2d(x, (3, 2), (2, 1), padding, dilation), expected)


def test_the_winners_are_named_by_their_place_in_the_flattened_array():
    x = np.array([[[0.0, 3.0, 3.0, 1.0]], [[9.0, 2.0, 4.0, 4.0]]])
    settings_ = {"kernel": (2,), **how((2,), ((0, 0),), (1,))}
    found = ops.winners(x, ops.max_pool(x, **settings_), **settings_)
    np.testing.assert_array_equal(found, [1, 2, 4, 6])
    t = mg.tensor(x, requires_grad=True)
    on_tensors = ops.winners(t, ops.max_pool(t, **settings_), **settings_)
    assert not on_tensors.requires_grad
    np.testing.assert_array_equal(on_tensors.data, found)


def test_after_relu_one_zero_of_each_window_gets_the_gradient():
    """Where NumPy's max would give a quarter to each; relu then stops it."""
    x = mg.tensor(-np.ones((1, 1, 4, 4)), requires_grad=True)
    h = ops.relu(x)
    np.testing.assert_array_equal(mg.grad(F.max_pool2d(h, 2).sum(), h).data[0, 0], [[1, 0, 1, 0], [0] * 4] * 2)
    assert not mg.grad(F.max_pool2d(ops.relu(x), 2).sum(), x).data.any()


def test_the_mean_of_a_window_does_not_overflow_in_float16():
    x = mg.tensor(np.full((1, 1, 4, 4), 6e4), "float16", requires_grad=True)
    y = F.avg_pool2d(x, 2)
    np.testing.assert_array_equal(y.data, x.data[:, :, ::2, ::2])
    np.testing.assert_array_equal(mg.grad(y, x, np.ones(y.shape)).data, np.full(x.shape, 0.25, "float16"))


def test_an_infinity_stays_in_its_window():
    x = np.zeros((1, 1, 6))
    x[0, 0, 0] = np.inf
    for y in (F.avg_pool1d(x, 2), F.adaptive_avg_pool1d(x, 3), F.conv1d(x, np.ones((1, 1, 2)), stride=2)):
        np.testing.assert_array_equal(y, [[[np.inf, 0, 0]]])


def test_the_gradient_of_an_average_pooling_lies_in_memory_as_its_input():
    """A convolution puts the channels last, and element by element two arrays are gone through fastest in one order."""
    for padding in (0, 1):
        middle = F.conv2d(mg.tensor(np.ones((2, 3, 6, 6)), requires_grad=True), np.ones((4, 3, 1, 1)))
        g = mg.grad(F.avg_pool2d(middle, 2, padding=padding).reshape(2, -1).sum(), middle).data
        assert np.argsort(g.strides).tolist() == np.argsort(middle.data.strides).tolist()


@pytest.mark.parametrize(("n", "size"), [(5, 1), (5, 2), (5, 3), (6, 3), (4, 4), (3, 5), (7, None)])
def test_adaptive_pooling_averages_from_floor_to_ceil(n, size):
    x, count = numbers((2, 3, n)), size or n
    expected = [x[..., math.floor(i * n / count):math.ceil((i + 1) * n / count)].mean(-1) for i in range(count)]
    y = F.adaptive_avg_pool1d(x, size)
    np.testing.assert_allclose(y, np.stack(expected, -1), rtol=1e-13)
    assert y.shape == (2, 3, count)
    np.testing.assert_allclose(F.adaptive_avg_pool2d(x, (None, size)), y, rtol=1e-13)       # as one image


def test_windows_are_a_view_that_cannot_be_written_into():
    x = numbers((1, 1, 4, 4))
    view = ops.windows(x, kernel=(2, 2), **how((1, 1), ((0, 0), (0, 0)), (1, 1)))
    assert np.shares_memory(view, x)
    assert not view.flags.writeable
    np.testing.assert_array_equal(view, all_windows(x, kernel=(2, 2), **how((1, 1), ((0, 0), (0, 0)), (1, 1))))


def test_the_second_derivative_of_a_max_pooling_is_that_of_what_comes_after():
    x = np.array([[[1.0, 3.0, 2.0, -1.0]]])
    t = mg.tensor(x, requires_grad=True)
    g = mg.grad((F.max_pool1d(t, 2) ** 3).sum(), t, create_graph=True)
    np.testing.assert_array_equal(mg.grad(g.sum(), t).data, [[[0, 18, 12, 0]]])


# ------------------------------------------------------------------------------------ bad input

X, LINE = numbers((2, 3, 5, 5)), numbers((2, 3, 5))
REFUSED = [
    (lambda: F.max_pool2d(X, 0), ValueError, r"max_pool2d: kernel_size = 0, but it must be at least 1"),
    (lambda: F.max_pool2d(X, 2, stride=0), ValueError, r"max_pool2d: stride = 0, but it must be at least 1"),
    (lambda: F.max_pool2d(X, (2, 3), padding=(1, 2)), ValueError, r"max_pool2d: padding = \(1, 2\).*half .*\(2, 3\)"),
    (lambda: F.max_pool2d(X, 3, dilation=-1), ValueError, r"max_pool2d: dilation = -1, but it must be at least 1"),
    (lambda: F.max_pool2d(X, 6), ValueError, r"max_pool2d: a kernel of shape \(6, 6\) does not fit .*\(2, 3, 5, 5\)"),
    (lambda: F.max_pool2d(X[..., :1, :1], 2, 1, 1, 2), ValueError, r"max_pool2d: .* lies wholly in the padding"),
    (lambda: F.max_pool2d(X, 2, return_indices=True), ValueError, r"max_pool2d: return_indices=True is not supported"),
    (lambda: F.max_pool2d(X.astype(int), 2), TypeError, r"max_pool2d: input has dtype int64"),
    (lambda: F.max_pool1d(X, 2), ValueError, r"max_pool1d: input of shape \(2, 3, 5, 5\) has 4 axes"),
    (lambda: F.avg_pool2d(X, "two"), TypeError, r"avg_pool2d: kernel_size = 'two' is no whole number"),
    (lambda: F.avg_pool2d(X, 3, padding=2), ValueError, r"avg_pool2d: padding = 2 must be at most half of the kernel"),
    (lambda: F.avg_pool2d(X, 2, divisor_override=0), ValueError, r"avg_pool2d: divisor_override = 0 must not be 0"),
    (lambda: F.avg_pool1d(LINE, 9), ValueError, r"avg_pool1d: a kernel of shape \(9,\) does not fit .*\(2, 3, 5\)"),
    (lambda: F.adaptive_avg_pool2d(X, 0), ValueError, r"adaptive_avg_pool2d: output_size = 0, but it must be at least"),
    (lambda: F.adaptive_avg_pool2d(X, (None, 0)), ValueError, r"adaptive_avg_pool2d: output_size\[1\] = 0, but it"),
    (lambda: F.adaptive_avg_pool2d(X, (1, 2, 3)), ValueError, r"adaptive_avg_pool2d: output_size = .* a tuple of 2"),
    (lambda: F.adaptive_avg_pool1d(LINE[..., :0], 2), ValueError, r"adaptive_avg_pool1d: input .*\(2, 3, 0\) has no "),
    (lambda: nn.MaxPool2d(2, return_indices=True), ValueError, r"MaxPool2d: return_indices=True"),
    (lambda: nn.MaxPool1d(-2), ValueError, r"MaxPool1d: kernel_size = -2, but it must be at least 1"),
    (lambda: nn.AvgPool2d(2, padding=2), ValueError, r"AvgPool2d: padding = 2 must be at most half"),
    (lambda: nn.AvgPool2d(2, divisor_override=0), ValueError, r"AvgPool2d: divisor_override"),
    (lambda: nn.AdaptiveAvgPool1d(-1), ValueError, r"AdaptiveAvgPool1d: output_size .*at least 1"),
]


@pytest.mark.parametrize(("call", "error", "message"), REFUSED, ids=[m for _, _, m in REFUSED])
def test_bad_input_is_refused_before_anything_changes(call, error, message):
    before = generator().bit_generator.state
    with pytest.raises(error, match=f"^{message}"):
        call()
    assert generator().bit_generator.state == before

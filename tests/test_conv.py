"""Convolutions, and all layers of this family: against PyTorch, and against loops that visit every window by itself."""

import importlib
import math
import tracemalloc
from unittest import mock

import numpy as np
import pytest
from cases.common import sample
from cases.conv import convolved, how, sent_to_input, sent_to_weight
from hypothesis import given, settings
from hypothesis import strategies as st

import minigrad as mg
from minigrad import nn
from minigrad.nn import functional as F
from minigrad.seeding import generator

try:
    import torch
except ImportError:
    torch = None

needs_torch = pytest.mark.skipif(torch is None, reason="PyTorch is not installed")
dtypes = pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])


def numbers(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def both(axes, value):
    """Return a setting as a tuple with one per axis."""
    return value if isinstance(value, tuple) else (value,) * axes


# ------------------------------------------------------------------------------------- layers

LAYERS = [          # the name in both libraries, arguments, keywords, shape of the input
    ("Conv1d", (2, 3, 3), {}, (2, 2, 7)),
    ("Conv1d", (2, 3, 4), {"stride": 3, "padding": 2, "dilation": 2, "bias": False}, (2, 2, 9)),
    ("Conv1d", (1, 2, 2), {"padding": "same"}, (3, 1, 5)),
    ("Conv2d", (1, 3, 3), {}, (2, 1, 5, 4)),
    ("Conv2d", (3, 2, 3, 1), {}, (2, 3, 5, 5)),
    ("Conv2d", (2, 3, 3, 2, 1), {}, (2, 2, 6, 7)),
    ("Conv2d", (2, 3, (2, 3)), {"stride": (1, 2), "padding": (1, 0), "dilation": (2, 1)}, (2, 2, 4, 7)),
    ("Conv2d", (2, 2, (2, 4)), {"padding": "same", "dilation": (1, 3), "bias": False}, (1, 2, 5, 6)),
    ("Conv2d", (2, 4, 1), {"padding": "valid"}, (2, 2, 3, 3)),
    ("Conv2d", (2, 3, 3), {}, (2, 4, 5)),
    ("ConvTranspose1d", (2, 3, 3), {}, (2, 2, 4)),
    ("ConvTranspose1d", (2, 3, 2), {"stride": 3, "output_padding": 2, "bias": False}, (2, 2, 3)),
    ("ConvTranspose2d", (2, 3, 2), {}, (2, 2, 3, 4)),
    ("ConvTranspose2d", (3, 2, 4, 2, 1), {}, (1, 3, 3, 3)),
    ("ConvTranspose2d", (2, 1, (2, 3), (1, 2), (0, 1), (0, 1)), {"dilation": (2, 1)}, (2, 3, 4)),
    ("MaxPool1d", (3,), {}, (2, 2, 8)),
    ("MaxPool1d", (3, 2, 1), {"ceil_mode": True}, (2, 2, 8)),
    ("MaxPool2d", (2,), {}, (2, 3, 4, 6)),
    ("MaxPool2d", ((3, 2), (1, 2), (1, 0)), {}, (2, 2, 5, 5)),
    ("MaxPool2d", (3,), {"stride": 2, "padding": 1, "dilation": 2, "ceil_mode": True}, (2, 2, 8, 7)),
    ("AvgPool1d", (2,), {}, (2, 2, 7)),
    ("AvgPool1d", (3, 2, 1), {"ceil_mode": True, "count_include_pad": False}, (2, 2, 8)),
    ("AvgPool2d", (2,), {}, (2, 3, 4, 6)),
    ("AvgPool2d", ((2, 3), (2, 1), (1, 0)), {}, (2, 2, 5, 6)),
    ("AvgPool2d", (3, 2, 1), {"ceil_mode": True}, (2, 2, 6, 7)),
    ("AvgPool2d", (3, 2, 1), {"ceil_mode": True, "count_include_pad": False}, (2, 2, 6, 7)),
    ("AvgPool2d", (2,), {"divisor_override": 3}, (2, 4, 5)),
    ("AdaptiveAvgPool1d", (1,), {}, (2, 3, 5)),
    ("AdaptiveAvgPool1d", (3,), {}, (2, 3, 7)),
    ("AdaptiveAvgPool2d", (1,), {}, (2, 3, 4, 5)),
    ("AdaptiveAvgPool2d", ((2, 3),), {}, (2, 3, 5, 9)),
    ("AdaptiveAvgPool2d", ((None, 7),), {}, (2, 2, 3, 4)),
]
every_layer = pytest.mark.parametrize(("name", "args", "kwargs", "shape"), LAYERS,
                                      ids=[f"{name}{args}{kwargs or ''}" for name, args, kwargs, _ in LAYERS])


def calling(layer):
    """Return a function of x and of the layer's parameters, and what these are now."""
    names = [name for name, _ in layer.named_parameters()]

    def call(x, *values):
        vars(layer).update(zip(names, values))
        return layer(x)

    return call, [p.data.copy() for _, p in layer.named_parameters()]


@every_layer
def test_layers_pass_gradcheck_at_order_2(name, args, kwargs, shape):
    call, values = calling(getattr(nn, name)(*args, **kwargs))
    assert mg.gradcheck(call, sample(*shape, low=-9.0, high=8.0), *values, order=2)


@needs_torch
@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@every_layer
def test_layers_are_pytorchs(name, args, kwargs, shape):
    """Names and shapes of the parameters, value, gradients, and gradients of the gradients' squares."""
    layer, twin = getattr(nn, name)(*args, **kwargs), getattr(torch.nn, name)(*args, **kwargs).double()
    assert [(n, p.shape) for n, p in layer.named_parameters()] == [(n, tuple(p.shape))
                                                                   for n, p in twin.named_parameters()]
    for p, q in zip(layer.parameters(), twin.parameters()):
        q.data = torch.tensor(p.data)
    x = mg.tensor(numbers(shape), requires_grad=True)
    z = torch.tensor(x.data, requires_grad=True)
    y, t = layer(x), twin(z)
    np.testing.assert_allclose(y.data, t.detach().numpy(), rtol=1e-12, atol=1e-13)
    v = numbers(y.shape, 1)
    gs = mg.grad(y, [x, *layer.parameters()], v, create_graph=True)
    hs = torch.autograd.grad(t, [z, *twin.parameters()], torch.tensor(v), create_graph=True)
    for g, h in zip(gs, hs, strict=True):
        np.testing.assert_allclose(g.data, h.detach().numpy(), rtol=1e-11, atol=1e-12)
    if name.startswith("Conv"):
        seconds = mg.grad(sum((g * g).sum() for g in gs), [x, layer.weight])
        twins = torch.autograd.grad(sum((h * h).sum() for h in hs), [z, twin.weight])
        for g, h in zip(seconds, twins, strict=True):
            np.testing.assert_allclose(g.data, h.numpy(), rtol=1e-11, atol=1e-11)


@every_layer
@dtypes
def test_layers_keep_the_dtype(name, args, kwargs, shape, dtype):
    layer = getattr(nn, name)(*args, **kwargs, **({"dtype": dtype} if name.startswith("Conv") else {}))
    x = mg.tensor(numbers(shape), dtype, requires_grad=True)
    y = layer(x)
    for create_graph in (False, True):
        found = mg.grad((y * y).sum(), [x, *layer.parameters()], retain_graph=True, create_graph=create_graph)
        assert {y.dtype, *(g.dtype for g in found)} == {np.dtype(dtype)}


@every_layer
def test_layers_take_one_example_and_plain_arrays(name, args, kwargs, shape):
    layer = getattr(nn, name)(*args, **kwargs)
    axes = int(name[-2])
    one = numbers(shape[-axes - 1:])
    y = layer(one)
    np.testing.assert_array_equal(np.asarray(y.data), np.asarray(layer(one[None]).data)[0])
    assert layer(numbers((0, *one.shape))).shape == (0, *y.shape)


@pytest.mark.parametrize(("layer", "fan_in"), [(nn.Conv1d(8, 50, 5), 40), (nn.Conv2d(8, 50, (2, 5)), 80)], ids=repr)
def test_the_initial_parameters_are_uniform_within_one_by_the_root_of_fan_in(layer, fan_in):
    for p in layer.parameters():
        bound = 1 / math.sqrt(fan_in)
        assert abs(p.data).max() <= bound
        assert abs(p.data).max() > 0.9 * bound
    assert layer.weight.data.std() == pytest.approx(bound / math.sqrt(3), rel=0.05)
    assert abs(layer.weight.data.mean()) < 4 * bound / math.sqrt(3 * layer.weight.size)


def test_parameters_are_drawn_from_the_generator_handed_over_weight_first():
    layer, rng = nn.Conv2d(2, 3, 2, rng=np.random.default_rng(7)), np.random.default_rng(7)
    np.testing.assert_allclose(layer.weight.data, rng.uniform(-8 ** -0.5, 8 ** -0.5, (3, 2, 2, 2)), rtol=1e-14)
    np.testing.assert_allclose(layer.bias.data, rng.uniform(-8 ** -0.5, 8 ** -0.5, 3), rtol=1e-14)
    mg.manual_seed(3)
    first = nn.Conv1d(1, 1, 3).weight.data
    mg.manual_seed(3)
    np.testing.assert_array_equal(nn.Conv1d(1, 1, 3).weight.data, first)


@pytest.mark.parametrize(("layer", "text"), [
    (nn.Conv2d(1, 2, 3), "Conv2d(1, 2, kernel_size=(3, 3), stride=(1, 1))"),
    (nn.Conv2d(1, 2, 3, 2, "valid", 2, bias=False),
     "Conv2d(1, 2, kernel_size=(3, 3), stride=(2, 2), padding='valid', dilation=(2, 2), bias=False)"),
    (nn.Conv1d(4, 2, 3, padding=1), "Conv1d(4, 2, kernel_size=(3,), stride=(1,), padding=(1,))"),
    (nn.MaxPool2d((2, 3), 1), "MaxPool2d(kernel_size=(2, 3), stride=1, padding=0, dilation=1, ceil_mode=False)"),
    (nn.AvgPool1d(2), "AvgPool1d(kernel_size=2, stride=2, padding=0)"),
    (nn.AdaptiveAvgPool2d((1, None)), "AdaptiveAvgPool2d(output_size=(1, None))"),
], ids=lambda value: value if isinstance(value, str) else "")
def test_repr(layer, text):
    assert repr(layer).startswith(text)


# ---------------------------------------------------------------------------- convolution, any settings

page = importlib.import_module("minigrad.ops.conv")         # minigrad.ops.conv is the function
CONVOLUTIONS = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}


@st.composite
def convolutions(draw):
    """Draw shapes and settings with which at least one window fits."""
    axes = draw(st.sampled_from([1, 2, 2, 3]))
    kernel = draw(st.tuples(*[st.integers(1, 3)] * axes))
    stride, dilation = draw(st.tuples(*[st.integers(1, 3)] * axes)), draw(st.tuples(*[st.integers(1, 3)] * axes))
    padding = draw(st.tuples(*[st.integers(0, 3)] * axes))
    spatial = tuple(max(1, (k - 1) * d + 1 - 2 * p) + draw(st.integers(0, 3))
                    for k, d, p in zip(kernel, dilation, padding))
    n, channels, outs = (draw(st.integers(low, 3)) for low in (0, 1, 1))
    return numbers((n, channels, *spatial)), numbers((outs, channels, *kernel), 1), stride, padding, dilation


def pulled_back(y, xs, v):
    return [g.data for g in mg.grad(y, xs, v)]


@given(convolutions(), st.sampled_from([1, 60, page.BLOCK]))
@settings(max_examples=60)
def test_convolutions_and_their_gradients_are_what_loops_over_all_windows_give(drawn, block):
    """However many examples are worked on at a time."""
    with mock.patch.object(page, "BLOCK", block):
        check_by_loops(*drawn)


def check_by_loops(x, w, stride, padding, dilation):
    b, settings_ = numbers(len(w), 2), how(stride, tuple((p, p) for p in padding), dilation)
    xs = [mg.tensor(a, requires_grad=True) for a in (x, w, b)]
    y = CONVOLUTIONS[len(stride)](*xs, stride, padding, dilation)
    np.testing.assert_allclose(y.data, convolved(x, w, b, **settings_), rtol=1e-12, atol=1e-12)
    v = numbers(y.shape, 3)
    to_x, to_w, to_b = pulled_back(y, xs, v)
    np.testing.assert_allclose(to_x, sent_to_input(v, w, shape=x.shape[2:], **settings_), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(to_w, sent_to_weight(v, x, kernel=w.shape[2:], **settings_), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(to_b, v.sum(axis=(0, *range(2, v.ndim))), rtol=1e-12, atol=1e-12)


@given(convolutions())
@settings(max_examples=25)
def test_gradcheck_of_order_2_for_convolutions_of_any_settings(drawn):
    x, w, stride, padding, dilation = drawn
    f = CONVOLUTIONS[len(stride)]
    assert mg.gradcheck(lambda x, w, b: f(x, w, b, stride, padding, dilation), x, w, numbers(len(w), 2), order=2)


@needs_torch
@given(convolutions())
@settings(max_examples=40)
def test_convolutions_of_any_settings_are_pytorchs(drawn):
    x, w, *settings_ = drawn
    f = CONVOLUTIONS[w.ndim - 2]
    expected = getattr(torch.nn.functional, f.__name__)(torch.tensor(x), torch.tensor(w), None, *settings_)
    np.testing.assert_allclose(f(x, w, None, *settings_), expected.numpy(), rtol=1e-12, atol=1e-12)


@needs_torch
@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_every_order_of_a_convolution_is_pytorchs(order):
    """y = conv(conv(x, w), w): a cubic function, differentiated up to four times (y * y has every order)."""
    def derivatives(x, w, conv, grad):
        y = conv(conv(x, w), w)
        value = (y * y).sum()
        for _ in range(order):
            gs = grad(value, [x, w], create_graph=True)
            value = (gs[0] * gs[0]).sum() + (gs[1] * gs[1]).sum()
        return value.item()

    x, w = 0.5 * numbers((2, 1, 5, 4)), 0.5 * numbers((1, 1, 2, 2), 1)
    ours = derivatives(*(mg.tensor(a, requires_grad=True) for a in (x, w)), F.conv2d, mg.grad)
    theirs = derivatives(*(torch.tensor(a, requires_grad=True) for a in (x, w)), torch.nn.functional.conv2d,
                         torch.autograd.grad)
    assert ours == pytest.approx(theirs, rel=1e-11)


TRANSPOSED = [
    (F.conv_transpose1d, (2, 3, 4), (3, 2, 3), {}),
    (F.conv_transpose1d, (2, 3, 4), (3, 2, 3), {"stride": 3, "padding": 1, "output_padding": 2, "dilation": 2}),
    (F.conv_transpose2d, (2, 3, 3, 4), (3, 2, 2, 3), {}),
    (F.conv_transpose2d, (2, 3, 3, 4), (3, 2, 2, 3), {"stride": (2, 3), "padding": (0, 1), "output_padding": (1, 0)}),
    (F.conv_transpose2d, (3, 3, 4), (3, 2, 2, 2), {"stride": (3, 1), "dilation": (2, 1), "output_padding": (2, 0)}),
]


@needs_torch
@pytest.mark.parametrize(("f", "shape", "kernel", "kwargs"), TRANSPOSED)
def test_transposed_convolutions_are_pytorchs(f, shape, kernel, kwargs):
    arrays = [numbers(shape), numbers(kernel, 1), numbers(kernel[1], 2)]
    xs, ts = [mg.tensor(a, requires_grad=True) for a in arrays], [torch.tensor(a, requires_grad=True) for a in arrays]
    y, t = f(*xs, **kwargs), getattr(torch.nn.functional, f.__name__)(*ts, **kwargs)
    np.testing.assert_allclose(y.data, t.detach().numpy(), rtol=1e-12, atol=1e-12)
    v = numbers(y.shape, 3)
    for g, h in zip(pulled_back(y, xs, v), torch.autograd.grad(t, ts, torch.tensor(v)), strict=True):
        np.testing.assert_allclose(g, h.numpy(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("f", "shape", "kernel", "kwargs"), TRANSPOSED)
def test_transposed_convolutions_pass_gradcheck_at_order_2(f, shape, kernel, kwargs):
    assert mg.gradcheck(lambda x, w, b: f(x, w, b, **kwargs), numbers(shape), numbers(kernel, 1), numbers(kernel[1], 2),
                        order=2)


def test_a_transposed_convolution_is_what_a_convolution_sends_back():
    x, w = mg.tensor(numbers((2, 3, 7, 6)), requires_grad=True), numbers((4, 3, 3, 2), 1)
    y = F.conv2d(x, w, stride=2, padding=1)
    v = numbers(y.shape, 2)
    np.testing.assert_allclose(F.conv_transpose2d(v, w, stride=2, padding=1), mg.grad(y, x, v).data, rtol=1e-12)


def test_memory_may_be_laid_out_in_any_order():
    """A chain of layers hands arrays on with the channels last in memory; nothing may depend on it."""
    x, w = numbers((2, 3, 6, 5)), numbers((4, 3, 2, 2), 1)
    last = np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    for a in (last, np.asfortranarray(x), np.repeat(x, 2, axis=3)[..., ::2], x[:, ::-1][:, ::-1]):
        for f in (lambda x: F.conv2d(x, w, padding=1), lambda x: F.max_pool2d(x, 2, padding=1),
                  lambda x: F.avg_pool2d(x, 2), lambda x: F.conv2d(x, np.asfortranarray(w))):
            ts = [mg.tensor(b, requires_grad=True) for b in (x, x)]
            ts[1]._array = a                                         # tensor() itself copies into order
            ys = [f(t) for t in ts]
            v = numbers(ys[0].shape, 2)
            np.testing.assert_allclose(ys[1].data, ys[0].data, rtol=1e-13, atol=1e-14)
            np.testing.assert_allclose(mg.grad(ys[1], ts[1], v).data, mg.grad(ys[0], ts[0], v).data, rtol=1e-12,
                                       atol=1e-13)


def test_the_windows_of_a_large_batch_take_no_memory_of_their_own():
    """All at once they would take nine times that of x."""
    x, w = (mg.tensor(numbers(shape), requires_grad=True) for shape in ((64, 16, 16, 16), (16, 16, 3, 3)))
    tracemalloc.start()
    try:
        F.conv2d(x, w, padding=1).sum().backward()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 6 * x.data.nbytes


def test_the_gradient_of_a_weight_lies_in_plain_order():
    """Optimizers and state_dict go through it element by element."""
    layer = nn.Conv2d(2, 3, 2)
    layer(numbers((2, 2, 5, 5))).sum().backward()
    assert layer.weight.grad.data.flags.c_contiguous


# ------------------------------------------------------------------------------------ bad input

X, W, B = numbers((2, 3, 5, 5)), numbers((4, 3, 3, 3)), numbers(4)
LINE = numbers((2, 3, 5))
REFUSED = [
    (lambda: F.conv2d(X, W[:, :2]), ValueError, r"conv2d: input of shape \(2, 3, 5, 5\) does not fit weight of shape "
                                                r"\(4, 2, 3, 3\) \(out, C, \*kernel\): input has 3 channels.* takes 2"),
    (lambda: F.conv2d(X, W, B[:3]), ValueError, r"conv2d: bias of shape \(3,\) .*weight .*\(4, 3, 3, 3\).*\(4,\)"),
    (lambda: F.conv2d(X[0, 0], W), ValueError, r"conv2d: input of shape \(5, 5\) has 2 axes; .*\(N, C, H, W\).*\(C, H"),
    (lambda: F.conv1d(X, W), ValueError, r"conv1d: input of shape \(2, 3, 5, 5\) has 4 axes; .*\(N, C, L\)"),
    (lambda: F.conv2d(X, W[0]), ValueError, r"conv2d: weight of shape \(3, 3, 3\) does not fit input .*\(2, 3, 5, 5\)"),
    (lambda: F.conv2d(X, W[..., :0]), ValueError, r"conv2d: weight of shape \(4, 3, 3, 0\).*at least 1"),
    (lambda: F.conv2d(X, W, stride=0), ValueError, r"conv2d: stride = 0, but it must be at least 1"),
    (lambda: F.conv2d(X, W, stride=(1, -2)), ValueError, r"conv2d: stride\[1\] = -2, but it must be at least 1"),
    (lambda: F.conv2d(X, W, dilation=0), ValueError, r"conv2d: dilation = 0, but it must be at least 1"),
    (lambda: F.conv2d(X, W, padding=-1), ValueError, r"conv2d: padding = -1, but it must be at least 0"),
    (lambda: F.conv2d(X, W, stride=(1, 1, 1)), ValueError, r"conv2d: stride = \(1, 1, 1\) must be an integer, or .* 2"),
    (lambda: F.conv1d(LINE, W[0], stride=(1, 1)), ValueError, r"conv1d: stride = \(1, 1\) must be an integer"),
    (lambda: F.conv2d(X, W, stride=1.5), TypeError, r"conv2d: stride = 1.5 is no whole number"),
    (lambda: F.conv2d(X, W, padding="full"), ValueError, r"conv2d: padding = 'full' must be .*'same' or 'valid'"),
    (lambda: F.conv2d(X, W, stride=2, padding="same"), ValueError, r"conv2d: padding = 'same' with stride \(2, 2\)"),
    (lambda: F.conv2d(X, W, dilation=3), ValueError, r"conv2d: a kernel of shape \(3, 3\) and dilation \(3, 3\) does "
                                                     r"not fit into input of shape \(2, 3, 5, 5\), which .*\(5, 5\)"),
    (lambda: F.conv2d(X[..., :1], W, padding=(1, 0)), ValueError, r"conv2d: a kernel of shape .*padding is \(7, 1\)"),
    (lambda: F.conv2d(X, W, groups=3), ValueError, r"conv2d: groups = 3 .*np\.concatenate\(parts, axis=1\)"),
    (lambda: F.conv2d(X.astype(int), W), TypeError, r"conv2d: input has dtype int64.*astype\(float\)"),
    (lambda: F.conv2d(X > 0, W), TypeError, r"conv2d: input has dtype bool.*astype\(float\)"),
    (lambda: F.conv2d(X, W.astype(int)), TypeError, r"conv2d: weight has dtype int64.*astype\(float\)"),
    (lambda: F.conv2d(X, W, B.astype(int)), TypeError, r"conv2d: bias has dtype int64.*astype\(float\)"),
    (lambda: F.conv_transpose2d(X, W), ValueError, r"conv_transpose2d: input of shape .* weight of shape \(4, 3, 3, 3\)"
                                                   r" \(C, out, \*kernel\): input has 3 channels, weight takes 4"),
    (lambda: F.conv_transpose2d(X, W[:3], output_padding=1), ValueError, r"conv_transpose2d: output_padding = 1 "
                                                                         r"must be less than the stride"),
    (lambda: F.conv_transpose2d(X, W[:3], padding=4), ValueError, r"conv_transpose2d: .* result of sizes \(-1, -1\)"),
    (lambda: F.conv_transpose2d(X, W[:3], groups=3), ValueError, r"conv_transpose2d: groups = 3"),
    (lambda: nn.Conv2d(0, 2, 3), ValueError, r"Conv2d: in_channels = 0.*at least 1"),
    (lambda: nn.Conv2d(1, 2, 0), ValueError, r"Conv2d: kernel_size = 0, but it must be at least 1"),
    (lambda: nn.Conv2d(1, 2, (3, 3, 3)), ValueError, r"Conv2d: kernel_size = \(3, 3, 3\) must be"),
    (lambda: nn.Conv2d(1, 2, 3, stride=-1), ValueError, r"Conv2d: stride = -1, but it must be at least 1"),
    (lambda: nn.Conv2d(1, 2, 3, padding=-1), ValueError, r"Conv2d: padding = -1, but it must be at least 0"),
    (lambda: nn.ConvTranspose2d(2, 2, 3, groups=2), ValueError, r"ConvTranspose2d: groups = 2"),
    (lambda: nn.ConvTranspose2d(2, 2, 3, output_padding=1), ValueError, r"ConvTranspose2d: output_padding = 1 must be"),
    (lambda: nn.ConvTranspose2d(2, 2, 3, padding_mode="reflect"), ValueError, r"ConvTranspose2d: padding_mode"),
    (lambda: nn.Conv1d(2, 2, 3, groups=2), ValueError, r"Conv1d: groups = 2 .*np\.concatenate"),
    (lambda: nn.Conv1d(2, 2, 3, stride=2, padding="same"), ValueError, r"Conv1d: padding = 'same' with stride \(2,\)"),
    (lambda: nn.Conv1d(2, 2, 3, padding_mode="reflect"), ValueError, r"Conv1d: padding_mode = 'reflect' .*'zeros'"),
]


@pytest.mark.parametrize(("call", "error", "message"), REFUSED, ids=[m for _, _, m in REFUSED])
def test_bad_input_is_refused_before_anything_changes(call, error, message):
    before = generator().bit_generator.state
    with pytest.raises(error, match=f"^{message}"):
        call()
    assert generator().bit_generator.state == before


@pytest.mark.parametrize("x", [numbers((2, 3, 5, 5)), numbers((2, 1, 2, 2)), np.ones((2, 1, 5, 5), int)])
def test_a_refused_input_leaves_a_layer_as_it_was(x):
    layer = nn.Conv2d(1, 2, 3)
    layer(numbers((1, 1, 4, 4))).sum().backward()
    before = [(p.data.copy(), p.grad.data.copy()) for p in layer.parameters()]
    with pytest.raises((TypeError, ValueError), match=r"^conv2d: "):
        layer(x)
    for p, (data, grad) in zip(layer.parameters(), before, strict=True):
        np.testing.assert_array_equal(p.data, data)
        np.testing.assert_array_equal(p.grad.data, grad)

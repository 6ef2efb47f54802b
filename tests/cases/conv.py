"""Convolutions and pooling.  Values come from loops over every window, one at a time."""

import itertools

import numpy as np

from cases.common import case, sample, torch
from minigrad import ops


def widened(x, padding, value=0.0):
    return np.pad(x, ((0, 0), (0, 0), *padding), constant_values=value)


def spots(kernel, out, stride, dilation):
    """Yield (index of the window, index in the kernel, index in the padded input), for one spatial place at a time."""
    for i, k in itertools.product(np.ndindex(*out), np.ndindex(*kernel)):
        yield i, k, tuple(a * s + b * d for a, b, s, d in zip(i, k, stride, dilation))


def sizes(spatial, kernel, stride, padding, dilation):
    """Count the windows that fit, by trying."""
    return tuple(sum(i * s + (k - 1) * d < n + sum(p) for i in range(n + sum(p)))
                 for n, k, s, p, d in zip(spatial, kernel, stride, padding, dilation))


def convolved(x, w, b=None, *, stride, padding, dilation):
    out = sizes(x.shape[2:], w.shape[2:], stride, padding, dilation)
    x, y = widened(x, padding), np.zeros((len(x), len(w), *out))
    for n, o, c in itertools.product(range(len(x)), range(len(w)), range(x.shape[1])):
        for i, k, at in spots(w.shape[2:], out, stride, dilation):
            y[(n, o, *i)] += w[(o, c, *k)] * x[(n, c, *at)]
    return y if b is None else y + b.reshape(-1, *(1,) * len(out))


def sent_to_input(g, w, *, shape, stride, padding, dilation):
    x = widened(np.zeros((len(g), w.shape[1], *shape)), padding)
    for n, o, c in itertools.product(range(len(g)), range(len(w)), range(w.shape[1])):
        for i, k, at in spots(w.shape[2:], g.shape[2:], stride, dilation):
            x[(n, c, *at)] += g[(n, o, *i)] * w[(o, c, *k)]
    return x[(..., *(slice(p[0], p[0] + m) for p, m in zip(padding, shape)))]


def sent_to_weight(g, x, *, kernel, stride, padding, dilation):
    x, w = widened(x, padding), np.zeros((g.shape[1], x.shape[1], *kernel))
    for n, o, c in itertools.product(range(len(g)), range(len(w)), range(x.shape[1])):
        for i, k, at in spots(kernel, g.shape[2:], stride, dilation):
            w[(o, c, *k)] += g[(n, o, *i)] * x[(n, c, *at)]
    return w


def all_windows(x, *, kernel, stride, padding, dilation, value=0.0):
    out = sizes(x.shape[2:], kernel, stride, padding, dilation)
    x, y = widened(x, padding, value), np.zeros((*x.shape[:2], *out, *kernel))
    for i, k, at in spots(kernel, out, stride, dilation):
        y[(..., *i, *k)] = x[(..., *at)]
    return y


def laid_down(g, *, shape, stride, padding, dilation):
    axes = len(shape)
    x = widened(np.zeros((*g.shape[:2], *shape)), padding)
    for i, k, at in spots(g.shape[2 + axes:], g.shape[2:2 + axes], stride, dilation):
        x[(..., *at)] += g[(..., *i, *k)]
    return x[(..., *(slice(p[0], p[0] + m) for p, m in zip(padding, shape)))]


def averaged(x, *, kernel, stride, padding, divisor):
    w = all_windows(x, kernel=kernel, stride=stride, padding=padding, dilation=(1,) * len(kernel))
    return w.sum(axis=tuple(range(-len(kernel), 0))) / divisor


def largest(x, *, kernel, **how):
    return all_windows(x, kernel=kernel, value=-np.inf, **how).max(axis=tuple(range(-len(kernel), 0)))


# ------------------------------------------------------------------------- the same in PyTorch

def pairs_backwards(padding):
    return [p for pair in reversed(padding) for p in pair]


def torch_conv(x, w, b=None, *, stride, padding, dilation):
    f = getattr(torch.nn.functional, f"conv{len(stride)}d")
    return f(torch.nn.functional.pad(x, pairs_backwards(padding)), w, b, stride, 0, dilation)


def torch_conv_input(g, w, *, shape, stride, padding, dilation):
    f = getattr(torch.nn.functional, f"conv_transpose{len(stride)}d")
    rest = [n + sum(p) - (m - 1) * s - (k - 1) * d - 1
            for n, p, m, s, k, d in zip(shape, padding, g.shape[2:], stride, w.shape[2:], dilation)]
    wide = f(g, w, None, stride, 0, rest, 1, dilation)
    return wide[(..., *(slice(p[0], p[0] + n) for n, p in zip(shape, padding)))]


def torch_conv_weight(g, x, *, kernel, stride, padding, dilation):
    """The examples take the place of the channels, and stride and dilation change places."""
    f = getattr(torch.nn.functional, f"conv{len(stride)}d")
    x = torch.nn.functional.pad(x, pairs_backwards(padding)).transpose(0, 1)
    w = f(x, g.transpose(0, 1), None, dilation, 0, stride)
    return w[(..., *(slice(k) for k in kernel))].transpose(0, 1)


def torch_windows(x, *, kernel, stride, padding, dilation):
    x = torch.nn.functional.pad(x, pairs_backwards(padding))
    for axis, (k, s, d) in enumerate(zip(kernel, stride, dilation), start=2):
        x = x.unfold(axis, (k - 1) * d + 1, s)
    return x[(..., *(slice(None, None, d) for d in dilation))]


def torch_overlap_add(g, *, shape, stride, padding, dilation):
    like = torch.zeros(*g.shape[:2], *shape, dtype=g.dtype, requires_grad=True)
    w = torch_windows(like, kernel=g.shape[2 + len(shape):], stride=stride, padding=padding, dilation=dilation)
    return torch.autograd.grad(w, like, g, create_graph=True)[0]


def torch_avg_pool(x, *, kernel, stride, padding, divisor):
    f, whole = getattr(torch.nn.functional, f"avg_pool{len(kernel)}d"), float(np.prod(kernel))
    return f(torch.nn.functional.pad(x, pairs_backwards(padding)), kernel, stride) * torch.as_tensor(whole / divisor)


def torch_max_pool(x, *, kernel, stride, padding, dilation):
    f = getattr(torch.nn.functional, f"max_pool{len(kernel)}d")
    x = torch.nn.functional.pad(x, pairs_backwards(padding), value=-np.inf)
    return f(x, kernel, stride, 0, dilation)


def how(stride, padding, dilation):
    return {"stride": stride, "padding": padding, "dilation": dilation}


PLAIN_1D, PLAIN_2D = how((1,), ((0, 0),), (1,)), how((1, 1), ((0, 0), (0, 0)), (1, 1))
GRIDS = [       # name, spatial shape of x, shape of the kernel, how
    ("1d", (6,), (3,), PLAIN_1D),
    ("1d, stride, padding, dilation", (9,), (3,), how((2,), ((2, 1),), (2,))),
    ("2d", (5, 4), (3, 2), PLAIN_2D),
    ("2d, 1 x 1", (3, 2), (1, 1), PLAIN_2D),
    ("2d, as large as x", (3, 2), (3, 2), PLAIN_2D),
    ("2d, stride with a rest", (6, 5), (2, 3), how((3, 2), ((0, 0), (0, 0)), (1, 1))),
    ("2d, padding", (3, 4), (3, 2), how((1, 1), ((1, 1), (1, 0)), (1, 1))),
    ("2d, dilation", (5, 4), (2, 2), how((1, 1), ((0, 0), (0, 0)), (3, 2))),
    ("2d, all", (6, 5), (2, 3), how((2, 3), ((1, 0), (2, 2)), (3, 1))),
    ("3d", (3, 4, 3), (2, 2, 3), how((1, 2, 1), ((0, 0), (1, 0), (0, 1)), (2, 1, 1))),
]
POOLS = [
    ("1d", (7,), (3,), how((2,), ((1, 1),), (1,))),
    ("2d", (4, 6), (2, 3), how((2, 3), ((0, 0), (0, 0)), (1, 1))),
    ("2d, overlapping", (5, 4), (3, 2), how((1, 1), ((1, 1), (1, 1)), (1, 1))),
    ("2d, gaps", (7, 5), (2, 2), how((3, 3), ((0, 2), (1, 0)), (1, 1))),
    ("3d", (2, 3, 4), (2, 2, 2), how((1, 2, 2), ((0, 0), (1, 0), (0, 0)), (1, 1, 1))),
]


def without_dilation(settings):
    return {key: value for key, value in settings.items() if key != "dilation"}


CASES = [
    *(case(f"conv {name}", ops.conv, sample(2, 3, *spatial), sample(2, 3, *kernel, high=1.8), value=convolved,
           twin=torch_conv, **grid) for name, spatial, kernel, grid in GRIDS),
    case("conv with bias", ops.conv, sample(2, 2, 4, 3), sample(3, 2, 2, 2), sample(3), value=convolved,
         twin=torch_conv, **how((1, 1), ((1, 1), (0, 0)), (1, 1))),
    *(case(f"conv_input {name}", ops.conv_input,
           sample(2, 2, *sizes(spatial, kernel, grid["stride"], grid["padding"], grid["dilation"])),
           sample(2, 3, *kernel, high=1.8), value=sent_to_input, twin=torch_conv_input, shape=spatial, **grid)
      for name, spatial, kernel, grid in GRIDS),
    *(case(f"conv_weight {name}", ops.conv_weight,
           sample(2, 2, *sizes(spatial, kernel, grid["stride"], grid["padding"], grid["dilation"])),
           sample(2, 3, *spatial), value=sent_to_weight, twin=torch_conv_weight, kernel=kernel, **grid)
      for name, spatial, kernel, grid in GRIDS),
    *(case(f"windows {name}", ops.windows, sample(2, 2, *spatial), value=all_windows, twin=torch_windows,
           kernel=kernel, **grid) for name, spatial, kernel, grid in GRIDS),
    *(case(f"overlap_add {name}", ops.overlap_add,
           sample(2, 2, *sizes(spatial, kernel, grid["stride"], grid["padding"], grid["dilation"]), *kernel),
           value=laid_down, twin=torch_overlap_add, shape=spatial, **grid) for name, spatial, kernel, grid in GRIDS),
    *(case(f"avg_pool {name}", ops.avg_pool, sample(2, 2, *spatial), value=averaged, twin=torch_avg_pool,
           kernel=kernel, divisor=float(np.prod(kernel)), **without_dilation(grid))
      for name, spatial, kernel, grid in POOLS),
    case("avg_pool, a divisor for each", ops.avg_pool, sample(2, 2, 3, 3), value=averaged, twin=torch_avg_pool,
         kernel=(2, 2), stride=(1, 1), padding=((0, 0), (0, 0)), divisor=np.array([[4.0, 2.0], [2.0, 1.0]])),
    *(case(f"max_pool {name}", ops.max_pool, sample(2, 2, *spatial, low=-9.0, high=8.0), value=largest,
           twin=torch_max_pool, kernel=kernel, **grid) for name, spatial, kernel, grid in POOLS),
    case("max_pool, dilation", ops.max_pool, sample(1, 2, 7, 6), value=largest, twin=torch_max_pool,
         kernel=(2, 3), **how((1, 1), ((1, 0), (0, 1)), (3, 2))),
]

EMPTY = [
    case("conv", ops.conv, np.zeros((0, 2, 4)), np.ones((3, 2, 3)), np.ones(3), **PLAIN_1D),
    case("conv_input", ops.conv_input, np.zeros((0, 3, 2)), np.ones((3, 2, 3)), shape=(4,), **PLAIN_1D),
    case("conv_weight", ops.conv_weight, np.zeros((0, 3, 2)), np.zeros((0, 2, 4)), kernel=(3,), **PLAIN_1D),
    case("conv of no channels", ops.conv, np.zeros((2, 0, 4)), np.ones((3, 0, 3)), **PLAIN_1D),
    case("windows", ops.windows, np.zeros((0, 2, 4)), kernel=(3,), **PLAIN_1D),
    case("overlap_add", ops.overlap_add, np.zeros((0, 2, 2, 3)), shape=(4,), **PLAIN_1D),
    case("avg_pool", ops.avg_pool, np.zeros((0, 2, 4)), kernel=(2,), stride=(2,), padding=((0, 0),), divisor=2.0),
    case("max_pool", ops.max_pool, np.zeros((0, 2, 4)), kernel=(2,), **how((2,), ((0, 0),), (1,))),
]


def pooled(kernel, stride, pad, dilation=1):
    return lambda x: ops.max_pool(x, kernel=kernel, **how(
        (stride,) * len(kernel), ((pad, pad),) * len(kernel), (dilation,) * len(kernel)))


INF, NAN = np.inf, np.nan
POINTS = [      # PyTorch's choices: of equal maxima the first in row-major order, of several NaNs the last
    ("max_pool, two share", pooled((2,), 2, 0), [[[[3, 3, 0, 1]]]], [[[3, 1]]], [[[[1, 0, 0, 1]]]]),
    ("max_pool of zeros", pooled((2, 2), 2, 0), [[[[[0, 0], [0, 0]]]]], [[[[0]]]], [[[[[1, 0], [0, 0]]]]]),
    ("max_pool, row-major", pooled((2, 2), 1, 0), [[[[[0, 1], [1, 1]]]]], [[[[1]]]], [[[[[0, 1], [0, 0]]]]]),
    ("max_pool, a tie across windows", pooled((2,), 1, 0), [[[[5, 5, 5]]]], [[[5, 5]]], [[[[1, 1, 0]]]]),
    ("max_pool, the padding never wins", pooled((2,), 1, 1), [[[[-1e300, -INF]]]], [[[-1e300, -1e300, -INF]]],
     [[[[2, 1]]]]),
    ("max_pool of -inf, padded", pooled((3, 3), 1, 1), [[[[[-INF] * 3] * 3]]], [[[[-INF] * 3] * 3]],
     [[[[[4, 2, 0], [2, 1, 0], [0, 0, 0]]]]]),
    ("max_pool, NaN wins", pooled((3,), 3, 0), [[[[1, NAN, 2, NAN, INF, NAN]]]], [[[NAN, NAN]]],
     [[[[0, 1, 0, 0, 0, 1]]]]),
    ("max_pool, NaN beside padding", pooled((3,), 1, 1), [[[[NAN, 1]]]], [[[NAN, NAN]]], [[[[2, 0]]]]),
    ("conv, padding at the borders", lambda x: ops.conv(x, np.ones((1, 1, 3)), **how((1,), ((1, 1),), (1,))),
     [[[[1, 2, 4]]]], [[[3, 7, 6]]], [[[[2, 3, 2]]]]),
    ("conv, what a stride leaves over", lambda x: ops.conv(x, np.ones((1, 1, 2)), **how((3,), ((0, 0),), (1,))),
     [[[[1, 2, 4, 8, 16, INF]]]], [[[3, 24]]], [[[[1, 1, 0, 1, 1, 0]]]]),
    ("conv of 1e300", lambda x: ops.conv(x, np.full((1, 1, 2), 1e-300), **PLAIN_1D), [[[[1e300, 2e300]]]], [[[3]]],
     [[[[1e-300, 1e-300]]]]),
]

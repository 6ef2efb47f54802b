"""Reductions, and functions that run along an axis."""

import math

import numpy as np

from cases.common import COLUMN, CUBE, POSITIVE, ROW, A, Case, case, sample, softmax_log, torch
from minigrad import ops

ONE_ZERO, TWO_ZEROS, ALL_ZEROS = (np.where(mask, 0.0, A) for mask in (
    A == A[1, 2], (A == A[1, 2]) | (A == A[1, 0]) | (A == A[0, 2]), A < 9))
ONE_ZERO.flags.writeable = TWO_ZEROS.flags.writeable = ALL_ZEROS.flags.writeable = False
INF = math.inf


def torch_median(x, axis=None, keepdims=False):
    """The middle of the sorted elements, or the mean of the two middle ones."""
    s = x.reshape(-1).sort().values if axis is None else x.movedim(axis, -1).sort(-1).values
    n = s.shape[-1]
    y = (s[..., (n - 1) // 2] + s[..., n // 2]) / 2
    return y if axis is None or not keepdims else y.unsqueeze(axis)


def torch_prod(x, axis=None, keepdims=False):
    if axis is None:
        return x.prod()
    for a in axis if isinstance(axis, tuple) else (axis,):
        x = x.prod(a, keepdim=True)
    return x if keepdims else x.squeeze(axis)


def torch_run(name):
    """cumsum, cumprod: of all elements in a row if there is no axis."""
    return lambda x, axis=None: getattr(x.reshape(-1) if axis is None else x, name)(0 if axis is None else axis)


def torch_spread(name):
    """var, std."""
    return lambda x, axis=None, ddof=0, correction=None, keepdims=False: getattr(x, name)(
        axis, correction=ddof if correction is None else correction, keepdim=keepdims)


def torch_average(x, weights, axis=None):
    total = torch.as_tensor(weights).expand(x.shape)
    return (x * total).sum(axis) / total.sum(axis)


def norm_of_rows(x, p, axis, keepdims=False):
    return np.linalg.norm(x, p, axis=axis, keepdims=keepdims)


CASES = [
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
    case("np.amax", np.amax, CUBE, axis=0, twin=lambda x, axis: x.amax(axis)),
    case("np.amin, kept", np.amin, CUBE, axis=0, keepdims=True, twin=lambda x, axis, keepdims: x.amin(axis, keepdims)),
    case("ptp", np.ptp, A, twin=lambda x: x.max() - x.min()),
    case("ptp of an axis, kept", np.ptp, CUBE, axis=1, keepdims=True,
         twin=lambda x, axis, keepdims: x.amax(axis, keepdims) - x.amin(axis, keepdims)),
    case("median of an even count", np.median, A, twin=torch_median),
    case("median of an odd count", np.median, CUBE, axis=1, twin=torch_median),
    case("median of an even axis, kept", np.median, CUBE, axis=-1, keepdims=True, twin=torch_median),
    case("median of two axes", np.median, CUBE, axis=(0, 2), twin=lambda x, axis: torch_median(
        x.movedim(1, 0).reshape(3, 8), axis=1)),
    case("nansum", np.nansum, CUBE, axis=1, twin=lambda x, axis: x.nansum(axis)),
    case("nanmean", np.nanmean, A, twin=lambda x: x.nanmean()),
    case("average", np.average, A, twin=lambda x: x.mean()),
    Case("average, weighted", np.average, (A,), torch_average, None, {"weights": sample(3, 4, low=0.3, high=2.4)},
         dtype="float64"),
    case("average of an axis, its weights as tensors", lambda x, w, **axis: np.average(x, weights=w, **axis), CUBE,
         sample(3, low=0.3, high=2.4), axis=1, twin=lambda x, w, axis: torch_average(x, w[:, None], axis)),
    Case("average of two axes, weighted, kept", np.average, (CUBE,),
         lambda x, axis, keepdims, weights: torch_average(x, weights.T[:, None], (0, 2))[None, :, None], None,
         {"axis": (2, 0), "keepdims": True, "weights": sample(4, 2, low=0.3, high=2.4)}, dtype="float64"),

    *(case(f"{name}{what}", fn, x, twin=torch_spread(name), **kwargs)
      for name, fn in (("var", np.var), ("std", np.std))
      for what, x, kwargs in (("", A, {}), (" of an axis, ddof 1", CUBE, {"axis": 1, "ddof": 1}),
                              (" of two axes, kept", CUBE, {"axis": (0, -1), "keepdims": True}),
                              (", correction", A, {"axis": 0, "correction": 1.5}))),

    *(case(f"prod {what}", np.prod, x, twin=torch_prod, **kwargs) for what, x, kwargs in (
        ("", A, {}), ("of an axis", CUBE, {"axis": 1}), ("of two axes, kept", CUBE, {"axis": (2, 0), "keepdims": True}),
        ("with one 0", ONE_ZERO, {}), ("of one", COLUMN, {"axis": 1}), ("of a vector", ROW, {}))),
    *(case(f"prod plus sum, {what}", lambda x, axis, prod=np.prod: prod(x, axis=axis) + x.sum(axis=axis),
           x, axis=axis, twin=lambda x, axis: torch_prod(x, axis) + x.sum(axis))
      for what, x, axis in (("two zeros", TWO_ZEROS, None), ("two zeros, of an axis", TWO_ZEROS, 1),
                            ("all zeros", ALL_ZEROS, 0))),
    *(case(f"{name} {what}", fn, x, twin=torch_run(name), **kwargs)
      for name, fn in (("cumsum", np.cumsum), ("cumprod", np.cumprod))
      for what, x, kwargs in (("of all", A, {}), ("of axis 0", CUBE, {"axis": 0}), ("of the last", CUBE, {"axis": -1}),
                              ("with two zeros", TWO_ZEROS, {}), ("with zeros, of an axis", TWO_ZEROS, {"axis": 1}))),
    case("diff", np.diff, A, twin=lambda x: x.diff()),
    case("diff, twice, of an axis", np.diff, CUBE, n=2, axis=1, twin=lambda x, n, axis: x.diff(n, axis)),
    case("trapezoid", np.trapezoid, A, dx=0.25, twin=lambda y, dx: torch.trapezoid(y, dx=dx)),
    case("trapezoid over x", np.trapezoid, A, sample(3), axis=0, twin=lambda y, x, axis: torch.trapezoid(
        y.T, x, dim=1)),
    case("trapezoid over many x", np.trapezoid, A, POSITIVE, twin=lambda y, x: torch.trapezoid(y, x)),

    case("softmax", ops.softmax, A, twin=lambda x: x.softmax(-1), value=lambda x: np.exp(softmax_log(x, -1))),
    case("softmax of axis 0", ops.softmax, CUBE, axis=0, value=lambda x, axis: np.exp(softmax_log(x, 0)),
         twin=lambda x, axis: x.softmax(0)),
    case("log_softmax", ops.log_softmax, A, twin=lambda x: x.log_softmax(-1), value=lambda x: softmax_log(x, -1)),
    case("log_softmax of axis 0", ops.log_softmax, CUBE, axis=0, value=lambda x, axis: softmax_log(x, 0),
         twin=lambda x, axis: x.log_softmax(0)),
    *(case(f"logsumexp {what}", ops.logsumexp, CUBE, **kwargs,
           value=lambda x, axis=None, keepdims=False: np.log(np.exp(x).sum(axis=axis, keepdims=keepdims)),
           twin=lambda x, axis=(0, 1, 2), keepdims=False: x.logsumexp(axis, keepdims))
      for what, kwargs in (("of all", {}), ("of an axis", {"axis": 1}),
                           ("of two axes, kept", {"axis": (0, -1), "keepdims": True}))),

    *(case(f"norm, p = {p:g}", ops.norm, A, p, value=lambda x, p: np.linalg.norm(x.ravel(), p),
           twin=lambda x, p: torch.linalg.vector_norm(x, p)) for p in (1, 2, 3.5, math.inf)),
    *(case(f"norm of an axis, p = {p:g}", ops.norm, CUBE, p, axis=1, value=norm_of_rows,
           twin=lambda x, p, axis: torch.linalg.vector_norm(x, p, axis)) for p in (1, 2, 3.5, math.inf)),
    *(case(f"norm of two axes, kept, p = {p:g}", ops.norm, CUBE, p, (0, -1), True,
           value=lambda x, p, axis, keep: np.linalg.vector_norm(x, ord=p, axis=axis, keepdims=keep),
           twin=lambda x, p, axis, keep: torch.linalg.vector_norm(x, p, axis, keep)) for p in (1, 2, 3.5, math.inf)),
    case("norm of all, kept", ops.norm, A, keepdims=True, value=lambda x, keepdims: np.linalg.norm(x, keepdims=True),
         twin=lambda x, keepdims: torch.linalg.vector_norm(x, keepdim=True)),
    *(case(f"np.linalg.norm {what}", np.linalg.norm, x, *args, twin=lambda x, ord=None, axis=None, keepdims=False:
           torch.linalg.norm(x, ord, axis, keepdims), **kwargs) for what, x, args, kwargs in (
        ("of a vector", ROW, (), {}), ("of a vector, 1", ROW, (1,), {}), ("of a matrix", A, (), {}),
        ("of a matrix, fro", A, ("fro",), {}), ("of a cube", CUBE, (), {}), ("of rows", A, (1,), {"axis": 1}),
        ("of rows, kept", A, (math.inf,), {"axis": 0, "keepdims": True}),
        ("of matrices", CUBE, (), {"axis": (0, 2)}))),
    case("vector_norm", np.linalg.vector_norm, CUBE, axis=(0, 1), ord=1,
         twin=lambda x, axis, ord: torch.linalg.vector_norm(x, ord, axis)),
    case("matrix_norm", np.linalg.matrix_norm, CUBE, twin=lambda x: torch.linalg.matrix_norm(x)),
]

EMPTY = [
    case("sum", np.sum, np.zeros((0, 3))), case("sum of axis 0", np.sum, np.zeros((0, 3)), axis=0),
    case("max of axis 1", np.max, np.zeros((0, 3)), axis=1), case("norm", ops.norm, np.zeros(0)),
    case("norm of axis 0", ops.norm, np.zeros((0, 3)), axis=0),
    case("norm of axis 0, p = inf", ops.norm, np.zeros((0, 3)), math.inf, axis=0),
    case("norm of rows", ops.norm, np.zeros((0, 3)), axis=1),
    case("softmax", ops.softmax, np.zeros((0, 3))), case("softmax of axis 0", ops.softmax, np.zeros((0, 3)), axis=0),
    case("log_softmax", ops.log_softmax, np.zeros((0, 3))),
    case("log_softmax of axis 0", ops.log_softmax, np.zeros((0, 3)), axis=0),
    case("logsumexp", ops.logsumexp, np.zeros((0, 3))),
    case("logsumexp of axis 0", ops.logsumexp, np.zeros((0, 3)), axis=0),
    case("prod", np.prod, np.zeros((0, 3))), case("prod of axis 0", np.prod, np.zeros((0, 3)), axis=0),
    case("prod of rows", np.prod, np.zeros((0, 3)), axis=1),
    case("median of rows", np.median, np.zeros((0, 3)), axis=1),
    case("var of rows", np.var, np.zeros((0, 3)), axis=1), case("std of rows", np.std, np.zeros((0, 3)), axis=1),
    case("nansum", np.nansum, np.zeros((0, 3))), case("diff", np.diff, np.zeros((0, 3))),
    *(case(f"{fn.__name__} {what}", fn, np.zeros((0, 3)), axis=axis) for fn in (np.cumsum, np.cumprod)
      for what, axis in (("of all", None), ("of axis 0", 0), ("of rows", 1))),
]

POINTS = [
    ("max, two share", np.max, [[1, 3, 3, 0]], 3, [[0, 0.5, 0.5, 0]]),
    ("max of rows, two share", lambda x: np.max(x, axis=1), [[[1, 1], [0, 2]]], [1, 2], [[[0.5, 0.5], [0, 1]]]),
    ("min, four share", np.min, [[5, 5, 5, 5]], 5, [[0.25, 0.25, 0.25, 0.25]]),
    ("ptp, all share", np.ptp, [[5, 5]], 0, [[0, 0]]),
    ("median, two in the middle", np.median, [[4, 1, 3, 2]], 2.5, [[0, 0, 0.5, 0.5]]),
    ("median, three share", np.median, [[1, 2, 3, 2, 2]], 2, [[0, 1 / 3, 0, 1 / 3, 1 / 3]]),
    ("median of rows, NaN", lambda x: np.median(x, axis=1), [[[1, math.nan, 3], [1, 2, 3]]], [math.nan, 2],
     [[[0, 1, 0], [0, 1, 0]]]),
    ("max of rows, NaN", lambda x: np.max(x, axis=1), [[[1, math.nan, 3], [1, 2, 3]]], [math.nan, 3],
     [[[0, 1, 0], [0, 0, 1]]]),
    ("median, two share one half", np.median, [[1, 2, 3, 3]], 2.5, [[0, 0.5, 0.25, 0.25]]),
    ("nansum", np.nansum, [[1, math.nan, 3]], 4, [[1, 0, 1]]),
    ("nanmean", np.nanmean, [[1, math.nan, 3]], 2, [[0.5, 0, 0.5]]),
    ("std of what is all the same", lambda x: np.std(x, axis=0), [[[2, 1], [2, 3]]], [0, 1], [[[0, -0.5], [0, 0.5]]]),
    ("std of what is all the same, ddof 1", lambda x: np.std(x, ddof=1), [[2, 2, 2]], 0, [[0, 0, 0]]),
    ("var of what is all the same", np.var, [[2, 2, 2]], 0, [[0, 0, 0]]),
    ("prod, one 0", np.prod, [[2, 0, 3]], 0, [[0, 6, 0]]),
    ("prod, two 0", np.prod, [[2, 0, 0]], 0, [[0, 0, 0]]),
    ("prod of a number", np.prod, [5], 5, [1]),
    ("cumsum of a number", np.cumsum, [5], [5], [1]),
    ("cumprod of a number", np.cumprod, [5], [5], [1]),
    ("cumprod, one 0", np.cumprod, [[2, 0, 3]], [2, 0, 0], [[1, 8, 0]]),
    ("cumprod, two 0", np.cumprod, [[2, 0, 0, 3]], [2, 0, 0, 0], [[1, 2, 0, 0]]),
    ("prod of 1e-300 and 1e300", np.prod, [[1e-300, 1e300, 2]], 2, [[2e300, 2e-300, 1]]),
    ("softmax far out", lambda x: ops.softmax(x) * np.arange(3), [[1e4, -1e4, 1e4]], [0, 0, 1], [[-0.5, 0, 0.5]]),
    ("softmax, masked", lambda x: ops.softmax(x) * np.arange(3), [[-INF, 0, 0]], [0, 0.5, 1], [[0, -0.25, 0.25]]),
    ("log_softmax far out", ops.log_softmax, [[1e4, 0, -1e4]], [0, -1e4, -2e4], [[-2, 1, 1]]),
    ("log_softmax, even", ops.log_softmax, [[1e4, 1e4]], [-math.log(2)] * 2, [[0, 0]]),
    ("logsumexp far out", lambda x: ops.logsumexp(x, axis=1), [[[1e4, -1e4], [-1e4, -1e4]]],
     [1e4, math.log(2) - 1e4], [[[1, 0], [0.5, 0.5]]]),
    ("logsumexp, masked", lambda x: ops.logsumexp(x, axis=1), [[[-INF, 3, 3], [-INF] * 3]], [3 + math.log(2), -INF],
     [[[0, 0.5, 0.5], [0, 0, 0]]]),
    *((f"norm at 0, p = {p:g}", lambda x, p=p: ops.norm(x, p), [[0, 0]], 0, [[0, 0]]) for p in (1, 2, 3, math.inf)),
    *((f"norm of rows at 0, p = {p:g}", lambda x, p=p: ops.norm(x, p, axis=1), [[[0, 0], [0, -2]]], [0, 2],
       [[[0, 0], [0, -1]]]) for p in (1, 2, 3, math.inf)),
    ("norm, p = inf, two share", lambda x: ops.norm(x, math.inf), [[3, -3, 1]], 3, [[0.5, -0.5, 0]]),
    ("norm of 1e-200", ops.norm, [[3e-200, 4e-200]], 5e-200, [[0.6, 0.8]]),
    ("norm of 1e150", ops.norm, [[3e150, 4e150]], 5e150, [[0.6, 0.8]]),
    ("norms of 1e-200, 1e200 and 1e-320", lambda x: np.linalg.norm(x, axis=1),
     [[[3e-200, 4e-200], [3e200, -4e200], [0, 1e-320]]], [5e-200, 5e200, 1e-320], [[[0.6, 0.8], [0.6, -0.8], [0, 1]]]),
    ("norms with p = 3 of 1e-200 and 1e200", lambda x: ops.norm(x, 3, axis=0), [[[1e-200, 1e200], [-1e-200, 0]]],
     [2 ** (1 / 3) * 1e-200, 1e200], [[[2 ** (-2 / 3), 1], [-2 ** (-2 / 3), 0]]]),
    ("norms with p = 1000", lambda x: ops.norm(x, 1000, axis=1), [[[1.5, 1.5, 1]]], [1.5 * 2 ** 1e-3],
     [[[2 ** -0.999, 2 ** -0.999, 2 ** -0.999 * 1.5 ** -999]]]),
]

FLAT = {np.searchsorted: 2, np.digitize: 2}

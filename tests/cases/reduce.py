"""Reductions."""

import math

import numpy as np

from cases.common import CUBE, A, case, softmax_log, torch
from minigrad import ops

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
    case("log_softmax", ops.log_softmax, A, twin=lambda x: x.log_softmax(-1), value=lambda x: softmax_log(x, -1)),
    case("log_softmax of axis 0", ops.log_softmax, CUBE, axis=0, value=lambda x, axis: softmax_log(x, 0),
         twin=lambda x, axis: x.log_softmax(0)),
    *(case(f"norm, p = {p:g}", ops.norm, A, p, value=lambda x, p: np.linalg.norm(x.ravel(), p),
           twin=lambda x, p: torch.linalg.vector_norm(x, p)) for p in (1, 2, 3.5, math.inf)),
]

EMPTY = [
    case("sum", np.sum, np.zeros((0, 3))), case("sum of axis 0", np.sum, np.zeros((0, 3)), axis=0),
    case("max of axis 1", np.max, np.zeros((0, 3)), axis=1), case("norm", ops.norm, np.zeros(0)),
    case("log_softmax", ops.log_softmax, np.zeros((0, 3))),
]

POINTS = [
    ("max, two share", np.max, [[1, 3, 3, 0]], 3, [[0, 0.5, 0.5, 0]]),
    ("max of rows, two share", lambda x: np.max(x, axis=1), [[[1, 1], [0, 2]]], [1, 2], [[[0.5, 0.5], [0, 1]]]),
    ("min, four share", np.min, [[5, 5, 5, 5]], 5, [[0.25, 0.25, 0.25, 0.25]]),
    ("log_softmax far out", ops.log_softmax, [[1e4, 0, -1e4]], [0, -1e4, -2e4], [[-2, 1, 1]]),
    ("log_softmax, even", ops.log_softmax, [[1e4, 1e4]], [-math.log(2)] * 2, [[0, 0]]),
    *((f"norm at 0, p = {p:g}", lambda x, p=p: ops.norm(x, p), [[0, 0]], 0, [[0, 0]]) for p in (1, 2, 3, math.inf)),
    ("norm, p = inf, two share", lambda x: ops.norm(x, math.inf), [[3, -3, 1]], 3, [[0.5, -0.5, 0]]),
    ("norm of 1e-200", ops.norm, [[3e-200, 4e-200]], 5e-200, [[0.6, 0.8]]),
    ("norm of 1e150", ops.norm, [[3e150, 4e150]], 5e150, [[0.6, 0.8]]),
]

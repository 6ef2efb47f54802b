"""Fused operations of networks."""

import numpy as np

from cases.common import CUBE, LABELS, ROW, A, case, elementwise, sample, softmax_log, torch
from minigrad import ops

P, T = sample(3, 4, low=0.03, high=0.97), sample(4, low=0.02, high=0.9)


def standard(x, axis, eps):
    return (x - x.mean(axis, keepdims=True)) / np.sqrt(x.var(axis, keepdims=True) + eps)


def layer(x, weight, bias, eps):
    return standard(x, tuple(range(-weight.ndim, 0)), eps) * weight + bias


def torch_layer(x, weight, bias, eps):
    return torch.nn.functional.layer_norm(x, weight.shape, weight, bias, eps)


def bce(p, t):
    return -(t * np.log(p) + (1 - t) * np.log(1 - p))


def torch_standard(x, axis, eps):
    return (x - x.mean(axis, keepdim=True)) / (x.var(axis, keepdim=True, correction=0) + eps).sqrt()


CASES = [
    case("cross_entropy", ops.cross_entropy, A, LABELS,
         value=lambda x, target: -softmax_log(x, 1)[np.arange(3), target].mean(),
         twin=lambda x, target: torch.nn.functional.cross_entropy(x, torch.as_tensor(target))),
    elementwise("binary_cross_entropy", ops.binary_cross_entropy, P, T, value=bce, twin=lambda p, t:
                torch.nn.functional.binary_cross_entropy(p, t.expand(p.shape), reduction="none")),
    case("standardize", ops.standardize, A, (1,), 1e-3, value=standard, twin=torch_standard),
    case("layer_norm", ops.layer_norm, A, ROW, sample(4), 1e-3, value=layer, twin=torch_layer),
    case("layer_norm of some axes", ops.layer_norm, CUBE, sample(4, low=0.3), ROW, 0.5, value=layer, twin=torch_layer),
    case("layer_norm over two axes", ops.layer_norm, CUBE, A, sample(3, 4), 1e-3, value=layer, twin=torch_layer),
    case("standardize some axes", ops.standardize, CUBE, (0, -1), 0.5, value=standard, twin=torch_standard),
]

EMPTY = [
    case("standardize", ops.standardize, np.zeros((0, 3)), (1,), 1e-5),
    case("layer_norm", ops.layer_norm, np.zeros((2, 0, 3)), np.ones(3), np.ones(3), 1e-5),
    case("binary_cross_entropy", ops.binary_cross_entropy, np.zeros((0, 3)), np.zeros((0, 3))),
]

POINTS = [
    ("cross_entropy far out", lambda x: ops.cross_entropy(x, np.array([1])), [[[1e4, 0]]], 1e4, [[[1, -1]]]),
    ("binary_cross_entropy at 0 and 1", ops.binary_cross_entropy, [[0, 1, 0, 1], [0, 1, 1, 0]], [0, 0, 100, 100],
     [[0, 0, -1e12, 1e12], [100, -100, 100, -100]]),
    ("standardize equal numbers", lambda x: ops.standardize(x, (1,), 1e-6), [[[3, 3], [1e8, 1e8]]], np.zeros((2, 2)),
     [np.zeros((2, 2))]),
    ("layer_norm of equal numbers", lambda x: ops.layer_norm(x, np.full(1000, 2.0), np.full(1000, 0.5), 1e-12),
     [np.full((1, 1000), 1e8)], np.full((1, 1000), 0.5), [np.zeros((1, 1000))]),
]

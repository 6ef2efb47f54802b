"""Fused operations of networks."""

import numpy as np

from cases.common import LABELS, A, case, softmax_log, torch
from minigrad import ops

CASES = [
    case("cross_entropy", ops.cross_entropy, A, LABELS,
         value=lambda x, target: -softmax_log(x, 1)[np.arange(3), target].mean(),
         twin=lambda x, target: torch.nn.functional.cross_entropy(x, torch.as_tensor(target))),
]

EMPTY = []

POINTS = [
    ("cross_entropy far out", lambda x: ops.cross_entropy(x, np.array([1])), [[[1e4, 0]]], 1e4, [[[1, -1]]]),
]

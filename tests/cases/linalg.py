"""Products and decompositions of matrices."""

import numpy as np

from cases.common import CUBE, EXPONENT, ROW, A, case, sample, torch
from minigrad import ops

CASES = [
    case("matrix @ matrix", np.matmul, A, sample(4, 2), twin=lambda a, b: a @ b),
    case("matrix @ vector", np.matmul, A, ROW, twin=lambda a, b: a @ b),
    case("vector @ matrix", np.matmul, ROW, sample(4, 2), twin=lambda a, b: a @ b),
    case("vector @ vector", np.matmul, ROW, EXPONENT, twin=lambda a, b: a @ b),
    case("batch @ matrix", np.matmul, CUBE, sample(4, 2), twin=lambda a, b: a @ b),
    case("matrix @ batch", np.matmul, A, CUBE.swapaxes(1, 2).copy(), twin=lambda a, b: a @ b),
    case("batch @ batch, broadcast", np.matmul, CUBE[:, None], sample(5, 4, 2), twin=lambda a, b: a @ b),
    case("batch @ vector", np.matmul, CUBE, ROW, twin=lambda a, b: a @ b),
    case("vector @ batch", np.matmul, sample(3), CUBE, twin=lambda a, b: a @ b),
    case("linear", ops.linear, A, sample(2, 4), sample(2), value=lambda x, w, b: x @ w.T + b,
         twin=lambda x, w, b: torch.nn.functional.linear(x, w, b)),
    case("linear without bias", ops.linear, A, sample(2, 4), value=lambda x, w: x @ w.T, twin=lambda x, w: x @ w.T),
    case("linear of a batch", ops.linear, CUBE, sample(2, 4), sample(2), value=lambda x, w, b: x @ w.T + b,
         twin=lambda x, w, b: torch.nn.functional.linear(x, w, b)),
    case("linear of a vector", ops.linear, ROW, sample(2, 4), sample(2), value=lambda x, w, b: w @ x + b,
         twin=lambda x, w, b: torch.nn.functional.linear(x, w, b)),
]

EMPTY = [
    case("no rows @", np.matmul, np.zeros((0, 3)), np.ones((3, 2))),
    case("no columns @", np.matmul, np.ones((2, 0)), np.ones((0, 3))),
    case("linear", ops.linear, np.zeros((0, 3)), np.ones((2, 3)), np.ones(2)),
]

POINTS = []

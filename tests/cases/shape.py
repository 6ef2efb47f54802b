"""Functions that rearrange elements."""

import numpy as np

from cases.common import COLUMN, CUBE, MASK, REPEATED, A, B, case, sample, torch
from minigrad import ops


def added_at(g, index, shape):
    out = np.zeros(shape)
    np.add.at(out, index, g)
    return out


CASES = [
    case("reshape", np.reshape, A, (2, 6), twin=lambda x, shape: x.reshape(shape)),
    case("transpose", np.transpose, CUBE, twin=lambda x: x.permute(2, 1, 0)),
    case("transpose by axes", np.transpose, CUBE, (1, -1, 0), twin=lambda x, axes: x.permute(axes)),
    case("swapaxes", np.swapaxes, CUBE, 0, -1, twin=lambda x, a, b: x.swapaxes(a, b)),
    case("broadcast_to", np.broadcast_to, COLUMN, (2, 3, 4), twin=lambda x, shape: x.broadcast_to(shape)),
    *(case(f"take {what}", ops.take, A, index, value=lambda x, i: x[i], twin=lambda x, i: x[i]) for what, index in (
        ("a slice", (slice(None, None, 2), slice(1, 3))), ("a row", -1), ("repeated", REPEATED),
        ("with new axes", (Ellipsis, None, 1)), ("by mask", MASK), ("by rows and mask", (slice(1, 3), MASK[0])))),
    case("scatter", ops.scatter, sample(2, 3), REPEATED, (3, 4), value=added_at,
         twin=lambda g, i, shape: torch.zeros(shape, dtype=g.dtype).index_put(
             tuple(torch.as_tensor(j) for j in i), g, accumulate=True)),
    case("concatenate", ops.concatenate, A, sample(2, 4), A[:1].copy(), value=lambda *a: np.concatenate(a),
         twin=lambda *a: torch.cat(a)),
    case("concatenate along the last", ops.concatenate, A, COLUMN, axis=-1,
         value=lambda *a, axis: np.concatenate(a, axis), twin=lambda *a, axis: torch.cat(a, axis)),
    case("stack", ops.stack, A, B, value=lambda *a: np.stack(a), twin=lambda *a: torch.stack(a)),
    case("stack along the last", ops.stack, A, B, axis=-1, value=lambda *a, axis: np.stack(a, axis),
         twin=lambda *a, axis: torch.stack(a, axis)),
]

EMPTY = [
    case("take", ops.take, np.ones(3), slice(0, 0)),
    case("take by an empty mask", ops.take, np.ones(3), np.zeros(3, bool)),
    case("concatenate", ops.concatenate, np.zeros((0, 3)), np.ones((1, 3))),
    case("stack", ops.stack, np.zeros(0), np.zeros(0)),
    case("reshape", np.reshape, np.zeros((0, 3)), (3, 0)), case("transpose", np.transpose, np.zeros((0, 3))),
]

POINTS = []

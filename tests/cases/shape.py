"""Functions that rearrange elements, copy them and put arrays together."""

import numpy as np

from cases.common import COLUMN, CUBE, ROW, A, B, case, sample, torch
from minigrad import ops

TALL = sample(6, 2)
NEW_SHAPE = {"newshape" if np.__version__.startswith("2.0") else "shape": [4, 3]}


def joined(name, twin, *arrays, **kwargs):
    """Return a case of a function that takes a list of arrays."""
    fn = getattr(np, name.split()[0])
    return case(name, lambda *a, **kw: fn(list(a), **kw), *arrays, twin=lambda *a, **kw: twin(a, **kw), **kwargs)


CASES = [
    case("reshape", np.reshape, A, (2, 6), twin=lambda x, shape: x.reshape(shape)),
    case("reshape, -1", np.reshape, CUBE, -1, twin=lambda x, shape: x.reshape(shape)),
    case("reshape in Fortran's order", lambda x: np.reshape(x, (2, -1), order="F"), A,
         twin=lambda x: x.T.reshape(6, 2).T),
    case("reshape by keyword", lambda x: np.reshape(x, **NEW_SHAPE), A, twin=lambda x: x.reshape(4, 3)),
    case("ravel", lambda x: np.ravel(x), CUBE, twin=lambda x: x.ravel()),
    case("ravel in Fortran's order", lambda x: np.ravel(x, "F"), CUBE, twin=lambda x: x.permute(2, 1, 0).ravel()),
    case("transpose", np.transpose, CUBE, twin=lambda x: x.permute(2, 1, 0)),
    case("transpose by axes", np.transpose, CUBE, (1, -1, 0), twin=lambda x, axes: x.permute(axes)),
    case("transpose by a list", lambda x: np.permute_dims(x, axes=[2, 0, 1]), CUBE, twin=lambda x: x.permute(2, 0, 1)),
    case("matrix_transpose", lambda x: np.matrix_transpose(x), CUBE, twin=lambda x: x.mT),
    case("linalg.matrix_transpose", lambda x: np.linalg.matrix_transpose(x), CUBE, twin=lambda x: x.mT),
    case("swapaxes", np.swapaxes, CUBE, 0, -1, twin=lambda x, a, b: x.swapaxes(a, b)),
    case("moveaxis", np.moveaxis, CUBE, 0, -1, twin=lambda x, a, b: x.moveaxis(a, b)),
    case("moveaxis, two", np.moveaxis, CUBE, (0, 1), (-1, 0), twin=lambda x, a, b: x.moveaxis(a, b)),
    case("moveaxis by lists", lambda x: np.moveaxis(x, [0, 1], [1, 2]), CUBE,
         twin=lambda x: x.moveaxis((0, 1), (1, 2))),
    case("rollaxis", lambda x: np.rollaxis(x, 2), CUBE, twin=lambda x: x.moveaxis(2, 0)),
    case("rollaxis to the right", lambda x: np.rollaxis(x, 0, 3), CUBE, twin=lambda x: x.moveaxis(0, 2)),
    case("rollaxis to -1", lambda x: np.rollaxis(x, -3, -1), CUBE, twin=lambda x: x.moveaxis(0, 1)),
    case("squeeze", np.squeeze, COLUMN, twin=lambda x: x.squeeze()),
    case("squeeze an axis", np.squeeze, COLUMN[None], axis=(0, -1), twin=lambda x, axis: x.squeeze((0, 2))),
    case("expand_dims", np.expand_dims, A, 1, twin=lambda x, axis: x.unsqueeze(axis)),
    case("expand_dims, two", np.expand_dims, A, (0, -1), twin=lambda x, axis: x[None, ..., None]),
    *(case(f"atleast_{n}d of {x.ndim} axes", getattr(np, f"atleast_{n}d"), x, value=getattr(np, f"atleast_{n}d"),
           twin=twin) for n, x, twin in (
        (1, np.array(0.3), lambda x: torch.atleast_1d(x)), (1, A, lambda x: torch.atleast_1d(x)),
        (2, np.array(0.3), lambda x: torch.atleast_2d(x)), (2, ROW, lambda x: torch.atleast_2d(x)),
        (3, np.array(0.3), lambda x: torch.atleast_3d(x)), (3, ROW, lambda x: torch.atleast_3d(x)),
        (3, A, lambda x: torch.atleast_3d(x)))),
    case("atleast_2d of two", lambda a, b: np.multiply(*np.atleast_2d(a, b)), A, ROW, twin=lambda a, b: a * b),
    case("copy", lambda x: np.copy(x), A, twin=lambda x: x.clone()),
    case("roll", np.roll, A, 5, twin=lambda x, n: x.roll(n)),
    case("roll an axis", np.roll, CUBE, -2, axis=1, twin=lambda x, n, axis: x.roll(n, axis)),
    case("roll two axes", np.roll, CUBE, (1, -3), (0, 2), twin=lambda x, n, axes: x.roll(n, axes)),
    case("roll by keywords", lambda x: np.roll(x, shift=1, axis=-1), CUBE, twin=lambda x: x.roll(1, -1)),
    case("flip", np.flip, CUBE, twin=lambda x: x.flip(0, 1, 2)),
    case("flip two axes", np.flip, CUBE, (0, -1), twin=lambda x, axes: x.flip(axes)),
    case("fliplr", lambda x: np.fliplr(x), A, twin=lambda x: x.fliplr()),
    case("flipud", lambda x: np.flipud(x), A, twin=lambda x: x.flipud()),
    *(case(f"rot90, {k} times in {axes}", lambda x, k=k, axes=axes: np.rot90(x, k, axes), CUBE,
           twin=lambda x, k=k, axes=axes: torch.rot90(x, k, axes))
      for k in (0, 1, 2, 3, -1) for axes in ((0, 1), (2, 0))),

    case("broadcast_to", np.broadcast_to, COLUMN, (2, 3, 4), twin=lambda x, shape: x.broadcast_to(shape)),
    case("broadcast_arrays", lambda a, b: np.subtract(*np.broadcast_arrays(a, b)), COLUMN, ROW,
         twin=lambda a, b: a - b),
    case("repeat all", lambda x: np.repeat(x, 3), A, twin=lambda x: x.repeat_interleave(3)),
    case("repeat an axis", lambda x: np.repeat(x, 2, axis=1), CUBE, twin=lambda x: x.repeat_interleave(2, 1)),
    case("repeat by counts", lambda x: np.repeat(x, [2, 0, 1], axis=0), A,
         twin=lambda x: x.repeat_interleave(torch.tensor([2, 0, 1]), 0)),
    case("tile", lambda x: np.tile(x, 2), A, twin=lambda x: x.tile(2)),
    case("tile in more axes", lambda x: np.tile(x, (2, 1, 3)), A, twin=lambda x: x.tile(2, 1, 3)),
    case("tile in fewer axes", lambda x: np.tile(x, (2, 3)), CUBE, twin=lambda x: x.tile(2, 3)),
    *(case(f"meshgrid {kw}", lambda a, b, kw=kw: np.multiply(*np.meshgrid(a, b, **kw)), ROW, COLUMN[:, 0].copy(),
           twin=lambda a, b, kw=kw: torch.outer(a, b) if "ij" in kw.values() else torch.outer(b, a))
      for kw in ({}, {"indexing": "ij"}, {"sparse": True})),

    case("concatenate", ops.concatenate, A, sample(2, 4), A[:1].copy(), value=lambda *a: np.concatenate(a),
         twin=lambda *a: torch.cat(a)),
    case("concatenate along the last", ops.concatenate, A, COLUMN, axis=-1,
         value=lambda *a, axis: np.concatenate(a, axis), twin=lambda *a, axis: torch.cat(a, axis)),
    case("stack", ops.stack, A, B, value=lambda *a: np.stack(a), twin=lambda *a: torch.stack(a)),
    case("stack along the last", ops.stack, A, B, axis=-1, value=lambda *a, axis: np.stack(a, axis),
         twin=lambda *a, axis: torch.stack(a, axis)),
    joined("concatenate a list", lambda a: torch.cat(a), A, B),
    joined("concatenate all elements", lambda a, axis: torch.cat([x.ravel() for x in a]), A, ROW, axis=None),
    joined("stack a list", lambda a, axis: torch.stack(a, axis), A, B, axis=1),
    joined("vstack", lambda a: torch.vstack(a), A, ROW),
    joined("hstack", lambda a: torch.hstack(a), A, COLUMN),
    joined("hstack vectors", lambda a: torch.hstack(a), ROW, sample(3)),
    joined("dstack", lambda a: torch.dstack(a), A, B),
    joined("dstack vectors", lambda a: torch.dstack(a), ROW, ROW[::-1].copy()),
    joined("column_stack", lambda a: torch.column_stack(a), A, COLUMN[:, 0].copy()),
    case("vstack of a tensor", lambda x: np.vstack(x), CUBE, twin=lambda x: torch.vstack(tuple(x))),
    case("append", lambda a, b: np.append(a, b), A, ROW, twin=lambda a, b: torch.cat([a.ravel(), b])),
    case("append along an axis", lambda a, b: np.append(a, b, axis=1), A, COLUMN,
         twin=lambda a, b: torch.cat([a, b], 1)),
    case("block", lambda a, b, c, d: np.block([[a, c], [b, d]]), A, sample(2, 4), COLUMN, sample(2, 1),
         twin=lambda a, b, c, d: torch.cat([torch.cat([a, c], 1), torch.cat([b, d], 1)])),
    case("block of a row", lambda a, b: np.block([a, b]), ROW, sample(3), twin=lambda a, b: torch.cat([a, b])),
    *(case(f"split {parts}", lambda x, parts=parts, axis=axis: np.concatenate(np.split(x, parts, axis)[::-1], axis),
           TALL, twin=lambda x, parts=parts, axis=axis: torch.cat(torch.tensor_split(x, parts, axis)[::-1], axis))
      for parts, axis in ((3, 0), (2, -1), ((1, 4), 0))),
    case("array_split", lambda x: np.hstack(np.array_split(x, 4)[1:3]), sample(9, 2),
         twin=lambda x: torch.hstack(torch.tensor_split(x, 4)[1:3])),
    case("hsplit", lambda x: np.subtract(*np.hsplit(x, 2)), CUBE[:, :2].copy(),
         twin=lambda x: torch.sub(*torch.hsplit(x, 2))),
    case("hsplit a vector", lambda x: np.subtract(*np.hsplit(x, [2])), ROW, twin=lambda x: x[:2] - x[2:]),
    case("vsplit", lambda x: np.multiply(*np.vsplit(x, 2)), TALL, twin=lambda x: x[:3] * x[3:]),
    case("dsplit", lambda x: np.multiply(*np.dsplit(x, 2)), CUBE, twin=lambda x: x[..., :2] * x[..., 2:]),
]
if hasattr(np, "astype"):
    CASES += [case("astype", lambda x: np.astype(x, np.asarray(x.data).dtype), A, twin=lambda x: x.clone())]
if hasattr(np, "unstack"):
    CASES += [case("unstack", lambda x: np.multiply(*np.unstack(x, axis=1)[1:]), CUBE,
                   twin=lambda x: torch.mul(*x.unbind(1)[1:]))]

EMPTY = [
    case("concatenate", ops.concatenate, np.zeros((0, 3)), np.ones((1, 3))),
    case("stack", ops.stack, np.zeros(0), np.zeros(0)),
    case("reshape", np.reshape, np.zeros((0, 3)), (3, 0)), case("transpose", np.transpose, np.zeros((0, 3))),
    *(case(name, fn, np.zeros((0, 3))) for name, fn in (
        ("ravel", np.ravel), ("squeeze", np.squeeze), ("flip", np.flip), ("tile", lambda x: np.tile(x, 2)),
        ("rot90", np.rot90), ("vstack", lambda x: np.vstack([x, x])), ("split", lambda x: np.split(x, 2)[1]),
        ("repeat", lambda x: np.repeat(x, 2, axis=0)), ("unsqueezed", lambda x: np.expand_dims(x, 0)),
        ("roll", lambda x: np.roll(x, 1, 1)), ("moveaxis", lambda x: np.moveaxis(x, 0, 1)))),
    case("repeat 0 times", lambda x: np.repeat(x, 0, axis=1), A), case("tile 0 times", lambda x: np.tile(x, 0), A),
    case("split off nothing", lambda x: np.split(x, [0], axis=1)[0], A),
    case("broadcast to nothing", np.broadcast_to, ROW, (0, 4)),
]

POINTS = []

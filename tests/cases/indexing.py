"""Picking elements and putting them in places."""

import numpy as np

from cases.common import COLUMN, CUBE, MASK, REPEATED, A, B, case, sample, torch
from minigrad import ops

SQUARE = sample(4, 4)
ALONG = np.array([[3, 0], [1, 1], [2, 3]])


def added_at(g, index, shape):
    out = np.zeros(shape)
    np.add.at(out, index, g)
    return out


def tensors(index):
    """Return an index for PyTorch, which wants tensors where NumPy wants arrays."""
    if isinstance(index, tuple):
        return tuple(tensors(i) for i in index)
    return torch.as_tensor(index) if isinstance(index, np.ndarray) else index


def padded(x, widths, mode, **kwargs):
    """Return the PyTorch twin of np.pad, for what PyTorch has not: by NumPy's own positions."""
    index = np.pad(np.arange(x.numel()).reshape(x.shape), widths, mode, **kwargs)
    return x.ravel()[torch.as_tensor(index)]


INDICES = {
    "a slice": (slice(None, None, 2), slice(1, 3)), "a row": -1, "repeated": REPEATED,
    "with new axes": (Ellipsis, None, 1), "by mask": MASK, "by rows and mask": (slice(1, 3), MASK[0]),
    "one element": (2, 1), "rows again and again": np.array([[2, 2], [0, 2]]),
    "an array behind a slice": (slice(None), np.array([3, 3, 0])), "all": Ellipsis, "everything and an axis": None,
    "a number beside an array": (1, np.array([0, 0, 2])), "negative": (np.array([-1, 2, -1]), np.array([0, -1, 0])),
}
PADDINGS = [((2, 1), "edge", {}), (((0, 2), (1, 3)), "edge", {}), (((2, 1), (3, 0)), "reflect", {}),
            (((3, 1), (0, 2)), "symmetric", {}), (((1, 2), (5, 0)), "wrap", {}), (2, "symmetric", {}),
            (7, "reflect", {"reflect_type": "even"})]
MANY = np.array([2, 0, 2, 2, 1, 0] * 30)

CASES = [
    *(case(f"take {what}", ops.take, A, index, value=lambda x, i: x[i], twin=lambda x, i: x[tensors(i)])
      for what, index in INDICES.items()),
    case("take a reversed slice", ops.take, A, (slice(None, None, -2), slice(3, 0, -1)), value=lambda x, i: x[i],
         twin=lambda x, i: x.flip(0)[::2].flip(1)[:, :3]),
    case("take by arrays apart", ops.take, CUBE, (np.array([1, 1, 0]), slice(None), np.array([0, 0, 2])),
         value=lambda x, i: x[i], twin=lambda x, i: x[tensors(i)]),
    case("take many rows", ops.take, A, MANY, value=lambda x, i: x[i], twin=lambda x, i: x[tensors(i)]),
    case("scatter", ops.scatter, sample(2, 3), REPEATED, (3, 4), value=added_at,
         twin=lambda g, i, shape: torch.zeros(shape, dtype=g.dtype).index_put(tensors(i), g, accumulate=True)),
    case("scatter many rows", ops.scatter, sample(180, 4), MANY, (3, 4), value=added_at,
         twin=lambda g, i, shape: torch.zeros(shape, dtype=g.dtype).index_put((tensors(i),), g, accumulate=True)),
    case("scatter along an axis", ops.scatter, sample(3, 2), ops.along_axis(ALONG, (3, 4), 1), (3, 4), value=added_at,
         twin=lambda g, i, shape: torch.zeros(shape, dtype=g.dtype).scatter_add(1, tensors(ALONG), g)),
    case("scatter into a slice", ops.scatter, sample(2, 2), (slice(0, 3, 2), slice(1, 3)), (3, 4), value=added_at,
         twin=lambda g, i, shape: torch.zeros(shape, dtype=g.dtype).index_put(
             (torch.tensor([[0], [2]]), torch.tensor([1, 2])), g)),

    case("np.take", lambda x: np.take(x, [[5, 0], [5, -1]]), A,
         twin=lambda x: x.ravel()[torch.tensor([[5, 0], [5, -1]])]),
    case("np.take of an axis", lambda x: np.take(x, [2, 0, 2], axis=1), CUBE, twin=lambda x: x[:, [2, 0, 2]]),
    case("np.take one", lambda x: np.take(x, np.int64(1), axis=-1), CUBE, twin=lambda x: x[..., 1]),
    case("np.take, wrapped", lambda x: np.take(x, [-5, 9], axis=1, mode="wrap"), A, twin=lambda x: x[:, [3, 1]]),
    case("np.take, clipped", lambda x: np.take(x, [-5, 9], axis=1, mode="clip"), A, twin=lambda x: x[:, [0, 3]]),
    case("take_along_axis", lambda x: np.take_along_axis(x, ALONG, axis=1), A,
         twin=lambda x: torch.take_along_dim(x, tensors(ALONG), 1)),
    case("take_along_axis, broadcast", lambda x: np.take_along_axis(x, np.array([[2, 0, 2, 1]]), 0), COLUMN + A,
         twin=lambda x: torch.take_along_dim(x, torch.tensor([[2, 0, 2, 1]]), 0)),
    case("take_along_axis of all", lambda x: np.take_along_axis(x, np.array([7, 7, 1]), None), A,
         twin=lambda x: torch.take_along_dim(x, torch.tensor([7, 7, 1]))),
    case("sort", lambda x: np.sort(x), A, twin=lambda x: x.sort().values),
    case("sort an axis", lambda x: np.sort(x, axis=1, kind="mergesort"), CUBE, twin=lambda x: x.sort(1).values),
    case("sort all", lambda x: np.sort(x, None), A, twin=lambda x: x.ravel().sort().values),
    case("sort, descending", lambda x: np.flip(np.sort(x, axis=0), 0), A,
         twin=lambda x: x.sort(0, descending=True).values),
    case("compress", lambda x: np.compress([True, False, True], x, axis=0), A, twin=lambda x: x[[0, 2]]),
    case("extract", lambda x: np.extract(MASK, x), A, twin=lambda x: x[tensors(MASK)]),
    case("delete", lambda x: np.delete(x, [1, -1], axis=1), A, twin=lambda x: x[:, [0, 2]]),
    case("delete a slice of all", lambda x: np.delete(x, slice(1, 10)), A, twin=lambda x: x.ravel()[[0, 10, 11]]),
    case("choose", lambda a, b: np.choose(np.array([0, 1, 1, 0]), [a, b]), A, B,
         twin=lambda a, b: torch.where(torch.tensor([True, False, False, True]), a, b)),
    case("choose, wrapped", lambda a, b: np.choose(np.array([4, -1, 1, 2]), [a, b], mode="wrap"), A, COLUMN,
         twin=lambda a, b: torch.where(torch.tensor([True, False, False, True]), a, b)),

    *(case(f"diagonal {kw}", lambda x, kw=kw: np.diagonal(x, **kw), CUBE,
           twin=lambda x, kw=kw: x.diagonal(*(kw.get(k, d) for k, d in (("offset", 0), ("axis1", 0), ("axis2", 1)))))
      for kw in ({}, {"offset": 1}, {"offset": -1, "axis1": 1, "axis2": 2}, {"offset": 2, "axis1": -1, "axis2": -2})),
    case("linalg.diagonal", lambda x: np.linalg.diagonal(x, offset=1), CUBE, twin=lambda x: x.diagonal(1, -2, -1)),
    *(case(f"diag of a matrix, {k}", lambda x, k=k: np.diag(x, k), A, twin=lambda x, k=k: x.diag(k))
      for k in (0, 2, -1)),
    *(case(f"diag of a vector, {k}", lambda x, k=k: np.diag(x, k), sample(3), twin=lambda x, k=k: x.diag(k))
      for k in (0, 1, -2)),
    case("diagflat", lambda x: np.diagflat(x, 1), A, twin=lambda x: x.ravel().diag(1)),
    *(case(f"tril {k}", lambda x, k=k: np.tril(x, k), CUBE, twin=lambda x, k=k: torch.tril(x, k)) for k in (0, 1, -1)),
    *(case(f"triu {k}", lambda x, k=k: np.triu(x, k), CUBE, twin=lambda x, k=k: torch.triu(x, k)) for k in (0, 1, -1)),
    case("tril of a vector", lambda x: np.tril(x), sample(3), twin=lambda x: torch.tril(x.expand(3, 3))),
    case("trace", lambda x: np.trace(x), SQUARE, twin=lambda x: x.trace()),
    case("trace of a batch", lambda x: np.trace(x, -1, 2, 1), CUBE, twin=lambda x: x.diagonal(-1, 2, 1).sum(-1)),
    case("linalg.trace", lambda x: np.linalg.trace(x, offset=1), CUBE, twin=lambda x: x.diagonal(1, -2, -1).sum(-1)),

    case("pad", lambda x: np.pad(x, 1), A, twin=lambda x: torch.nn.functional.pad(x, (1, 1, 1, 1))),
    case("pad with a number", lambda x: np.pad(x, ((0, 2), (1, 0)), constant_values=2.5), A,
         twin=lambda x: torch.nn.functional.pad(x, (1, 0, 0, 2), value=2.5)),
    case("pad with numbers", lambda x: np.pad(x, (1, 2), "constant", constant_values=((1, 2), (3, 4))), A,
         twin=lambda x: torch.nn.functional.pad(x, (1, 2, 1, 2)) + torch.as_tensor(
             np.pad(np.zeros((3, 4)), (1, 2), constant_values=((1, 2), (3, 4))))),
    *(case(f"pad {mode} by {width}", lambda x, p=(width, mode), kw=kw: np.pad(x, *p, **kw), A,
           twin=lambda x, p=(width, mode), kw=kw: padded(x, *p, **kw)) for width, mode, kw in PADDINGS),
    case("pad reflect, one axis", lambda x: np.pad(x, ((0, 0), (2, 1)), "reflect"), A,
         twin=lambda x: torch.nn.functional.pad(x, (2, 1), "reflect")),
    case("full_like a tensor", lambda x: np.full_like(x, 2.0) * x, A, twin=lambda x: torch.full_like(x, 2.0) * x),
    case("full_like of a tensor", lambda x: np.full_like(x, x[0, 1], shape=(2,)), A,
         twin=lambda x: x[0, 1].expand(2)),
]

EMPTY = [
    case("take", ops.take, np.ones(3), slice(0, 0)),
    case("take by an empty mask", ops.take, np.ones(3), np.zeros(3, bool)),
    case("take no rows", ops.take, np.ones((3, 2)), np.zeros(0, int)),
    case("take of nothing", ops.take, np.ones((0, 2)), np.zeros(0, int)),
    *(case(name, fn, np.zeros((0, 3))) for name, fn in (
        ("sort", np.sort), ("sort the empty axis", lambda x: np.sort(x, 0)), ("np.take", lambda x: np.take(x, [1], 1)),
        ("diagonal", np.diagonal), ("trace", np.trace), ("tril", np.tril), ("pad", lambda x: np.pad(x, 1)),
        ("pad nothing", lambda x: np.pad(x, ((0, 0), (1, 1)), "edge")), ("diagflat", np.diagflat),
        ("compress", lambda x: np.compress([True], x, 1)), ("delete", lambda x: np.delete(x, 0, 1)))),
    case("diagonal far off", lambda x: np.diagonal(x, 9), A), case("diag of nothing", np.diag, np.zeros(0)),
]

POINTS = [
    ("sort, two alike", lambda x: np.sort(x) * np.array([1, 2, 4]), [[3, 1, 1]], [1, 2, 12], [[4, 1, 2]]),
    ("tril of what is not finite", lambda x: np.tril(x), [[[1, np.inf], [2, 3]]], [[1, 0], [2, 3]], [[[1, 0], [1, 1]]]),
    ("pad with infinity", lambda x: np.pad(x, 1, constant_values=np.inf)[1:2], [[2]], [2], [[1]]),
]

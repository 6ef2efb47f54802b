"""Products of matrices."""

import numpy as np

from cases.common import CUBE, EXPONENT, ROW, A, case, sample, torch
from minigrad import ops

TENSOR = sample(2, 4, 3, 2)
EIGHTHS = [np.round(8 * x) / 8 for x in (CUBE, sample(5, 4, 2), ROW, A)]     # sums of products are exact in any order
THREE = sample(3, 3)


def twin_of(name):
    """Return the function of that name in PyTorch, looked up when it is called."""
    return lambda *args, **kwargs: getattr(torch, name)(*args, **kwargs)


def einsum(subscripts, *operands, twin=None, value=None, **kwargs):
    """Return a case of np.einsum; PyTorch has the same subscripts."""
    return case(f"einsum {subscripts} {kwargs or ''}", lambda *a: np.einsum(subscripts, *a, **kwargs), *operands,
                twin=twin or (lambda *a: torch.einsum(subscripts, *a)), value=value)


def product(name, a, b, twin, *args, **kwargs):
    """Return a case of a function of two arrays, of np or np.linalg."""
    words = name.split()[0].split(".")
    fn = getattr(np.linalg, words[1]) if len(words) > 1 else getattr(np, words[0])
    return case(name, lambda a, b: fn(a, b, *args, **kwargs), a, b, twin=twin)


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

    case("vecdot", np.vecdot, CUBE, A, twin=lambda a, b: (a * b).sum(-1)),
    case("vecdot of vectors", np.vecdot, ROW, EXPONENT, twin=lambda a, b: a @ b),
    product("linalg.vecdot of an axis", CUBE, A, lambda a, b: (a * b).sum(1), axis=-2),
    product("linalg.matmul", CUBE, ROW, lambda a, b: a @ b),
    product("dot of vectors", ROW, EXPONENT, lambda a, b: a @ b),
    product("dot of matrices", A, sample(4, 2), lambda a, b: a @ b),
    product("dot of a matrix and a vector", A, ROW, lambda a, b: a @ b),
    product("dot of a vector and a matrix", ROW, sample(4, 2), lambda a, b: a @ b),
    product("dot of many axes", *EIGHTHS[:2], lambda a, b: torch.tensordot(a, b, ([2], [1]))),
    product("dot of a vector and many axes", *EIGHTHS[2:0:-1], lambda a, b: torch.tensordot(a, b, ([0], [1]))),
    product("dot of many axes and a vector", *EIGHTHS[::2], lambda a, b: a @ b),
    product("inner of vectors", ROW, EXPONENT, lambda a, b: a @ b),
    product("inner of matrices", *EIGHTHS[::3], lambda a, b: torch.inner(a, b)),
    product("vdot", A, CUBE[0].copy(), lambda a, b: (a * b).sum()),
    product("outer", A, ROW, lambda a, b: torch.outer(a.ravel(), b)),
    product("linalg.outer", ROW, sample(3), lambda a, b: torch.outer(a, b)),
    product("tensordot", TENSOR, sample(3, 2, 5), lambda a, b: torch.tensordot(a, b, 2)),
    product("tensordot over no axes", A, ROW, lambda a, b, n=0: torch.tensordot(a, b, 0), 0),
    product("tensordot over one axis", CUBE, sample(3, 5), lambda a, b: torch.tensordot(a, b, ([1], [0])), (1, 0)),
    product("tensordot over lists", TENSOR, sample(3, 5, 2), lambda a, b: torch.tensordot(a, b, ([2, 0], [0, 2])),
            axes=([2, 0], [0, -1])),
    product("linalg.tensordot", CUBE, A, lambda a, b: torch.tensordot(a, b, ([1, 2], [0, 1])), axes=([1, 2], [0, 1])),
    product("kron", A, sample(2, 3), lambda a, b: torch.kron(a, b)),
    product("kron of unequal ranks", CUBE, ROW, lambda a, b: torch.kron(a, b)),
    product("cross", THREE, sample(3), lambda a, b: torch.linalg.cross(a, b.expand(3, 3))),
    product("cross by axes", sample(3, 2), sample(2, 3), lambda a, b: torch.linalg.cross(a.T, b).T,
            axisa=0, axisb=1, axisc=0),
    product("cross along an axis", sample(3, 2), sample(3, 2)[::-1].copy(), lambda a, b: torch.cross(a, b, 0), axis=0),
    product("linalg.cross", THREE, THREE[::-1].copy(), lambda a, b: torch.linalg.cross(a, b)),
    case("multi_dot", lambda *a: np.linalg.multi_dot(a), sample(2, 5), sample(5, 3), sample(3, 4),
         twin=lambda *a: torch.linalg.multi_dot(a)),
    case("multi_dot between vectors", lambda *a: np.linalg.multi_dot(a), ROW, sample(4, 2), sample(2, 3), sample(3),
         twin=lambda *a: torch.linalg.multi_dot(a)),

    case("einsum", ops.einsum, "ij,kj->ik", A, sample(2, 4), value=lambda _, a, b: a @ b.T,
         twin=lambda _, a, b: a @ b.T),
    einsum("ij,jk", A, sample(4, 2)),
    einsum("ij , jk -> k", A, sample(4, 2)),
    einsum("bij,bjk->bik", CUBE, sample(2, 4, 2), optimize=True),
    einsum("ij->ji", A), einsum("ij->j", A), einsum("ij->", A), einsum("ij", A), einsum("ba", A),
    einsum("ii", THREE), einsum("ii->i", THREE), einsum("iij->ji", sample(3, 3, 2)), einsum("iii->i", sample(2, 2, 2)),
    einsum("ijij->ij", sample(2, 3, 2, 3)), einsum("ii,i->i", THREE, sample(3)),
    einsum("i,j->ij", ROW, sample(3)), einsum("i,i->", ROW, EXPONENT),
    einsum("ij,k->i", A, sample(2)), einsum("ij,ij,ij->j", A, A[::-1].copy(), sample(3, 4)),
    einsum("ij,jk,kl->il", A, sample(4, 2), sample(2, 3), optimize="greedy"),
    einsum("ij,jk,kl,l->i", A, sample(4, 2), sample(2, 3), sample(3)),
    einsum("...ij,...jk->...ik", CUBE, sample(4, 2)), einsum("...i,...i", CUBE, ROW),
    einsum("i...->...", CUBE), einsum("...ij->...ji", TENSOR), einsum("b...,b->...", CUBE, sample(2)),
    einsum("...,...->...", A, CUBE), einsum("i...,...i->...i", sample(4, 3), sample(2, 1, 4)),
    einsum("ij,ij->j", sample(1, 4), A, twin=lambda a, b: (a * b).sum(0)),
    einsum("ij,ij->i", A, sample(3, 1), twin=lambda a, b: (a * b).sum(1)),
    case("einsum by lists", lambda a, b: np.einsum(a, [0, 1], b, [1, 2], [2, 0]), A, sample(4, 2),
         twin=lambda a, b: (a @ b).T),
    case("einsum by lists, implicit", lambda a, b: np.einsum(a, [Ellipsis, 30], b, [30, 2]), CUBE, sample(4, 2),
         twin=lambda a, b: a @ b),
]
if hasattr(np, "matvec"):
    CASES += [
        case("matvec", np.matvec, A, sample(2, 4), twin=lambda a, x: x @ a.T),
        case("matvec of a batch", np.matvec, CUBE, ROW, twin=lambda a, x: a @ x),
        case("vecmat", np.vecmat, sample(2, 3), A, twin=lambda x, a: x @ a),
        case("vecmat of a batch", np.vecmat, sample(3), CUBE, twin=lambda x, a: x @ a),
    ]

EMPTY = [
    case("no rows @", np.matmul, np.zeros((0, 3)), np.ones((3, 2))),
    case("no columns @", np.matmul, np.ones((2, 0)), np.ones((0, 3))),
    case("linear", ops.linear, np.zeros((0, 3)), np.ones((2, 3)), np.ones(2)),
    *(case(name, fn, np.ones((2, 0)), np.ones((0, 3))) for name, fn in (
        ("dot", np.dot), ("tensordot", lambda a, b: np.tensordot(a, b, 1)), ("outer", np.outer), ("kron", np.kron),
        ("einsum", lambda a, b: np.einsum("ij,jk->ik", a, b)))),
    case("einsum of no rows", lambda a: np.einsum("ij->j", a), np.zeros((0, 3))),
    case("vecdot", np.vecdot, np.ones((2, 0)), np.ones((2, 0))),
    case("vdot", lambda a, b: np.vdot(a, b), np.zeros(0), np.zeros((0, 2))),
]

POINTS = [
    ("dot of a number", np.dot, [2, [1, 3]], [2, 6], [4, [2, 2]]),
    ("dot of a vector and a number", np.dot, [[1, 3], 2], [2, 6], [[2, 2], 4]),
    ("inner of a number", np.inner, [[1, 3], 2], [2, 6], [[2, 2], 4]),
    ("einsum of a number", lambda a, b: np.einsum(",i->i", a, b), [2, [1, 3]], [2, 6], [4, [2, 2]]),
]

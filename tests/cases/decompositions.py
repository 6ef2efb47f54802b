"""Inverses, determinants and decompositions of matrices."""

import numpy as np
import pytest

from cases.common import A, Case, case, sample, torch
from minigrad import ops

SQUARE = sample(3, 3) + 2.5 * np.eye(3)
BATCH = sample(2, 3, 3) + 3 * np.eye(3)
RIGHT, VECTOR = sample(3, 2), sample(3)
DEFINITE = BATCH @ BATCH.swapaxes(-1, -2)
SINGULAR = np.array([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [0.5, -1.0, 1.5]])           # rank 2
RANK_1 = np.outer([1.0, -2.0, 0.5], [2.0, 1.0, 3.0])


class Lapack(Case):
    """A case that NumPy refuses in float16, as LAPACK has none."""

    def __call__(self, *floats, fn=None, **kwargs):
        if any(x.dtype == np.float16 for x in floats):
            with pytest.raises(TypeError, match="float16 is unsupported in linalg"):
                super().__call__(*floats, fn=fn, **kwargs)
            pytest.skip("LAPACK has no float16")
        return super().__call__(*floats, fn=fn, **kwargs)


class Symmetric(Lapack):
    """A case whose matrices are made symmetric first: NumPy reads one triangle, the gradient is shared by both."""

    def __call__(self, *floats, fn=None, **kwargs):
        return super().__call__(*((x + x.swapaxes(-1, -2)) / 2 for x in floats), fn=fn, **kwargs)


def lapack(name, fn, *args, twin=None, value=None, **kwargs):
    return Lapack(name, fn, args, twin, value, kwargs)


def symmetric(name, fn, *args, twin=None, value=None, **kwargs):
    return Symmetric(name, fn, args, twin, value, kwargs)


def det_by_rows(x):
    """Return the determinant of a 3 x 3 matrix by the triple product, which PyTorch differentiates at rank 1 too."""
    return (x[0] * torch.linalg.cross(x[1], x[2])).sum()


def cofactors(x):
    """Return the cofactors of a 3 x 3 matrix: cross products of its rows."""
    cross = np.cross if isinstance(x, np.ndarray) else torch.linalg.cross
    stack = np.stack if isinstance(x, np.ndarray) else torch.stack
    return stack([cross(x[1], x[2]), cross(x[2], x[0]), cross(x[0], x[1])])


def change_of_cofactors(x, d):
    """Return how the cross products of the rows of x change along d."""
    return (cofactors(x + d) - cofactors(x - d)) / 2


def signs(vectors, model):
    """Return for each column 1 or -1, which turns it the way of the model's."""
    return torch.as_tensor(np.sign((vectors.numpy(force=True) * model).sum(axis=-2, keepdims=True)))


def eigh_twin(a, *uplo):
    values, vectors = torch.linalg.eigh(a, *uplo)
    model = np.linalg.eigh(a.numpy(force=True), *uplo)[1]
    return torch.cat([values[..., None, :], vectors * signs(vectors, model)], -2)


def svd_twin(a):
    u, s, vh = torch.linalg.svd(a, full_matrices=False)
    turn = signs(u, np.linalg.svd(a.numpy(force=True), full_matrices=False)[0])
    return torch.cat([s[..., None, :], u * turn, vh.mT * turn], -2)


def packed_eigh(a, *uplo):
    values, vectors = np.linalg.eigh(a, *uplo)
    return np.concatenate([values[..., None, :], vectors], axis=-2)


def packed_svd(a):
    u, s, vh = np.linalg.svd(a, full_matrices=False)
    return np.concatenate([s[..., None, :], u, vh.swapaxes(-1, -2)], axis=-2)


def root_of(a):
    """Return the symmetric square root of a definite matrix: the same for any choice of its eigenvectors."""
    values, vectors = np.linalg.eigh(a)
    return (vectors * np.sqrt(values)[..., None, :]) @ vectors.swapaxes(-1, -2)


def root_twin(a):
    values, vectors = torch.linalg.eigh(a)
    return (vectors * values.sqrt()[..., None, :]) @ vectors.mT


def clipped_svd(a):
    u, s, vh = np.linalg.svd(a, full_matrices=False)
    return (u * np.exp(-s)[..., None, :]) @ vh


def clipped_twin(a):
    u, s, vh = torch.linalg.svd(a, full_matrices=False)
    return (u * torch.exp(-s)[..., None, :]) @ vh


CASES = [
    lapack("inv", np.linalg.inv, SQUARE, twin=lambda x: x.inverse()),
    lapack("inv of a batch", np.linalg.inv, BATCH, twin=lambda x: x.inverse()),
    *(lapack(f"pinv of {x.shape}", np.linalg.pinv, x, twin=lambda x: torch.linalg.pinv(x))
      for x in (SQUARE, RIGHT, sample(2, 2, 3))),
    lapack("solve a vector", np.linalg.solve, SQUARE, VECTOR, twin=lambda a, b: torch.linalg.solve(a, b)),
    lapack("solve a matrix", np.linalg.solve, SQUARE, RIGHT, twin=lambda a, b: torch.linalg.solve(a, b)),
    lapack("solve a batch", np.linalg.solve, BATCH, sample(2, 3, 2), twin=lambda a, b: torch.linalg.solve(a, b)),
    lapack("solve a batch for one vector", np.linalg.solve, BATCH, VECTOR,
           twin=lambda a, b: torch.linalg.solve(a, b.expand(2, 3))),
    lapack("solve a batch for one matrix", np.linalg.solve, BATCH, RIGHT,
           twin=lambda a, b: torch.linalg.solve(a, b.expand(2, 3, 2))),
    lapack("solve for two axes, a matrix since NumPy 2", np.linalg.solve, BATCH[:, :2, :2].copy(), sample(2, 2),
           twin=lambda a, b: torch.linalg.solve(a, b.expand(2, 2, 2))),
    lapack("solve one for a batch", np.linalg.solve, SQUARE, sample(2, 3, 2),
           twin=lambda a, b: torch.linalg.solve(a, b)),
    lapack("det", np.linalg.det, SQUARE, twin=lambda x: x.det()),
    lapack("det of a batch", np.linalg.det, BATCH, twin=lambda x: x.det()),
    lapack("det of 1 x 1", np.linalg.det, sample(2, 1, 1), twin=lambda x: x.det()),
    lapack("det of a singular matrix", np.linalg.det, SINGULAR, twin=det_by_rows),
    lapack("det, one singular of two", np.linalg.det, np.stack([SINGULAR, SQUARE]),
           twin=lambda x: torch.stack([det_by_rows(a) for a in x])),
    lapack("cofactors", ops.cofactor, SQUARE, value=cofactors, twin=cofactors),
    lapack("cofactors of a singular matrix", ops.cofactor, SINGULAR, value=cofactors, twin=cofactors),
    lapack("cofactors of rank 1", ops.cofactor, RANK_1, value=cofactors, twin=cofactors),
    *(lapack(f"change of cofactors{what}", ops.cofactor_change, a, SQUARE, value=change_of_cofactors,
             twin=change_of_cofactors) for what, a in (("", SQUARE[::-1].copy()), (", singular", SINGULAR),
                                                       (", rank 1", RANK_1))),
    lapack("slogdet", ops.slogdet, -BATCH, value=lambda x: np.stack(np.linalg.slogdet(x), -1),
           twin=lambda x: torch.stack(torch.linalg.slogdet(x), -1)),
    lapack("slogdet, its logarithm", lambda x: np.linalg.slogdet(x).logabsdet, BATCH, twin=lambda x: x.logdet()),
    *((case if n >= 0 else lapack)(f"matrix_power {n}", lambda x, n=n: np.linalg.matrix_power(x, n), SQUARE,
                                   twin=lambda x, n=n: torch.linalg.matrix_power(x, n) + 0 * x)
      for n in (0, 1, 2, 5, -1, -2)),

    symmetric("cholesky", np.linalg.cholesky, DEFINITE, twin=lambda x: torch.linalg.cholesky(x)),
    symmetric("cholesky, upper", np.linalg.cholesky, DEFINITE[0], upper=True,
              twin=lambda x, upper: torch.linalg.cholesky(x, upper=True)),
    symmetric("eigh", ops.eigh, BATCH, value=packed_eigh, twin=eigh_twin),
    symmetric("eigh of the upper triangle", ops.eigh, SQUARE, "U", value=packed_eigh, twin=eigh_twin),
    symmetric("eigvalsh", np.linalg.eigvalsh, BATCH, twin=lambda x: torch.linalg.eigvalsh(x)),
    symmetric("eigvalsh of the upper triangle", np.linalg.eigvalsh, SQUARE, UPLO="U",
              twin=lambda x, UPLO: torch.linalg.eigvalsh(x)),
    symmetric("square root by np.linalg.eigh", root_of, DEFINITE, twin=root_twin),
    *(lapack(f"svd of {x.shape}", ops.svd, x, value=packed_svd, twin=svd_twin) for x in (SQUARE, RIGHT, A, BATCH)),
    *(lapack(f"svdvals of {x.shape}", np.linalg.svdvals, x, twin=lambda x: torch.linalg.svdvals(x))
      for x in (SQUARE, RIGHT, sample(2, 3, 4))),
    lapack("svd, values alone", lambda x: np.linalg.svd(x, compute_uv=False), A,
           twin=lambda x: torch.linalg.svdvals(x)),
    lapack("by np.linalg.svd", clipped_svd, A, twin=clipped_twin),
]

EMPTY = [
    lapack("inv", np.linalg.inv, np.zeros((0, 3, 3))), lapack("inv of 0 x 0", np.linalg.inv, np.zeros((0, 0))),
    lapack("det", np.linalg.det, np.zeros((0, 3, 3))), lapack("det of 0 x 0", np.linalg.det, np.zeros((2, 0, 0))),
    lapack("solve", np.linalg.solve, np.zeros((0, 3, 3)), np.ones((0, 3, 2))),
    lapack("solve for no columns", np.linalg.solve, np.eye(3), np.ones((3, 0))),
    *(lapack(f"change of cofactors{what}", ops.cofactor_change, a, SQUARE, value=change_of_cofactors,
             twin=change_of_cofactors) for what, a in (("", SQUARE[::-1].copy()), (", singular", SINGULAR),
                                                       (", rank 1", RANK_1))),
    lapack("slogdet", ops.slogdet, np.zeros((0, 3, 3))), lapack("cholesky", np.linalg.cholesky, np.zeros((0, 2, 2))),
    lapack("eigh", ops.eigh, np.zeros((0, 3, 3))), lapack("eigvalsh", np.linalg.eigvalsh, np.zeros((0, 3, 3))),
    lapack("svd", ops.svd, np.zeros((0, 3, 2))), lapack("svdvals", np.linalg.svdvals, np.zeros((0, 3, 2))),
]

POINTS = [
    ("det of rank 1", np.linalg.det, [[[1, 2], [2, 4]]], 0, [[[4, -2], [-2, 1]]]),
    ("det of zeros, 2 x 2", np.linalg.det, [np.zeros((2, 2))], 0, [np.zeros((2, 2))]),
    ("det of zeros, 1 x 1", np.linalg.det, [[[0]]], 0, [[[1]]]),
    ("det of a small matrix", np.linalg.det, [1e-100 * np.eye(2)], 1e-200, [1e-100 * np.eye(2)]),
    ("logarithm of a det that overflows", lambda x: np.linalg.slogdet(x)[1], [1e200 * np.eye(2)], 400 * np.log(10),
     [1e-200 * np.eye(2)]),
    ("eigenvalues that are alike", np.linalg.eigvalsh, [np.eye(2)], [1, 1], [np.eye(2)]),
    ("np.linalg.eigh, the values alone", lambda x: np.linalg.eigh(x).eigenvalues, [np.eye(2)], [1, 1], [np.eye(2)]),
    ("singular values that are alike", np.linalg.svdvals, [np.eye(2)], [1, 1], [np.eye(2)]),
    ("np.linalg.svd, the values alone", lambda x: np.linalg.svd(x).S, [2 * np.eye(2)], [2, 2], [np.eye(2)]),
    ("the gradient of cholesky is symmetric", np.linalg.cholesky, [[[4, 2], [2, 5]]], [[2, 0], [1, 2]],
     [[[0.1875, 0.125], [0.125, 0.25]]]),
]

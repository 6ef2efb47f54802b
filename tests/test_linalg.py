"""Linear algebra beyond the table of cases: singular and repeated, symmetric gradients, what is refused and how."""

import itertools
import math

import numpy as np
import pytest

import minigrad as mg
from minigrad import ops

try:
    import torch
except ImportError:
    torch = None


def leaf(x, dtype=None):
    return mg.tensor(np.array(x, float), dtype, requires_grad=True)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def signs_of_permutations(n):
    """Return the tensor with n axes of length n that is the sign of the permutation i, j, k, ... ."""
    out = np.zeros((n,) * n)
    for p in itertools.permutations(range(n)):
        out[p] = (-1) ** sum(p[i] > p[j] for i in range(n) for j in range(i + 1, n))
    return out


def leibniz(x):
    """Return det x as the sum over permutations: a polynomial, differentiable everywhere and to any order."""
    n = x.shape[-1]
    letters = "abcd"[:n]
    return np.einsum(f"{letters},{','.join(letters)}->", signs_of_permutations(n), *(x[i] for i in range(n)))


@pytest.mark.parametrize(("n", "rank"), [(n, rank) for n in (1, 2, 3, 4) for rank in range(n + 1)])
def test_the_determinant_is_a_polynomial_whatever_the_rank(n, rank):
    """Value and three orders of derivative, along random directions, are those of the sum over permutations."""
    a = normal(n, rank) @ normal(rank, n, seed=1) if rank else np.zeros((n, n))
    x, us = leaf(a), [normal(n, n, seed=10 + k) for k in range(3)]
    derivatives = []
    for det in (np.linalg.det, leibniz):
        y, values = det(x), []
        for u in us:
            values.append(y.item())
            if not y.requires_grad:
                break
            g = mg.grad(y, x, create_graph=True, allow_unused=True)
            if g is None:
                break
            values.append(g.data)
            y = (g * u).sum()
        derivatives.append(values)
    for k in range(2 * len(us)):
        got, expected = (values[k] if k < len(values) else 0.0 for values in derivatives)
        np.testing.assert_allclose(got, expected, rtol=1e-8, atol=1e-11)


def test_the_second_derivative_of_a_large_singular_determinant():
    """Of a diagonal matrix with one 0 it is known: for d_ij and d_ji, i being the place of the 0, minus the others."""
    n = 80
    a = np.diag(np.r_[0.0, np.linspace(0.9, 1.1, n - 1)])
    x, u = leaf(a), normal(n, n)
    g = mg.grad(np.linalg.det(x), x, create_graph=True)
    got, p = mg.grad((g * u).sum(), x).data, np.zeros((n, n))
    p[0, 1:] = p[1:, 0] = np.prod(a.diagonal()[1:]) / a.diagonal()[1:]
    expected = -p * u.T + np.diag(p @ u.diagonal())
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-12)


def test_cofactors_near_a_singular_matrix_keep_their_digits():
    """det(x) inv(x).T loses them all at condition 1e17; the singular values do not."""
    x = leaf([[1.0, 2.0], [2.0, 4.0 + 1e-15]])
    np.testing.assert_allclose(mg.grad(np.linalg.det(x), x).data, [[4, -2], [-2, 1]], rtol=1e-12)


@pytest.mark.parametrize("fn", [np.linalg.inv, lambda x: np.linalg.solve(x, [1.0, 2.0]), np.linalg.cholesky,
                                lambda x: np.linalg.matrix_power(x, -1)])
def test_singular_matrices_are_numpys_error(fn):
    with pytest.raises(np.linalg.LinAlgError, match=r"Singular matrix|not positive definite"):
        fn(leaf([[0, 0], [0, 0]]))


def test_the_logarithm_of_a_zero_determinant_has_no_gradient():
    logarithm = np.linalg.slogdet(leaf([[1, 2], [2, 4]])).logabsdet
    assert logarithm.item() == -math.inf
    with pytest.raises(np.linalg.LinAlgError, match="Singular"):
        logarithm.backward()


def test_results_are_named_as_numpys_are_and_the_sign_asks_for_no_gradient():
    x = leaf(-normal(2, 3, 3))
    for fn in (np.linalg.slogdet, np.linalg.svd, np.linalg.eigh, lambda a: np.linalg.eigh(a, "U")):
        got, expected = fn(x), fn(x.data)
        assert type(got) is type(expected)
        assert got._fields == expected._fields
        for a, b in zip(got, expected, strict=True):
            np.testing.assert_array_equal(a.data, b)
    assert [t.requires_grad for t in np.linalg.slogdet(x)] == [False, True]


# ------------------------------------------------------------------------------------- symmetric and repeated

SYMMETRIC = normal(4, 4) + normal(4, 4).T + 6 * np.eye(4)


@pytest.mark.skipif(torch is None, reason="PyTorch is not installed")
@pytest.mark.parametrize(("ours", "theirs"), [
    (np.linalg.cholesky, lambda x: torch.linalg.cholesky(x)),
    (lambda x: np.linalg.cholesky(x, upper=True), lambda x: torch.linalg.cholesky(x, upper=True)),
    (np.linalg.eigvalsh, lambda x: torch.linalg.eigvalsh(x)),
    (lambda x: np.linalg.eigh(x).eigenvectors ** 2, lambda x: torch.linalg.eigh(x).eigenvectors ** 2),
], ids=["cholesky", "cholesky, upper", "eigvalsh", "eigh"])
def test_the_gradient_for_a_symmetric_matrix_is_symmetric_as_pytorchs(ours, theirs):
    """NumPy reads one triangle, and yet both get their share."""
    x, t = leaf(SYMMETRIC), torch.tensor(SYMMETRIC, requires_grad=True)
    y, z = ours(x), theirs(t)
    v = normal(*y.shape, seed=3)
    g = mg.grad(y, x, v).data
    np.testing.assert_allclose(g, torch.autograd.grad(z, t, torch.as_tensor(v))[0].numpy(), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(g, g.T, rtol=1e-10, atol=1e-12)


TWICE = np.diag([1.0, 2.0, 2.0])


def test_repeated_values_have_a_gradient_and_their_vectors_have_none():
    """The sum of a pair of equal eigenvalues is smooth; a vector of the pair may be turned at will."""
    x = leaf(TWICE)
    values, vectors = np.linalg.eigh(x)
    np.testing.assert_allclose(mg.grad(values[1:].sum(), x, retain_graph=True).data, np.diag([0, 1, 1]), atol=1e-14)
    np.testing.assert_allclose(mg.grad(vectors[:, 0].sum(), x, retain_graph=True).data,
                               -0.5 * np.array([[0, 1, 1], [1, 0, 0], [1, 0, 0]]), atol=1e-14)
    with pytest.raises(np.linalg.LinAlgError, match=r"np\.linalg\.eigh.*equal.*Use the values alone"):
        mg.grad(vectors[0, 1], x)
    u, s, vh = np.linalg.svd(x)
    np.testing.assert_allclose(mg.grad(s.sum(), x, retain_graph=True).data, np.eye(3), atol=1e-14)
    for part in (u, vh):
        with pytest.raises(np.linalg.LinAlgError, match=r"np\.linalg\.svd.*equal"):
            mg.grad(part[0, 0] * 1.0 + part[1, 1], x, retain_graph=True)


def test_second_order_at_repeated_eigenvalues_is_refused_not_invented():
    """The trace of x @ x is a sum over eigenvalues, but its second derivative needs the limit of 0 / 0."""
    x = leaf(np.eye(2))
    g = mg.grad((np.linalg.eigvalsh(x) ** 2).sum(), x, create_graph=True)
    np.testing.assert_allclose(g.data, 2 * np.eye(2))
    with pytest.raises(np.linalg.LinAlgError, match="equal"):
        g[0, 1].backward()


def test_vectors_of_a_singular_value_of_0():
    """A tall matrix without full rank: its values have a gradient, the vectors that belong to 0 have none."""
    x = leaf([[3.0, 0.0], [0.0, 0.0], [0.0, 0.0]])
    u, s, _ = np.linalg.svd(x, full_matrices=False)
    assert np.isfinite(mg.grad(s.sum(), x, retain_graph=True).data).all()
    with pytest.raises(np.linalg.LinAlgError, match="singular value is 0"):
        mg.grad(u[:, 1].sum(), x)


# ------------------------------------------------------------------------------------------------ what is refused

def refused(name, call):
    return pytest.param(name, call, id=name)


@pytest.mark.parametrize(("name", "call"), [
    refused("np.linalg.qr", lambda t: np.linalg.qr(t)[1]), refused("np.linalg.eig", lambda t: np.linalg.eig(t)[0]),
    refused("np.linalg.eigvals", np.linalg.eigvals), refused("np.linalg.matrix_rank", np.linalg.matrix_rank),
    refused("np.linalg.lstsq", lambda t: np.linalg.lstsq(t, np.ones(2))[0]),
    refused("np.linalg.cond", np.linalg.cond), refused("np.linalg.tensorinv", lambda t: np.linalg.tensorinv(t, 1)),
])
def test_what_has_no_gradient_is_refused_by_name(name, call):
    t = leaf([[2.0, 1.0], [0.5, 3.0]])
    with pytest.raises(TypeError, match=rf"^{name.replace('.', '[.]')} .*t\.detach\(\)"):
        call(t)
    np.testing.assert_array_equal(np.asarray(call(t.detach())), call(t.data))


CUBE, A, V = (leaf(normal(*shape)) for shape in ((2, 3, 4), (3, 4), (4,)))
WRONG = [
    (ValueError, r"np\.dot.*\(3, 4\).*\(3, 4\)", lambda: np.dot(A, A)),
    (ValueError, r"np\.inner.*\(3, 4\).*\(4, 3\)", lambda: np.inner(A, A.T)),
    (ValueError, r"np\.vdot.*\(3, 4\).*\(4,\)", lambda: np.vdot(A, V)),
    (ValueError, r"np\.tensordot.*\(2, 3, 4\).*\(4, 3\).*\(-2, -1\)", lambda: np.tensordot(CUBE, A.T)),
    (ValueError, r"np\.tensordot.*\(5,\)", lambda: np.tensordot(A, A, (5, 1))),
    (ValueError, r"np\.cross.*\(4,\).*\(4,\)", lambda: np.cross(V, V)),
    (ValueError, r"np\.linalg\.outer.*\(3, 4\).*vectors", lambda: np.linalg.outer(A, V)),
    (ValueError, r"np\.linalg\.multi_dot.*two arrays", lambda: np.linalg.multi_dot([A])),
    (ValueError, r"np\.linalg\.multi_dot.*\(2, 3, 4\)", lambda: np.linalg.multi_dot([A.T, CUBE, A])),
    (ValueError, r"np\.linalg\.multi_dot.*\(4, 1\), \(3, 4\), \(4,\)",
     lambda: np.linalg.multi_dot([A.T[:, :1], A, V])),
    (ValueError, r"np\.linalg\.multi_dot.*\(1,\), \(3, 4\)", lambda: np.linalg.multi_dot([V[:1], A])),
    (ValueError, r"np\.einsum\('ij,jk'\).*\(3, 4\), \(3, 4\)", lambda: np.einsum("ij,jk", A, A)),
    (ValueError, r"np\.einsum\('ii'\).*\(3, 4\)", lambda: np.einsum("ii", A)),
    (ValueError, r"np\.einsum\('i'\).*\(3, 4\)", lambda: np.einsum("i", A)),
    (ValueError, r"np\.einsum\('ij,jk'\).*each of 1 operands", lambda: np.einsum("ij,jk", A)),
    (ValueError, r"np\.einsum\('i\+j'\)", lambda: np.einsum("i+j", A)),
    (ValueError, r"np\.einsum.*ellipsis", lambda: np.einsum("...i->i", A)),
    (ValueError, "einstein sum.*'x' which never", lambda: np.einsum("ij->ix", A)),
    (ValueError, "einstein sum.*'i' multiple", lambda: np.einsum("ij->ii", A)),
    (TypeError, "np.einsum.*'out'", lambda: np.einsum("ij->i", A, out=np.zeros(3))),
    (ValueError, "solve", lambda: np.linalg.solve(np.eye(3), V)),
    (np.linalg.LinAlgError, "square", lambda: np.linalg.inv(A)),
    (np.linalg.LinAlgError, "square", lambda: np.linalg.det(A)),
    (np.linalg.LinAlgError, r"np\.linalg\.matrix_power.*\(3, 4\)", lambda: np.linalg.matrix_power(A, 2)),
    (TypeError, r"np\.linalg\.svd.*\(3, 4\).*full_matrices=False", lambda: np.linalg.svd(A)),
    (TypeError, r"np\.linalg\.svd.*'hermitian'", lambda: np.linalg.svd(A, hermitian=True)),
    (TypeError, r"np\.linalg\.pinv.*'rcond'", lambda: np.linalg.pinv(A, rcond=0.1)),
]


@pytest.mark.parametrize(("error", "message", "call"), WRONG, ids=range(len(WRONG)))
def test_what_does_not_fit_is_refused(error, message, call):
    with pytest.raises(error, match=message):
        call()


def test_a_number_beside_float32_leaves_it_float32():
    t = leaf([1.0, 2.0], "float32")
    for call in (lambda n: np.dot(n, t), lambda n: np.inner(t, n), lambda n: np.einsum(",i->i", n, t),
                 lambda n: np.outer(n, t)[0], lambda n: np.outer(t, n)[:, 0], lambda n: np.kron(t, n),
                 lambda n: np.tensordot(n, t, 0)):
        for number in (2.0, np.float64(2.0), np.array(2.0)):
            y = call(number)
            assert y.dtype == mg.grad(y.sum(), t).dtype == np.float32
            assert y.tolist() == [2, 4]


def test_einsum_follows_the_path_it_is_given():
    """``optimize`` may be anything NumPy takes; the gradient is the same."""
    arrays = [leaf(normal(*shape)) for shape in ((3, 4), (4, 5), (5, 2))]
    path = np.einsum_path("ij,jk,kl->il", *(a.data for a in arrays))[0]
    expected = mg.grad((arrays[0] @ arrays[1] @ arrays[2]).sum(), arrays)
    for optimize in (False, True, "greedy", "optimal", path):
        got = mg.grad(np.einsum("ij,jk,kl->il", *arrays, optimize=optimize).sum(), arrays)
        for g, e in zip(got, expected, strict=True):
            np.testing.assert_allclose(g.data, e.data, rtol=1e-12)


def test_slices_of_a_packed_decomposition_have_their_own_names():
    packed = ops.eigh(leaf(SYMMETRIC))
    assert packed.shape == (5, 4)
    assert ops.svd(leaf(normal(2, 3, 4))).shape == (2, 1 + 3 + 4, 3)

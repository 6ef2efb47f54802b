"""Rules for inverses, determinants and decompositions of matrices, single or in batches.

Which way they go at points where something is decided: what has repeated eigenvalues (or singular values) has no
gradient through its eigenvectors, and the attempt raises ``LinAlgError``; through the values alone it has one.
Symmetric arguments get symmetric gradients, as in PyTorch, though NumPy reads one triangle of them.
"""

import functools

import numpy as np

from minigrad import ops
from minigrad.arguments import plain
from minigrad.rules.linalg import column, row
from minigrad.table import defvjp, respell


def turned(x):
    """Return the matrices in x (..., m, n) transposed."""
    return x.swapaxes(-1, -2)


def lone(g):
    """Return numbers (...) as matrices (..., 1, 1)."""
    return g.reshape((*g.shape, 1, 1))


# ------------------------------------------------------------------------------------- inverses and determinants


def solve_vjp(g, y, a, b):
    """Pull back through y = inv(a) b: g_b = inv(a).T g and g_a = -g_b y.T; b is a vector only if it has one axis."""
    if b.ndim > 1:
        pulled = np.linalg.solve(turned(a), g)
        return -(pulled @ turned(y)), pulled
    pulled = np.linalg.solve(turned(a), column(g))
    return -(pulled * row(y)), pulled.reshape(g.shape)


def pinv_vjp(g, y, a):
    """Pull back through the pseudo-inverse, for a of constant rank (Golub and Pereyra 1973, equation 4.12)."""
    h, yt = turned(g), turned(y)
    near, far = np.eye(a.shape[-1], dtype=a.dtype) - y @ a, np.eye(a.shape[-2], dtype=a.dtype) - a @ y
    return -(yt @ g @ yt) + far @ h @ (y @ yt) + (yt @ y) @ h @ near


def cofactor_vjp(g, y, a):
    """Pull back through the cofactors, by way of the inverse where there is one: their derivative is symmetric."""
    if ops.is_regular(plain(a)):
        inverse = turned(np.linalg.inv(a))
        return y * lone((g * inverse).sum(axis=(-2, -1))) - lone(np.linalg.det(a)) * (inverse @ turned(g) @ inverse)
    return ops.cofactor_change(a, g)


def cofactor_change_vjp(g, y, a, d):
    """Pull back to a by way of its minors, whose cofactors make up those of a.

    There are n^2 minors of about n^2 elements: the third derivative of the determinant of a singular matrix of 60 rows
    takes 1 GB and some seconds.
    """
    n = a.shape[-1]
    others = np.array([[k for k in range(n) if k != i] for i in range(n)], int).reshape((n, max(n - 1, 0)))
    index = (Ellipsis, others[:, None, :, None], others[None, :, None, :])          # minor i, j: no row i, no column j
    signs = (-1.0) ** np.add.outer(np.arange(n), np.arange(n))
    return ops.scatter(ops.cofactor_change(ops.take(a, index), lone(d * signs.astype(a.dtype)) * ops.take(g, index)),
                       index, a.shape)


defvjp(np.linalg.inv, lambda g, y, a: -(turned(y) @ g @ turned(y)))
defvjp(np.linalg.solve, joint=solve_vjp)
defvjp(np.linalg.pinv, pinv_vjp)
defvjp(np.linalg.det, lambda g, y, a: lone(g) * ops.cofactor(a))
defvjp(ops.cofactor, cofactor_vjp)
defvjp(ops.cofactor_change, cofactor_change_vjp, lambda g, y, a, d: ops.cofactor_change(a, g))
defvjp(ops.slogdet, lambda g, y, a: lone(ops.take(g, (Ellipsis, 1))) * turned(np.linalg.inv(a)))

SlogdetResult = type(np.linalg.slogdet(np.eye(1)))
EighResult = type(np.linalg.eigh(np.eye(1)))
SVDResult = type(np.linalg.svd(np.eye(1)))


def slogdet(a):
    """Return sign and logarithm; the sign is a constant, and asks for no gradient."""
    packed = ops.slogdet(a)
    return SlogdetResult(np.sign(packed[..., 0]), packed[..., 1])


def matrix_power(a, n):
    if a.ndim < 2 or a.shape[-1] != a.shape[-2]:
        raise np.linalg.LinAlgError(f"np.linalg.matrix_power takes square matrices, not shape {a.shape}")
    if n == 0:
        return ops.select(False, a, np.eye(a.shape[-1], dtype=a.dtype))
    square, n, power = (a, n, None) if n > 0 else (np.linalg.inv(a), -n, None)
    while n:
        n, odd = divmod(n, 2)
        if odd:
            power = square if power is None else power @ square
        if n:
            square = square @ square
    return power


respell(np.linalg.slogdet, slogdet)
respell(np.linalg.matrix_power, matrix_power)

# ------------------------------------------------------------------------------------------------- decompositions


def cholesky_vjp(g, y, a, *, upper=False):
    """Return L^-T S L^-1 / 2, S the symmetric matrix with the lower triangle of L^T g (Murray 2016, section 3)."""
    factor, g = (turned(y), turned(g)) if upper else (y, g)
    s = turned(factor) @ g
    s = np.tril(s) + turned(np.tril(s, -1))
    half = np.linalg.solve(turned(factor), s)
    return 0.5 * np.linalg.solve(turned(factor), turned(half))


def divided(numerator, values, vectors, name):
    """Return numerator_ij / (values_j - values_i), and 0 on the diagonal.

    Raises:
        LinAlgError: if two values are the same and one of their vectors bears a gradient.
    """
    differences = row(values) - column(values)
    same = differences == 0
    alike = plain(same) & ~np.eye(values.shape[-1], dtype=bool)
    if alike.any():
        asked = [(plain(v) != 0).any(axis=-2) for v in vectors]
        asked = functools.reduce(np.logical_or, asked)
        if (alike & (asked[..., None] | asked[..., None, :])).any():
            raise np.linalg.LinAlgError(
                f"{name}: two of the values are equal, so the vectors that belong to them may be turned at will and "
                f"have no gradient. Use the values alone, or take the equal ones apart by a small change of the matrix")
    return np.where(same, 0, numerator / np.where(same, 1, differences))


def eigh_vjp(g, y, a, uplo="L"):
    """Return V (diag(g_w) + skew(V^T g_V) / E) V^T, E_ij = w_j - w_i (Giles 2008, section 3.1)."""
    w, v = ops.take(y, (Ellipsis, 0, slice(None))), ops.take(y, (Ellipsis, slice(1, None), slice(None)))
    gw, gv = ops.take(g, (Ellipsis, 0, slice(None))), ops.take(g, (Ellipsis, slice(1, None), slice(None)))
    turn = turned(v) @ gv
    core = divided(0.5 * (turn - turned(turn)), w, [gv], "np.linalg.eigh") + on_diagonal(gw)
    return v @ core @ turned(v)


def on_diagonal(x):
    """Return vectors (..., n) as diagonal matrices."""
    return np.where(np.eye(x.shape[-1], dtype=bool), row(x), 0)


def values_vjp(g, left, right):
    """Return left diag(g) right^T: the gradient of eigenvalues and singular values alone."""
    return (left * row(g)) @ turned(right)


def eigvalsh_vjp(g, y, a, UPLO="L"):
    v = ops.take(ops.eigh(a, UPLO), (Ellipsis, slice(1, None), slice(None)))
    return values_vjp(g, v, v)


def parts(packed, m):
    """Return singular values, U and V of what ``ops.svd`` packed for m rows."""
    return (ops.take(packed, (Ellipsis, 0, slice(None))), ops.take(packed, (Ellipsis, slice(1, 1 + m), slice(None))),
            ops.take(packed, (Ellipsis, slice(1 + m, None), slice(None))))


def svd_vjp(g, y, a):
    """Pull back through a = U S V^T (Townsend 2016, "Differentiating the singular value decomposition").

    With E_ij = s_j^2 - s_i^2 and skew(X) = X - X^T:  U (skew(U^T g_U) / E S + S skew(V^T g_V) / E + g_S) V^T, and
    for vectors that do not span all of the space, what of g_U / S and g_V / S stands at right angles to them.
    """
    m, n = a.shape[-2:]
    (s, u, v), (gs, gu, gv) = parts(y, m), parts(g, m)
    turn_u, turn_v = turned(u) @ gu, turned(v) @ gv
    squares = s * s
    left = divided(turn_u - turned(turn_u), squares, [gu, gv], "np.linalg.svd")
    right = divided(turn_v - turned(turn_v), squares, [gu, gv], "np.linalg.svd")
    out = u @ (left * row(s) + column(s) * right + on_diagonal(gs)) @ turned(v)
    if m > n:
        out = out + (over(gu, s) - u @ over(turn_u, s)) @ turned(v)
    if n > m:
        out = out + u @ turned(over(gv, s) - v @ over(turn_v, s))
    return out


def over(x, s):
    """Return the columns of x (..., m, k) divided by s (..., k); a column without a gradient stays so at s = 0."""
    if ((plain(s) == 0) & (plain(x) != 0).any(axis=-2)).any():
        raise np.linalg.LinAlgError("np.linalg.svd: a singular value is 0, so its singular vectors have no gradient; "
                                    "use the values alone")
    return x / row(np.where(s == 0, 1, s))


def svdvals_vjp(g, y, x):
    _, u, v = parts(ops.svd(x), x.shape[-2])
    return values_vjp(g, u, v)


defvjp(np.linalg.cholesky, cholesky_vjp)
defvjp(ops.eigh, eigh_vjp)
defvjp(np.linalg.eigvalsh, eigvalsh_vjp)
defvjp(ops.svd, svd_vjp)
defvjp(np.linalg.svdvals, svdvals_vjp)


def eigh(a, UPLO="L"):
    packed = ops.eigh(a, UPLO)
    return EighResult(packed[..., 0, :], packed[..., 1:, :])


def svd(a, full_matrices=True, compute_uv=True):
    if not compute_uv:
        return np.linalg.svdvals(a)
    m, n = a.shape[-2:]
    if full_matrices and m != n:
        raise TypeError(f"np.linalg.svd has no gradient rule with full_matrices=True for shape {a.shape}: the vectors "
                        f"that fill up the square are arbitrary; give full_matrices=False, or t.detach()")
    s, u, v = parts(ops.svd(a), m)
    return SVDResult(u, s, turned(v))


respell(np.linalg.eigh, eigh)
respell(np.linalg.svd, svd)

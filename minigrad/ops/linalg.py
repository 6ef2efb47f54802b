"""What NumPy lacks in linear algebra, or has as a function of several results: these come packed in one array."""

import numpy as np

from minigrad.table import primitive


@primitive
def linear(x, weight, bias=None):
    """Return x @ weight.T + bias for x (..., in), weight (out, in), bias (out,): one node instead of three."""
    y = x @ weight.T
    if bias is not None:
        y += bias
    return y


@primitive
def einsum(subscripts, *operands, optimize=False):
    """Return ``np.einsum`` of subscripts written out in full: no ellipsis, an arrow, no letter twice in one operand.

    ``np.einsum`` of tensors comes here, rewritten in this form.
    """
    dtype = np.result_type(*operands)                   # a Python number beside float32 leaves it float32
    return np.einsum(subscripts, *(np.asarray(x, dtype) for x in operands), optimize=optimize)


@primitive
def slogdet(a):
    """Return sign and logarithm of the size of det a, for a (..., n, n), packed as (..., 2)."""
    return np.stack(np.linalg.slogdet(a), axis=-1)


@primitive
def cofactor(a):
    """Return the cofactors of a (..., n, n): the gradient of det a, which is det(a) inv(a).T where there is an inverse.

    Exact for singular matrices too, where it is made of the singular values: a = U S V.T has the cofactors
    det(U) det(V) U C V.T, with C_ii the product of all the other singular values.
    """
    if is_regular(a):
        return np.linalg.det(a)[..., None, None] * np.linalg.inv(a).swapaxes(-1, -2)
    u, s, vh = np.linalg.svd(a)
    n = s.shape[-1]
    others = np.where(np.eye(n, dtype=bool), 1, s[..., None, :]).prod(axis=-1)
    sign = np.linalg.det(u) * np.linalg.det(vh)
    return (sign[..., None, None] * u * others[..., None, :]) @ vh


@primitive
def cofactor_change(a, d):
    """Return how the cofactors of a (..., n, n) change along d: the derivative of cofactor(a + t d) at t = 0.

    Exact for singular matrices too.  Between singular vectors, a = U S V.T, the matrix is diagonal: with W = U.T d V
    and P_ij the product of all singular values but s_i and s_j, the change is det(U) det(V) U Z V.T, where Z_ii is the
    sum of P_ik W_kk over all other k, and Z_ij = -P_ij W_ji.
    """
    n = a.shape[-1]
    if n < 2:
        return np.zeros_like(d)
    u, s, vh = np.linalg.svd(a)
    diagonal = np.eye(n, dtype=bool)
    but_one = np.where(diagonal, 1, s[..., None, :])                        # row i: all but s_i
    edge = np.ones((*but_one.shape[:-1], 1), a.dtype)
    before = np.concatenate([edge, np.cumprod(but_one[..., :-1], axis=-1)], axis=-1)
    after = np.concatenate([edge, np.cumprod(but_one[..., :0:-1], axis=-1)], axis=-1)[..., ::-1]
    p = np.where(diagonal, 0, before * after)
    w = u.swapaxes(-1, -2) @ d @ vh.swapaxes(-1, -2)
    on_diagonal = p @ np.diagonal(w, axis1=-2, axis2=-1)[..., None]
    z = np.where(diagonal, on_diagonal, -p * w.swapaxes(-1, -2))
    sign = np.linalg.det(u) * np.linalg.det(vh)
    return sign[..., None, None] * (u @ z @ vh)


def is_regular(a):
    """Say whether all matrices in a (..., n, n) can be inverted with at least half of the digits right."""
    try:
        inverse = np.linalg.inv(a)
    except np.linalg.LinAlgError:
        return False
    largest = [np.absolute(x).max(axis=(-2, -1), initial=0) for x in (a, inverse)]
    with np.errstate(over="ignore"):                    # an infinite condition is not regular either
        condition = a.shape[-1] * largest[0] * largest[1]
    return bool((condition * np.finfo(a.dtype).eps ** 0.5 < 1).all())


@primitive
def eigh(a, uplo="L"):
    """Return eigenvalues (ascending) and eigenvectors of symmetric a (..., n, n), packed as (..., 1 + n, n).

    Row 0 holds the eigenvalues, the rows below it the matrix with the eigenvectors as columns.
    """
    values, vectors = np.linalg.eigh(a, uplo)
    return np.concatenate([values[..., None, :], vectors], axis=-2)


@primitive
def svd(a):
    """Return the thin singular value decomposition of a (..., m, n), packed as (..., 1 + m + n, k), k = min(m, n).

    Row 0 holds the singular values (descending), the m rows below it U, the last n rows V, where a = U S V.T.
    """
    u, s, vh = np.linalg.svd(a, full_matrices=False)
    return np.concatenate([s[..., None, :], u, vh.swapaxes(-1, -2)], axis=-2)

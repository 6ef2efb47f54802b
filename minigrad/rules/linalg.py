"""Rules for products of matrices: a product's gradient is a product."""

import itertools
import math
import string

import numpy as np

from minigrad import ops
from minigrad.rules.shape import array_like, arrays_like
from minigrad.table import defvjp, respell


def matmul_left(g, y, a, b):
    """Return dL/da of y = a @ b: g @ b.T, with vectors as rows and columns."""
    if b.ndim == 1:                                     # (..., n, k) @ (k,): an outer product, g b^T
        return g.reshape((*g.shape, 1)) * b if a.ndim > 1 else g * b
    if a.ndim == 1:                                     # (k,) @ (..., k, m)
        return (g.reshape((*g.shape[:-1], 1, g.shape[-1])) @ b.swapaxes(-1, -2)).reshape((*g.shape[:-1], a.shape[0]))
    return g @ b.swapaxes(-1, -2)


def matmul_right(g, y, a, b):
    """Return dL/db of y = a @ b: a.T @ g, with vectors as rows and columns."""
    if a.ndim == 1:                                     # (k,) @ (..., k, m): an outer product, a g^T
        return a.reshape((a.shape[0], 1)) * g.reshape((*g.shape[:-1], 1, g.shape[-1])) if b.ndim > 1 else g * a
    if b.ndim == 1:                                     # (..., n, k) @ (k,)
        return (a.swapaxes(-1, -2) @ g.reshape((*g.shape, 1))).reshape((*g.shape[:-1], b.shape[0]))
    return a.swapaxes(-1, -2) @ g


def column(x):
    """Return vectors (..., n) as columns (..., n, 1)."""
    return x.reshape((*x.shape, 1))


def row(x):
    """Return vectors (..., n) as rows (..., 1, n)."""
    return x.reshape((*x.shape[:-1], 1, x.shape[-1]))


def rows(x):
    """Return x (..., n) as a matrix of all its rows."""
    return x if x.ndim == 2 else x.reshape((-1, x.shape[-1]))


defvjp(np.matmul, matmul_left, matmul_right)
defvjp(ops.linear, lambda g, y, x, weight, bias=None: g @ weight,
                   lambda g, y, x, weight, bias=None: rows(g).T @ rows(x),
                   lambda g, y, x, weight, bias: rows(g).sum(axis=0))
defvjp(np.vecdot, lambda g, y, a, b: column(g) * b,
                  lambda g, y, a, b: column(g) * a)
if hasattr(np, "matvec"):                               # NumPy 2.2
    defvjp(np.matvec, lambda g, y, a, x: column(g) * row(x),
                      lambda g, y, a, x: np.vecmat(g, a))
    defvjp(np.vecmat, lambda g, y, x, a: np.matvec(a, g),
                      lambda g, y, x, a: column(x) * row(g))


# ---------------------------------------------------------------------------- the many names of products of two


def unfit(name, a, b, cure):
    """Return the error for two shapes that do not fit."""
    return ValueError(f"{name}: shapes {a.shape} and {b.shape} do not fit; {cure}")


def dot(a, b):
    a, b = arrays_like(a, b)
    if a.ndim == 0 or b.ndim == 0:
        return a * b
    if a.shape[-1] != b.shape[-2 if b.ndim > 1 else 0]:
        raise unfit("np.dot", a, b, "the last axis of the first meets the last axis but one of the second")
    return a @ b if b.ndim < 3 else tensordot(a, b, (-1, -2))


def inner(a, b, /):
    a, b = arrays_like(a, b)
    if a.ndim == 0 or b.ndim == 0:
        return a * b
    if a.shape[-1] != b.shape[-1]:
        raise unfit("np.inner", a, b, "the last axes meet")
    return a @ b if a.ndim == b.ndim == 1 else tensordot(a, b, (-1, -1))


def vdot(a, b, /):
    a, b = arrays_like(a, b)
    if a.size != b.size:
        raise unfit("np.vdot", a, b, "both are read as one row of equal length")
    return a.reshape(-1) @ b.reshape(-1)


def outer(a, b):
    a, b = arrays_like(a, b)
    return a.reshape((-1, 1)) * b.reshape(-1)


def outer_of_vectors(x1, x2, /):
    x1, x2 = arrays_like(x1, x2)
    if x1.ndim != 1 or x2.ndim != 1:
        raise unfit("np.linalg.outer", x1, x2, "it takes vectors; np.outer flattens")
    return outer(x1, x2)


def vecdot(x1, x2, /, *, axis=-1):
    x1, x2 = arrays_like(x1, x2)
    return np.vecdot(np.moveaxis(x1, axis, -1), np.moveaxis(x2, axis, -1))


def tensordot(a, b, axes=2):
    """Sum over pairs of axes, as one product of two matrices."""
    a, b = arrays_like(a, b)
    if np.iterable(axes):
        over_a, over_b = ((tuple(x) if np.iterable(x) else (x,)) for x in axes)
    else:
        over_a, over_b = tuple(range(-axes, 0)), tuple(range(axes))
    if len(over_a) != len(over_b) or not all(-x.ndim <= i < x.ndim for x, over in ((a, over_a), (b, over_b))
                                             for i in over) or any(
            a.shape[i] != b.shape[j] for i, j in zip(over_a, over_b)):
        raise unfit("np.tensordot", a, b, f"axes {over_a} of the first are to meet axes {over_b} of the second")
    over_a, over_b = [i % a.ndim for i in over_a], [j % b.ndim for j in over_b]
    free_a = [i for i in range(a.ndim) if i not in over_a]
    free_b = [j for j in range(b.ndim) if j not in over_b]
    left, right = [a.shape[i] for i in free_a], [b.shape[j] for j in free_b]
    k = math.prod(a.shape[i] for i in over_a)
    product = (a.transpose((*free_a, *over_a)).reshape((math.prod(left), k))
               @ b.transpose((*over_b, *free_b)).reshape((k, math.prod(right))))
    return product.reshape((*left, *right))


def kron(a, b):
    a, b = arrays_like(a, b)
    rank = max(a.ndim, b.ndim)
    outer_shape, inner_shape = ((1,) * (rank - x.ndim) + x.shape for x in (a, b))
    a = a.reshape(tuple(n for m in outer_shape for n in (m, 1)))
    b = b.reshape(tuple(n for m in inner_shape for n in (1, m)))
    return (a * b).reshape(tuple(m * n for m, n in zip(outer_shape, inner_shape)))


def cross(a, b, axisa=-1, axisb=-1, axisc=-1, axis=None):
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = arrays_like(a, b)
    if a.shape[axisa] != 3 or b.shape[axisb] != 3:
        raise unfit("np.cross", a, b, "it takes vectors of 3 elements")
    a, b = np.moveaxis(a, axisa, -1), np.moveaxis(b, axisb, -1)
    product = np.roll(a, -1, -1) * np.roll(b, -2, -1) - np.roll(a, -2, -1) * np.roll(b, -1, -1)
    return np.moveaxis(product, -1, axisc)


def multi_dot(arrays):
    """Multiply a chain in the cheapest order, which ``np.einsum`` finds."""
    arrays = [array_like(a) for a in arrays]
    if len(arrays) < 2:
        raise ValueError(f"np.linalg.multi_dot multiplies two arrays or more, not {len(arrays)}")
    ends = (arrays[0].ndim, arrays[-1].ndim)
    if any(a.ndim != 2 for a in arrays[1:-1]) or not all(n in (1, 2) for n in ends):
        raise ValueError(f"np.linalg.multi_dot multiplies matrices (the first and the last may be vectors), not shapes "
                         f"{[a.shape for a in arrays]}")
    if any(a.shape[-1] != b.shape[0] for a, b in itertools.pairwise(arrays)):
        raise ValueError(f"np.linalg.multi_dot: shapes {', '.join(str(a.shape) for a in arrays)} do not fit; the last "
                         f"axis of each meets the first of the next")
    letters = string.ascii_letters[:len(arrays) + 1]
    terms = [letters[i:i + 2] for i in range(len(arrays))]
    terms[0], terms[-1] = terms[0][2 - ends[0]:], terms[-1][:ends[1]]
    open_ends = letters[0] * (ends[0] - 1) + letters[-1] * (ends[1] - 1)
    return einsum(f"{','.join(terms)}->{open_ends}", *arrays, optimize="optimal")


respell(np.dot, dot)
respell(np.inner, inner)
respell(np.vdot, vdot)
respell(np.outer, outer)
respell(np.tensordot, tensordot)
respell(np.kron, kron)
respell(np.cross, cross)
respell(np.linalg.matmul, lambda x1, x2, /: array_like(x1) @ array_like(x2))
respell(np.linalg.outer, outer_of_vectors)
respell(np.linalg.vecdot, vecdot)
respell(np.linalg.tensordot, lambda x1, x2, /, *, axes=2: tensordot(x1, x2, axes))
respell(np.linalg.cross, lambda x1, x2, /, *, axis=-1: cross(x1, x2, axis=axis))
respell(np.linalg.multi_dot, multi_dot)

# --------------------------------------------------------------------------------------------------------- einsum


def einsum_vjp(k):
    """Return the rule of einsum for its k-th operand: the einsum of g and all other operands."""
    def vjp(g, y, subscripts, *operands, optimize=False):
        terms, out = subscripts.split("->")
        terms, shape = terms.split(","), operands[k].shape
        mine, others = terms[k], [*terms[:k], *terms[k + 1:]]
        known = [c for c in mine if any(c in term for term in (out, *others))]
        pulled = ops.einsum(f"{','.join([out, *others])}->{''.join(known)}", g, *operands[:k], *operands[k + 1:],
                            optimize=bool(optimize))
        # What was only summed over gets the same gradient all along, and so does an axis that others have of length 1.
        sizes = dict(zip(known, pulled.shape))
        pulled = pulled.reshape(tuple(sizes.get(c, 1) for c in mine))
        return np.broadcast_to(pulled, np.broadcast_shapes(pulled.shape, shape))

    return vjp


MOST_OPERANDS = 32
defvjp(ops.einsum, None, *map(einsum_vjp, range(MOST_OPERANDS)))


def einsum(*operands, optimize=False):
    """Write the subscripts out in full, so that what is left has a rule of one line: see ``ops.einsum``."""
    text, arrays = spelled(operands)
    left, arrow, out = text.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(arrays) or not set(left + out) <= set(string.ascii_letters + ".,"):
        raise ValueError(f"np.einsum({text!r}): one term of letters is wanted for each of {len(arrays)} operands")
    spare = [c for c in string.ascii_letters if c not in text]
    ranks = [a.ndim - len(term.replace("...", "")) for a, term in zip(arrays, terms)]
    longest = max((n for n, term in zip(ranks, terms) if "..." in term), default=0)
    rest = "".join(spare[:max(longest, 0)])             # the axes behind the ellipsis, the last ones shared by all
    if not arrow:
        letters = left.replace(".", "").replace(",", "")
        out = rest + "".join(c for c in sorted(set(letters)) if letters.count(c) == 1)
    elif rest and "..." not in out:
        raise ValueError(f"np.einsum({text!r}): the result needs an ellipsis too, or the axes it stands for are lost")
    out = out.replace("...", rest)
    for term, rank, a in zip(terms, ranks, arrays):
        if rank < 0 or (rank and "..." not in term):
            raise ValueError(f"np.einsum({text!r}): {term!r} does not fit an operand of shape {a.shape}")
    terms = [term.replace("...", rest[len(rest) - rank:]) for term, rank in zip(terms, ranks)]
    check_sizes(text, terms, arrays)
    pairs = [without_diagonals(term, a) for term, a in zip(terms, arrays)]
    return ops.einsum(f"{','.join(term for term, _ in pairs)}->{out}", *(a for _, a in pairs), optimize=optimize)


def spelled(operands):
    """Return subscripts and arrays for either manner of calling: letters first, or a list behind each array."""
    if isinstance(operands[0], str):
        return operands[0], [array_like(a) for a in operands[1:]]
    letters = string.ascii_uppercase + string.ascii_lowercase           # in the order in which they sort

    def term(labels):
        return "".join("..." if i is Ellipsis else letters[i] for i in labels)

    text = ",".join(term(labels) for labels in operands[1::2])
    arrays = [array_like(a) for a in operands[:len(operands) // 2 * 2:2]]
    return (f"{text}->{term(operands[-1])}" if len(operands) % 2 else text), arrays


def check_sizes(text, terms, arrays):
    """Refuse letters that stand for axes of different lengths; a length of 1 fits any other in another operand."""
    sizes = {}
    for term, a in zip(terms, arrays):
        own = {}
        for letter, n in zip(term, a.shape):
            if own.setdefault(letter, n) != n or (n != 1 and sizes.setdefault(letter, n) != n):
                raise ValueError(f"np.einsum({text!r}): shapes {', '.join(str(a.shape) for a in arrays)} do not fit; "
                                 f"the axes of one letter must have one length")


def without_diagonals(term, a):
    """Return a term and its operand with the diagonal taken wherever a letter stands twice."""
    for letter in dict.fromkeys(term):
        while term.count(letter) > 1:
            first = term.index(letter)
            second = term.index(letter, first + 1)
            a = np.diagonal(a, 0, first, second)
            term = term[:first] + term[first + 1:second] + term[second + 1:] + letter
    return term, a


respell(np.einsum, einsum)

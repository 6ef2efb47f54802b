"""Rules for functions that reduce along axes, or run along one."""

import math

import numpy as np

from minigrad import ops
from minigrad.rules.shape import array_like
from minigrad.table import defconstant, defvjp, respell


def spread(g, x, axis=None, keepdims=False):
    """Undo a reduction: give each element of x the value of g that it was reduced into."""
    if axis is not None and not keepdims:
        g = g.reshape(kept_shape(x.shape, axis))
    return np.broadcast_to(g, x.shape)


def axes_of(axis, ndim):
    """Return the axes that ``axis`` names (None: all), counted from the first."""
    if axis is None:
        return tuple(range(ndim))
    return tuple(a % ndim for a in (axis if isinstance(axis, tuple) else (axis,))) if ndim else ()


def kept_shape(shape, axis):
    """Return the shape that a reduction over ``axis`` leaves with keepdims."""
    axes = axes_of(axis, len(shape))
    return tuple(1 if i in axes else n for i, n in enumerate(shape))


def count(x, axis):
    """Return over how many elements each result was reduced, as a Python float."""
    return float(math.prod(x.shape[a] for a in axes_of(axis, x.ndim)))


def part(x, axis, start=None, stop=None, step=None):
    """Return x[start:stop:step] along an axis."""
    return ops.take(x, (slice(None),) * (axis % x.ndim) + (slice(start, stop, step),))


# ------------------------------------------------------------------------ sums and extremes

def ties(x, y, axis=None, keepdims=False):
    """Return for each element whether it is the extreme (NaN where there is one), divided by how many are."""
    return shared((x == spread(y, x, axis, keepdims)) | np.isnan(x), x, axis)


def shared(best, x, axis):
    """Return 1/n in the dtype of x for the n elements along an axis that are best, 0 for the others."""
    return best * (1 / np.maximum(best.sum(axis=axis, keepdims=True), 1)).astype(x.dtype)


defvjp(np.sum, lambda g, y, x, axis=None, *, keepdims=False: spread(g, x, axis, keepdims))
defvjp(np.mean, lambda g, y, x, axis=None, *, keepdims=False: spread(g / count(x, axis), x, axis, keepdims))
defvjp(np.max, lambda g, y, x, axis=None, *, keepdims=False: spread(g, x, axis, keepdims) * ties(x, y, axis, keepdims))
defvjp(np.min, lambda g, y, x, axis=None, *, keepdims=False: spread(g, x, axis, keepdims) * ties(x, y, axis, keepdims))
defvjp(np.median, lambda g, y, x, axis=None, *, keepdims=False:
       spread(g, x, axis, keepdims) * ops.middle(x, axis))              # elements that tie share, as in torch.median
respell(np.amax, lambda a, axis=None, *, keepdims=False: np.max(a, axis=axis, keepdims=keepdims))
respell(np.amin, lambda a, axis=None, *, keepdims=False: np.min(a, axis=axis, keepdims=keepdims))
respell(np.ptp, lambda a, axis=None, *, keepdims=False:
        np.max(a, axis=axis, keepdims=keepdims) - np.min(a, axis=axis, keepdims=keepdims))
respell(np.nansum, lambda a, axis=None, *, keepdims=False:
        np.sum(np.where(np.isnan(a), 0.0, a), axis=axis, keepdims=keepdims))
respell(np.nanmean, lambda a, axis=None, *, keepdims=False:
        np.nansum(a, axis=axis, keepdims=keepdims)
        / np.sum(~np.isnan(a), axis=axis, keepdims=keepdims).astype(a.dtype))


def average(a, axis=None, weights=None, *, keepdims=False):
    """Return sum(weights * a) / sum(weights), or the mean; weights have a's shape or that of the axes."""
    if weights is None:
        return np.mean(a, axis=axis, keepdims=keepdims)
    a, w = array_like(a), array_like(weights)
    if w.shape != a.shape:
        axes = axes_of(axis, a.ndim)
        if axis is None or w.shape != tuple(a.shape[i] for i in axes):
            raise ValueError(f"np.average: weights of shape {w.shape} fit neither a of shape {a.shape} nor its axis "
                             f"{axis}")
        order = sorted(range(len(axes)), key=axes.__getitem__)
        w = w.transpose(order).reshape(tuple(n if i in axes else 1 for i, n in enumerate(a.shape)))
    w = np.broadcast_to(w, a.shape)
    return np.sum(a * w, axis=axis, keepdims=keepdims) / np.sum(w, axis=axis, keepdims=keepdims)


respell(np.average, average)


# ------------------------------------------------------------------------------ the spread

def var_vjp(g, y, x, axis=None, *, ddof=0, correction=None, keepdims=False):
    """Return 2 g (x - mean) / (n - ddof)."""
    g = spread(g * (2 * inverse(freedom(x, axis, ddof, correction))), x, axis, keepdims)
    return g * (x - np.mean(x, axis=axis, keepdims=True))


def std_vjp(g, y, x, axis=None, *, ddof=0, correction=None, keepdims=False):
    """Return g (x - mean) / ((n - ddof) y); 0 where all elements are the same, as PyTorch's."""
    slope = np.where(y == 0, 0.0, g / np.where(y == 0, 1.0, y)) * inverse(freedom(x, axis, ddof, correction))
    return spread(slope, x, axis, keepdims) * (x - np.mean(x, axis=axis, keepdims=True))


def freedom(x, axis, ddof, correction):
    """Return n - ddof; NumPy knows the number under two names."""
    return count(x, axis) - float(ddof if correction is None else correction)


def inverse(n):
    """Return 1/n, NaN where there is no degree of freedom."""
    return 1 / n if n > 0 else math.nan


defvjp(np.var, var_vjp)
defvjp(np.std, std_vjp)


# ------------------------------------------------------------------- products and running sums

def others(x):
    """Return for each element the product of all others along axis 0: exact where some are 0.

    By halves, n -> n/2: the others of a in a*b are b times the others of the pair.  Ordinary operations, so that
    every order can be taken.
    """
    n = len(x)
    if n < 2:
        return np.ones(x.shape, x.dtype)
    half = n // 2
    a, b, rest = part(x, 0, None, half), part(x, 0, half, 2 * half), part(x, 0, 2 * half)
    of_pairs = others(ops.concatenate(a * b, rest))
    outside = part(of_pairs, 0, None, half)
    return ops.concatenate(outside * b, outside * a, part(of_pairs, 0, half))


def prod_vjp(g, y, x, axis=None, *, keepdims=False):
    """Return g times the product of the other elements."""
    axes = axes_of(axis, x.ndim)
    order = axes + tuple(i for i in range(x.ndim) if i not in axes)
    front = x.transpose(order)
    rows = front.reshape((math.prod(front.shape[:len(axes)]), *front.shape[len(axes):]))
    back = tuple(order.index(i) for i in range(x.ndim))
    return spread(g, x, axis, keepdims) * others(rows).reshape(front.shape).transpose(back)


def in_a_row(x, axis):
    """Return x and its axis, or where there is none all elements in a row and axis 0."""
    return (x.reshape((-1,)), 0) if axis is None or x.ndim == 0 else (x, axis)


def cumsum_vjp(g, y, x, axis=None):
    """Return the sums of g from each place to the end."""
    g, axis = in_a_row(g, axis)
    return part(np.cumsum(part(g, axis, step=-1), axis=axis), axis, step=-1).reshape(x.shape)


def cumprod_vjp(g, y, x, axis=None):
    """Return p s: p the product of all before, s = g + (next x) (next s), solved by doubling the reach; exact at 0."""
    (row, axis), (s, _) = in_a_row(x, axis), in_a_row(g, axis)
    edge = part(row, axis, None, 1).shape
    ahead = ops.concatenate(part(row, axis, 1), np.zeros(edge, row.dtype), axis=axis)
    before = ops.concatenate(np.ones(edge, row.dtype), np.cumprod(part(row, axis, None, -1), axis=axis), axis=axis)
    reach = 1
    while reach < row.shape[axis]:
        far = np.zeros(part(row, axis, None, reach).shape, row.dtype)
        s = s + ahead * ops.concatenate(part(s, axis, reach), far, axis=axis)
        ahead = ahead * ops.concatenate(part(ahead, axis, reach), far, axis=axis)
        reach *= 2
    return (before * s).reshape(x.shape)


defvjp(np.prod, prod_vjp)
defvjp(np.cumsum, cumsum_vjp)
defvjp(np.cumprod, cumprod_vjp)


def diff(a, n=1, axis=-1):
    """Return the differences of neighbours along an axis, n times."""
    if n < 0:
        raise ValueError(f"np.diff: n = {n} times; it is at least 0")
    for _ in range(n):
        a = part(a, axis, 1) - part(a, axis, None, -1)
    return a


def trapezoid(y, x=None, dx=1.0, axis=-1):
    """Return the integral of y over x, or in steps of dx, by the trapezoidal rule."""
    y = array_like(y)
    if x is not None:
        x = array_like(x)
        dx = np.diff(x, axis=axis if x.ndim > 1 else -1)
        if x.ndim == 1:
            dx = dx.reshape(tuple(dx.shape[0] if i == axis % y.ndim else 1 for i in range(y.ndim)))
    return (dx * (part(y, axis, 1) + part(y, axis, None, -1)) * 0.5).sum(axis=axis)


respell(np.diff, diff)
respell(np.trapezoid, trapezoid)


# ---------------------------------------------------------------------------- softmax and its kin

def logsumexp_vjp(g, y, x, axis=None, keepdims=False):
    """Return g softmax(x); where all entries are -inf, and y with them, exp(x) itself, which is 0."""
    y = np.where(y == -math.inf, 0.0, y)
    return spread(g, x, axis, keepdims) * np.exp(x - spread(y, x, axis, keepdims))


defvjp(ops.logsumexp, logsumexp_vjp)
defvjp(ops.softmax, lambda g, y, x, axis=-1: y * (g - (g * y).sum(axis=axis, keepdims=True)))
defvjp(ops.log_softmax, lambda g, y, x, axis=-1: g - np.exp(y) * g.sum(axis=axis, keepdims=True))


# ------------------------------------------------------------------------------------- norms

def norm_vjp(g, y, x, p=2, axis=None, keepdims=False):
    """Pull back through a p-norm: the direction of x for p = 2, its signs for p = 1.

    Where the norm is 0 this is 0, and so is every derivative of it.
    """
    g = spread(np.where(y == 0, 0.0, g), x, axis, keepdims)
    if p == 1:
        return g * np.sign(x)
    y = spread(y, x, axis, keepdims)
    if p == math.inf:
        return g * (np.sign(x) * shared((np.absolute(x) == y) | np.isnan(x), x, axis))
    zero = y == 0
    y = np.where(zero, 1.0, y)
    if p == 2:
        return g * (x / y)
    return g * (np.sign(x) * (np.absolute(np.where(zero, 1.0, x)) / y) ** (p - 1))


def numpys_norm(x, ord=None, axis=None, keepdims=False):
    """Return np.linalg.norm by the exact norm; of matrices the Frobenius norm alone."""
    of_matrices = x.ndim == 2 if axis is None else isinstance(axis, tuple) and len(axis) == 2
    if axis is None and ord is not None and x.ndim > 2:
        raise ValueError(f"np.linalg.norm: ord={ord!r} without an axis is for vectors and matrices, not for shape "
                         f"{x.shape}; give axis=")
    if (of_matrices and ord is not None) or ord == "fro":
        refuse_matrix_norm("norm", ord, of_matrices)
    return ops.norm(x, 2 if ord is None or ord == "fro" else ord, axis=axis, keepdims=keepdims)


def refuse_matrix_norm(name, ord, of_matrices=True):
    """Raise for norms of matrices other than Frobenius's."""
    if ord != "fro":
        raise TypeError(f"np.linalg.{name} with ord={ord!r} of a matrix has no gradient rule; there is ord='fro', or "
                        f"mg.norm(x, p) for the p-norm of all entries; use t.detach() if no gradient is wanted")
    if not of_matrices:
        raise ValueError(f"np.linalg.{name}: ord='fro' is for matrices; for vectors it is ord=2")


def matrix_norm(x, *, keepdims=False, ord="fro"):
    """Return np.linalg.matrix_norm, of which there is Frobenius's."""
    refuse_matrix_norm("matrix_norm", ord)
    return ops.norm(x, 2, axis=(-2, -1), keepdims=keepdims)


defvjp(ops.norm, norm_vjp)
respell(np.linalg.norm, numpys_norm)
respell(np.linalg.vector_norm, lambda x, *, axis=None, keepdims=False, ord=2: ops.norm(
    x, ord, axis=axis, keepdims=keepdims))
respell(np.linalg.matrix_norm, matrix_norm)

# flat wherever they have a slope at all: counts, places and orders
defconstant(np.argmax, np.argmin, np.nanargmax, np.nanargmin, np.all, np.any, np.count_nonzero)
defconstant(np.argsort, np.searchsorted, np.digitize, np.argwhere, np.flatnonzero)
defconstant(ops.middle)
respell(np.nonzero, lambda a: tuple(np.argwhere(a).T))

"""Vectors along an axis: brought to length 1, and the cosine of the angle between them."""

import math

import numpy as np

from minigrad.nn.functional.common import check_eps, floats
from minigrad.tensor import Tensor


def normalize(input, p=2.0, dim=1, eps=1e-12):
    """Return x / max(norm, eps) for the p-norm along an axis: vectors of length 1; those of zeros stay zeros.

    Args:
        input: floating.
        p: at least 1, math.inf included.
        dim: the axis of the vectors, or several.
        eps: above 0.

    Raises:
        ValueError: if p is below 1, or eps is not above 0.
        TypeError: if x is not floating.

    Example:
        >>> import numpy as np
        >>> from minigrad.nn import functional as F
        >>> F.normalize(np.array([[3.0, 4.0], [0.0, 0.0]]))
        array([[0.6, 0.8],
               [0. , 0. ]])
    """
    x = floats("normalize", input)
    check_eps("normalize", eps)
    if not p >= 1:
        raise ValueError(f"normalize: p = {p}, but a norm has p >= 1")
    return x / np.maximum(length(x, p, dim), smallest(x.dtype, eps))


def cosine_similarity(x1, x2, dim=1, eps=1e-8):
    """Return the cosine of the angle between vectors along an axis: their product over that of their lengths.

    Args:
        x1, x2: floating, of shapes that broadcast.
        dim: the axis of the vectors.
        eps: lengths count as no less than this; above 0.

    Raises:
        ValueError: if the shapes do not fit, or eps is not above 0.
        TypeError: if x1 or x2 is not floating.

    Example:
        >>> import numpy as np
        >>> from minigrad.nn import functional as F
        >>> F.cosine_similarity(np.array([[3.0, 4.0]]), np.array([[4.0, 3.0]]))
        array([0.96])
    """
    x1, x2 = floats("cosine_similarity", x1, "x1"), floats("cosine_similarity", x2, "x2")
    check_eps("cosine_similarity", eps)
    try:
        shape = np.broadcast_shapes(x1.shape, x2.shape)
    except ValueError:
        raise ValueError(f"cosine_similarity: x1 of shape {x1.shape} and x2 of shape {x2.shape} do not fit") from None
    x1, x2 = (x if x.shape == shape else np.broadcast_to(x, shape) for x in (x1, x2))
    return (normalize(x1, 2, dim, eps) * normalize(x2, 2, dim, eps)).sum(axis=dim)


def length(x, p, dim):
    """Return the p-norm along axes, which are kept, without overflow of a power; its slope at zeros is 0."""
    if p in (1, math.inf):
        size = np.absolute(x)
        return size.sum(axis=dim, keepdims=True) if p == 1 else size.max(axis=dim, keepdims=True)
    # A norm of x / c times c is the norm of x for every c, so c, the largest entry, may count as constant.
    largest = np.max(np.absolute(x.data if isinstance(x, Tensor) else x), axis=dim, keepdims=True, initial=0.0)
    zero = largest == 0
    scale = np.where(zero, 1, largest).astype(x.dtype)
    parts = x / scale
    powers = parts * parts if p == 2 else np.absolute(parts) ** float(p)
    total = np.where(zero, 1.0, powers.sum(axis=dim, keepdims=True))
    return np.where(zero, 0.0, scale * (np.sqrt(total) if p == 2 else total ** (1 / float(p))))


def smallest(dtype, eps):
    """Return eps, or the smallest normal number of a dtype in which eps would be 0 or nearly so."""
    return max(float(eps), float(np.finfo(dtype).tiny))

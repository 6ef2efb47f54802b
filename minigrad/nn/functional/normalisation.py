"""Normalisation and noise: layer norm, batch norm, dropout, vectors of length 1."""

import math

import numpy as np

from minigrad import ops
from minigrad.nn.functional.common import floats, given
from minigrad.seeding import generator
from minigrad.tensor import Tensor


def layer_norm(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    """Return (x - mean) / sqrt(var + eps) * weight + bias, mean and variance over the last axes (Ba et al. 2016).

    The variance is the mean of the squared distances, with n below the line. A row of equal numbers gives 0 (and
    bias); float16 is computed in float32.

    Args:
        x: (..., *normalized_shape), floating.
        normalized_shape: the lengths of the axes taken together; a number for the last axis alone.
        weight, bias: of this shape, or None.
        eps: above 0.

    Raises:
        ValueError: if the shapes do not fit, or eps is not above 0.
        TypeError: if x is not floating.

    Example:
        >>> import numpy as np
        >>> from minigrad.nn import functional as F
        >>> F.layer_norm(np.array([[1.0, 3.0], [5.0, 5.0]]), 2, eps=1e-12).round(6)
        array([[-1.,  1.],
               [ 0.,  0.]])
    """
    x, shape = floats("layer_norm", x), sizes(normalized_shape)
    check_eps("layer_norm", eps)
    if not shape or x.shape[-len(shape):] != shape:
        raise ValueError(f"layer_norm: x of shape {x.shape} does not end in normalized_shape {shape}")
    for what, p in (("weight", weight), ("bias", bias)):
        if p is not None and np.shape(p) != shape:
            raise ValueError(f"layer_norm: {what} of shape {np.shape(p)} does not have normalized_shape {shape}")
    return scaled(standardized(x, tuple(range(-len(shape), 0)), eps), weight, bias)


def batch_norm(x, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5):
    """Return (x - mean) / sqrt(var + eps) * weight + bias for each channel (Ioffe and Szegedy 2015).

    In training, mean and variance are those of the batch, over all axes but the channels', and the running ones are
    moved towards them: running = (1 - momentum) running + momentum new, where the new variance has n - 1 below the
    line, while x is divided by the one with n. Otherwise the running ones are used. float16 is computed in float32.

    Args:
        x: (N, C) or (N, C, d1, ...), floating.
        running_mean, running_var: (C,), a tensor that requires no gradient or an array; they are changed in place (a
            tensor is given a new array). None: the batch's are used, and nothing is kept.
        weight, bias: (C,), or None.
        training: whether to use the batch.
        momentum: between 0 and 1.
        eps: above 0.

    Raises:
        ValueError: if the shapes do not fit, there is only one value per channel to learn from, running statistics
            are missing that are to be used, or eps or momentum are out of range. The running ones are untouched then.
        TypeError: if x is not floating.
    """
    x = floats("batch_norm", x)
    check_eps("batch_norm", eps)
    check_share("batch_norm", "momentum", momentum)
    if x.ndim < 2:
        raise ValueError(f"batch_norm: x must have shape (N, C) or (N, C, d1, ...), not {x.shape}")
    channels, count = x.shape[1], x.size // max(1, x.shape[1])
    for what, p in (("running_mean", running_mean), ("running_var", running_var), ("weight", weight), ("bias", bias)):
        if p is not None and np.shape(p) != (channels,):
            raise ValueError(f"batch_norm: {what} of shape {np.shape(p)} does not fit x of shape {x.shape}: one "
                             f"number for each of the {channels} channels, axis 1 of x, is needed")
    if not training and (running_mean is None or running_var is None):
        raise ValueError("batch_norm: running_mean and running_var are needed when training=False")
    if training and count < 2:
        raise ValueError(f"batch_norm: expected more than 1 value per channel when training, got x of shape {x.shape}; "
                         f"give a larger batch, or call eval() on the module")
    column = (channels,) + (1,) * (x.ndim - 2)
    weight, bias = (None if p is None else given(p).reshape(column) for p in (weight, bias))
    if not training:
        mean, var = (np.asarray(p).reshape(column) for p in (running_mean, running_var))
        wide = widened(x)
        y = ((wide - mean.astype(wide.dtype)) / np.sqrt(var.astype(wide.dtype) + float(eps))).astype(x.dtype)
        return scaled(y, weight, bias)
    axes = (0, *range(2, x.ndim))
    y = scaled(standardized(x, axes, eps), weight, bias)
    array = widened(x.data if isinstance(x, Tensor) else x)
    if running_mean is not None:
        move(running_mean, array.mean(axis=axes), float(momentum))
    if running_var is not None:
        move(running_var, array.var(axis=axes, ddof=1), float(momentum))
    return y


def dropout(x, p=0.5, training=True, inplace=False, rng=None):
    """Return x with each element set to 0 with probability p, the others divided by 1 - p (Srivastava et al. 2014).

    The mean is kept, so that nothing need be done when not training: then x itself is returned. ``inplace`` is
    accepted and has no effect.

    Args:
        x: floating.
        p: between 0 and 1; for 1, all is 0.
        training: whether to do it at all.
        rng: a ``numpy.random.Generator``; default the one that ``mg.manual_seed`` seeds.

    Raises:
        ValueError: if p is not between 0 and 1.
        TypeError: if x is not floating, or rng is no generator.
    """
    check_share("dropout", "p", p)
    x = floats("dropout", x)
    if not training or p == 0:
        return x
    kept = generator(rng).random(x.shape) >= p
    factors = kept * x.dtype.type(0 if p == 1 else 1 / (1 - p))
    factors.flags.writeable = False             # the tape copies arrays that someone might still write into
    return x * factors


def normalize(x, p=2.0, dim=1, eps=1e-12):
    """Return x / max(norm, eps) for the p-norm along an axis: vectors of length 1; those of zeros stay zeros.

    Args:
        x: floating.
        p: at least 1, math.inf included.
        dim: the axis of the vectors, or several.
        eps: above 0.

    Raises:
        ValueError: if p is below 1, or eps is not above 0.
        TypeError: if x is not floating.
    """
    x = floats("normalize", x)
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


# ------------------------------------------------------------------------------- what they share


def sizes(shape):
    """Return a shape as a tuple of Python integers."""
    return tuple(int(n) for n in shape) if np.ndim(shape) else (int(shape),)


def check_eps(operation, eps):
    """Refuse an eps that does not keep a quotient finite."""
    if not 0 < eps < math.inf:
        raise ValueError(f"{operation}: eps = {eps}, but it must be above 0")


def check_share(operation, what, p):
    """Refuse what is no probability or share."""
    if not 0 <= p <= 1:
        raise ValueError(f"{operation}: {what} = {p}, but it lies between 0 and 1")


def smallest(dtype, eps):
    """Return eps, or the smallest normal number of a dtype in which eps would be 0 or nearly so."""
    return max(float(eps), float(np.finfo(dtype).tiny))


def widened(x):
    """Return float16 as float32, in which squares of its numbers cannot overflow."""
    return x.astype(np.float32) if x.dtype == np.float16 else x


def standardized(x, axes, eps):
    """Return (x - mean) / sqrt(var + eps) over axes, in x's dtype."""
    return ops.standardize(widened(x), axes, float(eps)).astype(x.dtype)


def scaled(x, weight, bias):
    """Return x * weight + bias, where given."""
    x = x if weight is None else x * given(weight)
    return x if bias is None else x + given(bias)


def move(running, new, momentum):
    """Move a running statistic towards a new one: a tensor gets a new array, an array new numbers."""
    old = given(running)
    old = old.data if isinstance(old, Tensor) else old
    value = (1 - momentum) * old + momentum * new
    if isinstance(running, Tensor):
        running.data = value
    else:
        running[...] = value

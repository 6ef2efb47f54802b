"""Normalisation: layer norm, batch norm."""

import numpy as np

from minigrad import ops
from minigrad.nn.functional.common import check_eps, check_share, floats, given, whole_number
from minigrad.tensor import Tensor


def layer_norm(input, normalized_shape, weight=None, bias=None, eps=1e-5):
    """Return (x - mean) / sqrt(var + eps) * weight + bias, mean and variance over the last axes (Ba et al. 2016).

    The variance is the mean of the squared distances, with n below the line. A row of equal numbers gives 0 (and
    bias); float16 is computed in float32.

    Args:
        input: (..., *normalized_shape), floating.
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
    x, shape = floats("layer_norm", input), sizes("layer_norm", normalized_shape)
    check_eps("layer_norm", eps)
    if not shape or x.shape[-len(shape):] != shape:
        raise ValueError(f"layer_norm: input of shape {x.shape} does not end in normalized_shape {shape}")
    weight, bias = (p if p is None else given(p) for p in (weight, bias))
    for what, p in (("weight", weight), ("bias", bias)):
        if p is not None and p.shape != shape:
            raise ValueError(f"layer_norm: {what} of shape {p.shape} does not have normalized_shape {shape}")
    if weight is not None and bias is not None and x.dtype == weight.dtype == bias.dtype != np.float16:
        return ops.layer_norm(x, weight, bias, float(eps))
    return scaled(standardized(x, tuple(range(-len(shape), 0)), eps), weight, bias)


def batch_norm(input, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5):
    """Return (x - mean) / sqrt(var + eps) * weight + bias for each channel (Ioffe and Szegedy 2015).

    In training, mean and variance are those of the batch, over all axes but the channels', and the running ones are
    moved towards them: running = (1 - momentum) running + momentum new, where the new variance has n - 1 below the
    line, while x is divided by the one with n. Otherwise the running ones are used. float16 is computed in float32.

    Args:
        input: (N, C) or (N, C, d1, ...), floating.
        running_mean, running_var: (C,), a tensor that requires no gradient or an array; they are changed in place (a
            tensor is given a new array). None: the batch's are used, and nothing is kept.
        weight, bias: (C,), or None.
        training: whether to use the batch.
        momentum: between 0 and 1.
        eps: above 0.

    Raises:
        ValueError: if the shapes do not fit, there is only one value per channel to learn from, running statistics
            are missing that are to be used or cannot be written to, or eps or momentum are out of range.
        TypeError: if x or the running statistics are not floating, or these require a gradient. They are untouched
            whatever was refused.

    Example:
        >>> import numpy as np
        >>> from minigrad.nn import functional as F
        >>> mean, var = np.zeros(1), np.ones(1)
        >>> F.batch_norm(np.array([[1.0], [3.0]]), mean, var, training=True, eps=1e-12).round(6)
        array([[-1.],
               [ 1.]])
        >>> mean, var
        (array([0.2]), array([1.1]))
    """
    x = floats("batch_norm", input)
    check_eps("batch_norm", eps)
    check_share("batch_norm", "momentum", momentum)
    if x.ndim < 2:
        raise ValueError(f"batch_norm: input must have shape (N, C) or (N, C, d1, ...), not {x.shape}")
    channels, count = x.shape[1], x.size // max(1, x.shape[1])
    for what, p in (("running_mean", running_mean), ("running_var", running_var), ("weight", weight), ("bias", bias)):
        if p is not None and np.shape(p) != (channels,):
            raise ValueError(f"batch_norm: {what} of shape {np.shape(p)} does not fit input of shape {x.shape}: one "
                             f"number for each of the {channels} channels, axis 1 of x, is needed")
    if not training and (running_mean is None or running_var is None):
        raise ValueError("batch_norm: running_mean and running_var are needed when training=False")
    if training and count < 2:
        raise ValueError(f"batch_norm: expected more than 1 value per channel when training, got input of shape "
                         f"{x.shape}; give a larger batch, or call eval() on the module")
    if training:
        check_movable("running_mean", running_mean)
        check_movable("running_var", running_var)
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
    moved = [(running, between(running, new, float(momentum))) for running, new in (
        (running_mean, array.mean(axis=axes)), (running_var, array.var(axis=axes, ddof=1))) if running is not None]
    for running, value in moved:
        if isinstance(running, Tensor):
            running.data = value
        else:
            running[...] = value
    return y


def group_norm(input, num_groups, weight=None, bias=None, eps=1e-5):
    """Return (x - mean) / sqrt(var + eps) * weight + bias, for each example and group of channels (Wu and He 2018).

    The channels are put into groups of neighbours; 1 group takes them all together, C groups each by itself (instance
    norm). The variance has n below the line. float16 is computed in float32.

    Args:
        input: (N, C) or (N, C, d1, ...), floating.
        num_groups: how many; C must be divisible by it.
        weight, bias: (C,), or None.
        eps: above 0.

    Raises:
        ValueError: if the shapes do not fit, or eps is not above 0.
        TypeError: if x is not floating.

    Example:
        >>> import numpy as np
        >>> from minigrad.nn import functional as F
        >>> F.group_norm(np.array([[1.0, 3.0, 10.0, 30.0]]), 2, eps=1e-12).round(6)
        array([[-1.,  1., -1.,  1.]])
    """
    x = floats("group_norm", input)
    check_eps("group_norm", eps)
    num_groups = whole_number("group_norm", "num_groups", num_groups)
    if x.ndim < 2:
        raise ValueError(f"group_norm: input must have shape (N, C) or (N, C, d1, ...), not {x.shape}")
    channels = x.shape[1]
    if channels % num_groups:
        raise ValueError(f"group_norm: {channels} channels of input of shape {x.shape} cannot be put into {num_groups} "
                         f"groups of one size")
    for what, p in (("weight", weight), ("bias", bias)):
        if p is not None and np.shape(p) != (channels,):
            raise ValueError(f"group_norm: {what} of shape {np.shape(p)} does not fit input of shape {x.shape}: one "
                             f"number for each of the {channels} channels, axis 1 of x, is needed")
    groups = (x.shape[0], num_groups, x.size // max(1, x.shape[0] * num_groups))
    column = (channels,) + (1,) * (x.ndim - 2)
    weight, bias = (None if p is None else given(p).reshape(column) for p in (weight, bias))
    return scaled(standardized(x.reshape(groups), (2,), eps).reshape(x.shape), weight, bias)


# ------------------------------------------------------------------------------- what they share


def sizes(owner, shape, least=0):
    """Return normalized_shape, a number or several, as a tuple of Python integers."""
    several = isinstance(shape, (tuple, list)) or np.ndim(shape)
    return tuple(whole_number(owner, "normalized_shape", n, least) for n in (shape if several else (shape,)))


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


def check_movable(what, running):
    """Refuse a running statistic that a new value cannot be written to."""
    if running is None:
        return
    if not isinstance(running, (Tensor, np.ndarray)):
        raise TypeError(f"batch_norm: {what} is changed in place, so it must be a tensor or an array, not a "
                        f"{type(running).__name__}")
    if running.dtype.kind != "f":
        raise TypeError(f"batch_norm: {what} has dtype {running.dtype}, and a mean would be cut off to whole numbers; "
                        f"convert it with .astype(float)")
    if isinstance(running, Tensor):
        if running.requires_grad:
            raise TypeError(f"batch_norm: {what} requires a gradient, but it is changed in place; pass "
                            f"{what}.detach()")
    elif not running.flags.writeable:
        raise ValueError(f"batch_norm: {what} is a read-only array, but it is changed in place; pass the tensor "
                         f"itself, or a copy")


def between(running, new, momentum):
    """Return a running statistic moved towards a new one."""
    old = running.data if isinstance(running, Tensor) else running
    return (1 - momentum) * old + momentum * new

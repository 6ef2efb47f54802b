"""Losses: what a net said against what was right, reduced to one number.

Everywhere ``reduction`` is "mean", "sum", or "none" for the single losses. The mean of no losses at all is NaN, as in
PyTorch, and its gradient is 0; where weights sum to 0, mean and gradient are NaN. Shapes that differ are refused, where
PyTorch would broadcast (mse_loss warns): a target of shape (N,) against predictions of shape (N, 1) would be compared
with each of them.
"""

import math

import numpy as np

from minigrad import ops
from minigrad.nn.functional.common import check_reduction, constants, floats, given, reduced, whole_numbers
from minigrad.tensor import Tensor

# ------------------------------------------------------------------------------- of real numbers


def fitting(operation, x, target, reduction):
    """Return predictions and targets of one shape, ready to be subtracted; whole-number targets become floats."""
    check_reduction(operation, reduction)
    x, target = floats(operation, x), given(target)
    if x.shape != target.shape:
        raise ValueError(f"{operation}: input has shape {x.shape} and target {target.shape}; reshape one of them")
    return x, target if target.dtype.kind == "f" else np.asarray(target, x.dtype)


def mse_loss(input, target, *, reduction="mean"):
    """Return (x - target)^2, by default its mean.

    Args:
        input, target: of one shape; input floating.
        reduction: "mean", "sum" or "none".

    Raises:
        ValueError: if the shapes differ (broadcasting a target is nearly always a mistake), or for another reduction.
        TypeError: if x is not floating.

    Example:
        >>> import minigrad as mg
        >>> from minigrad.nn import functional as F
        >>> F.mse_loss(mg.tensor([1.0, 3.0]), [0.0, 0.0])
        tensor(5.)
    """
    x, target = fitting("mse_loss", input, target, reduction)
    difference = x - target
    return reduced(difference * difference, reduction)


def l1_loss(input, target, *, reduction="mean"):
    """Return |x - target|, by default its mean; the slope where they are equal is 0. Errors as in :func:`mse_loss`.

    Example:
        >>> import minigrad as mg
        >>> from minigrad.nn import functional as F
        >>> F.l1_loss(mg.tensor([1.0, 3.0]), [0.0, 0.0])
        tensor(2.)
    """
    x, target = fitting("l1_loss", input, target, reduction)
    return reduced(np.absolute(x - target), reduction)


def huber_loss(input, target, *, reduction="mean", delta=1.0):
    """Return d^2 / 2 for d = x - target up to |d| = delta, beyond it delta (|d| - delta / 2); by default the mean.

    The gradient in x is d itself, clipped to [-delta, delta] (Huber 1964). Errors as in :func:`mse_loss`.

    Raises:
        ValueError: also if delta is not above 0.

    Example:
        >>> import minigrad as mg
        >>> from minigrad.nn import functional as F
        >>> F.huber_loss(mg.tensor([1.0, 3.0]), [0.0, 0.0], reduction="none")
        tensor([0.5, 2.5])
    """
    if not delta > 0:
        raise ValueError(f"huber_loss: delta = {delta}, but it must be above 0")
    x, target = fitting("huber_loss", input, target, reduction)
    return reduced(huber(x - target, float(delta)), reduction)


def huber(d, delta):
    """Return Huber's function, said so that nothing is squared that could overflow."""
    inner = ops.clip(d, -delta, delta)
    return inner * (d - 0.5 * inner)


def smooth_l1_loss(input, target, *, reduction="mean", beta=1.0):
    """Return huber_loss with delta = beta, divided by beta: slopes run from -1 to 1. For beta = 0 it is l1_loss.

    Raises:
        ValueError: if beta is negative; others as in :func:`mse_loss`.

    Example:
        >>> import minigrad as mg
        >>> from minigrad.nn import functional as F
        >>> F.smooth_l1_loss(mg.tensor([1.0, 3.0]), [0.0, 0.0], reduction="none", beta=2.0)
        tensor([0.25, 2.  ])
    """
    if not beta >= 0:
        raise ValueError(f"smooth_l1_loss: beta = {beta}, but it cannot be below 0")
    x, target = fitting("smooth_l1_loss", input, target, reduction)
    beta, d = float(beta), x - target
    return reduced(huber(d, beta) / beta if beta else np.absolute(d), reduction)


# ------------------------------------------------------------------------------- of probabilities of yes


def weighted(operation, loss, weight):
    """Return single losses times their weights, which may be of fewer elements but not of more."""
    if weight is None:
        return loss
    return loss * spreading(operation, weight, loss, "weight")


def spreading(operation, weight, x, what):
    """Return weights as an array that broadcasts to the shape of x."""
    weight = constants(operation, weight, x.dtype, what)
    try:
        fits = np.broadcast_shapes(weight.shape, x.shape) == x.shape
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(f"{operation}: {what} of shape {weight.shape} does not broadcast to input of shape {x.shape}")
    return weight


def binary_cross_entropy_with_logits(input, target, weight=None, *, reduction="mean", pos_weight=None):
    """Return -(t log s + (1 - t) log(1 - s)) for s = sigmoid(x), by default its mean, in nats.

    It is computed as t softplus(-x) + (1 - t) softplus(x), which is exact where s is 0 or 1 to the last bit.

    Args:
        input: logits, of any shape.
        target: of the same shape, usually between 0 and 1.
        weight: for each loss a factor, of a shape that broadcasts to x's.
        reduction: "mean" (over all elements, whatever their weights), "sum" or "none".
        pos_weight: a factor of the term with t, e.g. (C,) for x of shape (N, C).

    Raises:
        ValueError: if shapes do not fit, or for another reduction.
        TypeError: if x is not floating, or a weight requires a gradient.

    Example:
        >>> import minigrad as mg
        >>> from minigrad.nn import functional as F
        >>> F.binary_cross_entropy_with_logits(mg.tensor([0.0, 800.0]), [1.0, 1.0])         # log(2) / 2
        tensor(0.34657359)
    """
    name = "binary_cross_entropy_with_logits"
    x, target = fitting(name, input, target, reduction)
    yes = target * ops.softplus(-x)
    if pos_weight is not None:
        yes = yes * spreading(name, pos_weight, x, "pos_weight")
    return reduced(weighted(name, yes + (1 - target) * ops.softplus(x), weight), reduction)


def binary_cross_entropy(input, target, weight=None, *, reduction="mean"):
    """Return -(t log x + (1 - t) log(1 - x)) for probabilities x, by default its mean, in nats.

    As in PyTorch, logarithms end at -100, and the gradient (x - t) / (x (1 - x)) is divided by no less than 1e-12 (in
    float16, 6e-5). Where the probabilities come from a sigmoid, :func:`binary_cross_entropy_with_logits` needs no such
    bounds.

    Args:
        input: probabilities, of any shape.
        target, weight, reduction: as for :func:`binary_cross_entropy_with_logits`.

    Raises:
        ValueError: if x or target is not between 0 and 1, shapes do not fit, or for another reduction.
        TypeError: if x is not floating, or the weight requires a gradient.

    Example:
        >>> import minigrad as mg
        >>> from minigrad.nn import functional as F
        >>> F.binary_cross_entropy(mg.tensor([0.5, 1.0]), [1.0, 1.0])         # log(2) / 2
        tensor(0.34657359)
    """
    name = "binary_cross_entropy"
    x, target = fitting(name, input, target, reduction)
    for what, p, cure in (("input", x, f"; for logits use {name}_with_logits"), ("target", target, "")):
        p = p.data if isinstance(p, Tensor) else p
        if not np.all((p >= 0) & (p <= 1)):
            raise ValueError(f"{name}: {what} runs from {p.min()} to {p.max()}, but probabilities lie between 0 and 1"
                             f"{cure}")
    return reduced(weighted(name, ops.binary_cross_entropy(x, target), weight), reduction)


def kl_div(input, target, *, reduction="mean", log_target=False):
    """Return t (log t - x) for log-probabilities x and probabilities t: the divergence of exp(x) from t, in nats.

    Args:
        input: log-probabilities, of any shape.
        target: probabilities of the same shape, or their logarithms with ``log_target=True``; 0 log 0 is 0.
        reduction: "batchmean", the sum divided by the length of the first axis, is the divergence as it is defined;
            "mean" divides by the number of elements, as PyTorch does; or "sum", "none".

    Raises:
        ValueError: if the shapes differ, or for another reduction.
        TypeError: if x is not floating.

    Example:
        >>> import numpy as np
        >>> import minigrad as mg
        >>> from minigrad.nn import functional as F
        >>> F.kl_div(np.log(mg.tensor([[0.5, 0.5]])), [[1.0, 0.0]], reduction="batchmean")         # log 2
        tensor(0.69314718)
    """
    check_reduction("kl_div", reduction, ("batchmean", "mean", "sum", "none"))
    x, target = fitting("kl_div", input, target, "none")
    if log_target:
        loss = np.exp(target) * (target - x)
    else:
        loss = target * (np.log(np.where(target > 0, target, 1.0)) - x)
    if reduction == "batchmean":
        count = x.shape[0] if x.ndim else 1
        return loss.sum() / count if count else loss.sum() + math.nan
    return reduced(loss, reduction)


# ------------------------------------------------------------------------------- of one class among several


def cross_entropy(input, target, weight=None, *, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    """Return -log softmax(logits)[target], by default its mean, in nats.

    With weights w, the mean is sum of w[t] loss / sum of w[t]. With smoothing e, the label t stands for the
    probabilities (1 - e) onehot(t) + e / C (Szegedy et al. 2016). Formulas and choices are PyTorch's.

    Args:
        input: the logits, (C,), (N, C) or (N, C, d1, d2, ...), floating.
        target: labels, integers in 0 ... C - 1, of the shape of logits without the axis C; or class probabilities,
            floating, of the shape of logits. An array, list or tensor.
        weight: (C,), a factor for each class. If those of all labels sum to 0, mean and gradient are NaN.
        ignore_index: a label that counts nothing. If all labels are such, or there are none, the mean is NaN, with
            gradient 0.
        reduction: "mean", "sum" or "none"; for class probabilities the mean is over all losses, whatever the weights.
        label_smoothing: e, between 0 and 1.

    Raises:
        ValueError: if the shapes do not fit, a label is out of range, or an option is none of those above.
        TypeError: if labels are no integers, or logits are not floating.

    Example:
        >>> import minigrad as mg
        >>> from minigrad.nn import functional as F
        >>> F.cross_entropy(mg.tensor([[0.0, 0.0], [0.0, 0.0]]), [0, 1])        # log 2
        tensor(0.69314718)
    """
    check_reduction("cross_entropy", reduction)
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"cross_entropy: label_smoothing = {label_smoothing}, but it lies between 0 and 1")
    logits, target = floats("cross_entropy", input, "logits"), given(target)
    weight = class_weights("cross_entropy", weight, logits)
    if target.dtype.kind == "f" and logits.ndim and logits.shape[class_axis(logits)] and target.shape == logits.shape:
        if ignore_index >= 0:
            raise ValueError(f"cross_entropy: ignore_index = {ignore_index} is a label, but target holds class "
                             f"probabilities; set the rows to be ignored to 0")
        return soft_cross_entropy(logits, target, weight, reduction, float(label_smoothing))
    labels, valid = checked_labels("cross_entropy", logits, target, ignore_index)
    plain = valid is None and weight is None and not label_smoothing and labels.size
    if plain and logits.ndim == 2 and reduction == "mean":
        return ops.cross_entropy(logits, labels)
    log_p = ops.log_softmax(logits, axis=class_axis(logits))
    return of_labels(log_p, labels, valid, weight, reduction, float(label_smoothing))


def nll_loss(input, target, weight=None, *, ignore_index=-100, reduction="mean"):
    """Return -log_p[target], by default its mean: the second half of :func:`cross_entropy`, after log_softmax.

    Args:
        input: log-probabilities, (C,), (N, C) or (N, C, d1, d2, ...), floating.
        target: labels; this, the other arguments and the errors are as for :func:`cross_entropy`.

    Example:
        >>> import minigrad as mg
        >>> from minigrad.nn import functional as F
        >>> F.nll_loss(mg.tensor([[-0.5, -1.0], [-2.0, -0.1]]), [0, 1])
        tensor(0.3)
    """
    check_reduction("nll_loss", reduction)
    log_p = floats("nll_loss", input, "log_p")
    weight = class_weights("nll_loss", weight, log_p)
    labels, valid = checked_labels("nll_loss", log_p, given(target), ignore_index)
    return of_labels(log_p, labels, valid, weight, reduction)


def class_axis(x):
    """Return the axis along which the classes lie."""
    return 1 if x.ndim > 1 else 0


def class_weights(operation, weight, x):
    """Return the weight of each class as an array, or None."""
    if weight is None:
        return None
    weight = constants(operation, weight, x.dtype, "weight")
    if not x.ndim or weight.shape != (x.shape[class_axis(x)],):
        raise ValueError(f"{operation}: weight of shape {weight.shape} does not fit input of shape {x.shape}: one "
                         f"number for each class is needed, axis {class_axis(x)} of x")
    return weight


def checked_labels(operation, x, target, ignore_index):
    """Return the labels as an array, and where they count (None: everywhere)."""
    shape = x.shape
    if not shape:
        raise ValueError(f"{operation}: logits must have shape (C,), (N, C) or (N, C, d1, ...), not ()")
    classes, expected = (shape[1], shape[:1] + shape[2:]) if len(shape) > 1 else (shape[0], ())
    if target.shape != expected:
        raise ValueError(f"{operation}: logits of shape {shape} need labels of shape {expected} (or, for "
                         f"cross_entropy, floating-point probabilities of shape {shape}), not {target.dtype} of "
                         f"shape {target.shape}")
    labels = whole_numbers(operation, target, "labels")
    if not labels.size:
        return labels, None
    lowest, highest = labels.min(), labels.max()
    if not lowest <= ignore_index <= highest:
        valid, counted = None, labels
    else:
        valid = labels != ignore_index
        counted = labels[valid]
        if counted.size == labels.size:
            valid = None
        lowest, highest = (counted.min(), counted.max()) if counted.size else (0, classes - 1)
    if lowest < 0 or highest >= classes:
        raise ValueError(f"{operation}: labels run from {lowest} to {highest}, but there are {classes} classes (0 to "
                         f"{classes - 1})")
    return labels, valid


def of_labels(log_p, labels, valid, weight, reduction, smoothing=0.0):
    """Return the loss of log-probabilities for labels that have been checked."""
    shape = labels.shape
    if log_p.ndim == 1:
        log_p, labels = log_p.reshape((1, *log_p.shape)), labels.reshape(1)
        valid = None if valid is None else valid.reshape(1)
    places = np.indices(labels.shape, sparse=True) if valid is None else np.nonzero(valid)
    chosen = labels if valid is None else labels[places]
    loss = -ops.take(log_p, (places[0], chosen, *places[1:]))
    if weight is not None:
        loss = loss * weight[chosen]
    if smoothing:
        every = log_p if weight is None else log_p * weight.reshape((-1,) + (1,) * (log_p.ndim - 2))
        every = every.sum(axis=1)
        loss = (1 - smoothing) * loss - smoothing / log_p.shape[1] * (every if valid is None else every[places])
    if reduction == "none":
        return (loss if valid is None else ops.scatter(loss, places, labels.shape)).reshape(shape)
    if reduction == "mean" and weight is not None and loss.size:
        total = float(weight[chosen].mean(dtype=float))
        return loss.mean() / total if total else loss.sum() * math.nan
    return reduced(loss, reduction)


def soft_cross_entropy(logits, target, weight, reduction, smoothing):
    """Return the loss of logits for class probabilities, through which a gradient may flow as well."""
    classes, axis = logits.shape[class_axis(logits)], class_axis(logits)
    if smoothing:
        target = target * (1 - smoothing) + smoothing / classes
    terms = ops.log_softmax(logits, axis=axis) * target
    if weight is not None:
        terms = terms * weight.reshape((-1,) + (1,) * (logits.ndim - 1 - axis))
    return reduced(-terms.sum(axis=axis), reduction)

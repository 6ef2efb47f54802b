"""What the pages of functions share: checks of their arguments, and the reduction of losses."""

import math
import numbers
import operator

import numpy as np

from minigrad.tensor import Tensor


def given(x):
    """Return a tensor as it is, anything else as an array."""
    return x if isinstance(x, Tensor) else np.asarray(x)


def floats(operation, x, what="input"):
    """Return a tensor as it is, anything else as an array; refuse dtypes that are not floating."""
    if x is None:
        raise TypeError(f"{operation}: {what} is None; does the function that made it return its result?")
    x = given(x)
    if x.dtype.kind != "f":
        raise TypeError(f"{operation}: {what} has dtype {x.dtype}, and floating-point numbers are needed; convert it "
                        f"with .astype(float), or write 1.0 for 1")
    return x


def whole_numbers(operation, x, what):
    """Return the array of integers behind a tensor, array or list."""
    x = x.data if isinstance(x, Tensor) else np.asarray(x)
    if x.dtype.kind not in "iu" and x.size:                     # [] is float64 to NumPy
        raise TypeError(f"{operation}: {what} are integers, not {x.dtype}; convert them, e.g. with .long()")
    return x if x.dtype.kind in "iu" else x.astype(int)


def whole_number(owner, what, value, least=1):
    """Return a size as a Python integer; refuse what is no whole number, and one below ``least`` (None: any)."""
    try:
        number = None if isinstance(value, (bool, np.bool_)) else operator.index(value)
    except TypeError:
        number = None
    if number is None:
        raise TypeError(f"{owner}: {what} = {value!r} is no whole number")
    if least is not None and number < least:
        raise ValueError(f"{owner}: {what} = {number}, but it must be at least {least}")
    return number


def constants(operation, x, dtype, what):
    """Return a plain array of a dtype, for what is not differentiated."""
    if isinstance(x, Tensor) and x.requires_grad:
        raise TypeError(f"{operation}: no gradient flows to {what}; pass it as {what}.detach()")
    return np.asarray(x, dtype)


def check_reduction(operation, reduction, known=("mean", "sum", "none")):
    """Refuse a reduction that is not known."""
    if reduction not in known:
        raise ValueError(f"{operation}: reduction = {reduction!r}, but it is one of {', '.join(map(repr, known))}")


def reduced(loss, reduction):
    """Return the mean or the sum of single losses, or these; the mean of none is NaN, with gradient 0."""
    if reduction == "none":
        return loss
    if reduction == "sum":
        return loss.sum()
    return loss.mean() if loss.size else loss.sum() + math.nan


def check_eps(operation, eps):
    """Refuse an eps that does not keep a quotient finite."""
    if not isinstance(eps, numbers.Real):
        raise TypeError(f"{operation}: eps = {eps!r} is no number")
    if not 0 < eps < math.inf:
        raise ValueError(f"{operation}: eps = {eps}, but it must be above 0")


def check_share(operation, what, p):
    """Refuse what is no probability or share."""
    if not isinstance(p, numbers.Real):
        raise TypeError(f"{operation}: {what} = {p!r} is no number")
    if not 0 <= p <= 1:
        raise ValueError(f"{operation}: {what} = {p}, but it lies between 0 and 1")

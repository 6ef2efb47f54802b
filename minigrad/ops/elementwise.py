"""Choosing, clipping and casting each element, as operations that can go on the tape."""

import numpy as np

from minigrad.table import primitive


def floating(x):
    """Return x as an array of floats; whole numbers and truth values, however short, become float64."""
    x = np.asarray(x)
    return x if x.dtype.kind == "f" else x.astype(np.float64)


@primitive
def clip(x, low=None, high=None):
    """Return min(max(x, low), high); ``np.clip`` of tensors comes here.

    None is no bound; a bound may be a number, an array or a tensor.  The gradient goes to x where low <= x <= high,
    the bounds included, elsewhere to the bound that holds.  Where low > high, high holds; where low = high the gradient
    of x < low goes nowhere.  All as in PyTorch.
    """
    return np.clip(x, low, high)


@primitive
def select(condition, a, b):
    """Return a where the condition holds, else b; ``np.where(c, a, b)`` of tensors comes here."""
    return np.where(condition, a, b)


@primitive
def cast(x, dtype):
    """Return x in another floating dtype; the gradient comes back in x's own."""
    return x.astype(dtype)

"""What the theory may be asked: numbers checked before anything is computed."""

import math
import numbers

import numpy as np


def variance(value, name):
    """Return a variance as a float.

    Raises:
        ValueError: if it is negative, infinite or NaN.
        TypeError: if it is no number.
    """
    value = number(value, name)
    if not 0 <= value < math.inf:
        raise ValueError(f"{name} = {value:g}: a variance is finite and not negative"
                         + (" (give the variance, not the standard deviation)" if value < 0 else ""))
    return value


def number(value, name):
    """Return a real number as a float, or raise TypeError."""
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value.item()
    if not isinstance(value, numbers.Real):
        raise TypeError(f"{name} = {value!r}: a number is wanted")
    return float(value)


def length(value, name="q"):
    """Return a mean square as a float: not negative; inf is allowed."""
    value = number(value, name)
    if not value >= 0:
        raise ValueError(f"{name} = {value:g}: a mean square is not negative")
    return value


def count(value, name, least=0):
    """Return a whole number of at least ``least``."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name} = {value!r}: a whole number is wanted")
    if value < least:
        raise ValueError(f"{name} = {value}: at least {least}")
    return int(value)


def square_matrix(value, name="W"):
    """Return a finite square matrix in float64."""
    matrix = np.asarray(getattr(value, "data", value) if not isinstance(value, np.ndarray) else value)
    if matrix.dtype.kind not in "fiubc" or matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not matrix.size:
        raise ValueError(f"{name} must be a square matrix of numbers, not of shape {matrix.shape}")
    return finite(matrix, name)


def finite(array, name):
    """Return an array as float64 (or complex128), or raise ValueError if an entry is not finite."""
    array = array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)
    if not np.isfinite(array).all():
        raise ValueError(f"{name} of shape {array.shape} has {int((~np.isfinite(array)).sum())} entries that are not "
                         f"finite")
    return array

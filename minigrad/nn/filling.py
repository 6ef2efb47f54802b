"""What the functions of ``nn.init`` share: the door that all come in by, and checks of what is to be filled."""

import functools
import math
import numbers

import numpy as np

from minigrad.tensor import Tensor


def filler(fill):
    """Return the function as users call it: for an array that knows its tensor (``w.data``) the tensor is filled."""
    @functools.wraps(fill)
    def filler(p, *args, generator=None, **options):
        owner = getattr(p, "owner", None)
        if owner is not None and np.shape(owner) == np.shape(p):
            p = owner
        if generator is not None:
            if options.get("rng") is not None:
                raise ValueError(f"{fill.__name__}: rng and generator are two names of one thing; give one of them")
            options["rng"] = generator
        return fill(p, *args, **options)
    return filler


def check(p, name, **values):
    """Refuse what cannot be filled, and settings that are no finite numbers."""
    if not isinstance(p, Tensor):
        raise TypeError(f"{name} fills a tensor in place, not a {type(p).__name__}; pass the parameter itself, "
                        f"m.weight, or m.weight.data: a copy or a part of it does not know the tensor")
    if p.dtype.kind != "f":
        raise TypeError(f"{name} fills floating-point tensors, not {p.dtype}")
    for what, value in values.items():
        if isinstance(value, bool) or not isinstance(value, numbers.Real) or not math.isfinite(value):
            raise ValueError(f"{name}: {what} = {value!r} is no finite number")


def not_negative(name, **values):
    """Refuse settings that are not >= 0 and finite."""
    for what, value in values.items():
        if isinstance(value, bool) or not isinstance(value, numbers.Real) or not 0 <= value < math.inf:
            raise ValueError(f"{name}: {what} = {value!r} must be a finite number >= 0")


def matrix(p, name):
    """Return the shape of a matrix, or say that it is none."""
    if len(p.shape) != 2:
        raise ValueError(f"{name}: a parameter of shape {p.shape} is no matrix (out, in)")
    return p.shape


def check_square(p, name, rho):
    """Refuse what has no eigenvalues, and what is no spectral radius."""
    check(p, name)
    if len(p.shape) != 2 or p.shape[0] != p.shape[1]:
        raise ValueError(f"{name}: a matrix of shape {p.shape} has no eigenvalues; it must be square")
    if not (isinstance(rho, numbers.Real) and rho >= 0 and math.isfinite(rho)):
        raise ValueError(f"{name}: rho = {rho!r}: a spectral radius is a finite number >= 0")


def assign(p, values):
    """Give a tensor its new values and return it."""
    p.data = values
    return p

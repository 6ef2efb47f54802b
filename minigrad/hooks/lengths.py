"""Giving gradients a length, exactly: what the clips and ``Normalize`` share.

The coefficient limit / length may underflow where the scaled gradient need not, float16 cannot hold a small one, and
a finite gradient may have a norm beyond the largest float.  Here such a gradient is scaled all the same.
"""

import math
from collections import UserDict
from functools import cached_property

import numpy as np

from minigrad.norms import norm, times, unit_norms

FAR = 2.0 ** -64
"""Brings every norm that exceeds the largest float back among the floats; a power of two, so nothing is rounded."""

TINY = float(np.finfo(float).tiny)
"""A coefficient below this has lost digits, where what it scales need not: there division comes first."""

SMALL = 1e-30
"""A coefficient from here on is one of float32's normal numbers."""

NEAR, TRIES = 1 + 1e-14, 8
"""Rounding leaves what was scaled a few units of the last place too long; then it is scaled to that much less."""


class Scaled(UserDict):
    """A dict of arrays times one factor, in which the products are formed when they are asked for.

    A clip answers the pipeline with one.  Where no hook comes after it, the optimizer multiplies as it updates, and 200
    arrays need not be written and read again.

    Args:
        arrays: name -> array or None.
        factor: a number.
    """

    def __init__(self, arrays, factor):
        self.arrays, self.factor = arrays, factor

    @cached_property
    def data(self):
        with np.errstate(invalid="ignore", under="ignore"):
            return {name: None if g is None else np.asarray(times(g, self.factor)) for name, g in self.arrays.items()}


def formed(grads):
    """Return a dict: what is Scaled is multiplied."""
    return grads.data if isinstance(grads, Scaled) else grads


class Scaling:
    """A hook that multiplies all arrays by one factor: ``scaled(grads, ctx)`` may answer with a :class:`Scaled`.

    That is between it and the pipeline: whoever calls the hook gets a dict.
    """

    def __call__(self, grads, ctx):
        return formed(self.scaled(grads, ctx))

    def scaled(self, grads, ctx):
        """Do what a hook does."""
        raise NotImplementedError


def answer(hook, grads, ctx):
    """Call a hook; one that scales, and was not given a ``__call__`` of its own by a subclass, may answer Scaled."""
    return hook.scaled(grads, ctx) if type(hook).__call__ is Scaling.__call__ else hook(grads, ctx)


def shorten(grads, length, limit, p=2, compat=None):
    """Scale arrays, whose common norm is ``length``, down to a norm of at most ``limit``, by one factor.

    Returns:
        ``(grads, factor, reached)``, grads being :class:`Scaled` where it can, and the norm reached being measured;
        the very same arrays if ``length`` does not exceed ``limit``.  If they are not finite the factor is NaN and
        they are multiplied by limit / length all the same: all is NaN then, or 0 but for what was inf, which is NaN.
    """
    came = length
    if compat == "torch":
        length = length + 1e-6
    if length <= limit or limit == math.inf:
        return grads, 1.0, came
    arrays, length, shrunk = within_floats(grads, length, p)
    target = limit
    for _ in range(TRIES):
        out, reached = scaled_together(arrays, length, target, p)
        if not limit < reached < limit * NEAR:
            break
        target = min(target * (limit / reached), math.nextafter(target, 0.0))
    return out, target / length * shrunk if length < math.inf else math.nan, reached


def shorten_units(g, lengths, limits, p=2, compat=None):
    """Scale each output unit of one array down by itself, as :func:`shorten` does.

    Args:
        g: an array (out, in, ...).
        lengths: its ``unit_norms``.
        limits: a number, or an array like ``lengths``; inf or NaN leaves a unit as it is.

    Returns:
        ``(g, over)``: over says, in an array like ``lengths``, which units were too long; ``g`` itself if none was.
    """
    if compat == "torch":
        lengths = lengths + 1e-6
    over = ~(lengths <= limits) & (limits < math.inf)                   # a length of NaN is too long
    if not over.any():
        return g, over
    with np.errstate(all="ignore"):
        wide, lengths = units_within_floats(np.where(over, g, 0).astype(np.float64), lengths, p)
        targets = np.where(over, limits, 1.0)
        for _ in range(TRIES):
            c = targets / lengths
            out, tiny = wide * c, over & (c < TINY)
            if tiny.any():
                out = np.where(tiny, wide / lengths * targets, out)
            out = np.where(over, out.astype(g.dtype), g)
            found = unit_norms(out, p)
            long = over & (limits < found) & (found < targets * NEAR)
            if not long.any():
                break
            closer = np.minimum(targets * (limits / found), np.nextafter(targets, 0.0))
            targets = np.where(long, closer, targets)
    return out, over


def to_one(grads, length, p):
    """Scale arrays, whose common norm is ``length``, to a norm of 1; the same arrays if it is 0, 1 or not finite."""
    arrays, length, _ = within_floats(grads, length, p)
    if not 0 < length < math.inf or length == 1:
        return grads
    with np.errstate(under="ignore"):
        return {name: None if g is None else (g / np.float64(length)).astype(g.dtype) for name, g in arrays.items()}


def units_to_one(g, p):
    """Scale each output unit of one array to a norm of 1, but those whose norm is 0 or not finite."""
    with np.errstate(all="ignore"):
        wide, lengths = units_within_floats(g.astype(np.float64), unit_norms(g, p), p)
        usual = (lengths > 0) & (lengths < math.inf) & (lengths != 1)
        return np.where(usual, (wide / lengths).astype(g.dtype), g) if usual.any() else g


def scaled_together(grads, length, limit, p):
    """Return arrays times limit / length, each in its own dtype, and their norm."""
    c = limit / length
    if c >= SMALL and all(g is None or g.dtype.char != "e" for g in grads.values()):
        return Scaled(grads, c), norm(grads.values(), p, c)
    with np.errstate(invalid="ignore", under="ignore"):
        out = {name: None if g is None else scaled(g, length, limit) for name, g in grads.items()}
    return out, norm(out.values(), p)


def scaled(g, length, limit):
    """Return g * limit / length in the dtype of g."""
    c = limit / length
    if c < TINY and length < math.inf:
        return (g / np.float64(length) * limit).astype(g.dtype)
    if c < SMALL or g.dtype == np.float16:                      # c is too small a number for the dtype of g
        return (g * np.float64(c)).astype(g.dtype)
    return g * c


def finite(grads):
    """Whether no element of any array is NaN or inf."""
    return all(g is None or np.isfinite(g).all() for g in grads.values())


def within_floats(grads, length, p):
    """Return (arrays, their norm, the factor): FAR for arrays that are finite but have a norm of inf; else 1."""
    if length == math.inf and finite(grads):
        grads = {name: None if g is None else g * g.dtype.type(FAR) for name, g in grads.items()}
        return grads, norm(grads.values(), p), FAR
    return grads, length, 1.0


def units_within_floats(wide, lengths, p):
    """Return a float64 array, in which such units are times FAR, and its lengths after that."""
    far = np.isinf(lengths)
    if far.any():
        far &= np.isfinite(wide).all(axis=tuple(range(1, wide.ndim)) or None, keepdims=True)
        wide = np.where(far, wide * FAR, wide)
        lengths = np.where(far, unit_norms(wide, p), lengths)
    return wide, lengths

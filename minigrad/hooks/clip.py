"""Clipping: by norm, and by value."""

import math

import numpy as np

from minigrad.hooks.lengths import Scaling, formed, shorten, shorten_units
from minigrad.hooks.protocol import positive, shown, threshold_at
from minigrad.norms import check_p, norm, unit_norms

SCOPES = ("global", "param", "unit")


class ClipNorm(Scaling):
    """Scale the gradient down to a norm of at most ``max_norm``, keeping its direction.

    g <- g max_norm / ||g||_p  if  ||g||_p > max_norm  (Pascanu, Mikolov, Bengio 2013).  Otherwise the very
    same arrays are returned.

    Measured again, the norm of what comes out is never above the limit, and to clip twice is to clip once; with all
    digits it is above by a few units in the last place at most, of float64 or of the gradient's own dtype.

    It shortens steps.  It does not lengthen any, so it does nothing for a vanishing gradient; it multiplies
    all layers by one number, so the profile over depth stays as it was; and it cannot help after an overflow:
    a norm of inf gives inf * 0 = NaN (put ``NonFinite`` before it).

    Args:
        max_norm: a number > 0, or a function of the step; inf measures and never multiplies.
        p: of the norm, at least 1; inf for the largest magnitude.
        scope: "global", one norm over all parameters; "param", each parameter by itself; "unit", each output unit by
            itself: of a gradient (out, in, ...) the slices along the first axis, while one with fewer than two axes,
            such as a bias's, is one unit.  The last two turn the gradient.
        compat: "torch" for PyTorch's coefficient min(1, max_norm / (norm + 1e-6)), which shrinks a gradient whose
            norm equals the limit.

    Raises:
        ValueError: for a threshold that is not > 0, p < 1, an unknown scope or compat.

    Example:
        >>> import numpy as np
        >>> from minigrad.hooks import ClipNorm, apply_hooks
        >>> apply_hooks([ClipNorm(1.0)], {"w": np.array([3.0, 4.0])})
        {'w': array([0.6, 0.8])}
    """

    role = "clip"

    def __init__(self, max_norm, p=2, scope="global", compat=None):
        if not callable(max_norm):
            max_norm = positive(max_norm, "max_norm")
        if scope not in SCOPES:
            raise ValueError(f"scope = {scope!r}: choose one of {', '.join(SCOPES)}")
        if compat not in (None, "torch"):
            raise ValueError(f"compat = {compat!r}: None, or 'torch'")
        self.max_norm, self.p, self.scope, self.compat = max_norm, check_p(p), scope, compat

    def scaled(self, grads, ctx):
        limit = threshold_at(self.max_norm, ctx)
        length = ctx.norm if self.p == 2 else norm(grads.values(), self.p)
        if self.scope == "global":
            return clip_together(grads, length, limit, ctx, self.p, self.compat)
        ctx.note(p=self.p, norm_in=length, threshold=limit)
        if self.scope == "unit":
            return clip_units(grads, lambda name: limit, ctx, self.p, self.compat)
        out = {}
        for name, g in grads.items():
            out.update(formed(shorten({name: g}, norm([g], self.p), limit, self.p, self.compat)[0]))
        return out

    def __repr__(self):
        extra = "" if self.p == 2 else f", p={self.p:g}"
        extra += "" if self.scope == "global" else f", scope={self.scope!r}"
        extra += "" if self.compat is None else f", compat={self.compat!r}"
        return f"ClipNorm({shown(self.max_norm)}{extra})"


def clip_together(grads, length, limit, ctx, p=2, compat=None):
    """Scale all arrays by one factor where their norm, ``length``, exceeds ``limit``, and put that on record.

    Returns:
        the very same arrays, or what :func:`shorten` returns.
    """
    out, factor, reached = shorten(grads, length, limit, p, compat)
    ctx.note(p=p, norm_in=length, threshold=limit, coefficient=factor, norm_out=reached)
    if factor > 0:
        ctx.note(cosine=1.0)                    # one factor for all turns nothing
    return out


def clip_units(grads, limit, ctx, p=2, compat=None):
    """Scale each output unit by itself where its norm exceeds ``limit(name)``, and put on record how many were."""
    out, units, clipped = {}, 0, 0
    for name, g in grads.items():
        if g is not None:
            g, over = shorten_units(g, unit_norms(g, p), limit(name), p, compat)
            units, clipped = units + over.size, clipped + int(np.count_nonzero(over))
        out[name] = g
    ctx.note(units=units, units_clipped=clipped)
    return out


class ClipValue:
    """Limit each element of the gradient to [-clip_value, clip_value].

    It turns the gradient (up to arccos(1/sqrt(n)) in n dimensions: it tends to the signs), and it does not bound the
    norm by ``clip_value``: n elements can keep a norm of clip_value * sqrt(n).  NaN stays NaN, but inf becomes
    finite, so it belongs to the right of ``NonFinite``.

    Args:
        clip_value: a number > 0, or a function of the step.

    Raises:
        ValueError: for a threshold that is not > 0.

    Example:
        >>> import numpy as np
        >>> from minigrad.hooks import ClipValue, apply_hooks
        >>> apply_hooks([ClipValue(1.0)], {"w": np.array([-5.0, 2.0, 0.5])})
        {'w': array([-1. ,  1. ,  0.5])}
    """

    role = "clip-value"

    def __init__(self, clip_value):
        self.clip_value = clip_value if callable(clip_value) else positive(clip_value, "clip_value")

    def __call__(self, grads, ctx):
        limit = threshold_at(self.clip_value, ctx)
        ctx.note(threshold=limit)
        return {name: self.clip(g, limit) for name, g in grads.items()}

    def clip(self, g, limit):
        """Limit one array; the same array if there is nothing to do."""
        if g is None or limit == math.inf:
            return g
        limit = min(limit, float(np.finfo(g.dtype).max))       # larger ones do not exist in g's dtype
        return np.clip(g, -limit, limit) if (np.abs(g) > limit).any() else g

    def __repr__(self):
        return f"ClipValue({shown(self.clip_value)})"

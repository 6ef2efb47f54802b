"""Clipping: by norm, and by value."""

import math

import numpy as np

from minigrad.hooks.protocol import positive, shown, threshold_at
from minigrad.norms import check_p, norm

SCOPES = ("global", "param")


class ClipNorm:
    """Scale the gradient down to a norm of at most ``max_norm``, keeping its direction.

    g <- g max_norm / ||g||_p  if  ||g||_p > max_norm  (Pascanu, Mikolov, Bengio 2013).  Otherwise the very
    same arrays are returned.

    It shortens steps.  It does not lengthen any, so it does nothing for a vanishing gradient; it multiplies
    all layers by one number, so the profile over depth stays as it was; and it cannot help after an overflow:
    a norm of inf gives inf * 0 = NaN (put ``NonFinite`` before it).

    Args:
        max_norm: a number > 0, or a function of the step; inf measures and never multiplies.
        p: of the norm, at least 1; inf for the largest magnitude.
        scope: "global", one norm over all parameters; or "param", each parameter by itself, which turns the gradient.
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

    def __call__(self, grads, ctx):
        limit = threshold_at(self.max_norm, ctx.step)
        length = ctx.norm if self.p == 2 else norm(grads.values(), self.p)
        ctx.note(p=self.p, norm_in=length, threshold=limit)
        if self.scope == "param":
            out = {}
            for name, g in grads.items():
                out.update(self.clip_together({name: g}, 0.0 if g is None else norm(g, self.p), limit, ctx))
            return out
        if length < math.inf:
            ctx.note(coefficient=self.coefficient(length, limit))
        return self.clip_together(grads, length, limit, ctx)

    def clip_together(self, grads, length, limit, ctx):
        """Scale some arrays, whose common norm is ``length``, by one factor."""
        if length == math.inf > limit and all(g is None or np.isfinite(g).all() for g in grads.values()):
            # All is finite, and only the norm is larger than the largest float: halve it, often enough.
            grads = {name: None if g is None else g * g.dtype.type(2.0 ** -512) for name, g in grads.items()}
            length = norm(grads.values(), self.p)
            if self.scope == "global":
                ctx.note(coefficient=limit / length * 2.0 ** -512, cosine=1.0)
            return {name: None if g is None else g / length * limit for name, g in grads.items()}
        return {name: self.clip(g, length, limit) for name, g in grads.items()}

    def coefficient(self, length, limit):
        """Return the factor for a gradient of this norm."""
        if limit == math.inf:
            return 1.0
        if self.compat == "torch":
            length = length + 1e-6
        return 1.0 if length <= limit else limit / length        # a norm of NaN makes all NaN

    def clip(self, g, length, limit):
        """Scale one array by limit / length where length is too large."""
        c = self.coefficient(length, limit)
        if g is None or c == 1.0:
            return g
        with np.errstate(invalid="ignore", under="ignore"):
            if c < 1e-290 and length < math.inf:            # c itself underflows where g * c need not
                return (g / np.float64(length) * limit).astype(g.dtype)
            if c < 1e-30 or g.dtype == np.float16:        # c is too small a number for the dtype of g
                return (g * np.float64(c)).astype(g.dtype)
            return g * c

    def __repr__(self):
        extra = "" if self.p == 2 else f", p={self.p:g}"
        extra += "" if self.scope == "global" else f", scope={self.scope!r}"
        extra += "" if self.compat is None else f", compat={self.compat!r}"
        return f"ClipNorm({shown(self.max_norm)}{extra})"


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
        limit = threshold_at(self.clip_value, ctx.step)
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

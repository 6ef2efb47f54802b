"""Gradients of one length, and gradients without a mean."""

import numpy as np

from minigrad.hooks.clip import SCOPES
from minigrad.hooks.lengths import to_one, units_to_one
from minigrad.norms import check_p, norm


class Normalize:
    """Scale the gradient to a norm of 1, whatever its length: only the direction is left.

    g <- g / ||g||_p  (normalised gradient descent; Hazan, Levy, Shalev-Shwartz 2015).  A gradient of zero has no
    direction and one that holds NaN or inf no length: both pass as they are, as does one whose norm is 1.

    Unlike a clip it lengthens short gradients, too, so steps do not grow shorter near a minimum: without a learning
    rate that falls it does not converge.  With scope "param" or "unit" it lifts the layers in which a gradient has
    vanished to the level of the others, and their rounding errors with them; what has underflowed to 0 stays 0.

    Args:
        p: of the norm, at least 1; inf for the largest magnitude.
        scope: "global", "param" or "unit": what has a norm of 1 afterwards, as in ``ClipNorm``.

    Raises:
        ValueError: for p < 1 or an unknown scope.

    Example:
        >>> import numpy as np
        >>> from minigrad.hooks import Normalize, apply_hooks
        >>> apply_hooks([Normalize()], {"w": np.array([3e-200, 4e-200])})
        {'w': array([0.6, 0.8])}
    """

    role = "normalize"

    def __init__(self, p=2, scope="global"):
        if scope not in SCOPES:
            raise ValueError(f"scope = {scope!r}: choose one of {', '.join(SCOPES)}")
        self.p, self.scope = check_p(p), scope

    def __call__(self, grads, ctx):
        length = ctx.norm if self.p == 2 else norm(grads.values(), self.p)
        ctx.note(p=self.p, norm_in=length)
        if self.scope == "global":
            return to_one(grads, length, self.p)
        if self.scope == "param":
            return {name: to_one({name: g}, norm([g], self.p), self.p)[name] for name, g in grads.items()}
        return {name: None if g is None else units_to_one(g, self.p) for name, g in grads.items()}

    def __repr__(self):
        changed = [f"p={self.p:g}"] if self.p != 2 else []
        changed += [f"scope={self.scope!r}"] if self.scope != "global" else []
        return f"Normalize({', '.join(changed)})"


class Centralize:
    """Take the mean off the gradient of each output unit.

    g_i <- g_i - mean(g_i)  (Yong, Huang, Hua, Zhang 2020, gradient centralization), where g_i = g[i] of a gradient
    (out, in, ...): the mean is over all axes but the first.  So the sum of a unit's incoming weights stays as it is
    under plain SGD.

    Gradients with fewer than two axes, such as a bias's, are left as they are; so are those whose units have a single
    element, which would become 0 and freeze a layer of one input.  A projection, it never lengthens a gradient; it
    does not bound it either.  A unit that holds NaN or inf becomes NaN or inf as a whole.

    Example:
        >>> import numpy as np
        >>> from minigrad.hooks import Centralize, apply_hooks
        >>> apply_hooks([Centralize()], {"w": np.array([[1.0, 3.0], [5.0, 5.0]]), "b": np.array([1.0, 2.0])})
        {'w': array([[-1.,  1.],
               [ 0.,  0.]]), 'b': array([1., 2.])}
    """

    def __call__(self, grads, ctx):
        return {name: None if g is None else centred(g) for name, g in grads.items()}

    def __repr__(self):
        return "Centralize()"


def centred(g):
    """Return an array without the mean of each of its units; the same one if there is nothing to take off."""
    if g.ndim < 2 or g.size <= len(g):
        return g
    axes = tuple(range(1, g.ndim))
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        mean = g.mean(axis=axes, dtype=np.float64, keepdims=True)
        if not np.isfinite(mean).all():             # a sum may overflow where the mean does not
            mean = (g / np.float64(g.size // len(g))).sum(axis=axes, keepdims=True)
        return (g - mean).astype(g.dtype) if mean.any() else g

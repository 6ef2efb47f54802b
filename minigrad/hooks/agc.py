"""Adaptive gradient clipping: each output unit, measured by its weights."""

import numpy as np

from minigrad.hooks.clip import clip_units
from minigrad.hooks.protocol import positive, shown, threshold_at
from minigrad.norms import unit_norms


class AGC:
    """Scale the gradient of each output unit down to a fraction of the norm of its weights.

    G_i <- G_i clipping max(||W_i||, eps) / ||G_i||  where  ||G_i|| > clipping max(||W_i||, eps)
    (Brock, De, Smith, Simonyan 2021, adaptive gradient clipping), with the 2-norm.  Unit i is the slice W[i] of a
    weight (out, in, ...); a parameter with fewer than two axes, such as a bias, is one unit as a whole.  Where no unit
    of a parameter is too long, its very same array is returned.

    It turns the gradient, for each unit has a factor of its own.  It does not bound the norm of the whole; ``eps`` lets
    a weight of zero move by clipping * eps, as it would be frozen for ever without.  It does not leave out the last
    layer, as the paper does: give that layer's parameter group no AGC,
    ``[{"params": head}, {"params": body, "hooks": [AGC()]}]``.  It does not know of weights that keep their outputs on
    another axis than the first (``ConvTranspose``).  A unit whose gradient holds NaN becomes NaN; one that holds inf, 0
    and, of the inf itself, NaN (put ``NonFinite`` before it); one whose weights hold NaN or inf is left as it is.

    Args:
        clipping: the fraction, a number > 0 or a function of the step; inf counts units and never multiplies.
        eps: the least norm that weights count as, a number > 0.

    Raises:
        ValueError: for a fraction or eps that is not > 0; when run, for a parameter that is not in ``ctx.params``, or
            has another shape than its gradient.

    On record: ``clipping``, ``units`` and ``units_clipped``, how many there are and how many were too long.

    Example:
        >>> import numpy as np
        >>> from minigrad.hooks import AGC, apply_hooks
        >>> params = {"w": np.array([[3.0, 4.0], [6.0, 8.0]])}
        >>> apply_hooks([AGC(0.1)], {"w": np.array([[0.0, 5.0], [0.6, 0.8]])}, params=params)
        {'w': array([[0. , 0.5],
               [0.6, 0.8]])}
    """

    role = "clip"

    def __init__(self, clipping=0.01, eps=1e-3):
        self.clipping = clipping if callable(clipping) else positive(clipping, "clipping")
        self.eps = positive(eps, "eps", finite=True)

    def __call__(self, grads, ctx):
        clipping = threshold_at(self.clipping, ctx)
        positive(clipping * self.eps, "clipping * eps")          # 0 where it underflows, and would freeze a unit
        for name, g in grads.items():
            if g is not None and (name not in ctx.params or np.shape(ctx.params[name]) != g.shape):
                raise ValueError(f"AGC: {fault(name, g, ctx.params)}")
        ctx.note(clipping=clipping)
        with np.errstate(over="ignore"):            # a limit beyond the floats limits nothing
            return clip_units(grads, lambda name: clipping * np.maximum(unit_norms(ctx.params[name]), self.eps), ctx)

    def __repr__(self):
        return f"AGC({shown(self.clipping)}, eps={self.eps!r})"


def fault(name, g, params):
    """Say what is wrong with the parameter to which a gradient belongs."""
    if name not in params:
        return (f"the weights of parameter {name} are not known; it measures gradients by them: give "
                f"apply_hooks(..., params={{{name!r}: ...}}), or take the hook through an optimizer")
    return f"parameter {name} has shape {np.shape(params[name])}, but its gradient {g.shape}"

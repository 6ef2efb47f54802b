"""Gradient hooks: what happens between ``backward`` and the update, as a list in time order.

    opt = optim.Adam(net.parameters(), lr=1e-3, hooks=[NonFinite("skip"), Accumulate(4), ClipNorm(1.0)])

Left of ``Accumulate`` means per micro-batch, right of it per window.  This package sees plain arrays only.
"""

from minigrad.hooks.accumulate import Accumulate
from minigrad.hooks.adaptive import AutoClip, ClipAverage
from minigrad.hooks.agc import AGC
from minigrad.hooks.clip import ClipNorm, ClipValue
from minigrad.hooks.finite import NonFinite
from minigrad.hooks.inside import inside
from minigrad.hooks.noise import AddNoise
from minigrad.hooks.normalize import Centralize, Normalize
from minigrad.hooks.pipeline import OrderError, Pipeline
from minigrad.hooks.protocol import HOLD, SKIP, Context, Stage, Stateful, StepReport
from minigrad.hooks.scale import LossScaler, Unscale
from minigrad.hooks.zclip import ZClip
from minigrad.norms import norm

__all__ = ["AGC", "HOLD", "SKIP", "Accumulate", "AddNoise", "AutoClip", "Centralize", "ClipAverage", "ClipNorm",
           "ClipValue", "Context", "LossScaler", "NonFinite", "Normalize", "OrderError", "Pipeline", "Stage",
           "Stateful", "StepReport", "Unscale", "ZClip", "apply_hooks", "inside"]


def apply_hooks(hooks, grads, *, params=None, step=0, weight=1.0):
    """Run hooks on a dict of arrays, without an optimizer: to try one out, or to use it with another framework.

    Args:
        hooks: a list of hooks, or a Pipeline.
        grads: name -> array or None.
        params: name -> array, for hooks that look at the parameters.
        step, weight: as in :class:`Context`.

    Returns:
        a dict name -> array, or HOLD, or SKIP.

    Example:
        >>> import numpy as np
        >>> apply_hooks([lambda grads, ctx: {k: 2 * g for k, g in grads.items()}], {"w": np.ones(2)})
        {'w': array([2., 2.])}
    """
    pipeline = hooks if isinstance(hooks, Pipeline) else Pipeline(hooks)
    ctx = Context(step=step, micro_step=step, weight=weight, lr=0.0, params=params or {}, norm=norm(grads.values()))
    return pipeline.run(grads, ctx, counts=False)[0]

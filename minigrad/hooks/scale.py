"""Loss scaling: small gradients are lifted over the smallest float16 on their way back, and put down again."""

import math
import numbers

import numpy as np

from minigrad.hooks.finite import describe, non_finite
from minigrad.hooks.protocol import SKIP, check_keys, positive

LOWEST, HIGHEST = 2.0 ** -126, 2.0 ** 127
"""A scale is one of float32's normal numbers, as the loss is scaled in float32."""


class LossScaler:
    """The number that a loss is multiplied with before ``backward``, found while training.

    backward is linear: that of ``scale * loss`` gives ``scale`` times every gradient.  float16 has no number between 0
    and 6e-8 and none above 65504, so gradients of 1e-8 are 0 unless they are scaled, and those of 1 are inf if they are
    scaled by 131072.  :class:`Unscale`, first among the hooks, divides by the scale in at least float32, and finds it
    (Micikevicius et al. 2018):

        a gradient that is not finite:          skip it, and scale <- max(scale * backoff, smallest)
        ``interval`` finite ones in a row:      scale <- scale * growth, unless that were above 2**127

    It does nothing for a gradient that vanishes in float32, too, nor for one that is lost in the sum p + update: keep
    the parameters in float32 (master weights), and cast them in the forward pass.  A gradient that is not finite
    for another reason looks like an overflow, until the smallest scale is reached.

    The scale changes in ``opt.step()`` alone.  One scaler serves one optimizer: a second one would step on gradients
    of the scale before, which is refused.  Several ``scaler.scale(loss).backward()`` before one step are fine.
    NumPy warns of the overflow in ``backward``; ``with np.errstate(over="ignore", invalid="ignore"):`` silences that.

    Args:
        init: the first scale; powers of two round nothing.
        growth: factor > 1 upwards.
        backoff: factor between 0 and 1 downwards.
        interval: how many finite gradients in a row make it grow.
        smallest: where it goes no further down, and ``NonFinite`` judges instead.
        dynamic: False keeps ``init`` for ever.

    Attributes:
        value: the scale now.
        count: finite gradients since it has last changed, or since one that was not finite.

    Raises:
        ValueError: for an argument out of its range; scales are between 2**-126 and 2**127, what float32 holds.

    Example:
        >>> import numpy as np
        >>> import minigrad as mg
        >>> from minigrad import hooks, optim
        >>> w, scaler = mg.tensor([0.0], requires_grad=True), hooks.LossScaler(8.0, interval=2)
        >>> opt = optim.SGD([w], lr=1.0, hooks=[hooks.Unscale(scaler), hooks.NonFinite()])
        >>> for factor in (1.0, 1.0, np.inf, 1.0):
        ...     opt.zero_grad()
        ...     scaler.scale((w * factor).sum()).backward()
        ...     print(opt.step().status, w.tolist(), scaler.value)
        step [-1.0] 8.0
        step [-2.0] 16.0
        skip [-2.0] 8.0
        step [-3.0] 8.0
    """

    def __init__(self, init=65536.0, growth=2.0, backoff=0.5, interval=2000, smallest=2.0 ** -14, dynamic=True):
        init, growth = in_float32(init, "init"), positive(growth, "growth", finite=True)
        backoff, smallest = positive(backoff, "backoff", finite=True), in_float32(smallest, "smallest")
        if not isinstance(dynamic, (bool, np.bool_)):
            raise ValueError(f"dynamic = {dynamic!r}: True or False")
        if not growth > 1:
            raise ValueError(f"growth = {growth!r}: must be > 1; LossScaler(init, dynamic=False) keeps the scale")
        if not backoff < 1:
            raise ValueError(f"backoff = {backoff!r}: must be < 1; LossScaler(init, dynamic=False) keeps the scale")
        if not is_whole(interval) or interval < 1:
            raise ValueError(f"interval = {interval!r}: a whole number of gradients, at least 1")
        if dynamic and smallest > init:
            raise ValueError(f"smallest = {smallest!r} is above init = {init!r}")
        self.init, self.growth, self.backoff, self.smallest = init, growth, backoff, smallest
        self.interval, self.dynamic = int(interval), bool(dynamic)
        self.reset()

    def reset(self):
        """Begin again, with ``init``."""
        self.value, self.count = self.init, 0
        self.given = None               # the scale of the last loss; None before the first

    def scale(self, loss):
        """Return ``loss * value``, to call ``backward`` of.

        Args:
            loss: a tensor, an array or a number; float16 is widened to float32 first, as 1.0 * 65536 is inf in float16.

        Returns:
            the same of at least float32.  It may be inf for a large loss; its gradient is right nevertheless.

        Raises:
            TypeError: for anything else.
        """
        if hasattr(loss, "astype") and np.dtype(loss.dtype).kind in "fiu":
            wide = np.promote_types(loss.dtype, np.float32)
            loss = loss if loss.dtype == wide else loss.astype(wide)
        elif not isinstance(loss, numbers.Real) or isinstance(loss, bool):
            raise TypeError(f"scale(loss): a loss is a tensor or a number, not {loss!r}")
        self.given = self.value
        with np.errstate(over="ignore"):
            return loss * self.value

    def good(self):
        """Take note of a gradient that was finite."""
        self.count += 1
        if self.dynamic and self.count >= self.interval:
            self.count = 0
            self.value = self.value * self.growth if self.value * self.growth <= HIGHEST else self.value

    def bad(self):
        """Take note of a gradient that was not finite; return whether the scale went down for it."""
        self.count = 0
        if not self.dynamic or self.value <= self.smallest:
            return False
        self.value = max(self.value * self.backoff, self.smallest)
        return True

    def state_dict(self):
        """Return the scale and the count."""
        return {"value": self.value, "count": self.count}

    def load_state_dict(self, state):
        """Take up what :meth:`state_dict` returned.

        Raises:
            ValueError: if it is no such dict, or has another scale than a static one; nothing has changed then.
        """
        check_keys("LossScaler", state, ("value", "count"))
        value, count = in_float32(state["value"], "LossScaler: value"), state["count"]
        if not is_whole(count) or count < 0:
            raise ValueError(f"LossScaler: count = {count!r}: a whole number, at least 0")
        if not self.dynamic and value != self.init:
            raise ValueError(f"LossScaler: this state has the scale {value!r}, and {self!r} keeps {self.init!r}; make "
                             f"it with {value!r}")
        self.value, self.count, self.given = value, int(count), None

    def __repr__(self):
        if not self.dynamic:
            return f"LossScaler({self.init!r}, dynamic=False)"
        usual = {"growth": 2.0, "backoff": 0.5, "interval": 2000, "smallest": 2.0 ** -14}
        odd = [f"{name}={getattr(self, name)!r}" for name, value in usual.items() if getattr(self, name) != value]
        return f"LossScaler({', '.join([repr(self.init), *odd])})"


class Unscale:
    """Divide the gradient of a scaled loss by the scale, and let the scaler see whether it was finite.

    g <- g / scale, in at least float32, so that what was 0 in float16 is there: float16(1e-8 * 65536) / 65536 is
    9.997e-9.  For powers of two the division rounds nothing, except below float32's smallest normal number.  It stands
    first (leftmost), once per micro-batch, so ``Accumulate`` holds gradients of all scales together.

    A gradient that is not finite is skipped, and the scale goes down, if the scaler is dynamic.  At its smallest scale,
    and with a static scaler, the scale is not to blame: the gradient, divided as always, goes on to ``NonFinite``,
    which belongs to the right of this hook.

    The trace has the scale in ``extra``, its inverse as the coefficient.  ``state_dict()`` is that of the scaler.

    Args:
        scaler: the :class:`LossScaler` whose ``scale(loss)`` was differentiated.

    Raises:
        TypeError: if ``scaler`` is none.
        RuntimeError: at a step on gradients that were formed with another scale than that of now.

    Example:
        >>> import numpy as np
        >>> from minigrad.hooks import LossScaler, Unscale, apply_hooks
        >>> small = np.array([1e-8])
        >>> small.astype(np.float16), (small * 65536).astype(np.float16)
        (array([0.], dtype=float16), array([0.000655], dtype=float16))
        >>> apply_hooks([Unscale(LossScaler(65536.0))], {"w": (small * 65536).astype(np.float16)})
        {'w': array([9.997166e-09], dtype=float32)}
    """

    role = "unscale"

    def __init__(self, scaler):
        if not isinstance(scaler, LossScaler):
            raise TypeError(f"Unscale(scaler): scaler is the LossScaler that scales the loss, not {scaler!r}; write "
                            f"scaler = hooks.LossScaler(), Unscale(scaler), and scaler.scale(loss).backward()")
        self.scaler = scaler

    def __call__(self, grads, ctx):
        scaler, scale = self.scaler, self.scaler.value
        if scaler.given not in (None, scale):
            raise RuntimeError(f"Unscale: the last loss was scaled by {scaler.given:g}, and since then a step has "
                               f"changed the scale to {scale:g}. Call scaler.scale(loss).backward() before each step, "
                               f"and make one LossScaler per optimizer")
        ctx.note(scale=scale)
        found = {} if math.isfinite(ctx.norm) else non_finite(grads)
        if not found:
            scaler.good()
            ctx.note(cosine=1.0)
        elif scaler.bad():
            return SKIP.because(f"not finite at scale {scale:g}: {describe(found)}; the scale is {scaler.value:g} now")
        else:
            why = "the smallest scale" if scaler.dynamic else "the static scale"
            ctx.note(reason=f"not finite at {why}, {scale:g}: {describe(found)}")
        ctx.note(coefficient=1.0 / scale)
        return {name: None if g is None else divided(g, scale) for name, g in grads.items()}

    def reset(self):
        """Put the scaler back to its first scale."""
        self.scaler.reset()

    def state_dict(self):
        """Return what the scaler remembers: its scale, and its count of finite gradients."""
        return self.scaler.state_dict()

    def load_state_dict(self, state):
        """Give the scaler a state back; ValueError, and nothing changed, if it is none of a scaler."""
        self.scaler.load_state_dict(state)

    def __repr__(self):
        return f"Unscale({self.scaler!r})"


def divided(g, scale):
    """Return g / scale in at least float32; the same array where there is nothing to do."""
    wide = g.astype(np.promote_types(g.dtype, np.float32), copy=False)
    if scale == 1.0:
        return wide
    # A scale below 1 may leave the floats: then it is inf, and that is for the next hook.
    with np.errstate(over="ignore", under="ignore"):
        return wide / scale


def in_float32(value, what):
    """Return a scale as a float, refusing what float32 does not hold as a normal number."""
    number = positive(value, what, finite=True)
    if not LOWEST <= number <= HIGHEST:
        raise ValueError(f"{what} = {value!r}: must be between 2**-126 and 2**127, as losses are scaled in float32")
    return number


def is_whole(value):
    """Whether this is a whole number."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and float(value).is_integer()

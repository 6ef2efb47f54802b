"""Clipping by norm at thresholds that follow from the norms seen so far: a percentile of them, or their average."""

import math
from reprlib import repr as brief

import numpy as np

from minigrad.hooks.clip import clip_together
from minigrad.hooks.lengths import Scaling, finite
from minigrad.hooks.protocol import Stateful, now, positive, shown, threshold_at, whole


class AdaptiveClip(Scaling, Stateful):
    """What the adaptive clips share; a new one writes ``limit`` alone.

    They clip as ``ClipNorm`` does: by one factor, the very same arrays where there is nothing to do.  A gradient that
    holds NaN or inf passes as it is and leaves no trace in what they remember (``NonFinite`` says what should happen to
    it); neither does one of zero, which says nothing about lengths: so a threshold is always > 0.
    """

    role = "clip"

    def limit(self, length, ctx):
        """Return the threshold for a norm > 0, inf while there is none, and remember the norm.

        A norm of inf is that of finite arrays and beyond the largest float: it has a threshold, and is not remembered.
        """
        raise NotImplementedError(f"{type(self).__name__} has no limit(self, length, ctx), which returns the threshold")

    def scaled(self, grads, ctx):
        if ctx.norm == 0:
            return grads
        if not math.isfinite(ctx.norm) and not finite(grads):
            ctx.note(reason="not finite: neither clipped nor remembered")
            return grads
        return clip_together(grads, ctx.norm, self.limit(ctx.norm, ctx), ctx)


class AutoClip(AdaptiveClip):
    """Clip by norm at a percentile of the norms seen so far.

    The norm is remembered first, then the threshold is that percentile of the history, linear between two entries
    (Seetharaman, Wichern, Pardo, Le Roux 2020).  So the first gradient passes as it is, and equal norms are never
    clipped.

    It is no guard against spikes alone: at percentile 10 it clips about 9 steps in 10, whatever the norms are; then the
    length of a step is the threshold's, and only the direction is the gradient's.  A norm that grows for good is
    clipped to the old level until the history has forgotten that.

    Args:
        percentile: in (0, 100], or a function of the step; at 100 it never clips.
        history: how many norms are remembered, at least 1.  The paper keeps all of the run; a number larger than the
            run does so here.

    Raises:
        ValueError: for a percentile or a history out of its range.

    Example:
        >>> import numpy as np
        >>> from minigrad.hooks import AutoClip, apply_hooks
        >>> clip = AutoClip(50)
        >>> for length in (1.0, 3.0, 8.0):
        ...     print(apply_hooks([clip], {"w": np.array([length])})["w"])
        [1.]
        [2.]
        [3.]
    """

    remembers = {"norms": np.zeros(0)}

    def __init__(self, percentile=10, history=1000):
        self.percentile = percentile if callable(percentile) else checked_percentile(percentile)
        self.history = whole(history, "history")

    def limit(self, length, ctx):
        percentile = self.percentile
        if callable(percentile):
            percentile = checked_percentile(percentile(ctx.step), now(ctx, "percentile"))
        if length < math.inf:
            self.norms = remembered(self.norms, length, self.history)
        return float(np.percentile(self.norms, percentile)) if len(self.norms) else math.inf

    def check_state(self, state):
        check_norms("AutoClip", state["norms"])

    def __repr__(self):
        return f"AutoClip({shown(self.percentile)}, history={self.history})"


class ClipAverage(AdaptiveClip):
    """Clip by norm at a multiple of the average norm.

    threshold = factor * mean(the last norms), of the gradients as they came, before this clip, and without the present
    one (after Pascanu, Mikolov, Bengio 2013, who take the average over a large number of updates, and found half of it
    to ten times it to work).  Until ``warmup`` norms are known nothing is clipped.

    It is not robust: one spike, clipped or not, raises the average, and the threshold, by its share of the history,
    until that has forgotten it (the percentile of ``AutoClip`` hardly moves).

    Args:
        factor: a number > 0, or a function of the step; inf measures and never multiplies.
        history: over how many norms the average is taken.
        warmup: how many norms make an average, at least 1 and at most ``history``; by default 25, or ``history`` if
            that is less.

    Raises:
        ValueError: for a factor that is not > 0, or a history or warmup out of its range.

    Example:
        >>> import numpy as np
        >>> from minigrad.hooks import ClipAverage, apply_hooks
        >>> clip = ClipAverage(2.0, warmup=2)
        >>> for length in (1.0, 3.0, 8.0):
        ...     print(apply_hooks([clip], {"w": np.array([length])})["w"])
        [1.]
        [3.]
        [4.]
    """

    remembers = {"norms": np.zeros(0)}

    def __init__(self, factor=2.0, history=1000, warmup=None):
        self.factor = factor if callable(factor) else positive(factor, "factor")
        self.history = whole(history, "history")
        self.warmup = min(25, self.history) if warmup is None else whole(warmup, "warmup")
        if self.warmup > self.history:
            raise ValueError(f"warmup = {self.warmup}: so many norms never come together, as history = {self.history}; "
                             f"use warmup <= history")

    def limit(self, length, ctx):
        factor, known = threshold_at(self.factor, ctx), self.norms
        if length < math.inf:
            self.norms = remembered(known, length, self.history)
        if len(known) < self.warmup:
            return math.inf
        return max(factor * average(known), math.ulp(0.0))          # not 0 where it underflows

    def check_state(self, state):
        check_norms("ClipAverage", state["norms"])

    def __repr__(self):
        return f"ClipAverage({shown(self.factor)}, history={self.history}, warmup={self.warmup})"


def remembered(norms, length, most):
    """Return norms, oldest first, with one more at the end, and no more than ``most`` of them."""
    return np.append(norms, length)[-most:]


def average(norms):
    """Return the mean; its sum cannot overflow, and the mean of equal norms is that norm to the bit."""
    top = float(np.max(norms))
    return float(np.mean(norms / top)) * top


def checked_percentile(value, what="percentile"):
    """Return a percentile as a float, checked."""
    if positive(value, what) > 100:
        raise ValueError(f"{what} = {value!r}: must be in (0, 100]")
    return float(value)


def check_norms(who, norms):
    """Refuse what is no history of norms: an array of one axis, of finite floats > 0."""
    if not isinstance(norms, np.ndarray) or norms.ndim != 1 or norms.dtype.kind != "f":
        raise ValueError(f"{who}: norms = {brief(norms)}: must be an array of floats with one axis")
    bad = norms[~(np.isfinite(norms) & (norms > 0))]
    if bad.size:
        raise ValueError(f"{who}: norms holds {float(bad[0])!r}: must be finite numbers > 0")

"""Clipping of spikes: norms that lie many standard deviations above the running mean."""

import math
import numbers

import numpy as np

from minigrad.hooks.adaptive import AdaptiveClip, average, check_norms, remembered
from minigrad.hooks.protocol import check_amount, positive, shown, threshold_at, whole
from minigrad.norms import norm

LEAST_SPREAD = 1e-6
"""Norms that differ by less than this part of their mean are taken for equal: they have no spread to measure by."""


class ZClip(AdaptiveClip):
    """Clip by norm what lies more than ``z`` standard deviations above the running mean of the norms.

    score = (norm - mean) / deviation; if it exceeds z, the norm becomes mean + (z^2 / score) deviation: the farther
    out, the closer to the mean (Kumar and others 2025, ZClip, with reciprocal clipping).  Then both take up the norm
    as clipped, and in this order,

        mean <- alpha mean + (1 - alpha) norm
        deviation^2 <- alpha deviation^2 + (1 - alpha) (norm - mean)^2

    The first ``warmup`` norms are gathered, without clipping, and mean and deviation begin as theirs (the deviation
    that of all, divided by their number).

    The authors' program adds 1e-6 to the deviation, which would make the hook deaf to norms that are that small.  Here
    a deviation below 1e-6 of the mean counts as none: there is no score, nothing is clipped, and the norm is taken up.

    It does nothing about a spike in the warmup, which even raises the deviation.  And it does not follow a lasting
    rise: where all norms become several times larger at once, each is clipped to about the old mean, the deviation
    shrinks, and the old level is held for hundreds of steps.

    Args:
        alpha: how much of the running mean is kept in a step, between 0 and 1.
        z: how many deviations are too many, a number > 0, or a function of the step; inf measures and never multiplies.
        warmup: how many norms the statistics begin with, at least 2.

    Raises:
        ValueError: for alpha, z or warmup out of its range.

    On record: ``zscore``, and as the threshold mean + z deviation, or where that was exceeded, what the norm became.

    Example:
        >>> import numpy as np
        >>> from minigrad.hooks import ZClip, apply_hooks
        >>> clip = ZClip(z=2.0, warmup=2)
        >>> for length in (2.0, 4.0, 5.0, 103.0):       # mean 3, deviation 1; then a little more
        ...     print(apply_hooks([clip], {"w": np.array([length])})["w"].round(3))
        [2.]
        [4.]
        [5.]
        [3.103]
    """

    remembers = {"norms": np.zeros(0), "mean": None, "deviation": None}

    def __init__(self, alpha=0.97, z=2.5, warmup=25):
        if isinstance(alpha, bool) or not isinstance(alpha, numbers.Real) or not 0 < alpha < 1:
            raise ValueError(f"alpha = {alpha!r}: must be a number between 0 and 1")
        self.alpha = float(alpha)
        self.z = z if callable(z) else positive(z, "z")
        self.warmup = whole(warmup, "warmup")
        if self.warmup < 2:
            raise ValueError(f"warmup = {warmup!r}: must be at least 2, as a deviation is that of several norms")

    def limit(self, length, ctx):
        z = threshold_at(self.z, ctx)
        if self.mean is None:
            if length < math.inf:
                self.gather(length)
            return math.inf
        limit = math.inf
        if self.deviation > LEAST_SPREAD * self.mean:
            score = (length - self.mean) / self.deviation
            ctx.note(zscore=score)
            limit = self.mean + z * self.deviation
            if length > limit:
                limit = self.mean + z * (z / score) * self.deviation
        if length < math.inf:
            self.take_up(min(length, limit))
        return limit

    def gather(self, length):
        """Remember a norm of the warmup; with the last one begin the statistics."""
        self.norms = remembered(self.norms, length, self.warmup)
        if len(self.norms) == self.warmup:
            self.mean = average(self.norms)
            # In parts of the mean, as the norm of large differences may be inf where the deviation is none.
            self.deviation = norm((self.norms - self.mean) / self.mean) / math.sqrt(self.warmup) * self.mean
            self.norms = np.zeros(0)

    def take_up(self, length):
        """Let the running statistics follow one norm; in roots, not squares, so that none overflows."""
        self.mean += (1 - self.alpha) * (length - self.mean)
        self.deviation = math.hypot(math.sqrt(self.alpha) * self.deviation,
                                    math.sqrt(1 - self.alpha) * (length - self.mean))

    def check_state(self, state):
        check_norms("ZClip", state["norms"])
        mean, deviation = state["mean"], state["deviation"]
        if (mean is None) != (deviation is None):
            raise ValueError(f"ZClip: mean = {mean!r} and deviation = {deviation!r}: must be None both, or neither")
        if mean is not None:
            check_amount(mean, "ZClip: mean", above=True)
            check_amount(deviation, "ZClip: deviation")

    def __repr__(self):
        return f"ZClip(alpha={self.alpha!r}, z={shown(self.z)}, warmup={self.warmup})"

"""The slope of a profile of norms in decades per layer, with an interval that can be believed."""

import math
from typing import NamedTuple

import numpy as np


class Fit(NamedTuple):
    """A straight line through log10 of a norm.

    Attributes:
        slope: decades per layer on the way back from the loss: below 0 the norm shrinks.
        low, high: the 95 % confidence interval of the slope; infinite for two points.
        intercept: log10 of the norm where the line begins, ``start`` layers from the first.
        start: the layer (its place in the profile) where the way back begins.
        layers: how many norms the line goes through.
        left_out: how many were 0, inf or NaN, and so have no place on it.
    """

    slope: float
    low: float
    high: float
    intercept: float
    start: int
    layers: int
    left_out: int

    def at(self, places):
        """Return the norms on the line at some places in the profile."""
        with np.errstate(over="ignore", under="ignore"):
            return 10.0 ** (self.intercept + self.slope * (self.start - np.asarray(places, dtype=float)))


def fit(norms):
    """Fit the slope of log10 norm on the way back, from the last layer to the first.

    The line is that of least squares.  Its interval is not the textbook's, which takes the distances from the line as
    independent of each other.  Those of a profile hang together: the norm at a layer is that behind it times a random
    factor, so its logarithm is a random walk (Furstenberg and Kesten 1960), and the textbook's interval would hold the
    slope far less often than it says.  Here the steps of the walk d_k are taken as independent.  The slope is a
    weighted sum of them, sum w_k d_k, so its variance is sum w_k^2 times that of a step, and Student's t with
    as many degrees of freedom as there are steps less one gives the interval.  Where the distances are independent
    after all, it is too wide.

    Args:
        norms: one per layer, in order of the forward pass; what is not finite or 0 is left out, None and NaN too.

    Returns:
        a :class:`Fit`, or None for fewer than two ordinary norms.

    Example:
        >>> from minigrad.gradient_flow.fitting import fit
        >>> fit([1e-4, 1e-3, 1e-2, 1e-1]).slope
        -1.0
    """
    norms = np.array([math.nan if n is None else n for n in norms], dtype=float)
    there = np.flatnonzero(np.isfinite(norms) & (norms > 0))
    if len(there) < 2:
        return None
    x, y = (there[-1] - there)[::-1].astype(float), np.log10(norms[there])[::-1]
    off = x - x.mean()
    spread = float(off @ off)
    slope = float(off @ y) / spread
    intercept = float(y.mean() - slope * x.mean())
    gaps = np.diff(x)
    weights = -np.cumsum(off)[:-1] / spread                     # of the step after the k-th point
    errors = np.diff(y) - slope * gaps
    free = len(errors) - 1
    half = math.inf
    if free > 0:
        # A step over g layers has g times the variance of one.
        variance = float(np.sum(errors ** 2 / gaps)) / free
        half = student_t(free) * math.sqrt(variance * float(np.sum(gaps * weights ** 2)))
    return Fit(round_off(slope), slope - half, slope + half, intercept, int(there[-1]), len(there),
               len(norms) - len(there))


class Bend(NamedTuple):
    """Where a profile turns from one slope to another.

    Attributes:
        place: the layer (its place in the profile) at which it bends.
        before: the :class:`Fit` from the loss to there.
        after: the :class:`Fit` from there to the first layer.
    """

    place: int
    before: Fit
    after: Fit


BRIDGE = math.sqrt(math.log(2 / 0.001) / 2)
"""What the largest distance of a Brownian bridge from 0 stays below with probability 99.9 % (Kolmogorov 1933)."""

LIFT = 0.5
"""A bend that moves the profile by fewer decades than this away from one line is not worth a word."""


def bend_of(norms):
    """Return the :class:`Bend` of a profile, or None where one line does as well.

    Between its ends a random walk with one drift goes as a Brownian bridge about the chord.  The profile bends where it
    is farthest from that, if so far that a bridge would be once in 1000 times, half a decade at least, and the 95 %
    intervals of the slopes on both sides have nothing in common.

    Args:
        norms: as for :func:`fit`.

    Example:
        >>> from minigrad.gradient_flow.fitting import bend_of
        >>> found = bend_of([10.0 ** max(0.1 * (20 - k), 0.01 * (20 - k)) for k in range(100)])
        >>> found.place, round(found.before.slope, 2), round(found.after.slope, 2)
        (20, 0.01, 0.1)
    """
    norms = np.array([math.nan if n is None else n for n in norms], dtype=float)
    there = np.flatnonzero(np.isfinite(norms) & (norms > 0))
    if len(there) < 8:
        return None
    y, x = np.log10(norms[there]), (there - there[0]).astype(float)
    drift, gaps = (y[-1] - y[0]) / x[-1], np.diff(x)
    away = np.abs(y - y[0] - drift * x)
    variance = float(np.sum((np.diff(y) - drift * gaps) ** 2 / gaps)) / (len(gaps) - 1)
    knee = int(away.argmax())
    if away[knee] < max(LIFT, BRIDGE * math.sqrt(variance * x[-1])) or min(knee, len(x) - 1 - knee) < 3:
        return None
    place = int(there[knee])
    after, before = fit(norms[:place + 1]), fit(norms[place:])
    if before.low <= after.high and after.low <= before.high:
        return None
    return Bend(place, before._replace(start=before.start + place), after)


def round_off(value):
    """Return a number without the last digits, which are those of rounding."""
    return float(f"{value:.14g}")


def student_t(free):
    """Return the number that Student's t stays below in magnitude with probability 95 %.

    Found by bisection of the distribution function, which for a whole number of degrees of freedom is a finite sum
    (Abramowitz and Stegun 1964, 26.7.3 and 26.7.4).

    Example:
        >>> from minigrad.gradient_flow.fitting import student_t
        >>> round(student_t(1), 3), round(student_t(10), 3), round(student_t(100000), 3)
        (12.706, 2.228, 1.96)
    """
    if free > 1000:                             # to the third digit, the normal distribution
        return 1.959964 + 2.372 / free
    low, high = 1.9, 13.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if within(middle, free) < 0.95 else (low, middle)
    return (low + high) / 2


def within(t, free):
    """Return the probability that Student's t with whole degrees of freedom lies between -t and t."""
    angle = math.atan(t / math.sqrt(free))
    sine, square = math.sin(angle), math.cos(angle) ** 2
    odd = free % 2
    term = total = math.cos(angle) if odd else 1.0
    for k in range(2 + odd, free - 1, 2):
        term *= square * (k - 1) / k
        total += term
    if odd:
        return 2 / math.pi * (angle + (sine * total if free > 1 else 0.0))
    return sine * total

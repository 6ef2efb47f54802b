"""Which threshold to clip the gradient norm at: what each candidate would have done to the norms of a trace."""

import math
import numbers
import sys
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from minigrad.trace.report import Facts, Report, Table, counted, share, short
from minigrad.trace.robust import find_spikes, fit_trend, mean, median
from minigrad.trace.series import as_it_came, series

FEWEST = 100
"""Usable norms that a recommendation needs: with so many, a share of steps is known to within ten points (twice the
standard error of a share of one half), and Pascanu's rule speaks of the average over many updates."""

WINDOW = (0.5, 10.0)
"""The window of Pascanu, Mikolov and Bengio (2013), in average norms."""

AUTOCLIP = 10
"""The percentile of the norms so far at which AutoClip clips (Seetharaman, Wichern, Pardo and Le Roux 2020)."""

PERCENTILES = (10, 25, 50, 75, 90, 95, 99)

NEARLY_ALL = 0.895
"""A threshold that acts on nine steps in ten (as AutoClip's, give or take a step) sets the length of nearly all."""

MOST_ROUND = 12
"""So many round candidates are shown at most."""

MUCH_NOT_FINITE = 0.01
"""From this share on, norms that are not finite are the first thing to mend."""

MUCH_TREND = 1.0
"""From so many decades over the run on, one number fits a part of it."""

SMALLEST = 5e-324
"""The smallest float above 0."""

AT_THE_TOP = 0.05
"""Where this share of the norms at least equals the largest, somebody may have clipped them."""


class Basis(NamedTuple):
    """What the advice rests on.

    Attributes:
        where: in words, where they were measured: in front of the clip, or behind the last hook.
        hook, stage, group: of what was recorded there; ``group`` is empty for all parameters together.
        before_clipping: True for the norms in front of a clip or of a run without one; None where somebody else's
            program has logged them, and may have clipped before.
        p: which p-norm they are in.
        calls: norms in the trace.
        used: of these, finite ones; the others are left out of every number below.
        nan, inf, zero: norms that are NaN, infinite, exactly 0 (these are used).
        spikes: calls that belong to a spike (see :func:`~minigrad.trace.robust.find_spikes`).
        start: calls at the beginning of the run whose norm stands out like a spike's.
        share_clipped: of the gradients, by the clip that was active in the run; None without one.
        threshold: that clip's (its median where it changed); None without one, or where it is none of the whole norm.
    """

    where: str
    hook: str
    stage: int
    group: str
    before_clipping: bool | None
    p: float
    calls: int
    used: int
    nan: int
    inf: int
    zero: int
    spikes: int
    start: int
    share_clipped: float | None
    threshold: float | None


class Average(NamedTuple):
    """The average norm, thrice.

    Attributes:
        mean: arithmetic, of all finite norms: the average that Pascanu, Mikolov and Bengio name.
        mean_without_spikes: the same, spikes and a start that stands out left out; the window and the
            recommendation rest on this one.
        median: the middle norm.
    """

    mean: float
    mean_without_spikes: float
    median: float


class Candidate(NamedTuple):
    """A threshold and what it would have done.

    Attributes:
        threshold: c.
        why: "round", "10th percentile", "in use" or "asked for".
        clipped: share of the norms above c.
        cut: share of the norm that a clip at c would have taken away, 1 - sum min(n, c) / sum n.
        coefficient: median of c / n over the norms above c, None if there are none.
        in_window: whether c lies in the window of the average norm.
        acts: "nearly always" from a share of 0.9 on, "never", or "".
    """

    threshold: float
    why: str
    clipped: float
    cut: float
    coefficient: float | None
    in_window: bool
    acts: str


@dataclass(frozen=True)
class Advice(Report):
    """What :func:`advise` returns; ``print`` it, show it in a notebook, or take ``as_dict()``.

    Attributes:
        recommended: a threshold, or None where there is too little to go by.
        reason: why this one, or why none.
        basis: :class:`Basis`.
        average: :class:`Average`, None without a norm above 0.
        window: (half, ten times) that average, None likewise.
        autoclip: the 10th percentile of the norms, None likewise.
        candidates: list of :class:`Candidate`, ascending.
        warnings: list of sentences.
    """

    recommended: float | None
    reason: str
    basis: Basis
    average: Average | None
    window: tuple | None
    autoclip: float | None
    candidates: list
    warnings: list

    @property
    def title(self):
        if self.recommended is None:
            return "Threshold on the gradient norm: no recommendation"
        return f"Threshold on the gradient norm: {short(self.recommended)}"

    def parts(self):
        """Return the reason, the warnings, the basis and the averages, and the table of candidates."""
        facts = [("Why", self.reason), *(("Warning", text) for text in self.warnings), ("Basis", self.basis_text())]
        if self.average is not None:
            a, (low, high) = self.average, self.window
            without = self.left_out()
            facts += [("Average", f"mean {short(a.mean)}, without {without} {short(a.mean_without_spikes)}, median "
                                  f"{short(a.median)}"),
                      ("Window", f"{short(low)} to {short(high)}: half to ten times the average without {without} "
                                 f"(Pascanu, Mikolov and Bengio 2013)"),
                      ("AutoClip", f"{short(self.autoclip)}, the {AUTOCLIP}th percentile: it clips nine steps in ten "
                                   f"(Seetharaman et al. 2020)")]
        parts = [Facts(facts)]
        if self.candidates:
            rows = [(short(c.threshold), c.why, share(c.clipped), short(c.coefficient), share(c.cut),
                     "yes" if c.in_window else "no", c.acts) for c in self.candidates]
            parts.append(Table(("threshold", "", "clipped", "to", "norm cut", "in window", "acts"), rows))
            parts.append("clipped: share of the norms above the threshold; to: what the median one of these is "
                         "multiplied by; norm cut: what is taken away of the sum of all norms.")
        return parts

    def left_out(self):
        """Return in words what the average that the window rests on is without."""
        return "spikes and the start" if self.basis.start else "spikes"

    def basis_text(self):
        """Return in words what the norms are, and which of them were left out."""
        b = self.basis
        kind = "norms" if b.p == 2 else f"L{b.p:g} norms"
        of = f" of {b.group}" if b.group else ""
        left = [f"{n} {word}" for n, word in ((b.nan, "NaN"), (b.inf, "infinite")) if n]
        return (f"{b.used} of {b.calls} {kind}{of} {b.where}"
                + (f"; {' and '.join(left)} left out" if left else ", all finite")
                + (f"; {b.zero} exactly 0" if b.zero else "")
                + (f"; {b.spikes} in spikes" if b.spikes else "; no spikes")
                + (f"; the first {b.start} stand out, as the start of the run" if b.start else ""))


def advise(trace, thresholds=()):
    """Say which threshold to clip the gradient norm at, from the norms of a run.

    The recommendation is the middle of the window of Pascanu, Mikolov and Bengio, sqrt(0.5 * 10) = 2.24 times the
    average norm, as the nearest of the numbers 1, 2, 5 times a power of ten.  The middle stays in the window should the
    average of the next run be another by a factor of 4.4 either way, its round neighbour by 2.8.  The average leaves
    spikes out, since one norm of 1e6 among a thousand of 1 makes the plain mean 1000, and the start of a run that
    begins much higher than it goes on.

    It is advice for a clip of the norm of all parameters together, ``hooks.ClipNorm(c)``, in the p-norm of the trace.

    Args:
        trace: a :class:`minigrad.NormTrace`; best of a run without clipping, or with one that seldom acts.
        thresholds: further candidates, numbers > 0.

    Returns:
        an :class:`Advice`; its ``recommended`` is None for a trace with fewer than 100 finite norms, or only zeros; and
        for one from elsewhere in which many of the norms (5 % or more, and more than equal any other) equal the
        largest, since that looks like a log of norms after clipping, and what matters are those before.

    Raises:
        ValueError: if the trace is empty, or a threshold is not a number > 0.

    Example:
        >>> from minigrad.trace import NormTrace
        >>> trace = NormTrace.from_columns({"norm_in": [2.0, 3.0, 4.0, 3.0] * 50})
        >>> advice = advise(trace)
        >>> advice.recommended, advice.average.mean, advice.window
        (5.0, 3.0, (1.5, 30.0))
        >>> print(advise(NormTrace.from_columns({"norm_in": [1.0] * 500})).recommended)
        None
    """
    asked = [check(c) for c in thresholds]
    s = series(trace).that_came()
    finite = np.isfinite(s.before)
    norms = np.sort(s.before[finite])
    found = find_spikes(s.before)
    where = (f"in front of {s.name} (stage {s.stage})" if s.clips else
             f"as they left {s.hook} (stage {s.stage})" if s.stage else as_it_came(trace))
    basis = Basis(where, s.name if s.clips else s.hook, s.stage, s.group,
                  None if where == "as recorded" else True, s.p, len(s.before), len(norms),
                  int(np.isnan(s.before).sum()), int(np.isinf(s.before).sum()), int((norms == 0).sum()),
                  int(found.inside.sum()), int(found.opening.sum()), *in_use(trace, s))
    if not norms.size or norms[-1] == 0:
        return Advice(None, f"all {counted(len(norms), 'finite norm')} are 0" if norms.size else "no norm is finite",
                      basis, None, None, None, [], warnings(basis, []))
    quiet = s.before[finite & ~found.inside & ~found.opening]
    usual = max(mean(quiet), SMALLEST)
    average = Average(mean(norms), usual, median(norms))
    low, high = (min(max(k * usual, SMALLEST), sys.float_info.max) for k in WINDOW)
    middle = math.log10(usual) + (math.log10(WINDOW[0]) + math.log10(WINDOW[1])) / 2
    none = reason_for_none(basis, norms)
    recommended = None if none else nearest_round(middle)
    candidates = [judged(c, why, norms, (low, high))
                  for c, why in sorted(proposals(norms, recommended, basis.threshold, asked).items())]
    by_threshold = {c.threshold: c for c in candidates}
    reason = none or why(by_threshold[recommended], average)
    noted = [by_threshold[c] for c in (recommended, basis.threshold, *asked) if c in by_threshold]
    return Advice(recommended, reason, basis, average, (float(low), float(high)),
                  float(np.percentile(norms, AUTOCLIP)), candidates,
                  warnings(basis, list(dict.fromkeys(noted)), fit_trend(s.steps, s.before)))


def check(threshold):
    """Return a threshold as a float, or raise ValueError."""
    value = float(threshold) if isinstance(threshold, numbers.Real) and not isinstance(threshold, bool) else math.nan
    if not 0 < value < math.inf:
        raise ValueError(f"a threshold to try must be a finite number > 0, not {threshold!r}")
    return value


def in_use(trace, s):
    """Return the share that the run's own clip shortened, and its threshold; None for both without a clip."""
    limits = s.threshold[~np.isnan(s.threshold)]
    return (float(trace.share_clipped()) if s.clips else None,
            median(limits) if s.of_norm and limits.size else None)


def nearest_round(logarithm):
    """Return the float of the form 1, 2 or 5 times a power of ten whose decimal logarithm is nearest to a given one.

    Example:
        >>> nearest_round(math.log10(6.7)), nearest_round(-2.1), nearest_round(math.log10(8.0))
        (5.0, 0.01, 10.0)
    """
    exponent = math.floor(logarithm)
    return min(rounds(exponent, exponent + 1), key=lambda c: abs(math.log10(c) - logarithm))


def rounds(low, high, multiples=(1, 2, 5)):
    """Return the multiples of the powers of ten from 10**low to 10**high that are floats."""
    return [c for e in range(low, high + 1) for k in multiples if 0 < (c := float(f"{k}e{e}")) < math.inf]


def proposals(norms, recommended, used, asked):
    """Return the candidates as {threshold: why}; ``norms`` are sorted and finite, the largest is > 0.

    Round numbers run from the 5th percentile to the 99th, or to ten times the median; where that are too many, they are
    powers of ten, or every k-th of these.  One more is above the largest norm.
    """
    positive = norms[norms > 0]
    low = float(np.percentile(positive, 5))
    high = max(float(np.percentile(positive, 99)), min(10 * median(positive), positive[-1]))
    ends = math.floor(math.log10(low)), math.ceil(math.log10(high))
    inside = [c for c in rounds(*ends) if low <= c <= high]
    if len(inside) > MOST_ROUND:
        inside = [c for c in rounds(*ends, (1,)) if low <= c <= high]
        inside = inside[::math.ceil(len(inside) / MOST_ROUND)]
    top = math.floor(math.log10(positive[-1]))
    inside += [c for c in rounds(top, top + 1) if c > positive[-1]][:1]
    found = {c: "round" for c in inside}
    for q in PERCENTILES:
        c = float(np.percentile(norms, q))
        if c > 0:
            found.setdefault(c, f"{q}th percentile")
    if recommended is not None:
        found[recommended] = "recommended"
    for c in asked:
        found.setdefault(c, "asked for")
    if used is not None and math.isfinite(used):
        found[used] = "in use" if used != recommended else "recommended, in use"
    return found


def judged(c, why, norms, window):
    """Return what a clip at ``c`` would have done to the norms (sorted, finite, the largest > 0)."""
    first = int(np.searchsorted(norms, c, side="right"))
    above = norms[first:]
    clipped = len(above) / len(norms)
    scaled = norms / norms[-1]                                # so that no sum overflows
    cut = float(np.sum(scaled[first:] - c / norms[-1]) / np.sum(scaled)) if len(above) else 0.0
    acts = "nearly always" if clipped >= NEARLY_ALL else "" if clipped else "never"
    return Candidate(float(c), why, clipped, max(cut, 0.0), median(c / above) if len(above) else None,
                     window[0] <= c <= window[1], acts)


def why(candidate, average):
    """Return the reason for the recommendation, in words."""
    times = candidate.threshold / average.mean_without_spikes
    acted = (f"it would have clipped {share(candidate.clipped)} of these steps, the median one of them to "
             f"{short(candidate.coefficient)} of its length" if candidate.clipped else
             "it would have clipped none of these steps: a guard against a spike that has not come yet")
    return (f"{times:.2g} times the average norm, the round number nearest to the middle of the window of half to ten "
            f"times it; {acted}")


def piled_up(norms):
    """Return the share of the norms (sorted) that equal the largest, as clipping leaves them; 0 if it is not unusual.

    It is if it is five times what lies within the next thousandth below, and five times the share of norms that any
    norm equals (as logs of few digits have them).
    """
    lowest = int(np.searchsorted(norms, 0.999 * norms[-1]))
    top, below = (len(norms) - lowest) / len(norms), norms[:lowest]
    beside = np.mean((norms >= 0.998 * norms[-1]) & (norms < 0.999 * norms[-1]))
    ties = np.searchsorted(below, below, "right") - np.searchsorted(below, below, "left")
    usual = float(np.median(ties)) / len(norms) if len(below) else 0.0
    return top if top >= max(AT_THE_TOP, 5 * beside, 5 * usual) else 0.0


def reason_for_none(basis, norms):
    """Return why there is no recommendation, "" where there is one; ``norms`` are sorted and finite."""
    if len(norms) < FEWEST:
        return (f"{counted(len(norms), 'finite norm')}, and at least {FEWEST} are needed: with so many, a share of "
                f"steps is known to within ten points")
    top = 0.0 if basis.before_clipping else piled_up(norms)
    if not top:
        return ""
    return (f"{share(top)} of the norms equal the largest, {short(float(norms[-1]))}, so they look as if logged after "
            f"clipping at that; advice needs the norms before it")


def warnings(basis, noted, trend=None):
    """Return what speaks against trusting a number, as sentences without their full stop."""
    said = []
    b = basis
    for c in noted:
        if c.acts == "nearly always":
            said.append(f"a threshold of {short(c.threshold)} ({c.why}) acts on {share(c.clipped)} of the steps: it "
                        f"sets the length of nearly every step, so it is a learning rate on the normalised gradient, "
                        f"not a guard")
        elif c.acts == "never" and c.why != "recommended":
            said.append(f"a threshold of {short(c.threshold)} ({c.why}) is never reached: it does nothing here")
    if b.share_clipped:
        much = ", so an unclipped run may meet quite other norms" if b.share_clipped > 0.5 else ""
        said.append(f"the run was itself clipped, {share(b.share_clipped)} of its gradients by {b.hook}: these are "
                    f"the norms in front of the clip, but on the path that the clipped run took{much}")
    bad = b.nan + b.inf
    if bad > MUCH_NOT_FINITE * b.calls:
        said.append(f"{share(bad / b.calls)} of the norms are not finite, and no threshold mends that: skip such steps "
                    f"(hooks.NonFinite), lower the learning rate, or clip inside the backward pass")
    if trend is not None and abs(trend.decades) >= MUCH_TREND and trend.low * trend.high > 0:
        said.append(f"the norm has moved by {trend.decades:+.2g} decades over the run, so one number fits only a part "
                    f"of it; advise on the part that matters, or take an adaptive threshold (hooks.AutoClip, "
                    f"hooks.ZClip)")
    return said

"""What a trace says in one page: percentiles, trend, spikes, and how often a clip acted."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from minigrad.trace.report import Facts, Report, Table, counted, share, short
from minigrad.trace.risers import Risers, not_finite_in
from minigrad.trace.robust import FEWEST_FOR_TREND, WINDOW, Trend, find_spikes, fit_trend, median
from minigrad.trace.series import as_it_came, series

PERCENTILES = {"min": 0, "5 %": 5, "25 %": 25, "median": 50, "75 %": 75, "95 %": 95, "99 %": 99, "max": 100}

FEWEST = 20
"""Among fewer norms there is no percentile but the median; and one is given where a norm at least lies beyond it."""

FEW = ("min", "median", "max")

LISTED = 20
"""So many spikes are described, the largest ones; all are counted."""

PRINTED = 5


class Distribution(NamedTuple):
    """The norms in one place of the pipeline.

    Attributes:
        place: where, in words.
        finite, zero, nan, inf: how many of the norms are finite, exactly 0, NaN, infinite (0 is finite, too).
        percentiles: name -> norm, of the finite ones, interpolated linearly; None where too few are finite: of fewer
            than 20 there are min, median and max, and 1 and 99 % take a hundred.
    """

    place: str
    finite: int
    zero: int
    nan: int
    inf: int
    percentiles: dict


class Calls(NamedTuple):
    """How many calls of the optimizer there were, and how they ended.

    Attributes:
        total: all of them, the sum of ``taken`` (updates), ``held``, ``skipped`` and ``raised``.
        kept: of these, those in the trace; all numbers but the counts here and the share clipped are of these.
        first, last: the smallest and largest number of a step that is kept.
    """

    total: int
    kept: int
    first: int
    last: int
    taken: int
    held: int
    skipped: int
    raised: int


class Clipped(NamedTuple):
    """What the clip did.

    Attributes:
        hook: its name.
        share: of the gradients that came to it, the share that it shortened, or shortened a part of.
        low, high: its smallest and largest threshold; None where it has none.
        of_norm: whether the threshold is one of the norm of all parameters together.
    """

    hook: str
    share: float
    low: float | None
    high: float | None
    of_norm: bool


class Spike(NamedTuple):
    """A rise above the running median.

    Attributes:
        step: of the largest norm in it.
        first_step: at which it began.
        calls: how long it lasted.
        norm: the largest norm in it.
        times: that norm in running medians.
        parameter: the one whose norm rose first, None where the trace has no rows of parameters.
        parameter_step: when that was: at ``first_step`` or the step before.
        parameter_times: its norm then, in medians of its own.
    """

    step: int
    first_step: int
    calls: int
    norm: float
    times: float
    parameter: str | None = None
    parameter_step: int | None = None
    parameter_times: float | None = None


class NotFinite(NamedTuple):
    """The first gradient that was not finite: its step and the parameters in which it was (empty where unknown)."""

    step: int
    parameters: list


@dataclass(frozen=True)
class Summary(Report):
    """What :func:`summary` returns; ``print`` it, show it in a notebook, or take ``as_dict()``.

    Attributes:
        calls: :class:`Calls`.
        norms: list of :class:`Distribution`: before and after the clip, or of the gradient as it came.
        p: which p-norm they are in.
        clipped: :class:`Clipped`, None where there is no clip.
        trend: :class:`~minigrad.trace.robust.Trend` of the norm before clipping, None with too few steps.
        spike_factor: a norm above this many running medians is a spike; None with too few norms.
        spike_count: number of spikes.
        start: (calls, times): for how many calls the norm stood out at the very beginning, by how many running medians
            at most; None where it did not.  That is no spike, as nothing was there before.
        spikes: list of :class:`Spike`, the largest first, at most 20.
        not_finite: :class:`NotFinite`, None where all are finite.
        nan_elements, inf_elements, zero_elements, missing: totals over all calls of what backward left, elements of
            the gradient and parameters without one; None where that was not counted.
        update_to_data: median over the updates of ||update|| / ||parameters||, None where not recorded.
        loss, lr: (first, last), None where not recorded.
        loss_not_finite: (how many losses are NaN or infinite, step of the first), None where all are finite.
    """

    calls: Calls
    norms: list
    p: float
    clipped: Clipped | None
    trend: Trend | None
    spike_factor: float | None
    spike_count: int
    spikes: list
    start: tuple | None
    not_finite: NotFinite | None
    nan_elements: int | None
    inf_elements: int | None
    zero_elements: int | None
    missing: int | None
    update_to_data: float | None
    loss: tuple | None
    lr: tuple | None
    loss_not_finite: tuple | None

    @property
    def title(self):
        c = self.calls
        kind = "Gradient norm" if self.p == 2 else f"Gradient norm (L{self.p:g})"
        if c.first == c.last:
            return f"{kind} of step {c.first}"
        if c.total == c.taken:
            return f"{kind} of {c.total} steps, {c.first} to {c.last}"
        return f"{kind} of {counted(c.total, 'call')} of the optimizer, steps {c.first} to {c.last}"

    def parts(self):
        """Return the table of percentiles, the table of facts, and that of the spikes."""
        rows = [(name, *(short(d.percentiles[name]) for d in self.norms)) for name in PERCENTILES
                if name in FEW or any(d.percentiles[name] is not None for d in self.norms)]
        for what in ("zero", "nan", "inf"):
            if any(getattr(d, what) for d in self.norms):
                rows.append(({"zero": "exactly 0", "nan": "NaN", "inf": "inf"}[what],
                             *(str(getattr(d, what)) for d in self.norms)))
        parts = [Table(("norm", *(d.place for d in self.norms)), rows)]
        parts.append(Facts(list(self.facts())))
        if self.spikes:
            shown = self.spikes[:PRINTED]
            named = any(s.parameter is not None for s in shown)
            rows = [(str(s.step), short(s.norm), short(s.times), str(s.calls), *([self.who(s)] if named else []))
                    for s in shown]
            head = "spike at step", "norm", "in medians", "calls", *(["first in"] if named else [])
            parts.append(Table(head, rows))
        return parts

    @staticmethod
    def who(spike):
        """Return which parameter rose first, in words."""
        if spike.parameter is None:
            return "-"
        return f"{spike.parameter} (x {short(spike.parameter_times)} at step {spike.parameter_step})"

    def facts(self):
        """Yield (name, text) of what is said in a line each."""
        c = self.calls
        ends = [(c.taken, "taken"), (c.held, "held"), (c.skipped, "skipped"), (c.raised, "raised an error")]
        thinned = f"; {c.kept} of them are kept in the trace" if c.kept < c.total else ""
        yield "Calls", ", ".join(f"{n} {word}" for n, word in ends if n or word == "taken") + thinned
        if self.clipped is not None:
            k = self.clipped
            limit = short(k.low) if k.low == k.high else f"{short(k.low)} to {short(k.high)}"
            of = "" if k.of_norm else ", which is none of the whole norm"
            yield "Clipped", (f"{share(k.share)} of the gradients that reached {k.hook}"
                              + ("" if k.low is None else f", threshold {limit}{of}"))
        if self.trend is None:
            yield "Trend", f"too few norms for one; {FEWEST_FOR_TREND} are needed"
        else:
            t = self.trend
            between = (f"95 % interval {t.low:+.3g} to {t.high:+.3g}" if math.isfinite(t.low)
                       else "it wanders too much for an interval")
            yield "Trend", (f"{t.slope:+.3g} decades per 1000 steps ({between}), {t.decades:+.3g} over the run; the "
                            f"median of all slopes between {counted(t.points, 'point')} (Theil and Sen)")
        if self.spike_factor is None:
            yield "Spikes", "too few norms to tell"
        else:
            more = f"; the largest {PRINTED} are below" if self.spike_count > PRINTED else ""
            yield "Spikes", (f"{self.spike_count} above {self.spike_factor:.3g} times the median of the {WINDOW} norms "
                             f"around{more}")
        if self.start is not None:
            lasted, times = self.start
            yield "Start", (f"the first {counted(lasted, 'call')} so high, up to {short(times)} medians of what "
                            f"follows: no spike, as nothing comes before")
        if self.not_finite is not None:
            n = self.not_finite
            where = f" in {', '.join(n.parameters)}" if n.parameters else ""
            yield "Not finite", f"first at step {n.step}{where}"
        elements = [(self.nan_elements, "NaN"), (self.inf_elements, "infinite"), (self.zero_elements, "exactly 0")]
        if any(n for n, _ in elements):
            yield "Elements", ", ".join(f"{n} {word}" for n, word in elements if n) + ", over all calls"
        if self.missing:
            yield "Missing", f"{counted(self.missing, 'gradient')} of single parameters, over all calls"
        if self.update_to_data is not None:
            yield "Update to data", f"median {short(self.update_to_data)}"
        odd = self.loss_not_finite
        for name, pair, more in (("Loss", self.loss, odd and f"; {odd[0]} not finite, first at step {odd[1]}"),
                                 ("Learning rate", self.lr, "")):
            if pair is not None:
                first, last = map(short, pair)
                yield name, (first if first == last else f"{first} at first, {last} at last") + (more or "")


def summary(trace):
    """Summarise a trace.

    Trend and spikes are those of the norm before clipping: see :func:`~minigrad.trace.robust.fit_trend` and
    :func:`~minigrad.trace.robust.find_spikes` for what they are.

    Args:
        trace: a :class:`minigrad.NormTrace`.

    Returns:
        a :class:`Summary`.

    Raises:
        ValueError: if the trace is empty.

    Example:
        >>> from minigrad.trace import NormTrace
        >>> trace = NormTrace.from_columns({"norm_in": [1.0, 2.0, 3.0, float("inf"), 2.0]})
        >>> found = summary(trace)
        >>> found.norms[0].percentiles["median"], found.norms[0].inf, found.not_finite.step
        (2.0, 1, 3)
    """
    s = series(trace).that_came()
    first = trace.column("norm_in", stage=0)[trace.given("norm_in", stage=0)]
    if s.clips:
        clipped = Clipped(s.name, float(trace.share_clipped()), *ends(s.threshold), s.of_norm)
        norms = [distribution(f"before {s.name}", s.before), distribution(f"after {s.name}", s.after)]
    else:
        clipped = None
        norms = [distribution(as_it_came(trace), first)]
        if s.stage > 0:
            norms.append(distribution(f"after {s.hook}", s.before))
    found = find_spikes(s.before)
    return Summary(
        calls=calls(trace), norms=norms, p=s.p, clipped=clipped, trend=fit_trend(s.steps, s.before),
        spike_factor=None if math.isnan(found.factor) else found.factor, spike_count=len(found.start),
        spikes=spikes(trace, s, found), start=start(s.before, found), not_finite=not_finite(trace),
        **{f"{name}_elements": total(trace, name) for name in ("nan", "inf", "zero")}, missing=total(trace, "missing"),
        update_to_data=update_to_data(trace), loss=first_and_last(trace, "loss"), lr=first_and_last(trace, "lr"),
        loss_not_finite=loss_not_finite(trace))


def distribution(place, values):
    """Return the :class:`Distribution` of some norms."""
    finite = values[np.isfinite(values)]
    n = len(finite)
    at = np.percentile(finite, list(PERCENTILES.values())).tolist() if n else [None] * len(PERCENTILES)
    at = [value if name in FEW or (n >= FEWEST and n * min(q, 100 - q) >= 100) else None
          for value, (name, q) in zip(at, PERCENTILES.items())]
    return Distribution(place, len(finite), int((values == 0).sum()), int(np.isnan(values).sum()),
                        int(np.isinf(values).sum()), dict(zip(PERCENTILES, at)))


def calls(trace):
    """Return how the calls of the optimizer ended."""
    steps = trace.column("step", stage=0)
    t = trace.totals
    return Calls(t.calls, len(steps), int(steps.min()), int(steps.max()), t.steps, t.held, t.skipped, t.raised)


def ends(values):
    """Return the smallest and largest of the values that apply."""
    values = values[~np.isnan(values)]
    return (float(values.min()), float(values.max())) if values.size else (None, None)


def total(trace, name):
    """Return the sum of a count over all calls, None where nothing was counted."""
    values = trace.column(name, stage=0)
    values = values[~np.isnan(values)]
    return int(values.sum()) if values.size else None


def first_and_last(trace, name):
    """Return the first and last value of what stands beside the norms, None where there is none."""
    values = trace.column(name, stage=0)[trace.given(name, stage=0)]
    return (float(values[0]), float(values[-1])) if values.size else None


def loss_not_finite(trace):
    """Return how many losses are NaN or infinite, and the step of the first; None where there is none."""
    bad = np.flatnonzero(~np.isfinite(trace.column("loss", stage=0)) & trace.given("loss", stage=0))
    return (len(bad), int(trace.column("step", stage=0)[bad[0]])) if bad.size else None


def start(values, found):
    """Return for how many calls the norm stood out at the beginning, and in medians how much; None if it did not."""
    high = values[found.opening]
    rest = values[np.isfinite(values) & ~found.opening][:WINDOW]
    return (len(high), float(high.max() / median(rest)) if rest.size else math.inf) if high.size else None


def update_to_data(trace):
    """Return the median of the update-to-data ratio, None where none was recorded."""
    ratios = np.ravel(trace.ratios())
    ratios = ratios[np.isfinite(ratios)]
    return median(ratios) if ratios.size else None


# ------------------------------------------------------------------------------------- who was first

def spikes(trace, s, found):
    """Return the largest spikes, each with the parameter that rose first."""
    order = sorted(range(len(found.start)), key=lambda k: (-found.times[k], found.start[k]))[:LISTED]
    risers = Risers(trace, found.factor) if order and trace.parameters() else None
    return [Spike(int(s.steps[found.peak[k]]), int(s.steps[found.start[k]]), int(found.stop[k] - found.start[k]),
                  float(s.before[found.peak[k]]), float(found.times[k]),
                  *(risers.first(s.calls[found.start[k]]) if risers else (None, None, None))) for k in order]


def not_finite(trace):
    """Return the first call whose gradient was not finite as backward left it, None where all were finite."""
    bad = np.flatnonzero(~np.isfinite(trace.column("norm_in", stage=0)) & trace.given("norm_in", stage=0))
    if not bad.size:
        return None
    step = int(trace.column("step", stage=0)[bad[0]])
    return NotFinite(step, not_finite_in(trace, trace.calls(stage=0)[bad[0]]) if trace.parameters() else [])

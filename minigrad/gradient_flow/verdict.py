"""The verdict on a series of deltas in plain words, and what would help; never more than was measured."""

import math
from typing import NamedTuple

import numpy as np

from minigrad.gradient_flow.remedies import futile, remedies
from minigrad.gradient_flow.rows import ordinary

FEWEST = 4
"""A slope is judged from so many layers on."""

CHANGE = 1.0
"""So many decades over all layers are vanishing or exploding; less may be healthy ..."""

WITHIN = 2.0
"""... if the interval, over all layers, stays within so many decades either way; else it is undecided."""

APART = 0.05
"""A prediction outside the interval is called so if it misses the slope by more than this part of itself."""

UNIT = {"layer": "layer", "step": "time step"}


class Verdict(NamedTuple):
    """What is to be said of a series.

    Attributes:
        kind: "healthy", "vanishing", "exploding", "underflow", "overflow", "nan", "cut" (exactly 0, and not by
            underflow), "undecided" (the interval is too wide, or the ways branch), "level" (a sum over the losses of
            many steps that neither grows nor shrinks, which says nothing of how far one of them reaches), "too few" or
            "no gradient".
        text: the same in a sentence or two, with numbers.
        help: list of what would help.
        futile: list of what would not, though it is often tried.
    """

    kind: str
    text: str
    help: list
    futile: list


BENT = ("vanishing", "exploding", "healthy", "level", "undecided")
"""Verdicts that rest on one slope."""


def judge(series, facts):
    """Return the verdict on a series; ``facts`` are :class:`~minigrad.gradient_flow.remedies.Facts` of the net."""
    kind, text = first_words(series)
    sentences = [text]
    if series.bend is not None and kind in BENT:
        sentences.append(about_bend(series))
    if kind in ("vanishing", "exploding", "underflow"):
        sentences += about_bars(series)
    return Verdict(kind, ". ".join(sentences), remedies(kind, series, facts), futile(kind, series))


def first_words(series):
    """Return the kind of a verdict and its first sentence."""
    if all(row.delta is None for row in series.rows):
        return "no gradient", "no gradient: none arrives at any of these layers; what they hold is frozen or detached"
    out_of_range = not_finite(series) or exactly_zero(series)
    if out_of_range:
        kind, text = out_of_range
        line = series.slope
        if line is not None and line.layers >= FEWEST:
            text += (f"; over the {line.layers} {UNIT[series.kind]}s with ordinary norms "
                     f"{decades(abs(line.slope))} decades a {series.kind} "
                     f"{'lost' if line.slope < 0 else 'gained'} on the way back ({interval(line)}{expected(series)})")
        return kind, text
    return by_slope(series)


def by_slope(series):
    """Judge by the slope alone."""
    line, unit = series.slope, UNIT[series.kind]
    rows = [row for row in series.rows[series.fitted] if ordinary(row.delta)]
    if series.branched:
        low, high = min(rows, key=lambda row: row.log10_delta), max(rows, key=lambda row: row.log10_delta)
        return "undecided", (f"undecided: the ways branch, so that delta does not go from row to row, and there is no "
                             f"slope; it is {number(low.delta)} at {where(series, low)}, the smallest, and "
                             f"{number(high.delta)} at {where(series, high)}, the largest")
    if line is None or line.layers < FEWEST:
        few = f"too few {unit}s for a slope: {len(rows)}, and it takes {FEWEST}"
        few += f" ({series.untrained} more get no gradient)" * bool(series.untrained)
        if len(rows) > 1:
            few += (f"; delta is {number(rows[-1].delta)} at {where(series, rows[-1])} and {number(rows[0].delta)} at "
                    f"{where(series, rows[0])}, {factor(rows[0].log10_delta - rows[-1].log10_delta)}")
        return "too few", few
    span = rows[-1].index - rows[0].index
    change, low, high = (span * value for value in (line.slope, line.low, line.high))
    rate = f"{decades(abs(line.slope))} decades a {series.kind} ({interval(line)}{expected(series)})"
    over = (f"delta is {number(rows[-1].delta)} at {where(series, rows[-1])} and {number(rows[0].delta)} at "
            f"{where(series, rows[0])}, {factor(rows[0].log10_delta - rows[-1].log10_delta)}")
    if change <= -CHANGE and high < 0:
        return "vanishing", f"vanishing: {rate}; {over}"
    if change >= CHANGE and low > 0:
        return "exploding", f"exploding: {rate}; {over}"
    narrow = abs(change) < CHANGE and -WITHIN <= low and high <= WITHIN
    if narrow and series.losses == "all":
        return "level", f"level: {rate}; {over}, but as a sum over the losses of many steps"
    if narrow:
        return "healthy", f"healthy: delta {'shrinks' if line.slope < 0 else 'grows'} by {rate}; {over}"
    doubt = f"over {span} {unit}s the interval goes from {low:+.2g} to {high:+.2g} decades"
    cure = "A deeper net, or several seeds, would tell"
    if abs(change) < CHANGE:                    # a walk without a drift goes the farther, the deeper the net is
        doubt += f", and healthy is within {WITHIN:g} either way"
        cure = "Several seeds, or a wider net, would tell"
    return "undecided", (f"undecided: the fitted slope is {rate}, {'shrinking' if line.slope < 0 else 'growing'}, but "
                         f"{doubt}; {over}. {cure}")


def not_finite(series):
    """Return kind and text where activations or deltas are inf or NaN, else None."""
    bad = [row for row in series.rows if row.activation is not None and not math.isfinite(row.activation)]
    if bad:
        word = "overflow" if math.isinf(bad[0].activation) else "are NaN"
        return ("overflow" if word == "overflow" else "nan",
                f"the activations {word}: {where(series, bad[0])} is the first (|h| = {number(bad[0].activation)}), "
                f"and no gradient behind it means anything")
    bad = [row for row in series.rows if row.delta is not None and not math.isfinite(row.delta)]
    if not bad:
        return None
    first = bad[-1]
    if math.isnan(first.delta):
        return "nan", (f"NaN: on the way back delta is NaN from {where(series, first)} on, though the activations are "
                       f"not")
    text = f"overflow: on the way back delta is inf from {where(series, first)} on"
    known = [row for row in bad if row.log10_delta is not None]
    if known:
        text += (f"; with its exponent carried apart it is 10^{known[0].log10_delta:.0f} at {where(series, known[0])}, "
                 f"beyond the range of floats")
    return "overflow", text


def exactly_zero(series):
    """Return kind and text where deltas are exactly 0, else None."""
    zero = [k for k, row in enumerate(series.rows) if row.delta == 0]
    if not zero:
        return None
    first = series.rows[zero[-1]]
    known = [series.rows[k] for k in zero if series.rows[k].log10_delta is not None]
    if known:
        return "underflow", (f"underflow: on the way back delta is exactly 0 from {where(series, first)} on, though it "
                             f"is none: with its exponent carried apart it is 10^{first_log(first, known)} there and "
                             f"10^{known[0].log10_delta:.0f} at {where(series, known[0])}, below the range of floats")
    behind = series.rows[zero[-1] + 1] if zero[-1] + 1 < len(series.rows) else None
    why = "a slope or weight of exactly 0 stands behind it"
    if behind is None:
        why = "the loss does not change with it"
    elif behind.dead == 1:
        why = f"all units of {where(series, behind)} are dead: their ReLU is 0 for the whole batch"
    elif behind.saturated == 1:
        why = f"all units of {where(series, behind)} are saturated, with a slope that is 0 to the last digit"
    elif behind.coarse or edge(behind, series):
        return "underflow", (f"underflow: on the way back delta is exactly 0 from {where(series, first)} on, behind "
                             f"{number(behind.delta)}, the end of the range of floats; how small it would be was not "
                             f"found")
    return "cut", f"cut: on the way back delta is exactly 0 from {where(series, first)} on, and not by underflow: {why}"


def first_log(first, known):
    """Return the exponent at the first zero, as text."""
    return f"{(first if first in known else known[-1]).log10_delta:.0f}"


def edge(row, series):
    """Say whether the trend leads out of the range of floats at the next row."""
    slope = series.slope.slope if series.slope else 0.0
    return ordinary(row.delta) and math.log10(row.delta) + 2 * slope < math.log10(5e-324)


def about_bend(series):
    """Return a sentence on a profile that bends."""
    place, *lines = series.bend
    way = [f"{'shrinks' if line.slope < 0 else 'grows'} by {decades(abs(line.slope))}" for line in lines]
    knee, last, first = series.rows[place], series.rows[series.slope.start], series.rows[series.fitted][0]
    return (f"But the profile bends, and one slope does not tell it: from {where(series, last)} back to {knee.index} "
            f"delta {way[0]} decades a {series.kind}, from there to {where(series, first)} it {way[1]}")


def about_bars(series):
    """Return a sentence on what a bar chart of weight gradients would show of it, as a list."""
    line, bars = series.slope, series.gradient_slope
    heights = series.column("gradient")[series.fitted]
    heights = heights[np.isfinite(heights)]
    if line is None or bars is None or bars.layers < FEWEST or not line.slope:
        return []
    share = bars.slope / line.slope
    if abs(share) >= 1 / 3:
        way = "go along" if share > 0 else "go the other way"
        return [f"The weight gradients {way}, by {decades(abs(bars.slope))} decades a {series.kind}"]
    high, low = heights.max(), heights.min()
    text = "The weight-gradient bars look flat"
    if low > 0:
        text += f" (the highest is {high / low:.2g} times the lowest, where delta spans {number(spread(series))})"
    forward = series.activation_slope and -series.activation_slope.slope
    if forward and abs(forward - line.slope) < abs(line.slope) / 2:
        word = "shrink" if forward < 0 else "grow"
        text += (f" because a bar is delta times the activation before it, and the activations {word} forward by "
                 f"{decades(abs(forward))} decades a {series.kind}, as delta does on the way back")
    return [text]


def spread(series):
    """Return the ratio of the largest to the smallest delta among those that were fitted."""
    logs = [row.log10_delta for row in series.rows[series.fitted] if row.log10_delta is not None]
    return 10.0 ** min(max(logs) - min(logs), 300.0)


# ------------------------------------------------------------------------------------- words

def where(series, row):
    """Return what a row is called in a sentence."""
    return f"layer {row.index}" if series.kind == "layer" else f"step {row.index}"


def number(value):
    """Return a norm as text: three digits, and never 0 for what is not."""
    return f"{value:.3g}"


def decades(value):
    """Return a slope as text, to a hundredth, small ones finer."""
    return f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.2g}" if abs(value) < 0.001 else f"{value:.3f}"


def interval(line):
    """Return the 95 % interval in the direction of the slope."""
    if not math.isfinite(line.high):
        return "no interval"
    sign = -1 if line.slope < 0 else 1
    low, high = sorted((sign * line.low, sign * line.high))
    return f"95 % {decades(low)} to {decades(high)}"


def expected(series):
    """Return the prediction in the direction of the measured slope, to go into brackets."""
    if series.prediction is None:
        return ""
    line, slope = series.slope, series.prediction.slope
    if not math.isfinite(slope):
        return ", predicted to be cut off"
    text = f", predicted {decades((-1 if line.slope < 0 else 1) * slope)}"
    apart = abs(slope - line.slope) > max(APART * abs(slope), 0.001) and not line.low <= slope <= line.high
    return text + (", outside of it" if apart and math.isfinite(line.high) else "")


def factor(log):
    """Return a ratio given by its log10, as text."""
    return f"a factor of {10.0 ** log:.2g}" if abs(log) < 300 else f"a factor of 10^{log:.0f}"

"""A picture of norms in characters: a logarithmic axis, lanes for what has no place on it, and lines of numbers.

Plain arrays in, lines of text out; the terminal itself is :mod:`minigrad.commands.watch`'s business.
"""

import math
from typing import NamedTuple

import numpy as np

MARGIN = 8
"""Columns for the labels on the left."""

NARROWEST, LOWEST = 30, 4
"""A picture is at least so many columns wide and rows high, whatever the terminal."""

CROWD = 12
"""Of more calls than this in a column, lines to and fro would only fill it."""

COLOURS = {"before": 166, "after": 25, "NaN": 175, "inf": 214, "0": 244, "label": 244, "clip": 25, "loss": 29}
"""Numbers among a terminal's 256 colours, the nearest to those of :mod:`minigrad.plot.style`."""


class Look(NamedTuple):
    """What a terminal can show.

    Attributes:
        width, height: columns and lines.
        unicode: whether it has Braille patterns and blocks; else the picture is of ASCII.
        colour: whether it takes colours.
    """

    width: int = 80
    height: int = 24
    unicode: bool = True
    colour: bool = False

    @property
    def dots(self):
        """Dots per character, across and up: 2 x 4 of a Braille pattern; of ASCII, a point above or below."""
        return (2, 4) if self.unicode else (1, 2)


class Shown(NamedTuple):
    """What is to be seen: arrays of one length, an entry per call of the optimizer; all but two may be full of NaN.

    Attributes:
        steps, before: number of the step, and the norm (before clipping).
        after, threshold, clipped: of the clip; ``clipped`` is 1 where it acted and 0 where not.
        loss: inf where it was not finite.
        facts: short texts for the lines above the picture.
        acted: what ``clipped`` is called.
    """

    steps: np.ndarray
    before: np.ndarray
    after: np.ndarray
    threshold: np.ndarray
    clipped: np.ndarray
    loss: np.ndarray
    facts: list
    acted: str = "clipped"


def frame(shown, look, foot=""):
    """Return a picture as lines, each at most ``look.width`` columns, together at most ``look.height``.

    Args:
        shown: :class:`Shown`, of at least one call.
        look: :class:`Look`; it is taken to be at least NARROWEST wide, and LOWEST rows of norms are drawn in any case.
        foot: a last line.
    """
    look = look._replace(width=max(look.width, NARROWEST))
    columns = look.width - MARGIN - 1
    across, up = look.dots
    places = positions(shown.steps, columns * across)
    cells = places // across
    special = ("NaN", np.isnan(shown.before)), ("inf", np.isposinf(shown.before))
    lanes = [(name, cells[where]) for name, where in special if where.any()]
    zeros = cells[shown.before == 0]
    clips, losses = has(shown.clipped), has(shown.loss)
    lines = head(shown.facts, look)
    others = len(lines) + len(lanes) + (zeros.size > 0) + 1 + clips + losses + bool(foot)
    rows = max(LOWEST, min(look.height - 1 - others, look.width // 4))
    lines += [lane(name, where, columns, look) for name, where in lanes]
    lines += picture(shown, Axis(shown, rows * up), places, rows, columns, look)
    if zeros.size:
        lines.append(lane("0", zeros, columns, look))
    lines.append(steps_line(shown.steps, columns, look))
    if clips:
        lines.append(spark(shown.acted, last_mean(cells, shown.clipped, columns), (0.0, 1.0), look, "clip"))
    if losses:
        values, scale = heights(last_mean(cells, shown.loss, columns))
        lines.append(spark("loss", values, scale, look, "loss"))
    return lines + ([paint(foot[:look.width], "label", look)] if foot else [])


def has(values):
    """Return whether anything is there but "none"."""
    return not np.isnan(values).all()


def positions(steps, width):
    """Return in which of ``width`` columns each call stands: by its step, or by its number where steps repeat."""
    x = np.asarray(steps, dtype=float)
    if len(x) > 1 and not (np.diff(x) > 0).all():
        x = np.arange(len(x), dtype=float)
    span = x[-1] - x[0]
    if span <= 0:
        return np.zeros(len(x), int)
    return np.minimum(((x - x[0]) / span * width).astype(int), width - 1)


# ----------------------------------------------------------------------------------------- axis

class Axis:
    """The logarithmic axis of a picture ``dots`` dots high: at least a decade, with all that is finite on it."""

    def __init__(self, shown, dots):
        values = np.concatenate([shown.before, shown.after, shown.threshold])
        values = values[np.isfinite(values) & (values > 0)]
        low, high = (np.log10(values.min()), np.log10(values.max())) if values.size else (-1.0, 1.0)
        middle, half = (low + high) / 2, max(0.5, 0.51 * (high - low))
        self.low, self.high, self.dots = middle - half, middle + half, dots

    def place(self, values):
        """Return the dot in which each value lies, 0 at the bottom; -1 for what is 0 or not finite."""
        values = np.asarray(values, dtype=float)
        usual = np.isfinite(values) & (values > 0)
        logs = np.log10(np.where(usual, values, 1.0))
        part = np.where(usual, (logs - self.low) / (self.high - self.low), 0.0)
        return np.where(usual, np.clip((part * self.dots).astype(int), 0, self.dots - 1), -1)

    def labels(self, rows):
        """Return row from the top -> label: powers of ten, and 2 and 5 times them where few are in sight."""
        span = self.high - self.low
        stride = max(1, math.ceil(span / (rows / 2)))
        exponents = range(math.ceil(self.low / stride) * stride, math.floor(self.high) + 1, stride)
        ticks = [float(f"1e{e}") for e in exponents]
        if span < rows / 5:
            ticks = [c for e in range(math.floor(self.low), math.floor(self.high) + 1) for k in (1, 2, 5)
                     if (c := float(f"{k}e{e}")) > 0 and self.low <= math.log10(c) <= self.high]
        up = self.dots // rows
        return {rows - 1 - int(self.place([tick])[0]) // up: f"{tick:g}" for tick in ticks if 0 < tick < math.inf}


def picture(shown, axis, places, rows, columns, look):
    """Return the rows of the picture: norms before (and, in colour, after), the threshold behind them."""
    across, up = look.dots
    limit = last_mean(places // across, np.where(np.isfinite(shown.threshold), shown.threshold, np.nan), columns)
    limit = np.where(np.isnan(limit), -1, rows - 1 - axis.place(limit) // up)
    series = [("before", shown.before)]
    if look.colour and has(shown.after):
        series.append(("after", shown.after))
    inked = [(kind, dots(axis.place(values), places, rows * up, columns * across)) for kind, values in series]
    labels, lines = axis.labels(rows), []
    for row in range(rows):
        cells = []
        for column in range(columns):
            symbol, kind = ("┄" if look.unicode else "-", "label") if limit[column] == row else (" ", "label")
            for name, ink in inked:
                here = ink[(rows - 1 - row) * up:(rows - row) * up, column * across:(column + 1) * across]
                if here.any():
                    symbol, kind = character(here, look), name
            cells.append((symbol, kind))
        edge = ("┤" if row in labels else "│") if look.unicode else "|"
        lines.append(paint(f"{labels.get(row, ''):>{MARGIN}}{edge}", "label", look) + painted(cells, look))
    return lines


def dots(heights, places, up, across):
    """Return a bool array (up, across), True where there is ink.

    Where a column holds up to CROWD calls, it reaches from the lowest value to the highest, and ink follows the line
    from each call to the next, which breaks where a height is -1.  Where it holds more, it reaches over the middle half
    of them, and the lowest and highest are dots.
    """
    usual = heights >= 0
    ink, level = np.zeros((up, across), bool), np.arange(up)[:, None]
    order = np.lexsort((heights[usual], places[usual]))
    columns, sorted_heights = places[usual][order], heights[usual][order]
    here, first, count = np.unique(columns, return_index=True, return_counts=True)
    low, high = sorted_heights[first], sorted_heights[first + count - 1]
    crowded = count > CROWD
    ink[low, here] = ink[high, here] = True
    bottom = np.where(crowded, sorted_heights[first + count // 4], low)
    top = np.where(crowded, sorted_heights[first + (3 * count - 1) // 4], high)
    ink[:, here] |= (bottom <= level) & (level <= top)
    calls = np.bincount(places[usual], minlength=across)
    joined = usual[:-1] & usual[1:] & (np.diff(places) > 0)
    joined &= np.maximum(calls[places[:-1]], calls[places[1:]]) <= CROWD
    for i in np.flatnonzero(joined).tolist():
        begin, end = places[i], places[i + 1]
        edges = np.clip(np.arange(begin, end + 2) - 0.5, begin, end)            # left and right of each column
        line = np.rint(np.interp(edges, [begin, end], heights[i:i + 2])).astype(int)
        ink[:, begin:end + 1] |= (np.minimum(line[:-1], line[1:]) <= level) & (level <= np.maximum(line[:-1], line[1:]))
    return ink


BRAILLE = np.array([[0x40, 0x80], [0x04, 0x20], [0x02, 0x10], [0x01, 0x08]])
"""The bit of each dot in a Braille pattern, the lowest row first."""


def character(ink, look):
    """Return the character for the dots of a cell (a bool array, the lowest row first)."""
    if look.unicode:
        return chr(0x2800 + int(BRAILLE[ink].sum()))
    return {(True, False): ".", (False, True): "'", (True, True): ":"}[tuple(ink[:, 0].tolist())]


# ---------------------------------------------------------------------------------------- lines

def lane(name, columns_with, width, look):
    """Return the lane of what has no place on the axis: a cross in each column that has at least one."""
    line = np.full(width, " ")
    line[columns_with] = "×" if look.unicode else "x"
    edge = "│" if look.unicode else "|"
    return paint(f"{name:>{MARGIN}}{edge}", "label", look) + paint("".join(line.tolist()).rstrip(), name, look)


def last_mean(cells, values, width):
    """Return the mean of the values in each column, of an empty one that of the last before it; NaN for none.

    What is not finite makes its column inf, so that it can be marked.
    """
    there = ~np.isnan(values) | np.isposinf(values)
    with np.errstate(over="ignore", invalid="ignore"):
        sums = np.bincount(cells[there], values[there], minlength=width)
        counts = np.bincount(cells[there], minlength=width)
        means = np.divide(sums, counts, out=np.full(width, np.nan), where=counts > 0)
    filled = np.maximum.accumulate(np.where(counts > 0, np.arange(width), -1))
    return np.where(filled >= 0, means[np.maximum(filled, 0)], np.nan)


def heights(losses):
    """Return losses as heights for a line of blocks, and their range; logarithmic where all are > 0."""
    finite = losses[np.isfinite(losses)]
    if finite.size and finite.min() > 0:
        losses = np.log10(losses)
        finite = np.log10(finite)
    return losses, (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)


def spark(name, values, scale, look, kind):
    """Return a line of blocks, one per column, higher for larger values; a cross for what is not finite."""
    blocks = " ▁▂▃▄▅▆▇█" if look.unicode else " _.-~=+*#"
    low, high = scale
    span = high - low or 1.0
    symbols = []
    for value in values.tolist():
        if math.isnan(value):
            symbols.append(" ")
        elif math.isinf(value):
            symbols.append("×" if look.unicode else "x")
        elif kind == "clip" and value == 0:
            symbols.append(" ")
        else:
            symbols.append(blocks[1 + min(7, int((value - low) / span * 8))])
    edge = "│" if look.unicode else "|"
    return paint(f"{name:>{MARGIN}}{edge}", "label", look) + paint("".join(symbols).rstrip(), kind, look)


def steps_line(steps, columns, look):
    """Return the line below the picture: the first and the last step."""
    first, last = f"step {steps[0]}", str(steps[-1])
    room = columns - len(first) - len(last)
    text = first if len(steps) == 1 or room < 2 else first + " " * room + last
    return paint(" " * MARGIN + ("└" if look.unicode else "+") + text[:columns], "label", look)


def head(facts, look):
    """Return short texts side by side, in as many lines as it takes."""
    lines = []
    for fact in facts:
        fact = fact if len(fact) <= look.width else "..." + fact[3 - look.width:]
        if lines and len(lines[-1]) + 3 + len(fact) <= look.width:
            lines[-1] += "   " + fact
        else:
            lines.append(fact)
    return lines


def painted(cells, look):
    """Return (character, kind) pairs as text; neighbours of one kind share a colour."""
    text = "".join(symbol for symbol, _ in cells)
    if not look.colour:
        return text.rstrip()
    out, run, of = [], "", None
    for symbol, kind in cells:
        if kind != of:
            out.append(paint(run, of, look))
            run, of = "", kind
        run += symbol
    return "".join([*out, paint(run, of, look)])


def paint(text, kind, look):
    """Return a text in its colour, where the terminal has any."""
    return f"\x1b[38;5;{COLOURS[kind]}m{text}\x1b[0m" if look.colour and text.strip() else text

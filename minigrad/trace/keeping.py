"""Which steps a trace keeps, where it shall not keep all; and the totals, which count the others too."""

import re
from typing import NamedTuple

import numpy as np

from minigrad.trace.columns import Columns

OUTCOMES = ("step", "hold", "skip", "raise")

UNITS = re.compile(r'"units_clipped": (\d+)')
"""What ``ClipNorm(scope="unit")`` and ``AGC`` note, in ``extra``."""


class Totals(NamedTuple):
    """How many calls there were of ``optimizer.step`` (or ``trace.record``), kept or not, and how they ended.

    ``calls`` is the sum of ``steps`` (updates), ``held``, ``skipped`` and ``raised``.
    """

    calls: int
    steps: int
    held: int
    skipped: int
    raised: int


class Tally:
    """Counts of rows: how calls ended, and per gradient stage how many rows there were and were clipped."""

    def __init__(self):
        self.outcomes = dict.fromkeys(OUTCOMES, 0)
        self.stages = {}                # (of all parameters?, stage) -> [rows, those clipped, those of a clip]

    def add(self, rows):
        """Count some rows."""
        for r in rows:
            if r.parameter == "" and r.place == "gradient":
                if r.stage == 0:
                    self.outcomes[r.outcome] = self.outcomes.get(r.outcome, 0) + 1
                counts = self.stages.setdefault((r.group == "", r.stage), [0, 0, 0])
                limited, units = r.threshold is not None, units_clipped(r.extra)
                counts[0] += 1
                counts[1] += (r.coefficient is not None and r.coefficient < 1) or units > 0
                counts[2] += limited or units >= 0

    def add_table(self, table):
        """Count all rows of a table."""
        plain = table["parameter"].equals("") & table["place"].equals("gradient")
        stages, of_all = table["stage"].array, table["group"].equals("")
        first = plain & (stages == 0)
        outcome = table["outcome"]
        for name in outcome.present():
            self.outcomes[name] = self.outcomes.get(name, 0) + int((first & outcome.equals(name)).sum())
        clips, acted = acting(table)
        for everyone in (True, False):
            mine = plain & (of_all == everyone)
            for stage in np.unique(stages[mine]).tolist():
                here = mine & (stages == stage)
                counts = self.stages.setdefault((everyone, stage), [0, 0, 0])
                for i, found in enumerate((here, here & acted, here & clips)):
                    counts[i] += int(found.sum())

    @property
    def totals(self):
        """How calls ended, as Totals."""
        counts = [self.outcomes[name] for name in OUTCOMES]
        return Totals(sum(self.outcomes.values()), *counts)

    def clip_stage(self):
        """Return the number of the last stage in which there was a clip, of all parameters if there is one; or None."""
        found = [key for key, (_, _, clips) in self.stages.items() if clips]
        return max(found)[1] if found else None


def acting(table):
    """Return where the rows of a table are of a clip, and where it acted: shortened anything."""
    threshold, coefficient, extra = table["threshold"], table["coefficient"], table["extra"]
    units = np.array([units_clipped(text) for text in extra.names] or [-1])[extra.array]
    with np.errstate(invalid="ignore"):
        acted = (coefficient.array < 1) | (units > 0)
    return ~threshold.absent(threshold.array) | (units >= 0), acted


def units_clipped(extra):
    """Return how many output units a clip has noted that it shortened; -1 if it did not note that."""
    found = UNITS.search(extra)
    return int(found[1]) if found else -1


class Everything:
    """Keeps each step."""

    def __init__(self):
        self.table = Columns()

    due = True
    """Whether the next call is of a step that is kept."""

    def take(self, rows):
        """Take up the rows of one call."""
        self.table.extend(rows)

    def tally(self):
        """Return the counts of all that was taken up."""
        tally = Tally()
        tally.add_table(self.table)
        return tally


class Thinned:
    """Keeps every k-th step, or a sample of n of them, or a sample of every k-th.

    What counts as a step is a call that ended in an update, a skip or a raise, with the held micro-batches before it:
    kept or dropped as one.

    The sample is uniform: each step is in it with the same probability, n / steps so far (algorithm R, Vitter 1985,
    "Random sampling with a reservoir": step i takes a place with probability n / i, one of the n at random).
    """

    def __init__(self, every, reservoir, rng):
        self.every, self.reservoir, self.rng = every, reservoir, rng
        self.dropped = Tally()
        self.seen = 0                   # steps that began
        self.chosen = 0                 # every k-th of them
        self.open = None                # the rows of the step that goes on, if it is kept
        self.going_on = self.now_due = False
        self.slots = []                 # the sample, a list of rows per step, with their number in front
        self.kept, self.changed = Columns(), False

    @property
    def due(self):
        """Whether the next call is of every k-th step."""
        return self.now_due if self.going_on else self.seen % self.every == 0

    def take(self, rows, due=None):
        """Take up the rows of one call; of every k-th step, or not, if ``due`` says so."""
        if not self.going_on:
            self.now_due = self.due if due is None else due
            self.seen += 1
            self.begin()
        self.going_on = rows[0].outcome == "hold"
        if self.open is None:
            self.dropped.add(rows)
        elif self.reservoir:
            self.open.extend(rows)
            self.changed = True
        else:
            self.kept.extend(rows)

    def begin(self):
        """Decide whether the step that begins is kept."""
        self.open = None
        if not self.now_due:
            return
        self.open, number = [], self.chosen
        self.chosen += 1
        if self.reservoir is None:
            return
        if number < self.reservoir:
            self.slots.append((number, self.open))
            return
        place = int(self.rng.integers(number + 1))
        if place >= self.reservoir:
            self.open = None
            return
        self.dropped.add(self.slots[place][1])
        self.slots[place] = (number, self.open)

    @property
    def table(self):
        """The rows that are kept, in the order in which they came."""
        if self.changed:
            steps = sorted(self.slots, key=lambda slot: slot[0])
            self.kept, self.changed = Columns([row for _, rows in steps for row in rows]), False
        return self.kept

    def tally(self):
        """Return the counts of all that was taken up, kept or dropped."""
        tally = Tally()
        tally.add_table(self.table)
        for name, count in self.dropped.outcomes.items():
            tally.outcomes[name] = tally.outcomes.get(name, 0) + count
        for key, counts in self.dropped.stages.items():
            mine = tally.stages.setdefault(key, [0, 0, 0])
            tally.stages[key] = [a + b for a, b in zip(mine, counts)]
        return tally

"""Source: what was read of a file, what could not be read, and which column was taken as what."""

import os

FEW = 5
"""So many malformed lines are told with their reasons; all are counted."""

SHOWN = 12
"""So many columns, runs or layouts are named in a message."""


class Source:
    """What a trace was read from.

    Attributes:
        path: the file.
        layout: name of the layout it was read as, a key of ``LAYOUTS``.
        run: name of the run, where a file holds several; else empty.
        rows: entries that gave a norm (of all parameters together, or of single ones).
        malformed: lines that should have given a norm and could not be read; they are left out.
        reasons: of the first few of them, pairs (line number, reason).
        skipped: lines without a norm: comments, other text, evaluations, cells left empty.
        columns: names of the columns (or keys) seen.
        taken: which of them was taken as what: ``{"norm": "train/grad_norm", "step": "_step", ...}``.
        notes: what else should be known, a sentence each.
        unit: what the numbers in ``reasons`` count: "line" or "entry".

    Example:
        >>> source = Source("run.csv", "table")
        >>> source.reject(7, "no number: 'abc'")
        >>> source.malformed, source.reasons
        (1, [(7, "no number: 'abc'")])
    """

    def __init__(self, path, layout, run="", unit="line"):
        self.path = os.fspath(path)
        self.layout = layout
        self.run = run
        self.unit = unit
        self.rows = self.malformed = self.skipped = 0
        self.reasons = []
        self.columns = ()
        self.taken = {}
        self._notes = {}

    @property
    def notes(self):
        return list(self._notes.values())

    @property
    def negative(self):
        """The note about norms below 0, "" where there are none."""
        return self._notes.get("negative", "")

    def note(self, about, text):
        """Put a sentence among the notes; a later one about the same replaces it."""
        self._notes[about] = text

    def reject(self, number, reason, count=1):
        """Count malformed lines, and remember the first few."""
        self.malformed += count
        self.reasons = sorted([*self.reasons, (number, reason)])[:FEW]

    def as_dict(self):
        """Return all of it as a dict of plain values."""
        names = ("path", "layout", "run", "rows", "malformed", "skipped", "unit")
        return {**{name: getattr(self, name) for name in names}, "reasons": [list(r) for r in self.reasons],
                "columns": list(self.columns), "taken": dict(self.taken), "notes": self.notes}

    def __repr__(self):
        return f"Source({self.path!r}, layout={self.layout!r}, rows={self.rows}, malformed={self.malformed})"

    def __str__(self):
        of = f", run {self.run}" if self.run else ""
        lines = [f"{self.path}{of}: {self.rows} {'row' if self.rows == 1 else 'rows'}, read as {self.layout}"]
        if self.taken:
            lines.append("  taken as    " + ", ".join(f"{role}: {name}" for role, name in self.taken.items()))
        if self.columns:
            lines.append("  columns     " + listed(self.columns))
        if self.skipped:
            lines.append(f"  skipped     {plural(self.skipped, self.unit)} without a norm")
        if self.malformed:
            told = "; ".join(f"{self.unit} {number}: {reason}" for number, reason in self.reasons)
            more = "; ..." if self.malformed > len(self.reasons) else ""
            lines.append(f"  malformed   {plural(self.malformed, self.unit)} left out: {told}{more}")
        lines += [f"  note        {text}" for text in self.notes]
        return "\n".join(lines)


def plural(count, unit):
    """Return "1 line", "3 lines", "2 entries"."""
    many = unit[:-1] + "ies" if unit.endswith("y") else unit + "s"
    return f"{count} {unit if count == 1 else many}"


def listed(names, shown=SHOWN):
    """Return the first of some names as one text."""
    names = [str(name) for name in names]
    rest = len(names) - shown
    return ", ".join(names[:shown]) + (f", ... ({rest} more)" if rest > 0 else "") if names else "none"


def quoted(text, longest=40):
    """Return a text in quotes, cut where it is long."""
    text = str(text)
    return repr(text if len(text) <= longest else text[:longest - 3] + "...")

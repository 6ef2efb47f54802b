"""What minigrad wrote itself: CSV, JSON Lines and NPZ, recognised by what is in them, whatever the name."""

import csv
import io
import json
from itertools import islice

from minigrad.trace import formats
from minigrad.trace.bulk import refuse_negative
from minigrad.trace.columns import BLOCK, Columns
from minigrad.trace.norm_trace import NormTrace
from minigrad.trace.readers.opening import OWN, telling
from minigrad.trace.readers.source import Source

KEYS = {"step", "micro_step", "stage", "hook", "place"}


class OwnReader:
    """Reads lines of a trace, some at a time; a line that is none is left out and reported.

    Its ``runs`` is itself: a file of minigrad has one.
    """

    def __init__(self, path, layout, header=None):
        self.layout, self.source, self.header = layout, Source(path, layout), header
        self.source.columns = tuple(header or formats.COLUMNS)
        self.begin = 0 if header is None else 1
        self.table, self.waiting = Columns(), []
        self.runs = [self]

    def feed(self, lines, number):
        """Take in some lines, the first of which has this number."""
        if self.header is None:
            self.objects(lines, number)
            return
        lines = self.waiting + lines
        number -= len(self.waiting)
        whole = len(lines)                      # a line break in quotes ends no row
        if sum(line.count('"') for line in lines) % 2:
            whole = next(k for k in reversed(range(len(lines))) if lines[k].count('"') % 2)
        self.waiting = lines[whole:]
        found = self.records(lines[:whole], number)
        while block := list(islice(found, BLOCK)):
            self.add(block, self.from_cells)

    @staticmethod
    def records(lines, number):
        """Yield pairs (line number, cells) of some lines of CSV."""
        reader = csv.reader(io.StringIO("".join(f"{line}\n" for line in lines), newline=""))
        while True:
            try:
                for cells in reader:
                    yield number + reader.line_num - 1, cells
                return
            except csv.Error as error:          # it goes on behind the line
                yield number + reader.line_num - 1, [str(error)]

    def objects(self, lines, number):
        """Take in lines of JSON."""
        for start in range(0, len(lines), BLOCK):
            self.add([(number + k, lines[k]) for k in range(start, min(start + BLOCK, len(lines)))], self.from_json)

    def add(self, found, columns):
        """Take in pairs (line number, row as it stands): together, or one by one where one of them is none."""
        try:
            values = columns([row for _, row in found])
            refuse_negative(values)
            self.table.extend_by_column(values)
            self.source.rows += len(found)
            return
        except (ValueError, OverflowError, RecursionError) as error:
            if len(found) == 1:
                self.source.reject(found[0][0], str(error))
                return
        for pair in found:
            if pair[1]:
                self.add([pair], columns)

    def from_cells(self, rows):
        """Return rows of cells as columns of a table."""
        width = len(self.header)
        for cells in rows:
            if len(cells) != width:
                raise ValueError(f"{len(cells)} cells where the header has {width}")
        cells = dict(zip(self.header, zip(*rows)))
        if not all(cells["step"]):
            raise ValueError("it has no step")
        values = {name: formats.parsed(name, cells[name]) for name in self.header}
        return values | formats.lacking(self.header, len(rows))

    @staticmethod
    def from_json(rows):
        """Return lines of JSON as columns of a table."""
        return formats.from_objects(json.loads(f"[{','.join(rows)}]"), len(rows))

    def trace(self):
        """Return what was read as a NormTrace."""
        if self.waiting:
            self.source.note("cut", "the last row is cut short, and left out")
        trace = NormTrace._of(self.table)
        trace.source = self.source
        return trace

    def fresh(self):
        """Return what was read since the last call as a NormTrace."""
        trace, self.table = self.trace(), Columns()
        return trace


class OwnCSV:
    """A trace saved as CSV, or streamed."""

    name = "minigrad-csv"
    title = "minigrad's own CSV"
    norms = "before and after each hook"

    def recognises(self, text):
        """Return whether the first line is the header of a trace."""
        return bool(text.lines) and text.lines[0].rstrip("\r") in OWN

    def start(self, text, wanted, forced=False):
        """Return a reader for the file."""
        refuse(wanted)
        if not self.recognises(text):
            raise ValueError(f"its first line is not that of a trace, {formats.HEADER.decode().strip()}")
        return OwnReader(text.path, self.name, OWN[text.lines[0].rstrip("\r")])


class OwnLines:
    """A trace saved as JSON Lines, or streamed."""

    name = "minigrad-jsonl"
    title = "minigrad's own JSON Lines"
    norms = OwnCSV.norms

    def recognises(self, text):
        """Return whether the first line is a row of a trace."""
        try:
            first = json.loads(text.lines[0]) if text.lines else None
        except (ValueError, RecursionError):
            return False
        return isinstance(first, dict) and first.keys() >= KEYS

    def start(self, text, wanted, forced=False):
        """Return a reader for the file."""
        refuse(wanted)
        return OwnReader(text.path, self.name)


class OwnArrays:
    """A trace saved as NPZ."""

    name = "minigrad-npz"
    title = "minigrad's own NPZ"
    norms = OwnCSV.norms

    @staticmethod
    def holds(data):
        """Return whether these bytes are an archive of a trace's columns."""
        return data.startswith(b"PK\x03\x04") and b"norm_in.npy" in data

    def read(self, path, wanted):
        """Return the trace in the file."""
        with telling(path, self.name):
            refuse(wanted)
        trace = NormTrace._of(formats.load_npz(path))
        trace.source = Source(path, self.name)
        trace.source.rows, trace.source.columns = len(trace), formats.COLUMNS
        return trace


def refuse(wanted):
    """Raise ValueError where the user has chosen columns of a file that is read as a whole."""
    said = [name for name, value in wanted._asdict().items() if value is not None]
    if said:
        raise ValueError(f"it is a trace of minigrad, of which all columns are read: {said[0]}= is for other files; "
                         f"layout=\"table\" reads it as any table")

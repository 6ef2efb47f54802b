"""Tables of text: which character separates the cells, where the header is, and the rows of it."""

import csv
import math
from contextlib import suppress
from typing import NamedTuple

import numpy as np

from minigrad.trace.readers.cells import BAD, DECIMAL_COMMA, number
from minigrad.trace.readers.names import NORM, best, choose
from minigrad.trace.readers.series import Run
from minigrad.trace.readers.source import Source, plural

DELIMITERS = (",", "\t", ";", "|", None)
"""Tried in this order; None is any run of spaces."""

COMMENTS = ("#", "%", "//")


class Dialect(NamedTuple):
    """How a table is written: separator, names of the columns, index of the first line of data, decimal comma."""

    delimiter: str | None
    names: list
    begin: int
    comma: bool = False


def split(line, delimiter):
    """Return the cells of one line."""
    if delimiter is None:
        return line.split()
    if '"' in line:
        with suppress(csv.Error):
            return next(csv.reader([line], delimiter=delimiter, skipinitialspace=True))
    return [cell.strip() for cell in line.split(delimiter)]


def dialect(lines, forced=False):
    """Return the :class:`Dialect` of a table, or None if some lines are no table.

    A table has a header without numbers, or none; the first lines below it have as many cells, most of which are
    numbers or empty.

    Args:
        lines: pairs (index, line), the first of the file that are not empty.
        forced: the user says it is one: then a first line with numbers and words is data.
    """
    comments = [(i, line) for i, line in lines if line.lstrip().startswith(COMMENTS)]
    lines = [(i, line) for i, line in lines if not line.lstrip().startswith(COMMENTS)]
    if not lines:
        return None
    index, first = lines[0]
    above = [line.lstrip().lstrip("#%/ \t") for i, line in comments if i < index]
    for delimiter in DELIMITERS:
        cells = split(first, delimiter)
        if len(cells) < 2:
            continue
        found = try_dialect(cells, delimiter, index, lines[1:21], above, forced)
        if found:
            return found
    if len(first.split()) == 1:
        found = try_dialect([first.strip().strip('"')], "\t", index, lines[1:21], above, forced)
        if found and len(lines) > 1 and all(is_data(line.strip().strip('"')) for _, line in lines[1:]):
            return found
    return None


def try_dialect(cells, delimiter, index, below, above, forced):
    """Return the dialect if a first line split in this way goes with the lines below it."""
    if cells[-1] == "" and len(cells) > 2 and delimiter is not None:
        cells = cells[:-1]                      # a separator at the end of every line
    rows = [split(line, delimiter) for _, line in below]
    rows = [row[:len(cells)] for row in rows if len(row) == len(cells) or row[len(cells):] == [""]]
    if not forced and len(rows) < 0.5 * len(below):
        return None
    comma = delimiter != "," and any(DECIMAL_COMMA.fullmatch(cell) for row in rows for cell in row)
    words = [number(cell, comma) is BAD for cell in cells]
    finite = [math.isfinite(number(cell, comma)) for cell in cells if is_number(cell, comma)]
    with_numbers = sum(any(is_number(cell, comma) for cell in row) for row in rows)
    if not forced and with_numbers < 0.5 * len(rows):
        return None
    if any(words) and not any(finite):          # a header; our own has columns named nan and inf
        if not below and not forced and not best(cells, NORM, range(len(cells))):
            return None                         # or a sentence
        return Dialect(delimiter, unique(cells), index + 1, comma)
    if any(words) and not forced:
        return None
    names = split(above[-1], delimiter) if above else []        # as np.savetxt(header=...) writes it
    if len(names) != len(cells):
        names = [str(i + 1) for i in range(len(cells))]
    return Dialect(delimiter, unique(names), index, comma)


def is_number(cell, comma=False):
    return isinstance(number(cell, comma), float)


def is_data(cell, comma=False):
    return number(cell, comma) is not BAD


def unique(names):
    """Return names of which none is there twice: the second "loss" becomes "loss.2"."""
    found = {}
    for name in names:
        name, k = str(name).strip(), 2
        while (new := name if k == 2 and name not in found else f"{name}.{k}") in found:
            k += 1
        found[new] = None
    return list(found)


class TableReader:
    """Reads lines of a table, some at a time.

    Args:
        path, layout: for the report.
        how: the :class:`Dialect`.
        plans: a list of :class:`~minigrad.trace.readers.names.Plan`, one for each run in the table.
    """

    def __init__(self, path, layout, how, plans):
        self.layout, self.how, self.begin = layout, how, how.begin
        self.runs = []
        for plan in plans:
            source = Source(path, layout, plan.run)
            source.columns, source.taken = tuple(how.names), plan.taken(how.names)
            self.runs.append(Run(plan, source, how.comma))

    def feed(self, lines, number):
        """Take in some lines, the first of which has this number, and return the new columns of each run."""
        rows, where = self.rows(lines, number)
        self.look(rows)

        def cells(place):
            return [row[place] for row in rows]

        return [run.take(cells, where) for run in self.runs]

    def look(self, rows):
        """See the rows before they are taken in; for tables of which more is to be said."""

    def rows(self, lines, number):
        """Return the rows of the table among some lines, and their numbers."""
        width, delimiter = len(self.how.names), self.how.delimiter
        text = "\n".join(["", *lines])
        if delimiter is None:
            rows = [line.split() for line in lines]
        elif '"' in text:
            rows = self.unquoted(lines)
        else:
            rows = [line.split(delimiter) for line in lines]
        comments = any(f"\n{mark}" in text for mark in COMMENTS)
        if set(map(len, rows)) <= {width} and not (width == 1 and "" in lines) and not comments and (
                self.how.names not in rows):
            return rows, np.arange(number, number + len(rows))
        kept, where = [], []
        for k, row in enumerate(rows):
            row = self.sound(row, lines[k], number + k)
            if row is not None:
                kept.append(row)
                where.append(number + k)
        return kept, np.array(where, int)

    def unquoted(self, lines):
        """Return the cells of lines some of which have quotes; a line is a row even where a quote stays open."""
        delimiter = self.how.delimiter
        lines = ["" if line.count('"') % 2 else line for line in lines]
        with suppress(csv.Error):
            rows = list(csv.reader(lines, delimiter=delimiter, skipinitialspace=True))
            if len(rows) == len(lines):
                return rows
        return [split(line, delimiter) if line else [] for line in lines]

    def sound(self, row, line, number):
        """Return a row of the right width, or None for one that is none; it is reported."""
        width = len(self.how.names)
        bare = line.strip()
        sources = [run.source for run in self.runs]
        if len(row) == width + 1 and row[-1].strip() == "":
            row = row[:width]
        if not bare or bare.startswith(COMMENTS):
            for source in sources:
                source.skipped += bool(bare)
        elif bare.count('"') % 2:
            for source in sources:
                source.reject(number, "a quote is not closed")
        elif len(row) != width:
            for source in sources:
                source.reject(number, f"{plural(len(row), 'cell')} where the header has {width}")
        elif [cell.strip() for cell in row] == self.how.names:
            for source in sources:
                source.skipped += 1
                source.note("header", f"the header is repeated in line {number}, as by a run that was resumed")
        else:
            return row
        return None


class Table:
    """Any table: CSV, TSV, semicolons or columns of figures, by the names of its columns."""

    name = "table"
    title = "any CSV, TSV or table of figures with a column of norms"
    norms = "whatever the column holds; it is taken as the norm before clipping"
    begins = staticmethod(lambda how: True)
    reader = TableReader

    def recognises(self, text):
        """Return whether the first lines are a table with the columns of this layout."""
        how = dialect(text.head())
        return how is not None and bool(self.begins(how))

    def start(self, text, wanted, forced=False):
        """Return a reader for the file.

        Raises:
            ValueError: if it is no table, or has no column for the norm.
        """
        how = dialect(text.head(), forced)
        if how is None:
            raise ValueError("its first lines are no table")
        if forced and not self.begins(how):
            raise ValueError(f"it has not the columns of {self.title}; it has {', '.join(how.names[:12])}")
        return self.reader(text.path, self.name, how, self.plans(how, wanted))

    def plans(self, how, wanted):
        """Return the plan of each run in the table."""
        if len(how.names) == 1 and wanted.column is None:
            wanted = wanted._replace(column=1)
        return [choose(how.names, wanted)]

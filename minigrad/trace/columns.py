"""Rows kept by column: one is appended at a time, and a column is looked at as an array."""

from collections.abc import Sequence
from contextlib import contextmanager

import numpy as np

from minigrad.trace.row import TEXT, WHOLE, Row

BLOCK = 4096
"""So many new rows wait as they came; then they are put into their columns, all at once."""

NO_BITS = 0x7FF8_0000_0000_04E1
NO_NUMBER = float(np.int64(NO_BITS).view(np.float64))
"""What stands for None among floats: a NaN with bits of its own, so that a NaN that was measured remains one."""

NO_COUNT = -2 ** 63
"""What stands for None among whole numbers."""


class Column:
    """The values of one column, in a buffer that is twice as large whenever it gets too small."""

    dtype = None

    def __init__(self):
        self.buffer, self.size = np.empty(0, self.dtype), 0

    @property
    def array(self):
        """The values as they are kept: an array that is to be read, not written."""
        return self.buffer[:self.size]

    def put(self, start, coded):
        """Write values as they are kept behind the first ``start``; ``size`` is the table's to change."""
        end = start + len(coded)
        if end > len(self.buffer):
            grown = np.empty(max(end, 2 * len(self.buffer), 64), self.dtype)
            grown[:start] = self.buffer[:start]
            self.buffer = grown
        self.buffer[start:end] = coded

    def __getstate__(self):
        return {**vars(self), "buffer": self.array.copy()}


class Floats(Column):
    """Floats and None."""

    dtype = np.float64

    def code(self, values):
        """Return values as they are kept."""
        if isinstance(values, np.ndarray) and values.dtype.kind in "fiub":
            return np.ma.filled(values, NO_NUMBER) if isinstance(values, np.ma.MaskedArray) else values
        return np.array([NO_NUMBER if v is None else v for v in values] if None in values else values, np.float64)

    def absent(self, coded):
        """Return where kept values are None."""
        return coded.view(np.int64) == NO_BITS

    def values(self, coded):
        """Return kept values as Python's own."""
        absent = self.absent(coded)
        if not absent.any():
            return coded.tolist()
        if absent.all():
            return [None] * len(coded)
        out = coded.astype(object)
        out[absent] = None
        return out.tolist()

    def numbers(self, coded):
        """Return kept values as a float array, NaN for None."""
        return np.where(self.absent(coded), np.nan, coded)

    def equals(self, value):
        """Return where the column has this value."""
        if value is None:
            return self.absent(self.array)
        return np.equal(self.array, value) if is_number(value) else np.zeros(self.size, bool)


class Wholes(Floats):
    """Whole numbers and None."""

    dtype = np.int64

    def code(self, values):
        if isinstance(values, np.ndarray) and values.dtype.kind in "iub":
            return np.ma.filled(values, NO_COUNT) if isinstance(values, np.ma.MaskedArray) else values
        return np.array([NO_COUNT if v is None else v for v in values] if None in values else values, np.int64)

    def absent(self, coded):
        return coded == NO_COUNT


class Texts(Column):
    """Texts, each different one kept once."""

    dtype = np.int32

    def __init__(self):
        super().__init__()
        self.names, self.codes = [], {}

    def code(self, values):
        codes = self.codes
        try:
            return np.fromiter(map(codes.__getitem__, values), np.int32)
        except KeyError:
            for value in dict.fromkeys(values):
                name = "" if value is None else str(value)
                if name not in codes:
                    codes[name] = len(self.names)
                    self.names.append(name)
                codes[value] = codes[name]
            return np.fromiter(map(codes.__getitem__, values), np.int32)

    def absent(self, coded):
        """Return where kept values are empty."""
        return coded == self.codes.get("", -1)

    def values(self, coded):
        return list(map(self.names.__getitem__, coded.tolist()))

    def numbers(self, coded):
        """Return kept values as an array of texts."""
        return np.array(self.names, str)[coded] if len(coded) else np.zeros(0, str)

    def equals(self, value):
        return self.array == self.codes.get(value, -1)

    def present(self, among=slice(None)):
        """Return the texts that there are (among some rows), in order of first appearance."""
        seen, first = np.unique(self.array[among], return_index=True)
        return [self.names[code] for code in seen[np.argsort(first)].tolist()]


KINDS = {name: Texts if name in TEXT else Wholes if name in WHOLE else Floats for name in Row._fields}


class Columns:
    """A table of rows by column.

    The newest rows lie as they came, up to BLOCK of them; ``columns`` has the others, and all after :meth:`pack`.
    """

    def __init__(self, rows=()):
        self.columns = {name: kind() for name, kind in KINDS.items()}
        self.packed, self.waiting = 0, []
        self.extend(rows)

    def __len__(self):
        return self.packed + len(self.waiting)

    def __getitem__(self, name):
        """Return one Column, complete.

        Raises:
            KeyError: for a column that does not exist, saying which there are.
        """
        if name not in self.columns:
            raise KeyError(f"no column {name!r}; there are {', '.join(Row._fields)}")
        if self.waiting:
            self.extend_by_column(dict(zip(self.columns, zip(*self.waiting, strict=True), strict=True)), waited=True)
        column = self.columns[name]
        column.size = self.packed
        return column

    def extend(self, rows):
        """Append some rows."""
        self.waiting.extend(rows)
        if len(self.waiting) >= BLOCK:
            self["step"]

    def extend_by_column(self, values, waited=False):
        """Append column name -> values, all of one length; all of them, or none where one does not fit.

        If they are the rows that ``waited`` they wait no longer; else those come first.
        """
        if self.waiting and not waited:
            self["step"]
        coded = {name: self.columns[name].code(given) for name, given in values.items()}
        for name, array in coded.items():
            self.columns[name].put(self.packed, array)
        # Last of all, and in one line: who is interrupted before has what there was.
        self.packed, self.waiting = self.packed + len(coded["step"]), []

    def rows(self, index=slice(None)):
        """Return the rows at these places (an array of numbers or a slice) as a list."""
        columns = [self[name] for name in KINDS]
        with at_rest():
            return list(map(Row._make, zip(*[column.values(column.array[index]) for column in columns], strict=True)))

    def __eq__(self, other):
        if not isinstance(other, Columns):
            return NotImplemented
        return len(self) == len(other) and all(alike(self[name], other[name]) for name in Row._fields)

    __hash__ = None


class Rows(Sequence):
    """The rows of a table as a sequence: each is made when it is asked for."""

    def __init__(self, table, extend):
        self.table, self.extend = table, extend

    def append(self, row):
        """Append one row."""
        self.extend([row])

    def __len__(self):
        return len(self.table)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return self.table.rows(index)
        place = range(len(self))[index]             # raises where there is none, and counts -1 from the end
        return self.table.rows(slice(place, place + 1))[0]

    def __iter__(self):
        for start in range(0, len(self), BLOCK):
            yield from self.table.rows(slice(start, start + BLOCK))

    def __eq__(self, other):
        if isinstance(other, Rows):
            return self.table == other.table
        return list(self) == other if isinstance(other, list) else NotImplemented

    __hash__ = None

    def __repr__(self):
        return f"<{len(self)} rows>"


@contextmanager
def at_rest():
    """Let the garbage collector rest, which would look again and again through a million new rows."""
    import gc  # here, as who only trains need not wait for it

    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def alike(mine, theirs):
    """Return whether two columns have the same values; NaN equals NaN, and None only None."""
    a, b = mine.array, theirs.array
    if isinstance(mine, Texts):
        table = np.array([theirs.codes.get(name, -1) for name in mine.names] or [-1])
        return np.array_equal(table[a], b)
    same = (a == b) | ((a != a) & (b != b))
    return bool((same & (mine.absent(a) == theirs.absent(b))).all())


def is_number(value):
    """Return whether NumPy can compare numbers with a value."""
    return np.ndim(value) == 0 and np.asarray(value).dtype.kind in "fiub"

"""Opening a file of text, or saying in one line why it is none."""

import csv
import gc
import os
from contextlib import contextmanager
from functools import cached_property
from itertools import islice

from minigrad.trace import formats
from minigrad.trace.readers.source import plural

BINARY = (
    (b"PK\x03\x04", "a zip archive (a checkpoint of PyTorch, or arrays of NumPy?)"),
    (b"\x1f\x8b", "compressed by gzip: unpack it first"),
    (b"BZh", "compressed by bzip2: unpack it first"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd: unpack it first"),
    (b"\x89PNG", "a picture"),
    (b"\x89HDF", "an HDF5 file"),
    (b"PAR1", "a Parquet file: write the table as CSV"),
    (b"\x93NUMPY", "a single array of NumPy"),
    (b"\x80", "a pickle"),
    (b"SQLite", "a database"),
)
"""How files that people try begin, and what to say."""

MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
"""How a text says in its first bytes which encoding it is in; PowerShell's ``>`` writes UTF-16."""


BLANK = b"\xef\xbb\xbf\xff\xfe \t\r\n"

OWN = {",".join(names): list(names) for names in (formats.COLUMNS, formats.OLDER)}
"""The first lines of minigrad's own CSV, and the columns they name."""


HEAD = 100_000
"""So many characters have the first lines, as a rule."""


class Text:
    """The text of a file.

    Attributes:
        path: the file.
        name: its name without the folders, in lower case.
        text: all of it.
        damaged: number of characters that are no UTF-8.
    """

    def __init__(self, path, text, damaged=0):
        self.path = os.fspath(path)
        self.name = os.path.basename(self.path).lower()
        self.text, self.damaged = text, damaged

    @cached_property
    def lines(self):
        """The lines without their ends, the last one also if it has no end."""
        return lines_of(self.text, is_own(self.text))

    def head(self, count=200):
        """Return the first lines that are not empty, as pairs (index, line)."""
        for lines in (lines_of(self.text[:HEAD])[:-1], self.lines):
            found = list(islice(((i, line) for i, line in enumerate(lines) if line and not line.isspace()), count))
            if len(found) == count:
                break
        return found

    def tell(self, source):
        """Put what is odd about the file itself among the notes."""
        if self.damaged:
            source.note("utf-8", f"it is not all UTF-8: {plural(self.damaged, 'character')} could not be read")
        if not self.text.endswith(("\n", "\r")) and source.unit == "line":
            source.note("ended", "the last line has no line end; it is read as it stands")


def contents(path):
    """Return all bytes of a file.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is a folder, or empty.
    """
    path = os.fspath(path)
    if os.path.isdir(path):
        raise ValueError(f"{path} is a folder; give a file in it")
    try:
        with open(path, "rb") as file:
            data = file.read()
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: there is no such file") from None
    if not data[:4096].strip(BLANK) and not data.strip(BLANK):
        raise ValueError(f"{path} is empty")
    return data


def refuse_binary(path, data):
    """Raise ValueError, saying what it looks like, if some bytes are no text."""
    if data.startswith(tuple(mark for mark, _ in MARKS)):
        return
    name = os.path.basename(os.fspath(path))
    kind = next((what for magic, what in BINARY if data.startswith(magic)), None)
    if "tfevents" in name:
        kind = "an event file of TensorBoard: tick \"Show data download links\" there and save the scalar as CSV"
    elif name.endswith(".wandb"):
        kind = "a log of Weights & Biases: export the chart as CSV, or write api.run(...).history() with to_csv"
    if kind is None and b"\0" in data[:8192]:
        kind = "no text"
    if kind:
        raise ValueError(f"{path} is binary, {kind}")


def decoded(data):
    """Return bytes as text, and how many characters of it could not be read."""
    encoding = next((name for mark, name in MARKS if data.startswith(mark)), "utf-8")
    try:
        return data.decode(encoding), 0
    except UnicodeDecodeError:
        text = data.decode(encoding, errors="replace")
        return text, text.count("\ufffd")


def is_own(text):
    """Return whether a text is CSV of minigrad's own, in which a carriage return may be within a cell."""
    return text[:1000].split("\n")[0].rstrip("\r") in OWN


def lines_of(text, own=False):
    """Return the lines of a text without their ends.

    A carriage return ends a line, too: a progress bar redraws itself so, and each drawing is a line of its own.
    """
    if "\r" in text and not own:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    return lines


@contextmanager
def telling(path, layout=None):
    """Put the name of the file, and as what it is read, before the message of a ValueError."""
    try:
        yield
    except ValueError as error:
        raise type(error)(f"{path}{f', read as {layout}' if layout else ''}: {error}") from None


@contextmanager
def in_bulk():
    """Let the garbage collector rest, which would look again and again through a million new rows; allow long cells."""
    was, limit = gc.isenabled(), csv.field_size_limit(2 ** 31 - 1)
    gc.disable()
    try:
        yield
    finally:
        csv.field_size_limit(limit)
        if was:
            gc.enable()

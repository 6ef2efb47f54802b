"""A trace as a file that grows: each step is appended when it is finished."""

import os
from contextlib import suppress

from minigrad.trace import formats
from minigrad.trace.columns import Columns


class Stream:
    """A file, .csv or .jsonl, to which the rows of one step after another are appended.

    A step is handed over to the system in one piece, so that it outlives the program, however that ends.  The file is
    open only while it is written to; who copies, moves or rotates it need not tell.

    Args:
        path: the file.
        append: whether to go on with one that is there; what a killed run left of an unfinished line is cut off.

    Raises:
        ValueError: for another ending; where it is appended to, if the file is no trace, or lacks a column.
        FileExistsError: if there is a file, and it shall not be appended to.

    Attributes:
        before: the Columns of what was there.
    """

    def __init__(self, path, append=False):
        kind = formats.ending(path, (".csv", ".jsonl"))
        self.path = os.path.abspath(path)
        self.lines, self.head = (formats.csv_rows, formats.HEADER) if kind == ".csv" else (formats.json_rows, b"")
        self.before = Columns()
        if os.path.exists(path) and os.path.getsize(path):
            if not append:
                raise FileExistsError(f"stream: {path} is there already; NormTrace(stream=..., append=True) goes on "
                                      f"with it, where a run is resumed; else take another name, or remove it")
            self.go_on()
        else:
            self.write(b"")

    def go_on(self):
        """Read what is there, and cut off what is unfinished."""
        self.before, _, end, columns = formats.parse(self.path)
        if columns != formats.COLUMNS:
            raise ValueError(f"stream: {self.path} was written without the column data, and cannot be appended to; "
                             f"NormTrace.load(path).save(other) makes one with it")
        os.truncate(self.path, end)

    def append(self, rows):
        """Append the rows of a step."""
        self.write(self.lines(rows))

    def write(self, text):
        with open(self.path, "ab", buffering=0) as file:
            end = file.seek(0, os.SEEK_END)
            text = text if end else self.head + text
            try:
                done = 0
                while done < len(text):
                    done += file.write(text[done:])
            except OSError:
                with suppress(OSError):         # a disk that is full has room for half a line, which is no line
                    file.truncate(end)
                raise

"""Follower: the new rows of a file that is still being written."""

import os

from minigrad.trace.norm_trace import NormTrace
from minigrad.trace.readers.delimited import dialect
from minigrad.trace.readers.layouts import known, start
from minigrad.trace.readers.names import Unnamed, Wanted
from minigrad.trace.readers.opening import Text, in_bulk, is_own, lines_of, refuse_binary, telling
from minigrad.trace.readers.source import listed

MEMORY = 512
"""So many bytes at the beginning of the file, and before where reading stopped, tell that it is still the same."""


class Follower:
    """Reads on in a file that grows: minigrad's own CSV or JSON Lines, any other table, JSON Lines or text log.

    A last line without its end waits until it is complete.  A file that was cut, or replaced by another, is read anew
    from its beginning; one that was replaced by a longer one that begins the same is read on.

    Args:
        path: the file; the others as for :func:`minigrad.trace.readers.read`.

    Attributes:
        restarts: how often the file was begun anew; when it has changed, the rows of earlier polls are of an old file.
        source: the :class:`Source` report of all that was read since the last beginning; None before the first norm.

    Example:
        >>> import pathlib, tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "log.csv"
        >>> _ = path.write_text("step,grad_norm\\n0,1.5\\n1,2")
        >>> follower = Follower(path)
        >>> follower.poll().column("norm_in")
        array([1.5])
        >>> with open(path, "a") as file:
        ...     _ = file.write(".25\\n")
        >>> follower.poll().column("norm_in"), len(follower.poll())
        (array([2.25]), 0)
    """

    def __init__(self, path, *, layout=None, **wanted):
        self.path, self.layout, self.wanted = os.fspath(path), layout, Wanted(**wanted)
        known(layout)
        self.restarts = 0
        self.seen = False
        self.begin()

    @property
    def source(self):
        return self.reader.runs[0].source if self.reader is not None and self.reader.runs else None

    def begin(self):
        """Forget all that was read."""
        self.offset, self.head, self.tail = 0, b"", b""
        self.early = []                         # lines read before the layout is known
        self.number = 1                         # of the next line
        self.reader = None

    def poll(self):
        """Return the rows that have come since the last call, as a NormTrace; an empty one where there are none.

        Raises:
            FileNotFoundError: if the file is not there and has never been.
            ValueError: if it is binary, a folder, of a layout that does not grow by lines, or without a column for the
                norm; a text in which no norm has been found is waited for.
        """
        lines = self.lines()
        if not lines:
            return NormTrace()
        with in_bulk():
            if self.reader is not None:
                self.reader.feed(lines, self.number)
                self.number += len(lines)
            else:
                self.early += lines
                if not self.recognised():
                    return NormTrace()
            return self.reader.runs[0].fresh()

    def recognised(self):
        """Try to start a reader with the lines that there are; return whether it has begun."""
        text = Text(self.path, "".join(f"{line}\n" for line in self.early))
        try:
            reader = start(text, self.wanted, self.layout)
            if reader.begin is None:
                raise ValueError(f"{self.path} is a JSON document, which does not grow by lines: read it anew instead")
            if len(reader.runs) > 1:
                raise ValueError(f"{self.path} holds {len(reader.runs)} runs: "
                                 f"{listed(run.source.run for run in reader.runs)}; choose one by column=")
            with telling(self.path, reader.layout):
                reader.feed(self.early[reader.begin:], reader.begin + 1)
        except Unnamed:
            if self.certain():
                raise
            return False
        self.reader, self.number, self.early = reader, len(self.early) + 1, []
        return bool(reader.runs)

    def certain(self):
        """Return whether more lines would not help: there is a table, with rows, and no column for the norm in it."""
        how = dialect([(i, line) for i, line in enumerate(self.early) if line.strip()][:200])
        return how is not None and how.begin < len(self.early) and self.wanted.pattern is None

    def lines(self):
        """Return the complete lines that have come since the last call."""
        try:
            with open(self.path, "rb") as file:
                self.seen = True
                if not self.same(file):
                    self.restarts += 1
                    self.begin()
                file.seek(self.offset)
                data = file.read()
        except IsADirectoryError:
            raise ValueError(f"{self.path} is a folder; give a file in it") from None
        except FileNotFoundError:
            if not self.seen:
                raise FileNotFoundError(f"{self.path}: there is no such file") from None
            if self.offset:                     # moved away; another one may take its place
                self.restarts += 1
                self.begin()
            return []
        if not self.offset:
            refuse_binary(self.path, data)
            if data.startswith((b"\xff\xfe", b"\xfe\xff")):
                raise ValueError(f"{self.path} is in UTF-16, which is read only when it is complete: read(path)")
        own = is_own((self.head or data[:MEMORY]).decode("utf-8", "replace"))
        # A carriage return at the very end may be the first half of a line end.
        end = 1 + max(data.rfind(b"\n"), -1 if own else data.rfind(b"\r", 0, max(len(data) - 1, 0)))
        if not end:
            return []
        data = data[:end]
        text = data.decode("utf-8" if self.offset else "utf-8-sig", errors="replace")
        self.offset += end
        self.head, self.tail = (self.head + data)[:MEMORY], (self.tail + data)[-MEMORY:]
        return lines_of(text, own)

    def same(self, file):
        """Return whether an open file begins as the one that was read so far."""
        if not self.offset:
            return True
        if os.fstat(file.fileno()).st_size < self.offset or file.read(len(self.head)) != self.head:
            return False
        file.seek(self.offset - len(self.tail))
        return file.read(len(self.tail)) == self.tail

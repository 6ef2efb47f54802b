"""Reports that are read on a terminal, in a notebook, and by programs: text, HTML and a plain dict from one source."""

import html
import math
import textwrap
from dataclasses import fields, is_dataclass
from typing import NamedTuple

import numpy as np

WIDTH = 79
"""Columns that running text is broken to; a table is as wide as it is."""


class Table(NamedTuple):
    """A table of texts: the first column is flush left, the others flush right, as numbers are."""

    head: tuple
    rows: list


class Facts(NamedTuple):
    """Lines of a name and what is said of it."""

    lines: list


class Report:
    """What has a title and parts; derive from it and write :meth:`parts`.

    ``str()`` gives lines for a terminal, notebooks show ``_repr_html_``, :meth:`as_dict` is for programs.
    """

    title = ""

    def parts(self):
        """Return a list of what stands below the title: each a :class:`Table`, :class:`Facts`, or a text."""
        raise NotImplementedError

    def as_dict(self):
        """Return everything as plain dicts, lists, texts and numbers, which ``json.dumps`` takes.

        None is what does not apply; a number that is not finite, which JSON does not know, is the text "nan", "inf" or
        "-inf", which ``float`` reads.
        """
        return plain(self)

    def __str__(self):
        lines = [*wrapped(self.title)]
        for part in self.parts():
            lines += ["", *as_lines(part)]
        return "\n".join(lines)

    def _repr_html_(self):
        pieces = [f"<p><b>{html.escape(self.title)}</b></p>"]
        for part in self.parts():
            pieces.append(as_html(part))
        return "<div>\n" + "\n".join(pieces) + "\n</div>"


def wrapped(text, indent=""):
    """Return a paragraph as lines."""
    return textwrap.wrap(text, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False) or [""]


def as_lines(part):
    """Return a part of a report as lines of text."""
    if isinstance(part, Table):
        return aligned(part)
    if isinstance(part, str):
        return wrapped(part)
    width = max(len(name) for name, _ in part.lines) + 2
    return [line for name, text in part.lines for line in wrapped(f"{name:<{width}}{text}", " " * width)]


def aligned(table):
    """Return a table as lines of equal columns; trailing blanks are left out."""
    rows = [table.head, *table.rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(table.head))]
    lines = ["  ".join(cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths)))
             for row in rows]
    return [lines[0].rstrip(), "-" * len(lines[0]), *(line.rstrip() for line in lines[1:])]


def as_html(part):
    """Return a part of a report as HTML."""
    if isinstance(part, str):
        return f"<p>{html.escape(part)}</p>"
    if isinstance(part, Facts):
        return "\n".join(["<table>", *(row(line, "td", "left") for line in part.lines), "</table>"])
    return "\n".join(["<table>", row(part.head, "th"), *(row(cells, "td") for cells in part.rows), "</table>"])


def row(cells, tag, others="right"):
    """Return a row of a table as HTML, all cells but the first aligned as said."""
    return "<tr>" + "".join(f'<{tag} style="text-align: {others if i else "left"}">{html.escape(cell)}</{tag}>'
                            for i, cell in enumerate(cells)) + "</tr>"


def plain(value):
    """Return a value made of dataclasses, named tuples, arrays and numbers as what JSON knows."""
    if is_dataclass(value):
        return {f.name: plain(getattr(value, f.name)) for f in fields(value)}
    if hasattr(value, "_asdict"):
        return {name: plain(part) for name, part in value._asdict().items()}
    if isinstance(value, dict):
        return {str(name): plain(part) for name, part in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [plain(part) for part in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    return value


def short(value):
    """Return a number in few digits, never as 0 unless it is; "-" for None.

    Example:
        >>> short(1e-200), short(0.0), short(1234.56), short(123456.0), short(None), short(float("nan"))
        ('1e-200', '0', '1235', '1.235e+05', '-', 'nan')
    """
    return "-" if value is None else f"{value:.4g}"


def share(part):
    """Return a share as per cent; what is not quite none or all is not shown as none or all.

    Example:
        >>> share(0.0), share(1e-6), share(0.237), share(0.9999), share(1.0), share(None)
        ('0 %', '<0.1 %', '23.7 %', '>99.9 %', '100 %', '-')
    """
    if part is None or math.isnan(part):
        return "-"
    if part in (0, 1):
        return f"{part:.0%}".replace("%", " %")
    if part < 0.001 or part > 0.999:
        return "<0.1 %" if part < 0.5 else ">99.9 %"
    return f"{100 * part:.1f} %"


def counted(n, noun, plural=None):
    """Return a number and what it counts.

    Example:
        >>> counted(1, "step"), counted(12000, "step")
        ('1 step', '12000 steps')
    """
    return f"{n} {noun if n == 1 else plural or noun + 's'}"

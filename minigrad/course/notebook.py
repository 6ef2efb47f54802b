"""Read a learner's notebook, and find the exercises in it: by their marks, or where those are lost, by what is written.

A notebook that comes back is not the one that was given out.  Cells were added, deleted, moved, merged; an editor in
the browser dropped tags, and put a ``%pip install`` on top; a check was edited.  What holds an exercise together is
its name, which stands in the source of its check (``check.NAME(answer)``) and in the metadata of its check ("NAME") and
of its answer ("NAME-answer").
"""

import ast
import io
import json
import re
from collections import Counter
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from minigrad.check import EXERCISES
from minigrad.course.places import cell_source

ANSWERS = re.compile(r"^(?:def|class)\s+answer\b|^answer\s*(?::[^=]*)?=(?!=)|^(?:from|import)\b.*\banswer\b",
                     re.MULTILINE)
"""What a cell that defines ``answer`` has at the beginning of a line."""

INSTALLS = re.compile(r"^([ \t]*)[%!](?:.*\\\n)*.*\b(?:pip3?|conda|mamba)[ \t]+(?:un)?install\b(?:.*\\\n)*.*$",
                      re.MULTILINE)
"""A line of a cell that installs packages, or removes them."""


class Unreadable(ValueError):
    """A file that is no notebook, or one without an exercise of ours; the message says which file and why."""


@dataclass
class Cell:
    """A code cell.

    Attributes:
        number: its place among all cells of the notebook, from 1.
        source: what is written in it.
        owner: the exercise that it belongs to, None for a cell of the lesson.
        marks: the exercises that are marked when it has been run.
        runs: whether it is run at all: a cell that is a check and nothing else is not, our own check takes its place.
    """

    number: int
    source: str
    tags: tuple = ()
    grade_id: str = ""
    owner: str | None = None
    marks: tuple = ()
    runs: bool = True

    def __str__(self):
        line = next(filter(None, map(str.strip, self.source.splitlines())), "")
        return f"cell {self.number} ({line if len(line) <= 40 else line[:36] + ' ...'})"


def read(path):
    """Return the code cells of a notebook as a list of :class:`Cell`.

    Lines that install packages become ``pass``: what is marked is not to change the system of whoever marks.

    Args:
        path: of an .ipynb file, nbformat 4.

    Raises:
        Unreadable: if it is no notebook.
        OSError: if it cannot be read.
    """
    try:
        notebook = json.loads(Path(path).read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError):                # what is not UTF-8, not JSON, or JSON made to hurt
        raise Unreadable(f"{path} is no notebook: it does not hold JSON") from None
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list):
        old = isinstance(notebook, dict) and "worksheets" in notebook
        raise Unreadable(f"{path} is a notebook of an old form: open it in Jupyter and save it" if old else
                         f"{path} is no notebook: it has no cells")
    found = []
    for number, cell in enumerate(cells, 1):
        if not isinstance(cell, dict) or not cell_text(cell):
            raise Unreadable(f"{path} is damaged: cell {number} has no text")
        if cell.get("cell_type") == "code":
            metadata = cell.get("metadata")
            metadata = metadata if isinstance(metadata, dict) else {}
            grader, tags = metadata.get("nbgrader"), metadata.get("tags")
            # JSON may hold half a pair of surrogates, which no message to a kernel can.
            source = cell_source(cell).encode("utf-8", "replace").decode("utf-8")
            found.append(Cell(number, INSTALLS.sub(r"\1pass", source), tuple(tags) if isinstance(tags, list) else (),
                              str(grader.get("grade_id", "")) if isinstance(grader, dict) else ""))
    return found


def cell_text(cell):
    """Whether the source of a cell is a text or a list of texts, as it should be."""
    source = cell.get("source", "")
    return isinstance(source, str) or (isinstance(source, list) and all(isinstance(line, str) for line in source))


def plan(cells):
    """Find the exercises: set ``owner``, ``marks`` and ``runs`` of the cells, in place; part those that hold several.

    The tutorial is that of which the most names are found.  An exercise is marked where its check is; where the check
    was deleted, behind its answer.  To it belong the cell that defines ``answer``, and what follows up to the check.

    Args:
        cells: the code cells, from :func:`read`.

    Returns:
        the number of the tutorial, e.g. "00", None if there is no exercise of ours.

    Example:
        >>> cells = [Cell(1, "import numpy as np"), Cell(2, "def answer(w, T):\\n    return w ** T"),
        ...          Cell(3, "check.chain_factor(answer)")]
        >>> plan(cells)
        '00'
        >>> [(cell.owner, cell.marks, cell.runs) for cell in cells]
        [(None, (), True), ('chain_factor', (), True), ('chain_factor', ('chain_factor',), False)]
    """
    numbers = {name: number for number, (_, names) in EXERCISES.items() for name in names}
    cells[:] = [part for cell in cells for part in parted(cell)]
    checked = [checked_in(cell, numbers) for cell in cells]
    answered = [cell.grade_id.removesuffix("-answer") if cell.grade_id.endswith("-answer") else "" for cell in cells]
    found = {*answered, *(name for names in checked for name in names)} & {*numbers}
    if not found:
        return None
    votes = Counter(numbers[name] for name in sorted(found, key=list(numbers).index))
    tutorial = votes.most_common(1)[0][0]
    expected = EXERCISES[tutorial][1]
    for cell, names, name in zip(cells, checked, answered):
        cell.marks = tuple(n for n in expected if n in names)
        cell.runs = not (cell.marks and only_checks(cell.source))
        if name in expected and not any(name in names for names in checked):
            cell.marks = (*cell.marks, name)
    owned(cells)
    return tutorial


def parted(cell):
    """Return a cell that defines ``answer`` again after a check as several; any other as it is.

    Example:
        >>> source = "answer = f\\ncheck.chain_factor(answer)\\nanswer = g\\ncheck.clip_norm(answer)"
        >>> [part.source for part in parted(Cell(1, source))]
        ['answer = f\\ncheck.chain_factor(answer)\\n', 'answer = g\\ncheck.clip_norm(answer)']
    """
    lines = io.StringIO(cell.source, newline="").readlines()          # as Python counts them
    cuts, checked = [], False
    for statement in statements(cell.source) or ():
        first = min([statement.lineno, *(d.lineno for d in getattr(statement, "decorator_list", ()))]) - 1
        if checked and ANSWERS.search("".join(lines[first:statement.end_lineno])):
            cuts.append(first)
            checked = False
        checked = checked or checks(statement)
    if not cuts:
        return [cell]
    first, *others = ["".join(lines[start:end]) for start, end in pairwise([0, *cuts, len(lines)])]
    return [replace(cell, source=first), *(Cell(cell.number, source) for source in others)]


def checked_in(cell, numbers):
    """Return the names of the exercises that a cell checks, by its metadata or its source."""
    called = re.findall(r"\bcheck\.(\w+)\s*\(|\b(\w+)\s*\(\s*answer\b", cell.source)
    names = {name for pair in called for name in pair} | {cell.grade_id}
    return [name for name in numbers if name in names]


def owned(cells):
    """Say of each cell to which exercise it belongs: those from the first ``answer`` to the check."""
    start = 0
    for position, cell in enumerate(cells):
        if not cell.marks:
            continue
        stretch = cells[start:position + 1]
        first = next((i for i, c in enumerate(stretch) if "exercise" in c.tags or c.grade_id.endswith("-answer")
                      or ANSWERS.search(c.source)), len(stretch) - 1)
        for each in stretch[first:]:
            each.owner = cell.marks[0]
        start = position + 1


def only_checks(source):
    """Whether a source does nothing but call checks (or say a constant), so that nothing is lost if it is not run.

    Example:
        >>> only_checks("passed = check.clip_norm(answer)  # mine"), only_checks("1"), only_checks("answer = f")
        (True, True, False)
    """
    body = statements(source)
    return body is not None and all(checks(s) or (isinstance(s, (ast.Expr, ast.Assign))
                                                  and isinstance(s.value, ast.Constant)) for s in body)


def statements(source):
    """Return the statements of a source as parts of a syntax tree, None where it has no syntax (or IPython's own)."""
    try:
        return ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def checks(statement):
    """Whether a statement is a call ``check.NAME(...)``, or keeps what that returns."""
    node = getattr(statement, "value", None)
    return (isinstance(statement, (ast.Expr, ast.Assign)) and isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name)
            and node.func.value.id == "check")

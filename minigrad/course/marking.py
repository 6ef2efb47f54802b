"""Mark a learner's notebook: run it, and give each exercise its point or not.

Each costs only its own exercise: an endless loop, an answer that ignores Ctrl-C, a crash of the process, ``sys.exit``,
a memory hog, output without end, a cell that does not parse, a cell that is missing.  The cells are run in order, in a
kernel.  Cells have a time limit; where a kernel is lost, the next one runs the cells before, without the one that did
it.  An exercise that fails after cells which are not the tutorial's own (another exercise, a cell that the learner
changed or added) has a second try in a fresh kernel, with nothing but the tutorial's setup cells and its own; if it
passes there, it passes.

A point is given by this package's check and nothing else: what the notebook itself checks or prints does not count, and
an answer is used for one exercise only.  What this does NOT protect against is code written to deceive.  A learner's
cells run in one process with the checks, with the rights of the user and with the network; they could replace the
functions the checks are made of, read other people's files, or start processes that outlive them.  Whoever marks the
work of strangers for credit runs this in a container, and reads what they wrote.
"""

import re
import time
from dataclasses import dataclass, field
from pathlib import Path

from minigrad.check import EXERCISES
from minigrad.course import MEMORY, TIMEOUT, TOTAL, places
from minigrad.course import notebook as notebooks
from minigrad.course.kernel import Kernel, Reply

STATUSES = ("passed", "wrong", "not written", "time", "died", "error", "missing", "not run")
"""What can become of an exercise, the best first."""

DOUBTFUL = ("wrong", "time", "died", "error")
"""Failures that another cell may be the reason of (a thread left running, for one): a second try is worth its time."""


@dataclass
class Result:
    """What became of an exercise: its status, one of ``STATUSES``, and a line that says more."""

    name: str
    status: str
    line: str

    @property
    def points(self):
        """1 or 0."""
        return int(self.status == "passed")


@dataclass
class Marks:
    """What became of a notebook.

    Attributes:
        tutorial: its number, e.g. "00".
        exercises: a :class:`Result` for each exercise of the tutorial, in its order.
        notes: lines about cells that went wrong and belong to no exercise, and the like.
    """

    tutorial: str
    exercises: list
    notes: list = field(default_factory=list)

    @property
    def points(self):
        """The sum of the points."""
        return sum(result.points for result in self.exercises)


def mark(path, timeout=TIMEOUT, total=TOTAL, memory=MEMORY):
    """Run a learner's notebook and mark its exercises.  The file is only read.

    Args:
        path: of the notebook.
        timeout: seconds that one cell may take, and the check of one exercise.
        total: seconds for everything; exercises that are not reached by then are "not run".
        memory: gibibytes that the notebook's process may use.

    Returns:
        :class:`Marks`.

    Raises:
        minigrad.course.notebook.Unreadable: if it is no notebook, or has no exercise of the course.
        minigrad.course.kernel.KernelError: if no kernel starts.
        OSError: if the file cannot be read.
    """
    cells = notebooks.read(path)
    tutorial = notebooks.plan(cells)
    if tutorial is None:
        raise notebooks.Unreadable(f"{path} has no exercise of the course: no cell like check.NAME(answer)")
    folder = Path(path).resolve().parent
    marking = Marking(cells, tutorial, lambda: Kernel(folder, tutorial, int(memory * 2**30)), timeout, total)
    try:
        return marking.all()
    finally:
        marking.drop()


class Marking:
    """The work of :func:`mark`; it holds the kernel and what is known so far.

    Args:
        cells: of the notebook, planned.
        tutorial: its number.
        start: a function that returns a fresh :class:`~minigrad.course.kernel.Kernel`.
        timeout: seconds per cell.
        total: seconds in all.

    Attributes:
        kernel: the one that runs, None if there is none.
        ran: the cells that the last kernel has run, in order.
        lost: numbers of the cells that were stopped or took their kernel with them, and are not run again.
        trouble: of each exercise with a cell that did not end well: the reply and a line about it.
        results: of each exercise the best result so far.
    """

    def __init__(self, cells, tutorial, start, timeout, total):
        self.cells, self.tutorial, self.start = cells, tutorial, start
        self.timeout, self.total, self.end = timeout, total, time.monotonic() + total
        self.kernel, self.ran, self.lost = None, [], set()
        self.trouble, self.results, self.notes = {}, {}, []
        delivered = places.code_cells(tutorial)
        self.known = {source for source, _ in delivered}
        self.setup = [source for source, tags in delivered if "setup" in tags]

    def all(self):
        """Return the :class:`Marks`."""
        again = []
        for position, cell in enumerate(self.cells):
            if self.left() <= 0:
                break
            if cell.runs:
                self.run(position)
            if cell.marks:
                others = self.others_ran(cell.owner)
                judged = self.judge(cell)
                again += [(position, r.name) for r in judged if others and r.status in DOUBTFUL]
        self.drop()
        for position, name in again:
            if self.results[name].status in DOUBTFUL and self.left() > 0:
                self.second_try(position, name)
        return Marks(self.tutorial, [self.result(name) for name in EXERCISES[self.tutorial][1]], self.notes)

    def result(self, name):
        """Return what became of an exercise in the end."""
        if name in self.results:
            return self.results[name]
        if name in self.trouble:            # its cell took the time that was left
            why, reply = self.trouble[name]
            return Result(name, reply.kind, f"{name}: {why}.")
        if any(name in cell.marks for cell in self.cells):
            return Result(name, "not run", f"{name}: not run. The {self.total:g} s for the whole notebook are over.")
        return Result(name, "missing", f"{name}: missing. The notebook has no cell check.{name}(answer).")

    # ------------------------------------------------------------------------------ cells

    def left(self):
        """Return the seconds that are left of all."""
        return self.end - time.monotonic()

    def limit(self):
        """Return the seconds that the next request may take."""
        return max(min(self.timeout, self.left()), 0.01)

    def drop(self):
        """End the kernel, if there is one."""
        if self.kernel is not None:
            self.kernel.close()
            self.kernel = None

    def fresh(self):
        """Start a kernel that has run nothing."""
        self.drop()
        self.kernel, self.ran = self.start(), []

    def run(self, position):
        """Run a cell in a kernel that has run those before it, and keep what went wrong."""
        self.revive(position)
        self.attempt(self.cells[position])

    def attempt(self, cell):
        """Run a cell in the kernel that there is, and keep what went wrong."""
        reply = self.send(cell)
        if reply.kind == "ok":
            return
        if cell.owner is None:
            self.notes.append(f"{cell}: {self.told(reply)}.")
        else:
            self.trouble[cell.owner] = f"{cell}: {self.told(reply)}", reply

    def send(self, cell):
        """Run a cell in the kernel that there is, and keep account of it; return the reply."""
        reply = self.kernel.run(cell.source, self.limit())
        self.ran.append(cell)
        if reply.kind in ("time", "died"):
            self.lost.add(cell.number)
        if not self.kernel.alive:
            self.drop()
        return reply

    def revive(self, position):
        """See that there is a kernel, and that it has run the cells before a position.

        After a loss these are the cells of the lesson, and those of exercises that are passed, whose helpers a later
        one may use; not the cells that were lost, nor those of other exercises, which may be what broke it.
        """
        while self.kernel is None:
            self.fresh()
            for cell in self.cells[:position]:
                wanted = cell.owner is None or (cell.owner in self.results and self.results[cell.owner].points)
                if wanted and cell.runs and cell.number not in self.lost and self.left() > 0:
                    self.send(cell)
                    if self.kernel is None:             # the cell is among the lost now, so this comes to an end
                        break
            else:
                self.kernel.mark((), self.limit())      # an answer from before is nobody's now
                if not self.kernel.alive:
                    self.drop()
                    return self.fresh()

    def others_ran(self, owner):
        """Whether the kernel has run a cell that is neither the tutorial's nor this exercise's."""
        return any(cell.owner != owner and cell.source.strip() not in self.known for cell in self.ran)

    def told(self, reply):
        """Return what a reply other than "ok" means, in words."""
        if reply.kind == "time":
            return (f"stopped after {self.timeout:g} s" if self.left() > 0 else
                    f"stopped, for the {self.total:g} s for the whole notebook are over")
        return "it ended the process" if reply.kind == "died" else f"it raises {one_line(reply.text)}"

    # -------------------------------------------------------------------------- exercises

    def judge(self, cell):
        """Mark what is now called ``answer`` as each exercise of a cell; keep the results, and return them."""
        why, trouble = self.trouble.pop(cell.owner, ("", Reply("ok")))
        reply = Reply("ok")                 # without a kernel there is no answer
        if self.left() <= 0 and trouble.kind == "ok":
            return []                       # not run; the cell before took the rest
        if self.kernel is not None and self.left() > 0:
            reply = self.kernel.mark(cell.marks, self.limit())
            if not self.kernel.alive:
                self.drop()
        results = []
        for name in cell.marks:
            if reply.kind != "ok":
                result = Result(name, reply.kind, f"{name}: the answer was tried, and {self.told(reply)}.")
            elif reply.marks is not None:
                result = graded(name, reply.marks[name])
            elif trouble.kind != "ok":
                result = Result(name, trouble.kind, f"{name}: {why}.")
            else:
                result = Result(name, "missing", f"{name}: missing. No cell above its check defines `answer`.")
            results.append(result)
            kept = self.results.setdefault(name, result)
            if STATUSES.index(result.status) < STATUSES.index(kept.status):
                self.results[name] = result
        return results

    def second_try(self, position, name):
        """Mark an exercise in a fresh kernel that runs the tutorial's setup and the exercise's own cells only."""
        self.fresh()
        cell = self.cells[position]
        for source in self.setup or [c.source for c in self.cells[:position] if c.owner is None]:
            if self.kernel.alive:
                self.kernel.run(source, self.limit() if not self.setup else max(self.left(), 0.01))
        if not self.kernel.alive:
            return self.drop()
        first = position
        while first > 0 and self.cells[first - 1].owner == cell.owner and not self.cells[first - 1].marks:
            first -= 1
        for own in self.cells[first:position + 1]:
            if own.runs and self.kernel is not None:
                self.attempt(own)
        self.judge(cell)
        if self.results[name].points:
            self.notes.append(f"{name} passes by itself, with nothing but the tutorial's setup cells; in the notebook, "
                              "a cell above it stands in its way.")


def graded(name, mark):
    """Return the result for what :func:`minigrad.course.inside.mark` returned."""
    line = one_line(mark["line"])
    if mark["error"]:
        return Result(name, "error", f"{name}: the answer was tried, and ended in {one_line(mark['error'])}.")
    if mark["points"]:
        return Result(name, "passed", line or f"{name}: passed.")
    return Result(name, "not written" if ": not written yet" in line else "wrong", line or f"{name}: not yet right.")


def one_line(text):
    """Return a text as one line that a terminal can show, not too long."""
    text = "".join(c if c.isprintable() else " " for c in text)
    text = re.sub(r"\((?:<[^>]*>|\d+\.py), line (\d+)\)", r"(line \1)", text)       # without IPython's name of the cell
    text = re.sub(r" at 0x[0-9a-fA-F]+", "", text)          # another one in each run
    text = " ".join(text.split())
    return text if len(text) <= 400 else text[:396] + " ..."

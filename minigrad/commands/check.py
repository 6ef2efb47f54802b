"""``minigrad check``: run a learner's notebook, and mark its exercises."""

import signal
from contextlib import contextmanager

from minigrad.commands.common import Refusal, positive

KEYS = """\
keys of the JSON object:
  notebook     the path given
  tutorial     its number, "00" to "14"
  points       the sum
  max_points   the number of exercises
  exercises    a list in the order of the tutorial, of objects with
      name     of the exercise
      points   0 or 1, and max_points 1
      status   passed       the check passed
               wrong        it did not; the line says on which input
               not written  the answer still raises NotImplementedError
               time         stopped at the time limit
               died         ended the process: os._exit, a crash, out of memory
               error        the cell raises, so that there is no answer; or the answer calls sys.exit
               missing      no answer, or no check, in the notebook
               not run      --total was used up before
      line     one line for the learner, with the hint of the check
  notes        lines on cells outside the exercises that went wrong

exit status:
  0  all exercises passed
  1  some did not
  2  the notebook cannot be read or run, or has no exercise of the course; one line on stderr, none on stdout

examples:
  minigrad check course/00_start_here.ipynb
  minigrad check --json --timeout 20 submissions/ada.ipynb > ada.json"""

SHOWN = 5
"""Notes that are printed; a broken import brings one for each cell below it."""


def add(commands):
    """Add the parser of this command."""
    from minigrad.course import MEMORY, TIMEOUT, TOTAL

    parser = commands.add_parser(
        "check", help="run a learner's notebook and mark its exercises",
        description="Run a notebook of the course in a process of its own, and print a score for each exercise.\n"
                    "An endless loop, a crash or a missing cell costs only the exercise that it belongs to.\n"
                    "The notebook is not written, and lines that install packages (%pip, !pip) are passed over.\n"
                    "It runs with your rights: run those of strangers in a container.",
        epilog=KEYS)
    parser.set_defaults(run=run)
    add = parser.add_argument
    add("notebook", metavar="NOTEBOOK", help="an .ipynb file, worked on or not")
    add("--timeout", metavar="SECONDS", type=positive, default=TIMEOUT,
        help="for each cell, and for the check of each exercise (%(default)s)")
    add("--total", metavar="SECONDS", type=positive, default=TOTAL, help="for everything (%(default)s)")
    add("--memory", metavar="GIB", type=positive, default=MEMORY,
        help="that the notebook may use, where the system can enforce that (%(default)s)")
    add("--json", action="store_true", help="print a JSON object")


def run(args):
    """Mark and print; return the exit status."""
    from minigrad.course import kernel, marking
    from minigrad.course.notebook import Unreadable

    try:
        with orderly():
            marks = marking.mark(args.notebook, args.timeout, args.total, args.memory)
    except OSError as error:
        raise Refusal(f"{error.filename or args.notebook}: {error.strerror or error}") from None
    except Unreadable as error:
        raise Refusal(str(error)) from None
    except kernel.KernelError as error:
        cure = '; python -m pip install "minigrad-lab[notebook]"' if kernel.missing() else ""
        raise Refusal(f"no Jupyter kernel: {error}{cure}") from None
    print(as_json(args.notebook, marks) if args.json else as_text(args.notebook, marks))
    return int(marks.points < len(marks.exercises))


@contextmanager
def orderly():
    """Within this block a request to end (SIGTERM, SIGHUP) ends it as Ctrl-C does: no kernel runs on, no file is left.

    A request that is ignored, as by nohup, or has a handler of its own stays as it is.
    """
    def leave(number, _):
        raise SystemExit(128 + number)

    requests = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    ours = [request for request in requests if signal.getsignal(request) is signal.SIG_DFL]
    try:
        for request in ours:
            signal.signal(request, leave)
        yield
    finally:
        for request in ours:
            signal.signal(request, signal.SIG_DFL)


def as_text(path, marks):
    """Return the marks as lines to be read."""
    lines = [f"{path}: tutorial {marks.tutorial}"]
    lines += [f"{result.points}/1  {result.line}" for result in marks.exercises]
    lines.append(f"{marks.points} of {len(marks.exercises)} points")
    lines += [f"note: {note}" for note in marks.notes[:SHOWN]]
    if len(marks.notes) > SHOWN:
        lines.append(f"note: and {len(marks.notes) - SHOWN} more such cells; --json names them all")
    return "\n".join(lines)


def as_json(path, marks):
    """Return the marks as the text of a JSON object; the help of the command explains its keys."""
    import json

    exercises = [{"name": result.name, "points": result.points, "max_points": 1, "status": result.status,
                  "line": result.line} for result in marks.exercises]
    return json.dumps({"notebook": str(path), "tutorial": marks.tutorial, "points": marks.points,
                       "max_points": len(exercises), "exercises": exercises, "notes": marks.notes},
                      indent=2)          # in ASCII, which is the same in every encoding

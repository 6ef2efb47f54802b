"""What the commands share: their parsers, the numbers they are given, files read and folders made, refusals."""

import argparse
import math
import re
import sys
import tempfile
from pathlib import Path

LARGEST = 1_000_000_000


class Refusal(Exception):
    """Bad input: one line that says what is wrong and how to mend it; exit status 2."""


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, and whose texts keep their lines."""

    def __init__(self, *args, formatter_class=argparse.RawDescriptionHelpFormatter, **options):
        super().__init__(*args, formatter_class=formatter_class, **options)

    def parse_known_args(self, args=None, namespace=None):
        """Parse, and refuse what is left over here: the command knows its name, and the one above it says its own."""
        found, left = super().parse_known_args(args, namespace)
        if left:
            self.error(f"unrecognized arguments: {' '.join(left)}")
        return found, left

    def error(self, message):
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


# ---------------------------------------------------------------------------------- numbers

def whole_number(text):
    """Parse a whole number of at least 1; what is too large for any machine is refused here."""
    if not text.strip().isdecimal() or not 1 <= int(text) <= LARGEST:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to {LARGEST}")
    return int(text)


def number(text, *, zero):
    """Parse a finite number, > 0 or >= 0."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and (value > 0 or (zero and value == 0))):
        raise argparse.ArgumentTypeError(f"{text!r} is not a finite number {'>= 0' if zero else '> 0'}")
    return value


def positive(text):
    """Parse a finite number > 0."""
    return number(text, zero=False)


def not_negative(text):
    """Parse a finite number >= 0."""
    return number(text, zero=True)


# ---------------------------------------------------------------------------------- traces

def add_reading(parser):
    """Add the options that say how a file is read."""
    add = parser.add_argument
    add("--column", metavar="NAME", help="column (key, or word in a log) that holds the norm, or its number from 1; "
                                         "of a file with several runs, the run")
    add("--step", metavar="NAME", help="column that holds the step")
    add("--pattern", metavar="REGEX", help="for a text log: a regular expression with the group (?P<norm>...) and, as "
                                           "you like, step, loss and lr")
    add("--layout", metavar="NAME", help="how the file is written, where that is not recognised")


def reading(args):
    """Return what the options of :func:`add_reading` say, as keywords of ``minigrad.trace.read``."""
    return {name: getattr(args, name) for name in ("column", "step", "pattern", "layout")}


def read_all(path, args):
    """Return the runs in a file as a dict name -> trace, and say on stderr which lines were left out.

    Raises:
        Refusal: if it cannot be read, in one line.
    """
    from minigrad.trace import readers

    with refusals(path):
        traces = readers.read_all(path, **reading(args))
    for trace in traces.values():
        tell(trace.source, args.command)
    return traces


def read(path, args):
    """Return the one run in a file as a trace; otherwise as :func:`read_all`."""
    traces = read_all(path, args)
    if len(traces) > 1:
        raise Refusal(f"{path} holds {len(traces)} runs: {', '.join(map(repr, traces))}; choose one by --column")
    return next(iter(traces.values()))


class refusals:
    """Within this block what the readers and the plots raise for bad input becomes a Refusal about a file."""

    def __init__(self, path):
        self.path = path

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        if isinstance(error, MemoryError):
            raise Refusal(f"{self.path} does not fit into memory") from None
        if isinstance(error, OSError) and error.strerror:
            raise Refusal(f"{error.filename or self.path}: {error.strerror}") from None
        if isinstance(error, (OSError, ValueError)):
            text = " ".join(as_options(str(error)).split())
            raise Refusal(text if str(self.path) in text else f"{self.path}: {text}") from None


def as_options(text):
    """Return a message of the readers with its keywords as options of the command line.

    Example:
        >>> as_options("choose by column=, as in column='gnorm'")
        "choose by --column, as in --column 'gnorm'"
    """
    names = "column|step|loss|lr|pattern|layout"
    text = re.sub(rf"\b({names})=(?=[\w'\"])", r"--\1 ", text)
    return re.sub(rf"\b({names})=", r"--\1", text)


def tell(source, command):
    """Say on stderr, in one line, how many lines of a file could not be read, and why the first could not."""
    if source is not None and source.malformed:
        where, why = source.reasons[0]
        lines = f"{source.malformed} {source.unit}{'' if source.malformed == 1 else 's'}"
        print(f"minigrad {command}: {source.path}: {lines} left out; {source.unit} {where}: {why}", file=sys.stderr)


def about(trace):
    """Return in some lines what was read, with the columns that there are where one can choose among them."""
    lines = str(trace.source).splitlines()
    if trace.source.layout == "text" or trace.source.layout.startswith("minigrad-"):
        lines = [line for line in lines if not line.startswith("  columns")]
    return "\n".join(lines)


# ---------------------------------------------------------------------------------- folders

def writable_folder(path):
    """Make a folder, see that a file can be written there, and return it as a Path.

    Raises:
        Refusal: if it cannot be made or written.
    """
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except FileExistsError:
        raise Refusal(f"--out {path} is a file, not a directory; name another") from None
    except OSError as error:
        raise Refusal(f"--out {path} cannot be written ({error.strerror}); name another directory") from None
    return path

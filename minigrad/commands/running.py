"""What the commands that run experiments share: names and settings as typed, folders, bars of progress, tables."""

import sys
from contextlib import suppress
from pathlib import Path

from minigrad.commands.bars import bar
from minigrad.commands.common import Refusal, whole_number, writable_folder


def add_threads(parser):
    """Add --threads; the command line starts itself anew with so many."""
    parser.add_argument("--threads", type=whole_number, default=1,
                        help="BLAS threads; more is slower at most sizes, and changes the last digits (%(default)s)")


# ------------------------------------------------------------------------------------- what is typed

def find(name):
    """Return the module of an experiment.

    Raises:
        Refusal: for an unknown name; it says which are near, and which there are.
    """
    from minigrad import experiments

    try:
        return experiments.find(name)
    except KeyError as error:
        raise Refusal(error.args[0]) from None


def pairs(texts, option):
    """Return ``name=value`` texts as a dict.

    Raises:
        Refusal: for a text of another form, or a name that is there twice.

    Example:
        >>> pairs(["lr=0.1", "clip=none"], "--set")
        {'lr': '0.1', 'clip': 'none'}
    """
    found = {}
    for text in texts or ():
        name, equals, value = (part.strip() for part in text.partition("="))
        if not equals or not name:
            raise Refusal(f"{option} {text}: write {option} name=value")
        if name in found:
            raise Refusal(f"{option} {name} is there twice; give it once")
        found[name] = value
    return found


def changed(config, texts):
    """Return a config with some settings given as text.

    Raises:
        Refusal: for an unknown name, or a value that it cannot take.
    """
    try:
        return config.changed(texts)
    except KeyError as error:
        raise Refusal(error.args[0]) from None
    except ValueError as error:
        raise Refusal(str(error)) from None


def full(module):
    """Return the settings of the full-size run, which are the default ones where there is no other."""
    return getattr(module, "FULL", None) or module.Config()


def settings_lines(config):
    """Return the settings as lines: name, value, what it is, what it takes."""
    rows = [("setting", "default", "what it is", "what it takes")]
    rows += [(name, value, doc, takes) for name, value, takes, doc in config.described()]
    return aligned(rows)


# ------------------------------------------------------------------------------------------ folders

class Folder:
    """A folder to write into, made if need be; one that was made and stayed empty goes again.

    Args:
        path: where.
        force: whether one with something in it will do.

    Raises:
        Refusal: if it holds something, or cannot be written.
    """

    def __init__(self, path, force):
        path = Path(path)
        if not force and path.is_dir() and any(path.iterdir()):
            raise Refusal(f"--out {path} is there already; --force writes over what has the same name in it, or name "
                          f"another directory")
        self.made = [p for p in (path, *path.parents) if not p.exists()]
        self.path = path

    def __enter__(self):
        return writable_folder(self.path)

    def __exit__(self, *_):
        for path in self.made:
            with suppress(OSError):
                if not any(path.iterdir()):     # in a notebook in the browser, rmdir takes all that is in it along
                    path.rmdir()


# ------------------------------------------------------------------------------------ bars of progress

class Bars:
    """What experiments take as ``progress``: a bar on stderr, with the time left, around each loop.

    Args:
        name: of what is run.

    On leaving the block all bars are gone, also those of a loop that was not finished.
    """

    def __init__(self, name):
        self.name, self.bars = name, []

    def __call__(self, things, what="", total=None):
        # A log file wants few lines; a run that is over at once, none.
        pace = {"mininterval": 0.1 if sys.stderr.isatty() else 5.0, "dynamic_ncols": True, "delay": 0.5}
        shown = bar(things, desc=f"{self.name}: {what}" if what else self.name, total=total, leave=False, **pace)
        self.bars.append(shown)
        return shown

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for shown in self.bars:
            shown.close()


# -------------------------------------------------------------------------------------------- tables

def short(value):
    """Return a number with six digits; anything else as text."""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def aligned(rows, right=()):
    """Return rows of texts as lines with aligned columns, those in ``right`` to the right.

    Example:
        >>> aligned([("a", "1"), ("bcd", "20")], right=(1,))
        ['a     1', 'bcd  20']
    """
    widths = [max(map(len, column)) for column in zip(*rows)]
    return ["  ".join(text.rjust(width) if index in right else text.ljust(width)
                      for index, (text, width) in enumerate(zip(row, widths))).rstrip() for row in rows]


def comparison(rows):
    """Return the rows of ``experiment.compared`` as lines: expected, measured, tolerance, whether it holds, source."""
    words = [("number", "expected", "measured", "tolerance", "ok", "where from")]
    words += [(name, short(value), short(float(measured)), margin, "ok" if holds else "OFF", source)
              for name, value, measured, margin, source, holds in rows]
    return aligned(words, right=(1, 2))

"""Text: predict the next character."""

import codecs
import contextlib
import functools
import importlib
import inspect
import io
import warnings
from pathlib import Path

import numpy as np

from minigrad.tasks.interface import DataError, Task, contents, entropy, whole_number


class TextError(DataError):
    """A text that cannot be learnt from; the message says why and how to mend it."""


def zen():
    """Return the Zen of Python (Tim Peters), which every CPython carries: 856 characters."""
    with contextlib.redirect_stdout(io.StringIO()):
        import this
    return codecs.decode(this.s, "rot13")


LIBRARY = ("argparse", "ast", "asyncio", "calendar", "codecs", "collections", "configparser", "contextlib", "datetime",
           "decimal", "difflib", "doctest", "email.message", "fractions", "functools", "gettext", "heapq",
           "html.parser", "imaplib", "inspect", "io", "ipaddress", "json", "locale", "logging", "os", "pathlib", "pdb",
           "pickle", "pprint", "random", "re", "sched", "secrets", "shutil", "smtplib", "socket", "statistics",
           "string", "subprocess", "tarfile", "textwrap", "threading", "traceback", "unittest", "urllib.parse",
           "urllib.request", "uuid", "warnings", "weakref", "xml.etree.ElementTree", "zipfile")
"""Modules of the standard library whose docstrings stand in for the reference, where Python came without it."""


def topics():
    """Return the chapters of Python's reference that ``help("topics")`` reads: half a million characters of English.

    They stand in the order of their names.  The text is that of the Python that runs: 464 970 characters in 3.11.7,
    492 155 in 3.12.1, 510 586 in 3.13.0 (103 or 104 different ones), plus a newline between chapters.  So a run on it
    is repeated exactly only under the same Python.

    Where Python came without this reference, as in a browser and in some small distributions, the docstrings of its
    standard library stand in, about as long, and a warning says so.

    Raises:
        TextError: if there is neither, or what is there is no text.

    Example:
        >>> from minigrad.tasks import topics
        >>> "statement" in topics()
        True
    """
    cure = "give a text of your own: read_text(path)"
    try:
        chapters = importlib.import_module("pydoc_data.topics").topics
    except (ImportError, AttributeError):
        text = docstrings()
        if not text:
            raise TextError("this Python has no pydoc_data.topics, its distribution left the documentation out, and "
                            f"its library has no docstrings; {cure}") from None
        warnings.warn(f"this Python has no pydoc_data.topics, its distribution left the documentation out; the text "
                      f"is that of its library's docstrings instead, {len(text)} characters, and losses differ from "
                      f"those elsewhere", stacklevel=2)
        return text
    if not isinstance(chapters, dict) or not all(isinstance(text, str) for text in chapters.values()):
        raise TextError(f"pydoc_data.topics of this Python is not a dict of texts; {cure}")
    text = "\n".join(chapters[name] for name in sorted(chapters))
    if not text.strip():
        raise TextError(f"pydoc_data.topics of this Python is empty; {cure}")
    return text


def docstrings(modules=LIBRARY):
    """Return what the documentation inside modules says, by module, class and method in the order of their names.

    A module that cannot be imported is left out; under ``python -OO`` nothing is left.
    """
    found = []
    for name in modules:
        try:
            module = importlib.import_module(name)
        except ImportError:                 # some need what a browser or a small distribution has not
            continue
        things = [thing for key, thing in sorted(vars(module).items()) if not key.startswith("_")
                  and (inspect.isclass(thing) or inspect.isroutine(thing)) and thing.__module__ == name]
        for thing in (module, *things):
            methods = sorted(vars(thing).items()) if inspect.isclass(thing) else ()
            found += [thing.__doc__, *(m.__doc__ for key, m in methods if key[0] != "_" and inspect.isroutine(m))]
    return "\n".join(dict.fromkeys(inspect.cleandoc(text) for text in found if isinstance(text, str)))


def read_text(path):
    """Return the text of a UTF-8 file.

    Raises:
        TextError: if the file is missing, a directory, unreadable, empty, or not text; the message is one line.
    """
    path = Path(path)
    raw = contents(path, TextError, "a text file")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TextError(f"{path} is not UTF-8 text (byte {error.start} is {raw[error.start]:#04x}); give a plain text "
                        f"file, or convert it, e.g. with iconv -t utf-8") from None
    if not text.strip():
        raise TextError(f"{path} is empty; give a text of at least some hundred characters")
    if "\0" in text:
        raise TextError(f"{path} holds NUL bytes, so it is binary; give a plain text file")
    return text


class CharTask(Task):
    """Predict the next character: random windows of a text as one-hot arrays.

    Args:
        text: at least ``seq_len + 1`` characters, of at least two kinds.
        seq_len: characters per window, T.
        batch: windows per batch, B.
        dtype: of x.

    Attributes:
        alphabet: the characters that occur, sorted; V of them.
        codes: the text as indices into it.
        baseline: entropy of the characters' shares in the text: counting how often each occurs.  (Windows hold the
            first and last T characters a little less often than the others; that is not counted.)

    Raises:
        TextError: if the text is too short, or holds one character only.

    Example:
        >>> import numpy as np
        >>> task = CharTask("abracadabra", seq_len=4, batch=2)
        >>> x, y = task.sample(np.random.default_rng(0))
        >>> x.shape, y.shape, "".join(task.alphabet)
        ((4, 2, 5), (4, 2), 'abcdr')
    """

    name = "next character"
    every_step = True

    def __init__(self, text, seq_len, batch=32, dtype="float64"):
        super().__init__(batch, dtype)
        self.seq_len = whole_number("seq_len", seq_len)
        if len(text) < seq_len + 1:
            raise TextError(f"the text has {len(text)} characters, too few for windows of {seq_len}; give a longer "
                            f"text (at least {seq_len + 1}) or a smaller sequence length")
        self.alphabet = sorted(set(text))
        if len(self.alphabet) < 2:
            raise TextError(f"the text holds one character only, {text[0]!r}; there is nothing to predict")
        place = {c: i for i, c in enumerate(self.alphabet)}
        self.codes = np.array([place[c] for c in text])
        self.one_hot = np.eye(len(self.alphabet), dtype=self.dtype)
        self.inputs = self.outputs = len(self.alphabet)

    @functools.cached_property
    def baseline(self):
        """Loss of counting how often each character occurs."""
        return entropy(np.bincount(self.codes))

    def draw(self, rng, batch):
        """Return (x, y): x (T, B, V) one-hot characters, y (T, B) the code of the character after each."""
        starts = rng.integers(0, len(self.codes) - self.seq_len, size=batch)
        windows = self.codes[starts + np.arange(self.seq_len + 1)[:, None]]
        return self.one_hot[windows[:-1]], windows[1:]

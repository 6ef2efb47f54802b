"""Data without a download: text."""

import codecs
import contextlib
import io
from pathlib import Path

import numpy as np


class TextError(ValueError):
    """A text that cannot be learnt from; the message says why and how to mend it."""


def zen():
    """Return the Zen of Python (Tim Peters), which every CPython carries: 856 characters."""
    with contextlib.redirect_stdout(io.StringIO()):
        import this
    return codecs.decode(this.s, "rot13")


def read_text(path):
    """Return the text of a UTF-8 file.

    Raises:
        TextError: if the file is missing, a directory, unreadable, empty, or not text; the message is one line.
    """
    path = Path(path)
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise TextError(f"there is no file {path}; check the path") from None
    except IsADirectoryError:
        raise TextError(f"{path} is a directory; name a text file in it") from None
    except OSError as error:
        raise TextError(f"{path} cannot be read: {error.strerror}") from None
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


class CharTask:
    """Predict the next character: random windows of a text as one-hot arrays.

    Args:
        text: at least ``seq_len + 2`` characters, of at least two kinds.
        seq_len: characters per window, T.
        batch: windows per batch, B.

    Attributes:
        alphabet: the characters that occur, sorted; V of them.

    Raises:
        TextError: if the text is too short, or holds one character only.

    Example:
        >>> import numpy as np
        >>> task = CharTask("abracadabra", seq_len=4, batch=2)
        >>> x, y = task.sample(np.random.default_rng(0))
        >>> x.shape, y.shape, "".join(task.alphabet)
        ((4, 2, 5), (4, 2), 'abcdr')
    """

    def __init__(self, text, seq_len, batch):
        if len(text) < seq_len + 2:
            raise TextError(f"the text has {len(text)} characters, too few for windows of {seq_len}; give a longer "
                            f"text (at least {seq_len + 2}) or a smaller sequence length")
        self.alphabet = sorted(set(text))
        if len(self.alphabet) < 2:
            raise TextError(f"the text holds one character only, {text[0]!r}; there is nothing to predict")
        place = {c: i for i, c in enumerate(self.alphabet)}
        self.codes = np.array([place[c] for c in text])
        self.one_hot = np.eye(len(self.alphabet))
        self.seq_len, self.batch = seq_len, batch

    def sample(self, rng):
        """Return (x, y): x (T, B, V) one-hot characters, y (T, B) the code of the character after each."""
        starts = rng.integers(0, len(self.codes) - self.seq_len, size=self.batch)
        windows = self.codes[starts + np.arange(self.seq_len + 1)[:, None]]
        return self.one_hot[windows[:-1]], windows[1:]

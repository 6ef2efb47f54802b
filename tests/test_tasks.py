"""Data without a download: the text is whole, windows are what they say, and what cannot be learnt from is refused."""

import subprocess
import sys

import numpy as np
import pytest

from minigrad.tasks import CharTask, TextError, read_text, zen

# ---------------------------------------------------------------------------------------- text


def test_the_zen_of_python_is_the_whole_text():
    text = zen()
    assert len(text) == 856
    assert text.startswith("The Zen of Python, by Tim Peters\n\nBeautiful is better than ugly.\n")
    assert text.endswith("Namespaces are one honking great idea -- let's do more of those!")
    assert text.count("\n") == 20
    assert len(set(text)) == 45
    assert zen() == text


def test_the_zen_of_python_is_not_printed():
    """Python prints it when the module that holds it is imported first."""
    code = "from minigrad.tasks import zen; zen()"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b""


REFUSED = [
    # name of the case, content (None: no such file, "dir": a directory), what the message says
    ("missing", None, "no file"),
    ("directory", "dir", "is a directory"),
    ("empty", b"", "is empty"),
    ("whitespace", b" \n\t\r\n ", "is empty"),
    ("NUL", b"some text\0and more", "NUL bytes"),
    ("PNG", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "byte 0 is 0x89"),
    ("latin-1", "Grüße".encode("latin-1"), "byte 2 is 0xfc"),
    ("UTF-16", "some text".encode("utf-16"), "byte 0 is 0x"),
    ("truncated", "Grüße".encode()[:3], "byte 2 is 0xc3"),
    ("surrogate", b"a\xed\xa0\x80b", "byte 1 is 0xed"),
    ("BOM alone", b"\xef\xbb\xbf", "is empty"),
    ("ideographic space", "\u3000\u00a0\n".encode(), "is empty"),
]


@pytest.mark.parametrize(("case", "content", "says"), REFUSED)
def test_what_is_no_text_is_refused_in_one_line_that_names_the_file(case, content, says, tmp_path):
    path = tmp_path / "input.txt"
    if content == "dir":
        path.mkdir()
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(TextError) as caught:
        read_text(path)
    message = str(caught.value)
    assert says in message
    assert str(path) in message
    assert "\n" not in message
    assert caught.value.__context__ is None or caught.value.__suppress_context__       # one error, not a chain


def test_a_path_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("text")
    with pytest.raises(TextError, match=r"input\.txt cannot be read"):
        read_text(tmp_path / "file" / "input.txt")


ACCEPTED = [
    (b"plain", "plain"),
    ("Grüße, 世界\n".encode(), "Grüße, 世界\n"),
    (b"\xef\xbb\xbfwith a mark", "with a mark"),
    (b"two\r\nlines\r\n", "two\r\nlines\r\n"),
    (b"\n text \n", "\n text \n"),
]


@pytest.mark.parametrize("as_path", [str, lambda p: p])
@pytest.mark.parametrize(("content", "text"), ACCEPTED)
def test_text_is_read_as_it_is_but_for_a_byte_order_mark(content, text, as_path, tmp_path):
    path = tmp_path / "input.txt"
    path.write_bytes(content)
    assert read_text(as_path(path)) == text


# ------------------------------------------------------------------------------------- windows

def spell(task, codes):
    return "".join(task.alphabet[c] for c in codes)


CASES = [
    # text, seq_len, batch
    ("abracadabra", 4, 3),
    ("abc", 1, 1),
    ("ab" * 10, 18, 5),
    ("Grüße, 世界\n" * 3, 7, 2),
    (zen(), 40, 16),
]


@pytest.mark.parametrize(("text", "seq_len", "batch"), CASES)
def test_targets_are_the_characters_that_follow(text, seq_len, batch):
    task = CharTask(text, seq_len, batch)
    assert task.alphabet == sorted(set(text))
    assert spell(task, task.codes) == text
    rng = np.random.default_rng(0)
    for _ in range(20):
        x, y = task.sample(rng)
        assert x.shape == (seq_len, batch, len(task.alphabet))
        assert y.shape == (seq_len, batch)
        assert y.dtype.kind == "i"
        assert set(np.unique(x)) <= {0.0, 1.0}
        assert (x.sum(axis=2) == 1).all()                      # one-hot
        codes = x.argmax(axis=2)
        assert np.array_equal(codes[1:], y[:-1])
        for b in range(batch):                                 # each window stands in the text
            assert spell(task, [*codes[:, b], y[-1, b]]) in text


@pytest.mark.parametrize(("seq_len", "count"), [(1, 10), (4, 7), (9, 2)])
def test_every_window_occurs_from_the_first_to_the_last(seq_len, count):
    """A text of different characters, so that a window says where it stands; all starts are equally likely."""
    text = "abcdefghijk"
    task, rng = CharTask(text, seq_len, batch=4000), np.random.default_rng(0)
    x, y = task.sample(rng)
    starts = x[0].argmax(axis=1)
    assert sorted(set(starts)) == list(range(count))
    assert y.max() == len(text) - 1                            # the last character is a target
    assert np.bincount(starts).min() > 0.8 * 4000 / count


def test_the_same_generator_gives_the_same_windows_and_goes_on():
    task = CharTask(zen(), 10, 4)
    a, b = np.random.default_rng(3), np.random.default_rng(3)
    first, again, second = task.sample(a), task.sample(b), task.sample(a)
    assert np.array_equal(first[0], again[0])
    assert np.array_equal(first[1], again[1])
    assert not np.array_equal(first[1], second[1])


def test_a_batch_may_be_changed_without_harm_to_the_next():
    task = CharTask("abracadabra", 4, 3)
    x, y = task.sample(np.random.default_rng(0))
    x[:], y[:] = 7, 7
    x, y = task.sample(np.random.default_rng(0))
    assert x.max() == 1
    assert y.max() < 5


TOO_SHORT = [("", 1), ("a", 1), ("ab", 1), ("abc", 2), ("abracadabra", 10), (zen(), 855), (zen(), 10 ** 12)]


@pytest.mark.parametrize(("text", "seq_len"), TOO_SHORT)
def test_a_text_too_short_is_refused_with_the_numbers(text, seq_len):
    with pytest.raises(TextError) as caught:
        CharTask(text, seq_len, batch=1)
    for number in (len(text), seq_len, seq_len + 2):
        assert str(number) in str(caught.value)


@pytest.mark.parametrize(("text", "seq_len"), [("abc", 1), ("abcd", 2), (zen(), 854)])
def test_the_shortest_text_allowed_can_be_sampled(text, seq_len):
    x, y = CharTask(text, seq_len, batch=8).sample(np.random.default_rng(0))
    assert len(x) == len(y) == seq_len


@pytest.mark.parametrize("text", ["a" * 100, "\n" * 100, "世" * 3])
def test_a_text_of_one_character_is_refused_and_shown(text):
    with pytest.raises(TextError, match="one character only") as caught:
        CharTask(text, 1, 1)
    assert repr(text[0]) in str(caught.value)

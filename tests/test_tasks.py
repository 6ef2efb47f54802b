"""Data without a download: the text is whole, windows are what they say, and what cannot be learnt from is refused.

What all tasks promise is tried on all of them; their baselines are found again by counting what was drawn.
"""

import subprocess
import sys
import types

import numpy as np
import pytest

import minigrad as mg
from minigrad import seeding, tasks
from minigrad.tasks import (
    Adding,
    CharTask,
    Copy,
    DataError,
    Examples,
    Parity,
    Task,
    TemporalOrder,
    TextError,
    Waves,
    digits,
    read_text,
    topics,
    zen,
)

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


def test_the_topics_are_english_of_some_length():
    """Their number and wording change with Python: 79 chapters, 465 000 to 511 000 characters from 3.11 to 3.13."""
    text = topics()
    assert 400_000 < len(text) < 700_000
    assert 90 < len(set(text)) < 130
    assert text.count(" the ") > 3000
    assert 'The "assert" statement' in text
    assert 'The "while" statement' in text
    assert topics() == text


@pytest.mark.parametrize(("held", "says"), [
    ({"topics": "text"}, "not a dict of texts"),
    ({"topics": {"assert": 3}}, "not a dict of texts"),
    ({"topics": {}}, "is empty"),
])
def test_topics_that_are_no_texts_are_named(held, says, monkeypatch):
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", types.SimpleNamespace(**held))
    with pytest.raises(TextError, match=says) as caught:
        topics()
    assert "read_text" in str(caught.value)


def test_topics_do_not_hang_on_the_order_in_which_python_keeps_them(monkeypatch):
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", types.SimpleNamespace(topics={"b": "two\n", "a": "one\n"}))
    assert topics() == "one\n\ntwo\n"


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


TOO_SHORT = [("", 1), ("a", 1), ("ab", 2), ("abracadabra", 11), (zen(), 856), (zen(), 10 ** 12)]


@pytest.mark.parametrize(("text", "seq_len"), TOO_SHORT)
def test_a_text_too_short_is_refused_with_the_numbers(text, seq_len):
    with pytest.raises(TextError) as caught:
        CharTask(text, seq_len, batch=1)
    for number in (len(text), seq_len, seq_len + 1):
        assert str(number) in str(caught.value)


@pytest.mark.parametrize(("text", "seq_len"), [("ab", 1), ("abc", 2), (zen(), 855)])
def test_the_shortest_text_allowed_can_be_sampled(text, seq_len):
    x, y = CharTask(text, seq_len, batch=8).sample(np.random.default_rng(0))
    assert len(x) == len(y) == seq_len


@pytest.mark.parametrize("text", ["a" * 100, "\n" * 100, "世" * 3])
def test_a_text_of_one_character_is_refused_and_shown(text):
    with pytest.raises(TextError, match="one character only") as caught:
        CharTask(text, 1, 1)
    assert repr(text[0]) in str(caught.value)


# ----------------------------------------------------------------------------------- the interface

SMALL = Examples(np.arange(30).reshape(15, 2), np.arange(15) % 4, name="small")
SUMS = Examples(np.arange(30.0).reshape(15, 2), np.arange(45.0).reshape(15, 3) ** 2, name="sums")

TASKS = [
    # task, x of 6 examples, y of 6, kind, outputs, every_step, baseline
    (CharTask(zen(), 20, 3), (20, 6, 45), (20, 6), "classes", 45, True, None),
    (Adding(30, batch=3), (30, 6, 2), (6, 1), "numbers", 1, False, 1 / 6),
    (Adding(7, batch=3), (7, 6, 2), (6, 1), "numbers", 1, False, 1 / 6),
    (TemporalOrder(25, batch=3), (25, 6, 6), (6,), "classes", 4, False, 1.3862943611198906),
    (Copy(4, batch=3), (24, 6, 10), (24, 6), "classes", 9, True, 0.8664339756999316),
    (Copy(3, items=2, symbols=5, batch=3), (7, 6, 7), (7, 6), "classes", 6, True, 0.4598394035526002),
    (Parity(9, batch=3), (9, 6, 1), (6,), "classes", 2, False, 0.6931471805599453),
    (Parity(9, every_step=True, batch=3), (9, 6, 1), (9, 6), "classes", 2, True, 0.6931471805599453),
    (Waves(24, batch=3), (24, 6, 1), (6,), "classes", 10, False, 2.302585092994046),
    (digits(batch=3), (6, 1, 8, 8), (6,), "classes", 10, False, None),
    (SMALL, (6, 2), (6,), "classes", 4, False, None),
    (SUMS, (6, 2), (6, 3), "numbers", 3, False, None),
]
IDS = [f"{n}-{row[0].name}" for n, row in enumerate(TASKS)]
each_task = pytest.mark.parametrize(("task", "x_shape", "y_shape", "kind", "outputs", "every_step", "baseline"), TASKS,
                                    ids=IDS)


@each_task
def test_sizes_are_what_the_task_says(task, x_shape, y_shape, kind, outputs, every_step, baseline):
    assert isinstance(task, Task)
    assert isinstance(task.name, str)
    assert (task.kind, task.outputs, task.every_step) == (kind, outputs, every_step)
    rng = np.random.default_rng(0)
    x, y = task.sample(rng, batch=6)
    assert x.shape == x_shape
    assert y.shape == y_shape
    assert task.inputs == (x.size // 6 if isinstance(task, Examples) else x.shape[-1])
    assert x.dtype == np.float64
    assert y.dtype == (np.int64 if kind == "classes" else np.float64)
    if kind == "classes":
        assert y.min() >= 0
        assert y.max() < outputs
    if baseline is not None:
        assert task.baseline == pytest.approx(baseline, rel=1e-15)
    assert isinstance(task.baseline, float)
    assert f"{task.baseline:.4g}" in repr(task)
    x, y = task.sample(rng)                            # as many as the task was made for
    assert x.size // task.batch == int(np.prod(x_shape)) // 6
    assert y.size // task.batch == int(np.prod(y_shape)) // 6


@each_task
def test_the_baseline_is_found_again_by_counting(task, x_shape, y_shape, kind, outputs, every_step, baseline):
    """The best guess at each step without a look at x is the share of each class, or the mean, among what was drawn."""
    n = 100_000 if not every_step else 20_000
    drawn = [task.sample(np.random.default_rng(seed), batch=n // 5)[1] for seed in range(5)]
    y = np.concatenate(drawn, axis=int(every_step))
    if kind == "numbers":
        found = ((y - y.mean(axis=0)) ** 2).mean()
        assert found == pytest.approx(task.baseline, rel=0.02)
        return
    losses = []
    for at_step in y if every_step else [y]:
        share = np.bincount(at_step, minlength=outputs) / n
        losses.append(-np.log(share[at_step]).mean())
    # the windows of a text hold its ends less often
    assert np.mean(losses) == pytest.approx(task.baseline, rel=0.01 if isinstance(task, CharTask) else 0.002)


@each_task
def test_a_seed_gives_the_same_batch_and_goes_on(task, x_shape, y_shape, kind, outputs, every_step, baseline):
    a, b = np.random.default_rng(3), np.random.default_rng(3)
    first, again, second = task.sample(a, 8), task.sample(b, 8), task.sample(a, 8)
    assert np.array_equal(first[0], again[0])
    assert np.array_equal(first[1], again[1])
    assert not np.array_equal(first[0], second[0])
    first[0][...], first[1][...] = 7, 7                 # a batch is the caller's own
    last = task.sample(np.random.default_rng(3), 8)
    assert np.array_equal(last[0], again[0])
    assert np.array_equal(last[1], again[1])


@each_task
def test_without_a_generator_the_default_draws(task, x_shape, y_shape, kind, outputs, every_step, baseline,
                                               monkeypatch):
    monkeypatch.setattr(seeding, "_default", np.random.default_rng(11))
    x, y = task.sample()
    expected = task.sample(np.random.default_rng(11))
    assert np.array_equal(x, expected[0])
    assert np.array_equal(y, expected[1])


@each_task
@pytest.mark.parametrize("batch", [0, -1, 2.0, True, "4"])
def test_a_batch_that_is_none_is_refused(task, x_shape, y_shape, kind, outputs, every_step, baseline, batch):
    with pytest.raises(ValueError, match="batch must be a whole number of at least 1"):
        task.sample(np.random.default_rng(0), batch)
    with pytest.raises(TypeError, match=r"make one with np\.random\.default_rng"):
        task.sample(0)


MAKERS = [lambda **kw: CharTask("abracadabra", 4, **kw), Adding, TemporalOrder, Copy, Parity, Waves, digits,
          lambda **kw: Examples([[1.5], [2.5]], [[0.25], [3.0]], **kw), lambda **kw: digits(size=5, **kw)]


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize("dtype", ["float16", np.float32, np.dtype("float64")])
def test_floats_are_of_the_type_asked_for(maker, dtype):
    task = maker(dtype=dtype, batch=4)
    x, y = task.sample(np.random.default_rng(0))
    wide = maker(batch=4).sample(np.random.default_rng(0))
    assert x.dtype == dtype
    assert y.dtype == (dtype if task.kind == "numbers" else np.int64)
    assert np.allclose(x, wide[0], rtol=0, atol=4 * np.finfo(dtype).eps)        # the same examples
    assert np.allclose(y, wide[1], rtol=0, atol=4 * np.finfo(dtype).eps)


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize("dtype", ["int64", "complex128", "float63", bool, 3])
def test_other_types_are_refused(maker, dtype):
    with pytest.raises(ValueError, match="dtype must be one of float16, float32, float64"):
        maker(dtype=dtype)


def test_the_tasks_are_a_part_of_minigrad_that_is_imported_late():
    code = "import sys, minigrad as mg; print('minigrad.tasks' in sys.modules, mg.tasks.zen()[:7])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert run.stdout == "False The Zen\n"
    assert mg.tasks is tasks
    assert all(hasattr(tasks, name) for name in tasks.__all__)


def test_numpy_integers_are_whole_numbers():
    x, _ = Adding(np.int32(10), batch=np.uint8(3)).sample(np.random.default_rng(0), np.int64(4))
    assert x.shape == (10, 4, 2)


def test_a_task_of_your_own_needs_no_more_than_draw():
    with pytest.raises(NotImplementedError, match=r"Task has no draw\(rng, batch\)"):
        Task().sample()
    assert issubclass(TextError, DataError)
    assert issubclass(DataError, ValueError)


def test_examples_are_not_those_of_the_caller():
    """What the caller does to the arrays afterwards changes nothing, and they stay writable."""
    x, y, numbers = np.zeros((4, 2)), np.array([0, 1, 0, 1]), np.zeros((4, 1))
    classes, sums = Examples(x, y), Examples(x, numbers)
    x[:], y[:], numbers[:] = 7.0, 1, 7.0
    assert (classes.x.max(), classes.y.tolist(), sums.x.max(), sums.y.max()) == (0.0, [0, 1, 0, 1], 0.0, 0.0)
    for array in (classes.x, classes.y, sums.y, classes.part(slice(0, 2)).x):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1

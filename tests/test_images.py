"""The digits are those of UCI, bit for bit; a set is what was put in; resizing keeps what it says."""

import hashlib
import itertools
from importlib import resources

import numpy as np
import pytest

from minigrad.tasks import Examples, digits, resize

# -------------------------------------------------------------------------------------- digits

UCI_COUNTS = [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
"""Examples per class in the test set, as the description at UCI lists them."""

FIRST = [[0, 0, 5, 13, 9, 1, 0, 0], [0, 0, 13, 15, 10, 15, 5, 0], [0, 3, 15, 2, 0, 11, 8, 0], [0, 4, 12, 0, 0, 8, 8, 0],
         [0, 5, 8, 0, 0, 9, 8, 0], [0, 4, 11, 0, 1, 12, 7, 0], [0, 2, 14, 5, 10, 12, 0, 0], [0, 0, 6, 13, 10, 0, 0, 0]]


def test_the_digits_are_those_of_uci_in_scikit_learns_order():
    task = digits()
    assert task.x.shape == (1797, 1, 8, 8)
    whole = np.rint(task.x * 16).astype(np.uint8)
    assert np.array_equal(whole / 16, task.x)
    assert whole.min() == 0
    assert whole.max() == 16
    assert (whole[0, 0] == FIRST).all()
    assert list(task.y[:20]) == [*range(10), *range(10)]
    assert list(np.bincount(task.y)) == UCI_COUNTS
    assert hashlib.sha256(whole.tobytes()).hexdigest() == (
        "8f26b2bd9d135c256808f68f14fdabddde6d9c7f869ae419704b051f0f14b3b3")
    assert hashlib.sha256(task.y.astype(np.uint8).tobytes()).hexdigest() == (
        "8ba4f891220f5e4c9c819638d1602d74b83618f167043c6da52a2a247841ddf0")
    share = np.array(UCI_COUNTS) / 1797
    assert task.baseline == pytest.approx(-(share * np.log(share)).sum(), rel=1e-14)


def test_the_file_of_digits_is_small_and_comes_with_its_credit():
    folder = resources.files("minigrad.tasks")
    assert len(folder.joinpath("digits.npz").read_bytes()) < 60_000
    said = folder.joinpath("digits.txt").read_text(encoding="utf-8")
    for text in (said, digits.__doc__):
        assert "Alpaydin" in text
        assert "Kaynak" in text
        assert "CC BY 4.0" in text
        assert "https://doi.org/10.24432/C50P49" in text


def test_the_split_of_the_digits_is_the_same_for_everybody():
    everything, train, test = digits(), digits("train"), digits("test")
    assert (len(train), len(test)) == (1437, 360)
    assert np.array_equal(np.concatenate([train.x, test.x]), everything.x)
    assert np.array_equal(np.concatenate([train.y, test.y]), everything.y)
    assert np.bincount(test.y).min() >= 33              # every class is there
    with pytest.raises(ValueError, match="part = 'valid': choose one of all, train, test"):
        digits("valid")


def nearest_neighbour_error(train, test):
    a, b = train.x.reshape(len(train), -1), test.x.reshape(len(test), -1)
    distance = (a * a).sum(axis=1) - 2 * b @ a.T
    return (train.y[distance.argmin(axis=1)] != test.y).mean()


def test_that_split_is_harder_than_one_at_random():
    assert nearest_neighbour_error(digits("train"), digits("test")) == pytest.approx(0.0444, abs=0.003)
    errors = [nearest_neighbour_error(*digits().split(1437 / 1797, np.random.default_rng(seed))) for seed in range(30)]
    assert np.mean(errors) == pytest.approx(0.0128, abs=0.002)
    assert max(errors) < 0.035


def test_digits_may_be_had_at_another_size():
    large = digits("test", size=28, dtype="float32")
    assert large.x.shape == (360, 1, 28, 28)
    assert large.x.dtype == np.float32
    assert (large.inputs, large.outputs) == (784, 10)
    assert np.allclose(large.x.mean(axis=(1, 2, 3)), digits("test").x.mean(axis=(1, 2, 3)), rtol=1e-6)
    x, y = large.sample(np.random.default_rng(0), 5)
    assert any(np.array_equal(x[0], large.x[i]) and y[0] == large.y[i] for i in range(360))
    assert digits(size=(8, 16)).x.shape == (1797, 1, 8, 16)


# ------------------------------------------------------------------------------- sets of examples

def test_what_is_drawn_is_from_the_set_and_all_of_it_is_drawn():
    task = Examples(np.arange(40).reshape(20, 2), np.arange(20) % 3)
    x, y = task.sample(np.random.default_rng(0), 2000)
    which = (x[:, 0] / 2).astype(int)
    assert np.array_equal(x, task.x[which])
    assert np.array_equal(y, task.y[which])
    assert np.bincount(which, minlength=20).min() > 60


@pytest.mark.parametrize("fraction", [0.5, 0.8, np.float32(0.25), 0.06, 0.95])
def test_a_split_parts_the_set(fraction):
    task = Examples(np.arange(20.0)[:, None], np.arange(20) % 4, name="set", levels=2, batch=7, dtype="float32")
    one, two = task.split(fraction, np.random.default_rng(0))
    assert len(one) == round(float(fraction) * 20)
    assert sorted([*one.x[:, 0], *two.x[:, 0]]) == [n / 2 for n in range(20)]
    for part in (one, two):
        assert np.array_equal((part.x[:, 0] * 2) % 4, part.y)
        assert (part.name, part.outputs, part.batch, part.dtype) == ("set", 4, 7, np.float32)
    again, _ = task.split(fraction, np.random.default_rng(0))
    other, _ = task.split(fraction, np.random.default_rng(1))
    assert np.array_equal(again.x, one.x)
    assert not np.array_equal(other.x, one.x)
    assert len(task) == 20


@pytest.mark.parametrize("fraction", [0, 1, -0.5, 1.5, float("nan"), "half", 0.01, 0.99])
def test_a_split_that_leaves_nothing_is_refused(fraction):
    with pytest.raises(ValueError, match=r"fraction = "):
        Examples(np.zeros((20, 1)), np.zeros(20, dtype=int), outputs=2).split(fraction, np.random.default_rng(0))


def test_a_set_is_not_written_through():
    mine = np.zeros((3, 2))
    task = Examples(mine, [0, 1, 1])
    for array in (task.x, task.y, digits().x, digits().y):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 5
    mine[0] = 1                                         # the caller's own array is not locked


NOT_A_SET = [
    (([[1.0], [2.0]], [0]), {}, "x holds 2 examples and y 1 targets"),
    ((np.zeros((0, 2)), np.zeros(0, dtype=int)), {}, "at least one"),
    (([1.0, 2.0], [0, 1]), {}, r"x of shape \(2,\) must have"),
    (([[1.0], [2.0]], [0, 3]), {"outputs": 3}, r"label 3 at position 1 is not in 0 \.\.\. 2"),
    (([[1.0], [2.0]], [-1, 1]), {}, "label -1 at position 0"),
    (([[1.0], [2.0]], [0.0, 1.0]), {}, r"y of shape \(2,\) and dtype float64; give integers"),
    (([[1.0], [2.0]], [[0], [1]]), {}, r"y of shape \(2, 1\) and dtype int64"),
    (([[1.0], [2.0]], [[0.5], [1.0]]), {"outputs": 2}, "holds 1 numbers each, not 2"),
    (([["a"], ["b"]], [0, 1]), {}, "x has dtype <U1"),
    (([[1.0], [2.0]], [True, False]), {}, "y has dtype bool"),
    (([[1.0], [2.0]], [0, 1]), {"levels": 0}, "levels = 0"),
    (([[1.0], [2.0]], [0, 1]), {"outputs": 0}, "outputs must be a whole number"),
]


@pytest.mark.parametrize(("args", "settings", "says"), NOT_A_SET)
def test_what_is_no_set_of_examples_is_refused(args, settings, says):
    with pytest.raises(ValueError, match=says):
        Examples(*args, **settings)


# ---------------------------------------------------------------------------------------- resize

def by_loops(image, height, width):
    """The mean over each new pixel's rectangle, by cutting every old pixel into height * width equal pieces."""
    fine = np.repeat(np.repeat(image, height, axis=0), width, axis=1)
    rows, columns = image.shape
    return np.array([[fine[i * rows:(i + 1) * rows, j * columns:(j + 1) * columns].mean() for j in range(width)]
                     for i in range(height)])


@pytest.mark.parametrize(("old", "new"), [*itertools.product([(1, 1), (2, 3), (8, 8), (5, 7)],
                                                             [(1, 1), (3, 2), (8, 8), (28, 9)])])
def test_the_area_rule_is_the_mean_over_rectangles(old, new):
    image = np.random.default_rng(0).random(old)
    assert np.allclose(resize(image, new), by_loops(image, *new), rtol=1e-13)
    assert resize(image, new).mean() == pytest.approx(image.mean(), rel=1e-13)


@pytest.mark.parametrize("rule", ["area", "linear"])
@pytest.mark.parametrize("size", [1, 2, 8, 13, 28, (4, 31)])
def test_resizing_keeps_range_dtype_constants_and_symmetry(rule, size):
    images = digits().x[:6]
    out = resize(images, size, rule)
    assert out.shape == (6, 1, *((size, size) if isinstance(size, int) else size))
    assert out.min() >= 0
    assert out.max() <= 1
    assert np.array_equal(resize(np.ones((2, 8, 8)), size, rule), np.ones(out[:2, 0].shape))
    assert np.array_equal(resize(images[..., ::-1, ::-1], size, rule), out[..., ::-1, ::-1])
    for dtype in ("float16", "float32"):
        low = resize(images.astype(dtype), size, rule)
        assert low.dtype == dtype
        assert np.allclose(low, out, rtol=0, atol=2 * np.finfo(dtype).eps)
    whole = np.rint(images * 16).astype(np.uint8)
    assert resize(whole, size, rule).dtype == np.float64
    assert np.allclose(resize(whole, size, rule), 16 * out, rtol=1e-13)
    if size == 8:
        assert np.array_equal(out, images)


def test_whole_factors_repeat_pixels_or_average_blocks():
    image = digits().x[3, 0]
    assert np.array_equal(resize(image, 24), np.repeat(np.repeat(image, 3, axis=0), 3, axis=1))
    assert np.array_equal(resize(image, 2), image.reshape(2, 4, 2, 4).mean(axis=(1, 3)))
    large = np.full((300, 300), 1, dtype=np.float16)    # 300 * 300 is more than float16 holds
    assert np.array_equal(resize(large, 1), [[1]])


def test_the_linear_rule_is_pytorchs():
    """Values recorded from torch.nn.functional.interpolate(mode="bilinear", align_corners=False), version 2.13."""
    image = np.array([[0.0, 1.0, 4.0], [9.0, 16.0, 25.0]])
    recorded = [[0, 0.625, 2.125, 4], [4.5, 7, 10.75, 14.5], [9, 13.375, 19.375, 25]]
    assert np.allclose(resize(image, (3, 4), "linear"), recorded, rtol=1e-13)
    torch = pytest.importorskip("torch")
    for old, new in [((8, 8), (28, 28)), ((5, 7), (3, 11)), ((28, 28), (8, 9)), ((1, 4), (3, 2))]:
        x = np.random.default_rng(0).random((2, 1, *old))
        theirs = torch.nn.functional.interpolate(torch.tensor(x), size=new, mode="bilinear", align_corners=False)
        assert np.allclose(resize(x, new, "linear"), theirs.numpy(), rtol=1e-12)


@pytest.mark.parametrize(("images", "size", "rule", "says"), [
    (np.ones((2, 2)), 0, "area", "size must be a whole number of at least 1, not 0"),
    (np.ones((2, 2)), (2, 2.5), "area", "size must be a whole number of at least 1, not 2.5"),
    (np.ones((2, 2)), (2, 2, 2), "area", r"size = \(2, 2, 2\): give one side, or"),
    (np.ones((2, 2)), "28", "area", "size = '28'"),
    (np.ones((2, 2)), 2, "cubic", "rule = 'cubic': choose one of area, linear"),
    (np.ones(4), 2, "area", r"images of shape \(4,\)"),
    (np.ones((3, 0, 2)), 2, "area", r"images of shape \(3, 0, 2\)"),
    (np.array([["a"]]), 2, "area", "dtype <U1"),
])
def test_what_cannot_be_resized_is_refused(images, size, rule, says):
    with pytest.raises(ValueError, match=says):
        resize(images, size, rule)

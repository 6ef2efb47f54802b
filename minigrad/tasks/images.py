"""Images: handwritten digits that come with minigrad, and MNIST from files that you have."""

import functools
import io
import numbers
import os
from importlib import resources
from pathlib import Path

import numpy as np

from minigrad.tasks.idx import read_idx
from minigrad.tasks.interface import DataError, Examples, float_type, whole_number

PARTS = {"train": "train", "test": "t10k"}
TESTED = 360
"""How many digits, the last ones, are the test part."""


@functools.cache
def _digits():
    raw = resources.files(__package__).joinpath("digits.npz").read_bytes()
    with np.load(io.BytesIO(raw), allow_pickle=False) as stored:
        return stored["x"][:, None], stored["y"]


def digits(part="all", size=None, batch=32, dtype="float64"):
    """Return 1797 handwritten digits of 8 x 8 pixels as ``Examples``: x (N, 1, 8, 8) in [0, 1], y (N,).

    They are the test set of the Optical Recognition of Handwritten Digits of E. Alpaydin and C. Kaynak (1998), UCI
    Machine Learning Repository, https://doi.org/10.24432/C50P49, licence CC BY 4.0, in the order and with the labels of
    scikit-learn's ``load_digits``; a pixel counts the inked dots of 4 x 4 in the scan, here divided by 16.

    Args:
        part: "all"; or "test", the last 360 as they stand in the file, and "train", the 1437 before them: one split,
            the same for everybody.  UCI divides by writers, but all of these are from its test set and nothing says who
            wrote which, so neither this split nor another is known to keep writers apart.  Neighbours in the file are
            alike, though, so that this one is harder than a split at random: the nearest neighbour in the other part
            has the wrong label for 4.4 % of these 360, and for 1.3 % of 360 picked at random (mean of 200 such
            splits, which gave 0 to 3.3 %).
        size: side of the images, or (height, width), if other than 8: see ``resize``.
        batch, dtype: see ``Task``.

    Example:
        >>> train, test = digits("train"), digits("test")
        >>> train.x.shape, test.x.shape
        ((1437, 1, 8, 8), (360, 1, 8, 8))
        >>> for row in digits().x[0, 0]:
        ...     print("|" + "".join(" .:*#"[int(4 * pixel)] for pixel in row) + "|")
        |  .*:   |
        |  **:*. |
        |  *  :: |
        | .*  :: |
        | .:  :: |
        | .:  *. |
        |  *.:*  |
        |  .*:   |
    """
    places = {"all": slice(None), "train": slice(None, -TESTED), "test": slice(-TESTED, None)}
    if part not in places:
        raise ValueError(f"part = {part!r}: choose one of {', '.join(places)}")
    x, y = _digits()
    return _examples(x[places[part]], y[places[part]], "digits", 10, 16, size, batch, dtype)


def mnist(images, labels=None, part="train", classes=10, size=None, batch=32, dtype="float64", name="mnist"):
    """Return MNIST, or a set in its format (Fashion-MNIST, KMNIST, ...), from your own files; nothing is downloaded.

    Args:
        images: the folder with the four files ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte``,
            ``t10k-images-idx3-ubyte``, ``t10k-labels-idx1-ubyte``, or those of one part; with a dot in place of the
            dash before ``idx``, and with ``.gz`` at the end, they are found too.  Or the path of one file of images.
        labels: the path of the labels, if ``images`` is a file.
        part: "train" or "test" (the files named t10k); with a folder only.
        classes: how many labels there are, 0 ... classes - 1.
        size: side of the images, or (height, width), if other than the files': see ``resize``.
        batch, dtype, name: see ``Task``.

    Returns:
        ``Examples`` with x (N, 1, height, width), the bytes divided by 255, and y (N,).

    Raises:
        DataError: if a file is missing, damaged or not what it should be, numbers of images and labels differ, or a
            label is out of range; one line with the name, what was found, what was expected, and the cure.

    Example:
        >>> import pathlib, tempfile
        >>> from minigrad.tasks import write_idx
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> write_idx(folder / "t10k-images-idx3-ubyte.gz", np.full((5, 28, 28), 255, dtype=np.uint8))
        >>> write_idx(folder / "t10k-labels-idx1-ubyte.gz", np.arange(5, dtype=np.uint8))
        >>> task = mnist(folder, part="test")
        >>> task.x.shape, task.x.max(), task.y
        ((5, 1, 28, 28), np.float64(1.0), array([0, 1, 2, 3, 4]))
    """
    if part not in PARTS:
        raise ValueError(f"part = {part!r}: choose one of {', '.join(PARTS)}")
    images, classes = Path(images), whole_number("classes", classes, least=2)
    if labels is None:
        if images.is_file():
            raise DataError(f"{images} is a file; give the file of the labels too, mnist(images, labels), or the "
                            f"folder that holds both")
        images, labels = _find(images, f"{PARTS[part]}-images", 3), _find(images, f"{PARTS[part]}-labels", 1)
    labels = Path(labels)
    x, y = _bytes_of(images, "images", 3), _bytes_of(labels, "labels", 1)
    if len(x) != len(y):
        raise DataError(f"{images} holds {len(x)} images but {labels} {len(y)} labels; take both from one part, train "
                        f"with train and t10k with t10k")
    if not x.size:
        raise DataError(f"{images} holds uint8 of shape {x.shape}, no pixel at all; take another file")
    wrong = np.flatnonzero(y >= classes)
    if wrong.size:
        raise DataError(f"{labels} has label {y[wrong[0]]} at position {wrong[0]}, expected 0 ... {classes - 1}; if "
                        f"the set has more classes, say classes={int(y.max()) + 1}, or else the file is damaged")
    return _examples(x[:, None], y, name, classes, 255, size, batch, dtype)


def _examples(x, y, name, classes, levels, size, batch, dtype):
    if size is not None:
        x, levels = resize(x.astype(float_type(dtype)) / levels, size), 1
    return Examples(x, y, name, classes, levels, batch, dtype)


def _find(folder, stem, axes):
    """Return the file of this name in a folder, however it is spelled."""
    names = [f"{stem}{mark}idx{axes}-ubyte{end}" for end in ("", ".gz") for mark in "-."]
    found = [folder / name for name in names if os.path.isfile(folder / name)]
    if found:
        return found[0]
    if not folder.is_dir():
        raise DataError(f"there is no folder {folder}; check the path")
    deeper = sorted(path for name in names for deep in ("*", "*/*") for path in folder.glob(f"{deep}/{name}")
                    if os.path.isfile(path))
    cure = (f"there is {deeper[0]}: give its folder, or both files, mnist(images, labels)" if deeper else
            "minigrad downloads nothing: get the files of MNIST from where you trust, and give their folder")
    raise DataError(f"{folder} holds no {names[0]}, nor {', nor '.join(names[1:])}; {cure}")


def _bytes_of(path, what, axes):
    """Return uint8 with so many axes from an idx file."""
    array = read_idx(path)
    if array.dtype != np.uint8 or array.ndim != axes:
        other = {"images": "labels", "labels": "images"}[what]
        swapped = array.dtype == np.uint8 and array.ndim == 4 - axes
        cure = f"it looks like a file of {other}; exchange the two" if swapped else "name another file"
        shape = "(N,)" if axes == 1 else "(N, height, width)"
        raise DataError(f"{path} holds {array.dtype} of shape {array.shape}, expected {what}: uint8 of shape {shape}, "
                        f"magic number 00 00 08 0{axes}; {cure}")
    return array


def resize(images, size, rule="area"):
    """Return images of another size, by one matrix for the rows and one for the columns.

    Args:
        images: array (..., height, width).
        size: a side, or (height, width), each at least 1.
        rule: "area": a new pixel is the mean of the old picture over the rectangle that it covers, old pixels being
            squares of one colour; the mean of the picture is kept, and so is a constant; whole factors repeat pixels,
            or average blocks.  "linear": a new pixel's centre takes its value on the straight lines between the
            centres of old ones, flat beyond the outermost; this is PyTorch's ``interpolate`` with mode "bilinear",
            smoother when a picture grows, but one that shrinks to less than half loses pixels.

    Returns:
        Array (..., new height, new width); floats keep their dtype, integers give float64.

    Raises:
        ValueError: for another rule or size, or images without two axes or without pixels.

    Example:
        >>> resize(np.array([[0.0, 3.0]]), (1, 4))
        array([[0., 0., 3., 3.]])
        >>> resize(np.array([[0.0, 3.0, 6.0]]), (1, 2))
        array([[1., 5.]])
        >>> resize(np.array([[0.0, 3.0]]), (1, 4), "linear")
        array([[0.  , 0.75, 2.25, 3.  ]])
    """
    if rule not in RULES:
        raise ValueError(f"rule = {rule!r}: choose one of {', '.join(RULES)}")
    images = np.asarray(images)
    if images.ndim < 2 or images.dtype.kind not in "iuf" or 0 in images.shape[-2:]:
        raise ValueError(f"resize: images of shape {images.shape} and dtype {images.dtype}; expected numbers of shape "
                         f"(..., height, width), with at least one pixel")
    sides = (size, size) if isinstance(size, numbers.Integral) else size
    if not isinstance(sides, (tuple, list)) or len(sides) != 2:
        raise ValueError(f"size = {size!r}: give one side, or (height, width)")
    height, width = (whole_number("size", side) for side in sides)
    dtype = images.dtype if images.dtype.kind == "f" else np.dtype(np.float64)
    # float16 ends at 65504, which sums before the division pass
    images = images.astype(np.promote_types(dtype, np.float32), copy=False)
    (rows, by), (columns, and_by) = RULES[rule](images.shape[-2], height), RULES[rule](images.shape[-1], width)
    mixed = rows.astype(images.dtype) @ images @ columns.astype(images.dtype).T
    return (mixed / float(by * and_by)).astype(dtype, copy=False)


def _area(old, new):
    """Return whole numbers (new, old), the overlaps of cells in units of 1 / (old * new), and the sum of each row."""
    low, left = np.arange(new)[:, None] * old, np.arange(old) * new
    return np.clip(np.minimum(low + old, left + new) - np.maximum(low, left), 0, None), old


def _linear(old, new):
    """Return the same for weights by distance between centres, in units of 1 / (2 * new)."""
    unit = 2 * new
    place = np.clip((2 * np.arange(new) + 1) * old - new, 0, unit * (old - 1))
    return np.clip(unit - np.abs(place[:, None] - unit * np.arange(old)), 0, None), unit


RULES = {"area": _area, "linear": _linear}

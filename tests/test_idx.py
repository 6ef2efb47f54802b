"""Files in MNIST's format are read exactly, or refused in one line that names the file, what is wrong, and the cure."""

import gzip
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from minigrad.tasks import DataError, mnist, read_idx, write_idx

KINDS = {"uint8": 0x08, "int8": 0x09, "int16": 0x0B, "int32": 0x0C, "float32": 0x0D, "float64": 0x0E}


def refusal(call, *names):
    """Return the one line with which a call refuses, having checked that it names these."""
    with pytest.raises(DataError) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message
    assert caught.value.__context__ is None or caught.value.__suppress_context__        # one error, not a chain
    for name in names:
        assert str(name) in message
    return message


def try_to_read(path):
    """Return (array, None), or (None, message) if it is refused."""
    try:
        return read_idx(path), None
    except DataError as error:
        return None, str(error)


# ---------------------------------------------------------------------------------- the format

@pytest.mark.parametrize(("dtype", "letter", "values"), [
    ("uint8", "B", [0, 1, 128, 255]),
    ("int8", "b", [0, 1, -128, 127]),
    ("int16", "h", [1, -2, 32767, -32768]),
    ("int32", "i", [1, -2, 2 ** 31 - 1, -2 ** 31]),
    ("float32", "f", [0.5, -2.0, 2.0 ** -140, float("inf")]),
    ("float64", "d", [0.1, -2.0, 5e-324, 1e308]),
])
def test_every_kind_is_read_as_it_was_laid_down(dtype, letter, values, tmp_path):
    """The bytes are put together by struct, not by what is tested."""
    path = tmp_path / "numbers"
    raw = bytes([0, 0, KINDS[dtype], 2]) + struct.pack(">II", 2, 2) + struct.pack(f">4{letter}", *values)
    path.write_bytes(raw)
    array = read_idx(path)
    assert array.dtype == np.dtype(dtype)
    assert array.dtype.isnative
    assert array.tolist() == [values[:2], values[2:]]
    array[0, 0] = 1                                     # it is the caller's own
    write_idx(tmp_path / "again", np.array(values, dtype=dtype).reshape(2, 2))
    assert (tmp_path / "again").read_bytes() == raw
    write_idx(tmp_path / "swapped", np.array(values, dtype=np.dtype(dtype).newbyteorder()).reshape(2, 2))
    assert (tmp_path / "swapped").read_bytes() == raw


@given(data=st.data(), dtype=st.sampled_from(sorted(KINDS)), packed=st.booleans())
def test_what_is_written_is_read(data, dtype, packed, tmp_path_factory):
    shape = data.draw(array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=4))
    array = data.draw(arrays(dtype, shape))
    path = tmp_path_factory.mktemp("idx") / ("a.gz" if packed else "a")
    write_idx(path, array.T)                            # strided as well
    back = read_idx(path)
    assert back.dtype == array.dtype
    assert back.shape == array.T.shape
    assert back.tobytes() == array.T.tobytes()
    assert (path.read_bytes()[:2] == b"\x1f\x8b") is packed


def test_the_same_array_gives_the_same_file(tmp_path):
    for name in ("a.gz", "b.GZ"):
        write_idx(tmp_path / name, np.arange(100, dtype=np.uint8))
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.GZ").read_bytes()
    assert (tmp_path / "a.gz").read_bytes()[4:8] == bytes(4)        # no time in it
    assert read_idx(str(tmp_path / "b.GZ")).sum() == 4950
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.gz", "b.GZ"]


@pytest.mark.parametrize("array", [np.arange(3), np.array([True]), np.array(["a"]), np.ones(2, dtype=np.float16), [1j],
                                   np.zeros((1,) * 33, dtype=np.uint8)])
def test_what_idx_cannot_hold_is_not_written(array, tmp_path):
    path = tmp_path / "kept"
    path.write_text("what was here")
    refusal(lambda: write_idx(path, array), "idx")
    assert path.read_text() == "what was here"


# -------------------------------------------------------------------------------------- damage

SMALL = bytes([0, 0, 0x0B, 2]) + struct.pack(">II", 3, 2) + struct.pack(">6h", 1, 2, 3, 4, 5, -6)


@pytest.mark.parametrize("packed", [False, True])
def test_every_truncation_is_refused(packed, tmp_path):
    path = tmp_path / ("cut.gz" if packed else "cut")
    whole = gzip.compress(SMALL, mtime=0) if packed else SMALL
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        message = refusal(lambda: read_idx(path), path, "again")
        if not packed:
            assert f" {length if length < 12 else length - 12} bytes" in message
    path.write_bytes(whole)
    assert read_idx(path)[2, 1] == -6


@pytest.mark.parametrize("extra", [b"\0", b"\n", b"garbage", SMALL])
@pytest.mark.parametrize("packed", ["", "inside", "outside"])
def test_what_was_added_is_refused(extra, packed, tmp_path):
    path = tmp_path / ("more.gz" if packed else "more")
    path.write_bytes({"": SMALL + extra, "inside": gzip.compress(SMALL + extra),
                      "outside": gzip.compress(SMALL) + gzip.compress(extra)}[packed])
    refusal(lambda: read_idx(path), path, f"{12 + len(extra)} bytes", "expected 12", "(3, 2)", "again")


def test_bytes_after_the_compressed_data_are_refused(tmp_path):
    path = tmp_path / "more.gz"
    path.write_bytes(gzip.compress(SMALL) + b"garbage")
    refusal(lambda: read_idx(path), path, "damaged", "again")


@pytest.mark.parametrize("place", range(12))
def test_a_wrong_byte_in_the_header_is_refused(place, tmp_path):
    """No other kind has two bytes per number, as this one has; else it could not be told from the right one."""
    path = tmp_path / "wrong"
    for value in range(256):
        if value == SMALL[place]:
            continue
        path.write_bytes(SMALL[:place] + bytes([value]) + SMALL[place + 1:])
        refusal(lambda: read_idx(path), path)


def test_a_wrong_byte_in_compressed_data_is_refused_or_harmless(tmp_path):
    """The time in gzip's header, say, and padding don't touch the contents, which are under a checksum."""
    path, whole = tmp_path / "wrong.gz", gzip.compress(SMALL, mtime=0)
    harmless = 0
    for place in range(len(whole)):
        for value in (0x00, 0xFF, whole[place] ^ 0x01, whole[place] ^ 0x80):
            path.write_bytes(whole[:place] + bytes([value]) + whole[place + 1:])
            array, message = try_to_read(path)
            if array is None:
                assert str(path) in message
                assert "again" in message
            else:
                harmless += value != whole[place]
                assert array.tolist() == [[1, 2], [3, 4], [5, -6]]
    assert harmless < 40


@given(raw=st.binary(max_size=60), packed=st.booleans())
def test_any_bytes_are_an_array_or_a_refusal(raw, packed, tmp_path_factory):
    path = tmp_path_factory.mktemp("idx") / ("any.gz" if packed else "any")
    for content in (raw, b"\0\0\x08" + raw, gzip.compress(b"\0\0\x08" + raw) if packed else b"\0\0" + raw):
        path.write_bytes(content)
        array, message = try_to_read(path)
        assert str(path) in message if array is None else str(array.dtype) in KINDS


OTHER_FILES = [
    # name, content (None: none, "dir": a directory), what the message says
    ("missing", None, ["there is no file", "check the path"]),
    ("folder", "dir", ["is a directory", "name an idx file in it"]),
    ("empty", b"", ["holds 0 bytes", "magic number of 4 bytes"]),
    ("page", b"<!DOCTYPE html><html>", ["begins with 3c 21 44 4f", "web page", "expected the magic number"]),
    ("numpy.npy", b"\x93NUMPY\x01\x00", ["begins with 93 4e 55 4d", "00 00 08 03"]),
    ("kind", bytes([0, 0, 0x0A, 1, 0, 0, 0, 0]), ["begins with 00 00 0a 01", "kind one of 08, 09, 0b, 0c, 0d, 0e"]),
    ("axes", bytes([0, 0, 8, 200]) + bytes(800), ["begins with 00 00 08 c8"]),
    ("huge", bytes([0, 0, 8, 3]) + b"\xff" * 12 + b"few", ["holds 3 bytes", str((2 ** 32 - 1) ** 3), "cut short"]),
    ("plain.gz", SMALL, ["named .gz but begins with 00 00 0b 02", "expected 1f 8b", "take .gz off its name"]),
    ("empty.gz", b"", ["named .gz but begins with nothing"]),
    ("packed", gzip.compress(SMALL, mtime=0), ["compressed by gzip", "rename it to packed.gz"]),
    ("method.gz", b"\x1f\x8b\x07" + gzip.compress(SMALL, mtime=0)[3:], ["cannot be decompressed", "damaged"]),
    ("twice.gz", gzip.compress(gzip.compress(SMALL, mtime=0), mtime=0), ["compressed by gzip"]),
]


@pytest.mark.parametrize(("name", "content", "says"), OTHER_FILES)
def test_what_is_no_idx_file_is_refused(name, content, says, tmp_path):
    path = tmp_path / name
    if content == "dir":
        path.mkdir()
    elif content is not None:
        path.write_bytes(content)
    refusal(lambda: read_idx(path), path, *says)


# --------------------------------------------------------------------------------------- MNIST

RNG = np.random.default_rng(0)
IMAGES = {"train": RNG.integers(0, 256, (30, 28, 28), dtype=np.uint8),
          "t10k": RNG.integers(0, 256, (20, 28, 28), dtype=np.uint8)}
LABELS = {"train": np.arange(30, dtype=np.uint8) % 10, "t10k": np.arange(20, dtype=np.uint8)[::-1] % 10}


def lay_down(folder, mark="-", end=""):
    """Write the four files, and return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for part in ("train", "t10k"):
        write_idx(folder / f"{part}-images{mark}idx3-ubyte{end}", IMAGES[part])
        write_idx(folder / f"{part}-labels{mark}idx1-ubyte{end}", LABELS[part])
    return folder


@pytest.mark.parametrize("mark", ["-", "."])
@pytest.mark.parametrize("end", ["", ".gz"])
@pytest.mark.parametrize("kind", [str, lambda path: path])
def test_mnist_is_found_however_its_files_are_spelled(mark, end, kind, tmp_path):
    folder = kind(lay_down(tmp_path, mark, end))
    for part, file in (("train", "train"), ("test", "t10k")):
        task = mnist(folder, part=part, name="fashion", batch=5)
        assert np.array_equal(task.x, IMAGES[file][:, None] / 255)
        assert np.array_equal(task.y, LABELS[file])
        assert (task.name, task.inputs, task.outputs, task.kind) == ("fashion", 784, 10, "classes")
        assert task.baseline == pytest.approx(np.log(10), rel=1e-12)
        x, y = task.sample(np.random.default_rng(0))
        assert x.shape == (5, 1, 28, 28)
        assert x.max() <= 1
        assert y.shape == (5,)
        assert np.array_equal(x[0], task.x[[np.array_equal(x[0], image) for image in task.x]][0])
    one = mnist(kind(tmp_path / f"train-images{mark}idx3-ubyte{end}"),
                kind(tmp_path / f"train-labels{mark}idx1-ubyte{end}"))
    assert np.array_equal(one.x, IMAGES["train"][:, None] / 255)


def test_mnist_in_another_size_and_type(tmp_path):
    task = mnist(lay_down(tmp_path), size=14, dtype="float32")
    assert task.x.dtype == np.float32
    blocks = (IMAGES["train"] / 255).reshape(30, 1, 14, 2, 14, 2).mean(axis=(3, 5))
    assert np.allclose(task.x, blocks, atol=1e-6)


def test_files_of_one_part_are_enough_and_plain_ones_come_first(tmp_path):
    lay_down(tmp_path)
    for file in tmp_path.glob("t10k*"):
        file.unlink()
    write_idx(tmp_path / "train-images-idx3-ubyte.gz", np.zeros((30, 2, 2), dtype=np.uint8))
    assert mnist(tmp_path).x.shape == (30, 1, 28, 28)
    refusal(lambda: mnist(tmp_path, part="test"), tmp_path, "holds no t10k-images-idx3-ubyte",
            "t10k-images.idx3-ubyte.gz", "minigrad downloads nothing")


def test_a_folder_too_high_is_told_where_the_files_are(tmp_path):
    lay_down(tmp_path / "MNIST" / "raw")
    nested = tmp_path / "MNIST" / "raw" / "train-images-idx3-ubyte"
    refusal(lambda: mnist(tmp_path), tmp_path, nested, "give its folder")
    content = nested.read_bytes()
    nested.unlink()
    nested.mkdir()                                      # some archives unpack to folders of this name
    (nested / nested.name).write_bytes(content)
    refusal(lambda: mnist(nested.parent), nested / nested.name, "or both files")


def test_what_is_no_mnist_is_refused_with_the_names_and_the_numbers(tmp_path):
    lay_down(tmp_path)
    images, labels = tmp_path / "train-images-idx3-ubyte", tmp_path / "train-labels-idx1-ubyte"
    other_labels = tmp_path / "t10k-labels-idx1-ubyte"
    refusal(lambda: mnist(tmp_path / "nowhere"), "there is no folder", tmp_path / "nowhere")
    refusal(lambda: mnist(images), images, "is a file", "mnist(images, labels)")
    refusal(lambda: mnist(labels, images), labels, "uint8 of shape (30,)", "expected images", "00 00 08 03", "exchange")
    refusal(lambda: mnist(images, images), images, "(30, 28, 28)", "expected labels", "00 00 08 01", "exchange")
    refusal(lambda: mnist(images, other_labels), images, "30 images", other_labels, "20 labels", "train with train")
    refusal(lambda: mnist(images, tmp_path), "is a directory")
    refusal(lambda: mnist(images, tmp_path / "gone"), "there is no file", tmp_path / "gone")
    refusal(lambda: mnist(images, labels, classes=7), labels, "label 7 at position 7", "0 ... 6", "classes=10")
    with pytest.raises(ValueError, match="part = 't10k': choose one of train, test"):
        mnist(tmp_path, part="t10k")
    with pytest.raises(ValueError, match="classes must be a whole number of at least 2"):
        mnist(tmp_path, classes=1)
    for wrong in (IMAGES["train"].astype(np.int16), IMAGES["train"][0], IMAGES["train"][..., None]):
        write_idx(images, wrong)
        refusal(lambda: mnist(tmp_path), images, str(wrong.dtype), str(wrong.shape), "expected images", "name another")
    write_idx(images, np.zeros((0, 28, 28), dtype=np.uint8))
    write_idx(labels, np.zeros(0, dtype=np.uint8))
    refusal(lambda: mnist(tmp_path), images, "(0, 28, 28)", "no pixel")
    write_idx(images, IMAGES["train"])
    write_idx(labels, np.where(np.arange(30) == 17, 200, LABELS["train"]).astype(np.uint8))
    refusal(lambda: mnist(tmp_path), labels, "label 200 at position 17", "0 ... 9", "damaged")
    images.write_bytes(images.read_bytes()[:-1])
    refusal(lambda: mnist(tmp_path), images, "holds 23519 bytes", "expected 23520", "cut short")

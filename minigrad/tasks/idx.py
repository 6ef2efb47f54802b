"""The idx format, in which MNIST and its relatives come: a magic number 00 00 kind axes, the sizes, the numbers.

Kind is a byte that names a dtype, axes a byte that counts the sizes; each size is an unsigned integer of four bytes;
everything is big-endian.  MNIST's images begin with 00 00 08 03 (2051: bytes, three axes), its labels with 00 00 08 01
(2049).
"""

import gzip
import math
import zlib
from pathlib import Path

import numpy as np

from minigrad.files import whole
from minigrad.tasks.interface import DataError, contents

KINDS = {0x08: "u1", 0x09: "i1", 0x0B: "i2", 0x0C: "i4", 0x0D: "f4", 0x0E: "f8"}
MOST_AXES = 32
AGAIN = "copy or download the file again"


def read_idx(path):
    """Return the array in an idx file, or in an idx.gz file.

    Returns:
        Array of the sizes and dtype that the file says: uint8, int8, int16, int32, float32 or float64, in native byte
        order.

    Raises:
        DataError: if the file is missing, unreadable, damaged, cut short or too long, is not idx, or is gzip where its
            name says otherwise; one line with the name, what was found, what was expected, and the cure.

    Example:
        >>> import pathlib, tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "squares-idx1-short.gz"
        >>> write_idx(path, np.arange(5, dtype=np.int16) ** 2)
        >>> read_idx(path)
        array([ 0,  1,  4,  9, 16], dtype=int16)
    """
    path = Path(path)
    raw = contents(path, DataError, "an idx file")
    raw = _unzipped(path, raw) if path.suffix.lower() == ".gz" else raw
    if len(raw) < 4:
        raise DataError(f"{path} holds {len(raw)} bytes; an idx file begins with a magic number of 4 bytes; {AGAIN}")
    if raw[:2] == b"\x1f\x8b":
        raise DataError(f"{path} is compressed by gzip, but its name does not end in .gz; rename it to {path.name}.gz")
    if raw[:2] != b"\0\0" or raw[2] not in KINDS or raw[3] > MOST_AXES:
        page = ", and looks like a web page that was saved under this name" if raw.lstrip()[:1] == b"<" else ""
        raise DataError(f"{path} begins with {raw[:4].hex(' ')}{page}; expected the magic number of an idx file, 00 00 "
                        f"kind axes, with kind one of {', '.join(f'{k:02x}' for k in KINDS)} (MNIST's images begin "
                        f"with 00 00 08 03, its labels with 00 00 08 01); {AGAIN}, or name another")
    dtype, axes = np.dtype(KINDS[raw[2]]), raw[3]
    start = 4 + 4 * axes
    if len(raw) < start:
        raise DataError(f"{path} ends after {len(raw)} bytes, inside its header, which for {axes} axes has {start}; it "
                        f"was cut short: {AGAIN}")
    shape = tuple(int.from_bytes(raw[i:i + 4], "big") for i in range(4, start, 4))
    expected, found = math.prod(shape) * dtype.itemsize, len(raw) - start
    if found != expected:
        problem = "it was cut short" if found < expected else "it is damaged, or something was added to it"
        raise DataError(f"{path} holds {found} bytes after its header, expected {expected}, for its header says "
                        f"{dtype} of shape {shape}; {problem}: {AGAIN}")
    return np.frombuffer(raw, dtype.newbyteorder(">"), offset=start).reshape(shape).astype(dtype)


def _unzipped(path, raw):
    """Return what was compressed."""
    if raw[:2] != b"\x1f\x8b":
        raise DataError(f"{path} is named .gz but begins with {raw[:4].hex(' ') or 'nothing'}, expected 1f 8b, as gzip "
                        f"does; if it was decompressed already, take .gz off its name, or else {AGAIN}")
    try:
        return gzip.decompress(raw)
    except EOFError:
        raise DataError(f"{path} ends inside the compressed data, after {len(raw)} bytes; it was cut short: {AGAIN}"
                        ) from None
    except (OSError, zlib.error) as problem:
        raise DataError(f"{path} cannot be decompressed ({problem}); it is damaged: {AGAIN}") from None


def write_idx(path, array):
    """Write an array as an idx file; compressed if the name ends in .gz.  The same array gives the same bytes.

    The file appears whole or not at all.

    Raises:
        DataError: for a dtype that idx has no kind for, e.g. int64 or bool, more than 32 axes, or a size of 2^32.
    """
    path, array = Path(path), np.asarray(array)
    kinds = {np.dtype(name): kind for kind, name in KINDS.items()}
    kind = kinds.get(array.dtype.newbyteorder("="))
    if kind is None:
        raise DataError(f"idx has no kind for dtype {array.dtype}; convert the array to one of "
                        f"{', '.join(map(str, kinds))}")
    if array.ndim > MOST_AXES or any(size >= 2 ** 32 for size in array.shape):
        raise DataError(f"idx cannot hold shape {array.shape}: at most {MOST_AXES} axes here, and sizes below 2^32")
    header = bytes([0, 0, kind, array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape)
    raw = header + array.astype(array.dtype.newbyteorder(">")).tobytes()
    with whole(path, "wb") as file:
        file.write(gzip.compress(raw, mtime=0) if path.suffix.lower() == ".gz" else raw)

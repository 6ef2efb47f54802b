"""Save and load without pickle: dicts, lists and tuples of arrays, tensors, numbers and strings, in one npz file.

The file holds the arrays, numbered, and beside them an array of the bytes of a JSON text that says how they hang
together.  Nothing in it is code, so a file from a stranger can be looked into safely; ``np.load`` opens it, too.

In the JSON text null, true, false, whole numbers below 2^63, finite numbers and strings stand for themselves, and
everything else is ``{kind: content}``: "dict" a list of pairs, "list" and "tuple" lists, "array" and "scalar" (a NumPy
number) the array's number, "tensor" that and whether it requires a gradient, "dtype" its code, "int" and "float"
the others, in hexadecimal.  In place of an array's number may stand [number, 0, 2, 1]: it was written in the order in
which it lies in memory, and its axes are to be brought into this order.
"""

import io
import json
import math
import os
import struct
import zipfile
from collections import OrderedDict

import numpy as np

from minigrad.files import whole
from minigrad.tensor import Tensor
from minigrad.views import Window

VERSION = 1
MARK = "minigrad"
DEEPEST = 100
"""So many dicts, lists and tuples may stand in one another; more is surely a mistake."""

OPEN = "; give the name of the file, 'model.pt', and let it be opened here"

KINDS = "biufcSUmM"
"""The kinds of dtype that are saved; objects would need pickle."""


class LoadError(ValueError):
    """A file that :func:`save` did not write, or that is damaged; the message names it."""


# ------------------------------------------------------------------------------------------------- save

def save(obj, path):
    """Write ``obj`` to a file, which appears whole or not at all.

    What comes back from :func:`load` is equal to the bit: dtypes, the order of keys, NaN and inf, the difference of
    lists and tuples, the order of arrays in memory (on which the last bit of a sum depends).  The same ``obj`` gives
    the same bytes.  The values are saved, not who shares them: an array that stands in two places comes back as two.

    A program that is killed here leaves what was at ``path``, and an unfinished ``.name.xxxxxxxx.part`` beside it,
    which may be deleted.

    Args:
        obj: None, bool, int, float, str, NumPy arrays, numbers and dtypes, tensors, and dicts (with keys that are str
            or int), lists and tuples of these.  A Parameter, or the result of an operation, comes back as a plain
            tensor that requires a gradient, an OrderedDict as a dict; ``.grad`` is not saved.
        path: where; no suffix is added.  The folder must exist.  Through a symbolic link the file it points to is
            written.

    Raises:
        TypeError: for anything else, naming it and its place, ``obj['net'][3]``; nothing is written then.
        ValueError: for what contains itself, or is nested deeper than 100.
        OSError: if the file cannot be written.

    Example:
        >>> import tempfile, os
        >>> import minigrad as mg
        >>> path = os.path.join(tempfile.mkdtemp(), "model.pt")
        >>> mg.save({"w": mg.tensor([1.0, 2.0], requires_grad=True), "epoch": 3}, path)
        >>> mg.load(path)
        {'w': tensor([1., 2.], requires_grad=True), 'epoch': 3}
    """
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"save(obj, path): the path comes second and is a string or a Path, not a "
                        f"{type(path).__name__}{OPEN if hasattr(path, 'write') else ''}")
    arrays = []
    text = json.dumps({"version": VERSION, "obj": encode(obj, "obj", arrays, ())}, allow_nan=False)
    arrays = {MARK: np.frombuffer(text.encode(), np.uint8), **{str(i): array for i, array in enumerate(arrays)}}
    with whole(os.path.realpath(path), "wb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            # A ZipInfo made by hand has a fixed date.
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as part:
                np.lib.format.write_array(part, array, version=(1, 0), allow_pickle=False)


def encode(obj, place, arrays, inside):
    """Return ``obj`` as JSON has it, appending its arrays to ``arrays``; ``inside`` holds the containers around it."""
    kind = type(obj)
    if obj is None or kind is bool:
        return obj
    if kind is str:
        try:
            obj.encode()
        except UnicodeEncodeError:
            raise TypeError(f"{place} is a string that is no Unicode text, {obj!r}: it cannot be saved") from None
        return obj
    if kind is int:
        return obj if abs(obj) < 2 ** 63 else {"int": hex(obj)}
    if kind is float:
        return obj if math.isfinite(obj) else {"float": struct.pack(">d", obj).hex()}
    if isinstance(obj, Tensor):
        return {"tensor": [put(obj.data, place, arrays), obj.requires_grad]}
    if isinstance(obj, np.generic) and obj.dtype.kind in "biufcmM":
        return {"scalar": put(np.asarray(obj), place, arrays)}
    if isinstance(obj, np.dtype) and obj.kind in KINDS:
        return {"dtype": obj.str}
    if kind in (np.ndarray, np.memmap, Window):
        return {"array": put(np.asarray(obj), place, arrays)}
    if kind not in (dict, OrderedDict, list, tuple):
        raise TypeError(f"{place} is a {kind.__name__}, which cannot be saved{cure(obj)}; what can: None, bool, int, "
                        f"float, str, arrays, tensors, and dicts, lists and tuples of these")
    if any(obj is around for around in inside):
        raise ValueError(f"{place} contains itself and cannot be saved")
    if len(inside) >= DEEPEST:
        raise ValueError(f"{place[:60]}... is nested deeper than {DEEPEST}")
    inside = (*inside, obj)
    if kind in (list, tuple):
        return {kind.__name__: [encode(item, f"{place}[{i}]", arrays, inside) for i, item in enumerate(obj)]}
    pairs = []
    for key, value in obj.items():
        if type(key) not in (str, int):
            raise TypeError(f"{place} has the key {key!r}, a {type(key).__name__}; keys that can be saved are str and "
                            f"int")
        pairs.append([encode(key, f"{place}: a key", arrays, inside),
                      encode(value, f"{place}[{key!r}]", arrays, inside)])
    return {"dict": pairs}


def put(array, place, arrays):
    """Append an array to those to be written, and return its number, and the order of its axes if that is odd."""
    if array.dtype.kind not in KINDS or not array.dtype.itemsize:
        raise TypeError(f"{place} is an array of dtype {array.dtype}, which cannot be saved; convert it to numbers or "
                        f"strings")
    axes = sorted(range(array.ndim), key=lambda axis: -array.strides[axis])
    laid = array.transpose(axes)
    if array.flags.forc or not laid.flags.c_contiguous:         # the npy format knows both, and the rest has no order
        arrays.append(array)
        return len(arrays) - 1
    arrays.append(laid)
    return [len(arrays) - 1, *map(int, np.argsort(axes))]


def cure(obj):
    """Return what to do about an object that cannot be saved."""
    if hasattr(obj, "state_dict"):
        return ": save its state_dict()"
    if isinstance(obj, np.ma.MaskedArray):
        return " as it is: save np.asarray(a.data) and np.ma.getmaskarray(a), or a.filled(value)"
    for kinds, way in ((dict, "dict"), ((list, set, frozenset, range), "list"), (tuple, "tuple"), (str, "str"),
                       (float, "float"), (int, "int"), (np.ndarray, "np.asarray")):
        if isinstance(obj, kinds):
            return f" as it is: save {way}(...) of it"
    return ""


# ------------------------------------------------------------------------------------------------- load

def load(path, map_location=None, *, weights_only=True):
    """Return what :func:`save` wrote to a file.

    Args:
        path: the file.
        map_location: None or "cpu", so that PyTorch programs run; there is no other device.
        weights_only: True or False, for the same reason; no code in a file is ever run.

    Raises:
        FileNotFoundError, OSError: if the file cannot be read.
        LoadError: a ValueError that names the file, if it is torn, damaged, or of another make.  The memory used is in
            proportion to the file's size: a part that is compressed, or claims to be larger, is refused unread.
        ValueError: for another ``map_location``.

    Example:
        >>> import tempfile, os
        >>> import numpy as np
        >>> import minigrad as mg
        >>> path = os.path.join(tempfile.mkdtemp(), "run.pt")
        >>> mg.save({"epoch": 3, "order": np.arange(3, dtype=np.int8), "best": (0.25, None)}, path)
        >>> mg.load(path)
        {'epoch': 3, 'order': array([0, 1, 2], dtype=int8), 'best': (0.25, None)}
    """
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"load(path): the path is a string or a Path, not a {type(path).__name__}"
                        f"{OPEN if hasattr(path, 'read') else ''}")
    if map_location is not None and str(map_location) != "cpu":
        raise ValueError(f"map_location = {map_location!r}: there is only the CPU; None or 'cpu'")
    if not isinstance(weights_only, bool):
        raise TypeError(f"weights_only = {weights_only!r}: True or False")
    path = os.fspath(path)
    with open(path, "rb") as file:
        try:
            archive = zipfile.ZipFile(file)
        except Exception as error:
            raise LoadError(f"{path} was not written by mg.save, or is cut short: {said(error)}") from None
        if f"{MARK}.npy" not in archive.namelist():
            raise LoadError(f"{path} was not written by mg.save; if it is an npz file of arrays, np.load reads it")
        try:
            parts = Parts(archive, os.fstat(file.fileno()).st_size)
            head = json.loads(parts.take(MARK).tobytes())
            if head["version"] != VERSION:
                raise ValueError(f"it is of version {head['version']}, this minigrad reads version {VERSION}")
            obj = decode(head["obj"], parts.take)
            if parts.left:
                raise ValueError(f"it holds {', '.join(sorted(parts.left)[:3])}, which nothing in it refers to")
            return obj
        except RecursionError:
            raise LoadError(f"{path} is damaged: nested too deep") from None
        except Exception as error:
            raise LoadError(f"{path} is damaged, or of another make: {said(error)}") from None


def said(error):
    """Return what an exception says, or its kind where it says nothing to a reader."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__} {text}".rstrip() if not text or isinstance(error, KeyError) else text


class Parts:
    """The arrays in a file, read one at a time and each once, so that a small file cannot ask for much memory."""

    def __init__(self, archive, size):
        entries = archive.infolist()
        self.archive, self.left = archive, {entry.filename: entry for entry in entries}
        if len(self.left) < len(entries):
            raise ValueError("it holds two parts of one name")
        for entry in entries:
            if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size:
                raise ValueError(f"{entry.filename} in it is compressed, and mg.save does not compress; np.load reads "
                                 f"npz files of arrays")
        if sum(entry.file_size for entry in entries) > size:
            raise ValueError(f"its parts claim to be larger than it is, {size} bytes")

    def take(self, name):
        """Return the array of this name or number."""
        entry = self.left.pop(f"{name}.npy", None)
        if entry is None:
            raise ValueError(f"it refers to array {name!r}, which is not in it, or to it twice")
        return array_of(self.archive.read(entry))


def array_of(raw):
    """Return the array of an npy file given as bytes; one of objects, which would be pickled, is refused."""
    file = io.BytesIO(raw)
    version = np.lib.format.read_magic(file)
    if version != (1, 0):
        raise ValueError(f"an array of npy version {version}")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
    if dtype.kind not in KINDS or not dtype.itemsize:
        raise ValueError(f"an array of dtype {dtype}, which mg.save does not write and mg.load does not unpickle")
    content = bytearray(memoryview(raw)[file.tell():])
    if len(content) != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"an array of shape {shape} and dtype {dtype} in {len(content)} bytes")
    return np.ndarray(shape, dtype, buffer=content, order="F" if fortran else "C")


def decode(content, take):
    """Return the object that :func:`encode` made into JSON; ``take`` gives the array of a number."""
    if not isinstance(content, dict):
        if isinstance(content, list):
            raise ValueError("a list without a kind")
        return content
    (kind, inner), = content.items()
    if kind == "dict":
        return {decode(key, take): decode(value, take) for key, value in inner}
    if kind in ("list", "tuple"):
        items = [decode(item, take) for item in inner]
        return items if kind == "list" else tuple(items)
    if kind == "array":
        return laid_out(inner, take)
    if kind == "scalar":
        return take(inner)[()]
    if kind == "tensor":
        number, requires_grad = inner
        return Tensor(laid_out(number, take), requires_grad=requires_grad)
    if kind == "dtype":
        return np.dtype(str(inner))
    if kind == "int":
        return int(inner, 16)
    if kind == "float":
        return struct.unpack(">d", bytes.fromhex(inner))[0]
    raise ValueError(f"something of kind {kind!r}")


def laid_out(number, take):
    """Return an array of this number; with the axes in another order if that is said."""
    if not isinstance(number, list):
        return take(number)
    return take(number[0]).transpose(number[1:])

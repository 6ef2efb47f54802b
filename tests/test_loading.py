"""mg.load: what :func:`mg.save` did not write is refused by name, without running or unpacking it."""

import io
import math
import os
import pickle
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
from test_saving import same

import minigrad as mg
from minigrad import saving
from minigrad.saving import LoadError

NAN = math.nan


def test_there_is_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing"):
        mg.load(tmp_path / "nothing")
    with pytest.raises(OSError, match=str(tmp_path)):
        mg.load(tmp_path)


SAMPLE = {"w": np.arange(5.0), "t": mg.tensor([1.0], requires_grad=True), "n": [1, (2.5, None)], "x": NAN}


def refused(path, match=None):
    with pytest.raises(LoadError, match=match) as caught:
        mg.load(path)
    assert str(path) in str(caught.value)
    assert isinstance(caught.value, ValueError)
    assert "\n" not in str(caught.value)


def test_a_file_cut_short_anywhere_is_refused(tmp_path):
    path = tmp_path / "file"
    mg.save(SAMPLE, path)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        refused(path)


def test_a_changed_byte_is_noticed_or_harmless(tmp_path):
    """Dates and flags in the archive may change; what is loaded may not."""
    path = tmp_path / "file"
    mg.save(SAMPLE, path)
    whole, noticed = path.read_bytes(), 0
    for place in range(len(whole)):
        for bit in (0x01, 0x80):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ bit]) + whole[place + 1:])
            try:
                assert same(mg.load(path), SAMPLE), place
            except LoadError:
                noticed += 1
    assert noticed > len(whole)


class Trap:
    """Unpickling it would be noticed."""

    def __reduce__(self):
        return (os.mkdir, (os.environ["MINIGRAD_TRAP"],))


@pytest.mark.parametrize("kind", ["pickle", "npz", "inside"])
def test_code_in_a_file_is_never_run(kind, tmp_path, monkeypatch):
    monkeypatch.setenv("MINIGRAD_TRAP", str(tmp_path / "sprung"))
    path = tmp_path / "file"
    if kind == "pickle":
        path.write_bytes(pickle.dumps(Trap()))
    elif kind == "npz":
        with path.open("wb") as file:
            np.savez(file, a=np.array([Trap()], object))
    else:
        rewrite(path, {"0.npy": npy(np.array([Trap()], object))})
    refused(path, "dtype object" if kind == "inside" else "not written by mg.save")
    assert not (tmp_path / "sprung").exists()


def npy(array):
    file = io.BytesIO()
    np.lib.format.write_array(file, array, allow_pickle=True)
    return file.getvalue()


def rewrite(path, changes, obj=SAMPLE, compression=zipfile.ZIP_STORED):
    """Write a sound file in which some parts are replaced (None: left out)."""
    mg.save(obj, path)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts.update(changes)
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in parts.items():
            if content is not None:
                archive.writestr(name, content)


def text(json_text):
    return npy(np.frombuffer(json_text.encode(), np.uint8))


def header(line):
    """An npy file of this header and eight bytes."""
    line = line.ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(line)) + line.encode() + bytes(8)


@pytest.mark.parametrize("changes", [
    {"0.npy": None}, {"0.npy": b""}, {"0.npy": b"\x93NUMPY\x07\x00"}, {"0.npy": npy(np.arange(5.0))[:-1]},
    {"0.npy": npy(np.arange(5.0)) + b"\0"}, {"x.npy": npy(np.ones(1))}, {"0.npy": npy(np.zeros(1, "V8"))},
    {"0.npy": header("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,)}")},
    {"0.npy": header("{'descr': '<f8', 'fortran_order': False, 'shape': (-1,)}")},
    {"0.npy": header("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}")},
    {"0.npy": header("__import__('os').getcwd()")}, {"9.npy": npy(np.ones(1))},
    {"0.npy": header("{'descr': '<U0', 'fortran_order': False, 'shape': (1000000000000,)}")[:-8]},
    *({"minigrad.npy": text(t)} for t in (
        "", "{", "[]", "{}", '{"version": 1}', '{"version": 2, "obj": 1}', '{"version": 1, "obj": [1]}',
        '{"version": 1, "obj": {"array": 7}}', '{"version": 1, "obj": {"code": "1"}}', '{"version": 1, "obj": {}}',
        '{"version": 1, "obj": {"dict": [[{"list": []}, 1]]}}', '{"version": 1, "obj": {"float": "zz"}}',
        '{"version": 1, "obj": {"int": "0xg"}}', '{"version": 1, "obj": {"list": 3}}',
        '{"version": 1, "obj": {"dtype": "nothing"}}', '{"version": 1, "obj": {"tensor": [0]}}',
        '{"version": 1, "obj": ' + '{"list": [' * 3000 + "]}" * 3000 + "}"))])
def test_what_does_not_hang_together_is_refused(changes, tmp_path):
    rewrite(tmp_path / "file", changes)
    refused(tmp_path / "file", "damaged, or of another make: .*[a-z]{3}|nested too deep")


@pytest.mark.parametrize(("json_text", "text"), [
    ('{"version": 1, "obj": {"array": 99}}', "it refers to array 99, which is not in it"),
    ('{"version": 1, "obj": {"list": [{"array": 0}, {"array": 0}]}}', "array 0, .*or to it twice"),
    ('{"version": 1, "obj": null}', "it holds 0.npy, 1.npy, which nothing in it refers to"),
    ('{"obj": null}', "KeyError 'version'")])
def test_what_is_missing_or_too_much_is_named(json_text, text, tmp_path):
    rewrite(tmp_path / "file", {"minigrad.npy": npy(np.frombuffer(json_text.encode(), np.uint8))})
    refused(tmp_path / "file", text)


def test_an_error_without_words_is_named_by_its_kind(tmp_path, monkeypatch):
    mg.save([np.ones(2)], tmp_path / "file")
    monkeypatch.setattr(saving, "array_of", lambda raw: (_ for _ in ()).throw(MemoryError()))
    refused(tmp_path / "file", "MemoryError$")


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_file_that_would_unpack_to_much_more_is_refused_unread(method, tmp_path):
    """Sixteen million zeros in some kilobytes; save compresses nothing, so nothing compressed is its own."""
    path = tmp_path / "file"
    rewrite(path, {}, {"w": np.zeros(2_000_000)}, method)
    assert path.stat().st_size < 100_000
    tracemalloc.start()
    refused(path, "compressed")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


def test_parts_that_share_their_bytes_are_refused(tmp_path):
    """Ten entries of the directory that point to one megabyte."""
    path = tmp_path / "file"
    mg.save([np.zeros(125_000)] + [np.zeros(1)] * 10, path)
    with zipfile.ZipFile(path, "a") as archive:
        large = archive.getinfo("0.npy")
        for number in range(1, 11):
            entry = archive.getinfo(f"{number}.npy")
            entry.header_offset, entry.CRC = large.header_offset, large.CRC
            entry.file_size = entry.compress_size = large.file_size
        archive._didModify = True
    refused(path, "claim to be larger than it is")


@pytest.mark.parametrize(("content", "text"), [
    (b"", "not written by mg.save"), (b"not a zip file", "not written by mg.save"), (b"PK\x03\x04", "cut short"),
    (npy(np.ones(3)), "not written by mg.save")])
def test_foreign_files(content, text, tmp_path):
    (tmp_path / "file").write_bytes(content)
    refused(tmp_path / "file", text)


def test_an_npz_of_numpy_is_not_ours(tmp_path):
    np.savez(tmp_path / "file.npz", a=np.ones(3))
    refused(tmp_path / "file.npz", r"np\.load reads it")
    with zipfile.ZipFile(tmp_path / "file.npz", "w") as archive:
        archive.writestr("readme.txt", "hello")
    refused(tmp_path / "file.npz", "not written by mg.save")


def test_a_later_version_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(saving, "VERSION", 2)
    mg.save([1], tmp_path / "file")
    monkeypatch.undo()
    refused(tmp_path / "file", "of version 2, this minigrad reads version 1")


def test_keywords_of_torch(tmp_path):
    mg.save([1], tmp_path / "file")
    assert mg.load(tmp_path / "file", None, weights_only=True) == mg.load(tmp_path / "file", "cpu") == [1]
    for device in ("cuda", "cuda:0", 0, lambda storage, place: storage):
        with pytest.raises(ValueError, match="only the CPU"):
            mg.load(tmp_path / "file", map_location=device)
    with pytest.raises(TypeError, match="weights_only"):
        mg.load(tmp_path / "file", weights_only="yes")

"""mg.save and mg.load: what comes back is equal to the bit, and what cannot be saved or read is refused by name."""

import io
import math
import os
import struct
from collections import OrderedDict, namedtuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import minigrad as mg
from minigrad import nn, optim

NAN = math.nan


def same(a, b):
    """Say whether two structures are equal to the bit, in types, dtypes and order."""
    if type(a) is not type(b):
        return False
    if isinstance(a, mg.Tensor):
        return a.requires_grad is b.requires_grad and b.is_leaf and same(a.data, b.data)
    if isinstance(a, (np.ndarray, np.generic)):
        return (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
    if isinstance(a, float):
        return struct.pack("d", a) == struct.pack("d", b)
    if isinstance(a, dict):
        return len(a) == len(b) and all(same(k, m) and same(v, w) for (k, v), (m, w) in zip(a.items(), b.items()))
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


def test_the_comparison_tells_apart():
    for a, b in ((1, True), (1, 1.0), (0.0, -0.0), ([1], (1,)), ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
                 ({1: 2}, {"1": 2}),
                 (np.float32(1), 1.0), (np.zeros(2), np.zeros(2, "f4")), (np.zeros((0, 3)), np.zeros((3, 0))),
                 (np.array(5), np.int64(5)), (mg.tensor(1.0), mg.tensor(1.0, requires_grad=True))):
        assert not same(a, b)


# --------------------------------------------------------------------------------------------------- what comes back

DTYPES = [np.dtype(code) for code in ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?", ">f8",
                                      ">i4", "c8", "c16")]
SHAPES = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)
ARRAYS = st.sampled_from(DTYPES).flatmap(lambda dtype: hnp.arrays(dtype, SHAPES))
REAL = st.sampled_from([d for d in DTYPES if d.kind in "fiub"]).flatmap(lambda dtype: hnp.arrays(dtype, SHAPES))
TENSORS = st.tuples(REAL, st.booleans()).map(lambda t: mg.tensor(t[0], requires_grad=t[1] and t[0].dtype.kind == "f"))
LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), st.integers(-2 ** 200, 2 ** 200), st.floats(), st.text(),
                   ARRAYS, TENSORS, st.sampled_from(DTYPES), hnp.arrays("U3", SHAPES),
                   ARRAYS.filter(lambda a: a.ndim == 0).map(lambda a: a[()]))
THINGS = st.recursive(LEAVES, lambda inner: st.one_of(
    st.lists(inner, max_size=4), st.lists(inner, max_size=4).map(tuple),
    st.dictionaries(st.one_of(st.text(), st.integers()), inner, max_size=4)), max_leaves=12)


@given(THINGS)
@settings(max_examples=150)
def test_what_is_saved_comes_back(tmp_path_factory, obj):
    path = tmp_path_factory.getbasetemp() / "thing.pt"
    assert mg.save(obj, path) is None
    first = path.read_bytes()
    back = mg.load(path)
    assert same(obj, back)
    mg.save(back, path)
    assert path.read_bytes() == first                    # the same object, the same bytes


CASES = {
    "numbers": [1, -1, 0, 2 ** 63, -2 ** 63, 10 ** 5000, 0.1, -0.0, 5e-324, 1.7976931348623157e308, math.inf, -math.inf,
                NAN],
    "nan with a payload": struct.unpack("d", struct.pack("Q", 0xFFF8000000001234))[0],
    "text": ["", "é\0\n\"\\", "\U0001F600", "array", {"array": 0}, {"dict": []}, "__class__"],
    "keys": {"b": 1, "a": 2, 3: 4, -1: 5, "3": 6, "": {}, 10 ** 30: "big"},
    "containers": ([], (), {}, [()], ([],), {"": {"": [{}]}}),
    "orders": [np.asfortranarray(np.arange(6.0).reshape(2, 3)), np.arange(10)[::-3], np.broadcast_to(1.0, (2, 2))],
    "dates": [np.array(["2020-01-01", "NaT"], "M8[D]"), np.array(5, "m8[s]"), np.array([b"ab", b"c"])],
    "deep": [[[[[[[[[[[[[[[[[[[[{"x": [np.ones(1)]}]]]]]]]]]]]]]]]]]]]],
}


@pytest.mark.parametrize("name", CASES)
def test_cases(name, tmp_path):
    mg.save(CASES[name], tmp_path / "case")
    assert same(CASES[name], mg.load(tmp_path / "case"))


def test_arrays_in_any_order_in_memory_come_back(tmp_path):
    a = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    mg.save([a, a.T, a[:, ::2]], tmp_path / "a")
    back = mg.load(tmp_path / "a")
    assert [b.tolist() for b in back] == [a.tolist(), a.T.tolist(), a[:, ::2].tolist()]
    assert all(b.flags.writeable for b in back)
    back[0][:] = 0.0
    assert back[1].tolist() == a.T.tolist()              # two places, two arrays


def test_the_widest_floats(tmp_path):
    """Some of their bytes are padding, which need not come back."""
    third = np.longdouble(1) / 3
    mg.save([third, np.array([third])], tmp_path / "wide")
    number, array = mg.load(tmp_path / "wide")
    assert number == array[0] == third
    assert number.dtype == array.dtype == np.longdouble


def test_tensors_are_leaves_when_they_come_back(tmp_path):
    w = nn.Parameter([1.0, 2.0])
    y = w * 2.0
    w.grad = [1.0, 1.0]
    mg.save({"w": w, "y": y, "d": y.detach(), "i": mg.tensor([1, 2])}, tmp_path / "t")
    back = mg.load(tmp_path / "t")
    assert [type(t) is mg.Tensor and t.is_leaf for t in back.values()] == [True] * 4
    assert [t.requires_grad for t in back.values()] == [True, True, False, False]
    assert (back["y"].tolist(), back["w"].grad) == ([2.0, 4.0], None)
    (back["w"] * 3.0).sum().backward()
    assert back["w"].grad.tolist() == [3.0, 3.0]


def test_an_ordered_dict_comes_back_as_a_dict(tmp_path):
    mg.save(OrderedDict(b=1, a=2), tmp_path / "o")
    assert same(mg.load(tmp_path / "o"), {"b": 1, "a": 2})


def test_a_run_goes_on_from_a_file(tmp_path):
    """Weights, moments, the counter and a generator's state: the ordinary checkpoint."""
    def build():
        w = mg.tensor([1.0, -2.0], requires_grad=True)
        return w, optim.Adam([("w", w)], lr=0.1), np.random.default_rng(3)

    def train(w, opt, rng, steps):
        for _ in range(steps):
            w.grad = rng.normal(size=2)
            opt.step()

    w, opt, rng = build()
    train(w, opt, rng, 5)
    mg.save({"w": w, "state": opt.state, "rng": rng.bit_generator.state, "epoch": 5}, tmp_path / "checkpoint.pt")
    v, other, source = build()
    checkpoint = mg.load(tmp_path / "checkpoint.pt", map_location="cpu", weights_only=False)
    v.data, source.bit_generator.state = checkpoint["w"].data, checkpoint["rng"]
    other.state.update(checkpoint["state"])
    train(w, opt, rng, 5)
    train(v, other, source, 5)
    assert v.data.tobytes() == w.data.tobytes()


@pytest.mark.parametrize("name", ["model", "model.pt", "a.b.npz", "é.npz"])
def test_the_name_is_taken_as_it_is(name, tmp_path):
    for path in (str(tmp_path / name), tmp_path / name):
        mg.save([1], path)
        assert mg.load(path) == [1]
    assert os.listdir(tmp_path) == [name]


def test_numpy_can_open_it(tmp_path):
    mg.save({"w": np.arange(3)}, tmp_path / "w.npz")
    with np.load(tmp_path / "w.npz", allow_pickle=False) as file:
        assert file["0"].tolist() == [0, 1, 2]
        assert b'"version": 1' in file["minigrad"].tobytes()


# ----------------------------------------------------------------------------------------------- what cannot be saved

Pair = namedtuple("Pair", "x y")
CYCLE = []
CYCLE.append({"again": CYCLE})
DEEP = []
for _ in range(200):
    DEEP = [DEEP]


class Whole(int):
    pass


@pytest.mark.parametrize(("obj", "error", "text"), [
    (object(), TypeError, "^obj is a object"), ({"a": [1, {2, 3}]}, TypeError, r"^obj\['a'\]\[1\] is a set.*list"),
    ({3: (None, b"x")}, TypeError, r"^obj\[3\]\[1\] is a bytes"), (Pair(1, 2), TypeError, "Pair.*tuple"),
    (Whole(3), TypeError, r"Whole.*int\("), (np.str_("a"), TypeError, r"str_.*str\("),
    (np.array([None]), TypeError, "dtype object"), ([np.zeros(2, "i4,f8")], TypeError, r"obj\[0\].*dtype"),
    (np.ma.array([1.0]), TypeError, r"MaskedArray.*getmaskarray\(a\), or a\.filled"),
    ([np.ndarray(3, "U0")], TypeError, r"obj\[0\] is an array of dtype <U0"), (len, TypeError, "builtin_function"),
    ({1.5: 1}, TypeError, r"key 1\.5, a float"), ({True: 1}, TypeError, "key True, a bool"),
    ({"a": {(1, 2): 3}}, TypeError, r"obj\['a'\] has the key \(1, 2\), a tuple"), ({None: 1}, TypeError, "NoneType"),
    ("\ud800", TypeError, "no Unicode"), ({"\udfff": 1}, TypeError, "no Unicode"), (1j, TypeError, "complex"),
    (nn.Tanh(), TypeError, "Tanh"), (CYCLE, ValueError, r"obj\[0\]\['again'\] contains itself"),
    (DEEP, ValueError, "deeper than 100"), (np.random.default_rng(0), TypeError, "Generator")])
@pytest.mark.parametrize("exists", [False, True])
def test_what_cannot_be_saved_is_named_and_nothing_is_written(obj, error, text, exists, tmp_path):
    path = tmp_path / "file"
    if exists:
        path.write_bytes(b"what was there")
    with pytest.raises(error, match=text):
        mg.save(obj, path)
    assert [p.read_bytes() for p in tmp_path.iterdir()] == [b"what was there"] * exists


def test_the_arguments_are_in_torch_s_order(tmp_path):
    with pytest.raises(TypeError, match="the path comes second"):
        mg.save(str(tmp_path / "file"), {"w": 1})
    for call in (lambda: mg.load(io.BytesIO()), lambda: mg.save([1], io.BytesIO())):
        with pytest.raises(TypeError, match="a string or a Path, not a BytesIO; give the name of the file"):
            call()
    with pytest.raises(FileNotFoundError, match="no such folder"):
        mg.save([1], tmp_path / "nowhere" / "file")


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    mg.save("old", tmp_path / "file")
    written = []

    def full(part, array, **kwargs):
        written.append(part.write(b"some"))
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np.lib.format, "write_array", full)
    with pytest.raises(OSError, match="No space"):
        mg.save("new", tmp_path / "file")
    assert (mg.load(tmp_path / "file"), os.listdir(tmp_path), written) == ("old", ["file"], [4])


def test_what_a_link_points_to_is_written(tmp_path):
    (tmp_path / "runs").mkdir()
    mg.save("old", tmp_path / "runs" / "3.pt")
    for link, target in (("best.pt", "runs/3.pt"), ("last.pt", "best.pt"), ("new.pt", "runs/4.pt")):
        (tmp_path / link).symlink_to(target)
        mg.save(link, tmp_path / link)
        assert (tmp_path / link).is_symlink()
        assert mg.load(tmp_path / link) == link
    assert mg.load(tmp_path / "runs" / "3.pt") == "last.pt"
    assert sorted(os.listdir(tmp_path / "runs")) == ["3.pt", "4.pt"]

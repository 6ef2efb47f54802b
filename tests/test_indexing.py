"""Indices of every kind, made up by Hypothesis: the value is NumPy's, the gradient counts how often each was picked.

The second way to the gradient is dense: the same index picks from an array of flat positions, and ``np.bincount`` adds
up the cotangents at each of them.
"""

from unittest import mock

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import minigrad as mg
from minigrad import ops
from minigrad.ops import shape as page

SHAPES = st.lists(st.integers(0, 4), min_size=0, max_size=4).map(tuple)


KINDS = ["slice", "slice", "number", "array", "array", "mask", "wide mask", "none"]


def whole_numbers(n):
    return st.integers(-n, n - 1)


@st.composite
def indices(draw):
    """Return a shape and an index for it: slices, numbers, masks, arrays, new axes and an ellipsis in any mixture."""
    shape = draw(SHAPES)
    together = draw(st.sampled_from([(), (1,), (3,), (2, 3), (0,), (7,)]))      # what arrays of numbers broadcast to
    parts, left = [], list(shape)
    ellipsis = draw(st.integers(0, 6))
    while left and draw(st.integers(0, 9)):
        if len(parts) == ellipsis:
            parts.append(Ellipsis)
            left = left[draw(st.integers(0, len(left))):]
            continue
        n, kind = left[0], draw(st.sampled_from(KINDS))
        if kind == "none":
            parts.append(None)
            continue
        if kind in ("number", "array") and n == 0:
            kind = "slice"
        if kind == "wide mask":
            rank = draw(st.integers(0, min(2, len(left))))
            parts.append(drawn(draw, st.booleans(), tuple(left[:rank]), bool))
            left = left[rank:]
            continue
        left = left[1:]
        if kind == "slice":
            parts.append(draw(st.slices(n)))
        elif kind == "number":
            number = draw(whole_numbers(n))
            parts.append(draw(st.sampled_from([number, np.int64(number), np.array(number)])))
        elif kind == "mask":
            mask = drawn(draw, st.booleans(), (n,), bool)
            parts.append(draw(st.sampled_from([mask, mask.tolist()])) if n else mask)
        else:
            shape_of_it = draw(st.sampled_from([together, together[1:], (1, *together[1:])]))
            array = drawn(draw, whole_numbers(n), shape_of_it, np.dtype(draw(st.sampled_from(["int64", "int8"]))))
            as_list = array.tolist() if array.size and array.ndim else array
            parts.append(draw(st.sampled_from([array, as_list])))
    index = parts[0] if len(parts) == 1 and draw(st.booleans()) else tuple(parts)
    try:
        positions = np.arange(np.prod(shape, dtype=int)).reshape(shape)[index]
    except IndexError:                          # masks and arrays that do not broadcast
        assume(False)
    return shape, index, np.asarray(positions)


def drawn(draw, elements, shape, dtype):
    n = int(np.prod(shape))
    return np.array(draw(st.lists(elements, min_size=n, max_size=n)), dtype).reshape(shape)


def numbers(shape, seed=0):
    """Return small whole numbers, so that every sum is exact."""
    return np.random.default_rng(seed).integers(-8, 9, shape).astype(float)


def dense(positions, g, shape):
    return np.bincount(positions.ravel(), g.ravel(), int(np.prod(shape))).reshape(shape).astype(float)


@given(indices())
def test_value_and_gradient_of_any_index(drawn):
    shape, index, positions = drawn
    x = mg.tensor(numbers(shape), requires_grad=True)
    y = x[index]
    np.testing.assert_array_equal(y.data, x.data[index], strict=True)
    g = numbers(positions.shape, 1)
    np.testing.assert_array_equal(mg.grad(y, x, g).data, dense(positions, g, shape), strict=True)


@given(indices())
def test_second_order_of_any_index(drawn):
    """The gradient does not depend on x any more, and on the cotangent it depends as the value does on x."""
    shape, index, positions = drawn
    x, g = (mg.tensor(numbers(s, k), requires_grad=True) for k, s in enumerate((shape, positions.shape)))
    pulled = mg.grad(x[index], x, g, create_graph=True)
    u = numbers(shape, 2)
    slope = (pulled * u).sum()
    assert mg.grad(slope, x, retain_graph=True, allow_unused=True) is None
    np.testing.assert_array_equal(mg.grad(slope, g).data, u[index])
    curve = mg.grad((x[index] ** 3).sum(), x, create_graph=True)
    np.testing.assert_array_equal(mg.grad((curve * u).sum(), x).data,
                                  dense(positions, 6 * (x.data * u)[index], shape))


@given(indices(), st.sampled_from(["float16", "float32", "float64"]), st.sampled_from([0, page.FEW]))
def test_scatter_is_take_turned_round(drawn, dtype, few):
    """<scatter(g), u> = <g, take(u)>, and scatter(take(x)) is x times how often each element was picked; either way."""
    shape, index, positions = drawn
    index = ops.plain_index(index)
    g, u = numbers(positions.shape, 1).astype(dtype), numbers(shape, 2).astype(dtype)
    with mock.patch.object(page, "FEW", few):
        back, counted = ops.scatter(g, index, shape), ops.scatter(np.asarray(ops.take(u, index)), index, shape)
    assert back.dtype == counted.dtype == dtype
    assert (back.astype(float) * u).sum() == (g.astype(float) * ops.take(u, index)).sum()
    np.testing.assert_array_equal(counted, u * dense(positions, np.ones(positions.shape), shape))


BIG = {
    "rows": ((50, 8), np.arange(400) * 7 % 50), "rows of rows": ((9, 4, 5), np.arange(60).reshape(3, 20) % 9),
    "columns": ((20, 30), (slice(None), np.arange(90) % 30)),
    "behind an ellipsis": ((6, 5, 30), (..., np.arange(70) % 30)),
    "elements": ((30, 10), (np.arange(900) % 30, np.arange(900) % 7)),
    "apart": ((8, 6, 9), (np.arange(90) % 8, slice(None), np.arange(90) % 9)),
    "with a mask": ((12, 10, 30), (np.arange(12) % 2 == 0, np.array([[4], [4], [-1]]))),
    "negative": ((50, 8), -1 - np.arange(400) % 50), "few of many": ((100000, 2), np.arange(300) % 3),
    "numbers and arrays": ((5, 8, 40), (2, np.arange(30) % 8)),
    "bytes": ((50, 8), (np.arange(400) % 50).astype(np.int8)),
    "along an axis": ((40, 30), ops.along_axis(np.arange(1200).reshape(40, 30) % 7, (40, 30), 1)),
}


@pytest.mark.parametrize(("shape", "index"), BIG.values(), ids=BIG)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_many_elements_are_added_in_numpys_order(shape, index, dtype):
    """The quicker way gives np.add.at's bits, for strided cotangents and read-only ones too."""
    places = np.empty(shape)[index].shape
    g = np.random.default_rng(0).normal(size=(*places, 2)).astype(dtype)[..., 0]
    g.flags.writeable = False
    assert g.size >= page.FEW
    expected = np.zeros(shape, dtype)
    np.add.at(expected, index, g)
    np.testing.assert_array_equal(ops.scatter(g, index, shape), expected, strict=True)


@pytest.mark.parametrize("index", [((0, 0),), ((0, 0), 1), [[0, 0]], ([0, 1, 0],), [True, False], np.array(1), True,
                                   (np.array(True), [1, 1])], ids=repr)
def test_tuples_and_lists_inside_an_index(index):
    """Nested tuples are arrays to NumPy, and may name one element twice."""
    x = mg.tensor(numbers((2, 3)), requires_grad=True)
    y, positions = x[index], np.arange(6).reshape(2, 3)[index]
    np.testing.assert_array_equal(y.data, x.data[index])
    np.testing.assert_array_equal(mg.grad(y.sum(), x).data, dense(positions, np.ones(positions.shape), (2, 3)))


def test_an_index_may_be_used_again_by_its_owner():
    x, rows = mg.tensor(numbers((3, 2)), requires_grad=True), np.array([0, 0, 2])
    for pick in (lambda: x[rows], lambda: x[(rows, 1)], lambda: np.take(x, rows, 0),
                 lambda: np.take_along_axis(x, rows[:, None], 0)):
        rows[:] = 0, 0, 2
        y = pick()
        rows[:] = 1
        assert mg.grad(y.sum(), x).data[1].sum() == 0


@pytest.mark.parametrize(("index", "message"), [
    (5, "index 5 is out of bounds for axis 0 with size 3"), (np.array([0, -4]), "index -4 is out of bounds"),
    ((0, 0, 0), "too many indices"), (np.array([True, False]), "boolean index did not match"), (1.0, "only integers"),
    (([0, 1], [0, 1, 2]), "could not be broadcast together with shapes"),
])
def test_an_index_that_does_not_fit_is_numpys_error(index, message):
    with pytest.raises(IndexError, match=message):
        mg.tensor(numbers((3, 2)), requires_grad=True)[index]


@given(SHAPES.filter(lambda s: len(s) > 0), st.data())
def test_sorting_and_picking_along_an_axis(shape, data):
    """Sorted values send their gradients back to where they came from; equal values each keep their own."""
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    x = mg.tensor(numbers(shape), requires_grad=True)
    y, g = np.sort(x, axis), numbers(shape, 1)
    np.testing.assert_array_equal(y.data, np.sort(x.data, axis))
    back = mg.grad(y, x, g).data
    np.testing.assert_array_equal(np.take_along_axis(back, np.argsort(x.data, axis, kind="stable"), axis), g)
    picks = np.random.default_rng(2).integers(0, max(1, shape[axis]), shape) if shape[axis] else np.zeros(shape, int)
    y = np.take_along_axis(x, picks, axis)
    positions = np.take_along_axis(np.arange(x.size).reshape(shape), picks, axis)
    np.testing.assert_array_equal(mg.grad(y, x, g).data, dense(positions, g, shape))


@given(SHAPES.filter(lambda s: s and all(s)),
       st.sampled_from(["edge", "reflect", "symmetric", "wrap", "constant"]), st.data())
def test_padding_of_any_width(shape, mode, data):
    """The gradient counts the copies of each element."""
    widths = [(data.draw(st.integers(0, 5)), data.draw(st.integers(0, 5))) for _ in shape]
    x, positions = mg.tensor(numbers(shape), requires_grad=True), np.arange(np.prod(shape)).reshape(shape)
    y = np.pad(x, widths, mode)
    np.testing.assert_array_equal(y.data, np.pad(x.data, widths, mode))
    inside = np.pad(np.ones(shape), widths) if mode == "constant" else np.ones(y.shape)
    g = numbers(y.shape, 1)
    np.testing.assert_array_equal(mg.grad(y, x, g).data, dense(np.pad(positions, widths, mode), g * inside, shape))


def leaf(*shape):
    return mg.tensor(numbers(shape), requires_grad=True)


WRONG = [
    (TypeError, "np.pad has no gradient rule with mode='mean'", lambda: np.pad(leaf(3), 1, "mean")),
    (TypeError, "np.pad has no gradient rule with mode='reflect'.*odd",
     lambda: np.pad(leaf(3), 1, "reflect", reflect_type="odd")),
    (ValueError, "negative", lambda: np.pad(leaf(3), -1)),
    (ValueError, "empty axis", lambda: np.pad(leaf(0), 1, "edge")),
    (ValueError, "np.reshape.*order='K'.*'C' or 'F'", lambda: np.ravel(leaf(3), "K")),
    (ValueError, r"np\.split.*\(3, 2\).*evenly by 2.*array_split", lambda: np.split(leaf(3, 2), 2)),
    (ValueError, "at least 1", lambda: np.array_split(leaf(3), 0)),
    (ValueError, r"np\.dsplit.*3 or more axes.*\(3, 2\)", lambda: np.dsplit(leaf(3, 2), 1)),
    (ValueError, r"np\.rot90.*\(1, -1\).*\(3, 2\)", lambda: np.rot90(leaf(3, 2), 1, (1, -1))),
    (ValueError, r"np\.diag.*\(2, 2, 2\)", lambda: np.diag(leaf(2, 2, 2))),
    (ValueError, r"np\.diagonal.*\(2,\)", lambda: np.diagonal(leaf(2))),
    (ValueError, r"np\.take.*'around'", lambda: np.take(leaf(3), 1, mode="around")),
    (TypeError, "float64", lambda: np.take(leaf(3), [0.5])),
    (IndexError, "out of bounds", lambda: np.take(leaf(3), [3])),
    (ValueError, r"np\.take_along_axis.*2 axes.*\(3, 2\).*\(2,\)",
     lambda: np.take_along_axis(leaf(3, 2), np.arange(2), 0)),
    (IndexError, r"np\.take_along_axis.*float64", lambda: np.take_along_axis(leaf(3), np.ones(3), 0)),
    (ValueError, "np.meshgrid.*'xx'", lambda: np.meshgrid(leaf(3), leaf(3), indexing="xx")),
    (ValueError, "np.block", lambda: np.block([[leaf(3)], leaf(3)])),
    (np.exceptions.AxisError, "axis 2 is out of bounds", lambda: np.sort(leaf(3, 2), 2)),
    (np.exceptions.AxisError, "axis 2 is out of bounds", lambda: np.repeat(leaf(3, 2), 2, 2)),
    (TypeError, "integer", lambda: np.concatenate([leaf(2), leaf(2)], axis=())),
    (TypeError, "np.trace.*'dtype'", lambda: np.trace(leaf(3, 3), dtype=float)),
    (TypeError, "np.stack.*'out'", lambda: np.stack([leaf(3)], out=np.zeros((1, 3)))),
    (TypeError, "np.sort.*'order'", lambda: np.sort(leaf(3), order="f")),
    (TypeError, "np.partition has no gradient rule", lambda: np.partition(leaf(3), 1)),
]


@pytest.mark.parametrize(("error", "message", "call"), WRONG, ids=range(len(WRONG)))
def test_what_does_not_fit_is_refused(error, message, call):
    with pytest.raises(error, match=message):
        call()


def test_a_number_among_arrays_leaves_their_dtype_alone():
    """As in ufuncs: what is joined, stacked, chosen or selected beside 2.0 stays as short as it was."""
    number, row = (mg.tensor(a, "float32", requires_grad=True) for a in (1.5, [1.5, 3.0]))
    for n in (2, 2.0, np.float64(2.0), np.array(2.0)):
        for y in (np.stack([number, n]), np.hstack([number, n]), np.hstack([n, row]), np.vstack([number, n]),
                  np.dstack([number, n]), np.column_stack([number, n]), np.append(row, n), np.append(n, number),
                  np.block([row, n]), np.block([[number], [n]]), np.choose([0, 1], [row, n]),
                  np.concatenate([np.atleast_1d(n, row)[0], row]), np.broadcast_arrays(n, row)[0] * row,
                  np.meshgrid(row, n)[1] * row):
            assert y.dtype == np.float32
            assert set(y.data.ravel().tolist()) <= {1.5, 2.0, 3.0, 6.0}
    yes = np.array([True, False])
    for conditions in ([yes, ~yes], [row < 2, row > 2]):
        y = np.select(conditions, [row, 2.0], 7.0)
        assert (y.dtype, y.tolist()) == (np.float32, [1.5, 2.0])
    assert np.stack([number, np.float64(2.0), mg.tensor(2.0)]).dtype == np.float64       # a tensor has its say
    assert np.hstack([row, [2.0]]).dtype == np.float64                                   # so has a list, as in NumPy


def test_an_average_of_a_list_by_weights_that_are_tensors():
    w = mg.tensor([1.0, 2.0, 1.0], requires_grad=True)
    y = np.average([1, 2, 6], weights=w)
    assert y.item() == 11 / 4
    np.testing.assert_allclose(mg.grad(y, w).data, [(x - 11 / 4) / 4 for x in (1, 2, 6)], rtol=1e-15)


def test_empty_like_is_zeros_with_and_without_a_gradient():
    """What happens to lie in memory is never the same twice."""
    for t in (leaf(50), leaf(50).detach(), mg.tensor([1, 2])):
        np.full(t.shape, 7, t.dtype)                # is what an array made next may find in its memory
        y = np.empty_like(t)
        assert (type(y), y.dtype, y.shape, y.requires_grad) == (mg.Tensor, t.dtype, t.shape, False)
        assert not y.data.any()
    assert np.empty_like(leaf(2), dtype=int, shape=(3,)).tolist() == [0, 0, 0]


def test_a_look_alike_takes_the_gradient_of_its_number():
    """full_like of a tensor is that tensor broadcast; zeros and the like are tensors without a gradient."""
    x, c = leaf(2, 3), leaf()
    assert mg.grad(np.full_like(x, c).sum(), c).item() == 6
    for made in (np.full_like(x, 2), np.empty_like(x), np.zeros_like(x), np.ones_like(x)):
        assert isinstance(made, mg.Tensor)
        assert not made.requires_grad
        assert (made.shape, made.dtype) == (x.shape, x.dtype)
    assert np.full_like(x, 2.5, dtype=int).tolist() == [[2, 2, 2]] * 2
    assert np.full_like(leaf(2).astype("float32"), np.array([0.5, 1.5])).dtype == np.float32

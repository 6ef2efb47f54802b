"""Tensor: it speaks NumPy on either side of every operator, and refuses what would lose a gradient."""

import operator

import numpy as np
import pytest
from tensors import leaf, raises_naming

import minigrad as mg
from minigrad import ops

# ------------------------------------------------------------------------------------ operators, either side

OPERATORS = [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow,
             operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne]
OTHERS = {"int": 2, "float": 2.0, "bool": True, "np.float64": np.float64(2), "np.float32": np.float32(2),
          "np.int64": np.int64(2), "np.bool": np.True_, "0-d array": np.array(2.0), "0-d int array": np.array(2)}
by_name = pytest.mark.parametrize("op", OPERATORS, ids=lambda op: op.__name__)


@by_name
@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_a_number_on_either_side_leaves_the_dtype_alone(op, other, dtype):
    """A Python number, a NumPy scalar and an array without axes are one thing: a number."""
    t, number = leaf(dtype=dtype), other.item() if hasattr(other, "item") else other
    for got, expected in ((op(t, other), op(t.data, number)), (op(other, t), op(number, t.data))):
        assert isinstance(got, mg.Tensor)
        assert got.dtype == expected.dtype == (bool if expected.dtype == bool else dtype)
        np.testing.assert_array_equal(got.data, expected)
        if got.dtype != bool:
            assert mg.grad(got.sum(), t).dtype == dtype


@by_name
@pytest.mark.parametrize("kind", [np.asarray, list, mg.tensor, leaf], ids=["array", "list", "tensor", "leaf"])
def test_arrays_lists_and_tensors_on_either_side(op, kind):
    t, values = leaf(), np.array([2.0, 2.0, 0.5])
    for got, expected in ((op(t, kind(values)), op(t.data, values)), (op(kind(values), t), op(values, t.data))):
        assert isinstance(got, mg.Tensor)
        np.testing.assert_array_equal(got.data, expected)
        assert got.requires_grad == (expected.dtype != bool)


@pytest.mark.parametrize("kind", [np.asarray, list, mg.tensor], ids=["array", "list", "tensor"])
def test_matrix_products_on_either_side(kind):
    t, values = leaf(np.eye(2) + 1), np.array([[1.0, 2.0], [3.0, 4.0]])
    np.testing.assert_array_equal((t @ kind(values)).data, t.data @ values)
    np.testing.assert_array_equal((kind(values) @ t).data, values @ t.data)
    np.testing.assert_array_equal(mg.grad((kind(values) @ t).sum(), t).data, values.T @ np.ones((2, 2)))


@pytest.mark.parametrize("op", [operator.pow, operator.matmul], ids=lambda op: op.__name__)
def test_a_tuple_is_a_list_or_is_refused_at_once(op):
    t = leaf()
    try:
        y = op(t, (1.0, 2.0, 3.0))
    except TypeError:
        return
    np.testing.assert_array_equal(mg.grad(y.sum(), t).data, mg.grad(op(t, [1.0, 2.0, 3.0]).sum(), t).data)


def test_concatenate_of_everything_is_differentiated_or_refused_at_once():
    t = leaf()
    try:
        y = np.concatenate([t, 2.0 * t], axis=None)
    except TypeError:
        return
    assert mg.grad(y.sum(), t).tolist() == [3.0, 3.0, 3.0]


def test_two_dtypes_meet_as_in_numpy_and_each_gradient_keeps_its_own():
    a, b = leaf(dtype="float32"), leaf(dtype="float64")
    y = a * b
    assert y.dtype == "float64"
    assert [g.dtype for g in mg.grad(y.sum(), [a, b])] == ["float32", "float64"]


def test_unary_operators():
    t = leaf([1.0, -2.0])
    for got, expected in ((-t, [-1, 2]), (+t, [1, -2]), (abs(t), [1, 2])):
        assert got.tolist() == expected
        assert got.requires_grad


SAME = ["tanh", "exp", "log", "sqrt", "square", "sin", "cos", "abs", "sign", "sum", "mean", "max", "min", "transpose"]


@pytest.mark.parametrize("name", SAME)
def test_numpys_function_and_the_method_are_one_thing(name):
    t = leaf()
    by_numpy, by_method = getattr(np, name)(t), getattr(t, name)()
    assert by_numpy._fn is by_method._fn
    np.testing.assert_array_equal(by_numpy.data, by_method.data)
    np.testing.assert_array_equal(by_numpy.data, getattr(np, name)(t.data))


def test_minigrads_functions_are_numpys():
    assert mg.tanh is np.tanh
    assert mg.relu(leaf([-1.0, 2.0])).tolist() == leaf([-1.0, 2.0]).relu().tolist() == [0.0, 2.0]


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_stack_concatenate_and_where_of_tensors_arrays_and_lists(axis):
    a, b, c = leaf([[1.0, 2.0]]), np.array([[3.0, 4.0]]), [[5.0, 6.0]]
    for fn in (np.stack, np.concatenate):
        got, expected = fn([a, b, c], axis=axis), fn([a.data, b, c], axis=axis)
        np.testing.assert_array_equal(got.data, expected)
        np.testing.assert_array_equal(mg.grad(got.sum(), a).data, np.ones((1, 2)))
    assert np.where(a > 1, a, b).tolist() == [[3.0, 2.0]]


# ---------------------------------------------------------------------------------------------- refusals

def in_place_into_an_array(t):
    a = np.ones(3)
    a += t


REFUSED = [     # name, call, ways out that the error names
    ("a += t", in_place_into_an_array, ["a = a \\+ t", r"t\.detach\(\)"]),
    ("np.add(out=)", lambda t: np.add(t, 1, out=np.zeros(3)), [r"np\.add", r"t\.detach\(\)"]),
    ("np.sum(out=)", lambda t: np.sum(t, out=np.zeros(())), [r"np\.sum", "'out'", r"t\.detach\(\)"]),
    ("np.sum(where=)", lambda t: np.sum(t, where=np.array([True, False, True])), ["'where'", r"t\.detach\(\)"]),
    ("np.tanh(where=)", lambda t: np.tanh(t, where=np.array([True] * 3)), [r"np\.tanh", "keywords", r"t\.detach\(\)"]),
    ("np.tanh(dtype=)", lambda t: np.tanh(t, dtype="float32"), [r"np\.tanh", r"t\.detach\(\)", r"t\.data"]),
    ("np.add.reduce", np.add.reduce, [r"np\.add\.reduce", r"t\.detach\(\)", r"t\.data"]),
    ("np.multiply.outer", lambda t: np.multiply.outer(t, t), [r"np\.multiply\.outer", r"t\.detach\(\)"]),
    ("np.add.at", lambda t: np.add.at(np.zeros(3), [0, 1, 2], t), [r"np\.add\.at", r"t\.detach\(\)"]),
    ("np.asarray", np.asarray, [r"t\.detach\(\)", r"t\.data"]),
    ("np.array", lambda t: np.array(t), [r"t\.detach\(\)", r"t\.data"]),
    ("np.array of a list", lambda t: np.array([t[0], t[1]]), [r"t\.detach\(\)", r"t\.data"]),
    ("t.numpy()", lambda t: t.numpy(), [r"t\.detach\(\)", r"t\.data"]),
    ("a[:] = t", lambda t: operator.setitem(np.zeros(3), slice(None), t), [r"t\.detach\(\)", r"t\.data"]),
    ("a rule that is not there", np.spacing, [r"np\.spacing", r"mg\.defvjp", r"t\.detach\(\)", r"t\.data"]),
    ("a function unknown", lambda t: np.interp(t, [0, 1], [0, 1]), [r"np\.interp", r"mg\.defvjp", r"t\.detach\(\)"]),
    ("a tensor by keyword", lambda t: ops.linear(t, np.ones((3, 3)), bias=t), ["linear", "`bias` by position"]),
    ("a string", lambda t: t + "1", ["add"]),
    ("tensors in a list", lambda t: np.exp([t, t]), [r"np\.stack"]),
    ("a list of tensors multiplied", lambda t: t * [t, 1.0], [r"np\.multiply", r"np\.stack"]),
    ("a complex number", lambda t: t * 1j, [r"np\.multiply", "complex", "a number, an array or a tensor"]),
    ("a complex array", lambda t: t * np.ones(3, complex), [r"np\.multiply", "complex", "real numbers"]),
    ("an object array", lambda t: np.array([1, None, 2]) * t, [r"np\.multiply", "object", "real numbers"]),
    ("a set", lambda t: t * {1}, [r"np\.multiply", "set", "a number, an array or a tensor"]),
]


@pytest.mark.parametrize(("call", "ways_out"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED])
def test_what_would_lose_a_gradient_is_refused(call, ways_out):
    """A TypeError names the function, where it knows it, and the way out; nothing has been written."""
    t = leaf()
    with raises_naming(TypeError, *ways_out):
        call(t)
    assert t.tolist() == [1.0, 2.0, 4.0]


def test_a_refused_change_leaves_the_array_as_it_was():
    a, t = np.zeros(3), leaf()
    for change in (np.add, np.multiply, lambda a, t, out: np.copyto(out, t), lambda a, t, out: np.max(t, out=out[0])):
        with pytest.raises(TypeError):
            change(a, t, out=a)
    assert not a.any()


@pytest.mark.parametrize("t", [leaf(2.0), leaf([2.0])], ids=["0-d", "one element"])
def test_storing_into_an_element_is_refused(t):
    """NumPy turns the TypeError into a ValueError that is chained from it; the cause names the way out."""
    a = np.zeros(3)
    with pytest.raises(ValueError, match="array element") as caught:
        a[1] = t
    assert isinstance(caught.value.__cause__, TypeError)
    assert "np.stack" in str(caught.value.__cause__)
    assert "t.item()" in str(caught.value.__cause__)
    assert not a.any()
    a[1] = t.item()
    a[2] = t.detach().item()
    assert a.tolist() == [0, 2, 2]


def test_a_number_may_be_asked_for_outright():
    t = leaf(2.5)
    assert (float(t), int(t), bool(t), t.item(), f"{t:.2f}") == (2.5, 2, True, 2.5, "2.50")
    stored = {}
    stored["loss"] = float(t)
    assert stored == {"loss": 2.5}


@pytest.mark.parametrize("data", ["abc", ["a", "b"], None, 1j, [object()], np.array(["2020-01-01"], "datetime64[D]")])
def test_a_tensor_holds_real_numbers(data):
    with raises_naming(TypeError, "real numbers", "convert the data first"):
        mg.tensor(data)


@pytest.mark.parametrize("data", [1, [1, 2], True, np.ones(2, "uint8")])
def test_whole_numbers_require_no_gradient(data):
    t = mg.tensor(data)
    for ask in (lambda: mg.tensor(data, requires_grad=True), t.requires_grad_):
        with raises_naming(TypeError, "floating-point", "dtype=float"):
            ask()
    assert mg.tensor(data, float, requires_grad=True).dtype == "float64"


def test_whole_numbers_require_no_gradient_by_attribute_either():
    t = mg.tensor([1, 2])
    with pytest.raises(TypeError):
        t.requires_grad = True


def test_a_cast_to_whole_numbers_has_no_gradient():
    """It is flat like floor, or refused; it is not the identity with a gradient rounded to zero."""
    t = leaf([1.5, 2.5])
    assert not t.astype(int).requires_grad


# ----------------------------------------------------------- without a gradient, a tensor is an array to NumPy

PLAIN = [
    ("np.add.reduce", np.add.reduce), ("np.asarray", np.asarray), ("np.median", np.median), ("np.sort", np.sort),
    ("np.linalg.svd", lambda t: np.linalg.svd(t)[1]), ("np.einsum", lambda t: np.einsum("ij->j", t)),
    ("np.clip", lambda t: np.clip(t, 0, 2)), ("np.vstack", lambda t: np.vstack([t, t])), ("np.arctan", np.arctan),
    ("np.percentile", lambda t: np.percentile(t, 30)), ("np.tanh(dtype=)", lambda t: np.tanh(t, dtype="float32")),
    ("np.add(out=)", lambda t: np.add(t, 1, out=np.zeros((2, 2)))), ("np.nonzero", lambda t: np.nonzero(t > 1)[0]),
    ("np.where(c)", lambda t: np.where(t > 1)[0]), ("np.argmax", lambda t: np.argmax(t, axis=1)),
    ("np.linalg.norm", np.linalg.norm), ("np.outer", lambda t: np.outer(t, t)), ("np.dot", lambda t: np.dot(t, t)),
    ("array of a list", lambda t: np.array([t[0], t[1]])), ("np.histogram", lambda t: np.histogram(t, bins=3)[0]),
    ("np.sum(dtype=)", lambda t: np.sum(t, dtype="float32")), ("np.max(initial=)", lambda t: np.max(t, initial=9.0)),
    ("np.reshape(order=)", lambda t: np.reshape(t, (4,), order="F")), ("np.size(axis)", lambda t: np.size(t, 0)),
    ("np.mean(where=)", lambda t: np.mean(t, where=np.array([True, False]))),
    ("np.concatenate(dtype=)", lambda t: np.concatenate([t, t], dtype="float32")),
]


@pytest.mark.parametrize("f", [p[1] for p in PLAIN], ids=[p[0] for p in PLAIN])
def test_a_tensor_without_a_gradient_is_an_array_to_every_function(f):
    values = np.array([[1.0, 3.0], [2.0, 0.5]])
    np.testing.assert_array_equal(np.asarray(f(mg.tensor(values))), f(values), strict=True)


def test_it_may_be_stored_into_arrays_and_never_lends_its_own():
    t, a = mg.tensor([1.0, 2.0, 4.0]), np.zeros(3)
    a += t
    a[0] = t[2]
    a[1:] = t[1:]
    assert a.tolist() == [4, 2, 4]
    mine = t.numpy()
    mine[:] = 0
    with pytest.raises(ValueError, match="read-only"):
        np.asarray(t)[0] = 0
    assert t.tolist() == [1, 2, 4]


# --------------------------------------------------------------------------------------------- Python's protocols

def test_indexing_length_iteration_and_text():
    t = leaf(np.arange(6.0).reshape(2, 3))
    assert (len(t), t.shape, t.ndim, t.size) == (2, (2, 3), 2, 6)
    assert [row.tolist() for row in t] == [[0, 1, 2], [3, 4, 5]]
    assert repr(leaf([1.0])) == "tensor([1.], requires_grad=True)"
    assert repr(leaf([1.0]) * 2) == "tensor([2.], made by np.multiply)"
    assert repr(leaf([1.0], "float32").detach()) == "tensor([1.], dtype=float32)"
    for protocol in (len, list):
        with pytest.raises(TypeError, match="no axes"):
            protocol(leaf(1.0))
    assert {t: 1}[t] == 1
    assert (t == None) is False         # noqa: E711
    assert (t != None) is True          # noqa: E711


INDICES = [0, -1, slice(None, None, -1), (1, 2), (slice(None), 1), None, Ellipsis, [1, 0, 1], [],
           np.array([True, False]), (np.array([0, 1]), [2, 2]), np.int64(1), (np.int64(1), slice(1)),
           mg.tensor([1, 1]), mg.tensor([False, True])]


@pytest.mark.parametrize("index", INDICES, ids=repr)
def test_any_index_of_numpys(index):
    """The value is NumPy's, and the gradient counts how often each element was picked."""
    values = np.arange(6.0).reshape(2, 3)
    t, plain = leaf(values), index.data if isinstance(index, mg.Tensor) else index
    picked = t[index]
    np.testing.assert_array_equal(picked.data, values[plain])
    picks = np.arange(6).reshape(2, 3)[plain].ravel()
    assert mg.grad(picked.sum(), t).tolist() == np.bincount(picks, minlength=6).reshape(2, 3).tolist()

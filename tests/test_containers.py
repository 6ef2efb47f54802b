"""Sequential, ModuleList, ModuleDict, Identity, Flatten, Residual."""

from collections import OrderedDict

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn

try:
    import torch
except ImportError:
    torch = None


def parts(count=3):
    return [nn.Linear(2, 2) for _ in range(count)]


BOTH = pytest.mark.parametrize("make", [lambda modules: nn.Sequential(*modules), nn.ModuleList])


def names(net):
    return [name for name, _ in net.named_children()]


@BOTH
def test_reading_like_a_list(make):
    modules = parts(5)
    net = make(modules)
    assert len(net) == 5
    assert list(net) == modules
    assert modules[2] in net
    assert nn.Tanh() not in net
    for index in range(-5, 5):
        assert net[index] is modules[index]
    for cut in (slice(1, 3), slice(None, None, 2), slice(-2, None), slice(3, 1), slice(None, None, -1)):
        assert type(net[cut]) is type(net)
        assert list(net[cut]) == modules[cut]
    for index in (5, -6):
        with pytest.raises(IndexError, match=f"of 5 modules has no module {index}"):
            net[index]
    with pytest.raises(TypeError):
        net["0"]


@BOTH
def test_changing_like_a_list(make):
    modules, extra = parts(), parts(6)
    net, expected = make(modules), list(modules)
    net[1], expected[1] = extra[0], extra[0]
    net[-1], expected[-1] = extra[1], extra[1]
    assert net.append(extra[2]) is net
    assert net.extend(iter(extra[3:5])) is net
    net.insert(1, extra[5])
    expected += extra[2:5]
    expected.insert(1, extra[5])
    assert list(net) == expected
    del net[-2], expected[-2]
    del net[0:2], expected[0:2]
    assert list(net) == expected
    same, more = net, parts(3)
    net += more
    expected += more
    assert net is same
    assert [net.pop(), net.pop(0)] == [expected.pop(), expected.pop(0)]
    net[1:3] = expected[1:3] = parts(1)
    net[::2] = expected[::2] = parts(len(expected[::2]))
    assert list(net) == expected
    assert names(net) == [str(k) for k in range(len(expected))]
    assert [name for name, _ in net.named_parameters()][:2] == ["0.weight", "0.bias"]


CHANGES = [
    (lambda n: n.append(abs), TypeError, "to append is a builtin_function"),
    (lambda n: n.append(None), TypeError, "None"), (lambda n: n.extend([nn.Tanh(), 3]), TypeError, "module 1 is a int"),
    (lambda n: n.insert(0, "x"), TypeError, "to insert is a str, not"),
    (lambda n: n.insert("x", nn.Tanh()), TypeError, "str"),
    (lambda n: n.__setitem__(0, np.tanh), TypeError, "place 0 is a ufunc, not"),
    (lambda n: n.__setitem__(3, nn.Tanh()), IndexError, "of 3 modules has no module 3"),
    (lambda n: n.__setitem__(slice(1), [nn.Tanh(), abs]), TypeError, "module 1 is a builtin"),
    (lambda n: n.__setitem__(slice(None, None, 2), [nn.Tanh()]), ValueError, "size 1 to extended slice of size 2"),
    (lambda n: n.pop(3), IndexError, "of 3 modules has no module 3"),
    (lambda n: n.__iadd__([3]), TypeError, "module 0 is a int"),
    (lambda n: n.__delitem__(7), IndexError, "has no module 7"),
]


@BOTH
@pytest.mark.parametrize(("change", "error", "text"), CHANGES)
def test_a_change_that_cannot_be_meant_leaves_all_as_it_was(make, change, error, text):
    modules = parts()
    net = make(modules)
    with pytest.raises(error, match=text):
        change(net)
    assert list(net) == modules


def test_twelve_layers_run_in_the_order_given():
    """Numbered names are not sorted as text ("10" before "2")."""
    layers = [nn.Linear(1, 1) for _ in range(12)]
    x = 1.0
    for k, layer in enumerate(layers):
        layer.weight.data, layer.bias.data = [[2.0]], [float(k)]
        x = 2 * x + k
    assert nn.Sequential(*layers)(np.ones((1, 1))).item() == x


@pytest.mark.parametrize("kind", [dict, OrderedDict])
def test_sequential_with_names(kind):
    first, second = parts(2)
    net = nn.Sequential(kind([("hidden", first), ("squash", nn.Tanh()), ("out", second)]))
    assert net.hidden is first
    assert net[2] is second
    assert list(net.state_dict()) == ["hidden.weight", "hidden.bias", "out.weight", "out.bias"]
    x = np.ones((3, 2))
    np.testing.assert_array_equal(net(x).data, second(np.tanh(first(x))).data)
    net[1] = nn.ReLU()
    assert names(net) == ["hidden", "squash", "out"]
    del net[0]
    net.append(nn.Tanh())
    assert names(net) == ["squash", "out", "2"]


def test_a_slice_keeps_the_names_and_can_grow():
    modules = parts()
    net = nn.Sequential(*modules)[1:]
    assert names(net) == ["1", "2"]                              # as in PyTorch
    net.append(nn.Tanh())
    assert names(net) == ["1", "2", "3"]


@pytest.mark.parametrize(("make", "text"), [
    (lambda: nn.Sequential(nn.Tanh(), np.tanh), "argument 1 is a ufunc.*nn.Tanh"),
    (lambda: nn.Sequential({"a": np.tanh}), "'a' is a ufunc"),
    (lambda: nn.ModuleList([nn.Tanh(), "x"]), "module 1 is a str"),
    (lambda: nn.ModuleList(nn.Tanh()), "not iterable"),
    (lambda: nn.ModuleDict({"a": 3}), "'a' is a int"),
    (lambda: nn.Residual(np.tanh), "its module is a ufunc"),
    (nn.Residual, "give the module"),
    (lambda: nn.Flatten(1.5), "start_dim = 1.5 is no whole number"),
])
def test_what_is_no_module_is_refused(make, text):
    with pytest.raises(TypeError, match=text):
        make()


@pytest.mark.parametrize("name", ["", "a.b", "forward", "training"])
def test_names_that_cannot_be(name):
    with pytest.raises(ValueError, match=repr(name)):
        nn.Sequential({name: nn.Tanh()})
    with pytest.raises(ValueError, match=repr(name)):
        nn.ModuleDict({name: nn.Tanh()})


@pytest.mark.parametrize("net", [nn.ModuleList([nn.Tanh()]), nn.ModuleDict({"a": nn.Tanh()})])
def test_lists_and_dicts_of_modules_are_not_called(net):
    with pytest.raises(TypeError, match="only holds modules"):
        net(np.ones(2))


def test_module_dict_is_a_dict():
    first, second = parts(2)
    net = nn.ModuleDict([("a", first)])
    net["b"] = second
    assert (list(net), len(net), "a" in net, "c" in net) == (["a", "b"], 2, True, False)
    assert (list(net.keys()), list(net.values())) == (["a", "b"], [first, second])
    assert list(net.items()) == [("a", first), ("b", second)]
    assert net["b"] is second
    assert list(net.state_dict()) == ["a.weight", "a.bias", "b.weight", "b.bias"]
    net["a"] = nn.Tanh()
    del net["b"]
    assert list(net.named_parameters()) == []
    for call in (lambda: net["b"], lambda: net.__delitem__("b")):
        with pytest.raises(KeyError):
            call()
    with pytest.raises(TypeError, match="not a Module"):
        net["a"] = 3
    assert isinstance(net["a"], nn.Tanh)


def test_a_parameter_list_is_a_list_of_parameters():
    values = [nn.Parameter([1.0]), nn.Parameter([2.0, 3.0])]
    net = nn.ParameterList(values)
    assert list(net) == values
    assert net.parameters() == values
    assert list(net.state_dict()) == ["0", "1"]
    net.append(mg.tensor([[4.0]]))                                  # becomes a parameter, as in PyTorch
    assert isinstance(net[2], nn.Parameter)
    net += [nn.Parameter([5.0])]
    net[0] = nn.Parameter([6.0])
    assert [p.tolist() for p in net[::2]] == [[6.0], [[4.0]]]
    assert net.pop().tolist() == [5.0]
    assert repr(net) == "ParameterList((1,), (2,), (1, 1))"
    assert [name for name, _ in nn.Sequential(net).named_parameters()] == ["0.0", "0.1", "0.2"]
    for change in (lambda: net.append(nn.Tanh()), lambda: net.append([1.0]), lambda: net.append(np.ones(2))):
        with pytest.raises(TypeError, match=r"ParameterList: the parameter to append is a .*, not a Parameter"):
            change()
    with pytest.raises(IndexError, match="of 3 parameters has no parameter 3"):
        net[3]
    with pytest.raises(TypeError, match="only holds parameters"):
        net(1.0)


UNFLATTENED = [(1, (2, 3, 4)), (1, (2, -1, 4)), (-1, (24,)), (0, (5, 1)), (1, [4, 6])]


@pytest.mark.parametrize(("dim", "sizes"), UNFLATTENED)
def test_unflatten_splits_an_axis(dim, sizes):
    x = mg.tensor(np.arange(120.0).reshape(5, 24), requires_grad=True)
    y = nn.Unflatten(dim, sizes)(x)
    np.testing.assert_array_equal(nn.Flatten(0)(y).data, x.data.ravel())
    assert mg.gradcheck(nn.Unflatten(dim, sizes), x, order=2)
    if torch is not None:
        assert y.shape == tuple(torch.nn.Unflatten(dim, tuple(sizes))(torch.tensor(x.data)).shape)


@pytest.mark.parametrize(("make", "error", "text"), [
    (lambda: nn.Unflatten(1, (5, 5))(np.ones((5, 24))), ValueError, r"Unflatten.*\(5, 24\).*axis of 24.*\(5, 5\)"),
    (lambda: nn.Unflatten(1, (5, -1))(np.ones((5, 24))), ValueError, r"axis of 24.*\(5, -1\)"),
    (lambda: nn.Unflatten(2, (5, -1))(np.ones((5, 24))), ValueError, r"\(5, 24\) has no axis 2"),
    (lambda: nn.Unflatten(1, (-1, -1)), ValueError, "one of them -1"),
    (lambda: nn.Unflatten(1, (-2, 3)), ValueError, "at least 0"),
    (lambda: nn.Unflatten(1, 3), TypeError, "a tuple of whole numbers, not 3"),
    (lambda: nn.Unflatten("channels", (3,)), TypeError, "dim = 'channels' is no whole number"),
])
def test_what_cannot_be_unflattened(make, error, text):
    with pytest.raises(error, match=text):
        make()


def test_identity_returns_the_very_thing():
    x = np.ones(3)
    assert nn.Identity()(x) is x
    assert nn.Identity(54, unused=True)(x) is x


FLATTENED = [((), (5, 24)), ((0,), (120,)), ((2,), (5, 2, 12)), ((1, 2), (5, 6, 4)), ((-2,), (5, 2, 12)),
             ((0, -3), (10, 3, 4)), ((1, 1), (5, 2, 3, 4))]


@pytest.mark.parametrize(("dims", "shape"), FLATTENED)
def test_flatten_joins_axes(dims, shape):
    x = mg.tensor(np.arange(120.0).reshape(5, 2, 3, 4), requires_grad=True)
    y = nn.Flatten(*dims)(x)
    assert y.shape == shape
    np.testing.assert_array_equal(y.data.ravel(), x.data.ravel())
    assert mg.gradcheck(nn.Flatten(*dims), x, order=2)
    assert nn.Flatten(*dims)(x.data).shape == shape


@pytest.mark.parametrize("dims", [(4,), (2, 1), (-5,), (0, 4)])
def test_flatten_of_axes_that_are_not_there(dims):
    with pytest.raises(ValueError, match=r"shape \(5, 2, 3, 4\)"):
        nn.Flatten(*dims)(np.ones((5, 2, 3, 4)))


def test_flatten_of_nothing():
    assert nn.Flatten()(np.ones((0, 2, 3))).shape == (0, 6)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_residual_adds_its_input(dtype):
    layer = nn.Linear(3, 3, dtype=dtype)
    net = nn.Residual(layer)
    x = mg.tensor(np.ones((2, 3)), dtype, requires_grad=True)
    assert net(x).dtype == dtype
    np.testing.assert_array_equal(net(x).data, x.data + layer(x).data)
    assert list(net.state_dict()) == ["module.weight", "module.bias"]
    assert mg.grad(net(x).sum(), x).dtype == dtype


def test_residual_of_several_and_its_gradient():
    rng = np.random.default_rng(0)
    net = nn.Residual(nn.Linear(3, 5, rng=rng), nn.Tanh(), nn.Linear(5, 3, rng=rng))
    assert len(net.module) == 3
    assert mg.gradcheck(net, rng.normal(size=(2, 3)), order=2)


def test_residual_names_both_shapes():
    with pytest.raises(ValueError, match=r"\(2, 3\) and module\(x\) \(2, 1\)"):        # broadcasting would hide it
        nn.Residual(nn.Linear(3, 1))(np.ones((2, 3)))

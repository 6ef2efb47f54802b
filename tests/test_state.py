"""state_dict and load_state_dict: snapshots, everything checked first, PyTorch's states taken."""

import numpy as np
import pytest
from twins import needs_torch, torch

import minigrad as mg
from minigrad import nn, optim


class Net(nn.Module):
    def __init__(self, dtype=float):
        self.scale = nn.Parameter([1.0, 2.0], dtype=dtype)
        self.register_buffer("mean", np.array([0.5, 0.25], dtype))
        self.register_buffer("steps", 7)
        self.register_buffer("noise", [1.0], persistent=False)
        self.register_buffer("empty", None)
        self.layers = nn.Sequential(nn.Linear(2, 3, dtype=dtype), nn.Tanh(), nn.Linear(3, 1, dtype=dtype))
        self.tied = self.layers[0]


NAMES = ["scale", "mean", "steps", "layers.0.weight", "layers.0.bias", "layers.2.weight", "layers.2.bias",
         "tied.weight", "tied.bias"]


def arrays(net):
    return {name: np.array(t.data) for name, t in net.state_dict().items()}


def unchanged(net, before):
    after = arrays(net)
    return list(after) == list(before) and all(np.array_equal(after[n], before[n]) for n in before)


def test_names_are_pytorchs_in_pytorchs_order():
    state = Net().state_dict()
    assert list(state) == NAMES
    assert not any(t.requires_grad for t in state.values())
    assert all(isinstance(t, mg.Tensor) for t in state.values())


def test_a_state_is_a_snapshot():
    net = Net()
    state, before = net.state_dict(), arrays(net)
    opt = optim.SGD(net.parameters(), lr=0.5)
    (net.layers(np.ones((2, 2))).sum() + net.scale.sum()).backward()
    opt.step()
    net.mean = net.mean + 1.0
    net.steps += 1
    with mg.no_grad():
        net.scale[0] = 9.0
    assert not unchanged(net, before)
    for name, t in state.items():
        np.testing.assert_array_equal(t.data, before[name], err_msg=name)
    net.load_state_dict(state)
    assert unchanged(net, before)


KINDS = [lambda a: a, mg.tensor, lambda a: a.tolist(), lambda a: np.array(a, order="F"), lambda a: a.astype("float32"),
         lambda a: mg.tensor(a.astype(float), requires_grad=True), lambda a: np.broadcast_to(a, (1, *a.shape))[0]]


@pytest.mark.parametrize("kind", KINDS)
def test_arrays_tensors_and_lists_are_taken(kind):
    mg.manual_seed(1)
    source, net = Net(), Net()
    given = {name: kind(a) for name, a in arrays(source).items()}
    found = net.parameters()
    report = net.load_state_dict(given)
    assert report == ([], [])
    assert (report.missing_keys, report.unexpected_keys) == ([], [])
    assert all(p is q and p.requires_grad for p, q in zip(net.parameters(), found, strict=True))
    for name, a in arrays(source).items():
        np.testing.assert_allclose(net.state_dict()[name].data, a, rtol=1e-7)
        assert net.state_dict()[name].dtype == a.dtype
        if isinstance(given[name], np.ndarray):
            assert not np.shares_memory(net.state_dict()[name].data, given[name])


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_values_are_cast_to_the_dtype_that_is_there(dtype):
    net, source = Net(dtype), Net()
    net.load_state_dict(source.state_dict())
    for name, t in net.state_dict().items():
        assert t.dtype == (np.int64 if name == "steps" else dtype)
        np.testing.assert_array_equal(t.data, source.state_dict()[name].data.astype(t.dtype))
    Net().load_state_dict(net.state_dict())


def without(*names):
    return lambda state: [state.pop(name) for name in names]


def setting(**values):
    return lambda state: state.update({name.replace("__", "."): value for name, value in values.items()})


WRONG = [
    (without("scale", "layers.0.bias"), True, ["missing: scale, layers.0.bias"]),
    (setting(other=1, layers__3__weight=2), True, ["unexpected: other, layers.3.weight"]),
    (setting(noise=[1.0], empty=[1.0]), True, ["unexpected: noise, empty"]),
    (setting(scale=np.ones((2, 1))), True, ["scale: shape (2, 1) given, (2,) wanted"]),
    (setting(scale=np.ones(3)), False, ["scale: shape (3,) given, (2,) wanted"]),
    (setting(steps=[7]), True, ["steps: shape (1,) given, () wanted"]),
    (setting(scale=["a", "b"]), True, ["scale: dtype <U1 is no real number"]),
    (setting(scale=np.array([1j, 2])), False, ["scale: dtype complex128 is no real number"]),
    (setting(scale=None), True, ["scale: dtype object is no real number"]),
    (setting(scale=[[1.0], [1.0, 2.0]]), True, ["scale: no array can be made of this list"]),
    (setting(steps=1.5), True, ["steps: values of dtype float64 are no int64"]),
    (lambda state: (without("mean")(state), setting(other=0, scale=[1.0], tied__bias=np.ones(4))(state)), True,
     ["missing: mean", "unexpected: other", "scale: shape (1,)", "tied.bias: shape (4,) given, (3,) wanted"]),
]


@pytest.mark.parametrize(("change", "strict", "texts"), WRONG)
def test_all_that_is_wrong_is_named_at_once_and_nothing_changed(change, strict, texts):
    net = Net()
    before = arrays(net)
    state = {name: a + 1 for name, a in before.items()}
    change(state)
    with pytest.raises(ValueError, match="does not fit Net; nothing was loaded") as caught:
        net.load_state_dict(state, strict=strict)
    for text in texts:
        assert text in str(caught.value)
    assert unchanged(net, before)


def test_values_too_large_for_the_dtype_are_refused():
    net = Net("float16")
    state = arrays(net)
    state["scale"] = np.array([1.0, 1e6])
    with pytest.raises(ValueError, match="scale: values of dtype float64 are too large for float16"):
        net.load_state_dict(state)
    state["scale"] = np.array([np.nan, np.inf])                     # these can be said in float16
    net.load_state_dict(state)
    np.testing.assert_array_equal(net.scale.data, [np.nan, np.inf])


@pytest.mark.parametrize("state", [None, [("scale", 1)], 3])
def test_what_is_no_dict_is_refused(state):
    with pytest.raises(TypeError, match="takes a dict name -> array"):
        Net().load_state_dict(state)


def test_not_strict_takes_what_fits_by_name():
    net = Net()
    before = arrays(net)
    report = net.load_state_dict({"scale": [8.0, 9.0], "other": 1, "more": 2}, strict=False)
    assert report.missing_keys == NAMES[1:]
    assert report.unexpected_keys == ["other", "more"]
    assert net.scale.tolist() == [8.0, 9.0]
    after = arrays(net)
    assert all(np.array_equal(after[name], before[name]) for name in NAMES[1:])


def test_a_pending_backward_keeps_the_arrays_it_used():
    net = nn.Linear(2, 1)
    x = mg.tensor([[1.0, 2.0]], requires_grad=True)
    y, weight = net(x), net.weight.data
    net.load_state_dict({"weight": np.zeros((1, 2)), "bias": np.zeros(1)})
    np.testing.assert_array_equal(mg.grad(y, x).data, weight)


@needs_torch
@pytest.mark.parametrize("make", [
    lambda nn: nn.Linear(3, 2), lambda nn: nn.Linear(3, 2, bias=False), lambda nn: nn.LSTM(3, 4, 2),
    lambda nn: nn.GRU(3, 4, bias=False), lambda nn: nn.RNN(3, 4, 3, nonlinearity="relu"), lambda nn: nn.LSTMCell(3, 4),
    lambda nn: nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Sequential(nn.Linear(3, 1))),
    lambda nn: nn.ModuleList([nn.GRUCell(2, 3), nn.RNNCell(3, 2)]), lambda nn: nn.ModuleDict({"a": nn.Linear(1, 1)}),
])
def test_states_go_to_pytorch_and_back(make):
    ours, theirs = make(nn), make(torch.nn).double()
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict(theirs.state_dict())
    for name, t in theirs.state_dict().items():
        np.testing.assert_array_equal(ours.state_dict()[name].data, t.numpy())
    with mg.no_grad():
        for p in ours.parameters():
            p *= 2.0
    theirs.load_state_dict({name: torch.tensor(t.numpy()) for name, t in ours.state_dict().items()})
    for name, t in theirs.state_dict().items():
        np.testing.assert_array_equal(ours.state_dict()[name].data, t.numpy())

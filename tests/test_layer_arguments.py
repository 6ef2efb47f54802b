"""What all layers share: sizes that are whole numbers, devices, dtypes, parameters drawn anew."""

import numpy as np
import pytest
from twins import check_live, needs_torch, waves

import minigrad as mg
from minigrad import nn
from minigrad.nn import functional as F

SIZES = [           # call with one size, the name of that size
    (lambda n: nn.Linear(n, 3), "in_features"), (lambda n: nn.Linear(3, n), "out_features"),
    (lambda n: nn.Conv1d(n, 2, 3), "in_channels"), (lambda n: nn.Conv2d(2, n, 3), "out_channels"),
    (lambda n: nn.Conv2d(2, 2, n), "kernel_size"), (lambda n: nn.Conv2d(2, 2, 3, (1, n)), r"stride\[1\]"),
    (lambda n: nn.ConvTranspose2d(n, 2, 3), "in_channels"), (lambda n: nn.Embedding(n, 3), "num_embeddings"),
    (lambda n: nn.Embedding(3, n), "embedding_dim"), (lambda n: nn.BatchNorm1d(n), "num_features"),
    (lambda n: nn.LayerNorm(n), "normalized_shape"), (lambda n: nn.LayerNorm((2, n)), "normalized_shape"),
    (lambda n: nn.GroupNorm(n, 4), "num_groups"), (lambda n: nn.GroupNorm(1, n), "num_channels"),
    (lambda n: nn.PReLU(n), "num_parameters"), (lambda n: nn.RNNCell(n, 2), "input_size"),
    (lambda n: nn.LSTM(2, n), "hidden_size"), (lambda n: nn.GRU(2, 3, n), "num_layers"),
    (lambda n: nn.MaxPool2d(n), "kernel_size"), (lambda n: nn.AvgPool1d(2, n), "stride"),
    (lambda n: nn.AdaptiveAvgPool2d((1, n)), r"output_size\[1\]"),
    (lambda n: F.max_pool2d(np.ones((1, 2, 2)), n), "kernel_size"),
]


@pytest.mark.parametrize(("make", "what"), SIZES)
@pytest.mark.parametrize("size", [2.5, 3.0, "3", True])
def test_a_size_is_a_whole_number(make, what, size):
    with pytest.raises(TypeError, match=f"{what}.* = {size!r} is no whole number"):
        make(size)


@pytest.mark.parametrize(("make", "what"), SIZES)
def test_a_size_is_at_least_1(make, what):
    with pytest.raises(ValueError, match=f"{what}.* = 0, but it must be at least 1"):
        make(0)


def test_sizes_of_numpy_are_kept_as_pythons():
    layer = nn.Linear(np.int64(3), np.uint8(2))
    assert (type(layer.in_features), type(layer.out_features)) == (int, int)
    assert type(nn.LayerNorm(np.int32(3)).normalized_shape[0]) is int


# ------------------------------------------------------------------------------- parameters drawn anew

WITH_PARAMETERS = {
    "Linear": (3, 2), "Conv1d": (2, 3, 2), "Conv2d": (2, 3, 2), "ConvTranspose1d": (2, 3, 2),
    "ConvTranspose2d": (2, 3, 2), "Embedding": (4, 3, 1), "RNNCell": (2, 3), "LSTMCell": (2, 3), "GRUCell": (2, 3),
    "RNN": (2, 3, 2), "LSTM": (2, 3), "GRU": (2, 3), "BatchNorm1d": (3,), "BatchNorm2d": (3,), "LayerNorm": (3,),
    "GroupNorm": (2, 4), "PReLU": (2, 0.5),
}
DRAWN = [name for name in WITH_PARAMETERS if "Norm" not in name and name != "PReLU"]


def values(net):
    return {name: np.array(t.data) for name, t in net.state_dict().items()}


@pytest.mark.parametrize("name", WITH_PARAMETERS)
def test_parameters_are_reset_as_the_constructor_sets_them(name):
    kind, arguments = getattr(nn, name), WITH_PARAMETERS[name]
    mg.manual_seed(3)
    layer = kind(*arguments)
    start, same = values(layer), layer.parameters()
    for p in same:
        p.data = np.full(p.shape, 7.0)
    mg.manual_seed(3)
    layer.reset_parameters()
    assert all(p is q for p, q in zip(layer.parameters(), same, strict=True))
    for key, value in values(layer).items():
        np.testing.assert_array_equal(value, start[key], err_msg=key)
    layer.reset_parameters(rng=np.random.default_rng(9))
    again = kind(*arguments, **({"rng": np.random.default_rng(9)} if name in DRAWN else {}))
    for key, value in values(layer).items():
        np.testing.assert_array_equal(value, values(again)[key], err_msg=key)


def test_the_row_of_the_padding_is_reset_to_zeros():
    layer = nn.Embedding(4, 3, padding_idx=1)
    layer.weight.data = np.ones((4, 3))
    layer.reset_parameters()
    assert not layer.weight.data[1].any()
    assert layer.weight.data[[0, 2, 3]].all()


def test_batch_norm_forgets_its_statistics():
    layer = nn.BatchNorm1d(2)
    layer(np.array([[0.0, 1.0], [2.0, 1.0]]))
    layer.reset_parameters()
    assert (layer.running_mean.tolist(), layer.running_var.tolist()) == ([0.0, 0.0], [1.0, 1.0])
    assert layer.num_batches_tracked.item() == 0


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
def test_flatten_parameters_is_accepted(name):
    layer = getattr(nn, name)(2, 3)
    before = values(layer)
    assert layer.flatten_parameters() is None
    for key, value in values(layer).items():
        np.testing.assert_array_equal(value, before[key])


# ------------------------------------------------------------------------------- devices and dtypes

@pytest.mark.parametrize("name", WITH_PARAMETERS)
def test_the_cpu_is_the_only_device(name):
    kind, arguments = getattr(nn, name), WITH_PARAMETERS[name]
    for device in ("cpu", "cpu:0", None):
        layer = kind(*arguments, device=device, dtype="float32")
        assert {p.dtype for p in layer.parameters()} == {np.dtype("float32")}
    with pytest.raises(ValueError, match="CPU"):
        kind(*arguments, device="cuda")


PLACES = [
    (lambda n: n.to(device="cpu"), "float64"), (lambda n: n.to("cpu", mg.float32), "float32"),
    (lambda n: n.to(dtype=mg.float16, device="cpu"), "float16"), (lambda n: n.to("cpu:0", "float32"), "float32"),
    (lambda n: n.to(mg.tensor([1.0], "float32")), "float32"), (lambda n: n.to(dtype="float32"), "float32"),
    (lambda n: n.to(device=None, dtype=None), "float64"), (lambda n: n.to("cpu", non_blocking=True), "float64"),
]


@pytest.mark.parametrize(("convert", "dtype"), PLACES)
def test_a_net_is_brought_to_the_cpu_and_to_a_dtype(convert, dtype):
    net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    assert convert(net) is net
    assert {t.dtype for t in (*net.parameters(), net[1].running_mean)} == {np.dtype(dtype)}
    assert {type(t._array) for t in net.parameters()} == {np.ndarray}


@pytest.mark.parametrize("convert", [lambda n: n.to("cuda", mg.float16), lambda n: n.to("float16", device="mps")])
def test_another_device_is_refused_before_anything_is_converted(convert):
    net = nn.Linear(2, 2)
    with pytest.raises(ValueError, match="CPU"):
        convert(net)
    assert net.weight.dtype == net.bias.dtype == np.float64


def test_values_too_large_for_a_dtype_are_refused_before_anything_is_converted():
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    net[1].bias.data = [1.0, -1e6]
    with pytest.raises(ValueError, match=r"float16: 1\.bias holds -1000000\.0.*65504"):
        net.half()
    assert {p.dtype for p in net.parameters()} == {np.dtype(float)}
    net[1].bias.data = [1.0, np.inf]                     # was no number before either
    assert net.half()[1].bias.data[1] == np.inf


def test_a_gradient_too_large_for_a_dtype_is_refused_too():
    net = nn.Linear(2, 2)
    net.bias.grad = np.array([1e30, 0.0])
    with pytest.raises(ValueError, match=r"the gradient of bias holds 1e\+30"):
        net.half()
    assert net.weight.dtype == np.float64


def test_the_second_argument_of_a_parameter_is_requires_grad():
    assert not nn.Parameter(mg.tensor([1.0]), False).requires_grad
    assert nn.Parameter([1.0], True, dtype="float32").dtype == np.float32
    with pytest.raises(TypeError, match=r"requires_grad is True or False.*dtype="):
        nn.Parameter([1.0], float)


# ------------------------------------------------------------------------------- parameters one by one

def test_parameters_are_a_list_that_next_takes_from():
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    found = net.parameters()
    assert isinstance(found, list)
    assert next(net.parameters()) is net[0].weight
    assert [next(found) for _ in range(4)] == list(found)           # what was taken stays in the list
    with pytest.raises(StopIteration):
        next(found)
    assert len(found) == len(list(found)) == 4
    assert next(net.buffers()) is net[1].running_mean


# ------------------------------------------------------------------------------- lists in place of arrays

def test_a_list_is_an_array():
    layer = nn.Linear(2, 1)
    np.testing.assert_array_equal(layer([[1.0, 2.0]]).data, layer(np.array([[1.0, 2.0]])).data)
    assert F.linear([1.0, 2.0], [[3.0, 4.0]], [1.0]).tolist() == [12.0]


@pytest.mark.parametrize("call", [lambda: F.linear(np.ones(2), np.ones(2)), lambda: F.linear([1.0], 2.0)])
def test_a_weight_is_a_matrix(call):
    with pytest.raises(ValueError, match=r"linear: weight must have shape \(out, in\), not \("):
        call()


KEYWORDS = [
    lambda s, x: s.F.cross_entropy(input=x, target=s.of([0, 1])), lambda s, x: s.F.softmax(input=x, dim=0),
    lambda s, x: s.F.linear(input=x, weight=s.of(np.ones((2, 3)))),
    lambda s, x: s.F.layer_norm(input=x, normalized_shape=(3,)),
    lambda s, x: s.nn.MSELoss()(input=x, target=s.of(np.ones((2, 3)))), lambda s, x: s.F.relu(input=x),
    lambda s, x: s.F.max_pool1d(input=x, kernel_size=2), lambda s, x: s.F.pad(input=x, pad=(1, 0)),
    lambda s, x: s.nn.CrossEntropyLoss()(input=x, target=s.of([0, 1])), lambda s, x: s.F.normalize(input=x, dim=1),
]


@needs_torch
@pytest.mark.parametrize("call", KEYWORDS)
def test_the_first_argument_has_pytorchs_name(call):
    check_live(call, [waves(2, 3)])

"""Activations: PyTorch's values, gradients and second order, and its choices at the kinks; far points; modules."""

import numpy as np
import pytest
from twins import Ours, check_live, needs_torch, properties, waves

import minigrad as mg
from minigrad import nn
from minigrad.nn import functional as F

X, WIDE, CUBE = waves(3, 4, size=2.5), waves(3, 4, size=9.0), waves(2, 3, 4, size=2.5)

# name: call, differentiated arrays, three numbers that PyTorch 2.13 gave: value, first and second order (see twins.py)
CASES = {
    "tanh": (lambda s, x: s.nn.Tanh()(s.F.tanh(x)), [X], [5.19088393823, 0.268809324741, -0.351403309319]),
    "sigmoid": (lambda s, x: s.nn.Sigmoid()(s.F.sigmoid(x)), [X], [1.11371301139, 0.117544488216, -0.0630380330112]),
    "relu": (lambda s, x: s.nn.ReLU(inplace=False)(s.F.relu(x)), [X], [8.25483368734, 2.92603162417, 0.0]),
    "leaky_relu": (lambda s, x: s.F.leaky_relu(x), [X], [8.31539987242, 2.94847797788, 0.0]),
    "LeakyReLU": (lambda s, x: s.nn.LeakyReLU(0.3)(x), [X], [10.0718192396, 3.59942223544, 0.0]),
    "LeakyReLU negative": (lambda s, x: s.nn.LeakyReLU(negative_slope=-0.5)(x), [X],
     [5.22652443351, 1.80371393872, 0.0]),
    "elu": (lambda s, x: s.F.elu(x), [X], [10.8537944368, 3.28532094661, -0.246509810686]),
    "ELU": (lambda s, x: s.nn.ELU(alpha=0.7)(x), [X], [10.074106212, 3.17753414988, -0.17255686748]),
    "selu": (lambda s, x: s.nn.SELU()(s.F.selu(x)), [X], [13.3162856474, 3.54686177962, -0.312032485674]),
    "gelu": (lambda s, x: s.F.gelu(x), [X], [8.24854929015, 2.97474633714, -0.0660093374295]),
    "gelu tanh": (lambda s, x: s.F.gelu(x, approximate="tanh"), [X], [8.24895125925, 2.97493630117, -0.0671469134371]),
    "GELU": (lambda s, x: s.nn.GELU(approximate="tanh")(s.nn.GELU()(x)), [X],
     [7.93987738743, 3.24295807993, -0.240844482555]),
    "silu": (lambda s, x: s.nn.SiLU()(s.F.silu(x)), [X], [6.76625412176, 3.3309570156, 0.201258908421]),
    "softplus": (lambda s, x: s.F.softplus(x), [WIDE], [29.6997224062, 2.94072088253, -0.00674335943541]),
    "Softplus": (lambda s, x: s.nn.Softplus(2.0, threshold=50.0)(x), [X],
     [8.24044588408, 2.9458591931, -0.00745143698981]),
    "softsign": (lambda s, x: s.nn.Softsign()(s.F.softsign(x)), [X], [2.80256459132, 0.230176722635, -0.153776612766]),
    "logsigmoid": (lambda s, x: s.nn.LogSigmoid()(s.F.logsigmoid(x)), [X],
     [3.93963797199, 1.91405401747, 0.14568569368]),
    "hardtanh": (lambda s, x: s.F.hardtanh(x), [X], [6.99228707958, 0.214057210378, 0.0]),
    "Hardtanh": (lambda s, x: s.nn.Hardtanh(-0.5, 1.8)(x), [X], [8.22466560073, 0.412069459077, 0.0]),
    "prelu": (lambda s, x, w: s.F.prelu(x, w), [X, np.array([0.3])],
     [10.0718192396, 4.87205028502, 0.366934150723]),
    "prelu channels": (lambda s, x, w: s.F.prelu(x, w), [CUBE, np.array([0.3, -0.2, 1.5])],
     [21.1052204303, 5.29182530518, -1.85203068531]),
    "relu6": (lambda s, x: s.nn.ReLU6()(s.F.relu6(x)), [WIDE], [22.3920800861, 0.405948117558, 0.0]),
    "softmax": (lambda s, x: s.F.softmax(x, dim=1), [CUBE], [1.51022251767, 0.369076963516, -0.103514964024]),
    "softmax first": (lambda s, x: s.F.softmax(x, dim=0), [CUBE], [4.37451377454, 0.580321151801, -0.463573888581]),
    "Softmax": (lambda s, x: s.nn.Softmax(dim=-1)(x), [X], [2.16421445049, 0.23616114543, -0.17942558094]),
    "log_softmax": (lambda s, x: s.F.log_softmax(x, dim=-1), [CUBE], [24.6969159313, 9.29663844714, -0.0179688933906]),
    "LogSoftmax": (lambda s, x: s.nn.LogSoftmax(dim=1)(x), [CUBE], [4.3160264388, 2.08229322127, 0.131114410996]),
}

(test_every_element_is_pytorchs, test_numbers_recorded_from_pytorch, test_gradcheck_at_order_1_and_2,
 test_dtype_is_kept) = properties(CASES)


# name: call, points where something is decided, values and slopes there; PyTorch's, and exact
KINKS = {
    "relu": (lambda s, x: s.F.relu(x), [-1.0, 0.0, 1.0], [0, 0, 1], [0, 0, 1]),
    "leaky_relu": (lambda s, x: s.F.leaky_relu(x, 0.25), [-1.0, 0.0, 1.0], [-0.25, 0, 1], [0.25, 0.25, 1]),
    "prelu": (lambda s, x: s.F.prelu(x, s.of([0.25])), [-1.0, 0.0, 1.0], [-0.25, 0, 1], [0.25, 0.25, 1]),
    "elu": (lambda s, x: s.F.elu(x, 0.5), [0.0, 1.0], [0, 1], [0.5, 1]),
    "hardtanh": (lambda s, x: s.F.hardtanh(x), [-1.0, 0.0, 1.0], [-1, 0, 1], [0, 1, 0]),
    "relu6": (lambda s, x: s.F.relu6(x), [0.0, 3.0, 6.0, 7.0], [0, 3, 6, 6], [0, 1, 0, 0]),
    "softsign": (lambda s, x: s.F.softsign(x), [-1.0, 0.0, 1.0], [-0.5, 0, 0.5], [0.25, 1, 0.25]),
}


@pytest.mark.parametrize(("call", "points", "values", "slopes"), KINKS.values(), ids=KINKS)
def test_kinks(call, points, values, slopes):
    x = mg.tensor(points, requires_grad=True)
    y = call(Ours(), x)
    np.testing.assert_array_equal(y.data, values)
    np.testing.assert_array_equal(mg.grad(y.sum(), x).data, slopes)


@needs_torch
@pytest.mark.parametrize(("call", "points", "values", "slopes"), KINKS.values(), ids=KINKS)
def test_kinks_are_pytorchs_at_both_orders(call, points, values, slopes):
    check_live(call, [np.array(points)])


FLAT_FAR_OUT = ["tanh", "sigmoid", "gelu", "silu", "softplus", "softsign", "logsigmoid", "elu", "selu", "softmax",
                "log_softmax", "relu6", "hardtanh"]


@pytest.mark.parametrize("name", FLAT_FAR_OUT)
def test_far_out_everything_is_finite(name):
    """Value, first and second order at +-1e4, without a warning on the way."""
    x = mg.tensor([[-1e4, -700.0, 0.0, 700.0, 1e4]], requires_grad=True)
    y = getattr(F, name)(x)
    g = mg.grad(y, x, waves(1, 5), create_graph=True)
    slope = (g * waves(1, 5, k=1.0)).sum()
    h = mg.grad(slope, x) if slope.requires_grad else g
    assert all(np.isfinite(t.data).all() for t in (y, g, h))


def test_softplus_goes_on_where_pytorch_switches():
    """Above its threshold of 20 PyTorch returns x and loses up to 2.1e-9; here it is log(1 + exp(x)) everywhere."""
    x = mg.tensor([20.5, 30.0], requires_grad=True)
    y = F.softplus(x)
    np.testing.assert_array_equal(y.data, x.data + np.log1p(np.exp(-x.data)))
    assert (y.data > x.data).all()
    assert (mg.grad(y.sum(), x).data < 1).all()


def test_softmax_sums_to_1_along_its_axis_and_takes_the_last_by_default():
    x = mg.tensor(CUBE)
    for dim in (0, 1, 2, -1):
        np.testing.assert_allclose(F.softmax(x, dim=dim).sum(axis=dim).data, 1, rtol=1e-14)
        np.testing.assert_allclose(np.exp(F.log_softmax(x, dim=dim)).data, F.softmax(x, dim=dim).data, rtol=1e-13)
    for t in (x[0], x[0, 0]):
        for make in (F.softmax, nn.Softmax(), nn.Softmax(dim=None), lambda t: F.softmax(t, dim=None)):
            np.testing.assert_array_equal(make(t).data, F.softmax(t, dim=-1).data)
        for make in (F.log_softmax, nn.LogSoftmax(), nn.LogSoftmax(dim=None)):
            np.testing.assert_array_equal(make(t).data, F.log_softmax(t, dim=-1).data)
    for make in (F.softmax, nn.Softmax(), F.log_softmax, nn.LogSoftmax()):       # PyTorch takes the first axis
        with pytest.raises(ValueError, match=r"\(2, 3, 4\).*dim=-1"):
            make(x)


INPLACE = ["relu", "leaky_relu", "elu", "selu", "silu", "hardtanh", "relu6"]
INPLACE_MODULES = [nn.ReLU, nn.LeakyReLU, nn.ELU, nn.SELU, nn.SiLU, nn.Hardtanh, nn.ReLU6]


@pytest.mark.parametrize("make", [*(getattr(F, name) for name in INPLACE), *INPLACE_MODULES])
def test_inplace_is_accepted_and_overwrites_nothing(make):
    x = mg.tensor([-2.0, 7.0], requires_grad=True)
    h = x * 1.0
    y = make(inplace=True)(h) if isinstance(make, type) else make(h, inplace=True)
    assert y is not h
    np.testing.assert_array_equal(h.data, [-2.0, 7.0])


@pytest.mark.parametrize(("make", "text"), [
    (nn.Tanh, "Tanh()"), (nn.ReLU, "ReLU()"), (lambda: nn.ReLU(inplace=True), "ReLU()"), (nn.Sigmoid, "Sigmoid()"),
    (nn.LeakyReLU, "LeakyReLU(negative_slope=0.01)"), (lambda: nn.ELU(0.5), "ELU(alpha=0.5)"), (nn.SELU, "SELU()"),
    (nn.GELU, "GELU()"), (lambda: nn.GELU("tanh"), "GELU(approximate='tanh')"), (nn.SiLU, "SiLU()"),
    (nn.Softplus, "Softplus()"), (lambda: nn.Softplus(2.0), "Softplus(beta=2.0)"), (nn.Softsign, "Softsign()"),
    (nn.LogSigmoid, "LogSigmoid()"), (nn.Hardtanh, "Hardtanh(min_val=-1.0, max_val=1.0)"), (nn.ReLU6, "ReLU6()"),
    (lambda: nn.Softmax(dim=1), "Softmax(dim=1)"), (lambda: nn.LogSoftmax(dim=1), "LogSoftmax(dim=1)"),
])
def test_repr(make, text):
    assert repr(make()) == text


REFUSED = [
    (lambda: F.gelu(mg.tensor([1.0]), "erf"), ValueError, "gelu.*'erf'"),
    (lambda: nn.GELU("erf"), ValueError, "GELU: approximate = 'erf'"),
    (lambda: F.softplus(mg.tensor([1.0]), beta=0), ValueError, "softplus: beta = 0"),
    (lambda: nn.Softplus(beta=-1.0), ValueError, "Softplus: beta = -1.0"),
    (lambda: F.hardtanh(mg.tensor([1.0]), 1.0, 1.0), ValueError, "max_val = 1.0.*min_val = 1.0"),
    (lambda: nn.Hardtanh(2.0, 1.0), ValueError, "max_val = 1.0.*min_val = 2.0"),
    (lambda: F.softmax(mg.tensor([1, 2]), dim=0), TypeError, "softmax: input has dtype int64"),
    (lambda: F.log_softmax([[1, 2]]), TypeError, "log_softmax: input has dtype int64"),
    (lambda: F.softmax(mg.tensor([1.0]), dim=1), np.exceptions.AxisError, "axis 1 is out of bounds"),
]


@pytest.mark.parametrize(("call", "error", "text"), REFUSED)
def test_what_cannot_be_meant_is_refused(call, error, text):
    with pytest.raises(error, match=text):
        call()


def test_prelu_learns_its_slope():
    layer = nn.PReLU()
    x = mg.tensor([-2.0, 0.0, 3.0], requires_grad=True)
    assert layer(x).tolist() == [-0.5, 0.0, 3.0]
    layer(x).sum().backward()
    assert layer.weight.grad.tolist() == [-2.0]
    assert layer(np.array([np.inf])).tolist() == [np.inf]
    assert repr(nn.PReLU(3, init=0.5)) == "PReLU(3)"
    assert nn.PReLU(3, init=0.5).weight.tolist() == [0.5] * 3
    for call, text in ((lambda: nn.PReLU(3)(np.ones((2, 4))), r"prelu: weight of shape \(3,\).*\(2, 4\)"),
                       (lambda: F.prelu(np.ones(3), np.ones(3)), r"prelu: weight of shape \(3,\).*\(3,\)")):
        with pytest.raises(ValueError, match=text):
            call()

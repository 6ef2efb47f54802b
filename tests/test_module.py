"""Module: how parameters, buffers and modules are found, named, switched, converted, copied and shown."""

import copy
import pickle

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim
from minigrad.nn import functional as F


def filled(shape, k):
    """An array given by a formula, so that it is the same wherever it is computed."""
    return 0.5 * np.sin(0.7 * np.arange(np.prod(shape, dtype=int)) + k).reshape(shape)


def perceptron():
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))


class Tree(nn.Module):
    """Parameters of its own, assigned around a child; no super().__init__()."""

    def __init__(self):
        self.first = nn.Parameter(np.zeros(3))
        self.child = nn.Linear(2, 2)
        self.last = nn.Parameter(np.zeros(5))
        self.fixed = mg.tensor([1.0])
        self.number = 3


class Tied(nn.Module):
    """One layer under two names, and one of its parameters under a third."""

    def __init__(self):
        super(Tied, self).__init__()            # noqa: UP008
        self.there = nn.Linear(2, 2)
        self.again = self.there
        self.weight = self.there.weight


class Counting(nn.Module):
    """Buffers of both kinds beside a parameter and a child that has one too."""

    def __init__(self, inner=None):
        super().__init__()
        self.register_buffer("mean", np.zeros(2))
        self.register_buffer("calls", mg.tensor(0), persistent=False)
        self.register_buffer("later", None)
        self.weight = nn.Parameter(np.ones(2))
        self.inner = inner

    def forward(self, x):
        self.calls += 1
        self.mean = 0.5 * self.mean + 0.5 * x.data.mean(axis=0)
        return x * self.weight - self.mean


NAMES = [
    (lambda: nn.Linear(2, 3), ["weight", "bias"]),
    (lambda: nn.Linear(2, 3, bias=False), ["weight"]),
    (lambda: nn.RNNCell(2, 3), ["weight_ih", "weight_hh", "bias_ih", "bias_hh"]),
    (lambda: nn.RNNCell(2, 3, bias=False), ["weight_ih", "weight_hh"]),
    (nn.Tanh, []),
    (nn.Sequential, []),
    (perceptron, ["0.weight", "0.bias", "2.weight", "2.bias"]),
    (lambda: nn.Sequential(nn.Sequential(nn.Linear(1, 1)), nn.Linear(1, 1, bias=False)),
     ["0.0.weight", "0.0.bias", "1.weight"]),
    (Tree, ["first", "last", "child.weight", "child.bias"]),
    (Tied, ["weight", "there.bias"]),
    (lambda: Counting(Counting()), ["weight", "inner.weight"]),
    (lambda: nn.Sequential(*[nn.Linear(1, 1, bias=False)] * 3), ["0.weight"]),
    (lambda: nn.Sequential(*[nn.Linear(1, 1, bias=False) for _ in range(12)]), [f"{i}.weight" for i in range(12)]),
]


@pytest.mark.parametrize(("make", "names"), NAMES)
def test_parameters_are_found_once_in_order_and_told_their_names(make, names):
    net = make()
    found = net.parameters()
    assert [name for name, _ in net.named_parameters()] == names
    assert [p.name for p in found] == names
    assert len({id(p) for p in found}) == len(found)
    assert all(p.requires_grad and p.is_leaf for p in found)


def test_the_optimizer_and_its_trace_use_the_names():
    net, trace = perceptron(), mg.NormTrace(per_parameter=True)
    opt = optim.SGD(net.parameters(), lr=0.1, trace=trace)
    F.mse_loss(net(filled((5, 3), 0)), np.zeros((5, 2))).backward()
    opt.step()
    assert trace.parameters() == ["0.weight", "0.bias", "2.weight", "2.bias"]


def test_a_parameter_in_two_nets_has_the_name_of_the_net_asked_last():
    layer = nn.Linear(1, 1)
    outer = nn.Sequential(nn.Tanh(), layer)
    assert [p.name for p in outer.parameters()] == ["1.weight", "1.bias"]
    assert [p.name for p in layer.parameters()] == ["weight", "bias"]


def test_the_gradient_of_a_tied_layer_is_the_sum_over_its_uses():
    layer = nn.Linear(1, 1, bias=False)
    layer.weight.data = [[3.0]]
    net = nn.Sequential(layer, layer)
    net(np.ones((1, 1))).sum().backward()
    assert layer.weight.grad.item() == 6.0                      # d(w^2)/dw


def test_own_parameters_and_a_prefix():
    net = Tree()
    assert [name for name, _ in net.named_parameters(recurse=False)] == ["first", "last"]
    assert net.parameters(recurse=False) == [net.first, net.last]
    assert [name for name, _ in net.named_parameters("net")] == ["net.first", "net.last", "net.child.weight",
                                                                 "net.child.bias"]


def test_modules_and_children_come_once_outermost_first():
    net = nn.Sequential(Tied(), nn.Tanh())
    assert [name for name, _ in net.named_modules()] == ["", "0", "0.there", "1"]
    assert list(net.modules()) == [net, net[0], net[0].there, net[1]]
    assert [name for name, _ in net[0].named_children()] == ["there", "again"]
    assert list(net[0].children()) == [net[0].there]
    assert next(net.children()) is net[0]


def test_apply_calls_the_inner_ones_first_each_once():
    net, seen = nn.Sequential(Tied(), nn.Tanh()), []
    assert net.apply(seen.append) is net
    assert seen == [net[0].there, net[0], net[1], net]


# ---------------------------------------------------------------------- registered by their names

def test_registering_is_assigning():
    net = nn.Module()
    p, child = nn.Parameter([1.0]), nn.Tanh()
    net.register_parameter("w", p)
    net.register_parameter("bias", None)
    net.add_module("0", child)
    assert net.w is p
    assert net.bias is None
    assert list(net.named_children()) == [("0", child)]
    assert [name for name, _ in net.named_parameters()] == ["w"]
    net.bias = nn.Parameter([2.0])
    assert [name for name, _ in net.named_parameters()] == ["w", "bias"]


REFUSED = [
    (lambda n: n.register_parameter("w", mg.tensor([1.0])), TypeError, "'w'.*Tensor is no nn.Parameter"),
    (lambda n: n.register_parameter("weight", nn.Parameter([1.0])), ValueError, "already has an attribute 'weight'"),
    (lambda n: n.register_parameter("forward", nn.Parameter([1.0])), ValueError, "already has an attribute 'forward'"),
    (lambda n: n.register_parameter("a.b", nn.Parameter([1.0])), ValueError, "'a.b' cannot be a name"),
    (lambda n: n.register_parameter("", nn.Parameter([1.0])), ValueError, "'' cannot be a name"),
    (lambda n: n.register_parameter(3, nn.Parameter([1.0])), TypeError, "a string, not 3"),
    (lambda n: n.register_buffer("mean", np.zeros(2)), ValueError, "already has an attribute 'mean'"),
    (lambda n: n.register_buffer("b", mg.tensor([1.0], requires_grad=True)), TypeError, r"'b'.*t\.detach\(\)"),
    (lambda n: n.register_buffer("b", "text"), TypeError, "real numbers"),
    (lambda n: n.add_module("f", np.tanh), TypeError, "'f' is a ufunc, not a Module"),
    (lambda n: n.add_module("x.y", nn.Tanh()), ValueError, "'x.y' cannot be a name"),
    (lambda n: setattr(n, "weight", np.ones(2)), TypeError, r"weight is a parameter, and a ndarray is none.*\.data"),
    (lambda n: setattr(n, "weight", mg.tensor([1.0, 2.0])), TypeError, "a Tensor is none"),
    (lambda n: setattr(n, "inner", abs), TypeError, "inner is a module"),
    (lambda n: setattr(n, "mean", mg.tensor([1.0], requires_grad=True)), TypeError, "'mean'.*detach"),
    (lambda n: n.train("yes"), TypeError, "True or False, not 'yes'"),
    (lambda n: n.to("int64"), TypeError, "float16, float32 or float64"),
    (lambda n: n.to("cuda:0"), ValueError, "CPU"),
    (lambda n: n.register_forward_hook(None), TypeError, "a hook is a function"),
    (lambda n: nn.Module()(1.0), NotImplementedError, "Module has no forward"),
]


@pytest.mark.parametrize(("call", "error", "text"), REFUSED)
def test_what_cannot_be_meant_is_refused_and_changes_nothing(call, error, text):
    net = Counting(nn.Tanh())
    before = dict(vars(net))
    with pytest.raises(error, match=text):
        call(net)
    assert vars(net) == before
    assert [name for name, _ in net.named_buffers()] == ["mean", "calls"]


def test_what_is_deleted_belongs_no_longer():
    net = Counting(nn.Linear(1, 1))
    del net.weight, net.mean, net.inner
    net.weight, net.mean = mg.tensor([1.0]), np.ones(2)          # plain attributes now
    assert list(net.state_dict()) == []
    assert isinstance(net.mean, np.ndarray)


def test_a_module_may_be_exchanged_or_taken_out():
    net = Counting(nn.Linear(1, 1))
    net.inner = nn.Identity()
    assert [name for name, _ in net.named_parameters()] == ["weight"]
    net.inner = None
    assert list(net.children()) == []


MISSING = [
    ("wieght", "'wieght'"), ("cuda", "CPU; leave it out"), ("register_backward_hook", "register_full_backward_hook"),
]


@pytest.mark.parametrize(("name", "text"), MISSING)
def test_a_missing_attribute_is_named_with_the_nearest_thing(name, text):
    """For a name of PyTorch's, what comes nearest; for others Python's own text, which names what looks like it."""
    with pytest.raises(AttributeError, match="Linear.*" + text):
        getattr(nn.Linear(1, 1), name)
    assert not hasattr(nn.Linear(1, 1), name)


# ------------------------------------------------------------------------------------- buffers

def test_a_buffer_stays_one_whatever_is_assigned():
    net = Counting()
    x = mg.tensor([[1.0, 2.0], [3.0, 6.0]], requires_grad=True)
    for _ in range(2):
        net(x).sum().backward()
    assert isinstance(net.mean, mg.Tensor)                       # an array was assigned
    assert net.mean.tolist() == [1.5, 3.0]
    assert net.calls.item() == 2
    assert [name for name, _ in net.named_buffers()] == ["mean", "calls"]
    assert net.buffers()[0] is net.mean
    assert list(net.state_dict()) == ["weight", "mean"]
    net.later = [1.0]
    assert list(net.state_dict()) == ["weight", "mean", "later"]
    net.later = None
    assert list(net.state_dict()) == ["weight", "mean"]


def test_buffers_are_found_inside_and_once():
    shared = Counting()
    net = nn.Sequential(shared, nn.Sequential(shared, Counting()))
    assert [name for name, _ in net.named_buffers()] == ["0.mean", "0.calls", "1.1.mean", "1.1.calls"]
    assert list(net.named_buffers(recurse=False)) == []


def test_a_parameter_assigned_to_a_buffer_is_a_parameter():
    net = Counting()
    net.mean = nn.Parameter([1.0, 1.0])
    assert [name for name, _ in net.named_buffers()] == ["calls"]
    assert list(net.state_dict()) == ["mean", "weight"]


def test_buffers_of_one_module_are_not_another_ones():
    net = Counting()
    assert nn.Module.training is True
    assert dict(nn.Module._buffer_names) == {}
    other = Tree()
    other.register_buffer("mean", [1.0])
    assert [name for name, _ in other.named_buffers()] == ["mean"]
    assert [name for name, _ in net.named_buffers()] == ["mean", "calls"]


# -------------------------------------------------------------------- modes, gradients, dtypes

def test_train_and_eval_reach_everything():
    net = nn.Sequential(Tied(), nn.Sequential(nn.Tanh()))
    assert all(module.training for module in net.modules())
    assert net.eval() is net
    assert not any(module.training for module in net.modules())
    assert net.train() is net
    assert all(module.training for module in net.modules())
    net[1].train(False)
    assert [module.training for module in net.modules()] == [True, True, True, False, False]


def test_zero_grad_sets_every_gradient_to_none_or_zero():
    net = perceptron()
    net[0].weight.requires_grad_(False)
    net(filled((2, 3), 0)).sum().backward()
    net.zero_grad(set_to_none=False)
    assert net[0].weight.grad is None
    assert all(p.grad.tolist() == np.zeros(p.shape).tolist() for p in net.parameters() if p.requires_grad)
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())


def test_frozen_parameters_get_no_gradient_and_stay_in_the_state():
    net = perceptron()
    assert net[0].requires_grad_(False) is net[0]
    net(filled((2, 3), 0)).sum().backward()
    assert [p.grad is None for p in net.parameters()] == [True, True, False, False]
    assert len(net.state_dict()) == 4
    net.requires_grad_()
    assert all(p.requires_grad for p in net.parameters())
    assert nn.Parameter([1.0], requires_grad=False).requires_grad is False


CONVERSIONS = [(lambda n: n.half(), "float16"), (lambda n: n.float(), "float32"), (lambda n: n.double(), "float64"),
               (lambda n: n.to(np.float32), "float32"), (lambda n: n.to("float16"), "float16"),
               (lambda n: n.to("cpu"), "float64")]


@pytest.mark.parametrize(("convert", "dtype"), CONVERSIONS)
def test_conversion_keeps_the_parameters_and_their_gradients(convert, dtype):
    net = Counting(nn.Linear(2, 2))
    x = mg.tensor(filled((3, 2), 1), requires_grad=True)
    net.inner(net(x)).sum().backward()
    found, gradients = net.parameters(), [p.grad.data for p in net.parameters()]
    assert convert(net) is net
    assert all(p is q for p, q in zip(net.parameters(), found, strict=True))
    for p, g in zip(found, gradients):
        assert (p.dtype, p.grad.dtype, p.requires_grad) == (dtype, dtype, True)
        np.testing.assert_array_equal(p.grad.data, g.astype(dtype))
    assert net.mean.dtype == dtype
    assert net.calls.dtype == np.int64
    net.zero_grad()
    net.inner(net(mg.tensor(filled((3, 2), 1), dtype))).sum().backward()
    assert all(p.grad.dtype == dtype for p in found)


def test_a_conversion_leaves_a_pending_backward_its_arrays():
    layer = nn.Linear(2, 2)
    x = mg.tensor(filled((3, 2), 1), requires_grad=True)
    expected = mg.grad((layer(x) ** 2).sum(), x)
    y = (layer(x) ** 2).sum()
    layer.half()
    np.testing.assert_array_equal(mg.grad(y, x).data, expected.data)


# --------------------------------------------------------------------------- copies and pickles

@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
def test_copies_are_whole_and_apart(duplicate):
    net = nn.Sequential(Counting(nn.Linear(2, 2)), Tied())
    net[0](mg.tensor(filled((3, 2), 1), requires_grad=True)).sum().backward()
    net[1].eval()
    twin = duplicate(net)
    assert list(twin.state_dict()) == list(net.state_dict())
    assert twin[1].there is twin[1].again                        # what was shared is shared
    assert twin[1].weight is twin[1].there.weight
    assert not twin[1].training
    assert twin[0].weight.grad.tolist() == net[0].weight.grad.tolist()
    for (name, a), b in zip(net.state_dict().items(), twin.state_dict().values()):
        np.testing.assert_array_equal(a.data, b.data, err_msg=name)
        assert not np.shares_memory(a.data, b.data)
    twin[0].mean = np.ones(2)
    assert isinstance(twin[0].mean, mg.Tensor)
    assert net[0].mean.tolist() != [1.0, 1.0]


def test_a_copy_keeps_its_hooks_and_shares_none():
    net, calls = nn.Tanh(), []
    handle = net.register_forward_hook(lambda *_: calls.append(1))
    twin = copy.deepcopy(net)
    handle.remove()
    net(1.0)
    assert calls == []
    twin(1.0)
    assert calls == [1]


# --------------------------------------------------------------------------------------- reprs

REPRS = [
    (lambda: nn.Linear(3, 2), "Linear(3, 2)"),
    (lambda: nn.Linear(3, 2, bias=False), "Linear(3, 2, bias=False)"),
    (lambda: nn.RNNCell(3, 2, nonlinearity="relu"), "RNNCell(3, 2, nonlinearity='relu')"),
    (lambda: nn.GRU(3, 2, 2, bias=False, batch_first=True, dropout=0.25),
     "GRU(3, 2, num_layers=2, bias=False, batch_first=True, dropout=0.25)"),
    (nn.Tanh, "Tanh()"),
    (nn.Flatten, "Flatten(start_dim=1, end_dim=-1)"),
    (perceptron, "Sequential(\n  (0): Linear(3, 4)\n  (1): Tanh()\n  (2): Linear(4, 2)\n)  # 26 parameters"),
    (lambda: nn.Sequential(nn.Sequential(nn.Linear(2, 2)), nn.ReLU()),
     "Sequential(\n  (0): Sequential(\n    (0): Linear(2, 2)\n  )  # 6 parameters\n  (1): ReLU()\n)  # 6 parameters"),
    (Tree, "Tree(\n  (child): Linear(2, 2)\n)  # 14 parameters"),
    (Tied, "Tied(\n  (there): Linear(2, 2)\n  (again): Linear(2, 2)\n)  # 6 parameters"),
]


@pytest.mark.parametrize(("make", "text"), REPRS)
def test_repr_shows_the_structure_and_counts_each_parameter_once(make, text):
    assert repr(make()) == text

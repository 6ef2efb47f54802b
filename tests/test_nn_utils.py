"""nn.utils: clipping in place as PyTorch does, exact norms, parameters as a vector."""

import math

import numpy as np
import pytest
from optimizing import near
from twins import needs_torch, torch, waves

import minigrad as mg
from minigrad import nn
from minigrad.nn import utils


def with_gradients(*gradients, dtype=float):
    """Return tensors with these gradients; None for a tensor without one."""
    found = []
    for g in gradients:
        p = mg.tensor(np.zeros(2 if g is None else np.shape(g)), dtype, requires_grad=True)
        p.grad = g
        found.append(p)
    return found


def gradients(parameters):
    return [None if p.grad is None else p.grad.tolist() for p in parameters]


G = [[3.0, 4.0], [0.0, 12.0]]


# ------------------------------------------------------------------------------------ by norm

CLIPS = [
    (1.0, 2.0, 13.0), (1.0, 1, 19.0), (1.0, 3, 12.207054953820638), (1.0, math.inf, 12.0), (1.0, "inf", 12.0),
    (13.0, 2, 13.0), (20.0, 2, 13.0), (math.inf, 2, 13.0), (1e-30, 2, 13.0), (np.float32(0.5), 2, 13.0),
    (np.array(0.5), 2, 13.0),
]


@pytest.mark.parametrize(("max_norm", "norm_type", "norm"), CLIPS)
def test_the_factor_is_pytorchs(max_norm, norm_type, norm):
    """min(1, max / (norm + 1e-6)): a gradient whose norm equals the limit shrinks a little."""
    parameters = with_gradients(*G)
    total = utils.clip_grad_norm_(parameters, max_norm, norm_type)
    assert isinstance(total, mg.Tensor)
    assert not total.requires_grad
    assert total.item() == near(norm, rel=1e-15)
    factor = min(1.0, float(max_norm) / (norm + 1e-6))
    for p, g in zip(parameters, G):
        np.testing.assert_allclose(p.grad.data, factor * np.array(g), rtol=1e-15)


@needs_torch
@pytest.mark.parametrize("norm_type", [1.0, 2.0, 3.5, math.inf])
@pytest.mark.parametrize("max_norm", [0.1, 1.0, 100.0])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_effect_is_pytorchs(norm_type, max_norm, dtype):
    arrays = [waves(3, 4).astype(dtype), waves(5, k=1.0).astype(dtype)]
    ours, theirs = with_gradients(*arrays, dtype=dtype), [torch.zeros(a.shape, dtype=getattr(torch, dtype)) for a in
                                                          arrays]
    for p, a in zip(theirs, arrays):
        p.grad = torch.tensor(a)
    total = utils.clip_grad_norm_(ours, max_norm, norm_type=norm_type)
    expected = torch.nn.utils.clip_grad_norm_(theirs, max_norm, norm_type=norm_type)
    tolerance = 8 * float(np.finfo(dtype).eps)
    assert total.item() == near(expected.item(), rel=tolerance)
    for p, q in zip(ours, theirs):
        assert p.grad.dtype == dtype
        np.testing.assert_allclose(p.grad.data, q.grad.numpy(), rtol=tolerance)


def test_a_tensor_a_list_and_a_generator_are_taken():
    for given in (lambda ps: ps, tuple, lambda ps: (p for p in ps), lambda ps: ps * 2):   # twice counts once
        parameters = with_gradients(*G)
        assert utils.clip_grad_norm_(given(parameters), 1.0).item() == 13.0
        np.testing.assert_allclose(parameters[0].grad.data, np.array([3.0, 4.0]) / 13, rtol=1e-6)
    single, = with_gradients(G[0])
    assert utils.clip_grad_norm_(single, 1.0).item() == 5.0
    net = nn.Linear(2, 2)
    net(np.ones((1, 2))).sum().backward()
    assert utils.clip_grad_norm_(net.parameters(), 0.5).item() == pytest.approx(math.sqrt(6))
    assert math.hypot(*net.weight.grad.data.ravel(), *net.bias.grad.data) == pytest.approx(0.5, rel=1e-6)


def test_the_gradient_is_changed_in_place():
    parameters = with_gradients(*G)
    held, arrays = [p.grad for p in parameters], [p.grad.data for p in parameters]
    utils.clip_grad_norm_(parameters, 1.0)
    assert all(p.grad is h for p, h in zip(parameters, held))
    assert [a.tolist() for a in arrays] == G                        # arrays handed out before are not written into


def test_tensors_without_a_gradient_are_passed_over():
    """Handing in gradients where parameters are wanted does nothing, as in PyTorch: they have no .grad."""
    parameters = with_gradients(None, G[0])
    assert utils.clip_grad_norm_(parameters, 1.0).item() == 5.0
    assert parameters[0].grad is None
    parameters = with_gradients(*G)
    assert utils.clip_grad_norm_([p.grad for p in parameters], 1.0).item() == 0.0
    assert gradients(parameters) == G
    assert utils.clip_grad_norm_([], 1.0).item() == 0.0
    assert utils.clip_grad_norm_(with_gradients([0.0, 0.0]), 1.0).item() == 0.0


EXTREME = [("float32", 1e-25, 1.0), ("float32", 1e20, 1.0), ("float64", 1e-200, 1.0), ("float64", 1e200, 1.0),
           ("float16", 6e4, 1.0), ("float64", 1.5e308, 2.0)]


@pytest.mark.parametrize(("dtype", "size", "limit"), EXTREME)
def test_norms_are_exact_where_squares_are_not(dtype, size, limit):
    """PyTorch finds 0 or inf here, and does nothing or makes zeros."""
    p, = with_gradients([size, size], dtype=dtype)
    size = float(p.grad[0])
    total = utils.clip_grad_norm_([p], limit).item()
    exact = math.sqrt(2) * size if size < 1e308 else math.inf
    assert total == near(exact, rel=1e-15)
    expected = size if exact < limit else limit / math.sqrt(2)
    np.testing.assert_allclose(p.grad.data, expected, rtol=4 * np.finfo(dtype).eps + (1e-6 if exact < 10 else 0))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_norm_that_is_not_finite(bad):
    parameters = with_gradients([3.0, bad], [1.0, 2.0])
    with pytest.raises(RuntimeError, match=f"norm of the gradients is {bad}"):
        utils.clip_grad_norm_(parameters, 1.0, error_if_nonfinite=True)
    assert parameters[1].grad.tolist() == [1.0, 2.0]
    assert str(utils.clip_grad_norm_(parameters, 1.0).item()) == str(bad)
    expected = [[math.nan] * 2] * 2 if math.isnan(bad) else [[0.0, math.nan], [0.0, 0.0]]
    for p, e in zip(parameters, expected):                          # as PyTorch
        np.testing.assert_array_equal(p.grad.data, e)


def test_a_gradient_on_the_tape_is_replaced():
    w = mg.tensor([3.0, 4.0], requires_grad=True)
    (0.5 * w * w).sum().backward(create_graph=True)
    utils.clip_grad_norm_(w, 1.0)
    assert w.grad.norm().item() == pytest.approx(1.0, rel=1e-6)
    w.grad = None


# ----------------------------------------------------------------------------------- by value

@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_values_are_limited(dtype):
    parameters = with_gradients([-5.0, 2.0, 0.5], None, [math.inf, -math.inf, math.nan], dtype=dtype)
    held = parameters[0].grad
    assert utils.clip_grad_value_((p for p in parameters), 1.0) is None
    assert parameters[0].grad is held
    assert parameters[0].grad.tolist() == [-1.0, 1.0, 0.5]
    assert parameters[1].grad is None
    np.testing.assert_array_equal(parameters[2].grad.data, [1.0, -1.0, math.nan])
    assert all(p.grad.dtype == dtype for p in parameters if p.grad is not None)
    utils.clip_grad_value_(parameters[0], mg.tensor(0.25))
    assert parameters[0].grad.tolist() == [-0.25, 0.25, 0.25]


# -------------------------------------------------------------------------------- what is refused

BAD = [0, 0.0, -1, -0.5, math.nan, "1.0", None, True, [1.0, 2.0]]


@pytest.mark.parametrize("bad", BAD)
def test_a_limit_that_is_no_positive_number_is_refused(bad):
    """PyTorch takes -1 and turns all gradients round."""
    parameters = with_gradients(*G)
    for clip, name in ((utils.clip_grad_norm_, "max_norm"), (utils.clip_grad_value_, "clip_value")):
        with pytest.raises(ValueError, match=name):
            clip(parameters, bad)
    assert gradients(parameters) == G


@pytest.mark.parametrize("call", [lambda x: utils.clip_grad_norm_(x, 1.0), lambda x: utils.clip_grad_value_(x, 1.0),
                                  utils.parameters_to_vector, lambda x: utils.vector_to_parameters(np.ones(1), x)])
@pytest.mark.parametrize(("given", "text"), [
    (nn.Linear(1, 1), r"linear\.parameters\(\)"), ([mg.tensor(1.0), np.ones(1)], "parameter 1 is a ndarray"),
    ([None], "parameter 0 is a NoneType"), ({"w": mg.tensor(1.0)}, "parameter 0 is a str"),
])
def test_what_are_no_parameters_is_refused(call, given, text):
    with pytest.raises(TypeError, match=text):
        call(given)


@pytest.mark.parametrize("p", [0.5, 0, -1, math.nan])
def test_what_is_no_norm_is_refused(p):
    parameters = with_gradients(*G)
    for call in (lambda: utils.clip_grad_norm_(parameters, 1.0, p), lambda: utils.get_total_norm(parameters, p)):
        with pytest.raises(ValueError, match="at least 1"):
            call()
    assert gradients(parameters) == G


@pytest.mark.parametrize(("name", "text"), [
    ("rnn", "packed sequences are left out"), ("clip_grad_norm", "with an underscore"), ("weight_norm", "in forward"),
    ("clip_grad_valu_", "did you mean 'clip_grad_value_'"), ("xyz", "has no attribute 'xyz'$"),
])
def test_what_is_left_out_names_the_nearest_thing(name, text):
    with pytest.raises(AttributeError, match=text):
        getattr(utils, name)


# ------------------------------------------------------------------------- total norm, one vector

def test_the_norm_of_some_tensors():
    tensors = [mg.tensor(g) for g in G]
    assert utils.get_total_norm(tensors).item() == 13.0
    assert utils.get_total_norm([*tensors, None], 1).item() == 19.0
    assert utils.get_total_norm(tensors[0], math.inf).item() == 4.0
    assert utils.get_total_norm([]).item() == 0.0
    with pytest.raises(RuntimeError, match="nan"):
        utils.get_total_norm(mg.tensor([math.nan]), error_if_nonfinite=True)


def test_parameters_as_one_vector_and_back():
    net, other = (nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1)) for _ in range(2))
    vector = utils.parameters_to_vector(net.parameters())
    assert vector.tolist() == [x for p in net.parameters() for x in p.data.ravel().tolist()]
    utils.vector_to_parameters(vector, other.parameters())
    for p, q in zip(net.parameters(), other.parameters()):
        np.testing.assert_array_equal(p.data, q.data)
    (vector * vector).sum().backward()                              # it is on the tape
    for p in net.parameters():
        np.testing.assert_allclose(p.grad.data, 2 * p.data, rtol=1e-15)


@pytest.mark.parametrize("vector", [np.ones(7), np.ones(9), np.ones((2, 4)), 1.0])
def test_a_vector_of_another_length_changes_nothing(vector):
    net = nn.Linear(3, 2)
    before = [p.data for p in net.parameters()]
    with pytest.raises(ValueError, match="for parameters of 8 elements"):
        utils.vector_to_parameters(vector, net.parameters())
    assert all(np.shares_memory(p.data, b) for p, b in zip(net.parameters(), before))


def test_no_parameters_make_no_vector():
    with pytest.raises(ValueError, match="no parameters"):
        utils.parameters_to_vector([])

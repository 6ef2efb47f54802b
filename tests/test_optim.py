"""SGD and Adam: their trajectories, their bounds under clipping, and what they ask of the hooks they run."""

import math

import numpy as np
import pytest
from optimizing import GRADIENTS, OPTIMIZERS, every_optimizer, param, train

import minigrad as mg
from minigrad import optim
from minigrad.hooks import Accumulate, ClipNorm, ClipValue, NonFinite

# ------------------------------------------------------------------------------------------- trajectories

TABLE = [
    # optimizer, clipped, after 1, 2 and 3 steps (digits as PyTorch gives them)
    ("SGD", True, [[.940000012, .920000016], [.880000013, 1.000000014], [.850000013, .960000014]]),
    ("momentum", True, [[.940000012, .920000016], [.826000024, .928000029], [.693400035, .89520004]]),
    ("Adam", True, [[.900000002, .900000001], [.800000003, .905263168], [.705818679, .887790619]]),
    ("Adam", False, [[.9, .9], [.819291225, .967380721], [.756270266, 1.018827699]]),
]


@pytest.mark.parametrize(("compat", "tolerance"), [("torch", 6e-10), (None, 1e-6)])
@pytest.mark.parametrize(("name", "clipped", "expected"), TABLE)
def test_under_clipping(name, clipped, expected, compat, tolerance):
    """Limit 1, lr 0.1, from [1, 1]; the exact coefficient differs from PyTorch's by less than 1e-6."""
    w = param([1.0, 1.0])
    opt = OPTIMIZERS[name]([w], hooks=[ClipNorm(1.0, compat=compat)] if clipped else [])
    assert np.abs(train(w, GRADIENTS, opt) - expected).max() < tolerance


@pytest.mark.parametrize(("name", "arguments"), [
    ("SGD", {"lr": 0.05}), ("SGD", {"lr": 0.05, "weight_decay": 0.1}), ("SGD", {"lr": 0.05, "momentum": 0.9}),
    ("SGD", {"lr": 0.05, "momentum": 0.8, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.05, "momentum": 0.8, "nesterov": True, "weight_decay": 0.01}),
    ("Adam", {"lr": 0.01}), ("Adam", {"lr": 0.01, "betas": (0.5, 0.9), "eps": 1e-3, "weight_decay": 0.1})])
def test_the_path_is_torch_s_also_where_gradients_are_missing(name, arguments):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(5)
    start = [rng.normal(size=shape) for shape in ((3, 2), (4,), (1, 2, 2))]
    mine = [param(a) for a in start]
    theirs = [torch.tensor(a, requires_grad=True) for a in start]
    opt, other = getattr(optim, name)(mine, **arguments), getattr(torch.optim, name)(theirs, **arguments)
    for _ in range(200):
        for p, q in zip(mine, theirs, strict=True):
            g = None if rng.random() < 0.3 else rng.normal(size=p.shape) * 10.0 ** rng.integers(-3, 3)
            p.grad, q.grad = g, None if g is None else torch.tensor(g)
        opt.step()
        other.step()
        for p, q in zip(mine, theirs, strict=True):
            assert np.abs(p.data - q.detach().numpy()).max() < 1e-12


@pytest.mark.parametrize("factor", [1e3, 1e-2])
def test_adam_ignores_a_constant_factor_and_sgd_does_not(factor):
    gradients = np.random.default_rng(0).normal(size=(200, 4))
    for name, same in (("Adam", True), ("SGD", False)):
        ends = []
        for k in (1.0, factor):
            w = param(np.zeros(4))
            ends.append(train(w, gradients * k, OPTIMIZERS[name]([w]))[-1])
        assert (np.abs(ends[0] - ends[1]).max() < 1e-5) == same


def test_clipping_matters_to_adam_after_a_spike():
    """One gradient 1000 times too large stays in the second moment: unclipped, Adam stalls for thousands of steps."""
    travelled = []
    for hooks in ([], [ClipNorm(1.0)]):
        w = param([0.0])
        path = train(w, [[1000.0 if i == 10 else 1.0] for i in range(3000)], optim.Adam([w], lr=1e-3, hooks=hooks))
        travelled.append(abs(float(path[-1, 0] - path[10, 0])))
    assert travelled[0] < 0.25
    assert travelled[1] > 2.8


# ------------------------------------------------------------------------------------------------- bounds

@pytest.mark.parametrize(("momentum", "nesterov"), [(0.0, False), (0.9, False), (0.5, False), (0.9, True)])
@pytest.mark.parametrize("limit", [0.1, 3.0])
def test_a_clipped_step_is_bounded(momentum, nesterov, limit):
    """By lr c, and lr c / (1 - momentum) with momentum, which a gradient that never turns reaches in the end."""
    rng = np.random.default_rng(7)
    bound = 0.1 * limit / (1 - momentum)
    for gradients in (rng.standard_cauchy(size=(200, 3)) * 100, np.full((200, 3), 50.0)):
        w = param(np.zeros(3))
        opt = optim.SGD([w], lr=0.1, momentum=momentum, nesterov=nesterov, hooks=[ClipNorm(limit)])
        steps = np.diff(train(w, gradients, opt), axis=0)
        lengths = np.sqrt(np.square(steps) @ np.ones(3))
        assert lengths.max() <= bound * (1 + 1e-12)
    assert lengths[-1] == pytest.approx(bound, rel=1e-8)


@pytest.mark.parametrize("n", [1, 4, 100])
@pytest.mark.parametrize("limit", [1e-3, 1.0, math.inf])
def test_adam_s_first_step_has_one_length_whatever_the_clip(limit, n):
    w = param(np.zeros(n))
    w.grad = np.random.default_rng(1).uniform(1, 2, n) * 1000
    report = optim.Adam([w], lr=0.01, hooks=[ClipNorm(limit)], trace=mg.NormTrace()).step()
    assert report.stages[-1].hook == "update"
    assert report.stages[-1].norm_out == pytest.approx(0.01 * math.sqrt(n), rel=1e-3)


# ------------------------------------------------------------------------------- missing, zero, listed twice

@every_optimizer
def test_no_gradient_means_not_touched_and_a_zero_gradient_counts(make):
    """After two steps a zero gradient still moves what has momentum; a missing one moves nothing, now or later."""
    a, b, c = (param([1.0, 1.0]) for _ in range(3))
    opt = make([a, b, c])
    for _ in range(2):
        a.grad = b.grad = c.grad = [1.0, 2.0]
        opt.step()
    held, at = b.data, a.data
    a.grad, b.grad, c.grad = [0.0, 0.0], None, [1.0, 2.0]
    opt.step()
    assert b.data is held
    assert np.array_equal(a.data, at) == (make is OPTIMIZERS["SGD"])
    b.grad = [1.0, 2.0]
    a.grad = c.grad = None
    opt.step()
    assert b.data.tobytes() == c.data.tobytes()          # as if the step in which it was missing had not been


@every_optimizer
def test_a_parameter_listed_twice_counts_once(make):
    ends = []
    for times in (1, 2):
        w = param([1.0, 1.0])
        opt = make([w] * times, hooks=[ClipNorm(1.0)])
        ends.append(train(w, GRADIENTS, opt)[-1].tobytes())
        assert opt.step().norm == 0.5
        assert len(opt.params) == 1
    assert ends[0] == ends[1]


# --------------------------------------------------------------------------------------------- the names

def test_names():
    a, b = param([1.0]), param([2.0])
    for params, names in (({"x": a, "y": b}, ["x", "y"]), ([("x", a), ("y", b)], ["x", "y"]),
                          ([a, b], ["param0", "param1"]), ((p for p in (a, b)), ["param0", "param1"]),
                          ([("x", a), ("y", b), ("z", a)], ["x", "y"]), ([("param1", a), b], ["param1", "param1#1"])):
        assert list(optim.SGD(params, lr=1.0).params) == names


USED_UP = iter([])


@pytest.mark.parametrize(("params", "error", "text"), [
    (lambda: [("x", param([1.0])), ("x", param([2.0]))], ValueError, "two parameters are named 'x'"),
    (lambda: [], ValueError, "no parameters"), (lambda: USED_UP, ValueError, "used up"),
    (lambda: param([1.0]), TypeError, "list of parameters"), (lambda: [np.ones(2)], TypeError, "ndarray"),
    (lambda: [mg.tensor([1.0])], TypeError, "fixed"), (lambda: [param([1.0]) * 2], TypeError, "no leaf")])
def test_bad_parameters(params, error, text):
    for kind in (optim.SGD, optim.Adam):
        with pytest.raises(error, match=text):
            kind(params(), lr=0.1)


@pytest.mark.parametrize("lr", [0, -0.1, math.nan, math.inf])
@pytest.mark.parametrize("kind", [optim.SGD, optim.Adam])
def test_bad_learning_rates(kind, lr):
    with pytest.raises(ValueError, match="lr"):
        kind([param([1.0])], lr=lr)
    opt = kind([param([1.0])], lr=0.5)
    with pytest.raises(ValueError, match="lr"):
        opt.lr = lr
    assert opt.lr == 0.5


@pytest.mark.parametrize(("kind", "arguments"), [
    (optim.SGD, {"momentum": 1.0}), (optim.SGD, {"momentum": -0.1}), (optim.SGD, {"weight_decay": -1}),
    (optim.SGD, {"weight_decay": math.nan}), (optim.SGD, {"nesterov": True}), (optim.Adam, {"betas": (0.9, 1.0)}),
    (optim.Adam, {"betas": (-0.1, 0.9)}), (optim.Adam, {"betas": (0.9,)}), (optim.Adam, {"eps": 0}),
    (optim.Adam, {"weight_decay": -1})])
def test_bad_settings(kind, arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        kind([param([1.0])], lr=0.1, **arguments)


@pytest.mark.parametrize("weight", [0, -1, math.nan, math.inf])
def test_a_weight_is_a_number_of_items(weight):
    w = param([1.0])
    opt = optim.SGD([w], lr=1.0)
    w.grad = [1.0]
    with pytest.raises(ValueError, match="weight"):
        opt.step(weight=weight)
    assert (w.item(), opt.micro_steps) == (1.0, 0)


# ------------------------------------------------------------------------------------------ dtypes and shapes

@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("arguments", [{}, {"weight_decay": 0.1}])
@every_optimizer
def test_dtypes_stay(make, arguments, dtype):
    w = param([1.0, 2.0], dtype)
    opt = make([w], lr=np.float64(0.1), hooks=[NonFinite(), Accumulate(2), ClipNorm(1.0), ClipValue(0.5)],
               update_hooks=[ClipNorm(0.05)], trace=mg.NormTrace(), **arguments)
    path = train(w, [[3.0, 4.0]] * 6, opt)
    assert path.dtype == w.data.dtype == dtype
    wide = np.promote_types(dtype, np.float32)          # in float16, eps and g * g would round to 0
    assert all(v.dtype == wide for held in opt.state.values() for v in held.values() if isinstance(v, np.ndarray))
    assert (w.data < [1.0, 2.0]).all()


@pytest.mark.parametrize("name", ["SGD", "momentum", "nesterov", "Adam"])
def test_a_parameter_without_axes(name):
    """It moves like one of one element."""
    ends = []
    for start in (1.0, [1.0]):
        w = param(start)
        ends.append(train(w, [np.full(w.shape, g) for g in (3.0, -1.0)], OPTIMIZERS[name]([w]))[-1].ravel())
    assert ends[0] == ends[1]


def test_zero_grad_begins_afresh():
    w = param([1.0])
    opt = optim.SGD([w], lr=1.0)
    for _ in range(2):
        opt.zero_grad()
        assert w.grad is None
        (w * 3.0).sum().backward()
        opt.step()
    assert w.item() == -5.0

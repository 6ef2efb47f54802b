"""SGD and Adam: their trajectories, their bounds under clipping, and what they ask of the hooks they run."""

import math

import numpy as np
import pytest

import minigrad as mg
from minigrad import optim
from minigrad.hooks import HOLD, SKIP, Accumulate, ClipNorm, ClipValue, NonFinite, OrderError

GRADIENTS = ([3.0, 4.0], [30.0, -40.0], [0.3, 0.4])
OPTIMIZERS = {
    "SGD": lambda params, **kw: optim.SGD(params, **{"lr": 0.1, **kw}),
    "momentum": lambda params, **kw: optim.SGD(params, **{"lr": 0.1, "momentum": 0.9, **kw}),
    "nesterov": lambda params, **kw: optim.SGD(params, **{"lr": 0.1, "momentum": 0.9, "nesterov": True, **kw}),
    "Adam": lambda params, **kw: optim.Adam(params, **{"lr": 0.1, **kw}),
}
every_optimizer = pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)


def param(values, dtype=None):
    return mg.tensor(values, dtype=dtype, requires_grad=True)


def frozen(state):
    """The state of an optimizer to the bit."""
    return {name: {key: v.tobytes() if isinstance(v, np.ndarray) else v for key, v in held.items()}
            for name, held in state.items()}


def train(w, gradients, opt):
    """Give one gradient after another; return where each step led."""
    path = []
    for g in gradients:
        w.grad = g
        opt.step()
        path.append(w.data)
    return np.array(path)


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


# ------------------------------------------------------------------------------------- what is not finite

def net(**kwargs):
    """Two parameters with names like those of a network's second layer, and an optimizer with momentum."""
    params = {"1.weight": param([1.0, 2.0]), "1.bias": param([3.0])}
    return params, optim.SGD(params, lr=0.1, momentum=0.9, **kwargs)


def give(params, weight, bias):
    params["1.weight"].grad, params["1.bias"].grad = weight, bias


@pytest.mark.parametrize("pairs", [dict, lambda d: list(d.items()), lambda d: iter(d.items())])
@pytest.mark.parametrize(("bad", "text"), [
    ([math.nan, 1.0], r"1\.weight \(1 NaN of 2\)"), ([math.inf, math.nan], r"1\.weight \(1 NaN, 1 inf of 2\)"),
    ([-math.inf, -math.inf], r"1\.weight \(2 inf of 2\)")])
def test_raise_names_the_parameter_and_touches_nothing(bad, text, pairs):
    params = {"1.weight": param([1.0, 2.0]), "1.bias": param([3.0])}
    trace = mg.NormTrace()
    opt = optim.Adam(pairs(params), lr=0.1, hooks=[NonFinite()], trace=trace)
    give(params, [1.0, 1.0], [1.0])
    opt.step()
    before = [p.data for p in params.values()]
    counters, held = (opt.updates, opt.micro_steps, opt.skipped), frozen(opt.state)
    give(params, bad, [1.0])
    with pytest.raises(FloatingPointError, match=text) as caught:
        opt.step()
    assert "1.bias" not in str(caught.value)
    assert all(p.data is a for p, a in zip(params.values(), before, strict=True))
    assert ((opt.updates, opt.micro_steps, opt.skipped), frozen(opt.state)) == (counters, held)
    first, last = trace.select(outcome="raise")        # the step that ends a run is the one to look at
    assert (first.hook, first.norm_in == math.inf or math.isnan(first.norm_in)) == ("backward", True)
    assert (last.hook, last.status, last.norm_out) == ("NonFinite", "raise", None)
    assert "1.weight" in last.reason


@every_optimizer
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_skip_advances_nothing_and_is_counted(make, bad):
    ends = []
    for gradients in (GRADIENTS, [GRADIENTS[0], [bad, 1.0], *GRADIENTS[1:], [1.0, bad]]):
        w = param([1.0, 1.0])
        opt = make([w], hooks=[NonFinite("skip"), ClipNorm(lambda step: 1.0 + step)])
        ends.append(train(w, gradients, opt)[-1].tobytes())
    assert ends[0] == ends[1]
    assert (opt.updates, opt.skipped, opt.micro_steps) == (3, 2, 5)


@pytest.mark.parametrize("most", [1, 3, 10])
def test_too_many_skips_in_a_row_raise(most):
    w = param([0.0])
    opt = optim.SGD([w], lr=1.0, hooks=[NonFinite("skip", max_consecutive=most)])
    for _ in range(2):                                                  # a good one begins the count anew
        assert [report_of(opt, w, math.nan).status for _ in range(most)] == ["skip"] * most
        assert report_of(opt, w, 1.0).status == "step"
    for _ in range(most):
        assert "param0 (1 NaN of 1)" in report_of(opt, w, math.nan).reason
    for _ in range(2):
        with pytest.raises(FloatingPointError, match=f"{most} gradients in a row"):
            report_of(opt, w, math.nan)
    assert (w.item(), opt.updates, opt.skipped) == (-2.0, 2, 3 * most)


def report_of(opt, w, g):
    w.grad = [g]
    return opt.step()


def test_zero_replaces_what_is_not_finite_alone():
    params, opt = net(hooks=[NonFinite("zero"), ClipNorm(1.0)])
    give(params, [math.nan, 3.0], [-math.inf])
    report = opt.step()
    assert params["1.weight"].tolist() == [1.0, 2.0 - 0.1]
    assert params["1.bias"].tolist() == [3.0]
    assert (report.status, report.stages[1].norm_out, report.stages[2].norm_out) == ("step", 3.0, 1.0)
    assert "1.bias (1 inf of 1)" in report.stages[1].reason


def test_propagate_lets_it_through_without_a_warning():
    params, opt = net(hooks=[NonFinite("propagate")])
    give(params, [math.nan, 3.0], [1.0])
    report = opt.step()
    assert np.isnan(params["1.weight"].data).tolist() == [True, False]
    assert (report.status, report.stages[1].reason) == ("step", "not finite: 1.weight (1 NaN of 2)")


@pytest.mark.parametrize("hooks", [[], [ClipNorm(1.0)], [Accumulate(1)]])
def test_without_a_finite_check_there_is_one_warning_and_only_one(hooks):
    params, opt = net(hooks=hooks)
    give(params, [math.nan, 3.0], None)
    with pytest.warns(RuntimeWarning, match=r"not finite at update 0, in 1\.weight") as caught:
        opt.step()
    assert len(caught) == 1
    assert caught[0].filename == __file__
    give(params, [math.nan, 3.0], None)
    opt.step()                                                          # a second warning would be an error here


def test_a_value_clip_does_not_hide_inf_where_no_finite_check_was_asked():
    params, opt = net(hooks=[ClipValue(1.0)])
    give(params, [math.inf, 0.5], [0.5])
    with pytest.warns(RuntimeWarning, match=r"1\.weight"):
        opt.step()


@pytest.mark.parametrize("arguments", [{"policy": "ignore"}, {"policy": None}, {"max_consecutive": 0}])
def test_bad_policies(arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        NonFinite(**arguments)


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
    assert all(v.dtype == dtype for held in opt.state.values() for v in held.values() if isinstance(v, np.ndarray))
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


# ----------------------------------------------------------------------------------------- any callable as a hook

def two(**kwargs):
    """Two parameters of different shapes with gradients [3, 4] and [12], none for a third, and SGD with momentum."""
    params = {"a": param([0.0, 0.0]), "b": param([0.0]), "c": param([5.0])}
    opt = optim.SGD(params, lr=1.0, momentum=0.5, **kwargs)
    params["a"].grad, params["b"].grad = [3.0, 4.0], [12.0]
    return params, opt


def doubled(grads, ctx):
    return {name: g if g is None else g * 2 for name, g in grads.items()}


class Doubled:
    def __call__(self, grads, ctx):
        return doubled(grads, ctx)


PLACES = pytest.mark.parametrize("place", ["hooks", "update_hooks"])


@PLACES
@pytest.mark.parametrize("hook", [
    doubled, Doubled(), lambda grads, ctx: doubled(grads, ctx),
    lambda grads, ctx: {name: g if g is None else (g * 2).tolist() for name, g in grads.items()},
    lambda grads, ctx: {name: g if g is None else (g * 2).astype(np.float32) for name, g in grads.items()},
    lambda grads, ctx: dict(reversed(doubled(grads, ctx).items()))])
def test_a_hook_is_any_callable_that_answers_in_kind(hook, place):
    """Lists and other dtypes are taken, the order of the names is free, and the dtype of the parameter stays."""
    params, opt = two(**{place: [hook]})
    report = opt.step()
    assert {name: p.tolist() for name, p in params.items()} == {"a": [-6.0, -8.0], "b": [-24.0], "c": [5.0]}
    assert all(p.dtype == np.float64 for p in params.values())
    assert (report.stages[1].norm_out, report.stages[1].coefficient) == (26.0, 2.0)
    assert report.stages[1].cosine == pytest.approx(1.0, abs=1e-15)


@PLACES
@pytest.mark.parametrize(("answer", "error", "text"), [
    (lambda g: None, TypeError, "returned NoneType"), (lambda g: [1, 2], TypeError, "returned list"),
    (lambda g: {"a": g["a"]}, ValueError, "other parameters than it was given: b, c"),
    (lambda g: {**g, "d": g["a"]}, ValueError, "other parameters than it was given: d"),
    (lambda g: {**g, "a": np.ones(3)}, ValueError, r"shape \(3,\) for a, whose gradient has \(2,\)"),
    (lambda g: {**g, "a": 1.0}, ValueError, r"shape \(\) for a"),
    (lambda g: {**g, "c": np.ones(1)}, ValueError, "c was given a gradient"),
    (lambda g: {**g, "a": None}, ValueError, "a lost a gradient")])
def test_an_answer_that_does_not_fit_changes_nothing(answer, error, text, place):
    def hook(grads, ctx):
        return answer(dict(grads)) if ctx.step else grads

    params, opt = two(**{place: [hook]})
    opt.step()
    before, state = [p.data for p in params.values()], frozen(opt.state)
    with pytest.raises(error, match=f"hook hook.*{text}"):
        opt.step()
    assert all(p.data is a for p, a in zip(params.values(), before, strict=True))
    assert (frozen(opt.state), opt.updates) == (state, 1)


@pytest.mark.parametrize(("hooks", "text"), [([3], "callable"), (["clip"], "callable"), ([ClipNorm], "instance")])
def test_what_is_no_hook(hooks, text):
    for place in ("hooks", "update_hooks"):
        with pytest.raises(TypeError, match=text):
            optim.SGD([param([1.0])], lr=1.0, **{place: hooks})


@pytest.mark.parametrize(("before", "given"), [
    ([], lambda grads, ctx: grads["a"]), ([], lambda grads, ctx: ctx.params["a"]),
    ([doubled], lambda grads, ctx: grads["a"])])
def test_a_hook_cannot_write_into_what_it_is_given(before, given):
    def greedy(grads, ctx):
        given(grads, ctx)[0] = 100.0
        return grads

    params, opt = two(hooks=[*before, greedy])
    with pytest.raises(ValueError, match="read-only"):
        opt.step()
    assert (params["a"].grad.tolist(), params["a"].tolist()) == ([3.0, 4.0], [0.0, 0.0])


def test_a_hook_that_changes_the_dict_it_was_given_is_measured_too():
    def in_place(grads, ctx):
        grads["a"] = grads["a"] * 10
        return grads

    params, opt = two(hooks=[in_place, ClipNorm(1.0)])
    report = opt.step()
    assert report.stages[1].norm_out == pytest.approx(math.hypot(30, 40, 12))
    assert math.hypot(*params["a"].tolist(), params["b"].item()) == pytest.approx(1.0)


def test_what_backward_left_stays_beside_what_was_applied():
    params, opt = two(hooks=[ClipNorm(1.0), doubled])
    opt.step()
    assert (params["a"].grad.tolist(), params["b"].grad.tolist()) == ([3.0, 4.0], [12.0])
    assert params["b"].item() == pytest.approx(-24 / 13)


@every_optimizer
@pytest.mark.parametrize(("verdict", "status"), [(SKIP, "skip"), (HOLD, "hold")])
@pytest.mark.parametrize("reason", ["", "it rains"])
def test_hold_and_skip_change_nothing_and_say_why(make, verdict, status, reason):
    w = param([1.0, 1.0])
    stopping = False
    opt = make([w], hooks=[lambda grads, ctx: verdict.because(reason) if stopping else grads])
    train(w, GRADIENTS, opt)
    before, state, stopping = w.data, frozen(opt.state), True
    report = opt.step()
    assert (report.status, report.reason, w.data is before, frozen(opt.state)) == (status, reason, True, state)
    assert (opt.updates, opt.held + opt.skipped, opt.micro_steps) == (3, 1, 4)


# ------------------------------------------------------------------------------------- hooks on the update

@every_optimizer
def test_an_update_hook_gets_what_would_be_added(make):
    """A clip there bounds the step itself, even Adam's."""
    w, seen = param([1.0, 1.0]), []
    opt = make([w], update_hooks=[ClipNorm(1e-3), lambda updates, ctx: seen.append(updates["param0"]) or updates])
    path = np.vstack([[1.0, 1.0], train(w, GRADIENTS, opt)])
    assert np.allclose(np.diff(path, axis=0), seen, rtol=0, atol=1e-15)
    assert [math.hypot(*step) for step in seen] == pytest.approx([1e-3] * 3, rel=1e-14)


@every_optimizer
def test_a_skipped_update_gives_the_state_back_to_the_bit(make):
    """Going on after it is as if its gradient had never come."""
    ends, states = [], []
    for gradients in (GRADIENTS, [[9.0, 9.0], GRADIENTS[0], [9.0, 9.0], *GRADIENTS[1:]]):
        w = param([1.0, 1.0])
        opt = make([w], update_hooks=[lambda updates, ctx, w=w: SKIP.because("nine") if w.grad.tolist()[0] == 9
                                      else updates])
        ends.append(train(w, gradients, opt)[-1].tobytes())
        states.append(frozen(opt.state))
    assert ends[0] == ends[1]
    assert states[0] == states[1]
    assert (opt.updates, opt.skipped) == (3, 2)


@every_optimizer
@pytest.mark.parametrize("failing", [lambda updates, ctx: HOLD, lambda updates, ctx: 1 / 0])
def test_an_update_hook_that_holds_or_fails_changes_nothing(make, failing):
    w = param([1.0, 1.0])
    opt = make([w], update_hooks=[lambda updates, ctx: updates if ctx.step < 2 else failing(updates, ctx)])
    train(w, GRADIENTS[:2], opt)
    before, state = w.data, frozen(opt.state)
    with pytest.raises((TypeError, ZeroDivisionError), match=r"HOLD|division"):
        opt.step()
    assert (w.data is before, frozen(opt.state), opt.updates) == (True, state, 2)


# ------------------------------------------------------------------------------------------------ the order

@pytest.mark.parametrize(("hooks", "text"), [
    ([ClipValue(1.0), NonFinite()], "ClipValue stands left of NonFinite"),
    ([ClipValue(1.0), doubled, ClipNorm(1.0), NonFinite("skip")], "ClipValue stands left of NonFinite"),
    ([Accumulate(2), Accumulate(2)], "Accumulate stands left of Accumulate"),
    ([Accumulate(2), ClipNorm(1.0), Accumulate(3)], "Accumulate stands left of Accumulate")])
def test_orders_that_cannot_be_meant_are_refused(hooks, text):
    assert issubclass(OrderError, ValueError)
    for place in ("hooks", "update_hooks"):
        with pytest.raises(OrderError, match=text):
            optim.SGD([param([1.0])], lr=1.0, **{place: hooks})


@pytest.mark.parametrize("hooks", [
    [NonFinite(), ClipValue(1.0)], [ClipNorm(1.0), Accumulate(2), ClipNorm(1.0)], [Accumulate(2), NonFinite()],
    [ClipNorm(1.0), NonFinite()], [NonFinite(), Accumulate(2), NonFinite(), ClipValue(1.0), ClipNorm(1.0)]])
def test_orders_that_can(hooks):
    assert list(optim.SGD([param([1.0])], lr=1.0, hooks=hooks).hooks) == hooks

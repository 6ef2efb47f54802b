"""Parameter groups: hyperparameters of their own, names across groups, and learning rates that are functions."""

import math

import numpy as np
import pytest
from optimizing import OPTIMIZERS, every_optimizer, frozen, param

import minigrad as mg
from minigrad import hooks, nn, optim

KINDS = pytest.mark.parametrize("kind", [optim.SGD, optim.Adam, optim.AdamW, optim.RMSprop, optim.Adagrad])


def two_groups(make=optim.SGD, **kwargs):
    """Two parameters in two groups, the first with lr 0.5, the second with the optimizer's 0.1."""
    a, b = param([1.0, 1.0]), param([1.0])
    opt = make([{"params": [("a", a)], "lr": 0.5}, {"params": [("b", b)]}], **{"lr": 0.1, **kwargs})
    a.grad, b.grad = [1.0, -2.0], [1.0]
    return a, b, opt


# --------------------------------------------------------------------------------------------- what a group is

def test_a_group_is_a_dict_as_in_torch():
    a, b, opt = two_groups(momentum=0.9)
    assert opt.param_groups == [
        {"params": [a], "param_names": ["a"], "lr": 0.5, "momentum": 0.9, "dampening": 0.0, "weight_decay": 0.0,
         "nesterov": False},
        {"params": [b], "param_names": ["b"], "lr": 0.1, "momentum": 0.9, "dampening": 0.0, "weight_decay": 0.0,
         "nesterov": False}]
    assert (opt.params, opt.lr, opt.defaults["lr"]) == ({"a": a, "b": b}, 0.5, 0.1)
    assert repr(opt) == "SGD(2 parameters in 2 groups, lr=0.5/0.1, hooks: no hooks)"


def test_one_list_is_one_group():
    w = param([1.0])
    opt = optim.Adam([w])
    assert [g["params"] for g in opt.param_groups] == [[w]]
    assert opt.param_groups[0].keys() == {"params", "param_names", *opt.defaults}


@every_optimizer
def test_each_group_moves_as_it_would_alone(make):
    """With lr and weight decay of its own, to the bit."""
    rng = np.random.default_rng(0)
    settings = ({"lr": 0.5, "weight_decay": 0.1}, {"lr": 0.01}, {"weight_decay": 0.3})
    together = [param([1.0, -1.0]) for _ in settings]
    alone = [param([1.0, -1.0]) for _ in settings]
    one = make([{"params": [p], **extra} for p, extra in zip(together, settings, strict=True)])
    many = [make([p], **extra) for p, extra in zip(alone, settings, strict=True)]
    for _ in range(10):
        for p, q in zip(together, alone, strict=True):
            p.grad = q.grad = rng.normal(size=2)
        one.step()
        for opt in many:
            opt.step()
    assert [p.data.tobytes() for p in together] == [p.data.tobytes() for p in alone]


@KINDS
def test_groups_as_torch_has_them(kind):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(1)
    start = [rng.normal(size=shape) for shape in ((3, 2), (4,), (2,))]

    def build(tensors, library):
        a, b, c = tensors
        opt = getattr(library, kind.__name__)([{"params": [a], "lr": 0.03}, {"params": b, "weight_decay": 0.2}],
                                              lr=0.01, weight_decay=0.05)
        opt.add_param_group({"params": [c], "eps" if "eps" in opt.defaults else "momentum": 0.5})
        return opt

    mine = [param(a) for a in start]
    theirs = [torch.tensor(a, requires_grad=True) for a in start]
    opt, other = build(mine, optim), build(theirs, torch.optim)
    keys = set(opt.param_groups[0]) - {"param_names"}
    assert keys <= set(other.param_groups[0])
    for number, (g, h) in enumerate(zip(opt.param_groups, other.param_groups, strict=True)):
        assert {k: g[k] for k in keys - {"params"}} == {k: h[k] for k in keys - {"params"}}, number
    for step in range(50):
        for p, q in zip(mine, theirs, strict=True):
            g = rng.normal(size=p.shape)
            p.grad, q.grad = g, torch.tensor(g)
        if step == 20:
            for group in (*opt.param_groups, *other.param_groups):
                group["lr"] *= 0.5
        opt.step()
        other.step()
    for p, q in zip(mine, theirs, strict=True):
        assert np.abs(p.data - q.detach().numpy()).max() < 1e-12


def test_defaults_and_positions_are_torch_s():
    torch = pytest.importorskip("torch")
    for kind in (optim.SGD, optim.Adam, optim.AdamW, optim.RMSprop, optim.Adagrad):
        theirs = getattr(torch.optim, kind.__name__)([torch.zeros(1, requires_grad=True)])
        ours = kind([param([0.0])])
        assert ours.defaults == {key: theirs.defaults[key] for key in ours.defaults}
        for arguments in ((0.5,), (0.5, *list(ours.defaults.values())[1:2])):
            theirs = getattr(torch.optim, kind.__name__)([torch.zeros(1, requires_grad=True)], *arguments)
            ours = kind([param([0.0])], *arguments)
            assert ours.defaults == {key: theirs.defaults[key] for key in ours.defaults}


def test_hooks_see_all_groups_as_one_gradient():
    """The clip is over both; the context's lr is the first group's."""
    seen = []
    a, b, opt = two_groups(hooks=[lambda grads, ctx: seen.append((list(grads), ctx.lr)) or grads, hooks.ClipNorm(1.0)])
    a.grad, b.grad = [0.0, 3.0], [4.0]
    report = opt.step()
    assert (seen, report.norm, report.lr) == ([(["a", "b"], 0.5)], 5.0, 0.5)
    assert a.data == pytest.approx([1.0, 1.0 - 0.5 * 0.6])
    assert b.data == pytest.approx([1.0 - 0.1 * 0.8])


# ------------------------------------------------------------------------------------------- names, one group each

def test_names_are_unique_across_groups():
    net = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    opt = optim.SGD([{"params": net[0].parameters(), "lr": 0.1}, {"params": net[2].parameters()}], lr=0.01)
    assert list(opt.params) == ["weight", "bias", "weight#2", "bias#3"]
    assert [p is q for p, q in zip(opt.params.values(), net.parameters(), strict=True)] == [True] * 4
    assert list(optim.SGD([{"params": [param(1.0)]}, {"params": param(2.0)}]).params) == ["param0", "param1"]
    assert list(optim.SGD([{"params": param(1.0)}]).params) == ["param0"]


@pytest.mark.parametrize(("groups", "error", "text"), [
    (lambda a, b: [{"params": [("a", a)]}, {"params": [b, a]}], ValueError, "group 1: parameter 1, 'a'.*another group"),
    (lambda a, b: [{"params": [("a", a)]}, {"params": [("a", b)]}], ValueError, "two parameters are named 'a'"),
    (lambda a, b: [{"params": [a]}, {"params": []}], ValueError, "group 1: no parameters"),
    (lambda a, b: [{"params": [a]}, b], TypeError, "some of the parameters are groups"),
    (lambda a, b: [{"params": [a]}, {"lr": 0.1}], TypeError, "group 1: a parameter group is a dict with 'params'"),
    (lambda a, b: {"params": [a], "lr": 0.1}, TypeError, "square brackets"),
    (lambda a, b: [{"params": [a], "learning_rate": 1.0}], ValueError, "'learning_rate'.*it has lr, momentum"),
    (lambda a, b: [{"params": [a]}, {"params": [b], "lr": -0.1}], ValueError, r"group 1: lr = -0\.1"),
    (lambda a, b: [{"params": [a]}, {"params": [b], "lr": math.nan}], ValueError, "group 1: lr = nan"),
    (lambda a, b: [{"params": [a]}, {"params": [b], "lr": "0.1"}], ValueError, r"group 1: lr.*'0\.1'"),
    (lambda a, b: [{"params": [a]}, {"params": [b], "momentum": 1.0}], ValueError, r"group 1: momentum = 1\.0"),
    (lambda a, b: [{"params": [a], "nesterov": True}], ValueError, "nesterov=True needs momentum"),
    (lambda a, b: [{"params": [a]}, {"params": [b * 2.0]}], TypeError, "group 1: parameter 0.*no leaf"),
    (lambda a, b: 3, TypeError, "list of tensors")])
def test_bad_groups(groups, error, text):
    a, b = param([1.0]), param([2.0])
    with pytest.raises(error, match=text):
        optim.SGD(groups(a, b), lr=0.1)


def test_a_dict_of_parameters_may_hold_one_named_params():
    w = param([1.0])
    assert list(optim.SGD({"params": w}, lr=0.1).params) == ["params"]


# ------------------------------------------------------------------------------------------------- adding a group

def test_a_group_can_be_added_in_the_middle_of_a_window():
    """What has arrived for the old parameters is kept; the new one counts from now on."""
    a, b = param([0.0]), param([0.0])
    opt = optim.SGD([a], lr=1.0, hooks=[hooks.Accumulate(2)])
    a.grad = [2.0]
    opt.step()
    opt.add_param_group({"params": [("b", b)], "lr": 0.5})
    a.grad, b.grad = [4.0], [8.0]
    assert opt.step().status == "step"
    assert (a.item(), b.item()) == (-3.0, -2.0)


@pytest.mark.parametrize("bad", [
    {"params": []}, {"params": "a"}, {"params": [1.0]}, {}, {"lr": 1.0}, {"params": [param([1.0])], "lr": -1.0},
    {"params": [param([1.0])], "momentum": 2.0}, {"params": [param([1.0])], "hooks": [1]},
    {"params": [param([1.0]), ("a", param([1.0]))]}, [param([1.0])], None])
def test_a_bad_group_changes_nothing(bad):
    _, _, opt = two_groups()
    before = [dict(g) for g in opt.param_groups], dict(opt.params)
    with pytest.raises((TypeError, ValueError)):
        opt.add_param_group(bad)
    assert ([dict(g) for g in opt.param_groups], dict(opt.params)) == before
    assert opt.step().status == "step"


# ---------------------------------------------------------------------------------- values assigned between steps

def test_lr_reads_the_first_group_and_sets_all():
    _, _, opt = two_groups()
    opt.lr = 0.25
    assert ([g["lr"] for g in opt.param_groups], opt.lr) == ([0.25, 0.25], 0.25)
    opt.param_groups[0]["lr"] = 1.0
    assert opt.lr == 1.0


def test_an_assigned_value_is_used():
    a, b, opt = two_groups()
    for g in opt.param_groups:
        g["lr"], g["momentum"] = 1.0, 0.5
    opt.step()
    opt.step()
    assert (b.item(), a.tolist()) == (1.0 - 1.0 - 1.5, [-1.5, 6.0])


@pytest.mark.parametrize(("key", "value", "text"), [
    ("lr", -0.1, r"lr = -0\.1"), ("lr", math.nan, "lr = nan"), ("lr", math.inf, "lr = inf"), ("lr", "fast", "'fast'"),
    ("lr", None, "None"), ("lr", [0.1, 0.2], "lr"), ("lr", np.array([0.1, 0.2]), "lr"), ("lr", lambda t: None, "lr"),
    ("momentum", np.zeros(2), "momentum"), ("betas", 0.9, "'betas'"),
    ("lr", lambda t: -1.0, r"group 1: lr \(a function, at 1\) = -1"),
    ("lr", lambda t: math.nan, "a function, at 1"), ("momentum", 1.0, "momentum"), ("weight_decay", -1.0, "weight"),
    ("nesterov", "yes", "nesterov"), ("dampening", 0.5, "nesterov"), ("learning_rate", 0.1, "'learning_rate'"),
    ("params", [], "changed by hand"), ("params", [param([1.0])], "add_param_group"),
    ("param_names", ["c"], "changed by hand")])
@pytest.mark.parametrize("accumulated", [False, True])
def test_a_bad_value_is_refused_when_it_is_used_and_nothing_changes(key, value, text, accumulated):
    window = hooks.Accumulate(2)
    a, b, opt = two_groups(momentum=0.9, nesterov=True, hooks=[window] if accumulated else [])
    for _ in range(3 if accumulated else 1):
        opt.step()
    group = opt.param_groups[1]
    had = group.get(key)
    before = (a.data, b.data, frozen(opt.state), opt.updates, opt.micro_steps, window.count)
    group[key] = value
    for call in (opt.step, opt.flush) if accumulated else (opt.step,):
        with pytest.raises(ValueError, match=text):
            call()
        after = (a.data, b.data, frozen(opt.state), opt.updates, opt.micro_steps, window.count)
        assert all(np.shares_memory(after[k], before[k]) for k in (0, 1))
        assert after[2:] == before[2:]
    if had is None:
        del group[key]
    else:
        group[key] = had
    assert opt.step().status == "step"


def test_what_was_taken_out_is_missed():
    _, _, opt = two_groups()
    del opt.param_groups[1]["momentum"]
    with pytest.raises(ValueError, match="group 1: 'momentum' has been taken out"):
        opt.step()
    opt.param_groups[1]["momentum"] = 0.0
    opt.param_groups.pop()
    with pytest.raises(ValueError, match="changed by hand"):
        opt.step()


def test_a_group_may_have_a_name():
    w = param([1.0])
    w.grad = [1.0]
    opt = optim.SGD([{"params": [w], "name": "head"}], lr=0.1)
    opt.param_groups[0]["initial_lr"] = 0.1
    opt.step()
    assert opt.param_groups[0]["name"] == "head"


@pytest.mark.parametrize("how", ["assigned", "given"])
@every_optimizer
def test_a_learning_rate_of_zero_freezes_a_group_and_nothing_else(make, how):
    """Its moments go on."""
    a, b = param([1.0]), param([1.0])
    opt = make([{"params": [a], **({"lr": 0.0} if how == "given" else {})}, {"params": [b]}], weight_decay=0.1)
    opt.param_groups[0]["lr"] = 0.0
    for _ in range(3):
        a.grad, b.grad = [1.0], [1.0]
        opt.step()
    assert a.item() == 1.0 > b.item()


def test_numbers_of_other_kinds_are_numbers():
    w = param([1.0], np.float32)
    opt = optim.SGD([w], lr=mg.tensor(0.5), momentum=np.float64(0.5))
    w.grad = [1.0]
    opt.param_groups[0]["lr"] = np.float64(0.25)
    opt.step()
    assert (w.dtype, w.item()) == (np.float32, 0.75)


# ------------------------------------------------------------------------------ a learning rate that is a function

@every_optimizer
def test_a_function_of_the_updates(make):
    """As if the values had been assigned, to the bit; what is held or skipped does not count."""
    rates, ends = [0.3, 0.2, 0.0, 0.1], []
    nan = [math.nan, 1.0]
    for function in (True, False):
        w, asked = param([1.0, -2.0]), []
        lr = (lambda t, asked=asked: asked.append(t) or rates[t]) if function else 1.0
        opt = make([w], lr=lr, hooks=[hooks.NonFinite("skip")])
        for t, g in enumerate(([1.0, 2.0], [3.0, -1.0], nan, [0.5, 0.5], nan, [2.0, 2.0])):
            if not function:
                opt.param_groups[0]["lr"] = rates[opt.updates]
            w.grad = g
            report = opt.step()
            assert report.lr == rates[report.step], t
        ends.append((w.data.tobytes(), frozen(opt.state)))
        assert asked == ([0, 1, 2, 2, 3, 3] if function else [])
    assert ends[0] == ends[1]


def test_a_function_in_one_group():
    a, b, opt = two_groups()
    opt.param_groups[1]["lr"] = lambda t: 1.0 / (1 + t)
    opt.step()
    opt.step()
    assert (a.tolist(), b.item()) == ([0.0, 3.0], 1.0 - 1.0 - 0.5)
    opt.lr = lambda t: 0.01 * t
    assert (opt.lr, "lr=<lambda>" in repr(opt)) == (0.02, True)


def test_a_function_that_raises_changes_nothing():
    w = param([1.0])
    w.grad = [1.0]
    opt = optim.SGD([w], lr=lambda t: 1 / t)
    with pytest.raises(ZeroDivisionError):
        opt.step()
    assert (w.item(), opt.updates, opt.micro_steps) == (1.0, 0, 0)


def test_an_optimizer_of_your_own_needs_propose_alone():
    class Signs(optim.Optimizer):
        def __init__(self, params, lr=0.1, power=0.0, **kwargs):
            super().__init__(params, {"lr": lr, "power": power}, **kwargs)

        def propose(self, p, g, state, options):
            return -options["lr"] * np.sign(g) * np.abs(g) ** options["power"], state

    a, b = param([1.0]), param([1.0])
    opt = Signs([{"params": [a]}, {"params": [b], "power": 1.0}], lr=0.5)
    a.grad, b.grad = [-4.0], [-4.0]
    opt.step()
    assert (a.item(), b.item(), opt.state) == (1.5, 3.0, {})
    with pytest.raises(TypeError, match="'lr' among them"):
        optim.Optimizer([a], {"power": 1.0})


def test_the_table_of_optimizers_knows_all():
    kinds = {type(make([param([1.0])])).__name__ for make in OPTIMIZERS.values()}
    assert kinds == {name for name in optim.__all__ if name not in ("Optimizer", "lr_scheduler")}

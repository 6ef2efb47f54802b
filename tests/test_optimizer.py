"""The frame of the optimizers: what a step takes, what it refuses, whose hooks it runs, and what can be copied."""

import copy
import gc
import math
import pickle
import weakref

import numpy as np
import pytest
from optimizing import GRADIENTS, OPTIMIZERS, every_optimizer, frozen, param, train

import minigrad as mg
from minigrad import nn, optim
from minigrad.hooks import SKIP, Accumulate, ClipNorm, NonFinite

KINDS = pytest.mark.parametrize("kind", [optim.SGD, optim.Adam, optim.AdamW, optim.RMSprop, optim.Adagrad])

# ------------------------------------------------------------------------------------------ whose hook it is

def held_gradient(hook, g):
    """A net of one weight, made and dropped; returns what one held step made of it."""
    w = param([0.0])
    opt = optim.SGD([w], lr=1.0, hooks=[hook])
    w.grad = [g]
    return opt.step().status, w.item()


def test_a_half_window_does_not_go_into_another_net():
    """The function runs twice; the second run must not see the first one's gradient."""
    hook = Accumulate(2)
    assert held_gradient(hook, 100.0) == ("hold", 0.0)
    assert hook.count == 1
    gc.collect()
    assert held_gradient(hook, 1.0) == ("hold", 0.0)


def test_skips_in_a_row_are_counted_per_optimizer():
    hook = NonFinite("skip", max_consecutive=1)
    for _ in range(3):
        assert held_gradient(hook, math.nan)[0] == "skip"
        gc.collect()


def test_a_hook_that_was_put_away_is_free_and_begins_afresh():
    hook, (a, b) = Accumulate(2), (param([0.0]), param([0.0]))
    first = optim.SGD([a], lr=1.0, hooks=[hook])
    a.grad = [100.0]
    first.step()
    with pytest.raises(ValueError, match=r"Accumulate\(2\) already belongs to another optimizer"):
        optim.SGD([b], lr=1.0, hooks=[hook])
    assert hook.count == 1                                      # the refusal forgot nothing
    first.hooks = [hook, ClipNorm(1.0)]                         # its own it may be given again, and keeps the window
    assert hook.count == 1
    first.hooks = []
    second = optim.SGD([b], lr=1.0, hooks=[hook])
    assert hook.count == 0
    with pytest.raises(ValueError, match="already belongs"):
        first.hooks = [hook]
    assert list(first.hooks) == []
    assert list(second.hooks) == [hook]


def test_a_state_that_was_loaded_before_the_first_optimizer_goes_on():
    source, hook, w = Accumulate(2), Accumulate(2), param([0.0])
    held_gradient(source, 3.0)
    hook.load_state_dict({**source.state_dict(), "sums": {"param0": np.array([3.0])}})
    opt = optim.SGD([w], lr=1.0, hooks=[hook])
    w.grad = [5.0]
    assert (opt.step().status, w.item()) == ("step", -4.0)


class Counter:
    """A hook with a state but no way to forget it, and with no room for anything else."""

    __slots__ = ("calls",)

    def __init__(self):
        self.calls = 0

    def __call__(self, grads, ctx):
        self.calls += 1
        return grads

    def state_dict(self):
        return {"calls": self.calls}

    def load_state_dict(self, state):
        self.calls = state["calls"]

    def __eq__(self, other):
        return isinstance(other, Counter)

    __hash__ = None


class Referred(Counter):
    __slots__ = ("__weakref__",)


@pytest.mark.parametrize("kind", [Counter, Referred])
def test_a_hook_with_slots_and_without_a_hash_serves_one_optimizer(kind):
    hook, w = kind(), param([0.0])
    opt = optim.SGD([w], lr=1.0, hooks=[hook])
    train(w, [[1.0]], opt)
    optim.SGD([param([0.0])], lr=1.0, hooks=[kind()])           # another one that is equal is another one
    with pytest.raises(ValueError, match="already belongs"):
        optim.SGD([param([0.0])], lr=1.0, hooks=[hook])
    del opt
    gc.collect()
    with pytest.raises(ValueError, match=r"served before; make a second one, or give it a method reset\(\)"):
        optim.SGD([param([0.0])], lr=1.0, hooks=[hook])
    assert hook.calls == 1


def test_no_hook_is_kept_alive():
    hook = Accumulate(2)
    held_gradient(hook, 1.0)
    gone = weakref.ref(hook)
    del hook
    gc.collect()
    assert gone() is None


# --------------------------------------------------------------------------------------------- copies

@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("how", ["pickle", "deepcopy"])
def test_a_copy_goes_on_to_the_bit(how, name):
    w = param([1.0, -2.0])
    opt = OPTIMIZERS[name]([("w", w)], hooks=[NonFinite("skip"), Accumulate(2), ClipNorm(1.0)])
    train(w, GRADIENTS, opt)                                    # ends in the middle of a window
    other = pickle.loads(pickle.dumps(opt)) if how == "pickle" else copy.deepcopy(opt)
    v = other.params["w"]
    assert v is not w
    assert other.hooks[1] is not opt.hooks[1]
    for one, its in ((w, opt), (v, other)):
        train(one, GRADIENTS, its)
    assert w.data.tobytes() == v.data.tobytes()
    assert frozen(opt.state) == frozen(other.state)


def test_a_copy_owns_its_hooks():
    opt = optim.Adam([param([1.0])], hooks=[NonFinite("skip")])
    other = copy.deepcopy(opt)
    other.hooks = list(other.hooks)
    with pytest.raises(ValueError, match="already belongs"):
        optim.Adam([param([1.0])], hooks=list(other.hooks))
    with pytest.raises(ValueError, match="already belongs"):
        copy.copy(opt)                                          # the two would share a window


# ------------------------------------------------------------------------------------------ all or nothing

class Wrong(optim.Optimizer):
    """Proposes what it is told for the second parameter."""

    answer = None

    def __init__(self, params, lr=1.0, **kwargs):
        super().__init__(params, {"lr": lr}, **kwargs)

    def propose(self, p, g, state, options):
        return (-g, {"seen": 1}) if p.size == 2 else self.answer(g)


@pytest.mark.parametrize(("answer", "error", "text"), [
    (lambda g: (np.ones(2), None), ValueError, r"shape \(2,\) and dtype float64.*parameter's shape, \(3,\)"),
    (lambda g: (np.float64(1.0), None), ValueError, r"shape \(\)"),
    (lambda g: (np.ones(3, int), None), ValueError, "dtype int64.*of kind float64"),
    (lambda g: (g * 1j, None), ValueError, "dtype complex128"),
    (lambda g: (mg.tensor(g), None), ValueError, "a Tensor of shape"),
    (lambda g: g, TypeError, r"return \(update, new state\)"), (lambda g: None, TypeError, "not None"),
    (lambda g: ([1.0, 2.0, 3.0], None), TypeError, "an array and a dict or None")])
@pytest.mark.parametrize("kwargs", [{}, {"update_hooks": [lambda updates, ctx: updates]}])
def test_a_wrong_proposal_changes_nothing(answer, error, text, kwargs):
    a, b = param([1.0, 2.0]), param([1.0, 2.0, 3.0])
    opt = Wrong([("a", a), ("b", b)], **kwargs)
    opt.answer = answer
    a.grad, b.grad = [1.0, 1.0], [1.0, 1.0, 1.0]
    with pytest.raises(error, match=f"^Wrong.propose, parameter b: .*{text}"):
        opt.step()
    assert (a.tolist(), b.tolist(), opt.state, opt.updates) == ([1.0, 2.0], [1.0, 2.0, 3.0], {}, 0)
    opt.answer = lambda g: (-g, None)
    opt.step()
    assert (a.tolist(), b.tolist(), opt.state) == ([0.0, 1.0], [0.0, 1.0, 2.0], {"a": {"seen": 1}})


def test_an_optimizer_without_propose_says_so():
    class Empty(optim.Optimizer):
        def __init__(self, params):
            super().__init__(params, {"lr": 0.1})

    w = param([1.0])
    w.grad = [1.0]
    with pytest.raises(NotImplementedError, match=r"Empty has no propose\(self, p, g, state, options\)"):
        Empty([w]).step()


class Smoothing:
    """Counts what it has seen; an update hook with a state."""

    def __init__(self):
        self.seen = 0

    def __call__(self, updates, ctx):
        self.seen += 1
        return updates

    def state_dict(self):
        return {"seen": self.seen}

    def load_state_dict(self, state):
        self.seen = state["seen"]


def test_an_update_that_is_skipped_was_not_seen_by_the_hooks_to_the_left():
    """What skips keeps its own count, or NonFinite would skip for ever."""
    before, left, right, check = Smoothing(), Smoothing(), Smoothing(), NonFinite("skip", max_consecutive=2)
    w, statuses = param([0.0]), []
    opt = optim.SGD([("w", w)], lr=1.0, hooks=[before], update_hooks=[
        left, lambda updates, ctx: {"w": updates["w"] * (math.nan if ctx.step else 1.0)}, check, right])
    w.grad = [1.0]
    for _ in range(3):
        statuses.append(opt.step().status)
    assert statuses == ["step", "skip", "skip"]
    assert (left.seen, right.seen, check.consecutive, before.seen) == (1, 1, 2, 3)
    with pytest.raises(FloatingPointError, match="2 gradients in a row"):
        opt.step()
    assert (left.seen, right.seen, check.consecutive, before.seen) == (1, 1, 2, 3)


def test_update_hooks_are_undone_when_the_sum_overflows():
    """After the last hook, when the update is added."""
    seen, w = Smoothing(), param([1.7e308])
    opt = optim.SGD([w], lr=1e308, update_hooks=[seen])
    w.grad = [-1.0]
    with np.errstate(over="raise"), pytest.raises(FloatingPointError):
        opt.step()
    assert (seen.seen, w.item(), opt.updates) == (0, 1.7e308, 0)


def test_a_window_is_flushed_after_a_group_was_added():
    a, b = param([0.0]), param([5.0])
    opt = optim.SGD([("a", a)], lr=1.0, hooks=[Accumulate(4), ClipNorm(1.0)])
    a.grad = [3.0]
    opt.step()
    opt.add_param_group({"params": [("b", b)]})
    b.grad = [1.0]
    assert opt.flush().status == "step"
    assert (a.item(), b.item()) == (-1.0, 5.0)


# ------------------------------------------------------------------------------ frozen, and without gradients

@KINDS
def test_a_frozen_backbone_may_be_among_the_parameters(kind):
    net = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    for p in net[0].parameters():
        p.requires_grad = False
    opt = kind(net.parameters(), lr=0.1)
    before = [p.tolist() for p in net.parameters()]
    net(np.ones((4, 2))).sum().backward()
    assert opt.step().status == "step"
    moved = [p.tolist() != was for p, was in zip(net.parameters(), before, strict=True)]
    assert moved == [False, False, True, True]
    for p in net[0].parameters():                               # and thawed, as in PyTorch
        p.requires_grad = True
    net(np.ones((4, 2))).sum().backward()
    opt.step()
    assert net[0].weight.tolist() != before[0]


def standing(w, opt):
    windows = [(hook.count, hook.weights) for hook in opt.hooks if isinstance(hook, Accumulate)]
    return w.tolist(), frozen(opt.state), opt.updates, opt.held, opt.lr, windows


@pytest.mark.parametrize("hooks", [[], [ClipNorm(1.0)], [NonFinite("skip"), Accumulate(2)]])
@every_optimizer
def test_a_step_without_any_gradient_is_none_at_all(make, hooks):
    """No slot of a window, no update, no moments, no schedule; and one warning, that backward was forgotten."""
    w, trace = param([1.0, -2.0]), mg.NormTrace()
    opt = make([w], hooks=copy.deepcopy(hooks), trace=trace)
    schedule = optim.lr_scheduler.ExponentialLR(opt, 0.5)
    train(w, GRADIENTS, opt)
    schedule.step()
    had = standing(w, opt)
    opt.zero_grad()
    with pytest.warns(RuntimeWarning, match=r"step\(\): no parameter has a gradient; call loss.backward\(\) first"
                      ) as caught:
        report = opt.step()
    assert (len(caught), caught[0].filename) == (1, __file__)
    assert (report.status, report.reason, report.norm) == ("skip", "no parameter has a gradient", 0.0)
    opt.step()                                                  # a second warning would be an error here
    schedule.step()
    assert standing(w, opt) == had
    assert (opt.skipped, opt.micro_steps) == (2, 5)
    assert [(row.hook, row.missing) for row in trace.select(outcome="skip")] == [("backward", 1)] * 2
    w.grad = [1.0, 1.0]
    assert opt.step().status == "step"                          # the window, if any, goes on where it stood


def test_zero_grad_to_zeros():
    a, b = param([1.0, 2.0], np.float32), param([3.0])
    opt = optim.SGD([a, b], lr=0.1, weight_decay=0.5)
    a.grad = [1.0, 1.0]
    opt.zero_grad(set_to_none=False)
    assert (a.grad.tolist(), a.grad.dtype, b.grad) == ([0.0, 0.0], np.float32, None)
    opt.step()
    assert a.tolist() == pytest.approx([0.95, 1.9])             # a gradient of zero counts
    opt.zero_grad(set_to_none=True)
    assert a.grad is None
    with pytest.raises(ValueError, match="set_to_none"):
        opt.zero_grad(None)


# ---------------------------------------------------------------------------------------- what PyTorch's programs say

def test_a_closure_is_called_first_with_gradients_recorded():
    w, trace = param([3.0]), mg.NormTrace()
    opt = optim.SGD([w], lr=0.25, hooks=[Accumulate(2)], trace=trace)

    def closure():
        opt.zero_grad()
        loss = (w * w).sum()
        loss.backward()
        return loss

    reports = []
    with mg.no_grad():
        for items in (1, 3):
            reports.append(opt.step(closure, weight=items))
    assert [(r.status, r.loss, r.weight) for r in reports] == [("hold", 9.0, 1.0), ("step", 9.0, 3.0)]
    assert w.item() == 1.5
    assert opt.step(closure=lambda: None).loss is None


def test_a_closure_that_raises_changes_nothing():
    w = param([3.0])
    opt = optim.SGD([w], lr=0.25)
    w.grad = [1.0]
    with pytest.raises(ZeroDivisionError):
        opt.step(lambda: 1 / 0)
    assert (w.item(), opt.micro_steps) == (3.0, 0)


@pytest.mark.parametrize("arguments", [
    {"closure": 4}, {"closure": mg.tensor(4.0)}, {"closure": lambda: 1.0, "loss": 2.0}])
def test_what_is_no_closure(arguments):
    w = param([1.0])
    w.grad = [1.0]
    with pytest.raises(TypeError, match=r"step\(closure\): a function that returns the loss.*step\(weight="):
        optim.SGD([w], lr=1.0).step(**arguments)
    assert w.item() == 1.0


@KINDS
def test_keywords_of_torch(kind):
    paths = []
    for extras in ({}, {"foreach": None, "fused": False, "capturable": False, "differentiable": False},
                   {"foreach": True, "maximize": False}):
        w = param([1.0, -2.0])
        paths.append(train(w, GRADIENTS, kind([w], lr=0.1, **extras)).tobytes())
    assert len(set(paths)) == 1
    for extras, error, text in (
            ({"differentiable": True}, ValueError, f"{kind.__name__}: differentiable=True is left out.*mg.grad"),
            ({"foreach": "yes"}, ValueError, "foreach = 'yes'"), ({"maximize": 1}, ValueError, "maximize = 1"),
            ({"learning_rate": 0.1}, TypeError,
             f"{kind.__name__} has no keyword 'learning_rate'; it has params, lr, .*weight_decay.*hooks.*maximize")):
        with pytest.raises(error, match=text):
            kind([param([1.0])], **extras)


@pytest.mark.parametrize("decay", [0.0, 0.3])
@KINDS
def test_maximize_is_torch_s(kind, decay):
    torch = pytest.importorskip("torch")
    rng, start = np.random.default_rng(0), [1.0, -2.0]
    w, v = param(start), torch.tensor(start, dtype=torch.float64, requires_grad=True)
    opt = kind([w], lr=0.1, weight_decay=decay, maximize=True)
    other = getattr(torch.optim, kind.__name__)([v], lr=0.1, weight_decay=decay, maximize=True)
    for _ in range(20):
        g = rng.normal(size=2)
        w.grad, v.grad = g, torch.tensor(g)
        opt.step()
        other.step()
    assert w.data == pytest.approx(v.detach().numpy(), rel=1e-12)
    assert w.grad.tolist() == g.tolist()


def test_hooks_see_the_gradient_and_not_its_negative():
    seen, w = [], param([0.0])
    opt = optim.SGD([w], lr=0.5, maximize=True, hooks=[lambda grads, ctx: seen.append(grads["param0"][0]) or grads],
                    update_hooks=[lambda updates, ctx: SKIP if ctx.micro_step else updates])
    w.grad = [4.0]
    assert [opt.step().status, opt.step().status] == ["step", "skip"]
    assert (seen, w.item()) == ([4.0, 4.0], 2.0)

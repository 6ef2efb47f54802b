"""What a hook answers where it is called by another: a dict, whatever the pipeline spares itself."""

import copy
import math
import pickle

import numpy as np
import pytest
from optimizing import param

from minigrad import optim
from minigrad.hooks import AutoClip, ClipAverage, ClipNorm, Context, ZClip, apply_hooks
from minigrad.hooks.lengths import Scaled
from minigrad.norms import norm

GRADS = {"a": np.array([3.0, 4.0]), "b": None, "c": np.array([[0.0, 12.0]])}
HALVED = {"a": np.array([1.5, 2.0]), "b": None, "c": np.array([[0.0, 6.0]])}


def primed(hook, **memory):
    for name, value in memory.items():
        setattr(hook, name, value)
    return hook


CLIPS = {               # all but the last halve GRADS, whose norm is 13
    "ClipNorm": lambda: ClipNorm(6.5), "inf": lambda: ClipNorm(6.0, p=math.inf),
    "AutoClip": lambda: primed(AutoClip(50), norms=np.zeros(1)),
    "ClipAverage": lambda: primed(ClipAverage(1.0, warmup=1), norms=np.full(1, 6.5)),
    "ZClip": lambda: primed(ZClip(), mean=6.0, deviation=1.0),
}


def context(grads):
    return Context(step=0, micro_step=0, weight=1.0, lr=1.0, params={}, norm=norm(grads.values()),
                   stage=apply_hooks_stage())


def apply_hooks_stage():
    """Return the record of a stage, as a hook finds it in its context."""
    found = []
    apply_hooks([lambda grads, ctx: found.append(ctx.stage) or grads], GRADS)
    return found[0]


def same(got, expected):
    assert type(got) is dict
    assert got.keys() == expected.keys()
    for name, g in expected.items():
        assert (got[name] is None) == (g is None)
        np.testing.assert_allclose(got[name], g, rtol=1e-12) if g is not None else None


USES = {
    "as it is": lambda out: out, "or": lambda out: out | {}, "or from the left": lambda out: {} | out,
    "dict": dict, "stars": lambda out: {**out}, "copy": copy.copy, "deepcopy": copy.deepcopy,
    "pickle": lambda out: pickle.loads(pickle.dumps(out)), "items": lambda out: dict(out.items()),
    "its own copy": lambda out: out.copy(), "a key set": lambda out: out.__setitem__("b", None) or out,
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
@pytest.mark.parametrize("make", [CLIPS[name] for name in list(CLIPS)[:-1]])
def test_a_clip_called_by_hand_answers_with_a_dict(make, use):
    same(use(make()(dict(GRADS), context(GRADS))), HALVED)


@pytest.mark.parametrize("make", CLIPS.values(), ids=CLIPS)
def test_called_inside_another_hook_it_is_what_it_is_in_a_list(make):
    outer, inner = make(), make()
    alone = apply_hooks([outer], GRADS)
    assert norm(alone.values()) < 13
    same(apply_hooks([lambda grads, ctx: inner(grads, ctx) | {}], GRADS), alone)


def test_what_it_answers_may_be_written_to():
    out = ClipNorm(6.5)(dict(GRADS), context(GRADS))
    out["a"] *= 2
    np.testing.assert_allclose(out["a"], [3.0, 4.0])
    np.testing.assert_array_equal(GRADS["a"], [3.0, 4.0])


class Doubling(ClipNorm):
    def __call__(self, grads, ctx):
        return {name: g if g is None else 2 * g for name, g in (super().__call__(grads, ctx) | {}).items()}


@pytest.mark.parametrize("through", [lambda hook: apply_hooks([hook], GRADS), lambda hook: hook(GRADS, context(GRADS))])
def test_a_subclass_with_a_call_of_its_own_is_called(through):
    same(through(Doubling(6.5)), {name: g for name, g in GRADS.items()})


def test_the_optimizer_is_spared_the_products(monkeypatch):
    """Where a clip is the last hook, 200 arrays need not be written and read again."""
    formed = []
    monkeypatch.setattr(Scaled, "data", property(lambda self: formed.append(1) or {
        name: None if g is None else g * self.factor for name, g in self.arrays.items()}))

    def step(hooks):
        w = param([0.0, 0.0])
        w.grad = [3.0, 4.0]
        optim.SGD([w], lr=1.0, hooks=hooks).step()
        return w.tolist()

    assert step([ClipNorm(2.5)]) == [-1.5, -2.0]
    assert not formed
    assert step([lambda grads, ctx: ClipNorm(2.5)(grads, ctx)]) == [-1.5, -2.0]
    assert formed

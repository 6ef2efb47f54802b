"""What must stay as it is: parameters and moments in a held step, those without a gradient, those that are tied."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optimizing import every_optimizer, frozen, param

import minigrad as mg
from minigrad import nn, optim
from minigrad.hooks import HOLD, SKIP, Accumulate, ClipNorm, NonFinite

QUICK = settings(max_examples=100, deadline=None, derandomize=True, database=None)
tame = st.lists(st.floats(-1e3, 1e3, width=32), min_size=2, max_size=2).map(np.array)


@every_optimizer
@given(steps=st.lists(st.tuples(tame, st.sampled_from(["pass", "pass", "hold", "skip", "NaN"])), max_size=12))
@settings(QUICK, max_examples=40)
def test_a_step_that_is_held_or_skipped_changes_nothing_to_the_bit(make, steps):
    """Neither parameters nor moments nor t; and the run is that of the windows' means alone."""
    verdicts, every = {"hold": HOLD, "skip": SKIP}, lambda step: 1 + step % 3
    w, alone, window = param([1.0, -2.0]), param([1.0, -2.0]), []
    opt = make([w], weight_decay=0.1, hooks=[NonFinite("skip", max_consecutive=99),
                                             lambda grads, ctx: verdicts.get(kind, grads), Accumulate(every)])
    other = make([alone], weight_decay=0.1)
    for g, kind in steps:
        array, state = w.data, frozen(opt.state)
        w.grad = np.array([g[0], math.nan]) if kind == "NaN" else g
        status = opt.step().status
        if kind == "pass":
            window.append(g)
        if kind == "pass" and len(window) == every(other.updates):
            alone.grad = sum(window) / len(window)
            other.step()
            window.clear()
            assert status == "step"
        else:
            assert status == {"pass": "hold", "NaN": "skip"}.get(kind, kind)
            assert np.shares_memory(w.data, array)
            assert frozen(opt.state) == state
        assert (w.data.tobytes(), frozen(opt.state)) == (alone.data.tobytes(), frozen(other.state))


# The patterns: which of three parameters have a gradient in each step.
patterns = st.lists(st.tuples(tame, st.tuples(st.booleans(), st.booleans(), st.booleans())), min_size=1, max_size=12)


@every_optimizer
@given(steps=patterns)
@settings(QUICK, max_examples=40)
def test_a_parameter_without_a_gradient_is_left_alone(make, steps):
    """Each parameter goes the way it would go alone with the gradients it got: place, moments and t."""
    steps = [step for step in steps if any(step[1])]
    params = {name: param([1.0, -2.0]) for name in "abc"}
    opt = make(params, weight_decay=0.1)
    for g, present in steps:
        for p, there in zip(params.values(), present):
            p.grad = g if there else None
        opt.step()
    for i, (name, p) in enumerate(params.items()):
        alone = param([1.0, -2.0])
        other = make({name: alone}, weight_decay=0.1)
        for g, present in steps:
            if present[i]:
                alone.grad = g
                other.step()
        assert p.data.tobytes() == alone.data.tobytes()
        assert frozen(opt.state).get(name) == frozen(other.state).get(name)


@given(x=st.lists(st.floats(-2, 2, width=16), min_size=3, max_size=3), limit=st.floats(0.01, 10))
@QUICK
def test_a_shared_module_counts_once(x, limit):
    """Used twice in a net it has one gradient, the sum over its uses, one share of the norm and one update."""
    layer = nn.Linear(3, 3, rng=np.random.default_rng(1))
    twice, ends = nn.Sequential(layer, nn.Tanh(), layer), []
    begin = {name: p.data.copy() for name, p in layer.named_parameters()}
    for listed in (list(twice.parameters()), list(layer.parameters()) * 3):
        for name, p in layer.named_parameters():
            p.data, p.grad = begin[name], None
        opt = optim.Adam(listed, lr=0.1, hooks=[ClipNorm(limit)])
        assert len(opt.params) == 2
        (twice(mg.tensor(np.array([x]))) ** 2).sum().backward()
        report = opt.step()
        length = math.hypot(*np.concatenate([p.grad.data.ravel() for p in layer.parameters()]))
        assert report.norm == pytest.approx(length, rel=1e-14, abs=0)
        ends.append([p.data.tobytes() for p in layer.parameters()])
    assert ends[0] == ends[1]


def test_a_hook_that_writes_into_a_gradient_is_told_how_not_to():
    def halve(grads, ctx):
        grads["param0"] *= 0.5
        return grads

    w = param([1.0, 2.0])
    opt = optim.SGD([w], lr=1.0, hooks=[halve])
    w.grad = [4.0, 4.0]
    with pytest.raises(ValueError, match=r"hook halve writes into a gradient.*read-only.*return new arrays"):
        opt.step()
    assert (w.tolist(), w.grad.tolist()) == ([1.0, 2.0], [4.0, 4.0])


def test_the_default_generator_can_be_put_back(tmp_path):
    mg.manual_seed(5)
    mg.randn(3)
    mg.save({"rng": mg.get_rng_state()}, tmp_path / "run")
    drawn = [mg.randn(4).tolist(), mg.rand(2).tolist()]
    mg.manual_seed(6)
    before = mg.get_rng_state()
    for bad in (None, {}, {**before, "bit_generator": "MT19937"}):
        with pytest.raises(ValueError, match="get_rng_state"):
            mg.set_rng_state(bad)
        assert mg.get_rng_state() == before
    mg.set_rng_state(mg.load(tmp_path / "run")["rng"])
    assert [mg.randn(4).tolist(), mg.rand(2).tolist()] == drawn

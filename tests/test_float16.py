"""Runs in float16, forward and backward: where gradients vanish or overflow, and loss scaling; PyTorch's scaler."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optimizing import param

from minigrad import nn, optim
from minigrad.hooks import Accumulate, LossScaler, NonFinite, Unscale, apply_hooks

QUICK = settings(max_examples=100, deadline=None, derandomize=True, database=None)
SEEDS = range(5)
SHAPES = {"w1": (4, 16), "w2": (16, 16), "w3": (16, 1)}
VOLTS, MILLIVOLTS = 1e-4, 64.0


def fit(seed, dtype, scaler=None, *, unit, steps=200):
    """Fit sin(x a), measured in ``unit``, by a tanh net computed in ``dtype``, with master weights and loss in float32.

    Returns:
        the loss in units squared per step, the reports, the gradients of the first step as backward left them.
    """
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(64, 4))
    y = np.float32(unit) * np.sin(x @ rng.normal(size=(4, 1))).astype(np.float32)
    params = {name: param(rng.normal(size=shape) / math.sqrt(shape[0]), np.float32) for name, shape in SHAPES.items()}
    hooks = [NonFinite()] if scaler is None else [Unscale(scaler), NonFinite("skip")]
    # Adam, as its steps are as long in any unit; an eps that is small beside gradients of 1e-10.
    opt = optim.Adam(params, lr=0.01, eps=1e-20, hooks=hooks)
    losses, reports, first = [], [], None
    for _ in range(steps):
        opt.zero_grad()
        w1, w2, w3 = (p.astype(dtype) for p in params.values())
        out = np.tanh(np.tanh(x.astype(dtype) @ w1) @ w2) @ w3
        assert out.dtype == dtype
        loss = ((out.astype(np.float32) * unit - y) ** 2).mean()
        with np.errstate(over="ignore", invalid="ignore"):
            (loss if scaler is None else scaler.scale(loss)).backward()
        first = first or {name: p.grad.data for name, p in params.items()}
        reports.append(opt.step())
        losses.append(loss.item() / unit ** 2)
    return losses, reports, first


def test_gradients_that_vanish_in_float16_and_a_scale_that_saves_them():
    """Errors of 1e-4 V give gradients of 1e-9: all 0 in float16, at every step, and the net stays as it was.

    With a dynamic scale it ends where float32 ends, within a few per cent.
    """
    stuck = learned = 0
    for seed in SEEDS:
        plain, _, lost = fit(seed, np.float16, unit=VOLTS)
        scaler = LossScaler(interval=20)
        scaled, reports, kept = fit(seed, np.float16, scaler, unit=VOLTS)
        full, *_ = fit(seed, np.float32, unit=VOLTS)
        assert full[-1] < 0.02 < 0.5 < full[0]
        assert all(not g.any() for g in lost.values())
        assert sum(np.count_nonzero(g) for g in kept.values()) > 0.99 * sum(g.size for g in kept.values())
        assert scaler.value == 65536.0 * 2 ** 10                              # 200 steps, and none that overflowed
        assert {r.status for r in reports} == {"step"}
        stuck += plain[-1] == plain[0]
        learned += abs(scaled[-1] / full[-1] - 1) < 0.1
    assert stuck == len(SEEDS)
    assert learned >= len(SEEDS) - 1


def test_gradients_that_overflow_in_float16_and_a_scale_that_finds_its_way_down():
    """In millivolts gradients are some 1000, and inf or NaN in float16 at scale 65536.  It goes down to where they fit.

    From there on it learns as float32 does; compared after as many updates, within a few per cent.
    """
    learned = 0
    for seed in SEEDS:
        scaler = LossScaler(interval=50)
        scaled, reports, first = fit(seed, np.float16, scaler, unit=MILLIVOLTS)
        full, *_ = fit(seed, np.float32, unit=MILLIVOLTS)
        statuses = [r.status for r in reports]
        begun = statuses.index("step")
        assert not all(np.isfinite(g).all() for g in first.values())
        assert 10 <= begun <= 14
        assert statuses[:begun] == ["skip"] * begun
        assert reports[0].reason.startswith("not finite at scale 65536: w1 (64 NaN of 64)")
        assert reports[begun].stages[1].extra["scale"] == 2.0 ** (16 - begun)
        assert scaled[0] == scaled[begun]                                     # nothing moves before
        assert statuses[begun:].count("skip") <= 3
        learned += scaled[-1] < 0.02 and abs(scaled[-1] / full[-1 - statuses[:-1].count("skip")] - 1) < 0.1
    assert learned >= len(SEEDS) - 1


def test_the_same_with_a_static_scale_ends_in_an_error():
    with pytest.raises(FloatingPointError, match=r"10 gradients in a row .* w1 \("):
        fit(0, np.float16, LossScaler(65536, dynamic=False), unit=MILLIVOLTS)


def test_a_static_scale_that_was_well_chosen_trains_too():
    losses, reports, _ = fit(0, np.float16, LossScaler(2.0 ** 20, dynamic=False), unit=VOLTS)
    assert losses[-1] < 0.02
    assert {r.status for r in reports} == {"step"}


def test_gradients_of_a_deep_chain_vanish_layer_by_layer():
    """A tanh chain with Var(W) = 0.49 / n loses about half of the gradient per layer; below 3e-8 float16 has only 0."""
    depth, width, shares = 26, 16, {}
    for name, scale in (("float16", 1.0), ("scaled", 65536.0)):
        rng = np.random.default_rng(0)
        ws = [param(rng.normal(size=(width, width)) * 0.7 / math.sqrt(width), np.float32) for _ in range(depth)]
        scaler, h = LossScaler(scale), rng.normal(size=(8, width)).astype(np.float16)
        for w in ws:
            h = np.tanh(h @ w.astype(np.float16) + np.float16(0.5))
        scaler.scale((h.astype(np.float32) ** 2).mean()).backward()
        grads = apply_hooks([Unscale(scaler)], {str(i): w.grad.data for i, w in enumerate(ws)})
        shares[name] = np.array([np.mean(g == 0) for g in grads.values()])
    assert shares["float16"][:5].min() > 0.9
    assert shares["float16"][-5:].max() == 0.0
    assert shares["scaled"].max() < 0.01


# ------------------------------------------------------------------------------------------ nets of float16

@pytest.mark.parametrize("make", [
    lambda params, **kw: optim.SGD(params, lr=1.0, momentum=0.9, **kw), lambda params, **kw: optim.Adam(params, **kw)])
def test_a_net_of_float16_is_updated_in_float32_and_rounded_at_the_end(make):
    nets = [nn.Sequential(nn.Linear(4, 8, rng=np.random.default_rng(0)), nn.Tanh(),
                          nn.Linear(8, 1, rng=np.random.default_rng(1))) for _ in range(2)]
    half, full = nets[0].half(), nets[1].half().float()                       # the same numbers
    scaler = LossScaler(2.0 ** 12)
    opt = make(half.parameters(), hooks=[Unscale(scaler), NonFinite()])
    twin = make(full.parameters())
    x = np.random.default_rng(2).normal(size=(16, 4)).astype(np.float16)
    scaler.scale((half(x).astype(np.float32) ** 2).mean() * 1e-3).backward()
    for p, q in zip(half.parameters(), full.parameters(), strict=True):
        assert p.grad.dtype == np.float16
        q.grad = p.grad.data.astype(np.float32) / np.float32(2.0 ** 12)
    report = opt.step()
    twin.step()
    assert report.stages[1].norm_out == report.norm / 2.0 ** 12 > 0
    for p, q in zip(half.parameters(), full.parameters(), strict=True):
        assert p.dtype == np.float16
        assert p.data.tobytes() == q.data.astype(np.float16).tobytes()


def test_a_parameter_of_float16_does_not_see_updates_that_are_small_beside_it():
    """What loss scaling does not help with: 1 - 1e-4 is 1 in float16.  A master weight in float32 moves."""
    ends = []
    for dtype in (np.float16, np.float32):
        w, scaler = param([1.0], dtype), LossScaler(1024.0)
        opt = optim.SGD([w], lr=1e-4, hooks=[Unscale(scaler), NonFinite()])
        for _ in range(100):
            opt.zero_grad()
            scaler.scale(w.astype(np.float16).sum()).backward()
            opt.step()
        ends.append(w.item())
    assert ends == [1.0, pytest.approx(0.99, rel=1e-5)]


# ---------------------------------------------------------------------------------------------- PyTorch's scaler

def torch_scaler(**kwargs):
    """PyTorch, its GradScaler, a parameter of one element, and SGD(1.0) for it."""
    torch = pytest.importorskip("torch")
    amp = getattr(getattr(torch, "amp", None), "GradScaler", None)
    if amp is None:
        pytest.skip("this PyTorch has no scaler for the CPU")
    w = torch.zeros(1, requires_grad=True)
    return torch, amp("cpu", **kwargs), w, torch.optim.SGD([w], lr=1.0)


@given(st.lists(st.booleans(), min_size=1, max_size=25), st.integers(1, 4), st.sampled_from([2.0, 3.0]),
       st.sampled_from([0.5, 0.25]), st.sampled_from([8.0, 65536.0, 2.0 ** 120]))
@QUICK
def test_scale_and_weights_are_pytorchs(pattern, interval, growth, backoff, init):
    """Gradients 1 and inf in any order.  PyTorch's scale has no smallest value, here none that is reached."""
    torch, theirs, v, sgd = torch_scaler(init_scale=init, growth_factor=growth, backoff_factor=backoff,
                                         growth_interval=interval)
    ours, w = LossScaler(init, growth, backoff, interval, smallest=2.0 ** -100), param([0.0], np.float32)
    opt = optim.SGD([w], lr=1.0, hooks=[Unscale(ours), NonFinite()])
    for fine in pattern:
        g = 1.0 if fine else math.inf
        theirs.scale(v.sum())
        v.grad = torch.tensor([g * theirs.get_scale()])
        theirs.step(sgd)
        theirs.update()
        w.grad = [ours.scale(g)]
        opt.step()
        assert ours.value == pytest.approx(theirs.get_scale(), rel=1e-5)
        assert w.item() == pytest.approx(v.item(), rel=1e-6)


def test_in_a_window_pytorch_drops_all_of_it():
    """It adds up scaled gradients at one scale, and judges their sum; here inf is dropped alone."""
    _, theirs, v, sgd = torch_scaler(init_scale=4.0)
    ours, w = LossScaler(4.0), param([0.0])
    opt = optim.SGD([w], lr=1.0, hooks=[Unscale(ours), NonFinite(), Accumulate(2)])
    for number, g in enumerate((1.0, math.inf, 2.0, 3.0), 1):
        theirs.scale(v.sum() * g / 2).backward()
        if number % 2 == 0:
            theirs.step(sgd)
            theirs.update()
            sgd.zero_grad()
        w.grad = [ours.scale(g)]
        opt.step()
    assert (v.item(), theirs.get_scale()) == (-2.5, 2.0)             # (2 + 3) / 2: the 1 is lost
    assert (w.item(), opt.flush().norm, ours.value) == (-1.5, 3.0, 2.0)    # (1 + 2) / 2, and 3 in the next window


def test_a_value_clip_before_unscaling_makes_pytorch_step_on_inf():
    torch, theirs, v, sgd = torch_scaler(init_scale=4.0)
    theirs.scale(v.sum() * math.inf).backward()
    torch.nn.utils.clip_grad_value_([v], 1.0)
    theirs.step(sgd)
    theirs.update()
    assert (v.item(), theirs.get_scale()) == (-0.25, 4.0)


# ------------------------------------------------------------------------------------------------ without help

def test_numpy_says_where_it_overflowed():
    w, scaler = param([1.0], np.float32), LossScaler(131072.0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        scaler.scale((w.astype(np.float16) * np.float16(1)).sum()).backward()
    assert {str(one.message) for one in caught} == {"overflow encountered in cast"}
    assert w.grad.tolist() == [math.inf]

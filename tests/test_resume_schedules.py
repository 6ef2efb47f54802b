"""Schedules in opt.state_dict(), and the orders in which PyTorch's programs make and load them."""

import warnings

import numpy as np
import pytest
from optimizing import param
from resuming import STATE, advanced, bits, build, everything, refused

import minigrad as mg
from minigrad import optim
from minigrad.optim import lr_scheduler


def test_a_schedule_that_is_not_there_yet_is_missed_once():
    """Where there is none at all nothing can be mixed up: it may come later, with its own state."""
    run = advanced(build(2, schedules=[]), 4)
    with pytest.warns(RuntimeWarning, match=r"\[StepLR, ReduceLROnPlateau\].*none yet.*load_state_dict") as seen:
        run.opt.load_state_dict(STATE)
    assert [w.filename for w in seen] == [__file__]
    assert bits({**run.opt.state_dict(), "schedules": []}) == bits({**STATE, "schedules": []})


def test_who_takes_warnings_for_errors_finds_nothing_changed():
    run = advanced(build(2, schedules=[]), 4)
    before = everything(run)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(RuntimeWarning):
            run.opt.load_state_dict(STATE)
    assert everything(run) == before
    refused(run, {**STATE, "schedules": [1]}, "schedules: a list of dicts")
    refused(run, {**STATE, "schedules": 1}, "schedules: a list of dicts")


def test_a_schedule_that_is_no_more_is_not_in_the_state():
    opt = optim.SGD([("w", param([1.0]))], lr=0.8)
    schedule = lr_scheduler.StepLR(opt, 1)
    parts = [lr_scheduler.LinearLR(opt), lr_scheduler.StepLR(opt, 2)]
    both = lr_scheduler.SequentialLR(opt, parts, [3])
    assert [one["kind"] for one in opt.state_dict()["schedules"]] == ["StepLR", "SequentialLR"]
    del schedule, both
    assert [one["kind"] for one in opt.state_dict()["schedules"]] == []


# ------------------------------------------------------------------------------- as PyTorch's programs do it

RATES = {"StepLR": {"step_size": 3, "gamma": 0.5}, "ExponentialLR": {"gamma": 0.9},
         "MultiStepLR": {"milestones": [2, 5], "gamma": 0.3}, "CosineAnnealingLR": {"T_max": 8},
         "LinearLR": {"start_factor": 0.1, "total_iters": 6}, "ConstantLR": {"factor": 0.1, "total_iters": 6}}


def steps(opt, schedule, w, array, n):
    rates = []
    for _ in range(n):
        w.grad = array([1.0])
        opt.step()
        rates.append(opt.param_groups[0]["lr"])
        schedule.step()
    return rates


@pytest.mark.parametrize("kind", RATES)
@pytest.mark.parametrize("order", ["schedule, state, its state", "schedule, its state, state", "schedule, state",
                                   "state, schedule, its state"])
def test_the_orders_of_pytorch_s_programs(kind, order, tmp_path):
    """The learning rates are those of PyTorch's uninterrupted run, whatever the order (there not all of them are)."""
    torch = pytest.importorskip("torch")
    v = torch.tensor([1.0], requires_grad=True)
    theirs = torch.optim.Adam([v], lr=0.4)
    expected = steps(theirs, getattr(torch.optim.lr_scheduler, kind)(theirs, **RATES[kind]), v, torch.tensor, 10)

    def make():
        w = mg.tensor([1.0], requires_grad=True)
        return w, optim.Adam([w], lr=0.4)

    def follow(opt):
        return getattr(lr_scheduler, kind)(opt, **RATES[kind])

    w, opt = make()
    schedule = follow(opt)
    assert steps(opt, schedule, w, np.array, 4) == pytest.approx(expected[:4], rel=1e-12)
    mg.save({"optimizer": opt.state_dict(), "scheduler": schedule.state_dict()}, tmp_path / "checkpoint.pt")
    del w, opt, schedule

    saved = mg.load(tmp_path / "checkpoint.pt")
    w, opt = make()
    schedule = follow(opt) if order.startswith("schedule") else None
    for action in order.split(", ")[schedule is not None:]:
        if action == "state" and schedule is None:
            with pytest.warns(RuntimeWarning, match=kind):
                opt.load_state_dict(saved["optimizer"])
        elif action == "state":
            opt.load_state_dict(saved["optimizer"])
        elif action == "its state":
            schedule.load_state_dict(saved["scheduler"])
        else:
            schedule = follow(opt)
    assert steps(opt, schedule, w, np.array, 6) == pytest.approx(expected[4:], rel=1e-12)

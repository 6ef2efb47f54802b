"""Schedules beside others: changes by hand, rates of 0, several that step together, and chains of them."""

import pytest
from scheduling import optimizer, run

from minigrad.optim import lr_scheduler

# ------------------------------------------------------------------------------------------------ changes by hand

def test_a_change_by_hand_is_kept_as_a_factor():
    """As PyTorch's StepLR does, whose next value is a multiple of the last."""
    opt = optimizer(0.8, 0.4)
    schedule = lr_scheduler.StepLR(opt, 2, 0.5)
    run(opt, schedule, 2)
    opt.param_groups[0]["lr"] = 0.04                 # it was 0.4
    opt.step()
    schedule.step()
    assert [g["lr"] for g in opt.param_groups] == [pytest.approx(0.04), 0.2]
    opt.step()
    schedule.step()
    assert [g["lr"] for g in opt.param_groups] == [pytest.approx(0.02), 0.1]


def test_a_rate_that_was_set_by_hand_from_zero_gives_way():
    opt = optimizer()
    schedule = lr_scheduler.CosineAnnealingLR(opt, 2)
    run(opt, schedule, 2)
    assert opt.lr == 0.0
    opt.lr = 0.3
    run(opt, schedule, 2)
    assert opt.lr == pytest.approx(0.8, rel=1e-15)


# ----------------------------------------------------------------------------------------------- rates of 0

def warm_up(t):
    return min(1, t / 3)


@pytest.mark.parametrize("build", [
    lambda library, o: [library.LambdaLR(o, warm_up), library.StepLR(o, 100)],
    lambda library, o: [library.StepLR(o, 100), library.LambdaLR(o, warm_up)]])
def test_a_warm_up_from_zero_is_not_stuck_by_another_schedule(build):
    """The rates are PyTorch's."""
    wanted = [0.0, 0.8 / 3, 1.6 / 3, 0.8, 0.8, 0.8]
    opt = optimizer()
    assert both(opt, build(lr_scheduler, opt), 6) == pytest.approx(wanted, rel=1e-12)
    torch = pytest.importorskip("torch")
    other = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.8)
    assert both(other, build(torch.optim.lr_scheduler, other), 6) == pytest.approx(wanted, rel=1e-12)


def both(opt, schedules, steps):
    """Step an optimizer and several schedules; return the rates that the steps had."""
    rates = []
    for _ in range(steps):
        rates.append(opt.param_groups[0]["lr"])
        opt.step()
        for s in schedules:
            s.step()
    return rates


@pytest.mark.parametrize("order", [1, -1])
def test_factors_multiply_after_a_zero(order):
    opt = optimizer()
    schedules = [lr_scheduler.LambdaLR(opt, warm_up), lr_scheduler.StepLR(opt, 2, 0.5)][::order]
    assert both(opt, schedules, 7) == pytest.approx([0.8 * min(1, t / 3) * 0.5 ** (t // 2) for t in range(7)],
                                                    rel=1e-12)


def test_a_group_that_was_frozen_by_hand_stays_so_until_it_is_thawed():
    """Also while the schedule itself passes through 0; what it is given then is kept as a factor."""
    opt = optimizer(0.8, 0.4)
    schedule = lr_scheduler.CosineAnnealingLR(opt, 2)
    opt.param_groups[0]["lr"] = 0
    assert both(opt, [schedule], 5) == [0.0] * 5
    assert (schedule.at(5)[0], opt.param_groups[1]["lr"]) == (pytest.approx(0.4), pytest.approx(0.2))
    opt.param_groups[0]["lr"] = 0.1                              # a quarter of what it would be
    assert both(opt, [schedule], 6)[1:] == pytest.approx([0.0, 0.1, 0.2, 0.1, 0.0], abs=1e-15)


def test_a_base_of_zero_is_left_behind_by_the_next_schedule():
    opt = optimizer(0.0)
    assert both(opt, [lr_scheduler.StepLR(opt, 1, 0.5)], 2) == [0.0, 0.0]
    opt.lr = 0.8
    steps = []
    schedule = lr_scheduler.LambdaLR(opt, lambda t: steps.append(t) or 0.5 ** t)
    assert both(opt, [schedule], 3) == [0.8, 0.4, 0.2]
    assert min(steps) == 0


def test_a_zero_goes_with_the_state():
    opt = optimizer()
    schedule = lr_scheduler.StepLR(opt, 2, 0.5)
    opt.param_groups[0]["lr"] = 0
    both(opt, [schedule], 2)
    again = optimizer()
    other = lr_scheduler.StepLR(again, 2, 0.5)
    other.load_state_dict(schedule.state_dict())
    assert both(again, [other], 3) == [0.0] * 3
    again.param_groups[0]["lr"] = 0.8
    assert both(again, [other], 2) == [0.8, 0.4]                # at step 5, where 0.8 was put, 0.2 is due; at 6 half


# ------------------------------------------------------------------------------------------------ several at once

def test_several_schedules_count_for_themselves():
    opt = optimizer()
    often, seldom = lr_scheduler.ExponentialLR(opt, 0.5), lr_scheduler.StepLR(opt, 1, 0.1)
    for t in range(4):
        opt.step()
        often.step()
        if t == 3:
            seldom.step()
    assert (often.last_epoch, seldom.last_epoch) == (4, 1)
    assert opt.lr == pytest.approx(0.8 * 0.5 ** 4 * 0.1)


FACTORS = {
    "linear, exponential, cosine": lambda library, o: [
        library.LinearLR(o), library.ExponentialLR(o, 0.9), library.CosineAnnealingLR(o, 20)],
    "constant, milestones": lambda library, o: [library.ConstantLR(o, 0.5), library.MultiStepLR(o, [2, 4], 0.5)],
    "function": lambda library, o: [library.StepLR(o, 3), library.LambdaLR(o, lambda t: 1 / (1 + t))],
    "eta_min": lambda library, o: [library.ExponentialLR(o, 0.9), library.CosineAnnealingLR(o, 20, 0.1)],
}


@pytest.mark.parametrize(("name", "together", "as_torch"), [
    ("linear, exponential, cosine", True, True), ("constant, milestones", True, True), ("function", True, False),
    ("eta_min", False, False)])
def test_where_a_chain_is_the_same_as_to_step_them_all_and_as_torch_s(name, together, as_torch):
    """As the docstring of ChainedScheduler says."""
    torch = pytest.importorskip("torch")

    def rates(library, opt, join):
        parts = FACTORS[name](library, opt)
        return both(opt, [library.ChainedScheduler(parts)] if join else parts, 12)

    chained = rates(lr_scheduler, optimizer(), True)
    assert (rates(lr_scheduler, optimizer(), False) == pytest.approx(chained, rel=1e-9)) == together
    other = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.8)
    assert (rates(torch.optim.lr_scheduler, other, True) == pytest.approx(chained, rel=1e-9)) == as_torch


def test_combinations_refuse_what_does_not_fit():
    opt, other = optimizer(), optimizer()
    a, b, c = (lr_scheduler.StepLR(o, 2) for o in (opt, opt, other))
    for build, text in ((lambda: lr_scheduler.SequentialLR(opt, [a, b], [1, 2]), "2 schedules need 1"),
                        (lambda: lr_scheduler.SequentialLR(opt, [a, c], [1]), "another optimizer"),
                        (lambda: lr_scheduler.SequentialLR(opt, [], []), "need"),
                        (lambda: lr_scheduler.ChainedScheduler([]), "at least one"),
                        (lambda: lr_scheduler.ChainedScheduler([a, c]), "another optimizer")):
        with pytest.raises(ValueError, match=text):
            build()
    chained = lr_scheduler.ChainedScheduler([a, b])
    with pytest.raises(RuntimeError, match=r"part of a ChainedScheduler"):
        a.step()
    with pytest.raises(ValueError, match="already"):
        lr_scheduler.ChainedScheduler([a])
    opt.step()
    chained.step()
    assert chained.last_epoch == 1

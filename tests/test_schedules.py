"""Schedules of the learning rate: PyTorch's values, counted in effective steps."""

import importlib
import math

import numpy as np
import pytest
from optimizing import param
from scheduling import optimizer, run

import minigrad as mg
from minigrad import hooks, optim
from minigrad.optim import lr_scheduler

# schedule, settings, the first 12 learning rates from 0.8 (as PyTorch 2.13 gives them, to 1e-15)
RECORDED = [
    ("StepLR", {"step_size": 3, "gamma": 0.5}, [0.8] * 3 + [0.4] * 3 + [0.2] * 3 + [0.1] * 3),
    ("StepLR", {"step_size": 4}, [0.8] * 4 + [0.08] * 4 + [0.008] * 4),
    ("MultiStepLR", {"milestones": [2, 5, 5, 9], "gamma": 0.5}, [0.8] * 2 + [0.4] * 3 + [0.1] * 4 + [0.05] * 3),
    ("ExponentialLR", {"gamma": 0.75},
     [0.8, 0.6, 0.45, 0.3375, 0.253125, 0.18984375, 0.1423828125, 0.106787109375, 0.08009033203125,
      0.0600677490234375, 0.04505081176757813, 0.0337881088256836]),
    ("CosineAnnealingLR", {"T_max": 4},
     [0.8, 0.682842712474619, 0.4, 0.117157287525381, 0.0, 0.117157287525381, 0.4, 0.682842712474619, 0.8,
      0.682842712474619, 0.4, 0.117157287525381]),
    ("CosineAnnealingLR", {"T_max": 8, "eta_min": 0.1},
     [0.8, 0.7733578363789504, 0.6974873734152917, 0.5839392013277815, 0.45, 0.3160607986722186, 0.2025126265847084,
      0.1266421636210497, 0.1, 0.1266421636210497, 0.2025126265847085, 0.3160607986722188]),
    ("LinearLR", {}, [0.8 / 3, 0.112 / 0.3, 0.48, 0.176 / 0.3, 0.208 / 0.3] + [0.8] * 7),
    ("LinearLR", {"start_factor": 0.25, "end_factor": 0.5, "total_iters": 4}, [0.2, 0.25, 0.3, 0.35] + [0.4] * 8),
    ("ConstantLR", {}, [0.8 / 3] * 5 + [0.8] * 7),
    ("ConstantLR", {"factor": 0.25, "total_iters": 2}, [0.2] * 2 + [0.8] * 10),
    ("LambdaLR", {"lr_lambda": lambda t: 1 / (1 + t)}, [0.8 / (1 + t) for t in range(12)]),
]
every_schedule = pytest.mark.parametrize(("name", "settings", "expected"), RECORDED)


def make(name, opt, settings):
    return getattr(lr_scheduler, name)(opt, **settings)


# ---------------------------------------------------------------------------------------------------- the values

@every_schedule
def test_values(name, settings, expected):
    opt = optimizer()
    schedule = make(name, opt, settings)
    ahead = [schedule.at(t)[0] for t in range(12)]
    assert (schedule.last_epoch, schedule.get_last_lr()) == (0, [opt.lr])
    assert run(opt, schedule) == ahead
    assert ahead == pytest.approx(expected, rel=1e-14, abs=1e-16)
    assert (schedule.last_epoch, schedule.get_last_lr(), schedule.base_lrs) == (12, [opt.lr], [0.8])


@every_schedule
def test_each_group_has_its_own_base(name, settings, expected):
    opt = optimizer(0.8, 0.4, 0.0)
    schedule = make(name, opt, settings)
    for t in range(12):
        low = settings.get("eta_min", 0.0)
        rates = [g["lr"] for g in opt.param_groups]
        assert rates[0] == pytest.approx(expected[t], rel=1e-14, abs=1e-16)
        assert rates[1] - low == pytest.approx((expected[t] - low) * (0.4 - low) / (0.8 - low), rel=1e-12, abs=1e-15)
        assert rates[2] == 0 or low
        opt.step()
        schedule.step()
    assert [g["initial_lr"] for g in opt.param_groups] == [0.8, 0.4, 0.0]


TORCH = [*(case[:2] for case in RECORDED),
         ("StepLR", {"step_size": 1, "gamma": 2.0}), ("StepLR", {"step_size": 2, "gamma": 0.0}),
         ("MultiStepLR", {"milestones": []}), ("MultiStepLR", {"milestones": [0, 1, 30]}),
         ("ExponentialLR", {"gamma": 1.1}), ("CosineAnnealingLR", {"T_max": 1}), ("CosineAnnealingLR", {"T_max": 37}),
         ("CosineAnnealingLR", {"T_max": 5, "eta_min": 1e-3}), ("LinearLR", {"total_iters": 1}),
         ("LinearLR", {"start_factor": 1.0, "end_factor": 0.0, "total_iters": 20}),
         ("ConstantLR", {"factor": 1.0}), ("ConstantLR", {"total_iters": 1})]


@pytest.mark.parametrize(("name", "settings"), TORCH)
def test_values_are_torch_s(name, settings):
    torch = pytest.importorskip("torch")
    if (name, settings.get("gamma")) == ("StepLR", 0.0):
        steps = 3                                            # beyond it, both stay at 0
    else:
        steps = 40
    other = torch.optim.SGD([{"params": [torch.zeros(1, requires_grad=True)], "lr": lr} for lr in (0.8, 0.05)])
    theirs = getattr(torch.optim.lr_scheduler, name)(other, **settings)
    opt = optimizer(0.8, 0.05)
    mine = make(name, opt, settings)
    for _ in range(steps):
        assert [g["lr"] for g in opt.param_groups] == pytest.approx([g["lr"] for g in other.param_groups],
                                                                    rel=1e-11, abs=1e-14)
        assert mine.last_epoch == theirs.last_epoch
        assert mine.get_last_lr() == pytest.approx(theirs.get_last_lr(), rel=1e-11, abs=1e-14)
        for o, s in ((opt, mine), (other, theirs)):
            o.step()
            s.step()


def sequence(library, opt):
    warm = library.LinearLR(opt, 0.1, total_iters=5)
    down = library.CosineAnnealingLR(opt, 20, eta_min=0.01)
    flat = library.ConstantLR(opt, 0.5, total_iters=3)
    return library.SequentialLR(opt, [warm, down, flat], milestones=[5, 15])


def chain(library, opt):
    return library.ChainedScheduler([library.ConstantLR(opt, 0.1, total_iters=2), library.ExponentialLR(opt, 0.9),
                                     library.CosineAnnealingLR(opt, 50)])


def warm_up_of_a_chain(library, opt):
    warm = library.LinearLR(opt, 0.01, total_iters=4)
    return library.SequentialLR(opt, [warm, library.StepLR(opt, 3, 0.5)], [4])


class Several:
    """Schedules that step together."""

    def __init__(self, *schedules):
        self.schedules = schedules

    def step(self):
        for s in self.schedules:
            s.step()


def two_that_both_step(library, opt):
    return Several(library.ExponentialLR(opt, 0.9), library.MultiStepLR(opt, [3, 8], 0.5),
                   library.LinearLR(opt, 0.5, total_iters=6))


@pytest.mark.parametrize("build", [sequence, chain, warm_up_of_a_chain, two_that_both_step])
def test_combinations_are_torch_s(build):
    torch = pytest.importorskip("torch")
    other = torch.optim.SGD([{"params": [torch.zeros(1, requires_grad=True)], "lr": lr} for lr in (0.8, 0.05)])
    theirs = build(torch.optim.lr_scheduler, other)
    opt = optimizer(0.8, 0.05)
    mine = build(lr_scheduler, opt)
    for t in range(25):
        assert [g["lr"] for g in opt.param_groups] == pytest.approx([g["lr"] for g in other.param_groups],
                                                                    rel=1e-11), t
        opt.step()
        mine.step()
        other.step()
        theirs.step()


def test_warm_up_then_cosine_in_closed_form():
    opt = optimizer()
    rates = run(opt, sequence(lr_scheduler, opt), 18)
    warm = [0.8 * (0.1 + 0.9 * t / 5) for t in range(5)]
    down = [0.01 + 0.79 * (1 + math.cos(math.pi * t / 20)) / 2 for t in range(10)]
    assert rates == pytest.approx([*warm, *down, 0.4, 0.4, 0.4], rel=1e-12)


def test_groups_added_later_keep_their_rate():
    opt = optimizer()
    schedule = lr_scheduler.ExponentialLR(opt, 0.5)
    new = param([1.0])
    opt.add_param_group({"params": [("new", new)], "lr": 0.1})
    run(opt, schedule, 2)
    assert [g["lr"] for g in opt.param_groups] == [0.2, 0.1]


# ---------------------------------------------------------------------------------------- effective steps are counted

@pytest.mark.parametrize("every", [1, 2, 4])
def test_what_is_held_does_not_count(every):
    """Called after each micro-batch, it advances once per window; and once for a window that is flushed."""
    opt = optimizer(hooks=[hooks.Accumulate(every)])
    schedule = lr_scheduler.ExponentialLR(opt, 0.5)
    for micro in range(1, 10):
        opt.step()
        schedule.step()
        assert (schedule.last_epoch, opt.lr) == (micro // every, 0.8 * 0.5 ** (micro // every))
    flushed = opt.flush()
    schedule.step()
    schedule.step()
    assert schedule.last_epoch == 9 // every + (flushed is not None)


def test_what_is_skipped_does_not_count():
    opt = optimizer(hooks=[hooks.NonFinite("skip")])
    schedule, epochs = lr_scheduler.StepLR(opt, 1, 0.5), []
    for g in (1.0, math.nan, 1.0, math.inf, math.inf, 1.0):
        opt.params["param0"].grad = [g]
        opt.step()
        schedule.step()
        epochs.append(schedule.last_epoch)
    assert epochs == [1, 1, 2, 2, 2, 3]


def test_an_epoch_of_many_updates_is_one_step():
    opt = optimizer()
    schedule = lr_scheduler.StepLR(opt, 1, 0.5)
    for epoch in range(3):
        for _ in range(5):
            assert opt.step().lr == 0.8 * 0.5 ** epoch
        schedule.step()
    assert (schedule.last_epoch, opt.updates) == (3, 15)


def test_before_any_call_of_the_optimizer_there_is_one_warning():
    opt = optimizer()
    schedule = lr_scheduler.StepLR(opt, 1, 0.5)
    with pytest.warns(RuntimeWarning, match=r"schedules count updates.*schedule\.at") as caught:
        schedule.step()
    assert caught[0].filename == __file__
    schedule.step()                                          # a second warning would be an error here
    assert (opt.lr, schedule.last_epoch) == (0.8, 0)
    opt.step()
    schedule.step()
    assert (opt.lr, schedule.last_epoch) == (0.4, 1)


# ------------------------------------------------------------------------------------------------ going on later

@every_schedule
def test_going_on_with_last_epoch(name, settings, expected):
    opt = optimizer()
    run(opt, make(name, opt, settings), 3)
    again = optimizer(opt.lr)
    again.param_groups[0]["initial_lr"] = 0.8
    schedule = make(name, again, {**settings, "last_epoch": 3})
    assert (schedule.last_epoch, schedule.base_lrs) == (4, [0.8])
    assert run(again, schedule, 8) == pytest.approx(expected[4:], rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("build", [sequence, chain, two_that_both_step,
                                   *(lambda library, opt, case=case: make(case[0], opt, case[1]) for case in RECORDED)])
def test_a_saved_state_goes_on_to_the_bit(build, tmp_path):
    """Saved and loaded by way of a file, with a change by hand in it; the optimizer's counters come from its own."""
    opt = optimizer(0.8, 0.3)
    schedule = build(lr_scheduler, opt)
    run(opt, schedule, 4)
    opt.param_groups[0]["lr"] *= 0.7
    run(opt, schedule, 3)
    opt.step()                                           # an update that the schedule has not seen yet
    parts = getattr(schedule, "schedules", [schedule])
    mg.save([s.state_dict() for s in parts], tmp_path / "state")
    again = optimizer(0.8, 0.3)
    other = build(lr_scheduler, again)
    again.updates, again.micro_steps = opt.updates, opt.micro_steps
    for s, state in zip(getattr(other, "schedules", [other]), mg.load(tmp_path / "state"), strict=True):
        s.load_state_dict(state)
    for _ in range(6):
        assert [g["lr"] for g in again.param_groups] == [g["lr"] for g in opt.param_groups]
        schedule.step()
        other.step()
        opt.step()
        again.step()


@pytest.mark.parametrize("change", [lambda s: s.pop("seen"), lambda s: s.update(more=1), lambda s: s["scales"].pop(),
                                    lambda s: s["last_lr"].append(1.0), lambda s: s["zeros"].append(True)])
def test_a_state_that_does_not_fit_changes_nothing(change):
    opt = optimizer()
    schedule = lr_scheduler.StepLR(opt, 2)
    before, wrong = schedule.state_dict(), schedule.state_dict()
    wrong["last_epoch"] = 7
    change(wrong)
    with pytest.raises(ValueError, match="StepLR"):
        schedule.load_state_dict(wrong)
    assert (schedule.state_dict(), opt.lr) == (before, 0.8)


# ------------------------------------------------------------------------------------------------------ bad input

@pytest.mark.parametrize(("name", "settings", "text"), [
    ("StepLR", {"step_size": 0}, "step_size = 0"), ("StepLR", {"step_size": 1.5}, "step_size"),
    ("StepLR", {"step_size": 1, "gamma": -0.1}, "gamma"), ("StepLR", {"step_size": 1, "gamma": math.nan}, "gamma"),
    ("MultiStepLR", {"milestones": 3}, "milestones"), ("MultiStepLR", {"milestones": [5, 3]}, "must increase"),
    ("MultiStepLR", {"milestones": [-1]}, "milestones"), ("MultiStepLR", {"milestones": [1.5]}, "milestones"),
    ("ExponentialLR", {"gamma": "0.9"}, "gamma"), ("CosineAnnealingLR", {"T_max": 0}, "T_max"),
    ("CosineAnnealingLR", {"T_max": 5, "eta_min": -1.0}, "eta_min"),
    ("LinearLR", {"start_factor": 0}, "start_factor"), ("LinearLR", {"start_factor": 1.5}, "start_factor"),
    ("LinearLR", {"end_factor": -0.1}, "end_factor"), ("LinearLR", {"total_iters": 0}, "total_iters"),
    ("ConstantLR", {"factor": 2}, "factor"), ("ConstantLR", {"total_iters": 0}, "total_iters"),
    ("LambdaLR", {"lr_lambda": lambda t: -1.0}, "LambdaLR, step 0: the lr of group 0 = -0.8"),
    ("LambdaLR", {"lr_lambda": [lambda t: 1.0] * 2}, "2 functions for 1 groups"),
    ("StepLR", {"step_size": 1, "last_epoch": 3}, "initial_lr"), ("StepLR", {"step_size": 1, "last_epoch": -2}, "last"),
    ("ReduceLROnPlateau", {"mode": "low"}, "mode"), ("ReduceLROnPlateau", {"factor": 1.0}, "factor"),
    ("ReduceLROnPlateau", {"patience": -1}, "patience"), ("ReduceLROnPlateau", {"threshold_mode": "x"}, "threshold"),
    ("ReduceLROnPlateau", {"min_lr": [0.1, 0.2]}, "2 numbers for 1 groups"),
    ("ReduceLROnPlateau", {"threshold": -1}, "threshold"), ("ReduceLROnPlateau", {"cooldown": 0.5}, "cooldown")])
def test_bad_settings(name, settings, text):
    opt = optimizer()
    with pytest.raises(ValueError, match=text):
        make(name, opt, settings)
    assert (opt.lr, "initial_lr" in opt.param_groups[0]) == (0.8, False)


@pytest.mark.parametrize("build", [
    lambda: lr_scheduler.StepLR([param([1.0])], 1), lambda: lr_scheduler.LambdaLR(optimizer(), 0.5),
    lambda: lr_scheduler.LambdaLR(optimizer(), [0.5]), lambda: lr_scheduler.ChainedScheduler([3]),
    lambda: lr_scheduler.SequentialLR(o := optimizer(), [lr_scheduler.ReduceLROnPlateau(o)], [])])
def test_bad_types(build):
    with pytest.raises(TypeError):
        build()


def test_a_rate_that_goes_wrong_later_changes_nothing():
    """Negative, or beyond the largest float."""
    for build in (lambda o: lr_scheduler.LambdaLR(o, lambda t: 1.0 - t),
                  lambda o: lr_scheduler.ExponentialLR(o, 1e200)):
        opt = optimizer()
        schedule = build(opt)
        opt.step()
        schedule.step()
        rate, state = opt.lr, schedule.state_dict()["last_epoch"]
        opt.step()
        with pytest.raises(ValueError, match="step 2: the lr of group 0"):
            schedule.step()
        assert (opt.lr, schedule.state_dict()["last_epoch"]) == (rate, state)


def test_a_rate_that_is_a_function_needs_no_schedule():
    with pytest.raises(ValueError, match="a function of the updates itself"):
        lr_scheduler.StepLR(optim.SGD([param([1.0])], lr=lambda t: 0.1), 1)
    opt = optimizer()
    schedule = lr_scheduler.StepLR(opt, 1)
    opt.lr = lambda t: 0.1
    opt.step()
    with pytest.raises(ValueError, match="group 0: lr"):
        schedule.step()


def test_names_are_those_of_torch():
    module = importlib.import_module("minigrad.optim.lr_scheduler")
    assert module is optim.lr_scheduler
    torch = pytest.importorskip("torch")
    assert all(hasattr(torch.optim.lr_scheduler, name) for name in module.__all__)


def test_rates_of_zero_are_taken_in_training():
    opt = optimizer()
    schedule = lr_scheduler.CosineAnnealingLR(opt, 2)
    w = opt.params["param0"]
    w.grad = [1.0]
    rates = run(opt, schedule, 3)
    assert rates == pytest.approx([0.8, 0.4, 0.0], abs=1e-16)
    assert w.data == pytest.approx([1.0 - 1.2])
    assert repr(schedule) == "CosineAnnealingLR(step 3, lr=0.4)"
    assert np.isfinite(w.data).all()


def test_a_schedule_of_your_own_without_a_value_says_so():
    class Empty(lr_scheduler.LRScheduler):
        pass

    with pytest.raises(NotImplementedError, match=r"Empty has no value\(self, base, t, group\)"):
        Empty(optimizer())


@pytest.mark.parametrize(("name", "nearest"), [
    ("OneCycleLR", "SequentialLR"), ("CosineAnnealingWarmRestarts", "LambdaLR"), ("CyclicLR", "LambdaLR"),
    ("PolynomialLR", "LambdaLR"), ("StepLr", "did you mean 'StepLR'")])
def test_schedules_that_are_left_out_are_named_with_the_nearest(name, nearest):
    with pytest.raises(AttributeError, match=f"lr_scheduler' has no .*{nearest}"):
        getattr(lr_scheduler, name)

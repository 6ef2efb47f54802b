"""The schedule that waits until a measure no longer improves."""

import math

import pytest
from scheduling import optimizer

import minigrad as mg
from minigrad import hooks
from minigrad.optim import lr_scheduler

MEASURES = [1.0, 0.9, 0.9, 0.95, 0.9, 0.9, 0.85, 0.85, 0.85, 0.85, 0.9, 0.9, 0.8, 0.8, math.nan, math.nan, 0.9, 0.9,
            0.9, 0.9, 0.9, 0.9]
PLATEAUS = [{}, {"patience": 1}, {"patience": 0, "factor": 0.5}, {"patience": 1, "cooldown": 3}, {"mode": "max"},
            {"mode": "max", "patience": 2, "factor": 0.5}, {"patience": 2, "threshold": 0.1},
            {"patience": 1, "threshold": 0.06, "threshold_mode": "abs"}, {"patience": 0, "min_lr": 0.02},
            {"patience": 0, "min_lr": [0.1, 0.01]}, {"patience": 0, "eps": 0.06}]


def test_plateau_in_words():
    """Two steps without improvement are let pass, the third halves the rate."""
    opt = optimizer()
    schedule, rates = lr_scheduler.ReduceLROnPlateau(opt, factor=0.5, patience=2), []
    for measure in (3.0, 2.0, 2.0, 2.0, 2.0, 1.0, 1.0, 1.0, 1.0):
        opt.step()
        schedule.step(mg.tensor(measure))
        rates.append(opt.lr)
    assert rates == [0.8] * 4 + [0.4] * 4 + [0.2]
    assert (schedule.get_last_lr(), schedule.last_epoch, schedule.best) == ([0.2], 9, 1.0)


@pytest.mark.parametrize("settings", PLATEAUS)
def test_plateau_is_torch_s(settings):
    torch = pytest.importorskip("torch")
    other = torch.optim.SGD([{"params": [torch.zeros(1, requires_grad=True)], "lr": lr} for lr in (0.8, 0.05)])
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(other, **settings)
    opt = optimizer(0.8, 0.05)
    mine = lr_scheduler.ReduceLROnPlateau(opt, **settings)
    for measure in MEASURES:
        for o, s in ((opt, mine), (other, theirs)):
            o.step()
            s.step(measure)
        assert mine.get_last_lr() == pytest.approx(theirs.get_last_lr(), rel=1e-12)
        assert (mine.num_bad_epochs, mine.cooldown_counter) == (theirs.num_bad_epochs, theirs.cooldown_counter)


def test_plateau_counts_updates_alone_and_can_go_on():
    opt = optimizer(hooks=[hooks.Accumulate(2)])
    schedule = lr_scheduler.ReduceLROnPlateau(opt, patience=1, factor=0.5)
    for _ in range(6):
        opt.step()
        schedule.step(1.0)
    assert (schedule.last_epoch, schedule.num_bad_epochs, opt.lr) == (3, 0, 0.4)
    again = optimizer()
    other = lr_scheduler.ReduceLROnPlateau(again, patience=1, factor=0.5)
    other.load_state_dict(schedule.state_dict())
    assert (other.state_dict(), again.lr) == (schedule.state_dict(), 0.4)
    with pytest.raises(ValueError, match="2 groups"):
        lr_scheduler.ReduceLROnPlateau(optimizer(1.0, 2.0)).load_state_dict(schedule.state_dict())


def test_a_negative_measure_improves_by_falling_further():
    """The margin is a share of its size; best * (1 - threshold) would call -1 better than -1."""
    opt = optimizer()
    schedule = lr_scheduler.ReduceLROnPlateau(opt, patience=0, factor=0.5)
    for _ in range(2):
        opt.step()
        schedule.step(-1.0)
    assert opt.lr == 0.4

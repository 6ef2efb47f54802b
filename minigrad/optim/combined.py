"""Schedules made of schedules: one after another, and several at once."""

from bisect import bisect_right

from minigrad.optim.schedules import LRScheduler, increasing

__all__ = ["ChainedScheduler", "SequentialLR"]


class Combined(LRScheduler):
    """Schedules made of others, which are asked for their values and no longer step by themselves."""

    def __init__(self, optimizer, schedulers, last_epoch=-1):
        self.schedulers = list(schedulers)
        if not self.schedulers:
            raise ValueError(f"{type(self).__name__} needs at least one schedule")
        for index, s in enumerate(self.schedulers):
            if not isinstance(s, LRScheduler):
                raise TypeError(f"{type(self).__name__}: number {index} is a {type(s).__name__}, not a schedule of the "
                                f"step alone")
            if optimizer is not s.optimizer:
                raise ValueError(f"{type(self).__name__}: number {index} belongs to another optimizer")
            if s._part_of is not None:
                raise ValueError(f"{type(self).__name__}: number {index} is part of a {s._part_of} already")
        rates = [group["lr"] for group in optimizer.param_groups]
        for group in optimizer.param_groups:            # each part has set the rate for itself
            group["lr"] = group.get("initial_lr", group["lr"])
        try:
            super().__init__(optimizer, last_epoch)
        except BaseException:
            for group, lr in zip(optimizer.param_groups, rates):
                group["lr"] = lr
            raise
        for s in self.schedulers:
            s._part_of = type(self).__name__


class SequentialLR(Combined):
    """One schedule after another, each counting from 0 at its milestone.

    Example:
        >>> import minigrad as mg
        >>> from minigrad.optim import SGD
        >>> from minigrad.optim.lr_scheduler import ExponentialLR, LinearLR, SequentialLR
        >>> opt = SGD([mg.tensor([1.0], requires_grad=True)], lr=0.8)
        >>> parts = [LinearLR(opt, 0.5, total_iters=2), ExponentialLR(opt, 0.5)]
        >>> schedule = SequentialLR(opt, parts, milestones=[2])
        >>> [round(schedule.at(t)[0], 4) for t in range(6)]
        [0.4, 0.6, 0.8, 0.4, 0.2, 0.1]
    """

    def __init__(self, optimizer, schedulers, milestones, last_epoch=-1):
        self.milestones = increasing(milestones)
        if len(self.milestones) != len(schedulers) - 1:
            raise ValueError(f"SequentialLR: {len(schedulers)} schedules need {len(schedulers) - 1} milestones between "
                             f"them, not {len(self.milestones)}")
        super().__init__(optimizer, schedulers, last_epoch)

    def value(self, base, t, group):
        number = bisect_right(self.milestones, t)
        return self.schedulers[number].value(base, t - self.milestones[number - 1] if number else t, group)


class ChainedScheduler(Combined):
    """Several schedules at once: each takes what the one before it gives as its base, so factors multiply.

    Where each gives its base times a factor of the step that is not 0 (all but ``CosineAnnealingLR`` with an
    ``eta_min``), this is the same as to step them all, in any order.  In PyTorch each changes the rate that it finds,
    step by step: the numbers are these, but with an ``eta_min``, after a rate of 0, and with a ``LambdaLR``, which
    there forgets at each step what the others have done.

    Example:
        >>> import minigrad as mg
        >>> from minigrad.optim import SGD
        >>> from minigrad.optim.lr_scheduler import ChainedScheduler, ConstantLR, ExponentialLR
        >>> opt = SGD([mg.tensor([1.0], requires_grad=True)], lr=0.8)
        >>> schedule = ChainedScheduler([ConstantLR(opt, 0.5, total_iters=2), ExponentialLR(opt, 0.5)])
        >>> [schedule.at(t)[0] for t in range(4)]
        [0.4, 0.2, 0.2, 0.1]
    """

    def __init__(self, schedulers, optimizer=None):
        schedulers = list(schedulers)
        if not schedulers:
            raise ValueError("ChainedScheduler needs at least one schedule")
        super().__init__(optimizer or getattr(schedulers[0], "optimizer", None), schedulers)

    def value(self, base, t, group):
        for s in self.schedulers:
            base = s.value(base, t, group)
        return base

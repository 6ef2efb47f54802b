"""Schedules of the learning rate, with PyTorch's names and formulas; they count effective steps.

    schedule = optim.lr_scheduler.StepLR(opt, step_size=30)
    for batch in batches:
        ...
        opt.step()
        schedule.step()

``schedule.step()`` advances by one if the optimizer has made an update since the last call, be it one or a whole epoch
of them; a micro-batch that was held back or skipped advances nothing.  Each schedule is a closed form of
``last_epoch``; where somebody else changes a group's learning rate, by hand or by a second schedule, the change is
kept as a factor from then on.  A rate that somebody else made 0 stays 0 until somebody makes it another, and then that
is kept.  (Where the schedule itself is at 0 no factor leads to what was put there, which lasts until the next step.)

Without any of them: ``lr=lambda t: 0.1 / (1 + t)`` in an optimizer or a group is a function of the updates made so far.
"""

import math
import numbers
import warnings
from bisect import bisect_right

from minigrad.optim.groups import from_zero
from minigrad.optim.optimizer import Optimizer
from minigrad.optim.owners import enrol

__all__ = ["ConstantLR", "CosineAnnealingLR", "ExponentialLR", "LRScheduler", "LambdaLR", "LinearLR", "MultiStepLR",
           "StepLR"]


class Counting:
    """What all schedules share: they advance only when the optimizer has."""

    def __init__(self, optimizer):
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"{type(self).__name__}: the first argument is the optimizer, not {optimizer!r}")
        for index, group in enumerate(optimizer.param_groups):
            if callable(group["lr"]):
                raise ValueError(f"{type(self).__name__}: the lr of group {index} is a function of the updates "
                                 f"itself; give the optimizer a number, or leave the schedule out")
        self.optimizer = optimizer
        self._seen = optimizer.updates
        self._warned, self._part_of = False, None
        enrol(self)

    def __setstate__(self, state):
        self.__dict__.update(state)
        enrol(self)

    def _advances(self):
        """Say whether an update was made since the last call, and take note of it."""
        if self._part_of is not None:
            raise RuntimeError(f"this {type(self).__name__} is part of a {self._part_of}; call that one's step() alone")
        if not self.optimizer.micro_steps and not self._warned:
            self._warned = True
            warnings.warn("schedule.step() before the first optimizer.step(): schedules count updates, so it does "
                          "nothing. To look ahead, schedule.at(t)", RuntimeWarning, stacklevel=3)
        before, self._seen = self._seen, self.optimizer.updates
        return before != self._seen

    def get_last_lr(self):
        """Return the learning rates of the groups as this schedule last left them."""
        return list(self._last)


class LRScheduler(Counting):
    """A learning rate that is a function of the effective steps; a new schedule writes ``value`` alone.

    Args:
        optimizer: its groups' learning rates are set, those of groups added later are not.  The rate that a group has
            now is kept in it as "initial_lr", and is the base of all schedules.
        last_epoch: to go on where the learning rates in the groups are those of this step; each group needs an
            "initial_lr" then, and the schedule moves on to the next step, as PyTorch's do.  To go on without that, and
            to the bit, ``load_state_dict``.

    Attributes:
        last_epoch: effective steps so far, 0 at first.
        base_lrs: the groups' initial learning rates.

    Raises:
        TypeError: if ``optimizer`` is none.
        ValueError: for settings out of range, and where a learning rate would be negative or not finite; no rate has
            changed then.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import optim
        >>> class Halving(optim.lr_scheduler.LRScheduler):
        ...     def value(self, base, t, group):
        ...         return base / 2 ** t
        >>> w = mg.tensor([1.0], requires_grad=True)
        >>> opt = optim.SGD([w], lr=0.8)
        >>> schedule = Halving(opt)
        >>> w.grad = [1.0]
        >>> report = opt.step(); schedule.step()
        >>> opt.lr, schedule.at(3)
        (0.4, [0.1])
    """

    def __init__(self, optimizer, last_epoch=-1):
        super().__init__(optimizer)
        start = whole(last_epoch, "last_epoch", -1) + 1
        groups = optimizer.param_groups
        if start and any("initial_lr" not in group for group in groups):
            raise ValueError(f"last_epoch = {last_epoch}: to go on with a schedule, each group needs its 'initial_lr'")
        self.base_lrs = [group.get("initial_lr") or group["lr"] for group in groups]   # no base is 0 for ever
        self.last_epoch = start - 1
        self._scales, self._zeros = [1.0] * len(groups), [False] * len(groups)
        self._last = self.at(start - 1) if start else list(self.base_lrs)
        self._move_to(start)
        for group, base in zip(groups, self.base_lrs):
            group["initial_lr"] = base

    def value(self, base, t, group):
        """Return the learning rate at effective step ``t`` of the group with this number and initial rate ``base``."""
        raise NotImplementedError(f"{type(self).__name__} has no value(self, base, t, group), which returns the "
                                  f"learning rate at step t")

    def at(self, t):
        """Return the learning rates at effective step ``t``, without going there, and without another's 0."""
        out = []
        for index, (base, scale) in enumerate(zip(self.base_lrs, self._scales)):
            try:
                lr = scale * self.value(base, t, index)
            except OverflowError:
                lr = math.inf
            out.append(from_zero(lr, f"{type(self).__name__}, step {t}: the lr of group {index}"))
        return out

    def step(self):
        """Advance by one if the optimizer has made an update since the last call."""
        if self._advances():
            self._move_to(self.last_epoch + 1)

    def _move_to(self, t):
        groups, kept = self.optimizer.param_groups, (self._scales, self._zeros)
        now = [from_zero(group["lr"], f"group {index}: lr") for index, group in enumerate(groups)]
        changes = [self._changed(index, lr) for index, lr in enumerate(now[:len(self._last)])]
        self._scales, self._zeros = (list(column) for column in zip(*changes))
        try:
            new = [0.0 if zero else lr for zero, lr in zip(self._zeros, self.at(t))]
        except BaseException:
            self._scales, self._zeros = kept
            raise
        self.last_epoch, self._last = t, new
        for group, lr in zip(groups, new):
            group["lr"] = lr

    def _changed(self, index, lr):
        """Return a group's factor, and whether somebody else's 0 is in force, where its rate is found to be ``lr``."""
        last, scale, zero = self._last[index], self._scales[index], self._zeros[index]
        if lr == last:
            return scale, zero
        if lr == 0:                     # never a factor: nothing would lead back from it
            return scale, True
        if last:
            return scale * (lr / last), False
        own = self.value(self.base_lrs[index], max(self.last_epoch, 0), index)
        return (lr / own if own else scale), False

    def state_dict(self):
        """Return where the schedule stands, for :meth:`load_state_dict`; functions and settings are not in it."""
        return {"last_epoch": self.last_epoch, "base_lrs": list(self.base_lrs), "scales": list(self._scales),
                "zeros": list(self._zeros), "last_lr": list(self._last), "seen": self._seen}

    def load_state_dict(self, state):
        """Take up a state that :meth:`state_dict` returned, and set the groups' learning rates accordingly.

        Raises:
            ValueError: for a state of other keys, or of another number of groups; nothing has changed then.
        """
        mine = self.state_dict()
        if not isinstance(state, dict) or state.keys() != mine.keys():
            raise ValueError(f"{type(self).__name__}: a state has the keys {', '.join(mine)}")
        if any(len(state[key]) != len(mine[key]) for key in ("base_lrs", "scales", "zeros", "last_lr")):
            raise ValueError(f"{type(self).__name__}: the state is of {len(state['base_lrs'])} groups, the optimizer "
                             f"has {len(self.base_lrs)}")
        self.last_epoch, self._seen = state["last_epoch"], state["seen"]
        self.base_lrs, self._scales = list(state["base_lrs"]), list(state["scales"])
        self._zeros, self._last = list(state["zeros"]), list(state["last_lr"])
        for group, base, lr in zip(self.optimizer.param_groups, self.base_lrs, self._last):
            group["initial_lr"], group["lr"] = base, lr

    def __repr__(self):
        return f"{type(self).__name__}(step {self.last_epoch}, lr={'/'.join(f'{lr:g}' for lr in self._last)})"


# ------------------------------------------------------------------------------------------ the schedules

class StepLR(LRScheduler):
    """lr = base * gamma^floor(t / step_size).

    Example:
        >>> import minigrad as mg
        >>> from minigrad import optim
        >>> opt = optim.SGD([mg.tensor([1.0], requires_grad=True)], lr=0.8)
        >>> schedule = optim.lr_scheduler.StepLR(opt, step_size=2, gamma=0.5)
        >>> [schedule.at(t)[0] for t in range(6)]
        [0.8, 0.8, 0.4, 0.4, 0.2, 0.2]
    """

    def __init__(self, optimizer, step_size, gamma=0.1, last_epoch=-1):
        self.step_size, self.gamma = whole(step_size, "step_size", 1), from_zero(gamma, "gamma")
        super().__init__(optimizer, last_epoch)

    def value(self, base, t, group):
        return base * self.gamma ** (t // self.step_size)


class MultiStepLR(LRScheduler):
    """lr = base * gamma^(milestones reached by t); the milestones increase.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import optim
        >>> opt = optim.SGD([mg.tensor([1.0], requires_grad=True)], lr=0.8)
        >>> schedule = optim.lr_scheduler.MultiStepLR(opt, milestones=[1, 4], gamma=0.5)
        >>> [schedule.at(t)[0] for t in range(6)]
        [0.8, 0.4, 0.4, 0.4, 0.2, 0.2]
    """

    def __init__(self, optimizer, milestones, gamma=0.1, last_epoch=-1):
        self.milestones, self.gamma = increasing(milestones), from_zero(gamma, "gamma")
        super().__init__(optimizer, last_epoch)

    def value(self, base, t, group):
        return base * self.gamma ** bisect_right(self.milestones, t)


class ExponentialLR(LRScheduler):
    """lr = base * gamma^t.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import optim
        >>> opt = optim.SGD([mg.tensor([1.0], requires_grad=True)], lr=0.8)
        >>> schedule = optim.lr_scheduler.ExponentialLR(opt, gamma=0.5)
        >>> [schedule.at(t)[0] for t in range(4)]
        [0.8, 0.4, 0.2, 0.1]
    """

    def __init__(self, optimizer, gamma, last_epoch=-1):
        self.gamma = from_zero(gamma, "gamma")
        super().__init__(optimizer, last_epoch)

    def value(self, base, t, group):
        return base * self.gamma ** t


class CosineAnnealingLR(LRScheduler):
    """lr = eta_min + (base - eta_min) (1 + cos(pi t / T_max)) / 2 (Loshchilov and Hutter 2017, without restarts).

    Beyond ``T_max`` it rises again, as in PyTorch.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import optim
        >>> opt = optim.SGD([mg.tensor([1.0], requires_grad=True)], lr=0.8)
        >>> schedule = optim.lr_scheduler.CosineAnnealingLR(opt, T_max=4)
        >>> [round(schedule.at(t)[0], 4) for t in range(6)]
        [0.8, 0.6828, 0.4, 0.1172, 0.0, 0.1172]
    """

    def __init__(self, optimizer, T_max, eta_min=0.0, last_epoch=-1):
        self.T_max, self.eta_min = whole(T_max, "T_max", 1), from_zero(eta_min, "eta_min")
        super().__init__(optimizer, last_epoch)

    def value(self, base, t, group):
        return self.eta_min + (base - self.eta_min) * (1 + math.cos(math.pi * t / self.T_max)) / 2


class LambdaLR(LRScheduler):
    """lr = base * lr_lambda(t); one function, or a list with one for each group.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import optim
        >>> opt = optim.SGD([mg.tensor([1.0], requires_grad=True)], lr=0.8)
        >>> schedule = optim.lr_scheduler.LambdaLR(opt, lambda t: min(1, t / 4))
        >>> [round(schedule.at(t)[0], 4) for t in range(6)]
        [0.0, 0.2, 0.4, 0.6, 0.8, 0.8]
    """

    def __init__(self, optimizer, lr_lambda, last_epoch=-1):
        self.lr_lambdas = list(lr_lambda) if isinstance(lr_lambda, (list, tuple)) else None
        for fn in self.lr_lambdas or [lr_lambda]:
            if not callable(fn):
                raise TypeError(f"lr_lambda is a function of the step, or a list of them, not {fn!r}")
        groups = len(getattr(optimizer, "param_groups", ()))
        if self.lr_lambdas is None:
            self.lr_lambdas = [lr_lambda] * groups
        if len(self.lr_lambdas) != groups:
            raise ValueError(f"lr_lambda has {len(self.lr_lambdas)} functions for {groups} groups")
        super().__init__(optimizer, last_epoch)

    def value(self, base, t, group):
        return base * self.lr_lambdas[group](t)


class LinearLR(LRScheduler):
    """lr = base * (start_factor + (end_factor - start_factor) min(t, total_iters) / total_iters): a warm-up.

    With something after it: ``SequentialLR(opt, [LinearLR(opt, 0.1, total_iters=100), CosineAnnealingLR(opt, 900)],
    milestones=[100])``.

    Args:
        start_factor: in (0, 1].
        end_factor: in [0, 1].
        total_iters: effective steps until the end is reached.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import optim
        >>> opt = optim.SGD([mg.tensor([1.0], requires_grad=True)], lr=0.8)
        >>> schedule = optim.lr_scheduler.LinearLR(opt, start_factor=0.25, total_iters=3)
        >>> [round(schedule.at(t)[0], 4) for t in range(5)]
        [0.2, 0.4, 0.6, 0.8, 0.8]
    """

    def __init__(self, optimizer, start_factor=1 / 3, end_factor=1.0, total_iters=5, last_epoch=-1):
        self.start_factor, self.end_factor = share(start_factor, "start_factor"), share(end_factor, "end_factor")
        if not self.start_factor:
            raise ValueError("start_factor = 0: must be > 0")
        self.total_iters = whole(total_iters, "total_iters", 1)
        super().__init__(optimizer, last_epoch)

    def value(self, base, t, group):
        way = min(t, self.total_iters) / self.total_iters
        return base * (self.start_factor + (self.end_factor - self.start_factor) * way)


class ConstantLR(LRScheduler):
    """lr = base * factor for the first ``total_iters`` steps, then base.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import optim
        >>> opt = optim.SGD([mg.tensor([1.0], requires_grad=True)], lr=0.8)
        >>> schedule = optim.lr_scheduler.ConstantLR(opt, factor=0.25, total_iters=2)
        >>> [schedule.at(t)[0] for t in range(4)]
        [0.2, 0.2, 0.8, 0.8]
    """

    def __init__(self, optimizer, factor=1 / 3, total_iters=5, last_epoch=-1):
        self.factor, self.total_iters = share(factor, "factor"), whole(total_iters, "total_iters", 1)
        super().__init__(optimizer, last_epoch)

    def value(self, base, t, group):
        return base * self.factor if t < self.total_iters else base


# --------------------------------------------------------------------------------------------- settings

def whole(value, what, least):
    """Return a whole number of at least ``least``."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < least:
        raise ValueError(f"{what} = {value!r}: a whole number, at least {least}")
    return int(value)


def share(value, what):
    """Return a number in [0, 1]."""
    if not 0 <= from_zero(value, what) <= 1:
        raise ValueError(f"{what} = {value!r}: must be in [0, 1]")
    return float(value)


def increasing(milestones):
    """Return milestones as a list of whole numbers that increase."""
    if not hasattr(milestones, "__iter__"):
        raise ValueError(f"milestones = {milestones!r}: a list of steps")
    out = [whole(m, "milestones", 0) for m in milestones]
    if out != sorted(out):
        raise ValueError(f"milestones = {out}: must increase")
    return out

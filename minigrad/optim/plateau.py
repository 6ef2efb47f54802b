"""A schedule that waits until a measure no longer improves."""

import math

from minigrad.optim.groups import from_zero
from minigrad.optim.schedules import Counting, share, whole


class ReduceLROnPlateau(Counting):
    """Multiply the learning rate by ``factor`` when a measure has not improved for more than ``patience`` steps.

    ``schedule.step(loss)`` takes the measure; a call without an update since the last one is not counted.  NaN is no
    improvement.

    Args:
        optimizer: its groups' learning rates are reduced.
        mode: "min" if less is better, "max" if more is.
        factor: in [0, 1).
        patience: how many steps without improvement are let pass.
        threshold: an improvement is more than this, as a share of the best so far (``threshold_mode="rel"``) or by
            itself ("abs").
        cooldown: steps after a reduction that are not counted.
        min_lr: not below this; a number, or a list with one for each group.
        eps: reductions by no more than this are not made.

    Raises:
        ValueError: for settings out of range.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import optim
        >>> w = mg.tensor([1.0], requires_grad=True)
        >>> opt = optim.SGD([w], lr=0.8)
        >>> schedule, rates = optim.lr_scheduler.ReduceLROnPlateau(opt, factor=0.5, patience=1), []
        >>> for loss in (3.0, 2.0, 2.0, 2.0, 1.0):
        ...     w.grad = [0.1]
        ...     rates.append(opt.step(loss=loss).lr)
        ...     schedule.step(loss)
        >>> rates
        [0.8, 0.8, 0.8, 0.8, 0.4]
    """

    def __init__(self, optimizer, mode="min", factor=0.1, patience=10, threshold=1e-4, threshold_mode="rel",
                 cooldown=0, min_lr=0.0, eps=1e-8):
        super().__init__(optimizer)
        if mode not in ("min", "max"):
            raise ValueError(f"mode = {mode!r}: 'min' or 'max'")
        if threshold_mode not in ("rel", "abs"):
            raise ValueError(f"threshold_mode = {threshold_mode!r}: 'rel' or 'abs'")
        self.mode, self.threshold_mode, self.threshold = mode, threshold_mode, from_zero(threshold, "threshold")
        self.factor, self.eps = share(factor, "factor"), from_zero(eps, "eps")
        if self.factor == 1:
            raise ValueError("factor = 1: must be < 1")
        self.patience, self.cooldown = whole(patience, "patience", 0), whole(cooldown, "cooldown", 0)
        groups = len(optimizer.param_groups)
        self.min_lrs = list(min_lr) if isinstance(min_lr, (list, tuple)) else [min_lr] * groups
        if len(self.min_lrs) != groups:
            raise ValueError(f"min_lr has {len(self.min_lrs)} numbers for {groups} groups")
        self.min_lrs = [from_zero(lr, "min_lr") for lr in self.min_lrs]
        self.best, self.num_bad_epochs, self.cooldown_counter, self.last_epoch = None, 0, 0, 0
        self._last = [group["lr"] for group in optimizer.param_groups]

    def step(self, metrics):
        """Take a measure, a number or a tensor of one element, and reduce the learning rates if it is time."""
        value = float(metrics)
        if not self._advances():
            return
        self.last_epoch += 1
        if self._improves(value):
            self.best, self.num_bad_epochs = value, 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter:
            self.cooldown_counter, self.num_bad_epochs = self.cooldown_counter - 1, 0
        if self.num_bad_epochs > self.patience:
            for group, least in zip(self.optimizer.param_groups, self.min_lrs):
                lr = max(group["lr"] * self.factor, least)
                if group["lr"] - lr > self.eps:
                    group["lr"] = lr
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0
        self._last = [group["lr"] for group in self.optimizer.param_groups]

    def _improves(self, value):
        if self.best is None:
            return not math.isnan(value)
        margin = self.threshold * (abs(self.best) if self.threshold_mode == "rel" else 1.0)
        return value < self.best - margin if self.mode == "min" else value > self.best + margin

    def state_dict(self):
        """Return where the schedule stands, for :meth:`load_state_dict`."""
        return {"best": self.best, "num_bad_epochs": self.num_bad_epochs, "cooldown_counter": self.cooldown_counter,
                "last_epoch": self.last_epoch, "last_lr": list(self._last), "seen": self._seen}

    def load_state_dict(self, state):
        """Take up a state that :meth:`state_dict` returned, and set the groups' learning rates accordingly.

        Raises:
            ValueError: for a state of other keys, or of another number of groups; nothing has changed then.
        """
        mine = self.state_dict()
        if not isinstance(state, dict) or state.keys() != mine.keys() or len(state["last_lr"]) != len(self._last):
            raise ValueError(f"ReduceLROnPlateau: a state has the keys {', '.join(mine)}, and a last_lr for each of "
                             f"{len(self._last)} groups")
        self.best, self.last_epoch, self._seen = state["best"], state["last_epoch"], state["seen"]
        self.num_bad_epochs, self.cooldown_counter = state["num_bad_epochs"], state["cooldown_counter"]
        self._last = list(state["last_lr"])
        for group, lr in zip(self.optimizer.param_groups, self._last):
            group["lr"] = lr

"""What the tests of opt.state_dict() share: runs that can be stopped anywhere, and what they are to the bit."""

import math
import re

import numpy as np
import pytest
from optimizing import OPTIMIZERS

import minigrad as mg
from minigrad import nn, optim
from minigrad.hooks import (
    AGC,
    Accumulate,
    AddNoise,
    AutoClip,
    Centralize,
    ClipAverage,
    ClipNorm,
    ClipValue,
    LossScaler,
    NonFinite,
    Normalize,
    Stateful,
    Unscale,
    ZClip,
)
from minigrad.optim import lr_scheduler

MICRO = 14
"""So many micro-steps has a run; the number 5 is NaN."""


def bits(value):
    """Return a value, however nested, as something that is equal only if it is so to the bit."""
    if isinstance(value, mg.Tensor):
        return "tensor", bits(value.data)
    if isinstance(value, np.ndarray):
        strides = [stride for stride, n in zip(value.strides, value.shape) if n > 1 and value.size]
        return value.dtype.str, value.shape, strides, value.tobytes()
    if isinstance(value, dict):
        return {key: bits(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value).__name__, [bits(inner) for inner in value]
    return type(value).__name__, repr(value)


class Smooth(Stateful):
    """Five lines of the user's own: a running mean of the gradient, in whatever order of memory that has."""

    remembers = {"means": {}}

    def __call__(self, grads, ctx):
        self.means = {name: m if g is None else g if m is None else 0.5 * m + 0.5 * g
                      for name, g in grads.items() for m in [self.means.get(name)]}
        return {name: None if g is None else self.means[name] for name, g in grads.items()}


class Flips:
    """A hook of one's own without a base: a state of other keys every time."""

    def __init__(self):
        self.seen = {}

    def __call__(self, grads, ctx):
        self.seen = {**self.seen, f"step {ctx.step}": ctx.norm}
        return {name: g if g is None else g * (-1) ** len(self.seen) for name, g in grads.items()}

    def state_dict(self):
        return self.seen

    def load_state_dict(self, state):
        self.seen = state


class Run:
    """Parameters of several kinds, an optimizer and its schedules; gradients depend on the micro-step and parameters.

    "w" has gradients that lie in memory column by column, "c" in no usual order, "b" has none at times, "z" never.
    """

    def __init__(self, make, seed, hooks=(), update_hooks=(), group=None, schedules=(), nan=False, maximize=False,
                 dtype=np.float64, **options):
        rng = np.random.default_rng(seed)
        shapes = {"w": (17, 13), "c": (3, 4, 5), "b": (3,), "s": (), "z": (2,), "h": (6,)}
        self.params = {name: mg.tensor(rng.normal(size=shape).astype("f4" if name == "h" else dtype),
                                       requires_grad=True) for name, shape in shapes.items()}
        names = ("w", "b", "z", "h"), ("c", "s")
        groups = [{"params": {name: self.params[name] for name in part}} for part in names]
        groups[1].update(lr=0.05, name="small", **({} if group is None else {"hooks": group()}))
        self.trace = mg.NormTrace(per_parameter=True)
        self.opt = make(groups, hooks=[hook() for hook in hooks], update_hooks=[hook() for hook in update_hooks],
                        trace=self.trace, maximize=maximize, **options)
        self.schedules = [schedule(self.opt) for schedule in schedules]
        self.nan = nan

    def micro_step(self, i):
        """Make one micro-step; return what there is to see of it, to the bit."""
        rng, before = np.random.default_rng([7, i]), len(self.trace)
        for name, p in self.params.items():
            g = (rng.normal(size=p.shape) + 0.1 * p.data).astype(p.dtype)
            if name in "wc":
                g = np.empty(p.shape[-2:] + p.shape[:-2], p.dtype).transpose(-1, *range(p.ndim - 1)) if name == "c" \
                    else np.empty(p.shape[::-1], p.dtype).T
                g[...] = rng.normal(size=p.shape) + 0.1 * p.data
                if self.nan and i == 5:
                    g[0, 1] = math.nan
            p.grad = None if name == "z" or (name == "b" and i % 4 == 2) else g
        report = self.opt.step(weight=1 + i % 3, loss=10.0 - i % 5)
        return self.after(i, report, before)

    def after(self, i, report, before):
        """Let the schedules follow, and somebody change a rate by hand behind their backs; return what there is."""
        for schedule in reversed(self.schedules):
            waits = isinstance(schedule, lr_scheduler.ReduceLROnPlateau)
            schedule.step(*[report.loss] if waits else [])
        if i == 8:
            self.opt.param_groups[-1]["lr"] *= 0.75
        return str(report), repr(report), bits(self.trace.rows[before:]), self.state()

    def state(self):
        return bits({"params": {name: p.data for name, p in self.params.items()}, "opt": self.opt.state_dict(),
                     "rates": [group["lr"] for group in self.opt.param_groups if not callable(group["lr"])],
                     "schedules": [schedule.state_dict() for schedule in self.schedules]})

    def checkpoint(self):
        return {"net": {name: p.data for name, p in self.params.items()}, "opt": self.opt.state_dict()}

    def load(self, checkpoint):
        for name, p in self.params.items():
            p.data = checkpoint["net"][name]
        self.opt.load_state_dict(checkpoint["opt"])


class Net(nn.Module):
    """Two heads, the second of which is not always used."""

    def __init__(self, rng):
        super().__init__()
        self.body, self.one, self.two = (nn.Linear(*size, rng=rng) for size in ((3, 8), (8, 2), (8, 2)))

    def forward(self, x, both):
        h = self.body(x).tanh()
        return self.one(h) + self.two(h) if both else self.one(h)


class Training(Run):
    """All at once: Adam, Accumulate(4), dynamic scaling, AutoClip, two schedules, a micro-batch of NaN."""

    def __init__(self, seed):
        self.net = Net(np.random.default_rng(seed))
        self.params = dict(self.net.named_parameters())
        self.scaler = LossScaler(1024.0 if seed == 1 else 8.0, interval=3)
        self.trace = mg.NormTrace()
        self.opt = optim.Adam(self.net.parameters(), lr=0.03, trace=self.trace,
                              hooks=[Unscale(self.scaler), NonFinite("skip"), Accumulate(4), AutoClip(50)])
        self.schedules = [lr_scheduler.StepLR(self.opt, 2, gamma=0.5),
                          lr_scheduler.ReduceLROnPlateau(self.opt, patience=1, factor=0.5)]

    def micro_step(self, i):
        rng, before = np.random.default_rng([3, i]), len(self.trace)
        x, y = rng.normal(size=(1 + i % 3, 3)), rng.normal(size=(1 + i % 3, 2))
        if i == 5:
            x[0, 1] = math.nan
        self.opt.zero_grad()
        loss = nn.functional.mse_loss(self.net(x, both=i % 3 != 1), y)
        self.scaler.scale(loss).backward()
        return self.after(i, self.opt.step(weight=len(x), loss=2.0), before)

    def checkpoint(self):
        return {"net": self.net.state_dict(), "opt": self.opt.state_dict()}

    def load(self, checkpoint):
        self.net.load_state_dict(checkpoint["net"])
        self.opt.load_state_dict(checkpoint["opt"])


BASE = {"hooks": [lambda: NonFinite("skip"), lambda: Accumulate(3), lambda: ClipNorm(1.0)], "nan": True}
PIPELINES = {
    "none": {}, "maximize": {"maximize": True}, "float32": {**BASE, "dtype": np.float32},
    "float16": {**BASE, "dtype": np.float16},
    "mean": {"hooks": [lambda: Accumulate(4)]}, "sum": {"hooks": [lambda: Accumulate(3, reduction="sum")]},
    "growing window": {"hooks": [lambda: Accumulate(lambda t: 1 + t)]},
    "clip, then accumulate": {"hooks": [lambda: ClipNorm(1.0), lambda: Accumulate(2), lambda: ClipValue(0.5)]},
    "AutoClip": {"hooks": [lambda: NonFinite("skip"), lambda: AutoClip(30, history=5)], "nan": True},
    "AutoClip, then accumulate": {"hooks": [lambda: AutoClip(30), lambda: Accumulate(2)]},
    "ZClip": {"hooks": [lambda: ZClip(warmup=4, z=0.5)]},
    "ClipAverage": {"hooks": [lambda: ClipAverage(0.9, history=5, warmup=3)]},
    "AGC": {"hooks": [lambda: AGC(0.05)]}, "Normalize": {"hooks": [lambda: Accumulate(2), lambda: Normalize()]},
    "Centralize": {"hooks": [lambda: Centralize(), lambda: ClipNorm(1.0)]},
    "one's own": {"hooks": [Smooth, Flips, lambda: ClipNorm(1.0)]},
    "update hooks": {**BASE, "update_hooks": [Smooth, lambda: AutoClip(30), lambda: ClipNorm(0.05)]},
    "group hooks": {**BASE, "group": lambda: [AutoClip(20), Smooth(), ClipNorm(0.5)]},
    "a group's NonFinite": {"group": lambda: [NonFinite("skip", max_consecutive=2), ZClip(warmup=2)]},
}
SCHEDULES = {
    "StepLR": [lambda opt: lr_scheduler.StepLR(opt, 2, gamma=0.5)],
    "MultiStepLR": [lambda opt: lr_scheduler.MultiStepLR(opt, [1, 4], gamma=0.5)],
    "ExponentialLR": [lambda opt: lr_scheduler.ExponentialLR(opt, 0.9)],
    "CosineAnnealingLR": [lambda opt: lr_scheduler.CosineAnnealingLR(opt, 3, eta_min=0.01)],
    "LambdaLR": [lambda opt: lr_scheduler.LambdaLR(opt, lambda t: 1 / (1 + t))],
    "LinearLR": [lambda opt: lr_scheduler.LinearLR(opt, 0.1, total_iters=3)],
    "ConstantLR": [lambda opt: lr_scheduler.ConstantLR(opt, 0.1, total_iters=3)],
    "SequentialLR": [lambda opt: lr_scheduler.SequentialLR(opt, [
        lr_scheduler.LinearLR(opt, 0.1, total_iters=2), lr_scheduler.ExponentialLR(opt, 0.9)], [2])],
    "ChainedScheduler": [lambda opt: lr_scheduler.ChainedScheduler([
        lr_scheduler.ConstantLR(opt, 0.1, total_iters=2), lr_scheduler.ExponentialLR(opt, 0.9)])],
    "plateau": [lambda opt: lr_scheduler.ReduceLROnPlateau(opt, patience=0, factor=0.5)],
    "two": [lambda opt: lr_scheduler.StepLR(opt, 2, gamma=0.5),
            lambda opt: lr_scheduler.ReduceLROnPlateau(opt, patience=1, factor=0.5)],
    "two of a kind": [lambda opt: lr_scheduler.StepLR(opt, 2, gamma=0.5), lambda opt: lr_scheduler.StepLR(opt, 3, 0.7)],
}


def noisy(seed):
    """Noise of another seed after each build, so that nothing is right by accident."""
    return {"hooks": [lambda: NonFinite("skip"), lambda: AddNoise(0.1, rng=seed),
                      lambda: AddNoise(0.01, rng=np.random.Generator(np.random.MT19937(seed)))],
            "update_hooks": [lambda: AddNoise(1e-4, rng=seed + 1)], "nan": True}


def scaled(seed):
    """A scale that starts elsewhere after each build."""
    return {"hooks": [lambda: Unscale(LossScaler(2.0 ** seed, interval=2)), lambda: NonFinite("skip"),
                      lambda: Accumulate(2), lambda: ClipNorm(1.0)], "nan": True}


CASES = {
    "all at once": Training,
    "noise": lambda seed: Run(OPTIMIZERS["Adam"], seed, **noisy(seed)),
    "loss scale": lambda seed: Run(OPTIMIZERS["SGD"], seed, **scaled(seed)),
    "lr is a function": lambda seed: Run(optim.Adam, seed, lr=lambda t: 0.1 / (1 + t)),
    **{name: lambda seed, make=make: Run(make, seed, **BASE, schedules=SCHEDULES["StepLR"])
       for name, make in OPTIMIZERS.items()},
    "AdamW with decay": lambda seed: Run(optim.AdamW, seed, **BASE, lr=0.1, weight_decay=0.1),
    **{name: lambda seed, case=case: Run(OPTIMIZERS["momentum"], seed, **case) for name, case in PIPELINES.items()},
    **{name: lambda seed, case=case: Run(OPTIMIZERS["Adam"], seed, hooks=[lambda: Accumulate(2)], schedules=case)
       for name, case in SCHEDULES.items()},
}


# --------------------------------------------------------------------------------------- to be refused

TWO = SCHEDULES["two"]
HOOKS = [lambda: Unscale(LossScaler(4.0, interval=2)), lambda: NonFinite("skip"), lambda: Accumulate(3),
         lambda: AutoClip(30), lambda: ClipNorm(1.0)]


def build(seed, make=optim.Adam, **changes):
    """A run with something of everything, but for ``changes``."""
    return Run(make, seed, **{"hooks": HOOKS, "update_hooks": [lambda: ZClip(warmup=2), Smooth],
                              "group": lambda: [ClipAverage(1.0, warmup=1)], "schedules": TWO, "lr": 0.1, **changes})


def advanced(run, steps):
    for i in range(steps):
        run.micro_step(i)
    return run


def everything(run):
    """What a refused load must not have changed: the state, the groups to the letter, who is who."""
    opt = run.opt
    groups = [{key: [id(one) for one in value] if key in ("params", "hooks") else bits(value)
               for key, value in group.items()} for group in opt.param_groups]
    return (run.state(), groups, [id(hook) for hook in opt._all_hooks()],
            {name: {key: id(value) for key, value in held.items()} for name, held in opt.state.items()})


def refused(run, state, *said):
    """Load a state that is refused, by a message that says this, and changes nothing; return the error."""
    before, given = everything(run), bits(state)
    with pytest.raises(ValueError) as caught:
        run.opt.load_state_dict(state)
    for text in said:
        assert re.search(text, str(caught.value)), str(caught.value)
    assert len(str(caught.value)) < 600
    assert (everything(run), bits(state)) == (before, given)
    return caught.value


def state_after(steps, **changes):
    run = advanced(build(1, **changes), steps)          # whose schedules are in the state while somebody holds them
    return run.opt.state_dict()


STATE = state_after(9)

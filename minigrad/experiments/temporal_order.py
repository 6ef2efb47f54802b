"""Does clipping rescue the training of a recurrent net (Pascanu, Mikolov and Bengio 2013)?

A tanh RNN of 50 units reads 20 symbols and says in which order two of them came
(:class:`minigrad.tasks.TemporalOrder`).  It is trained by plain SGD, by SGD with the norm of the gradient clipped, and
by that with Omega besides, the regulariser that asks the gradient to keep its length through time
(:class:`minigrad.penalty.Omega`).  The three begin with the same weights and see the same batches, seed by seed; a run
has solved the task when it errs on less than 1 % of 1000 sequences that it was not trained on.  The weights begin as in
the code released with the paper: N(0, 0.01^2), and in the recurrent matrix 15 numbers in each row, scaled to a spectral
radius of 0.95.  Omega is that code's too: ratios of squared norms, averaged over steps and sequences.  Where there is a
clip, it acts on the sum of the gradients of loss and Omega.

At first the gradient vanishes: what came 20 steps ago counts little.  To learn at all the net must pass through a state
in which the gradient explodes (see ``gradient_through_time``), and there, at lr = 0.1, a plain step throws the
weights to where tanh is saturated.  Hence plain SGD is expected to solve none of six, and the others nearly all.

This is a matter of the learning rate.  At lr = 0.03, plain SGD solves the same task for 5 seeds of 6 within 6000
updates, at 0.01 for 4, at 0.003 for 1, though in five times as many updates.  What
clipping does is to widen the range of learning rates that work.
"""

import math
from dataclasses import dataclass, field

import numpy as np

import minigrad as mg
from minigrad import NormTrace, hooks, nn, optim, penalty, plot, tasks
from minigrad.experiments.experiment import Expected, Result, quiet
from minigrad.experiments.settings import Settings, setting
from minigrad.nn import functional as F
from minigrad.norms import norm
from minigrad.theory import spectral_radius

QUESTION = "Does clipping rescue training?"
SECONDS = 25

METHODS = {"sgd": "SGD", "clip": "SGD, clipped", "omega": "SGD, clipped, Omega"}
COLOURS = {"sgd": plot.style.BEFORE, "clip": plot.style.AFTER, "omega": plot.style.GREEN}
SOLVED = 0.01
"""A run has solved the task when it errs on a smaller share than this."""


@dataclass(frozen=True)
class Training(Settings):
    """What all trainings on this task have in common."""

    length: int = setting(20, least=10, most=200, doc="symbols per sequence, T")
    hidden: int = setting(50, least=15, most=500, doc="units")
    lr: float = setting(0.1, above=0, most=10, doc="learning rate")
    updates: int = setting(3000, least=1, most=10 ** 6, doc="updates at most")
    every: int = setting(250, least=1, doc="updates between two tests")
    batch: int = setting(20, least=1, most=1000, doc="sequences per update")
    tests: int = setting(1000, least=1, most=100_000, doc="sequences per test")
    seed: int = setting(0, least=0, doc="the first seed")
    seeds: int = setting(6, least=1, most=100, doc="runs of each kind")

    @property
    def each_seed(self):
        """The seeds."""
        return range(self.seed, self.seed + self.seeds)


@dataclass(frozen=True)
class Config(Training):
    """What is run."""

    methods: tuple = setting(tuple(METHODS), choices=tuple(METHODS), doc="which of the three")
    clip: float = setting(1.0, above=0, may_be_inf=True, doc="threshold on the norm where it is clipped")
    omega: float = setting(2.0, least=0, most=100, doc="weight of Omega")


class OrderNet(nn.Module):
    """A tanh RNN and a linear layer on its last state, drawn as in the code released with the paper.

    Its only bias of the recurrence is ``bias_hh_l0``; the second one that PyTorch's RNN has stays 0.
    """

    def __init__(self, task, hidden, rng):
        self.rnn = nn.RNN(task.inputs, hidden, rng=rng)
        self.out = nn.Linear(hidden, task.outputs, rng=rng)
        for weight in (self.rnn.weight_ih_l0, self.out.weight):
            nn.init.normal_(weight, std=0.01, rng=rng)
        for bias in (self.rnn.bias_ih_l0, self.rnn.bias_hh_l0, self.out.bias):
            nn.init.zeros_(bias)
        nn.init.sparse_(self.rnn.weight_hh_l0, 15, rho=0.95, rng=rng)
        self.rnn.bias_ih_l0.requires_grad_(False)

    def forward(self, x):
        """Return logits (N, classes) for x (T, N, inputs)."""
        _, last = self.rnn(x)
        return self.out(last[0])


@dataclass
class Run:
    """One training run.

    Attributes:
        losses, norms: per update, the norms before clipping.
        checks: after how many updates it was tested; ``errors`` and ``radii`` are the shares of wrong answers and the
            spectral radii of the recurrent matrix at these.
        times: array (updates, T), ||dL/dh_t||, if it was asked for.
        share_clipped: of the updates.
    """

    losses: list = field(default_factory=list)
    norms: np.ndarray = None
    checks: list = field(default_factory=list)
    errors: list = field(default_factory=list)
    radii: list = field(default_factory=list)
    times: list = field(default_factory=list)
    share_clipped: float = math.nan

    @property
    def solved(self):
        """Whether it ends with the task solved."""
        return self.errors[-1] < SOLVED

    @property
    def solved_once(self):
        """Whether it was seen to be solved at some time."""
        return min(self.errors) < SOLVED

    @property
    def needed(self):
        """After how many updates it was first seen to be solved; NaN if it never was."""
        return next((check for check, error in zip(self.checks, self.errors) if error < SOLVED), math.nan)


def train(config, seed, clip=math.inf, omega=0.0, stop=True, times=False):
    """Train one net on the temporal order task.

    Args:
        config: a :class:`Training`; its own seed does not count.
        seed: of weights, batches and tests.
        clip: threshold; inf measures and never clips.
        omega: weight of Omega.
        stop: whether to end as soon as the task is solved.
        times: whether to keep ||dL/dh_t|| for each update.

    Returns:
        a Run.
    """
    rng, task = np.random.default_rng(seed), tasks.TemporalOrder(config.length, config.batch)
    net, trace, run = OrderNet(task, config.hidden, rng), NormTrace(), Run()
    x_test, y_test = task.sample(np.random.default_rng([seed, 1]), config.tests)
    penalised = penalty.Omega(net.rnn, omega, squared=True, mean=True, floor=1e-10) if omega else None
    opt = optim.SGD([p for p in net.parameters() if p.requires_grad], config.lr, hooks=[hooks.ClipNorm(clip)],
                    trace=trace)
    if times:
        net.rnn.register_step_hook(lambda g, t: run.times[-1].__setitem__(t, norm(g.data)))

    def test(update):
        with mg.no_grad():
            guesses = net(x_test).argmax(axis=-1)
        run.checks.append(update)
        run.errors.append(float((guesses.data != y_test).mean()))
        run.radii.append(float(spectral_radius(net.rnn.weight_hh_l0.data)))

    # A run that is thrown out may compute with inf until its end, and is not to be stopped for it.
    with np.errstate(all="ignore"):
        for update in range(config.updates):
            if update % config.every == 0:
                test(update)
                if stop and run.solved:
                    break
            x, y = task.sample(rng)
            if times:
                run.times.append(np.zeros(config.length))
            loss = F.cross_entropy(net(x), y)
            opt.zero_grad()
            loss.backward()
            if penalised is not None:
                penalised.add_gradient()
            opt.step(loss=loss)
            run.losses.append(loss.item())
        else:
            test(config.updates)
    run.norms = trace.column("norm_in", stage=0)
    run.share_clipped = float(trace.share_clipped())
    return run


def padded(rows):
    """Return rows of different lengths as one array, NaN where a row has ended."""
    array = np.full((len(rows), max(map(len, rows))), np.nan)
    for row, values in zip(array, rows):
        row[:len(values)] = values
    return array


def run(config, progress=quiet):
    """Train by each method, seed by seed."""
    runs = {method: [] for method in config.methods}
    for seed in progress(config.each_seed, "seeds"):
        for method, found in runs.items():
            clip = math.inf if method == "sgd" else config.clip
            found.append(train(config, seed, clip, config.omega if method == "omega" else 0.0))
    headline, arrays = {"runs of each": config.seeds}, {}
    for method, found in runs.items():
        name, needed = METHODS[method], [r.needed for r in found if r.solved]
        headline[f"solved, {name}"] = sum(r.solved for r in found)
        headline[f"median of updates needed, {name}"] = float(np.median(needed)) if needed else math.nan
        headline[f"largest norm, {name}"] = float(max(r.norms.max(initial=0.0) for r in found))
        headline[f"share of updates clipped, {name}"] = float(np.mean([r.share_clipped for r in found]))
        for what in ("errors", "radii", "losses", "norms"):
            arrays[f"{what}, {name}"] = padded([getattr(r, what) for r in found])
        arrays[f"needed, {name}"] = np.array([r.needed for r in found])
    arrays["checks"] = np.minimum(np.arange(0, config.updates + config.every, config.every), config.updates)
    return Result(config, headline, arrays)


SOURCE = "Pascanu, Mikolov and Bengio 2013; counted of 6 seeds"
EXPECTED = (
    Expected("solved, SGD", 1, SOURCE, kind="at most"),
    Expected("solved, SGD, clipped", 5, SOURCE, kind="at least"),
    Expected("solved, SGD, clipped, Omega", 5, SOURCE, kind="at least"),
)


def answer(result):
    """Return what was found, in a sentence."""
    h, config = result.headline, result.config
    counts = ", ".join(f"{h[f'solved, {METHODS[m]}']} of {config.seeds} by {METHODS[m]}" for m in config.methods)
    return f"At lr = {config.lr:g} and T = {config.length} these many runs solve the task: {counts}."


def figure(result):
    """Draw how many were solved, the error on the way, and the norms of the first seed."""
    from matplotlib.figure import Figure

    a, h, config = result.arrays, result.headline, result.config
    with plot.styled():
        fig = Figure(figsize=(13.5, 4.8), layout="constrained")
        left, middle, right = fig.subplots(1, 3, width_ratios=(0.8, 1.2, 1.2))
        for place, method in enumerate(config.methods):
            name, colour = METHODS[method], COLOURS[method]
            count = h[f"solved, {name}"]
            left.bar(place, count, color=colour, width=0.65)
            left.annotate(f"{count} of {config.seeds}", (place, count), xytext=(0, 4), textcoords="offset points",
                          ha="center", fontsize=15, color=colour)
            for errors in a[f"errors, {name}"]:
                middle.plot(a["checks"][:len(errors)], errors, ".-", color=colour, lw=1.3, alpha=0.8, zorder=3 + place)
            right.semilogy(a[f"norms, {name}"][0], color=colour, lw=0.8, alpha=0.8, zorder=2 + place)
        left.set_xticks(range(len(config.methods)), [METHODS[m].replace(", ", ",\n") for m in config.methods])
        left.set(ylim=(0, config.seeds * 1.12), ylabel="seeds", title="Solved")
        left.yaxis.get_major_locator().set_params(integer=True)
        left.grid(False, axis="x")
        middle.axhline(0.75, ls="--", color="black", lw=1.2, zorder=9)
        middle.text(0.98, 0.9, "dashed: guessing, 3 of 4 wrong", ha="right", transform=middle.transAxes)
        middle.set(xlabel="update", ylabel="share of wrong answers", ylim=(-0.03, 1.03),
                   title="Error on new sequences, a line per seed")
        right.set(xlabel="update", ylabel="gradient norm", title=f"Norm before clipping, seed {config.seed}")
        if math.isfinite(config.clip) and set(config.methods) != {"sgd"}:
            right.axhline(config.clip, ls=":", color=plot.style.THRESHOLD, lw=1.6, label=f"threshold {config.clip:g}")
            right.legend(loc="lower right", frameon=True)
        fig.suptitle(f"Temporal order over {config.length} steps, lr = {config.lr:g}")
    return fig

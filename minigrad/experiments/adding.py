"""Which nets learn to add two numbers over 100 steps: IRNN, orthogonal, gated (Le, Jaitly and Hinton 2015)?

The adding problem (:class:`minigrad.tasks.Adding`): the sum of two marked numbers of 100; saying 1 whatever comes has a
mean squared error of 1/6.  Four nets of 50 units, each with a linear layer on its last state, Adam, batches of 32:

- the IRNN of the paper: ReLU, recurrent matrix the identity, biases 0, small input weights.  At first every unit keeps
  what it has, and half of them, those whose input weight is negative, are 0 and pass no gradient.  So ||dL/dh_0|| is
  about sqrt(1/2) of ||dL/dh_T||, whatever T: nothing vanishes.  But a matrix a little above the identity explodes, as
  |1 + e|^100, and what that throws out does not come back;
- the same with the gradient clipped at 1: the norms still explode, the steps do not;
- a tanh RNN with an orthogonal matrix, clipped: tanh' < 1 in each of 100 steps, so its gradient vanishes all the same;
- a GRU, clipped.  It begins with gates half open, so that its gradient is 1e-20 times smaller at the first step than at
  the last.  Still it learns, and fastest.

So the first gradient tells what a plain net can learn, but not what a gate can, which is free to shut.  The GRU is
given a larger learning rate of its own (at 0.001 it takes more than twice as many updates); the IRNN does not bear one:
at 0.003 it learns nothing, with clipping or without.  An LSTM (forget bias 1, lr 0.001) had not begun to learn after
1500 updates.
"""

import math
from dataclasses import dataclass

import numpy as np

import minigrad as mg
from minigrad import NormTrace, hooks, nn, optim, plot, tasks
from minigrad.experiments.experiment import Expected, Result, quiet
from minigrad.experiments.settings import Settings, setting
from minigrad.nn import functional as F
from minigrad.norms import norm

QUESTION = "Which nets learn to add two numbers over 100 steps?"
SECONDS = 40

KINDS = {"irnn": "IRNN, no clipping", "irnn-clip": "IRNN, clipped", "orthogonal": "orthogonal tanh, clipped",
         "gru": "GRU, clipped"}
COLOURS = {"irnn": plot.style.BEFORE, "irnn-clip": plot.style.AFTER, "orthogonal": plot.style.ORANGE,
           "gru": plot.style.GREEN}
LEARNT, FAILED = 0.05, 0.1
"""Mean squared errors below which a net has learnt, and above which it has failed."""


@dataclass(frozen=True)
class Config(Settings):
    """What is run."""

    kinds: tuple = setting(tuple(KINDS), choices=tuple(KINDS), doc="which nets")
    length: int = setting(100, least=2, most=1000, doc="steps, T")
    hidden: int = setting(50, least=1, most=500, doc="units")
    batch: int = setting(32, least=1, most=1000, doc="sequences per update")
    lr: float = setting(0.001, above=0, most=1, doc="learning rate of Adam")
    gated_lr: float = setting(0.01, above=0, most=1, doc="the same for the GRU")
    clip: float = setting(1.0, above=0, may_be_inf=True, doc="threshold on the norm where it is clipped")
    std: float = setting(0.03, above=0, most=1, doc="standard deviation of the IRNN's input weights")
    updates: int = setting(1200, least=1, most=10 ** 6, doc="updates")
    gated_updates: int = setting(500, least=1, most=10 ** 6, doc="the same for the GRU")
    every: int = setting(50, least=1, doc="updates between two tests")
    tests: int = setting(500, least=1, most=100_000, doc="sequences per test")
    seed: int = setting(0, least=0, doc="the first seed")
    seeds: int = setting(2, least=1, most=100, doc="runs of each net")


FULL = Config(updates=1500, gated_updates=1500, seeds=6)


class Adder(nn.Module):
    """A recurrent net, and a linear layer on its last state."""

    def __init__(self, kind, config, rng):
        if kind == "gru":
            self.rnn = nn.GRU(2, config.hidden, rng=rng)
        else:
            self.rnn = nn.RNN(2, config.hidden, nonlinearity="tanh" if kind == "orthogonal" else "relu", rng=rng)
        self.out = nn.Linear(config.hidden, 1, rng=rng)
        if kind == "orthogonal":
            nn.init.orthogonal_(self.rnn.weight_hh_l0, rng=rng)
        elif kind != "gru":
            nn.init.eye_(self.rnn.weight_hh_l0)
            nn.init.normal_(self.rnn.weight_ih_l0, std=config.std, rng=rng)
        if kind != "gru":
            for bias in (self.rnn.bias_ih_l0, self.rnn.bias_hh_l0, self.out.bias):
                nn.init.zeros_(bias)

    def forward(self, x):
        """Return the sums (N, 1) for x (T, N, 2)."""
        states, _ = self.rnn(x)
        return self.out(states[-1])


def train(kind, config, seed):
    """Train one net; return its errors at each test, its norms, and ||dL/dh_t|| of the first update."""
    rng, task = np.random.default_rng(seed), tasks.Adding(config.length, config.batch)
    net, trace, times = Adder(kind, config, rng), NormTrace(), np.zeros(config.length)
    x_test, y_test = task.sample(np.random.default_rng([seed, 1]), config.tests)
    gated = kind == "gru"
    opt = optim.Adam(net.parameters(), config.gated_lr if gated else config.lr, trace=trace,
                     hooks=[hooks.ClipNorm(math.inf if kind == "irnn" else config.clip)])
    updates, errors = config.gated_updates if gated else config.updates, []

    def test():
        with mg.no_grad():
            errors.append(F.mse_loss(net(x_test), y_test).item())

    watch = net.rnn.register_step_hook(lambda g, t: times.__setitem__(t, norm(g.data)))
    with np.errstate(all="ignore"):                 # a run that explodes is to go on to its end
        for update in range(updates):
            if update % config.every == 0:
                test()
            x, y = task.sample(rng)
            loss = F.mse_loss(net(x), y)
            opt.zero_grad()
            loss.backward()
            opt.step(loss=loss)
            watch.remove()
        test()
    return np.array(errors), trace.column("norm_in", stage=0), times


def run(config, progress=quiet):
    """Train each kind of net, seed by seed."""
    found = {kind: [] for kind in config.kinds}
    for seed in progress(range(config.seed, config.seed + config.seeds), "seeds"):
        for kind, runs in found.items():
            runs.append(train(kind, config, seed))
    headline, arrays = {"runs of each": config.seeds}, {}
    for kind, runs in found.items():
        name, (errors, norms, times) = KINDS[kind], map(np.array, zip(*runs))
        headline[f"largest error at the end, {name}"] = float(errors[:, -1].max())
        headline[f"share of runs that learn, {name}"] = float((errors[:, -1] < LEARNT).mean())
        headline[f"share of runs that fail, {name}"] = float((~(errors[:, -1] <= FAILED)).mean())
        headline[f"largest norm, {name}"] = float(norms.max())
        headline[f"dL/dh_0 / dL/dh_T at first, {name}"] = float(np.exp(np.mean(np.log(times[:, 0] / times[:, -1]))))
        arrays.update({f"error, {name}": errors, f"norm, {name}": norms, f"times, {name}": times})
        updates = config.gated_updates if kind == "gru" else config.updates
        arrays[f"tests, {name}"] = np.append(np.arange(0, updates, config.every), updates)
    return Result(config, headline, arrays)


PAPER = "Le, Jaitly and Hinton 2015; counted over seeds"
EXPECTED = (
    Expected(f"largest error at the end, {KINDS['irnn-clip']}", LEARNT, PAPER, kind="at most"),
    Expected(f"share of runs that fail, {KINDS['irnn']}", 0.5, "a separate computation: 3 of 3", kind="at least"),
    Expected(f"share of runs that fail, {KINDS['orthogonal']}", 1, "tanh' < 1: it vanishes", kind="at least"),
    Expected(f"share of runs that learn, {KINDS['gru']}", 1, PAPER, kind="at least"),
    Expected(f"dL/dh_0 / dL/dh_T at first, {KINDS['irnn-clip']}", 0.5 ** 0.5, "sqrt of the share of units above 0", 1.3,
             "factor"),
    Expected(f"dL/dh_0 / dL/dh_T at first, {KINDS['orthogonal']}", 0.1, "it vanishes", kind="at most"),
)


def answer(result):
    """Return what was found, in a sentence."""
    h, config = result.headline, result.config
    errors = "; ".join(f"{KINDS[kind]}: {h[f'largest error at the end, {KINDS[kind]}']:.2g}" for kind in config.kinds)
    return (f"Mean squared error over {config.length} steps, the worst of {config.seeds} seeds (knowing nothing: "
            f"{tasks.Adding.baseline:.2g}): {errors}.")


def figure(result):
    """Draw the errors on the way, the norms of the IRNN, and the first gradient through time."""
    from matplotlib.figure import Figure

    a, config = result.arrays, result.config
    kinds = config.kinds
    with plot.styled():
        fig = Figure(figsize=(14, 5), layout="constrained")
        left, middle, right = fig.subplots(1, 3)
        lanes = plot.Lanes(*(e for kind in kinds for e in a[f"error, {KINDS[kind]}"]), [tasks.Adding.baseline])
        lanes.dress(left)
        for kind in kinds:
            name, colour = KINDS[kind], COLOURS[kind]
            for index, errors in enumerate(a[f"error, {name}"]):
                left.plot(a[f"tests, {name}"], lanes.place(errors), color=colour, lw=1.8,
                          label=None if index else name)
        left.axhline(tasks.Adding.baseline, ls="--", color="black", lw=1.2, label="knowing nothing: 1/6", zorder=4)
        left.set(xlabel="update", ylabel="mean squared error", title="Error on new sequences, a line per seed")
        irnn = [kind for kind in kinds if kind.startswith("irnn")]
        lanes = plot.Lanes(*(a[f"norm, {KINDS[kind]}"][0] for kind in irnn), [min(config.clip, 1e300)])
        lanes.dress(middle)
        for kind in irnn:
            middle.plot(lanes.place(a[f"norm, {KINDS[kind]}"][0]), color=COLOURS[kind], lw=0.8, alpha=0.85)
        if math.isfinite(config.clip):
            middle.axhline(config.clip, ls=":", color=plot.style.THRESHOLD, lw=1.6, label=f"threshold {config.clip:g}")
            middle.legend(loc="upper right")
        middle.set(xlabel="update", ylabel="gradient norm, before clipping", title=f"IRNN, seed {config.seed}")
        shown = [kind for kind in kinds if not (kind == "irnn" and "irnn-clip" in kinds)]
        lanes = plot.Lanes(*(a[f"times, {KINDS[kind]}"][0] for kind in shown))
        lanes.dress(right)
        for kind in shown:
            times = a[f"times, {KINDS[kind]}"][0]
            right.plot(lanes.place(times), color=COLOURS[kind], lw=2)
            if kind.startswith("irnn"):
                right.axhline(times[-1] * 0.5 ** 0.5, ls="--", color="black", lw=1.1,
                              label="IRNN, predicted: sqrt(1/2) of the last")
                right.legend(loc="lower right")
        right.set(xlabel="time step t", ylabel="||dL/dh_t||", title="Through time, at the first update")
        fig.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=5)
    return fig

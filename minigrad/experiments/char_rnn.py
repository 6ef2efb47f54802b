"""Does clipping the gradient norm decide whether a tanh RNN learns a text?

Windows of the Zen of Python (or of Python's own documentation, or any text), SGD, the recurrent matrix drawn with
spectral radius rho; each seed is run twice from the same initial weights and on the same batches, without and with
clipping, everything else equal.  What to expect: at rho = 1.5 and lr = 1.5 the unclipped seeds are thrown out and end
no better than counting letters, while the clipped ones learn.  It is a matter of seeds, learning rate and rounding (at
lr = 1 the count changes with the number of BLAS threads), so several seeds are run, and the verdict counts them.

``minigrad demo`` runs this, on a text of your own if you like.
"""

import functools
import json
from dataclasses import dataclass, field, replace

import numpy as np
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from minigrad import NormTrace, hooks, nn, optim, plot
from minigrad.experiments import experiment
from minigrad.experiments.experiment import Expected, quiet
from minigrad.experiments.settings import Settings, setting
from minigrad.nn import functional as F
from minigrad.norms import norm
from minigrad.plot.norms import before_after
from minigrad.plot.style import AFTER, BEFORE
from minigrad.plot.time import add_colorbar, finite_limits
from minigrad.tasks import CharTask, topics, zen

QUESTION = "Does clipping decide whether an RNN learns a text?"
SECONDS = 25

DEFAULT_LR = {"sgd": 1.5, "adam": 0.01}
TAIL = 20
"""The final loss is the mean over so many last updates (or all, if there are fewer)."""


TEXTS = {"zen": (zen, "the Zen of Python"), "topics": (topics, "Python's documentation")}


@dataclass(frozen=True)
class Config(Settings):
    """What is run.

    Attributes:
        text: the text itself; None for that of the corpus.
        source: where the text came from, for the record.

    Raises:
        ValueError: naming the first value that is out of range.
    """

    rho: float = setting(1.5, least=0, doc="spectral radius of the recurrent matrix at the start")
    steps: int = setting(400, least=1, doc="updates per run")
    seq_len: int = setting(40, least=1, doc="characters per window, T")
    hidden: int = setting(64, least=1, doc="units")
    batch: int = setting(16, least=1, doc="windows per update")
    lr: float | None = setting(None, above=0, doc="learning rate; none for 1.5 (sgd) or 0.01 (adam)")
    clip: float = setting(1.0, above=0, doc="threshold on the norm in the clipped runs")
    seed: int = setting(0, least=0, doc="the first seed")
    seeds: int = setting(4, least=1, doc="seeds, each run twice")
    optimizer: str = setting("sgd", choices=tuple(DEFAULT_LR), doc="which one")
    corpus: str = setting("zen", choices=tuple(TEXTS), doc="which text")
    text: str | None = field(default=None, repr=False)
    source: str | None = None

    def __post_init__(self):
        super().__post_init__()
        read, source = TEXTS[self.corpus]
        for name, value in (("lr", DEFAULT_LR[self.optimizer]), ("source", source)):
            if getattr(self, name) is None:
                object.__setattr__(self, name, value)
        if self.text is None:
            object.__setattr__(self, "text", read())
        _ = self.task                        # refuses a text that is too short, before anything is run

    def changed(self, texts):
        """Return these settings, some of them changed; another optimizer or corpus brings its own lr or text."""
        own = {"lr": "none"} if "optimizer" in texts else {}
        found = super().changed({**own, **texts})
        return replace(found, text=None, source=None) if "corpus" in texts else found

    def as_dict(self):
        """Return the settings by name, with the length of the text in place of the text."""
        record = {name: value for name, value in super().as_dict().items() if name != "text"}
        return {**record, "characters": len(self.text), "alphabet": len(self.task.alphabet)}

    @functools.cached_property
    def task(self):
        """The windows of the text."""
        return CharTask(self.text, self.seq_len, self.batch)

    @functools.cached_property
    def references(self):
        """Losses that need no net: guessing evenly, and counting how often each letter occurs (nats)."""
        share = np.bincount(self.task.codes) / len(self.task.codes)
        share = share[share > 0]
        return {"guessing": float(np.log(len(self.task.alphabet))),
                "counting letters": float(-(share * np.log(share)).sum())}

    def as_json(self, **more):
        """Return the config, and what else is given, as text, with the length of the text in place of the text."""
        return json.dumps({**self.as_dict(), **more}, indent=2) + "\n"


@dataclass
class Run:
    """One training run.

    Attributes:
        seed, clipped: which run.
        trace: norms per step and stage, with the losses.
        time_norms: array (steps, T), ||dL/dh_t|| as it arrived in the backward pass.
        losses: array (steps,), in nats.
        bar: loss of counting letters.
    """

    seed: int
    clipped: bool
    trace: NormTrace
    time_norms: np.ndarray
    losses: np.ndarray
    bar: float

    @property
    def name(self):
        return f"seed{self.seed}-{'clip' if self.clipped else 'plain'}"

    @property
    def final(self):
        """Mean loss over the last updates."""
        return float(np.mean(self.losses[-TAIL:]))

    @property
    def best(self):
        """Smallest mean loss over any stretch of that length; NaN if each holds one."""
        width = min(TAIL, len(self.losses))
        means = np.lib.stride_tricks.sliding_window_view(self.losses, width).mean(axis=1)
        means = means[~np.isnan(means)]
        return float(means.min()) if means.size else float("nan")

    @property
    def largest_norm(self):
        """Largest gradient norm before clipping; NaN or inf if there was one."""
        return float(np.max(self.trace.column("norm_in", stage=0)))

    @property
    def diverged(self):
        """Whether it ended no better than counting letters, having been better before or being worse than it began.

        So a run that had no time to learn is not called diverged; one whose loss is not finite is.
        """
        if not np.isfinite(self.final):
            return True
        return bool(self.final >= self.bar and (self.best < self.bar or self.final >= self.losses[0]))


class Result(experiment.Result):
    """What came out: the runs in order (seed 0 plain, seed 0 clipped, seed 1 plain, ...)."""

    def __init__(self, config, runs):
        self.config, self.runs = config, runs

    def of(self, clipped):
        """Return the runs with, or without, clipping."""
        return [r for r in self.runs if r.clipped == clipped]

    @property
    def headline(self):
        """The numbers to quote."""
        plain, clip = self.of(False), self.of(True)
        return {"plain_runs": len(plain), "plain_diverged": sum(r.diverged for r in plain),
                "clip_runs": len(clip), "clip_diverged": sum(r.diverged for r in clip),
                "share_clipped": float(np.mean([r.trace.share_clipped() for r in clip])) if clip else float("nan"),
                "mean final loss, plain": mean_final(plain), "mean final loss, clipped": mean_final(clip),
                "counting letters": self.config.references["counting letters"]}

    @property
    def arrays(self):
        """Per run: losses, gradient norms before clipping, ||dL/dh_t||."""
        kinds = {"losses": lambda r: r.losses, "norms": lambda r: r.trace.column("norm_in", stage=0),
                 "times": lambda r: r.time_norms}
        return {f"{what}, {r.name}": get(r) for what, get in kinds.items() for r in self.runs}


def mean_final(runs):
    """Return the mean of the final losses; NaN of no runs."""
    return float(np.mean([r.final for r in runs])) if runs else float("nan")


class CharRNN(nn.Module):
    """A tanh RNN over one-hot characters, unrolled on the tape, and a linear layer on each state.

    Args:
        task: a CharTask.
        hidden: units.
        rho: spectral radius of the recurrent matrix.
        rng: generator for the initial weights.
    """

    def __init__(self, task, hidden, rho, rng):
        self.cell = nn.RNNCell(len(task.alphabet), hidden, rng=rng)
        nn.init.spectral_radius_(self.cell.weight_hh, rho, rng)
        self.out = nn.Linear(hidden, len(task.alphabet), rng=rng)

    def forward(self, x, watch=None):
        """Return logits (T * B, V) for x (T, B, V); ``watch(t, h)`` is called with each hidden state."""
        h, states = None, []
        for t, x_t in enumerate(x):
            h = self.cell(x_t, h)
            if watch is not None:
                watch(t, h)
            states.append(h)
        h = np.stack(states)
        return self.out(h.reshape(-1, h.shape[-1]))


def train(config, seed, clipped, progress=None):
    """Train one net and return its Run; ``progress(1)`` is called after each update."""
    rng = np.random.default_rng(seed)
    net = CharRNN(config.task, config.hidden, config.rho, rng)
    trace, losses = NormTrace(), np.full(config.steps, np.nan)
    pipeline = [hooks.NonFinite("propagate"), *([hooks.ClipNorm(config.clip)] if clipped else [])]
    kind = {"sgd": optim.SGD, "adam": optim.Adam}[config.optimizer]
    opt = kind(net.parameters(), config.lr, hooks=pipeline, trace=trace)
    time_norms = np.zeros((config.steps, config.seq_len))
    # A run that is thrown out computes with inf and NaN until its end, and shows them: that is the measurement.
    with np.errstate(all="ignore"):
        for step in range(config.steps):
            x, y = config.task.sample(rng)

            def watch(t, h, row=time_norms[step]):
                h.register_hook(lambda g: row.__setitem__(t, norm(g.data)))

            loss = F.cross_entropy(net(x, watch), y.reshape(-1))
            opt.zero_grad()
            loss.backward()
            opt.step(loss=loss)
            losses[step] = loss.item()
            if progress is not None:
                progress(1)
    return Run(seed, clipped, trace, time_norms, losses, config.references["counting letters"])


def run(config, progress=quiet, finished=None, updated=None):
    """Run all seeds, without and with clipping.

    Args:
        config: a Config.
        progress: goes through the seeds.
        finished: called with each Run as soon as it is complete.
        updated: called with the number of updates just made.

    Returns:
        a Result.
    """
    result = Result(config, [])
    for seed in progress(range(config.seed, config.seed + config.seeds), "seeds"):
        for clipped in (False, True):
            result.runs.append(train(config, seed, clipped, updated))
            if finished is not None:
                finished(result.runs[-1])
    return result


EXPECTED = (
    Expected("plain_diverged", 3, "a separate computation; counted of 4 seeds", kind="at least"),
    Expected("clip_diverged", 1, "a separate computation; counted of 4 seeds", kind="at most"),
    Expected("mean final loss, clipped", 0.5, "a separate computation: .4 to .6", 0.3),
)


def most_telling(result):
    """Return the seed whose unclipped run met the largest gradient norm (one that is not finite counts as largest)."""
    def size(r):
        return r.largest_norm if np.isfinite(r.largest_norm) else np.inf
    return max(result.of(False), key=size).seed


def figure(result, seed=None):
    """Draw loss, gradient norm and ||dL/dh_t||: without clipping on the left, with it on the right.

    Args:
        result: a Result with both kinds of runs.
        seed: the one whose norms are shown; default the one with the largest norm.

    Returns:
        a Matplotlib figure.
    """
    config = result.config
    seed = most_telling(result) if seed is None else seed
    shown = {c: next(r for r in result.of(c) if r.seed == seed) for c in (False, True)}
    # One spike of 1e5 would leave all else one colour: the scale ends where all but a thousandth lie below it.
    pooled = np.concatenate([r.time_norms.ravel() for r in shown.values()])
    low, high = finite_limits(pooled)
    finite = pooled[np.isfinite(pooled) & (pooled > 0)]
    limits = finite_limits([low, min(high, float(np.quantile(finite, 0.999)))]) if finite.size else (low, high)
    series = [before_after(r.trace) for r in shown.values()]
    lanes = plot.Lanes(*(s[k] for s in series for k in ("before", "after")), [config.clip])
    curves = {c: [(r.losses, to_rgba(AFTER if c else BEFORE, 1.0 if r.seed == seed else 0.4), "one seed")
                  for r in result.of(c)] for c in (False, True)}
    loss_lanes = plot.Lanes(*(r.losses for r in result.runs), [config.references["counting letters"]])
    with plot.styled():
        fig = Figure(figsize=(12.5, 10.5), layout="constrained")
        axes = fig.subplots(3, 2)
        for column, clipped in enumerate((False, True)):
            r, kind = shown[clipped], f"clipped at {config.clip:g}" if clipped else "no clipping"
            bad = sum(x.diverged for x in result.of(clipped))
            plot.losses(axes[0, column], curves[clipped], lanes=loss_lanes,
                        references=[(r.bar, "counting letters")],
                        title=f"Loss, {kind}: {bad} of {config.seeds} seeds diverged (dark: seed {seed})")
            plot.norms(r.trace, axes[1, column], lanes=lanes, title=f"Gradient norm per step, {kind} (seed {seed})")
            image = plot.time_map(r.time_norms, axes[2, column], limits=limits, colorbar=False,
                                  title=f"Gradient through time, ||dL/dh_t||, {kind} (seed {seed})")
        add_colorbar(image, list(axes[2]), "||dL/dh_t||  (brightest: that and above)")
        name = {"sgd": "SGD", "adam": "Adam"}[config.optimizer]
        # The default fonts have no Chinese, and a file name may hold what would be read as a formula.
        source = config.source if config.source.isascii() else f"a text of {len(config.text)} characters"
        fig.suptitle(f"A tanh RNN learns {source}: spectral radius {config.rho:g}, {name} with "
                     f"lr {config.lr:g}, T = {config.seq_len}", fontsize=15, parse_math=False)
    return fig


def table(result):
    """Return the results as lines of text, one per run."""
    head = (f"{'seed':>4}  {'clipping':<10} {'final loss':>10} {'best loss':>10} {'largest norm':>13} {'clipped':>8}  "
            f"diverged")
    lines = [head, "-" * len(head)]
    for r in result.runs:
        share = f"{r.trace.share_clipped():.0%}" if r.clipped else "-"
        kind = f"at {result.config.clip:g}" if r.clipped else "none"
        lines.append(f"{r.seed:>4}  {kind:<10} {r.final:>10.4g} {r.best:>10.4g} {r.largest_norm:>13.4g} {share:>8}  "
                     f"{'yes' if r.diverged else 'no'}")
    bars = ", ".join(f"{name} {value:.3f}" for name, value in result.config.references.items())
    lines.append(f"Loss in nats per character, means over {min(TAIL, result.config.steps)} updates; for comparison: "
                 f"{bars}.")
    lines.append("Diverged: ends no better than counting letters, having been better before or being worse than at "
                 "first.")
    return lines


def verdict(result):
    """Return one honest line: what clipping did here, in numbers."""
    h, c = result.headline, result.config
    counts = (f"without clipping {h['plain_diverged']} of {h['plain_runs']} runs diverged, "
              f"with clipping at {c.clip:g} {h['clip_diverged']} of {h['clip_runs']}")
    if not result.of(True):
        return f"Verdict: {counts}; nothing to compare yet."
    share = h["share_clipped"]
    acted = f"it acted on {share:.0%} of the steps" + (
        ", where a threshold is but a smaller learning rate" if share > 0.95 else "")
    finite = all(np.isfinite(r.largest_norm) for r in result.of(True))
    if share == 0 and not finite:
        said = "the gradients were not finite, and a clip does not mend that"
    elif share == 0:
        said = "the threshold was never reached, so clipping did nothing here"
    elif h["plain_diverged"] > h["clip_diverged"]:
        said = f"clipping helped ({acted})"
    elif h["plain_diverged"] < h["clip_diverged"]:
        said = f"clipping did harm ({acted})"
    elif h["plain_diverged"] == 0:
        means = [np.mean([r.final for r in result.of(k)]) for k in (False, True)]
        said = f"nothing needed rescuing ({acted}; mean final loss {means[0]:.2f} without, {means[1]:.2f} with)"
    else:
        said = f"clipping did not help ({acted})"
    return f"Verdict: {counts}: {said}."


def answer(result):
    """Return what was found, in a sentence."""
    return verdict(result).replace("Verdict: w", "W")

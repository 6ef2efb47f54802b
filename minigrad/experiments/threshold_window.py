"""How does one choose the threshold (Pascanu, Mikolov and Bengio 2013)?

They advise to look at the average norm of the gradient over many updates, and find that from half to ten times this
average training still converges.  Here the average is taken along plain SGD at a learning rate small enough to get
along without clipping (0.01), and then the training of ``temporal_order``, at lr = 0.1, is repeated with thresholds
from 0.03 to 30, and without any.

That average is no sharp number: spikes pull it up, and along six runs it was 0.7 to 3.1, as seed and end of the run
would have it (the median norm: 0.6 to 1.2).  A window of more than a decade can bear that.

Both ends have a reason.  A threshold far below all norms turns clipping into a smaller learning rate: every update has
length lr times the threshold, and there are not enough of them.  One above nearly all norms does nothing, and training
fails as it does without.  Between them, at one and three, all runs are solved, and at 0.3 and 10 some.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from minigrad import plot
from minigrad.experiments.experiment import Expected, Result, quiet
from minigrad.experiments.settings import setting
from minigrad.experiments.temporal_order import Training, train

QUESTION = "How does one choose the threshold?"
SECONDS = 30

WINDOW = (0.5, 10.0)
"""The advice: from so many to so many times the average norm."""


@dataclass(frozen=True)
class Config(Training):
    """What is run."""

    updates: int = setting(2000, least=1, most=10 ** 6, doc="updates at most")
    seeds: int = setting(2, least=1, most=100, doc="runs at each threshold")
    clips: tuple = setting((0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, math.inf), above=0, may_be_inf=True,
                           doc="thresholds; none for no clipping")
    calm: float = setting(0.01, above=0, most=10, doc="learning rate at which the average norm is taken")


FULL = Config(updates=3000, seeds=6)


def called(clip):
    """Return the words for a threshold."""
    return f"at {clip:g}" if math.isfinite(clip) else "without clipping"


def run(config, progress=quiet):
    """Measure the average norm, and train at each threshold."""
    calm = replace(config, lr=config.calm)
    averages, runs = [], {clip: [] for clip in config.clips}
    for seed in progress(config.each_seed, "seeds"):
        averages.append(train(calm, seed, stop=False).norms.mean())
        for clip, found in runs.items():
            found.append(train(config, seed, clip))
    average = float(np.mean(averages))
    headline = {"average norm": average, "window from": WINDOW[0] * average, "window to": WINDOW[1] * average,
                "runs of each": config.seeds}
    for clip, found in runs.items():
        headline[f"share solved, {called(clip)}"] = float(np.mean([r.solved for r in found]))
    for clip, found in runs.items():
        headline[f"share of updates clipped, {called(clip)}"] = float(np.mean([r.share_clipped for r in found]))
    return Result(config, headline, {
        "clip": np.array(config.clips), "average norm": np.array(averages),
        "needed": np.array([[r.needed for r in found] for found in runs.values()]),
        "error": np.array([[r.errors[-1] for r in found] for found in runs.values()]),
        "share clipped": np.array([[r.share_clipped for r in found] for found in runs.values()])})


BEFORE = "a separate computation: {} of 4"
EXPECTED = (
    Expected("average norm", 2.98, "a separate computation, of one run", 2.0, "factor"),
    Expected("share solved, at 1", 0.75, BEFORE.format(4), kind="at least"),
    Expected("share solved, at 3", 0.75, "once to twice the average norm (Pascanu et al. 2013)", kind="at least"),
    Expected("share solved, at 30", 0.25, BEFORE.format(0), kind="at most"),
    Expected("share solved, without clipping", 0.25, BEFORE.format(0), kind="at most"),
)


def answer(result):
    """Return what was found, in a sentence."""
    h, clips = result.headline, result.arrays["clip"]
    shares = np.array([h[f"share solved, {called(clip)}"] for clip in clips])
    good = [f"{clip:g}" if math.isfinite(clip) else "none" for clip in clips[shares >= 0.5]]
    return (f"From the average norm, {h['average norm']:.2g}: the advice, half to ten times that, is "
            f"{h['window from']:.2g} to {h['window to']:.2g}; of {len(clips)} thresholds, {of_seeds(result)}, half the "
            f"runs or more are solved at {', '.join(good) or 'none of them'}.")


def of_seeds(result):
    """Say how many seeds there were."""
    count = result.config.seeds
    return f"{count} seed{'s' if count > 1 else ''} each"


def figure(result):
    """Draw the share of seeds solved, and how many updates are clipped, over the threshold, with the advised window."""
    from matplotlib.figure import Figure

    a, h, config = result.arrays, result.headline, result.config
    finite = np.isfinite(a["clip"])
    places = np.where(finite, np.log10(a["clip"], where=finite, out=np.zeros(len(finite))), np.nan)
    places[~finite] = np.nanmax(places, initial=0.0) + 0.6
    solved = np.isfinite(a["needed"]).mean(axis=1)
    with plot.styled():
        fig = Figure(figsize=(12.5, 4.8), layout="constrained")
        left, right = fig.subplots(1, 2)
        for ax in (left, right):
            low, middle, high = np.log10([h["window from"], h["average norm"], h["window to"]])
            ax.axvspan(low, high, color=plot.style.YELLOW, alpha=0.35, lw=0)
            for place, kind in ((low, "--"), (middle, ":"), (high, "--")):
                ax.axvline(place, ls=kind, color="black", lw=1.2)
            ax.set_xticks(places, [f"{clip:g}" if math.isfinite(clip) else "off" for clip in a["clip"]])
            ax.set(xlabel="threshold on the gradient norm", ylim=(-0.05, 1.38), yticks=np.linspace(0, 1, 5))
        left.text((low + high) / 2, 1.35, f"advised: half to ten times\nthe average norm, {h['average norm']:.2g}",
                  ha="center", va="top", fontsize=11.5, linespacing=1.5,
                  bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.85})
        left.plot(places[finite], solved[finite], "o-", ms=10, lw=2.5, color=plot.style.AFTER)
        left.plot(places[~finite], solved[~finite], "o", ms=10, color=plot.style.BEFORE)
        left.set(ylabel="share of seeds that solve the task",
                 title=f"Solved within {config.updates} updates, {of_seeds(result)}")
        right.plot(places, a["share clipped"].mean(axis=1), "s-", ms=8, lw=2, color=plot.style.BLUE,
                   label="updates on which it acts")
        right.plot(places, np.nan_to_num(a["needed"], nan=config.updates).mean(axis=1) / config.updates, "^-", ms=8,
                   lw=2, color=plot.style.VERMILLION, label=f"updates needed, of {config.updates}")
        right.set(ylabel="share", title="Too low: always clipped.  Too high: never")
        right.legend(loc="upper center", ncols=2, frameon=True)
    return fig

"""What happens to the gradient through time while a recurrent net learns (Pascanu, Mikolov and Bengio 2013)?

The training of ``temporal_order`` over T = 30 steps at lr = 0.05, with ||dL/dh_t|| measured at every time step t of
every update.  The loss lies at the last step, and what it depends on near the first ones, so the ratio

    ||dL/dh_3|| / ||dL/dh_(T-1)||

says whether the net can learn from there.  Three things happen.  At first the states are small, tanh' = 1, and the
ratio is that of a linear net, ||delta W^26|| / ||delta||, with the deltas of even guesses, (1/4 - e_y) V.  W has
spectral radius 0.95, so the gradient vanishes: to about 0.95^26 = 0.26, or to a fifth of that where little of delta
lies in the direction that shrinks least.  Then, when the loss begins to fall, the spectral radius goes beyond 1 and the
ratio to ten and more: *learning passes through exploding*.  From there on,

- plain SGD is thrown back whenever its loss begins to fall, to saturated units and from there to exploding again: the
  ratio jumps between 10 and 0.01, and the spectral radius grows to 1.9 and more;
- a clip limits the step, the net learns, and the gradient goes on exploding in time: clipping is no cure for that;
- Omega, besides, holds the ratio at about 3 and the spectral radius at about 1.1.

Only the orders of magnitude are to be expected again: the ratio differs from seed to seed by a factor of three.
"""

import math
from dataclasses import dataclass

import numpy as np

from minigrad import plot
from minigrad.experiments.experiment import Expected, Result, quiet
from minigrad.experiments.settings import setting
from minigrad.experiments.temporal_order import COLOURS, METHODS, OrderNet, Training, padded, train
from minigrad.norms import norm
from minigrad.plot.time import add_colorbar
from minigrad.tasks import TemporalOrder

QUESTION = "What happens to dL/dh_t while a recurrent net learns?"
SECONDS = 30

EARLY = 3
"""The time step whose gradient is compared with that of the last."""

FALLEN = 1.1
"""The loss has begun to fall when its mean over 50 updates is below this; guessing gives ln 4 = 1.386."""

STRETCH = 50

LOW = 1e-2
"""Where the colours of the map end; at the other side they end at 1 / LOW."""


@dataclass(frozen=True)
class Config(Training):
    """What is run."""

    length: int = setting(30, least=10, most=200, doc="symbols per sequence, T")
    lr: float = setting(0.05, above=0, most=10, doc="learning rate")
    updates: int = setting(1500, least=100, most=100_000, doc="updates")
    every: int = setting(50, least=1, doc="updates between two tests")
    seeds: int = setting(2, least=1, most=100, doc="runs of each kind")
    clip: float = setting(1.0, above=0, may_be_inf=True, doc="threshold on the norm where it is clipped")
    omega: float = setting(2.0, least=0, most=100, doc="weight of Omega")


FULL = Config(updates=3000, seeds=6)


def ratio(times):
    """Return ||dL/dh_3|| / ||dL/dh_(T-1)|| for each update, of an array (updates, T); NaN where the last is 0."""
    return np.divide(times[:, EARLY], times[:, -1], out=np.full(len(times), np.nan), where=times[:, -1] > 0)


def predicted(config, seed):
    """Return that ratio at first, of the linear net: tanh' = 1, even guesses, the mean over the classes."""
    net = OrderNet(TemporalOrder(config.length), config.hidden, np.random.default_rng(seed))
    w, classes = net.rnn.weight_hh_l0.data, net.out.out_features
    deltas = (1 / classes - np.eye(classes)) @ net.out.weight.data
    return norm(deltas @ np.linalg.matrix_power(w, config.length - 1 - EARLY)) / norm(deltas)


def means(values):
    """Return the mean over the last 50 values, or as many as there are, at each place."""
    total = np.cumsum(np.concatenate([[0.0], values]))
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(0, ends - STRETCH)
    return (total[ends] - total[starts]) / (ends - starts)


def phases(config, run):
    """Return of one run: the update where the loss has begun to fall, NaN if it never has, and what was seen when."""
    ratios, losses = ratio(np.array(run.times)), means(np.array(run.losses))
    below = np.flatnonzero(losses < FALLEN)
    fell = int(below[0]) if len(below) else None
    end = int(run.needed) if run.solved_once else config.updates
    radii = np.interp(np.arange(config.updates), run.checks, run.radii)
    later = slice(fell, max(end, fell + 1)) if fell is not None else slice(0, 0)
    return {"fell": math.nan if fell is None else fell, "first": ratios[0], "as the loss falls":
            middle(ratios[fell:fell + 100]) if fell is not None else math.nan, "while it learns": middle(ratios[later]),
            "radius": float(radii[later].mean()) if fell is not None else math.nan}


def middle(values):
    """Return the median of what is not NaN; NaN if there is nothing."""
    values = values[~np.isnan(values)]
    return float(np.median(values)) if len(values) else math.nan


def typical(values):
    """Return the geometric mean of what is not NaN; NaN if there is nothing, 0 if one is 0."""
    values = np.array([value for value in values if not math.isnan(value)])
    if not len(values):
        return math.nan
    with np.errstate(divide="ignore"):
        return float(np.exp(np.log(values).mean()))


def run(config, progress=quiet):
    """Train without a clip, with it, and with Omega besides; keep ||dL/dh_t|| of every update."""
    kinds = {"sgd": (math.inf, 0.0), "clip": (config.clip, 0.0), "omega": (config.clip, config.omega)}
    runs = {kind: [] for kind in kinds}
    for seed in progress(config.each_seed, "seeds"):
        for kind, (clip, omega) in kinds.items():
            runs[kind].append(train(config, seed, clip, omega, stop=False, times=True))
    headline, arrays = {}, {}
    for kind, found in runs.items():
        name, seen = METHODS[kind], [phases(config, r) for r in found]
        if kind == "sgd":
            arrays["predicted ratio"] = np.array([predicted(config, seed) for seed in config.each_seed])
            headline["ratio at first"] = typical(one["first"] for one in seen)
            headline["ratio at first / predicted"] = headline["ratio at first"] / typical(arrays["predicted ratio"])
        headline[f"runs whose loss falls, {name}"] = sum(not math.isnan(one["fell"]) for one in seen)
        for what in ("as the loss falls", "while it learns"):
            headline[f"ratio {what}, {name}"] = typical(one[what] for one in seen)
        headline[f"spectral radius while it learns, {name}"] = typical(one["radius"] for one in seen)
        headline[f"loss at the end, {name}"] = float(np.mean([r.losses[-100:] for r in found]))
        headline[f"spectral radius at the end, {name}"] = typical(r.radii[-1] for r in found)
        arrays[f"times, {name}"] = np.array(found[0].times)
        arrays[f"ratio, {name}"] = np.array([ratio(np.array(r.times)) for r in found])
        arrays[f"losses, {name}"] = np.array([r.losses for r in found])
        arrays[f"radii, {name}"], arrays["checks"] = padded([r.radii for r in found]), np.array(found[0].checks)
    return Result(config, headline, arrays)


SEPARATE = "a separate computation: "
PLAIN, CLIPPED, OMEGA = METHODS.values()
EXPECTED = (
    Expected("ratio at first / predicted", 1, "linear net, ||delta W^(T - 4)|| / ||delta||", 0.2),
    Expected("ratio at first", 0.1, SEPARATE + "0.06 to 0.10", 4, "factor"),
    Expected(f"ratio as the loss falls, {CLIPPED}", 16, SEPARATE + "8 to 34", 4, "factor"),
    Expected(f"ratio while it learns, {CLIPPED}", 9.5, SEPARATE + "7 to 13", 3, "factor"),
    Expected(f"ratio while it learns, {OMEGA}", 2.7, SEPARATE + "2.7", 3, "factor"),
    Expected(f"spectral radius while it learns, {CLIPPED}", 1.38, SEPARATE + "1.25 to 1.5", 0.2),
    Expected(f"spectral radius while it learns, {OMEGA}", 1.12, SEPARATE + "1.12", 0.1),
)


def answer(result):
    """Return what was found, in a sentence."""
    h = result.headline
    learns = {name: h[f"ratio while it learns, {name}"] for name in (CLIPPED, OMEGA)}
    ends = {name: h[f"loss at the end, {name}"] for name in (PLAIN, CLIPPED, OMEGA)}
    return (f"It vanishes, then explodes: ||dL/dh_{EARLY}|| / ||dL/dh_T|| is {h['ratio at first']:.2g} at first and "
            f"{h[f'ratio as the loss falls, {CLIPPED}']:.2g} when the loss falls; from there it is "
            f"{learns[CLIPPED]:.2g} with clipping and {learns[OMEGA]:.2g} with Omega besides.  Plain SGD ends with a "
            f"loss of {ends[PLAIN]:.2g}, the others with {ends[CLIPPED]:.2g} and {ends[OMEGA]:.2g}.")


def relative(times):
    """Return ||dL/dh_t|| over that of the last step, for each update; NaN where that is 0."""
    last = times[:, -1:]
    return np.divide(times, last, out=np.full_like(times, np.nan), where=last > 0)


def in_blocks(values, width):
    """Return the median of each ``width`` updates; the last, incomplete block counts too."""
    return np.array([np.median(values[start:start + width], axis=0) for start in range(0, len(values), width)])


def figure(result):
    """Draw the maps of ||dL/dh_t|| over (t, update) side by side, and below them loss, ratio and spectral radius."""
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    a, config = result.arrays, result.config
    width = max(1, config.updates // 100)
    maps = {kind: in_blocks(relative(a[f"times, {name}"]), width) for kind, name in METHODS.items()}
    with plot.styled():
        fig = Figure(figsize=(13, 7.4), layout="constrained")
        axes = fig.subplots(2, 3)
        for ax, (kind, values) in zip(axes[0], maps.items()):
            # Blocks stand as wide as they are, so that the axis counts updates.
            shown = np.maximum(np.repeat(values, width, axis=0), LOW)
            image = plot.time_map(shown, ax, limits=(LOW, 1 / LOW), colorbar=False, title=METHODS[kind])
            image.set_cmap(colormaps["RdBu_r"].with_extremes(over=plot.style.MARKS["inf"], bad=plot.style.MARKS["NaN"]))
        add_colorbar(image, list(axes[0]), "||dL/dh_t|| / ||dL/dh_T||")
        losses, ratios, radii = axes[1]
        for kind, name in METHODS.items():
            colour = COLOURS[kind]
            losses.plot(means(a[f"losses, {name}"][0]), color=colour, lw=2, label=name)
            values = a[f"ratio, {name}"][0]
            blocks = in_blocks(values, width)
            ratios.semilogy(width * (np.arange(len(blocks)) + 0.5), blocks, color=colour, lw=2)
            radii.plot(a["checks"], a[f"radii, {name}"][0], color=colour, lw=2)
        losses.axhline(math.log(4), ls="--", color="black", lw=1.1, label="guessing: ln 4")
        losses.set(xlabel="update", ylabel=f"loss, mean of {STRETCH}", title="Loss", ylim=(-0.05, 2.5))
        losses.legend(loc="upper right", frameon=True)
        ratios.axhline(1, color="black", lw=0.8)
        at_first = a["predicted ratio"][0]
        ratios.axhline(at_first, ls="--", color="black", lw=1.1, label=f"predicted for the first: {at_first:.2g}")
        ratios.set(xlabel="update", title=f"||dL/dh_{EARLY}|| / ||dL/dh_{config.length - 1}||", ylim=(3e-4, 1e2))
        ratios.legend(loc="lower right", frameon=True)
        radii.axhline(1, color="black", lw=0.8)
        radii.set(xlabel="update", title="Spectral radius of the recurrent matrix")
        fig.suptitle(f"The gradient through time while a net learns, T = {config.length}, lr = {config.lr:g}, "
                     f"seed {config.seed}: it vanishes, explodes, and is lost or tamed", fontsize=14)
    return fig

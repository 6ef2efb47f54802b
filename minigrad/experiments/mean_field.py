"""How fast does the gradient grow from layer to layer of a plain deep net (Schoenholz and others 2017)?

h_l = W_l tanh(h_(l-1)) + b_l, with W ~ N(0, sigma_w2 / n) and b ~ N(0, sigma_b2), and delta_l = dL/dh_l.  In a wide net
the mean square of h settles at q*, and from there every layer multiplies ||delta||^2, on the way back, by

    chi_1 = sigma_w2 E tanh'(sqrt(q*) z)^2          q* = sigma_w2 E tanh(sqrt(q*) z)^2 + sigma_b2

So ln ||delta_l||^2 is a line of slope ln chi_1: it falls for chi_1 < 1 (ordered), rises for chi_1 > 1 (chaotic), and is
level on the critical line between them.  The nets are started at q*, and the line is fitted to the middle of the depth.

The measured slope lies a little below ln chi_1, by some .003 to .01 at n = 300: chi_1 is the mean of what a layer does
to ||delta||^2, the slope the mean of its logarithm, which is less by half the relative variance: 1/n for a linear net,
5/(2n) for ReLU (see ``finite_width``), and between them for tanh.
With biases the weight gradient has the same slope; without them it may not, see ``hidden_by_bars``.
"""

from dataclasses import dataclass

import numpy as np

import minigrad as mg
from minigrad import nn, plot, theory
from minigrad.experiments.experiment import Expected, Result, quiet
from minigrad.experiments.settings import Settings, setting
from minigrad.norms import norm, unit_norms

QUESTION = "How fast does the gradient grow or shrink from layer to layer?"
SECONDS = 8


@dataclass(frozen=True)
class Config(Settings):
    """What is measured."""

    sigma_w2: tuple = setting((0.5, 1.0, 1.25, 1.5, 1.761, 2.0, 2.5, 3.0, 4.0), least=0.1, most=100,
                              doc="variances of the weights times the width")
    sigma_b2: float = setting(0.05, least=0, most=10, doc="variance of the biases")
    width: int = setting(300, least=2, most=2000, doc="units per layer")
    depth: int = setting(100, least=20, most=500, doc="layers")
    batch: int = setting(4, least=1, most=256, doc="inputs")
    seed: int = setting(0, least=0, doc="the first seed")
    seeds: int = setting(3, least=1, most=100, doc="nets per variance")


FULL = Config(seeds=30)


def plain_net(width, depth, sigma_w2, sigma_b2, rng):
    """Return the layers of a plain net, drawn as mean-field theory has them."""
    layers = [nn.Linear(width, width, rng=rng) for _ in range(depth)]
    for layer in layers:
        nn.init.normal_(layer.weight, std=(sigma_w2 / width) ** 0.5, rng=rng)
        nn.init.normal_(layer.bias, std=sigma_b2 ** 0.5, rng=rng)
    return layers


def profiles(config, sigma_w2, rng):
    """Return ln ||delta_l||^2, l = 0 ... depth, averaged over the inputs, and ln ||dL/dW_l||^2, l = 1 ... depth."""
    layers = plain_net(config.width, config.depth, sigma_w2, config.sigma_b2, rng)
    start = theory.q_star("tanh", sigma_w2, config.sigma_b2) or 1.0         # signals that die out start at 1
    h = mg.tensor(start ** 0.5 * rng.normal(size=(config.batch, config.width)), requires_grad=True)
    states = [h]
    for layer in layers:
        h = layer(mg.tanh(h))
        states.append(h)
    found = mg.grad(h, [*states, *(layer.weight for layer in layers)], gradient=rng.normal(size=h.shape))
    deltas, weights = found[:len(states)], found[len(states):]
    return (np.array([np.log(unit_norms(g.data)).mean() * 2 for g in deltas]),
            np.array([2 * np.log(norm(g.data)) for g in weights]))


def slope(logs):
    """Return the slope per layer towards the input, fitted to all layers but the first and the last tenth."""
    edge = len(logs) // 10
    middle = logs[edge:len(logs) - edge]
    return -float(np.polyfit(np.arange(len(middle)), middle, 1)[0])


def run(config, progress=quiet):
    """Measure the slopes at each variance of the weights."""
    deltas, weights = [], []
    for seed in progress(range(config.seed, config.seed + config.seeds), "seeds"):
        pairs = [profiles(config, sigma_w2, np.random.default_rng([seed, index]))
                 for index, sigma_w2 in enumerate(config.sigma_w2)]
        deltas.append([delta for delta, _ in pairs])
        weights.append([weight for _, weight in pairs])
    deltas, weights = np.array(deltas), np.array(weights)                   # (seeds, variances, layers)
    of_delta = np.apply_along_axis(slope, -1, deltas)
    of_weights = np.apply_along_axis(slope, -1, weights).mean(axis=0)
    mean = of_delta.mean(axis=0)
    predicted = np.log([theory.chi_1("tanh", sigma_w2, config.sigma_b2) for sigma_w2 in config.sigma_w2])
    headline = {}
    for sigma_w2, one, wanted, by_weights in zip(config.sigma_w2, mean, predicted, of_weights):
        headline[f"slope at sigma_w2 = {sigma_w2:g}"] = float(one)
        headline[f"slope - ln chi_1 at sigma_w2 = {sigma_w2:g}"] = float(one - wanted)
        headline[f"slope of the weight gradient at sigma_w2 = {sigma_w2:g}"] = float(by_weights)
    headline["mean of slope - ln chi_1"] = float((mean - predicted).mean())
    return Result(config, headline, {
        "sigma_w2": np.array(config.sigma_w2), "slope": mean, "slope by seed": of_delta, "ln chi_1": predicted,
        "slope of the weight gradient": of_weights, "ln delta^2": deltas, "ln dW^2": weights})


MEASURED_BEFORE = {0.5: -0.8445, 1.0: -0.2780, 1.25: -0.1494, 1.5: -0.0653, 1.761: 0.0010, 2.0: 0.0476, 2.5: 0.1184,
                   3.0: 0.1838, 4.0: 0.2891}

EXPECTED = (
    *(Expected(f"slope - ln chi_1 at sigma_w2 = {s:g}", 0.0, "mean field (Schoenholz et al. 2017)", 0.02)
      for s in Config().sigma_w2),
    *(Expected(f"slope at sigma_w2 = {s:g}", value, "a separate computation, 5 seeds", 0.015)
      for s, value in MEASURED_BEFORE.items()),
)


def answer(result):
    """Return what was found, in a sentence."""
    a = result.arrays
    worst = abs(a["slope"] - a["ln chi_1"]).max()
    low, high = a["slope"].argmin(), a["slope"].argmax()
    return (f"||delta||^2 changes by a factor chi_1 per layer: ln of it was measured from {a['slope'][low]:+.3f} at "
            f"sigma_w2 = {a['sigma_w2'][low]:g} to {a['slope'][high]:+.3f} at {a['sigma_w2'][high]:g}, never more than "
            f"{worst:.3f} from the prediction.")


def figure(result):
    """Draw the fan of profiles with their predictions, and the slopes against sigma_w2."""
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    a, config = result.arrays, result.config
    back = np.arange(config.depth, -1, -1)
    # From yellow-green to dark: order is read from the shade, and the number stands at the end of the line.
    colours = colormaps["viridis"](np.linspace(0.85, 0, len(a["sigma_w2"])))
    with plot.styled():
        fig = Figure(figsize=(12, 5.4), layout="constrained")
        left, right = fig.subplots(1, 2, width_ratios=(1.25, 1))
        ends = []
        for logs, rate, colour in zip(a["ln delta^2"].mean(axis=0), a["ln chi_1"], colours):
            tens = (logs - logs[-1]) / np.log(100)
            left.plot(back, tens, color=colour, lw=2)
            left.plot(back, back * rate / np.log(100), "--", color="black", lw=0.9,
                      label="predicted: chi_1 per layer" if not ends else None)
            ends.append(tens[0])
        spread_labels(left, ends, [f"{s:g}" for s in a["sigma_w2"]], colours, config.depth)
        left.yaxis.set_major_formatter(lambda value, _: f"$10^{{{value:g}}}$")
        left.set(xlabel="layers back from the loss", ylabel="||delta_l|| / ||delta_L||",
                 title="The gradient on its way back, one line per sigma_w²")
        left.legend(loc="lower left")
        line = np.linspace(a["sigma_w2"].min(), a["sigma_w2"].max(), 60)
        right.axhline(0, color=plot.style.GREY, lw=0.8)
        right.plot(line, np.log([theory.chi_1("tanh", s, config.sigma_b2) for s in line]), "--", color="black",
                   label="predicted: ln chi_1")
        right.errorbar(a["sigma_w2"], a["slope"], a["slope by seed"].std(axis=0), fmt="o", ms=8,
                       color=plot.style.BLUE, label="measured on ||delta||²")
        right.plot(a["sigma_w2"], a["slope of the weight gradient"], "x", ms=9, mew=2, color=plot.style.ORANGE,
                   label="measured on ||dL/dW||²", zorder=4)
        right.set(xlabel="sigma_w²", ylabel="slope per layer", title="Above 0 it explodes, below it vanishes")
        right.legend(loc="lower right")
    return fig


def spread_labels(ax, ends, texts, colours, x):
    """Write a text at the end of each line, moved apart where two would overlap."""
    low, high = ax.get_ylim()
    order, room = np.argsort(ends), (high - low) / 22
    heights = np.array(ends, dtype=float)[order]
    for index in range(1, len(heights)):
        heights[index] = max(heights[index], heights[index - 1] + room)
    heights -= max(0.0, heights[-1] - high)
    for index, height in zip(order, heights):
        ax.annotate(texts[index], (x, height), xytext=(5, 0), textcoords="offset points", va="center", fontsize=10.5,
                    color=colours[index], annotation_clip=False)

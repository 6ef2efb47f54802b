"""Why does one seed differ from the next?  Because a deep net is a product of random numbers (Hanin, Nica 2020).

A ReLU net at He's initialisation, h_l = W_l relu(h_(l-1)) with Var(W) = 2/n, keeps the length of the gradient in the
mean.  But one net is not the mean: in every layer the number k of active units and the weights are drawn, and each
layer multiplies ||delta||^2 by 2 chi^2_k / n.  The logarithms add up, so that over many nets

    ln ||delta_0||^2 / ||delta_L||^2  ~  N(-beta/2, beta)        beta = 5 sum 1/n (ReLU), 2 sum 1/n (linear)

At n = L = 50 that is a standard deviation of sqrt(5) = 2.2: one net's gradient is ten times another's although nothing
is wrong with either.  The law is that of wide layers; the sums over k without it (``exact``) differ by a few per cent
at n = 50, and at n = 20 by a quarter in the variance.

It is also why a profile of one net is no straight line, but a random walk.
"""

from dataclasses import dataclass

import numpy as np

import minigrad as mg
from minigrad import nn, plot, theory
from minigrad.experiments.experiment import Expected, Result, quiet
from minigrad.experiments.settings import Settings, setting
from minigrad.norms import norm

QUESTION = "Why does the gradient of one seed differ from that of the next?"
SECONDS = 6

SHOWN = 15
"""So many profiles are kept and drawn."""


@dataclass(frozen=True)
class Config(Settings):
    """What is measured."""

    activation: str = setting("relu", choices=("relu", "linear"), doc="activation")
    width: int = setting(50, least=4, most=1000, doc="units per layer")
    depth: int = setting(50, least=2, most=500, doc="layers")
    nets: int = setting(800, least=10, most=100_000, doc="nets")
    seed: int = setting(0, least=0, doc="seed of the first net")


FULL = Config(nets=5000)


def profile(config, rng):
    """Return ln ||delta_l||^2 / ||delta_L||^2, l = 0 ... depth, of one net and one input."""
    width = config.width
    act = mg.relu if config.activation == "relu" else lambda h: h
    h = mg.tensor(rng.normal(size=width), requires_grad=True)
    states = [h]
    for _ in range(config.depth):
        layer = nn.Linear(width, width, bias=False, rng=rng)
        nn.init.kaiming_normal_(layer.weight, nonlinearity=config.activation, rng=rng)
        h = layer(act(h))
        states.append(h)
    found = mg.grad(h, states, gradient=rng.normal(size=width))
    with np.errstate(divide="ignore"):                       # a net with a dead layer has no gradient at all
        logs = 2 * np.log([norm(g.data) for g in found])
    return logs - logs[-1]


def run(config, progress=quiet):
    """Measure the profile of many nets."""
    seeds = range(config.seed, config.seed + config.nets)
    walks = np.array([profile(config, np.random.default_rng(seed)) for seed in progress(seeds, "nets")])
    alive = walks[np.isfinite(walks).all(axis=1)]
    if len(alive) < 2:
        raise ValueError(f"width = {config.width}, depth = {config.depth}: {len(walks) - len(alive)} of {len(walks)} "
                         f"nets have a layer in which no unit is active; take a larger width or a smaller depth")
    law = theory.finite_width(config.activation, [config.width] * config.depth)
    exact = theory.finite_width(config.activation, [config.width] * config.depth, exact=True)
    gains = alive[:, 0]
    mean, variance = float(gains.mean()), float(gains.var(ddof=1))
    low, high = np.exp(np.quantile(gains, [0.05, 0.95]) / 2)
    headline = {
        "mean of ln gain^2": mean, "variance of ln gain^2": variance,
        "predicted mean": law.mean, "predicted variance": law.variance,
        "mean by sums over k": exact.mean, "variance by sums over k": exact.variance,
        "gain of the 95th net of 100 / 5th": float(high / low),
        "mean - sums over k": mean - exact.mean, "variance / sums over k": variance / exact.variance,
        "skewness": float((((gains - mean) / variance ** 0.5) ** 3).mean()),
        "nets with a dead layer": len(walks) - len(alive),
    }
    return Result(config, headline, {"ln gain^2": gains, "walks": walks[:SHOWN].copy()})


EXPECTED = (
    Expected("mean of ln gain^2", -2.5, "-5/2 sum 1/n (Hanin, Nica 2020)", 0.3),
    Expected("variance of ln gain^2", 5.0, "5 sum 1/n (Hanin, Nica 2020)", 0.15, "relative"),
    Expected("mean - sums over k", 0.0, "exact for every width", 0.25),
    Expected("variance / sums over k", 1.0, "exact for every width", 0.15),
    Expected("skewness", 0.0, "near a normal law", 0.5),
)


def answer(result):
    """Return what was found, in a sentence."""
    h = result.headline
    return (f"ln ||delta_0||²/||delta_L||² has mean {h['mean of ln gain^2']:.2f} and variance "
            f"{h['variance of ln gain^2']:.2f} over nets that differ in their seed alone (predicted: "
            f"{h['predicted mean']:.2f} and {h['predicted variance']:.2f}): of 100 nets the 95th has a gradient "
            f"{h['gain of the 95th net of 100 / 5th']:.0f} times that of the 5th.")


def figure(result):
    """Draw some profiles in the predicted band, and the histogram over all nets with the predicted normal law."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    a, config = result.arrays, result.config
    back = np.arange(config.depth, -1, -1)
    law = theory.finite_width(config.activation, [config.width] * config.depth)
    with plot.styled():
        fig = Figure(figsize=(12, 5.2), layout="constrained")
        left, right = fig.subplots(1, 2)
        tens = np.log(10)
        for index, walk in enumerate(np.where(np.isfinite(a["walks"]), a["walks"], np.nan)):
            left.plot(back, walk / tens, color=plot.style.SKY, lw=1, label="one net each" if index == 0 else None)
        middle, spread = law.mean * back / config.depth / tens, np.sqrt(law.variance * back / config.depth) / tens
        left.plot(back, middle, "--", color="black", lw=2, label="predicted mean of the logarithm")
        for sign in (-2, 2):
            left.plot(back, middle + sign * spread, "--", color=plot.style.VERMILLION, lw=1.6,
                      label="predicted, two standard deviations" if sign > 0 else None)
        left.yaxis.set_major_formatter(lambda value, _: f"$10^{{{value:g}}}$")
        left.yaxis.set_major_locator(MaxNLocator(integer=True))
        left.set(xlabel="layers back from the loss", ylabel="||delta_l||² / ||delta_L||²",
                 title=f"The same net, {len(a['walks'])} seeds")
        left.legend(loc="lower left")
        right.hist(a["ln gain^2"], bins=40, density=True, color=plot.style.SKY, label="measured")
        x = np.linspace(*right.get_xlim(), 200)
        right.plot(x, np.exp(-0.5 * (x - law.mean) ** 2 / law.variance) / np.sqrt(2 * np.pi * law.variance), "--",
                   color="black", lw=2, label="predicted")
        right.set(xlabel="ln ||delta_0||² / ||delta_L||²", ylabel="share of nets per unit",
                  title=f"{len(a['ln gain^2'])} nets of {config.depth} layers of {config.width} units")
        right.legend()
    return fig

"""Where is the edge between vanishing and exploding (Poole and others 2016; Schoenholz and others 2017)?

A plain tanh net keeps the length of the gradient where chi_1 = sigma_w2 E tanh'(sqrt(q*) z)^2 = 1.  For each variance
of the biases that is one variance of the weights, found by quadrature: 1 without biases, 1.761 for sigma_b2 = 0.05.

Beside it stands what nets do: at five sigma_w2 around the predicted edge the slope of ln ||delta||^2 per layer is
measured, and a line through the five says where it is 0.  Nets of finite width find the edge a little higher, some 3 %
at n = 200: their gradient loses about 2/n per layer (see ``mean_field``), which larger weights must make up for.
"""

from dataclasses import dataclass

import numpy as np

from minigrad import plot, theory
from minigrad.experiments import mean_field
from minigrad.experiments.experiment import Expected, Result, quiet
from minigrad.experiments.settings import Settings, setting

QUESTION = "Where is the edge between vanishing and exploding?"
SECONDS = 8

AROUND = np.array([0.8, 0.9, 1.0, 1.1, 1.2])
"""Where to measure, as parts of the predicted edge."""


@dataclass(frozen=True)
class Config(Settings):
    """What is measured."""

    sigma_b2: tuple = setting((0.01, 0.05, 0.1, 0.2, 0.3, 0.5), least=0.001, most=5, doc="variances of the biases")
    width: int = setting(200, least=2, most=2000, doc="units per layer")
    depth: int = setting(80, least=20, most=500, doc="layers")
    batch: int = setting(4, least=1, most=256, doc="inputs")
    seed: int = setting(0, least=0, doc="the first seed")
    seeds: int = setting(2, least=1, most=100, doc="nets per point")


FULL = Config(width=300, depth=100, seeds=10)


def run(config, progress=quiet):
    """Find the edge by quadrature and by nets, for each variance of the biases."""
    predicted = theory.critical_line("tanh", np.array(config.sigma_b2))
    headline, slopes, edges = {}, [], []
    for index, (sigma_b2, edge) in enumerate(zip(progress(config.sigma_b2, "bias variances"), predicted)):
        nets = mean_field.Config(sigma_b2=sigma_b2, width=config.width, depth=config.depth, batch=config.batch)
        row = np.zeros(len(AROUND))
        for seed in range(config.seed, config.seed + config.seeds):
            for k, part in enumerate(AROUND):
                rng = np.random.default_rng([seed, index, k])
                row[k] += mean_field.slope(mean_field.profiles(nets, part * edge, rng)[0]) / config.seeds
        rate, start = np.polyfit(AROUND * edge, row, 1)
        slopes.append(row)
        edges.append(-start / rate)
        headline[f"edge at sigma_b2 = {sigma_b2:g}"] = float(edge)
        headline[f"measured edge / predicted - 1 at sigma_b2 = {sigma_b2:g}"] = float(-start / rate / edge - 1)
    edges, slopes = np.array(edges), np.array(slopes)
    headline["edge without biases"] = float(theory.critical_line("tanh", 0.0))
    headline["mean of measured edge / predicted - 1"] = float((edges / predicted - 1).mean())
    return Result(config, headline, {"sigma_b2": np.array(config.sigma_b2), "edge": predicted, "measured edge": edges,
                                     "sigma_w2": AROUND * predicted[:, None], "slope": slopes})


KNOWN = {0.01: 1.4242, 0.05: 1.7610, 0.1: 1.9861, 0.2: 2.2852, 0.3: 2.5051, 0.5: 2.8432}

EXPECTED = (
    *(Expected(f"edge at sigma_b2 = {b:g}", edge, "a separate computation on a grid", 0.001)
      for b, edge in KNOWN.items()),
    Expected("edge without biases", 1.0, "tanh'(0) = 1", 1e-12),
    *(Expected(f"measured edge / predicted - 1 at sigma_b2 = {b:g}", 0.02, "chi_1 = 1, less 2/n per layer", 0.07)
      for b in KNOWN),
)


def answer(result):
    """Return what was found, in a sentence."""
    a = result.arrays
    worst = abs(a["measured edge"] / a["edge"] - 1).max()
    pairs = ", ".join(f"{edge:.4f} at {b:g}" for b, edge in zip(a["sigma_b2"], a["edge"]))
    return f"The critical sigma_w2 is {pairs} (sigma_b2); nets have their edge there to {100 * worst:.1f} %."


def figure(result):
    """Draw the phase diagram with the measured edges, and the slopes that they come from."""
    from matplotlib.figure import Figure

    a = result.arrays
    colours = (plot.style.SKY, plot.style.BLUE, plot.style.GREEN, plot.style.ORANGE, plot.style.VERMILLION,
               plot.style.PURPLE)
    with plot.styled():
        fig = Figure(figsize=(12, 5.2), layout="constrained")
        left, right = fig.subplots(1, 2, width_ratios=(1.15, 1))
        plot.phase("tanh", left, sigma_w2=(0.25, max(4.0, 1.2 * a["edge"].max())),
                   sigma_b2=(0.0, 1.04 * a["sigma_b2"].max()), points=31, title="Deep tanh nets: theory, and nets")
        left.plot(a["sigma_b2"], a["measured edge"], "o", ms=8, color=plot.style.BLACK, mec="white", clip_on=False,
                  label="measured edge")
        left.legend(loc="lower right", frameon=True, framealpha=0.85, edgecolor="none")
        right.axhline(0, color=plot.style.GREY, lw=0.8)
        for index, (b, xs, ys) in enumerate(zip(a["sigma_b2"], a["sigma_w2"], a["slope"])):
            line = np.linspace(xs[0], xs[-1], 20)
            right.plot(line, np.log([theory.chi_1("tanh", x, b) for x in line]), "--", color="black", lw=0.9,
                       label="ln chi_1" if index == 0 else None)
            right.plot(xs, ys, "o-", ms=5, color=colours[index % 6], label=f"sigma_b² = {b:g}")
        right.set(xlabel="sigma_w²", ylabel="slope of ln ||delta||² per layer",
                  title="Each line crosses 0 at its own edge")
        right.legend(loc="upper left", ncols=2)
        bottom, top = right.get_ylim()
        right.set_ylim(bottom, top + 0.4 * (top - bottom))
    return fig

"""Spectral radius or norm: which of the two decides how the gradient of a linear recurrence grows?

With h_t = W h_(t-1) the gradient is dL/dh_t = (W^T)^(T-t) dL/dh_T.  In the long run it changes by ln rho(W) per step,
rho the spectral radius; the largest singular value, which bounds a single step, is far too large: for a Gaussian W of
variance 1/n it is 2, while rho is 1.  The rho of the very matrix counts: from one Gaussian 128 x 128 to the next it
varies by 4 %, and over 400 steps that is all the difference between growth and decay.
"""

from dataclasses import dataclass

import numpy as np

import minigrad as mg
from minigrad import plot, theory
from minigrad.experiments.experiment import Expected, Result, quiet
from minigrad.experiments.settings import Settings, setting
from minigrad.norms import norm

QUESTION = "Is it the spectral radius or the norm of W that makes a gradient explode through time?"
SECONDS = 4


@dataclass(frozen=True)
class Config(Settings):
    """What is measured."""

    hidden: int = setting(128, least=2, most=1024, doc="units")
    gain: float = setting(1.0, above=0, most=10, doc="W is Gaussian with variance gain^2 / hidden")
    steps: int = setting(400, least=20, most=5000, doc="steps through time")
    tail: int = setting(100, least=10, most=5000, doc="how many of the earliest steps the slope is fitted to")
    seed: int = setting(0, least=0, doc="the first seed")
    seeds: int = setting(5, least=1, most=1000, doc="matrices")


def profile(weight, rng, steps):
    """Return ||dL/dh_t|| for t = 0 ... steps, L a random linear function of the last state."""
    h = mg.tensor(rng.normal(size=len(weight)), requires_grad=True)
    states = [h]
    for _ in range(steps):
        h = weight @ h
        states.append(h)
    return np.array([norm(g.data) for g in mg.grad((h * rng.normal(size=len(weight))).sum(), states)])


def run(config, progress=quiet):
    """Measure the slope of the gradient's norm through time, and rho and the norm of each W."""
    headline, profiles, radii, norms, slopes = {}, [], [], [], []
    tail = min(config.tail, config.steps)
    for seed in progress(range(config.seed, config.seed + config.seeds), "matrices"):
        rng = np.random.default_rng(seed)
        weight = config.gain * rng.normal(size=(config.hidden, config.hidden)) / config.hidden ** 0.5
        sizes = profile(weight, rng, config.steps)
        # Backwards in time, the steps furthest from the loss: what W amplifies for a while has died down by then.
        slope = -np.polyfit(np.arange(tail + 1), np.log(sizes[:tail + 1]), 1)[0]
        found = theory.linear_rnn(weight)
        profiles.append(sizes)
        radii.append(found.radius)
        norms.append(found.norm)
        slopes.append(slope)
        headline[f"slope, seed {seed}"] = float(slope)
        headline[f"ln rho, seed {seed}"] = found.rate
    radii, norms, slopes = map(np.array, (radii, norms, slopes))
    headline["largest |slope - ln rho|"] = float(abs(slopes - np.log(radii)).max())
    headline["smallest |slope - ln norm|"] = float(abs(slopes - np.log(norms)).min())
    headline["ln norm, mean"] = float(np.log(norms).mean())
    return Result(config, headline, {"norms of dL/dh": np.array(profiles), "rho": radii, "norm": norms,
                                     "slope": slopes})


EXPECTED = (
    Expected("largest |slope - ln rho|", 0.0, "Gelfand's formula: ||W^k||^(1/k) tends to rho", 0.005),
    Expected("ln norm, mean", 0.67, "a separate computation; ln 2 = 0.69 for n to infinity", 0.03),
    Expected("smallest |slope - ln norm|", 0.5, "the norm is no rate", kind="at least"),
)


def answer(result):
    """Return what was found, in a sentence."""
    h = result.headline
    return (f"The radius: the gradient's rate is ln rho to {h['largest |slope - ln rho|']:.4f} per step, while ln of "
            f"the norm, {h['ln norm, mean']:.2f}, is off by at least {h['smallest |slope - ln norm|']:.2f}.")


def figure(result):
    """Draw the norm through time with the line of rho, and slope against ln rho and ln norm."""
    from matplotlib.figure import Figure

    a, config = result.arrays, result.config
    colours = (plot.style.BLUE, plot.style.ORANGE, plot.style.GREEN, plot.style.PURPLE, plot.style.SKY)
    back = np.arange(config.steps, -1, -1)
    with plot.styled():
        fig = Figure(figsize=(12, 5), layout="constrained")
        left, right = fig.subplots(1, 2)
        for index, (sizes, radius) in enumerate(zip(a["norms of dL/dh"], a["rho"])):
            left.semilogy(back, sizes / sizes[-1], color=colours[index % 5], label=f"rho = {radius:.3f}")
            left.semilogy(back, sizes[0] / sizes[-1] * radius ** (back - config.steps), "--", color="black", lw=0.9,
                          label="rho to the power of steps" if index == 0 else None)
        left.set(xlabel="steps back from the loss", ylabel="||dL/dh_t|| / ||dL/dh_T||",
                 title="One line per Gaussian W")
        left.legend()
        low = min(a["slope"].min(), np.log(a["rho"]).min()) - 0.05
        right.plot([low, 0.75], [low, 0.75], "--", color=plot.style.GREY, label="rate = prediction")
        right.plot(np.log(a["rho"]), a["slope"], "o", color=plot.style.BLUE, ms=8, label="predicted by ln rho")
        right.plot(np.log(a["norm"]), a["slope"], "s", color=plot.style.VERMILLION, ms=7, label="predicted by ln norm")
        right.set(xlabel="prediction", ylabel="measured rate per step", title="The rate, and two predictions")
        right.legend(loc="upper left")
    return fig

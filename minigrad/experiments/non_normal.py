"""A spectral radius below 1, and the gradient explodes: what a matrix that is not normal can do for a while.

W = 0.9 I + S, with S the shift (ones above the diagonal), has all eigenvalues 0.9, so that in the long run every
gradient vanishes.  But W^k holds k (k-1) ... 0.9^(k-j) / j! on its j-th diagonal, and with 20 units the last of them
grows for 189 steps before it gives in.  The radius speaks of the limit; the norm of the powers of what happens until
then (Trefethen and Embree 2005).
"""

from dataclasses import dataclass

import numpy as np

import minigrad as mg
from minigrad import plot, theory
from minigrad.experiments.experiment import Expected, Result, quiet
from minigrad.experiments.settings import Settings, setting
from minigrad.norms import norm

QUESTION = "With a spectral radius of 0.9, does every gradient vanish?"
SECONDS = 2


@dataclass(frozen=True)
class Config(Settings):
    """What is measured."""

    hidden: int = setting(20, least=2, most=60, doc="units")
    radius: float = setting(0.9, above=0, below=1, doc="the eigenvalue, on the diagonal")
    steps: int = setting(600, least=1, most=20_000, doc="steps through time")


def run(config, progress=quiet):
    """Measure ||dL/dh_t|| for the loss that is amplified most, and the norm of the powers of W."""
    weight = config.radius * np.eye(config.hidden) + np.eye(config.hidden, k=1)
    h = mg.tensor(np.zeros(config.hidden), requires_grad=True)
    states = [h]
    for _ in progress(range(config.steps), "steps"):
        h = weight @ h
        states.append(h)
    # L is the first unit at the end: its gradient has the whole chain before it.
    sizes = np.array([norm(g.data) for g in mg.grad(h[0], states)])[::-1]
    powers = theory.transient(weight, config.steps).log10_norm
    peak = int(np.argmax(sizes))
    headline = {"spectral radius": theory.spectral_radius(weight), "norm": theory.spectral_norm(weight),
                "largest ||dL/dh_t||": float(sizes[peak]), "steps back": peak,
                "log10 of the largest ||W^k||": float(powers.max()), "its k": int(np.argmax(powers)),
                "||dL/dh_0||": float(sizes[-1])}
    return Result(config, headline, {"norm of dL/dh": sizes, "log10 norm of W^k": powers})


EXPECTED = (
    Expected("spectral radius", 0.9, "W is triangular", 1e-12),
    Expected("norm", 1.894, "a separate computation", 1e-3),
    Expected("log10 of the largest ||W^k||", np.log10(9.65e17), "a separate computation", 0.01),
    Expected("its k", 189, "a separate computation", 0),
    Expected("largest ||dL/dh_t||", 1e15, "more than any clip threshold is meant for", kind="at least"),
)


def answer(result):
    """Return what was found, in a sentence."""
    h = result.headline
    return (f"In the end, but first it grows to {h['largest ||dL/dh_t||']:.2g}, {h['steps back']} steps back, with all "
            f"eigenvalues {h['spectral radius']:g}.")


def figure(result):
    """Draw the gradient's norm over the steps back from the loss."""
    from matplotlib.figure import Figure

    sizes, powers, config = *result.arrays.values(), result.config
    back = np.arange(len(sizes))
    with plot.styled():
        fig = Figure(figsize=(8, 5), layout="constrained")
        ax = fig.subplots()
        ax.plot(back, np.log10(sizes), color=plot.style.BLUE, lw=4, alpha=0.5, label="measured: ||dL/dh_t||")
        ax.plot(back, powers, "--", color="black", lw=1.6, label="predicted: ||W^k||")
        ax.plot(back, back * np.log10(config.radius), "--", color=plot.style.VERMILLION, lw=1.6,
                label=f"predicted from the radius {config.radius:g} alone")
        ax.set_ylim(bottom=max(ax.get_ylim()[0], -20))
        ax.yaxis.set_major_formatter(lambda value, _: f"$10^{{{value:g}}}$")
        ax.set(xlabel="steps k back from the loss", ylabel="norm of the gradient",
               title=f"All eigenvalues are {config.radius:g}, and it explodes")
        ax.legend(loc="lower left")
    return fig

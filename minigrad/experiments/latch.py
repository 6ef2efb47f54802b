"""The stronger the memory, the faster the gradient vanishes (Bengio, Simard and Frasconi 1994).

A unit h' = tanh(w h) with w > 1 keeps a sign for ever: it has two attractors, +-h*, with h* = tanh(w h*).  But that it
forgets a disturbance of h* is what an attractor means: dh_t/dh_0 shrinks by w (1 - h*^2) < 1 in every step, and the
more so the larger w is.  That w is above 1 does not help; at h* it is not w that counts, but the slope.
"""

from dataclasses import dataclass

import numpy as np

import minigrad as mg
from minigrad import plot, theory
from minigrad.experiments.experiment import Expected, Result, quiet
from minigrad.experiments.settings import Settings, setting

QUESTION = "Can a unit that remembers be taught over a long time?"
SECONDS = 1


@dataclass(frozen=True)
class Config(Settings):
    """What is measured."""

    weights: tuple = setting((1.25, 2.0, 4.0), above=1.0, most=20.0, doc="weights w of the unit")
    steps: int = setting(50, least=1, most=10_000, doc="steps through time")


def run(config, progress=quiet):
    """Measure dh_t/dh_0 by backpropagation, started at the attractor."""
    headline, shrunk = {}, []
    for w in progress(config.weights, "weights"):
        h = first = mg.tensor(theory.latch(w).h, requires_grad=True)
        states = []
        for _ in range(config.steps):
            h = mg.tanh(w * h)
            states.append(h)
        slopes = np.array([mg.grad(h, first, retain_graph=True).item() for h in states])
        shrunk.append(slopes)
        headline[f"factor per step, w = {w:g}"] = float(slopes[0])
        headline[f"after {config.steps} steps, w = {w:g}"] = float(slopes[-1])
    return Result(config, headline, {"w": np.array(config.weights), "slopes": np.array(shrunk)})


EXPECTED = (
    *(Expected(f"factor per step, w = {w:g}", value, "w (1 - h*^2) (Bengio et al. 1994)", 1e-4)
      for w, value in ((1.25, 0.6191), (2.0, 0.1664), (4.0, 0.0054))),
    Expected("after 50 steps, w = 1.25", 3.9e-11, "a separate computation", 0.02, "relative"),
    Expected("after 50 steps, w = 2", 1.1e-39, "a separate computation", 0.05, "relative"),
    Expected("after 50 steps, w = 4", 3.9e-114, "a separate computation", 0.05, "relative"),
)


def answer(result):
    """Return what was found, in a sentence."""
    lines = [f"{result.headline[f'factor per step, w = {w:g}']:.4f} at w = {w:g}" for w in result.config.weights]
    return f"The gradient shrinks in every step by {', '.join(lines)}: the surer the memory, the less can be learned."


def figure(result):
    """Draw dh_t/dh_0 over t."""
    from matplotlib.figure import Figure

    slopes = result.arrays["slopes"]
    with plot.styled():
        fig = Figure(figsize=(8, 5), layout="constrained")
        ax = fig.subplots()
        lanes = plot.Lanes(slopes)
        lanes.dress(ax)
        steps = np.arange(1, slopes.shape[1] + 1)
        colours = (plot.style.BLUE, plot.style.ORANGE, plot.style.VERMILLION, plot.style.GREEN, plot.style.PURPLE)
        for index, (w, values) in enumerate(zip(result.arrays["w"], slopes)):
            colour = colours[index % len(colours)]
            predicted = theory.latch(w).factor ** steps
            ax.plot(steps, lanes.place(predicted), "--", color="black", lw=1, zorder=1)
            ax.plot(steps, lanes.place(values), "o", color=colour, ms=6, markevery=max(1, len(steps) // 17),
                    label=f"w = {w:g}: {values[0]:.4f} per step")
        ax.plot([], [], "--", color="black", lw=1, label="predicted: w (1 - h*²) to the power t")
        ax.set(xlabel="steps t", ylabel="dh_t / dh_0", title="A unit at its attractor forgets what disturbs it")
        ax.legend()
    return fig

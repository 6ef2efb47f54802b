"""How fast does the gradient of a driven tanh RNN grow or shrink through time?

a_t = W tanh(a_(t-1)) + u_t, with W = g times an orthogonal matrix and Gaussian input of variance s_u^2 (new at every
step and unit).  Three ways lead to the rate of ||dL/dh_t|| per step, and should agree: backpropagation through the net;
the mean field of Chen, Pennington and Schoenholz 2018, ln(g^2 E tanh'(sqrt(q) z)^2) / 2 with
q = g^2 E tanh(sqrt(q) z)^2 + s_u^2; and the largest Lyapunov exponent by QR (Vogt and others 2020) along the same
states.  An orthogonal W with g = 1 still vanishes, because tanh' is below 1 wherever the input pushes it.

The mean field is that of infinitely many units.  In chaos (g above 1.2) 128 units fall short of it by some .003 to .01
per step, and backpropagation and QR, which measure the same net, do so together.
"""

from dataclasses import dataclass

import numpy as np

import minigrad as mg
from minigrad import nn, plot, theory
from minigrad.experiments.experiment import Expected, Result, quiet
from minigrad.experiments.settings import Settings, setting
from minigrad.norms import norm

QUESTION = "How fast does the gradient of an RNN grow through time?"
SECONDS = 20


@dataclass(frozen=True)
class Config(Settings):
    """What is measured."""

    gains: tuple = setting((0.8, 0.95, 1.0, 1.2, 1.5, 2.0), above=0, most=10, doc="gains g of the recurrent matrix")
    inputs: tuple = setting((0.5, 0.1, 0.1, 0.1, 0.1, 0.1), least=0, most=10, doc="for each, s_u of the input")
    hidden: int = setting(128, least=2, most=1024, doc="units")
    steps: int = setting(200, least=20, most=5000, doc="steps the gradient goes back")
    settle: int = setting(100, least=0, most=5000, doc="steps before them, in which the states settle")
    batch: int = setting(4, least=1, most=256, doc="sequences")
    seed: int = setting(0, least=0, doc="the first seed")
    seeds: int = setting(3, least=1, most=100, doc="nets per gain")

    def __post_init__(self):
        super().__post_init__()
        if len(self.gains) != len(self.inputs):
            raise ValueError(f"inputs = {self.inputs}: one for each of the {len(self.gains)} gains is wanted")


def measure(config, gain, strength, rng):
    """Return ||dL/dh_t|| (steps + 1,), averaged in the logarithm over the batch, and the Lyapunov exponent by QR."""
    weight = nn.init.orthogonal_(mg.zeros(config.hidden, config.hidden), gain, rng=rng).data
    total = config.settle + config.steps
    drive = strength * rng.normal(size=(total, config.batch, config.hidden))
    h = mg.tensor(np.tanh(rng.normal(size=(config.batch, config.hidden))))
    with mg.no_grad():
        for u in drive[:config.settle]:
            h = mg.tanh(h @ weight.T + u)
    h = mg.tensor(h.data, requires_grad=True)
    states = [h]
    for u in drive[config.settle:]:
        h = mg.tanh(h @ weight.T + u)
        states.append(h)
    cotangent = rng.normal(size=h.shape)
    gradients = mg.grad((h * cotangent).sum(), states)
    logs = np.array([[np.log(norm(row)) for row in g.data] for g in gradients])
    path = np.array([state.data[0] for state in states[1:]])
    exponent = theory.lyapunov(weight, path, lambda h: 1 - h * h, k=1, rng=rng).exponents[0]
    return logs.mean(axis=1), exponent


def run(config, progress=quiet):
    """Measure every gain with all seeds."""
    headline, curves, rates, exponents, predictions = {}, [], [], [], []
    todo = [(pair, seed) for pair in zip(config.gains, config.inputs)
            for seed in range(config.seed, config.seed + config.seeds)]
    found = {}
    for pair, seed in progress(todo, "nets"):
        found.setdefault(pair, []).append(measure(config, *pair, np.random.default_rng(seed)))
    lags = np.arange(config.steps, -1, -1)
    for (gain, strength), nets in found.items():
        logs = np.array([logs for logs, _ in nets])
        predicted = theory.driven_rnn("tanh", gain ** 2, strength ** 2).rate
        rate = float(np.polyfit(lags, logs.mean(axis=0), 1)[0])
        exponent = float(np.mean([exponent for _, exponent in nets]))
        curves.append((logs - logs[:, -1:]).mean(axis=0) / np.log(10))
        rates.append(rate)
        exponents.append(exponent)
        predictions.append(predicted)
        name = f"g = {gain:g}, s_u = {strength:g}"
        headline[f"rate, {name}"] = rate
        headline[f"rate - mean field, {name}"] = rate - predicted
        headline[f"rate - QR, {name}"] = rate - exponent
    return Result(config, headline, {
        "g": np.array(list(found))[:, 0], "s_u": np.array(list(found))[:, 1], "rate": np.array(rates),
        "QR": np.array(exponents), "mean field": np.array(predictions), "log10 gain": np.array(curves)})


EXPECTED = (
    *(Expected(f"rate - mean field, g = {g:g}, s_u = {s:g}", 0.0, "Chen, Pennington, Schoenholz 2018", 0.01)
      for g, s in zip(Config().gains, Config().inputs)),
    *(Expected(f"rate - QR, g = {g:g}, s_u = {s:g}", 0.0, "QR of the same Jacobians (Vogt et al. 2020)", 0.01)
      for g, s in zip(Config().gains, Config().inputs)),
    Expected("rate, g = 1, s_u = 0.1", -0.0662, "a separate computation with hand-written BPTT", 0.003),
    Expected("rate, g = 2, s_u = 0.1", 0.1496, "a separate computation with hand-written BPTT", 0.006),
)


def answer(result):
    """Return what was found, in a sentence."""
    a = result.arrays
    worst = abs(a["rate"] - a["mean field"]).max()
    return (f"From {a['rate'].min():+.3f} per step at g = {a['g'][a['rate'].argmin()]:g} to {a['rate'].max():+.3f} at "
            f"g = {a['g'][a['rate'].argmax()]:g}; the mean field is right to {worst:.3f}.")


def figure(result):
    """Draw the gain over time for each g, and the rate against the predictions."""
    from matplotlib.figure import Figure

    a, steps = result.arrays, result.config.steps
    back = np.arange(steps, -1, -1)
    colours = (plot.style.BLUE, plot.style.SKY, plot.style.GREEN, plot.style.ORANGE, plot.style.VERMILLION,
               plot.style.PURPLE)
    with plot.styled():
        fig = Figure(figsize=(12, 5), layout="constrained")
        left, right = fig.subplots(1, 2)
        for index, (gain, strength, curve, rate) in enumerate(zip(a["g"], a["s_u"], a["log10 gain"], a["mean field"])):
            left.plot(back, curve, color=colours[index % 6], label=f"g = {gain:g}, input {strength:g}")
            left.plot(back, back * rate / np.log(10), "--", color="black", lw=0.9,
                      label="mean field" if index == 0 else None)
        left.yaxis.set_major_formatter(lambda value, _: f"$10^{{{value:g}}}$")
        left.set(xlabel="steps back from the loss", ylabel="||dL/dh_t|| / ||dL/dh_T||",
                 title="The gradient of a tanh RNN, W = g x orthogonal")
        left.legend()
        order = np.argsort(a["g"])
        right.axhline(0, color=plot.style.GREY, lw=0.8)
        right.plot(a["g"][order], a["mean field"][order], "--", color="black", label="mean field")
        right.plot(a["g"], a["rate"], "o", ms=9, color=plot.style.BLUE, label="backpropagation")
        right.plot(a["g"], a["QR"], "x", ms=9, mew=2, color=plot.style.ORANGE, label="Lyapunov exponent by QR")
        right.set(xlabel="g", ylabel="rate per step", title="Above 0 it explodes, below it vanishes")
        right.legend()
    return fig

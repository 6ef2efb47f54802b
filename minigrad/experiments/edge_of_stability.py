"""Where does the sharpness settle?  Gradient descent at the edge of stability (Cohen and others 2021).

On a quadratic of curvature s, descent with the learning rate eta diverges once s > 2 / eta.  The sharpness of a net,
the largest eigenvalue of its matrix of second derivatives, grows as long as it trains ("progressive sharpening").  When
it arrives at 2 / eta the loss does not diverge: the sharpness stays there, oscillating, while the loss goes on falling,
no longer at every step.  So the learning rate decides how sharp a minimum one ends in, and

    sharpness eta / 2 = 1

The net is tanh, 1-50-50-1, and learns the Chebyshev polynomial T_5 at 20 points, with L = sum(e^2) / 2N.  The
sharpness is found by power iteration: products of the Hessian with a vector by a backward pass through the backward
pass (Pearlmutter 1994), so no Hessian is formed.

At the edge descent goes to and fro across a valley, and its two sides need not be equally sharp: at a rate of 0.05
they are 4.6 % above and below 2 / eta.  So the mean over two updates in a row is taken; seen at every second update
only, the sharpness would seem to miss the edge.  At a rate of 0.2, beyond the edge from the start, it swings from 0.6
to 1.7 of 2 / eta, and what is at the edge is its mean alone (1.01 with seed 0, 1.11 with seed 1).
"""

from dataclasses import dataclass

import numpy as np

import minigrad as mg
from minigrad import nn, optim, plot
from minigrad.experiments.experiment import Expected, Result, quiet
from minigrad.experiments.settings import Settings, setting
from minigrad.norms import norm

QUESTION = "Where does the sharpness settle?"
SECONDS = 7


@dataclass(frozen=True)
class Config(Settings):
    """What is run."""

    rates: tuple = setting((0.2, 0.1, 0.05), above=0, most=2, doc="learning rates")
    time: float = setting(500.0, above=0, most=1e5, doc="updates times the learning rate")
    width: int = setting(50, least=1, most=1000, doc="units in each of the two hidden layers")
    points: int = setting(20, least=2, most=1000, doc="points")
    degree: int = setting(5, least=1, most=50, doc="of the Chebyshev polynomial")
    measurements: int = setting(60, least=4, most=10_000, doc="of the sharpness, per run")
    products: int = setting(10, least=1, most=1000, doc="products with the Hessian in each, from the last vector on")
    seed: int = setting(0, least=0, doc="of the net")


FULL = Config(time=2000.0, measurements=200)


def loss_of(net, x, y):
    """Return sum(e^2) / 2N."""
    return ((net(x) - y) ** 2).mean() / 2


def sharpness(loss, params, vector, products):
    """Return the largest eigenvalue of the Hessian by power iteration from a vector, and the vector it came to."""
    grads = mg.grad(loss, params, create_graph=True)
    value = np.nan
    for _ in range(products):
        length = norm(vector)
        vector = [v / length for v in vector]
        along = sum((g * v).sum() for g, v in zip(grads, vector))
        product = [h.data for h in mg.grad(along, params, retain_graph=True)]
        value = sum(float((v * h).sum()) for v, h in zip(vector, product))
        vector = product
    return value, vector


def train(rate, config, progress):
    """Return from which updates on the sharpness was measured, that of each and of the next, and every loss."""
    rng = np.random.default_rng(config.seed)
    net = nn.Sequential(nn.Linear(1, config.width, rng=rng), nn.Tanh(), nn.Linear(config.width, config.width, rng=rng),
                        nn.Tanh(), nn.Linear(config.width, 1, rng=rng))
    for layer in net[::2]:
        nn.init.normal_(layer.weight, std=layer.weight.shape[1] ** -0.5, rng=rng)
        nn.init.zeros_(layer.bias)
    x = np.linspace(-1, 1, config.points)[:, None]
    y = np.polynomial.chebyshev.chebval(x, [0.0] * config.degree + [1.0])
    params = list(net.parameters())
    vector = [rng.normal(size=p.shape) for p in params]
    opt = optim.SGD(net.parameters(), rate)
    updates = max(2, round(config.time / rate))
    every = max(2, updates // config.measurements)
    at, found, losses = [], [], []
    for update in progress(range(updates), f"updates, learning rate {rate:g}"):
        if update % every in (0, 1):
            value, vector = sharpness(loss_of(net, x, y), params, vector, config.products)
            at.append(update)
            found.append(value)
        opt.zero_grad()
        loss = loss_of(net, x, y)
        loss.backward()
        losses.append(loss.item())
        opt.step()
    pairs = len(found) // 2
    return np.array(at[:2 * pairs:2]), np.reshape(found[:2 * pairs], (pairs, 2)), np.array(losses)


def run(config, progress=quiet):
    """Train at each learning rate, and measure the sharpness along the way."""
    headline, arrays = {}, {}
    for rate in config.rates:
        at, pairs, losses = train(rate, config, progress)
        found = pairs.mean(axis=1)
        half = pairs[len(pairs) // 2:]
        crossed = np.flatnonzero(found >= 2 / rate)
        headline[f"sharpness at the start, rate {rate:g}"] = float(found[0])
        headline[f"sharpness x rate / 2, second half, rate {rate:g}"] = float(half.mean() * rate / 2)
        headline[f"sharper side x rate / 2, second half, rate {rate:g}"] = float(half.max(axis=1).mean() * rate / 2)
        headline[f"largest sharpness, rate {rate:g}"] = float(found.max())
        headline[f"lowest x rate / 2, second half, rate {rate:g}"] = float(half.mean(axis=1).min() * rate / 2)
        headline[f"highest x rate / 2, second half, rate {rate:g}"] = float(half.mean(axis=1).max() * rate / 2)
        headline[f"2 / rate first reached at update, rate {rate:g}"] = int(at[crossed[0]]) if crossed.size else -1
        headline[f"loss at the start, rate {rate:g}"] = float(losses[0])
        headline[f"loss at the end, rate {rate:g}"] = float(losses[-1])
        headline[f"share of updates that raise the loss, second half, rate {rate:g}"] = float(
            (np.diff(losses[len(losses) // 2:]) > 0).mean())
        arrays.update({f"update, rate {rate:g}": at, f"sharpness, rate {rate:g}": found,
                       f"sharpness of both updates, rate {rate:g}": pairs, f"loss, rate {rate:g}": losses})
    return Result(config, headline, arrays)


EXPECTED = (
    *(Expected(f"sharpness x rate / 2, second half, rate {rate:g}", 1.0, "edge of stability (Cohen et al. 2021)", 0.05)
      for rate in Config().rates),
    *(Expected(f"2 / rate first reached at update, rate {rate:g}", 1, "progressive sharpening", kind="at least")
      for rate in Config().rates[1:]),
    *(Expected(f"share of updates that raise the loss, second half, rate {rate:g}", 0.001, "it oscillates",
               kind="at least") for rate in Config().rates),
)


def answer(result):
    """Return what was found, in a sentence."""
    h, rates = result.headline, result.config.rates
    found = [h[f"sharpness x rate / 2, second half, rate {rate:g}"] for rate in rates]
    start = h[f"sharpness at the start, rate {rates[0]:g}"]
    return (f"At 2 / learning rate, on average: from {start:.1f} at the start the sharpness comes to a mean of "
            f"{', '.join(f'{2 * value / rate:.1f}' for value, rate in zip(found, rates))} for learning rates of "
            f"{', '.join(f'{rate:g}' for rate in rates)}; times rate / 2 that is {min(found):.3f} to {max(found):.3f}.")


def figure(result):
    """Draw the sharpness and the loss against updates times learning rate."""
    from matplotlib.figure import Figure

    a, config = result.arrays, result.config
    colours = [plot.style.BLUE, plot.style.GREEN, plot.style.VERMILLION, plot.style.PURPLE, plot.style.ORANGE]
    with plot.styled():
        fig = Figure(figsize=(12.5, 5), layout="constrained")
        left, right = fig.subplots(1, 2)
        for index, rate in enumerate(config.rates):
            colour = colours[index % len(colours)]
            left.axhline(2 / rate, ls="--", color="black", lw=1.2, label="predicted: 2 / rate" if not index else None)
            left.plot(a[f"update, rate {rate:g}"] * rate, a[f"sharpness, rate {rate:g}"], "o-", color=colour, ms=4,
                      lw=1.6, label=f"learning rate {rate:g}")
            losses = a[f"loss, rate {rate:g}"]
            shown = np.arange(0, len(losses), max(1, len(losses) // 2000))
            right.semilogy(shown * rate, losses[shown], color=colour, lw=1, label=f"learning rate {rate:g}")
        left.set(xlabel="updates x learning rate", ylabel="sharpness", ylim=(0, 2.9 / min(config.rates)),
                 title="The sharpness rises to 2 / learning rate, and stays about it")
        left.legend(loc="upper center", ncols=2)
        right.set(xlabel="updates x learning rate", ylabel="loss", title="The loss goes on falling all the same")
        right.legend(loc="lower left")
    return fig

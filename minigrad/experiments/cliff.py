"""The cliff: the loss surface of a recurrent net of one unit (Pascanu, Mikolov and Bengio 2013, figure 6).

The net is x_t = w sigma(x_(t-1)) + b, started at x_0 = 0.5; the loss is E = (sigma(x_50) - 0.7)^2.  Nearly everywhere
its gradient is small.  But where x_0 is a fixed point, b = 0.5 - w sigma(0.5), and an unstable one, w sigma'(0.5) > 1
(so from w = 4.26 on), a change of x_0 grows by that factor in every step: there, on a line in the plane, stands a wall.
On it the gradient has a closed form, with r = w sigma'(0.5) and T steps:

    dx_T/dx_0 = r^T        dE/db = 2 (sigma(0.5) - 0.7) sigma'(0.5) (r^T - 1) / (r - 1)

The wall is thinner than any grid (below 1e-5 from w = 6 on), so the gradient is measured on the predicted line itself.
"""

from dataclasses import dataclass

import numpy as np

import minigrad as mg
from minigrad import plot
from minigrad.experiments.experiment import Expected, Result, quiet
from minigrad.experiments.settings import Settings, setting

QUESTION = "What does a loss cliff look like?"
SECONDS = 1

START, TARGET = 0.5, 0.7
SIGMA = 1 / (1 + np.exp(-START))
SLOPE = SIGMA * (1 - SIGMA)


@dataclass(frozen=True)
class Config(Settings):
    """What is measured."""

    steps: int = setting(50, least=1, most=1000, doc="steps through time")
    weights: tuple = setting((4.5, 5.0, 5.5, 6.0, 7.0), above=1 / SLOPE, doc="where on the wall to measure")
    points: int = setting(201, least=2, most=2001, doc="points along each side of the surface")


def loss(w, b, steps):
    """Return E, and x_0, for arrays or tensors w and b of one shape."""
    x = first = mg.tensor(np.full(np.shape(w), START), requires_grad=True)
    for _ in range(steps):
        x = w * mg.sigmoid(x) + b
    return (mg.sigmoid(x) - TARGET) ** 2, x, first


def wall(w):
    """Return b on the wall."""
    return START - w * SIGMA


def on_the_wall(w, steps):
    """Return dx_T/dx_0 and dE/db there, as predicted."""
    rate = w * SLOPE
    return rate ** steps, 2 * (SIGMA - TARGET) * SLOPE * (rate ** steps - 1) / (rate - 1)


def run(config, progress=quiet):
    """Measure the surface, and the gradient on the wall."""
    w = mg.tensor(np.array(config.weights), requires_grad=True)
    b = mg.tensor(wall(np.array(config.weights)), requires_grad=True)
    errors, last, first = loss(w, b, config.steps)
    # Points do not act on each other, so the gradient of the sum holds that of each.
    (growth,) = mg.grad(last.sum(), [first], retain_graph=True)
    (slope,) = mg.grad(errors.sum(), [b])
    predicted = on_the_wall(np.array(config.weights), config.steps)
    ws, bs = np.linspace(4.0, 7.0, config.points), np.linspace(-4.5, -1.5, config.points)
    surface, lengths = [], []
    for row in progress(bs, "rows of the surface"):
        w, b = (mg.tensor(a, requires_grad=True) for a in (ws, np.full_like(ws, row)))
        errors, _, _ = loss(w, b, config.steps)
        surface.append(errors.data)
        lengths.append(np.hypot(*(g.data for g in mg.grad(errors.sum(), [w, b]))))
    surface, lengths = np.array(surface), np.array(lengths)
    headline = {"median gradient norm": float(np.median(lengths)), "largest on the grid": float(lengths.max()),
                "share of points above 1": float((lengths > 1).mean())}
    for name, measured, form in (("dx_T/dx_0", growth.data, predicted[0]), ("dE/db", slope.data, predicted[1])):
        for w, by_net, by_form in zip(config.weights, measured, form):
            headline[f"{name} at w = {w:g}"] = float(by_net)
            headline[f"{name} at w = {w:g}, measured / predicted - 1"] = float(by_net / by_form - 1)
    return Result(config, headline, {"w": ws, "b": bs, "loss": surface, "norm": lengths,
                                     "wall w": np.array(config.weights), "wall dE/db": np.asarray(slope.data)})


EXPECTED = (
    *(Expected(f"{what} at w = {w:g}, measured / predicted - 1", 0.0, "closed form on the wall", 1e-6)
      for what in ("dx_T/dx_0", "dE/db") for w in Config().weights),
    Expected("dx_T/dx_0 at w = 5", 3178.60, "a separate computation of (w sigma'(0.5))^50", 1e-5, "relative"),
    Expected("dE/db at w = 5", -661.683, "a separate computation", 1e-5, "relative"),
    Expected("median gradient norm", 0.039, "a separate computation on a grid of 601 x 601", 0.1, "relative"),
)


def answer(result):
    """Return what was found, in a sentence."""
    h = result.headline
    steepest = max(abs(value) for name, value in h.items() if name.startswith("dE/db") and "predicted" not in name)
    return (f"A plain with a wall in it: the median gradient norm is {h['median gradient norm']:.2g}, and on a line "
            f"that no grid hits it reaches {steepest:.2g}.")


def figure(result):
    """Draw the surface from above, the wall as predicted, and the gradient along it."""
    a = result.arrays
    with plot.styled():
        from matplotlib.figure import Figure

        fig = Figure(figsize=(12, 5), layout="constrained")
        left, right = fig.subplots(1, 2)
        image = left.pcolormesh(a["w"], a["b"], a["norm"], norm="log", shading="nearest", rasterized=True)
        line = np.linspace(1 / SLOPE, 7.0, 50)
        left.plot(line, wall(line), "--", color="white", lw=1.5)
        left.set(xlabel="w", ylabel="b", title="Gradient norm; dashed: the wall as predicted")
        left.grid(False)
        fig.colorbar(image, ax=left, label="||dE/d(w, b)||")
        line = np.linspace(4.3, 7.2, 200)
        right.semilogy(line, abs(on_the_wall(line, result.config.steps)[1]), "--", color=plot.style.GREY,
                       label="predicted on the wall")
        right.semilogy(a["wall w"], abs(a["wall dE/db"]), "o", color=plot.style.BLUE, label="measured on the wall")
        right.axhline(np.median(a["norm"]), color=plot.style.ORANGE, label="median of the whole surface")
        right.set(xlabel="w", ylabel="|dE/db|", title="How high the wall is")
        right.legend()
    return fig

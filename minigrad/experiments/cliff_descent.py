"""What does clipping do at the cliff?

Gradient descent on the surface of :mod:`minigrad.experiments.cliff`, from the plain above the wall.  Where the descent
meets the wall, the gradient is 1e5 and points away from it; without clipping, one step throws the parameters further
than they will ever come back from, to where the unit is saturated and nothing has a gradient any more (E = 0.3^2 or
0.7^2).  With the norm clipped, the step is at most lr times the threshold, and the descent goes on along the wall.

Where an unclipped run is thrown to is chance: the wall at w = 6 is thinner than a step, so that how steep it is where
the run happens to touch it, from 50 to 50,000, depends on the last digits of the start (from b = -3.16 it ends
saturated, a thousand away; from -3.15 it comes down 1.75 away, and finds the minimum after all).  Hence what is
expected of the plain runs is only that they are thrown.  And at lr = 0.1 some of them land where E is 1e-30, while
clipped ones go on bouncing off the wall: clipping does not always win.
"""

from dataclasses import dataclass

import numpy as np

import minigrad as mg
from minigrad import hooks, optim, plot
from minigrad.experiments.cliff import TARGET, wall
from minigrad.experiments.cliff import loss as loss_of
from minigrad.experiments.experiment import Expected, Result, quiet
from minigrad.experiments.settings import Settings, setting

QUESTION = "What does clipping do at the cliff?"
SECONDS = 10


@dataclass(frozen=True)
class Config(Settings):
    """What is run."""

    lr: float = setting(0.02, above=0, most=1, doc="learning rate")
    clip: float = setting(1.0, above=0, may_be_inf=True, doc="threshold on the norm in the clipped runs")
    w: tuple = setting((5.5, 6.0, 5.0), least=-20.0, most=20.0, doc="where the runs start, w")
    b: tuple = setting((-2.85, -3.15, -2.55), least=-20.0, most=20.0, doc="and b")
    updates: int = setting(4000, least=1, most=100_000, doc="updates")
    steps: int = setting(50, least=1, most=1000, doc="steps through time")

    def __post_init__(self):
        super().__post_init__()
        if len(self.w) != len(self.b):
            raise ValueError(f"b = {self.b}: one for each of the {len(self.w)} values of w is wanted")


def descend(config, progress=quiet):
    """Return for plain and clipped runs at once: paths (updates + 1, 2, runs, 2), E and gradient norms along them.

    All runs go side by side, a row (w, b) each; a row is what ``scope="unit"`` clips by itself.
    """
    starts = np.stack([config.w, config.b], axis=1)
    plain, clipped = (mg.tensor(starts, requires_grad=True) for _ in range(2))
    optimizers = [optim.SGD([plain], config.lr),
                  optim.SGD([clipped], config.lr, hooks=[hooks.ClipNorm(config.clip, scope="unit")])]
    paths, errors, norms = [[plain.data, clipped.data]], [], []
    for _ in progress(range(config.updates), "updates"):
        places = np.stack([plain, clipped])
        error, _, _ = loss_of(places[..., 0], places[..., 1], config.steps)
        for opt in optimizers:
            opt.zero_grad()
        error.sum().backward()
        norms.append([np.hypot(*p.grad.data.T) for p in (plain, clipped)])
        for opt in optimizers:
            opt.step()
        paths.append([plain.data, clipped.data])
        errors.append(error.data)
    errors.append(loss_of(*np.moveaxis(np.array(paths[-1]), -1, 0), config.steps)[0].data)
    return np.array(paths), np.array(errors), np.array(norms)


def run(config, progress=quiet):
    """Descend from every start, without and with clipping."""
    headline, arrays = {}, {}
    paths, errors, norms = descend(config, progress)
    for row, (w, b) in enumerate(zip(config.w, config.b)):
        for column, kind in enumerate(("plain", "clipped")):
            name, path = f"{kind} from ({w:g}, {b:g})", paths[:, column, row]
            headline[f"final E, {name}"] = float(errors[-1, column, row])
            headline[f"furthest from the start, {name}"] = float(np.hypot(*(path - path[0]).T).max())
            headline[f"longest step, {name}"] = float(np.hypot(*np.diff(path, axis=0).T).max())
            headline[f"largest norm, {name}"] = float(norms[:, column, row].max())
            arrays[f"path, {name}"], arrays[f"E, {name}"] = path, errors[:, column, row]
    return Result(config, headline, arrays)


SATURATED = "the unit is saturated there: E = (1 - 0.7)^2"
EXPECTED = (
    Expected("furthest from the start, plain from (5.5, -2.85)", 100, "thrown out", kind="at least"),
    Expected("largest norm, plain from (5.5, -2.85)", 8.28e4, "a separate computation", 0.01, "relative"),
    Expected("final E, plain from (5.5, -2.85)", (1 - TARGET) ** 2, SATURATED, 1e-6),
    *(Expected(f"longest step, plain from ({w:g}, {b:g})", 0.4, "20 times a clipped step", kind="at least")
      for w, b in zip(Config().w, Config().b)),
    *(Expected(f"longest step, clipped from ({w:g}, {b:g})", 0.02, "lr times the threshold", 1e-9)
      for w, b in zip(Config().w, Config().b)),
    *(Expected(f"final E, clipped from ({w:g}, {b:g})", 1e-4, "it goes on along the wall", kind="at most")
      for w, b in zip(Config().w, Config().b)),
)


def answer(result):
    """Return what was found, in a sentence."""
    h, starts = result.headline, [f"({w:g}, {b:g})" for w, b in zip(result.config.w, result.config.b)]
    lost = sum(h[f"final E, plain from {start}"] > 0.05 for start in starts)
    arrived = sum(h[f"final E, clipped from {start}"] < 1e-3 for start in starts)
    longest = {kind: max(h[f"longest step, {kind} from {start}"] for start in starts) for kind in ("plain", "clipped")}
    return (f"It limits the throw: the longest step is {longest['plain']:.3g} without and {longest['clipped']:.2g} "
            f"with clipping; {lost} of {len(starts)} plain runs are lost for ever, {arrived} of {len(starts)} clipped "
            f"ones arrive.")


def figure(result):
    """Draw the paths from above, near the wall, and E along them."""
    from matplotlib.figure import Figure

    config, colours = result.config, {"plain": plot.style.BEFORE, "clipped": plot.style.AFTER}
    ws, bs = np.linspace(3.8, 7.2, 301), np.linspace(-4.2, -2.0, 301)
    grid = loss_of(*np.meshgrid(ws, bs), config.steps)[0].data
    with plot.styled():
        fig = Figure(figsize=(13, 5.5), layout="constrained")
        left, right = fig.subplots(1, 2)
        levels = np.geomspace(1e-5, 0.5, 12)
        drawn = left.contourf(ws, bs, np.clip(grid, levels[0], levels[-1]), levels=levels, norm="log", cmap="Greys_r")
        fig.colorbar(drawn, ax=left, label="E", format="%.0e")
        left.plot(ws, wall(ws), "--", color="black", lw=1.2, label="wall, as predicted")
        # A run bounces from one side of the wall to the other: what it is worth is seen in the median of a few updates.
        width = max(1, config.updates // 80)
        middle = {name: np.median(e[:len(e) // width * width].reshape(-1, width), axis=1)
                  for name, e in result.arrays.items() if name.startswith("E, ")}
        lanes = plot.Lanes(*middle.values())
        lanes.dress(right)
        seen = set()
        for name in (name for name in result.arrays if name.startswith("path, ")):
            kind, path = name.split()[1], result.arrays[name]
            label = None if kind in seen else kind if kind == "plain" else f"clipped at {config.clip:g}"
            seen.add(kind)
            left.plot(*path.T, ".-", color=colours[kind], ms=3, lw=1, label=label, zorder=3 + (kind == "clipped"))
            left.plot(*path[0], "o", color="black", ms=6, zorder=6)
            losses = middle[name.replace("path", "E", 1)]
            right.plot(width * (np.arange(len(losses)) + 0.5), lanes.place(losses), color=colours[kind], lw=1.6,
                       label=label)
        left.set(xlim=(ws[0], ws[-1]), ylim=(bs[0], bs[-1]), xlabel="w", ylabel="b",
                 title="Plain runs leave the picture at the wall")
        left.grid(False)
        left.legend(loc="upper right", frameon=True)
        right.set(xlabel="update", ylabel=f"E, median of {width} updates",
                  title=f"Loss, lr = {config.lr:g}: saturated for ever, or solved")
        right.legend()
    return fig

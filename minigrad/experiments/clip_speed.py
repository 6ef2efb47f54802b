"""Can clipping be faster?  Where curvature grows with the slope (Zhang, He, Sra and Jadbabaie 2020).

f = cosh x + cosh y is (L0, L1)-smooth, ||H|| <= 1 + ||g||, but has no largest curvature.  A fixed learning rate must be
small enough for the steepest place it meets: above eta_max = 2 x0 / sinh x0 the first step leads further away than it
began.  At that rate the flat end takes as long as gradient flow, y' = -eta sinh y per update, needs from y0 to y:

    updates = (ln tanh(y0 / 2) - ln tanh(y / 2)) / eta

which grows as e^x0.  Where they began is soon forgotten, so both coordinates arrive together, each where its slope is
tol / sqrt 2.  Clipped at c, the step is eta c long wherever the slope is above c, and eta may be what the flat
end wants: distance / (eta c) updates to come near, then ln(tol / c) / ln(1 - eta) to arrive, which grows as x0.  The
same for x^4 + y^4, where eta_max = 1 / (2 x0^2), and flow needs (1 / y^2 - 1 / y0^2) / (8 eta) to come to y.

The plain runs have their best of seven rates, shares of eta_max.  They begin at (x0, 0.73 x0): on one axis alone any
symmetric function is solved in a single step by the right rate.  Two more things are measured, not promised: close by,
at x0 = 2, the plain run wins against a clipped one at half the rate that the flat end allows; and a clipped rate of 1,
which is Newton's at the minimum of cosh, is faster still.
"""

from dataclasses import dataclass

import numpy as np

import minigrad as mg
from minigrad import hooks, optim, plot
from minigrad.experiments.experiment import Expected, Result, quiet
from minigrad.experiments.settings import Settings, setting

QUESTION = "Can clipping be faster?"
SECONDS = 12

SLANT = 0.73
"""The second coordinate of a start, as a share of the first."""


@dataclass(frozen=True)
class Config(Settings):
    """What is run."""

    cosh: tuple = setting((2.0, 4.0, 6.0, 8.0, 10.0, 12.0), above=0, most=16, doc="starts x0 on cosh x + cosh y")
    quartic: tuple = setting((3.0, 10.0, 20.0), above=1, most=40, doc="starts x0 on x^4 + y^4")
    shares: tuple = setting((0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99), above=0, below=1,
                            doc="plain learning rates, as shares of the largest that does not diverge")
    clip: float = setting(1.0, above=0, most=1000, doc="threshold on the norm in the clipped runs")
    rates: tuple = setting((0.25, 0.5, 1.0), above=0, most=1, doc="learning rates of the clipped runs")
    cosh_tol: float = setting(1e-6, above=0, most=0.1, doc="arrived where the norm is below this, cosh")
    quartic_tol: float = setting(1e-3, above=0, most=0.1, doc="the same, x^4")
    most: int = setting(400_000, least=1, most=10_000_000, doc="updates after which a run is given up")


FULL = Config(cosh=(2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 14.0), quartic=(3.0, 10.0, 20.0, 30.0))


class Cosh:
    """f = cosh x + cosh y, and what is predicted of it."""

    name, formula = "cosh", "cosh x + cosh y"

    def value(self, w):
        return np.cosh(w).sum()

    def largest_rate(self, x0):
        return 2 * x0 / np.sinh(x0)

    def flow(self, start, tol):
        """Return the time that gradient flow takes until the slope is tol."""
        return np.log(np.tanh(start / 2)) - np.log(np.tanh(np.arcsinh(tol) / 2))

    def near(self, clip, tol, rate):
        """Return the updates from slope clip to slope tol: there f is nearly quadratic, of curvature 1."""
        return np.log(tol / clip) / np.log(1 - rate) if rate < 1 else 0.0

    def where(self, slope):
        """Return where the slope is this."""
        return np.arcsinh(slope)


class Quartic(Cosh):
    """f = x^4 + y^4, and what is predicted of it."""

    name, formula = "quartic", "x^4 + y^4"

    def value(self, w):
        return (w ** 4).sum()

    def largest_rate(self, x0):
        return 1 / (2 * x0 ** 2)

    def flow(self, start, tol):
        return (self.where(tol) ** -2 - start ** -2) / 8

    def near(self, clip, tol, rate):
        return self.flow(self.where(clip), tol) / rate

    def where(self, slope):
        return np.cbrt(slope / 4)


def descend(f, starts, rates, tol, most, clip=None, enough=np.all, progress=quiet):
    """Return after how many updates each run arrived, and where all are when ``enough(arrived)`` holds.

    Each run is a row (x, y) of one parameter, with a learning rate of its own; NaN for one that has not arrived.
    """
    w = mg.tensor(np.stack([starts, SLANT * starts], axis=1), requires_grad=True)
    rates = rates[:, None]

    def own_rate(grads, ctx):
        return {name: g * rates for name, g in grads.items()}

    clips = [] if clip is None else [hooks.ClipNorm(clip, scope="unit")]
    opt = optim.SGD([w], lr=1.0, hooks=[*clips, own_rate])
    counts = np.full(len(starts), np.nan)
    for update in progress(range(most), f"updates on {f.formula}"):
        opt.zero_grad()
        f.value(w).backward()
        arrived = np.hypot(*w.grad.data.T) < tol
        if arrived.any():
            counts[arrived & np.isnan(counts)] = update
            if enough(~np.isnan(counts)):
                break
        opt.step()
    return counts, w.data


def race(f, starts, tol, config, progress):
    """Return the updates of the best plain run, its rate, those of clipped runs, and what is predicted of both."""
    starts, shares, rates = (np.array(values) for values in (starts, config.shares, config.rates))
    largest = f.largest_rate(starts)
    # All rates run side by side, so the first to arrive from a start is the best.
    plain, _ = descend(f, np.repeat(starts, len(shares)), np.outer(largest, shares).ravel(), tol, config.most,
                       enough=lambda arrived: arrived.reshape(len(starts), -1).any(axis=1).all(), progress=progress)
    plain = plain.reshape(len(starts), -1)
    best = np.nanargmin(np.where(np.isnan(plain), np.inf, plain), axis=1)
    clipped, _ = descend(f, np.repeat(starts, len(rates)), np.tile(rates, len(starts)), tol, config.most, config.clip)
    _, last = descend(f, starts, 1.05 * largest, tol, 1)
    way = np.hypot(starts, SLANT * starts) - f.where(config.clip)
    return {"x0": starts, "plain": np.take_along_axis(plain, best[:, None], 1)[:, 0], "share": shares[best],
            "plain, predicted": f.flow(SLANT * starts, tol / 2 ** 0.5) / (shares[best] * largest),
            "clipped": clipped.reshape(len(starts), -1),
            "clipped, predicted": np.stack(
                [way / (rate * config.clip) + f.near(config.clip / 2 ** 0.5, tol / 2 ** 0.5, rate) for rate in rates],
                axis=1),
            "further away above the largest rate": abs(last[:, 0]) > starts}


def run(config, progress=quiet):
    """Let plain and clipped descent race on both functions."""
    headline, arrays = {}, {}
    for f, starts, tol in ((Cosh(), config.cosh, config.cosh_tol), (Quartic(), config.quartic, config.quartic_tol)):
        found = race(f, starts, tol, config, progress)
        arrays.update({f"{f.name}, {name}": array for name, array in found.items()})
        for row, x0 in enumerate(starts):
            where = f"{f.name} from {x0:g}"
            plain = float(found["plain"][row])
            headline[f"plain updates, {where}"] = plain
            headline[f"plain, measured / predicted, {where}"] = plain / float(found["plain, predicted"][row])
            for column, rate in enumerate(config.rates):
                clipped = float(found["clipped"][row, column])
                headline[f"clipped updates, rate {rate:g}, {where}"] = clipped
                headline[f"plain / clipped, rate {rate:g}, {where}"] = plain / clipped
        headline[f"starts on {f.name} that 1.05 of the largest rate leaves"] = int(
            found["further away above the largest rate"].sum())
    return Result(config, headline, arrays)


SEPARATE, ABOVE = "a separate computation", "|x1| > x0 above eta_max"
EXPECTED = (
    *(Expected(f"plain updates, cosh from {x0}", count, SEPARATE, 0.05, "relative")
      for x0, count in ((4, 43), (6, 241), (8, 1388), (10, 8253))),
    *(Expected(f"plain, measured / predicted, cosh from {x0}", 1.0, "gradient flow, at the best rate", 0.02)
      for x0 in (8, 10, 12)),
    *(Expected(f"clipped updates, rate 0.5, cosh from {x0}", count, SEPARATE)
      for x0, count in ((4, 28), (6, 34), (8, 39), (10, 44))),
    *(Expected(f"clipped updates, rate 1, cosh from {x0}", count, SEPARATE)
      for x0, count in ((4, 7), (6, 9), (8, 12), (10, 15))),
    *(Expected(f"clipped updates, rate 0.25, quartic from {x0}", count, SEPARATE)
      for x0, count in ((3, 166), (10, 201))),
    Expected("plain / clipped, rate 0.5, cosh from 10", 100, "exponential against linear in x0", kind="at least"),
    Expected("plain / clipped, rate 0.5, cosh from 2", 1, "close by there is nothing to win", kind="at most"),
    Expected("starts on cosh that 1.05 of the largest rate leaves", len(Config().cosh), ABOVE),
    Expected("starts on quartic that 1.05 of the largest rate leaves", len(Config().quartic), ABOVE),
)


def answer(result):
    """Return what was found, in a sentence."""
    a, config = result.arrays, result.config
    column = len(config.rates) // 2
    ratio = a["cosh, plain"] / a["cosh, clipped"][:, column]
    near, far = a["cosh, x0"].argmin(), a["cosh, x0"].argmax()
    return (f"Where the slope is steep and curved, yes: on cosh x + cosh y from {a['cosh, x0'][far]:g} the best plain "
            f"run takes {a['cosh, plain'][far]:.0f} updates and a clipped one {a['cosh, clipped'][far, column]:.0f}, "
            f"{ratio[far]:.0f} times fewer; from {a['cosh, x0'][near]:g} it is {a['cosh, plain'][near]:.0f} against "
            f"{a['cosh, clipped'][near, column]:.0f}.")


def figure(result):
    """Draw the updates that plain and clipped descent take, against where they begin."""
    from matplotlib.figure import Figure

    a, config = result.arrays, result.config
    blues = [plot.style.SKY, plot.style.BLUE, "#003a5c"]
    with plot.styled():
        fig = Figure(figsize=(12.5, 5.2), layout="constrained")
        for ax, f in zip(fig.subplots(1, 2), (Cosh(), Quartic())):
            order = np.argsort(a[f"{f.name}, x0"])
            x0 = a[f"{f.name}, x0"][order]
            kinds = [("plain, its best rate", a[f"{f.name}, plain"], a[f"{f.name}, plain, predicted"],
                      plot.style.BEFORE)]
            kinds += [(f"clipped at {config.clip:g}, rate {rate:g}", a[f"{f.name}, clipped"][:, column],
                       a[f"{f.name}, clipped, predicted"][:, column], blues[column % 3])
                      for column, rate in enumerate(config.rates)]
            for label, measured, predicted, colour in kinds:
                ax.plot(x0, measured[order], "o-", color=colour, lw=2, ms=7, label=label)
                ax.plot(x0, predicted[order], "--", color="black", lw=1, zorder=4)
            ax.plot([], [], "--", color="black", lw=1, label="predicted")
            ax.set(xlabel="start x0", ylabel="updates until arrived", yscale="log", title=f.formula)
            if f.name == "quartic":
                ax.set_xscale("log")
                ax.set_xticks(x0, [f"{x:g}" for x in x0])
                ax.minorticks_off()
            last, column = order[-1], len(config.rates) // 2
            ratio = a[f"{f.name}, plain"][last] / a[f"{f.name}, clipped"][last, column]
            ax.annotate("", (x0[-1], a[f"{f.name}, clipped"][last, column]), (x0[-1], a[f"{f.name}, plain"][last]),
                        arrowprops={"arrowstyle": "<->", "color": plot.style.GREY})
            ax.annotate(f"{ratio:.0f} x", (x0[-1], np.sqrt(a[f"{f.name}, plain"][last] *
                                                          a[f"{f.name}, clipped"][last, column])),
                        xytext=(-8, 0), textcoords="offset points", ha="right", va="center", fontsize=15)
            ax.legend(loc="upper left")
        fig.suptitle("Updates to the minimum: plain descent pays for the steepness of its start, clipped for the "
                     "distance", fontsize=14)
    return fig

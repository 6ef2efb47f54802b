"""Noise: what clipping does to it, and the price."""

import numpy as np

from minigrad import hooks
from minigrad.claims.claim import Claim, enter
from minigrad.claims.drawing import lines
from minigrad.claims.nets import descend
from minigrad.experiments.experiment import Expected


def noisy_descent(c, noise, lr, steps, runs=64, start=0.0, optimum=0.0):
    """Let many runs descend on (x - optimum)^2 / 2 with noise in the gradient, each clipped by itself.

    Args:
        c: threshold; inf for none.
        noise: shape -> array, called once per step.
        start: where all of them begin.

    Returns:
        the places, array (steps + 1, runs).
    """
    add = lambda grads, ctx: {name: g + noise(g.shape) for name, g in grads.items()}
    path = descend(lambda w: ((w - optimum) ** 2).sum() * 0.5, np.full((runs, 1), start), lr, steps,
                   [add, hooks.ClipNorm(c, scope="unit")])
    return path[:, :, 0]


@enter
class ClipNoise(Claim):
    """Descent to the mean of numbers that are 10 with probability 1/10 and 0 otherwise, one number per update: to 1.

    The gradient on (x - number)^2 / 2 is x or x - 10, of mean x - 1.  Clipped at c it is x or -c, of mean 0 where 0.9
    x = 0.1 c: the run settles at c / 9, for what is rare and large was cut on one side only.  Of all two-point noise
    of a given sigma the largest such bias is sigma^2 / (4 c) (compare Koloskova, Hendrikx, Stich 2023).

    Symmetric Student noise with heavy tails (1.5 degrees of freedom, infinite variance) is where clipping does help
    (Zhang et al. 2020).  So noise that is symmetric gets less, and noise that is not is traded for a bias: "reduces
    noise", said of all, is false.
    """

    id = "clip-noise"
    text = "Clipping reduces the noise in the model."
    articles = ("003",)
    question = "How far from the optimum does noisy descent settle, with and without a clip?"
    title = "Descent to a mean of 1, one number per update: mean of 64 runs"
    expected_verdict = "false"
    thresholds = (1.5, 5.0)
    expected = (*(Expected(f"settles at, clipped at {c:g}", c / 9, "c / 9: 0.9 x = 0.1 c", 0.03) for c in thresholds),
                Expected("settles at, no clip", 1.0, "the noise has mean 0", 0.06),
                Expected("largest bias at sigma 1, clipped at 2", 0.125, "sigma^2 / (4 c)", 0.02))

    def measure(self, seed):
        rng = np.random.default_rng(seed)

        def skewed(a, p):
            """Noise -a with probability p, otherwise what makes its mean 0."""
            return lambda shape: np.where(rng.random(shape) < p, -a, a * p / (1 - p))

        def settled(path):
            return float(path[len(path) // 2:].mean())

        paths = {name: noisy_descent(c, skewed(9.0, 0.1), 0.02, 1500, optimum=1.0)
                 for name, c in (*((f"clipped at {c:g}", c) for c in self.thresholds), ("no clip", np.inf))}
        numbers = {f"settles at, {name}": settled(path) for name, path in paths.items()}
        # at sigma = 1 the worst two-point noise for c = 2 has a = 2 c, and so p = 1 / (1 + a^2)
        numbers["largest bias at sigma 1, clipped at 2"] = -settled(noisy_descent(2.0, skewed(4.0, 1 / 17), 0.02, 1500))
        for name, c in (("clipped at 5", 5.0), ("no clip", np.inf)):
            path = noisy_descent(c, lambda shape: rng.standard_t(1.5, size=shape), 0.05, 600)
            numbers[f"distance, symmetric heavy tails, {name}"] = float(abs(path[len(path) // 2:]).mean())
        return numbers, {name: path.mean(axis=1) for name, path in paths.items()}

    def decide(self, n):
        off = {name: abs(n[f"settles at, {name}"] - 1) for name in ("no clip", "clipped at 1.5", "clipped at 5")}
        helped = n["distance, symmetric heavy tails, clipped at 5"] < n["distance, symmetric heavy tails, no clip"]
        if max(off["clipped at 1.5"], off["clipped at 5"]) > 2 * off["no clip"] + 0.05:
            return "false"
        return "holds" if helped else "unproven"

    def say(self, n):
        return (f"Where the optimum is 1, a clip at 1.5 settles at {n['settles at, clipped at 1.5']:.3f} and one at 5 "
                f"at "
                f"{n['settles at, clipped at 5']:.3f} (c/9), no clip at {n['settles at, no clip']:.2f}; symmetric "
                f"heavy "
                f"tails it does tame: distance {n['distance, symmetric heavy tails, clipped at 5']:.2f} against "
                f"{n['distance, symmetric heavy tails, no clip']:.2f}.")

    def draw(self, ax, arrays, n):
        lines(ax, {name: arrays[name] for name in ("no clip", "clipped at 5", "clipped at 1.5")}, "update",
              "x, mean of the runs")
        for c in self.thresholds:
            ax.axhline(c / 9, ls="--", color="black", lw=1.2, label="predicted: c / 9" if c == 5 else None)
        ax.set_ylim(0, 1.5)
        ax.legend(loc="upper right", ncols=2)

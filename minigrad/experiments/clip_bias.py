"""What does clipping cost?  Noise that is not symmetric moves the point at which clipped descent settles.

f = x^2 / 2 with the gradient x + noise, the noise being a with probability p, and otherwise -a p / (1 - p), so that its
mean is 0 and its variance sigma^2 = a^2 p / (1 - p).  Clipped at c, the rare large one counts c only, and the mean of
what is left is zero not at 0 but at

    x* = p (a - c) / (1 - p)        for  x* < a - c   (and c large enough not to touch the other one)

With the variance given, the worst noise has a = 2c, and the bias is then sigma^2 / (4 c), for c >= sigma / 2: no rate
and no number of updates brings the run nearer (Koloskova, Hendrikx and Stich 2023 prove such a floor, of order
min(sigma, sigma^2 / c)).  It falls as the threshold grows, and not as the learning rate falls.  Likewise the mean of
samples that are 10 in one case of 10 and else 0 is 1, but descent clipped at c comes to c / 9.

Symmetric noise moves nothing (Chen, Wu and Hong 2020), as a Gaussian shows here.  But symmetry is not enough to come
back to 0: of +3 and -3, clipped at 1, the clipped gradients cancel everywhere in |x| < 2, and x walks about there at
random, evenly spread, with a Gaussian rim of standard deviation sqrt(lr): only there it is led back, by (|x| - 2) / 2.
"""

from dataclasses import dataclass

import numpy as np

import minigrad as mg
from minigrad import hooks, optim, plot
from minigrad.experiments.experiment import Expected, Result, quiet
from minigrad.experiments.settings import Settings, setting

QUESTION = "What does clipping cost?"
SECONDS = 12

WALK = 3.0
"""The symmetric noise that leaves |x| < WALK - 1 without a drift, clipped at 1."""


@dataclass(frozen=True)
class Config(Settings):
    """What is run."""

    sigma: float = setting(1.0, above=0, most=1e3, doc="standard deviation of the worst noise")
    worst_clips: tuple = setting((0.75, 1.0, 2.0, 4.0, 8.0), above=0.5, most=20,
                                 doc="thresholds under the worst noise for each, in units of sigma")
    a: float = setting(10.0, above=0, most=1e3, doc="the rare value of the fixed noise")
    p: float = setting(0.1, above=0, below=0.5, doc="its probability")
    clips: tuple = setting((0.5, 1.5, 3.0, 5.0, 8.0, 20.0), above=0, most=1e3, doc="thresholds under the fixed noise")
    gaussian: float = setting(3.0, above=0, most=1e3, doc="standard deviation of the Gaussian noise")
    lr: float = setting(0.05, above=0, most=0.5, doc="learning rate")
    rows: int = setting(512, least=1, most=100_000, doc="runs side by side")
    updates: int = setting(2400, least=2, most=1_000_000, doc="updates; the second half is averaged")
    seed: int = setting(0, least=0, doc="of the noise")


FULL = Config(rows=4096)


def two_point(a, p):
    """Return a function (rng, rows) -> noise: a with probability p, else what makes the mean 0."""
    return lambda rng, rows: np.where(rng.random((rows, 1)) < p, a, -a * p / (1 - p))


def settle(noise, clip, lr, config, rng):
    """Return the mean, over the runs and the second half of the updates, of x and of x^2."""
    x = mg.tensor(np.zeros((config.rows, 1)), requires_grad=True)
    opt = optim.SGD([x], lr, hooks=[hooks.ClipNorm(clip, scope="unit")])     # a row is a run
    first, second, count = 0.0, 0.0, 0
    for update in range(config.updates):
        opt.zero_grad()
        (x * x / 2 + noise(rng, config.rows) * x).sum().backward()
        opt.step()
        if update >= config.updates // 2:
            first, second, count = first + x.data.mean(), second + (x.data ** 2).mean(), count + 1
    return first / count, second / count


def cells_of(config):
    """Return for each cell: group, threshold, learning rate, noise, and the mean of x that is predicted."""
    def gaussian(rng, rows):
        return config.gaussian * rng.normal(size=(rows, 1))

    def worst(clip):
        return two_point(2 * clip, config.sigma ** 2 / (config.sigma ** 2 + 4 * clip ** 2))

    lr, worst_clips = config.lr, [config.sigma * factor for factor in config.worst_clips]
    return [*(("worst", clip, lr, worst(clip), config.sigma ** 2 / (4 * clip)) for clip in worst_clips),
            ("slow", worst_clips[0], lr / 4, worst(worst_clips[0]), config.sigma ** 2 / (4 * worst_clips[0])),
            *(("fixed", clip, lr, two_point(config.a, config.p), fixed_point(config.a, config.p, clip))
              for clip in config.clips),
            *(("gaussian", clip, lr, gaussian, 0.0) for clip in config.clips),
            ("walk", 1.0, lr, two_point(WALK, 0.5), 0.0)]


def fixed_point(a, p, clip):
    """Return x* under two-point noise with p < 1/2."""
    return np.maximum(0.0, p * (a - clip) / (1 - p))


def spread(lr):
    """Return the root mean square of a walk that is even for |x| < WALK - 1 and Gaussian, sqrt(lr) wide, beyond."""
    edge, rim = WALK - 1, (np.pi * lr / 2) ** 0.5               # rim: the area under half of the Gaussian
    squares = edge ** 3 / 3 + edge ** 2 * rim + 2 * edge * lr + lr * rim
    return float((squares / (edge + rim)) ** 0.5)


def run(config, progress=quiet):
    """Let clipped descent settle under each noise and threshold."""
    rng = np.random.default_rng(config.seed)
    headline, columns = {}, {}
    for group, clip, lr, noise, predicted in progress(cells_of(config), "thresholds"):
        mean, square = settle(noise, clip, lr, config, rng)
        if group == "walk":
            headline[f"root mean square of x, +-{WALK:g} clipped at 1"] = float(square ** 0.5)
        elif group == "slow":
            headline["bias / (sigma^2 / 4c), a quarter of the learning rate"] = float(mean / predicted)
        elif group == "worst":
            headline[f"bias / (sigma^2 / 4c), c = {clip:g}"] = float(mean / predicted)
        else:
            headline[f"bias, {group} noise, c = {clip:g}"] = float(mean)
        for name, value in (("c", clip), ("bias", mean), ("predicted", predicted)):
            columns.setdefault(f"{group}, {name}", []).append(value)
    return Result(config, headline, {name: np.array(values) for name, values in columns.items()})


FORM = "closed form, p (a - c) / (1 - p)"
EXPECTED = (
    *(Expected(f"bias / (sigma^2 / 4c), c = {c:g}", 1.0, "closed form, worst at a = 2c", 0.05)
      for c in Config().worst_clips),
    *(Expected(f"bias, fixed noise, c = {c:g}", fixed_point(Config().a, Config().p, c), FORM, 0.02)
      for c in Config().clips),
    *(Expected(f"bias, gaussian noise, c = {c:g}", 0.0, "symmetry (Chen, Wu and Hong 2020)", 0.05)
      for c in Config().clips),
    Expected("bias / (sigma^2 / 4c), a quarter of the learning rate", 1.0, "the same at any rate", 0.05),
    Expected(f"root mean square of x, +-{WALK:g} clipped at 1", spread(Config().lr), "even over |x| < 2, a rim", 0.1),
)


def answer(result):
    """Return what was found, in a sentence."""
    a, config = result.arrays, result.config
    low, high = a["worst, c"].argmin(), a["worst, c"].argmax()
    return (f"A bias that does not shrink with the learning rate: under noise of standard deviation {config.sigma:g}, "
            f"up to {a['worst, bias'][low]:.3f} at c = {a['worst, c'][low]:g} and {a['worst, bias'][high]:.3f} at "
            f"c = {a['worst, c'][high]:g} (sigma^2 / 4c would be {a['worst, predicted'][low]:.3f} and "
            f"{a['worst, predicted'][high]:.3f}); under symmetric noise none (at most "
            f"{abs(a['gaussian, bias']).max():.3f}).")


def figure(result):
    """Draw the bias against the threshold: under the worst noise, and under a noise that is given."""
    from matplotlib.figure import Figure

    a, config = result.arrays, result.config
    with plot.styled():
        fig = Figure(figsize=(12.5, 5), layout="constrained")
        left, right = fig.subplots(1, 2)
        line = np.geomspace(a["worst, c"].min() / 1.3, a["worst, c"].max() * 1.3, 50)
        left.loglog(line, config.sigma ** 2 / (4 * line), "--", color="black", label="predicted: sigma² / 4c")
        left.loglog(a["worst, c"], np.where(a["worst, bias"] > 0, a["worst, bias"], np.nan), "o", ms=9,
                    color=plot.style.BLUE, label="measured")
        for axis, values in ((left.xaxis, a["worst, c"]), (left.yaxis, a["worst, predicted"])):
            axis.set_ticks(np.unique(values), [f"{v:.3g}" for v in np.unique(values)])
            axis.set_ticks([], minor=True)
        left.set(xlabel="threshold c", ylabel="where x settles instead of 0",
                 title=f"The noise that is worst for c, sigma = {config.sigma:g}")
        left.legend()
        line = np.linspace(0, max(config.clips) * 1.05, 200)
        right.plot(line, fixed_point(config.a, config.p, line), "--", color="black",
                   label="predicted: p (a - c) / (1 - p)")
        right.plot(a["fixed, c"], a["fixed, bias"], "o", ms=9, color=plot.style.BLUE,
                   label=f"{config.a:g} with p = {config.p:g}, else {-config.a * config.p / (1 - config.p):.2g}")
        right.plot(a["gaussian, c"], a["gaussian, bias"], "s", ms=8, color=plot.style.GREEN,
                   label=f"Gaussian, standard deviation {config.gaussian:g}")
        right.set(xlabel="threshold c", ylabel="where x settles instead of 0", title="Skewed noise moves the goal")
        right.legend()
    return fig

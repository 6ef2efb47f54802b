"""What does a skip connection do to the gradient (He and others 2016; Yang and Schoenholz 2017)?

Blocks x' = x + V phi(W x), with W ~ N(0, sigma_w2 / n) and V ~ N(0, sigma_v2 / n).  With the mean square q of x,

    q' = q + sigma_v2 E phi(u)^2        ||dL/dx||^2 = ||dL/dx'||^2 (1 + sigma_v2 sigma_w2 E phi'(u)^2)

where u ~ N(0, sigma_w2 q).  The factor is never below 1: nothing vanishes.  With tanh the stream grows, so that a block
adds ever less to it, and ln ||delta||^2 rises with about the square root of the depth instead of with the depth itself:
the theory has e^15 for ||delta||^2 over 200 blocks, e^38 over 200 plain layers at sigma_w2 = 3 and e^-55 at 1.  With
ReLU every block multiplies it by 1 + sigma_v2 sigma_w2 / 2 for ever: a skip connection is no cure for explosion.

Without the second matrix V, x' = x + relu(W x), the factor is larger, .75 rather than .41 in the logarithm (and less in
the 20 blocks next to the loss).  All that relu adds is positive, a direction common to all blocks forms, and the
gradient is not independent of it; the theory asks for V, or for an odd phi.
"""

from dataclasses import dataclass

import numpy as np

import minigrad as mg
from minigrad import nn, plot, theory
from minigrad.experiments import mean_field
from minigrad.experiments.experiment import Expected, Result, quiet
from minigrad.experiments.settings import Settings, setting
from minigrad.norms import norm

QUESTION = "What does a skip connection do to the gradient?"
SECONDS = 10

ACTIVATIONS = {"tanh": nn.Tanh, "relu": nn.ReLU}


@dataclass(frozen=True)
class Config(Settings):
    """What is measured."""

    width: int = setting(256, least=8, most=2000, doc="units")
    depth: int = setting(200, least=20, most=400, doc="blocks of the tanh net, and layers of the plain ones")
    relu_depth: int = setting(60, least=20, most=200, doc="blocks of the ReLU nets")
    sigma_w2: float = setting(1.0, above=0, most=10, doc="variance of W times the width")
    sigma_v2: float = setting(1.0, above=0, most=10, doc="variance of V times the width")
    plain: tuple = setting((1.0, 3.0), least=0.1, most=20, doc="sigma_w2 of the plain tanh nets, at sigma_b2 = 0.05")
    seed: int = setting(0, least=0, doc="the first seed")
    seeds: int = setting(5, least=1, most=100, doc="nets of each kind")


FULL = Config(seeds=20)


def block(act, width, sigma_w2, sigma_v2, rng):
    """Return x + V phi(W x), or x + phi(W x) if sigma_v2 is None."""
    scales = [sigma_w2] if sigma_v2 is None else [sigma_w2, sigma_v2]
    inner, *outer = (nn.Linear(width, width, bias=False, rng=rng) for _ in scales)
    for layer, scale in zip((inner, *outer), scales):
        nn.init.normal_(layer.weight, std=(scale / width) ** 0.5, rng=rng)
    return nn.Residual(inner, ACTIVATIONS[act](), *outer)


def residual_profile(act, width, depth, sigma_w2, sigma_v2, rng):
    """Return ln ||delta_l||^2 / ||delta_L||^2, l = 0 ... depth, along the stream x, whose mean square starts at 1."""
    x = mg.tensor(rng.normal(size=width), requires_grad=True)
    states = [x]
    for _ in range(depth):
        x = block(act, width, sigma_w2, sigma_v2, rng)(x)
        states.append(x)
    logs = np.array([2 * np.log(norm(g.data)) for g in mg.grad(x, states, gradient=rng.normal(size=width))])
    return logs - logs[-1]


def plain_profile(width, depth, sigma_w2, rng):
    """Return the same for a plain tanh net with biases."""
    nets = mean_field.Config(sigma_b2=0.05, width=width, depth=depth, batch=1)
    logs, _ = mean_field.profiles(nets, sigma_w2, rng)
    return logs - logs[-1]


def exponent(logs):
    """Return p of ln ||delta_0||^2 / ||delta_l||^2 = const l^p, fitted from a tenth of the depth on.

    NaN if the gradient does not grow there, as may be in one narrow net.
    """
    depth = np.arange(len(logs))[max(1, len(logs) // 10):]
    growth = logs[0] - logs[depth]
    return float(np.polyfit(np.log(depth), np.log(growth), 1)[0]) if (growth > 0).all() else np.nan


def run(config, progress=quiet):
    """Measure the profiles of residual and of plain nets."""
    width, scales = config.width, (config.sigma_w2, config.sigma_v2)
    kinds = {"tanh": lambda rng: residual_profile("tanh", width, config.depth, *scales, rng),
             "ReLU": lambda rng: residual_profile("relu", width, config.relu_depth, *scales, rng),
             "ReLU without V": lambda rng: residual_profile("relu", width, config.relu_depth, scales[0], None, rng)}
    for sigma_w2 in config.plain:
        kinds[f"plain {sigma_w2:g}"] = lambda rng, s=sigma_w2: plain_profile(width, config.depth, s, rng)
    arrays = {name: [] for name in kinds}
    for seed in progress(range(config.seed, config.seed + config.seeds), "seeds"):
        for name, measure in kinds.items():
            arrays[name].append(measure(np.random.default_rng(seed)))
    arrays = {name: np.array(logs) for name, logs in arrays.items()}
    expected = 2 * np.log(10) * theory.profile("tanh", config.depth, scales[0], residual=True, sigma_v2=scales[1])
    half, tanh = config.depth // 2, arrays["tanh"].mean(axis=0)
    headline = {
        "tanh: ln gain^2 of all blocks": float(tanh[0]), "tanh: predicted": float(expected[0]),
        "tanh: ln gain^2 of the last half": float(tanh[half]), "tanh: last half, predicted": float(expected[half]),
        "tanh: measured - predicted, largest": float(abs(tanh - expected).max()),
        "tanh: exponent": exponent(tanh), "tanh: exponent, predicted": exponent(expected),
    }
    for name in ("ReLU", "ReLU without V"):
        headline[f"{name}: ln gain^2 per block"] = mean_field.slope(arrays[name].mean(axis=0))
    headline["ReLU: predicted"] = float(np.log1p(scales[0] * scales[1] / 2))
    for sigma_w2 in config.plain:
        headline[f"plain, sigma_w2 = {sigma_w2:g}: ln gain^2 of all layers"] = float(
            arrays[f"plain {sigma_w2:g}"].mean(axis=0)[0])
    return Result(config, headline, arrays | {"tanh: predicted": expected})


MEAN_FIELD = "mean field (Yang, Schoenholz 2017)"

EXPECTED = (
    Expected("tanh: ln gain^2 of all blocks", 15.17, MEAN_FIELD, 1.5),
    Expected("tanh: ln gain^2 of the last half", 4.62, MEAN_FIELD, 1.0),
    Expected("tanh: exponent", 0.548, MEAN_FIELD + "; 1/2 for infinitely many blocks", 0.06),
    Expected("ReLU: ln gain^2 per block", float(np.log(1.5)), MEAN_FIELD, 0.02),
    Expected("ReLU without V: ln gain^2 per block", 0.748, "a separate computation", 0.05),
)


def answer(result):
    """Return what was found, in a sentence."""
    h, config = result.headline, result.config
    plain = ", ".join(f"{h[f'plain, sigma_w2 = {s:g}: ln gain^2 of all layers']:+.0f} (sigma_w2 = {s:g})"
                      for s in config.plain)
    return (f"Nothing vanishes, and with tanh it grows but gently: over {config.depth} blocks ln ||delta||² rises by "
            f"{h['tanh: ln gain^2 of all blocks']:.1f}, where that of plain nets changes by {plain}; with ReLU it "
            f"rises by {h['ReLU: ln gain^2 per block']:.3f} in every block.")


def figure(result):
    """Draw residual against plain nets, and the residual ones by themselves."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    a, config = result.arrays, result.config
    tens = np.log(10)
    with plot.styled():
        fig = Figure(figsize=(12, 5.2), layout="constrained")
        left, right = fig.subplots(1, 2)
        back = np.arange(config.depth, -1, -1)
        colours = (plot.style.BLUE, plot.style.VERMILLION, plot.style.PURPLE, plot.style.ORANGE)
        for index, sigma_w2 in enumerate(config.plain):
            rate = np.log(theory.chi_1("tanh", sigma_w2, 0.05))
            left.plot(back, a[f"plain {sigma_w2:g}"].mean(axis=0) / tens, color=colours[index % 4],
                      label=f"plain, sigma_w² = {sigma_w2:g}")
            left.plot(back, back * rate / tens, "--", color="black", lw=1)
        left.plot(back, a["tanh"].mean(axis=0) / tens, color=plot.style.GREEN, lw=3, label="residual, tanh")
        left.plot(back, a["tanh: predicted"] / tens, "--", color="black", lw=1, label="predicted")
        left.set(xlabel="layers or blocks back from the loss",
                 title="Plain nets are straight lines, residual ones bend")
        left.legend(loc="lower left")
        shown = min(config.relu_depth, config.depth)
        ahead = np.arange(shown + 1)
        rate = np.log1p(config.sigma_w2 * config.sigma_v2 / 2)
        for name, colour, expected in (("ReLU without V", plot.style.ORANGE, None),
                                       ("ReLU", plot.style.VERMILLION, rate * ahead),
                                       ("tanh", plot.style.GREEN, a["tanh: predicted"][0] - a["tanh: predicted"])):
            logs = a[name].mean(axis=0)
            right.plot(ahead, (logs[0] - logs)[:shown + 1] / tens, color=colour, lw=2,
                       label="x + relu(W x)" if expected is None else f"x + V {name.lower()}(W x)")
            if expected is not None:
                right.plot(ahead, expected[:shown + 1] / tens, "--", color="black", lw=1,
                           label="predicted" if name == "tanh" else None)
        right.set(xlabel="blocks", title="What the first blocks do to the gradient")
        right.legend(loc="upper left")
        for ax in (left, right):
            ax.yaxis.set_major_locator(MaxNLocator(integer=True))
            ax.yaxis.set_major_formatter(lambda value, _: f"$10^{{{value:g}}}$")
            ax.set_ylabel("growth of ||delta||²")
    return fig

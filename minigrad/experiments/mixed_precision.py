"""Where does float16 lose the gradient, and what does loss scaling do about it (Micikevicius and others 2018)?

float16 ends at 65504 and has no number between 0 and 2^-24: below 2^-25 everything is rounded to zero.  In a vanishing
net (tanh, sigma_w^2 = 1, chi_1 = 0.759, 100 layers) delta_l = dL/dh_l is nearly Gaussian, and its standard deviation
falls by sqrt(chi_1) a layer, so that with a loss scale S the share of zeros d layers below the loss is

    P(|z| < 2^-25 / (S s chi_1^(d/2)))         s: the standard deviation at the last layer

Half of a layer is zero at  d = 2 ln(0.6745 S s 2^25) / -ln chi_1; a scale of S moves that by 2 ln S / -ln chi_1 layers,
15.1 for S = 8.  Too large a scale, 2^28, overflows instead, in the last layers first.

The measured step from none to all is less steep, as not all nets, nor all items of a batch, have deltas of one size;
and it comes 2 layers earlier, as in a net of 200 units ln ||delta|| falls faster than in an infinite one (the mean of a
logarithm is below the logarithm of the mean, see ``mean_field``): 4 layers earlier at 100 units, 1 at 800.

Zeros are counted in the exact gradient, converted.  In a net that computes in float16 throughout there are fewer of
them, as numbers at the end of the range are rounded up as well as down and keep something alive; but it is no gradient
any more: what has to be looked at is its cosine with the exact one.  If small (subnormal) numbers, below 2^-14, are
flushed to zero, as some hardware does, it is lost ten bits earlier: 2 ln 2^10 / -ln chi_1 = 50 layers.
"""

import math
from dataclasses import dataclass

import numpy as np

import minigrad as mg
from minigrad import hooks, nn, plot, theory
from minigrad.experiments.experiment import Expected, Result, quiet
from minigrad.experiments.settings import Settings, setting
from minigrad.norms import cosine

QUESTION = "Where does float16 lose the gradient?"
SECONDS = 12

SMALLEST, NORMAL = 2.0 ** -24, 2.0 ** -14
"""float16's smallest number, and the smallest that has all digits."""


@dataclass(frozen=True)
class Config(Settings):
    """What is measured."""

    depth: int = setting(100, least=4, most=1000, doc="layers")
    width: int = setting(200, least=10, most=2000, doc="units per layer")
    sigma_w2: float = setting(1.0, above=0, most=10, doc="variance of the weights times the width")
    sigma_b2: float = setting(0.05, least=0, most=10, doc="variance of the biases")
    batch: int = setting(32, least=1, most=1000, doc="inputs")
    scales: tuple = setting((1.0, 8.0, 128.0, 1024.0, 65536.0), least=1, most=2.0 ** 60,
                            doc="loss scales of the gradient that is converted")
    large: float = setting(2.0 ** 28, least=1, most=2.0 ** 60, doc="a scale that is too large")
    half_scales: tuple = setting((1.0, 128.0, 65536.0), least=1, most=2.0 ** 20,
                                 doc="loss scales of the net in float16")
    seed: int = setting(0, least=0, doc="the first seed")
    seeds: int = setting(20, least=1, most=1000, doc="nets, of which the first is run in float16, too")


def net_of(config, rng):
    """Return the layers of a plain net with ten classes, drawn as mean-field theory has it."""
    layers = [nn.Linear(config.width, config.width, rng=rng) for _ in range(config.depth)]
    layers.append(nn.Linear(config.width, 10, rng=rng))
    for layer in layers:
        nn.init.normal_(layer.weight, std=(config.sigma_w2 / config.width) ** 0.5, rng=rng)
        nn.init.normal_(layer.bias, std=config.sigma_b2 ** 0.5, rng=rng)
        layer.requires_grad_(False)                     # the deltas are what is looked at
    return layers


def forward(layers, x, labels):
    """Return the loss, in at least float32, and h_0 ... h_L, in the dtype of x."""
    h = mg.tensor(x, requires_grad=True)
    states = [h]
    for layer in layers[:-1]:
        h = layer(mg.tanh(h))
        states.append(h)
    answers = layers[-1](mg.tanh(h))
    return nn.functional.cross_entropy(answers.astype(np.promote_types(x.dtype, np.float32)), labels), states


def deltas_of(loss, states, scale=1.0):
    """Return scale * dL/dh_l for l = 1 ... L, in the dtype of the states."""
    scaled = hooks.LossScaler(scale, dynamic=False).scale(loss)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        return np.array([g.data for g in mg.grad(scaled, states[1:], retain_graph=True)])


def flush(g):
    """Return a gradient without its subnormal numbers, as a tensor hook does."""
    return np.where(np.abs(g.data) < NORMAL, 0, g.data).astype(g.dtype)


def in_half(layers, x, labels, exact, scales, progress):
    """Run the net in float16; return the cosines with the exact deltas by scale, and zero shares, with and without."""
    for layer in layers:
        layer.half()
    loss, states = forward(layers, x.astype(np.float16), labels)
    cosines, zeros = {}, {}
    for how in ("gradual", "flushed"):
        handles = [h.register_hook(flush) for h in states] if how == "flushed" else []
        for scale in progress(scales, f"loss scales, {how} underflow"):
            found = deltas_of(loss, states, scale)
            cosines[how, scale] = np.array([similar(a, b) for a, b in zip(found, exact)])
            zeros[how, scale] = (found == 0).mean(axis=(1, 2))
        for handle in handles:
            handle.remove()
    return cosines, zeros


def similar(found, exact):
    """Return the cosine; 0 for a gradient that is zero, as it points nowhere."""
    return cosine([found.astype(float)], [exact]) if found.any() else 0.0


def crossing(shares, level=0.5):
    """Return how many layers below the loss a share first exceeds a level; NaN if it never does."""
    back = shares[::-1]
    above = np.flatnonzero(back > level)
    if not above.size or not above[0]:
        return math.nan if not above.size else 0.0
    first = above[0]
    return float(first - 1 + (level - back[first - 1]) / (back[first] - back[first - 1]))


def predicted(config, top, scale):
    """Return the share of zeros at l = 1 ... L, for a standard deviation ``top`` at layer L."""
    chi = theory.chi_1("tanh", config.sigma_w2, config.sigma_b2)
    size = scale * top * chi ** (np.arange(config.depth - 1, -1, -1) / 2)
    return np.array([math.erf(SMALLEST / 2 / s / 2 ** 0.5) for s in size])


def run(config, progress=quiet):
    """Count zeros in converted gradients, and compare those of a net in float16 with the exact ones."""
    shares, overflow, tops = {scale: [] for scale in config.scales}, [], []
    for seed in progress(range(config.seed, config.seed + config.seeds), "seeds"):
        rng = np.random.default_rng(seed)
        layers = net_of(config, rng)
        start = theory.q_star("tanh", config.sigma_w2, config.sigma_b2) ** 0.5
        x, labels = start * rng.normal(size=(config.batch, config.width)), rng.integers(10, size=config.batch)
        exact = deltas_of(*forward(layers, x, labels))
        tops.append(exact[-1].std())
        with np.errstate(over="ignore", under="ignore"):
            for scale in config.scales:
                shares[scale].append(((scale * exact).astype(np.float16) == 0).mean(axis=(1, 2)))
            overflow.append(np.isinf((config.large * exact).astype(np.float16)).mean(axis=(1, 2)))
        if seed == config.seed:
            cosines, zeros = in_half(layers, x, labels, exact, config.half_scales, progress)
    top, headline, depths, arrays = float(np.mean(tops)), {}, [], {"overflow": np.mean(overflow, axis=0)}
    for scale in config.scales:
        share, wanted = np.mean(shares[scale], axis=0), predicted(config, top, scale)
        arrays[f"zeros, scale {scale:g}"], arrays[f"zeros, scale {scale:g}, predicted"] = share, wanted
        headline[f"zeros in all layers, scale {scale:g}"] = float(share.mean())
        headline[f"zeros in all layers, measured - predicted, scale {scale:g}"] = float(share.mean() - wanted.mean())
        depths.append((crossing(share), crossing(wanted)))
        if not math.isnan(sum(depths[-1])):
            headline[f"half-zero depth, scale {scale:g}"] = depths[-1][0]
            headline[f"half-zero depth, measured - predicted, scale {scale:g}"] = depths[-1][0] - depths[-1][1]
            if scale != config.scales[0]:
                moved = depths[-1][0] - depths[0][0]
                headline[f"layers that half-zero moves, scale {scale:g}"] = moved
    arrays["half-zero depth"] = np.array(depths)                                # (scales, measured and predicted)
    headline["layers with inf at the largest scale"] = int((arrays["overflow"] > 0).sum())
    for (how, scale), values in cosines.items():
        arrays[f"cosine, {how}, scale {scale:g}"] = values
        headline[f"zeros in all layers, net in float16, {how}, scale {scale:g}"] = float(zeros[how, scale].mean())
        for share in (0.25, 0.5, 0.75, 0.99):
            back = round(share * config.depth)
            here = values[max(0, len(values) - 1 - back)]
            headline[f"cosine {back} layers back, {how}, scale {scale:g}"] = float(here)
    return Result(config, headline, arrays)


SHIFT = 2 * math.log(8) / -math.log(theory.chi_1("tanh", Config().sigma_w2, Config().sigma_b2))
FORM, SEPARATE = "Gaussian delta, chi_1 per layer", "a separate computation"
EXPECTED = (
    Expected("zeros in all layers, scale 1", 0.237, SEPARATE, 0.02),
    *(Expected(f"zeros in all layers, measured - predicted, scale {scale:g}", 0.0, FORM, 0.02)
      for scale in Config().scales),
    Expected("half-zero depth, scale 1", 77.5, SEPARATE, 3),
    *(Expected(f"half-zero depth, measured - predicted, scale {scale}", 0.0, FORM, 3) for scale in (1, 8)),
    Expected("layers that half-zero moves, scale 8", SHIFT, "2 ln 8 / -ln chi_1", 3),
    Expected("cosine 50 layers back, gradual, scale 1", 0.99, SEPARATE, kind="at least"),
    Expected("cosine 99 layers back, gradual, scale 1", 0.5, SEPARATE, kind="at most"),
    Expected("cosine 99 layers back, gradual, scale 65536", 0.999, SEPARATE, kind="at least"),
    Expected("cosine 50 layers back, flushed, scale 1", 0.0, "all is below 2^-14", 1e-6),
)


def answer(result):
    """Return what was found, in a sentence."""
    h, config, depths = result.headline, result.config, result.arrays["half-zero depth"]
    back, low, high = round(0.99 * config.depth), min(config.half_scales), max(config.half_scales)
    words = (f"half of the values are zero {depths[0, 0]:.0f} layers below the loss (predicted {depths[0, 1]:.0f})"
             if np.isfinite(depths[0]).all() else f"nowhere in {config.depth} layers is half of the values zero")
    return (f"At scale {config.scales[0]:g} {words}; {back} layers back the cosine with the exact gradient is "
            f"{h[f'cosine {back} layers back, gradual, scale {low:g}']:.2f}, and "
            f"{h[f'cosine {back} layers back, gradual, scale {high:g}']:.4f} with a loss scale of {high:g}.")


def figure(result):
    """Draw the share of zeros, and the cosine with the exact gradient, from the loss downwards."""
    from matplotlib.figure import Figure

    a, config = result.arrays, result.config
    back = np.arange(config.depth - 1, -1, -1)
    colours = [plot.style.VERMILLION, plot.style.ORANGE, plot.style.GREEN, plot.style.SKY, plot.style.BLUE]
    of_scale = {scale: colours[index % 5] for index, scale in enumerate(config.scales)}
    with plot.styled():
        fig = Figure(figsize=(12.5, 5.2), layout="constrained")
        left, right = fig.subplots(1, 2)
        for scale in config.scales:
            left.plot(back, a[f"zeros, scale {scale:g}"], color=of_scale[scale], lw=2.5, label=f"loss scale {scale:g}")
            left.plot(back, a[f"zeros, scale {scale:g}, predicted"], "--", color="black", lw=1)
        left.plot([], [], "--", color="black", lw=1, label="predicted")
        left.axhline(0.5, color=plot.style.GREY, lw=0.8)
        left.set(xlabel="layers below the loss", ylabel="share of zeros", ylim=(-0.03, 1.03),
                 title="Gradient converted to float16: zeros")
        left.legend(loc="upper left")
        for scale in config.half_scales:
            colour = of_scale.get(scale, plot.style.PURPLE)
            right.plot(back, a[f"cosine, gradual, scale {scale:g}"], color=colour, lw=2.5)
            right.plot(back, a[f"cosine, flushed, scale {scale:g}"], color=colour, lw=1, marker="x", ms=5, markevery=4)
        right.plot([], [], color="black", lw=2.5, label="float16")
        right.plot([], [], color="black", lw=1, marker="x", ms=5, label="below $2^{-14}$\nflushed to 0")
        right.set(xlabel="layers below the loss", ylabel="cosine with the exact gradient", ylim=(-0.03, 1.03),
                  title="Net in float16 (colours as on the left)")
        right.legend(loc="center left", bbox_to_anchor=(0, 0.3))
    return fig

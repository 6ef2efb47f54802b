"""What do the kinds of clipping do to a gradient that explodes over depth?

A plain tanh net of 50 layers with sigma_w^2 = 3 is far in the chaotic regime: each layer multiplies ||delta||^2 on its
way back by chi_1 (Schoenholz et al. 2017), so the weight gradients of the first layers are a hundred times those of the
last.  The same gradient, of a net that has not been trained, is handed to

    norm, global    one factor for all (Pascanu, Mikolov and Bengio 2013)
    AutoClip        the same at a percentile of the norms so far (Seetharaman et al. 2020)
    value           each element by itself, here at the median magnitude
    norm, param     each parameter by itself
    norm, unit      each output unit by itself
    AGC             each output unit by itself, measured by its weights (Brock, De, Smith and Simonyan 2021)

One factor changes neither the direction nor the profile over depth, to the bit: the first layer's gradient stays a
hundred times the last one's, only the step is shorter.  The others do flatten the profile, and turn the gradient: their
step does not go downhill the steepest way.

In a vanishing net (sigma_w^2 = 0.5) the same clips at the same thresholds find nothing to do where the gradient has
vanished, for no clip lengthens anything.  They may act on the last few layers, which are near the loss: AGC does where
a gradient is above a hundredth of its weights.  And AutoClip at percentile 10 is no guard against rare spikes: of
norms drawn from one law it shortens nine in ten.
"""

from dataclasses import dataclass

import numpy as np

from minigrad import hooks, nn, plot, theory
from minigrad.experiments.experiment import Expected, Result, quiet
from minigrad.experiments.settings import Settings, setting
from minigrad.norms import cosine, norm

QUESTION = "How do clipping by value, norm, parameter, unit, AGC and AutoClip differ?"
SECONDS = 4


@dataclass(frozen=True)
class Config(Settings):
    """What is measured."""

    depth: int = setting(50, least=3, most=500, doc="hidden layers")
    width: int = setting(100, least=4, most=2000, doc="units per layer")
    exploding: float = setting(3.0, above=1, most=100, doc="sigma_w^2 of the exploding net")
    vanishing: float = setting(0.5, above=0, below=1, doc="sigma_w^2 of the vanishing net")
    sigma_b2: float = setting(0.05, least=0, most=10, doc="variance of the biases")
    batch: int = setting(64, least=1, most=10_000, doc="inputs in a batch")
    clip: float = setting(1.0, above=0, most=1e6, doc="threshold of the norm, global")
    agc: float = setting(0.01, above=0, most=1, doc="AGC's share of the norm of the weights")
    percentile: float = setting(10.0, above=0, most=100, doc="AutoClip's")
    history: int = setting(30, least=2, most=1000, doc="batches that AutoClip has seen before")
    norms: int = setting(3000, least=10, most=100_000, doc="lognormal norms given to AutoClip")
    seed: int = setting(0, least=0, doc="the first seed")
    seeds: int = setting(5, least=1, most=1000, doc="nets")


def net_of(config, sigma_w2, rng):
    """Return a plain net with ten classes, drawn as mean-field theory has it."""
    layers = [nn.Linear(config.width, config.width, rng=rng) for _ in range(config.depth)]
    layers.append(nn.Linear(config.width, 10, rng=rng))
    for layer in layers:
        nn.init.normal_(layer.weight, std=(sigma_w2 / config.width) ** 0.5, rng=rng)
        nn.init.normal_(layer.bias, std=config.sigma_b2 ** 0.5, rng=rng)
    return nn.Sequential(*(m for layer in layers[:-1] for m in (layer, nn.Tanh())), layers[-1])


def gradient(net, config, rng):
    """Return the gradient of a batch of noise: name -> array."""
    x, labels = rng.normal(size=(config.batch, config.width)), rng.integers(10, size=config.batch)
    net.zero_grad()
    nn.functional.cross_entropy(net(x), labels).backward()
    return {name: p.grad.data for name, p in net.named_parameters()}


def kinds_of(config, median, history):
    """Return the hooks by name, thresholds such that each has something to do in the exploding net."""
    auto = hooks.AutoClip(config.percentile)
    for grads in history:
        hooks.apply_hooks([auto], grads)
    # As many elements or units as there are share what the global threshold allows to all.
    return {"norm, global": hooks.ClipNorm(config.clip), "AutoClip": auto, "value": hooks.ClipValue(median),
            "norm, param": hooks.ClipNorm(config.clip / (2 * config.depth) ** 0.5, scope="param"),
            "norm, unit": hooks.ClipNorm(config.clip / (config.width * config.depth) ** 0.5, scope="unit"),
            "AGC": hooks.AGC(config.agc)}


def weights_of(grads):
    """Return the norms of the hidden layers' weight gradients."""
    return np.array([norm([g]) for name, g in grads.items() if name.endswith("weight")][:-1])


def run(config, progress=quiet):
    """Hand the same gradients to every kind of clip."""
    profiles, cosines, changed, untouched = {}, {}, {}, {}
    for seed in progress(range(config.seed, config.seed + config.seeds), "seeds"):
        rng = np.random.default_rng(seed)
        net, still = (net_of(config, sigma_w2, rng) for sigma_w2 in (config.exploding, config.vanishing))
        history = [gradient(net, config, rng) for _ in range(config.history)]
        raw, small = gradient(net, config, rng), gradient(still, config, rng)
        median = float(np.median(np.abs(np.concatenate([g.ravel() for g in raw.values()]))))
        profiles.setdefault("raw", []).append(weights_of(raw))
        for name, hook in kinds_of(config, median, history).items():
            clipped = hooks.apply_hooks([hook], raw, params={key: p.data for key, p in net.named_parameters()})
            profiles.setdefault(name, []).append(weights_of(clipped))
            cosines.setdefault(name, []).append(cosine(raw.values(), clipped.values()))
            changed.setdefault(name, []).append(sum(not np.array_equal(clipped[key], raw[key]) for key in raw))
            if name != "AutoClip":              # its threshold is a norm of this net's own past
                left = hooks.apply_hooks([hook], small, params={key: p.data for key, p in still.named_parameters()})
                touched = [int(key.split(".")[0]) // 2 for key in small if not np.array_equal(left[key], small[key])]
                untouched.setdefault(name, []).append(min(touched, default=config.depth))
    profiles = {name: np.array(rows) for name, rows in profiles.items()}                # (seeds, layers)
    headline = {}
    for name, rows in profiles.items():
        headline[f"first / last layer, {name}"] = float(np.exp(np.log(rows[:, 0] / rows[:, -1]).mean()))
        if name != "raw":
            headline[f"cosine with the raw gradient, {name}"] = float(np.mean(cosines[name]))
            headline[f"parameters changed, {name}"] = float(np.mean(changed[name]))
    for name in ("norm, global", "AutoClip"):
        ratios = profiles[name] / profiles["raw"]
        headline[f"change of the profile, {name}"] = float((ratios / ratios[:, -1:] - 1).max())
    for name, counts in untouched.items():
        headline[f"first layers untouched in the vanishing net, {name}"] = int(min(counts))
    headline["share of lognormal norms that AutoClip shortens"] = shortened(config)
    return Result(config, headline, {
        **{f"profile, {name}": rows for name, rows in profiles.items()},
        **{f"cosine, {name}": np.array(values) for name, values in cosines.items()}})


def shortened(config):
    """Return the share of norms drawn from one law that AutoClip shortens."""
    auto, rng = hooks.AutoClip(config.percentile, history=config.norms), np.random.default_rng(config.seed)
    count = 0
    for length in np.exp(rng.normal(size=config.norms)):
        count += hooks.apply_hooks([auto], {"w": np.array([length])})["w"][0] < length
    return float(count / config.norms)


GLOBAL, LOCAL = ("norm, global", "AutoClip"), ("value", "norm, param", "norm, unit", "AGC")
PREDICTED = float(10 ** theory.weight_profile("tanh", Config().depth, Config().exploding, Config().sigma_b2)[0])
EXPECTED = (
    Expected("first / last layer, raw", PREDICTED, "chi_1 per layer (Schoenholz et al. 2017)", 1.5, "factor"),
    *(Expected(f"change of the profile, {name}", 0.0, "one factor for all layers", 1e-14) for name in GLOBAL),
    *(Expected(f"cosine with the raw gradient, {name}", 1.0, "one factor for all layers", 1e-12) for name in GLOBAL),
    Expected("first / last layer, value", 3.75, "a separate computation, another net", 1.3, "factor"),
    *(Expected(f"first / last layer, {name}", 1.0, "every unit, or parameter, is at its limit", 0.05)
      for name in LOCAL[1:]),
    Expected("cosine with the raw gradient, value", 0.607, "a separate computation, another net", 0.05),
    Expected("cosine with the raw gradient, AGC", 0.579, "a separate computation, another net", 0.05),
    *(Expected(f"first layers untouched in the vanishing net, {name}", 0.8 * Config().depth, "no clip lengthens",
               kind="at least") for name in ("norm, global", *LOCAL)),
    Expected("share of lognormal norms that AutoClip shortens", 0.9, "those above the 10th percentile", 0.02),
)


def answer(result):
    """Return what was found, in a sentence."""
    h = result.headline
    flat = min(LOCAL, key=lambda name: h[f"cosine with the raw gradient, {name}"])
    return (f"One factor for all keeps the direction and the profile (first layer {h['first / last layer, raw']:.3g} "
            f"times the last before, {h['first / last layer, norm, global']:.3g} after); by value it is "
            f"{h['first / last layer, value']:.3g} and by AGC {h['first / last layer, AGC']:.2f}, and the gradient is "
            f"turned, down to a cosine of {h[f'cosine with the raw gradient, {flat}']:.2f} ({flat}).")


COLOURS = {"raw": plot.style.BEFORE, "norm, global": plot.style.AFTER, "AutoClip": plot.style.SKY,
           "value": plot.style.ORANGE, "norm, param": plot.style.GREY, "norm, unit": plot.style.PURPLE,
           "AGC": plot.style.GREEN}


def figure(result):
    """Draw the norm of each layer's gradient, and the cosines."""
    from matplotlib.figure import Figure

    a, config = result.arrays, result.config
    layers = np.arange(1, config.depth + 1)
    with plot.styled():
        fig = Figure(figsize=(12.5, 5.2), layout="constrained")
        left, right = fig.subplots(1, 2, width_ratios=(1.5, 1))
        means = {name: np.exp(np.log(a[f"profile, {name}"]).mean(axis=0)) for name in COLOURS}
        for name, width in zip(COLOURS, (9, 4, 1.5, 3, 1.5, 4, 9)):            # so that those below others are seen
            left.plot(layers, means[name] / means[name][-1], color=COLOURS[name], lw=width,
                      zorder=3 - width / 10, solid_capstyle="butt")
        predicted = 10 ** theory.weight_profile("tanh", config.depth, config.exploding, config.sigma_b2)
        left.plot(layers, predicted, "--", color="black", lw=1.4, label="raw, predicted")
        place = config.depth // 4
        for names, line in ((("raw", *GLOBAL), predicted), (("value",), None), (LOCAL[1:], None)):
            mean = means[names[0]] / means[names[0]][-1]
            height = 1.12 * (mean if line is None else line)[place]
            left.annotate(f"{'; '.join(names)}: {mean[0]:.3g}", (layers[place], height), va="bottom")
        left.set(yscale="log", xlabel="layer", ylabel="||dL/dW|| of the layer / of the last",
                 title="What each clip leaves of an exploding profile")
        left.legend(loc="upper right")
        names = [name for name in COLOURS if name != "raw"][::-1]
        values = [float(a[f"cosine, {name}"].mean()) for name in names]
        right.barh(names, values, color=[COLOURS[name] for name in names])
        for row, value in enumerate(values):
            right.annotate(f"{value:.2f}", (value, row), xytext=(-5, 0), textcoords="offset points", va="center",
                           ha="right", color="white", fontsize=13)
        right.set(xlim=(0, 1), xlabel="cosine with the raw gradient", title="Is it still the same direction?")
        right.grid(visible=False, axis="y")
    return fig

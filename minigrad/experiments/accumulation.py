"""When is accumulation a large batch?

The gradient of a mean over 64 items is the mean, weighted by their sizes, of the gradients of its parts; so with the
sizes as weights 8 parts of 8, or parts of 1, 7, 24 and 32, give the large batch's gradient to the last digits (fewer
where the net is chaotic: a product of matrices is rounded otherwise in a batch of another size, and 50 layers make that
rounding a hundred times larger).  It is something else where

    the parts have unequal sizes and count the same: then an item in a part of m_k, one of K parts, has not the weight
    1 / N but w = 1 / (K m_k), and the mean is as uncertain as one over 1 / sum(w^2) items, 13 instead of 64 here;
    where the items' gradients are independent, of mean 0, it is off by sqrt(N sum(w^2) - 1) of its length, 2 here
    (in a single batch from half to five times it, as it is the length of the lone item's gradient that counts);
    the layers mix items, as BatchNorm does: each part is normalised by itself;
    what stands before it is not linear: the mean of clipped parts is not the clipped mean of the parts, with which it
    is compared here, neither in direction nor in length.

In no case does it change the profile over depth: what vanishes, or explodes, does so in every part alike, and a sum
instead of a mean multiplies every layer by the same K.
"""

from dataclasses import dataclass

import numpy as np

from minigrad import hooks, nn, plot
from minigrad.experiments.experiment import Expected, Result, quiet
from minigrad.experiments.settings import Settings, setting
from minigrad.norms import cosine, norm

QUESTION = "When is accumulation the same as a large batch?"
SECONDS = 6

NETS = ("vanishing", "exploding")


@dataclass(frozen=True)
class Config(Settings):
    """What is measured."""

    depth: int = setting(50, least=2, most=500, doc="hidden layers of the deep nets")
    width: int = setting(100, least=4, most=2000, doc="units per layer")
    vanishing: float = setting(0.5, above=0, below=1, doc="sigma_w^2 of the vanishing net")
    exploding: float = setting(3.0, above=1, most=100, doc="sigma_w^2 of the exploding net")
    sigma_b2: float = setting(0.05, least=0, most=10, doc="variance of the biases")
    parts: int = setting(8, least=2, most=1000, doc="micro-batches of equal size")
    size: int = setting(8, least=2, most=1000, doc="items in each of them")
    shares: tuple = setting((1, 7, 24, 32), least=1, most=1000, doc="sizes of the unequal micro-batches")
    normalised: int = setting(3, least=1, most=100, doc="hidden layers of the net with BatchNorm")
    clip: float = setting(0.5, above=0, most=10, doc="threshold, in units of the large batch's norm")
    seed: int = setting(0, least=0, doc="the first seed")
    seeds: int = setting(10, least=1, most=1000, doc="nets and batches")


def net_of(config, sigma_w2, rng, normalised=False):
    """Return a plain tanh net with ten classes, drawn as mean-field theory has it; or a short one with BatchNorm."""
    depth = config.normalised if normalised else config.depth
    layers = [nn.Linear(config.width, config.width, rng=rng) for _ in range(depth)]
    layers.append(nn.Linear(config.width, 10, rng=rng))
    for layer in layers:
        nn.init.normal_(layer.weight, std=(sigma_w2 / config.width) ** 0.5, rng=rng)
        nn.init.normal_(layer.bias, std=config.sigma_b2 ** 0.5, rng=rng)
    extra = (lambda: [nn.BatchNorm1d(config.width)]) if normalised else list
    return nn.Sequential(*(m for layer in layers[:-1] for m in (layer, *extra(), nn.Tanh())), layers[-1])


def gradient(net, x, labels):
    """Return the gradient of the mean loss: name -> array."""
    net.zero_grad()
    nn.functional.cross_entropy(net(x), labels).backward()
    return {name: p.grad.data for name, p in net.named_parameters()}


def accumulated(net, x, labels, sizes, weighted=True, before=(), after=(), reduction="mean"):
    """Return what hooks let through when the batch comes in parts of these sizes."""
    pipeline = [*before, hooks.Accumulate(len(sizes), reduction=reduction), *after]
    ends = np.cumsum(sizes)
    for start, end in zip(ends - sizes, ends):
        out = hooks.apply_hooks(pipeline, gradient(net, x[start:end], labels[start:end]),
                                weight=float(end - start) if weighted else 1.0)
    return out


def difference(grads, wanted):
    """Return ||grads - wanted|| / ||wanted||, over all parameters."""
    return norm([grads[name] - wanted[name] for name in wanted]) / norm(wanted.values())


def profile(grads):
    """Return the norms of the hidden layers' weight gradients."""
    return np.array([norm([g]) for g in grads.values() if g.ndim == 2][:-1])


def off(shares):
    """Return by how much of its length a mean of means is off, for independent items."""
    shares = np.array(shares, dtype=float)
    return float((shares.sum() * (1 / (len(shares) ** 2 * shares)).sum() - 1) ** 0.5)


def one_seed(config, rng):
    """Return the differences to the large batch's gradient, and profiles, by name."""
    out, equal, count = {}, np.full(config.parts, config.size), config.parts * config.size
    x, labels = rng.normal(size=(max(count, sum(config.shares)), config.width)), None
    labels = rng.integers(10, size=len(x))
    for kind, sigma_w2 in zip(NETS, (config.vanishing, config.exploding)):
        net = net_of(config, sigma_w2, rng)
        whole = gradient(net, x[:count], labels[:count])
        parts = accumulated(net, x, labels, equal)
        out[f"equal parts, {kind}"] = difference(parts, whole)
        out[f"profile, {kind}, large batch"], out[f"profile, {kind}, accumulated"] = profile(whole), profile(parts)
        summed = accumulated(net, x, labels, equal, weighted=False, reduction="sum")
        out[f"sum / mean, {kind}"] = norm(summed.values()) / norm(whole.values())
        shares = np.array(config.shares)
        uneven = gradient(net, x[:shares.sum()], labels[:shares.sum()])
        out[f"unequal parts, weighted, {kind}"] = difference(accumulated(net, x, labels, shares), uneven)
        out[f"unequal parts, mean of means, {kind}"] = difference(
            accumulated(net, x, labels, shares, weighted=False), uneven)
        clip = hooks.ClipNorm(config.clip * norm(whole.values()))
        late, early = (accumulated(net, x, labels, equal, **{place: [clip]}) for place in ("after", "before"))
        out[f"clipped before, {kind}"] = difference(early, late)
        out[f"cosine of clipped before and after, {kind}"] = cosine(early.values(), late.values())
    net = net_of(config, 1.0, rng, normalised=True)
    out["equal parts, BatchNorm"] = difference(accumulated(net, x, labels, equal),
                                               gradient(net, x[:count], labels[:count]))
    return out


def run(config, progress=quiet):
    """Compare accumulated gradients with those of the large batch."""
    found = [one_seed(config, np.random.default_rng(seed))
             for seed in progress(range(config.seed, config.seed + config.seeds), "seeds")]
    arrays = {name: np.array([one[name] for one in found]) for name in found[0]}
    headline = {name: float(values.mean()) for name, values in arrays.items() if values.ndim == 1}
    for kind in NETS:
        whole, parts = (arrays[f"profile, {kind}, {name}"] for name in ("large batch", "accumulated"))
        headline[f"first / last layer, large batch, {kind}"] = float(np.exp(np.log(whole[:, 0] / whole[:, -1]).mean()))
        headline[f"change of the profile, {kind}"] = float(abs(parts / whole - 1).max())
        headline[f"largest difference, equal parts, {kind}"] = float(arrays[f"equal parts, {kind}"].max())
    return Result(config, headline, arrays)


ROUNDING = "the same sum in another order"
EXPECTED = (
    *(Expected(f"largest difference, equal parts, {kind}", 0.0, ROUNDING, 1e-12) for kind in NETS),
    *(Expected(f"unequal parts, weighted, {kind}", 0.0, ROUNDING, 1e-12) for kind in NETS),
    *(Expected(f"unequal parts, mean of means, {kind}", off(Config().shares), "sqrt(N sum(w^2) - 1)", 2.0, "factor")
      for kind in NETS),
    *(Expected(f"sum / mean, {kind}", Config().parts, "a sum is K means", 1e-12, "relative") for kind in NETS),
    *(Expected(f"change of the profile, {kind}", 0.0, "each layer is accumulated alike", 1e-12) for kind in NETS),
    *(Expected(f"clipped before, {kind}", 0.1, "clipping is not linear", kind="at least") for kind in NETS),
    Expected("equal parts, BatchNorm", 0.1, "each part is normalised by itself", kind="at least"),
)


def answer(result):
    """Return what was found, in a sentence."""
    h = result.headline
    same = max(h[f"largest difference, equal parts, {kind}"] for kind in NETS)
    means = [h[f"unequal parts, mean of means, {kind}"] for kind in NETS]
    clipped = [h[f"clipped before, {kind}"] for kind in NETS]
    return (f"When parts count by their sizes and nothing mixes items, or clips, before it: then to {same:.0e}. A mean "
            f"of means of unequal parts is off by {min(means):.0%} to {max(means):.0%} of the gradient, with "
            f"BatchNorm by {h['equal parts, BatchNorm']:.0%}, clipped before instead of after by {min(clipped):.0%} to "
            f"{max(clipped):.0%}.")


def figure(result):
    """Draw how far accumulated gradients are from the large batch's, and the profiles over depth."""
    from matplotlib.figure import Figure

    a, config = result.arrays, result.config
    shares = " + ".join(map(str, config.shares))
    rows = [(f"{config.parts} equal parts", "equal parts"), (f"{shares}, by size", "unequal parts, weighted"),
            (f"{shares}, mean of means", "unequal parts, mean of means"), ("each part clipped", "clipped before")]
    colours = dict(zip(NETS, (plot.style.BLUE, plot.style.VERMILLION)))
    with plot.styled():
        fig = Figure(figsize=(12.5, 5), layout="constrained")
        left, right = fig.subplots(1, 2, width_ratios=(1.3, 1))
        for place, (_, name) in enumerate(rows):
            for shift, kind in zip((-0.18, 0.18), NETS):
                bar(left, place + shift, 0.34, a[f"{name}, {kind}"].mean(), colours[kind])
        bar(left, len(rows), 0.5, a["equal parts, BatchNorm"].mean(), plot.style.GREEN)
        for kind in NETS:
            left.barh([0], [0], color=colours[kind], label=f"{kind} net, {config.depth} layers")
        left.barh([0], [0], color=plot.style.GREEN, label=f"{config.normalised} layers with BatchNorm")
        left.set_yticks(range(len(rows) + 1), [*(label for label, _ in rows), f"{config.parts} equal parts, BatchNorm"])
        left.set(xscale="log", xlim=(1e-17, 1e3), xlabel="||accumulated - large batch|| / ||large batch||",
                 title="Is it the large batch's gradient?")
        left.set_xticks(10.0 ** np.arange(-16, 2, 4))
        left.invert_yaxis()
        left.grid(visible=False, axis="y")
        left.legend(loc="upper right")
        layers = np.arange(1, config.depth + 1)
        for kind in NETS:
            for name, width, colour in (("large batch", 8, plot.style.YELLOW), ("accumulated", 2, colours[kind])):
                means = np.exp(np.log(a[f"profile, {kind}, {name}"]).mean(axis=0))
                right.plot(layers, means, color=colour, lw=width, label=f"{kind}, {name}")
        right.set(yscale="log", xlabel="layer", ylabel="||dL/dW|| of the layer", title="What vanishes, vanishes still")
        right.legend()
    return fig


def bar(ax, place, height, value, colour):
    """Draw a bar of a value from zero to anything on a logarithmic axis, with its number."""
    ax.barh([place], [max(value, 1e-17)], height, color=colour)
    ax.annotate(f"{value:.0e}" if value < 0.01 else f"{value:.2g}", (max(value, 1e-17), place), xytext=(5, 0),
                textcoords="offset points", va="center")

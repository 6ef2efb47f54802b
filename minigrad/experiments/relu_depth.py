"""He's initialisation against Xavier's, in a deep net of ReLUs (Glorot and Bengio 2010; He and others 2015).

A ReLU passes half of its inputs, so a layer multiplies ||delta||^2 by n Var(W) / 2 on the way back.  With Xavier's
Var(W) = 1/n that is 1/2, and the gradient loses a factor sqrt(2) per layer, 2^(-(L-1)/2) from the last layer to the
first; He's Var(W) = 2/n keeps it.  For one input the ratio scatters from net to net, its logarithm by
sqrt(5 L / 4 n) = .38 at L = 30 and n = 256 (see ``finite_width``).

Then both are trained on digits, by plain gradient descent.  He and others saw a net of 22 layers learn from either
start (from theirs sooner), and one of 30 from theirs alone.  The nets here are narrower and see 500 batches rather than
millions of images; at 30 layers the finding is the same: Xavier's stays at the loss of guessing, ln 10.
"""

import itertools
from dataclasses import dataclass

import numpy as np

import minigrad as mg
from minigrad import hooks, nn, optim, plot, tasks, theory
from minigrad.experiments.experiment import Expected, Result, quiet
from minigrad.experiments.settings import Settings, setting
from minigrad.norms import norm

QUESTION = "Why He's initialisation for ReLU, and not Xavier's?"
SECONDS = 10

STARTS = {"Xavier": 1.0, "He": 2.0}
"""Name -> n Var(W)."""

LEARNT = 0.5
"""A net that is right about this share of the digits has learnt something; guessing gives 0.1."""


@dataclass(frozen=True)
class Config(Settings):
    """What is measured."""

    width: int = setting(256, least=32, most=2000, doc="units per layer, where the gradient is measured")
    depths: tuple = setting((22, 30), least=3, most=100, doc="layers")
    seed: int = setting(0, least=0, doc="the first seed")
    seeds: int = setting(5, least=1, most=100, doc="nets per depth and start, where the gradient is measured")
    updates: int = setting(500, least=0, most=100_000, doc="updates of those that are trained; 0 for none")
    trained: int = setting(2, least=1, most=50, doc="nets per start that are trained, of the largest depth")
    train_width: int = setting(64, least=8, most=2000, doc="units per layer of those that are trained")
    lr: float = setting(0.01, above=0, most=10, doc="learning rate")
    batch: int = setting(32, least=1, most=1437, doc="digits per update, and inputs where the gradient is measured")


FULL = Config(seeds=20, updates=2000, trained=5, train_width=128)


def relu_net(sizes, scale, rng):
    """Return linear layers of these sizes with Var(W) = scale / inputs and without a bias to start with."""
    layers = [nn.Linear(i, o, rng=rng) for i, o in itertools.pairwise(sizes)]
    for layer in layers:
        nn.init.normal_(layer.weight, std=(scale / layer.in_features) ** 0.5, rng=rng)
        nn.init.zeros_(layer.bias)
    return layers


def profile(config, depth, scale, rng):
    """Return ||delta_l||, l = 1 ... depth, of the pre-activations."""
    h = mg.tensor(rng.normal(size=(config.batch, config.width)))
    states = []
    for layer in relu_net([config.width] * (depth + 1), scale, rng):
        h = layer(mg.relu(h) if states else h)
        states.append(h)
    return np.array([norm(g.data) for g in mg.grad(h, states, gradient=rng.normal(size=h.shape))])


@np.errstate(over="ignore", invalid="ignore")               # a net may diverge, at a large learning rate
def train(config, scale, rng):
    """Return the loss at each update, and the share of digits that the net gets right in the end."""
    digits = tasks.digits("train")
    x, y = 2 * digits.x.reshape(len(digits), -1) - 1, digits.y
    layers = relu_net([x.shape[1], *[config.train_width] * max(config.depths), 10], scale, rng)
    net = nn.Sequential(*[part for layer in layers for part in (layer, nn.ReLU())][:-1])
    opt = optim.SGD(net.parameters(), lr=config.lr, hooks=[hooks.NonFinite("propagate")])
    losses = []
    while len(losses) < config.updates:
        chosen = rng.integers(len(x), size=config.batch)
        opt.zero_grad()
        loss = nn.functional.cross_entropy(net(mg.tensor(x[chosen])), y[chosen])
        losses.append(loss.item())
        if not np.isfinite(losses[-1]):
            losses += [np.nan] * (config.updates - len(losses))
            break
        loss.backward()
        opt.step()
    with mg.no_grad():
        right = net(mg.tensor(x)).data.argmax(axis=1) == y
    return losses, float(right.mean())


def run(config, progress=quiet):
    """Measure the gradient at the first layer over that at the last, then train."""
    headline, arrays = {}, {}
    jobs = [(name, depth) for name in STARTS for depth in config.depths] + [(name, None) for name in STARTS]
    for name, depth in progress(jobs, "nets"):
        scale = STARTS[name]
        if depth is not None:
            nets = [profile(config, depth, scale, np.random.default_rng(seed))
                    for seed in range(config.seed, config.seed + config.seeds)]
            logs = np.log([deltas / deltas[-1] for deltas in nets])
            arrays[f"{name}, {depth} layers"] = np.exp(logs)
            headline[f"first / last, {name}, {depth} layers"] = float(np.exp(logs[:, 0].mean()))
        elif config.updates:
            losses, shares = zip(*(train(config, scale, np.random.default_rng(seed))
                                   for seed in range(config.seed, config.seed + config.trained)))
            arrays[f"loss, {name}"] = np.array(losses)
            headline[f"nets that learnt, {name}"] = sum(share > LEARNT for share in shares)
            headline[f"mean share right, {name}"] = float(np.mean(shares))
    return Result(config, headline, arrays)


EXPECTED = (
    *(Expected(f"first / last, {name}, {depth} layers", (scale / 2) ** ((depth - 1) / 2),
               "(n Var(W) / 2)^((L - 1) / 2) (He et al. 2015)", 2.0, "factor")
      for name, scale in STARTS.items() for depth in Config().depths),
    Expected("nets that learnt, Xavier", 0, "He et al. 2015: a net of 30 layers stalls", kind="at most"),
    Expected("nets that learnt, He", Config().trained, "He et al. 2015: it converges", kind="at least"),
)


def answer(result):
    """Return what was found, in a sentence."""
    h, config = result.headline, result.config
    depth = max(config.depths)
    text = (f"From the last of {depth} ReLU layers to the first the gradient changes by "
            f"{h[f'first / last, Xavier, {depth} layers']:.1e} with Xavier's variance, and by "
            f"{h[f'first / last, He, {depth} layers']:.2g} with He's")
    if config.updates:
        text += (f"; of {config.trained} nets each {h['nets that learnt, Xavier']} and {h['nets that learnt, He']} "
                 f"learnt anything")
    return text + "."


def figure(result):
    """Draw the profiles with their predictions, and the losses."""
    from matplotlib.figure import Figure

    a, config = result.arrays, result.config
    depth = max(config.depths)
    colours = {"Xavier": plot.style.VERMILLION, "He": plot.style.BLUE}
    with plot.styled():
        fig = Figure(figsize=(12, 5) if config.updates else (7, 5), layout="constrained")
        left, *right = np.atleast_1d(fig.subplots(1, 2 if config.updates else 1))
        layers = np.arange(1, depth + 1)
        lanes = plot.Lanes(*(a[f"{name}, {depth} layers"] for name in STARTS))
        lanes.dress(left)
        for name, scale in STARTS.items():
            for index, deltas in enumerate(a[f"{name}, {depth} layers"]):
                left.plot(layers, lanes.place(deltas), color=colours[name], lw=1.1,
                          label=f"{name}, Var(W) = {scale:g}/n" if index == 0 else None)
            predicted = 10 ** theory.profile("relu", depth - 1, scale)
            left.plot(layers, lanes.place(predicted), "--", color="black", lw=1.6,
                      label="predicted, (n Var(W) / 2) per layer" if name == "He" else None)
        left.set(xlabel="layer", ylabel="||delta_l|| / ||delta_L||", title=f"The gradient in {depth} layers of ReLU")
        left.legend(loc="lower right")
        for ax in right:
            for name in STARTS:
                for index, losses in enumerate(a[f"loss, {name}"]):
                    ax.plot(smoothed(losses), color=colours[name], label=name if index == 0 else None)
            ax.axhline(np.log(10), ls=":", color="black", label="guessing, ln 10")
            ax.set(xlabel="update", ylabel="loss (mean of 20 updates)", title=f"Training {depth} layers on digits",
                   ylim=(0, 3))
            ax.legend(loc="lower left")
    return fig


def smoothed(values, window=20):
    """Return running means over up to ``window`` values; NaN from where a loss is not finite."""
    total = np.cumsum(np.concatenate([[0.0], np.where(np.isfinite(values), values, np.nan)]))
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(0, ends - window)
    return (total[ends] - total[starts]) / (ends - starts)

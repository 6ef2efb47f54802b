"""How deep can a plain net be and still be trained (Schoenholz and others 2017)?

Two inputs become ever more alike on their way through an ordered net (small weights), and ever less alike, whatever
they were, in a chaotic one (large weights): after some xi_c layers nothing is left of what was given, and nothing of
the gradient either.  Schoenholz and others found that nets learn up to a depth of about

    6 xi_c        xi_c = -1 / ln (sigma_w2 E tanh'(u_1) tanh'(u_2)), at the correlation c* that all inputs end with

Only on the critical line, sigma_w2 = 1.761 for sigma_b2 = 0.05, is it infinite.  Here tanh nets are trained by plain
gradient descent to tell four kinds of digits apart; guessing is right in a quarter of the cases.  Small weights are the
sharper case: beyond 6 xi_c the loss does not move.  Chaotic nets beyond it, and shallow ones with a large learning
rate, can still be lucky with more updates, and near the critical line the budget is the limit, not xi_c.

A separate computation with other data had accuracies of .26, 1.00 and .54 at 60 layers.  How far the chaotic net gets,
just beyond its bound of 54, depends on data, seed and budget; here it is not far.
"""

from dataclasses import dataclass

import numpy as np

import minigrad as mg
from minigrad import nn, optim, plot, tasks, theory
from minigrad.experiments.experiment import Expected, Result, quiet
from minigrad.experiments.mean_field import plain_net
from minigrad.experiments.relu_depth import smoothed
from minigrad.experiments.settings import Settings, setting

QUESTION = "How deep can a net be and still be trained?"
SECONDS = 22

CLASSES, LEARNT = 4, 0.9


@dataclass(frozen=True)
class Config(Settings):
    """What is trained."""

    sigma_w2: tuple = setting((1.0, 1.761, 3.0), least=0.1, most=20, doc="variances of the weights times the width")
    depths: tuple = setting((20, 60), least=2, most=500, doc="hidden layers")
    sigma_b2: float = setting(0.05, least=0, most=10, doc="variance of the biases")
    width: int = setting(128, least=4, most=2000, doc="units per layer")
    updates: int = setting(200, least=1, most=100_000, doc="updates")
    lr: float = setting(0.01, above=0, most=10, doc="learning rate")
    batch: int = setting(32, least=1, most=500, doc="digits per update")
    seed: int = setting(0, least=0, doc="the first seed")
    seeds: int = setting(2, least=1, most=100, doc="nets of each kind")


FULL = Config(sigma_w2=(0.5, 1.0, 1.25, 1.5, 1.761, 2.0, 3.0, 4.0), depths=(5, 10, 20, 40, 80, 120), updates=300,
              seeds=3)


def train(config, sigma_w2, depth, rng):
    """Return the loss at each update, and the share of all digits that the net gets right in the end."""
    digits = tasks.digits("train")
    kept = digits.y < CLASSES
    x, y = digits.x[kept].reshape(kept.sum(), -1), digits.y[kept]
    x = (x - x.mean()) / x.std()
    first, head = nn.Linear(x.shape[1], config.width, rng=rng), nn.Linear(config.width, CLASSES, rng=rng)
    nn.init.normal_(first.weight, std=(sigma_w2 / x.shape[1]) ** 0.5, rng=rng)
    nn.init.normal_(first.bias, std=config.sigma_b2 ** 0.5, rng=rng)
    hidden = [first, *plain_net(config.width, depth - 1, sigma_w2, config.sigma_b2, rng)]
    net = nn.Sequential(*[part for layer in hidden for part in (layer, nn.Tanh())], head)
    opt = optim.SGD(net.parameters(), lr=config.lr)
    losses = []
    for _ in range(config.updates):
        chosen = rng.integers(len(x), size=config.batch)
        opt.zero_grad()
        loss = nn.functional.cross_entropy(net(mg.tensor(x[chosen])), y[chosen])
        loss.backward()
        opt.step()
        losses.append(loss.item())
    with mg.no_grad():
        right = net(mg.tensor(x)).data.argmax(axis=1) == y
    return losses, float(right.mean())


def run(config, progress=quiet):
    """Train nets of each variance and depth."""
    cells = [(index, k) for index in range(len(config.sigma_w2)) for k in range(len(config.depths))]
    shares = np.zeros((len(config.sigma_w2), len(config.depths), config.seeds))
    losses = np.zeros((*shares.shape, config.updates))
    for index, k in progress(cells, "variances and depths"):
        for seed in range(config.seeds):
            losses[index, k, seed], shares[index, k, seed] = train(
                config, config.sigma_w2[index], config.depths[k], np.random.default_rng(config.seed + seed))
    bounds = np.array([theory.mean_field("tanh", s, config.sigma_b2).trainable_depth for s in config.sigma_w2])
    headline = {}
    for index, sigma_w2 in enumerate(config.sigma_w2):
        headline[f"6 xi_c at sigma_w2 = {sigma_w2:g}"] = float(bounds[index])
        for k, depth in enumerate(config.depths):
            name = f"sigma_w2 = {sigma_w2:g}, depth {depth}"
            headline[f"accuracy, {name}"] = float(shares[index, k].mean())
            headline[f"nets that learnt, {name}"] = int((shares[index, k] > LEARNT).sum())
    return Result(config, headline, {
        "sigma_w2": np.array(config.sigma_w2), "depth": np.array(config.depths), "accuracy": shares, "6 xi_c": bounds,
        "loss": losses})


SOURCE = "Schoenholz et al. 2017: 60 layers against 6 xi_c = {}"

EXPECTED = (
    Expected("6 xi_c at sigma_w2 = 1", 22, "a separate computation", 0.5),
    Expected("6 xi_c at sigma_w2 = 3", 54, "a separate computation", 0.5),
    Expected("accuracy, sigma_w2 = 1, depth 60", 0.25, SOURCE.format(22), 0.1),
    Expected("nets that learnt, sigma_w2 = 1.761, depth 60", Config().seeds, SOURCE.format("inf"), kind="at least"),
    Expected("accuracy, sigma_w2 = 3, depth 60", 0.8, SOURCE.format(54), kind="at most"),
    *(Expected(f"accuracy, sigma_w2 = {s:g}, depth 20", 0.8, "20 layers are within 6 xi_c", kind="at least")
      for s in Config().sigma_w2),
)


def answer(result):
    """Return what was found, in a sentence."""
    a, config = result.arrays, result.config
    depth = max(config.depths)
    found = a["accuracy"][:, list(config.depths).index(depth)].mean(axis=1)
    pairs = ", ".join(f"{share:.2f} at {s:g} (6 xi_c {layers(bound)})"
                      for s, share, bound in zip(a["sigma_w2"], found, a["6 xi_c"]))
    return f"About 6 xi_c layers: {depth} layers end with an accuracy of {pairs}; guessing gives 0.25."


def layers(bound):
    """Return a trainable depth in a few words; on the critical line it is infinite, and next to it as good as."""
    return f"= {bound:.0f}" if bound < 10_000 else "> 10000"


def figure(result):
    """Draw the nets in the plane of variance and depth, with 6 xi_c, and the losses at the largest depth."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import FixedLocator, NullLocator

    a, config = result.arrays, result.config
    with plot.styled():
        fig = Figure(figsize=(12, 5.2), layout="constrained")
        left, right = fig.subplots(1, 2)
        top, low, high = 2 * max(config.depths), min(a["sigma_w2"]) * 0.7, max(a["sigma_w2"]) * 1.15
        line = np.unique(np.concatenate([np.linspace(low, high, 60), a["sigma_w2"]]))
        bound = np.array([theory.mean_field("tanh", s, config.sigma_b2).trainable_depth for s in line])
        left.plot(line, np.minimum(bound, 1e6), "--", color="black", lw=2, label="predicted: 6 xi_c layers")
        w, d = np.meshgrid(a["sigma_w2"], a["depth"], indexing="ij")
        dots = left.scatter(w, d, c=a["accuracy"].mean(axis=2), s=260, vmin=1 / CLASSES, vmax=1, edgecolor="black",
                            linewidth=0.8, zorder=3)
        bar = fig.colorbar(dots, ax=left, ticks=[0.25, 0.5, 0.75, 1.0])
        bar.set_label("accuracy (0.25: guessing)")
        left.set_yscale("log")
        left.yaxis.set_major_locator(FixedLocator(sorted({5, 10, 20, 50, 100, 200, *config.depths})))
        left.yaxis.set_minor_locator(NullLocator())
        left.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        left.set(xlabel="sigma_w²", ylabel="layers", xlim=(low, high), ylim=(min(config.depths) / 2, top),
                 title="A net can be trained below the dashed line")
        left.legend(loc="lower right")
        depth = list(config.depths).index(max(config.depths))
        colours = (plot.style.BLUE, plot.style.GREEN, plot.style.VERMILLION, plot.style.PURPLE, plot.style.ORANGE,
                   plot.style.SKY)
        for index, (sigma_w2, xi) in enumerate(zip(a["sigma_w2"], a["6 xi_c"])):
            for seed, losses in enumerate(a["loss"][index, depth]):
                label = f"sigma_w² = {sigma_w2:g}, 6 xi_c {layers(xi)}"
                right.plot(smoothed(losses), color=colours[index % 6], lw=2 if index == 0 else None,
                           label=None if seed else label, zorder=3 if index == 0 else 2)
        right.axhline(np.log(CLASSES), ls=":", color="black", label=f"guessing, ln {CLASSES}")
        right.set(xlabel="update", ylabel="loss (mean of 20 updates)", ylim=(0, 2.6),
                  title=f"Training {max(config.depths)} layers of tanh")
        right.legend(loc="upper right", fontsize=10)
    return fig

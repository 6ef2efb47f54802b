"""Does clipping do anything to a convolutional net on images?

A small net of a kind that many tutorials of gradient clipping use: two convolutions of 3 x 3 with 32 and 64 channels,
ReLU, average pooling, two linear layers; its first linear layer takes 64 * 6 * 6 numbers, which fits images of 16 x 16.
It learns minigrad's digits, enlarged to that size, by SGD in float32, without clipping and with two thresholds, from
the same weights and on the same batches.

What to expect: it trains in each case, for nothing explodes in a net of four layers.  What differs is the trace.  Near
the start, where the norm has its peaks, the clipped runs are even a little ahead.  A threshold of 3 takes off these
peaks, some steps in a hundred, and is not felt afterwards; one of 1 acts on most steps, as a smaller learning rate
would, and leaves the net where losses and norms are larger.  The number of parameters is the
same with clipping and without: clipping changes steps, not nets.
"""

import math
from dataclasses import dataclass

import numpy as np

import minigrad as mg
from minigrad import NormTrace, hooks, nn, optim, plot, tasks
from minigrad.experiments.experiment import Expected, Result, quiet
from minigrad.experiments.settings import Settings, setting
from minigrad.nn import functional as F

QUESTION = "Does clipping do anything to a convolutional net?"
SECONDS = 35

SIDE = 16
COLOURS = [plot.style.BLUE, plot.style.GREEN, plot.style.PURPLE, plot.style.ORANGE, plot.style.SKY, plot.style.BLACK]


@dataclass(frozen=True)
class Config(Settings):
    """What is run."""

    clips: tuple = setting((math.inf, 3.0, 1.0), above=0, may_be_inf=True, doc="thresholds; none for no clipping")
    lr: float = setting(0.3, above=0, most=100, doc="learning rate")
    updates: int = setting(400, least=1, most=10 ** 6, doc="updates")
    batch: int = setting(32, least=1, most=1437, doc="images per update")
    seed: int = setting(0, least=0, doc="the first seed")
    seeds: int = setting(2, least=1, most=100, doc="runs at each threshold")


FULL = Config(updates=1000, seeds=6)


class ConvNet(nn.Module):
    """The net; it gives log-probabilities (N, 10) for images (N, 1, 16, 16)."""

    def __init__(self, rng, dtype="float32"):
        self.conv1 = nn.Conv2d(1, 32, 3, dtype=dtype, rng=rng)
        self.conv2 = nn.Conv2d(32, 64, 3, dtype=dtype, rng=rng)
        self.fc1 = nn.Linear(64 * 6 * 6, 128, dtype=dtype, rng=rng)
        self.fc2 = nn.Linear(128, 10, dtype=dtype, rng=rng)

    def forward(self, x):
        x = F.relu(self.conv2(F.relu(self.conv1(x))))
        x = F.avg_pool2d(x, 2).flatten(1)
        return F.log_softmax(self.fc2(F.relu(self.fc1(x))), dim=1)


def train(config, seed, clip):
    """Train one net; return (accuracy on the test part, losses, norms before the clip, norms after it, parameters)."""
    rng, trace = np.random.default_rng(seed), NormTrace()
    learnt, test = (tasks.digits(part, size=SIDE, batch=config.batch, dtype="float32") for part in ("train", "test"))
    net, losses = ConvNet(rng), []
    opt = optim.SGD(net.parameters(), config.lr, hooks=[hooks.ClipNorm(clip)], trace=trace)
    with np.errstate(all="ignore"):                 # with a large lr a run is thrown out, and is to go on to its end
        for _ in range(config.updates):
            x, y = learnt.sample(rng)
            loss = F.nll_loss(net(x), y)
            opt.zero_grad()
            loss.backward()
            opt.step(loss=loss)
            losses.append(loss.item())
        with mg.no_grad():
            right = float((net(test.x).argmax(axis=1).data == test.y).mean())
    size = sum(p.size for p in net.parameters())
    return right, losses, trace.column("norm_in", stage=0), trace.column("norm_out", hook="ClipNorm"), size


def called(clip):
    """Return the words for a threshold."""
    return f"clipped at {clip:g}" if math.isfinite(clip) else "no clipping"


def run(config, progress=quiet):
    """Train without clipping and with it, seed by seed."""
    found = {clip: [] for clip in config.clips}
    for seed in progress(range(config.seed, config.seed + config.seeds), "seeds"):
        for clip, runs in found.items():
            runs.append(train(config, seed, clip))
    headline, arrays = {"runs of each": config.seeds}, {"clip": np.array(config.clips)}
    for clip, runs in found.items():
        name, (rights, losses, before, after, sizes) = called(clip), map(np.array, zip(*runs))
        headline[f"accuracy, {name}"] = float(rights.mean())
        headline[f"largest norm before, {name}"] = float(before.max())
        headline[f"largest norm after, {name}"] = float(after.max())
        headline[f"median norm before, {name}"] = float(np.median(before))
        headline[f"share of updates clipped, {name}"] = float((before > clip).mean())
        headline[f"parameters, {name}"] = int(sizes[0])
        arrays.update({f"accuracy, {name}": rights, f"loss, {name}": losses, f"before, {name}": before,
                       f"after, {name}": after})
    return Result(config, headline, arrays)


SIZE = 32 * 9 + 32 + 64 * 32 * 9 + 64 + 128 * 64 * 36 + 128 + 10 * 128 + 10
EXPECTED = (
    *(Expected(f"accuracy, {called(clip)}", 0.9, "mean over seeds; it trains with and without", kind="at least")
      for clip in (math.inf, 3.0)),
    *(Expected(f"largest norm after, {called(clip)}", clip, "the threshold", 1e-5, "relative") for clip in (3.0, 1.0)),
    Expected(f"largest norm before, {called(math.inf)}", 3, "peaks above the threshold", kind="at least"),
    *(Expected(f"parameters, {called(clip)}", SIZE, "weights and biases of the four layers")
      for clip in Config().clips),
)


def answer(result):
    """Return what was found, in a sentence."""
    h = result.headline
    parts = [f"{called(clip)}: {h[f'accuracy, {called(clip)}']:.1%}"
             + (f" (it acts on {h[f'share of updates clipped, {called(clip)}']:.0%} of the steps)"
                if math.isfinite(clip) else "") for clip in result.config.clips]
    return f"Little: accuracy on digits not seen is, {'; '.join(parts)}."


def figure(result):
    """Draw the norms of the first seed, the losses, and the accuracies."""
    from matplotlib.figure import Figure

    a, config = result.arrays, result.config
    with plot.styled():
        fig = Figure(figsize=(13.5, 4.8), layout="constrained")
        left, middle, right = fig.subplots(1, 3, width_ratios=(1.3, 1.1, 0.8))
        lanes = plot.Lanes(*(a[f"before, {called(clip)}"][0] for clip in config.clips))
        lanes.dress(left)
        for index, clip in enumerate(config.clips):
            name, colour = called(clip), COLOURS[index % len(COLOURS)]
            left.plot(lanes.place(a[f"before, {name}"][0]), color=colour, lw=1, alpha=0.85, zorder=3 - 0.1 * index)
            if math.isfinite(clip):
                left.axhline(clip, ls=":", color=colour, lw=2, zorder=5)
            losses = a[f"loss, {name}"].mean(axis=0)
            width = max(1, len(losses) // 40)
            blocks = losses[:len(losses) // width * width].reshape(-1, width).mean(axis=1)
            middle.plot(width * (np.arange(len(blocks)) + 0.5), blocks, color=colour, lw=2, label=name)
            rights = a[f"accuracy, {name}"]
            right.bar(index, rights.mean(), color=colour, width=0.65)
            right.plot([index] * len(rights), rights, "o", color="black", ms=5, mfc="white", zorder=4)
            right.annotate(f"{rights.mean():.1%}", (index, max(rights.max(), rights.mean())), xytext=(0, 7),
                           textcoords="offset points", ha="center", fontsize=13)
        left.set(xlabel="update", ylabel="gradient norm",
                 title=f"Norm before clipping, seed {config.seed}; dotted: thresholds")
        middle.axhline(math.log(10), ls="--", color="black", lw=1.1, label="guessing: ln 10")
        middle.set(xlabel="update", ylabel="loss", title="Training loss, mean of the seeds", ylim=(0, None))
        middle.legend(loc="upper right", frameon=True)
        right.set_xticks(range(len(config.clips)), [called(clip).replace(" ", "\n", 1) for clip in config.clips])
        right.set(ylim=(0, 1.12), yticks=np.linspace(0, 1, 5), ylabel="accuracy", title="Digits not seen")
        right.grid(False, axis="x")
    return fig

"""Diseases and remedies: which remedy cures which disease, by runs.

Six diseases, each with a net that has it and plain SGD that does not get on; each remedy that can be applied is applied
alone, all else equal, over the same seeds, and the seeds that get well are counted.

* *depth, exploding* and *depth, vanishing*: 30 tanh layers of 32 on handwritten digits, weights with sigma_w^2 = 9 and
  0.5, so that delta grows or shrinks by a fixed factor per layer (mean field).  Well: more than 0.4 of the test
  right (guessing: 0.1).
* *time, exploding*: a tanh RNN on the temporal order of 20 symbols at lr 0.1, where learning passes through a state in
  which the gradient explodes.  Well: less than 5 % wrong.
* *time, vanishing*: the first of 20 symbols must be named at the end, after 19 blanks; the recurrent matrix begins with
  spectral radius 0.3, so that nothing of the first symbol's gradient is left.  Well: more than 0.9 right (guessing:
  0.25).  The gates of the LSTM and GRU begin open (bias 5), or they would forget as fast.
* *cliff*: gradient descent at the wall of Pascanu's one-unit net.  Well: E < 0.01 at the end.
* *float16*: 100 tanh layers computed in float16; chi_1 = 0.76.  Well: less than 1 % of the weight gradients are 0.

The remedies act where they can: a clip, accumulation and Adam change the step, and leave the ratio of the layers'
gradients as it is; initialisation, LayerNorm, skips and gates change how the gradient flows.  Whether a net gets well
is a matter of learning rate, threshold and budget too; they are the same in each row (thresholds: of a size that suits
the row), but for LayerNorm in depth: there the scale of the weights acts on the learning rate alone, and the better of
0.05 and 0.003 counts.  An LSTM or GRU that is not well has not learned within the budget.
"""

from dataclasses import dataclass

import numpy as np

import minigrad as mg
from minigrad import hooks, nn, optim, penalty, plot, tasks
from minigrad.experiments.cliff import loss as cliff_loss
from minigrad.experiments.experiment import Expected, Result, quiet
from minigrad.experiments.settings import Settings, setting
from minigrad.nn import functional as F

QUESTION = "Which remedy cures which disease?"
SECONDS = 45

REMEDIES = ("none", "clip norm", "clip value", "AGC", "accumulate", "Omega", "initialisation", "LayerNorm", "residual",
            "LSTM", "GRU", "Adam", "loss scaling")
CANNOT = -1.0
"""Stands in the table where a remedy cannot be applied."""


@dataclass(frozen=True)
class Config(Settings):
    """What is run."""

    seed: int = setting(0, least=0, doc="the first seed")
    seeds: int = setting(1, least=1, most=50, doc="runs of each kind")
    updates: int = setting(300, least=1, most=100_000, doc="updates in depth; twice as many in time")
    depth: int = setting(30, least=2, most=200, doc="layers of the deep nets")
    length: int = setting(20, least=5, most=500, doc="symbols that the vanishing RNN reads")


FULL = Config(seeds=6)


def pipeline(remedy, limits=(1.0, 0.01, 0.01)):
    """Return the hooks that a remedy consists of, with thresholds for the norm, the value, and AGC."""
    norm, value, share = limits
    return {"clip norm": [hooks.ClipNorm(norm)], "clip value": [hooks.ClipValue(value)], "AGC": [hooks.AGC(share)],
            "accumulate": [hooks.Accumulate(2)]}.get(remedy, [])


IN_TIME, AT_THE_CLIFF = (1.0, 0.03, 0.1), (1.0, 1.0, 0.1)
"""Thresholds that suit the size of the gradient there: a clip by value at 0.01 would let no run at the cliff arrive."""


def optimizer(remedy, params, lr, limits=(1.0, 0.01, 0.01)):
    """Return SGD with what the remedy adds to it, or puts in its place."""
    stages = [hooks.NonFinite("skip"), *pipeline(remedy, limits)]
    if remedy == "Adam":
        return optim.Adam(params, 0.003, hooks=stages)
    return optim.SGD(params, lr, hooks=stages)


# -------------------------------------------------------------------------------------------------- in depth

def deep_net(sizes, variance, remedy, rng, dtype=float):
    """Return tanh layers with sigma_w^2 = variance, or as the remedy has them."""
    ins, width, outs, depth = sizes
    variance = 1.0 if remedy == "initialisation" else variance

    def layer(ins, outs):
        linear = nn.Linear(ins, outs, rng=rng)
        nn.init.normal_(linear.weight, std=(variance / ins) ** 0.5, rng=rng)
        nn.init.zeros_(linear.bias)
        return linear

    def block():
        norm = [nn.LayerNorm(width)] if remedy == "LayerNorm" else []
        inside = [layer(width, width), *norm, nn.Tanh()]
        return [nn.Residual(*inside)] if remedy == "residual" else inside

    hidden = [part for _ in range(depth - 1) for part in block()]
    return nn.Sequential(layer(ins, width), nn.Tanh(), *hidden, nn.Linear(width, outs, rng=rng)).to(dtype)


def train_deep(config, variance, remedy, seed):
    """Return the share of test digits that are right after training."""
    # LayerNorm takes the scale of the weights out of the net, and into the learning rate: small weights make it large.
    rates = (0.05, 0.003) if remedy == "LayerNorm" else (0.05,)
    return max(learn_digits(config, variance, remedy, lr, seed) for lr in rates)


def learn_digits(config, variance, remedy, lr, seed):
    """Return the same for one learning rate."""
    rng = np.random.default_rng(seed)
    train, test = tasks.digits("train"), tasks.digits("test")
    net = deep_net((64, 32, 10, config.depth), variance, remedy, rng)
    opt = optimizer(remedy, net.parameters(), lr)
    for _ in range(config.updates * (2 if remedy == "accumulate" else 1)):          # as many updates as the others
        x, y = train.sample(rng, 32)
        opt.zero_grad()
        F.cross_entropy(net(x.reshape(len(x), -1)), y).backward()
        opt.step()
    with mg.no_grad():
        return float((net(test.x.reshape(len(test), -1)).data.argmax(axis=1) == test.y).mean())


# --------------------------------------------------------------------------------------------------- in time

class Reader(nn.Module):
    """A recurrent layer, and a linear one on its last state; the recurrent matrix has a spectral radius."""

    def __init__(self, task, hidden, radius, remedy, rng):
        kind = {"LSTM": nn.LSTM, "GRU": nn.GRU}.get(remedy, nn.RNN)
        self.rnn = kind(task.inputs, hidden, rng=rng)
        self.out = nn.Linear(hidden, task.outputs, rng=rng)
        for bias in (self.rnn.bias_ih_l0, self.rnn.bias_hh_l0):         # a constant drive would saturate the units
            nn.init.zeros_(bias)
        if kind is nn.RNN:
            nn.init.spectral_radius_(self.rnn.weight_hh_l0, radius, rng)
            if remedy == "initialisation":
                nn.init.orthogonal_(self.rnn.weight_hh_l0, rng=rng)
        else:                       # gates that begin open, as T asks for (Gers and others 2000): f, or z of a GRU
            bias = self.rnn.bias_ih_l0.data.copy()
            bias[hidden:2 * hidden] = 5.0
            self.rnn.bias_ih_l0.data = bias

    def forward(self, x):
        """Return logits (N, classes) for x (T, N, inputs)."""
        return self.out(self.rnn(x)[0][-1])


class First(tasks.Task):
    """Name the first of T symbols; what comes after it is nothing."""

    name, inputs, outputs, baseline = "the first symbol", 4, 4, np.log(4)

    def __init__(self, length):
        super().__init__(32)
        self.length = length

    def draw(self, rng, batch):
        """Return x (T, B, 4), one-hot at first and then 0, and y (B,)."""
        y = rng.integers(0, 4, size=batch)
        x = np.zeros((self.length, batch, 4))
        x[0] = np.eye(4)[y]
        return x, y


def train_reader(config, task, radius, lr, remedy, seed):
    """Return the share of 500 fresh sequences that are right after training."""
    rng = np.random.default_rng(seed)
    net = Reader(task, 50, radius, remedy, rng)
    opt = optimizer(remedy, net.parameters(), lr, IN_TIME)
    omega = penalty.Omega(net.rnn, 2.0, squared=True, mean=True, floor=1e-20) if remedy == "Omega" else None
    fresh, best = task.sample(np.random.default_rng(10 ** 6 + seed), 500), 0.0
    for update in range(1, 2 * config.updates * (2 if remedy == "accumulate" else 1) + 1):
        x, y = task.sample(rng)
        opt.zero_grad()
        F.cross_entropy(net(x), y).backward()
        if omega is not None:
            omega.add_gradient()
        opt.step()
        if update % 100 == 0:
            with mg.no_grad():
                best = float((net(fresh[0]).data.argmax(axis=1) == fresh[1]).mean())
            if best > 0.98:                             # it has learned; more updates would only take time
                break
    return best


# ---------------------------------------------------------------------------------------- cliff, and float16

def descend(remedy, seed):
    """Return E after the descent from near the wall; the seed moves the start a little."""
    rng = np.random.default_rng(seed)
    place = mg.tensor(np.array([5.5, -2.85]) + 0.02 * rng.normal(size=2), requires_grad=True)
    opt = optimizer(remedy, [place], 0.02, AT_THE_CLIFF)
    for _ in range(1500):
        opt.zero_grad()
        error = cliff_loss(place[0], place[1], 50)[0]
        error.backward()
        opt.step()
    return cliff_loss(place.data[0], place.data[1], 50)[0].item()


def zeros_in_half(remedy, seed):
    """Return the share of weight gradients that are exactly 0 where all is computed in float16."""
    rng = np.random.default_rng(seed)
    net = deep_net((64, 64, 10, 100), 1.0, remedy, rng)
    variance = 1.76 if remedy == "initialisation" else 1.0
    for module in net.modules():
        if isinstance(module, nn.Linear) and module.weight.shape == (64, 64):
            nn.init.normal_(module.weight, std=(variance / 64) ** 0.5, rng=rng)
            nn.init.normal_(module.bias, std=0.05 ** 0.5, rng=rng)
    net = net.to("float16")
    scaler = hooks.LossScaler(2.0 ** 16 if remedy == "loss scaling" else 1.0)
    loss = F.cross_entropy(net(mg.tensor(rng.normal(size=(32, 64))).astype("float16")).astype("float32"),
                           rng.integers(0, 10, size=32))
    (scaler.scale(loss)).backward()
    # What a hook makes of a 0 is a 0; the remedies that only act on the step are run all the same.
    grads = {name: p.grad.data for name, p in net.named_parameters()}
    params = {name: p.data for name, p in net.named_parameters()}
    if pipeline(remedy) and remedy != "accumulate":
        grads = hooks.apply_hooks(pipeline(remedy), grads, params=params)
    weights = [g for g in grads.values() if g.ndim == 2]
    return float(sum((g == 0).sum() for g in weights) / sum(g.size for g in weights))


# ------------------------------------------------------------------------------------------------- the table

STEP = ("none", "clip norm", "clip value", "AGC", "accumulate", "Adam")
DISEASES = {
    "depth, exploding": ((*STEP, "initialisation", "LayerNorm", "residual"),
                         lambda c, r, s: train_deep(c, 9.0, r, s), lambda score: score > 0.4),
    "depth, vanishing": ((*STEP, "initialisation", "LayerNorm", "residual"),
                         lambda c, r, s: train_deep(c, 0.5, r, s), lambda score: score > 0.4),
    "time, exploding": ((*STEP, "Omega", "LSTM", "GRU"),
                        lambda c, r, s: train_reader(c, tasks.TemporalOrder(20), 0.95, 0.1, r, s),
                        lambda score: score > 0.95),
    "time, vanishing": ((*STEP, "initialisation", "Omega", "LSTM", "GRU"),
                        lambda c, r, s: train_reader(c, First(c.length), 0.3, 0.05, r, s), lambda score: score > 0.9),
    "cliff": (STEP, lambda c, r, s: descend(r, s), lambda error: error < 0.01),
    "float16": (("none", "clip norm", "clip value", "AGC", "initialisation", "LayerNorm", "residual", "loss scaling"),
                lambda c, r, s: zeros_in_half(r, s), lambda share: share < 0.01),
}


def run(config, progress=quiet):
    """Try each remedy on each disease, with all seeds."""
    well = np.full((len(DISEASES), len(REMEDIES)), CANNOT)
    scores = np.full((*well.shape, config.seeds), np.nan)
    todo = [(row, name, remedy, seed) for row, (name, (able, _, _)) in enumerate(DISEASES.items())
            for remedy in able for seed in range(config.seeds)]
    with np.errstate(all="ignore"):             # an explosion computes with inf and NaN: that is the measurement
        for row, name, remedy, seed in progress(todo, "runs"):
            scores[row, REMEDIES.index(remedy), seed] = DISEASES[name][1](config, remedy, config.seed + seed)
    headline = {}
    for row, (name, (able, _, is_well)) in enumerate(DISEASES.items()):
        for remedy in able:
            column = REMEDIES.index(remedy)
            well[row, column] = np.mean([is_well(score) for score in scores[row, column]])
            headline[f"{name}: {remedy}"] = float(well[row, column])
    return Result(config, headline, {"well": well, "scores": scores})


NEVER, OFTEN = {"value": 0.0, "kind": "at most"}, {"value": 0.5, "kind": "at least"}
EXPECTED = (
    *(Expected(f"{name}: none", 0.5 if name == "time, exploding" else 0.0, "it is ill; by luck a run in time may learn",
               kind="at most") for name in DISEASES),
    *(Expected(f"depth, {way}: {remedy}", source="one factor on all layers (arithmetic)", **NEVER)
      for way in ("exploding", "vanishing") for remedy in ("clip norm", "accumulate")),
    *(Expected(f"depth, {way}: {remedy}", source="chi_1 near 1 (Schoenholz and others 2017)", **OFTEN)
      for way in ("exploding", "vanishing") for remedy in ("initialisation", "residual")),
    Expected("time, exploding: clip norm", source="Pascanu, Mikolov, Bengio 2013", **OFTEN),
    Expected("time, exploding: Omega", source="Pascanu, Mikolov, Bengio 2013", **OFTEN),
    Expected("time, vanishing: clip norm", source="a clip lengthens nothing", **NEVER),
    Expected("time, vanishing: initialisation", source="orthogonal W keeps lengths (Saxe and others 2014)", **OFTEN),
    Expected("cliff: clip norm", source="Pascanu, Mikolov, Bengio 2013", **OFTEN),
    Expected("float16: loss scaling", source="Micikevicius and others 2018", **OFTEN),
)


def answer(result):
    """Return what was found, in a sentence."""
    cures = {name: [remedy for remedy in DISEASES[name][0]
                    if result.headline[f"{name}: {remedy}"] > 0.5 + 0.5 * result.headline[f"{name}: none"]]
             for name in DISEASES}
    return "; ".join(f"{name}: {', '.join(found) or 'nothing'}" for name, found in cures.items()) + "."


def figure(result):
    """Draw the table: the share of seeds that get well."""
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.figure import Figure

    well = result.arrays["well"]
    with plot.styled():
        fig = Figure(figsize=(12.5, 5), layout="constrained")
        ax = fig.subplots()
        shown = np.ma.masked_equal(well, CANNOT)
        # pale, so that black text is read on all of them; orange against blue, which all eyes can tell apart
        colours = LinearSegmentedColormap.from_list("well", ["#f0a878", "#f8f3dc", "#8fc3e8"])
        ax.imshow(shown, cmap=colours, vmin=0, vmax=1, aspect="auto")
        for row, column in np.ndindex(*well.shape):
            value = well[row, column]
            text = "-" if value == CANNOT else f"{value * result.config.seeds:.0f}/{result.config.seeds}"
            ax.text(column, row, text, ha="center", va="center", fontsize=13,
                    color=plot.style.GREY if value == CANNOT else "black")
        ax.set_xticks(range(len(REMEDIES)), REMEDIES, rotation=35, ha="right")
        ax.set_yticks(range(len(DISEASES)), DISEASES)
        ax.grid(False)
        ax.set_title("Seeds that get well: disease by remedy (blue: cured, orange: not; -: cannot be applied)")
    return fig

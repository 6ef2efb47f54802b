"""What do LayerNorm, BatchNorm, skip connections and gates do to the profile of the gradient?

All is measured before training, of ln ||dL/dh_l||^2 per layer on the way back, in the same deep tanh nets: plain, with
the normalisation between the linear layer and tanh, with a skip connection around both, and with LayerNorm inside it.
All is predicted; LayerNorm and BatchNorm with u ~ N(0, 1), as the normalised pre-activations are, whatever the
weights:

    LayerNorm     sigma_w2 E tanh'(u)^2 / (sigma_w2 E tanh(u)^2 + sigma_b2)       Ba, Kiros, Hinton 2016
    BatchNorm     E phi'(u)^2 / Var phi(u), for large batches                      Yang and others 2019
    residual      as in ``residual``, without V
    pre-norm      1 + sigma_w2 E tanh'(v)^2 / q_l, q_l = 1 + l E tanh(v)^2, v ~ N(0, sigma_w2 + sigma_b2)

LayerNorm nearly levels the profile, at all weights.  BatchNorm does not: it takes away the bias and what all inputs
have in common (as the mean of relu), and scales up what is left, and the gradient with it.  So it cures vanishing by a
mild explosion, the same at all weights, also in a net that was level without it: .16 per layer for tanh, ln(pi / (pi -
1)) = .38 for ReLU.  (So it is for large batches; at 128 inputs of 200 units it is right to .02, at 16 the growth is
.05 to .09 more.)  Pre-norm is the gentlest; its growth is that of a logarithm.

Through time the same is asked of gates: ln ||dL/dc_t|| per step of an LSTM, ln ||dL/dh_t|| of a GRU and of a tanh RNN,
all with PyTorch's initial weights.  What a gate keeps is sigma(b), b its bias; ln sigma(b) would be the rate if gates
had a bias alone.  Their weights let more through: units differ, and the gradient finds the ones that keep most; and it
also takes the way through the candidates.  (The RNN's own rate scatters by .03 from one 128 x 128 matrix to the next.)
A forget bias of 1 (Gers and others 2000; Jozefowicz and others 2015) makes the LSTM forget in e-folds of 6 steps
rather than 2, and it takes a larger one for 100 steps.
"""

from dataclasses import dataclass

import numpy as np

import minigrad as mg
from minigrad import nn, plot, theory
from minigrad.experiments.experiment import Expected, Result, quiet
from minigrad.experiments.mean_field import slope
from minigrad.experiments.settings import Settings, setting
from minigrad.norms import norm, unit_norms

QUESTION = "What do LayerNorm, BatchNorm and gates do to the profile?"
SECONDS = 8

KINDS = ("plain", "LayerNorm", "BatchNorm", "residual", "pre-norm")
GATED = ("LSTM", "GRU")
ACTIVATIONS = {"tanh": nn.Tanh, "relu": nn.ReLU}


@dataclass(frozen=True)
class Config(Settings):
    """What is measured."""

    sigma_w2: tuple = setting((0.5, 1.0, 1.761, 3.0), least=0.1, most=20,
                              doc="variances of the weights times the width")
    sigma_b2: float = setting(0.05, least=0, most=10, doc="variance of the biases")
    width: int = setting(200, least=8, most=2000, doc="units per layer")
    depth: int = setting(50, least=20, most=500, doc="layers")
    batch: int = setting(128, least=4, most=2000, doc="inputs")
    hidden: int = setting(128, least=8, most=1000, doc="units of the recurrent nets")
    steps: int = setting(100, least=20, most=300, doc="steps through time")
    forget_bias: tuple = setting((0.0, 1.0, 3.0), least=-2, most=20, doc="biases of the gates that keep")
    seed: int = setting(0, least=0, doc="the first seed")
    seeds: int = setting(2, least=1, most=100, doc="nets of each kind")


FULL = Config(seeds=10, width=300, batch=300)


def layer_of(kind, act, width, sigma_w2, sigma_b2, rng):
    """Return one layer of a net."""
    linear = nn.Linear(width, width, rng=rng)
    nn.init.normal_(linear.weight, std=(sigma_w2 / width) ** 0.5, rng=rng)
    nn.init.normal_(linear.bias, std=sigma_b2 ** 0.5, rng=rng)
    act = ACTIVATIONS[act]()
    if kind == "LayerNorm":
        return nn.Sequential(linear, nn.LayerNorm(width), act)
    if kind == "BatchNorm":
        return nn.Sequential(linear, nn.BatchNorm1d(width), act)
    if kind == "residual":
        return nn.Residual(linear, act)
    if kind == "pre-norm":
        return nn.Residual(nn.LayerNorm(width), linear, act)
    return nn.Sequential(linear, act)


def deep_profile(config, kind, act, sigma_w2, rng):
    """Return ln ||dL/dh_l||^2 / ||dL/dh_L||^2, l = 0 ... depth, h_l the output of layer l."""
    h = mg.tensor(rng.normal(size=(config.batch, config.width)), requires_grad=True)
    states = [h]
    for _ in range(config.depth):
        h = layer_of(kind, act, config.width, sigma_w2, config.sigma_b2, rng)(h)
        states.append(h)
    logs = np.array([2 * np.log(norm(g.data)) for g in mg.grad(h, states, gradient=rng.normal(size=h.shape))])
    return logs - logs[-1]


def predicted(kind, act, depth, sigma_w2, sigma_b2):
    """Return what theory has for :func:`deep_profile`."""
    back = np.arange(depth, -1, -1)
    if kind in ("plain", "residual"):
        residual = kind == "residual"
        found = theory.profile(act, depth, sigma_w2, sigma_b2, residual=residual, at="h" if residual else "a")
        return 2 * np.log(10) * found
    if kind == "pre-norm":
        inside = sigma_w2 + sigma_b2
        stream = 1 + np.arange(depth) * theory.length_map(act, inside, 1.0)
        gains = np.log1p(theory.chi_at(act, inside, sigma_w2) / stream)
        return np.concatenate([np.cumsum(gains[::-1])[::-1], [0.0]])
    if kind == "LayerNorm":
        return back * np.log(theory.chi_at(act, 1.0, sigma_w2) / theory.length_map(act, 1.0, sigma_w2, sigma_b2))
    spread = theory.length_map(act, 1.0, 1.0) * (1 - theory.correlation_map(act, 0.0, 1.0, q=1.0))
    return back * np.log(theory.chi_at(act, 1.0, 1.0) / spread)


def time_profile(config, kind, bias, rng, scale=1.0):
    """Return ln ||dL/ds_t||, t = 0 ... steps, averaged over sequences; s is c of an LSTM, h of the others.

    The initial weights are multiplied by ``scale``.
    """
    inputs, size, batch = config.hidden // 4, config.hidden, 16
    cell = {"RNN": nn.RNNCell, "LSTM": nn.LSTMCell, "GRU": nn.GRUCell}[kind](inputs, size, rng=rng)
    for p in (cell.weight_ih, cell.weight_hh):
        p.data = scale * p.data
    if kind in GATED:                            # the second of the gates, f of an LSTM and z of a GRU, is what keeps
        for p, value in ((cell.bias_ih, 0.0), (cell.bias_hh, bias)):
            p.data = np.concatenate([p.data[:size], np.full(size, value), p.data[2 * size:]])
    state = mg.tensor(np.zeros((batch, size)), requires_grad=True)
    state = (state, mg.tensor(np.zeros((batch, size)), requires_grad=True)) if kind == "LSTM" else state
    states = []
    for x in rng.normal(size=(config.steps + 21, batch, inputs)):               # in the first 20 the states settle
        state = cell(mg.tensor(x), state)
        states.append(state[1] if kind == "LSTM" else state)
    last = state[0] if kind == "LSTM" else state
    found = mg.grad(last, states[20:], gradient=rng.normal(size=last.shape))
    return np.array([np.log(unit_norms(g.data)).mean() for g in found])


def run(config, progress=quiet):
    """Measure deep nets of each kind, and recurrent ones."""
    headline, arrays = {}, {}
    seeds = range(config.seed, config.seed + config.seeds)
    jobs = [(kind, "tanh", s) for kind in KINDS for s in config.sigma_w2]
    jobs += [(kind, "relu", 2.0) for kind in ("plain", "LayerNorm", "BatchNorm")]
    for kind, act, sigma_w2 in progress(jobs, "deep nets"):
        nets = [deep_profile(config, kind, act, sigma_w2, np.random.default_rng(seed)) for seed in seeds]
        expected = predicted(kind, act, config.depth, sigma_w2, config.sigma_b2)
        name = f"{kind}, {act}, sigma_w2 = {sigma_w2:g}"
        arrays |= {name: np.mean(nets, axis=0), f"{name}: predicted": expected}
        headline[f"slope, {name}"] = slope(np.mean(nets, axis=0))
        headline[f"slope - predicted, {name}"] = slope(np.mean(nets, axis=0)) - slope(expected)
    cells = [("RNN", 0.0), *((kind, bias) for kind in GATED for bias in config.forget_bias)]
    for kind, bias in progress(cells, "recurrent nets"):
        nets = [time_profile(config, kind, bias, np.random.default_rng(seed)) for seed in seeds]
        name = kind if kind == "RNN" else f"{kind}, bias {bias:g}"
        arrays[name] = np.mean(nets, axis=0) - np.mean(nets, axis=0)[-1]
        headline[f"rate, {name}"] = slope(arrays[name])
        if kind == "RNN":
            # PyTorch's U[-1/sqrt n, 1/sqrt n] has the variance 1/(3n), in both weights and both biases.
            size = config.hidden
            law = theory.driven_rnn("tanh", 1 / 3, (size // 4) / (3 * size), 2 / (3 * size))
            headline["rate - mean field, RNN"] = headline["rate, RNN"] - law.rate
        else:
            headline[f"rate - ln sigma(bias), {name}"] = headline[f"rate, {name}"] + float(np.logaddexp(0, -bias))
    return Result(config, headline, arrays)


EXPECTED = (
    *(Expected(f"slope - predicted, {kind}, tanh, sigma_w2 = {s:g}", 0.0, source, 0.04)
      for kind, source in (("plain", "mean field (Schoenholz et al. 2017)"), ("LayerNorm", "mean field at q = 1"),
                           ("BatchNorm", "Yang et al. 2019"), ("residual", "Yang, Schoenholz 2017"),
                           ("pre-norm", "the formula above"))
      for s in Config().sigma_w2),
    Expected("slope, BatchNorm, relu, sigma_w2 = 2", float(np.log(np.pi / (np.pi - 1))), "ln(pi / (pi - 1)) "
             "(Yang et al. 2019)", 0.04),
    Expected("slope, LayerNorm, relu, sigma_w2 = 2", float(-np.log(1.05)), "ln 1/(1 + sigma_b2)", 0.06),
    *(Expected(f"rate - ln sigma(bias), {kind}, bias {b:g}", 0.0, "gates with a bias alone keep sigma(bias)",
               kind="at least") for kind in GATED for b in Config().forget_bias[:2]),
    Expected("rate, LSTM, bias 3", -0.03, "nearly level over 100 steps", kind="at least"),
    Expected("rate - mean field, RNN", 0.0, "Chen, Pennington, Schoenholz 2018; wide nets", 0.07),
    Expected("rate, RNN", -0.5, "the plain RNN vanishes", kind="at most"),
)


def answer(result):
    """Return what was found, in a sentence."""
    h, config = result.headline, result.config
    low = min(config.sigma_w2)
    depth = ", ".join(f"{h[f'slope, {kind}, tanh, sigma_w2 = {low:g}']:+.2f} ({kind})" for kind in KINDS)
    gates = ", ".join(f"{h[f'rate, {name}']:+.2f} ({name})"
                      for name in ("RNN", *(f"LSTM, bias {b:g}" for b in config.forget_bias)))
    return (f"At sigma_w2 = {low:g} ln ||delta||² changes per layer by {depth}; through time ln ||delta|| changes per "
            f"step by {gates}.")


def figure(result):
    """Draw profiles over depth, slopes against the weights' variance, and profiles through time."""
    from matplotlib.figure import Figure

    a, config = result.arrays, result.config
    colours = dict(zip(KINDS, (plot.style.VERMILLION, plot.style.BLUE, plot.style.ORANGE, plot.style.GREEN,
                               plot.style.PURPLE)))
    tens, low = np.log(10), min(config.sigma_w2)
    with plot.styled():
        fig = Figure(figsize=(15, 5), layout="constrained")
        depth, slopes, time = fig.subplots(1, 3)
        for kind in KINDS:
            name = f"{kind}, tanh, sigma_w2 = {low:g}"
            depth.plot(np.arange(config.depth, -1, -1), a[name] / tens, color=colours[kind], lw=2, label=kind)
            depth.plot(np.arange(config.depth, -1, -1), a[f"{name}: predicted"] / tens, "--", color="black", lw=1,
                       label="predicted" if kind == KINDS[-1] else None)
            line = np.linspace(low, max(config.sigma_w2), 40)
            slopes.plot(line, [slope(predicted(kind, "tanh", config.depth, s, config.sigma_b2)) for s in line], "--",
                        color=colours[kind], lw=1.2)
            slopes.plot(config.sigma_w2, [result.headline[f"slope, {kind}, tanh, sigma_w2 = {s:g}"]
                                          for s in config.sigma_w2], "o", ms=8, color=colours[kind])
        depth.legend(loc="lower left")
        depth.set(xlabel="layers back from the loss", ylabel="growth of ||delta||²",
                  title=f"Deep tanh nets, sigma_w² = {low:g}")
        slopes.axhline(0, color=plot.style.GREY, lw=0.8)
        slopes.set(xlabel="sigma_w²", ylabel="slope of ln ||delta||² per layer", title="The same at other weights; "
                   "dashed: predicted")
        names = ["RNN", *(f"{kind}, bias {b:g}" for kind in GATED for b in config.forget_bias)]
        back = np.arange(config.steps, -1, -1)
        shades = {"RNN": plot.style.VERMILLION, "LSTM": plot.style.BLUE, "GRU": plot.style.GREEN}
        for name in names:
            kind, *_ = name.split(",")
            rank = list(config.forget_bias).index(float(name.split()[-1])) if kind in GATED else 0
            time.plot(back, a[name] / tens, color=shades[kind], lw=1.2 + 0.9 * rank, label=name)
        for index, bias in enumerate(config.forget_bias):
            time.plot(back, -np.logaddexp(0, -bias) * back / tens, "--", color="black", lw=0.9,
                      label="gates with a bias alone" if index == 0 else None)
        time.set(xlabel="steps back from the loss", ylabel="growth of the gradient",
                 title="RNN, LSTM and GRU through time")
        time.legend(loc="lower left", fontsize=9.5)
        for ax in (depth, time):
            ax.yaxis.set_major_formatter(lambda value, _: f"$10^{{{value:g}}}$")
    return fig

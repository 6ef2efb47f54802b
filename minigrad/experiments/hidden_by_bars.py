"""Why do the bars of weight gradients look healthy while the gradient vanishes (Glorot and Bengio 2010)?

dL/dW_l = delta_l a_(l-1)^T, with delta_l = dL/dh_l and a_(l-1) the layer's input.  Where weights are too small the
delta falls by a factor on the way back, from the last layer to the first, but the signal a falls by the same factor on
the way forward, from the first to the last.  In the product both cancel: with n Var(W) = v in every layer of a linear
regime

    Var(delta_l) = v^(L-l) Var(delta_L)         Var(dL/dW_l) = v^L Var(x) Var(delta_L), the same for all l

so the customary bar chart of ||dL/dW_l|| is flat, and hides the very thing that it is drawn to show.  Two nets without
biases: Glorot and Bengio's five layers of 1000 tanh units, with weights from U[-1/sqrt(n), 1/sqrt(n)], hence v = 1/3,
and 30 layers of ReLU with n Var(W) = 0.5, hence v = 1/4.  Near the input tanh is not linear yet: v is less than 1/3
there, as mean field with the actual lengths says.  The remedy is not another chart alone: biases, too, make the bars
follow the delta (see ``mean_field``).
"""

from dataclasses import dataclass

import numpy as np

import minigrad as mg
from minigrad import nn, plot, theory
from minigrad.experiments.experiment import Expected, Result, quiet
from minigrad.experiments.settings import Settings, setting
from minigrad.norms import norm

QUESTION = "Why do bars of weight gradients look healthy while the gradient vanishes?"
SECONDS = 2

CLASSES = 10


@dataclass(frozen=True)
class Config(Settings):
    """What is measured."""

    width: int = setting(1000, least=20, most=4000, doc="units per layer of the tanh nets")
    layers: int = setting(5, least=3, most=100, doc="hidden layers of the tanh nets")
    batch: int = setting(300, least=1, most=5000, doc="inputs")
    deep_width: int = setting(256, least=50, most=4000, doc="units per layer of the ReLU net")
    deep_layers: int = setting(30, least=3, most=100, doc="layers of the ReLU net")
    deep_variance: float = setting(0.5, least=0.01, most=20, doc="n Var(W) in the ReLU net")
    seed: int = setting(0, least=0, doc="the first seed")
    seeds: int = setting(2, least=1, most=100, doc="nets of each kind")


def gradients(act, width, depth, batch, draw, rng):
    """Return ||delta_l|| and ||dL/dW_l||, l = 1 ... depth, for a softmax over random classes on top.

    Args:
        act: the activation.
        draw: a function that fills a weight.
    """
    layers = [nn.Linear(width, width, bias=False, rng=rng) for _ in range(depth)]
    head = nn.Linear(width, CLASSES, bias=False, rng=rng)
    for layer in (*layers, head):
        draw(layer.weight)
    h, states = mg.tensor(rng.normal(size=(batch, width))), []
    for layer in layers:
        h = layer(act(h) if states else h)
        states.append(h)
    loss = nn.functional.cross_entropy(head(act(h)), rng.integers(CLASSES, size=batch))
    found = mg.grad(loss, [*states, *(layer.weight for layer in layers)])
    return [norm(g.data) for g in found[:depth]], [norm(g.data) for g in found[depth:]]


def kinds(config):
    """Return name -> arguments of :func:`gradients`, and activation, variance and lengths for the theory."""
    tanh = (mg.tanh, config.width, config.layers, config.batch)
    deep = (mg.relu, config.deep_width, config.deep_layers, min(config.batch, 32))
    scale = config.deep_variance
    bound = config.width ** -0.5
    return {
        "tanh, U(1/sqrt n)": (tanh, lambda w, rng: nn.init.uniform_(w, -bound, bound, rng=rng), ("tanh", 1 / 3)),
        "tanh, normalised": (tanh, lambda w, rng: nn.init.xavier_uniform_(w, rng=rng), ("tanh", 1.0)),
        "ReLU": (deep, lambda w, rng: nn.init.normal_(w, std=(scale / w.shape[1]) ** 0.5, rng=rng), ("relu", scale)),
    }


def run(config, progress=quiet):
    """Measure deltas and weight gradients of three nets."""
    headline, arrays = {}, {}
    for name, (sizes, draw, (act, scale)) in progress(list(kinds(config).items()), "nets"):
        measured = []
        for seed in range(config.seed, config.seed + config.seeds):
            rng = np.random.default_rng(seed)
            measured.append(gradients(*sizes, lambda w, draw=draw, rng=rng: draw(w, rng), rng))
        deltas, weights = np.exp(np.log(measured).mean(axis=0))
        # x has mean square 1, so h_1 has mean square n Var(W); the first weights have x for input, the others act(h).
        predicted = 10 ** theory.profile(act, len(deltas) - 1, scale, q0=scale)
        flat = 10 ** theory.weight_profile(act, len(deltas) - 1, scale, q0=scale)
        arrays |= {f"{name}: delta": deltas, f"{name}: weight gradient": weights, f"{name}: predicted delta": predicted,
                   f"{name}: predicted weight gradient": flat}
        headline[f"{name}: delta, first / last"] = float(deltas[0] / deltas[-1])
        headline[f"{name}: delta, predicted first / last"] = float(predicted[0])
        headline[f"{name}: weight gradient, largest / smallest"] = float(weights[1:].max() / weights[1:].min())
        steps, wanted = (d[:-1] ** 2 / d[1:] ** 2 for d in (deltas, predicted))
        headline[f"{name}: delta variance per layer, last"] = float(steps[-1])
        headline[f"{name}: delta variance per layer, furthest from prediction"] = float(abs(steps - wanted).max())
        headline[f"{name}: weight gradient variance, largest / smallest"] = float(
            (weights[1:].max() / weights[1:].min()) ** 2)
    return Result(config, headline, arrays)


SHAPE = "Glorot, Bengio 2010: n Var(W) per layer"

EXPECTED = (
    Expected("tanh, U(1/sqrt n): delta variance per layer, last", 1 / 3, SHAPE, 0.02),
    Expected("tanh, U(1/sqrt n): delta variance per layer, furthest from prediction", 0.0, "mean field", 0.02),
    Expected("tanh, normalised: delta variance per layer, furthest from prediction", 0.0, "mean field", 0.03),
    Expected("tanh, U(1/sqrt n): weight gradient variance, largest / smallest", 1.3, "flat (Glorot, Bengio 2010)",
             kind="at most"),
    Expected("ReLU: delta, first / last", (Config().deep_variance / 2) ** ((Config().deep_layers - 1) / 2),
             "(n Var(W) / 2)^((L - 1) / 2) (He et al. 2015)", 3.0, "factor"),
    Expected("ReLU: weight gradient, largest / smallest", 3.0, "flat (Glorot, Bengio 2010)", kind="at most"),
)


def answer(result):
    """Return what was found, in a sentence."""
    h = result.headline
    return (f"Over {result.config.deep_layers} layers of ReLU the delta changes by a factor "
            f"{h['ReLU: delta, first / last']:.0e}, yet the weight gradients of any two layers differ by a factor "
            f"{h['ReLU: weight gradient, largest / smallest']:.1f} at most: the signal fades forward as the delta "
            f"fades backward, and their product is flat.")


def figure(result):
    """Draw the bars, and beside them, on the same scale, the delta."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    a, config = result.arrays, result.config
    rows = {"ReLU": f"{config.deep_layers} layers of ReLU, n Var(W) = {config.deep_variance:g}",
            "tanh, U(1/sqrt n)": f"{config.layers} layers of tanh, n Var(W) = 1/3"}
    with plot.styled():
        fig = Figure(figsize=(12, 8), layout="constrained")
        for (name, title), (left, right) in zip(rows.items(), fig.subplots(2, 2)):
            deltas, weights = (a[f"{name}: {what}"] / a[f"{name}: {what}"][-1] for what in ("delta", "weight gradient"))
            expected, flat = (a[f"{name}: predicted {what}"] for what in ("delta", "weight gradient"))
            layers = np.arange(1, len(deltas) + 1)
            lanes = plot.Lanes(deltas, weights, expected, 0.7 * deltas, np.array([3.0]))
            for ax in (left, right):
                lanes.dress(ax)
                ax.xaxis.set_major_locator(MaxNLocator(integer=True))
                ax.set(xlabel="layer", xlim=(0.4, len(deltas) + 0.6))
            bottom = left.get_ylim()[0]
            left.bar(layers, lanes.place(weights) - bottom, bottom=bottom, color=plot.style.ORANGE, width=0.75)
            left.plot(layers[1:], lanes.place(flat), "--", color="black", lw=1.6, label="predicted")
            right.plot(layers, lanes.place(deltas), "o-", color=plot.style.BLUE, label="measured")
            right.plot(layers, lanes.place(expected), "--", color="black", lw=1.6, label="predicted", zorder=3)
            left.set(ylabel="||dL/dW_l|| / ||dL/dW_L||", title=f"Bars: {title}")
            right.set(ylabel="||delta_l|| / ||delta_L||", title="What they hide: the delta of the same net")
            left.legend(loc="lower left", frameon=True)
            right.legend(loc="lower right")
    return fig

"""What does a penalty on the gradient do?  Double backward at work, in four places.

The step itself is a penalty (Barrett and Dherin 2021).  Descent with the learning rate h does not follow the flow of L
but, to one order more, that of L + h/4 ||dL/dw||^2: on L = (ab - 1)^2 / 2 it is O(h) away from the first after a given
time, and O(h^2) from the second.  Hence larger steps end where the gradient is smaller around: from (2.8, 3.5) down
(0.6 - ab)^2 / 2 every run ends on the curve ab = 0.6, but the larger h, the nearer to its flattest point, (sqrt 0.6,
sqrt 0.6).  (Flow keeps a^2 - b^2 as it was, which says where small steps end.)

Without double backward the gradient of L + lam ||g|| (Zhao, Zhang and Hu 2022) is taken by a finite difference,

    g + lam H g / ||g||  ~  (1 - a) g(w) + a g(w + r g / ||g||)        a = lam / r

whose error is of order r: here double backward, which has none, measures it.

The penalty on the input, E + lam/2 ||dE/dx||^2, is the first of them all (Drucker and LeCun 1992); its gradient with
respect to the weights is compared with central differences.
"""

from dataclasses import dataclass

import numpy as np

import minigrad as mg
from minigrad import nn, optim, plot
from minigrad.experiments.experiment import Expected, Result, quiet
from minigrad.experiments.settings import Settings, setting
from minigrad.norms import norm
from minigrad.penalty import grad_norm_penalty, input_grad_penalty

QUESTION = "What does a penalty on the gradient do, and what is double backward good for?"
SECONDS = 3


@dataclass(frozen=True)
class Config(Settings):
    """What is measured."""

    rates: tuple = setting((0.1, 0.05, 0.025, 0.0125, 0.00625), above=0, most=0.2, doc="learning rates of the descent")
    time: float = setting(1.0, above=0, most=10, doc="for how long descent and flow are followed")
    pieces: int = setting(100, least=10, most=10_000, doc="Runge-Kutta steps of the flow")
    down: tuple = setting((0.001, 0.025, 0.05, 0.08, 0.1), above=0, most=0.1, doc="learning rates down to the curve")
    long: float = setting(10.0, above=0.1, most=1000, doc="updates times the learning rate, down to the curve")
    radii: tuple = setting((0.1, 0.03, 0.01, 0.003, 0.001), above=0, most=1, doc="r of the finite difference")
    lam: float = setting(0.1, above=0, most=10, doc="of the penalties on the net")
    width: int = setting(16, least=1, most=200, doc="hidden units of the net")
    seed: int = setting(0, least=0, doc="of the net")

    def __post_init__(self):
        super().__post_init__()
        for name in ("rates", "radii"):
            if len(getattr(self, name)) < 2:
                raise ValueError(f"{name} = {getattr(self, name)}: two or more make a slope")


FINITE = "order of the finite difference's error"
START, FAR, PRODUCT = (2.0, 0.3), (2.8, 3.5), 0.6


def valley(w, product):
    """Return (product - a b)^2 / 2 for the rows (a, b) of w."""
    return ((product - w[..., 0] * w[..., 1]) ** 2).sum() / 2


def slope(place, lam):
    """Return the gradient of L + lam ||dL/dw||^2 at a place, as an array."""
    w = mg.tensor(place, requires_grad=True)
    loss = valley(w, 1.0)
    if lam:
        loss = loss + grad_norm_penalty(loss, [w], lam, squared=True)
    return mg.grad(loss, w).data


def flow(lam, config):
    """Return where the flow of L + lam ||dL/dw||^2 is after the given time (Runge and Kutta's fourth order)."""
    w, h = np.array(START), config.time / config.pieces
    for _ in range(config.pieces):
        k1 = slope(w, lam)
        k2 = slope(w - h / 2 * k1, lam)
        k3 = slope(w - h / 2 * k2, lam)
        k4 = slope(w - h * k3, lam)
        w = w - h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return w


def descend(place, rate, updates, product=1.0):
    """Return the places that descent goes through."""
    w = mg.tensor(place, requires_grad=True)
    opt, path = optim.SGD([w], rate), [w.data]
    for _ in range(updates):
        opt.zero_grad()
        valley(w, product).backward()
        opt.step()
        path.append(w.data)
    return np.array(path)


def distances(config, progress):
    """Return for each rate how far descent is from the flow of L, and from that of the modified loss."""
    plain, out = flow(0.0, config), []
    for rate in progress(config.rates, "learning rates"):
        end = descend(START, rate, round(config.time / rate))[-1]
        out.append((norm([end - plain]), norm([end - flow(rate / 4, config)])))
    return np.array(out)


def a_net(config):
    """Return a net, a batch of inputs and targets, and its parameters."""
    rng = np.random.default_rng(config.seed)
    net = nn.Sequential(nn.Linear(4, config.width, rng=rng), nn.Tanh(), nn.Linear(config.width, 1, rng=rng)).double()
    return net, rng.normal(size=(32, 4)), rng.normal(size=(32, 1)), list(net.parameters())


def moved(params, direction, by):
    """Move parameters along a direction."""
    for p, d in zip(params, direction):
        p.data = p.data + by * d


def difference_errors(config):
    """Return for each r the relative error of Zhao's finite difference."""
    net, x, y, params = a_net(config)

    def gradient(lam=0.0):
        loss = nn.functional.mse_loss(net(x), y)
        return [g.data for g in mg.grad(loss + grad_norm_penalty(loss, params, lam), params)]

    plain, exact, errors = gradient(), gradient(config.lam), []
    length = norm(plain)
    direction = [g / length for g in plain]
    for r in config.radii:
        moved(params, direction, r)
        there, share = gradient(), config.lam / r
        moved(params, direction, -r)
        errors.append(norm([(1 - share) * g + share * t - e for g, t, e in zip(plain, there, exact)]) / norm(exact))
    return np.array(errors)


def input_error(config, step=1e-5):
    """Return how far the gradient of the penalised loss is from a central difference along a random direction."""
    net, points, y, params = a_net(config)

    def penalised():
        x = mg.tensor(points, requires_grad=True)
        loss = nn.functional.mse_loss(net(x), y)
        return loss + input_grad_penalty(loss, x, config.lam)

    rng = np.random.default_rng(config.seed + 1)
    direction = [rng.normal(size=p.shape) for p in params]
    along = sum(float((g.data * d).sum()) for g, d in zip(mg.grad(penalised(), params), direction))
    moved(params, direction, step)
    above = penalised().item()
    moved(params, direction, -2 * step)
    below = penalised().item()
    return abs((above - below) / (2 * step) / along - 1)


def order(sizes, errors):
    """Return the slope of ln error against ln size."""
    return float(np.polyfit(np.log(sizes), np.log(errors), 1)[0])


def end_of_flow():
    """Return where the flow from (2.8, 3.5) ends: ab = 0.6, and a^2 - b^2 as at the start."""
    kept = FAR[0] ** 2 - FAR[1] ** 2
    a = ((kept + (kept ** 2 + 4 * PRODUCT ** 2) ** 0.5) / 2) ** 0.5
    return np.array([a, PRODUCT / a])


def run(config, progress=quiet):
    """Measure the orders, the ends of the descents, and the two gradients."""
    apart, errors = distances(config, progress), difference_errors(config)
    headline = {"order of the distance to the flow of L": order(config.rates, apart[:, 0]),
                "order of the distance to the flow of the modified loss": order(config.rates, apart[:, 1]),
                FINITE: order(config.radii, errors),
                "error of the input penalty's gradient": input_error(config)}
    flattest, arrays = np.full(2, PRODUCT ** 0.5), {"rate": np.array(config.rates), "distance": apart,
                                                    "r": np.array(config.radii), "error": errors}
    for rate, (plain, modified) in zip(config.rates, apart):
        headline[f"distance to the flow of L, rate {rate:g}"] = float(plain)
        headline[f"distance to the flow of the modified loss, rate {rate:g}"] = float(modified)
    for r, error in zip(config.radii, errors):
        headline[f"error of the finite difference, r = {r:g}"] = float(error)
    for rate in progress(config.down, "descents to the curve"):
        path = arrays[f"path, rate {rate:g}"] = descend(FAR, rate, round(config.long / rate), PRODUCT)
        headline[f"from the flattest minimum, rate {rate:g}"] = norm([path[-1] - flattest])
    return Result(config, headline, arrays)


BARRETT, SEPARATE = "Barrett and Dherin 2021", "a separate computation"
EXPECTED = (
    Expected("order of the distance to the flow of L", 1.0, BARRETT, 0.1),
    Expected("order of the distance to the flow of the modified loss", 2.0, BARRETT, 0.1),
    Expected(FINITE, 1.0, "Zhao, Zhang and Hu 2022", 0.1),
    Expected("error of the input penalty's gradient", 0.0, "central differences", 1e-7),
    Expected("distance to the flow of L, rate 0.1", 0.00295, SEPARATE, 0.02, "relative"),
    Expected("distance to the flow of the modified loss, rate 0.00625", 3.9e-6, SEPARATE, 0.02, "relative"),
    Expected("from the flattest minimum, rate 0.001", norm([end_of_flow() - PRODUCT ** 0.5]), "flow keeps a^2 - b^2",
             0.01),
    *(Expected(f"from the flattest minimum, rate {rate:g}", value, SEPARATE, 0.01)
      for rate, value in ((0.025, 1.337), (0.05, 1.187), (0.08, 0.794), (0.1, 0.283))),
)


def answer(result):
    """Return what was found, in a sentence."""
    h, rates = result.headline, result.config.down
    of_loss, of_modified = (h[f"order of the distance to the flow of {what}"] for what in ("L", "the modified loss"))
    far, near = (h[f"from the flattest minimum, rate {rate:g}"] for rate in (min(rates), max(rates)))
    return (f"Descent is its own penalty: it keeps to the flow of the penalised loss to order {of_modified:.2f}, to "
            f"that of the loss only to order {of_loss:.2f}, and ends {near:.2f} from the flattest minimum with steps "
            f"of {max(rates):g}, {far:.2f} with {min(rates):g}. Double backward is exact, where a finite difference in "
            f"its place errs with order {h[FINITE]:.2f}.")


def figure(result):
    """Draw the distances to the flows, the descents to the curve, and the error of the finite difference."""
    from matplotlib.figure import Figure

    a, config = result.arrays, result.config
    with plot.styled():
        fig = Figure(figsize=(14.5, 4.9), layout="constrained")
        left, middle, right = fig.subplots(1, 3)
        for column, power, name, colour in ((0, 1, "to the flow of L", plot.style.VERMILLION),
                                            (1, 2, "to the flow of L + h/4 ||dL/dw||²", plot.style.BLUE)):
            values = a["distance"][:, column]
            left.loglog(a["rate"], values, "o", ms=8, color=colour, label=name)
            left.loglog(a["rate"], values[-1] * (a["rate"] / a["rate"][-1]) ** power, "--", color="black", lw=1.2,
                        label="orders 1 and 2" if column else None)
        left.set(xlabel="learning rate h", ylabel=f"distance after time {config.time:g}",
                 title="Which flow does descent follow?")
        left.legend()
        line = np.linspace(0.12, 3.8, 200)
        middle.plot(line, PRODUCT / line, color=plot.style.GREY, lw=5, alpha=0.5, label="minima: ab = 0.6")
        colours = [plot.style.BLACK, plot.style.BLUE, plot.style.SKY, plot.style.ORANGE, plot.style.VERMILLION]
        for index, rate in enumerate(config.down):
            path = a[f"path, rate {rate:g}"]
            colour = colours[index % len(colours)]
            middle.plot(*path.T, color=colour, lw=0.8)
            middle.plot(*path[-1], "o", color=colour, ms=8, label=f"h = {rate:g}", zorder=4)
        middle.plot(PRODUCT ** 0.5, PRODUCT ** 0.5, "*", color=plot.style.GREEN, ms=18, label="flattest minimum")
        middle.plot(*end_of_flow(), "x", color="black", ms=10, mew=2, label="flow, predicted", zorder=5)
        middle.set(xlabel="a", ylabel="b", xlim=(-0.6, 3.8), ylim=(-0.6, 3.8),
                   title="Larger steps end where it is flatter")
        middle.legend(loc="lower right", bbox_to_anchor=(1, 0.22), fontsize=9.5)
        right.loglog(a["r"], a["error"], "o", ms=8, color=plot.style.BLUE, label="measured by double backward")
        right.loglog(a["r"], a["error"][-1] * a["r"] / a["r"][-1], "--", color="black", lw=1.2, label="order 1")
        right.set(xlabel="r", ylabel="relative error", title="Finite difference for L + lam ||g||")
        right.legend()
    return fig

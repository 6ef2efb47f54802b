"""What would help a gradient that vanishes or explodes, chosen by what was measured of the net."""

import math
from dataclasses import dataclass, replace

import numpy as np

from minigrad import nn, theory
from minigrad.nn.normalisation import BatchNorm

NORMS = (BatchNorm, nn.LayerNorm, nn.GroupNorm)
MANY = 0.5
"""A share of saturated or dead units from which it is spoken of."""

LESS = 0.9
"""Against explosion, residual connections are offered if with them delta is to grow by less than this part of now."""

LARGE = 20.0
"""Weights of a larger variance times fan-in saturate whatever comes behind them: no initialisation to advise."""


@dataclass
class Facts:
    """What remedies depend on, beside the series itself.

    Attributes:
        normalised: whether there is a normalisation in the net.
        residual: whether a block adds its input to its output.
        recurrent: class name of the recurrent module the series belongs to, "" for layers.
        dtype: of the deltas, as text.
    """

    normalised: bool
    residual: bool
    recurrent: str = ""
    dtype: str = "float64"

    def of(self, recurrent):
        """Return the same for the time steps of a recurrent module."""
        return replace(self, recurrent=recurrent)


def facts_of(model, residual, dtype):
    """Return the facts of a net; ``residual`` is what the tape says of it."""
    residual = residual or any(isinstance(m, nn.Residual) for m in model.modules())
    return Facts(any(isinstance(m, NORMS) for m in model.modules()), residual, dtype=str(dtype))


def remedies(kind, series, facts):
    """Return a list of what would help, the most fitting first."""
    small = kind in ("vanishing", "underflow", "cut")
    if small or kind in ("exploding", "overflow"):
        found = (in_time if series.kind == "step" else in_depth)(kind, small, series, facts)
        return [*of_units(series), *out_of_range(kind, series, facts), *found]
    if kind == "nan":
        return ["find the operation: look at the first layer that is not finite, at log, sqrt and division near 0 in "
                "the loss, and at the data itself", "hooks.NonFinite('skip') keeps such a step away from the weights"]
    return of_units(series)


def futile(kind, series):
    """Return a list of what would not help, though it is often tried."""
    if kind in ("vanishing", "underflow", "cut"):
        return [f"clipping, which multiplies all {series.kind}s by one factor, so that the slope stays"]
    return []


def of_units(series):
    """Return what helps against dead and saturated units, where there are many."""
    found = []
    dead, saturated = (np.nan_to_num(series.column(name)) for name in ("dead", "saturated"))
    if dead.size and dead.max() >= MANY:
        found.append(f"{dead.max():.0%} of the units of {name_of(series, dead.argmax())} are dead for this batch: "
                     f"biases at 0, a smaller learning rate, or nn.LeakyReLU")
    if saturated.size and saturated.max() >= MANY:
        found.append(f"{saturated.max():.0%} of the entries of {name_of(series, saturated.argmax())} are saturated "
                     f"(slope below a tenth): smaller weights or inputs in front of it, or a normalisation")
    return found


def name_of(series, place):
    """Return what the row at a place is called."""
    return f"{series.kind} {series.rows[place].index}"


def out_of_range(kind, series, facts):
    """Return what helps where floats end."""
    if kind == "underflow" and facts.dtype != "float64":
        return [f"{facts.dtype} ends early: hooks.LossScaler with hooks.Unscale, or a wider dtype"]
    if kind == "overflow" and np.isfinite(series.column("activation")).all():
        return ["no clip after the backward pass can mend an inf; clip inside it, " + (
            "rnn.register_step_hook(hooks.inside(hooks.ClipValue(15.0)))" if facts.recurrent
            else "h.register_hook(hooks.inside(hooks.ClipNorm(1.0)))")]
    return []


def in_depth(kind, small, series, facts):
    """Return what helps against a slope in depth."""
    found = gain(small, series.prediction)
    if not small:
        found = found or smaller(series, facts)
    if not facts.residual:
        found += ["residual connections, nn.Residual: a way past every block for the gradient"] if small else (
            residual(series))
    if not facts.normalised:
        # With BatchNorm delta grows however the net begins (Yang et al. 2019), and only more slowly.
        found.append("a normalisation after each linear layer, nn.LayerNorm" + " or nn.BatchNorm1d" * small)
    if kind == "exploding":
        found.append("hooks.ClipNorm bounds the length of a step, but the ratio between the layers stays")
    return found


def gain(small, prediction):
    """Return the initialisation at which theory expects the norm of delta to be kept, in a list."""
    if prediction is None or prediction.sigma_w2 is None or prediction.chi_1 is None:
        return []
    name, sigma_w2, sigma_b2 = prediction.activation, prediction.sigma_w2, prediction.sigma_b2
    try:
        wanted = theory.critical_line(name, sigma_b2)
    except ValueError:
        return []
    if small and wanted > LARGE:
        return [f"another activation, tanh or relu: with {name} it would take weights of Var(W) x fan_in = "
                f"{wanted:.3g} to keep the norm of delta"]
    if not (wanted > 1.02 * sigma_w2 if small else wanted < 0.98 * sigma_w2):
        return []
    return [f"initialise the weights with gain {math.sqrt(wanted):.3g}, nn.init.lecun_normal_(w, "
            f"gain={math.sqrt(wanted):.3g}): Var(W) x fan_in = {wanted:.3g} makes chi_1 = 1 for {name} at this "
            f"variance of the biases; now it is {sigma_w2:.3g}"]


def smaller(series, facts):
    """Return by how much smaller the weights should be, in a list, where theory has no gain to offer."""
    if facts.residual:
        return ["smaller weights in the blocks: with nn.init.zeros_ for the last layer of each, x + f(x) is x at "
                "first, and delta passes as it is"]
    if facts.normalised:
        return []                       # behind it the scale of the weights makes no difference
    back, forward = series.slope, series.activation_slope
    rates = [(line.slope * way, name) for line, way, name in ((back, 1, "delta"), (forward, -1, "|h|")) if line]
    rate, name = max(rates, default=(0.0, ""))
    if not 0 < rate < 300:
        return ["smaller weights"]
    return [f"smaller weights, divided by {10.0 ** rate:.3g}: {name} grows by such a factor a layer"]


def residual(series):
    """Return residual blocks, in a list, if with them and such weights theory expects delta to grow less than it does.

    The factor of ||delta||^2 is 1 + sigma_v^2 sigma_w^2 E phi'^2 a block, and without V 1 + sigma_w^2 E phi'^2, which
    is more than without the way past it unless phi saturates (Yang and Schoenholz 2017).
    """
    now, line = series.prediction, series.slope
    if now is None or now.sigma_w2 is None or now.q0 is None or line is None:
        return []
    forms = [("nn.Residual(nn.Linear, phi)", line.layers, None),
             ("nn.Residual(nn.Linear, phi, nn.Linear)", line.layers // 2, now.sigma_w2)]
    offers = []
    for form, blocks, sigma_v2 in forms:
        try:
            _, factors = theory.residual_trajectory(now.activation, blocks, now.sigma_w2, now.sigma_b2, now.q0,
                                                    sigma_v2)
        except ValueError:                              # without V it is known for odd activations alone
            continue
        rate = 0.5 * float(np.sum(np.log10(factors[:-1]))) / line.layers
        if rate < LESS * line.slope:
            offers.append((rate, f"residual connections, {form}: with these weights theory expects delta to grow by "
                                 f"{rate:.2g} decades a layer"))
    return [min(offers)[1]] if offers else []


def in_time(kind, small, series, facts):
    """Return what helps against a slope in time."""
    radius = series.prediction.radius if series.prediction else None
    above = series.prediction.above if series.prediction else None
    of = "" if above is None else f" in layer {above}"
    plain = facts.recurrent in ("RNN", "RNNCell")
    found = []
    if small:
        if plain:
            found.append("gated cells, nn.LSTM or nn.GRU: the gradient of a cell is multiplied by a gate, not by W")
            if radius is not None and radius < 0.99:
                found.append(f"an orthogonal recurrent matrix{of}, nn.init.orthogonal_(w): its spectral radius is 1, "
                             f"now it is {radius:.3g}; with tanh a gain slightly above 1 makes up for the slope")
        elif facts.recurrent.startswith("LSTM"):
            found.append("a forget gate that is open at first: 1 to 2 in rows H to 2H of bias_hh")
        else:
            found.append("an update gate that keeps the state at first: 1 to 2 in rows H to 2H of bias_hh")
        found.append("a loss at more of the steps, or shorter sequences" if series.losses == "one" else
                     "shorter sequences")
        return found
    if kind == "exploding":
        found.append("hooks.ClipNorm(c), with c about the average norm of the gradient: it is made for this")
    if plain:
        now = "" if radius is None else f": now its radius is {radius:.3g}"
        found.append(f"a smaller recurrent matrix{of}, nn.init.spectral_radius_(w, 1.0){now}")
    if facts.recurrent == "RNN":
        found.append("penalty.Omega, which asks W to keep the norm of delta")
    if plain:
        found.append("gated cells, nn.LSTM or nn.GRU")
    return found

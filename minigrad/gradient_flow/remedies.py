"""What would help a gradient that vanishes or explodes, chosen by what was measured of the net."""

import math
from dataclasses import dataclass, replace

import numpy as np

from minigrad import nn, theory
from minigrad.nn.normalisation import BatchNorm

NORMS = (BatchNorm, nn.LayerNorm, nn.GroupNorm)
MANY = 0.5
"""A share of saturated or dead units from which it is spoken of."""

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


def facts_of(model, layers, dtype):
    """Return the facts of a net."""
    residual = any(isinstance(m, nn.Residual) for m in model.modules()) or any(
        not layer.alone and getattr(layer.out, "_fn", None) is np.add for layer in layers)
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
    if not facts.residual:
        found.append("residual connections, nn.Residual: a way past every block for the gradient")
    if not facts.normalised:
        found.append("a normalisation after each linear layer, nn.LayerNorm or nn.BatchNorm1d")
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
    if wanted > LARGE:
        return [f"another activation, tanh or relu: with {name} it would take weights of Var(W) x fan_in = "
                f"{wanted:.3g} to keep the norm of delta"]
    if not (wanted > 1.02 * sigma_w2 if small else wanted < 0.98 * sigma_w2):
        return []
    return [f"initialise the weights with gain {math.sqrt(wanted):.3g}, nn.init.lecun_normal_(w, "
            f"gain={math.sqrt(wanted):.3g}): Var(W) x fan_in = {wanted:.3g} makes chi_1 = 1 for {name} at this "
            f"variance of the biases; now it is {sigma_w2:.3g}"]


def in_time(kind, small, series, facts):
    """Return what helps against a slope in time."""
    radius = series.prediction.radius if series.prediction else None
    plain = facts.recurrent in ("RNN", "RNNCell")
    found = []
    if small:
        if plain:
            found.append("gated cells, nn.LSTM or nn.GRU: the gradient of a cell is multiplied by a gate, not by W")
            if radius is not None and radius < 0.99:
                found.append(f"an orthogonal recurrent matrix, nn.init.orthogonal_(w): its spectral radius is 1, now "
                             f"it is {radius:.3g}; with tanh a gain slightly above 1 makes up for the slope")
        elif facts.recurrent.startswith("LSTM"):
            found.append("a forget gate that is open at first: 1 to 2 in rows H to 2H of bias_hh")
        else:
            found.append("an update gate that keeps the state at first: 1 to 2 in rows H to 2H of bias_hh")
        found.append("a loss at more of the steps, or shorter sequences" if series.losses == "one" else
                     "shorter sequences")
        return found
    if kind == "exploding":
        found.append("hooks.ClipNorm(c), with c about the average norm of the gradient: it is made for this")
    if plain and radius is not None:
        found.append(f"a smaller recurrent matrix, nn.init.spectral_radius_(w, 1.0): now its radius is {radius:.3g}")
    if facts.recurrent == "RNN":
        found.append("penalty.Omega, which asks W to keep the norm of delta")
    if plain:
        found.append("gated cells, nn.LSTM or nn.GRU")
    return found

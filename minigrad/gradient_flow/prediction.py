"""What theory expects of the delta of this very net: its own weights and biases, its own input, its own states.

Plain and residual nets of nn.Linear with one activation go layer by layer by mean field, with the mean squares of
their actual weights; a plain recurrence by its largest Lyapunov exponent along the actual states.
"""

import math
from typing import NamedTuple

import numpy as np

from minigrad import theory
from minigrad.gradient_flow.fitting import round_off
from minigrad.gradient_flow.rows import ordinary
from minigrad.gradient_flow.tape import ACTIVATIONS, parents_of, undressed
from minigrad.nn.linear import Linear

NEARLY_LINEAR = 0.98
"""Where the mean square slope along the states is at least this, the spectral radius stands for the exponent."""


class Prediction(NamedTuple):
    """What theory expects.

    Attributes:
        theory: which one, in two or three words.
        slope: decades per layer or step on the way back.
        chi_1: factor of ||delta||^2 per layer for a net of such weights that is deep and wide; None for others.
        activation: name of the activation, "linear" where there is none.
        sigma_w2: variance of the weights times the number of inputs, mean over the layers that matter; or None.
        sigma_b2: variance of the biases; or None.
        radius: spectral radius of a recurrent matrix; or None.
        values: the expected delta of each row, None where nothing is expected; it begins at the last that was measured.
        text: all of it in one line.
        q0: mean square of the input of the first layer; or None.
        above: number of the layer of a stack that it is of, if that is one above; or None.
    """

    theory: str
    slope: float
    chi_1: float | None
    activation: str
    sigma_w2: float | None
    sigma_b2: float | None
    radius: float | None
    values: list
    text: str
    q0: float | None = None
    above: int | None = None


class Unknown(Exception):
    """There is no prediction; its text says why."""


# ---------------------------------------------------------------------------------------- layers

def of_layers(series, layers):
    """Return (prediction, "") for a series of layers, or (None, why not)."""
    try:
        return predict_layers(series, layers), ""
    except Unknown as reason:
        return None, str(reason)


def predict_layers(series, layers):
    """Return the prediction, or raise Unknown."""
    start, stop, _ = series.fitted.indices(len(layers))
    if series.branched:
        raise Unknown("the ways branch")
    while start < stop and not layers[start].out.requires_grad:     # frozen: not on the tape, and without a delta
        start += 1
    if stop - start < 2:
        raise Unknown("it takes two layers and more with a gradient")
    blocks, plain = ([None if k < start else of(layer, layers[k - 1] if k else None)
                      for k, layer in enumerate(layers[:stop])] for of in (block_of, dense_of))
    first = next((k for k in range(start, stop) if plain[k] is None), stop)
    if first == stop:
        return chain(series, plain, start, stop, residual=False)
    if first <= start + 1 and all(blocks[first:stop]):
        return chain(series, blocks, first, stop, residual=True)
    row = series.rows[first]
    raise Unknown(f'layer {row.index}, "{row.name}" ({row.kind}), is neither phi(W x + b) nor x + V phi(W x)')


def chain(series, found, start, stop, residual):
    """Go through layers start ... stop - 1 by mean field, and return the prediction."""
    part = found[start:stop]
    names = {one.activation for one in part}
    if len(names) > 1:
        raise Unknown(f"the activations differ: {', '.join(sorted(map(str, names)))}")
    act, name = part[0].phi(), part[0].activation
    logs, q = [], part[0].q
    for one in part:
        inside = one.sigma_w2 * q + one.sigma_b2
        if not math.isfinite(inside):
            raise Unknown("the activations are not finite")
        slope = theory.chi_at(act, inside, 1.0)
        square = theory.length_map(act, inside, 1.0)
        if residual:
            factor, q = 1 + one.sigma_v2 * one.sigma_w2 * slope, q + one.sigma_v2 * square + one.sigma_c2
        else:
            factor, q = one.sigma_w2 * slope, square
        logs.append(0.5 * math.log10(factor) if factor > 0 else -math.inf)
    # The factor of a layer lies between its own delta and that of the layer before.
    before = max(start - 1, 0) if residual else start
    steps = logs[1 if before == start else 0:]
    profile = np.concatenate([np.cumsum(steps[::-1])[::-1], [0.0]])
    values = anchored(series.rows, before, stop, profile)
    relevant = part[1:] or part
    sigma_w2, sigma_b2 = (float(np.mean([getattr(one, of) for one in relevant])) for of in ("sigma_w2", "sigma_b2"))
    slope = slope_of(profile)
    if residual:
        sigma_v2 = float(np.mean([one.sigma_v2 for one in relevant]))
        text = f"mean field of x + V {name}(W x): " if any(one.has_v for one in part) else f"mean field of x + {name}: "
        text += f"sigma_w^2 = {sigma_w2:.3g}" + (f", sigma_v^2 = {sigma_v2:.3g}" if part[0].has_v else "")
        return Prediction("mean field, residual", slope, None, name, sigma_w2, sigma_b2, None, values,
                          f"{text}; {signed(slope)} decades a layer", part[0].q)
    try:
        chi = theory.chi_1(act, sigma_w2, sigma_b2)
    except ValueError:
        chi = None
    text = f"mean field of {name}: sigma_w^2 = {sigma_w2:.3g}, sigma_b^2 = {sigma_b2:.3g}"
    text += "" if chi is None else f", chi_1 = {chi:.3g}"
    return Prediction("mean field", slope, chi, name, sigma_w2, sigma_b2, None, values,
                      f"{text}; {signed(slope)} decades a layer", part[0].q)


def signed(slope):
    """Return a slope as text, with its sign, small ones finer."""
    return f"{slope:+.3f}" if abs(slope) >= 0.001 else f"{slope:+.1g}"


def slope_of(profile):
    """Return the slope of a profile of log10 norms, as that of a measured one is fitted."""
    if not np.isfinite(profile).all():
        return -math.inf
    off = np.arange(len(profile)) - (len(profile) - 1) / 2
    return round_off(-float(off @ profile) / float(off @ off))


def anchored(rows, start, stop, profile):
    """Return the expected norms of all rows, a profile that begins at the last ordinary one that was measured."""
    values = [None] * len(rows)
    base = next((k for k in range(stop - 1, start - 1, -1) if ordinary(rows[k].delta)), None)
    if base is None:
        return values
    at = math.log10(rows[base].delta) - profile[base - start]
    with np.errstate(over="ignore", under="ignore"):
        for k in range(start, stop):
            values[k] = float(np.power(10.0, at + profile[k - start]))
    return values


class Dense(NamedTuple):
    """phi(W x + b), or x + V phi(W x + b) + c, as far as mean field asks; variances of weights times their inputs."""

    activation: str
    node: object
    q: float
    sigma_w2: float
    sigma_b2: float
    sigma_v2: float = 1.0
    sigma_c2: float = 0.0
    has_v: bool = False

    def phi(self):
        """Return the activation in the words of the theory."""
        if self.activation == "linear":
            return "linear"
        arguments = [a for a in self.node._saved[1:] if isinstance(a, (int, float))]
        try:
            if self.activation == "leaky_relu":
                return theory.leaky_relu(*arguments[:1])
            if arguments not in ([], [1.0], [-1.0, 1.0]) or self.node._kwargs.keys() - {"kept"}:
                raise ValueError("another form of it")
            return theory.activation(self.activation)
        except ValueError as reason:
            raise Unknown(f"{self.activation}: {reason}") from None


def dense_of(layer, before):
    """Return a layer as phi(W x + b) on the output of the one before, or None."""
    linear = [v for v in layer.visits if type(v.module) is Linear]
    if len(linear) != 1 or not layer.alone or not follows(linear[0], before):
        return None
    found = phi_after(linear[0], undressed(layer.out))
    return found and Dense(*found, *moments(linear[0]))


def block_of(layer, before):
    """Return a layer as x + V phi(W x + b) + c, or without V, or None."""
    out = undressed(layer.out)
    linear = [v for v in layer.visits if type(v.module) is Linear]
    if out._fn is not np.add or len(linear) not in (1, 2) or not follows(linear[0], before):
        return None
    trunk = None if before is None else undressed(before.out)
    x, y = parents_of(out)
    x, y = (y, x) if y is trunk else (x, y)
    if y is None or x is not trunk:
        return None
    if len(linear) == 1:
        found = phi_after(linear[0], y)
        return found and Dense(*found, *moments(linear[0]))
    w, v = linear
    if y is not undressed(v.tensor) or not hasattr(v.source, "_fn"):
        return None
    found = phi_after(w, undressed(v.source))
    return found and Dense(*found, *moments(w), *moments(v)[1:], True)


def follows(visit, before):
    """Say whether a call was made on the output of the layer before, or is the first."""
    return before is None or (hasattr(visit.source, "_fn") and undressed(visit.source) is undressed(before.out))


def phi_after(visit, out):
    """Return (name, node) of the one activation between a call and a tensor, or None."""
    if out is undressed(visit.tensor):
        return "linear", None
    if out._fn in ACTIVATIONS and undressed(out._parents[0]) is undressed(visit.tensor):
        return ACTIVATIONS[out._fn], out
    return None


def moments(visit):
    """Return the mean square of a call's input, and of the weights times their number of inputs, and of the biases."""
    def mean_square(a):
        with np.errstate(over="ignore"):
            return float(np.mean(np.square(a, dtype=np.float64)))

    x = getattr(visit.source, "_array", visit.source)
    weight, bias = visit.module.weight._array, visit.module.bias
    return (mean_square(x), mean_square(weight) * weight.shape[1], 0.0 if bias is None else mean_square(bias._array))


# ------------------------------------------------------------------------------------ time steps

PHI_PRIME = {"tanh": lambda h: 1 - h * h, "relu": lambda h: (h > 0).astype(float)}


def of_steps(series, module, layer, states):
    """Return (prediction, "") for the time steps of a layer, or (None, why not)."""
    try:
        return predict_steps(series, module, layer, states), ""
    except Unknown as reason:
        return None, str(reason)


def predict_steps(series, module, layer, states):
    """Return the prediction, or raise Unknown."""
    if series.losses == "all":
        raise Unknown("it is of the way of one loss, not of a sum of many")
    phi = getattr(module, "nonlinearity", None)
    if phi not in PHI_PRIME:
        raise Unknown(f"the gates of {type(module).__name__} are beyond this theory")
    steps = [row.index for row in series.rows]
    if len(steps) < 2 or steps != list(range(steps[0], steps[-1] + 1)):
        raise Unknown("it takes two steps and more, one after the other")
    w = getattr(module, "weight_hh", None)
    w = (getattr(module, f"weight_hh_l{layer}") if w is None else w)._array.astype(np.float64)
    along = np.stack([np.atleast_2d(states[t]) for t in steps[1:]]).astype(np.float64)      # (T - 1, N, H)
    if not (np.isfinite(along).all() and np.isfinite(w).all()):
        raise Unknown("states or weights are not finite")
    radius = theory.spectral_radius(w)
    slopes = PHI_PRIME[phi](along)
    if float(np.mean(slopes ** 2)) >= NEARLY_LINEAR:
        name, rate = "spectral radius", math.log(radius) if radius > 0 else -math.inf
        said = "the states are nearly linear"
    else:
        name, rate, said = "Lyapunov exponent", exponent(w, slopes), "along the states"
    slope = rate / math.log(10)
    profile = slope * np.arange(len(steps) - 1, -1, -1.0) if math.isfinite(slope) else np.zeros(len(steps))
    values = anchored(series.rows, 0, len(steps), profile) if math.isfinite(slope) else [None] * len(steps)
    return Prediction(name, round_off(slope), None, phi, None, None, radius, values,
                      f"{name} {said}: {signed(slope)} decades a step (spectral radius of W_hh {radius:.3g})")


def from_above(stack):
    """Let the series of a stack of recurrent layers have the exponent of the slowest way down, in place.

    At every step delta comes down from the layer above as well, so that over many steps the way on which it shrinks
    least counts, be it in the layer itself or in one above: the exponent of a product of block triangular matrices is
    the largest of those of its blocks (Furstenberg and Kifer 1983).

    Args:
        stack: series of one pass and one loss, by the number of their layer.
    """
    best = unknown = None
    for layer in sorted(stack, reverse=True):
        series = stack[layer]
        if unknown is not None:
            series.prediction, series.why_none = None, f"delta comes down from layer {unknown}, which has none"
        elif series.prediction is None:
            unknown = layer
        elif best is None or series.prediction.slope >= stack[best].prediction.slope:
            best = layer
        else:
            series.prediction = handed_down(series.rows, stack[best].prediction, best)


def handed_down(rows, prediction, layer):
    """Return the prediction of a layer for rows of a layer below it."""
    profile = prediction.slope * np.arange(len(rows) - 1, -1, -1.0)
    values = anchored(rows, 0, len(rows), profile) if math.isfinite(prediction.slope) else [None] * len(rows)
    return prediction._replace(values=values, above=layer, text=(
        f"{prediction.text}; that is of layer {layer}, from where delta comes down at every step"))


def exponent(w, slopes):
    """Return the rate of ||dL/dh_t|| over a batch, from the largest Lyapunov exponent of each sequence.

    It is what :func:`minigrad.theory.lyapunov` finds with k = 1: one vector a sequence goes along its Jacobians
    diag(f') W, and its length is taken out at every step.  The norm over a batch is that of its longest parts, so with
    exponents l_n over T steps the rate is ln(mean exp(2 l_n T)) / (2 T).

    Args:
        w: recurrent matrix (H, H).
        slopes: f' along the states, (T, N, H).
    """
    steps, sequences, size = slopes.shape
    v = np.random.default_rng(0).normal(size=(sequences, size))
    logs = np.empty((steps, sequences))
    with np.errstate(divide="ignore", invalid="ignore"):
        for t, slope in enumerate(slopes):
            v = slope * (v @ w.T)
            lengths = np.sqrt(np.sum(v * v, axis=1))
            logs[t] = np.log(lengths)
            v = np.where(lengths[:, None] > 0, v / lengths[:, None], 0.0)
        kept = logs[steps // 10:]                       # the first tenth, while the vector turns into place
        totals = kept.sum(axis=0)
        largest = totals.max()
        if largest == -math.inf:
            return -math.inf
        return float(largest + 0.5 * np.log(np.mean(np.exp(2 * (totals - largest))))) / len(kept)

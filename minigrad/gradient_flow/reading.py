"""From what was measured to rows of layers: norms, shares, and deltas that left the range of floats."""

import math

import numpy as np

from minigrad.gradient_flow.layers import dead_share, layers_of, saturated_share
from minigrad.gradient_flow.rows import Row, Series, ordinary
from minigrad.norms import norm

LAYERS = "layers"
"""Name of the series of layers."""


def series_of_layers(measured, updates):
    """Return the layers of a net as a series, and as :class:`~minigrad.gradient_flow.layers.Layer` objects.

    Args:
        measured: a :class:`~minigrad.gradient_flow.measuring.Measured`.
        updates: name of a parameter -> norm of its next update; empty if that is not known.
    """
    layers, chained = layers_of(measured.visits, measured.tape)
    layers = [layer for layer in layers if not layer.is_cell]
    calls = {}
    for layer in layers:
        for _, p in layer.weights:
            calls[id(p)] = calls.get(id(p), 0) + 1
    rows = [row_of(number, layer, measured, updates) for number, layer in enumerate(layers, start=1)]
    for row, layer in zip(rows, layers):
        row.calls = max((calls[id(p)] for _, p in layer.weights), default=1)
    series = Series(LAYERS, "layer", rows, fitted_part(layers, rows, measured), branched=not chained)
    series.notes += untrained(series, layers)
    if not chained:
        series.notes.append("the ways branch: a row per call of a module with weights, in order; delta does not "
                            "go from row to row")
    elif any(not layer.is_recurrent for layer in layers):
        for row, log in zip(rows, carried([layer.out for layer in layers], rows, measured)):
            row.log10_delta = log
    return series, layers


def untrained(series, layers):
    """Count the layers that no gradient is sent to, as nothing there or before is trained; return a note, in a list."""
    at = [row.index for row, layer in zip(series.rows, layers) if layer.weights and not layer.out.requires_grad]
    series.untrained = len(at)
    if not at:
        return []
    frozen = not any(p.requires_grad for layer in layers if not layer.out.requires_grad for _, p in layer.weights)
    through = len(at) > 2 and list(range(at[0], at[-1] + 1)) == at
    which = f"{at[0]} to {at[-1]}" if through else ", ".join(map(str, at[:-1])) + " and " * (len(at) > 1) + str(at[-1])
    why = "frozen (requires_grad is False)" if frozen else "run without a gradient (mg.no_grad)"
    return [f"layer{'s' * (len(at) > 1)} {which} {'are' if len(at) > 1 else 'is'} {why}: no gradient is sent there, "
            f"and delta is shown as -"]


def row_of(number, layer, measured, updates):
    """Return the row of one layer, without what needs its neighbours."""
    h = layer.out._array
    delta = measured.deltas.get(layer.out._number)
    gradients = [measured.gradients.get(name) for name, _ in layer.weights]
    name, y = layer.activation
    channels_first = any(p.ndim > 2 for _, p in layer.weights)
    moved = [(updates[key], norm(p._array)) for key, p in layer.weights if key in updates]
    length, weight = (norm(np.array(column)) for column in zip(*moved)) if moved else (None, 0.0)
    return Row(number, layer.name or "(net)", layer.kind, width=math.prod(h.shape[1:]),
               activation=norm(h), **norms_of(delta),
               gradient=norm(gradients) if any(g is not None for g in gradients) else None,
               saturated=None if name is None else saturated_share(name, y._array),
               dead=None if name is None else dead_share(name, y._array, channels_first),
               update_to_data=length / weight if weight else None)


def norms_of(delta):
    """Return what a row says of dL/dh: its norm, its zeros, and whether its entries have lost their digits."""
    if delta is None:
        return {}
    length = norm(delta)
    least = 8 * float(np.finfo(delta.dtype).smallest_subnormal)
    return {"delta": length, "zeros": float(np.mean(delta == 0)) if delta.size else None,
            "coarse": 0 < length < least * math.sqrt(delta.size)}


def fitted_part(layers, rows, measured):
    """Return which rows a line is drawn through: all, but for an output layer that is unlike the others."""
    if len(rows) < 3 or measured.output is None or layers[-1].out._number < measured.output._number:
        return slice(0, len(rows))
    last, before = layers[-1], layers[-2]
    alike = rows[-1].width == rows[-2].width and last.activation[0] == before.activation[0]
    return slice(0, len(rows) if alike else len(rows) - 1)


def carried(tensors, rows, measured):
    """Return log10 of every delta, where it is ordinary or can be found by carrying its exponent apart; else None.

    All of the gradient passes each tensor, so a sweep may begin anew at one of them with dL/dh there times a power of
    two: what comes before is multiplied by the same, and is back in the range of floats.
    """
    arrays = [measured.deltas.get(t._number) for t in tensors]
    logs = [math.log10(row.delta) if ordinary(row.delta) else None for row in rows]
    known = [a is None or (ordinary(row.delta) and not row.coarse) for a, row in zip(arrays, rows)]
    offsets = [0.0] * len(rows)                             # log10 of what the arrays have to be multiplied by
    while not all(known):
        edge = max(k for k, there in enumerate(known) if not there)
        start = beginning(arrays, edge)
        if start is None:
            break
        lift = np.finfo(arrays[start].dtype).maxexp // 2 if rows[edge].coarse or rows[edge].delta == 0 else 0
        exponent = math.frexp(norm(arrays[start]))[1] - lift
        found = measured.sweep([tensors[start]], [np.ldexp(arrays[start], -exponent)], tensors[:start])
        for k in range(start):
            read = norms_of(found.get(tensors[k]._number))
            if read and ordinary(read["delta"]) and not read["coarse"]:
                arrays[k] = found[tensors[k]._number]
                offsets[k] = offsets[start] + exponent * math.log10(2)
                if not known[k]:
                    logs[k], known[k] = math.log10(read["delta"]) + offsets[k], True
        if not known[edge]:
            break                                           # it is 0, or NaN, whatever the scale
    return logs


def beginning(arrays, edge):
    """Return where to begin anew: the first place behind an edge where all that counts of delta has its digits.

    Where there is none, as in float16, the place of the largest delta; None where there is nothing to begin with.
    """
    norms = {k: norm(a) for k, a in enumerate(arrays) if k > edge and a is not None}
    norms = {k: n for k, n in norms.items() if ordinary(n)}
    sound = [k for k, n in norms.items() if n > np.finfo(arrays[k].dtype).tiny / np.finfo(arrays[k].dtype).eps]
    return min(sound) if sound else max(norms, key=norms.get, default=None)


def notes_of(measured):
    """Return what must be said of the pass as a whole."""
    notes = []
    loss = measured.loss.item()
    if not math.isfinite(loss):
        notes.append(f"the loss itself is {loss}")
    unseen = [v.name or type(v.module).__name__ for v in measured.visits
              if v.module is not None and v.weights and v.tensor.requires_grad
              and v.tensor._number not in measured.tape.reached]
    if unseen:
        few = ", ".join(unseen[:3]) + (f" and {len(unseen) - 3} more" if len(unseen) > 3 else "")
        notes.append(f"the loss does not depend on the output of {few} (detached, unused, or inside mg.checkpoint)")
    return notes

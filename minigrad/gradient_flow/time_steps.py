"""From what was measured to rows of time steps: of nn.RNN, nn.LSTM and nn.GRU, and of cells called in a loop."""

import math

import numpy as np

from minigrad.gradient_flow.layers import dead_share, saturated_share
from minigrad.gradient_flow.reading import carried, norms_of
from minigrad.gradient_flow.rows import Row, Series, ordinary
from minigrad.nn.cells import Cell
from minigrad.norms import norm

SLOPES = {"tanh": lambda h: 1 - h * h, "relu": lambda h: (h > 0).astype(h.dtype)}
"""The slope of each nonlinearity of a plain recurrence, from its value."""


def series_of_steps(measured):
    """Return a series for each layer of a recurrent module in each pass, and for each cell that was called in a loop.

    Where the loss acts on several steps there are two: one of the last loss alone, which shows what a gradient loses on
    its way, and one of dL/dh_t as it is, the sum over all later losses.  With each comes what a prediction needs:
    (module, number of its layer, t -> h_t, what is the same for all layers of one pass).
    """
    found, alone = [], {}
    names = names_of(measured.steps)
    for steps in measured.steps:
        if not steps.deltas:
            continue
        name, acting = names[id(steps)], acting_steps(steps)
        series = from_steps(name, steps, steps.deltas, steps.cells)
        series.source = steps
        if acting is not None and len(acting) > 1:
            if id(steps.visit) not in alone:
                alone[id(steps.visit)] = last_alone(steps.visit, steps.module, acting[-1], measured)
            deltas, cells = alone[id(steps.visit)][id(steps)]
            if deltas:
                one = from_steps(f"{name}, loss of step {acting[-1]} alone", steps, deltas, cells)
                one.losses = "alone"
                found.append((one, (steps.module, steps.layer, steps.states, steps.visit)))
            series.name, series.losses = f"{name}, all losses", "all"
            series.notes.append(f"{name}: the loss acts on {len(acting)} of {len(series.rows)} steps, so dL/dh_t is a "
                                f"sum over all later losses, and its slope hides what each of them loses on its way")
        found.append((series, (steps.module, steps.layer, steps.states, steps.visit)))
    for module in dict.fromkeys(v.module for v in measured.visits if isinstance(v.module, Cell)):
        visits = [v for v in measured.visits if v.module is module]
        if len(visits) > 1:
            found.append(from_cell(visits, measured))
    return [(series, source) for series, source in found if series.rows]


def names_of(steps):
    """Return a name for each layer and call of a recurrent module, by the id of its Steps."""
    names = {}
    for one in steps:
        several = f", layer {one.layer}" if one.module.num_layers > 1 else ""
        names[id(one)] = (one.name or type(one.module).__name__) + several
    counts, seen, out = {}, {}, {}
    for name in names.values():
        counts[name] = counts.get(name, 0) + 1
    for key, name in names.items():
        seen[name] = seen.get(name, 0) + 1
        out[key] = f"{name}, call {seen[name]}" if counts[name] > 1 else name
    return out


def from_steps(name, steps, deltas, cells):
    """Return a series of one layer of nn.RNN, nn.LSTM or nn.GRU in one pass."""
    module, rows = steps.module, []
    for t in sorted(deltas):
        rows.append(step_row(t, steps.name, module, steps.states[t], deltas[t]))
        if t in cells:
            rows[-1].cell = norm(cells[t])
        if t - 1 in steps.states:
            rows[-1].gradient = immediate(module, deltas[t], steps.states[t], steps.states[t - 1])
    return trimmed(Series(name, "step", rows))


def from_cell(visits, measured):
    """Return the series of a cell that was called again and again, and what a prediction needs."""
    module, rows, states = visits[0].module, [], {}
    for t, visit in enumerate(visits):
        delta = measured.deltas.get(visit.tensor._number)
        if delta is None:
            continue
        states[t] = visit.tensor._array
        rows.append(step_row(t, visit.name, module, states[t], delta))
        cell = None if visit.cell is None else measured.deltas.get(visit.cell._number)
        rows[-1].cell = None if cell is None else norm(cell)
        if t - 1 in states:
            rows[-1].gradient = immediate(module, delta, states[t], states[t - 1])
    series = trimmed(Series(visits[0].name or type(module).__name__, "step", rows))
    tensors = [visits[row.index].tensor for row in series.rows]
    if all(t._number in measured.tape.gateways for t in tensors):
        for row, log in zip(series.rows, carried(tensors, series.rows, measured)):
            row.log10_delta = log
    elif visits[0].cell is None:
        series.losses = "all"
        series.notes.append(f"{series.name}: the loss depends on its states by other ways than the last one, so "
                            f"dL/dh_t is a sum over them, and its slope hides what each of them loses on its way")
    return series, (module, 0, states, visits[0])


def step_row(t, name, module, h, delta):
    """Return the row of one time step."""
    phi = nonlinearity_of(module)
    return Row(t, name, type(module).__name__, width=h.shape[-1], activation=norm(h), **norms_of(delta),
               saturated=saturated_share(phi, h), dead=dead_share(phi, h))


def nonlinearity_of(module):
    """Return "tanh" or "relu" for a plain recurrence, else None."""
    return getattr(module, "nonlinearity", None)


def immediate(module, delta, h, before):
    """Return the norm of the part of dL/dW_hh that comes from one step, (delta_t f'(h_t))^T h_(t-1), or None."""
    if nonlinearity_of(module) not in SLOPES:
        return None
    a = np.atleast_2d(delta * SLOPES[nonlinearity_of(module)](h)).astype(np.float64)
    before = np.atleast_2d(before).astype(np.float64)
    largest = float(np.abs(a).max(initial=0.0))
    with np.errstate(all="ignore"):
        if not ordinary(largest):
            return norm(a.T @ before)
        exponent = math.frexp(largest)[1]
        return float(np.ldexp(norm(np.ldexp(a, -exponent).T @ before), exponent))


def trimmed(series):
    """Leave out steps at the end on which the loss does not depend, and say so; return the series."""
    rows = series.rows
    last = max((k for k, row in enumerate(rows) if row.delta != 0), default=len(rows) - 1)
    if last + 1 < len(rows):
        series.notes.append(f"{series.name}: the loss does not depend on the last {len(rows) - last - 1} of "
                            f"{len(rows)} steps, which are left out")
        del rows[last + 1:]
    return series


# -------------------------------------------------------------------------- losses at several steps

def acting_steps(steps):
    """Return on which steps the loss acts by way of the module's output; None where no gradient came to that."""
    g = None if steps.visit is None else steps.visit.gradient
    if g is None:
        return None
    time = time_axis(steps.module, g)
    others = tuple(axis for axis in range(g.ndim) if axis != time)
    return np.flatnonzero((g != 0).any(axis=others)).tolist()


def time_axis(module, output):
    """Return the axis of time in a module's output."""
    return 1 if module.batch_first and output.ndim == 3 else 0


def last_alone(visit, module, t, measured):
    """Sweep back with the loss on one step of a module's output alone.

    Returns:
        id of a Steps -> (deltas, cells), as they come then.
    """
    g, place = visit.gradient, [slice(None)] * visit.gradient.ndim
    place[time_axis(module, g)] = t
    seed = np.zeros_like(g)
    seed[tuple(place)] = g[tuple(place)]
    held = [(steps, steps.deltas, steps.cells) for steps in measured.steps]
    try:
        measured.sweep_steps([visit.tensor], [seed])
        return {id(steps): (steps.deltas, steps.cells) for steps in measured.steps}
    finally:
        for steps, deltas, cells in held:
            steps.deltas, steps.cells = deltas, cells


# ------------------------------------------------------------------------------ the ends of floats

def carry_steps(found, measured):
    """Find log10 of the deltas of time steps that left the range of floats, by a sweep from a multiple of the loss.

    A recurrent layer is one operation, in which no sweep can begin anew, so this reaches 300 decades further only.
    """
    rows = [row for series in found if series.source for row in series.rows if row.delta is not None]
    lost = [row for row in rows if row.delta == 0 or math.isinf(row.delta) or row.coarse]
    if not lost:
        return
    limits = np.finfo(measured.loss.dtype)
    largest = max((math.log2(row.delta) for row in rows if ordinary(row.delta)), default=0.0)
    small = any(row.delta == 0 or row.coarse for row in lost)
    shift = int(math.log2(float(limits.max)) - 20 - largest if small else math.log2(float(limits.tiny)) + 20)
    shift = max(min(shift, limits.maxexp - 2), limits.minexp + 2)
    measured.sweep_steps([measured.loss], [np.full_like(measured.loss._array, math.ldexp(1.0, shift))])
    for series in found:
        for row in series.rows if series.source else ():
            read = norms_of(series.source.deltas.get(row.index))
            if read and (row.coarse or not ordinary(row.delta)) and ordinary(read["delta"]) and not read["coarse"]:
                row.log10_delta = math.log10(read["delta"]) - shift * math.log10(2)

"""A column of a trace as a matrix: a row per parameter, layer or group, a column per step."""

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from minigrad.norms import root, scale_of

NORMS = ("norm_in", "norm_out", "data")
COUNTS = ("nan", "inf", "zero", "missing")


class Matrix(NamedTuple):
    """Numbers per parameter (or layer, or group) and step.

    Attributes:
        steps: int array (S,), the ``step`` of each call; under ``Accumulate`` micro-batches share one.
        names: list of the P names.
        values: float array (P, S); what was measured as NaN is NaN, and what is ``missing`` too.
        missing: bool array (P, S), where there was no gradient, or no row.
    """

    steps: np.ndarray
    names: list
    values: np.ndarray
    missing: np.ndarray


def layer_of(parameter):
    """Return the layer of a parameter: its name up to the last dot; "0.weight" is of layer "0", and "w" of "w"."""
    return parameter.rpartition(".")[0] or parameter


def calls(table):
    """Return for each row the number of the call of ``optimizer.step`` (or ``trace.record``) that it is of, from 0.

    A call begins with a row of stage 0 of all parameters together; without such rows, where step or micro_step changes.
    """
    step, micro = table["step"].array, table["micro_step"].array
    starts = table["parameter"].equals("") & (table["stage"].array == 0)
    starts[1:] |= (np.diff(step) != 0) | (np.diff(micro) != 0)
    starts[:1] = True
    return np.cumsum(starts) - 1


def calls_with_parameters(trace, stage=0):
    """Return the numbers of the calls that the columns of a trace's matrix of a stage are of."""
    table = trace._kept.table
    chosen = ~table["parameter"].equals("") & (table["stage"].array == stage) & ~table["place"].equals("time")
    return np.unique(calls(table)[chosen])


def calls_of(table):
    """Return the rows of a table as a list per call."""
    found = []
    for call, row in zip(calls(table).tolist(), table.rows(), strict=True):
        if call == len(found):
            found.append([])
        found[-1].append(row)
    return found


def grid(table, name, chosen, by):
    """Return one column of the chosen rows, which are of single parameters, as a Matrix.

    Args:
        table: the Columns.
        name: of a column of numbers.
        chosen: bool array, a row of the table each.
        by: "parameter", "layer", a function parameter name -> name, or a mapping name -> list of parameters.
    """
    if name not in (*NORMS, *COUNTS, "coefficient", "cosine", "p", "threshold"):
        raise KeyError(f"no matrix of {name!r}; there are {', '.join((*NORMS, 'coefficient', 'cosine', *COUNTS))}")
    singly = by_parameter(table, name, chosen)
    if by == "parameter":
        return singly
    group = layers_of(by, singly.names)
    names = list(dict.fromkeys(group[p] for p in singly.names if p in group))
    if name in NORMS:
        p = np.nan_to_num(by_parameter(table, "p", chosen).values, nan=2.0)
    elif name == "coefficient":
        before, after = (grid(table, norm, chosen, by) for norm in ("norm_in", "norm_out"))
        with np.errstate(all="ignore"):
            return before._replace(values=np.where(before.values > 0, after.values / before.values, np.nan))
    elif name not in COUNTS:
        raise ValueError(f"{name} of several parameters together is not known from those of each; it is there "
                         f"by='parameter', and of all together in trace.column({name!r}, ...)")
    shape = (len(names), len(singly.steps))
    values, missing = np.full(shape, np.nan), np.ones(shape, bool)
    for i, wanted in enumerate(names):
        members = [k for k, p in enumerate(singly.names) if group.get(p) == wanted]
        gone = singly.missing[members]
        there = np.where(gone, 0.0, singly.values[members])
        missing[i] = gone.all(0)
        values[i] = together(there, p[members].max(0)) if name in NORMS else there.sum(0)
        values[i, missing[i]] = np.nan
    return Matrix(singly.steps, names, values, missing)


def by_parameter(table, name, chosen):
    """Return one column of the chosen rows as a Matrix with a row per parameter."""
    column, parameter = table[name], table["parameter"]
    codes = parameter.array[chosen]
    found, first, place = np.unique(codes, return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first))                    # in order of first appearance
    call, where = np.unique(calls(table)[chosen], return_inverse=True)
    shape = (len(found), len(call))
    values, missing, steps = np.full(shape, np.nan), np.ones(shape, bool), np.zeros(len(call), np.int64)
    coded = column.array[chosen]
    cells = (rank[place], where)
    values[cells] = column.numbers(coded)
    missing[cells] = column.absent(coded) | (table["missing"].array[chosen] == 1)
    values[missing] = np.nan
    steps[where] = table["step"].array[chosen]
    names = [parameter.names[code] for code in found[np.argsort(first)].tolist()]
    return Matrix(steps, names, values, missing)


def layers_of(by, parameters):
    """Return parameter -> the name of the layer, or whatever ``by`` says, that it belongs to."""
    if by == "layer":
        return {p: layer_of(p) for p in parameters}
    if isinstance(by, Mapping):
        odd = [p for members in by.values() for p in members if p not in parameters]
        if odd:
            raise ValueError(f"by: there are no rows of {', '.join(map(repr, odd[:5]))}; there are parameters "
                             f"{', '.join(parameters[:10])}")
        return {p: name for name, members in by.items() for p in members}
    if callable(by):
        return {p: str(by(p)) for p in parameters}
    raise ValueError(f"by = {by!r}: 'parameter', 'layer', a function of a parameter's name, or a dict name -> list of "
                     f"parameters")


def together(norms, p):
    """Return the p-norm of vectors together from the p-norm of each: along axis 0, p being (S,)."""
    largest = norms.max(0)
    out = largest.copy()                                    # 0, inf and NaN are what they are
    usual = (largest > 0) & (largest < math.inf) & (p < math.inf)
    for order in np.unique(p[usual]).tolist():
        here = usual & (p == order)
        scale = scale_of(largest[here], order)
        with np.errstate(under="ignore", over="ignore"):
            out[here] = root(((norms[:, here] / scale) ** order).sum(0), order) * scale
    return out

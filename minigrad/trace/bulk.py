"""Tables of whole columns."""

import numpy as np

from minigrad.trace.columns import KINDS, NO_NUMBER, Columns, Texts, Wholes
from minigrad.trace.row import Row

USUAL = {"stage": 0, "hook": "backward", "place": "gradient", "group": "", "parameter": "", "status": "pass",
         "outcome": "step", "reason": "", "p": 2.0, "weight": 1.0, "extra": ""}
"""What columns hold that nobody gives; the others: nothing."""


def columns_of(given):
    """Return the Columns of a mapping column name -> sequence or single value; see :meth:`NormTrace.from_columns`."""
    odd = [name for name in given if name not in Row._fields]
    if odd:
        raise KeyError(f"no column {', '.join(map(repr, odd))}; there are {', '.join(Row._fields)}")
    if "norm_in" not in given:
        raise ValueError(f"a trace needs the column norm_in; given are {', '.join(given) or 'none'}")
    sequences = {name: value if hasattr(value, "__len__") else list(value) for name, value in given.items()
                 if not single(value)}
    lengths = {name: len(value) for name, value in sequences.items()}
    if len(set(lengths.values())) != 1:
        raise ValueError("columns are sequences of one length, not "
                         + (", ".join(f"{name}: {n}" for name, n in lengths.items()) or "single values alone"))
    size = next(iter(lengths.values()))
    full = {}
    for name in Row._fields:
        value = coded(name, sequences.get(name, [given.get(name, USUAL.get(name))]))
        if name not in sequences:
            value = value * size if KINDS[name] is Texts else np.repeat(value, size)
        full[name] = value
    if "step" not in given:
        full["step"] = np.arange(size)
    if "micro_step" not in given:
        full["micro_step"] = np.cumsum(np.diff(full["step"], prepend=full["step"][:1]) != 0)
    refuse_negative(full)
    if "norm_out" not in given:             # stage 0 is looked at, and passed on as it is
        full["norm_out"] = np.where(full["stage"] == 0, full["norm_in"], NO_NUMBER)
    table = Columns()
    table.extend_by_column(full)
    return table


def refuse_negative(columns):
    """Refuse norms below 0 among columns of numbers as they are kept.

    Raises:
        ValueError: naming the column, and the place and the value of the first.
    """
    for name in ("norm_in", "norm_out", "data"):
        values = KINDS[name]().code(columns.get(name, ()))
        below = values < 0
        if below.any():
            first = int(np.argmax(below))
            raise ValueError(f"column {name}: {float(values[first])!r} at place {first} is no norm, as it is below 0; "
                             f"give None where there is none")


def single(value):
    """Return whether a value is one for all rows."""
    return isinstance(value, str) or not hasattr(value, "__iter__") or getattr(value, "ndim", 1) == 0


def coded(name, values):
    """Return the values of a column as the table takes them: of numbers as they are kept.

    Raises:
        ValueError: naming the column, if a value is none.
    """
    kind = KINDS[name]
    values = values if isinstance(values, np.ndarray) else list(values)
    if kind is Texts:
        return values.tolist() if isinstance(values, np.ndarray) else values
    column = kind()
    try:
        if kind is Wholes:
            values = wholes(values)
        return column.code(values).astype(kind.dtype, copy=False)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"column {name}: {error}") from None


def wholes(values):
    """Return values with whole floats as ints, and NaN, by which many mark what is missing, as None."""
    kind = values.dtype.kind if isinstance(values, np.ndarray) else ""
    if kind in "iub" and kind:
        return values
    out = []
    for value in values.tolist() if kind else values:
        if isinstance(value, float):
            if value != value:
                value = None
            elif value % 1:
                raise ValueError(f"{value!r} is no whole number")
        out.append(value if value is None else int(value))
    return out

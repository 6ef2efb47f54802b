"""One row of a trace, and what its columns hold."""

from typing import NamedTuple


class Row(NamedTuple):
    """One row of a trace; the columns are described at the head of :mod:`minigrad.trace`."""

    step: int
    micro_step: int
    stage: int
    hook: str
    place: str
    group: str
    parameter: str
    status: str
    outcome: str
    reason: str
    p: float
    norm_in: float | None
    norm_out: float | None
    coefficient: float | None
    cosine: float | None
    threshold: float | None
    nan: int | None
    inf: int | None
    zero: int | None
    missing: int | None
    weight: float
    lr: float
    loss: float | None
    extra: str = ""
    data: float | None = None


TEXT = ("hook", "place", "group", "parameter", "status", "outcome", "reason", "extra")
WHOLE = ("step", "micro_step", "stage", "nan", "inf", "zero", "missing")


def rows_of(report):
    """Return the rows of one step of an optimizer, from its StepReport.

    Raises:
        TypeError: if a hook noted something that is no number where there should be one.
    """
    rows = []
    for stage in report.stages:
        rows.append(row(report, stage, ""))
        rows += [row(report, record, name) for name, record in stage.parameters.items()]
    return rows


def row(report, stage, parameter):
    """Return the row of one stage (or one parameter in it) of a step."""
    return checked(Row(
        report.step, report.micro_step, stage.index, stage.hook, stage.place, stage.group, parameter, stage.status,
        report.status, stage.reason, stage.p, stage.norm_in, stage.norm_out, stage.coefficient, stage.cosine,
        stage.threshold, stage.nan, stage.inf, stage.zero, stage.missing, report.weight, report.lr, report.loss,
        as_json(stage.extra), stage.data))


KINDS = tuple(str if name in TEXT else int if name in WHOLE else float for name in Row._fields)


def checked(given):
    """Return a row whose values are of the kinds of their columns; a hook may have noted anything.

    Raises:
        TypeError: naming the hook, if something is no number that should be one.
    """
    for kind, value in zip(KINDS, given, strict=True):
        if type(value) is not kind and value is not None:
            return Row(*[fitted(given, name, kind, value) for name, kind, value in zip(Row._fields, KINDS, given)])
    return given


def fitted(given, name, kind, value):
    """Return one value of a row as its column takes it."""
    if value is None or type(value) is kind:
        return value
    try:
        if isinstance(value, str) and kind is not str:
            raise TypeError
        found = kind(value)
        if kind is int and found != value:
            raise TypeError
        return found
    except (TypeError, ValueError, OverflowError):
        raise TypeError(f"{name}={value!r} in a row of hook {given[3]} is no {'whole ' * (kind is int)}number; if the "
                        f"hook noted it, let it have another name, ctx.note(my_{name}=...)") from None


def as_json(extra):
    """Return what a hook noted as text; empty for nothing."""
    if not extra:
        return ""
    import json  # here, as who only trains need not wait for it

    try:
        return json.dumps(extra, default=str)
    except (TypeError, ValueError):             # keys that are no text, or what contains itself
        return json.dumps(str(extra))

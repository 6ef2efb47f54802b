"""NormTrace: what happened to the gradient, per step and stage, as data.

Attach one to an optimizer and every step is recorded: the norm before and after each hook, how much it scaled and
turned the gradient, and what was not finite, zero or missing.  A row per step and stage (and per parameter, on
request), with these columns:

    step         updates made before this one
    micro_step   calls of optimizer.step made before this one
    stage        0 for the gradient as backward left it, then 1, 2, ... for the hooks, the update hooks and the update
    hook         name of the hook; "backward" for stage 0 ("flush" where a window was flushed), "update" for the update
    place        "gradient" or "update"
    group        name of the parameter group whose own hook it is; empty for a hook of all parameters
    parameter    name of the parameter; empty for all of them together
    status       "pass"; "hold", "skip" or "raise" where the hook stopped the step; "window" where it released a window
    outcome      of the whole step: "step", "hold", "skip" or "raise"
    reason       why the hook held, skipped or raised, or what it noted
    p            which p-norm the norms and the threshold are in
    norm_in, norm_out, coefficient, cosine, threshold
    nan, inf, zero   elements of what came in that are NaN, infinite, zero
    missing      parameters without a gradient
    weight, lr, loss     as given to optimizer.step (the weight of a flushed window is the sum in it)
    extra        what else the hook noted, as JSON

An empty cell means not applicable.
"""

import math
from typing import NamedTuple

import numpy as np

from minigrad.files import whole


class Row(NamedTuple):
    """One row of a trace; the columns are described at the head of this file."""

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


TEXT = ("hook", "place", "group", "parameter", "status", "outcome", "reason", "extra")
WHOLE = ("step", "micro_step", "stage", "nan", "inf", "zero", "missing")


class NormTrace:
    """Norms per step and stage.

    Args:
        per_parameter: also keep a row for each parameter in each stage.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import hooks, optim
        >>> w = mg.tensor([0.0, 0.0], requires_grad=True)
        >>> trace = mg.NormTrace()
        >>> opt = optim.SGD([w], lr=0.1, hooks=[hooks.ClipNorm(1.0)], trace=trace)
        >>> for g in ([3.0, 4.0], [0.3, 0.4]):
        ...     w.grad = g
        ...     report = opt.step()
        >>> trace.column("norm_in", hook="ClipNorm"), trace.column("norm_out", hook="ClipNorm")
        (array([5. , 0.5]), array([1. , 0.5]))
        >>> trace.share_clipped()
        0.5
    """

    def __init__(self, per_parameter=False):
        self.per_parameter = per_parameter
        self.rows = []

    def record_report(self, report):
        """Append what one step did; the optimizer calls this."""
        for stage in report.stages:
            self.rows.append(row(report, stage, ""))
            for name, record in stage.parameters.items():
                self.rows.append(row(report, record, name))

    def __len__(self):
        return len(self.rows)

    def __eq__(self, other):
        if not isinstance(other, NormTrace):
            return NotImplemented
        return len(self) == len(other) and all(same(a, b) for mine, theirs in zip(self.rows, other.rows)
                                               for a, b in zip(mine, theirs))

    __hash__ = None

    def __repr__(self):
        names = ", ".join(self.hooks()) or "none"
        return f"NormTrace({len(self.steps())} steps, {len(self.rows)} rows, stages: {names})"

    def select(self, **wanted):
        """Return the rows whose columns have these values; of all parameters together unless ``parameter=`` is given.

        Raises:
            KeyError: for a column that does not exist.
        """
        wanted = {"parameter": "", **wanted}
        places = [(column_index(name), value) for name, value in wanted.items()]
        return [r for r in self.rows if all(r[i] == value for i, value in places)]

    def column(self, name, **wanted):
        """Return one column of the selected rows as an array; what is not applicable is NaN.

        Example:
            ``trace.column("norm_in", stage=0)`` is the norm per step of the gradient that backward produced.
        """
        index = column_index(name)
        values = [r[index] for r in self.select(**wanted)]
        if name in TEXT:
            return np.array(values, dtype=str)
        return np.array([math.nan if v is None else v for v in values], dtype=float)

    def hooks(self):
        """Return the names of the stages in order of first appearance."""
        return list(dict.fromkeys(r.hook for r in self.rows))

    def parameters(self):
        """Return the names of the parameters that have rows of their own."""
        return list(dict.fromkeys(r.parameter for r in self.rows if r.parameter))

    def steps(self):
        """Return the rows of each step (each call of ``optimizer.step`` or ``flush``), all parameters together."""
        found = []
        for r in self.rows:
            if not r.parameter:
                if r.stage == 0 or not found:
                    found.append([])
                found[-1].append(r)
        return found

    def clip_stage(self):
        """Return the number of the last gradient stage that has a threshold, or None.

        A clip of all parameters together comes before one of a group's own.
        """
        stages = [(r.group == "", r.stage) for r in self.rows if r.threshold is not None and r.place == "gradient"]
        return max(stages)[1] if stages else None

    def share_clipped(self):
        """Return the share of the gradients that reached a clip which it shortened; NaN where there was none."""
        stage = self.clip_stage()
        coefficients = [] if stage is None else [r.coefficient for r in self.select(stage=stage)]
        return sum(c is not None and c < 1 for c in coefficients) / len(coefficients) if coefficients else math.nan

    def save(self, path):
        """Write the trace as CSV, without loss; the file appears whole or not at all."""
        import csv  # here and below: who only trains need not wait for it

        with whole(path) as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(Row._fields)
            writer.writerows([cell(v) for v in r] for r in self.rows)

    @classmethod
    def load(cls, path):
        """Read a trace written by :meth:`save`.

        Raises:
            ValueError: naming the file, and the line, if it is not such a file.
        """
        import csv
        import io

        try:
            with open(path, encoding="utf-8", newline="") as file:
                text = file.read()
        except UnicodeDecodeError:
            raise ValueError(f"{path} is no trace: it is not a text file") from None
        reader = csv.reader(io.StringIO(text, newline=""))
        trace = cls()
        try:
            header = next(reader, None)
            if header != list(Row._fields):
                raise ValueError(f"{path} is no trace: its first line should be {','.join(Row._fields)}, "
                                 f"and is {','.join(header)[:200] if header else 'empty'}")
            for cells in reader:
                try:
                    values = [parse(name, cell) for name, cell in zip(Row._fields, cells, strict=True)]
                except ValueError as error:
                    raise ValueError(f"{path}, line {reader.line_num}: {error}") from None
                trace.rows.append(Row(*values))
        except csv.Error as error:
            raise ValueError(f"{path}, line {reader.line_num}: {error}") from None
        if not text.endswith("\n"):
            raise ValueError(f"{path}, line {reader.line_num}: the file is cut short here")
        trace.per_parameter = any(r.parameter for r in trace.rows)
        return trace


def row(report, stage, parameter):
    """Return the row of one stage (or one parameter in it) of a step."""
    return Row(report.step, report.micro_step, stage.index, stage.hook, stage.place, stage.group, parameter,
               stage.status, report.status, stage.reason, stage.p, stage.norm_in, stage.norm_out, stage.coefficient,
               stage.cosine, stage.threshold, stage.nan, stage.inf, stage.zero, stage.missing, report.weight,
               report.lr, report.loss, as_json(stage.extra))


def as_json(extra):
    """Return what a hook noted as text; empty for nothing."""
    if not extra:
        return ""
    import json

    try:
        return json.dumps(extra, default=str)
    except (TypeError, ValueError):             # keys that are no text, or what contains itself
        return json.dumps(str(extra))


def column_index(name):
    """Return the place of a column, or say which columns there are."""
    try:
        return Row._fields.index(name)
    except ValueError:
        raise KeyError(f"no column {name!r}; there are {', '.join(Row._fields)}") from None


def same(a, b):
    """Compare two cells; NaN equals NaN."""
    return a == b or (a != a and b != b)


def cell(value):
    """Return the text of a cell; floats in their shortest form that reads back to the same bits."""
    return "" if value is None else repr(float(value)) if isinstance(value, float) else value


def parse(name, text):
    """Return the value of a cell."""
    if name in TEXT:
        return text
    if text == "":
        return None
    return int(text) if name in WHOLE else float(text)

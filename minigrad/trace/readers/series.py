"""Run: the cells of some lines become columns of a trace; what cannot be read is counted."""

from itertools import chain

import numpy as np

from minigrad.norms import unit_norms
from minigrad.trace.norm_trace import NormTrace
from minigrad.trace.readers.cells import numbers
from minigrad.trace.readers.source import plural, quoted


class Run:
    """What was read of one run so far, in pieces.

    Every line that holds a norm gives a row of all parameters together, and one of each parameter whose norm is there.

    Args:
        plan: a :class:`~minigrad.trace.readers.names.Plan`.
        source: the :class:`~minigrad.trace.readers.source.Source` to report in.
        comma: numbers have a decimal comma.
    """

    def __init__(self, plan, source, comma=False):
        self.plan, self.source, self.comma = plan, source, comma
        self.pieces = []
        self.counted = plan.step is None
        self.last = None                        # step of the last row
        self.backward = self.lines = self.negative = 0
        if self.counted:
            source.note("steps", "it says no steps: its rows are counted from 0")
        if plan.norm is None:
            source.note("norm", f"the norm of all together is formed of those of {len(plan.parameters)} parameters")

    def take(self, cells, where):
        """Add the rows of some lines and return them as a dict of columns.

        Args:
            cells: function of a column's place that returns its cells, a list with an entry a line.
            where: array of the numbers of these lines, for the report.
        """
        plan, count = self.plan, len(where)
        columns = [] if plan.norm is None else [("", numbers(cells(plan.norm), self.comma))]
        columns += [(name, numbers(cells(i), self.comma)) for name, i in plan.parameters.items()]
        columns = [(name, self.without_negative(column, where)) for name, column in columns]
        given = np.any([column.given for _, column in columns], axis=0) if count else np.zeros(0, bool)
        good, reasons = np.ones(count, bool), {}
        places = [plan.norm] * (plan.norm is not None) + list(plan.parameters.values())
        for i, (_, column) in zip(places, columns):
            for k in column.bad:
                reasons.setdefault(int(k), f"{quoted(cells(i)[k])} is no number")
        steps = self.steps(cells, given, reasons)
        good[list(reasons)] = False
        for k in sorted(reasons):
            self.source.reject(int(where[k]), reasons[k])
        keep = given & good
        self.source.skipped += int((~given & good).sum())
        self.source.rows += int(keep.sum())
        step = self.numbered(steps, keep, where)
        loss, lr = (self.beside(role, cells, steps, keep) for role in ("loss", "lr"))
        piece = self.flat([(name, column.values[keep], column.given[keep]) for name, column in columns], step, loss, lr)
        self.pieces.append(piece)
        return piece

    def without_negative(self, column, where):
        """Return a column of norms in which those below 0, as DeepSpeed's -1, count as missing; note them."""
        below = column.values < 0
        if not below.any():
            return column
        self.negative += int(below.sum())
        if self.negative == below.sum():
            first = int(np.argmax(below))
            self.first_negative = f"{column.values[first]:g} in {self.source.unit} {where[first]}"
        self.source.note("negative", f"{plural(self.negative, 'value')} below 0 (first {self.first_negative}) are no "
                                     "norms and count as missing; if they are logarithms, choose another column")
        return column._replace(values=np.where(below, np.nan, column.values), given=column.given & ~below)

    def steps(self, cells, given, reasons):
        """Return the step of every line as floats, or None where rows are counted."""
        if self.counted:
            return None
        raw = cells(self.plan.step)
        found = numbers(raw, self.comma)
        values = found.values
        whole = np.isfinite(values) & (np.floor(values) == values) & (np.abs(values) < 2.0 ** 53)
        odd = given & np.isfinite(values) & ~whole
        if self.last is None and odd.sum() > 0.5 * given.sum():
            self.counted = True                 # seconds, or parts of an epoch
            name = self.source.taken.pop("step", "steps")
            self.source.note("steps", f"{name} is no whole number: the rows are counted from 0")
            return None
        for k in np.flatnonzero(given & ~whole):
            text = raw[k]
            missing = text is None or str(text).strip() == ""
            reason = "it has a norm and no step" if missing else f"step {quoted(text)} is no whole number"
            reasons.setdefault(int(k), reason)
        return np.where(whole, values, np.nan)

    def numbered(self, steps, keep, where):
        """Return the steps of the rows that are kept, as integers, and note where they go backwards."""
        count = int(keep.sum())
        if steps is None:
            first = 0 if self.last is None else self.last + 1
            step = np.arange(first, first + count)
        else:
            step = steps[keep].astype(np.int64)
            before = np.concatenate([step[:1] if self.last is None else [self.last], step[:-1]])
            back = np.flatnonzero(step < before) if count else []
            if len(back):
                self.backward += len(back)
                if self.backward == len(back):
                    k = back[0]
                    self.first_back = f"{self.source.unit} {where[keep][k]}: from {before[k]} to {step[k]}"
                times = "once" if self.backward == 1 else f"{self.backward} times, first"
                self.source.note("backward", f"steps go backwards {times} in {self.first_back}, as in a run that was "
                                             "resumed; rows are in the file's order")
        if count:
            self.last = int(step[-1])
        return step

    def beside(self, role, cells, steps, keep):
        """Return the loss or the learning rate of the rows that are kept; NaN where there is none.

        A line without it takes that of a line of the same step next to it: some loggers write a line for each call.
        """
        place = getattr(self.plan, role)
        if place is None:
            return np.ma.masked_all(int(keep.sum()))
        found = numbers(cells(place), self.comma)
        if len(found.bad):
            self.source.note(role, f"{plural(len(found.bad), 'cell')} of {self.source.taken.get(role, role)} "
                                   f"cannot be read and count as empty: {quoted(cells(place)[found.bad[0]])}")
        values, given = found.values, found.given
        if steps is not None and (keep & ~given).any() and given.any():
            block = np.concatenate([[0], np.cumsum(steps[1:] != steps[:-1])])
            last = np.full(block[-1] + 1, -1)           # in each block of lines of one step, the last that has it
            last[block[given]] = np.flatnonzero(given)
            beside = np.where(given, np.arange(len(given)), last[block])
            values, given = values[beside], beside >= 0
        return np.ma.masked_array(values, ~given)[keep]

    def flat(self, columns, step, loss, lr):
        """Return the columns of a trace: line by line, all parameters together before each of them."""
        if self.plan.norm is None:
            sizes = np.array([np.where(given, values, 0.0) for _, values, given in columns]).T
            total = unit_norms(np.ascontiguousarray(sizes), self.plan.p).reshape(-1) if len(step) else np.zeros(0)
            columns = [("", total, np.ones(len(step), bool)), *columns]
        line = np.arange(self.lines, self.lines + len(step))
        self.lines += len(step)
        if len(columns) == 1:
            return {"step": step, "micro_step": line, "norm_in": columns[0][1], "loss": loss, "lr": lr,
                    "p": self.plan.p}
        there = np.array([given for _, _, given in columns]).T.reshape(-1)
        times = len(columns)
        names = np.array([name for name, _, _ in columns], object)
        return {"step": np.repeat(step, times)[there], "micro_step": np.repeat(line, times)[there],
                "parameter": np.tile(names, len(step))[there].tolist(),
                "norm_in": np.array([values for _, values, _ in columns]).T.reshape(-1)[there],
                "loss": np.ma.repeat(loss, times)[there], "lr": np.ma.repeat(lr, times)[there], "p": self.plan.p}

    def fresh(self):
        """Return what was read since the last call as a NormTrace."""
        trace, self.pieces = self.trace(), []
        return trace

    def trace(self):
        """Return what was read, or since the last :meth:`fresh`, as a NormTrace; its ``.source`` is the report."""
        def joined(name):
            parts = [piece[name] for piece in self.pieces]
            return list(chain(*parts)) if isinstance(parts[0], list) else np.ma.concatenate(parts)

        columns = {name: value if name == "p" else joined(name) for name, value in self.pieces[0].items()}
        trace = NormTrace.from_columns(columns)
        trace.source = self.source
        return trace

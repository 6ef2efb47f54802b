"""What is asked of a trace: rows, columns, matrices, ratios, shares."""

import math
import numbers
from itertools import pairwise

import numpy as np

from minigrad.trace import elsewhere
from minigrad.trace.columns import at_rest
from minigrad.trace.grid import calls, grid, layer_of
from minigrad.trace.keeping import acting

USUAL = {"hook": ("", "backward", "flush", "decay", "update"), "parameter": ("",), "group": ("",),
         "place": ("gradient", "update", "time"), "status": ("pass", "hold", "skip", "raise", "window"),
         "outcome": ("step", "hold", "skip", "raise")}
"""Texts that may be asked for though no row has them."""


class Asked:
    """What :class:`minigrad.NormTrace` answers; ``_kept.table`` has its rows."""

    def _chosen(self, wanted):
        """Return which rows are wanted, as a bool array; of all parameters together unless ``parameter`` is wanted."""
        table, wanted = self._kept.table, {"parameter": "", **wanted}
        chosen = np.ones(len(table), bool)
        for name, value in wanted.items():
            column = table[name]
            here = column.equals(value)
            if name in USUAL and not here.any() and len(table) and value not in USUAL[name]:
                raise ValueError(self._absent(name, value, column.present()))
            chosen &= here
        return chosen

    def _absent(self, name, value, there):
        import difflib

        if name == "parameter" and not self.parameters():
            return (f"parameter={value!r}: the trace has no rows per parameter; record with "
                    f"NormTrace(per_parameter=True)")
        there = [text for text in there if text] or list(USUAL[name])
        near = difflib.get_close_matches(str(value), there, 3) or there[:10]
        more = "" if len(near) == len(there) else f" (and {len(there) - len(near)} more)"
        return f"no row has {name}={value!r}; there are {', '.join(map(repr, near))}{more}"

    def select(self, **wanted):
        """Return the rows whose columns have these values; of all parameters together unless ``parameter=`` is given.

        Raises:
            KeyError: for a column that does not exist.
            ValueError: for a hook, parameter, group, status, outcome or place that no row has, naming the nearest.
        """
        return self._kept.table.rows(np.flatnonzero(self._chosen(wanted)))

    def column(self, name, **wanted):
        """Return one column of the selected rows as an array: of texts, or of floats, what is not applicable being NaN.

        Under ``Accumulate`` the rows of stage 0 are the micro-batches, and those of the hooks to its right the windows.

        Raises:
            KeyError, ValueError: as for :meth:`select`.

        Example:
            ``trace.column("norm_in", stage=0)`` is the norm per step of the gradient that backward produced.
        """
        column, chosen = self._kept.table[name], self._chosen(wanted)
        return column.numbers(column.array[chosen])

    def given(self, name, **wanted):
        """Return for the selected rows whether they have a value in a column, as a bool array.

        It tells what is not applicable from a NaN that was measured.
        """
        column, chosen = self._kept.table[name], self._chosen(wanted)
        return ~column.absent(column.array[chosen])

    def angles(self, **wanted):
        """Return for the selected rows by how many degrees the hook turned the gradient, arccos of ``cosine``."""
        return np.degrees(np.arccos(self.column("cosine", **wanted)))

    def calls(self, **wanted):
        """Return for the selected rows the number of the call of ``optimizer.step`` that each is of, from 0.

        It counts the calls that are kept, and so tells which rows of different stages belong together.
        """
        return calls(self._kept.table)[self._chosen(wanted)]

    def noted(self, key, **wanted):
        """Return as floats what the hooks of the selected rows have noted under a name, ``extra``; NaN where nothing.

        Example:
            ``trace.noted("units_clipped", hook="AGC")`` says how many units were too long in each step.
        """
        import json

        extra = self._kept.table["extra"]
        notes = [json.loads(text) if text else {} for text in extra.names]
        values = [note.get(key) if isinstance(note, dict) else None for note in notes]
        values = np.array([v if isinstance(v, numbers.Real) else math.nan for v in values], float)
        return values[extra.array[self._chosen(wanted)]]

    def steps(self):
        """Return the rows of each step (each call of ``optimizer.step`` or ``flush``), all parameters together."""
        rows = self.select()
        if not rows:
            return []
        starts = np.flatnonzero(self._kept.table["stage"].array[self._chosen({})] == 0).tolist()
        starts = starts if starts[:1] == [0] else [0, *starts]
        with at_rest():
            return [rows[a:b] for a, b in pairwise([*starts, len(rows)])]

    def hooks(self):
        """Return the names of the stages in order of first appearance."""
        return self._present("hook")

    def groups(self):
        """Return the names of the parameter groups whose own hooks have rows."""
        return [name for name in self._present("group") if name]

    def parameters(self):
        """Return the names of the parameters that have rows of their own."""
        return [name for name in self._present("parameter") if name]

    def layers(self):
        """Return the names of their layers: a parameter's name up to the last dot."""
        return list(dict.fromkeys(map(layer_of, self.parameters())))

    def _present(self, name):
        table = self._kept.table
        return table[name].present(~table["place"].equals("time"))

    def matrix(self, name="norm_in", by="parameter", stage=0):
        """Return a column of numbers per parameter or layer, and step.

        The norm of a layer is that of its parameters together, ||(g_1, g_2, ...)||_p; counts are added up; the
        coefficient is the ratio of its norms.

        Args:
            name: "norm_in", "norm_out", "coefficient", "cosine", "nan", "inf", "zero", "missing", ...
            by: "parameter"; "layer", a parameter's name up to the last dot; a function of a parameter's name; or a dict
                name -> list of parameters, such as ``{g["name"]: g["param_names"] for g in opt.param_groups}``.
            stage: 0 for the gradient as backward left it, or the number of a hook.

        Returns:
            a :class:`Matrix` (steps, names, values, missing), values being (len(names), len(steps)).

        Raises:
            ValueError: if there are no rows per parameter in this stage.

        Example:
            >>> import numpy as np
            >>> from minigrad import NormTrace
            >>> trace = NormTrace(per_parameter=True)
            >>> for step in range(2):
            ...     trace.record({"0.weight": np.array([3.0]), "0.bias": np.array([4.0]), "1.weight": None}, step)
            >>> trace.matrix(by="layer").values
            array([[ 5.,  5.],
                   [nan, nan]])
            >>> trace.matrix().missing.tolist()
            [[False, False], [False, False], [True, True]]
        """
        table = self._kept.table
        chosen = ~table["parameter"].equals("") & (table["stage"].array == stage) & ~table["place"].equals("time")
        return self._matrix(table, name, chosen, by, f"in stage {stage!r}")

    def _matrix(self, table, name, chosen, by, where):
        if not chosen.any():
            raise ValueError(f"the trace has no rows per parameter {where}: record with NormTrace(per_parameter=True)")
        return grid(table, name, chosen, by)

    def ratios(self, by=None):
        """Return the ratio of update to data, ||update|| / ||parameters before it||, per update.

        About 1e-3 is usual for a training that goes well (Karpathy 2015); what is much below hardly moves.

        Args:
            by: None for all parameters together; or as for :meth:`matrix`.

        Returns:
            a float array, an entry per update; or a Matrix.  NaN where the data were not measured.

        Raises:
            ValueError: if there are no rows per parameter, and ``by`` asks for them.
        """
        table = self._kept.table
        if by is None:
            return ratio(self.column("norm_out", hook="update"), self.column("data", hook="update"))
        chosen = ~table["parameter"].equals("") & table["hook"].equals("update")
        after, data = (self._matrix(table, name, chosen, by, "of the update") for name in ("norm_out", "data"))
        return after._replace(values=ratio(after.values, data.values))

    def times(self):
        """Return what :meth:`record_times` was given, an array (steps, T) for :func:`minigrad.plot.time_map`.

        Where T differs, NaN stands behind the shorter ones.  ``trace.column("step", place="time", parameter="h")`` are
        the steps.
        """
        return elsewhere.times(self._kept.table, self._times)

    # -------------------------------------------------------------------------------------- clipping

    @property
    def totals(self):
        """How many calls there were of ``optimizer.step`` or ``record``, kept or not, and how they ended."""
        return self._kept.tally().totals

    def clip_stage(self):
        """Return the number of the last gradient stage that clips (has a threshold, or clips units), or None.

        A clip of all parameters together comes before one of a group's own.  It is stage 0 where a log of training
        elsewhere has thresholds beside its norms.
        """
        return self._kept.tally().clip_stage()

    def share_clipped(self, window=None, **wanted):
        """Return the share of the gradients that reached a clip which it shortened; NaN where there was none.

        Clips of parameters, units and elements count where they shortened any.

        Args:
            window: None for one number, of all steps, kept or not; or the length of a moving window.
            wanted: what to select, as ``stage=2`` or ``parameter="0.weight"``; default the last clip.

        Returns:
            a float; or with a window a float array, for each gradient that reached the clip the share of the last
            ``window`` ones, itself among them (of fewer at the beginning).

        Raises:
            ValueError: if window is not at least 1.
        """
        tally = self._kept.tally()
        stage = tally.clip_stage()
        if stage is None and "stage" not in wanted and "hook" not in wanted:
            return math.nan if window is None else np.zeros(0)
        if window is None and not wanted:
            rows, clipped, _ = tally.stages[max(key for key, counts in tally.stages.items() if counts[2])]
            return clipped / rows
        wanted = wanted if "hook" in wanted else {"stage": stage, **wanted}
        acted = acting(self._kept.table)[1][self._chosen(wanted)]
        if window is None:
            return float(acted.mean()) if acted.size else math.nan
        window = count(window, "window")
        ends = np.concatenate([[0], np.cumsum(acted)])
        last = np.arange(1, acted.size + 1)
        first = np.maximum(last - window, 0)
        return (ends[last] - ends[first]) / (last - first)


def ratio(update, data):
    """Return update / data; inf for data of 0, NaN for 0 / 0."""
    with np.errstate(all="ignore"):
        return update / data


def count(value, what, least=1):
    """Return a whole number as an int, checked."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not least <= value < math.inf or value % 1:
        raise ValueError(f"{what} = {value!r}: must be a whole number, at least {least}")
    return int(value)

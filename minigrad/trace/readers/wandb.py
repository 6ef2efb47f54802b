"""What Weights & Biases writes: the CSV of a chart, several runs beside each other, and the history of one run."""

import numpy as np

from minigrad.trace.readers.cells import numbers
from minigrad.trace.readers.delimited import Table, TableReader
from minigrad.trace.readers.names import Plan, Unnamed, choose, place, plain
from minigrad.trace.readers.source import listed, plural

BOUNDS = ("__MIN", "__MAX")
BETWEEN = " - "


class ChartReader(TableReader):
    """Reads a chart, and notes where a point stands for several steps."""

    def __init__(self, *args):
        super().__init__(*args)
        self.together = [0] * len(self.runs)

    def look(self, rows):
        names = self.how.names
        for k, run in enumerate(self.runs):
            bounds = [names.index(end) for end in (names[run.plan.norm] + part for part in BOUNDS) if end in names]
            if len(bounds) == 2:
                low, high = (numbers([row[i] for row in rows]).values for i in bounds)
                self.together[k] += int(np.sum(low < high))
            if self.together[k]:
                run.source.note("bounds", f"where __MIN and __MAX differ, a point of the chart is several steps "
                                          f"drawn as one value between: {plural(self.together[k], 'point')}")


class Chart(Table):
    """``"Step","run - metric","run - metric__MIN","run - metric__MAX"`` and so on: a trace for each run.

    The first column is what the chart has along it.  A chart shows at most some thousand points: where it has drawn
    several steps together, ``__MIN`` and ``__MAX`` are their bounds, and the value is one between.
    """

    name = "wandb-chart"
    title = "the CSV of a chart of Weights & Biases: Step, run - metric, run - metric__MIN, run - metric__MAX"
    norms = "whatever was logged; wandb.log of what clip_grad_norm_ returns is the norm before clipping"
    begins = staticmethod(lambda how: any(name.endswith(BOUNDS) and BETWEEN in name for name in how.names))
    reader = ChartReader

    def plans(self, how, wanted):
        names = how.names
        lines = [i for i, name in enumerate(names) if i and BETWEEN in name and not name.endswith(BOUNDS)]
        chosen = self.chosen(names, lines, wanted)
        step = 0 if wanted.step is None else place(names, wanted.step)
        if len(chosen) > 1 and len({names[i].rpartition(BETWEEN)[0] for i in chosen}) < len(chosen):
            label = {i: names[i] for i in chosen}               # several metrics of a run
        else:
            label = {i: names[i].rpartition(BETWEEN)[0] for i in chosen}
        return [Plan(i, step, None, None, {}, run=label[i]) for i in chosen]

    @staticmethod
    def chosen(names, lines, wanted):
        """Return the columns to read: those that the user said, or those of the metric that looks like the norm."""
        if not lines:
            raise Unnamed(f"no column is named run{BETWEEN}metric; the columns are {listed(names)}")
        metrics = {i: names[i].rpartition(BETWEEN)[2] for i in lines}
        if wanted.column is not None:
            runs = {i: names[i].rpartition(BETWEEN)[0] for i in lines}
            for part in (dict(zip(lines, (names[i] for i in lines))), runs, metrics):
                found = [i for i in lines if part[i] == wanted.column] or \
                        [i for i in lines if plain(part[i]) == plain(wanted.column)]
                if found:
                    return found
            return [place(names, wanted.column)]
        different = list(dict.fromkeys(metrics.values()))
        if len(different) == 1:
            return lines
        norm = different[choose(different, wanted).norm]
        return [i for i in lines if metrics[i] == norm]


class History(Table):
    """The history of a run as a table: ``run.history()`` written by ``to_csv``; columns ``_step``, ``_runtime``, ..."""

    name = "wandb-history"
    title = "the history of a run of Weights & Biases as CSV: _step, _runtime, _timestamp and what was logged"
    norms = Chart.norms
    begins = staticmethod(lambda how: "_step" in how.names and bool({"_runtime", "_timestamp"} & set(how.names)))

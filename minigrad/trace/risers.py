"""In which parameter it began: the first whose norm rose, and those in which a call was not finite."""

import numpy as np

from minigrad.trace.grid import calls_with_parameters
from minigrad.trace.robust import WINDOW, median, ordinary


class Risers:
    """Tells which parameter's norm rose first.

    Args:
        trace: one with rows of parameters.
        factor: so many medians of its own are a rise.
    """

    def __init__(self, trace, factor):
        self.matrix, self.factor = trace.matrix("norm_in", by="parameter"), factor
        self.calls = calls_with_parameters(trace)
        self.held = trace.calls(stage=0)[trace.column("outcome", stage=0) == "hold"]

    def first(self, call):
        """Return (name, step, times) of the parameter that was the first to rise in a call, or its micro-batches.

        It is the one that rose most in the last call before these, if that was by ``factor`` or more, else the one that
        rose most in them.
        """
        last = int(np.searchsorted(self.calls, call))
        best = None, None, None
        if last == len(self.calls) or self.calls[last] != call:
            return best
        begin = last
        while begin and self.calls[begin - 1] in self.held:
            begin -= 1
        around = self.matrix.values[:, max(0, begin - WINDOW // 2):last + WINDOW // 2 + 1]
        usual = np.array([median(row[ordinary(row)]) for row in around])
        for column in range(max(0, begin - 1), last + 1):
            with np.errstate(over="ignore", invalid="ignore"):
                times = self.matrix.values[:, column] / usual
            if np.isnan(times).all():
                continue
            who = int(np.nanargmax(times))
            found = self.matrix.names[who], int(self.matrix.steps[column]), float(times[who])
            if found[2] >= self.factor:
                return found
            if column >= begin and (best[0] is None or found[2] > best[2]):
                best = found
        return best


def not_finite_in(trace, call):
    """Return the names of the parameters whose gradient was not finite in a call, as backward left it."""
    matrix = trace.matrix("norm_in", by="parameter")
    there = ~np.isfinite(matrix.values) & ~matrix.missing & (calls_with_parameters(trace) == call)
    return [name for name, odd in zip(matrix.names, there.any(axis=1)) if odd]

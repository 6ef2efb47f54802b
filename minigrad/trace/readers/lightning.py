"""Lightning's metrics.csv, as its CSVLogger writes it."""

from minigrad.trace.readers.delimited import Table
from minigrad.trace.readers.names import PARAMETER


class Lightning(Table):
    """Columns ``epoch``, ``step`` and what was logged; an empty cell where a line of the log has nothing to say.

    ``lightning.pytorch.utilities.grad_norm(module, norm_type=2)`` gives ``grad_2.0_norm/NAME`` for every parameter and
    ``grad_2.0_norm_total``; it is called in ``on_before_optimizer_step``, which comes before Lightning clips
    (loops in lightning/pytorch/plugins/precision/precision.py).  Losses and learning rates are often in lines of their
    own, which have the same step.
    """

    name = "lightning"
    title = "Lightning's metrics.csv: epoch, step, grad_2.0_norm_total, grad_2.0_norm/NAME, ..."
    norms = "before clipping, where grad_norm() is logged in on_before_optimizer_step"

    def recognises(self, text):
        named = text.name == "metrics.csv" or any("grad_" in line for _, line in text.head(1))
        return named and super().recognises(text)

    @staticmethod
    def begins(how):
        names = set(how.names)
        norms = any(name.startswith("grad_") and (PARAMETER.fullmatch(name) or "_norm_total" in name) for name in names)
        return "step" in names and ("epoch" in names or norms)

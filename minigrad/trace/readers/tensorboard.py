"""TensorBoard's CSV: what "Show data download links" saves, one scalar of one run in a file."""

from minigrad.trace.readers.delimited import Table
from minigrad.trace.readers.names import Plan, choose, plain


class TensorBoard(Table):
    """``Wall time,Step,Value`` (tensorboard/plugins/scalar/scalars_plugin.py); the tag is not in the file.

    So the value is taken as the norm; to draw a loss from such a file would be a mistake that no reader can see.
    """

    name = "tensorboard"
    title = "TensorBoard's CSV of one scalar: Wall time,Step,Value"
    norms = "whatever was logged under the tag, which is not in the file"
    begins = staticmethod(lambda how: [plain(name) for name in how.names] == ["wall_time", "step", "value"])

    def plans(self, how, wanted):
        if wanted.column is None:
            wanted = wanted._replace(column="Value")
        plan = choose(how.names, wanted)
        return [Plan(plan.norm, 1 if wanted.step is None else plan.step, plan.loss, plan.lr, {})]

"""One run at a glance: up to six pictures of a trace in one figure."""

import numpy as np

from minigrad.plot.histograms import TURNED, angles, clip_column, coefficients
from minigrad.plot.layers import layer_map
from minigrad.plot.norms import norms
from minigrad.plot.series import clips, recorded
from minigrad.plot.style import GREY, styled
from minigrad.plot.training import clipped_share, training
from minigrad.plot.updates import update_ratio

MISSING = {
    "loss": ("loss: pass opt.step(loss=loss.item())", "loss: trace.record(..., loss=), or a column of the file"),
    "layers": ("layers: mg.NormTrace(per_parameter=True)",
               "layers: mg.NormTrace(per_parameter=True).record(...), or a column grad_norm/NAME for each parameter"),
    "ratios": ("update-to-data ratio: an optimizer records it with its own trace",
               "update-to-data ratio: trace.record(..., data=, updates=)"),
    "clipping": ("clipping: give the optimizer hooks=[hooks.ClipNorm(1.0)]",
                 "clipping: norms after it, or threshold= to see which steps exceed one"),
}
"""What would show more, where a run has not recorded it: of minigrad, and of training elsewhere."""

PLACES = {"norms": (0, 0), "training": (0, 1), "layers": (1, 0), "clip": (1, 1), "ratios": (2, 0), "share": (2, 1)}
"""Where each picture is among six."""


def dashboard(trace, figure=None, *, by="layer", threshold=None, window=None, title=None):
    """Draw up to six pictures of one run: norms, loss and learning rate, layers, clip coefficients, updates, clipping.

    There are those whose data the trace has, the norms across the whole width where that are fewer than six; a line
    below them says what to record to get the others.  Where the clip turns gradients, the angles stand in the place of
    the coefficients.

    Args:
        trace: a :class:`minigrad.NormTrace`.
        figure: an empty figure (or subfigure) to draw on; default a new one of pyplot.
        by: what is a row of the map and a line of the ratios: "layer", "parameter", ...
        threshold: as for :func:`minigrad.plot.norms`: of your own, for traces of training elsewhere.
        window: as for :func:`minigrad.plot.clipped_share`.
        title: of the figure.

    Returns:
        an array (3, 2) of Axes, None for a picture that is not there: norms, loss; layers, coefficients or angles;
        ratios of update to data, share clipped.

    Raises:
        ValueError: if the trace is empty.

    Example:
        >>> import minigrad as mg
        >>> trace = mg.NormTrace.from_columns({"norm_in": [4.0, 0.5, 2.0], "loss": [3.0, 2.0, 1.0]})
        >>> axes = mg.plot.dashboard(trace, threshold=3.0)
        >>> [[ax and ax.get_title() for ax in row] for row in axes]
        [['Gradient norm per step', 'Loss per step'], [None, None], [None, None]]
    """
    if not len(trace):
        raise ValueError("the trace is empty: attach it to an optimizer, optim.SGD(..., trace=trace), and take a step")
    loss, clipped, parts = recorded(trace, "loss"), clips(trace), bool(trace.parameters())
    ratios = recorded(trace, "data", "update")
    there = [name for name, here in (
        ("norms", True), ("training", loss or recorded(trace, "lr")), ("layers", parts), ("clip", clipped),
        ("ratios", ratios), ("share", clipped)) if here]
    own = trace.hooks() != ["backward"]
    lacking = [MISSING[name][0 if own else 1] for name, here in (
        ("loss", loss), ("layers", parts), ("ratios", ratios), ("clipping", clipped or threshold is not None))
               if not here]
    axes = panels(there, figure, title, lacking)
    norms(trace, axes[PLACES["norms"]], threshold=threshold)
    if "training" in there:
        training(trace, axes[PLACES["training"]])
    if parts:
        layer_map(trace, axes[PLACES["layers"]], by=by)
    if ratios:
        update_ratio(trace, axes[PLACES["ratios"]], by=by if parts else None)
    if clipped:
        clip_histogram(trace, axes[PLACES["clip"]])
        clipped_share(trace, axes[PLACES["share"]], window=window)
    return axes


def panels(there, figure, title, lacking):
    """Return an array (3, 2) with axes for the pictures that are there; two in a row, a single one as wide as both."""
    rows = [there[k:k + 2] for k in range(0, 6, 2)] if len(there) == 6 else [
        there[:1], *(there[k:k + 2] for k in range(1, len(there), 2))]
    if figure is None:
        import matplotlib.pyplot as plt

        with styled():
            figure = plt.figure(figsize=(13, 4.5 if len(rows) == 1 else 3.67 * len(rows)), layout="constrained")
    axes = np.full((3, 2), None)
    with styled():
        grid = figure.add_gridspec(len(rows), 2)
        for k, row in enumerate(rows):
            for i, name in enumerate(row):
                axes[PLACES[name]] = figure.add_subplot(grid[k, i] if len(row) == 2 else grid[k, :])
        if title:
            figure.suptitle(title, fontsize=15)
        if lacking:
            figure.supxlabel("Not recorded: " + ";\n".join(lacking), fontsize=10, color=GREY)
    return axes


def clip_histogram(trace, ax):
    """Draw the angles where the clip turned anything, else the coefficients."""
    cosines, _ = clip_column(trace, "cosine", None, None)
    turned = (np.degrees(np.arccos(np.clip(cosines, -1, 1))) > TURNED).any()
    return (angles if turned else coefficients)(trace, ax)

"""One run at a glance: six pictures of a trace in one figure."""

import numpy as np

from minigrad.plot.histograms import TURNED, angles, clip_column, coefficients
from minigrad.plot.layers import layer_map
from minigrad.plot.norms import norms
from minigrad.plot.series import clips, recorded
from minigrad.plot.style import GREY, styled
from minigrad.plot.training import clipped_share, training
from minigrad.plot.updates import update_ratio

NO_LOSS = "No loss was recorded.\nPass it: opt.step(loss=loss.item()), or trace.record(grads, loss=...)"
NO_LAYERS = "No norms per parameter were recorded.\nAsk for them: mg.NormTrace(per_parameter=True)"
NO_DATA = "No norms of the parameters were recorded.\nPass them: trace.record(grads, data=..., updates=...)"
NO_CLIP = "Nothing clips in this trace.\nGive the optimizer hooks=[hooks.ClipNorm(1.0)]"
"""What is said in the place of a picture."""


def dashboard(trace, figure=None, *, by="layer", threshold=None, window=None, title=None):
    """Draw six pictures of one run: norms, loss and learning rate, layers, clip coefficients, update ratio, clipping.

    A picture whose data the trace does not have says what to pass to get it.  Where the clip turns gradients, the
    angles stand in the place of the coefficients.

    Args:
        trace: a :class:`minigrad.NormTrace`.
        figure: an empty figure (or subfigure) to draw on; default a new one of pyplot.
        by: what is a row of the map and a line of the ratios: "layer", "parameter", ...
        threshold: as for :func:`minigrad.plot.norms`: of your own, for traces of training elsewhere.
        window: as for :func:`minigrad.plot.clipped_share`.
        title: of the figure.

    Returns:
        an array of Axes, (3, 2).

    Raises:
        ValueError: if the trace is empty.

    Example:
        >>> import minigrad as mg
        >>> trace = mg.NormTrace.from_columns({"norm_in": [4.0, 0.5, 2.0], "loss": [3.0, 2.0, 1.0]})
        >>> axes = mg.plot.dashboard(trace, threshold=3.0)
        >>> axes[0, 0].get_title(), axes[1, 0].texts[0].get_text().splitlines()[-1]
        ('Gradient norm per step', 'Ask for them: mg.NormTrace(per_parameter=True)')
    """
    if not len(trace):
        raise ValueError("the trace is empty: attach it to an optimizer, optim.SGD(..., trace=trace), and take a step")
    if figure is None:
        import matplotlib.pyplot as plt

        with styled():
            figure = plt.figure(figsize=(13, 11), layout="constrained")
    with styled():
        axes = figure.subplots(3, 2)
        if title:
            figure.suptitle(title, fontsize=15)
    norms(trace, axes[0, 0], threshold=threshold)
    loss, rate = recorded(trace, "loss"), recorded(trace, "lr")
    if loss or rate:
        training(trace, axes[0, 1])
    if not loss:
        say(axes[0, 1], "Loss and learning rate", NO_LOSS, alone=not rate)
    if trace.parameters():
        layer_map(trace, axes[1, 0], by=by)
    else:
        say(axes[1, 0], "Gradient norm per layer and step", NO_LAYERS)
    if recorded(trace, "data", "update"):
        update_ratio(trace, axes[2, 0], by=by if trace.parameters() else None)
    else:
        say(axes[2, 0], "Update-to-data ratio", NO_DATA)
    if clips(trace):
        clip_histogram(trace, axes[1, 1])
        clipped_share(trace, axes[2, 1], window=window)
    else:
        say(axes[1, 1], "Clip coefficient", NO_CLIP)
        say(axes[2, 1], "Share of the steps that were clipped", NO_CLIP)
    return axes


def clip_histogram(trace, ax):
    """Draw the angles where the clip turned anything, else the coefficients."""
    cosines, _ = clip_column(trace, "cosine", None, None)
    turned = (np.degrees(np.arccos(np.clip(cosines, -1, 1))) > TURNED).any()
    return (angles if turned else coefficients)(trace, ax)


def say(ax, title, text, alone=True):
    """Say what a picture lacks, and how to get it."""
    with styled():
        if alone:
            ax.set(title=title, xticks=[], yticks=[])
            ax.grid(False)
        ax.text(0.5, 0.5, text, transform=ax.transAxes, ha="center", va="center", color=GREY, fontsize=11)

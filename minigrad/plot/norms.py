"""The gradient norm per step, before and after clipping."""

import math

import numpy as np

from minigrad.plot.lanes import Lanes
from minigrad.plot.style import AFTER, BEFORE, GREY, THRESHOLD, new_axes, styled


def norms(trace, ax=None, *, stage=None, lanes=None, title=None):
    """Draw the norm per step before and after a clip, its threshold, the steps it acted on, and what is not finite.

    Args:
        trace: a :class:`minigrad.NormTrace`.
        ax: axes to draw on; default new ones.
        stage: number of the stage to show; default the last that has a threshold, else the gradient as it came.
        lanes: a :class:`Lanes` to share the vertical range with other axes.
        title: default says what was measured.

    Returns:
        the axes.

    Raises:
        ValueError: if the trace is empty.
    """
    series = before_after(trace, stage)
    ax = new_axes(ax)
    thresholds = series["threshold"][np.isfinite(series["threshold"])]
    lanes = lanes or Lanes(series["before"], series["after"], thresholds)
    with styled():
        lanes.dress(ax)
        if series["clips"]:
            line(ax, lanes, series["step"], series["before"], BEFORE, "before clipping", zorder=3)
            line(ax, lanes, series["step"], series["after"], AFTER, "after clipping", zorder=4)
            clipped = series["clipped"]
            if clipped.any():
                ax.plot(series["step"][clipped], lanes.place(series["before"][clipped]), ".", color=BEFORE, ms=3.5,
                        zorder=3.5, label=f"clipped steps ({clipped.mean():.0%})")
            if np.isfinite(series["threshold"]).any():
                limit = series["threshold"]
                text = f"threshold {limit[0]:g}" if (limit == limit[0]).all() else "threshold"
                ax.plot(series["step"], limit, ":", color=THRESHOLD, lw=1.6, zorder=5, label=text)
        else:
            line(ax, lanes, series["step"], series["before"], BEFORE, "gradient norm, no clipping", zorder=3)
        which = {1.0: "L1 ", math.inf: "largest element of the "}.get(series["p"], "")
        ax.set(xlabel="update", ylabel=f"{which}gradient norm", title=title or "Gradient norm per step")
        ax.margins(x=0.01)
        ax.legend(loc="upper right", ncols=2, frameon=True, framealpha=0.85, edgecolor="none")
    return ax


def line(ax, lanes, x, y, colour, label, zorder):
    """Draw a line through the ordinary values and crosses in the lanes for the others."""
    ax.plot(x, lanes.ordinary(y), color=colour, lw=1.1, label=label, zorder=zorder)
    special = lanes.special(y)
    if special.any():
        ax.plot(x[special], lanes.place(y[special]), "x", color=colour, ms=4.5, zorder=zorder)


def before_after(trace, stage=None):
    """Return as arrays what :func:`norms` draws: step, before, after, threshold, clipped; and whether a clip is there.

    A step that stopped at this stage is shown after it with the norm that came in.
    """
    chosen = trace.clip_stage() if stage is None else stage
    rows = trace.select(stage=0 if chosen is None else chosen)
    if not rows and len(trace):
        raise ValueError(f"the trace has no stage {stage!r}; its stages are {', '.join(trace.hooks())}, counted from 0")
    if not rows:
        raise ValueError("the trace is empty: attach it to an optimizer, optim.SGD(..., trace=trace), and take a step")

    def array(values):
        return np.array([math.nan if v is None else v for v in values], dtype=float)

    coefficient = array(r.coefficient for r in rows)
    return {
        "step": np.array([r.step for r in rows]), "clips": any(r.threshold is not None for r in rows),
        "before": array(r.norm_in for r in rows),
        "after": array(r.norm_in if r.norm_out is None else r.norm_out for r in rows),
        "threshold": array(r.threshold for r in rows), "clipped": coefficient < 1, "p": rows[0].p,
    }


def losses(ax, curves, *, references=(), lanes=None, title=None):
    """Draw the loss per update, a thin line per run.

    Args:
        ax: axes.
        curves: list of (values, colour, label); a label that has appeared already is not repeated.
        references: list of (value, text) drawn as dashed horizontal lines.
        lanes: a :class:`Lanes` to share the vertical range with other axes.
        title: of the axes.

    Returns:
        the axes.
    """
    lanes = lanes or Lanes(*[values for values, *_ in curves], [value for value, _ in references])
    seen = set()
    with styled():
        lanes.dress(ax)
        for values, colour, label in curves:
            values = np.asarray(values, dtype=float)
            x = np.arange(len(values))
            ax.plot(x, lanes.ordinary(values), color=colour, lw=1.0, alpha=0.85, label=None if label in seen else label)
            special = lanes.special(values)
            ax.plot(x[special], lanes.place(values[special]), "x", color=colour, ms=4)
            seen.add(label)
        for value, text in references:
            ax.axhline(value, color=GREY, ls="--", lw=1.1)
            ax.annotate(text, (1.0, value), xycoords=ax.get_yaxis_transform(), xytext=(-2, 2), color=GREY, fontsize=10,
                        textcoords="offset points", ha="right", va="bottom",
                        bbox={"facecolor": "white", "alpha": 0.8, "lw": 0, "pad": 1})
        ax.set(xlabel="update", ylabel="loss (nats)", title=title)
        ax.margins(x=0.01)
    return ax

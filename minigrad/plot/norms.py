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
    x, before, passed, clipped = series["x"], series["before"], series["passed"], series["clipped"]
    limits = series["threshold"]
    lanes = lanes or Lanes(before, series["after"][passed], limits[np.isfinite(limits)])
    with styled():
        lanes.dress(ax)
        if series["clips"]:
            line(ax, lanes, x, before, BEFORE, f"before {series['what']}", zorder=3)
            line(ax, lanes, x[passed], series["after"][passed], AFTER, f"after {series['what']}", zorder=4)
            if clipped.any():
                ax.plot(x[clipped], lanes.place(before[clipped]), ".", color=BEFORE, ms=3.5, zorder=3.5,
                        label=f"clipped steps ({clipped[passed].mean():.0%})")
            shown = np.isfinite(limits)
            if shown.any():
                same = (limits[shown] == limits[shown][0]).all()
                ax.plot(x[shown], limits[shown], ":", color=THRESHOLD, lw=1.6, zorder=5,
                        label=(f"threshold {limits[shown][0]:g}" if same else "threshold") + series["of"])
        else:
            line(ax, lanes, x, before, BEFORE, "as backward left it", zorder=3)
        which = {1.0: "L1 ", math.inf: "largest element of the "}.get(series["p"], "")
        ax.set(xlabel=series["xlabel"], ylabel=f"{which}gradient norm",
               title=title or f"Gradient norm per step{series['whose']}")
        ax.margins(x=0.01)
        low, high = np.log10(ax.get_ylim())
        ax.set_ylim(10.0 ** low, 10.0 ** min(high + 0.22 * (high - low), 307.0))       # room for the legend
        ax.legend(loc="upper right", ncols=2, frameon=True, framealpha=0.85, edgecolor="none")
    return ax


def line(ax, lanes, x, y, colour, label, zorder):
    """Draw a line through the ordinary values and crosses in the lanes for the others."""
    ax.plot(x, lanes.ordinary(y), color=colour, lw=1.1, label=label, zorder=zorder)
    special = lanes.special(y)
    if special.any():
        ax.plot(x[special], lanes.place(y[special]), "x", color=colour, ms=4.5, zorder=zorder)


def before_after(trace, stage=None):
    """Return as arrays what :func:`norms` draws: x, before, after, threshold, clipped, passed; and p and some words.

    A step that was skipped, or raised, before it reached the stage is there with the norm that backward produced, and
    has not ``passed``; micro-batches held back by ``Accumulate`` are left out, as their window stands for them.
    """
    chosen = trace.clip_stage() if stage is None else stage
    chosen = 0 if chosen is None else chosen
    rows = [found for found in (at_stage(step, chosen) for step in trace.steps()) if found is not None]
    if len(trace) and not any(r.stage == chosen for r in rows):
        raise ValueError(f"the trace has no stage {stage!r}; its stages are {', '.join(trace.hooks())}, counted from 0")
    if not rows:
        raise ValueError("the trace is empty: attach it to an optimizer, optim.SGD(..., trace=trace), and take a step")

    def array(values):
        return np.array([math.nan if v is None else v for v in values], dtype=float)

    updates = np.array([r.step for r in rows])
    is_update = len(set(updates.tolist())) == len(rows)         # else several calls share an update: count the calls
    thresholds = array(r.threshold for r in rows)
    shown = next(r for r in rows if r.stage == chosen)
    return {
        "x": updates if is_update else np.array([r.micro_step for r in rows]),
        "xlabel": "update" if is_update else "call of optimizer.step",
        "before": array(r.norm_in for r in rows),
        "after": array(r.norm_in if r.norm_out is None else r.norm_out for r in rows),
        "passed": np.array([r.stage == chosen for r in rows]), "threshold": thresholds,
        "clips": chosen > 0, "clipped": array(r.coefficient for r in rows) < 1,
        "p": shown.p, "what": "clipping" if shown.threshold is not None else shown.hook,
        "of": {"ClipValue": " per element"}.get(shown.hook, " per unit" if "units_clipped" in shown.extra else ""),
        "whose": f", {shown.group}" if shown.group else "",
    }


def at_stage(step, stage):
    """Return the row of a stage in a step, or the first row if the step was dropped before it came there, or None."""
    for row in step:
        if row.stage == stage:
            return row
    return step[0] if step[0].outcome in ("skip", "raise") else None


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
            ax.plot(x, lanes.ordinary(values), color=colour, lw=1.0, label=None if label in seen else label)
            special = lanes.special(values)
            ax.plot(x[special], lanes.place(values[special]), "x", color=colour, ms=4)
            seen.add(label)
        for value, text in references:
            ax.axhline(value, color=GREY, ls="--", lw=1.1)
            ax.annotate(text, (1.0, value), xycoords=ax.get_yaxis_transform(), xytext=(-2, -2), color=GREY, fontsize=10,
                        textcoords="offset points", ha="right", va="top")
        ax.set(xlabel="update", ylabel="loss (nats)", title=title)
        ax.margins(x=0.01)
    return ax

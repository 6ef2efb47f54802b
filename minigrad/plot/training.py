"""The training itself, beside the norms: loss and learning rate per step, and the share of steps that were clipped."""

import numpy as np

from minigrad.plot.lanes import Lanes
from minigrad.plot.lines import line, plain_line, steps_axis
from minigrad.plot.series import all_clips, horizontal, recorded
from minigrad.plot.style import AFTER, BLACK, RC, new_axes, styled


def training(trace, ax=None, *, title=None):
    """Draw the loss and the learning rate that a trace has recorded, per call of ``optimizer.step``.

    The loss has the left axis, logarithmic unless it is negative somewhere; 0, inf and NaN have lanes.  The learning
    rate has the right axis, and is drawn dashed: it was set, not measured.  An axis without data is left out.

    Args:
        trace: a :class:`minigrad.NormTrace`.
        ax: axes to draw on; default new ones.
        title: default says what was measured.

    Returns:
        the axes; where there are both, the learning rate's are ``ax.figure.axes[-1]``.

    Raises:
        ValueError: if the trace is empty, or has recorded neither.

    Example:
        >>> import minigrad as mg
        >>> trace = mg.NormTrace.from_columns({"norm_in": [1.0, 2.0], "loss": [3.0, 2.5], "lr": [0.1, 0.05]})
        >>> ax = mg.plot.training(trace)
        >>> ax.get_ylabel(), ax.figure.axes[-1].get_ylabel()
        ('loss', 'learning rate')
    """
    if not len(trace):
        raise ValueError("the trace is empty: attach it to an optimizer, optim.SGD(..., trace=trace), and take a step")
    column = {name: trace.column(name, stage=0, place="gradient") for name in ("step", "micro_step", "loss", "lr")}
    has_loss, has_lr = recorded(trace, "loss"), recorded(trace, "lr")
    if not (has_loss or has_lr):
        raise ValueError("the trace has neither loss nor learning rate: pass opt.step(loss=loss.item()), or "
                         "trace.record(grads, loss=..., lr=...)")
    (x,), label, _ = horizontal([(column["step"], column["micro_step"])], trace.hooks() == ["backward"])
    ax = new_axes(ax)
    with styled():
        if has_loss:
            loss_line(ax, x, column["loss"])
        if has_lr:
            right = ax.twinx() if has_loss else ax
            rate_line(right, x, column["lr"], beside=has_loss)
        what = " and ".join(["loss"] * has_loss + ["learning rate"] * has_lr)
        ax.set(title=title or what.capitalize() + " per step")
        steps_axis(ax, x, label, banded=has_loss)
    return ax


def loss_line(ax, x, loss):
    """Draw the loss on an axis of its own kind: with lanes, or linear where it is negative somewhere."""
    if (loss < 0).any():
        finite = np.isfinite(loss)
        ax.plot(x, np.where(finite, loss, np.nan), color=BLACK, lw=1.1, zorder=3)
        if not finite.all():
            ax.plot(x[~finite], np.full((~finite).sum(), 0.97), "x", color=BLACK, ms=4.5,
                    transform=ax.get_xaxis_transform(), label="not finite")
            ax.legend(loc="upper right")
    else:
        lanes = Lanes(loss)
        lanes.dress(ax)
        line(ax, lanes, x, loss, BLACK, "loss")
    ax.set_ylabel("loss")


def rate_line(ax, x, rate, beside):
    """Draw the learning rate, at the right if something is beside it."""
    plain_line(ax, x, rate, "learning rate", ls="--", color=AFTER, lw=1.4, zorder=2)
    positive = rate[rate > 0]
    if positive.size and positive.max() > 30 * positive.min() and positive.size == rate.size:
        ax.set_yscale("log")
    else:
        ax.set_ylim(0, 1.15 * max(np.nanmax(rate, initial=0.0), 1e-300))
    ax.grid(not beside)
    ax.set_ylabel("learning rate", color=AFTER)
    ax.tick_params(axis="y", colors=AFTER)
    ax.spines["right"].set_visible(beside)


def clipped_share(trace, ax=None, *, window=None, stage=None, group=None, title=None):
    """Draw the share of the steps that were clipped, over a moving window, and over the whole run.

    Each point is the share among the last ``window`` steps that reached the clip (of fewer at the beginning).  Near 1
    the threshold acts on every step, and is a learning rate; at 0 it does nothing.

    Args:
        trace: a :class:`minigrad.NormTrace`.
        ax: axes to draw on; default new ones.
        window: how many steps; default a twentieth of the run, at least 10 and at most 1000.
        stage, group: of the clip; as for :func:`minigrad.plot.norms`.
        title: default says what was measured.

    Returns:
        the axes.

    Raises:
        ValueError: if the trace is empty, nothing in it clips, or the window is not at least 1.

    Example:
        >>> import minigrad as mg
        >>> trace = mg.NormTrace.from_columns({"norm_in": [4.0, 0.5], "norm_out": [1.0, 0.5], "threshold": 1.0,
        ...                                    "coefficient": [0.25, 1.0]})
        >>> mg.plot.clipped_share(trace, window=2).lines[0].get_ydata().tolist()
        [1.0, 0.5]
    """
    if window is not None and not (isinstance(window, (int, np.integer)) and window >= 1):
        raise ValueError(f"window = {window!r}: the share is over a whole number of steps, at least 1")
    groups, series = all_clips(trace, stage, group)
    palette = [AFTER, *(c for c in RC["axes.prop_cycle"].by_key()["color"] if c != AFTER)]
    ax = new_axes(ax)
    with styled():
        for k, s in enumerate(series):
            x, clipped = s["x"][s["passed"]], s["clipped"][s["passed"]]
            width = window or int(np.clip(len(x) // 20, 10, 1000))
            colour, name = palette[k % len(palette)], f"{groups[k]}: " if len(groups) > 1 else ""
            overall = clipped.mean() if len(x) else np.nan
            plain_line(ax, x, moving_share(clipped, width), f"{name}last {width} steps", color=colour, lw=1.4)
            ax.axhline(overall, color=colour, ls="-", lw=0.8, alpha=0.6, label=f"{name}all: {overall:.0%}")
        ax.set(ylabel="share clipped", ylim=(-0.03, 1.25), yticks=np.linspace(0, 1, 5),
               title=title or "Share of the steps that were clipped")
        ax.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
        steps_axis(ax, x, series[0]["xlabel"], banded=False)
        ax.legend(loc="upper right", ncols=2, frameon=True, framealpha=0.85, edgecolor="none")
    return ax


def moving_share(acted, width):
    """Return for each entry the share among the last so many, itself among them."""
    ends = np.concatenate([[0], np.cumsum(acted)])
    last = np.arange(1, len(acted) + 1)
    first = np.maximum(last - width, 0)
    return (ends[last] - ends[first]) / (last - first)

"""Several runs in one picture: a line each, or a band over the seeds of a kind."""

import numbers
from collections.abc import Mapping

import matplotlib as mpl
import numpy as np

from minigrad.plot.lanes import Lanes
from minigrad.plot.lines import MANY, columns, legend_above, line, number_of_column, room_below, steps_axis
from minigrad.plot.series import before_after, horizontal
from minigrad.plot.style import RC, THRESHOLD, new_axes, styled

BANDS = {"10-90": (0.1, 0.9), "min-max": (0.0, 1.0)}


def runs(traces, ax=None, *, labels=None, band="10-90", which="before", threshold=None, stage=None, group=None,
         lanes=None, title=None):
    """Draw the gradient norm per step of several runs, a line each, or a band over runs that belong together.

    A band is over the runs that are finite at a step, zeros among them: its line is their median, linear between two
    runs.  The lanes say which share of the runs was 0, inf or NaN there: the higher the bar, the more of them.  A run
    that has ended counts no more from there on.

    All runs share one axis: that of steps, if no run has several calls in one; else of calls.  The line of a run that
    was resumed, and goes back to an earlier step, is broken there; in a band its last norm of a step counts.

    Args:
        traces: a list of :class:`minigrad.NormTrace`, a line each; or a dict label -> trace, or label -> list of
            traces, such as the seeds of one setting, which become a band.
        ax: axes to draw on; default new ones.
        labels: a text for each entry of a list; default "run 0", "run 1", ...
        band: "10-90" (from the 10th to the 90th percentile), "min-max", or None for a thin line per run.
        which: "before" clipping, or "after" it.
        threshold: a norm > 0 to draw; default the threshold that all traces share, if they do.
        stage, group: which stage of each trace; as for :func:`minigrad.plot.norms`.
        lanes: a :class:`Lanes` to share the vertical range with other axes.
        title: default says what was measured.

    Returns:
        the axes.

    Raises:
        ValueError: for no traces, an empty one, labels that do not fit, an unknown band or ``which``, or a threshold
            that is not > 0.

    Example:
        >>> import minigrad as mg
        >>> seeds = [mg.NormTrace.from_columns({"norm_in": [k, 2.0 * k, 4.0 * k]}) for k in (1.0, 2.0, 3.0)]
        >>> ax = mg.plot.runs({"lr 0.1": seeds})
        >>> [text.get_text() for text in ax.get_legend().get_texts()]
        ['lr 0.1: median and 10-90 % of 3 runs']
    """
    if band is not None and band not in BANDS:
        raise ValueError(f"band = {band!r}: choose one of {', '.join(map(repr, BANDS))}, or None for a line per run")
    if which not in ("before", "after"):
        raise ValueError(f"which = {which!r}: choose 'before' (clipping) or 'after'")
    if threshold is not None and not (isinstance(threshold, numbers.Real) and threshold > 0):
        raise ValueError(f"threshold = {threshold!r}: a norm to draw as a line must be a number > 0")
    kinds = {label: [before_after(t, stage, group or "") for t in members]
             for label, members in labelled(traces, labels).items()}
    series = [s for members in kinds.values() for s in members]
    at, xlabel, _ = horizontal([(s["steps"], s["micro_steps"]) for s in series], all(s["elsewhere"] for s in series),
                               resumed=True)
    for s, x in zip(series, at):
        s["x"] = x
    threshold = shared_threshold(series) if threshold is None else threshold
    lanes = lanes or Lanes(*(curve(s, which)[1] for s in series), [] if threshold is None else [threshold],
                           height=0.13)
    ax = new_axes(ax)
    with styled():
        lanes.dress(ax)
        room_below(ax, lanes)
        for k, (label, members) in enumerate(kinds.items()):
            colour = colour_of(k, len(kinds))
            if len(members) == 1 or band is None:
                for i, s in enumerate(members):
                    text = label if len(members) == 1 else f"{label} ({len(members)} runs)"
                    line(ax, lanes, *curve(s, which), colour, None if i else text, lw=1.1 if len(members) == 1 else 0.7)
            else:
                draw_band(ax, lanes, [curve(s, which) for s in members], colour, label, band, (k, len(kinds)))
        if threshold is not None:
            ax.axhline(threshold, ls=":", color=THRESHOLD, lw=1.6, zorder=5, label=f"threshold {threshold:g}")
        clipped = any(s["clips"] for s in series)
        ax.set(ylabel="gradient norm",
               title=title or "Gradient norm per step" + (f", {which} clipping" if clipped else ""))
        steps_axis(ax, max((s["x"] for s in series), key=len), xlabel)
        legend_above(ax, 1 if len(kinds) < 4 else 2)
    return ax


def labelled(traces, labels):
    """Return label -> list of traces, checked."""
    if hasattr(traces, "rows"):
        traces = [traces]
    if isinstance(traces, Mapping):
        if labels is not None:
            raise ValueError("labels: the keys of the dict are the labels already; give one or the other")
        found = {str(label): [t] if hasattr(t, "rows") else list(t) for label, t in traces.items()}
    else:
        traces = list(traces)
        labels = [f"run {k}" for k in range(len(traces))] if labels is None else list(labels)
        if len(labels) != len(traces) or len(set(labels)) != len(labels):
            raise ValueError(f"{len(labels)} labels ({len(set(labels))} different ones) for {len(traces)} traces; give "
                             f"each its own")
        found = {str(label): [t] if hasattr(t, "rows") else list(t) for label, t in zip(labels, traces)}
    for label, members in found.items():
        if not members:
            raise ValueError(f"there is no trace under {label!r}")
        if any(not len(t) for t in members):
            raise ValueError(f"a trace of {label!r} is empty: attach it to an optimizer, optim.SGD(..., trace=trace), "
                             f"and take a step")
    if not found:
        raise ValueError("there are no traces: give a list of them, or a dict label -> trace or list of traces")
    return found


def curve(series, which):
    """Return x and norms of a run; after clipping only of the steps that came so far."""
    if which == "before":
        return series["x"], series["before"]
    return series["x"][series["passed"]], series["after"][series["passed"]]


def shared_threshold(series):
    """Return the one threshold that all runs have, or None."""
    limits = np.concatenate([s["threshold"][np.isfinite(s["threshold"])] for s in series])
    all_have = all(s["comparable"] and np.isfinite(s["threshold"]).any() for s in series)
    return float(limits[0]) if all_have and (limits == limits[0]).all() else None


def colour_of(k, count):
    """Return the colour of the k-th of some kinds."""
    palette = RC["axes.prop_cycle"].by_key()["color"]
    return palette[k] if count <= len(palette) else mpl.colormaps["viridis"](0.93 * k / (count - 1))


def spread(curves, band):
    """Return what a band shows.

    Args:
        curves: list of (x, norms), one per run.
        band: a key of BANDS.

    Returns:
        ``(x, low, median, high, counts)``: x ascending, all steps of any run; percentiles of the runs that are finite
        there, NaN where none is; counts a dict "0", "inf", "NaN" -> share of the runs there that are so; "runs" how
        many there are.
    """
    x = np.unique(np.concatenate([at for at, _ in curves]))
    table, there = np.full((len(curves), len(x)), np.inf), np.zeros((len(curves), len(x)), bool)
    for row, here, (at, norms) in zip(table, there, curves):
        place = np.searchsorted(x, at)
        row[place], here[place] = norms, True
    counts = {"runs": there.sum(0)}
    for name, kind in (("0", table == 0), ("inf", np.isposinf(table) & there), ("NaN", np.isnan(table))):
        counts[name] = kind.sum(0) / counts["runs"]
    finite = np.isfinite(table)
    number = finite.sum(0)
    table[~finite] = np.inf
    table.sort(axis=0)

    def percentile(share):
        """Linear between two runs, as numpy.percentile is by default."""
        at = share * np.maximum(number - 1, 0)
        below = np.floor(at).astype(int)
        above = np.minimum(below + 1, np.maximum(number - 1, 0))
        low, high = (np.take_along_axis(table, i[None], 0)[0] for i in (below, above))
        with np.errstate(invalid="ignore"):
            return np.where(number > 0, np.where(at == below, low, low + (high - low) * (at - below)), np.nan)

    low, high = BANDS[band]
    return x, percentile(low), percentile(0.5), percentile(high), counts


def draw_band(ax, lanes, curves, colour, label, band, turn):
    """Draw the runs of one kind, the k-th of n (``turn``), as a band, its line, and bars in the lanes."""
    x, low, middle, high, counts = spread(curves, band)
    most = max(round(float(((counts["inf"] + counts["NaN"]) * counts["runs"]).max())), 0)
    text = f"{label}: median and {'10-90 %' if band == '10-90' else 'range'} of {len(curves)} runs"
    text += f"; up to {most} not finite" if most else ""
    none = np.isnan(middle)
    floor, ceiling = (lanes.place(np.where(none, 1.0, edge)) for edge in (low, high))
    floor[none] = ceiling[none] = np.nan
    at = x
    if len(x) > MANY:
        at, floor = columns(x, floor)[:2]
        ceiling = columns(x, ceiling)[3]
    ax.fill_between(at, floor, ceiling, color=colour, alpha=0.25, lw=0, zorder=2)
    line(ax, lanes, x, middle, colour, text, zorder=4, lw=1.6, crosses=False)
    k, n = turn
    for name, centre in lanes.centres.items():
        share = counts[name]
        if share.any():
            bottom = centre + lanes.step * (k / n - 0.5)
            left, width, share = bars(x, share)
            ax.bar(left, 10.0 ** (bottom + lanes.step / n * share) - 10.0 ** bottom, width, bottom=10.0 ** bottom,
                   align="edge", color=colour, edgecolor=colour, lw=1.2, zorder=3)


def bars(x, share):
    """Return left edges, widths and heights of bars, one per step, or the highest of each column."""
    if len(x) > MANY:
        column = number_of_column(x, x)
        start = np.flatnonzero(np.r_[True, np.diff(column) > 0])
        x, share = x[start], np.maximum.reduceat(share, start)
    width = np.diff(x, append=x[-1] + (x[-1] - x[-2] if len(x) > 1 else 1.0))
    there = share > 0
    return (x - width / 2)[there], width[there], share[there]

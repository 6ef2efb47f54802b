"""What a picture of norms shows of the series of a trace: where on the axis, and what it is called."""

import numpy as np

from minigrad.trace.series import as_it_came, clipping_groups, series


def before_after(trace, stage=None, group=""):
    """Return what :func:`minigrad.plot.norms` draws of one stage, as a dict.

    The norms are those of :func:`minigrad.trace.series.series`, which the summary and the advice rest on, too.

    Args:
        trace: a NormTrace.
        stage: its number; default the last clip (of the group), else the gradient as it left the last hook.
        group: name of a parameter group, "" for all parameters together.

    Returns:
        a dict: arrays ``x before after threshold coefficient cosine clipped passed``, one entry per step; ``steps
        micro_steps`` of them; ``micro``, a pair (x, norm) of the micro-batches that windows held back; ``clips``,
        whether there is an after; ``comparable``, whether the threshold is one of this norm; ``elsewhere``, whether no
        optimizer of minigrad has recorded this; ``p`` of the norm, and words: ``xlabel what of limit whose``.

    Raises:
        ValueError: if the trace is empty or has no such stage or group.
    """
    s = series(trace, stage, group)
    elsewhere = trace.hooks() == ["backward"]
    x, xlabel, by = horizontal([(s.steps, s.micro_steps)], elsewhere)
    return {
        "x": x[0], "xlabel": xlabel, "steps": s.steps, "micro_steps": s.micro_steps, "elsewhere": elsewhere,
        "micro": micro_batches(trace, by, s), "passed": s.passed, "threshold": s.threshold, "before": s.before,
        "after": np.where(s.reached, s.after, s.before), "coefficient": s.coefficient, "cosine": s.cosine,
        "clips": s.acts, "clipped": s.coefficient < 1, "comparable": not s.of, "of": s.of,
        "limit": own_limit(trace, s), "p": s.p,
        "whose": f", {s.group}" if s.group else "", "what": words(trace, s),
    }


def words(trace, s):
    """Return what a series is of: what came before and after, or how a single one was measured."""
    if s.acts:
        return "clipping" if s.clips or not s.stage else s.hook
    first = trace.column("norm_in", stage=0)[np.isin(trace.calls(stage=0), s.calls)]
    untouched = np.array_equal(first, s.before, equal_nan=True)
    return as_it_came(trace) if untouched else f"as it left {s.hook}"


def clips(trace):
    """Return whether anything in a trace clips: a stage, or, elsewhere, what was recorded has a norm after."""
    return trace.clip_stage() is not None or (len(trace) > 0 and series(trace).acts)


def all_clips(trace, stage=None, group=None):
    """Return (names of groups, their series): of the one clip, or of all groups' own where none is named.

    Raises:
        ValueError: if the trace is empty or nothing clips.
    """
    groups = clipping_groups(trace) if stage is None and group is None else []
    found = [before_after(trace, stage, name) for name in groups or [group or ""]]
    if not any(s["clips"] for s in found):
        raise ValueError("nothing in the trace clips: give the optimizer hooks=[ClipNorm(...)], or say which stage= is "
                         f"meant; its stages are {', '.join(trace.hooks())}, counted from 0")
    return groups or [group or ""], found


def recorded(trace, name, hook="backward"):
    """Return whether a trace has numbers in a column, NaN that was measured among them."""
    return hook in trace.hooks() and bool(trace.given(name, hook=hook).any())


def horizontal(runs, elsewhere, resumed=False):
    """Return where the calls of some runs are on one axis, its label, and the name of the column that is.

    That is the step where it ascends in all of them, else the number of the call or record: several calls may share an
    update.

    Args:
        runs: list of (steps, micro_steps), arrays.
        elsewhere: whether no optimizer of minigrad has recorded them.
        resumed: let a run go back to an earlier step.
    """
    labels = ("step", "record") if elsewhere else ("update", "call of optimizer.step")
    for k, (name, label) in enumerate(zip(("step", "micro_step"), labels)):
        changes = [np.diff(run[k]) for run in runs]
        if all((change > 0).all() or (resumed and k == 0 and goes_back(change, elsewhere)) for change in changes):
            return [run[k].astype(float) for run in runs], label, name
    return [np.arange(len(steps), dtype=float) for steps, _ in runs], "record", ""


def goes_back(change, elsewhere):
    """Return whether steps with these differences are those of a run that was resumed."""
    same = int((change == 0).sum())             # it may go on at the very step
    return same <= (1 + int((change < 0).sum()) if elsewhere else 0)


def micro_batches(trace, by, s):
    """Return where the micro-batches of windows are, and their norms, as they came to the hook that keeps them."""
    status = trace.column("status")
    kept = np.isin(status, ("hold", "window"))
    held = trace.calls(stage=0)[trace.column("outcome", stage=0) == "hold"]
    if not by or not (status == "hold").any() or np.isin(s.calls, held).any():      # else they are the series itself
        return np.zeros(0), np.zeros(0)
    return trace.column(by)[kept], trace.column("norm_in")[kept]


def own_limit(trace, s):
    """Return in words a limit that is no threshold, but a part of each unit's weights; "" if there is none."""
    if not np.isnan(s.threshold).all() or not s.stage:
        return ""
    limits = trace.noted("clipping", stage=s.stage)
    limits = limits[~np.isnan(limits)]
    return f"limit {limits[0]:g} of a unit's weights" if limits.size else ""

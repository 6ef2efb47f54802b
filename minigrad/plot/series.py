"""What a picture of norms shows, taken from a trace: one value per step, before and after one of its stages."""

import json

import numpy as np

STOPPED = ("hold", "skip", "raise")
"""What a row says where the gradient went no further."""


def before_after(trace, stage=None, group=""):
    """Return what :func:`minigrad.plot.norms` draws of one stage, as a dict.

    A step that was skipped, or raised, before it reached the stage is there with the norm that backward produced, and
    has not ``passed``; micro-batches held back by ``Accumulate`` are left out, as their window stands for them, and
    are in ``micro``.

    Args:
        trace: a NormTrace.
        stage: its number; default the last clip (of the group).
        group: name of a parameter group, "" for all parameters together.

    Returns:
        a dict: arrays ``x before after threshold coefficient cosine clipped passed``, one entry per step; ``micro``, a
        pair (x, norm); ``clips``, whether there is an after; ``comparable``, whether the threshold is one of this norm;
        ``p`` of the norm, and words: ``xlabel what of limit whose``.

    Raises:
        ValueError: if the trace is empty or has no such stage or group.
    """
    if not len(trace):
        raise ValueError("the trace is empty: attach it to an optimizer, optim.SGD(..., trace=trace), and take a step")
    stages = trace.column("stage")
    chosen = choose(trace, stages, stage, group)
    rows, own = rows_of_steps(trace, stages, chosen)
    column = {name: trace.column(name)[rows] for name in (
        "norm_in", "norm_out", "threshold", "coefficient", "cosine", "step", "micro_step")}
    shown = first_row(trace, chosen)
    elsewhere = trace.hooks() == ["backward"]           # no optimizer of ours has recorded this
    x, xlabel, by = horizontal(column, elsewhere)
    passed = own & ~np.isin(trace.column("status")[rows], STOPPED)
    has_after = chosen > 0 or bool((column["norm_out"] != column["norm_in"])[~np.isnan(column["norm_out"])].any())
    of = scope(shown, passed, column["norm_out"], column["threshold"])
    return {
        "x": x, "xlabel": xlabel, "micro": micro_batches(trace, by), "passed": passed, "threshold": column["threshold"],
        "before": column["norm_in"], "after": column["norm_out"], "coefficient": column["coefficient"],
        "cosine": column["cosine"], "clips": has_after, "clipped": column["coefficient"] < 1,
        "comparable": not of, "of": of, "limit": own_limit(shown), "p": shown.p,
        "whose": f", {shown.group}" if shown.group else "",
        "what": ("clipping" if clipping(trace, shown) else shown.hook) if has_after else
                "as recorded" if elsewhere else "as backward left it",
    }


def clipping_groups(trace):
    """Return the names of the parameter groups whose own clips are the only ones, in order; [] if all share a clip."""
    stage = trace.clip_stage() if len(trace) else None
    if stage is None or not first_row(trace, stage).group:
        return []
    return [group for group in trace.groups() if group and clip_of_group(trace, group) is not None]


def clips(trace):
    """Return whether anything in a trace clips: a stage, or, elsewhere, what was recorded has a norm after."""
    return trace.clip_stage() is not None or (len(trace) > 0 and before_after(trace)["clips"])


def all_clips(trace, stage=None, group=None):
    """Return (names of groups, their series): of the one clip, or of all groups' own where none is named.

    Raises:
        ValueError: if the trace is empty or nothing clips.
    """
    groups = clipping_groups(trace) if stage is None and group is None else []
    series = [before_after(trace, stage, name) for name in groups or [group or ""]]
    if not any(s["clips"] for s in series):
        raise ValueError("nothing in the trace clips: give the optimizer hooks=[ClipNorm(...)], or say which stage= is "
                         f"meant; its stages are {', '.join(trace.hooks())}, counted from 0")
    return groups or [group or ""], series


def clip_of_group(trace, group):
    """Return the number of the last stage of a group that clips, or None."""
    stages = np.unique(trace.column("stage", group=group, place="gradient")).astype(int)
    return next((s for s in stages[::-1].tolist() if clipping(trace, first_row(trace, s))), None)


def clipping(trace, row):
    """Return whether the stage of a row clips: it has a threshold in some step, or counts units that were clipped."""
    return "units_clipped" in row.extra or not np.isnan(trace.column("threshold", stage=row.stage)).all()


def choose(trace, stages, stage, group):
    """Return the number of the stage to show, having made sure that it exists."""
    if group:
        if group not in trace.groups():
            known = ", ".join(g for g in trace.groups() if g) or "none"
            raise ValueError(f"no stage of the trace belongs to a parameter group {group!r}; those with hooks of their "
                             f"own: {known}")
        own = np.unique(trace.column("stage", group=group)).astype(int).tolist()
        clip = clip_of_group(trace, group)
        chosen = stage if stage is not None else own[-1] if clip is None else clip
        if chosen not in own:
            raise ValueError(f"stage {stage!r} is none of group {group!r}; it has {', '.join(map(str, own))}")
        return chosen
    chosen = trace.clip_stage() if stage is None else stage
    chosen = 0 if chosen is None else chosen
    if not (stages == chosen).any():
        raise ValueError(f"the trace has no stage {stage!r}; its stages are {', '.join(trace.hooks())}, counted from 0")
    return chosen


def recorded(trace, name, hook="backward"):
    """Return whether a trace has numbers in a column, NaN that was measured among them."""
    if not np.isnan(trace.column(name, hook=hook)).all():
        return True
    return any(getattr(r, name) is not None for r in trace.rows if r.hook == hook and not r.parameter)


def rows_of_steps(trace, stages, chosen):
    """Return of each step the place of its row, among those of all parameters, and whether it is one of the stage.

    It is the first row of the step if this was dropped before it came to the stage; a step without either is left out.
    """
    begin = np.flatnonzero(stages == 0)
    if not len(begin) or begin[0] != 0:
        begin = np.r_[0, begin]
    found = np.full(len(begin), -1)
    there = np.flatnonzero(stages == chosen)
    found[np.searchsorted(begin, there, side="right")[::-1] - 1] = there[::-1]
    own = found >= 0
    dropped = ~own & np.isin(trace.column("outcome")[begin], ("skip", "raise"))
    return np.where(own, found, begin)[own | dropped], own[own | dropped]


def first_row(trace, stage):
    """Return the first row of a stage, of all parameters together."""
    return next(r for r in trace.rows if r.stage == stage and not r.parameter)


def horizontal(column, elsewhere):
    """Return the places of the steps on the axis, its label, and the name of the column they come from."""
    labels = ("step", "record") if elsewhere else ("update", "call of optimizer.step")
    for name, label in zip(("step", "micro_step"), labels):
        if (np.diff(column[name]) > 0).all():       # else several calls share an update: count the calls
            return column[name], label, name
    return np.arange(len(column["step"]), dtype=float), "record", ""


def micro_batches(trace, by):
    """Return where the micro-batches of windows are, and their norms, as they came to the hook that keeps them."""
    status = trace.column("status")
    kept = np.isin(status, ("hold", "window"))
    if not by or not (status == "hold").any():
        return np.zeros(0), np.zeros(0)
    return trace.column(by)[kept], trace.column("norm_in")[kept]


def own_limit(row):
    """Return in words a limit that is no threshold, but a part of each unit's weights; "" if there is none."""
    noted = json.loads(row.extra) if row.extra else {}
    if not isinstance(noted, dict) or "clipping" not in noted or row.threshold is not None:
        return ""
    return f"limit {noted['clipping']:g} of a unit's weights"


def scope(row, passed, after, thresholds):
    """Return what a threshold is one of, if not of the norm of all parameters together; "" if it is of that."""
    if row.hook == "ClipValue":
        return " per element"
    if "units_clipped" in row.extra:
        return " per unit"
    # What came out being longer than the limit, the limit is none of the whole.
    return " per parameter" if (after[passed] > 1.001 * thresholds[passed]).any() else ""

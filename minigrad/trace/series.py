"""The norm of a run, one value per call of the optimizer, before and after the stage that matters."""

from typing import NamedTuple

import numpy as np

EMPTY = "the trace is empty: attach it to an optimizer, optim.SGD(..., trace=trace), and take a step"


class Series(NamedTuple):
    """What :func:`series` returns; all arrays have one entry per call, in order.

    Attributes:
        calls: number of the call, as :meth:`minigrad.NormTrace.calls` counts them.
        steps, micro_steps: updates and calls made before it.
        before: norm in front of the stage; where no stage is asked for and none clips, the norm with which the gradient
            left the last hook.
        after: norm behind the stage.
        coefficient, cosine, threshold: of the stage; NaN where there is none.
        reached: whether the call came to the stage; if not, ``before`` is the norm that backward produced.
        passed: whether the gradient went on from there, and was not skipped.
        stage, hook, group, p: of the stage; ``p`` is the norm's.
        clips: whether the stage is a clip.
        acts: whether there is a before and an after.
        of: what the threshold is one of, as " per element"; "" if it is one of this norm.
    """

    calls: np.ndarray
    steps: np.ndarray
    micro_steps: np.ndarray
    before: np.ndarray
    after: np.ndarray
    coefficient: np.ndarray
    cosine: np.ndarray
    threshold: np.ndarray
    reached: np.ndarray
    passed: np.ndarray
    stage: int
    hook: str
    group: str
    p: float
    clips: bool
    acts: bool
    of: str

    @property
    def of_norm(self):
        """Whether there is a clip whose threshold is one of this norm."""
        return self.clips and not self.of

    @property
    def name(self):
        """The name of the stage, in words where a log has norms before and after and no hooks."""
        return self.hook if self.stage else "the clip"

    def that_came(self):
        """Return the same of the calls that reached the stage."""
        return self._replace(**{name: value[self.reached] for name, value in self._asdict().items()
                                if isinstance(value, np.ndarray)})


def series(trace, stage=None, group=""):
    """Return the norms in front of a stage and behind it, by default the last clip.

    In a trace without a clip it is the norm with which the gradient left the last hook, so that a scaled loss is
    unscaled and a window complete.  A micro-batch that a window held back is not there, as its window stands for it.  A
    call that was dropped on its way is there with the norm that backward produced, and has not ``reached`` the stage;
    one that the stage itself dropped is there with the norm it had.  As long as no call has come there it is the
    gradient as backward left it.

    Args:
        trace: a NormTrace.
        stage: number of a stage, 0 for the gradient as backward left it.
        group: name of a parameter group, whose own clip (or last stage) is meant; "" for all parameters together.

    Raises:
        ValueError: if the trace is empty or has no such stage or group.
    """
    if not len(trace):
        raise ValueError(EMPTY)
    if not trace.column("norm_in", stage=0).size:
        raise ValueError("the trace has no row of all parameters together in stage 0")
    chosen, plain = choose(trace, stage, group)

    def column(name):
        return trace.column(name, stage=chosen)

    status = column("status")
    here = trace.given("norm_in", stage=chosen) & (status != "hold")
    first_calls, calls = trace.calls(stage=0), trace.calls(stage=chosen)
    # A held micro-batch came to the stage that holds it, and no further.
    lost = ~np.isin(first_calls, calls) & np.isin(trace.column("outcome", stage=0), ("skip", "raise"))
    if stage is None and not group and chosen > 0 and not (here.any() or lost.any()):
        return series(trace, 0)                 # the first window is not complete yet
    order = np.argsort(np.r_[calls[here], first_calls[lost]], kind="stable")
    reached = np.r_[np.ones(here.sum(), bool), np.zeros(lost.sum(), bool)][order]

    def both(values, others):
        return np.r_[values[here], others[lost]][order]

    nothing = np.full(len(first_calls), np.nan)
    before, after, threshold = column("norm_in"), column("norm_out"), column("threshold")
    stopped = np.isin(status, ("skip", "raise"))
    acts = not plain and (chosen > 0 or bool((after != before)[~np.isnan(after)].any()))
    of = scope(trace, chosen, after[here & ~stopped], threshold[here & ~stopped])
    if plain and chosen > 0:
        before = np.where(np.isnan(after) | stopped, before, after)
    return Series(both(calls, first_calls), *(both(column(name), trace.column(name, stage=0)).astype(int)
                                              for name in ("step", "micro_step")),
                  both(before, trace.column("norm_in", stage=0)), both(after, nothing),
                  both(column("coefficient"), nothing), both(column("cosine"), nothing), both(threshold, nothing),
                  reached, both(~stopped, np.zeros(len(lost), bool)), chosen, str(column("hook")[0]),
                  str(column("group")[0]), float(column("p")[0]), clipping(trace, chosen), acts, of)


def choose(trace, stage, group):
    """Return the number of the stage to show, and whether it is just the last one; having made sure that it exists."""
    if group:
        if group not in trace.groups():
            known = ", ".join(trace.groups()) or "none"
            raise ValueError(f"no stage of the trace belongs to a parameter group {group!r}; those with hooks of their "
                             f"own: {known}")
        own = np.unique(trace.column("stage", group=group)).astype(int).tolist()
        clip = clip_of_group(trace, group)
        chosen = stage if stage is not None else own[-1] if clip is None else clip
        if chosen not in own:
            raise ValueError(f"stage {stage!r} is none of group {group!r}; it has {', '.join(map(str, own))}")
        return chosen, False
    if stage is None:
        clip = trace.clip_stage()
        return (last_gradient_stage(trace), True) if clip is None else (clip, False)
    if not (trace.column("stage") == stage).any():
        raise ValueError(f"the trace has no stage {stage!r}; its stages are {', '.join(trace.hooks())}, counted from 0")
    return stage, False


def clipping_groups(trace):
    """Return the names of the parameter groups whose own clips are the only ones, in order; [] if all share a clip."""
    stage = trace.clip_stage() if len(trace) else None
    if stage is None or not trace.column("group", stage=stage)[0]:
        return []
    return [group for group in trace.groups() if clip_of_group(trace, group) is not None]


def clip_of_group(trace, group):
    """Return the number of the last stage of a group that clips, or None."""
    stages = np.unique(trace.column("stage", group=group, place="gradient")).astype(int)
    return next((s for s in stages[::-1].tolist() if clipping(trace, s)), None)


def clipping(trace, stage):
    """Return whether a stage clips: it has a threshold in some step, or counts units that were clipped."""
    return bool(trace.given("threshold", stage=stage).any() or per_unit(trace, stage))


def per_unit(trace, stage):
    """Return whether a stage counts units that were clipped."""
    return not np.isnan(trace.noted("units_clipped", stage=stage)).all()


def scope(trace, stage, after, thresholds):
    """Return what a threshold is one of, if not of the norm of all parameters together; "" if it is of that."""
    if trace.column("hook", stage=stage)[0] == "ClipValue":
        return " per element"
    if per_unit(trace, stage):
        return " per unit"
    # What came out being longer than the limit, the limit is none of the whole.
    return " per parameter" if (after > 1.001 * thresholds).any() else ""


def as_it_came(trace):
    """Return in words what the norms of stage 0 are."""
    return "as recorded" if trace.hooks() == ["backward"] else "as backward left it"


def last_gradient_stage(trace):
    """Return the number of the last stage of all parameters' gradients."""
    stages = trace.column("stage", place="gradient", group="")
    return int(stages.max()) if stages.size else 0

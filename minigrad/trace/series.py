"""The norms of a trace in front of a clip and behind it, one value per call of the optimizer that came there."""

from typing import NamedTuple

import numpy as np

EMPTY = "the trace is empty: attach it to an optimizer, optim.SGD(..., trace=trace), and take a step"


class Series(NamedTuple):
    """What :func:`series` returns; all arrays have one entry per call.

    Attributes:
        steps: updates made before the call.
        before: norm in front of the clip; where there is none, of the gradient that came last before the update.
        after: norm behind the clip; None where there is none.
        coefficient, threshold: of the clip; NaN where there is none.
        stage, hook, group, p: of the stage; ``p`` is the norm's.
        clips: whether the stage is a clip.
        of_norm: whether its threshold is one of this norm; it may be one of each element, unit or parameter instead.
    """

    steps: np.ndarray
    before: np.ndarray
    after: np.ndarray | None
    coefficient: np.ndarray
    threshold: np.ndarray
    stage: int
    hook: str
    group: str
    p: float
    clips: bool
    of_norm: bool


def series(trace):
    """Return the norms that the last clip of a trace was given and let through.

    A call that was dropped before it came to the clip is not there, nor is a micro-batch that a window held back.  In a
    trace without a clip it is the norm with which the gradient left the last hook, so that a scaled loss is unscaled
    and a window complete; a gradient that was dropped is there with the norm it had.

    Raises:
        ValueError: if the trace is empty.
    """
    if not len(trace):
        raise ValueError(EMPTY)
    if not trace.column("norm_in", stage=0).size:
        raise ValueError("the trace has no row of all parameters together in stage 0")
    clip = trace.clip_stage()
    stage = last_gradient_stage(trace) if clip is None else clip

    def column(name):
        return trace.column(name, stage=stage)

    before, after = column("norm_in"), column("norm_out")
    kept = given(trace, "norm_in", stage=stage)
    if clip is None:
        status = column("status")
        kept &= status != "hold"
        before = np.where(np.isnan(after) | (status == "skip") | (status == "raise"), before, after)
    limit, hook = column("threshold"), str(column("hook")[0])
    # What comes out being longer than the limit, the limit is none of the whole.
    of_norm = clip is not None and hook != "ClipValue" and not (after > 1.001 * limit).any() \
        and np.isnan(trace.noted("units_clipped", stage=stage)).all()
    return Series(column("step")[kept].astype(int), before[kept], None if clip is None else after[kept],
                  column("coefficient")[kept], limit[kept], stage, hook, str(column("group")[0]),
                  float(column("p")[0]), clip is not None, of_norm)


def given(trace, name, **wanted):
    """Return where a column of numbers of the selected rows holds one; one that was measured as NaN is one."""
    column = trace._kept.table[name]
    return ~column.absent(column.array[trace._chosen({"parameter": "", **wanted})])


def as_it_came(trace):
    """Return in words what the norms of stage 0 are."""
    return "as recorded" if trace.hooks() == ["backward"] else "as backward left it"


def last_gradient_stage(trace):
    """Return the number of the last stage of all parameters' gradients."""
    stages = trace.column("stage", place="gradient", group="")
    return int(stages.max()) if stages.size else 0

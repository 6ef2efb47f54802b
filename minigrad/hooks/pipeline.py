"""Runs hooks left to right, measures each stage, and refuses orders that cannot be meant."""

import math
from contextlib import suppress
from dataclasses import replace

import numpy as np

from minigrad.hooks.lengths import Scaled, answer
from minigrad.hooks.protocol import SKIP, Stage, Verdict, hook_name
from minigrad.norms import cosine, norm, vectors

BEFORE_UNSCALE = ("{} would see gradients that are multiplied by the scale, whatever that is at the time; put Unscale "
                  "first")

FORBIDDEN = (
    *((role, "unscale", BEFORE_UNSCALE.format(what)) for role, what in (
        ("clip", "a clip"), ("clip-value", "a value clip"), ("normalize", "a normalisation"), ("noise", "noise"),
        ("accumulate", "a window"))),
    ("finite", "unscale",
     "what it skips or raises for, the scaler never hears of, and the scale stays too large; put Unscale first"),
    ("unscale", "unscale", "a gradient is multiplied by one scale, and divided by it once; leave one of them out"),
    ("clip-value", "finite",
     "a value clip turns inf into its threshold, so a finite check to its right sees nothing; put NonFinite first"),
    ("accumulate", "accumulate",
     "two accumulation windows would be nested; use one Accumulate(every=k * n)"),
)
"""Orders (left role, right role, why) that no run can mean."""

MISPLACED = {
    ("group", "accumulate"): "in a parameter group: a window belongs to the whole step, which all groups make "
                             "together; put it into the optimizer's own hooks=[...]",
    ("group", "unscale"): "in a parameter group: the loss was scaled as a whole; put it first in the optimizer's own "
                          "hooks=[...]",
    ("inside", "accumulate"): "has no place inside the backward pass: there is one cotangent at a time, and no window "
                              "of micro-batches; put it into hooks=[...] of the optimizer",
    ("inside", "unscale"): "has no place inside the backward pass: what is scaled is the loss, and the gradients are "
                           "divided when the pass is over; put it into hooks=[...] of the optimizer",
    ("update", "accumulate"): "among the update_hooks: an update is not held, the gradients are; put it into "
                              "hooks=[...]",
    ("update", "unscale"): "among the update_hooks: an update is not scaled, the gradient is; put it first in "
                           "hooks=[...]",
}
"""Roles that have no meaning in a place, and why."""


class OrderError(ValueError):
    """Hooks in an order that cannot be meant."""


def check_order(hooks):
    """Refuse an order of hooks in FORBIDDEN by an OrderError that says why it cannot be meant."""
    roles = [getattr(hook, "role", None) for hook in hooks]
    for i, left in enumerate(roles):
        for j in range(i + 1, len(roles)):
            for first, second, why in FORBIDDEN:
                if (left, roles[j]) == (first, second):
                    raise OrderError(f"{hook_name(hooks[i])} stands left of {hook_name(hooks[j])}: {why}")


class Pipeline:
    """A list of hooks; list order is time order.

    Args:
        hooks: callables ``hook(grads, ctx)``; one that says ``role = "..."`` takes part in the check of orders.
        place: "gradient", "group" (the gradients of one parameter group), "update", or "inside" (the backward pass).

    Raises:
        TypeError: if a hook cannot be called.
        OrderError: for an order in FORBIDDEN, or a hook that has no meaning in its place; the message says why.
    """

    def __init__(self, hooks=(), place="gradient"):
        if hooks is None or isinstance(hooks, (str, bytes)):
            raise TypeError(f"hooks is a list, [] for none, not {hooks!r}")
        if callable(hooks):
            raise TypeError(f"hooks is a list, in time order: write [{hook_name(hooks)}(...)] with square brackets")
        self.hooks = list(hooks)
        self.place = place
        self.groups = []                # (name of a parameter group, its own Pipeline), to be shown
        for hook in self.hooks:
            if not callable(hook) or isinstance(hook, type):
                raise TypeError(f"a hook is a callable hook(grads, ctx), not {hook!r}"
                                + ("; make an instance of it" if isinstance(hook, type) else ""))
            why = MISPLACED.get((place, getattr(hook, "role", None)))
            if why:
                raise OrderError(f"{hook_name(hook)} {why}")
        check_order(self.hooks)

    @staticmethod
    def undo(states):
        """Give hooks the states back that they had, all of them, even if one refuses its own."""
        for hook, state in states:
            with suppress(Exception):
                hook.load_state_dict(state)

    def __len__(self):
        return len(self.hooks)

    def __iter__(self):
        return iter(self.hooks)

    def __getitem__(self, index):
        return self.hooks[index]

    def __repr__(self):
        windowed = any(getattr(hook, "role", None) == "accumulate" for hook in self.hooks)
        label, lines = "per micro-batch" if windowed else "", []
        for hook in self.hooks:
            accumulates = getattr(hook, "role", None) == "accumulate"
            lines.append(self.line(hook, "" if accumulates else label))
            label = "per window" if accumulates else label
        for name, group in self.groups:
            lines += [f"{name}: {self.line(hook, label)}" for hook in group]
        return "\n -> ".join(lines) if lines else "no hooks"

    @staticmethod
    def line(hook, label):
        """Return how a hook is shown, with what it is run on."""
        return (hook_name(hook) if hasattr(hook, "__name__") else repr(hook)) + (f"  [{label}]" if label else "")

    def run(self, grads, ctx, *, counts, per_parameter=False, start=0, first=1, stages=None, group="", lazy=False):
        """Run the hooks from number ``start`` on.

        Args:
            grads: name -> array or None.
            ctx: the Context; its ``norm`` is that of ``grads``.
            counts: whether to count NaN, inf, zero and missing (a pass over the data).
            per_parameter: whether to measure each parameter by itself, too.
            start: the hook to begin with.
            first: the number of the first hook's stage.
            stages: a list to which the record of each stage is appended, also of one that raises.
            group: the name of the parameter group, if it is one group's own.
            lazy: whether the products of a last clip may be left to the caller.

        Returns:
            ``(outcome, stages)``: outcome a dict of gradients (Scaled, where it is lazy), or a Verdict.
        """
        stages, windowed = [] if stages is None else stages, start > 0
        counted = stages[-1] if stages and self.place == "gradient" else None       # the record of these very arrays
        for index, hook in enumerate(self.hooks[start:], start):
            grads = formed(grads)
            ctx.stage = stage = Stage(hook_name(hook), "update" if self.place == "update" else "gradient",
                                      first + index, norm_in=ctx.norm, group=group)
            stages.append(stage)
            try:
                if counts:
                    count(stage, grads, counted)
                outcome = answer(hook, dict(grads), ctx)
                if isinstance(outcome, Verdict):
                    if outcome.status == "hold":
                        self.refuse_to_hold(stage, windowed)
                    stage.status, stage.reason = outcome.status, outcome.reason
                    return outcome, stages
                outcome = checked(outcome, grads, stage)
            except BaseException as error:
                stage.status, stage.reason = "raise", f"{type(error).__name__}: {error}"
                if isinstance(error, ValueError) and "read-only" in str(error):
                    raise ValueError(f"hook {stage.hook} writes into a gradient it was given ({error}); return new "
                                     f"arrays, {{name: g if g is None else 0.5 * g for name, g in grads.items()}}"
                                     ) from error
                raise
            measure(stage, grads, outcome, ctx)
            if per_parameter:
                outcome = formed(outcome)
                stage.parameters = {name: one_parameter(stage, grads[name], outcome[name], counts) for name in grads}
            windowed = windowed or stage.status == "window"
            counted = stage if unchanged(grads, outcome) else None
            grads = outcome
        return grads if lazy else formed(grads), stages

    def refuse_to_hold(self, stage, windowed):
        """Refuse a HOLD from where nothing can be held."""
        if self.place == "update":
            raise TypeError(f"update hook {stage.hook} returned HOLD; only gradients can be held, by hooks=[...]")
        if self.place == "group":
            raise TypeError(f"hook {stage.hook} of {stage.group} returned HOLD; a window belongs to the whole step: "
                            f"put the hook into the optimizer's own hooks=[...]")
        if windowed:
            raise TypeError(f"hook {stage.hook} returned HOLD for a window that Accumulate has let go; only hooks to "
                            f"the left of it can hold")


def run_groups(groups, grads, ctx, *, counts, per_parameter, first, stages):
    """Run the hooks that parameter groups have of their own, when those of all parameters are done.

    A gradient that a group's hook skips is as if it had not come; the other groups go on.

    Args:
        groups: each with ``options`` (its hyperparameters), ``names`` (of its parameters), ``hooks``, ``label``.
        grads, ctx, counts, per_parameter, first, stages: as for :meth:`Pipeline.run`.

    Returns:
        a dict of gradients, or SKIP if nothing is left of them.
    """
    if not any(len(group.hooks) for group in groups):
        return grads
    before = grads = formed(grads)
    for group in groups:
        own = {name: grads[name] for name in group.names} if len(group.hooks) else {}
        if any(g is not None for g in own.values()):
            inside = replace(ctx, lr=group.options["lr"], norm=norm(own.values()))
            outcome, _ = group.hooks.run(own, inside, counts=counts, per_parameter=per_parameter, first=first,
                                         stages=stages, group=group.label)
            grads = {**grads, **(dict.fromkeys(own) if isinstance(outcome, Verdict) else outcome)}
        first += len(group.hooks)
    if grads is before:
        return grads
    if all(g is None for g in grads.values()):
        return SKIP.because("; ".join(f"{s.group}: {s.reason or s.hook}" for s in stages if s.status == "skip"))
    ctx.norm = norm(grads.values())
    return grads


def backward_stage(name, grads, norm_in, counts, per_parameter):
    """Return the record of the gradient as backward produced it."""
    stage = Stage(name, norm_in=norm_in, norm_out=norm_in, coefficient=1.0, cosine=1.0)
    if counts:
        count(stage, grads)
    if per_parameter:
        stage.parameters = {name: one_parameter(stage, g, g, counts) for name, g in grads.items()}
    return stage


def formed(grads):
    """Return a dict of read-only arrays: what is Scaled is multiplied."""
    if not isinstance(grads, Scaled):
        return grads
    for g in grads.values():
        if g is not None:
            g.flags.writeable = False
    return grads.data


def unchanged(grads, outcome):
    """Whether a hook has answered with the very arrays that it was given."""
    return not isinstance(outcome, Scaled) and all(outcome[name] is g for name, g in grads.items())


def checked(outcome, grads, stage):
    """Return a hook's answer in order, cast and read-only; refuse one that is no gradient for the same parameters."""
    name = stage.hook
    if isinstance(outcome, Scaled):
        return Scaled(checked(outcome.arrays, grads, stage), outcome.factor)
    if not isinstance(outcome, dict):
        raise TypeError(f"hook {name} returned {type(outcome).__name__}; return a dict name -> array like the one it "
                        f"was given, or HOLD, or SKIP")
    if outcome.keys() != grads.keys():
        odd = sorted(map(str, outcome.keys() ^ grads.keys()))
        raise ValueError(f"hook {name} returned other parameters than it was given: {', '.join(odd)}")
    out = {}
    for key, before in grads.items():
        g = outcome[key]
        if g is not before and g is not None and not (before is None and stage.status == "window"):
            if before is None:
                raise ValueError(f"hook {name}: parameter {key} was given a gradient, but no path leads there; leave "
                                 f"None")
            if np.shape(g) != before.shape:
                raise ValueError(f"hook {name} returned shape {np.shape(g)} for {key}, whose gradient has "
                                 f"{before.shape}")
            # A wider dtype is welcome (an unscaled float16 gradient would vanish again in float16), a narrower is not.
            g = np.asarray(g)
            if g.dtype != before.dtype:
                wide = g.dtype if g.dtype.kind == "f" else before.dtype
                g = g.astype(np.promote_types(wide, before.dtype), copy=False)
            g = g.view()                    # the hook may keep its own, and write into that
            g.flags.writeable = False
        out[key] = g
    return out


def measure(stage, grads, outcome, ctx):
    """Complete the record of a stage, measuring what the hook did not note, and set ``ctx.norm`` for the next one."""
    if unchanged(grads, outcome):
        stage.norm_out = stage.norm_in
        stage.coefficient = stage.cosine = 1.0
        return
    if stage.norm_out is None:
        stage.norm_out = norm(outcome.values(), stage.p)
    ctx.norm = stage.norm_out if stage.p == 2 else norm(outcome.values())
    if stage.status == "window":         # what came in is one micro-batch, what goes out the whole window
        return
    if stage.coefficient is None and stage.norm_in:
        stage.coefficient = stage.norm_out / stage.norm_in if stage.norm_in < math.inf else math.nan
    if stage.cosine is None:
        lengths = (stage.norm_in, stage.norm_out) if stage.p == 2 else (None, None)
        stage.cosine = cosine(list(grads.values()), list(outcome.values()), *lengths)


def count(stage, grads, counted=None):
    """Count NaN, inf and zero elements, and parameters without a gradient, unless a stage has counted these before."""
    if counted is not None and counted.missing is not None:
        stage.nan, stage.inf, stage.zero, stage.missing = counted.nan, counted.inf, counted.zero, counted.missing
        return
    arrays = [g for g in grads.values() if g is not None]
    finite = math.isfinite(stage.norm_in)
    stage.nan = 0 if finite else sum(int(np.isnan(g).sum()) for g in arrays)
    stage.inf = 0 if finite else sum(int(np.isinf(g).sum()) for g in arrays)
    stage.zero = sum(int(np.count_nonzero(vector == 0)) for vector in vectors(arrays))
    stage.missing = len(grads) - len(arrays)


def one_parameter(stage, before, after, counts):
    """Return the record of one parameter in a stage."""
    record = replace(stage, parameters={}, norm_in=None, norm_out=None, coefficient=None, cosine=None,
                     nan=None, inf=None, zero=None, missing=None)
    record.norm_in = norm([before], stage.p)
    if counts:
        count(record, {"": before})
    record.norm_out = record.norm_in if after is before else norm([after], stage.p)
    if stage.status != "window" and before is not None:
        same = after is before
        if after is not None:
            record.coefficient = 1.0 if same else record.norm_out / record.norm_in if record.norm_in else None
            record.cosine = 1.0 if same else cosine([before], [after])
    return record

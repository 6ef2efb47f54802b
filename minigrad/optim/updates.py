"""Proposed updates: of one parameter, or of many small ones at once, laid end to end as one long vector.

Rules like Adam's treat every element by itself, so it does not matter to them where a parameter ends; for NumPy one
operation on a long vector is several times faster than hundreds on short ones.  The numbers are the same, to the bit.
"""

import math
from itertools import accumulate, pairwise
from operator import is_

import numpy as np

from minigrad.hooks.lengths import Scaled
from minigrad.hooks.pipeline import Pipeline, measure
from minigrad.hooks.protocol import Stage, Verdict
from minigrad.norms import norm, times
from minigrad.tensor import Tensor

TOGETHER = 2 ** 18
"""So many bytes of parameters are laid end to end at most: what an update works with stays in the processor's cache."""


def update(optimizer, grads, plan, ctx, stages, measured):
    """Let an optimizer propose, run its update hooks, and only then change parameters and state.

    Args:
        grads: name -> array or None, as the gradient hooks left it, Scaled perhaps.
        plan: the groups, see :func:`minigrad.optim.groups.plan_of`.
        ctx, stages: of this step; the stages of the update hooks, the decay and the update are appended.
        measured: ``counts`` and ``per_parameter``, as for :meth:`Pipeline.run`.

    Returns:
        None, or the verdict of an update hook that skips.
    """
    first = 1 + len(optimizer.hooks) + sum(len(group.hooks) for group in plan)      # number of the first stage here
    traced, found, moves = measured["counts"], [], []
    watched = len(optimizer.update_hooks) or (traced and optimizer.decoupled)
    for proposed in proposals(optimizer, plan, ctx.params, grads):
        if not watched:                             # complete it at once, while it is in the processor's cache
            if traced:
                moves.append(move(proposed, ctx.params, measured))
            if optimizer.decoupled:
                proposed.decay()
            proposed.add()
        found.append(proposed)
    if watched:
        found = watch(optimizer, found, dict.fromkeys(ctx.params), ctx, stages, measured, first)
        if isinstance(found, Verdict):
            return found
    elif traced:
        stages.append(update_stage(first, moves))
    moved = [pair for proposed in found for pair in proposed.parts()]
    for name, array in moved:
        optimizer.params[name]._rebind(array)
    for proposed in found:
        proposed.keep(optimizer._state)
    if optimizer._seen:
        optimizer._lay_down()
    return None


def move(proposed, params, measured):
    """Return the norms of an update and of what it moves; and those of each parameter, name -> pair, on request."""
    singly = measured["per_parameter"] and {name: (norm([part]), norm([params[name]]))
                                            for name, part in proposed.parts()}
    return norm([proposed.update]), norm([proposed.p]), singly or {}


def update_stage(index, moves, length=None):
    """Return the record of the update, from the :func:`move` of each proposal; and its norm, if it is known."""
    def stage(update, data):
        return Stage("update", "update", index, norm_in=update, norm_out=update, data=data)

    updates, data, singly = zip(*moves) if moves else ((), (), ())
    whole = stage(norm(np.array(updates)) if length is None else length, norm(np.array(data)))
    whole.parameters = {name: stage(*pair) for part in singly for name, pair in part.items()}
    return whole


def watch(optimizer, found, updates, ctx, stages, measured, first):
    """Run the update hooks and the decoupled decay, on record; return the proposals, complete, or a verdict."""
    if not len(optimizer.update_hooks):
        ctx.norm = norm([proposed.update for proposed in found])
    else:
        for proposed in found:
            updates.update((name, locked(part)) for name, part in proposed.parts())
        ctx.norm = norm(updates.values())       # the hooks see the same digits, whatever is joined
        held = [hook.state_dict() if hasattr(hook, "state_dict") else None for hook in optimizer.update_hooks]
        outcome, _ = optimizer.update_hooks.run(updates, ctx, **measured, first=first, stages=stages)
        if isinstance(outcome, Verdict):
            # What the hooks to its left have seen does not happen; it itself may count what it skips.
            left = list(zip(optimizer.update_hooks, held))[:stages[-1].index - first]
            Pipeline.undo([(hook, state) for hook, state in left if state is not None])
            return outcome
        optimizer._lay_down()
        found = [single for proposed in found for single in proposed.singly(ctx.params, outcome)]
        first += len(optimizer.update_hooks)
    before = {i: proposed.update for i, proposed in enumerate(found)}
    if optimizer.decoupled:
        for proposed in found:
            proposed.decay()
    if measured["counts"]:
        if optimizer.decoupled:
            stages.append(Stage("decay", "update", first, norm_in=ctx.norm))
            measure(stages[-1], before, {i: proposed.update for i, proposed in enumerate(found)}, ctx)
            first += 1
        stages.append(update_stage(first, [move(proposed, ctx.params, measured) for proposed in found], ctx.norm))
    for proposed in found:
        proposed.add()
    return found


class Proposal:
    """What an optimizer proposes for some parameters: p <- p + update, and their new state.

    ``p`` and ``update`` are arrays of one parameter's shape, or vectors; ``parts`` cuts a vector up.
    """

    __slots__ = ("fresh", "joined", "names", "options", "p", "state", "update")

    def __init__(self, names, p, update, state, options, joined=None, fresh=False):
        self.names, self.p, self.update, self.state, self.options = names, p, update, state, options
        self.joined, self.fresh = joined, fresh

    def decay(self):
        """Put the decoupled decay, which no hook sees or changes, into the update: p <- p - lr weight_decay p."""
        c = self.options["lr"] * self.options["weight_decay"]
        if c:
            self.update = self.update - np.multiply(self.p, c, dtype=self.update.dtype)

    def add(self):
        """Form p + update, in p's dtype, in the update's place: in its memory, where the optimizer hands that over."""
        update = self.update
        if self.fresh and isinstance(update, np.ndarray) and update.base is None and update.dtype == self.p.dtype:
            update += self.p
        else:
            self.update = np.add(self.p, update, order="C").astype(self.p.dtype, copy=False)

    def parts(self):
        """Return (name, update) pairs."""
        if self.joined is None:
            return [(self.names[0], self.update)]
        return list(zip(self.names, self.joined.parameters.split(self.update)))

    def keep(self, states):
        """Put the new state where it is kept: in ``states``, by name, or where it is kept joined."""
        if self.state is not None and self.joined is not None:
            self.joined.state = self.state
        elif self.state is not None:
            states[self.names[0]] = self.state

    def singly(self, params, updates):
        """Return a Proposal for each parameter whose update is not None, with updates by name in place of its own."""
        if self.joined is None or self.state is None:
            states = [self.state] * len(self.names)
        else:
            states = self.joined.split(self.state)
        return [Proposal([name], params[name], updates[name], state, self.options)
                for name, state in zip(self.names, states) if updates[name] is not None]


class Vector:
    """Arrays laid end to end, and the views that it was cut into the last time."""

    def __init__(self, shapes):
        ends = list(accumulate(map(math.prod, shapes), initial=0))
        self.cuts = [(slice(*cut), shape) for cut, shape in zip(pairwise(ends), shapes)]
        self.whole, self.views = None, []

    def join(self, arrays):
        """Return the arrays as one vector: the one that was cut, if they are its parts."""
        if len(arrays) == len(self.views) and all(map(is_, arrays, self.views)):
            return self.whole
        return np.concatenate([a.reshape(-1) for a in arrays])

    def split(self, whole):
        """Cut a vector up into views of the right shapes."""
        self.whole, self.views = whole, [whole[cut].reshape(shape) for cut, shape in self.cuts]
        return self.views


class Joined:
    """Parameters of one group and dtype that are updated together, as long as their gradients and states allow it.

    ``state`` is theirs as one, until somebody asks for the state of one of them; None then, and before the first step.
    """

    def __init__(self, names, params):
        self.names, self.dtype = names, params[names[0]].dtype
        self.shapes = [params[name].shape for name in names]
        self.vectors, self.state = {}, None
        self.parameters = Vector(self.shapes)

    def propose(self, optimizer, params, grads, factor, options):
        """Return one Proposal for all, or None if one of them has no gradient, or another dtype or number of steps."""
        gradients = [grads[name] for name in self.names]
        if any(g is None for g in gradients) or len({g.dtype for g in gradients}) > 1:
            return None
        arrays = [params[name] for name in self.names]
        state = self.join(list(map(optimizer._state.get, self.names))) if self.state is None else self.state
        if state is MIXED or any(a.dtype != self.dtype for a in arrays):
            return None
        g = np.concatenate([g.reshape(-1) for g in gradients])
        return proposal(optimizer, self.names, self.parameters.join(arrays), g, factor, state, options, self)

    def join(self, states):
        """Return the states of the parameters as one, or MIXED."""
        first = states[0]
        if first is None or any(state is None or state.keys() != first.keys() for state in states):
            return None if all(state is None for state in states) else MIXED
        joined = {}
        for key, value in first.items():
            values = [state[key] for state in states]
            if isinstance(value, np.ndarray):
                if any(not isinstance(v, np.ndarray) or v.shape != shape or v.dtype != value.dtype
                       for v, shape in zip(values, self.shapes)):
                    return MIXED
                joined[key] = self.vector(key).join(values)
            elif any(type(v) is not type(value) or v != value for v in values):
                return MIXED
            else:
                joined[key] = value
        return joined

    def split(self, state):
        """Return the parameters' own states, a dict each."""
        columns = [self.vector(key).split(value) if isinstance(value, np.ndarray) else [value] * len(self.names)
                   for key, value in state.items()]
        return [dict(zip(state, values)) for values in zip(*columns)]

    def lay_down(self, states):
        """Put the parameters' own states into a dict, by name."""
        if self.state is not None:
            states.update(zip(self.names, self.split(self.state)))
            self.state = None

    def vector(self, key):
        """Return what joins and splits the states of this name."""
        if key not in self.vectors:
            self.vectors[key] = Vector(self.shapes)
        return self.vectors[key]


MIXED = object()
"""States that are not of one kind."""


def locked(array):
    """Return a view that cannot be written to."""
    array = np.asarray(array).view()            # an update of a parameter without axes may be a number
    array.flags.writeable = False
    return array


def joined(names, params):
    """Return the parameters of a group as Joined ones and, where one stands alone, lists of one name."""
    runs, size = [], 0
    for name in names:
        p = params[name]
        if not runs or p.dtype != params[runs[-1][-1]].dtype or size + p.nbytes > TOGETHER:
            runs.append([])
            size = 0
        runs[-1].append(name)
        size += p.nbytes
    return [run if len(run) == 1 else Joined(run, params) for run in runs]


def says(optimizer, what):
    """Return whether an optimizer says ``elementwise`` or ``hands_over`` of its ``propose``, in the same class."""
    for place in (optimizer, *type(optimizer).__mro__):
        if "propose" in vars(place):
            return vars(place).get(what, False)
    return False


def proposal(optimizer, names, p, g, factor, state, options, together=None):
    """Ask the optimizer for an update by g * factor, and refuse what is none."""
    with np.errstate(under="ignore"):
        p, g = locked(p), locked(times(g, factor))
    if g.dtype.itemsize < 4:            # moments in at least float32: in float16, eps and g * g round to 0
        g = g.astype(np.float32)
    proposed = optimizer.propose(p, -g if optimizer.maximize else g, state, options)
    if not isinstance(proposed, tuple) or len(proposed) != 2 or not hasattr(proposed[0], "dtype"):
        raise TypeError(f"{who(optimizer, names)}return (update, new state), an array and a dict or None, not "
                        f"{proposed!r}")
    update = proposed[0]
    if isinstance(update, Tensor) or update.shape != p.shape or update.dtype.kind != p.dtype.kind:
        raise ValueError(f"{who(optimizer, names)}returned a {type(update).__name__} of shape {update.shape} and dtype "
                         f"{update.dtype}; the update is an array of the parameter's shape, {p.shape}, and of kind "
                         f"{p.dtype}")
    if together is not None and not fits(proposed[1], p.shape):
        raise TypeError(f"{who(optimizer, names)}as it says elementwise = True, a state is a dict of arrays of the "
                        f"parameter's shape and of numbers, or None, not {proposed[1]!r}")
    return Proposal(names, p, *proposed, options, together, says(optimizer, "hands_over"))


def fits(state, shape):
    """Say whether a state can be cut up as the parameters are."""
    plain = (bool, int, float, str, type(None))
    return state is None or (isinstance(state, dict) and all(
        value.shape == shape if isinstance(value, np.ndarray) else isinstance(value, plain)
        for value in state.values()))


def who(optimizer, names):
    """Return how a message about a proposal begins."""
    return f"{type(optimizer).__name__}.propose, parameter {names[0]}: "


def joined_of(optimizer):
    """Return the parameters of an optimizer that are kept joined."""
    return [run for runs in optimizer._runs.values() for run in runs if isinstance(run, Joined)]


COUNTERS = ("updates", "micro_steps", "held", "skipped")


def memory_of(optimizer):
    """Return what a step may change beside parameters and hooks, for :func:`roll_back`."""
    counters = {name: getattr(optimizer, name) for name in COUNTERS}
    return counters, dict(optimizer._state), [(run, run.state) for run in joined_of(optimizer)]


def roll_back(optimizer, memory, params):
    """Put everything back as it was, where a step was broken off: parameters too, from name -> array."""
    counters, state, joined_states = memory
    for name, p in optimizer.params.items():
        if p._array is not params[name]:
            p._rebind(params[name])
    vars(optimizer).update(counters)
    optimizer._state.clear()
    optimizer._state.update(state)
    for run, kept in joined_states:
        run.state = kept


def proposals(optimizer, plan, params, grads):
    """Yield a Proposal for the parameters that have a gradient, group by group."""
    grads, factor = (grads.arrays, grads.factor) if isinstance(grads, Scaled) else (grads, 1.0)
    for group in plan:
        for run in group.runs:
            found = None if isinstance(run, list) else run.propose(optimizer, params, grads, factor, group.options)
            if found is not None:
                yield found
                continue
            if isinstance(run, Joined):
                run.lay_down(optimizer._state)
            for name in run if isinstance(run, list) else run.names:
                if grads[name] is not None:
                    yield proposal(optimizer, [name], params[name], grads[name], factor, optimizer._state.get(name),
                                   group.options)

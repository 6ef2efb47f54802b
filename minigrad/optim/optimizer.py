"""The optimizer's frame: collect gradients, run the hooks, propose an update, apply it, report what happened."""

import math
import warnings
import weakref

import numpy as np

from minigrad.hooks import Context, Pipeline, StepReport
from minigrad.hooks.pipeline import backward_stage
from minigrad.hooks.protocol import Stage, Verdict, positive
from minigrad.norms import norm
from minigrad.tensor import Tensor


class Optimizer:
    """What all optimizers share; a new one writes ``propose`` alone.

    Args:
        params: tensors, ``(name, tensor)`` pairs, or a dict name -> tensor.  ``net.parameters()`` knows the names.
            A tensor given twice counts once.
        lr: the learning rate, > 0; ``opt.lr`` may be assigned between steps.
        hooks: gradient hooks in time order, see :mod:`minigrad.hooks`.
        update_hooks: the same for the update that the optimizer proposes (p <- p + update).
        trace: a :class:`minigrad.NormTrace` that is handed the report of each step.

    Raises:
        TypeError: if a parameter is no tensor, or does not require a gradient.
        ValueError: for no parameters, two of one name, or lr not > 0.
    """

    def __init__(self, params, lr, hooks=(), update_hooks=(), trace=None):
        self.params = named(params)
        self.lr = lr
        self.hooks, self.update_hooks = hooks, update_hooks
        if trace is not None and not hasattr(trace, "record_report"):
            raise TypeError(f"trace is a NormTrace(), not {trace!r}; save it later with trace.save(path)")
        self.trace = trace
        self.state = {}
        self.updates = self.micro_steps = self.held = self.skipped = 0
        self._warned = False

    @property
    def lr(self):
        """The learning rate."""
        return self._lr

    @lr.setter
    def lr(self, value):
        self._lr = positive(value, "lr", finite=True)

    @property
    def hooks(self):
        """The gradient hooks, as a Pipeline; a list may be assigned."""
        return self._hooks

    @hooks.setter
    def hooks(self, hooks):
        self._hooks = self._own(Pipeline(hooks))

    @property
    def update_hooks(self):
        """The hooks on the update, as a Pipeline; a list may be assigned."""
        return self._update_hooks

    @update_hooks.setter
    def update_hooks(self, hooks):
        self._update_hooks = self._own(Pipeline(hooks, place="update"))

    def _own(self, pipeline):
        """Refuse hooks that keep a state for another optimizer: the two would mix their gradients."""
        stateful = [hook for hook, _ in pipeline.state_dicts()]
        for hook in stateful:
            owner = getattr(hook, "_owner", lambda: None)()
            if owner is not None and owner is not self:
                raise ValueError(f"{hook!r} already belongs to another optimizer, and keeps a state for it; make a "
                                 f"second one")
        for hook in stateful:
            hook._owner = weakref.ref(self)
        return pipeline

    def zero_grad(self):
        """Set every ``.grad`` to None, so that the next backward starts afresh."""
        for p in self.params.values():
            p.grad = None

    def step(self, weight=1.0, loss=None):
        """Run the hooks on the gradients in ``.grad`` and, unless they hold or skip it, update the parameters.

        Args:
            weight: how many items the micro-batch has; counts under ``Accumulate`` with batches of unequal sizes.
            loss: for the record in the trace (a number or a tensor of one element).

        Returns:
            a :class:`~minigrad.hooks.StepReport`.

        Raises:
            ValueError: if weight is not > 0, or a hook returned something that does not fit.
            FloatingPointError: from ``NonFinite``.  Whatever is raised, parameters, moments and hooks are what they
                were (hooks of your own, if they have ``state_dict`` and ``load_state_dict``).
        """
        weight = positive(weight, "weight", finite=True)
        grads = {name: None if p.grad is None else p.grad.data for name, p in self.params.items()}
        return self._advance(grads, weight, None if loss is None else float(loss), self.hooks.state_dicts())

    def flush(self):
        """Let go of a window of ``Accumulate`` that is not full (at the end of an epoch).

        Returns:
            the report, or None if nothing was waiting or ``Accumulate(last=...)`` says to drop or carry it.
        """
        for index, hook in enumerate(self.hooks):
            if getattr(hook, "role", None) == "accumulate":
                states, weight = self.hooks.state_dicts(), hook.weights
                grads = hook.flush()
                if grads is not None:
                    return self._advance(grads, weight, None, states, start=index + 1)
        return None

    def _advance(self, grads, weight, loss, states, start=0):
        """Run hooks and update; whatever goes wrong, parameters, moments and hooks are what they were."""
        detailed = self.trace is not None
        per_parameter = detailed and self.trace.per_parameter
        measured = {"counts": detailed, "per_parameter": per_parameter}
        ctx = Context(step=self.updates, micro_step=self.micro_steps, weight=weight, lr=self.lr,
                      params={name: p.data for name, p in self.params.items()}, norm=norm(grads.values()))
        stages = [backward_stage(grads, ctx.norm, **measured)]
        if start:
            stages[0].hook = "flush"
        try:
            if not start:
                self._warn_once(grads, ctx.norm, ("raise", "skip", "zero", "propagate"))
            outcome, _ = self.hooks.run(grads, ctx, **measured, start=start, stages=stages)
            if not isinstance(outcome, Verdict):
                self._warn_once(outcome, ctx.norm, ("propagate",))
                outcome = self._update(outcome, ctx, stages, measured)
        except BaseException as error:
            self.hooks.undo(states)
            if detailed:                # the step that ends a run is the one to look at
                self.trace.record_report(self._report("raise", f"{type(error).__name__}: {error}", ctx, loss, stages))
            raise
        status, reason = (outcome.status, outcome.reason) if isinstance(outcome, Verdict) else ("step", "")
        report = self._report(status, reason, ctx, loss, stages)
        self.micro_steps += not start
        self.updates += status == "step"
        self.held += status == "hold"
        self.skipped += status == "skip"
        if detailed:
            self.trace.record_report(report)
        return report

    def _report(self, status, reason, ctx, loss, stages):
        return StepReport(status, reason, self.updates, self.micro_steps, ctx.weight, ctx.lr, loss, stages)

    def _update(self, grads, ctx, stages, measured):
        """Propose, run the update hooks, and only then change anything."""
        updates, states = dict.fromkeys(grads), {}
        for name, g in grads.items():
            if g is not None:           # moments in at least float32: in float16, eps and g * g round to 0
                g = g.astype(np.promote_types(g.dtype, np.float32), copy=False)
                updates[name], states[name] = self.propose(ctx.params[name], g, self.state.get(name))
        if len(self.update_hooks) or measured["counts"]:
            ctx.norm = norm(updates.values())
        if len(self.update_hooks):
            before = self.update_hooks.state_dicts()
            try:
                outcome, _ = self.update_hooks.run(updates, ctx, **measured, first=len(self.hooks) + 1, stages=stages)
                if isinstance(outcome, Verdict) and outcome.status == "hold":
                    raise TypeError("an update hook returned HOLD; only gradients can be held, by hooks=[...]")
            except BaseException:
                self.update_hooks.undo(before)
                raise
            if isinstance(outcome, Verdict):
                return outcome
            updates = outcome
        if measured["counts"]:
            number = len(self.hooks) + len(self.update_hooks) + 1
            stages.append(Stage("update", "update", number, norm_in=ctx.norm, norm_out=ctx.norm))
        moved = {name: (ctx.params[name] + update).astype(ctx.params[name].dtype, copy=False)
                 for name, update in updates.items() if update is not None}
        for name, array in moved.items():
            self.params[name]._rebind(array)
        self.state.update({name: state for name, state in states.items() if state is not None})
        return updates

    def propose(self, p, g, state):
        """Return the update of one parameter (p <- p + update) and its new state, changing nothing.

        Args:
            p, g: its array and its gradient, both read-only.
            state: what was returned as its new state the last time; None at first.
        """
        raise NotImplementedError

    def _warn_once(self, grads, length, trusted):
        """A gradient that is not finite never passes silently; a NonFinite of a trusted policy looks after it."""
        if math.isfinite(length) or self._warned:
            return
        if any(getattr(h, "role", None) == "finite" and h.policy in trusted for h in self.hooks):
            return
        bad = [name for name, g in grads.items() if g is not None and not np.isfinite(g).all()]
        if bad:
            self._warned = True
            bad[3:] = [f"{len(bad) - 3} more"] if len(bad) > 3 else []
            warnings.warn(f"the gradient is not finite at update {self.updates}, in {', '.join(bad)}, and may spoil "
                          f"these parameters for good. Put hooks.NonFinite('raise' | 'skip' | 'zero' | 'propagate') "
                          f"first in hooks=[...] to say what should happen", RuntimeWarning, stacklevel=4)

    def __repr__(self):
        return f"{type(self).__name__}({len(self.params)} parameters, lr={self.lr:g}, hooks: {self.hooks!r})"


def named(params):
    """Return parameters as a dict name -> tensor, each tensor once."""
    if isinstance(params, Tensor):
        raise TypeError("give a list of parameters, [w], not one tensor")
    if hasattr(params, "parameters"):
        raise TypeError(f"give the parameters of the net, {type(params).__name__.lower()}.parameters(), not the net")
    out, seen = {}, set()
    items = params.items() if isinstance(params, dict) else params
    for index, item in enumerate(items):
        given, p = item if isinstance(item, tuple) else (None, item)
        if given is not None and not isinstance(given, str):
            raise TypeError(f"parameter {index}: give (name, tensor), not ({type(given).__name__}, ...)")
        if not isinstance(p, Tensor):
            raise TypeError(f"parameter {index} is a {type(p).__name__}, not a tensor")
        if not p.requires_grad or not p.is_leaf:
            raise TypeError(f"parameter {index} (shape {p.shape}) is {'fixed' if p.is_leaf else 'no leaf'}: an "
                            f"optimizer changes leaves with requires_grad=True")
        if id(p) in seen:
            continue
        seen.add(id(p))
        name = given or getattr(p, "name", None) or f"param{index}"
        if name in out:
            if given:
                raise ValueError(f"two parameters are named {name!r}")
            name = f"{name}#{index}"
        out[name] = p
    if not out:
        raise ValueError("no parameters to optimize; if they came from a generator, it may have been used up")
    return out

"""The optimizer's frame: collect gradients, run the hooks, propose an update, apply it, report what happened."""

import math
import warnings

import numpy as np

from minigrad.hooks import SKIP, Context, Pipeline, StepReport
from minigrad.hooks.pipeline import backward_stage, check_order, run_groups
from minigrad.hooks.protocol import Verdict, positive, shown
from minigrad.norms import norm
from minigrad.optim import resume
from minigrad.optim.groups import OWN, as_groups, checked, flag, from_zero, label, named, plan_of, refuse_extras
from minigrad.optim.owners import take
from minigrad.optim.updates import joined_of, memory_of, roll_back, update
from minigrad.recording import enable_grad
from minigrad.tensor import Tensor


class Optimizer:
    """What all optimizers share; a new one writes ``propose`` alone.

    Args:
        params: tensors, ``(name, tensor)`` pairs, or a dict name -> tensor.  ``net.parameters()`` knows the names.
            A tensor given twice counts once.  Or a list of parameter groups: dicts with "params" (as above, or one
            tensor) and hyperparameters of their own, and "hooks", which see this group's gradients alone, when the
            hooks of all are done.  One without a gradient is passed over, so a frozen one may be among them.
        defaults: the hyperparameters by name, with their values where a group says nothing.  ``lr``, the learning
            rate, is a number >= 0 (0 freezes), or a function of the number of updates made so far.
        hooks: gradient hooks in time order, see :mod:`minigrad.hooks`.
        update_hooks: the same for the update that the optimizer proposes (p <- p + update).
        trace: a :class:`minigrad.NormTrace` that is handed the report of each step.
        maximize: go up instead of down: the sign of the gradient is turned when the hooks are done.
        extras: PyTorch's foreach, fused and capturable, which have no effect; differentiable=False.

    Attributes:
        param_groups: a list of dicts: "params", "param_names", "hooks", and every hyperparameter.  Hyperparameters
            and hooks may be assigned between steps, ``for g in opt.param_groups: g["lr"] = 0.1``; they are checked
            when they are used, before anything changes.
        params: all parameters, name -> tensor.
        updates, micro_steps, held, skipped: updates made, calls of ``step``, and those of them that held or skipped.

    Raises:
        TypeError: if a parameter is no tensor, or the result of an operation, or for an unknown keyword.
        ValueError: for no parameters, two of one name, one in two groups, or a hyperparameter out of its range or
            unknown.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import optim
        >>> a, b = (mg.tensor([1.0], requires_grad=True) for _ in range(2))
        >>> opt = optim.SGD([{"params": [a], "lr": 0.5}, {"params": [b]}], lr=0.1)
        >>> a.grad, b.grad = [1.0], [1.0]
        >>> report = opt.step()
        >>> a.tolist(), b.tolist(), [g["lr"] for g in opt.param_groups]
        ([0.5], [0.9], [0.5, 0.1])
    """

    decoupled = False
    """Whether ``weight_decay`` acts beside the gradient, when all hooks are done: p <- p - lr * weight_decay * p."""

    def __init__(self, params, defaults, hooks=(), update_hooks=(), trace=None, maximize=False, **extras):
        refuse_extras(type(self).__name__, extras, defaults)
        if not isinstance(defaults, dict) or "lr" not in defaults:
            raise TypeError(f"defaults is a dict of hyperparameters with 'lr' among them, not {defaults!r}")
        self.defaults = self._checked(defaults)
        self.maximize = flag(maximize, "maximize")
        self._hooks, self._update_hooks = Pipeline(hooks), Pipeline(update_hooks, place="update")
        self.param_groups, self.params, self._runs, self._schedules = [], {}, {}, []
        for group in as_groups(params):
            self.add_param_group(group)
        if not self.params:
            raise ValueError("no parameters to optimize; if they came from a generator, it may have been used up")
        if trace is not None and not hasattr(trace, "record_report"):
            raise TypeError(f"trace is a NormTrace(), not {trace!r}; save it later with trace.save(path)")
        self.trace = trace
        self._state = {}
        self.updates = self.micro_steps = self.held = self.skipped = 0
        self._warned = self._missed = self._seen = False
        take(self, self._all_hooks())

    def __getstate__(self):
        self._lay_down()
        # What is laid end to end is no part of a copy, and schedules enter themselves.
        return {**self.__dict__, "_runs": {}, "_schedules": []}

    def __setstate__(self, state):
        self.__dict__.update(state)
        take(self, self._all_hooks())

    # ------------------------------------------------------------------------------------ groups

    def add_param_group(self, group):
        """Take up more parameters, as a group with hyperparameters of its own.

        Args:
            group: a dict, "params", any hyperparameters (the others are those the optimizer was made with), "hooks"
                and "name".

        Raises:
            TypeError, ValueError: as for the parameters of a new optimizer; nothing has changed then.
        """
        number = len(self.param_groups)
        if not isinstance(group, dict) or "params" not in group:
            raise TypeError(f"group {number}: a parameter group is a dict with 'params' and hyperparameters, not "
                            f"{group!r}")
        where = f"group {number}: " if number or len(group) > 1 else ""
        self._refuse_unknown(group, where)
        params = group["params"]
        new = named([params] if isinstance(params, Tensor) else params, self.params, where)
        options = self._checked({name: group.get(name, value) for name, value in self.defaults.items()}, where)
        own = {key: group[key] for key in ("initial_lr", "name") if key in group}
        if "hooks" in group:
            own["hooks"] = self._group_hooks(group["hooks"])
            if hasattr(self, "_state"):              # else all are taken when the optimizer is complete
                take(self, [*self._all_hooks(), *own["hooks"]])
        self.param_groups.append({"params": list(new.values()), "param_names": list(new), **options, **own})
        self.params.update(new)

    def _refuse_unknown(self, group, where):
        for key in group:
            if key not in self.defaults and key not in OWN:
                raise ValueError(f"{where}{type(self).__name__} has no hyperparameter {key!r}; it has "
                                 f"{', '.join(self.defaults)}, and a group has params, hooks and name")

    def _checked(self, options, where=""):
        options = checked(options, where)
        self.check(options, where)
        return options

    def check(self, options, where=""):
        """Refuse hyperparameters that don't go together, by a ValueError; ``where`` begins its message."""

    def _group_hooks(self, hooks):
        """Return a group's own hooks as a Pipeline that may stand behind the hooks of all."""
        own = isinstance(hooks, Pipeline) and hooks.place == "group"
        pipeline = hooks if own else Pipeline(list(hooks) if isinstance(hooks, Pipeline) else hooks, place="group")
        check_order([*self._hooks, *pipeline])
        return pipeline

    @property
    def lr(self):
        """The learning rate of the first group, now; assigning a number >= 0, or a function, sets that of all."""
        lr = self.param_groups[0]["lr"]
        return lr(self.updates) if callable(lr) else lr

    @lr.setter
    def lr(self, value):
        lr = value if callable(value) else from_zero(value, "lr")
        for group in self.param_groups:
            group["lr"] = lr

    # ------------------------------------------------------------------------------------- hooks

    @property
    def hooks(self):
        """The gradient hooks, as a Pipeline; a list may be assigned."""
        self._hooks.groups = [(label(number, group), group["hooks"]) for number, group in enumerate(self.param_groups)
                              if isinstance(group.get("hooks"), Pipeline)]
        return self._hooks

    @hooks.setter
    def hooks(self, hooks):
        pipeline = Pipeline(hooks)
        for group in self.param_groups:
            check_order([*pipeline, *group.get("hooks", ())])
        take(self, self._all_hooks(hooks=pipeline))
        self._hooks = pipeline

    def _all_hooks(self, hooks=None, update_hooks=None, without=None):
        """Return every hook: of all, of the groups (but one), of the update; or with others in their place."""
        own = [hook for number, group in enumerate(self.param_groups) if number != without
               for hook in group.get("hooks", ())]
        return [*(self._hooks if hooks is None else hooks), *own,
                *(self._update_hooks if update_hooks is None else update_hooks)]

    @property
    def update_hooks(self):
        """The hooks on the update, as a Pipeline; a list may be assigned."""
        return self._update_hooks

    @update_hooks.setter
    def update_hooks(self, hooks):
        pipeline = Pipeline(hooks, place="update")
        take(self, self._all_hooks(update_hooks=pipeline))
        self._update_hooks = pipeline

    # -------------------------------------------------------------------------------------- step

    def zero_grad(self, set_to_none=True):
        """Set every ``.grad`` to None, or with ``set_to_none=False`` to zeros where there is one.

        Zeros are not the same as none: a parameter with a gradient of zero is still moved by its moments and its decay.
        """
        set_to_none = flag(set_to_none, "set_to_none")
        for p in self.params.values():
            p.grad = None if set_to_none or p.grad is None else np.zeros(p.shape, p.dtype)

    def step(self, closure=None, *, weight=1.0, loss=None):
        """Run the hooks on the gradients in ``.grad`` and, unless they hold or skip it, update the parameters.

        Where no parameter has a gradient nothing happens: the report says "skip", the first time with a warning.

        Args:
            closure: a function without arguments that computes the gradients and returns the loss, called first.
            weight: how many items the micro-batch has; counts under ``Accumulate`` with batches of unequal sizes.
            loss: for the record in the trace (a number or a tensor of one element); a closure gives it itself.

        Returns:
            a :class:`~minigrad.hooks.StepReport`, also with a closure, whose loss is ``report.loss``.

        Raises:
            TypeError: for a closure that cannot be called, or beside a loss.
            ValueError: if weight is not > 0, or a hook or ``propose`` returned something that does not fit.
            FloatingPointError: from ``NonFinite``.  Whatever is raised, parameters, moments and hooks are what they
                were (hooks of your own, if they have ``state_dict`` and ``load_state_dict``).
        """
        if closure is not None and (not callable(closure) or loss is not None):
            raise TypeError(f"step(closure): a function that returns the loss, and then no loss=, not {closure!r}; "
                            f"otherwise step(weight=..., loss=...)")
        weight, plan = positive(weight, "weight", finite=True), plan_of(self)
        if closure is not None:
            with enable_grad():
                loss = closure()
        loss = None if loss is None else float(loss)
        grads = {name: None if p.grad is None else p.grad._locked() for name, p in self.params.items()}
        return self._advance(grads, plan, weight, loss, self._hook_states())

    def flush(self):
        """Let go of a window of ``Accumulate`` that is not full (at the end of an epoch).

        Returns:
            the report, or None if nothing was waiting or ``Accumulate(last=...)`` says to drop or carry it.
        """
        for index, hook in enumerate(self.hooks):
            if getattr(hook, "role", None) == "accumulate":
                plan, states, weight = plan_of(self), self._hook_states(), hook.weights
                try:
                    grads = hook.flush()
                    if grads is None:
                        return None
                    grads = {name: grads.get(name) for name in self.params}     # some may have been added since
                    return self._advance(grads, plan, weight, None, states, start=index + 1)
                except BaseException:
                    Pipeline.undo(states)
                    raise
        return None

    def _hook_states(self):
        return [(hook, hook.state_dict()) for hook in self._all_hooks() if hasattr(hook, "state_dict")]

    def _advance(self, grads, plan, weight, loss, states, start=0):
        """Run hooks and update; whatever goes wrong, parameters, moments and hooks are what they were."""
        detailed = self.trace is not None
        measured = {"counts": detailed, "per_parameter": detailed and self.trace.per_parameter}
        ctx = Context(step=self.updates, micro_step=self.micro_steps, weight=weight, lr=plan[0].options["lr"],
                      params={name: p._locked() for name, p in self.params.items()}, norm=norm(grads.values()))
        stages = [backward_stage("flush" if start else "backward", grads, ctx.norm, **measured)]
        held = memory_of(self)
        try:
            outcome, length = self._nothing_came(grads), ctx.norm
            if outcome is None:
                outcome, _ = self._hooks.run(grads, ctx, **measured, start=start, stages=stages, lazy=True)
            if isinstance(outcome, dict) and all(g is None for g in outcome.values()):
                outcome = SKIP.because("the hooks left no gradient")
            if not start and not (isinstance(outcome, Verdict) and outcome.status == "skip"):
                self._warn_once(grads, length, ("raise", "skip", "zero", "propagate"))
            if not isinstance(outcome, Verdict):
                outcome = run_groups(plan, outcome, ctx, **measured, first=len(self._hooks) + 1, stages=stages)
            if not isinstance(outcome, Verdict):
                self._warn_once(outcome, ctx.norm, ("propagate",))
                outcome = update(self, outcome, plan, ctx, stages, measured) or outcome
            status, reason = (outcome.status, outcome.reason) if isinstance(outcome, Verdict) else ("step", "")
            report = self._report(status, reason, ctx, loss, stages)
            self.micro_steps += not start
            self.updates += status == "step"
            self.held += status == "hold"
            self.skipped += status == "skip"
            if detailed:
                self.trace.record_report(report)
            return report
        except BaseException as error:
            Pipeline.undo(states)
            roll_back(self, held, ctx.params)
            if detailed:                # the step that ends a run is the one to look at
                self.trace.record_report(self._report("raise", f"{type(error).__name__}: {error}", ctx, loss, stages))
            raise

    def _report(self, status, reason, ctx, loss, stages):
        return StepReport(status, reason, self.updates, self.micro_steps, ctx.weight, ctx.lr, loss, stages)

    # ------------------------------------------------------------------------------------- state

    @property
    def state(self):
        """What the optimizer remembers of each parameter: name -> dict, of those that have been updated."""
        self._lay_down()
        self._seen = True               # whoever holds it sees what becomes of it
        return self._state

    @state.setter
    def state(self, state):
        if not isinstance(state, dict):
            raise TypeError(f"opt.state is a dict, parameter name -> what is remembered of it, not {state!r}")
        self._lay_down()
        self._state = state

    def _lay_down(self):
        """Put the states that are kept joined where each parameter has its own."""
        for run in joined_of(self):
            run.lay_down(self._state)

    def state_dict(self):
        """Return all that a later step depends on: moments, hooks' buffers and histories, counters, schedules.

        It is a dict of numbers, strings and arrays, keyed by the parameters' names, that :func:`minigrad.save` saves.
        The schedules in it are those that were made for this optimizer and are still in use.  Functions (a learning
        rate, a threshold) and settings of hooks are not in it, nor is the ``.grad`` of a parameter: it belongs between
        one step and the next ``backward``.

        Example:
            >>> import tempfile, os
            >>> import minigrad as mg
            >>> from minigrad import nn, optim
            >>> net = nn.Linear(2, 1)
            >>> opt = optim.Adam(net.parameters(), hooks=[mg.hooks.Accumulate(4)])
            >>> path = os.path.join(tempfile.mkdtemp(), "run.pt")
            >>> mg.save({"net": net.state_dict(), "opt": opt.state_dict()}, path)
            >>> saved = mg.load(path)
            >>> net.load_state_dict(saved["net"]); opt.load_state_dict(saved["opt"])
            LoadReport(missing_keys=[], unexpected_keys=[])
        """
        return resume.state_of(self)

    def load_state_dict(self, state):
        """Take up what :meth:`state_dict` returned: what follows is what would have followed then, to the bit.

        The parameters themselves are the network's to load.  Hyperparameters become those that were saved; moments keep
        the dtype that was saved.  Where the state has schedules and the optimizer has none yet, they are left out, with
        a RuntimeWarning: make them before, or load their own states.

        Raises:
            ValueError: if it is of another optimizer, of other parameters, groups, shapes, hooks or schedules, or of
                these in another order; the message says which.  Nothing has changed then.
        """
        resume.restore(self, state)

    # ---------------------------------------------------------------------------------- to be written

    def propose(self, p, g, state, options):
        """Return the update of one parameter (p <- p + update) and its new state, changing nothing.

        A class that treats every element by itself says ``elementwise = True`` beside its ``propose``.  It is given
        several parameters at once then, laid end to end, which is faster where there are many small ones; its state is
        a dict of arrays of their shape and of numbers.  One whose update is a new array each time, kept nowhere, says
        ``hands_over = True``, and its memory is used.

        Args:
            p, g: its array and its gradient, both read-only; g is at least float32.
            state: what was returned as its new state the last time; None at first.
            options: the hyperparameters of its group, name -> checked value.
        """
        raise NotImplementedError(f"{type(self).__name__} has no propose(self, p, g, state, options), which returns "
                                  f"(update, new state)")

    def _nothing_came(self, grads):
        """Return the verdict on a step in which no parameter has a gradient, with one warning; else None."""
        if any(g is not None for g in grads.values()):
            return None
        if not self._missed:
            self._missed = True
            warnings.warn("step(): no parameter has a gradient; call loss.backward() first", RuntimeWarning,
                          stacklevel=4)
        return SKIP.because("no parameter has a gradient")

    def _warn_once(self, grads, length, trusted):
        """A gradient that is not finite never passes silently; a NonFinite of a trusted policy looks after it."""
        if math.isfinite(length) or self._warned:
            return
        def looks_after(hooks):
            return any(getattr(hook, "role", None) == "finite" and hook.policy in trusted for hook in hooks)

        if looks_after(self._hooks):
            return
        safe = {name for group in self.param_groups if looks_after(group.get("hooks", ()))
                for name in group["param_names"]}
        bad = [name for name, g in grads.items() if g is not None and name not in safe and not np.isfinite(g).all()]
        if bad:
            self._warned = True
            bad[3:] = [f"{len(bad) - 3} more"] if len(bad) > 3 else []
            warnings.warn(f"the gradient is not finite at update {self.updates}, in {', '.join(bad)}, and may spoil "
                          f"these parameters for good. Put hooks.NonFinite('raise' | 'skip' | 'zero' | 'propagate') "
                          f"first in hooks=[...] to say what should happen", RuntimeWarning, stacklevel=4)

    def __repr__(self):
        rates = dict.fromkeys(shown(g["lr"]) if callable(g["lr"]) else f"{g['lr']:g}" for g in self.param_groups)
        groups = f" in {len(self.param_groups)} groups" if len(self.param_groups) > 1 else ""
        own = f", update_hooks: {self._update_hooks!r}" if len(self._update_hooks) else ""
        return (f"{type(self).__name__}({len(self.params)} parameters{groups}, lr={'/'.join(rates)}, "
                f"hooks: {self.hooks!r}{own})")

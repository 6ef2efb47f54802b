"""Gradient hooks inside the backward pass: as a hook of a tensor, or of the steps of a recurrent layer."""

from collections.abc import Mapping

import numpy as np

from minigrad.hooks.pipeline import Pipeline
from minigrad.hooks.protocol import Context, Verdict, hook_name
from minigrad.norms import norm


class inside:
    """Make a tensor hook, or a step hook, of gradient hooks: ``h.register_hook(inside(ClipNorm(1.0)))``.

    The result is a function ``fn(g)``, or ``fn(g, t)``, that runs the hooks, left to right, on the one cotangent g, as
    if it were the gradient of the only parameter, and returns the new array, or None where nothing was to be done.
    The norm is that of g alone: all time steps together, or several tensors, cannot be clipped by one norm here.

    What it does not do: the hooks see no parameters (``ctx.params`` is refused, so AGC has no place here) and no
    learning rate.  ``ctx.step`` is 0 in every call, as no update is under way, unless ``step`` says more; so a
    threshold that is a function of the step needs it.  Nothing appears in the report or the trace of an optimizer, and
    a hook with a memory remembers every call (T in one backward pass), is not taken back where the pass raises, and is
    not in ``opt.state_dict()``: save ``hook.state_dict()`` yourself.  Under ``create_graph=True`` a cotangent that is
    to be differentiated is refused, for an array has no derivative: write such a hook with tensors.

    Args:
        *hooks: hooks that answer with gradients.
        step: a function without arguments that returns the number of updates made, for ``ctx.step``.

    Raises:
        TypeError: for no hook, or one that cannot be called.
        OrderError: for an order that cannot be meant, and for ``Accumulate`` and ``Unscale``.
        ValueError: for a hook that skips.
        RuntimeError: in the backward pass, where a hook holds, skips, or asks for the parameters, or where g is on the
            tape; no ``.grad`` has been changed then.

    Example:
        >>> import minigrad as mg
        >>> from minigrad.hooks import ClipNorm, inside
        >>> w = mg.tensor([3.0, 4.0], requires_grad=True)
        >>> h = w * 1.0
        >>> clip = h.register_hook(inside(ClipNorm(1.0)))
        >>> (h * h).sum().backward()
        >>> w.grad
        tensor([0.6, 0.8])

        The steps of a recurrent net, and a threshold that follows the updates of an optimizer ``opt``::

            rnn.register_step_hook(inside(ClipValue(lambda k: 15.0 / (1 + k)), step=lambda: opt.updates))
    """

    def __init__(self, *hooks, step=None):
        if not hooks:
            raise TypeError("inside() takes gradient hooks: inside(ClipNorm(1.0))")
        if step is not None and not callable(step):
            raise TypeError(f"inside: step = {step!r}; give a function that returns the number of updates made, such "
                            f"as lambda: opt.updates")
        self.pipeline, self.step = Pipeline(hooks, place="inside"), step
        for hook in hooks:
            if getattr(hook, "role", None) == "finite" and getattr(hook, "policy", None) == "skip":
                raise ValueError(f"{hook_name(hook)}: {NO_UPDATE}")

    def __call__(self, g, *at):
        """Return the cotangent as the hooks leave it, an array, or None where it stays as it is."""
        if getattr(g, "requires_grad", False):
            raise RuntimeError(f"{self!r}: under create_graph=True this gradient is to be differentiated again, and "
                               f"what comes from arrays has no derivative; write the hook with tensors: "
                               f"lambda g, *at: g * (c / g.norm()) if g.norm() > c else g")
        array = np.asarray(g if isinstance(g, np.ndarray) else g.data)
        name = f"cotangent at t = {at[0]}" if at else "cotangent"
        step = 0 if self.step is None else self.step()
        ctx = Context(step=step, micro_step=step, weight=1.0, lr=0.0, params=NoParameters(), norm=norm(array))
        outcome, stages = self.pipeline.run({name: array}, ctx, counts=False)
        if isinstance(outcome, Verdict):
            raise RuntimeError(f"{stages[-1].hook} answered {outcome.status.upper()} for the {name}: {NO_UPDATE}")
        answer = outcome[name]
        if answer is None:
            raise RuntimeError(f"{self!r} answered None for the {name}; to stop a gradient return zeros")
        return None if answer is array else answer

    def __repr__(self):
        parts = [hook_name(hook) if hasattr(hook, "__name__") else repr(hook) for hook in self.pipeline]
        return f"inside({', '.join(parts)})"


NO_UPDATE = ("inside the backward pass there is no update to hold or to skip; put the hook into hooks=[...] of the "
             "optimizer, or answer with a gradient (NonFinite: 'raise' or 'zero')")


class NoParameters(Mapping):
    """Stands for ``ctx.params`` where there are none, and says so when it is asked."""

    def _refuse(self, *_):
        raise RuntimeError("ctx.params: a cotangent inside the backward pass belongs to no parameter; a hook that "
                           "looks at parameters belongs into hooks=[...] of the optimizer")

    __getitem__ = __iter__ = __len__ = __contains__ = _refuse

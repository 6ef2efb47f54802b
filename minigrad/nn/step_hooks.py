"""Hooks of the time steps of a recurrent layer: reading and replacing dL/dh_t inside the backward pass."""

import numbers

import numpy as np

from minigrad.handle import Handle
from minigrad.recording import is_grad_enabled
from minigrad.table import name_of
from minigrad.tensor import Tensor, result


class StepHooked:
    """What a recurrent layer takes from here; it has ``num_layers`` and ``states``, the names of its states.

    Its ``_step_hooks`` and ``_step_observers`` are dicts of what is registered.
    """

    def register_step_hook(self, fn, layer=None, state="h"):
        """Have ``fn(g, t)`` called in the backward pass with the complete cotangent of the state after step t.

        g is dL/dh_t, a Tensor (N, H), or (H,) for an input without a batch: the sum over everything that h_t feeds
        (output[t], the step t + 1, the layer above, h_n; of c_t also h_t), before it goes on to step t.  The calls
        come for t = T-1 down to 0, the top layer first, within a step h before c.  What ``fn`` returns, a
        Tensor or array of the shape of g, takes the place of g; None leaves it; ``g.clamp_(-1, 1)`` and the like, in
        place, count.  Several hooks run in the order in which they were registered, each on what the last one left.

        Clipping here is the only clip that helps where the gradient overflows on the way: afterwards it is inf or NaN,
        and no factor makes a number of it.  By value, [-15, 15], it goes back to Mikolov (2012).  It is no clip of the
        parameter gradient: it bends the direction, and the sum over T steps is bounded by T times as much;
        ``hooks=[ClipNorm(1.0)]`` of the optimizer has its place beside it.

        A forward pass on the tape takes the hooks that are registered at the time, and a hook that is removed acts no
        more, not even in a backward pass that is still to come.  Under ``create_graph=True`` g is on the tape; what is
        done to it is differentiated too.  The second sweep comes to the states on two ways, that of the loss and that
        through the gradient, and a hook that is still there acts on each by itself.  Steps on which the loss does not
        depend get zeros or no call; so does what lies beside the ways to ``xs`` in ``mg.grad(y, xs)``.  The initial
        state is no step: use ``h0.register_hook``.  Hooks are no part of ``state_dict``.

        Args:
            fn: takes g and t (an int); returns None or a replacement.  ``hooks.inside`` makes one of gradient hooks.
            layer: number of the layer, -1 for the last; None for all, which one function cannot tell apart.
            state: "h", or of the LSTM also "c".

        Returns:
            a handle, whose ``remove()`` takes the hook out.

        Raises:
            TypeError: if ``fn`` is no such function, or ``layer`` no whole number.
            ValueError: for a layer or a state that is not there.

        Example:
            >>> import numpy as np
            >>> from minigrad import nn
            >>> rnn, norms = nn.RNN(3, 4, rng=np.random.default_rng(0)), {}
            >>> handle = rnn.register_step_hook(lambda g, t: norms.update({t: float(g.norm())}))
            >>> clip = rnn.register_step_hook(lambda g, t: g.clamp(-15, 15))
            >>> rnn(np.ones((7, 5, 3)))[1].sum().backward()
            >>> list(norms), norms[6] > norms[0]            # from the last step to the first: it vanishes
            ([6, 5, 4, 3, 2, 1, 0], True)
            >>> handle.remove()
        """
        name = type(self).__name__
        if not callable(fn):
            raise TypeError(f"{name}.register_step_hook takes a function fn(g, t), not {fn!r}")
        if isinstance(getattr(fn, "role", None), str):
            raise TypeError(f"{name}.register_step_hook takes a function fn(g, t), and {fn!r} is a hook of an "
                            f"optimizer; give hooks.inside({fn!r})")
        if layer is not None:
            if not isinstance(layer, numbers.Integral) or isinstance(layer, bool):
                raise TypeError(f"{name}.register_step_hook: layer = {layer!r} is no whole number, nor None for all")
            if not -self.num_layers <= layer < self.num_layers:
                raise ValueError(f"{name}.register_step_hook: layer = {layer}, but num_layers = {self.num_layers}: "
                                 f"from {-self.num_layers} to {self.num_layers - 1}, or None for all")
            layer = int(layer) % self.num_layers
        if state not in self.states:
            raise ValueError(f"{name}.register_step_hook: state = {state!r}, but {name} has "
                             f"{' and '.join(map(repr, self.states))}")
        return Handle(self._step_hooks, (fn, layer, state))

    def _observe_steps(self, begin):
        """Have ``begin(layer)`` called for each layer of a forward pass, and what it returns for every state h of it.

        That is ``arrived(g, t, h)``, called as a step hook is, but after all step hooks, whenever they were registered;
        it is to look only, and return None.  h is an array: a node whose hook held the node would be a cycle.
        Under ``no_grad`` there is no call.  A copy of the layer has its step hooks, and no observers.
        """
        return Handle(self._step_observers, begin)

    def __getstate__(self):
        return {**vars(self), "_step_observers": {}}

    def _step_watch(self, layer):
        """Return the watch of a layer in the pass that begins, None if nobody watches."""
        if not is_grad_enabled():
            return None
        hooks, observers = self._step_hooks, self._step_observers
        watchers = [*((hooks, key, fn, state) for key, (fn, of, state) in hooks.items() if of in (None, layer)),
                    *((observers, key, begin(layer), "h") for key, begin in observers.items())]
        return StepWatch(hooks, self.states, layer, watchers) if watchers else None


class StepWatch:
    """All who watch the states of one layer in one pass, in order of calls, as (registered, key, fn, state).

    Where the steps are on the tape one by one, the watchers are hooks of the states (:meth:`attach`); a fused
    recurrence shows them the cotangents as it comes along (:meth:`arrived`).
    """

    __slots__ = ("hooks", "layer", "states", "watchers")

    def __init__(self, hooks, states, layer, watchers):
        self.hooks, self.states, self.layer, self.watchers = hooks, states, layer, watchers

    def attach(self, t, current):
        """Register the watchers with the states after step t, if gradients will come there."""
        for name, value in zip(self.states, current):
            if isinstance(value, Tensor) and value.requires_grad:
                for hook in self._hooks_of(name, t, value._array):
                    value.register_hook(hook)

    def arrived(self, state, t, g, value):
        """Return the cotangent of a state after step t as the watchers leave it; all of it plain arrays.

        ``g`` is copied: the sweep goes on writing there, and a watcher may keep what it is shown.
        """
        hooks = self._hooks_of(state, t, value)
        if not hooks:
            return g
        seen = result(value)
        seen._hooks = dict(enumerate(hooks))
        return seen._fire_hooks(np.array(g))

    def _hooks_of(self, state, t, value):
        place = f"dL/d{state}_{t} of layer {self.layer}"
        return [StepHook(registered, key, fn, (t,) if registered is self.hooks else (t, value), place)
                for registered, key, fn, name in self.watchers if name == state]


class StepHook:
    """A tensor hook at one step: ``fn(g, *args)``, as long as it is registered."""

    __slots__ = ("args", "fn", "key", "place", "registered")

    def __init__(self, registered, key, fn, args, place):
        self.registered, self.key, self.fn, self.args, self.place = registered, key, fn, args, place

    def __call__(self, g):
        return self.fn(g, *self.args) if self.key in self.registered else None

    def __repr__(self):
        return f"{name_of(self.fn)} at {self.place}"

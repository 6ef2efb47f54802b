"""Hooks of modules: registering and calling them; and gates, by which its hooks see the gradients at its border.

A backward hook wants all gradients of a module's arguments at once, and may replace them, but a sweep comes by each of
them in its own time.  So every tensor passes two identity nodes on its way in.  Nodes are visited from the youngest
to the oldest, and all inner ones are younger than all outer ones: when the first outer one is visited, every cotangent
has been through its inner one, and is complete.
"""

import copy

import numpy as np

from minigrad.handle import Handle
from minigrad.recording import RECORDING
from minigrad.tensor import Tensor


class Hooked:
    """What a module takes from here: hooks can be registered."""

    _hooks = None               # kind -> hooks, from the first that is registered; so that calls without any are fast

    def register_forward_pre_hook(self, hook):
        """Have ``hook(module, args)`` called before every forward; returns a handle with ``remove()``.

        It returns None, or the arguments to use instead (a tuple, or the only one).
        """
        return self._register("before", hook)

    def register_forward_hook(self, hook):
        """Have ``hook(module, args, output)`` called after every forward; returns a handle with ``remove()``.

        It returns None, or what is to stand for the output.

        Example:
            >>> import numpy as np
            >>> from minigrad import nn
            >>> layer, shapes = nn.Linear(3, 2), []
            >>> with layer.register_forward_hook(lambda module, args, output: shapes.append(output.shape)):
            ...     y = layer(np.ones((4, 3)))
            >>> shapes
            [(4, 2)]
        """
        return self._register("after", hook)

    def register_full_backward_hook(self, hook):
        """Have ``hook(module, grad_input, grad_output)`` called once in every backward pass; returns a handle.

        ``grad_input`` and ``grad_output`` are tuples with the complete gradients dL/d(argument) and dL/d(output), one
        for each positional argument and each output; None for what needs no gradient or was not reached.  Where an
        argument or output is itself a tuple (the states of an LSTM), so is its entry; where it is a dict, its entry is
        a dict with the same keys.  The hook returns None, or a
        tuple of the form of ``grad_input`` that is passed on instead.  It works on tensors with a tape of their own
        under ``create_graph=True``.

        If no argument requires a gradient (the first layer, on data), ``grad_input`` holds None, and the hook is called
        when the gradients of the outputs are there.  ``mg.grad(y, xs)`` goes only along the ways to ``xs``: where
        these do not lead through the arguments, the hook of a module with such arguments is not called.

        A forward that returns an object of another kind, in which tensors cannot be found, is refused when it is
        called, with a TypeError.

        Example:
            >>> import numpy as np
            >>> from minigrad import nn
            >>> layer = nn.Linear(3, 2)
            >>> handle = layer.register_full_backward_hook(lambda module, grad_input, grad_output:
            ...                                            print(grad_input, grad_output[0].shape))
            >>> layer(np.ones((4, 3))).sum().backward()
            (None,) (4, 2)
            >>> handle.remove()
        """
        return self._register("backward", hook)

    def _register(self, kind, hook):
        if not callable(hook):
            raise TypeError(f"a hook is a function, not {hook!r}")
        if self._hooks is None:
            self._hooks = {"before": {}, "after": {}, "backward": {}}
        return Handle(self._hooks[kind], hook)


def call_with_hooks(module, args, kwargs):
    """Call a module's forward with its hooks around it."""
    hooks = module._hooks
    for hook in tuple(hooks["before"].values()):
        changed = hook(module, args)
        if changed is not None:
            args = changed if isinstance(changed, tuple) else (changed,)
    watch = Watch(module) if hooks["backward"] and RECORDING.get() else None
    if watch:
        args = watch.enter(args)
    output = module.forward(*args, **kwargs)
    for hook in tuple(hooks["after"].values()):
        changed = hook(module, args, output)
        if changed is not None:
            output = changed
    return watch.leave(output) if watch else output


class Watch:
    """The gates before and behind one call of a module, and its backward hooks between them."""

    def __init__(self, module):
        self.module, self.form, self.grad_output = module, None, None

    def enter(self, args):
        """Put a gate before the arguments."""
        args, self.form, self.has_inputs = gated(args, self.call_hooks)
        return args

    def leave(self, output):
        """Put a gate behind the outputs."""
        def arrived(gradients):
            self.grad_output = as_tuple(filled(form, iter(gradients)))
            if not self.has_inputs:
                self.call_hooks([])
            return gradients

        if not isinstance(output, (Tensor, tuple, list, dict, np.ndarray, np.generic, int, float, str, type(None))):
            raise TypeError(f"{type(self.module).__name__} has a backward hook, but its forward returned a "
                            f"{type(output).__name__}, in which no tensors are found; return a tensor, or a tuple, "
                            f"list or dict of them")
        output, form, _ = gated(output, arrived)
        return output

    def call_hooks(self, gradients):
        """Call the hooks with what has arrived at the arguments; return what is to be passed on."""
        grad_output, self.grad_output = self.grad_output, None
        if grad_output is None:             # a second-order sweep may come by the arguments alone
            return gradients
        for hook in tuple(self.module._hooks["backward"].values()):
            changed = hook(self.module, filled(self.form, iter(gradients)), grad_output)
            if changed is not None:
                gradients = self.checked(changed, gradients)
        return gradients

    def checked(self, changed, gradients):
        """Return what a hook returned as a list of gradients, or say what is wrong with it."""
        found, who = [], f"a backward hook of {type(self.module).__name__} returned"
        gather(self.form, as_tuple(changed), found, who)
        for old, new in zip(gradients, found):
            if (old is None) != (new is None):
                what = "a gradient for an argument that was not reached" if old is None else "None for a gradient"
                raise ValueError(f"{who} {what}; return zeros to stop a gradient, or None alone to leave all as it is")
            if old is not None and np.shape(new) != old.shape:
                raise ValueError(f"{who} a gradient of shape {np.shape(new)} for an argument of shape {old.shape}")
        return found


# --------------------------------------------------------------------------------- the gates

def gated(value, arrived):
    """Return the value with each of its tensors that require a gradient behind a gate, its form, and if there are any.

    The form has :data:`PLACE` for each of these tensors, and None for everything else.
    """
    tensors = []
    form = mapped(value, lambda t: tensors.append(t) or PLACE, lambda v: None)
    passed = iter(gate(tensors, arrived))
    return mapped(value, lambda t: next(passed), lambda v: v), form, bool(tensors)


def gate(tensors, arrived):
    """Pass tensors through two identity nodes each.

    In every sweep ``arrived`` is called once, with a list of the complete cotangents (None where none came), and
    returns such a list, which is passed on.
    """
    outer = [np.positive(t) for t in tensors]
    inner = [np.positive(t) for t in outer]
    seen, out = [None] * len(tensors), [None] * len(tensors)

    def keep(index):
        def hook(g):
            seen[index] = g
        return hook

    def pass_on(index):
        def hook(g):
            if any(held is not None for held in seen):
                now = list(seen)
                seen[:] = [None] * len(seen)            # nothing is kept beyond the sweep, even if a hook raises
                out[:] = arrived(now)
            mine, out[index] = out[index], None
            return mine
        return hook

    for index, (far, near) in enumerate(zip(outer, inner)):
        near.register_hook(keep(index))
        far.register_hook(pass_on(index))
    return inner


# -------------------------------------------------------- tensors inside tuples, lists and dicts

PLACE = object()
"""Stands in a form where a tensor that requires a gradient stood."""


def mapped(value, tensor, other):
    """Rebuild nested tuples, lists and dicts: ``tensor(t)`` of what requires a gradient, ``other(v)`` of the rest."""
    if isinstance(value, Tensor) and value.requires_grad:
        return tensor(value)
    if isinstance(value, (tuple, list)):
        parts = [mapped(v, tensor, other) for v in value]
        return type(value)._make(parts) if hasattr(value, "_make") else type(value)(parts)
    if isinstance(value, dict):
        parts = copy.copy(value)                # keeps what a defaultdict or a class of one's own holds besides
        parts.update((key, mapped(v, tensor, other)) for key, v in value.items())
        return parts
    return other(value)


def filled(form, gradients):
    """Put gradients into the places of a form."""
    if isinstance(form, (tuple, list)):
        return tuple(filled(f, gradients) for f in form)
    if isinstance(form, dict):
        return {key: filled(f, gradients) for key, f in form.items()}
    return next(gradients) if form is PLACE else None


def gather(form, changed, found, who):
    """Collect the gradients that stand in the places of a form, as :func:`filled` put them in."""
    if isinstance(form, (tuple, list)):
        if not isinstance(changed, (tuple, list)) or len(changed) != len(form):
            given = len(changed) if isinstance(changed, (tuple, list)) else type(changed).__name__
            raise ValueError(f"{who} {given} in the place of {len(form)} gradients")
        for f, c in zip(form, changed):
            gather(f, c, found, who)
    elif isinstance(form, dict):
        if not isinstance(changed, dict) or changed.keys() != form.keys():
            given = f"keys {list(changed)}" if isinstance(changed, dict) else type(changed).__name__
            raise ValueError(f"{who} {given} in the place of a dict with the keys {', '.join(map(repr, form))}")
        for key, f in form.items():
            gather(f, changed[key], found, who)
    elif form is PLACE:
        found.append(changed)
    elif changed is not None:
        raise ValueError(f"{who} a gradient for an argument that needs none; keep None in its place")


def as_tuple(value):
    """Return a value as a tuple, if it is none."""
    return tuple(value) if isinstance(value, (tuple, list)) else (value,)

"""Checkpoints: less memory for one more forward pass; what lies between them is computed again in the backward pass."""

import math

import numpy as np

from minigrad.engine import visit
from minigrad.recording import enable_grad, is_grad_enabled
from minigrad.seeding import get_rng_state, set_rng_state
from minigrad.table import checkpoint as made_by_checkpoint
from minigrad.table import name_of, next_number
from minigrad.tensor import Tensor, new, result


def checkpoint(fn, *xs):
    """Return ``fn(*xs)`` without keeping what lies between; the backward pass runs ``fn`` once more to have it again.

    A chain of T steps cut into T / k pieces of k steps needs memory for T / k states and the inside of one piece: of
    the order of sqrt(T) for k = sqrt(T), at the price of a second forward pass (Chen et al. 2016).  Pieces may hold
    checkpoints themselves.  The gradients are those without it to the bit (of higher orders: but for rounding), for
    everything that ``fn`` uses: its arguments, the parameters of modules, other tensors from outside.

    ``fn`` must give the same when it is run again.  What it draws from the default generator (dropout without ``rng=``)
    is drawn again, for which that generator is set back for a while: other threads must not draw from it then.  Another
    generator, batch norm's running statistics, a counter of its own move on twice.

    Args:
        fn: returns a tensor, or a tuple, list or dict of tensors (and of anything else, which is passed through), or
            these within each other.
        *xs: its arguments, tensors or not.

    Returns:
        what ``fn`` returns.  Under ``no_grad``, or where nothing requires a gradient, it is a plain call.

    Raises:
        TypeError: if ``fn`` cannot be called.
        RuntimeError: in the backward pass, if a tensor that ``fn`` used has been given another array since, or ``fn``
            does not give what it gave, or uses other tensors for it: gradients of something else would be wrong.

    Example:
        >>> import numpy as np, minigrad as mg
        >>> from minigrad import nn
        >>> cell, xs = nn.RNNCell(3, 4), np.ones((100, 5, 3))
        >>> def ten_steps(h, xs):
        ...     for x in xs:
        ...         h = cell(x, h)
        ...     return h
        >>> h = None
        >>> for k in range(0, 100, 10):
        ...     h = mg.checkpoint(ten_steps, h, xs[k:k + 10])
        >>> h.sum().backward()
        >>> cell.weight_hh.grad.shape
        (4, 4)
    """
    if not callable(fn):
        raise TypeError(f"checkpoint takes a function and its arguments, not {fn!r}; write checkpoint(layer, x), not "
                        f"checkpoint(layer(x))")
    if not is_grad_enabled():
        return fn(*xs)
    drawn, first = get_rng_state(), next_number()
    out = fn(*xs)
    parts = parts_of(out)
    places = [k for k, part in enumerate(parts) if is_made(part, first)]
    if not places:
        return out
    outside = used_from_outside([parts[k] for k in places], first)
    again = Again(fn, tuple(with_parts(x, kept) for x in xs), drawn, outside)
    kwargs, named = {"again": again}, {}
    for k in places:
        made = parts[k]
        if made._number not in named:                   # the same tensor twice stays one
            node = new(type(made))
            node._array, node._requires_grad, node._number = made._array, True, next_number()
            node._fn, node._parents, node._saved, node._kwargs = made_by_checkpoint, outside, (), kwargs
            node._hooks = node._grad = None
            again.places[node._number] = k, made._array
            named[made._number] = node
    return with_parts(out, lambda part: named.get(part._number, part) if isinstance(part, Tensor) else part)


class Again:
    """What a checkpoint needs to run its function once more: the function, its arguments, and how things were."""

    def __init__(self, fn, xs, drawn, outside):
        self.fn, self.xs, self.drawn, self.outside = fn, xs, drawn, outside
        self.arrays = tuple(node._array for node in outside)
        self.places = {}                                # number of a result -> its place, and the array it had

    def __call__(self):
        """Return the running number before, and the results made anew by the number of the one they stand for."""
        for node, array in zip(self.outside, self.arrays):
            if node._array is not array:
                raise RuntimeError(f"checkpoint({name_of(self.fn)}): a tensor of shape {array.shape} that it used has "
                                   f"been given another array since (an optimizer step, or an in-place change); call "
                                   f"backward() before the update")
        now = get_rng_state()
        set_rng_state(self.drawn)
        try:
            with enable_grad():
                first = next_number()
                parts = parts_of(self.fn(*self.xs))
        finally:
            set_rng_state(now)
        results = {}
        for number, (place, array) in self.places.items():
            made = parts[place] if place < len(parts) else None
            if not is_made(made, first) or not same(made._array, array):
                raise RuntimeError(f"checkpoint({name_of(self.fn)}): run again for the backward pass, it did not give "
                                   f"what it gave before, an array of shape {array.shape}. Does it draw from a "
                                   f"generator of its own (leave rng= out: the default one is set back), or use "
                                   f"something that has changed since, such as the variable of a loop?")
            results[number] = made
        used = used_from_outside(list(results.values()), first)
        if len(used) != len(self.outside) or any(a is not b for a, b in zip(used, self.outside)):
            raise RuntimeError(f"checkpoint({name_of(self.fn)}): run again for backward, it used other tensors "
                               f"than before. A function made in a loop, such as lambda h: layer(h), finds the last "
                               f"layer when it is run again: hand it over, mg.checkpoint(layer, h)")
        return first, results


def parts_of(out):
    """Return what is in a result, looking into tuples, lists and dicts."""
    if isinstance(out, (tuple, list)):
        return [part for one in out for part in parts_of(one)]
    return [part for one in out.values() for part in parts_of(one)] if isinstance(out, dict) else [out]


def with_parts(out, change):
    """Return the like of a result with ``change(part)`` in place of every part."""
    if isinstance(out, (tuple, list)):
        parts = [with_parts(one, change) for one in out]
        return type(out)(*parts) if hasattr(out, "_fields") else type(out)(parts)
    if isinstance(out, dict):
        return {key: with_parts(one, change) for key, one in out.items()}
    return change(out)


def kept(x):
    """Return an argument as it is now: the caller may write into its array, or give a tensor another one."""
    if isinstance(x, np.ndarray) and (x.flags.writeable or x.base is not None):
        return x.copy()
    return result(x._array) if isinstance(x, Tensor) and not x._requires_grad else x


def is_made(part, first):
    """Say whether something is a tensor on the tape, made after the running number was ``first``."""
    return isinstance(part, Tensor) and part._requires_grad and part._fn is not None and part._number > first


def used_from_outside(results, first):
    """Return the nodes made before ``first`` that the results were computed from, oldest first."""
    found = {}
    for node in visit(results, {first}):
        for parent in node._parents:
            if parent is not None and parent._number < first:
                found[parent._number] = parent
    return tuple(found[number] for number in sorted(found))


def same(a, b):
    """Say whether two arrays are the same, NaN included, but for the rounding of sums in another order."""
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    if np.array_equal(a, b, equal_nan=True):
        return True
    largest = max((float(abs(x)) for x in (np.nanmin(a), np.nanmax(a))), default=0.0)
    return math.isfinite(largest) and np.allclose(a, b, rtol=0, atol=8 * float(np.finfo(a.dtype).eps) * largest,
                                                  equal_nan=True)

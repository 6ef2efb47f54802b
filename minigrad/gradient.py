"""How gradients are asked for, ``y.backward()`` and ``grad(y, xs)``, and where they arrive: ``.grad``, tensor hooks."""

import numpy as np

from minigrad.engine import backprop, unreached
from minigrad.handle import Handle
from minigrad.recording import RECORDING
from minigrad.table import name_of
from minigrad.tensor import KEEP, Tensor, result


def backward(self, gradient=None, retain_graph=None, create_graph=False):
    """Add dself/dleaf to ``.grad`` of every leaf that this tensor was computed from.

    All gradients are computed first and put in place last: an error on the way (in a hook, say)
    leaves every ``.grad`` as it was.

    Args:
        gradient: cotangent to start from, of this tensor's shape; 1 for a single element.
        retain_graph: keep the saved arrays, so that backward can be called again; default ``create_graph``.
        create_graph: make ``.grad`` differentiable itself.  The leaf then refers to a graph that refers to
            the leaf; prefer :func:`grad`, which makes no such cycle.

    Raises:
        RuntimeError: if this tensor does not require a gradient, has more than one element and
            no ``gradient`` is given, or its graph has been freed.
        ValueError: if ``gradient`` has another shape.
    """
    seed = starting_cotangent(self, gradient, create_graph)
    found = sweep([self], [seed], create_graph, retain_graph, None)
    for node, g, owned in found:
        node._accumulate(g, owned)


def grad(y, xs, gradient=None, *, create_graph=False, retain_graph=None, allow_unused=False):
    """Return the gradient of ``y`` with respect to ``xs``, leaving every ``.grad`` alone.

    Only the part of the graph that leads from ``y`` to ``xs`` is gone through.

    Args:
        y: a tensor of one element, or of any shape together with ``gradient``.
        xs: a tensor, or a list or tuple of tensors; leaves or results alike.
        gradient: the cotangent of ``y``.
        create_graph: make the gradients differentiable themselves.
        retain_graph: keep the graph for another pass; default ``create_graph``.
        allow_unused: return None for a tensor that ``y`` does not depend on, instead of raising.

    Returns:
        a tensor for a tensor, else a tuple.

    Raises:
        RuntimeError: if ``y`` does not depend on one of ``xs``; see also :meth:`Tensor.backward`.

    Example:
        >>> import minigrad as mg
        >>> x = mg.tensor(3.0, requires_grad=True)
        >>> slope = mg.grad(x ** 3, x, create_graph=True)
        >>> slope.item(), mg.grad(slope, x).item()
        (27.0, 18.0)
    """
    single = isinstance(xs, Tensor)
    wanted = [xs] if single else list(xs)
    for index, x in enumerate(wanted):
        if not isinstance(x, Tensor) or not x.requires_grad:
            raise RuntimeError(f"grad: xs[{index}] is no tensor that requires a gradient")
    seed = starting_cotangent(y, gradient, create_graph)
    found = {node._number: (g, owned) for node, g, owned in
             sweep([y], [seed], create_graph, retain_graph, wanted, all_of_them=not allow_unused)}
    out = []
    for x in wanted:
        g, owned = found.get(x._number, (None, False))
        if isinstance(g, Tensor):               # a rule may hand one cotangent to two arguments
            g = g if not any(g is other for other in out) else np.positive(g)
        elif g is not None:
            g = result(np.asarray(g) if owned else np.array(g))
        elif not allow_unused:                  # a checkpoint hides until it is run again which results depend on what
            raise unreached(len(out), x)
        out.append(g)
    return out[0] if single else tuple(out)


def starting_cotangent(root, gradient, create_graph):
    """Return dL/droot to start from, checked."""
    if not isinstance(root, Tensor):
        raise TypeError(f"a gradient starts from a Tensor, not from {type(root).__name__}")
    if not root.requires_grad:
        raise RuntimeError("this tensor does not require a gradient: none of the tensors it was computed from has "
                           "requires_grad=True, or it was computed under no_grad or detached")
    if gradient is None:
        if root.size != 1:
            raise RuntimeError(f"backward of a tensor of shape {root.shape}: only a single number has a gradient by "
                               f"itself; reduce it, e.g. with .sum() or .mean(), or give gradient=array of that shape")
        array = np.ones_like(root._array)
    else:
        array = gradient._array if isinstance(gradient, Tensor) else np.asarray(gradient)
        if array.shape != root.shape:
            raise ValueError(f"gradient of shape {array.shape} for a tensor of shape {root.shape}")
        # Rules do not write into a cotangent, so it need not be copied for them; see fire_hooks for who may keep it.
        # On the tape it must stay as it is, whatever becomes of the caller's array.
        array = array.astype(root.dtype, copy=create_graph).view()
        array.flags.writeable = False
        if create_graph and isinstance(gradient, Tensor) and gradient.requires_grad:
            return gradient.astype(root.dtype)
    return result(array) if create_graph else array


def sweep(roots, seeds, create_graph, retain_graph, wanted, all_of_them=False):
    """Run the engine's backward sweep, recording it if the gradients are to be differentiated again."""
    token = RECORDING.set(create_graph)
    try:
        return backprop(roots, seeds, create_graph=create_graph, wanted=wanted, all_of_them=all_of_them,
                        retain_graph=create_graph if retain_graph is None else retain_graph)
    finally:
        RECORDING.reset(token)


# ---------------------------------------------------------------------- where gradients arrive

def accumulate(self, g, owned):
    """Add what arrived at a leaf to its gradient."""
    held = self.grad
    if isinstance(g, Tensor):                    # create_graph: sums are on the tape too
        own = np.positive(g) if g.requires_grad else result(np.array(g._array))
        self._grad = own if held is None else held + own
    elif held is None:
        self._grad = result(np.asarray(g) if owned else np.array(g))
    elif held.requires_grad:
        self._grad = held + g
    else:                                        # the same Tensor, given a new array
        held._array = np.asarray(held._array + g)


def retain_grad(self):
    """Keep the gradient of this result in ``.grad``, as leaves do."""
    if not self.requires_grad:
        raise RuntimeError("retain_grad: this tensor does not require a gradient")
    if self._fn is not None and self._grad is None:
        self._grad = KEEP


def register_hook(self, fn):
    """Call ``fn(g)`` with the complete cotangent dL/dself, once per backward pass.

    Hooks run in the order in which they were registered, when all contributions have been summed and
    before the cotangent is passed on to the parents (or, for a leaf, added to ``.grad``).  Among tensors, those
    made later are visited earlier.

    Args:
        fn: takes the cotangent as a Tensor; returns None, or a replacement of the same shape.  Gradient hooks such as
            ``ClipNorm`` become such a function by :func:`minigrad.hooks.inside`.

    Returns:
        a Handle; ``handle.remove()`` takes the hook out again.

    Raises:
        RuntimeError: if this tensor does not require a gradient.
        TypeError: if ``fn`` cannot be called.

    Example:
        >>> import minigrad as mg
        >>> h = mg.tensor(2.0, requires_grad=True)
        >>> handle = h.register_hook(lambda g: g * 10)
        >>> (h * h).backward(); h.grad
        tensor(40.)
    """
    if not self.requires_grad:
        raise RuntimeError("register_hook: this tensor does not require a gradient, so none will arrive")
    if not callable(fn):
        raise TypeError(f"register_hook takes a function of the gradient, not {fn!r}")
    if isinstance(getattr(fn, "role", None), str):
        raise TypeError(f"register_hook takes a function of the gradient, and {fn!r} is a hook of an optimizer; give "
                        f"hooks.inside({fn!r})")
    if self._hooks is None:
        self._hooks = {}
    return Handle(self._hooks, fn)


def fire_hooks(self, g):
    """Return the cotangent as this tensor's hooks leave it."""
    on_tape = isinstance(g, Tensor)
    if not on_tape and not g.flags.writeable:
        g = g.copy()                            # a view of the caller's array, or of a smaller one: a hook may keep it
    for fn in tuple(self._hooks.values()):
        given = np.positive(g) if on_tape else result(np.asarray(g))        # changed in place, it changes no other
        array = given._array
        replaced = fn(given)
        if replaced is None:
            if given._array is array:
                continue
            replaced = given                    # g *= 0.5 or g.clamp_(-1, 1), without a return
        array = array_of(replaced, fn)
        if array.shape != self.shape:
            raise ValueError(f"the hook {name_of(fn)} returned a gradient of shape {array.shape} for a tensor of shape "
                             f"{self.shape}; return one of the same shape, or None")
        if not on_tape:
            g = array if array.dtype == self.dtype else array.astype(self.dtype)
        else:
            g = (replaced if isinstance(replaced, Tensor) else result(array)).astype(self.dtype)
    return g


def array_of(replaced, fn):
    """Return the array of what a hook returned: a new one if it is no Tensor, as the hook may reuse its buffer."""
    try:
        array = replaced._array if isinstance(replaced, Tensor) else np.array(replaced)
    except ValueError:                          # lists of different lengths
        array = None
    if array is None or array.dtype.kind not in "fiu":
        raise TypeError(f"the hook {name_of(fn)} returned {replaced!r}, which is no gradient; return a Tensor or an "
                        f"array of numbers, or None to leave the gradient as it is")
    return array


Tensor.backward, Tensor.register_hook, Tensor.retain_grad = backward, register_hook, retain_grad
Tensor._accumulate, Tensor._fire_hooks = accumulate, fire_hooks

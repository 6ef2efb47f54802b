"""The engine: a table of gradient rules, an order of visit, and one backward sweep.

It knows no operator, and of NumPy hardly more than what an array is.  It knows three things:

* **the tape** is made of :class:`Node` objects, one per result.  A node is data: the
  function that made it, its parents, and the arrays that were used.  There are no closures,
  and children are never referenced, so a graph has no reference cycles and dies with its loss;
* **the table** says how each function pulls a cotangent back to its arguments::

      defvjp(np.multiply, lambda g, y, a, b: g * b,
                          lambda g, y, a, b: g * a)

  ``g`` is the cotangent dL/dy of the result ``y``; the rule returns dL/da (or dL/db), that is
  the vector-Jacobian product ("vjp").  Broadcasting and dtype are no concern of a rule: the
  engine undoes them, once, for all;
* **the order**: every node bears a running number, and inputs are made before outputs, so going
  through the numbers downwards visits each node after all of its consumers.

The same rule runs in two ways.  Given arrays it computes the gradient and leaves no trace.  Given
tensors it records itself, and the gradient can be differentiated again.  This is the whole
mechanism behind ``create_graph=True``: there is no second set of rules.
"""

import functools
import inspect
import sys
from itertools import count

import numpy as np

# ------------------------------------------------------------------------------- the tape

next_number = count().__next__
"""The running number that makes creation order a topological order."""


class Node:
    """A place on the tape: a leaf (``_fn`` is None) or the result of one operation.

    Slots: ``_requires_grad``; ``_array`` the array; ``_number`` the place in the order of creation; ``_fn``
    the key into the table; ``_parents`` for each argument the node it came from, or None if no
    gradient flows there; ``_saved`` for each argument the array (or constant) that was used (of a leaf that is a view
    of another: that one, and how it is seen);
    ``_kwargs``; ``_hooks`` to be called with the complete cotangent; ``_grad`` where a leaf keeps
    its gradient.
    """

    __slots__ = ("__weakref__", "_array", "_fn", "_grad", "_hooks", "_kwargs", "_number", "_parents", "_requires_grad",
                 "_saved")


def FREED(*_):
    """Stand in for the function of a node whose saved arrays have been given back."""
    raise RuntimeError("this graph has been freed")


# ------------------------------------------------------------------------------ the table

class Rule:
    """One line of the table: how a function runs forward and how cotangents are pulled back."""

    __slots__ = ("composite", "constant", "forward", "into", "joint", "keywords", "positional", "reach", "vjps")

    def __init__(self, forward, vjps=(), joint=None, composite=None, into=None, constant=False):
        self.forward, self.vjps, self.joint = forward, tuple(vjps), joint
        self.composite, self.into, self.constant = composite, into, constant
        # How many arguments, counted from the first, a gradient can flow to without further asking.
        self.reach = sys.maxsize if joint else (*self.vjps, None).index(None)
        self.positional, self.keywords = accepted_arguments(joint or next(filter(None, self.vjps), None))

    def has_vjp(self, index):
        """Say whether a gradient can flow to the argument at this position."""
        return self.joint is not None or (index < len(self.vjps) and self.vjps[index] is not None)


def accepted_arguments(rule):
    """Return how many arguments a rule takes beside g and y by position, and which by keyword (None: any)."""
    if rule is None:
        return sys.maxsize, None
    code = getattr(rule, "__code__", None)
    if code is None or inspect.ismethod(rule):
        kind, kinds = inspect.Parameter, {n: p.kind for n, p in inspect.signature(rule).parameters.items()}
        plain = [n for n, k in kinds.items() if k in (kind.POSITIONAL_ONLY, kind.POSITIONAL_OR_KEYWORD)]
        many, other = (k in kinds.values() for k in (kind.VAR_POSITIONAL, kind.VAR_KEYWORD))
        names = [*plain[2:], *(n for n, k in kinds.items() if k == kind.KEYWORD_ONLY)]
    else:                               # read off, as the table asks for hundreds when it is imported
        plain = code.co_varnames[:code.co_argcount]
        many, other = code.co_flags & inspect.CO_VARARGS, code.co_flags & inspect.CO_VARKEYWORDS
        names = code.co_varnames[2:code.co_argcount + code.co_kwonlyargcount]
    return sys.maxsize if many else len(plain) - 2, None if other else frozenset(names)


RULES = {}
"""The table itself: function -> Rule."""

SPELLINGS = {}
"""NumPy functions that are another spelling of functions in the table: function -> (stand-in, its keywords)."""


def defvjp(fn, *vjps, joint=None, composite=None, into=None):
    """Write a line of the table: the gradient rule of ``fn``, one vjp per positional argument.

    Each vjp is called ``vjp(g, y, *args, **kwargs)`` and returns the cotangent of its argument.
    It may use arithmetic operators, ``@``, ufuncs, the methods ``sum reshape transpose swapaxes T``, shapes,
    and minigrad's own primitives; then it runs on arrays (first order) and on tensors (any order).

    Args:
        fn: a NumPy ufunc or function, or a function marked with :func:`primitive`.
        *vjps: one rule per positional argument; None where no gradient can flow.
        joint: instead of ``vjps``, one rule for all arguments at once, returning a sequence with a
            cotangent (or None) per argument; for functions of any number of arguments, and for
            recurrences where all cotangents come out of one sweep.
        composite: for a rule that uses in-place NumPy and so cannot run on tensors: the
            same function built of ordinary operations.  Orders above the first are taken from it.
        into: for a function of which few elements of the first argument matter, such as a slice: ``into(held, g,
            *args)`` adds the cotangent of that argument to an array in place, instead of making one as large.

    Raises:
        TypeError: if ``fn`` or a rule cannot be called.

    Example:
        >>> import numpy as np, minigrad as mg
        >>> mg.defvjp(np.sinh, lambda g, y, x: g * np.cosh(x))
        >>> mg.defvjp(np.cosh, lambda g, y, x: g * np.sinh(x))
        >>> x = mg.tensor(0.5, requires_grad=True)
        >>> float(mg.grad(np.sinh(x), x)) == float(np.cosh(0.5))
        True
    """
    for rule in (fn, *vjps, joint, composite, into):
        if rule is not None and not callable(rule):
            raise TypeError(f"defvjp: {rule!r} is not callable; give a function and one rule "
                            f"`lambda g, y, *args: ...` per argument")
    if not (isinstance(fn, np.ufunc) or hasattr(fn, "is_primitive") or name_of(fn).startswith("np.")):
        raise TypeError(f"defvjp({name_of(fn)}): a plain function never asks the table; mark it with @mg.primitive")
    if not vjps and joint is None:
        raise TypeError(f"defvjp({name_of(fn)}): give one rule per argument, or joint=rule")
    RULES[fn] = Rule(getattr(fn, "__wrapped__", fn), vjps, joint, composite, into)


def defconstant(*fns):
    """Enter functions whose derivative is zero wherever it exists (comparisons, rounding, ...)."""
    for fn in fns:
        RULES[fn] = Rule(getattr(fn, "__wrapped__", fn), constant=True)


def respell(fn, stand_in):
    """Let a NumPy function, called with tensors, run as ``stand_in`` with the same arguments."""
    code = stand_in.__code__
    known = code.co_varnames[:code.co_argcount + code.co_kwonlyargcount]
    SPELLINGS[fn] = stand_in, None if code.co_flags & inspect.CO_VARKEYWORDS else frozenset(known)


def primitive(fn):
    """Mark a function of arrays as one operation, to be given a rule with :func:`defvjp`.

    Called with arrays it is the plain function.  Called with a tensor among its positional arguments it is handed over
    by NumPy's own protocol (``__array_function__``), as ``np.sum`` would be.

    Example:
        >>> import numpy as np, minigrad as mg
        >>> @mg.primitive
        ... def cube(x):
        ...     return x * x * x
        >>> mg.defvjp(cube, lambda g, y, x: g * 3 * x * x)
        >>> x = mg.tensor(2.0, requires_grad=True)
        >>> float(mg.grad(cube(x), x))
        12.0
    """
    @functools.wraps(fn)
    def dispatch(*args, **kwargs):
        for arg in args:
            if isinstance(arg, Node):
                return arg.__array_function__(dispatch, (), args, kwargs)
        return fn(*args, **kwargs)

    dispatch.is_primitive = True
    return dispatch


def name_of(fn):
    """Return the name by which a user knows a function: ``np.tanh``, ``relu``."""
    module = getattr(fn, "__module__", None) or ""
    name = getattr(fn, "__name__", repr(fn))
    if isinstance(fn, np.ufunc):
        return f"np.{name}"
    return f"{module.replace('numpy', 'np', 1)}.{name}" if module.startswith("numpy") else name


# ------------------------------------------------------------------------------ the sweep

def backprop(roots, seeds, *, create_graph=False, retain_graph=False, wanted=None, all_of_them=False):
    """Pull cotangents from ``roots`` back through the tape.

    Args:
        roots: nodes to start from.
        seeds: for each, its cotangent: an array, or with ``create_graph`` a tensor.
        create_graph: hand tensors to the rules, so that they record themselves.
        retain_graph: keep the saved arrays for another sweep.
        wanted: nodes whose cotangents are asked for; only the paths that lead there
            are followed.  None asks for all leaves (and nodes that keep their gradient).
        all_of_them: refuse, before anything has changed, if one of ``wanted`` cannot be reached.

    Returns:
        a list of ``(node, cotangent, owned)``.  ``owned`` says that the array was made in this sweep for
        this node alone, so that it need not be copied.

    Raises:
        RuntimeError: if part of the graph was freed by an earlier sweep, or one of ``wanted`` is not reached; nothing
            has changed then.
    """
    if wanted is None:
        order, useful, ends = visit(roots), None, None
    else:
        ends = {node._number for node in wanted}
        order = visit(roots, ends)
        useful = leading_to(ends, order)
        if all_of_them:
            refuse_unreached(wanted, order)
    cotangents, results = {}, []
    owned, fresh = set(), set()     # buffers made by the engine's sums; arrays a rule made for a leaf and gave away
    for root, seed in zip(roots, seeds):
        add_cotangent(cotangents, owned, root._number, seed, create_graph)

    while order:
        node = order.pop()
        number = node._number
        g = cotangents.pop(number, None)
        fn = node._fn
        if g is not None:
            if node._hooks:
                g = node._fire_hooks(g)
                owned.discard(number)           # the hooks have seen it, and may have kept it
                fresh.discard(number)
            if (number in ends) if ends is not None else (fn is None or node._grad is not None):
                results.append((node, g, number in owned or number in fresh))
        if fn is None:
            continue
        parents = node._parents
        if useful is not None and not any(p is not None and p._number in useful for p in parents):
            continue                            # an end of the way, or beside it: not passed through
        if g is not None:
            if create_graph:
                args, y = live_arguments(node), node
            else:
                args, y = node._saved, node._array
            rule, kwargs = RULES[fn], node._kwargs
            vjps, joint = rule.vjps, None
            if create_graph and rule.composite is not None:
                joint = through_composite(rule.composite, g, args, kwargs)
            elif rule.joint is not None:
                joint = rule.joint(g, y, *args, **kwargs)
            for index, parent in enumerate(parents):
                if parent is None or (useful is not None and parent._number not in useful):
                    continue
                if (rule.into is not None and index == 0 and not create_graph and parent._number in owned
                        and parent._array.ndim):         # a sum of arrays without axes is no array
                    rule.into(cotangents[parent._number], g, *args, **kwargs)
                    continue
                if joint is None:
                    pulled = vjps[index](g, y, *args, **kwargs)
                else:
                    pulled = joint[index]
                if pulled is None:
                    continue
                try:
                    like = args[index]
                    fits = pulled.shape == like.shape and pulled.dtype == like.dtype
                except AttributeError:
                    fits = False
                if not fits:
                    pulled = fit(pulled, like, fn, index)
                # add_cotangent, written out: this line is run for every edge of the graph
                name = parent._number
                held = cotangents.get(name)
                if held is None:
                    cotangents[name] = pulled
                    if (parent._fn is None and joint is None and not create_graph and pulled is not g
                            and pulled is not like and pulled.base is None):
                        fresh.add(name)
                elif name in owned:
                    held += pulled
                    cotangents[name] = held
                else:
                    add_cotangent(cotangents, owned, name, pulled, create_graph)
        if not retain_graph:
            node._fn, node._parents, node._saved, node._kwargs = FREED, (), (), {}
    return results


def add_cotangent(cotangents, owned, number, g, create_graph):
    """Add to what has arrived at a node: out of place first, in place only into the engine's own buffer."""
    held = cotangents.get(number)
    if held is None:
        cotangents[number] = g
    else:
        # Two parents may have been handed the same array (the rule of `a + b` returns g twice), and
        # it may be a read-only broadcast view: the first sum makes a new buffer, which is ours.
        cotangents[number] = held + g
        if not create_graph:
            owned.add(number)


def visit(roots, ends=frozenset()):
    """Return the nodes below ``roots``, oldest first, walking with a stack: depth costs no recursion.

    Given the numbers of nodes where the ways shall end, nodes made before all of these are left out: none of them can
    lead there.

    Raises:
        RuntimeError: if the way leads through a node that was freed, or to one that was changed after it was used.
    """
    oldest = min(ends, default=0)
    found, stack = {}, list(roots)
    while stack:
        node = stack.pop()
        if node._number in found:
            continue
        if node._fn is FREED and node._number not in ends:
            raise RuntimeError(
                "backward through a graph that has been freed: an earlier backward() gave back the arrays it had "
                "saved, or a part of them if an error interrupted it. If you mean to go through the same graph twice, "
                "call the first with backward(retain_graph=True). If this tensor was carried over from an earlier "
                "step (a hidden state, say), cut it off there with h = h.detach().")
        number = node._number
        found[number] = node
        for parent in node._parents:
            if parent is None:
                continue
            if parent._number >= number:
                raise RuntimeError(f"a tensor of shape {parent._array.shape} was changed in place on the tape after "
                                   f"{name_of(node._fn)} had used it; what it was is needed now. Change it before it "
                                   f"is used, or write h = h + x for h.add_(x), t = t.clone() before t[i] = x")
            if parent._number >= oldest and parent._number not in found:
                stack.append(parent)
    return [found[number] for number in sorted(found)]


def refuse_unreached(wanted, order):
    """Refuse to go on if one of the wanted nodes lies on no way from the roots."""
    found = {node._number for node in order}
    for index, node in enumerate(wanted):
        if node._number not in found:
            raise RuntimeError(f"grad: y does not depend on xs[{index}] (shape {node._array.shape}); "
                               f"pass allow_unused=True to get None for it")


def leading_to(ends, order):
    """Return the numbers of the nodes from which one of the nodes numbered ``ends`` can be reached."""
    useful = set(ends)
    for node in order:
        for parent in node._parents:
            if parent is not None and parent._number in useful:
                useful.add(node._number)
                break
    return useful


def fit(pulled, like, fn, index):
    """Give what a rule returned the shape and dtype of its argument, or say what is wrong with it."""
    if not hasattr(pulled, "dtype"):
        raise TypeError(f"the rule of {name_of(fn)} for argument {index} returned a "
                        f"{type(pulled).__name__}; a rule returns an array (or None for no gradient)")
    try:
        pulled = unbroadcast(pulled, like.shape)
    except ValueError:
        raise ValueError(f"the rule of {name_of(fn)} for argument {index} returned shape {pulled.shape}, which "
                         f"cannot be summed to the argument's shape {like.shape}; check the rule") from None
    # A float64 constant must not turn the gradient of a float32 parameter into float64.
    return pulled if pulled.dtype == like.dtype else pulled.astype(like.dtype)


def unbroadcast(g, shape):
    """Sum a cotangent over the axes along which its argument of this ``shape`` was broadcast.

    Broadcasting copies a value to many places; the gradient of a copy is the sum over the places.

    Raises:
        ValueError: if ``shape`` does not broadcast to the shape of ``g``.
    """
    if g.shape == shape:
        return g
    extra = g.ndim - len(shape)
    if extra < 0 or any(n not in (1, m) for n, m in zip(shape, g.shape[extra:])):
        raise ValueError(f"shape {shape} does not broadcast to {g.shape}")
    axes = (*range(extra), *(extra + i for i, n in enumerate(shape) if n != g.shape[extra + i]))
    return g.sum(axis=axes).reshape(shape)


# --------------------------------------------------------------------------- higher orders

def live_arguments(node):
    """Return the arguments of a node as tensors, for a rule that records itself.

    A parent that was given another array since cannot stand for the one that was used:
    a :class:`Stale` takes its place, which lets its shape be asked and nothing else.
    """
    return tuple(saved if parent is None else parent if parent._array is saved
                 else Stale(saved, node._fn)
                 for parent, saved in zip(node._parents, node._saved))


def through_composite(composite, g, args, kwargs):
    """Pull ``g`` back through a fused operation by way of its composite, recording all of it."""
    # Stand-ins, one operation away from the arguments, so that the sweep stops at this operation's own
    # arguments even where one of them was computed from another.
    inner = [np.positive(arg) if isinstance(arg, Node) else arg for arg in args]
    y = composite(*inner, **kwargs)
    wanted = [arg for arg in inner if isinstance(arg, Node)]
    found = {node._number: h for node, h, _ in
             backprop([y], [g], create_graph=True, retain_graph=True, wanted=wanted)}
    return [found.get(arg._number) if isinstance(arg, Node) else None for arg in inner]


class Stale:
    """The place of a tensor whose array was replaced between the forward pass and a second-order sweep."""

    def __init__(self, array, fn):
        self.shape, self.dtype, self.ndim, self.size = array.shape, array.dtype, array.ndim, array.size
        self._fn = fn

    def _refuse(self, *_, **__):
        raise RuntimeError(
            f"the gradient of {name_of(self._fn)} is to be differentiated again, but a tensor of shape {self.shape} "
            f"that it used has been given another array since the forward pass (an optimizer step, or an in-place "
            f"change). Take the gradient with create_graph=True before the update, or run the forward pass again.")

    __array_ufunc__ = __array_function__ = __array__ = _refuse
    __neg__ = __abs__ = __pow__ = __rpow__ = __getitem__ = _refuse
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _refuse
    __truediv__ = __rtruediv__ = __matmul__ = __rmatmul__ = _refuse
    __lt__ = __le__ = __gt__ = __ge__ = __eq__ = __ne__ = _refuse
    __hash__ = object.__hash__

    def __getattr__(self, name):
        self._refuse()

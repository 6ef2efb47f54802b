"""The engine: one backward sweep over the tape, in an order that needs no recursion.

It knows no operator, and of NumPy hardly more than what an array is.  It knows three things:

* **the tape** (:mod:`minigrad.table`) is made of :class:`Node` objects, one per result.  A node is data: the
  function that made it, its parents, and the arrays that were used.  There are no closures,
  and children are never referenced, so a graph has no reference cycles and dies with its loss;
* **the table** says how each function pulls a cotangent back to its arguments;
* **the order**: every node bears a running number, and inputs are made before outputs, so going
  through the numbers downwards visits each node after all of its consumers.

The same rule runs in two ways.  Given arrays it computes the gradient and leaves no trace.  Given
tensors it records itself, and the gradient can be differentiated again.  This is the whole
mechanism behind ``create_graph=True``: there is no second set of rules.
"""

import numpy as np

from minigrad.table import FREED, RULES, Node, checkpoint, name_of

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
        useful = leading_to(set(ends), order)
        if all_of_them:
            refuse_unreached(wanted, order)
    cotangents, results = {}, []
    # Numbers of nodes.  owned: the cotangent is a buffer that the engine made when it summed two; it may be added to.
    # fresh: a rule made it for this leaf alone; it may be given away without a copy, but not be added to, as nobody
    # knows what else the rule did with it.  Both end where a hook has seen the array, and may have kept it.
    owned, fresh = set(), set()
    waiting = []                    # results of a checkpoint that the sweep has met, and their cotangents
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
        if fn is checkpoint:
            if g is not None:
                waiting.append((node, g))
            if waiting and not (order and order[-1]._kwargs is node._kwargs):       # no other result of it to come
                order += made_anew(node._kwargs["again"], waiting, useful, cotangents)
                waiting = []
        elif g is not None:
            if create_graph:
                args, y = live_arguments(node), node
            else:
                args, y = node._saved, node._array
            rule, kwargs = RULES[fn], node._kwargs
            vjps, joint = rule.vjps, None
            if create_graph and rule.composite is not None:
                joint = through_composite(rule.composite, g, args, kwargs)
            elif rule.joint is not None:
                if rule.selective:
                    kwargs = {**kwargs, "wanted": tuple(p is not None and (useful is None or p._number in useful)
                                                        for p in parents)}
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


def made_anew(again, waiting, useful, cotangents):
    """Return the nodes behind a checkpoint, oldest first, after the operations have been done once more.

    The cotangents of the results that are waiting go to the same results, made anew.  As the nodes take the place on
    the way that those of the first run would have had, all sums are formed in the same order: the gradients are the
    same to the bit.
    """
    first, results = again()
    inside = visit([results[node._number] for node, _ in waiting], {first})
    if useful is not None:
        leading_to(useful, inside)
    for node, g in waiting:
        cotangents[results[node._number]._number] = g
    return inside


def refuse_unreached(wanted, order):
    """Refuse to go on if one of the wanted nodes lies on no way from the roots."""
    found = {node._number for node in order}
    for index, node in enumerate(wanted):
        if node._number not in found:
            raise unreached(index, node)


def unreached(index, node):
    """Return the error for a wanted node that lies on no way from the roots."""
    return RuntimeError(f"grad: y does not depend on xs[{index}] (shape {node._array.shape}); pass allow_unused=True "
                        f"to get None for it")


def leading_to(useful, order):
    """Add to a set of numbers those of the nodes from which one of them can be reached."""
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
    y = composite(*inner, **{key: value for key, value in kwargs.items() if key != "kept"})
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

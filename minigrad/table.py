"""The tape and the table: what a result remembers, and how each function pulls a cotangent back to its arguments.

A line of the table::

    defvjp(np.multiply, lambda g, y, a, b: g * b,
                        lambda g, y, a, b: g * a)

``g`` is the cotangent dL/dy of the result ``y``; the rule returns dL/da (or dL/db), that is the vector-Jacobian
product ("vjp").  Broadcasting and dtype are no concern of a rule: the engine undoes them, once, for all.
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


def checkpoint(*_):
    """Stand in for the operations behind a checkpoint, which the sweep has made anew when it comes there."""
    raise RuntimeError("a checkpoint is run by mg.checkpoint")


# ------------------------------------------------------------------------------ the table

class Rule:
    """One line of the table: how a function runs forward and how cotangents are pulled back."""

    __slots__ = ("composite", "constant", "forward", "into", "joint", "keeping", "keywords", "positional", "reach",
                 "selective", "vjps")

    def __init__(self, forward, vjps=(), joint=None, composite=None, keeping=None, into=None, constant=False):
        self.forward, self.vjps, self.joint = forward, tuple(vjps), joint
        self.composite, self.keeping, self.into, self.constant = composite, keeping, into, constant
        self.positional, self.keywords = accepted_arguments(joint or next(filter(None, self.vjps), None))
        # How many arguments, counted from the first, a gradient can flow to without further asking.
        self.reach = self.positional if joint else min(self.positional, (*self.vjps, None).index(None))
        self.selective = joint is not None and "wanted" in (self.keywords or ())

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


def defvjp(fn, *vjps, joint=None, composite=None, keeping=None, into=None):
    """Write a line of the table: the gradient rule of ``fn``, one vjp per positional argument.

    Each vjp is called ``vjp(g, y, *args, **kwargs)`` and returns the cotangent of its argument.
    It may use arithmetic operators, ``@``, ufuncs, the methods ``sum reshape transpose swapaxes T``, shapes,
    and minigrad's own primitives; then it runs on arrays (first order) and on tensors (any order).

    Args:
        fn: a NumPy ufunc or function, or a function marked with :func:`primitive`.
        *vjps: one rule per positional argument; None where no gradient can flow.
        joint: instead of ``vjps``, one rule for all arguments at once, returning a sequence with a
            cotangent (or None) per argument; for functions of any number of arguments, and for
            recurrences where all cotangents come out of one sweep.  If it has a keyword-only parameter ``wanted``,
            it is told by a tuple of bools which arguments need theirs.
        composite: for a rule that uses in-place NumPy and so cannot run on tensors: the
            same function built of ordinary operations.  Orders above the first are taken from it.
        keeping: for a rule that needs more than arguments and result: ``keeping(*args, **kwargs)`` returns the result
            and what else to keep, and is run instead of ``fn`` where the operation goes on the tape.  The rule gets
            the latter as ``kept=``, to read only (there may be another sweep).  It takes a composite.
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
    for rule in (fn, *vjps, joint, composite, keeping, into):
        if rule is not None and not callable(rule):
            raise TypeError(f"defvjp: {rule!r} is not callable; give a function and one rule "
                            f"`lambda g, y, *args: ...` per argument")
    if not (isinstance(fn, np.ufunc) or hasattr(fn, "is_primitive") or name_of(fn).startswith("np.")):
        raise TypeError(f"defvjp({name_of(fn)}): a plain function never asks the table; mark it with @mg.primitive")
    if not vjps and joint is None:
        raise TypeError(f"defvjp({name_of(fn)}): give one rule per argument, or joint=rule")
    if keeping is not None and composite is None:
        raise TypeError(f"defvjp({name_of(fn)}): what keeping= keeps are arrays without a gradient, so that the second "
                        f"order needs composite=, the same function of ordinary operations")
    RULES[fn] = Rule(getattr(fn, "__wrapped__", fn), vjps, joint, composite, keeping, into)


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

"""What may be handed to an operation, and what is refused: numbers and arrays made ready for NumPy, tensors unwrapped.

A gradient is never lost silently: where a tensor that requires one would become a plain array, a TypeError names
the way out.
"""

import dis
import inspect
import sys

import numpy as np

from minigrad.recording import RECORDING
from minigrad.table import RULES, SPELLINGS, Node, name_of

ndarray = np.ndarray
UNTOUCHED = frozenset({int, float, bool, type(None), slice, str, type(Ellipsis)})
"""Types of argument that go to NumPy as they are; Python numbers leave a float32 tensor float32 (NEP 50)."""


def constant(arg, fn):
    """Make an argument that is no tensor ready for NumPy.

    NumPy scalars and arrays without axes become Python numbers: under NEP 50 a ``np.float64`` (but not a
    ``float``) would turn a float32 tensor into float64.
    """
    if isinstance(arg, (np.generic, ndarray)):
        if isinstance(arg, np.ma.MaskedArray):
            raise TypeError(f"{name_of(fn)} of a tensor and a masked array: the mask would be lost; fill it, "
                            f"a.filled(value), or choose with np.where")
        if arg.dtype.kind not in "fiub":
            raise TypeError(f"{name_of(fn)} of a tensor and dtype {arg.dtype}: tensors hold real numbers")
        return arg.item() if arg.ndim == 0 else np.asarray(arg)
    if isinstance(arg, list) or (isinstance(arg, tuple) and isinstance(fn, np.ufunc)):
        refuse_nested(fn, [arg])
        return constant(np.asarray(arg), fn)
    if isinstance(arg, tuple):                  # a shape, axes, an index
        return arg
    if hasattr(arg, "__array__"):
        return np.asarray(arg)
    if isinstance(arg, (int, float)):           # of a subclass NumPy would not know that it is a plain number
        return float(arg) if isinstance(arg, float) else int(arg)
    raise TypeError(f"{name_of(fn)} of a tensor and a {type(arg).__name__}: give a number, an array or a tensor")


def is_data(value):
    """Say whether something can be compared with a tensor element by element."""
    return isinstance(value, (Node, int, float, np.generic, ndarray, list, tuple))


def plain(value):
    """Return the array or number behind ``value``."""
    return value._array if isinstance(value, Node) else value if type(value) in UNTOUCHED else constant(value, np.add)


def being_stored():
    """Say whether the code that asked for a float was ``array[i] = tensor``; NumPy then calls ``float(tensor)``."""
    caller = sys._getframe(2)
    return caller.f_code.co_code[caller.f_lasti] == STORE_SUBSCR


STORE_SUBSCR = dis.opmap["STORE_SUBSCR"]


def requires_grad(arg):
    """Say whether a gradient is wanted for an argument, looking into lists and tuples."""
    if isinstance(arg, (list, tuple)):
        return any(requires_grad(a) for a in arg)
    return isinstance(arg, Node) and arg._requires_grad


def knows_keywords(fn, rule, kwargs, tracked):
    """Say whether a rule knows these keywords; where a gradient would be lost through one, raise TypeError."""
    if tracked and rule.keywords is not None:
        refuse_unknown(fn, kwargs, rule.keywords)
    for key, value in kwargs.items():
        known = rule.keywords is None or key in rule.keywords
        if requires_grad(value):
            raise TypeError(f"{name_of(fn)}: pass the tensor `{key}` by position; no gradient flows "
                            f"through keyword arguments")
        if not known:
            return False
    return True


def refuse_unknown(fn, kwargs, keywords):
    """Raise TypeError for a keyword through which a gradient would be lost."""
    for key in kwargs:
        if key not in keywords:
            raise TypeError(f"{name_of(fn)}: the gradient rule does not know the keyword {key!r}; use t.detach() or "
                            f"t.data if no gradient is wanted")


def respelled(fn, args, kwargs):
    """Call what stands in for a NumPy function."""
    stand_in, keywords = SPELLINGS[fn]
    if kwargs and keywords is not None:
        refuse_unknown(fn, kwargs, keywords)
    try:
        return stand_in(*args, **kwargs)
    except TypeError:
        try:
            inspect.signature(stand_in).bind(*args, **kwargs)
        except TypeError as misfit:             # say it in the name that was called
            raise TypeError(f"{name_of(fn)}: {misfit}") from None
        raise


def refuse_nested(fn, args):
    """Refuse lists and tuples of tensors where one array is taken: their gradients would be lost."""
    if any(isinstance(arg, (list, tuple)) and requires_grad(arg) for arg in args):
        raise TypeError(f"{name_of(fn)} takes one array, not a {type(args[0]).__name__} that holds tensors; join them "
                        f"first, np.stack([...])")


def misfit(fn, values, error):
    """Return an error that names the function and the shapes it was given, where NumPy's own text may not."""
    if type(error) is not ValueError:           # NumPy's own kinds, such as LinAlgError, say enough
        return error
    name, shapes = name_of(fn), [v.shape for v in values if isinstance(v, ndarray)]
    if name.removeprefix("np.") in str(error) and all(str(shape) in str(error) for shape in shapes):
        return error
    if fn is np.matmul and len(shapes) == 2 and min(map(len, shapes)) > 0:
        inner = "only axis" if len(shapes[1]) == 1 else "last axis but one"
        error = f"the last axis of the first must be as long as the {inner} of the second"
    return ValueError(f"{name} of shape{'s' * (len(shapes) > 1)} {' and '.join(map(str, shapes))}: {error}")


def as_arrays(fn, args, kwargs, out=None, name=None):
    """Call a function that the table does not know; tensors that need no gradient are arrays to it."""
    name = name or name_of(fn)
    if RECORDING.get() and any(requires_grad(a) for a in (*args, *kwargs.values())):
        if out is not None:
            raise TypeError(f"{name} would write a tensor that requires a gradient into a plain array, and lose the "
                            f"gradient; write a = a + t (a new tensor), or use t.detach()")
        if fn in RULES and not kwargs:
            refuse_nested(fn, args)
        manner = " when it is called with keywords" if fn in RULES or kwargs else ""
        raise TypeError(f"{name} has no gradient rule{manner}; give it one with mg.defvjp, or use t.detach() (a "
                        f"tensor) or t.data (an array) if no gradient is wanted")
    if out is not None:
        for target in out:
            if isinstance(target, Node):
                raise TypeError(f"{name}(..., out=tensor) is not supported; assign the result, or use t += x")
            if target is not None and not target.flags.writeable:
                raise TypeError(f"{name} would write into a read-only array. If it is the .data of a parameter, write "
                                f"`with mg.no_grad(): p -= step`, or p.data = p.data - step")
        kwargs = {**kwargs, "out": out}
    return fn(*unwrap(args), **{key: unwrap(value) for key, value in kwargs.items()})


def unwrap(value):
    """Replace tensors by their arrays, inside lists and tuples too."""
    if isinstance(value, Node):
        return value._locked()
    return type(value)(unwrap(v) for v in value) if type(value) in (list, tuple) else value



"""Tensor: an array that remembers where it came from, and speaks NumPy.

``np.tanh(t)``, ``t.tanh()`` and ``mg.tanh(t)`` are one thing.  Every operation on tensors goes through one door,
:func:`apply`; everything about gradients is the engine's.
"""

import numpy as np

from minigrad import ops
from minigrad.arguments import (
    UNTOUCHED,
    as_arrays,
    being_stored,
    constant,
    is_data,
    knows_keywords,
    misfit,
    requires_grad,
    respelled,
    unwrap,
)
from minigrad.recording import RECORDING
from minigrad.table import FREED, RULES, SPELLINGS, Node, name_of, next_number
from minigrad.views import look_into, window, write

KEEP = object()
"""Stands in ``_grad`` of a result that was asked to keep its gradient and has none yet."""


class Tensor(Node):
    """An array with a gradient: the node of the tape itself.

    Args:
        data: anything ``np.array`` takes; copied.  Python floats become float64; arrays keep their dtype.
        dtype: a NumPy dtype to convert to.
        requires_grad: whether gradients are to be computed for this tensor (floating dtypes only).

    Raises:
        TypeError: for data that are no numbers, and for integers that require a gradient.

    Example:
        >>> import minigrad as mg
        >>> w = mg.tensor([3.0, 4.0], requires_grad=True)
        >>> loss = (w * w).sum()
        >>> loss.backward()
        >>> w.grad
        tensor([6., 8.])
    """

    __slots__ = ()

    def __init__(self, data, dtype=None, requires_grad=False):
        if isinstance(data, Tensor):
            if data.requires_grad:
                raise TypeError("a tensor made of one that requires a gradient would be cut off from its graph "
                                "silently; say t.detach(), or t.data for its array")
            data = data._array
        array = np.array(data, dtype=dtype)
        if array.dtype.kind not in "fiub":
            raise TypeError(f"a tensor holds real numbers, not dtype {array.dtype}; "
                            f"convert the data first, e.g. with np.asarray(data, float)")
        self._array = array
        self._number = next_number()
        self._fn, self._parents, self._saved, self._kwargs = None, (), (), None
        self._hooks = self._grad = None
        self._requires_grad = False
        if requires_grad:
            self.requires_grad_()

    # ------------------------------------------------------------------- data and gradient

    @property
    def data(self):
        """The array, read-only: it may have been saved for a backward pass that is still to come.

        Assigning gives the tensor a new array of the same shape, cast to its dtype; arrays that
        a graph has saved stay as they were.  PyTorch's words for it, ``p.data.add_(x)``, do the same; see
        :class:`minigrad.views.Window`.
        """
        return window(self)

    @data.setter
    def data(self, value):
        array = np.array(value._array if isinstance(value, Tensor) else value, dtype=self.dtype)
        if array.shape != self.shape:
            raise ValueError(f"data of shape {array.shape} for a tensor of shape {self.shape}; "
                             f"reshape it, or make a new tensor")
        self._rebind(array)

    def _locked(self):
        """Return the array itself, read-only from now on."""
        array = self._array
        if array.flags.writeable:
            array.flags.writeable = False
        return array

    def _refuse_if_made(self):
        if self._fn is not None:
            raise RuntimeError("this tensor is the result of an operation, and a backward pass may need it; "
                               "change t.detach().clone() instead, or compute a new tensor")

    def _rebind(self, array):
        self._refuse_if_made()
        if self._saved:
            write(self, lambda _: array)
        else:
            self._array = self._fitting(np.asarray(array))

    def _fitting(self, array):
        """Return an array that may take the place of this tensor's, or say why it may not."""
        if array.shape != self.shape:
            raise ValueError(f"an in-place change cannot turn shape {self.shape} into {array.shape}")
        if array.dtype == self.dtype:
            return array
        if not np.can_cast(array.dtype, self.dtype, "same_kind"):
            raise TypeError(f"an in-place change would turn {array.dtype} into {self.dtype} and lose what does not "
                            f"fit; convert first, e.g. t = t.astype(float)")
        return array.astype(self.dtype)

    @property
    def grad(self):
        """The gradient accumulated by ``backward``: a Tensor of this tensor's shape and dtype, or None."""
        grad = self._grad
        return None if grad is KEEP else grad

    @grad.setter
    def grad(self, value):
        if value is None:
            self._grad = KEEP if self._fn is not None and self._grad is not None else None
            return
        array = value._array if isinstance(value, Tensor) else np.asarray(value)
        if array.shape != self.shape:
            raise ValueError(f"gradient of shape {array.shape} for a tensor of shape {self.shape}")
        on_tape = isinstance(value, Tensor) and value.requires_grad and not value.is_leaf
        self._grad = value.astype(self.dtype) if on_tape else result(np.array(array, dtype=self.dtype))

    @property
    def shape(self):
        return self._array.shape

    @property
    def dtype(self):
        return self._array.dtype

    @property
    def ndim(self):
        return self._array.ndim

    @property
    def is_leaf(self):
        """Whether this tensor was made by the user, not by an operation on the tape."""
        return self._fn is None

    @property
    def requires_grad(self):
        """Whether a gradient is computed for this tensor; may be assigned, as :meth:`requires_grad_` does."""
        return self._requires_grad

    @requires_grad.setter
    def requires_grad(self, value):
        self.requires_grad_(value)

    def requires_grad_(self, requires_grad=True):
        """Ask for gradients of this leaf (or no longer), in place; returns the tensor."""
        if requires_grad and self.dtype.kind != "f":
            raise TypeError(f"only floating-point tensors can require a gradient, not {self.dtype}; "
                            f"give dtype=float, or write 1.0 for 1")
        if not requires_grad and self._fn is not None:
            raise RuntimeError("requires_grad can be switched off for leaves only; use t.detach()")
        self._requires_grad = bool(requires_grad)
        if requires_grad and self._fn is None:
            self._saved = ()                # a view that is trained goes its own way
        return self

    def detach(self):
        """Return a tensor with the same array, cut off from the tape; a leaf can be changed through it."""
        out = result(self._array)
        if self._fn is None:
            out._saved = self, np.asarray
        return out

    # ------------------------------------------------------------- operators: one line each

    def __add__(self, other): return apply(np.add, self, other)
    def __radd__(self, other): return apply(np.add, other, self)
    def __sub__(self, other): return apply(np.subtract, self, other)
    def __rsub__(self, other): return apply(np.subtract, other, self)
    def __mul__(self, other): return apply(np.multiply, self, other)
    def __rmul__(self, other): return apply(np.multiply, other, self)
    def __truediv__(self, other): return apply(np.true_divide, self, other)
    def __rtruediv__(self, other): return apply(np.true_divide, other, self)
    def __floordiv__(self, other): return apply(np.floor_divide, self, other)
    def __rfloordiv__(self, other): return apply(np.floor_divide, other, self)
    def __mod__(self, other): return apply(np.remainder, self, other)
    def __rmod__(self, other): return apply(np.remainder, other, self)
    def __pow__(self, other): return apply(np.power, self, other)
    def __rpow__(self, other): return apply(np.power, other, self)
    def __matmul__(self, other): return apply(np.matmul, self, other)
    def __rmatmul__(self, other): return apply(np.matmul, other, self)
    def __neg__(self): return apply(np.negative, self)
    def __pos__(self): return apply(np.positive, self)
    def __abs__(self): return apply(np.absolute, self)
    def __lt__(self, other): return apply(np.less, self, other)
    def __le__(self, other): return apply(np.less_equal, self, other)
    def __gt__(self, other): return apply(np.greater, self, other)
    def __ge__(self, other): return apply(np.greater_equal, self, other)
    def __and__(self, other): return apply(np.bitwise_and, self, other)
    def __or__(self, other): return apply(np.bitwise_or, self, other)
    def __xor__(self, other): return apply(np.bitwise_xor, self, other)
    def __rand__(self, other): return apply(np.bitwise_and, other, self)
    def __ror__(self, other): return apply(np.bitwise_or, other, self)
    def __rxor__(self, other): return apply(np.bitwise_xor, other, self)
    def __invert__(self): return apply(np.invert, self)
    def __eq__(self, other): return apply(np.equal, self, other) if is_data(other) else NotImplemented
    def __ne__(self, other): return apply(np.not_equal, self, other) if is_data(other) else NotImplemented
    __hash__ = object.__hash__

    def __getitem__(self, index):
        return apply(ops.take, self, ops.plain_index(index))

    # ----------------------------------------------------------------------- NumPy's protocols

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **kwargs):
        if out is None and method == "__call__" and not kwargs:
            if ufunc in RULES or any(requires_grad(a) for a in inputs):
                return apply(ufunc, *inputs)
        name = name_of(ufunc) if method == "__call__" else f"{name_of(ufunc)}.{method}"
        return as_arrays(getattr(ufunc, method), inputs, kwargs, out, name)

    def __array_function__(self, fn, types, args, kwargs):
        if fn in SPELLINGS:
            if requires_grad([*args, *kwargs.values()]):
                return respelled(fn, args, kwargs)
            out = as_tensors(as_arrays(fn, args, kwargs), [a for a in args if isinstance(a, np.ndarray)])
            if isinstance(out, Tensor) and out._array.base is not None and args and args[0] is self:
                look_into(out, self, lambda array: fn(array, *unwrap(args[1:]), **kwargs))
            return out
        if fn in RULES:
            return apply(fn, *args, **kwargs)
        return as_arrays(fn, args, kwargs)

    def __array__(self, dtype=None, copy=None):
        if self.requires_grad:
            raise TypeError("turning a tensor that requires a gradient into an array would cut it off from its graph "
                            "silently; say t.detach() for a tensor, t.data for its array, and np.stack([...]) for a "
                            "list of tensors")
        if copy is False and dtype is not None and np.dtype(dtype) != self.dtype:
            raise ValueError(f"no {np.dtype(dtype)} array without a copy of this {self.dtype} tensor")
        return np.array(self._array, dtype) if copy else np.asarray(self._locked(), dtype)

    # --------------------------------------------------------------------- Python's protocols

    def __len__(self):
        if self.ndim == 0:
            raise TypeError("len() of a tensor with no axes")
        return self.shape[0]

    def __iter__(self):
        if self.ndim == 0:
            raise TypeError("iteration over a tensor with no axes; use t.item()")
        return (self[i] for i in range(len(self)))

    def __float__(self):
        if self.requires_grad and being_stored():
            raise TypeError("array[i] = tensor would cut the tensor off from its graph silently; collect tensors in a "
                            "list and np.stack them, or store t.item()")
        return float(self.item())

    def __int__(self): return int(self.item())
    def __index__(self): return self._array.__index__()
    def __bool__(self): return bool(self._array)
    def __format__(self, spec): return format(self.item() if spec and self.size == 1 else str(self), spec)

    def __reduce__(self):
        if self._fn is not None:
            raise TypeError("only leaves can be copied or pickled; copy t.detach(), or the parameters")
        grad = None if self.grad is None else self.grad.data
        return rebuild, (type(self), self._array.copy(order="K"), self.requires_grad, grad)

    def __repr__(self):
        body = np.array2string(self._array, separator=", ", prefix="tensor(")
        dtype = "" if self.dtype in (np.float64, np.int64, np.bool_) else f", dtype={self.dtype}"
        if self._fn is None:
            return f"tensor({body}{dtype}{', requires_grad=True' if self.requires_grad else ''})"
        return f"tensor({body}{dtype}, made by {'a freed graph' if self._fn is FREED else name_of(self._fn)})"


def rebuild(cls, array, requires_grad, grad):
    """Make a leaf anew, with a number of its own: what copying and unpickling do."""
    out = new(cls)
    Tensor.__init__(out, array, requires_grad=requires_grad)
    out.grad = grad
    return out


# ----------------------------------------------------------------------------- the one door

def check_reach(fn, rule, parents, recorded):
    """Refuse arguments that the rule of a function does not know, or to which it brings no gradient."""
    if len(parents) > rule.positional:
        raise TypeError(f"{name_of(fn)}: the gradient rule takes {rule.positional} arguments by position, not "
                        f"{len(parents)}; give the others by keyword")
    for index, parent in enumerate(parents):
        if recorded and parent is not None and not rule.has_vjp(index):
            raise TypeError(f"{name_of(fn)} has no gradient with respect to argument {index}; "
                            f"pass it as t.detach() if none is wanted")


def apply(fn, *args, **kwargs):
    """Run one operation on tensors and, where a gradient may be asked for, write it on the tape."""
    rule = RULES.get(fn)
    if rule is None:
        return as_arrays(fn, args, kwargs)
    values, parents, tracked, raw = [], [], False, []
    for arg in args:
        if isinstance(arg, Tensor):
            values.append(arg._array)
            if arg._requires_grad:
                parents.append(arg)
                tracked = True
                continue
        elif type(arg) in UNTOUCHED:
            values.append(arg)
        else:
            raw.append(len(values))
            values.append(constant(arg, fn))
        parents.append(None)
    if kwargs and not knows_keywords(fn, rule, kwargs, tracked):
        return as_arrays(fn, args, kwargs)
    recorded = tracked and not rule.constant and RECORDING.get()
    if tracked and len(args) > rule.reach:
        check_reach(fn, rule, parents, recorded)
    try:
        if not kwargs and (rule.keeping is None or not recorded):
            data = rule.forward(*values)
        elif recorded and rule.keeping is not None:
            data, kept = rule.keeping(*values, **kwargs)
            kwargs = {**kwargs, "kept": kept}
        else:
            data = rule.forward(*values, **kwargs)
    except ValueError as error:
        raise misfit(fn, values, error) from error
    if type(data) is not np.ndarray:
        data = np.asarray(data)
    if not recorded:
        out = result(data)
        if isinstance(args[0], Tensor) and (data.base is not None or data is values[0]):
            look_into(out, args[0], lambda array: rule.forward(array, *values[1:], **kwargs))
        return out
    for index in raw:           # the caller may reuse its own array before backward; the tape keeps what was used
        v = values[index]
        if type(v) is np.ndarray and (v.flags.writeable or v.base is not None):
            values[index] = v.copy()
    out = new(Tensor)
    out._array = data
    out._requires_grad = True
    out._number = next_number()
    out._fn = fn
    out._parents = tuple(parents)
    out._saved = tuple(values)      # tuples of arrays are nothing to the garbage collector; lists would be
    out._kwargs = kwargs
    out._hooks = out._grad = None
    return out


new = Tensor.__new__


def result(array):
    """Wrap an array as a tensor that needs no gradient, without a copy."""
    out = new(Tensor)
    out._array = array
    out._requires_grad = False
    out._number = next_number()
    out._fn, out._parents, out._saved, out._kwargs = None, (), (), None
    out._hooks = out._grad = None
    return out


def as_tensors(out, given):
    """Wrap arrays and NumPy numbers as tensors, inside lists and tuples too; copy what looks into a ``given`` array."""
    if isinstance(out, (list, tuple)):
        parts = [as_tensors(part, given) for part in out]
        return type(out)(*parts) if hasattr(out, "_fields") else type(out)(parts)
    if not isinstance(out, (np.ndarray, np.generic)):
        return out
    array = np.asarray(out)
    return result(array.copy() if any(np.may_share_memory(array, a) for a in given) else array)

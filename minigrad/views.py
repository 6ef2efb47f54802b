"""Views off the tape: writing to a slice, a transpose or ``t.data`` is writing to the tensor that it looks into.

Arrays are never written into, as a graph may have saved them: a write copies the array of the tensor at the root, looks
at the copy through the same steps, writes there, and gives the root the copy.  So no write ever undoes another one, by
whichever view it came.  A view that somebody took before keeps showing the old values until it is written to itself.
"""

import numpy as np

from minigrad.recording import RECORDING


def look_into(out, base, step):
    """Remember that ``out``, a result off the tape, may be a view of ``base``: ``step`` applied to its array."""
    if np.may_share_memory(out._array, base._array):
        out._saved = base, step


def write(tensor, new_values):
    """Give a view the values ``new_values(array)``, by way of the tensor at its root.

    Raises:
        RuntimeError: if the root is the result of an operation on the tape, or cannot be written to in this way.
        ValueError, TypeError: if the values do not fit; nothing has changed then.
    """
    chain = [tensor]
    while chain[-1]._fn is None and chain[-1]._saved:
        chain.append(chain[-1]._saved[0])
    root = chain.pop()
    root._refuse_if_made()
    whole = view = root._array.copy(order="K")
    views = []
    for member in reversed(chain):
        view = member._saved[1](view)
        views.append(view)
    once = all(stride or n == 1 for stride, n in zip(view.strides, view.shape))
    if not once or not np.may_share_memory(view, whole) or view.shape != tensor.shape:
        raise RuntimeError(f"several elements of this tensor of shape {tensor.shape} are one in memory, or it is no "
                           f"view any longer; write to the tensor it was made from, or to t.clone()")
    view.flags.writeable = True             # a diagonal is read-only to NumPy for reasons of its history
    view[...] = tensor._fitting(np.asarray(new_values(view)))
    root._array = whole
    for member, view in zip(reversed(chain), views):
        member._array = view


class Window(np.ndarray):
    """What ``t.data`` is: the array of a tensor, read-only to NumPy.

    PyTorch's words for it change the tensor, as they do there: ``p.data.add_(x)``, ``p.data -= x``, ``p.data[0] = x``;
    and what arrays do not know is asked of the tensor: ``p.grad.data.norm(2)``.  Results are plain arrays.

    Example:
        >>> import minigrad as mg
        >>> p = mg.tensor([1.0, 2.0], requires_grad=True)
        >>> p.data -= 0.5
        >>> p.data.clamp_(max=1.0)
        array([0.5, 1. ])
        >>> p
        tensor([0.5, 1. ], requires_grad=True)
    """

    owner = None

    def __array_wrap__(self, array, context=None, return_scalar=False):
        plain = np.asarray(array)
        return plain[()] if return_scalar else plain

    def __getitem__(self, index):
        piece = super().__getitem__(index)
        if isinstance(piece, Window) and self.owner is not None and self.owner._fn is None:
            piece.owner = self._seen()[index]
        return piece

    def __getattr__(self, name):
        if self.owner is None or name.startswith("__"):
            raise AttributeError(f"'numpy.ndarray' object has no attribute {name!r}", name=name)
        return self._changing(name) if name.endswith("_") else getattr(self._seen(), name)

    def __repr__(self):
        return repr(np.asarray(self))

    def _seen(self):
        """Return a tensor of the values seen here, whatever the owner has become; writing to it writes to the owner."""
        seen = self.owner.detach()
        seen._array = np.asarray(self)
        return seen

    def _changing(self, name):
        """Return a method that changes the owner, off the tape."""
        if self.owner is None:
            return getattr(super(), name)
        method = getattr(self.owner, name)

        def change(*args, **kwargs):
            self.owner._refuse_if_made()
            token = RECORDING.set(False)
            try:
                method(*args, **kwargs)
            finally:
                RECORDING.reset(token)
            return self.owner.data
        return change

    def __setitem__(self, index, value):
        if self.owner is None:                          # an array made in the likeness of this one
            super().__setitem__(index, value)
        else:
            self._changing("__setitem__")(index, value)

    def __iadd__(self, other): return self._changing("__iadd__")(other)
    def __isub__(self, other): return self._changing("__isub__")(other)
    def __imul__(self, other): return self._changing("__imul__")(other)
    def __itruediv__(self, other): return self._changing("__itruediv__")(other)

    # Where arrays and PyTorch's tensors have one name for two things, PyTorch's words get PyTorch's answer.

    def max(self, *args, **kwargs): return self._answer("max", args and args[0] is not None, args, kwargs)
    def min(self, *args, **kwargs): return self._answer("min", args and args[0] is not None, args, kwargs)
    def std(self, *args, **kwargs): return self._answer("std", not {"axis", "ddof"} & set(kwargs), args, kwargs)
    def var(self, *args, **kwargs): return self._answer("var", not {"axis", "ddof"} & set(kwargs), args, kwargs)
    def transpose(self, *args): return self._answer("transpose", len(args) == 2, args, {})
    def repeat(self, *args, **kwargs): return self._answer("repeat", not kwargs, args, kwargs)
    def view(self, *args): return self._answer("view", args and isinstance(args[0], int), args, {})

    def _answer(self, name, pytorchs, args, kwargs):
        """Ask the tensor where the words are PyTorch's, else the array."""
        if self.owner is not None and (pytorchs or {"dim", "keepdim", "unbiased", "correction"} & set(kwargs)):
            return getattr(self._seen(), name)(*args, **kwargs)
        return getattr(np.asarray(self), name)(*args, **kwargs)

    @property
    def size(self):
        """The number of elements; called, the shape, as PyTorch's."""
        return np.ndarray.size.__get__(self) if self.owner is None else self.owner.size


def window(tensor):
    """Return a tensor's array as a Window."""
    array = np.ndarray.view(tensor._locked(), Window)
    array.owner = tensor
    return array

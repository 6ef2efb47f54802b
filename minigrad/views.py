"""Views off the tape: writing to a slice, a transpose or ``t.data`` is writing to the tensor that it looks into.

Arrays are never written into, as a graph may have saved them: a write copies the array of the tensor at the root, looks
at the copy through the same steps, writes there, and gives the root the copy.  So no write ever undoes another one, by
whichever view it came.  A view that somebody took before keeps showing the old values until it is written to itself.
"""

import numpy as np


def look_into(out, base, step):
    """Remember that ``out``, a result off the tape, may be a view of ``base``: ``step`` applied to its array."""
    if np.may_share_memory(out._array, base._array):
        root, steps = base._saved if base._fn is None and base._saved else (base, ())
        out._saved = root, (*steps, step)


def write(tensor, root, steps, new_values):
    """Give a view the values ``new_values(array)``, by way of its root.

    Raises:
        RuntimeError: if the root is the result of an operation on the tape, or cannot be written to in this way.
    """
    root._refuse_if_made()
    whole = root._array.copy(order="K")
    view = whole
    for step in steps:
        view = step(view)
    once = all(stride or n == 1 for stride, n in zip(view.strides, view.shape))
    if not once or not np.may_share_memory(view, whole):
        raise RuntimeError(f"several elements of this tensor of shape {tensor.shape} are one in memory, or it is no "
                           f"view any longer; write to the tensor it was made from, or to t.clone()")
    view.flags.writeable = True             # a diagonal is read-only to NumPy for reasons of its history
    view[...] = tensor._fitting(np.asarray(new_values(view)))
    root._rebind(whole)
    tensor._array = view


class Window(np.ndarray):
    """What ``t.data`` is: the array of a tensor, read-only to NumPy.

    PyTorch's words for it change the tensor, as they do there: ``p.data.add_(x)``, ``p.data -= x``, ``p.data[0] = x``;
    and what arrays do not know is asked of the tensor: ``p.grad.data.norm(2)``.  Results are plain arrays.

    Example:
        >>> import minigrad as mg
        >>> p = mg.tensor([1.0, 2.0], requires_grad=True)
        >>> p.data -= 0.5
        >>> p.data.clamp_(max=1.0)
        tensor([0.5, 1. ])
        >>> p
        tensor([0.5, 1. ], requires_grad=True)
    """

    owner = None

    def __array_wrap__(self, array, context=None, return_scalar=False):
        plain = np.asarray(array)
        return plain[()] if return_scalar else plain

    def __getitem__(self, index):
        return np.asarray(self)[index]

    def __setitem__(self, index, value):
        self._tensor()[index] = value

    def __getattr__(self, name):
        if self.owner is None or name.startswith("__"):
            raise AttributeError(f"'numpy.ndarray' object has no attribute {name!r}", name=name)
        if name.endswith("_"):
            return getattr(self._tensor(), name)
        seen = self.owner.detach()
        seen._array, seen._saved = np.asarray(self), ()     # the values seen here, whatever the tensor has become
        return getattr(seen, name)

    def __repr__(self):
        return repr(np.asarray(self))

    def _tensor(self):
        """Return the tensor, cut off from the tape, through which the array is changed."""
        if self.owner is None:
            raise ValueError("assignment destination is read-only")
        self.owner._refuse_if_made()
        return self.owner.detach()

    def __iadd__(self, other): return self._tensor().__iadd__(other).data
    def __isub__(self, other): return self._tensor().__isub__(other).data
    def __imul__(self, other): return self._tensor().__imul__(other).data
    def __itruediv__(self, other): return self._tensor().__itruediv__(other).data


def window(tensor):
    """Return a tensor's array as a Window."""
    array = tensor._locked().view(Window)
    array.owner = tensor
    return array

"""What Tensor offers as methods beyond its operators, a page per family as in ``rules/``.

Attached here, so that ``tensor.py`` stays small enough to read.  Methods speak NumPy, and understand PyTorch:
``dim=`` is another name for ``axis=``, ``keepdim=`` for ``keepdims=``.
"""

import numpy as np

from minigrad.table import name_of
from minigrad.methods import choosing, elementwise, inplace, reduce, shape, types
from minigrad.missing import OF_TENSORS, leave_out
from minigrad.tensor import Tensor, apply

METHODS = {name: method for page in (reduce, elementwise, shape, choosing, types, inplace)
           for name, method in page.METHODS.items()}

for name, method in METHODS.items():
    if method.__name__ == "method":
        method.__name__, method.__qualname__ = name, f"Tensor.{name}"
    setattr(Tensor, name, method)

Tensor.T = property(lambda self: apply(np.transpose, self), doc="The axes reversed.")
Tensor.mT = property(lambda self: self.swapaxes(-1, -2), doc="The last two axes interchanged.")
Tensor.size = property(lambda self: shape.Size(self._array.shape),
                       doc="The number of elements; called, ``size()`` is the shape and ``size(0)`` one side.")
Tensor.device = property(lambda self: "cpu", doc="Where the array is: always \"cpu\".")
Tensor.grad_fn = property(lambda self: None if self.is_leaf else name_of(self._fn),
                          doc="The name of the operation that made this tensor; None for a leaf.")
leave_out(Tensor, OF_TENSORS)

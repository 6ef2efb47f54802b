"""What a module holds: parameters, which are trained, and buffers, which are not."""

import numpy as np

from minigrad.methods.types import only_cpu
from minigrad.tensor import Tensor


class Parameter(Tensor):
    """A tensor that requires a gradient and belongs to a module; ``name`` is its name in the net, e.g. "1.weight".

    Args:
        data: as for Tensor.
        requires_grad: False for a parameter that is to stay as it is (frozen) but still be saved with the others.
        dtype: a floating dtype; by keyword, as the second argument is PyTorch's.

    Raises:
        TypeError: for data that are not floating, and a ``requires_grad`` that is not True or False.

    Example:
        >>> from minigrad import nn
        >>> nn.Parameter([1.0, 2.0])
        tensor([1., 2.], requires_grad=True)
    """

    __slots__ = ("name",)

    def __init__(self, data, requires_grad=True, *, dtype=None):
        if not isinstance(requires_grad, (bool, np.bool_)):
            raise TypeError(f"Parameter: requires_grad is True or False, not {requires_grad!r}; a dtype is given as "
                            f"dtype=...")
        super().__init__(data, dtype, requires_grad)
        self.name = None

    def __reduce__(self):
        build, arguments = super().__reduce__()
        return build, arguments, (None, {"name": self.name})


def blank(shape, dtype, device):
    """Return a parameter of zeros, to which ``reset_parameters`` gives its first values; refuse all devices but cpu."""
    if device is not None:
        only_cpu(device)
    return Parameter(np.zeros(shape, dtype))


class Found(list):
    """A list from which ``next`` takes one after the other, as PyTorch's programs write ``next(net.parameters())``.

    What was taken stays in the list, and a loop over it begins at the first.
    """

    _taken = 0

    def __next__(self):
        if self._taken >= len(self):
            raise StopIteration
        self._taken += 1
        return self[self._taken - 1]


def plain_buffer(name, value):
    """Return the value of a buffer as a tensor, or say why it cannot be one."""
    if isinstance(value, Tensor) and value.requires_grad:
        raise TypeError(f"buffer {name!r}: a tensor that requires a gradient would keep its graph alive from step to "
                        f"step; assign t.detach()")
    return value if value is None or isinstance(value, Tensor) else Tensor(value)

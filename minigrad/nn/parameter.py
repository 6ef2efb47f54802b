"""What a module holds: parameters, which are trained, and buffers, which are not."""

from minigrad.tensor import Tensor


class Parameter(Tensor):
    """A tensor that requires a gradient and belongs to a module; ``name`` is its name in the net, e.g. "1.weight".

    Args:
        data: as for Tensor.
        dtype: a floating dtype.
        requires_grad: False for a parameter that is to stay as it is (frozen) but still be saved with the others.
    """

    __slots__ = ("name",)

    def __init__(self, data, dtype=None, requires_grad=True):
        super().__init__(data, dtype, requires_grad)
        self.name = None

    def __reduce__(self):
        build, arguments = super().__reduce__()
        return build, arguments, (None, {"name": self.name})


def plain_buffer(name, value):
    """Return the value of a buffer as a tensor, or say why it cannot be one."""
    if isinstance(value, Tensor) and value.requires_grad:
        raise TypeError(f"buffer {name!r}: a tensor that requires a gradient would keep its graph alive from step to "
                        f"step; assign t.detach()")
    return value if value is None or isinstance(value, Tensor) else Tensor(value)

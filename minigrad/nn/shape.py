"""Modules that pass on, or bring into another shape."""

import math

from minigrad.nn.functional.common import whole_number
from minigrad.nn.module import Module


class Identity(Module):
    """Returns what it is given; stands where a layer has been taken out.  Any arguments are accepted, and ignored.

    Example:
        >>> from minigrad import nn
        >>> nn.Identity(54, unused=True)(7.0)
        7.0
    """

    def __init__(self, *args, **kwargs):
        pass

    def forward(self, x):
        """Return x itself."""
        return x


class Flatten(Module):
    """Joins the axes start_dim ... end_dim into one; by default all but the first: (N, C, H, W) to (N, C H W).

    Raises:
        ValueError: if x has no such axes, or the first comes after the last.

    Example:
        >>> import numpy as np
        >>> from minigrad import nn
        >>> nn.Flatten()(np.ones((5, 2, 3, 4))).shape
        (5, 24)
    """

    def __init__(self, start_dim=1, end_dim=-1):
        self.start_dim = whole_number("Flatten", "start_dim", start_dim, None)
        self.end_dim = whole_number("Flatten", "end_dim", end_dim, None)

    def forward(self, x):
        """Return x with these axes as one."""
        ndim = len(x.shape)
        start, end = (d + ndim if d < 0 else d for d in (self.start_dim, self.end_dim))
        if not 0 <= start <= end < ndim:
            raise ValueError(f"{self!r} of x of shape {tuple(x.shape)}: axes {self.start_dim} to {self.end_dim} are "
                             f"not there, or in the wrong order")
        return x.reshape((*x.shape[:start], math.prod(x.shape[start:end + 1]), *x.shape[end + 1:]))

    def extra_repr(self):
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """Splits the axis ``dim`` into several: (N, C H W) to (N, C, H, W).

    Args:
        dim: the axis; below 0 counted from the end.
        unflattened_size: the lengths of the new axes; one of them may be -1, for what is left.

    Raises:
        TypeError: for what are no whole numbers.
        ValueError: for lengths below 0, and in forward if the axis is not there or cannot be split so.

    Example:
        >>> import numpy as np
        >>> from minigrad import nn
        >>> nn.Unflatten(1, (2, -1, 4))(np.ones((5, 24))).shape
        (5, 2, 3, 4)
    """

    def __init__(self, dim, unflattened_size):
        if not isinstance(unflattened_size, (tuple, list)):
            raise TypeError(f"Unflatten: unflattened_size is a tuple of whole numbers, not {unflattened_size!r}")
        self.dim = whole_number("Unflatten", "dim", dim, None)
        sizes = tuple(whole_number("Unflatten", "unflattened_size", n, None) for n in unflattened_size)
        if min(sizes, default=0) < -1 or sizes.count(-1) > 1:
            raise ValueError(f"Unflatten: unflattened_size = {sizes}, but lengths are at least 0, and at most one of "
                             f"them -1")
        self.unflattened_size = sizes

    def forward(self, x):
        """Return x with its axis ``dim`` split."""
        shape, sizes = tuple(x.shape), self.unflattened_size
        if not -len(shape) <= self.dim < len(shape):
            raise ValueError(f"{self!r}: x of shape {shape} has no axis {self.dim}")
        dim, known = self.dim % len(shape), math.prod(n for n in sizes if n != -1)
        if shape[dim] % known if -1 in sizes and known else shape[dim] != known:
            raise ValueError(f"{self!r} of x of shape {shape}: an axis of {shape[dim]} cannot be split into {sizes}")
        sizes = tuple(shape[dim] // known if n == -1 else n for n in sizes)
        return x.reshape((*shape[:dim], *sizes, *shape[dim + 1:]))

    def extra_repr(self):
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"

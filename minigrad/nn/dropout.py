"""Noise as modules: Dropout, of elements and of channels."""

from minigrad.nn import functional as F
from minigrad.nn.functional.common import check_share
from minigrad.nn.module import Module
from minigrad.seeding import generator


class Dropout(Module):
    """In training, each element is set to 0 with probability p, the others divided by 1 - p; in eval mode nothing.

    Args:
        p: between 0 and 1.
        inplace: accepted, without effect.
        rng: a ``numpy.random.Generator``; default the one that ``mg.manual_seed`` seeds.

    Raises:
        ValueError: if p is not between 0 and 1.

    Example:
        >>> import numpy as np
        >>> from minigrad import nn
        >>> nn.Dropout(0.5, rng=np.random.default_rng(0))(np.ones(6))
        array([2., 0., 0., 0., 2., 2.])
        >>> nn.Dropout(0.5).eval()(np.ones(6))
        array([1., 1., 1., 1., 1., 1.])
    """

    drop = staticmethod(F.dropout)

    def __init__(self, p=0.5, inplace=False, rng=None):
        check_share(type(self).__name__, "p", p)
        self.p, self.rng = p, rng if rng is None else generator(rng)

    def forward(self, x):
        """Return x in its shape, some elements 0 while training."""
        return self.drop(x, self.p, self.training, rng=self.rng)

    def extra_repr(self):
        return f"p={self.p}"


class Dropout2d(Dropout):
    """In training, each channel of (N, C, H, W) or (N, C, L) is set to 0 as a whole; all else as :class:`Dropout`.

    Example:
        >>> import numpy as np
        >>> from minigrad import nn
        >>> nn.Dropout2d(0.5)(np.ones((5, 3, 4, 4))).shape
        (5, 3, 4, 4)
    """

    drop = staticmethod(F.dropout2d)

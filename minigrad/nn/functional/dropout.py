"""Noise: dropout of elements and of channels."""

from minigrad.nn.functional.common import check_share, floats
from minigrad.seeding import generator


def dropout(input, p=0.5, training=True, inplace=False, rng=None):
    """Return x with each element set to 0 with probability p, the others divided by 1 - p (Srivastava et al. 2014).

    The mean is kept, so that nothing need be done when not training: then x itself is returned. ``inplace`` is
    accepted and has no effect.

    Args:
        input: floating.
        p: between 0 and 1; for 1, all is 0.
        training: whether to do it at all.
        rng: a ``numpy.random.Generator``; default the one that ``mg.manual_seed`` seeds.

    Raises:
        ValueError: if p is not between 0 and 1.
        TypeError: if x is not floating, or rng is no generator.

    Example:
        >>> import numpy as np
        >>> from minigrad.nn import functional as F
        >>> F.dropout(np.ones(6), 0.5, rng=np.random.default_rng(0))
        array([2., 0., 0., 0., 2., 2.])
    """
    check_share("dropout", "p", p)
    x = floats("dropout", input)
    if not training or p == 0:
        return x
    return x * factors(x, x.shape, p, rng)


def dropout2d(input, p=0.5, training=True, inplace=False, rng=None):
    """Return x with each channel set to 0 as a whole with probability p, the others divided by 1 - p (Tompson 2015).

    Neighbours in a picture are alike, so that single elements that are dropped tell little apart.

    Args:
        input: (N, C, H, W) or (N, C, L), floating.
        p, training, inplace, rng: as for :func:`dropout`.

    Raises:
        ValueError: if p is not between 0 and 1, or x has fewer axes.
        TypeError: if x is not floating, or rng is no generator.

    Example:
        >>> import numpy as np
        >>> from minigrad.nn import functional as F
        >>> F.dropout2d(np.ones((1, 3, 2)), 0.5, rng=np.random.default_rng(0))
        array([[[2., 2.],
                [0., 0.],
                [0., 0.]]])
    """
    check_share("dropout2d", "p", p)
    x = floats("dropout2d", input)
    if x.ndim < 3:
        raise ValueError(f"dropout2d: input must have shape (N, C, H, W) or (N, C, L), not {x.shape}")
    if not training or p == 0:
        return x
    return x * factors(x, x.shape[:2] + (1,) * (x.ndim - 2), p, rng)


def factors(x, shape, p, rng):
    """Return an array of 0 with probability p, else 1 / (1 - p), in the dtype of x."""
    kept = generator(rng).random(shape) >= p
    drawn = kept * x.dtype.type(0 if p == 1 else 1 / (1 - p))
    drawn.flags.writeable = False               # the tape copies arrays that someone might still write into
    return drawn

"""Padding in PyTorch's words."""

import numpy as np

from minigrad.nn.functional.common import given, whole_number

MODES = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}
"""PyTorch's names for ways to pad, and NumPy's."""


def pad(input, pad, mode="constant", value=0.0):
    """Return x padded at the borders of its last axes.

    Args:
        input: of any shape.
        pad: (before, after) of the last axis, then of the one before it, and so on, in one tuple; none negative.
        mode: "constant", "reflect", "replicate" or "circular".
        value: what to fill in, for "constant".

    Raises:
        ValueError: for another mode, an odd number of amounts, negative ones, more pairs than axes, or more elements
            than an axis of n has to give: n - 1 for "reflect", n for "circular".
        TypeError: for amounts that are no whole numbers.

    Example:
        >>> import numpy as np
        >>> from minigrad.nn import functional as F
        >>> F.pad(np.array([[1.0, 2.0]]), (1, 2))
        array([[0., 1., 2., 0., 0.]])
    """
    x, amounts = given(input), tuple(whole_number("pad", "pad", n, None) for n in pad)
    if mode not in MODES:
        raise ValueError(f"pad: mode = {mode!r}, but it is one of {', '.join(map(repr, MODES))}")
    if len(amounts) % 2 or len(amounts) > 2 * x.ndim or min(amounts, default=0) < 0:
        raise ValueError(f"pad: {amounts} for input of shape {x.shape}; give (before, after) for the last axis, then "
                         f"for the one before it, none negative; to cut off, index: x[..., 1:-1]")
    pairs = [amounts[i:i + 2] for i in range(0, len(amounts), 2)]
    pairs = [(0, 0)] * (x.ndim - len(pairs)) + pairs[::-1]
    for n, pair in zip(x.shape, pairs):
        most = {"reflect": n - 1, "circular": n}.get(mode)
        if most is not None and max(pair) > max(0, most):
            raise ValueError(f"pad: {max(pair)} elements before or after in mode {mode!r}, but an axis of {n} (input "
                             f"has shape {x.shape}) gives at most {max(0, most)}")
    return np.pad(x, pairs, **({"constant_values": value} if mode == "constant" else {"mode": MODES[mode]}))

"""The one piece of global state: the generator that layers draw from when none is passed along.

It is seeded with 0 when minigrad is imported, so that a program gives the same numbers each time it is run.
"""

import numpy as np

_default = None         # made when it is first asked for: numpy.random takes 20 ms to import


def manual_seed(seed):
    """Seed the default generator anew.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> mg.manual_seed(3); a = nn.Linear(2, 2).weight
        >>> mg.manual_seed(3); b = nn.Linear(2, 2).weight
        >>> bool((a.data == b.data).all())
        True
    """
    global _default
    _default = np.random.default_rng(seed)


def generator(rng=None):
    """Return ``rng`` itself, or the default generator if it is None.

    Raises:
        TypeError: for anything else; an integer is a seed, not a generator.
    """
    if rng is None:
        if _default is None:
            manual_seed(0)
        return _default
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"rng must be a numpy.random.Generator, not {type(rng).__name__}; "
                        f"make one with np.random.default_rng(seed)")
    return rng

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


def get_rng_state():
    """Return the state of the default generator, a dict that :func:`minigrad.save` saves, for :func:`set_rng_state`.

    It belongs into a checkpoint where dropout or shuffling draw from the default generator; of a generator that you
    pass along yourself, ``rng.bit_generator.state`` does.

    Example:
        >>> import minigrad as mg
        >>> state = mg.get_rng_state(); a = mg.randn(2)
        >>> mg.set_rng_state(state); b = mg.randn(2)
        >>> bool((a == b).all())
        True
    """
    return generator().bit_generator.state


def set_rng_state(state):
    """Put the default generator where it was when :func:`get_rng_state` returned ``state``.

    Raises:
        ValueError: if it is no such state; nothing has changed then.
    """
    try:
        generator().bit_generator.state = state
    except (TypeError, ValueError, KeyError) as error:
        raise ValueError(f"set_rng_state takes what mg.get_rng_state() returned, not {type(state).__name__} "
                         f"{state!r}"[:200]) from error


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

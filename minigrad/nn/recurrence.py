"""What cells and recurrent layers share: how their parameters are drawn, and the checks of input and state."""

import math

from minigrad.nn import init
from minigrad.nn.functional.common import floats
from minigrad.nn.module import Module


class Recurrence(Module):
    """A module with a state of ``hidden_size`` numbers, by which all its own parameters are scaled."""

    def reset_parameters(self, rng=None):
        """Draw all parameters anew from U[-1/sqrt(H), 1/sqrt(H)], PyTorch's default for all of a recurrent net."""
        bound = 1 / math.sqrt(self.hidden_size)
        for _, p in self.named_parameters(recurse=False):
            init.uniform_(p, -bound, bound, rng)


def check_input(owner, x, size, axes):
    """Return x as a tensor or array; refuse other numbers of axes than there are in ``axes`` (number -> names)."""
    x = floats(owner, x, "x")
    if x.ndim not in axes:
        raise ValueError(f"{owner}: x of shape {x.shape} has {x.ndim} axes; give {' or '.join(axes.values())}")
    if x.shape[-1] != size:
        raise ValueError(f"{owner}: x of shape {x.shape} does not fit input_size = {size}, which its last axis must be")
    return x


def check_state(owner, what, state, shape, axes):
    """Return a state as a tensor or array; refuse another shape than the one that fits x."""
    state = floats(owner, state, what)
    if state.shape != shape:
        raise ValueError(f"{owner}: the state {what} has shape {state.shape}, but for this x it must be {shape} {axes}")
    return state

"""One step of a recurrent net as a module: RNNCell, LSTMCell, GRUCell."""

import math
import operator

import numpy as np

from minigrad.nn import functional as F
from minigrad.nn import init
from minigrad.nn.functional.common import floats
from minigrad.nn.functional.recurrent import NONLINEARITIES, gru_step, lstm_step, rnn_step
from minigrad.nn.module import Module
from minigrad.nn.parameter import Parameter


def positive_size(owner, what, value):
    """Return a size as an integer, or say that it is none."""
    try:
        size = operator.index(value)
    except TypeError:
        raise TypeError(f"{owner}: {what} = {value!r} is no whole number") from None
    if size < 1:
        raise ValueError(f"{owner}: {what} = {size}, but it must be at least 1")
    return size


def draw(shape, hidden_size, dtype, rng):
    """Return a parameter drawn from U[-1/sqrt(H), 1/sqrt(H)], PyTorch's default for all of a recurrent net."""
    bound = 1 / math.sqrt(hidden_size)
    return init.uniform_(Parameter(np.zeros(shape, dtype)), -bound, bound, rng)


def check_input(owner, x, size, axes):
    """Return x as a tensor or array; refuse other numbers of axes than there are in ``axes`` (number -> names)."""
    x = floats(owner, x)
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


class Cell(Module):
    """What the cells share: parameters and checks."""

    gates = 1

    def __init__(self, input_size, hidden_size, bias=True, dtype=float, rng=None):
        self.input_size = positive_size(type(self).__name__, "input_size", input_size)
        self.hidden_size = positive_size(type(self).__name__, "hidden_size", hidden_size)
        rows = self.gates * hidden_size
        self.weight_ih = draw((rows, input_size), hidden_size, dtype, rng)
        self.weight_hh = draw((rows, hidden_size), hidden_size, dtype, rng)
        self.bias_ih = draw(rows, hidden_size, dtype, rng) if bias else None
        self.bias_hh = draw(rows, hidden_size, dtype, rng) if bias else None

    def _projected(self, x):
        """Return the image of x, checked."""
        x = check_input(type(self).__name__, x, self.input_size, {1: "(input,)", 2: "(batch, input)"})
        return F.linear(x, self.weight_ih, self.bias_ih)

    def _state(self, what, state, projected):
        """Return the state for x, checked; zeros by default."""
        shape = (*projected.shape[:-1], self.hidden_size)
        if state is None:
            return np.zeros(shape, self.weight_hh.dtype)
        axes = "(batch, hidden)" if len(shape) == 2 else "(hidden,)"
        return check_state(type(self).__name__, what, state, shape, axes)

    def extra_repr(self):
        return f"{self.input_size}, {self.hidden_size}{'' if self.bias_ih is not None else ', bias=False'}"


class RNNCell(Cell):
    """One step of a recurrent net: h' = f(W_ih x + b_ih + W_hh h + b_hh).

    Parameters have PyTorch's names (weight_ih, weight_hh, bias_ih, bias_hh), shapes and default,
    U[-1/sqrt(hidden), 1/sqrt(hidden)].

    Args:
        input_size, hidden_size: sizes of x and h.
        bias: whether to add b_ih and b_hh.
        nonlinearity: f, "tanh" or "relu".
        dtype: a floating dtype.
        rng: a ``numpy.random.Generator``.

    Raises:
        ValueError: for an unknown nonlinearity, sizes below 1, or inputs that do not fit.

    Example:
        >>> import numpy as np
        >>> from minigrad import nn
        >>> cell, h = nn.RNNCell(3, 4), None
        >>> for x in np.ones((7, 5, 3)):
        ...     h = cell(x, h)
        >>> h.shape
        (5, 4)
    """

    def __init__(self, input_size, hidden_size, bias=True, nonlinearity="tanh", dtype=float, rng=None):
        if nonlinearity not in NONLINEARITIES:
            raise ValueError(f"RNNCell: nonlinearity = {nonlinearity!r}: 'tanh' or 'relu'")
        super().__init__(input_size, hidden_size, bias, dtype, rng)
        self.nonlinearity = nonlinearity

    def forward(self, x, h=None):
        """Return the next state (batch, hidden) for x (batch, input) and the state h, zeros by default."""
        projected = self._projected(x)
        return rnn_step(projected, self._state("h", h, projected), self.weight_hh, self.bias_hh, self.nonlinearity)

    def extra_repr(self):
        return super().extra_repr() + ("" if self.nonlinearity == "tanh" else f", nonlinearity={self.nonlinearity!r}")


class LSTMCell(Cell):
    """One step of an LSTM; :func:`minigrad.nn.functional.lstm_step` has the formula, :class:`RNNCell` the arguments.

    Parameters are those of RNNCell with 4 H rows, the gates in the order i, f, g, o.

    Example:
        >>> import numpy as np
        >>> from minigrad import nn
        >>> cell, state = nn.LSTMCell(3, 4), None
        >>> for x in np.ones((7, 5, 3)):
        ...     h, c = state = cell(x, state)
        >>> h.shape, c.shape
        ((5, 4), (5, 4))
    """

    gates = 4

    def forward(self, x, state=None):
        """Return the next state (h, c) for x (batch, input) and the state (h, c), zeros by default."""
        if state is not None and (not isinstance(state, (tuple, list)) or len(state) != 2):
            raise TypeError(f"LSTMCell: the state is a pair (h, c), not a {type(state).__name__}")
        h, c = (None, None) if state is None else state
        projected = self._projected(x)
        h, c = self._state("h", h, projected), self._state("c", c, projected)
        return lstm_step(projected, h, c, self.weight_hh, self.bias_hh)


class GRUCell(Cell):
    """One step of a GRU; :func:`minigrad.nn.functional.gru_step` has the formula, :class:`RNNCell` the arguments.

    Parameters are those of RNNCell with 3 H rows, the gates in the order r, z, n.

    Example:
        >>> import numpy as np
        >>> from minigrad import nn
        >>> nn.GRUCell(3, 4)(np.ones((5, 3))).shape
        (5, 4)
    """

    gates = 3

    def forward(self, x, h=None):
        """Return the next state (batch, hidden) for x (batch, input) and the state h, zeros by default."""
        projected = self._projected(x)
        return gru_step(projected, self._state("h", h, projected), self.weight_hh, self.bias_hh)

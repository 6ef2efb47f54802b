"""One step of a recurrent net as a module: RNNCell, LSTMCell, GRUCell."""

import numpy as np

from minigrad import ops
from minigrad.nn import functional as F
from minigrad.nn.functional.common import whole_number
from minigrad.nn.functional.recurrent import NONLINEARITIES, gru_step, lstm_step
from minigrad.nn.parameter import blank
from minigrad.nn.recurrence import Recurrence, check_input, check_state


class Cell(Recurrence):
    """What the cells share: parameters and checks."""

    gates = 1

    def __init__(self, input_size, hidden_size, bias=True, dtype=float, rng=None, device=None):
        self.input_size = whole_number(type(self).__name__, "input_size", input_size)
        self.hidden_size = whole_number(type(self).__name__, "hidden_size", hidden_size)
        rows = self.gates * self.hidden_size
        self.weight_ih = blank((rows, self.input_size), dtype, device)
        self.weight_hh = blank((rows, self.hidden_size), dtype, device)
        self.bias_ih = blank(rows, dtype, device) if bias else None
        self.bias_hh = blank(rows, dtype, device) if bias else None
        self.reset_parameters(rng)

    def _input(self, x):
        """Return x, checked."""
        return check_input(type(self).__name__, x, self.input_size, {1: "(input,)", 2: "(batch, input)"})

    def _projected(self, x):
        """Return the image of x, checked."""
        return F.linear(self._input(x), self.weight_ih, self.bias_ih)

    def _state(self, what, state, x):
        """Return the state for x (or its image), checked; zeros by default."""
        shape = (*x.shape[:-1], self.hidden_size)
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
        device: only "cpu", or None.

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

    def __init__(self, input_size, hidden_size, bias=True, nonlinearity="tanh", dtype=float, rng=None,
                 device=None):
        if nonlinearity not in NONLINEARITIES:
            raise ValueError(f"RNNCell: nonlinearity = {nonlinearity!r}: 'tanh' or 'relu'")
        super().__init__(input_size, hidden_size, bias, dtype, rng, device)
        self.nonlinearity = nonlinearity

    def forward(self, x, h=None):
        """Return the next state (batch, hidden) for x (batch, input) and the state h, zeros by default."""
        x = self._input(x)
        return ops.rnn_cell(x, self._state("h", h, x), self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh,
                            nonlinearity=self.nonlinearity)

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

"""Recurrent layers over whole sequences: RNN, LSTM, GRU, with PyTorch's parameter names, shapes and gate order."""

import numpy as np

from minigrad import ops
from minigrad.nn import functional as F
from minigrad.nn.functional.common import check_share, whole_number
from minigrad.nn.functional.recurrent import NONLINEARITIES
from minigrad.nn.parameter import blank
from minigrad.nn.recurrence import Recurrence, check_input, check_state
from minigrad.nn.step_hooks import StepHooked
from minigrad.seeding import generator


class Recurrent(StepHooked, Recurrence):
    """What the recurrent layers share: parameters, the walk through layers and time, and all checks.

    A kind of layer says how many gates it has, how many states, and how one step goes.
    """

    gates, states = 1, ("h",)

    def __init__(self, input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0,
                 bidirectional=False, proj_size=0, dtype=float, rng=None, device=None):
        name = type(self).__name__
        self.input_size = whole_number(name, "input_size", input_size)
        self.hidden_size = whole_number(name, "hidden_size", hidden_size)
        self.num_layers = whole_number(name, "num_layers", num_layers)
        for what, value in (("bias", bias), ("batch_first", batch_first)):
            if not isinstance(value, (bool, np.bool_)):
                raise TypeError(f"{name}: {what} is True or False, not {value!r}")
        check_share(name, "dropout", dropout)
        if bidirectional:
            time = 1 if batch_first else 0
            raise NotImplementedError(f"{name}(bidirectional=True) is left out; run a second {name}, back, on the "
                                      f"sequence turned round, and turn its output round again: out_back, _ = "
                                      f"back(np.flip(x, {time})); out = np.concatenate([out, np.flip(out_back, {time})]"
                                      f", axis=-1)")
        if proj_size:
            raise NotImplementedError(f"{name}(proj_size={proj_size}) is left out; put nn.Linear({hidden_size}, "
                                      f"{proj_size}) behind the layer")
        self.bias, self.batch_first, self.dropout = bool(bias), bool(batch_first), float(dropout)
        self.rng = rng if rng is None else generator(rng)               # for the dropout, too
        self._step_hooks, self._step_observers = {}, {}
        for layer in range(self.num_layers):
            for what, shape in self._shapes(layer).items():
                setattr(self, what, blank(shape, dtype, device))
        self.reset_parameters(rng)

    def flatten_parameters(self):
        """Do nothing: PyTorch's programs call it for the sake of a GPU."""

    def forward(self, x, state=None):
        """Return (output, state after the last step); see the class for shapes."""
        x = self._checked_input(x)
        turned = self.batch_first and x.ndim == 3
        x = x.swapaxes(0, 1) if turned else x
        state = self._checked_state(state, x)
        ends = []
        for layer in range(self.num_layers):
            x, *end = self._run(x, *(s[layer] for s in state), *self._weights(layer), watch=self._step_watch(layer))
            ends.append(end)
            if self.dropout and self.training and layer < self.num_layers - 1:
                x = F.dropout(x, self.dropout, rng=self.rng)
        last = [np.stack(states) for states in zip(*ends)]
        return x.swapaxes(0, 1) if turned else x, last[0] if len(last) == 1 else tuple(last)

    def _run(self, x, *state_and_weights, watch):
        """Return the states h of one layer after every step, and the last of each kind of state."""
        raise NotImplementedError

    def _shapes(self, layer):
        """Return name -> shape of the parameters of a layer."""
        rows, size = self.gates * self.hidden_size, self.hidden_size if layer else self.input_size
        shapes = {f"weight_ih_l{layer}": (rows, size), f"weight_hh_l{layer}": (rows, self.hidden_size)}
        return {**shapes, f"bias_ih_l{layer}": (rows,), f"bias_hh_l{layer}": (rows,)} if self.bias else shapes

    def _weights(self, layer):
        """Return the weights and biases of a layer, None for no bias; checked, as others may be put in their place."""
        found = []
        for what, shape in self._shapes(layer).items():
            p = getattr(self, what)
            if p.shape != shape:
                raise ValueError(f"{type(self).__name__}: {what} has shape {p.shape}, but it must be {shape}")
            found.append(p)
        return found if self.bias else [*found, None, None]

    def _checked_input(self, x):
        """Return x as a tensor or array with the right axes."""
        name = type(self).__name__
        if hasattr(x, "batch_sizes"):
            raise NotImplementedError(f"{name}: packed sequences are left out; pad the sequences to one length, and "
                                      f"leave the padding out of the loss (cross_entropy has ignore_index)")
        axes = "(batch, time, input)" if self.batch_first else "(time, batch, input)"
        x = check_input(name, x, self.input_size, {2: "(time, input)", 3: axes})
        if 0 in x.shape[:-1]:
            raise ValueError(f"{name}: x of shape {x.shape} holds no sequence; time and batch must be at least 1")
        return x

    def _checked_state(self, state, x):
        """Return the initial states, each (layers, batch, hidden), or (layers, hidden); zeros by default."""
        name = type(self).__name__
        shape = (self.num_layers, *x.shape[1:-1], self.hidden_size)
        if state is None:
            return (np.zeros(shape, self.weight_hh_l0.dtype),) * len(self.states)
        if len(self.states) == 1:
            state = (state,)
        elif not isinstance(state, (tuple, list)) or len(state) != len(self.states):
            raise TypeError(f"{name}: the initial state is a pair (h0, c0), not a {type(state).__name__}"
                            f"{f' of {len(state)}' if isinstance(state, (tuple, list)) else ''}")
        axes = "(layers, hidden)" if x.ndim == 2 else "(layers, batch, hidden)"
        return tuple(check_state(name, f"{which}0", s, shape, axes) for which, s in zip(self.states, state))

    def extra_repr(self):
        parts = [f"{self.input_size}, {self.hidden_size}"]
        parts += [f"num_layers={self.num_layers}"] if self.num_layers > 1 else []
        parts += [] if self.bias else ["bias=False"]
        parts += ["batch_first=True"] if self.batch_first else []
        parts += [f"dropout={self.dropout:g}"] if self.dropout else []
        return ", ".join(parts)


class RNN(Recurrent):
    """The plain recurrent net: h_t = f(W_ih x_t + b_ih + W_hh h_(t-1) + b_hh), in one layer or several.

    Parameters are weight_ih_l0 (H, I), weight_hh_l0 (H, H), bias_ih_l0 (H,), bias_hh_l0 (H,), and with l1, l2, ...
    for further layers, whose input is the sequence of states of the layer below; all are drawn from
    U[-1/sqrt(H), 1/sqrt(H)].  Names, shapes and distribution are PyTorch's, so ``load_state_dict`` takes its weights.

    Called as ``output, h_n = rnn(x, h0)``: x (T, N, I), or (N, T, I) with ``batch_first``, or (T, I) without a batch;
    h0 (layers, N, H) (or (layers, H)), zeros by default; output like x, with H for I: the states of the last layer at
    all times; h_n like h0: the states of all layers at the last time.

    Inside the backward pass, ``rnn.register_step_hook(fn)`` reads and replaces dL/dh_t, step by step.

    Args:
        input_size, hidden_size, num_layers: I, H and the number of layers.
        nonlinearity: f, "tanh" or "relu".
        bias: whether there are b_ih and b_hh.
        batch_first: whether the batch is the first axis of x and output (never of h0 and h_n).
        dropout: the probability with which elements between two layers are set to 0 in training.
        bidirectional: left out; True is refused.
        dtype: a floating dtype.
        rng: a ``numpy.random.Generator`` for the initial values and the dropout.
        device: only "cpu", or None.

    Raises:
        ValueError: for sizes below 1, an unknown nonlinearity, dropout outside [0, 1], or inputs that do not fit.
        NotImplementedError: for what is left out.

    Example:
        >>> import numpy as np
        >>> from minigrad import nn
        >>> output, h_n = nn.RNN(3, 4, num_layers=2)(np.ones((7, 5, 3)))
        >>> output.shape, h_n.shape
        ((7, 5, 4), (2, 5, 4))
    """

    def __init__(self, input_size, hidden_size, num_layers=1, nonlinearity="tanh", bias=True, batch_first=False,
                 dropout=0.0, bidirectional=False, dtype=float, rng=None, device=None):
        if nonlinearity not in NONLINEARITIES:
            raise ValueError(f"RNN: nonlinearity = {nonlinearity!r}: 'tanh' or 'relu'")
        self.nonlinearity = nonlinearity
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, 0, dtype, rng,
                         device)

    def _run(self, x, *state_and_weights, watch):
        y = ops.rnn(x, *state_and_weights, nonlinearity=self.nonlinearity, watch=watch)
        return y, y[-1]

    def extra_repr(self):
        return super().extra_repr() + ("" if self.nonlinearity == "tanh" else f", nonlinearity={self.nonlinearity!r}")


class LSTM(Recurrent):
    """The long short-term memory; :func:`minigrad.nn.functional.lstm_step` has the formula.

    Parameters are those of :class:`RNN` with 4 H rows, the gates in the order i, f, g, o.

    Called as ``output, (h_n, c_n) = lstm(x, (h0, c0))``; shapes and arguments as for :class:`RNN`, c0 and c_n like h0.

    Args:
        proj_size: left out; anything but 0 is refused.

    Example:
        >>> import numpy as np
        >>> from minigrad import nn
        >>> output, (h_n, c_n) = nn.LSTM(3, 4, batch_first=True)(np.ones((5, 7, 3)))
        >>> output.shape, h_n.shape, c_n.shape
        ((5, 7, 4), (1, 5, 4), (1, 5, 4))
    """

    gates, states = 4, ("h", "c")

    def _run(self, x, *state_and_weights, watch):
        h_and_last_c = ops.lstm(x, *state_and_weights, watch=watch)
        return h_and_last_c[:-1], h_and_last_c[-2], h_and_last_c[-1]


class GRU(Recurrent):
    """The gated recurrent unit; :func:`minigrad.nn.functional.gru_step` has the formula.

    Parameters are those of :class:`RNN` with 3 H rows, the gates in the order r, z, n; shapes and arguments as there.

    Example:
        >>> import numpy as np
        >>> from minigrad import nn
        >>> output, h_n = nn.GRU(3, 4)(np.ones((7, 3)))
        >>> output.shape, h_n.shape
        ((7, 4), (1, 4))
    """

    gates = 3

    def __init__(self, input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0,
                 bidirectional=False, dtype=float, rng=None, device=None):
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, 0, dtype, rng,
                         device)

    def _run(self, x, *state_and_weights, watch):
        y = ops.gru(x, *state_and_weights, watch=watch)
        return y, y[-1]

"""One step of the recurrences, as plain functions: what the cells and the recurrent layers are made of.

The image of the input, x @ weight_ih.T + bias_ih, is computed outside, for all time steps at once where there are
several; a step adds what comes from the state.
"""

import numpy as np

from minigrad import ops
from minigrad.nn.functional.linear import linear

NONLINEARITIES = {"tanh": np.tanh, "relu": ops.relu}


def rnn_step(projected, h, weight_hh, bias_hh=None, nonlinearity="tanh"):
    """Return the next state of the plain recurrence, f(projected + weight_hh h + bias_hh) (Elman 1990).

    Args:
        projected: the image of the input, (..., H).
        h: the state, (..., H).
        weight_hh, bias_hh: (H, H) and (H,).
        nonlinearity: "tanh" or "relu".

    Raises:
        ValueError: for another nonlinearity, or shapes that do not fit.

    Example:
        >>> import numpy as np
        >>> from minigrad.nn import functional as F
        >>> F.rnn_step(np.array([0.5]), np.array([1.0]), np.array([[-0.5]]))
        array([0.])
    """
    if nonlinearity not in NONLINEARITIES:
        raise ValueError(f"nonlinearity = {nonlinearity!r}: 'tanh' or 'relu'")
    return NONLINEARITIES[nonlinearity](sum_of("rnn_step", projected, linear(h, weight_hh, bias_hh)))


def lstm_step(projected, h, c, weight_hh, bias_hh=None):
    """Return the next state (h', c') of the LSTM (Hochreiter and Schmidhuber 1997, with a forget gate).

    With a = projected + weight_hh h + bias_hh, in four parts of length H, in this order:
    i, f, g, o = sigmoid(a_i), sigmoid(a_f), tanh(a_g), sigmoid(a_o);  c' = f c + i g;  h' = o tanh(c').

    Args:
        projected: the image of the input, (..., 4 H).
        h, c: the state and the cell, (..., H).
        weight_hh, bias_hh: (4 H, H) and (4 H,).

    Raises:
        ValueError: for shapes that do not fit.

    Example:
        >>> import numpy as np
        >>> from minigrad.nn import functional as F
        >>> h, c = F.lstm_step(np.zeros((5, 8)), np.zeros((5, 2)), np.ones((5, 2)), np.zeros((8, 2)))
        >>> h.shape, c[0]
        ((5, 2), array([0.5, 0.5]))
    """
    a = sum_of("lstm_step", projected, linear(h, weight_hh, bias_hh))
    size = a.shape[-1] // 4
    i_and_f, g, o = ops.sigmoid(a[..., :2 * size]), np.tanh(a[..., 2 * size:3 * size]), ops.sigmoid(a[..., 3 * size:])
    c = i_and_f[..., size:] * c + i_and_f[..., :size] * g
    return o * np.tanh(c), c


def gru_step(projected, h, weight_hh, bias_hh=None):
    """Return the next state of the GRU (Cho et al. 2014), in the variant of PyTorch and cuDNN.

    With p = projected and s = weight_hh h + bias_hh, each in three parts of length H, in this order:
    r = sigmoid(p_r + s_r);  z = sigmoid(p_z + s_z);  n = tanh(p_n + r s_n);  h' = (1 - z) n + z h.
    The reset gate r multiplies s_n with its bias; in the paper it multiplies h.

    Args:
        projected: the image of the input, (..., 3 H).
        h: the state, (..., H).
        weight_hh, bias_hh: (3 H, H) and (3 H,).

    Raises:
        ValueError: for shapes that do not fit.

    Example:
        >>> import numpy as np
        >>> from minigrad.nn import functional as F
        >>> F.gru_step(np.zeros((1, 6)), np.array([[1.0, -2.0]]), np.zeros((6, 2)))
        array([[ 0.5, -1. ]])
    """
    from_state = linear(h, weight_hh, bias_hh)
    check_batch("gru_step", projected, from_state)
    size = from_state.shape[-1] // 3
    r_and_z = ops.sigmoid(projected[..., :2 * size] + from_state[..., :2 * size])
    r, z = r_and_z[..., :size], r_and_z[..., size:]
    n = np.tanh(projected[..., 2 * size:] + r * from_state[..., 2 * size:])
    return n + z * (h - n)


def sum_of(name, projected, from_state):
    """Return the sum of the images of input and state, which must be of one shape."""
    check_batch(name, projected, from_state)
    return projected + from_state


def check_batch(name, projected, from_state):
    """Refuse images of input and state that are not of one batch: broadcasting would mix them silently."""
    if projected.shape != from_state.shape:
        raise ValueError(f"{name}: the images of the input, of shape {projected.shape}, and of the state, of shape "
                         f"{from_state.shape}, are not of one shape")

"""One step of the recurrences, as plain functions: what the cells and the recurrent layers are made of.

The image of the input, x @ weight_ih.T + bias_ih, is computed outside, for all time steps at once where there are
several; a step adds what comes from the state.
"""

from minigrad import ops
from minigrad.nn.functional.common import given

NONLINEARITIES = ("tanh", "relu")


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
    return ops.rnn_step(*checked("rnn_step", 1, projected, (h,), weight_hh, bias_hh), nonlinearity=nonlinearity)


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
    return ops.lstm_step(*checked("lstm_step", 4, projected, (h, c), weight_hh, bias_hh))


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
    return ops.gru_step(*checked("gru_step", 3, projected, (h,), weight_hh, bias_hh))


def checked(name, gates, projected, state, weight_hh, bias_hh):
    """Return the arguments of a step as tensors and arrays, refusing what does not fit: broadcasting would mix it."""
    projected, weight_hh, *state = (given(a) for a in (projected, weight_hh, *state))
    bias_hh = None if bias_hh is None else given(bias_hh)
    if weight_hh.ndim != 2 or weight_hh.shape[0] != gates * weight_hh.shape[1]:
        raise ValueError(f"{name}: weight_hh has shape {weight_hh.shape}, not ({gates if gates > 1 else ''}H, H)")
    size = weight_hh.shape[1]
    for what, s in zip(("h", "c"), state):
        if not s.ndim or s.shape[-1] != size or projected.shape != (*s.shape[:-1], gates * size):
            raise ValueError(f"{name}: the state {what} of shape {s.shape} and the image of the input, of shape "
                             f"{projected.shape}, do not fit each other or weight_hh of shape {weight_hh.shape}; with "
                             f"H = {size} they are (..., {size}) and (..., {gates * size})")
    if bias_hh is not None and bias_hh.shape != weight_hh.shape[:1]:
        raise ValueError(f"{name}: bias_hh has shape {bias_hh.shape}, but weight_hh, of shape {weight_hh.shape}, takes "
                         f"{weight_hh.shape[:1]}")
    return projected, *state, weight_hh, bias_hh

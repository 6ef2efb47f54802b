"""Recurrences: a step, and fused over a sequence."""

import numpy as np
from bptt import sigmoid

from cases.common import case, sample, torch
from minigrad import ops

T, N, D, H = 4, 2, 3, 2
X, STATE, CELL = sample(T, N, D, high=1.9), sample(N, H, high=1.7), sample(N, H, low=-1.0, high=1.3)


def weights(gates):
    return [sample(gates * H, D, low=-0.9, high=0.8), sample(gates * H, H, low=-0.7, high=0.9),
            sample(gates * H, low=-0.4, high=0.6), sample(gates * H, low=-0.5, high=0.3)]


def step_of(f):
    return lambda p, h, w, b=0.0: f(p + h @ w.T + b)


def rnn_value(x, h, wi, wh, bi=0.0, bh=0.0, nonlinearity="tanh", **_):
    out = []
    for step in x:
        a = step @ wi.T + bi + h @ wh.T + bh
        h = np.tanh(a) if nonlinearity == "tanh" else np.maximum(a, 0)
        out.append(h)
    return np.stack(out)


def cell_value(x, *args, **kwargs):
    return rnn_value(x[None], *args, **kwargs)[0]


def lstm_value(x, h, c, wi, wh, bi=0.0, bh=0.0, **_):
    out = []
    for step in x:
        i, f, g, o = np.split(step @ wi.T + bi + h @ wh.T + bh, 4, axis=-1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        out.append(h)
    return np.stack([*out, c])


def gru_value(x, h, wi, wh, bi=0.0, bh=0.0, **_):
    out = []
    for step in x:
        (pr, pz, pn), (sr, sz, sn) = np.split(step @ wi.T + bi, 3, axis=-1), np.split(h @ wh.T + bh, 3, axis=-1)
        z = sigmoid(pz + sz)
        h = (1 - z) * np.tanh(pn + sigmoid(pr + sr) * sn) + z * h
        out.append(h)
    return np.stack(out)


def torch_twin(kind):
    """Return the same recurrence of PyTorch, as a loop over its cells' functions."""
    def run(x, h, *rest, nonlinearity="tanh"):
        c, rest = (rest[0], rest[1:]) if kind == "lstm" else (None, rest)
        wi, wh, bi, bh = (*rest, None, None)[:4]
        bi, bh = (w.new_zeros(len(w)) if b is None else b for w, b in ((wi, bi), (wh, bh)))
        cell = getattr(torch, kind + "_cell" if kind != "rnn" else f"rnn_{nonlinearity}_cell")
        batch, out = x.ndim == 3, []
        x, h, c = (s if s is None or batch else s[..., None, :] for s in (x, h, c))
        for step in x:
            h = cell(step, h if c is None else (h, c), wi, wh, bi, bh)
            h, c = h if kind == "lstm" else (h, None)
            out.append(h)
        y = torch.stack(out if c is None else [*out, c])
        return y if batch else y[:, 0]
    return run


W1, W3, W4 = weights(1), weights(3), weights(4)
CASES = [
    case("rnn_step", ops.rnn_step, sample(N, H), STATE, *W1[1::2], value=step_of(np.tanh),
         twin=lambda p, h, w, b: torch.tanh(p + h @ w.T + b)),
    case("rnn_step relu", ops.rnn_step, sample(N, H), STATE, W1[1],
         value=lambda *args, **_: step_of(lambda a: a * (a > 0))(*args),
         twin=lambda p, h, w, nonlinearity: torch.relu(p + h @ w.T), nonlinearity="relu"),
    case("rnn_step of a vector", ops.rnn_step, sample(H), STATE[0], *W1[1::2], value=step_of(np.tanh),
         twin=lambda p, h, w, b: torch.tanh(p + h @ w.T + b)),
    case("rnn_cell", ops.rnn_cell, X[0], STATE, *W1, value=cell_value, twin=lambda *args: torch.rnn_tanh_cell(*args)),
    case("rnn_cell relu without biases", ops.rnn_cell, X[0], STATE, *W1[:2], value=cell_value,
         twin=lambda x, h, wi, wh, nonlinearity: torch.rnn_relu_cell(x, h, wi, wh, wi.new_zeros(H), wi.new_zeros(H)),
         nonlinearity="relu"),
    case("rnn_cell of a vector", ops.rnn_cell, X[0, 0], STATE[0], *W1, value=cell_value,
         twin=lambda x, h, *w: torch.rnn_tanh_cell(x[None], h[None], *w)[0]),
    case("rnn", ops.rnn, X, STATE, *W1, value=rnn_value, twin=torch_twin("rnn")),
    case("rnn relu without biases", ops.rnn, X, STATE, *W1[:2], value=rnn_value, twin=torch_twin("rnn"),
         nonlinearity="relu"),
    case("rnn without a batch", ops.rnn, X[:, 0], STATE[0], *W1, value=rnn_value, twin=torch_twin("rnn")),
    case("lstm", ops.lstm, X, STATE, CELL, *W4, value=lstm_value, twin=torch_twin("lstm")),
    case("lstm without biases", ops.lstm, X, STATE, CELL, *W4[:2], value=lstm_value, twin=torch_twin("lstm")),
    case("lstm without a batch", ops.lstm, X[:, 0], STATE[0], CELL[0], *W4, value=lstm_value, twin=torch_twin("lstm")),
    case("gru", ops.gru, X, STATE, *W3, value=gru_value, twin=torch_twin("gru")),
    case("gru without biases", ops.gru, X, STATE, *W3[:2], value=gru_value, twin=torch_twin("gru")),
    case("gru of one step without a batch", ops.gru, X[:1, 0], STATE[0], *W3, value=gru_value, twin=torch_twin("gru")),
]

EMPTY = []

POINTS = [
    ("gates that are shut", lambda h: ops.lstm(np.zeros((1, 1, 1)), h, np.ones((1, 1)), np.zeros((4, 1)),
                                              np.zeros((4, 1)), np.array([-1e3, -1e3, 1e3, -1e3])), [[[0.5]]],
     [[[0]], [[0]]], [[[0]]]),
]

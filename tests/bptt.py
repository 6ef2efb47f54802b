"""Backpropagation through time written out in NumPy: RNN, LSTM and GRU, in one layer or several."""

import numpy as np


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def rnn_forward(f):
    def forward(p, h, c, wh, bh):
        out = f(p + h @ wh.T + bh)
        return out, c, (1 - out ** 2 if f is np.tanh else (out > 0) * 1.0)
    return forward


def rnn_back(dh, dc, h, c, wh, slope):
    """Return dp, ds (the images of input and state), and what goes to h and c of the step before."""
    da = dh * slope
    return da, da, da @ wh, None


def lstm_forward(p, h, c, wh, bh):
    i, f, g, o = np.split(p + h @ wh.T + bh, 4, axis=-1)
    i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
    c = f * c + i * g
    return o * np.tanh(c), c, (i, f, g, o, np.tanh(c))


def lstm_back(dh, dc, h, c, wh, kept):
    i, f, g, o, squashed = kept
    parts = [dc * g * i * (1 - i), dc * c * f * (1 - f), dc * i * (1 - g ** 2), dh * squashed * o * (1 - o)]
    da = np.concatenate(parts, axis=-1)
    return da, da, da @ wh, dc * f


def gru_forward(p, h, c, wh, bh):
    (pr, pz, pn), (sr, sz, sn) = np.split(p, 3, axis=-1), np.split(h @ wh.T + bh, 3, axis=-1)
    r, z = sigmoid(pr + sr), sigmoid(pz + sz)
    n = np.tanh(pn + r * sn)
    return (1 - z) * n + z * h, c, (r, z, n, sn)


def gru_back(dh, dc, h, c, wh, kept):
    r, z, n, sn = kept
    dn = dh * (1 - z) * (1 - n ** 2)
    dz, dr = dh * (h - n) * z * (1 - z), dn * sn * r * (1 - r)
    ds = np.concatenate([dr, dz, dn * r], axis=-1)
    return np.concatenate([dr, dz, dn], axis=-1), ds, dh * z + ds @ wh, None


BY_HAND = {"tanh": (rnn_forward(np.tanh), rnn_back), "relu": (rnn_forward(lambda a: np.maximum(a, 0)), rnn_back),
           "LSTM": (lstm_forward, lstm_back), "GRU": (gru_forward, gru_back)}


def bptt(name, net, x, seeds, start=None, masks=None, alter=lambda state, layer, t, g: g):
    """Return {(state, layer, t): dL/dstate} and {parameter: gradient} of L = <output, A> + <h_n, B> + <c_n, C>.

    ``alter`` plays the part of the hooks; ``masks`` multiply what goes from one layer to the next.
    """
    (forward, back), w = BY_HAND[name], {key: p.data for key, p in net.named_parameters()}
    a, b, *rest = seeds
    layers, states = net.num_layers, 2 if name == "LSTM" else 1
    zeros = np.zeros((x.shape[1], net.hidden_size))
    tape, below = [], x
    for k in range(layers):
        h, c = (zeros if start is None or s >= states else start[s][k] for s in range(2))
        steps, above = [], []
        for t in range(len(x)):
            before = h, c
            h, c, kept = forward(below[t] @ w[f"weight_ih_l{k}"].T + w[f"bias_ih_l{k}"], h, c, w[f"weight_hh_l{k}"],
                                 w[f"bias_hh_l{k}"])
            steps.append((below[t], *before, kept))
            above.append(h if masks is None or k == layers - 1 else h * masks[k][t])
        tape.append(steps)
        below = above
    deltas, grads, arriving = {}, {key: np.zeros_like(p) for key, p in w.items()}, a
    for k in reversed(range(layers)):
        dh, dc, passed = b[k], rest[0][k] if rest else None, [None] * len(x)
        for t in reversed(range(len(x))):
            below_t, h, c, kept = tape[k][t]
            dh = deltas["h", k, t] = alter("h", k, t, dh + arriving[t])
            if name == "LSTM":
                o, squashed = kept[3:]
                dc = deltas["c", k, t] = alter("c", k, t, dc + dh * o * (1 - squashed ** 2))
            dp, ds, dh, dc = back(dh, dc, h, c, w[f"weight_hh_l{k}"], kept)
            passed[t] = dp @ w[f"weight_ih_l{k}"]
            for key, g in (("weight_ih", dp.T @ below_t), ("weight_hh", ds.T @ h), ("bias_ih", dp.sum(0)),
                           ("bias_hh", ds.sum(0))):
                grads[f"{key}_l{k}"] += g
        arriving = passed if masks is None or not k else [g * m for g, m in zip(passed, masks[k - 1])]
    return deltas, grads

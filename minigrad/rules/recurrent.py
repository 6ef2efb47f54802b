"""Rules of the recurrences: backpropagation through time (Werbos 1990), one sweep for all arguments."""

import numpy as np

from minigrad import ops
from minigrad.ops.recurrent import (
    GRU_INPUT_ORDER,
    GRU_ORDER,
    LSTM_ORDER,
    arranged,
    as_batch,
    blocks,
    by_gate,
    gru_keeping,
    lstm_keeping,
    unrolled_gru,
    unrolled_lstm,
    unrolled_rnn,
)
from minigrad.rules.linalg import rows
from minigrad.table import defvjp


def rnn_step_vjp(g, y, projected, h, weight_hh, bias_hh=None, nonlinearity="tanh"):
    """Return the cotangents of f(projected + weight_hh h + bias_hh): that of the sum, for all of its parts."""
    d = g * slope(y, nonlinearity)
    return d, d @ weight_hh, rows(d).T @ rows(h), d


def rnn_cell_vjp(g, y, x, h, weight_ih, weight_hh, bias_ih=None, bias_hh=None, nonlinearity="tanh", *, wanted):
    """Return the cotangents of the arguments of :func:`minigrad.ops.rnn_cell`: those that are wanted."""
    d = g * slope(y, nonlinearity)
    across = rows(d)
    to_bias = across.sum(axis=0) if any(wanted[4:]) else None
    return (d @ weight_ih if wanted[0] else None, d @ weight_hh if wanted[1] else None,
            across.T @ rows(x) if wanted[2] else None, across.T @ rows(h) if wanted[3] else None, to_bias, to_bias)


def slope(y, nonlinearity):
    """Return f' where f is y."""
    return 1 - y * y if nonlinearity == "tanh" else y != 0


defvjp(ops.rnn_step, joint=rnn_step_vjp)
defvjp(ops.rnn_cell, joint=rnn_cell_vjp)


# Below, all arrays have an axis for the batch; dh is dL/dh_t, the sum of what comes from the result, g[t], and from the
# step after; d is the cotangent of what goes into the functions of the gates, in rows as the weights have them.  The
# slopes are computed for a block of steps at once.


def rnn_vjp(g, y, x, h0, weight_ih, weight_hh, bias_ih=None, bias_hh=None, nonlinearity="tanh", watch=None, *, wanted):
    """Return the cotangents of the arguments of :func:`minigrad.ops.rnn`."""
    g, states, weight_hh = as_batch(g), as_batch(y), weight_hh.astype(y.dtype, copy=False)
    dh, totals = np.zeros_like(states[0]), Totals(x, states, h0, weight_ih, 1, wanted)
    for start, stop, d in totals.blocks():
        set_slope(d, states[start:stop], nonlinearity)
        for t in reversed(range(start, stop)):
            dh += g[t]
            if watch is not None:
                see(watch, "h", t, dh, y[t])
            now = d[t - start]
            now *= dh
            np.dot(now, weight_hh, out=dh)
        totals.add(start, stop, d, d)
    return totals.dx(y), dh.reshape(h0.shape), *totals.of_gates((0,), (0,))


def set_slope(d, y, nonlinearity):
    """Write f' where f is y into d."""
    if nonlinearity == "tanh":
        np.multiply(y, y, out=d)
        np.subtract(1, d, out=d)
    else:
        np.not_equal(y, 0, out=d, casting="unsafe")


def lstm_vjp(g, y, x, h0, c0, weight_ih, weight_hh, bias_ih=None, bias_hh=None, watch=None, *, kept, wanted):
    """Return the cotangents of the arguments of :func:`minigrad.ops.lstm`.

    With g, i, f, o the gates: c_t = f c_(t-1) + i g and h_t = o tanh(c_t).
    """
    gates, cells, squashed = kept
    g, states, first = as_batch(g), as_batch(y)[:-1], np.atleast_2d(c0)
    dh, dc = np.zeros_like(cells[0]), np.array(g[-1], order="C")
    through_c, back = np.empty_like(dh), arranged(weight_hh, LSTM_ORDER).astype(y.dtype, copy=False)
    totals = Totals(x, states, h0, arranged(weight_ih, LSTM_ORDER), 4, wanted)
    slopes = np.empty_like(gates[:totals.length])
    for start, stop, d in totals.blocks():
        a, c, tanh_c, s = gates[start:stop], cells[start:stop], squashed[start:stop], slopes[:stop - start]
        candidate, i, f, o = a.swapaxes(0, 1)
        s_g, s_i, s_f, s_o = s.swapaxes(0, 1)
        np.subtract(1, a[:, 1:], out=s[:, 1:])              # the slopes, s (1 - s) of the sigmoids, 1 - g^2 of the tanh
        s[:, 1:] *= a[:, 1:]
        set_slope(s_g, candidate, "tanh")
        s_g *= i                                            # times what the gate is multiplied by
        s_i *= candidate
        s_f[0] *= cells[start - 1] if start else first
        s_f[1:] *= c[:-1]
        s_o *= tanh_c
        slope_c = tanh_c * tanh_c
        np.subtract(1, slope_c, out=slope_c)
        slope_c *= o
        for t in reversed(range(start, stop)):
            k = t - start
            now = by_gate(d[k], 4)
            dh += g[t]
            if watch is not None:
                see(watch, "h", t, dh, y[t])
            np.multiply(dh, slope_c[k], out=through_c)
            dc += through_c
            if watch is not None:
                see(watch, "c", t, dc, c[k].reshape(h0.shape))
            np.multiply(s[k, :3], dc, out=now[:3])
            np.multiply(s_o[k], dh, out=now[3])
            np.dot(d[k], back, out=dh)
            dc *= f[k]
        totals.add(start, stop, d, d)
    return (totals.dx(y), dh.reshape(h0.shape), dc.reshape(h0.shape), *totals.of_gates(LSTM_ORDER, LSTM_ORDER))


def gru_vjp(g, y, x, h0, weight_ih, weight_hh, bias_ih=None, bias_hh=None, watch=None, *, kept, wanted):
    """Return the cotangents of the arguments of :func:`minigrad.ops.gru`.

    With n, r, z the gates: h_t = n + z (h_(t-1) - n), and n = tanh(p + r s), p from the input, s from the state.
    In the rows of d, that of s comes last: d of n, r, z goes to the input, d of r, z, s to the state.
    """
    g, states, first = as_batch(g), as_batch(y), np.atleast_2d(h0)
    dh, direct, size = np.zeros_like(states[0]), np.empty_like(states[0]), h0.shape[-1]
    back = weight_hh.astype(y.dtype, copy=False)
    totals = Totals(x, states, h0, arranged(weight_ih, GRU_INPUT_ORDER), 4, wanted)
    slopes = np.empty_like(kept[:totals.length, :3])
    for start, stop, d in totals.blocks():
        n, r, z, s = kept[start:stop].swapaxes(0, 1)
        s_n, s_r, s_z = slopes[:stop - start].swapaxes(0, 1)
        set_slope(s_n, n, "tanh")
        np.subtract(1, z, out=s_z)
        s_n *= s_z                                          # (1 - n^2) (1 - z)
        s_z *= z
        s_z[0] *= (states[start - 1] if start else first) - n[0]
        s_z[1:] *= states[start:stop - 1] - n[1:]           # z (1 - z) (h - n)
        np.subtract(1, r, out=s_r)
        s_r *= r
        s_r *= s                                            # r (1 - r) s, to be multiplied by d of n; as r is
        for t in reversed(range(start, stop)):
            k = t - start
            d_n, d_r, d_z, d_s = by_gate(d[k], 4)
            dh += g[t]
            if watch is not None:
                see(watch, "h", t, dh, y[t])
            np.multiply(s_n[k], dh, out=d_n)
            np.multiply(s_z[k], dh, out=d_z)
            np.multiply(s_r[k], d_n, out=d_r)
            np.multiply(r[k], d_n, out=d_s)
            np.multiply(z[k], dh, out=direct)
            np.dot(d[k, :, size:], back, out=dh)
            dh += direct
        totals.add(start, stop, d[..., :3 * size], d[..., size:])
    return totals.dx(y), dh.reshape(h0.shape), *totals.of_gates(GRU_INPUT_ORDER, GRU_ORDER)


def see(watch, state, t, cotangent, value):
    """Show a watch the cotangent of a state, in the state's shape, and put what it answers in its place."""
    cotangent[...] = watch.arrived(state, t, cotangent.reshape(value.shape), value)


class Totals:
    """What is summed over the steps: the gradients of weights and biases; beside them the cotangent of x, if wanted.

    It goes by blocks of steps: a product for many steps is faster than one for each, and a product for all at once
    would need d for all, as much memory again as the states.
    """

    def __init__(self, x, states, h0, weight_ih, gates, wanted):
        self.x, self.states, self.first, self.weight_ih = as_batch(x), states, np.atleast_2d(h0), weight_ih
        self.wanted = np.empty(self.x.shape, states.dtype) if wanted[0] else None
        width = gates * states.shape[-1]
        self.spans = blocks(len(states), len(self.first) * width * states.itemsize)
        self.length = self.spans[0][1]
        self.d = np.empty((self.length, len(self.first), width), states.dtype)
        self.sums = None

    def blocks(self):
        """Go through the blocks of steps from the last to the first: (start, stop, d to be filled)."""
        for start, stop in reversed(self.spans):
            yield start, stop, self.d[:stop - start]

    def add(self, start, stop, to_input, to_state):
        """Add a block, given the cotangents of the images of input and state."""
        inputs, to_input = as_rows(self.x[start:stop]), as_rows(to_input)
        from_first = to_state[0].T @ (self.states[start - 1] if start else self.first)
        from_others = as_rows(to_state[1:]).T @ as_rows(self.states[start:stop - 1])
        parts = to_input.T @ inputs, from_first + from_others, to_input.sum(axis=0), to_state.sum(axis=(0, 1))
        self.sums = parts if self.sums is None else [total + part for total, part in zip(self.sums, parts)]
        if self.wanted is not None:
            self.wanted[start:stop] = (to_input @ self.weight_ih).reshape(self.wanted[start:stop].shape)

    def dx(self, y):
        """Return the cotangent of x, without the axis for the batch if y has none; None if it is not wanted."""
        return self.wanted if self.wanted is None or y.ndim == 3 else self.wanted[:, 0]

    def of_gates(self, input_order, state_order):
        """Return the gradients of weights and biases, their gates put back in order."""
        return [total if len(order) == 1 else arranged(total, np.argsort(order)) for total, order in
                zip(self.sums, (input_order, state_order, input_order, state_order))]


def as_rows(d):
    """Return d (steps, N, width) as (steps * N, width)."""
    return d.reshape(-1, d.shape[-1])


defvjp(ops.rnn, joint=rnn_vjp, composite=unrolled_rnn)
defvjp(ops.lstm, joint=lstm_vjp, composite=unrolled_lstm, keeping=lstm_keeping)
defvjp(ops.gru, joint=gru_vjp, composite=unrolled_gru, keeping=gru_keeping)

"""Recurrences: one step of each as ordinary operations, unrolled over a sequence, and fused into one operation.

The fused ones are the fast ones.  Their *composite* is the unrolled one, from which higher orders are taken; both give
the same numbers, and serve the same ``watch``, by which the cotangents of the states are seen and replaced on their
way back (:class:`minigrad.nn.step_hooks.StepWatch`).

In all of them x is (T, N, I), or (T, I) without a batch; h0 and c0 are (N, H), or (H,); weight_ih is (G H, I),
weight_hh (G H, H), the biases (G H,) or None, with G gates in PyTorch's order.
"""

import numpy as np

from minigrad.ops.activations import sigmoid
from minigrad.ops.linalg import linear
from minigrad.ops.shape import stack
from minigrad.table import primitive

BLOCK = 2 ** 19
"""Bytes of gates that are worked on at a time: what was computed for the first pass is in the cache for the next."""

IN_PLACE = {"tanh": np.tanh, "relu": lambda a, out: np.maximum(a, 0, out=out)}
LSTM_ORDER = 2, 0, 1, 3                                 # g, i, f, o: sigmoids side by side, and what c_t depends on
GRU_INPUT_ORDER, GRU_ORDER = (2, 0, 1), (0, 1, 2)       # n, r, z and r, z, n: what is the same for both side by side


# --------------------------------------------------------------------------------------- one step

@primitive
def rnn_step(projected, h, weight_hh, bias_hh=None, nonlinearity="tanh"):
    """Return f(projected + weight_hh h + bias_hh)."""
    a = projected + linear(h, weight_hh, bias_hh)
    return IN_PLACE[nonlinearity](a, out=a)


@primitive
def rnn_cell(x, h, weight_ih, weight_hh, bias_ih=None, bias_hh=None, nonlinearity="tanh"):
    """Return f(weight_ih x + bias_ih + weight_hh h + bias_hh): a whole step on the tape as one node."""
    a = linear(x, weight_ih, bias_ih) + linear(h, weight_hh, bias_hh)
    return IN_PLACE[nonlinearity](a, out=a)


def lstm_step(projected, h, c, weight_hh, bias_hh=None):
    """Return the next state (h, c) of the LSTM, for the image (..., 4 H) of the input."""
    a = projected + linear(h, weight_hh, bias_hh)
    size = a.shape[-1] // 4
    i_and_f, g, o = sigmoid(a[..., :2 * size]), np.tanh(a[..., 2 * size:3 * size]), sigmoid(a[..., 3 * size:])
    c = i_and_f[..., size:] * c + i_and_f[..., :size] * g
    return o * np.tanh(c), c


def gru_step(projected, h, weight_hh, bias_hh=None):
    """Return the next state of the GRU, for the image (..., 3 H) of the input."""
    from_state = linear(h, weight_hh, bias_hh)
    size = from_state.shape[-1] // 3
    r_and_z = sigmoid(projected[..., :2 * size] + from_state[..., :2 * size])
    r, z = r_and_z[..., :size], r_and_z[..., size:]
    n = np.tanh(projected[..., 2 * size:] + r * from_state[..., 2 * size:])
    return n + z * (h - n)


# --------------------------------------------------------------------------------------- unrolled

def unrolled(step, x, state, weight_ih, weight_hh, bias_ih, bias_hh, watch):
    """Return the list of all h, and the last state: a step after the other, each on the tape by itself."""
    outputs = []
    for t, projected in enumerate(linear(x, weight_ih, bias_ih)):
        state = step(projected, *state, weight_hh, bias_hh)
        state = state if isinstance(state, tuple) else (state,)
        if watch is not None:
            watch.attach(t, state)
        outputs.append(state[0])
    return outputs, state


def unrolled_rnn(x, h0, weight_ih, weight_hh, bias_ih=None, bias_hh=None, nonlinearity="tanh", watch=None):
    """Return what :func:`rnn` returns."""
    def step(*args):
        return rnn_step(*args, nonlinearity=nonlinearity)
    return stack(*unrolled(step, x, (h0,), weight_ih, weight_hh, bias_ih, bias_hh, watch)[0])


def unrolled_lstm(x, h0, c0, weight_ih, weight_hh, bias_ih=None, bias_hh=None, watch=None):
    """Return what :func:`lstm` returns."""
    outputs, (_, c) = unrolled(lstm_step, x, (h0, c0), weight_ih, weight_hh, bias_ih, bias_hh, watch)
    return stack(*outputs, c)


def unrolled_gru(x, h0, weight_ih, weight_hh, bias_ih=None, bias_hh=None, watch=None):
    """Return what :func:`gru` returns."""
    return stack(*unrolled(gru_step, x, (h0,), weight_ih, weight_hh, bias_ih, bias_hh, watch)[0])


# ------------------------------------------------------------------------------------------ fused

@primitive
def rnn(x, h0, weight_ih, weight_hh, bias_ih=None, bias_hh=None, nonlinearity="tanh", watch=None):
    """Return the states of the plain recurrence after every step, (T, N, H)."""
    h, x, weight_ih, weight_hh, bias_ih, bias_hh = of_one_dtype(h0, x, weight_ih, weight_hh, bias_ih, bias_hh)
    y = linear(x, weight_ih, sum_of(bias_ih, bias_hh))          # all steps at once: a single product
    image, recurrent, f = np.empty(h.shape, h.dtype), weight_hh.T, IN_PLACE[nonlinearity]
    for a in y:
        np.dot(h, recurrent, out=image)
        a += image
        h = f(a, out=a)
    return y


# LSTM and GRU multiply states (N, H) by weights to rows (N, G H) of all gates, and keep the gates as (G, N, H), each a
# piece of memory of its own: functions of a gate are then as fast as they can be.  The sum that has to be formed anyway
# reads one and writes the other.

@primitive
def lstm(x, h0, c0, weight_ih, weight_hh, bias_ih=None, bias_hh=None, watch=None):
    """Return h after every step and, as number T, the last c: (T + 1, N, H)."""
    return run_lstm(x, h0, c0, weight_ih, weight_hh, bias_ih, bias_hh, keep=False)[0]


def lstm_keeping(x, h0, c0, weight_ih, weight_hh, bias_ih=None, bias_hh=None, watch=None):
    """Return the same, and all gates g, i, f, o, all c and all tanh(c)."""
    return run_lstm(x, h0, c0, weight_ih, weight_hh, bias_ih, bias_hh, keep=True)


def run_lstm(x, h0, c0, weight_ih, weight_hh, bias_ih, bias_hh, keep):
    """Go through the sequence; keep what the way back needs, or one step of it."""
    h, c, x, weight_ih, weight_hh, bias = of_one_dtype(h0, c0, x, weight_ih, weight_hh, sum_of(bias_ih, bias_hh))
    h, c, x = np.atleast_2d(h), np.atleast_2d(c), as_batch(x)
    weight_ih, weight_hh = arranged(weight_ih, LSTM_ORDER), arranged(weight_hh, LSTM_ORDER).T
    bias = arranged(bias, LSTM_ORDER)
    steps, kept = len(x), len(x) if keep else 1
    y = np.empty((steps + 1, *h.shape), h.dtype)
    gates, cells, squashed = (np.empty((kept, *shape), h.dtype) for shape in ((4, *h.shape), h.shape, h.shape))
    from_state, product = np.empty((len(h), 4 * h.shape[1]), h.dtype), np.empty(h.shape, h.dtype)
    for t, from_input in enumerate(images(x, weight_ih, bias)):
        place = t if keep else 0
        np.dot(h, weight_hh, out=from_state)
        a = np.add(by_gate(from_input, 4), by_gate(from_state, 4), out=gates[place])
        g, i, f, o = a
        np.tanh(g, out=g)
        to_sigmoid(a[1:])
        np.multiply(i, g, out=product)
        c = np.multiply(f, c, out=cells[place])
        c += product
        h = np.multiply(o, np.tanh(c, out=squashed[place]), out=y[t])
    y[steps] = c
    return y.reshape(steps + 1, *h0.shape), (gates, cells, squashed)


@primitive
def gru(x, h0, weight_ih, weight_hh, bias_ih=None, bias_hh=None, watch=None):
    """Return h after every step, (T, N, H)."""
    return run_gru(x, h0, weight_ih, weight_hh, bias_ih, bias_hh, keep=False)[0]


def gru_keeping(x, h0, weight_ih, weight_hh, bias_ih=None, bias_hh=None, watch=None):
    """Return the same, and all n, r, z, and the image s of the state that r multiplies."""
    return run_gru(x, h0, weight_ih, weight_hh, bias_ih, bias_hh, keep=True)


def run_gru(x, h0, weight_ih, weight_hh, bias_ih, bias_hh, keep):
    """Go through the sequence; keep what the way back needs, or one step of it."""
    h, x, weight_ih, weight_hh, bias_ih, bias_hh = of_one_dtype(h0, x, weight_ih, weight_hh, bias_ih, bias_hh)
    h, x, weight_hh = np.atleast_2d(h), as_batch(x), weight_hh.T
    weight_ih, bias_ih = arranged(weight_ih, GRU_INPUT_ORDER), arranged(bias_ih, GRU_INPUT_ORDER)
    steps = len(x)
    y = np.empty((steps, *h.shape), h.dtype)
    gates = np.empty((steps if keep else 1, 4, *h.shape), h.dtype)
    from_state, change = np.empty((len(h), 3 * h.shape[1]), h.dtype), np.empty(h.shape, h.dtype)
    for t, from_input in enumerate(images(x, weight_ih, bias_ih)):
        a = gates[t if keep else 0]
        n, r, z, s = a
        np.dot(h, weight_hh, out=from_state)
        if bias_hh is not None:
            from_state += bias_hh
        from_input, own = by_gate(from_input, 3), by_gate(from_state, 3)
        np.add(from_input[1:], own[:2], out=a[1:3])
        to_sigmoid(a[1:3])
        s[...] = own[2]
        np.multiply(r, s, out=n)
        n += from_input[0]
        np.tanh(n, out=n)
        np.subtract(h, n, out=change)
        change *= z
        h = np.add(n, change, out=y[t])
    return y.reshape(steps, *h0.shape), gates


# --------------------------------------------------------------------------------- what they share

def of_one_dtype(*arrays):
    """Return arrays in the dtype in which NumPy would compute with all of them; None remains None."""
    dtype = np.result_type(*(a for a in arrays if a is not None))
    return [a if a is None else a.astype(dtype, copy=False) for a in arrays]


def sum_of(a, b):
    """Return the sum of two biases, either of which may be None."""
    return b if a is None else a if b is None else a + b


def as_batch(x):
    """Return a sequence as (T, N, ...), N = 1 for one without a batch."""
    return x if x.ndim == 3 else x[:, None]


def by_gate(rows, gates):
    """Return a view (G, N, H) of rows (N, G H)."""
    return rows.reshape(len(rows), gates, -1).swapaxes(0, 1)


def arranged(rows, order):
    """Return the rows of all gates, of a weight or a bias, with the gates in another order; None remains None."""
    return rows if rows is None else rows.reshape(len(order), -1, *rows.shape[1:])[list(order)].reshape(rows.shape)


def blocks(steps, nbytes):
    """Return (start, stop) of the blocks of steps, of so many bytes each, that are worked on at a time."""
    length = max(1, BLOCK // nbytes)
    return [(start, min(start + length, steps)) for start in range(0, steps, length)]


def images(x, weight_ih, bias):
    """Go through the images of the input, (N, G H) for each step, computed for a block of steps at once."""
    for start, stop in blocks(len(x), len(x[0]) * len(weight_ih) * x.itemsize):
        yield from linear(x[start:stop], weight_ih, bias)


def to_sigmoid(a):
    """Replace a by 1 / (1 + exp(-a)), in place."""
    if a.dtype == np.float16:                       # exp(-a) overflows from a < -11.1, where 1e-5 is still a number
        a[...] = sigmoid(a)
        return
    np.negative(a, out=a)
    with np.errstate(over="ignore"):                # 1 / inf is the 0 that it should be
        np.exp(a, out=a)
    a += 1
    np.reciprocal(a, out=a)

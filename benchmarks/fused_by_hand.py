"""Whole recurrences by hand: RNN, LSTM and GRU, forward and backward, as fast as NumPy could be made to run them.

What all have in common: products of all steps at once where there is no recurrence (images of the input, gradients of
the weights), all buffers allocated once and used again, the two bias gradients computed once, slopes while the step is
in the cache, every gate a contiguous block.  Two thirds of the time are spent in BLAS.

Tried and found slower, T = 200, H = 64, batch 32: gates as column slices (LSTM + 27 %, GRU + 13 %); states as (H, N)
for the RNN (+ 8 %) and the LSTM (+ 5 %); a product per gate (+ 15 %); slopes over whole sequences (0 to + 2 %).
"""

from itertools import pairwise

import numpy as np

NAMES = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")


def rnn(p):
    """The plain recurrence h' = tanh(W x + b + U h + c)."""
    w, u, b, c = (p.values[name] for name in NAMES)
    steps, batch, hidden = p.xs.shape
    flat = p.xs.reshape(-1, hidden)
    states, gs = (np.empty((steps, batch, hidden), p.dtype) for _ in range(2))
    r, slope = (np.empty((batch, hidden), p.dtype) for _ in range(2))
    dw, du, db = (np.empty_like(a) for a in (w, u, b))

    def run():
        np.dot(flat, w.T, states.reshape(-1, hidden))
        np.add(states, b + c, states)
        np.tanh(states[0], states[0])
        for h, a in pairwise(states):
            np.dot(h, u.T, r)
            np.add(a, r, a)
            np.tanh(a, a)
        r.fill(0)
        for h, y, g in zip(states[::-1], p.cotangent[::-1], gs[::-1]):
            np.add(y, r, g)
            np.multiply(h, h, slope)
            np.subtract(1, slope, slope)
            np.multiply(g, slope, g)
            np.dot(g, u, r)
        rows = gs.reshape(-1, hidden)
        np.dot(rows.T, flat, dw)
        np.dot(rows[batch:].T, states[:-1].reshape(-1, hidden), du)
        np.add.reduce(rows, axis=0, out=db)
        return [dw, du, db, db]

    return run


def lstm(p):
    """The long short-term memory, with input, 1 and state in one buffer, and so one product per step.

    Products read and write rows (N, 4 H), the gates are blocks (4, N, H): what comes behind a product reads the rows
    through a transposed view, so nothing is copied for it.
    The sigmoids are tanh(a / 2) / 2 + 1 / 2, with the first half taken into the weights: one tanh serves all four
    gates, which are put in the order i, f, o, g.
    """
    steps, batch, hidden = p.xs.shape
    order = np.r_[0:2 * hidden, 3 * hidden:4 * hidden, 2 * hidden:3 * hidden]
    back = np.argsort(order)
    halves = np.repeat(np.array([0.5, 0.5, 0.5, 1], p.dtype), hidden)
    width = 2 * hidden + 1
    inputs = np.ones((steps + 1, batch, width), p.dtype)
    states = inputs[:, :, hidden + 1:]
    cells, tanhs = (np.zeros((steps + 1, batch, hidden), p.dtype) for _ in range(2))
    gates = np.empty((steps, 4, batch, hidden), p.dtype)
    a, d = np.empty((batch, 4 * hidden), p.dtype), np.empty((4, batch, hidden), p.dtype)
    a_blocks = a.reshape(batch, 4, hidden).transpose(1, 0, 2)
    ds = np.empty((steps, batch, 4 * hidden), p.dtype)
    ds_blocks = ds.reshape(steps, batch, 4, hidden).transpose(0, 2, 1, 3)
    dh, dc, work, r = (np.empty((batch, hidden), p.dtype) for _ in range(4))
    slopes = np.empty((3, batch, hidden), p.dtype)

    def run():
        w, u, b, c = (p.values[name][order] for name in NAMES)
        weights = np.concatenate([w.T, (b + c)[None], u.T]) * halves
        inputs[:-1, :, :hidden] = p.xs
        states[0] = 0
        for t in range(steps):
            (i, f, o, g), cell = gates[t], cells[t + 1]
            np.dot(inputs[t], weights, a)
            np.tanh(a_blocks, gates[t])
            sigmoids = gates[t, :3]
            np.multiply(sigmoids, 0.5, sigmoids)
            np.add(sigmoids, 0.5, sigmoids)
            np.multiply(f, cells[t], cell)
            np.multiply(i, g, work)
            np.add(cell, work, cell)
            np.tanh(cell, tanhs[t])
            np.multiply(o, tanhs[t], states[t + 1])
        dc.fill(0)
        r.fill(0)
        for t in range(steps - 1, -1, -1):
            (i, f, o, g), sigmoids, squashed, out = gates[t], gates[t, :3], tanhs[t], ds_blocks[t]
            np.add(p.cotangent[t], r, dh)
            np.multiply(squashed, squashed, work)
            np.subtract(1, work, work)
            np.multiply(work, o, work)
            np.multiply(work, dh, work)
            np.add(dc, work, dc)
            np.multiply(dc, g, d[0])
            np.multiply(dc, cells[t], d[1])
            np.multiply(dh, squashed, d[2])
            np.multiply(dc, i, d[3])
            np.subtract(1, sigmoids, slopes)
            np.multiply(slopes, sigmoids, slopes)
            np.multiply(d[:3], slopes, out[:3])
            np.multiply(g, g, work)
            np.subtract(1, work, work)
            np.multiply(d[3], work, out[3])
            np.multiply(dc, f, dc)
            np.dot(ds[t], u, r)
        total = np.dot(ds.reshape(-1, 4 * hidden).T, inputs[:-1].reshape(-1, width))[back]
        db = total[:, hidden]
        return [total[:, :hidden], total[:, hidden + 1:], db, db]

    return run


def gru(p):
    """The gated recurrent unit, in the variant of PyTorch, with the states as (H, N), so that gates are blocks of rows.

    Four blocks of cotangents lie side by side, of n, r, z and of the part s of n that comes from the state: the first
    three belong to the image of the input, the last three to that of the state.  They are turned to rows while in the
    cache.
    """
    steps, batch, hidden = p.xs.shape
    flat, two = p.xs.reshape(-1, hidden), 2 * hidden
    halves = np.repeat(np.array([0.5, 0.5, 1], p.dtype), hidden)[:, None]
    gates, from_state = np.empty((steps, 3, hidden, batch), p.dtype), np.empty((steps, hidden, batch), p.dtype)
    states, rows_of_states = np.zeros((steps + 1, hidden, batch), p.dtype), np.zeros((steps, batch, hidden), p.dtype)
    a, slopes = np.empty((3, hidden, batch), p.dtype), np.empty((2, hidden, batch), p.dtype)
    d, ds = np.empty((4, hidden, batch), p.dtype), np.empty((steps, batch, 4 * hidden), p.dtype)
    dh, work, pulled = (np.empty((hidden, batch), p.dtype) for _ in range(3))
    ones = np.ones(steps * batch, p.dtype)

    def run():
        w, u, b, c = (p.values[name] for name in NAMES)
        half_u, bias, bias_s = u * halves, b.copy(), c[two:, None]
        bias[:two] += c[:two]
        bias = bias[:, None] * halves
        np.matmul(w * halves, p.xs.transpose(0, 2, 1), out=gates.reshape(steps, -1, batch))
        for t in range(steps):
            (r, z, n), sigmoids, h, s = gates[t], gates[t, :2], states[t], from_state[t]
            images = gates[t].reshape(-1, batch)
            np.dot(half_u, h, a.reshape(-1, batch))
            np.add(images, bias, images)
            np.add(sigmoids, a[:2], sigmoids)
            np.add(a[2], bias_s, s)
            np.tanh(sigmoids, sigmoids)
            np.multiply(sigmoids, 0.5, sigmoids)
            np.add(sigmoids, 0.5, sigmoids)
            np.multiply(r, s, work)
            np.add(n, work, n)
            np.tanh(n, n)
            np.subtract(h, n, work)
            np.multiply(work, z, work)
            np.add(n, work, states[t + 1])
            rows_of_states[t] = h.T
        dh.fill(0)
        pulled.fill(0)
        dn, dr, dz, d_s = d
        for t in range(steps - 1, -1, -1):
            (r, z, n), sigmoids = gates[t], gates[t, :2]
            np.add(dh, pulled, dh)
            np.add(dh, p.cotangent[t].T, dh)
            np.subtract(1, sigmoids, slopes)
            np.multiply(n, n, work)
            np.subtract(1, work, work)
            np.multiply(work, slopes[1], work)
            np.multiply(dh, work, dn)
            np.multiply(dn, r, d_s)
            np.multiply(slopes, sigmoids, slopes)
            np.multiply(dn, from_state[t], work)
            np.multiply(work, slopes[0], dr)
            np.subtract(states[t], n, work)
            np.multiply(work, dh, work)
            np.multiply(work, slopes[1], dz)
            np.multiply(dh, z, dh)
            np.dot(u.T, d[1:].reshape(-1, batch), pulled)
            ds[t] = d.reshape(-1, batch).T
        rows = ds.reshape(-1, 4 * hidden)
        dw = rows[:, :3 * hidden].T @ flat                  # np.dot would copy what is not contiguous
        du = rows[:, hidden:].T @ rows_of_states.reshape(-1, hidden)
        sums = np.dot(ones, rows)
        return [np.concatenate([dw[hidden:], dw[:hidden]]), du,
                np.concatenate([sums[hidden:3 * hidden], sums[:hidden]]), sums[hidden:]]

    return run

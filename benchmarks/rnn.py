"""A tanh RNN unrolled step by step on the tape: T = 200, H = 64, batch 32, forward and backward."""

import numpy as np

from minigrad import nn

TITLE = "RNN unrolled step by step, T = 200, H = 64, batch 32"
STEPS, HIDDEN, BATCH = 200, 64, 32
NAMES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def contenders(torch=None):
    """Return name -> function; each runs forward and backward and returns the four parameter gradients."""
    rng = np.random.default_rng(0)
    xs = rng.normal(size=(STEPS, BATCH, HIDDEN))
    shapes = {"weight_ih": (HIDDEN, HIDDEN), "weight_hh": (HIDDEN, HIDDEN), "bias_ih": HIDDEN, "bias_hh": HIDDEN}
    values = {name: rng.normal(size=shape) / HIDDEN ** 0.5 for name, shape in shapes.items()}

    def by_hand():
        """Go step by step, as the tape does: no sums over time are taken out of the loop."""
        w, u, b, c = (values[name] for name in NAMES)
        h = np.zeros((BATCH, HIDDEN))
        states = [h]
        for x in xs:
            a = x @ w.T
            a += b
            r = h @ u.T
            r += c
            a += r
            h = np.tanh(a, out=a)
            states.append(h)
        g = 2 / h.size * h
        dw, du, db, dc = (np.zeros_like(v) for v in (w, u, b, c))
        for t in range(STEPS - 1, -1, -1):
            slope = states[t + 1] * states[t + 1]
            np.subtract(1, slope, out=slope)
            g *= slope
            dw += g.T @ xs[t]
            du += g.T @ states[t]
            total = g.sum(axis=0)
            db += total
            dc += total
            g = g @ u
        return [dw, du, db, dc]

    cell = nn.RNNCell(HIDDEN, HIDDEN)
    for name in NAMES:
        getattr(cell, name).data = values[name]

    def minigrad():
        cell.zero_grad()
        h = None
        for x in xs:
            h = cell(x, h)
        (h * h).mean().backward()
        return [getattr(cell, name).grad.data for name in NAMES]

    found = {"NumPy by hand": by_hand, "minigrad": minigrad}
    if torch is not None:
        found["PyTorch eager"] = with_torch(torch, xs, values)
    return found


def with_torch(torch, xs, values):
    """Return the same cell and loop in PyTorch's eager mode."""
    cell = torch.nn.RNNCell(HIDDEN, HIDDEN).double()
    with torch.no_grad():
        for name in NAMES:
            getattr(cell, name).copy_(torch.from_numpy(values[name]))
    inputs = torch.from_numpy(xs)

    def run():
        cell.zero_grad()
        h = None
        for x in inputs:
            h = cell(x, h)
        (h * h).mean().backward()
        return [getattr(cell, name).grad.numpy() for name in NAMES]

    return run

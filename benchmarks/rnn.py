"""A tanh RNN unrolled step by step: the loss is the mean square of the last state; gradients of the four parameters."""

from types import SimpleNamespace

import numpy as np

from benchmarks.work import AUTOGRAD, BY_STEP, MINIGRAD, MYGRAD, TORCH, Work, one_thread

NAMES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def problem(dtype, steps, hidden, batch):
    """Return a sequence (T, N, H) and the parameters of a cell by name."""
    rng = np.random.default_rng(0)
    xs = rng.normal(size=(steps, batch, hidden)).astype(dtype)
    shapes = ((hidden, hidden), (hidden, hidden), hidden, hidden)
    values = {name: (rng.normal(size=shape) / hidden ** 0.5).astype(dtype) for name, shape in zip(NAMES, shapes)}
    return SimpleNamespace(xs=xs, values=values, dtype=dtype)


def by_hand(p):
    """Go step by step, as a tape does: nothing is taken out of the loop over time, but all buffers are used again."""
    w, u, b, c = (p.values[name] for name in NAMES)
    steps, batch, hidden = p.xs.shape
    states = np.empty((steps + 1, batch, hidden), p.dtype)
    r, g, pulled, slope = (np.empty((batch, hidden), p.dtype) for _ in range(4))
    dw, du, db, part, row = (np.empty_like(a) for a in (w, u, b, w, b))

    def run():
        states[0] = 0
        for x, h, a in zip(p.xs, states, states[1:]):
            np.dot(x, w.T, a)
            np.add(a, b, a)
            np.dot(h, u.T, r)
            np.add(r, c, r)
            np.add(a, r, a)
            np.tanh(a, a)
        np.multiply(states[-1], 2 / r.size, pulled)
        for total in (dw, du, db):
            total.fill(0)
        for t in range(steps - 1, -1, -1):
            h = states[t + 1]
            np.multiply(h, h, slope)
            np.subtract(1, slope, slope)
            np.multiply(pulled, slope, g)
            np.dot(g.T, p.xs[t], part)
            np.add(dw, part, dw)
            np.dot(g.T, states[t], part)
            np.add(du, part, du)
            np.add.reduce(g, axis=0, out=row)
            np.add(db, row, db)
            np.dot(g, u, pulled)
        return [dw, du, db, db]

    return run


def with_minigrad(p):
    """``nn.RNNCell`` in a loop."""
    from minigrad import nn

    hidden = p.xs.shape[-1]
    cell = nn.RNNCell(hidden, hidden, dtype=p.dtype)
    for name in NAMES:
        getattr(cell, name).data = p.values[name]

    def run():
        cell.zero_grad()
        h = None
        for x in p.xs:
            h = cell(x, h)
        (h * h).mean().backward()
        return [getattr(cell, name).grad.data for name in NAMES]

    return run


def torch_cell(p):
    """Return PyTorch, its cell with these parameters, and the sequence."""
    import torch

    one_thread(torch)
    hidden = p.xs.shape[-1]
    cell = torch.nn.RNNCell(hidden, hidden).to(getattr(torch, p.dtype.name))
    with torch.no_grad():
        for name in NAMES:
            getattr(cell, name).copy_(torch.from_numpy(p.values[name]))
    return torch, cell, torch.from_numpy(p.xs)


def with_torch(p):
    """The same cell and loop in PyTorch's eager mode."""
    _, cell, xs = torch_cell(p)

    def run():
        cell.zero_grad()
        h = None
        for x in xs:
            h = cell(x, h)
        (h * h).mean().backward()
        return [getattr(cell, name).grad.numpy() for name in NAMES]

    return run


def with_autograd(p):
    """The same loop in HIPS autograd."""
    import autograd
    import autograd.numpy as anp

    def loss(parameters):
        w, u, b, c = parameters
        h = np.zeros(p.xs.shape[1:], p.dtype)
        for x in p.xs:
            h = anp.tanh(anp.dot(x, w.T) + b + anp.dot(h, u.T) + c)
        return anp.mean(h * h)

    slope, parameters = autograd.grad(loss), tuple(p.values[name] for name in NAMES)
    return lambda: list(slope(parameters))


def with_mygrad(p):
    """The same loop in MyGrad."""
    import mygrad

    parameters = [mygrad.tensor(p.values[name]) for name in NAMES]

    def run():
        w, u, b, c = parameters
        h = np.zeros(p.xs.shape[1:], p.dtype)
        for x in p.xs:
            h = mygrad.tanh(x @ w.T + b + h @ u.T + c)
        (h * h).mean().backward()
        return [t.grad for t in parameters]

    return run


CONTENDERS = {BY_STEP: by_hand, MINIGRAD: with_minigrad, TORCH: with_torch, AUTOGRAD: with_autograd,
              MYGRAD: with_mygrad}
SMALL = {"steps": 4, "hidden": 3, "batch": 2}

WORKS = [
    *(Work(f"rnn-steps-{dtype}", "RNN step by step on the tape, T = 200, H = 64, batch 32", dtype, problem, CONTENDERS,
           {"steps": 200, "hidden": 64, "batch": 32}, SMALL, {BY_STEP: 1.4, TORCH: 0.75})
      for dtype in ("float64", "float32")),
    *(Work(f"rnn-long-{dtype}", "RNN step by step on the tape, T = 1000, H = 16, batch 1", dtype, problem, CONTENDERS,
           {"steps": 1000, "hidden": 16, "batch": 1}, SMALL, {TORCH: 0.75})
      for dtype in ("float64", "float32")),
]

"""Double backward: the gradient of the squared gradient norm of the RNN step by step, of :mod:`benchmarks.rnn`."""

import numpy as np

from benchmarks.rnn import NAMES, problem, torch_cell
from benchmarks.work import HAND, MINIGRAD, TORCH, Work


def by_hand(p):
    """Twice the Hessian times the gradient, by carrying a direction along (Pearlmutter 1994): no graph at all."""
    w, u, b, c = (p.values[name] for name in NAMES)
    steps, batch, hidden = p.xs.shape
    flat = p.xs.reshape(-1, hidden)
    states, states_v = (np.zeros((steps + 1, batch, hidden), p.dtype) for _ in range(2))
    gs, gs_v, images_v = (np.empty((steps, batch, hidden), p.dtype) for _ in range(3))
    r, r_v, slope, work = (np.empty((batch, hidden), p.dtype) for _ in range(4))

    def rows(a):
        return a.reshape(-1, hidden)

    def run():
        images = states[1:]
        np.dot(flat, w.T, rows(images))
        np.add(images, b + c, images)
        for h, a in zip(states, images):
            np.dot(h, u.T, r)
            np.add(a, r, a)
            np.tanh(a, a)
        np.multiply(states[-1], 2 / r.size, r)
        for h, g in zip(states[:0:-1], gs[::-1]):
            np.multiply(h, h, slope)
            np.subtract(1, slope, slope)
            np.multiply(r, slope, g)
            np.dot(g, u, r)
        before = rows(states[:-1])
        w_v, u_v, b_v = np.dot(rows(gs).T, flat), np.dot(rows(gs).T, before), rows(gs).sum(axis=0)

        np.dot(flat, w_v.T, rows(images_v))
        np.add(images_v, np.dot(before, u_v.T).reshape(images_v.shape), images_v)
        np.add(images_v, 2 * b_v, images_v)
        for h, before_v, h_v, image in zip(states[1:], states_v, states_v[1:], images_v):
            np.dot(before_v, u.T, r)
            np.add(image, r, image)
            np.multiply(h, h, slope)
            np.subtract(1, slope, slope)
            np.multiply(image, slope, h_v)
        np.multiply(states[-1], 2 / r.size, r)
        np.multiply(states_v[-1], 2 / r.size, r_v)
        for h, h_v, g, g_v in zip(states[:0:-1], states_v[:0:-1], gs[::-1], gs_v[::-1]):
            np.multiply(h, h, slope)
            np.subtract(1, slope, slope)
            np.multiply(r_v, slope, g_v)
            np.multiply(h, h_v, work)
            np.multiply(work, -2, work)
            np.multiply(work, r, work)
            np.add(g_v, work, g_v)
            np.dot(g, u, r)
            np.dot(g_v, u, r_v)
            np.dot(g, u_v, work)
            np.add(r_v, work, r_v)
        doubled = rows(gs_v)
        np.multiply(doubled, 2, doubled)
        du = np.dot(doubled.T, before)
        du += np.dot(rows(gs).T, 2 * rows(states_v[:-1]))
        db = doubled.sum(axis=0)
        return [np.dot(doubled.T, flat), du, db, db]

    return run


def with_minigrad(p):
    """``mg.grad(..., create_graph=True)``, and backward through it."""
    import minigrad as mg
    from minigrad import nn

    hidden = p.xs.shape[-1]
    cell = nn.RNNCell(hidden, hidden, dtype=p.dtype)
    for name in NAMES:
        getattr(cell, name).data = p.values[name]
    parameters = [getattr(cell, name) for name in NAMES]

    def run():
        cell.zero_grad()
        h = None
        for x in p.xs:
            h = cell(x, h)
        grads = mg.grad((h * h).mean(), parameters, create_graph=True)
        sum((g * g).sum() for g in grads).backward()
        return [q.grad.data for q in parameters]

    return run


def with_torch(p):
    """The same in PyTorch's eager mode."""
    torch, cell, xs = torch_cell(p)
    parameters = [getattr(cell, name) for name in NAMES]

    def run():
        cell.zero_grad()
        h = None
        for x in xs:
            h = cell(x, h)
        grads = torch.autograd.grad((h * h).mean(), parameters, create_graph=True)
        sum((g * g).sum() for g in grads).backward()
        return [q.grad.numpy() for q in parameters]

    return run


WORKS = [Work("double-float64", "double backward, RNN step by step, T = 200, H = 64, batch 32", "float64", problem,
              {HAND: by_hand, MINIGRAD: with_minigrad, TORCH: with_torch}, {"steps": 200, "hidden": 64, "batch": 32},
              {"steps": 4, "hidden": 3, "batch": 2}, {TORCH: 1.2})]

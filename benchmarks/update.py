"""One update of many parameters: clip the norm of all gradients, Adam, and in minigrad a trace of what happened."""

import math
from types import SimpleNamespace

import numpy as np

from benchmarks.work import DEFAULT, FUSED, HAND, MINIGRAD, Work, one_thread

LR, BETAS, EPS, LIMIT = 1e-3, (0.9, 0.999), 1e-8, 1.0
UNTRACED = "minigrad untraced"


def problem(dtype, count, side):
    """Return parameters and gradients."""
    rng = np.random.default_rng(0)
    starts, grads = ([rng.normal(size=(side, side)).astype(dtype) for _ in range(count)] for _ in range(2))
    return SimpleNamespace(starts=starts, grads=grads)


def by_hand(p):
    """Adam in place, a parameter at a time, with one array to work in."""
    params = [a.copy() for a in p.starts]
    means, squares = ([np.zeros_like(q) for q in params] for _ in range(2))
    work, b1, b2 = np.empty_like(params[0]), *BETAS
    steps = 0

    def step():
        nonlocal steps
        steps += 1
        length = math.sqrt(sum(float(np.dot(g.ravel(), g.ravel())) for g in p.grads))
        c, root = min(1.0, LIMIT / length), math.sqrt(1 - b2 ** steps)
        for q, g, m, v in zip(params, p.grads, means, squares):
            np.multiply(g, c * (1 - b1), work)
            np.multiply(m, b1, m)
            np.add(m, work, m)
            np.multiply(g, g, work)
            np.multiply(work, c * c * (1 - b2), work)
            np.multiply(v, b2, v)
            np.add(v, work, v)
            np.sqrt(v, work)
            np.add(work, EPS * root, work)
            np.divide(m, work, work)
            np.multiply(work, LR * root / (1 - b1 ** steps), work)
            np.subtract(q, work, q)
        return params

    return step


def with_minigrad(p, traced=True):
    """``hooks.ClipNorm`` and ``optim.Adam``; a step that fails changes nothing, so new arrays are made."""
    import minigrad as mg
    from minigrad import hooks, optim

    params = [mg.tensor(a, requires_grad=True) for a in p.starts]
    for q, g in zip(params, p.grads):
        q.grad = g
    trace = mg.NormTrace() if traced else None
    opt = optim.Adam(params, LR, BETAS, EPS, hooks=[hooks.ClipNorm(LIMIT)], trace=trace)

    def step():
        opt.step()
        return [q.data for q in params]

    return step


def without_trace(p):
    """The same with nothing recorded."""
    return with_minigrad(p, traced=False)


def with_torch(p, **options):
    """``clip_grad_norm_`` and Adam with their defaults, which on the CPU means a parameter at a time, in place."""
    import torch

    one_thread(torch)
    params = [torch.nn.Parameter(torch.from_numpy(a.copy())) for a in p.starts]
    for q, g in zip(params, p.grads):
        q.grad = torch.from_numpy(g.copy())
    opt = torch.optim.Adam(params, LR, BETAS, EPS, **options)

    def step():
        torch.nn.utils.clip_grad_norm_(params, LIMIT)       # it multiplies always, so every round is the same work
        opt.step()
        return [q.detach().numpy() for q in params]

    return step


def with_torch_fused(p):
    """The same with the compiled kernel, one pass over the memory, that has to be asked for."""
    return with_torch(p, fused=True)


CONTENDERS = {HAND: by_hand, MINIGRAD: with_minigrad, UNTRACED: without_trace, DEFAULT: with_torch,
              FUSED: with_torch_fused}

WORKS = [Work(f"update-{side}-{dtype}", f"clip + Adam + trace, 200 tensors of {side}x{side}", dtype, problem,
              CONTENDERS, {"count": 200, "side": side}, {"count": 3, "side": 4}, {DEFAULT: 0.6})
         for side in (64, 16) for dtype in ("float64", "float32")]

"""One update of many parameters: clip the norm, Adam, with and without a trace."""

import functools
import math
from types import SimpleNamespace

import numpy as np

import minigrad as mg
from minigrad import hooks, optim

COUNT, LR, BETAS, EPS, LIMIT = 200, 1e-3, (0.9, 0.999), 1e-8, 1.0


def contenders(side, dtype, torch=None):
    """Return name -> function; each makes one update and returns the parameters."""
    rng = np.random.default_rng(0)
    starts, grads = ([rng.normal(size=(side, side)).astype(dtype) for _ in range(COUNT)] for _ in range(2))

    def minigrad(trace):
        params = [mg.tensor(a, requires_grad=True) for a in starts]
        for p, g in zip(params, grads):
            p.grad = g
        opt = optim.Adam(params, LR, BETAS, EPS, hooks=[hooks.ClipNorm(LIMIT)], trace=trace)

        def step():
            opt.step()
            return [p.data for p in params]

        return step

    found = {"NumPy by hand": by_hand(starts, grads), "minigrad": minigrad(None),
             "with a trace": minigrad(mg.NormTrace())}
    if torch is not None:
        found["PyTorch eager"] = with_torch(torch, starts, grads)
    return found


def by_hand(starts, grads):
    """Return Adam in place, a parameter at a time, with one array to work in."""
    params = [a.copy() for a in starts]
    means, squares = ([np.zeros_like(p) for p in params] for _ in range(2))
    work, b1, b2 = np.empty_like(params[0]), *BETAS
    steps = 0

    def step():
        nonlocal steps
        steps += 1
        length = math.sqrt(sum(float(np.dot(g.ravel(), g.ravel())) for g in grads))
        c, root = min(1.0, LIMIT / length), math.sqrt(1 - b2 ** steps)
        for p, g, m, v in zip(params, grads, means, squares):
            np.multiply(g, c * (1 - b1), out=work)
            m *= b1
            m += work
            np.multiply(g, g, out=work)
            np.multiply(work, c * c * (1 - b2), out=work)
            v *= b2
            v += work
            np.sqrt(v, out=work)
            np.add(work, EPS * root, out=work)
            np.divide(m, work, out=work)
            np.multiply(work, LR * root / (1 - b1 ** steps), out=work)
            p -= work
        return params

    return step


def with_torch(torch, starts, grads):
    """Return ``clip_grad_norm_`` and Adam with their defaults; both work in place."""
    params = [torch.nn.Parameter(torch.from_numpy(a.copy())) for a in starts]
    for p, g in zip(params, grads):
        p.grad = torch.from_numpy(g.copy())
    opt = torch.optim.Adam(params, LR, BETAS, EPS)

    def step():
        torch.nn.utils.clip_grad_norm_(params, LIMIT)       # it multiplies always, so every round is the same work
        opt.step()
        return [p.detach().numpy() for p in params]

    return step


WORKS = [SimpleNamespace(TITLE=f"clip + Adam, {COUNT} of {side}x{side}, {dtype}",
                         contenders=functools.partial(contenders, side, dtype), RTOL=float(np.finfo(dtype).eps) ** 0.5)
         for side in (64, 16) for dtype in ("float64", "float32")]

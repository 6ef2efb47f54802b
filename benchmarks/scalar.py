"""Ten thousand operations on single numbers, h = tanh(h + x) with a hundred x: the engine's own cost, nothing else."""

import math
from types import SimpleNamespace

import numpy as np

from benchmarks.work import AUTOGRAD, MINIGRAD, MYGRAD, PLAIN, TORCH, Work, one_thread


def problem(dtype, operations, leaves):
    """Return the leaves, 0-d arrays, and how often they are gone through."""
    values = np.random.default_rng(0).normal(size=leaves).astype(dtype)
    return SimpleNamespace(leaves=[np.array(v) for v in values], times=operations // (2 * leaves), dtype=dtype)


def in_plain_python(p):
    """Numbers and a list; NumPy has nothing to offer here."""
    xs = [float(x) for x in p.leaves]

    def run():
        h, states = 0.0, []
        for _ in range(p.times):
            for x in xs:
                h = math.tanh(h + x)
                states.append(h)
        g, grads = 1.0, [0.0] * len(xs)
        for _ in range(p.times):
            for index in range(len(xs) - 1, -1, -1):
                h = states.pop()
                g *= 1 - h * h
                grads[index] += g
        return [np.array(value, p.dtype) for value in grads]

    return run


def with_minigrad(p):
    """0-d tensors."""
    import minigrad as mg

    xs = [mg.tensor(x, requires_grad=True) for x in p.leaves]

    def run():
        h = 0.0
        for x in xs:
            x.grad = None
        for _ in range(p.times):
            for x in xs:
                h = mg.tanh(h + x)
        h.backward()
        return [x.grad.data for x in xs]

    return run


def with_torch(p):
    """0-d tensors in PyTorch's eager mode."""
    import torch

    one_thread(torch)
    xs = [torch.from_numpy(x).requires_grad_() for x in p.leaves]

    def run():
        h = 0.0
        for x in xs:
            x.grad = None
        for _ in range(p.times):
            for x in xs:
                h = torch.tanh(h + x)
        h.backward()
        return [x.grad.numpy() for x in xs]

    return run


def with_autograd(p):
    """HIPS autograd, on a list of numbers."""
    import autograd
    import autograd.numpy as anp

    def chain(xs):
        h = 0.0
        for _ in range(p.times):
            for x in xs:
                h = anp.tanh(h + x)
        return h

    slope, xs = autograd.grad(chain), [float(x) for x in p.leaves]
    return lambda: [np.array(g, p.dtype) for g in slope(xs)]


def with_mygrad(p):
    """0-d tensors of MyGrad."""
    import mygrad

    xs = [mygrad.tensor(x) for x in p.leaves]

    def run():
        h = 0.0
        for _ in range(p.times):
            for x in xs:
                h = mygrad.tanh(h + x)
        h.backward()
        return [x.grad for x in xs]

    return run


CONTENDERS = {PLAIN: in_plain_python, MINIGRAD: with_minigrad, TORCH: with_torch, AUTOGRAD: with_autograd,
              MYGRAD: with_mygrad}

WORKS = [Work(name, title, "float64", problem, CONTENDERS, {"operations": 10_000, "leaves": 100},
              {"operations": 12, "leaves": 3}, {TORCH: 0.55, AUTOGRAD: 0.2, MYGRAD: 0.1}, collecting)
         for name, title, collecting in (
             ("scalar-float64", "10,000 operations on single numbers", False),
             ("scalar-collecting-float64", "the same, Python's garbage collector at work", True))]

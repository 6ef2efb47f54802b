"""A deep tanh MLP, forward and backward: mean squared error, gradients of all weights and biases."""

from types import SimpleNamespace

import numpy as np

from benchmarks.work import AUTOGRAD, HAND, JAX, MINIGRAD, MYGRAD, TORCH, Work, one_thread


def problem(dtype, layers, width, batch):
    """Return inputs, targets, weights and biases."""
    rng = np.random.default_rng(0)
    x, y = (rng.normal(size=(batch, width)).astype(dtype) for _ in range(2))
    weights = [(rng.normal(size=(width, width)) / width ** 0.5).astype(dtype) for _ in range(layers)]
    biases = [(0.1 * rng.normal(size=width)).astype(dtype) for _ in range(layers)]
    return SimpleNamespace(x=x, y=y, weights=weights, biases=biases, dtype=dtype)


def by_hand(p):
    """Layer by layer; one buffer for all states, one for each gradient."""
    states = np.empty((len(p.weights) + 1, *p.x.shape), p.dtype)
    states[0] = p.x
    g, pulled, slope = (np.empty_like(p.x) for _ in range(3))
    dws, dbs = [np.empty_like(w) for w in p.weights], [np.empty_like(b) for b in p.biases]

    def run():
        for w, b, h, a in zip(p.weights, p.biases, states, states[1:]):
            np.dot(h, w.T, a)
            np.add(a, b, a)
            np.tanh(a, a)
        np.subtract(states[-1], p.y, pulled)
        np.multiply(pulled, 2 / pulled.size, pulled)
        for i in range(len(p.weights) - 1, -1, -1):
            h = states[i + 1]
            np.multiply(h, h, slope)
            np.subtract(1, slope, slope)
            np.multiply(pulled, slope, g)
            np.add.reduce(g, axis=0, out=dbs[i])
            np.dot(g.T, states[i], dws[i])
            if i:
                np.dot(g, p.weights[i], pulled)
        return [*dws, *dbs]

    return run


def with_minigrad(p):
    """``nn.Sequential`` of ``nn.Linear`` and ``nn.Tanh``."""
    from minigrad import nn

    width = p.x.shape[1]
    net = nn.Sequential(*[m for _ in p.weights for m in (nn.Linear(width, width, dtype=p.dtype), nn.Tanh())])
    layers = list(net)[::2]
    for layer, w, b in zip(layers, p.weights, p.biases):
        layer.weight.data, layer.bias.data = w, b

    def run():
        net.zero_grad()
        nn.functional.mse_loss(net(p.x), p.y).backward()
        return [layer.weight.grad.data for layer in layers] + [layer.bias.grad.data for layer in layers]

    return run


def with_torch(p):
    """The same net in PyTorch's eager mode."""
    import torch

    one_thread(torch)
    width = p.x.shape[1]
    net = torch.nn.Sequential(*[m for _ in p.weights for m in (torch.nn.Linear(width, width), torch.nn.Tanh())])
    net, layers = net.to(getattr(torch, p.dtype.name)), list(net)[::2]
    with torch.no_grad():
        for layer, w, b in zip(layers, p.weights, p.biases):
            layer.weight.copy_(torch.from_numpy(w))
            layer.bias.copy_(torch.from_numpy(b))
    x, y = torch.from_numpy(p.x), torch.from_numpy(p.y)

    def run():
        net.zero_grad()
        torch.nn.functional.mse_loss(net(x), y).backward()
        return [layer.weight.grad.numpy() for layer in layers] + [layer.bias.grad.numpy() for layer in layers]

    return run


def with_jax(p):
    """The same function, compiled."""
    import jax

    def loss(weights, biases):
        h = p.x
        for w, b in zip(weights, biases):
            h = jax.numpy.tanh(h @ w.T + b)
        return ((h - p.y) ** 2).mean()

    slope, weights, biases = jax.jit(jax.grad(loss, (0, 1))), jax.device_put(p.weights), jax.device_put(p.biases)

    def run():
        dws, dbs = jax.block_until_ready(slope(weights, biases))
        return [*dws, *dbs]

    return run


def with_autograd(p):
    """The same function in HIPS autograd."""
    import autograd
    import autograd.numpy as anp

    def loss(parameters):
        h = p.x
        for w, b in zip(*parameters):
            h = anp.tanh(anp.dot(h, w.T) + b)
        return anp.mean((h - p.y) ** 2)

    slope = autograd.grad(loss)

    def run():
        dws, dbs = slope((p.weights, p.biases))
        return [*dws, *dbs]

    return run


def with_mygrad(p):
    """The same function in MyGrad."""
    import mygrad

    weights, biases = [mygrad.tensor(w) for w in p.weights], [mygrad.tensor(b) for b in p.biases]

    def run():
        h = p.x
        for w, b in zip(weights, biases):
            h = mygrad.tanh(h @ w.T + b)
        ((h - p.y) ** 2).mean().backward()
        return [t.grad for t in (*weights, *biases)]

    return run


CONTENDERS = {HAND: by_hand, MINIGRAD: with_minigrad, TORCH: with_torch, JAX: with_jax, AUTOGRAD: with_autograd,
              MYGRAD: with_mygrad}
SMALL = {"layers": 3, "width": 4, "batch": 5}

WORKS = [
    *(Work(f"mlp-100-{dtype}", "MLP, 100 tanh layers, width 64, batch 32", dtype, problem, CONTENDERS,
           {"layers": 100, "width": 64, "batch": 32}, SMALL, {HAND: 1.25, TORCH: 0.7})
      for dtype in ("float64", "float32")),
    Work("mlp-50-float32", "MLP, 50 tanh layers, width 256, batch 64", "float32", problem, CONTENDERS,
         {"layers": 50, "width": 256, "batch": 64}, SMALL, {HAND: 1.1, TORCH: 1.0}),
]

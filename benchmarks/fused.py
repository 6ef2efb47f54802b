"""Whole recurrences, ``nn.RNN``, ``nn.LSTM`` and ``nn.GRU``: forward, and backward from a cotangent of all outputs."""

from types import SimpleNamespace

import numpy as np

from benchmarks import fused_by_hand
from benchmarks.fused_by_hand import NAMES
from benchmarks.work import HAND, JAX, MINIGRAD, TORCH, Work, one_thread

GATES = {"RNN": 1, "LSTM": 4, "GRU": 3}


def problem(dtype, kind, steps, hidden, batch):
    """Return a sequence and a cotangent, (T, N, H), and the parameters of a layer by name."""
    rng = np.random.default_rng(0)
    xs, cotangent = (rng.normal(size=(steps, batch, hidden)).astype(dtype) for _ in range(2))
    rows = GATES[kind] * hidden
    shapes = ((rows, hidden), (rows, hidden), rows, rows)
    values = {name: (rng.normal(size=shape) / hidden ** 0.5).astype(dtype) for name, shape in zip(NAMES, shapes)}
    return SimpleNamespace(kind=kind, xs=xs, cotangent=cotangent, values=values, dtype=dtype)


def by_hand(p):
    """The page of its own, :mod:`benchmarks.fused_by_hand`."""
    return {"RNN": fused_by_hand.rnn, "LSTM": fused_by_hand.lstm, "GRU": fused_by_hand.gru}[p.kind](p)


def with_minigrad(p):
    """The layer as it is called by everybody; the input is a tensor, made once, as PyTorch's is."""
    import minigrad as mg
    from minigrad import nn

    if not hasattr(p, "tensor"):
        p.tensor = mg.tensor(p.xs)
    hidden = p.xs.shape[-1]
    layer = getattr(nn, p.kind)(hidden, hidden, dtype=p.dtype)
    for name in NAMES:
        getattr(layer, name).data = p.values[name]

    def run():
        layer.zero_grad()
        output, _ = layer(p.tensor)
        output.backward(p.cotangent)
        return [getattr(layer, name).grad.data for name in NAMES]

    return run


def with_torch(p):
    """PyTorch's layer; in float32 its LSTM is a compiled kernel of oneDNN."""
    import torch

    one_thread(torch)
    hidden = p.xs.shape[-1]
    layer = getattr(torch.nn, p.kind)(hidden, hidden).to(getattr(torch, p.dtype.name))
    with torch.no_grad():
        for name in NAMES:
            getattr(layer, name).copy_(torch.from_numpy(p.values[name]))
    xs, cotangent = torch.from_numpy(p.xs), torch.from_numpy(p.cotangent)

    def run():
        layer.zero_grad()
        output, _ = layer(xs)
        output.backward(cotangent)
        return [getattr(layer, name).grad.numpy() for name in NAMES]

    return run


def with_jax(p):
    """``lax.scan`` over the steps, the image of the input outside, all compiled."""
    import jax
    import jax.numpy as jnp

    hidden = p.xs.shape[-1]

    def rnn(state, image, u, c):
        h = jnp.tanh(image + state[0] @ u.T + c)
        return (h,), h

    def lstm(state, image, u, c):
        h, cell = state
        i, f, g, o = jnp.split(image + h @ u.T + c, 4, axis=-1)
        cell = jax.nn.sigmoid(f) * cell + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(cell)
        return (h, cell), h

    def gru(state, image, u, c):
        h, = state
        (r, z, n), (r_s, z_s, n_s) = (jnp.split(a, 3, axis=-1) for a in (image, h @ u.T + c))
        z = jax.nn.sigmoid(z + z_s)
        n = jnp.tanh(n + jax.nn.sigmoid(r + r_s) * n_s)
        h = n + z * (h - n)
        return (h,), h

    step, states = {"RNN": (rnn, 1), "LSTM": (lstm, 2), "GRU": (gru, 1)}[p.kind]

    @jax.jit
    def slopes(parameters, xs, cotangent):
        def forward(parameters):
            w, u, b, c = parameters
            start = (jnp.zeros((xs.shape[1], hidden), xs.dtype),) * states
            return jax.lax.scan(lambda state, image: step(state, image, u, c), start, xs @ w.T + b)[1]
        return jax.vjp(forward, parameters)[1](cotangent)[0]

    given = jax.device_put((tuple(p.values[name] for name in NAMES), p.xs, p.cotangent))
    return lambda: list(jax.block_until_ready(slopes(*given)))


CONTENDERS = {HAND: by_hand, MINIGRAD: with_minigrad, TORCH: with_torch, JAX: with_jax}
LIMITS = {"RNN": {HAND: 1.1, TORCH: 0.5, JAX: 1.0}, "LSTM": {HAND: 1.15, TORCH: 0.8}, "GRU": {HAND: 1.15, TORCH: 0.8}}

WORKS = [Work(f"{kind.lower()}-{dtype}", f"nn.{kind}, T = 200, H = 64, batch 32", dtype, problem, CONTENDERS,
              {"kind": kind, "steps": 200, "hidden": 64, "batch": 32},
              {"kind": kind, "steps": 4, "hidden": 3, "batch": 2}, limits)
         for kind, limits in LIMITS.items() for dtype in ("float64", "float32")]

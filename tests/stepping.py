"""What the tests of step hooks and observers share: recurrent layers, a loss of all states, and a log of deltas."""

import numpy as np
import pytest
from twins import waves

from minigrad import nn

T, N, D, H = 5, 2, 3, 4
KINDS = {"tanh": ("RNN", {"nonlinearity": "tanh"}), "relu": ("RNN", {"nonlinearity": "relu"}), "LSTM": ("LSTM", {}),
         "GRU": ("GRU", {})}
EVERY = [(name, layers) for name in KINDS for layers in (1, 2)]
each = pytest.mark.parametrize(("name", "layers"), EVERY)


def make(name, layers=1, **settings):
    kind, own = KINDS[name]
    return getattr(nn, kind)(D, H, layers, rng=np.random.default_rng(7), **own, **settings)


def seeds_of(name, layers):
    return [waves(T, N, H, k=1.0), waves(layers, N, H, k=2.0), *([waves(layers, N, H, k=3.0)] * (name == "LSTM"))]


def loss_of(result, seeds):
    out, last = result
    return sum((y * s).sum() for y, s in zip((out, *(last if isinstance(last, tuple) else (last,))), seeds))


def watch(net, log, layers=None, do=lambda g, *which: None):
    """Have every cotangent of every layer and state put into ``log``, and then done to what ``do`` says."""
    for layer in range(net.num_layers):
        for state in net.states:
            def hook(g, t, which=(state, layer)):
                log[(*which, t)] = np.array(g.data)
                return do(g, *which, t)
            net.register_step_hook(hook, layer, state)


def gradients(net):
    return {key: p.grad for key, p in net.named_parameters()}

"""What the tests of Omega share: its variants, a layer to attach it to, and the deltas of one by hand."""

import numpy as np
import pytest
from twins import waves

import minigrad as mg
from minigrad import nn, ops

every_kind = pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
variants = pytest.mark.parametrize("variant", [
    {}, {"squared": True}, {"mean": True}, {"squared": True, "mean": True, "floor": 1e-10}])


def layer(rng=0, **options):
    return nn.RNN(3, 4, rng=np.random.default_rng(rng), **options)


def by_hand(rnn, x, loss_of, h0=None):
    """Deltas and states of every layer, from a loop written out."""
    h0 = np.zeros((rnn.num_layers, *x.shape[1:-1], 4)) if h0 is None else h0
    f = {"tanh": np.tanh, "relu": ops.relu}[rnn.nonlinearity]
    rows, kept = [mg.tensor(step) for step in x], []
    for k in range(rnn.num_layers):
        w, v, b, c = (getattr(rnn, f"{name}_l{k}").detach().requires_grad_() for name in
                      ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
        h, states = mg.tensor(h0[k]), []
        for row in rows:
            h = f(row @ w.T + b + h @ v.T + c)
            h.retain_grad()
            states.append(h)
        rows = states
        kept.append(states)
    loss_of(np.stack(rows), np.stack([states[-1] for states in kept])).backward()
    return [([h.grad for h in states], states) for states in kept]


def both_ends(output, h_n):
    return (output ** 2).sum() + (h_n * waves(*h_n.shape)).sum()

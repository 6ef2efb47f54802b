"""What the tests of gradient flow share: nets with known variances, batches, and a second way to every delta."""

import numpy as np

from minigrad import nn
from minigrad.gradient_flow import nets
from minigrad.nn import functional as F


def mlp(depth, width, phi=nn.Tanh, sigma_w2=1.0, sigma_b2=0.0, seed=0, head=10, dtype=float):
    """Return a net of equal layers whose weights have variance sigma_w2 / width, and their biases sigma_b2."""
    rng, parts = np.random.default_rng(seed), []
    for _ in range(depth):
        layer = nn.Linear(width, width, rng=rng, dtype=dtype)
        layer.weight.data = rng.normal(size=(width, width)) * np.sqrt(sigma_w2 / width)
        layer.bias.data = rng.normal(size=width) * np.sqrt(sigma_b2)
        parts += [layer, phi()]
    return nn.Sequential(*parts, *([nn.Linear(width, head, rng=rng, dtype=dtype)] if head else []))


def batch(width, size=16, seed=1, classes=10, dtype=float):
    """Return Gaussian inputs and labels drawn at random."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(size, width)).astype(dtype), rng.integers(0, classes, size)


class Last(nn.Module):
    """A recurrent layer, and a linear one on its last output."""

    def __init__(self, body, outputs=10, rng=None):
        self.body, self.head = body, nn.Linear(body.hidden_size, outputs, rng=rng)

    def forward(self, x):
        out, _ = self.body(x)
        return self.head(out[-1])


def sequences(steps, size=4, inputs=3, seed=2, std=0.3):
    """Return (T, N, I) Gaussian sequences and labels."""
    rng = np.random.default_rng(seed)
    return std * rng.normal(size=(steps, size, inputs)), rng.integers(0, 10, size)


def bent():
    """Return a net and a batch whose delta grows ten times as fast at the first 20 of 200 steps as later."""
    rng = np.random.default_rng(0)
    net = nets.Described("rnn", 200, 128, 8, start="orthogonal", gain=1.2, bias_std=0.0, rng=rng)
    return net, nets.noise("rnn", 200, 32, 8, 0.1, rng)


def retained(net, x, y, loss_fn=F.cross_entropy):
    """Return the gradient at the output of every part of a Sequential, by retain_grad and backward."""
    outs, h = [], x
    for part in net:
        h = part(h)
        h.retain_grad()
        outs.append(h)
    loss_fn(h, y).backward()
    grads = [None if h.grad is None else h.grad.data for h in outs]
    net.zero_grad()
    return [h.data for h in outs], grads

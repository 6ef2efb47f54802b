"""Nets to look into: a body of one kind of layer, described in a few words, and a linear layer on its last h."""

import math

import numpy as np

from minigrad import nn
from minigrad.nn import init

CLASSES = 10

PHI = {"tanh": nn.Tanh, "relu": nn.ReLU, "sigmoid": nn.Sigmoid, "leaky_relu": nn.LeakyReLU, "elu": nn.ELU,
       "selu": nn.SELU, "gelu": nn.GELU, "silu": nn.SiLU, "softplus": nn.Softplus, "linear": nn.Identity}
"""Activations of the nets in depth."""

RECURRENT = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}

STARTS = {
    "default": lambda w, gain, rng: setattr(w, "data", gain * w.data),
    "normal": lambda w, gain, rng: init.lecun_normal_(w, gain=gain, rng=rng),
    "xavier": lambda w, gain, rng: init.xavier_normal_(w, gain=gain, rng=rng),
    "he": lambda w, gain, rng: init.kaiming_normal_(w, gain=gain * math.sqrt(2), rng=rng),
    "orthogonal": lambda w, gain, rng: init.orthogonal_(w, gain=gain, rng=rng),
    "identity": lambda w, gain, rng: init.eye_(w, gain=gain),
}
"""How a matrix gets its first values, each times the gain; "default" is PyTorch's."""


class Described(nn.Module):
    """A net of one kind of layer, and 10 outputs.

    Args:
        arch: "mlp", "residual" (x + V phi(W x)), "rnn", "lstm" or "gru".
        depth: number of layers or blocks; of recurrent nets the batch has so many time steps.
        width: units of each.
        inputs: features of the input.
        activation: a key of PHI; of an "rnn" "tanh" or "relu".
        start, gain: how the weights begin, a key of STARTS, and a factor; of recurrent nets the recurrent ones, gate by
            gate.
        bias_std: standard deviation of the biases of the body; None for PyTorch's.
        rng: generator of all of it.
    """

    def __init__(self, arch, depth, width, inputs, activation="tanh", start="default", gain=1.0, bias_std=None,
                 rng=None):
        self.arch, self.start, self.gain, self.bias_std, self.rng = arch, start, gain, bias_std, rng
        if arch in RECURRENT:
            more = {"nonlinearity": activation} if arch == "rnn" else {}
            self.body = RECURRENT[arch](inputs, width, rng=rng, **more)
            self._start_recurrent(width)
        elif arch == "residual":
            into = [self._linear(inputs, width)] if inputs != width else []
            blocks = [nn.Residual(self._linear(width, width), PHI[activation](), self._linear(width, width))
                      for _ in range(depth)]
            self.body = nn.Sequential(*into, *blocks)
        else:
            self.body = nn.Sequential(*(m for k in range(depth) for m in (
                self._linear(width if k else inputs, width), PHI[activation]())))
        self.head = nn.Linear(width, CLASSES, rng=rng)

    def forward(self, x):
        """Return (N, 10) for x (N, inputs), or (T, N, inputs) of a recurrent net."""
        h = self.body(x)
        return self.head(h[0][-1] if self.arch in RECURRENT else h)

    def _linear(self, inputs, outputs):
        layer = nn.Linear(inputs, outputs, rng=self.rng)
        STARTS[self.start](layer.weight, self.gain, self.rng)
        if self.bias_std is not None:
            init.normal_(layer.bias, 0.0, self.bias_std, self.rng)
        return layer

    def _start_recurrent(self, width):
        w, parts = self.body.weight_hh_l0, []
        for k in range(0, len(w), width):
            part = nn.Parameter(w.data[k:k + width])
            STARTS[self.start](part, self.gain, self.rng)
            parts.append(part.data)
        w.data = np.concatenate(parts)
        if self.bias_std is not None:                       # the two biases of a recurrent layer are added
            for bias in (self.body.bias_ih_l0, self.body.bias_hh_l0):
                init.normal_(bias, 0.0, self.bias_std / math.sqrt(2), self.rng)


def noise(arch, depth, batch, inputs, std, rng):
    """Return a batch (x, y) of Gaussian noise with labels drawn at random."""
    shape = (depth, batch, inputs) if arch in RECURRENT else (batch, inputs)
    return std * rng.normal(size=shape), rng.integers(0, CLASSES, batch)

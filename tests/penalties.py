"""What the tests of gradient penalties share: norms, a loss in closed form, and nets of ours and of PyTorch."""

import math

import numpy as np
import pytest
from twins import waves

import minigrad as mg
from minigrad import nn

every_norm = pytest.mark.parametrize(("p", "squared"), [
    (1, False), (1.5, False), (2, False), (3, False), (4, False), (math.inf, False), (1, True), (2, True), (3, True)])


def leaf(values, dtype=float):
    return mg.tensor(np.array(values, dtype), requires_grad=True)


def bowl(w):
    """1/2 w' diag(1, 10) w."""
    return 0.5 * (w * w * [1.0, 10.0]).sum()


class Recurrent:
    """The same in minigrad and PyTorch: a recurrent layer, and a linear one of its last state."""

    def __init__(self, kind):
        self.kind = kind

    def __call__(self, library):
        return library.ModuleList([getattr(library, self.kind)(3, 4), library.Linear(4, 2)])

    @staticmethod
    def run(net, x):
        return net[1](net[0](x)[0][-1])


def run_in_turn(net, x):
    return net(x)


NETS = {
    "tanh": (lambda m: m.Sequential(m.Linear(3, 6), m.Tanh(), m.Linear(6, 5), m.Tanh(), m.Linear(5, 2)), (4, 3)),
    "relu": (lambda m: m.Sequential(m.Linear(3, 6), m.ReLU(), m.Linear(6, 5), m.ReLU(), m.Linear(5, 2)), (4, 3)),
    "softplus": (lambda m: m.Sequential(m.Linear(3, 6), m.Softplus(), m.Linear(6, 2)), (4, 3)),
    "conv": (lambda m: m.Sequential(m.Conv2d(1, 3, 3, padding=1), m.Tanh(), m.AvgPool2d(2), m.Conv2d(3, 2, 2),
                                    m.Flatten(), m.Linear(2, 2)), (3, 1, 4, 4)),
    "layer norm": (lambda m: m.Sequential(m.Linear(3, 5), m.LayerNorm(5), m.GELU(), m.Linear(5, 2)), (4, 3)),
    "batch norm": (lambda m: m.Sequential(m.Linear(3, 5), m.BatchNorm1d(5), m.Tanh(), m.Linear(5, 2)), (4, 3)),
    "RNN": (Recurrent("RNN"), (5, 4, 3)), "LSTM": (Recurrent("LSTM"), (5, 4, 3)), "GRU": (Recurrent("GRU"), (5, 4, 3)),
}
every_net = pytest.mark.parametrize(("make", "shape"), NETS.values(), ids=NETS)


def filled(make, k=0.0):
    """A net of ours with numbers that are the same everywhere, and how to call it."""
    net = make(nn)
    for i, p in enumerate(net.parameters()):
        p.data = waves(*p.shape, k=k + i, size=0.7) + (0.9 if p.ndim == 1 else 0.0)
    return net, getattr(make, "run", run_in_turn)


def mean_square(run, net, x):
    return ((run(net, x) - 0.3) ** 2).mean()

"""What the tests of optimizers and hooks share: optimizers to run, parameters, and a training loop."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import optim

GRADIENTS = ([3.0, 4.0], [30.0, -40.0], [0.3, 0.4])
OPTIMIZERS = {
    "SGD": lambda params, **kw: optim.SGD(params, **{"lr": 0.1, **kw}),
    "momentum": lambda params, **kw: optim.SGD(params, **{"lr": 0.1, "momentum": 0.9, **kw}),
    "nesterov": lambda params, **kw: optim.SGD(params, **{"lr": 0.1, "momentum": 0.9, "nesterov": True, **kw}),
    "Adam": lambda params, **kw: optim.Adam(params, **{"lr": 0.1, **kw}),
}
every_optimizer = pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)


def param(values, dtype=None):
    return mg.tensor(values, dtype=dtype, requires_grad=True)


def frozen(state):
    """The state of an optimizer to the bit."""
    return {name: {key: v.tobytes() if isinstance(v, np.ndarray) else v for key, v in held.items()}
            for name, held in state.items()}


def train(w, gradients, opt):
    """Give one gradient after another; return where each step led."""
    path = []
    for g in gradients:
        w.grad = g
        opt.step()
        path.append(w.data)
    return np.array(path)

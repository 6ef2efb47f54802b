"""What the tests of optimizers and hooks share: optimizers to run, parameters, and a training loop."""

from functools import partial

import numpy as np
import pytest

import minigrad as mg
from minigrad import optim

near = partial(pytest.approx, abs=0)
"""Near by digits alone: without ``abs``, whatever is below 1e-12 would be near 0."""

GRADIENTS = ([3.0, 4.0], [30.0, -40.0], [0.3, 0.4])
OPTIMIZERS = {
    "SGD": lambda params, **kw: optim.SGD(params, **{"lr": 0.1, **kw}),
    "momentum": lambda params, **kw: optim.SGD(params, **{"lr": 0.1, "momentum": 0.9, **kw}),
    "nesterov": lambda params, **kw: optim.SGD(params, **{"lr": 0.1, "momentum": 0.9, "nesterov": True, **kw}),
    "dampening": lambda params, **kw: optim.SGD(params, **{"lr": 0.1, "momentum": 0.5, "dampening": 0.5, **kw}),
    "Adam": lambda params, **kw: optim.Adam(params, **{"lr": 0.1, **kw}),
    "AMSGrad": lambda params, **kw: optim.Adam(params, **{"lr": 0.1, "amsgrad": True, **kw}),
    # No hook sees the decay of AdamW, so it would be missing in tests that compare what hooks saw with what was done.
    "AdamW": lambda params, **kw: optim.AdamW(params, **{"lr": 0.1, "weight_decay": 0.0, **kw}),
    "RMSprop": lambda params, **kw: optim.RMSprop(params, **{"lr": 0.1, **kw}),
    "centered": lambda params, **kw: optim.RMSprop(params, **{"lr": 0.1, "momentum": 0.5, "centered": True, **kw}),
    "Adagrad": lambda params, **kw: optim.Adagrad(params, **{"lr": 0.1, **kw}),
}
WITHOUT_MOMENTUM = ("SGD", "RMSprop", "Adagrad")
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

"""The arguments of optimizers: names of parameters, learning rates, other settings, and what is refused."""

import math
import re

import numpy as np
import pytest
from optimizing import GRADIENTS, every_optimizer, param, train

from minigrad import optim

# --------------------------------------------------------------------------------------------- the names

def test_names():
    a, b = param([1.0]), param([2.0])
    for params, names in (({"x": a, "y": b}, ["x", "y"]), ([("x", a), ("y", b)], ["x", "y"]),
                          ([a, b], ["param0", "param1"]), ((p for p in (a, b)), ["param0", "param1"]),
                          ([("x", a), ("y", b), ("z", a)], ["x", "y"]), ([("param1", a), b], ["param1", "param1#1"])):
        assert list(optim.SGD(params, lr=1.0).params) == names


USED_UP = iter([])
KINDS = (optim.SGD, optim.Adam, optim.AdamW, optim.RMSprop, optim.Adagrad)


@pytest.mark.parametrize(("params", "error", "text"), [
    (lambda: [("x", param([1.0])), ("x", param([2.0]))], ValueError, "two parameters are named 'x'"),
    (lambda: [], ValueError, "no parameters"), (lambda: USED_UP, ValueError, "used up"),
    (lambda: param([1.0]), TypeError, "list of parameters"), (lambda: [np.ones(2)], TypeError, "ndarray"),
    (lambda: [param([1.0]) * 2], TypeError, "no leaf")])
def test_bad_parameters(params, error, text):
    for kind in KINDS:
        with pytest.raises(error, match=text):
            kind(params(), lr=0.1)


@pytest.mark.parametrize("lr", [-0.1, math.nan, math.inf, True, "0.1"])
@pytest.mark.parametrize("kind", KINDS)
def test_bad_learning_rates(kind, lr):
    """In the same words wherever they are given."""
    opt = kind([param([1.0])], lr=0.5)

    def assign(place):
        place["lr"] = lr
        opt.step()

    for give in (lambda: kind([param([1.0])], lr=lr), lambda: setattr(opt, "lr", lr),
                 lambda: assign(opt.param_groups[0])):
        with pytest.raises(ValueError, match=re.escape(f"lr = {lr!r}: must be a number >= 0, and finite")):
            give()
        opt.param_groups[0]["lr"] = opt.lr if opt.lr == 0.5 else 0.5


@every_optimizer
def test_a_learning_rate_of_zero_is_one(make):
    """Given, or assigned; the moments go on."""
    w = param([1.0, 2.0])
    opt = make([w], lr=0, weight_decay=0.1)
    assert train(w, GRADIENTS, opt)[-1].tolist() == [1.0, 2.0]
    opt.lr = 0.5
    assert train(w, GRADIENTS, opt)[-1].tolist() != [1.0, 2.0]
    opt.lr, held = 0, w.data.tolist()
    assert train(w, GRADIENTS, opt)[-1].tolist() == held


@pytest.mark.parametrize(("kind", "arguments"), [
    (optim.SGD, {"momentum": 1.0}), (optim.SGD, {"momentum": -0.1}), (optim.SGD, {"weight_decay": -1}),
    (optim.SGD, {"weight_decay": math.nan}), (optim.SGD, {"nesterov": True}), (optim.Adam, {"betas": (0.9, 1.0)}),
    (optim.Adam, {"betas": (-0.1, 0.9)}), (optim.Adam, {"betas": (0.9,)}), (optim.Adam, {"eps": 0}),
    (optim.Adam, {"weight_decay": -1}), (optim.Adam, {"betas": 0.9}), (optim.Adam, {"amsgrad": 1}),
    (optim.SGD, {"dampening": -1}), (optim.SGD, {"nesterov": True, "momentum": 0.9, "dampening": 0.1}),
    (optim.SGD, {"momentum": "0.9"}), (optim.AdamW, {"weight_decay": math.inf}), (optim.AdamW, {"betas": (0.9, 1.0)}),
    (optim.RMSprop, {"alpha": 1.0}), (optim.RMSprop, {"alpha": -0.1}), (optim.RMSprop, {"eps": 0}),
    (optim.RMSprop, {"momentum": 1.0}), (optim.RMSprop, {"centered": None}), (optim.RMSprop, {"weight_decay": True}),
    (optim.Adagrad, {"lr_decay": -1}), (optim.Adagrad, {"eps": math.nan}),
    (optim.Adagrad, {"initial_accumulator_value": -1})])
def test_bad_settings(kind, arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        kind([param([1.0])], lr=0.1, **arguments)


@pytest.mark.parametrize("weight", [0, -1, math.nan, math.inf])
def test_a_weight_is_a_number_of_items(weight):
    w = param([1.0])
    opt = optim.SGD([w], lr=1.0)
    w.grad = [1.0]
    with pytest.raises(ValueError, match="weight"):
        opt.step(weight=weight)
    assert (w.item(), opt.micro_steps) == (1.0, 0)

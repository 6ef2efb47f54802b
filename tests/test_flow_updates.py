"""The ratio of the next update to the weights: what the optimizer would do, found without doing it."""

import copy
import re

import numpy as np
import pytest
from flows import batch, mlp

import minigrad as mg
from minigrad import hooks, optim
from minigrad.nn import functional as F

OPTIMIZERS = {
    "SGD": lambda ps: optim.SGD(ps, lr=0.1, momentum=0.9),
    "Adam": lambda ps: optim.Adam(ps, lr=0.01),
    "AdamW": lambda ps: optim.AdamW(ps, lr=0.01, weight_decay=0.5),
    "clipped": lambda ps: optim.SGD(ps, lr=0.1, hooks=[hooks.ClipNorm(1e-3)], trace=mg.NormTrace()),
    "groups": lambda ps: optim.SGD([{"params": ps[:2], "lr": 1.0}, {"params": ps[2:], "lr": lambda k: 0.1 / (1 + k)}],
                                   lr=0.5),
    "update hooks": lambda ps: optim.RMSprop(ps, lr=0.01, update_hooks=[hooks.ClipNorm(1e-6)]),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("steps", [0, 3])
def test_it_is_what_the_next_step_does(name, steps):
    net, (x, y) = mlp(3, 6), batch(6)
    opt = OPTIMIZERS[name](net.parameters())
    for _ in range(steps):
        opt.zero_grad()
        F.cross_entropy(net(x), y).backward()
        opt.step()
    held = copy.deepcopy(opt.state_dict())
    rows = mg.flow(net, F.cross_entropy, (x, y), optimizer=opt).rows
    assert str(opt.state_dict()) == str(held)
    assert opt.updates == steps
    assert opt.trace is None or len(list(opt.trace.steps())) == steps
    before = {n: np.array(p.data) for n, p in net.named_parameters()}
    opt.zero_grad()
    F.cross_entropy(net(x), y).backward()
    opt.step()
    for row, key in zip(rows, ("0.weight", "2.weight", "4.weight", "6.weight")):
        moved = np.linalg.norm(dict(net.named_parameters())[key].data - before[key])
        assert row.update_to_data == pytest.approx(moved / np.linalg.norm(before[key]), rel=1e-6, abs=1e-16)


def test_it_is_exact_where_the_update_is_lost_in_rounding():
    net, (x, y) = mlp(3, 6), batch(6)
    tiny = mg.flow(net, F.cross_entropy, (x, y), optimizer=optim.SGD(net.parameters(), lr=1e-40)).rows
    plain = mg.flow(net, F.cross_entropy, (x, y), lr=1.0).rows
    assert [r.update_to_data for r in tiny] == pytest.approx([1e-40 * r.update_to_data for r in plain], rel=1e-9)
    assert plain[0].update_to_data == pytest.approx(plain[0].gradient / np.linalg.norm(net[0].weight.data))


def test_without_an_optimizer_it_is_none_and_said_so():
    found = mg.flow(mlp(3, 6), F.cross_entropy, batch(6))
    assert all(row.update_to_data is None for row in found.rows)
    assert "no optimizer= or lr= was given" in str(found)
    assert "update/data" not in str(found)


@pytest.mark.parametrize(("hook", "words"), [
    (hooks.Accumulate(4), "would hold"),
    (lambda grads, ctx: hooks.SKIP.because("it is Sunday"), "would skip \\(it is Sunday\\)"),
])
def test_where_there_would_be_no_update_the_report_says_why(hook, words):
    net, (x, y) = mlp(2, 4), batch(4)
    opt = optim.SGD(net.parameters(), lr=0.1, hooks=[hook])
    found = mg.flow(net, F.cross_entropy, (x, y), optimizer=opt)
    assert found.rows[0].update_to_data is None
    assert re.search(words, str(found))
    assert opt.micro_steps == opt.held == 0


def test_an_optimizer_that_would_raise():
    net = mlp(2, 4)
    opt = optim.SGD(net.parameters(), lr=0.1, hooks=[hooks.NonFinite("raise")])
    found = mg.flow(net, lambda h, y: h.sum() * np.inf, batch(4), optimizer=opt)
    assert any("would raise FloatingPointError" in note for note in found.notes)


def test_an_optimizer_of_a_part_of_the_net():
    net, (x, y) = mlp(2, 4), batch(4)
    opt = optim.SGD(net[2].parameters(), lr=0.1)
    rows = mg.flow(net, F.cross_entropy, (x, y), optimizer=opt).rows
    assert [row.update_to_data is None for row in rows] == [True, False, True]
    assert all(p.grad is None for p in net.parameters())

"""Observers of the time steps, for use inside minigrad: states and deltas as step hooks leave them."""

import gc
import weakref

import numpy as np
import pytest
from stepping import D, H, N, T, each, gradients, loss_of, make, seeds_of, watch
from twins import waves

import minigrad as mg
from minigrad import nn


def observed(net):
    """Have a net observed; return what is seen, as a list for each layer of each pass, and the handle."""
    passes = []

    def begin(layer):
        seen = []
        passes.append((layer, seen))
        return lambda g, t, h: seen.append((t, g.data.copy(), h))

    return passes, net._observe_steps(begin)


@each
def test_an_observer_sees_states_and_what_step_hooks_leave(name, layers):
    """Hooks registered before and after it act first, also where they are not of its state or layer."""
    net, x, log, seeds = make(name, layers), waves(T, N, D), {}, seeds_of(name, layers)
    net.register_step_hook(lambda g, t: g * 2)
    passes, _ = observed(net)
    net.register_step_hook(lambda g, t: g.clamp(-0.5, 0.5), layer=-1)
    watch(net, log)
    out, last = net(x)
    loss_of((out, last), seeds).backward()
    plain = gradients(net)
    assert [layer for layer, _ in passes] == list(range(layers))
    for layer, seen in passes:
        assert [t for t, _, _ in seen] == list(reversed(range(T)))
        for t, g, h in seen:
            np.testing.assert_array_equal(g, log["h", layer, t])
            assert type(h) is np.ndarray
            if layer == layers - 1:
                np.testing.assert_array_equal(h, out.data[t])
        np.testing.assert_array_equal(seen[0][2], (last[0] if name == "LSTM" else last).data[layer])
    other = make(name, layers)
    other.register_step_hook(lambda g, t: g * 2)
    other.register_step_hook(lambda g, t: g.clamp(-0.5, 0.5), layer=-1)
    loss_of(other(x), seeds).backward()
    assert all((g.data == plain[key].data).all() for key, g in gradients(other).items())        # it only looks


def test_an_observer_begins_with_every_pass_on_the_tape_and_ends_when_removed():
    net, x = nn.GRU(D, H), waves(T, N, D)
    passes, handle = observed(net)
    with mg.no_grad():
        net(x)
    assert passes == []
    first, second = net(x)[0].sum(), net(x[:2])[0].sum()
    second.backward(retain_graph=True)
    assert [len(seen) for _, seen in passes] == [0, 2]
    first.backward()
    assert [len(seen) for _, seen in passes] == [T, 2]
    handle.remove()
    second.backward()
    net(x)[0].sum().backward()
    assert [len(seen) for _, seen in passes] == [T, 2]


@pytest.mark.parametrize("backward", [True, False])
def test_what_observes_a_pass_goes_with_its_loss(backward):
    net, held = nn.LSTM(D, H, 2), []

    def begin(layer):
        def arrived(g, t, h):
            states[t] = h

        states = {}
        held.append(weakref.ref(arrived))
        return arrived

    net._observe_steps(begin)
    gc.collect()
    gc.disable()
    try:
        loss = net(waves(T, N, D))[0].sum()
        if backward:
            loss.backward(retain_graph=True)
        assert [ref() is None for ref in held] == [False] * 2
        del loss
        assert [ref() is None for ref in held] == [True] * 2
    finally:
        gc.enable()

"""Nets, descents and small measurements that several claims share."""

import itertools

import numpy as np

import minigrad as mg
from minigrad import hooks, nn, optim
from minigrad.norms import norm


def deep_net(kind, depth, width, gain=1.0, bias=0.0, rng=None):
    """Return a plain net of ``depth`` layers Linear and activation, W ~ N(0, gain^2 / width), b ~ N(0, bias^2)."""
    layers = []
    for _ in range(depth):
        linear = nn.Linear(width, width, rng=rng)
        nn.init.normal_(linear.weight, std=gain / width ** 0.5, rng=rng)
        nn.init.normal_(linear.bias, std=bias, rng=rng)
        layers += [linear, kind()]
    return nn.Sequential(*layers)


def weights(grads):
    """Return the gradients of the weight matrices, first layer first, of a dict name -> gradient."""
    return [g for name, g in grads.items() if name.endswith("weight")]


def profile(grads):
    """Return ||dL/dW|| of each layer, first layer first."""
    return np.array([norm([g]) for g in weights(grads)])


def gradients(net, loss):
    """Return name -> gradient of a loss, as arrays."""
    net.zero_grad()
    loss.backward()
    return {name: p.grad.data for name, p in net.named_parameters()}


def apart(grads, others):
    """Return ||a - b|| / ||b|| of two dicts name -> gradient."""
    return norm([grads[name] - g for name, g in others.items()]) / norm(others.values())


def descend(f, start, lr, steps, hook=(), make=optim.SGD, enough=None):
    """Go down a function of one tensor; return all places, the start first.

    Args:
        f: tensor -> loss.
        start: where to begin.
        hook: the gradient hooks.
        make: the optimizer.
        enough: place -> whether to stop there.
    """
    w = mg.tensor(np.array(start, float), requires_grad=True)
    opt = make([w], lr=lr, hooks=list(hook))
    path = [w.data]
    for _ in range(steps):
        if enough is not None and enough(path[-1]):
            break
        opt.zero_grad()
        f(w).backward()
        opt.step()
        path.append(w.data)
    return np.array(path)


def follow(stream, lr, hook=(), make=optim.SGD, start=0.0):
    """Give an optimizer gradients that are known beforehand; return the places, the start first."""
    stream = np.asarray(stream, float)
    w = mg.tensor(np.broadcast_to(np.asarray(start, float), stream[0].shape).copy(), requires_grad=True)
    opt = make([w], lr=lr, hooks=list(hook))
    path = [w.data]
    for g in stream:
        w.grad = g
        opt.step()
        path.append(w.data)
    return np.array(path)


def through(hook, *arrays):
    """Return what one hook makes of some arrays, and the arrays themselves, as two dicts."""
    grads = {str(place): np.asarray(a, float) for place, a in enumerate(arrays)}
    return hooks.apply_hooks([hook], grads), grads


def angle(a, b):
    """Return the angle between two arrays, in degrees."""
    from minigrad.norms import cosine

    return float(np.degrees(np.arccos(cosine([np.asarray(a, float)], [np.asarray(b, float)]))))


def digits_net(width, rng, kind=nn.ReLU, hidden=1):
    """Return a net 64 - width - ... - 10 for handwritten digits."""
    sizes = [64] + [width] * hidden
    layers = [nn.Flatten()]
    for a, b in itertools.pairwise(sizes):
        layers += [nn.Linear(a, b, rng=rng), kind()]
    return nn.Sequential(*layers, nn.Linear(sizes[-1], 10, rng=rng))

"""A deep tanh MLP: 100 layers, width 64, batch 32, forward and backward."""

import numpy as np

from minigrad import nn

TITLE = "MLP, 100 tanh layers, width 64, batch 32"
LAYERS, WIDTH, BATCH = 100, 64, 32


def contenders(torch=None):
    """Return name -> function; each runs forward and backward and returns all weight and bias gradients."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(BATCH, WIDTH)), rng.normal(size=(BATCH, WIDTH))
    weights = [rng.normal(size=(WIDTH, WIDTH)) / WIDTH ** 0.5 for _ in range(LAYERS)]
    biases = [0.1 * rng.normal(size=WIDTH) for _ in range(LAYERS)]

    def by_hand():
        states = [x]
        for w, b in zip(weights, biases):
            a = states[-1] @ w.T
            a += b
            states.append(np.tanh(a, out=a))
        g = states[-1] - y
        g *= 2 / g.size
        grads = []
        for w, h, below in zip(reversed(weights), reversed(states), reversed(states[:-1])):
            slope = h * h
            np.subtract(1, slope, out=slope)
            g *= slope
            grads += [g.sum(axis=0), g.T @ below]
            g = g @ w
        return grads[::-1]

    net = nn.Sequential(*[m for _ in range(LAYERS) for m in (nn.Linear(WIDTH, WIDTH), nn.Tanh())])
    for layer, w, b in zip(list(net.named_children())[::2], weights, biases):
        layer[1].weight.data, layer[1].bias.data = w, b
    parameters = net.parameters()

    def minigrad():
        net.zero_grad()
        nn.functional.mse_loss(net(x), y).backward()
        return [p.grad.data for p in parameters]

    found = {"NumPy by hand": by_hand, "minigrad": minigrad}
    if torch is not None:
        found["PyTorch eager"] = with_torch(torch, x, y, weights, biases)
    return found


def with_torch(torch, x, y, weights, biases):
    """Return the same net in PyTorch's eager mode."""
    net = torch.nn.Sequential(*[m for _ in weights for m in (torch.nn.Linear(WIDTH, WIDTH).double(), torch.nn.Tanh())])
    with torch.no_grad():
        for layer, w, b in zip(net[::2], weights, biases):
            layer.weight.copy_(torch.from_numpy(w))
            layer.bias.copy_(torch.from_numpy(b))
    tx, ty, parameters = torch.from_numpy(x), torch.from_numpy(y), list(net.parameters())

    def run():
        net.zero_grad()
        torch.nn.functional.mse_loss(net(tx), ty).backward()
        return [p.grad.numpy() for p in parameters]

    return run

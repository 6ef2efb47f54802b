"""A deep sigmoid net with and without batch normalisation; forward hooks that register tensor hooks; bars of gradients.

As in the notebooks that show vanishing gradients: dL/dh of every layer by hooks, the mean absolute gradient of every
weight, and the total norm added up by hand.
"""

import minigrad as torch
import minigrad.nn as nn
import minigrad.nn.functional as F


def make(depth, width, normalise):
    layers = []
    for _ in range(depth):
        layers.append(nn.Linear(width, width))
        if normalise:
            layers.append(nn.BatchNorm1d(width))
        layers.append(nn.Sigmoid())
    return nn.Sequential(*layers, nn.Linear(width, 2))


def watch(net):
    seen, handles = {}, []

    def hook_of(name):
        def forward_hook(module, inputs, output):
            output.register_hook(lambda grad: seen.__setitem__(name, grad.abs().mean().item()))
        return forward_hook

    for name, module in net.named_modules():
        if isinstance(module, nn.Sigmoid):
            handles.append(module.register_forward_hook(hook_of(name)))
    return seen, handles


def train(data, start, normalise, steps=50):
    net = make(6, 5, normalise)
    start(net)
    net.train()
    seen, handles = watch(net)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.5)
    losses, totals = [], []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = F.cross_entropy(net(data["x"]), data["y"])
        loss.backward()
        total_norm = 0
        for p in net.parameters():
            param_norm = p.grad.norm(2)
            total_norm += param_norm.item() ** 2
        totals.append(total_norm ** 0.5)
        optimizer.step()
        losses.append(loss.item())
    bars = [p.grad.abs().mean().item() for n, p in net.named_parameters() if p.requires_grad and "bias" not in n]
    deltas = list(seen.values())
    for handle in handles:
        handle.remove()
    seen.clear()
    net.eval()
    with torch.no_grad():
        answers = torch.argmax(net(data["x"]), dim=1)
    assert not seen
    right = (answers == data["y"]).sum().item()
    return {"loss": losses, "total norm": totals, "bars": bars, "deltas": deltas, "right": [right]}


def run(data, start):
    return {f"{key}, {'with' if normalise else 'without'} BatchNorm": value for normalise in (False, True)
            for key, value in train(data, start, normalise).items()}

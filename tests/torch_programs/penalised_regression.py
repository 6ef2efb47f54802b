"""A regression with several optimizers, parameter groups, a layer of one's own, and a penalty on the input gradient."""

import minigrad as torch
import minigrad.nn as nn
import minigrad.nn.functional as F
import minigrad.optim as optim


class Scaled(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(size))

    def forward(self, x):
        return F.softplus(x * self.scale)


OPTIMIZERS = {
    "SGD": lambda groups: optim.SGD(groups, lr=0.05, momentum=0.9, nesterov=True, weight_decay=0.01),
    "Adam": lambda groups: optim.Adam(groups, lr=0.05, amsgrad=True),
    "RMSprop": lambda groups: optim.RMSprop(groups, lr=0.01, centered=True),
    "Adagrad": lambda groups: optim.Adagrad(groups, lr=0.1),
}


def train(data, start, make, steps=50):
    net = nn.Sequential(nn.Linear(6, 5), Scaled(5), nn.LayerNorm(5), nn.Linear(5, 1))
    start(net)
    optimizer = make([{"params": net[0].parameters()}, {"params": [p for m in net[1:] for p in m.parameters()],
                                                       "lr": 0.02}])
    losses = []
    for _ in range(steps):
        x = data["x"].clone().requires_grad_(True)
        y = net(x).squeeze(-1)
        slope, = torch.autograd.grad(y.sum(), x, create_graph=True)
        loss = F.smooth_l1_loss(y, data["y"].double() - 1) + 0.1 * (slope ** 2).sum(dim=1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def run(data, start):
    return {name: train(data, start, make) for name, make in OPTIMIZERS.items()}

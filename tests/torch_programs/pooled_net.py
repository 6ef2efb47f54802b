"""Article 001, its second program (Keras there): convolutions, max pooling, softmax, and cross-entropy of the softmax.

Its ``gradient_clipping`` reads an attribute ``grad`` of layers, which layers don't have: no gradient is ever touched.
It also asks for a loss ``from_logits`` of outputs that went through softmax already; that is kept as it is, as the
losses show it: they cannot come below ln(e + 9) - 1 = 1.461.
"""

import minigrad as torch
import minigrad.nn as nn
import minigrad.optim as optim


def make(side):
    after = ((side - 2) // 2 - 2) // 2
    return nn.Sequential(
        nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(64 * after * after, 128), nn.ReLU(), nn.Linear(128, 10), nn.Softmax(dim=1))


def as_printed(model, max_norm=1.0):
    gradients = []
    for layer in model.children():
        if hasattr(layer, "grad") and layer.training:
            gradients.append(layer.grad)
    if gradients and torch.stack(gradients).norm() > max_norm:
        raise AssertionError("no layer has an attribute grad, so this is never reached")
    return len(gradients)


def run(data, start, steps=50):
    model = make(data["x"].shape[-1])
    start(model)
    optimizer = optim.Adam(model.parameters(), lr=0.001)
    losses, touched = [], []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(data["x"]), data["y"])
        loss.backward()
        before = [p.grad.clone() for p in model.parameters()]
        touched.append(float(as_printed(model)))
        touched[-1] += sum(float((p.grad - g).abs().max()) for p, g in zip(model.parameters(), before))
        optimizer.step()
        losses.append(loss.item())
    return {"loss": losses, "touched": touched}

"""Article 004: clip by value, clip by norm (L1 and L2), and accumulate four micro-batches for Adam.

The article's other accumulating program (TensorFlow there) differentiates the loss of the last micro-batch only, scaled
by 1/n; ``last_only`` is that program, and ``accumulated`` the one that does what it says.
"""

import minigrad as torch
import minigrad.nn as nn


def make(start):
    model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))
    start(model)
    return model, nn.CrossEntropyLoss()


def clipped(data, start, clip, steps=50):
    model, criterion = make(start)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = criterion(model(data["x"]), data["y"])
        loss.backward()
        clip(model.parameters())
        optimizer.step()
        losses.append(loss.item())
    return losses


def accumulated(data, start, accumulation_steps=4, epochs=50):
    model, criterion = make(start)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    batches = list(zip(data["x"].split(4), data["y"].split(4)))
    losses = []
    for i, (inputs, targets) in enumerate(batches * epochs):
        outputs = model(inputs)
        loss = criterion(outputs, targets)
        loss = loss / accumulation_steps
        loss.backward()
        losses.append(loss.item())
        if (i + 1) % accumulation_steps == 0:
            optimizer.step()
            optimizer.zero_grad()
    return losses[:accumulation_steps * 50]


def last_only(data, start, accumulation_steps=4, epochs=50):
    model, criterion = make(start)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    batches = list(zip(data["x"].split(4), data["y"].split(4)))
    losses = []
    for i, (inputs, targets) in enumerate(batches * epochs):
        loss = criterion(model(inputs), targets) / accumulation_steps
        losses.append(loss.item())
        if (i + 1) % accumulation_steps == 0:
            optimizer.zero_grad()
            loss.backward()             # of the four, this is the last one
            optimizer.step()
    return losses


def gradient_of(data, start, batches):
    model, criterion = make(start)
    for i in batches:
        (criterion(model(data["x"].split(4)[i]), data["y"].split(4)[i]) / 4).backward()
    return torch.cat([p.grad.flatten() for p in model.parameters()]).tolist()


def run(data, start):
    utils = nn.utils
    return {
        "by value": clipped(data, start, lambda p: utils.clip_grad_value_(p, clip_value=0.02)),
        "by norm, L2": clipped(data, start, lambda p: utils.clip_grad_norm_(p, max_norm=0.1)),
        "by norm, L1": clipped(data, start, lambda p: utils.clip_grad_norm_(p, max_norm=0.5, norm_type=1)),
        "accumulated": accumulated(data, start), "last only": last_only(data, start),
        "gradient, accumulated": gradient_of(data, start, [0, 1, 2, 3]),
        "gradient, last only": gradient_of(data, start, [3]),
    }

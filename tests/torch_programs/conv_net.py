"""Article 001: a convolutional net, log_softmax, cross-entropy, and a function that is said to clip.

The article's flattened size, 64 * 6 * 6, fits no image; the size that really results is computed here.  Its
``gradient_clipping`` hands gradients over where parameters are wanted, and returns early above a million parameters: it
never clips.  ``corrected`` is what it meant.
"""

import minigrad as torch
import minigrad.nn as nn
import minigrad.optim as optim


class Net(nn.Module):
    def __init__(self, side):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, 3, 1)
        self.conv2 = nn.Conv2d(32, 64, 3, 1)
        self.fc1 = nn.Linear(64 * ((side - 4) // 2) ** 2, 128)
        self.fc2 = nn.Linear(128, 10)

    def forward(self, x):
        x = self.conv1(x)
        x = nn.functional.relu(x)
        x = self.conv2(x)
        x = nn.functional.relu(x)
        x = nn.functional.avg_pool2d(x, 2)
        x = torch.flatten(x, 1)
        x = self.fc1(x)
        x = nn.functional.relu(x)
        x = self.fc2(x)
        output = nn.functional.log_softmax(x, dim=1)
        return output


def as_printed(model, max_norm=1.0):
    parameters = model.parameters()
    nparams = sum([p.numel() for p in parameters])
    if nparams > 1e6:
        return None
    gradients = []
    for p in model.parameters():
        if p.grad is not None:
            gradients.append(p.grad)
    norm = torch.nn.utils.clip_grad_norm_(gradients, max_norm)
    return norm


def corrected(model, max_norm=1.0):
    return torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)


def total_norm(model):
    return torch.stack([p.grad.norm() for p in model.parameters()]).norm().item()


def run(data, start, clipping=corrected, steps=50, lr=0.01, max_norm=1.0):
    model = Net(data["x"].shape[-1])
    start(model)
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.SGD(model.parameters(), lr=lr)
    batches = list(zip(data["x"].split(4), data["y"].split(4)))
    losses, before, after = [], [], []
    for i in range(steps):
        inputs, labels = batches[i % len(batches)]
        optimizer.zero_grad()
        outputs = model(inputs)
        loss = criterion(outputs, labels)
        loss.backward()
        before.append(total_norm(model))
        clipping(model, max_norm=max_norm)
        after.append(total_norm(model))
        optimizer.step()
        losses.append(loss.item())
    return {"loss": losses, "norm before": before, "norm after": after}

"""Article 003: descent on sum(theta^2) with the gradient clipped by value.

The article's program stops at a name it never defined (``epsilon``), and ``np.gradient`` of one number is no
derivative; this is the descent that it describes.  It also lets the threshold be the learning rate: kept apart here.
"""

import minigrad as torch


def loss_function(theta):
    return torch.sum(theta ** 2)


def run(data, start, epsilon=0.1, lr=0.1, steps=50):
    theta = data["theta"].clone().requires_grad_()
    losses, largest = [], []
    for _ in range(steps):
        loss = loss_function(theta)
        loss.backward()
        torch.nn.utils.clip_grad_value_([theta], epsilon)
        largest.append(theta.grad.abs().max().item())
        with torch.no_grad():
            theta -= lr * theta.grad
        theta.grad = None
        losses.append(loss.item())
    return {"loss": losses, "largest gradient": largest}

"""Article 002: linear regression by hand with value clipping, and gradient regularisation.

The article's regularised gradient, sign(g) * abs(g) * l1 + g * l2, is (l1 + l2) * g: a smaller learning rate.  The
formula beside it, L + lam * ||g||_p, needs the gradient of a gradient; ``penalised`` takes it.
"""

import minigrad as torch


def squared_error(x, y, theta):
    return ((x @ theta - y) ** 2).mean()


def by_hand(x, y, theta):
    m = len(y)
    return 2 / m * (x.T @ (x @ theta - y))


def clipped(data, theta, eta=0.1, clip_value=0.5, steps=50):
    x, y, losses = data["x"], data["y"], []
    for _ in range(steps):
        losses.append(squared_error(x, y, theta).item())
        theta = theta - eta * torch.clamp(by_hand(x, y, theta), -clip_value, clip_value)
    return losses


def as_printed(data, theta, l1_ratio=0.3, l2_ratio=0.2, eta=0.1, steps=50):
    x, y, losses = data["x"], data["y"], []
    for _ in range(steps):
        losses.append(squared_error(x, y, theta).item())
        g = by_hand(x, y, theta)
        g_l1 = torch.sign(g) * torch.abs(g) * l1_ratio
        g_l2 = g * l2_ratio
        theta = theta - eta * (g_l1 + g_l2)
    return losses


def plain(data, theta, eta=0.1, steps=50):
    x, y, losses = data["x"], data["y"], []
    for _ in range(steps):
        losses.append(squared_error(x, y, theta).item())
        theta = theta - eta * by_hand(x, y, theta)
    return losses


def penalised(data, theta, lam=0.1, p=2, eta=0.1, steps=50):
    x, y, losses, norms = data["x"], data["y"], [], []
    theta = theta.clone().requires_grad_()
    for _ in range(steps):
        loss = squared_error(x, y, theta)
        g, = torch.autograd.grad(loss, theta, create_graph=True)
        total = loss + lam * g.norm(p)
        total.backward()
        with torch.no_grad():
            theta -= eta * theta.grad
        theta.grad.zero_()
        losses.append(total.item())
        norms.append(g.norm(p).item())
    return losses, norms


def run(data, start):
    theta = data["theta"]
    one, one_norms = penalised(data, theta, p=1)
    two, two_norms = penalised(data, theta, p=2)
    return {"clipped": clipped(data, theta), "as printed": as_printed(data, theta),
            "half the learning rate": plain(data, theta, eta=0.05), "penalised, p = 1": one,
            "its gradient norm, p = 1": one_norms, "penalised, p = 2": two, "its gradient norm, p = 2": two_norms}

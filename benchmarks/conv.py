"""The convolutional net of an article on gradient clipping: two convolutions, average pooling, two linear layers.

(The article's first linear layer takes 64 * 6 * 6 numbers, which fits images of 16x16; here it fits those of 28x28.)
"""

from types import SimpleNamespace

import numpy as np

from benchmarks.work import HAND, MINIGRAD, TORCH, Work, one_thread

NAMES = ("conv1.weight", "conv1.bias", "conv2.weight", "conv2.bias", "fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias")


def problem(dtype, batch, side):
    """Return images (N, 1, side, side), labels, and the parameters by name."""
    rng = np.random.default_rng(0)
    pooled = (side - 4) // 2
    shapes = ((32, 1, 3, 3), (32,), (64, 32, 3, 3), (64,), (128, 64 * pooled ** 2), (128,), (10, 128), (10,))
    values = {name: (rng.normal(size=shape) / max(1, np.prod(shape[1:])) ** 0.5).astype(dtype)
              for name, shape in zip(NAMES, shapes)}
    return SimpleNamespace(x=rng.normal(size=(batch, 1, side, side)).astype(dtype), y=rng.integers(0, 10, size=batch),
                           pooled=pooled, values=values, dtype=dtype)


def windows(images, columns):
    """Write the 3x3 windows of images (H, W, C) to the rows of columns (H - 2, W - 2, 3, 3, C)."""
    height, width = columns.shape[:2]
    for i in range(3):
        for j in range(3):
            columns[:, :, i, j] = images[i:i + height, j:j + width]


def by_hand(p):
    """Channels last; windows and products image by image, so that they stay in the cache; all weights' sums at once."""
    batch, _, side, _ = p.x.shape
    one, two, pooled = side - 2, side - 4, p.pooled
    images = p.x.reshape(batch, side, side, 1)
    w1, b1, w2, b2, v1, c1, v2, c2 = (p.values[name] for name in NAMES)
    w1 = np.ascontiguousarray(w1.transpose(0, 2, 3, 1)).reshape(32, -1)         # kept as the layout wants them
    w2 = np.ascontiguousarray(w2.transpose(0, 2, 3, 1)).reshape(64, -1)
    v1 = np.ascontiguousarray(v1.reshape(128, 64, pooled, pooled).transpose(0, 2, 3, 1)).reshape(128, -1)
    columns1, columns2 = (np.empty((batch, size, size, 3, 3, channels), p.dtype)
                          for size, channels in ((one, 1), (two, 32)))
    h1, h2 = np.empty((batch, one, one, 32), p.dtype), np.empty((batch, two, two, 64), p.dtype)
    d1, d2, back = np.empty_like(h1), np.empty_like(h2), np.empty((two, two, 3, 3, 32), p.dtype)
    alive1, alive2 = np.empty(h1.shape, bool), np.empty(h2.shape, bool)
    pool = np.empty((batch, pooled, pooled, 64), p.dtype)
    corners = [(slice(None), slice(i, None, 2), slice(j, None, 2)) for i in (0, 1) for j in (0, 1)]
    rows = np.arange(batch)

    def run():
        for n in range(batch):
            windows(images[n], columns1[n])
            np.dot(columns1[n].reshape(-1, 9), w1.T, h1[n].reshape(-1, 32))
            np.add(h1[n], b1, h1[n])
            np.maximum(h1[n], 0, out=h1[n])
            windows(h1[n], columns2[n])
            np.dot(columns2[n].reshape(-1, 288), w2.T, h2[n].reshape(-1, 64))
            np.add(h2[n], b2, h2[n])
            np.maximum(h2[n], 0, out=h2[n])
        np.add(h2[corners[0]], h2[corners[1]], pool)
        np.add(pool, h2[corners[2]], pool)
        np.add(pool, h2[corners[3]], pool)
        np.multiply(pool, 0.25, pool)
        flat = pool.reshape(batch, -1)
        h3 = flat @ v1.T
        h3 += c1
        np.maximum(h3, 0, out=h3)
        g = h3 @ v2.T
        g += c2
        g -= g.max(axis=1, keepdims=True)
        np.exp(g, g)
        g /= g.sum(axis=1, keepdims=True)
        g[rows, p.y] -= 1
        g /= batch
        dv2, dc2, d3 = g.T @ h3, g.sum(axis=0), g @ v2
        d3 *= h3 > 0
        dv1, dc1, d_pool = d3.T @ flat, d3.sum(axis=0), (d3 @ v1).reshape(pool.shape)
        d_pool *= 0.25
        np.greater(h2, 0, alive2)
        for corner in corners:
            np.multiply(d_pool, alive2[corner], d2[corner])
        np.greater(h1, 0, alive1)
        for n in range(batch):
            d = d1[n]
            np.dot(d2[n].reshape(-1, 64), w2, back.reshape(-1, 288))
            d.fill(0)
            for i in range(3):
                for j in range(3):
                    d[i:i + two, j:j + two] += back[:, :, i, j]
            np.multiply(d, alive1[n], d)
        dw2 = d2.reshape(-1, 64).T @ columns2.reshape(-1, 288)
        dw1 = d1.reshape(-1, 32).T @ columns1.reshape(-1, 9)
        dw2, dv1 = dw2.reshape(64, 3, 3, 32), dv1.reshape(128, pooled, pooled, 64)
        return [dw1.reshape(32, 1, 3, 3), d1.reshape(-1, 32).sum(axis=0), dw2.transpose(0, 3, 1, 2),
                d2.reshape(-1, 64).sum(axis=0), dv1.transpose(0, 3, 1, 2).reshape(128, -1), dc1, dv2, dc2]

    return run


def module(nn, functional, flatten, pooled, **kwargs):
    """Return the article's net, written once for both libraries."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1 = nn.Conv2d(1, 32, 3, 1, **kwargs)
            self.conv2 = nn.Conv2d(32, 64, 3, 1, **kwargs)
            self.fc1 = nn.Linear(64 * pooled ** 2, 128, **kwargs)
            self.fc2 = nn.Linear(128, 10, **kwargs)

        def forward(self, x):
            x = functional.relu(self.conv1(x))
            x = functional.relu(self.conv2(x))
            x = flatten(functional.avg_pool2d(x, 2), 1)
            x = functional.relu(self.fc1(x))
            return functional.log_softmax(self.fc2(x), dim=1)

    return Net()


def with_minigrad(p):
    """The net in minigrad."""
    import minigrad as mg

    net = module(mg.nn, mg.nn.functional, mg.flatten, p.pooled, dtype=p.dtype)
    net.load_state_dict(p.values)

    def run():
        net.zero_grad()
        mg.nn.functional.cross_entropy(net(p.x), p.y).backward()
        return [q.grad.data for q in net.parameters()]

    return run


def with_torch(p):
    """The net in PyTorch's eager mode."""
    import torch

    one_thread(torch)
    net = module(torch.nn, torch.nn.functional, torch.flatten, p.pooled, dtype=getattr(torch, p.dtype.name))
    net.load_state_dict({name: torch.from_numpy(value) for name, value in p.values.items()})
    x, y = torch.from_numpy(p.x), torch.from_numpy(p.y)

    def run():
        net.zero_grad()
        torch.nn.functional.cross_entropy(net(x), y).backward()
        return [q.grad.numpy() for q in net.parameters()]

    return run


CONTENDERS = {HAND: by_hand, MINIGRAD: with_minigrad, TORCH: with_torch}

WORKS = [Work(f"conv-{dtype}", "convolutional net, batch 32, 28x28", dtype, problem, CONTENDERS,
              {"batch": 32, "side": 28}, {"batch": 2, "side": 8}, {TORCH: 2.0} if dtype == "float32" else {})
         for dtype in ("float32", "float64")]

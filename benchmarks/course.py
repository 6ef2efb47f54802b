"""Cross-entropy, LayerNorm and Embedding at the sizes of a course: one call forward, and backward."""

from types import SimpleNamespace

import numpy as np

from benchmarks.work import HAND, MINIGRAD, TORCH, Work, one_thread

EPS = 1e-5

# ------------------------------------------------------------------------------------------------------ cross-entropy


def scores(dtype, rows, classes):
    """Return logits and labels."""
    rng = np.random.default_rng(0)
    return SimpleNamespace(x=rng.normal(size=(rows, classes)).astype(dtype), y=rng.integers(0, classes, size=rows))


def cross_entropy_by_hand(p):
    """Mean cross-entropy and its gradient, from one exponential."""
    e, rows = np.empty_like(p.x), np.arange(len(p.y))

    def run():
        np.subtract(p.x, p.x.max(axis=1, keepdims=True), e)
        picked = e[rows, p.y]
        np.exp(e, e)
        totals = e.sum(axis=1, keepdims=True)
        loss = (np.log(totals[:, 0]) - picked).mean()
        np.divide(e, totals * len(p.y), e)
        e[rows, p.y] -= 1 / len(p.y)
        return [loss, e]

    return run


def cross_entropy_with_minigrad(p):
    import minigrad as mg

    x = mg.tensor(p.x, requires_grad=True)

    def run():
        x.grad = None
        loss = mg.nn.functional.cross_entropy(x, p.y)
        loss.backward()
        return [loss.data, x.grad.data]

    return run


def cross_entropy_with_torch(p):
    import torch

    one_thread(torch)
    x, y = torch.from_numpy(p.x).requires_grad_(), torch.from_numpy(p.y)

    def run():
        x.grad = None
        loss = torch.nn.functional.cross_entropy(x, y)
        loss.backward()
        return [loss.detach().numpy(), x.grad.numpy()]

    return run


# ---------------------------------------------------------------------------------------------------------- LayerNorm

def signals(dtype, shape):
    """Return inputs, scales, shifts, and a cotangent of the result."""
    rng = np.random.default_rng(0)
    x, cotangent = (rng.normal(size=shape).astype(dtype) for _ in range(2))
    w, b = (rng.normal(size=shape[-1]).astype(dtype) for _ in range(2))
    return SimpleNamespace(x=x, w=w, b=b, cotangent=cotangent, width=shape[-1])


def layer_norm_by_hand(p):
    """The usual formula; sums along and across rows are products with vectors, which BLAS does best."""
    x, g = p.x.reshape(-1, p.width), p.cotangent.reshape(-1, p.width)
    normed, out, dx, work = (np.empty_like(x) for _ in range(4))
    mean, ones, shares = np.full(p.width, 1 / p.width, x.dtype), np.ones(len(x), x.dtype), p.w / p.width

    def run():
        np.subtract(x, np.dot(x, mean)[:, None], normed)
        scale = np.vecdot(normed, normed)
        scale /= p.width
        scale += EPS
        np.sqrt(scale, scale)
        np.reciprocal(scale, scale)
        scale = scale[:, None]
        np.multiply(normed, scale, normed)
        np.multiply(normed, p.w, out)
        np.add(out, p.b, out)
        np.multiply(g, normed, work)
        db, dw, along = np.dot(ones, g), np.dot(ones, work), np.dot(work, shares)[:, None]
        np.multiply(g, p.w, dx)
        np.subtract(dx, np.dot(dx, mean)[:, None], dx)
        np.multiply(normed, along, work)
        np.subtract(dx, work, dx)
        np.multiply(dx, scale, dx)
        return [out.reshape(p.x.shape), dx.reshape(p.x.shape), dw, db]

    return run


def layer_norm(p, layer, x, cotangent, array):
    """Return the run that both libraries share."""
    def run():
        x.grad = None
        layer.zero_grad()
        out = layer(x)
        out.backward(cotangent)
        return [array(t) for t in (out, x.grad, layer.weight.grad, layer.bias.grad)]

    return run


def layer_norm_with_minigrad(p):
    import minigrad as mg

    layer = mg.nn.LayerNorm(p.width, dtype=p.x.dtype)
    layer.weight.data, layer.bias.data = p.w, p.b
    return layer_norm(p, layer, mg.tensor(p.x, requires_grad=True), p.cotangent, lambda t: t.data)


def layer_norm_with_torch(p):
    import torch

    one_thread(torch)
    layer = torch.nn.LayerNorm(p.width, dtype=getattr(torch, p.x.dtype.name))
    layer.load_state_dict({"weight": torch.from_numpy(p.w), "bias": torch.from_numpy(p.b)})
    return layer_norm(p, layer, torch.from_numpy(p.x).requires_grad_(), torch.from_numpy(p.cotangent),
                      lambda t: t.detach().numpy())


# ---------------------------------------------------------------------------------------------------------- Embedding

def tokens(dtype, words, width, shape):
    """Return a table, indices, and a cotangent of the result."""
    rng = np.random.default_rng(0)
    return SimpleNamespace(table=rng.normal(size=(words, width)).astype(dtype), indices=rng.integers(0, words, shape),
                           cotangent=rng.normal(size=(*shape, width)).astype(dtype))


def embedding_by_hand(p):
    """Rows are fetched by ``take``; backward, cotangents are sorted by word, and those of a word summed by a product.

    Tried and found slower: ``np.add.reduceat`` on the sorted ones (+ 20 to 40 %), ``np.add.at`` on pairs of numbers as
    complex ones (+ 20 to 45 %), a product with a matrix of 0 and 1 (+ 80 to 160 %).
    """
    g, words = p.cotangent.reshape(-1, p.table.shape[1]), len(p.table)
    flat = p.indices.ravel().astype(np.min_scalar_type(words))              # short integers are sorted digit by digit
    out, dtable, in_order = np.empty_like(p.cotangent), np.empty_like(p.table), np.empty_like(g)
    ones = np.ones(len(g), g.dtype)

    def run():
        np.take(p.table, p.indices, axis=0, out=out, mode="clip")
        order = np.argsort(flat, kind="stable")
        np.take(g, order, axis=0, out=in_order, mode="clip")
        start = 0
        for row, stop in zip(dtable, np.bincount(flat, minlength=words).cumsum().tolist()):
            np.dot(ones[start:stop], in_order[start:stop], row)
            start = stop
        return [out, dtable]

    return run


def embedding_with_minigrad(p):
    import minigrad as mg

    layer = mg.nn.Embedding(*p.table.shape, dtype=p.table.dtype)
    layer.weight.data = p.table

    def run():
        layer.zero_grad()
        out = layer(p.indices)
        out.backward(p.cotangent)
        return [out.data, layer.weight.grad.data]

    return run


def embedding_with_torch(p):
    import torch

    one_thread(torch)
    layer = torch.nn.Embedding(*p.table.shape, dtype=getattr(torch, p.table.dtype.name))
    layer.load_state_dict({"weight": torch.from_numpy(p.table)})
    indices, cotangent = torch.from_numpy(p.indices), torch.from_numpy(p.cotangent)

    def run():
        layer.zero_grad()
        out = layer(indices)
        out.backward(cotangent)
        return [out.detach().numpy(), layer.weight.grad.numpy()]

    return run


# ---------------------------------------------------------------------------------------------------------- the works

LOSS = scores, cross_entropy_by_hand, cross_entropy_with_minigrad, cross_entropy_with_torch
NORM = signals, layer_norm_by_hand, layer_norm_with_minigrad, layer_norm_with_torch
TABLE = tokens, embedding_by_hand, embedding_with_minigrad, embedding_with_torch


def works(name, title, family, sizes, small):
    """Return the works of one size, in both dtypes."""
    problem, *contenders = family
    return [Work(f"{name}-{dtype}", title, dtype, problem, dict(zip((HAND, MINIGRAD, TORCH), contenders)), sizes, small,
                 {TORCH: 1.0}) for dtype in ("float64", "float32")]


WORKS = [
    *works("cross-entropy", "cross-entropy, 64 rows of 10 classes", LOSS, {"rows": 64, "classes": 10},
           {"rows": 3, "classes": 4}),
    *works("cross-entropy-wide", "cross-entropy, 512 rows of 256 classes", LOSS, {"rows": 512, "classes": 256},
           {"rows": 3, "classes": 4}),
    *works("layer-norm", "LayerNorm, 64 rows of 128", NORM, {"shape": (64, 128)}, {"shape": (3, 5)}),
    *works("layer-norm-long", "LayerNorm, 32 x 64 rows of 128", NORM, {"shape": (32, 64, 128)}, {"shape": (2, 3, 5)}),
    *works("embedding", "Embedding, 65 words of 64, 32 x 64 of them read", TABLE,
           {"words": 65, "width": 64, "shape": (32, 64)}, {"words": 4, "width": 3, "shape": (2, 5)}),
]

"""The methods of Tensor and the functions of the top level, against PyTorch and NumPy.

A line is a call as a learner writes it, ``f(lib, t)``; it is run in minigrad and, where it is installed, in PyTorch, on
the same numbers: value, and gradient of a weighted sum of the value.  NumPy's value stands beside it.
"""

import copy
import math
import pickle

import numpy as np
import pytest

import minigrad as mg
from minigrad.functions import FUNCTIONS
from minigrad.methods import METHODS, inplace

try:
    import torch
except ImportError:
    torch = None

X = np.array([[0.3, -1.2, 2.1], [0.8, 0.5, -0.7]])
CUBE = np.sin(np.arange(24.0)).reshape(2, 3, 4)
SQUARE = np.array([[1.0, 2.0], [3.0, 5.0]])

CALLS = [      # name, call, argument, value by NumPy (None where only PyTorch has it)
    ("sum dim", lambda lib, t: t.sum(dim=1), X, X.sum(1)),
    ("sum keepdim", lambda lib, t: t.sum(1, True), X, X.sum(1, keepdims=True)),
    ("sum dims", lambda lib, t: lib.sum(t, dim=(0, 2), keepdim=True), CUBE, CUBE.sum((0, 2), keepdims=True)),
    ("mean dims in a list", lambda lib, t: t.mean(dim=[0, 1]), CUBE, CUBE.mean((0, 1))),
    ("prod", lambda lib, t: t.prod(dim=1), X, X.prod(1)), ("amax", lambda lib, t: t.amax(dim=1), X, X.max(1)),
    ("std of all", lambda lib, t: t.std(), X, X.std(ddof=1)), ("var by position", lambda lib, t: lib.var(t, 0), X,
                                                             X.var(0, ddof=1)),
    ("std keepdim", lambda lib, t: t.std(0, keepdim=True), X, X.std(0, ddof=1, keepdims=True)),
    ("sum dtype", lambda lib, t: t.sum(dtype=lib.float64), X, X.sum()),
    ("median of an even number", lambda lib, t: t.median(), X, 0.3),
    ("median dim", lambda lib, t: lib.median(t, dim=1)[0], X, [0.3, 0.5]),
    ("median keepdim", lambda lib, t: t.median(0, keepdim=True).values, X, [[0.3, -1.2, -0.7]]),
    ("scatter a number", lambda lib, t: t.scatter(1, lib.tensor([[0], [2]]), 9.0), X, [[9, -1.2, 2.1], [0.8, 0.5, 9]]),
    ("scatter", lambda lib, t: t.scatter(1, lib.tensor([[2, 0], [1, 2]]), t[:, :2] * 2), X,
     [[-2.4, -1.2, 0.6], [0.8, 1.6, 1.0]]),
    ("scatter_add", lambda lib, t: t.scatter_add(1, lib.tensor([[0, 0]]), t[:1, :2]), X, [[-0.6, -1.2, 2.1], X[1]]),
    ("index_add", lambda lib, t: t.index_add(0, lib.tensor([1, 1]), t), X, [X[0], X[0] + 2 * X[1]]),
    ("narrow", lambda lib, t: t.narrow(1, 1, 2), X, X[:, 1:]), ("select", lambda lib, t: t.select(1, 2), X, X[:, 2]),
    ("addmm", lambda lib, t: lib.addmm(t, t, t, beta=0.5, alpha=2), SQUARE, 0.5 * SQUARE + 2 * SQUARE @ SQUARE),
    ("lerp", lambda lib, t: t.lerp(t * t, 0.25), X, X + 0.25 * (X * X - X)),
    ("where as a method", lambda lib, t: t.where(t > 0, -t), X, abs(X)), ("div floor", lambda lib, t: t.div(
        0.9, rounding_mode="floor") + t, X, np.floor(X / 0.9) + X),
    ("clamp_min", lambda lib, t: t.clamp_min(0.1).clamp_max(0.6), X, X.clip(0.1, 0.6)),
    ("permute dims", lambda lib, t: t.permute(dims=(1, 0)), X, X.T),
    ("transpose dim0", lambda lib, t: t.transpose(dim0=0, dim1=1), X, X.T), ("flip dims", lambda lib, t: t.flip(
        dims=(1,)), X, X[:, ::-1]),
    ("number first", lambda lib, t: lib.mul(2.0, t) if lib is mg else 2.0 * t, X, 2 * X),
    ("add alpha of a number", lambda lib, t: lib.add(t, 1, alpha=0.5), X, X + 0.5),
    ("reciprocal", lambda lib, t: lib.reciprocal(t), X, 1 / X),
    ("std, bare words of PyTorch", lambda lib, t: t.std(dim=1), X, X.std(1, ddof=1)),
    ("std unbiased", lambda lib, t: t.std(unbiased=True), X, X.std(ddof=1)),
    ("var biased", lambda lib, t: t.var(dim=0, unbiased=False), X, X.var(0)),
    ("var correction", lambda lib, t: lib.var(t, dim=0, correction=0, keepdim=True), X, X.var(0, keepdims=True)),
    ("norm", lambda lib, t: t.norm(2), X, np.linalg.norm(X)), ("norm 1", lambda lib, t: t.norm(p=1), X, abs(X).sum()),
    ("norm inf", lambda lib, t: t.norm(float("inf")), X, abs(X).max()),
    ("norm dim", lambda lib, t: t.norm(dim=1), X, np.linalg.norm(X, axis=1)),
    ("norm fro", lambda lib, t: lib.norm(t, "fro"), X, np.linalg.norm(X)),
    ("norm p, dim, keepdim", lambda lib, t: t.norm(1, dim=1, keepdim=True), X, abs(X).sum(1, keepdims=True)),
    ("softmax", lambda lib, t: t.softmax(dim=0), X, np.exp(X) / np.exp(X).sum(0)),
    ("softmax function", lambda lib, t: lib.softmax(t, 1), X, np.exp(X) / np.exp(X).sum(1, keepdims=True)),
    ("log_softmax", lambda lib, t: lib.log_softmax(t, dim=1), X, np.log(np.exp(X) / np.exp(X).sum(1, keepdims=True))),
    ("logsumexp", lambda lib, t: t.logsumexp(dim=1), X, np.log(np.exp(X).sum(1))),
    ("cumsum", lambda lib, t: t.cumsum(dim=1), X, X.cumsum(1)),
    ("cumprod", lambda lib, t: t.cumprod(dim=0), X, X.cumprod(0)),
    ("max of rows", lambda lib, t: t.max(1).values, X, X.max(1)),
    ("max of rows, function", lambda lib, t: lib.max(t, 1)[0], X, X.max(1)),
    ("min dim keepdim", lambda lib, t: t.min(dim=0, keepdim=True)[0], X, X.min(0, keepdims=True)),
    ("max of all", lambda lib, t: t.max(), X, X.max()), ("max of two", lambda lib, t: lib.max(t, -t), X, abs(X)),
    ("sort", lambda lib, t: t.sort(dim=1)[0], X, np.sort(X, 1)),
    ("sort descending", lambda lib, t: lib.sort(t, dim=1, descending=True).values, X, -np.sort(-X, 1)),
    ("topk", lambda lib, t: t.topk(2, dim=1)[0], X, -np.sort(-X, 1)[:, :2]),
    ("topk smallest", lambda lib, t: t.topk(2, largest=False).values, X, np.sort(X, 1)[:, :2]),
    ("gather", lambda lib, t: t.gather(1, lib.tensor([[0, 0], [2, 1]])), X, X[[[0, 0], [1, 1]], [[0, 0], [2, 1]]]),
    ("gather fewer rows", lambda lib, t: t.gather(1, lib.tensor([[2, 1]])), X, X[:1, [2, 1]]),
    ("index_select", lambda lib, t: t.index_select(1, lib.tensor([2, 0])), X, X[:, [2, 0]]),
    ("masked_fill", lambda lib, t: t.masked_fill(t < 0, 9.0), X, np.where(X < 0, 9, X)),
    ("masked_select", lambda lib, t: t.masked_select(t > 0), X, X[X > 0]),
    ("mask", lambda lib, t: t[t > 0], X, X[X > 0]),
    ("where", lambda lib, t: lib.where(t > 0, t, 0.0), X, np.where(X > 0, X, 0)),
    ("clamp", lambda lib, t: t.clamp(-1, 1), X, X.clip(-1, 1)),
    ("clamp min", lambda lib, t: t.clamp(min=0.4), X, X.clip(0.4)),
    ("view", lambda lib, t: t.view(3, 2), X, X.reshape(3, 2)),
    ("view -1", lambda lib, t: t.view(-1, 2), X, X.reshape(-1, 2)),
    ("view size", lambda lib, t: t.view(t.size(1), -1), X, X.reshape(3, -1)),
    ("view_as", lambda lib, t: t.view_as(t.t()), X, X.reshape(3, 2)),
    ("flatten", lambda lib, t: t.flatten(), CUBE, CUBE.ravel()),
    ("flatten from 1", lambda lib, t: lib.flatten(t, 1), CUBE, CUBE.reshape(2, 12)),
    ("flatten to 1", lambda lib, t: t.flatten(0, 1), CUBE, CUBE.reshape(6, 4)),
    ("squeeze", lambda lib, t: t.squeeze(), X[None, :, None], X),
    ("squeeze dim", lambda lib, t: t.squeeze(0), X[None, :, None], X[:, None]),
    ("squeeze a long dim", lambda lib, t: t.squeeze(1), X, X),
    ("unsqueeze", lambda lib, t: t.unsqueeze(-1), X, X[..., None]),
    ("expand", lambda lib, t: t.expand(4, -1, 3), X[:, :1], np.broadcast_to(X[:, :1], (4, 2, 3))),
    ("expand_as", lambda lib, t: t[:1].expand_as(t), X, np.broadcast_to(X[:1], (2, 3))),
    ("permute", lambda lib, t: t.permute(2, 0, 1), CUBE, CUBE.transpose(2, 0, 1)),
    ("transpose two of three", lambda lib, t: t.transpose(1, 2), CUBE, CUBE.swapaxes(1, 2)),
    ("transpose of a matrix", lambda lib, t: t.transpose(0, 1), X, X.T),
    ("transpose -1, -2", lambda lib, t: lib.transpose(t, -1, -2), CUBE, CUBE.swapaxes(1, 2)),
    ("t", lambda lib, t: t.t() @ t, X, X.T @ X), ("mT", lambda lib, t: t.mT, CUBE, CUBE.swapaxes(1, 2)),
    ("movedim", lambda lib, t: t.movedim(0, 2), CUBE, np.moveaxis(CUBE, 0, 2)),
    ("flip", lambda lib, t: t.flip(0), X, X[::-1]), ("flip two", lambda lib, t: lib.flip(t, (0, 1)), X, X[::-1, ::-1]),
    ("roll", lambda lib, t: t.roll(1, 1), X, np.roll(X, 1, 1)),
    ("tile", lambda lib, t: t.tile(2, 2), X, np.tile(X, (2, 2))),
    ("repeat", lambda lib, t: t.repeat(2, 3), X, np.tile(X, (2, 3))),
    ("repeat more", lambda lib, t: t.repeat(2, 1, 2), X, np.tile(X, (2, 1, 2))),
    ("repeat_interleave", lambda lib, t: t.repeat_interleave(2, dim=1), X, X.repeat(2, 1)),
    ("split", lambda lib, t: t.split(2, dim=1)[1], X, X[:, 2:]),
    ("split sizes", lambda lib, t: lib.split(t, [1, 2], dim=1)[1], X, X[:, 1:]),
    ("chunk", lambda lib, t: t.chunk(2, dim=1)[0], X, X[:, :2]), ("unbind", lambda lib, t: t.unbind(1)[2], X, X[:, 2]),
    ("cat", lambda lib, t: lib.cat([t, t], dim=1), X, np.hstack([X, X])),
    ("stack", lambda lib, t: lib.stack((t, 2 * t), dim=1), X, np.stack([X, 2 * X], 1)),
    ("hstack", lambda lib, t: lib.hstack([t, t]), X, np.hstack([X, X])),
    ("vstack", lambda lib, t: lib.vstack([t, t]), X, np.vstack([X, X])),
    ("tril", lambda lib, t: t.tril(), X, np.tril(X)),
    ("triu 1", lambda lib, t: lib.triu(t, diagonal=1), X, np.triu(X, 1)),
    ("diag", lambda lib, t: lib.diag(t), SQUARE, np.diag(SQUARE)), ("trace", lambda lib, t: t.trace(), SQUARE, 6.0),
    ("diagonal", lambda lib, t: t.diagonal(0, 1, 2), CUBE, np.diagonal(CUBE, 0, 1, 2)),
    ("mm", lambda lib, t: t.mm(t), SQUARE, SQUARE @ SQUARE), ("mv", lambda lib, t: lib.mv(t, t[0]), SQUARE,
                                                             SQUARE @ SQUARE[0]),
    ("bmm", lambda lib, t: t.bmm(t.transpose(1, 2)), CUBE, CUBE @ CUBE.swapaxes(1, 2)),
    ("matmul", lambda lib, t: lib.matmul(t, t), SQUARE, SQUARE @ SQUARE),
    ("dot", lambda lib, t: t[0].dot(t[1]), X, X[0] @ X[1]),
    ("outer", lambda lib, t: lib.outer(t[0], t[1]), X, np.outer(X[0], X[1])),
    ("einsum", lambda lib, t: lib.einsum("ij,kj->ik", t, t), X, X @ X.T),
    ("tensordot", lambda lib, t: lib.tensordot(t, t, dims=([0, 1], [0, 1])), X, (X * X).sum()),
    ("add alpha", lambda lib, t: t.add(t, alpha=2), X, 3 * X), ("sub alpha", lambda lib, t: t.sub(t * t, alpha=2), X,
                                                                X - 2 * X * X),
    ("pow", lambda lib, t: t.pow(2), X, X ** 2), ("rsqrt", lambda lib, t: (t * t).rsqrt(), X, 1 / abs(X)),
    ("abs mean", lambda lib, t: t.abs().mean(), X, abs(X).mean()),
    ("sqrt", lambda lib, t: t.square().sqrt(), X, abs(X)),
    ("exp log", lambda lib, t: lib.log(lib.exp(t) + 1), X, np.log(np.exp(X) + 1)),
    ("expm1", lambda lib, t: t.expm1(), X, np.expm1(X)), ("erf", lambda lib, t: lib.erf(t), X,
                                                         np.vectorize(math.erf)(X)),
    ("atan2", lambda lib, t: lib.atan2(t, t * 0 + 1), X, np.arctan(X)),
    ("atan", lambda lib, t: t.atan(), X, np.arctan(X)),
    ("sigmoid", lambda lib, t: lib.sigmoid(t), X, 1 / (1 + np.exp(-X))),
    ("relu", lambda lib, t: lib.relu(t), X, X.clip(0)),
    ("logaddexp", lambda lib, t: lib.logaddexp(t, -t), X, np.logaddexp(X, -X)),
    ("maximum", lambda lib, t: lib.maximum(t, t * 0), X, X.clip(0)),
    ("diff", lambda lib, t: lib.diff(t), X, np.diff(X)),
    ("clone", lambda lib, t: t.clone() * 2, X, 2 * X), ("double", lambda lib, t: t.double(), X, X),
    ("to", lambda lib, t: t.to("cpu").to(lib.float64), X, X), ("contiguous", lambda lib, t: t.t().contiguous(), X, X.T),
    ("count", lambda lib, t: t * t.numel() * t.dim() * t.size(0), X, X * 24),
    ("new axis", lambda lib, t: t[:, None] - t[None], X, X[:, None] - X[None]),
    ("rows by a tensor", lambda lib, t: t[lib.tensor([1, 0, 1])], X, X[[1, 0, 1]]),
    ("picked per row", lambda lib, t: t[lib.arange(2), lib.tensor([2, 0])], X, X[[0, 1], [2, 0]]),
    ("python sum", lambda lib, t: sum(row.sum() for row in t), X, X.sum()),
    ("meshgrid", lambda lib, t: lib.meshgrid(t[0], t[1], indexing="ij")[0], X,
     np.meshgrid(X[0], X[1], indexing="ij")[0]),
]

PLAIN = [      # calls whose answers are no tensors of floats, with the answer
    ("shape", lambda lib, t: tuple(t.shape), (2, 3)), ("size", lambda lib, t: tuple(t.size()), (2, 3)),
    ("size(-1)", lambda lib, t: t.size(-1), 3), ("numel", lambda lib, t: t.numel(), 6),
    ("dim", lambda lib, t: t.dim(), 2),
    ("len", lambda lib, t: len(t), 2), ("argmax", lambda lib, t: t.argmax().item(), 2),
    ("argmax dim", lambda lib, t: lib.argmax(t, dim=1).tolist(), [2, 0]),
    ("argmin keepdim", lambda lib, t: t.argmin(dim=1, keepdim=True).tolist(), [[1], [2]]),
    ("max indices", lambda lib, t: lib.max(t, 1)[1].tolist(), [2, 0]),
    ("topk indices", lambda lib, t: t.topk(2)[1].tolist(), [[2, 0], [0, 1]]),
    ("argsort", lambda lib, t: t.argsort(dim=1).tolist(), [[1, 0, 2], [2, 1, 0]]),
    ("argsort descending", lambda lib, t: t.argsort(dim=1, descending=True).tolist(), [[2, 0, 1], [0, 1, 2]]),
    ("eq sum", lambda lib, t: (t.argmax(1) == lib.tensor([2, 1])).sum().item(), 1),
    ("eq mean", lambda lib, t: t.argmax(dim=1).eq(lib.tensor([2, 1])).float().mean().item(), 0.5),
    ("any, all", lambda lib, t: ((t > 2).any().item(), bool((t < 2).all())), (True, False)),
    ("nonzero", lambda lib, t: (t > 0.4).nonzero().tolist(), [[0, 2], [1, 0], [1, 1]]),
    ("long", lambda lib, t: t.long().tolist(), [[0, -1, 2], [0, 0, 0]]),
    ("isnan", lambda lib, t: lib.isnan(t).any().item(), False), ("round", lambda lib, t: t.round().tolist(),
                                                                [[0, -1, 2], [1, 0, -1]]),
    ("equal function", lambda lib, t: lib.equal(t, t), True),
    ("float of one element", lambda lib, t: float(t.detach()[:1, :1]), 0.3),
    ("unique", lambda lib, t: lib.unique(t > 0).tolist(), [False, True]),
    ("bincount", lambda lib, t: lib.bincount(lib.tensor([0, 2, 2])).tolist(), [1, 0, 2]),
    ("median index", lambda lib, t: t.median(dim=1)[1].tolist(), [0, 1]),
    ("is_tensor", lambda lib, t: lib.is_tensor(t), True), ("device", lambda lib, t: str(t.device), "cpu"),
    ("allclose", lambda lib, t: lib.allclose(t, t + 1e-9), True), ("equal", lambda lib, t: t.equal(t + 1), False),
    ("is_leaf", lambda lib, t: (t.is_leaf, t.detach().requires_grad), (True, False)),
    ("cuda", lambda lib, t: str(lib.device("cuda" if lib.cuda.is_available() and False else "cpu")), "cpu"),
    ("int", lambda lib, t: int(t.sum()), 1), ("grad_fn", lambda lib, t: (t.grad_fn, (t * 2).grad_fn is None),
    (None, False)),
]


@pytest.mark.parametrize(("f", "x", "value"), [c[1:] for c in CALLS], ids=[c[0] for c in CALLS])
def test_value_is_numpys(f, x, value):
    got = f(mg, mg.tensor(x, requires_grad=True))
    assert isinstance(got, mg.Tensor)
    np.testing.assert_allclose(got.data, value, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize(("f", "x"), [c[1:3] for c in CALLS], ids=[c[0] for c in CALLS])
def test_second_order_holds(f, x):
    assert mg.gradcheck(lambda t: f(mg, t), x, order=2)


@pytest.mark.skipif(torch is None, reason="PyTorch is not installed")
@pytest.mark.parametrize(("f", "x"), [c[1:3] for c in CALLS], ids=[c[0] for c in CALLS])
def test_value_and_gradient_are_pytorchs(f, x):
    t, twin = mg.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    y, z = f(mg, t), f(torch, twin)
    assert y.shape == tuple(z.shape)
    np.testing.assert_allclose(y.data, z.detach().numpy(), rtol=1e-12, atol=1e-13)
    weights = np.cos(np.arange(math.prod(y.shape))).reshape(y.shape)
    (y * weights).sum().backward()
    (z * torch.tensor(weights)).sum().backward()
    np.testing.assert_allclose(t.grad.data, twin.grad.numpy(), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(("f", "answer"), [c[1:] for c in PLAIN], ids=[c[0] for c in PLAIN])
def test_plain_answers(f, answer):
    assert f(mg, mg.tensor(X, requires_grad=True)) == answer
    if torch is not None:
        assert f(torch, torch.tensor(X, requires_grad=True)) == answer


def test_the_gradient_at_a_tie_goes_to_the_element_found_or_is_shared():
    """max(dim=1) answers with one index and sends the gradient there; max(axis=1) and max() share it."""
    for f, expected in ((lambda t: t.max(dim=1)[0].sum(), [[1, 0, 0]]),
                        (lambda t: t.max(axis=1).sum(), [[0.5, 0.5, 0]]),
                        (lambda t: t.max(), [[0.5, 0.5, 0]]), (lambda t: t.topk(1)[0].sum(), [[1, 0, 0]])):
        t = mg.tensor([[2.0, 2.0, 1.0]], requires_grad=True)
        f(t).backward()
        assert t.grad.tolist() == expected


def test_numpys_words_give_numpys_answers():
    t = mg.tensor(X)
    assert isinstance(t.max(axis=1), mg.Tensor)
    np.testing.assert_array_equal(t.max(axis=1, keepdims=True).data, X.max(1, keepdims=True))
    np.testing.assert_array_equal(np.max(t, 1).data, X.max(1))
    assert t.std(axis=0).tolist() == X.std(0).tolist()
    assert np.std(t).item() == t.std(ddof=0).item() == X.std()
    assert t.var(axis=0, ddof=1).tolist() == X.var(0, ddof=1).tolist()
    assert t.size == 6
    np.testing.assert_array_equal(t.repeat(2, axis=1).data, X.repeat(2, axis=1))
    assert mg.tanh is np.tanh
    np.testing.assert_array_equal(mg.tensor(CUBE).transpose(2, 0, 1).data, CUBE.transpose(2, 0, 1))
    assert t.median(axis=1).tolist() == np.median(X, 1).tolist()
    assert np.median(t).item() == np.median(X)


def test_every_method_that_is_a_function_is_one():
    t = mg.tensor(X, requires_grad=True)
    for name in ("sum", "mean", "softmax", "view", "topk"):
        if name in FUNCTIONS:
            assert FUNCTIONS[name] is getattr(mg, name)
    for name, method in METHODS.items():
        assert getattr(mg.Tensor, name) is method
        assert method.__doc__, name
        assert name in inplace.METHODS or method.__name__ != "method", name
    assert mg.sum(X).item() == X.sum() == mg.sum(t).item()


# --------------------------------------------------------------------------------- in place

def lib_of(t):
    """Return the library of a tensor."""
    return mg if isinstance(t, mg.Tensor) else torch


IN_PLACE = [
    ("add_", lambda t, o: t.add_(o, alpha=0.5), lambda x, o: x + 0.5 * o),
    ("mul_", lambda t, o: t.mul_(2), lambda x, o: 2 * x),
    ("addcmul_", lambda t, o: t.addcmul_(o, o, value=0.1), lambda x, o: x + 0.1 * o * o),
    ("addcdiv_", lambda t, o: t.addcdiv_(o, o + 9, value=-0.1), lambda x, o: x - 0.1 * o / (o + 9)),
    ("lerp_", lambda t, o: t.lerp_(o, 0.25), lambda x, o: x + 0.25 * (o - x)),
    ("pow_", lambda t, o: t.pow_(2), lambda x, o: x ** 2), ("neg_", lambda t, o: t.neg_(), lambda x, o: -x),
    ("abs_ sqrt_", lambda t, o: t.abs_().sqrt_(), lambda x, o: np.sqrt(abs(x))),
    ("masked_fill_", lambda t, o: t.masked_fill_(t > 0, 0.0), lambda x, o: np.where(x > 0, 0, x)),
    ("row of", lambda t, o: (t[0].mul_(3), t)[1], lambda x, o: np.vstack([3 * x[:1], x[1:]])),
    ("element of a row", lambda t, o: (t[1].__setitem__(2, 7.0), t)[1],
     lambda x, o: np.array([x[0], [x[1, 0], x[1, 1], 7]])),
    ("slice of a slice", lambda t, o: (t[:, 1:][0:1].zero_(), t)[1], lambda x, o: np.array([[x[0, 0], 0, 0], x[1]])),
    ("scatter_", lambda t, o: t.scatter_(1, lib_of(t).tensor([[0], [1]]), 5.0),
     lambda x, o: np.array([[5, x[0, 1], x[0, 2]], [x[1, 0], 5, x[1, 2]]])),
    ("fill_diagonal_", lambda t, o: t.fill_diagonal_(2.0), lambda x, o: np.where(np.eye(2, 3), 2, x)),
    ("round_ log_", lambda t, o: t.abs_().add_(1).log_(), lambda x, o: np.log(abs(x) + 1)),
    ("several", lambda t, o: t.mul_(0.9).add_(o, alpha=0.1), lambda x, o: 0.9 * x + 0.1 * o),
]


@pytest.mark.parametrize(("f", "expected"), [c[1:] for c in IN_PLACE], ids=[c[0] for c in IN_PLACE])
def test_changes_in_place(f, expected):
    other = np.cos(X)
    t = mg.tensor(X)
    assert f(t, mg.tensor(other)) is t
    np.testing.assert_allclose(t.data, expected(X, other), rtol=1e-14)
    if torch is not None:
        twin = torch.tensor(X)
        f(twin, torch.tensor(other))
        np.testing.assert_allclose(t.data, twin.numpy(), rtol=1e-14)


def test_writing_to_a_row_of_a_parameter():
    w = mg.tensor(X, requires_grad=True)
    with pytest.raises(RuntimeError, match="view of another"):
        w[0].add_(1.0)
    with mg.no_grad():
        w[0].add_(1.0)
    np.testing.assert_array_equal(w.data, X + np.array([[1.0], [0.0]]))
    rows = w[mg.tensor([0, 1])].detach()
    rows.zero_()                        # picked by an array: a copy, in NumPy and PyTorch too
    np.testing.assert_array_equal(w.data, X + np.array([[1.0], [0.0]]))


@pytest.mark.parametrize("index", [True, np.array(True), [0, 1], np.array([0]), mg.tensor([1])])
def test_what_numpy_copies_is_a_copy(index):
    """Picking by lists, arrays and booleans makes a copy; writing to it leaves the tensor alone."""
    t = mg.tensor(X)
    t[index].zero_()
    np.testing.assert_array_equal(t.data, X)


@pytest.mark.parametrize("index", [0, np.int64(0), np.array(0), mg.tensor(0), slice(0, 1), (0, ...), (None, 0)])
def test_what_numpy_shows_is_a_view(index):
    """Slices and whole numbers look into the tensor; writing to what they show writes to it."""
    t = mg.tensor(X)
    t[index].zero_()
    np.testing.assert_array_equal(t.data, [[0, 0, 0], X[1]])


def test_detach_in_place_only_where_no_backward_pass_can_come():
    w = mg.tensor(2.0, requires_grad=True)
    h = w * w
    with pytest.raises(RuntimeError, match=r"t = t\.detach\(\)"):
        h.detach_()
    (h * h).backward()
    assert h.detach_() is h
    assert not h.requires_grad
    (h * w).backward()
    assert w.grad.item() == 32.0 + 4.0


def test_random_numbers_in_place_come_from_the_generator():
    mg.manual_seed(4)
    a = mg.zeros(1000).normal_(1.0, 2.0)
    mg.manual_seed(4)
    b = mg.zeros(1000).normal_(1.0, 2.0)
    assert a.equal(b)
    assert abs(a.mean().item() - 1) < 0.3
    u = mg.zeros(1000, dtype=mg.float32).uniform_(-1, 3, generator=np.random.default_rng(0))
    assert u.dtype == np.float32
    assert -1 <= u.min().item() < -0.9
    assert 2.9 < u.max().item() < 3


# --------------------------------------------------------------------------- refusals and words

REFUSED = [
    (lambda t: t.sum(axis=0, dim=1), TypeError, "two names for one thing"),
    (lambda t: t.std(ddof=1, unbiased=True), TypeError, "say the same thing"),
    (lambda t: t.repeat(2), ValueError, r"np\.repeat"), (lambda t: t.cuda(), AttributeError, "CPU"),
    (lambda t: t.to("cuda"), ValueError, "CPU"),
    (lambda t: t.item(), ValueError, r"\(2, 3\)"), (lambda t: t.mm(t[0]), ValueError, r"2 and 2 axes.*use @"),
    (lambda t: t.narrow(1, 2, 2), ValueError, "2 elements from 2"),
    (lambda t: t.norm("nuc"), ValueError, "svdvals"), (lambda t: t.split(0), ValueError, "at least 1"),
    (lambda t: t.astype(complex), TypeError, "real numbers"), (lambda t: t.to(dtpye=float), TypeError, "dtpye"),
    (lambda t: t.div(2, rounding_mode="up"), ValueError, "'up'"),
    (lambda t: t.topk(4), ValueError, "has 3 elements"),
    (lambda t: t.clamp(), ValueError, "give min"), (lambda t: t.flatten(1, 0), ValueError, "comes after"),
    (lambda t: mg.tensor(CUBE).t(), ValueError, "name the axes"),
    (lambda t: t.split([1, 1], dim=1), ValueError, "3 long"),
    (lambda t: t.gather(1, mg.tensor([0])), ValueError, "as many axes"),
    (lambda t: mg.FloatTensor, AttributeError, "dtype=mg.float32"), (lambda t: mg.device("cuda:0"), ValueError, "CPU"),
    (lambda t: mg.nn.RMSNorm, AttributeError, "LayerNorm"), (lambda t: mg.optim.LBFGS, AttributeError, "SGD"),
    (lambda t: mg.autograd.Variable, AttributeError, "requires_grad=True"),
    (lambda t: mg.zeroes, AttributeError, "'zeros'"),
    (lambda t: mg.nn.Linaer, AttributeError, "'Linear'"), (lambda t: mg.set_default_dtype, AttributeError, "dtype="),
    (lambda t: mg.tensor(X).view(4, 2), ValueError, "reshape"),
]


@pytest.mark.parametrize(("f", "error", "match"), REFUSED)
def test_what_is_left_out_or_wrong_is_refused_with_a_cure(f, error, match):
    with pytest.raises(error, match=match):
        f(mg.tensor(X, requires_grad=True))


@pytest.mark.parametrize(("line", "match"), [
    ("from minigrad.autograd import Variable", r"requires_grad=True"), ("from minigrad.optim import LBFGS", "Adam"),
    ("from minigrad import FloatTensor", "dtype=mg.float32"), ("from minigrad.nn import Linaer", "'Linear'")])
def test_an_import_line_is_refused_with_the_same_words(line, match):
    with pytest.raises(ImportError, match=match):
        exec(line)


def test_what_is_not_there_is_not_there():
    """hasattr, copy and pickle ask for names in passing."""
    t = mg.tensor(X, requires_grad=True)
    assert not hasattr(t, "nothing_like_it")
    assert not hasattr(mg, "nothing_like_it")
    assert not hasattr(mg.nn, "__path_hooks__")
    assert copy.deepcopy(t).equal(t)
    assert pickle.loads(pickle.dumps(t)).requires_grad


def test_autograd_grad_is_always_a_tuple():
    x, w = mg.tensor([1.0, 2.0], requires_grad=True), mg.tensor(3.0, requires_grad=True)
    g, = mg.autograd.grad((x * x * w).sum(), x, create_graph=True)
    assert g.tolist() == [6.0, 12.0]
    assert mg.autograd.grad(g.sum(), (x, w))[1].item() == 6.0
    both = mg.autograd.grad([x.sum(), (x * x)], [x], grad_outputs=[None, mg.tensor([1.0, 10.0])])
    assert both[0].tolist() == [3.0, 41.0]
    with pytest.raises(ValueError, match="2 outputs, but 1"):
        mg.autograd.grad([x.sum(), x.sum()], x, grad_outputs=[mg.tensor(1.0)])
    with pytest.raises(RuntimeError, match=r"shape \(2,\)"):
        mg.autograd.grad([x.sum(), x], x)

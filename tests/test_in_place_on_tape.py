"""Changes in place on the tape: ``out[t] = h``, ``h.add_(x)``; what was used before is never differentiated wrongly."""

import numpy as np
import pytest

import minigrad as mg

try:
    import torch
except ImportError:
    torch = None

W = np.sin(np.arange(1.0, 7.0)).reshape(2, 3)


def correlation(lib, w):
    """The convolution that courses write by hand."""
    x = lib.tensor(np.cos(np.arange(20.0)).reshape(4, 5))
    y = lib.zeros((3, 3), dtype=lib.float64)
    for i in range(3):
        for j in range(3):
            y[i, j] = (x[i:i + 2, j:j + 3] * w).sum()
    return (y * y).sum()


def rows(lib, w):
    out = lib.zeros(3, 2, dtype=lib.float64)
    h = w[:, 0]
    for t in range(3):
        h = (h * w[:, t]).tanh()
        out[t] = h
    return (out ** 2).sum() + out[1].sum()


def columns(lib, w):
    out = lib.zeros(3, 2, dtype=lib.float64)
    for t in range(2):
        out[:, t] = w[t] * w[t]
    return (out * out.t()[0].reshape(3, 1)).sum()


def by_hand(lib, w):
    """A gradient written by hand, minus one in the places of the labels."""
    p = w.softmax(1).clone()
    p[range(2), [2, 0]] -= 1
    p /= 2
    return (p ** 3).sum()


def methods(lib, w):
    h = w * 2
    h.add_(w, alpha=0.5).mul_(w).clamp_(-1.0, 1.5)
    h.masked_fill_(w < 0.2, 3.0)
    return (h ** 2).sum()


def filled(lib, w):
    h = w.exp()
    h[0].detach()
    h.fill_diagonal_(0.5)
    h[1, 1:].exp()
    g = w * w
    g.zero_()
    k = lib.zeros(2, 3, dtype=lib.float64)
    k.copy_(w)
    k[0, 0] = 4.0
    return (h * k).sum() + g.sum()


def masked(lib, w):
    h = w * w
    h[w > 0] = 1.5
    h[:, 1] = w[:, 0]
    h[1] += w[0] * 2
    return (h ** 2).sum()


def itself(lib, w):
    """Operands that are the tensor itself, or made of it."""
    h = w * 2
    h.add_(h).mul_(h).sub_(h.sigmoid())
    h.lerp_(w, h.tanh())
    h.masked_fill_(w < 0, h.sum())
    h[:] = h
    h[0] = h[1:]
    h.copy_(h)
    return (h * w).sum()


def by_keyword(lib, w):
    t = lib.zeros(2, 3, dtype=lib.float64)
    t.index_add_(0, lib.tensor([1, 1]), source=w)
    u = lib.zeros(2, 3, dtype=lib.float64)
    u.scatter_(1, lib.tensor([[0, 2], [1, 0]]), src=w[:, 1:])
    s = (w * w).sum()
    s.fill_(w[0, 0])
    s.add_(1.0)
    return (t * t).sum() + (u * u * u).sum() + s * s


PROGRAMS = [itself, by_keyword, correlation, rows, columns, by_hand, methods, filled, masked]


@pytest.mark.parametrize("program", PROGRAMS)
def test_gradients_are_right_to_the_second_order(program):
    assert mg.gradcheck(lambda w: program(mg, w), W, order=2)


@pytest.mark.skipif(torch is None, reason="PyTorch is not installed")
@pytest.mark.parametrize("program", [p for p in PROGRAMS if p not in (filled, itself)])
def test_value_and_gradient_are_pytorchs(program):
    w, twin = mg.tensor(W, requires_grad=True), torch.tensor(W, requires_grad=True)
    y, z = program(mg, w), program(torch, twin)
    y.backward()
    z.backward()
    assert y.item() == pytest.approx(z.item(), rel=1e-13)
    np.testing.assert_allclose(w.grad.data, twin.grad.numpy(), rtol=1e-12, atol=1e-14)


def test_all_names_see_the_change():
    w = mg.tensor(W, requires_grad=True)
    h = other = w * 2
    assert h.add_(1.0) is h
    assert other.tolist() == (W * 2 + 1).tolist()
    mg.tensor(0.0)
    mg.grad(other.sum(), w)


def test_what_was_asked_to_keep_its_gradient_keeps_that_of_what_it_is():
    w = mg.tensor([1.0, 2.0], requires_grad=True)
    h = w * 2
    h.retain_grad()
    h.mul_(3.0)
    (h * h).sum().backward()
    assert h.grad.tolist() == [12.0, 24.0]


def test_gradients_of_a_graph_of_gradients_are_nobody_elses():
    a, b = (mg.tensor([1.0, 2.0], requires_grad=True) for _ in range(2))
    b.register_hook(lambda g: (g.mul_(2.0), None)[1])
    ((a + b) ** 2).sum().backward(create_graph=True)
    assert (a.grad.tolist(), b.grad.tolist()) == ([4.0, 8.0], [8.0, 16.0])
    a.grad.mul_(0.5)
    assert (a.grad.tolist(), b.grad.tolist()) == ([2.0, 4.0], [8.0, 16.0])
    a, b = (mg.tensor([1.0, 2.0], requires_grad=True) for _ in range(2))
    ((a + b) ** 2).sum().backward(create_graph=True)
    a.grad.mul_(0.5)
    assert b.grad.tolist() == [4.0, 8.0]


def test_hooks_see_the_gradient_of_what_the_tensor_was():
    w = mg.tensor([1.0, 2.0], requires_grad=True)
    h = w * 3
    seen = []
    h.register_hook(lambda g: seen.append(g.tolist()))
    h.mul_(5.0)
    h.sum().backward()
    assert seen == [[5.0, 5.0]]
    assert w.grad.tolist() == [15.0, 15.0]


@pytest.mark.parametrize("use", [lambda h: h * h, lambda h: h[0], lambda h: h.sum()])
@pytest.mark.parametrize("both", [False, True])
def test_what_was_used_before_it_was_changed_is_refused(use, both):
    """Whichever way the backward pass comes first; PyTorch refuses it where the values are needed."""
    w = mg.tensor(W, requires_grad=True)
    h = w * 2
    used = use(h)
    h[0] = 1.0
    loss = (h.sum() + used.sum()) if both else used.sum()
    with pytest.raises(RuntimeError, match=r"changed in place on the tape after .* had used it"):
        loss.backward()
    assert w.grad is None
    h.sum().backward()                  # what came after the change is fine
    assert w.grad.tolist() == [[0, 0, 0], [2, 2, 2]]


@pytest.mark.parametrize(("change", "error", "match"), [
    (lambda w, t: w.add_(1.0), RuntimeError, "no_grad"), (lambda w, t: w.__setitem__(0, 1.0), RuntimeError, "no_grad"),
    (lambda w, t: t[0].add_(w[0]), RuntimeError, r"t\[i, j\]"),
    (lambda w, t: t.__setitem__(0, w), ValueError, "broadcast|shape"),
    (lambda w, t: (w * 2).add_(w[None]), ValueError, "shape"),
    (lambda w, t: t.__setitem__([0, 0], w), RuntimeError, "twice"), (lambda w, t: w[0].add_(1.0), RuntimeError, "view"),
    (lambda w, t: (w * 2)[0].mul_(2.0), RuntimeError, "view"), (lambda w, t: (w * 2).t().add_(1), RuntimeError, "view"),
    (lambda w, t: mg.zeros(2, 3, dtype=mg.int64).add_(w), (TypeError, ValueError), "int"),
])
def test_what_cannot_be_meant_is_refused_and_changes_nothing(change, error, match):
    w, t = mg.tensor(W, requires_grad=True), mg.zeros(2, 3)
    with pytest.raises(error, match=match):
        change(w, t)
    assert t.tolist() == np.zeros((2, 3)).tolist()
    assert not t.requires_grad
    assert w.is_leaf


def test_a_dtype_stays():
    w = mg.tensor(W, requires_grad=True)
    t = mg.zeros(2, 3, dtype=mg.float32)
    t[0] = w[0]
    assert t.dtype == np.float32
    assert mg.grad(t.sum(), w).dtype == np.float64

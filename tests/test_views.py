"""Views off the tape, and ``t.data``: writing to one is writing to the tensor that it looks into."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim


def with_gradient(dtype=float):
    """Return a parameter whose gradient is [2, 4, 6]."""
    p = mg.tensor([1.0, 2.0, 3.0], dtype, requires_grad=True)
    (p * p).sum().backward()
    return p


@pytest.mark.parametrize(("change", "expected"), [
    (lambda p: p.data.add_(mg.tensor([1.0, 1.0, 1.0]), alpha=2), [3, 4, 5]), (lambda p: p.data.zero_(), [0, 0, 0]),
    (lambda p: p.data.mul_(2).sub_(1), [1, 3, 5]), (lambda p: p.data.clamp_(-1, 2), [1, 2, 2]),
    (lambda p: p.data.copy_(mg.tensor([4.0, 5.0, 6.0])), [4, 5, 6]), (lambda p: p.data.__setitem__(0, 9.0), [9, 2, 3]),
    (lambda p: setattr(p, "data", p.data - 1), [0, 1, 2]), (lambda p: p.data.__isub__(p.grad), [-1, -2, -3]),
    (lambda p: p.data.view(-1).__setitem__(0, 9.0), [9, 2, 3]), (lambda p: p.data.narrow(0, 1, 2).zero_(), [1, 0, 0]),
    (lambda p: p.data.unsqueeze(0)[0].mul_(2), [2, 4, 6]), (lambda p: p.data.chunk(3)[1].fill_(7), [1, 7, 3]),
    (lambda p: p.data[1:].fill_(8), [1, 8, 8]), (lambda p: p.data[:2][1:].mul_(5), [1, 10, 3]),
    (lambda p: p.data.__setitem__(slice(None), p.data[:].__iadd__(1.0)), [2, 3, 4]),
    (lambda p: p.detach().fill_(7), [7, 7, 7]), (lambda p: p.detach()[1:].zero_(), [1, 0, 0]),
])
def test_pytorchs_words_for_data_rebind_the_tensor(change, expected):
    """p.data.add_(x) and its kin change the parameter; a pending backward keeps its arrays."""
    p = with_gradient()
    pending, before = (p * p * p).sum(), p.data
    change(p)
    assert p.tolist() == expected
    assert before.tolist() == [1, 2, 3]
    assert before.norm(2).item() == pytest.approx(14 ** 0.5)
    np.testing.assert_allclose(mg.grad(pending, p).data, [3, 12, 27], rtol=1e-15)
    with pytest.raises(RuntimeError, match="result of an operation"):
        (p * 2).data.zero_()
    with pytest.raises((AttributeError, ValueError)):
        (p * 2).data[1:].zero_()
    with pytest.raises(ValueError, match="read-only"):
        (p * 2).data[1:][0] = 1.0


def test_a_write_by_one_view_undoes_none_by_another():
    """What is written is what is there now, with the change; as if all views were one memory."""
    t = mg.zeros(3)
    a, b = t[0:2], t[1:3]
    a += 1
    b += 1
    assert t.tolist() == [1, 2, 1]
    w = mg.tensor([[5.0, 5.0], [5.0, 5.0]], requires_grad=True)
    with mg.no_grad():
        row = w[0]
        w -= 4.0
        row.clamp_(min=2.0)
    assert w.tolist() == [[2, 2], [1, 1]]
    g = mg.tensor([1.0, 2.0], requires_grad=True)
    (g * g).sum().backward()
    half = g.grad[:]
    (g * g).sum().backward()
    half *= 0.5
    assert g.grad.tolist() == [2, 4]


@pytest.mark.parametrize(("view", "write", "expected"), [
    (lambda t: t.view(-1), lambda v: v.__setitem__(0, 9.0), [[9, 2, 3], [4, 5, 6]]),
    (lambda t: t.T, lambda v: v.__setitem__(0, 9.0), [[9, 2, 3], [9, 5, 6]]),
    (lambda t: t.t()[1:], lambda v: v.zero_(), [[1, 0, 0], [4, 0, 0]]),
    (lambda t: t.unsqueeze(0)[0][1], lambda v: v.mul_(2), [[1, 2, 3], [8, 10, 12]]),
    (lambda t: t[None].squeeze(), lambda v: v.add_(1), [[2, 3, 4], [5, 6, 7]]),
    (lambda t: t[:, :2].diagonal(), lambda v: v.zero_(), [[0, 2, 3], [4, 0, 6]]),
    (lambda t: t.flip(0)[0], lambda v: v.fill_(0), [[1, 2, 3], [4, 5, 6]]),
    (lambda t: t[:, :2].diag(), lambda v: v.fill_(0), [[1, 2, 3], [4, 5, 6]]),
    (lambda t: t.unbind(1)[2], lambda v: v.neg_(), [[1, 2, -3], [4, 5, -6]]),
    (lambda t: t.permute(1, 0)[0], lambda v: v.zero_(), [[0, 2, 3], [0, 5, 6]]),
    (lambda t: t.chunk(2)[1], lambda v: v.zero_(), [[1, 2, 3], [0, 0, 0]]),
    (lambda t: t.detach().detach(), lambda v: v.zero_(), [[0, 0, 0], [0, 0, 0]]),
    (lambda t: t.clone(), lambda v: v.zero_(), [[1, 2, 3], [4, 5, 6]]),
    (lambda t: t + 0, lambda v: v.zero_(), [[1, 2, 3], [4, 5, 6]]),
])
def test_writing_to_any_view_writes_to_the_tensor(view, write, expected):
    """As PyTorch has it, off the tape: what is a view there, and what a copy."""
    t = mg.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    write(view(t))
    assert t.tolist() == expected
    torch = pytest.importorskip("torch")
    twin = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    write(view(twin))
    assert twin.tolist() == expected


MAKE_VIEW = [lambda t: t.view(3, 2), lambda t: t[0:2], lambda t: t.T, lambda t: t.squeeze(), lambda t: t.detach(),
             lambda t: t.reshape(-1)[1:5]]
CHANGE = [lambda w: w.data.sub_(1), lambda w: setattr(w, "data", w.data - 1), lambda w: w.detach().sub_(1),
          lambda w: w.data.__isub__(1.0), lambda w: (nn.init.constant_(w, -1.0), None)[1], lambda w: w.sub_(1)]


@pytest.mark.parametrize("make", MAKE_VIEW)
@pytest.mark.parametrize("change", CHANGE)
@pytest.mark.parametrize("trained", [False, True])
def test_a_view_is_changed_whatever_the_way(make, change, trained):
    """Every way to change a view changes it; one that is trained is a tensor of its own, and keeps steps."""
    t = mg.zeros(2, 3)
    w = make(t)
    if trained:
        w.requires_grad_()
        opt = optim.SGD([w], lr=1.0)
        (w * 2.0).sum().backward()
        opt.step()
        assert (w.data == -2).all()
    start = w.data.copy()
    with mg.no_grad():
        change(w)
    assert not (w.data == start).any() or change is CHANGE[4]
    expected = np.full(w.shape, -1.0) if change is CHANGE[4] else start - 1
    np.testing.assert_array_equal(w.data, expected)
    assert (t.data == (0 if trained else -1)).sum() == (6 if trained else w.size)
    with mg.no_grad():
        w.clamp_(-10, 10)
    np.testing.assert_array_equal(w.data, expected)


def test_pytorchs_words_for_data_get_pytorchs_answers():
    """Where arrays and PyTorch's tensors have one name for two things; NumPy's words get NumPy's answers."""
    x = np.array([[3.0, 1.0, 2.0], [4.0, 6.0, 5.0]])
    d = mg.tensor(x).data
    assert d.max(1)[1].tolist() == [0, 1]
    assert d.max(1, keepdim=True)[0].tolist() == [[3], [6]]
    assert (d.max(), d.max(axis=1).tolist()) == (6, [3, 6])
    assert (d.size, d.size(), d.size(0)) == (6, (2, 3), 2)
    assert d.view(-1).tolist() == x.ravel().tolist()
    assert d.transpose(0, 1).tolist() == d.T.tolist() == x.T.tolist()
    assert d.repeat(1, 2).tolist() == np.tile(x, (1, 2)).tolist()
    assert d.repeat(2, axis=0).tolist() == x.repeat(2, 0).tolist()
    assert d.std().item() == x.std(ddof=1)
    assert (d.std(axis=0) == x.std(0)).all()
    assert np.std(d) == x.std()
    assert (type(d + 1), type(d[0] * 1), type(np.exp(d)), type(d.sum(axis=0))) == (np.ndarray,) * 4
    assert isinstance(d.mean(), float)


def test_a_write_that_does_not_fit_changes_nothing():
    """Shapes and dtypes are checked before anything is written; a long chain of slices is no recursion."""
    t = mg.zeros(2, 3)
    with pytest.raises(ValueError, match="in-place"):
        t[0].add_(mg.ones(1, 3))
    whole = mg.tensor([[1, 2]])
    with pytest.raises(TypeError, match="lose"):
        whole[0].add_(1.5)
    with pytest.raises(RuntimeError, match="one in memory"):
        t[:1].expand(5, 3).add_(1)
    assert (t.tolist(), whole.tolist()) == ([[0, 0, 0], [0, 0, 0]], [[1, 2]])
    x = mg.zeros(3000)
    tail = x
    for _ in range(2000):
        tail = tail[1:]
    tail += 1
    assert x.sum().item() == 1000

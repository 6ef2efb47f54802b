"""Checkpoints: the gradients of a plain pass to the bit, in less memory, and what cannot be made anew is refused."""

import gc
import tracemalloc

import numpy as np
import pytest
from twins import waves

import minigrad as mg
from minigrad import nn, optim
from minigrad.checkpoint import parts_of
from minigrad.nn import functional as F
from minigrad.table import Node
from minigrad.table import checkpoint as made_by_checkpoint

STEPS, D, H, N = 24, 3, 4, 5


def plain(fn, *xs):
    return fn(*xs)


def cells(kind):
    """Return a cell, what it starts from, and a function that goes a few steps."""
    cell = getattr(nn, kind)(D, H, rng=np.random.default_rng(0))
    first = [mg.tensor(waves(N, H, k=1.0 + k), requires_grad=True) for k in range(1 + (kind == "LSTMCell"))]

    def some(state, xs):
        for x in xs:
            state = cell(x, state)
        return state

    return cell, first, (tuple(first) if len(first) > 1 else first[0]), some


def chain(call, some, state, pieces):
    for xs in np.split(waves(STEPS, N, D), pieces):
        state = call(some, state, xs)
    parts = state if isinstance(state, tuple) else (state,)
    return sum((s * s * (k + 1.0)).sum() for k, s in enumerate(parts))


def to_the_bit(got, expected):
    for a, b in zip(got, expected, strict=True):
        np.testing.assert_array_equal(a.data, b.data)


@pytest.mark.parametrize("kind", ["RNNCell", "LSTMCell", "GRUCell"])
@pytest.mark.parametrize("pieces", [1, 4, 24])
@pytest.mark.parametrize("way", ["backward", "grad", "grad of some", "twice", "second order"])
def test_gradients_are_the_same_to_the_bit(kind, pieces, way):
    results, seconds = [], []
    for call in (plain, mg.checkpoint):
        cell, first, state, some = cells(kind)
        loss, wanted = chain(call, some, state, pieces), [*first, *cell.parameters()]
        if way == "backward":
            loss.backward()
            found = [w.grad for w in wanted]
        elif way == "grad of some":
            found = [mg.grad(loss, cell.weight_hh)]
        elif way == "second order":
            found = mg.grad(loss, wanted, create_graph=True)
            seconds.append(mg.grad(sum((g * g).sum() for g in found), wanted))
        else:
            found = mg.grad(loss, wanted, retain_graph=way == "twice")
            if way == "twice":
                found += mg.grad(loss, wanted)
        results.append(found)
    to_the_bit(*results)
    for a, b in zip(*seconds or ((), ()), strict=True):         # made anew, other sums are formed in another order
        np.testing.assert_allclose(a.data, b.data, rtol=1e-12, atol=1e-15)


def test_checkpoints_within_checkpoints():
    cell, first, state, some = cells("LSTMCell")

    def inner(state, xs):
        for half in np.split(xs, 2):
            state = mg.checkpoint(some, state, half)
        return state

    expected = mg.grad(chain(plain, some, state, 4), [*first, *cell.parameters()])
    to_the_bit(mg.grad(chain(mg.checkpoint, inner, state, 4), [*first, *cell.parameters()]), expected)


def test_what_comes_out_beside_tensors_is_passed_through():
    x, w = (mg.tensor(waves(3, k=k), requires_grad=True) for k in (1.0, 2.0))

    def several(x):
        y = x * w
        return [y, y, np.tanh(y), x, w, mg.tensor([1.0]), "text", None]

    got = mg.checkpoint(several, x)
    assert isinstance(got, list)
    assert got[0] is got[1]
    assert got[3] is x
    assert got[4] is w
    assert got[6:] == ["text", None]
    loss = (got[0] * got[2] * got[3] * got[4]).sum()
    y = x * w
    to_the_bit(mg.grad(loss, [x, w]), mg.grad((y * np.tanh(y) * x * w).sum(), [x, w]))
    used = mg.checkpoint(several, x)                    # only one of the results is used
    to_the_bit(mg.grad(used[2].sum(), [x, w]), mg.grad(np.tanh(x * w).sum(), [x, w]))


@pytest.mark.parametrize("shape", [
    lambda y, h, c: (y, (h, c)), lambda y, h, c: {"y": y, "state": [h, c]}, lambda y, h, c: [(y,), {"h": h}, c]])
def test_results_within_results_are_made_anew(shape):
    """An LSTM returns (out, (h, c)): nothing of the inside may be kept by one of them."""
    net, x = nn.LSTM(D, H), waves(6, N, D)

    def run(x):
        y, (h, c) = net(x)
        return shape(y, h, c)

    plain_parts, parts = parts_of(run(x)), parts_of(mg.checkpoint(run, x))
    assert [part._fn for part in parts] == [made_by_checkpoint] * 3
    for got, expected in zip(parts, plain_parts):
        to_the_bit(*(mg.grad((y * y).sum(), net.parameters(), retain_graph=True) for y in (got, expected)))


@pytest.mark.parametrize("wrap", [lambda x: x, lambda x: [x], lambda x: {"x": x}], ids=["array", "list", "dict"])
@pytest.mark.parametrize("as_tensor", [False, True])
def test_arguments_are_those_of_the_first_run(wrap, as_tensor):
    """The caller may reuse an array before backward, as with every other operation."""
    w, b = mg.tensor(np.zeros(3), requires_grad=True), np.ones(3)
    given = mg.tensor(b) if as_tensor else b
    loss = mg.checkpoint(lambda w, b: (w * parts_of(b)[0]).sum(), w, wrap(given))
    given[:] = 7.0
    loss.backward()
    assert w.grad.tolist() == [1.0, 1.0, 1.0]


def test_layers_hooks_and_dropout_are_as_without():
    """Tensor hooks and step hooks act once per sweep; what the default generator drew is drawn again."""
    results = []
    for call in (plain, mg.checkpoint):
        mg.manual_seed(5)
        net, seen = nn.LSTM(D, H, 2, dropout=0.4, rng=None), []
        net.register_step_hook(lambda g, t, seen=seen: seen.append((t, g.tolist())) or g.clamp(-0.05, 0.05))

        def run(x, net=net, seen=seen):
            h = F.dropout(net(x)[0], 0.5)
            h.register_hook(lambda g: seen.append(g.tolist()))
            return h * 2

        loss = (call(run, waves(6, N, D)) * waves(6, N, H)).sum()
        after = mg.randn(3)
        loss.backward()
        results.append([seen, after.tolist(), mg.randn(3).tolist(), [p.grad.tolist() for p in net.parameters()]])
    assert results[0] == results[1]
    assert len(results[0][0]) == 1 + 2 * 6


def test_without_gradients_it_is_a_plain_call():
    calls, w = [], mg.tensor([2.0], requires_grad=True)

    def count(x):
        calls.append(1)
        return x * w

    with mg.no_grad():
        assert mg.checkpoint(count, np.ones(1)).is_leaf
    w.requires_grad_(False)
    assert not mg.checkpoint(count, mg.tensor([1.0])).requires_grad
    assert len(calls) == 2


def peak(run):
    gc.collect()
    tracemalloc.start()
    try:
        run()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_ten_thousand_steps_in_the_memory_of_some_hundred():
    cell, xs = nn.RNNCell(1, 16, rng=np.random.default_rng(0)), np.zeros((10_000, 8, 1))

    def some(h, xs):
        for x in xs:
            h = cell(x, h)
        return h

    def run(piece):
        cell.zero_grad()
        h = mg.zeros(8, 16)
        for k in range(0, len(xs), piece):
            h = (plain if piece == len(xs) else mg.checkpoint)(some, h, xs[k:k + piece])
        h.sum().backward()
        return [p.grad.data for p in cell.parameters()]

    whole, pieces = {}, {}
    big = peak(lambda: whole.update(g=run(10_000)))
    small = peak(lambda: pieces.update(g=run(100)))
    to_the_bit([mg.tensor(g) for g in pieces["g"]], [mg.tensor(g) for g in whole["g"]])
    assert small < big / 15


def test_nothing_outlives_the_loss():
    cell, _, state, some = cells("GRUCell")
    gc.collect()
    gc.disable()
    try:
        before = sum(issubclass(type(o), Node) for o in gc.get_objects())
        for _ in range(3):
            chain(mg.checkpoint, some, state, 4).backward()
            chain(mg.checkpoint, some, state, 4)                # never gone through
        cell.zero_grad()
        state.grad = None
        assert sum(issubclass(type(o), Node) for o in gc.get_objects()) == before
    finally:
        gc.enable()


# ------------------------------------------------------------------------------------------- what is refused

def test_a_parameter_that_has_moved_is_refused():
    net = nn.Linear(2, 2)
    opt = optim.SGD(net.parameters(), lr=0.1)
    loss = mg.checkpoint(net, np.ones((1, 2))).sum()
    net(np.ones((1, 2))).sum().backward()
    opt.step()
    opt.zero_grad()
    with pytest.raises(RuntimeError, match=r"checkpoint\(Linear.*shape \(2, 2\).* another array .*before the update"):
        loss.backward()
    assert all(p.grad is None for p in net.parameters())


def test_another_result_is_refused():
    rng, w = np.random.default_rng(0), mg.tensor(np.ones(50), requires_grad=True)
    loss = mg.checkpoint(lambda x: F.dropout(x * w, 0.5, rng=rng), np.ones(50)).sum()
    with pytest.raises(RuntimeError, match=r"did not give what it gave.*\(50,\).*generator"):
        loss.backward()
    shapes = iter([3, 4])
    loss = mg.checkpoint(lambda: w[:next(shapes)]).sum()
    with pytest.raises(RuntimeError, match=r"did not give what it gave"):
        loss.backward()
    assert w.grad is None


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_a_small_part_that_differs_is_seen(dtype):
    rng, w = np.random.default_rng(0), mg.tensor(np.ones(8), dtype=dtype, requires_grad=True)
    loss = mg.checkpoint(lambda w: F.dropout(w, 0.5, rng=rng) + 100.0, w).sum()
    with pytest.raises(RuntimeError, match=r"did not give what it gave"):
        loss.backward()


def test_other_tensors_of_the_same_values_are_refused():
    """Late binding: when it is run again, the lambda finds the last layer, whose values are those of the first."""
    norms = [nn.LayerNorm(3) for _ in range(3)]
    h = mg.tensor(waves(2, 3), requires_grad=True)
    for layer in norms:
        h = mg.checkpoint(lambda h: layer(h), h)                                        # noqa: B023, that is the trap
    with pytest.raises(RuntimeError, match=r"other tensors.*checkpoint\(layer, h\)"):
        h.sum().backward()
    assert all(p.grad is None for layer in norms for p in layer.parameters())


def test_what_only_another_result_depends_on_is_unused():
    w, v = (mg.tensor([1.0], requires_grad=True) for _ in range(2))
    a, _ = mg.checkpoint(lambda: (w * 2, v * 3))
    with pytest.raises(RuntimeError, match=r"does not depend on xs\[1\]"):
        mg.grad(a, [w, v])
    a, _ = mg.checkpoint(lambda: (w * 2, v * 3))
    assert mg.grad(a, [w, v], allow_unused=True)[1] is None


def test_a_freed_graph_is_refused():
    w = mg.tensor([1.0], requires_grad=True)
    y = mg.checkpoint(lambda: w * 2)
    y.backward()
    with pytest.raises(RuntimeError, match="freed"):
        y.backward()


def test_what_is_no_function_is_refused():
    with pytest.raises(TypeError, match=r"write checkpoint\(layer, x\)"):
        mg.checkpoint(mg.tensor([1.0]))

"""Accumulation against the large batch: where they are the same to 1e-12, and three cases where they are not."""

import math

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim
from minigrad.hooks import Accumulate, ClipNorm, NonFinite, apply_hooks

ITEMS, WINDOWS = 64, 5
KINDS = {
    "SGD": lambda params, hooks: optim.SGD(params, lr=0.1, hooks=hooks),
    "momentum": lambda params, hooks: optim.SGD(params, lr=0.05, momentum=0.9, weight_decay=0.01, hooks=hooks),
    "Adam": lambda params, hooks: optim.Adam(params, lr=0.01, hooks=hooks),
}
every_kind = pytest.mark.parametrize("kind", KINDS)


def data(window):
    """64 items, other ones in each window, with labels that no net can know."""
    rng = np.random.default_rng(100 + window)
    return rng.normal(size=(ITEMS, 6)), rng.integers(0, 3, ITEMS)


def mlp():
    rng = np.random.default_rng(1)
    return nn.Sequential(nn.Linear(6, 16, rng=rng), nn.Tanh(), nn.Linear(16, 16, rng=rng), nn.ReLU(),
                         nn.Linear(16, 3, rng=rng))


def flat(net):
    return np.concatenate([p.data.ravel() for p in net.parameters()])


def cut(sizes):
    """Return slices of these sizes, one after another."""
    ends = np.cumsum(sizes)
    return [slice(int(end - size), int(end)) for end, size in zip(ends, sizes)]


def train(kind, sizes, hooks, weighted=True, spoil=None, left_out=None):
    """Run some windows of micro-batches, then flush; return the path of all parameters.

    ``sizes`` is a list, or a function of the window; micro-batch number ``spoil`` of each window holds a NaN, and the
    items of ``left_out`` (a slice) are not there at all.
    """
    net = mlp()
    opt, path = KINDS[kind](net.parameters(), hooks), []
    for window in range(WINDOWS):
        x, y = data(window)
        if left_out is not None:
            x, y = (np.delete(a, left_out, axis=0) for a in (x, y))
        for number, part in enumerate(cut(sizes(window) if callable(sizes) else sizes)):
            inputs = x[part].copy()
            if number == spoil:
                inputs[0, 0] = math.nan
            opt.zero_grad()
            nn.functional.cross_entropy(net(mg.tensor(inputs)), mg.tensor(y[part])).backward()
            opt.step(weight=part.stop - part.start if weighted else 1)
        opt.flush()
        path.append(flat(net))
    assert opt.updates == WINDOWS
    return np.array(path)


def apart(path, other):
    return np.abs(path - other).max()


# ---------------------------------------------------------------------------------------- where they are the same

@every_kind
@pytest.mark.parametrize("sizes", [[8] * 8, [1, 7, 24, 32], [1] * 64, [64]],
                         ids=["8 x 8", "1 + 7 + 24 + 32", "64 x 1", "1 x 64"])
def test_micro_batches_go_where_the_large_batch_goes(kind, sizes):
    large = train(kind, [ITEMS], [])
    assert apart(train(kind, sizes, [Accumulate(len(sizes))]), large) < 1e-12
    assert np.linalg.norm(large[-1] - flat(mlp())) > 0.05


@every_kind
def test_so_does_a_window_whose_length_varies(kind):
    """2, 4 and 8 micro-batches in turn, of 32, 16 and 8 items; the clip behind them sees the same gradient."""
    lengths = (2, 4, 8)
    hooks = [Accumulate(every=lambda step: lengths[step % 3]), ClipNorm(0.1)]
    varying = train(kind, lambda window: [ITEMS // lengths[window % 3]] * lengths[window % 3], hooks)
    assert apart(varying, train(kind, [ITEMS], [ClipNorm(0.1)])) < 1e-12
    assert apart(varying, train(kind, [ITEMS], [])) > 1e-3              # it did act


@every_kind
@pytest.mark.parametrize(("sizes", "spoil"), [([8] * 8, 3), ([8] * 8, 7), ([1, 7, 24, 32], 2)])
def test_a_bad_micro_batch_is_as_if_its_items_had_not_been_there(kind, sizes, spoil):
    """It is dropped alone, and its items do not count in the divisor; a flush ends the window that it leaves short."""
    bad = cut(sizes)[spoil]
    dropped = train(kind, sizes, [NonFinite("skip"), Accumulate(len(sizes))], spoil=spoil)
    left = ITEMS - (bad.stop - bad.start)
    assert apart(dropped, train(kind, [left], [], left_out=bad)) < 1e-12
    assert apart(dropped, train(kind, [ITEMS], [])) > 1e-4


def test_without_a_finite_check_it_spoils_the_window_for_good():
    with pytest.warns(RuntimeWarning, match="not finite"):
        assert np.isnan(train("SGD", [8] * 8, [Accumulate(8)], spoil=3)).any()


# --------------------------------------------------------------------------------- where they are not: BatchNorm

def batchnorm_net():
    """Its data too: four items whose gradients are about 2 together and 6e-4 in two pairs, as is typical."""
    rng = np.random.default_rng(104)
    net = nn.Sequential(nn.Linear(3, 4, rng=rng), nn.BatchNorm1d(4), nn.Linear(4, 1, rng=rng))
    return net, rng.normal(size=(4, 3)), rng.normal(size=(4, 1)) * 2


def first_layers_update(parts):
    """What one accumulated step with lr 1 takes off the weight of the first layer, of items in these parts."""
    net, x, y = batchnorm_net()
    before = net[0].weight.data.copy()
    opt = optim.SGD(net.parameters(), lr=1.0, hooks=[Accumulate(len(parts))])
    for part in parts:
        opt.zero_grad()
        ((net(x[part]) - y[part]) ** 2).mean().backward()
        opt.step(weight=len(part))
    return before - net[0].weight.data


def test_batchnorm_mixes_the_items_of_a_micro_batch():
    """Normalised among two items, a feature s becomes +-d / sqrt(d^2 + eps) with d = (s_1 - s_2) / 2: +1 and -1,
    whatever the layer before it does.  So its gradient all but vanishes, by the factor eps / (d^2 + eps)^1.5; among
    four items it does not."""
    together, pairs = first_layers_update([[0, 1, 2, 3]]), first_layers_update([[0, 1], [2, 3]])
    assert np.linalg.norm(together) == pytest.approx(1.958, abs=1e-3)
    assert np.linalg.norm(pairs) == pytest.approx(6.03e-4, abs=1e-6)

    net, x, y = batchnorm_net()
    net(x)                                                     # as in the first pass of training
    weight, bias = (net[2].weight.data[0], net[2].bias.data)
    expected, eps = np.zeros((4, 3)), net[1].eps
    for part in ([0, 1], [2, 3]):
        s = x[part] @ net[0].weight.data.T + net[0].bias.data
        d = (s[0] - s[1]) / 2
        normal = d / np.sqrt(d * d + eps)
        errors = (np.array([normal, -normal]) @ weight + bias - y[part][:, 0])
        upstream = (errors[0] - errors[1]) * weight            # dL/d normal, of the mean over two items
        expected += np.outer(upstream * eps / (d * d + eps) ** 1.5, (x[part][0] - x[part][1]) / 2) / 2
    np.testing.assert_allclose(pairs, expected, rtol=1e-9, atol=1e-15)


def test_layernorm_does_not():
    """Each item by itself: the large batch again."""
    def end(parts):
        rng = np.random.default_rng(104)
        net = nn.Sequential(nn.Linear(3, 4, rng=rng), nn.LayerNorm(4), nn.Linear(4, 1, rng=rng))
        x, y = rng.normal(size=(4, 3)), rng.normal(size=(4, 1))
        opt = optim.SGD(net.parameters(), lr=1.0, hooks=[Accumulate(len(parts))])
        for part in parts:
            opt.zero_grad()
            ((net(x[part]) - y[part]) ** 2).mean().backward()
            opt.step(weight=len(part))
        return flat(net)
    assert apart(end([[0, 1, 2, 3]]), end([[0, 1], [2, 3]])) < 1e-14


# ------------------------------------------------------------------------- where they are not: a clip to the left

@every_kind
def test_a_clip_per_micro_batch_is_another_gradient(kind):
    """The mean of what has been shortened: only where no micro-batch is too long is it the large batch's."""
    after = train(kind, [8] * 8, [Accumulate(8), ClipNorm(0.1)])
    assert apart(after, train(kind, [ITEMS], [ClipNorm(0.1)])) < 1e-12
    before = train(kind, [8] * 8, [ClipNorm(0.1), Accumulate(8)])
    assert apart(before, after) > 1e-3
    wide = train(kind, [8] * 8, [ClipNorm(100.0), Accumulate(8)])
    assert apart(wide, train(kind, [ITEMS], [])) < 1e-12


def test_it_lets_many_small_micro_batches_outvote_a_large_one():
    """Seven gradients of -1 and one of 9: the mean is 1/4, up to a threshold of 1 the clipped mean is -3/4."""
    gradients, ends = [-1.0] * 7 + [9.0], []
    for hooks in ([Accumulate(8), ClipNorm(1.0)], [ClipNorm(1.0), Accumulate(8)]):
        w = mg.tensor([0.0], requires_grad=True)
        opt = optim.SGD([w], lr=1.0, hooks=hooks)
        for g in gradients:
            w.grad = [g]
            opt.step()
        ends.append(-w.item())
    assert ends == [0.25, -0.75]


# ---------------------------------------------------------------------- where they are not: unequal, and not said

UNEQUAL = [1, 7, 24, 32]


def each_items_share(sizes):
    """What each item counts in a mean of means: 1 / (K m_k)."""
    return np.concatenate([np.full(m, 1 / (len(sizes) * m)) for m in sizes])


def net_gradient(weights):
    """The gradient of sum w_i l_i over the 64 items, by one backward pass."""
    net, (x, y) = mlp(), data(0)
    losses = nn.functional.cross_entropy(net(mg.tensor(x)), mg.tensor(y), reduction="none")
    (losses * weights).sum().backward()
    return np.concatenate([p.grad.data.ravel() for p in net.parameters()])


def test_unequal_micro_batches_without_weights_are_a_mean_of_means():
    """One item counts 16 times what it should, and 32 half of that: as noisy as 13.2 items of 64."""
    share = each_items_share(UNEQUAL)
    assert share.sum() == pytest.approx(1.0, rel=1e-15, abs=0)
    assert (share[0] * ITEMS, share[-1] * ITEMS) == (16.0, 0.5)
    assert 1 / np.sum(share ** 2) == pytest.approx(13.2, abs=0.05)
    right, wrong = net_gradient(np.full(ITEMS, 1 / ITEMS)), net_gradient(share)
    start, ends = flat(mlp()), {}
    for weighted in (True, False):
        ends[weighted] = (start - train("SGD", UNEQUAL, [Accumulate(4)], weighted=weighted)[0]) / 0.1
    assert np.abs(ends[True] - right).max() < 1e-14
    assert np.abs(ends[False] - wrong).max() < 1e-14
    error = np.linalg.norm(wrong - right) / np.linalg.norm(right)
    assert error == pytest.approx(2.02, abs=0.01)                           # more than the gradient itself


def test_the_effective_sample_size_is_what_the_noise_says():
    """Which items fall into the small micro-batches is chance: over it, the mean square error of the gradient is
    (sum w_i^2 - 1/N) times the variance among the items (weights over a draw without replacement)."""
    rng = np.random.default_rng(5)
    gradients, share = rng.normal(size=(ITEMS, 20)), each_items_share(UNEQUAL)
    mean = gradients.mean(0)
    errors = []
    for _ in range(2000):
        hook, order = Accumulate(4), gradients[rng.permutation(ITEMS)]
        for part in cut(UNEQUAL):
            out = apply_hooks([hook], {"w": order[part].mean(0)})
        errors.append(np.sum((out["w"] - mean) ** 2))
    variance = np.sum((gradients - mean) ** 2) / (ITEMS - 1)
    assert np.mean(errors) == pytest.approx((np.sum(share ** 2) - 1 / ITEMS) * variance, rel=0.05)


# --------------------------------------------------------------------------------------------- mean against sum

def reduced(kind, reduction, hooks, updates=34, **arguments):
    """Where windows of 8 lead from 0, with gradients of about 1 whose scale changes from window to window."""
    rng = np.random.default_rng(3)
    gradients = rng.choice([-1, 1], size=(1, 4)) * rng.uniform(1, 3, size=(8 * updates, 4))
    scale = np.repeat(4.0 ** rng.integers(0, 3, size=updates), 8)[:, None]
    w = mg.tensor(np.zeros(4), requires_grad=True)
    opt = getattr(optim, kind)([w], hooks=[Accumulate(8, reduction=reduction), *hooks], **arguments)
    for g in gradients * scale:
        w.grad = g
        opt.step()
    return w.data


def test_a_sum_is_eight_steps_for_sgd_and_one_for_adam():
    """In Adam the factor 8 cancels but for eps: each update moves by lr |m^| / (sqrt(v^) + eps), and eps / sqrt(v^) of
    it at most is eps's; with |g| >= 1 that is 34 updates * 1e-3 * 1e-8 = 3.4e-10 at most, times |m^| / sqrt(v^)."""
    mean, total = (reduced("SGD", reduction, [], lr=0.01) for reduction in ("mean", "sum"))
    np.testing.assert_allclose(total, 8 * mean, rtol=1e-14)
    mean, total = (reduced("Adam", reduction, [], lr=1e-3) for reduction in ("mean", "sum"))
    assert 1e-11 < np.abs(mean - total).max() < 3.4e-10
    assert np.abs(mean).min() > 0.02


def test_adam_with_a_clip_tells_them_apart_as_the_threshold_is_not_scaled():
    mean, total = (reduced("Adam", reduction, [ClipNorm(10.0)], lr=1e-3) for reduction in ("mean", "sum"))
    assert np.abs(mean - total).max() > 1e-3
    total = reduced("Adam", "sum", [ClipNorm(8 * 10.0)], lr=1e-3)
    assert np.abs(mean - total).max() < 3.4e-10

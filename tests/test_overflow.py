"""A gradient that overflows inside the backward pass: only a clip inside the backward pass rescues it."""

import numpy as np
import pytest

from minigrad import hooks, nn, optim

DOUBLING = {"float64": 1100, "float32": 140}
"""Steps after which 2**T is no number of the dtype any more."""


def doubling(dtype):
    """Return a ReLU net at its unstable fixed point: h_t = relu(2 h - 1) = 1 for ever, and dL/dh_t = 2**(T-1-t)."""
    net = nn.RNN(1, 1, nonlinearity="relu", bias=False, dtype=dtype)
    net.weight_ih_l0.data, net.weight_hh_l0.data = [[1.0]], [[2.0]]
    return net


def run_through(net, dtype):
    out, last = net(np.full((DOUBLING[dtype], 1), -1.0, dtype), np.ones((1, 1), dtype))
    assert (out.data == 1.0).all()                              # forward, nothing is out of the ordinary
    with np.errstate(over="ignore"):
        last.sum().backward()


doubles = pytest.mark.parametrize("dtype", DOUBLING)


@doubles
def test_without_a_step_hook_the_gradient_is_inf_and_no_factor_helps(dtype):
    net = doubling(dtype)
    run_through(net, dtype)
    assert net.weight_hh_l0.grad.tolist() == [[np.inf]]
    opt = optim.SGD(net.parameters(), lr=0.1, hooks=[hooks.NonFinite("propagate"), hooks.ClipNorm(1.0)])
    opt.step()
    assert np.isnan(net.weight_hh_l0.data).all()                # inf * 0
    with pytest.raises(FloatingPointError, match=r"weight_ih_l0.*Clip earlier"):
        optim.SGD(net.parameters(), lr=0.1, hooks=[hooks.NonFinite()]).step()


@doubles
@pytest.mark.parametrize(("clip", "start", "limit"), [
    (lambda g, t: g.clamp(-15, 15), [1, 2, 4, 8], 15), (hooks.inside(hooks.ClipValue(15.0)), [1, 2, 4, 8], 15),
    (hooks.inside(hooks.ClipNorm(10.0)), [1, 2, 4, 8], 10), (hooks.inside(hooks.ClipNorm(0.5)), [], 0.5),
])
def test_with_a_step_hook_it_is_finite_and_as_computed_by_hand(dtype, clip, start, limit):
    """The weight gradient is the sum of dL/dh_t h_(t-1): of 1, 2, 4, 8 and then of the limit in all other steps."""
    net, steps = doubling(dtype), DOUBLING[dtype]
    net.register_step_hook(clip)
    run_through(net, dtype)
    assert net.weight_hh_l0.grad.tolist() == [[sum(start) + limit * (steps - len(start))]]
    optim.SGD(net.parameters(), lr=0.1, hooks=[hooks.NonFinite(), hooks.ClipNorm(1.0)]).step()
    assert net.weight_hh_l0.item() == pytest.approx(2 - 0.1 / np.sqrt(2), rel=1e-6)


def chaos(dtype):
    """Return a ReLU net that is the tent map: y' = 1.9 y for y < 0.5, 1.9 (1 - y) above; |dy_t/dy_0| = 1.9**t."""
    net = nn.RNN(1, 2, nonlinearity="relu", dtype=dtype)
    net.weight_hh_l0.data, net.bias_ih_l0.data, net.bias_hh_l0.data = [[1.9, -3.8]] * 2, [0.0, 0.0], [0.0, -0.5]
    return net


def train(net, dtype, steps, updates):
    """Train the net to rest at 0.25, with a clip after every backward pass; return the losses."""
    x, y = np.zeros((steps, 1), dtype), np.array([[0.3, 0.0]], dtype)
    opt = optim.Adam(net.parameters(), lr=0.01, hooks=[hooks.NonFinite("propagate"), hooks.ClipNorm(1.0)])
    losses = []
    for _ in range(updates):
        opt.zero_grad()
        loss = ((net(x, y)[0] - 0.25) ** 2).sum()
        loss.backward()
        opt.step()
        losses.append(loss.item())
    return losses


lengths = pytest.mark.parametrize(("dtype", "steps"), [("float64", 1200), ("float32", 150)])


@lengths
def test_no_clip_after_the_pass_makes_a_gradient_of_nan(dtype, steps):
    """Here inf - inf arises on the way, and a value clip is as helpless as a norm clip."""
    net = chaos(dtype)
    loss = ((net(np.zeros((steps, 1), dtype), np.array([[0.3, 0.0]], dtype))[0] - 0.25) ** 2).sum()
    with np.errstate(over="ignore", invalid="ignore"):
        loss.backward()
    assert np.isfinite(loss.item())
    for clip in (hooks.ClipNorm(1.0), hooks.ClipValue(15.0)):
        clipped = hooks.apply_hooks([clip], {"w": net.weight_hh_l0.grad.data})
        assert np.isnan(clipped["w"]).all()


@lengths
@pytest.mark.parametrize("clip", [None, lambda g, t: g.clamp(-15, 15), hooks.inside(hooks.ClipNorm(1.0))])
def test_a_chaotic_net_trains_with_a_clip_of_every_step_and_is_lost_without(dtype, steps, clip):
    net = chaos(dtype)
    if clip:
        net.register_step_hook(clip)
        losses = train(net, dtype, steps, 5)
        assert losses[-1] < 0.6 * losses[0]
        assert all(np.isfinite(p.data).all() for p in net.parameters())
    else:
        with np.errstate(all="ignore"):
            losses = train(net, dtype, steps, 2)
        assert np.isfinite(losses[0])
        assert np.isnan(losses[1])
        assert not np.isfinite(net.weight_hh_l0.data).any()

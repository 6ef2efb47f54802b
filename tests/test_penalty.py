"""The penalty on a gradient's norm: rows of the table, the trace's norm, central differences, PyTorch, third order."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optimizing import near
from penalties import bowl, every_net, every_norm, filled, leaf, mean_square
from twins import needs_torch, torch, waves

import minigrad as mg
from minigrad import nn, optim
from minigrad.norms import norm
from minigrad.penalty import grad_norm_penalty, input_grad_penalty

QUICK = settings(max_examples=100, deadline=None, derandomize=True, database=None)
INF = math.inf


def slope(f, array, direction, step=1e-3):
    """The derivative of a function of an array along a direction, by differences of fourth order."""
    one, two = ((f(array + k * step * direction) - f(array - k * step * direction)) / (2 * k * step) for k in (1, 2))
    return (4 * one - two) / 3


# ------------------------------------------------------------------ of the parameters: the rows of the table

@pytest.mark.parametrize(("p", "squared", "size", "value", "gradient"), [
    (1, False, 11.0, 6.6, [1.1, 11.0]),
    (2, False, 10.04987562112089, 6.504987562112089, [1.0099503719, 10.9950371902]),
    (INF, False, 10.0, 6.5, [1.0, 11.0]),
    (2, True, 101.0, 15.6, [1.2, 30.0])])
def test_the_table(p, squared, size, value, gradient):
    w = leaf([1.0, 1.0])
    loss = bowl(w)
    penalty = grad_norm_penalty(loss, [w], 0.1, p, squared)
    total = loss + penalty
    total.backward()
    assert penalty.item() / 0.1 == near(size, rel=4e-16)
    assert total.item() == near(value, rel=4e-16)
    assert w.grad.tolist() == near(gradient, rel=1e-10)
    assert (w.tolist(), total.shape) == ([1.0, 1.0], ())


@pytest.mark.parametrize("p", [1, 1.25, 2, 2.5, 3, 50, 1000, INF])
@pytest.mark.parametrize("squared", [False, True])
def test_at_the_bottom_all_is_0(p, squared):
    w = leaf([0.0, 0.0])
    loss = bowl(w)
    total = loss + grad_norm_penalty(loss, w, 0.1, p, squared)
    total.backward()
    assert (total.item(), w.grad.tolist()) == (0.0, [0.0, 0.0])


def test_the_root_of_a_sum_of_squares_is_nan_there():
    """Its slope is g / ||g||, and so 0 / 0 at the bottom, where that of the penalty is 0."""
    w = leaf([0.0, 0.0])
    g = mg.grad(bowl(w), w, create_graph=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        naive = mg.grad(0.1 * (g * g).sum() ** 0.5, w)
    assert np.isnan(naive.data).all()
    assert mg.grad(grad_norm_penalty(bowl(w), w, 0.1), w).tolist() == [0.0, 0.0]


@needs_torch
def test_the_root_of_a_sum_of_squares_is_nan_in_pytorch():
    w = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    g, = torch.autograd.grad(0.5 * (w * w * torch.tensor([1.0, 10.0])).sum(), w, create_graph=True)
    assert torch.autograd.grad(0.1 * (g * g).sum() ** 0.5, w)[0].isnan().all()


@pytest.mark.parametrize(("w", "p", "direction"), [
    ([1.0, -2.0, 2.0], 1, [1, -1, 1]), ([1.0, -2.0, 2.0], 2, [1 / 3, -2 / 3, 2 / 3]),
    ([1.0, -2.0, 2.0], INF, [0, -1, 0]), ([3.0, -3.0, 0.0], INF, [1, 0, 0]), ([0.0, 1.0, -4.0], INF, [0, 0, -1]),
    ([1.0, -2.0, 0.0], 3, [9 ** (-2 / 3), -4 * 9 ** (-2 / 3), 0]), ([0.0, 0.0, -7.0], 1.5, [0, 0, -1]),
    ([1.0, 0.0, 0.0], 1, [1, 0, 0]), ([2.0, -1.0, 0.5], 1000, [1, 0, 0])])
def test_the_direction_of_each_norm(w, p, direction):
    """H is the identity here: the penalty adds lam d, or 2 lam ||g|| d where it is squared."""
    for squared, factor in ((False, 0.5), (True, norm(np.array(w), p))):
        x = leaf(w)
        grad_norm_penalty(0.5 * (x * x).sum(), x, 0.5, p, squared).backward()
        assert x.grad.tolist() == pytest.approx((factor * np.array(direction)).tolist(), rel=1e-14, abs=1e-290)


def test_the_largest_is_the_first_of_all_parameters():
    a, b = leaf([[1.0, 2.0], [3.0, -3.0]]), leaf([3.0, 0.0])
    for order, expected in (((a, b), ([[0, 0], [1, 0]], [0, 0])), ((b, a), ([[0, 0], [0, 0]], [1, 0]))):
        a.grad = b.grad = None
        grad_norm_penalty(0.5 * ((a * a).sum() + (b * b).sum()), order, 1.0, INF).backward()
        assert (a.grad.tolist(), b.grad.tolist()) == expected


def test_a_penalty_on_a_mean_is_no_mean_of_penalties():
    """The accumulation table: gradients [1, 0] and [-1, .5], of norms 1 and 1.118, have a mean of norm .25."""
    def losses(w):
        return [(w * g).sum() + 0.5 * k * (w * w).sum() for g, k in (([1.0, 0.0], 1.0), ([-1.0, 0.5], 2.0))]

    one, two = losses(w := leaf([0.0, 0.0]))
    of_mean = grad_norm_penalty((one + two) / 2, w, 1.0)
    mean_of = (grad_norm_penalty(one, w, 1.0) + grad_norm_penalty(two, w, 1.0)) / 2
    assert of_mean.item() == 0.25
    assert mean_of.item() == near((1 + math.sqrt(1.25)) / 2, rel=1e-15)
    assert round(mean_of.item(), 3) == 1.059
    # the mean of H is 1.5, of the mean the direction [0, 1]; each micro-batch pulls its own way
    assert mg.grad(of_mean, w).tolist() == pytest.approx([0.0, 1.5], abs=1e-15)
    assert mg.grad(mean_of, w).tolist() == near([0.5 - 1 / math.sqrt(1.25), 0.5 / math.sqrt(1.25)], rel=1e-14)


# ------------------------------------------------------------------------ the norm is that of the trace, exactly

@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("p", [1, 2, 3, INF])
def test_the_value_is_the_norm_in_the_trace_to_the_bit(p, seed):
    """Where no operation is fused: the gradients of those come from another formula where they are recorded."""
    rng = np.random.default_rng(seed)
    net = nn.Sequential(nn.Linear(4, 7, rng=rng), nn.Tanh(), nn.Linear(7, 3, rng=rng))
    trace = mg.NormTrace()
    opt = optim.SGD(net.parameters(), lr=0.1, trace=trace, hooks=[mg.hooks.ClipNorm(INF, p=p)])
    x, y = waves(6, 4, k=seed), waves(6, 3)
    loss = ((net(x) - y) ** 2).mean()
    penalty = grad_norm_penalty(loss, net.parameters(), 1.0, p)
    loss.backward()
    opt.step()
    assert penalty.item() == trace.column("norm_in", hook="ClipNorm")[0]
    assert p != 2 or penalty.item() == trace.column("norm_in", stage=0)[0]
    assert penalty.item() == norm([w.grad.data for w in net.parameters()], p)


@every_norm
@pytest.mark.parametrize("exponent", [-995, -500, -100, 100, 500, 990])
def test_extreme_gradients_are_measured_and_followed(p, squared, exponent):
    """L 2^k has 2^k times the penalty, and 2^k times its gradient; squared, 2^-k lam keeps all in range."""
    def penalty(w, k):
        lam = math.ldexp(0.5, -k) if squared else 0.5
        return grad_norm_penalty((np.tanh(w) * [math.ldexp(1.0, k)] * 4).sum(), w, lam, p, squared)

    w0, w1 = leaf([0.5, -1.0, 2.0, 0.0]), leaf([0.5, -1.0, 2.0, 0.0])
    plain, far = penalty(w0, 0), penalty(w1, exponent)
    assert far.item() == near(math.ldexp(plain.item(), exponent), rel=1e-14)
    plain.backward()
    far.backward()
    assert w1.grad.tolist() == near(np.ldexp(w0.grad.data, exponent).tolist(), rel=1e-13)


@given(values=st.lists(st.floats(1, 9), min_size=1, max_size=6), exponent=st.integers(-300, 299),
       p=st.sampled_from((1, 1.5, 2, 3, 7, 200, INF)), signs=st.integers(0, 63))
@QUICK
def test_the_slope_of_a_norm_is_a_vector_of_dual_norm_1(values, exponent, p, signs):
    """<d, g> = ||g||, and ||d||_q = 1 with 1/p + 1/q = 1, for gradients from 1e-300 to 1e300."""
    g = np.array([v if signs >> i & 1 else -v for i, v in enumerate(values)]) * 10.0 ** exponent
    w = leaf(g / 10.0 ** exponent)
    loss = 0.5 * (w * w * 10.0 ** exponent).sum()                # g = 10^e w, H = 10^e
    d = mg.grad(grad_norm_penalty(loss, w, 1.0, p), w).data / 10.0 ** exponent
    g = mg.grad(0.5 * (w * w * 10.0 ** exponent).sum(), w).data
    q = INF if p == 1 else 1.0 if p == INF else p / (p - 1)
    assert norm(d, q) == near(1, rel=1e-12)
    assert float(np.sum(d * (g / 10.0 ** exponent))) * 10.0 ** exponent == near(norm(g, p), rel=1e-12)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@every_norm
def test_dtypes_are_kept(dtype, p, squared):
    w = mg.tensor([0.5, -1.5, 2.0], dtype, requires_grad=True)
    loss = (0.5 * w * w).sum()
    penalty = grad_norm_penalty(loss, w, 0.25, p, squared)
    size = norm(np.array([0.5, -1.5, 2.0]), p)
    total = loss + penalty
    total.backward()
    assert (penalty.dtype, total.dtype, w.grad.dtype) == (dtype,) * 3
    assert penalty.item() == np.dtype(dtype).type(0.25 * size * (size if squared else 1.0))


def test_parameters_of_several_dtypes():
    a, b = mg.tensor([3.0], "float32", requires_grad=True), leaf([4.0])
    loss = 0.5 * (a * a).sum().astype(float) + 0.5 * (b * b).sum()
    penalty = grad_norm_penalty(loss, [a, b], 1.0)
    penalty.backward()
    assert (penalty.item(), a.grad.dtype, b.grad.dtype) == (5.0, "float32", "float64")
    assert (a.grad.item(), b.grad.item()) == (np.float32(0.6), 0.8)


# --------------------------------------------------------------------- differences, PyTorch, and third order

@every_net
@pytest.mark.parametrize(("p", "squared"), [(1, False), (2, False), (3, False), (INF, False), (2, True), (3, True)])
def test_nets_against_central_differences(make, shape, p, squared):
    net, run = filled(make)
    x = waves(*shape, k=0.1)
    parameters = list(net.parameters())
    start = [w.data.copy() for w in parameters]

    def value(flat):
        nn.utils.vector_to_parameters(flat, parameters)
        loss = mean_square(run, net, x)
        return (loss + grad_norm_penalty(loss, parameters, 0.2, p, squared)).item()

    loss = mean_square(run, net, x)
    (loss + grad_norm_penalty(loss, parameters, 0.2, p, squared)).backward()
    got = np.concatenate([w.grad.data.ravel() for w in parameters])
    flat = np.concatenate([a.ravel() for a in start])
    direction = waves(len(flat), k=0.4)
    step = 1e-5 if p in (1, INF) else 1e-4                       # not across a kink
    assert got @ direction == near(slope(value, flat, direction, step), rel=2e-7)


@needs_torch
@every_net
@every_norm
def test_nets_against_pytorch(make, shape, p, squared):
    net, run = filled(make)
    twin = make(torch.nn).double()
    twin.load_state_dict({name: torch.tensor(np.array(v.data)) for name, v in net.state_dict().items()})
    x = waves(*shape, k=0.1)
    loss, theirs = mean_square(run, net, x), mean_square(run, twin, torch.tensor(x))
    penalty = grad_norm_penalty(loss, net.parameters(), 0.2, p, squared)
    gs = torch.autograd.grad(theirs, list(twin.parameters()), create_graph=True)
    length = torch.linalg.vector_norm(torch.cat([g.reshape(-1) for g in gs]), p)
    (theirs + 0.2 * (length ** 2 if squared else length)).backward()
    (loss + penalty).backward()
    assert penalty.item() == near(0.2 * length.item() ** (2 if squared else 1), rel=1e-12)
    for w, v in zip(net.parameters(), twin.parameters(), strict=True):
        np.testing.assert_allclose(w.grad.data, v.grad.numpy(), rtol=1e-8, atol=1e-11)


@every_norm
def test_the_penalised_loss_is_differentiable_again(p, squared):
    """Order 2 of J is order 3 of L."""
    def penalised(w, v):
        w, v = (t if t.requires_grad else t.detach().requires_grad_() for t in (w, v))
        loss = (np.tanh(w @ v) ** 2).sum() + (np.exp(0.3 * w) * 0.2).sum()
        return loss + grad_norm_penalty(loss, (w, v), 0.3, p, squared)

    assert mg.gradcheck(penalised, waves(2, 3), waves(3, k=0.5), order=2)


@pytest.mark.parametrize("penalty", [lambda loss, w: grad_norm_penalty(loss, w, 0.1, squared=True),
                                     lambda loss, w: input_grad_penalty(loss, w, 0.2)])
def test_a_square_has_a_second_derivative_at_the_bottom(penalty):
    """lam ||g||^2 = lam w' H H w: its matrix is 2 lam H H at w = 0 as well."""
    w = leaf([[0.0, 0.0]])
    g = mg.grad(penalty(bowl(w), w), w, create_graph=True)
    assert mg.grad((g * [[1.0, 1.0]]).sum(), w).tolist() == [near([0.2, 20.0], rel=1e-15)]


@pytest.mark.parametrize("p", [1, 1.5, 2, 2.5, 3, INF])
def test_elements_of_0_bring_no_nan_at_third_order(p):
    w = leaf([0.0, 1.0, -2.0])
    g = mg.grad(grad_norm_penalty(0.5 * (w * w).sum(), w, 1.0, p), w, create_graph=True)
    if g.requires_grad:
        assert np.isfinite(mg.grad((g * [1.0, 2.0, 3.0]).sum(), w, allow_unused=True).data).all()


def test_descent_on_the_penalised_loss_leads_to_the_flat_part_of_a_valley():
    """Items (a b - 1 -+ 2)^2 / 2 have their mean's minimum on a b = 1, and there gradients of length 2 sqrt(a^2 + b^2):
    the penalty on each leads along the valley to a = b, where with m = a^2 - 1 and lam = .02 the sum is smallest for
    1.08 m + .12 m^2 + .16 = 0.
    """
    def end(lam):
        w = leaf([2.5, 0.4])
        for _ in range(800):
            w.grad = None
            losses = [0.5 * (w[0] * w[1] - 1 - e) ** 2 for e in (2.0, -2.0)]
            loss = sum(losses) / 2 + sum(grad_norm_penalty(one, w, lam / 2, squared=True) for one in losses)
            loss.backward()
            w.data = w.data - 0.03 * w.grad.data
        return w.tolist()

    assert end(0.0) == near([2.5, 0.4], rel=1e-12)     # it began in the valley
    m = (math.sqrt(1.08 ** 2 - 4 * 0.12 * 0.16) - 1.08) / 0.24
    assert end(0.02) == near([math.sqrt(1 + m)] * 2, rel=1e-3)

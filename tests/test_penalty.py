"""Penalties on gradients: the rows of the table, central differences, PyTorch's double backward, what is refused."""

import gc
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twins import needs_torch, waves

import minigrad as mg
from minigrad import nn, optim
from minigrad.norms import norm
from minigrad.penalty import grad_norm_penalty, input_grad_penalty

try:
    import torch
except ImportError:
    torch = None

QUICK = settings(max_examples=100, deadline=None, derandomize=True, database=None)
INF, NAN = math.inf, math.nan
every_norm = pytest.mark.parametrize(("p", "squared"), [
    (1, False), (1.5, False), (2, False), (3, False), (4, False), (INF, False), (1, True), (2, True), (3, True)])


def leaf(values, dtype=float):
    return mg.tensor(np.array(values, dtype), requires_grad=True)


def bowl(w):
    """1/2 w' diag(1, 10) w."""
    return 0.5 * (w * w * [1.0, 10.0]).sum()


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
    assert penalty.item() / 0.1 == pytest.approx(size, rel=4e-16)
    assert total.item() == pytest.approx(value, rel=4e-16)
    assert w.grad.tolist() == pytest.approx(gradient, rel=1e-10)
    assert (w.tolist(), total.shape) == ([1.0, 1.0], ())


@pytest.mark.parametrize("p", [1, 1.25, 2, 2.5, 3, 50, 1000, INF])
@pytest.mark.parametrize("squared", [False, True])
def test_at_the_bottom_all_is_0(p, squared):
    w = leaf([0.0, 0.0])
    loss = bowl(w)
    total = loss + grad_norm_penalty(loss, w, 0.1, p, squared)
    total.backward()
    assert (total.item(), w.grad.tolist()) == (0.0, [0.0, 0.0])


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
    assert mean_of.item() == pytest.approx((1 + math.sqrt(1.25)) / 2, rel=1e-15)
    assert round(mean_of.item(), 3) == 1.059
    # the mean of H is 1.5, of the mean the direction [0, 1]; each micro-batch pulls its own way
    assert mg.grad(of_mean, w).tolist() == pytest.approx([0.0, 1.5], abs=1e-15)
    assert mg.grad(mean_of, w).tolist() == pytest.approx([0.5 - 1 / math.sqrt(1.25), 0.5 / math.sqrt(1.25)], rel=1e-14)


# ------------------------------------------------------------------------ the norm is that of the trace, exactly

@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("p", [1, 2, 3, INF])
def test_the_value_is_the_norm_in_the_trace_to_the_bit(p, seed):
    rng = np.random.default_rng(seed)
    net = nn.Sequential(nn.Linear(4, 7, rng=rng), nn.Tanh(), nn.Linear(7, 3, rng=rng), nn.LayerNorm(3))
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
    near, far = penalty(w0, 0), penalty(w1, exponent)
    assert far.item() == pytest.approx(math.ldexp(near.item(), exponent), rel=1e-14)
    near.backward()
    far.backward()
    assert w1.grad.tolist() == pytest.approx(np.ldexp(w0.grad.data, exponent).tolist(), rel=1e-13)


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
    assert norm(d, q) == pytest.approx(1, rel=1e-12)
    assert float(np.sum(d * (g / 10.0 ** exponent))) * 10.0 ** exponent == pytest.approx(norm(g, p), rel=1e-12)


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

class Recurrent:
    """The same in minigrad and PyTorch: a recurrent layer, and a linear one of its last state."""

    def __init__(self, kind):
        self.kind = kind

    def __call__(self, library):
        return library.ModuleList([getattr(library, self.kind)(3, 4), library.Linear(4, 2)])

    @staticmethod
    def run(net, x):
        return net[1](net[0](x)[0][-1])


def run_in_turn(net, x):
    return net(x)


NETS = {
    "tanh": (lambda m: m.Sequential(m.Linear(3, 6), m.Tanh(), m.Linear(6, 5), m.Tanh(), m.Linear(5, 2)), (4, 3)),
    "relu": (lambda m: m.Sequential(m.Linear(3, 6), m.ReLU(), m.Linear(6, 5), m.ReLU(), m.Linear(5, 2)), (4, 3)),
    "softplus": (lambda m: m.Sequential(m.Linear(3, 6), m.Softplus(), m.Linear(6, 2)), (4, 3)),
    "conv": (lambda m: m.Sequential(m.Conv2d(1, 3, 3, padding=1), m.Tanh(), m.AvgPool2d(2), m.Conv2d(3, 2, 2),
                                    m.Flatten(), m.Linear(2, 2)), (3, 1, 4, 4)),
    "layer norm": (lambda m: m.Sequential(m.Linear(3, 5), m.LayerNorm(5), m.GELU(), m.Linear(5, 2)), (4, 3)),
    "batch norm": (lambda m: m.Sequential(m.Linear(3, 5), m.BatchNorm1d(5), m.Tanh(), m.Linear(5, 2)), (4, 3)),
    "RNN": (Recurrent("RNN"), (5, 4, 3)), "LSTM": (Recurrent("LSTM"), (5, 4, 3)), "GRU": (Recurrent("GRU"), (5, 4, 3)),
}
every_net = pytest.mark.parametrize(("make", "shape"), NETS.values(), ids=NETS)


def filled(make, k=0.0):
    """A net of ours with numbers that are the same everywhere, and how to call it."""
    net = make(nn)
    for i, p in enumerate(net.parameters()):
        p.data = waves(*p.shape, k=k + i, size=0.7) + (0.9 if p.ndim == 1 else 0.0)
    return net, getattr(make, "run", run_in_turn)


def mean_square(run, net, x):
    return ((run(net, x) - 0.3) ** 2).mean()


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
    assert got @ direction == pytest.approx(slope(value, flat, direction, step), rel=2e-7)


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
    assert penalty.item() == pytest.approx(0.2 * length.item() ** (2 if squared else 1), rel=1e-12)
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
    assert mg.grad((g * [[1.0, 1.0]]).sum(), w).tolist() == [pytest.approx([0.2, 20.0], rel=1e-15)]


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

    assert end(0.0) == pytest.approx([2.5, 0.4], rel=1e-12)     # it began in the valley
    m = (math.sqrt(1.08 ** 2 - 4 * 0.12 * 0.16) - 1.08) / 0.24
    assert end(0.02) == pytest.approx([math.sqrt(1 + m)] * 2, rel=1e-3)


# ----------------------------------------------------------------------------------- which parameters count

def test_missing_frozen_and_repeated_parameters():
    w, other, frozen = leaf([1.0, 1.0]), leaf([5.0]), mg.tensor([2.0])
    loss = bowl(w)
    expected = grad_norm_penalty(loss, [w], 0.1)
    for params in ([w, w], [other, w], (w, frozen), iter([w]), w, {"a": w, "b": w}.values()):
        penalty = grad_norm_penalty(loss, params, 0.1)
        assert penalty.item() == expected.item()
        w.grad = other.grad = None
        penalty.backward(retain_graph=True)
        assert w.grad.tolist() == mg.grad(expected, w, retain_graph=True).tolist()
        assert (other.grad, frozen.grad) == (None, None)


def test_tied_parameters_count_once_with_the_sum_of_their_gradients():
    w = leaf([2.0])
    loss = (w * 3.0).sum() + (w * 4.0).sum()
    assert grad_norm_penalty(loss, [w, w], 1.0).item() == 7.0


def test_results_may_be_penalised_too():
    w = leaf([3.0, 4.0])
    h = w * 2.0
    penalty = grad_norm_penalty((h * h * 0.5).sum(), h, 1.0)
    penalty.backward()
    assert (penalty.item(), w.grad.tolist()) == (10.0, pytest.approx([1.2, 1.6], rel=1e-15))


def test_a_loss_without_curvature_has_a_penalty_without_a_gradient():
    w = leaf([1.0, 1.0])
    loss = (w * [3.0, 4.0]).sum()
    penalty = grad_norm_penalty(loss, w, 0.5)
    (loss + penalty).backward()
    assert (penalty.item(), penalty.requires_grad, w.grad.tolist()) == (2.5, False, [3.0, 4.0])


@pytest.mark.parametrize("penalty", [grad_norm_penalty, input_grad_penalty])
def test_for_lam_0_there_is_no_second_pass(penalty):
    """Where the norm is inf, 0 times it would be NaN."""
    w, calls = leaf([[1.0, 1.0]]), []
    w.register_hook(calls.append)
    loss = (w * [1.5e308, -1.5e308]).sum()
    assert (penalty(loss, w, 0).item(), calls) == (0.0, [])
    assert math.isinf(penalty(loss, w, 1.0, squared=False).item())
    assert len(calls) == 1


@pytest.mark.parametrize("lam", [0, 0.0, np.float32(0)])
def test_lam_may_be_0(lam):
    w = leaf([1.0, 1.0])
    loss = bowl(w)
    total = loss + grad_norm_penalty(loss, w, lam)
    total.backward()
    assert (total.item(), w.grad.tolist()) == (5.5, [1.0, 10.0])
    x = leaf([[1.0, 1.0]])
    assert input_grad_penalty(bowl(x), x, lam).item() == 0.0


@pytest.mark.parametrize("bad", [-1, -1e-300, NAN, INF, -INF, "1", True, None, [1.0]])
def test_lam_is_a_number_from_0(bad):
    w = leaf([[1.0, 1.0]])
    for penalty in (grad_norm_penalty, input_grad_penalty):
        with pytest.raises(ValueError, match=rf"{penalty.__name__}: lam = .*>= 0"):
            penalty(bowl(w), w, bad)


@pytest.mark.parametrize("p", [0.5, 0, -1, NAN, "two", None])
def test_p_is_at_least_1(p):
    w = leaf([[1.0, 1.0]])
    for penalty in (grad_norm_penalty, input_grad_penalty):
        with pytest.raises(ValueError, match="p must be at least 1"):
            penalty(bowl(w), w, 0.1, p)


@pytest.mark.parametrize(("loss", "params", "error", "text"), [
    (lambda w: bowl(w), lambda w: [leaf([1.0])], RuntimeError, "depends on none"),
    (lambda w: bowl(w), lambda w: [mg.tensor([1.0])], RuntimeError, "depends on none"),
    (lambda w: bowl(w), lambda w: [], RuntimeError, "depends on none"),
    (lambda w: bowl(w).detach(), lambda w: [w], RuntimeError, "does not require a gradient"),
    (lambda w: w * 2, lambda w: [w], RuntimeError, "only a single number"),
    (lambda w: bowl(w).item(), lambda w: [w], TypeError, "the loss is a float"),
    (lambda w: bowl(w), lambda w: [w.data], TypeError, "parameter 0 is a Window"),
    (lambda w: bowl(w), lambda w: nn.Linear(2, 2), TypeError, r"linear\.parameters\(\)")])
def test_what_is_refused(loss, params, error, text):
    w = leaf([1.0, 1.0])
    with pytest.raises(error, match=text):
        grad_norm_penalty(loss(w), params(w), 0.1)
    assert w.grad is None


def test_a_freed_graph_is_refused_with_its_cure():
    w = leaf([1.0, 1.0])
    loss = bowl(w)
    loss.backward()
    with pytest.raises(RuntimeError, match="retain_graph=True"):
        grad_norm_penalty(loss, w, 0.1)


def test_gradients_stay_where_they_were_and_the_graph_is_kept():
    w = leaf([1.0, 1.0])
    w.grad = [7.0, 7.0]
    loss = bowl(w)
    grad_norm_penalty(loss, w, 0.1)
    assert w.grad.tolist() == [7.0, 7.0]
    loss.backward()
    assert w.grad.tolist() == [8.0, 17.0]


def test_under_no_grad_it_is_a_number():
    w = leaf([1.0, 1.0])
    loss = bowl(w)
    with mg.no_grad():
        penalty = grad_norm_penalty(loss, w, 0.1)
    assert (penalty.requires_grad, penalty.item()) == (False, 0.1 * math.sqrt(101))


def test_nothing_outlives_the_loss():
    net, run = filled(NETS["tanh"][0])
    gc.collect()
    gc.disable()
    try:
        loss = mean_square(run, net, waves(4, 3))
        (loss + grad_norm_penalty(loss, net.parameters(), 0.1)).backward()
        del loss
        assert gc.collect() == 0
    finally:
        gc.enable()


@pytest.mark.parametrize("p", [1, 2, 3, INF])
def test_a_gradient_that_is_not_finite_shows(p):
    w = leaf([1.0, 1.0])
    assert math.isnan(grad_norm_penalty((w * w * [1.0, NAN]).sum(), w, 0.1, p).item())
    with np.errstate(invalid="ignore"):
        loss = (w * w * [1.0, INF]).sum()
        penalty = grad_norm_penalty(loss, w, 0.1, p)
        penalty.backward()
    assert penalty.item() == INF
    assert not np.isfinite(w.grad.data).all()


# ------------------------------------------------------------------------------- of the input: closed forms

@pytest.mark.parametrize("items", [1, 2, 7])
@pytest.mark.parametrize("reduction", ["mean", "sum", "unreduced", "column"])
@pytest.mark.parametrize(("options", "value"), [
    ({}, 84.5), ({"squared": False}, 13.0), ({"p": 1}, 180.5), ({"p": INF, "squared": False}, 12.0),
    ({"target": 1.0}, 72.0), ({"target": 15.0, "squared": False}, 2.0), ({"p": 1, "target": 20.0}, 0.5),
    ({"p": 3, "squared": False}, 12.207054953820638)])
def test_of_a_linear_model_the_penalty_is_that_of_its_weight(items, reduction, options, value):
    """de_i/dx_i = w = [3, 4, 0, 12], whatever the size of the batch and the reduction."""
    w, x = leaf([3.0, 4.0, 0.0, 12.0]), leaf(waves(items, 2, 2))
    losses = (x.reshape((items, 4)) * w).sum(axis=1)
    loss = {"mean": losses.mean(), "sum": losses.sum(), "unreduced": losses, "column": losses.reshape((items, 1))}
    kind = {"reduction": reduction} if reduction in ("mean", "sum") else {}
    if items == 1:
        kind = {"reduction": "sum"}                              # one item: the same loss
    penalty = input_grad_penalty(loss[reduction], x, 1.0, **options, **kind)
    assert (penalty.shape, penalty.item()) == ((), pytest.approx(value, rel=1e-14))
    assert input_grad_penalty(loss[reduction], x, 0.25, **options, **kind).item() == pytest.approx(value / 4, rel=1e-14)


def test_double_backpropagation_of_one_pattern():
    """J = E + lam/2 ||dE/dx||^2 with E = 1/2 (w x - t)^2: dE/dx = (w x - t) w, by hand to the gradient in w."""
    w, x, t, lam = leaf([0.5, -2.0]), leaf([[1.0, 3.0]]), 0.25, 0.7
    r = w.data @ x.data[0] - t
    loss = 0.5 * ((x @ w - t) ** 2).sum()
    total = loss + input_grad_penalty(loss, x, lam)
    total.backward()
    square = w.data @ w.data
    assert total.item() == pytest.approx(0.5 * r * r + lam / 2 * r * r * square, rel=1e-15)
    by_hand = r * x.data[0] + lam * (r * square * x.data[0] + r * r * w.data)
    assert w.grad.tolist() == pytest.approx(by_hand.tolist(), rel=1e-14)


@every_norm
def test_the_penalty_of_a_batch_is_the_mean_over_its_items(p, squared):
    net, run = filled(NETS["layer norm"][0])
    x = waves(4, 3, k=0.2)

    def penalty(rows, **kind):
        rows = leaf(rows)
        return input_grad_penalty(((run(net, rows) - 0.3) ** 2).mean(), rows, 0.4, p, squared, **kind).item()

    assert penalty(x) == pytest.approx(np.mean([penalty(x[i:i + 1]) for i in range(4)]), rel=1e-13)
    assert penalty(x, reduction="sum") == pytest.approx(penalty(x) / (16 if squared else 4), rel=1e-13)


def test_over_the_whole_of_the_gradient_it_is_the_other_penalty():
    w, x = leaf(waves(3)), leaf(waves(5, 3, k=1.0))
    loss = (np.tanh(x @ w) ** 2).sum()
    one = input_grad_penalty(loss, x, 0.6, reduction="sum")
    assert grad_norm_penalty(loss, x, 0.3 / 5, squared=True).item() == pytest.approx(one.item(), rel=1e-14)


@pytest.mark.parametrize("options", [{}, {"squared": False}, {"p": 3}, {"p": 1, "squared": False}, {"target": 1.0},
                                     {"target": 0.4, "squared": False}, {"p": INF}])
def test_of_the_input_against_central_differences(options):
    def penalised(w, v, x):
        w, v, x = (t if t.requires_grad else t.detach().requires_grad_() for t in (w, v, x))
        losses = (np.tanh(x @ w) @ v + 0.2) ** 2
        return losses.mean() + input_grad_penalty(losses.mean(), x, 0.3, **options)

    assert mg.gradcheck(penalised, waves(3, 4), waves(4, k=0.5), waves(5, 3, k=0.1), order=2)


@needs_torch
@pytest.mark.parametrize("name", ["tanh", "softplus", "conv", "layer norm"])
@pytest.mark.parametrize("target", [0.0, 1.0])
def test_the_wasserstein_penalty_against_pytorch(name, target):
    """Gulrajani et al. 2017: 10 mean (||d critic/dx||_2 - 1)^2 at points between real and made ones."""
    make, shape = NETS[name]
    net, run = filled(make)
    twin = make(torch.nn).double()
    twin.load_state_dict({key: torch.tensor(np.array(v.data)) for key, v in net.state_dict().items()})
    between = 0.3 * waves(*shape, k=0.1) + 0.7 * waves(*shape, k=2.0)
    x, z = leaf(between), torch.tensor(between, requires_grad=True)
    penalty = input_grad_penalty(run(net, x).sum(axis=1), x, 20.0, target=target)
    g, = torch.autograd.grad(twin(z).sum(), z, create_graph=True)
    theirs = 10 * ((g.flatten(1).norm(2, dim=1) - target) ** 2).mean()
    theirs.backward()
    penalty.backward()
    assert penalty.item() == pytest.approx(theirs.item(), rel=1e-12)
    for w, v in zip(net.parameters(), twin.parameters(), strict=True):
        got = np.zeros(w.shape) if w.grad is None else w.grad.data
        expected = np.zeros(w.shape) if v.grad is None else v.grad.numpy()
        np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-12)


def test_a_gradient_of_0_with_a_target_has_no_slope():
    """Where PyTorch's square root gives NaN."""
    w, x = leaf([[0.0], [0.0]]), leaf([[1.0, 2.0], [0.0, 1.0]])
    penalty = input_grad_penalty((x @ w).sum(axis=1), x, 2.0, target=1.0)
    penalty.backward()
    assert (penalty.item(), w.grad.tolist()) == (1.0, [[0.0], [0.0]])


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("options", [{}, {"squared": False}, {"target": 1.0}])
def test_dtypes_of_the_input_penalty(dtype, options):
    w, x = mg.tensor([3.0, 4.0], dtype, requires_grad=True), mg.tensor(np.ones((4, 2)), dtype, requires_grad=True)
    penalty = input_grad_penalty((x @ w).mean(), x, 0.5, **options)
    penalty.backward()
    assert (penalty.dtype, w.grad.dtype) == (dtype, dtype)


def test_one_number_as_input():
    x = leaf(2.0)
    assert input_grad_penalty(x ** 3, x, 1.0).item() == 72.0


@pytest.mark.parametrize(("call", "error", "text"), [
    (lambda w, x: input_grad_penalty((x.data @ w).mean(), x.data, 1.0), RuntimeError, r"requires_grad=True\) before"),
    (lambda w, x: input_grad_penalty((x @ w).mean(), x.detach(), 1.0), RuntimeError, r"requires_grad=True\) before"),
    (lambda w, x: input_grad_penalty((x.data @ w).mean(), x, 1.0), RuntimeError, "does not depend on x.*before"),
    (lambda w, x: input_grad_penalty((x @ w)[:3], x, 1.0), ValueError, r"\(3,\) for x of shape \(4, 2\)"),
    (lambda w, x: input_grad_penalty((x @ w).mean(), x, 1.0, target=-1.0), ValueError, "target = -1.0"),
    (lambda w, x: input_grad_penalty((x @ w).mean(), x, 1.0, target=NAN), ValueError, "target = nan"),
    (lambda w, x: input_grad_penalty((x @ w).mean(), x, 1.0, reduction="none"), ValueError, "reduction = 'none'"),
    (lambda w, x: input_grad_penalty(1.0, x, 1.0), TypeError, "the loss is a float"),
    (lambda w, x: input_grad_penalty((x[:0] @ w).sum(), x[:0], 1.0), ValueError, r"\(0, 2\)")])
def test_what_the_input_penalty_refuses(call, error, text):
    with pytest.raises(error, match=text):
        call(leaf([3.0, 4.0]), leaf(np.ones((4, 2))))

"""Pascanu's Omega: value and immediate derivative, and what is attached to an nn.RNN."""

import copy
import gc
import math
import pickle
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twins import waves

import minigrad as mg
from minigrad import hooks, nn, ops, optim
from minigrad.penalty import Omega, grad_norm_penalty, omega

QUICK = settings(max_examples=100, deadline=None, derandomize=True, database=None)
NAN, INF = math.nan, math.inf
every_kind = pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
variants = pytest.mark.parametrize("variant", [
    {}, {"squared": True}, {"mean": True}, {"squared": True, "mean": True, "floor": 1e-10}])


def sample(nonlinearity="tanh", t=6, n=3, h=4, seed=0):
    """Deltas, states that the nonlinearity gives, and a matrix."""
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(t, n, h))
    states = np.tanh(a) if nonlinearity == "tanh" else np.maximum(a, 0)
    return rng.normal(size=(t, n, h)), states, rng.normal(size=(h, h))


def differences(f, w, step=1e-3):
    """The gradient of f at w, element by element, by central differences of sixth order."""
    out = np.zeros(w.shape)
    for index in np.ndindex(w.shape):
        d = np.zeros(w.shape)
        d[index] = step
        c1, c2, c3 = ((f(w + k * d) - f(w - k * d)) / (2 * k * step) for k in (1, 2, 3))
        out[index] = 1.5 * c1 - 0.6 * c2 + 0.1 * c3
    return out


# ------------------------------------------------------------------------------------------ of plain arrays

def test_by_hand():
    """One term: W = [[3, 0], [0, 4]], f' = [.75, 1], delta = [4, 1]: y = [9, 4], |y|^2 = 97, |delta|^2 = 17."""
    d, h, w = np.array([[4.0, 1.0]]), np.array([[0.5, 0.0]]), np.diag([3.0, 4.0])
    r = math.sqrt(97 / 17)
    value, gradient = omega(d, h, w)
    assert value == pytest.approx((r - 1) ** 2, rel=1e-15)
    assert gradient.tolist() == pytest.approx(2 * (r - 1) / math.sqrt(17 * 97) * np.outer([3.0, 1.0], [9.0, 4.0]),
                                              rel=1e-15)
    value, gradient = omega(d, h, w, squared=True)
    assert value == pytest.approx((97 / 17 - 1) ** 2, rel=1e-15)
    assert gradient.tolist() == pytest.approx(4 * (97 / 17 - 1) / 17 * np.outer([3.0, 1.0], [9.0, 4.0]), rel=1e-15)


@pytest.mark.parametrize("seed", range(4))
@variants
@every_kind
def test_gradient_against_central_differences(nonlinearity, variant, seed):
    d, h, w = sample(nonlinearity, seed=seed)
    d[1, 2] = 0.0
    value, gradient = omega(d, h, w, nonlinearity, **variant)
    expected = differences(lambda v: omega(d, h, v, nonlinearity, **variant)[0], w)
    assert value > 0
    np.testing.assert_allclose(gradient, expected, rtol=1e-9, atol=1e-10 * np.abs(expected).max())


@variants
@every_kind
def test_value_and_gradient_against_the_engine(nonlinearity, variant):
    """The formula, written on the tape with deltas and states as constants, term by term."""
    d, h, w = sample(nonlinearity)
    d[4, 1] = d[0] = 0.0
    d[2, 0] = 1e-12
    matrix, terms = mg.tensor(w, requires_grad=True), []
    for delta, state in zip(d.reshape(-1, 4), h.reshape(-1, 4)):
        length = math.sqrt(delta @ delta)
        if length > variant.get("floor", 0.0):
            slope = 1 - state ** 2 if nonlinearity == "tanh" else np.where(state > 0, 1.0, 0.0)
            ratio = ops.norm((delta * slope) @ matrix) / length
            terms.append(((ratio * ratio if "squared" in variant else ratio) - 1) ** 2)
    expected = sum(terms) / (len(terms) if "mean" in variant else 3)
    assert len(terms) == (13 if "floor" in variant else 14)
    value, gradient = omega(d, h, w, nonlinearity, **variant)
    assert value == pytest.approx(expected.item(), rel=1e-14)
    np.testing.assert_allclose(gradient, mg.grad(expected, matrix).data, rtol=1e-13, atol=1e-14)


@given(exponents=st.lists(st.integers(-1000, 1000), min_size=18, max_size=18))
@QUICK
def test_the_size_of_a_delta_has_no_influence(exponents):
    """Each row 2^k times as long, with a k of its own: the same to the bit."""
    d, h, w = sample()
    value, gradient = omega(d, h, w)
    scaled = np.ldexp(d, np.reshape(exponents, (6, 3, 1)))
    other, gradient_2 = omega(scaled, h, w)
    assert (value, gradient.tolist()) == (other, gradient_2.tolist())


@pytest.mark.parametrize("size", [1e-307, 1e-200, 1e200, 1e306])
@pytest.mark.parametrize("strength", [1e-150, 1.0, 1e150])
def test_extreme_deltas_and_matrices(size, strength):
    d, h, w = sample()
    value, gradient = omega(d * size, h, w * strength)
    expected, slope = omega(d, h, w * strength)
    assert math.isfinite(value)
    assert value == pytest.approx(expected, rel=1e-14)
    np.testing.assert_allclose(gradient, slope, rtol=1e-12)


def test_an_orthogonal_linear_net_has_none():
    """Where all slopes are 1 and W keeps lengths, nothing is to be mended."""
    rng = np.random.default_rng(0)
    w = np.linalg.qr(rng.normal(size=(5, 5)))[0]
    value, gradient = omega(rng.normal(size=(4, 2, 5)), np.ones((4, 2, 5)), w, "relu")
    assert value < 1e-29
    assert np.abs(gradient).max() < 1e-14


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_a_step_down_brings_the_ratio_nearer_to_1(factor):
    rng = np.random.default_rng(1)
    w = factor * np.linalg.qr(rng.normal(size=(5, 5)))[0]
    d, h = rng.normal(size=(4, 2, 5)), np.ones((4, 2, 5))
    value, gradient = omega(d, h, w, "relu")
    assert value == pytest.approx(4 * (factor - 1) ** 2, rel=1e-14)
    assert omega(d, h, w - 0.01 * gradient, "relu")[0] < value


def test_terms_without_a_delta_are_left_out():
    d, h, w = sample(t=5, n=2)
    d[:3, 0] = 0.0
    one, two = omega(d[3:, 0], h[3:, 0], w), omega(d[:, 1], h[:, 1], w)
    value, gradient = omega(d, h, w)
    assert value == pytest.approx((one[0] + two[0]) / 2, rel=1e-15)
    np.testing.assert_allclose(gradient, (one[1] + two[1]) / 2, rtol=1e-13)
    mean, slope = omega(d, h, w, mean=True)
    assert mean == pytest.approx((one[0] + two[0]) / 7, rel=1e-15)
    np.testing.assert_allclose(slope, (one[1] + two[1]) / 7, rtol=1e-13)


@variants
def test_no_term_at_all(variant):
    d, h, w = sample()
    value, gradient = omega(0 * d, h, w, **variant)
    assert (value, gradient.any(), gradient.shape) == (0.0, False, (4, 4))


@pytest.mark.parametrize(("floor", "kept"), [(0.0, 3), (4.9e-10, 2), (5e-10, 1), (5.1e-10, 1), (2.0, 0)])
def test_the_floor_leaves_out_what_is_not_longer(floor, kept):
    """Deltas of length 4.9e-10, 5e-10 and 1; a floor of 4.9e-10 leaves the first out, and so on."""
    d = np.array([[4.9e-10, 0.0], [3e-10, 4e-10], [0.6, 0.8]])
    value, _ = omega(d, np.zeros((3, 2)), np.zeros((2, 2)), floor=floor)
    assert value == kept                                         # W = 0: every term is (0 - 1)^2


def test_where_y_is_0_the_term_counts_and_has_no_slope():
    """W = 0, or all units of relu switched off."""
    d, h, w = sample("relu")
    for states, matrix in ((h, 0 * w), (0 * h, w)):
        value, gradient = omega(d, states, matrix, "relu")
        assert (value, gradient.any()) == (6.0, False)


@pytest.mark.parametrize("bad", [NAN, INF])
def test_what_is_not_finite_shows(bad):
    for where in range(3):
        arrays = list(sample())
        arrays[where].flat[5] = bad
        if where == 1 and bad == INF:
            continue                                             # no state of tanh: refused
        value, gradient = omega(*arrays)
        assert not math.isfinite(value)
        assert not np.isfinite(gradient).all()


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_the_gradient_has_the_dtype_of_the_matrix(dtype):
    d, h, w = (a.astype(dtype) for a in sample())
    value, gradient = omega(d, h, w)
    expected, slope = omega(*(a.astype(float) for a in (d, h, w)))
    assert (type(value), value, gradient.dtype) == (float, expected, dtype)
    assert gradient.tolist() == slope.astype(dtype).tolist()


def test_tensors_lists_and_sequences_without_a_batch():
    d, h, w = sample(n=1)
    expected = omega(d, h, w)
    tensors = mg.tensor(h, requires_grad=True) * 1.0
    forms = [(mg.tensor(d), tensors, mg.tensor(w, requires_grad=True)), (list(d), list(tensors), w),
             (d[:, 0], h[:, 0], w)]
    for form in forms:
        value, gradient = omega(*form)
        assert value == expected[0]
        np.testing.assert_allclose(gradient, expected[1], rtol=1e-12, atol=1e-15)
    assert omega([None, *d[1:]], h, w)[0] == omega(np.concatenate([0 * d[:1], d[1:]]), h, w)[0]


def test_what_was_given_is_as_it_was():
    arrays = sample()
    kept = [a.copy() for a in arrays]
    for a in arrays:
        a.flags.writeable = False
    omega(*arrays)
    assert all((a == b).all() for a, b in zip(arrays, kept, strict=True))


@pytest.mark.parametrize(("change", "text"), [
    ({"deltas": np.ones((6, 3, 5))}, r"deltas of shape \(6, 3, 5\), states \(6, 3, 4\)"),
    ({"deltas": np.ones(4), "states": np.zeros(4)}, "give .T, N, H."), ({"weight_hh": np.ones((4, 3))}, r"\(4, 3\)"),
    ({"nonlinearity": "sigmoid"}, "'sigmoid': 'tanh' or 'relu'"), ({"states": np.full((6, 3, 4), 2.0)}, "2 to 2"),
    ({"states": np.full((6, 3, 4), -0.5), "nonlinearity": "relu"}, "relu gives 0 to inf"),
    ({"floor": -1.0}, "floor = -1.0"), ({"floor": NAN}, "floor = nan")])
def test_what_is_refused(change, text):
    d, h, w = sample()
    with pytest.raises(ValueError, match=text):
        omega(**{"deltas": d, "states": h, "weight_hh": w, **change})


# --------------------------------------------------------------------------------- attached to a recurrent layer

def layer(rng=0, **options):
    return nn.RNN(3, 4, rng=np.random.default_rng(rng), **options)


def by_hand(rnn, x, loss_of, h0=None):
    """Deltas and states of every layer, from a loop written out."""
    h0 = np.zeros((rnn.num_layers, *x.shape[1:-1], 4)) if h0 is None else h0
    f = {"tanh": np.tanh, "relu": ops.relu}[rnn.nonlinearity]
    rows, kept = [mg.tensor(step) for step in x], []
    for k in range(rnn.num_layers):
        w, v, b, c = (getattr(rnn, f"{name}_l{k}").detach().requires_grad_() for name in
                      ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
        h, states = mg.tensor(h0[k]), []
        for row in rows:
            h = f(row @ w.T + b + h @ v.T + c)
            h.retain_grad()
            states.append(h)
        rows = states
        kept.append(states)
    loss_of(np.stack(rows), np.stack([states[-1] for states in kept])).backward()
    return [([h.grad for h in states], states) for states in kept]


def both_ends(output, h_n):
    return (output ** 2).sum() + (h_n * waves(*h_n.shape)).sum()


LOSSES = {"all steps": lambda output, h_n: (output * waves(*output.shape)).sum(), "the last": lambda o, h_n: h_n.sum(),
          "both": both_ends, "the middle": lambda output, h_n: output[3].sum()}


@pytest.mark.parametrize("loss_of", LOSSES.values(), ids=LOSSES)
@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("form", ["time first", "batch first", "no batch"])
@every_kind
def test_it_finds_deltas_and_states_by_itself(nonlinearity, form, layers, loss_of):
    rnn = layer(num_layers=layers, nonlinearity=nonlinearity, batch_first=form == "batch first")
    attached = Omega(rnn, lam=0.7)
    x = waves(6, 3) if form == "no batch" else waves(6, 2, 3)
    output, h_n = rnn(x.swapaxes(0, 1) if form == "batch first" else x)
    loss_of(output.swapaxes(0, 1) if form == "batch first" else output, h_n).backward()
    before = {name: p.grad.data.copy() for name, p in rnn.named_parameters()}
    value = attached.add_gradient()
    expected = [omega(deltas, states, getattr(rnn, f"weight_hh_l{k}"), nonlinearity)
                for k, (deltas, states) in enumerate(by_hand(rnn, x, loss_of))]
    assert value == pytest.approx(sum(v for v, _ in expected), rel=1e-12)
    for name, p in rnn.named_parameters():
        added = 0.7 * expected[int(name[-1])][1] if "weight_hh" in name else 0.0
        np.testing.assert_allclose(p.grad.data, before[name] + added, rtol=1e-11, atol=1e-14)


def test_the_five_lines_with_an_optimizer_that_clips():
    """Hooks and the trace see the sum; the step is that of the sum."""
    rnn = layer()
    opt = optim.SGD(rnn.parameters(), lr=1.0, hooks=[hooks.ClipNorm(1e-3)], trace=(trace := mg.NormTrace()))
    attached = Omega(rnn, lam=2.0)
    for _ in range(3):
        opt.zero_grad()
        both_ends(*rnn(waves(6, 2, 3))).backward()
        plain = mg.norms.norm([p.grad.data for p in rnn.parameters()])
        assert attached.add_gradient() > 0
        whole = mg.norms.norm([p.grad.data for p in rnn.parameters()])
        opt.step()
        assert trace.column("norm_in", hook="ClipNorm")[-1] == whole != plain


def test_given_an_initial_state():
    rnn, h0 = layer(num_layers=2), waves(2, 2, 4)
    for call in (lambda x: rnn(x, h0), lambda x: rnn(x, state=h0), lambda x: rnn(x=x, state=mg.tensor(h0))):
        attached = Omega(rnn, lam=1.0)
        x = waves(6, 2, 3)
        both_ends(*call(x)).backward()
        expected = [omega(*parts, getattr(rnn, f"weight_hh_l{k}"))[0]
                    for k, parts in enumerate(by_hand(rnn, x, both_ends, h0))]
        assert attached.add_gradient() == pytest.approx(sum(expected), rel=1e-12)
        attached.remove()


def test_a_sequence_in_pieces_with_the_state_carried_over_is_the_sequence():
    rnn, x = layer(), waves(6, 2, 3)
    attached, values = Omega(rnn, lam=1.0), []
    for sizes in ([6], [2, 4], [1] * 6):
        rnn.zero_grad()
        state, outputs, first = None, [], 0
        for size in sizes:
            output, state = rnn(x[first:first + size], state)
            outputs.append(output)
            first += size
        both_ends(np.concatenate(outputs), state).backward()
        values.append((attached.add_gradient(), rnn.weight_hh_l0.grad.data))
    for value, gradient in values[1:]:
        assert value == pytest.approx(values[0][0], rel=1e-13)
        np.testing.assert_allclose(gradient, values[0][1], rtol=1e-11)


@pytest.mark.parametrize("order", ["one backward", "in turn", "backwards", "with a step between forward passes"])
def test_several_forward_passes_count_each(order):
    """However the backward passes come, each meets its own states."""
    rnn, xs = layer(), (waves(6, 2, 3), waves(4, 5, 3, k=1.0))
    expected = [omega(*by_hand(rnn, x, both_ends)[0], rnn.weight_hh_l0) for x in xs]
    attached, between = Omega(rnn, lam=1.0), 0.0
    if order == "with a step between forward passes":
        for x in xs:
            both_ends(*rnn(x)).backward()
            rnn.weight_hh_l0.grad = None
            between += attached.add_gradient()
        assert between == pytest.approx(expected[0][0] + expected[1][0], rel=1e-12)
        return
    losses = [both_ends(*rnn(x)) for x in xs]
    if order == "one backward":
        (losses[0] + losses[1]).backward()
    else:
        for loss in losses[::-1 if order == "backwards" else 1]:
            loss.backward()
    rnn.weight_hh_l0.grad = None
    assert attached.add_gradient() == pytest.approx(expected[0][0] + expected[1][0], rel=1e-12)
    np.testing.assert_allclose(rnn.weight_hh_l0.grad.data, expected[0][1] + expected[1][1], rtol=1e-11)


def test_two_losses_of_one_forward_pass_make_one_delta():
    rnn, x = layer(), waves(6, 2, 3)
    attached = Omega(rnn, lam=1.0)
    output, h_n = rnn(x)
    (output ** 2).sum().backward(retain_graph=True)
    (h_n * waves(*h_n.shape)).sum().backward()
    expected = omega(*by_hand(rnn, x, both_ends)[0], rnn.weight_hh_l0)[0]
    assert attached.add_gradient() == pytest.approx(expected, rel=1e-12)


def test_what_has_been_counted_is_done_with():
    """A second loss of the same forward pass, after add_gradient(): its delta alone."""
    rnn, x = layer(), waves(6, 2, 3)
    attached = Omega(rnn, lam=1.0)
    output, h_n = rnn(x)
    for loss_of in (lambda output, h_n: (output ** 2).sum(), lambda output, h_n: (h_n * waves(*h_n.shape)).sum()):
        loss_of(output, h_n).backward(retain_graph=True)
        expected = omega(*by_hand(rnn, x, loss_of)[0], rnn.weight_hh_l0)[0]
        assert attached.add_gradient() == pytest.approx(expected, rel=1e-12)


def test_evaluation_between_and_passes_without_a_backward_count_nothing():
    rnn, x = layer(), waves(6, 2, 3)
    attached = Omega(rnn, lam=1.0)
    loss = both_ends(*rnn(x))
    with mg.no_grad():
        rnn(waves(9, 2, 3))
    unused = rnn(waves(5, 2, 3))[0].sum()
    loss.backward()
    rnn(waves(3, 2, 3))
    expected = omega(*by_hand(rnn, x, both_ends)[0], rnn.weight_hh_l0)[0]
    assert attached.add_gradient() == pytest.approx(expected, rel=1e-12)
    unused.backward()
    assert attached.add_gradient() > 0                           # late, and by itself


def test_it_goes_with_a_gradient_penalty():
    """Of the first backward pass, which is recorded, it takes no notice; of the second it sees dJ/dh."""
    rnn, x = layer(), waves(6, 2, 3)
    attached, seen = Omega(rnn, lam=1.0), {}
    steps = rnn.register_step_hook(lambda g, t: None if mg.is_grad_enabled() else seen.update({t: g.data.copy()}))
    output, h_n = rnn(x)
    loss = both_ends(output, h_n)
    (loss + grad_norm_penalty(loss, rnn.parameters(), 0.3)).backward()
    steps.remove()
    expected = omega([seen[t] for t in range(6)], output, rnn.weight_hh_l0)
    before = rnn.weight_hh_l0.grad.data
    assert attached.add_gradient() == pytest.approx(expected[0], rel=1e-13)
    np.testing.assert_allclose(rnn.weight_hh_l0.grad.data, before + expected[1], rtol=1e-13)


def test_step_hooks_have_acted_before_it():
    rnn = layer()
    attached = Omega(rnn, lam=1.0)
    rnn.register_step_hook(lambda g, t: g.clamp(-0.01, 0.01))
    output, _ = rnn(waves(6, 2, 3))
    output.sum().backward()
    expected, _ = omega(np.full((6, 2, 4), 0.01), output, rnn.weight_hh_l0)
    assert attached.add_gradient() == pytest.approx(expected, rel=1e-12)


def test_where_a_loss_is_scaled_omega_is_not():
    rnn, values = layer(), []
    attached = Omega(rnn, lam=1.0)
    for scale in (1.0, 2.0 ** -40, 2.0 ** 40):
        (both_ends(*rnn(waves(6, 2, 3))) * scale).backward()
        values.append(attached.add_gradient())
    assert values == [values[0]] * 3


def test_two_on_one_layer_and_others_hooks_beside_them():
    rnn, x = layer(), waves(6, 2, 3)
    one, two, calls = Omega(rnn, lam=1.0), Omega(rnn, lam=1.0, squared=True), []
    rnn.register_step_hook(lambda g, t: calls.append(t))
    both_ends(*rnn(x)).backward()
    deltas, states = by_hand(rnn, x, both_ends)[0]
    assert one.add_gradient() == pytest.approx(omega(deltas, states, rnn.weight_hh_l0)[0], rel=1e-12)
    assert two.add_gradient() == pytest.approx(omega(deltas, states, rnn.weight_hh_l0, squared=True)[0], rel=1e-12)
    assert calls == [5, 4, 3, 2, 1, 0]


@variants
def test_variants_are_handed_on(variant):
    rnn, x = layer(), waves(6, 2, 3)
    attached = Omega(rnn, lam=1.0, **variant)
    both_ends(*rnn(x)).backward()
    deltas, states = by_hand(rnn, x, both_ends)[0]
    assert attached.add_gradient() == pytest.approx(omega(deltas, states, rnn.weight_hh_l0, **variant)[0], rel=1e-12)


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_shorter_floats(dtype):
    rnn = layer(dtype=dtype)
    attached = Omega(rnn, lam=1.0)
    both_ends(*rnn(waves(6, 2, 3).astype(dtype))).backward()
    assert attached.add_gradient() > 0
    assert rnn.weight_hh_l0.grad.dtype == dtype


def test_dropout_between_layers():
    """The states are those that the layer made, the input of the next one is another thing."""
    rnn = layer(num_layers=2, dropout=0.5)
    attached = Omega(rnn, lam=1.0)
    seen = {0: {}, 1: {}}
    for k in (0, 1):
        rnn.register_step_hook(lambda g, t, k=k: seen[k].update({t: g.data.copy()}), layer=k)
    output, h_n = rnn(waves(6, 2, 3))
    both_ends(output, h_n).backward()
    records = {k: steps for k, _, steps in attached._records}
    assert records.keys() == {0, 1}
    for k, steps in records.items():
        assert all((delta == seen[k][t]).all() for t, (delta, _) in steps.items())
        np.testing.assert_array_equal(steps[5][1], h_n.data[k])
    np.testing.assert_array_equal([records[1][t][1] for t in range(6)], output.data)
    assert attached.add_gradient() > 0


# ----------------------------------------------------------------------------------------- in the wrong place

def test_without_a_backward_pass_it_says_so_and_changes_nothing():
    rnn = layer()
    attached = Omega(rnn, lam=1.0)
    for act in (lambda: None, lambda: rnn(waves(6, 2, 3)), attached.remove):
        act()
        with pytest.raises(RuntimeError, match=r"between loss\.backward\(\) and optimizer\.step\(\)"):
            attached.add_gradient()
    assert rnn.weight_hh_l0.grad is None


def test_after_the_step_it_is_too_late():
    rnn = layer()
    attached, opt = Omega(rnn, lam=1.0), optim.SGD(rnn.parameters(), lr=0.1)
    both_ends(*rnn(waves(6, 2, 3))).backward()
    opt.step()
    before = rnn.weight_hh_l0.grad.tolist()
    with pytest.raises(RuntimeError, match="weights were changed"):
        attached.add_gradient()
    assert rnn.weight_hh_l0.grad.tolist() == before
    both_ends(*rnn(waves(6, 2, 3))).backward()
    expected = omega(*by_hand(rnn, waves(6, 2, 3), both_ends)[0], rnn.weight_hh_l0)[0]
    assert attached.add_gradient() == pytest.approx(expected, rel=1e-12)


def test_unasked_for_it_does_not_pile_up():
    rnn = layer()
    attached, opt = Omega(rnn, lam=1.0), optim.SGD(rnn.parameters(), lr=0.01)
    for _ in range(5):
        both_ends(*rnn(waves(6, 2, 3))).backward()
        opt.step()
        assert len(attached._records) == 1


def test_nothing_outlives_the_loss():
    """A forward pass whose loss is thrown away leaves nothing behind, without the help of the collector."""
    rnn = layer()
    attached = Omega(rnn, lam=1.0)
    gc.collect()
    gc.disable()
    try:
        for _ in range(3):
            loss = both_ends(*rnn(waves(6, 2, 3)))
            del loss
        both_ends(*rnn(waves(6, 2, 3))).backward()
        attached.add_gradient()
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_removed_it_is_gone():
    rnn = layer()
    attached = Omega(rnn, lam=1.0)
    loss = both_ends(*rnn(waves(6, 2, 3)))
    attached.remove()
    attached.remove()
    loss.backward()
    assert attached._records == []
    assert not rnn._step_observers


copies = pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda thing: pickle.loads(pickle.dumps(thing))],
                                 ids=["deepcopy", "pickle"])


@copies
def test_a_copy_of_the_net_is_another_net_without_omega(duplicate):
    rnn = layer()
    attached = Omega(rnn, lam=1.0)
    both_ends(*rnn(waves(6, 2, 3))).backward()
    twin = duplicate(rnn)
    both_ends(*twin(waves(6, 2, 3))).backward()
    assert not twin._step_observers
    expected = omega(*by_hand(rnn, waves(6, 2, 3), both_ends)[0], rnn.weight_hh_l0)[0]
    assert attached.add_gradient() == pytest.approx(expected, rel=1e-12)         # once
    both_ends(*twin(waves(6, 2, 3))).backward()
    with pytest.raises(RuntimeError, match="no backward pass"):
        attached.add_gradient()


@copies
@pytest.mark.parametrize("order", [1, -1])
def test_copied_together_they_belong_together(duplicate, order):
    rnn, x = layer(num_layers=2), waves(6, 2, 3)
    attached = Omega(rnn, lam=0.5, squared=True, mean=True, floor=1e-10)
    both_ends(*rnn(x)).backward()
    twin, other = duplicate([rnn, attached][::order])[::order]
    assert other.rnn is twin
    assert repr(other) == repr(attached)
    with pytest.raises(RuntimeError, match="no backward pass"):
        other.add_gradient()
    value, expected = attached.add_gradient(), rnn.weight_hh_l0.grad.tolist()
    twin.zero_grad()
    both_ends(*twin(x)).backward()
    assert (other.add_gradient(), twin.weight_hh_l0.grad.tolist()) == (value, expected)
    other.remove()
    assert len(rnn._step_observers) == 1


@pytest.mark.parametrize("lam", [0, 0.0])
def test_lam_may_be_0_and_may_change(lam):
    rnn = layer()
    attached = Omega(rnn, lam=lam)
    both_ends(*rnn(waves(6, 2, 3))).backward()
    before = rnn.weight_hh_l0.grad.tolist()
    assert attached.add_gradient() > 0
    assert rnn.weight_hh_l0.grad.tolist() == before
    both_ends(*rnn(waves(6, 2, 3))).backward()
    attached.lam = -1
    with pytest.raises(ValueError, match="lam = -1"):
        attached.add_gradient()
    attached.lam = 1.0
    before = rnn.weight_hh_l0.grad.tolist()
    attached.add_gradient()
    assert rnn.weight_hh_l0.grad.tolist() != before


def test_a_frozen_matrix_gets_no_gradient():
    rnn = layer()
    rnn.weight_hh_l0.requires_grad_(False)
    attached = Omega(rnn, lam=1.0)
    both_ends(*rnn(waves(6, 2, 3))).backward()
    assert attached.add_gradient() > 0
    assert rnn.weight_hh_l0.grad is None


@pytest.mark.parametrize(("make", "text"), [
    (lambda: nn.LSTM(3, 4), "not for LSTM; .*gates and the cell"), (lambda: nn.GRU(3, 4), "not for GRU; .*gates"),
    (lambda: nn.RNNCell(3, 4), r"not for RNNCell; .*penalty\.omega"),
    (lambda: nn.Sequential(nn.RNN(3, 4)), "not for Sequential; .*give the nn.RNN in it")])
def test_what_it_is_not_for(make, text):
    with pytest.raises(TypeError, match=text):
        Omega(make(), lam=1.0)


@pytest.mark.parametrize("bad", [-1, NAN, INF, "1", None, True])
def test_lam_and_floor_are_numbers_from_0(bad):
    rnn = layer()
    for options in ({"lam": bad}, {"lam": 1.0, "floor": bad}):
        with pytest.raises(ValueError, match=r"Omega: .* = .*>= 0"):
            Omega(rnn, **options)
    assert not rnn._step_observers


def test_its_representation():
    rnn = layer()
    assert repr(Omega(rnn, 2)) == "Omega(RNN(3, 4), lam=2)"
    assert repr(Omega(rnn, 0.5, squared=True, floor=1e-10)) == "Omega(RNN(3, 4), lam=0.5, squared=True, floor=1e-10)"


# --------------------------------------------------------------------------------------------------- what it does

@pytest.mark.parametrize("strength", [0.5, 2.0])
def test_it_leads_the_ratio_of_successive_deltas_to_1(strength):
    """A net whose gradient vanishes, and one whose gradient explodes; the loss is on the last step alone."""
    rnn, x = nn.RNN(3, 10, rng=np.random.default_rng(0)), 0.1 * waves(15, 4, 3)
    rnn.weight_hh_l0.data = strength * np.linalg.qr(np.random.default_rng(1).normal(size=(10, 10)))[0]
    attached, sizes, ratios, values = Omega(rnn, lam=1.0), {}, [], []
    rnn.register_step_hook(lambda g, t: sizes.update({t: mg.norms.norm(g.data)}))
    opt = optim.SGD([rnn.weight_hh_l0], lr=0.03)
    for _ in range(200):
        opt.zero_grad()
        rnn(x)[1].sum().backward()
        rnn.weight_hh_l0.grad = None                             # Omega alone
        values.append(attached.add_gradient())
        opt.step()
        ratios.append((sizes[0] / sizes[14]) ** (1 / 14))
    assert abs(ratios[0] - 1) > 0.2
    assert abs(ratios[-1] - 1) < 0.02
    assert values[-1] < 0.05 * values[0]


def test_it_keeps_the_gradient_alive_while_the_net_learns():
    """To remember the first input over 20 steps: with Omega the gradient there is not lost."""
    def train(lam):
        rng = np.random.default_rng(0)
        rnn, head = nn.RNN(1, 10, rng=rng), nn.Linear(10, 1, rng=rng)
        attached, sizes = Omega(rnn, lam=lam), {}
        rnn.register_step_hook(lambda g, t: sizes.update({t: mg.norms.norm(g.data)}))
        opt = optim.SGD([*rnn.parameters(), *head.parameters()], lr=0.01)
        for _ in range(40):
            x = rng.normal(size=(20, 16, 1))
            opt.zero_grad()
            ((head(rnn(x)[1][0]) - x[0]) ** 2).mean().backward()
            attached.add_gradient()
            opt.step()
        return sizes[0] / sizes[19]

    assert train(0.0) < 1e-4
    assert train(1.0) > 0.01


def test_the_number_of_terms_is_exact():
    """A closed form in fractions: W = w, one unit of relu, on: Omega = T (w - 1)^2 and dOmega/dw = 2 T (w - 1)."""
    w = Fraction(13, 8)
    value, gradient = omega(np.ones((6, 5, 1)), np.ones((6, 5, 1)), np.array([[float(w)]]), "relu")
    assert (Fraction(value), Fraction(gradient.item())) == (6 * (w - 1) ** 2, 12 * (w - 1))

"""Omega attached to an nn.RNN: it finds deltas and states by itself, beside hooks, penalties and dropout."""

import numpy as np
import pytest
from omegas import both_ends, by_hand, every_kind, layer, variants
from twins import waves

import minigrad as mg
from minigrad import hooks, nn, optim
from minigrad.penalty import Omega, grad_norm_penalty, omega

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
    """Of the first backward pass, which is recorded, it takes no notice; of the second it sees all of dJ/dh."""
    rnn, x = layer(), waves(6, 2, 3)
    attached, seen = Omega(rnn, lam=1.0), {}

    def add(g, t):                      # the way of the loss and that of the penalty come one after the other
        if not mg.is_grad_enabled():
            seen[t] = seen.get(t, 0) + g.data

    steps = rnn.register_step_hook(add)
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

"""Omega attached, in the wrong place: too early, too late, removed, in copies, and with what it is not for."""

import copy
import gc
import math
import pickle

import pytest
from omegas import both_ends, by_hand, layer
from twins import waves

from minigrad import nn, optim
from minigrad.penalty import Omega, omega

NAN, INF = math.nan, math.inf


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

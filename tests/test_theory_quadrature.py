"""Averages over a Gaussian that are right for every length, and functions that users bring."""

import math

import numpy as np
import pytest

from minigrad import theory
from minigrad.theory.activations import Activation, erf
from minigrad.theory.gaussian import edges_of_smooth, nodes

slope_of_erf = lambda u: 2 / math.sqrt(math.pi) * np.exp(-u * u)
CLOSED = theory.activation("erf")
BY_QUADRATURE = Activation("erf without closed forms", erf, slope_of_erf, odd=True)
LENGTHS = [10.0 ** k for k in range(-8, 9)]


def clipped(u):
    return np.clip(u, -1, 1)


def clipped_slope(u):
    return (np.abs(u) < 1).astype(float)


@pytest.mark.parametrize("what", ["square", "square_rate", "slope_square", "slope_fourth"])
@pytest.mark.parametrize("q", LENGTHS)
@pytest.mark.parametrize("given", [BY_QUADRATURE, (erf, slope_of_erf)], ids=["smooth", "callable"])
def test_quadrature_gives_the_closed_forms_of_erf(what, q, given):
    found, exact = (getattr(theory.activation(act), what)(q) for act in (given, CLOSED))
    assert found == pytest.approx(exact, rel=1e-12)


@pytest.mark.parametrize("q", [0.1, 5.0, 20.0, 100.0, 1e4, 1e8])
@pytest.mark.parametrize("d", [1.0, 0.3, 0.02, 1e-4, 1e-10])
def test_two_correlated_signals_by_quadrature_give_the_arcsine_law(q, d):
    found, exact = (act.apart(q)(d) for act in (BY_QUADRATURE, CLOSED))
    assert found == pytest.approx(exact, rel=1e-9)


@pytest.mark.parametrize("sigma_b2", [0.05, 1.0, 100.0])
@pytest.mark.parametrize("factor", [0.5, 1.001, 1.5])
def test_the_whole_of_mean_field_by_quadrature(sigma_b2, factor):
    edge = theory.critical_line("erf", sigma_b2)
    found, exact = (theory.mean_field(act, factor * edge, sigma_b2) for act in (BY_QUADRATURE, "erf"))
    assert found[:-1] == pytest.approx(exact[:-1], rel=1e-8)
    assert found.phase == exact.phase


def test_gauss_hermite_fails_at_large_q_where_this_does_not():
    z, w = np.polynomial.hermite_e.hermegauss(201)
    w = w / w.sum()
    for q, least in ((0.5, 0.0), (100.0, 1e-3), (1e6, 0.1)):
        exact = CLOSED.slope_square(q)
        off = abs(w @ slope_of_erf(math.sqrt(q) * z) ** 2 / exact - 1)
        assert least <= off
        assert off < 1e-6 or q > 1
        assert BY_QUADRATURE.slope_square(q) == pytest.approx(exact, rel=1e-12)


@pytest.mark.parametrize("q", [1e-12, 1e-3, 1.0, 40.0, 1e9])
def test_moments_of_the_gaussian_itself(q):
    u, w = nodes(q, edges_of_smooth())
    for power, moment in ((0, 1), (1, 0), (2, 1), (4, 3), (6, 15)):
        assert w @ (u / math.sqrt(q)) ** power == pytest.approx(moment, abs=1e-12)


@pytest.mark.parametrize("q", [0.01, 1.0, 7.0, 50.0])
def test_a_sine_has_closed_forms(q):
    act = theory.activation((np.sin, np.cos))
    assert act.square(q) == pytest.approx(-math.expm1(-2 * q) / 2, rel=1e-12)
    assert act.slope_square(q) == pytest.approx((1 + math.exp(-2 * q)) / 2, rel=1e-12)
    short, rate = act.apart(q)(0.3)                                     # E sin u sin v = exp(-q) sinh(q c)
    assert short == pytest.approx(-math.expm1(-2 * q) / 2 - math.exp(-q) * math.sinh(0.7 * q), rel=1e-9)
    assert rate == pytest.approx(q * math.exp(-q) * math.cosh(0.7 * q), rel=1e-9)


@pytest.mark.parametrize("q", [1e-6, 0.3, 2.0, 1e4, 1e8])
def test_kinks_away_from_0_are_found(q):
    """E clip(u)^2 = q P - 2 sqrt(q) density(1/sqrt(q)) + (1 - P), with P the chance of |u| < 1."""
    act, s = theory.activation((clipped, clipped_slope)), math.sqrt(q)
    inside, density = math.erf(1 / (s * math.sqrt(2))), math.exp(-0.5 / q) / math.sqrt(2 * math.pi)
    outside = math.erfc(1 / (s * math.sqrt(2)))
    if q < 1e4:
        assert act.square(q) == pytest.approx(q * inside - 2 * s * density + outside, rel=1e-11)
    else:                                           # 1 - E(1 - u^2; |u| < 1), the density being flat there
        assert 1 - act.square(q) == pytest.approx(4 / (3 * s * math.sqrt(2 * math.pi)), rel=1e-4)
    assert act.slope_square(q) == pytest.approx(inside, rel=1e-11)


def test_a_callable_of_a_known_activation_gives_the_same():
    mine = theory.mean_field((np.tanh, lambda u: 1 - np.tanh(u) ** 2), 2.0, 0.05)
    assert mine[:-1] == pytest.approx(theory.mean_field("tanh", 2.0, 0.05)[:-1], rel=1e-10)
    assert theory.critical_line((np.tanh, lambda u: 1 - np.tanh(u) ** 2), 0.05) == pytest.approx(1.76095464, abs=1e-8)


@pytest.mark.parametrize(("call", "words"), [
    (lambda: theory.q_star((np.tanh, np.cos), 1.0), "is not its derivative: at u = "),
    (lambda: theory.q_star((np.sum, np.cos), 1.0), "return one of its shape"),
    (lambda: theory.q_star((np.tan, lambda u: 1 / np.cos(u) ** 2), 1.0), "cannot be integrated"),
    (lambda: theory.length_map((np.sin, np.cos), 1e6, 1.0), "too large: q <= 56.25")])
def test_functions_that_cannot_be_averaged_are_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()


@pytest.mark.parametrize("name", ["relu", "elu", "softplus", "gelu", "tanh"])
@pytest.mark.parametrize("q", [0.0, 1e-300, 1e300, math.inf])
def test_the_ends_of_the_range_are_limits(name, q):
    act = theory.activation(name)
    ratio = {0.0: 0.0, math.inf: math.inf}.get(q, q)
    if name in ("relu", "elu", "gelu", "softplus") and q > 1:
        assert act.square(q) == pytest.approx(0.5 * ratio)
        assert act.slope_square(q) == 0.5
    elif name == "tanh" and q > 1:
        assert act.square(q) == pytest.approx(1.0)
        assert act.slope_square(q) == pytest.approx(0.0, abs=1e-140)
    elif name in ("elu", "tanh"):
        assert act.square(q) == pytest.approx(ratio, rel=1e-12)
        assert act.slope_square(q) == pytest.approx(1.0)


def test_a_length_map_that_falls_settles_too():
    pair = (lambda u: np.exp(-u * u / 2), lambda u: -u * np.exp(-u * u / 2))            # E phi^2 = 1 / sqrt(1 + 2 q)
    q = theory.q_star(pair, 50.0)
    assert q * math.sqrt(1 + 2 * q) == pytest.approx(50, rel=1e-12)
    assert theory.fixed_points(pair, 50.0)[0].slope == pytest.approx(-q / (1 + 2 * q), rel=1e-9)
    assert theory.trajectory(pair, 80, 50.0)[0][-1] == pytest.approx(q, rel=1e-12)

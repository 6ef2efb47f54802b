"""The fitted slope and its interval: exact lines, gaps, coverage, Student's t."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigrad.gradient_flow.fitting import bend_of, fit, student_t


@pytest.mark.parametrize(("free", "expected"), [
    # two-sided 95 %: the printed tables
    (1, 12.706), (2, 4.303), (3, 3.182), (4, 2.776), (5, 2.571), (6, 2.447), (9, 2.262), (10, 2.228), (29, 2.045),
    (30, 2.042), (60, 2.000), (120, 1.980), (1000, 1.962), (1001, 1.962), (10 ** 6, 1.960)])
def test_student_t(free, expected):
    assert student_t(free) == pytest.approx(expected, abs=6e-4)


@given(st.floats(-5, 5), st.integers(2, 60), st.integers(-100, 100))
def test_a_line_is_found_exactly(slope, layers, start):
    logs = np.clip(start + slope * np.arange(layers)[::-1], -300, 300)
    if abs(logs[0]) < 300 and abs(logs[-1]) < 300:
        found = fit(10.0 ** logs)
        assert found.slope == pytest.approx(slope, abs=1e-9)
        assert found.start == layers - 1
        assert found.intercept == pytest.approx(start, abs=1e-9)
        assert found.at([0])[0] == pytest.approx(10.0 ** logs[0], rel=1e-6)
        assert layers == 2 or found.low - 1e-9 <= slope <= found.high + 1e-9


def test_what_has_no_logarithm_is_left_out_and_counted():
    norms = [0.0, 1e-6, math.nan, 1e-4, None, math.inf, 1e-1]
    found = fit(norms)
    assert (found.slope, found.layers, found.left_out, found.start) == (-1.0, 3, 4, 6)
    assert fit([0.0, 1.0, math.nan]) is fit([]) is fit([None]) is None
    two = fit([1e-2, 1.0])
    assert two.slope == -2.0
    assert (two.low, two.high) == (-math.inf, math.inf)


def test_least_squares_is_numpys():
    rng = np.random.default_rng(0)
    logs = rng.normal(size=20)
    assert fit(10.0 ** logs).slope == pytest.approx(-np.polyfit(np.arange(20), logs, 1)[0])


@pytest.mark.parametrize("layers", [5, 20, 60])
def test_the_interval_holds_the_slope_of_a_random_walk_in_95_of_100(layers):
    rng, hits = np.random.default_rng(layers), 0
    for _ in range(1500):
        found = fit(10.0 ** np.cumsum(rng.normal(0.2, 0.1, layers)))
        hits += found.low <= -0.2 <= found.high
    assert hits / 1500 == pytest.approx(0.95, abs=0.02)


@pytest.mark.parametrize("layers", [5, 30])
def test_and_is_too_wide_rather_than_too_narrow_for_independent_noise(layers):
    rng, hits = np.random.default_rng(layers), 0
    for _ in range(500):
        found = fit(10.0 ** (0.2 * np.arange(layers) + rng.normal(0, 0.1, layers)))
        hits += found.low <= -0.2 <= found.high
    assert hits / 500 > 0.97


@pytest.mark.parametrize("layers", [10, 30, 200])
def test_a_random_walk_hardly_ever_bends(layers):
    rng = np.random.default_rng(layers)
    found = [bend_of(10.0 ** np.cumsum(rng.normal(0.2, 0.5, layers))) for _ in range(2000)]
    assert sum(bend is not None for bend in found) <= 6             # 2 are expected


@given(st.integers(8, 32), st.floats(0.3, 2.0), st.floats(-0.1, 0.1), st.integers(0, 9))
def test_a_bend_is_found_where_it_is(place, steep, flat, seed):
    k, noise = np.arange(40), np.random.default_rng(seed).normal(0, 0.002, 40)
    found = bend_of(10.0 ** (np.where(k < place, steep, flat) * (place - k) + noise))
    assert found.place == pytest.approx(place, abs=1)
    assert found.after.slope == pytest.approx(steep, abs=0.02)
    assert found.before.slope == pytest.approx(flat, abs=0.02)
    assert found.before.start == 39


def test_what_bends_by_little_or_has_few_points_does_not():
    k = np.arange(40)
    assert bend_of(10.0 ** np.where(k < 20, 0.02 * (20 - k), 0.0)) is None          # by 0.2 decades
    assert bend_of([1e9, 1e6, 1e3, 1.0, 1.0, 1.0, 1.0]) is bend_of([]) is bend_of([math.nan] * 9) is None
    gaps = [0.0 if at % 7 == 3 else 10.0 ** max(0.5 * (15 - at), 0.0) for at in k]
    assert bend_of(gaps).place in (14, 15, 16)
    assert bend_of([1.0] * 20) is None


def test_missing_points_do_not_make_the_interval_wrong():
    rng, hits = np.random.default_rng(0), 0
    for _ in range(1000):
        logs = np.cumsum(rng.normal(0.2, 0.1, 30))
        norms = np.where(rng.random(30) < 0.4, 0.0, 10.0 ** logs)
        found = fit(norms)
        hits += found.low <= -0.2 <= found.high
    assert hits / 1000 == pytest.approx(0.95, abs=0.02)


def test_the_intervals_of_seeds_hold_what_theory_predicts():
    from flows import batch, mlp

    import minigrad as mg
    from minigrad import nn

    c, hits = np.random.default_rng(7).normal(size=(8, 100)), 0
    for seed in range(20):
        net = mlp(16, 100, nn.Tanh, 2.0, 0.1, seed=seed, head=None)
        found = mg.flow(net, lambda h: (h * c).sum(), batch(100, 8)[0])
        hits += found.interval[0] <= found.predicted <= found.interval[1]
    assert hits >= 16                                   # the prediction itself has an error of the order of 1 / width

"""The numbers of the experiments on clipping, accumulation, float16, penalties and optimizers."""

import math

import numpy as np
import pytest

from minigrad import experiments, nn
from minigrad.experiments import accumulation, adam_facts, clip_bias, clip_speed, edge_of_stability, mixed_precision
from minigrad.experiments.experiment import compared

REDUCED = {
    "clip-kinds": {"seeds": 2, "history": 5, "norms": 1500},
    "accumulation": {"seeds": 2},
    "gradient-penalty": {},
    "adam-facts": {"steps": 100, "updates": 4000},
}
"""Settings that are smaller than the default ones, and for which the same is expected."""


def misses(name, **settings):
    module = experiments.find(name)
    result = module.run(module.Config(**settings))
    assert any(character.isdigit() for character in module.answer(result))
    return [row for row in compared(module.EXPECTED, result.headline) if not row[-1]]


@pytest.mark.parametrize("name", REDUCED)
def test_what_is_expected_is_measured(name):
    assert misses(name, **REDUCED[name]) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["clip-speed", "clip-bias", "mixed-precision", "edge-of-stability"])
def test_what_is_expected_is_measured_in_long_runs(name):
    assert misses(name) == []


# ---------------------------------------------------------------------------------------------------- clip-speed

@pytest.mark.parametrize(("f", "slope"), [(clip_speed.Cosh(), np.sinh), (clip_speed.Quartic(), lambda x: 4 * x ** 3)])
@pytest.mark.parametrize(("start", "tol"), [(2.0, 1e-3), (5.0, 1e-2)])
def test_flow_takes_the_integral_of_one_over_the_slope(f, slope, start, tol):
    y = np.geomspace(f.where(tol), start, 20_001)
    assert slope(y[0]) == pytest.approx(tol)
    assert f.flow(start, tol) == pytest.approx(np.trapezoid(1 / slope(y), y), rel=1e-6)
    assert f.largest_rate(start) * slope(start) == pytest.approx(2 * start)


def test_counts_of_updates_are_those_of_a_plain_loop():
    """From (4, 2.92): the best of the seven rates, and clipped at 1."""
    def count(rate, clip):
        w = np.array([4.0, 0.73 * 4.0])
        for update in range(1000):
            length = math.hypot(*np.sinh(w))
            if length < 1e-6:
                return update
            w = w - rate * min(1.0, clip / length) * np.sinh(w)
        raise AssertionError

    config = clip_speed.Config(cosh=(4.0,), quartic=(3.0,), quartic_tol=0.1)
    h = clip_speed.run(config).headline
    assert h["plain updates, cosh from 4"] == min(count(s * 8 / np.sinh(4.0), np.inf) for s in config.shares)
    for rate in config.rates:
        assert h[f"clipped updates, rate {rate:g}, cosh from 4"] == count(rate, 1.0)


# ----------------------------------------------------------------------------------------------------- clip-bias

@pytest.mark.parametrize(("a", "p", "clip"), [
    (10, 0.1, 0.5), (10, 0.1, 3), (10, 0.1, 20), (2, 0.2, 1), (16, 1 / 257, 8),
])
def test_the_fixed_point_is_where_the_mean_of_the_clipped_gradient_is_zero(a, p, clip):
    low, high = -1.0, 5.0
    for _ in range(200):
        x = (low + high) / 2
        mean = p * np.clip(x + a, -clip, clip) + (1 - p) * np.clip(x - a * p / (1 - p), -clip, clip)
        low, high = (low, x) if mean > 0 else (x, high)
    assert clip_bias.fixed_point(a, p, clip) == pytest.approx(x, abs=1e-12)


@pytest.mark.parametrize("clip", [0.75, 1.0, 4.0])
def test_no_two_point_noise_of_the_same_variance_moves_further_than_the_worst(clip):
    a = np.linspace(1.001, 100, 100_000)                    # sigma = 1: p = 1 / (1 + a^2)
    biases = clip_bias.fixed_point(a, 1 / (1 + a ** 2), clip)
    assert biases.max() == pytest.approx(1 / (4 * clip), rel=1e-4)
    assert a[biases.argmax()] == pytest.approx(2 * clip, abs=0.02)


def test_the_walk_is_spread_as_its_density_says():
    lr, x = 0.05, np.linspace(-6, 6, 200_001)
    density = np.exp(-np.maximum(0, abs(x) - 2) ** 2 / (2 * lr))
    assert clip_bias.spread(lr) == pytest.approx(math.sqrt((density * x ** 2).sum() / density.sum()), rel=1e-4)


def test_the_mean_of_skewed_samples_is_missed_by_a_clip():
    """Samples of 10 in one case of 10, else 0: the mean is 1, and clipped at c descent settles at c / 9."""
    config = clip_bias.Config(rows=500, updates=1000)
    mirrored = clip_bias.two_point(9.0, 0.1)                # mean - sample is 1 or -9: the noise mirrored
    found, _ = clip_bias.settle(mirrored, 3.0, config.lr, config, np.random.default_rng(0))
    assert 1 - found == pytest.approx(3.0 / 9.0, abs=0.02)


# ---------------------------------------------------------------------------------- accumulation, float16, Adam

@pytest.mark.parametrize("shares", [(8, 8, 8), (1, 7, 24, 32), (1, 63)])
def test_how_far_a_mean_of_means_is_off(shares):
    """Against the mean square over many draws of independent numbers of mean 0, one per item."""
    x = np.random.default_rng(0).normal(size=(200_000, sum(shares)))
    means = np.mean([part.mean(axis=1) for part in np.split(x, np.cumsum(shares)[:-1], axis=1)], axis=0)
    whole = x.mean(axis=1)
    measured = math.sqrt(((means - whole) ** 2).mean() / (whole ** 2).mean())
    assert accumulation.off(shares) == pytest.approx(measured, rel=0.02, abs=1e-7)


def test_zeros_are_predicted_as_numpy_rounds():
    config = mixed_precision.Config(depth=30)
    rng = np.random.default_rng(0)
    wanted = mixed_precision.predicted(config, 1e-6, 2.0)
    chi = 0.7590                                                       # a separate computation
    for layer, back in ((29, 0), (15, 14), (0, 29)):
        values = 2.0 * 1e-6 * chi ** (back / 2) * rng.normal(size=200_000)
        assert wanted[layer] == pytest.approx((values.astype(np.float16) == 0).mean(), abs=0.005)


def test_float16_loses_the_gradient_where_it_is_predicted_and_a_scale_moves_that():
    """A narrower and shallower net that vanishes faster: chi_1 = 0.432."""
    config = mixed_precision.Config(depth=40, width=100, sigma_w2=0.5, seeds=10, scales=(1.0, 8.0), half_scales=(1.0,))
    result = mixed_precision.run(config)
    (measured, wanted), (scaled, wanted_scaled) = result.arrays["half-zero depth"]
    assert measured == pytest.approx(wanted, abs=2)
    assert scaled == pytest.approx(wanted_scaled, abs=2)
    assert wanted_scaled - wanted == pytest.approx(2 * math.log(8) / 0.8394, abs=0.1)       # a separate computation
    gradual, flushed = (result.arrays[f"cosine, {how}, scale 1"] for how in ("gradual", "flushed"))
    assert gradual[-1] > 0.9999
    assert gradual[0] < 0.5
    assert (flushed <= gradual + 1e-6).all()
    assert flushed[-20] == 0


@pytest.mark.parametrize(("shares", "depth"), [
    ([1.0, 0.75, 0.25, 0.0], 1.5), ([0.4, 0.3, 0.0], math.nan), ([0.9, 0.8], 0.0), ([0.6, 0.0], 5 / 6),
])
def test_where_half_is_zero(shares, depth):
    assert mixed_precision.crossing(np.array(shares)) == pytest.approx(depth, nan_ok=True)


@pytest.mark.parametrize("g", [1e-3, 1e-8, 3e-10])
def test_a_constant_gradient_leaves_adam_a_step_of_its_share(g):
    m = v = 0.0
    for t in range(1, 51):
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        step = m / (1 - 0.9 ** t) / (math.sqrt(v / (1 - 0.999 ** t)) + 1e-8)
    assert adam_facts.step_of(g, 1e-8) == pytest.approx(step, rel=1e-9)


# --------------------------------------------------------------------------------------------- edge of stability

def test_the_sharpness_is_the_largest_eigenvalue_of_the_hessian():
    """The Hessian by central differences of central differences, of a net with 13 parameters."""
    rng = np.random.default_rng(1)
    net = nn.Sequential(nn.Linear(1, 4, rng=rng), nn.Tanh(), nn.Linear(4, 1, rng=rng)).double()
    x = np.linspace(-1, 1, 8)[:, None]
    y = np.cos(3 * x)
    params = list(net.parameters())
    start = np.concatenate([p.data.ravel() for p in params])

    def value(vector):
        w1, b1, w2, b2 = (vector[:4, None], vector[4:8], vector[None, 8:12], vector[12:])
        return ((np.tanh(x @ w1.T + b1) @ w2.T + b2 - y) ** 2).mean() / 2

    eye, h = np.eye(13), 1e-4
    hessian = [[(value(start + h * (u + v)) - value(start + h * (u - v)) - value(start - h * (u - v))
                 + value(start - h * (u + v))) / (4 * h * h) for u in eye] for v in eye]
    vector = [rng.normal(size=p.shape) for p in params]
    found, _ = edge_of_stability.sharpness(edge_of_stability.loss_of(net, x, y), params, vector, 200)
    assert found == pytest.approx(np.linalg.eigvalsh(hessian)[-1], rel=1e-5)


def test_a_single_point_makes_no_slope():
    with pytest.raises(ValueError, match=r"radii = .*two or more"):
        experiments.find("gradient-penalty").Config(radii=(0.1,))

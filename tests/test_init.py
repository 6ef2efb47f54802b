"""Initial values: bounds, moments, spectra, PyTorch's formulas, and what is refused."""

import math

import numpy as np
import pytest
from twins import needs_torch, torch

import minigrad as mg
from minigrad import nn
from minigrad.nn import init


def zeros(*shape, dtype=float):
    return nn.Parameter(np.zeros(shape, dtype))


# shape (200, 300): fan-in 300, fan-out 200.  Function, mean, variance, bound (None: not bounded)
DRAWN = [
    (lambda p, rng: init.uniform_(p, -2.0, 4.0, rng), 1.0, 3.0, 3.0),
    (lambda p, rng: init.uniform_(p, b=0.5, rng=rng), 0.25, 0.25 / 12, 0.25),
    (lambda p, rng: init.normal_(p, 3.0, 0.5, rng), 3.0, 0.25, None),
    (lambda p, rng: init.normal_(p, std=0.0, rng=rng), 0.0, 0.0, 0.0),
    (lambda p, rng: init.trunc_normal_(p, std=2.0, a=-2.0, b=2.0, rng=rng), 0.0, 4 * 0.29112509, 2.0),
    (lambda p, rng: init.trunc_normal_(p, 1.0, 1.0, -9.0, 11.0, rng=rng), 1.0, 1.0, 10.0),
    (lambda p, rng: init.constant_(p, 7), 7.0, 0.0, 0.0),
    (lambda p, rng: init.zeros_(p), 0.0, 0.0, 0.0),
    (lambda p, rng: init.ones_(p), 1.0, 0.0, 0.0),
    (lambda p, rng: init.xavier_uniform_(p, rng=rng), 0.0, 2 / 500, math.sqrt(6 / 500)),
    (lambda p, rng: init.xavier_uniform_(p, 2.0, rng), 0.0, 8 / 500, 2 * math.sqrt(6 / 500)),
    (lambda p, rng: init.xavier_normal_(p, 2.0, rng), 0.0, 8 / 500, None),
    (lambda p, rng: init.kaiming_normal_(p, rng=rng), 0.0, 2 / 300, None),
    (lambda p, rng: init.kaiming_normal_(p, gain=1.0, rng=rng), 0.0, 1 / 300, None),
    (lambda p, rng: init.kaiming_normal_(p, mode="fan_out", nonlinearity="tanh", rng=rng), 0.0, 25 / 9 / 200, None),
    (lambda p, rng: init.kaiming_uniform_(p, math.sqrt(5), rng=rng), 0.0, 1 / 900, 1 / math.sqrt(300)),
    (lambda p, rng: init.kaiming_uniform_(p, nonlinearity="relu", rng=rng), 0.0, 2 / 300, math.sqrt(6 / 300)),
    (lambda p, rng: init.kaiming_uniform_(p, gain=3.0, mode="fan_out", rng=rng), 0.0, 9 / 200, 3 * math.sqrt(3 / 200)),
    (lambda p, rng: init.lecun_normal_(p, rng=rng), 0.0, 1 / 300, None),
    (lambda p, rng: init.lecun_uniform_(p, 0.75, rng), 0.0, 0.5625 / 300, 0.75 * math.sqrt(3 / 300)),
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("draw", "mean", "variance", "bound"), DRAWN)
def test_initial_values_have_their_mean_and_variance(draw, mean, variance, bound, dtype):
    p = zeros(200, 300, dtype=dtype)
    assert draw(p, np.random.default_rng(1)) is p
    assert (p.dtype, p.shape, p.requires_grad, p.is_leaf) == (dtype, (200, 300), True, True)
    x = p.data.astype(float) - mean
    kurtosis = 3 if bound is None or bound > 5 else 1.8
    assert abs(x.mean()) <= 4 * math.sqrt(variance / p.size)
    assert x.var() == pytest.approx(variance, rel=4 * math.sqrt((kurtosis - 1) / p.size), abs=1e-20)
    if bound is not None:
        assert np.abs(x).max() <= bound * (1 + np.finfo(dtype).eps)
        assert np.abs(x).max() >= 0.99 * bound or bound > 5


FANS = [((4, 6), 6, 4), ((4, 6, 3), 18, 12), ((4, 6, 3, 5), 90, 60), ((1, 1, 1), 1, 1)]


@pytest.mark.parametrize(("shape", "fan_in", "fan_out"), FANS)
def test_the_fans_of_a_kernel(shape, fan_in, fan_out):
    """The same draws, scaled by the formulas: in * k * k and out * k * k."""
    def ratio(draw):
        plain = init.uniform_(zeros(*shape), -1.0, 1.0, np.random.default_rng(0)).data
        values = draw(zeros(*shape), np.random.default_rng(0)).data / plain
        assert values == pytest.approx(values.flat[0], rel=1e-12)
        return values.flat[0]

    assert ratio(lambda p, rng: init.kaiming_uniform_(p, gain=1.0, rng=rng)) == pytest.approx(math.sqrt(3 / fan_in))
    assert ratio(lambda p, rng: init.kaiming_uniform_(p, 1.0, "fan_out", rng=rng)) == pytest.approx(
        math.sqrt(3 / fan_out))
    assert ratio(lambda p, rng: init.lecun_uniform_(p, rng=rng)) == pytest.approx(math.sqrt(3 / fan_in))
    assert ratio(lambda p, rng: init.xavier_uniform_(p, 2.0, rng)) == pytest.approx(
        2 * math.sqrt(6 / (fan_in + fan_out)))


GAINS = [("linear", None, 1.0), ("conv1d", None, 1.0), ("conv2d", None, 1.0), ("sigmoid", None, 1.0),
         ("tanh", None, 5 / 3), ("relu", None, 1.4142135623730951), ("leaky_relu", None, 1.4141428569978354),
         ("leaky_relu", 0.2, 1.3867504905630728), ("leaky_relu", math.sqrt(5), 0.5773502691896257),
         ("selu", None, 0.75)]


@pytest.mark.parametrize(("nonlinearity", "param", "gain"), GAINS)
def test_gains_are_pytorchs(nonlinearity, param, gain):
    assert init.calculate_gain(nonlinearity, param) == pytest.approx(gain, rel=1e-15)
    if torch is not None:
        assert torch.nn.init.calculate_gain(nonlinearity, param) == pytest.approx(gain, rel=1e-15)


@needs_torch
@pytest.mark.parametrize(("name", "settings"), [
    ("uniform_", {"a": -0.5, "b": 2.0}), ("normal_", {"mean": 2.0, "std": 0.5}), ("xavier_uniform_", {"gain": 2.0}),
    ("xavier_normal_", {}), ("kaiming_uniform_", {"a": math.sqrt(5)}), ("kaiming_uniform_", {"mode": "fan_out"}),
    ("kaiming_normal_", {"nonlinearity": "relu"}), ("kaiming_normal_", {"a": 0.3}), ("orthogonal_", {"gain": 1.5}),
    ("trunc_normal_", {"mean": 0.3, "std": 0.5, "a": -0.5, "b": 0.9}), ("constant_", {"val": 0.25}), ("eye_", {}),
])
@pytest.mark.parametrize("shape", [(120, 90), (40, 30, 3, 3)])
def test_distributions_are_pytorchs(name, settings, shape):
    """Mean, variance and extremes of many numbers drawn by both, under the same arguments."""
    if name == "eye_":
        shape = shape[:2]
    fixed = name in ("constant_", "eye_")
    rng, generator = ({}, {}) if fixed else ({"rng": np.random.default_rng(1)},
                                             {"generator": torch.Generator().manual_seed(1)})
    ours = getattr(init, name)(zeros(*shape), **settings, **rng).data
    theirs = getattr(torch.nn.init, name)(torch.zeros(shape, dtype=torch.float64), **settings, **generator).numpy()
    scale = max(theirs.std(), 1e-12)
    assert ours.mean() == pytest.approx(theirs.mean(), abs=8 * scale / math.sqrt(ours.size))
    assert ours.std() == pytest.approx(theirs.std(), rel=0.05, abs=1e-12)
    assert ours.max() == pytest.approx(theirs.max(), abs=1.5 * scale)
    assert ours.min() == pytest.approx(theirs.min(), abs=1.5 * scale)


# ------------------------------------------------------------------------------------- matrices

@pytest.mark.parametrize("gain", [1.0, 1.7])
@pytest.mark.parametrize("shape", [(5, 5), (7, 3), (3, 7), (1, 4), (6, 2, 3), (4, 2, 3, 3)])
def test_orthogonal_rows_or_columns_have_length_gain_at_right_angles(shape, gain):
    w = init.orthogonal_(zeros(*shape), gain, np.random.default_rng(0)).data.reshape(shape[0], -1)
    short = w if w.shape[0] <= w.shape[1] else w.T
    np.testing.assert_allclose(short @ short.T, gain ** 2 * np.eye(len(short)), atol=1e-13)


def test_orthogonal_matrices_are_drawn_uniformly():
    """Without the correction of signs, the determinant of every 2 x 2 matrix from QR has one sign."""
    rng = np.random.default_rng(0)
    signs = [np.linalg.det(init.orthogonal_(zeros(2, 2), 1.0, rng).data) for _ in range(200)]
    assert 60 < np.sum(np.array(signs) > 0) < 140


@pytest.mark.parametrize("shape", [(3, 3), (2, 4), (4, 2)])
def test_the_identity(shape):
    np.testing.assert_array_equal(init.eye_(zeros(*shape)).data, np.eye(*shape))
    np.testing.assert_array_equal(init.eye_(zeros(*shape), 0.5).data, 0.5 * np.eye(*shape))


def radius(p):
    return np.abs(np.linalg.eigvals(p.data)).max()


@pytest.mark.parametrize("rho", [0.0, 1e-3, 0.9, 1.5, 20.0])
@pytest.mark.parametrize("size", [1, 2, 5, 64])
def test_the_spectral_radius_is_what_was_asked(size, rho):
    assert radius(init.spectral_radius_(zeros(size, size), rho, np.random.default_rng(size))) == pytest.approx(
        rho, rel=1e-12)


@pytest.mark.parametrize("rho", [0.0, 0.95, 3.0])
def test_sparse_rows_and_their_spectral_radius(rho):
    """Pascanu's "smart_tanh": 15 non-zeros in each row, N(0, .01^2), then scaled."""
    w = init.sparse_(zeros(50, 50), 15, rho=rho, rng=np.random.default_rng(0))
    assert radius(w) == pytest.approx(rho, rel=1e-12)
    assert set(np.count_nonzero(w.data, axis=1)) == ({15} if rho else {0})
    plain = init.sparse_(zeros(50, 50), 15, rng=np.random.default_rng(0)).data
    np.testing.assert_allclose(w.data, plain * (rho / np.abs(np.linalg.eigvals(plain)).max()), rtol=1e-12)


def test_sparse_values_and_places():
    w = init.sparse_(zeros(400, 300), 20, std=0.1, rng=np.random.default_rng(1)).data
    values = w[w != 0]
    assert len(values) == 400 * 20
    assert values.var() == pytest.approx(0.01, rel=4 * math.sqrt(2 / len(values)))
    per_column = np.count_nonzero(w, axis=0)                        # binomial: 400 trials of 20 / 300
    assert per_column.mean() == pytest.approx(400 * 20 / 300)
    assert per_column.var() == pytest.approx(400 * (20 / 300) * (280 / 300), rel=0.4)
    assert np.count_nonzero(init.sparse_(zeros(3, 4), 4).data) == 12
    assert np.count_nonzero(init.sparse_(zeros(3, 4), 0).data) == 0


# ------------------------------------------------------------------------- randomness, what is refused

RANDOM = [init.uniform_, init.normal_, init.trunc_normal_, init.xavier_uniform_, init.xavier_normal_,
          init.kaiming_uniform_, init.kaiming_normal_, init.lecun_uniform_, init.lecun_normal_, init.orthogonal_,
          lambda p, rng=None: init.spectral_radius_(p, 0.9, rng), lambda p, rng=None: init.sparse_(p, 2, rng=rng)]


@pytest.mark.parametrize("draw", RANDOM)
def test_draws_follow_the_generator_and_move_it_on(draw):
    mg.manual_seed(5)
    first, second = draw(zeros(3, 3)).tolist(), draw(zeros(3, 3)).tolist()
    mg.manual_seed(5)
    assert draw(zeros(3, 3)).tolist() == first != second
    rng = np.random.default_rng(5)
    assert draw(zeros(3, 3), rng=rng).tolist() == first             # the default generator is one like this
    assert draw(zeros(3, 3)).tolist() == second                     # and was left alone in between
    with pytest.raises(TypeError, match="default_rng"):
        draw(zeros(3, 3), rng=3)


@pytest.mark.parametrize("draw", [f for f in RANDOM if f.__name__ != "<lambda>"])
def test_generator_is_another_name_for_rng(draw):
    one, other = (draw(zeros(3, 3), **{name: np.random.default_rng(5)}) for name in ("rng", "generator"))
    assert one.tolist() == other.tolist()
    with pytest.raises(ValueError, match="two names"):
        draw(zeros(3, 3), rng=np.random.default_rng(5), generator=np.random.default_rng(5))


@pytest.mark.parametrize("draw", [*RANDOM, init.eye_, init.zeros_])
def test_the_data_of_a_parameter_stand_for_it(draw):
    """As PyTorch's programs write it: init.normal_(m.weight.data, 0.0, 0.02)."""
    p = nn.Parameter(np.full((3, 3), 2.0))
    assert draw(p.data) is p
    assert (p.data != 2.0).all()


class Owned(np.ndarray):
    """An array that knows the tensor it belongs to."""


@pytest.mark.parametrize("draw", [*RANDOM, init.eye_, init.zeros_])
def test_an_array_that_knows_its_tensor_stands_for_it(draw):
    p = nn.Parameter(np.full((3, 3), 2.0))
    array = np.array(p.data).view(Owned)
    array.owner = p
    assert draw(array) is p
    assert (p.data != 2.0).all()
    part = array[:2]
    part.owner = p
    with pytest.raises(TypeError, match="pass the parameter itself"):
        draw(part)


@pytest.mark.parametrize("draw", [*RANDOM, init.eye_, init.zeros_])
def test_values_are_given_without_a_tape(draw):
    p = mg.tensor(np.ones((3, 3)), "float16", requires_grad=True)
    y, before = (p * p).sum(), p.data
    assert draw(p) is p
    assert (p.dtype, p.is_leaf, p.grad) == ("float16", True, None)
    assert before.tolist() == np.ones((3, 3)).tolist()
    np.testing.assert_array_equal(mg.grad(y, p).data, 2.0)          # what was computed before keeps its numbers


NO_MATRIX = [(3,), (), (2, 3, 4)]
REFUSED = [
    *[(lambda p, f=f: f(p), (5,), ValueError, r"\(5,\) has no fan-in") for f in (
        init.xavier_uniform_, init.xavier_normal_, init.kaiming_uniform_, init.kaiming_normal_, init.lecun_uniform_,
        init.lecun_normal_, init.orthogonal_)],
    *[(init.eye_, shape, ValueError, "is no matrix") for shape in NO_MATRIX],
    *[(lambda p: init.sparse_(p, 1), shape, ValueError, "is no matrix") for shape in NO_MATRIX],
    *[(lambda p: init.spectral_radius_(p, 1.0), shape, ValueError, "must be square") for shape in (*NO_MATRIX, (2, 3))],
    (lambda p: init.sparse_(p, 1, rho=1.0), (2, 3), ValueError, r"\(2, 3\).*square"),
    (lambda p: init.sparse_(p, 4), (2, 3), ValueError, r"4 non-zero entries in a row of 3"),
    (lambda p: init.sparse_(p, -1), (2, 3), ValueError, "-1 non-zero"),
    (lambda p: init.sparse_(p, 0.1), (2, 3), TypeError, "nonzeros = 0.1 is no whole number"),
    (lambda p: init.sparse_(p, 1, std=-1.0), (2, 2), ValueError, "std = -1.0"),
    (lambda p: init.sparse_(p, 0, rho=0.9), (3, 3), ValueError, "all eigenvalues .* are 0"),
    (lambda p: init.spectral_radius_(p, -1.0), (2, 2), ValueError, "rho = -1.0"),
    (lambda p: init.spectral_radius_(p, math.nan), (2, 2), ValueError, "rho = nan"),
    (lambda p: init.spectral_radius_(p, math.inf), (2, 2), ValueError, "rho = inf"),
    (lambda p: init.spectral_radius_(p, "1"), (2, 2), ValueError, "rho = '1'"),
    (lambda p: init.uniform_(p, 1.0, 0.0), (2,), ValueError, "a = 1.0 lies above b = 0.0"),
    (lambda p: init.uniform_(p, 0.0, math.inf), (2,), ValueError, "b = inf"),
    (lambda p: init.normal_(p, 0.0, -1.0), (2,), ValueError, "std = -1.0"),
    (lambda p: init.normal_(p, math.nan), (2,), ValueError, "mean = nan"),
    (lambda p: init.constant_(p, "x"), (2,), ValueError, "val = 'x'"),
    (lambda p: init.trunc_normal_(p, a=1.0, b=1.0), (2,), ValueError, "below b"),
    (lambda p: init.trunc_normal_(p, std=0.0), (2,), ValueError, "std = 0.0"),
    (lambda p: init.trunc_normal_(p, a=5.0, b=9.0), (2,), ValueError, "lies in"),
    (lambda p: init.xavier_normal_(p, -1.0), (2, 2), ValueError, "gain = -1.0"),
    (lambda p: init.kaiming_normal_(p, gain=math.inf), (2, 2), ValueError, "gain = inf"),
    (lambda p: init.kaiming_normal_(p, mode="fan_both"), (2, 2), ValueError, "mode = 'fan_both': 'fan_in' or"),
    (lambda p: init.kaiming_uniform_(p, nonlinearity="swish"), (2, 2), ValueError, "'swish' is none of .*gain="),
    (lambda p: init.kaiming_uniform_(p, "x"), (2, 2), ValueError, "slope .* is a number, not 'x'"),
    (lambda p: init.kaiming_uniform_(p), (2, 0), ValueError, r"\(2, 0\) has fan 0"),
    (lambda p: init.zeros_(np.zeros(2)), (2,), TypeError,
     r"zeros_ .*not a ndarray; pass .*m\.weight, or m\.weight\.data"),
    (lambda p: init.normal_(mg.tensor([1, 2])), (2,), TypeError, "not int64"),
]


@pytest.mark.parametrize(("call", "shape", "error", "text"), REFUSED)
def test_what_cannot_be_meant_is_refused_and_changes_nothing(call, shape, error, text):
    p = nn.Parameter(np.full(shape, 2.0))
    with pytest.raises(error, match=text):
        call(p)
    assert (p.data == 2.0).all()

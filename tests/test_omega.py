"""Pascanu's Omega of plain arrays: value and immediate derivative, terms left out, and what is refused."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omegas import every_kind, variants

import minigrad as mg
from minigrad import ops
from minigrad.penalty import omega

QUICK = settings(max_examples=100, deadline=None, derandomize=True, database=None)
NAN, INF = math.nan, math.inf


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


def test_the_number_of_terms_is_exact():
    """A closed form in fractions: W = w, one unit of relu, on: Omega = T (w - 1)^2 and dOmega/dw = 2 T (w - 1)."""
    w = Fraction(13, 8)
    value, gradient = omega(np.ones((6, 5, 1)), np.ones((6, 5, 1)), np.array([[float(w)]]), "relu")
    assert (Fraction(value), Fraction(gradient.item())) == (6 * (w - 1) ** 2, 12 * (w - 1))


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

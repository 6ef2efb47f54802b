"""Clipping by norm, each output unit for itself: what ``ClipNorm`` promises holds for each slice of the first axis."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minigrad.hooks import AGC, ClipNorm, Context, Pipeline, apply_hooks
from minigrad.norms import norm

QUICK = settings(max_examples=60, deadline=None, derandomize=True, database=None)
INF, NAN = math.inf, math.nan
PS = (1, 1.5, 2, 3, 500, INF)


def run(hook, grads, params=None):
    """Run one hook as an optimizer would; return the gradients and the record of the stage."""
    ctx = Context(step=0, micro_step=0, weight=1.0, lr=1.0, params=params or {}, norm=norm(grads.values()))
    out, (stage,) = Pipeline([hook]).run(grads, ctx, counts=True)
    return out, stage


def units(g):
    """The units of an array, as a list of arrays."""
    return list(g) if g.ndim > 1 else [g]


def one_by_one(grads, hook):
    """What clipping gives if every unit is a parameter of its own."""
    out = {}
    for name, g in grads.items():
        parts = [apply_hooks([hook], {"unit": np.asarray(unit)})["unit"] for unit in units(g)]
        out[name] = np.array(parts, g.dtype).reshape(g.shape)
    return out


def test_rows_are_clipped_by_themselves():
    g = np.array([[3.0, 4.0], [0.3, 0.4], [0.0, 12.0], [0.0, 0.0]])
    out, stage = run(ClipNorm(1.0, scope="unit"), {"w": g})
    assert np.allclose(out["w"], [[0.6, 0.8], [0.3, 0.4], [0.0, 1.0], [0.0, 0.0]], rtol=1e-15, atol=0)
    assert stage.extra == {"units": 4, "units_clipped": 2}
    assert (stage.threshold, stage.norm_in, stage.p) == (1.0, norm(g), 2.0)
    assert stage.norm_out == pytest.approx(math.sqrt(2.25), rel=1e-15)
    assert stage.coefficient == stage.norm_out / stage.norm_in
    assert 0 < stage.cosine < 1                     # the gradient turns


@pytest.mark.parametrize("p", PS)
@pytest.mark.parametrize("shape", [(3, 4), (4, 1), (2, 3, 2), (3, 1, 2, 2), (5,), ()])
def test_a_unit_is_a_slice_along_the_first_axis_or_a_vector_as_a_whole(shape, p):
    g = np.random.default_rng(1).normal(scale=3.0, size=shape)
    out, stage = run(ClipNorm(2.5, p=p, scope="unit"), {"w": g})
    assert np.allclose(out["w"], one_by_one({"w": g}, ClipNorm(2.5, p=p))["w"], rtol=1e-14, atol=0)
    assert stage.extra["units"] == (shape[0] if len(shape) > 1 else 1)


@pytest.mark.parametrize("p", PS)
def test_rows_of_all_magnitudes_side_by_side(p):
    """No finite unit is zeroed, none overflows, whatever its neighbours are."""
    scale = 10.0 ** np.arange(-300, 301, 25)[:, None]
    g = scale * np.array([3.0, -4.0, 1.0])
    limit = 1e-305
    out, _ = run(ClipNorm(limit, p=p, scope="unit"), {"w": g})
    direction = np.array([3.0, -4.0, 1.0]) / norm(np.array([3.0, -4.0, 1.0]), p)
    assert np.allclose(out["w"] / limit, np.tile(direction, (len(g), 1)), rtol=1e-14, atol=0)
    out, stage = run(ClipNorm(1.0, p=p, scope="unit"), {"w": g})
    assert stage.extra["units_clipped"] == int((scale >= 1).sum())
    assert np.allclose(out["w"], np.where(scale >= 1, direction, g), rtol=1e-14, atol=0)


@pytest.mark.parametrize(("values", "dtype", "limit"), [
    ([3000] * 1000, np.float16, 1.0), ([60000] * 4, np.float16, 1e-3), ([1e-25] * 2, np.float32, 1e-30),
    ([1e20] * 2, np.float32, 1.0), ([1e20] * 2, np.float32, 1e-30), ([1e-200] * 2, np.float64, 1e-210),
    ([1e200] * 2, np.float64, 1e-200), ([1e308] * 2, np.float64, 1.0), ([1.5e308] * 2, np.float64, 1.0),
    ([1.7e308] * 9, np.float64, 1e-300), ([1.0, 1.0], np.float64, 1e-307)])
def test_extreme_scales_and_dtypes(values, dtype, limit):
    g = np.array([values, [0.0] * len(values), values[::-1]], dtype)
    out, _ = run(ClipNorm(limit, scope="unit"), {"w": g})
    assert out["w"].dtype == dtype
    expected = np.outer([1, 0, 1], np.full(len(values), limit / math.sqrt(len(values))))
    assert np.allclose(out["w"].astype(float), expected, rtol=4 * float(np.finfo(dtype).eps), atol=0)


@pytest.mark.parametrize("p", [1, 2, 3, INF])
@pytest.mark.parametrize("limit", [1.0, 1e-320])
def test_what_is_not_finite_stays_in_its_unit(p, limit):
    g = np.array([[3.0, 4.0], [3.0, NAN], [INF, 1.0], [-INF, INF], [NAN, INF], [1.5e308, 1.5e308]])
    out, stage = run(ClipNorm(limit, p=p, scope="unit"), {"w": g})
    alone = one_by_one({"w": g}, ClipNorm(limit, p=p))["w"]
    assert np.allclose(out["w"], alone, rtol=1e-15, atol=0, equal_nan=True)
    assert np.isfinite(out["w"]).all(axis=1).tolist() == [True, False, False, False, False, True]
    assert stage.extra["units_clipped"] == 6


@pytest.mark.parametrize("bad", [INF, NAN])
def test_a_limit_of_inf_measures_and_never_multiplies(bad):
    g = np.array([[3.0, bad], [1.0, 2.0]])
    out, stage = run(ClipNorm(INF, scope="unit"), {"w": g})
    assert out["w"] is g
    assert stage.extra == {"units": 2, "units_clipped": 0}


@pytest.mark.parametrize("compat", [None, "torch"])
def test_what_needs_nothing_comes_back_itself(compat):
    grads = {"a": np.array([[0.3, 0.4], [0.0, 0.5]]), "b": np.array([3.0, 4.0]), "c": None, "d": np.zeros((0, 3)),
             "e": np.zeros((2, 0)), "f": np.zeros(()), "g": np.array([[1e9, 0.0], [math.pi, -1e-3]])}
    out, stage = run(ClipNorm(1.0, scope="unit", compat=compat), grads)
    assert [name for name, g in grads.items() if out[name] is g] == ["a", "c", "d", "e", "f"]
    assert stage.extra == {"units": 2 + 1 + 0 + 2 + 1 + 2, "units_clipped": 3}
    kept, _ = run(ClipNorm(10.0, scope="unit", compat=compat), grads)
    assert kept["g"][1].tobytes() == grads["g"][1].tobytes()            # beside a clipped row, to the bit


def test_no_gradient_at_all():
    assert run(ClipNorm(1.0, scope="unit"), {"a": None})[0] == {"a": None}
    assert run(ClipNorm(1.0, scope="unit"), {})[0] == {}


def test_nothing_is_written_into_what_was_given():
    g = np.array([[3.0, 4.0], [0.3, 0.4]])
    g.flags.writeable = False
    before = g.copy()
    assert run(ClipNorm(1.0, scope="unit"), {"w": g})[0]["w"] is not g
    assert np.array_equal(g, before)


@pytest.mark.parametrize(("limit", "factor"), [(5.0, 5 / (5 + 1e-6)), (1.0, 1 / (5 + 1e-6)), (6.0, 1.0)])
def test_torch_s_coefficient_on_request(limit, factor):
    g = np.array([[3.0, 4.0], [0.0, 0.0]])
    out, _ = run(ClipNorm(limit, scope="unit", compat="torch"), {"w": g})
    assert np.allclose(out["w"], g * factor, rtol=1e-15, atol=0)


@pytest.mark.parametrize("p", [1.0, 2.0, 3.0, INF])
def test_agrees_with_torch_s_renorm(p):
    """It divides by the norm + 1e-7."""
    torch = pytest.importorskip("torch")
    g = np.random.default_rng(5).normal(size=(6, 4, 3)) * 10.0 ** np.arange(-2, 4)[:, None, None]
    theirs = torch.renorm(torch.tensor(g), p, 0, 2.0).numpy()
    assert np.allclose(run(ClipNorm(2.0, p=p, scope="unit"), {"w": g})[0]["w"], theirs, rtol=1e-7, atol=0)


ordinary = st.builds(lambda mantissa, exponent, sign: sign * mantissa * 10.0 ** exponent,
                     st.floats(1, 9), st.integers(-60, 60), st.sampled_from((-1, 0, 1)))
matrices = st.tuples(st.integers(1, 4), st.integers(1, 4)).flatmap(
    lambda shape: st.lists(ordinary, min_size=math.prod(shape), max_size=math.prod(shape)).map(
        lambda values: np.array(values).reshape(shape)))
limits = st.integers(-40, 40).map(lambda k: 10.0 ** k)


@pytest.mark.parametrize("p", [1, 2, 3, INF])
@given(g=matrices, limit=limits)
@QUICK
def test_every_unit_keeps_the_limit_and_clipping_is_idempotent(g, limit, p):
    hook = ClipNorm(limit, p=p, scope="unit")
    once = apply_hooks([hook], {"w": g})["w"]
    for before, after in zip(g, once, strict=True):
        assert norm(after, p) <= limit * (1 + 1e-15)            # unit_norms may differ from norm in the last digit
        if norm(before, p) <= limit * (1 - 1e-15):
            assert after.tobytes() == before.tobytes()
        else:
            assert np.allclose(after, before / norm(before, p) * limit, rtol=1e-14, atol=1e-320)
    assert apply_hooks([hook], {"w": once})["w"] is once


@given(g=matrices, k=st.integers(-100, 100))
@QUICK
def test_gradient_and_limit_scale_together(g, k):
    out = apply_hooks([ClipNorm(1.0, scope="unit")], {"w": g})["w"]
    scaled = apply_hooks([ClipNorm(2.0 ** k, scope="unit")], {"w": np.ldexp(g, k)})["w"]
    assert np.allclose(scaled, np.ldexp(out, k), rtol=1e-14, atol=0)


@given(g=matrices)
@QUICK
def test_one_unit_is_one_parameter(g):
    row = g.reshape(1, -1)
    for hook in (ClipNorm(1.0, scope="param"), ClipNorm(1.0, scope="global")):
        assert np.allclose(apply_hooks([ClipNorm(1.0, scope="unit")], {"w": row})["w"],
                           apply_hooks([hook], {"w": row})["w"], rtol=1e-14, atol=0)


def test_weights_of_norm_one_make_agc_the_unit_clip():
    rng = np.random.default_rng(7)
    grads = {"w": rng.normal(size=(5, 3)), "b": rng.normal(size=5)}
    params = {"w": np.eye(5, 3)[[0, 1, 2, 0, 1]], "b": np.eye(5)[0]}
    ours, theirs = run(AGC(0.7), grads, params)[0], run(ClipNorm(0.7, scope="unit"), grads)[0]
    assert all(ours[name].tobytes() == theirs[name].tobytes() for name in grads)


def test_the_representation_names_the_scope():
    assert repr(ClipNorm(0.5, scope="unit")) == "ClipNorm(0.5, scope='unit')"

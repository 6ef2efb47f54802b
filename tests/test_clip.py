"""Clipping by norm and by value: what is scaled, by how much, and when the very same arrays come back."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optimizing import near

import minigrad as mg
from minigrad import optim
from minigrad.hooks import ClipNorm, ClipValue, Context, Pipeline, apply_hooks
from minigrad.norms import norm

QUICK = settings(max_examples=150, deadline=None, derandomize=True, database=None)
INF, NAN = math.inf, math.nan

def gradient():
    return {"a": np.array([3.0, 4.0]), "b": np.array([[0.0, 12.0]])}


def run(hook, grads, step=0):
    """Run one hook as an optimizer would; return the gradients and the record of the stage."""
    ctx = Context(step=step, micro_step=step, weight=1.0, lr=1.0, params={}, norm=norm(grads.values()))
    out, (stage,) = Pipeline([hook]).run(grads, ctx, counts=True)
    return out, stage


def equal(got, expected, rel=0.0):
    return all(np.allclose(got[name], g, rtol=rel, atol=0, equal_nan=True) for name, g in expected.items())


# -------------------------------------------------------------------------------------- by norm: the rows

@pytest.mark.parametrize(("p", "limit", "length", "factor"), [
    (2, 1.0, 13.0, 1 / 13), (1, 1.0, 19.0, 1 / 19), (3, 1.0, 12.207054953820638, 0.081919840927),
    (INF, 1.0, 12.0, 1 / 12), (2, 6.5, 13.0, 0.5), (INF, 3, 12.0, 0.25)])
def test_a_long_gradient_is_scaled(p, limit, length, factor):
    grads = gradient()
    out, stage = run(ClipNorm(limit, p=p), grads)
    assert equal(out, {name: g * factor for name, g in grads.items()}, rel=1e-11)
    assert stage.norm_in == near(length, rel=1e-15)
    assert stage.norm_out == near(limit, rel=1e-15)
    assert stage.coefficient == near(factor, rel=1e-11)
    assert (stage.p, stage.threshold, stage.cosine, stage.clipped) == (p, limit, 1.0, True)
    assert equal(grads, gradient())             # what came in is as it was


@pytest.mark.parametrize(("p", "limit"), [(2, 13), (2, 20), (2, INF), (1, 19), (1, 1e300), (INF, 12), (INF, 12.5)])
def test_a_gradient_within_the_limit_comes_back_itself(p, limit):
    grads = gradient()
    out, stage = run(ClipNorm(limit, p=p), grads)
    assert all(out[name] is g for name, g in grads.items())
    assert (stage.coefficient, stage.cosine, stage.clipped) == (1.0, 1.0, False)
    assert stage.norm_out == stage.norm_in == norm(grads.values(), p)


@pytest.mark.parametrize("p", [1, 2, 3, INF])
def test_clipping_twice_is_clipping_once(p):
    once, _ = run(ClipNorm(1.0, p=p), gradient())
    twice, stage = run(ClipNorm(1.0, p=p), once)
    assert 1 - 2 * np.finfo(float).eps <= stage.norm_in <= 1
    assert all(twice[name] is g for name, g in once.items())


@pytest.mark.parametrize("compat", [None, "torch"])
@pytest.mark.parametrize("scope", ["global", "param"])
@pytest.mark.parametrize("grads", [
    {"a": np.zeros(3), "b": np.zeros((2, 2))}, {"a": None, "b": None}, {}, {"a": np.zeros((0, 3)), "b": None}])
def test_nothing_to_clip(grads, scope, compat):
    out, stage = run(ClipNorm(1.0, scope=scope, compat=compat), grads)
    assert all(out[name] is g for name, g in grads.items())
    assert stage.norm_in == stage.norm_out == 0.0


def test_no_gradient_at_all_through_an_optimizer():
    w = mg.tensor([1.0, 2.0], requires_grad=True)
    with pytest.warns(RuntimeWarning, match="no parameter has a gradient"):
        report = optim.SGD([w], lr=1.0, hooks=[ClipNorm(1.0)]).step()
    assert (report.status, report.norm, w.tolist()) == ("skip", 0.0, [1.0, 2.0])


@pytest.mark.parametrize("compat", [None, "torch"])
@pytest.mark.parametrize(("bad", "length", "a", "b"), [
    (NAN, NAN, [NAN, NAN], [NAN, NAN]), (INF, INF, [0.0, NAN], [0.0, 0.0]), (-INF, INF, [0.0, NAN], [0.0, 0.0])])
def test_what_is_not_finite_spreads_as_in_other_frameworks(bad, length, a, b, compat):
    """A clip is no cure: a norm of NaN makes all NaN, a norm of inf makes zeros and, of the inf itself, NaN."""
    out, stage = run(ClipNorm(1.0, compat=compat), {"a": np.array([3.0, bad]), "b": np.array([1.0, 2.0])})
    assert equal(out, {"a": a, "b": b})
    assert stage.norm_in == pytest.approx(length, nan_ok=True)
    assert math.isnan(stage.cosine)


def test_a_limit_of_inf_measures_and_never_multiplies():
    for bad in (INF, NAN):
        g = np.array([3.0, bad])
        out, stage = run(ClipNorm(INF), {"a": g})
        assert out["a"] is g
        assert stage.threshold == INF


def test_a_missing_gradient_stays_missing():
    out, stage = run(ClipNorm(1.0), {"a": None, "b": np.array([3.0, 4.0])})
    assert out["a"] is None
    assert out["b"].tolist() == near([0.6, 0.8], rel=1e-15)
    assert (stage.norm_in, stage.missing) == (5.0, 1)


def test_per_parameter_each_is_clipped_by_itself_and_the_gradient_turns():
    out, stage = run(ClipNorm(1.0, scope="param"), gradient())
    assert equal(out, {"a": [0.6, 0.8], "b": [[0.0, 1.0]]}, rel=1e-15)
    assert math.degrees(math.acos(stage.cosine)) == pytest.approx(22.380, abs=5e-4)
    assert [norm([g]) for g in gradient().values()] == [5.0, 12.0]
    assert stage.norm_out == near(math.sqrt(2), rel=1e-15)


def test_per_parameter_only_the_long_ones_change():
    grads = {**gradient(), "c": np.array([0.1]), "d": None}
    out, _ = run(ClipNorm(6.0, scope="param"), grads)
    assert out["a"] is grads["a"]
    assert out["c"] is grads["c"]
    assert out["d"] is None
    assert out["b"].tolist() == [[0.0, 6.0]]


@pytest.mark.parametrize(("values", "dtype", "limit", "each"), [
    ([3000] * 1000, np.float16, 1.0, 1 / math.sqrt(1000)),
    ([60000] * 4, np.float16, 1e-3, 5e-4),
    ([1e-25] * 2, np.float32, 1e-30, 1e-30 / math.sqrt(2)),
    ([1e20] * 2, np.float32, 1.0, 1 / math.sqrt(2)),
    ([1e20] * 2, np.float32, 1e-30, 1e-30 / math.sqrt(2)),
    ([1e-200] * 2, np.float64, 1e-210, 1e-210 / math.sqrt(2)),
    ([1e200] * 2, np.float64, 1.0, 1 / math.sqrt(2)),
    ([1e200] * 2, np.float64, 1e-200, 1e-200 / math.sqrt(2)),
    ([1e200] * 2, np.float64, 1e-109, 1e-109 / math.sqrt(2)),
    ([1e308] * 2, np.float64, 1.0, 1 / math.sqrt(2)),
    ([1.0, 1.0], np.float64, 1e-307, 1e-307 / math.sqrt(2)),
    ([3, 4], np.float32, 1.0, None), ([3, 4], np.float16, 1.0, None)])
def test_extreme_scales_and_dtypes(values, dtype, limit, each):
    """No finite gradient is zeroed; what is clipped keeps its dtype."""
    g = np.array(values, dtype)
    out, stage = run(ClipNorm(limit), {"w": g})
    expected = [0.6, 0.8] if each is None else [each] * len(values)
    tolerance = 4 * float(np.finfo(dtype).eps)
    assert out["w"].dtype == dtype
    assert np.allclose(out["w"].astype(float), expected, rtol=tolerance, atol=0)
    assert stage.norm_out == near(limit, rel=tolerance)


def test_a_finite_gradient_is_not_zeroed_where_its_norm_exceeds_the_largest_float():
    out = apply_hooks([ClipNorm(1.0)], {"w": np.array([1.5e308, 1.5e308])})
    assert np.allclose(out["w"], math.sqrt(0.5))


@pytest.mark.parametrize(("values", "limit", "expected"), [
    ([3.0, 4.0], 5.0, 5 / (5 + 1e-6)), ([3.0, 4.0], 1.0, 1 / (5 + 1e-6)), ([3.0, 4.0], 6.0, 1.0)])
def test_torch_s_coefficient_on_request(values, limit, expected):
    """It shrinks a gradient whose norm equals the limit, and again each time it is applied."""
    out, stage = run(ClipNorm(limit, compat="torch"), {"w": np.array(values)})
    assert np.allclose(out["w"], np.array(values) * expected, rtol=1e-15)
    assert stage.coefficient == near(expected, rel=1e-15)
    again, _ = run(ClipNorm(limit, compat="torch"), out)
    assert norm(again.values()) < norm(out.values()) if expected < 1 else again["w"] is out["w"]


@pytest.mark.parametrize("p", [1.0, 2.0, 3.0, INF])
@pytest.mark.parametrize("limit", [0.01, 1.0, 30.0, 1e6])
@pytest.mark.parametrize("bad", [None, NAN, INF])
def test_compat_agrees_with_torch(p, limit, bad):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(3)
    arrays = [rng.normal(scale=10.0 ** k, size=shape) for k, shape in ((-3, (4, 5)), (0, (7,)), (1, (2, 3, 2)))]
    if bad is not None:
        arrays[1][2] = bad
    theirs = [torch.zeros(a.shape, dtype=torch.float64) for a in arrays] + [torch.zeros(3, dtype=torch.float64)]
    for parameter, a in zip(theirs, arrays, strict=False):
        parameter.grad = torch.tensor(a)
    total = torch.nn.utils.clip_grad_norm_(theirs, limit, norm_type=p)
    out, stage = run(ClipNorm(limit, p=p, compat="torch"), {**dict(zip("abc", arrays, strict=True)), "d": None})
    assert np.allclose(stage.norm_in, total.item(), rtol=1e-12, atol=0, equal_nan=True)
    for name, parameter in zip("abc", theirs, strict=False):
        assert np.allclose(out[name], parameter.grad.numpy(), rtol=1e-12, atol=0, equal_nan=True)
    assert out["d"] is None


# ------------------------------------------------------------------------------ by norm: what always holds

ordinary = st.builds(lambda mantissa, exponent, sign: sign * mantissa * 10.0 ** exponent,
                     st.floats(1, 9), st.integers(-60, 60), st.sampled_from((-1, 0, 1)))
gradients = st.lists(st.lists(ordinary, min_size=1, max_size=6).map(np.array), min_size=1, max_size=4).map(
    lambda arrays: {f"p{i}": a for i, a in enumerate(arrays)})
limits = st.integers(-40, 40).map(lambda k: 10.0 ** k)


@pytest.mark.parametrize("compat", [None, "torch"])
@pytest.mark.parametrize("scope", ["global", "param"])
@pytest.mark.parametrize("p", [1, 2, 3, INF])
@given(grads=gradients, limit=limits)
@settings(QUICK, max_examples=60)
def test_the_limit_holds_and_clipping_is_idempotent(grads, limit, p, scope, compat):
    hook = ClipNorm(limit, p=p, scope=scope, compat=compat)
    once = apply_hooks([hook], grads)
    groups = [list(once.values())] if scope == "global" else [[g] for g in once.values()]
    assert all(norm(group, p) <= limit for group in groups)
    if compat is None:
        twice = apply_hooks([hook], once)
        assert all(twice[name] is g for name, g in once.items())


@pytest.mark.parametrize("p", [1, 2, 3, INF])
@pytest.mark.parametrize("n", [1, 2, 10, 1000])
def test_not_an_ulp_beyond_the_limit(n, p):
    rng = np.random.default_rng(n)
    for _ in range(100):
        g = rng.normal(size=n) * 10.0 ** rng.uniform(-3, 3)
        limit = norm(g, p) * 10.0 ** rng.uniform(-3, 0)
        length = norm(apply_hooks([ClipNorm(limit, p=p)], {"w": g})["w"], p)
        assert limit * (1 - 1e-14) <= length <= limit


@given(grads=gradients, limit=limits)
@QUICK
def test_the_direction_is_kept(grads, limit):
    """Every element is the same multiple of what came in, and the length an independent function gives the limit."""
    out = apply_hooks([ClipNorm(limit)], grads)
    before, after = np.concatenate(list(grads.values())), np.concatenate(list(out.values()))
    length = math.hypot(*before)
    if length <= limit * (1 - 1e-15):
        assert all(out[name] is g for name, g in grads.items())
    elif length > limit * (1 + 1e-15):
        assert np.allclose(after, before / length * limit, rtol=1e-14, atol=1e-320)
        assert math.hypot(*after) == near(limit, rel=1e-14)


@pytest.mark.parametrize("p", [1, 2, 3, INF])
@given(grads=gradients, k=st.integers(-100, 100))
@settings(QUICK, max_examples=50)
def test_gradient_and_limit_scale_together(grads, k, p):
    """Clipping 2^k g at 2^k c gives 2^k times what clipping g at c gives."""
    out = apply_hooks([ClipNorm(1.0, p=p)], grads)
    scaled = apply_hooks([ClipNorm(2.0 ** k, p=p)], {name: np.ldexp(g, k) for name, g in grads.items()})
    assert equal(scaled, {name: np.ldexp(g, k) for name, g in out.items()}, rel=1e-14)


# -------------------------------------------------------------------------------------------- by value

@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize(("limit", "values", "expected"), [
    (1.0, [-5.0, 2.0, 0.5], [-1.0, 1.0, 0.5]), (1.0, [100.0, 1.0], [1.0, 1.0]), (1, [NAN, 3.0], [NAN, 1.0]),
    (1.0, [INF, -INF, 0.5], [1.0, -1.0, 0.5]), (0.5, [[-0.25, 4.0]], [[-0.25, 0.5]]), (2.0, 5.0, 2.0)])
def test_each_element_is_limited(limit, values, expected, dtype):
    g = np.array(values, dtype)
    out, stage = run(ClipValue(limit), {"w": g, "none": None})
    assert np.array_equal(out["w"], np.array(expected, dtype), equal_nan=True)
    assert (out["w"].dtype, out["w"].shape, out["none"], stage.threshold) == (dtype, g.shape, None, limit)


@pytest.mark.parametrize(("limit", "values"), [
    (1.0, [0.5, -1.0, 1.0]), (1.0, [NAN, 0.5]), (INF, [1e300, -INF, NAN]), (1.0, []), (1.0, [0.0])])
def test_within_the_limit_the_same_array_comes_back(limit, values):
    g = np.array(values)
    out, _ = run(ClipValue(limit), {"w": g})
    assert out["w"] is g


def test_a_value_clip_turns_the_gradient():
    _, stage = run(ClipValue(1.0), {"w": np.array([100.0, 1.0])})
    assert math.degrees(math.acos(stage.cosine)) == pytest.approx(44.427, abs=5e-4)


@pytest.mark.parametrize("n", [2, 3, 100, 10000])
def test_up_to_arccos_of_one_over_root_n_and_no_further(n):
    """A gradient that all but lies on an axis tends to the signs, the diagonal."""
    values = np.full(n, 1.0)
    values[0] = 1e15
    _, stage = run(ClipValue(1.0), {"w": values})
    assert stage.cosine == pytest.approx(1 / math.sqrt(n), rel=1e-9)


def test_a_value_clip_does_not_bound_the_norm_by_its_threshold():
    out, stage = run(ClipValue(1.0), {"w": np.ones(10000)})
    assert stage.norm_out == 100.0
    assert norm(out.values()) == 100.0


def test_a_threshold_beyond_the_dtype_of_the_gradient_is_never_reached():
    g = np.array([5.0, -3.0], np.float16)
    assert apply_hooks([ClipValue(1e6)], {"w": g})["w"] is g


@given(grads=gradients, limit=limits)
@QUICK
def test_by_value_is_the_definition_element_by_element(grads, limit):
    out = apply_hooks([ClipValue(limit)], grads)
    for name, g in grads.items():
        assert out[name].tolist() == [max(-limit, min(limit, x)) for x in g.tolist()]
    again = apply_hooks([ClipValue(limit)], out)
    assert all(again[name] is g for name, g in out.items())


# ------------------------------------------------------------------------------------------ thresholds

BAD = [0, 0.0, -1, -INF, NAN, "1", b"1", True, None, [1.0], 1j]


@pytest.mark.parametrize("hook", [ClipNorm, ClipValue])
@pytest.mark.parametrize("bad", BAD)
def test_a_threshold_is_a_number_above_zero(hook, bad):
    with pytest.raises(ValueError, match="> 0"):
        hook(bad)
    w = mg.tensor([1.0, 2.0], requires_grad=True)
    opt = optim.SGD([w], lr=1.0, hooks=[hook(lambda step: bad)])      # a function is asked when it is needed
    w.grad = [3.0, 4.0]
    with pytest.raises(ValueError, match="> 0"):
        opt.step()
    assert (w.tolist(), opt.updates) == ([1.0, 2.0], 0)


@pytest.mark.parametrize(("arguments", "text"), [
    ({"p": 0.5}, "p = 0.5"), ({"p": 0}, "p = 0"), ({"p": NAN}, "p = nan"), ({"p": -INF}, "p = -inf"),
    ({"p": "two"}, "two"), ({"scope": "layer"}, "scope"), ({"scope": None}, "scope"), ({"compat": "keras"}, "compat")])
def test_bad_arguments(arguments, text):
    with pytest.raises(ValueError, match=text):
        ClipNorm(1.0, **arguments)


@pytest.mark.parametrize("hook", [ClipNorm, ClipValue])
def test_a_threshold_may_be_a_function_of_the_updates_made(hook):
    """Held and skipped micro-batches do not count: only updates do."""
    asked = []

    def threshold(step):
        asked.append(step)
        return 1.0 / (1 + step)

    skip_odd = iter((False, True, False, True, False))
    w = mg.tensor([0.0], requires_grad=True)
    opt = optim.SGD([w], lr=1.0, hooks=[lambda grads, ctx: mg.hooks.SKIP if next(skip_odd) else grads, hook(threshold)])
    thresholds = []
    for _ in range(5):
        w.grad = [10.0]
        thresholds += [s.threshold for s in opt.step().stages if s.hook == hook.__name__]
    assert asked == [0, 1, 2]
    assert thresholds == [1.0, 1 / 2, 1 / 3]
    assert w.item() == near(-(1 + 1 / 2 + 1 / 3), rel=1e-15)


def test_the_representation_says_what_is_not_the_default():
    assert repr(ClipNorm(1)) == "ClipNorm(1.0)"
    assert repr(ClipNorm(0.5, p=INF, scope="param")) == "ClipNorm(0.5, p=inf, scope='param')"
    assert repr(ClipValue(2)) == "ClipValue(2.0)"

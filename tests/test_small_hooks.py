"""Normalize, Centralize and AddNoise: gradients of one length, without a mean, and with noise."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minigrad as mg
from minigrad import optim
from minigrad.hooks import (
    AddNoise,
    Centralize,
    ClipNorm,
    Context,
    LossScaler,
    NonFinite,
    Normalize,
    OrderError,
    Pipeline,
    Unscale,
    apply_hooks,
)
from minigrad.norms import norm

QUICK = settings(max_examples=80, deadline=None, derandomize=True, database=None)
INF, NAN = math.inf, math.nan
DTYPES = [np.float16, np.float32, np.float64]


def run(hook, grads, step=0):
    ctx = Context(step=step, micro_step=step, weight=1.0, lr=1.0, params={}, norm=norm(grads.values()))
    out, (stage,) = Pipeline([hook]).run(grads, ctx, counts=True)
    return out, stage


def gradient():
    return {"a": np.array([3.0, 4.0]), "b": np.array([[0.0, 12.0]]), "none": None}


def locked(grads):
    for g in grads.values():
        if g is not None:
            g.flags.writeable = False
    return grads


# --------------------------------------------------------------------------------------------------- Normalize

@pytest.mark.parametrize(("p", "length"), [(2, 13.0), (1, 19.0), (3, 12.207054953820638), (INF, 12.0)])
def test_the_whole_is_divided_by_its_norm(p, length):
    grads = locked(gradient())
    out, stage = run(Normalize(p), grads)
    for name in ("a", "b"):
        assert np.allclose(out[name], gradient()[name] / length, rtol=1e-15, atol=0)
    assert out["none"] is None
    assert (stage.p, stage.norm_in, stage.threshold) == (p, pytest.approx(length, rel=1e-15), None)
    assert stage.norm_out == pytest.approx(1.0, rel=1e-15)
    assert stage.coefficient == pytest.approx(1 / length, rel=1e-15)
    assert stage.cosine == pytest.approx(1.0, abs=1e-15)
    assert not stage.clipped


def test_by_parameter_and_by_unit():
    grads = {"a": np.array([[3.0, 4.0], [0.0, 0.0], [1e-200, 0.0]]), "b": np.array([0.0, 1e200]), "zero": np.zeros(2),
             "none": None, "empty": np.zeros((0, 2))}
    each, _ = run(Normalize(scope="param"), grads)
    assert np.allclose(each["a"], grads["a"] / 5, rtol=1e-15, atol=0)
    units, _ = run(Normalize(scope="unit"), grads)
    assert units["a"].tolist() == [[0.6, 0.8], [0.0, 0.0], [1.0, 0.0]]
    for out in (each, units):
        assert out["b"].tolist() == [0.0, 1.0]
        assert all(out[name] is grads[name] for name in ("zero", "none", "empty"))


@pytest.mark.parametrize("scope", ["global", "param", "unit"])
@pytest.mark.parametrize("values", [[0.0, 0.0], [0.6, 0.8], [1.0, 0.0], [NAN, 1.0], [INF, 1.0], [-INF, NAN], []])
def test_what_has_no_direction_or_length_one_comes_back_itself(values, scope):
    for g in (np.array(values), np.array([values])):
        assert run(Normalize(scope=scope), {"w": g})[0]["w"] is g


def test_what_is_not_finite_keeps_its_scope_as_it_is():
    grads = {"a": np.array([[3.0, 4.0], [NAN, 1.0]]), "b": np.array([3.0, INF]), "c": np.array([0.0, -2.0])}
    assert all(g is grads[name] for name, g in run(Normalize(), grads)[0].items())
    each, units = run(Normalize(scope="param"), grads)[0], run(Normalize(scope="unit"), grads)[0]
    assert each["a"] is grads["a"]
    assert np.array_equal(units["a"], [[0.6, 0.8], [NAN, 1.0]], equal_nan=True)
    for out in (each, units):
        assert out["b"] is grads["b"]
        assert out["c"].tolist() == [0.0, -1.0]


@pytest.mark.parametrize("scope", ["global", "param", "unit"])
@pytest.mark.parametrize("p", [1, 2, 3, INF])
@pytest.mark.parametrize(("values", "dtype"), [
    ([3e-200, -4e-200], float), ([3e200, 4e200], float), ([5e-324, 0.0], float), ([1e308, 1e308], float),
    ([1.7e308] * 9, float), ([2.0 ** 512, 0.0], float), ([1e-25] * 2, np.float32), ([1e30] * 2, np.float32),
    ([6e-8, 0.0], np.float16), ([6e4] * 9, np.float16)])
def test_all_magnitudes_get_a_norm_of_one(values, dtype, p, scope):
    g = np.array([values], dtype)
    out, _ = run(Normalize(p, scope), {"w": g})
    assert out["w"].dtype == g.dtype
    assert norm(out["w"], p) == pytest.approx(1.0, rel=2 * float(np.finfo(dtype).eps))
    assert (np.sign(out["w"]) == np.sign(g)).all()


@given(seed=st.integers(0, 1000), k=st.integers(-300, 300))
@QUICK
def test_the_length_of_the_gradient_does_not_matter(seed, k):
    g = np.random.default_rng(seed).normal(size=(3, 4))
    for scope in ("global", "param", "unit"):
        out = run(Normalize(scope=scope), {"w": g})[0]["w"]
        assert np.allclose(run(Normalize(scope=scope), {"w": np.ldexp(g, k)})[0]["w"], out, rtol=4e-16, atol=0)
        clipped = run(ClipNorm(1.0, scope=scope), {"w": np.ldexp(g, 300)})[0]["w"]
        assert np.allclose(out, clipped, rtol=1e-15, atol=0)


@pytest.mark.parametrize(("arguments", "text"), [
    ({"p": 0.5}, "p = 0.5"), ({"p": NAN}, "p = nan"), ({"p": "2"}, "p = '2'"), ({"scope": "layer"}, "scope = 'layer'")])
def test_normalize_refuses(arguments, text):
    with pytest.raises(ValueError, match=text):
        Normalize(**arguments)


# -------------------------------------------------------------------------------------------------- Centralize

@pytest.mark.parametrize("dtype", DTYPES)
def test_the_mean_of_each_unit_is_taken_off(dtype):
    rng = np.random.default_rng(1)
    grads = locked({"w": rng.normal(size=(4, 5)).astype(dtype), "conv": rng.normal(size=(3, 2, 2, 2)).astype(dtype)})
    out, _ = run(Centralize(), grads)
    for name, g in grads.items():
        exact = np.stack([unit - math.fsum(unit.ravel().tolist()) / unit.size for unit in g.astype(float)])
        eps = float(np.finfo(dtype).eps)
        assert out[name].dtype == dtype
        assert np.allclose(out[name].astype(float), exact, rtol=eps, atol=eps / 4)
        assert norm(out[name]) <= norm(g) * (1 + eps)                    # a projection


def test_what_has_no_mean_to_take_off_comes_back_itself():
    grads = {"bias": np.array([1.0, 2.0]), "number": np.array(3.0), "none": None, "empty": np.ones((0, 3)),
             "no inputs": np.ones((3, 0)), "one input": np.array([[1.0], [2.0]]), "centred": np.array([[1.0, -1.0]]),
             "zero": np.zeros((2, 2))}
    out, stage = run(Centralize(), grads)
    assert all(out[name] is g for name, g in grads.items())
    assert stage.coefficient == 1.0


@pytest.mark.parametrize(("values", "expected"), [
    ([[1.5e308, 1.7e308]], [[-1e307, 1e307]]), ([[5e-324, 1.5e-323]], [[-5e-324, 5e-324]]),
    ([[1e-200, 3e-200], [1e200, 3e200]], [[-1e-200, 1e-200], [-1e200, 1e200]]),
    ([[NAN, 1.0], [1.0, 3.0]], [[NAN, NAN], [-1.0, 1.0]]), ([[INF, 1.0], [1.0, 3.0]], [[NAN, -INF], [-1.0, 1.0]])])
def test_extremes(values, expected):
    out, _ = run(Centralize(), {"w": np.array(values)})
    assert np.allclose(out["w"], expected, rtol=1e-8, atol=0, equal_nan=True)


def test_float16_does_not_overflow_in_the_sum():
    out, _ = run(Centralize(), {"w": np.array([[60000.0] * 999 + [49984.0]], np.float16)})
    assert np.isfinite(out["w"]).all()
    assert float(out["w"][0, -1]) == pytest.approx(-10016 * 0.999, rel=1e-3)


def test_the_sum_of_a_unit_s_weights_stays_under_sgd():
    rng = np.random.default_rng(2)
    w = mg.tensor(rng.normal(size=(3, 4)), requires_grad=True)
    opt, sums = optim.SGD([w], lr=0.1, hooks=[Centralize()]), w.data.sum(axis=1)
    for _ in range(50):
        w.grad = rng.normal(size=(3, 4))
        opt.step()
    assert np.allclose(w.data.sum(axis=1), sums, rtol=1e-13)


@given(seed=st.integers(0, 1000))
@QUICK
def test_centring_twice_is_centring_once(seed):
    g = np.random.default_rng(seed).normal(size=(3, 7))
    once = run(Centralize(), {"w": g})[0]["w"]
    assert np.allclose(run(Centralize(), {"w": once})[0]["w"], once, atol=1e-15)
    assert np.allclose(once @ np.ones(7), 0, atol=1e-14)


# ---------------------------------------------------------------------------------------------------- AddNoise

def noise(hook, shapes, step=0, dtype=float):
    """What a hook adds to gradients of zero."""
    zeros = {name: None if shape is None else np.zeros(shape, dtype) for name, shape in shapes.items()}
    return run(hook, zeros, step)[0]


@pytest.mark.parametrize(("eta", "gamma", "step"), [(0.01, 0.55, 0), (0.01, 0.55, 99), (0.3, 1.0, 3), (1, 0, 1000)])
def test_the_variance_is_eta_over_one_plus_t_to_the_gamma(eta, gamma, step):
    sigma = math.sqrt(eta / (1 + step) ** gamma)
    out, stage = run(AddNoise(eta, gamma, rng=7), {"w": np.full(40000, 2.0)}, step)
    assert stage.extra == {"sigma": pytest.approx(sigma, rel=1e-14)}
    n = (out["w"] - 2.0) / sigma
    assert abs(n.mean()) < 4 / 200                                      # four standard errors
    assert abs(n.var() - 1) < 4 * math.sqrt(2) / 200
    assert abs((n ** 4).mean() - 3) < 4 * math.sqrt(96) / 200           # normal
    assert abs((n[1:] * n[:-1]).mean()) < 4 / 200


def test_updates_are_counted_not_calls():
    w = mg.tensor([0.0], requires_grad=True)
    opt, sigmas = optim.SGD([w], lr=1.0, hooks=[NonFinite("skip"), AddNoise(4.0, 1.0)]), []
    for g in ([0.0], [NAN], [0.0]):
        w.grad = g
        sigmas += [s.extra["sigma"] for s in opt.step().stages if s.hook == "AddNoise"]
    assert sigmas == pytest.approx([2.0, math.sqrt(2)])


def test_what_other_parameters_there_are_does_not_matter():
    one = noise(AddNoise(rng=1), {"w": (3, 2)})["w"]
    many = noise(AddNoise(rng=1), {"c": (9,), "none": None, "w": (3, 2), "a": (4,)})
    assert many["w"].tobytes() == one.tobytes()
    assert many["none"] is None
    a, b = (noise(AddNoise(rng=1), {"a": (1000,), "b": (1000,)})[name] for name in "ab")
    assert abs(np.corrcoef(a, b)[0, 1]) < 4 / math.sqrt(1000)


def test_each_step_draws_anew_and_each_seed():
    hook = AddNoise(gamma=0, rng=1)
    drawn = [noise(hook, {"w": (4,)})["w"].tobytes() for _ in range(5)]
    drawn.append(noise(AddNoise(gamma=0, rng=2), {"w": (4,)})["w"].tobytes())
    assert len(set(drawn)) == 6
    hook.reset()
    assert [noise(hook, {"w": (4,)})["w"].tobytes() for _ in range(5)] == drawn[:5]


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_dtype_is_kept_and_the_numbers_are_the_same(dtype):
    wide = noise(AddNoise(), {"w": (50,), "number": (), "empty": (0, 2)})
    narrow = noise(AddNoise(), {"w": (50,), "number": (), "empty": (0, 2)}, dtype=dtype)
    for name, g in wide.items():
        assert (narrow[name].dtype, narrow[name].shape) == (dtype, g.shape)
        assert np.array_equal(narrow[name], g.astype(dtype))


def test_what_is_not_finite_stays_so_and_nothing_is_written():
    grads = locked({"w": np.array([NAN, INF, 1e300, 0.0])})
    out, _ = run(AddNoise(), grads)
    assert np.array_equal(out["w"][:3], [NAN, INF, 1e300], equal_nan=True)
    assert out["w"][3] != 0


GENERATORS = [np.random.PCG64, np.random.PCG64DXSM, np.random.MT19937, np.random.Philox, np.random.SFC64]


@pytest.mark.parametrize("bits", GENERATORS)
def test_a_saved_run_goes_on_to_the_bit(bits, tmp_path):
    def hook(seed=3):
        return AddNoise(rng=np.random.Generator(bits(seed)))

    first, second = hook(), hook(11)
    noise(first, {"w": (4,)})
    mg.save(first.state_dict(), tmp_path / "state")
    expected = [noise(first, {"w": (4,)}, t)["w"].tobytes() for t in range(4)]
    second.load_state_dict(mg.load(tmp_path / "state"))
    assert [noise(second, {"w": (4,)}, t)["w"].tobytes() for t in range(4)] == expected


def test_a_step_that_raises_uses_up_no_numbers():
    def train(fails):
        failed = []

        def fail(grads, ctx):
            if ctx.step in fails and ctx.step not in failed:
                failed.append(ctx.step)
                raise RuntimeError("once")
            return grads

        w = mg.tensor(np.zeros(3), requires_grad=True)
        opt = optim.SGD([w], lr=1.0, hooks=[AddNoise(), fail])
        while opt.updates < 6:
            w.grad = np.ones(3)
            try:
                opt.step()
            except RuntimeError:
                pass
        assert failed == fails
        return w.data.tobytes()

    assert train([0, 3]) == train([])


def test_a_generator_is_used_itself():
    rng = np.random.default_rng(5)
    hook, before = AddNoise(rng=rng), rng.bit_generator.state
    assert noise(hook, {"w": (3,)})["w"].tobytes() == noise(AddNoise(rng=5), {"w": (3,)})["w"].tobytes()
    assert rng.bit_generator.state != before
    hook.reset()
    assert rng.bit_generator.state == before


@pytest.mark.parametrize(("state", "text"), [
    ({"seen": 0}, "AddNoise: the dict lacks 'rng' and has 'seen'; it is of another"),
    ({"rng": 3}, "generator 3"), ({"rng": {}}, "generator None"),
    (AddNoise(rng=np.random.Generator(np.random.Philox(0))).state_dict(), "generator 'Philox'; rng= is a PCG64")])
def test_a_state_that_does_not_fit_is_refused(state, text):
    hook = AddNoise()
    before = hook.state_dict()
    with pytest.raises(ValueError, match=text):
        hook.load_state_dict(state)
    assert hook.state_dict() == before


@pytest.mark.parametrize("bad", [0, -1, NAN, INF, "1", b"1", True, None, [1.0], 1j])
def test_eta_is_a_number_above_zero(bad):
    with pytest.raises(ValueError, match=r"eta.*> 0"):
        AddNoise(bad)
    hook = AddNoise(lambda step: bad)
    before = hook.state_dict()
    with pytest.raises(ValueError, match=r"AddNoise at update 0: eta.*> 0"):
        apply_hooks([hook], {"w": np.ones(1)})
    assert hook.state_dict() == before


@pytest.mark.parametrize("bad", [-0.1, NAN, INF, "1", True, None])
def test_gamma_is_a_number_from_zero_on(bad):
    with pytest.raises(ValueError, match=r"gamma = .*>= 0"):
        AddNoise(gamma=bad)


@pytest.mark.parametrize("bad", [None, True, 1.5, "0", np.random])
def test_rng_is_a_generator_or_a_seed(bad):
    with pytest.raises(TypeError, match=r"numpy\.random\.Generator or a seed"):
        AddNoise(rng=bad)
    with pytest.raises(ValueError, match="non-negative"):
        AddNoise(rng=-1)


def test_eta_may_be_a_function_of_the_step():
    assert run(AddNoise(lambda step: 4.0 ** step, gamma=0), {"w": np.ones(1)}, 2)[1].extra == {"sigma": 4.0}


# --------------------------------------------------------------------------------------------------------- all

@pytest.mark.parametrize("hook", [Normalize(), AddNoise()])
def test_they_stand_right_of_unscale(hook):
    scaler = Unscale(LossScaler())
    with pytest.raises(OrderError, match=f"{type(hook).__name__} stands left of Unscale"):
        Pipeline([hook, scaler])
    assert list(Pipeline([scaler, hook])) == [scaler, hook]


@pytest.mark.parametrize("text", [
    "Normalize()", "Normalize(p=1)", "Normalize(p=inf, scope='unit')", "Centralize()",
    "AddNoise(0.01, gamma=0.55, rng=0)", "AddNoise(0.3, gamma=1.0, rng=7)"])
def test_the_representation_is_the_call(text):
    assert repr(eval(text, {"inf": INF, **globals()})) == text


def test_the_representation_of_a_generator_names_its_kind():
    assert "rng=Generator(PCG64)" in repr(AddNoise(rng=np.random.default_rng(0)))

"""Adaptive gradient clipping: each output unit against the norm of its weights."""

import math

import numpy as np
import pytest
from elsewhere import by_optax
from hypothesis import given, settings
from hypothesis import strategies as st

import minigrad as mg
from minigrad import nn, optim
from minigrad.hooks import AGC, Context, LossScaler, OrderError, Pipeline, Unscale, apply_hooks
from minigrad.norms import norm

QUICK = settings(max_examples=80, deadline=None, derandomize=True, database=None)
INF, NAN = math.inf, math.nan
W = np.array([[1.0, 2.0], [2.0, 1.0]])
G = np.array([[0.3, 0.0], [0.4, 0.01]])


def run(hook, grads, params, step=0):
    ctx = Context(step=step, micro_step=step, weight=1.0, lr=1.0, params=params, norm=norm(grads.values()))
    out, (stage,) = Pipeline([hook]).run(grads, ctx, counts=True)
    return out, stage


def by_hand(g, w, clipping, eps):
    """The definition, unit by unit, with an independent norm."""
    out = np.array(g)
    for i in np.ndindex(g.shape[:1] if g.ndim > 1 else ()):
        limit, length = clipping * max(math.hypot(*np.ravel(w[i])), eps), math.hypot(*np.ravel(g[i]))
        if length > limit:
            out[i] = g[i] * (limit / length)
    return out


@pytest.mark.parametrize(("w", "g", "expected"), [
    (W, G, [[0.0223607, 0.0], [0.0223537, 0.000558842]]),
    (np.zeros(2), np.array([3.0, 4.0]), [6e-6, 8e-6]),          # a bias of zero may still move, by clipping * eps
    (np.zeros((2, 2)), np.array([[3.0, 4.0], [0.0, 0.0]]), [[6e-6, 8e-6], [0.0, 0.0]]),
    (np.array(2.0), np.array(-1.0), -0.02),
    (np.full((2, 1, 2, 2), 1.0), np.array([[[[1.0, 1.0], [1.0, 1.0]]]] * 2), np.full((2, 1, 2, 2), 0.01))])
def test_rows(w, g, expected):
    out, stage = run(AGC(), {"w": g}, {"w": w})
    assert np.allclose(out["w"], expected, rtol=3e-6, atol=0)
    assert np.allclose(out["w"], by_hand(g, w, 0.01, 1e-3), rtol=1e-14, atol=0)
    assert stage.extra["clipping"] == 0.01


def test_how_many_were_clipped_is_on_record():
    grads = {"w": np.array([[1.0, 0.0], [0.0, 1e-3], [0.0, 2.0]]), "b": np.array([1e-9, 0.0, 0.0]), "none": None}
    _, stage = run(AGC(0.5), grads, {"w": np.eye(3, 2), "b": np.ones(3), "none": np.ones(2)})
    assert stage.extra == {"clipping": 0.5, "units": 4, "units_clipped": 2}
    assert 0 < stage.cosine < 1
    assert stage.coefficient == stage.norm_out / stage.norm_in


def test_what_is_short_enough_comes_back_itself():
    grads = {"w": np.array([[0.01, 0.0], [0.0, 0.02]]), "zero": np.zeros((2, 2)), "none": None,
             "empty": np.ones((0, 3))}
    grads["w"].flags.writeable = False
    params = {"w": np.array([[1.0, 0.0], [0.0, 2.0]]), "zero": np.zeros((2, 2)), "none": np.ones(1),
              "empty": np.ones((0, 3))}
    out, stage = run(AGC(), grads, params)             # a gradient at its limit is not beyond it
    assert all(out[name] is g for name, g in grads.items())
    assert (stage.coefficient, stage.extra["units_clipped"]) == (1.0, 0)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_the_dtype_of_the_gradient_is_kept(dtype):
    g = np.array([[300.0, 400.0], [1e-4, 0.0]], dtype)
    out, _ = run(AGC(), {"w": g}, {"w": np.ones((2, 2), np.float32)})
    assert out["w"].dtype == dtype
    assert np.allclose(out["w"].astype(float), by_hand(g.astype(float), np.ones((2, 2)), 0.01, 1e-3),
                       rtol=2 * float(np.finfo(dtype).eps))


@pytest.mark.parametrize("exponent", [-300, -160, 0, 160, 300])
def test_extreme_magnitudes(exponent):
    """Weights and gradients of 1e300 and 1e-300: what should be small is small, not 0, inf or NaN."""
    w = 10.0 ** exponent * np.array([[3.0, 4.0], [5.0, 12.0]])
    for shift in (0, -min(exponent, 0), -300 - exponent if exponent > 0 else 0):
        g = np.array([[0.6, 0.8], [0.8, 0.6]]) * 10.0 ** min(exponent + shift + 3, 307)
        out, _ = run(AGC(0.01, eps=1e-306), {"w": g}, {"w": w})
        limits = 0.01 * 10.0 ** exponent * np.array([5.0, 13.0])
        lengths = np.array([norm(row) for row in out["w"]])
        wanted = np.minimum(limits, norm(g[0]))
        assert np.allclose(lengths, wanted, rtol=1e-13, atol=0)


def test_what_is_not_finite_stays_in_its_unit():
    g = np.array([[3.0, NAN], [INF, 1.0], [3.0, 4.0], [1.5e308, 1.5e308], [0.0, 0.0]])
    out, _ = run(AGC(0.1), {"w": g}, {"w": np.ones((5, 2))})
    assert np.isnan(out["w"][0]).all()
    assert np.array_equal(out["w"][1], [NAN, 0.0], equal_nan=True)
    assert np.allclose(out["w"][2:], math.sqrt(2) * 0.1 * np.array([[0.6, 0.8], [math.sqrt(0.5)] * 2, [0.0, 0.0]]))


@pytest.mark.parametrize("bad", [NAN, INF, -INF])
def test_a_unit_whose_weights_are_not_finite_is_left_as_it_is(bad):
    g = np.array([[3.0, 4.0], [3.0, 4.0], [0.0, 0.0]])
    out, _ = run(AGC(), {"w": g}, {"w": np.array([[bad, 1.0], [1.0, 0.0], [NAN, 0.0]])})
    assert np.allclose(out["w"], [[3.0, 4.0], [0.006, 0.008], [0.0, 0.0]])


def test_inf_counts_units_and_never_multiplies():
    grads = {"w": np.array([[1e300, NAN], [INF, 2.0]])}
    out, stage = run(AGC(INF), grads, {"w": W})
    assert out["w"] is grads["w"]
    assert stage.extra == {"clipping": INF, "units": 2, "units_clipped": 0}


def test_the_fraction_may_be_a_function_of_the_step():
    hook = AGC(lambda step: 0.1 / (1 + step))
    for step in range(3):
        out, stage = run(hook, {"w": G}, {"w": W}, step)
        assert stage.extra["clipping"] == 0.1 / (1 + step)
        assert np.allclose(out["w"], by_hand(G, W, 0.1 / (1 + step), 1e-3), rtol=1e-14, atol=0)


def pair_of_matrices(seed):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(2, 4, 3)) * 10.0 ** rng.uniform(-5, 5, size=(2, 1, 1))


matrices = st.integers(0, 2 ** 32).map(pair_of_matrices)


@given(pair=matrices, clipping=st.sampled_from((1e-4, 0.01, 0.3, 2.0)), eps=st.sampled_from((1e-6, 1e-3, 1.0)))
@QUICK
def test_the_definition_the_limit_and_idempotence(pair, clipping, eps):
    (g, w), hook = pair, AGC(clipping, eps)
    out = apply_hooks([hook], {"w": g}, params={"w": w})["w"]
    assert np.allclose(out, by_hand(g, w, clipping, eps), rtol=1e-13, atol=0)
    limits = clipping * np.maximum([norm(row) for row in w], eps)
    assert (np.array([norm(row) for row in out]) <= limits * (1 + 4e-16)).all()
    assert apply_hooks([hook], {"w": out}, params={"w": w})["w"] is out


@given(pair=matrices, k=st.integers(-20, 20))
@QUICK
def test_it_does_not_depend_on_the_unit_of_length(pair, k):
    """Beyond eps: 2^k times the weights and the gradient give 2^k times the result."""
    g, w = pair
    out = apply_hooks([AGC(eps=1e-12)], {"w": g}, params={"w": w})["w"]
    scaled = apply_hooks([AGC(eps=1e-12)], {"w": np.ldexp(g, k)}, params={"w": np.ldexp(w, k)})["w"]
    assert np.array_equal(scaled, np.ldexp(out, k))


def test_agrees_with_optax():
    """Its weights are (in, out), so they are turned round."""
    rng, pairs = np.random.default_rng(2), []
    for shape in ((4, 3), (5,), (6, 2, 3, 3)):
        pairs.append((rng.normal(size=shape), rng.normal(size=shape)))
        pairs[-1][1][::2] *= 1e-3
    turns = {4: (2, 3, 1, 0), 2: (1, 0), 1: (0,)}
    found = by_optax("""
clip = optax.adaptive_grad_clip(0.01)
answer = [np.asarray(clip.update(jax.numpy.asarray(g), clip.init(None), jax.numpy.asarray(w))[0]).tolist()
          for w, g in given]
""", [[a.transpose(turns[a.ndim]).tolist() for a in pair] for pair in pairs])
    for (w, g), theirs in zip(pairs, found, strict=True):
        ours = run(AGC(0.01), {"w": g}, {"w": w})[0]["w"]
        assert np.allclose(ours, np.array(theirs).transpose(np.argsort(turns[g.ndim])), rtol=1e-12, atol=0)


# -------------------------------------------------------------------------------------------- in an optimizer

def test_weights_are_those_at_the_step():
    w = mg.tensor([[3.0, 4.0]], requires_grad=True)
    opt = optim.SGD([w], lr=1.0, hooks=[AGC(0.1)])
    for length in (5.0, 4.5, 4.05):                     # a tenth of the norm each time
        assert norm(w.data) == pytest.approx(length, rel=1e-14)
        w.grad = [[30.0, 40.0]]
        opt.step()


def test_a_last_layer_without_it_by_parameter_groups():
    body, head = nn.Linear(2, 2), nn.Linear(2, 1)
    groups = [{"params": head.parameters()}, {"params": body.parameters(), "hooks": [AGC()]}]
    opt = optim.SGD(groups, lr=1.0)
    before = [p.data.copy() for net in (body, head) for p in net.parameters()]
    for p in opt.params.values():
        p.grad = np.full(p.shape, 100.0)
    opt.step()
    moved = [norm(p.data - old) for p, old in zip([*body.parameters(), *head.parameters()], before, strict=True)]
    assert [m < 0.1 for m in moved] == [True, True, False, False]


# -------------------------------------------------------------------------------------------------- bad input

def test_a_parameter_that_is_not_known_is_named():
    for g in (np.ones(2), np.array(1.0)):
        with pytest.raises(ValueError, match=r"AGC: the weights of parameter 1\.weight are not known.*params="):
            apply_hooks([AGC()], {"0.weight": np.ones(2), "1.weight": g}, params={"0.weight": np.ones(2)})
    assert apply_hooks([AGC()], {"w": None}) == {"w": None}


def test_a_parameter_of_another_shape_is_named():
    with pytest.raises(ValueError, match=r"AGC: parameter w has shape \(2,\), but its gradient \(2, 2\)"):
        apply_hooks([AGC()], {"w": G}, params={"w": np.ones(2)})


BAD = [0, 0.0, -1, -INF, NAN, "1", b"1", True, None, [1.0], 1j]


@pytest.mark.parametrize("bad", BAD)
def test_fraction_and_eps_are_numbers_above_zero(bad):
    with pytest.raises(ValueError, match=r"clipping.*> 0"):
        AGC(bad)
    with pytest.raises(ValueError, match=r"eps.*> 0"):
        AGC(eps=bad)
    with pytest.raises(ValueError, match="> 0"):
        apply_hooks([AGC(lambda step: bad)], {"w": G}, params={"w": W})


def test_a_limit_that_underflows_is_refused():
    with pytest.raises(ValueError, match="eps"):
        AGC(eps=INF)
    with pytest.raises(ValueError, match=r"clipping \* eps"):
        apply_hooks([AGC(1e-200, eps=1e-200)], {"w": G}, params={"w": W})


def test_it_stands_right_of_unscale():
    clip, scaler = AGC(), Unscale(LossScaler())
    with pytest.raises(OrderError, match="AGC stands left of Unscale"):
        Pipeline([clip, scaler])
    assert list(Pipeline([scaler, clip])) == [scaler, clip]


def test_the_representation():
    assert repr(AGC()) == "AGC(0.01, eps=0.001)"
    assert repr(AGC(1, eps=1e-6)) == "AGC(1.0, eps=1e-06)"

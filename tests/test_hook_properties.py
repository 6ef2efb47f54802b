"""What holds for every gradient: properties of clips and of accumulation.

Norms are measured here in decimal arithmetic with 50 digits, not by ``minigrad.norms``.
"""

import math
from decimal import Context as DecimalContext
from decimal import Decimal, localcontext

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minigrad.hooks import Accumulate, ClipNorm, ClipValue, NonFinite, apply_hooks

QUICK = settings(max_examples=100, deadline=None, derandomize=True, database=None)
PS = (1, 1.5, 2, 3, 7, math.inf)
DTYPES = (np.float16, np.float32, np.float64)
EXPONENTS = {np.float16: (-7, 4), np.float32: (-44, 37), np.float64: (-300, 300)}      # decimal, of elements and limits
SHAPES = ((), (1,), (5,), (2, 3), (0,), (3, 0, 2))

every_dtype = pytest.mark.parametrize("dtype", DTYPES)
ps, scopes = st.sampled_from(PS), st.sampled_from(("global", "param", "unit"))


# ----------------------------------------------------------------------------------------------- what is given

def decimal(exponents):
    """Positive numbers, all magnitudes alike."""
    return st.builds(lambda mantissa, exponent: float(f"{mantissa!r}e{exponent}"),
                     st.floats(1, 9.99), st.integers(*exponents))


@st.composite
def gradients(draw, dtype, exponents=None, width=12):
    """A dict of arrays of several shapes, also without axes and without elements, and None.

    The magnitudes lie within ``width`` powers of ten of each other, or anywhere: a gradient whose elements lie 300
    powers apart has one element that counts.
    """
    low, high = exponents or EXPONENTS[dtype]
    if draw(st.booleans()):
        low = draw(st.integers(low, high))
        high = min(high, low + width)
    element = st.builds(lambda x, sign: sign * x, decimal((low, high)), st.sampled_from((-1, -1, 1, 1, 0)))
    out = {}
    for number in range(draw(st.integers(1, 4))):
        shape = draw(st.sampled_from((*SHAPES, None)))
        out[f"p{number}"] = None
        if shape is not None:
            size, most = math.prod(shape), float(np.finfo(dtype).max)
            values = draw(st.lists(element, min_size=size, max_size=size))
            out[f"p{number}"] = np.clip(values, -most, most).astype(dtype).reshape(shape)
    return out


@st.composite
def with_limits(draw, dtype):
    """A gradient and a limit: of any size, or near the gradient's norm, where it matters."""
    grads = draw(gradients(dtype))
    limit = draw(decimal(EXPONENTS[dtype]))
    largest = max([float(np.abs(g).max()) for g in grads.values() if g is not None and g.size] or [0.0])
    if largest and draw(st.booleans()):
        limit = largest * draw(st.floats(1e-3, 4.0))
    return grads, limit


# ---------------------------------------------------------------------------------------------- how it is measured

def exact(arrays, p):
    """The p-norm by its definition, with 50 digits."""
    elements = [Decimal(float(x)).copy_abs() for a in arrays if a is not None for x in np.ravel(a) if x]
    if not elements:
        return Decimal(0)
    with localcontext(DecimalContext(prec=50, Emin=-99999, Emax=99999)):
        return max(elements) if p == math.inf else sum(x ** Decimal(p) for x in elements) ** (1 / Decimal(p))


def count(grads):
    return sum(g.size for g in grads.values() if g is not None)


def rounding(grads, p, dtype):
    """What rounding may add to a clipped norm: a factor, and what is too small for a factor to matter.

    The norm is formed of n terms in float64: n + 8 roundings at most (the p-th powers and their root are not rounded
    once alone).  The coefficient is rounded to the dtype, and its product with each element again; an element that is
    subnormal is moved by up to half of the smallest number there is, and n of those have a p-norm n^(1/p) as long.
    """
    info, n = np.finfo(dtype), max(count(grads), 1)
    factor = Decimal(float(info.eps)) + (n + 8) * Decimal(float(np.finfo(float).eps))
    return 1 + factor, Decimal(float(info.smallest_subnormal)) * Decimal(n ** (1 / p))


def parts(grads, scope):
    """Return what is clipped together: lists of arrays."""
    if scope == "global":
        return [list(grads.values())]
    return [[piece] for g in grads.values() if g is not None
            for piece in (g if scope == "unit" and g.ndim > 1 else [g])]


def same_bits(got, expected):
    return got.keys() == expected.keys() and all(
        (g is None) == (expected[name] is None) and (g is None or g.dtype == expected[name].dtype)
        and (g is None or (g.shape, g.tobytes()) == (expected[name].shape, expected[name].tobytes()))
        for name, g in got.items())


def near(got, expected, units):
    """Whether all elements agree to so many times eps, or to so many of the smallest number."""
    for name, g in got.items():
        if (g is None) != (expected[name] is None):
            return False
        if g is not None:
            info = np.finfo(g.dtype)
            wide = g.astype(np.longdouble), expected[name].astype(np.longdouble)
            allowed = units * (info.eps * np.abs(wide[1]) + np.longdouble(info.smallest_subnormal))
            if g.shape != expected[name].shape or not (np.abs(wide[0] - wide[1]) <= allowed).all():
                return False
    return True


# ------------------------------------------------------------------------------------------------- clip by norm

@every_dtype
@given(data=st.data(), p=ps, scope=scopes)
@QUICK
def test_a_norm_clip_never_exceeds_its_limit(dtype, data, p, scope):
    """Beyond what rounding the norm, the coefficient and each element can add; below it, the very same arrays."""
    grads, limit = data.draw(with_limits(dtype))
    out = apply_hooks([ClipNorm(limit, p=p, scope=scope)], grads)
    factor, least = rounding(grads, p, dtype)
    for before, after in zip(parts(grads, scope), parts(out, scope)):
        length = exact(before, p)
        assert exact(after, p) <= Decimal(limit) * factor + least
        if length * factor < Decimal(limit):
            assert all(a is b or (scope == "unit" and np.array_equal(a, b)) for a, b in zip(before, after))
        elif length > Decimal(limit) * factor:               # and it is not shortened more than that either
            assert exact(after, p) >= Decimal(limit) / factor - least


@every_dtype
@given(data=st.data(), p=ps)
@QUICK
def test_a_norm_clip_is_parallel_to_its_input(dtype, data, p):
    """Each element is the same multiple of what it was, limit / norm, with its sign, dtype and shape; None stays."""
    grads, limit = data.draw(with_limits(dtype))
    out = apply_hooks([ClipNorm(limit, p=p)], grads)
    length = exact(grads.values(), p)
    ratio = min(Decimal(1), Decimal(limit) / length) if length else Decimal(1)
    relative, least = (Decimal(float(x)) for x in (np.finfo(dtype).eps, np.finfo(dtype).smallest_subnormal))
    relative += (count(grads) + 8) * Decimal(float(np.finfo(float).eps))
    for name, g in grads.items():
        if g is None:
            assert out[name] is None
            continue
        assert (out[name].shape, out[name].dtype) == (g.shape, g.dtype)
        for x, y in zip(g.ravel(), out[name].ravel()):
            expected = Decimal(float(x)) * ratio
            assert abs(Decimal(float(y)) - expected) <= abs(expected) * relative + least
            assert y == 0 or np.signbit(x) == np.signbit(y)
    a, b = ([Decimal(float(x)) for g in arrays.values() if g is not None for x in g.ravel()] for arrays in (grads, out))
    lengths = exact(grads.values(), 2) * exact(out.values(), 2)
    if exact(out.values(), 2) > least * 2 ** 60:    # or the direction is lost in the steps between subnormal numbers
        assert abs(sum(x * y for x, y in zip(a, b)) / lengths - 1) < 4 * relative


@every_dtype
@given(data=st.data(), p=ps, scope=scopes)
@QUICK
def test_a_norm_clip_is_idempotent(dtype, data, p, scope):
    """Twice is once; in a narrow dtype, whose elements cannot bring a norm nearer to the limit, to a rounding."""
    grads, limit = data.draw(with_limits(dtype))
    hook = ClipNorm(limit, p=p, scope=scope)
    once = apply_hooks([hook], grads)
    twice = apply_hooks([hook], once)
    if dtype is np.float64:
        assert all(twice[name] is g for name, g in once.items())
    assert near(twice, once, 2)
    assert same_bits(apply_hooks([ClipNorm(limit * (1 + 1e-2), p=p, scope=scope)], once), once)


@given(data=st.data(), p=ps, k=st.integers(-90, 90))
@QUICK
def test_gradient_and_limit_scale_together_by_powers_of_two_to_the_bit(data, p, k):
    """Wherever the numbers stay normal ones and, for p = 2, the plain sum of squares serves both."""
    grads = data.draw(gradients(np.float64, (-40, 40)))
    limit = data.draw(decimal((-40, 40)))
    out = apply_hooks([ClipNorm(limit, p=p)], grads)
    scaled = apply_hooks([ClipNorm(math.ldexp(limit, k), p=p)], doubled(grads, k))
    assert same_bits(scaled, doubled(out, k))


@pytest.mark.parametrize(("p", "count", "ulps"), [
    (1, 4, 1), (2, 1, 1), (2, 4, 1), (math.inf, 30, 0),             # norms that hardly a rounding enters
    (1, 30, 4), (1.5, 30, 4), (2, 30, 4), (3, 30, 4), (7, 30, 4), (2, 1000, 5)])
def test_the_limit_holds_to_an_ulp(p, count, ulps):
    """By the norm that the library measures it holds to the bit, and what has been clipped passes untouched; by 50
    digits it holds but for the error of that norm."""
    rng = np.random.default_rng(count)
    for number in range(200 if count < 100 else 20):
        g = rng.normal(size=count) if number % 2 else np.full(count, rng.random() + 0.1)
        limit = float(rng.uniform(0.01, 0.3))
        clip = ClipNorm(limit, p=p)
        once = apply_hooks([clip], {"w": g})
        assert apply_hooks([clip], once)["w"] is once["w"]
        assert exact(once.values(), p) - Decimal(limit) <= ulps * Decimal(math.ulp(limit))


def test_the_limit_holds_for_a_million_elements():
    """All alike, so that their norm is 1000 times one of them; one long sum would be wrong in the 13th digit."""
    out = apply_hooks([ClipNorm(1.0)], {"w": np.full(10**6, 1 / 3)})["w"]
    assert 1000 * float(out[0]) == pytest.approx(1.0, rel=1e-14, abs=0)


@pytest.mark.parametrize(("values", "limit"), [
    ([1e300, 1.2345678e-15], 1e9), ([1.7e308, 1.7e308, 1e-200], 1e240)])
def test_a_small_element_beside_a_large_one_keeps_its_share(values, limit):
    out = apply_hooks([ClipNorm(limit)], {"w": np.array(values)})["w"]
    share = float(Decimal(values[-1]) * Decimal(limit) / exact([np.array(values)], 2))
    assert np.finfo(float).tiny < share
    assert float(out[-1]) == pytest.approx(share, rel=1e-15, abs=0)


def doubled(grads, k):
    return {name: None if g is None else np.asarray(np.ldexp(g, k)) for name, g in grads.items()}


@given(data=st.data(), p=ps, k=st.integers(-250, 250))
@QUICK
def test_gradient_and_limit_scale_together_far_away(data, p, k):
    grads = data.draw(gradients(np.float64, (-75, 75)))
    limit = data.draw(decimal((-75, 75)))
    out = apply_hooks([ClipNorm(limit, p=p)], grads)
    scaled = apply_hooks([ClipNorm(math.ldexp(limit, k), p=p)], doubled(grads, k))
    assert near(scaled, doubled(out, k), count(grads) + 8)


@given(data=st.data(), p=ps, factor=st.floats(1e-3, 1e3))
@QUICK
def test_gradient_and_limit_scale_together_by_any_factor(data, p, factor):
    grads = data.draw(gradients(np.float64, (-40, 40)))
    limit = data.draw(decimal((-40, 40)))
    out = apply_hooks([ClipNorm(limit, p=p)], grads)
    scaled = apply_hooks([ClipNorm(limit * factor, p=p)], {
        name: None if g is None else np.asarray(g * factor) for name, g in grads.items()})
    expected = {name: None if g is None else np.asarray(g * factor) for name, g in out.items()}
    assert near(scaled, expected, count(grads) + 8)


# ------------------------------------------------------------------------------------------------ clip by value

@every_dtype
@given(data=st.data())
@QUICK
def test_a_value_clip_is_numpys(dtype, data):
    """np.clip of each array, to the bit, -0.0 and all; the same objects where there is nothing to do."""
    grads, limit = data.draw(with_limits(dtype))
    out = apply_hooks([ClipValue(limit)], grads)
    bound = min(limit, float(np.finfo(dtype).max))
    assert same_bits(out, {name: None if g is None else np.asarray(np.clip(g, dtype(-bound), dtype(bound)))
                           for name, g in grads.items()})
    again = apply_hooks([ClipValue(limit)], out)
    assert all(again[name] is g for name, g in out.items())


@every_dtype
@given(data=st.data(), seed=st.integers(0, 999))
@QUICK
def test_a_value_clip_sees_each_element_alone(dtype, data, seed):
    """Joined, cut or shuffled, before or after: the same."""
    grads, limit = data.draw(with_limits(dtype))
    clip = ClipValue(limit)
    arrays = [g.ravel() for g in grads.values() if g is not None]
    joined = np.concatenate([*arrays, np.zeros(0, dtype)])
    pieces = [g.ravel() for g in apply_hooks([clip], grads).values() if g is not None]
    whole = apply_hooks([clip], {"w": joined})["w"]
    assert np.concatenate([*pieces, np.zeros(0, dtype)]).tobytes() == whole.tobytes()
    order = np.random.default_rng(seed).permutation(joined.size)
    assert apply_hooks([clip], {"w": joined[order]})["w"].tobytes() == whole[order].tobytes()


@every_dtype
@given(data=st.data())
@QUICK
def test_a_value_clip_is_monotone(dtype, data):
    """A larger element stays the larger one, and a larger limit leaves no less of it."""
    grads, limit = data.draw(with_limits(dtype))
    for g in grads.values():
        if g is not None:
            ordered = np.sort(g, axis=None)
            out = apply_hooks([ClipValue(limit)], {"w": ordered})["w"]
            wider = apply_hooks([ClipValue(limit * 1.5)], {"w": ordered})["w"]
            assert (np.diff(out) >= 0).all()
            assert (np.abs(out) <= np.abs(wider)).all()
            assert (np.abs(wider) <= np.abs(ordered)).all()


# -------------------------------------------------------------------------------------------------- accumulation

@every_dtype
@given(data=st.data(), k=st.integers(1, 12), weight=st.integers(1, 1000))
@QUICK
def test_equal_micro_batches_are_one_batch(dtype, data, k, weight):
    """To the bit in float16 and float32, which are gathered in float64 where k w g is exact, and in float64 for k = 1,
    2 and 4 and w a power of two; else each of the k products, k - 1 sums and one quotient may be rounded."""
    grads = data.draw(gradients(dtype, (-290, 290) if dtype is np.float64 else None))
    weight = float(2 ** (weight % 10)) if dtype is np.float64 and k in (1, 2, 4) else float(weight)
    hook = Accumulate(k)
    answers = [apply_hooks([hook], grads, weight=weight) for _ in range(k)]
    assert [getattr(answer, "status", "step") for answer in answers] == ["hold"] * (k - 1) + ["step"]
    expected = {name: None if g is None else g.astype(np.promote_types(dtype, np.float32)) for name, g in grads.items()}
    if dtype is not np.float64 or k in (1, 2, 4):
        assert same_bits(answers[-1], expected)
    assert near(answers[-1], expected, k + 2)


@given(data=st.data(), weights=st.lists(st.integers(1, 10**6), min_size=1, max_size=8))
@QUICK
def test_whatever_the_weights_equal_gradients_have_themselves_as_mean(data, weights):
    grads = data.draw(gradients(np.float64, (-290, 290)))
    hook = Accumulate(len(weights))
    for weight in weights:
        out = apply_hooks([hook], grads, weight=float(weight))
    assert near(out, grads, len(weights) + 2)


# ----------------------------------------------------------------------------------------- what is given

HOOKS = {
    "ClipNorm": lambda limit: [ClipNorm(limit)], "per parameter": lambda limit: [ClipNorm(limit, scope="param")],
    "compat": lambda limit: [ClipNorm(limit, p=3, compat="torch")], "ClipValue": lambda limit: [ClipValue(limit)],
    "Accumulate": lambda limit: [Accumulate(1)], "zero": lambda limit: [NonFinite("zero")],
    "all": lambda limit: [NonFinite(), Accumulate(1), ClipNorm(limit), ClipValue(limit)],
}


@pytest.mark.parametrize("name", HOOKS)
@every_dtype
@given(data=st.data())
@settings(QUICK, max_examples=30)
def test_what_is_given_is_never_written_into(name, dtype, data):
    grads, limit = data.draw(with_limits(dtype))
    before = {key: None if g is None else g.copy() for key, g in grads.items()}
    apply_hooks(HOOKS[name](limit), grads)
    assert same_bits(grads, before)

"""The norm: exact where the textbook formula gives 0 or inf, the same at every scale, and computed in one place."""

import ast
import itertools
import math
from decimal import Decimal, localcontext
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optimizing import near

import minigrad
from minigrad import hooks
from minigrad.norms import cosine, norm, unit_norms

QUICK = settings(max_examples=150, deadline=None, derandomize=True, database=None)
PS = (1, 1.5, 2, 3, 7.5, math.inf)

magnitudes = st.builds(lambda mantissa, exponent, sign: sign * mantissa * 10.0 ** exponent,
                       st.floats(1, 9.99), st.integers(-300, 299), st.sampled_from((-1, 1)))
vectors = st.lists(magnitudes | st.just(0.0), min_size=1, max_size=20).map(np.array)
tame = st.lists(st.integers(-2**40, 2**40).map(lambda k: k / 2**20), min_size=1, max_size=20).map(np.array)


def exact_norm(values, p):
    """The p-norm in decimal arithmetic with 60 digits, straight from its definition."""
    with localcontext() as context:
        context.prec = 60
        exact = [abs(Decimal(float(v))) for v in np.ravel(values)]
        if p == math.inf:
            return float(max(exact))
        total = sum(x ** Decimal(p) for x in exact if x)
        return float(total ** (1 / Decimal(p))) if total else 0.0


def ulps(a, b):
    """The distance between two floats in units of the last place of the second."""
    return abs(a - b) / math.ulp(b)


def float32(*values):
    return np.array(values, np.float32)


def float16(*values):
    return np.array(values, np.float16)


def float64(*values):
    return np.array(values)


G = [float64(3.0, 4.0), np.array([[0.0, 12.0]])]

TABLE = [
    # arrays, p, norm
    (G, 1, 19.0),
    (G, 2, 13.0),
    (G, 3, 12.207054953820638),
    (G, math.inf, 12.0),
    (float32(1e-25, 1e-25), 2, math.sqrt(2) * float(np.float32(1e-25))),
    (float32(1e20, 1e20), 2, math.sqrt(2) * float(np.float32(1e20))),
    (float64(1e-200, 1e-200), 2, 1.414213562373095e-200),
    (float64(1e200, 1e200), 2, 1.414213562373095e200),
    (float16(*[3000.0] * 1000), 2, 94868.32980505138),
    (float64(1e308, 1e308), 2, 1.4142135623730951e308),
    (float64(1e308, -1e308), 3, 2 ** (1 / 3) * 1e308),
    (float64(1e-308, 1e-308), 2, math.sqrt(2) * 1e-308),
    (float64(5e-324), 2, 5e-324),
    (float64(*[5e-324] * 4), 2, 1e-323),
    (float64(3e-200, -4e-200), 1, 7e-200),
    (float64(3e200, -4e200), math.inf, 4e200),
    (float64(1e-200, 1.0), 2, 1.0),
    (float64(1e200, 1e-200), 2, 1e200),
    ([float64(3e-200), None, float32(0.0), float64(4e-200)], 2, 5e-200),
    (np.array(-7.0), 2, 7.0),
    (np.arange(24.0).reshape(4, 6)[::2, ::-3], 2, math.sqrt(2**2 + 5**2 + 14**2 + 17**2)),
]


@pytest.mark.parametrize(("arrays", "p", "expected"), TABLE)
def test_value(arrays, p, expected):
    got = norm(arrays, p)
    assert type(got) is float
    assert ulps(got, expected) <= 2


def test_no_scale_is_left_out():
    """A right-angled triangle with sides 3, 4, 5 at every power of ten there is."""
    for exponent in range(-306, 308):
        sides = [float(f"{side}e{exponent}") for side in (3, 4, 5)]
        assert ulps(norm(np.array(sides[:2])), sides[2]) <= 2


def test_a_large_gradient_gives_no_warning():
    assert norm(float64(1e200, 1e200)) == near(1.414213562373095e200)


@pytest.mark.parametrize("p", [1, 2, 3, math.inf])
@pytest.mark.parametrize("arrays", [[], [None], [None, None], np.zeros(0), [np.zeros((0, 3))], np.zeros(3),
                                    [None, np.zeros((2, 0)), np.zeros(2)], [float32(0.0)], [float16(0.0, 0.0)]])
def test_nothing_has_norm_zero(arrays, p):
    assert norm(arrays, p) == 0.0
    assert type(norm(arrays, p)) is float


@pytest.mark.parametrize("p", [1, 2, math.inf])
def test_the_norm_of_zeros_has_no_minus_sign(p):
    assert math.copysign(1.0, norm(np.zeros(3), p)) == 1.0


@pytest.mark.parametrize("p", PS)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize(("values", "expected"), [
    ([1.0, math.nan], math.nan), ([math.nan, math.inf], math.nan), ([1.0, math.inf], math.inf),
    ([-math.inf, 0.0], math.inf), ([math.nan], math.nan), ([math.inf, -math.inf], math.inf)])
def test_not_finite_is_returned_as_it_is(values, expected, dtype, p):
    together, apart = norm(np.array(values, dtype), p), norm([np.array([v], dtype) for v in values], p)
    assert np.array_equal([together, apart], [expected, expected], equal_nan=True)


@pytest.mark.parametrize("bad", [0.5, 0, -1, 0.999999, math.nan, -math.inf])
def test_p_below_one_is_no_norm(bad):
    with pytest.raises(ValueError, match="at least 1"):
        norm(np.ones(2), bad)
    with pytest.raises(ValueError, match="at least 1"):
        norm([], bad)


@pytest.mark.parametrize(("p", "values"), [
    (100, [3.0, 1.0]), (100, [2.0, 1.0]), (500, [1.9, -1.9]), (2000, [2.0, 1.0]), (2000, [1.0, -1.0]),
    (2000, [3.0, 1.0]), (2000, [1.9, -1.9])])
def test_a_large_p_tends_to_the_largest_magnitude(p, values):
    count = sum(abs(v) == values[0] for v in values)
    assert norm(np.array(values), p) == near(values[0] * count ** (1 / p), rel=1e-12)


@pytest.mark.parametrize("p", PS)
@given(values=vectors)
@QUICK
def test_agrees_with_sixty_digits(values, p):
    assert ulps(norm(values, p), exact_norm(values, p)) <= 8


@given(values=vectors)
@QUICK
def test_agrees_with_hypot(values):
    assert ulps(norm(values), math.hypot(*values)) <= 4


@pytest.mark.parametrize("p", PS)
@given(values=tame, k=st.integers(-250, 250))
@QUICK
def test_scaling_by_a_power_of_two_is_exact(values, k, p):
    """To the bit; only for p = 2 may the last one differ, between the plain sum and the scaled one."""
    scaled, expected = norm(np.ldexp(values, k), p), math.ldexp(norm(values, p), k)
    assert scaled == expected if p != 2 or abs(k) < 200 else ulps(scaled, expected) <= 2


@given(values=tame, k=st.integers(-900, 900))
@QUICK
def test_far_scales_agree_with_near_ones(values, k):
    expected = math.ldexp(norm(values), k)
    assert norm(np.ldexp(values, k)) == pytest.approx(expected, rel=4e-16, abs=0)


@given(values=vectors, cut=st.integers(0, 20), p=st.sampled_from(PS))
@QUICK
def test_arrays_are_one_long_vector(values, cut, p):
    """Cutting, turning round and putting None between changes rounding alone; the sign changes nothing at all."""
    whole = norm(values, p)
    assert norm([values[:cut], None, values[cut:][::-1]], p) == near(whole, rel=1e-15)
    assert norm(np.array([norm(values[:cut], p), norm(values[cut:], p)]), p) == near(whole, rel=1e-14)
    assert norm(-values, p) == whole


@given(values=vectors)
@QUICK
def test_norms_fall_as_p_rises(values):
    found = [norm(values, p) for p in PS]
    assert all(smaller <= larger * (1 + 1e-14) for larger, smaller in itertools.pairwise(found))


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@given(values=st.lists(st.floats(-6e4, 6e4, width=16), min_size=1, max_size=200))
@QUICK
def test_small_dtypes_are_summed_in_float64(values, dtype):
    array = np.array(values, dtype)
    assert ulps(norm(array), exact_norm(array, 2)) <= 4 if array.any() else norm(array) == 0


@pytest.mark.parametrize("n", [4095, 4096, 4097, 8192, 10**6, 10**6 + 1])
def test_no_digits_are_lost_over_many_elements(n):
    """All alike, so that rounding goes one way."""
    values = np.full(n, 1 / 3)
    expected = math.sqrt(n) / 3
    assert norm(values) == pytest.approx(expected, rel=1e-14, abs=0)
    assert unit_norms(np.stack([values, 2 * values, 0 * values]))[:, 0] == pytest.approx([expected, 2 * expected, 0],
                                                                                         rel=1e-14, abs=0)
    values[-1] = values[n // 2] = 1e3
    assert norm(values) == pytest.approx(math.sqrt((n - 2) / 9 + 2e6), rel=1e-14, abs=0)


# ---------------------------------------------------------------------------------------- unit by unit

@pytest.mark.parametrize("p", [*PS, 500])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(4, 3), (3, 1), (1, 5), (4, 2, 3), (2, 1, 2, 2), (6,), ()])
def test_units_are_slices_along_the_first_axis(shape, dtype, p):
    a = np.random.default_rng(1).normal(size=shape).astype(dtype)
    found = unit_norms(a, p)
    assert (found.dtype, found.ndim, np.broadcast_shapes(found.shape, shape)) == (np.float64, a.ndim, shape)
    expected = [norm(unit, p) for unit in a] if a.ndim > 1 else [norm(a, p)]
    assert np.allclose(found.ravel(), expected, rtol=4e-16, atol=0)


@pytest.mark.parametrize("p", [1, 2, 3, 500, math.inf])
@pytest.mark.parametrize("order", ["C", "F"])
def test_units_of_all_magnitudes_and_what_is_not_finite_side_by_side(p, order):
    """Each row gives what it gives alone, whatever its neighbours are."""
    rows = [[3.0, 4.0], [0.0, -0.0], [3e-200, 4e-200], [3e200, -4e200], [5e-324, 5e-324], [1e308, 1e308],
            [1.7e308, 1.7e308], [1.0, math.nan], [-math.inf, 1.0], [math.nan, math.inf], [1e-200, 1e200]]
    found = unit_norms(np.array(rows, order=order), p)[:, 0]
    for row, got in zip(rows, found.tolist(), strict=True):
        alone = norm(np.array(row), p)
        assert np.isclose(got, alone, rtol=3e-16, atol=0, equal_nan=True)
        assert math.copysign(1.0, got) == 1.0 or math.isnan(got)


@pytest.mark.parametrize(("shape", "expected"), [
    ((0,), (1,)), ((0, 3), (0, 1)), ((3, 0), (3, 1)), ((2, 3, 0), (2, 1, 1))])
def test_units_of_nothing(shape, expected):
    found = unit_norms(np.zeros(shape))
    assert found.shape == expected
    assert not found.any()


@pytest.mark.parametrize("p", PS)
@given(rows=st.lists(st.lists(magnitudes | st.just(0.0), min_size=3, max_size=3), min_size=1, max_size=5))
@settings(QUICK, max_examples=60)
def test_units_agree_with_sixty_digits(rows, p):
    for row, got in zip(rows, unit_norms(np.array(rows), p)[:, 0], strict=True):
        assert ulps(got, exact_norm(row, p)) <= 8


@pytest.mark.parametrize("bad", [0.5, 0, math.nan, -math.inf])
def test_p_below_one_is_no_norm_of_units(bad):
    with pytest.raises(ValueError, match="at least 1"):
        unit_norms(np.ones((2, 2)), bad)


# ------------------------------------------------------------------------------------------ the angle

@pytest.mark.parametrize(("a", "b", "expected"), [
    (G, G, 1.0),
    (G, [-g for g in G], -1.0),
    ([float64(3.0, 4.0)], [float64(4.0, -3.0)], 0.0),
    ([float64(1.0, 0.0)], [float64(1.0, 1.0)], math.sqrt(0.5)),
    ([float64(1e-200, 0.0)], [float64(1e200, 1e200)], math.sqrt(0.5)),
    ([float32(1e-25, 0.0)], [float32(1e20, 1e20)], math.sqrt(0.5)),
    ([float64(3.0), None], [float64(3.0), float64(4.0)], 0.6),
    ([None, float64(3.0)], [None, float64(3.0)], 1.0),
    ([float64(0.0)], [float64(1.0)], math.nan),
    ([float64(1.0)], [float64(math.inf)], math.nan),
    ([float64(math.nan)], [float64(1.0)], math.nan),
    ([], [], math.nan),
])
def test_cosine(a, b, expected):
    for got in (cosine(a, b), cosine(b, a)):
        assert got == pytest.approx(expected, abs=1e-15, nan_ok=True)
        assert type(got) is float


@given(values=vectors, k=st.integers(-40, 40))
@QUICK
def test_cosine_is_that_of_the_direction_alone(values, k):
    values = np.where(abs(values) < 1e-280, 0.0, np.clip(values, -1e280, 1e280))
    turned = values[::-1]
    got = cosine([values], [np.ldexp(turned, k)])
    if not values.any():
        assert math.isnan(got)
    else:
        assert -1 <= got <= 1
        assert got == pytest.approx(cosine([values], [turned]), abs=1e-14)
        assert cosine([values], [np.ldexp(values, k)]) == pytest.approx(1.0, abs=1e-14)


# ------------------------------------------------------------------------------------ one place alone

PRODUCTS, SUMS = ("dot", "vdot", "inner", "einsum", "matmul"), ("sum", "fsum")


def norms_by_hand(source):
    """Line numbers at which Python source forms a norm by itself: linalg.norm, hypot, or the root of a sum."""
    def called(node):
        return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")

    def has(node, *operators):
        return any(isinstance(n, ast.BinOp) and isinstance(n.op, operators) for n in ast.walk(node))

    def is_sum(node):                                  # of products: sum(p.shape) is none
        if isinstance(node, ast.Call):
            return called(node) in PRODUCTS or (called(node) in SUMS and (has(node, ast.Mult, ast.Pow)
                                                                          or "square" in ast.unparse(node)))
        return isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult)

    def is_norm(node):
        root = []
        if isinstance(node, ast.Call):
            of_many = called(node) == "hypot" and any(isinstance(a, ast.Starred) for a in node.args)
            if of_many or ast.unparse(node.func).endswith("linalg.norm"):
                return True
            root = node.args if called(node) == "sqrt" else []
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow) and ast.unparse(node.right) == "0.5":
            root = [node.left]
        return any(is_sum(inner) for outer in root for inner in ast.walk(outer))

    return [node.lineno for node in ast.walk(ast.parse(source)) if is_norm(node)]


@pytest.mark.parametrize(("source", "found"), [
    ("np.linalg.norm(g)", 1), ("linalg.norm(g)", 1), ("np.sqrt((g ** 2).sum())", 1), ("math.sqrt(np.sum(g * g))", 1),
    ("sqrt(g.ravel() @ g.ravel())", 1), ("np.dot(g, g) ** 0.5", 1), ("math.hypot(*g)", 1),
    ("np.sqrt(np.sum(np.square(g)))", 1), ("np.hypot(1, x)", 0), ("np.sqrt(2 / sum(p.shape))", 0),
    ("norm(g)", 0), ("np.sqrt(v)", 0), ("nn.LayerNorm(3)", 0), ("(g * g).sum()", 0), ("x ** 0.5", 0)])
def test_the_search_for_norms_by_hand_finds_them(source, found):
    assert len(norms_by_hand(source)) == found


def test_no_other_file_computes_a_norm():
    folder = Path(minigrad.__file__).parent
    # Distances in the plane, spectral norms and standard errors are no gradients; an oracle is a second way on purpose.
    others = {"check", "claims", "experiments", "plot", "theory", "fitting.py", "prediction.py", "norms.py"}
    files = [file for file in sorted(folder.rglob("*.py")) if not others & set(file.relative_to(folder).parts)]
    assert len(files) > 100
    found = [f"{file.relative_to(folder)}:{line}" for file in files
             for line in norms_by_hand(file.read_text(encoding="utf-8"))]
    assert found == []


def test_clip_report_and_function_use_the_same_norm():
    """The same digits everywhere, at a scale at which the textbook formula gives 0."""
    grads = {"a": float64(3e-200, 1e-201), "b": float64(4e-200)}
    expected = norm(grads.values())
    ctx = hooks.Context(step=0, micro_step=0, weight=1.0, lr=1.0, params={}, norm=expected)
    out, (stage,) = hooks.Pipeline([hooks.ClipNorm(1e-203)]).run(grads, ctx, counts=True)
    assert stage.norm_in == expected > 0
    assert stage.norm_out == norm(out.values()) == near(1e-203, rel=1e-15)

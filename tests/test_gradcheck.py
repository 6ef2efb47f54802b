"""The checker is checked: it must fail where a gradient is wrong by 0.1 %, at order 1 and at order 2.

Rules that these tests add to the table are taken out again by a fixture in conftest.py.
"""

import functools

import numpy as np
import pytest

import minigrad as mg
from minigrad.table import RULES

X = np.array([[0.3, -1.2, 2.0], [0.7, 1.1, -0.4]])


def cube(first=3.0, second=6.0, element=None):
    """Return x**3 as a primitive whose first and second derivative have these factors (right: 3 and 6).

    With ``element``, only the gradient of that one element is off.
    """
    def factor(x, wrong, right):
        if element is None:
            return wrong
        factors = np.full(x.shape, right)
        factors[element] = wrong
        return factors

    @mg.primitive
    def slope(x):
        return factor(x, first, 3.0) * x * x

    @mg.primitive
    def cubed(x):
        return x * x * x

    mg.defvjp(slope, lambda g, y, x: g * factor(x, second, 6.0) * x)
    mg.defvjp(cubed, lambda g, y, x: g * slope(x))
    return cubed


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("x", [X, X[0], X[0, 0], X.astype(np.float32), X.astype(np.float16), X[:, ::2], mg.tensor(X)])
def test_a_right_rule_passes(x, order):
    assert mg.gradcheck(cube(), x, order=order) is True


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_gradient_wrong_by_a_thousandth_fails_at_order_1(order, sign):
    """Too large or too small, it is reported at order 1 even if order 2 was asked for."""
    with pytest.raises(AssertionError, match="order 1"):
        mg.gradcheck(cube(first=3.0 * (1 + sign * 1e-3)), X, order=order)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_second_derivative_wrong_by_a_thousandth_fails_at_order_2_only(sign):
    f = cube(second=6.0 * (1 + sign * 1e-3))
    assert mg.gradcheck(f, X, order=1)
    with pytest.raises(AssertionError, match="order 2"):
        mg.gradcheck(f, X, order=2)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("element", list(np.ndindex(X.shape)))
def test_one_wrong_element_is_caught_and_named(order, element):
    """One element of six, off by a tenth; how small an error shows depends on its share of the projection."""
    f = cube(element=element, **{1: {"first": 3.3}, 2: {"second": 6.6}}[order])
    with pytest.raises(AssertionError, match=rf"order {order} .*argument 0, index \({element[0]}, {element[1]}\)"):
        mg.gradcheck(f, X, order=order)


def test_a_failure_names_argument_index_got_and_expected():
    """The second of two arguments is wrong by a factor of 2 in all elements; the largest difference is named."""
    mg.defvjp(np.hypot, lambda g, y, a, b: g * a / y, lambda g, y, a, b: 2 * g * b / y)
    with pytest.raises(AssertionError) as failure:
        mg.gradcheck(np.hypot, np.array([3.0]), np.array([4.0]))
    text = str(failure.value)
    assert "order 1" in text
    assert "argument 1, index (0,)" in text
    got, expected = (float(text.split(word)[1].split()[0].rstrip(",")) for word in ("got ", "expected "))
    assert got == pytest.approx(2 * expected, rel=1e-6)


@pytest.mark.parametrize(("order", "wrong", "quoted"), [
    (1, {"first": 1.5}, (6, 12)),               # the slope of x**3 is 3 x**2, that of the slope 6 x
    (2, {"second": 3}, (6, 12)),
])
def test_of_a_function_of_one_number_the_derivative_itself_is_quoted(order, wrong, quoted):
    """And not the derivative times the weight that one of several results would have."""
    with pytest.raises(AssertionError, match=f"order {order}") as failure:
        mg.gradcheck(cube(**wrong), np.array(2.0), order=order)
    text = str(failure.value)
    numbers = [float(text.split(word)[1].split()[0].rstrip(",")) for word in ("got ", "expected ")]
    assert numbers == pytest.approx(quoted)


@pytest.mark.parametrize("rule", [
    lambda g, y, x: g * np.full(x.shape, np.nan), lambda g, y, x: g * 0.0, lambda g, y, x: None, lambda g, y, x: -g,
])
def test_nan_zero_and_missing_gradients_fail(rule):
    """NaN agrees with nothing, and a gradient that never arrives counts as 0."""
    mg.defvjp(np.sinh, rule)
    with pytest.raises(AssertionError, match="argument 0"):
        mg.gradcheck(np.sinh, X)


def test_the_gradient_of_a_small_and_a_large_argument_is_caught_too():
    for scale in (1e-3, 1e3):
        f = cube(first=3.003)
        with pytest.raises(AssertionError, match="order 1"):
            mg.gradcheck(lambda x, f=f, scale=scale: f(x) / scale ** 2, X * scale)


def test_a_gradient_lost_by_detaching_fails():
    """x * x with one factor detached has half the gradient."""
    with pytest.raises(AssertionError, match="order 1"):
        mg.gradcheck(lambda x: x * x.detach(), X)


def test_a_constant_and_an_unused_argument_have_gradient_0():
    assert mg.gradcheck(lambda x: mg.tensor([1.0, 2.0]), X)
    assert mg.gradcheck(lambda x, y: y * y, X, X, order=2)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize(("f", "x"), [
    (np.sin, [1e6, 1e-3]), (np.square, [1e6, 1e-3]), (lambda x: x ** 3, [1e6, 1e-3, 0.0, 1e-9]), (np.exp, [1e-12, 3.0]),
    (np.sqrt, [1e-8, 3e-9]), (np.sqrt, [1e-8, 1.0, 4.0]), (np.log, [1e-8, 1e8]), (np.reciprocal, [1e-9, -1e6]),
    (lambda x: np.sin(x[0]) + np.sqrt(x[1]), [1e6, 1e-2]),
])
def test_elements_of_very_different_size_pass(f, x, order):
    """Each element has a step of its own, also where no single step suits the function."""
    assert mg.gradcheck(f, np.array(x), order=order)


@pytest.mark.parametrize(("x", "order"), [
    *((x, 1) for x in ([1e-8, 3.0], [1e6, 1.0], [1e-3, 1e3], [1e20, 1.0], [1e-12, 0.5])), ([1e-8, 1e-8], 2)])
@pytest.mark.parametrize("element", [0, 1])
def test_an_element_that_is_far_smaller_or_larger_is_caught_too(x, element, order):
    """Its gradient is wrong by 1 %, that of the other element right, which a fine step would show."""
    factor = np.ones(2)
    factor[element] = 1.01
    first, second = (factor, 1.0) if order == 1 else (1.0, factor)

    @mg.primitive
    def logarithm(x):
        return x * np.log(x)

    @mg.primitive
    def slope(x):
        return first * (1 + np.log(x))

    mg.defvjp(slope, lambda g, y, x: g * second / x)
    mg.defvjp(logarithm, lambda g, y, x: g * slope(x))

    def f(x):
        return logarithm(x) / scale

    scale = np.array(x)
    with pytest.raises(AssertionError, match=rf"order {order} .*index \({element},\)"):
        mg.gradcheck(f, scale, order=order)


def test_beside_the_end_of_a_domain_the_right_number_is_named():
    mg.defvjp(np.sqrt, lambda g, y, x: g * (0.51 / y))
    with pytest.raises(AssertionError, match=r"index \(0,\): got -?\d+.\d+, expected -?\d+.\d+ by"):
        mg.gradcheck(np.sqrt, np.array([1e-8, 1.0]))


def test_a_function_of_several_results_is_refused():
    for f in (lambda x: (x, x), lambda x: 2.0, lambda x: [x]):
        with pytest.raises(TypeError, match=r"gradcheck: <lambda> returned a (tuple|float|list), and one tensor"):
            mg.gradcheck(f, X)


def test_nan_without_any_element_says_what_is_wrong():
    with pytest.raises(AssertionError, match=r"order 1, argument 0, of shape \(0, 2\).*nan"):
        mg.gradcheck(lambda x: x.sum() * np.nan, np.zeros((0, 2)))


def test_pytorchs_spelling():
    """One tuple of inputs, and eps for the step; with a coarse step, what is allowed must be coarser too."""
    inputs = mg.tensor(X, requires_grad=True), X + 3
    assert mg.gradcheck(lambda a, b: np.sin(a) * b, inputs, eps=1e-6, atol=1e-5, rtol=1e-3)
    assert mg.gradcheck(np.sin, X, eps=1e-2, rtol=1e-3)
    with pytest.raises(AssertionError, match="order 1"):
        mg.gradcheck(np.sin, X, eps=1e-2)
    for eps in (0, -1e-6, float("nan")):
        with pytest.raises(ValueError, match="gradcheck: eps = "):
            mg.gradcheck(np.sin, X, eps=eps)


@pytest.mark.parametrize("order", [0, 3, "1", None])
def test_order_is_1_or_2(order):
    with pytest.raises(ValueError, match="order is 1 or 2"):
        mg.gradcheck(np.tanh, X, order=order)


@pytest.mark.parametrize("xs", [(), (np.array([1, 2]),), (3, True)])
def test_something_must_be_differentiable(xs):
    with pytest.raises(ValueError, match="no floating-point argument"):
        mg.gradcheck(np.tanh, *xs)


def test_arguments_that_are_not_floating_are_handed_over_as_they_are():
    seen = []

    def f(x, index, flag):
        seen.append((index.dtype.kind, flag))
        return x[index] ** 2

    assert mg.gradcheck(f, X, np.array([1, 1, 0]), True)
    assert set(seen) == {("i", True)}


def test_arguments_are_left_alone_and_the_outcome_is_the_same_twice():
    x, t = X.copy(), mg.tensor(X, requires_grad=True)
    for _ in range(2):
        assert mg.gradcheck(lambda a, b: np.tanh(a) * b, x, t, order=2)
    np.testing.assert_array_equal(x, X)
    np.testing.assert_array_equal(t.data, X)
    assert t.grad is None


def test_it_works_under_no_grad_and_with_other_directions():
    with mg.no_grad():
        for seed in range(5):
            assert mg.gradcheck(np.tanh, X, order=2, rng=np.random.default_rng(seed))
        with pytest.raises(AssertionError):
            mg.gradcheck(cube(first=3.003), X)


# --------------------------------------------------------------------------------- a rule of the user's own

def test_a_new_rule_is_one_line():
    """Without a rule np.sinh is refused; one line gives it one, and two lines give it every order."""
    del RULES[np.sinh], RULES[np.cosh]
    t = mg.tensor(X, requires_grad=True)
    with pytest.raises(TypeError, match=r"np\.sinh has no gradient rule; give it one with mg\.defvjp"):
        np.sinh(t)
    mg.defvjp(np.sinh, lambda g, y, x: g * np.cosh(x))
    np.testing.assert_allclose(mg.grad(np.sinh(t).sum(), t).data, np.cosh(X), rtol=1e-15)
    assert mg.gradcheck(np.sinh, X)
    with pytest.raises(TypeError, match=r"np\.cosh has no gradient rule"):
        mg.gradcheck(np.sinh, X, order=2)
    mg.defvjp(np.cosh, lambda g, y, x: g * np.sinh(x))
    assert mg.gradcheck(np.sinh, X, order=2)


@pytest.mark.parametrize("rule", ["function", "method", "partial", "object"])
def test_a_rule_may_be_anything_that_can_be_called(rule):
    """What it takes is read off all the same: too many arguments are refused before anything is recorded."""
    class Rules:
        def triple(self, g, y, x, *, k=3.0):
            return g * k

        __call__ = triple

    rules = {"function": lambda g, y, x, *, k=3.0: g * k, "method": Rules().triple, "object": Rules(),
             "partial": functools.partial(lambda factor, g, y, x, *, k=3.0: g * k * factor, 1.0)}
    times = mg.primitive(lambda x, extra=None, *, k=3.0, other=0: x * k)
    mg.defvjp(times, rules[rule])
    t = mg.tensor([1.0, 2.0], requires_grad=True)
    assert mg.grad(times(t, k=2.0).sum(), t).tolist() == [2.0, 2.0]
    for call in (lambda: times(t, 1.0), lambda: times(t, other=1), lambda: times(t, y=1)):
        with pytest.raises(TypeError, match="gradient rule"):
            call()


def test_the_table_is_given_back_after_a_test():
    """What the test above took out is back, so that no test depends on the order of tests."""
    assert RULES[np.sinh].vjps[0].__module__ == RULES[np.cosh].vjps[0].__module__ == "minigrad.rules.elementwise"


def test_a_function_of_ones_own_is_a_primitive():
    """On arrays it is the plain function; with tensors it goes on the tape under its own name."""
    @mg.primitive
    def scaled(x, factor=2.0):
        """Return the product."""
        return x * factor

    mg.defvjp(scaled, lambda g, y, x, factor=2.0: g * factor)
    assert type(scaled(X)) is np.ndarray
    assert scaled.__doc__ == "Return the product."
    t = mg.tensor(X, requires_grad=True)
    assert "scaled" in repr(scaled(t))
    assert mg.gradcheck(scaled, X, order=2)
    assert mg.gradcheck(lambda x: scaled(x, factor=-3.0), X, order=2)


@pytest.mark.parametrize("line", [(np.sinh, 1.0), (np.sinh, np.cosh, "rule"), ("sinh", np.cosh)])
def test_a_rule_must_be_callable(line):
    with pytest.raises(TypeError, match="is not callable"):
        mg.defvjp(*line)


def test_a_rule_must_be_given():
    with pytest.raises(TypeError, match=r"np\.sinh.*one rule per argument"):
        mg.defvjp(np.sinh)


def test_an_argument_without_a_rule_is_refused_by_name_and_position():
    mg.defvjp(np.ldexp, lambda g, y, x, n: g * 2.0 ** n)
    t = mg.tensor([1.0, 2.0], requires_grad=True)
    assert mg.grad(np.ldexp(t, np.array([1, 2])).sum(), t).tolist() == [2.0, 4.0]
    mg.defvjp(np.copysign, lambda g, y, a, b: g * np.sign(a) * np.sign(b), None)
    with pytest.raises(TypeError, match=r"np\.copysign has no gradient with respect to argument 1.*t\.detach\(\)"):
        np.copysign(t, t)
    assert mg.grad(np.copysign(t, -t.detach()).sum(), t).tolist() == [-1.0, -1.0]


@pytest.mark.parametrize("scale", [1e-12, 1e-6, 1e6, 1e12])
def test_the_size_of_the_values_does_not_matter(scale):
    """A rule wrong by 0.1 % is caught, and a right one passes, however small or large the function is."""
    @mg.primitive
    def scaled(x):
        return scale * np.sin(x)

    mg.defvjp(scaled, lambda g, y, x: g * (scale * np.cos(x)))
    assert mg.gradcheck(scaled, X, order=2)
    mg.defvjp(scaled, lambda g, y, x: g * (1.001 * scale * np.cos(x)))
    with pytest.raises(AssertionError, match="order 1"):
        mg.gradcheck(scaled, X)

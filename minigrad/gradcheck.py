"""Check a gradient against central differences, at order 1 and 2.

A gradient is compared along random directions, one per argument: <dL/dx, u> against
(L(x + h u) - L(x - h u)) / 2h, where L = <f(x), v> for a random v.  A direction meets every element at once,
so a wrong rule shows (one element in some thousand may hide); only then is each element tried, to name the one
that is off.
"""

import numpy as np

from minigrad.gradient import grad
from minigrad.recording import enable_grad
from minigrad.tensor import Tensor

STEP = np.finfo(float).eps ** (1 / 3)
"""Relative step of the central difference, where its truncation and rounding errors balance (about 6e-6)."""


def gradcheck(f, *xs, order=1, rtol=1e-6, atol=1e-8, rng=None):
    """Compare the gradient of ``f`` with central differences; raise where they differ, else return True.

    Args:
        f: a function of tensors that returns a tensor (of any shape).
        *xs: its arguments, arrays or tensors; floating ones are differentiated, in float64, the others
            are handed over as they are.
        order: 1 for the gradient; 2 for the gradient of the gradient as well (which is taken with ``create_graph``).
        rtol, atol: allowed difference, relative to the slope, and to the size of the function's values and gradient.
        rng: a ``numpy.random.Generator`` for the directions; default seeded with 0.

    Raises:
        AssertionError: naming order, argument, index, the value got and the value expected.
        ValueError: if ``order`` is neither 1 nor 2, or no argument is floating-point.

    Example:
        >>> import numpy as np, minigrad as mg
        >>> mg.gradcheck(np.tanh, np.array([0.3, -2.0]), order=2)
        True
    """
    if order not in (1, 2):
        raise ValueError(f"gradcheck: order is 1 or 2, not {order!r}")
    rng = np.random.default_rng(0) if rng is None else rng
    arrays = [np.array(x.data if isinstance(x, Tensor) else x) for x in xs]
    places = [i for i, a in enumerate(arrays) if a.dtype.kind == "f"]
    if not places:
        raise ValueError("gradcheck: no floating-point argument to differentiate")
    points = [arrays[i].astype(np.float64) for i in places]

    def call(tensors):
        filled = [x if i not in places else None for i, x in enumerate(xs)]
        for i, t in zip(places, tensors):
            filled[i] = t
        return f(*filled)

    with enable_grad():
        y = call([Tensor(p) for p in points])
        weights = away_from_zero(rng, y.shape)

        def value(tensors):
            return (call(tensors) * weights).sum()

        compare(value, points, places, 1, rtol, atol, rng)
        if order == 2:
            turns = [away_from_zero(rng, p.shape) for p in points]

            def slope(tensors):
                gs = grad(value(tensors), tensors, create_graph=True, allow_unused=True)
                return sum(((g * u).sum() for g, u in zip(gs, turns) if g is not None), start=0.0 * tensors[0].sum())

            compare(slope, points, places, 2, rtol, atol, rng)
    return True


def away_from_zero(rng, shape):
    """Return random numbers of both signs between 0.5 and 1.5 in size, so that every element counts."""
    return rng.uniform(0.5, 1.5, shape) * rng.choice([-1.0, 1.0], shape)


def compare(value, points, places, order, rtol, atol, rng):
    """Compare d(value)/d(point) with central differences along a random direction for each point."""
    leaves = [Tensor(p, requires_grad=True) for p in points]
    loss = value(leaves)
    gs = grad(loss, leaves, allow_unused=True) if loss.requires_grad else [None] * len(leaves)
    for k, (place, point, g) in enumerate(zip(places, points, gs)):
        got = np.zeros(point.shape) if g is None else g.data
        if got.shape != point.shape:
            raise AssertionError(f"order {order}, argument {place}: gradient of shape {got.shape} for {point.shape}")

        def difference(direction, k=k):
            return central_difference(value, points, k, direction)[0]

        direction = away_from_zero(rng, point.shape)
        expected, size = central_difference(value, points, k, direction)
        if close(float(np.sum(got * direction)), expected, size + np.abs(got * direction).sum(), rtol, atol):
            continue
        raise AssertionError(describe(got, difference, order, place, rtol, atol))


def central_difference(value, points, k, direction):
    """Return the slope of ``value`` when point k moves along ``direction``, and how large the value is."""
    point = points[k]
    length = STEP * max(1.0, float(np.max(np.abs(point), initial=0.0)))
    length /= max(1.0, float(np.max(np.abs(direction), initial=0.0)))
    ends = []
    for sign in (1, -1):
        moved = [Tensor(p, requires_grad=True) for p in points]
        moved[k] = Tensor(point + sign * length * direction, requires_grad=True)
        ends.append(value(moved).item())
    return (ends[0] - ends[1]) / (2 * length), max(map(abs, ends))


def close(got, expected, scale, rtol, atol):
    """Say whether two slopes agree; NaN agrees with nothing."""
    return abs(got - expected) <= rtol * max(abs(got), abs(expected)) + atol * scale


def describe(got, difference, order, place, rtol, atol):
    """Find the element that is farthest off, and say so."""
    worst, text = -1.0, ""
    for index in np.ndindex(got.shape):
        direction = np.zeros(got.shape)
        direction[index] = 1.0
        expected = difference(direction)
        error = abs(got[index] - expected)
        if error > worst or error != error:
            worst = error
            text = (f"gradient of order {order} is wrong: argument {place}, index {index}: got {got[index]:.12g}, "
                    f"expected {expected:.12g} by central differences (relative difference "
                    f"{error / max(abs(expected), 1e-300):.2g}, allowed {rtol:g})")
            if error != error:
                break
    return text

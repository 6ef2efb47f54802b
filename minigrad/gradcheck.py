"""Check a gradient against central differences, at order 1 and 2.

A gradient is compared along random directions, one per argument: <dL/dx, d> against
(L(x + d) - L(x - d)) / 2, where L = <f(x), v> for a random v, and every element of d is a small step of a size of its
own.  A direction meets every element at once, so a wrong rule shows (one element in some thousand may hide, or one
that L hardly depends on); only then is each element tried, to name the one that is off.

The step is relative to an element's size, or to 1 if that is larger.  No step suits every function: at 1e6 it should
be 1e-6 for sin(x), at 1e-8 it should be 1e-14 for sqrt(x).  So where a direction disagrees, each element is tried with
finer steps, and those for which that proves the gradient right are left out of the direction.
"""

import numpy as np

from minigrad.gradient import grad
from minigrad.recording import enable_grad
from minigrad.table import name_of
from minigrad.tensor import Tensor

STEP = np.finfo(float).eps ** (1 / 3)
"""Relative step of the central difference, where its truncation and rounding errors balance (about 6e-6)."""


def gradcheck(f, *xs, order=1, rtol=1e-6, atol=1e-8, eps=STEP, rng=None):
    """Compare the gradient of ``f`` with central differences; raise where they differ, else return True.

    Args:
        f: a function of tensors that returns a tensor (of any shape).
        *xs: its arguments, arrays or tensors; floating ones are differentiated, in float64, the others
            are handed over as they are.  They may stand in one tuple, as in PyTorch.
        order: 1 for the gradient; 2 for the gradient of the gradient as well (which is taken with ``create_graph``).
        rtol, atol: allowed difference, relative to the slope, and to the size of the function's values and gradient.
        eps: the step of the differences, relative to the size of each element or to 1.
        rng: a ``numpy.random.Generator`` for the directions; default seeded with 0.

    Raises:
        AssertionError: naming order, argument, index, the value got and the value expected.
        ValueError: if ``order`` is neither 1 nor 2, ``eps`` is not above 0, or no argument is floating-point.
        TypeError: if ``f`` does not return one tensor.

    Example:
        >>> import numpy as np, minigrad as mg
        >>> mg.gradcheck(np.tanh, np.array([0.3, -2.0]), order=2)
        True
    """
    if order not in (1, 2):
        raise ValueError(f"gradcheck: order is 1 or 2, not {order!r}")
    if not eps > 0:
        raise ValueError(f"gradcheck: eps = {eps}; the step of the differences is above 0 (by default {STEP:.1g})")
    if len(xs) == 1 and isinstance(xs[0], tuple):
        xs = xs[0]
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
        if not isinstance(y, Tensor):
            raise TypeError(f"gradcheck: {name_of(f)} returned a {type(y).__name__}, and one tensor is wanted; of "
                            f"several results check one at a time, as lambda *xs: f(*xs)[0]")
        weights = plain_if_alone(away_from_zero(rng, y.shape))

        def terms(tensors):
            return [call(tensors) * weights]

        compare(terms, points, places, 1, rtol, atol, eps, rng)
        if order == 2:
            turns = [away_from_zero(rng, p.shape) for p in points]
            if len(turns) == 1:
                turns = [plain_if_alone(turns[0])]

            def slope_terms(tensors):
                gs = grad(total(terms(tensors)), tensors, create_graph=True, allow_unused=True)
                return [g * u for g, u in zip(gs, turns) if g is not None] or [0.0 * tensors[0]]

            compare(slope_terms, points, places, 2, rtol, atol, eps, rng)
    return True


def away_from_zero(rng, shape):
    """Return random numbers of both signs between 0.5 and 1.5 in size, so that every element counts."""
    return rng.uniform(0.5, 1.5, shape) * rng.choice([-1.0, 1.0], shape)


def plain_if_alone(weights):
    """Return 1 in place of the weight of a single number: then an error quotes the derivative that a reader expects."""
    return weights if weights.size > 1 else np.ones_like(weights)


def total(terms):
    """Return the sum of all elements of some tensors."""
    return sum(term.sum() for term in terms)


def compare(terms, points, places, order, rtol, atol, eps, rng):
    """Compare d(sum of the terms)/d(point) with central differences along a random direction for each point."""
    leaves = [Tensor(p, requires_grad=True) for p in points]
    loss = total(terms(leaves))
    gs = grad(loss, leaves, allow_unused=True) if loss.requires_grad else [None] * len(leaves)
    for k, (place, point, g) in enumerate(zip(places, points, gs)):
        got = np.zeros(point.shape) if g is None else g.data
        if got.shape != point.shape:
            raise AssertionError(f"order {order}, argument {place}: gradient of shape {got.shape} for {point.shape}")
        steps = eps * away_from_zero(rng, point.shape)

        def differences(steps, k=k):
            return central_differences(terms, points, k, steps)

        if agrees(got, steps * np.maximum(np.abs(point), 1.0), differences, rtol, atol, eps):
            continue
        doubtful = ~settled(got, point, eps, differences, rtol)
        if not agrees(got, steps * np.maximum(np.abs(point), 1.0) * doubtful, differences, rtol, atol, eps):
            raise AssertionError(describe(got, point, doubtful, eps, differences, order, place, rtol))


def central_differences(terms, points, k, steps):
    """Move point k by ``steps`` either way, and see what the terms make of it.

    Returns:
        half the way that was really made, half the change of the sum, the size of the sum, and the size of the terms
        that changed: subtracted one by one, the others bring no rounding error.
    """
    ends, found = (points[k] + steps, points[k] - steps), []
    for end in ends:
        moved = [Tensor(p, requires_grad=True) for p in points]
        moved[k] = Tensor(end, requires_grad=True)
        with np.errstate(all="ignore"):                 # a step may lead to where the function is not defined
            found.append(np.concatenate([term.data.ravel() for term in terms(moved)]))
    there, back = found
    with np.errstate(all="ignore"):
        change = there - back
        return ((ends[0] - ends[1]) / 2, float(change.sum()) / 2, max(abs(float(end.sum())) for end in found),
                float(np.abs(there[change != 0]).sum()))


def agrees(got, steps, differences, rtol, atol, eps):
    """Say whether a gradient foretells the change along all steps together; NaN agrees with nothing."""
    made, change, size, _ = differences(steps)
    terms = got * made
    foretold = float(np.sum(terms))
    allowed = rtol * max(abs(foretold), abs(change)) + atol * (eps * size + np.abs(terms).sum())
    return abs(foretold - change) <= allowed


def settled(got, point, eps, differences, rtol):
    """Return for which elements, each moved alone, a finer step shows beyond doubt that the gradient is right.

    Finer than rounding allows is no proof: the change must stand out from it by 1e5.
    """
    out = np.zeros(got.shape, bool)
    for index in np.ndindex(got.shape):
        far = abs(float(point[index]))
        for scale in (far, min(far, 1.0)):
            made, change, _, changed = differences(one_step(got.shape, index, eps * scale))
            foretold, noise = float(got[index] * made[index]), 4 * np.finfo(float).eps * changed
            if noise < 1e-5 * abs(change) and abs(foretold - change) <= rtol * abs(change) + noise:
                out[index] = True
    return out


def one_step(shape, index, length):
    """Return steps of which only one is not 0."""
    steps = np.zeros(shape)
    steps[index] = length
    return steps


def describe(got, point, doubtful, eps, differences, order, place, rtol):
    """Find the doubtful element that is farthest off, and say so."""
    worst, text = -1.0, (f"order {order}, argument {place}, of shape {got.shape}: it has no elements, but the value of "
                         f"the function has the size {differences(np.zeros(got.shape))[2]}")
    for index in np.argwhere(doubtful):
        index = tuple(index.tolist())
        far = abs(float(point[index]))
        for scale in (max(far, 1.0), far):                                  # sqrt has no other side of 0
            made, change, _, _ = differences(one_step(got.shape, index, eps * scale))
            expected = change / float(made[index]) if made[index] else np.nan
            if expected == expected:
                break
        error = abs(got[index] - expected)
        if error > worst or error != error:
            worst = error
            text = (f"gradient of order {order} is wrong: argument {place}, index {index}: got {got[index]:.12g}, "
                    f"expected {expected:.12g} by central differences (relative difference "
                    f"{error / max(abs(expected), 1e-300):.2g}, allowed {rtol:g})")
            if error != error:
                break
    return text

"""Wide plain nets at their start: how long the activations get, and what that does to the gradient.

h' = W phi(h) + b with W ~ N(0, sigma_w2 / n) and b ~ N(0, sigma_b2), n wide.  The mean square q of the
pre-activations h follows the length map; at its fixed point q* every layer multiplies ||dL/dh||^2 by chi_1 on the way
back (Poole and others 2016; Schoenholz and others 2017).
"""

import math
from typing import NamedTuple

import numpy as np

from minigrad.theory.activations import Homogeneous
from minigrad.theory.activations import activation as find
from minigrad.theory.arguments import count, length, variance

EDGE = 1e-9
"""A chi_1 that is this near 1 counts as critical."""

NOISE = 4e-15
"""The length map less q, relative to q, is not told from 0 below this."""

SPAN = (1e-30, 1e30)
"""Where fixed points are looked for; outside a length counts as 0 or inf."""


class FixedPoint(NamedTuple):
    """A fixed point of the length map.

    Attributes:
        q: the length; NaN where every length is kept.
        slope: of the length map there.
        kind: "attracting", "repelling", "marginal" or "every q".
    """

    q: float
    slope: float
    kind: str


def length_map(activation, q, sigma_w2, sigma_b2=0.0):
    """Return the mean square of the next layer's pre-activations, sigma_w2 E phi(sqrt(q) z)^2 + sigma_b2.

    Args:
        activation: a name, or a pair of functions (phi, slope); see :func:`minigrad.theory.activation`.
        q: mean square of this layer's; a number or an array.
        sigma_w2: variance of the weights times the number of inputs.
        sigma_b2: variance of the biases.

    Returns:
        a float, or an array of q's shape.

    Raises:
        ValueError: for a negative variance or length, or an activation that is unknown.

    Example:
        >>> round(length_map("relu", 3.0, 2.0, 0.1), 12)
        3.1
    """
    act = find(activation)
    sigma_w2, sigma_b2 = variance(sigma_w2, "sigma_w2"), variance(sigma_b2, "sigma_b2")
    return each(lambda one: next_length(act, one, sigma_w2, sigma_b2), q)


def chi_at(activation, q, sigma_w2):
    """Return the factor of ||dL/dh||^2 per layer at a length q, sigma_w2 E phi'(sqrt(q) z)^2.

    Arguments, result and errors are those of :func:`length_map`.

    Example:
        >>> round(chi_at("tanh", 0.1936, 1.0), 4)
        0.759
    """
    act, sigma_w2 = find(activation), variance(sigma_w2, "sigma_w2")
    return each(lambda one: chi_of(act, one, sigma_w2), q)


def q_star(activation, sigma_w2, sigma_b2=0.0, q0=1.0):
    """Return the length that a deep net settles at: where the length map takes q0 in the end.

    That is the nearest fixed point in the direction of the first step, as the map rises with q for every activation
    known by name.  (For any other it falls with a slope of -1/2 at most, so lengths never swing for ever.)  0.0 if
    signals die out; inf if they grow without bound; q0 itself if every length is kept.

    Args:
        activation, sigma_w2, sigma_b2: as for :func:`length_map`.
        q0: mean square at the first layer.

    Raises:
        ValueError: as for :func:`length_map`.

    Example:
        >>> round(q_star("tanh", 1.0, 0.05), 4)
        0.1936
        >>> q_star("relu", 2.1)
        inf
    """
    act, sigma_w2, sigma_b2, q0 = checked(activation, sigma_w2, sigma_b2, q0)
    return settle(act, sigma_w2, sigma_b2, q0)


def chi_1(activation, sigma_w2, sigma_b2=0.0, q0=1.0):
    """Return the factor of ||dL/dh||^2 per layer, backwards, at the fixed point q*: sigma_w2 E phi'(sqrt(q*) z)^2.

    Below 1 gradients vanish with depth, above they explode.  At q* = inf it is the limit.  Arguments as for
    :func:`q_star`.

    Example:
        >>> round(chi_1("tanh", 1.0, 0.05), 4)
        0.759
    """
    act, sigma_w2, sigma_b2, q0 = checked(activation, sigma_w2, sigma_b2, q0)
    return chi_of(act, settle(act, sigma_w2, sigma_b2, q0), sigma_w2)


def fixed_points(activation, sigma_w2, sigma_b2=0.0):
    """Return all fixed points of the length map from 0 to inf, as a list of :class:`FixedPoint`.

    Found as changes of sign on a grid of q from 1e-30 to 1e30 (neighbours 20 % apart between 1e-4 and 1e4), so two that
    lie closer together than the grid are missed.  Arguments as for :func:`q_star`.

    Example:
        >>> [(round(p.q, 4), p.kind) for p in fixed_points("tanh", 2.0)]
        [(0.0, 'repelling'), (0.618, 'attracting')]
        >>> fixed_points("relu", 2.0)
        [FixedPoint(q=nan, slope=1.0, kind='every q')]
    """
    act, sigma_w2, sigma_b2, _ = checked(activation, sigma_w2, sigma_b2)
    found, growth = [], growth_at_infinity(act, sigma_w2)
    if isinstance(act, Homogeneous):
        if growth == 1 and sigma_b2 == 0:
            return [FixedPoint(math.nan, 1.0, "every q")]
        roots = [sigma_b2 / (1 - growth)] if growth < 1 and sigma_b2 > 0 else []
    else:
        grid = np.concatenate([np.logspace(-30, -4, 53)[:-1], np.logspace(-4, 4, 102), np.logspace(4, 30, 53)[1:]])
        grid = grid[8 * np.sqrt(grid) < act.reach]
        roots = crossings(act, sigma_w2, sigma_b2, grid.tolist())
    if next_length(act, 0.0, sigma_w2, sigma_b2) == 0:
        found.append(FixedPoint(0.0, *at_zero(act, sigma_w2)))
    for root in roots:
        slope = sigma_w2 * act.square_rate(root)
        found.append(FixedPoint(root, slope, kind_of(slope)))
    if growth > 1 or (growth == 1 and isinstance(act, Homogeneous)):
        found.append(FixedPoint(math.inf, growth, "attracting"))
    elif growth > 0 and math.isinf(act.square(math.inf)):
        found.append(FixedPoint(math.inf, growth, kind_of(1 / growth)))
    return found


def trajectory(activation, depth, sigma_w2, sigma_b2=0.0, q0=1.0):
    """Return the lengths q_0 ... q_depth from layer to layer, and chi at each.

    Returns:
        two arrays of shape (depth + 1,): q_l, and sigma_w2 E phi'(sqrt(q_l) z)^2.

    Example:
        >>> q, chi = trajectory("tanh", 2, 1.0, 0.05, q0=1.0)
        >>> q.round(3), chi.round(3)
        (array([1.   , 0.444, 0.305]), array([0.464, 0.614, 0.683]))
    """
    act, sigma_w2, sigma_b2, q = checked(activation, sigma_w2, sigma_b2, q0)
    lengths, chis = np.empty(count(depth, "depth") + 1), np.empty(depth + 1)
    for k in range(depth + 1):
        if k and q == lengths[k - 1]:                                   # settled to the last digit
            lengths[k:], chis[k:] = q, chis[k - 1]
            break
        lengths[k], chis[k] = q, chi_of(act, q, sigma_w2)
        q = next_length(act, q, sigma_w2, sigma_b2)
    return lengths, chis


# ------------------------------------------------------------------------------------------ how

def checked(given, sigma_w2, sigma_b2, q0=1.0):
    """Return the arguments of most functions here, checked."""
    return find(given), variance(sigma_w2, "sigma_w2"), variance(sigma_b2, "sigma_b2"), length(q0, "q0")


def each(f, q):
    """Return f of a length, or of every one in an array."""
    if np.ndim(q) == 0:
        return f(length(q))
    q = np.asarray(q, dtype=float)
    return np.array([f(length(one)) for one in q.ravel()]).reshape(q.shape)


def next_length(act, q, sigma_w2, sigma_b2):
    """Return the length map at q."""
    return sigma_w2 * act.square(q) + sigma_b2 if sigma_w2 else sigma_b2


def chi_of(act, q, sigma_w2):
    """Return chi at q."""
    return sigma_w2 * act.slope_square(q)


def growth_at_infinity(act, sigma_w2):
    """Return the slope of the length map at inf, exactly 1 where rounding alone keeps it from 1."""
    growth = sigma_w2 * act.slope_square(math.inf)
    return 1.0 if abs(growth - 1) < 1e-14 else growth


def settle(act, sigma_w2, sigma_b2, q0):
    """Return where the length map takes q0 in the end."""
    if isinstance(act, Homogeneous):
        growth = growth_at_infinity(act, sigma_w2)
        if growth < 1:
            return sigma_b2 / (1 - growth)
        return q0 if sigma_b2 == 0 and (growth == 1 or q0 == 0) else math.inf
    first = next_length(act, q0, sigma_w2, sigma_b2)
    if q0 in (0.0, math.inf):
        if first == q0:
            return q0
        q0, first = first, next_length(act, first, sigma_w2, sigma_b2)
    if abs(first - q0) <= NOISE * q0:
        return q0
    up = first > q0
    far = np.cumprod(np.concatenate([np.full(36, 1.2), np.full(200, 3.0)]))
    grid = q0 * far if up else q0 / far
    low = min(SPAN[0], sigma_b2 / 2) if sigma_b2 else SPAN[0]
    high = SPAN[1] if growth_at_infinity(act, sigma_w2) < 1 else 1e8                # then it never comes down again
    ahead = grid[grid < high] if up else grid[grid > low]
    ahead = [q0, *ahead.tolist()] if up else [q0, *ahead.tolist(), low]
    return next(crossings(act, sigma_w2, sigma_b2, ahead), math.inf if up else 0.0)


def crossings(act, sigma_w2, sigma_b2, grid):
    """Yield where the length map crosses the diagonal, in the order of a grid of q."""
    def excess(q):
        found = next_length(act, q, sigma_w2, sigma_b2) - q
        return found if abs(found) > NOISE * q else 0.0

    last = last_value = None
    for q in grid:
        value = excess(q)
        if value == 0:
            continue
        if last is not None and (value > 0) != (last_value > 0):
            yield solve(excess, lambda x: sigma_w2 * act.square_rate(x) - 1, *sorted((last, q)))
        last, last_value = q, value


def solve(f, rate, low, high):
    """Return a root of f between two points of unlike sign: Newton's steps, halving where they leave the bracket."""
    rising = f(high) > 0
    x = math.sqrt(low * high) if low > 0 else 0.5 * (low + high)
    for _ in range(200):
        value = f(x)
        if value == 0 or high - low <= 2e-16 * high:
            return x
        if (value > 0) == rising:
            high = x
        else:
            low = x
        slope = rate(x)
        step = x - value / slope if slope else math.nan
        if not low < step < high:
            step = 0.5 * (low + high)
        if abs(step - x) <= 2e-16 * x:
            return step
        x = step
    return x


def kind_of(slope):
    """Return the kind of fixed point with this slope."""
    return "marginal" if abs(abs(slope) - 1) < EDGE else "attracting" if abs(slope) < 1 else "repelling"


def at_zero(act, sigma_w2):
    """Return slope and kind of the fixed point 0."""
    slope = sigma_w2 * act.slope_square(0.0)
    if abs(slope - 1) < EDGE:
        here = next_length(act, 1e-3, sigma_w2, 0.0) - 1e-3
        return slope, "attracting" if here < 0 else "repelling" if here > 0 else "marginal"
    return slope, kind_of(slope)

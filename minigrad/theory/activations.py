"""The activations that the theory knows, and what it asks of them: averages of phi and phi' over a Gaussian.

Linear, (leaky) ReLU and erf have closed forms; every other goes through :mod:`minigrad.theory.gaussian`.
"""

import difflib
import functools
import math

import numpy as np

from minigrad.theory.gaussian import apart, edges_for, edges_of_smooth, hermite_squares, nodes

FEWEST, MOST = 60, 400
"""How many Hermite coefficients a correlation takes: tanh at q = 10 needs 400 for 11 digits."""

EDGES = {0.0: np.array([-1e-30, 1e-30]), math.inf: np.array([-1e30, 1e30])}
"""Where limits are taken: a slope may jump at 0, and differ at both ends."""


class Activation:
    """An activation phi with its slope phi', and their averages over u ~ N(0, q), by quadrature.

    Args:
        name: of the activation.
        phi, slope: the function and its derivative, of arrays.
        odd: whether phi(-u) = -phi(u).
        edges: where to cut the line (see ``gaussian``).
        reach: how far out, in u, these edges resolve phi.
    """

    def __init__(self, name, phi, slope, odd=False, edges=None, reach=math.inf):
        self.name, self.phi, self.slope, self.odd, self.reach = name, phi, slope, odd, reach
        self.edges = edges_of_smooth() if edges is None else edges

    def __repr__(self):
        return f"<activation {self.name}>"

    def nodes(self, q):
        """Return nodes and weights for averages over N(0, q)."""
        if 8.0 * math.sqrt(q) > self.reach:
            raise ValueError(f"{self.name} is resolved up to |u| = {self.reach:g} only (it has features beyond), so "
                             f"q = {q:g} is too large: q <= {(self.reach / 8) ** 2:g}")
        return nodes(q, self.edges)

    def average(self, f, q):
        """Return E f(u); at q = 0 and inf the limit."""
        if q == 0 or q == math.inf:
            return float(np.mean(f(EDGES[q])))
        u, w = self.nodes(q)
        return float(w @ f(u))

    def mean(self, q):
        """Return E phi(u)."""
        return float(self.phi(np.zeros(1))[0]) if q == 0 else self.average(self.phi, q)

    def square(self, q):
        """Return E phi(u)^2; inf at q = inf if phi is not bounded."""
        if q > 1e280 and self.slope_square(math.inf) > 0:             # u^2 would overflow
            return q * self.slope_square(math.inf)
        return self.mean(0.0) ** 2 if q == 0 else self.average(lambda u: self.phi(u) ** 2, q)

    def square_rate(self, q):
        """Return d E phi(u)^2 / dq = E[phi phi' u] / q."""
        if q == math.inf or (q == 0 and self.mean(0.0) == 0):
            return self.slope_square(q)
        q = max(q, 1e-290 if self.mean(0.0) == 0 else 1e-12)
        u, w = self.nodes(q)
        return float(w @ (self.phi(u) * self.slope(u) * u)) / q

    def slope_square(self, q):
        """Return E phi'(u)^2."""
        return self.average(lambda u: self.slope(u) ** 2, q)

    def slope_fourth(self, q):
        """Return E phi'(u)^4."""
        return self.average(lambda u: self.slope(u) ** 4, q)

    def apart(self, q):
        """Return a function of d: by how much E phi(u1) phi(u2) falls short of E phi^2, and its rate, q E phi' phi'.

        u1 and u2 have variance q and correlation 1 - d, with d in [0, 1].  It is summed as sum a_n^2 (1 - (1 - d)^n)
        over Hermite coefficients; where too much is left of these, as it may be at large q and small d, it is
        integrated in two dimensions.
        """
        u, w = self.nodes(q)
        phi, slope = self.phi(u), self.slope(u)
        squares = hermite_squares(phi, u, w, q, int(min(MOST, FEWEST + 40 * q)))
        n = np.arange(len(squares))
        whole, whole_rate = float(w @ phi ** 2), q * float(w @ slope ** 2)
        rest, rest_rate = whole - squares.sum(), whole_rate - n @ squares
        rest = rest if rest > 1e-13 * whole else 0.0                # the others are rounding

        def at(d):
            if d == 0:
                return 0.0, whole_rate
            logs = n * math.log1p(-d) if d < 1 else np.where(n > 0, -math.inf, 0.0)
            left = np.exp(logs[-1])
            if left * rest > 1e-11 * whole or left * rest_rate > 1e-11 * whole_rate:
                short, rate = apart(self.phi, self.slope, q, d, self.edges)
                return short, q * rate
            return rest - float(squares @ np.expm1(logs)), float((n[1:] * squares[1:]) @ np.exp(logs[:-1]))
        return at


class Homogeneous(Activation):
    """Slope 1 to the right of 0, another to the left: linear, ReLU, leaky ReLU; all averages in closed form."""

    def __init__(self, name, left):
        super().__init__(name, lambda u: np.where(u > 0, u, left * u), lambda u: np.where(u > 0, 1.0, left),
                         odd=left == 1)
        self.left, self.half = left, 0.5 * (1 + left * left)

    def mean(self, q):
        """Return E phi(u) = (1 - left) sqrt(q / 2 pi)."""
        return (1 - self.left) * math.sqrt(q / (2 * math.pi)) if self.left != 1 else 0.0

    def square(self, q):
        """Return E phi(u)^2 = q (1 + left^2) / 2."""
        return q * self.half

    def square_rate(self, q):
        """Return (1 + left^2) / 2."""
        return self.half

    def slope_square(self, q):
        """Return (1 + left^2) / 2."""
        return self.half

    def slope_fourth(self, q):
        """Return (1 + left^4) / 2."""
        return 0.5 * (1 + self.left ** 4)

    def apart(self, q):
        """Return what :meth:`Activation.apart` does, by the arc-cosine kernel (Cho, Saul 2009)."""
        even, odd = (0.5 * (1 - self.left)) ** 2 * 2 / math.pi, (0.5 * (1 + self.left)) ** 2

        def at(d):
            c, s = 1 - d, math.sqrt(d * (2 - d))
            return q * (odd * d + even * (math.pi / 2 - s - c * math.asin(c))), q * (odd + even * math.asin(c))
        return at


class Erf(Activation):
    """phi(u) = erf(u), all averages in closed form (Williams 1997)."""

    def __init__(self):
        super().__init__("erf", erf, lambda u: 2 / math.sqrt(math.pi) * np.exp(-u * u), odd=True)

    def square(self, q):
        """Return (2/pi) asin(2 q / (1 + 2 q))."""
        return 2 / math.pi * math.asin(2 * q / (1 + 2 * q)) if q < 1 else 1 - 2 / math.pi * asin_rest(q)

    def square_rate(self, q):
        """Return (4/pi) / ((1 + 2 q) sqrt(1 + 4 q))."""
        return 4 / math.pi / ((1 + 2 * q) * math.sqrt(1 + 4 * q))

    def slope_square(self, q):
        """Return (4/pi) / sqrt(1 + 4 q)."""
        return 4 / math.pi / math.sqrt(1 + 4 * q)

    def slope_fourth(self, q):
        """Return (16/pi^2) / sqrt(1 + 8 q)."""
        return 16 / math.pi ** 2 / math.sqrt(1 + 8 * q)

    def apart(self, q):
        """Return what :meth:`Activation.apart` does:

        (2/pi) (asin(2q / (1 + 2q)) - asin(2qc / (1 + 2q))) and its rate.
        """
        def at(d):
            c, other = 1 - d, math.sqrt((1 + 2 * q * d) * (1 + 2 * q * (2 - d)))
            sine = 2 * q * d * (2 - d) / (other + c * math.sqrt(1 + 4 * q))      # of the difference of the angles
            return 2 / math.pi * math.asin(min(1.0, sine)), 4 * q / math.pi / other
        return at


def asin_rest(q):
    """Return pi/2 - asin(2q / (1 + 2q)), without the cancellation at large q."""
    return math.atan2(math.sqrt(1 + 4 * q), 2 * q) if q < math.inf else 0.0


def erf(u):
    """Return the error function of an array."""
    u = np.asarray(u, dtype=float)
    return np.fromiter(map(math.erf, u.ravel().tolist()), float, u.size).reshape(u.shape)


def sigmoid(u):
    """Return 1 / (1 + exp(-u))."""
    return 0.5 + 0.5 * np.tanh(0.5 * u)


def normal(u):
    """Return the distribution function of N(0, 1), within 1e-19."""
    found, near = (u > 0).astype(float), np.abs(u) < 9
    found[near] = [0.5 * math.erfc(x) for x in (u[near] / -math.sqrt(2)).tolist()]
    return found


def sigmoid_slope(u):
    """Return s(u) s(-u)."""
    return 0.25 - 0.25 * np.tanh(0.5 * u) ** 2


def tanh_slope(u):
    """Return 1 - tanh(u)^2; the digits it lacks where tanh saturates are too small to count in an average."""
    return 1 - np.tanh(u) ** 2


def silu_slope(u):
    """Return s(u) + u s(u) s(-u)."""
    return sigmoid(u) + u * sigmoid_slope(u)


def gelu_slope(u):
    """Return Phi(u) + u exp(-u^2/2) / sqrt(2 pi)."""
    return normal(u) + u * np.exp(-0.5 * np.minimum(u * u, 1400.0)) / math.sqrt(2 * math.pi)


def exponential(u):
    """Return exp(u) left of 0, and 1 to the right."""
    return np.exp(np.minimum(u, 0.0))


ALPHA, SCALE = 1.6732632423543772848, 1.0507009873554804934
"""Of SELU (Klambauer and others 2017)."""

KNOWN = {
    "linear": lambda: Homogeneous("linear", 1.0),
    "relu": lambda: Homogeneous("relu", 0.0),
    "leaky_relu": lambda: Homogeneous("leaky_relu", 0.01),
    "tanh": lambda: Activation("tanh", np.tanh, tanh_slope, odd=True),
    "erf": Erf,
    "sigmoid": lambda: Activation("sigmoid", sigmoid, sigmoid_slope),
    "gelu": lambda: Activation("gelu", lambda u: u * normal(u), gelu_slope),
    "silu": lambda: Activation("silu", lambda u: u * sigmoid(u), silu_slope),
    "softplus": lambda: Activation("softplus", lambda u: np.logaddexp(0.0, u), sigmoid),
    "elu": lambda: Activation("elu", lambda u: np.where(u > 0, u, np.expm1(np.minimum(u, 0.0))), exponential),
    "selu": lambda: Activation(
        "selu", lambda u: SCALE * np.where(u > 0, u, ALPHA * np.expm1(np.minimum(u, 0.0))),
        lambda u: SCALE * np.where(u > 0, 1.0, ALPHA * exponential(u))),
}
ALIASES = {"identity": "linear", "leakyrelu": "leaky_relu", "swish": "silu", "logistic": "sigmoid"}


def activation(given):
    """Return what the theory knows of an activation.

    Args:
        given: a name (linear, relu, leaky_relu, tanh, erf, sigmoid, gelu, silu, softplus, elu, selu; capitals do not
            matter, so the name of a layer such as "LeakyReLU" will do), a pair (phi, slope) of vectorised functions,
            or what this function or :func:`leaky_relu` returned.

    Raises:
        ValueError: for a name it does not know (with the names nearest to it), or a slope that is not that of phi.
        TypeError: for anything else.

    Example:
        >>> activation("Tanh")
        <activation tanh>
        >>> import numpy as np
        >>> round(activation((np.sin, np.cos)).square(1.0), 12)          # (1 - exp(-2)) / 2
        0.432332358382
    """
    if isinstance(given, Activation):
        return given
    if isinstance(given, str):
        name = given.lower()
        name = ALIASES.get(name, name)
        if name not in KNOWN:
            near = difflib.get_close_matches(name, [*KNOWN, *ALIASES], n=2, cutoff=0.5)
            hint = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
            raise ValueError(f"unknown activation {given!r}; {hint}Known are {', '.join(KNOWN)}, or give a pair of "
                             f"functions (phi, slope of phi)")
        return named(name)
    if isinstance(given, (tuple, list)) and len(given) == 2 and all(map(callable, given)):
        return of_pair(*given)
    raise TypeError(f"an activation is a name ({', '.join(KNOWN)}) or a pair of functions (phi, slope of phi), not "
                    f"{'a function alone: give its slope too' if callable(given) else repr(given)}")


@functools.cache
def named(name):
    """Return a known activation; one object a name."""
    return KNOWN[name]()


def leaky_relu(negative_slope=0.01):
    """Return the activation max(u, 0) + negative_slope min(u, 0).

    Example:
        >>> from minigrad import theory
        >>> round(theory.critical_line(theory.leaky_relu(0.5), 0.0), 12)
        1.6
    """
    slope = float(negative_slope)
    if not math.isfinite(slope):
        raise ValueError(f"negative_slope = {negative_slope!r} is not finite")
    return Homogeneous(f"leaky_relu({slope:g})", slope)


@functools.lru_cache(maxsize=64)
def of_pair(phi, slope):
    """Return the activation of a function and its slope, once they have been seen to belong together."""
    name = getattr(phi, "__name__", "phi")
    u, h = np.array([-2.31, -0.73, -0.117, 0.131, 0.83, 2.17]), 1e-5
    with np.errstate(all="ignore"):
        values = [np.asarray(f(x), dtype=float) for f, x in ((phi, u + h), (phi, u - h), (slope, u))]
    if any(v.shape != u.shape for v in values):
        raise ValueError(f"{name} and its slope must take an array and return one of its shape; of {u.shape} they made "
                         f" {', '.join(str(v.shape) for v in values[1:])}")
    steep = (values[0] - values[1]) / (2 * h)
    off = np.abs(steep - values[2]) > 1e-4 * (1 + np.abs(steep))
    if off.any():
        k = int(np.argmax(off))
        raise ValueError(f"the slope given for {name} is not its derivative: at u = {u[k]:g} it says "
                         f"{values[2][k]:.6g}, finite differences say {steep[k]:.6g}")
    with np.errstate(over="ignore", under="ignore"):
        edges, reach = edges_for([lambda x: phi(x) ** 2, lambda x: slope(x) ** 2])
    return Activation(name, phi, slope, bool(np.array_equal(phi(u), -np.asarray(phi(-u)))), edges, reach)

"""Tutorial 13, gradients of gradients: the curvature along a direction, the smallest eigenvalue, the edge."""

from functools import partial

import numpy as np

from minigrad.check.exam import Case, examine, short
from minigrad.gradient import grad
from minigrad.tensor import Tensor


def curvature(answer):
    """Check ``answer(f, w, v)``: the second derivative v.Hv / v.v of f at w along v.

    Oracles: closed forms, and an invariance: the length of v does not matter.

    Args:
        answer: a function of f (tensor -> tensor of one element), and two arrays of one shape, that returns a number.

    Returns:
        1 if it is right for all inputs, else 0.

    Example:
        >>> def unscaled(f, w, v):
        ...     w = Tensor(w, requires_grad=True)
        ...     g = grad(f(w), w, create_graph=True)
        ...     return (v * grad((g * v).sum(), w).data).sum()
        >>> curvature(unscaled)
        curvature: not yet right for f(w) = 3/2 w^2, w = [1], v = [2]: expected 3, received 12. Hint: divide by v.v: \
the curvature along v must not depend on how long v is.
        0
    """
    def judge(received, f, w, v, expected):
        got = number(received)
        if np.isclose(got, expected, rtol=1e-6, atol=1e-9):
            return ""
        if np.ndim(getattr(received, "data", received)):
            return "Hv is an array; what is asked for is one number, v.Hv / v.v"
        square = (v * v).sum()
        slope = (grad_at(f, w) * v).sum()
        if not np.isclose(square, 1) and np.isclose(got, expected * square, rtol=1e-5):
            return "divide by v.v: the curvature along v must not depend on how long v is"
        if not np.isclose(square, 1) and np.isclose(got, expected * np.sqrt(square), rtol=1e-5):
            return "v stands twice in v.Hv, so divide by v.v, the square of its length"
        if np.isclose(got, slope) or np.isclose(got, slope / np.sqrt(square)):
            return "that is the slope g.v; differentiate g.v once more, and multiply by v again"
        if np.isclose(got, -expected, rtol=1e-5):
            return "the sign"
        return "g = mg.grad(f(w), w, create_graph=True); the gradient of (g * v).sum() is Hv; then v.Hv / v.v"

    slopes, at, along = np.array([1.0, 2.0, -1.0]), np.array([0.3, -0.5, 1.0]), np.array([1.0, 2.0, -2.0])
    bends = -2 * slopes * np.tanh(at) * (1 - np.tanh(at) ** 2)
    bowl, saddle = np.array([1.0, 10.0]), np.array([[2.0, 1.0], [1.0, -3.0]])
    cases = []
    for text, f, w, v, expected in [
            ("3/2 w^2", lambda w: 1.5 * (w * w).sum(), [1.0], [1.0], 3.0),
            ("3/2 w^2", lambda w: 1.5 * (w * w).sum(), [1.0], [2.0], 3.0),
            ("(w0^2 + 10 w1^2) / 2", lambda w: 0.5 * (bowl * w * w).sum(), [1.0, 1.0], [1.0, 0.0], 1.0),
            ("(w0^2 + 10 w1^2) / 2", lambda w: 0.5 * (bowl * w * w).sum(), [1.0, 1.0], [1.0, -1.0], 5.5),
            ("w0^2 + w0 w1 - 3/2 w1^2", lambda w: 0.5 * (w @ saddle @ w), [0.5, 2.0], [0.0, 3.0], -3.0),
            ("(w0 w1 - 1)^2 / 2", lambda w: (w[0] * w[1] - 1) ** 2 / 2, [2.0, 1.0], [1.0, 1.0], 5.5),
            ("tanh(w0) + 2 tanh(w1) - tanh(w2)", lambda w: (np.tanh(w) * slopes).sum(), at, along,
             float((bends * along ** 2).sum() / 9))]:
        w, v = np.array(w), np.array(v)
        cases.append(Case(f"f(w) = {text}, w = {short(w)}, v = {short(v)}", (f, w, v), expected,
                          partial(judge, f=f, w=w, v=v, expected=expected)))
    return examine("curvature", answer, cases)


def number(got):
    """Return one number as a float, or raise."""
    return float(got.item() if isinstance(got, Tensor) else np.asarray(got, dtype=float).item())


def grad_at(f, w):
    """Return the gradient of f at an array, as an array."""
    w = Tensor(w, requires_grad=True)
    return grad(f(w), w).data


def smallest_eigenvalue(answer):
    """Check ``answer(product, v, top, steps)``: the smallest eigenvalue of a symmetric matrix, by power iteration.

    Oracle: a closed form.  The matrices are made of chosen eigenvalues and a rotation.

    Args:
        answer: a function of product (array -> H times the array), a vector, the eigenvalue of the largest magnitude,
            and the number of products to take, that returns a number.

    Returns:
        1 if it is right for all inputs, else 0.

    Example:
        >>> smallest_eigenvalue(lambda product, v, top, steps: top)
        smallest_eigenvalue: not yet right for eigenvalues of H: 3, 1: expected 1, received 3. Hint: that is the \
largest; iterate with product(v) - top * v instead of product(v).
        0
    """
    def judge(got, values, steps, counted):
        got, low, top = number(got), min(values), max(values)
        if counted[0] > 2 * steps + 2:
            return f"you took {counted[0]} products where {steps} were allowed"
        if np.isclose(got, low, rtol=1e-6, atol=1e-8):
            return ""
        if np.isclose(got, low - top):
            return "that belongs to the shifted matrix; add top again"
        if np.isclose(got, top):
            return "that is the largest; iterate with product(v) - top * v instead of product(v)"
        if np.isclose(got, top - low) or np.isclose(got, 2 * top - low) or np.isclose(got, abs(low)):
            return "a length has no sign; take the scalar product of v, scaled to the length 1, with what it became"
        if not np.isfinite(got) or abs(got) > 10 * top:
            return "scale v to the length 1 before each product, or it overflows"
        return "v <- product(v) - top * v, scaled to the length 1 each time; then v . (product(v) - top * v) + top"

    class Product:
        """Multiplies by a matrix, and counts how often it was asked to."""

        def __init__(self, matrix, counted):
            self.matrix, self.counted = matrix, counted

        def __call__(self, v):
            self.counted[0] += 1
            return self.matrix @ v

        def __deepcopy__(self, memo):
            return self

    rng = np.random.default_rng(0)
    cases = []
    for values in [(3.0, 1.0), (3.0, -1.0), (2.0, 1.5, 0.0), (5.0, 2.0, -4.0), (1e3, 10.0, 1.0, -500.0),
                   (4.0, 3.5, 3.0, 2.5, 1.0, -2.0)]:
        turn = np.linalg.qr(rng.normal(size=(len(values), len(values))))[0]
        counted = [0]
        product = Product((turn * values) @ turn.T, counted)
        v = turn @ np.ones(len(values)) + 0.1
        cases.append(Case(f"eigenvalues of H: {', '.join(f'{a:g}' for a in values)}", (product, v, max(values), 200),
                          min(values), partial(judge, values=values, steps=200, counted=counted)))
    return examine("smallest_eigenvalue", answer, cases)


def momentum_edge(answer):
    """Check ``answer(rate, momentum)``: the curvature above which descent with momentum diverges on s w^2 / 2.

    Oracle: an update multiplies (w, m) by a matrix; it diverges once an eigenvalue of that is larger than 1.

    Args:
        answer: a function of two numbers that returns a number.

    Returns:
        1 if it is right for all inputs, else 0.

    Example:
        >>> momentum_edge(lambda rate, momentum: 2 / rate)
        momentum_edge: not yet right for rate = 0.1, momentum = 0.5: expected 30, received 20. Hint: descent with \
this momentum still settles at a curvature of 25, so the edge is higher.
        0
    """
    def judge(got, rate, momentum, edge):
        got = number(got)
        if np.isclose(got, edge, rtol=1e-6):
            return ""
        if momentum == 0:
            return "without momentum the edge is 2 / rate"
        if not np.isfinite(got):
            return "the curvature at the edge is a finite number"
        between = (got + edge) / 2
        if got < edge:
            return f"descent with this momentum still settles at a curvature of {between:.4g}, so the edge is higher"
        return f"descent with this momentum diverges already at a curvature of {between:.4g}, so the edge is lower"

    cases = []
    for rate, momentum in [(0.1, 0.0), (0.1, 0.5), (1.0, 0.5), (0.1, 0.9), (0.02, 0.25)]:
        edge = found_edge(rate, momentum)
        cases.append(Case(f"rate = {rate:g}, momentum = {momentum:g}", (rate, momentum), edge,
                          partial(judge, rate=rate, momentum=momentum, edge=edge)))
    return examine("momentum_edge", answer, cases)


def found_edge(rate, momentum):
    """Return the curvature s at which (w, m) -> (w - rate m', m'), with m' = momentum m + s w, begins to diverge."""
    settles, diverges = 1 / rate, 10 / rate
    for _ in range(60):
        s = (settles + diverges) / 2
        update = np.array([[1 - rate * s, -rate * momentum], [s, momentum]])
        if np.abs(np.linalg.eigvals(update)).max() > 1:
            diverges = s
        else:
            settles = s
    return round(settles, 9)

"""Tutorial 05, a recurrent net explodes: one step back, the gradient of the shared matrix, the factor per step."""

import math
from functools import partial

import numpy as np

from minigrad.check.exam import Case, examine, short

DELTA = 1e-5
"""Of the finite differences; with float64 they are right to about ten digits."""


def step_back(answer):
    """Check ``answer(W, h, g)``: dL/dh_(t-1) in h_t = tanh(W h_(t-1) + U x_t), from h_t and g = dL/dh_t.

    Oracle: a central finite difference of L = g . tanh(W h_(t-1) + c) with respect to h_(t-1).

    Args:
        answer: a function of arrays (H, H), (H,) and (H,) that returns an array (H,).

    Returns:
        1 if it is right for all inputs, else 0.

    Example:
        >>> step_back(lambda W, h, g: W.T @ g)
        step_back: not yet right for W = [[2]], h = [0.5], g = [1]: expected [1.5], received [2]. Hint: the slope of \
the tanh is missing: 1 - h**2 times g, element by element, before W.
        0
    """
    rng = np.random.default_rng(0)
    cases = []
    for W, h, g in [([[2.0]], [0.0], [1.0]), ([[2.0]], [0.5], [1.0]),
                    ([[1.0, 2.0], [0.0, 1.0]], [0.0, 0.0], [1.0, 2.0]),
                    ([[1.0, 2.0], [0.0, 1.0]], [0.5, 0.8], [1.0, -1.0]),
                    (rng.normal(size=(5, 5)), np.tanh(rng.normal(size=5)), rng.normal(size=5))]:
        W, h, g = np.array(W), np.array(h), np.array(g)
        expected = differences(partial(loss_after, W=W, h=h, g=g), np.zeros(len(h)))
        cases.append(Case(f"W = {short(W)}, h = {short(h)}, g = {short(g)}", (W, h, g), expected.round(9) + 0.0,
                          partial(judge_step, W=W, h=h, g=g, expected=expected)))
    return examine("step_back", answer, cases)


def loss_after(change, W, h, g):
    """Return g . h_t if the state before is changed; unchanged, it leads to h."""
    return g @ np.tanh(np.arctanh(h) + W @ change)


def judge_step(got, W, h, g, expected):
    """Return a hint on one step back, "" if it is right."""
    got = np.asarray(got, dtype=float)
    if got.shape != h.shape:
        return f"dL/dh_(t-1) has the shape of h, {h.shape}; this has {got.shape}"
    slope = 1 - h ** 2
    return named(got, expected, [
        (W @ (slope * g), "backward it is the transpose of W: element (i, j) takes unit j forward to unit i, and the "
                          "gradient of i back to j"),
        (W.T @ g, "the slope of the tanh is missing: 1 - h**2 times g, element by element, before W"),
        (slope * (W.T @ g), "the slope belongs to h_t, where g arrives: multiply by it first and by the transpose of "
                            "W after that"),
        (W.T @ ((1 - np.tanh(h) ** 2) * g), "h is the tanh already: its slope is 1 - h**2, without another tanh"),
        (W.T @ ((1 - h) ** 2 * g), "the slope is 1 - h**2, not (1 - h)**2"),
        (W.T @ ((1 - h) * g), "the slope is 1 - h**2, not 1 - h"),
        (W.T @ (h ** 2 * g), "the slope is 1 - h**2, not h**2"),
        (W.T @ slope * g, "W.T @ a * g is (W.T @ a) * g in Python; put a * g in brackets"),
        (slope * g, "this is the gradient before the tanh; W still has to take it to h_(t-1)"),
    ], "the slope of the tanh, 1 - h**2, times g; then the transpose of W times that")


def shared_matrix(answer):
    """Check ``answer(W, h, g)``: dL/dW of the matrix that is used at every step, from the states and g = dL/dh_(T-1).

    Oracle: central finite differences.  The net is run forward with one element of W changed, the inputs being those
    that made the given states.

    Args:
        answer: a function of arrays (H, H), (T, H) and (H,) that returns an array (H, H).

    Returns:
        1 if it is right for all inputs, else 0.

    Example:
        >>> shared_matrix(lambda W, h, g: np.outer((1 - h[-1] ** 2) * g, h[-2] if len(h) > 1 else 0 * g))
        shared_matrix: not yet right for W = [[2]], h = [[0.5], [0], [0.5]], g = [1]: expected [[0.75]], received \
[[0]]. Hint: this is what the last step adds; W is used at every step, so add up what each of them gives.
        0
    """
    rng = np.random.default_rng(0)
    cases = []
    for W, h, g in [([[2.0]], [[0.5]], [1.0]), ([[2.0]], [[0.5], [0.0]], [1.0]), ([[2.0]], [[0.5], [0.5]], [1.0]),
                    ([[2.0]], [[0.5], [0.0], [0.5]], [1.0]), ([[2.0]], [[0.5], [0.5], [0.5]], [1.0]),
                    ([[0.0, 1.0], [0.0, 0.0]], [[0.0, 0.5], [0.5, 0.0]], [1.0, 0.0]),
                    ([[0.0, 1.0], [2.0, 0.0]], [[0.5, 0.0], [0.0, 0.5], [0.0, 0.0]], [1.0, 0.0]),
                    (rng.normal(size=(3, 3)), np.tanh(rng.normal(size=(6, 3))), rng.normal(size=3))]:
        W, h, g = np.array(W), np.array(h), np.array(g)
        expected = differences(partial(loss_of, W=W, h=h, g=g), np.zeros(W.shape))
        cases.append(Case(f"W = {short(W)}, h = {short(h)}, g = {short(g)}", (W, h, g), expected.round(8) + 0.0,
                          partial(judge_matrix, W=W, h=h, g=g, expected=expected)))
    return examine("shared_matrix", answer, cases)


def loss_of(change, W, h, g):
    """Return g . h_(T-1) of a net with the matrix W + change, and the inputs that with W lead to the states h."""
    state, before = np.zeros(len(g)), np.zeros(len(g))
    for one in h:
        state = np.tanh((W + change) @ state + np.arctanh(one) - W @ before)
        before = one
    return g @ state


def judge_matrix(got, W, h, g, expected):
    """Return a hint on the gradient of the shared matrix, "" if it is right."""
    got = np.asarray(got, dtype=float)
    if got.shape != W.shape:
        return f"dL/dW has the shape of W, {W.shape}; this has {got.shape}"
    before = np.concatenate([np.zeros((1, len(g))), h[:-1]])
    terms = terms_of(W, h, g, before)
    return named(got, expected, [
        (sum(terms_of(W, h, g, np.roll(h, 1, axis=0))), "the state before the first step is 0, so t = 0 adds "
                                                        "nothing; h[-1] is the last state in Python, not that one"),
        (terms[-1], "this is what the last step adds; W is used at every step, so add up what each of them gives"),
        (terms[min(1, len(h) - 1)], "this is what the step t = 1 adds; add up what each step gives, with +="),
        (expected.T, "this is the transpose: row i belongs to the unit that the gradient comes from, column j to the "
                     "state before"),
        *[(sum(terms_of(W, h, g, h)[first:]), "W was multiplied with the state before the step, h[t - 1], not with "
                                              "h[t]") for first in (0, 1) if first < len(h)],
        (sum(terms_of(W, h, g, before, slope=False)), "the slope of the tanh, 1 - h[t]**2, is missing"),
        (sum(terms_of(W.T, h, g, before)), "from step to step the gradient goes back by the transpose of W"),
        (sum(np.outer((1 - one ** 2) * g, b) for one, b in zip(h, before)),
         "g must go back with the loop: g = W.T @ ((1 - h[t]**2) * g) at the end of each turn"),
        (np.mean(terms, axis=0), "add the terms up; do not take their mean"),
    ], "each step adds the outer product of (1 - h[t]**2) * g_t and h[t - 1]")


def terms_of(W, h, g, before, slope=True):
    """Return what each step adds to dL/dW, first step first."""
    terms = []
    for one, b in zip(h[::-1], before[::-1]):
        a = (1 - one ** 2) * g if slope else g
        terms.insert(0, np.outer(a, b))
        g = W.T @ a
    return terms


def factor_back(answer):
    """Check ``answer(norms)``: the constant factor per step back that leads from the last norm to the first.

    Oracles: a closed form (norms made with a known factor give it back), and an invariance (what lies between the first
    and the last does not count).

    Args:
        answer: a function of an array (T,) of positive numbers, T >= 2, that returns a number.

    Returns:
        1 if it is right for all inputs, else 0.

    Example:
        >>> factor_back(lambda norms: norms[0] / norms[-1])
        factor_back: not yet right for norms = [9, 3, 1]: expected 3, received 9. Hint: this is the factor for the \
whole way; it is made of 2 equal ones, which multiply.
        0
    """
    cases = []
    for norms, expected in [([1.0, 1.0], 1.0), ([2.0, 1.0], 2.0), ([1.0, 4.0], 0.25), ([9.0, 3.0, 1.0], 3.0),
                            ([1.0, 2.0, 1.0], 1.0), ([9.0, 100.0, 0.5, 1.0], 9.0 ** (1 / 3)),
                            (5.0 * 0.9 ** np.arange(30.0)[::-1], 0.9), (1e-3 * 1.2 ** np.arange(50.0)[::-1], 1.2)]:
        norms = np.array(norms)
        cases.append(Case(f"norms = {short(norms)}", (norms,), expected,
                          partial(judge_factor, norms=norms, expected=expected)))
    return examine("factor_back", answer, cases)


def judge_factor(got, norms, expected):
    """Return a hint on the factor per step, "" if it is right."""
    got, steps = float(got), len(norms) - 1
    if math.isclose(got, expected, rel_tol=1e-9):
        return ""
    ratios = norms[:-1] / norms[1:]
    known = [
        (1 / expected, "this is the factor per step forward in time; the gradient runs back, from the right end to "
                       "the left"),
        (norms[0] / norms[-1], f"this is the factor for the whole way; it is made of {steps} equal ones, which "
                               f"multiply"),
        (norms[0] / norms[-1] / steps, "factors multiply from step to step: take a root, do not divide by the number "
                                       "of steps"),
        (expected ** (steps / (steps + 1)), f"{steps + 1} norms have {steps} step{'s' * (steps > 1)} between them"),
        (ratios.mean(), "factors multiply, so their arithmetic mean says nothing: 2 and then 1/2 make 1"),
        (math.log10(expected), "this is a logarithm of the factor; undo it, with 10 ** or with exp"),
        (math.log(expected), "this is the natural logarithm of the factor; undo it with exp"),
    ]
    for value, hint in known:
        if math.isclose(got, value, rel_tol=1e-9, abs_tol=1e-12):
            return hint
    return f"this factor, {steps} times, must lead from the last norm, {norms[-1]:.4g}, to the first, {norms[0]:.4g}"


def named(got, expected, known, otherwise):
    """Return the hint of the mistake that gives just this array; "" if it is the expected one."""
    def same(a, b):
        return np.allclose(a, b, rtol=1e-6, atol=1e-8)

    if same(got, expected):
        return ""
    if same(got, -expected) and np.any(expected):
        return "the sign is turned round"
    return next((hint for value, hint in known if same(got, value)), otherwise)


def differences(f, at):
    """Return the gradient of a function of an array by central differences."""
    gradient = np.zeros_like(at)
    for place in np.ndindex(at.shape):
        step = np.zeros_like(at)
        step[place] = DELTA
        gradient[place] = (f(at + step) - f(at - step)) / (2 * DELTA)
    return gradient

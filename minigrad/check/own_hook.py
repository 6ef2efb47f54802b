"""Tutorial 11, hooks of one's own: one that fades, one that refuses, and adaptive gradient clipping."""

import math
from functools import partial

import numpy as np

from minigrad.check.exam import Case, examine, short
from minigrad.hooks import AGC, Context, Pipeline, apply_hooks
from minigrad.hooks.protocol import Verdict
from minigrad.norms import cosine, norm


def fading_hook(answer):
    """Check ``answer(grads, ctx)``: a hook that multiplies each gradient by 1 / (1 + updates made), and leaves None.

    Oracle: a closed form.  The hook is run as an optimizer runs it.

    Args:
        answer: a hook.

    Returns:
        1 if it is right for all inputs, else 0.

    Example:
        >>> fading_hook(lambda grads, ctx: {name: g / 2 for name, g in grads.items()})
        fading_hook: not yet right for grads = {'w': [6]}, step = 0, micro_step = 0: expected {'w': [6]}, received \
{'w': [3]}. Hint: before the first update k = 0, and nothing changes.
        0
    """
    def judge(got, grads, step, micro_step):
        if isinstance(got, Verdict):
            return "return gradients"
        wrong = [name for name, g in grads.items() if not near(got[name], None if g is None else g / (1 + step))]
        if not wrong:
            return ""
        ratio = np.ravel(got[wrong[0]])[0] / np.ravel(grads[wrong[0]])[0]
        if step != micro_step and math.isclose(ratio, 1 / (1 + micro_step)):
            return "ctx.micro_step counts calls, held ones too; the updates made are ctx.step"
        if step == 0:
            return "before the first update k = 0, and nothing changes"
        return f"{step} update{'s' if step > 1 else ''} made, as ctx.step says: the factor is 1 / {1 + step}"

    cases = []
    for lists, step, micro_step in [({"w": [6.0]}, 0, 0), ({"w": [6.0]}, 1, 1), ({"w": [6.0, -3.0]}, 2, 5),
                                    ({"w": [6.0], "unused": None}, 1, 1), ({"a": [[4.0, 8.0]], "b": [2.0]}, 3, 3)]:
        grads = arrays(lists)
        shown = f"grads = {short(grads)}, step = {step}, micro_step = {micro_step}"
        expected = {name: g if g is None else g / (1 + step) for name, g in grads.items()}
        cases.append(Case(shown, (grads, step, micro_step), expected,
                          partial(judge, grads=grads, step=step, micro_step=micro_step)))
    return examine("fading_hook", as_hook(answer), cases)


def refusing_hook(answer):
    """Check ``answer(grads, ctx)``: a hook that skips a norm above 100 or not finite, and lets everything else pass.

    Oracle: the engine's own verdict, and an invariance: what passes is unchanged.

    Args:
        answer: a hook.

    Returns:
        1 if it is right for all inputs, else 0.

    Example:
        >>> from minigrad import hooks
        >>> refusing_hook(lambda grads, ctx: hooks.SKIP if ctx.norm > 100 else grads)
        refusing_hook: not yet right for grads = {'w': [nan]}: expected skip, received {'w': [nan]}. Hint: every \
comparison with NaN is false, so NaN > 100 is, too.
        0
    """
    def judge(got, grads, length):
        if isinstance(got, Verdict) and got.status == "hold":
            return "HOLD means that the hook keeps the gradient for later; to drop it answer hooks.SKIP"
        if isinstance(got, Verdict) != (not length <= 100):
            return fault(grads, length)
        if isinstance(got, Verdict) or all(near(got[name], g) for name, g in grads.items()):
            return ""
        return "what is not skipped goes through as it is"

    def fault(grads, length):
        if math.isnan(length):
            return "every comparison with NaN is false, so NaN > 100 is, too"
        if length <= 100:
            return f"the norm of all arrays together is {length:g}: let it through"
        largest = max(np.abs(g).max() for g in grads.values() if g is not None)
        if largest <= 100:
            return f"the norm of all arrays together is {length:.4g}; ctx.norm knows it"
        return "this norm is above 100: answer hooks.SKIP"

    cases = []
    for lists in [{"w": [3.0, 4.0]}, {"w": [100.0]}, {"w": [101.0]}, {"w": [-300.0]}, {"w": [math.nan]},
                  {"w": [math.inf]}, {"w": [-math.inf, 1.0]}, {"a": [80.0], "b": [[90.0]]},
                  {"a": [60.0], "b": [[60.0]]}, {"w": [3.0], "unused": None}, {"a": [1.0], "b": [math.nan]},
                  {"w": [0.0]}]:
        grads = arrays(lists)
        length = norm(grads.values())
        cases.append(Case(f"grads = {short(grads)}", (grads,), grads if length <= 100 else "skip",
                          partial(judge, grads=grads, length=length)))
    return examine("refusing_hook", as_hook(answer), cases)


def agc_hook(answer):
    """Check ``answer(grads, ctx)``: adaptive gradient clipping, unit by unit, with 0.01 and 1e-3 (Brock et al. 2021).

    Oracles: the engine's own :class:`minigrad.hooks.AGC`, and closed forms: no unit ends longer than its limit, none
    grows, none turns.

    Args:
        answer: a hook.

    Returns:
        1 if it is right for all inputs, else 0.

    Example:
        >>> agc_hook(lambda grads, ctx: grads)
        agc_hook: not yet right for grads = {'b': [0.03, 0.04]}, weights = {'b': [3, 0]}: expected {'b': [0.018, \
0.024]}, received {'b': [0.03, 0.04]}. Hint: b: the weights have the norm 3, so the limit is 0.03, and the gradient is \
0.05 long.
        0
    """
    def judge(got, grads, params, expected):
        if isinstance(got, Verdict):
            return "return gradients"
        for name, g in grads.items():
            if not near(got[name], expected[name]):
                return whats_wrong(name, np.asarray(got[name], dtype=float), g, params[name], expected[name])
        return ""

    rng = np.random.default_rng(0)
    cases = []
    for lists, weights in [
            ({"b": [0.003, 0.004]}, {"b": [3.0, 0.0]}), ({"b": [0.03, 0.04]}, {"b": [3.0, 0.0]}),
            ({"b": [3.0, 4.0]}, {"b": [0.0, 0.0]}), ({"w": [[0.3, 0.4], [0.004, 0.003]]},
                                                              {"w": [[3.0, 4.0], [8.0, 6.0]]}),
            ({"w": [[0.3, 0.0], [0.4, 0.01]]}, {"w": [[1.0, 2.0], [2.0, 1.0]]}),
            ({"w": [[0.0, 0.0], [0.3, 0.4]]}, {"w": [[1.0, 0.0], [0.0, 0.0]]}),
            ({"w": [[0.3, 0.4]], "unused": None}, {"w": [[3.0, 4.0]], "unused": [1.0]}),
            ({"a": [1.0], "w": [[1.0, 2.0, 2.0]]}, {"a": [5.0], "w": [[0.0, 6.0, 8.0]]}),
            ({"conv": rng.normal(size=(2, 2, 1, 2))}, {"conv": rng.normal(size=(2, 2, 1, 2))})]:
        grads, params = arrays(lists), arrays(weights)
        expected = apply_hooks([AGC(0.01, eps=1e-3)], grads, params=params)
        shown = f"grads = {short(grads)}, weights = {short(params)}"
        cases.append(Case(shown, (grads, 0, 0, params), expected,
                          partial(judge, grads=grads, params=params, expected=expected)))
    return examine("agc_hook", as_hook(answer), cases)


def whats_wrong(name, got, g, w, expected):
    """Return a hint on what is wrong with one parameter's gradient after AGC."""
    rows = [np.atleast_2d(a.reshape(len(a), -1) if a.ndim > 1 else a) for a in (got, g, w, expected)]
    for i, (got, g, w, expected) in enumerate(zip(*rows)):
        if near(got, expected):
            continue
        which = f"{name}, unit {i}: " if len(rows[0]) > 1 else f"{name}: "
        limit, length = 0.01 * max(norm([w]), 1e-3), norm([g])
        if length == 0:
            return f"{which}a gradient of zeros has no direction, and 0 / 0 is nan: leave it alone"
        if norm([w]) < 1e-3:
            return f"{which}weights of zero count as 1e-3 long, so the limit is {limit:g}"
        if length <= limit:
            return f"{which}the gradient is {length:.3g} long and the limit {limit:.3g}: leave it alone"
        if not cosine([got], [g]) > 1 - 1e-9:
            return f"{which}one factor for the whole unit, W[i], so that it keeps its direction"
        return (f"{which}the weights have the norm {norm([w]):.3g}, so the limit is {limit:.3g}, and the gradient is "
                f"{norm([got]):.3g} long")
    return "each unit has a limit of its own"


def as_hook(answer):
    """Return a function of gradients that runs the answer as an optimizer runs a hook."""
    def run(grads, step=0, micro_step=0, params=None):
        ctx = Context(step=step, micro_step=micro_step, weight=1.0, lr=0.1, params=params or {},
                      norm=norm(grads.values()))
        return Pipeline([answer]).run(grads, ctx, counts=False)[0]
    return run


def arrays(lists):
    """Return a dict of arrays, None where there is none."""
    return {name: None if a is None else np.array(a) for name, a in lists.items()}


def near(got, expected):
    """Whether two gradients are the same, up to rounding; None is only None."""
    if got is None or expected is None:
        return got is expected
    return np.allclose(got, expected, rtol=1e-6, atol=0, equal_nan=True)

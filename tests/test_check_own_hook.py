"""The checks of tutorial 11: right answers pass, and a wrong one is shown the smallest input on which it fails."""

import math

import numpy as np
import pytest
from checking import fails, one_line, passes

from minigrad import check, hooks
from minigrad.norms import norm, unit_norms


def fading(grads, ctx):
    return {name: None if g is None else g / (ctx.step + 1.0) for name, g in grads.items()}


def fading_by_loop(grads, ctx):
    out = dict(grads)
    for name, g in grads.items():
        if g is not None:
            out[name] = g * (1 / (1 + ctx.step))
    return out


def refusing(grads, ctx):
    return grads if math.isfinite(ctx.norm) and ctx.norm <= 100 else hooks.SKIP


def refusing_with_reason(grads, ctx):
    return dict(grads) if ctx.norm <= 100 else hooks.SKIP.because("too long")


def agc(grads, ctx, least=1e-3, lengths=lambda a: np.sqrt((a * a).sum(tuple(range(1, a.ndim)) or None, keepdims=True))):
    out = {}
    for name, g in grads.items():
        if g is not None:
            limit, length = 0.01 * np.maximum(lengths(ctx.params[name]), least), lengths(g)
            g = np.where(length > limit, g * limit / np.where(length == 0, 1, length), g)
        out[name] = g
    return out


def agc_by_rows(grads, ctx):
    out = {}
    for name, g in grads.items():
        if g is None:
            out[name] = None
            continue
        whole = g.ndim < 2
        rows = []
        for row, w in zip([g] if whole else g, [ctx.params[name]] if whole else ctx.params[name]):
            limit, length = 0.01 * max(norm([w]), 1e-3), norm([row])
            rows.append(row * limit / length if length > limit else row)
        out[name] = rows[0] if whole else np.array(rows)
    return out


def whole(a):
    return np.sqrt((a * a).sum())


def columns(a):
    return np.sqrt((a * a).sum(axis=0, keepdims=True)) if a.ndim == 2 else whole(a)


def agc_by_last_axes(grads, ctx):
    """Take W[i, j] of a convolution as a unit."""
    return agc(grads, ctx, lengths=lambda a: np.sqrt((a * a).sum((-2, -1), keepdims=True)) if a.ndim > 2 else
               unit_norms(a))


def always(grads, ctx):
    """Set every unit to its limit, also where it is shorter."""
    return {name: g if g is None else g * 0.01 * np.maximum(unit_norms(ctx.params[name]), 1e-3) / unit_norms(g)
            for name, g in grads.items()}


def divides_first(grads, ctx):
    return {name: g if g is None else g / unit_norms(g) * np.minimum(
        unit_norms(g), 0.01 * np.maximum(unit_norms(ctx.params[name]), 1e-3)) for name, g in grads.items()}


def elementwise(grads, ctx):
    return {name: g if g is None else np.clip(g, *np.multiply(0.01 * np.maximum(norm([ctx.params[name]]), 1e-3),
                                                              [-1, 1])) for name, g in grads.items()}


@pytest.mark.parametrize(("exercise", "answer"), [
    (check.fading_hook, fading), (check.fading_hook, fading_by_loop),
    (check.refusing_hook, refusing), (check.refusing_hook, refusing_with_reason),
    (check.refusing_hook, lambda grads, ctx: grads if ctx.norm <= 100 else hooks.SKIP),
    (check.agc_hook, agc), (check.agc_hook, agc_by_rows), (check.agc_hook, hooks.AGC(0.01)),
])
def test_right_answers_pass(exercise, answer, capsys):
    passes(exercise, answer, capsys)


SIX, SHORT = "grads = {'w': [6]}, step = ", "grads = {'b': [0.003, 0.004]}, weights = {'b': [3, 0]}"
LONG, STILL = "grads = {'b': [0.03, 0.04]}, weights = {'b': [3, 0]}", "grads = {'b': [3, 4]}, weights = {'b': [0, 0]}"
WRONG = [
    # the exercise, a wrong answer, the smallest input that shows it, what is expected there, and part of the hint
    (check.fading_hook, lambda grads, ctx: grads, SIX + "1, micro_step = 1", "{'w': [3]}", "1 update made"),
    (check.fading_hook, lambda grads, ctx: {k: g / (2 + ctx.step) for k, g in grads.items()}, SIX + "0, micro_step = 0",
     "{'w': [6]}", "before the first update"),
    (check.fading_hook, lambda grads, ctx: {k: g / (1 + ctx.micro_step) for k, g in grads.items()},
     "grads = {'w': [6, -3]}, step = 2, micro_step = 5", "{'w': [2, -1]}", "ctx.micro_step counts calls"),
    (check.fading_hook, lambda grads, ctx: {k: g / 2 ** ctx.step for k, g in grads.items()},
     "grads = {'w': [6, -3]}, step = 2, micro_step = 5", "{'w': [2, -1]}", "the factor is 1 / 3"),
    (check.fading_hook, lambda grads, ctx: hooks.SKIP, SIX + "0, micro_step = 0", "{'w': [6]}", "return gradients"),
    (check.refusing_hook, lambda grads, ctx: hooks.SKIP if ctx.norm > 100 else grads, "grads = {'w': [nan]}", "skip",
     "comparison with NaN"),
    (check.refusing_hook, lambda grads, ctx: grads, "grads = {'w': [101]}", "skip", "above 100"),
    (check.refusing_hook, lambda grads, ctx: hooks.SKIP, "grads = {'w': [3, 4]}", "{'w': [3, 4]}", "let it through"),
    (check.refusing_hook, lambda grads, ctx: grads if ctx.norm < 100 else hooks.SKIP, "grads = {'w': [100]}",
     "{'w': [100]}", "let it through"),
    (check.refusing_hook, lambda grads, ctx: grads if ctx.norm <= 100 else hooks.HOLD, "grads = {'w': [101]}", "skip",
     "HOLD means"),
    (check.refusing_hook, lambda grads, ctx: grads if max(np.abs(g).max() for g in grads.values()) <= 100 else
     hooks.SKIP, "grads = {'a': [80], 'b': [[90]]}", "skip", "ctx.norm knows it"),
    (check.refusing_hook, lambda grads, ctx: grads if sum(np.linalg.norm(g) for g in grads.values()) <= 100 else
     hooks.SKIP, "grads = {'a': [60], 'b': [[60]]}", "{'a': [60],", "of all arrays together is 84.8528: let it"),
    (check.refusing_hook, lambda grads, ctx: hooks.ClipNorm(100.0)(grads, ctx) if ctx.norm < 200 else hooks.SKIP,
     "grads = {'w': [101]}", "skip", "hooks.SKIP"),
    (check.refusing_hook, lambda grads, ctx: {k: g / 2 for k, g in grads.items()} if ctx.norm <= 100 else hooks.SKIP,
     "grads = {'w': [3, 4]}", "{'w': [3, 4]}", "as it is"),
    (check.agc_hook, lambda grads, ctx: grads, LONG, "{'b': [0.018, 0.024]}", "the limit is 0.03"),
    (check.agc_hook, always, SHORT, "{'b': [0.003, 0.004]}", "leave it alone"),
    (check.agc_hook, lambda grads, ctx: agc(grads, ctx, least=0.0), STILL, "{'b': [6e-06, 8e-06]}", "count as 1e-3"),
    (check.agc_hook, lambda grads, ctx: agc(grads, ctx, lengths=whole),
     "grads = {'w': [[0.3, 0.4], [0.004, 0.003]]}, weights = {'w': [[3, 4], [8, 6]]}", "{'w': [[0.03, 0.04],",
     "unit 0"),
    (check.agc_hook, lambda grads, ctx: agc(grads, ctx, lengths=columns),
     "grads = {'w': [[0.3, 0.4], [0.004, 0.003]]}, weights = {'w': [[3, 4], [8, 6]]}", "{'w': [[0.03, 0.04],",
     "one factor for the whole unit"),
    (check.agc_hook, agc_by_last_axes, "grads = {'conv': ", "{'conv': ", "the whole unit, W[i]"),
    (check.agc_hook, elementwise, LONG, "{'b': [0.018, 0.024]}", "one factor for the whole unit"),
    (check.agc_hook, lambda grads, ctx: hooks.AGC(0.1)(grads, ctx), LONG, "{'b': [0.018, 0.024]}", "the limit is 0.03"),
    (check.agc_hook, divides_first,
     "grads = {'w': [[0, 0], [0.3, 0.4]]}, weights = {'w': [[1, 0], [0, 0]]}", "{'w': [[0, 0], [6e-06, 8e-06]]}",
     "0 / 0"),
]


@pytest.mark.parametrize(("exercise", "answer", "shown", "expected", "hint"), WRONG)
def test_wrong_answers_fail_on_the_smallest_input(exercise, answer, shown, expected, hint, capsys):
    assert exercise(answer) == 0
    line = one_line(capsys)
    assert line.startswith(f"{exercise.__name__}: not yet right for {shown}"), line
    assert f": expected {expected}" in line
    assert hint in line.split("Hint: ")[1]


@pytest.mark.parametrize(("exercise", "answer", "received", "hint"), [
    (check.fading_hook, lambda grads, ctx: None, "TypeError: hook <lambda> returned NoneType", "error"),
    (check.fading_hook, lambda grads, ctx: {k: g / (1 + ctx.step) for k, g in grads.items()}, "TypeError: unsupp",
     "error"),
    (check.fading_hook, lambda grads, ctx: {k: g / (1 + ctx.step) for k, g in grads.items() if g is not None},
     "ValueError: hook <lambda> returned other parameters than it was given: unused", "error"),
    (check.refusing_hook, lambda grads, ctx: "skip", "TypeError: hook <lambda> returned str", "error"),
    (check.refusing_hook, lambda grads: grads, "TypeError: ", "error"),
    (check.agc_hook, lambda grads, ctx: {k: ctx.params["other"] for k in grads}, "KeyError: 'other'", "error"),
    (check.agc_hook, lambda grads, ctx: grads["b"].sort(), "ValueError: hook <lambda> writes into a gradient",
     "do not change the arrays"),
])
def test_errors_and_odd_values_are_part_of_the_line(exercise, answer, received, hint, capsys):
    fails(exercise, answer, capsys, f", received {received}", hint)

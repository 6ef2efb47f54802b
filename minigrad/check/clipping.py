"""Tutorial 06, clipping: the angle of a value clip, a threshold from a trace, a clip inside the backward pass."""

import math
from functools import partial

import numpy as np

import minigrad as mg
from minigrad.check.exam import Case, examine, short
from minigrad.hooks import ClipValue, apply_hooks, inside
from minigrad.norms import norm


def value_clip_angle(answer):
    """Check ``answer(g, c)``: the angle in degrees by which a clip by value at c turns the vector g.

    Oracles: the engine's own :class:`minigrad.hooks.ClipValue`, and a closed form of the angle that stays exact near
    0, 2 arctan(||u - v|| / ||u + v||) for unit vectors u and v.

    Args:
        answer: a function of a vector and a threshold > 0 that returns a number.

    Returns:
        1 if it is right for all inputs, else 0.

    Example:
        >>> value_clip_angle(lambda g, c: 0.0)
        value_clip_angle: not yet right for g = [3, 1], c = 1: expected 26.5651, received 0. Hint: each element is \
limited by itself, so the vector turns.
        0
    """
    def judge(got, g, c, expected):
        got = number(got)
        if math.isnan(got):
            return "rounding makes the cosine a little more than 1, and arccos knows no such angle: min(cosine, 1.0)"
        if abs(got - expected) <= 1e-4:
            return ""
        if expected == 0:
            return "no element is above the threshold, so nothing turns" if not math.isclose(got, 1) else COSINE
        if abs(got - math.radians(expected)) < 1e-5:
            return "this is in radians; np.degrees makes degrees of it"
        if abs(got - math.cos(math.radians(expected))) < 1e-5:
            return COSINE
        if (g < -c).any() and abs(got - angle(g, np.minimum(g, c))) < 1e-4:
            return "elements below -c are limited, too: to [-c, c]"
        if abs(got) < 1e-4:
            return "each element is limited by itself, so the vector turns"
        return "take the angle between g and np.clip(g, -c, c)"

    cases = []
    for g, c in [([0.5], 1.0), ([3.0, 1.0], 1.0), ([1.0, 1.0, 1.0], 2.0), ([-3.0, 1.0], 1.0), ([100.0, 1.0], 1.0),
                 ([0.03, -0.04], 0.01), ([5.0, -2.0, 0.5], 1.0), (np.r_[100.0, np.ones(99)], 1.0)]:
        g = np.array(g)
        expected = angle(g, apply_hooks([ClipValue(c)], {"g": g})["g"])
        cases.append(Case(f"g = {short(g)}, c = {c:g}", (g, c), expected, partial(judge, g=g, c=c, expected=expected)))
    return examine("value_clip_angle", answer, cases)


def threshold_for_share(answer):
    """Check ``answer(norms, share)``: a threshold that exactly this share of the finite norms exceeds.

    Oracle: an invariance.  Whatever the threshold, the norms above it are counted.

    Args:
        answer: a function of a vector of norms and a share between 0 and 1 that returns a number.

    Returns:
        1 if it is right for all inputs, else 0.

    Example:
        >>> threshold_for_share(lambda norms, share: np.quantile(norms, share))
        threshold_for_share: not yet right for norms = [1, 2, 3, 4], share = 0.25: expected 3 <= c < 4, received 1.75. \
Hint: 3 of 4 finite norms are above it, and 1 should be; the quantile asks for the share below.
        0
    """
    def judge(got, usable, all_finite, wanted, share):
        c, hint = number(got), ""
        if not math.isfinite(c):
            return "leave out what is not finite first: norms[np.isfinite(norms)]"
        above = int((usable > c).sum())
        if above != wanted:
            hint = f"{above} of {len(usable)} finite norms are above it, and {wanted} should be"
            if math.isclose(c, np.quantile(usable, share)):
                hint += "; the quantile asks for the share below"
            elif any(math.isclose(c, np.percentile(usable, p)) for p in (share, 1 - share, 100 - share)):
                hint += "; np.percentile counts in per cent, from 0 to 100"
            elif not all_finite:
                hint += "; leave out what is not finite"
        return hint

    cases, draw = [], np.random.default_rng(0).lognormal(size=200)
    for norms, share in [([1.0, 2.0, 3.0, 4.0], 0.25), ([4.0, 1.0, 3.0, 2.0], 0.5), ([1e-3, 2e-3, 3e-3, 8e2], 0.75),
                         ([1.0, 2.0, 3.0, 4.0, np.nan], 0.25), ([1.0, 2.0, 3.0, 4.0, np.inf, np.inf], 0.25),
                         (draw, 0.1), (np.r_[draw, np.inf, np.nan], 0.9)]:
        norms = np.array(norms)
        usable = np.sort(norms[np.isfinite(norms)])
        wanted = round(share * len(usable))
        low, high = usable[-wanted - 1], usable[-wanted]
        cases.append(Case(f"norms = {short(norms)}, share = {share:g}", (norms, share), f"{low:.4g} <= c < {high:.4g}",
                          partial(judge, usable=usable, all_finite=len(usable) == len(norms), wanted=wanted,
                                  share=share)))
    return examine("threshold_for_share", answer, cases)


def inside_clip(answer):
    """Check ``answer(w, T, c)``: dL/dw of a chain in which every dL/dh_t is limited to [-c, c] on its way back.

    Oracle: the engine.  The chain h_t = w h_(t-1) + (1 - w), with the last term held constant, is put on the tape, and
    :func:`minigrad.hooks.inside` clips at every state.

    Args:
        answer: a function of w (float), T (int) and c (float) that returns a number.

    Returns:
        1 if it is right for all inputs, else 0.

    Example:
        >>> inside_clip(lambda w, T, c: min(sum(w ** k for k in range(T)), c))
        inside_clip: not yet right for w = 2, T = 5, c = 15: expected 30, received 15. Hint: limit each dL/dh_t, not \
their sum.
        0
    """
    def judge(got, w, T, c, expected):
        got = number(got)
        if math.isclose(got, expected, rel_tol=1e-9, abs_tol=1e-12):
            return ""
        if T == 0:
            return "with no step there is nothing that depends on w"
        powers = [w ** k for k in range(min(T, 60))]
        if math.isclose(got, min(max(sum(powers), -c), c)):
            return "limit each dL/dh_t, not their sum" if T > 1 else "the part of each step is dL/dh_t times 1"
        if math.isclose(got, sum(powers)):
            return "nothing was limited: dL/dh_t stays within [-c, c]"
        delta, above = 1.0, []
        for _ in powers:
            above.append(min(delta, c))
            delta = w * above[-1]
        if w < 0 and math.isclose(got, sum(above)):
            return "a negative dL/dh_t is limited as well, at -c"
        if math.isclose(got, sum(min(max(p, -c), c) for p in powers)):
            return "what goes on to step t - 1 is the limited dL/dh_t, times w"
        return "begin with dL/dh_T = 1, and at each step: limit, add, multiply by w"

    cases = []
    for w, T, c in [(2.0, 1, 15.0), (2.0, 0, 15.0), (2.0, 3, 15.0), (2.0, 5, 15.0), (-2.0, 6, 15.0), (0.5, 4, 15.0),
                    (0.5, 4, 0.2), (1.0, 10, 15.0), (-1.1, 60, 3.0), (2.0, 1100, 15.0)]:
        expected = slope_inside(w, T, c)
        cases.append(Case(f"w = {w:g}, T = {T}, c = {c:g}", (w, T, c), expected,
                          partial(judge, w=w, T=T, c=c, expected=expected)))
    return examine("inside_clip", answer, cases)


COSINE = "this is the cosine; np.arccos makes an angle of it"


def number(got):
    """Return what was received as a float, whether it is a number, an array of one, or a Tensor of one."""
    return float(np.asarray(getattr(got, "data", got), dtype=float).reshape(()))


def angle(u, v):
    """Return the angle between two vectors in degrees."""
    u, v = u / norm([u]), v / norm([v])
    return math.degrees(2 * math.atan2(norm([u - v]), norm([u + v])))


def slope_inside(w, T, c):
    """Return dL/dw by the tape, clipped inside."""
    weight, h = mg.tensor(w, requires_grad=True), mg.tensor(1.0, requires_grad=True)
    for _ in range(T):
        h = weight * h + (1 - w)
        h.register_hook(inside(ClipValue(c)))
    h.backward()
    return 0.0 if weight.grad is None else weight.grad.item()

"""The checks of tutorial 06: right answers pass, and a wrong one is shown the smallest input on which it fails."""

import math

import numpy as np
import pytest
from checking import fails, passes

from minigrad import check, hooks
from minigrad.check.clipping import angle


def degrees(g, c):
    cut = np.clip(g, -c, c)
    return np.degrees(np.arccos(min(g @ cut / np.linalg.norm(g) / np.linalg.norm(cut), 1.0)))


def degrees_by_hook(g, c):
    cut = hooks.apply_hooks([hooks.ClipValue(c)], {"g": g})["g"]
    u, v = g / np.linalg.norm(g), cut / np.linalg.norm(cut)
    return 2 * math.degrees(math.asin(np.linalg.norm(u - v) / 2))


def unguarded(g, c):
    cut = np.clip(g, -c, c)
    return np.degrees(np.arccos(g @ cut / (np.linalg.norm(g) * np.linalg.norm(cut))))


def kth_largest(norms, share):
    usable = sorted(n for n in norms if math.isfinite(n))
    return usable[-round(share * len(usable)) - 1]


def back(w, T, c, limit=lambda d, c: min(max(d, -c), c)):
    total, delta = 0.0, 1.0
    for _ in range(T):
        delta = limit(delta, c)
        total, delta = total + delta, delta * w
    return total


def limited_beside(w, T, c):
    return sum(min(max(w ** k, -c), c) for k in range(T)) if T < 1000 else 0.0


@pytest.mark.parametrize(("exercise", "answer"), [
    (check.value_clip_angle, degrees), (check.value_clip_angle, degrees_by_hook),
    (check.threshold_for_share, lambda norms, share: np.quantile(norms[np.isfinite(norms)], 1 - share)),
    (check.threshold_for_share, lambda norms, share: np.percentile(norms[np.isfinite(norms)], 100 - 100 * share)),
    (check.threshold_for_share, kth_largest),
    (check.inside_clip, back), (check.inside_clip, lambda w, T, c: np.array([back(w, T, c)])),
])
def test_right_answers_pass(exercise, answer, capsys):
    passes(exercise, answer, capsys)


WRONG = [
    # the exercise, a wrong answer, the smallest input that shows it, what is expected there, and part of the hint
    (check.value_clip_angle, lambda g, c: np.radians(degrees(g, c)), "g = [3, 1], c = 1", "26.5651", "radians"),
    (check.value_clip_angle, lambda g, c: np.cos(np.radians(degrees(g, c))), "g = [0.5], c = 1", "0", "cosine"),
    (check.value_clip_angle, lambda g, c: 0.0, "g = [3, 1], c = 1", "26.5651", "by itself"),
    (check.value_clip_angle, unguarded, "g = [1, 1, 1], c = 2", "0", "min(cosine, 1.0)"),
    (check.value_clip_angle, lambda g, c: angle(g, np.minimum(g, c)), "g = [-3, 1], c = 1", "26.5651",
     "below -c"),
    (check.value_clip_angle, lambda g, c: degrees(g, np.inf) + 45.0, "g = [0.5], c = 1", "0", "nothing turns"),
    (check.threshold_for_share, lambda norms, share: np.quantile(norms, share),
     "norms = [1, 2, 3, 4], share = 0.25", "3 <= c < 4", "the share below"),
    (check.threshold_for_share, lambda norms, share: np.percentile(norms[np.isfinite(norms)], 1 - share),
     "norms = [1, 2, 3, 4], share = 0.25", "3 <= c < 4", "in per cent"),
    (check.threshold_for_share, lambda norms, share: share * norms.max(), "norms = [1, 2, 3, 4], share = 0.25",
     "3 <= c < 4", "3 of 4 finite norms are above it, and 1 should be"),
    (check.threshold_for_share, lambda norms, share: norms[-round(share * len(norms)) - 1],
     "norms = [4, 1, 3, 2], share = 0.5", "2 <= c < 3", "3 of 4"),
    (check.threshold_for_share, lambda norms, share: norms.mean() * 1.3 if len(norms) == 4 and norms[0] == 1 else
     np.quantile(norms, 1 - share), "norms = [1, 2, 3, 4, nan], share = 0.25", "3 <= c < 4", "leave out"),
    (check.threshold_for_share, lambda norms, share: np.quantile(norms[~np.isnan(norms)], 1 - share),
     "norms = [1, 2, 3, 4, inf, inf], share = 0.25", "3 <= c < 4", "leave out what is not finite"),
    (check.inside_clip, lambda w, T, c: sum(w ** k for k in range(T)), "w = 2, T = 5, c = 15", "30", "nothing was"),
    (check.inside_clip, lambda w, T, c: min(sum(w ** k for k in range(T)), c), "w = 2, T = 5, c = 15", "30",
     "not their sum"),
    (check.inside_clip, lambda w, T, c: back(w, T, c, min), "w = -2, T = 6, c = 15", "-5", "at -c"),
    (check.inside_clip, limited_beside, "w = 0.5, T = 4, c = 0.2", "0.375", "goes on"),
    (check.inside_clip, lambda w, T, c: back(w, T + 1, c), "w = 2, T = 1, c = 15", "1", "begin with"),
    (check.inside_clip, lambda w, T, c: back(w, max(T, 1), c), "w = 2, T = 0, c = 15", "0", "no step"),
]


@pytest.mark.parametrize(("exercise", "answer", "shown", "expected", "hint"), WRONG)
def test_wrong_answers_fail_on_the_smallest_input(exercise, answer, shown, expected, hint, capsys):
    fails(exercise, answer, capsys, f"for {shown}: expected {expected}, received ", hint)


@pytest.mark.parametrize(("exercise", "answer", "received", "hint"), [
    (check.value_clip_angle, lambda g, c: None, "None", "return"),
    (check.value_clip_angle, lambda g, c: np.clip(g, -c, c) if g.size > 1 else 0.0, "[1, 1]", "kind of value"),
    (check.threshold_for_share, lambda norms, share: norms.sort(), "ValueError", "do not change the arrays"),
    (check.threshold_for_share, lambda norms: 1.0, "TypeError", "error"),
    (check.inside_clip, lambda w, T, c: "many", "many", "kind of value"),
    (check.inside_clip, lambda w, T, c: 1 / 0, "ZeroDivisionError: division by zero", "error"),
])
def test_errors_and_odd_values_are_part_of_the_line(exercise, answer, received, hint, capsys):
    fails(exercise, answer, capsys, f", received {received}", hint)

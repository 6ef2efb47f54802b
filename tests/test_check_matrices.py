"""The checks of tutorial 04: right answers pass, and a wrong one is shown the smallest input on which it fails."""

import numpy as np
import pytest
from checking import fails, one_line, passes

import minigrad as mg
from minigrad import check


def growth(W, k):
    return np.linalg.norm(np.linalg.matrix_power(W, k), 2)


def growth_by_svd(W, k):
    power = np.eye(len(W))
    for _ in range(k):
        power = W.T @ power
    return np.linalg.svd(power, compute_uv=False)[0]


def growth_by_theory(W, k):
    return 10 ** mg.theory.transient(W, k).log10_norm[k]


def radius(W, rho):
    return W * (rho / np.abs(np.linalg.eigvals(W)).max())


def radius_by_theory(W, rho):
    return (W * rho / mg.theory.spectral_radius(W)).tolist()


@pytest.mark.parametrize(("exercise", "answer"), [
    (check.worst_growth, growth), (check.worst_growth, growth_by_svd), (check.worst_growth, growth_by_theory),
    (check.scaled_radius, radius), (check.scaled_radius, radius_by_theory),
    (check.gaussian_std, lambda H, rho: rho / np.sqrt(H)), (check.gaussian_std, lambda H, rho: (rho ** 2 / H) ** 0.5),
    (check.gaussian_std, lambda H, rho: 1.05 * rho / H ** 0.5),
])
def test_right_answers_pass(exercise, answer, capsys):
    passes(exercise, answer, capsys)


def eig(W):
    return np.linalg.eigvals(W)


TWO = "W = [[1, 2], [0, 3]], k = 2"
WRONG = [
    # the exercise, a wrong answer, the smallest input that shows it, what is expected there, and part of the hint
    (check.worst_growth, lambda W, k: np.linalg.norm(W, 2) ** k, TWO, "12.06", "not the power of the norm"),
    (check.worst_growth, lambda W, k: np.abs(eig(W)).max() ** k, "W = [[1, 2], [0, 1]], k = 1", "2.41421", "long run"),
    (check.worst_growth, lambda W, k: np.linalg.norm(np.linalg.matrix_power(W, k)), "W = [[3, 0], [0, 1]], k = 1", "3",
     "sum of squares"),
    (check.worst_growth, lambda W, k: np.linalg.norm(W ** k, 2), TWO, "12.06", "each element"),
    (check.worst_growth, lambda W, k: np.linalg.norm(W, 2) * k, "W = [[2]], k = 0", "1", "what it was"),
    (check.worst_growth, lambda W, k: np.linalg.norm(W, 2) * k if k else 1, "W = [[-2]], k = 3", "8", "multiply"),
    (check.worst_growth, lambda W, k: np.linalg.norm(W, 2), "W = [[2]], k = 0", "1", "for one step"),
    (check.worst_growth, lambda W, k: np.abs(np.linalg.matrix_power(W, k)).max(), "W = [[1, 2], [0, 1]], k = 1",
     "2.41421", "largest element"),
    (check.worst_growth, lambda W, k: np.linalg.matrix_power(W, k).max(), "W = [[-2]], k = 3", "8", "not negative"),
    (check.worst_growth, lambda W, k: growth(W, k + 1), "W = [[2]], k = 0", "1", "one step"),
    (check.worst_growth, lambda W, k: growth(W, k) + 2, "W = [[2]], k = 0", "1", "largest singular value"),
    (check.scaled_radius, lambda W, rho: W * rho / eig(W).max(), "W = [[-2]], rho = 1", "[[-1]]", "positive"),
    (check.scaled_radius, lambda W, rho: W * rho, "W = [[2]], rho = 1", "[[1]]", "radius that W has"),
    (check.scaled_radius, lambda W, rho: W / np.abs(eig(W)).max(), "W = [[0.5]], rho = 0.9", "[[0.9]]",
     "multiply by rho, too"),
    (check.scaled_radius, lambda W, rho: W * rho / np.linalg.norm(W, 2), "W = [[0.5, 3], [0, 0.5]], rho = 1",
     "[[1, 6], [0, 1]]", "this sets the norm"),
    (check.scaled_radius, lambda W, rho: W * rho / np.linalg.norm(W), "W = [[2, 0], [0, -4]], rho = 1",
     "[[0.5, 0], [0, -1]]", "sum of squares"),
    (check.scaled_radius, lambda W, rho: W * rho / np.abs(W).max(), "W = [[0.5, 3], [0, 0.5]], rho = 1",
     "[[1, 6], [0, 1]]", "largest element"),
    (check.scaled_radius, lambda W, rho: W * rho / abs(eig(W).real.max()), "W = [[2, 0], [0, -4]], rho = 1",
     "[[0.5, 0], [0, -1]]", "far on the left"),
    (check.scaled_radius, lambda W, rho: W * np.abs(eig(W)).max() / rho, "W = [[2]], rho = 1", "[[1]]", "turned round"),
    (check.scaled_radius, lambda W, rho: W - np.abs(eig(W)).max() + rho, "W = [[-2]], rho = 1", "[[-1]]",
     "should be 1 now, and is 3"),
    (check.scaled_radius, lambda W, rho: W / W.sum(axis=1, keepdims=True) * rho * np.sign(W.sum()),
     "W = [[2, 0], [0, -4]], rho = 1", "[[0.5, 0], [0, -1]]", "one and the same number"),
    (check.scaled_radius, lambda W, rho: W * rho / eig(W)[0], "W = [[-2]], rho = 1", "[[-1]]", "positive"),
    (check.scaled_radius, lambda W, rho: radius(W, rho) * (3 if len(W) > 1 else 1), "W = [[2, 0], [0, -4]], rho = 1",
     "[[0.5, 0], [0, -1]]", "should be 1 now, and is 3"),
    (check.scaled_radius, lambda W, rho: radius(W, rho)[0], "W = [[2]], rho = 1", "[[1]]", "shape of W"),
    (check.gaussian_std, lambda H, rho: rho, "H = 25, rho = 0.6", "0.12", "each must be smaller"),
    (check.gaussian_std, lambda H, rho: rho / H, "H = 25, rho = 0.6", "0.12", "root of H"),
    (check.gaussian_std, lambda H, rho: rho / (2 * np.sqrt(H)), "H = 25, rho = 0.6", "0.12", "half of that"),
    (check.gaussian_std, lambda H, rho: rho * np.sqrt(H), "H = 25, rho = 0.6", "0.12", "divide by the root"),
    (check.gaussian_std, lambda H, rho: 1 / np.sqrt(H), "H = 25, rho = 0.6", "0.12", "rho is missing"),
    (check.gaussian_std, lambda H, rho: np.sqrt(rho / H), "H = 25, rho = 0.6", "0.12", "not with its square"),
    (check.gaussian_std, lambda H, rho: rho ** 2 / H, "H = 25, rho = 0.6", "0.12", "variance"),
    (check.gaussian_std, lambda H, rho: -rho / np.sqrt(H), "H = 25, rho = 0.6", "0.12", "not negative"),
]


@pytest.mark.parametrize(("exercise", "answer", "shown", "expected", "hint"), WRONG)
def test_wrong_answers_fail_on_the_smallest_input(exercise, answer, shown, expected, hint, capsys):
    fails(exercise, answer, capsys, f"for {shown}: expected {expected}, received ", hint)


def in_place(W, rho):
    W /= 2
    return W


@pytest.mark.parametrize(("exercise", "answer", "received", "hint"), [
    (check.worst_growth, lambda W, k: None, "None", "return"),
    (check.worst_growth, lambda W, k: W @ np.ones(7), "ValueError: ", "error"),
    (check.worst_growth, lambda W, k: np.eye(2), "[[1, 0], [0, 1]]", "kind of value"),
    (check.worst_growth, lambda W, k: np.nan, "nan", "singular value"),
    (check.scaled_radius, in_place, "ValueError: ", "do not change the arrays"),
    (check.scaled_radius, lambda W, rho: W * np.nan, "[[nan]]", "one and the same number"),
    (check.scaled_radius, lambda W, rho: "W", "W", "shape of W"),
    (check.gaussian_std, lambda H: 1, "TypeError: ", "error"),
    (check.gaussian_std, lambda H, rho: np.nan, "nan", "nan on average"),
    (check.gaussian_std, lambda H, rho: "small", "small", "kind of value"),
])
def test_errors_and_odd_values_are_part_of_the_line(exercise, answer, received, hint, capsys):
    fails(exercise, answer, capsys, f", received {received}", hint)


@pytest.mark.parametrize("exercise", [check.worst_growth, check.scaled_radius, check.gaussian_std])
def test_what_is_not_written_yet_is_no_error(exercise, capsys):
    def answer(*args):
        raise NotImplementedError

    assert exercise(answer) == 0
    assert one_line(capsys).startswith(f"{exercise.__name__}: not written yet. ")


def test_the_longest_gradient_is_found():
    """The oracle against singular values, also where a matrix sends everything to 0 and where it has no favourite."""
    from minigrad.check.matrices import longest

    rng = np.random.default_rng(5)
    for W, k in [(rng.normal(size=(5, 5)), 3), (np.linalg.qr(rng.normal(size=(4, 4)))[0], 7), (np.eye(3), 0)]:
        assert np.isclose(longest(W, k), growth(W, k), rtol=1e-9)
    assert longest(np.eye(3, k=1), 3) == 0

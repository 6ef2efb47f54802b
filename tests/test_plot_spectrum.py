"""Eigenvalues and singular values of a recurrent matrix."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure
from plotting import draw, lines

import minigrad as mg
from minigrad import plot
from minigrad.plot.spectrum import measured

CHAIN = 0.9 * np.eye(20) + np.eye(20, k=1)


@pytest.fixture
def axes():
    """Two axes on a figure that pyplot knows nothing of."""
    return Figure(figsize=(11, 5)).subplots(1, 2)


def rotation(angle, gain=1.0):
    return gain * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def eigenvalues(ax):
    """What is drawn in the complex plane."""
    (_, (x, y)), = ((label, data) for label, data in lines(ax).items() if "eigenvalue" in label)
    return x + 1j * y


@pytest.mark.parametrize(("matrix", "values", "lengths"), [
    (np.diag([3.0, -2.0, 0.5]), [3, -2, 0.5], [3, 2, 0.5]),
    (rotation(0.3, 0.95), [0.95 * np.exp(0.3j), 0.95 * np.exp(-0.3j)], [0.95, 0.95]),
    ([[1.0, 1.0], [0.0, 1.0]], [1, 1], [(1 + 5 ** 0.5) / 2, (5 ** 0.5 - 1) / 2]),
    ([[2.0]], [2], [2]), ([[-3]], [-3], [3])])
def test_both_pictures_hold_the_values_of_closed_forms(matrix, values, lengths, axes):
    left, right = plot.spectrum(matrix, axes)
    assert (left, right) == tuple(axes)
    np.testing.assert_allclose(np.sort_complex(eigenvalues(left)), np.sort_complex(np.array(values, complex)),
                               atol=1e-12)
    drawn = lines(right)
    np.testing.assert_allclose(drawn["singular values"][1], lengths, rtol=1e-12)
    np.testing.assert_allclose(drawn["|eigenvalues|"][1], np.sort(np.abs(values))[::-1], rtol=1e-12)
    assert drawn["singular values"][0].tolist() == list(range(1, len(lengths) + 1))
    draw(left)


def test_the_titles_have_both_numbers_and_the_unit_circle_is_there(axes):
    left, right = plot.spectrum(CHAIN, axes)
    assert (left.get_title(), right.get_title()) == ("Eigenvalues: spectral radius 0.9", "Singular values: norm 1.894")
    for label, radius in (("unit circle", 1.0), ("spectral radius", 0.9)):
        np.testing.assert_allclose(np.hypot(*lines(left)[label]), radius, rtol=1e-12)
    assert left.get_aspect() == 1.0
    assert (left.get_xlabel(), left.get_ylabel()) == ("real part", "imaginary part")
    assert (right.get_xlabel(), right.get_yscale()) == ("rank", "log")
    assert "20 eigenvalues" in [text.get_text() for text in left.get_legend().get_texts()]
    plot.spectrum(CHAIN, axes, title="mine")
    assert left.get_title() == "mine"


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("matrix", "verdict"), [
    (rotation(1.0), "normal matrix"), (np.random.default_rng(0).normal(size=(30, 30)), "non-normal"),
    (np.linalg.qr(np.random.default_rng(1).normal(size=(40, 40)))[0], "normal matrix"), (CHAIN, "non-normal"),
    (np.cov(np.random.default_rng(2).normal(size=(30, 90))), "normal matrix"), (np.zeros((3, 3)), "normal matrix"),
    (np.eye(4, k=1), "non-normal")])
def test_the_verdict_is_not_moved_by_rounding(matrix, verdict, dtype, axes):
    right = plot.spectrum(matrix.astype(dtype), axes)[1]
    assert right.get_legend().get_title().get_text().startswith(f"{verdict}: departure from normality")
    draw(right)


@pytest.mark.parametrize("scale", [1.0, 1e-200, 1e200, 1e-300])
def test_henricis_number_and_the_values_do_not_depend_on_the_scale(scale):
    values, lengths, departure = measured(scale * np.array([[1.0, 2.0], [0.0, 1.0]]))
    assert departure == pytest.approx((4 / 6) ** 0.5, rel=1e-12)                 # ||W||_F^2 = 6, sum |lambda|^2 = 2
    np.testing.assert_allclose(np.abs(values), scale, rtol=1e-12)
    np.testing.assert_allclose(lengths, scale * np.array([1 + 2 ** 0.5, 2 ** 0.5 - 1]), rtol=1e-12)


def test_zero_eigenvalues_are_in_a_lane(axes):
    right = plot.spectrum(np.eye(5, k=1), axes)[1]
    assert [text.get_text() for text in right.texts] == ["0"]
    squares = [line for line in right.lines if line.get_marker() == "s" and line.get_linestyle() == "None"]
    assert [len(line.get_xdata()) for line in squares] == [5]


def test_a_tensor_is_as_good_as_its_array(axes):
    cell = mg.nn.RNNCell(3, 4, rng=np.random.default_rng(0))
    left, _ = plot.spectrum(cell.weight_hh, axes)
    np.testing.assert_array_equal(eigenvalues(left), np.linalg.eigvals(cell.weight_hh.data))
    assert cell.weight_hh.grad is None


@pytest.mark.parametrize(("weight", "says"), [
    (np.ones((2, 3)), r"\(2, 3\)"), (np.zeros((0, 0)), r"\(0, 0\)"), (np.ones(4), r"\(4,\)"),
    (np.ones((12, 3)), r"4 gates: take one, weight\[:3\]"), ([[1.0, np.nan], [np.inf, 1.0]], "2 of the 4 entries")])
def test_what_has_no_spectrum_is_refused(weight, says):
    with pytest.raises(ValueError, match=says):
        plot.spectrum(weight)
    assert plt.get_fignums() == []


def test_one_axes_is_too_few():
    with pytest.raises(ValueError, match="two axes, not on 1"):
        plot.spectrum(CHAIN, Figure().add_subplot())


def test_without_axes_one_figure_is_made_and_the_style_does_not_leak():
    before = dict(plt.rcParams)
    left, right = plot.spectrum(CHAIN)
    assert left.figure is right.figure
    assert plt.get_fignums() == [left.figure.number]
    assert dict(plt.rcParams) == before
    plt.close("all")


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_the_same_matrix_is_the_same_bytes(ending, tmp_path):
    for k in range(2):
        plot.save(plot.spectrum(CHAIN, Figure().subplots(1, 2))[0].figure, tmp_path / f"{k}.{ending}")
    assert (tmp_path / f"0.{ending}").read_bytes() == (tmp_path / f"1.{ending}").read_bytes()

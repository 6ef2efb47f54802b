"""Histograms of single gradients, layer by layer."""

import math

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle, StepPatch
from plotting import draw

from minigrad import nn, plot

inf, nan = math.inf, math.nan


@pytest.fixture
def ax():
    """Axes on a figure that pyplot knows nothing of."""
    return Figure().add_subplot()


def rows(ax):
    return [label.get_text() for label in ax.get_yticklabels()]


def columns(ax):
    return [label.get_text() for label in ax.get_xticklabels()]


def ridges(ax):
    """The histograms: the row of each, and how high its bars are."""
    found = [patch.get_data() for patch in ax.patches if isinstance(patch, StepPatch)]
    return {float(baseline): baseline - values for values, _, baseline in found}


def bars(ax):
    """The shares in the lanes: (row, share)."""
    return [(bar.get_y(), -bar.get_height() / 0.85) for bar in ax.patches
            if isinstance(bar, Rectangle) and bar.get_height() < 0]


def test_each_layer_has_a_ridge_with_its_median(ax):
    gradients = {"0.weight": np.array([1e-3, -1e-3, 1e-2]), "2.weight": np.array([1.0, -1.0]), "2.bias": np.array(0.1)}
    assert plot.gradient_histograms(gradients, ax, bins=3) is ax
    assert rows(ax) == ["0", "2"]
    found = ridges(ax)
    np.testing.assert_allclose(found[0.0], 0.85 * np.array([1.0, 0.5, 0.0]))           # scaled to the highest bar
    np.testing.assert_allclose(found[1.0], 0.85 * np.array([0.0, 0.0, 1.0]))           # 0.1 and 1 share the last bar
    medians = [line.get_xdata()[0] for line in ax.lines if line.get_linewidth() == 1.4]
    np.testing.assert_allclose(medians, [-3.0, 0.0], atol=1e-12)
    low, high = ax.get_ylim()
    assert low > high                                                                  # the first layer on top
    assert ax.get_xlabel() == "|gradient|"
    assert ax.get_title() == "Sizes of the single gradients, per layer"
    draw(ax)


def test_by_parameter_and_a_title_of_ones_own(ax):
    plot.gradient_histograms({"0.weight": np.ones(2), "0.bias": np.ones(1)}, ax, by="parameter", title="mine")
    assert rows(ax) == ["0.weight", "0.bias"]
    assert ax.get_title() == "mine"


def test_a_module_shows_what_backward_left_in_it(ax):
    net = nn.Sequential(nn.Linear(3, 4, rng=np.random.default_rng(0)), nn.Tanh(),
                        nn.Linear(4, 2, rng=np.random.default_rng(1)))
    net(np.ones((5, 3))).sum().backward()
    net[2].weight.grad = net[2].bias.grad = None
    kept = net[0].weight.grad.numpy().copy()
    plot.gradient_histograms(net, ax)
    assert rows(ax) == ["0", "2"]
    assert list(ridges(ax)) == [0.0]
    assert [text.get_text() for text in ax.texts] == ["no gradient"]
    np.testing.assert_array_equal(net[0].weight.grad.numpy(), kept)


def test_zeros_inf_and_nan_have_lanes_with_their_share(ax):
    gradients = {"a": [1.0, 0.0, 0.0, 1e-3], "b": [inf, nan, -inf, 2.0], "c": np.zeros(3), "d": [nan]}
    plot.gradient_histograms({name: np.array(g) for name, g in gradients.items()}, ax)
    assert columns(ax)[-3:] == ["0", "inf", "NaN"]
    np.testing.assert_allclose(bars(ax), [(0, 0.5), (1, 0.5), (1, 0.25), (2, 1.0), (3, 1.0)])
    assert [text.get_text() for text in ax.texts] == ["50%", "50%", "25%", "100%", "100%"]
    draw(ax)


def test_there_are_no_lanes_for_what_does_not_occur(ax):
    plot.gradient_histograms({"a": np.array([1e-3, 1.0])}, ax)
    assert not {"0", "inf", "NaN"} & set(columns(ax))


@pytest.mark.parametrize(("count", "text"), [(1, "0.01%"), (949, "9%"), (951, "10%"), (9950, ">99%"),
                                             (9999, ">99.9%"), (9000, "90%"), (10_000, "100%")])
def test_a_share_is_never_rounded_to_none_or_all(count, text, ax):
    g = np.ones(10_000)
    g[:count] = 0
    plot.gradient_histograms({"a": g}, ax)
    assert ax.texts[0].get_text() == text


@pytest.mark.parametrize("values", [
    [3.0], [0.0], [nan], [nan, inf, 0.0], [5e-324, 1.7e308], [1e-200], np.float32([1e-40, 1e30]), [1], 7.0])
def test_whatever_comes_is_drawn(values, ax):
    plot.gradient_histograms({"w": np.asarray(values)}, ax)
    draw(ax)
    ordinary = np.isfinite(values) & (np.asarray(values) > 0)
    total = sum(len(ridge) > 0 and ridge.max() for ridge in ridges(ax).values())
    assert total == pytest.approx(0.85 if np.any(ordinary) else 0.0)
    if not np.any(ordinary):
        assert "no gradient is\nfinite and > 0" in [text.get_text() for text in ax.texts]


def test_of_many_layers_some_are_named(ax):
    plot.gradient_histograms({f"{k}.weight": np.ones(2) for k in range(70)}, ax)
    assert rows(ax) == [str(k) for k in range(0, 70, 3)]
    assert ax.get_ylabel() == "70 layers, one in 3 named"
    assert len(ridges(ax)) == 70


@pytest.mark.parametrize(("gradients", "options", "says"), [
    ({}, {}, "no parameters"), ({"a": None}, {}, r"none of the 1 parameters has a gradient: call loss.backward\(\)"),
    (nn.Linear(2, 2), {}, "none of the 2"), ([1.0], {}, "not list"),
    ({"a": np.ones(2)}, {"by": "unit"}, "by = 'unit'")])
def test_what_cannot_be_drawn_is_refused_with_the_cure(gradients, options, says):
    with pytest.raises(ValueError, match=says):
        plot.gradient_histograms(gradients, **options)
    assert plt.get_fignums() == []


def test_without_axes_one_figure_is_made_and_the_style_does_not_leak():
    before = dict(plt.rcParams)
    ax = plot.gradient_histograms({"a": np.ones(3)})
    assert plt.get_fignums() == [ax.figure.number]
    assert dict(plt.rcParams) == before
    plt.close("all")


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_the_same_gradients_are_the_same_bytes(ending, tmp_path):
    g = {"a": np.random.default_rng(0).normal(size=1000), "b": np.array([0.0, nan, 1e-5]), "c": None}
    for k in range(2):
        plot.save(plot.gradient_histograms(g, Figure().add_subplot()).figure, tmp_path / f"{k}.{ending}")
    assert (tmp_path / f"0.{ending}").read_bytes() == (tmp_path / f"1.{ending}").read_bytes()

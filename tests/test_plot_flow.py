"""The picture of a gradient flow: what is on the two axes, in the lanes, and that it is the same twice."""

import math

import matplotlib.pyplot as plt
import numpy as np
import pytest
from flows import Last, batch, bent, mlp, sequences

import minigrad as mg
from minigrad import nn
from minigrad.nn import functional as F


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def not_negative(batch):
    """Return a batch with inputs that are not negative, so that no ReLU dies."""
    return np.abs(batch[0]), batch[1]


def drawn(ax, label):
    return next(line for line in ax.lines if line.get_label() == label)


def test_delta_with_theory_beside_bars_on_one_scale():
    found = mg.flow(mlp(30, 64, nn.ReLU, 0.5), F.cross_entropy, batch(64))
    left, right = mg.plot.flow(found)
    rows = found.rows
    np.testing.assert_array_equal(drawn(left, "measured").get_ydata(), [row.delta for row in rows])
    np.testing.assert_array_equal(drawn(left, "measured").get_xdata(), range(1, 32))
    dashed = drawn(left, "predicted (mean field)")
    np.testing.assert_array_equal(dashed.get_ydata()[:30], [row.predicted for row in rows[:30]])
    assert math.isnan(dashed.get_ydata()[30])
    assert dashed.get_linestyle() == "--"
    assert drawn(left, "measured").get_linestyle() == "-"
    heights = [bar.get_y() + bar.get_height() for bar in right.patches]
    np.testing.assert_allclose(heights, [row.gradient for row in rows])
    assert left.get_ylim() == right.get_ylim()
    assert left.get_yscale() == right.get_yscale() == "log"
    assert [t.get_text() for t in left.get_legend().get_texts()] == ["measured", "predicted (mean field)"]
    assert left.get_title().startswith("delta dL/dh: vanishing, 0.28")
    assert left.get_ylabel() == "||dL/dh||"
    assert right.get_title().startswith("weight gradient: largest / smallest = ")
    assert right.get_ylabel() == "||dL/dW||"
    tall = np.log10(max(heights) / min(heights)) / np.diff(np.log10(right.get_ylim()))[0]
    assert tall < 0.1                                           # one sees that the bars are flat


def test_axes_of_ones_own_and_titles_and_series():
    found = mg.flow(Last(nn.RNN(3, 8, rng=np.random.default_rng(0))), F.cross_entropy, sequences(12))
    fig, axes = plt.subplots(2, 2)
    got = mg.plot.flow(found, axes[0], titles=("a", "b"))
    assert got[0] is axes[0, 0]
    assert got[1] is axes[0, 1]
    assert got[0].get_title() == "a"
    assert len(fig.axes) == 4
    assert got[0].get_xlabel() == "time step"
    assert got[1].get_ylabel() == "||dL/dW|| of each step"
    assert len(got[1].patches) == 11                            # the first step has no state before it
    layers = found.plot(axes[1], series="layers")
    assert layers[0].get_xlabel() == "layer (1 is next to the input)"
    assert layers[0].get_title() == "delta dL/dh: too few layers for a slope"
    assert mg.plot.flow(found, axes[1], series=-1)[0] is axes[1, 0]


@pytest.mark.parametrize(("kind", "label"), [("LSTM", "||dL/dc||"), ("GRU", "||h||")])
def test_gated_layers_show_the_cell_or_the_activation(kind, label):
    found = mg.flow(Last(getattr(nn, kind)(3, 8)), F.cross_entropy, sequences(12))
    left, right = mg.plot.flow(found)
    assert right.get_ylabel() == label
    assert not right.patches
    assert left.get_ylim() == right.get_ylim()
    name = "cell" if kind == "LSTM" else "activation"
    np.testing.assert_array_equal(right.lines[0].get_ydata(), [getattr(row, name) for row in found.rows])


def test_zeros_nan_and_inf_have_lanes_and_what_is_beyond_the_axis_triangles():
    found = mg.flow(mlp(60, 8, nn.Tanh, 1e-16), F.cross_entropy, batch(8))
    left, right = mg.plot.flow(found)
    zeros = sum(row.delta == 0 for row in found.rows)
    assert "0" in [t.get_text() for t in left.texts]
    assert zeros > 10
    crosses = next(line for line in left.lines if line.get_marker() == "x")
    assert len(crosses.get_xdata()) == zeros
    assert max(crosses.get_ydata()) < np.nanmin(drawn(left, "measured").get_ydata())
    triangles = next(line for line in left.lines if line.get_marker() == "v")
    assert triangles.get_label().startswith("below 1e-20")
    assert len(triangles.get_xdata()) > 5
    for row in found.rows:
        row.delta = math.nan
    left, _ = mg.plot.flow(found)
    assert "NaN" in [t.get_text() for t in left.texts]
    net = mlp(5, 6)
    net[4].register_full_backward_hook(lambda m, g_in, g_out: (g_in[0] * np.inf,))
    left, right = mg.plot.flow(mg.flow(net, F.cross_entropy, batch(6)))
    assert {"inf"} <= {t.get_text() for t in (*left.texts, *right.texts)}


def test_what_is_predicted_far_off_does_not_squash_what_was_measured():
    found = mg.flow(mlp(20, 16, nn.Tanh, 1e16), F.cross_entropy, batch(16))
    left, _ = mg.plot.flow(found)
    values = np.array([v for row in found.rows for v in (row.delta, row.gradient) if v])
    assert max(row.predicted or 0 for row in found.rows) > 1e50
    assert np.log10(left.get_ylim()[1] / values.max()) < 6
    triangles = next(line for line in left.lines if line.get_marker() == "^")
    assert triangles.get_label().startswith("predicted above 1e")
    beyond = [row.index for row in found.rows if (row.predicted or 0) > 1e5]
    assert set(beyond) <= set(triangles.get_xdata())
    assert np.isnan(drawn(left, "predicted (mean field)").get_ydata()[np.array(beyond) - 1]).all()


def test_the_title_says_which_of_several_series_is_drawn():
    net = nn.RNN(3, 8, num_layers=2, rng=np.random.default_rng(0))
    found = mg.flow(net, lambda out: (out[0][-1] ** 2).sum(), sequences(12)[0])
    assert found.plot()[0].get_title().startswith("RNN, layer 0 (1 of 2 series)\ndelta dL/dh: vanishing")
    assert found.plot(series="RNN, layer 1")[0].get_title().startswith("RNN, layer 1 (2 of 2 series)\n")
    assert "series" not in found.plot(series="layers")[0].get_title()


@pytest.mark.parametrize(("steps", "bars"), [(81, 80), (120, 0)])
def test_many_bars_are_one_outline(steps, bars):
    found = mg.flow(Last(nn.RNN(3, 4, rng=np.random.default_rng(0))), F.cross_entropy, sequences(steps))
    _, right = mg.plot.flow(found)
    assert len(right.patches) == bars
    assert len(right.collections) == (not bars)


def test_the_title_says_that_a_profile_bends():
    net, data = bent()
    left, _ = mg.plot.flow(mg.flow(net, F.cross_entropy, data))
    assert left.get_title().endswith(", but it bends")


def test_a_single_layer_and_very_many_steps():
    left, _ = mg.plot.flow(mg.flow(nn.Linear(3, 3), lambda h: (h * h).sum(), np.ones((2, 3))))
    assert left.get_xlim() == pytest.approx((0.3, 1.7))
    rng = np.random.default_rng(0)
    net = Last(nn.RNN(3, 4, nonlinearity="relu", bias=False, rng=rng), rng=rng)
    net.body.weight_ih_l0.data = np.abs(net.body.weight_ih_l0.data)
    nn.init.eye_(net.body.weight_hh_l0)
    found = mg.flow(net, F.cross_entropy, not_negative(sequences(3000, size=2)))
    left, right = mg.plot.flow(found)
    assert not right.patches
    assert len(right.collections) == 1
    assert len(drawn(left, "measured").get_xdata()) == 3000


@pytest.mark.parametrize("ending", ["svg", "png"])
def test_the_same_bytes_twice(tmp_path, ending):
    for k in range(2):
        found = mg.flow(mlp(12, 16, nn.ReLU, 0.5), F.cross_entropy, batch(16))
        mg.plot.save(mg.plot.flow(found)[0].figure, tmp_path / f"{k}.{ending}")
    assert (tmp_path / f"0.{ending}").read_bytes() == (tmp_path / f"1.{ending}").read_bytes()


def test_what_is_refused():
    found = mg.flow(mlp(4, 4), F.cross_entropy, batch(4))
    with pytest.raises(ValueError, match="there are 'layers'"):
        mg.plot.flow(found, series="rnn")
    with pytest.raises(ValueError, match="there are 'layers'"):
        mg.plot.flow(found, series=1)
    with pytest.raises(ValueError, match="two are wanted"):
        mg.plot.flow(found, plt.subplots()[1])

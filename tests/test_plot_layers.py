"""The map of layers and steps, and the ratio of update to data per layer."""

import itertools
import math

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from plotting import draw, inside, legend, lines

import minigrad as mg
from minigrad import hooks, nn, optim, plot
from minigrad.plot.layers import COLUMNS
from minigrad.plot.style import MARKS

inf, nan = math.inf, math.nan


@pytest.fixture
def ax():
    return Figure(figsize=(8, 5)).add_subplot()


def layered(*layers, steps=None):
    """A trace of layers "l0.w", "l1.w", ..., each a list of norms; None where there is no gradient."""
    trace = mg.NormTrace(per_parameter=True)
    for k, norms in enumerate(zip(*layers, strict=True)):
        trace.record({f"l{i}.w": None if v is None else np.array([v]) for i, v in enumerate(norms)},
                     step=None if steps is None else steps[k])
    return trace


def cells(ax):
    return ax.collections[0].get_array()


def colour_at(ax, x, y):
    """The colours of the pixels of a cell."""
    canvas = FigureCanvasAgg(ax.figure)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba()) / 255
    (left, bottom), (right, top) = (ax.transData.transform((x + dx, y + dy)) for dx, dy in ((-0.4, 0.4), (0.4, -0.4)))
    block = pixels[len(pixels) - int(top):len(pixels) - int(bottom), int(left):int(right)]
    return {to_hex(c) for c in block.reshape(-1, 4)}


def test_the_map_shows_the_logarithm_layers_downwards_steps_to_the_right(ax):
    trace = layered([1.0, 10.0, 100.0], [1e-3, 1e-200, 1e5])
    assert plot.layer_map(trace, ax) is ax
    np.testing.assert_allclose(cells(ax), [[0, 1, 2], [-3, -200, 5]], rtol=1e-14)
    assert ax.collections[0].get_clim() == (-200, 5)
    assert [t.get_text() for t in ax.get_yticklabels()] == ["l0", "l1"]
    assert ax.yaxis_inverted()
    assert ax.get_xlim() == (-0.5, 2.5)
    assert (ax.get_xlabel(), ax.get_title()) == ("step", "Gradient norm per layer and step")
    assert ax.get_legend() is None
    bar = ax.collections[0].colorbar
    draw(ax)
    assert bar.ax.get_ylabel() == "gradient norm"
    assert all(text.get_text().startswith("$10^{") for text in bar.ax.get_yticklabels())


def test_the_norm_of_a_layer_is_that_of_its_parameters(ax):
    trace = mg.NormTrace(per_parameter=True)
    trace.record({"0.weight": np.array([3.0]), "0.bias": np.array([4.0])})
    plot.layer_map(trace, ax)
    assert cells(ax).tolist() == [[math.log10(5.0)]]


@pytest.mark.parametrize(("value", "kind", "text"), [
    (None, "missing", "no gradient"), (0.0, "0", "0"), (inf, "inf", "inf"), (nan, "NaN", "NaN")])
def test_what_has_no_logarithm_has_a_mark_and_a_line_in_the_legend(value, kind, text, ax):
    plot.layer_map(layered([1.0, value, 10.0], [2.0, 3.0, 4.0]), ax)
    assert cells(ax).mask.tolist() == [[False, True, False], [False] * 3]
    assert legend(ax) == [text]
    assert [c.get_label() for c in ax.collections[1:]] == [kind]
    assert MARKS[kind].lower() in colour_at(ax, 1, 0)
    assert MARKS[kind].lower() not in colour_at(ax, 1, 1)


def test_the_four_marks_differ_in_colour_and_pattern(ax):
    plot.layer_map(layered([None, 0.0, inf, nan]), ax)
    assert legend(ax) == ["no gradient", "0", "inf", "NaN"]
    found = ax.collections[1:]
    assert len({to_hex(c.get_facecolor()[0]) for c in found}) == 4
    assert len({c.get_hatch() for c in found}) == 4


def test_of_many_steps_a_column_shows_the_worst(ax):
    count = 2 * COLUMNS
    first, second = np.ones((2, count))
    first[7], first[100], second[11], second[500:502] = 1e6, inf, nan, 0.0
    step = np.repeat(np.arange(count), 3)
    trace = mg.NormTrace.from_columns({"step": step, "parameter": ["", "a.w", "b.w"] * count,
                                       "norm_in": np.column_stack([first + second, first, second]).ravel()})
    plot.layer_map(trace, ax)
    shown = cells(ax)
    assert shown.shape == (2, COLUMNS)
    assert shown[0, 3] == 6.0
    assert np.argwhere(shown.mask).tolist() == [[0, 50], [1, 5], [1, 250]]
    assert ax.get_xlabel() == "step; the largest of each 2"
    assert legend(ax) == ["0", "inf", "NaN"]
    widest = {c.get_label(): np.ptp(c.get_paths()[0].vertices[:, 0]) for c in ax.collections[1:]}
    assert widest["0"] == 2                                 # as it is
    assert min(widest["inf"], widest["NaN"]) >= count / 200         # one alone would not be seen


@pytest.mark.parametrize(("steps", "edges"), [([0, 10, 20], [-5, 5, 15, 25]), ([3, 4, 14], [2.5, 3.5, 9, 19]),
                                              ([7], [6.5, 7.5])])
def test_steps_lie_where_they_were(steps, edges, ax):
    plot.layer_map(layered([1.0, 2.0, 3.0][:len(steps)], steps=steps), ax)
    assert ax.collections[0].get_coordinates()[0, :, 0].tolist() == edges


def test_micro_batches_that_share_a_step_are_counted_as_calls(ax):
    net, trace = nn.Linear(2, 1, rng=np.random.default_rng(0)), mg.NormTrace(per_parameter=True)
    opt = optim.SGD(dict(net.named_parameters()), lr=0.1, hooks=[hooks.Accumulate(2), hooks.ClipNorm(1.0)], trace=trace)
    for _ in range(4):
        opt.zero_grad()
        net(np.ones((1, 2))).sum().backward()
        opt.step()
    plot.layer_map(trace, ax, by="parameter")
    assert cells(ax).shape == (2, 4)
    assert (ax.get_xlabel(), ax.get_title()) == ("call of optimizer.step", "Gradient norm per parameter and step")


def test_many_names_are_thinned_and_long_ones_shortened(ax):
    trace = mg.NormTrace(per_parameter=True)
    trace.record({f"a.very.long.path.to.the.encoder.layer.{k}.weight": np.ones(1) for k in range(200)})
    plot.layer_map(trace, ax)
    labels = [t.get_text() for t in ax.get_yticklabels()]
    assert 10 < len(labels) < 40
    assert all(len(label) <= 24 for label in labels)
    assert labels[0].endswith("layer.0")
    assert ax.get_ylabel().startswith("200 layers, one in ")
    draw(ax)
    boxes = [t.get_window_extent() for t in ax.get_yticklabels()]
    assert not any(a.overlaps(b) for a, b in itertools.pairwise(boxes))


def test_limits_are_shared_and_values_beyond_them_keep_a_colour(ax):
    plot.layer_map(layered([1e-9, 1.0, 1e9]), ax, limits=(0.1, 10.0), colorbar=False)
    assert ax.collections[0].get_clim() == (-1.0, 1.0)
    assert not cells(ax).mask.any()
    assert ax.collections[0].colorbar is None


@pytest.mark.parametrize(("make", "options", "text"), [
    (lambda: mg.NormTrace.from_columns({"norm_in": [1.0]}), {}, "per_parameter=True"),
    (lambda: layered([1.0]), {"stage": 3}, "stage 3"), (lambda: layered([1.0]), {"name": "loss"}, "'norm_out'")])
def test_what_cannot_be_mapped_is_refused(make, options, text, ax):
    with pytest.raises(ValueError, match=text):
        plot.layer_map(make(), ax, **options)


# ------------------------------------------------------------------------------ update ratio

def trained(layers=2, per_parameter=True, steps=3, lr=0.1):
    """SGD on weights of ones with gradients of ones: the ratio is lr / (1 - lr k)."""
    weights = {f"l{i}.w": mg.tensor([1.0, 1.0], requires_grad=True) for i in range(layers)}
    trace = mg.NormTrace(per_parameter=per_parameter)
    opt = optim.SGD(weights, lr=lr, trace=trace)
    for _ in range(steps):
        for w in weights.values():
            w.grad = [1.0, 1.0]
        opt.step()
    return trace


def test_the_ratio_of_each_layer_and_the_rule_of_thumb(ax):
    assert plot.update_ratio(trained(), ax) is ax
    drawn = lines(ax)
    for name in ("l0", "l1"):
        np.testing.assert_allclose(drawn[name][1], [0.1 / (1 - 0.1 * k) for k in range(3)], rtol=1e-12)
    assert drawn["1e-3: rule of thumb"][1].tolist() == [1e-3, 1e-3]
    assert {line.get_label(): line.get_linestyle() for line in ax.lines} == {
        "l0": "-", "l1": "-", "1e-3: rule of thumb": "--"}
    assert legend(ax) == ["l0", "l1", "1e-3: rule of thumb"]
    assert (ax.get_yscale(), ax.get_xlabel(), ax.get_title()) == ("log", "update", "Update-to-data ratio per layer")
    draw(ax)
    assert inside(ax)


def test_all_parameters_together_need_no_rows_of_each(ax):
    plot.update_ratio(trained(per_parameter=False), ax, by=None)
    assert lines(ax)["all parameters"][1][0] == pytest.approx(0.1, rel=1e-12)


def test_many_layers_go_from_dark_to_bright_and_three_are_named(ax):
    plot.update_ratio(trained(layers=20), ax)
    assert legend(ax) == ["l0", "l10", "l19", "1e-3: rule of thumb"]
    assert ax.get_legend().get_title().get_text() == "20 layers, from dark to bright"
    assert sum(len(line.get_xdata()) == 3 for line in ax.lines) == 20


def test_a_layer_without_a_gradient_has_a_gap_and_a_measured_nan_a_mark(ax):
    trace, w = mg.NormTrace(per_parameter=True), np.ones(1)
    for g in (np.ones(1), None, np.array([nan])):
        trace.record({"a.w": g, "b.w": w}, data={"a.w": w, "b.w": w}, updates={"a.w": g, "b.w": w})
    plot.update_ratio(trace, ax)
    assert lines(ax)["a"][0].tolist() == [0.0, 2.0]
    assert [text.get_text() for text in ax.texts] == ["NaN"]


@pytest.mark.parametrize(("make", "by", "text"), [
    (lambda: mg.NormTrace.from_columns({"norm_in": [1.0]}), None, "data="),
    (lambda: trained(per_parameter=False), "layer", "per_parameter=True")])
def test_without_data_there_is_no_ratio(make, by, text, ax):
    with pytest.raises(ValueError, match=text):
        plot.update_ratio(make(), ax, by=by)

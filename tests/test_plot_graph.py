"""The computation graph: what is in the boxes, where they stand, and that the graph itself is left alone."""

import gc
import math
import weakref

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, PathPatch
from plotting import draw, legend

import minigrad as mg
from minigrad import nn, plot
from minigrad.nn import functional as F
from minigrad.plot.boxes import boxes_of
from minigrad.plot.style import MARKS

TIMES, DOTS = "\N{MULTIPLICATION SIGN}", "\N{HORIZONTAL ELLIPSIS}"


@pytest.fixture
def ax():
    """Axes on a figure that pyplot knows nothing of."""
    return Figure(figsize=(14, 6)).add_subplot()


def leaf(value):
    return mg.tensor(value, requires_grad=True)


def expression():
    a, b, c = leaf(2.0), leaf(-3.0), leaf(6.5)
    return (a * b + c).tanh(), {"a": a, "b": b, "c": c}


def mlp(depth=3, width=4):
    rng = np.random.default_rng(0)
    net = nn.Sequential(*[m for _ in range(depth) for m in (nn.Linear(width, width, rng=rng), nn.Tanh())])
    return (net(rng.normal(size=(5, width))) ** 2).mean(), net


def rnn(steps=4):
    rng = np.random.default_rng(0)
    cell, h = nn.RNNCell(3, 4, rng=rng), None
    for _ in range(steps):
        h = cell(rng.normal(size=(5, 3)), h)
    return h.sum(), cell


def lstm():
    rng = np.random.default_rng(0)
    cell = nn.LSTMCell(3, 4, rng=rng)
    h, _ = cell(rng.normal(size=(5, 3)))
    return (h * h).sum(), cell


GRAPHS = {"expression": expression, "mlp": mlp, "rnn": rnn, "lstm": lstm, "deep": lambda: mlp(30),
          "long": lambda: rnn(60)}


def texts(ax):
    """The boxes by their first line: the other lines."""
    return {lines[0]: lines[1:] for lines in (text.get_text().split("\n") for text in ax.texts) if len(lines) > 1}


def frames(ax):
    """Left, right, top and bottom of each box."""
    return np.array([[p.get_x(), p.get_x() + p.get_width(), p.get_y(), p.get_y() + p.get_height()]
                     for p in ax.patches if isinstance(p, FancyBboxPatch)])


def curves(ax):
    """The points along each edge."""
    return [p.get_path().to_polygons(closed_only=False)[0] for p in ax.patches if isinstance(p, PathPatch)]


# ------------------------------------------------------------------------------ what is in the boxes

def test_the_boxes_of_an_expression_have_names_values_and_gradients(ax):
    loss, names = expression()
    assert plot.graph(loss, ax, names=names) is ax
    slope = 1 - math.tanh(0.5) ** 2
    expected = {"a": (2, 3 * slope), "b": (-3, 2 * slope), "c": (6.5, slope), "multiply": (-6, slope),
                "add": (0.5, slope), "tanh": (math.tanh(0.5), 1)}
    assert texts(ax) == {name: [f"= {value:.4g}", f"{g:.3g}"] for name, (value, g) in expected.items()}
    assert ax.get_title() == "Gradient norm at each node of the graph (6 nodes)"
    assert legend(ax) == ["leaf"]
    assert not ax.axison
    draw(ax)


def test_the_colour_is_the_logarithm_of_the_norm(ax):
    x = leaf([1.0, 0.0])
    plot.graph((1000 * (0.01 * x)).sum(), ax, names={"x": x}, limits=(1e-1, 1e3))
    patches = [p for p in ax.patches if isinstance(p, FancyBboxPatch)]
    norms = {"x": 10 * 2 ** 0.5, "first": 1000 * 2 ** 0.5, "second": 2 ** 0.5, "sum": 1.0}
    viridis = plt.get_cmap("viridis")
    assert [to_hex(p.get_facecolor()) for p in patches] == [
        to_hex(viridis((math.log10(n) + 1) / 4)) for n in norms.values()]
    bar, = (other for other in ax.figure.axes if other is not ax)
    assert bar.get_ylabel() == "||dL/dnode||"
    assert bar.get_ylim() == (-1.0, 3.0)


@pytest.mark.parametrize("name", GRAPHS)
def test_the_norms_are_those_of_grad(name):
    loss, names = GRAPHS[name]()
    tensors = list(names.values()) if isinstance(names, dict) else list(names.parameters())
    found = mg.grad(loss, tensors, retain_graph=True)
    boxes = {number: norm for box in boxes_of(loss, fold=False, limit=1000)
             for number, norm in zip(box.numbers, box.norms)}
    for tensor, g in zip(tensors, found):
        assert boxes[tensor._number] == pytest.approx(np.linalg.norm(g.data), rel=1e-12)
    assert boxes[loss._number] == 1


def test_names_of_parameters_results_and_data(ax):
    rng = np.random.default_rng(0)
    net, x, w = nn.Linear(3, 2, rng=rng), rng.normal(size=(5, 3)), mg.tensor(np.ones((5, 2)))
    y = net(x)
    plot.graph((y * w).sum(), ax, names={"x": x, "w": w, "y": y, **dict(net.named_parameters())})
    assert texts(ax)["x"] == [f"5{TIMES}3"]
    assert texts(ax)["w"] == [f"5{TIMES}2"]
    assert {"y = linear", "weight", "bias", "multiply", "sum"} <= set(texts(ax))
    assert legend(ax) == ["leaf", "needs no gradient"]


def test_data_can_be_left_out(ax):
    loss, net = mlp()
    plot.graph(loss, ax, names=net, data=False)
    assert "data" not in texts(ax)
    assert legend(ax) == ["leaf"]


def test_slices_say_what_they_take_and_an_argument_used_twice_is_marked(ax):
    x = leaf(np.ones((4, 6)))
    y = x[..., 2:4] * x[1:2, 2:4]
    plot.graph((y * y).sum(), ax)
    assert {f"take [{DOTS}, 2:4]", "take [1:2, 2:4]"} <= set(texts(ax))
    assert [text.get_text() for text in ax.texts].count(f"{TIMES}2") == 1


def test_zero_inf_nan_and_what_is_not_on_the_way_have_marks_of_their_own(ax):
    z, q, r, unused = leaf([0.0, 0.0]), leaf([1.0, 2.0]), leaf([0.0]), leaf(1.0)
    with np.errstate(all="ignore"):
        loss = np.sqrt(z).sum() + np.maximum(-q, 0.0).sum() + (np.sqrt(r) * 0.0).sum()
    plot.graph(loss, ax, names={"z": z, "q": q, "r": r, "unused": unused})
    found = texts(ax)
    assert [found[name][-1] for name in ("z", "q", "r", "unused")] == ["inf", "0", "NaN", "not on the way"]
    assert legend(ax) == ["leaf", "exactly 0", "inf", "NaN", "no gradient arrives"]
    patches = [p for p in ax.patches if isinstance(p, FancyBboxPatch)]
    seen = dict(zip((text.get_text().split("\n")[0] for text in ax.texts), patches))
    for name, kind in (("z", "inf"), ("q", "0"), ("r", "NaN"), ("unused", "missing")):
        assert to_hex(seen[name].get_facecolor()) == MARKS[kind].lower()
    draw(ax)


def test_many_parameters_that_are_not_on_the_way_are_counted(ax):
    loss, names = expression()
    plot.graph(loss, ax, names={**names, **{f"other {k}": leaf(1.0) for k in range(9)}})
    assert [name for name in texts(ax) if "other" in name] == ["other 0", "other 1", "other 2"]
    assert texts(ax)["6 more"] == ["parameters", "not on the way"]


@pytest.mark.parametrize("value", [1e-200, 1e200, 5e-324])
def test_extreme_gradients_are_shown_as_they_are(value, ax):
    x = leaf(1.0)
    plot.graph(x * value, ax, names={"x": x})
    assert texts(ax)["x"][-1] == f"{value:.3g}"
    draw(ax)


def test_float32_checkpoints_and_a_leaf_alone(ax):
    x = mg.tensor(np.ones(3, np.float32), requires_grad=True)
    plot.graph(mg.checkpoint(np.tanh, x * 2).sum(), ax, names={"x": x})
    assert "checkpoint" in texts(ax)
    assert texts(ax)["x"][-1] == f"{3 ** 0.5 * 2 * (1 - math.tanh(2) ** 2):.3g}"
    alone = leaf(3.0)
    plot.graph(alone, Figure().add_subplot(), names={"alone": alone})


def test_a_result_of_several_elements_takes_a_cotangent(ax):
    x = leaf([1.0, 2.0])
    plot.graph(x * x, ax, names={"x": x}, gradient=[3.0, 2.0])
    assert texts(ax)["x"][-1] == "10"                        # (2 * 1 * 3, 2 * 2 * 2)


# ----------------------------------------------------------------------------------- where they stand

@pytest.mark.parametrize("name", GRAPHS)
def test_no_box_covers_another_and_every_edge_goes_to_the_right_around_the_boxes(name, ax):
    loss, names = GRAPHS[name]()
    plot.graph(loss, ax, names=names)
    boxes = frames(ax)
    for k, (left, right, top, bottom) in enumerate(boxes):
        others = np.delete(boxes, k, axis=0)
        apart = (others[:, 0] >= right) | (others[:, 1] <= left) | (others[:, 2] >= bottom) | (others[:, 3] <= top)
        assert apart.all()
    (x0, x1), (y0, y1) = ax.get_xlim(), ax.get_ylim()
    assert (boxes[:, 0] >= x0).all()
    assert (boxes[:, 1] <= x1).all()
    assert (boxes[:, 2:] <= y0).all()
    assert (boxes[:, 2:] >= y1).all()
    ways = curves(ax)
    assert len(ways) >= len(boxes) - 1
    for way in ways:
        assert (np.diff(way[:, 0]) > -1e-9).all()
        for x, y in way:
            assert not ((boxes[:, 0] < x) & (x < boxes[:, 1]) & (boxes[:, 2] < y) & (y < boxes[:, 3])).any()
    draw(ax)


@pytest.mark.parametrize("name", GRAPHS)
def test_the_same_graph_is_drawn_the_same(name, tmp_path):
    for k in range(2):
        loss, names = GRAPHS[name]()
        figure = Figure(figsize=(12, 5))
        plot.graph(loss, figure.add_subplot(), names=names)
        plot.save(figure, tmp_path / f"{k}.svg")
    assert (tmp_path / "0.svg").read_bytes() == (tmp_path / "1.svg").read_bytes()


# --------------------------------------------------------------------------------------------- folding

@pytest.mark.parametrize("depth", [20, 50])
def test_a_deep_net_is_folded_and_no_operation_is_lost(depth, ax):
    loss, net = mlp(depth)
    plot.graph(loss, ax, names=net)
    boxes = boxes_of(loss, net)
    fold, = (box for box in boxes if box.kind == "fold")
    hidden = int(fold.title.split()[0])
    assert fold.title == f"{hidden} more like this"
    assert 2 * hidden + sum(box.kind == "op" for box in boxes) == 2 * depth + 2           # linear and tanh, ** and mean
    assert fold.detail.endswith(f"; {2 * hidden} leaves")
    assert len(fold.norms) == hidden
    assert ax.get_title().endswith("nodes, repetitions folded)")
    assert len(boxes) < 25


def test_the_stripes_of_a_fold_are_the_norms_of_its_repetitions():
    loss, cell = rnn(50)
    whole = {number: norm for box in boxes_of(loss, cell, fold=False, limit=1000)
             for number, norm in zip(box.numbers, box.norms)}
    fold, = (box for box in boxes_of(loss, cell) if box.kind == "fold")
    assert len(fold.norms) == 47
    assert fold.norms == [whole[number] for number in fold.numbers]
    assert fold.numbers == sorted(fold.numbers)


def test_shared_weights_stay_and_outer_results_are_connected():
    cell, h, states = nn.RNNCell(3, 4, rng=np.random.default_rng(0)), None, []
    for _ in range(40):
        h = cell(np.ones((5, 3)), h)
        states.append(h)
    boxes = boxes_of(np.stack(states).sum(), cell)
    titles = [box.title for box in boxes]
    assert {"weight_ih", "weight_hh", "bias_ih", "bias_hh", "37 more like this", "stack"} <= set(titles)
    stack = boxes[titles.index("stack")]
    assert titles.index("37 more like this") in stack.parents
    assert all(p < k for k, box in enumerate(boxes) for p in box.parents)


def test_folding_can_be_asked_for_and_refused():
    loss, net = mlp(8)
    assert not [box for box in boxes_of(loss, net) if box.kind == "fold"]                 # 34 nodes: small enough
    assert [box.title for box in boxes_of(loss, net, fold=True) if box.kind == "fold"] == ["5 more like this"]


def test_a_very_long_chain_is_drawn(ax):
    h = x = leaf(0.5)
    for _ in range(20_000):
        h = np.tanh(h) * 1.01
    plot.graph(h, ax, names={"x": x})
    assert "19997 more like this" in texts(ax)


def test_a_graph_that_nobody_could_read_is_refused_with_the_cure(ax):
    rng = np.random.default_rng(0)
    found = [leaf(1.0), leaf(2.0)]
    for _ in range(300):
        i, j = rng.integers(0, len(found), 2)
        found.append(found[i] * found[j])
    with pytest.raises(ValueError, match=r"more than limit=200.*Draw a part, plot.graph\(h.sum\(\)\)"):
        plot.graph(sum(found[-50:]), ax)
    assert not ax.patches
    with pytest.raises(ValueError, match="fold=True"):
        plot.graph(mlp(60)[0], ax, fold=False)
    plot.graph(mlp(60)[0], ax, fold=False, limit=300)


# -------------------------------------------------------------------------------------- left alone

def test_the_graph_and_every_grad_are_left_as_they_are(ax):
    loss, net = mlp()
    other, twin = mlp()
    net[0].weight.grad = np.ones((4, 4))
    plot.graph(loss, ax, names=net)
    assert (net[0].weight.grad.numpy() == 1).all()
    assert net[2].weight.grad is None
    net[0].weight.grad = None
    loss.backward()
    other.backward()
    for p, q in zip(net.parameters(), twin.parameters()):
        assert p.grad.tolist() == q.grad.tolist()


def test_the_picture_keeps_nothing_of_the_graph_alive(ax):
    loss, net = mlp()
    plot.graph(loss, ax, names=net)
    watched = weakref.ref(loss), weakref.ref(net[0].weight)
    gc.disable()
    try:
        del loss, net
        assert [ref() for ref in watched] == [None, None]
    finally:
        gc.enable()


def test_hooks_act_as_in_any_backward_pass(ax):
    x = leaf(2.0)
    h = x * 1.0
    h.register_hook(lambda g: g * 10)
    plot.graph(h * h, ax, names={"x": x})
    assert texts(ax)["x"][-1] == "40"


@pytest.mark.parametrize(("make", "error", "says"), [
    (lambda: np.ones(3), TypeError, "not from ndarray"), (lambda: mg.tensor(1.0), RuntimeError, "does not require"),
    (lambda: leaf([1.0, 2.0]) * 2, RuntimeError, r"\(2,\)")])
def test_what_has_no_gradient_is_refused(make, error, says):
    with pytest.raises(error, match=says):
        plot.graph(make())
    assert plt.get_fignums() == []


def test_a_freed_graph_is_refused_with_the_cure():
    loss, _ = mlp()
    loss.backward()
    with pytest.raises(RuntimeError, match="retain_graph=True"):
        plot.graph(loss)


@pytest.mark.parametrize(("names", "says"), [([1], "not list"), ({"a": "b"}, r"names\['a'\] is a str")])
def test_names_of_something_else_are_refused(names, says):
    with pytest.raises(TypeError, match=says):
        plot.graph(leaf(1.0) * 2, names=names)


# -------------------------------------------------------------------------------------- axes and files

def test_without_axes_a_figure_as_large_as_the_graph_is_made_and_the_style_does_not_leak():
    before = dict(plt.rcParams)
    small, large = (plot.graph(make()[0]).figure for make in (expression, lstm))
    assert len(plt.get_fignums()) == 2
    assert small.get_figwidth() < large.get_figwidth()
    assert dict(plt.rcParams) == before
    plt.close("all")


def test_the_text_shrinks_with_the_axes():
    loss, net = mlp()
    sizes = []
    for width in (20, 6, 3):
        ax = Figure(figsize=(width, width / 2)).add_subplot()
        plot.graph(loss, ax, names=net, colorbar=False, title="mine")
        assert ax.get_title() == "mine"
        assert len(ax.figure.axes) == 1
        sizes.append(ax.texts[0].get_fontsize())
    assert sizes[0] == 10 > sizes[1] > sizes[2]


@pytest.mark.parametrize("ending", ["png", "pdf"])
def test_the_same_call_writes_the_same_bytes_twice(ending, tmp_path):
    loss, names = expression()
    for k in range(2):
        plot.save(plot.graph(loss, Figure().add_subplot(), names=names).figure, tmp_path / f"{k}.{ending}")
    assert (tmp_path / f"0.{ending}").read_bytes() == (tmp_path / f"1.{ending}").read_bytes()


def test_a_loss_of_integers_that_enter_as_data(ax):
    rng = np.random.default_rng(0)
    net = nn.Linear(3, 2, rng=rng)
    plot.graph(F.cross_entropy(net(rng.normal(size=(5, 3))), np.zeros(5, int)), ax, names=net)
    assert "cross_entropy" in texts(ax)
    assert texts(ax)["data"] == ["5"]

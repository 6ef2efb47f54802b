"""The loss of two parameters from above and as a surface, and the ways down it."""

import math

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from plotting import draw, legend, lines

import minigrad as mg
from minigrad import hooks, optim, plot
from minigrad.experiments import cliff as net
from minigrad.plot.cliff import heights, inside, pieces
from minigrad.plot.style import AFTER, BEFORE, MARKS

inf, nan = math.inf, math.nan
X, Y = np.linspace(-3, 3, 31), np.linspace(-1, 1, 21)
WINDOW = ((-3.0, 3.0), (-1.0, 1.0))


def bowl(x, y):
    return x * x + 10 * y * y


def one_unit(w, b):
    return net.loss(w, b, 50)[0]


def walked(start, lr, steps, *pipeline):
    """The way of SGD on the net of one unit."""
    p = mg.tensor(start, requires_grad=True)
    opt, way = optim.SGD([p], lr, hooks=list(pipeline)), [start]
    for _ in range(steps):
        opt.zero_grad()
        one_unit(p[0], p[1]).backward()
        opt.step()
        way.append(p.tolist())
    return np.array(way)


@pytest.fixture
def ax():
    """Axes on a figure that pyplot knows nothing of."""
    return Figure().add_subplot()


@pytest.fixture
def space():
    """Axes in space."""
    return Figure().add_subplot(projection="3d")


def test_the_picture_holds_the_loss_on_the_grid(ax):
    assert plot.cliff(bowl, X, Y, ax, names=("x", "y")) is ax
    image, = ax.images
    np.testing.assert_allclose(image.get_array(), bowl(*np.meshgrid(X, Y)))
    np.testing.assert_allclose(image.get_extent(), [-3.1, 3.1, -1.05, 1.05])
    assert (ax.get_xlim(), ax.get_ylim()) == ((-3, 3), (-1, 1))
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("x", "y")
    assert ax.get_title() == "Loss as a function of x and y"
    assert image.colorbar.ax.get_ylabel() == "loss"
    draw(ax)


@pytest.mark.parametrize("loss", [bowl, lambda x, y: mg.tensor(bowl(x, y)), bowl(*np.meshgrid(X, Y)),
                                  lambda x, y: mg.tensor(bowl(x, y), requires_grad=True) * 1])
def test_a_function_of_arrays_or_tensors_or_the_array_itself(loss, ax):
    plot.cliff(loss, X, Y, ax, colorbar=False, title="mine")
    np.testing.assert_allclose(ax.images[0].get_array(), bowl(*np.meshgrid(X, Y)))
    assert ax.images[0].colorbar is None
    assert ax.get_title() == "mine"


def test_the_measured_cliff_lies_under_its_predicted_wall(ax):
    w, b = np.linspace(4.5, 7, 26), np.linspace(-4.5, -1.5, 301)
    plot.cliff(one_unit, w, b, ax, wall=net.wall)
    x, y = lines(ax)["wall, predicted"]
    np.testing.assert_allclose(y, 0.5 - 0.6224593312 * x, rtol=1e-9)
    values = np.asarray(ax.images[0].get_array())
    steepest = b[np.abs(np.diff(values, axis=0)).argmax(axis=0)]
    np.testing.assert_allclose(steepest, net.wall(w), atol=0.011)                # a cell, above or below
    dashed, = (line for line in ax.lines if line.get_linestyle() == "--")
    assert dashed.get_label() == "wall, predicted"


def test_a_wall_given_as_points_is_drawn_through_them(ax):
    plot.cliff(bowl, X, Y, ax, wall=([-1, 1], [0.5, nan]))
    assert lines(ax)["wall, predicted"][0].tolist() == [-1, 1]


def test_descents_as_measured_the_plain_one_leaves_and_the_clipped_one_stays(ax):
    start = [5.5, -2.85]
    ways = {"plain": walked(start, 0.02, 400), "clipped": walked(start, 0.02, 400, hooks.ClipNorm(1.0))}
    plot.cliff(one_unit, np.linspace(4, 7, 31), np.linspace(-4.5, -1.5, 31), ax, trajectories=ways)
    assert np.hypot(*np.diff(ways["clipped"], axis=0).T).max() <= 0.02 * (1 + 1e-12)
    drawn = {line.get_label(): to_hex(line.get_color()) for line in ax.lines}
    assert (drawn["plain"], drawn["clipped"]) == (BEFORE.lower(), AFTER.lower())
    assert legend(ax) == ["plain", "clipped"]
    away = np.hypot(*(ways["plain"] - start).T).max()        # where it is thrown is a matter of rounding
    assert away > 100
    assert [text.get_text() for text in ax.texts] == ["", f"plain leaves,\n{away:.4g} away at most"]
    draw(ax)


def test_the_arrow_stands_where_the_way_crosses_the_edge(ax):
    plot.cliff(bowl, X, Y, ax, trajectories=[[[0, 0], [2, 0.5], [10, 4.5], [0, 0]]])
    assert ax.texts[0].xy == pytest.approx((3.0, 1.0))
    assert legend(ax) == ["run 0"]
    assert ax.texts[1].get_text() == f"run 0 leaves,\n{math.hypot(10, 4.5):.4g} away at most"


@pytest.mark.parametrize("end", [[nan, 0.0], [inf, inf], [1e308, -1e308], [-1e308, 1e308]])
def test_a_way_that_ends_beyond_all_numbers_is_drawn_as_far_as_it_can_be(end, ax):
    plot.cliff(bowl, X, Y, ax, trajectories={"a": [[0, 0], [1, 0.5], [40.0, 0.5], end]})
    draw(ax)
    text = ax.texts[1].get_text()
    assert text.endswith("not finite from step 3 on") == (not np.isfinite(np.hypot(*end)))
    for line in ax.lines:
        points = np.column_stack(line.get_data())
        assert inside(points[~np.isnan(points).any(axis=1)], WINDOW).all()


@given(arrays(float, (6, 2), elements=st.floats(-5, 5)))
def test_the_pieces_of_a_way_are_what_a_fine_walk_sees(way):
    parts, exits = pieces(way, WINDOW)
    length = np.nansum(np.hypot(*np.diff(parts.reshape(-1, 3, 2)[:, :2], axis=1)[:, 0].T)) if len(parts) else 0.0
    fine = way[:-1, None] + np.diff(way, axis=0)[:, None] * np.linspace(0, 1, 4001)[None, :, None]
    middle = (fine[:, 1:] + fine[:, :-1]) / 2
    steps = np.hypot(*np.moveaxis(np.diff(fine, axis=1), -1, 0))
    assert length == pytest.approx(steps[inside(middle.reshape(-1, 2), WINDOW).reshape(steps.shape)].sum(), abs=0.05)
    for point in exits.values():
        assert min(*(abs(point[0] - edge) for edge in WINDOW[0]), *(abs(point[1] - edge) for edge in WINDOW[1])) < 1e-9


@pytest.mark.parametrize(("value", "kind"), [(nan, "NaN"), (inf, "inf"), (-inf, "-inf")])
def test_what_has_no_colour_has_a_mark(value, kind, ax):
    values = bowl(*np.meshgrid(X, Y))
    values[3, 4] = value
    plot.cliff(values, X, Y, ax)
    assert legend(ax) == [f"the loss is {kind}"]
    mask = ax.images[1].get_array().mask
    assert np.argwhere(~mask).tolist() == [[3, 4]]
    assert to_hex(ax.images[1].cmap(0)) == MARKS[kind.strip("-")].lower()
    draw(ax)


def test_a_loss_over_many_decades_is_shown_by_its_logarithm_and_zero_by_its_mark(ax):
    values = 10.0 ** np.add.outer(np.arange(-200, 221, 20), np.zeros(31))[:21]
    values[0, 0] = 0
    plot.cliff(values, X, Y, ax)
    image = ax.images[0]
    assert image.get_clim() == (-200, 200)
    assert image.get_array().mask[0, 0]
    assert legend(ax) == ["the loss is 0"]
    draw(ax)


@pytest.mark.parametrize("values", [np.full((21, 31), nan), np.full((21, 31), 2.0), np.zeros((21, 31)),
                                    np.float32(bowl(*np.meshgrid(X, Y))), np.full((21, 31), 1.7e308),
                                    1.7e308 * np.linspace(-1, 1, 651).reshape(21, 31), np.full((21, 31), 5e-324)])
def test_whatever_loss_comes_is_drawn(values, ax):
    plot.cliff(values, X, Y, ax, trajectories=[[[0.0, 0.0]]])
    draw(ax)


@pytest.mark.parametrize("call", [plot.cliff, plot.cliff_surface])
@pytest.mark.parametrize(("loss", "w", "b", "options", "says"), [
    (np.ones((31, 21)), X, Y, {}, r"shape \(31, 21\), but the grid .* = \(21, 31\)"),
    (lambda x, y: 1.0, X, Y, {}, "each point by itself"), (bowl, X[::-1], Y, {}, "w must be an ascending vector"),
    (bowl, X, [1.0], {}, "b must be an ascending vector"), (bowl, [0.0, nan], Y, {}, "finite"),
    (bowl, X, Y, {"trajectories": {"a": np.ones((4, 3))}}, r"'a' has shape \(4, 3\)"),
    (bowl, X, Y, {"trajectories": [np.ones((0, 2))]}, r"\(0, 2\)")])
def test_what_does_not_fit_is_refused(call, loss, w, b, options, says):
    with pytest.raises(ValueError, match=says):
        call(loss, w, b, **options)
    assert plt.get_fignums() == []


# -------------------------------------------------------------------------------------- surface

def test_the_surface_has_its_axes_and_the_ways_lie_on_it(space):
    way = np.array([[2.0, 0.5], [1.0, 0.2], [0.5, 0.1]])
    out = np.array([[0.0, 0.0], [4.0, 0.0]])
    assert plot.cliff_surface(bowl, X, Y, space, trajectories={"a": way, "b": out}, wall=lambda x: 0 * x) is space
    assert (space.get_xlabel(), space.get_ylabel(), space.get_zlabel()) == ("w", "b", "loss")
    drawn = {line.get_label(): line.get_data_3d() for line in space.lines}
    x, y, z = (v[~np.isnan(v)] for v in map(np.asarray, drawn["a"]))
    np.testing.assert_allclose(z, bowl(x, y) + 0.01 * bowl(3, 1), rtol=1e-12)
    assert "b (leaves, 4 away at most)" in drawn
    assert "wall, predicted (on the floor)" in drawn
    assert np.nanmax(drawn["b (leaves, 4 away at most)"][0]) == 3.0
    draw(space)


def test_a_large_grid_is_thinned(space):
    plot.cliff_surface(bowl, np.linspace(-1, 1, 1001), np.linspace(-1, 1, 901), space)
    assert len(space.collections[0].get_facecolor()) <= 100 * 100


def test_heights_between_the_points_of_the_grid_are_linear():
    values = np.add.outer(2 * Y, 3 * X)
    points = np.random.default_rng(0).uniform((-3, -1), (3, 1), (50, 2))
    np.testing.assert_allclose(heights(X, Y, values, points), 3 * points[:, 0] + 2 * points[:, 1], atol=1e-12)


def test_flat_axes_and_a_loss_that_is_nowhere_finite_are_refused(ax, space):
    with pytest.raises(ValueError, match='projection="3d"'):
        plot.cliff_surface(bowl, X, Y, ax)
    with pytest.raises(ValueError, match="nowhere finite"):
        plot.cliff_surface(np.full((21, 31), nan), X, Y, space)


@pytest.mark.parametrize("call", [plot.cliff, plot.cliff_surface])
def test_without_axes_one_figure_is_made_and_the_style_does_not_leak(call):
    before = dict(plt.rcParams)
    ax = call(bowl, X, Y, trajectories=[[[0, 0], [9, 9]]])
    assert plt.get_fignums() == [ax.figure.number]
    assert dict(plt.rcParams) == before
    plt.close("all")


@pytest.mark.parametrize("ending", ["png", "svg"])
@pytest.mark.parametrize(("call", "kind"), [(plot.cliff, None), (plot.cliff_surface, "3d")])
def test_the_same_call_writes_the_same_bytes_twice(call, kind, ending, tmp_path):
    for k in range(2):
        ax = Figure().add_subplot(projection=kind)
        call(bowl, X, Y, ax, trajectories=[[[0, 0], [9, 9]]], wall=lambda x: x / 3)
        plot.save(ax.figure, tmp_path / f"{k}.{ending}")
    assert (tmp_path / f"0.{ending}").read_bytes() == (tmp_path / f"1.{ending}").read_bytes()

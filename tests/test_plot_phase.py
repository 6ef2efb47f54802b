"""The phase diagram: its colours are the theory's numbers, its line the critical one."""

import math

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure
from plotting import draw, legend, lines

from minigrad import plot, theory

LINE = r"critical line, $\chi_1 = 1$"


@pytest.fixture
def ax():
    """Axes on a figure that pyplot knows nothing of."""
    return Figure(layout="constrained").add_subplot()


@pytest.fixture(autouse=True)
def never_shown(monkeypatch):
    """Nothing calls show, and nothing is left open."""
    def show(*args, **kwargs):
        raise AssertionError("show was called")
    monkeypatch.setattr(plt, "show", show)
    yield
    plt.close("all")


def test_the_colours_are_the_logarithm_of_chi(ax):
    assert plot.phase("tanh", ax, sigma_w2=(1.0, 3.0), sigma_b2=(0.0, 0.4), points=5) is ax
    shown = ax.images[0].get_array()
    for i, w in enumerate((1.0, 1.5, 2.0, 2.5, 3.0)):
        for j, b in enumerate((0.0, 0.1, 0.2, 0.3, 0.4)):
            assert shown[i, j] == pytest.approx(math.log(theory.chi_1("tanh", w, b)), abs=1e-12)
    assert ax.images[0].get_extent() == pytest.approx((-0.05, 0.45, 0.75, 3.25))     # a point is a cell's middle
    assert (ax.get_xlim(), ax.get_ylim()) == ((0.0, 0.4), (1.0, 3.0))
    assert ax.images[0].norm.vcenter == 0
    assert ax.get_title() == "Where gradients vanish or explode: deep tanh nets"
    assert [text.get_text() for text in ax.texts] == ["gradients explode", "gradients vanish"]
    draw(ax)


def test_the_line_is_the_critical_one(ax):
    plot.phase("tanh", ax, points=2)
    x, y = lines(ax)[LINE]
    assert (x[0], x[-1]) == (0.0, 0.5)
    assert y == pytest.approx([theory.critical_line("tanh", b) for b in x])
    assert legend(ax) == [LINE]
    assert ax.lines[0].get_linestyle() == "--"                                        # a prediction


def test_the_depth_that_can_be_trained(ax):
    plot.phase("tanh", ax, sigma_w2=(1.0, 1.5), sigma_b2=(0.05, 0.1), points=2, colour="xi", title="mine")
    assert np.asarray(ax.images[0].get_array())[:, 0] == pytest.approx([21.76, 94.75], rel=1e-3)
    assert ax.get_title() == "mine"
    bar = ax.figure.axes[1]
    assert bar.get_ylabel() == r"depth that can be trained, $6\,\xi_c$ (layers)"
    assert bar.get_yscale() == "log"


def test_on_the_critical_line_itself_the_deepest_colour(ax):
    plot.phase("relu", ax, sigma_w2=(1.0, 3.0), points=3, colour="xi")
    assert ax.images[0].get_array()[1].tolist() == [300.0] * 3
    assert np.isfinite(ax.images[0].get_array()).all()


@pytest.mark.parametrize(("name", "texts"), [("softplus", []), ("linear", ["gradients explode"])])
def test_a_net_without_a_line_or_with_one_at_the_edge(name, texts, ax):
    plot.phase(name, ax, sigma_w2=(1.0, 3.0), points=3, colorbar=False)
    assert (LINE in lines(ax)) == (name == "linear")
    assert [text.get_text() for text in ax.texts] == texts
    assert len(ax.figure.axes) == 1
    draw(ax)


def test_a_line_that_ends_is_drawn_as_far_as_it_goes(ax):
    plot.phase("gelu", ax, sigma_b2=(0.0, 1.0), points=2)
    _, y = lines(ax)[LINE]
    assert np.isnan(y[0])
    assert y[-1] == pytest.approx(theory.critical_line("gelu", 1.0))
    draw(ax)


def test_without_weights_there_is_no_gradient_and_yet_a_colour(ax):
    plot.phase("tanh", ax, sigma_w2=(0.0, 2.0), points=3)
    shown = ax.images[0].get_array()
    assert shown[0].tolist() == [shown[1:].min()] * 3
    draw(ax)


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_the_same_call_writes_the_same_bytes(kind, tmp_path):
    for name in ("a", "b"):
        plot.save(plot.phase("tanh", points=7).figure, tmp_path / f"{name}.{kind}")
    assert (tmp_path / f"a.{kind}").read_bytes() == (tmp_path / f"b.{kind}").read_bytes()


@pytest.mark.parametrize(("arguments", "words"), [
    ({"activation": "tahn"}, "did you mean 'tanh'"), ({"colour": "q"}, "choose one of chi, xi"),
    ({"points": 1}, "at least 2"), ({"sigma_w2": (3.0, 1.0)}, "sigma_w2 = "),
    ({"sigma_b2": (-1.0, 1.0)}, "sigma_b2 = "),
    ({"sigma_b2": 0.5}, "a range is wanted"), ({"sigma_w2": (0.0, math.inf)}, "both finite")])
def test_what_is_refused_says_why(arguments, words, ax):
    with pytest.raises(ValueError, match=words):
        plot.phase(ax=ax, **arguments)
    assert not ax.images

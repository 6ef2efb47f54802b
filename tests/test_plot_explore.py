"""One picture at several values: the grid, and the sliders where a kernel and ipywidgets are."""

import functools
import importlib
import io
import json
import math
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image
from plotting import draw, legend

import minigrad as mg
from minigrad import plot

page = importlib.import_module("minigrad.plot.explore")


def power(gain, ax):
    ax.semilogy([gain ** t for t in range(20)], label="gain ** t")
    ax.set(xlabel="t", ylabel="product")
    ax.legend()


def line(slope, shift=0.0, *, ax):
    ax.plot([0, 1], [shift, shift + slope])


def titles(axes):
    return [[ax and ax.get_title() for ax in row] for row in axes]


def calls(**options):
    """The values with which the function is called, panel by panel."""
    seen = []
    plot.explore(lambda ax, **values: seen.append(values), **options)
    return seen


def written(figure, tmp_path):
    plot.save(figure, tmp_path / "figure.png")
    return (tmp_path / "figure.png").read_bytes()


def test_a_range_gives_six_panels_in_two_rows():
    axes = plot.explore(power, gain=(0.5, 1.5, 0.05))
    assert titles(axes) == [["gain = 0.5", "gain = 0.7", "gain = 0.9"], ["gain = 1.1", "gain = 1.3", "gain = 1.5"]]
    assert [ax.lines[0].get_ydata()[1] for ax in axes.flat] == [0.5, 0.7, 0.9, 1.1, 1.3, 1.5]
    assert {ax.figure for ax in axes.flat} == {axes[0, 0].figure}
    assert plt.get_fignums() == [axes[0, 0].figure.number]
    draw(axes[0, 0])


@pytest.mark.parametrize(("form", "values"), [
    ((0.0, 1.0, 0.1), [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
    ((-0.3, 0.3, 0.1), [-0.3, -0.2, -0.1, 0.0, 0.1, 0.2, 0.3]),         # and not 5.6e-17
    ((1, 10, 1), [1, 4, 7, 10]),                                        # on whole steps, evenly
    ((1, 12, 1), [1, 3, 5, 8, 10, 12]),                                 # eleven steps cannot be shared out evenly
    ((1, 3, 1), [1, 2, 3]), ((1, 2, 1), [1, 2]),
    ((0.0, 1.0, 0.3), [0.0, 0.3, 0.6, 0.9]),                            # the last that is on a step
    ((1e-7, 5.0, 1.0), [1e-7, 1.0000001, 2.0000001, 3.0000001, 4.0000001]),
    ((1e-5, 6e-5, 1e-5), [1e-5, 2e-5, 3e-5, 4e-5, 5e-5, 6e-5]),
    ((np.float64(0.5), np.float32(1.5), 0.5), [0.5, 1.0, 1.5]),
    ((np.int64(2), 8, 2), [2, 4, 6, 8]),
    ([3.0, 1.0, 2.0], [3.0, 1.0, 2.0]), (["sgd", "adam"], ["sgd", "adam"]), (("sgd", "adam"), ["sgd", "adam"]),
    ([None, 1.0], [None, 1.0]), (range(3), [0, 1, 2]), (np.array([0.5, 0.25]), [0.5, 0.25]),
    (True, [False, True]), (False, [False, True]), ([math.inf], [math.inf])])
def test_what_each_form_of_a_parameter_draws(form, values):
    got = [one["x"] for one in calls(x=form)]
    assert got == values
    assert list(map(type, got)) == list(map(type, values)) or isinstance(form, np.ndarray)


@pytest.mark.parametrize(("panels", "values"), [
    (2, [0.5, 1.5]), (3, [0.5, 1.0, 1.5]), (5, [0.5, 0.75, 1.0, 1.25, 1.5]), (4, [0.5, 0.85, 1.15, 1.5]),
    (99, [round(0.5 + 0.05 * k, 2) for k in range(21)]), (np.int64(2), [0.5, 1.5])])
def test_as_many_panels_as_wanted(panels, values):
    assert [one["gain"] for one in calls(gain=(0.5, 1.5, 0.05), panels=panels)] == values


@pytest.mark.parametrize(("count", "shape"), [(1, (1, 1)), (2, (1, 2)), (3, (1, 3)), (4, (2, 2)), (5, (2, 3)),
                                              (6, (2, 3)), (7, (2, 4)), (9, (3, 3)), (10, (3, 4))])
def test_places_that_are_left_over_hold_no_axes(count, shape):
    axes = plot.explore(line, slope=list(range(count)))
    assert axes.shape == shape
    assert [ax is None for ax in axes.flat] == [False] * count + [True] * (axes.size - count)


def test_two_parameters_are_rows_and_columns():
    axes = plot.explore(line, slope=(0.0, 1.0, 0.25), shift=(-2, 2, 1))
    assert axes.shape == (3, 3)
    assert titles(axes)[1] == [f"slope = 0.5, shift = {shift}" for shift in (-2, 0, 2)]
    assert plot.explore(line, slope=(0.0, 1.0, 0.25), shift=[1, 2]).shape == (3, 2)
    assert plot.explore(line, slope=(0.0, 1.0, 0.25), shift=(-2, 2, 1), panels=5).shape == (5, 5)
    assert calls(a=["x", "y"], b=True) == [{"a": a, "b": b} for a in "xy" for b in (False, True)]


@pytest.mark.parametrize(("sharex", "sharey", "same"), [
    (True, True, [[0, 0, 0], [0, 0, 0]]), (False, True, [[0, 0, 0], [0, 0, 0]]),
    (True, False, [[0, 1, 2], [3, 4, 5]]), (True, "row", [[0, 0, 0], [1, 1, 1]]),
    (True, "col", [[0, 1, 2], [0, 1, 2]])])
def test_limits_are_shared_and_labels_stand_outside(sharex, sharey, same):
    def labelled(slope, shift, ax):
        line(slope, shift, ax=ax)
        ax.set(xlabel="x", ylabel="y")

    axes = plot.explore(labelled, slope=[1.0, 40.0], shift=[0.0, 100.0, 3000.0], sharex=sharex, sharey=sharey)
    draw(axes[0, 0])
    limits = [ax.get_ylim() for ax in axes.flat]
    for a, left in zip(limits, np.ravel(same)):
        for b, right in zip(limits, np.ravel(same)):
            assert (a == b) == (left == right)
    for (row, column), ax in np.ndenumerate(axes):
        assert ax.yaxis.label.get_visible() == (column == 0)
        assert ax.xaxis.label.get_visible() == (row == 1)
        numbers = [any(t.label1.get_visible() for t in axis.get_major_ticks()) for axis in (ax.xaxis, ax.yaxis)]
        assert numbers == [row == 1 or sharex is not True, column == 0 or sharey not in (True, "row")]
        assert len([y for y in ax.get_yticks() if ax.get_ylim()[0] <= y <= ax.get_ylim()[1]]) <= 5


def test_the_panel_above_an_empty_place_keeps_its_numbers():
    axes = plot.explore(line, slope=list(range(5)))
    draw(axes[0, 0])
    assert [any(t.label1.get_visible() for t in ax.xaxis.get_major_ticks()) for ax in axes[0]] == [False, False, True]


def test_a_logarithmic_scale_is_shared_too():
    axes = plot.explore(power, gain=(0.5, 1.5, 0.5))
    low, high = axes[0, 2].get_ylim()
    assert {ax.get_yscale() for ax in axes.flat} == {"log"}
    assert low < 0.5 ** 19 < 1.5 ** 19 < high
    assert all(ax.get_ylim() == (low, high) for ax in axes.flat)


def test_one_legend_is_enough_where_all_say_the_same():
    axes = plot.explore(power, gain=[0.5, 1.0])
    assert legend(axes[0, 0]) == ["gain ** t"]
    assert axes[0, 1].get_legend() is None

    def named(gain, ax):
        ax.plot([1], label=f"{gain}")
        ax.legend()

    assert [legend(ax) for ax in plot.explore(named, gain=[0.5, 1.0]).flat] == [["0.5"], ["1.0"]]


def test_titles_of_the_function_stay():
    def verdict(gain, ax, fixed=None):
        ax.set_title(fixed or ("explodes" if gain > 1 else "vanishes"))

    axes = plot.explore(verdict, gain=[0.5, 1.5], title="Two fates")
    assert titles(axes) == [["gain = 0.5\nvanishes", "gain = 1.5\nexplodes"]]
    assert axes[0, 0].figure.get_suptitle() == "Two fates"
    axes = plot.explore(functools.partial(verdict, fixed="Norms"), gain=[0.5, 1.5])
    assert titles(axes) == [["gain = 0.5", "gain = 1.5"]]
    assert axes[0, 0].figure.get_suptitle() == "Norms"


def test_pictures_of_traces_are_drawn_in_the_panels():
    def norms(growth, ax):
        plot.norms(mg.NormTrace.from_columns({"norm_in": growth ** np.arange(9.0)}), ax)

    axes = plot.explore(norms, growth=[0.5, 2.0])
    assert [ax.lines[0].get_ydata()[-1] for ax in axes.flat] == [0.5 ** 8, 2.0 ** 8]
    assert axes[0, 0].figure.get_suptitle() == "Gradient norm per step"


def test_values_are_written_in_few_characters():
    axes = plot.explore(lambda value, ax: None, value=[1e-5, 1e6, 0.1 + 0.2, None, np.tanh, "name"])
    assert [ax.get_title() for ax in axes.flat] == [
        f"value = {text}" for text in ("1e-05", "1000000", "0.3", "None", "tanh", "name")]


@pytest.mark.parametrize("options", [{"gain": (0.5, 1.5, 0.05)}, {"gain": [0.5, 1.0], "sharey": False, "title": "T"}])
def test_the_same_call_writes_the_same_bytes_twice(options, tmp_path):
    first, second = (written(plot.explore(power, **options)[0, 0].figure, tmp_path) for _ in range(2))
    assert first == second
    assert first.startswith(b"\x89PNG")


@pytest.mark.parametrize(("options", "error", "says"), [
    ({}, ValueError, r"name one and its range, gain=\(0.5, 1.5, 0.05\)"),
    ({"gain": (0.5, 1.5, 0)}, ValueError, r"gain = \(0.5, 1.5, 0\): the step, 0, must be > 0"),
    ({"gain": (0.5, 1.5, -0.1)}, ValueError, "the step, -0.1, must be > 0"),
    ({"gain": (1.5, 0.5, 0.1)}, ValueError, "low, 1.5, must be below high, 0.5"),
    ({"gain": (1, 1, 1)}, ValueError, "low, 1, must be below high, 1"),
    ({"gain": (0.5, math.nan, 0.1)}, ValueError, "must be finite"),
    ({"gain": (0.5, math.inf, 0.1)}, ValueError, "must be finite"),
    ({"gain": (0.5, 1.5, 2.0)}, ValueError, "the step, 2.0, is wider than the range"),
    ({"gain": (0.5, 1.5)}, TypeError, "a tuple of numbers is a range of three"),
    ({"gain": (0.5, 1.5, "a")}, TypeError, "a tuple of numbers is a range of three"),
    ({"gain": []}, ValueError, r"gain = \[\]: there is no value to draw"),
    ({"gain": [0.5, 0.5]}, ValueError, "gain: 0.5 is there twice"),
    ({"gain": 0.5}, TypeError, r"functools.partial\(fn, gain=0.5\)"),
    ({"gain": "tanh"}, TypeError, r"a range \(low, high, step\) or a list of values"),
    ({"gain": {"a": 1}}, TypeError, r"a range \(low, high, step\) or a list of values"),
    ({"gain": (0.5, 1.5, 0.1), "sharex": "both"}, ValueError, "sharex = 'both': choose True, False, 'row' or 'col'"),
    ({"gain": (0.5, 1.5, 0.1), "panels": 1}, ValueError, "panels = 1: .* at least 2"),
    ({"gain": (0.5, 1.5, 0.1), "panels": 2.5}, TypeError, "panels = 2.5: give a whole number"),
    ({"gain": [0.5, 1.5], "panels": 2}, ValueError, "all values of a list are drawn"),
    ({"gain": (0.5, 1.5, 0.1), "start": 1.6}, ValueError, "start: gain = 1.6 .*; choose from 0.5 to 1.5"),
    ({"gain": (0.5, 1.5, 0.1), "start": "one"}, ValueError, "choose from 0.5 to 1.5"),
    ({"gain": [0.5, 1.5], "start": 1.0}, ValueError, "choose one of 0.5, 1.5"),
    ({"gain": (0.5, 1.5, 0.1), "start": {"depth": 3}}, ValueError, "start has 'depth', which is not explored: gain")])
def test_what_cannot_be_explored_is_refused(options, error, says):
    with pytest.raises(error, match=says):
        plot.explore(power, **options)
    assert plt.get_fignums() == []


@pytest.mark.parametrize(("fn", "names", "error", "says"), [
    (power, ["depth"], TypeError, r"power\(gain, ax\) cannot be called as power\(depth=..., ax=...\)"),
    (lambda gain: None, ["gain"], TypeError, r"\(gain=..., ax=...\): got an unexpected keyword argument 'ax'"),
    (lambda gain, depth, ax: None, ["gain"], TypeError, "missing a required argument: 'depth'"),
    ("power", ["gain"], TypeError, "fn = 'power' is no function"),
    (lambda **k: None, ["a", "b", "c"], ValueError, r"3 parameters \(a, b, c\), .* functools.partial\(fn, c=...\)"),
    (lambda ax: None, ["ax"], ValueError, "ax is what explore gives")])
def test_functions_that_do_not_fit_are_refused_before_anything_is_drawn(fn, names, error, says):
    with pytest.raises(error, match=says):
        plot.explore(fn, **dict.fromkeys(names, (0, 1, 1)))
    assert plt.get_fignums() == []


def test_start_must_say_which_parameter():
    with pytest.raises(ValueError, match=r"start=\{'slope': ..., 'shift': ...\}"):
        plot.explore(line, slope=[1], shift=[2], start=1)


def test_a_parameter_may_have_any_name_that_explore_has_not():
    assert [one["fn"] for one in calls(fn=[1, 2])] == [1, 2]


def test_an_error_of_the_function_says_at_which_value_and_leaves_no_figure():
    def fails(gain, ax):
        if gain > 1:
            raise OverflowError("too large")

    with pytest.raises(OverflowError, match="too large") as caught:
        plot.explore(fails, gain=[0.5, 1.5])
    assert caught.value.__notes__ == ["while explore drew gain = 1.5"]
    assert plt.get_fignums() == []


def test_a_function_that_draws_elsewhere_is_told_so():
    before = plt.figure()
    with pytest.raises(ValueError, match="a figure of its own; let it draw on ax"):
        plot.explore(lambda gain, ax: plt.figure(), gain=[0.5])
    assert plt.get_fignums() == [before.number]


class Notebook:
    """A notebook without a kernel: what is displayed, and a call that displays something."""

    def __init__(self):
        self.shown = []

    def __call__(self, fn, **options):
        """Return the axes of the grid, the controls, the line and the picture."""
        axes = plot.explore(fn, **options)
        *controls, self.says, self.image = self.shown[-1].children
        return axes, controls

    def png(self):
        return bytes(self.image.value)


@pytest.fixture
def notebook(monkeypatch):
    pytest.importorskip("ipywidgets")
    found = Notebook()
    monkeypatch.setattr(page, "kernel_runs", lambda: True)
    monkeypatch.setattr(page, "show", found.shown.append)
    return found


def test_a_slider_redraws_the_picture(notebook):
    axes, (slider,) = notebook(power, gain=(0.5, 1.5, 0.05), start=0.7)
    assert axes.shape == (2, 3)
    assert type(slider).__name__ == "FloatSlider"
    assert (slider.min, slider.max, slider.step, slider.value) == (0.5, 1.5, 0.05, 0.7)
    assert (slider.description, slider.readout_format) == ("gain", ".2f")
    first = notebook.png()
    pixels = np.asarray(Image.open(io.BytesIO(first)))
    assert first.startswith(b"\x89PNG")
    assert pixels.shape[:2] == (int(4.2 * page.DPI), int(7.5 * page.DPI))
    assert pixels.std() > 10
    slider.value = 1.5
    second = notebook.png()
    assert second != first
    slider.value = 0.7
    assert notebook.png() == first
    assert plt.get_fignums() == [axes[0, 0].figure.number]


def test_the_function_is_given_values_that_stand_on_steps(notebook):
    seen = []
    _, (slider,) = notebook(lambda gain, ax: seen.append(gain), gain=(0.5, 1.5, 0.05), panels=2)
    assert seen == [0.5, 1.5, 1.0]
    slider.value = 0.9500000000000001
    assert seen[-1] == 0.95


def test_without_a_kernel_or_without_ipywidgets_there_is_only_the_grid(notebook, monkeypatch):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    assert plot.explore(power, gain=[0.5, 1.0]).shape == (1, 2)
    monkeypatch.undo()
    assert not page.kernel_runs()
    assert plot.explore(power, gain=[0.5, 1.0]).shape == (1, 2)
    assert notebook.shown == []


@pytest.mark.parametrize(("form", "kind", "start", "then", "value"), [
    ((1, 9, 2), "IntSlider", 5, 7, 7), ((0.001, 0.01, 0.001), "FloatSlider", 0.005, 0.002, 0.002),
    (["sgd", "adam"], "Dropdown", "sgd", "adam", "adam"), ([None, 0.5], "SelectionSlider", "None", "0.5", 0.5),
    ([1e-3, 1e-2], "SelectionSlider", "0.001", "0.01", 1e-2), (True, "Checkbox", True, False, False),
    ([False, True], "Checkbox", False, True, True), ([mg.tanh, mg.relu], "SelectionSlider", "tanh", "relu", mg.relu)])
def test_each_form_has_its_control(notebook, form, kind, start, then, value):
    seen = []
    _, (control,) = notebook(lambda x, ax: seen.append(x), x=form)
    assert type(control).__name__ == kind
    assert control.value == start
    control.value = then
    assert seen[-1] is value or seen[-1] == value
    assert notebook.says.value == ""


def test_two_controls_and_where_they_start(notebook):
    seen = []
    _, (a, b) = notebook(lambda ax, **values: seen.append(values), a=(0.0, 1.0, 0.25), b=["x", None],
                         start={"b": None, "a": 0.7})
    assert (a.value, b.value) == (0.75, "None")
    assert seen[-1] == {"a": 0.75, "b": None}
    b.value = "x"
    assert seen[-1] == {"a": 0.75, "b": "x"}


def test_the_readout_shows_the_digits_of_the_step(notebook):
    for form, digits in [((0.0, 1.0, 0.001), ".3f"), ((0.25, 9.25, 1.0), ".2f"), ((0.0, 1e-4, 1e-6), ".3g")]:
        assert notebook(line, slope=form)[1][0].readout_format == digits


def test_an_error_is_one_line_and_the_next_move_goes_on(notebook):
    def fails(gain, ax):
        if gain == 0.75:
            raise OverflowError("too large\nby far")
        line(gain, ax=ax)

    axes, (slider,) = notebook(fails, gain=(0.5, 1.5, 0.25), panels=3)
    assert notebook.says.value == ""
    slider.value = 0.75
    assert notebook.says.value == "gain = 0.75: OverflowError: too large by far"
    assert notebook.image.layout.display == "none"
    slider.value = 1.25
    assert (notebook.says.value, notebook.image.layout.display) == ("", None)
    assert plt.get_fignums() == [axes[0, 0].figure.number]


def test_a_function_that_opens_a_figure_is_told_so_and_leaves_nothing(notebook):
    def elsewhere(gain, ax):
        if gain == 1.0:
            plt.figure()

    axes, (slider,) = notebook(elsewhere, gain=(0.5, 1.5, 0.5), panels=2)
    assert "let it draw on ax" in notebook.says.value
    slider.value = 0.5
    assert notebook.says.value == ""
    assert plt.get_fignums() == [axes[0, 0].figure.number]


@pytest.fixture
def pictures(monkeypatch):
    """The axes of each large picture."""
    found = []

    def entitle(ax, *texts):
        if ax.figure.get_size_inches().tolist() == list(page.PICTURE):
            found.append(ax)
        original(ax, *texts)

    original = page.entitle
    monkeypatch.setattr(page, "entitle", entitle)
    return found


def test_a_function_may_draw_with_pyplot(notebook, pictures):
    axes, (slider,) = notebook(lambda gain, ax: plt.plot([gain], "o"), gain=(0.5, 1.5, 0.5))
    assert [[line.get_ydata().tolist() for line in ax.lines] for ax in axes.flat] == [[[0.5]], [[1.0]], [[1.5]]]
    slider.value = 1.5
    assert [[line.get_ydata().tolist() for line in ax.lines] for ax in pictures] == [[[1.0]], [[1.5]]]


def test_the_large_picture_has_the_limits_of_the_grid(notebook, pictures):
    axes, (slider,) = notebook(line, slope=(0, 10, 1), panels=2)
    slider.value = 1
    assert [ax.get_title() for ax in pictures] == ["slope = 5", "slope = 1"]
    assert {ax.get_ylim() for ax in (*pictures, *axes.flat)} == {axes[0, 0].get_ylim()}
    _, (slider,) = notebook(line, slope=(0, 10, 1), panels=2, sharey=False)
    slider.value = 1
    assert pictures[-1].get_ylim()[1] < 2


def test_what_goes_beyond_the_limits_of_the_grid_has_room(notebook, pictures):
    def bump(x, ax):
        ax.plot([0, 100 if x == 1 else 1])
        ax.invert_xaxis()

    axes, _ = notebook(bump, x=(0, 2, 1), panels=2)
    for ax in (pictures[-1], *axes.flat):
        left, right = ax.get_xlim()
        assert left > right
    assert pictures[-1].get_ylim()[1] > 100 > 2 > axes[0, 0].get_ylim()[1]


def test_a_scale_that_is_chosen(notebook, pictures):
    _, (menu,) = notebook(lambda scale, ax: ax.plot([1, 10]) and ax.set_yscale(scale), scale=["log", "linear"])
    menu.value = "linear"
    assert [ax.get_yscale() for ax in pictures] == ["log", "linear"]
    assert notebook.says.value == ""


@pytest.mark.parametrize(("quick", "follows"), [(math.inf, True), (0.0, False)])
def test_a_slow_picture_waits_until_the_slider_is_let_go(notebook, monkeypatch, quick, follows):
    monkeypatch.setattr(page, "QUICK", quick)
    _, (slider,) = notebook(line, slope=(0.0, 1.0, 0.5))
    assert slider.continuous_update is follows


def test_in_a_kernel_the_grid_is_shown_once_below_the_sliders(monkeypatch):
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    pytest.importorskip("ipywidgets")
    monkeypatch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    monkeypatch.setenv("PYTHONPATH", str(Path(mg.__file__).parents[1]))
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code) for code in (
        "import minigrad as mg\n"
        "def line(slope, ax):\n"
        "    ax.plot([0, slope])\n"
        "axes = mg.plot.explore(line, slope=(0.5, 1.5, 0.5))",
        "import gc, json, ipywidgets, matplotlib.pyplot as plt\n"
        "image = next(w for w in gc.get_objects() if type(w) is ipywidgets.Image)\n"
        "slider = next(w for w in gc.get_objects() if type(w) is ipywidgets.FloatSlider)\n"
        "before = bytes(image.value)\n"
        "slider.value = 1.5\n"
        "print(json.dumps([before[:4] == b'\\x89PNG', bytes(image.value) != before, plt.get_fignums()]))")])
    nbclient.NotebookClient(book, timeout=120, store_widget_state=False).execute()
    first, second = (cell.outputs for cell in book.cells)
    assert [sorted(o.data) for o in first] == [["application/vnd.jupyter.widget-view+json", "text/plain"],
                                               ["image/png", "text/plain"]]
    assert json.loads(second[0].text) == [True, True, []]

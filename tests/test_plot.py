"""What holds for every picture of a trace: where it draws, what it leaves alone, and that it is the same file twice."""

import subprocess
import sys
from contextlib import suppress

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure
from plotting import LANES, MAP, ORDINARY, inf, nan, recorded, traced

import minigrad as mg
from minigrad import plot


@pytest.fixture(autouse=True)
def never_shown(monkeypatch):
    """No function of the package calls show; figures are closed when a test is done."""
    def show(*args, **kwargs):
        raise AssertionError("show was called")
    monkeypatch.setattr(plt, "show", show)
    monkeypatch.setattr(Figure, "show", show)
    yield
    plt.close("all")


def layered(rows):
    """A trace of two layers, from rows (step) of two norms each, with data and updates."""
    trace = mg.NormTrace(per_parameter=True)
    for first, second in rows:
        grads = {"0.weight": np.array([first]), "1.weight": np.array([second])}
        trace.record(grads, data={name: np.ones(1) for name in grads}, updates=grads, loss=1.0, lr=0.1)
    return trace


PICTURES = {
    "norms": plot.norms, "runs": lambda trace, ax=None: plot.runs({"a": [trace, trace], "b": trace}, ax),
    "layer_map": plot.layer_map, "coefficients": plot.coefficients, "angles": plot.angles,
    "update_ratio": plot.update_ratio, "training": plot.training, "clipped_share": plot.clipped_share,
}
"""Pictures of a trace on axes."""


def sample(name):
    """A trace that has what a picture shows, all kinds of it."""
    if name in ("layer_map", "update_ratio", "training"):
        return layered([(1.0, 2.0), (0.0, inf), (nan, 1e-200)])
    return traced([1e-200, *LANES])


CALLS = {
    **{name: lambda ax=None, name=name: PICTURES[name](sample(name), ax) for name in PICTURES},
    "time_map": lambda ax=None: plot.time_map(MAP, ax).axes,
}
ON_AXES = {**CALLS, "losses": lambda ax: plot.losses(ax, [(ORDINARY, "k", "one seed")])}


@pytest.mark.parametrize("name", ON_AXES)
def test_axes_given_are_drawn_on_and_no_figure_is_made(name):
    axes = Figure().subplots(1, 2)
    assert ON_AXES[name](axes[1]) is axes[1]
    assert not axes[0].lines + axes[0].images + axes[0].collections + axes[0].texts
    assert plt.get_fignums() == []


@pytest.mark.parametrize("name", CALLS)
def test_without_axes_one_pyplot_figure_is_made_and_the_style_does_not_leak(name):
    before = dict(plt.rcParams)
    axes = CALLS[name]()
    assert plt.get_fignums() == [axes.figure.number]
    assert dict(plt.rcParams) == before


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
@pytest.mark.parametrize("name", [*ON_AXES, "dashboard"])
def test_the_same_call_writes_the_same_bytes_twice(name, ending, tmp_path):
    for k in range(2):
        figure = Figure(figsize=(9, 8))
        if name == "dashboard":
            plot.dashboard(layered([(1.0, 2.0), (0.0, inf), (nan, 1.0)]), figure)
        else:
            ON_AXES[name](figure.add_subplot())
        plot.save(figure, tmp_path / f"{k}.{ending}")
    first, second = ((tmp_path / f"{k}.{ending}").read_bytes() for k in range(2))
    assert first == second
    assert first[:5] in (b"\x89PNG\r", b"<?xml", b"%PDF-")


@pytest.mark.parametrize("name", [*PICTURES, "dashboard", "animate"])
def test_an_empty_trace_is_refused_with_the_cure(name):
    with pytest.raises(ValueError, match=r"is empty: attach .* to an optimizer.* take a step"):
        {**PICTURES, "dashboard": plot.dashboard, "animate": plot.animate}[name](mg.NormTrace())
    assert plt.get_fignums() == []


@pytest.mark.parametrize("values", [[3.0], [nan], [0.0], [inf], [nan] * 5, [0.0, nan]])
@pytest.mark.parametrize("name", [*PICTURES, "dashboard"])
def test_a_single_step_and_nothing_but_nan_are_drawn(name, values, tmp_path):
    if name in ("layer_map", "update_ratio", "training"):
        trace = layered([(v, v) for v in values])
    else:
        trace = traced(values)
    figure = Figure(figsize=(9, 8))
    if name == "dashboard":
        plot.dashboard(trace, figure)
    else:
        PICTURES[name](trace, figure.add_subplot())
    plot.save(figure, tmp_path / "figure.png")


def test_the_trace_is_left_as_it_was():
    for name, draw in PICTURES.items():
        trace, same = sample(name), sample(name)
        draw(trace, Figure().add_subplot())
        assert trace == same


def test_save_refuses_a_figure_as_a_gif_and_an_animation_as_a_png(tmp_path):
    moving = plot.animate(recorded(1.0, 2.0))
    with pytest.raises(ValueError, match=r"an animation is saved as \.gif or \.html, not as \.png"):
        plot.save(moving, tmp_path / "x.png")
    with pytest.raises(ValueError, match=r"a figure is saved as \.png, \.svg or \.pdf, not as \.gif"):
        plot.save(Figure(), tmp_path / "x.gif")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["figure.txt", "figure.jpg", "figure", "figure.png.bak"])
def test_save_refuses_other_endings_and_names_the_ones_it_knows(name, tmp_path):
    with pytest.raises(ValueError, match=r"\.png, \.svg or \.pdf"):
        plot.save(Figure(), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_existing_file_survives_a_failing_save(error, tmp_path, monkeypatch):
    def fail(self, file, **options):
        file.write(b"half")
        raise error
    (tmp_path / "figure.png").write_bytes(b"old")
    monkeypatch.setattr(Figure, "savefig", fail)
    with pytest.raises(error):
        plot.save(Figure(), tmp_path / "figure.png")
    assert [p.name for p in tmp_path.iterdir()] == ["figure.png"]
    assert (tmp_path / "figure.png").read_bytes() == b"old"


@pytest.mark.parametrize("code", ["import minigrad", "import minigrad.cli", "from minigrad import nn, optim, hooks"])
def test_importing_minigrad_imports_neither_matplotlib_nor_tqdm(code):
    check = f"{code}; import sys; print([m for m in ('matplotlib', 'tqdm') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_plot_is_reached_from_the_package():
    code = "import minigrad as mg, sys; mg.plot.norms; print('matplotlib.pyplot' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("loaded", [False, True])
def test_styled_leaves_alone_whether_figures_show_themselves(loaded, fails):
    """The backend of a notebook turns that on when the first figure loads it, which may be under the style."""
    style = dict(matplotlib.rcParams)
    try:
        with suppress(ZeroDivisionError), plot.styled():
            matplotlib.interactive(loaded)
            assert matplotlib.rcParams["axes.spines.top"] is False
            assert 1 / (not fails)
        assert matplotlib.is_interactive() is loaded
        matplotlib.interactive(style["interactive"])
        assert dict(matplotlib.rcParams) == style
    finally:
        matplotlib.interactive(style["interactive"])

"""A descent as it happens: trajectories that grow on the loss seen from above, side by side."""

import numpy as np
from matplotlib.figure import Figure

from minigrad.plot.animate import animation, whole_number
from minigrad.plot.cliff import COLOURS, cliff, draw_way, heights, inside, loss_at, named_ways, on_grid
from minigrad.plot.style import styled

PANEL = 5.2, 4.8
"""Width and height of a panel in inches."""


def descent(loss, w, b, trajectories, *, wall=None, names=("w", "b"), frames=60, interval=80, title=None):
    """Make a picture of descents that go on, step after step, each on a panel of its own.

    Above each panel stand the step that the frame has reached and the loss there.  A trajectory that leaves the panel
    does so with an arrow that says how far it has come.  The first steps, in which most is decided, pass slowest: of n
    moments, moment k is at (k / (n - 1))^2 of all steps, and those that fall on one step are one frame.  A trajectory
    with fewer steps than the others waits at its end.

    Args:
        loss, w, b, trajectories, wall, names: as for :func:`minigrad.plot.cliff`.
        frames: how many at most; the last one shows all steps.
        interval: milliseconds from one to the next.
        title: over all panels.

    Returns:
        an :class:`minigrad.plot.animate.Animation`; a notebook shows it as a player (``to_jshtml()``), and
        ``plot.save(it, "descent.gif")`` writes a file.

    Raises:
        ValueError: as :func:`minigrad.plot.cliff`; if there is no trajectory, or for a number of frames or an interval
            out of its range.

    Example:
        >>> import numpy as np
        >>> from minigrad import plot
        >>> way = np.array([[2.0, 0.5], [1.0, 0.3], [0.5, 0.1]])
        >>> moving = plot.descent(lambda x, y: x * x + y * y, np.linspace(-3, 3, 20), np.linspace(-1, 1, 20),
        ...                       {"plain": way})
        >>> moving.draw(moving.frames - 1)
        >>> moving.figure.axes[0].get_title()
        'plain: step 2, loss 0.26'
    """
    w, b, values = on_grid(loss, w, b)
    ways = named_ways(trajectories)
    if not ways:
        raise ValueError('descent has nothing to draw: give trajectories={"plain": array (steps + 1, 2)}')
    steps = np.unique(np.round((max(map(len, ways.values())) - 1) * np.linspace(0, 1, whole_number(frames)) ** 2))
    steps = steps.astype(int) if frames > 1 else np.array([max(map(len, ways.values())) - 1])
    window = ((w[0], w[-1]), (b[0], b[-1]))
    reached = {label: losses_on(loss, w, b, values, way, window) for label, way in ways.items()}
    with styled():
        figure = Figure(figsize=(PANEL[0] * len(ways) + 0.6, PANEL[1]), layout="constrained")
        panels = figure.subplots(1, len(ways), squeeze=False, sharey=True)[0]
        for k, ax in enumerate(panels):
            cliff(values, w, b, ax, wall=wall, names=names, title=" ", colorbar=k == len(ways) - 1)
            if ax.get_legend() is not None:
                ax.legend(loc="lower left", frameon=True, framealpha=0.9, edgecolor="none")
            ax.label_outer()
        if title:
            figure.suptitle(title)
    drawn = []

    def draw(k):
        while drawn:
            drawn.pop().remove()
        for number, (ax, (label, way)) in enumerate(zip(panels, ways.items())):
            step = min(steps[k], len(way) - 1)
            drawn.extend(draw_way(ax, way[:step + 1], window, COLOURS[number % len(COLOURS)], label))
            ax.set_title(f"{label}: step {step}{reached[label][step]}")

    return animation(figure, draw, len(steps), interval)


def losses_on(loss, w, b, values, way, window):
    """Return the text about the loss after each step: measured, or, of a loss given as an array, read off the grid."""
    if callable(loss):
        return [f", loss {value:.3g}" for value in loss_at(loss, way)]
    there = inside(way, window)
    found = np.full(len(way), np.nan)
    found[there] = heights(w, b, values, way[there])
    return [f", loss {value:.3g}" if here else "" for value, here in zip(found, there)]

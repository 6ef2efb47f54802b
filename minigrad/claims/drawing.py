"""What the figures of the claims are made of: bars, and lines."""

import numpy as np

from minigrad import plot

COLOURS = (plot.style.BEFORE, plot.style.AFTER, plot.style.GREEN, plot.style.PURPLE, plot.style.ORANGE)


def bars(ax, values, ylabel, colours=None, log=False, form="{:.3g}", room=1.15):
    """Draw a bar for each of a dict label -> value, with its number on it; a ``|`` in a label breaks the line."""
    heights = np.array(list(values.values()), float)
    colours = colours or [COLOURS[place % len(COLOURS)] for place in range(len(heights))]
    ax.bar(range(len(heights)), heights, color=colours, width=0.6)
    for place, height in enumerate(heights):
        ax.annotate(form.format(height), (place, height), xytext=(0, 4 if height >= 0 else -16),
                    textcoords="offset points", ha="center", fontsize=13)
    ax.set_xticks(range(len(heights)), [label.replace("|", "\n") for label in values])
    ax.grid(False, axis="x")
    if log:
        ax.set_yscale("log")
        low, high = heights[heights > 0].min(), heights.max()
        ax.set_ylim(low / (high / low) ** 0.15 / 2, high * (high / low) ** 0.15 * 2)
    elif heights.min() >= 0:
        ax.set_ylim(0, heights.max() * room or 1)
    else:
        ax.margins(y=0.2)
        ax.axhline(0, color="black", lw=1)
    ax.set_ylabel(ylabel)


def lines(ax, series, xlabel, ylabel, log="", styles=None):
    """Draw a line for each of a dict label -> (x, y) or y, with a legend.

    Args:
        log: "", "x", "y" or "xy": which axes are logarithmic.
        styles: for each line, keywords of ``plot``.
    """
    for place, (label, data) in enumerate(series.items()):
        x, y = data if isinstance(data, tuple) else (np.arange(len(data)), data)
        look = {"color": COLOURS[place % len(COLOURS)], "lw": 2, **(styles[place] if styles else {})}
        ax.plot(x, y, label=label, **look)
    if "x" in log:
        ax.set_xscale("log")
    if "y" in log:
        ax.set_yscale("log")
    ax.set(xlabel=xlabel, ylabel=ylabel)
    ax.legend()

"""How often, and how much, a clip acted: histograms of its coefficient and of the angle by which it turned."""

import numpy as np

from minigrad.plot.series import all_clips
from minigrad.plot.style import AFTER, GREY, THRESHOLD, new_axes, styled

TURNED = 1e-3
"""Degrees; less cannot be told from rounding: a cosine is known to 1e-16, an angle of 0 therefore to 1e-6 degrees, and
gradients in float32 are turned by 1e-5 by their own rounding."""


def coefficients(trace, ax=None, *, stage=None, group=None, bins=40, title=None):
    """Draw a histogram of the clip coefficient, norm after / norm before, of the steps that were changed.

    How many were left as they are, coefficient 1, is said in words; as a bar they would hide the others.  The axis is
    logarithmic where the coefficients span more than a decade.

    Args:
        trace: a :class:`minigrad.NormTrace`.
        ax: axes to draw on; default new ones.
        stage: number of the stage; default the last that clips all parameters together, else the last clips of all
            groups.
        group: name of the parameter group whose own clip is to be shown.
        bins: how many bars.
        title: default says what was measured.

    Returns:
        the axes.

    Raises:
        ValueError: if the trace is empty or nothing in it clips.

    Example:
        >>> import minigrad as mg
        >>> trace = mg.NormTrace.from_columns({"norm_in": [4.0, 2.0, 0.5, 0.3], "norm_out": [1.0, 1.0, 0.5, 0.3],
        ...                                    "coefficient": [0.25, 0.5, 1.0, 1.0], "threshold": 1.0})
        >>> ax = mg.plot.coefficients(trace)
        >>> ax.texts[0].get_text()
        '2 of 4 steps (50%) unchanged:\\ncoefficient 1'
    """
    values, steps = clip_column(trace, "coefficient", stage, group)
    one = values == 1
    shown = values[np.isfinite(values) & (values > 0) & ~one]
    notes = [f"{share(one, steps)} unchanged:\ncoefficient 1"]
    notes += [f"{share(values == 0, steps)}: coefficient 0"] if (values == 0).any() else []
    notes += [f"{share(~np.isfinite(values), steps)} not finite"] if not np.isfinite(values).all() else []
    ax = new_axes(ax)
    with styled():
        if shown.size:
            low, high = shown.min(), max(1.0, shown.max())
            if low < high / 10:
                ax.set_xscale("log")
                edges = np.logspace(np.log10(low), np.log10(high), bins + 1)
                edges[0], edges[-1] = low, high             # rounding must leave none out
            else:
                edges = np.linspace(low if low < high else low / 2, high, bins + 1)
            ax.hist(shown, edges, color=AFTER, zorder=3)
            ax.set_ylim(0, 1.2 * ax.get_ylim()[1])
            ax.axvline(1.0, ls=":", color=THRESHOLD, lw=1.4, zorder=4)
        else:
            ax.set(xlim=(0, 1.05), ylim=(0, 1), yticks=[])
        note(ax, notes, "none was changed" if not shown.size and one.all() else "")
        ax.set(xlabel="coefficient = norm after / norm before", ylabel=steps,
               title=title or f"Clip coefficient of the {shown.size} {steps} that were changed")
    return ax


def angles(trace, ax=None, *, stage=None, group=None, bins=40, title=None):
    """Draw a histogram of the angle between the gradient before and after a clip, of the steps in which it turned.

    A clip by one norm turns nothing; one by value, per unit or per parameter does.  How many steps were not turned (by
    less than a thousandth of a degree) is said in words.

    Args:
        trace, ax, stage, group, bins, title: as for :func:`coefficients`.

    Returns:
        the axes.

    Raises:
        ValueError: if the trace is empty or nothing in it clips.

    Example:
        >>> import minigrad as mg
        >>> trace = mg.NormTrace.from_columns({"norm_in": [4.0, 2.0], "norm_out": [1.0, 2.0], "cosine": [0.5, 1.0],
        ...                                    "threshold": 1.0})
        >>> ax = mg.plot.angles(trace)
        >>> ax.get_title()
        'Angle of the 1 steps that were turned'
    """
    values, steps = clip_column(trace, "cosine", stage, group)
    degrees = np.degrees(np.arccos(np.clip(values, -1, 1)))
    turned = degrees > TURNED
    unknown = np.isnan(degrees)
    notes = [f"{share(~turned & ~unknown, steps)} not turned:\nangle 0"]
    notes += [f"{share(unknown, steps)}: no angle (zero or not finite)"] if unknown.any() else []
    ax = new_axes(ax)
    with styled():
        if turned.any():
            ax.hist(degrees[turned], np.linspace(0, degrees[turned].max(), bins + 1), color=AFTER, zorder=3)
            ax.set_ylim(0, 1.2 * ax.get_ylim()[1])
        else:
            ax.set(xlim=(0, 90), ylim=(0, 1), yticks=[])
        note(ax, notes, "none was turned" if not (turned | unknown).any() else "")
        ax.set(xlabel="angle between before and after (degrees)", ylabel=steps,
               title=title or f"Angle of the {turned.sum()} {steps} that were turned")
    return ax


def clip_column(trace, name, stage, group):
    """Return a column of the clip, of all groups where each has its own, and what its entries are."""
    _, series = all_clips(trace, stage, group)
    values = np.concatenate([s[name][s["passed"]] for s in series])
    return values, "steps" if len(series) < 2 else "steps of groups"


def share(which, steps):
    """Return how many of them, in words."""
    count, total = int(which.sum()), which.size
    return f"{count} of {total} {steps} ({count / total:.0%})" if total else f"0 {steps}"


def note(ax, notes, middle):
    """Write what the bars do not show where it hides least: at the top left."""
    ax.text(0.02, 0.97, "\n".join(notes), transform=ax.transAxes, va="top", ha="left", fontsize=11, zorder=6,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 2})
    if middle:
        ax.text(0.5, 0.5, middle, transform=ax.transAxes, va="center", ha="center", color=GREY)

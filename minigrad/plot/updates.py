"""How far each layer moves: the ratio of update to data over the steps."""

import matplotlib as mpl
import numpy as np

from minigrad.plot.lanes import Lanes
from minigrad.plot.lines import legend_above, line, steps_axis
from minigrad.plot.series import recorded
from minigrad.plot.style import BLACK, RC, new_axes, styled

RULE = 1e-3
"""Karpathy's rule of thumb for a training that goes well: updates of about a thousandth of the weights."""


def update_ratio(trace, ax=None, *, by="layer", lanes=None, title=None):
    """Draw the ratio of update to data, ||update|| / ||parameters before it||, per layer over the updates.

    The dashed line at 1e-3 is a rule of thumb (Karpathy 2015), no law: far above it a layer is thrown about, far below
    it hardly moves.  Up to six layers have colours of their own; more go from dark (the first) to bright (the last).

    Args:
        trace: a :class:`minigrad.NormTrace` of an optimizer, or recorded with ``data=`` and ``updates=``.
        ax: axes to draw on; default new ones.
        by: "layer", "parameter", a function of a parameter's name, a dict name -> list of parameters; or None for
            all parameters together, which needs no ``per_parameter=True``.
        lanes: a :class:`Lanes` to share the vertical range with other axes.
        title: default says what was measured.

    Returns:
        the axes.

    Raises:
        ValueError: if the trace is empty, or has no rows per parameter and ``by`` asks for them, or no norms of data.

    Example:
        >>> import numpy as np
        >>> import minigrad as mg
        >>> trace = mg.NormTrace()
        >>> w = {"w": np.array([3.0, 4.0])}
        >>> for k in range(3):
        ...     trace.record(w, data=w, updates={"w": np.array([0.0, -0.005])})
        >>> ax = mg.plot.update_ratio(trace, by=None)
        >>> ax.lines[0].get_ydata().tolist()
        [0.001, 0.001, 0.001]
    """
    steps, names, values, missing = ratios(trace, by)
    ax = new_axes(ax)
    lanes = lanes or Lanes(values[~missing], [RULE])
    few = len(names) < len(RC["axes.prop_cycle"])           # its last, black, is the rule's
    colours = RC["axes.prop_cycle"].by_key()["color"] if few else mpl.colormaps["viridis"](
        np.linspace(0, 0.93, len(names)))
    named = set(range(len(names)) if few else (0, len(names) // 2, len(names) - 1))
    with styled():
        lanes.dress(ax)
        for k, (name, ratio, gone) in enumerate(zip(names, values, missing)):
            line(ax, lanes, steps[~gone], ratio[~gone], colours[k], name if k in named else None,
                 lw=1.3 if few else 0.9)                    # where a layer had no update its line runs on
        ax.axhline(RULE, ls="--", color=BLACK, lw=1.6, zorder=5, label="1e-3: rule of thumb")
        ax.set(ylabel="||update|| / ||parameters||",
               title=title or "Update-to-data ratio" + (f" per {by}" if isinstance(by, str) else ""))
        steps_axis(ax, steps, "update")
        what = by if isinstance(by, str) else "group"
        legend_above(ax, 4 if few else 2, None if few else f"{len(names)} {what}s, from dark to bright")
    return ax


def ratios(trace, by):
    """Return steps, names, ratios (names, steps) and which are missing; refuse a trace without, saying what to do."""
    if not len(trace):
        raise ValueError("the trace is empty: attach it to an optimizer, optim.SGD(..., trace=trace), and take a step")
    if not recorded(trace, "data", "update"):
        raise ValueError("the trace has no ratios of update to data: an optimizer records them; elsewhere pass "
                         "trace.record(grads, data=parameters before the update, updates=what is added to them)")
    if by is None:
        steps, names, values = trace.column("step", hook="update"), ["all parameters"], trace.ratios()[None]
        missing = np.isnan(trace.column("data", hook="update"))[None]
    else:
        steps, names, values, missing = trace.ratios(by=by)
    if (np.diff(steps) <= 0).any():
        steps = np.arange(values.shape[1])
    return np.asarray(steps, dtype=float), names, values, missing

"""A logarithmic axis that drops nothing: 0, inf and NaN get lanes of their own beside the finite range."""

import math

import matplotlib as mpl
import numpy as np

from minigrad.plot.style import GREY

HEIGHT = 0.09
"""Height of a lane, as a part of the finite range (in decades)."""

LIMIT, LIMIT_BESIDE_LANES = 300, 200
"""The finite range ends at 10**+-LIMIT, earlier where lanes must find room beside it, so that the whole axis can be
written in floats; what lies beyond is drawn at its edge."""


class Ticks(mpl.ticker.FixedLocator):
    """Ticks at given places, on an axis whose limits are given too."""

    def nonsingular(self, v0, v1):
        """Return the limits as they are; Matplotlib takes two below 1e-300 for one."""
        return v0, v1


class Lanes:
    """Where things go on a logarithmic axis; made of all that is to be shown, so that several axes can share it.

    Args:
        *arrays: the values to be shown.
        height: of a lane, as a part of the finite range.

    Where nothing finite is to be shown there are the lanes alone.

    Example:
        >>> import numpy as np
        >>> lanes = Lanes(np.array([1.0, 10.0, np.inf]))
        >>> lanes.names
        ['inf']
        >>> bool(lanes.place([np.inf])[0] > 10)
        True
    """

    def __init__(self, *arrays, height=HEIGHT):
        values = np.concatenate([np.ravel(np.asarray(a, dtype=float)) for a in arrays]) if arrays else np.zeros(0)
        finite = values[np.isfinite(values) & (values > 0)]
        low, high = (finite.min(), finite.max()) if finite.size else (0.1, 10.0)
        zero, above = (values == 0).any(), not np.isfinite(values).all()
        floor, ceiling = -(LIMIT_BESIDE_LANES if zero else LIMIT), LIMIT_BESIDE_LANES if above else LIMIT
        low, high = (max(floor, min(ceiling, math.log10(v))) for v in (low, high))
        middle, half = (low + high) / 2, max(0.5, (high - low) / 2)       # at least a decade
        self.low, self.high = middle - 1.02 * half, middle + 1.02 * half
        self.step = height * (self.high - self.low)
        self.alone = not finite.size and (zero or above)
        if self.alone:
            self.low, self.high, self.step = 0.0, 0.0, 1.0
        self.names, self.centres = [], {}
        if zero:
            self._add("0", self.low - 0.6 * self.step)
        top = self.high + 0.6 * self.step
        for name, there in (("inf", np.isposinf(values).any()), ("NaN", np.isnan(values).any())):
            if there:
                self._add(name, top)
                top += self.step

    def _add(self, name, centre):
        self.names.append(name)
        self.centres[name] = centre

    def place(self, values):
        """Return positions on the axis: finite positive values as they are, the others in their lanes."""
        given = np.array(values, dtype=float)
        values = np.clip(given, 10.0 ** self.low, 10.0 ** self.high)
        for name, where in (("0", given == 0), ("inf", np.isposinf(given)), ("NaN", np.isnan(given))):
            if where.any():
                values[where] = 10.0 ** self.centres[name]
        return values

    def ordinary(self, values):
        """Return the values with NaN where they belong in a lane, for lines that must not run through it."""
        values = np.array(values, dtype=float)
        values[~(np.isfinite(values) & (values > 0))] = np.nan
        return np.clip(values, 10.0 ** self.low, 10.0 ** self.high)

    def special(self, values):
        """Return which values belong in a lane."""
        return np.isnan(self.ordinary(values))

    def dress(self, ax):
        """Make an axis logarithmic, with the lanes shaded and named."""
        ax.set_yscale("log")
        span = self.high - self.low
        if self.alone:
            ax.yaxis.set_major_locator(mpl.ticker.NullLocator())
            ax.yaxis.set_minor_locator(mpl.ticker.NullLocator())
        elif span < 2.5:                                      # few powers of ten in sight: number 2 and 5 as well
            decades = range(math.floor(self.low), math.floor(self.high) + 1)
            for locate, digits in ((ax.yaxis.set_major_locator, (1, 2, 5)), (ax.yaxis.set_minor_locator, range(1, 10))):
                ticks = (digit * 10.0 ** e for e in decades for digit in digits)
                locate(Ticks([v for v in ticks if self.low <= math.log10(v) <= self.high]))
            ax.yaxis.set_major_formatter(mpl.ticker.FuncFormatter(lambda v, _: f"{v:g}"))
            ax.yaxis.set_minor_formatter(mpl.ticker.NullFormatter())
        else:                                                 # powers of ten, and none outside the finite range
            stride = math.ceil(span / 7)
            exponents = range(math.ceil(self.low / stride) * stride, math.floor(self.high) + 1, stride)
            ax.yaxis.set_major_locator(Ticks([10.0 ** e for e in exponents]))
            ax.yaxis.set_minor_locator(mpl.ticker.NullLocator())
        bottom = self.low - (1.2 * self.step if "0" in self.names else 0)
        top = self.high + (0.2 + len(set(self.names) - {"0"})) * self.step if set(self.names) - {"0"} else self.high
        ax.set_ylim(10.0 ** bottom, 10.0 ** top)
        for name, centre in self.centres.items():
            edges = 10.0 ** (centre - self.step / 2), 10.0 ** (centre + self.step / 2)
            ax.axhspan(*edges, color="#f1ece4", zorder=0, lw=0)
            ax.annotate(name, (1.0, 10.0 ** centre), xycoords=ax.get_yaxis_transform(), xytext=(4, 0), color=GREY,
                        textcoords="offset points", va="center", ha="left", fontsize=10, annotation_clip=False)

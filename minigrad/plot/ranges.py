"""What a parameter of a picture may be: a range of numbers, or a list of values; each with its control."""

import math
import numbers
from collections.abc import Iterable, Mapping

import numpy as np


class Range:
    """Numbers from low to high in equal steps, and how they are written."""

    def __init__(self, name, low, high, step):
        self.name, whole = name, all(isinstance(v, numbers.Integral) for v in (low, high, step))
        shown = f"{name} = {(low, high, step)}"
        if not all(math.isfinite(v) for v in (low, high, step)):
            raise ValueError(f"{shown}: low, high and step must be finite")
        if not step > 0:
            raise ValueError(f"{shown}: the step, {step}, must be > 0; write (low, high, step)")
        if not low < high:
            raise ValueError(f"{shown}: low, {low}, must be below high, {high}; write (low, high, step)")
        self.last = math.floor((high - low) / step * (1 + 1e-12) + 1e-9)
        if not self.last:
            raise ValueError(f"{shown}: the step, {step}, is wider than the range, which leaves one value; take a "
                             f"smaller one")
        self.first, self.step, self.whole = low, step, whole
        self.low, self.high = self.value(0), self.value(self.last)

    def value(self, k):
        """Return the k-th value; 0.5 + 9 * 0.05 is 0.9500000000000001, and whoever wrote 0.05 means 0.95."""
        if self.whole:
            return int(self.first) + k * int(self.step)
        if not k:
            return float(self.first)
        near_zero = round(float(self.first + k * self.step), 12 - math.floor(math.log10(self.step)))
        return float(f"{near_zero:.12g}") + 0.0

    def text(self, value):
        """Return a value in few digits."""
        return f"{value:.12g}"

    def takes(self, value):
        """Whether this is a number within the range."""
        return is_number(value) and self.low - 1e-9 * self.step <= value <= self.high + 1e-9 * self.step

    def nearest(self, value):
        """Return the value of the range next to a number."""
        return self.value(min(max(round((float(value) - self.low) / self.step), 0), self.last))

    def middle(self):
        """Return where a slider starts."""
        return self.value(self.last // 2)

    def spread(self, panels, default):
        """Return evenly spaced values, first and last among them."""
        if panels is None:          # a number near the default that divides the range, if there is one
            near = sorted(range(max(3, default - 2), default + 3), key=lambda n: (abs(n - default), n))
            panels = next((n for n in near if self.last % (n - 1) == 0), default)
        return [self.value(k) for k in sorted({round(x) for x in np.linspace(0, self.last, panels).tolist()})]

    def control(self, widgets, start):
        """Return the slider."""
        options = {"min": self.low, "max": self.high, "value": start, "description": self.name}
        if self.whole:
            return widgets.IntSlider(step=int(self.step), **options)
        texts = [self.text(v) for v in (self.low, self.step)]
        decimals = max(len(text.partition(".")[2]) for text in texts)
        return widgets.FloatSlider(step=float(self.step), **options,
                                   readout_format=".3g" if any("e" in text for text in texts) else f".{decimals}f")


class Choice:
    """Values of any kind, one after the other, and how they are written."""

    def __init__(self, name, values, first=0):
        self.name, self.values, self.first = name, values, first
        if not values:
            raise ValueError(f"{name} = []: there is no value to draw; give one, or a range (low, high, step)")
        texts = [self.text(v) for v in values]
        for k, text in enumerate(texts):
            if text in texts[:k]:
                raise ValueError(f"{name}: {text} is there twice; give each value once, written in its own way")

    def text(self, value):
        """Return a value in few characters."""
        if is_number(value):
            return f"{value:.12g}"
        return str(getattr(value, "__name__", value))

    def takes(self, value):
        """Whether this is one of the values, or what is written for one."""
        return self.text(value) in map(self.text, self.values)

    def nearest(self, value):
        """Return the value that this is, or is written for."""
        return next(v for v in self.values if self.text(v) == self.text(value))

    def middle(self):
        """Return what is chosen at the start."""
        return self.values[self.first]

    def spread(self, panels, default):
        """Return all values."""
        return self.values

    def control(self, widgets, start):
        """Return a checkbox, a menu or a slider."""
        if all(isinstance(v, bool) for v in self.values) and len(self.values) == 2:
            return widgets.Checkbox(value=start, description=self.name, indent=False)
        kind = widgets.Dropdown if all(isinstance(v, str) for v in self.values) else widgets.SelectionSlider
        texts = [self.text(v) for v in self.values]         # values are compared by these: an array has no other ==
        return kind(options=texts, value=self.text(start), description=self.name)


def is_number(value):
    """Whether this is a real number, which True is not."""
    return isinstance(value, numbers.Real) and not isinstance(value, (bool, np.bool_))


def read(name, form):
    """Return a :class:`Range` or a :class:`Choice`."""
    forms = f"a range (low, high, step) or a list of values, such as {name}=(0.5, 1.5, 0.05) or {name}=[0.5, 1.0]"
    if isinstance(form, (bool, np.bool_)):
        return Choice(name, [False, True], first=int(form))
    if isinstance(form, (str, bytes, Mapping)) or not isinstance(form, Iterable):
        raise TypeError(f"{name} = {form!r}: give {forms}; a value that stays belongs into the function: "
                        f"functools.partial(fn, {name}={form!r})")
    values = list(form)
    if isinstance(form, tuple) and any(map(is_number, values)):
        if len(values) != 3 or not all(map(is_number, values)):
            raise TypeError(f"{name} = {form!r}: a tuple of numbers is a range of three; give {forms}")
        return Range(name, *values)
    return Choice(name, values)

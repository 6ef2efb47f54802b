"""What the pages of the table share: the form of a line, and arrays to call functions with."""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

try:
    import torch
except ImportError:
    torch = None


def sample(*shape, low=-2.0, high=2.3):
    """Return distinct numbers between ``low`` and ``high`` in a scattered order, none near a multiple of 1/2."""
    n = max(1, math.prod(shape))
    order = np.argsort(np.sin(1 + 2.7 * np.arange(n)))
    points = low + (high - low) * (order + 0.5) / n
    halves = np.floor(2 * points) / 2
    return (halves + 0.04 + 0.84 * (points - halves))[: math.prod(shape)].reshape(shape)


A, B, ROW, COLUMN = sample(3, 4), sample(3, 4, high=1.9)[::-1].copy(), sample(4, high=1.7), sample(3, 1, high=1.8)
POSITIVE, EXPONENT = sample(3, 4, low=0.5, high=2.5), sample(4, low=-1.5, high=2.5)
CUBE, MASK = sample(2, 3, 4, high=2.2), np.sin(np.arange(12.0)).reshape(3, 4) > 0
LABELS = np.array([2, 0, 2])
REPEATED = (np.array([2, 0, 2]), np.array([[1], [3]]))


@dataclass
class Case:
    """One call of a function of the table."""

    name: str
    fn: Any
    args: tuple
    twin: Any = None            # the same in PyTorch, called with the same arguments
    value: Any = None           # the same in NumPy; needed for functions that are not NumPy's own
    kwargs: dict = field(default_factory=dict)
    elementwise: bool = False
    dtype: Any = None           # of the result, where it is not the arguments'

    @property
    def floats(self):
        """The arrays that are differentiated."""
        return [a for a in self.args if self.is_differentiated(a)]

    @staticmethod
    def is_differentiated(arg):
        return isinstance(arg, np.ndarray) and arg.dtype.kind == "f"

    def __call__(self, *floats, fn=None, **kwargs):
        """Call the function with these in place of the differentiated arguments."""
        replacements = iter(floats)
        args = [next(replacements) if self.is_differentiated(a) else a for a in self.args]
        return (fn or self.fn)(*args, **self.kwargs, **kwargs)


def case(name, fn, *args, twin=None, value=None, **kwargs):
    return Case(name, fn, args, twin, value, kwargs)


def elementwise(name, fn, *args, twin=None, value=None):
    return Case(name, fn, args, twin, value, elementwise=True)


def softmax_log(x, axis):
    e = np.exp(x - x.max(axis, keepdims=True))
    return np.log(e / e.sum(axis, keepdims=True))

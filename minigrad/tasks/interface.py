"""What all tasks share: the interface, finite sets of examples, and the refusal of arguments that cannot be meant."""

import functools
import numbers
from pathlib import Path

import numpy as np

from minigrad.seeding import generator

FLOATS = ("float16", "float32", "float64")


class DataError(ValueError):
    """Data that cannot be used; the message names the file or the array, what was found, and how to mend it."""


def whole_number(what, value, least=1):
    """Return ``value`` as an int if it is a whole number of at least ``least``, else raise ValueError."""
    if not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < least:
        raise ValueError(f"{what} must be a whole number of at least {least}, not {value!r}")
    return int(value)


def float_type(dtype):
    """Return a NumPy dtype if it is float16, float32 or float64, else raise ValueError."""
    try:
        found = np.dtype(dtype)
    except TypeError:
        found = None
    if found is None or found.name not in FLOATS:
        raise ValueError(f"dtype must be one of {', '.join(FLOATS)}, not {dtype!r}")
    return found


def entropy(counts):
    """Return the entropy, in nats, of the shares of some counts: the least cross-entropy of one guess for all."""
    share = np.asarray(counts) / np.sum(counts)
    share = share[share > 0]
    return float(-(share * np.log(share)).sum())


def contents(path, error, thing):
    """Return the bytes of a file; raise ``error`` with one line if there are none to be had."""
    path = Path(path)
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise error(f"there is no file {path}; check the path") from None
    except IsADirectoryError:
        raise error(f"{path} is a directory; name {thing} in it") from None
    except OSError as problem:
        raise error(f"{path} cannot be read: {problem.strerror}") from None


class Task:
    """The interface; a task of your own is a subclass with sizes, a ``baseline`` and ``draw``.

    Args:
        batch: examples per batch when ``sample`` is not told another number.
        dtype: of x, and of y if it holds numbers: float16, float32 or float64.

    Attributes:
        name, inputs, outputs, kind, every_step, baseline: see ``minigrad.tasks``.

    Raises:
        ValueError: for a batch below 1, or another dtype.

    Example:
        >>> class Coin(Task):
        ...     name, inputs, outputs, baseline = "coin", 1, 2, np.log(2)
        ...     def draw(self, rng, batch):
        ...         y = rng.integers(0, 2, size=batch)
        ...         return y[:, None].astype(self.dtype), y
        >>> x, y = Coin(batch=4).sample(np.random.default_rng(0))
        >>> x.shape, y
        ((4, 1), array([1, 1, 1, 0]))
    """

    name = "task"
    inputs = outputs = None
    kind = "classes"
    every_step = False
    baseline = None

    def __init__(self, batch=32, dtype="float64"):
        self.batch = whole_number("batch", batch)
        self.dtype = float_type(dtype)

    def sample(self, rng=None, batch=None):
        """Return (x, y), ``batch`` examples drawn by ``rng``."""
        batch = self.batch if batch is None else whole_number("batch", batch)
        return self.draw(generator(rng), batch)

    def draw(self, rng, batch):
        """Return (x, y); a task says here what its examples are."""
        raise NotImplementedError(f"{type(self).__name__} has no draw(rng, batch)")

    def __repr__(self):
        put = f"{self.outputs} classes" if self.kind == "classes" else f"{self.outputs} numbers"
        return f"<{self.name}: {self.inputs} inputs, {put}, baseline {self.baseline:.4g}>"


class Examples(Task):
    """A finite set of examples; ``sample`` draws from it with replacement.

    Args:
        x: array (N, ...), integers or floats.  Arrays are copied.
        y: integers (N,), which are classes, or floats (N, outputs), which are numbers to be met.
        name: what to call it.
        outputs: number of classes; as many as the largest label needs, if None.
        levels: what x is divided by, e.g. 255: integers are kept small, and become floats when they are asked for.
        batch, dtype: see ``Task``.

    Attributes:
        x, y: all of it, read-only; x as floats.
        baseline: entropy of the shares of the labels, or the variance of the numbers, in this set.

    Raises:
        DataError: if lengths don't agree, there are no examples, or a label is not in 0 ... outputs - 1.

    Example:
        >>> points = Examples([[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0], name="exclusive or")
        >>> points
        <exclusive or: 2 inputs, 2 classes, baseline 0.6931>
        >>> train, test = points.split(0.75, np.random.default_rng(0))
        >>> len(train), len(test)
        (3, 1)
    """

    def __init__(self, x, y, name="examples", outputs=None, levels=1, batch=32, dtype="float64"):
        super().__init__(batch, dtype)
        self.name = name
        self._x, self.y = _own(x, f"{name}: x"), _own(y, f"{name}: y")
        self.levels = float(levels)
        if not 0 < self.levels < float("inf"):
            raise ValueError(f"levels = {levels!r}: x is divided by it; a finite number > 0")
        if self._x.ndim < 2:
            raise DataError(f"{name}: x of shape {self._x.shape} must have an axis of examples and one of inputs")
        if len(self._x) != len(self.y) or not len(self.y):
            raise DataError(f"{name}: x holds {len(self._x)} examples and y {len(self.y)} targets; as many of the one "
                            f"as of the other are needed, and at least one")
        self.inputs = int(np.prod(self._x.shape[1:]))
        if self.y.dtype.kind in "iu" and self.y.ndim == 1:
            self.outputs = int(self.y.max()) + 1 if outputs is None else whole_number("outputs", outputs)
            wrong = np.flatnonzero((self.y < 0) | (self.y >= self.outputs))
            if wrong.size:
                raise DataError(f"{name}: label {self.y[wrong[0]]} at position {wrong[0]} is not in 0 ... "
                                f"{self.outputs - 1}, as {self.outputs} classes need")
            self.y = _locked(self.y.astype(np.int64))
        elif self.y.dtype.kind == "f" and self.y.ndim == 2:
            self.kind, self.outputs = "numbers", self.y.shape[1]
            if outputs is not None and outputs != self.outputs:
                raise DataError(f"{name}: y of shape {self.y.shape} holds {self.outputs} numbers each, not {outputs}")
            self.y = _locked(self.y.astype(self.dtype))
        else:
            raise DataError(f"{name}: y of shape {self.y.shape} and dtype {self.y.dtype}; give integers (N,) for "
                            f"classes or floats (N, outputs) for numbers")

    def __getitem__(self, index):
        """Return the examples (x, y) at an index, as a data set does."""
        return self.x[index], self.y[index]

    def __len__(self):
        return len(self.y)

    @functools.cached_property
    def x(self):
        """All examples as floats, read-only; made when it is first asked for."""
        return _locked(self._floats(self._x))

    @functools.cached_property
    def baseline(self):
        """Loss of the best guess that is one for all of these examples."""
        if self.kind == "classes":
            return entropy(np.bincount(self.y, minlength=self.outputs))
        return float(np.var(self.y.astype(np.float64), axis=0).mean())

    def draw(self, rng, batch):
        """Return a batch, each example drawn from all."""
        which = rng.integers(0, len(self), size=batch)
        return self._floats(self._x[which]), self.y[which]

    def part(self, which):
        """Return the examples of a slice, or at these indices in this order, as a set of their own."""
        return type(self)(self._x[which], self.y[which], self.name, self.outputs, self.levels, self.batch, self.dtype)

    def split(self, fraction=0.8, rng=None):
        """Return two sets that share nothing: this fraction of the examples, picked at random, and the rest.

        Raises:
            ValueError: if one of the two would be empty.
        """
        if not isinstance(fraction, numbers.Real) or not 0 < fraction < 1:
            raise ValueError(f"fraction = {fraction!r}: the share of the first set, between 0 and 1")
        count = round(float(fraction) * len(self))
        if not 0 < count < len(self):
            raise ValueError(f"fraction = {fraction} of {len(self)} examples leaves one of the two sets empty; choose "
                             f"another fraction")
        order = generator(rng).permutation(len(self))
        return self.part(order[:count]), self.part(order[count:])

    def _floats(self, x):
        return x.astype(self.dtype) if self.levels == 1 else (x / self.levels).astype(self.dtype, copy=False)


def _own(values, what):
    """Return a copy that is read-only, of numbers."""
    array = np.asarray(values)
    if array.dtype.kind not in "iuf":
        raise DataError(f"{what} has dtype {array.dtype}; give integers or floats")
    return _locked(np.array(array))


def _locked(array):
    """Return an array of our own, made read-only."""
    array.flags.writeable = False
    return array

"""Sequences, made afresh each time: what a recurrent net must carry over many steps, and how far.

All are time-major, x (T, B, inputs), and all draws are independent.  The baselines are closed forms; tests find them
again by counting.
"""

import itertools
import math
import numbers

import numpy as np

from minigrad.tasks.interface import Task, whole_number


class Sequences(Task):
    """A task whose examples are sequences of ``length`` steps."""

    def __init__(self, length, least, why, batch, dtype):
        super().__init__(batch, dtype)
        self.length = whole_number("length", length)
        if self.length < least:
            raise ValueError(f"length = {length}: {type(self).__name__} needs at least {least} steps, {why}")

    def one_hot(self, codes):
        """Return codes as vectors of ``inputs`` components."""
        return np.eye(self.inputs, dtype=self.dtype)[codes]


class Adding(Sequences):
    """Add the two marked numbers of a sequence.

    Each step shows a number drawn evenly from [0, 1) and a mark, 1 at two steps and 0 at the others; the target is the
    sum of the two marked numbers.  One mark falls in the first half of the steps and one in the second, each place
    equally likely.  Saying 1 whatever comes is wrong by the variance of two such numbers, 2 / 12.

    The problem is Hochreiter and Schmidhuber's (1997; they draw from [-1, 1] and rescale the sum); numbers in [0, 1] as
    Le, Jaitly and Hinton (2015) have them, places as Arjovsky, Shah and Bengio (2016).

    Args:
        length: steps, T, at least 2.
        batch, dtype: see ``Task``.

    Example:
        >>> import numpy as np
        >>> x, y = Adding(6, batch=1).sample(np.random.default_rng(0))
        >>> np.flatnonzero(x[:, 0, 1]), bool(y[0, 0] == x[x[:, 0, 1] == 1, 0, 0].sum())
        (array([1, 4]), True)
    """

    name, inputs, outputs, kind = "adding", 2, 1, "numbers"
    baseline = 1 / 6

    def __init__(self, length=100, batch=32, dtype="float64"):
        super().__init__(length, 2, "one in each half for a mark", batch, dtype)

    def draw(self, rng, batch):
        """Return x (T, B, 2), numbers and marks, and y (B, 1)."""
        half, each = self.length // 2, np.arange(batch)
        x = np.zeros((self.length, batch, 2), dtype=self.dtype)
        x[..., 0] = rng.random((self.length, batch))
        first, second = rng.integers(0, half, size=batch), rng.integers(half, self.length, size=batch)
        x[first, each, 1] = x[second, each, 1] = 1
        return x, (x[first, each, 0] + x[second, each, 0])[:, None]


class TemporalOrder(Sequences):
    """Say in which order two symbols came: AA, AB, BA or BB, classes 0 ... 3.

    One of six symbols at each step: A or B (components 0 and 1) at two places, one of four distractors elsewhere.  With
    d = T // 10, the first place is one of d steps from d on, the second one of d steps from T // 2 on; all draws are
    even.  So the first symbol must be kept over at least T - 2d steps.

    The task is Hochreiter and Schmidhuber's (1997, task 6a); places as in the code that Pascanu, Mikolov and Bengio
    released with their paper of 2013.  (There BA and AB are classes 1 and 2.)

    Args:
        length: steps, T, at least 10.
        batch, dtype: see ``Task``.

    Example:
        >>> import numpy as np
        >>> x, y = TemporalOrder(20, batch=3).sample(np.random.default_rng(1))
        >>> ["".join("ABcdef"[code] for code in x[:, b].argmax(axis=-1)) for b in range(3)], y
        (['dfAdddcfffcAfdcdeefc', 'ecfBfecfdcdAccdcfddd', 'fcAddefeddfBefdfceef'], array([0, 2, 1]))
    """

    name, inputs, outputs = "temporal order", 6, 4
    baseline = math.log(4)

    def __init__(self, length=50, batch=32, dtype="float64"):
        super().__init__(length, 10, "for each place is one of T // 10", batch, dtype)

    def draw(self, rng, batch):
        """Return x (T, B, 6) one-hot symbols and y (B,)."""
        tenth, each = self.length // 10, np.arange(batch)
        codes = rng.integers(2, 6, size=(self.length, batch))
        first, second = rng.integers(0, 2, size=(2, batch))
        codes[tenth + rng.integers(0, tenth, size=batch), each] = first
        codes[self.length // 2 + rng.integers(0, tenth, size=batch), each] = second
        return self.one_hot(codes), 2 * first + second


class Copy(Sequences):
    """Repeat some symbols after a delay, when the sign comes.

    With n items and delay D the sequence has T = D + 2n steps: n symbols, D - 1 blanks, the sign, n blanks.  The target
    is blank for n + D steps and then the n symbols.  Inputs are the symbols, the blank and the sign, in this order;
    outputs the symbols and the blank.  Who knows the step only says "blank" rightly and guesses among the symbols
    evenly: n ln(symbols) / (D + 2n) nats per step, e.g. 10 ln 8 / (D + 20).

    As Arjovsky, Shah and Bengio (2016) set it; the problem is Hochreiter and Schmidhuber's.

    Args:
        delay: D, at least 1; each symbol is asked for n + D steps after it was shown.
        items: n, symbols to be kept.
        symbols: how many different ones, at least 2.
        batch, dtype: see ``Task``.

    Example:
        >>> import numpy as np
        >>> x, y = Copy(delay=4, items=3, symbols=2, batch=1).sample(np.random.default_rng(2))
        >>> "".join("ab.!"[code] for code in x[:, 0].argmax(axis=-1)), "".join("ab."[code] for code in y[:, 0])
        ('baa...!...', '.......baa')
    """

    name, every_step = "copy", True

    def __init__(self, delay=100, items=10, symbols=8, batch=32, dtype="float64"):
        self.delay, self.items = whole_number("delay", delay), whole_number("items", items)
        self.symbols = whole_number("symbols", symbols, least=2)
        super().__init__(self.delay + 2 * self.items, 3, "", batch, dtype)
        self.inputs, self.outputs = self.symbols + 2, self.symbols + 1
        self.baseline = self.items * math.log(self.symbols) / self.length

    def draw(self, rng, batch):
        """Return x (T, B, symbols + 2) one-hot and y (T, B)."""
        kept = rng.integers(0, self.symbols, size=(self.items, batch))
        shown, wanted = np.full((2, self.length, batch), self.symbols)
        shown[:self.items] = wanted[-self.items:] = kept
        shown[self.items + self.delay - 1] = self.symbols + 1
        return self.one_hot(shown), wanted


class Parity(Sequences):
    """Say whether the number of ones so far is odd (1) or even (0).

    One bit per step, 0 or 1 with equal chances.  Any bit left out leaves both answers equally likely, so that there is
    nothing to be had for part of the work: ln 2 until all of it is done.

    Args:
        length: bits, T, at least 2.
        every_step: ask after each bit, y (T, B), instead of after the last, y (B,).
        batch, dtype: see ``Task``.

    Example:
        >>> import numpy as np
        >>> x, y = Parity(8, every_step=True, batch=1).sample(np.random.default_rng(0))
        >>> x[:, 0, 0].astype(int), y[:, 0]
        (array([1, 1, 1, 0, 0, 0, 0, 0]), array([1, 0, 1, 1, 1, 1, 1, 1]))
    """

    name, inputs, outputs = "parity", 1, 2
    baseline = math.log(2)

    def __init__(self, length=20, every_step=False, batch=32, dtype="float64"):
        super().__init__(length, 2, "for the parity of one bit is the bit", batch, dtype)
        self.every_step = bool(every_step)

    def draw(self, rng, batch):
        """Return x (T, B, 1) and y (T, B) or (B,)."""
        bits = rng.integers(0, 2, size=(self.length, batch))
        parity = np.cumsum(bits, axis=0) % 2
        return bits[..., None].astype(self.dtype), parity if self.every_step else parity[-1].copy()


class Waves(Sequences):
    """Tell ten wave forms apart, each stretched, moved, made larger or smaller, and noisy.

    Form d is f(u) = sin(pi a u) + sin(pi b u) on 0 <= u <= 1 and 0 outside, where (a, b) is pair d of the ten with
    1 <= a < b <= 5, in the order (1, 2), (1, 3), ..., (4, 5).  Any two forms are at an angle of 60 or 90 degrees.  An
    example is A f((t + 1/2 - s) / w) + noise at the steps t, with A even in [0.6, 1.4], the width w in [T / 2, 0.9 T]
    and the start s wherever the form fits in; noise is Gaussian and independent.

    It is in the manner of MNIST-1D (Greydanus 2020): small, quick, and not to be had by a linear classifier.  At the
    default setting one gets 76 % right by softmax regression and 61 % by least squares (trained on 20 000 examples, for
    others); comparing with all stretched and moved forms gets 99.8 %.

    Args:
        length: steps, T, at least 20, lest the fastest form have fewer than four steps per period.
        noise: standard deviation, >= 0.
        batch, dtype: see ``Task``.

    Example:
        >>> import numpy as np
        >>> x, y = Waves(batch=5).sample(np.random.default_rng(0))
        >>> x.shape, y
        ((40, 5, 1), array([8, 6, 5, 2, 3]))
        >>> Waves.form(np.array([0.0, 0.5, 1.0]), 1).round(9) + 0
        array([0., 0., 0.])
    """

    name, inputs, outputs = "waves", 1, 10
    baseline = math.log(10)
    pairs = np.array(list(itertools.combinations(range(1, 6), 2)))

    def __init__(self, length=40, noise=0.25, batch=32, dtype="float64"):
        super().__init__(length, 20, "four for a period of the fastest form", batch, dtype)
        if not isinstance(noise, numbers.Real) or not 0 <= noise < float("inf"):
            raise ValueError(f"noise = {noise!r}: a standard deviation is a finite number >= 0")
        self.noise = float(noise)

    @classmethod
    def form(cls, u, d):
        """Return form ``d`` at places ``u``; arrays of one shape, or a number for d."""
        u = np.asarray(u, dtype=np.float64)
        waves = np.sin(np.pi * u[..., None] * cls.pairs[d]).sum(axis=-1)
        return np.where((u >= 0) & (u <= 1), waves, 0.0)

    def draw(self, rng, batch):
        """Return x (T, B, 1) and y (B,)."""
        y = rng.integers(0, self.outputs, size=batch)
        size = rng.uniform(0.6, 1.4, size=batch)
        width = rng.uniform(0.5, 0.9, size=batch) * self.length
        start = rng.uniform(0, 1, size=batch) * (self.length - width)
        u = (np.arange(self.length)[:, None] + 0.5 - start) / width
        x = size * self.form(u, y) + self.noise * rng.standard_normal((self.length, batch))
        return x[..., None].astype(self.dtype), y

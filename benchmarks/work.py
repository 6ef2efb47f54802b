"""What a piece of work is: a problem, contenders that solve it, and the ratios that minigrad shall reach."""

import importlib.util
import statistics
from dataclasses import dataclass, field

import numpy as np

from benchmarks.timing import agree, alternate, ratios

MINIGRAD, HAND, TORCH, JAX, AUTOGRAD, MYGRAD = "minigrad", "NumPy by hand", "PyTorch", "jax.jit", "autograd", "MyGrad"
PLAIN, BY_STEP, DEFAULT, FUSED = "plain Python", f"{HAND}, by step", f"{TORCH}, default", f"{TORCH}, fused"
UNDER = {PLAIN: HAND, BY_STEP: HAND, DEFAULT: TORCH, FUSED: TORCH}
"""Contenders of a kind of their own: they stand in the column of another, with a word on what they are."""

PACKAGES = {TORCH: "torch", JAX: "jax", AUTOGRAD: "autograd", MYGRAD: "mygrad"}
"""The packages behind the contenders that need one."""

DOUBLES_ONLY = (AUTOGRAD, MYGRAD)
"""Contenders that turn float32 into float64 on the way, and are timed in float64 alone."""


def installed():
    """Return the other libraries' contenders that can run here, in the order of the table."""
    return tuple(name for name, package in PACKAGES.items() if importlib.util.find_spec(package))


def in_column(name):
    """Return the contender in whose column a contender stands: its own, or another's."""
    return UNDER.get(name, name)


def one_thread(torch):
    """Return PyTorch, told to use one thread."""
    torch.set_num_threads(1)
    return torch


@dataclass(frozen=True)
class Work:
    """Something to be timed.

    ``problem(dtype, **sizes)`` makes the arrays; each of ``contenders``, name -> function, is given them and returns a
    function without arguments that does the work once and returns a list of arrays; the first one's are what the
    others are compared with.  ``small`` are sizes for tests; ``limits``, contender -> how many times as long minigrad
    may take; ``collecting``, whether Python's garbage collector is at work while the clock runs.
    """

    name: str
    title: str
    dtype: str
    problem: object
    contenders: dict
    sizes: dict = field(default_factory=dict)
    small: dict = field(default_factory=dict)
    limits: dict = field(default_factory=dict)
    collecting: bool = False
    unit, scale = "ms", 1e3

    def build(self, present, small=False):
        """Return name -> function without arguments, by hand first; of other libraries only those in ``present``."""
        names = [name for name in self.contenders if (in_column(name) in present or in_column(name) not in PACKAGES)
                 and (self.dtype == "float64" or name not in DOUBLES_ONLY)]
        problem = self.problem(np.dtype(self.dtype), **(self.small if small else self.sizes))
        return {name: self.contenders[name](problem) for name in names}

    @property
    def rtol(self):
        """How far results may lie apart, in units of the largest element."""
        return 1e-9 if self.dtype == "float64" else 1e-3

    def rounds(self, present, repeats):
        """Return name -> seconds, one per round, after all contenders were found to agree."""
        found = self.build(present)
        agree(found, self.rtol)
        return alternate(found, repeats, collecting=self.collecting)


def record(work, rounds):
    """Return what is kept of a work: the medians, the ratios to minigrad's, the limits, and whether they are kept."""
    against = {}
    for name in rounds:
        if name != MINIGRAD:
            ratio, limit = ratios(rounds, MINIGRAD, name), work.limits.get(name)
            against[name] = {"value": rounded(work.scale * statistics.median(rounds[name])), "ratio": rounded(ratio),
                             "limit": limit, "ok": None if limit is None else rounded(ratio) <= limit}
    return {"name": work.name, "title": work.title, "dtype": work.dtype, "unit": work.unit,
            "minigrad": rounded(work.scale * statistics.median(rounds[MINIGRAD])), "against": against}


def rounded(value):
    """Return three significant digits of a number: what such a measurement is good for."""
    return float(f"{value:.3g}")

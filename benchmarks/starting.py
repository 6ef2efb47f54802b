"""What ``import minigrad`` costs beyond ``import numpy``."""

import statistics
import subprocess
import sys
from dataclasses import dataclass

from benchmarks.timing import alternate
from benchmarks.work import MINIGRAD, Work

ALLOWED, SECONDS = "allowed", 0.08


def start(module):
    """Return a function that starts a fresh interpreter and imports a module there."""
    return lambda: subprocess.run([sys.executable, "-c", f"import {module}"], check=True)


@dataclass(frozen=True)
class Start(Work):
    """The difference of two imports in fresh interpreters, against the time that is allowed for it."""

    unit, scale = "ms", 1e3

    def rounds(self, present, repeats):
        """Return the median of the differences, and what it may be at most."""
        seconds = alternate({MINIGRAD: start("minigrad"), "numpy": start("numpy")}, repeats)
        beyond = statistics.median(a - b for a, b in zip(seconds[MINIGRAD], seconds["numpy"]))
        return {MINIGRAD: [beyond], ALLOWED: [SECONDS]}


WORKS = [Start("import", "import minigrad, beyond NumPy", "float64", lambda dtype: None, {}, limits={ALLOWED: 1.0})]

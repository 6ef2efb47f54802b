"""Timing that can be trusted on a shared machine: alternating runs in one process, medians, ratios."""

import gc
import statistics
import time

import numpy as np


def alternate(contenders, repeats):
    """Time some functions in turn, A B C A B C ..., so that a slow spell of the machine hits all alike.

    Args:
        contenders: dict name -> function without arguments.
        repeats: counted rounds, after two that are not.

    Returns:
        dict name -> list of seconds, one per round.
    """
    seconds = {name: [] for name in contenders}
    for round_number in range(-2, repeats):
        for name, fn in contenders.items():
            gc.collect()
            start = time.perf_counter()
            fn()
            taken = time.perf_counter() - start
            if round_number >= 0:
                seconds[name].append(taken)
    return seconds


def ratios(seconds, name, base):
    """Return the median over the rounds of the ratio of two contenders in the same round."""
    return statistics.median(a / b for a, b in zip(seconds[name], seconds[base], strict=True))


def agree(contenders, rtol=1e-9):
    """Check that all contenders return the same arrays: a fast wrong answer is no benchmark.

    Raises:
        AssertionError: naming the contender that differs from the first.
    """
    names = list(contenders)
    expected = contenders[names[0]]()
    for name in names[1:]:
        for a, b in zip(expected, contenders[name](), strict=True):
            a, b = np.asarray(a), np.asarray(b)
            if a.shape != b.shape or np.abs(a - b).max() > rtol * np.abs(a).max():
                raise AssertionError(f"the results of {name} differ from those of {names[0]}")

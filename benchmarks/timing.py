"""Timing that can be trusted on a shared machine: alternating runs in one process, medians, ratios."""

import gc
import math
import statistics
import time

import numpy as np


def alternate(contenders, repeats, least=2e-3, collecting=False):
    """Time some functions in turn, A B C A B C ..., so that a slow spell of the machine hits all alike.

    What is quicker than the clock can tell is run several times in a row: as often for each contender.  Garbage is
    collected between the runs.

    Args:
        contenders: dict name -> function without arguments.
        repeats: counted rounds, after two that are not.
        least: the seconds for which the quickest contender shall run in each round.
        collecting: whether the garbage collector is at work during the runs, too, as it is in programs.

    Returns:
        dict name -> list of seconds, one per round.
    """
    seconds = {name: [] for name in contenders}
    quickest, number = math.inf, 1
    gc.collect()
    gc.freeze()                     # what all the packages have brought with them is none of the contenders' garbage
    try:
        for round_number in range(-2, repeats):
            if round_number == 0:
                number = max(1, min(1000, math.ceil(least / max(quickest, 1e-9))))
            for name, fn in contenders.items():
                taken = clocked(fn, number, collecting)
                if round_number >= 0:
                    seconds[name].append(taken)
                else:
                    quickest = min(quickest, taken)
    finally:
        gc.unfreeze()
    return seconds


def clocked(fn, number=1, collecting=False):
    """Return the seconds that one call takes, of ``number`` in a row; garbage is collected before the clock starts."""
    gc.collect()
    if not collecting:
        gc.disable()
    try:
        start = time.perf_counter()
        for _ in range(number):
            fn()
        return (time.perf_counter() - start) / number
    finally:
        gc.enable()


def ratios(rounds, name, base):
    """Return the median over the rounds of the ratio of two contenders in the same round."""
    return statistics.median(a / b for a, b in zip(rounds[name], rounds[base], strict=True))


def agree(contenders, rtol=1e-9):
    """Check that all contenders return the same arrays: a fast wrong answer is no benchmark.

    Raises:
        AssertionError: naming the contender that differs from the first, in values, shapes or dtypes.
    """
    first, *others = contenders
    expected = [np.array(a) for a in contenders[first]()]         # copies: a contender may use its arrays again
    for name in others:
        found = [np.asarray(a) for a in contenders[name]()]
        if len(found) != len(expected):
            raise AssertionError(f"{name} returns {len(found)} arrays, {first} {len(expected)}")
        for index, (a, b) in enumerate(zip(expected, found)):
            if (a.shape, a.dtype) != (b.shape, b.dtype):
                raise AssertionError(f"array {index} of {name} is {b.dtype} {b.shape}, that of {first} {a.dtype} "
                                     f"{a.shape}")
            error = np.abs(a - b).max()
            if not error <= rtol * np.abs(a).max():               # this way round, NaN does not pass
                raise AssertionError(f"array {index} of {name} differs from that of {first} by up to {error:.3g}")

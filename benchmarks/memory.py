"""The peak of memory of ``nn.RNN``, forward and backward: what ``tracemalloc`` sees allocated beyond the problem."""

import tracemalloc
from dataclasses import dataclass

import numpy as np

from benchmarks import fused
from benchmarks.timing import agree
from benchmarks.work import HAND, MINIGRAD, Work


def peak(build, problem):
    """Return the bytes that building a contender and running it once take at most; parameters are not counted."""
    build(problem)()                        # what is made once and stays, in modules and caches, is not counted
    tracemalloc.start()
    try:
        build(problem)()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@dataclass(frozen=True)
class Memory(Work):
    """A work of which the peak of memory is measured, once."""

    unit, scale = "MB", 1e-6

    def rounds(self, present, repeats):
        """Return name -> bytes, a list of one."""
        agree(self.build(present), self.rtol)
        problem = self.problem(np.dtype(self.dtype), **self.sizes)
        return {name: [peak(contender, problem)] for name, contender in self.contenders.items()}


WORKS = [Memory(f"memory-{dtype}", "peak memory, nn.RNN, T = 1000, H = 64, batch 32", dtype, fused.problem,
                {HAND: fused.by_hand, MINIGRAD: fused.with_minigrad},
                {"kind": "RNN", "steps": 1000, "hidden": 64, "batch": 32},
                {"kind": "RNN", "steps": 40, "hidden": 3, "batch": 2}, {HAND: 1.2})
         for dtype in ("float64", "float32")]

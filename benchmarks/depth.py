"""Time and memory per operation of chains of 10^3 to 10^6 operations, h = tanh(h + x): both shall stay as they are."""

import tracemalloc
from dataclasses import dataclass

from benchmarks.timing import clocked
from benchmarks.work import MINIGRAD, Work

BASE = 10_000
"""The depth with which the others are compared."""


def chain(operations):
    """Return a function that goes forward and backward through so many operations, and forgets them."""
    import minigrad as mg

    x = mg.tensor(0.5, requires_grad=True)

    def run():
        x.grad = None
        h = 0.0
        for _ in range(operations // 2):
            h = mg.tanh(h + x)
        h.backward()
        return [x.grad.data]

    return run


def peak(operations):
    """Return the bytes that such a chain takes at most."""
    run = chain(operations)
    tracemalloc.start()
    try:
        run()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@dataclass(frozen=True)
class Depth(Work):
    """Seconds or bytes per operation at one depth, and at the depth of comparison."""

    quantity: str = "time"

    @property
    def unit(self):
        return "us per operation" if self.quantity == "time" else "bytes per operation"

    @property
    def scale(self):
        return 1e6 if self.quantity == "time" else 1

    def rounds(self, present, repeats):
        """Return name -> values per operation; of deep chains fewer rounds, and as many short runs as one deep one."""
        depth, base = self.sizes["operations"], f"depth {BASE:,}"
        if self.quantity == "memory":
            return {MINIGRAD: [peak(depth) / depth], base: [peak(BASE) / BASE]}
        found, longest = {MINIGRAD: depth, base: BASE}, max(depth, BASE)
        runs = {name: (chain(size), size, longest // size) for name, size in found.items()}
        values = {name: [] for name in runs}
        for counted in range(-1, max(3, min(repeats, 4_000_000 // longest))):
            for name, (run, size, number) in runs.items():
                taken = clocked(run, number) / size
                if counted >= 0:
                    values[name].append(taken)
        return values


WORKS = [Depth(f"depth-{quantity}-{depth:.0e}".replace("+0", ""),
               f"{quantity} per operation, {depth:,} operations deep", "float64",
               lambda dtype, operations: operations,
               {MINIGRAD: chain},
               {"operations": depth}, {"operations": 20}, {f"depth {BASE:,}": 1.15}, quantity=quantity)
         for quantity in ("time", "memory") for depth in (1_000, 100_000, 1_000_000)]

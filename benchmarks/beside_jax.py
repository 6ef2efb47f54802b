"""A process of its own in which NumPy by hand, minigrad and jax.jit alternate: JAX and PyTorch cannot share one.

    python -m benchmarks.beside_jax REPEATS NAME ...

writes JSON: for each work the ratio of minigrad to jax.jit, both medians, and on how many cores jax.jit was running.
"""

import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.timing import agree
from benchmarks.work import JAX, record


def on_one_core():
    """Import JAX so that it uses one thread, and computes in float64 where it is given float64.

    What its flags say of threads is not obeyed by all versions; where the system can bind the process to one core, it
    is bound, and JAX makes its threads accordingly.  How many cores it uses is measured in any case.
    """
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    if hasattr(os, "sched_setaffinity"):
        with contextlib.suppress(OSError):
            os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    import jax

    jax.config.update("jax_enable_x64", True)


def cores(fn, least=0.3):
    """Return how many cores a function keeps busy on average."""
    wall, cpu = time.perf_counter(), time.process_time()
    while time.perf_counter() < wall + least:
        fn()
    return (time.process_time() - cpu) / (time.perf_counter() - wall)


def measured(names, repeats):
    """Return name -> what a process of its own found on these works; with 0 repeats they are compared, and not timed.

    Raises:
        RuntimeError: with what that process had to say, if it failed.
    """
    command = [sys.executable, "-m", "benchmarks.beside_jax", str(repeats), *names]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parent.parent)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[1:])} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def main(repeats, *names):
    """Measure these works and print what was found."""
    from benchmarks.works import WORKS

    on_one_core()
    print(json.dumps({name: compared(WORKS[name]) if repeats == "0" else timed(WORKS[name], int(repeats))
                      for name in names}))


def compared(work):
    """Return the contenders that agree at small sizes."""
    found = work.build([JAX], small=True)
    agree(found, work.rtol)
    return list(found)


def timed(work, repeats):
    """Return the comparison with jax.jit, and the cores that it kept busy."""
    found = record(work, work.rounds([JAX], repeats))
    share = round(cores(work.build([JAX])[JAX]), 2)
    return {**found["against"][JAX], "minigrad": found["minigrad"], "cores": share, "one_core": one_core(share)}


def one_core(share):
    """Whether so many cores are about one: with fewer others took their part, with more JAX ran on several threads."""
    return 0.9 <= share <= 1.1


if __name__ == "__main__":
    main(*sys.argv[1:])

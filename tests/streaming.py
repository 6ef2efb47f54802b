"""Children that stream a trace until they are killed: run by test_trace_stream.py as a program of its own.

    python streaming.py points|random FOLDER ENDING

It has one thread, so that it may fork.  On its output are the observations, as JSON.
"""

import json
import os
import random
import signal
import sys
from pathlib import Path

import numpy as np
from killing import Child

import minigrad as mg

STEPS = 6


def record(trace, step):
    """Record one step; one of its parameters has a name that has to be quoted."""
    grads = {"0.weight": np.full((3, 2), 0.1 + step), 'two\nlines, "b"': np.full(2, np.nan) if step == 2 else None}
    trace.record(grads, step=step, loss=1 / (step + 3))


def reference(steps):
    """Return the trace of a run that nobody interrupts."""
    trace = mg.NormTrace(per_parameter=True)
    for step in range(steps):
        record(trace, step)
    return trace


def go_on(path, report, point=None):
    """Go on with a stream; or begin it, and be killed at a certain call of a function written in C, or its return."""
    calls = 0

    def watch(frame, event, function):
        nonlocal calls
        if event in ("c_call", "c_return"):
            if calls == point:
                os.kill(os.getpid(), signal.SIGKILL)
            calls += 1

    if point is not None:
        sys.setprofile(watch)
    trace = mg.NormTrace(per_parameter=True, stream=path, append=True)
    while len(trace.select(stage=0)) < STEPS or point is None:
        record(trace, len(trace.select(stage=0)))
        if point is None:
            report(len(trace.select(stage=0)))
    sys.setprofile(None)
    report(calls)


def seen(path):
    """Return how many steps can be read, and whether they are those of the run that nobody interrupts."""
    trace = mg.NormTrace.load(path, whole=False)
    steps = len(trace.select(stage=0))
    return {"steps": steps, "same": trace == reference(steps), "cut": trace.cut}


def at_points(path, rng):
    """Kill children that make a few steps at many points; another goes on with what each has left."""
    found = []
    go_on(path, lambda calls: None, -1)             # imports what is needed: no child does it again
    seen(path)
    path.unlink()
    total = Child(lambda report: go_on(path, report, -1)).end(kill=False)[0]
    for point in sorted(rng.sample(range(total), 40)):
        path.unlink()
        _, killed = Child(lambda report, point=point: go_on(path, report, point)).end(kill=False)
        path.touch()                                # it may have been killed before there was a file
        left = seen(path) if path.stat().st_size else {"steps": 0, "same": True}
        Child(lambda report: go_on(path, report, -1)).end(kill=False)
        found.append({"killed": killed, **left, "then": seen(path)})
    return found


def at_random(path, rng):
    """Kill one child after another right after a report; the next goes on from what it has left."""
    found = []
    for _ in range(20):
        child = Child(lambda report: go_on(path, report))
        for _ in range(rng.randrange(1, 6)):
            child.wait(10.0)
        last, killed = child.end()
        found.append({"killed": killed, "told": last, **seen(path)})
    return found


if __name__ == "__main__":
    what, folder, ending = sys.argv[1:]
    print(json.dumps({"points": at_points, "random": at_random}[what](Path(folder) / f"t{ending}", random.Random(0))))

"""Children that save until they are killed: run by test_killed.py as a program of its own, which forks them.

    python killing.py random|points|two FOLDER SEED COUNT

It has one thread, so that it may fork.  On its output are the observations, as JSON.
"""

import json
import os
import random
import select
import signal
import statistics
import struct
import sys
import time
import traceback
from pathlib import Path

import numpy as np

import minigrad as mg
from minigrad import hooks, optim

LONGEST = 0.03
"""A child is killed at most so many seconds after what was waited for: a save or two."""


class Training:
    """A run whose checkpoint number v holds v in every array, and an optimizer that has made v micro-steps."""

    def __init__(self):
        self.params = {"w": mg.tensor(np.ones((40, 30)), requires_grad=True),
                       "b": mg.tensor(np.ones(30), requires_grad=True)}
        self.scaler = hooks.LossScaler(1024.0, interval=3)
        self.opt = optim.Adam(self.params, lr=0.01, hooks=[hooks.Unscale(self.scaler), hooks.NonFinite("skip"),
                                                           hooks.Accumulate(2), hooks.AutoClip(50)])
        self.version = 0

    def advance(self):
        self.version += 1
        for p in self.params.values():
            p.grad = self.scaler.scale(np.sin(self.version * np.arange(1.0, p.data.size + 1)).reshape(p.shape))
        if self.version % 7 == 4:               # a micro-batch of NaN: it is skipped, and the scale goes down
            self.params["b"].grad = np.full(30, np.nan)
        self.opt.step()

    def checkpoint(self, who=""):
        v = self.version
        # Of three sizes, from 0.1 to 0.3 MB, so that each is written over one of another size.
        arrays = [np.full(4000 + 8000 * ((v + i) % 3), v, dtype) for i, dtype in enumerate(("f8", "f4", "i8"))]
        return {"who": who, "version": v, "arrays": arrays, "w": self.params["w"], "b": self.params["b"],
                "opt": self.opt.state_dict(), "last": v}

    def load(self, checkpoint):
        for name, p in self.params.items():
            p.data = checkpoint[name].data
        self.opt.load_state_dict(checkpoint["opt"])
        self.version = checkpoint["version"]


def whole(checkpoint):
    """Whether a checkpoint is of one version from its first byte to its last, and the optimizer's, too."""
    v = checkpoint["version"]
    return (checkpoint["last"] == v and len(checkpoint["arrays"]) == 3
            and all((a == v).all() and a.size == 4000 + 8000 * ((v + i) % 3)
                    for i, a in enumerate(checkpoint["arrays"]))
            and checkpoint["opt"]["counters"]["micro_steps"] == v)


def same(a, b):
    """Compare nested values to the bit."""
    if isinstance(a, mg.Tensor):
        a, b = a.data, b.data
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and a == b


class Child:
    """A process that runs ``work(report)``; ``report`` sends a number to the parent."""

    def __init__(self, work):
        self.pipe, end = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            status = 1
            try:
                os.close(self.pipe)
                work(lambda number: os.write(end, struct.pack("q", number)))
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(status)
        os.close(end)
        self.reports = []

    def wait(self, seconds):
        """Wait for one report, but no longer than this."""
        if select.select([self.pipe], [], [], seconds)[0]:
            self.reports += struct.unpack("q", os.read(self.pipe, 8) or struct.pack("q", -1))

    def end(self, kill=True):
        """Kill the child, or let it end by itself; return its last report, and whether it was killed."""
        if kill:
            os.kill(self.pid, signal.SIGKILL)
        status = os.waitpid(self.pid, 0)[1]
        while rest := os.read(self.pipe, 8):
            self.reports += struct.unpack("q", rest)
        os.close(self.pipe)
        return (self.reports or [None])[-1], os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def save_for_ever(path, who, report):
    """Go on from the checkpoint that is there, and save after each micro-step."""
    training = Training()
    training.load(mg.load(path))
    while True:
        training.advance()
        mg.save(training.checkpoint(who), path)
        report(training.version)


def at_random(folder, rng, count):
    """Kill one child after another at random moments; the next goes on from what it has left.

    A moment is up to one cycle (a micro-step and its save, as long as they have taken so far) after a report, so that
    no part of the cycle is spared; where the machine is slow, so are the cycles by which the moments are chosen.
    """
    (folder / "runs").mkdir()
    real, link = folder / "runs" / "real.pt", folder / "last.pt"
    link.symlink_to(real)
    reference, seen, cycles, scales = Training(), [], [], set()
    began = time.monotonic()
    mg.save(reference.checkpoint(), real)
    cycles.append(time.monotonic() - began)
    for number in range(count):
        path, start = (real, link)[number % 2], reference.version
        child = Child(lambda report, path=path: save_for_ever(path, "", report))
        times = []
        for _ in range(rng.randrange(4)):
            child.wait(10.0)
            times.append(time.monotonic())
        cycles += np.diff(times).tolist()
        time.sleep(rng.uniform(0.0, statistics.median(cycles)))
        last, killed = child.end()
        loaded = mg.load(path)
        while reference.version < loaded["version"]:
            reference.advance()
            scales.add(reference.scaler.value)
        seen.append({"start": start, "last": last, "killed": killed, "version": loaded["version"],
                     "whole": whole(loaded), "as uninterrupted": same(loaded, reference.checkpoint())})
    return {"seen": seen, "skipped": reference.opt.skipped, "scales": sorted(scales), "link": link.is_symlink(),
            "beside": sorted(os.listdir(folder)), "files": sorted(os.listdir(folder / "runs"))}


def at_points(folder, rng, count):
    """Let a child kill itself at a certain call of a function written in C, or at its return, while it saves."""
    path, training, seen = folder / "last.pt", Training(), []
    training.advance()
    old = training.checkpoint()
    mg.save(old, path)
    training.advance()

    def save(report, point):
        checkpoint, calls = training.checkpoint(), 0

        def watch(frame, event, function):
            nonlocal calls
            if event not in ("c_call", "c_return"):
                return
            if event == "c_return" and function is os.replace:
                report(calls)                   # from here on it is the new one
            if calls == point:
                os.kill(os.getpid(), signal.SIGKILL)
            calls += 1

        sys.setprofile(watch)
        mg.save(checkpoint, path)
        sys.setprofile(None)
        report(calls)

    child = Child(lambda report: save(report, -1))
    total = child.end(kill=False)[0]
    # All about the end, where the file is flushed and takes its name; of the writing before, some.
    points = sorted({*range(total - 60, total), *rng.sample(range(total - 60), count)})
    mg.save(old, path)
    for point in points:
        child = Child(lambda report, point=point: save(report, point))
        replaced, killed = child.end(kill=False)
        loaded = mg.load(path)
        seen.append({"replaced": replaced is not None, "killed": killed, "version": loaded["version"],
                     "whole": whole(loaded)})
        if loaded["version"] != 1:
            mg.save(old, path)
    return {"seen": seen, "total": total, "files": sorted(os.listdir(folder))}


def two_at_once(folder, rng, count):
    """Let two children save to one path, and kill both."""
    path, seen = folder / "last.pt", []
    mg.save(Training().checkpoint(), path)
    for _ in range(count):
        children = {who: Child(lambda report, who=who: save_for_ever(path, who, report)) for who in "ab"}
        for child in children.values():
            child.wait(10.0)
        children["b"].wait(rng.uniform(0.0, LONGEST))
        ends = {who: child.end() for who, child in children.items()}
        loaded = mg.load(path)
        seen.append({"whole": whole(loaded), "who": loaded["who"], "version": loaded["version"],
                     "last": {who: last for who, (last, _) in ends.items()},
                     "killed": all(killed for _, killed in ends.values())})
    return {"seen": seen}


if __name__ == "__main__":
    what, place, seed, times = sys.argv[1:]
    work = {"random": at_random, "points": at_points, "two": two_at_once}[what]
    print(json.dumps(work(Path(place), random.Random(int(seed)), int(times))))

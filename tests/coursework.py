"""What the tests of the course share: a small tutorial with three exercises, notebooks of it, and a kernel for many."""

import json

import pytest

from minigrad.course import kernel, marking, places

NAMES = ("chain_factor", "clip_norm", "unit_norm")
SETUP = "import numpy as np\nfrom minigrad import check"
RIGHT = {
    "chain_factor": "def answer(w, T):\n    return w ** T",
    "clip_norm": "def answer(grads, max_norm):\n    length = np.sqrt(sum((g * g).sum() for g in grads))\n"
                 "    return [g * min(1.0, max_norm / max(length, 1e-300)) for g in grads]",
    "unit_norm": "def answer(grads, ctx):\n    return {k: g / ctx.norm if ctx.norm else g for k, g in grads.items()}",
}
EMPTY = "def answer(*args):\n    raise NotImplementedError"


def exercise(name, source=None):
    """The cells of an exercise, as the builder marks them: pairs of source and metadata."""
    source = RIGHT[name] if source is None else source
    return [(source, {"tags": ["exercise"], "nbgrader": {"grade_id": f"{name}-answer"}}),
            (f"check.{name}(answer)", {"tags": ["check"], "nbgrader": {"grade_id": name, "grade": True}})]


def tutorial(lesson=(), **answers):
    """The cells of a notebook whose exercises are right, except for those that are given."""
    return [SETUP, *lesson, *(cell for name in NAMES for cell in exercise(name, answers.get(name)))]


def write(path, cells):
    """Write a notebook with code cells, each a source or a pair of source and metadata; return its path."""
    pairs = [(cell, {}) if isinstance(cell, str) else cell for cell in cells]
    cells = [{"cell_type": "code", "metadata": metadata, "source": source, "outputs": [], "execution_count": None}
             for source, metadata in pairs]
    path.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}), encoding="utf-8")
    return path


class Shared:
    """A kernel that is used for one notebook after the other: closing it forgets the names, and no more."""

    def __init__(self):
        self.real = None

    def __call__(self, folder, number, memory):
        if self.real is None or not self.real.alive:
            self.real = kernel.Kernel(folder, number, memory)
        return self

    def __getattr__(self, name):
        return getattr(self.real, name)

    def close(self):
        if self.real.alive:
            assert self.real.run("%reset -f", 60).kind == "ok"


@pytest.fixture(scope="module")
def one_kernel():
    """A kernel for a whole file of tests."""
    if kernel.missing():
        pytest.skip(f"needs {' and '.join(kernel.missing())}")
    shared = Shared()
    yield shared
    if shared.real is not None:
        shared.real.close()


@pytest.fixture
def small(monkeypatch):
    """Let the tutorial 00 be the small one, and an interrupted cell have a second to end; the cells it is known by."""
    if kernel.missing():
        pytest.skip(f"needs {' and '.join(kernel.missing())}")
    cells = [(SETUP, ["setup"]), (EMPTY, ["exercise"]), *((f"check.{name}(answer)", ["check"]) for name in NAMES)]
    monkeypatch.setattr(places, "code_cells", lambda number: cells)
    monkeypatch.setattr(kernel, "GRACE", 1)
    return cells


@pytest.fixture
def shared(small, one_kernel, monkeypatch):
    """Mark in one kernel for all tests of a file: for notebooks that leave it as it was."""
    monkeypatch.setattr(marking, "Kernel", one_kernel)

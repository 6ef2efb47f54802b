"""The pure parts of the suite, as a page of the browser would run them: without processes and threads.

    python tests/pure.py                run them
    python tests/pure.py -n 2 -x        with arguments of pytest

A test that starts a process or a thread of its own is skipped.  If minigrad tries to, it gets the error that it would
get in the browser, and where it has no fallback the test fails.
"""

import os
import subprocess
import sys
import threading
import zlib
from pathlib import Path

import numpy.testing  # noqa: F401  (which runs a program when it is imported, and can do without its answer)
import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent

LEFT_OUT = {
    "test_against_others.py": "other frameworks, in processes",
    "test_benchmarks.py": "other frameworks, in processes",
    "test_cli_check.py": "kernels",
    "test_course_marking.py": "kernels",
    "test_killed.py": "processes that are killed",
    "test_sweep_workers.py": "processes",
    "test_torch_programs.py": "another framework",
    "test_trace_stream.py": "processes that are killed",
    "test_tutorials.py": "kernels",
}
"""Files that hold nothing pure; a new file is run until it is named here."""

MOST = 40
"""Of a file with more tests so many are run, or all would take ten minutes: most differ in a number or a dtype."""

ALL = {"test_doctests.py", "test_imports.py"}
"""Files of which all are run, for they go through every module of minigrad."""


def pytest_collection_modifyitems(items):
    """Leave out what is not to be run."""
    items[:] = sampled([item for item in items if item.path.name not in LEFT_OUT])


def sampled(items):
    """Return at most MOST tests of each file, drawn by a checksum of their names: the same ones each time."""
    by_file = {}
    for item in items:
        by_file.setdefault(item.path.name, []).append(item.nodeid)
    kept = set()
    for name, ids in by_file.items():
        kept.update(ids if name in ALL else sorted(ids, key=lambda text: zlib.crc32(text.encode()))[:MOST])
    return [item for item in items if item.nodeid in kept]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol():
    """Have neither processes nor threads while a test runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subprocess.Popen, "__init__", refusal("a process", OSError("this system has no processes")))
        patch.setattr(os, "fork", refusal("a process", OSError("this system has no processes")), raising=False)
        patch.setattr(threading.Thread, "start", refusal("a thread", RuntimeError("can't start new thread")))
        return (yield)


def refusal(what, error):
    """Return what stands in the place of a call that starts something."""
    def start(*args, **kwargs):
        if by_minigrad(sys._getframe(1)):
            raise error
        pytest.skip(f"starts {what}")

    return start


def by_minigrad(frame):
    """Whether the nearest call that is of minigrad or of a test is of minigrad."""
    ours = {ROOT / "minigrad": True, HERE: False}
    while frame is not None:
        for folder, answer in ours.items():
            if folder in Path(frame.f_code.co_filename).parents:
                return answer
        frame = frame.f_back
    return False


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(pytest.main([str(HERE), "-p", "pure", *sys.argv[1:]]))

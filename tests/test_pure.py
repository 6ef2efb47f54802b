"""What the pure parts of the suite are, and that nothing else runs among them."""

import functools
import os
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pure
import pytest


def test_what_is_named_exists():
    for name in (*pure.LEFT_OUT, *pure.ALL):
        assert (pure.HERE / name).is_file(), name


def test_the_examples_of_every_module_are_among_them():
    assert pure.ALL == {"test_doctests.py", "test_imports.py"}
    assert not pure.ALL & set(pure.LEFT_OUT)


def test_of_many_a_mixture_is_run():
    count = 12 * pure.MOST
    items = [SimpleNamespace(path=Path(name), nodeid=f"{name}::test[{k}]", k=k)
             for k in range(count) for name in ("test_rules.py", "test_doctests.py", "test_few.py")
             if k < 5 or name != "test_few.py"]
    kept = {name: [item.k for item in pure.sampled(items) if item.path.name == name] for name in
            ("test_rules.py", "test_doctests.py", "test_few.py")}
    assert kept["test_doctests.py"] == list(range(count))
    assert kept["test_few.py"] == list(range(5))
    some = kept["test_rules.py"]
    assert len(some) == pure.MOST
    assert some == sorted(some)
    assert {k % 4 for k in some} == {0, 1, 2, 3}                # not always the same dtype, say
    assert min(some) < count / 4 < 3 * count / 4 < max(some)
    assert [item.nodeid for item in pure.sampled(items)] == [item.nodeid for item in pure.sampled(items)]


STARTS = {"a thread": lambda: threading.Thread(target=print).start,
          "a process": lambda: functools.partial(subprocess.run, [sys.executable, "--version"])}
if hasattr(os, "fork"):
    STARTS["a process, by fork"] = lambda: os.fork


def by_a_page_of(folder):
    """A function of a file in this folder, which calls another."""
    names = {}
    exec(compile("def call(fn):\n    return fn()", str(folder / "page.py"), "exec"), names)
    return names["call"]


@pytest.fixture
def guarded():
    """Have what the plugin does around a test."""
    around = pure.pytest_runtest_protocol()
    next(around)
    assert not hasattr(os, "fork") or os.fork.__module__ == "pure"      # or the tests would go on in a child too
    yield
    with pytest.raises(StopIteration):
        next(around)


@pytest.mark.parametrize("what", STARTS)
def test_a_test_that_starts_something_is_skipped(what, guarded):
    with pytest.raises(pytest.skip.Exception, match=f"starts {what.split(',')[0]}"):
        STARTS[what]()()


@pytest.mark.parametrize("what", STARTS)
def test_minigrad_gets_the_error_of_the_browser(what, guarded):
    with pytest.raises((OSError, RuntimeError), match=r"^(this system has no processes|can't start new thread)$"):
        by_a_page_of(pure.ROOT / "minigrad")(STARTS[what]())
    with pytest.raises(pytest.skip.Exception):
        by_a_page_of(pure.HERE)(STARTS[what]())


def test_afterwards_everything_is_as_it_was():
    before = threading.Thread.start, subprocess.Popen.__init__
    around = pure.pytest_runtest_protocol()
    next(around)
    assert threading.Thread.start is not before[0]
    with pytest.raises(StopIteration):
        next(around)
    assert (threading.Thread.start, subprocess.Popen.__init__) == before

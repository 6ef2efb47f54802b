"""The examples in docstrings say what happens."""

import doctest
import importlib
import pkgutil

import pytest

import minigrad

NAMES = [name for name in ("minigrad", *(m.name for m in pkgutil.walk_packages(minigrad.__path__, "minigrad.")))
         if name != "minigrad.__main__"]


def examples(name):
    """The docstrings of a module that hold examples."""
    return [test for test in doctest.DocTestFinder().find(importlib.import_module(name)) if test.examples]


@pytest.mark.parametrize("name", NAMES)
def test_examples_give_what_they_show(name):
    found = examples(name)
    if not found:
        pytest.skip("no examples")
    runner, report = doctest.DocTestRunner(verbose=False), []
    for test in found:
        runner.run(test, out=report.append)
    assert runner.tries > 0
    assert not report, "".join(report)


def test_the_examples_were_found():
    """So that a finder that finds nothing does not pass for a package without faults."""
    tests = [test for name in NAMES for test in examples(name)]
    assert len(tests) >= 18
    assert sum(len(test.examples) for test in tests) >= 70
    assert {"minigrad.tensor.Tensor", "minigrad.nn.linear.Linear",
            "minigrad.hooks.clip.ClipNorm"} <= {test.name for test in tests}

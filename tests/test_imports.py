"""What ``import minigrad`` loads, and that the rest is there as soon as it is asked for."""

import importlib
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import minigrad as mg
from minigrad.table import RULES, name_of

HERE = Path(__file__).resolve().parent
LATER = ("hooks", "nn", "optim", "tasks", "utils", "plot", "experiments", "check", "course")

# Beside NumPy's own imports.  Each costs as much as a page of minigrad, or several.
HEAVY = {"argparse", "ast", "csv", "dataclasses", "difflib", "json", "matplotlib", "secrets", "tempfile", "tqdm",
         "unittest", "zipfile"}


def fresh(code, *options):
    """Run some lines in a new process, Python's with these options, and return the last expression's value."""
    path = os.pathsep.join([str(HERE.parent), os.environ.get("PYTHONPATH", "")])
    *lines, last = code.strip().splitlines()
    program = "\n".join([*lines, f"print(__import__('json').dumps({last}))"])
    done = subprocess.run([sys.executable, "-W", "error", *options, "-c", program],
                          capture_output=True, text=True, timeout=120, env={**os.environ, "PYTHONPATH": path})
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def loaded():
    """Return the modules that ``import minigrad`` loads where NumPy is loaded already, and the table of rules then."""
    return fresh("""
import sys, numpy
before = set(sys.modules)
import minigrad
after = sorted(set(sys.modules) - before)
from minigrad.table import RULES, SPELLINGS, name_of
{"modules": after, "rules": sorted(map(name_of, RULES)), "spellings": len(SPELLINGS)}
""")


@pytest.mark.parametrize("part", LATER)
def test_parts_that_come_later(part, loaded):
    assert not [name for name in loaded["modules"] if f"{name}.".startswith(f"minigrad.{part}.")]


def test_no_heavy_module_of_others_comes_along(loaded):
    assert not HEAVY & {name.split(".")[0] for name in loaded["modules"]}
    assert {name.split(".")[0] for name in loaded["modules"]} <= {"minigrad", "_string", "errno", "string"}


def test_the_table_is_complete_from_the_beginning(loaded):
    """What comes later adds nothing to it, so that whoever gives it back as it was takes nothing away."""
    for part in (*LATER, "penalty.pascanu", "utils.data", "saving", "cli"):
        importlib.import_module(f"minigrad.{part}")
    assert loaded["rules"] == sorted(map(name_of, RULES))


@pytest.mark.parametrize("name", sorted({*mg.__all__, "tasks", "plot", "experiments", "check"}))
def test_every_public_name_is_found_and_listed(name):
    assert getattr(mg, name) is getattr(mg, name)
    assert name in dir(mg)


@pytest.mark.parametrize("code", [
    "import minigrad as mg\nmg.penalty.omega is mg.penalty.pascanu.omega",
    "import minigrad as mg\nmg.nn.Linear.__module__ == 'minigrad.nn.linear'",
    "import minigrad as mg\nmg.optim.lr_scheduler.StepLR is not None",
    "import minigrad as mg\nmg.utils.data.DataLoader is mg.DataLoader",
    "from minigrad import penalty, tasks, hooks, nn, optim\ntasks.zen()[:3] == 'The'",
    "from minigrad.penalty import Omega, grad_norm_penalty, input_grad_penalty, omega\nomega is not None",
    "import minigrad.penalty as penalty\n{'Omega', 'omega', 'grad_norm_penalty'} <= set(dir(penalty))",
    "from minigrad import *\n[f.__name__ for f in (nn, optim, hooks)] == "
    "['minigrad.nn', 'minigrad.optim', 'minigrad.hooks']",
    "from minigrad import DataLoader, NormTrace, save\nall(map(callable, (DataLoader, NormTrace, save)))",
    "import minigrad as mg\nmg.hooks.Pipeline is __import__('minigrad.hooks', fromlist=['x']).Pipeline",
    "import minigrad as mg\nmg.trace(mg.tensor([[1.0]])).item() == 1 and callable(mg.NormTrace)",
    "import minigrad as mg\nnot hasattr(mg, 'nothing') and not hasattr(mg.penalty, 'nothing')",
])
def test_asked_for_in_a_fresh_process(code):
    assert fresh(code) is True


def test_without_docstrings():
    parts = ", ".join((*LATER, "claims", "cli", "course", "theory"))
    assert fresh(f"from minigrad import {parts}\nlen([getattr(check, name) for name in check.PAGES]) > 40", "-OO")


def test_a_pickle_brings_its_modules_along():
    net = mg.nn.Linear(2, 1, rng=np.random.default_rng(0))
    code = f"import pickle\nnet = pickle.loads({pickle.dumps(net)!r})\nnet.weight.tolist()"
    assert fresh(code) == net.weight.tolist()


def test_a_name_that_is_nearly_one_that_comes_later():
    assert "did you mean 'optim'" in fresh("""
import minigrad as mg
try:
    mg.optin
except AttributeError as error:
    message = str(error)
message
""")

"""JAX and optax in a process of their own: in one process with PyTorch, the two crash."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec

import pytest

HEAD = """
import json, sys
import jax, numpy as np, optax
jax.config.update("jax_enable_x64", True)
given = json.load(sys.stdin)
"""


def by_optax(program, given=None):
    """Run a program that is given ``given`` (numbers and lists) and leaves an answer like it in ``answer``."""
    if not (find_spec("jax") and find_spec("optax")):
        pytest.skip("needs jax and optax")
    ran = subprocess.run([sys.executable, "-W", "ignore", "-c", f"{HEAD}{program}\njson.dump(answer, sys.stdout)"],
                         input=json.dumps(given), capture_output=True, text=True, check=False, timeout=300,
                         env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)

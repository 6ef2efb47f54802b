"""What all tests share: one BLAS thread, and a table of rules that is what it was when a test ends."""

import os
import sys

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
    os.environ.setdefault(_variable, "1")
os.environ.setdefault("MPLBACKEND", "agg")

import pytest
from hypothesis import settings

from minigrad.table import RULES, SPELLINGS

# The same examples on every run, and no time limit per example: these machines are shared and noisy.
settings.register_profile("minigrad", deadline=None, derandomize=True)
settings.load_profile("minigrad")


@pytest.fixture(autouse=True)
def no_figure_stays_open():
    """Close what a test has drawn: figures that pile up would warn in one that has done nothing wrong."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@pytest.fixture(autouse=True)
def table_of_rules():
    """Give the table back as it was, whatever rules a test adds."""
    rules, spellings = dict(RULES), dict(SPELLINGS)
    yield
    for table, kept in ((RULES, rules), (SPELLINGS, spellings)):
        table.clear()
        table.update(kept)

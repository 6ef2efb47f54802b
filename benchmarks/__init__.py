"""Side-by-side timings: minigrad, NumPy by hand, and PyTorch, JAX, autograd and MyGrad where they are installed.

    python -m benchmarks                   time all works and print a table
    python -m benchmarks --list            say what there is
    python -m benchmarks --only rnn gru    some works, by the beginnings of their names
    python -m benchmarks --check           see that all contenders agree, at small sizes, and time nothing
    python -m benchmarks --write           also rewrite results.json, the figure and the table in the README

A page per family of works (``mlp``, ``rnn``, ``fused``, ...): the problem, and how each contender solves it.  ``work``
says what a work is, ``timing`` how it is timed, ``table`` and ``figure`` what becomes of it.

BLAS runs on one thread: it reads the number when NumPy is loaded, so it is set here, before anything else is imported.
"""

import os

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
    os.environ[_variable] = "1"

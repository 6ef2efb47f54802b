"""Side-by-side timings: minigrad, NumPy written by hand, and PyTorch where it is installed.

    python -m benchmarks

BLAS runs on one thread: it reads the number when NumPy is loaded, so it is set here, before anything else is imported.
"""

import os

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
    os.environ[_variable] = "1"

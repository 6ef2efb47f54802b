"""On what was measured: versions, and the kind of machine; neither its name nor the day."""

import importlib.metadata
import platform
from pathlib import Path

from benchmarks.work import PACKAGES


def versions():
    """Return package -> version, of Python, minigrad, NumPy and what stands behind the contenders that are there."""
    import numpy as np

    import minigrad

    found = {"python": platform.python_version(), "minigrad": minigrad.__version__, "numpy": np.__version__}
    for package in PACKAGES.values():
        try:
            found[package] = importlib.metadata.version(package).partition("+")[0]
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def blas():
    """Return the name and version of the BLAS behind NumPy, as far as NumPy knows them."""
    import numpy as np

    found = np.show_config(mode="dicts").get("Build Dependencies", {}).get("blas", {})
    return " ".join(filter(None, (found.get("name"), found.get("version")))) or "unknown"


def processor():
    """Return the processor's model and instruction width, as far as the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    fields = {key.strip(): value.strip() for key, found, value in (line.partition(":") for line in lines) if found}
    widest = next((w for w in ("avx512f", "avx2", "avx") if w in fields.get("flags", "").split()), "")
    return " ".join(filter(None, (fields.get("model name", platform.machine()), widest)))


def describe():
    """Return what stands at the head of the results."""
    return {"versions": versions(), "machine": {"processor": processor(), "system": platform.system(), "blas": blas()}}

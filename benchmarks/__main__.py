"""``python -m benchmarks``: time everything that is installed, on one BLAS thread, and print one table of ratios."""

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

from benchmarks import mlp, rnn, update
from benchmarks.timing import agree, alternate, ratios

WORKS = (mlp, rnn, *update.WORKS)


def main():
    """Run the benchmarks."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--repeats", type=int, default=25, help="counted rounds (%(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures there")
    args = parser.parse_args()
    torch = torch_if_installed()
    records = []
    print(f"{'work':<54} {'contender':<14} {'median ms':>9} {'/ by hand':>9} {'/ PyTorch':>9}")
    for work in WORKS:
        found = work.contenders(torch)
        agree(found, getattr(work, "RTOL", 1e-9))
        seconds = alternate(found, args.repeats)
        for name in found:
            record = {"work": work.TITLE, "contender": name, "median_ms": 1e3 * statistics.median(seconds[name]),
                      "ratio_by_hand": ratios(seconds, name, "NumPy by hand"),
                      "ratio_torch": ratios(seconds, name, "PyTorch eager") if torch else None}
            records.append(record)
            against = f"{record['ratio_torch']:>9.2f}" if torch else f"{'-':>9}"
            print(f"{work.TITLE:<54} {name:<14} {record['median_ms']:>9.2f} {record['ratio_by_hand']:>9.2f} {against}")
    extra = import_seconds(args.repeats)
    records.append({"work": "import minigrad, beyond NumPy", "seconds": extra})
    print(f"import minigrad costs {extra:.3f} s beyond NumPy")
    if args.json:
        args.json.write_text(json.dumps(records, indent=2) + "\n", encoding="utf-8")


def torch_if_installed():
    """Return PyTorch on one thread, or None."""
    try:
        import torch
    except ImportError:
        return None
    torch.set_num_threads(1)
    return torch


def import_seconds(repeats):
    """Return by how much a fresh interpreter is slower to import minigrad than to import NumPy, in seconds."""
    def start(module):
        return lambda: subprocess.run([sys.executable, "-c", f"import {module}"], check=True)
    seconds = alternate({"minigrad": start("minigrad"), "numpy": start("numpy")}, repeats)
    return statistics.median(a - b for a, b in zip(seconds["minigrad"], seconds["numpy"], strict=True))


if __name__ == "__main__":
    main()

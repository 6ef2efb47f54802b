"""``python -m benchmarks``: time what is installed, on one thread, and print one table of ratios."""

import argparse
import json
import sys
from pathlib import Path

from benchmarks import beside_jax, figure, machine, table
from benchmarks.timing import agree
from benchmarks.work import JAX, PACKAGES, installed, record
from benchmarks.works import WORKS, chosen
from minigrad.files import whole

ROOT = Path(__file__).parent.parent
RESULTS, FIGURE, README = ROOT / "benchmarks" / "results.json", ROOT / "figures" / "benchmarks.svg", ROOT / "README.md"


def main(arguments=None):
    """Run the benchmarks."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--list", action="store_true", help="name the works and stop")
    parser.add_argument("--check", action="store_true", help="see that contenders agree, at small sizes, and stop")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="works whose names begin like this")
    parser.add_argument("--repeats", type=int, default=51, help="counted rounds (%(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    parser.add_argument("--write", action="store_true",
                        help="rewrite results.json (works that are not run keep their figures), figure and README")
    args = parser.parse_args(arguments)
    if args.repeats < 1:
        parser.error(f"--repeats {args.repeats}: at least 1 round must be counted")
    try:
        works = chosen(args.only)
    except ValueError as error:
        parser.error(str(error))
    if args.list:
        for work in works:
            print(f"{work.name:<26} {work.title}" + (f", {work.dtype}" if work.dtype else ""))
        return
    present = installed()
    for name in PACKAGES:
        if name not in present:
            print(f"{name} is left out: there is no package {PACKAGES[name]} here", file=sys.stderr)
    if args.check:
        check(works, present)
        return
    results = {**machine.describe(), "works": []}
    old = json.loads(RESULTS.read_text(encoding="utf-8")) if args.write and RESULTS.exists() else None
    if old is not None:
        table.merged(old, {**results, "works": [{"name": work.name} for work in works]}, list(WORKS))   # or stop now
    print(table.HEAD)
    for work in works:
        found = measured(work, present, args.repeats)
        results["works"].append(found)
        print("\n".join(table.lines(found)), flush=True)
    print(table.summary(results))
    if args.json:
        args.json.write_text(table.as_json(results), encoding="utf-8")
    if args.write:
        write(table.merged(old, results, list(WORKS)))


def check(works, present):
    """Compare all contenders at small sizes, and print which agree."""
    beside = [work.name for work in works if JAX in present and JAX in work.contenders]
    agreeing = beside_jax.measured(beside, 0) if beside else {}
    for work in works:
        found = work.build([name for name in present if name != JAX], small=True)
        if len(found) > 1:
            agree(found, work.rtol)
            print(f"{work.name:<26} {', '.join(dict.fromkeys([*found, *agreeing.get(work.name, ())]))}")


def measured(work, present, repeats):
    """Return the record of a work, with JAX's share from a process of its own."""
    found = record(work, work.rounds([name for name in present if name != JAX], repeats))
    if JAX in present and JAX in work.contenders:
        beside = beside_jax.measured([work.name], repeats)[work.name]
        if not beside["one_core"]:
            said = f"{work.name}: jax.jit had {beside['cores']:.2g} cores, not one: its ratio is doubtful"
            print(said, file=sys.stderr)
        found["against"][JAX] = beside
    return found


def write(results):
    """Write results.json, the figure, and the table between its marks in the README."""
    readme = table.rewritten(README.read_text(encoding="utf-8"), table.markdown(results))
    for path, text in ((RESULTS, table.as_json(results)), (README, readme)):
        with whole(path) as file:
            file.write(text)
    figure.save(results, FIGURE)


if __name__ == "__main__":
    main()

"""``minigrad figures``: every figure anew, and its numbers beside those expected."""

import sys
import time
from pathlib import Path

from minigrad.commands.common import Refusal, writable_folder
from minigrad.commands.running import Bars, add_threads, comparison


def add(commands):
    """Add the parser of this command."""
    parser = commands.add_parser(
        "figures", help="make every figure anew; --check compares its numbers with those expected",
        description="Run the experiments with their default settings, and write their figures, as SVG or\n"
                    "PNG below 300 kB, with a README.md that shows each with its question, its answer and\n"
                    "its numbers. On one machine the same bytes come out each time.",
        epilog="examples:\n  minigrad figures\n  minigrad figures cliff latch --check\n\n"
               "minigrad list says which there are.")
    parser.set_defaults(run=run)
    add = parser.add_argument
    add("names", nargs="*", metavar="NAME", help="only these")
    add("--check", action="store_true", help="also compare the numbers with those expected; status 1 if one is off")
    add("--out", default="figures", metavar="DIR", help="where to write (%(default)s)")
    add("--force", action="store_true", help="write into DIR even if what is in it was not written by this command")
    add_threads(parser)


def run(args):
    """Make the figures; return the exit status."""
    from minigrad.experiments import gallery

    try:
        modules = gallery.chosen(args.names)
    except KeyError as error:
        raise Refusal(error.args[0]) from None
    out = prepared(args, gallery)
    began, made, failed = time.perf_counter(), [], []
    try:
        for name, module in modules.items():
            try:
                made.append(one(name, module, out, args.check))
            except (OSError, MemoryError) as error:
                raise Refusal(f"{name}: {type(error).__name__}: {error}") from None
            except Exception as error:          # the others are made all the same
                print(f"minigrad figures: {name}: {type(error).__name__}: {error}", file=sys.stderr)
                failed.append(name)
    except KeyboardInterrupt:
        there = ", ".join(shown.name for shown in made) or "none"
        print(f"Interrupted; finished and in {out}: {there}.", file=sys.stderr)
        return 130
    off = {shown.name: shown.off for shown in made if shown.off}
    print(f"{len(made)} figures in {out}, made in {time.perf_counter() - began:.0f} s."
          + (f" Failed: {', '.join(failed)}." if failed else ""))
    if args.check:
        count = sum(len(shown.expected) for shown in made)
        print(f"{count - sum(map(len, off.values()))} of {count} numbers are as expected."
              + "".join(f"\n{name} is off: {'; '.join(names)}" for name, names in off.items()))
    return 1 if failed or (args.check and off) else 0


def prepared(args, gallery):
    """Return the folder of the figures; one that holds something else is refused."""
    out = Path(args.out)
    try:
        if not args.force and out.is_dir() and any(out.iterdir()) and not (out / gallery.KNOWN).exists():
            raise Refusal(f"--out {out} holds files that are not of minigrad figures; --force writes among them, or "
                          f"name another directory")
        gallery.known(out)
    except (OSError, ValueError) as error:
        raise Refusal(str(error)) from None
    return writable_folder(out)


def one(name, module, out, check):
    """Make one figure and say so; return what is shown."""
    from minigrad.experiments import gallery

    began = time.perf_counter()
    with Bars(name) as bars:
        shown = gallery.make(name, module, out, bars)
    path = out / shown.file
    print(f"{name}: {path} ({path.stat().st_size / 1000:.0f} kB, {time.perf_counter() - began:.1f} s)",
          flush=True)
    if check:
        print("\n".join(["", *comparison(shown.expected), ""]), flush=True)
    return shown

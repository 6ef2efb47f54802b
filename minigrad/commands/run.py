"""``minigrad run``: one experiment, with settings as one likes."""

import sys

from minigrad.commands.common import Refusal, whole_number
from minigrad.commands.running import (
    Bars,
    Folder,
    add_threads,
    aligned,
    changed,
    comparison,
    find,
    full,
    pairs,
    settings_lines,
    short,
)


def add(commands):
    """Add the parser of this command."""
    parser = commands.add_parser(
        "run", help="run an experiment: its numbers beside those expected, and its figure",
        description="Run an experiment. Prints what was measured, what it says, and what was expected;\n"
                    "writes the arrays (NAME.npz), settings and numbers (NAME.json) and the figure\n"
                    "(NAME.png). The same settings give the same numbers.",
        epilog="examples:\n  minigrad run cliff-descent --set lr=0.02 --seeds 6 --out cliff\n"
               "  minigrad run cliff --help-settings\n\nminigrad list says which experiments there are.")
    parser.set_defaults(run=run)
    add = parser.add_argument
    add("name", metavar="NAME", help="the experiment")
    add("--set", action="append", metavar="NAME=VALUE", dest="settings",
        help="change a setting; several values with commas; may be repeated")
    add("--seeds", type=whole_number, metavar="N", help="run N seeds; short for --set seeds=N")
    add("--full", action="store_true", help="the full size, where the default is a smaller one")
    add("--out", metavar="DIR", help="where to write (default: minigrad-NAME)")
    add("--force", action="store_true", help="write into DIR even if there is something in it")
    add("--help-settings", action="store_true", help="print the settings, their ranges and defaults, and end")
    add_threads(parser)


def run(args):
    """Run the experiment; return the exit status."""
    module = find(args.name)
    if args.help_settings:
        print("\n".join([f"{args.name}: {module.QUESTION}", "", *settings_lines(module.Config())]))
        return 0
    config = configured(module, args)
    folder = Folder(args.out if args.out is not None else f"minigrad-{args.name}", args.force)
    with folder as out:
        return measure(args.name, module, config, out)


def configured(module, args):
    """Return the config that was asked for."""
    texts, base = pairs(args.settings, "--set"), full(module) if args.full else module.Config()
    if args.seeds is not None:
        if "seeds" in texts:
            raise Refusal("--seeds and --set seeds say the same; give one of them")
        if hasattr(base, "seeds"):
            texts["seeds"] = str(args.seeds)
        else:
            print(f"minigrad run: {args.name} has no setting 'seeds'; --seeds changes nothing", file=sys.stderr)
    if args.full and not hasattr(module, "FULL"):
        print(f"minigrad run: the default of {args.name} is its full size", file=sys.stderr)
    return changed(base, texts)


def measure(name, module, config, out):
    """Run, write and print; return the exit status."""
    from minigrad import plot
    from minigrad.experiments.experiment import measured

    written = []
    try:
        with Bars(name) as bars:
            result = measured(module, config, bars)
        for kind in ("npz", "json", "png"):     # what an earlier run left would be taken for this one's
            (out / f"{name}.{kind}").unlink(missing_ok=True)
        written += result.save(out, name)
        print("\n".join(said(module, result)))
        plot.save(module.figure(result), out / f"{name}.png")
        written.append(out / f"{name}.png")
    except KeyboardInterrupt:
        kept = f"{', '.join(path.name for path in written)} in {out}" if written else "nothing was finished"
        print(f"Interrupted; {kept}.", file=sys.stderr)
        return 130
    except OSError as error:
        raise Refusal(f"{error.filename or out} cannot be written ({error.strerror or error})") from None
    except MemoryError:
        raise Refusal("the run does not fit into memory; choose smaller settings") from None
    print(f"\nFigure: {written[-1]}; the numbers in {', '.join(path.name for path in written[:-1])} beside it.")
    return 0


def said(module, result):
    """Return what is said of a result, as lines: the headline, the answer, and what was expected."""
    from minigrad.experiments.experiment import compared

    lines = [*aligned([(name, short(value)) for name, value in result.headline.items()], right=(1,)), "",
             module.answer(result), ""]
    default = module.Config().as_dict()
    varied = [name for name, value in result.config.as_dict().items() if value != default.get(name)]
    expected = module.EXPECTED if not varied else [e for e in module.EXPECTED if e.name in result.headline]
    if varied:
        lines.append(f"Expected for the default settings (here another {', another '.join(varied)}):" if expected else
                     "What is expected is known for the default settings alone.")
    return lines + (comparison(compared(expected, result.headline)) if expected else [])

"""``minigrad threshold``: which threshold to clip the gradient norm at, from the norms of a run."""

import json

from minigrad.commands.common import about, add_reading, positive, read, refusals


def add(commands):
    """Add the parser of this command."""
    parser = commands.add_parser(
        "threshold", help="which threshold to clip at, and what each would have done",
        description="Advise a threshold for clipping the gradient norm: what each candidate would have\n"
                    "done to the norms of a run, the window of Pascanu, Mikolov and Bengio, AutoClip's\n"
                    "percentile, and one number with its reason; none where there is too little to go\n"
                    "by (which is no error).",
        epilog="examples:\n  minigrad threshold trace.csv\n  minigrad threshold trainer_state.json --try 1 --try .25\n"
               "  minigrad threshold trace.csv --json")
    parser.set_defaults(run=run)
    parser.add_argument("file", metavar="FILE", help="a trace, best of a run without clipping")
    parser.add_argument("--try", dest="thresholds", metavar="C", type=positive, action="append", default=[],
                        help="judge this threshold, too; may be given several times")
    parser.add_argument("--json", action="store_true", help="print a JSON object")
    add_reading(parser)


def run(args):
    """Print the advice; return the exit status."""
    trace = read(args.file, args)
    with refusals(args.file):
        advice = trace.advise(args.thresholds)
    if args.json:
        print(json.dumps({"file": args.file, "source": trace.source.as_dict(), **advice.as_dict()}, indent=1,
                         allow_nan=False))
    else:
        print(about(trace), advice, sep="\n\n")
    return 0

"""``minigrad summary``: percentiles, trend, spikes and clipping of norm traces, in numbers."""

import json
import sys

from minigrad.commands.common import Refusal, about, add_reading, read_all, refusals


def add(commands):
    """Add the parser of this command."""
    parser = commands.add_parser(
        "summary", help="what a trace says: percentiles, trend, spikes, share clipped",
        description="Summarise gradient norms, of minigrad or of a training elsewhere: CSV of\n"
                    "TensorBoard, Weights & Biases or Lightning, trainer_state.json, JSON Lines, any\n"
                    "CSV, any text log.",
        epilog="examples:\n  minigrad summary trace.csv\n"
               "  minigrad summary before.log after.log --pattern 'gnorm (?P<norm>\\S+)' --json")
    parser.set_defaults(run=run)
    parser.add_argument("files", nargs="+", metavar="FILE", help="a trace; what cannot be read is reported, and the "
                                                                 "others are summarised")
    parser.add_argument("--json", action="store_true", help="print a list of JSON objects, one for each run")
    add_reading(parser)


def run(args):
    """Print a summary for each run in each file; return the exit status."""
    found, status = [], 0
    for path in args.files:
        try:
            for name, trace in read_all(path, args).items():
                with refusals(path):
                    summary = trace.summary()
                found.append({"file": path, "run": name, "source": trace.source.as_dict(), **summary.as_dict()})
                if not args.json:
                    print("\n\n" * (len(found) > 1) + about(trace), summary, sep="\n\n")
        except Refusal as refusal:
            print(f"minigrad summary: {refusal}", file=sys.stderr)
            status = 2
    if args.json and found:
        print(json.dumps(found, indent=1, allow_nan=False))
    return status

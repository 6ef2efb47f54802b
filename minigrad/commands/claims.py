"""``minigrad claims``: claims that circulate about gradients, each with the measurement that decides it."""

import argparse
import sys

from minigrad.commands import bars
from minigrad.commands.common import Refusal, whole_number, writable_folder


def add(commands):
    """Add the parser of this command."""
    parser = commands.add_parser(
        "claims", help="what is said about clipping and accumulation, and what measurements say",
        description="Measure, then judge claims that circulate about gradients, most of them from five\n"
                    "articles: holds, false, depends, unproven or meaningless. About a minute for all.\n"
                    "Exit status 0 if every verdict is as expected, else 1.",
        epilog="examples:\n  minigrad claims\n  minigrad claims clip-vanishing\n"
               "  minigrad claims --markdown --figures claims > claims.md")
    parser.set_defaults(run=run)
    add = parser.add_argument
    add("ids", metavar="ID", nargs="*", help="judge these only (default: all); one alone is shown in full")
    add("--list", action="store_true", help="list the claims and their questions, and measure nothing")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print a JSON object")
    form.add_argument("--markdown", action="store_true", help="print a table in Markdown")
    add("--figures", metavar="DIR", help="write the figures there, as ID.png")
    add("--seed", type=seed, default=0, help="of everything that is drawn (%(default)s)")
    add("--threads", type=whole_number, default=1, help="BLAS threads; more is slower at these sizes (%(default)s)")


def seed(text):
    """Parse a whole number of at least 0."""
    if not text.strip().isdecimal() or len(text) > 9:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 to 999999999")
    return int(text)


def run(args):
    """Judge, print, draw; return the exit status."""
    from minigrad import claims
    from minigrad.claims import report
    from minigrad.experiments.experiment import as_json

    try:
        chosen = [claims.find(name) for name in dict.fromkeys(args.ids)] or list(claims.CLAIMS.values())
    except KeyError as error:
        raise Refusal(error.args[0]) from None
    if args.list:
        for claim in chosen:
            print(f"{claim.id:<24}{claim.question}")
        return 0
    folder = None if args.figures is None else writable_folder(args.figures)
    table = not (args.json or args.markdown)
    if table and len(chosen) > 1:
        print(report.heading())
    judged, figures = [], {}
    for claim in bars.bar(chosen, unit="claim", delay=1, leave=False, disable=not sys.stderr.isatty()):
        verdict = claim.judge(args.seed)
        if folder is not None and claim.draw is not None:
            figures[claim.id] = draw(claim, verdict, folder)
        judged.append((claim, verdict))
        if table:
            show = report.row if len(chosen) > 1 else report.in_full
            bars.write(show(claim, verdict, figures.get(claim.id)))
            sys.stdout.flush()
    if args.json:
        records = [report.record(claim, verdict, figures.get(claim.id)) for claim, verdict in judged]
        print(as_json({"seed": args.seed, "claims": records}), end="")
    elif args.markdown:
        print(report.markdown(judged, {name: path.name for name, path in figures.items()}), end="")
    elif len(judged) > 1:
        print(tally(judged))
    return int(any(v.verdict != c.expected_verdict for c, v in judged))


def draw(claim, verdict, folder):
    """Write the figure of a verdict into a folder, and return its path."""
    from minigrad import plot

    path = folder / f"{claim.id}.png"
    try:
        plot.save(claim.figure(verdict), path)
    except OSError as error:
        raise Refusal(f"{error.filename or path} cannot be written ({error.strerror})") from None
    return path


def tally(judged):
    """Return in one line how many verdicts there are of each kind, and which are not as expected."""
    from minigrad.claims import VERDICTS

    counts = {word: sum(v.verdict == word for _, v in judged) for word in VERDICTS}
    line = f"{len(judged)} claims: " + ", ".join(f"{count} {word}" for word, count in counts.items() if count) + "."
    other = [c.id for c, v in judged if v.verdict != c.expected_verdict]
    return line + (f" Not as expected: {', '.join(other)}." if other else "")

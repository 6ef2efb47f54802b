"""``minigrad demo``: an exploding gradient on real text, without and with clipping."""

import csv
import sys
from pathlib import Path

from minigrad.commands import bars
from minigrad.commands.common import Refusal, not_negative, positive, whole_number, writable_folder


def add(commands):
    """Add the parser of this command."""
    parser = commands.add_parser(
        "demo", help="an exploding gradient on real text, without and with clipping",
        description="Train a character RNN on real text over several seeds, once without and once with\n"
                    "clipping of the gradient norm, everything else equal. The same arguments give the\n"
                    "same numbers.",
        epilog="example:\n  minigrad demo --text my.txt --rho 1.2 --clip 0.5 --seeds 6 --out run1")
    parser.set_defaults(run=run)
    add = parser.add_argument
    add("--text", metavar="FILE", help="a UTF-8 text to learn (default: the Zen of Python)")
    add("--rho", type=not_negative, default=1.5, help="initial spectral radius of the net (%(default)s)")
    add("--steps", type=whole_number, default=400, help="updates per run (%(default)s)")
    add("--seq-len", type=whole_number, default=40, metavar="T", help="characters per window (%(default)s)")
    add("--hidden", type=whole_number, default=64, metavar="H", help="hidden units (%(default)s)")
    add("--batch", type=whole_number, default=16, metavar="B", help="windows per update (%(default)s)")
    add("--lr", type=positive, help="learning rate (1.5 for sgd, 0.01 for adam)")
    add("--clip", type=positive, default=1.0, metavar="C", help="threshold on the gradient norm (%(default)s)")
    add("--seeds", type=whole_number, default=4, metavar="N", help="run seeds 0 ... N-1 (%(default)s)")
    add("--optimizer", choices=("sgd", "adam"), default="sgd", help="%(default)s by default")
    add("--out", default="minigrad-demo", metavar="DIR", help="where the figure, traces and config go (%(default)s)")
    add("--threads", type=whole_number, default=1, help="BLAS threads; more is slower at this size (%(default)s)")


def run(args):
    """Run the demonstration; return the exit status."""
    from minigrad.experiments import char_rnn
    from minigrad.tasks import TextError, read_text

    try:
        source = {} if args.text is None else {"text": read_text(args.text), "source": Path(args.text).name}
        config = char_rnn.Config(rho=args.rho, steps=args.steps, seq_len=args.seq_len, hidden=args.hidden,
                                 batch=args.batch, lr=args.lr, clip=args.clip, seeds=args.seeds,
                                 optimizer=args.optimizer, **source)
    except TextError as error:
        raise Refusal(str(error)) from None
    was_there = Path(args.out).exists()
    out = writable_folder(args.out)
    result = char_rnn.Result(config, [])
    # A log file wants few lines; a run that fails at once, none.
    pace = {"mininterval": 0.1 if sys.stderr.isatty() else 2.0, "dynamic_ncols": True, "delay": 0.2}
    progress = bars.bar(total=2 * config.seeds * config.steps, unit="update", desc="training", **pace)

    def finished(run):
        if not result.runs:                     # what an earlier demonstration left here would be taken for this one's
            for old in (*out.glob("trace-seed*.csv"), *out.glob("time-seed*.csv"), *out.glob("demo.png")):
                old.unlink()
            save_text(out / "config.json", config.as_json(threads=args.threads))
        save_run(run, out)
        result.runs.append(run)

    try:
        with progress:
            char_rnn.run(config, updated=progress.update, finished=finished)
        from minigrad import plot

        plot.save(char_rnn.figure(result), out / "demo.png")
    except KeyboardInterrupt:
        progress.close()
        print(f"Interrupted; {kept(result, out)}.", file=sys.stderr)
        return 130
    except OSError as error:
        raise Refusal(f"{error.filename or out} cannot be written ({error.strerror}); {kept(result, out)}") from None
    except MemoryError:
        if not result.runs and not was_there:
            out.rmdir()
        raise Refusal("the run does not fit into memory; give smaller --hidden, --batch, --seq-len or "
                      f"--steps; {kept(result, out)}") from None
    print("\n".join(char_rnn.table(result)))
    print(char_rnn.verdict(result))
    print(f"Figure: {out / 'demo.png'}; traces (CSV) and config.json beside it.")
    return 0


def kept(result, out):
    """Say which runs are on the disk when the demonstration ends early."""
    names = ", ".join(run.name for run in result.runs)
    return f"the traces of the finished runs are in {out}: {names}" if names else "no run was finished"


def save_run(run, out):
    """Write the trace of a run, and ||dL/dh_t|| with a row per update."""
    from minigrad.files import whole

    run.trace.save(out / f"trace-{run.name}.csv")
    with whole(out / f"time-{run.name}.csv") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["step", *(f"t{t}" for t in range(run.time_norms.shape[1]))])
        writer.writerows([step, *map(repr, row)] for step, row in enumerate(run.time_norms.tolist()))


def save_text(path, text):
    """Write a text file, whole or not at all."""
    from minigrad.files import whole

    with whole(path) as file:
        file.write(text)

"""The command line: ``minigrad demo`` and what will stand beside it, over the public API alone."""

import argparse
import csv
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
"""What the usual BLAS libraries read, once, when NumPy loads them."""

LARGEST = 1_000_000_000

WELCOME = """\
minigrad {version}: a gradient-flow laboratory in pure NumPy.

  minigrad demo                   watch the gradient of an RNN explode on real text, and what clipping does
  minigrad demo --text my.txt     the same on a text of yours
  minigrad demo --help            all that can be varied
  minigrad --version

In Python:  import minigrad as mg;  from minigrad import nn, optim, hooks
The tutorials folder begins with 00_start_here.ipynb.
"""


class Refusal(Exception):
    """Bad input: one line that says what is wrong and how to mend it; exit status 2."""


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def error(self, message):
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


# --------------------------------------------------------------------------------- arguments

def whole_number(text):
    """Parse a whole number of at least 1; what is too large for any machine is refused here."""
    if not text.strip().isdecimal() or not 1 <= int(text) <= LARGEST:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to {LARGEST}")
    return int(text)


def number(text, *, zero):
    """Parse a finite number, > 0 or >= 0."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and (value > 0 or (zero and value == 0))):
        raise argparse.ArgumentTypeError(f"{text!r} is not a finite number {'>= 0' if zero else '> 0'}")
    return value


def positive(text):
    """Parse a finite number > 0."""
    return number(text, zero=False)


def not_negative(text):
    """Parse a finite number >= 0."""
    return number(text, zero=True)


def parser():
    """Return the parser of the whole command line."""
    from minigrad import __version__

    top = Parser(prog="minigrad", description="A gradient-flow laboratory in pure NumPy.")
    top.add_argument("--version", action="version", version=f"minigrad {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", parser_class=Parser)
    demo = commands.add_parser(
        "demo", help="an exploding gradient on real text, without and with clipping",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Train a character RNN on real text over several seeds, once without and once with clipping\n"
                    "of the gradient norm, everything else equal. The same arguments give the same numbers.",
        epilog="example:\n  minigrad demo --text my.txt --rho 1.2 --clip 0.5 --seeds 6 --out run1")
    add = demo.add_argument
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
    return top


# -------------------------------------------------------------------------------------- demo

def demo(args):
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
    from tqdm import tqdm

    result = char_rnn.Result(config, [])
    # A log file wants few lines; a run that fails at once, none.
    pace = {"mininterval": 0.1 if sys.stderr.isatty() else 2.0, "dynamic_ncols": True, "delay": 0.2}
    bar = tqdm(total=2 * config.seeds * config.steps, unit="update", desc="training", **pace)

    def finished(run):
        if not result.runs:                     # what an earlier demonstration left here would be taken for this one's
            for old in (*out.glob("trace-seed*.csv"), *out.glob("time-seed*.csv"), *out.glob("demo.png")):
                old.unlink()
            save_text(out / "config.json", config.as_json(threads=args.threads))
        save_run(run, out)
        result.runs.append(run)

    try:
        with bar:
            char_rnn.run(config, progress=bar.update, finished=finished)
        from minigrad import plot

        plot.save(char_rnn.figure(result), out / "demo.png")
    except KeyboardInterrupt:
        bar.close()
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


def writable_folder(path):
    """Make a folder, see that a file can be written there, and return it as a Path.

    Raises:
        Refusal: if it cannot be made or written.
    """
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except FileExistsError:
        raise Refusal(f"--out {path} is a file, not a directory; name another") from None
    except OSError as error:
        raise Refusal(f"--out {path} cannot be written ({error.strerror}); name another directory") from None
    return path


# --------------------------------------------------------------------------------------- main

def main(argv=None):
    """Run one command and return its exit status."""
    top = parser()
    args = top.parse_args(argv)
    if args.command is None:
        from minigrad import __version__

        print(WELCOME.format(version=__version__), end="")
        return 0
    try:
        return {"demo": demo}[args.command](args)
    except Refusal as refusal:
        print(f"minigrad {args.command}: {refusal}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130


def entry():
    """Run the command line in a process whose BLAS has the number of threads asked for."""
    try:
        args = parser().parse_args()
        if getattr(args, "threads", None) is not None:
            restart_with_threads(args.threads)
        status = main()
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        status = 130
    except BrokenPipeError:                     # whoever read our output has gone; Python would complain at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    sys.exit(status)


def restart_with_threads(threads):
    """Start this program anew unless its environment already asks BLAS for so many threads.

    BLAS reads the number when NumPy is loaded, which has happened by now; a small RNN runs up to 15 times slower
    when threads contend for the cores.
    """
    wanted = {name: str(threads) for name in THREAD_VARIABLES}
    if all(os.environ.get(name) == value for name, value in wanted.items()):
        return
    environment = {**os.environ, **wanted}
    command = [sys.executable, *sys.orig_argv[1:]]
    if os.name == "posix":
        sys.stdout.flush()
        os.execve(sys.executable, command, environment)
    sys.exit(subprocess.call(command, env=environment))

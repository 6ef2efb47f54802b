"""The command line: parser, exit status and the number of threads; the commands are in ``minigrad/commands``."""

import os
import subprocess
import sys

from minigrad.commands import modules
from minigrad.commands.common import Parser, Refusal

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
"""What the usual BLAS libraries read, once, when NumPy loads them."""

WELCOME = """\
minigrad {version}: a gradient-flow laboratory in pure NumPy.

  minigrad demo                   watch the gradient of an RNN explode on real text, and what clipping does
  minigrad demo --text my.txt     the same on a text of yours
  minigrad plot trace.csv         draw the gradient norms of a training, of minigrad's or of yours elsewhere
  minigrad threshold trace.csv    which threshold to clip at, and why
  minigrad tutorials              a course in notebooks, whose exercises mark themselves
  minigrad --help                 all commands;  minigrad COMMAND --help  all that can be varied

In Python:  import minigrad as mg;  from minigrad import nn, optim, hooks
"""


def parser():
    """Return the parser of the whole command line."""
    from minigrad import __version__

    top = Parser(prog="minigrad", description="A gradient-flow laboratory in pure NumPy.",
                 epilog="minigrad COMMAND --help says all about a command, with an example.")
    top.add_argument("--version", action="version", version=f"minigrad {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", parser_class=Parser)
    for module in modules():
        module.add(commands)
    return top


def main(argv=None):
    """Run one command and return its exit status."""
    top = parser()
    args = top.parse_args(argv)
    if args.command is None:
        from minigrad import __version__

        print(WELCOME.format(version=__version__), end="")
        return 0
    try:
        return args.run(args)
    except Refusal as refusal:
        print(f"minigrad {args.command}: {refusal}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130


def entry():
    """Run the command line in a process whose BLAS has the number of threads asked for."""
    if hasattr(sys.stdout, "reconfigure"):      # what its encoding lacks is escaped, as it is on stderr
        sys.stdout.reconfigure(errors="backslashreplace")
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
    when threads contend for the cores.  Where no program can be started, as in a browser, this one goes on and says so.
    """
    wanted = {name: str(threads) for name in THREAD_VARIABLES}
    if all(os.environ.get(name) == value for name, value in wanted.items()):
        return
    environment = {**os.environ, **wanted}
    command = [sys.executable, *sys.orig_argv[1:]]
    try:
        if os.name == "posix":
            sys.stdout.flush()
            os.execve(sys.executable, command, environment)
        status = subprocess.call(command, env=environment)
    except OSError as error:
        print(f"minigrad: cannot start anew with --threads {threads} ({error.strerror or error}); going on with the "
              f"threads that NumPy has", file=sys.stderr)
        return
    sys.exit(status)

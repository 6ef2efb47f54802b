"""``minigrad sweep``: an experiment at every point of a grid of settings, on several processes, resumable."""

import sys

from minigrad.commands.common import Refusal, whole_number
from minigrad.commands.running import Bars, aligned, find, pairs, short

MOST_LINES = 20
"""So many rows of a table, and failed cells, are printed at most."""


def add(commands):
    """Add the parser of this command."""
    parser = commands.add_parser(
        "sweep", help="run an experiment over a grid of settings, on several processes or a Dask cluster",
        description="Run an experiment at every point of a grid of settings. Each finished cell is written\n"
                    "at once: a sweep that was interrupted, or of which cells have failed, goes on with the\n"
                    "same command, and computes only what is missing. The numbers are the same whatever the\n"
                    "number of workers. Writes sweep.csv, sweep.npz and the picture sweep.png: a line over\n"
                    "a setting with a band over seeds, or a map over two.",
        epilog="examples:\n"
               "  minigrad sweep temporal-order --grid clip=.03,.1,.3,1,3,10,30,none --grid seed=0:6 --jobs 2\n"
               "  minigrad sweep linear-rnn --grid hidden=32,64,128 --grid seed=0:4 --dask tcp://localhost:8786\n\n"
               "minigrad run NAME --help-settings says what can be varied. --jobs needs joblib, --dask distributed:\n"
               "python -m pip install 'minigrad-lab[sweep]', or 'minigrad-lab[cluster]'.")
    parser.set_defaults(run=run, threads=1)     # the same numbers from this process as from workers
    add = parser.add_argument
    add("name", metavar="NAME", help="the experiment")
    add("--grid", action="append", required=True, metavar="NAME=VALUES", dest="axes",
        help="a setting that varies: a,b,c or, of whole numbers, 0:6 for 0 to 5; may be repeated. With seed=..., a "
             "cell is one seed")
    add("--set", action="append", metavar="NAME=VALUE", dest="settings", help="a setting, the same in all cells")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--jobs", type=whole_number, default=1, metavar="N", help="worker processes (%(default)s)")
    where.add_argument("--dask", metavar="ADDRESS", help="a Dask scheduler, tcp://host:port, to be used instead")
    add("--headline", metavar="NAME", help="the number that is drawn (default: the first that varies)")
    add("--out", metavar="DIR", help="where cells and results go (default: minigrad-sweep-NAME)")
    add("--force", action="store_true", help="write into DIR even if it holds something else; another sweep is deleted")


def run(args):
    """Run what is missing, and write the results; return the exit status."""
    find(args.name)
    sweep = asked_for(args)
    missing = len(sweep.missing())
    if missing < len(sweep.cells):
        print(f"{len(sweep.cells) - missing} of {len(sweep.cells)} cells are there already.", file=sys.stderr)
    try:
        with Bars(args.name) as bars:
            failed = sweep.run(args.jobs, args.dask, bars, args.force)
    except KeyboardInterrupt:
        count = len(sweep.cells) - len(sweep.missing())
        print(f"Interrupted; {count} of {len(sweep.cells)} cells are finished and in {sweep.folder}; the same command "
              f"computes the rest.", file=sys.stderr)
        return 130
    except FileExistsError as error:
        raise Refusal(f"--out: {error}; name another directory, or say --force") from None
    except (ImportError, ConnectionError) as error:
        raise Refusal(str(error)) from None
    except OSError as error:
        raise Refusal(f"{error.filename or sweep.folder}: {error.strerror or error}") from None
    if failed:
        print("\n".join(failures(sweep, failed)), file=sys.stderr)
    if len(failed) == len(sweep.cells):
        return 1
    written = sweep.save()
    draw(sweep, args.headline, written)
    print(f"{len(sweep.cells) - len(failed)} of {len(sweep.cells)} cells in {sweep.folder}: "
          f"{', '.join(path.name for path in written)}")
    return 1 if failed else 0


def asked_for(args):
    """Return the sweep that was asked for."""
    from minigrad.experiments.sweep import Sweep

    axes, settings = pairs(args.axes, "--grid"), pairs(args.settings, "--set")
    folder = f"minigrad-sweep-{args.name}" if args.out is None else args.out
    try:
        sweep = Sweep(args.name, axes, folder, settings)
        if not args.force:
            sweep.check()
        if args.headline is not None:
            check_headline(sweep, args.headline)
        return sweep
    except FileExistsError as error:
        raise Refusal(f"--out: {error}; name another directory, or say --force") from None
    except KeyError as error:
        raise Refusal(error.args[0]) from None
    except (OSError, ValueError) as error:
        raise Refusal(str(error)) from None


def check_headline(sweep, name):
    """Refuse a headline that no cell has, as far as cells are finished."""
    from minigrad.experiments.sweep_plot import headline_of

    columns, rows = sweep.table()
    if rows:
        headline_of(columns, rows, sweep.axes, name)


def draw(sweep, headline, written):
    """Print the number that is drawn, and draw it; add the path of the picture to those written.

    Raises:
        Refusal: if there is no such number.
    """
    from minigrad import plot
    from minigrad.experiments import sweep_plot

    try:
        columns, rows = sweep.table()
        name = sweep_plot.headline_of(columns, rows, sweep.axes, headline)
        print("\n".join(summary(columns, rows, [*sweep.axes, name])))
        figure = sweep_plot.figure(sweep, name)
    except KeyError as error:
        raise Refusal(error.args[0]) from None
    except ValueError as error:                 # more settings than a picture has room for
        print(f"minigrad sweep: no picture: {error}", file=sys.stderr)
        return
    plot.save(figure, sweep.folder / "sweep.png")
    written.append(sweep.folder / "sweep.png")


def summary(columns, rows, names):
    """Return some columns of the table as lines."""
    where = [columns.index(name) for name in names]
    lines = aligned([tuple(names), *(tuple(short(row[i]) for i in where) for row in rows[:MOST_LINES])],
                    right=range(len(names)))
    return lines + ([f"and {len(rows) - MOST_LINES} more rows, in sweep.csv"] if len(rows) > MOST_LINES else [])


def failures(sweep, failed):
    """Return the cells that failed, and why, as lines."""
    lines = [f"{cell}: {sweep.record(cell).get('error', 'not computed')}" for cell in failed[:MOST_LINES]]
    more = [f"and {len(failed) - MOST_LINES} more"] if len(failed) > MOST_LINES else []
    return [*lines, *more, f"{len(failed)} of {len(sweep.cells)} cells failed; the same command tries them again."]

"""A sweep: one experiment at every point of a grid of settings, on several processes, resumable.

Each point is a cell.  A cell's settings, its seed among them, decide its numbers, so that they are the same whatever
the number of workers and the order in which cells are finished.  A finished cell is written at once, as a file of its
own; a sweep that is started again in the same folder computes only the cells that are missing or have failed.
"""

import contextlib
import csv
import hashlib
import inspect
import itertools
import json
import math
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from minigrad import __version__, experiments
from minigrad.experiments import workers
from minigrad.experiments.experiment import as_json, quiet
from minigrad.files import whole

LARGEST = 100_000
"""So many cells a sweep has at most; each is a file."""


@dataclass(frozen=True)
class Cell:
    """A point of the grid.

    Attributes:
        texts: the settings that vary, as text.
        config: all settings.
        name: of its file.  It is made of the settings, not of the place in the grid: a grid that has grown, or is
            written in another way, finds its old cells.
    """

    texts: dict
    config: object
    name: str

    def __str__(self):
        return " ".join(f"{name}={text}" for name, text in self.texts.items())


def grid(axes):
    """Return the points of a grid in order, the last axis running fastest; each is a dict name -> text.

    Args:
        axes: name -> text of the values: ``"0.1,0.3,none"``, or ``"0:6"`` for 0 ... 5.

    Raises:
        ValueError: for an axis without values, or more points than LARGEST.

    Example:
        >>> from minigrad.experiments.sweep import grid
        >>> grid({"clip": "1,none", "seed": "0:2"})[2]
        {'clip': 'none', 'seed': '0'}
    """
    values = {name: axis(name, text) for name, text in axes.items()}
    count = math.prod(map(len, values.values()))
    if count > LARGEST:
        raise ValueError(f"the grid has {count} cells, more than {LARGEST}; make it coarser")
    return [dict(zip(values, point)) for point in itertools.product(*values.values())]


def axis(name, text):
    """Return the texts of the values of one axis."""
    first, colon, last = (part.strip() for part in text.partition(":"))
    if colon:
        if not (first.isdecimal() and last.isdecimal()):
            raise ValueError(f"{name}={text}: a range is first:last, of whole numbers, such as 0:6 for 0 to 5")
        found = range(int(first), int(last))
        if len(found) > LARGEST:
            raise ValueError(f"{name}={text}: {len(found)} values, more than {LARGEST}")
        found = [str(value) for value in found]
    else:
        found = [part.strip() for part in text.split(",") if part.strip()]
    if not found:
        raise ValueError(f"{name}={text}: no value; write {name}=a,b,c or {name}=0:6")
    return found


class Sweep:
    """A sweep in a folder.

    Args:
        experiment: its name.
        axes: name -> text of values, as :func:`grid` takes them.  Where ``seed`` is one of them, a cell is one seed.
        folder: where cells and results go.
        settings: name -> text, the same in all cells.

    Raises:
        KeyError, ValueError: for what the experiment does not know or take, before anything is run or written.

    Example:
        >>> import tempfile
        >>> from minigrad.experiments.sweep import Sweep
        >>> sweep = Sweep("latch", {"steps": "5,10"}, tempfile.mkdtemp(), {"weights": "2"})
        >>> sweep.run()                                 # the cells that failed
        []
        >>> names, rows = sweep.table()
        >>> names[:2], [row[0] for row in rows]
        (['steps', 'factor per step, w = 2'], [5, 10])
    """

    def __init__(self, experiment, axes, folder, settings=None):
        self.experiment, self.axes, settings = experiment, list(axes), dict(settings or {})
        self.module = experiments.find(experiment)
        self.folder = Path(folder)
        if not axes:
            raise ValueError("a sweep has at least one axis, such as seed=0:6")
        both = [name for name in axes if name in settings]
        if both:
            raise ValueError(f"{both[0]} is fixed and varied at once; give it once")
        default = self.module.Config()
        if "seed" in axes and hasattr(default, "seeds") and "seeds" not in axes:
            settings.setdefault("seeds", "1")
        default.changed({**settings, **{name: axis(name, text)[0] for name, text in axes.items()}})   # refused early
        self.cells = [self.cell(default, settings, texts) for texts in grid(axes)]
        self.settings = {name: getattr(self.cells[0].config, name) for name in settings}
        found = {}
        for cell in self.cells:
            if found.setdefault(cell.name, cell) is not cell:
                raise ValueError(f"{cell} is there twice (as {found[cell.name]}); give it once")

    def cell(self, default, settings, texts):
        """Return the cell of a point of the grid."""
        config = default.changed({**settings, **texts})
        words = as_json({"experiment": self.experiment, "config": config.as_dict()})
        return Cell(texts, config, hashlib.sha256(words.encode()).hexdigest()[:16])

    # ---------------------------------------------------------------------------------- the folder

    def check(self):
        """Refuse a folder that holds something else, or another sweep.

        Raises:
            FileExistsError: saying what it holds.
        """
        if not self.folder.exists():
            return
        if not self.folder.is_dir():
            raise FileExistsError(f"{self.folder} is no folder")
        if self.card.exists():
            theirs = json.loads(self.card.read_text(encoding="utf-8"))
            mine = json.loads(self.words())
            if theirs != mine:
                if all(theirs.get(name) == mine[name] for name in ("experiment", "settings")):
                    raise FileExistsError(f"{self.folder} holds cells that another version of {self.experiment} has "
                                          f"computed; they would not go with new ones")
                given = ", ".join(f"{name} = {value}" for name, value in theirs.get("settings", {}).items())
                raise FileExistsError(f"{self.folder} holds another sweep, of {theirs.get('experiment')} with "
                                      f"{given or 'the default settings'}")
        elif any(self.folder.iterdir()):
            raise FileExistsError(f"{self.folder} is not empty, and holds no sweep")

    @property
    def card(self):
        """The file that says what sweep it is."""
        return self.folder / "sweep.json"

    def words(self):
        """Return what stands in it."""
        source = inspect.getsource(self.module).encode()
        return as_json({"experiment": self.experiment, "settings": self.settings, "minigrad": __version__,
                        "source": hashlib.sha256(source).hexdigest()[:16]})

    def prepare(self, force=False):
        """Make the folder; one that holds something else is refused by :meth:`check` unless ``force`` is set.

        With ``force``, another sweep that is there is deleted; other files stay.
        """
        try:
            self.check()
        except FileExistsError:
            if not force or not self.folder.is_dir():
                raise
            if self.card.exists():
                self.card.unlink()
                shutil.rmtree(self.folder / "cells", ignore_errors=True)
                for name in ("sweep.csv", "sweep.npz", "sweep.png"):
                    (self.folder / name).unlink(missing_ok=True)
        (self.folder / "cells").mkdir(parents=True, exist_ok=True)
        if not self.card.exists():
            with whole(self.card) as file:
                file.write(self.words())

    def path(self, cell):
        """Return the file of a cell."""
        return self.folder / "cells" / f"{cell.name}.json"

    def record(self, cell):
        """Return what is known of a cell: a dict with "headline" or "error"; an empty one if nothing is."""
        try:
            found = json.loads(self.path(cell).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):         # no JSON, or no text
            found = None
        return found if isinstance(found, dict) else {}

    def missing(self):
        """Return the cells that are not finished: not run, or failed."""
        return [cell for cell in self.cells if "headline" not in self.record(cell)]

    # ------------------------------------------------------------------------------------- running

    def run(self, jobs=1, dask=None, progress=quiet, force=False):
        """Compute what is missing; return the cells that failed.

        Args:
            jobs: worker processes on this machine, each with one BLAS thread.  With 1, this process computes, with as
                many threads as its BLAS has; the numbers are those of more workers to the bit if that is one.
            dask: address of a Dask scheduler, tcp://host:port, to be used instead.
            progress: as experiments have it.
            force: whether another sweep in the folder may go.

        Raises:
            FileExistsError: if the folder holds something else.
            ImportError: if joblib, or distributed, is wanted and not installed.
            ConnectionError: if there is no scheduler.
        """
        if dask is not None or jobs > 1:
            workers.needed(*(("joblib", "sweep") if dask is None else ("distributed", "cluster")))
        if dask is not None:
            workers.find_scheduler(dask)        # before another sweep is deleted for this one
        self.prepare(force)
        tasks = [(cell.name, self.module.__name__, cell.config) for cell in self.missing()]
        if dask is not None:
            found = workers.on_cluster(tasks, dask)
        else:
            found = workers.in_turn(tasks) if jobs == 1 else workers.in_processes(tasks, min(jobs, len(tasks)))
        cells = {cell.name: cell for cell in self.cells}
        with contextlib.closing(found):
            for name, record in progress(found, "cells", len(tasks)):
                with whole(self.path(cells[name])) as file:
                    file.write(as_json(record))
        return self.missing()

    # ------------------------------------------------------------------------------------- results

    def table(self):
        """Return the names of the columns, and a row for each finished cell in the order of the grid.

        A number that a cell has not, as its headline has other names, is NaN.
        """
        found = [(cell, self.record(cell).get("headline")) for cell in self.cells]
        found = [(cell, headline) for cell, headline in found if headline is not None]
        names = list(dict.fromkeys(name for _, headline in found for name in headline if name not in self.axes))
        return [*self.axes, *names], [
            [*(single(getattr(cell.config, name)) for name in self.axes),
             *(number(headline.get(name, math.nan)) for name in names)] for cell, headline in found]

    def save(self):
        """Write ``sweep.csv`` and ``sweep.npz``, the finished cells in the order of the grid; return the paths."""
        columns, rows = self.table()
        words, arrays = self.folder / "sweep.csv", self.folder / "sweep.npz"
        with whole(words) as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(columns)
            writer.writerows([repr(v) if isinstance(v, float) else v for v in row] for row in rows)
        with whole(arrays, "wb") as file:
            np.savez(file, **{name: np.array([row[index] for row in rows]) for index, name in enumerate(columns)})
        return [words, arrays]


def single(value):
    """Return the value of an axis as a table has it: one of several by itself, none as NaN."""
    if isinstance(value, tuple):
        return value[0] if len(value) == 1 else str(value)
    return math.nan if value is None else value


def number(value):
    """Return a number of a record; nan and inf are kept as text in JSON."""
    return float(value) if isinstance(value, str) and value in ("nan", "inf", "-inf") else value

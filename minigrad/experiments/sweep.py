"""A sweep: one experiment at every point of a grid of settings, on several processes, resumable.

Each point is a cell.  A cell's settings, its seed among them, decide its numbers, so that they are the same whatever
the number of workers and the order in which cells are finished.  A finished cell is written at once, as a file of its
own; a sweep that is started again in the same folder computes only the cells that are missing or have failed.
"""

import hashlib
import itertools
import json
import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from minigrad import experiments
from minigrad.experiments.experiment import as_json, quiet
from minigrad.files import whole

RETRIES = 1
"""How often a cell is tried again after its worker has died."""


@dataclass(frozen=True)
class Cell:
    """A point of the grid: the texts of the settings that vary, and what they stand for."""

    index: int
    texts: dict
    name: str = field(init=False)

    def __post_init__(self):
        # The name is made of the settings, not of the place in the grid: a grid that has grown finds its old cells.
        words = json.dumps(self.texts, sort_keys=True)
        object.__setattr__(self, "name", hashlib.sha256(words.encode()).hexdigest()[:16])


def grid(axes):
    """Return the cells of a grid in order, the last axis running fastest.

    Args:
        axes: name -> text of the values: ``"0.1,0.3,none"``, or ``"0:6"`` for 0 ... 5.

    Raises:
        ValueError: for an axis without values, or with a value twice.

    Example:
        >>> from minigrad.experiments.sweep import grid
        >>> [cell.texts for cell in grid({"clip": "1,none", "seed": "0:2"})][2]
        {'clip': 'none', 'seed': '0'}
    """
    values = {name: axis(name, text) for name, text in axes.items()}
    points = itertools.product(*values.values())
    return [Cell(index, dict(zip(values, point))) for index, point in enumerate(points)]


def axis(name, text):
    """Return the texts of the values of one axis."""
    first, colon, last = text.partition(":")
    if colon:
        if not (first.strip().isdecimal() and last.strip().isdecimal()):
            raise ValueError(f"{name}={text}: a range is first:last, of whole numbers, such as 0:6 for 0 to 5")
        found = [str(value) for value in range(int(first), int(last))]
    else:
        found = [part.strip() for part in text.split(",") if part.strip()]
    if not found:
        raise ValueError(f"{name}={text}: no value; write {name}=a,b,c or {name}=0:6")
    twice = [value for value in found if found.count(value) > 1]
    if twice:
        raise ValueError(f"{name}={text}: {twice[0]} is there twice")
    return found


def compute(experiment, settings):
    """Return the record of one cell, headline or error; run in a worker."""
    module = experiments.find(experiment)
    config = module.Config.parse(settings)
    try:
        headline = module.run(config, quiet).headline
    except Exception as error:          # a failed cell is a result, and no reason to lose the others
        return {"settings": settings, "error": f"{type(error).__name__}: {error}"}
    return {"settings": settings, "headline": {name: plain(value) for name, value in headline.items()}}


def plain(value):
    """Return a number as Python has it."""
    return value.item() if isinstance(value, np.generic) else value


class Sweep:
    """A sweep in a folder.

    Args:
        experiment: its name.
        axes: name -> text of values, as :func:`grid` takes them.  Where ``seed`` is one of them, a cell is one seed.
        folder: where cells and results go.
        settings: name -> text, the same in all cells.

    Raises:
        KeyError, ValueError: for what the experiment does not know or take, before anything is run or written; or if
            the folder holds a sweep of something else.
    """

    def __init__(self, experiment, axes, folder, settings=None):
        self.experiment, self.axes, self.settings = experiment, dict(axes), dict(settings or {})
        module = experiments.find(experiment)
        if "seed" in self.axes and hasattr(module.Config, "seeds"):
            self.settings.setdefault("seeds", "1")
        both = set(self.axes) & set(self.settings)
        if both:
            raise ValueError(f"{min(both)} is fixed and varied at once; give it once")
        self.cells = grid(self.axes)
        for cell in self.cells:
            module.Config.parse({**self.settings, **cell.texts})
        self.folder = Path(folder)

    def prepare(self):
        """Make the folder, or refuse one that holds another sweep."""
        card, mine = self.folder / "sweep.json", {"experiment": self.experiment, "settings": self.settings}
        if card.exists():
            theirs = json.loads(card.read_text(encoding="utf-8"))
            if theirs != mine:
                raise ValueError(f"{self.folder} holds another sweep, of {theirs.get('experiment')} with "
                                 f"{theirs.get('settings') or 'the default settings'}; choose another folder")
        elif self.folder.exists() and any(self.folder.iterdir()):
            raise ValueError(f"{self.folder} is not empty, and holds no sweep; choose another folder")
        (self.folder / "cells").mkdir(parents=True, exist_ok=True)
        if not card.exists():
            with whole(card) as file:
                file.write(json.dumps(mine, indent=2) + "\n")

    def path(self, cell):
        """Return the file of a cell."""
        return self.folder / "cells" / f"{cell.name}.json"

    def record(self, cell):
        """Return what is known of a cell, or None."""
        try:
            return json.loads(self.path(cell).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None

    def missing(self):
        """Return the cells that are not finished: not run, or failed."""
        return [cell for cell in self.cells if "headline" not in (self.record(cell) or {})]

    def keep(self, cell, record):
        """Write the record of a cell."""
        with whole(self.path(cell)) as file:
            file.write(as_json(record))

    def run(self, jobs=1, dask=None, progress=quiet):
        """Compute what is missing; return the cells that failed.

        Args:
            jobs: worker processes on this machine.
            dask: address of a Dask scheduler, tcp://host:port, to be used instead.
            progress: as experiments have it.
        """
        self.prepare()
        waiting = self.missing()
        compute_all = in_turn if jobs == 1 and dask is None else in_parallel
        for cell, record in progress(compute_all(self, waiting, jobs, dask), "cells", len(waiting)):
            self.keep(cell, record)
        return self.missing()

    def table(self):
        """Return the names of the columns, and a row for each finished cell in the order of the grid."""
        records = [(cell, self.record(cell)) for cell in self.cells]
        names = list(dict.fromkeys(name for _, r in records if r for name in r.get("headline", {})))
        rows = [[*cell.texts.values(), *(number(r["headline"].get(name)) for name in names)]
                for cell, r in records if r and "headline" in r]
        return [*self.axes, *names], rows

    def save(self):
        """Write ``sweep.csv`` and ``sweep.npz``, the finished cells in the order of the grid; return the paths."""
        import csv

        columns, rows = self.table()
        words, arrays = self.folder / "sweep.csv", self.folder / "sweep.npz"
        with whole(words) as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(columns)
            writer.writerows([repr(v) if isinstance(v, float) else v for v in row] for row in rows)
        with whole(arrays, "wb") as file:
            np.savez(file, **{name: np.array(column) for name, column in zip(columns, zip(*rows))})
        return [words, arrays]


def number(value):
    """Return a number of a record; nan and inf are kept as text in JSON."""
    return float(value) if isinstance(value, str) and value in ("nan", "inf", "-inf") else value


# -------------------------------------------------------------------------------------------- who computes

def in_turn(sweep, cells, jobs, dask):
    """Compute cells one after another in this process."""
    for cell in cells:
        yield cell, compute(sweep.experiment, {**sweep.settings, **cell.texts})


def in_parallel(sweep, cells, jobs, dask):
    """Compute cells on workers, handing each over when it is finished; a cell whose worker died is tried again."""
    joblib = needed("joblib", "sweep")
    waiting, deaths = list(cells), 0
    while waiting:
        one_by_one = deaths > RETRIES           # whose cell kills its worker shows only if it is alone
        done = set()
        try:
            for index, record in batch(joblib, sweep, waiting[:1] if one_by_one else waiting, jobs, dask):
                cell = waiting[index]
                done.add(cell.name)
                yield cell, record
        except joblib.externals.loky.process_executor.BrokenProcessPool:
            deaths += 1
            if one_by_one:
                cell = waiting[0]
                done.add(cell.name)
                yield cell, {"settings": {**sweep.settings, **cell.texts}, "error": "its worker died"}
        waiting = [cell for cell in waiting if cell.name not in done]


def batch(joblib, sweep, cells, jobs, dask):
    """Yield (index, record) as cells are finished."""
    tasks = (joblib.delayed(numbered)(index, sweep.experiment, {**sweep.settings, **cell.texts})
             for index, cell in enumerate(cells))
    if dask is None:
        # One BLAS thread per worker: the numbers shall not depend on how many there are.
        with joblib.parallel_config("loky", inner_max_num_threads=1):
            yield from joblib.Parallel(n_jobs=jobs, return_as="generator_unordered", pre_dispatch="2*n_jobs")(tasks)
        return
    distributed = needed("distributed", "cluster")
    with distributed.Client(dask, timeout="10s") as client:
        futures = client.map(lambda task: task[0](*task[1], **task[2]), list(tasks), pure=False, retries=RETRIES)
        for future in distributed.as_completed(futures):
            yield future.result()


def numbered(index, experiment, settings):
    """Return the index of a cell and its record."""
    return index, compute(experiment, settings)


def needed(package, extra):
    """Import a package that is no requirement of minigrad, or say how to get it."""
    import importlib

    try:
        return importlib.import_module(package)
    except ImportError:
        raise ImportError(f"this needs {package}: python -m pip install 'minigrad[{extra}]'") from None


def one_thread():
    """Ask BLAS for one thread, unless the user has said otherwise; before NumPy is loaded."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")

"""Who computes the cells of a sweep: this process, processes on this machine (joblib), or a Dask cluster.

Each function takes a list of tasks ``(cell, module, config)`` and yields ``(cell, record)`` as cells are finished, in
any order; a record is a dict with "config", and "headline" or "error".  The module goes to a worker by its name, for it
to import there.
"""

import contextlib
import functools
import importlib
import os
import signal
import socket
import threading
import time
import warnings
from collections import deque

import numpy as np

from minigrad.experiments.experiment import measured

TRIES = 2
"""So often a cell is tried alone, after a worker has died that may have had it, before it is called failed."""

DIED = "its worker died, also when it had no other cell to compute; memory may have run out"


def compute(module, config):
    """Return the record of one cell: what was measured, or how it failed."""
    record = {"config": config.as_dict()}
    try:
        headline = measured(importlib.import_module(module), config).headline
    except Exception as error:          # a failed cell is a result, and no reason to lose the others
        return {**record, "error": words(error)}
    return {**record, "headline": {name: plain(value) for name, value in headline.items()}}


def plain(value):
    """Return a number as Python has it."""
    return value.item() if isinstance(value, np.generic) else value


def words(error):
    """Return an error in one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())


def failed(config, why):
    """Return the record of a cell that could not be computed."""
    return {"config": config.as_dict(), "error": why}


def in_turn(tasks):
    """Compute cells one after another in this process."""
    for cell, module, config in tasks:
        yield cell, compute(module, config)


# --------------------------------------------------------------------------------------- processes on this machine

def in_processes(tasks, jobs):
    """Compute cells in worker processes; of a worker that dies nothing is lost but the cell that it had.

    Whose cell killed a worker cannot be told from outside, when several were being computed.  So each of these few is
    computed again, alone; the others go on side by side.  Where there are no processes, as in a browser, this one
    computes all, and warns of it.
    """
    joblib = needed("joblib", "sweep")
    try:
        broken = importlib.import_module("joblib.externals.loky.process_executor").BrokenProcessPool
    except ImportError:
        warnings.warn("this Python starts no processes; the cells are computed one after another in this one",
                      stacklevel=2)
        yield from in_turn(tasks)
        return
    waiting = deque(tasks)
    while waiting:
        sent = {}                                       # handed to workers, and not back yet
        try:
            for cell, record in side_by_side(joblib, waiting, sent, jobs):
                del sent[cell]
                yield cell, record
        except broken:
            for task in list(sent.values()):
                yield task[0], alone(joblib, broken, task)


def side_by_side(joblib, waiting, sent, jobs):
    """Yield cells as workers finish them; tasks go from ``waiting`` to ``sent``."""
    def calls():
        while waiting:
            task = waiting.popleft()
            sent[task[0]] = task
            yield joblib.delayed(in_worker)(os.getpid(), *task)

    # One BLAS thread per worker, however many workers there are: the order of summation depends on the threads.
    with joblib.parallel_config("loky", inner_max_num_threads=1):
        # With n_jobs=1 joblib would compute in this process.
        parallel = joblib.Parallel(n_jobs=max(jobs, 2), return_as="generator_unordered", batch_size=1,
                                   pre_dispatch="n_jobs")
    yield from parallel(calls())


def alone(joblib, broken, task):
    """Return the record of a cell that is computed while no other is."""
    for _ in range(TRIES):
        try:
            ((_, record),) = side_by_side(joblib, deque([task]), {}, 1)
            return record
        except broken:
            continue
    return failed(task[2], DIED)


def in_worker(parent, cell, module, config):
    """Compute a cell in a worker process; Ctrl-C is for the process that has sent it, which then ends this one.

    Where there are no processes, as in a browser, joblib calls this in the process that sends.
    """
    if parent != os.getpid():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        end_with(parent)
    return cell, compute(module, config)


@functools.cache
def end_with(parent):
    """Let this process end when its parent is gone, also in the midst of a cell: nobody waits for it any more.

    Where no thread can be started that watches, it ends after its cell, when joblib finds nobody to answer.
    """
    def watch():
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)
    with contextlib.suppress(RuntimeError):             # can't start new thread
        threading.Thread(target=watch, daemon=True).start()


# ----------------------------------------------------------------------------------------------------- a cluster

def on_cluster(tasks, address):
    """Compute cells on a Dask cluster; one whose worker dies is sent to another by the scheduler.

    Raises:
        ConnectionError: if there is no scheduler at that address.
    """
    distributed = needed("distributed", "cluster")
    find_scheduler(address)
    try:
        client = distributed.Client(address, timeout="10s", set_as_default=False)
    except (OSError, ValueError) as error:
        raise no_scheduler(address, error) from None
    with client:
        futures = {client.submit(compute, module, config, pure=False): (cell, config) for cell, module, config in tasks}
        for future in distributed.as_completed(list(futures), loop=client.loop):
            cell, config = futures.pop(future)
            try:
                record = future.result()
            except distributed.KilledWorker:
                record = failed(config, DIED)
            except Exception as error:                  # a worker without minigrad, a scheduler that has gone
                record = failed(config, words(error))
            yield cell, record


def find_scheduler(address):
    """See at once whether somebody listens there; a client of Dask waits long, and is noisy about it.

    Raises:
        ConnectionError: if not, or if it is no address.
    """
    host, _, port = address.rpartition("/")[2].rpartition(":")
    try:
        if not port.isdecimal() or int(port) > 65535:
            raise ValueError("it has no port")
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
    except (OSError, ValueError) as error:
        raise no_scheduler(address, error) from None


def no_scheduler(address, error):
    """Return the error for an address where there is no scheduler."""
    return ConnectionError(f"no Dask scheduler at {address} ({words(error)}); it is tcp://host:port")


def needed(package, extra):
    """Import a package that is no requirement of minigrad, or say how to get it.

    Raises:
        ImportError: with the command that installs it.
    """
    try:
        return importlib.import_module(package)
    except ImportError:
        raise ImportError(f"this needs {package}: python -m pip install 'minigrad-lab[{extra}]'") from None

"""Reading norms that were logged elsewhere.

    read(path)       a trace from a file of any of the layouts below
    read_all(path)   all the runs in it, as a dict label -> trace
    Follower(path)   the new rows of a file that is still being written, each time it is asked

Layouts are recognised by what is in the file, or named by ``layout=``:

    minigrad-csv, minigrad-jsonl, minigrad-npz    our own, with all stages
    huggingface      trainer_state.json
    lightning        metrics.csv, with the norm of each parameter where it was logged
    tensorboard      Wall time,Step,Value: one scalar a file; the value is taken as the norm
    wandb-chart      Step, run - metric, ...: the CSV of a chart of Weights & Biases, with several runs
    wandb-history    run.history() as CSV
    table            any CSV, TSV or columns of figures, by the names of the columns
    jsonl, json      any JSON Lines; a list of records, or a dict of lists
    text             any log, by a regular expression; fairseq, Megatron-LM and others need none

What others log is the norm before clipping (``torch.nn.utils.clip_grad_norm_`` returns that), so it becomes ``norm_in``
of stage 0, "backward"; each layout's page says what is known of its norms.
"""

import os

from minigrad.trace.readers.follow import Follower
from minigrad.trace.readers.layouts import ARRAYS, LAYOUTS, known, start
from minigrad.trace.readers.names import Wanted
from minigrad.trace.readers.opening import Text, contents, decoded, in_bulk, refuse_binary, telling
from minigrad.trace.readers.source import Source, listed, plural

__all__ = ["LAYOUTS", "Follower", "Source", "read", "read_all"]


def read(path, *, column=None, step=None, loss=None, lr=None, pattern=None, layout=None, parameter_prefix=None):
    """Return the trace in a file, of minigrad's own or of a training elsewhere.

    The column of norms is guessed by its name (grad_norm, gnorm, train/grad_norm, gradients/norm, ...), and so are the
    steps, the loss and the learning rate; ``.source`` of the trace says which column was taken as what, how many lines
    had no norm, and how many could not be read and why.

    Args:
        path: the file.
        column: name of the column (key) with the norms, or its number from 1; in a text log, the word before the norm;
            in a chart of Weights & Biases, the run, the metric or the column.
        step, loss, lr: the same for the step, the loss and the learning rate.
        pattern: for a text log, a regular expression with the group ``(?P<norm>...)`` and, as you like, ``step``,
            ``loss`` and ``lr``.
        layout: name of a layout, a key of ``minigrad.trace.readers.LAYOUTS``, where it is not recognised.
        parameter_prefix: how the names of columns begin that hold the norm of one parameter each; default finds
            "grad_2.0_norm/NAME" and "grad_norm/NAME"; "" for none.

    Returns:
        a :class:`minigrad.NormTrace`, a row a norm in the file's order; steps that go backwards, as in a run that was
        resumed, are noted in ``.source``.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is empty, a folder, binary, of no known layout, has no column for the norm or several, or more
            than one run; it says which there are.

    Example:
        >>> import pathlib, tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "train.log"
        >>> _ = path.write_text("step 0 loss 2.3 grad_norm: 4.5\\nsaved\\nstep 10 loss 1.9 grad_norm: nan\\n")
        >>> trace = read(path)
        >>> trace.column("step"), trace.column("norm_in"), trace.source.skipped
        (array([ 0., 10.]), array([4.5, nan]), 1)
    """
    traces = read_all(path, column=column, step=step, loss=loss, lr=lr, pattern=pattern, layout=layout,
                      parameter_prefix=parameter_prefix)
    if len(traces) > 1:
        raise ValueError(f"{os.fspath(path)} holds {len(traces)} runs: {listed(traces)}; choose one by column=, as in "
                         f"column={next(iter(traces))!r}, or read them all by minigrad.trace.readers.read_all")
    return next(iter(traces.values()))


def read_all(path, *, layout=None, **wanted):
    """Return all runs in a file, as a dict from their names to traces; a file with one run has it under its own name.

    Args and errors are those of :func:`read`.
    """
    path, wanted = os.fspath(path), Wanted(**wanted)
    known(layout)
    data = contents(path)
    if layout == ARRAYS.name or (layout is None and ARRAYS.holds(data)):
        return {stem(path): ARRAYS.read(path, wanted)}
    refuse_binary(path, data)
    text = Text(path, *decoded(data))
    with in_bulk():
        reader = start(text, wanted, layout)
        if reader.begin is not None:
            with telling(path, reader.layout):
                reader.feed(text.lines[reader.begin:], reader.begin + 1)
    traces = {}
    for run in reader.runs:
        text.tell(run.source)
        if not run.source.rows:
            raise ValueError(nothing(path, run.source))
        traces[run.source.run or stem(path)] = run.trace()
    return traces


def nothing(path, source):
    """Return what to say of a file without a single norm."""
    of = f", run {source.run}" if source.run else ""
    what = f"{path}{of}, read as {source.layout}, has no norm in it"
    if source.malformed:
        number, reason = source.reasons[0]
        return f"{what}: {plural(source.malformed, source.unit)} cannot be read ({source.unit} {number}: {reason})"
    if not source.skipped:
        return f"{what}: there is no line below the header {listed(source.columns)}"
    norm = source.taken.get("norm", "its norm")
    if source.negative:
        return f"{what}: {source.negative}"
    return f"{what}: {norm} is empty throughout; the columns are {listed(source.columns)}"


def stem(path):
    """Return the name of a file without folders and ending."""
    return os.path.splitext(os.path.basename(path))[0]


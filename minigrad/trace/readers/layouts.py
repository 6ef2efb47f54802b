"""The layouts, and which of them a file has."""

import difflib

from minigrad.trace.readers.delimited import Table, dialect
from minigrad.trace.readers.lightning import Lightning
from minigrad.trace.readers.names import Unnamed, is_log
from minigrad.trace.readers.opening import telling
from minigrad.trace.readers.own import OwnArrays, OwnCSV, OwnLines
from minigrad.trace.readers.records import Document, Lines, TrainerState
from minigrad.trace.readers.source import listed
from minigrad.trace.readers.tensorboard import TensorBoard
from minigrad.trace.readers.text import Log, keys
from minigrad.trace.readers.wandb import Chart, History

ARRAYS = OwnArrays()

LAYOUTS = {layout.name: layout for layout in (
    ARRAYS, OwnCSV(), OwnLines(), TrainerState(), Lines(), Document(), TensorBoard(), Chart(), History(), Lightning(),
    Table(), Log())}
"""Name -> layout, in the order in which a file is tried for them.

A layout has a ``name``, a ``title``, ``norms`` (what is known of its norms), ``recognises(text)`` and ``start(text,
wanted, forced)``, which returns a reader: ``feed(lines, number)`` takes in some lines, and each of its ``runs`` gives a
``trace()``.
"""


def start(text, wanted, layout=None):
    """Return a reader for a text, of the layout that is named or recognised.

    Raises:
        ValueError: naming the file.
    """
    if layout is None and wanted.pattern is not None:
        layout = Log.name
    forced = layout is not None
    with telling(text.path, layout):
        if not forced:
            layout = recognised(text)
    with telling(text.path, layout):
        return LAYOUTS[layout].start(text, wanted, forced)


def recognised(text):
    """Return the name of the layout of a text."""
    for name, layout in LAYOUTS.items():
        if layout is not ARRAYS and layout.recognises(text):
            return name
    how = dialect(text.head())
    seen = how.names if how else keys(text.lines[:1000])
    logs = [name for name in seen if is_log(name)]
    said = f" ({listed(logs)}: by the name a logarithm, which is no norm)" if logs else ""
    raise Unnamed(f"unknown layout. Known are {listed(LAYOUTS, 20)}; the columns seen are {listed(seen)}{said}. Say "
                  "column=, or pattern= with a regular expression that has (?P<norm>...)")


def known(layout):
    """Raise ValueError for the name of a layout that there is not."""
    if layout is not None and layout not in LAYOUTS:
        near = difflib.get_close_matches(str(layout), LAYOUTS, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"there is no layout {layout!r}{hint} They are {', '.join(LAYOUTS)}")

"""Bars of progress that need no thread of their own."""

import functools


@functools.cache
def bar_class():
    """Return tqdm's class of bars, without the thread that would look after bars that stand still.

    Not everywhere is there such a thing: in a browser tqdm warns of it, and a run should begin without a warning.
    tqdm is imported here, for those who see a bar.
    """
    from tqdm import tqdm

    class Bar(tqdm):
        """A bar of progress."""

        monitor_interval = 0

    return Bar


def bar(*things, **options):
    """Return a bar of progress; arguments are those of :class:`tqdm.tqdm`."""
    return bar_class()(*things, **options)


def write(text):
    """Print a line on stdout, above the bars that are shown."""
    bar_class().write(text)

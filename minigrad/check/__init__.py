"""Oracles for the exercises in the tutorials: ``check.<name>(answer)`` prints one line and returns 1 or 0.

There is no hidden key.  An answer is tried on small inputs first and judged by what must be true of it: a
finite difference, a closed form, an invariance.  The line says that it passed, or names the smallest input on which
it fails, with what was expected, what was received, and a hint.

There is a page per tutorial; ``EXERCISES`` says which, and in which order its exercises come.
"""

import importlib

from minigrad.check.exam import Case, Points, examine

EXERCISES = {
    "00": ("start_here", ("chain_factor", "clip_norm", "unit_norm")),
}
"""Of each tutorial: the page of its checks, and their names in the order of the exercises."""

PAGES = {name: page for page, names in EXERCISES.values() for name in names}

__all__ = ["EXERCISES", "Case", "Points", "examine", *PAGES]


def __getattr__(name):
    """Import the page of a check when the check is first asked for."""
    if name not in PAGES:
        raise AttributeError(f"minigrad.check has no {name!r}; the checks are {', '.join(sorted(PAGES))}")
    found = globals()[name] = getattr(importlib.import_module(f"minigrad.check.{PAGES[name]}"), name)
    return found


def __dir__():
    return sorted({*globals(), *PAGES})

"""The course: where its notebooks are (``places``), and how a learner's notebook is marked (``marking``).

    places      finds the notebooks that came with minigrad, in a checkout or an installed wheel
    notebook    reads a learner's notebook and finds the exercises in it, whatever was done to it
    kernel      runs its cells in a process of their own, within limits
    inside      the part of it that runs in that process
    marking     puts them together: every exercise gets its points, whatever happens in the others
"""

TIMEOUT = 60
"""Seconds that a cell may take, and the check of an exercise, unless something else is said."""

TOTAL = 600
"""Seconds that a notebook may take."""

MEMORY = 4
"""Gibibytes that its process may use."""

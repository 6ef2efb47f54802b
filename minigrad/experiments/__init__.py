"""Experiments, one file each, all of one shape; :mod:`minigrad.experiments.experiment` says which."""

import importlib

from minigrad.experiments.settings import unknown

EXPERIMENTS = {
    "rnn-lyapunov": "rnn_lyapunov",
    "linear-rnn": "linear_rnn",
    "non-normal": "non_normal",
    "latch": "latch",
    "cliff": "cliff",
}
"""The name on the command line, and the file."""


def find(name):
    """Return the module of an experiment.

    Raises:
        KeyError: for an unknown name; it says which are near, and which there are.

    Example:
        >>> from minigrad import experiments
        >>> experiments.find("cliff").QUESTION
        'What does a loss cliff look like?'
    """
    if name not in EXPERIMENTS:
        raise KeyError(unknown("experiment", name, EXPERIMENTS))
    return importlib.import_module(f"minigrad.experiments.{EXPERIMENTS[name]}")

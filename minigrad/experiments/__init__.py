"""Experiments, one file each, all of one shape; :mod:`minigrad.experiments.experiment` says which."""

import importlib

from minigrad.experiments.settings import unknown

EXPERIMENTS = {
    "mean-field": "mean_field",
    "critical-line": "critical_line",
    "relu-depth": "relu_depth",
    "finite-width": "finite_width",
    "hidden-by-bars": "hidden_by_bars",
    "rnn-lyapunov": "rnn_lyapunov",
    "linear-rnn": "linear_rnn",
    "non-normal": "non_normal",
    "latch": "latch",
    "cliff": "cliff",
    "cliff-descent": "cliff_descent",
    "temporal-order": "temporal_order",
    "threshold-window": "threshold_window",
    "gradient-through-time": "gradient_through_time",
    "adding": "adding",
    "char-rnn": "char_rnn",
    "digits-cnn": "digits_cnn",
    "clip-speed": "clip_speed",
    "clip-bias": "clip_bias",
    "clip-kinds": "clip_kinds",
    "accumulation": "accumulation",
    "mixed-precision": "mixed_precision",
    "gradient-penalty": "gradient_penalty",
    "edge-of-stability": "edge_of_stability",
    "trainability": "trainability",
    "residual": "residual",
    "adam-facts": "adam_facts",
    "normalisation": "normalisation",
    "remedies": "remedies",
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

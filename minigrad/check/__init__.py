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
    "01": ("first_gradient", ("two_ways", "right_order", "central_difference")),
    "02": ("sixty_lines", ("divide_rule", "visit_order", "unit_vector_rule")),
    "03": ("one_number", ("first_overflow", "shared_weight", "tanh_chain")),
    "04": ("matrices", ("worst_growth", "scaled_radius", "gaussian_std")),
    "05": ("recurrent_net", ("step_back", "shared_matrix", "factor_back")),
    "06": ("clipping", ("value_clip_angle", "threshold_for_share", "inside_clip")),
    "07": ("depth", ("he_weights", "critical_variance", "residual_scale")),
    "08": ("instruments", ("update_to_data", "dead_share", "sealed_diagnosis")),
    "09": ("accumulate", ("combine_means", "two_orders", "run_windows")),
    "10": ("char_rnn", ("context_loss", "with_temperature", "count_learned")),
    "11": ("own_hook", ("fading_hook", "refusing_hook", "agc_hook")),
    "12": ("numbers_run_out", ("largest_scale", "scaler_rule", "log_sum_exp")),
    "13": ("gradients_of_gradients", ("curvature", "smallest_eigenvalue", "momentum_edge")),
    "14": ("myths", ("smallest_cosine", "against_the_mean", "by_chance")),
}
"""Of each tutorial: the page of its checks, and their names in the order of the exercises."""

PAGES = {name: page for page, names in EXERCISES.values() for name in names} | {"sealed_runs": "sealed"}

__all__ = ["EXERCISES", "Case", "Points", "examine", *PAGES]


def __getattr__(name):
    """Import the page of a check when the check is first asked for."""
    if name not in PAGES:
        raise AttributeError(f"minigrad.check has no {name!r}; the checks are {', '.join(sorted(PAGES))}")
    found = globals()[name] = getattr(importlib.import_module(f"minigrad.check.{PAGES[name]}"), name)
    return found


def __dir__():
    return sorted({*globals(), *PAGES})

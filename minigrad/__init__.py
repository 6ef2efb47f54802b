"""minigrad: a gradient-flow laboratory in pure NumPy.

    import minigrad as mg
    from minigrad import nn, optim, hooks

``np.tanh(t)``, ``t.tanh()`` and ``mg.tanh(t)`` are one thing: tensors speak NumPy's protocols.  Programs written for
PyTorch run as ``import minigrad as torch``, ``import minigrad.nn as nn``, ``import minigrad.optim as optim``.
"""

import builtins
import importlib

import numpy as np
from numpy import inf, linalg, nan, pi

from minigrad import autograd, methods, penalty, rules
from minigrad.checkpoint import checkpoint
from minigrad.constructors import CONSTRUCTORS, DTYPES
from minigrad.functions import FUNCTIONS
from minigrad.gradcheck import gradcheck
from minigrad.gradient import grad
from minigrad.missing import explain
from minigrad.recording import enable_grad, inference_mode, is_grad_enabled, no_grad
from minigrad.seeding import get_rng_state, manual_seed, set_rng_state
from minigrad.table import defconstant, defvjp, primitive, respell
from minigrad.tensor import Tensor
from minigrad.trace import NormTrace

__version__ = "0.1.0"

globals().update(FUNCTIONS | CONSTRUCTORS | {name: np.dtype(kind) for name, kind in DTYPES.items()})

__all__ = [
    "DataLoader", "NormTrace", "Tensor", "TensorDataset", "autograd", "checkpoint", "defconstant", "defvjp",
    "enable_grad", "get_rng_state", "grad", "gradcheck", "hooks", "inference_mode", "inf", "is_grad_enabled", "linalg",
    "load", "manual_seed", "methods", "nan", "nn", "no_grad", "optim", "penalty", "pi",
    "primitive", "respell", "rules", "save", "set_rng_state", "utils",
    # `from minigrad import *` leaves Python's own sum, max, abs ... alone
    *(name for name in (*FUNCTIONS, *CONSTRUCTORS, *DTYPES) if not hasattr(builtins, name)),
]

LATER = {name: name for name in ("check", "claims", "experiments", "hooks", "nn", "optim", "plot", "tasks", "theory",
                                 "utils")}
LATER |= {"DataLoader": "utils.data", "TensorDataset": "utils.data", "load": "saving", "save": "saving"}
LATER |= {"GradientFlow": "gradient_flow", "flow": "gradient_flow"}
"""Where to find what is imported when it is first asked for: who differentiates a function need not wait for it."""


def import_later(name):
    """Return a part of the package that is imported when it is first asked for, else None."""
    if name not in LATER:
        return None
    module = importlib.import_module(f"minigrad.{LATER[name]}")
    found = globals()[name] = module if LATER[name] == name else getattr(module, name)
    return found


__getattr__ = explain("minigrad", lambda: {**globals(), **LATER}, import_later)


def __dir__():
    return sorted({*__all__, *FUNCTIONS, *CONSTRUCTORS, *DTYPES, *LATER})

"""minigrad: a gradient-flow laboratory in pure NumPy.

    import minigrad as mg
    from minigrad import nn, optim, hooks

``np.tanh(t)``, ``t.tanh()`` and ``mg.tanh(t)`` are one thing: tensors speak NumPy's protocols.
"""

import importlib

from numpy import concatenate, cos, exp, log, maximum, minimum, sin, sqrt, stack, tanh, where

from minigrad import hooks, inplace, methods, nn, optim, rules
from minigrad.engine import defconstant, defvjp, primitive, respell
from minigrad.gradcheck import gradcheck
from minigrad.gradient import grad
from minigrad.ops import log_softmax, relu, sigmoid
from minigrad.recording import enable_grad, is_grad_enabled, no_grad
from minigrad.seeding import manual_seed
from minigrad.tensor import Tensor, tensor
from minigrad.trace import NormTrace

__version__ = "0.1.0"

__all__ = [
    "NormTrace", "Tensor", "concatenate", "cos", "defconstant", "defvjp", "enable_grad", "exp", "grad", "gradcheck",
    "hooks", "inplace", "is_grad_enabled", "log", "log_softmax", "manual_seed", "maximum", "methods", "minimum", "nn",
    "no_grad", "optim", "primitive", "relu", "respell", "rules", "sigmoid", "sin", "sqrt", "stack", "tanh", "tensor",
    "where",
]

LATER = ("check", "experiments", "plot", "tasks")
"""Parts that are imported when they are first asked for: only the command line, pictures and notebooks
need them."""


def __getattr__(name):
    if name in LATER:
        return importlib.import_module(f"minigrad.{name}")
    raise AttributeError(f"module 'minigrad' has no attribute {name!r}")


def __dir__():
    return sorted([*__all__, *LATER])

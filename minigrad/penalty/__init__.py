"""What changes the loss instead of the gradient: penalties on gradients, and Pascanu's regulariser of recurrent nets.

A hook sees a gradient that is already there; a penalty is differentiated itself, which takes a second backward pass
through the first.  So it is no hook: it is added to the loss, before ``backward``.
"""

from minigrad.penalty.gradient_norm import grad_norm_penalty
from minigrad.penalty.input_gradient import input_grad_penalty

__all__ = ["Omega", "grad_norm_penalty", "input_grad_penalty", "omega"]


def __getattr__(name):
    if name in ("Omega", "omega"):
        from minigrad.penalty import pascanu  # it needs the networks, which nothing else here does

        return getattr(pascanu, name)
    raise AttributeError(f"module 'minigrad.penalty' has no attribute {name!r}", name=name)


def __dir__():
    return [*globals(), "Omega", "omega", "pascanu"]

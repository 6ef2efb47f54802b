"""What an optimizer would do next with some gradients, found on a copy of it."""

import copy
import math
import warnings

import numpy as np

from minigrad.hooks import SKIP
from minigrad.norms import norm
from minigrad.optim import Optimizer


def next_updates(optimizer, lr, parameters, gradients):
    """Return the norms of the updates that would come next, by the names of the parameters, and what to say of them.

    Args:
        optimizer: an optimizer, or None.
        lr: a learning rate of plain gradient descent, where there is no optimizer; or None.
        parameters: name -> tensor.
        gradients: name -> array.

    Returns:
        (name -> norm, text): an empty dict where there would be no update, and why.

    Raises:
        TypeError, ValueError: for what is no optimizer, or no learning rate, or for both.
    """
    if optimizer is None:
        if lr is None:
            return {}, "no optimizer= or lr= was given, so there is no update to compare with the weights"
        return {name: norm(g, factor=float(lr)) for name, g in gradients.items()}, ""
    try:
        return proposed(optimizer, parameters, gradients)
    except (ArithmeticError, ValueError, RuntimeError) as error:
        return {}, f"no update: the optimizer would raise {type(error).__name__}: {error}"


def checked(optimizer, lr):
    """Refuse what is no optimizer, or no learning rate."""
    if optimizer is not None and lr is not None:
        raise ValueError("flow: give optimizer= or lr=, not both; the optimizer has its learning rate")
    if optimizer is not None and not isinstance(optimizer, Optimizer):
        raise TypeError(f"flow: optimizer is one of minigrad.optim, not a {type(optimizer).__name__}; for plain "
                        f"gradient descent give lr=0.1")
    if lr is not None and (isinstance(lr, bool) or not isinstance(lr, (int, float, np.number))
                           or not math.isfinite(lr) or lr < 0):
        raise ValueError(f"flow: lr = {lr!r} is no finite number >= 0")


def proposed(optimizer, parameters, gradients):
    """Let a copy of the optimizer make the step, up to where it would change the parameters."""
    # A trace is long, and what a copy does is none of its business.
    twin = copy.deepcopy(optimizer, {} if optimizer.trace is None else {id(optimizer.trace): None})
    names = {id(p): name for name, p in parameters.items()}
    known = {key: names[id(p)] for key, p in optimizer.params.items() if id(p) in names}
    for key, p in twin.params.items():
        p.grad = gradients.get(known.get(key))
    seen = {}

    def look(updates, ctx):
        seen.update((key, np.array(u)) for key, u in updates.items() if u is not None)
        return SKIP.because("this was only a look")

    twin.update_hooks = [*twin.update_hooks, look]
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)
        report = twin.step()
    if not seen:
        return {}, f"no update: the optimizer would {report.status}" + f" ({report.reason})" * bool(report.reason)
    if twin.decoupled:
        for group in twin.param_groups:
            lr = group["lr"](twin.updates) if callable(group["lr"]) else group["lr"]
            for key in group["param_names"]:
                if key in seen:
                    seen[key] = seen[key] - lr * group["weight_decay"] * twin.params[key]._array
    return {known[key]: norm(u) for key, u in seen.items() if key in known}, ""

"""Adagrad."""

import numpy as np

from minigrad.optim.optimizer import Optimizer


class Adagrad(Optimizer):
    """Steps divided by the root of the sum of all squared gradients so far (Duchi, Hazan, Singer 2011).

    s <- s + g^2;  p <- p - lr / (1 + (t - 1) lr_decay) g / (sqrt(s) + eps), t = 1, 2, ... counting the updates of this
    parameter.

    s only grows, so steps shrink like 1 / sqrt(t), and one spike shortens all that follow it: a clip helps.

    Args:
        params, lr, hooks, update_hooks, trace: see :class:`Optimizer`.
        lr_decay: >= 0.
        weight_decay: >= 0, added to the gradient (coupled L2).
        initial_accumulator_value: >= 0, s at first.
        eps: > 0.

    Raises:
        ValueError: for values out of these ranges.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import optim
        >>> w = mg.tensor([1.0, 1.0], requires_grad=True)
        >>> opt = optim.Adagrad([w], lr=0.1)
        >>> w.grad = [3.0, -400.0]
        >>> report = opt.step()
        >>> w
        tensor([0.9, 1.1], requires_grad=True)
    """

    elementwise = hands_over = True

    def __init__(self, params, lr=1e-2, lr_decay=0.0, weight_decay=0.0, initial_accumulator_value=0.0, eps=1e-10,
                 **kwargs):
        super().__init__(params, {"lr": lr, "lr_decay": lr_decay, "weight_decay": weight_decay,
                                  "initial_accumulator_value": initial_accumulator_value, "eps": eps}, **kwargs)

    def propose(self, p, g, state, options):
        if options["weight_decay"]:
            g = g + options["weight_decay"] * p
        state = state or {"t": 0, "sum": np.full_like(g, options["initial_accumulator_value"])}
        total = state["sum"] + g * g
        lr = options["lr"] / (1 + state["t"] * options["lr_decay"])
        return g / (np.sqrt(total) + options["eps"]) * -lr, {"t": state["t"] + 1, "sum": np.asarray(total)}

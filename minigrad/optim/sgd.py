"""Gradient descent."""

import numpy as np

from minigrad.optim.optimizer import Optimizer


class SGD(Optimizer):
    """Gradient descent, with momentum and weight decay as PyTorch defines them.

    g <- g + weight_decay * p;  v <- momentum * v + (1 - dampening) * g  (v = g at first);  p <- p - lr * v, or with
    Nesterov p - lr * (g + momentum * v).

    Under a norm clip c one step is at most lr * c long, and at most lr * c / (1 - momentum) with momentum.

    Args:
        params, lr, hooks, update_hooks, trace: see :class:`Optimizer`.
        momentum: in [0, 1).
        dampening: >= 0; 0 with nesterov.
        weight_decay: >= 0, added to the gradient (coupled L2).
        nesterov: look ahead; needs momentum.

    Raises:
        ValueError: for values out of these ranges.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import hooks, optim
        >>> w = mg.tensor([1.0, 1.0], requires_grad=True)
        >>> opt = optim.SGD([w], lr=0.1, hooks=[hooks.ClipNorm(1.0)])
        >>> w.grad = [3.0, 4.0]
        >>> print(opt.step())
        step (update 0)
          backward: norm 5
          ClipNorm: norm 5 -> 1, coefficient 0.2, cosine 1
        >>> w
        tensor([0.94, 0.92], requires_grad=True)
    """

    elementwise = hands_over = True

    def __init__(self, params, lr=1e-3, momentum=0.0, dampening=0.0, weight_decay=0.0, nesterov=False, **kwargs):
        super().__init__(params, {"lr": lr, "momentum": momentum, "dampening": dampening,
                                  "weight_decay": weight_decay, "nesterov": nesterov}, **kwargs)

    def check(self, options, where=""):
        if options["nesterov"] and (not options["momentum"] or options["dampening"]):
            raise ValueError(f"{where}nesterov=True needs momentum > 0 and dampening = 0")

    def propose(self, p, g, state, options):
        if options["weight_decay"]:
            g = g + options["weight_decay"] * p
        momentum = options["momentum"]
        if momentum:
            if state is None:
                v = np.array(g)
            else:
                fresh = g * (1 - options["dampening"]) if options["dampening"] else g
                v = state["velocity"] * momentum + fresh
            g, state = g + momentum * v if options["nesterov"] else v, {"velocity": np.asarray(v)}
        return g * -options["lr"], state

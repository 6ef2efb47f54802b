"""RMSprop."""

import numpy as np

from minigrad.optim.optimizer import Optimizer


class RMSprop(Optimizer):
    """Steps divided by a running root mean square of the gradient (Tieleman and Hinton 2012).

    v <- alpha v + (1 - alpha) g^2;  u = g / (sqrt(v) + eps);  with momentum u <- momentum u_before + u;
    p <- p - lr u.  Centered, it divides by the running standard deviation sqrt(v - mean^2), with
    mean <- alpha mean + (1 - alpha) g.

    There is no correction of the start: v begins at 0, so the first step is about lr / sqrt(1 - alpha) long, ten times
    lr at alpha = 0.99.  Where rounding makes v - mean^2 negative (a gradient that stays the same), it is taken as 0;
    PyTorch gives NaN there.

    Args:
        params, lr, hooks, update_hooks, trace: see :class:`Optimizer`.
        alpha: in [0, 1).
        eps: > 0.
        weight_decay: >= 0, added to the gradient (coupled L2).
        momentum: in [0, 1).
        centered: whether to divide by the standard deviation.

    Raises:
        ValueError: for values out of these ranges.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import optim
        >>> w = mg.tensor([1.0, 1.0], requires_grad=True)
        >>> opt = optim.RMSprop([w], lr=0.01)
        >>> w.grad = [3.0, -400.0]
        >>> report = opt.step()
        >>> w
        tensor([0.9, 1.1], requires_grad=True)
    """

    elementwise = hands_over = True

    def __init__(self, params, lr=1e-2, alpha=0.99, eps=1e-8, weight_decay=0.0, momentum=0.0, centered=False, **kwargs):
        super().__init__(params, {"lr": lr, "alpha": alpha, "eps": eps, "weight_decay": weight_decay,
                                  "momentum": momentum, "centered": centered}, **kwargs)

    def propose(self, p, g, state, options):
        alpha, momentum = options["alpha"], options["momentum"]
        if options["weight_decay"]:
            g = g + options["weight_decay"] * p
        state = state or {}
        v = state.get("v", 0.0) * alpha + (1 - alpha) * (g * g)
        new, spread = {"v": np.asarray(v)}, v
        if options["centered"]:
            mean = state.get("mean", 0.0) * alpha + (1 - alpha) * g
            new["mean"] = np.asarray(mean)
            spread = np.maximum(v - mean * mean, 0)
        update = g / (np.sqrt(spread) + options["eps"])
        if momentum:
            update = state.get("velocity", 0.0) * momentum + update
            new["velocity"] = np.asarray(update)
        return update * -options["lr"], new

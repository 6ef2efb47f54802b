"""Gradient descent."""

import numpy as np

from minigrad.optim.optimizer import Optimizer


class SGD(Optimizer):
    """Gradient descent, with momentum and weight decay as PyTorch defines them.

    g <- g + weight_decay * p;  v <- momentum * v + g  (v = g at first);  p <- p - lr * v, or with Nesterov
    p - lr * (g + momentum * v).

    Under a norm clip c one step is at most lr * c long, and at most lr * c / (1 - momentum) with momentum.

    Args:
        params, hooks, update_hooks, trace: see :class:`Optimizer`.
        lr: the learning rate.
        momentum: in [0, 1).
        weight_decay: >= 0.
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

    def __init__(self, params, lr, momentum=0.0, weight_decay=0.0, nesterov=False, **kwargs):
        if not 0 <= momentum < 1:
            raise ValueError(f"momentum = {momentum!r}: must be in [0, 1)")
        if not weight_decay >= 0:
            raise ValueError(f"weight_decay = {weight_decay!r}: must be >= 0")
        if nesterov and not momentum:
            raise ValueError("nesterov=True needs momentum > 0")
        super().__init__(params, lr, **kwargs)
        self.momentum, self.weight_decay, self.nesterov = float(momentum), float(weight_decay), nesterov

    def propose(self, p, g, state):
        if self.weight_decay:
            g = g + self.weight_decay * p
        if self.momentum:
            v = np.array(g) if state is None else state["velocity"] * self.momentum + g
            g, state = g + self.momentum * v if self.nesterov else v, {"velocity": v}
        return g * -self.lr, state

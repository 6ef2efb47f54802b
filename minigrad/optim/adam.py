"""Adam."""

import math

import numpy as np

from minigrad.optim.optimizer import Optimizer


class Adam(Optimizer):
    """Steps divided by a running root mean square of the gradient (Kingma and Ba 2015).

    m <- b1 m + (1 - b1) g;  v <- b2 v + (1 - b2) g^2;  p <- p - lr m^ / (sqrt(v^) + eps), with m^ = m / (1 - b1^t) and
    v^ = v / (1 - b2^t).

    A constant factor on all gradients cancels, so under a clip that always acts the threshold means nothing; but one
    spike stays in v for about 1 / (1 - b2) steps, and clipping does help against that.

    Args:
        params, hooks, update_hooks, trace: see :class:`Optimizer`.
        lr: the learning rate.
        betas: (b1, b2), each in [0, 1).
        eps: > 0.
        weight_decay: >= 0, added to the gradient (coupled L2).

    Raises:
        ValueError: for values out of these ranges.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import optim
        >>> w = mg.tensor([1.0, 1.0], requires_grad=True)
        >>> opt = optim.Adam([w], lr=0.1)
        >>> w.grad = [3.0, -400.0]
        >>> report = opt.step()
        >>> w
        tensor([0.9, 1.1], requires_grad=True)
    """

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, **kwargs):
        if len(betas) != 2 or not all(0 <= b < 1 for b in betas):
            raise ValueError(f"betas = {betas!r}: two numbers in [0, 1)")
        if not eps > 0:
            raise ValueError(f"eps = {eps!r}: must be > 0")
        if not weight_decay >= 0:
            raise ValueError(f"weight_decay = {weight_decay!r}: must be >= 0")
        super().__init__(params, lr, **kwargs)
        self.betas, self.eps, self.weight_decay = (float(betas[0]), float(betas[1])), float(eps), float(weight_decay)

    def propose(self, p, g, state):
        b1, b2 = self.betas
        if self.weight_decay:
            g = g + self.weight_decay * p
        state = state or {"t": 0, "m": np.zeros_like(g), "v": np.zeros_like(g)}
        t = state["t"] + 1
        m = state["m"] * b1
        m += g * (1 - b1)
        square = np.asarray(g * g)              # a product of arrays without axes is no array
        square *= 1 - b2
        v = state["v"] * b2
        v += square
        root = np.sqrt(v, out=square)
        root /= math.sqrt(1 - b2 ** t)
        root += self.eps
        np.divide(m, root, out=root)
        root *= -self.lr / (1 - b1 ** t)
        return root, {"t": t, "m": np.asarray(m), "v": np.asarray(v)}

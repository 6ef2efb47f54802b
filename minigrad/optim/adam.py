"""Adam, with AMSGrad and decoupled decay."""

import math

import numpy as np

from minigrad.optim.optimizer import Optimizer


class Adam(Optimizer):
    """Steps divided by a running root mean square of the gradient (Kingma and Ba 2015).

    m <- b1 m + (1 - b1) g;  v <- b2 v + (1 - b2) g^2;  p <- p - lr m^ / (sqrt(v^) + eps), with m^ = m / (1 - b1^t) and
    v^ = v / (1 - b2^t).  AMSGrad divides by the largest v so far instead (Reddi, Kale, Kumar 2018), so that a rare
    large gradient is not forgotten.

    A constant factor on all gradients cancels, so under a clip that always acts the threshold means nothing; but one
    spike stays in v for about 1 / (1 - b2) steps, and clipping does help against that.

    Args:
        params, lr, hooks, update_hooks, trace: see :class:`Optimizer`.
        betas: (b1, b2), each in [0, 1).
        eps: > 0.
        weight_decay: >= 0, added to the gradient (coupled L2).
        amsgrad: whether to divide by the largest v so far.

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

    elementwise = hands_over = True

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, amsgrad=False, **kwargs):
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay,
                                  "amsgrad": amsgrad}, **kwargs)

    def propose(self, p, g, state, options):
        b1, b2 = options["betas"]
        if options["weight_decay"] and not self.decoupled:
            g = g + options["weight_decay"] * p
        state = state or {"t": 0, "m": np.zeros_like(g), "v": np.zeros_like(g)}
        t = state["t"] + 1
        m = state["m"] * b1
        work = np.asarray(g * (1 - b1))         # a product of arrays without axes is no array
        m += work
        square = np.multiply(g, g, out=work)
        square *= 1 - b2
        v = state["v"] * b2
        v += square
        new = {"t": t, "m": np.asarray(m), "v": np.asarray(v)}
        if options["amsgrad"]:
            v = new["v_max"] = np.asarray(np.maximum(state.get("v_max", v), v))
        # m^ / (sqrt(v^) + eps) with the corrections drawn out of it, as numbers: fewer passes over the arrays.
        correction = math.sqrt(1 - b2 ** t)
        update = np.sqrt(v, out=square)
        update += options["eps"] * correction
        np.divide(m, update, out=update)
        update *= -options["lr"] * correction / (1 - b1 ** t)
        return update, new


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019): p <- p - lr weight_decay p, beside Adam's step.

    The decay is not divided by the root mean square, and no hook sees or changes it: it is added when the update hooks
    are done, to the parameters that have a gradient.  A trace records it as the stage "decay".

    Args:
        weight_decay: >= 0; 0.01 if nothing is said.
        others: as for :class:`Adam`.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import optim
        >>> w = mg.tensor([2.0], requires_grad=True)
        >>> opt = optim.AdamW([w], lr=0.1, weight_decay=0.5)
        >>> w.grad = [0.0]
        >>> report = opt.step()
        >>> w
        tensor([1.9], requires_grad=True)
    """

    decoupled = True

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2, amsgrad=False, **kwargs):
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, **kwargs)

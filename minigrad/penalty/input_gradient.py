"""The penalty on the gradient with respect to the input: Drucker and LeCun's double backpropagation, and its kin."""

import numpy as np

from minigrad import ops
from minigrad.gradient import grad
from minigrad.norms import check_p
from minigrad.penalty.gradient_norm import checked_share, refuse_no_tensor
from minigrad.tensor import Tensor, result


def input_grad_penalty(loss, x, lam, p=2, squared=True, target=0.0, reduction="mean"):
    """Return lam/2 mean_i ||de_i/dx_i||^2, as a tensor on the tape: to be added to the loss.

    e_i is the loss of item i by itself, x_i its input.  With n_i = ||de_i/dx_i||_p it is

        lam / 2 * mean_i (n_i - target)^2        squared
        lam * mean_i |n_i - target|              not squared

    The first with p = 2 and target 0 is J = E + lam/2 ||dE/dx||^2 of Drucker and LeCun (1992), for each item: small
    changes of the input shall change the loss little.  That a mean over N items divides each gradient by N,
    dE/dx_i = (1/N) de_i/dx_i, is undone here, so lam means the same for every size of batch.

    The penalty of WGAN-GP (Gulrajani et al. 2017), 10 mean_i (n_i - 1)^2 of a critic's answers at points ``x_hat``
    between real and made ones, is ``input_grad_penalty(critic(x_hat), x_hat, lam=20.0, target=1.0)``.  One norm over
    the whole of dE/dx, as it stands, is ``grad_norm_penalty(loss, [x], lam / 2, squared=True)``.

    It does not penalise a Jacobian of several outputs (Rifai et al. 2011 do): each item has one loss.  Where items act
    on one another (batch normalisation), what is taken for de_i/dx_i is N dE/dx_i.  A mean with weights, as
    cross-entropy with ``weight=`` makes it, has other shares than 1/N: give it unreduced.

    Args:
        loss: the mean of the e_i (or their sum, see ``reduction``), a tensor of one element; or all e_i, a tensor of N
            elements.  Its graph is kept.
        x: the input, (N, ...): a tensor that required a gradient before the loss was computed from it; one item has an
            axis of its own, N = 1.
        lam: a finite number >= 0; for 0 a 0 is returned, and no second pass made.
        p: at least 1; inf for the largest magnitude, whose slope is shared among entries that tie.
        squared: the square, halved; or the distance itself.
        target: the norm that is not penalised, a number >= 0.  Where n_i = 0 its slope is 0.
        reduction: how a loss of one element was made of the e_i: "mean" or "sum".

    Returns:
        a tensor without axes, of the loss's dtype; differentiable in its turn.

    Raises:
        ValueError: for lam or target negative or not finite, p < 1, another reduction, or a loss that has neither one
            element nor N.
        TypeError: for a loss that is no tensor.
        RuntimeError: if x requires no gradient, or the loss does not depend on it.

    Example:
        >>> import numpy as np, minigrad as mg
        >>> from minigrad.penalty import input_grad_penalty
        >>> w = mg.tensor([3.0, 4.0], requires_grad=True)
        >>> x = mg.tensor(np.ones((4, 2)), requires_grad=True)
        >>> loss = (x @ w).mean()                           # de_i/dx_i = w
        >>> input_grad_penalty(loss, x, 1.0).item(), input_grad_penalty(loss, x, 1.0, squared=False).item()
        (12.5, 5.0)
    """
    name = "input_grad_penalty"
    lam, target, p = checked_share(name, lam), checked_share(name, target, "target"), check_p(p)
    if reduction not in ("mean", "sum"):
        raise ValueError(f"{name}: reduction = {reduction!r}: 'mean' or 'sum', as the loss was made of its items'; all "
                         f"of them, unreduced, are known by their number")
    refuse_no_tensor(name, loss)
    cure = "write x = mg.tensor(x, requires_grad=True) before the forward pass, and hand in that x"
    if not isinstance(x, Tensor) or not x.requires_grad:
        raise RuntimeError(f"{name}: x is no tensor that requires a gradient; {cure}")
    items = x.shape[0] if x.ndim else 1
    if not items or loss.size not in (1, items):
        raise ValueError(f"{name}: a loss of shape {loss.shape} for x of shape {x.shape}: give one number, or one for "
                         f"each of the items, which the first axis of x counts")
    if lam == 0:
        return result(np.zeros((), loss.dtype))
    g = grad(loss, x, np.ones(loss.shape), create_graph=True, allow_unused=True)
    if g is None:
        raise RuntimeError(f"{name}: the loss does not depend on x; {cure}")
    g = g.reshape((items, x.size // items))
    if loss.size == 1 and reduction == "mean":
        g = g * items
    if squared and p == 2 and target == 0:      # without a root, which would have no second derivative at 0
        return (0.5 * lam * g * g).sum(axis=1).mean().astype(loss.dtype)
    excess = ops.norm(g, p, axis=1) - target
    return (0.5 * lam * excess * excess if squared else lam * np.absolute(excess)).mean().astype(loss.dtype)

"""The penalty on the norm of the gradient with respect to the parameters, by double backward."""

import math

import numpy as np

from minigrad.arguments import unwrap
from minigrad.gradient import grad
from minigrad.norms import check_p, norm
from minigrad.table import defvjp, primitive
from minigrad.tensor import Tensor, result


def grad_norm_penalty(loss, params, lam, p=2, squared=False):
    """Return lam ||dL/dw||_p, or lam ||dL/dw||_p^2, as a tensor on the tape: to be added to the loss.

    The gradient of J = L + lam ||g||_p, g = dL/dw over all parameters as one vector, is

        dJ/dw = g + lam H d,    d = g / ||g||_2                               p = 2
                                d = sign(g)                                   p = 1
                                d_i = sign(g_i) (|g_i| / ||g||_p)^(p-1)       p between
                                d = the sign, at the first largest |g_i|      p = inf

    and 2 ||g||_p d in the place of d where it is squared (2 g for p = 2), with H the matrix of second derivatives of L:
    a product H d, for which no H is formed, by a backward pass through the backward pass (Pearlmutter 1994; as a
    penalty Zhao, Zhang and Hu 2022; squared, Barrett and Dherin 2021).  Where g = 0, d is 0 and never NaN.  The norm is
    that of :mod:`minigrad.norms`, which a trace shows as ``norm_in``: exact from 1e-308 to 1e308.

    It does not bound the gradient, as a clip does; it leads to where the gradient is smaller.  The norm of a mean is
    not the mean of the norms: with micro-batches, the sum of their penalties is another penalty than that of the large
    batch.  Tensor hooks are called in this inner backward pass as in every other, and what they change is changed in
    the gradient that is measured.

    Args:
        loss: a tensor of one element.  Its graph is kept.
        params: a tensor, or an iterable of tensors.  One that comes twice counts once; one that the loss does not
            depend on, or that requires no gradient, counts nothing.
        lam: a finite number >= 0, as a schedule may begin with 0; then a 0 is returned, and no second pass made.
        p: at least 1; inf for the largest magnitude.
        squared: the square of the norm.

    Returns:
        a tensor without axes, of the loss's dtype; differentiable in its turn.

    Raises:
        ValueError: for a lam that is negative, NaN or inf, or p < 1.
        TypeError: for what is no tensor.
        RuntimeError: if the loss requires no gradient, or depends on none of the parameters.

    Example:
        >>> import minigrad as mg
        >>> from minigrad.penalty import grad_norm_penalty
        >>> w = mg.tensor([1.0, 1.0], requires_grad=True)
        >>> loss = 0.5 * (w * w * [1.0, 10.0]).sum()
        >>> (loss + grad_norm_penalty(loss, [w], 0.1, p=1)).backward()
        >>> w.grad
        tensor([ 1.1, 11. ])
    """
    from minigrad.nn.utils import listed  # with it come the networks

    lam, p = checked_share("grad_norm_penalty", lam), check_p(p)
    owners = [w for w in listed(params, "grad_norm_penalty") if w.requires_grad]
    refuse_no_tensor("grad_norm_penalty", loss)
    if lam == 0 and owners:
        return result(np.zeros((), loss.dtype))
    found = grad(loss, owners, create_graph=True, allow_unused=True)
    found = [g for g in found if g is not None]
    if not found:
        raise RuntimeError("grad_norm_penalty: the loss depends on none of these parameters, or none of them requires "
                           "a gradient; give the parameters that the loss was computed from, net.parameters()")
    if squared and p == 2:
        return square_together(*found, lam=lam).astype(loss.dtype)
    length = norm_together(*found, p=p)
    return (lam * length * length if squared else lam * length).astype(loss.dtype)


def checked_share(name, lam, what="lam"):
    """Return a number >= 0 as a float, or raise ValueError."""
    if isinstance(lam, (str, bytes, bool, np.bool_)) or not hasattr(lam, "__float__"):
        raise ValueError(f"{name}: {what} = {lam!r}: a finite number >= 0")
    value = float(lam)
    if not 0 <= value < math.inf:
        raise ValueError(f"{name}: {what} = {lam!r}: must be finite and >= 0")
    return value


def refuse_no_tensor(name, loss):
    """Raise TypeError for a loss that was taken off the tape."""
    if not isinstance(loss, Tensor):
        raise TypeError(f"{name}: the loss is a {type(loss).__name__}, not a tensor; give it before loss.item()")


# ------------------------------------------------------------------ one norm over several arrays, on the tape

@primitive
def norm_together(*arrays, p):
    """Return the p-norm of all entries of some arrays together, in float64."""
    return np.array(norm(arrays, p))


@primitive
def square_together(*arrays, lam):
    """Return lam times the squared 2-norm of all entries of some arrays together, in float64."""
    length = norm(arrays)
    return np.array(lam * length * length)


def norm_together_vjp(g, y, *xs, p):
    """Return g d for each array, d as in :func:`grad_norm_penalty`; 0 where the norm is 0."""
    if p == 1:
        return [g * np.sign(x) for x in xs]
    if p == math.inf:
        return [g * np.where(place, np.sign(x), 0.0) for x, place in zip(xs, first_largest(unwrap(xs)))]
    g, y = np.where(y == 0, 0.0, g), np.where(y == 0, 1.0, y)
    if p == 2:
        return [g * (x / y) for x in xs]
    # a fractional power has no end of derivatives at 0: there the sign, which is 0, shall decide
    return [g * (np.sign(x) * (np.absolute(np.where(x == 0, 1.0, x)) / y) ** (p - 1)) for x in xs]


def first_largest(arrays):
    """Return for each array where the first of the largest magnitudes of all is: truth values, one of them true."""
    places = [np.zeros(a.shape, bool) for a in arrays]
    tops = [np.max(np.abs(a), initial=0.0) for a in arrays]
    which = int(np.argmax(tops))
    if arrays[which].size:
        places[which].flat[np.argmax(np.abs(arrays[which]))] = True
    return places


defvjp(norm_together, joint=norm_together_vjp)
defvjp(square_together, joint=lambda g, y, *xs, lam: [x * (2 * lam * g) for x in xs])

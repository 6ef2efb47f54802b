"""What PyTorch programs take from ``torch.nn.utils``: clipping in place, and parameters as one vector.

In a program of one's own, ``hooks=[hooks.ClipNorm(1.0)]`` on the optimizer does the same and records what it did.
"""

import math

import numpy as np

from minigrad import hooks
from minigrad.missing import explain
from minigrad.nn.module import Module
from minigrad.norms import check_p, norm
from minigrad.tensor import Tensor

__all__ = ["clip_grad_norm_", "clip_grad_value_", "get_total_norm", "parameters_to_vector", "vector_to_parameters"]


def clip_grad_norm_(parameters, max_norm, norm_type=2.0, error_if_nonfinite=False, foreach=None):
    """Scale the gradients of some parameters together, in place, to a norm of at most ``max_norm``.

    Every .grad is multiplied by min(1, max_norm / (norm + 1e-6)), PyTorch's factor, where norm is the p-norm of all
    gradients as one vector.  (The norm is exact from 1e-308 to 1e308; PyTorch's is 0 or inf beyond about the square
    root of that.)  Tensors without a .grad are passed over: handing in gradients instead of parameters does nothing.

    Args:
        parameters: a tensor, or an iterable of tensors; one that comes twice counts once.
        max_norm: a number > 0; inf measures only.
        norm_type: p, at least 1; inf for the largest magnitude.
        error_if_nonfinite: refuse a norm that is NaN or inf, instead of spreading it over all gradients.
        foreach: accepted for PyTorch's sake, without effect.

    Returns:
        the norm before clipping, a tensor.

    Raises:
        ValueError: for a max_norm that is not > 0, or p < 1.
        TypeError: for what is no tensor.
        RuntimeError: for a norm that is not finite, if asked for.  Nothing has changed then.

    Example:
        >>> import minigrad as mg
        >>> w = mg.tensor([3.0, 4.0], requires_grad=True)
        >>> (0.5 * w * w).sum().backward()
        >>> mg.nn.utils.clip_grad_norm_([w], 1.0)
        tensor(5.)
        >>> round(w.grad.norm().item(), 5)
        1.0
    """
    clip = hooks.ClipNorm(number(max_norm), check_p(float(norm_type)), compat="torch")
    owners = with_gradient(parameters, "clip_grad_norm_")
    grads = [p.grad._locked() for p in owners]
    length = norm(grads, clip.p)
    if error_if_nonfinite:
        refuse_not_finite(length, clip.p)
    assign(owners, hooks.apply_hooks([clip], dict(enumerate(grads))))
    return Tensor(length)


def clip_grad_value_(parameters, clip_value, foreach=None):
    """Limit every element of the gradients of some parameters to [-clip_value, clip_value], in place.

    Args:
        parameters: a tensor, or an iterable of tensors.
        clip_value: a number > 0.
        foreach: accepted for PyTorch's sake, without effect.

    Raises:
        ValueError: for a clip_value that is not > 0.
        TypeError: for what is no tensor.

    Example:
        >>> import minigrad as mg
        >>> w = mg.tensor([3.0, 0.5], requires_grad=True)
        >>> (w * w).sum().backward()
        >>> mg.nn.utils.clip_grad_value_(w, 2.0)
        >>> w.grad
        tensor([2., 1.])
    """
    clip = hooks.ClipValue(number(clip_value))
    owners = with_gradient(parameters, "clip_grad_value_")
    assign(owners, hooks.apply_hooks([clip], dict(enumerate(p.grad._locked() for p in owners))))


def get_total_norm(tensors, norm_type=2.0, error_if_nonfinite=False, foreach=None):
    """Return the p-norm of all elements of some tensors (gradients, say) together, a tensor; None counts nothing.

    Raises:
        ValueError: if p < 1.
        RuntimeError: for a norm that is not finite, if asked for.
    """
    p = check_p(float(norm_type))
    tensors = [tensors] if isinstance(tensors, Tensor) else [t for t in tensors if t is not None]
    length = norm([t._locked() for t in listed(tensors, "get_total_norm")], p)
    if error_if_nonfinite:
        refuse_not_finite(length, p)
    return Tensor(length)


def parameters_to_vector(parameters):
    """Return all elements of some parameters as one vector, on the tape.

    Example:
        >>> from minigrad import nn
        >>> nn.utils.parameters_to_vector(nn.Linear(3, 2).parameters()).shape
        (8,)
    """
    parameters = listed(parameters, "parameters_to_vector")
    if not parameters:
        raise ValueError("parameters_to_vector: no parameters; if they came from a generator, it may be used up")
    return np.concatenate([p.reshape((-1,)) for p in parameters])


def vector_to_parameters(vec, parameters):
    """Give some parameters the elements of a vector, in the order of :func:`parameters_to_vector`.

    Raises:
        ValueError: if the vector has not as many elements as the parameters; nothing has changed then.
    """
    parameters = listed(parameters, "vector_to_parameters")
    values = vec.data if isinstance(vec, Tensor) else np.asarray(vec)
    size = sum(p.size for p in parameters)
    if values.shape != (size,):
        raise ValueError(f"vector_to_parameters: a vector of shape {values.shape} for parameters of {size} elements")
    start = 0
    for p in parameters:
        p.data = values[start:start + p.size].reshape(p.shape)
        start += p.size


# ------------------------------------------------------------------------------------ what they share

def listed(parameters, name):
    """Return the tensors as a list, each once."""
    if isinstance(parameters, Module):
        raise TypeError(f"{name}: give the parameters of the net, {type(parameters).__name__.lower()}.parameters(), "
                        f"not the net")
    parameters = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    for index, p in enumerate(parameters):
        if not isinstance(p, Tensor):
            raise TypeError(f"{name}: parameter {index} is a {type(p).__name__}, not a tensor")
    return list({id(p): p for p in parameters}.values())


def with_gradient(parameters, name):
    """Return those of the tensors that have a gradient."""
    return [p for p in listed(parameters, name) if p.grad is not None]


def number(value):
    """Return a threshold as a number, where a tensor or array of one element was given."""
    return value.item() if isinstance(value, (Tensor, np.ndarray, np.generic)) and value.size == 1 else value


def refuse_not_finite(length, p):
    """Raise RuntimeError for a norm that is NaN or inf."""
    if not math.isfinite(length):
        raise RuntimeError(f"the {p:g}-norm of the gradients is {length}; with error_if_nonfinite=False it would be "
                           f"spread over all of them. hooks.NonFinite names the parameters it comes from")


def assign(owners, grads):
    """Give gradients their new arrays; those that are not on the tape stay the same tensors."""
    for p, array in zip(owners, grads.values()):
        held = p.grad
        if array is held._array:
            continue
        if held.is_leaf:
            held.data = array
        else:
            p.grad = array


__getattr__ = explain("minigrad.nn.utils", lambda: __all__)

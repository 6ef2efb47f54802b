"""PyTorch's way to ask for gradients, for programs that come from there; :func:`minigrad.grad` is the plain one."""

from minigrad.gradcheck import gradcheck
from minigrad.gradient import grad as grad_of_one
from minigrad.gradient import starting_cotangent
from minigrad.missing import explain
from minigrad.recording import enable_grad
from minigrad.tensor import Tensor

__all__ = ["grad", "gradcheck"]


def grad(outputs, inputs, grad_outputs=None, retain_graph=None, create_graph=False, allow_unused=False):
    """Return the gradients of (the sum of) ``outputs`` with respect to ``inputs``, always as a tuple.

    Args:
        outputs: a tensor of one element, or several in a list; of any shape together with ``grad_outputs``.
        inputs: a tensor, or several in a list.
        grad_outputs: the cotangent of each output.
        retain_graph, create_graph, allow_unused: as in :func:`minigrad.grad`.

    Raises:
        RuntimeError, ValueError: as :func:`minigrad.grad`; ValueError if outputs and cotangents do not pair up.

    Example:
        >>> import minigrad as mg
        >>> x = mg.tensor(3.0, requires_grad=True)
        >>> mg.autograd.grad(x ** 3, x)
        (tensor(27.),)
    """
    outputs, inputs = listed(outputs), listed(inputs)
    cotangents = [None] * len(outputs) if grad_outputs is None else listed(grad_outputs)
    if len(cotangents) != len(outputs):
        raise ValueError(f"autograd.grad: {len(outputs)} outputs, but {len(cotangents)} grad_outputs")
    options = {"create_graph": create_graph, "retain_graph": retain_graph, "allow_unused": allow_unused}
    if len(outputs) == 1:
        return grad_of_one(outputs[0], inputs, cotangents[0], **options)
    # the sum of <output, cotangent>, whose gradient is the sum of theirs
    with enable_grad():
        total = sum((y * starting_cotangent(y, v, create_graph)).sum() for y, v in zip(outputs, cotangents))
    return grad_of_one(total, inputs, **options)


def listed(given):
    """Return one tensor, or several, as a list."""
    return [given] if isinstance(given, Tensor) else list(given)


__getattr__ = explain("minigrad.autograd", lambda: __all__)

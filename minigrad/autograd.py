"""PyTorch's ways to ask for gradients and to define them, for programs that come from there.

:func:`minigrad.grad` and :func:`minigrad.defvjp` are the plain ones.
"""

import numpy as np

from minigrad.gradcheck import gradcheck
from minigrad.gradient import grad as grad_of_one
from minigrad.gradient import starting_cotangent
from minigrad.methods.common import as_tensor
from minigrad.missing import explain
from minigrad.recording import enable_grad, is_grad_enabled, no_grad
from minigrad.table import defvjp, primitive
from minigrad.tensor import Tensor, apply, result

__all__ = ["Function", "grad", "gradcheck"]


def grad(outputs, inputs, grad_outputs=None, retain_graph=None, create_graph=False, only_inputs=True,
         allow_unused=False):
    """Return the gradients of (the sum of) ``outputs`` with respect to ``inputs``, always as a tuple.

    Args:
        outputs: a tensor of one element, or several in a list; of any shape together with ``grad_outputs``.
        inputs: a tensor, or several in a list.
        grad_outputs: the cotangent of each output.
        retain_graph, create_graph, allow_unused: as in :func:`minigrad.grad`.
        only_inputs: True, as in PyTorch.
        only_inputs: always True.

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


class Function:
    """PyTorch's class for an operation with a gradient of one's own.

    A subclass writes two static methods: ``forward(ctx, *args)`` returns one tensor, ``backward(ctx, g)`` a gradient
    (or None) for each argument.  ``ctx.save_for_backward(...)`` and attributes of ``ctx`` carry what backward needs;
    ``ctx.needs_input_grad`` says which gradients are wanted.  Written with tensors, backward is differentiated in turn.

    Example:
        >>> import minigrad as mg
        >>> class Exp(mg.autograd.Function):
        ...     @staticmethod
        ...     def forward(ctx, x):
        ...         y = x.exp()
        ...         ctx.save_for_backward(y)
        ...         return y
        ...     @staticmethod
        ...     def backward(ctx, g):
        ...         y, = ctx.saved_tensors
        ...         return g * y
        >>> x = mg.tensor(0.0, requires_grad=True)
        >>> slope, = mg.autograd.grad(Exp.apply(x), x, create_graph=True)
        >>> slope.item(), mg.grad(slope, x).item()
        (1.0, 1.0)
    """

    @classmethod
    def apply(cls, *args):
        """Run forward on these arguments, and put it on the tape as one operation.

        Raises:
            TypeError: if forward returns anything but one tensor.
            ValueError: in the backward pass, if backward does not return a gradient for each argument.
        """
        ctx = Context(cls, args)
        return apply(custom, *(arg for arg in args if isinstance(arg, Tensor)), ctx=ctx)


class Context:
    """What a :class:`Function` hands from forward to backward."""

    def __init__(self, function, args):
        self._function, self._args, self._saved = function, args, ()
        self.needs_input_grad = tuple(isinstance(arg, Tensor) and arg.requires_grad for arg in args)

    def save_for_backward(self, *tensors):
        """Keep tensors (arguments, the result, or others) for backward."""
        self._saved = tuple((t, t._array) for t in tensors)

    @property
    def saved_tensors(self):
        """The tensors kept, as they were then."""
        if not is_grad_enabled():
            return tuple(result(array) for _, array in self._saved)
        if any(t is not self._made and t._array is not array for t, array in self._saved):
            raise RuntimeError(f"the gradient of {self._function.__name__} is to be differentiated again, but a tensor "
                               f"that it saved has been given another array since; take the gradient with "
                               f"create_graph=True before the update")
        return tuple(self._result if t is self._made else t for t, _ in self._saved)

    def _forward(self):
        with no_grad():
            self._made = self._function.forward(self, *self._args)
        if not isinstance(self._made, Tensor):
            raise TypeError(f"{self._function.__name__}.forward returned a {type(self._made).__name__}; return one "
                            f"tensor (an operation has one result here: stack several)")
        return self._made._array

    def _backward(self, g, y):
        on_tape = isinstance(g, Tensor)
        self._result = y                    # for higher orders: the result on the tape, not the one made off it
        try:
            found = self._function.backward(self, g if on_tape else result(np.asarray(g)))
        finally:
            self._result = None
        found = found if isinstance(found, tuple) else (found,)
        if len(found) != len(self._args):
            raise ValueError(f"{self._function.__name__}.backward returned {len(found)} gradients for "
                             f"{len(self._args)} arguments; return None where there is none")
        found = [h for h, arg in zip(found, self._args) if isinstance(arg, Tensor)]
        return found if on_tape else [h if h is None else as_tensor(h)._array for h in found]


@primitive
def custom(*arrays, ctx):
    """Run the forward of a :class:`Function`; it takes its arguments from the context, as tensors."""
    return ctx._forward()


defvjp(custom, joint=lambda g, y, *arrays, ctx: ctx._backward(g, y))


def listed(given):
    """Return one tensor, or several, as a list."""
    return [given] if isinstance(given, Tensor) else list(given)


__getattr__ = explain("minigrad.autograd", lambda: __all__)

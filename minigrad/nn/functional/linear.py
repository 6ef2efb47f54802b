"""Linear maps."""

from minigrad import ops
from minigrad.nn.functional.common import given


def linear(input, weight, bias=None):
    """Return x @ weight.T + bias; x (..., in), weight (out, in), bias (out,).

    Raises:
        ValueError: if the shapes do not fit; both are named.

    Example:
        >>> import numpy as np
        >>> from minigrad.nn import functional as F
        >>> F.linear(np.array([[1.0, 2.0]]), np.array([[1.0, 1.0], [0.0, 1.0]]), np.array([10.0, 20.0]))
        array([[13., 22.]])
    """
    x, weight, bias = given(input), given(weight), bias if bias is None else given(bias)
    shape, matrix = x.shape, weight.shape
    if len(matrix) != 2:
        raise ValueError(f"linear: weight must have shape (out, in), not {matrix}")
    outs, ins = matrix
    if not shape or shape[-1] != ins:
        raise ValueError(f"linear: input of shape {shape} does not fit weight of shape {(outs, ins)} (out, in): the "
                         f"last axis of input must be {ins}")
    if bias is not None and bias.shape != (outs,):
        raise ValueError(f"linear: bias of shape {bias.shape} does not fit weight of shape {(outs, ins)} (out, in); "
                         f"the result has shape {(*shape[:-1], outs)}")
    return ops.linear(x, weight) if bias is None else ops.linear(x, weight, bias)

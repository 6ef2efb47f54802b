"""Operations that NumPy lacks as one function, or that are worth fusing; a page per family, as in ``rules/``.

Plain functions of arrays, marked as primitives: called with tensors they go on the tape.  Their
gradients stand on the page of the same name in ``rules/``.
"""

from minigrad.ops.elementwise import cast, relu, select, sigmoid
from minigrad.ops.linalg import linear
from minigrad.ops.nn import cross_entropy, cross_entropy_composite
from minigrad.ops.reduce import log_softmax, norm
from minigrad.ops.shape import concatenate, plain_index, scatter, stack, take

__all__ = ["cast", "concatenate", "cross_entropy", "cross_entropy_composite", "linear", "log_softmax", "norm",
           "plain_index", "relu", "scatter", "select", "sigmoid", "stack", "take"]

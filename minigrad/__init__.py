"""minigrad: a gradient-flow laboratory in pure NumPy."""

from minigrad import engine, ops, rules, tensor, methods  # noqa
from minigrad.engine import defvjp, primitive  # noqa
from minigrad.tensor import Tensor, tensor, grad, no_grad  # noqa
from minigrad.gradcheck import gradcheck # noqa

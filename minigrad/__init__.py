"""minigrad: a gradient-flow laboratory in pure NumPy."""

from minigrad import engine, hooks, ops, optim, rules, tensor, methods, inplace  # noqa
from minigrad.engine import defvjp, primitive  # noqa
from minigrad.tensor import Tensor, tensor, grad  # noqa
from minigrad.recording import no_grad # noqa
from minigrad.gradcheck import gradcheck # noqa
from minigrad.trace import NormTrace # noqa

"""What the tape of one forward pass tells of a net: which tensors all of the gradient passes, and what follows on what.

A residual branch, a second encoder, a gate are ways beside others.  The *gateways* are the tensors that lie on every
way from the loss back to the first layer, so that dL/dh there is all that goes on to what comes before.
"""

import numpy as np

from minigrad import nn, ops
from minigrad.engine import leading_to, visit

ACTIVATIONS = {np.tanh: "tanh", ops.relu: "relu", ops.sigmoid: "sigmoid", ops.erf: "erf", ops.leaky_relu: "leaky_relu",
               ops.elu: "elu", ops.selu: "selu", ops.gelu: "gelu", ops.silu: "silu", ops.softplus: "softplus",
               ops.hardtanh: "hardtanh"}
"""Operations that are activations: function -> name."""

MODULES = {nn.Tanh: "tanh", nn.ReLU: "relu", nn.Sigmoid: "sigmoid", nn.LeakyReLU: "leaky_relu", nn.ELU: "elu",
           nn.SELU: "selu", nn.GELU: "gelu", nn.SiLU: "silu", nn.Softplus: "softplus", nn.Hardtanh: "hardtanh"}
"""Modules that are activations, for what is not on the tape as nothing before it is trained: class -> name."""


def activation_of(tensor):
    """Return the name of the activation that a tensor is the value of, or None."""
    return ACTIVATIONS.get(undressed(tensor)._fn)


def parents_of(node):
    """Return the (undressed) tensors that an operation was called on, None for what is not on the tape."""
    return [None if p is None else undressed(p) for p in node._parents]


def holds(node, array):
    """Say whether an operation was called on this very array, of which it keeps a copy."""
    return isinstance(array, np.ndarray) and any(
        isinstance(a, np.ndarray) and a.shape == array.shape and np.array_equal(a, array, equal_nan=True)
        for a in node._saved)


def undressed(tensor):
    """Return the tensor without the identities around it, which a module's backward hooks put there."""
    while tensor._fn is np.positive:
        tensor = tensor._parents[0]
    return tensor


class Tape:
    """The part of the tape between the loss and some tensors.

    Args:
        loss: the tensor where the sweep begins.
        tensors: on the tape; the oldest of them is where the ways lead to.

    Attributes:
        reached: numbers of the nodes that the loss depends on.
        gateways: numbers of those that are on every way from the loss to the first tensor that it depends on.
        sums: the nodes, in order, where two ways from that first tensor are added, as in x + f(x).
        added: those where something is added that is not on the tape.
    """

    def __init__(self, loss, tensors):
        numbers = [t._number for t in tensors]
        order = visit([loss], set(numbers))
        self.reached = {node._number for node in order}
        first = min((n for n in numbers if n in self.reached), default=None)
        useful = set() if first is None else leading_to({first}, order)
        self.gateways = set() if first is None else gateways(loss, order, first, useful)
        self.sums = [node for node in order if node._fn is np.add
                     and len({p._number for p in node._parents if p is not None and p._number in useful}) == 2]
        self.added = [node for node in order if node._fn is np.add and None in node._parents]
        self._users = {}
        for node in order:
            for parent in node._parents:
                if parent is not None and parent._number in self.reached:
                    self._users.setdefault(parent._number, []).append(node)

    def activation_after(self, tensor):
        """Return the tensor behind the activation that a tensor goes into, if it goes nowhere else; else None."""
        while True:
            users = self._users.get(tensor._number, ())
            if len(users) != 1:
                return None
            tensor = users[0]
            if tensor._fn in ACTIVATIONS:
                return tensor
            if tensor._fn is not np.positive:
                return None


def gateways(loss, order, first, useful):
    """Return the numbers of the nodes that every way from ``loss`` to the node of number ``first`` leads through.

    ``useful`` are the numbers of the nodes that such a way leads through.

    Going down the running numbers, where all consumers of a node come before it, keep the nodes that ways have come to
    and not yet left: one that stands there alone is on all of them.
    """
    waiting, found = {loss._number}, set()
    for node in reversed(order):
        if node._number not in waiting:
            continue
        waiting.remove(node._number)
        if not waiting:
            found.add(node._number)
        if node._number != first:
            waiting.update(p._number for p in node._parents if p is not None and p._number in useful)
    return found

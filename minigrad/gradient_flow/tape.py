"""What the tape of one forward pass tells of a net: which tensors all of the gradient passes, and what follows on what.

A residual branch, a second encoder, a gate are ways beside others.  The *gateways* are the tensors that lie on every
way from the loss back to the first layer, so that dL/dh there is all that goes on to what comes before.
"""

import numpy as np

from minigrad import ops
from minigrad.engine import leading_to, visit

ACTIVATIONS = {np.tanh: "tanh", ops.relu: "relu", ops.sigmoid: "sigmoid", ops.erf: "erf", ops.leaky_relu: "leaky_relu",
               ops.elu: "elu", ops.selu: "selu", ops.gelu: "gelu", ops.silu: "silu", ops.softplus: "softplus",
               ops.hardtanh: "hardtanh"}
"""Operations that are activations: function -> name."""


def activation_of(tensor):
    """Return the name of the activation that a tensor is the value of, or None."""
    return ACTIVATIONS.get(undressed(tensor)._fn)


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
    """

    def __init__(self, loss, tensors):
        numbers = [t._number for t in tensors]
        order = visit([loss], set(numbers))
        self.reached = {node._number for node in order}
        first = min((n for n in numbers if n in self.reached), default=None)
        self.gateways = set() if first is None else gateways(loss, order, first)
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


def gateways(loss, order, first):
    """Return the numbers of the nodes that every way from ``loss`` to the node of number ``first`` leads through.

    Going down the running numbers, where all consumers of a node come before it, keep the nodes that ways have come to
    and not yet left: one that stands there alone is on all of them.
    """
    useful = leading_to({first}, order)
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

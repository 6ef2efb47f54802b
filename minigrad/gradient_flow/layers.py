"""From calls to layers: a layer is what has weights, with all that follows it up to the next that has some."""

import numpy as np

from minigrad.gradient_flow.tape import activation_of, undressed
from minigrad.nn.cells import Cell
from minigrad.nn.recurrent import Recurrent
from minigrad.table import name_of


class Layer:
    """A stretch of the net between two tensors that all of the gradient passes; or one call, where ways branch.

    Attributes:
        visits: the calls in it; the last one's tensor is ``out``, the layer's h.
        out: the tensor.
        alone: whether the layer is one way without another beside it, so that all its calls follow one another.
    """

    def __init__(self, visits, alone):
        self.visits, self.alone = list(visits), alone

    @property
    def out(self):
        return self.visits[-1].tensor

    @property
    def weights(self):
        """(name, parameter) of all matrices in the layer, each once."""
        return list({id(p): (name, p) for v in self.visits for name, p in v.weights}.values())

    @property
    def is_cell(self):
        return any(isinstance(v.module, Cell) for v in self.visits)

    @property
    def is_recurrent(self):
        return any(isinstance(v.module, (Cell, Recurrent)) for v in self.visits)

    @property
    def activation(self):
        """(name, tensor) of the last activation on the way all gradient takes, or (None, None)."""
        for visit in reversed(self.visits if self.alone else self.visits[-1:]):
            name = activation_of(visit.tensor)
            if name is not None:
                return name, undressed(visit.tensor)
        return None, None

    @property
    def name(self):
        """The name of the module that stands for the layer: the block, else the first with weights, else the last."""
        if not self.alone:
            block = [v for v in self.visits if has_children(v)]
            if block:
                return block[-1].name
        return next((v.name for v in self.visits if v.weights), self.visits[-1].name)

    @property
    def kind(self):
        """What it is made of: "Linear + tanh"; of a block its class."""
        if not self.alone:
            block = [v for v in self.visits if has_children(v)]
            if block:
                return block[-1].kind
        parts = [activation_of(v.tensor) or (name_of(undressed(v.tensor)._fn) if has_children(v) else v.kind)
                 for v in self.visits]
        return " + ".join(dict.fromkeys(parts))


def has_children(visit):
    """Say whether a call is that of a module with modules inside."""
    return visit.module is not None and next(visit.module.named_children(), None) is not None


def layers_of(visits, tape):
    """Return the layers that some calls make up, in order of the forward pass, and whether they follow one another.

    Each layer ends at a tensor that all of the gradient passes.  Where there are fewer than four such layers and
    more calls with weights, because the ways branch, every such call is taken as a layer instead.
    """
    found, current, alone = [], [], True
    beside = within_first_block(visits)
    for visit in visits:
        if visit.tensor.requires_grad and visit.tensor._number not in tape.reached:
            continue
        current.append(visit)
        if visit in beside or (visit.tensor.requires_grad and visit.tensor._number not in tape.gateways):
            alone = False
            continue
        if found and not any(v.weights for v in current) and not found[-1].is_recurrent:
            found[-1].visits += current
            found[-1].alone &= alone
        else:
            found.append(Layer(current, alone))
        current, alone = [], True
    singles = [Layer([v], True) for v in visits if v.weights and v.tensor._number in tape.reached]
    if len(found) < 4 < len(singles):
        return singles, False
    return found, True


def within_first_block(visits):
    """Return the calls inside a block that adds the data themselves to what it made of them.

    The way of the data past them is not on the tape, as no gradient goes there (an operation keeps a copy of them); it
    is one all the same.
    """
    for block in visits:
        source = getattr(block.source, "_array", block.source)
        saved = undressed(block.tensor)._saved
        if isinstance(source, np.ndarray) and has_children(block) and any(
                np.array_equal(a, source, equal_nan=True) for a in saved if isinstance(a, np.ndarray)):
            return {v for v in visits[:visits.index(block)] if v.name.startswith(block.name + ".")}
    return set()


# ------------------------------------------------------------------------------ saturation

SLOPES = {"tanh": lambda y: 1 - y * y, "sigmoid": lambda y: 4 * y * (1 - y)}
"""Slope of each activation that saturates, from its value, as a part of its largest slope."""

FLAT = 0.1
"""A unit counts as saturated where the slope is less than this part of the largest."""


def saturated_share(name, y):
    """Return the share of the entries of an activation at which its slope is below a tenth of the largest, or None."""
    if name not in SLOPES or not y.size:
        return None
    with np.errstate(all="ignore"):
        return float(np.mean(SLOPES[name](y.astype(np.float64)) < FLAT))


def dead_share(name, y, channels_first=False):
    """Return the share of the units of a ReLU that are 0 for the whole batch, or None for another activation.

    A unit is a place on the last axis; of a convolution's output (N, C, ...) a channel.
    """
    if name != "relu" or y.ndim < 2 or not y.size:
        return None
    units = 1 if channels_first else y.ndim - 1
    return float(np.mean((y == 0).all(axis=tuple(axis for axis in range(y.ndim) if axis != units))))

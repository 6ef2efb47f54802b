"""From calls to layers: a layer is what has weights, with all that follows it up to the next that has some."""

import numpy as np

from minigrad.gradient_flow.tape import MODULES, activation_of, holds, undressed
from minigrad.nn.cells import Cell
from minigrad.nn.recurrent import Recurrent
from minigrad.table import name_of


class Layer:
    """A stretch of the net between two tensors that all of the gradient passes; or one call, where ways branch.

    Attributes:
        visits: the calls in it; the last one's tensor is ``out``, the layer's h.
        out: the tensor.
        alone: whether the layer is one way without another beside it, so that all its calls follow one another.
        block: name of the module, or list of modules, that makes up the whole of a layer that is not alone; or None.
    """

    def __init__(self, visits, alone):
        self.visits, self.alone, self.block = list(visits), alone, None

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
            name = activation_of(visit.tensor) or untaped_activation(visit)
            if name is not None:
                return name, undressed(visit.tensor)
        return None, None

    @property
    def name(self):
        """The name of the module that stands for the layer: the block, else the first with weights, else the last."""
        if self.block is not None:
            return self.block
        return next((v.name for v in self.visits if v.weights), self.visits[-1].name)

    @property
    def kind(self):
        """What it is made of: "Linear + tanh"; of a block its class, or "Linear + relu + add" if it has none."""
        block = next((v for v in reversed(self.visits) if has_children(v) and v.name == self.block), None)
        if block is not None and not self.alone:
            return block.kind
        return " + ".join(dict.fromkeys(map(part_of, self.visits)))


def part_of(visit):
    """Return what a call is called among others in a layer."""
    name, fn = activation_of(visit.tensor) or untaped_activation(visit), undressed(visit.tensor)._fn
    if name is not None or not has_children(visit) or fn is None:
        return name or visit.kind
    return "add" if fn is np.add else name_of(fn)


def untaped_activation(visit):
    """Return the name of the activation that a module is, where nothing before it is trained; else None."""
    return None if visit.tensor.requires_grad else MODULES.get(type(visit.module))


def has_children(visit):
    """Say whether a call is that of a module with modules inside."""
    return visit.module is not None and next(visit.module.named_children(), None) is not None


def layers_of(visits, tape):
    """Return the layers that some calls make up, in order of the forward pass, and whether they follow one another.

    Each layer ends at a tensor that all of the gradient passes.  Where there are fewer than four such layers, or one of
    them holds more than half of the calls with weights and the layers are fewer than a quarter of those, because the
    ways branch, every such call is taken as a layer instead.
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
    most = max((sum(bool(v.weights) for v in layer.visits) for layer in found), default=0)
    crowded = most > len(singles) / 2 and len(found) < len(singles) / 4
    if len(singles) > 4 and (len(found) < 4 or crowded):
        return singles, False
    name_blocks(found)
    return found, True


def name_blocks(layers):
    """Find the name of each layer with ways beside each other: of the module all of whose calls are in it."""
    inside = {}
    for layer in layers:
        for name in {v.name for v in layer.visits}:
            for prefix in prefixes(name):
                inside.setdefault(prefix, set()).add(name)
    for layer in layers:
        if not layer.alone:
            names = {v.name for v in layer.visits}
            # A module that ends here, but began in a layer before, does not stand for this one.
            names = {name for name in names if inside[name] <= names and (name or len(layers) == 1)} or names
            whole = [prefix for prefix in prefixes(min(names, key=len)) if names == inside[prefix]]
            layer.block = whole[-1] if whole and len(names) > 1 else None


def prefixes(name):
    """Return "", "a", "a.b" and "a.b.c" for "a.b.c"."""
    return ["", *(name[:k] for k, sign in enumerate(name) if sign == "."), *[name] * bool(name)]


def within_first_block(visits):
    """Return the calls inside a block that adds the data themselves to what it made of them.

    The way of the data past them is not on the tape, as no gradient goes there (an operation keeps a copy of them); it
    is one all the same.
    """
    for number, block in enumerate(visits):
        out = undressed(block.tensor)
        if block.module is None and out._fn is np.add and None in out._parents:
            return set(visits[:number])
        if has_children(block) and holds(out, getattr(block.source, "_array", block.source)):
            return {v for v in visits[:number] if not block.name or v.name.startswith(block.name + ".")}
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

"""One forward pass with eyes in it, and the sweep back: what left every module, and the gradient that came there.

The sweep asks for the cotangents by :func:`minigrad.gradient.sweep`, as ``mg.grad`` does, so no ``.grad`` is touched.
"""

import numpy as np

from minigrad.gradient import sweep
from minigrad.gradient_flow.tape import Tape, activation_of, holds, undressed
from minigrad.nn import Module
from minigrad.nn.cells import Cell
from minigrad.nn.parameter import Parameter
from minigrad.nn.recurrent import Recurrent
from minigrad.recording import enable_grad
from minigrad.tensor import Tensor


class Visit:
    """One call of one module, or of an activation or a sum of two ways that is no module.

    Attributes:
        name: of the module in the net, "" for the net itself.
        module: the module; None for an activation that was called as a function, or a sum x + f(x).
        tensor: what it returned; of several tensors the first (h of an LSTM).
        cell: the second tensor, of an LSTM cell (c), else None.
        source: the first tensor or array among its arguments, or None.
        gradient: dL/dtensor, if it arrived in the sweep; of a recurrent layer what comes from outside of it.
    """

    __slots__ = ("cell", "gradient", "module", "name", "source", "tensor")

    def __init__(self, name, module, tensor, cell=None, source=None):
        self.name, self.module, self.tensor, self.cell, self.source = name, module, tensor, cell, source
        self.gradient = None

    @property
    def kind(self):
        """The class of the module, or the name of the activation, or "add"."""
        return activation_of(self.tensor) or "add" if self.module is None else type(self.module).__name__

    @property
    def weights(self):
        """The module's own parameters that are matrices (or have more axes), and not those of modules inside it."""
        own = () if self.module is None else vars(self.module).items()
        return [(self.name + "." * bool(self.name) + name, p) for name, p in own
                if isinstance(p, Parameter) and p.ndim > 1]


class Steps:
    """The states of one layer of an nn.RNN, LSTM or GRU in one forward pass, and the gradients that came to them.

    ``states``, ``deltas`` and ``cells`` (dL/dc_t) are dicts t -> array (N, H) or (H,), filled by the sweep; ``visit``
    is the :class:`Visit` of that pass.
    """

    def __init__(self, name, module, layer):
        self.name, self.module, self.layer = name, module, layer
        self.states, self.deltas, self.cells, self.visit = {}, {}, {}, None

    def arrived(self, g, t, h):
        """Take dL/dh_t and h_t, in the course of a sweep."""
        self.deltas[t], self.states[t] = g._array, h


class Measured:
    """A forward pass and the sweep back; to be used while the model is :func:`left_alone`.

    Attributes:
        loss: the tensor that ``loss_fn`` returned.
        output: the tensor that the net returned (the first of several), undressed; or None.
        visits: all calls in the order in which they ended.
        steps: a :class:`Steps` for each layer and call of a recurrent layer.
        tape: the :class:`~minigrad.gradient_flow.tape.Tape` behind the loss.
        parameters: name -> tensor.
        deltas: running number of a visit's tensor -> dL/dtensor, where it arrived.
        gradients: name of a parameter -> its gradient, where one arrived.
        residual: whether somewhere what a weight made is added to what it was made of.
    """

    def __init__(self, model, forward):
        self.visits, self.steps, self._handles, self._step_handles, self.residual = [], [], [], [], False
        self.parameters = dict(model.named_parameters())
        try:
            for name, module in model.named_modules():
                self._watch(name, module)
            with enable_grad():
                output, self.loss = forward()
            while self._handles:
                self._handles.pop().remove()            # so that a checkpoint, run again, is not seen twice
            tensors = tensors_in(output)
            self.output = undressed(tensors[0]) if tensors else None
            self._settle()
        except BaseException:
            self.close()
            raise

    def close(self):
        """Take all hooks out, and let go of the tape, which holds what watches its time steps."""
        for handle in (*self._handles, *self._step_handles):
            handle.remove()
        for steps in self.steps:
            steps.visit = None
        self.visits, self.tape, self.loss, self.output = [], None, None, None

    def _watch(self, name, module):
        def ended(module, args, output):
            found, given = tensors_in(output), tensors_in(args, of=(Tensor, np.ndarray))
            if found:
                cell = found[1] if isinstance(module, Cell) and len(found) > 1 else None
                self.visits.append(Visit(name, module, found[0], cell, given[0] if given else None))
                for steps in self.steps:
                    if steps.module is module and steps.visit is None:
                        steps.visit = self.visits[-1]

        self._handles.append(module.register_forward_hook(ended))
        if isinstance(module, Recurrent):
            module._step_observers = {}                 # others, Omega's for instance, would count this pass
            self._step_handles.append(module._observe_steps(lambda layer: self._begin(name, module, layer)))
            for layer in range(module.num_layers) if "c" in module.states else ():
                self._step_handles.append(module.register_step_hook(
                    lambda g, t, layer=layer: self._cell(module, layer, g, t), layer=layer, state="c"))

    def _begin(self, name, module, layer):
        self.steps.append(Steps(name, module, layer))
        return self.steps[-1].arrived

    def _cell(self, module, layer, g, t):
        # Step by step, h comes before c: the pass that this c belongs to is the one whose h came last.
        for steps in self.steps:
            if steps.module is module and steps.layer == layer and t in steps.deltas and t not in steps.cells:
                steps.cells[t] = g._array.copy()
                return

    def _settle(self):
        """Sort out what was seen, and sweep back."""
        seen, kept = set(), []
        for visit in self.visits:
            # A module that only hands on what one inside it made is no layer of its own.
            number = undressed(visit.tensor)._number
            if number not in seen and (visit.tensor.requires_grad or visit.weights or kept):
                kept.append(visit)
            seen.add(number)
        self.tape = Tape(self.loss, [v.tensor for v in kept if v.tensor.requires_grad])
        self.visits, sums = [], self._sums(kept)
        for visit in kept:
            while sums and visit.tensor.requires_grad and sums[0]._number < visit.tensor._number:
                self._take_sum(sums.pop(0), seen)
            self._take(visit, seen)
        for node in sums:
            self._take_sum(node, seen)
        trained = {id(p): name for name, p in self.parameters.items() if p.requires_grad}
        numbers = {p._number: name for name, p in self.parameters.items() if id(p) in trained}
        found = self.sweep([self.loss], [np.ones_like(self.loss._array)],
                           [*self._tensors(), *(self.parameters[name] for name in trained.values())])
        self.deltas = {number: g for number, g in found.items() if number not in numbers}
        for visit in self.visits:
            visit.gradient = self.deltas.get(visit.tensor._number)
        self.gradients = {numbers[number]: g for number, g in found.items() if number in numbers}

    def _sums(self, kept):
        """Return the nodes at which two ways may be added, in order; the first ways may both come from the data."""
        source = getattr(kept[0].source, "_array", kept[0].source) if kept else None
        of_data = [node for node in self.tape.added if node._number in self.tape.gateways and holds(node, source)]
        return sorted([*self.tape.sums, *of_data[:1]], key=lambda node: node._number)

    def _take(self, visit, seen):
        """Keep a visit, and the activation behind it if that was no module."""
        self.visits.append(visit)
        after = self.tape.activation_after(visit.tensor)
        if after is not None and after._number not in seen:
            self.visits.append(Visit(visit.name, None, after, source=visit.tensor))

    def _take_sum(self, node, seen):
        """Keep a sum that all of the gradient passes as a visit, if there are weights between what is added."""
        way = min((p for p in node._parents if p is not None), key=lambda p: p._number)
        from_data = None in node._parents
        since = -1 if from_data else way._number
        if not any(v.weights and v.tensor.requires_grad for v in self.since(since)):
            return
        gateway = node._number in self.tape.gateways
        self.residual |= from_data or not gateway or way._number in self.tape.gateways
        if gateway and node._number not in seen:
            self._take(Visit(self.visits[-1].name, None, node, source=None if from_data else way), seen)

    def since(self, number):
        """Yield the visits, from the last back, whose tensors were made after that of a running number."""
        for visit in reversed(self.visits):
            if visit.tensor._number <= number:
                return
            yield visit

    def _tensors(self):
        return [t for v in self.visits for t in (v.tensor, v.cell) if t is not None and t.requires_grad]

    def sweep(self, roots, seeds, wanted):
        """Return number -> cotangent of the tensors in ``wanted`` that one arrives at; the graph is kept."""
        with np.errstate(all="ignore"):
            found = sweep(roots, seeds, create_graph=False, retain_graph=True, wanted=wanted)
        return {node._number: np.asarray(g) for node, g, _ in found}

    def sweep_steps(self, roots, seeds):
        """Sweep back once more for the sake of the time steps alone, whose deltas are then of this sweep."""
        for steps in self.steps:
            steps.deltas, steps.cells = {}, {}
        self.sweep(roots, seeds, [p for p in self.parameters.values() if p.requires_grad] + self._tensors())


def tensors_in(value, of=Tensor):
    """Return the tensors in nested tuples, lists and dicts, in order; those of floats."""
    if isinstance(value, of):
        return [value] if value.dtype.kind == "f" else []
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, (tuple, list)):
        return []
    return [t for part in value for t in tensors_in(part, of)]


def caller(model, loss_fn, batch):
    """Return a function that makes the forward pass and returns (what the model returned, the loss), checked.

    Raises:
        TypeError: for a model that is no Module, a loss function that cannot be called, a batch that is none.
    """
    if not isinstance(model, Module):
        cure = ("a plain function has no layers to look into; put it into a Module: a class with forward(self, x), or "
                "nn.Sequential(nn.Linear(...), nn.Tanh(), ...)" if callable(model) else
                "give the net, flow(model, loss_fn, batch)")
        raise TypeError(f"flow: the model is a {type(model).__name__}, no nn.Module; {cure}")
    if not callable(loss_fn):
        raise TypeError(f"flow: loss_fn is a function loss_fn(output, y), nn.functional.mse_loss for instance, not a "
                        f"{type(loss_fn).__name__}; the batch comes last, flow(model, loss_fn, (x, y))")
    x, targets = split(batch)

    def forward():
        with np.errstate(all="ignore"):             # what is not finite is in the report
            output = model(*x) if isinstance(x, tuple) else model(**x) if isinstance(x, dict) else model(x)
            return output, checked_loss(loss_of(loss_fn, output, targets))
    return forward


def loss_of(loss_fn, output, targets):
    """Return loss_fn(output, *targets).

    Raises:
        TypeError: with the cure, where it cannot take the tuple or dict that a model returned, but could a part of it.
    """
    try:
        return loss_fn(output, *targets)
    except Exception as error:
        part = first_of(output)
        if part is None or not takes(loss_fn, part[1], targets):
            raise
        name = getattr(loss_fn, "__name__", None) or f"{type(loss_fn).__name__}()"
        name = "loss_fn" if name == "<lambda>" else name
        y = ", target" * len(targets)
        raise TypeError(f"flow: your model returned a {type(output).__name__} {described(output)}, and {name} takes a "
                        f"tensor; write lambda out{y}: {name}({part[0]}{y}) in its place") from error


def first_of(output):
    """Return the first tensor of a tuple or dict, as (how it is written, tensor); None for anything else."""
    if isinstance(output, (tuple, list)):
        pairs = [(f"out[{k}]", part) for k, part in enumerate(output)]
    elif isinstance(output, dict):
        pairs = [(f"out[{key!r}]", part) for key, part in output.items()]
    else:
        return None
    return next((pair for pair in pairs if isinstance(pair[1], Tensor)), None)


def takes(loss_fn, part, targets):
    """Say whether a loss function takes a tensor where a tuple was no good."""
    if (getattr(loss_fn, "__module__", None) or "").startswith("minigrad."):
        return True                                 # those all do; what is wrong with the shapes it will say next
    try:
        return isinstance(loss_fn(part, *targets), Tensor)
    except Exception:
        return False


def described(output):
    """Return what a tuple or dict holds, with the shapes of its tensors."""
    def one(part):
        return f"tensor of shape {part.shape}" if isinstance(part, Tensor) else type(part).__name__

    items = [f"{key!r}: {one(v)}" for key, v in output.items()] if isinstance(output, dict) else map(one, output)
    return f"({', '.join(items)})"


def split(batch):
    """Return a batch as (x, targets): the latter a tuple with y, or an empty one."""
    if isinstance(batch, list) and len(batch) in (1, 2) and all(hasattr(part, "shape") for part in batch):
        batch = tuple(batch)                        # as a DataLoader may hand it out
    if not isinstance(batch, tuple):
        return batch, ()
    if len(batch) not in (1, 2):
        raise TypeError(f"flow: a batch of {len(batch)} parts; give (x, y), where x is an array, a tuple of arrays for "
                        f"a model of several arguments, ((x1, x2), y), or a dict of them by name; or x alone")
    return batch[0], batch[1:]


def checked_loss(loss):
    """Return the loss if a sweep can begin there, or say why not.

    Raises:
        TypeError: if it is no tensor.
        ValueError: if it is no single number, or does not depend on anything that is trained.
    """
    if not isinstance(loss, Tensor):
        raise TypeError(f"flow: loss_fn returned a {type(loss).__name__}, no tensor; compute the loss from the model's "
                        f"output by tensor operations, without .item(), .data or float()")
    if loss._array.size != 1:
        raise ValueError(f"flow: loss_fn returned shape {loss.shape}, and the gradient is that of one number; reduce "
                         f"it, with .mean() or .sum()")
    if not loss.requires_grad:
        raise ValueError("flow: the loss does not require a gradient: nothing that it was computed from is trained; "
                         "has the output been detached, or the model frozen with requires_grad_(False)?")
    return loss

"""Where the gradient goes: ``minigrad.flow(model, loss_fn, batch)``, and the report that it returns.

``measuring`` makes a forward pass and a sweep back with eyes in them, ``keeping`` puts the model back as it was;
``tape`` and ``layers`` find out what a layer is; ``reading`` and ``time_steps`` make rows of what was seen, ``fitting``
slopes of rows; ``prediction`` asks the theory; ``verdict`` and ``remedies`` find the words; ``report`` shows all of it;
``nets`` has nets to try it on.

(The package is not called ``flow``, as a module of that name would take the place of the function.)
"""

from minigrad.gradient_flow import prediction, reading, time_steps, updates
from minigrad.gradient_flow.keeping import left_alone
from minigrad.gradient_flow.measuring import Measured, caller
from minigrad.gradient_flow.remedies import facts_of
from minigrad.gradient_flow.report import GradientFlow
from minigrad.gradient_flow.verdict import judge
from minigrad.nn import Module
from minigrad.norms import norm

__all__ = ["GradientFlow", "flow"]


def flow(model, loss_fn, batch, *, optimizer=None, lr=None):
    """Measure where the gradient of one batch goes, layer by layer or time step by time step.

    There is a row per layer with the 2-norms of the activation h, of the delta dL/dh (the gradient there, complete) and
    of the weight gradient; shares of saturated and dead units; with an optimizer the ratio of the next update to the
    weights.  A line is fitted to log10 ||dL/dh|| on the way back, with a 95 % interval that allows for the random walk
    that a profile is (:func:`minigrad.gradient_flow.fitting.fit`).  Where theory has a prediction it stands beside
    it: mean field for plain and residual nets of nn.Linear with one activation, with the mean squares of the actual
    weights, biases and input (Schoenholz et al. 2017; Yang and Schoenholz 2017); for nn.RNN and nn.RNNCell the largest
    Lyapunov exponent along the actual states, or the spectral radius where these are nearly linear.  A verdict in
    plain words says what was found, and what would help.  Where the profile bends, so that one slope does not tell it,
    it says so.

    A layer is what has weights, with all that follows it up to the next that has some: nn.Linear, nn.LayerNorm and
    nn.Tanh make one, whose h is what the Tanh returned.  A block with ways beside each other (nn.Residual) is one
    layer, whose h is its output, and so is what lies between two sums x = x + f(x).  Where the ways branch otherwise
    there may be no such rows, and then no slope.  Activations called as functions count like modules.  Each call of a
    layer is a row.
    nn.RNN, nn.LSTM, nn.GRU and cells called in a loop have a row per time step; where the loss acts on many steps of a
    layer, the way of the last loss alone is measured too, and comes first, as the sum of all hides how far one reaches.
    Layers inside ``mg.checkpoint`` are not seen.

    The model is left as it was, also where something raises: gradients, parameters, running statistics, attributes,
    training mode, generators.  Hooks of your own on modules, tensors and time steps run as in every pass, and dL/dh is
    what they make of it; where delta left the range of floats, or the loss acts on many time steps, a part of the sweep
    is made again, with them.

    Args:
        model: an nn.Module.
        loss_fn: a function that takes what the model returned, and the targets, and returns a tensor of one number.
        batch: ``(x, y)`` for ``loss_fn(model(x), y)``; ``((x1, x2), y)`` for ``loss_fn(model(x1, x2), y)``; ``({"a":
            x}, y)`` for ``loss_fn(model(a=x), y)``; an array x alone for ``loss_fn(model(x))``.
        optimizer: what its next update would be is found on a copy; hooks that are functions of your own are called.
        lr: in place of an optimizer, the learning rate of plain gradient descent.

    Returns:
        a :class:`GradientFlow`.

    Raises:
        TypeError: for a model that is no Module (a plain function has no layers), a loss that is no tensor.
        ValueError: for a loss of several numbers, one that does not depend on anything trained, or a learning rate
            that is negative.  A loss that is NaN or inf is reported, not refused.

    Example:
        >>> import numpy as np, minigrad as mg
        >>> from minigrad import nn
        >>> rng = np.random.default_rng(0)
        >>> net = nn.Sequential(*[m for _ in range(20) for m in (nn.Linear(64, 64, rng=rng), nn.Tanh())])
        >>> found = mg.flow(net, nn.functional.mse_loss, (rng.normal(size=(32, 64)), np.zeros((32, 64))))
        >>> found.kind, round(found.slope, 1), round(found.predicted, 1)
        ('vanishing', -0.2, -0.2)
    """
    updates.checked(optimizer, lr)
    forward = caller(model, loss_fn, batch)
    with left_alone(model, *([loss_fn] if isinstance(loss_fn, Module) else [])):
        measured = Measured(model, forward)
        try:
            return report_of(model, measured, optimizer, lr)
        finally:
            measured.close()


def report_of(model, measured, optimizer, lr):
    """Make the report of what was measured."""
    lengths, note = updates.next_updates(optimizer, lr, measured.parameters, measured.gradients)
    notes, found = [note] if note else [], []
    layers_series, layers = reading.series_of_layers(measured, lengths)
    facts = facts_of(model, measured.residual, measured.loss.dtype)
    steps = time_steps.series_of_steps(measured)
    time_steps.carry_steps([series for series, _ in steps], measured)
    stacks = {}
    for series, (module, layer, states, whole) in steps:
        series.complete()
        series.prediction, series.why_none = prediction.of_steps(series, module, layer, states)
        stacks.setdefault((id(whole), series.losses), {})[layer] = series
    for stack in stacks.values():
        prediction.from_above(stack)
    found += [(series, judge(series, facts.of(type(module).__name__))) for series, (module, *_) in steps]
    if layers_series.rows:
        layers_series.complete()
        layers_series.prediction, layers_series.why_none = prediction.of_layers(layers_series, layers)
        found.append((layers_series, judge(layers_series, facts)))
    if not found:
        raise ValueError("flow: no layer of the model is on the way to the loss; does the loss use what the model "
                         "returned?")
    for series, _ in found:
        series.source = None
        for row, value in zip(series.rows, series.prediction.values if series.prediction else ()):
            row.predicted = value
    series, verdicts = map(list, zip(*found))
    notes += reading.notes_of(measured)
    return GradientFlow(series, verdicts, measured.loss.item(), modules_of(measured), notes)


def modules_of(measured):
    """Return a dict for each call of a module."""
    out = []
    for visit in measured.visits:
        delta = measured.deltas.get(visit.tensor._number)
        out.append({"name": visit.name, "kind": visit.kind, "activation": norm(visit.tensor._array),
                    "delta": None if delta is None else norm(delta),
                    "all_passes": visit.tensor._number in measured.tape.gateways})
    return out

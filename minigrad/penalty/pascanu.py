"""Omega, the regulariser of Pascanu, Mikolov and Bengio (2013): the gradient is to keep its length on its way back."""

import numpy as np

from minigrad import ops
from minigrad.arguments import unwrap
from minigrad.nn import RNN
from minigrad.nn.functional.recurrent import NONLINEARITIES
from minigrad.penalty.gradient_norm import checked_share
from minigrad.recording import is_grad_enabled

SLOPES = {"tanh": lambda h: 1 - h * h, "relu": lambda h: h > 0}
"""The slope of each nonlinearity, from its value."""


def omega(deltas, states, weight_hh, nonlinearity="tanh", squared=False, mean=False, floor=0.0):
    """Return Pascanu's Omega and its gradient with respect to the recurrent matrix, of plain arrays.

    For a net h_t = f(... + W h_(t-1)), with delta_t = dE/dh_t and y_t = (dE/dh_t)(dh_t/dh_(t-1)), that is

        y_t = (delta_t * f'(h_t)) W,    f' = 1 - h_t^2 (tanh), [h_t > 0] (relu)
        Omega = 1/N sum_n sum_t (||y_t|| / ||delta_t|| - 1)^2

    for N sequences (Pascanu, Mikolov, Bengio 2013, whose states are the arguments of f; with the states after f, as
    here, so does their program), one term for each use of W.  Its gradient is the
    immediate partial derivative with respect to W alone, deltas and states held constant:

        1/N sum_n sum_t 2 (r - 1) / ||delta_t|| (delta_t * f'(h_t))^T y_t / ||y_t||,    r = ||y_t|| / ||delta_t||

    Terms with a delta of 0 are left out (steps on which the loss does not depend); one whose y is 0 counts 1, and has
    no slope.  The code released with the paper squares both norms, leaves out squares below 1e-20, and divides by the
    number of terms instead of N: ``squared=True, floor=1e-10, mean=True``.

    It is no bound on W: it asks only that y_t be as long as delta_t, in the one direction of that gradient.  Everything
    is computed in float64, and the size of a delta does not matter: 1e-200 is as good as 1.

    Args:
        deltas: dE/dh_t, over everything that h_t feeds, (T, N, H) or (T, H); or a list, with None for 0.
        states: h_t, likewise.  To leave out the term of the first step, whose y is the gradient of the initial state,
            give ``deltas[1:], states[1:]``.
        weight_hh: W, (H, H), as nn.RNN and nn.RNNCell have it.
        nonlinearity: f, "tanh" or "relu".
        squared: r is the ratio of the squared norms.
        mean: divide by the number of terms that count, over steps and sequences, instead of by N.
        floor: terms with ||delta_t|| <= floor are left out; NaN never is.

    Returns:
        (value, gradient): a float, and an array (H, H) of the dtype of ``weight_hh``.

    Raises:
        ValueError: for an unknown nonlinearity, states that f cannot give, shapes that do not fit each other, a floor
            that is negative or not finite.

    Example:
        A loop over a cell, with lam = 2:

        >>> import numpy as np, minigrad as mg
        >>> from minigrad import nn
        >>> from minigrad.penalty import omega
        >>> cell, h, states = nn.RNNCell(3, 4, rng=np.random.default_rng(0)), None, []
        >>> for x in np.ones((7, 5, 3)):
        ...     h = cell(x, h)
        ...     h.retain_grad()
        ...     states.append(h)
        >>> (h ** 2).mean().backward()
        >>> value, gradient = omega([h.grad for h in states], states, cell.weight_hh)
        >>> cell.weight_hh.grad += 2.0 * gradient
        >>> 0 < value < 7                                   # seven terms below 1: the gradient vanishes
        True
    """
    if nonlinearity not in SLOPES:
        raise ValueError(f"omega: nonlinearity = {nonlinearity!r}: {' or '.join(map(repr, NONLINEARITIES))}")
    floor = checked_share("omega", floor, "floor")
    h, w = as_float64(states), np.asarray(unwrap(weight_hh))
    if isinstance(deltas, (list, tuple)) and len(deltas) == len(h):
        deltas = [np.zeros(h.shape[1:]) if d is None else d for d in deltas]
    d = as_float64(deltas)
    if d.shape != h.shape or d.ndim not in (2, 3) or w.shape != d.shape[-1:] * 2:
        raise ValueError(f"omega: deltas of shape {d.shape}, states {h.shape}, weight_hh {w.shape}: give (T, N, H) or "
                         f"(T, H) for the first two, and (H, H)")
    least, most = {"tanh": (-1, 1), "relu": (0, np.inf)}[nonlinearity]
    if ((h < least) | (h > most)).any():
        raise ValueError(f"omega: states from {np.min(h):g} to {np.max(h):g}, and {nonlinearity} gives {least} to "
                         f"{most}; name the nonlinearity that made them")
    with np.errstate(all="ignore"):
        exponent = np.frexp(np.abs(d).max(axis=-1, keepdims=True, initial=0.0))[1]
        d = np.ldexp(d, -exponent)                          # exact; the ratio does not see it
        a = d * SLOPES[nonlinearity](h)
        y = a @ w.astype(np.float64)
        length, there = (ops.norm(v, axis=-1)[..., None] for v in (d, y))
        counts = ~(np.ldexp(length, exponent) <= floor)
        length = np.where(counts, length, 1.0)
        ratio = there / length
        excess = np.where(counts, (ratio * ratio if squared else ratio) - 1, 0.0)
        terms = max(int(counts.sum()), 1) if mean else h.shape[1] if h.ndim == 3 else 1
        slope = 2 * excess / length * (2 * ratio if squared else 1.0)
        direction = y / np.where(there == 0, 1.0, there)
        gradient = (a * slope).reshape(-1, w.shape[0]).T @ direction.reshape(-1, w.shape[0])
        return float(np.sum(excess * excess)) / terms, (gradient / terms).astype(w.dtype)


def as_float64(values):
    """Return tensors or arrays, or a list of them, as one array."""
    return np.asarray(unwrap(values), np.float64)


class Omega:
    """Pascanu's Omega of an nn.RNN: :func:`omega` of the dE/dh_t that it takes from every backward pass.

        omega = penalty.Omega(rnn, lam=2.0)         # once
        loss.backward()
        value = omega.add_gradient()                # rnn.weight_hh_l0.grad += 2.0 dOmega/dW_hh
        optimizer.step()

    For each state of a forward pass it adds up what the backward passes bring: two losses of one forward pass make one
    delta, as they make one gradient.  Several forward passes (micro-batches, or pieces of a sequence) have one Omega
    each, and their sum counts; none of them depends on the size of its loss, so a loss divided by 4 makes no Omega
    divided by 4.  Each layer has its own, with its own matrix.  Forward passes under ``no_grad`` or without a backward
    pass count nothing, nor do backward passes with ``create_graph=True`` (of a gradient penalty, say); ``mg.grad``
    without it counts as ``backward`` does.  Passes made with weights that have been replaced since are forgotten.

    Step hooks have acted on the deltas that it sees, whenever they were registered.  It does not change the loss, so it
    is not in ``loss.item()``; and where the loss is scaled (``LossScaler``), ``lam`` must be scaled as well, as
    ``Unscale`` divides all.  A copy of the RNN has no Omega; a copy of the Omega takes a copy of the RNN along, and
    begins anew.

    Args:
        rnn: an nn.RNN of any number of layers.  LSTM and GRU are refused: their dh_t/dh_(t-1) is not diag(f') W_hh, but
            has gates and cells in it.  For an nn.RNNCell in a loop, see the example of :func:`omega`.
        lam: a finite number >= 0; may be assigned later.
        squared, mean, floor: as for :func:`omega`.

    Raises:
        TypeError: for another module.
        ValueError: for a lam or floor that is negative or not finite.

    Example:
        >>> import numpy as np, minigrad as mg
        >>> from minigrad import nn, penalty
        >>> rnn = nn.RNN(3, 4, rng=np.random.default_rng(0))
        >>> omega = penalty.Omega(rnn, lam=2.0)
        >>> rnn(np.ones((7, 5, 3)))[0][-1].sum().backward()
        >>> before = rnn.weight_hh_l0.grad.data.copy()
        >>> value = omega.add_gradient()
        >>> 0 < value < 7, bool((rnn.weight_hh_l0.grad.data != before).all())
        (True, True)
        >>> omega.remove()
    """

    def __init__(self, rnn, lam, squared=False, mean=False, floor=0.0):
        if not isinstance(rnn, RNN):
            known = {"LSTM": "its gradient goes back by gates and the cell too, which the formula does not know",
                     "GRU": "its gradient goes back by gates too, which the formula does not know",
                     "RNNCell": "of a loop of your own, give deltas and states to penalty.omega(deltas, states, W)"}
            name = type(rnn).__name__
            raise TypeError(f"Omega is for an nn.RNN, not for {name}; "
                            f"{known.get(name, 'of a net, give the nn.RNN in it')}")
        self.rnn, self.lam = rnn, checked_share("Omega", lam)
        self.squared, self.mean, self.floor = squared, mean, checked_share("Omega", floor, "floor")
        self._records, self._handle = [], rnn._observe_steps(self._begin)

    def add_gradient(self):
        """Add lam dOmega/dW_hh to the gradients of the recurrent matrices: after ``backward``, before the step.

        Returns:
            Omega, without lam, of all forward passes since the last call that a backward pass has gone through.

        Raises:
            RuntimeError: if there was none, or the weights have been replaced since.
            ValueError: if lam has been made negative or not finite.  Nothing has changed then.
        """
        lam, records = checked_share("Omega", self.lam), self._current()
        if not records:
            raise RuntimeError("Omega: no backward pass has gone through the RNN since the last add_gradient(), or "
                               "since its weights were changed; call it between loss.backward() and optimizer.step() "
                               "(a backward pass with create_graph=True is none that it counts)")
        total, gradients = 0.0, {}
        for layer, weights, steps in records:
            deltas, states = zip(*steps.values())
            value, gradient = omega(deltas, states, weights[layer], self.rnn.nonlinearity, self.squared, self.mean,
                                    self.floor)
            total += value
            gradients[layer] = gradients.get(layer, 0.0) + gradient
        for _, _, steps in records:
            steps.clear()
        self._records = []
        for layer, gradient in gradients.items():
            w = getattr(self.rnn, f"weight_hh_l{layer}")
            if lam and w.requires_grad:
                w.grad = lam * gradient if w.grad is None else w.grad + lam * gradient
        return total

    def remove(self):
        """Detach it from the RNN, and forget what has arrived; twice is harmless."""
        self._handle.remove()
        self._records = []

    def __reduce__(self):
        return type(self), (self.rnn, self.lam, self.squared, self.mean, self.floor)

    def __repr__(self):
        extra = "".join(f", {name}={value!r}" for name, value in (
            ("squared", self.squared), ("mean", self.mean), ("floor", self.floor)) if value)
        return f"Omega({self.rnn!r}, lam={self.lam:g}{extra})"

    def _weights(self):
        return [getattr(self.rnn, f"weight_hh_l{layer}")._array for layer in range(self.rnn.num_layers)]

    def _current(self):
        """Return the records of passes that were made with the weights as they are."""
        now = self._weights()
        return [record for record in self._records if all(a is b for a, b in zip(record[1], now))]

    def _begin(self, layer):
        """Return a function that writes the gradients at the states of a layer into a record of this forward pass.

        A record is (layer, weights, steps), with steps[t] = (delta, state); it counts from the first gradient on.
        """
        steps = {}
        record = layer, self._weights(), steps

        def arrived(g, t, h):
            if is_grad_enabled():                           # recorded itself: on the way to another loss
                return
            if not steps:
                self._records = [*self._current(), record]
            delta, _ = steps.get(t, (0.0, h))
            steps[t] = delta + g._array, h

        return arrived

"""What the report is made of: a row per layer or time step, and series of rows that belong together."""

import math
from dataclasses import dataclass, field

import numpy as np

from minigrad.gradient_flow.fitting import bend_of, fit


@dataclass
class Row:
    """One layer, or one time step.  None stands for what does not apply; 0, inf and NaN for what was measured.

    Attributes:
        index: layers count from 1, time steps from 0.
        name, kind: of the module, "0" and "Linear + tanh" for instance.
        width: how many entries h has in one example.
        activation: 2-norm of h over the batch.
        delta: 2-norm of dL/dh over the batch.
        gradient: 2-norm of the gradient of the layer's weights (its matrices, without biases); of a time step of
            nn.RNN that of the immediate gradient of W_hh, which summed over the steps gives the whole.
        cell: of a time step of nn.LSTM the norm of dL/dc_t.
        activation_ratio: activation here, divided by that of the row before.
        delta_ratio, gradient_ratio: delta and gradient here, divided by those of the row behind (nearer to the loss).
        saturated: share of entries of a tanh or sigmoid at which the slope is below a tenth of its largest.
        dead: share of the units of a ReLU that are 0 for the whole batch.
        zeros: share of the entries of dL/dh that are exactly 0.
        update_to_data: norm of the next update of the weights, divided by that of the weights.
        predicted: the delta that theory expects.
        log10_delta: log10 of delta; finite also where delta left the range of floats, if it could be found all the
            same by carrying the exponent apart.
        coarse: whether delta is so small that its entries have lost their digits; not fitted.
        calls: how many rows share this row's weights, whose gradient is that of all together.
    """

    index: int
    name: str
    kind: str
    width: int = 0
    activation: float | None = None
    delta: float | None = None
    gradient: float | None = None
    cell: float | None = None
    activation_ratio: float | None = None
    delta_ratio: float | None = None
    gradient_ratio: float | None = None
    saturated: float | None = None
    dead: float | None = None
    zeros: float | None = None
    update_to_data: float | None = None
    predicted: float | None = None
    log10_delta: float | None = None
    coarse: bool = False
    calls: int = 1


@dataclass
class Series:
    """Rows that follow one another: the layers of a net, or the time steps of a recurrent layer.

    Attributes:
        name: "layers", or the name of the recurrent layer.
        kind: "layer" or "step", which is the unit of the slopes.
        rows: in order of the forward pass.
        fitted: which rows the lines go through, a slice.
        slope, gradient_slope, activation_slope: a :class:`~minigrad.gradient_flow.fitting.Fit` or None: of delta and of
            the weight gradient on the way back, of the activation on the way back too.
        prediction: what theory says of it, or None.
        why_none: in words, why there is no prediction.
        notes: what else must be said of the series.
        losses: "one", or where the loss acts on several time steps: "alone", the last of them, or "all", their sum.
        bend: a :class:`~minigrad.gradient_flow.fitting.Bend` where one line does not do, at the place of a row.
        branched: whether delta does not go from row to row, as the ways branch; then there are no slopes and ratios.
        untrained: how many rows have no gradient as nothing there or before is trained.
        source: the :class:`~minigrad.gradient_flow.measuring.Steps` behind it, or None.
    """

    name: str
    kind: str
    rows: list
    fitted: slice = field(default_factory=lambda: slice(None))
    slope: object = None
    gradient_slope: object = None
    activation_slope: object = None
    prediction: object = None
    why_none: str = ""
    notes: list = field(default_factory=list)
    losses: str = "one"
    bend: object = None
    branched: bool = False
    untrained: int = 0
    source: object = field(default=None, repr=False)

    def __len__(self):
        return len(self.rows)

    def column(self, name):
        """Return a column as a float array, NaN for None."""
        values = [getattr(row, name) for row in self.rows]
        return np.array([math.nan if v is None else v for v in values], dtype=float)

    def complete(self):
        """Fill in the ratios of neighbours and fit the slopes."""
        for row in self.rows:
            if row.log10_delta is None and ordinary(row.delta):
                row.log10_delta = math.log10(row.delta)
        if self.branched:
            return self
        for before, after in zip(self.rows, self.rows[1:]):
            after.activation_ratio = ratio(after.activation, before.activation)
            before.delta_ratio = ratio(before.delta, after.delta)
            before.gradient_ratio = ratio(before.gradient, after.gradient)
        rows = self.rows[self.fitted]
        deltas, first = [None if row.coarse else row.delta for row in rows], self.fitted.start or 0
        self.slope, self.bend = shifted(fit(deltas), self.fitted), bend_of(deltas)
        self.bend = self.bend and self.bend._replace(place=self.bend.place + first)
        self.gradient_slope = shifted(fit([row.gradient for row in rows]), self.fitted)
        self.activation_slope = shifted(fit([row.activation for row in rows]), self.fitted)
        return self


def shifted(line, part):
    """Return a fit through a part of a series with places that count from the first row of all."""
    return line and line._replace(start=line.start + (part.start or 0))


def ordinary(norm):
    """Say whether a norm has a logarithm."""
    return norm is not None and 0 < norm < math.inf


def ratio(above, below):
    """Return the ratio of two norms; None where one is missing, NaN for 0/0, inf for x/0."""
    if above is None or below is None:
        return None
    with np.errstate(all="ignore"):
        return float(np.float64(above) / np.float64(below))

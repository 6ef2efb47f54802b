"""Accumulation: several micro-batches make one update."""

import math
import numbers
from reprlib import repr as brief

import numpy as np

from minigrad.hooks.protocol import HOLD, check_amount, check_count, check_keys, now, shown

LAST = ("step", "drop", "carry")
REDUCTIONS = ("mean", "sum")


class Accumulate:
    """Hold gradients back until a window of micro-batches is full, then let their mean through.

    g <- sum(w_i g_i) / sum(w_i), where w_i is the ``weight`` given to ``optimizer.step`` (the number of items
    in the micro-batch; 1 by default).  With the true sizes as weights this equals the gradient of the large batch,
    where the loss is a mean over items; it does not if layers mix the items (BatchNorm), or if something to the left
    of it, such as a clip, is not linear.  Call ``zero_grad()`` before every ``backward()``, since the sum is kept here
    and not in ``.grad``, and don't divide the loss.  It changes nothing about vanishing: every layer is treated alike.

    Args:
        every: micro-batches per window, at least 1; or a function of the step.
        reduction: "mean", or "sum" for sum(w_i g_i).
        last: what ``optimizer.flush()`` does with a window that is not full: "step" divides by the
            weights that did arrive, "drop" forgets it, "carry" keeps it for the next epoch.

    Raises:
        ValueError: for ``every`` < 1, or an unknown reduction or ``last``.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import hooks, optim
        >>> w = mg.tensor([0.0], requires_grad=True)
        >>> opt = optim.SGD([w], lr=1.0, hooks=[hooks.Accumulate(2)])
        >>> for gradient, items in (([1.0], 3), ([5.0], 1)):
        ...     w.grad = gradient
        ...     print(opt.step(weight=items).status, w.tolist())
        hold [0.0]
        step [-2.0]
    """

    role = "accumulate"

    def __init__(self, every, reduction="mean", last="step"):
        if not callable(every):
            every = window(every)
        if reduction not in REDUCTIONS:
            raise ValueError(f"reduction = {reduction!r}: choose one of {', '.join(REDUCTIONS)}")
        if last not in LAST:
            raise ValueError(f"last = {last!r}: choose one of {', '.join(LAST)}")
        self.every, self.reduction, self.last = every, reduction, last
        self.reset()

    def reset(self):
        """Forget what has been gathered."""
        self.sums, self.weights, self.count, self.dtypes = {}, 0.0, 0, {}

    def __call__(self, grads, ctx):
        if not self.weights + ctx.weight < math.inf:
            raise ValueError(f"Accumulate at update {ctx.step}: weight = {ctx.weight!r} and those before it in the "
                             f"window, {self.weights!r}, add up to no finite number; use smaller ones")
        for name, g in grads.items():
            if g is None:
                self.sums.setdefault(name, None)
                continue
            self.dtypes[name] = g.dtype
            # In float64: sums of float16 would round away small contributions, and w * g may exceed float32.
            weighted = np.multiply(g, float(ctx.weight), dtype=np.float64)
            held = self.sums.get(name)
            self.sums[name] = np.asarray(weighted if held is None else held + weighted)
        self.weights += ctx.weight
        self.count += 1
        every = window(self.every(ctx.step), now(ctx, "every")) if callable(self.every) else self.every
        if self.count < every:
            return HOLD.because(f"{self.count} of {every} micro-batches")
        ctx.note(status="window")
        return self.release()

    def release(self):
        """Return the accumulated gradient and start a new window."""
        divisor = self.weights if self.reduction == "mean" else 1.0
        # A sum of float16 need not fit into float16; the parameter's dtype comes last of all, with the update.
        out = {name: None if s is None else np.asarray(s / divisor).astype(np.promote_types(self.dtypes[name], "f4"))
               for name, s in self.sums.items()}
        self.reset()
        return out

    def flush(self):
        """Return the gradient of a window that is not full, or None if there is none to apply."""
        if not self.count or self.last == "carry":
            return None
        if self.last == "drop":
            self.reset()
            return None
        return self.release()

    def state_dict(self):
        """Return what has been gathered, to be given back with :meth:`load_state_dict`."""
        return {"sums": dict(self.sums), "weights": self.weights, "count": self.count, "dtypes": dict(self.dtypes)}

    def load_state_dict(self, state):
        """Take up a state that :meth:`state_dict` returned.

        Raises:
            ValueError: if it is none; nothing has changed then.
        """
        check_keys("Accumulate", state, ("sums", "weights", "count", "dtypes"))
        check_gathered(state["sums"], state["dtypes"])
        check_amount(state["weights"], "Accumulate: weights")
        check_count(state["count"], "Accumulate: count")
        if not state["count"] and (state["sums"] or state["weights"]):
            raise ValueError(f"Accumulate: count = 0, but weights = {state['weights']!r}, and sums has "
                             f"{brief(list(state['sums']))}: without a micro-batch nothing has been gathered")
        if state["count"] and not (state["sums"] and state["weights"]):
            raise ValueError(f"Accumulate: count = {state['count']}, but weights = {state['weights']!r}, and sums has "
                             f"{brief(list(state['sums']))}: so many micro-batches leave something")
        self.sums, self.dtypes = dict(state["sums"]), dict(state["dtypes"])
        self.weights, self.count = state["weights"], state["count"]

    def __repr__(self):
        extra = "" if self.reduction == "mean" else f", reduction={self.reduction!r}"
        return f"Accumulate({shown(self.every)}{extra}{'' if self.last == 'step' else f', last={self.last!r}'})"


def check_gathered(sums, dtypes):
    """Refuse what are no sums of gradients by the names of parameters, and the dtypes these had; look at no element."""
    for key, value in (("sums", sums), ("dtypes", dtypes)):
        if not isinstance(value, dict):
            raise ValueError(f"Accumulate: {key} = {brief(value)}: must be a dict with the names of parameters")
    for name, s in sums.items():
        if s is not None and not (isinstance(s, np.ndarray) and s.dtype.kind == "f"):
            raise ValueError(f"Accumulate: sums[{name!r}] = {brief(s)}: must be an array of floats, or None")
    for name, dtype in dtypes.items():
        if not isinstance(dtype, np.dtype) or dtype.kind not in "fiub":
            raise ValueError(f"Accumulate: dtypes[{name!r}] = {brief(dtype)}: must be the dtype of a gradient")
    if dtypes.keys() != {name for name, s in sums.items() if s is not None}:
        raise ValueError(f"Accumulate: dtypes has {brief(list(dtypes))}, and sums {brief(list(sums))}: each sum "
                         f"that is not None has a dtype")


def window(every, what="every"):
    """Return the length of a window, checked."""
    if isinstance(every, bool) or not isinstance(every, numbers.Real) or not every >= 1 or every % 1 != 0:
        raise ValueError(f"{what} = {every!r}: a window holds a whole number of micro-batches, at least 1")
    return int(every)

"""The finite check: what to do with a gradient that holds NaN or inf."""

import math

import numpy as np

from minigrad.hooks.protocol import SKIP, Stateful, check_count, whole

POLICIES = ("raise", "skip", "zero", "propagate")


class NonFinite(Stateful):
    """Decide what happens to a gradient that is not finite; it never passes silently.

    Args:
        policy: "raise" a FloatingPointError that names the parameters, with nothing changed; "skip" this gradient;
            "zero" the elements that are not finite; "propagate" it, as frameworks do by default.
        max_consecutive: after so many skips in a row, the next one raises: a run that only
            skips is not training.  A whole number, or inf.

    Raises:
        ValueError: for an unknown policy, or a ``max_consecutive`` that is no whole number >= 1.

    Example:
        >>> import numpy as np
        >>> from minigrad.hooks import NonFinite, apply_hooks
        >>> grads = {"w": np.array([np.nan, 2.0])}
        >>> apply_hooks([NonFinite("skip")], grads)
        Verdict(status='skip', reason='not finite: w (1 NaN of 2)')
        >>> apply_hooks([NonFinite("zero")], grads)
        {'w': array([0., 2.])}
    """

    role = "finite"
    remembers = {"consecutive": 0}

    def __init__(self, policy="raise", max_consecutive=10):
        if policy not in POLICIES:
            raise ValueError(f"policy = {policy!r}: choose one of {', '.join(POLICIES)}")
        endless = isinstance(max_consecutive, float) and max_consecutive == math.inf
        self.policy, self.max_consecutive = policy, math.inf if endless else whole(max_consecutive, "max_consecutive")

    def __call__(self, grads, ctx):
        found = {} if math.isfinite(ctx.norm) else non_finite(grads)
        if not found:
            self.consecutive = 0
            return grads
        text = describe(found)
        if self.policy == "raise":
            raise FloatingPointError(
                f"the gradient is not finite at update {ctx.step}: {text}. No parameter has been changed. Clip earlier "
                f"(inside the backward pass), lower the learning rate, or choose NonFinite(policy='skip')")
        if self.policy == "skip":
            if self.consecutive >= self.max_consecutive:
                raise FloatingPointError(
                    f"{self.consecutive} gradients in a row were not finite and were skipped, and so would be this "
                    f"one: {text}. The parameters themselves may have overflowed")
            self.consecutive += 1
            return SKIP.because(f"not finite: {text}")
        ctx.note(reason=f"not finite: {text}")
        if self.policy == "zero":
            return {name: np.where(np.isfinite(g), g, g.dtype.type(0)) if name in found else g
                    for name, g in grads.items()}
        return grads

    def check_state(self, state):
        check_count(state["consecutive"], "NonFinite: consecutive")

    def __repr__(self):
        extra = "" if self.max_consecutive == 10 else f", max_consecutive={self.max_consecutive}"
        return f"NonFinite({self.policy!r}{extra})"


def non_finite(grads):
    """Return for each parameter whose gradient is not finite how many elements are NaN, inf, and all."""
    found = {}
    for name, g in grads.items():
        if g is not None and not np.isfinite(g).all():
            found[name] = (int(np.isnan(g).sum()), int(np.isinf(g).sum()), g.size)
    return found


def describe(found):
    """Return a line that names the parameters and counts what is wrong with them."""
    parts = []
    for name, (nan, inf, size) in found.items():
        counts = [f"{n} {what}" for n, what in ((nan, "NaN"), (inf, "inf")) if n]
        parts.append(f"{name} ({', '.join(counts)} of {size})")
    return ", ".join(parts)

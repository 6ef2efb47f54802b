"""Noise on the gradient, which fades as training goes on."""

import math
import numbers

import numpy as np

from minigrad.hooks.protocol import Stateful, check_keys, now, positive, shown


class AddNoise(Stateful):
    """Add normal noise to each element of the gradient, with a variance that falls with the updates made.

    g <- g + sigma n,  sigma^2 = eta / (1 + t)^gamma,  n standard normal, t = updates made
    (Neelakantan, Vilnis, Le, Sutskever, Kaiser, Kurach, Martens 2015, who try eta = 0.01, 0.3 and 1).

    It helps to leave a bad start; it does not scale with the gradient: the same sigma drowns a vanished gradient and is
    nothing to an exploded one.  It is not the noise of differential privacy.  A gradient of zero gets noise, a missing
    one does not, and NaN and inf stay.

    Each step draws one number from ``rng``; that and the parameter's name seed the noise of the parameter.  So it does
    not depend on what other parameters there are, on their order, or on whether they have a gradient; nor on the dtype:
    it is drawn in float64 and rounded with the sum.

    Args:
        eta: the variance at the first step, a number > 0, or a function of the step.
        gamma: how fast it falls, a number >= 0; 0 keeps it.
        rng: a NumPy Generator, or a seed for one of its own.  Its state is part of this hook's: a step that raises
            gives it back, and loading a state sets it.

    Raises:
        ValueError: for eta or gamma out of its range, or a seed below 0.
        TypeError: if rng is neither a Generator nor a whole number.

    On record: ``sigma``.

    Example:
        >>> import numpy as np
        >>> from minigrad.hooks import AddNoise, apply_hooks
        >>> noisy = apply_hooks([AddNoise(0.01, rng=3)], {"w": np.zeros(1000)})
        >>> round(float(noisy["w"].std()), 2)
        0.1
    """

    role = "noise"

    def __init__(self, eta=0.01, gamma=0.55, rng=0):
        self.eta = eta if callable(eta) else positive(eta, "eta", finite=True)
        if isinstance(gamma, bool) or not isinstance(gamma, numbers.Real) or not 0 <= gamma < math.inf:
            raise ValueError(f"gamma = {gamma!r}: must be a number >= 0")
        self.gamma = float(gamma)
        if isinstance(rng, (bool, np.bool)) or not isinstance(rng, (np.random.Generator, numbers.Integral)):
            raise TypeError(f"rng is a numpy.random.Generator or a seed, a whole number, not {rng!r}")
        self.seed = None if isinstance(rng, np.random.Generator) else int(rng)
        self.rng = rng if self.seed is None else np.random.default_rng(self.seed)
        self.first = self.state_dict()

    def __call__(self, grads, ctx):
        eta = positive(self.eta(ctx.step), now(ctx, "eta"), finite=True) if callable(self.eta) else self.eta
        sigma = math.sqrt(eta * (1.0 + ctx.step) ** -self.gamma)
        ctx.note(sigma=sigma)
        key = int(self.rng.integers(2 ** 63))
        return {name: None if g is None else (g + sigma * drawn(key, name, g.shape)).astype(g.dtype)
                for name, g in grads.items()}

    def reset(self):
        """Draw the same numbers again, from the first on."""
        self.load_state_dict(self.first)

    def state_dict(self):
        """Return the state of the generator, for :meth:`load_state_dict`."""
        return {"rng": self.rng.bit_generator.state}

    def load_state_dict(self, state):
        """Take up what :meth:`state_dict` returned.

        Raises:
            ValueError: if it is of another kind of hook or generator; nothing has changed then.
        """
        check_keys("AddNoise", state, ("rng",))
        mine = self.rng.bit_generator
        kind = state["rng"].get("bit_generator") if isinstance(state["rng"], dict) else state["rng"]
        if kind != mine.state["bit_generator"]:
            raise ValueError(f"AddNoise: this state is of a generator {kind!r}; rng= is a {type(mine).__name__}")
        mine.state = state["rng"]

    def __repr__(self):
        rng = self.seed if self.seed is not None else self.rng
        return f"AddNoise({shown(self.eta)}, gamma={self.gamma!r}, rng={rng})"


def drawn(key, name, shape):
    """Return standard normal numbers that a number and a name determine."""
    return np.random.default_rng([key, *str(name).encode()]).standard_normal(shape)

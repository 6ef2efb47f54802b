"""The sealed runs of tutorial 08: six trainings on digits, of which only the instruments are shown.

What is wrong with each, if anything, stands nowhere in words.  The settings are drawn by a generator that starts from
SALT and the name of the run; the diagnoses are kept as hashes.  This is a seal and not a vault: whoever reads this page
can run the generator, and whoever tries all diagnoses on a run finds the one whose hash fits, in a second.  It keeps
an honest reader from seeing the answer by accident, and costs a cheat more thought than an honest look at the
instruments.  An instructor gets other runs with another SALT, and new SEALS from :func:`seal`.
"""

import functools
import hashlib

import numpy as np

from minigrad import hooks, nn, optim, tasks
from minigrad.gradient_flow import flow
from minigrad.recording import no_grad
from minigrad.trace import NormTrace

SALT, ROUNDS = "clinic 5", 100_000
"""What the runs and the seals begin with; how often a seal is hashed."""

DIAGNOSES = (
    "clip threshold too low", "dead units", "exploding: gain too large", "healthy", "rate too high", "rate too low",
    "saturated: inputs too large", "vanishing: gain too small",
)
"""All that may be said of a run."""

SEALS = {
    "A": "d0903de196db7abb79f80f632039b9d2",
    "B": "68887fde0c90e20e6527140a1e79abb7",
    "C": "c0df28a4929c75c6276371f693fdfb53",
    "D": "a6da162cd34d58a31a1eed824f4911c9",
    "E": "adb12ddf1e5e64eaa9d97d0fba04fd1e",
    "F": "d38ff4b7e87cb84559f6907f1abbd69a",
}
"""Name of a run -> the hash of its diagnosis."""

DEPTH, WIDTH, BATCH, UPDATES = 12, 32, 64, 150


class SealedRun:
    """A training run as its instruments show it.

    Attributes:
        name: "A", "B", ...
        trace: the :class:`minigrad.NormTrace` of all updates, with losses, norms before and after hooks, and ratios of
            update to data.
        start, end: what :func:`minigrad.flow` found before the first update, and after the last: delta, weight
            gradient, shares of saturated and dead units per layer.
        right: share of unseen digits that the net gets right in the end; guessing gives 0.1.
    """

    def __init__(self, name, trace, start, end, right):
        self.name, self.trace, self.start, self.end, self.right = name, trace, start, end, right

    def __repr__(self):
        losses = self.trace.column("loss", stage=0)
        return (f"SealedRun({self.name!r}: {len(losses)} updates, loss {losses[0]:.2f} at first, {losses[-1]:.2f} at "
                f"last; {self.right:.0%} right)")

    def __deepcopy__(self, memo):
        return self


@functools.cache
def sealed_runs():
    """Return the sealed runs: a dict name -> :class:`SealedRun`.

    They are trained when first asked for, which takes a few seconds, with the same outcome each time.

    Example:
        >>> runs = sealed_runs()
        >>> sorted(runs)
        ['A', 'B', 'C', 'D', 'E', 'F']
        >>> len(runs["A"].trace.column("loss", stage=0))
        150
    """
    return {name: train(name, **settings_of(name)) for name in "ABCDEF"}


def settings_of(name, salt=SALT):
    """Return the settings of a run, drawn."""
    rng = np.random.default_rng(list(hashlib.sha256(f"{salt} {name}".encode()).digest()))
    relu = bool(rng.integers(2))
    usual = 2 ** 0.5 if relu else 1.33
    out = {"seed": int(rng.integers(1000)), "relu": relu, "gain": usual, "bias": 0.0, "scale": 1.0, "clip": 5.0,
           "lr": float(rng.uniform(0.03, 0.06) if relu else rng.uniform(0.06, 0.12))}
    change = [
        lambda: {"gain": usual * rng.uniform(2.6, 3.2)},
        lambda: {"lr": 10 ** rng.uniform(-4.2, -3.9)},
        lambda: {"clip": 10 ** rng.uniform(-3.3, -2.9)},
        lambda: {"scale": rng.uniform(40, 80), "relu": False, "gain": 1.33, "lr": 0.05},
        lambda: {},
        lambda: {"bias": rng.uniform(-0.8, -0.6), "relu": True, "gain": 2 ** 0.5},
        lambda: {"lr": rng.uniform(1.5, 3.0), "relu": False, "gain": 1.33, "clip": 1000.0},
        lambda: {"gain": usual * rng.uniform(0.4, 0.5)},
    ][rng.integers(8)]()
    return out | {key: value if isinstance(value, bool) else float(value) for key, value in change.items()}


def train(name, seed, relu, gain, bias, scale, clip, lr):
    """Train one net on digits, by plain gradient descent with a clip; return what the instruments saw."""
    rng = np.random.default_rng(seed)
    digits, unseen = tasks.digits("train"), tasks.digits("test")
    x, test = (scale * (2 * d.x.reshape(len(d), -1) - 1) for d in (digits, unseen))
    modules = []
    for k in range(DEPTH):
        layer = nn.Linear(WIDTH if k else x.shape[1], WIDTH, rng=rng)
        nn.init.normal_(layer.weight, std=gain / layer.in_features ** 0.5, rng=rng)
        nn.init.constant_(layer.bias, bias)
        modules += [layer, nn.ReLU() if relu else nn.Tanh()]
    net, trace = nn.Sequential(*modules, nn.Linear(WIDTH, 10, rng=rng)), NormTrace()
    opt = optim.SGD(net.parameters(), lr=lr, hooks=[hooks.ClipNorm(clip)], trace=trace)

    def look():
        return flow(net, nn.functional.cross_entropy, (x[:BATCH], digits.y[:BATCH]), optimizer=opt)

    start = look()
    for _ in range(UPDATES):
        chosen = rng.integers(len(x), size=BATCH)
        opt.zero_grad()
        loss = nn.functional.cross_entropy(net(x[chosen]), digits.y[chosen])
        loss.backward()
        opt.step(loss=loss)
    with no_grad():
        right = float((net(test).data.argmax(axis=1) == unseen.y).mean())
    return SealedRun(name, trace, start, look(), right)


def seal(name, diagnosis, salt=SALT):
    """Return the hash of a diagnosis of a run.

    Example:
        >>> seal("A", DIAGNOSES[0]) == seal("B", DIAGNOSES[0])
        False
    """
    return hashlib.pbkdf2_hmac("sha256", diagnosis.encode(), f"{salt} {name}".encode(), ROUNDS).hex()[:32]

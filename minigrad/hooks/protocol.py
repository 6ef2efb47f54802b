"""What a hook is given, and what it may answer.

A hook is any callable ``hook(grads, ctx)``:

* ``grads`` is a dict, parameter name -> array, or None where no gradient arrived.  The arrays are read-only: a
  hook returns new ones and never writes ``p.grad``, so that what backward produced can be compared
  with what was applied;
* ``ctx`` is a :class:`Context`;
* the answer is such a dict again (None leaves a parameter and its moments alone), or ``HOLD`` (no update yet), or
  ``SKIP`` (drop this gradient).

    def halve(grads, ctx):
        return {name: g if g is None else g * 0.5 for name, g in grads.items()}

    optim.SGD(net.parameters(), lr=0.1, hooks=[halve])

A hook that remembers something derives from :class:`Stateful` and says what, and with which value it begins:

    class Count(hooks.Stateful):
        remembers = {"seen": 0}
        def __call__(self, grads, ctx):
            self.seen += 1
            return grads

It gets back what it had where a step raises, is saved and loaded with its optimizer, and serves one optimizer at a
time.
"""

import copy
import math
import numbers
from dataclasses import dataclass, field
from reprlib import repr as brief

import numpy as np


@dataclass(frozen=True)
class Verdict:
    """An answer other than a gradient: ``HOLD`` or ``SKIP``, with a reason."""

    status: str
    reason: str = ""

    def because(self, reason):
        """Return the same verdict with a reason, for the report and the trace."""
        return Verdict(self.status, reason)


HOLD = Verdict("hold")
"""No update yet; the gradient is being kept (an accumulation window that is not full)."""

SKIP = Verdict("skip")
"""Drop this gradient: no update, and no counter of updates advances.

From an update hook it gives the update hooks to its left their states back, for what they saw does not happen.
"""


@dataclass(slots=True)
class Stage:
    """What one hook did to the gradient in one step.

    ``index`` is 0 for the gradient as it came, then counts the hooks, the update hooks and the update through.
    ``norm_in`` and ``norm_out`` are p-norms with this ``p``.  ``coefficient`` is norm_out / norm_in, the factor where
    the hook scales, and ``cosine`` that of the angle between what came in and what went out: 1 where only the
    length was changed.  ``nan``, ``inf`` and ``zero`` count elements of what came in, ``missing``
    counts parameters without a gradient.  None means not applicable, or not measured (the counts are
    taken when a trace is attached).  ``extra`` holds whatever else a hook noted; ``group`` names the parameter group
    whose own hook it is, "" for a hook of all parameters; ``data`` is, of the update and with a trace attached, the
    norm of the parameters that it moves, before it.
    """

    hook: str
    place: str = "gradient"
    index: int = 0
    status: str = "pass"
    reason: str = ""
    p: float = 2.0
    norm_in: float | None = None
    norm_out: float | None = None
    coefficient: float | None = None
    cosine: float | None = None
    threshold: float | None = None
    nan: int | None = None
    inf: int | None = None
    zero: int | None = None
    missing: int | None = None
    parameters: dict = field(default_factory=dict)
    extra: dict = field(default_factory=dict)
    group: str = ""
    data: float | None = None

    @property
    def clipped(self):
        """Whether this stage has a threshold and acted."""
        return self.threshold is not None and self.coefficient is not None and self.coefficient < 1


class Stateful:
    """A hook with a memory; a new one names what it remembers, and with which values it begins.

    ``remembers`` is a dict, attribute -> first value.  The attributes are there before ``__init__`` runs, and what they
    hold must be something that :func:`minigrad.save` can save: numbers, strings, arrays, and dicts, lists and tuples of
    these.

    Raises:
        TypeError: where a class is defined whose ``remembers`` is no dict.

    Example:
        >>> import numpy as np
        >>> from minigrad.hooks import Stateful, apply_hooks
        >>> class Smooth(Stateful):
        ...     remembers = {"mean": None}
        ...     def __call__(self, grads, ctx):
        ...         self.mean = grads["w"] if self.mean is None else 0.9 * self.mean + 0.1 * grads["w"]
        ...         return {"w": self.mean}
        >>> smooth = Smooth()
        >>> for g in (1.0, 2.0):
        ...     out = apply_hooks([smooth], {"w": np.array([g])})
        >>> smooth.state_dict()
        {'mean': array([1.1])}
    """

    remembers = {}

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if not isinstance(cls.remembers, dict):
            raise TypeError(f"{cls.__name__}: remembers = {brief(cls.remembers)} is no dict; write each attribute with "
                            f'its first value: remembers = {{"seen": 0}}')

    def __new__(cls, *args, **kwargs):
        self = super().__new__(cls)
        Stateful.reset(self)
        return self

    def reset(self):
        """Forget everything: begin again."""
        for name, value in self.remembers.items():
            setattr(self, name, copied(value))

    def state_dict(self):
        """Return what the hook remembers, a copy, for :meth:`load_state_dict`."""
        return {name: copied(getattr(self, name)) for name in self.remembers}

    def load_state_dict(self, state):
        """Take up what :meth:`state_dict` returned.

        Raises:
            ValueError: if it is of another kind of hook, or :meth:`check_state` refuses it; nothing has changed then.
        """
        check_keys(hook_name(self), state, self.remembers)
        self.check_state(state)
        for name in self.remembers:
            setattr(self, name, copied(state[name]))

    def check_state(self, state):
        """Raise ValueError for values that this hook cannot have remembered; all its keys are there, and no other.

        It is called before anything is taken up, also where a step is undone: so it should be quick.  By default it
        refuses nothing.
        """

    def __repr__(self):
        return f"{type(self).__name__}()"


def copied(value):
    """Return a copy of what a hook remembers: of containers and arrays, all the way down."""
    if isinstance(value, np.ndarray):
        return value.copy(order="K")            # as it lies in memory: a product may depend on it
    if isinstance(value, (int, float, str, bool, type(None), np.dtype)):
        return value
    if type(value) is dict:
        return {key: copied(inner) for key, inner in value.items()}
    if type(value) in (list, tuple):
        return type(value)(copied(inner) for inner in value)
    return copy.deepcopy(value)


def check_keys(what, given, wanted):
    """Refuse what is no dict with exactly the wanted keys, saying which are missing and which are odd."""
    if not isinstance(given, dict):
        raise ValueError(f"{what}: a dict is wanted, not {brief(given)}")
    missing = ", ".join(repr(key) for key in wanted if key not in given)
    odd = [repr(key) for key in given if key not in wanted]
    odd = ", ".join([*odd[:5], f"{len(odd) - 5} more"] if len(odd) > 6 else odd)
    if missing or odd:
        parts = [f"{verb} {keys}" for verb, keys in (("lacks", missing), ("has", odd)) if keys]
        raise ValueError(f"{what}: the dict {' and '.join(parts)}; it is of another kind, or of another version")


@dataclass(slots=True)
class Context:
    """What a hook may know about the step it is called in.

    Attributes:
        step: updates made so far (skipped and held micro-batches do not count).
        micro_step: calls of ``optimizer.step`` before this one.
        weight: how many items the micro-batch has, as given to ``step(weight=)``.
        lr: the learning rate; of several parameter groups, the first one's.
        params: parameter name -> its array, read-only.
        norm: the 2-norm of the gradient that arrives at this hook.
        stage: the record of this hook's stage, where it may note what it measured.
    """

    step: int
    micro_step: int
    weight: float
    lr: float
    params: dict = field(repr=False)
    norm: float
    stage: Stage | None = field(default=None, repr=False)

    def note(self, **measured):
        """Put what a hook knows better into the record of its stage: ``ctx.note(threshold=c)``."""
        for key, value in measured.items():
            if key in Stage.__slots__:
                setattr(self.stage, key, value)
            else:
                self.stage.extra[key] = value


@dataclass(slots=True)
class StepReport:
    """What ``optimizer.step`` did.

    Attributes:
        status: "step" (parameters were updated), "hold" or "skip".
        reason: why, where it is not "step".
        step: updates made before this call.
        micro_step: calls made before this one.
        weight, lr, loss: as given to the call.
        stages: one :class:`Stage` per place: "backward" first (the gradient as it came), then each hook, then
            each update hook.
    """

    status: str
    reason: str
    step: int
    micro_step: int
    weight: float
    lr: float
    loss: float | None
    stages: list

    @property
    def norm(self):
        """The 2-norm of the gradient that backward produced."""
        return self.stages[0].norm_in

    def __str__(self):
        lines = [f"{self.status}{f': {self.reason}' if self.reason else ''} (update {self.step})"]
        for s in self.stages:
            where = s.group or ("update" if s.place == "update" and s.hook not in ("decay", "update") else "")
            name = f"{s.hook} ({where})" if where else s.hook
            if s.norm_out is None:
                lines.append(f"  {name}: norm {s.norm_in:.6g}, {s.status} {s.reason}".rstrip())
            elif s.hook in ("backward", "flush", "update"):
                lines.append(f"  {name}: norm {s.norm_in:.6g}")
            else:
                factor = "" if s.coefficient is None else f", coefficient {s.coefficient:.6g}"
                angle = "" if s.cosine is None else f", cosine {s.cosine:.6g}"
                lines.append(f"  {name}: norm {s.norm_in:.6g} -> {s.norm_out:.6g}{factor}{angle}")
        return "\n".join(lines)


def hook_name(hook):
    """Return the name under which a hook appears in reports, traces and errors."""
    name = getattr(hook, "name", None) or getattr(hook, "__name__", None)
    return name if isinstance(name, str) else type(hook).__name__


def shown(setting):
    """Return how a setting that may be a function of the step appears in a repr."""
    return getattr(setting, "__name__", "function") if callable(setting) else repr(setting)


def threshold_at(threshold, ctx):
    """Return a threshold that may be a number or a function of the step, checked."""
    return positive(threshold(ctx.step) if callable(threshold) else threshold, now(ctx, "threshold"))


def now(ctx, what):
    """Return how an error names what a function of the step returned: with the hook and the step."""
    return f"{f'{ctx.stage.hook} ' if ctx.stage else ''}at update {ctx.step}: {what}"


def positive(value, what, finite=False):
    """Return ``value`` as a float if it is a number > 0 (inf included unless ``finite``), else raise ValueError."""
    if isinstance(value, (str, bytes, bool)) or not hasattr(value, "__float__"):
        raise ValueError(f"{what} must be a number > 0, not {value!r}")
    number = float(value)
    if not number > 0 or (finite and number == float("inf")):
        raise ValueError(f"{what} = {value!r}: must be > 0{' and finite' if finite else ''}")
    return number


def whole(value, what):
    """Return a whole number >= 1 as an int, checked; 3.0 is one."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not 1 <= value < math.inf or value % 1:
        raise ValueError(f"{what} = {value!r}: must be a whole number, at least 1")
    return int(value)


def check_count(value, what):
    """Refuse a value in a state that is no count of something."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < 0:
        raise ValueError(f"{what} = {brief(value)}: must be a whole number, at least 0")


def check_amount(value, what, above=False):
    """Refuse a value in a state that is no finite number >= 0, or > 0 if ``above``."""
    real = isinstance(value, numbers.Real) and not isinstance(value, (bool, np.bool))
    if not real or not 0 <= value < math.inf or (above and value == 0):
        raise ValueError(f"{what} = {brief(value)}: must be a finite number {'>' if above else '>='} 0")

"""Whether operations are written on the tape: ``no_grad`` and ``enable_grad``."""

import functools
import inspect
from contextvars import ContextVar

RECORDING = ContextVar("minigrad_recording", default=True)
"""The mode, per thread and per asynchronous task: evaluating in one must not stop another's training."""


class no_grad:
    """Run a block, or a decorated function, without writing on the tape.

    Example:
        >>> import minigrad as mg
        >>> p = mg.tensor(1.0, requires_grad=True)
        >>> with mg.no_grad():
        ...     p -= 0.5
        >>> p
        tensor(0.5, requires_grad=True)
    """

    _mode = False

    def __new__(cls, fn=None):
        self = super().__new__(cls)
        return self if fn is None else self(fn)         # @mg.no_grad and @mg.no_grad() are both decorators

    def __call__(self, fn):
        if inspect.isgeneratorfunction(fn) or inspect.iscoroutinefunction(fn):
            raise TypeError(f"{type(self).__name__} as a decorator of {fn.__name__} would have no effect when its body "
                            f"runs later; write `with mg.{type(self).__name__}():` inside it")

        @functools.wraps(fn)
        def decorated(*args, **kwargs):
            with type(self)():
                return fn(*args, **kwargs)

        return decorated

    def __enter__(self):
        self._tokens = (*getattr(self, "_tokens", ()), RECORDING.set(self._mode))
        return self

    def __exit__(self, *_):
        *rest, token = self._tokens
        self._tokens = tuple(rest)
        RECORDING.reset(token)
        return False


class enable_grad(no_grad):
    """Write on the tape again inside a ``no_grad`` block."""

    _mode = True


inference_mode = no_grad


def is_grad_enabled():
    """Say whether operations are being written on the tape."""
    return RECORDING.get()



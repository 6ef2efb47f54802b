"""Data without a download, behind one small interface.

| page | what |
|---|---|
| ``text`` | ``CharTask`` over ``zen()``, ``topics()`` or ``read_text(path)``: predict the next character |
| ``sequences`` | generated: ``Adding``, ``TemporalOrder``, ``Copy``, ``Parity``, ``Waves`` |
| ``images`` | ``digits()``, 1797 of them, in the package; ``mnist(folder)`` from files that you have; ``resize`` |
| ``idx`` | ``read_idx``, ``write_idx``: the format of MNIST's files |

Every task has

- ``sample(rng, batch=None) -> (x, y)``: examples as NumPy arrays, drawn by ``rng`` (a numpy.random.Generator; without
  one, minigrad's default generator), ``batch`` of them, or as many as the task was made for.  They are the caller's
  own.  Sequences are time-major, x (T, B, inputs); images are x (B, 1, height, width).
- ``name``, and ``inputs`` and ``outputs``: numbers per step or image that go in, numbers that a net must give.
- ``kind``: "classes", where y holds integers below ``outputs``, or "numbers", where y ends in an axis of ``outputs``.
- ``every_step``: whether there is a target at each step, y (T, B), or one per example, y (B,) or (B, outputs).
- ``baseline``: the loss of the best guess that does not look at x, in nats (classes) or as mean squared error
  (numbers); where there is a target at each step, the mean over steps, and the guess may know the step.  A net whose
  loss stays there has learnt nothing that matters.

Finite sets are ``Examples``: they have all of it in ``x`` and ``y`` too, a length, and ``split(fraction, rng)``.

Example:
    >>> import numpy as np
    >>> from minigrad import tasks
    >>> for task in (tasks.Adding(100), tasks.TemporalOrder(50), tasks.digits()):
    ...     x, y = task.sample(np.random.default_rng(0), batch=8)
    ...     print(task.name, x.shape, y.shape, task.kind, round(task.baseline, 4))
    adding (100, 8, 2) (8, 1) numbers 0.1667
    temporal order (50, 8, 6) (8,) classes 1.3863
    digits (8, 1, 8, 8) (8,) classes 2.3025
"""

from minigrad.tasks.idx import read_idx, write_idx
from minigrad.tasks.images import digits, mnist, resize
from minigrad.tasks.interface import DataError, Examples, Task
from minigrad.tasks.sequences import Adding, Copy, Parity, TemporalOrder, Waves
from minigrad.tasks.text import CharTask, TextError, read_text, topics, zen

__all__ = [
    "Adding", "CharTask", "Copy", "DataError", "Examples", "Parity", "Task", "TemporalOrder", "TextError", "Waves",
    "digits", "mnist", "read_idx", "read_text", "resize", "topics", "write_idx", "zen",
]

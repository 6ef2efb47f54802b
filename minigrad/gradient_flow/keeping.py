"""A forward pass that leaves no trace: what it moves in a model is put back when it is over."""

from contextlib import contextmanager

import numpy as np

from minigrad.seeding import generator


@contextmanager
def left_alone(*models):
    """Put back, when the block ends or raises, whatever a forward pass may have moved in these modules.

    That is: the values and gradients of parameters and buffers (BatchNorm's running statistics), all attributes (a
    state that is carried over, a counter, the training mode), the contents of arrays among them, and the generators
    that dropout draws from, the default one included.  What a forward pass puts into a list or dict of its own stays.
    """
    modules = list(dict.fromkeys(module for model in models for module in model.modules()))
    attributes = [(module, dict(vars(module))) for module in modules]
    values = [value for _, held in attributes for value in held.values()]
    tensors = {id(t): t for model in models for _, t in (*model.named_parameters(), *model.named_buffers())}
    arrays = [(t, t._array, t._grad, None if t._grad is None else getattr(t._grad, "_array", None))
              for t in tensors.values()]
    contents = [(a, a.copy()) for a in values if isinstance(a, np.ndarray) and a.flags.writeable]
    generators = {id(g): g for g in (generator(), *values) if isinstance(g, np.random.Generator)}
    drawn = [(g, g.bit_generator.state) for g in generators.values()]
    try:
        yield
    finally:
        for module, held in attributes:
            vars(module).clear()
            vars(module).update(held)
        for t, array, grad, inside in arrays:
            t._array, t._grad = array, grad
            if inside is not None:
                grad._array = inside
        for array, content in contents:
            array[...] = content
        for g, state in drawn:
            g.bit_generator.state = state

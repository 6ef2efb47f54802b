"""Tensors made from nothing: zeros, ones, ranges, random numbers; the names are PyTorch's.

Random ones draw from the generator that ``mg.manual_seed`` seeds, or from the one given as ``rng=`` (``generator=``).
float64 unless a dtype is given.
"""

import numpy as np

from minigrad.methods.common import as_tensor
from minigrad.methods.shape import sizes
from minigrad.methods.types import only_cpu
from minigrad.seeding import generator as chosen
from minigrad.tensor import Tensor, result

DTYPES = {
    "float16": np.float16, "half": np.float16, "float32": np.float32, "float": np.float32, "float64": np.float64,
    "double": np.float64, "int8": np.int8, "int16": np.int16, "int32": np.int32, "int": np.int32, "int64": np.int64,
    "long": np.int64, "uint8": np.uint8, "bool": np.bool_,
}
"""PyTorch's names of dtypes; each is NumPy's own (``mg.float`` is float32, as in PyTorch)."""


def made(array, dtype, requires_grad, device=None):
    """Return a leaf that owns this array."""
    if device is not None:
        only_cpu(device)
    array = np.asarray(array, dtype)
    return Tensor(array, requires_grad=True) if requires_grad else result(array)


def filled(value, name, doc):
    """Return the constructor of tensors that hold one value."""
    def constructor(*sides, size=None, dtype=None, requires_grad=False, device=None):
        dtype = float if dtype is None else dtype
        shape = sizes(sides) if size is None else size
        return made(np.full(shape, value, dtype), dtype, requires_grad, device)
    constructor.__name__ = constructor.__qualname__ = name
    constructor.__doc__ = doc + "; ``(2, 3)`` as one argument or two."
    return constructor


zeros = filled(0, "zeros", "Return zeros of a shape")
ones = filled(1, "ones", "Return ones of a shape")
empty = filled(0, "empty", "Return a tensor of a shape, to be filled later (with zeros: the same each time)")


def full(size, fill_value, dtype=None, requires_grad=False, device=None):
    """Return a shape filled with one value, in the value's own kind of number unless a dtype is given."""
    return made(np.full(size, fill_value, dtype), dtype, requires_grad, device)


def like(constructor):
    """Return the constructor that takes shape and dtype from another tensor."""
    def method(other, dtype=None, requires_grad=False, device=None):
        other = as_tensor(other)
        return constructor(*other.shape, dtype=dtype or other.dtype, requires_grad=requires_grad, device=device)
    method.__name__ = method.__qualname__ = f"{constructor.__name__}_like"
    method.__doc__ = f"Return what {constructor.__name__} returns, in the shape and dtype of another tensor."
    return method


def full_like(other, fill_value, dtype=None, requires_grad=False, device=None):
    """Return a tensor of another's shape and dtype filled with one value."""
    other = as_tensor(other)
    return full(other.shape, fill_value, dtype or other.dtype, requires_grad, device)


def drawn(draw, name, doc):
    """Return the constructor of random tensors."""
    def constructor(*sides, size=None, dtype=None, requires_grad=False, device=None, rng=None, generator=None):
        array = draw(chosen(generator if rng is None else rng), sizes(sides) if size is None else size)
        return made(array, float if dtype is None else dtype, requires_grad, device)
    constructor.__name__ = constructor.__qualname__ = name
    constructor.__doc__ = doc
    return constructor


rand = drawn(lambda rng, size: rng.random(size), "rand", "Return numbers drawn uniformly from [0, 1).")
randn = drawn(lambda rng, size: rng.standard_normal(size), "randn", "Return standard normal numbers.")


def normal(mean=0.0, std=1.0, size=None, requires_grad=False, dtype=None, rng=None, generator=None):
    """Return normal numbers; ``mean`` and ``std`` are numbers with a ``size``, or arrays or tensors of one shape."""
    mean, std = (as_tensor(x)._array for x in (mean, std))
    return made(chosen(generator if rng is None else rng).normal(mean, std, size), dtype, requires_grad)


def randint(low, high=None, size=None, dtype=np.int64, requires_grad=False, device=None, rng=None, generator=None):
    """Return whole numbers drawn from low ... high - 1; ``randint(high, size)`` starts from 0."""
    if size is None:
        low, high, size = 0, low, high
    return made(chosen(generator if rng is None else rng).integers(low, high, size), dtype, requires_grad, device)


def randperm(n, rng=None, generator=None):
    """Return 0 ... n - 1 in random order."""
    return result(chosen(generator if rng is None else rng).permutation(n))


def bernoulli(p, rng=None, generator=None):
    """Return 1 with the probabilities in ``p``, else 0, in its dtype."""
    p = as_tensor(p)._array
    return result((chosen(generator if rng is None else rng).random(p.shape) < p).astype(p.dtype))


def multinomial(weights, num_samples, replacement=False, rng=None, generator=None):
    """Return indices drawn with the given weights (C,), or a row of them for each row of weights (N, C)."""
    weights, rng = as_tensor(weights)._array, chosen(generator if rng is None else rng)
    rows = [rng.choice(len(row), num_samples, replacement, row / row.sum()) for row in np.atleast_2d(weights)]
    return result(np.array(rows[0] if weights.ndim == 1 else rows))


def arange(*limits, start=0, end=None, step=1, dtype=None, requires_grad=False, device=None):
    """Return ``arange(end)``, ``arange(start, end)`` or ``arange(start, end, step)``; whole for whole limits."""
    limits = limits if end is None else (limits[0] if limits else start, end, step)
    return made(np.arange(*limits), dtype, requires_grad, device)


def linspace(start, end, steps, dtype=None, requires_grad=False, device=None):
    """Return ``steps`` numbers evenly from ``start`` to ``end``, both included."""
    return made(np.linspace(start, end, steps), dtype or float, requires_grad, device)


def logspace(start, end, steps, base=10.0, dtype=None, requires_grad=False, device=None):
    """Return ``steps`` powers of ``base`` with exponents evenly from ``start`` to ``end``."""
    return made(np.logspace(start, end, steps, base=base), dtype or float, requires_grad, device)


def eye(n, m=None, dtype=None, requires_grad=False, device=None):
    """Return the unit matrix."""
    return made(np.eye(n, m), dtype or float, requires_grad, device)


def tensor(data, dtype=None, requires_grad=False, device=None):
    """Make a Tensor from numbers, nested lists, an array or a tensor; the data are copied.  See :class:`Tensor`."""
    if device is not None:
        only_cpu(device)
    return Tensor(data, dtype, requires_grad)


def Generator(device=None):
    """Return a generator of random numbers, NumPy's, for ``generator=``; ``manual_seed(n)`` makes it anew.

    Example:
        >>> import numpy as np, minigrad as mg
        >>> g = mg.Generator().manual_seed(3)
        >>> mg.rand(2, generator=g).equal(mg.rand(2, rng=np.random.default_rng(3)))
        True
    """
    class Seeded(np.random.Generator):          # defined here: numpy.random takes 20 ms to import
        def manual_seed(self, seed):
            self.bit_generator.state = np.random.PCG64(seed).state
            return self

    return Seeded(np.random.PCG64(0))


def as_tensor_of(data, dtype=None, device=None):
    """Return data as a tensor; a tensor of that dtype as it is."""
    if device is not None:
        only_cpu(device)
    return as_tensor(data) if dtype is None else as_tensor(data).astype(dtype)


CONSTRUCTORS = {
    "tensor": tensor,
    "zeros": zeros, "ones": ones, "empty": empty, "full": full, "zeros_like": like(zeros), "ones_like": like(ones),
    "empty_like": like(empty), "full_like": full_like, "rand_like": like(rand), "randn_like": like(randn),
    "rand": rand, "randn": randn, "normal": normal, "randint": randint, "randperm": randperm, "bernoulli": bernoulli,
    "multinomial": multinomial, "arange": arange, "linspace": linspace, "logspace": logspace, "eye": eye,
    "Generator": Generator, "as_tensor": as_tensor_of, "from_numpy": as_tensor_of,
}

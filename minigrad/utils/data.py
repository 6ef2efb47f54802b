"""Data sets and batches: ``TensorDataset``, ``DataLoader``, and what cuts a data set into parts.

    loader = DataLoader(TensorDataset(x, y), batch_size=32, shuffle=True)
    for epoch in range(10):
        for i, (inputs, targets) in enumerate(loader):
            ...

A data set is any object with ``len(data)`` and ``data[i]``.
"""

import itertools
import math
import numbers

import numpy as np

from minigrad.arguments import requires_grad
from minigrad.missing import explain
from minigrad.seeding import generator as checked_generator
from minigrad.tensor import Tensor, result

__all__ = ["DataLoader", "Dataset", "Subset", "TensorDataset", "collate", "random_split"]

__getattr__ = explain("minigrad.utils.data", lambda: __all__)


class Dataset:
    """A data set of your own: write ``__len__`` and ``__getitem__``; this class adds nothing else."""

    def __len__(self):
        raise NotImplementedError(f"{type(self).__name__} has no __len__(self)")

    def __getitem__(self, index):
        raise NotImplementedError(f"{type(self).__name__} has no __getitem__(self, index)")


class TensorDataset(Dataset):
    """Arrays of one length, item by item: ``data[i]`` is a tuple with the i-th of each, as tensors.

    Args:
        arrays: arrays, tensors that need no gradient, or nested lists of numbers; the first axis counts the items.
            The arrays are not copied, the items are.

    Raises:
        ValueError: for no arrays, for one without axes, or for different lengths.
        TypeError: for what holds no numbers, and for a tensor that requires a gradient.

    Example:
        >>> import numpy as np
        >>> data = TensorDataset(np.arange(6.0).reshape(3, 2), np.array([0, 1, 0]))
        >>> len(data), data[1]
        (3, (tensor([2., 3.]), tensor(1)))
    """

    def __init__(self, *arrays):
        if not arrays:
            raise ValueError("TensorDataset needs at least one array")
        self.arrays = tuple(array_of(a, f"TensorDataset: array {i}") for i, a in enumerate(arrays))
        for index, a in enumerate(self.arrays):
            if not a.ndim:
                raise ValueError(f"TensorDataset: array {index} has no axes, so no items; give it a first axis")
        if len({len(a) for a in self.arrays}) > 1:
            shapes = ", ".join(f"array {i} has shape {a.shape}" for i, a in enumerate(self.arrays))
            raise ValueError(f"TensorDataset: arrays of different lengths: {shapes}")

    @property
    def tensors(self):
        """The arrays as tensors."""
        return tuple(result(a.view()) for a in self.arrays)

    def __len__(self):
        return len(self.arrays[0])

    def __getitem__(self, index):
        return tuple(Tensor(a[index]) for a in self.arrays)

    def __repr__(self):
        return f"TensorDataset({', '.join(f'{a.dtype}{list(a.shape)}' for a in self.arrays)})"


class Subset(Dataset):
    """Some items of a data set.

    Args:
        dataset: the data set.
        indices: whole numbers, which of its items, in this order.

    Raises:
        IndexError: for an index beyond the data set.
        TypeError: for indices that are no whole numbers.
    """

    def __init__(self, dataset, indices):
        self.dataset, size = sized(dataset, "Subset"), len(dataset)
        found = np.asarray(list(indices))
        if (found.size and found.dtype.kind not in "iu") or found.ndim != 1:
            raise TypeError(f"Subset: indices are whole numbers, not {found.dtype} of shape {found.shape}; for a mask, "
                            f"np.flatnonzero(mask)")
        found = found.astype(np.int64)
        wrong = found[(found < -size) | (found >= size)]
        if wrong.size:
            raise IndexError(f"Subset: index {wrong[0]} in a data set of {size} items")
        self.indices = [int(i) for i in found]

    def __len__(self):
        return len(self.indices)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return Subset(self.dataset, self.indices[index])
        return self.dataset[self.indices[index]]

    def __repr__(self):
        return f"Subset({len(self)} of {len(self.dataset)} items)"


def random_split(dataset, lengths, rng=None, *, generator=None):
    """Cut a data set at random into parts that have no item in common.

    Args:
        dataset: the data set.
        lengths: how many items each part gets, with the sum ``len(dataset)``; or shares with the sum 1, which
            are rounded down, the items left over going to the first parts, one each.
        rng: a numpy Generator; ``generator`` is another name for it.  Without one, the default generator.

    Returns:
        a list of :class:`Subset`.

    Raises:
        ValueError: for lengths that don't add up.

    Example:
        >>> import numpy as np
        >>> data = TensorDataset(np.arange(10))
        >>> [len(part) for part in random_split(data, [0.75, 0.25], np.random.default_rng(0))]
        [8, 2]
    """
    rng = one_generator(rng, generator)
    size, lengths = len(sized(dataset, "random_split")), list(lengths)
    if any(isinstance(n, bool) or not isinstance(n, numbers.Real) or not 0 <= n < math.inf for n in lengths):
        raise ValueError(f"random_split: lengths = {lengths}: whole numbers, or shares, >= 0")
    if not all(isinstance(n, numbers.Integral) for n in lengths):
        if abs(math.fsum(lengths) - 1) > 1e-9:
            raise ValueError(f"random_split: the shares {lengths} add up to {math.fsum(lengths):g}, not to 1")
        lengths = [math.floor(size * share) for share in lengths]
        for i in range(size - sum(lengths)):
            lengths[i % len(lengths)] += 1
    if sum(lengths) != size:
        raise ValueError(f"random_split: the lengths {lengths} add up to {sum(lengths)}, the data set has {size} items")
    order, ends = rng.permutation(size), np.cumsum([0, *lengths])
    return [Subset(dataset, order[a:b]) for a, b in itertools.pairwise(ends)]


class DataLoader:
    """The batches of a data set, epoch after epoch.

    Each ``for batch in loader`` is one epoch.  A batch of a :class:`TensorDataset` is a tuple of tensors; of another
    data set the items are stacked (see :func:`collate`).  Batches are copies: changing one in place does not touch the
    data.

    With ``shuffle=True`` each epoch has a new order, drawn from the loader's own generator when the epoch begins.  The
    same seed gives the same sequence of orders, whatever else draws random numbers in between.
    ``loader.rng.bit_generator.state`` can be read between epochs, saved with ``mg.save``, and assigned to go on from
    there.

    Args:
        dataset: an object with ``len`` and ``[i]``, or a tuple of arrays of one length: ``DataLoader((x, y), 32)``.
        batch_size: items per batch, at least 1.
        shuffle: whether to draw a new order for each epoch.
        drop_last: whether to leave out a last batch that is not full.
        rng: a numpy Generator, used as it is; ``generator`` is another name for it.  Without one the loader
            gets its own, seeded from the default generator when the loader is made, so ``mg.manual_seed`` before that
            decides the order.
        collate_fn: makes a batch of a list of items; :func:`collate` if nothing is said.
        num_workers: 0; the data are read in this process.
        pin_memory: has no meaning here, and is taken so that PyTorch programs run.

    ``batch_size``, ``shuffle``, ``drop_last`` and ``collate_fn`` may be assigned between epochs.

    Raises:
        TypeError: for what is no data set, for a list of arrays that look like (x, y), and for an unknown keyword.
        ValueError: for settings out of range.

    Example:
        >>> import numpy as np
        >>> loader = DataLoader((np.arange(5.0), np.arange(5)), batch_size=2)
        >>> len(loader), [targets.tolist() for inputs, targets in loader]
        (3, [[0, 1], [2, 3], [4]])
    """

    def __init__(self, dataset, batch_size=1, shuffle=False, *, drop_last=False, rng=None, generator=None,
                 collate_fn=None, num_workers=0, pin_memory=False, **others):
        for name, value in others.items():
            self._refuse(name, value)
        if isinstance(dataset, tuple) and dataset and all(isinstance(a, (np.ndarray, Tensor)) for a in dataset):
            dataset = TensorDataset(*dataset)
        self.dataset = sized(dataset, "DataLoader")
        refuse_columns(dataset)
        if isinstance(batch_size, bool) or not isinstance(batch_size, numbers.Integral) or batch_size < 1:
            raise ValueError(f"batch_size = {batch_size!r}: a whole number, at least 1")
        for name, value in (("shuffle", shuffle), ("drop_last", drop_last), ("pin_memory", pin_memory)):
            if value not in (True, False, None):
                raise ValueError(f"{name} = {value!r}: True or False")
        if num_workers:
            raise ValueError(f"num_workers = {num_workers!r}: the data are read in this process; leave it out, or "
                             f"write num_workers=0")
        if collate_fn is not None and not callable(collate_fn):
            raise TypeError(f"collate_fn is a function of a list of items, not {collate_fn!r}")
        self.batch_size, self.shuffle, self.drop_last = int(batch_size), bool(shuffle), bool(drop_last)
        self.collate_fn = collate_fn
        self.rng = one_generator(rng, generator, default=False)
        self._seed()

    def _seed(self):
        if self.rng is None and self.shuffle:
            self.rng = np.random.default_rng(checked_generator().integers(2 ** 63))

    @staticmethod
    def _refuse(name, value):
        """Refuse a keyword that the loader does not have; PyTorch's may have the value that asks for nothing."""
        if name in NEAREST and (value is None or (isinstance(value, (bool, int, str)) and not value)):
            return
        cure = f"; {NEAREST[name]}" if name in NEAREST else ""
        raise TypeError(f"DataLoader has no keyword {name!r}{cure}; it has dataset, batch_size, shuffle, drop_last, "
                        f"rng (or generator), collate_fn, num_workers, pin_memory")

    def __len__(self):
        """The number of batches in an epoch."""
        full, rest = divmod(len(self.dataset), self.batch_size)
        return full + (rest > 0 and not self.drop_last)

    def __iter__(self):
        # The order is drawn here, not when the first batch is asked for: two epochs begun together differ.
        self._seed()                    # shuffle may have been assigned
        order = self.rng.permutation(len(self.dataset)) if self.shuffle else np.arange(len(self.dataset))
        return self._batches(order)

    def _batches(self, order):
        fetch = None if self.collate_fn else fetcher(self.dataset)
        for start in range(0, len(self) * self.batch_size, self.batch_size):
            chosen = order[start:start + self.batch_size]
            if fetch is not None:
                yield fetch(chosen)
            else:
                yield (self.collate_fn or collate)([self.dataset[int(i)] for i in chosen])

    def __repr__(self):
        return (f"DataLoader({self.dataset!r}, batch_size={self.batch_size}, shuffle={self.shuffle}, "
                f"drop_last={self.drop_last})")


NEAREST = {
    "sampler": "give DataLoader(Subset(data, order)), or shuffle=True",
    "batch_sampler": "give batch_size, or a list of Subset(data, batch), one per batch",
    "timeout": "the data are read in this process", "worker_init_fn": "the data are read in this process",
    "multiprocessing_context": "the data are read in this process",
    "prefetch_factor": "the data are read in this process", "persistent_workers": "the data are read in this process",
    "pin_memory_device": "minigrad runs on the CPU",
}
"""PyTorch's keywords that :class:`DataLoader` leaves out, with what to do."""


def refuse_columns(dataset):
    """Refuse a list that looks like (x, y): two to four arrays, not all with one axis, that agree in length."""
    if type(dataset) is not list or not 1 < len(dataset) <= 4:
        return
    if not all(isinstance(a, (np.ndarray, Tensor)) and a.ndim for a in dataset) or all(a.ndim == 1 for a in dataset):
        return
    if len({len(a) for a in dataset}) == 1:
        shapes = " and ".join(str(tuple(a.shape)) for a in dataset)
        raise TypeError(f"DataLoader: a list of arrays of shapes {shapes} would be {len(dataset)} items; where "
                        f"their first axis counts the items give a tuple, DataLoader((x, y), ...), and where each is "
                        f"one item TensorDataset(np.stack(items))")


def fetcher(dataset):
    """Return a function that takes a batch out of arrays at once, or None for a data set that is asked item by item."""
    if type(dataset) is TensorDataset:
        return lambda chosen: tuple(result(a[chosen]) for a in dataset.arrays)
    if type(dataset) is Subset:
        inner, indices = fetcher(dataset.dataset), np.asarray(dataset.indices, dtype=np.int64)
        return None if inner is None else lambda chosen: inner(indices[chosen])
    return None


def collate(items):
    """Make a batch of a list of items: numbers, arrays and tensors are stacked along a new first axis.

    Tuples, lists and dicts are gone into, a batch of tuples becoming a tuple of batches; strings stay a list.

    Raises:
        ValueError: for items of different shapes, lengths or keys, naming both.
        TypeError: for items that cannot be stacked.

    Example:
        >>> collate([(1.5, {"a": [1, 2]}), (2.5, {"a": [3, 4]})])
        (tensor([1.5, 2.5]), {'a': [tensor([1, 3]), tensor([2, 4])]})
    """
    first = items[0]
    if isinstance(first, str):
        return list(items)
    if isinstance(first, (tuple, list, dict)):
        for i, item in enumerate(items):
            if type(item) is not type(first) or len(item) != len(first) or (
                    isinstance(first, dict) and item.keys() != first.keys()):
                raise ValueError(f"item {i} of the batch does not fit item 0: {item!r} and {first!r}")
        if isinstance(first, dict):
            return {key: collate([item[key] for item in items]) for key in first}
        columns = [collate(list(column)) for column in zip(*items)]
        if isinstance(first, list):
            return columns
        return type(first)(*columns) if hasattr(first, "_fields") else tuple(columns)
    for i, item in enumerate(items):
        if not isinstance(item, (Tensor, np.ndarray, np.generic, numbers.Real)):
            raise TypeError(f"item {i} of the batch is a {type(item).__name__}; numbers, arrays and tensors can be "
                            f"stacked, for others give a collate_fn")
        if np.shape(item) != np.shape(first):
            raise ValueError(f"item {i} of the batch has shape {np.shape(item)}, item 0 {np.shape(first)}; pad "
                             f"them in the data set, or give a collate_fn")
    stacked = np.stack(items) if requires_grad(items) else np.stack([array_of(item, "a batch") for item in items])
    return stacked if isinstance(stacked, Tensor) else result(stacked)


def array_of(value, what):
    """Return the array behind data, refusing what holds no numbers and what would lose a gradient."""
    if isinstance(value, Tensor):
        if value.requires_grad:
            raise TypeError(f"{what} requires a gradient, which would be lost here; give t.detach()")
        return value.data
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise TypeError(f"{what} is no array: {error}") from None
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{what} has dtype {array.dtype}; tensors hold real numbers")
    return array


def sized(dataset, what):
    """Return a data set, refusing what is none."""
    if isinstance(dataset, type):
        raise TypeError(f"{what}: a data set is an instance of {dataset.__name__}, not the class")
    if isinstance(dataset, (str, bytes, dict)) or not (hasattr(dataset, "__len__") and hasattr(dataset, "__getitem__")):
        raise TypeError(f"{what}: a data set has len(data) and data[i], a {type(dataset).__name__} is none; give one, "
                        f"or a tuple of arrays, (x, y)")
    return dataset


def one_generator(rng, generator, default=True):
    """Return the generator given under either name; without one, the default generator, or None."""
    if rng is not None and generator is not None:
        raise ValueError("rng and generator are two names for one thing; give one of them")
    given = rng if rng is not None else generator
    return checked_generator(given) if given is not None or default else None

"""Looking up rows of a table, and the rows that name a class."""

import numpy as np

from minigrad import ops
from minigrad.nn.functional.common import given, whole_number, whole_numbers
from minigrad.tensor import Tensor


def embedding(input, weight, padding_idx=None):
    """Return the rows of a table: weight[indices]. The gradient of a row is the sum over the places that took it.

    Args:
        input: integers in 0 ... rows - 1, of any shape; an array, list or tensor.
        weight: (rows, dim).
        padding_idx: a row that gets no gradient; below 0 counted from the end.

    Returns:
        (*indices.shape, dim).

    Raises:
        ValueError: if weight is no table, or an index or padding_idx is out of range.
        TypeError: if the indices are no integers.

    Example:
        >>> import numpy as np
        >>> from minigrad.nn import functional as F
        >>> F.embedding([[0, 2]], np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]))
        array([[[1., 2.],
                [5., 6.]]])
    """
    weight = given(weight)
    if weight.ndim != 2:
        raise ValueError(f"embedding: weight must have shape (rows, dim), not {weight.shape}")
    rows, indices = weight.shape[0], whole_numbers("embedding", input, "indices")
    if indices.size and (indices.min() < 0 or indices.max() >= rows):
        raise ValueError(f"embedding: indices run from {indices.min()} to {indices.max()}, but weight of shape "
                         f"{weight.shape} has rows 0 to {rows - 1}")
    if padding_idx is None:
        return ops.take(weight, indices)
    padding_idx, table = place(padding_idx, rows), weight.data if isinstance(weight, Tensor) else weight
    if rows <= indices.size:                                    # the row is held fast in the smaller of the two arrays
        return ops.take(ops.select((np.arange(rows) == padding_idx)[:, np.newaxis], table, weight), indices)
    return ops.select((indices == padding_idx)[..., np.newaxis], table[padding_idx], ops.take(weight, indices))


def place(padding_idx, rows):
    """Return the padding row counted from the first, or say that there is none such."""
    padding_idx = whole_number("embedding", "padding_idx", padding_idx, None)
    if not -rows <= padding_idx < rows:
        raise ValueError(f"embedding: padding_idx = {padding_idx}, but there are {rows} rows")
    return padding_idx % rows


def one_hot(indices, num_classes=-1):
    """Return integers as rows of 0 with a 1 at their place: (*indices.shape, num_classes), a tensor of integers.

    Args:
        indices: integers from 0 on, of any shape; an array, list or tensor.
        num_classes: the length of the rows; -1 for the largest index plus 1.

    Raises:
        ValueError: if an index is out of range, or there is none to count the classes by.
        TypeError: if the indices are no integers.

    Example:
        >>> from minigrad.nn import functional as F
        >>> F.one_hot([1, 0], 3)
        tensor([[0, 1, 0],
                [1, 0, 0]])
    """
    indices = whole_numbers("one_hot", indices, "indices")
    num_classes = whole_number("one_hot", "num_classes", num_classes, None)
    if num_classes == -1:
        if not indices.size:
            raise ValueError("one_hot: num_classes must be given where there are no indices")
        num_classes = int(indices.max()) + 1
    if num_classes < 1 or (indices.size and (indices.min() < 0 or indices.max() >= num_classes)):
        found = f"indices run from {indices.min()} to {indices.max()}" if indices.size else "there are no indices"
        raise ValueError(f"one_hot: {found}, and num_classes = {num_classes}: indices lie from 0 to num_classes - 1")
    return Tensor((indices[..., np.newaxis] == np.arange(num_classes)).astype(int))

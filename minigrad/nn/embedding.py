"""Embedding: a table whose rows are looked up."""

import numpy as np

from minigrad.nn import functional as F
from minigrad.nn import init
from minigrad.nn.functional.common import whole_number
from minigrad.nn.functional.embedding import place
from minigrad.nn.module import Module
from minigrad.nn.parameter import Parameter, blank


class Embedding(Module):
    """The rows of ``weight`` at given indices: a vector for each word, letter or class.

    Weight (num_embeddings, embedding_dim) is drawn from the normal distribution N(0, 1), PyTorch's default.

    Args:
        num_embeddings, embedding_dim: how many vectors, and how long.
        padding_idx: a row that is 0 at the start and gets no gradient; below 0 counted from the end.
        dtype: a floating dtype.
        rng: a ``numpy.random.Generator``; default the one that ``mg.manual_seed`` seeds.
        device: only "cpu", or None.

    Raises:
        ValueError: for sizes below 1 or a padding_idx out of range, and in forward for an index out of range.
        TypeError: for sizes, and in forward for indices, that are no whole numbers.

    Example:
        >>> from minigrad import nn
        >>> nn.Embedding(10, 3)([[1, 2], [9, 1]]).shape
        (2, 2, 3)
    """

    def __init__(self, num_embeddings, embedding_dim, padding_idx=None, dtype=float, rng=None, device=None):
        self.num_embeddings = whole_number("Embedding", "num_embeddings", num_embeddings)
        self.embedding_dim = whole_number("Embedding", "embedding_dim", embedding_dim)
        self.padding_idx = None if padding_idx is None else place(padding_idx, self.num_embeddings)
        self.weight = blank((self.num_embeddings, self.embedding_dim), dtype, device)
        self.reset_parameters(rng)

    def reset_parameters(self, rng=None):
        """Draw the table anew from N(0, 1); the row of ``padding_idx`` becomes 0."""
        init.normal_(self.weight, 0.0, 1.0, rng)
        if self.padding_idx is not None:
            values = np.array(self.weight.data)
            values[self.padding_idx] = 0
            self.weight.data = values

    @classmethod
    def from_pretrained(cls, embeddings, freeze=True, padding_idx=None):
        """Return an Embedding with this table (rows, dim), which is not trained unless ``freeze=False``.

        Example:
            >>> from minigrad import nn
            >>> nn.Embedding.from_pretrained([[1.0, 2.0], [3.0, 4.0]])([1])
            tensor([[3., 4.]])
        """
        table = np.array(embeddings.data if isinstance(embeddings, Parameter) else embeddings)
        if table.ndim != 2 or table.dtype.kind != "f":
            raise ValueError(f"Embedding.from_pretrained: a floating-point table of shape (rows, dim) is needed, not "
                             f"{table.dtype} of shape {table.shape}")
        self = cls.__new__(cls)
        self.num_embeddings, self.embedding_dim = table.shape
        self.padding_idx = None if padding_idx is None else place(padding_idx, len(table))
        self.weight = Parameter(table, requires_grad=not freeze)
        return self

    def forward(self, indices):
        """Return (*indices.shape, embedding_dim) for integers 0 ... num_embeddings - 1."""
        return F.embedding(indices, self.weight, self.padding_idx)

    def extra_repr(self):
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"{self.num_embeddings}, {self.embedding_dim}{padding}"

"""The names that stand in PyTorch's text of an operation and are not PyTorch's own."""

import numpy as np
import torch
from cases.recurrent import torch_twin as recurrence

from minigrad import ops
from programs import operands


def const(array):
    return torch.as_tensor(np.array(array))


def every_axis(x, axis):
    """Return the axes of a reduction as a tuple; none means all."""
    return tuple(range(x.dim())) if axis is None else axis


def over(fn, x, axis=None, keepdims=False, **kwargs):
    """Reduce over no, one or several axes."""
    return fn(x, dim=every_axis(x, axis), keepdim=keepdims, **kwargs)


def prod(x, axis=None, keepdims=False):
    """PyTorch multiplies over one axis at a time."""
    axes, x = every_axis(x, axis), x * 1
    for a in sorted(a % x.dim() for a in ((axes,) if isinstance(axes, int) else axes))[::-1]:
        x = torch.prod(x, dim=a, keepdim=keepdims)
    return x


def moved(fn, x):
    """Move elements as a NumPy function does, by moving their numbers; 0 is what it filled in."""
    numbers = np.asarray(fn(np.arange(1, x.numel() + 1).reshape(tuple(x.shape))))
    return torch.cat([x.new_zeros(1), x.reshape(-1)])[const(numbers)]


def kron(a, b):
    """Return the Kronecker product of two matrices; PyTorch's own fails, at order 2, for some strided ones."""
    return (a[:, None, :, None] * b[None, :, None, :]).reshape(a.shape[0] * b.shape[0], a.shape[1] * b.shape[1])


def standardize(x, eps):
    centred = x - x.mean(-1, keepdim=True)
    return centred / torch.sqrt((centred * centred).mean(-1, keepdim=True) + eps)


def norm(x, p=2, axis=None, keepdims=False):
    return torch.linalg.vector_norm(x, p, every_axis(x, axis), keepdims)


def det(a):
    """Expand along the first row: PyTorch's own has NaN for second derivatives of matrices of rank n - 2."""
    if a.shape[-1] == 1:
        return a[..., 0, 0]
    rest = [torch.cat([a[..., 1:, :j], a[..., 1:, j + 1:]], -1) for j in range(a.shape[-1])]
    return sum((-1) ** j * a[..., 0, j] * det(minor) for j, minor in enumerate(rest))


def cofactors(a):
    n = a.shape[-1]
    if n == 1:
        return torch.ones_like(a) + 0 * a
    keep = [[k for k in range(n) if k != i] for i in range(n)]
    return torch.stack([torch.stack([(-1) ** (i + j) * det(a[..., keep[i], :][..., keep[j]]) for j in range(n)], -1)
                        for i in range(n)], -2)


def cofactor_change(a, d):
    """Take differences that are the derivative of the cubes that the cofactors of matrices up to 4 x 4 are."""
    return (8 * (cofactors(a + d) - cofactors(a - d)) - (cofactors(a + 2 * d) - cofactors(a - 2 * d))) / 12


def solve(a, b):
    """Solve as NumPy 2 does: b is a vector only if it has one axis."""
    if b.dim() == 1:
        return solve(a, b[:, None])[..., 0]
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    return torch.linalg.solve(a.expand(*batch, *a.shape[-2:]), b.expand(*batch, *b.shape[-2:]))


NAMES = {
    "torch": torch, "np": np, "F": torch.nn.functional, "const": const, "over": over, "prod": prod,
    "chosen": operands.chosen, "order": operands.order, "moved": moved, "norm": norm, "solve": solve, "det": det,
    "cofactor_change": cofactor_change,
    "kron": kron, "standardize": standardize, "ops": ops, "recurrence": recurrence,
    "ramp": lambda *args, **kwargs: const(operands.ramp(*args, **kwargs)),
    "eye": lambda *args, **kwargs: const(operands.eye(*args, **kwargs)),
    "ladder": lambda *args, **kwargs: const(operands.ladder(*args, **kwargs)),
    "float64": float, "int64": int, "array": float, "plus_is": lambda h, x: h + x,
}

"""Methods that act on each element, and products of tensors."""

import numpy as np

from minigrad import ops
from minigrad.methods.common import as_tensor, binary, operand, unary


def add(self, other, alpha=1):
    """Return self + alpha * other."""
    return self + (other if alpha == 1 else alpha * operand(other))


def sub(self, other, alpha=1):
    """Return self - alpha * other."""
    return self - (other if alpha == 1 else alpha * operand(other))


def div(self, other, rounding_mode=None):
    """Return self / other, or that rounded down ("floor") or towards 0 ("trunc")."""
    if rounding_mode not in (None, "floor", "trunc"):
        raise ValueError(f"div: rounding_mode = {rounding_mode!r}; give None, \"floor\" or \"trunc\"")
    quotient = self / other
    return {None: np.positive, "floor": np.floor, "trunc": np.trunc}[rounding_mode](quotient)


def reciprocal(self):
    """Return 1 / x, of whole numbers too."""
    return 1 / self


def lerp(self, end, weight):
    """Return self + weight * (end - self)."""
    return self + weight * (end - self)


def where(self, condition, other):
    """Return the elements where the condition holds, else those of another."""
    return np.where(as_tensor(condition), self, other)


def addmm(self, a, b, *, beta=1, alpha=1):
    """Return beta * self + alpha * (a @ b)."""
    return beta * self + alpha * (operand(a) @ b)


def clamp_min(self, min):
    """Return every element, but at least ``min``."""
    return np.clip(self, min, None)


def clamp_max(self, max):
    """Return every element, but at most ``max``."""
    return np.clip(self, None, max)


def rsqrt(self):
    """Return 1 / sqrt(x)."""
    return 1 / np.sqrt(self)


def round_(self, decimals=0):
    """Return the nearest whole numbers (halves to even), or numbers of so many decimals."""
    return np.round(self, decimals)


def clamp(self, min=None, max=None):
    """Return every element limited to [min, max]; the gradient passes where it lies within, bounds included."""
    if min is None and max is None:
        raise ValueError("clamp: give min, or max, or both")
    return np.clip(self, min, max)


def allclose(self, other, rtol=1e-5, atol=1e-8, equal_nan=False):
    """Say whether all elements are within atol + rtol * abs(other)."""
    return bool(np.allclose(self._array, as_tensor(other)._array, rtol, atol, equal_nan))


def equal(self, other):
    """Say whether shape and all elements are the same."""
    return bool(np.array_equal(self._array, as_tensor(other)._array))


def matrices(*axes):
    """Return the method for a matrix product that takes factors with these numbers of axes only."""
    def method(self, other):
        other = as_tensor(other)
        if (self.ndim, other.ndim) != axes:
            raise ValueError(f"{method.__name__} takes tensors with {axes[0]} and {axes[1]} axes, not of shapes "
                             f"{self.shape} and {other.shape}; use @ for the general product")
        return self @ other
    method.__name__ = {(2, 2): "mm", (2, 1): "mv", (3, 3): "bmm"}[axes]
    method.__doc__ = f"Return self @ other for tensors with {axes[0]} and {axes[1]} axes."
    return method


METHODS = {
    **{name: unary(getattr(np, name)) for name in (
        "abs absolute arccos arccosh arcsin arcsinh arctan arctanh ceil cos cosh exp exp2 expm1 floor isfinite isinf "
        "isnan log log10 log1p log2 logical_not nan_to_num negative positive sign sin sinh sqrt square tan tanh trunc"
    ).split()},
    "neg": unary(np.negative), "acos": unary(np.arccos), "asin": unary(np.arcsin), "atan": unary(np.arctan),
    "relu": unary(ops.relu), "sigmoid": unary(ops.sigmoid), "erf": unary(ops.erf), "rsqrt": rsqrt, "round": round_,
    "mul": binary(np.multiply), "multiply": binary(np.multiply), "div": div, "divide": div, "true_divide": div,
    "add": add, "sub": sub, "subtract": sub, "reciprocal": reciprocal, "lerp": lerp, "where": where, "addmm": addmm,
    "clamp_min": clamp_min, "clamp_max": clamp_max, "atan2": binary(np.arctan2), "arctan2": binary(np.arctan2),
    "hypot": binary(np.hypot), "fmod": binary(np.fmod), "logaddexp": binary(np.logaddexp),
    "floor_divide": binary(np.floor_divide), "isclose": binary(np.isclose), "fmax": binary(np.fmax),
    "fmin": binary(np.fmin), "bitwise_and": binary(np.bitwise_and), "logical_xor": binary(np.logical_xor),
    "pow": binary(np.power), "maximum": binary(np.maximum), "minimum": binary(np.minimum),
    "remainder": binary(np.remainder), "eq": binary(np.equal), "ne": binary(np.not_equal), "lt": binary(np.less),
    "le": binary(np.less_equal), "gt": binary(np.greater), "ge": binary(np.greater_equal),
    "logical_and": binary(np.logical_and), "logical_or": binary(np.logical_or), "clamp": clamp, "clip": clamp,
    "allclose": allclose, "equal": equal,
    "matmul": binary(np.matmul), "dot": binary(np.dot), "outer": binary(np.outer), "mm": matrices(2, 2),
    "mv": matrices(2, 1), "bmm": matrices(3, 3),
}

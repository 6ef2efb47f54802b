"""Whether values fit a net, those of a state or in another dtype: everything is looked at before anything changes."""

from collections import namedtuple
from collections.abc import Mapping

import numpy as np

from minigrad.methods.types import only_cpu
from minigrad.tensor import Tensor

LoadReport = namedtuple("LoadReport", "missing_keys unexpected_keys")
LoadReport.__doc__ = "What ``load_state_dict`` found no value for, and what it found no place for: two lists of names."


def checked_state(owner, tensors, state, strict):
    """Return (name -> array for what is to be assigned, :class:`LoadReport`); change nothing.

    Args:
        owner: the name of the module's class, for the message.
        tensors: name -> tensor that is to be given new values.
        state: name -> array or tensor.
        strict: whether missing and unexpected names are errors.

    Raises:
        TypeError: if ``state`` is no mapping.
        ValueError: naming what is missing, unexpected, of another shape, or no number.
    """
    if not isinstance(state, Mapping):
        raise TypeError(f"load_state_dict takes a dict name -> array, not a {type(state).__name__}")
    missing = [name for name in tensors if name not in state]
    unexpected = [name for name in state if name not in tensors]
    arrays, wrong = {}, []
    for name, tensor in tensors.items():
        if name in state:
            array, fault = fitted(state[name], tensor)
            arrays[name] = array
            if fault:
                wrong.append(f"{name}: {fault}")
    faults = []
    if strict and missing:
        faults.append(f"missing: {', '.join(missing)}")
    if strict and unexpected:
        faults.append(f"unexpected: {', '.join(map(str, unexpected))}")
    if faults or wrong:
        raise ValueError(f"this state does not fit {owner}; nothing was loaded.\n  " + "\n  ".join(faults + wrong))
    return arrays, LoadReport(missing, unexpected)


def fitted(value, tensor):
    """Return the value as an array of the tensor's dtype, and what is wrong with it (None if nothing)."""
    try:
        array = value.data if isinstance(value, Tensor) else np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:      # ragged lists, PyTorch tensors that require a gradient
        return None, f"no array can be made of this {type(value).__name__} ({error})"
    if array.dtype.kind not in "fiub":
        return None, f"dtype {array.dtype} is no real number"
    if array.shape != tensor.shape:
        return None, f"shape {array.shape} given, {tensor.shape} wanted"
    with np.errstate(all="ignore"):
        cast = array.astype(tensor.dtype)
    if tensor.dtype.kind == "f":
        if not np.array_equal(np.isfinite(cast), np.isfinite(array)):
            return None, f"values of dtype {array.dtype} are too large for {tensor.dtype}"
    elif not np.array_equal(cast, array):
        return None, f"values of dtype {array.dtype} are no {tensor.dtype}"
    return cast, None


# ------------------------------------------------------------------------------- to another dtype

def dtype_of(targets):
    """Return the dtype among what ``to`` was given, the last one, or None; refuse devices but the CPU."""
    dtype = None
    for target in targets:
        if isinstance(target, Tensor):
            dtype = target.dtype
        elif str(target).split(":")[0] in ("cpu", "cuda", "mps", "xpu", "meta"):
            only_cpu(target)
        elif target is not None:
            dtype = np.dtype(target)
    if dtype is not None and dtype.kind != "f":
        raise TypeError(f"to({dtype}): parameters are floating-point numbers; take float16, float32 or float64")
    return dtype


def converted(named, dtype):
    """Return (tensor, its array in another dtype, its gradient) for all of (name, tensor) that are floating.

    Raises:
        ValueError: for a number that the dtype has no room for.
    """
    floating = [(name, tensor) for name, tensor in named if tensor.dtype.kind == "f"]
    for name, tensor in floating:
        if tensor.grad is not None:
            cast(f"the gradient of {name}", tensor.grad._array, dtype)
    return [(tensor, cast(name, tensor._array, dtype), tensor.grad) for name, tensor in floating]


def cast(name, array, dtype):
    """Return an array in another dtype; refuse numbers that would become infinite."""
    with np.errstate(over="ignore", under="ignore"):
        out = array.astype(dtype)
    lost = np.isinf(out) & np.isfinite(array)
    if lost.any():
        raise ValueError(f"to {dtype}: {name} holds {array[lost].flat[0]}, and {dtype} ends at "
                         f"{float(np.finfo(dtype).max):g}")
    return out

"""Whether the values somebody hands in fit a net: everything is looked at, and all that is wrong said at once."""

from collections import namedtuple
from collections.abc import Mapping

import numpy as np

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

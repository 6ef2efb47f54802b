"""What is recorded of a training that runs elsewhere: any arrays, by name; and norms over time."""

import math
import numbers
from collections.abc import Mapping

import numpy as np

from minigrad.norms import norm
from minigrad.trace.row import Row, as_json


def rows(at, grads, loss, lr, data, updates, per_parameter):
    """Return the rows of one step; see :meth:`NormTrace.record`."""
    step, micro_step = at
    grads = arrays(grads, "grads")
    data, updates = (None if given is None else arrays(given, what) for given, what in
                     ((data, "data"), (updates, "updates")))
    for what, given in (("data", data), ("updates", updates)):
        odd = [name for name in given or () if name not in grads]
        if odd:
            raise ValueError(f"record: {what} has {', '.join(map(repr, odd[:5]))}, and the gradients have not; the "
                             f"names are those of the gradients, {', '.join(map(repr, list(grads)[:5]))}, with None "
                             f"where there is no gradient")
    loss, lr = (None if value is None else single(value, what) for value, what in ((loss, "loss"), (lr, "lr")))

    def row(stage, hook, place, parameter, **measured):
        measured = {**dict.fromkeys(Row._fields), **measured}
        return Row(**{**measured, "step": step, "micro_step": micro_step, "stage": stage, "hook": hook, "place": place,
                      "group": "", "parameter": parameter, "status": "pass", "outcome": "step", "reason": "", "p": 2.0,
                      "weight": 1.0, "lr": lr, "loss": loss, "extra": ""})

    def gradient(parameter, group):
        length = norm(group.values())
        return row(0, "backward", "gradient", parameter, norm_in=length, norm_out=length, coefficient=1.0, cosine=1.0,
                   **counts(list(group.values()), length))

    def update(parameter, moved, there):
        length = None if moved is None else norm(moved.values())
        return row(1, "update", "update", parameter, norm_in=length, norm_out=length,
                   data=None if there is None else norm(there.values()))

    found = [gradient("", grads)]
    if per_parameter:
        found += [gradient(name, {name: g}) for name, g in grads.items()]
    if data is None and updates is None:
        return found
    if data is not None and updates is not None:        # the ratio is that of what moved
        data = {name: a for name, a in data.items() if updates.get(name) is not None}
    found.append(update("", updates, data))
    if per_parameter:
        for name in (n for n in grads if (updates or data).get(n) is not None):
            found.append(update(name, None if updates is None else {name: updates[name]},
                                None if data is None or name not in data else {name: data[name]}))
    return found


def counts(group, length):
    """Return how many elements are NaN, infinite and zero, and how many gradients are missing."""
    there = [g for g in group if g is not None]
    odd = not math.isfinite(length)
    return {"nan": sum(int(np.isnan(g).sum()) for g in there) if odd else 0,
            "inf": sum(int(np.isinf(g).sum()) for g in there) if odd else 0,
            "zero": sum(int(g.size - np.count_nonzero(g)) for g in there), "missing": len(group) - len(there)}


def arrays(given, what, above=""):
    """Return name -> array of floats or None, with names joined by dots where dicts lie in dicts."""
    if not isinstance(given, Mapping):
        raise TypeError(f"record: {what} is a dict name -> array, such as {{n: p.grad for n, p in "
                        f"net.named_parameters()}}, not {type(given).__name__}")
    found = {}
    for key, value in given.items():
        name = f"{above}{key}"
        inner = (arrays(value, what, f"{name}.") if isinstance(value, Mapping) else
                 {name: None if value is None else array(value, f"{what}[{name!r}]")})
        twice = [name for name in inner if name in found]
        if twice:
            raise ValueError(f"record: {what} has two arrays named {twice[0]!r}, as names of dicts in dicts are joined "
                             f"by dots; give one of them another name")
        found.update(inner)
    return found


def array(value, name):
    """Return anything as a float array that is looked at at once and not kept."""
    try:
        if callable(getattr(value, "detach", None)):            # PyTorch's tensors, and minigrad's
            value = value.detach()
            value = value.cpu() if hasattr(value, "cpu") else value
            if str(value.dtype) == "torch.bfloat16":            # NumPy has no such numbers
                value = value.float()
        found = np.asarray(value)
        if found.dtype.kind not in "fiubV" or found.dtype.names:
            raise TypeError(f"dtype {found.dtype}")
        return found if found.dtype.kind == "f" else found.astype(np.float64)
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(f"record: {name} is no array of real numbers ({error}); give anything np.asarray takes, or "
                        f"None where there is no gradient") from None


def single(value, what):
    """Return a number as a float, or an array or tensor of one element."""
    found = array(value, what)
    if found.size != 1:
        raise TypeError(f"record: {what} is a number, not an array of shape {found.shape}")
    return float(found.reshape(-1)[0])


def over_time(norms):
    """Return norms over time, as :meth:`NormTrace.record_times` takes them, as a list."""
    if isinstance(norms, Mapping):
        odd = [t for t in norms if isinstance(t, bool) or not isinstance(t, numbers.Integral) or t < 0]
        if odd or not norms:
            raise ValueError(f"record_times takes norms in order, or a dict t -> norm with t = 0, 1, ..., not "
                             f"{'an empty one' if not odd else f'one with {odd[0]!r}'}")
        norms = [norms.get(t, math.nan) for t in range(max(norms) + 1)]
    found = np.array([single(value, "a norm over time") for value in norms])
    if found.ndim != 1 or not found.size:
        raise ValueError(f"record_times takes T >= 1 norms, not {norms!r}"[:200])
    return found


def times_row(first, norms, step):
    """Return the row of norms over time that belongs to the call with this first row."""
    length = norm(norms)
    blank = {**dict.fromkeys(Row._fields), "group": "", "reason": "", "status": "pass", "p": 2.0}
    return Row(**{**blank, "step": first.step if step is None else step, "micro_step": first.micro_step, "stage": 0,
                  "hook": "backward", "place": "time", "parameter": "h", "outcome": first.outcome, "norm_in": length,
                  "norm_out": length, "weight": first.weight, "lr": first.lr, "loss": first.loss,
                  "extra": as_json({"norms": norms.tolist()})})


def times(table, waiting):
    """Return all norms over time, (steps, T), also those that wait for their step."""
    import json

    extra = table["extra"]
    codes = extra.array[table["place"].equals("time")]
    found = [np.array(json.loads(extra.names[code])["norms"], float) for code in codes.tolist()]
    found += [norms for norms, _ in waiting]
    out = np.full((len(found), max(map(len, found), default=0)), math.nan)
    for line, norms in zip(out, found):
        line[:len(norms)] = norms
    return out

"""What an optimizer remembers, as one dict that can be saved, and how it is taken up again: all of it, or nothing."""

import numpy as np

from minigrad.hooks.protocol import check_keys, copied, hook_name, shown
from minigrad.optim.groups import OWN, label
from minigrad.optim.owners import schedules_of
from minigrad.optim.updates import elementwise

COUNTERS = ("updates", "micro_steps", "held", "skipped")
SECTIONS = ("optimizer", "counters", "param_groups", "state", "hooks", "update_hooks", "schedules")


def state_of(optimizer):
    """Return all that an optimizer remembers as a dict of numbers, strings and arrays, independent of it."""
    return {"optimizer": type(optimizer).__name__,
            "counters": {name: getattr(optimizer, name) for name in COUNTERS},
            "param_groups": [group_state(optimizer, group) for group in optimizer.param_groups],
            "state": copied(optimizer.state),
            "hooks": hook_states(optimizer.hooks),
            "update_hooks": hook_states(optimizer.update_hooks),
            "schedules": [{"schedule": type(s).__name__, "state": copied(s.state_dict())}
                          for s in schedules_of(optimizer)]}


def group_state(optimizer, group):
    """Return a group's hyperparameters, the names and shapes of its parameters, and its hooks' states."""
    out = {"param_names": list(group["param_names"]), "shapes": [tuple(p.shape) for p in group["params"]]}
    for key, value in group.items():
        if key in optimizer.defaults or key in ("initial_lr", "name"):
            out[key] = {"function": shown(value)} if callable(value) else copied(value)
    return {**out, "hooks": hook_states(group.get("hooks", ()))}


def hook_states(hooks):
    """Return the kind of each hook, and its state; None for one that keeps none."""
    return [{"hook": hook_name(hook), "state": copied(hook.state_dict()) if hasattr(hook, "state_dict") else None}
            for hook in hooks]


def restore(optimizer, state):
    """Give an optimizer what :func:`state_of` returned; if anything in it does not fit, nothing has changed."""
    check_keys("optimizer", state, SECTIONS)
    if state["optimizer"] != type(optimizer).__name__:
        raise ValueError(f"this is the state of {state['optimizer']}, not of {type(optimizer).__name__}; make the "
                         f"optimizer as it was when the state was saved")
    check_keys("counters", state["counters"], COUNTERS)
    groups, own = state["param_groups"], optimizer.param_groups
    if not isinstance(groups, list) or len(groups) != len(own):
        raise ValueError(f"this state has {len(groups) if isinstance(groups, list) else groups!r} parameter groups, "
                         f"the optimizer has {len(own)}")
    options = [fitting_group(optimizer, label(i, group), group, saved)
               for i, (group, saved) in enumerate(zip(own, groups))]
    moments = fitting_moments(optimizer, state["state"])
    pairs = [*paired("hooks", optimizer.hooks, state["hooks"]),
             *paired("update_hooks", optimizer.update_hooks, state["update_hooks"])]
    for i, (group, saved) in enumerate(zip(own, groups)):
        pairs += paired(f"the hooks of {label(i, group)}", group.get("hooks", ()), saved["hooks"])
    pairs += paired("schedules", schedules_of(optimizer), state["schedules"], "schedule", missing="schedules")

    before = [(one, one.state_dict()) for one, _ in pairs], [dict(group) for group in own]
    try:
        for group, new in zip(own, options):
            group.update(new)
        for one, saved in pairs:
            try:
                one.load_state_dict(saved)
            except (ValueError, TypeError, KeyError) as error:
                raise ValueError(f"the state of {hook_name(one)} does not fit: {error}") from error
    except BaseException:
        for one, held in before[0]:
            one.load_state_dict(held)
        for group, held in zip(own, before[1]):
            group.clear()
            group.update(held)
        raise
    optimizer.state = moments
    for name in COUNTERS:
        setattr(optimizer, name, state["counters"][name])


def fitting_group(optimizer, where, group, saved):
    """Return the hyperparameters of a saved group, checked, if its parameters are those of the group."""
    wanted = ("param_names", "shapes", *(key for key in optimizer.defaults), "hooks")
    if not isinstance(saved, dict):
        raise ValueError(f"{where}: the state of a group is a dict, not {saved!r}")
    check_keys(where, {key: value for key, value in saved.items() if key not in ("initial_lr", "name")}, wanted)
    shapes = {name: tuple(p.shape) for name, p in zip(group["param_names"], group["params"])}
    given = {name: tuple(shape) for name, shape in zip(saved["param_names"], saved["shapes"])}
    for name in (*shapes, *given):
        if name not in given:
            raise ValueError(f"{where}: this state knows nothing of parameter {name!r}; it is of "
                             f"{', '.join(given) or 'none'}")
        if name not in shapes:
            raise ValueError(f"{where}: this state is of a parameter {name!r}, which the optimizer does not have here; "
                             f"it has {', '.join(shapes)}")
        if shapes[name] != given[name]:
            raise ValueError(f"{where}: parameter {name!r} has shape {shapes[name]}, and {given[name]} in this state")
    new = {key: saved[key] for key in saved if key in optimizer.defaults or (key in OWN and key not in (
        "params", "param_names", "hooks"))}
    for key, value in list(new.items()):
        function = isinstance(value, dict) and "function" in value
        if function != callable(group.get(key)):
            raise ValueError(f"{where}: {key} is {'a function' if function else repr(value)} in this state, and "
                             f"{'a function' if callable(group.get(key)) else repr(group.get(key))} in the optimizer; "
                             f"a function is not saved, so give it one if it had one, and else a number")
        if function:
            del new[key]
    checked = optimizer._checked({**{key: group[key] for key in optimizer.defaults}, **{
        key: new[key] for key in new if key in optimizer.defaults}}, f"{where}: ")
    return {**new, **{key: checked[key] for key in new if key in checked}}


def fitting_moments(optimizer, saved):
    """Return the saved moments, a copy, if they are of parameters of the optimizer, and of their shapes."""
    if not isinstance(saved, dict):
        raise ValueError(f"'state' is a dict, parameter name -> its moments, not {saved!r}")
    for name, held in saved.items():
        if name not in optimizer.params:
            raise ValueError(f"this state has moments of {name!r}, which is no parameter of the optimizer")
        shape = optimizer.params[name].shape
        if not isinstance(held, dict):
            raise ValueError(f"the moments of {name!r} are a dict, not {held!r}")
        for key, value in held.items():
            if elementwise(type(optimizer)) and isinstance(value, np.ndarray) and value.shape != shape:
                raise ValueError(f"{key!r} of parameter {name!r} has shape {value.shape} in this state, and the "
                                 f"parameter {shape}")
    return copied(saved)


def paired(where, mine, saved, kind="hook", missing=None):
    """Return (hook, saved state) pairs, of those that keep one, if the saved list is of the same kinds in one order."""
    if not isinstance(saved, list) or any(not isinstance(one, dict) or kind not in one for one in saved):
        raise ValueError(f"{where}: a list of states is wanted, not {saved!r}")
    have, given = [hook_name(one) for one in mine], [one[kind] for one in saved]
    if have != given:
        raise ValueError(f"{where}: this state is of [{', '.join(given)}], and the optimizer has [{', '.join(have)}]; "
                         f"make it as it was when the state was saved"
                         + (f" (the {missing} before the state is loaded)" if missing else ""))
    for one, held in zip(mine, saved):
        if hasattr(one, "load_state_dict") != (held["state"] is not None):
            raise ValueError(f"{where}: {hook_name(one)} keeps a state, and did not when this was saved, or the other "
                             f"way round")
    return [(one, copied(held["state"])) for one, held in zip(mine, saved) if held["state"] is not None]

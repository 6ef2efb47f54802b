"""What an optimizer remembers, as one dict that can be saved, and how it is taken up again: all of it, or nothing.

Arrays are copied with their order in memory, as the last bit of a product may depend on it.
"""

import warnings
from contextlib import suppress
from copy import deepcopy
from reprlib import repr as brief

import numpy as np

from minigrad.hooks.protocol import check_keys, hook_name, shown
from minigrad.optim.groups import flag, from_zero, label
from minigrad.optim.owners import schedules_of, take
from minigrad.optim.updates import COUNTERS, says

SECTIONS = ("optimizer", "maximize", "counters", "param_groups", "state", "hooks", "update_hooks", "schedules")
EXTRAS = ("initial_lr", "name")
"""What a group may have beside its hyperparameters, and has in its state then."""


def state_of(optimizer):
    """Return all that an optimizer remembers as a dict of numbers, strings and arrays, independent of it."""
    optimizer._lay_down()
    moments = optimizer._state
    names = [*(name for name in optimizer.params if name in moments),
             *(name for name in moments if name not in optimizer.params)]
    return {"optimizer": type(optimizer).__name__,
            "maximize": optimizer.maximize,
            "counters": {name: getattr(optimizer, name) for name in COUNTERS},
            "param_groups": [group_state(optimizer, group) for group in optimizer.param_groups],
            "state": {name: deepcopy(moments[name]) for name in names},
            "hooks": kept_by(optimizer.hooks),
            "update_hooks": kept_by(optimizer.update_hooks),
            "schedules": kept_by(schedules_of(optimizer))}


def group_state(optimizer, group):
    """Return a group's hyperparameters, the names and shapes of its parameters, and its hooks' states."""
    out = {"param_names": list(group["param_names"]), "shapes": [tuple(p.shape) for p in group["params"]]}
    for key, value in group.items():
        if key in optimizer.defaults or key in EXTRAS:
            out[key] = {"function": shown(value)} if callable(value) else deepcopy(value)
    return {**out, "hooks": kept_by(group.get("hooks", ()))}


def kept_by(hooks):
    """Return the kind of each hook (or schedule) and its state; None for one that keeps none."""
    return [{"kind": hook_name(hook), "state": deepcopy(memory(hook))} for hook in hooks]


def memory(hook):
    """Return the state of a hook, or None."""
    return hook.state_dict() if hasattr(hook, "state_dict") else None


# ------------------------------------------------------------------------------------------------ taken up again

def restore(optimizer, state):
    """Give an optimizer what :func:`state_of` returned; if anything in it does not fit, nothing has changed."""
    check_sections(optimizer, state)
    groups = optimizer.param_groups
    new = {"maximize": flag(state["maximize"], "maximize"), **fitting_counters(state["counters"])}
    options = [fitting_group(optimizer, label(i, group), group, saved)
               for i, (group, saved) in enumerate(zip(groups, state["param_groups"]))]
    new["_state"] = fitting_moments(optimizer, state["state"])
    pairs = [*paired("hooks", optimizer.hooks, state["hooks"]),
             *paired("update_hooks", optimizer.update_hooks, state["update_hooks"])]
    for i, (group, saved) in enumerate(zip(groups, state["param_groups"])):
        pairs += paired(f"the hooks of {label(i, group)}", group.get("hooks", ()), saved["hooks"])
    check_windows(optimizer, pairs)
    pairs += paired_schedules(schedules_of(optimizer), state["schedules"])

    take(optimizer, optimizer._all_hooks())         # lest the next step resets one that was put into a group by hand
    optimizer._lay_down()
    before, rates, touched = {name: getattr(optimizer, name) for name in new}, [dict(group) for group in groups], []
    try:
        for where, one, saved in pairs:
            touched.append((one, deepcopy(memory(one))))
            give(where, one, saved)
        # Last, as a schedule has set the rates to what it left them at, and they may have been changed since then.
        for group, fresh in zip(groups, options):
            group.update(fresh)
            if "initial_lr" not in fresh:
                group.pop("initial_lr", None)
        for name, value in new.items():
            setattr(optimizer, name, value)
    except BaseException:
        for one, held in reversed(touched):
            with suppress(Exception):               # who refused what was saved may refuse its own as well
                one.load_state_dict(held)
        for group, held in zip(groups, rates):
            group.clear()
            group.update(held)
        for name, value in before.items():
            setattr(optimizer, name, value)
        raise


def give(where, one, saved):
    """Let a hook or a schedule load its state; whatever it raises, say whose state that was."""
    try:
        one.load_state_dict(saved)
    except Exception as error:
        text = f"{type(error).__name__} {error}" if isinstance(error, LookupError) else error
        raise ValueError(f"{where}: the state of {hook_name(one)} does not fit: {text}") from error


def check_sections(optimizer, state):
    """Refuse what is no state of an optimizer, or of one of another class or number of groups."""
    kind = type(optimizer).__name__
    if not isinstance(state, dict):
        raise ValueError(f"{kind}.load_state_dict takes the dict that opt.state_dict() returned, not {brief(state)}")
    for key, value in state.items():
        if key not in SECTIONS and isinstance(value, dict) and value.keys() >= set(SECTIONS):
            raise ValueError(f"this is a dict with the state of an optimizer in it: give state[{key!r}] alone")
    check_keys("this is no state of an optimizer, such as opt.state_dict() returns", state, SECTIONS)
    if state["optimizer"] != kind:
        raise ValueError(f"this is the state of {brief(state['optimizer'])}, not of {kind}; make the optimizer as it "
                         f"was when the state was saved")
    groups = state["param_groups"]
    if not isinstance(groups, list) or len(groups) != len(optimizer.param_groups):
        raise ValueError(f"this state has {len(groups) if isinstance(groups, list) else brief(groups)} parameter "
                         f"groups, and the optimizer {len(optimizer.param_groups)}; one that opt.add_param_group() "
                         f"added is added before the state is loaded")


def fitting_counters(saved):
    """Return the saved counters, checked."""
    check_keys("the counters in this state", saved, COUNTERS)
    for name, value in saved.items():
        if type(value) is not int or value < 0:
            raise ValueError(f"the counter {name!r} in this state is {brief(value)}: a whole number, at least 0")
    return dict(saved)


def fitting_group(optimizer, where, group, saved):
    """Return the hyperparameters of a saved group, checked, if its parameters are those of the group."""
    check_keys(f"{where} in this state", saved, ("param_names", "shapes", *optimizer.defaults, "hooks",
                                                 *(key for key in EXTRAS if isinstance(saved, dict) and key in saved)))
    mine = {name: tuple(p.shape) for name, p in zip(group["param_names"], group["params"])}
    names, shapes = saved["param_names"], saved["shapes"]
    if (not isinstance(names, list) or not isinstance(shapes, list) or len(names) != len(shapes)
            or not all(isinstance(name, str) for name in names) or len(set(names)) < len(names)):
        raise ValueError(f"{where}: 'param_names' and 'shapes' in this state are no lists of names, each one once, and "
                         f"as many shapes: {brief(names)}, {brief(shapes)}")
    given = dict(zip(names, shapes))
    for name in (*mine, *given):
        if name not in given:
            raise ValueError(f"{where}: this state knows nothing of parameter {name!r}; it is of {brief(names)}")
        if name not in mine:
            raise ValueError(f"{where}: this state is of a parameter {name!r}, which the optimizer does not have here; "
                             f"it has {brief(list(mine))}")
        if mine[name] != given[name]:
            raise ValueError(f"{where}: parameter {name!r} has shape {mine[name]}, and {brief(given[name])} in this "
                             f"state")
    new = {key: deepcopy(saved[key]) for key in (*optimizer.defaults, *EXTRAS) if key in saved}
    for key, value in list(new.items()):
        function, now = isinstance(value, dict) and "function" in value, group.get(key)
        if function != callable(now):
            raise ValueError(f"{where}: {key} is {'a function' if function else brief(value)} in this state, and "
                             f"{'a function' if callable(now) else brief(now)} in the optimizer; a function is not "
                             f"saved: set {key} to one, or to a number, as it was when the state was saved")
        if function:
            new[key] = now
    if "initial_lr" in new:
        new["initial_lr"] = from_zero(new["initial_lr"], f"{where}: initial_lr")
    return {**new, **optimizer._checked({key: new[key] for key in optimizer.defaults}, f"{where}: ")}


def fitting_moments(optimizer, saved):
    """Return the saved moments, a copy, if they are of parameters of the optimizer, and of their shapes."""
    check_keys("the moments in this state, parameter name -> dict", saved,
               [name for name in optimizer.params if isinstance(saved, dict) and name in saved])
    alike = says(optimizer, "elementwise")
    for name, held in saved.items():
        shape = tuple(optimizer.params[name].shape)
        if not isinstance(held, dict):
            raise ValueError(f"the moments of parameter {name!r} are a dict, not {brief(held)}")
        for key, value in held.items():
            if alike and isinstance(value, np.ndarray) and value.shape != shape:
                raise ValueError(f"{key!r} of parameter {name!r} has shape {value.shape} in this state, and the "
                                 f"parameter {shape}")
    return deepcopy(saved)


def paired(where, mine, saved, cure="make it as it was when the state was saved"):
    """Return (where, hook, saved state) of those that keep one, if what was saved is of the same kinds in one order."""
    have, given = [hook_name(one) for one in mine], kinds(where, saved)
    if have != given:
        raise ValueError(f"{where}: this state is of {listed(given)}, and the optimizer has {listed(have)}; {cure}")
    pairs = []
    for one, held in zip(mine, saved):
        if (memory(one) is None) != (held["state"] is None):
            now, then = ("keeps none", "kept one") if memory(one) is None else ("keeps a state", "kept none")
            raise ValueError(f"{where}: {hook_name(one)} {now}, and {then} when this was saved")
        if held["state"] is not None:
            if not hasattr(one, "load_state_dict"):
                raise ValueError(f"{where}: {hook_name(one)} has a state_dict(), and no load_state_dict(state) to take "
                                 f"it up again")
            pairs.append((where, one, deepcopy(held["state"])))
    return pairs


def check_windows(optimizer, pairs):
    """Refuse gathered gradients of what is no parameter of the optimizer, or of another shape."""
    for where, one, saved in pairs:
        sums = saved.get("sums") if getattr(one, "role", None) == "accumulate" and isinstance(saved, dict) else None
        for name, held in sums.items() if isinstance(sums, dict) else ():
            if name not in optimizer.params:
                fault = f"{brief(name)}, which is no parameter of the optimizer; it has {brief(list(optimizer.params))}"
            elif isinstance(held, np.ndarray) and held.shape != optimizer.params[name].shape:
                shape = tuple(optimizer.params[name].shape)
                fault = f"{name!r} of shape {held.shape}, and the parameter has {shape}"
            else:
                continue
            raise ValueError(f"{where}: the state of {hook_name(one)} does not fit: sums has {fault}")


def paired_schedules(mine, saved):
    """Do the same for schedules; where the optimizer has none yet, each may load its own state later: a warning."""
    if mine or not saved:
        return paired("schedules", mine, saved, "make them before the state is loaded, in the same order" if saved else
                      "load the state first, and make them then")
    warnings.warn(f"this state is of an optimizer with schedules, {listed(kinds('schedules', saved))}, and this one "
                  f"has none yet. Make them before the state is loaded; or make them now, and give each its own with "
                  f"schedule.load_state_dict(...). The learning rate stays as it is until then",
                  RuntimeWarning, stacklevel=4)
    return []


def kinds(where, saved):
    """Return the kinds in a saved list of hooks or schedules, or refuse what is no such list."""
    if not isinstance(saved, list) or not all(isinstance(one, dict) and one.keys() == {"kind", "state"}
                                              for one in saved):
        raise ValueError(f"{where}: a list of dicts with 'kind' and 'state' is wanted, not {brief(saved)}")
    return [one["kind"] for one in saved]


def listed(names):
    """Return names as a message shows them."""
    return f"[{', '.join(map(str, names))}]" if names else "none"

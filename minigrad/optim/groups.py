"""Parameters by name, and hyperparameters checked before they are used."""

import math
from operator import is_
from typing import NamedTuple

import numpy as np

from minigrad.hooks import Pipeline
from minigrad.optim.owners import take
from minigrad.optim.updates import joined, says
from minigrad.tensor import Tensor

OWN = ("params", "param_names", "hooks", "initial_lr", "name")
"""Keys of a group that are no hyperparameters; ``initial_lr`` is the schedules', ``name`` the user's."""


def label(number, group):
    """Return how a group is called in reports: its name, or its number."""
    return str(group.get("name") or f"group {number}")


# ------------------------------------------------------------------------------------ hyperparameters

def above_zero(value, what):
    """Return a number > 0 as a float."""
    number = as_float(value)
    if not 0 < number < math.inf:
        raise ValueError(f"{what} = {value!r}: must be a number > 0, and finite")
    return number


def from_zero(value, what):
    """Return a number >= 0 as a float."""
    number = as_float(value)
    if not 0 <= number < math.inf:
        raise ValueError(f"{what} = {value!r}: must be a number >= 0, and finite")
    return number


def below_one(value, what):
    """Return a number in [0, 1) as a float."""
    number = as_float(value)
    if not 0 <= number < 1:
        raise ValueError(f"{what} = {value!r}: must be a number in [0, 1)")
    return number


def as_float(value):
    """Return a number as a float, and NaN for what is none."""
    if isinstance(value, (str, bytes, bool)) or not hasattr(value, "__float__") or getattr(value, "size", 1) != 1:
        return math.nan
    return float(value)


def two_below_one(value, what):
    """Return two numbers in [0, 1) as a tuple."""
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        raise ValueError(f"{what} = {value!r}: two numbers in [0, 1)")
    return below_one(value[0], f"{what}[0]"), below_one(value[1], f"{what}[1]")


def flag(value, what):
    """Return True or False."""
    if not isinstance(value, (bool, np.bool_)):
        raise ValueError(f"{what} = {value!r}: True or False")
    return bool(value)


CHECKS = {
    "lr": from_zero, "momentum": below_one, "dampening": from_zero, "weight_decay": from_zero, "nesterov": flag,
    "betas": two_below_one, "eps": above_zero, "amsgrad": flag, "alpha": below_one, "centered": flag,
    "lr_decay": from_zero, "initial_accumulator_value": from_zero,
}
"""What each hyperparameter may be; one that is not listed, of an optimizer of your own, is taken as it is."""


def checked(options, where=""):
    """Return a dict of hyperparameters, each checked and converted; an lr that is a function stays one.

    Raises:
        ValueError: naming the hyperparameter, its value, and the place.
    """
    out = {}
    for name, value in options.items():
        check = CHECKS.get(name)
        out[name] = value if check is None or (name == "lr" and callable(value)) else check(value, where + name)
    return out


def refuse_extras(kind, extras, defaults):
    """Refuse keywords that an optimizer does not have, but those of PyTorch that mean nothing here."""
    for name, value in extras.items():
        if name not in ("foreach", "fused", "capturable", "differentiable"):
            raise TypeError(f"{kind} has no keyword {name!r}; it has params, {', '.join(defaults)}, hooks, "
                            f"update_hooks, trace, maximize")
        if value is not None:
            flag(value, name)
    if extras.get("differentiable"):
        raise ValueError(f"{kind}: differentiable=True is left out, updates are not on the tape; write the step "
                         f"yourself, w = w - lr * mg.grad(loss, w, create_graph=True)")


# ----------------------------------------------------------------------------------------- parameters

def as_groups(params):
    """Return what was given as parameters as a list of groups, dicts with "params" and what else was said."""
    if isinstance(params, dict):
        if "params" in params and not isinstance(params["params"], Tensor):
            raise TypeError("parameter groups are a list of dicts: write [{'params': ...}] with square brackets")
        return [{"params": params}]
    refuse_one(params)
    items = list(params)
    dicts = sum(isinstance(item, dict) for item in items)
    if not dicts:
        return [{"params": items}]
    if dicts < len(items):
        raise TypeError("some of the parameters are groups (dicts) and some are not; put all of them into groups")
    return items


def refuse_one(params):
    """Refuse a tensor or a net where a list of parameters is wanted, naming the cure."""
    if isinstance(params, Tensor):
        raise TypeError("give a list of parameters, [w], not one tensor")
    if hasattr(params, "parameters"):
        raise TypeError(f"give the parameters of the net, {type(params).__name__.lower()}.parameters(), not the net")
    if not hasattr(params, "__iter__"):
        raise TypeError(f"parameters are a list of tensors, not {params!r}")


def named(params, taken, where=""):
    """Return the parameters of one group as a dict name -> tensor, each tensor once.

    Args:
        params: tensors, ``(name, tensor)`` pairs, or a dict name -> tensor.
        taken: the names given so far in other groups, with their tensors.
        where: which group this is, for messages.
    """
    refuse_one(params)
    out, seen = {}, set()
    elsewhere = {id(p): name for name, p in taken.items()}
    for index, item in enumerate(params.items() if isinstance(params, dict) else params):
        given, p = item if isinstance(item, tuple) and len(item) == 2 else (None, item)
        if given is not None and not isinstance(given, str):
            raise TypeError(f"{where}parameter {index}: give (name, tensor), not ({type(given).__name__}, ...)")
        if not isinstance(p, Tensor):
            raise TypeError(f"{where}parameter {index} is a {type(p).__name__}, not a tensor")
        if not p.is_leaf:
            raise TypeError(f"{where}parameter {index} (shape {p.shape}) is the result of an operation, no leaf: an "
                            f"optimizer changes leaves; give what it was computed from, or p.detach()")
        if id(p) in seen:
            continue
        if id(p) in elsewhere:
            raise ValueError(f"{where}parameter {index}, {elsewhere[id(p)]!r} of shape {p.shape}, is in another group "
                             f"already; a parameter belongs to one group")
        seen.add(id(p))
        number = len(taken) + index
        name = given or getattr(p, "name", None) or f"param{number}"
        if name in out or name in taken:
            if given:
                raise ValueError(f"two parameters are named {name!r}")
            name = f"{name}#{number}"
        out[name] = p
    if not out:
        raise ValueError(f"{where}no parameters to optimize; if they came from a generator, it may have been used up")
    return out


# ------------------------------------------------------------------------------------------------ plan

class Group(NamedTuple):
    """One parameter group as it stands in one step: everything checked, the learning rate a number.

    ``runs`` holds its parameters as they are updated, see :func:`minigrad.optim.updates.joined`.
    """

    options: dict
    names: list
    hooks: Pipeline
    label: str
    runs: list


NONE = Pipeline(place="group")


def plan_of(optimizer):
    """Return a Group for each parameter group of an optimizer; what was assigned since the last step is checked."""
    plan = []
    for number, group in enumerate(optimizer.param_groups):
        where = f"group {number}: " if len(optimizer.param_groups) > 1 else ""
        try:
            options = optimizer._checked({name: group[name] for name in optimizer.defaults}, where)
            names, params = group["param_names"], group["params"]
        except KeyError as error:
            raise ValueError(f"{where}{error} has been taken out of the group; put it back") from None
        optimizer._refuse_unknown(group, where)
        if callable(options["lr"]):
            options["lr"] = from_zero(options["lr"](optimizer.updates),
                                      f"{where}lr (a function, at {optimizer.updates})")
        if "hooks" in group and not isinstance(group["hooks"], Pipeline):
            hooks = optimizer._group_hooks(group["hooks"])
            take(optimizer, [*optimizer._all_hooks(without=number), *hooks])
            group["hooks"] = hooks
        if len(names) != len(params) or not all(map(is_, map(optimizer.params.get, names), params)):
            raise ValueError(f"{where}its list of parameters was changed by hand; use opt.add_param_group(...) for "
                             f"more, and p.requires_grad_(False) with p.grad = None to leave one out")
        plan.append(Group(options, names, group.get("hooks", NONE), label(number, group),
                          runs_of(optimizer, number, names)))
    if sum(len(group.names) for group in plan) != len(optimizer.params):
        raise ValueError("opt.param_groups was changed by hand; use opt.add_param_group(...) for more")
    return plan


def runs_of(optimizer, number, names):
    """Return the parameters of a group as they are updated: joined, where ``propose`` is elementwise."""
    if number not in optimizer._runs:
        arrays = {name: optimizer.params[name]._array for name in names}
        together = says(optimizer, "elementwise")
        optimizer._runs[number] = joined(names, arrays) if together else [[name] for name in names]
    return optimizer._runs[number]

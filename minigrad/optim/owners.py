"""Which optimizer a hook with a state works for, kept beside the two, so that both can be copied and pickled."""

import weakref

OWNERS = {}
"""id of a hook -> (a function that returns the hook, one that returns its optimizer); None for what is gone."""


def take(optimizer, hooks):
    """Enter an optimizer as the owner of hooks that keep a state (have ``state_dict``); each serves one at a time.

    A hook that served another optimizer, which is gone or has put it away, begins afresh: its ``reset()`` is called.
    (A state that shall go on is loaded into it afterwards.)

    Raises:
        ValueError: if such a hook stands in two places, or another optimizer has it still, and the two would mix their
            gradients; or if one that has served another has no ``reset``.  Nothing has changed then.
    """
    places = [hook for hook in hooks if hasattr(hook, "state_dict")]
    stateful = {id(hook): hook for hook in places}.values()
    for hook in stateful:
        if sum(hook is other for other in places) > 1:
            raise ValueError(f"{hook!r} stands in two places, and would mix what it remembers of them; make a second "
                             f"one")
    used = []
    for hook in stateful:
        held, owner = (find() for find in OWNERS.get(id(hook), (_nothing, _nothing)))
        if held is not hook or owner is optimizer:
            continue
        if owner is not None and any(hook is one for one in owner._all_hooks()):
            raise ValueError(f"{hook!r} already belongs to another optimizer, and keeps a state for it; make a second "
                             f"one")
        if not callable(getattr(hook, "reset", None)):
            raise ValueError(f"{hook!r} keeps the state of an optimizer that it served before; make a second one, or "
                             f"give it a method reset() that forgets the state")
        used.append(hook)
    for hook in used:
        hook.reset()
    for hook in stateful:
        OWNERS[id(hook)] = _finder(hook), weakref.ref(optimizer)


def enrol(schedule):
    """Enter a schedule with its optimizer, whose state covers it."""
    schedule.optimizer._schedules.append(weakref.ref(schedule))


def schedules_of(optimizer):
    """Return the schedules of an optimizer that are still there and no part of another, in the order of making."""
    found = [find() for find in optimizer._schedules]
    return [schedule for schedule in found if schedule is not None and schedule._part_of is None]


def _finder(hook):
    """Return a function that returns a hook while somebody else holds it."""
    number = id(hook)
    try:
        return weakref.ref(hook, lambda gone: OWNERS.pop(number, None))
    except TypeError:                   # __slots__ without "__weakref__": kept, lest its number come to mean another
        return lambda: hook


def _nothing():
    return None

"""opt.load_state_dict(): what does not fit is refused by a message that says which, and nothing has changed then."""

import copy
import math

import numpy as np
import pytest
from optimizing import param
from resuming import HOOKS, STATE, TWO, Smooth, advanced, bits, build, everything, refused, state_after

import minigrad as mg
from minigrad import hooks, nn, optim


def put(*path_and_value):
    """Return an edit that puts the last to where the others lead."""
    *path, key, value = path_and_value

    def edit(state):
        for step in path:
            state = state[step]
        state[key] = value
    return edit


def cut(*path):
    def edit(state):
        for step in path[:-1]:
            state = state[step]
        del state[path[-1]]
    return edit


def swap(section, i, j):
    def edit(state):
        held = state[section]
        held[i], held[j] = held[j], held[i]
    return edit


GROUP, WINDOW = ("param_groups", 0), ("hooks", 2, "state")
EDITS = {
    "another class": (put("optimizer", "SGD"), "state of 'SGD', not of Adam"),
    **{f"no {name}": (cut(name), f"no state of an optimizer.*lacks '{name}'") for name in STATE},
    "odd section": (put("extra", 1), "has 'extra'"),
    "maximize": (put("maximize", "yes"), "maximize = 'yes'"),
    # counters
    "no counter": (cut("counters", "held"), "counters.*lacks 'held'"),
    "odd counter": (put("counters", "epochs", 3), "counters.*has 'epochs'"),
    "counter below 0": (put("counters", "updates", -1), "'updates' in this state is -1"),
    "counter a float": (put("counters", "micro_steps", 2.0), r"'micro_steps' in this state is 2\.0"),
    "counter a bool": (put("counters", "skipped", True), "'skipped' in this state is True"),
    "counters a list": (put("counters", [1]), r"counters.*a dict is wanted, not \[1\]"),
    # groups and their parameters
    "fewer groups": (cut("param_groups", 1), "1 parameter groups, and the optimizer 2.*add_param_group"),
    "more groups": (lambda s: s["param_groups"].append({}), "3 parameter groups, and the optimizer 2"),
    "groups a dict": (put("param_groups", {}), "{} parameter groups"),
    "a group is a list": (put("param_groups", 1, []), r"small in this state: a dict is wanted, not \[\]"),
    "groups swapped": (swap("param_groups", 0, 1), "group 0: this state knows nothing of parameter 'w'"),
    "a name too few": (lambda s: [s["param_groups"][0][key].pop() for key in ("param_names", "shapes")] and None,
                       "group 0: this state knows nothing of parameter 'h'; it is of.*'w', 'b', 'z'"),
    "a name too many": (lambda s: s["param_groups"][1]["param_names"].append("y")
                        or s["param_groups"][1]["shapes"].append((2,)),
                        "small: this state is of a parameter 'y', which the optimizer does not have here.*'c', 's'"),
    "a name twice": (put(*GROUP, "param_names", 3, "w"), "group 0: .*names, each one once"),
    "a name that is none": (put(*GROUP, "param_names", 3, [1]), "no lists of names"),
    "a shape": (put(*GROUP, "shapes", 0, (13, 17)), r"group 0: parameter 'w' has shape \(17, 13\), and \(13, 17\) in"),
    "a shape too few": (cut(*GROUP, "shapes", 0), "as many shapes"),
    "no names": (put(*GROUP, "param_names", None), "no lists of names.*None"),
    # hyperparameters
    "no hyperparameter": (cut(*GROUP, "betas"), "group 0 in this state: the dict lacks 'betas'"),
    "odd hyperparameter": (put(*GROUP, "momentum", 0.9), "group 0 in this state: the dict has 'momentum'"),
    "lr": (put("param_groups", 1, "lr", -0.1), r"small: lr = -0\.1: must be a number >= 0"),
    "lr a string": (put("param_groups", 1, "lr", "0.1"), "small: lr = '0.1'"),
    "lr NaN": (put(*GROUP, "lr", math.nan), "group 0: lr = nan"),
    "lr a function": (put(*GROUP, "lr", {"function": "f"}), "group 0: lr is a function in this state, and 0.* in the"),
    "betas": (put(*GROUP, "betas", (0.9, 1.5)), r"group 0: betas\[1\] = 1\.5"),
    "eps": (put(*GROUP, "eps", 0.0), r"group 0: eps = 0\.0"),
    "amsgrad": (put(*GROUP, "amsgrad", 1), "group 0: amsgrad = 1: True or False"),
    "initial_lr": (put(*GROUP, "initial_lr", -1), "group 0: initial_lr = -1"),
    # moments
    "moments of a stranger": (put("state", "y", {}), "moments.*has 'y'"),
    "moments of a shape": (put("state", "w", "v", np.zeros(3)), r"'v' of parameter 'w' has shape \(3,\).*\(17, 13\)"),
    "moments in one array": (put("state", "w", np.zeros(3)), "moments of parameter 'w' are a dict, not array"),
    "moments in a list": (put("state", []), r"moments.*a dict is wanted, not \[\]"),
    # hooks
    "another hook": (put("hooks", 3, "kind", "ZClip"),
                     r"hooks: this state is of \[Unscale, NonFinite, Accumulate, ZClip, ClipNorm\], and the optimizer "
                     r"has \[Unscale, NonFinite, Accumulate, AutoClip, ClipNorm\]"),
    "another order": (swap("hooks", 3, 4), r"Accumulate, ClipNorm, AutoClip\], and the optimizer has"),
    "a hook too few": (cut("hooks", 4), r"AutoClip\], and the optimizer has \[.*ClipNorm\]"),
    "no hooks": (put("hooks", []), r"hooks: this state is of none, and the optimizer has \[Unscale"),
    "hooks a dict": (put("hooks", {}), "hooks: a list of dicts"),
    "a hook a string": (put("hooks", 0, "Unscale"), "hooks: a list of dicts"),
    "a hook without state": (cut("hooks", 0, "state"), "hooks: a list of dicts with 'kind' and 'state'"),
    "a state lost": (put("hooks", 3, "state", None), "hooks: AutoClip keeps a state, and kept none when"),
    "a state found": (put("hooks", 4, "state", {}), "hooks: ClipNorm keeps none, and kept one when"),
    **{f"{name}: {text}": (edit(*place, "state"), f"{where}: the state of {name} does not fit: .*{text}")
       for name, where, place in (
           ("Unscale", "hooks", ("hooks", 0)), ("NonFinite", "hooks", ("hooks", 1)),
           ("Accumulate", "hooks", ("hooks", 2)), ("AutoClip", "hooks", ("hooks", 3)),
           ("ZClip", "update_hooks", ("update_hooks", 0)), ("Smooth", "update_hooks", ("update_hooks", 1)),
           ("ClipAverage", "the hooks of small", ("param_groups", 1, "hooks", 0)),
           ("StepLR", "schedules", ("schedules", 0)), ("ReduceLROnPlateau", "schedules", ("schedules", 1)))
       for edit, text in ((lambda *path: put(*path, "odd", 1), "odd|keys"), (lambda *path: put(*path, {}), "[a-z]"),
                          (lambda *path: put(*path, [1]), "[a-z]"))},
    "skips below 0": (put("hooks", 1, "state", "consecutive", -1), "NonFinite.*consecutive = -1: must be a whole"),
    "skips a fraction": (put("hooks", 1, "state", "consecutive", 1.5), r"NonFinite.*consecutive = 1\.5"),
    "skips a bool": (put("hooks", 1, "state", "consecutive", True), "NonFinite.*consecutive = True"),
    "norms of NaN": (put("hooks", 3, "state", "norms", np.array([1.0, math.nan])), "AutoClip: norms holds nan"),
    "norms of a group": (put("param_groups", 1, "hooks", 0, "state", "norms", np.zeros(2)),
                         r"the hooks of small: .*ClipAverage: norms holds 0\.0"),
    "a mean below 0": (put("update_hooks", 0, "state", "mean", -1.0), r"update_hooks: .*ZClip: mean = -1\.0"),
    "update hooks swapped": (swap("update_hooks", 0, 1), r"update_hooks: this state is of \[Smooth, ZClip\]"),
    "another hook of a group": (put("param_groups", 1, "hooks", 0, "kind", "AGC"), r"the hooks of small: .*\[AGC\]"),
    "a group with hooks": (put(*GROUP, "hooks", [{"kind": "AGC", "state": None}]),
                           r"the hooks of group 0: this state is of \[AGC\], and the optimizer has none"),
    # schedules
    "no schedule": (put("schedules", []), r"schedules: this state is of none, .* has \[StepLR, ReduceLROnPlateau\]; "
                    "load the state first, and make them then"),
    "a schedule too few": (cut("schedules", 0), r"schedules: this state is of \[ReduceLROnPlateau\].*make them before"),
    "schedules swapped": (swap("schedules", 0, 1), r"is of \[ReduceLROnPlateau, StepLR\], .* same order"),
    "another schedule": (put("schedules", 0, "kind", "LinearLR"), r"is of \[LinearLR, ReduceLROnPlateau\]"),
    "rates of other groups": (put("schedules", 0, "state", "base_lrs", [0.1]), "StepLR does not fit.*1 groups"),
}


@pytest.mark.parametrize(("edit", "said"), EDITS.values(), ids=EDITS)
def test_what_does_not_fit_is_refused(edit, said):
    state = copy.deepcopy(STATE)
    edit(state)
    run, twin = (advanced(build(2), 4) for _ in range(2))
    for one in (run, twin):
        one.opt.param_groups[0]["lr"] *= 1.5            # since the schedules have set it
    refused(run, state, said)
    assert run.micro_step(4) == twin.micro_step(4)
    run.opt.load_state_dict(STATE)                      # and a state that fits still does
    assert bits(run.opt.state_dict()) == bits(STATE)


HALF = state_after(10)
"""With one micro-batch of three in its window."""

WINDOWS = {
    "weights below 0": (put(*WINDOW, "weights", -1.0), r"weights = -1\.0: must be a finite number >= 0"),
    "weights inf": (put(*WINDOW, "weights", math.inf), "weights = inf"),
    "weights a string": (put(*WINDOW, "weights", "3"), "weights = '3'"),
    "no weights": (put(*WINDOW, "weights", 0.0), r"count = 1, but weights = 0\.0, and sums has"),
    "count below 0": (put(*WINDOW, "count", -1), "count = -1: must be a whole number, at least 0"),
    "count a fraction": (put(*WINDOW, "count", 1.5), r"count = 1\.5"),
    "count a bool": (put(*WINDOW, "count", True), "count = True"),
    "count 0": (put(*WINDOW, "count", 0), r"count = 0, but weights = 1\.0, and sums has"),
    "sums a list": (put(*WINDOW, "sums", [1.0]), r"sums = \[1\.0\]: must be a dict"),
    "no sums": (put(*WINDOW, "sums", {}), r"dtypes has .*, and sums \[\]"),
    "dtypes none": (put(*WINDOW, "dtypes", None), "dtypes = None: must be a dict"),
    "no dtypes": (put(*WINDOW, "dtypes", {}), r"dtypes has \[\], and sums \["),
    "a dtype a string": (put(*WINDOW, "dtypes", "w", "f8"), r"dtypes\['w'\] = 'f8'"),
    "a stranger": (put(*WINDOW, "sums", "y", None), "sums has 'y', which is no parameter of the optimizer.*'w'"),
    "a shape": (put(*WINDOW, "sums", "w", np.zeros((13, 17))),
                r"sums has 'w' of shape \(13, 17\), and the parameter has \(17, 13\)"),
    "a sum a list": (put(*WINDOW, "sums", "b", [1.0, 2.0]), r"sums\['b'\] = \[1\.0, 2\.0\]: must be an array"),
    "a sum of strings": (put(*WINDOW, "sums", "b", np.array(["a", "b", "c"])), r"sums\['b'\] = .*of floats"),
}


@pytest.mark.parametrize(("edit", "said"), WINDOWS.values(), ids=WINDOWS)
def test_a_window_that_cannot_have_been_gathered(edit, said):
    state = copy.deepcopy(HALF)
    edit(state)
    run, twin = (advanced(build(2), 4) for _ in range(2))
    refused(run, state, f"hooks: the state of Accumulate does not fit: .*{said}")
    assert run.micro_step(4) == twin.micro_step(4)
    run.opt.load_state_dict(HALF)
    assert bits(run.opt.state_dict()) == bits(HALF)


@pytest.mark.parametrize(("changes", "said"), [
    ({"make": optim.AdamW}, "state of 'Adam', not of AdamW"), ({"hooks": HOOKS[:-1]}, "ClipNorm"),
    ({"hooks": [HOOKS[0], HOOKS[1], HOOKS[3], HOOKS[2], HOOKS[4]]}, "NonFinite, AutoClip, Accumulate, ClipNorm"),
    ({"update_hooks": []}, "update_hooks: .*none"), ({"group": None}, "the hooks of small"),
    ({"schedules": TWO[::-1]}, r"has \[ReduceLROnPlateau, StepLR\]"), ({"schedules": TWO[:1]}, "schedules"),
    ({"schedules": [], "lr": lambda t: 0.1}, "group 0: lr is 0.* in this state, and a function in the optimizer")])
@pytest.mark.parametrize("steps", [0, 4])
def test_an_optimizer_that_is_made_otherwise(changes, said, steps):
    refused(advanced(build(2, **changes), steps), STATE, said)


def test_a_function_wants_a_function():
    run = build(1, schedules=[], lr=lambda t: 0.1 / (1 + t))
    state = advanced(run, 4).opt.state_dict()
    assert state["param_groups"][0]["lr"] == {"function": "<lambda>"}
    refused(build(2, schedules=[]), state, r"group 0: lr is a function in this state, and 0\.1 in the optimizer")
    other = build(2, schedules=[], lr=lambda t: 0.1 / (1 + t))
    other.opt.load_state_dict(state)
    assert other.opt.lr == run.opt.lr == 0.05


NET = nn.Linear(2, 1).state_dict()


@pytest.mark.parametrize(("state", "said"), [
    (None, "Adam.load_state_dict takes the dict that opt.state_dict.. returned, not None"), ([STATE], "takes the dict"),
    ({}, "no state of an optimizer.*lacks 'optimizer', 'maximize', 'counters'"),
    (NET, "no state of an optimizer.*has 'weight', 'bias'"),
    ({f"{i}.weight": np.ones(100) for i in range(50)}, "has '0.weight'.* 45 more"),
    ({"net": NET, "opt": STATE, "epoch": 3}, r"give state\['opt'\] alone"),
    ({"state": {}, "param_groups": []}, "lacks 'optimizer'"), (np.zeros((500, 500)), "not array"),
    ("x" * 10000, "not 'x")])
def test_what_is_no_state_of_an_optimizer(state, said, tmp_path):
    """Also from a file, where it would be something else that was saved."""
    run = advanced(build(2), 2)
    refused(run, state, said)
    mg.save(state, tmp_path / "other")
    refused(run, mg.load(tmp_path / "other"), said)


# ------------------------------------------------------------------------------------------ hooks that raise

class Brittle(Smooth):
    """Raises in the middle of loading what it is told to; and when it is given its own back, if it is obstinate."""

    error, obstinate = None, False

    def load_state_dict(self, state):
        if self.error and (self.obstinate or not state["means"]):
            self.means = {"half": 1.0}
            raise self.error
        super().load_state_dict(state)


@pytest.mark.parametrize("error", [RuntimeError("worn out"), KeyError("means"), ZeroDivisionError("by 0"),
                                   AttributeError("no m"), IndexError("7"), OSError("gone")])
@pytest.mark.parametrize("place", ["hooks", "update_hooks", "group"])
def test_a_hook_that_raises_in_the_middle(place, error):
    """Those before it have taken theirs by then, and give it back."""
    three = [lambda: hooks.AutoClip(30), Brittle, lambda: hooks.AddNoise(0.01)]
    changes = {place: (lambda: [make() for make in three]) if place == "group" else three}
    run, twin = (advanced(build(2, **changes), 4) for _ in range(2))
    state = state_after(8, **changes)
    held = state["param_groups"][1]["hooks"] if place == "group" else state[place]
    held[1]["state"]["means"] = {}
    brittle = next(hook for hook in run.opt._all_hooks() if isinstance(hook, Brittle))
    brittle.error = error
    where = "the hooks of small" if place == "group" else place
    raised = refused(run, state, f"{where}: the state of Brittle does not fit", str(error.args[0]))
    assert raised.__cause__ is error
    brittle.error = None
    assert run.micro_step(4) == twin.micro_step(4)


def test_one_that_refuses_its_own_as_well_does_not_keep_the_others_from_theirs():
    run = advanced(build(2, hooks=[lambda: hooks.AutoClip(30), Brittle]), 4)
    state = state_after(8, hooks=[lambda: hooks.AutoClip(30), Brittle])
    clip, brittle = run.opt.hooks
    brittle.error, brittle.obstinate = RuntimeError("never"), True
    before = bits(clip.state_dict())
    with pytest.raises(ValueError, match="never"):
        run.opt.load_state_dict(state)
    assert bits(clip.state_dict()) == before


def test_a_hook_that_gives_away_its_very_list_gets_back_what_was_in_it():
    class Diary:
        def __init__(self):
            self.norms = []

        def __call__(self, grads, ctx):
            self.norms.append(ctx.norm)
            return grads

        def state_dict(self):
            return {"norms": self.norms}

        def load_state_dict(self, state):
            self.norms[:] = state["norms"]

    run = advanced(build(2, hooks=[Diary, Brittle]), 4)
    state = state_after(8, hooks=[Diary, Brittle])
    state["hooks"][1]["state"]["means"] = {}
    run.opt.hooks[1].error = RuntimeError("never")
    refused(run, state, "never")


def test_an_interruption_in_the_middle_is_passed_on_and_leaves_nothing():
    run = advanced(build(2, update_hooks=[Brittle]), 4)
    state = state_after(8, update_hooks=[Brittle])
    state["update_hooks"][0]["state"]["means"] = {}
    run.opt.update_hooks[0].error = KeyboardInterrupt()
    before = everything(run)
    with pytest.raises(KeyboardInterrupt):
        run.opt.load_state_dict(state)
    assert everything(run) == before


def test_a_state_that_nobody_takes_up_again():
    class Writer:
        def __call__(self, grads, ctx):
            return grads

        def state_dict(self):
            return {"n": 1}

    opt = optim.SGD([("w", param([1.0]))], lr=0.1, hooks=[Writer()])
    with pytest.raises(ValueError, match=r"hooks: Writer has a state_dict\(\), and no load_state_dict"):
        opt.load_state_dict(opt.state_dict())


def test_one_that_keeps_nothing_now_and_then():
    """A state of None is none."""
    class Empty(Smooth):
        def state_dict(self):
            return None

    opt = optim.SGD([("w", param([1.0]))], lr=0.1, hooks=[Empty()])
    opt.load_state_dict(opt.state_dict())

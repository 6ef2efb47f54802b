"""Small parameters are updated together, and nobody can tell; a step that is broken off changes nothing."""

import copy
import pickle
import sys

import numpy as np
import pytest
from optimizing import OPTIMIZERS, frozen, param

import minigrad as mg
from minigrad import optim
from minigrad.hooks import SKIP, Accumulate, ClipNorm, NonFinite, Stateful

SHAPES = [(3, 2), (), (4,), (0, 2), (1,), (2, 1, 2)]


def apart(kind):
    """A class of optimizers that takes one parameter at a time, for its ``propose`` says nothing about elements."""
    class Apart(kind):
        def propose(self, p, g, state, options):
            return super().propose(p, g, state, options)
    return Apart


def pair(name, dtypes=("float64",) * 6, **kwargs):
    """Two optimizers from one start: as it is, and one parameter at a time."""
    rng, found = np.random.default_rng(0), []
    starts = [rng.normal(size=shape).astype(dtype) for shape, dtype in zip(SHAPES, dtypes, strict=True)]
    for joined in (True, False):
        params = [param(a.copy()) for a in starts]
        opt = OPTIMIZERS[name](params, **kwargs)
        if not joined:
            opt.__class__ = apart(type(opt))
        found.append((params, opt))
    return found


def give(rng, pairs, missing=0.0):
    for i, p in enumerate(pairs[0][0]):
        g = None if rng.random() < missing else rng.normal(size=p.shape)
        for params, _ in pairs:
            params[i].grad = None if g is None else g.astype(p.dtype)


def ends(params, opt):
    return [p.data.tobytes() for p in params], frozen(opt.state), opt.updates


@pytest.mark.parametrize("missing", [0.0, 0.3])
@pytest.mark.parametrize("dtypes", [("float64",) * 6, ("float32",) * 6, ("float64", "float32") * 3, ("float16",) * 6])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_together_is_one_by_one_to_the_bit(name, dtypes, missing):
    """Whatever happens between the steps: copies, states looked at and written into, update hooks that come and go."""
    pairs, rng = pair(name, dtypes, weight_decay=0.1), np.random.default_rng(3)
    for step in range(24):
        give(rng, pairs, missing)
        for k, (params, opt) in enumerate(pairs):
            if step == 4:
                for held in opt.state.values():
                    for value in held.values():
                        if isinstance(value, np.ndarray):
                            value[...] = value * value.dtype.type(0.5)
            if step == 8:
                opt.update_hooks = [ClipNorm(0.5)]
            if step == 12:
                opt.update_hooks = []
            if step == 15:
                params[0].data = params[0].data * 2
            if step == 18:
                params, opt = copy.deepcopy((params, opt))
                pairs[k] = (params, opt)
            opt.step()
        if step % 5 == 0:
            assert ends(*pairs[0]) == ends(*pairs[1])
    assert ends(*pairs[0]) == ends(*pairs[1])


@pytest.mark.parametrize("name", ["momentum", "Adam"])
def test_the_state_in_hand_stays_true(name):
    (params, opt), (others, one_by_one) = pairs = pair(name)
    rng, held = np.random.default_rng(0), (opt.state, one_by_one.state)
    for _ in range(4):
        give(rng, pairs)
        for (_, one), state in zip(pairs, held, strict=True):
            one.step()
            assert state is one.state
            for moments in state.values():
                for value in moments.values():
                    if isinstance(value, np.ndarray):
                        value[...] = 0.25
    assert ends(params, opt) == ends(others, one_by_one)


def test_loading_a_state_leaves_them_together():
    opt = pair("Adam")[0][1]
    pairs = [(list(opt.params.values()), opt)]
    for _ in range(2):
        give(np.random.default_rng(0), pairs)
        opt.step()
        assert any(run.state for runs in opt._runs.values() for run in runs if not isinstance(run, list))
        opt.load_state_dict(opt.state_dict())


def test_a_copy_has_the_moments():
    pairs = pair("momentum")
    opt = pairs[0][1]
    give(np.random.default_rng(0), pairs)
    opt.step()
    for again in (copy.deepcopy(opt), pickle.loads(pickle.dumps(opt))):
        assert frozen(again.state) == frozen(opt.state) != {}


def test_an_update_that_is_kept_elsewhere_is_not_written_into():
    class Heavy(optim.Optimizer):
        elementwise = True

        def __init__(self, params):
            super().__init__(params, {"lr": 1.0})

        def propose(self, p, g, state, options):
            v = (state["v"] if state else 0.0) * 0.5 - g
            return v, {"v": v}

    params = [param([1.0, 2.0]), param([3.0])]
    opt = Heavy(params)
    for _ in range(3):
        for p in params:
            p.grad = np.ones(p.shape)
        opt.step()
    assert [p.tolist() for p in params] == [[1.0 - 4.25, 2.0 - 4.25], [3.0 - 4.25]]
    assert opt.state["param1"]["v"].tolist() == [-1.75]


@pytest.mark.parametrize("state", [{"v": (np.zeros(3),)}, {"v": np.zeros(2)}, {"v": np.zeros(())}, [np.zeros(3)]])
def test_a_state_that_cannot_be_cut_up_is_refused(state):
    class Odd(optim.Optimizer):
        elementwise = True

        def __init__(self, params):
            super().__init__(params, {"lr": 1.0})

        def propose(self, p, g, held, options):
            return -g, state

    params = [param([1.0, 2.0]), param([3.0])]
    opt = Odd(params)
    for p in params:
        p.grad = np.ones(p.shape)
    with pytest.raises(TypeError, match=r"Odd\.propose.*elementwise = True.*a state is a dict"):
        opt.step()
    assert [p.tolist() for p in params] == [[1.0, 2.0], [3.0]]


def test_what_propose_and_update_hooks_are_given_cannot_be_written_to():
    class Writes(optim.SGD):
        elementwise = True

        def propose(self, p, g, state, options):
            p *= 0.5
            return -g, state

    def doubles(updates, ctx):
        for update in updates.values():
            update *= 2
        return updates

    for make in (lambda params: Writes(params, lr=1.0),
                 lambda params: optim.SGD(params, lr=1.0, update_hooks=[doubles])):
        params = [param([1.0, 2.0]), param([3.0])]
        opt = make(params)
        for p in params:
            p.grad = np.ones(p.shape)
        with pytest.raises(ValueError, match="read-only"):
            opt.step()
        assert [p.tolist() for p in params] == [[1.0, 2.0], [3.0]]


class Count(Stateful):
    remembers = {"seen": 0}

    def __call__(self, grads, ctx):
        self.seen += 1
        return grads


@pytest.mark.parametrize("traced", [False, True])
def test_a_step_that_is_interrupted_anywhere_has_changed_nothing(traced):
    """Ctrl-C at each line of the step, up to where it is rolled back."""
    rng = np.random.default_rng(0)
    params = [param(rng.normal(size=3)) for _ in range(3)]
    count = Count()
    opt = optim.Adam(params, lr=0.1, hooks=[NonFinite(), Accumulate(1), count, ClipNorm(0.5)], update_hooks=[Count()],
                     trace=mg.NormTrace() if traced else None)

    def everything():
        return ([p.data.tobytes() for p in params], frozen(opt._state), [frozen({"": run.state}) for run in runs()
                if run.state], opt.updates, opt.micro_steps, opt.held, count.seen, opt.update_hooks[0].seen)

    def runs():
        return [run for found in opt._runs.values() for run in found if not isinstance(run, list)]

    for p in params:
        p.grad = rng.normal(size=3)
    opt.step()
    for line in range(1, 10_000):
        before, left = everything(), [line]

        def watch(frame, event, arg, left=left):
            inside = "minigrad" in frame.f_code.co_filename
            if event == "exception" or frame.f_code.co_name in ("roll_back", "undo"):
                return None
            if event == "line" and inside and left[0] > 0:
                left[0] -= 1
                if left[0] == 0:
                    raise KeyboardInterrupt
            return watch if inside else None

        for p in params:
            p.grad = rng.normal(size=3)
        sys.settrace(watch)
        try:
            opt.step()
        except KeyboardInterrupt:
            sys.settrace(None)
            assert everything() == before, line
        else:
            sys.settrace(None)
            assert line > 300                           # it went through
            return


def test_counts_are_taken_anew_behind_a_hook_that_changes_something():
    trace = mg.NormTrace()
    w = param([1.0, 2.0])
    opt = optim.SGD([w], lr=1.0, hooks=[NonFinite("zero"), ClipNorm(9.0)], trace=trace)
    w.grad = [np.nan, 1.0]
    opt.step()
    assert [(r.nan, r.zero) for r in trace.rows[:3]] == [(1, 0), (1, 0), (0, 1)]


def test_a_group_hook_that_spoils_a_gradient_is_told_of():
    def spoils(grads, ctx):
        return {name: g * np.inf for name, g in grads.items()}

    w = param([1.0])
    opt = optim.SGD([{"params": [w], "hooks": [spoils]}], lr=1.0)
    w.grad = [1.0]
    with pytest.warns(RuntimeWarning, match="not finite"):
        opt.step()


def test_hooks_that_leave_nothing_make_no_step():
    w = param([1.0])
    opt = optim.SGD([w], lr=1.0, hooks=[lambda grads, ctx: dict.fromkeys(grads)])
    w.grad = [1.0]
    report = opt.step()
    assert (report.status, report.reason, opt.updates, w.tolist()) == ("skip", "the hooks left no gradient", 0, [1.0])
    opt.hooks = [lambda grads, ctx: SKIP]
    assert opt.step().status == "skip"

"""opt.state_dict(), saved and loaded at any micro-step: what follows is what would have followed, to the bit."""

import copy
import pickle
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optimizing import OPTIMIZERS, every_optimizer, param
from resuming import BASE, CASES, MICRO, SCHEDULES, Flips, Run, Smooth, bits

import minigrad as mg
from minigrad import hooks, nn, optim, saving

QUICK = settings(max_examples=100, deadline=None, derandomize=True, database=None)


def uninterrupted(build, steps=MICRO):
    """Run without a break; return what there was to see of each micro-step, and checkpoints: before each, and last."""
    run, seen, checkpoints = build(1), [], []
    for i in range(steps):
        checkpoints.append(run.checkpoint())
        seen.append(run.micro_step(i))
    return seen, [*checkpoints, run.checkpoint()]


# --------------------------------------------------------------------------------------- to the bit, from everywhere

@pytest.mark.parametrize("build", CASES.values(), ids=CASES)
def test_what_follows_is_what_would_have_followed(build, tmp_path):
    """Parameters, moments, counters, hooks, rates, schedules, reports with every stage, rows of the trace."""
    seen, checkpoints = uninterrupted(build)
    mg.save(checkpoints, tmp_path / "all")
    mg.save(checkpoints[-1], tmp_path / "last")
    del checkpoints
    assert len({str(state) for *_, state in seen}) == MICRO         # each of them moved something
    for k, checkpoint in enumerate(mg.load(tmp_path / "all")):
        run = build(2 + k)
        if k < MICRO:
            assert run.state() != seen[k - 1][-1]
        run.load(checkpoint)
        if k:
            assert run.state() == seen[k - 1][-1]
        for i in range(k, MICRO):
            assert run.micro_step(i) == seen[i], (k, i)
        mg.save(run.checkpoint(), tmp_path / "mine")
        assert (tmp_path / "mine").read_bytes() == (tmp_path / "last").read_bytes()


def test_the_run_of_all_at_once_goes_through_all_of_it():
    build = CASES["all at once"]
    run = build(1)
    reports = [run.micro_step(i)[0] for i in range(2 * MICRO)]
    assert (run.opt.updates, run.opt.held, run.opt.skipped) == (6, 21, 1)
    assert "not finite at scale" in reports[5]
    assert len(set(run.trace.column("coefficient", hook="Unscale"))) > 3
    assert sum(row.clipped if hasattr(row, "clipped") else row.coefficient < 1
               for row in run.trace.select(hook="AutoClip")) > 1
    assert len({row.weight for row in run.trace.rows}) == 3
    assert max(row.missing for row in run.trace.select(stage=0)) == 2
    assert run.opt.lr < 0.03 * 0.5 ** 3             # by both schedules


@pytest.mark.parametrize("k", range(0, MICRO, 3))
@pytest.mark.parametrize("name", ["all at once", "two", "plateau", "StepLR"])
def test_between_the_step_and_its_schedule_s(name, k):
    """The update is made, and the schedule has not heard of it yet."""
    def stopped(run, i):
        after, out = run.after, []
        run.after = lambda *args: out.append(args)
        run.micro_step(i)
        run.after = after
        return out[0]

    build = CASES[name]
    whole, run = build(1), build(1)
    for i in range(k):
        whole.micro_step(i), run.micro_step(i)
    seen = [whole.micro_step(i)[-1] for i in range(k, MICRO)]
    rest = stopped(run, k)
    other = build(2)
    other.load(run.checkpoint())
    # The report is not part of the state, and the trace of the first step is the other one's.
    assert other.after(rest[0], rest[1], 0)[-1] == seen[0]
    assert [other.micro_step(i)[-1] for i in range(k + 1, MICRO)] == seen[1:]


CATALOGUE = {
    "NonFinite": lambda n: hooks.NonFinite("skip"), "ClipNorm": lambda n: hooks.ClipNorm(0.1 * n),
    "ClipValue": lambda n: hooks.ClipValue(0.1 * n), "Accumulate": lambda n: hooks.Accumulate(n),
    "AutoClip": lambda n: hooks.AutoClip(10 * n, history=n), "ZClip": lambda n: hooks.ZClip(warmup=n + 1, z=0.5),
    "ClipAverage": lambda n: hooks.ClipAverage(0.2 * n, history=4, warmup=2), "AGC": lambda n: hooks.AGC(0.01 * n),
    "Normalize": lambda n: hooks.Normalize(), "Centralize": lambda n: hooks.Centralize(), "Flips": lambda n: Flips(),
    "AddNoise": lambda n: hooks.AddNoise(0.01 * n, rng=n), "Smooth": lambda n: Smooth(),
    "Unscale": lambda n: hooks.Unscale(hooks.LossScaler(2.0 ** n, interval=2)),
}
several = st.lists(st.tuples(st.sampled_from(sorted(CATALOGUE)), st.integers(1, 5)), max_size=4)


def made(chosen, without=()):
    """Return makers of the chosen hooks in an order that can be meant, and no two windows or scales among them."""
    first = {"Unscale": 0, "NonFinite": 1}
    kept = {kind if kind in ("Unscale", "Accumulate") else (kind, n): (kind, n) for kind, n in chosen}
    ordered = sorted(kept.values(), key=lambda pair: first.get(pair[0], 2))
    return [lambda n=n, kind=kind: CATALOGUE[kind](n) for kind, n in ordered if kind not in without]


@given(st.sampled_from(sorted(OPTIMIZERS)), several, several, several, st.sampled_from(sorted(SCHEDULES)),
       st.integers(0, 8))
@QUICK
def test_whatever_the_pipelines_are(name, gradient, group, update, schedule, k):
    inner = ("Unscale", "Accumulate", "NonFinite")

    def build(seed):
        return Run(OPTIMIZERS[name], seed, made(gradient), made(update, inner),
                   lambda: [hook() for hook in made(group, inner)], SCHEDULES[schedule])

    seen, checkpoints = uninterrupted(build, 8)
    run = build(2)
    run.load(checkpoints[k])
    for i in range(k, 8):
        assert run.micro_step(i) == seen[i]


@pytest.mark.parametrize("waiting", [1, 2])
def test_a_window_that_is_flushed_after_it_was_loaded(waiting):
    def build(seed):
        return Run(optim.Adam, seed, **BASE)

    run = build(1)
    for i in range(3 + waiting):
        run.micro_step(i)
    other = build(2)
    other.load(run.checkpoint())
    assert bits(repr(other.opt.flush())) == bits(repr(run.opt.flush()))
    assert other.state() == run.state()


def test_three_skips_in_a_row_are_three_after_a_load():
    def build():
        w = param([1.0])
        return w, optim.SGD([("w", w)], lr=0.1, hooks=[hooks.NonFinite("skip", max_consecutive=3)])

    state = None
    for _ in range(3):
        w, opt = build()
        if state:
            opt.load_state_dict(state)
        w.grad = [np.nan]
        assert opt.step().status == "skip"
        state = opt.state_dict()
    w, opt = build()
    opt.load_state_dict(state)
    w.grad = [np.nan]
    with pytest.raises(FloatingPointError, match="3 gradients in a row"):
        opt.step()
    assert bits(opt.state_dict()) == bits(state)


# ------------------------------------------------------------------------------------------- what is in the dict

@pytest.mark.parametrize("build", CASES.values(), ids=CASES)
def test_the_dict_and_the_optimizer_are_independent(build):
    run, other = build(1), build(2)
    for i in range(MICRO // 2):
        run.micro_step(i)
    state = run.opt.state_dict()
    before = bits(state)
    for i in range(MICRO // 2, MICRO):
        run.micro_step(i)
    assert bits(state) == before
    loaded = copy.deepcopy(state)
    other.load({"net": run.checkpoint()["net"], "opt": loaded})
    held = other.state()
    spoil(loaded)
    spoil(other.opt.state_dict())
    assert other.state() == held


def spoil(value):
    """Change all that can be changed in place."""
    for inner in list(value.values() if isinstance(value, dict) else value):
        if isinstance(inner, (dict, list)):
            spoil(inner)
        elif isinstance(inner, np.ndarray) and inner.dtype.kind in "fiu":
            inner[...] = 7
    value.clear() if isinstance(value, dict) else value.extend([1])


@pytest.mark.parametrize("build", CASES.values(), ids=CASES)
def test_to_load_one_s_own_state_changes_nothing(build):
    run, twin = build(1), build(1)
    for i in range(MICRO):
        run.opt.load_state_dict(run.opt.state_dict())
        before = run.state()
        run.opt.load_state_dict(run.opt.state_dict())
        assert run.state() == before
        assert run.micro_step(i) == twin.micro_step(i)


@pytest.mark.parametrize(("name", "how"), [
    *((name, copy.deepcopy) for name in ("all at once", "noise", "two", "update hooks", "loss scale")),
    # Of the order of axes in memory, pickle knows only two.
    *((name, lambda run: pickle.loads(pickle.dumps(run))) for name in ("all at once", "noise"))])
def test_a_copy_of_it_all_goes_on_in_the_same_way(name, how):
    run = CASES[name](1)
    for i in range(6):
        run.micro_step(i)
    other = how(run)
    assert other.state() == run.state()
    for i in range(6, MICRO):
        assert other.micro_step(i) == run.micro_step(i)
    assert bits(other.opt.state_dict()) == bits(run.opt.state_dict())
    fresh = CASES[name](2)
    fresh.load(other.checkpoint())
    assert fresh.state() == run.state()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@every_optimizer
def test_dtypes_stay_as_they_are(make, dtype, tmp_path):
    w, v = (param([1.0, 2.0], dtype) for _ in range(2))
    one, two = make([("w", w)]), make([("w", v)])
    w.grad = [0.5, 0.25]
    one.step()
    mg.save(one.state_dict(), tmp_path / "state")
    two.load_state_dict(mg.load(tmp_path / "state"))
    assert bits(two.state) == bits(one.state)
    wide = np.promote_types(dtype, np.float32)
    assert {a.dtype for held in two.state.values() for a in held.values() if isinstance(a, np.ndarray)} <= {wide}


def test_the_names_may_stand_in_another_order():
    def build(names):
        params = {name: param([1.0, -1.0 * len(name)]) for name in names}
        return params, optim.Adam(params, lr=0.1)

    def train(params, opt):
        for _ in range(3):
            for name, p in params.items():
                p.grad = p.data * len(name)
            opt.step()

    (params, opt), (others, other) = build(("a", "bb", "ccc")), build(("ccc", "a", "bb"))
    train(params, opt)
    for name, p in params.items():
        others[name].data = p.data
    other.load_state_dict(opt.state_dict())
    train(params, opt), train(others, other)
    assert {name: p.data.tobytes() for name, p in params.items()} == {n: p.data.tobytes() for n, p in others.items()}


def test_the_order_in_which_gradients_arrived_is_not_in_the_file(tmp_path):
    files = []
    for order in ("ab", "ba"):
        params = {name: param([1.0]) for name in "ab"}
        opt = optim.SGD(params, lr=0.1, momentum=0.9)
        for name in order:
            opt.zero_grad()
            params[name].grad = [1.0]
            opt.step()
        mg.save(opt.state_dict(), tmp_path / order)
        files.append((tmp_path / order).read_bytes())
    assert files[0] == files[1]


def test_groups_that_were_added_later():
    def build():
        a, b = param([1.0]), param([2.0, 3.0])
        opt = optim.Adam([("a", a)], lr=0.1)
        schedule = optim.lr_scheduler.ExponentialLR(opt, 0.5)
        opt.add_param_group({"params": [("b", b)], "lr": 0.01, "hooks": [hooks.AutoClip(50)], "name": "late"})
        return a, b, opt, schedule

    def train(a, b, opt, schedule):
        a.grad, b.grad = a.data * 3, b.data * 2
        opt.step()
        schedule.step()
        return bits([a, b, opt.state_dict(), [group["lr"] for group in opt.param_groups]])

    one, two = build(), build()
    for _ in range(3):
        train(*one)
    two[0].data, two[1].data = one[0].data, one[1].data
    two[2].load_state_dict(one[2].state_dict())
    assert [train(*one) for _ in range(3)] == [train(*two) for _ in range(3)]


def test_hooks_put_into_a_group_by_hand_keep_what_was_loaded():
    """One that served another optimizer begins afresh when it is put there, and not again at the next step."""
    def build(clip):
        w = param([3.0, 4.0])
        opt = optim.SGD([("w", w)], lr=0.1)
        opt.param_groups[0]["hooks"] = [clip]
        return w, opt

    def step(w, opt):
        w.grad = w.data
        return repr(opt.step())

    w, opt = build(hooks.AutoClip(50))
    for _ in range(3):
        step(w, opt)
    used = hooks.AutoClip(50)
    gone = build(used)
    step(*gone)
    del gone
    v, other = build(used)
    v.data = w.data
    other.load_state_dict(opt.state_dict())
    assert [step(v, other) for _ in range(3)] == [step(w, opt) for _ in range(3)]


def test_an_initial_rate_that_no_schedule_has_left_there():
    """A schedule that is made later begins with the rate of the group, as it would have."""
    opts = [optim.SGD([("w", param([1.0]))], lr=0.8) for _ in range(2)]
    optim.lr_scheduler.StepLR(opts[1], 1, gamma=0.5)
    assert opts[1].param_groups[0]["initial_lr"] == 0.8
    opts[0].lr = 0.2
    opts[1].load_state_dict(opts[0].state_dict())
    assert optim.lr_scheduler.StepLR(opts[1], 1, gamma=0.5).base_lrs == [0.2]


def test_every_hook_of_the_package_is_in_these_tests():
    found = {name for name in hooks.__all__ if isinstance(getattr(hooks, name), type)
             and "__call__" in dir(getattr(hooks, name)) and name != "inside"}
    assert found - {"Stateful"} <= set(CATALOGUE)


# ---------------------------------------------------------------------------------------- the order in memory

BLOCK = np.arange(24.0).reshape(2, 3, 4)


@pytest.mark.parametrize("array", [
    *(BLOCK.transpose(axes) for axes in permutations(range(3))), BLOCK.T.astype("f4"), np.zeros((5, 1, 7)).T,
    np.arange(6).reshape(1, 2, 3, 1).transpose(3, 2, 0, 1), np.array(3.0), np.zeros((0, 4, 2)).transpose(1, 0, 2)])
def test_arrays_and_tensors_keep_their_order_in_memory(array, tmp_path):
    """A norm adds up in that order."""
    mg.save({"a": array, "t": mg.tensor(array), "d": mg.tensor(array).data}, tmp_path / "file")
    for back in mg.load(tmp_path / "file").values():
        back = back.data if isinstance(back, mg.Tensor) else back
        assert bits(np.asarray(back)) == bits(array)


@pytest.mark.parametrize("array", [BLOCK[:, ::2].T, BLOCK[::-1].T, np.broadcast_to(BLOCK[0, 0], (3, 4)).T])
def test_what_lies_scattered_in_memory_comes_back_in_one_piece(array, tmp_path):
    mg.save(array, tmp_path / "file")
    back = mg.load(tmp_path / "file")
    assert (back.tolist(), back.flags.forc) == (array.tolist(), True)


@pytest.mark.parametrize("axes", [[], [1, 0], [0, 1, 1], [0, 1, 3], [0, 1, "2"], [0.5, 1, 2], [[0], 1, 2]])
def test_an_order_that_is_none_is_refused(axes, tmp_path, monkeypatch):
    monkeypatch.setattr(saving, "put", lambda array, place, arrays: arrays.append(array) or [0, *axes])
    mg.save(BLOCK, tmp_path / "file")
    with pytest.raises(saving.LoadError, match="file is damaged"):
        mg.load(tmp_path / "file")


def test_the_net_keeps_the_order_of_its_arrays_in_memory(tmp_path):
    net = nn.Linear(4, 3)
    net.weight.data = np.asfortranarray(net.weight.data)
    mg.save(net.state_dict(), tmp_path / "net")
    other = nn.Linear(4, 3)
    other.load_state_dict(mg.load(tmp_path / "net"))
    assert other.weight.data.strides == net.weight.data.strides == (8, 24)

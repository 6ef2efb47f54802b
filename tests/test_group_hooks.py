"""Hooks of a parameter group's own: they see its gradients alone, when the hooks of all are done."""

import math

import numpy as np
import pytest
from optimizing import OPTIMIZERS, every_optimizer, frozen, param

import minigrad as mg
from minigrad import hooks, nn, optim
from minigrad.hooks import HOLD, SKIP, Accumulate, ClipNorm, ClipValue, NonFinite, OrderError, Stateful


def two(first=None, second=None, make=optim.SGD, **kwargs):
    """Two groups, "body" with gradient [3, 4] and "head" with [0, 12], and hooks of their own."""
    a, b = param([0.0, 0.0]), param([0.0, 0.0])
    groups = [{"params": {"a": a}, "name": "body"}, {"params": {"b": b}, "name": "head", "lr": 0.5}]
    for group, own in zip(groups, (first, second), strict=True):
        if own is not None:
            group["hooks"] = own
    opt = make(groups, **{"lr": 1.0, **kwargs})
    a.grad, b.grad = [3.0, 4.0], [0.0, 12.0]
    return a, b, opt


class Count(Stateful):
    remembers = {"seen": 0}

    def __call__(self, grads, ctx):
        self.seen += 1
        return grads


@pytest.mark.parametrize(("common", "first", "second", "moved"), [
    ([], [ClipNorm(1.0)], None, ([0.6, 0.8], [0.0, 12.0])),
    ([], [ClipNorm(1.0)], [ClipNorm(6.0)], ([0.6, 0.8], [0.0, 6.0])),
    ([ClipNorm(1.3)], None, [ClipValue(0.6)], ([0.3, 0.4], [0.0, 0.6])),          # first all together, then the group
    ([ClipNorm(1.3)], [ClipNorm(9.0)], [ClipValue(0.6)], ([0.3, 0.4], [0.0, 0.6])),
    ([Accumulate(1), ClipNorm(1.3)], [ClipNorm(0.25)], [], ([0.15, 0.2], [0.0, 1.2]))])
def test_a_group_is_clipped_by_itself_after_all_together(common, first, second, moved):
    a, b, opt = two(first, second, hooks=common)
    opt.step()
    assert (-a.data).tolist() == pytest.approx(moved[0], rel=1e-15)
    assert (-b.data / 0.5).tolist() == pytest.approx(moved[1], rel=1e-15)


def test_what_a_group_hook_is_told():
    seen = []

    def look(grads, ctx):
        seen.append((list(grads), ctx.lr, ctx.norm, ctx.step, ctx.stage.group))
        return grads

    _a, _b, opt = two([look], [look, look], hooks=[ClipNorm(1.3)])
    report = opt.step()
    assert [s[0:2] for s in seen] == [(["a"], 1.0), (["b"], 0.5), (["b"], 0.5)]
    assert [s[2] for s in seen] == pytest.approx([0.5, 1.2, 1.2], rel=1e-15)
    assert [s[4] for s in seen] == ["body", "head", "head"]
    assert [(s.hook, s.group, s.index) for s in report.stages] == [
        ("backward", "", 0), ("ClipNorm", "", 1), ("look", "body", 2), ("look", "head", 3), ("look", "head", 4)]


def test_the_numbers_of_stages_stay_when_a_group_has_no_gradient_or_a_window_is_flushed():
    numbers = []
    a, _b, opt = two([ClipNorm(1.0)], [ClipNorm(1.0)], hooks=[Accumulate(2), ClipNorm(5.0)], trace=mg.NormTrace(),
                    update_hooks=[ClipNorm(2.0)])
    for missing in (None, a):
        if missing is not None:
            missing.grad = None
        opt.step()
        report = opt.flush()
        numbers.append({(s.hook, s.group, s.place): s.index for s in report.stages})
    assert numbers[0][("ClipNorm", "head", "gradient")] == 4
    assert numbers[0][("update", "", "update")] == 6
    assert numbers[1].items() <= numbers[0].items()
    assert ("ClipNorm", "body", "gradient") not in numbers[1]


@every_optimizer
def test_a_skip_concerns_the_group_alone(make):
    ends = []
    for skipping in (True, False):
        a, b, opt = two([lambda grads, ctx: SKIP] if skipping else None, make=make)
        if not skipping:
            a.grad = None
        report = opt.step()
        assert (report.status, opt.updates, opt.skipped, a.tolist()) == ("step", 1, 0, [0.0, 0.0])
        ends.append((b.data.tobytes(), frozen(opt.state)))
    assert ends[0] == ends[1]


def test_when_every_group_skips_the_step_is_skipped():
    a, b, opt = two([NonFinite("skip")], [NonFinite("skip")])
    a.grad, b.grad = [math.nan, 1.0], [1.0, math.inf]
    report = opt.step()
    assert (report.status, opt.updates, opt.skipped) == ("skip", 0, 1)
    assert all(text in report.reason for text in ("body", "a (1 NaN of 2)", "head", "b (1 inf of 2)"))


def test_one_group_is_bad_and_the_other_goes_on():
    a, b, opt = two([NonFinite("skip")], [NonFinite("raise")])
    a.grad = [math.nan, 1.0]
    assert opt.step().status == "step"
    assert (a.tolist(), b.tolist()) == ([0.0, 0.0], [0.0, -6.0])
    b.grad = [math.nan, 1.0]
    with pytest.raises(FloatingPointError, match="b "):
        opt.step()
    assert (opt.param_groups[0]["hooks"][0].consecutive, b.tolist()) == (1, [0.0, -6.0])


@pytest.mark.parametrize(("common", "own", "error", "text"), [
    ([], [Accumulate(2)], OrderError, "Accumulate in a parameter group"),
    ([ClipValue(1.0)], [NonFinite()], OrderError, "ClipValue stands left of NonFinite"),
    ([], [ClipValue(1.0), NonFinite()], OrderError, "ClipValue stands left of NonFinite"),
    ([], ClipNorm(1.0), TypeError, "square brackets"), ([], [ClipNorm], TypeError, "make an instance"),
    ([], [3], TypeError, "callable")])
def test_what_cannot_stand_in_a_group_is_refused(common, own, error, text):
    with pytest.raises(error, match=text):
        two(own, hooks=common)
    a, b, opt = two(hooks=common)
    with pytest.raises(error, match=text):
        opt.add_param_group({"params": param([1.0]), "hooks": own})
    assert len(opt.param_groups) == 2
    opt.param_groups[1]["hooks"] = own
    with pytest.raises(error, match=text):
        opt.step()
    assert (a.tolist(), b.tolist(), opt.updates) == ([0.0, 0.0], [0.0, 0.0], 0)


def test_common_hooks_are_checked_against_those_of_groups():
    _a, _b, opt = two([NonFinite()])
    with pytest.raises(OrderError, match="ClipValue stands left of NonFinite"):
        opt.hooks = [ClipValue(1.0)]
    assert list(opt.hooks) == []


def test_a_hold_in_a_group_is_refused_and_undone():
    count = Count()
    a, _b, opt = two([count], [lambda grads, ctx: HOLD], hooks=[NonFinite()])
    with pytest.raises(TypeError, match=r"of head returned HOLD.*hooks=\[\.\.\.\]"):
        opt.step()
    assert (count.seen, opt.updates, opt.held, a.tolist()) == (0, 0, 0, [0.0, 0.0])


def test_hooks_of_groups_can_be_assigned_and_belong_to_one_optimizer():
    count = Count()
    _a, b, opt = two([count])
    opt.step()
    with pytest.raises(ValueError, match="already belongs to another optimizer"):
        optim.SGD([{"params": [param([1.0])], "hooks": [count]}], lr=1.0)
    opt.param_groups[1]["hooks"] = [ClipNorm(1.0)]
    b.grad = [3.0, 4.0]
    before = b.data
    opt.step()
    assert (count.seen, (before - b.data).tolist()) == (2, pytest.approx([0.3, 0.4], rel=1e-15))
    opt.param_groups[0]["hooks"] = []
    other = optim.SGD([{"params": [param([1.0])], "hooks": [count]}], lr=1.0)          # put away, it begins afresh
    assert (count.seen, other.param_groups[0]["hooks"].hooks) == (0, [count])


def test_a_hook_with_a_memory_stands_in_one_place():
    clip = hooks.AutoClip()
    for build in (lambda: two([clip], [clip]), lambda: two([clip], hooks=[clip]),
                  lambda: two([clip], update_hooks=[clip]),
                  lambda: optim.SGD([param([1.0])], lr=1.0, hooks=[clip, ClipNorm(1.0), clip])):
        with pytest.raises(ValueError, match=r"AutoClip\(.*\) stands in two places.*make a second one"):
            build()
    a, _b, opt = two([clip])
    for name in ("hooks", "update_hooks"):
        with pytest.raises(ValueError, match="stands in two places"):
            setattr(opt, name, [clip])
        assert not len(getattr(opt, name))
    opt.param_groups[1]["hooks"] = [clip]
    with pytest.raises(ValueError, match="stands in two places"):
        opt.step()
    assert a.tolist() == [0.0, 0.0]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_groups_with_a_clip_each_are_optimizers_with_a_clip_each(name):
    """Two groups, each with its own clip, and two optimizers with one clip each: the same path, to the bit."""
    make, rng = OPTIMIZERS[name], np.random.default_rng(5)
    a, b = param([1.0, -1.0]), param([[2.0, 0.5, 1.0]])
    c, d = param([1.0, -1.0]), param([[2.0, 0.5, 1.0]])
    opt = make([{"params": [a], "hooks": [ClipNorm(0.7)]}, {"params": [b], "hooks": [ClipNorm(0.2, p=1)]}])
    apart = make([c], hooks=[ClipNorm(0.7)]), make([d], hooks=[ClipNorm(0.2, p=1)])
    for _ in range(20):
        a.grad = c.grad = rng.normal(size=2)
        b.grad = d.grad = rng.normal(size=(1, 3))
        opt.step()
        for one in apart:
            one.step()
    assert (a.data.tobytes(), b.data.tobytes()) == (c.data.tobytes(), d.data.tobytes())


def test_the_pipeline_is_shown_with_its_groups():
    opt = two([ClipNorm(0.5)], hooks=[NonFinite("skip"), Accumulate(4), ClipNorm(1.0)])[2]
    assert repr(opt.hooks).splitlines() == [
        "NonFinite('skip')  [per micro-batch]", " -> Accumulate(4)", " -> ClipNorm(1.0)  [per window]",
        " -> body: ClipNorm(0.5)  [per window]"]
    _a, _b, opt = two(second=[ClipNorm(0.5), ClipValue(1.0)])
    assert repr(opt.hooks).splitlines() == ["head: ClipNorm(0.5)", " -> head: ClipValue(1.0)"]


def test_a_trace_has_the_groups():
    trace = mg.NormTrace(per_parameter=True)
    _a, _b, opt = two([ClipNorm(1.0)], [ClipNorm(6.0)], hooks=[ClipNorm(26.0)], trace=trace)
    opt.step()
    assert trace.column("norm_in", hook="ClipNorm", group="body").tolist() == [5.0]
    assert trace.column("norm_out", hook="ClipNorm", group="head").tolist() == [6.0]
    assert trace.column("group", stage=2, parameter="a").tolist() == ["body"]
    assert [r.parameter for r in trace.rows if r.group == "head"] == ["", "b"]
    assert trace.share_clipped() == 0.0                 # of the clip of all, which comes first


def test_a_network_whose_head_is_clipped_more_tightly_trains():
    mg.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))
    opt = optim.SGD([{"params": net[0].parameters()}, {"params": net[2].parameters(), "hooks": [ClipNorm(0.1)]}],
                    lr=0.1, hooks=[hooks.NonFinite(), hooks.Accumulate(2)])
    x = np.random.default_rng(0).normal(size=(32, 3))
    losses = []
    for _ in range(60):
        opt.zero_grad()
        loss = nn.functional.mse_loss(net(x), x.sum(1, keepdims=True))
        loss.backward()
        report = opt.step()
        losses.append(loss.item())
        if report.status == "step":
            assert [s.norm_out <= 0.1 * (1 + 1e-15) for s in report.stages if s.group] == [True]
    assert losses[-1] < 0.5 * losses[0]

"""Hooks in an optimizer: what is not finite, any callable as a hook, hooks on the update, and the order."""

import math

import numpy as np
import pytest
from optimizing import GRADIENTS, every_optimizer, frozen, param, train

import minigrad as mg
from minigrad import optim
from minigrad.hooks import HOLD, SKIP, Accumulate, ClipNorm, ClipValue, NonFinite, OrderError, Stateful

# ------------------------------------------------------------------------------------- what is not finite

def net(**kwargs):
    """Two parameters with names like those of a network's second layer, and an optimizer with momentum."""
    params = {"1.weight": param([1.0, 2.0]), "1.bias": param([3.0])}
    return params, optim.SGD(params, lr=0.1, momentum=0.9, **kwargs)


def give(params, weight, bias):
    params["1.weight"].grad, params["1.bias"].grad = weight, bias


@pytest.mark.parametrize("pairs", [dict, lambda d: list(d.items()), lambda d: iter(d.items())])
@pytest.mark.parametrize(("bad", "text"), [
    ([math.nan, 1.0], r"1\.weight \(1 NaN of 2\)"), ([math.inf, math.nan], r"1\.weight \(1 NaN, 1 inf of 2\)"),
    ([-math.inf, -math.inf], r"1\.weight \(2 inf of 2\)")])
def test_raise_names_the_parameter_and_touches_nothing(bad, text, pairs):
    params = {"1.weight": param([1.0, 2.0]), "1.bias": param([3.0])}
    trace = mg.NormTrace()
    opt = optim.Adam(pairs(params), lr=0.1, hooks=[NonFinite()], trace=trace)
    give(params, [1.0, 1.0], [1.0])
    opt.step()
    before = [p.data for p in params.values()]
    counters, held = (opt.updates, opt.micro_steps, opt.skipped), frozen(opt.state)
    give(params, bad, [1.0])
    with pytest.raises(FloatingPointError, match=text) as caught:
        opt.step()
    assert "1.bias" not in str(caught.value)
    assert all(np.shares_memory(p.data, a) for p, a in zip(params.values(), before, strict=True))
    assert ((opt.updates, opt.micro_steps, opt.skipped), frozen(opt.state)) == (counters, held)
    first, last = trace.select(outcome="raise")        # the step that ends a run is the one to look at
    assert (first.hook, first.norm_in == math.inf or math.isnan(first.norm_in)) == ("backward", True)
    assert (last.hook, last.status, last.norm_out) == ("NonFinite", "raise", None)
    assert "1.weight" in last.reason


@every_optimizer
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_skip_advances_nothing_and_is_counted(make, bad):
    ends = []
    for gradients in (GRADIENTS, [GRADIENTS[0], [bad, 1.0], *GRADIENTS[1:], [1.0, bad]]):
        w = param([1.0, 1.0])
        opt = make([w], hooks=[NonFinite("skip"), ClipNorm(lambda step: 1.0 + step)])
        ends.append(train(w, gradients, opt)[-1].tobytes())
    assert ends[0] == ends[1]
    assert (opt.updates, opt.skipped, opt.micro_steps) == (3, 2, 5)


@pytest.mark.parametrize("most", [1, 3, 10])
def test_too_many_skips_in_a_row_raise(most):
    w = param([0.0])
    opt = optim.SGD([w], lr=1.0, hooks=[NonFinite("skip", max_consecutive=most)])
    for _ in range(2):                                                  # a good one begins the count anew
        assert [report_of(opt, w, math.nan).status for _ in range(most)] == ["skip"] * most
        assert report_of(opt, w, 1.0).status == "step"
    for _ in range(most):
        assert "param0 (1 NaN of 1)" in report_of(opt, w, math.nan).reason
    for _ in range(2):
        with pytest.raises(FloatingPointError, match=f"{most} gradients in a row"):
            report_of(opt, w, math.nan)
    assert (w.item(), opt.updates, opt.skipped) == (-2.0, 2, 3 * most)


def report_of(opt, w, g):
    w.grad = [g]
    return opt.step()


def test_zero_replaces_what_is_not_finite_alone():
    params, opt = net(hooks=[NonFinite("zero"), ClipNorm(1.0)])
    give(params, [math.nan, 3.0], [-math.inf])
    report = opt.step()
    assert params["1.weight"].tolist() == [1.0, 2.0 - 0.1]
    assert params["1.bias"].tolist() == [3.0]
    assert (report.status, report.stages[1].norm_out, report.stages[2].norm_out) == ("step", 3.0, 1.0)
    assert "1.bias (1 inf of 1)" in report.stages[1].reason


def test_propagate_lets_it_through_without_a_warning():
    params, opt = net(hooks=[NonFinite("propagate")])
    give(params, [math.nan, 3.0], [1.0])
    report = opt.step()
    assert np.isnan(params["1.weight"].data).tolist() == [True, False]
    assert (report.status, report.stages[1].reason) == ("step", "not finite: 1.weight (1 NaN of 2)")


@pytest.mark.parametrize("hooks", [[], [ClipNorm(1.0)], [Accumulate(1)]])
def test_without_a_finite_check_there_is_one_warning_and_only_one(hooks):
    params, opt = net(hooks=hooks)
    give(params, [math.nan, 3.0], None)
    with pytest.warns(RuntimeWarning, match=r"not finite at update 0, in 1\.weight") as caught:
        opt.step()
    assert len(caught) == 1
    assert caught[0].filename == __file__
    give(params, [math.nan, 3.0], None)
    opt.step()                                                          # a second warning would be an error here


def test_a_value_clip_does_not_hide_inf_where_no_finite_check_was_asked():
    params, opt = net(hooks=[ClipValue(1.0)])
    give(params, [math.inf, 0.5], [0.5])
    with pytest.warns(RuntimeWarning, match=r"1\.weight"):
        opt.step()


@pytest.mark.parametrize("arguments", [{"policy": "ignore"}, {"policy": None}, {"max_consecutive": 0},
    {"max_consecutive": True}, {"max_consecutive": 2.5}, {"max_consecutive": math.nan}, {"max_consecutive": "3"}])
def test_bad_policies(arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        NonFinite(**arguments)


@pytest.mark.parametrize(("hook", "text"), [
    (NonFinite(), "NonFinite('raise')"), (NonFinite("skip", 10), "NonFinite('skip')"),
    (NonFinite("skip", max_consecutive=3.0), "NonFinite('skip', max_consecutive=3)"),
    (NonFinite("skip", max_consecutive=math.inf), "NonFinite('skip', max_consecutive=inf)")])
def test_the_representation_of_a_finite_check(hook, text):
    assert repr(hook) == text


# ----------------------------------------------------------------------------------------- any callable as a hook

def two(**kwargs):
    """Two parameters of different shapes with gradients [3, 4] and [12], none for a third, and SGD with momentum."""
    params = {"a": param([0.0, 0.0]), "b": param([0.0]), "c": param([5.0])}
    opt = optim.SGD(params, lr=1.0, momentum=0.5, **kwargs)
    params["a"].grad, params["b"].grad = [3.0, 4.0], [12.0]
    return params, opt


def doubled(grads, ctx):
    return {name: g if g is None else g * 2 for name, g in grads.items()}


class Doubled:
    def __call__(self, grads, ctx):
        return doubled(grads, ctx)


PLACES = pytest.mark.parametrize("place", ["hooks", "update_hooks"])


@PLACES
@pytest.mark.parametrize("hook", [
    doubled, Doubled(), lambda grads, ctx: doubled(grads, ctx),
    lambda grads, ctx: {name: g if g is None else (g * 2).tolist() for name, g in grads.items()},
    lambda grads, ctx: {name: g if g is None else (g * 2).astype(np.float32) for name, g in grads.items()},
    lambda grads, ctx: dict(reversed(doubled(grads, ctx).items()))])
def test_a_hook_is_any_callable_that_answers_in_kind(hook, place):
    """Lists and other dtypes are taken, the order of the names is free, and the dtype of the parameter stays."""
    params, opt = two(**{place: [hook]})
    report = opt.step()
    assert {name: p.tolist() for name, p in params.items()} == {"a": [-6.0, -8.0], "b": [-24.0], "c": [5.0]}
    assert all(p.dtype == np.float64 for p in params.values())
    assert (report.stages[1].norm_out, report.stages[1].coefficient) == (26.0, 2.0)
    assert report.stages[1].cosine == pytest.approx(1.0, abs=1e-15)


@PLACES
def test_a_narrower_answer_is_widened_for_the_next_hook(place):
    seen = []

    def narrow(grads, ctx):
        return {name: None if g is None else g.astype(np.float16) for name, g in grads.items()}

    def look(grads, ctx):
        seen.extend(g.dtype for g in grads.values() if g is not None)
        return grads

    _, opt = two(**{place: [narrow, look]})
    opt.step()
    assert seen == [np.float64, np.float64]


@PLACES
@pytest.mark.parametrize(("answer", "error", "text"), [
    (lambda g: None, TypeError, "returned NoneType"), (lambda g: [1, 2], TypeError, "returned list"),
    (lambda g: {"a": g["a"]}, ValueError, "other parameters than it was given: b, c"),
    (lambda g: {**g, "d": g["a"]}, ValueError, "other parameters than it was given: d"),
    (lambda g: {**g, "a": np.ones(3)}, ValueError, r"shape \(3,\) for a, whose gradient has \(2,\)"),
    (lambda g: {**g, "a": 1.0}, ValueError, r"shape \(\) for a"),
    (lambda g: {**g, "c": np.ones(1)}, ValueError, "c was given a gradient")])
def test_an_answer_that_does_not_fit_changes_nothing(answer, error, text, place):
    def hook(grads, ctx):
        return answer(dict(grads)) if ctx.step else grads

    params, opt = two(**{place: [hook]})
    opt.step()
    before, state = [p.data for p in params.values()], frozen(opt.state)
    with pytest.raises(error, match=f"hook hook.*{text}"):
        opt.step()
    assert all(np.shares_memory(p.data, a) for p, a in zip(params.values(), before, strict=True))
    assert (frozen(opt.state), opt.updates) == (state, 1)


@pytest.mark.parametrize(("hooks", "text"), [([3], "callable"), (["clip"], "callable"), ([ClipNorm], "instance")])
def test_what_is_no_hook(hooks, text):
    for place in ("hooks", "update_hooks"):
        with pytest.raises(TypeError, match=text):
            optim.SGD([param([1.0])], lr=1.0, **{place: hooks})


@pytest.mark.parametrize(("before", "given"), [
    ([], lambda grads, ctx: grads["a"]), ([], lambda grads, ctx: ctx.params["a"]),
    ([doubled], lambda grads, ctx: grads["a"])])
def test_a_hook_cannot_write_into_what_it_is_given(before, given):
    def greedy(grads, ctx):
        given(grads, ctx)[0] = 100.0
        return grads

    params, opt = two(hooks=[*before, greedy])
    with pytest.raises(ValueError, match="read-only"):
        opt.step()
    assert (params["a"].grad.tolist(), params["a"].tolist()) == ([3.0, 4.0], [0.0, 0.0])


def test_a_hook_that_changes_the_dict_it_was_given_is_measured_too():
    def in_place(grads, ctx):
        grads["a"] = grads["a"] * 10
        return grads

    params, opt = two(hooks=[in_place, ClipNorm(1.0)])
    report = opt.step()
    assert report.stages[1].norm_out == pytest.approx(math.hypot(30, 40, 12))
    assert math.hypot(*params["a"].tolist(), params["b"].item()) == pytest.approx(1.0)


def test_what_backward_left_stays_beside_what_was_applied():
    params, opt = two(hooks=[ClipNorm(1.0), doubled])
    opt.step()
    assert (params["a"].grad.tolist(), params["b"].grad.tolist()) == ([3.0, 4.0], [12.0])
    assert params["b"].item() == pytest.approx(-24 / 13)


@every_optimizer
@pytest.mark.parametrize(("verdict", "status"), [(SKIP, "skip"), (HOLD, "hold")])
@pytest.mark.parametrize("reason", ["", "it rains"])
def test_hold_and_skip_change_nothing_and_say_why(make, verdict, status, reason):
    w = param([1.0, 1.0])
    stopping = False
    opt = make([w], hooks=[lambda grads, ctx: verdict.because(reason) if stopping else grads])
    train(w, GRADIENTS, opt)
    before, state, stopping = w.data, frozen(opt.state), True
    report = opt.step()
    assert (report.status, report.reason, frozen(opt.state)) == (status, reason, state)
    assert np.shares_memory(w.data, before)
    assert (opt.updates, opt.held + opt.skipped, opt.micro_steps) == (3, 1, 4)


# ------------------------------------------------------------------------------------- hooks with a memory

def test_a_hook_with_a_memory_is_shown_by_its_class():
    class Smooth(Stateful):
        remembers = {"seen": 0}

        def __call__(self, grads, ctx):
            return grads

    class Named(Smooth):
        def __repr__(self):
            return "Named(7)"

    assert repr(optim.SGD([param([1.0])], lr=1.0, hooks=[Smooth(), Named()]).hooks) == "Smooth()\n -> Named(7)"


@pytest.mark.parametrize("wrong", [["seen"], "seen", {"seen"}, None, ("seen", 0)])
def test_what_a_hook_remembers_is_a_dict(wrong):
    with pytest.raises(TypeError, match=r'Count: remembers = .* is no dict.*remembers = \{"seen": 0\}'):
        type("Count", (Stateful,), {"remembers": wrong})


def test_a_state_is_checked_before_any_of_it_is_taken_up_and_copied():
    class Two(Stateful):
        remembers = {"sums": {}, "seen": 0}

        def check_state(self, state):
            if state["seen"] < 0:
                raise ValueError(f"Two: seen = {state['seen']}")

    hook, given = Two(), {"sums": {"w": [np.ones(2)]}, "seen": 3}
    with pytest.raises(ValueError, match="Two: seen = -1"):
        hook.load_state_dict({**given, "seen": -1})
    assert hook.state_dict() == {"sums": {}, "seen": 0}
    hook.load_state_dict(given)
    given["sums"]["w"][0][:] = 7.0
    given["sums"]["b"] = 1
    assert hook.seen == 3
    assert list(hook.sums) == ["w"]
    assert hook.sums["w"][0].tolist() == [1.0, 1.0]


# ------------------------------------------------------------------------------------- hooks on the update

@every_optimizer
def test_an_update_hook_gets_what_would_be_added(make):
    """A clip there bounds the step itself, even Adam's."""
    w, seen = param([1.0, 1.0]), []
    opt = make([w], update_hooks=[ClipNorm(1e-3), lambda updates, ctx: seen.append(updates["param0"]) or updates])
    path = np.vstack([[1.0, 1.0], train(w, GRADIENTS, opt)])
    assert np.allclose(np.diff(path, axis=0), seen, rtol=0, atol=1e-15)
    assert [math.hypot(*step) for step in seen] == pytest.approx([1e-3] * 3, rel=1e-14)


@every_optimizer
def test_a_skipped_update_gives_the_state_back_to_the_bit(make):
    """Going on after it is as if its gradient had never come."""
    ends, states = [], []
    for gradients in (GRADIENTS, [[9.0, 9.0], GRADIENTS[0], [9.0, 9.0], *GRADIENTS[1:]]):
        w = param([1.0, 1.0])
        opt = make([w], update_hooks=[lambda updates, ctx, w=w: SKIP.because("nine") if w.grad.tolist()[0] == 9
                                      else updates])
        ends.append(train(w, gradients, opt)[-1].tobytes())
        states.append(frozen(opt.state))
    assert ends[0] == ends[1]
    assert states[0] == states[1]
    assert (opt.updates, opt.skipped) == (3, 2)


@every_optimizer
@pytest.mark.parametrize("failing", [lambda updates, ctx: HOLD, lambda updates, ctx: 1 / 0])
def test_an_update_hook_that_holds_or_fails_changes_nothing(make, failing):
    w = param([1.0, 1.0])
    opt = make([w], update_hooks=[lambda updates, ctx: updates if ctx.step < 2 else failing(updates, ctx)])
    train(w, GRADIENTS[:2], opt)
    before, state = w.data, frozen(opt.state)
    with pytest.raises((TypeError, ZeroDivisionError), match=r"HOLD|division"):
        opt.step()
    assert (np.shares_memory(w.data, before), frozen(opt.state), opt.updates) == (True, state, 2)


# ------------------------------------------------------------------------------------------------ the order

@pytest.mark.parametrize(("hooks", "text"), [
    ([ClipValue(1.0), NonFinite()], "ClipValue stands left of NonFinite"),
    ([ClipValue(1.0), doubled, ClipNorm(1.0), NonFinite("skip")], "ClipValue stands left of NonFinite"),
    ([Accumulate(2), Accumulate(2)], "Accumulate stands left of Accumulate"),
    ([Accumulate(2), ClipNorm(1.0), Accumulate(3)], "Accumulate stands left of Accumulate")])
def test_orders_that_cannot_be_meant_are_refused(hooks, text):
    assert issubclass(OrderError, ValueError)
    with pytest.raises(OrderError, match=text):
        optim.SGD([param([1.0])], lr=1.0, hooks=hooks)
    with pytest.raises(OrderError):
        optim.SGD([param([1.0])], lr=1.0, update_hooks=hooks)


@pytest.mark.parametrize("hooks", [
    [NonFinite(), ClipValue(1.0)], [ClipNorm(1.0), Accumulate(2), ClipNorm(1.0)], [Accumulate(2), NonFinite()],
    [ClipNorm(1.0), NonFinite()], [NonFinite(), Accumulate(2), NonFinite(), ClipValue(1.0), ClipNorm(1.0)]])
def test_orders_that_can(hooks):
    assert list(optim.SGD([param([1.0])], lr=1.0, hooks=hooks).hooks) == hooks

"""Hooks of tensors in a recurrence written by hand; and gradient hooks that run inside the backward pass."""

import copy
import math
import pickle

import numpy as np
import pytest
from twins import dtypes, waves

import minigrad as mg
from minigrad import hooks, optim
from minigrad.hooks import ClipNorm, ClipValue, NonFinite, inside, norm

T = 6


def loop(w, v, dtype="float64", hook=None, start=0.4):
    """Return the states of h' = tanh(W h + v), hooked one by one, and a loss in which every state has a part."""
    h, states = mg.tensor(np.array([start, -0.3], dtype)), []
    for t in range(T):
        h = np.tanh(w @ h + v)
        if hook:
            h.register_hook(lambda g, t=t: hook(g, t))
        states.append(h)
    return states, sum(h.sum() * (1.0 + t) for t, h in enumerate(states)) + (states[-1] * states[0]).sum()


def weights(dtype="float64"):
    return [mg.tensor(a.astype(dtype), requires_grad=True) for a in (waves(2, 2, size=1.8), waves(2, k=1.0))]


def by_hand(w, v, do=lambda g: g):
    """Return dL/dh_t for t = 0, ..., T-1 before ``do`` has acted on it, and dL/dW, dL/dv."""
    w, v, h = w.data, v.data, [np.array([0.4, -0.3])]
    for _ in range(T):
        h.append(np.tanh(w @ h[-1] + v))
    seen, dw, dv, onwards = [], np.zeros((2, 2)), np.zeros(2), np.zeros(2)
    for t in reversed(range(T)):
        own = (1.0 + t) * np.ones(2) + (h[1] if t == T - 1 else 0) + (h[T] if t == 0 else 0)
        seen.insert(0, own + onwards)
        da = do(seen[0]) * (1 - h[t + 1] ** 2)
        dw, dv, onwards = dw + np.outer(da, h[t]), dv + da, w.T @ da
    return seen, dw, dv


# --------------------------------------------------------------------------------------- hooks of tensors in a loop

def test_a_hook_reads_the_complete_dL_dh_t_exactly_once():
    (w, v), calls = weights(), []
    _, loss = loop(w, v, hook=lambda g, t: calls.append((t, np.array(g.data))))
    loss.backward()
    seen, dw, dv = by_hand(w, v)
    assert [t for t, _ in calls] == list(range(T))[::-1]
    for t, g in calls:
        np.testing.assert_allclose(g, seen[t], rtol=1e-14)
    np.testing.assert_allclose(w.grad.data, dw, rtol=1e-14)
    np.testing.assert_allclose(v.grad.data, dv, rtol=1e-14)


@pytest.mark.parametrize("hook", [
    lambda g, t: g.clamp(-1.5, 1.5), lambda g, t: np.clip(g.data, -1.5, 1.5),
    lambda g, t: (g.clamp_(-1.5, 1.5), None)[1], inside(ClipValue(1.5))])
def test_what_it_answers_is_what_the_step_before_gets(hook):
    (w, v), given = weights(), {}

    def watched(g, t):
        given[t] = np.array(g.data)
        return hook(g, t)

    loop(w, v, hook=watched)[1].backward()
    seen, dw, dv = by_hand(w, v, lambda g: np.clip(g, -1.5, 1.5))
    np.testing.assert_allclose([given[t] for t in range(T)], seen, rtol=1e-14)
    np.testing.assert_allclose(w.grad.data, dw, rtol=1e-14)
    np.testing.assert_allclose(v.grad.data, dv, rtol=1e-14)
    assert np.abs(seen).max() > 1.5


def test_hooks_of_one_state_follow_each_other_and_a_removed_one_acts_no_more():
    (w, v), calls = weights(), []
    states, loss = loop(w, v)
    handles = [states[3].register_hook(lambda g, k=k: calls.append((k, g.data[0])) or g * 0 + k) for k in range(3)]
    loss.backward(retain_graph=True)
    assert [k for k, _ in calls] == [0, 1, 2]
    assert [value for _, value in calls[1:]] == [0.0, 1.0]
    handles[1].remove()
    del calls[:]
    loss.backward()
    assert [k for k, _ in calls] == [0, 2]
    assert calls[1][1] == 0.0


@pytest.mark.parametrize(("answer", "error", "text"), [
    (lambda g: 1 / 0, ZeroDivisionError, "division"),
    (lambda g: np.ones(3), ValueError, r"the hook <lambda> returned a gradient of shape \(3,\) for .* \(2,\)"),
    (lambda g: "half", TypeError, "the hook <lambda> returned 'half', which is no gradient; return a Tensor"),
    (lambda g: g > 0, TypeError, "no gradient"), (lambda g: np.array([None, 1]), TypeError, "no gradient"),
    (lambda g: np.array([1j, 1]), TypeError, "no gradient"), (lambda g: [[1.0], [1.0, 2.0]], TypeError, "no gradient"),
])
@pytest.mark.parametrize("create_graph", [False, True])
def test_an_error_on_the_way_leaves_every_grad_as_it_was(answer, error, text, create_graph):
    w, v = weights()
    v.grad = [7.0, 7.0]
    states, loss = loop(w, v)
    states[0].register_hook(answer)
    with pytest.raises(error, match=text):
        loss.backward(create_graph=create_graph)
    assert w.grad is None
    assert v.grad.tolist() == [7.0, 7.0]


# ----------------------------------------------------------------------------------------------- hooks.inside

@dtypes
@pytest.mark.parametrize("pipeline", [[ClipNorm(0.5)], [ClipValue(0.5)], [NonFinite(), ClipValue(0.5), ClipNorm(0.25)],
                                      [ClipNorm(1.0, p=1), lambda grads, ctx: {k: g * 2 for k, g in grads.items()}]])
def test_inside_gives_what_the_hooks_give_by_themselves(pipeline, dtype):
    g = mg.tensor(waves(3, 4).astype(dtype))
    expected = hooks.apply_hooks(pipeline, {"w": np.array(g.data)})["w"]
    for at in ((), (3,)):
        got = inside(*pipeline)(g, *at)
        assert isinstance(got, np.ndarray)
        assert got.dtype == expected.dtype
        np.testing.assert_array_equal(got, expected)
    np.testing.assert_array_equal(g.data, waves(3, 4).astype(dtype))            # it is never written into
    np.testing.assert_array_equal(inside(*pipeline)(np.array(g.data)), expected)


@pytest.mark.parametrize("limit", [0.1, 1.0, 1e300])
def test_every_cotangent_is_clipped_by_itself(limit):
    (w, v), after = weights(), []
    states, loss = loop(w, v, hook=inside(ClipNorm(limit)))
    for h in states:
        h.register_hook(lambda g: after.append(norm(g.data)))
    loss.backward()
    seen, dw, _ = by_hand(w, v, lambda g: g * min(1.0, limit / norm(g)))
    np.testing.assert_allclose(after[::-1], [min(norm(g), limit) for g in seen], rtol=1e-14)
    np.testing.assert_allclose(w.grad.data, dw, rtol=1e-14)


@pytest.mark.parametrize("hook", [ClipNorm(math.inf), ClipNorm(1e9), ClipValue(5.0), NonFinite(), NonFinite("zero"),
                                  lambda grads, ctx: grads])
def test_where_nothing_is_to_be_done_the_answer_is_none(hook):
    assert inside(hook)(mg.tensor([3.0, 4.0])) is None


def test_a_leaf_keeps_its_dtype_and_gets_an_array_of_its_own():
    w = mg.tensor(np.array([3.0, 4.0], "float16"), requires_grad=True)
    w.register_hook(inside(lambda grads, ctx: {k: g.astype(float) / 4 for k, g in grads.items()}))
    (w * 1.0).sum().backward()
    assert w.grad.dtype == "float16"
    assert w.grad.tolist() == [0.25, 0.25]
    w.grad.mul_(2.0)


def test_the_step_is_0_or_what_it_is_said_to_be():
    w, seen = mg.tensor([2.0], requires_grad=True), []

    def look(grads, ctx):
        seen.append(ctx.step)
        return grads

    opt = optim.SGD([w], lr=1.0)
    limit = inside(look, ClipValue(lambda step: 1.0 / (1 + step)), step=lambda: opt.updates)
    plain, values = inside(look), []
    for _ in range(3):
        opt.zero_grad()
        h = w * 1.0
        h.register_hook(limit)
        h.register_hook(plain)
        h.sum().backward()
        values.append(w.grad.item())
        opt.step()
    assert seen == [0, 0, 1, 0, 2, 0]
    assert values == [1.0, 1.0 / 2, 1.0 / 3]


class Counting(hooks.Stateful):
    remembers = {"calls": 0}

    def __call__(self, grads, ctx):
        self.calls += 1
        return grads


def test_a_hook_with_a_memory_remembers_every_call():
    count = Counting()
    loop(*weights(), hook=inside(count))[1].backward()
    assert count.state_dict() == {"calls": T}


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda hook: pickle.loads(pickle.dumps(hook))])
def test_it_can_be_copied(duplicate):
    twin = duplicate(inside(NonFinite(), ClipNorm(1.0)))
    np.testing.assert_allclose(twin(mg.tensor([3.0, 4.0])), [0.6, 0.8], rtol=1e-15)
    assert repr(twin).startswith("inside(NonFinite(")
    assert repr(twin).endswith(", ClipNorm(1.0))")


# ------------------------------------------------------------------------------------------------ what is refused

class Reading:
    """A hook that looks at the parameters, as adaptive clipping does."""

    def __init__(self, how):
        self.how = how

    def __call__(self, grads, ctx):
        self.how(ctx.params)
        return grads


class Scaling:
    role = "unscale"

    def __call__(self, grads, ctx):
        return grads


@pytest.mark.parametrize(("make", "error", "text"), [
    (lambda: inside(), TypeError, r"inside\(ClipNorm\(1\.0\)\)"),
    (lambda: inside(ClipNorm), TypeError, "make an instance"), (lambda: inside(1.0), TypeError, "not 1.0"),
    (lambda: inside(ClipNorm(1.0), step=3), TypeError, r"step = 3; give a function .* lambda: opt\.updates"),
    (lambda: inside(hooks.Accumulate(2)), hooks.OrderError, "Accumulate has no place inside.*window.*hooks="),
    (lambda: inside(ClipNorm(1.0), Scaling()), hooks.OrderError, "Scaling has no place inside"),
    (lambda: inside(Scaling()), hooks.OrderError, "Scaling has no place inside.*the loss"),
    (lambda: inside(ClipValue(1.0), NonFinite()), hooks.OrderError, "ClipValue stands left of NonFinite"),
    (lambda: inside(NonFinite("skip")), ValueError, "NonFinite: inside .* no update to hold or to skip"),
])
def test_hooks_that_have_no_place_inside(make, error, text):
    with pytest.raises(error, match=text):
        make()


@pytest.mark.parametrize(("hook", "error", "text"), [
    (lambda grads, ctx: hooks.SKIP, RuntimeError, "<lambda> answered SKIP for the cotangent at t = 5: in"),
    (lambda grads, ctx: hooks.HOLD, RuntimeError, "answered HOLD for .*no update to hold"),
    (lambda grads, ctx: dict.fromkeys(grads), RuntimeError, "answered None for .* return zeros"),
    (lambda grads, ctx: {}, ValueError, "other parameters"),
    (lambda grads, ctx: {k: g[:1] for k, g in grads.items()}, ValueError, r"shape \(1,\) for cotangent at t = 5"),
    *((Reading(how), RuntimeError, r"ctx\.params: a cotangent .* belongs to no parameter") for how in (
        lambda params: params["w"], list, len, bool, lambda params: params.get("w"), lambda params: "w" in params,
        lambda params: params.items().__iter__().__next__())),
])
def test_an_answer_that_cannot_be_meant_leaves_every_grad_as_it_was(hook, error, text):
    w, v = weights()
    with pytest.raises(error, match=text):
        loop(w, v, hook=inside(hook))[1].backward()
    assert w.grad is v.grad is None


def test_nonfinite_says_where_the_overflow_begins():
    """dL/dh_t is 1, 1e150, 1e300, inf; forward, all is finite."""
    h = w = mg.tensor([1e-300, 0.0], requires_grad=True)
    for t in range(4):
        h = h * 1e150
        h.register_hook(lambda g, t=t: inside(NonFinite())(g, t))
    assert h.data[0] == pytest.approx(1e300)
    with np.errstate(over="ignore"), pytest.raises(FloatingPointError, match=r"cotangent at t = 0 \(1 inf of 2\)"):
        h[0].backward()
    assert w.grad is None


def test_create_graph_is_refused_where_the_cotangent_is_to_be_differentiated():
    x = mg.tensor([3.0, 4.0], requires_grad=True)

    def slope(power, hook):
        h = x * 1.0
        h.register_hook(hook)
        return mg.grad((h ** power).sum(), x, create_graph=True)

    with pytest.raises(RuntimeError, match=r"inside\(ClipNorm\(1\.0\)\): under create_graph=True .* tensors") as no:
        slope(2.0, inside(ClipNorm(1.0)))
    np.testing.assert_allclose(mg.grad((x * 5).sum(), x, create_graph=True).data, [5.0, 5.0])
    h = x * 1.0
    h.register_hook(inside(ClipValue(2.0)))
    assert mg.grad((h * 5).sum(), x, create_graph=True).tolist() == [2.0, 2.0]      # a constant: nothing is lost
    cure = eval(str(no.value).split("with tensors: ")[1], {"c": 1.0})
    g = slope(2.0, cure)                                                            # x / |x|
    np.testing.assert_allclose(g.data, [0.6, 0.8], rtol=1e-14)
    h = x * 1.0
    with h.register_hook(cure):
        g = mg.grad((h * h).sum(), x, create_graph=True)
    np.testing.assert_allclose(mg.grad(g[0], x).data, [16 / 125, -12 / 125], rtol=1e-13)


def test_a_hook_of_an_optimizer_is_refused_on_a_tensor_with_the_cure():
    h = mg.tensor([1.0], requires_grad=True)
    with pytest.raises(TypeError, match=r"hook of an optimizer; give hooks\.inside\(ClipNorm\(1\.0\)\)"):
        h.register_hook(ClipNorm(1.0))

"""Gradients: backward and grad, no_grad and detach, the hooks of tensors, and whose the arrays are."""

import threading

import numpy as np
import pytest
from tensors import leaf, raises_naming

import minigrad as mg

# ---------------------------------------------------------------------------------------- backward and grad

def test_backward_accumulates_exactly():
    """Two backwards give exactly twice one; three graphs add up; the Tensor in .grad stays the same one."""
    t = leaf([0.1, 0.2, 0.7])
    loss = (np.tanh(t) * t).sum()
    loss.backward(retain_graph=True)
    once, held = t.grad.data, t.grad
    loss.backward()
    np.testing.assert_array_equal(t.grad.data, 2 * once)
    assert t.grad is held
    (t * 3.0).sum().backward()
    np.testing.assert_array_equal(t.grad.data, 2 * once + 3.0)


@pytest.mark.parametrize("call", [lambda y, x: y.backward(), mg.grad])
def test_a_freed_graph_names_both_cures(call):
    """The error names retain_graph and detach, and leaves .grad as it was, even of leaves that are not freed."""
    x, w = leaf(), leaf()
    hidden = x * x
    hidden.sum().backward()
    before = x.grad.data
    with raises_naming(RuntimeError, "retain_graph=True", r"h = h\.detach\(\)"):
        call((hidden * w).sum(), w)
    assert np.shares_memory(x.grad.data, before)
    assert w.grad is None
    (hidden.detach() * w).sum().backward()
    assert w.grad.tolist() == [1, 4, 16]


def test_backward_takes_a_cotangent():
    for gradient in (np.array([1.0, 0.0, -1.0]), mg.tensor([1, 0, -1]), [1, 0, -1]):
        t = leaf(dtype="float32")
        (t * t).backward(gradient)
        assert (t.grad.tolist(), t.grad.dtype) == ([2, 0, -8], "float32")


@pytest.mark.parametrize(("call", "error", "text"), [
    (lambda t: (t * t).backward(), RuntimeError, r"shape \(3,\).*\.sum\(\) or \.mean\(\)"),
    (lambda t: (t * t).backward(np.ones(2)), ValueError, r"shape \(2,\) for a tensor of shape \(3,\)"),
    (lambda t: t.detach().sum().backward(), RuntimeError, "does not require a gradient"),
    (lambda t: mg.grad(t.sum(), t.detach()), RuntimeError, r"xs\[0\] is no tensor that requires a gradient"),
    (lambda t: mg.grad(t.sum(), [t, 1.0]), RuntimeError, r"xs\[1\] is no tensor that requires a gradient"),
    (lambda t: mg.grad(t.sum(), [t, leaf()]), RuntimeError, r"does not depend on xs\[1\].*allow_unused=True"),
    (lambda t: mg.grad(1.0, t), TypeError, "a gradient starts from a Tensor, not from float"),
])
def test_what_has_no_gradient_to_take_says_why(call, error, text):
    t = leaf()
    with pytest.raises(error, match=text):
        call(t)
    assert t.grad is None


def test_create_graph_makes_gradients_of_any_order():
    x = leaf(1.5)
    y, expected = np.sin(x), [np.sin, np.cos, lambda v: -np.sin(v), lambda v: -np.cos(v), np.sin]
    for f in expected:
        assert y.item() == pytest.approx(f(1.5), rel=1e-14)
        y = mg.grad(y, x, create_graph=True)


def test_backward_with_create_graph_makes_a_gradient_that_can_be_differentiated():
    x = leaf(3.0)
    (x ** 3).backward(create_graph=True)
    slope, x.grad = x.grad, None
    assert (slope.item(), slope.requires_grad) == (27.0, True)
    slope.backward()
    assert x.grad.item() == 18.0


def test_grad_of_leaves_and_results_some_of_which_lead_to_others():
    """xs may hold x, h(x) and y(h, x) itself, in any order; every .grad is left alone."""
    x, unused = leaf(2.0), leaf(1.0)
    h = x * x
    y = h * x
    gs = mg.grad(y, [h, unused, x, y, x], allow_unused=True)
    assert [None if g is None else g.item() for g in gs] == [2.0, None, 12.0, 1.0, 12.0]
    assert x.grad is None
    assert h.grad is None
    assert isinstance(mg.grad(x * x, x), mg.Tensor)
    assert isinstance(mg.grad(x * x, [x]), tuple)


@pytest.mark.parametrize("rest", [lambda h, gh, x, z: mg.grad(h, x, gh), lambda h, gh, x, z: mg.grad(z, x)])
def test_grad_frees_only_what_it_went_through(rest):
    """A backward pass may be made in two pieces: first down to h, then from h on."""
    x = leaf(2.0)
    h = x * x
    z = x * 3.0
    gh = mg.grad(h * z, h)
    assert rest(h, gh, x, z).item() in (24.0, 3.0)


def test_retain_grad_keeps_the_gradient_of_a_result():
    x = leaf(2.0)
    h = x * x
    h.retain_grad()
    unkept = h * 3.0
    unkept.backward(retain_graph=True)
    assert (h.grad.item(), unkept.grad) == (3.0, None)
    unkept.backward()
    assert (h.grad.item(), x.grad.item()) == (6.0, 24.0)


# ------------------------------------------------------------------------------------------ no_grad and detach

def test_no_grad_as_a_context_a_decorator_and_nested():
    x = leaf()

    @mg.no_grad()
    def evaluate():
        return (x * x).requires_grad

    with mg.no_grad() as outer:
        assert not (x * x).requires_grad
        with mg.enable_grad():
            assert (x * x).requires_grad
            assert evaluate() is False
            assert mg.is_grad_enabled()
        with outer:
            assert not mg.is_grad_enabled()
        assert not mg.is_grad_enabled()
    assert mg.is_grad_enabled()
    with pytest.raises(ZeroDivisionError), mg.no_grad():
        _ = 1 / 0
    assert (x * x).requires_grad


def in_a_thread(fn):
    """Run a function in a thread of its own and return what it returned."""
    out = []
    thread = threading.Thread(target=lambda: out.append(fn()))
    thread.start()
    thread.join()
    return out[0]


def test_no_grad_holds_for_its_own_thread():
    """Evaluating in one thread does not stop another's training, nor the other way round."""
    x = leaf()
    with mg.no_grad():
        assert in_a_thread(lambda: (x * x).requires_grad)
        assert in_a_thread(lambda: mg.grad((x * x).sum(), x).tolist()) == [2, 4, 8]
        assert not mg.is_grad_enabled()

    def other():
        with mg.no_grad():
            return in_a_thread(mg.is_grad_enabled), mg.is_grad_enabled()

    assert in_a_thread(other) == (True, False)
    assert mg.is_grad_enabled()


def test_a_decorated_function_may_run_in_two_threads_at_once():
    """The one that came first leaves first; neither disturbs the other's mode."""
    came, left = {1: threading.Event(), 2: threading.Event()}, threading.Event()
    results = {}

    @mg.no_grad()
    def evaluate(number):
        came[number].set()
        assert (came[2] if number == 1 else left).wait(10)
        return mg.is_grad_enabled()

    def run(number):
        try:
            results[number] = evaluate(number), mg.is_grad_enabled()
        except Exception as error:
            results[number] = error
        finally:
            left.set()

    threads = [threading.Thread(target=run, args=(number,)) for number in (1, 2)]
    threads[0].start()
    assert came[1].wait(10)
    threads[1].start()
    for thread in threads:
        thread.join()
    assert results == {1: (False, True), 2: (False, True)}


def test_detach_cuts_off_without_a_copy():
    x = leaf()
    d = (x * x).detach()
    assert (d.requires_grad, d.is_leaf, d.tolist()) == (False, True, [1, 4, 16])
    assert mg.grad((d * x).sum(), x).tolist() == [1, 4, 16]
    assert np.shares_memory(x.detach().data, x.data)
    d += 1.0
    assert x.tolist() == [1, 2, 4]


# ------------------------------------------------------------------------------------------------------ hooks

def test_hooks_see_the_complete_cotangent_once_in_the_order_of_registration():
    """A node with three consumers fires once, with the sum; newer tensors fire before older ones, leaves last."""
    x, calls = leaf(2.0), []
    h = x * x
    for node, name in ((x, "x"), (h, "h first"), (h, "h second")):
        node.register_hook(lambda g, name=name: calls.append((name, g.item())))
    y = h + 2.0 * h + h * x
    y.register_hook(lambda g: calls.append(("y", g.item())))
    y.backward()
    assert calls == [("y", 1.0), ("h first", 5.0), ("h second", 5.0), ("x", 24.0)]
    assert x.grad.item() == 24.0


@pytest.mark.parametrize("create_graph", [False, True])
def test_what_a_hook_returns_takes_the_place_of_the_cotangent(create_graph):
    """The next hook gets it, the parents get it, and a leaf's hook decides what is added to .grad."""
    x, seen = leaf(2.0, "float32"), []
    h = x * x
    h.register_hook(lambda g: g * 10)
    h.register_hook(lambda g: np.asarray(g.item() + 1.0))
    h.register_hook(lambda g: seen.append((type(g), g.dtype, g.item())))
    x.register_hook(lambda g: -g)
    h.backward(create_graph=create_graph)
    assert seen == [(mg.Tensor, "float32", 11.0)]
    assert (x.grad.item(), x.grad.dtype) == (-44.0, "float32")


def test_a_hook_is_taken_out_by_its_handle():
    x = leaf(2.0)
    kept, removed = x.register_hook(lambda g: g + 1), x.register_hook(lambda g: g * 100)
    removed.remove()
    removed.remove()
    assert mg.grad(x * x, x).item() == 5.0
    with kept:
        assert mg.grad(x * x, x).item() == 5.0
    assert mg.grad(x * x, x).item() == 4.0


@pytest.mark.parametrize(("hook", "error", "text"), [
    (lambda g: np.ones(2), ValueError, r"shape \(2,\) for a tensor of shape \(3,\)"),
    (lambda g: g.sum(), ValueError, r"shape \(\) for a tensor of shape \(3,\)"),
    (lambda g: 1 / 0, ZeroDivisionError, "division"),
])
def test_an_error_in_a_hook_leaves_every_grad_as_it_was(hook, error, text):
    """Gradients are put in place last: neither the leaf that was done nor the one still to come has changed."""
    old, new = leaf(), leaf()
    new.grad = [1, 1, 1]
    old.register_hook(hook)
    with pytest.raises(error, match=text):
        (old * new * new).sum().backward()
    assert old.grad is None
    assert new.grad.tolist() == [1, 1, 1]


@pytest.mark.parametrize(("call", "error"), [
    (lambda t: t.register_hook("print"), TypeError), (lambda t: t.detach().register_hook(print), RuntimeError),
    (lambda t: t.detach().retain_grad(), RuntimeError), (lambda t: (t * 2).requires_grad_(False), RuntimeError),
])
def test_what_can_never_fire_is_refused(call, error):
    with pytest.raises(error):
        call(leaf())


# ------------------------------------------------------------------------- what would go wrong without a word

@pytest.mark.parametrize("call", [
    lambda x: np.sum(x, 1, "f8"), lambda x: np.mean(x, 1, "f8"), lambda x: np.max(x, 1, None, True),
    lambda x: np.broadcast_to(x, (2, 3, 3), True)])
def test_an_argument_that_the_rule_does_not_know_by_position_is_refused_forward(call):
    """NumPy's third argument of sum is a dtype; a rule must not take it for keepdims."""
    with pytest.raises(TypeError, match="by position"):
        call(leaf(np.arange(9.0).reshape(3, 3)))
    assert call(mg.tensor(np.arange(9.0).reshape(3, 3))).shape


def test_a_gradient_with_respect_to_a_result_whose_own_history_is_freed():
    w = leaf(2.0)
    h = w * w
    (h * h).backward()
    assert mg.grad(h * 3.0, h).item() == 3.0
    with pytest.raises(RuntimeError, match="freed"):
        mg.grad(h * 3.0, w)


def test_an_unused_argument_is_refused_before_the_graph_is_freed():
    x, z = leaf(2.0), leaf(1.0)
    y = x * x
    with pytest.raises(RuntimeError, match=r"xs\[1\].*allow_unused"):
        mg.grad(y, [x, z])
    assert mg.grad(y, [x, z], allow_unused=True)[0].item() == 4.0


@pytest.mark.parametrize("change", [lambda g: g.mul_(0.5), lambda g: g.__imul__(0.5), lambda g: g.clamp_(-2.0, 2.0)])
@pytest.mark.parametrize("of", [lambda x: x, lambda x: x * 1.0])
def test_a_hook_may_change_the_gradient_in_place(change, of):
    x = leaf(2.0)
    h = of(x)

    def hook(g):
        change(g)

    h.register_hook(hook)
    (h * h).backward()
    assert x.grad.item() == 2.0


def test_retain_grad_survives_clearing_the_gradient():
    x = leaf(2.0)
    h = x * 3.0
    h.retain_grad()
    (h * 1.0).backward(retain_graph=True)
    h.grad = None
    (h * 5.0).backward()
    assert h.grad.item() == 5.0


def test_a_seed_of_another_dtype_is_cast_also_with_create_graph():
    x = mg.tensor([1.0], dtype="float32", requires_grad=True)
    x.backward(leaf([2.0]), create_graph=True)
    assert x.grad.dtype == "float32"


@pytest.mark.parametrize("make", [mg.tensor, mg.Tensor, mg.nn.Parameter])
def test_a_tensor_of_a_tensor_with_a_gradient_is_refused(make):
    with pytest.raises(TypeError, match="detach"):
        make(leaf([1.0]))
    assert make(leaf([1.0]).detach()).tolist() == [1.0]


def test_no_grad_refuses_to_decorate_a_generator():
    with pytest.raises(TypeError, match="inside it"):
        @mg.no_grad()
        def batches():
            yield 1


def test_without_recording_a_parameter_is_an_array_to_every_function():
    with mg.no_grad():
        np.testing.assert_array_equal(np.clip(leaf([1.0, 5.0]), 0, 2), [1.0, 2.0])


def test_a_rule_for_a_function_that_never_asks_the_table_is_refused():
    with pytest.raises(TypeError, match="primitive"):
        mg.defvjp(lambda x: x * 2.0, lambda g, y, x: g)


# ---------------------------------------------------------------------------------- arrays that belong to the caller

def test_the_callers_cotangent_stays_the_callers():
    """A hook that looks at it does not lock it, and what a hook has kept does not change with it."""
    x = leaf()
    y, kept, given = x * 2.0, [], np.ones(3)
    y.register_hook(lambda g: kept.append(g) or (np.linalg.norm(g.data) and None))
    z = y + 0.0                                         # hands the very same cotangent on
    z.register_hook(kept.append)
    z.backward(given)
    given[0] = 99.0
    assert [g.tolist() for g in kept] == [[1, 1, 1]] * 2
    assert x.grad.tolist() == [2, 2, 2]


def test_only_what_came_as_an_array_is_copied():
    """An array may be reused by the caller; the array of a tensor is never written into."""
    w, constant, array = leaf(), mg.tensor([1.0, 1.0, 1.0]), np.ones(3)
    y = np.where(array > 0, w, constant)
    assert y._saved[2] is constant._array
    z = w * array
    assert z._saved[1] is not array
    array[:] = 5.0
    z.sum().backward()
    assert w.grad.tolist() == [1, 1, 1]

"""The six rules of construction on which the engine stands, each held by tests of its own."""

import gc
import sys
import weakref

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import mutually_broadcastable_shapes
from test_rules import CASES, leaves, weights

import minigrad as mg
from minigrad import ops
from minigrad.table import RULES, Node

BROADCASTS = settings(max_examples=60, deadline=None, derandomize=True, database=None)


def arrays_of(shapes, low=0.5):
    """Return arrays of these shapes, positive and away from ties."""
    rng = np.random.default_rng(3)
    return [low + rng.random(shape) for shape in shapes]


def live_nodes():
    """Return how many places on the tape are alive; those in garbage cycles count, for nothing collects them."""
    return sum(issubclass(type(o), Node) for o in gc.get_objects())


@pytest.fixture
def no_collector():
    """Switch the garbage collector off, after it has taken away what other tests left."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


# ----------------------------------------------------------- 1: a rule runs on arrays and on tensors alike

@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_rule_1_arrays_and_tensors_agree(case):
    """Rule 1: the same text, run on arrays and on tensors, gives the same gradient."""
    xs = leaves(case.floats)
    y = case(*xs)
    v = weights(y.shape)
    on_tape = mg.grad(y, xs, v, create_graph=True)
    for fast, slow in zip(mg.grad(y, xs, v), on_tape, strict=True):
        np.testing.assert_allclose(fast.data, slow.data, rtol=1e-14, atol=1e-15)


FUSED = [case for case in CASES if case.fn in RULES and RULES[case.fn].composite]


def test_rule_1_every_fused_primitive_is_compared_with_its_composite():
    """Rule 1: no fused primitive of the library is missing from the comparison below."""
    fused = {fn for fn, rule in RULES.items() if rule.composite and rule.composite.__module__.startswith("minigrad.")}
    assert ops.cross_entropy in fused
    assert fused <= {case.fn for case in FUSED}


@pytest.mark.parametrize("case", FUSED, ids=lambda c: c.name)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rule_1_fused_primitives_equal_their_composites(case, dtype):
    """Rule 1: a fused primitive and its composite have one value and one gradient."""
    eps = np.finfo(dtype).eps
    composite = RULES[case.fn].composite
    results = []
    for fn in (case.fn, composite):
        xs = leaves(case.floats, dtype)
        y = case(*xs, fn=fn)
        results.append([y.data, *(g.data for g in mg.grad(y, xs, weights(y.shape)))])
        assert {a.dtype for a in results[-1]} == {np.dtype(dtype)}
    for fast, slow in zip(*results, strict=True):
        np.testing.assert_allclose(fast, slow, rtol=20 * eps, atol=20 * eps)


# ------------------------------------------------------------------- 2: broadcasting is undone in one place

def summed_to(gradient, shape):
    """Sum what belongs to one element of an array of ``shape``, by counting: another way than the engine's."""
    size = int(np.prod(shape))
    place = np.broadcast_to(np.arange(size).reshape(shape), gradient.shape)
    return np.bincount(place.ravel(), weights=gradient.ravel(), minlength=size).reshape(shape)


BROADCASTING = [
    ("a + b", 2, lambda a, b: a + b), ("a - b", 2, lambda a, b: a - b), ("a * b", 2, lambda a, b: a * b),
    ("a / b", 2, lambda a, b: a / b), ("a ** b", 2, lambda a, b: a ** b), ("maximum", 2, np.maximum),
    ("where", 2, lambda a, b: np.where(a.data > 0.7, a, b)), ("a * b + c", 3, lambda a, b, c: a * b + c),
]


@pytest.mark.parametrize(("count", "f"), [b[1:] for b in BROADCASTING], ids=[b[0] for b in BROADCASTING])
@given(data=st.data())
@BROADCASTS
def test_rule_2_broadcasting_is_undone(count, f, data):
    """Rule 2: for any shapes that go together, the gradient is that of arguments written out, summed over copies."""
    broadcast = data.draw(mutually_broadcastable_shapes(num_shapes=count, min_side=0, max_side=3, max_dims=4))
    arrays = arrays_of(broadcast.input_shapes)
    xs = leaves(arrays)
    full = leaves([np.broadcast_to(a, broadcast.result_shape) for a in arrays])
    y, z = f(*xs), f(*full)
    assert y.shape == broadcast.result_shape
    v = weights(y.shape)
    for create_graph in (False, True):
        got = mg.grad(y, xs, v, create_graph=create_graph, retain_graph=True)
        for x, g, whole in zip(xs, got, mg.grad(z, full, v, retain_graph=True), strict=True):
            assert (g.shape, g.dtype) == (x.shape, x.dtype)
            np.testing.assert_allclose(g.data, summed_to(whole.data, x.shape), rtol=1e-12, atol=1e-12)


@given(mutually_broadcastable_shapes(signature="(n,k),(k,m)->(n,m)", min_side=1, max_side=3, max_dims=2))
@BROADCASTS
def test_rule_2_broadcasting_of_batches_is_undone(broadcast):
    """Rule 2: batches of matrices broadcast too; v : (a @ b) has the same slope in a direction either way."""
    arrays = arrays_of(broadcast.input_shapes)
    xs = leaves(arrays)
    y = xs[0] @ xs[1]
    v = weights(y.shape)
    ga, gb = mg.grad(y, xs, v)
    ua, ub = (weights(a.shape, seed) for seed, a in enumerate(arrays))
    assert (ga.data * ua).sum() == pytest.approx((v * (ua @ arrays[1])).sum(), rel=1e-10, abs=1e-10)
    assert (gb.data * ub).sum() == pytest.approx((v * (arrays[0] @ ub)).sum(), rel=1e-10, abs=1e-10)


WRONG_RULES = [
    ("an axis too few", lambda g, y, x: g.sum(axis=0), ValueError, r"argument 0 returned shape \(3,\).*shape \(2, 3\)"),
    ("another length", lambda g, y, x: np.ones((2, 4)), ValueError, r"argument 0 returned shape \(2, 4\).*\(2, 3\)"),
    ("a number", lambda g, y, x: 1.0, TypeError, "argument 0 returned a float; a rule returns an array"),
    ("a list", lambda g, y, x: [[1.0] * 3] * 2, TypeError, "argument 0 returned a list; a rule returns an array"),
]


@pytest.mark.parametrize(("rule", "error", "text"), [w[1:] for w in WRONG_RULES], ids=[w[0] for w in WRONG_RULES])
def test_rule_2_a_wrong_rule_is_told_what_is_wrong(rule, error, text):
    """Rule 2: the engine checks what a rule returns, and names function, argument and both shapes."""
    mg.defvjp(np.arctan, rule)
    x = mg.tensor(np.ones((2, 3)), requires_grad=True)
    with pytest.raises(error, match="the rule of np.arctan for " + text):
        np.arctan(x).sum().backward()
    assert x.grad is None


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("create_graph", [False, True])
def test_rule_2_a_rule_that_computes_in_float64_gives_the_dtype_of_the_argument(dtype, create_graph):
    """Rule 2: a cotangent has the dtype of its argument, and a wider shape is summed, whatever the rule returned."""
    mg.defvjp(np.arctan, lambda g, y, x: g * np.full((4, 2, 3), 0.5))
    x = mg.tensor(np.ones((2, 3)), dtype, requires_grad=True)
    g = mg.grad(np.arctan(x).sum(), x, create_graph=create_graph)
    assert g.dtype == dtype
    np.testing.assert_array_equal(g.data, np.full((2, 3), 2.0))


# -------------------------------------------------------------------- 3: no closures, no reference cycles

def training_step(w, b, x, labels, second_order):
    """Run one update of a small net; with ``second_order`` the squared gradient norm is part of the loss."""
    hidden = np.tanh(ops.linear(x, w, b))
    handle = hidden.register_hook(lambda g: g * 0.5)
    loss = ops.cross_entropy(np.concatenate([hidden, ops.relu(hidden)[:, ::-1]], axis=1), labels)
    if second_order:
        loss = loss + (mg.grad(loss, w, create_graph=True) ** 2).sum()
    w.grad = b.grad = None
    loss.backward()
    with mg.no_grad():
        for p in (w, b):
            p.grad[:] *= 0.5
            p -= 0.1 * p.grad
    handle.remove()


@pytest.mark.parametrize("second_order", [False, True])
def test_rule_3_nothing_outlives_a_step(no_collector, second_order):
    """Rule 3: with the collector off, the number of live tensors is the same after 1, 10, ... 100 steps."""
    w, b = leaves(arrays_of([(2, 3), (2,)]))
    x, labels = mg.tensor(np.ones((4, 3))), np.array([0, 1, 2, 3])
    counts = []
    for step in range(101):
        training_step(w, b, x, labels, second_order)
        if step % 10 == 0:
            counts.append(live_nodes())
    assert counts == [counts[0]] * 11


@pytest.mark.parametrize("backward", [False, True])
def test_rule_3_a_graph_dies_with_its_loss(no_collector, backward):
    """Rule 3: what only the loss held is gone the moment the loss is, without a collector."""
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    hidden = np.tanh(x)
    hidden.register_hook(lambda g: None)
    loss = (hidden * hidden).sum()
    if backward:
        loss.backward(retain_graph=True)
    watched = weakref.ref(hidden)
    del hidden
    assert watched() is not None
    del loss
    assert watched() is None


def test_rule_3_backward_gives_back_the_arrays(no_collector):
    """Rule 3: a loss that is kept, for a log say, keeps nothing of its graph alive after backward."""
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    hidden = np.exp(x)
    loss = hidden.sum()
    watched = weakref.ref(hidden)
    del hidden
    loss.backward()
    assert watched() is None
    assert loss.item() == np.exp([1.0, 2.0]).sum()


def test_rule_3_a_node_is_data():
    """Rule 3: a tensor has no dictionary to hang things on, and its saved state is tuples without functions."""
    y = np.tanh(mg.tensor([1.0], requires_grad=True)) * 2.0
    assert not hasattr(y, "__dict__")
    assert y._fn is np.multiply
    assert [type(s) for s in y._saved] == [np.ndarray, float]


# ------------------------------------------------------------------------------ 4: order by creation, no recursion

def test_rule_4_a_chain_of_a_million():
    """Rule 4: forward, backward and freeing (spent by a backward, or dropped unused) need no recursion."""
    n = 1_000_000
    assert sys.getrecursionlimit() < n
    x = mg.tensor(1.5, requires_grad=True)
    for differentiate in (True, False):
        y = x
        for _ in range(n):
            y = -y
        watched = weakref.ref(y)
        if differentiate:
            y.backward()
            assert x.grad.item() == 1.0
        del y
        assert watched() is None


def test_rule_4_a_long_chain_at_second_order():
    """Rule 4: recording a long sweep, going back through it, and freeing both, need no recursion either."""
    n = 20_000
    x = mg.tensor(1.0, requires_grad=True)
    y = x * x
    for _ in range(n):
        y = y * 1.0
    slope = mg.grad(y, x, create_graph=True)
    assert mg.grad(slope, x).item() == 2.0
    watched = weakref.ref(y)
    del y, slope
    assert watched() is None


@pytest.mark.parametrize("n", [1, 30, 1000])
def test_rule_4_diamonds_are_linear(n):
    """Rule 4: 2**n paths through n additions are gone through in n steps, each node's hook called once."""
    calls = []
    x = b = mg.tensor(1.0, requires_grad=True)
    for _ in range(n):
        b = b + b
        b.register_hook(calls.append)
    b.backward()
    assert x.grad.item() == 2.0 ** n
    assert len(calls) == n


# ------------------------------------------------------------------------- 5: .data is the array, .grad a Tensor

def with_gradient(dtype=float):
    """Return a parameter whose gradient is [2, 4, 6]."""
    p = mg.tensor([1.0, 2.0, 3.0], dtype, requires_grad=True)
    (p * p).sum().backward()
    return p


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_rule_5_grad_is_a_plain_tensor_of_the_leafs_shape_and_dtype(dtype):
    """Rule 5: .grad is a Tensor that needs no gradient; its norm and NumPy's functions work on it."""
    p = with_gradient(dtype)
    assert isinstance(p.grad, mg.Tensor)
    assert (p.grad.shape, p.grad.dtype, p.grad.requires_grad, p.grad.is_leaf) == ((3,), dtype, False, True)
    assert p.grad.norm().item() == pytest.approx(56 ** 0.5, rel=1e-3)
    assert np.abs(p.grad).mean().item() == 4.0
    assert np.linalg.norm(p.grad) == pytest.approx(56 ** 0.5, rel=1e-3)
    assert isinstance(p.data, np.ndarray)
    assert type(p.data * 2) is type(p.data.T @ p.data + np.ones(3)) is np.ndarray


def test_many_slices_of_one_tensor_are_added_in_place_into_the_engines_own_array():
    """Rule 5: a loop over x[t] makes two arrays of the size of x, not one per step; the gradient is the sum of all."""
    x = mg.tensor(np.arange(12.0).reshape(4, 3), requires_grad=True)
    weights = [0, -1, slice(1, 3), (slice(None), 0), np.array([1, 1]), x.data > 5, (np.array([2, 2]), 1), 0]
    expected = np.ones((4, 3))
    for k, index in enumerate(weights):
        np.add.at(expected, index, 2.0 + k)
    seen = []
    x2 = x * 1.0
    x2.register_hook(lambda g: seen.append(g.data))
    pieces = [(2.0 + k) * x2[index].sum() for k, index in enumerate(weights)]
    (sum(pieces) + x2.sum()).backward()
    np.testing.assert_array_equal(x.grad.data, expected)
    assert len(seen) == 1
    np.testing.assert_array_equal(mg.grad(sum((2.0 + k) * x.T.T[i].sum() for k, i in enumerate(weights)), x).data,
                                  expected - 1)


def shared(a, b):
    """Return results that hand one cotangent to both arguments, by the library's rules and by a user's joint one."""
    both = mg.primitive(lambda a, b: a + b)
    mg.defvjp(both, joint=lambda g, y, a, b: [g * 1.0] * 2)
    return {"a + b": a + b, "(a + b) @ 1": (a + b) @ np.ones((2, 2)), "stack": np.stack([a, b]), "joint": both(a, b),
            "a * b + a * a": a * b + a * a}


@pytest.mark.parametrize("name", ["a + b", "(a + b) @ 1", "stack", "joint", "a * b + a * a"])
def test_rule_5_grad_is_owned(name):
    """Rule 5: no two leaves share a gradient, and none shares it with a cotangent that a hook has seen or one given."""
    a, b = leaves(arrays_of([(2, 2), (2, 2)]))
    y, seen = shared(a, b)[name], []
    for node in (a, b, y):
        node.register_hook(lambda g: seen.append(g.data))
    v = np.ones(y.shape)
    y.backward(v)
    assert not np.shares_memory(a.grad.data, b.grad.data)
    assert not any(np.shares_memory(p.grad.data, other) for p in (a, b) for other in (v, *seen))


def test_rule_5_grad_is_owned_with_create_graph():
    """Rule 5: scaling one leaf's gradient in place leaves another's alone."""
    a, b = leaves(arrays_of([(2, 2), (2, 2)]))
    (a + b).sum().backward(create_graph=True)
    a.grad.zero_()
    assert a.grad is not b.grad
    np.testing.assert_array_equal(b.grad.data, np.ones((2, 2)))


def test_rule_5_grad_is_owned_where_a_hook_returns_its_own_buffer():
    """Rule 5: a hook may fill one buffer again and again."""
    p, buffer = mg.tensor([1.0, 2.0], requires_grad=True), np.zeros(2)
    p.register_hook(lambda g: np.multiply(g, 10.0, out=buffer))
    (p * p).sum().backward()
    buffer[:] = 7.0
    np.testing.assert_array_equal(p.grad.data, [20.0, 40.0])


@pytest.mark.parametrize("kind", [np.array, lambda v: np.array(v, float), mg.tensor, list])
def test_rule_5_grad_is_assignable(kind):
    """Rule 5: from arrays, Tensors and lists, cast to the leaf's dtype and copied; another shape is refused."""
    p, value = mg.tensor([1.0, 2.0, 3.0], "float32", requires_grad=True), kind([1, 0, 2])
    p.grad = value
    assert isinstance(p.grad, mg.Tensor)
    assert p.grad.dtype == "float32"
    assert p.grad.tolist() == [1.0, 0.0, 2.0]
    value[0] = 9
    assert p.grad.tolist() == [1.0, 0.0, 2.0]
    with pytest.raises(ValueError, match=r"shape \(2,\) for a tensor of shape \(3,\)"):
        p.grad = [1.0, 2.0]
    p.grad = None
    assert p.grad is None


def test_rule_5_an_assigned_gradient_that_is_on_the_tape_has_the_leafs_dtype_too():
    """Rule 5: .grad has the dtype of its leaf, whatever was assigned."""
    p = mg.tensor([1.0, 2.0], "float32", requires_grad=True)
    p.grad = mg.tensor([1.0, 2.0], "float64", requires_grad=True) * 2.0
    assert p.grad.dtype == "float32"


def set_part(p): p.grad[:] *= 0.5
def set_item(p): p.grad[0] = 7.0
def assign(p): p.grad *= 2.0


@pytest.mark.parametrize(("change", "expected"), [
    (lambda p: p.grad.zero_(), [0, 0, 0]), (lambda p: p.grad.add_(1.0), [3, 5, 7]),
    (lambda p: p.grad.add_(p.data, alpha=-1.0), [1, 2, 3]), (lambda p: p.grad.sub_(mg.tensor([1.0, 0, 0])), [1, 4, 6]),
    (lambda p: p.grad.mul_(0.5), [1, 2, 3]), (lambda p: p.grad.div_(2), [1, 2, 3]),
    (lambda p: p.grad.clamp_(3, 5), [3, 4, 5]), (lambda p: p.grad.clamp_(max=3), [2, 3, 3]),
    (lambda p: p.grad.fill_(1), [1, 1, 1]), (lambda p: p.grad.copy_(np.array([1, 2, 3])), [1, 2, 3]),
    (set_part, [1, 2, 3]), (set_item, [7, 4, 6]), (assign, [4, 8, 12]),
])
def test_rule_5_gradients_change_in_place_and_stay_what_they_are(change, expected):
    """Rule 5: PyTorch's in-place changes of .grad keep dtype and shape, and touch no array handed out before."""
    p = with_gradient("float32")
    array = p.grad.data
    change(p)
    assert p.grad.tolist() == expected
    assert p.grad.dtype == "float32"
    assert array.tolist() == [2, 4, 6]


def subtract(p): p -= 0.5 * p.grad
def multiply(p): p *= 0.5
def divide(p): p /= 2
def add(p): p += np.array([1.0, 0.0, 0.0])
def set_elements(p): p[1:] = 0.0


@pytest.mark.parametrize(("change", "expected"), [
    (subtract, [0, 0, 0]), (multiply, [0.5, 1, 1.5]), (divide, [0.5, 1, 1.5]), (add, [2, 2, 3]),
    (set_elements, [1, 0, 0]), (lambda p: p.add_(p.grad, alpha=-0.5), [0, 0, 0]), (lambda p: p.clamp_(0, 2), [1, 2, 2]),
    (lambda p: p.copy_(mg.tensor([4.0, 5.0, 6.0])), [4, 5, 6]), (lambda p: p.zero_(), [0, 0, 0]),
])
def test_rule_5_parameters_change_in_place_under_no_grad_only(change, expected):
    """Rule 5: the parameter is rebound; a pending backward keeps its arrays; while recording the change is refused."""
    p = with_gradient()
    pending, before = (p * p * p).sum(), p.data
    with pytest.raises(RuntimeError, match="no_grad"):
        change(p)
    assert np.shares_memory(p.data, before)
    same = p
    with mg.no_grad():
        change(p)
    assert p is same
    assert (p.tolist(), p.requires_grad, p.is_leaf) == (expected, True, True)
    assert before.tolist() == [1, 2, 3]
    np.testing.assert_allclose(mg.grad(pending, p).data, [3, 12, 27], rtol=1e-15)


def test_rule_5_data_is_read_only_and_assignable():
    """Rule 5: NumPy cannot write into .data; assigning gives a new array of the same shape and dtype."""
    p, source = with_gradient("float32"), np.array([4.0, 5.0, 6.0])
    for write in (lambda a: np.add(a, 1, out=a), lambda a: np.copyto(a, 1.0), lambda a: a[:2].fill(1),
                  lambda a: a.fill(1), lambda a: a.sort(), lambda a: np.asarray(a).__setitem__(0, 1.0)):
        with pytest.raises(ValueError, match="read-only"):
            write(p.data)
    p.data = source
    source[:] = 0.0
    assert (p.tolist(), p.dtype) == ([4, 5, 6], "float32")
    with pytest.raises(ValueError, match=r"shape \(2,\)"):
        p.data = [1.0, 2.0]
    with pytest.raises(RuntimeError, match="result of an operation"):
        (p * 2).data = source


def test_rule_5_on_the_tape_in_place_is_another_spelling():
    """Rule 5: h += x on a result is h = h + x, with its gradient; what needs the old h still has it."""
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    h = first = x * x
    h += x
    h *= first
    assert h is not first
    assert mg.grad(h.sum(), x).tolist() == [7.0, 44.0]


# ------------------------------------------------------------- 6: the arrays used are saved, identity is compared

def rebind_data(p): p.data = p.data * 10.0


def rebind_in_place(p):
    with mg.no_grad():
        p -= 5.0


def rebind_zero(p):
    with mg.no_grad():
        p.zero_()


REBINDING = pytest.mark.parametrize("rebind", [rebind_data, rebind_in_place, rebind_zero])


@REBINDING
@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_rule_6_a_parameter_rebound_before_backward(case, rebind):
    """Rule 6: the gradient is that of the arrays the forward pass used, whatever an optimizer did since."""
    xs = leaves(case.floats)
    y, untouched = case(*xs), case(*xs)
    v = weights(y.shape)
    expected = mg.grad(untouched, xs, v)
    for x in xs:
        rebind(x)
    for g, e in zip(mg.grad(y, xs, v), expected, strict=True):
        np.testing.assert_array_equal(g.data, e.data)


@REBINDING
@pytest.mark.parametrize(("name", "f"), [
    ("np.multiply", lambda x: x * x), ("np.sin", np.sin), ("np.power", lambda x: x ** 3), ("np.max", np.max),
    ("np.matmul", lambda x: x @ x.T), (r"\w+", lambda x: ops.cross_entropy(x, np.array([0]))),
])
def test_rule_6_second_order_through_a_rebound_parameter_names_the_cure(name, f, rebind):
    """Rule 6: where a rule that records itself needs the old tensor, the error says so, and says what to do."""
    x = mg.tensor([[1.0, 2.0]], requires_grad=True)
    y = f(x).sum()
    rebind(x)
    with pytest.raises(RuntimeError, match=rf"gradient of {name} is to be .* shape \(1, 2\) .* given another array.*"
                                           r"create_graph=True before the update, or run the forward pass again"):
        mg.grad(y, x, create_graph=True)
    assert x.grad is None


@REBINDING
@pytest.mark.parametrize("f", [lambda x, w: x + w, lambda x, w: x - w, lambda x, w: w.reshape((2, 1)).T + x,
                               lambda x, w: w[0] + x, lambda x, w: np.tanh(w) + x])
def test_rule_6_a_rule_that_needs_no_old_array_still_works_at_second_order(f, rebind):
    """Rule 6: addition, shapes and tanh never ask for their argument again, so a rebound one is no hindrance."""
    x, w = leaves([np.array([1.0, 2.0]), np.array([0.5, -0.5])])
    expected = mg.grad((f(x, w) ** 3).sum(), [x, w])
    y = (f(x, w) ** 3).sum()
    rebind(w)
    rebind(x)
    slopes = mg.grad(y, [x, w], create_graph=True)
    for g, e in zip(slopes, expected, strict=True):
        np.testing.assert_array_equal(g.data, e.data)
    assert np.isfinite(mg.grad(sum(g.sum() for g in slopes), x).data).all()


ALIASES = [
    pytest.param(lambda a: a, id="the array itself"), pytest.param(lambda a: a[1:], id="a view"),
    pytest.param(lambda a: np.broadcast_to(a, a.shape), id="a read-only view"),
    pytest.param(lambda a: np.broadcast_to(a, (2, 4)), id="a broadcast view"),
    pytest.param(lambda a: a.tolist(), id="its numbers in a list"),
]


@pytest.mark.parametrize("alias", ALIASES)
@pytest.mark.parametrize("f", [lambda x, a: x[:, :len(np.asarray(a).T)] * a, lambda x, a: 2.0 ** x[0, 0] * a,
                               lambda x, a: np.maximum(a, x[:, :len(np.asarray(a).T)])])
def test_rule_6_the_callers_array_may_be_reused_before_backward(f, alias):
    """Rule 6: the tape keeps the values that were used, not the caller's buffer."""
    x = mg.tensor(np.ones((2, 4)), requires_grad=True)
    buffer = np.array([2.0, 0.0, 2.0, 0.5])
    expected = mg.grad(f(x, alias(buffer.copy())).sum(), x)
    y = f(x, alias(buffer))
    buffer[:] = [0.0, 3.0, 0.0, 7.0]
    np.testing.assert_array_equal(mg.grad(y.sum(), x).data, expected.data)


@pytest.mark.parametrize("reuse", [lambda x, a: x[a], lambda x, a: x[:, a], lambda x, a: np.where(a > 1, x.T, 0.0)])
def test_rule_6_an_index_or_condition_may_be_reused_before_backward(reuse):
    """Rule 6: so may arrays that pick elements."""
    x = mg.tensor(np.arange(9.0).reshape(3, 3), requires_grad=True)
    picks = np.array([2, 0, 2])
    expected = mg.grad((reuse(x, picks.copy()) ** 2).sum(), x)
    y = (reuse(x, picks) ** 2).sum()
    picks[:] = 1
    np.testing.assert_array_equal(mg.grad(y, x).data, expected.data)


def test_rule_6_labels_may_be_reused_before_backward():
    """Rule 6: the buffer of a data loader, labels included, is not read again by backward."""
    x, labels = mg.tensor(np.eye(3), requires_grad=True), np.array([2, 0, 2])
    expected = mg.grad(ops.cross_entropy(x, labels), x)
    loss = ops.cross_entropy(x, labels)
    labels[:] = 0
    np.testing.assert_array_equal(mg.grad(loss, x).data, expected.data)

"""Layer norm, batch norm, group norm, vectors of length 1: PyTorch's numbers, running statistics, refusals."""

import math

import numpy as np
import pytest
from twins import Ours, Theirs, needs_torch, properties, torch, waves

import minigrad as mg
from minigrad import nn
from minigrad.nn import functional as F

X, CUBE, PICTURE = waves(5, 4, size=2.0), waves(3, 4, 2, size=2.0), waves(2, 3, 2, 2, size=2.0)
W4, B4, W3, B3 = waves(4, k=1.0), waves(4, k=2.0), waves(3, k=1.0), waves(3, k=2.0)
W42, B42 = waves(4, 2, k=1.0), waves(4, 2, k=2.0)
MEAN3, VAR3, MEAN4, VAR4 = waves(3, k=4.0), 1.1 + waves(3), waves(4, k=4.0), 1.1 + waves(4)

# name: call, differentiated arrays, three numbers that PyTorch 2.13 gave: value, first and second order (see twins.py)
CASES = {
    "layer_norm": (lambda s, x, w, b: s.F.layer_norm(x, (4,), w, b), [X, W4, B4],
     [4.03323550295, 3.25418958924, 0.0278883931635]),
    "layer_norm plain": (lambda s, x: s.F.layer_norm(x, (4,), eps=0.1), [X],
     [12.1231156516, 0.568376856295, -0.930290486862]),
    "layer_norm no bias": (lambda s, x, w: s.F.layer_norm(x, (4,), w, eps=0.5), [X, W4],
     [0.145852830026, -0.0252379664755, -0.0061415164912]),
    "layer_norm 2 axes": (lambda s, x, w, b: s.F.layer_norm(x, (4, 2), w, b), [CUBE, W42, B42],
     [4.28309235136, 3.67798179826, 0.0811815512745]),
    "layer_norm row": (lambda s, x: s.F.layer_norm(x, (4,)), [W4], [2.00013012211, 1.06477740137, -2.18701232734]),
    "batch_norm": (lambda s, x, w, b: s.F.batch_norm(x, None, None, w, b, training=True), [X, W4, B4],
     [4.54769305908, 4.21217444208, 0.0460474213454]),
    "batch_norm length": (lambda s, x, w, b: s.F.batch_norm(x, None, None, w, b, True), [CUBE, W4, B4],
     [-0.165062980325, -0.505365367297, 0.067147246308]),
    "batch_norm picture": (lambda s, x, w, b: s.F.batch_norm(x, None, None, w, b, True, eps=0.3),
     [PICTURE, W3, B3], [-3.28567954816, -3.60501259026, -0.289393102478]),
    "batch_norm plain": (lambda s, x: s.F.batch_norm(x, None, None, training=True), [X],
     [7.25914502559, 0.35633319381, -0.648473561552]),
    "batch_norm eval": (lambda s, x, w, b: s.F.batch_norm(x, s.of(MEAN4), s.of(VAR4), w, b), [X, W4, B4],
     [2.50039511973, 1.52935473709, -0.322427716467]),
    "batch_norm eval picture": (lambda s, x, w, b: s.F.batch_norm(x, s.of(MEAN3), s.of(VAR3), w, b, eps=0.1),
     [PICTURE, W3, B3], [-6.27940869283, -8.04345572552, -3.84421231802]),
    "group_norm": (lambda s, x, w, b: s.F.group_norm(x, 2, w, b), [CUBE, W4, B4],
     [0.168978586382, -0.144269010696, 0.00306839072593]),
    "group_norm picture": (lambda s, x: s.F.group_norm(x, 3, eps=0.2), [PICTURE],
     [14.195644839, 0.942559614092, -1.35105826063]),
    "group_norm one": (lambda s, x, w: s.F.group_norm(x, 1, w), [X, W4],
     [0.153197332268, -0.0387676777804, 0.0278883931635]),
    "GroupNorm": (lambda s, x: s.nn.GroupNorm(2, 4, affine=False)(x), [CUBE],
     [14.8956075234, 0.401907677114, -0.8663314554]),
    "normalize": (lambda s, x: s.F.normalize(x), [X], [6.23328029695, 0.165543866591, -0.354054693118]),
    "normalize p 1": (lambda s, x: s.F.normalize(x, p=1.0, dim=0), [X],
     [2.68683828954, 0.0549089071352, -0.077724976677]),
    "normalize p 3": (lambda s, x: s.F.normalize(x, p=3.0, dim=-1), [CUBE],
     [11.2125829887, 0.301145010269, -0.652554737384]),
    "normalize p inf": (lambda s, x: s.F.normalize(x, p=math.inf), [X],
     [9.71597007098, 0.0316228983687, 0.0100478383399]),
    "normalize 2 axes": (lambda s, x: s.F.normalize(x, dim=(1, 2)), [CUBE],
     [5.28629026841, 0.142616760701, -0.307546372094]),
    "cosine_similarity": (lambda s, x, y: s.F.cosine_similarity(x, y), [X, waves(5, 4, k=1.0)],
     [0.490981542778, -0.0362540275688, 0.266370787877]),
    "cosine_similarity dim 0": (lambda s, x, y: s.F.cosine_similarity(x, y, dim=0), [X, waves(5, 4, k=1.0)],
     [0.111164644038, -0.0628494176776, 0.229033033079]),
    "cosine_similarity broadcast": (lambda s, x, y: s.F.cosine_similarity(x, y, dim=1), [X, W4],
     [0.181830312657, 0.0244189058746, -0.149991575854]),
}

(test_every_element_is_pytorchs, test_numbers_recorded_from_pytorch, test_gradcheck_at_order_1_and_2,
 test_dtype_is_kept) = properties(CASES)


LAYERS = [
    (nn.LayerNorm(4), X), (nn.LayerNorm((4, 2), eps=0.2), CUBE), (nn.LayerNorm(4, elementwise_affine=False), X),
    (nn.LayerNorm(4, bias=False), X), (nn.BatchNorm1d(4), X), (nn.BatchNorm1d(4, affine=False), CUBE),
    (nn.BatchNorm2d(3), PICTURE), (nn.BatchNorm1d(4).eval(), X), (nn.BatchNorm2d(3).eval(), PICTURE),
    (nn.GroupNorm(2, 4), CUBE), (nn.GroupNorm(3, 3, affine=False), PICTURE),
    (nn.BatchNorm1d(4, track_running_stats=False).eval(), X),
]


@pytest.mark.parametrize(("layer", "x"), LAYERS, ids=repr)
def test_gradcheck_of_layers(layer, x):
    assert mg.gradcheck(lambda t: layer(t) ** 2, x, order=2)


# ------------------------------------------------------------------------------- running statistics

BATCHES = [waves(6, 3, k=k, size=1 + k) + k for k in range(4)]
OPTIONS = {
    "default": {}, "momentum 0.4": {"momentum": 0.4}, "cumulative": {"momentum": None}, "eps": {"eps": 0.2},
    "not affine": {"affine": False}, "not tracking": {"track_running_stats": False}, "momentum 0": {"momentum": 0.0},
}


def life(side, kind, shape, options):
    """Train a layer on three batches, look at the fourth in eval mode; return running statistics and outputs."""
    double = {} if isinstance(side, Ours) else {"dtype": side.of(X).dtype}
    layer = getattr(side.nn, kind)(3, **options, **double)
    outputs = [layer(side.of(batch.reshape(shape))) for batch in BATCHES[:3]]
    layer.eval()
    outputs.append(layer(side.of(BATCHES[3].reshape(shape))))
    running = [layer.running_mean, layer.running_var, layer.num_batches_tracked]
    return [None if r is None else side.array(r) for r in running], [side.array(y) for y in outputs]


KINDS = [("BatchNorm1d", (6, 3)), ("BatchNorm1d", (2, 3, 3)), ("BatchNorm2d", (1, 3, 3, 2))]


@needs_torch
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize(("kind", "shape"), KINDS)
def test_running_statistics_and_outputs_are_pytorchs(kind, shape, options):
    running, outputs = life(Ours(), kind, shape, options)
    their_running, their_outputs = life(Theirs(), kind, shape, options)
    for got, expected in zip([*running, *outputs], [*their_running, *their_outputs], strict=True):
        if expected is None:
            assert got is None
        else:
            assert (got.shape, got.dtype) == (expected.shape, expected.dtype)
            np.testing.assert_allclose(got, expected, rtol=1e-10, atol=1e-12)


def test_running_statistics_by_their_formula():
    """Moved by a tenth; the variance that is kept has n - 1 below the line, the one that is used n."""
    layer = nn.BatchNorm1d(3)
    y = layer(mg.tensor(BATCHES[1]))
    np.testing.assert_allclose(layer.running_mean.data, 0.1 * BATCHES[1].mean(0), rtol=1e-14)
    np.testing.assert_allclose(layer.running_var.data, 0.9 + 0.1 * BATCHES[1].var(0, ddof=1), rtol=1e-14)
    np.testing.assert_allclose(np.var(y.data, axis=0), BATCHES[1].var(0) / (BATCHES[1].var(0) + 1e-5), rtol=1e-12)
    assert layer.num_batches_tracked.item() == 1
    cumulative = nn.BatchNorm1d(3, momentum=None)
    for batch in BATCHES:
        cumulative(mg.tensor(batch))
    np.testing.assert_allclose(cumulative.running_mean.data, np.mean(BATCHES, axis=(0, 1)), rtol=1e-13)


def test_eval_uses_the_running_statistics_and_changes_nothing():
    layer = nn.BatchNorm1d(3)
    layer(mg.tensor(BATCHES[1]))
    layer.eval()
    before = {name: np.array(t.data) for name, t in layer.state_dict().items()}
    one = layer(mg.tensor(BATCHES[2][:1]))
    np.testing.assert_allclose(one.data, layer(mg.tensor(BATCHES[2])).data[:1], rtol=1e-14)
    for name, t in layer.state_dict().items():
        np.testing.assert_array_equal(t.data, before[name])


def test_statistics_are_saved_and_not_trained():
    layer = nn.BatchNorm2d(3)
    assert [name for name, _ in layer.named_parameters()] == ["weight", "bias"]
    assert list(layer.state_dict()) == ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]
    layer(mg.tensor(PICTURE))
    other = nn.BatchNorm2d(3)
    other.load_state_dict(layer.state_dict())
    np.testing.assert_array_equal(other.eval()(PICTURE).data, layer.eval()(PICTURE).data)
    assert not layer.running_mean.requires_grad
    layer.reset_running_stats()
    assert (layer.running_mean.data == 0).all()
    assert (layer.running_var.data == 1).all()
    assert layer.num_batches_tracked.item() == 0


def test_the_function_moves_arrays_and_tensors_in_place():
    for make in (np.array, mg.tensor):
        mean, var = make(np.zeros(3)), make(np.ones(3))
        F.batch_norm(mg.tensor(BATCHES[1]), mean, var, training=True, momentum=1.0)
        np.testing.assert_allclose(np.asarray(mean), BATCHES[1].mean(0), rtol=1e-14)
        np.testing.assert_allclose(np.asarray(var), BATCHES[1].var(0, ddof=1), rtol=1e-14)


def test_an_eval_pass_keeps_the_statistics_it_used():
    """A training pass between forward and backward gives the layer new statistics, not the graph."""
    layer, x = nn.BatchNorm1d(3).eval(), mg.tensor(BATCHES[1], requires_grad=True)
    y = layer(x)
    layer.train()
    layer(mg.tensor(BATCHES[2]))
    np.testing.assert_allclose(mg.grad(y.sum(), x).data, 1 / math.sqrt(1 + 1e-5), rtol=1e-14)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_layers_keep_their_dtype(dtype):
    for layer, x in ((nn.BatchNorm1d(4, dtype=dtype), X), (nn.LayerNorm(4, dtype=dtype), X)):
        x = mg.tensor(x, dtype, requires_grad=True)
        for mode in (layer.train, layer.eval):
            mode()
            y = layer(x)
            y.sum().backward()
            assert {t.dtype for t in (y, x.grad, *(p.grad for p in layer.parameters()))} == {np.dtype(dtype)}
        assert {b.dtype for b in layer.buffers()} <= {np.dtype(dtype), np.dtype(int)}


# ------------------------------------------------------------------------------- equal numbers, far points

@pytest.mark.parametrize("value", [0.0, 0.1, -7.0, 1e4])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_equal_numbers_give_0_and_finite_slopes(value, dtype):
    for make in (lambda t: F.layer_norm(t, 4), lambda t: F.batch_norm(t, None, None, training=True)):
        x = mg.tensor(np.full((4, 4), value), dtype, requires_grad=True)
        y = make(x)
        g = mg.grad(y, x, waves(4, 4), create_graph=True)
        h = mg.grad((g * waves(4, 4, k=1.0)).sum(), x)
        assert np.abs(y.data).max() <= (1e-2 if dtype == "float32" else 1e-6)
        assert np.isfinite(g.data).all()
        assert np.isfinite(h.data).all()


@pytest.mark.parametrize("n", [3, 100, 1000])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_layer_norm_of_equal_numbers_is_the_bias_exactly(n, dtype):
    """However they are rounded: a mean that is off by one in the last place would be divided by as little."""
    layer = nn.LayerNorm(n, eps=1e-12, dtype=dtype)
    layer.bias.data = np.arange(n) / 7
    x = np.full((5, n), 1e8 / 3, dtype) * np.array([[1.0], [1e-3], [0.7], [-1e9], [0.0]], dtype)
    np.testing.assert_array_equal(layer(mg.tensor(x)).data, np.tile(layer.bias.data, (5, 1)))


def far_rows(n, column, outlier, offset=0.0):
    """Return rows with one number, and half of them with all numbers, far out; weights; and a cotangent."""
    rng = np.random.default_rng(n)
    x, g = (rng.normal(size=(16, n)).astype("float32") for _ in range(2))
    x[:8] += np.float32(offset)
    x[:, column] += np.float32(outlier)
    return x, rng.normal(size=n).astype("float32"), g


def affine_and_slopes(side, x, w, g):
    """Return LayerNorm's output, and the gradients of input, weight and bias."""
    leaves = [side.leaf(a) for a in (x, w, 0 * w)]
    y = side.F.layer_norm(leaves[0], (len(w),), *leaves[1:])
    return [side.array(t) for t in (y, *side.grad(y, leaves, g))]


@pytest.mark.parametrize("n", [8, 768])
@pytest.mark.parametrize("column", [0, 1, 5, -1])
@pytest.mark.parametrize(("outlier", "offset"), [
    (1e3, 0), (1e4, 0), (-1e5, 0), (1e6, 0), (0, 1e3), (0, -1e5), (1e3, 1e5), (1e6, 1e4)])
def test_layer_norm_keeps_its_digits_whichever_number_lies_far_out(n, column, outlier, offset):
    """A few units in the last place of the other numbers, in the result and in all gradients; so it is PyTorch's."""
    arrays = far_rows(n, column, outlier, offset)
    exact = affine_and_slopes(Ours(), *arrays)
    theirs = [Theirs()] if torch is not None and not offset else []         # beside an offset theirs are not that exact
    for side in (Ours("float32"), *theirs):
        for got, right in zip(affine_and_slopes(side, *arrays), exact, strict=True):
            assert got.dtype == np.float32
            got, right = (np.delete(a, column, axis=-1) for a in (got, right))
            np.testing.assert_allclose(got, right, rtol=0, atol=16 * 2 ** -23 * np.abs(right).max())


def test_a_row_of_equal_numbers_among_others():
    x, w, _ = far_rows(100, 0, 0.0)
    y = F.layer_norm(x, 100, w, w)
    x[3] = 0.1
    other = F.layer_norm(x, 100, w, w)
    np.testing.assert_array_equal(other[3], w)
    np.testing.assert_allclose(np.delete(other, 3, axis=0), np.delete(y, 3, axis=0), atol=1e-5)


def test_half_precision_squares_do_not_overflow():
    x = np.array([[-3e4, 3e4, 0.0, 1e4], [1e3, 2e3, 3e3, 6e3]])
    for make in (lambda t: F.layer_norm(t, 4), lambda t: F.batch_norm(t.T, None, None, training=True).T):
        got = make(mg.tensor(x, "float16"))
        assert got.dtype == np.float16
        np.testing.assert_allclose(got.data, make(mg.tensor(x)).data, atol=2e-3)


def test_vectors_of_zeros_stay_zeros():
    x = mg.tensor([[0.0, 0.0], [3.0, 4.0]], requires_grad=True)
    for p in (1.0, 2.0, 3.0, math.inf):
        assert (F.normalize(x, p=p).data[0] == 0).all()
        assert np.isfinite(mg.grad(F.normalize(x, p=p).sum(), x).data).all()
    np.testing.assert_allclose(F.normalize(x).data[1], [0.6, 0.8])
    np.testing.assert_allclose(F.cosine_similarity(x, [[1.0, 1.0], [4.0, 3.0]]).data, [0, 0.96])


def test_a_component_of_0_has_its_curvature():
    """|x| has a kink at 0, the length of a vector has none: its second order must not come from that of |x|."""
    assert mg.gradcheck(F.normalize, np.array([[0.0, 3.0, -4.0], [0.0, 0.0, 1.0]]), order=2)


@pytest.mark.parametrize("size", [1e-200, 1e200])
def test_length_1_from_any_length(size):
    x = mg.tensor(np.array([[3.0, 4.0]]) * size, requires_grad=True)
    np.testing.assert_allclose(F.normalize(x, eps=1e-300).data, [[0.6, 0.8]], rtol=1e-14)
    g = mg.grad(F.normalize(x, eps=1e-300)[0, 0], x).data
    np.testing.assert_allclose(g * size, [[0.128, -0.096]], rtol=1e-12)


# ------------------------------------------------------------------------------- modules

@pytest.mark.parametrize(("make", "text"), [
    (lambda: nn.LayerNorm(4), "LayerNorm(4)"), (lambda: nn.LayerNorm((4, 2), eps=0.1), "LayerNorm((4, 2), eps=0.1)"),
    (lambda: nn.LayerNorm([4]), "LayerNorm(4)"), (lambda: nn.LayerNorm(4, bias=False), "LayerNorm(4, bias=False)"),
    (lambda: nn.LayerNorm(4, elementwise_affine=False), "LayerNorm(4, elementwise_affine=False)"),
    (lambda: nn.BatchNorm1d(4), "BatchNorm1d(4)"),
    (lambda: nn.GroupNorm(2, 4, affine=False), "GroupNorm(2, 4, affine=False)"),
    (lambda: nn.BatchNorm2d(4, momentum=None, affine=False), "BatchNorm2d(4, momentum=None, affine=False)"),
])
def test_repr(make, text):
    assert repr(make()) == text


# ------------------------------------------------------------------------------- what is refused

def ones(*shape):
    return mg.tensor(np.ones(shape), requires_grad=True)


REFUSED = [
    (lambda: F.layer_norm(ones(2, 3), 4), ValueError, r"layer_norm.*\(2, 3\).*\(4,\)"),
    (lambda: F.layer_norm(ones(3), (2, 3)), ValueError, r"layer_norm.*\(3,\).*\(2, 3\)"),
    (lambda: F.layer_norm(ones(2, 3), 3, weight=ones(2)), ValueError, r"weight of shape \(2,\).*\(3,\)"),
    (lambda: F.layer_norm(ones(2, 3), 3, bias=ones(1, 3)), ValueError, r"bias of shape \(1, 3\).*\(3,\)"),
    (lambda: F.layer_norm(ones(2, 3), 3, eps=0), ValueError, "layer_norm: eps = 0"),
    (lambda: F.layer_norm(np.ones((2, 3), int), 3), TypeError, "layer_norm: input has dtype int64"),
    (lambda: nn.LayerNorm(3)(ones(2, 4)), ValueError, r"\(2, 4\).*\(3,\)"),
    (lambda: nn.LayerNorm(0), ValueError, "LayerNorm: normalized_shape = 0, but it must be at least 1"),
    (lambda: nn.LayerNorm(3, eps=None), TypeError, "LayerNorm: eps = None is no number"),
    (lambda: nn.LayerNorm(3, eps=-1e-5), ValueError, "LayerNorm: eps = -1e-05"),
    (lambda: F.batch_norm(ones(3), None, None, training=True), ValueError, r"batch_norm: input must have.*\(3,\)"),
    (lambda: F.batch_norm(ones(2, 3), np.ones(2), np.ones(3)), ValueError, r"running_mean of shape \(2,\).*\(2, 3\)"),
    (lambda: F.batch_norm(ones(2, 3), None, None, ones(4), training=True), ValueError, r"weight of shape \(4,\)"),
    (lambda: F.batch_norm(ones(2, 3), None, None), ValueError, "needed when training=False"),
    (lambda: F.batch_norm(ones(1, 3), None, None, training=True), ValueError,
     r"expected more than 1 value per channel when training, got input of shape \(1, 3\)"),
    (lambda: F.batch_norm(ones(2, 3), None, None, training=True, eps=0), ValueError, "batch_norm: eps = 0"),
    (lambda: F.batch_norm(ones(2, 3), None, None, training=True, momentum=2), ValueError, "momentum = 2"),
    (lambda: F.batch_norm(np.ones((2, 3), int), None, None, training=True), TypeError, "input has dtype int64"),
    (lambda: nn.BatchNorm1d(3)(ones(2, 4)), ValueError, r"BatchNorm1d\(3\).*\(N, 3\) or \(N, 3, L\), not \(2, 4\)"),
    (lambda: nn.BatchNorm1d(3)(ones(2, 3, 4, 4)), ValueError, r"BatchNorm1d\(3\).*not \(2, 3, 4, 4\)"),
    (lambda: nn.BatchNorm2d(3)(ones(2, 3)), ValueError, r"BatchNorm2d\(3\).*\(N, 3, H, W\), not \(2, 3\)"),
    (lambda: nn.BatchNorm1d(0), ValueError, "BatchNorm1d: num_features = 0"),
    (lambda: nn.BatchNorm1d(3, eps=0.0), ValueError, "BatchNorm1d: eps = 0.0"),
    (lambda: nn.BatchNorm2d(3, momentum=-0.1), ValueError, "BatchNorm2d: momentum = -0.1"),
    (lambda: F.batch_norm(ones(2, 3), None, None, training=True, momentum=None), TypeError, "momentum = None is no n"),
    (lambda: F.group_norm(ones(2, 3), 2), ValueError, r"group_norm: 3 channels .*\(2, 3\).* 2 groups"),
    (lambda: F.group_norm(ones(3), 1), ValueError, r"group_norm: input must have shape.*\(3,\)"),
    (lambda: F.group_norm(ones(2, 4), 2, ones(2)), ValueError, r"group_norm: weight of shape \(2,\)"),
    (lambda: F.group_norm(ones(2, 4), 0), ValueError, "group_norm: num_groups = 0"),
    (lambda: nn.GroupNorm(2, 3), ValueError, "GroupNorm: 3 channels cannot be put into 2 groups"),
    (lambda: nn.GroupNorm(2, 4)(ones(2, 6)), ValueError, r"weight of shape \(4,\)"),
    (lambda: F.normalize(ones(2, 3), p=0.5), ValueError, "normalize: p = 0.5"),
    (lambda: F.normalize(ones(2, 3), eps=0), ValueError, "normalize: eps = 0"),
    (lambda: F.normalize(mg.tensor([[1, 2]])), TypeError, "normalize: input has dtype int64"),
    (lambda: F.cosine_similarity(ones(2, 3), ones(2, 4)), ValueError, r"cosine_similarity.*\(2, 3\).*\(2, 4\)"),
]


@pytest.mark.parametrize(("call", "error", "text"), REFUSED)
def test_what_cannot_be_meant_is_refused(call, error, text):
    with pytest.raises(error, match=text):
        call()


@pytest.mark.parametrize("x", [np.ones((1, 3)), np.ones((2, 4)), np.ones((2, 3), int), np.ones(3)])
def test_what_is_refused_leaves_the_running_statistics_alone(x):
    layer = nn.BatchNorm1d(3)
    layer(mg.tensor(BATCHES[1]))
    before = {name: np.array(t.data) for name, t in layer.state_dict().items()}
    with pytest.raises((ValueError, TypeError)):
        layer(mg.tensor(x))
    for name, t in layer.state_dict().items():
        np.testing.assert_array_equal(t.data, before[name], err_msg=name)


def locked(array):
    array.flags.writeable = False
    return array


UNFIT = [(np.zeros(3), locked(np.ones(3)), ValueError, "running_var .*read-only"),
         (locked(np.zeros(3)), np.ones(3), ValueError, "running_mean .*read-only"),
         (np.zeros(3), np.ones(3, int), TypeError, "running_var .*int64"),
         (mg.tensor(np.zeros(3)), mg.tensor([1, 1, 1]), TypeError, "running_var .*int64"),
         (np.zeros(3), [1.0, 1.0, 1.0], TypeError, "running_var .*list"),
         (np.zeros(3), mg.tensor(np.ones(3), requires_grad=True), TypeError, "running_var .*requires a gradient")]


@pytest.mark.parametrize(("mean", "var", "error", "text"), UNFIT)
def test_statistics_that_cannot_be_moved_leave_both_alone(mean, var, error, text):
    before = [np.array(getattr(p, "data", p)) for p in (mean, var)]
    with pytest.raises(error, match=text):
        F.batch_norm(BATCHES[1], mean, var, training=True)
    for p, old in zip((mean, var), before):
        np.testing.assert_array_equal(np.array(getattr(p, "data", p)), old)
    if error is ValueError:
        assert F.batch_norm(BATCHES[1], mean, var).shape == (6, 3)          # only to be read, they need not be moved

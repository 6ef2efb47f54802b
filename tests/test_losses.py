"""Losses: PyTorch's values, gradients and second order over their options; what is refused; far points."""

import math

import numpy as np
import pytest
from twins import Ours, Theirs, properties, torch, waves

import minigrad as mg
from minigrad import nn
from minigrad.nn import functional as F

X, Y = waves(4, 3), waves(4, 3, k=1.0, size=1.6)
LOGITS, ROW, PICTURE = waves(4, 3, size=2.0), waves(3, k=2.0), waves(2, 3, 2, 2, size=2.0)
PROBS = 0.5 + waves(4, 3, size=0.48)
W3 = np.array([0.5, 2.0, 1.25])
LABELS, HOLES = [2, 0, 1, 1], [2, -100, 0, -100]
AREA, AREA_HOLES = [[[0, 2], [1, 1]], [[2, 0], [0, 1]]], [[[0, 7], [1, 7]], [[7, 0], [0, 1]]]
YES = np.array([[0.0, 1.0, 1.0], [0.25, 0.0, 1.0], [1.0, 0.0, 0.6], [0.0, 0.0, 1.0]])
SOFT = np.exp(waves(4, 3, k=1.5)) / np.exp(waves(4, 3, k=1.5)).sum(1, keepdims=True)
SOFT_AREA = np.exp(waves(2, 3, 2, 2)) / np.exp(waves(2, 3, 2, 2)).sum(1, keepdims=True)
LOG_P = LOGITS - np.log(np.exp(LOGITS).sum(1, keepdims=True))

# name: call, differentiated arrays, three numbers that PyTorch 2.13 gave: value, first and second order (see twins.py)
CASES = {
    "mse": (lambda s, x, y: s.F.mse_loss(x, y), [X, Y], [0.708383046072, 0.689768419907, 0.59430123386]),
    "mse none": (lambda s, x, y: s.F.mse_loss(x, y, reduction="none"), [X, Y],
     [-0.130209606364, 0.0281794971485, 0.767580199705]),
    "mse sum": (lambda s, x: s.nn.MSELoss(reduction="sum")(x, s.of(Y)), [X],
     [8.50059655286, -1.72741430011, 8.0606115575]),
    "l1": (lambda s, x, y: s.F.l1_loss(x, y), [X, Y], [0.684273302419, 0.381451493869, 0.0]),
    "l1 none": (lambda s, x, y: s.nn.L1Loss(reduction="none")(x, y), [X, Y], [-0.138155201797, 0.892254226755, 0.0]),
    "smooth l1": (lambda s, x, y: s.F.smooth_l1_loss(x, y), [X, Y], [0.343856826082, 0.296172226843, 0.170356400515]),
    "smooth l1 narrow": (lambda s, x, y: s.nn.SmoothL1Loss(reduction="none", beta=0.3)(x, y), [X, Y],
     [-0.12229148592, 0.277246511205, 2.47491837612]),
    "smooth l1 beta 0": (lambda s, x, y: s.F.smooth_l1_loss(x, y, beta=0.0), [X, Y],
     [0.684273302419, 0.381451493869, 0.0]),
    "huber": (lambda s, x, y: s.F.huber_loss(x, y), [X, Y], [0.343856826082, 0.296172226843, 0.170356400515]),
    "huber narrow": (lambda s, x, y: s.nn.HuberLoss(reduction="sum", delta=0.4)(x, y), [X, Y],
     [2.54961952396, 1.57577789978, 0.888887880041]),
    "cross entropy": (lambda s, x: s.F.cross_entropy(x, s.of(LABELS)), [LOGITS],
     [1.65880920931, 0.397722761585, 0.0908339154121]),
    "cross entropy none": (lambda s, x: s.F.cross_entropy(x, s.of(LABELS), reduction="none"), [LOGITS],
     [4.07042419086, 1.86499919246, 0.0420437427001]),
    "cross entropy sum": (lambda s, x: s.F.cross_entropy(x, s.of(LABELS), reduction="sum"), [LOGITS],
     [6.63523683723, 1.59089104634, 0.363335661648]),
    "cross entropy weights": (lambda s, x: s.F.cross_entropy(x, s.of(LABELS), s.of(W3)), [LOGITS],
     [1.63205290792, 0.404024202394, 0.098489695407]),
    "cross entropy holes": (lambda s, x: s.F.cross_entropy(x, s.of(HOLES)), [LOGITS],
     [3.09126099482, 1.02427674126, 0.125559571081]),
    "cross entropy ignore 1": (lambda s, x: s.F.cross_entropy(x, s.of(LABELS), ignore_index=1), [LOGITS],
     [2.13301421125, 0.588181606123, 0.0842823993628]),
    "cross entropy smooth": (lambda s, x: s.F.cross_entropy(x, s.of(LABELS), label_smoothing=0.2), [LOGITS],
     [1.65611758872, 0.416810279136, 0.0908339154121]),
    "cross entropy all": (lambda s, x: s.nn.CrossEntropyLoss(s.of(W3), label_smoothing=0.1, ignore_index=0)(
        x, s.of(LABELS)), [LOGITS], [1.64468343201, 0.43633712902, 0.100778403193]),
    "cross entropy all none": (lambda s, x: s.nn.CrossEntropyLoss(
        s.of(W3), label_smoothing=0.1, ignore_index=0, reduction="none")(x, s.of(LABELS)), [LOGITS],
     [6.16124229469, 2.65207937744, 0.048439194786]),
    "cross entropy row": (lambda s, x: s.F.cross_entropy(x, s.of(1)), [ROW],
     [1.54115740767, 0.026824784554, 0.263186679999]),
    "cross entropy row all": (lambda s, x: s.F.cross_entropy(x, s.of(1), s.of(W3), label_smoothing=0.3), [ROW],
     [1.29117935616, 0.0161755594815, 0.233578178499]),
    "cross entropy row none": (lambda s, x: s.F.cross_entropy(x, s.of(2), reduction="none"), [ROW],
     [0.390074046838, 0.313885498578, 0.263186679999]),
    "cross entropy area": (lambda s, x: s.F.cross_entropy(x, s.of(AREA)), [PICTURE],
     [1.28973908337, 0.182966098966, 0.0415294043377]),
    "cross entropy area all": (lambda s, x: s.F.cross_entropy(
        x, s.of(AREA_HOLES), s.of(W3), ignore_index=7, label_smoothing=0.1), [PICTURE],
     [1.16383034137, 0.164737922423, 0.0650261899027]),
    "cross entropy area none": (lambda s, x: s.F.cross_entropy(
        x, s.of(AREA_HOLES), s.of(W3), ignore_index=7, label_smoothing=0.1, reduction="none"), [PICTURE],
     [-0.728729055782, -0.295367586073, 0.00608233351377]),
    "soft": (lambda s, x, t: s.F.cross_entropy(x, t), [LOGITS, SOFT], [1.63617514897, -0.293716468113, -0.83171388033]),
    "soft all": (lambda s, x, t: s.F.cross_entropy(x, t, s.of(W3), label_smoothing=0.1), [LOGITS, SOFT],
     [1.88291121896, -0.386224132245, -1.03567932972]),
    "soft none": (lambda s, x: s.F.cross_entropy(x, s.of(SOFT), s.of(W3), reduction="none"), [LOGITS],
     [3.18447271872, 1.44505205943, 0.0651573169516]),
    "soft row": (lambda s, x: s.F.cross_entropy(x, s.of(SOFT[0]), label_smoothing=0.1), [ROW],
     [0.926755673917, -0.195629713726, 0.263186679999]),
    "soft area": (lambda s, x: s.F.cross_entropy(x, s.of(SOFT_AREA), s.of(W3)), [PICTURE],
     [1.21731406196, 0.0926827996383, 0.0510627524151]),
    "nll": (lambda s, x: s.F.nll_loss(x, s.of(LABELS)), [LOG_P], [1.65880920931, -0.150774785958, 0.0]),
    "nll weights": (lambda s, x: s.nn.NLLLoss(s.of(W3), ignore_index=2)(x, s.of(LABELS)), [LOG_P],
     [1.15470716758, -0.379187395246, 0.0]),
    "nll none": (lambda s, x: s.F.nll_loss(x, s.of(HOLES), s.of(W3), reduction="none"), [LOG_P],
     [2.94274444396, 0.625512381723, 0.0]),
    "nll area": (lambda s, x: s.F.nll_loss(x, s.of(AREA), reduction="sum"), [PICTURE],
     [1.22986619664, 0.404285961419, 0.0]),
    "nll row": (lambda s, x: s.F.nll_loss(x, s.of(1)), [ROW], [0.592326352892, 0.325929987329, 0.0]),
    "after log_softmax": (lambda s, x: s.F.nll_loss(s.F.log_softmax(x, dim=1), s.of(LABELS)), [LOGITS],
     [1.65880920931, 0.397722761585, 0.0908339154121]),
    "bce logits": (lambda s, x: s.F.binary_cross_entropy_with_logits(x, s.of(YES)), [LOGITS],
     [1.02439132581, 0.264019235352, 0.0454823836303]),
    "bce logits all": (lambda s, x, t: s.nn.BCEWithLogitsLoss(s.of(SOFT), pos_weight=s.of(W3))(x, t), [LOGITS, YES],
     [0.367639732745, 0.0167356815748, -0.104032614586]),
    "bce logits none": (lambda s, x: s.F.binary_cross_entropy_with_logits(
        x, s.of(YES), s.of(W3), reduction="none"), [LOGITS], [2.3648848583, 0.683863501211, 0.101730543115]),
    "bce": (lambda s, p, t: s.F.binary_cross_entropy(p, t), [PROBS, SOFT],
     [1.0604275441, 4.67921422608, 148.198892913]),
    "bce weights": (lambda s, p: s.nn.BCELoss(s.of(W3), reduction="sum")(p, s.of(YES)), [PROBS],
     [18.9196657723, 59.2340924506, 801.476628065]),
    "kl": (lambda s, x: s.F.kl_div(x, s.of(SOFT), reduction="batchmean"), [LOG_P],
     [0.826425836592, -0.109681561238, 0.0]),
    "kl logs": (lambda s, x, t: s.nn.KLDivLoss(reduction="sum", log_target=True)(x, t), [LOG_P, np.log(SOFT)],
     [3.30570334637, 1.47766845698, 2.39315284018]),
    "kl none": (lambda s, x, t: s.F.kl_div(x, t, reduction="none"), [LOG_P, SOFT],
     [-2.85427798378, 3.33902580678, -4.12645948599]),
}

(test_every_element_is_pytorchs, test_numbers_recorded_from_pytorch, test_gradcheck_at_order_1_and_2,
 test_dtype_is_kept) = properties(CASES)


@pytest.mark.parametrize(("call", "arrays", "recorded"), CASES.values(), ids=CASES)
def test_arrays_are_taken_as_well_as_tensors(call, arrays, recorded):
    """Without a tensor to differentiate, the same number comes out."""
    expected = call(Ours(), *(mg.tensor(a, requires_grad=True) for a in arrays))
    np.testing.assert_array_equal(np.asarray(call(Ours(), *arrays)), expected.data)


# ------------------------------------------------------------------------------- where something is to be decided

FAR = [-1e4, -800.0, 0.0, 800.0, 1e4]


@pytest.mark.parametrize("far", FAR)
@pytest.mark.parametrize("make", [
    lambda x: F.cross_entropy(x, [0, 1]), lambda x: F.cross_entropy(x, [0, 1], [0.5, 2.0, 1.0]),
    lambda x: F.cross_entropy(x, [0, 1], label_smoothing=0.1), lambda x: F.cross_entropy(x, np.full((2, 3), 1 / 3)),
    lambda x: F.cross_entropy(x, [2, -100], reduction="none").sum(),
    lambda x: F.binary_cross_entropy_with_logits(x, np.eye(2, 3)),
    lambda x: F.binary_cross_entropy_with_logits(x, np.eye(2, 3), pos_weight=[3.0, 1.0, 0.5]),
    lambda x: F.binary_cross_entropy(F.sigmoid(x), np.eye(2, 3)),
    lambda x: F.huber_loss(x, np.zeros((2, 3))), lambda x: F.smooth_l1_loss(x, np.zeros((2, 3)), beta=0.1),
    lambda x: F.huber_loss(x + 1e200, np.zeros((2, 3))), lambda x: F.l1_loss(x, np.zeros((2, 3))),
])
def test_far_out_everything_is_finite(make, far):
    """Value, first and second order, without a warning on the way."""
    x = mg.tensor([[far, 0.5, -far], [1.0, -far, far]], requires_grad=True)
    y = make(x)
    g = mg.grad(y, x, create_graph=True)
    slope = (g * waves(2, 3)).sum()
    h = mg.grad(slope, x) if slope.requires_grad else g
    assert all(np.isfinite(t.data).all() for t in (y, g, h))


def test_binary_cross_entropy_keeps_its_digits():
    """Of a sure and right answer the loss is exp(-x), where (1 - t) x - log sigmoid(x) has lost half its digits."""
    x = mg.tensor([-30.0, -40.0, 36.0, 700.0], requires_grad=True)
    y = F.binary_cross_entropy_with_logits(x, [0, 0, 1, 1], reduction="none")
    np.testing.assert_allclose(y.data, np.exp(-np.abs(x.data)), rtol=1e-12)
    np.testing.assert_allclose(mg.grad(y.sum(), x).data, [1, 1, -1, -1] * np.exp(-np.abs(x.data)), rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_binary_cross_entropy_at_0_and_1(dtype):
    p = mg.tensor([0.0, 1.0, 0.0, 1.0], dtype, requires_grad=True)
    y = F.binary_cross_entropy(p, [0, 1, 1, 0], reduction="none")
    np.testing.assert_allclose(y.data, [0, 0, 100, 100])
    g = mg.grad(y.sum(), p).data
    assert np.isfinite(g).all()
    np.testing.assert_allclose(g, np.array([0, 0, -1, 1]) / max(1e-12, float(np.finfo(dtype).tiny)))


KINKS = [
    (lambda d: F.huber_loss(d, np.zeros(5), reduction="sum"), [-1, -1, 0, 1, 1], [0, 1, 1, 1, 0]),
    (lambda d: F.smooth_l1_loss(d, np.zeros(5), reduction="sum"), [-1, -1, 0, 1, 1], [0, 1, 1, 1, 0]),
    (lambda d: F.l1_loss(d, np.zeros(5), reduction="sum"), [-1, -1, 0, 1, 1], [0, 0, 0, 0, 0]),
    (lambda d: F.mse_loss(d, np.zeros(5), reduction="sum"), [-6, -2, 0, 2, 6], [2, 2, 2, 2, 2]),
]


@pytest.mark.parametrize(("make", "slopes", "curvatures"), KINKS)
def test_slope_and_curvature_at_the_kinks(make, slopes, curvatures):
    """At |d| = delta Huber's curvature is 1: the bound belongs to the parabola, as in PyTorch's clamp."""
    d = mg.tensor([-3.0, -1.0, 0.0, 1.0, 3.0], requires_grad=True)
    g = mg.grad(make(d), d, create_graph=True)
    np.testing.assert_array_equal(g.data, slopes)
    h = mg.grad(g.sum(), d, allow_unused=True) if g.requires_grad else None
    np.testing.assert_array_equal(np.zeros(5) if h is None else h.data, curvatures)


NOTHING_LEFT = [
    lambda x: F.cross_entropy(x, [-100, -100]), lambda x: F.cross_entropy(x, [1, 1], ignore_index=1),
    lambda x: F.cross_entropy(x, [-100, -100], label_smoothing=0.5), lambda x: F.nll_loss(x, [-100, -100]),
    lambda x: F.cross_entropy(x, [-100, -100], [1.0, 2.0, 3.0]), lambda x: F.cross_entropy(x[:0], []),
    lambda x: F.nll_loss(x[:0], [], [1.0, 2.0, 3.0]), lambda x: F.cross_entropy(x[:0], np.zeros((0, 3))),
    lambda x: F.cross_entropy(x[:0], [], label_smoothing=0.5),
    lambda x: F.mse_loss(x[:0], np.zeros((0, 3))), lambda x: F.binary_cross_entropy_with_logits(x[:0], np.ones((0, 3))),
    lambda x: F.kl_div(x[:0], np.ones((0, 3)), reduction="batchmean"),
]


@pytest.mark.parametrize("make", NOTHING_LEFT)
def test_the_mean_of_nothing_is_nan_with_gradient_0(make):
    """As in PyTorch: a batch of padding alone shows in the log and moves nothing; no warning of NumPy's."""
    x = mg.tensor(waves(2, 3), requires_grad=True)
    y = make(x)
    assert math.isnan(y.item())
    np.testing.assert_array_equal(mg.grad(y, x).data, np.zeros((2, 3)))


@pytest.mark.parametrize("loss", [
    lambda s, x: s.F.cross_entropy(x, s.of([0, 0]), s.of([0.0, 1.0, 1.0])),
    lambda s, x: s.F.cross_entropy(x, s.of([0, 0]), s.of([0.0, 1.0, 1.0]), label_smoothing=0.2),
    lambda s, x: s.F.nll_loss(x, s.of([0, 0]), s.of([0.0, 1.0, 1.0])),
])
def test_weights_that_sum_to_0_give_nan_and_a_gradient_of_nan(loss):
    """As in PyTorch: 0 / 0; the optimizer's hooks are to see it."""
    for side in [Ours()] + [Theirs()] * (torch is not None):
        x = side.leaf(waves(2, 3))
        y = loss(side, x)
        assert math.isnan(y.item())
        assert np.isnan(side.array(side.grad(y, [x])[0])[:, 0]).all()


def test_the_sum_of_nothing_is_0():
    assert F.cross_entropy(logits(0, 3), [], reduction="sum").item() == 0.0
    assert F.cross_entropy(logits(0, 3), [], reduction="none").shape == (0,)


def test_ignored_labels_are_0_in_none_and_sum():
    x = mg.tensor(waves(2, 3), requires_grad=True)
    assert F.cross_entropy(x, [-100, -100], reduction="sum").item() == 0
    np.testing.assert_array_equal(F.cross_entropy(x, [-100, -100], reduction="none").data, [0, 0])
    assert F.cross_entropy(x[0], -100, reduction="none").shape == ()


def test_a_class_that_is_ruled_out_does_no_harm():
    """A logit of -inf (a mask) is a probability of 0, for all paths; in an ignored row as well."""
    x = np.array([[1.0, -np.inf, 0.0], [-np.inf, 0.5, 0.0]])
    for make in (lambda t: F.cross_entropy(t, [0, 2]), lambda t: F.cross_entropy(t, [0, 2], [1.0, 1.0, 1.0]),
                 lambda t: F.cross_entropy(t, [0, -100])):
        t = mg.tensor(x, requires_grad=True)
        y = make(t)
        g = mg.grad(y, t).data
        assert np.isfinite(y.item())
        assert np.isfinite(g).all()
        assert not g[np.isinf(x)].any()


def test_whole_number_targets_do_not_widen_the_loss():
    x = mg.tensor([0.5, 2.0], "float32", requires_grad=True)
    for loss in (F.mse_loss, F.l1_loss, F.huber_loss, F.binary_cross_entropy_with_logits):
        assert loss(x, np.array([0, 1])).dtype == np.float32
        assert loss(x, [True, False]).dtype == np.float32
        assert loss(x, mg.tensor([0, 1])).dtype == np.float32


def test_half_precision_means_do_not_overflow():
    """The sum of 30000 losses of about 7 is above the largest float16."""
    x, labels = np.zeros((30000, 1000), np.float16), np.arange(30000) % 1000
    for options in ({}, {"weight": np.ones(1000)}, {"ignore_index": 0}):
        assert float(F.cross_entropy(mg.tensor(x), labels, **options).item()) == pytest.approx(math.log(1000), rel=2e-3)


def test_the_plain_case_is_one_node():
    x = mg.tensor(LOGITS, requires_grad=True)
    assert "made by cross_entropy" in repr(F.cross_entropy(x, LABELS))
    assert "made by cross_entropy" in repr(F.cross_entropy(x, LABELS, ignore_index=5))


# ------------------------------------------------------------------------------- modules

def test_weights_are_buffers():
    loss = nn.CrossEntropyLoss(W3)
    assert list(loss.state_dict()) == ["weight"]
    assert loss.parameters() == []
    assert list(nn.BCEWithLogitsLoss(pos_weight=W3).state_dict()) == ["pos_weight"]
    assert not nn.CrossEntropyLoss().state_dict()


@pytest.mark.parametrize(("make", "text"), [
    (nn.MSELoss, "MSELoss()"), (lambda: nn.L1Loss(reduction="sum"), "L1Loss(reduction='sum')"),
    (lambda: nn.HuberLoss(delta=2.0), "HuberLoss(delta=2.0)"),
    (lambda: nn.SmoothL1Loss(beta=0.5, reduction="none"), "SmoothL1Loss(reduction='none', beta=0.5)"),
    (lambda: nn.CrossEntropyLoss(ignore_index=0, label_smoothing=0.1),
     "CrossEntropyLoss(ignore_index=0, label_smoothing=0.1)"),
    (nn.NLLLoss, "NLLLoss()"), (nn.BCELoss, "BCELoss()"), (nn.BCEWithLogitsLoss, "BCEWithLogitsLoss()"),
    (lambda: nn.KLDivLoss(reduction="batchmean"), "KLDivLoss(reduction='batchmean')"),
])
def test_repr(make, text):
    assert repr(make()) == text


# ------------------------------------------------------------------------------- what is refused

def logits(*shape):
    return mg.tensor(np.ones(shape), requires_grad=True)


SHAPES = [
    (lambda: F.mse_loss(logits(4, 1), np.ones(4)), "mse_loss", "(4, 1)", "(4,)"),
    (lambda: F.l1_loss(logits(3), np.ones(4)), "l1_loss", "(3,)", "(4,)"),
    (lambda: F.huber_loss(logits(3), 1.0), "huber_loss", "(3,)", "()"),
    (lambda: F.smooth_l1_loss(logits(3), np.ones((1, 3))), "smooth_l1_loss", "(3,)", "(1, 3)"),
    (lambda: F.binary_cross_entropy(logits(3), np.ones((3, 1))), "binary_cross_entropy", "(3,)", "(3, 1)"),
    (lambda: F.binary_cross_entropy_with_logits(logits(3), np.ones(2)), "with_logits", "(3,)", "(2,)"),
    (lambda: F.binary_cross_entropy_with_logits(logits(3), np.ones(3), np.ones((2, 3))), "weight", "(3,)", "(2, 3)"),
    (lambda: F.binary_cross_entropy_with_logits(logits(2, 3), np.ones((2, 3)), pos_weight=np.ones(2)),
     "pos_weight", "(2, 3)", "(2,)"),
    (lambda: F.kl_div(logits(3), np.ones(4)), "kl_div", "(3,)", "(4,)"),
    (lambda: F.cross_entropy(logits(4, 3), np.zeros(3, int)), "cross_entropy", "(4, 3)", "(3,)"),
    (lambda: F.cross_entropy(logits(4, 3), np.zeros((4, 2))), "cross_entropy", "(4, 3)", "(4, 2)"),
    (lambda: F.cross_entropy(logits(4, 3, 5), np.zeros((4, 3), int)), "cross_entropy", "(4, 3, 5)", "(4, 5)"),
    (lambda: F.cross_entropy(logits(), 0), "cross_entropy", "(C,)", "()"),
    (lambda: F.cross_entropy(logits(4, 3), [0, 1, 2, 0], np.ones(4)), "weight", "(4, 3)", "(4,)"),
    (lambda: F.nll_loss(logits(4, 3), np.zeros(3, int)), "nll_loss", "(4, 3)", "(3,)"),
    (lambda: F.cross_entropy(logits(2, 3), [0, 3]), "cross_entropy", "0 to 3", "0 to 2"),
    (lambda: F.cross_entropy(logits(2, 3), [-1, 0], W3), "cross_entropy", "-1 to 0", "0 to 2"),
    (lambda: F.cross_entropy(logits(2, 3), [-100, 3]), "cross_entropy", "3 to 3", "0 to 2"),
    (lambda: F.nll_loss(logits(2, 3), [5, 0]), "nll_loss", "0 to 5", "0 to 2"),
]


@pytest.mark.parametrize(("call", "name", "one", "other"), SHAPES)
def test_what_does_not_fit_is_refused_naming_both(call, name, one, other):
    with pytest.raises(ValueError) as caught:
        call()
    assert all(text in str(caught.value) for text in (name, one, other)), str(caught.value)


OPTIONS = [
    (lambda: F.mse_loss(logits(3), np.ones(3), reduction="avg"), ValueError, "mse_loss: reduction = 'avg'.*'none'"),
    (lambda: F.cross_entropy(logits(2, 3), [0, 1], reduction=None), ValueError, "reduction = None"),
    (lambda: nn.MSELoss(reduction="elementwise_mean"), ValueError, "MSELoss: reduction = 'elementwise_mean'"),
    (lambda: nn.CrossEntropyLoss(reduction="batchmean"), ValueError, "'batchmean'"),
    (lambda: F.cross_entropy(logits(2, 3), [0, 1], label_smoothing=1.5), ValueError, "label_smoothing = 1.5"),
    (lambda: nn.CrossEntropyLoss(label_smoothing=-0.1), ValueError, "label_smoothing = -0.1"),
    (lambda: F.huber_loss(logits(3), np.ones(3), delta=0), ValueError, "delta = 0"),
    (lambda: nn.HuberLoss(delta=-1.0), ValueError, "delta = -1.0"),
    (lambda: nn.HuberLoss(delta=math.nan), ValueError, "delta = nan"),
    (lambda: F.smooth_l1_loss(logits(3), np.ones(3), beta=-1.0), ValueError, "beta = -1.0"),
    (lambda: nn.SmoothL1Loss(beta=-2.0), ValueError, "beta = -2.0"),
    (lambda: F.cross_entropy(logits(2, 3), np.ones((2, 3)), ignore_index=1), ValueError, "ignore_index = 1.*prob"),
    (lambda: F.cross_entropy(logits(2, 3), np.ones((2, 3), int)), ValueError, "int64"),
    (lambda: F.cross_entropy(logits(2, 3), [0.0, 1.0]), TypeError, "labels are integers, not float64"),
    (lambda: F.nll_loss(logits(2, 3), [True, False]), TypeError, "labels are integers, not bool"),
    (lambda: F.cross_entropy(np.ones((2, 3), int), [0, 1]), TypeError, "cross_entropy: logits has dtype int64"),
    (lambda: F.mse_loss(mg.tensor([1, 2]), [1, 2]), TypeError, "mse_loss: input has dtype int64"),
    (lambda: F.cross_entropy(logits(2, 3), [0, 1], mg.tensor(W3, requires_grad=True)), TypeError, "weight.detach"),
    (lambda: F.binary_cross_entropy(logits(2) * 1.5, np.ones(2)), ValueError, "runs from 1.5 to 1.5.*with_logits"),
    (lambda: F.binary_cross_entropy(logits(2), np.array([0.0, -0.5])), ValueError, "target runs from -0.5 to 0.0"),
    (lambda: F.binary_cross_entropy(logits(2) * math.nan, np.ones(2)), ValueError, "input runs from nan"),
]


@pytest.mark.parametrize(("call", "error", "text"), OPTIONS)
def test_what_cannot_be_meant_is_refused(call, error, text):
    with pytest.raises(error, match=text):
        call()

"""Dropout, of elements and of whole channels: shares, means, generators, refusals."""

import math

import numpy as np
import pytest
from twins import waves

import minigrad as mg
from minigrad import nn
from minigrad.nn import functional as F

X = waves(5, 4, size=2.0)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_dropout_zeroes_a_share_and_keeps_the_mean(p):
    x = mg.tensor(np.ones(40000), requires_grad=True)
    y = F.dropout(x, p, rng=np.random.default_rng(0))
    dropped = y.data == 0
    np.testing.assert_allclose(y.data[~dropped], 1 / (1 - p), rtol=1e-14)
    assert abs(dropped.mean() - p) < 5 * math.sqrt(p * (1 - p) / x.size)
    np.testing.assert_array_equal(mg.grad(y.sum(), x).data, y.data)         # what was dropped gets no gradient


def test_dropout_at_the_ends_and_in_eval_mode():
    x = mg.tensor(X, requires_grad=True)
    assert F.dropout(x, 0.0) is x
    assert F.dropout(x, 0.5, training=False) is x
    assert nn.Dropout(0.5).eval()(x) is x
    y = F.dropout(x, 1.0)
    assert not y.data.any()
    assert not mg.grad(y.sum(), x).data.any()


def test_dropout_draws_from_the_generator_it_was_given():
    x = mg.tensor(np.ones((20, 20)))
    layers = [nn.Dropout(0.5, rng=np.random.default_rng(7)) for _ in range(2)]
    first = layers[0](x).data
    np.testing.assert_array_equal(first, layers[1](x).data)
    assert (layers[0](x).data != first).any()
    seen = []
    for seed in (1, 1, 2):
        mg.manual_seed(seed)
        seen.append(nn.Dropout()(x).data)
    np.testing.assert_array_equal(seen[0], seen[1])
    assert (seen[0] != seen[2]).any()


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_dropout_keeps_the_dtype_and_every_order(dtype):
    x = mg.tensor(X, dtype, requires_grad=True)
    y = F.dropout(x, 0.3, rng=np.random.default_rng(0))
    g = mg.grad((y * y).sum(), x, create_graph=True)
    assert {y.dtype, g.dtype, mg.grad(g.sum(), x).dtype} == {np.dtype(dtype)}
    assert mg.gradcheck(lambda t: F.dropout(t, 0.3, rng=np.random.default_rng(0)) ** 3, X, order=2)


@pytest.mark.parametrize("shape", [(40, 50, 3, 4), (40, 50, 5)])
def test_dropout2d_drops_whole_channels(shape):
    x = mg.tensor(np.ones(shape), requires_grad=True)
    y = F.dropout2d(x, 0.25, rng=np.random.default_rng(0))
    channels = y.data.reshape(2000, -1)
    assert (channels == channels[:, :1]).all()
    dropped = channels[:, 0] == 0
    np.testing.assert_allclose(channels[~dropped], 4 / 3, rtol=1e-14)
    assert abs(dropped.mean() - 0.25) < 5 * math.sqrt(0.25 * 0.75 / 2000)
    np.testing.assert_array_equal(mg.grad(y.sum(), x).data, y.data)
    layer = nn.Dropout2d(0.25, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(layer(x).data, y.data)
    assert layer.eval()(x) is x
    assert repr(layer) == "Dropout2d(p=0.25)"
    assert repr(nn.Dropout()) == "Dropout(p=0.5)"


# ------------------------------------------------------------------------------- what is refused

def ones(*shape):
    return mg.tensor(np.ones(shape), requires_grad=True)


REFUSED = [
    (lambda: F.dropout(ones(3), 1.5), ValueError, "dropout: p = 1.5"),
    (lambda: F.dropout(ones(3), -0.1, training=False), ValueError, "dropout: p = -0.1"),
    (lambda: F.dropout(ones(3), math.nan), ValueError, "dropout: p = nan"),
    (lambda: F.dropout(mg.tensor([1, 2])), TypeError, "dropout: input has dtype int64"),
    (lambda: nn.Dropout(2), ValueError, "Dropout: p = 2"),
    (lambda: nn.Dropout(0.5, rng=3), TypeError, "default_rng"),
    (lambda: F.dropout2d(ones(2, 3)), ValueError, r"dropout2d: input must have shape .*, not \(2, 3\)"),
    (lambda: F.dropout2d(ones(2, 3, 4), 2), ValueError, "dropout2d: p = 2"),
    (lambda: F.dropout(ones(3), None), TypeError, "dropout: p = None is no number"),
    (lambda: nn.Dropout2d(-1), ValueError, "Dropout2d: p = -1"),
]


@pytest.mark.parametrize(("call", "error", "text"), REFUSED)
def test_what_cannot_be_meant_is_refused(call, error, text):
    with pytest.raises(error, match=text):
        call()

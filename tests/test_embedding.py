"""Embedding and one-hot: PyTorch's numbers, rows taken twice, padding, refusals."""

import math

import numpy as np
import pytest
from twins import check_dtype, check_gradients, dtypes, properties, waves

import minigrad as mg
from minigrad import nn
from minigrad.nn import functional as F

TABLE, PLACES = waves(5, 3, size=1.5), [[1, 4, 1], [0, 2, 1]]

# name: call, differentiated arrays, three numbers that PyTorch 2.13 gave: value, first and second order (see twins.py)
CASES = {
    "embedding": (lambda s, w: s.F.embedding(s.of(PLACES), w), [TABLE], [-2.72996230176, -1.61704767966, 0.0]),
    "embedding padding": (lambda s, w: s.F.embedding(s.of(PLACES), w, padding_idx=1) ** 2, [TABLE],
     [-1.4917418025, -1.37925093091, -1.32288781137]),
    "embedding padding -5": (lambda s, w: s.F.embedding(s.of(PLACES), w, padding_idx=-5) ** 2, [TABLE],
     [-1.4917418025, -2.04381782162, -1.4715043874]),
    "embedding one": (lambda s, w: s.F.embedding(s.of(3), w) ** 3, [TABLE],
     [-5.07619113336, -8.73953151909, -9.99416957999]),
}

test_every_element_is_pytorchs, test_numbers_recorded_from_pytorch, *_ = properties(CASES)


@pytest.mark.parametrize(("call", "arrays", "recorded"), [c for name, c in CASES.items() if "padding" not in name])
def test_gradcheck_at_order_1_and_2(call, arrays, recorded):
    """Not for padding, whose gradient is meant to be another than the function's."""
    check_gradients(call, arrays)


@pytest.mark.parametrize(("call", "arrays", "recorded"), CASES.values(), ids=CASES)
@dtypes
def test_dtype_is_kept(call, arrays, recorded, dtype):
    check_dtype(call, arrays, dtype)


@pytest.mark.parametrize("indices", [[1, 1, 3], np.array([1, 1, 3], np.uint8), mg.tensor([1, 1, 3]), (1, 1, 3)])
def test_embedding_takes_rows_and_adds_up_their_gradients(indices):
    layer = nn.Embedding(5, 3)
    y = layer(indices)
    np.testing.assert_array_equal(y.data, layer.weight.data[[1, 1, 3]])
    y.sum().backward()
    np.testing.assert_array_equal(layer.weight.grad.data, np.outer([0, 2, 0, 1, 0], np.ones(3)))


def test_the_padding_row_is_0_and_stays():
    layer = nn.Embedding(5, 3, padding_idx=-5)
    assert layer.padding_idx == 0
    assert not layer.weight.data[0].any()
    assert layer.weight.data[1:].all()
    (layer([0, 1, 0]) + 1.0).sum().backward()
    np.testing.assert_array_equal(layer.weight.grad.data, np.outer([0, 1, 0, 0, 0], np.ones(3)))


def test_embeddings_are_normal_and_seeded():
    a, b = (nn.Embedding(300, 200, rng=np.random.default_rng(3)).weight.data for _ in range(2))
    np.testing.assert_array_equal(a, b)
    assert abs(a.mean()) < 5 / math.sqrt(a.size)
    assert a.var() == pytest.approx(1, rel=0.03)


def test_pretrained_tables_are_frozen_unless_asked():
    frozen, free = nn.Embedding.from_pretrained(TABLE), nn.Embedding.from_pretrained(mg.tensor(TABLE), freeze=False)
    assert (frozen.num_embeddings, frozen.embedding_dim) == (5, 3)
    np.testing.assert_array_equal(frozen(PLACES).data, TABLE[np.array(PLACES)])
    assert not frozen(PLACES).requires_grad
    assert free(PLACES).requires_grad


def test_no_indices_no_rows():
    layer = nn.Embedding(5, 3)
    y = layer(np.zeros((2, 0), int))
    assert y.shape == (2, 0, 3)
    assert layer([]).shape == (0, 3)
    y.sum().backward()
    assert not layer.weight.grad.data.any()


def test_one_hot():
    np.testing.assert_array_equal(F.one_hot(mg.tensor([[0, 2]]), 4).data, [[[1, 0, 0, 0], [0, 0, 1, 0]]])
    assert F.one_hot([1, 0]).shape == (2, 2)
    assert F.one_hot([1, 0]).dtype == np.int64
    assert F.one_hot(2, 3).tolist() == [0, 0, 1]
    assert F.one_hot([], 3).shape == (0, 3)


def test_repr():
    assert repr(nn.Embedding(4, 2)) == "Embedding(4, 2)"
    assert repr(nn.Embedding(4, 2, -3)) == "Embedding(4, 2, padding_idx=1)"


REFUSED = [
    (lambda: F.embedding([0, 5], TABLE), ValueError, r"embedding: indices run from 0 to 5.*\(5, 3\).*0 to 4"),
    (lambda: F.embedding([-1], TABLE), ValueError, "indices run from -1 to -1"),
    (lambda: F.embedding([0.0], TABLE), TypeError, "embedding: indices are integers, not float64"),
    (lambda: F.embedding([True], TABLE), TypeError, "not bool"),
    (lambda: F.embedding([0], np.ones(3)), ValueError, r"weight must have shape \(rows, dim\), not \(3,\)"),
    (lambda: F.embedding([0], TABLE, padding_idx=5), ValueError, "padding_idx = 5, but there are 5 rows"),
    (lambda: nn.Embedding(5, 3, padding_idx=-6), ValueError, "padding_idx = -6"),
    (lambda: nn.Embedding(5, 3, padding_idx=1.5), TypeError, "padding_idx = 1.5 is no whole number"),
    (lambda: F.one_hot([0], 1.5), TypeError, "one_hot: num_classes = 1.5 is no whole number"),
    (lambda: nn.Embedding(0, 3), ValueError, "Embedding: num_embeddings = 0"),
    (lambda: nn.Embedding.from_pretrained(np.ones(3)), ValueError, r"float64 of shape \(3,\)"),
    (lambda: F.one_hot([0, 3], 3), ValueError, "indices run from 0 to 3, and num_classes = 3"),
    (lambda: F.one_hot([-1]), ValueError, "indices run from -1 to -1"),
    (lambda: F.one_hot([]), ValueError, "num_classes must be given"),
    (lambda: F.one_hot([0.5], 2), TypeError, "indices are integers, not float64"),
]


@pytest.mark.parametrize(("call", "error", "text"), REFUSED)
def test_what_cannot_be_meant_is_refused(call, error, text):
    with pytest.raises(error, match=text):
        call()
